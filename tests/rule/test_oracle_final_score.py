"""The oracle of cost, bonuses, deductions and final score, worked by hand."""

import math

import pytest

from tests.oracle import rule
from tests.oracle.by_hand import cell, clinician, fixed_rule, with_rates
from tests.oracle.rule import NAN, final_rule, score_cohort

EPSILON = 2.0**-52


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        *[(-9, 10), (-1.5, 10), (-1.25, 9.5), (-1, 9), (-0.5, 8), (0, 7.5), (0.5, 7), (0.75, 6.5), (1, 6)],
        *[(1.5, 5), (2, 4), (2.125, 3.5), (2.25, 3), (2.5, 2), (2.625, 1.5), (2.75, 1), (99, 1)],
    ],
)
def test_cost_points_by_z(z, expected):
    assert rule.points_at(z, final_rule()) == expected


def test_cost_points_of_two():
    # 1000 and 1200: median 1100, SD 100 sqrt 2, z = -+ 1 / sqrt 2: 8 + (0.7071 - 0.5) / 0.5 and 7 - the same.
    rows = [
        clinician(0),
        clinician(1, cost_per_episode=1200.0),
        clinician(2, episodes=19, cost_per_episode=9.0),
    ]
    scored, environment = score_cohort(rows, final_rule())
    part = (math.sqrt(0.5) - 0.5) / 0.5
    assert scored[0]["cost_points"] == pytest.approx(8 + part, rel=1e-14)
    assert scored[1]["cost_points"] == pytest.approx(7 - part, rel=1e-14)
    assert scored[1]["cost_score"] == scored[1]["cost_points"] / 10
    assert math.isnan(scored[2]["cost_points"])
    assert environment["cost"]["cohort"] == {"count": 2, "median": 1100.0, "sd": math.sqrt(20000)}
    # With the third a peer, 9, 1000, 1200: median 1000.
    _, environment = score_cohort(rows, final_rule(minimum_episodes=19))
    assert environment["cost"]["cohort"]["median"] == 1000.0


def test_cost_without_spread_and_by_specialty():
    rows = [clinician(0), clinician(1, specialty="anesthesiology", cost_per_episode=1200.0)]
    assert [r["cost_points"] for r in score_cohort(rows[:1], final_rule())[0]] == [7.5]
    assert [r["cost_points"] for r in score_cohort([rows[0]] * 3, final_rule())[0]] == [7.5] * 3
    scored, environment = score_cohort(rows, final_rule(cost_peer_group="specialty"))
    assert [r["cost_points"] for r in scored] == [7.5, 7.5]
    assert environment["cost"]["anesthesiology"]["median"] == 1200.0


def test_zero_scorers_are_cost_peers():
    rows = [clinician(0), clinician(1, cost_per_episode=1200.0, measures={})]
    scored, environment = score_cohort(rows, final_rule())
    assert scored[1]["final_score"] == 0.0
    assert environment["cost"]["cohort"]["median"] == 1100.0


def bonus(hcc, dual, policy=None):
    rows = [
        clinician(i, hcc_risk_score=h, dual_share=d) for i, (h, d) in enumerate(zip(hcc, dual, strict=True))
    ]
    scored, _ = score_cohort(rows, policy or final_rule())
    return [row["complex_patient_adjustment"] for row in scored]


