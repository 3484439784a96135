"""The oracle itself, against vectors and examples worked by hand from the rule, and the rule's invariants."""

import math

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from tests.oracle import rule
from tests.oracle.cohorts import clinicians, policies
from tests.oracle.rule import NAN, final_rule, payment, score_cohort

EPSILON = 2.0**-52
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def cell(rate=0.5, cases=40, completeness=1.0, collection_type="mips_cqm"):
    return {"rate": rate, "cases": cases, "completeness": completeness, "collection_type": collection_type}


def clinician(index=0, cohort="low_back_pain", **changes):
    """Nothing missing, deducted or added; one measure, q134: the others are reported with too few cases."""
    few = cell(rate=NAN, cases=0)
    row = {
        "clinician_id": f"c{index}",
        "cohort": cohort,
        "specialty": "neurosurgery",
        "practice_size": 100,
        "part_b_payments": 100.0,
        "payment_year_part_b": 200.0,
        "episodes": 30,
        "cost_per_episode": 1000.0,
        "hcc_risk_score": NAN,
        "dual_share": NAN,
        "improvement_activities": 2,
        "promoting_interoperability": 100.0,
        "exempt": False,
        "measures": {"q238": few, "q134": cell(), "q128": few, "q220": few},
    }
    assert set(changes) <= set(row)
    return row | changes


def with_rates(rates, name="q134", **changes):
    """Clinicians whose only scorable measure is `name`, at the given rates."""
    rows = [clinician(i, **changes) for i in range(len(rates))]
    for row, rate in zip(rows, rates, strict=True):
        row["measures"] = row["measures"] | {"q134": cell(rate=NAN, cases=0)} | {name: cell(rate=rate)}
    return rows


def points(rows, policy=None, name="q134"):
    scored, _ = score_cohort(rows, policy or final_rule())
    return [row["points"][name] for row in scored]


# Ten equal deciles of 0..1, in eighths and the like no rounding: the edges are whole numbers.
TEN = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]


def fixed_rule(**changes):
    """Benchmarks 0, 1, ..., 9 for q134 only, so that a rate of 4.5 earns 5.5 points whoever else there is."""
    return final_rule(quality_benchmarks="fixed", fixed_edges={"q134": {"mips_cqm": TEN}}, **changes)


# --- calendar and statistics --------------------------------------------------------------------------------


def test_risk_levels_by_performance_year():
    assert [final_rule(y)["risk_level"] for y in range(2027, 2032)] == [0.09, 0.09, 0.10, 0.11, 0.12]


def test_final_rule_refuses_what_is_no_key_and_gives_a_copy():
    with pytest.raises(KeyError, match="tie_rul"):
        final_rule(tie_rul="upper")
    final_rule()["measures"]["heart_failure"].clear()
    assert list(final_rule()["measures"]["heart_failure"]) == ["q492", "q008", "q005", "q236", "q377"]


def test_median_mean_and_sample_sd():
    assert rule.median([3.0, 1.0, 2.0]) == 2.0
    assert rule.median([4.0, 1.0, 2.0, 3.0]) == 2.5
    assert math.isnan(rule.median([]))
    # 1, 1, 1, 5: mean 2, squared deviations 1 + 1 + 1 + 9 = 12, over 3 = 4.
    assert rule.mean([1.0, 1.0, 1.0, 5.0]) == 2.0
    assert rule.sample_sd([1.0, 1.0, 1.0, 5.0]) == 2.0
    # A sum of three tenths, rounded as it goes, is not three times a tenth; the exact one has SD 0.
    assert rule.sample_sd([0.1, 0.1, 0.1]) == 0.0
    assert rule.mean([0.1, 0.1, 0.1]) == 0.1
    assert math.isnan(rule.sample_sd([1.0]))
    assert math.isnan(rule.mean([]))


