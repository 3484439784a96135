"""Errors of studies where draws share what is unknown: against models with known answers, and in studies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, qmc, t

from asmrisk.studies.effects import differences, effect_of, level_effects
from asmrisk.studies.indices import ENOUGH_ROWS, grid_indices, sobol_indices
from asmrisk.studies.noise import cross_set, resample, set_means
from asmrisk.studies.regression import regression
from asmrisk.studies.screening import morris_screening

Array = NDArray[np.float64]

#: Probability that a right program fails one statistical test, and the standard normal deviation beyond which
#: a right estimate lies with it.
ERROR_RATE, DEVIATES = 1e-4, 3.9

#: Draws of each parameter set: of one, two and eight, and with a last set that is incomplete.
SIZES = {
    "1": [1] * 12,
    "2": [2] * 12,
    "8": [8] * 12,
    "2, incomplete": [2] * 11 + [1],
    "8, incomplete": [8] * 11 + [3],
}
EACH = pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)


def numbered(sizes: list[int]) -> NDArray[np.int64]:
    """The set of each draw."""
    return np.repeat(np.arange(len(sizes)), sizes)


def outcomes(g: Array, sizes: list[int], rng: np.random.Generator, size: float = 1.0) -> Array:
    """Outcomes of expectation g.

    What is unknown shifts all points, scales the outcome, and shifts each point for itself; to that comes the
    chance of each draw.
    """
    sets = numbered(sizes)
    shared = rng.normal(size=(2, len(sizes)))
    own = rng.normal(size=(len(g), len(sizes)))
    chance = rng.normal(size=(len(g), len(sets)))
    doubt = 5.0 * shared[0] + 0.1 * g[:, None] * shared[1] + own
    return np.asarray(g[:, None] + size * (doubt[:, sets] + 0.5 * chance))


def values(shares: list, part: str = "value") -> Array:
    return np.array([getattr(share, part) for share in shares])


def holds(shares: list, truth: Array | float) -> NDArray[np.bool_]:
    """Whether intervals hold the truth."""
    return np.asarray((values(shares, "low") <= truth) & (truth <= values(shares, "high")))


def least_coverage(trials: int) -> int:
    """Fewest intervals of 95% that hold the truth, but for the error rate."""
    return int(binom.ppf(ERROR_RATE, trials, 0.95))


# --- What is counted ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[1, 1, 1], [2, 2], [3, 3, 1], [1, 4, 2, 2]])
def test_quadratic_forms_are_means_over_pairs_of_draws_of_different_sets(sizes: list[int]) -> None:
    rng = np.random.default_rng(len(sizes))
    sets = numbered(sizes)
    y = rng.normal(size=(4, len(sets))) + 100.0
    form = rng.normal(size=(4, 4))
    form = form + form.T
    draws = range(len(sets))
    pairs = [y[:, i] @ form @ y[:, j] for i, j in itertools.product(draws, draws) if sets[i] != sets[j]]
    means, counts = set_means(y, sets)
    weights = resample(counts, resamples=2)
    center = means @ weights.sets[:, 0]
    np.testing.assert_allclose(center, y.mean(axis=1), rtol=1e-14)
    of_sets = np.einsum("is,ij,js->s", means, form, means) @ weights.squares[:, 0]
    assert float(cross_set(center @ form @ center, of_sets, weights.number[0])) == pytest.approx(
        np.mean(pairs), rel=1e-9
    )


def test_the_error_of_an_effect_is_that_of_sums_within_sets() -> None:
    x, sets = [3.0, 5.0, 1.0, 2.0, 7.0], np.array([0, 0, 1, 1, 4])
    center = sum(x) / 5.0
    sums = [x[0] + x[1] - 2 * center, x[2] + x[3] - 2 * center, x[4] - center]
    error = (3.0 / 2.0 * sum(each**2 for each in sums)) ** 0.5 / 5.0
    found = effect_of(np.array(x), sets)
    assert float(found.value) == pytest.approx(center)
    assert float(found.error) == pytest.approx(error)
    # Student's, of two degrees of freedom.
    assert float(found.high) == pytest.approx(center + t.ppf(0.975, 2) * error)


def test_sets_of_one_draw_are_draws() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=(6, 10))
    means, sizes = set_means(y, np.arange(10))
    assert np.array_equal(means, y)
    assert np.array_equal(sizes, set_means(y, None)[1])
    levels = np.array([0, 0, 0, 1, 1, 1])
    for matched in (True, False):
        alone, each = (level_effects(y, levels, matched, sets) for sets in (None, np.arange(10)))
        np.testing.assert_allclose(each, alone, rtol=1e-12)


@EACH
def test_an_inert_factor_is_exactly_zero_with_any_sets(sizes: list[int]) -> None:
    rng = np.random.default_rng(3)
    sets = numbered(sizes)
    y = np.repeat(outcomes(np.array([1.0, 3.0, 4.0]), sizes, rng), 2, axis=0)
    means, counts = set_means(y, sets)
    found = grid_indices(means, (3, 2), resample(counts, resamples=20))
    assert {*found.first[1], *found.total[1]} == {0.0}
    effect = level_effects(y, np.tile([0, 1], 3), matched=True, sets=sets)
    assert (effect.value[0], effect.error[0]) == (0.0, 0.0)


# --- No bias ------------------------------------------------------------------------------------------------


@EACH
def test_variances_are_unbiased_where_draws_share_unknowns(sizes: list[int]) -> None:
    rng = np.random.default_rng(4)
    cells = np.array([[0.0, 2.0], [1.0, 0.0], [3.0, 7.0]])
    truth = [cells.mean(axis=1).var(), cells.mean(axis=0).var(), cells.var()]
    found, excess = [], []
    for _ in range(800):
        y = outcomes(cells.ravel(), sizes, rng, 0.7)
        parts = []
        for sets in (numbered(sizes), None):
            means, counts = set_means(y, sets)
            indices = grid_indices(means, (3, 2), resample(counts, resamples=2))
            of_all = indices.variance.value
            parts.append([*(values(indices.first) * of_all), of_all])
        found.append(parts[0])
        excess.append(parts[1][-1] - parts[0][-1])
    errors = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - truth) < DEVIATES * errors).all()
    if sizes[0] > 1:
        # Otherwise this test would show nothing: pairs of draws of one set make variances too large.
        assert np.mean(excess) > 10 * np.std(excess) / np.sqrt(len(excess))


@pytest.mark.parametrize("sizes", [[2] * 8, [8] * 7 + [3]])
def test_sobol_variances_are_unbiased_where_draws_share_unknowns(sizes: list[int]) -> None:
    rng = np.random.default_rng(5)
    u = saltelli(16, 2, rng)
    g = model_of_two(u)
    truth = g.reshape(16, 4)[:, [0, -1]].var()
    found = []
    for _ in range(1000):
        means, counts = set_means(outcomes(g, sizes, rng), numbered(sizes))
        found.append(sobol_indices(means, 2, resample(counts, 16, resamples=2)).variance.value)
    assert abs(np.mean(found) - truth) < DEVIATES * np.std(found) / np.sqrt(len(found))


@EACH
def test_the_size_of_no_effect_is_zero_on_average(sizes: list[int]) -> None:
    rng = np.random.default_rng(6)
    x = trajectories(6, rng)
    found = []
    for _ in range(400):
        means, counts = set_means(outcomes(2.0 * x[:, 0], sizes, rng, 0.5), numbered(sizes))
        screened = morris_screening(x, means, resample(counts, 6, resamples=2))
        found.append(values(screened.mu_star))
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert abs(np.mean(found, axis=0)[1]) < DEVIATES * error[1]


# --- Coverage -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_each", [1, 2, 8])
def test_intervals_of_differences_cover_just_95_percent(of_each: int) -> None:
    rng = np.random.default_rng(of_each)
    sizes, trials, hits, by_draw = [of_each] * 6, 3000, 0, 0
    for _ in range(trials):
        y = outcomes(np.array([0.0, 1.0]), sizes, rng)
        for sets in (numbered(sizes), None):
            effect = differences(y, sets)
            inside = bool(effect.low[1] <= 1.0 <= effect.high[1])
            hits, by_draw = (hits + inside, by_draw) if sets is not None else (hits, by_draw + inside)
    # Student's interval is exact for sets that are equally large.
    low, high = binom.ppf([ERROR_RATE / 2, 1 - ERROR_RATE / 2], trials, 0.95)
    assert low <= hits <= high
    if of_each > 1:
        assert by_draw < low


def grid_coverage(sizes: list[int], trials: int, rng: np.random.Generator) -> tuple[Array, ...]:
    cells = np.array([[-1.0, -2.0], [0.0, 0.0], [1.0, 2.0]])
    truth = [
        np.array([cells.mean(axis=1).var(), cells.mean(axis=0).var()]) / cells.var(),
        np.array([cells.var(axis=0).mean(), cells.var(axis=1).mean()]) / cells.var(),
    ]
    hits = np.zeros((2, 2))
    for _ in range(trials):
        means, counts = set_means(outcomes(cells.ravel(), sizes, rng, 0.3), numbered(sizes))
        weights = resample(counts, resamples=200, seed=int(rng.integers(2**31)))
        found = grid_indices(means, (3, 2), weights)
        for row, shares in enumerate((found.first, found.total)):
            hits[row] += holds(shares, truth[row])
    return (hits,)


def sobol_coverage(sizes: list[int], trials: int, rng: np.random.Generator) -> tuple[Array, ...]:
    hits = np.zeros((2, 2))
    for _ in range(trials):
        y = outcomes(model_of_two(saltelli(ENOUGH_ROWS, 2, rng)), sizes, rng, 0.3)
        means, counts = set_means(y, numbered(sizes))
        weights = resample(counts, ENOUGH_ROWS, resamples=200, seed=int(rng.integers(2**31)))
        found = sobol_indices(means, 2, weights)
        for row, (shares, truth) in enumerate(((found.first, TWO_FIRST), (found.total, TWO_TOTAL))):
            hits[row] += holds(shares, truth)
    return (hits,)


def regression_coverage(sizes: list[int], trials: int, rng: np.random.Generator) -> tuple[Array, ...]:
    slopes = np.array([2.0, -1.0, 0.0])
    truth = slopes / np.sqrt((slopes**2).sum())
    hits = np.zeros(3)
    for _ in range(trials):
        x = qmc.LatinHypercube(3, rng=rng).random(50)
        means, counts = set_means(outcomes(x @ slopes, sizes, rng, 0.5), numbered(sizes))
        weights = resample(counts, 50, resamples=60, seed=int(rng.integers(2**31)))
        fitted = regression(x, means, weights)
        hits += holds(fitted.coefficients, truth)
    return (hits,)


def morris_coverage(sizes: list[int], trials: int, rng: np.random.Generator) -> tuple[Array, ...]:
    hits = np.zeros(2)
    for _ in range(trials):
        x = trajectories(8, rng)
        means, counts = set_means(outcomes(2.0 * x[:, 0], sizes, rng, 0.5), numbered(sizes))
        weights = resample(counts, 8, resamples=100, seed=int(rng.integers(2**31)))
        mu = morris_screening(x, means, weights).mu
        hits += holds(mu, [2.0, 0.0])
    return (hits,)


COVERAGE = {
    "grid": (grid_coverage, 300),
    "sobol": (sobol_coverage, 150),
    "regression": (regression_coverage, 60),
    "morris": (morris_coverage, 200),
}


@pytest.mark.parametrize("method", COVERAGE)
@pytest.mark.parametrize("sizes", [[2] * 12, [8] * 11 + [3]], ids=["2", "8, incomplete"])
def test_intervals_cover_at_least_95_percent(method: str, sizes: list[int]) -> None:
    coverage, trials = COVERAGE[method]
    (hits,) = coverage(sizes, trials, np.random.default_rng(7))
    assert (hits >= least_coverage(trials)).all(), hits / trials


@pytest.mark.long
@pytest.mark.parametrize("method", COVERAGE)
@EACH
@pytest.mark.parametrize("sets", [8, 12])
def test_intervals_cover_at_least_95_percent_in_many_trials(method: str, sizes: list[int], sets: int) -> None:
    coverage, trials = COVERAGE[method]
    trials *= 6
    (hits,) = coverage(sizes[-sets:], trials, np.random.default_rng(8))
    assert (hits >= least_coverage(trials)).all(), hits / trials


# --- Models -------------------------------------------------------------------------------------------------


def model_of_two(u: Array) -> Array:
    """2 x + z + x z, of uniforms x and z over [-√3, √3], whose variance is 1."""
    x, z = (2.0 * u[:, :2].T - 1.0) * np.sqrt(3.0)
    return np.asarray(2.0 * x + z + x * z)


# Variances 4, 1 and 1 of the terms, which are uncorrelated.
TWO_FIRST, TWO_TOTAL = np.array([4.0, 1.0]) / 6.0, np.array([5.0, 2.0]) / 6.0


def saltelli(samples: int, factors: int, rng: np.random.Generator) -> Array:
    """A, A with one column of B, B: row by row, of scrambled Sobol points."""
    points = qmc.Sobol(2 * factors, rng=rng).random(samples)
    a, b = points[:, :factors], points[:, factors:]
    mixed = [np.where(np.arange(factors) == index, b, a) for index in range(factors)]
    return np.stack([a, *mixed, b], axis=1).reshape(-1, factors)


def trajectories(count: int, rng: np.random.Generator) -> Array:
    """Two factors that rise by two thirds, one after the other, in either order."""
    rows = []
    for _ in range(count):
        x = rng.integers(0, 2, 2) / 3.0
        rows.append(x.copy())
        for factor in rng.permutation(2):
            x[factor] += 2.0 / 3.0
            rows.append(x.copy())
    return np.array(rows)
