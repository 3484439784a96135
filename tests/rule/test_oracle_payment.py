"""The oracle of payment, against worked vectors."""

import math

import pytest

from tests.oracle.by_hand import cell, clinician, fixed_rule
from tests.oracle.rule import NAN, final_rule, payment, score_cohort

EPSILON = 2.0**-52

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