def test_decile_edges():
    # 21 values: position 20 q / 10 = 2 q, a whole number.
    assert rule.decile_edges([float(v) for v in reversed(range(21))]) == [2, 4, 6, 8, 10, 12, 14, 16, 18]
    # 20 values: positions 1.9 q, and the value at a position is the position.
    assert rule.decile_edges([float(v) for v in range(20)]) == pytest.approx(
        [1.9, 3.8, 5.7, 7.6, 9.5, 11.4, 13.3, 15.2, 17.1], rel=4 * EPSILON
    )
    # 2 values, 0 and 8: position q / 10.
    assert rule.decile_edges([8.0, 0.0])[4] == 4.0
    assert rule.decile_edges([7.0]) == [7.0] * 9
    # 11 values: every edge is an order statistic itself, to the bit.
    values = [k / 10 for k in range(11)]
    assert rule.decile_edges(values) == values[1:10]


# --- quality ------------------------------------------------------------------------------------------------

# Minimum 1; a third of the benchmark at 1, the rest at 5.
TIED = [1.0, 1.0, 1.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("rate", "upper", "lower"),
    [
        (-0.5, 1.0, 1.0),  # below the minimum
        (0.0, 1.0, 1.0),  # at the minimum
        (0.5, 1.5, 1.5),
        (1.0, 2.0, 2.0),  # at e1: the start of decile 2, or the end of decile 1: 1 + (1 - 0) / (1 - 0)
        (7.75, 8.75, 8.75),
        (8.5, 9.5, 9.5),
        (9.0, 10.0, 10.0),  # at e9: decile 10, or the end of decile 9
        (9.5, 10.0, 10.0),
        (42.0, 10.0, 10.0),
    ],
)
def test_points_between_distinct_edges_do_not_depend_on_the_tie_rule(rate, upper, lower):
    assert rule.decile_points(rate, TEN[0], TEN[1:], "upper", True) == upper
    assert rule.decile_points(rate, TEN[0], TEN[1:], "lower", True) == lower
    assert rule.decile_points(rate, TEN[0], TEN[1:], "mid", True) == (upper + lower) / 2


@pytest.mark.parametrize(
    ("rate", "partial", "upper", "lower", "mid"),
    [
        # Three edges <= 1: decile 4, at its start. None below: decile 1, from 1 to 1, of no width.
        (1.0, True, 4.0, 1.0, 2.5),
        # Decile 4 reaches from 1 to 5: half way.
        (3.0, True, 4.5, 4.5, 4.5),
        # Nine edges <= 5: decile 10. Three below: decile 4, at its end.
        (5.0, True, 10.0, 5.0, 7.5),
        (1.0, False, 4.0, 1.0, 2.5),
        (3.0, False, 4.0, 4.0, 4.0),
        (5.0, False, 10.0, 4.0, 7.0),
        (6.0, False, 10.0, 10.0, 10.0),
        (0.0, False, 1.0, 1.0, 1.0),
    ],
)
def test_points_at_repeated_edges(rate, partial, upper, lower, mid):
    found = [rule.decile_points(rate, 1.0, TIED, tie, partial) for tie in ("upper", "lower", "mid")]
    assert found == [upper, lower, mid]


def test_zero_width_decile_adds_nothing():
    # Lower rule, rate 2 at e2 = e3 = 2 and e1 = 2 > minimum 0: decile 1, from 0 to 2, at its end.
    assert rule.decile_points(2.0, 0.0, [2.0, 2.0, 2.0, 3, 4, 5, 6, 7, 8], "lower", True) == 2.0
    # Everyone equal: decile 10 under upper, decile 1 of no width under lower.
    assert rule.decile_points(2.0, 2.0, [2.0] * 9, "upper", True) == 10.0
    assert rule.decile_points(2.0, 2.0, [2.0] * 9, "lower", True) == 1.0


def test_peer_benchmark_of_twenty_one():
    # Rates 1/32 .. 21/32: edges 3/32, 5/32, ..., 19/32. Points: at 1/32 1, at 2/32 1.5, ..., at 19/32 10.
    rates = [k / 32 for k in range(1, 22)]
    expected = [min(10.0, 1 + (k - 1) / 2) for k in range(1, 22)]
    assert points(with_rates(rates)) == expected
    # Inverse: 1/32 is the best.
    assert points(with_rates(rates, name="q238"), name="q238") == expected[::-1]


