"""Standardized regression coefficients, from a Latin hypercube or any other sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asmrisk.studies.noise import Resamples, cross_draw, spread_of
from asmrisk.studies.variance import Share, Variance

__all__ = ["Regression", "regression"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Regression:
    """A linear model of an outcome.

    Attributes
    ----------
    coefficients : list of Share
        Standard deviations by which the outcome changes for one of the column's, all others held; NaN where
        the outcome's variance cannot be told from zero.
    explained : Share
        Share of the outcome's variance that the linear model explains, adjusted for its number of columns.
    variance : Variance
        Of the outcome over the design.
    """

    coefficients: list[Share]
    explained: Share
    variance: Variance


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
        deviation by which they are standardized, and the explained share, are estimated without it. Errors
        are from the bootstrap of points and draws: what the linear model leaves out counts as error.
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
        moments = rows @ own[:, 1:] ** 2 - (rows @ own[:, 1:]) ** 2
        spread = np.sqrt(np.maximum(moments, 0.0) * points / (points - 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            slopes = beta[1:, 0] * spread / np.sqrt(total)
        return slopes, 1.0 - residual / total if total else np.nan, total, float(whole[0]) - total

    slopes, explained, variance, noise = fit(np.full(points, 1.0 / points), np.full(n, 1.0 / n))
    again = [fit(rows, draws) for rows, draws in zip(weights.rows.T, weights.draws.T, strict=True)]
    spread = spread_of(np.array([each[2] for each in again]), weights)
    over = Variance.of(variance, spread, noise, scale)
    if not over.resolved:
        unknown = Share(np.nan, np.nan, np.nan)
        return Regression([unknown] * columns, unknown, over)
    values = np.append(slopes, explained)
    off = spread_of(np.array([np.append(each[0], each[1]) for each in again]).T, weights)
    shares = [Share(*map(float, each)) for each in zip(values, off.error, off.reach, strict=True)]
    return Regression(shares[:-1], shares[-1], over)
