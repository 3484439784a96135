"""The oracle of quality: statistics, benchmarks and points worked by hand from the rule."""

import math

import pytest

from tests.oracle import rule
from tests.oracle.by_hand import TEN, cell, clinician, fixed_rule, points, with_rates
from tests.oracle.rule import NAN, final_rule, score_cohort

EPSILON = 2.0**-52


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
    assert points(rows, final_rule(quality_collection_types="together")) == [6.0] * 20 + [10.0] * 19
    _, environment = score_cohort(rows, final_rule())
    benchmarks = environment["benchmarks"]
    assert benchmarks["q134", "cohort", "ecqm"]["count"] == 20
    assert benchmarks["q134", "cohort", "mips_cqm"] == {"count": 19, "minimum": None, "edges": None}


def test_quality_peers_by_specialty():
    rows = with_rates([0.25] * 20 + [0.75] * 20)
    for row in rows[20:]:
        row["specialty"] = "anesthesiology"
    assert points(rows, final_rule(quality_peer_group="specialty")) == [10.0] * 40


def test_worst_rate_is_scored_but_neither_in_the_benchmark_nor_in_its_count():
    rows = with_rates([0.5] * 20 + [0.0] * 3)
    assert points(rows) == [10.0] * 20 + [1.0] * 3
    _, environment = score_cohort(rows, final_rule())
    assert environment["benchmarks"]["q134", "cohort", "mips_cqm"] == {
        "count": 20,
        "minimum": 0.5,
        "edges": [0.5] * 9,
    }
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
