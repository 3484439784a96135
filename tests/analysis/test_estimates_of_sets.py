"""Draws of one parameter set hang together: errors and intervals against models whose truth is known.

The model is one-way random effects: each parameter set has an effect that its draws share. With an intraclass
correlation of ρ and m draws of each of S sets, the variance of a mean is (1 + (m - 1) ρ) / (S m) of a draw's.
"""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, expon, norm

from asmrisk.analysis.estimates import (
    effective_draws,
    mean,
    quantile,
    quantiles,
    set_counts,
    standard_deviation,
)
from asmrisk.analysis.tail import probability, tail_risk, tail_value_at_risk

LEVELS = (0.05, 0.5, 0.95)


def numbers_of(count, per_set):
    return np.repeat(np.arange(count), per_set)


def normal(rng, count, per_set, correlation, runs):
    shared = np.repeat(rng.normal(size=(count, runs)), per_set, axis=0)
    own = rng.normal(size=(count * per_set, runs))
    return math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own


def skewed(rng, count, per_set, correlation, runs):
    """Sums of gamma variates with shapes that add up to 1: exponential, as dollars are skewed."""
    shared = np.repeat(rng.gamma(correlation, size=(count, runs)), per_set, axis=0)
    return shared + rng.gamma(1 - correlation, size=(count * per_set, runs))


def stratified(rng, count, per_set, correlation, runs):
    """The normal model, one set in each of as many strata of equal probability."""
    strata = rng.permuted(np.broadcast_to(np.arange(count)[:, None], (count, runs)), axis=0)
    shared = np.repeat(norm.ppf((strata + rng.uniform(size=(count, runs))) / count), per_set, axis=0)
    own = rng.normal(size=(count * per_set, runs))
    return math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own


#: Models, and of their draws: distribution, mean and mean of the largest twentieth. All have an SD of 1.
MODELS = {
    "normal": (normal, norm, 0.0, norm.pdf(norm.ppf(0.95)) / 0.05),
    "skewed": (skewed, expon, 1.0, expon.ppf(0.95) + 1),
    "stratified": (stratified, norm, 0.0, norm.pdf(norm.ppf(0.95)) / 0.05),
}

# --- formulas -----------------------------------------------------------------------------------------------

values_of_sets = st.lists(
    st.lists(st.integers(-1000, 1000).map(float) | st.just(math.nan), min_size=1, max_size=5),
    min_size=2,
    max_size=12,
)


@given(values_of_sets)
def test_errors_are_sums_within_sets(by_set):
    x = [value for values in by_set for value in values]
    sets = np.array([k for k, values in enumerate(by_set) for _ in values])
    there = [[value for value in values if not math.isnan(value)] for values in by_set]
    there = [values for values in there if values]
    flat = [value for values in there for value in values]
    found, spread = mean(x, sets), standard_deviation(x, sets)
    assert found.draws == len(flat)
    assert set_counts(x, sets) == len(there)
    if len(there) < 2:
        assert math.isnan(found.error)
        assert math.isnan(spread.value)
        return
    center = statistics.fmean(flat)
    correction = len(there) / (len(there) - 1)

    def squared_error(influences):
        return correction * sum(math.fsum(each) ** 2 for each in influences) / len(flat) ** 2

    error = squared_error([[value - center for value in values] for values in there])
    assert found.value == pytest.approx(center, abs=1e-9)
    assert found.error == pytest.approx(math.sqrt(error), abs=1e-9)
    variance = statistics.pvariance(flat) + error
    assert spread.value == pytest.approx(math.sqrt(variance), abs=1e-9)
    if len(there) > 3 and variance > 0:
        squares = [[(value - center) ** 2 for value in values] for values in there]
        middle = statistics.fmean([each for values in squares for each in values])
        shares = [[(each - middle) / (2 * math.sqrt(variance)) for each in values] for values in squares]
        assert spread.error == pytest.approx(math.sqrt(squared_error(shares)), abs=1e-9)


def test_the_error_of_a_mean_is_the_spread_of_set_means():
    x = skewed(np.random.default_rng(1), 60, 3, 0.5, 4)
    expected = x.reshape(60, 3, 4).mean(axis=1).std(axis=0, ddof=1) / math.sqrt(60)
    np.testing.assert_allclose(mean(x, numbers_of(60, 3)).error, expected)


