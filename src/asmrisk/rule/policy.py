"""One performance year's policy as a record of plain numbers, for the kernels."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from asmrisk.errors import Problem
from asmrisk.parameters.parameter import Values
from asmrisk.rule.declarations import CHOICES, POLICY
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    EDGES,
    MOST_MEASURES,
    PERFORMANCE_YEARS,
    measures_of,
)

__all__ = ["GROUPING", "POLICY_DTYPE", "RULED", "WEIGHTS", "inconsistencies", "policy_records"]

#: The two parameters that make 1 together.
WEIGHTS = ("policy.quality_weight", "policy.cost_weight")
#: Those that `inconsistencies` reads.
RULED = (*WEIGHTS, "policy.cost_points_z")
#: Those that decide by which groups results are kept.
GROUPING = (
    *("policy.quality_peer_group", "policy.quality_collection_types"),
    *("policy.cost_peer_group", "policy.payment_peer_group"),
)

#: Words that stand in for a number.
_WORDS = {"cohort_median": np.nan, "none": np.inf}

_FINAL_RULE = POLICY.defaults()


def _field(name: str) -> tuple[Any, ...]:
    """Give the field of a parameter, from its value in the final rule."""
    value = _FINAL_RULE.at(f"policy.{name}", PERFORMANCE_YEARS[0])
    if name in CHOICES or isinstance(value, int):
        return name, np.int64
    return (name, np.float64, (len(value),)) if isinstance(value, list) else (name, np.float64)


#: Every parameter that is a number, a word or a list of numbers: all but the sets of measures.
_FIELDS = [_field(name.removeprefix("policy.")) for name in POLICY if name != "policy.measures"]

#: One performance year's policy for the kernels: words as codes, no cap as infinity, the median midpoint and
#: missing fixed edges as NaN. Measures are indexed by cohort and code.
POLICY_DTYPE = np.dtype(
    [
        *_FIELDS,
        ("measure_in_set", np.int64, (len(COHORTS), MOST_MEASURES)),
        ("measure_inverse", np.int64, (len(COHORTS), MOST_MEASURES)),
        ("measure_claims", np.int64, (len(COHORTS), MOST_MEASURES)),
        ("measure_worst", np.float64, (len(COHORTS), MOST_MEASURES)),
        ("fixed_edges", np.float64, (len(COHORTS), MOST_MEASURES, len(COLLECTION_TYPES), EDGES)),
    ]
)


def policy_records(values: Values, fixed_edges: npt.NDArray[np.float64] | None = None) -> np.recarray:
    """Pack the policy of each performance year for the kernels.

    Parameters
    ----------
    values : Values
        Resolved parameters, those of section ``policy`` among them.
    fixed_edges : ndarray of float64, shape (cohorts, MOST_MEASURES, collection types, EDGES), optional
        Minimum and 10th to 90th percentiles of the oriented rates (negative where lower is better),
        ascending; NaN where there is no fixed benchmark. Needed only if a year's benchmarks are fixed.

    Returns
    -------
    numpy.recarray
        Shape (YEARS,), dtype `POLICY_DTYPE`, one record per performance year.

    Raises
    ------
    ValueError
        If a year's benchmarks are fixed and `fixed_edges` is not given.
    """
    records = _measures_alone().copy()
    records["fixed_edges"] = np.nan if fixed_edges is None else fixed_edges
    risk_levels = values.over("policy.risk_level", PERFORMANCE_YEARS)
    for name, *_ in _FIELDS:
        by_year = values.over(f"policy.{name}", PERFORMANCE_YEARS)
        for y, value in enumerate(by_year):
            if isinstance(value, str):
                by_year[y] = risk_levels[y] if value == "risk_level" else _code(name, value)
        records[name] = by_year
    sets = values.over("policy.measures", PERFORMANCE_YEARS)
    for c, cohort in enumerate(COHORTS):
        names = [measure.name for measure in measures_of(cohort)]
        records["measure_in_set"][:, c, : len(names)] = [[n in each[cohort] for n in names] for each in sets]
    benchmarks = values.over("policy.quality_benchmarks", PERFORMANCE_YEARS)
    if fixed_edges is None and "fixed" in benchmarks:
        year = PERFORMANCE_YEARS[benchmarks.index("fixed")]
        raise ValueError(f"benchmarks are fixed in {year}, but no edges were given")
    return records.view(np.recarray)


@cache
def _measures_alone() -> npt.NDArray[np.void]:
    """Give records with what is of the measures, whatever the policy, alone."""
    records = np.zeros(len(PERFORMANCE_YEARS), POLICY_DTYPE)
    for c, cohort in enumerate(COHORTS):
        for m, measure in enumerate(measures_of(cohort)):
            records["measure_inverse"][:, c, m] = measure.inverse
            records["measure_claims"][:, c, m] = measure.claims
            records["measure_worst"][:, c, m] = np.nan if measure.worst is None else measure.worst
    return records


def _code(name: str, word: str) -> float:
    """Give the number that stands for a word."""
    return CHOICES[name].index(word) if name in CHOICES else _WORDS[word]


def inconsistencies(values: Values) -> list[Problem]:
    """Find what is wrong between parameters that are each within their range.

    Parameters
    ----------
    values : Values
        Resolved parameters, those of section ``policy`` among them.

    Returns
    -------
    list of Problem
        With the names of the parameters, the year and the remedy.
    """
    problems = []
    for year in PERFORMANCE_YEARS:
        quality, cost = values.at("policy.quality_weight", year), values.at("policy.cost_weight", year)
        if abs(quality + cost - 1.0) > 1e-9:
            text = (
                f"policy.quality_weight and policy.cost_weight make {quality + cost:g} in {year}; they must "
                f"make 1, so set policy.cost_weight to {1.0 - quality:g} or change both"
            )
            problems.append(Problem(text, parameters=WEIGHTS))
        knots = values.at("policy.cost_points_z", year)
        if any(after <= before for before, after in pairwise(knots)):
            text = f"policy.cost_points_z must ascend, but in {year} it is {knots}"
            problems.append(Problem(text, parameters=("policy.cost_points_z",)))
    return problems
