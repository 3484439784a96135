"""The oracle of contested readings, worked by hand: who is compared with whom, and who takes part."""

import math

import pytest

from tests.oracle.by_hand import cell, clinician, fixed_rule, points, with_rates
from tests.oracle.rule import NAN, final_rule, score_cohort

ATTRIBUTES = {
    "specialty": {"specialty": "anesthesiology"},
    "region": {"region": "region-7"},
    "practice_size": {"practice_size": 15},
    "aco": {"aco": True},
}
OF = {"quality": "quality_peer_group", "cost": "cost_peer_group", "payment": "payment_peer_group"}


def parted(rows, attribute, several):
    """The clinicians, all but the first `several` of them in another group."""
    return [row | (ATTRIBUTES[attribute] if i >= several else {}) for i, row in enumerate(rows)]


@pytest.mark.parametrize("attribute", sorted(ATTRIBUTES))
def test_quality_is_compared_within_the_group(attribute):
    rows = parted(with_rates([0.25] * 20 + [0.75] * 19), attribute, 20)
    # 39 values, positions 3.8 q: e1 .. e5 = 0.25 (19), e6 (22.8) .. e9 = 0.75.
    assert points(rows) == [6.0] * 20 + [10.0] * 19
    # Twenty alike are topped out; nineteen form no benchmark, and nobody is penalized for it.
    found = points(rows, final_rule(quality_peer_group=attribute))
    assert found[:20] == [10.0] * 20
    assert all(math.isnan(p) for p in found[20:])
    scored, _ = score_cohort(rows, final_rule(quality_peer_group=attribute, small_practice_points=0.0))
    assert scored[20]["final_score"] == pytest.approx(75.0)


@pytest.mark.parametrize("attribute", sorted(ATTRIBUTES))
def test_cost_is_compared_within_the_group(attribute):
    costs = [1000.0, 1100.0, 1200.0, 5000.0]
    rows = parted([clinician(i, cost_per_episode=c) for i, c in enumerate(costs)], attribute, 3)
    scored, environment = score_cohort(rows, final_rule(cost_peer_group=attribute))
    # Median 1100 and SD 100; the fourth is alone, and so its own median.
    assert [row["cost_points"] for row in scored] == [9.0, 7.5, 6.0, 7.5]
    assert sorted(cost["count"] for cost in environment["cost"].values()) == [1, 3]


@pytest.mark.parametrize("attribute", sorted(ATTRIBUTES))
def test_each_group_has_its_own_pool(attribute):
    rates = [2.5, 7.5, 7.5]
    rows = [
        clinician(i, measures=clinician()["measures"] | {"q134": cell(rate=r)}) for i, r in enumerate(rates)
    ]
    rows = parted(rows, attribute, 2)
    # Practices of 15 would earn points of their own.
    policy = fixed_rule(payment_peer_group=attribute, small_practice_points=0.0)
    scored, environment = score_cohort(rows, policy)
    # 3.5 and 8.5 points: 17.5 + 37.5 and 42.5 + 37.5.
    assert sorted(pool["midpoint"] for pool in environment["payment"].values()) == pytest.approx([67.5, 80.0])
    # S T = 0.85 for who is alone in a pool.
    assert scored[2]["adjustment_factor"] == pytest.approx(-0.0135, rel=1e-14)
    assert scored[0]["adjustment_factor"] < -0.0135 < scored[1]["adjustment_factor"]


@pytest.mark.parametrize(
    ("size", "group"), [(1, "solo"), (2, "small"), (15, "small"), (16, "large"), (400, "large")]
)
def test_groups_of_practice_size(size, group):
    # Whatever the policy calls a small practice.
    rows = [clinician(practice_size=size)]
    _, environment = score_cohort(rows, final_rule(cost_peer_group="practice_size", small_practice_maximum=2))
    assert set(environment["cost"]) == {group}


def test_collection_types_together_within_a_group():
    rows = with_rates([0.25] * 20 + [0.75] * 20)
    for i, row in enumerate(rows):
        row["measures"]["q134"]["collection_type"] = ("ecqm", "mips_cqm")[i % 2]
        row["region"] = f"region-{i // 20}"
    apart, together = (
        final_rule(quality_peer_group="region"),
        final_rule(quality_peer_group="region", quality_collection_types="together"),
    )
    # Ten of each type in each region are too few.
    assert all(math.isnan(p) for p in points(rows, apart))
    assert points(rows, together) == [10.0] * 40


def test_fixed_benchmarks_are_national_and_by_collection_type():
    rows = with_rates([4.5, 4.5])
    rows[1] |= {"region": "region-3"}
    rows[1]["measures"]["q134"]["collection_type"] = "ecqm"
    policy = fixed_rule(quality_peer_group="region", quality_collection_types="together")
    found = points(rows, policy)
    assert found[0] == 5.5
    assert math.isnan(found[1])


def test_an_aco_exempts_from_everything_like_circumstances():
    rows = [clinician(i, cost_per_episode=1000.0 + 50 * i, aco=i % 2 == 1) for i in range(6)]
    exempted = [row | {"aco": False, "exempt": row["aco"]} for row in rows]
    found = score_cohort(rows, final_rule(aco_participants="exempt"))
    assert repr(found) == repr(score_cohort(exempted, final_rule()))
    scored, environment = found
    assert environment["cost"]["cohort"]["count"] == 3
    assert math.isnan(scored[1]["final_score"])
    assert scored[1]["adjustment_factor"] == 0.0
    for policy in (final_rule(), final_rule(aco_participants="attesting")):
        assert score_cohort(rows, policy)[1]["cost"]["cohort"]["count"] == 6