def test_sets_of_one_draw_are_draws():
    x = skewed(np.random.default_rng(2), 600, 1, 0.5, 5)
    x[::7, 1] = np.nan
    own = np.arange(600) + 3
    for estimate in (
        mean,
        lambda draws, sets=None: standard_deviation(draws, sets).value,
        lambda draws, sets=None: quantiles(draws, LEVELS, sets=sets),
        lambda draws, sets=None: probability(np.where(np.isnan(draws), np.nan, draws < 0.1), sets=sets),
        lambda draws, sets=None: tail_risk(draws, 0.05, sets=sets),
        effective_draws,
        set_counts,
    ):
        np.testing.assert_allclose(np.array(estimate(x, own)), np.array(estimate(x)), rtol=1e-12)
    # The delta method with n and with n - 1.
    np.testing.assert_allclose(
        standard_deviation(x, own).error, standard_deviation(x).error, rtol=3 / set_counts(x).min()
    )


def test_copies_of_draws_tell_nothing_more():
    x = skewed(np.random.default_rng(3), 500, 1, 0.5, 5)
    copies, sets = np.repeat(x, 4, axis=0), numbers_of(500, 4)
    for one, other in (
        (mean(x)[:2], mean(copies, sets)[:2]),
        (standard_deviation(x).value, standard_deviation(copies, sets).value),
        (probability(x < 0.1)[:4], probability(copies < 0.1, sets=sets)[:4]),
        (tail_value_at_risk(x, 0.95), tail_value_at_risk(copies, 0.95, sets)),
        (effective_draws(x < 0.1), effective_draws(copies < 0.1, sets)),
        *(
            (one[1:3], other[1:3])
            for one, other in zip(quantiles(x, LEVELS), quantiles(copies, LEVELS, sets=sets), strict=True)
        ),
    ):
        np.testing.assert_allclose(np.array(one), np.array(other), rtol=1e-9)


def test_draws_without_a_value_are_left_out_column_by_column():
    rng = np.random.default_rng(4)
    x = normal(rng, 300, 3, 0.5, 6).reshape(900, 2, 3)
    x[rng.uniform(size=900) < 0.5, 0, 1] = np.nan
    x[:2, 1, 1] = np.nan
    x[:, 1, 2] = np.nan
    sets = numbers_of(300, 3)
    for estimate in (
        mean,
        standard_deviation,
        lambda draws, sets: quantile(draws, 0.2, sets=sets),
        lambda draws, sets: tail_risk(draws, 0.1, sets=sets),
        lambda draws, sets: probability(np.where(np.isnan(draws), np.nan, draws < 0), sets=sets),
    ):
        whole = estimate(x, sets)
        for index in np.ndindex(2, 3):
            column = x[:, index[0], index[1]]
            there = ~np.isnan(column)
            for found, expected in zip(whole, estimate(column[there], sets[there]), strict=True):
                assert found[index] == pytest.approx(float(expected), rel=1e-9, nan_ok=True)


def test_what_all_sets_agree_on_is_known_as_well_as_from_one_draw_each():
    sets = np.append(numbers_of(40, 8), 40)
    for answer in (0.0, 1.0):
        events = np.full(len(sets), answer)
        assert effective_draws(events, sets) == 41
        found, expected = probability(events, sets=sets), probability(np.full(41, answer))
        assert (found.low, found.high) == pytest.approx((float(expected.low), float(expected.high)))


def test_too_few_sets_have_no_error_or_interval():
    x = np.random.default_rng(5).normal(size=(40, 3))
    one = np.zeros(40, dtype=np.int64)
    assert np.isnan(mean(x, one).error).all()
    assert np.isnan(standard_deviation(x, one)[:2]).all()
    assert np.isnan(quantile(x, 0.5, sets=one)[1:3]).all()
    assert effective_draws(x < 0, one).tolist() == [1.0] * 3
    five = quantile(x, 0.5, sets=numbers_of(5, 8))
    assert np.isfinite(five.value).all()
    empty = np.zeros(0, dtype=np.int64)
    for estimate in (mean, standard_deviation, lambda draws, sets: quantile(draws, 0.5, sets=sets)):
        assert np.isnan(estimate(np.zeros((0, 2)), empty)[:2]).all()
    with pytest.raises(ValueError, match="40 draws"):
        mean(x, np.arange(39))


# --- repeated runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["normal", "skewed"])
@pytest.mark.parametrize("per_set", [2, 8])
@pytest.mark.parametrize("correlation", [0.9, pytest.param(0.3, marks=pytest.mark.long)])
def test_errors_are_the_spread_of_repeated_runs(model, per_set, correlation):
    count, runs = 400, 1000
    drawn, _, center, beyond = MODELS[model]
    x = drawn(np.random.default_rng(6), count, per_set, correlation, runs)
    sets = numbers_of(count, per_set)
    found = mean(x, sets)
    known = math.sqrt((1 + (per_set - 1) * correlation) / (count * per_set))
    # Sums of squares over 400 sets and 1,000 runs: known to 0.3% even if their kurtosis is 9.
    assert math.sqrt(np.mean(found.error**2)) == pytest.approx(known, rel=0.01)
    assert abs(np.mean(found.value) - center) < 5 * known / math.sqrt(runs)
    # The spread of 1,000 runs is known to 2.2% (kurtosis 3), five of them in one test of 1.7 million. The
    # tail's error is itself good to one over the sets in the tail, 20.
    for value, error, slack in (
        (*standard_deviation(x, sets)[:2], 0.13),
        (*tail_value_at_risk(x, 0.95, sets), 0.11 + 1 / 20),
    ):
        assert math.sqrt(np.mean(error**2)) == pytest.approx(np.std(value, ddof=1), rel=slack)
    assert np.mean(tail_value_at_risk(x, 0.95, sets)[0]) == pytest.approx(beyond, rel=1 / 20)