def test_topped_out_measure_gives_everybody_at_the_best_value_ten():
    rates = [1.0] * 16 + [0.5] * 4
    # Sorted, positions 1.9 and 3.8: e1 = 0.5 and e2 = 0.5 + 0.8 * 0.5 = 0.9, e3 .. e9 = 1.
    assert points(with_rates(rates)) == [10.0] * 16 + [2.0] * 4
    # Under lower, 1 has two edges below it: the end of decile 3 from 0.9 to 1. And 0.5 is decile 1, no width.
    assert points(with_rates(rates), final_rule(tie_rule="lower")) == pytest.approx([4.0] * 16 + [1.0] * 4)


def test_nineteen_form_no_benchmark_and_twenty_do():
    assert all(math.isnan(p) for p in points(with_rates([0.5] * 19)))
    assert points(with_rates([0.5] * 20)) == [10.0] * 20
    assert points(with_rates([0.5] * 19), final_rule(minimum_reporters=19)) == [10.0] * 19


def test_missing_rate_beside_enough_cases_is_excluded_and_no_peer():
    assert points(with_rates([0.5] * 20 + [NAN])) == pytest.approx([10.0] * 20 + [NAN], nan_ok=True)
    assert math.isnan(points(with_rates([0.5] * 19 + [NAN]))[0])


def test_nobody_in_the_benchmark_is_no_benchmark():
    assert math.isnan(points(with_rates([0.0]), final_rule(minimum_reporters=0))[0])


def test_each_collection_type_has_its_own_benchmark():
    rows = with_rates([0.25] * 20 + [0.75] * 19)
    for row in rows[:20]:
        row["measures"]["q134"]["collection_type"] = "ecqm"
    found = points(rows)
    assert found[:20] == [10.0] * 20
    assert all(math.isnan(p) for p in found[20:])
    # Together: 39 values, positions 3.8 q: e1 .. e5 = 0.25 (19), e6 (22.8) .. e9 = 0.75.
    assert points(rows, final_rule(quality_peer_group="cohort")) == [6.0] * 20 + [10.0] * 19
    _, environment = score_cohort(rows, final_rule())
    assert environment["benchmarks"]["q134", "ecqm"]["count"] == 20
    assert environment["benchmarks"]["q134", "mips_cqm"] == {"count": 19, "minimum": None, "edges": None}


def test_quality_peers_by_specialty():
    rows = with_rates([0.25] * 20 + [0.75] * 20)
    for row in rows[20:]:
        row["specialty"] = "anesthesiology"
    assert points(rows, final_rule(quality_peer_group="specialty")) == [10.0] * 40


def test_worst_rate_is_scored_but_neither_in_the_benchmark_nor_in_its_count():
    rows = with_rates([0.5] * 20 + [0.0] * 3)
    assert points(rows) == [10.0] * 20 + [1.0] * 3
    _, environment = score_cohort(rows, final_rule())
    assert environment["benchmarks"]["q134", "mips_cqm"] == {"count": 20, "minimum": 0.5, "edges": [0.5] * 9}
    assert all(math.isnan(p) for p in points(with_rates([0.5] * 19 + [0.0] * 3)))
    # In the benchmark they fill positions 0..2 of 0..22: e1 (2.2) = 0.1, e2 (4.4) = 0.5; 0 is the minimum.
    assert points(rows, final_rule(worst_rate_excluded=False)) == [10.0] * 20 + [1.0] * 3
    assert points(with_rates([0.5] * 19 + [0.0]), final_rule(worst_rate_excluded=False))[0] == 10.0
    # Inverse: the worst is 1, and 0 is the best.
    assert points(with_rates([0.0] * 20 + [1.0], name="q238"), name="q238") == [10.0] * 20 + [1.0]
    assert math.isnan(points(with_rates([0.0] * 19 + [1.0], name="q238"), name="q238")[0])


