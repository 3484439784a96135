"""Taking the Monte Carlo part out of what design points seem to differ by.

Let y[i, m] be the outcome of draw m at design point i. What a study is after is g(i), the expectation over
draws; what it has is the mean over n draws, g(i) + e(i). All points share their draws, so the errors e are
correlated. Effects that are *linear* in the means are not biased by e, and their error follows from their
values draw by draw. Variances and indices are *quadratic*: the expectation of a quadratic form of the means
is that of g plus one of the errors' covariance, and a variance is always too large.

A quadratic form is q(y) = b(y, y) with b bilinear. Draws are independent of each other, so the mean of
b(y[m], y[m']) over pairs of *different* draws is unbiased for q(g), however the errors of different points
hang together. It is a U-statistic (Hoeffding, Annals of Mathematical Statistics 19, 1948) and needs no pairs:

    (n q(mean over draws) - mean over draws of q(y[m])) / (n - 1)

For a variance it is what the analysis of variance gives, as Sun, Apley and Staum recommend for the variance
of a conditional expectation (Operations Research 59, 2011). Unlike a variance it can be negative: then it is
noise, and is said to be.

Errors come from the bootstrap. The rows of a sampled design and the draws are crossed: rows are resampled
with the draws as they are, draws with the rows as they are, and the two variances are added. What is due to
both at once is counted twice that way, which errs on the safe side; no bootstrap of such a table counts it
right (Owen, Annals of Applied Statistics 1, 2007).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

__all__ = [
    "CONFIDENCE",
    "RESAMPLES",
    "UNKNOWN_ESTIMATE",
    "ZERO_ESTIMATE",
    "NoiseFreeEstimate",
    "Resamples",
    "cross_draw",
    "estimate",
    "resample",
]

#: Of every interval.
CONFIDENCE = 0.95

#: Bootstrap resamples of the rows, and of the draws: the error of an error is then 2%.
RESAMPLES = 1000

_SEED = 6
_Array = NDArray[np.float64]


def cross_draw(of_mean: _Array, of_draws: _Array, draws: int) -> _Array:
    """Estimate a quadratic form of the expectations, without the noise's part: over pairs of different draws.

    It takes the form of the means over draws, the mean of the form of each draw, and the number of draws.

    >>> draws = np.array([1.0, 2.0, 6.0])
    >>> float(cross_draw(draws.mean() ** 2, (draws**2).mean(), 3))  # of 1*2, 1*6 and 2*6
    6.666666666666667
    """
    return np.asarray((draws * of_mean - of_draws) / (draws - 1))


class Resamples(NamedTuple):
    """Weights of rows and draws: as they are, then bootstrap resamples of the rows, then of the draws.

    Whatever is computed with these weights has the estimate itself first, then the resampled ones, whose
    spread is its error.
    """

    draws: _Array  #: share of each draw, of shape (draws, 1 + resamples); columns add up to 1
    rows: _Array  #: the same of the rows of a sampled design
    split: int  #: first resample of the draws; 1 if there is one row only, as where the design is no sample


def resample(draws: int, rows: int = 1, resamples: int = RESAMPLES, seed: int = _SEED) -> Resamples:
    """Resample rows, then draws.

    Parameters
    ----------
    draws, rows : int
        How many there are.
    resamples : int
        How many resamples to make of each.
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

    def even(count: int, columns: int) -> _Array:
        return np.full((count, columns), 1.0 / count)

    split = 1 + (resamples if rows > 1 else 0)
    return Resamples(
        draws=np.concatenate([even(draws, split), weights(draws)], axis=1),
        rows=np.concatenate([even(rows, 1), weights(rows)[:, : split - 1], even(rows, resamples)], axis=1),
        split=split,
    )


class NoiseFreeEstimate(NamedTuple):
    """An estimate without the noise's part; a share of variance can become negative that way."""

    value: float
    error: float  #: standard error
    reach: float  #: from the estimate to the ends of its interval


#: Where nothing can be told, and of a factor that changes no draw.
UNKNOWN_ESTIMATE = NoiseFreeEstimate(np.nan, np.nan, np.nan)
ZERO_ESTIMATE = NoiseFreeEstimate(0.0, 0.0, 0.0)


def estimate(resampled: _Array, weights: Resamples) -> NoiseFreeEstimate:
    """Give an estimate with its error.

    Parameters
    ----------
    resampled : ndarray of float64, shape (1 + resamples,)
        The estimate with each of the weights; NaN where a resample gives no value.
    weights : Resamples
        The weights.

    Returns
    -------
    NoiseFreeEstimate
        With Student's interval, of Satterthwaite's degrees of freedom.
    """
    draws, rows = len(weights.draws), len(weights.rows)
    # Relative to the estimate, so that values that are all equal have an error of exactly zero.
    relative = resampled - resampled[0]
    by_draws = relative[weights.split :].var(ddof=1) * draws / (draws - 1)
    by_rows = 0.0
    if weights.split > 1:
        by_rows = relative[1 : weights.split].var(ddof=1) * rows / (rows - 1)
    both = by_rows + by_draws
    if both == 0.0:
        return NoiseFreeEstimate(float(resampled[0]), 0.0, 0.0)
    share = by_draws / both
    freedom = 1.0 / ((1.0 - share) ** 2 / max(rows - 1, 1) + share**2 / (draws - 1))
    error = np.sqrt(both)
    reach = stdtrit(freedom, 0.5 + CONFIDENCE / 2.0) * error
    return NoiseFreeEstimate(float(resampled[0]), float(error), float(reach))
