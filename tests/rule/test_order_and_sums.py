"""Order statistics and sums, against sorting and exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmrisk.rule.order import extremes, make_order_scratch, median, order_statistics, quantiles
from asmrisk.rule.sums import LANES, lane_sum, mean_and_deviation

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
TIED = st.sampled_from([0.0, -0.0, 1.0, 0.5, math.nextafter(1.0, 0.0), 1 / 3, 1e-300, 1e300])


def assert_order_statistics(values: np.ndarray, ranks: list[int]) -> None:
    out = np.full(len(ranks), np.nan)
    order_statistics(values, len(values), np.array(ranks), out, make_order_scratch(len(values)))
    np.testing.assert_array_equal(out, np.sort(values)[ranks])


@settings(deadline=None)
@given(st.lists(FINITE | TIED, min_size=1, max_size=400), st.data())
def test_order_statistics_are_those_of_the_sorted_values(listed: list[float], data: st.DataObject) -> None:
    ranks = sorted(data.draw(st.lists(st.integers(0, len(listed) - 1), min_size=1, max_size=20)))
    assert_order_statistics(np.array(listed), ranks)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(65, 20_000),
    st.sampled_from(["even", "rates", "skewed", "tied", "heavy", "topped"]),
    st.integers(0, 99),
)
def test_order_statistics_of_many_values(n: int, shape: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = {
        "even": generator.random(n),
        "rates": generator.binomial(40, 0.9, n) / 40,
        "skewed": np.exp(20.0 * generator.standard_normal(n)),
        "tied": generator.choice([0.0, 1.0, 1.0 - 1e-12], n),
        "heavy": generator.standard_cauchy(n) ** 3,
        "topped": np.minimum(generator.normal(1.0, 0.1, n), 1.0),
    }[shape]
    ranks = sorted(generator.integers(0, n, 20).tolist())
    assert_order_statistics(values, [0, *ranks, n - 1])


def test_many_ties_are_counted_alike_without_the_compiler() -> None:
    values = np.random.default_rng(0).integers(0, 12, 2000) / 12.0
    ranks, out = np.array([3, 700, 1100, 1600]), np.zeros(4)
    plain = getattr(order_statistics, "py_func", order_statistics)
    plain(values, len(values), ranks, out, make_order_scratch(len(values)))
    np.testing.assert_array_equal(out, np.sort(values)[ranks])


def test_ties_within_one_bin_are_not_quadratic() -> None:
    # Two neighboring values share a bin; sorting them all by insertion would take minutes.
    generator = np.random.default_rng(0)
    values = generator.choice([0.5, math.nextafter(0.5, 1.0)], 300_000)
    values[:2] = 0.0, 1.0
    assert_order_statistics(values, [0, 1, 149_999, 150_000, 299_999])


def type_7(values: list[float], numerator: int, denominator: int) -> Fraction:
    ordered = sorted(map(Fraction, values))
    position = Fraction((len(values) - 1) * numerator, denominator)
    lower = math.floor(position)
    upper = min(lower + 1, len(values) - 1)
    return ordered[lower] + (position - lower) * (ordered[upper] - ordered[lower])


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=150),
    st.sampled_from([(tuple(range(1, 10)), 10), ((1, 5, 10, 25, 50, 75, 90, 95, 99), 100), ((0, 1, 2), 2)]),
)
def test_quantiles_are_type_7(values: list[float], wanted: tuple[tuple[int, ...], int]) -> None:
    numerators, denominator = wanted
    out = np.zeros(len(numerators))
    quantiles(
        np.array(values), len(values), np.array(numerators), denominator, out, make_order_scratch(len(values))
    )
    scale = max(map(abs, values))
    for numerator, found in zip(numerators, out, strict=True):
        assert abs(Fraction(float(found)) - type_7(values, numerator, denominator)) <= 4e-16 * scale
        if (len(values) - 1) * numerator % denominator == 0:
            assert found == sorted(values)[(len(values) - 1) * numerator // denominator]


@pytest.mark.parametrize("n", [11, 21, 101, 1001])
def test_a_percentile_at_a_whole_position_is_the_order_statistic(n: int) -> None:
    values = np.array([k / 7 for k in range(n)])
    out = np.zeros(9)
    quantiles(values[::-1].copy(), n, np.arange(1, 10), 10, out, make_order_scratch(n))
    assert out.tolist() == values[(n - 1) // 10 : n - 1 : (n - 1) // 10].tolist()


@pytest.mark.parametrize(("values", "middle"), [([3.0, 1.0], 2.0), ([3.0, 1.0, 2.0], 2.0), ([], np.nan)])
def test_the_median_is_the_mean_of_the_middle_two(values: list[float], middle: float) -> None:
    np.testing.assert_equal(median(np.array(values), len(values), make_order_scratch(4)), middle)


@pytest.mark.parametrize("n", [24, 25, 64, 65, 130, 1000, 1001, 5000])
def test_medians_of_many_values_and_of_few_different_ones(n: int) -> None:
    """Whatever the bins of the middle values: the same one, neighbors, far apart, the first, the last."""
    rng = np.random.default_rng(n)
    apart = np.where(np.arange(n) < n // 2, rng.uniform(0, 1, n), rng.uniform(9, 10, n))
    topped_out, bottomed_out = np.minimum(rng.uniform(0, 2.5, n), 1.0), np.maximum(rng.normal(-1, 1, n), 0.0)
    few = rng.integers(0, 3, n) / 3
    for values in (rng.normal(size=n), few, np.exp(rng.normal(0, 8, n)), apart, topped_out, bottomed_out):
        values = rng.permutation(values)
        ordered = sorted(values.tolist())
        expected = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
        assert median(values, n, make_order_scratch(n)) == expected


@settings(deadline=None)
@given(st.integers(0, 600), st.integers(0, 2**32))
def test_sums_run_in_lanes_added_pairwise(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).uniform(-1e9, 1e9, n).tolist()
    lanes = []
    for lane in range(LANES):
        total = 0.0
        for value in values[lane::LANES]:
            total += value
        lanes.append(total)
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [lanes[k] + lanes[k + half] for k in range(half)]
    assert lane_sum(np.array(values), len(values), np.full(LANES, 9.0)) == lanes[0]


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=100))
def test_extremes(values: list[float]) -> None:
    assert extremes(np.array(values), len(values)) == (min(values), max(values))


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.integers(2, 600))
def test_equal_values_have_a_standard_deviation_of_exactly_zero(value: float, n: int) -> None:
    assert mean_and_deviation(np.full(n, value), n, value, np.zeros(LANES)) == (value, 0.0)


@settings(deadline=None)
@given(st.integers(2, 600), st.integers(0, 2**32))
def test_mean_and_sample_standard_deviation(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 1000, n).tolist()
    mean = Fraction(sum(values), n)
    variance = sum((value - mean) ** 2 for value in values) / (n - 1)
    found = mean_and_deviation(np.array(values, float), n, float(values[0]), np.zeros(LANES))
    assert found == pytest.approx((float(mean), math.sqrt(variance)), rel=1e-13)


def test_moments_of_none_and_of_one() -> None:
    lanes = np.full(LANES, 9.0)
    assert np.isnan(mean_and_deviation(np.zeros(0), 0, np.nan, lanes)).all()
    mean, deviation = mean_and_deviation(np.array([3.0]), 1, 3.0, lanes)
    assert mean == 3.0
    assert math.isnan(deviation)
