"""Subtotals of a roster by practice: the mean factor of its clinicians, and what it is paid for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.estimates import Sets
from asmrisk.analysis.ranking import Ranks, ranks_of
from asmrisk.analysis.roster_metrics import Practices, money_of, practice_sums
from asmrisk.analysis.roster_money import MONEY, attributes, dollars_of, named
from asmrisk.analysis.run_results import practices_in

__all__ = ["practice_subtotals", "rank_variables"]

_Array = NDArray[np.float64]


def practice_subtotals(
    results: xr.Dataset,
    told: Callable[[_Array], _Array],
    told_of_factors: Callable[[_Array], _Array],
    width: int,
    prices: _Array | None = None,
    dollar_year: int | None = None,
    sets: Sets = None,
) -> tuple[dict[str, Any], dict[str, NDArray[np.object_]]]:
    """Estimate the outcomes of a roster's practices.

    Dollars are those of the practice that bills in the payment year, since a factor follows the clinician;
    a mean factor is over the clinicians who work in the practice and are measured, and the cost of taking
    part is theirs.

    Parameters
    ----------
    results : xarray.Dataset
        Group ``clinician`` of a run.
    told, told_of_factors : callable
        Give statistics of draws of dollars and factors, shape (draws, ...).
    width : int
        How many clinicians of all draws are held at a time; more where one practice has more.
    prices : ndarray of float64, shape (2, 1 or draws, years), optional
        As `asmrisk.analysis.roster_metrics.prices` gives it.
    dollar_year : int, optional
        In whose dollars these are.
    sets : ndarray of int64, shape (draws,), optional
        Parameter sets of the draws.

    Returns
    -------
    variables, coordinates : dict
        Of a dataset with dimensions ``statistic``, ``performance_year`` and ``practice``: by year
        ``practice_factor``, ``practice_usd`` and, as far as results have them, ``practice_mips_forgone``,
        ``practice_net_of_mips``, ``practice_cost_of_participation`` and ``practice_net_of_costs``, followed
        by ``_total`` over all years;
        ``practice_clinicians`` and ``practice_billed_clinicians``, and the ranks of `rank_variables`. Empty
        where results name no practices.
    """
    found_practices = practices_in(results)
    if found_practices is None:
        return {}, {}
    names, of_work, of_bill = found_practices
    members = [np.flatnonzero((of_work == place) | (of_bill == place)) for place in range(len(names))]
    shape = (results.sizes["draw"], results.sizes["performance_year"])
    parts: dict[str, list[_Array]] = {}
    totals: list[_Array] = []
    start = 0
    while start < len(names):
        end, held = start + 1, len(members[start])
        while end < len(names) and held + len(members[end]) <= width:
            held += len(members[end])
            end += 1
        place = np.unique(np.concatenate(members[start:end]))
        some = results.isel(clinician=place)
        factor = np.asarray(some["adjustment_factor"].values, dtype=np.float64)
        factors = np.full((*shape, end - start), np.nan)
        whole = np.full((shape[0], end - start), np.nan)
        for practice in range(start, end):
            mine = of_work[place] == practice
            factors[:, :, practice - start] = _mean(factor[:, :, mine], (2,))
            whole[:, practice - start] = _mean(factor[:, :, mine], (1, 2))
        theirs = Practices(names, of_work[place], of_bill[place])
        sums = practice_sums(dollars_of(some), theirs, range(start, end))
        found = {"practice_factor": (factors, whole)}
        for name, each in money_of(sums, prices).items():
            found[named("practice", name)] = (each, each.sum(axis=1))
        for name, pair in found.items():
            telling = told_of_factors if name == "practice_factor" else told
            for variable, each in zip((name, f"{name}_total"), pair, strict=True):
                parts.setdefault(variable, []).append(telling(each))
        totals.append(found["practice_usd"][1])
        start = end
    units = {"practice_factor": {"units": "fraction"}}
    units |= {named("practice", name): attributes(name, dollar_year) for name in MONEY}
    variables: dict[str, Any] = {}
    for name, estimates in parts.items():
        dims = ("statistic", *(() if name.endswith("_total") else ("performance_year",)), "practice")
        of = units[name.removesuffix("_total")]
        variables[name] = (dims, np.concatenate(estimates, axis=-1), of)
    ranks = ranks_of(np.concatenate(totals, axis=1), sets)
    return variables | rank_variables("practice_rank", "practice", ranks) | {
        "practice_clinicians": (("practice",), np.bincount(of_work, minlength=len(names))),
        "practice_billed_clinicians": (("practice",), np.bincount(of_bill, minlength=len(names))),
    }, {"practice": names}


def _mean(values: _Array, axes: tuple[int, ...]) -> _Array:
    """Give the mean of what is not NaN; NaN where nothing is."""
    there = ~np.isnan(values)
    count = there.sum(axis=axes)
    total = np.where(there, values, 0.0).sum(axis=axes)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def rank_variables(name: str, dim: str, ranks: Ranks) -> dict[str, Any]:
    """Give ranks as variables of a dataset: ``rank_first`` and ``rank_last`` for the name ``rank``."""
    about = {"units": "1", "draws_needed": ranks.draws_needed}
    return {
        f"{name}_{end}": (
            (dim,),
            each,
            about | {"long_name": f"{words} rank by expected dollars, 1 the lowest"},
        )
        for end, each, words in (("first", ranks.first, "Lowest"), ("last", ranks.last, "Highest"))
    }