def test_claims_measure_has_no_worst_rate_and_asks_no_completeness():
    rows = [clinician(i, cohort="heart_failure", measures={}) for i in range(20)]
    for row in rows:
        row["measures"] = {"q492": cell(rate=0.0, completeness=NAN, collection_type="claims"), "q008": cell()}
    assert points(rows, name="q492") == [10.0] * 20
    # Its type is claims whatever the table says; 20 cases are enough, 19 are not.
    rows[0]["measures"]["q492"] |= {"cases": 20, "collection_type": None}
    assert points(rows, name="q492") == [10.0] * 20
    rows[0]["measures"]["q492"]["cases"] = 19
    assert all(math.isnan(p) for p in points(rows, name="q492"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (cell(rate=4.5), 5.5),
        (cell(rate=4.5, cases=20, completeness=0.75), 5.5),
        (cell(rate=4.5, cases=19), NAN),
        (cell(rate=NAN, cases=0), NAN),
        (cell(rate=4.5, cases=19, completeness=0.5), NAN),
        (cell(rate=4.5, cases=20, completeness=0.7499999), 0.0),
        (cell(rate=4.5, completeness=NAN), 0.0),
        (cell(rate=NAN, completeness=0.5), 0.0),
        (cell(rate=4.5, collection_type=None), 0.0),
        (cell(rate=NAN, cases=0, completeness=NAN, collection_type=None), 0.0),
        # No benchmark for eCQM: the scorable is excluded, the incomplete and the unreported are not.
        (cell(rate=4.5, collection_type="ecqm"), NAN),
        (cell(rate=4.5, completeness=0.5, collection_type="ecqm"), 0.0),
    ],
)
def test_scorable_excluded_zero_and_not_reported(data, expected):
    found = points([clinician(measures={"q134": data})], fixed_rule())
    assert found == pytest.approx([expected], nan_ok=True, abs=0)


def test_measure_absent_from_the_data_is_not_reported_and_excludable():
    # q134 earns 5.5; q238, q128 and q220 are not reported: 5.5 / 40, or 5.5 / 10 without them.
    row = clinician(measures={"q134": cell(rate=4.5)})
    assert score_cohort([row], fixed_rule())[0][0]["quality_score"] == 5.5 / 40
    assert score_cohort([row], fixed_rule(missing_measure="excluded"))[0][0]["quality_score"] == 5.5 / 10


@pytest.mark.parametrize(
    "data",
    [
        cell(rate=NAN, cases=0, completeness=NAN, collection_type=None),
        cell(rate=NAN, cases=40, completeness=NAN, collection_type="claims"),
        cell(rate=1.0, cases=19, completeness=NAN, collection_type=None),
    ],
)
def test_claims_measure_is_never_unreported(data):
    row = clinician(cohort="heart_failure", measures={"q492": data})
    scored, _ = score_cohort([row], final_rule())
    assert math.isnan(scored[0]["points"]["q492"])
    # The four others are unreported: zero of forty, and a final score of zero.
    assert scored[0]["quality_score"] == 0.0
    assert scored[0]["final_score"] == 0.0


def test_incomplete_reporters_stay_zero_without_a_benchmark_and_are_not_in_it():
    rows = with_rates([0.5] * 20)
    rows[0]["measures"]["q134"]["completeness"] = 0.5
    found = points(rows)
    assert found[0] == 0.0
    assert all(math.isnan(p) for p in found[1:])


def test_measure_outside_the_set_is_ignored():
    measures = {"low_back_pain": {"q134": final_rule()["measures"]["low_back_pain"]["q134"]}}
    row = clinician(measures={"q134": cell(rate=4.5, cases=19, completeness=0.5), "q128": cell()})
    scored, _ = score_cohort([row], fixed_rule(measures=measures))
    assert list(scored[0]["points"]) == ["q134"]
    # q128 met completeness but does not count, q134 did not meet it: zero.
    assert scored[0]["final_score"] == 0.0


# --- cost ---------------------------------------------------------------------------------------------------


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


# --- bonuses, deductions, final score -----------------------------------------------------------------------


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
    assert environment["benchmarks"]["q134", "mips_cqm"]["count"] == 20
    assert scored[-1]["adjustment_usd"] == 0.0
    assert math.isnan(scored[-1]["final_score"])


