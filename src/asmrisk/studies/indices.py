"""Shares of variance: first and total indices, from a sample (Sobol) and from a full grid.

The first index of a factor is the share of the outcome's variance over the design that goes with it alone,
the total index the share that also has its interactions. Both are ratios of quadratic forms of the outcomes'
expectations, each estimated without the Monte Carlo noise (`asmrisk.studies.noise`).
"""

from __future__ import annotations

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
)

__all__ = ["ENOUGH_ROWS", "Indices", "Variance", "grid_indices", "relative", "sobol_indices", "variance_of"]

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


def relative(y: _Array) -> tuple[_Array, float]:
    """Give outcomes relative to one point, since noise that all share is no variance, and their unit."""
    changes = y - y[0]
    scale = float(np.abs(changes).max()) or 1.0
    return changes / scale, scale


def variance_of(resampled: _Array, of_mean: float, weights: Resamples, scale: float) -> Variance:
    """Give a variance with its error: without noise by weight, and `of_mean` with it, both in `scale`²."""
    value, error, reach = estimate(resampled, weights)
    return Variance(*(each * scale**2 for each in (value, error, value - reach, of_mean - value)))


def _products(left: _Array, right: _Array, weights: Resamples) -> _Array:
    """Mean over rows of the products of two functions of the outcomes, each of shape (rows, sets).

    Returns the products of the means over draws, then the means over sets of the products, with each of the
    weights: shape (2, 1 + resamples).
    """
    of_mean = (left @ weights.sets) * (right @ weights.sets)
    of_sets = (left * right) @ weights.squares
    return np.stack([np.einsum("jr,jr->r", each, weights.rows) for each in (of_mean, of_sets)])


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
    squares = (_products(a, a, weights) + _products(b, b, weights)) / 2.0
    centers = weights.rows.T @ ((a + b) / 2.0)
    squares[0] -= np.einsum("rm,mr->r", centers, weights.sets) ** 2
    squares[1] -= np.einsum("rm,mr->r", centers**2, weights.squares)
    spread = cross_set(squares[0], squares[1], weights.number)
    over = variance_of(spread, float(squares[0, 0]), weights, scale)

    def index(left: _Array, right: _Array) -> NoiseFreeEstimate:
        of_mean, of_sets = _products(left, right, weights)
        return estimate(cross_set(of_mean, of_sets, weights.number) / spread, weights)

    first, total = [], []
    for k in range(factors):
        change = mixed[:, k] - a
        if varied is not None and not varied[k]:
            shares = UNKNOWN_ESTIMATE, UNKNOWN_ESTIMATE
        elif not change.any():
            shares = ZERO_ESTIMATE, ZERO_ESTIMATE
        elif not over.resolved:
            shares = UNKNOWN_ESTIMATE, UNKNOWN_ESTIMATE
        else:
            shares = index(b, change), index(change, change / 2.0)
        first.append(shares[0])
        total.append(shares[1])
    return Indices(first, total, over)


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
