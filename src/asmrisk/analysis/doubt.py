"""Variance over draws, parted into chance and doubt.

Draws of one parameter set differ by chance alone; parameter sets differ by what nobody knows too. Everything
works on plain arrays whose first axis is the draw, as in `asmrisk.analysis.estimates`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asmrisk.analysis.estimates import Estimate, first_draws, mean, t_quantile

__all__ = [
    *("ChanceAndDoubt", "Component", "SetSums"),
    *("chance_and_doubt", "components", "jackknife", "mean_given_assumptions", "set_sums"),
]

_Array = NDArray[np.float64]

#: Errors come from the difference that each parameter set makes; fewer have none to compare.
_LEAST_SETS = 3


class Component(NamedTuple):
    """A part of the variance, in the square of the draws' unit, or its share of the whole."""

    value: _Array  #: NaN where it cannot be told
    error: _Array  #: its standard error
    low: _Array  #: lower end of a 95% interval
    high: _Array  #: upper end


class ChanceAndDoubt(NamedTuple):
    """The variance of a single draw in two parts, arrays of the draws' shape without their first axis."""

    chance: Component
    doubt: Component  #: negative where sets differ less than chance makes them differ on average


class SetSums(NamedTuple):
    """What the analysis of variance needs of each parameter set, arrays of shape (sets, columns)."""

    draws: _Array  #: number of draws, 0 where none is defined
    mean: _Array  #: their mean, relative to that of all draws; 0 without draws
    within: _Array  #: sum of their squared deviations from it


def chance_and_doubt(values: ArrayLike, sets: NDArray[np.int64] | None) -> ChanceAndDoubt:
    """Part the variance of a single draw into chance and doubt.

    The analysis of variance of the one-way random-effects model (Searle, Casella and McCulloch, Variance
    Components, 1992, section 3.6): chance is the mean square within sets, and doubt what the mean square
    between sets has beyond it, without bias for sets of any sizes, also where chance differs between sets.
    With m draws in each set doubt is the variance of the set means less chance / m.

    Errors are those of the jackknife over whole sets, so that neither normality nor equal variances are
    assumed (Arvesen, Annals of Mathematical Statistics 40, 1969). The interval of a mean square is symmetric
    in its logarithm (Arvesen and Layard, Annals of Statistics 3, 1975), and that of doubt, a difference of
    two correlated mean squares, recovers their variances from both intervals (Zou and Donner, Statistics in
    Medicine 27, 2008; for independent chi-squares it is the modified large-sample interval of Graybill and
    Wang, 1980). With effects as skewed as an exponential's the interval of doubt holds the truth in 93% of
    cases with 500 sets, and in 88% with 60.

    Parameters
    ----------
    values : array_like of float64, shape (n, ...)
        One entry a draw; NaN where it is undefined.
    sets : ndarray of int64, shape (n,), or None
        Number of the parameter set of each draw, groups contiguous.

    Returns
    -------
    ChanceAndDoubt
        NaN where the parts cannot be told: with `sets` None, or one draw in every set. No errors from fewer
        than three sets.

    Examples
    --------
    >>> found = chance_and_doubt([1.0, 3.0, 11.0, 13.0, 6.0, 8.0], np.array([0, 0, 1, 1, 2, 2]))
    >>> float(found.chance.value), float(found.doubt.value)
    (2.0, 24.0)
    """
    x = np.asarray(values, dtype=np.float64)
    shape = x.shape[1:]
    if sets is None:
        nowhere = Component(*(np.full(shape, np.nan) for _ in range(4)))
        return ChanceAndDoubt(nowhere, nowhere)
    sums = set_sums(x.reshape(len(x), -1), sets)
    whole = _mean_squares(*_totals(sums))
    without = _mean_squares(*(np.where(sums.draws > 0.0, each, np.nan) for each in _left_out(sums)))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        doubt, each_doubt = ((square.between - square.within) / square.size for square in (whole, without))
        within = _on_log_scale(whole.within, without.within)
        between = _on_log_scale(whole.between, without.between)
        together = _correlation(without.between, without.within)
        below, above = (
            np.sqrt(np.maximum(one**2 + other**2 - 2.0 * together * one * other, 0.0)) / whole.size
            for one, other in (
                (between.value - between.low, within.high - within.value),
                (between.high - between.value, within.value - within.low),
            )
        )
    parts = within, Component(doubt, jackknife(each_doubt), doubt - below, doubt + above)
    return ChanceAndDoubt(*(Component(*(each.reshape(shape) for each in part)) for part in parts))


