"""Effects and indices: against models whose answers are known, with and without Monte Carlo noise."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from SALib.analyze import morris as salib_morris
from SALib.analyze import sobol as salib_sobol
from scipy.stats import binom, qmc

from asmrisk.studies import verdicts
from asmrisk.studies.effects import differences, level_effects
from asmrisk.studies.indices import ENOUGH_ROWS, grid_indices, sobol_indices
from asmrisk.studies.noise import cross_set, estimate, resample
from asmrisk.studies.regression import regression
from asmrisk.studies.screening import elementary_effects, morris_screening

Array = NDArray[np.float64]

#: Probability that a right program fails one statistical test.
ERROR_RATE = 1e-4
#: Standard normal deviation beyond which a right estimate lies with that probability, on both sides.
DEVIATES = 3.9


def ishigami(u: Array) -> Array:
    """Ishigami and Homma (1990), of uniforms; whatever follows the third has no effect."""
    x = np.pi * (2.0 * u - 1.0)
    return np.asarray(np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0]))


# By integration: V = a²/8 + bπ⁴/5 + b²π⁸/18 + 1/2, with a = 7 and b = 0.1.
FIRST = 0.5 * (1.0 + 0.1 * np.pi**4 / 5.0) ** 2
SECOND = 49.0 / 8.0
MIXED = 8.0 * 0.01 * np.pi**8 / 225.0
WHOLE = 49.0 / 8.0 + 0.1 * np.pi**4 / 5.0 + 0.01 * np.pi**8 / 18.0 + 0.5
ISHIGAMI_FIRST = np.array([FIRST, SECOND, 0.0, 0.0]) / WHOLE
ISHIGAMI_TOTAL = np.array([FIRST + MIXED, SECOND, MIXED, 0.0]) / WHOLE


def saltelli(samples: int, factors: int, rng: np.random.Generator) -> Array:
    """A, A with one column of B, B: row by row, of scrambled Sobol points."""
    points = qmc.Sobol(2 * factors, rng=rng).random(samples)
    a, b = points[:, :factors], points[:, factors:]
    rows = []
    for first, second in zip(a, b, strict=True):
        rows.append(first)
        for index in range(factors):
            mixed = first.copy()
            mixed[index] = second[index]
            rows.append(mixed)
        rows.append(second)
    return np.array(rows)


def noisy(g: Array, draws: int, rng: np.random.Generator, size: float) -> Array:
    """Outcomes of expectation g: noise that points share, of their own, and that grows with the outcome."""
    shared = rng.normal(size=(2, draws))
    own = rng.normal(size=(len(g), draws))
    return np.asarray(g[:, None] + size * (5.0 * shared[0] + 0.1 * g[:, None] * shared[1] + own))


def ones(sets: int) -> NDArray[np.int64]:
    """Sizes of sets of one draw."""
    return np.ones(sets, np.int64)


def numbers(shares: list, part: str = "value") -> Array:
    return np.array([getattr(share, part) for share in shares])


def holds(shares: list, truth: Array | float) -> NDArray[np.bool_]:
    """Whether intervals hold the truth."""
    return np.asarray((numbers(shares, "low") <= truth) & (truth <= numbers(shares, "high")))


def least_coverage(trials: int) -> int:
    """Fewest intervals of 95% that hold the truth, but for the error rate."""
    return int(binom.ppf(ERROR_RATE, trials, 0.95))


# --- Noise -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draws", [2, 3, 9])
def test_cross_set_is_the_mean_over_pairs_of_different_draws(draws: int) -> None:
    y = np.random.default_rng(draws).normal(size=(5, draws)) + 100.0
    form = np.random.default_rng(1).normal(size=(5, 5))
    form = form + form.T
    pairs = [y[:, m] @ form @ y[:, n] for m, n in itertools.permutations(range(draws), 2)]
    of_mean = y.mean(axis=1) @ form @ y.mean(axis=1)
    of_draws = np.mean([y[:, m] @ form @ y[:, m] for m in range(draws)])
    assert float(cross_set(of_mean, of_draws, draws)) == pytest.approx(np.mean(pairs), rel=1e-9)


def test_variances_are_unbiased_under_noise_that_points_share() -> None:
    """On a fixed design the variance without noise is that of the expectations; the plain one is not."""
    rng = np.random.default_rng(11)
    u = saltelli(16, 4, rng)
    g = ishigami(u)
    rows = g.reshape(16, 6)[:, [0, -1]]
    truth = rows.var()
    weights = resample(ones(6), 16, resamples=2)
    found, noise = [], []
    for _ in range(2000):
        indices = sobol_indices(noisy(g, 6, rng, 3.0), 4, weights)
        found.append(indices.variance.value)
        noise.append(indices.variance.noise)
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - truth) < DEVIATES * error
    # Otherwise this test would show nothing.
    assert np.mean(noise) > 20 * error


def test_grid_variances_are_unbiased_under_noise() -> None:
    rng = np.random.default_rng(12)
    levels = np.array(list(itertools.product(range(3), range(2), range(2))), dtype=float)
    g = levels[:, 0] * 2.0 + levels[:, 1] * levels[:, 0] + 0.0 * levels[:, 2]
    cells = g.reshape(3, 2, 2)
    truth = [cells.mean(axis=(1, 2)).var(), cells.mean(axis=(0, 2)).var(), cells.mean(axis=(0, 1)).var()]
    weights = resample(ones(6), resamples=20)
    found = []
    for _ in range(600):
        indices = grid_indices(noisy(g, 6, rng, 0.5), (3, 2, 2), weights)
        if not indices.variance.resolved:
            continue
        found.append(numbers(indices.first) * indices.variance.value)
    assert len(found) == 600
    errors = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - truth) < DEVIATES * errors).all()


def test_the_error_of_a_mean_is_the_known_one() -> None:
    y = np.random.default_rng(3).normal(size=40)
    weights = resample(ones(40), resamples=20_000)
    found = estimate(y @ weights.sets, weights)
    assert found.value == pytest.approx(y.mean())
    # The bootstrap's own error at 20,000 resamples is half a percent.
    assert found.error == pytest.approx(y.std(ddof=1) / np.sqrt(40), rel=0.03)


# --- Sobol -------------------------------------------------------------------------------------------------


def test_without_noise_the_indices_are_those_of_salib() -> None:
    u = saltelli(128, 4, np.random.default_rng(5))
    g = ishigami(u)
    found = sobol_indices(np.repeat(g[:, None], 3, axis=1), 4, resample(ones(3), 128))
    problem = {"num_vars": 4, "names": list("abcd"), "bounds": [[0.0, 1.0]] * 4}
    expected = salib_sobol.analyze(problem, g, calc_second_order=False, num_resamples=2, seed=1)
    np.testing.assert_allclose(numbers(found.first), expected["S1"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(numbers(found.total), expected["ST"], rtol=1e-9, atol=1e-12)
    # Of the sample's variance: no draw differs from another.
    assert found.variance.noise == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_ishigami(noise: float) -> None:
    rng = np.random.default_rng(21)
    y = noisy(ishigami(saltelli(2048, 4, rng)), 8, rng, noise)
    found = sobol_indices(y, 4, resample(ones(8), 2048, resamples=200))
    for shares, truth in ((found.first, ISHIGAMI_FIRST), (found.total, ISHIGAMI_TOTAL)):
        off = np.abs(numbers(shares) - truth)
        assert (off <= DEVIATES * numbers(shares, "error") + 1e-12).all()
        # 2,048 rows of quasi-random points are worth that much.
        assert (off < 0.03).all()
    if noise == 0.0:
        assert found.total[3].value == 0.0
        assert found.total[3].error == 0.0


def test_noise_alone_is_not_taken_for_a_total_index() -> None:
    """The fourth factor has no effect; what SALib makes of the means over draws gives it a large one."""
    rng = np.random.default_rng(31)
    u = saltelli(64, 4, rng)
    g = ishigami(u)
    problem = {"num_vars": 4, "names": list("abcd"), "bounds": [[0.0, 1.0]] * 4}
    plain, taken_out = [], []
    for _ in range(200):
        y = g[:, None] + 4.0 * rng.normal(size=(len(g), 8))
        found = sobol_indices(y, 4, resample(ones(8), 64, resamples=20))
        taken_out.append(found.total[3].value)
        analyzed = salib_sobol.analyze(
            problem, y.mean(axis=1), calc_second_order=False, num_resamples=2, seed=1
        )
        plain.append(analyzed["ST"][3])
    error = np.std(taken_out) / np.sqrt(len(taken_out))
    assert abs(np.mean(taken_out)) < DEVIATES * error
    # Noise of 4² / 8 beside a variance of about 13.8.
    assert np.mean(plain) == pytest.approx(2.0 / 15.8, rel=0.3)


def test_sobol_intervals_cover() -> None:
    """95% intervals of every index, on the design that studies use, under noise: at least 95%."""
    rng = np.random.default_rng(41)
    trials = 500
    hits = np.zeros((2, 4))
    for _ in range(trials):
        y = noisy(ishigami(saltelli(ENOUGH_ROWS, 4, rng)), 10, rng, 2.0)
        weights = resample(ones(10), ENOUGH_ROWS, resamples=200, seed=int(rng.integers(2**31)))
        found = sobol_indices(y, 4, weights)
        for row, (shares, truth) in enumerate(((found.first, ISHIGAMI_FIRST), (found.total, ISHIGAMI_TOTAL))):
            hits[row] += holds(shares, truth)
    assert (hits >= least_coverage(trials)).all(), hits / trials


def test_an_outcome_without_variance_has_no_indices() -> None:
    rng = np.random.default_rng(51)
    only_noise = rng.normal(size=(64 * 4, 16))
    found = sobol_indices(only_noise, 2, resample(ones(16), 64))
    assert not found.variance.resolved
    assert np.isnan(numbers(found.total)).all()
    shared = np.repeat(rng.normal(size=(1, 16)), 64 * 4, axis=0)
    found = sobol_indices(shared, 2, resample(ones(16), 64))
    assert found.variance.value == 0.0
    assert (numbers(found.total) == 0.0).all()


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_indices_do_not_depend_on_the_unit(unit: float) -> None:
    rng = np.random.default_rng(52)
    y = noisy(ishigami(saltelli(32, 3, rng)), 8, rng, 1.0)
    weights = resample(ones(8), 32, resamples=50)
    ours, theirs = sobol_indices(y, 3, weights), sobol_indices(y * unit + 5.0 * unit, 3, weights)
    np.testing.assert_allclose(numbers(theirs.total), numbers(ours.total), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(numbers(theirs.first, "error"), numbers(ours.first, "error"), rtol=1e-6)


# --- Grid --------------------------------------------------------------------------------------------------


def test_a_grid_splits_the_variance_exactly() -> None:
    """x, y and their product on a balanced grid: 4, 1 and 1 parts, by hand."""
    levels = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    g = 2.0 * levels[:, 0] + levels[:, 1] + levels[:, 0] * levels[:, 1]
    found = grid_indices(np.repeat(g[:, None], 4, axis=1), (2, 2, 2), resample(ones(4)))
    np.testing.assert_allclose(numbers(found.first), [4 / 6, 1 / 6, 0.0], atol=1e-12)
    np.testing.assert_allclose(numbers(found.total), [5 / 6, 2 / 6, 0.0], atol=1e-12)
    assert found.variance.value == pytest.approx(6.0)


@pytest.mark.parametrize("draws", [8, 20])
def test_grid_intervals_cover(draws: int) -> None:
    rng = np.random.default_rng(draws)
    levels = np.array(list(itertools.product(range(3), range(2))), dtype=float)
    g = levels[:, 0] + levels[:, 1] * (levels[:, 0] - 1.0)
    cells = g.reshape(3, 2)
    first = np.array([cells.mean(axis=1).var(), cells.mean(axis=0).var()]) / cells.var()
    total = np.array([cells.var(axis=0).mean(), cells.var(axis=1).mean()]) / cells.var()
    trials = 1500
    hits = np.zeros((2, 2))
    for _ in range(trials):
        y = noisy(g, draws, rng, 0.5)
        found = grid_indices(y, (3, 2), resample(ones(draws), resamples=200, seed=int(rng.integers(2**31))))
        hits[0] += holds(found.first, first)
        hits[1] += holds(found.total, total)
    assert (hits >= least_coverage(trials)).all(), hits / trials


def test_level_effects_of_an_inert_factor_are_exactly_zero() -> None:
    rng = np.random.default_rng(61)
    levels = np.array(list(itertools.product(range(3), range(3))))
    y = rng.normal(size=(3, 1, 7)) + np.zeros((3, 3, 7))  # the second factor changes nothing
    effect = level_effects(y.reshape(9, 7), levels[:, 1], matched=True)
    assert (effect.value == 0.0).all()
    assert (effect.error == 0.0).all()
    active = level_effects(y.reshape(9, 7), levels[:, 0], matched=True)
    np.testing.assert_allclose(active.value, (y[1:, 0] - y[0, 0]).mean(axis=-1), rtol=1e-12)


def test_paired_differences_cover_and_cancel_what_is_shared() -> None:
    rng = np.random.default_rng(71)
    trials, hits = 3000, 0
    for _ in range(trials):
        shared = 100.0 * rng.normal(size=8)
        y = np.stack([shared, shared + 1.0 + rng.normal(size=8)])
        effect = differences(y)
        assert effect.error[1] < 3.0
        hits += effect.low[1] <= 1.0 <= effect.high[1]
    # Student's interval is exact here: not more than 95% either.
    low, high = binom.ppf([ERROR_RATE / 2, 1 - ERROR_RATE / 2], trials, 0.95)
    assert low <= hits <= high


# --- Regression --------------------------------------------------------------------------------------------


def test_without_noise_coefficients_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(81)
    x = qmc.LatinHypercube(3, rng=rng).random(60) * np.array([1.0, 100.0, 0.01])
    g = 2.0 * x[:, 0] - 0.03 * x[:, 1] + 0.0 * x[:, 2]
    found = regression(x, np.repeat(g[:, None], 2, axis=1), resample(ones(2), 60, resamples=20))
    expected = np.array([2.0, -0.03, 0.0]) * x.std(axis=0, ddof=1) / g.std(ddof=1)
    np.testing.assert_allclose(numbers(found.coefficients), expected, rtol=1e-9, atol=1e-12)
    assert found.explained.value == pytest.approx(1.0)


def test_regression_intervals_cover_and_noise_does_not_weaken_coefficients() -> None:
    rng = np.random.default_rng(82)
    slopes = np.array([1.0, -0.5, 0.0])
    truth = slopes / np.sqrt((slopes**2).sum())
    trials, hits, found = 300, np.zeros(3), []
    for _ in range(trials):
        x = qmc.LatinHypercube(3, rng=rng).random(50)
        y = noisy(x @ slopes, 10, rng, 0.5)
        fitted = regression(x, y, resample(ones(10), 50, resamples=60, seed=int(rng.integers(2**31))))
        found.append(numbers(fitted.coefficients))
        hits += holds(fitted.coefficients, truth)
    assert (hits >= least_coverage(trials)).all(), hits / trials
    # The noise is a third of the variance of means; standardized by it all, the first would be 0.73.
    assert np.mean(found, axis=0)[0] == pytest.approx(truth[0], abs=0.05)


# --- Morris ------------------------------------------------------------------------------------------------


def trajectories(count: int, factors: int, rng: np.random.Generator) -> Array:
    """Four levels, steps of two thirds, in a random order and direction."""
    rows = []
    for _ in range(count):
        low = rng.integers(0, 2, factors) / 3.0
        up = rng.random(factors) < 0.5
        x = np.where(up, low, low + 2.0 / 3.0)
        rows.append(x.copy())
        for factor in rng.permutation(factors):
            x[factor] += 2.0 / 3.0 if up[factor] else -2.0 / 3.0
            rows.append(x.copy())
    return np.array(rows)


def test_elementary_effects_of_a_linear_model_are_its_slopes() -> None:
    rng = np.random.default_rng(91)
    x = trajectories(6, 4, rng)
    slopes = np.array([3.0, -2.0, 0.5, 0.0])
    effects = elementary_effects(x, (x @ slopes)[:, None])
    np.testing.assert_allclose(effects[..., 0], np.tile(slopes, (6, 1)), atol=1e-12)


def model_of_three(x: Array) -> Array:
    """Linear in the first, an interaction of the first two, nothing of the third."""
    return np.asarray(3.0 * x[:, 0] + 4.0 * (x[:, 0] - 0.5) * (x[:, 1] - 0.5) + 0.0 * x[:, 2])


def test_without_noise_morris_is_salib() -> None:
    x = trajectories(12, 3, np.random.default_rng(92))
    g = model_of_three(x)
    found = morris_screening(x, np.repeat(g[:, None], 5, axis=1), resample(ones(5), 12, resamples=20))
    problem = {"num_vars": 3, "names": list("abc"), "bounds": [[0.0, 1.0]] * 3}
    expected = salib_morris.analyze(problem, x, g, num_levels=4, num_resamples=2, seed=1)
    np.testing.assert_allclose(numbers(found.mu), np.asarray(expected["mu"]), atol=1e-12)
    np.testing.assert_allclose(numbers(found.mu_star), np.asarray(expected["mu_star"]), atol=1e-12)
    np.testing.assert_allclose(found.sigma[0], np.asarray(expected["sigma"]), atol=1e-7)
    assert found.mu_star[2].value == 0.0
    assert found.mu_star[2].error == 0.0


def test_noise_alone_has_no_size() -> None:
    """The third factor has no effect, the first a large one: neither is raised or lowered by noise."""
    rng = np.random.default_rng(93)
    x = trajectories(12, 3, rng)
    g = model_of_three(x)
    sizes, raw, squares, hits = [], [], [], 0
    trials = 300
    for _ in range(trials):
        y = g[:, None] + rng.normal(size=(len(g), 8))
        found = morris_screening(x, y, resample(ones(8), 12, resamples=100, seed=int(rng.integers(2**31))))
        sizes.append(numbers(found.mu_star))
        raw.append(np.abs(elementary_effects(x, y.mean(axis=1, keepdims=True))[..., 0]).mean(axis=0))
        squares.append(found.sigma[0])
        hits += holds(found.mu_star[2:], 0.0)[0]
    error = np.std(sizes, axis=0) / np.sqrt(trials)
    assert abs(np.mean(sizes, axis=0)[2]) < DEVIATES * error[2]
    assert np.mean(raw, axis=0)[2] > 0.3
    effects = elementary_effects(x, g[:, None])[..., 0]
    assert np.mean(sizes, axis=0)[0] == pytest.approx(np.abs(effects[:, 0]).mean(), abs=0.05)
    assert hits >= least_coverage(trials)
    # Where the effect is the same everywhere, noise must not look like an interaction.
    assert np.mean(squares, axis=0)[2] < 0.5 * np.mean([each[2] for each in raw])


# --- Verdicts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("judge", "numbers", "words"),
    [
        (verdicts.of_effect, (0.0, 0.0, 0.0, 0.0), "exactly zero: the same in every draw"),
        (verdicts.of_effect, (1.0, 1.0, -1.0, 3.0), "indistinguishable from zero"),
        (verdicts.of_effect, (-3.0, 1.0, -5.0, -1.0), "lowers it"),
        (verdicts.of_effect, (np.nan, np.nan, np.nan, np.nan), "not defined"),
        (verdicts.of_share, (-0.01, 0.01, -0.03, 0.01), "indistinguishable from zero"),
        (verdicts.of_share, (0.1, 0.2, -0.3, 0.5), "indistinguishable from zero; at most 50%"),
        (verdicts.of_share, (0.1, 0.2, -0.3, 1.4), "indistinguishable from zero; at most 100%"),
        (verdicts.of_share, (0.3, 0.05, 0.2, 0.4), "matters"),
        (verdicts.of_share, (0.9, 0.05, 0.8, 1.0), "dominates"),
        (verdicts.of_share, (np.nan, np.nan, np.nan, np.nan), "cannot be told"),
        (verdicts.of_size, (0.1, 0.2, -0.3, 0.5), "indistinguishable from zero"),
        (verdicts.of_size, (0.1, 0.02, 0.06, 0.14), "more than zero"),
        (verdicts.of_share, (0.02, 0.005, 0.01, 0.03), "more than zero, but little"),
    ],
)
def test_verdicts(judge: Callable[..., verdicts.Verdict], numbers: tuple[float, ...], words: str) -> None:
    assert str(judge(*numbers)) == words
