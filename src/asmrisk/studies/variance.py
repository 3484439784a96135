"""Shares of variance: first and total indices, from a sample (Sobol) and from a full grid.

The first index of a factor is the share of the outcome's variance over the design that goes with it alone,
the total index the share that also has its interactions. Both are ratios of quadratic forms of the outcomes'
expectations, each estimated without the Monte Carlo noise (`asmrisk.studies.noise`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asmrisk.studies.noise import Resamples, Spread, cross_draw, spread_of

__all__ = ["ENOUGH_ROWS", "Indices", "Share", "Variance", "grid_indices", "sobol_indices"]

_Array = NDArray[np.float64]

#: From so many rows on, 95% intervals of Sobol indices cover at least 95% (tried on Ishigami's function; with
#: 32 rows, those of one index cover 82%).
ENOUGH_ROWS = 128


@dataclass(frozen=True)
class Variance:
    """Variance of an outcome over a design.

    Attributes
    ----------
    value, error : float
        Variance of the outcome's expectation, without noise, and standard error.
    low : float
        Lower end of its interval.
    noise : float
        Variance that Monte Carlo noise adds to that of the means over draws.
    """

    value: float
    error: float
    low: float
    noise: float

    @property
    def resolved(self) -> bool:
        """Whether the interval lies above zero, so that shares of the variance have a meaning."""
        return self.low > 0.0

    @classmethod
    def of(cls, value: float, spread: Spread, noise: float, scale: float) -> Variance:
        """Make it from estimates in a unit of `scale`."""
        low = value - float(spread.reach)
        return cls(*(each * scale**2 for each in (value, float(spread.error), low, noise)))


@dataclass(frozen=True)
class Share:
    """A share of the variance, which noise can make negative.

    Attributes
    ----------
    value, error, reach : float
        Estimate, standard error, and distance to the ends of the interval; NaN where the outcome's variance
        cannot be told from zero. Exactly 0 for a factor that changes no draw.
    """

    value: float
    error: float
    reach: float


@dataclass(frozen=True)
class Indices:
    """Shares of the variance over a design.

    Attributes
    ----------
    first, total : list of Share
        By factor.
    variance : Variance
        Of what they are shares.
    """

    first: list[Share]
    total: list[Share]
    variance: Variance


class _Form:
    """The mean over rows of a product of two linear functions of the outcomes, resampled.

    Parameters
    ----------
    left, right : ndarray of float64, shape (rows, draws)
        The two functions.
    """

    def __init__(self, left: _Array, right: _Array) -> None:
        self.left = left
        self.right = right

    def resampled(self, weights: Resamples) -> _Array:
        """Give the estimate without noise in each resample."""
        n = self.left.shape[1]
        of_mean = (self.left @ weights.draws) * (self.right @ weights.draws)
        of_draws = (self.left * self.right) @ weights.draws
        return cross_draw(
            np.einsum("jr,jr->r", of_mean, weights.rows), np.einsum("jr,jr->r", of_draws, weights.rows), n
        )


def _resampled_variance(y: _Array, weights: Resamples) -> _Array:
    """Variance of the expectations in each resample; `y` has shape (rows, k, draws), pooled over k."""
    n = y.shape[-1]
    squares = np.zeros(weights.draws.shape[1])
    for part in np.moveaxis(y, 1, 0):
        squares += _Form(part, part).resampled(weights) / y.shape[1]
    pooled = y.mean(axis=1)
    sums = weights.rows.T @ pooled  # resamples × draws
    of_mean = np.einsum("rm,mr->r", sums, weights.draws) ** 2
    of_draws = np.einsum("rm,mr->r", sums**2, weights.draws)
    return np.asarray(squares - cross_draw(of_mean, of_draws, n))


def sobol_indices(
    y: _Array, factors: int, weights: Resamples, varied: NDArray[np.bool_] | None = None
) -> Indices:
    """Estimate Sobol indices from Saltelli's design.

    Parameters
    ----------
    y : ndarray of float64, shape (rows × (factors + 2), draws)
        Outcomes, in each row of the design that of A, of A with one column of B for each factor, and of B.
    factors : int
        Number of factors.
    weights : Resamples
        For rows and draws.
    varied : ndarray of bool, shape (factors,), optional
        Whether a factor takes another value in any row of its column of B than in A; a factor of few values
        may not in a small sample, and then nothing can be told of it.

    Returns
    -------
    Indices
        By SALib's estimators (Saltelli et al., Computer Physics Communications 181, 2010: for the first index
        theirs, for the total index Jansen's), applied to the means over draws and to every draw, of which the
        noise's part is taken out. Outcomes are centered draw by draw. Errors treat rows as independent, which
        is conservative for `ENOUGH_ROWS` or more quasi-random points, but not always for fewer.
    """
    from SALib.analyze.sobol import first_order, total_order

    n = y.shape[1]
    # Relative to one point: noise that all points share is no variance between them.
    changes = y - y[0]
    scale = float(np.abs(changes).max()) or 1.0
    columns = np.concatenate([changes.mean(axis=1, keepdims=True), changes], axis=1) / scale
    columns = columns.reshape(-1, factors + 2, n + 1)
    columns = columns - columns.mean(axis=(0, 1))
    a, mixed, b = columns[:, 0], columns[:, 1:-1], columns[:, -1]
    pooled = np.concatenate([a, b]).var(axis=0)
    variance = _without_noise(pooled)
    spread = _resampled_variance(columns[:, [0, -1], 1:], weights)
    over = Variance.of(variance, spread_of(spread, weights), float(pooled[0]) - variance, scale)
    first: list[Share] = []
    total: list[Share] = []
    for index in range(factors):
        change = mixed[:, index] - a
        for shares, left, right, estimator in (
            (first, b, change, first_order),
            (total, change, change / 2.0, total_order),
        ):
            if varied is not None and not varied[index]:
                shares.append(_UNKNOWN)
            elif not change.any():
                shares.append(Share(0.0, 0.0, 0.0))
            elif not over.resolved:
                shares.append(_UNKNOWN)
            else:
                # SALib divides by each column's own variance.
                form = _without_noise(estimator(a, mixed[:, index], b) * pooled)
                ratio = _Form(left[:, 1:], right[:, 1:]).resampled(weights) / spread
                shares.append(_share(form / variance, ratio, weights))
    return Indices(first, total, over)


def grid_indices(y: _Array, shape: tuple[int, ...], weights: Resamples) -> Indices:
    """Split the variance over a full grid.

    Parameters
    ----------
    y : ndarray of float64, shape (points, draws)
        Outcomes, the last factor's level changing fastest.
    shape : tuple of int
        Levels of each factor.
    weights : Resamples
        For draws; the grid itself is no sample.

    Returns
    -------
    Indices
        Every level counts alike: the first index is the variance of the level means, the total index the mean
        variance along the factor, over the variance of all points (the analysis of variance of a balanced
        grid).
    """
    n = y.shape[1]
    changes = y - y[0]
    scale = float(np.abs(changes).max()) or 1.0
    changes = changes / scale
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

    of_mean = forms(changes.mean(axis=1, keepdims=True))[:, 0]
    of_draws = forms(changes)
    values = cross_draw(of_mean, of_draws.mean(axis=1), n)
    resampled = cross_draw(forms(changes @ weights.draws), of_draws @ weights.draws, n)
    variance = float(values[0])
    over = Variance.of(variance, spread_of(resampled[0], weights), float(of_mean[0]) - variance, scale)
    first: list[Share] = []
    total: list[Share] = []
    for axis in axes:
        inert = not of_draws[2 * axis + 2].any()
        for shares, row in ((first, 2 * axis + 1), (total, 2 * axis + 2)):
            if inert:
                shares.append(Share(0.0, 0.0, 0.0))
            elif not over.resolved:
                shares.append(_UNKNOWN)
            else:
                shares.append(_share(float(values[row]) / variance, resampled[row] / resampled[0], weights))
    return Indices(first, total, over)


_UNKNOWN = Share(np.nan, np.nan, np.nan)


def _share(value: float, resampled: _Array, weights: Resamples) -> Share:
    spread = spread_of(resampled, weights)
    return Share(value, float(spread.error), float(spread.reach))


def _without_noise(columns: _Array) -> float:
    """Combine a form of the means (the first column) and of every draw (the others)."""
    return float(cross_draw(columns[0], columns[1:].mean(), len(columns) - 1))