# --- payment ------------------------------------------------------------------------------------------------

WORKED_SCORES = [35.0, 55.0, 62.0, 70.0, 88.0]
WORKED_PAYMENTS = [100.0, 150.0, 200.0, 120.0, 80.0]


@pytest.mark.parametrize(
    ("steepness", "midpoint", "scaling", "percent"),
    [
        (0.1, 62.0, 1.763288, [-8.0006, -3.7343, -1.0652, 1.9496, 5.7724]),
        (0.1, "cohort_median", 1.763288, [-8.0006, -3.7343, -1.0652, 1.9496, 5.7724]),
        (0.1, 50.0, 1.229796, [-6.9809, -2.1105, -0.4938, 0.7488, 1.8260]),
        (0.05, 62.0, 1.741234, [-5.7738, -2.5218, -1.1644, 0.3821, 3.3149]),
    ],
)
def test_worked_vectors(steepness, midpoint, scaling, percent):
    policy = final_rule(exchange_steepness=steepness, exchange_midpoint=midpoint)
    result = payment(WORKED_SCORES, WORKED_PAYMENTS, policy)
    # Half a unit of the last digit printed.
    assert result["scaling_factor"] == pytest.approx(scaling, abs=5e-7)
    assert [100 * a for a in result["factors"]] == pytest.approx(percent, abs=5e-5)
    weighted = math.fsum(a * p for a, p in zip(result["factors"], WORKED_PAYMENTS, strict=True)) / 650
    assert weighted == pytest.approx(-0.0135, abs=8 * EPSILON)


# Linear: T = 1/4, 1/2, 1; risk 10%, 80% redistributed; pool 0.1 * 0.8 * 300 = 24; sum T P = 175.
def linear(**changes):
    return final_rule(exchange_function="linear", risk_level=0.1, redistribution_share=0.8, **changes)


def test_linear_exchange():
    result = payment([25.0, 50.0, 100.0], [100.0] * 3, linear())
    assert result["transformed"] == [0.25, 0.5, 1.0]
    assert result["pool"] == pytest.approx(24)
    assert result["scaling_factor"] == pytest.approx(240 / 175)
    assert result["factors"] == pytest.approx([0.1 * t * 240 / 175 - 0.1 for t in (0.25, 0.5, 1)])


def test_no_exchange():
    # T = 1 for all above zero: S = 0.85 * 400 / 300; A = 0.09 * 3.4 / 3 - 0.09 = 0.012, and -0.09.
    result = payment([1.0, 50.0, 100.0, 0.0], [100.0] * 4, final_rule(exchange_function="none"))
    assert result["factors"] == pytest.approx([0.012, 0.012, 0.012, -0.09], rel=1e-13)


def test_cap_retained():
    # Uncapped 0.0371, -0.0314, -0.0657: only the first is limited.
    result = payment([25.0, 50.0, 100.0], [100.0] * 3, linear(adjustment_cap=0.02))
    assert result["scaling_factor"] == pytest.approx(240 / 175)
    assert result["factors"] == pytest.approx([0.1 * 0.25 * 240 / 175 - 0.1, 0.05 * 240 / 175 - 0.1, 0.02])


def test_cap_redistributed():
    # Hold the first at 0.02: 12 of the pool of 24; the others S = 12 / (0.1 * 75) = 1.6: -0.06 and -0.02.
    policy = linear(adjustment_cap=0.02, cap_excess="redistributed")
    result = payment([25.0, 50.0, 100.0], [100.0] * 3, policy)
    assert result["scaling_factor"] == pytest.approx(1.6)
    assert result["factors"] == pytest.approx([-0.06, -0.02, 0.02])
    # A cap nobody reaches changes nothing.
    loose = linear(adjustment_cap=0.04, cap_excess="redistributed")
    result = payment([25.0, 50.0, 100.0], [100.0] * 3, loose)
    assert result["scaling_factor"] == pytest.approx(240 / 175)


