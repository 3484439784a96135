"""Shares of variance: first and total indices, from a sample (Sobol) and from a full grid.

The first index of a factor is the share of the outcome's variance over the design that goes with it alone, the
total index the share that also has its interactions. Both are ratios of quadratic forms of the outcomes'
expectations, each estimated without the Monte Carlo noise (`asmrisk.analysis.sensitivity.noise`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from asmrisk.analysis.sensitivity.noise import CONFIDENCE, Resamples, cross_draw, error_of

__all__ = ["Indices", "grid_indices", "sobol_indices"]

_Array = NDArray[np.float64]

#: Standard errors from an estimate to the ends of its interval.
REACH = float(ndtri(0.5 + CONFIDENCE / 2.0))


@dataclass(frozen=True)
class Indices:
    """Shares of the variance over a design.

    Attributes
    ----------
    first, first_error, total, total_error : ndarray of float64, shape (factors,)
        Estimates, which noise can make negative, and standard errors; NaN where the outcome's variance cannot
        be told from zero. Exactly 0 ± 0 for a factor that changes no draw.
    variance, variance_error : float
        Variance of the outcome's expectation over the design, without noise.
    noise : float
        Variance that Monte Carlo noise adds to that of the means over draws.
    """

    first: _Array
    first_error: _Array
    total: _Array
    total_error: _Array
    variance: float
    variance_error: float
    noise: float

    @property
    def resolved(self) -> bool:
        """Whether the interval of the variance lies above zero."""
        return self.variance > REACH * self.variance_error


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
    """Variance over rows of the expectations, in each resample; `y` has shape (rows, k, draws), pooled over k."""
    n = y.shape[-1]
    squares = np.zeros(weights.draws.shape[1])
    for part in np.moveaxis(y, 1, 0):
        squares += _Form(part, part).resampled(weights) / y.shape[1]
    pooled = y.mean(axis=1)
    sums = weights.rows.T @ pooled  # resamples × draws
    of_mean = np.einsum("rm,mr->r", sums, weights.draws) ** 2
    of_draws = np.einsum("rm,mr->r", sums**2, weights.draws)
    return np.asarray(squares - cross_draw(of_mean, of_draws, n))


def sobol_indices(y: _Array, factors: int, weights: Resamples) -> Indices:
    """Estimate Sobol indices from Saltelli's design.

    Parameters
    ----------
    y : ndarray of float64, shape (rows × (factors + 2), draws)
        Outcomes, in each row of the design that of A, of A with one column of B for each factor, and of B.
    factors : int
        Number of factors.
    weights : Resamples
        For rows and draws.

    Returns
    -------
    Indices
        By SALib's estimators (Saltelli et al., Computer Physics Communications 181, 2010: for the first index
        theirs, for the total index Jansen's), applied to the means over draws and to every draw, of which the
        noise's part is taken out. Outcomes are centered draw by draw. Errors treat rows as independent, which
        is conservative for quasi-random points.
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
    draws = columns[..., 1:]
    spread = _resampled_variance(draws[:, [0, -1]], weights)
    shares: list[tuple[float, float]] = []
    for index in range(factors):
        for left, right, estimator in (
            (b, mixed[:, index] - a, first_order),
            (a - mixed[:, index], (a - mixed[:, index]) / 2.0, total_order),
        ):
            if not right.any():
                shares.append((0.0, 0.0))
                continue
            # SALib divides by each column's own variance.
            form = (
                estimator(a, mixed[:, index], b) * pooled if pooled.all() else np.mean(left * right, axis=0)
            )
            value = _without_noise(form) / variance if variance else np.nan
            ratio = _Form(left[:, 1:], right[:, 1:]).resampled(weights) / spread
            shares.append((value, float(error_of(ratio))))
    table = np.array(shares).reshape(factors, 4)
    return _indices(table, variance, float(error_of(spread)), float(pooled[0]) - variance, scale)


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
    centered = y - y[0]
    scale = float(np.abs(centered).max()) or 1.0
    centered = centered / scale

    def forms(columns: _Array) -> _Array:
        """Variance, and for each factor the variance of its level means and the mean variance along it."""
        cells = columns.reshape(*shape, -1)
        axes = tuple(range(len(shape)))
        rows = [cells.var(axis=axes)]
        for axis in axes:
            others = tuple(each for each in axes if each != axis)
            rows.append(cells.mean(axis=others).var(axis=0))
            along = cells - cells.take([0], axis=axis)
            rows.append(along.var(axis=axis).mean(axis=tuple(range(len(shape) - 1))))
        return np.stack(rows)

    of_mean = forms(centered.mean(axis=1, keepdims=True))[:, 0]
    of_draws = forms(centered)
    values = cross_draw(of_mean, of_draws.mean(axis=1), n)
    resampled = cross_draw(forms(centered @ weights.draws), of_draws @ weights.draws, n)
    variance = float(values[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = values[1:] / variance
        errors = error_of(resampled[1:] / resampled[0])
    same = ~of_draws[1:].any(axis=1)
    shares[same] = errors[same] = 0.0
    # A level mean can only differ if something along the factor does.
    inert = same[1::2]
    shares[::2][inert] = errors[::2][inert] = 0.0
    table = np.stack([shares, errors], axis=1).reshape(len(shape), 4)
    return _indices(table, variance, float(error_of(resampled[0])), float(of_mean[0]) - variance, scale)


def _without_noise(columns: _Array) -> float:
    """Combine a form of the means (the first column) and of every draw (the others)."""
    return float(cross_draw(columns[0], columns[1:].mean(), len(columns) - 1))


def _indices(table: _Array, variance: float, error: float, noise: float, scale: float) -> Indices:
    inert = ~table.any(axis=1)
    if not variance > REACH * error:
        table = np.where(inert[:, None], 0.0, np.nan)
    return Indices(
        first=table[:, 0],
        first_error=table[:, 1],
        total=table[:, 2],
        total_error=table[:, 3],
        variance=variance * scale**2,
        variance_error=error * scale**2,
        noise=noise * scale**2,
    )
