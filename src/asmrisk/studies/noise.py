"""Taking the Monte Carlo part out of what design points seem to differ by.

Let y[i, m] be the outcome of draw m at design point i. What a study is after is g(i), the expectation over
all that differs between draws: chance, and the unknowns that are no factors. What it has is the mean over
draws, g(i) + e(i). All points share their draws, so the errors e are correlated. Effects that are *linear* in
the means are not biased by e, and their error follows from their values draw by draw. Variances and indices
are *quadratic*: the expectation of a quadratic form of the means is that of g plus one of the errors'
covariance, and a variance is always too large.

A quadratic form is q(y) = b(y, y) with b bilinear. Draws of one parameter set share its unknowns; sets are
independent of each other, so the mean of b(y[m], y[m']) over pairs of draws of *different* sets is unbiased
for q(g), however the errors of different points hang together. It is a U-statistic (Hoeffding, Annals of
Mathematical Statistics 19, 1948) and needs no pairs. With ȳ[s] the mean over the n[s] draws of set s, ȳ that
over all n draws, and K = n² / Σ n[s]², which is the number of sets where they are equally large, it is

    (K q(ȳ) - Σ n[s]² q(ȳ[s]) / Σ n[s]²) / (K - 1)

For a variance it is what the analysis of variance gives, as Sun, Apley and Staum recommend for the variance
of a conditional expectation (Operations Research 59, 2011). Unlike a variance it can be negative: then it is
noise, and is said to be.

Errors come from the bootstrap. The rows of a sampled design and the sets are crossed: rows are resampled with
the sets as they are, whole sets with the rows as they are, and the two variances are added. What is due to
both at once is counted twice that way, which errs on the safe side; no bootstrap of such a table counts it
right (Owen, Annals of Applied Statistics 1, 2007).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.estimates import Sets, first_draws, t_quantile

__all__ = [
    "RESAMPLES",
    "UNKNOWN_ESTIMATE",
    "ZERO_ESTIMATE",
    "NoiseFreeEstimate",
    "Resamples",
    "cross_set",
    "estimate",
    "means_of_sets",
    "resample",
    "set_means",
]

#: Bootstrap resamples of the rows, and of the sets: the error of an error is then 2%.
RESAMPLES = 1000

_SEED = 6
_Array = NDArray[np.float64]


def set_means(y: _Array, sets: Sets) -> tuple[_Array, NDArray[np.int64]]:
    """Average the draws of each parameter set.

    Parameters
    ----------
    y : ndarray of float64, shape (points, draws)
        Outcomes.
    sets : ndarray of int64, shape (draws,), or None
        Number of the set of each draw, nondecreasing; ``None`` where every draw is a set of its own.

    Returns
    -------
    means : ndarray of float64, shape (points, sets)
        Mean of each set at each point.
    sizes : ndarray of int64, shape (sets,)
        Its draws.
    """
    if sets is None:
        return y, np.ones(y.shape[1], np.int64)
    sizes = np.diff(first_draws(sets), append=len(sets))
    return means_of_sets(y, sizes), sizes


def means_of_sets(y: _Array, sizes: NDArray[np.int64]) -> _Array:
    """Average the draws, along the last axis, of sets of these sizes."""
    return np.asarray(np.add.reduceat(y, np.cumsum(sizes) - sizes, axis=-1) / sizes)


def cross_set(of_mean: _Array, of_sets: _Array, number: _Array | float) -> _Array:
    """Estimate a quadratic form of the expectations, without the noise's part: over pairs of different sets.

    It takes the form of the mean over draws; the mean of the forms of the means of sets, weighted by the
    squares of their sizes; and the number of sets, K of this module's formula.

    >>> draws = np.array([1.0, 2.0, 6.0])
    >>> float(cross_set(draws.mean() ** 2, (draws**2).mean(), 3.0))  # of 1*2, 1*6 and 2*6
    6.666666666666667
    """
    return np.asarray((number * of_mean - of_sets) / (number - 1.0))


class Resamples(NamedTuple):
    """Weights of rows and sets: as they are, then bootstrap resamples of the rows, then of the sets.

    Whatever is computed with these weights has the estimate itself first, then the resampled ones, whose
    spread is its error.
    """

    sizes: NDArray[np.int64]  #: draws of each set, of shape (sets,)
    sets: _Array  #: share of each set in a mean over draws, of shape (sets, 1 + resamples); columns make 1
    squares: _Array  #: its share where sets count by the squares of their sizes; of the same shape
    number: _Array  #: of sets, K of this module's formula, of shape (1 + resamples,)
    rows: _Array  #: share of each row of a sampled design, of shape (rows, 1 + resamples)
    split: int  #: first resample of the sets; 1 if there is one row only, as where the design is no sample


def resample(
    sizes: NDArray[np.int64], rows: int = 1, resamples: int = RESAMPLES, seed: int = _SEED
) -> Resamples:
    """Resample rows, then sets.

    Parameters
    ----------
    sizes : ndarray of int64, shape (sets,)
        Draws of each set.
    rows : int
        How many rows there are.
    resamples : int
        How many resamples to make of each.
    seed : int
        The same seed gives the same resamples.

    Returns
    -------
    Resamples
        From multinomial counts.
    """
    rng = np.random.default_rng(seed)

    def chosen(count: int) -> _Array:
        return rng.multinomial(count, np.full(count, 1.0 / count), size=resamples).T.astype(np.float64)

    split = 1 + (resamples if rows > 1 else 0)
    of_sets = np.concatenate([np.ones((len(sizes), split)), chosen(len(sizes))], axis=1)
    of_rows = [np.ones((rows, 1)), chosen(rows)[:, : split - 1], np.ones((rows, resamples))]
    draws = of_sets * sizes[:, np.newaxis]
    squares = draws * sizes[:, np.newaxis]
    return Resamples(
        sizes=sizes,
        sets=draws / draws.sum(axis=0),
        squares=squares / squares.sum(axis=0),
        number=draws.sum(axis=0) ** 2 / squares.sum(axis=0),
        rows=np.concatenate(of_rows, axis=1) / rows,
        split=split,
    )


class NoiseFreeEstimate(NamedTuple):
    """An estimate without the noise's part; a share of variance can become negative that way."""

    value: float
    error: float  #: standard error
    low: float  #: ends of its interval
    high: float

    def at_most(self, bound: float) -> NoiseFreeEstimate:
        """Give the same with an interval that ends at a bound, unless all of it lies above."""
        return self._replace(high=min(self.high, max(bound, self.low)))


