"""Shares of variance: first and total indices, from a sample (Sobol) and from a full grid.

The first index of a factor is the share of the outcome's variance over the design that goes with it alone,
the total index the share that also has its interactions. Both are ratios of quadratic forms of the outcomes'
expectations, each estimated without the Monte Carlo noise (`asmrisk.studies.noise`).

Where factors are in groups, chance is one more input, and shares are of the variance of one draw's outcome.
All points share their draws, so pick-freeze needs no further point: chance is frozen in products of the same
draw, and exchanged in products of draws of different sets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.studies.noise import (
    UNKNOWN_ESTIMATE,
    ZERO_ESTIMATE,
    NoiseFreeEstimate,
    Resamples,
    cross_set,
    estimate,
    means_of_sets,
)

__all__ = [
    *("ENOUGH_ROWS", "GroupIndices", "Indices", "Variance"),
    *("grid_indices", "group_indices", "relative", "sobol_indices", "variance_of"),
]

_Array = NDArray[np.float64]

#: From so many rows on, 95% intervals of Sobol indices cover at least 95% (tried on Ishigami's function; with
#: 32 rows, those of one index cover 82%).
ENOUGH_ROWS = 128


class Variance(NamedTuple):
    """Variance of an outcome's expectation over a design, without noise."""

    value: float
    error: float  #: standard error
    low: float  #: lower end of the interval
    noise: float  #: variance that Monte Carlo noise adds to that of the means over draws

    @property
    def resolved(self) -> bool:
        """Whether the interval lies above zero, so that shares of the variance have a meaning."""
        return self.low > 0.0


class Indices(NamedTuple):
    """Shares of the variance over a design, by factor; unknown where it cannot be told from zero."""

    first: list[NoiseFreeEstimate]
    total: list[NoiseFreeEstimate]
    variance: Variance


class GroupIndices(NamedTuple):
    """Shares of the variance of one draw's outcome, by group of factors; the last are those of chance."""

    first: list[NoiseFreeEstimate]
    total: list[NoiseFreeEstimate]
    #: How much smaller its standard deviation would be, were the group known; unknown of chance.
    fall: list[NoiseFreeEstimate]
    variance: Variance  #: of one draw's outcome, all inputs drawn


def relative(y: _Array) -> tuple[_Array, float]:
    """Give outcomes relative to one point, since noise that all share is no variance, and their unit."""
    changes = y - y[0]
    scale = float(np.abs(changes).max()) or 1.0
    return changes / scale, scale


def variance_of(
    resampled: _Array, of_mean: float, weights: Resamples, scale: float, *, positive: bool = False
) -> Variance:
    """Give a variance with its error: without noise by weight, and `of_mean` with it, both in `scale`²."""
    value, error, low, _ = estimate(resampled, weights, positive=positive)
    return Variance(*(each * scale**2 for each in (value, error, low, of_mean - value)))


def _exchanged(left: _Array, right: _Array, weights: Resamples) -> _Array:
    """Expect the product of two functions of the outcomes, each of shape (rows, sets), in different sets.

    Returns the estimate with each of the weights, of shape (1 + resamples,).
    """
    of_mean = np.einsum("jr,jr,jr->r", left @ weights.sets, right @ weights.sets, weights.rows)
    of_sets = np.einsum("jr,jr->r", (left * right) @ weights.squares, weights.rows)
    return cross_set(of_mean, of_sets, weights.number)


def _product_of_centers(left: _Array, right: _Array, weights: Resamples) -> _Array:
    """Do the same with means over rows, of shape (1 + resamples, sets): one for each of the weights."""
    of_mean = np.einsum("rm,mr->r", left, weights.sets) * np.einsum("rm,mr->r", right, weights.sets)
    return cross_set(of_mean, np.einsum("rm,mr->r", left * right, weights.squares), weights.number)


def _shares(
    changes: _Array,
    varied: NDArray[np.bool_] | None,
    resolved: bool,
    estimated: Callable[[_Array], tuple[NoiseFreeEstimate, ...]],
) -> list[tuple[NoiseFreeEstimate, ...]]:
    """Estimate what is told of each group from its changes, of shape (rows, groups, …), where it can be."""
    found: list[tuple[NoiseFreeEstimate, ...]] = []
    for k in range(changes.shape[1]):
        change = changes[:, k]
        if varied is not None and not varied[k]:
            found.append((UNKNOWN_ESTIMATE,) * 3)
        elif not change.any():
            found.append((ZERO_ESTIMATE,) * 3)
        else:
            found.append(estimated(change) if resolved else (UNKNOWN_ESTIMATE,) * 3)
    return found


