"""Standardized regression coefficients, from a Latin hypercube or any other sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.studies.indices import Variance, relative, variance_of
from asmrisk.studies.noise import UNKNOWN_ESTIMATE, NoiseFreeEstimate, Resamples, cross_set, estimate

__all__ = ["Regression", "regression"]

_Array = NDArray[np.float64]


class Regression(NamedTuple):
    """A linear model of an outcome; unknown where the outcome's variance cannot be told from zero."""

    #: Standard deviations of change for one of the column's, all others held.
    coefficients: list[NoiseFreeEstimate]
    #: Share of the variance that it explains, adjusted for its number of columns.
    explained: NoiseFreeEstimate
    variance: Variance  #: of the outcome over the design


def regression(x: _Array, y: _Array, weights: Resamples) -> Regression:
    """Fit a linear model to the expectations of an outcome.

    Parameters
    ----------
    x : ndarray of float64, shape (points, columns)
        Values of the factors.
    y : ndarray of float64, shape (points, sets)
        Mean outcome of each parameter set.
    weights : Resamples
        For points and sets.

    Returns
    -------
    Regression
        Least squares. Coefficients are linear in the outcomes and so not biased by noise; the standard
        deviation by which they are standardized, and the explained share, are estimated without it. Errors
        are from the bootstrap of points and sets: what the linear model leaves out counts as error.
    """
    points = len(y)
    columns = x.shape[1]
    changes, scale = relative(y)
    own = np.column_stack([np.ones(points), (x - x.mean(axis=0)) / x.std(axis=0)])

    def fit(resampled: int) -> tuple[float, ...]:
        """Variance without noise and with it, explained share and coefficients, with one of the weights."""
        rows, sets, squares = (each[:, resampled] for each in (weights.rows, weights.sets, weights.squares))
        root = np.sqrt(rows * points)[:, None]
        kept = rows > 0.0
        design = (own * root)[kept]
        outcomes = np.concatenate([(changes @ sets)[:, None], changes], axis=1)
        outcomes = (outcomes - rows @ outcomes) * root
        beta, *_ = np.linalg.lstsq(design, outcomes[kept], rcond=None)
        left = ((outcomes[kept] - design @ beta) ** 2).sum(axis=0) / max(points - columns - 1, 1)
        whole = (outcomes**2).sum(axis=0) / (points - 1)
        residual = float(cross_set(left[0], left[1:] @ squares, weights.number[resampled]))
        total = float(cross_set(whole[0], whole[1:] @ squares, weights.number[resampled]))
        # Of the resampled points, so that a coefficient stays one of standard deviations.
        moments = rows @ own[:, 1:] ** 2 - (rows @ own[:, 1:]) ** 2
        spread = np.sqrt(np.maximum(moments, 0.0) * points / (points - 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            slopes = beta[1:, 0] * spread / np.sqrt(total)
        return total, float(whole[0]), 1.0 - residual / total if total else np.nan, *slopes

    fits = np.array([fit(resampled) for resampled in range(len(weights.number))])
    variance = variance_of(fits[:, 0], float(fits[0, 1]), weights, scale)
    if not variance.resolved:
        return Regression([UNKNOWN_ESTIMATE] * columns, UNKNOWN_ESTIMATE, variance)
    explained, *coefficients = (estimate(each, weights) for each in fits.T[2:])
    return Regression(coefficients, explained, variance)
