"""Standardized regression coefficients, from a Latin hypercube or any other sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.sensitivity.noise import Resamples, cross_draw, error_of
from asmrisk.analysis.sensitivity.variance import REACH

__all__ = ["Regression", "regression"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Regression:
    """A linear model of an outcome.

    Attributes
    ----------
    coefficients, errors : ndarray of float64, shape (columns,)
        Standard deviations by which the outcome changes for one of the column's, all others held; NaN where the
        outcome's variance cannot be told from zero.
    explained, explained_error : float
        Share of the outcome's variance that the linear model explains, adjusted for its number of columns.
    variance, variance_error : float
        Variance of the outcome's expectation over the design, without noise.
    noise : float
        Variance that Monte Carlo noise adds to that of the means over draws.
    """

    coefficients: _Array
    errors: _Array
    explained: float
    explained_error: float
    variance: float
    variance_error: float
    noise: float


def regression(x: _Array, y: _Array, weights: Resamples) -> Regression:
    """Fit a linear model to the expectations of an outcome.

    Parameters
    ----------
    x : ndarray of float64, shape (points, columns)
        Values of the factors.
    y : ndarray of float64, shape (points, draws)
        Outcomes.
    weights : Resamples
        For points and draws.

    Returns
    -------
    Regression
        Least squares. Coefficients are linear in the outcomes and so not biased by noise; the standard
        deviation by which they are standardized, and the explained share, are estimated without it. Errors are
        from the bootstrap of points and draws: what the linear model leaves out counts as error.
    """
    points, n = y.shape
    columns = x.shape[1]
    # Relative to one point: noise that all points share is no variance between them.
    changes = y - y[0]
    scale = float(np.abs(changes).max()) or 1.0
    centered = changes / scale
    own = np.column_stack([np.ones(points), (x - x.mean(axis=0)) / x.std(axis=0)])

    def fit(rows: _Array, draws: _Array) -> tuple[_Array, float, float, float]:
        """Coefficients, explained share, variance and noise, with weights of rows and draws."""
        root = np.sqrt(rows * points)[:, None]
        kept = rows > 0.0
        design = (own * root)[kept]
        outcomes = np.concatenate([(centered @ draws)[:, None], centered], axis=1)
        outcomes = (outcomes - rows @ outcomes) * root
        beta, *_ = np.linalg.lstsq(design, outcomes[kept], rcond=None)
        left = ((outcomes[kept] - design @ beta) ** 2).sum(axis=0) / max(points - columns - 1, 1)
        whole = (outcomes**2).sum(axis=0) / (points - 1)
        residual = float(cross_draw(left[0], left[1:] @ draws, n))
        total = float(cross_draw(whole[0], whole[1:] @ draws, n))
        # Of the resampled points, so that a coefficient stays one of standard deviations.
        spread = np.sqrt(np.maximum(rows @ own[:, 1:] ** 2 - (rows @ own[:, 1:]) ** 2, 0.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            slopes = beta[1:, 0] * spread / np.sqrt(total)
        return slopes, 1.0 - residual / total if total else np.nan, total, float(whole[0]) - total

    even = np.full(points, 1.0 / points)
    slopes, explained, variance, noise = fit(even, np.full(n, 1.0 / n))
    again = [fit(weights.rows[:, r], weights.draws[:, r]) for r in range(weights.draws.shape[1])]
    error = float(error_of(np.array([each[2] for each in again])))
    resolved = variance > REACH * error
    return Regression(
        coefficients=slopes if resolved else np.full(columns, np.nan),
        errors=error_of(np.array([each[0] for each in again]).T) if resolved else np.full(columns, np.nan),
        explained=explained if resolved else np.nan,
        explained_error=float(error_of(np.array([each[1] for each in again]))) if resolved else np.nan,
        variance=variance * scale**2,
        variance_error=error * scale**2,
        noise=noise * scale**2,
    )