#: Where nothing can be told, and of a factor that changes no draw.
UNKNOWN_ESTIMATE = NoiseFreeEstimate(*(np.nan,) * 4)
ZERO_ESTIMATE = NoiseFreeEstimate(*(0.0,) * 4)


def estimate(resampled: _Array, weights: Resamples, *, positive: bool = False) -> NoiseFreeEstimate:
    """Give an estimate with its error.

    Parameters
    ----------
    resampled : ndarray of float64, shape (1 + resamples,)
        The estimate with each of the weights; NaN where a resample gives no value.
    weights : Resamples
        The weights.
    positive : bool
        The interval is symmetric in the logarithm, as suits the variance of few numbers, unless a resample is
        not positive.

    Returns
    -------
    NoiseFreeEstimate
        With Student's interval, of Satterthwaite's degrees of freedom.
    """
    if positive and (resampled > 0.0).all():
        _, _, low, high = estimate(np.log(resampled), weights)
        return estimate(resampled, weights)._replace(low=float(np.exp(low)), high=float(np.exp(high)))
    sets, rows = len(weights.sizes), len(weights.rows)
    # Relative to the estimate, so that values that are all equal have an error of exactly zero.
    relative = resampled - resampled[0]
    by_sets = relative[weights.split :].var(ddof=1) * sets / (sets - 1)
    by_rows = 0.0
    if weights.split > 1:
        by_rows = relative[1 : weights.split].var(ddof=1) * rows / (rows - 1)
    both = by_rows + by_sets
    value = float(resampled[0])
    if both == 0.0:
        return NoiseFreeEstimate(value, 0.0, value, value)
    share = by_sets / both
    freedom = 1.0 / ((1.0 - share) ** 2 / max(rows - 1, 1) + share**2 / (sets - 1))
    error = np.sqrt(both)
    reach = float(t_quantile(freedom) * error)
    return NoiseFreeEstimate(value, float(error), value - reach, value + reach)
