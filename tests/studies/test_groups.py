"""Indices of groups of factors and of chance: against models whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, qmc

from asmrisk.studies.indices import ENOUGH_ROWS, GroupIndices, group_indices
from asmrisk.studies.noise import resample

Array = NDArray[np.float64]

#: Probability that a right program fails one statistical test.
ERROR_RATE = 1e-4

# Ishigami's function of uniforms, in groups {1, 3} and {2}, and a fourth uniform in (-1, 1) added. Of the
# variance, by integration: what the first group has (with all interactions, which lie within it), the second,
# and the third, which is little.
PARTS = 0.5 + 0.1 * np.pi**4 / 5.0 + 0.01 * np.pi**8 / 18.0, 49.0 / 8.0, 1.0 / 3.0
GROUPS = [[0, 1], [2], [3]]


def outcomes(u: Array, chance: Array, size: float, interaction: float) -> Array:
    """Ishigami's function, the fourth, a shift by chance, and a product of chance and the first."""
    x = np.pi * (2.0 * u - 1.0)
    g = np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 2]) ** 2 + 0.1 * x[:, 1] ** 4 * np.sin(x[:, 0])
    g += x[:, 3] / np.pi
    return np.asarray(g[:, None] + size * chance[0] + interaction * x[:, :1] / np.pi * chance[1])


def truth(size: float, interaction: float) -> Array:
    """First and total indices of the groups and of chance, a standard normal's."""
    first = np.array([*PARTS, size**2])
    product = interaction**2 / 3.0
    return np.array([first, first + product * np.array([1.0, 0.0, 0.0, 1.0])]) / (first.sum() + product)


def design(rows: int, groups: list[list[int]], rng: np.random.Generator) -> Array:
    """A, A with the columns of each group of B, B: row by row, of scrambled Sobol points."""
    count = sum(map(len, groups))
    points = qmc.Sobol(2 * count, rng=rng).random(rows)
    a, b = points[:, :count], points[:, count:]
    found = []
    for one, other in zip(a, b, strict=True):
        mixed = [np.where(np.isin(np.arange(count), group), other, one) for group in groups]
        found += [one, *mixed, other]
    return np.array(found)


def shares(found: GroupIndices, part: str = "value") -> Array:
    return np.array([[getattr(each, part) for each in some] for some in (found.first, found.total)])


def least_coverage(trials: int) -> int:
    """Fewest intervals of 95% that hold the truth, but for the error rate."""
    return int(binom.ppf(ERROR_RATE, trials, 0.95))


def coverage(draws: int, size: float, interaction: float, trials: int, per_set: int = 1) -> Array:
    """Share of intervals that hold the truth, of first and total indices and of the fall of the SD."""
    rng = np.random.default_rng([draws, trials, per_set])
    expected, hits = truth(size, interaction), np.zeros((3, 4))
    sd = np.sqrt(sum(PARTS) + size**2 + interaction**2 / 3.0)
    for _ in range(trials):
        # With sets of draws, chance is what the set has in common.
        chance = np.repeat(rng.normal(size=(2, draws)), per_set, axis=1)
        y = outcomes(design(ENOUGH_ROWS, GROUPS, rng), chance, size, interaction)
        sizes = np.full(draws, per_set)
        weights = resample(sizes, ENOUGH_ROWS, resamples=200, seed=int(rng.integers(2**31)))
        found = group_indices(y, 3, weights)
        hits[:2] += (shares(found, "low") <= expected) & (expected <= shares(found, "high"))
        falls = sd * (1.0 - np.sqrt(1.0 - expected[0]))
        hits[2] += [each.low <= fall <= each.high for each, fall in zip(found.fall, falls, strict=True)]
    hits[2, 3] = trials  # Nobody can know chance.
    return hits