@pytest.mark.parametrize("model", ["normal", "skewed"])
def test_squared_deviations_are_unbiased_however_few_sets(model):
    x = MODELS[model][0](np.random.default_rng(7), 5, 8, 0.9, 40_000)
    squares = standard_deviation(x, numbers_of(5, 8)).value ** 2
    assert abs(squares.mean() - 1) < 5 * squares.std() / math.sqrt(len(squares))


@pytest.mark.parametrize("correlation", [0.9, 0.3])
def test_effective_draws_follow_the_correlation_of_events(correlation):
    # Two normals with correlation r are both below zero with probability 1/4 + arcsin(r) / (2π).
    x = normal(np.random.default_rng(8), 2000, 8, correlation, 200)
    effect = 2000 * 8 / effective_draws(x < 0, numbers_of(2000, 8))
    known = 1 + 7 * 2 / math.pi * math.asin(correlation)
    # Ratios of sums over 2,000 sets: biased by less than a hundredth.
    assert effect.mean() == pytest.approx(known, rel=0.01)


# --- coverage -----------------------------------------------------------------------------------------------

RUNS = 200


def least_covering(cells):
    """Least number of covering runs with which an interval passes; all cells do, 999 times in 1,000."""
    return binom.ppf(1e-3 / cells, RUNS, 0.95)


def within(interval, truth):
    """Whether intervals hold the truth; an end that is NaN is open."""
    return ~(interval.low > truth) & ~(interval.high < truth)


def order_statistics_and_probabilities(x, sets, distribution):
    """Count covering runs by estimate."""
    counts = {}
    for level, interval in zip(LEVELS, quantiles(x, LEVELS, sets=sets), strict=True):
        truth = distribution.ppf(level)
        counts[f"quantile {level}"] = within(interval, truth).sum()
        counts[f"probability {level}"] = within(probability(x < truth, sets=sets), level).sum()
    return counts


def check_coverage(model, count, per_set, correlation, cells):
    """All stated 95% intervals of one cell; those of errors are two-sided normal ones."""
    drawn, distribution, center, beyond = MODELS[model]
    x = drawn(np.random.default_rng([9, per_set, round(10 * correlation)]), count, per_set, correlation, RUNS)
    sets = numbers_of(count, per_set) if per_set > 1 else None
    counts = order_statistics_and_probabilities(x, sets, distribution)
    for name, (value, error), truth in (
        ("mean", mean(x, sets)[:2], center),
        ("deviation", standard_deviation(x, sets)[:2], 1.0),
        ("tail", tail_value_at_risk(x, 0.95, sets), beyond),
    ):
        counts[name] = (np.abs(value - truth) <= norm.ppf(0.975) * error).sum()
    least = least_covering(len(counts) * cells)
    assert {name: found for name, found in counts.items() if found < least} == {}


# Normal intervals hold for many sets: by the first terms of their Edgeworth expansion an SD of exponential
# draws is covered 1.2% less often with 2,000.
@pytest.mark.parametrize("model", ["normal", "skewed"])
@pytest.mark.parametrize("correlation", [0.9, 0.3])
def test_intervals_are_covered(model, correlation):
    check_coverage(model, 2000, 2, correlation, 4)


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("per_set", [1, 2, 8])
@pytest.mark.parametrize("correlation", [0.9, 0.3])
def test_intervals_are_covered_for_any_number_of_draws_a_set(model, per_set, correlation):
    check_coverage(model, 2000, per_set, correlation, 18)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("per_set", [2, 8])
@pytest.mark.parametrize("correlation", [0.9, 0.3])
def test_order_statistics_and_probabilities_are_covered_with_few_sets(model, per_set, correlation):
    drawn, distribution, *_ = MODELS[model]
    for count in (10, 40, 150):
        x = drawn(np.random.default_rng([10, count]), count, per_set, correlation, RUNS)
        counts = order_statistics_and_probabilities(x, numbers_of(count, per_set), distribution)
        least = least_covering(len(counts) * 36)
        assert {name: found for name, found in counts.items() if found < least} == {}, count
