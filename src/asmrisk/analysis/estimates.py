"""Estimates from draws, each with its error: mean, standard deviation, quantiles.

Draws of one parameter set share what is not known, so they hang together; parameter sets are independent and
equally distributed. `sets`, of shape (n,), gives the number of each draw's parameter set, in ascending order;
without it every draw is a set of its own. Estimates pool the draws, and errors come from whole sets (the
ultimate clusters of survey sampling: Kalton, Journal of the Royal Statistical Society A 142, 1979).
Everything works on plain arrays whose first axis is the draw; a draw in which a quantity is undefined (NaN)
is left out of that quantity, and the number of draws that remain is part of the estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, bdtrc, stdtrit

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "Interval",
    "Sets",
    "effective_draws",
    "first_draws",
    "is_tied",
    "mean",
    "quantile",
    "quantiles",
    "ranks",
    "set_counts",
    "standard_deviation",
    "t_quantile",
]

_Array = NDArray[np.float64]
_Counts = NDArray[np.int64]

#: Number of the parameter set of each draw, in ascending order; None where each draw is a set of its own.
Sets = NDArray[np.int64] | None


#: Of every interval that says nothing else.
CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A value and its standard error; arrays of the shape of the input without its first axis."""

    value: _Array  #: the estimate; NaN without draws
    error: _Array  #: its standard error; NaN where there are too few parameter sets to tell
    draws: _Counts  #: draws that it rests on


class Interval(NamedTuple):
    """A quantile with an interval that holds the true one with at least the stated confidence."""

    value: _Array  #: the sample quantile
    low: _Array  #: lower end; NaN where there are too few parameter sets for such an interval
    high: _Array  #: upper end
    draws: _Counts


def mean(draws: ArrayLike, sets: Sets = None) -> Estimate:
    """Estimate means over all draws.

    With S sets their squared error is S/(S - 1) Σ (Σ (x - mean))² / n², the outer sum over the sets and the
    inner one within each: for sets of equal size, SD of set means / √S. There is no error from fewer than two
    sets.
    """
    x, n = _draws(draws)
    center, squares = _moments(x, n)
    count = n
    if sets is not None:
        squares = (_sums(x - center, sets) ** 2).sum(axis=0)
        count = set_counts(x, sets)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(squares / (count - 1) / n * (count / n))
    return Estimate(center, np.where(count > 1, error, np.nan), n)


def standard_deviation(draws: ArrayLike, sets: Sets = None) -> Estimate:
    """Estimate standard deviations s over all draws, s² without bias.

    Where every draw is a set of its own, s² = Σ (x - mean)² / (n - 1), and by the delta method the error of s
    is √((m₄ - s⁴ (n - 3)/(n - 1)) / n) / (2 s), with m₄ the fourth central moment: no normality is assumed.
    Where draws hang together, s² = Σ (x - mean)² / n + the squared error of the mean, and the error of s is
    that of the mean of (x - mean)² / (2 s). No value from fewer than two sets, no error from fewer than four.
    """
    x, n = _draws(draws)
    center, squares = _moments(x, n)
    count = set_counts(x, sets)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if sets is not None:
            deviation = np.sqrt(squares / n + mean(x, sets).error ** 2)
            error = mean((x - center) ** 2 / (2.0 * deviation), sets).error
        else:
            deviation = np.sqrt(squares / (n - 1))
            # In units of s, so that dollars to the fourth power do not arise; squares are faster than powers.
            power = (x - center) / deviation
            power *= power
            power *= power
            fourth = np.nansum(power, axis=0) / n
            error = 0.5 * deviation * np.sqrt(np.maximum(fourth - (n - 3) / (n - 1), 0.0) / n)
    error = np.where(deviation == 0.0, 0.0, error)
    return Estimate(np.where(count > 1, deviation, np.nan), np.where(count > 3, error, np.nan), n)


def quantile(draws: ArrayLike, level: float, confidence: float = 0.95, sets: Sets = None) -> Interval:
    """Estimate a quantile; see `quantiles`."""
    return quantiles(draws, [level], confidence, sets)[0]


