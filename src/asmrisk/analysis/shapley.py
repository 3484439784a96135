"""Effects of the parts of a change, averaged over all orders in which they come: Shapley values by draw."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from math import factorial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.digits import with_error
from asmrisk.analysis.estimates import Estimate, Sets, is_tied, mean, standard_deviation
from asmrisk.analysis.paired import without_rounding
from asmrisk.analysis.statistics import DRAWS, RANGE, Row, Statistic, error_cell

__all__ = [
    *("ALONE", "BY_ORDER", "EFFECT", "PART", "SHARE", "Effects"),
    *("effects_of", "only_together", "subsets"),
]

_Array = NDArray[np.float64]


def subsets(parts: int) -> list[frozenset[int]]:
    """Give all subsets of so many parts, numbered from 0, the smallest first.

    >>> [sorted(each) for each in subsets(2)]
    [[], [0], [1], [0, 1]]
    """
    return [frozenset(each) for size in range(parts + 1) for each in combinations(range(parts), size)]


class Effects(NamedTuple):
    """What one part does, by draw."""

    values: _Array  #: shape (draws,): averaged over all orders
    #: Shape (draws, orders): what it adds to each set of other parts, the empty set first and that of all
    #: others last.
    added: _Array
    whole: _Array  #: shape (draws,): what all parts together do
    sets: Sets = None  #: parameter sets of the draws, as in `asmrisk.analysis.estimates`


def effects_of(outcomes: _Array, sets: Sets = None, units: str = "") -> tuple[list[Effects], Effects]:
    """Take the difference that all parts make apart.

    Parameters
    ----------
    outcomes : ndarray of float64, shape (subsets, draws)
        Outcome with each subset of the parts in force, in the order of `subsets`. A draw in which one of them
        is not defined counts in none.
    sets : ndarray of int64, shape (draws,), optional
        Number of each draw's parameter set.
    units : str
        Of the outcome, for `asmrisk.analysis.paired.without_rounding`.

    Returns
    -------
    parts : list of Effects
        Of each part the Shapley value (Shapley, A Value for n-Person Games, 1953): what it adds to those that
        came before it, on average over all k! orders. In each draw the values add up to what all parts
        together do; a part that changes nothing has exactly 0.
    whole : Effects
        Of all parts together, as if they were one.

    Examples
    --------
    >>> parts, whole = effects_of(np.array([[0.0], [2.0], [4.0], [10.0]]))
    >>> [each.values.item() for each in (*parts, whole)]
    [4.0, 6.0, 10.0]
    """
    known = ~np.isnan(outcomes).any(axis=0)
    outcomes, sets = outcomes[:, known], None if sets is None else sets[known]
    parts = len(outcomes).bit_length() - 1
    places = {each: place for place, each in enumerate(subsets(parts))}
    whole = without_rounding(outcomes[0], outcomes[-1], units)
    found = []
    for part in range(parts):
        without = [each for each in places if part not in each]
        added = np.stack(
            [
                without_rounding(outcomes[places[each]], outcomes[places[each | {part}]], units)
                for each in without
            ]
        )
        orders = [factorial(len(each)) * factorial(parts - 1 - len(each)) for each in without]
        values = np.array(orders, dtype=np.float64) @ added / factorial(parts)
        found.append(Effects(values, added.T, whole, sets))
    return found, Effects(whole, whole[:, np.newaxis], whole, sets)


def only_together(effects: Iterable[Effects], whole: Effects) -> Estimate:
    """Estimate what parts do only together: the whole less what each adds alone."""
    return mean(whole.values - sum(each.added[:, 0] for each in effects), whole.sets)


def _share(effects: Effects) -> Iterable[Any]:
    """Estimate a part's share of the whole; NaN where the whole is not told from 0."""
    total, error, _ = mean(effects.whole, effects.sets)
    sets = len(effects.whole) if effects.sets is None else len(np.unique(effects.sets))
    if np.isnan(error) or is_tied(float(total), float(error), sets):
        return np.nan, np.nan
    share = mean(effects.values).value / total
    # Of a ratio of means, to the first order.
    return share, mean((effects.values - share * effects.whole) / total, effects.sets).error


def _alone(effects: Effects) -> Iterable[Any]:
    first, last = (mean(effects.added[:, place], effects.sets) for place in (0, -1))
    return first.value, first.error, last.value, last.error


def _by_order(effects: Effects) -> Iterable[Any]:
    value, error, _ = mean(effects.added, effects.sets)
    least, most = int(np.argmin(value)), int(np.argmax(value))
    return value[least], error[least], value[most], error[most]


#: Effect, averaged over all orders, with its standard error and that of a single draw.
EFFECT = Statistic(
    ("effect", "effect_error"),
    lambda effects: mean(effects.values, effects.sets)[:2],
    (("effect", error_cell("effect")),),
)


def _share_cell(row: Row, scale: float) -> str:
    share, error = scale * row["share"], scale * row["share_error"]
    return "n/a" if np.isnan(share) else with_error(share, error)


SHARE = Statistic(("share", "share_error"), _share, (("share, %", _share_cell),), units="fraction")
#: What a part adds as the first of all, and as the last.
ALONE = Statistic(
    ("first", "first_error", "last", "last_error"),
    _alone,
    (("as the first", error_cell("first")), ("as the last", error_cell("last"))),
)
#: The least and the most that it adds, depending on what is in force before it.
BY_ORDER = Statistic(
    ("least", "least_error", "most", "most_error"),
    _by_order,
    (("least", error_cell("least")), ("most", error_cell("most"))),
)
#: What is told of each part.
PART = (
    *(DRAWS, EFFECT),
    Statistic(("sd",), lambda effects: (standard_deviation(effects.values, effects.sets).value,)),
    *(RANGE, SHARE, ALONE, BY_ORDER),
)