def sobol_indices(
    y: _Array, factors: int, weights: Resamples, varied: NDArray[np.bool_] | None = None
) -> Indices:
    """Estimate Sobol indices from Saltelli's design.

    Parameters
    ----------
    y : ndarray of float64, shape (rows × (factors + 2), sets)
        Mean outcome of each parameter set, in each row of the design that of A, of A with one column of B for
        each factor, and of B.
    factors : int
        Number of factors.
    weights : Resamples
        For rows and sets.
    varied : ndarray of bool, shape (factors,), optional
        Whether a factor takes another value in any row of its column of B than in A; a factor of few values
        may not in a small sample, and then nothing can be told of it.

    Returns
    -------
    Indices
        By the estimators of Saltelli et al. (Computer Physics Communications 181, 2010: for the first index
        theirs, for the total index Jansen's), without noise. Outcomes are centered set by set. Errors treat
        rows as independent, which is conservative for `ENOUGH_ROWS` or more quasi-random points, but not
        always for fewer.
    """
    changes, scale = relative(y)
    rows = changes.reshape(-1, factors + 2, y.shape[1])
    rows = rows - rows.mean(axis=(0, 1))
    a, mixed, b = rows[:, 0], rows[:, 1:-1], rows[:, -1]
    # The variance over the points of A and B: their mean square, less the square of their mean.
    center = weights.rows.T @ ((a + b) / 2.0)
    squares = (_exchanged(a, a, weights) + _exchanged(b, b, weights)) / 2.0
    spread = squares - _product_of_centers(center, center, weights)
    with_noise = float((((a @ weights.sets[:, 0]) ** 2 + (b @ weights.sets[:, 0]) ** 2) / 2.0).mean())
    with_noise -= float(center[0] @ weights.sets[:, 0]) ** 2
    over = variance_of(spread, with_noise, weights, scale)

    def indices(change: _Array) -> tuple[NoiseFreeEstimate, ...]:
        parts = _exchanged(b, change, weights), _exchanged(change, change / 2.0, weights)
        return tuple(estimate(each / spread, weights) for each in parts)

    found = _shares(mixed - a[:, np.newaxis], varied, over.resolved, indices)
    return Indices([each[0] for each in found], [each[1] for each in found], over)


