"""What knowing one unknown would be worth: how much less an outcome would be expected to vary.

Everything works on plain arrays whose first axis is the draw, as in `asmrisk.analysis.doubt`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.doubt import Component, set_sums
from asmrisk.analysis.estimates import Sets, first_draws, t_quantile
from asmrisk.analysis.shares import least_sets, predicted_parts, regressors

__all__ = ["LEAST_SETS", "falls"]

_Array = NDArray[np.float64]

#: Fewer parameter sets leave it unresolved.
LEAST_SETS = 500

#: Knots of the splines that are tried, beside a straight line.
_KNOTS = (5, 9)
#: Probabilities of the outermost (Harrell, Regression Modeling Strategies, 2001, section 2.4.6).
_OUTERMOST = 0.05
#: A number that takes no more values has an indicator of each.
_FEW_VALUES = 10


def falls(
    values: _Array, sets: Sets, unknowns: _Array, words: Sequence[bool], together: NDArray[np.bool_]
) -> Component:
    """Estimate by how much the standard deviation of an outcome would fall, were one unknown known.

    It is √V - √R. V = R + W is the variance of a single draw's outcome y, W = var(E[y | x]) goes with the
    unknown x, and R = E[var(y | x)] is expected to be left. E[y | x] is a line or a natural cubic spline in x
    (of words and few values a mean of each), whichever predicts best. Each parameter set is predicted from
    the others (`asmrisk.analysis.shares.predicted_parts`), so that chance in the set means adds nothing to
    W. What the linear regression on all other, independent unknowns predicts is first taken from the set
    means, which leaves W as it is and makes its error smaller.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        One outcome a draw; NaN where it is undefined.
    sets : ndarray of int64, shape (n,), or None
        Number of the parameter set of each draw, groups contiguous; with None each draw is a set.
    unknowns : ndarray of float64, shape (n, unknowns)
        As stored; alike within a set.
    words : sequence of bool
        Whether an unknown is a word, or anything else without an order.
    together : ndarray of bool, shape (unknowns, unknowns)
        Whether two are correlated, with themselves or through others.

    Returns
    -------
    Component
        Arrays of shape (unknowns,), in the outcome's unit; NaN with fewer sets than `LEAST_SETS`. An unknown
        without any effect may come out below 0. Errors are those of the influence function, and intervals
        Student's, with sets as what is independent.
    """
    kept = ~np.isnan(values)
    sets = np.arange(len(values)) if sets is None else sets
    values, sets, unknowns = values[kept], sets[kept], unknowns[kept]
    count = len(np.unique(sets))
    if count < LEAST_SETS or not (values != values[0]).any():
        return Component(*(np.full(unknowns.shape[1], np.nan) for _ in Component._fields))
    sums = set_sums(values[:, None], sets)
    first = first_draws(sets)
    points = unknowns[first]
    y = sums.mean[:, 0] - sums.mean[:, 0].mean()
    # Of each set its part of the variance of a single draw.
    squares = np.add.reduceat((values - values.mean()) ** 2, first) * count / len(values)
    columns, owners = regressors(points, words)
    linear = predicted_parts(columns, y) if count >= least_sets(columns.shape[1]) else 0.0 * columns
    found = []
    for place, word in enumerate(words):
        others = linear[:, ~together[place][owners]].sum(axis=1)
        own = y - others
        own -= own.mean()
        x = points[:, place]
        fits = [(predicted_parts(each, own).sum(axis=1), each.shape[1]) for each in _bases(x, word)]
        predicted, fitted = min(fits, key=lambda each: ((own - each[0]) ** 2).sum())
        found.append(_fall(squares, y, own, predicted, fitted))
    value, error = np.transpose(found)
    reach = t_quantile(count - 1) * error
    return Component(value, error, value - reach, value + reach)


def _fall(squares: _Array, y: _Array, own: _Array, predicted: _Array, fitted: int) -> tuple[float, float]:
    """Estimate √(R + W) - √R and its error, from predictions by so many fitted columns."""
    count = len(y)
    known = predicted @ own / (count - 1)
    left = max((squares.sum() - 2.0 * predicted @ y) / (count - 1) + known, 0.0)
    whole = np.sqrt(max(left + known, 0.0))
    # Influence of each set: the efficient ones of var(E[y | x]) and E[var(y | x)].
    of_known = 2.0 * predicted * own - predicted**2
    of_left = squares - 2.0 * predicted * y + predicted**2
    with np.errstate(invalid="ignore", divide="ignore"):
        influence = (of_known + of_left) / (2.0 * whole) - (of_left / (2.0 * np.sqrt(left)) if left else 0.0)
        # Not less than what fitting does where there is nothing to fit: a degenerate U-statistic.
        least = np.sqrt(2.0 * fitted) * own.var() / count / (2.0 * whole)
    return whole - np.sqrt(left), max(influence.std(ddof=1) / np.sqrt(count), least)


def _bases(x: _Array, word: bool) -> Iterator[_Array]:
    """Give the columns of the regressions on one unknown."""
    distinct = np.unique(x)
    if word or len(distinct) <= _FEW_VALUES:
        columns, _ = regressors(x[:, None], [True])
        yield columns
        return
    yield x[:, None]
    for knots in _KNOTS:
        yield _spline(x, np.quantile(distinct, np.linspace(_OUTERMOST, 1.0 - _OUTERMOST, knots)))


def _spline(x: _Array, knots: _Array) -> _Array:
    """Give the columns of a natural cubic spline: linear beyond the outermost knots."""
    unit = (x - knots[0]) / (knots[-1] - knots[0])
    at = (knots - knots[0]) / (knots[-1] - knots[0])
    cubes = np.maximum(unit[:, None] - at, 0.0) ** 3
    curves = (cubes[:, :-1] - cubes[:, -1:]) / (1.0 - at[:-1])
    return np.column_stack([unit, curves[:, :-1] - curves[:, -1:]])