def test_everybody_exempt_leaves_nothing():
    rows = [clinician(i, aco=True) for i in range(30)]
    scored, environment = score_cohort(rows, final_rule(aco_participants="exempt", payment_peer_group="aco"))
    assert environment["benchmarks"] == {}
    assert environment["cost"] == {}
    assert all(math.isnan(row["final_score"]) and row["adjustment_usd"] == 0.0 for row in scored)
    assert math.isnan(environment["payment"]["aco"]["scaling_factor"])


@pytest.mark.parametrize(
    ("connection", "elements", "attested", "aco", "included", "attesting"),
    [
        # Counted from the parts, whatever is attested.
        (True, 3, 0, False, 0.0, 0.0),
        (True, 2, 2, False, -10.0, -10.0),
        (False, 5, 2, False, -10.0, -10.0),
        (False, 0, 2, False, -20.0, -20.0),
        # An organization stands for the arrangement, and for no connection.
        (True, 0, 0, True, -10.0, 0.0),
        (False, 0, 0, True, -20.0, -10.0),
        (False, 4, 0, True, -10.0, -10.0),
        # Where a part is unknown the number counts.
        (None, 5, 1, False, -10.0, -10.0),
        (True, None, 0, False, -20.0, -20.0),
        (None, None, 0, True, -20.0, -10.0),
        (None, None, 1, True, -10.0, 0.0),
        (None, None, 2, True, 0.0, 0.0),
    ],
)
def test_improvement_activities_by_their_parts(connection, elements, attested, aco, included, attesting):
    row = clinician(
        aco=aco,
        primary_care_connection=connection,
        collaborative_care_elements=elements,
        improvement_activities=attested,
    )
    for reading, deducted in (("included", included), ("attesting", attesting)):
        scored, _ = score_cohort([row], final_rule(aco_participants=reading))
        assert scored[0]["improvement_activities_adjustment"] == deducted


def test_elements_that_are_needed():
    row = clinician(primary_care_connection=True, collaborative_care_elements=2)
    for needed, deducted in ((0, 0.0), (2, 0.0), (3, -10.0), (5, -10.0)):
        scored, _ = score_cohort([row], final_rule(collaborative_care_elements=needed))
        assert scored[0]["improvement_activities_adjustment"] == deducted


def test_a_failed_submission_that_is_not_adjusted_is_outside_the_sums():
    rows = with_rates([0.5] * 21)
    rows[0]["measures"] = dict.fromkeys(rows[0]["measures"], cell(completeness=0.5))
    rows[0]["part_b_payments"] = 1e6
    zero, _ = score_cohort(rows, final_rule())
    assert (zero[0]["final_score"], zero[0]["adjustment_factor"]) == (0.0, -0.09)
    scored, environment = score_cohort(rows, final_rule(failed_submission="no_adjustment"))
    assert math.isnan(scored[0]["final_score"])
    assert scored[0]["adjustment_factor"] == 0.0
    assert environment["payment"]["cohort"]["payments"] == 2000.0
    # Who scores no more than zero for other reasons still loses it all.
    poor = final_rule(failed_submission="no_adjustment", improvement_activities_points=[-100.0] * 3)
    assert {row["adjustment_factor"] for row in score_cohort(rows, poor)[0][1:]} == {-0.09}


@pytest.mark.parametrize("excess", ["retained", "redistributed"])
@pytest.mark.parametrize("year", [2027, 2031])
def test_a_cap_at_the_risk_level(excess, year):
    measures = [clinician()["measures"] | {"q134": cell(rate=r)} for r in (2.5, 2.5, 9.5)]
    rows = [clinician(i, measures=m) for i, m in enumerate(measures)]
    # Almost all T is the third's: A = 0.85 * 3 r - r = 1.55 r.
    rule = {"exchange_steepness": 1.0, "exchange_midpoint": 80.0, "cap_excess": excess}
    risk = {2027: 0.09, 2031: 0.12}[year]
    policy = final_rule(year) | fixed_rule(**rule) | {"risk_level": risk}
    free = score_cohort(rows, policy)[0]
    assert free[2]["adjustment_factor"] == pytest.approx(1.55 * risk, rel=1e-6)
    scored = score_cohort(rows, policy | {"adjustment_cap": "risk_level"})[0]
    assert scored == score_cohort(rows, policy | {"adjustment_cap": risk})[0]
    assert scored[2]["adjustment_factor"] == pytest.approx(risk, rel=1e-15)
    mean = sum(row["adjustment_factor"] for row in scored) / 3
    # 0.55 r of three are retained, or the others' losses fall by them.
    expected = -0.15 * risk if excess == "redistributed" else -0.15 * risk - 0.55 * risk / 3
    assert mean == pytest.approx(expected, rel=1e-6)


def test_missing_numbers_of_who_is_alone():
    row = clinician(episodes=0, cost_per_episode=NAN, region="region-9")
    by_region = dict.fromkeys(OF.values(), "region")
    scored, environment = score_cohort([row], final_rule(**by_region))
    # Neither quality nor cost: no final score, and a pool of nobody.
    assert math.isnan(scored[0]["final_score"])
    assert environment["payment"]["region-9"]["payments"] == 0.0