def group_indices(
    y: _Array, groups: int, weights: Resamples, varied: NDArray[np.bool_] | None = None
) -> GroupIndices:
    """Estimate first and total indices of groups of factors and of chance, from Saltelli's design.

    Parameters
    ----------
    y : ndarray of float64, shape (rows × (groups + 2), draws)
        Outcomes, in each row of the design those of A, of A with a group's columns of B for each group, and
        of B.
    groups : int
        Number of groups.
    weights : Resamples
        For rows and sets of draws.
    varied : ndarray of bool, shape (groups,), optional
        As for `sobol_indices`.

    Returns
    -------
    GroupIndices
        Of f(X, W), with W all that differs between draws, as shares of the variance of one draw's outcome. X
        are the factors, which are exchanged by taking them from B. W is exchanged by taking another set of
        draws, and frozen by taking the same draw. The first index of a group is E[f(B, W) f(A with the
        group's columns of B, W')] less the square of the mean, its total index half of E[(f(A, W) - f(A with
        the group's columns of B, W))²]. The first index of chance is E[f(A, W) f(B, W)] less the square of
        the mean, its total index E[var(f | X)]. None of these has a bias by noise. Intervals of first indices
        end where those of total ones do, if not before. All draws are the same at all points, so what is told
        of chance rests on as many numbers as there are sets: its intervals are symmetric in the logarithm,
        and hold the truth in 95% of cases from eight draws on.
    """
    changes = y - y.mean()
    scale = float(np.abs(changes).max()) or 1.0
    rows = (changes / scale).reshape(-1, groups + 2, y.shape[1])
    a, mixed, b = rows[:, 0], rows[:, 1:-1], rows[:, -1]
    sizes = weights.sizes

    def frozen(left: _Array, right: _Array) -> _Array:
        means = means_of_sets(left * right, sizes) @ weights.sets
        return np.asarray(np.einsum("jr,jr->r", means, weights.rows))

    squares = (frozen(a, a) + frozen(b, b)) / 2.0
    of_a, of_b = (means_of_sets(each, sizes) for each in (a, b))
    center = weights.rows.T @ ((of_a + of_b) / 2.0)
    whole = squares - _product_of_centers(center, center, weights)
    over = variance_of(whole, float("nan"), weights, scale, positive=True)
    centered = of_b - means_of_sets(rows, sizes).mean(axis=(0, 1))

    def indices(change: _Array) -> tuple[NoiseFreeEstimate, ...]:
        alone = _exchanged(centered, means_of_sets(change, sizes), weights)
        first, total = (estimate(each / whole, weights) for each in (alone, frozen(change, change / 2.0)))
        sd = np.sqrt(whole) * scale
        fall = estimate(sd - np.sqrt(np.maximum(whole - alone, 0.0)) * scale, weights)
        # No first index is larger than the total one, which is known better where both are small.
        first = first.at_most(total.high)
        ends = (sd[0] * (1.0 - np.sqrt(1.0 - min(end, 1.0))) for end in (first.low, first.high))
        return first, total, fall._replace(**dict(zip(("low", "high"), ends, strict=True)))

    found = _shares(mixed - a[:, np.newaxis], varied, over.resolved, indices)
    if not (y != y[:, :1]).any():
        found.append((ZERO_ESTIMATE, ZERO_ESTIMATE, UNKNOWN_ESTIMATE))
    elif not over.resolved:
        found.append((UNKNOWN_ESTIMATE,) * 3)
    else:
        left, right = weights.rows.T @ a, weights.rows.T @ b
        together = means_of_sets(left * right, sizes)
        apart = _product_of_centers(means_of_sets(left, sizes), means_of_sets(right, sizes), weights)
        parts = (
            np.einsum("rm,mr->r", together, weights.sets) - apart,
            squares - (_exchanged(of_a, of_a, weights) + _exchanged(of_b, of_b, weights)) / 2.0,
        )
        shares = (estimate(each / whole, weights, positive=True) for each in parts)
        found.append((*shares, UNKNOWN_ESTIMATE))
    first, total, fall = (list(each) for each in zip(*found, strict=True))
    return GroupIndices(first, total, fall, over)


def grid_indices(y: _Array, shape: tuple[int, ...], weights: Resamples) -> Indices:
    """Split the variance over a full grid.

    Parameters
    ----------
    y : ndarray of float64, shape (points, sets)
        Mean outcome of each parameter set, the last factor's level changing fastest.
    shape : tuple of int
        Levels of each factor.
    weights : Resamples
        For sets; the grid itself is no sample.

    Returns
    -------
    Indices
        Every level counts alike: the first index is the variance of the level means, the total index the mean
        variance along the factor, over the variance of all points (the analysis of variance of a balanced
        grid).
    """
    changes, scale = relative(y)
    axes = tuple(range(len(shape)))

    def forms(columns: _Array) -> _Array:
        """Variance, and for each factor the variance of its level means and the mean variance along it."""
        cells = columns.reshape(*shape, -1)
        rows = [cells.var(axis=axes)]
        for axis in axes:
            rows.append(cells.mean(axis=tuple(each for each in axes if each != axis)).var(axis=0))
            along = cells - cells.take([0], axis=axis)
            rows.append(along.var(axis=axis).mean(axis=axes[:-1]))
        return np.stack(rows)

    of_mean, of_sets = forms(changes @ weights.sets), forms(changes)
    resampled = cross_set(of_mean, of_sets @ weights.squares, weights.number)
    over = variance_of(resampled[0], float(of_mean[0, 0]), weights, scale)
    first: list[NoiseFreeEstimate] = []
    total: list[NoiseFreeEstimate] = []
    for axis in axes:
        for shares, row in ((first, 2 * axis + 1), (total, 2 * axis + 2)):
            if not of_sets[2 * axis + 2].any():
                shares.append(ZERO_ESTIMATE)
            elif not over.resolved:
                shares.append(UNKNOWN_ESTIMATE)
            else:
                shares.append(estimate(resampled[row] / resampled[0], weights))
    return Indices(first, total, over)