def test_complex_patient_bonus():
    # 1, 2, 3: median and mean 2, SD 1: below the median 0; 1.5; 1.5 + 4.
    assert bonus([1.0, 2.0, 3.0], [NAN] * 3) == [0.0, 1.5, 5.5]
    assert bonus([NAN] * 3, [1.0, 2.0, 3.0]) == [0.0, 1.5, 5.5]
    # Both: 3, and 11 capped at 10.
    assert bonus([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == [0.0, 3.0, 10.0]
    # 1, 1, 1, 5: median 1, mean 2, SD 2: at the median 1.5 - 2 < 0, no deduction; 1.5 + 6.
    assert bonus([1.0, 1.0, 1.0, 5.0], [NAN] * 4) == [0.0, 0.0, 0.0, 7.5]
    # A missing value earns 0 and leaves the reference: 1, 2, 3 as before.
    assert bonus([1.0, 2.0, NAN, 3.0], [NAN, NAN, 0.5, NAN]) == [0.0, 1.5, 0.0, 5.5]
    # No spread, or one value.
    assert bonus([0.1] * 3, [NAN, 0.2, NAN]) == [0.0, 0.0, 0.0]
    changed = final_rule(complex_patient_intercept=1.0, complex_patient_slope=2.0, complex_patient_cap=2.5)
    assert bonus([1.0, 2.0, 3.0], [NAN] * 3, changed) == [0.0, 1.0, 2.5]


@pytest.mark.parametrize(("size", "expected"), [(1, 15), (2, 10), (15, 10), (16, 0), (400, 0)])
def test_small_practice_bonus(size, expected):
    scored, _ = score_cohort([clinician(practice_size=size)], final_rule())
    assert scored[0]["small_practice_adjustment"] == expected


def test_conduct_only_deducts():
    for attested, pi, expected in [(2, 100.0, (0, 0)), (1, 75.0, (-10, -2.5)), (0, 0.0, (-20, -10))]:
        row = clinician(improvement_activities=attested, promoting_interoperability=pi)
        scored, _ = score_cohort([row], final_rule())
        found = (
            scored[0]["improvement_activities_adjustment"],
            scored[0]["promoting_interoperability_adjustment"],
        )
        assert found == expected


def test_final_score_is_the_sum_of_its_parts():
    # Quality 5.5 / 10, cost 7.5 / 10: 27.5 + 37.5 = 65; one activity -10, PI 75 -2.5, solo +15: 67.5.
    row = clinician(
        measures=clinician()["measures"] | {"q134": cell(rate=4.5)},
        improvement_activities=1,
        promoting_interoperability=75.0,
        practice_size=1,
    )
    scored, _ = score_cohort([row], fixed_rule())
    assert scored[0]["final_score"] == pytest.approx(67.5, rel=4 * EPSILON)
    # 30% and 70%: 16.5 + 52.5 + 2.5.
    scored, _ = score_cohort([row], fixed_rule(quality_weight=0.3, cost_weight=0.7))
    assert scored[0]["final_score"] == pytest.approx(71.5, rel=4 * EPSILON)


def test_final_score_is_clipped():
    # Quality 1, cost 0.75: 87.5 + 15 > 100. Quality 0 (incomplete; q128 is not), cost 0.75: 37.5 - 90 < 0.
    best = clinician(measures=clinician()["measures"] | {"q134": cell(rate=9.5)}, practice_size=1)
    worst = clinician(
        measures=clinician()["measures"] | {"q134": cell(completeness=0.5)}, improvement_activities=0
    )
    policy = fixed_rule(improvement_activities_points=[-90.0, -10.0, 0.0])
    scored, _ = score_cohort([best, worst], policy)
    assert [row["final_score"] for row in scored] == [100.0, 0.0]
    assert scored[0]["unclipped_score"] == 102.5
    assert scored[1]["unclipped_score"] == -52.5
    # Clipped to zero is treated as zero.
    assert scored[1]["transformed_score"] == 0.0
    assert scored[1]["adjustment_factor"] == -0.09


def test_scores_that_are_zero_but_for_rounding_are_told():
    # 37.5 + 27.5 - 65 = 0, and - 64.
    row = clinician(measures=clinician()["measures"] | {"q134": cell(rate=4.5)}, improvement_activities=0)
    for deduction, hinges in [(-65.0, True), (-64.0, False)]:
        scored, _ = score_cohort([row], fixed_rule(improvement_activities_points=[deduction, 0.0, 0.0]))
        assert rule.hinges_on_rounding(scored) is hinges


def categories(policy):
    """Final scores: both categories, cost only, quality only, neither."""
    full = clinician()["measures"] | {"q134": cell(rate=7.5)}  # 8.5 points
    none = clinician()["measures"] | {"q134": cell(rate=NAN, cases=0)}
    rows = [
        clinician(0, measures=full),
        clinician(1, measures=none),
        clinician(2, measures=full | {"q134": cell(rate=2.5)}, episodes=19),  # 3.5 points
        clinician(3, measures=none, episodes=0, cost_per_episode=NAN),
    ]
    scored, _ = score_cohort(rows, policy)
    assert scored[3]["adjustment_factor"] == 0.0
    assert scored[3]["payment_multiplier"] == 1.0
    assert math.isnan(scored[3]["transformed_score"])
    return [row["final_score"] for row in scored]


def test_missing_category():
    # Costs are equal: 75 points of 100.
    near = {"nan_ok": True, "rel": 4 * EPSILON}
    assert categories(fixed_rule()) == pytest.approx([80, 75, 35, NAN], **near)
    assert categories(fixed_rule(missing_category="neutral")) == pytest.approx([80, NAN, NAN, NAN], **near)
    # Median quality (85 + 35) / 2 = 60: (60 + 75) / 2 = 67.5; and (35 + 75) / 2 = 55.
    found = categories(fixed_rule(missing_category="median_points"))
    assert found == pytest.approx([80, 67.5, 55, NAN], **near)


def test_median_points_without_any_quality_score():
    rows = with_rates([0.5] * 3)  # no benchmark of three
    scored, _ = score_cohort(rows, final_rule(missing_category="median_points"))
    assert [row["final_score"] for row in scored] == [75.0] * 3


def test_zero_precedes_everything_but_exemption():
    unreported = {"q134": cell(collection_type=None), "q128": cell(cases=3, completeness=0.7)}
    bare = {"measures": unreported, "practice_size": 1, "episodes": 0, "cost_per_episode": NAN}
    for policy in (final_rule(), final_rule(missing_category="neutral", missing_measure="excluded")):
        scored, _ = score_cohort([clinician(**bare)], policy)
        assert scored[0]["final_score"] == 0.0
        assert scored[0]["adjustment_factor"] == -0.09
    # Met on a measure with three cases, or none: not zero by rule, but 0 of 10 points, and the bonus of 15.
    bare["measures"] = unreported | {"q128": cell(rate=NAN, cases=0, completeness=0.75)}
    scored, _ = score_cohort([clinician(**bare)], final_rule())
    assert scored[0]["final_score"] == 15.0
    # Completeness of a measure not reported is not met.
    bare["measures"] = {"q134": cell(completeness=1.0, collection_type=None)}
    assert score_cohort([clinician(**bare)], final_rule())[0][0]["final_score"] == 0.0
    scored, _ = score_cohort([clinician(exempt=True, **bare)], final_rule())
    assert math.isnan(scored[0]["final_score"])
    assert scored[0]["adjustment_factor"] == 0.0


def test_zero_needs_a_measure_that_is_not_claims():
    claims = {"heart_failure": {"q492": final_rule()["measures"]["heart_failure"]["q492"]}}
    row = clinician(cohort="heart_failure", measures={})
    assert score_cohort([row], final_rule(measures=claims))[0][0]["final_score"] == 75.0
    # Complete claims do not help against it.
    row["measures"] = {"q492": cell(rate=3.0, completeness=1.0, collection_type="claims")}
    assert score_cohort([row], final_rule())[0][0]["final_score"] == 0.0


def test_exempt_are_outside_every_sum_benchmark_and_reference():
    rows = with_rates([0.25 + k / 64 for k in range(20)])
    for k, row in enumerate(rows):
        row |= {"hcc_risk_score": 1.0 + k, "dual_share": k / 32, "cost_per_episode": 1000.0 + k}
    odd = clinician(
        99,
        exempt=True,
        measures=clinician()["measures"] | {"q134": cell(rate=1.0)},
        hcc_risk_score=99.0,
        dual_share=1.0,
        cost_per_episode=1e6,
        part_b_payments=1e9,
    )
    without, _ = score_cohort(rows, final_rule())
    scored, environment = score_cohort([*rows, odd], final_rule())
    assert scored[:-1] == without
    assert environment["benchmarks"]["q134", "cohort", "mips_cqm"]["count"] == 20
    assert scored[-1]["adjustment_usd"] == 0.0
    assert math.isnan(scored[-1]["final_score"])