def test_indices_are_those_of_the_model() -> None:
    """With many rows and draws; groups without interaction have equal indices, an inert one exactly zero."""
    rng = np.random.default_rng(1)
    u = design(1024, [*GROUPS, [4]], rng)
    found = group_indices(
        outcomes(u, rng.normal(size=(2, 400)), 2.0, 3.0), 4, resample(np.ones(400, int), 1024, 60)
    )
    off = shares(found)[:, [0, 1, 2, 4]] - truth(2.0, 3.0)
    assert (np.abs(off) < 4.5 * shares(found, "error")[:, [0, 1, 2, 4]]).all()
    assert (np.abs(off) < 0.04).all()
    assert {*found.first[3], *found.total[3], *found.fall[3]} == {0.0}
    assert found.variance.value == pytest.approx(sum(PARTS) + 4.0 + 3.0, rel=0.08)
    assert np.isnan(found.fall[4].value)
    # What is known better of the total index bounds the first.
    assert found.first[2].high <= found.total[2].high


def test_every_estimate_is_a_mean_of_products_of_draws_frozen_or_exchanged() -> None:
    """Against sums over pairs of draws, written out."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=(6 * 3, 4)) + 50.0
    rows = (y - y.mean()).reshape(6, 3, 4)
    a, mixed, b = rows[:, 0], rows[:, 1], rows[:, 2]
    sets = [[0, 1], [2], [3]]
    of_set = {draw: place for place, some in enumerate(sets) for draw in some}
    pairs = [(m, n) for m in range(4) for n in range(4) if of_set[m] != of_set[n]]
    center = ((a + b) / 2.0).mean(axis=0)
    square_of_mean = np.mean([center[m] * center[n] for m, n in pairs])
    squares = ((a**2 + b**2) / 2.0).mean()
    whole = squares - square_of_mean
    change = mixed - a
    points_mean = rows.reshape(-1, 4).mean(axis=0)
    by_set = np.array([points_mean[some].mean() for some in sets])
    first = np.mean([((b[:, m] - by_set[of_set[m]]) * change[:, n]).mean() for m, n in pairs])
    means = a.mean(axis=0), b.mean(axis=0)
    of_chance = (means[0] * means[1]).mean() - np.mean([means[0][m] * means[1][n] for m, n in pairs])
    apart = np.mean([(a[:, m] * a[:, n] + b[:, m] * b[:, n]).mean() / 2.0 for m, n in pairs])
    found = group_indices(y, 1, resample(np.array([2, 1, 1]), 6, resamples=20))
    assert found.variance.value == pytest.approx(whole, rel=1e-9)
    expected = np.array([[first, of_chance], [(change**2).mean() / 2.0, squares - apart]]) / whole
    np.testing.assert_allclose(shares(found), expected, rtol=1e-8, atol=1e-12)
    assert found.fall[0].value == pytest.approx(np.sqrt(whole) - np.sqrt(whole - first), rel=1e-8)


def test_what_cannot_be_told_or_does_not_vary() -> None:
    weights = resample(np.ones(8, int), 16, resamples=20)
    shared = np.repeat(np.random.default_rng(3).normal(size=(1, 8)), 16 * 4, axis=0)
    found = group_indices(shared, 2, weights)
    # Chance alone: all of the variance is its own.
    assert (found.first[0].value, found.total[1].value) == (0.0, 0.0)
    np.testing.assert_allclose(shares(found)[:, 2], 1.0)
    still = group_indices(np.full((16 * 4, 8), 3.0), 2, weights)
    assert (shares(still) == 0.0).all()
    unvaried = group_indices(shared, 2, weights, np.array([False, True]))
    assert np.isnan(shares(unvaried)[:, 0]).all()


def test_intervals_cover() -> None:
    hits = coverage(8, 1.0, 2.0, 60)
    assert (hits >= least_coverage(60)).all(), hits / 60


@pytest.mark.long
@pytest.mark.parametrize("per_set", [1, 2])
@pytest.mark.parametrize(("size", "interaction"), [(1.0, 0.0), (1.0, 2.0), (0.0, 2.0), (10.0, 0.0)])
@pytest.mark.parametrize("draws", [8, 32])
def test_intervals_cover_in_many_trials(draws: int, size: float, interaction: float, per_set: int) -> None:
    hits = coverage(draws, size, interaction, 400, per_set)
    assert (hits >= least_coverage(400)).all(), hits / 400
