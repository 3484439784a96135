"""Estimates from draws, each with its error: mean, standard deviation, quantiles.

The unit is the draw: draws are independent and equally distributed, whatever happens within one. Everything
works on plain arrays whose first axis is the draw; a draw in which a quantity is undefined (NaN) is left out
of that quantity, and the number of draws that remain is part of the estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, bdtrc

__all__ = ["Estimate", "Interval", "mean", "quantile", "quantiles", "ranks", "standard_deviation"]

_Array = NDArray[np.float64]


class Estimate(NamedTuple):
    """A value and its standard error; arrays of the shape of the input without its first axis."""

    value: _Array  #: the estimate; NaN without draws
    error: _Array  #: its standard error; NaN where there are too few draws to tell
    draws: NDArray[np.int64]  #: draws that it rests on


class Interval(NamedTuple):
    """A quantile with an interval that holds the true one with at least the stated confidence."""

    value: _Array  #: the sample quantile
    low: _Array  #: lower end; NaN where there are too few draws for such an interval
    high: _Array  #: upper end
    draws: NDArray[np.int64]


def mean(draws: ArrayLike, sets: NDArray[np.int64] | None = None) -> Estimate:
    """Estimate means: s / √n is their error, with s the sample standard deviation (n - 1).

    There is no error from fewer than two draws. Draws of one parameter set, where `sets` numbers it for each
    draw, are not independent: of S sets SE² = S / (S - 1) Σ_s (Σ_{i in s} (x_i - x̄))² / n².
    """
    x, n = _draws(draws)
    center, squares = _moments(x, n)
    count = n
    if sets is not None and len(x):
        first = np.flatnonzero(np.append(True, np.diff(sets) > 0))
        defined = ~np.isnan(x)
        count = np.asarray(np.add.reduceat(defined, first, axis=0, dtype=np.int64).astype(bool).sum(axis=0))
        squares = (np.add.reduceat(np.where(defined, x - center, 0.0), first, axis=0) ** 2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(squares * count / (count - 1)) / n
        if sets is None:
            error = np.sqrt(squares / (n - 1) / n)
    return Estimate(center, np.where(count > 1, error, np.nan), n)


def standard_deviation(draws: ArrayLike) -> Estimate:
    """Estimate sample standard deviations s (n - 1).

    By the delta method their error is √((m₄ - s⁴ (n - 3)/(n - 1)) / n) / (2 s), with m₄ the fourth central
    moment: no normality is assumed. No value from fewer than two draws, no error from fewer than four.
    """
    x, n = _draws(draws)
    center, squares = _moments(x, n)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        variance = squares / (n - 1)
        deviation = np.sqrt(variance)
        # In units of s, so that dollars to the fourth power do not arise; squares are faster than a power.
        power = (x - center) / deviation
        power *= power
        power *= power
        fourth = np.nansum(power, axis=0) / n
        error = 0.5 * deviation * np.sqrt(np.maximum(fourth - (n - 3) / (n - 1), 0.0) / n)
    error = np.where(deviation == 0.0, 0.0, error)
    return Estimate(np.where(n > 1, deviation, np.nan), np.where(n > 3, error, np.nan), n)


def quantile(draws: ArrayLike, level: float, confidence: float = 0.95) -> Interval:
    """Estimate a quantile; see `quantiles`."""
    return quantiles(draws, [level], confidence)[0]


def quantiles(draws: ArrayLike, levels: Sequence[float], confidence: float = 0.95) -> list[Interval]:
    """Estimate quantiles, each with an interval between two order statistics.

    Parameters
    ----------
    draws : array_like of float64, shape (n, ...)
        One entry a draw.
    levels : sequence of float
        Between 0 and 1, both left out.
    confidence : float
        Least probability that an interval, taken by itself, holds the true quantile, whatever the
        distribution.

    Returns
    -------
    list of Interval
        For each level the sample quantile (Hyndman-Fan type 7) and the order statistics of `ranks`.
    """
    x, n = _draws(draws)
    ordered = np.sort(x, axis=0)  # NaNs last
    flat, counts = ordered.reshape(len(ordered), n.size), n.reshape(-1)
    return [_quantile(flat, counts, n, level, confidence) for level in levels]


def _quantile(
    flat: _Array, counts: NDArray[np.int64], n: NDArray[np.int64], level: float, confidence: float
) -> Interval:
    value, low, high = (np.full(counts.shape, np.nan) for _ in range(3))
    for count in np.unique(counts[counts > 0]).tolist():
        columns = np.flatnonzero(counts == count)
        position = (count - 1) * level
        below = int(position)
        above = min(below + 1, count - 1)
        bottom, top = flat[below, columns], flat[above, columns]
        value[columns] = bottom + (position - below) * (top - bottom)
        lower, upper = ranks(count, level, confidence)
        if lower >= 1 and upper <= count:
            low[columns], high[columns] = flat[lower - 1, columns], flat[upper - 1, columns]
    shape = n.shape
    return Interval(value.reshape(shape), low.reshape(shape), high.reshape(shape), n)


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
    # The largest l with P(B < l) ≤ tail and the smallest u with P(B ≥ u) ≤ tail.
    counts = np.arange(count + 1)
    below = np.append(0.0, bdtr(counts[:-1], count, level))
    at_least = np.append(1.0, bdtrc(counts, count, level))
    lower = int(np.searchsorted(below, tail, side="right")) - 1
    upper = int(np.argmax(at_least <= tail))
    return lower, upper


def _draws(draws: ArrayLike) -> tuple[_Array, NDArray[np.int64]]:
    x = np.asarray(draws, dtype=np.float64)
    if x.ndim == 0:
        raise ValueError("draws need an axis; give one entry a draw")
    return x, np.asarray(len(x) - np.isnan(x).sum(axis=0), dtype=np.int64)


def _moments(x: _Array, n: NDArray[np.int64]) -> tuple[_Array, _Array]:
    """Mean and sum of squared deviations of what is not NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        # Relative to the first draw, so that draws that are all equal have a deviation of exactly zero.
        start = np.where(np.isnan(x), np.inf, x).min(axis=0, initial=np.inf)
        start = np.where(np.isfinite(start), start, 0.0)
        center = np.asarray(start + np.nansum(x - start, axis=0) / n)
        squares = np.asarray(np.nansum((x - center) ** 2, axis=0))
    return center, squares
