"""What a study says of its parameters: effects, indices or coefficients, by the method of its design."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.estimates import Sets
from asmrisk.errors import InputError
from asmrisk.scenario.toml_source import show
from asmrisk.studies.effects import Effect, differences, level_effects
from asmrisk.studies.factors import groups_of
from asmrisk.studies.indices import Indices, Variance, grid_indices, group_indices, sobol_indices
from asmrisk.studies.noise import resample, set_means
from asmrisk.studies.regression import regression
from asmrisk.studies.screening import morris_screening
from asmrisk.studies.verdicts import Verdict, of_effect, of_share, of_size

if TYPE_CHECKING:
    from asmrisk.studies.study import Study

__all__ = ["STATISTICS", "Finding", "findings_of"]

_Array = NDArray[np.float64]


class Finding(NamedTuple):
    """One estimate."""

    parameter: str  #: whose effect it is; of a study by groups, the group
    value: str  #: to which value of the parameter it belongs, as a file would write it; empty if to none
    statistic: str  #: one of `STATISTICS`
    estimate: float
    error: float  #: standard error
    low: float  #: ends of the 95% interval
    high: float
    verdict: Verdict  #: what it says


class StatisticDisplay(NamedTuple):
    """How a statistic is shown and judged."""

    head: str  #: of its column
    judge: Callable[[float, float, float, float], Verdict]  #: gives the verdict
    units: str = ""  #: its own unit, if it is not the outcome's


#: Difference from the base, effect of a level against the first, standardized coefficient, indices of Sobol
#: and what knowing a group is worth, statistics of Morris.
STATISTICS = {
    "difference": StatisticDisplay("difference from the base", of_effect),
    "main_effect": StatisticDisplay("effect against the first value", of_effect),
    "coefficient": StatisticDisplay("SDs of it per SD", of_effect, "factor"),
    "first": StatisticDisplay("first, %", of_share, "fraction"),
    "total": StatisticDisplay("total, %", of_share, "fraction"),
    "fall": StatisticDisplay("fall of the SD if known", of_size),
    "mu_star": StatisticDisplay("mean size", of_size),
    "mu": StatisticDisplay("mean effect", of_effect),
    "sigma": StatisticDisplay("SD over the design", of_size),
}

#: Estimate, standard error, and ends of the interval.
_Numbers = tuple[float, float, float, float]
_Analysis = tuple[list[Finding], dict[str, float]]


def findings_of(study: Study, y: _Array, sets: Sets = None) -> tuple[list[Finding], dict[str, float]]:
    """Analyze an outcome by the method of the study's design.

    Parameters
    ----------
    study : Study
        What was computed.
    y : ndarray of float64, shape (design points, draws)
        The outcome, defined everywhere; at least two sets of draws.
    sets : ndarray of int64, shape (draws,), optional
        Number of the parameter set of each draw, nondecreasing; every draw is one of its own if not given.

    Returns
    -------
    findings : list of Finding
        The parameter with the largest estimate first: by total index, size, or effect.
    extras : dict of str to float
        Of the outcome: its variance over the design without noise, the noise's part, and the share that a
        regression explains, where the method gives them.
    """
    found, extras = _ANALYSES[study.design.method](study, y, sets)
    leading = [each for each in ("total", "mu_star") if any(row.statistic == each for row in found)]
    sizes: dict[str, float] = {}
    for row in found:
        if not leading or row.statistic == leading[0]:
            size = -math.inf if math.isnan(row.estimate) else abs(row.estimate)
            sizes[row.parameter] = max(size, sizes.get(row.parameter, -math.inf))
    return sorted(found, key=lambda row: -sizes[row.parameter]), extras


def _finding(parameter: str, value: str, statistic: str, numbers: _Numbers) -> Finding:
    return Finding(parameter, value, statistic, *numbers, STATISTICS[statistic].judge(*numbers))


def _of_effect(effect: Effect, place: int) -> _Numbers:
    value, error, low, high = (float(part[place]) for part in effect)
    return value, error, low, high


def _shown(value: Any) -> str:
    return show(value, 44)


def _one_at_a_time(study: Study, y: _Array, sets: Sets) -> _Analysis:
    effect = differences(y, sets)
    return [
        _finding(factor.name, _shown(study.column(index)[point]), "difference", _of_effect(effect, point))
        for index, factor in enumerate(study.factors)
        for point in np.flatnonzero(~np.isnan(study.design.coordinates[:, index])).tolist()
    ], {}


def _levels(study: Study, y: _Array, sets: Sets, matched: bool) -> list[Finding]:
    found = []
    for index, factor in enumerate(study.factors):
        levels = study.design.coordinates[1:, index].astype(np.int64)
        effect = level_effects(y[1:], levels, matched, sets)
        for level in range(1, factor.levels):
            value = _shown(factor.at_level(level)[factor.name])
            found.append(_finding(factor.name, value, "main_effect", _of_effect(effect, level - 1)))
    return found


def _fractional(study: Study, y: _Array, sets: Sets) -> _Analysis:
    return _levels(study, y, sets, matched=False), {}


def _grid(study: Study, y: _Array, sets: Sets) -> _Analysis:
    means, sizes = set_means(y[1:], sets)
    indices = grid_indices(means, tuple(factor.levels for factor in study.factors), resample(sizes))
    return _shares(study, indices) + _levels(study, y, sets, matched=True), _variance(indices.variance)


def _sobol(study: Study, y: _Array, sets: Sets) -> _Analysis:
    groups = groups_of(study.factors)
    count = len(groups)
    varied = np.zeros(count, dtype=bool)
    for place, members in enumerate(groups.values()):
        for index in members:
            values = study.column(index)[1:]
            varied[place] |= values[:: count + 2] != values[place + 1 :: count + 2]
    means, sizes = set_means(y[1:], sets)
    weights = resample(sizes, (study.points - 1) // (count + 2))
    if not study.groups:
        indices = sobol_indices(means, count, weights, varied)
        return _shares(study, indices), _variance(indices.variance)
    found = group_indices(y[1:], count, weights, varied)
    rows = [
        _finding(group, "", name, each)
        for group, *parts in zip((*groups, study.chance), found.first, found.total, found.fall, strict=True)
        for name, each in zip(("first", "total", "fall"), parts, strict=True)
    ]
    extras = _variance(found.variance)
    del extras["noise_variance"]  # It is chance, and has an index.
    return rows, extras


def _variance(found: Variance) -> dict[str, float]:
    return {
        "variance": found.value,
        "variance_error": found.error,
        "variance_low": found.low,
        "noise_variance": found.noise,
    }


def _shares(study: Study, indices: Indices) -> list[Finding]:
    return [
        _finding(factor.name, "", name, share)
        for factor, *shares in zip(study.factors, indices.first, indices.total, strict=True)
        for name, share in zip(("first", "total"), shares, strict=True)
    ]


def _latin_hypercube(study: Study, y: _Array, sets: Sets) -> _Analysis:
    columns: list[_Array] = []
    names: list[tuple[str, str]] = []
    for index, factor in enumerate(study.factors):
        values = study.column(index)[1:]
        if factor.numeric:
            columns.append(np.array(values, dtype=np.float64))
            names.append((factor.name, ""))
            continue
        # Words and tables have no scale: each value is compared with the first.
        for value in factor.values[1:]:
            columns.append(np.array([each == value and type(each) is type(value) for each in values], float))
            names.append((factor.name, _shown(value)))
    x = np.stack(columns, axis=1)
    if len(y) - 1 <= x.shape[1] + 1 or (x == x[0]).all(axis=0).any():
        raise InputError(
            f"{len(y) - 1} samples are too few for {x.shape[1]} coefficients; ask for more samples."
        )
    means, sizes = set_means(y[1:], sets)
    found = regression(x, means, resample(sizes, len(means)))

    explained = {"explained": found.explained.value, "explained_error": found.explained.error}
    return [
        _finding(name, value, "coefficient", share)
        for (name, value), share in zip(names, found.coefficients, strict=True)
    ], _variance(found.variance) | explained


def _morris(study: Study, y: _Array, sets: Sets) -> _Analysis:
    x = study.design.coordinates[1:]
    trajectories = len(x) // (len(study.factors) + 1)
    means, sizes = set_means(y[1:], sets)
    found = morris_screening(x, means, resample(sizes, trajectories))
    rows = []
    for index, factor in enumerate(study.factors):
        value, low, high = found.sigma[:, index].tolist()
        rows += [
            _finding(factor.name, "", "mu_star", found.mu_star[index]),
            _finding(factor.name, "", "mu", found.mu[index]),
            # Of an interval that is not symmetric: about four standard errors wide.
            _finding(factor.name, "", "sigma", (value, (high - low) / 4.0, low, high)),
        ]
    return rows, {}


#: By the names of `asmrisk.studies.designs.METHODS`; not in that table, which the identity of a store covers
#: with all that it imports.
_ANALYSES = {
    "one_at_a_time": _one_at_a_time,
    "grid": _grid,
    "fractional": _fractional,
    "latin_hypercube": _latin_hypercube,
    "sobol": _sobol,
    "morris": _morris,
}