def set_sums(values: _Array, sets: NDArray[np.int64]) -> SetSums:
    """Sum draws of shape (n, columns) up within each set; NaN is left out."""
    first = first_draws(sets)
    place = np.repeat(np.arange(len(first)), np.diff(first, append=len(sets)))
    there = ~np.isnan(values)
    draws = np.add.reduceat(there, first, dtype=np.float64)
    # Relative to a draw of the set, so that draws that are all equal have a deviation of exactly zero.
    least = np.fmin.reduceat(values, first)
    above = np.where(there, values - least[place], 0.0)
    height = np.add.reduceat(above, first) / np.maximum(draws, 1.0)
    within = np.add.reduceat(there * (above - height[place]) ** 2, first)
    return SetSums(draws, np.where(draws > 0.0, least - mean(values).value + height, 0.0), within)


def components(sums: SetSums) -> tuple[_Array, _Array]:
    """Estimate chance and doubt, of shape (columns,), as `chance_and_doubt` does."""
    square = _mean_squares(*_totals(sums))
    with np.errstate(invalid="ignore", divide="ignore"):
        return square.within, (square.between - square.within) / square.size


def mean_given_assumptions(draws: ArrayLike, sets: NDArray[np.int64]) -> Estimate:
    """Estimate means, with the error that they have given the values of the parameters.

    It is √(chance / draws), NaN where no set has two draws; arguments as of `chance_and_doubt`.
    """
    x = np.asarray(draws, dtype=np.float64)
    chance, _ = components(set_sums(x.reshape(len(x), -1), sets))
    found = mean(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        return found._replace(error=np.sqrt(chance.reshape(x.shape[1:]) / found.draws))


def jackknife(without: _Array) -> _Array:
    """Give standard errors from the estimates with each part left out in turn; NaN counts as no part."""
    with np.errstate(invalid="ignore"):
        there = ~np.isnan(without)
        parts = there.sum(axis=0)
        known = np.where(there, without, 0.0)
        deviations = there * (known - known.sum(axis=0) / np.maximum(parts, 1))
        error = np.sqrt((deviations**2).sum(axis=0) * (parts - 1) / np.maximum(parts, 1))
    return np.where(parts >= _LEAST_SETS, error, np.nan)


class _MeanSquares(NamedTuple):
    within: _Array
    between: _Array  #: its expectation is chance plus size times doubt
    size: _Array


def _parts(sums: SetSums) -> tuple[_Array, ...]:
    """Give what the mean squares need, of shape (sets, columns): 1 for a set, its draws, and its sums."""
    m, mean, within = sums
    return (m > 0.0).astype(np.float64), m, m**2, m * mean, m * mean**2, within


def _totals(sums: SetSums) -> tuple[_Array, ...]:
    """Sum them over the sets; shape (columns,)."""
    return tuple(each.sum(axis=0) for each in _parts(sums))


def _left_out(sums: SetSums) -> tuple[_Array, ...]:
    """Sum them over all sets but one, each in turn; shape (sets, columns)."""
    return tuple(whole - part for whole, part in zip(_totals(sums), _parts(sums), strict=True))


def _mean_squares(
    sets: _Array, draws: _Array, squared: _Array, total: _Array, squares: _Array, within: _Array
) -> _MeanSquares:
    with np.errstate(invalid="ignore", divide="ignore"):
        return _MeanSquares(
            np.where(draws > sets, np.maximum(within, 0.0) / (draws - sets), np.nan),
            np.where(sets > 1, np.maximum(squares - total**2 / draws, 0.0) / (sets - 1), np.nan),
            (draws - squared / draws) / (sets - 1),
        )


def _on_log_scale(value: _Array, without: _Array) -> Component:
    """Give a mean square its error, and an interval symmetric in the logarithm."""
    error = jackknife(without)
    # Of the logarithm; by the delta method where one set makes all of the square.
    relative = np.where(value > 0.0, error / value, 0.0 * error)
    logged = jackknife(np.log(without))
    relative = np.where(np.isfinite(logged), logged, relative)
    parts = (~np.isnan(without)).sum(axis=0)
    factor = np.exp(t_quantile(parts - 1) * relative)
    return Component(value, error, value / factor, value * factor)


def _correlation(one: _Array, other: _Array) -> _Array:
    """Correlate columns over the sets in which both are defined; 0 where one does not vary."""
    there = ~(np.isnan(one) | np.isnan(other))
    count = np.maximum(there.sum(axis=0), 1)
    known = (np.where(there, each, 0.0) for each in (one, other))
    a, b = (there * (each - each.sum(axis=0) / count) for each in known)
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.asarray(np.where(scale > 0.0, (a * b).sum(axis=0) / np.where(scale > 0.0, scale, 1.0), 0.0))