def test_cap_redistributed_until_all_are_held():
    # One zero scorer more, all redistributed, cap 0: pool 40. Hold one: S = 30 / 7.5 = 4, the next 0.1; hold
    # two: S = 20 / 2.5 = 8, the last 0.1; all are held, from S = 0.1 / (0.1 * 0.25) = 4 on.
    policy = final_rule(
        exchange_function="linear",
        risk_level=0.1,
        redistribution_share=1.0,
        adjustment_cap=0.0,
        cap_excess="redistributed",
    )
    result = payment([25.0, 50.0, 100.0, 0.0], [100.0] * 4, policy)
    assert result["factors"] == pytest.approx([0.0, 0.0, 0.0, -0.1], abs=1e-15)
    assert result["scaling_factor"] == pytest.approx(4.0)
    # The last one with T > 0 has no payments: nothing less than the cap for all comes near the budget.
    result = payment([25.0, 100.0, 0.0], [0.0, 100.0, 100.0], policy)
    assert result["factors"] == pytest.approx([0.0, 0.0, -0.1], abs=1e-15)


def test_zero_scorers_in_and_outside_the_pool():
    scores, payments = [25.0, 50.0, 100.0, 0.0], [100.0] * 4
    inside = payment(scores, payments, linear())
    assert inside["scaling_factor"] == pytest.approx(320 / 175)
    outside = payment(scores, payments, linear(zero_scorers="outside_pool"))
    assert outside["scaling_factor"] == pytest.approx(240 / 175)
    assert outside["pool"] == pytest.approx(24)
    assert inside["factors"][3] == outside["factors"][3] == -0.1


def test_nothing_to_distribute():
    for scores, payments in [([0.0, 0.0], [1.0, 2.0]), ([50.0, 70.0], [0.0, 0.0]), ([0.0, 50.0], [1.0, 0.0])]:
        result = payment(scores, payments, final_rule())
        assert math.isnan(result["scaling_factor"])
        assert result["factors"] == [-0.09, -0.09]
    result = payment([], [], final_rule())
    assert math.isnan(result["midpoint"])
    assert result["factors"] == []


def test_midpoint_is_the_median_of_the_positive_scores():
    assert payment([0.0, 0.0, 40.0, 60.0], [0.0, 1.0, 2.0, 3.0], final_rule())["midpoint"] == 50.0
    assert payment([10.0], [1.0], final_rule())["transformed"] == [0.5]
    assert payment([10.0], [1.0], final_rule(exchange_midpoint=0.0, exchange_steepness=200.0))[
        "transformed"
    ] == [1]
    assert payment([10.0], [1.0], final_rule(exchange_midpoint=100.0, exchange_steepness=20.0))[
        "transformed"
    ] == [0]


def test_no_final_score_is_outside_the_sums_and_dollars_follow_the_payment_year():
    full = clinician()["measures"] | {"q134": cell(rate=4.5)}
    none = clinician()["measures"] | {"q134": cell(rate=NAN, cases=0)}
    rows = [
        clinician(0, measures=full),
        clinician(1, measures=none, episodes=0, cost_per_episode=NAN, part_b_payments=1e6),
    ]
    scored, environment = score_cohort(rows, fixed_rule())
    assert environment["payment"]["cohort"]["payments"] == 100.0
    # Alone, S T = 0.85: A = -0.15 * 0.09; dollars on 200, not 100.
    assert scored[0]["adjustment_factor"] == pytest.approx(-0.0135, rel=1e-14)
    assert scored[0]["payment_multiplier"] == pytest.approx(0.9865, rel=1e-15)
    assert scored[0]["adjustment_usd"] == pytest.approx(-2.7, rel=1e-14)
    assert scored[1]["adjustment_usd"] == 0.0


