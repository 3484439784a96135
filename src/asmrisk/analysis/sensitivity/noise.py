"""Taking the Monte Carlo part out of what design points seem to differ by.

Let y[i, m] be the outcome of draw m at design point i. What a study is after is g(i), the expectation over
draws; what it has is the mean over n draws, g(i) + e(i), where all points share their draws, so that the errors
e are correlated. Effects that are *linear* in the means are not biased by e, and their error follows from their
values draw by draw. Variances and indices are *quadratic*: a quadratic form q of the means has expectation
q(g) + q's share of the errors' covariance, which is always too much for a variance.

A quadratic form is q(y) = b(y, y) with b bilinear. Draws are independent of each other, so the mean of
b(y[m], y[m']) over pairs of *different* draws is unbiased for q(g), however the errors of different points hang
together. It is a U-statistic (Hoeffding, Annals of Mathematical Statistics 19, 1948), and it needs no pairs:

    (n q(mean over draws) - mean over draws of q(y[m])) / (n - 1)

For the variance between independent groups of draws it is the ANOVA estimator that Sun, Apley and Staum
recommend for the variance of a conditional expectation (Operations Research 59, 2011). Unlike a variance it can
be negative: then it is noise, and is said to be.

Errors come from the bootstrap. The rows of a sampled design and the draws are two crossed factors, so both are
resampled independently (the pigeonhole bootstrap; Owen, Annals of Applied Statistics 1, 2007), which is
conservative where rows and draws interact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONFIDENCE", "RESAMPLES", "Resamples", "cross_draw", "error_of", "resample"]

#: Of every interval.
CONFIDENCE = 0.95

#: Bootstrap resamples: the error of an error is then 2%.
RESAMPLES = 1000

_SEED = 6
_Array = NDArray[np.float64]


def cross_draw(of_mean: _Array, of_draws: _Array, draws: int) -> _Array:
    """Estimate a quadratic form of the expectations, without the noise's part.

    Parameters
    ----------
    of_mean : ndarray of float64
        The form of the means over draws.
    of_draws : ndarray of float64
        The mean over draws of the form of each draw.
    draws : int
        Number of draws, at least 2.

    Returns
    -------
    ndarray of float64
        The mean of the bilinear form over pairs of different draws.

    Examples
    --------
    >>> draws = np.array([1.0, 2.0, 6.0])
    >>> float(cross_draw(draws.mean() ** 2, (draws**2).mean(), 3))  # of 1*2, 1*6 and 2*6
    6.666666666666667
    """
    return np.asarray((draws * of_mean - of_draws) / (draws - 1))


@dataclass(frozen=True)
class Resamples:
    """Bootstrap weights.

    Attributes
    ----------
    draws : ndarray of float64, shape (draws, resamples)
        Share of each draw in each resample; columns add up to 1.
    rows : ndarray of float64, shape (rows, resamples)
        The same of the rows of a sampled design.
    """

    draws: _Array
    rows: _Array


def resample(draws: int, rows: int = 1, resamples: int = RESAMPLES, seed: int = _SEED) -> Resamples:
    """Resample draws and rows, independently of each other.

    Parameters
    ----------
    draws, rows : int
        How many there are.
    resamples : int
        How many resamples to make.
    seed : int
        The same seed gives the same resamples.

    Returns
    -------
    Resamples
        Multinomial weights.
    """
    rng = np.random.default_rng(seed)

    def weights(count: int) -> _Array:
        chosen = rng.multinomial(count, np.full(count, 1.0 / count), size=resamples)
        return np.asarray(chosen.T / count)

    return Resamples(weights(draws), weights(rows))


def error_of(resampled: _Array) -> _Array:
    """Give the standard error: the standard deviation over resamples, the last axis.

    Parameters
    ----------
    resampled : ndarray of float64, shape (..., resamples)
        NaN where a resample gives no value.

    Returns
    -------
    ndarray of float64, shape (...)
        NaN where any resample gives none.
    """
    # Relative to the first, so that values that are all equal have an error of exactly zero.
    return np.asarray(np.std(resampled - resampled[..., :1], axis=-1, ddof=1))
