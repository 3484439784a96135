"""Estimates and their errors: against brute force, exact coverage and repeated runs of a toy model."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from asmrisk.analysis.digits import decimals, number, with_error
from asmrisk.analysis.estimates import mean, quantile, ranks, standard_deviation

# Thousandths, so that squares do not underflow.
numbers = st.integers(-(10**9), 10**9).map(lambda thousandths: thousandths / 1000)


@given(values=st.lists(numbers, min_size=2, max_size=40))
def test_mean_and_deviation_are_the_textbook_ones(values):
    spread = max(abs(value) for value in values)
    center, deviation = mean(values), standard_deviation(values)
    assert center.value == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-12 * spread)
    # A sum of squares of differences from a rounded mean: relative to the largest value.
    expected = statistics.stdev(values)
    assert deviation.value == pytest.approx(expected, rel=1e-9, abs=1e-12 * spread)
    assert center.error == pytest.approx(expected / math.sqrt(len(values)), rel=1e-9, abs=1e-12 * spread)
    assert center.draws == len(values)


@given(value=numbers, count=st.integers(4, 50))
def test_equal_draws_have_no_error_at_all(value, count):
    values = np.full(count, value)
    assert mean(values)[:2] == (value, 0.0)
    assert standard_deviation(values)[:2] == (0.0, 0.0)


def test_one_draw_has_a_mean_and_no_error():
    for draws in ([5.0], [[5.0, np.nan]], [5.0, np.nan]):
        for estimate in (mean(draws), standard_deviation(draws)):
            assert np.isnan(estimate.error).all()
    assert mean([5.0]).value == 5.0
    assert quantile([5.0], 0.9).value == 5.0
    assert math.isnan(quantile([5.0], 0.9).low)
    assert math.isnan(mean(np.zeros(0)).value)
    with pytest.raises(ValueError, match="axis"):
        mean(3.0)


def test_draws_without_a_value_are_left_out_column_by_column():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2, 3))
    x[:100, 0, 1] = np.nan
    x[:, 1, 2] = np.nan
    for estimate in (mean, standard_deviation, lambda draws: quantile(draws, 0.3)):
        whole = estimate(x)
        for index in np.ndindex(2, 3):
            column = x[:, index[0], index[1]]
            alone = estimate(column[~np.isnan(column)])
            for found, expected in zip(whole, alone, strict=True):
                assert found[index] == pytest.approx(float(expected), rel=1e-12, nan_ok=True)
    assert mean(x).draws.tolist() == [[300, 200, 300], [300, 300, 0]]


@given(
    values=st.lists(numbers, min_size=1, max_size=60),
    level=st.sampled_from([0.01, 0.05, 0.25, 0.5, 0.9, 0.99]),
)
def test_sample_quantiles_are_type_7(values, level):
    expected = float(np.quantile(values, level))
    assert quantile(values, level).value == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=200)
@given(
    count=st.integers(1, 3000),
    level=st.floats(0.001, 0.999),
    confidence=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_order_statistics_cover_and_are_the_tightest_that_do(count, level, confidence):
    lower, upper = ranks(count, level, confidence)
    tail = (1 - confidence) / 2
    # The l-th smallest lies above the quantile if fewer than l draws lie below it; the u-th lies below if
    # u or more do.
    assert binom.cdf(lower - 1, count, level) <= tail
    assert binom.cdf(lower, count, level) > tail
    assert binom.sf(upper - 1, count, level) <= tail
    assert binom.sf(upper - 2, count, level) > tail
    assert 0 <= lower <= upper <= count + 1


# --- coverage in repeated small runs of a toy model whose truth is known ------------------------------------

RUNS, DRAWS = 20_000, 200


@pytest.fixture(scope="module")
def runs():
    """Draws by run: an exponential outcome, mean and SD 1, skewed as dollars are."""
    return np.random.default_rng(20270101).exponential(size=(DRAWS, RUNS))


def rejects(covered, at_least, at_most=1.0):
    """Whether the number of covering runs contradicts the coverage; wrong once in a million tests."""
    count = int(np.sum(covered))
    return binom.cdf(count, RUNS, at_least) < 1e-6 or binom.sf(count - 1, RUNS, at_most) < 1e-6


def test_the_mean_s_interval_covers_as_theory_says(runs):
    estimate = mean(runs)
    covered = np.abs(estimate.value - 1) <= norm.ppf(0.975) * estimate.error
    # A Studentized mean's two-sided coverage differs from 95% by 2 q(z) φ(z) / n + O(1/n²), with skewness g,
    # excess kurtosis k and Hall's second polynomial q (The Bootstrap and Edgeworth Expansion, 1992, section
    # 2.6): -0.64% here. 0.3% are left for the rest.
    z, g, k = norm.ppf(0.975), 2.0, 6.0
    second = z * (k * (z**2 - 3) / 12 - g**2 * (z**4 + 2 * z**2 - 3) / 18 - (z**2 + 3) / 4)
    expected = 0.95 + 2 * norm.pdf(z) * second / DRAWS
    assert not rejects(covered, expected - 0.003, expected + 0.003)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.95])
def test_order_statistics_cover_the_quantile_with_their_exact_probability(runs, level):
    interval = quantile(runs, level)
    truth = -math.log1p(-level)
    covered = (interval.low <= truth) & (truth <= interval.high)
    lower, upper = ranks(DRAWS, level)
    exact = binom.cdf(upper - 1, DRAWS, level) - binom.cdf(lower - 1, DRAWS, level)
    assert exact >= 0.95
    assert not rejects(covered, exact, exact)


def test_standard_errors_are_the_spread_of_repeated_runs(runs):
    # The SD of 20,000 repetitions is known to 0.5% (1/sqrt(40,000)); the errors' own bias is of order 1/n.
    for estimate, slack in ((mean(runs), 0.03), (standard_deviation(runs), 0.08)):
        actual = np.std(estimate.value, ddof=1)
        claimed = math.sqrt(np.mean(estimate.error**2))
        assert claimed == pytest.approx(actual, rel=slack)


# --- digits -------------------------------------------------------------------------------------------------


@given(value=st.floats(-1e12, 1e12), error=st.floats(1e-9, 1e9))
def test_digits_are_those_the_error_supports(value, error):
    assume(error > 1e-12 * abs(value))  # Less is rounding, and shown as none.
    shown, claimed = (float(text.replace(",", "")) for text in with_error(value, error).split(" ± "))
    unit = 10.0 ** -decimals(error)
    assert abs(shown - value) <= 0.5000001 * unit + 1e-12 * abs(value)
    assert abs(claimed - error) <= 0.5000001 * unit
    assert 9.5 <= claimed / unit <= 99.5


def test_numbers_without_an_error():
    assert with_error(12345.678, math.nan) == "12,346 ± n/a"
    assert with_error(0.0, 0.0) == "0 ± 0"
    assert with_error(-0.0135, 0.0) == "-0.01350 ± 0"
    assert with_error(math.nan, math.nan) == "n/a ± n/a"
    assert number(-0.0001, 0.03) == "0.000"
