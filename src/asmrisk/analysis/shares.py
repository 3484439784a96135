"""The variance over draws split by what it comes from: groups of unknowns, and chance.

Everything works on plain arrays whose first axis is the draw, as in `asmrisk.analysis.doubt`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.doubt import Component, SetSums, components, jackknife, set_sums
from asmrisk.analysis.estimates import Sets, first_draws, t_quantile
from asmrisk.scenario.declarations import PARAMETERS

__all__ = [
    *("CHANCE", "GROUPS", "PARTS", "REST"),
    *("expected_at", "group_of", "least_sets", "predicted_parts", "regressors", "shares"),
]

_Array = NDArray[np.float64]

RULE, PAYMENTS, QUALITY_AND_COST, BEHAVIOR = "rule constants", "payments", "quality and cost", "behavior"
#: What unknowns are grouped by.
GROUPS = (RULE, PAYMENTS, QUALITY_AND_COST, BEHAVIOR)
#: What is left of doubt, and what is not doubt.
REST, CHANCE = "interaction or nonlinear", "chance"
#: All that the variance comes from; the shares add up to 1.
PARTS = (*GROUPS, REST, CHANCE)

#: Parameters whose group is another than that of their section.
_GROUP_OF_PARAMETER = {"behavior.part_b_growth": PAYMENTS}
#: Group of the sections of declarations, apart from those of the regulation; of any other it is
#: `QUALITY_AND_COST`.
_GROUP_OF_SECTION = {"Part B payments": PAYMENTS, "dollars": PAYMENTS, "behavior": BEHAVIOR}

#: Ridge penalty: a slope is as if this part of a set more had been seen in which it is 0. It parts what
#: unknowns that are all but the same explain; more would take from what is explained, and look like `REST`.
_PENALTY = 1e-6
#: Parts that are left out in turn for errors.
_JACKKNIFE_PARTS = 50
#: Fewer sets say nothing about groups, and neither do fewer than so many for each column.
_LEAST_SETS, _SETS_A_COLUMN = 20, 2


def group_of(name: str) -> str:
    """Give the group of an unknown by its parameter's declaration, for example `GROUPS` [0]: the rule's."""
    parameter = PARAMETERS[".".join(name.split(".")[:2])]
    if parameter.name in _GROUP_OF_PARAMETER:
        return _GROUP_OF_PARAMETER[parameter.name]
    if parameter.name.startswith("policy."):
        return RULE
    return _GROUP_OF_SECTION.get(parameter.section, QUALITY_AND_COST)


def regressors(values: _Array, words: Sequence[bool]) -> tuple[_Array, NDArray[np.int64]]:
    """Give the columns of a regression on unknowns.

    Parameters
    ----------
    values : ndarray of float64, shape (n, unknowns)
        As stored: of words the place among those listed.
    words : sequence of bool
        Whether an unknown is a word, or anything else without an order.

    Returns
    -------
    columns : ndarray of float64, shape (n, columns)
        Of a number its value, of a word an indicator of each place but the lowest.
    unknowns : ndarray of int64, shape (columns,)
        Place of the unknown that each is of.
    """
    parts = []
    for place, word in enumerate(words):
        column = values[:, place]
        each = [(column == code).astype(np.float64) for code in np.unique(column)[1:]] if word else [column]
        parts += [(place, one) for one in each]
    columns = np.stack([one for _, one in parts], axis=1) if parts else np.zeros((len(values), 0))
    return columns, np.array([place for place, _ in parts], dtype=np.int64)


def least_sets(columns: int) -> int:
    """Give the number of parameter sets that a split by so many columns needs."""
    return max(_LEAST_SETS, _SETS_A_COLUMN * (columns + 1))


def shares(values: _Array, sets: Sets, columns: _Array, groups: Sequence[str]) -> Component:
    """Split the variance of a single draw by groups of unknowns.

    The part of a group is its main effect, linear in the columns: the covariance of its part of a ridge
    regression of set means (Hoerl and Kennard, Technometrics 12, 1970) with the set means, which allots what
    correlated unknowns share (Li et al., Journal of Physical Chemistry A 114, 2010). Each set's part is
    predicted by the regression of all others: neither chance in the set means nor the fitting of many
    columns then adds to it (leave one out: Stone, Journal of the Royal Statistical Society B 36, 1974; for
    ridge regression in closed form, Golub, Heath and Wahba, Technometrics 21, 1979). Chance and doubt are
    those of `asmrisk.analysis.doubt.chance_and_doubt`; what doubt has beyond the main effects is `REST`.

    Errors are those of the jackknife over 50 parts of the sets, left out in turn (Kott, Journal of Official
    Statistics 17, 2001), and intervals Student's.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        One outcome a draw; NaN where it is undefined.
    sets : ndarray of int64, shape (n,), or None
        Number of the parameter set of each draw, groups contiguous.
    columns : ndarray of float64, shape (n, columns)
        As `regressors` gives them; alike within a set.
    groups : sequence of str
        Group of each column, out of `GROUPS`.

    Returns
    -------
    Component
        Arrays of shape (parts,) in the order of `PARTS`, which add up to 1. A group without unknowns has 0
        with no error. NaN with `sets` None, one draw in every set, an outcome that does not vary, or fewer
        sets than `least_sets`.
    """
    unknown = Component(*(np.full(len(PARTS), np.nan) for _ in Component._fields))
    kept = ~np.isnan(values)
    if sets is None or not kept.any():
        return unknown
    values, sets, columns = values[kept], sets[kept], columns[kept]
    sums = set_sums(values[:, None], sets)
    count = len(sums.draws)
    if count < least_sets(columns.shape[1]):
        return unknown
    points = columns[first_draws(sets)]
    members = np.array([[each == group for each in groups] for group in GROUPS], dtype=np.float64)
    found = _split(sums, points, members)
    without = [
        _split(SetSums(*(each[some] for each in sums)), points[some], members) for some in _subsets(count)
    ]
    error = jackknife(np.stack(without))
    reach = t_quantile(len(without) - 1) * error
    return Component(found, error, found - reach, found + reach)


def expected_at(values: _Array, sets: Sets, columns: _Array, at: _Array) -> tuple[float, float]:
    """Estimate the mean of an outcome over chance alone, at one value of every unknown.

    Parameters
    ----------
    values, sets, columns
        As for `shares`; with `sets` None each draw is a set of its own.
    at : ndarray of float64, shape (columns,)
        The unknowns there.

    Returns
    -------
    value, error : float
        Of the ridge regression of set means, and its standard error by the same jackknife; NaN with fewer
        sets than `least_sets`. What is not linear in the unknowns is no part of the error.
    """
    kept = ~np.isnan(values)
    sets = np.arange(len(values)) if sets is None else sets
    values, sets, columns = values[kept], sets[kept], columns[kept]
    points = columns[first_draws(sets)]
    if len(points) < least_sets(columns.shape[1]):
        return np.nan, np.nan
    means = values.mean() + set_sums(values[:, None], sets).mean[:, 0]

    def at_the_point(some: NDArray[np.bool_]) -> float:
        x, spread = _standardized(points[some])
        y = means[some]
        slopes = _inverse(x) @ x.T @ (y - y.mean())
        return float(y.mean() + (at - points[some].mean(axis=0)) / spread @ slopes)

    found = at_the_point(np.ones(len(means), dtype=bool))
    without = np.array([at_the_point(some) for some in _subsets(len(means))])
    return float(found), float(jackknife(without))


def _subsets(count: int) -> Iterator[NDArray[np.bool_]]:
    """Leave out one part of the sets after the other."""
    parts = min(count, _JACKKNIFE_PARTS)
    return (np.arange(count) % parts != part for part in range(parts))


def _split(sums: SetSums, points: _Array, members: _Array) -> _Array:
    """Give the shares, in the order of `PARTS`, from the sums and the columns of some sets."""
    ((chance,), (doubt,)) = components(sums)
    total = chance + doubt
    if not total > 0.0:
        return np.full(len(PARTS), np.nan)
    means = sums.mean[:, 0]
    main_effects = _main_effects(points, means)
    explained = members @ main_effects
    found: _Array = np.array([*explained, doubt - explained.sum(), chance]) / total
    return found


def predicted_parts(points: _Array, means: _Array) -> _Array:
    """Predict each column's part of each set's mean, relative to the mean of all, from all other sets.

    Takes columns of shape (sets, columns), and the means; gives an array of the shape of the columns.
    """
    x, _, slopes, own, left = _regressed(points, means)
    return np.asarray(x * slopes - own * left[:, None])


def _main_effects(points: _Array, means: _Array) -> _Array:
    """Give the covariance of each column's part, as `predicted_parts` has it, with the set means."""
    x, y, slopes, own, left = _regressed(points, means)
    return np.asarray(((x.T @ y) * slopes - own.T @ (left * y)) / (len(means) - 1))


def _regressed(points: _Array, means: _Array) -> tuple[_Array, ...]:
    """Regress means on columns: columns and means standardized or centered, slopes, what sets add to these.

    Without a set, by the Sherman-Morrison formula, its column's part is less by `own` times `left`.
    """
    count = len(means)
    x, _ = _standardized(points)
    y = means - means.mean()
    influence = x @ _inverse(x)
    slopes = influence.T @ y
    own = influence * x
    left = (y - x @ slopes) / (1.0 - 1.0 / count - own.sum(axis=1))
    return x, y, slopes, own, left


def _standardized(points: _Array) -> tuple[_Array, _Array]:
    """Give columns of mean 0 and standard deviation 1 (0 for a constant), and what they were divided by."""
    x = points - points.mean(axis=0)
    spread = x.std(axis=0)
    spread = np.where(spread > 0.0, spread, 1.0)
    return x / spread, spread


def _inverse(x: _Array) -> _Array:
    return np.asarray(np.linalg.inv(x.T @ x + _PENALTY * np.eye(x.shape[1])))
