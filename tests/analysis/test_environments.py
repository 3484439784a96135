"""What a store holds of environments, read back: the numbers that the rule ranked clinicians by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import asmrisk
from asmrisk.analysis.rerun import stored_environments, stored_scenario
from asmrisk.rule.arrays import Environment
from asmrisk.rule.definitions import COHORTS
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.simulation.environments import environment_of, environment_variables
from asmrisk.simulation.model import Model
from asmrisk.simulation.parameter_draws import drawn_policies
from asmrisk.simulation.replay import replayed_years

SMALL = {"population": {"clinicians": 700, "regions": 4}}
POLICIES = [
    {},
    {"quality_peer_group": "region", "cost_peer_group": "specialty", "payment_peer_group": "region"},
    {
        "quality_peer_group": "specialty",
        "quality_collection_types": "together",
        "cost_peer_group": "practice_size",
        "payment_peer_group": "aco",
        "missing_category": "median_points",
    },
]


def scenario_with(policy: dict[str, str]) -> Scenario:
    return scenario_from_dict(SMALL | {"policy": policy | {"minimum_reporters": 5}})


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_environments_of_a_run_come_back_from_its_store(policy: dict[str, str], tmp_path: Path) -> None:
    scenario = scenario_with(policy)
    asmrisk.run(scenario, draws=2, out=tmp_path / "run.zarr", quiet=True)
    stored = stored_scenario(tmp_path / "run.zarr").scenario
    read = stored_environments(tmp_path / "run.zarr", stored, range(1, 2))
    compared = 0
    for each in replayed_years(Model(stored), 1):
        for name, array in each.cohort.environment._asdict().items():
            if name == "cost_peers":
                continue  # A count that a store does not hold.
            mine = getattr(read, name)[0, each.year, each.cohort.cohort]
            known = array[:, : mine.shape[1]] if name in ("edges", "benchmark_size") else array
            np.testing.assert_array_equal(mine, known, err_msg=name)
            compared += int(np.isfinite(known).sum())
    assert compared > 5 * len(COHORTS) * 50


def test_what_the_variables_hold_is_the_same_after_a_round_trip() -> None:
    scenario = scenario_with(POLICIES[1])
    regions, rng = 4, np.random.default_rng(0)
    lead = (3, 5, 2)
    kept = Environment(
        edges=rng.random((*lead, 5, 3 * regions, 10)),
        benchmark_size=rng.integers(0, 99, (*lead, 5, 3 * regions)),
        cost_median=rng.random((*lead, 7)),
        cost_sd=rng.random((*lead, 7)),
        cost_peers=np.zeros((*lead, 7), np.int64),
        hcc=rng.random((*lead, 3)),
        dual=rng.random((*lead, 3)),
        median_quality_score=rng.random((*lead, 1)),
        exchange_midpoint=rng.random((*lead, regions)),
        scaling_factor=rng.random((*lead, regions)),
    )
    held = environment_variables(kept, scenario)
    back = environment_of({path.split("/")[1]: array for path, array in held.items()}, scenario)
    regional = {name: getattr(back, name)[..., :regions] for name in ("exchange_midpoint", "scaling_factor")}
    own = back._replace(
        edges=back.edges[..., : 3 * regions, :], benchmark_size=back.benchmark_size[..., : 3 * regions]
    )
    again = environment_variables(own._replace(**regional), scenario)
    assert held.keys() == again.keys()
    for path, array in held.items():
        np.testing.assert_array_equal(array, again[path], err_msg=path)


def test_draws_have_the_policy_of_their_parameter_set() -> None:
    unknown = {"distribution": "uniform", "low": 0.0, "high": 0.1}
    other = {"distribution": "uniform", "low": 0.3, "high": 0.7}
    uncertainty = {"policy.exchange_steepness": unknown, "behavior.medicare_share": other}
    document = SMALL | {"run": {"draws_per_parameter_set": 2}, "uncertainty": uncertainty}
    model = Model(scenario_from_dict(document))
    policies, which = drawn_policies(model.scenario, np.arange(5))
    assert which.tolist() == [0, 0, 1, 1, 2]
    for draw in range(5):
        assert (
            policies[which[draw]].exchange_steepness == model.inputs_of(draw).policy[0].exchange_steepness
        ).all()
    fixed = scenario_from_dict(SMALL | {"uncertainty": {"behavior.medicare_share": other}})
    policies, which = drawn_policies(fixed, np.arange(5))
    assert len(policies) == 1
    assert not which.any()
