"""What taking part costs, by hand; sums over clinicians are in ``test_mips.py``."""

import numpy as np
import pytest

from asmrisk.population.behavior import behavior_records
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.participation_costs import cost_participation
from asmrisk.simulation.state import make_observations

#: Practice size, episodes, activities attested, in an accountable care organization.
CLINICIANS = ((1, 20, 2, 0), (2, 60, 1, 0), (15, 0, 2, 1), (16, 120, 0, 0), (300, 60, 2, 1))
COSTS = {"participation_cost": {"solo": 1000.0, "small": 800.0, "large": -100.0}}
EACH = {"telehealth_cost": -2.0, "collaborative_care_cost": 10.0}
GIVEN = {"engagement_share": 0.5, "engagement_incentive": 400.0}


def costs(behavior, year=0, **policy):
    """Cost of each clinician in a year: eleven beneficiaries in twelve episodes, prices up 10% a year."""
    population = {"deflator": 0.1, "beneficiaries_per_episode": 11 / 12}
    scenario = {"policy": policy, "behavior": behavior, "population": population}
    values = scenario_from_dict(scenario).values
    out = make_observations(len(CLINICIANS))
    columns = np.array(CLINICIANS).T
    out.practice_size[year], out.episodes[year] = columns[:2]
    out.improvement_activities[year], out.aco[year] = columns[2:]
    found = np.zeros(len(CLINICIANS))
    records = policy_records(values)[year], behavior_records(values)[year]
    # Python cannot call what is compiled for kernels alone.
    plain = getattr(cost_participation, "py_func", cost_participation)
    plain(*records, out, year, len(CLINICIANS), found)
    return found


def test_nothing_costs_anything_by_default():
    assert not costs({}).any()


def test_cost_by_size_is_in_prices_of_the_year():
    for year, level in ((0, 1.21), (4, 1.1**6)):
        wanted = np.array([1000.0, 800.0, 800.0, -100.0, -100.0]) * level
        np.testing.assert_allclose(costs(COSTS, year), wanted, rtol=1e-12)


def test_what_each_beneficiary_costs():
    """Telehealth saves $2 for each, collaborative care costs $10 where both activities are attested."""
    beneficiaries = np.array([20, 60, 0, 120, 60]) * 11 / 12
    wanted = beneficiaries * np.array([8.0, -2.0, 8.0, -2.0, 8.0]) * 1.21
    np.testing.assert_allclose(costs(EACH), wanted, rtol=1e-12)


def test_incentives_are_nominal():
    wanted = np.array([20, 60, 0, 120, 60]) * 11 / 12 * 0.5 * 400.0
    for year in range(5):
        np.testing.assert_allclose(costs(GIVEN, year), wanted, rtol=1e-12)


def test_all_together():
    wanted = [
        1210.0 + 55 / 3 * (200.0 + 8.0 * 1.21),
        968.0 + 55.0 * (200.0 - 2.0 * 1.21),
        968.0,
        -121.0 + 110.0 * (200.0 - 2.0 * 1.21),
        -121.0 + 55.0 * (200.0 + 8.0 * 1.21),
    ]
    np.testing.assert_allclose(costs(COSTS | EACH | GIVEN), wanted, rtol=1e-12)


def test_who_is_exempt_has_no_cost():
    everybody, some = (costs(COSTS | EACH | GIVEN, aco_participants=each) for each in ("included", "exempt"))
    outside = np.array([each[3] == 0 for each in CLINICIANS])
    np.testing.assert_array_equal(some, everybody * outside)


def test_beneficiaries_and_cost_of_a_draw():
    """Of all episodes, so that a cost for each beneficiary is a cost of so many."""
    scenario = {"population": {"clinicians": 200}, "behavior": {"telehealth_cost": 3.0}}
    values = simulate_block(Model(scenario_from_dict(scenario)), 0, 2)
    assert values["beneficiaries"] == pytest.approx(0.9167 * values["episodes"])
    level = 1.02 ** np.arange(2, 7)[:, None]
    wanted = 3.0 * level * values["beneficiaries"]
    np.testing.assert_allclose(values["cost_of_participation"], wanted, rtol=1e-9)