def quantiles(
    draws: ArrayLike, levels: Sequence[float], confidence: float = 0.95, sets: Sets = None
) -> list[Interval]:
    """Estimate quantiles, each with an interval between two order statistics.

    Parameters
    ----------
    draws : array_like of float64, shape (n, ...)
        One entry a draw.
    levels : sequence of float
        Between 0 and 1, both left out.
    confidence : float
        Least probability that an interval, taken by itself, holds the true quantile, whatever the
        distribution. Exact where every draw is a set of its own, else approximate.
    sets : ndarray of int64, shape (n,), optional
        Number of each draw's parameter set.

    Returns
    -------
    list of Interval
        For each level the sample quantile of all draws (Hyndman-Fan type 7) and two order statistics. Their
        ranks are those of `ranks` for as many independent draws as tell as much of the share below the
        quantile (`effective_draws`), in proportion among all draws (Woodruff, Journal of the American
        Statistical Association 47, 1952; Korn and Graubard, Survey Methodology 24, 1998).
    """
    x, n = _draws(draws)
    ordered = np.sort(x, axis=0)  # NaNs last
    return [_quantile(x, ordered, n, level, confidence, sets) for level in levels]


def _quantile(
    x: _Array, ordered: _Array, n: _Counts, level: float, confidence: float, sets: Sets
) -> Interval:
    if not len(x):
        nothing = np.full(n.shape, np.nan)
        return Interval(nothing, nothing, nothing, n)

    def at(rank: _Counts) -> _Array:
        return np.asarray(np.take_along_axis(ordered, np.clip(rank, 1, len(x))[None] - 1, axis=0)[0])

    position = np.maximum(n - 1, 0) * level
    below = position.astype(np.int64)
    bottom, top = at(below + 1), at(np.minimum(below + 2, n))
    value = bottom + (position - below) * (top - bottom)
    effective = n
    if sets is not None:
        events = np.where(np.isnan(x), np.nan, x <= value)
        effective = np.floor(effective_draws(events, sets) + 1e-9).astype(np.int64)
    counts, place = np.unique(effective, return_inverse=True)
    pairs = np.array([ranks(count, level, confidence) for count in counts.tolist()], dtype=np.int64)
    lower, upper = np.moveaxis(pairs[place.reshape(n.shape)], -1, 0)
    # Rank r of the effective draws is (r - 1/2) n / effective + 1/2 among all, rounded to the outside.
    twice = 2 * np.maximum(effective, 1)
    low = at(((2 * lower - 1) * n + effective) // twice)
    high = at(-(-((2 * upper - 1) * n + effective) // twice))
    enough = (lower >= 1) & (upper <= effective)
    return Interval(value, np.where(enough, low, np.nan), np.where(enough, high, np.nan), n)


@lru_cache(maxsize=4096)
def ranks(count: int, level: float, confidence: float = 0.95) -> tuple[int, int]:
    """Give the order statistics that enclose a quantile.

    The number of draws below the true quantile is binomial, so the l-th and u-th smallest of n draws hold it
    with probability P(l ≤ B < u), at least, whatever the distribution. Each side errs with at most half of
    what the confidence leaves (David and Nagaraja, Order Statistics, 3rd ed., section 7.1). Ranks count from
    1; a lower one of 0 or an upper one of `count` + 1 means that there are too few draws.

    >>> ranks(100, 0.5)
    (40, 61)
    >>> ranks(20, 0.05)[0]
    0
    """
    tail = (1.0 - confidence) / 2.0
    # Farther than ten standard deviations from its mean the binomial is never.
    middle, reach = count * level, 10.0 * (count * level * (1.0 - level)) ** 0.5 + 10.0
    counts = np.arange(max(0, int(middle - reach)), min(count, int(middle + reach)) + 2)
    # The largest l with P(B < l) ≤ tail and the smallest u with P(B ≥ u) ≤ tail.
    before = np.maximum(counts - 1, 0)
    below = np.where(counts > 0, bdtr(before, count, level), 0.0)
    at_least = np.where(counts > 0, bdtrc(before, count, level), 1.0)
    lower = int(counts[np.searchsorted(below[:-1], tail, side="right") - 1])
    upper = int(counts[np.argmax(at_least <= tail)])
    return lower, upper


def effective_draws(events: ArrayLike, sets: Sets = None) -> _Array:
    """Give the number of independent draws that would tell as much of a probability.

    Parameters
    ----------
    events : array_like of float64, shape (n, ...)
        One entry a draw: 1 if it happened, 0 if not, NaN where that is not defined.
    sets : ndarray of int64, shape (n,), optional
        Number of each draw's parameter set.

    Returns
    -------
    ndarray of float64, shape (...)
        n / deff with the design effect deff (Kish, Survey Sampling, 1965, p. 258), 1 + (size of sets -
        1) × intraclass correlation for sets of equal size: the variance of the share between sets, over that
        of independent draws. Where few sets have the event that ratio is mostly too small, so one more set is
        counted, the largest, of whose draws all have the rarer answer. The design effect lies between 1 and
        the size of the largest set; where all draws agree, the number of sets is given.

    Examples
    --------
    >>> sets = np.arange(100) // 2
    >>> float(effective_draws(np.zeros(100), sets)), float(effective_draws(np.arange(100) % 2, sets))
    (50.0, 100.0)
    """
    x, n = _draws(events)
    if sets is None:
        return n.astype(np.float64)
    hits, sizes = _sums(x, sets), _sizes(x, sets)
    count, largest = (sizes > 0).sum(axis=0), sizes.max(axis=0, initial=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = hits.sum(axis=0) / n
        spread = n * share * (1.0 - share)
        rarer = np.maximum(share, 1.0 - share) ** 2
        between = ((hits - sizes * share) ** 2).sum(axis=0) * count / (count - 1)
        effect = (between + rarer * largest**2) / (spread + rarer * largest)
        effect = np.where(count > 1, np.clip(effect, 1.0, largest), largest)
        agreed = (share == 0.0) | (share == 1.0) | (n == 0)
        return np.asarray(np.where(agreed, count, n / effect), dtype=np.float64)


def first_draws(sets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the place of the first draw of each parameter set."""
    return np.flatnonzero(np.diff(sets, prepend=sets[:1] - 1))


def set_counts(draws: ArrayLike, sets: Sets = None) -> _Counts:
    """Count the parameter sets that have a value."""
    x, n = _draws(draws)
    if sets is None:
        return n
    if len(x) and (n == len(x)).all():
        return np.full(n.shape, len(first_draws(sets)))
    return np.asarray((_sizes(x, sets) > 0).sum(axis=0), dtype=np.int64)


def t_quantile(freedom: ArrayLike, confidence: float = CONFIDENCE) -> _Array:
    """Give how many standard errors an interval reaches to each side, with so many degrees of freedom."""
    return np.asarray(stdtrit(np.maximum(freedom, 1), 0.5 + confidence / 2.0))


def is_tied(value: float, error: float, sets: int) -> bool:
    """Whether a value is zero or its 95% interval holds zero; no other is where there is no error to tell.

    >>> is_tied(1.0, 0.6, 100), is_tied(1.0, 0.4, 100), is_tied(0.0, 0.0, 100)
    (True, False, True)
    >>> is_tied(1.0, float("nan"), 1), is_tied(0.0, float("nan"), 1)
    (False, True)
    """
    return bool(value == 0.0 or abs(value) <= t_quantile(sets - 1) * error)


def _draws(draws: ArrayLike) -> tuple[_Array, _Counts]:
    x = np.asarray(draws, dtype=np.float64)
    if x.ndim == 0:
        raise ValueError("draws need an axis; give one entry a draw")
    return x, np.asarray(len(x) - np.isnan(x).sum(axis=0), dtype=np.int64)


def _sums(x: _Array, sets: NDArray[np.int64]) -> _Array:
    """Sum what is not NaN within sets; one entry a set."""
    return _within(np.where(np.isnan(x), 0.0, x), sets)


def _sizes(x: _Array, sets: NDArray[np.int64]) -> _Array:
    """Count what is not NaN within sets."""
    return _within((~np.isnan(x)).astype(np.float64), sets)


def _within(x: _Array, sets: NDArray[np.int64]) -> _Array:
    if sets.shape != x.shape[:1]:
        raise ValueError(f"there are {len(x)} draws and parameter sets of {sets.shape}; give each draw's set")
    return np.asarray(np.add.reduceat(x, first_draws(sets), axis=0))


def _moments(x: _Array, n: _Counts) -> tuple[_Array, _Array]:
    """Mean and sum of squared deviations of what is not NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        # Relative to the first draw, so that draws that are all equal have a deviation of exactly zero.
        start = np.where(np.isnan(x), np.inf, x).min(axis=0, initial=np.inf)
        start = np.where(np.isfinite(start), start, 0.0)
        center = np.asarray(start + np.nansum(x - start, axis=0) / n)
        squares = np.asarray(np.nansum((x - center) ** 2, axis=0))
    return center, squares