def test_payment_groups_by_specialty():
    measures = [clinician()["measures"] | {"q134": cell(rate=r)} for r in (2.5, 7.5)]
    rows = [
        clinician(i, measures=measures[i % 2], specialty=("neurosurgery", "anesthesiology")[i // 2])
        for i in range(3)
    ]
    scored, environment = score_cohort(rows, fixed_rule(payment_peer_group="specialty"))
    # The third is alone in its specialty.
    assert scored[2]["adjustment_factor"] == pytest.approx(-0.0135, rel=1e-14)
    # 3.5 and 8.5 points: 17.5 + 37.5 and 42.5 + 37.5.
    assert environment["payment"]["neurosurgery"]["midpoint"] == pytest.approx(67.5)
    assert environment["payment"]["anesthesiology"]["midpoint"] == pytest.approx(55)


# --- invariants ---------------------------------------------------------------------------------------------


def payment_groups(rows, scored, policy):
    """By payment group, the (clinician, scored) pairs with a final score."""
    groups = {}
    for row, result in zip(rows, scored, strict=True):
        if not math.isnan(result["final_score"]):
            key = row["specialty"] if policy["payment_peer_group"] == "specialty" else "cohort"
            groups.setdefault(key, []).append((row, result))
    return groups


@relaxed
@given(clinicians(), policies())
def test_invariants_of_the_pool(rows, policy):
    scored, environment = score_cohort(rows, policy)
    risk, share, cap = policy["risk_level"], policy["redistribution_share"], policy["adjustment_cap"]
    for key, members in payment_groups(rows, scored, policy).items():
        factors = [result["adjustment_factor"] for _, result in members]
        payments = [row["part_b_payments"] for row, _ in members]
        transformed = [result["transformed_score"] for _, result in members]
        total = math.fsum(payments)
        weighted = math.fsum(a * p for a, p in zip(factors, payments, strict=True))
        # Each product and quotient is off by at most EPSILON / 2; a term of the sum has fewer than ten.
        tolerance = 16 * EPSILON * risk * (1 + share) * total
        # 1: a factor is r T S - r with T S >= 0, so no less than -r even in floating point.
        assert min(factors) >= -risk
        if cap is not None:
            assert max(factors) <= cap
        if math.fsum(t * p for t, p in zip(transformed, payments, strict=True)) == 0:
            assert abs(weighted + risk * total) <= tolerance
            assert math.isnan(environment["payment"][key]["scaling_factor"])
            continue
        # 2 and 3: the pool is spent, unless a cap keeps some of it.
        outside = policy["zero_scorers"] == "outside_pool"
        pooled = math.fsum(
            p for p, (_, r) in zip(payments, members, strict=True) if r["final_score"] > 0 or not outside
        )
        budget = -(1 - share) * risk * pooled - risk * (total - pooled)
        binding = cap is not None and any(a >= cap for a in factors)
        scaling = environment["payment"][key]["scaling_factor"]
        spent = math.fsum(risk * t * scaling * p for t, p in zip(transformed, payments, strict=True))
        if not binding:
            assert abs(weighted - budget) <= tolerance
            assert abs(spent - environment["payment"][key]["pool"]) <= tolerance
        elif policy["cap_excess"] == "retained":
            assert weighted <= budget + tolerance
        else:
            everyone = all(a >= cap for a, t in zip(factors, transformed, strict=True) if t > 0)
            # The held are subtracted from the pool: their terms are rounded too.
            slack = tolerance + 16 * EPSILON * (risk + cap) * total
            assert abs(weighted - budget) <= slack or (everyone and weighted <= budget + slack)


@relaxed
@given(clinicians(max_size=30), policies(), st.integers(-8, 8))
def test_scaling_all_payments_changes_no_factor(rows, policy, power):
    # By a power of two, which rounds nothing: the same bits.
    scored, _ = score_cohort(rows, policy)
    scaled = [row | {"part_b_payments": row["part_b_payments"] * 2.0**power} for row in rows]
    again, _ = score_cohort(scaled, policy)
    assert [r["adjustment_factor"] for r in again] == [r["adjustment_factor"] for r in scored]


@relaxed
@given(
    st.lists(st.tuples(st.integers(0, 60 * 64), st.integers(0, 1000)), min_size=1, max_size=40),
    st.integers(1, 40),
    st.sampled_from(["in_pool", "outside_pool"]),
)
def test_adding_a_constant_to_the_positive_scores_changes_no_factor(members, constant, zero_scorers):
    # Scores in 64ths, so that sums, differences and medians are exact: the same bits.
    policy = final_rule(zero_scorers=zero_scorers)
    scores = [f / 64 for f, _ in members]
    payments = [float(p) for _, p in members]
    shifted = [f + constant if f > 0 else 0.0 for f in scores]
    assert payment(shifted, payments, policy)["factors"] == payment(scores, payments, policy)["factors"]


@relaxed
@given(clinicians(), policies())
def test_parts_stay_in_their_ranges(rows, policy):
    scored, environment = score_cohort(rows, policy)
    for row, result in zip(rows, scored, strict=True):
        assert all(p == 0 or 1 <= p <= 10 for p in result["points"].values() if not math.isnan(p))
        for name in ("quality_score", "cost_score"):
            assert math.isnan(result[name]) or 0 <= result[name] <= 1
        assert math.isnan(result["final_score"]) or 0 <= result["final_score"] <= 100
        assert 0 <= result["complex_patient_adjustment"] <= policy["complex_patient_cap"]
        assert result["adjustment_usd"] == result["adjustment_factor"] * row["payment_year_part_b"]
        if math.isnan(result["final_score"]):
            assert (result["adjustment_factor"], result["payment_multiplier"]) == (0.0, 1.0)
    for benchmark in environment["benchmarks"].values():
        if benchmark["edges"] is not None:
            ladder = [benchmark["minimum"], *benchmark["edges"]]
            assert ladder == sorted(ladder)


@relaxed
@given(clinicians(max_size=45), policies(), st.randoms(use_true_random=False))
def test_order_of_the_clinicians_does_not_matter(rows, policy, random):
    # Sums here are exact (math.fsum, fractions), so not even the rounding depends on the order.
    scored, _ = score_cohort(rows, policy)
    order = list(range(len(rows)))
    random.shuffle(order)
    again, _ = score_cohort([rows[i] for i in order], policy)
    assert repr(again) == repr([scored[i] for i in order])


# --- strategies ---------------------------------------------------------------------------------------------


def counts(rows):
    _, environment = score_cohort(rows, final_rule())
    return {benchmark["count"] for benchmark in environment["benchmarks"].values()}


def final_scores(rows):
    return [row["final_score"] for row in score_cohort(rows, final_rule())[0]]


def repeated_edges(rows):
    _, environment = score_cohort(rows, final_rule())
    return any(b["edges"] and 1 < len(set(b["edges"])) < 9 for b in environment["benchmarks"].values())


def topped_out(rows):
    _, environment = score_cohort(rows, final_rule())
    edges = [b["edges"] for b in environment["benchmarks"].values() if b["edges"]]
    return any(e[0] < e[8] == e[4] for e in edges)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda rows: 19 in counts(rows),
        lambda rows: 20 in counts(rows),
        lambda rows: 21 in counts(rows),
        lambda rows: {19, 41} <= counts(rows) or {20, 40} <= counts(rows) or {21, 39} <= counts(rows),
        lambda rows: len(rows) == 1,
        lambda rows: len(rows) > 19 and all(row["exempt"] for row in rows),
        lambda rows: len(rows) > 19 and set(final_scores(rows)) == {0.0},
        lambda rows: len(rows) > 19 and all(math.isnan(f) for f in final_scores(rows)),
        lambda rows: len(rows) > 19 and all(f > 0 for f in final_scores(rows)),
        lambda rows: len(rows) > 19 and len(set(final_scores(rows))) == 1 and final_scores(rows)[0] > 0,
        lambda rows: len(set(final_scores(rows))) > 15,
        lambda rows: any(f == 0 for f in final_scores(rows)) and any(f > 0 for f in final_scores(rows)),
        lambda rows: all(row["part_b_payments"] == 0 for row in rows) and max(final_scores(rows)) > 0,
        repeated_edges,
        topped_out,
    ],
)
def test_strategies_reach_the_awkward_cohorts(wanted):
    once = settings(
        max_examples=3000, phases=[Phase.generate], deadline=None, derandomize=True, database=None
    )
    find(clinicians(), wanted, settings=once)
