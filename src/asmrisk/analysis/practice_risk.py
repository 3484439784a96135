"""Subtotals of a roster by practice: the mean factor of its clinicians, and what it is paid for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.roster_money import MONEY, attributes, dollars_of, money_of, money_table, named
from asmrisk.analysis.statistics import MEAN, RANGE, Row, shown
from asmrisk.analysis.text_tables import Group, Table

__all__ = ["practice_money_table", "practice_subtotals", "practice_table"]

_LISTED = 10

_Array = NDArray[np.float64]


def practice_subtotals(
    results: xr.Dataset,
    told: Callable[[_Array], _Array],
    width: int,
    prices: _Array | None = None,
    dollar_year: int | None = None,
) -> tuple[dict[str, Any], dict[str, NDArray[np.object_]]]:
    """Estimate the outcomes of a roster's practices.

    Dollars are those of the practice that bills in the payment year, since a factor follows the clinician;
    a mean factor is over the clinicians who work in the practice and are measured, and the cost of taking
    part is theirs.

    Parameters
    ----------
    results : xarray.Dataset
        Group ``clinician`` of a run.
    told : callable
        Gives statistics of draws, shape (draws, ...).
    width : int
        How many clinicians of all draws are held at a time; more where one practice has more.
    prices : ndarray of float64, shape (2, 1 or draws, years), optional
        As `asmrisk.analysis.roster_money.stated_prices` gives it.
    dollar_year : int, optional
        In whose dollars these are.

    Returns
    -------
    variables, coordinates : dict
        Of a dataset with dimensions ``statistic``, ``performance_year`` and ``practice``: by year
        ``practice_factor``, ``practice_usd`` and, as far as results have them, ``practice_mips_forgone``,
        ``practice_net_of_mips``, ``practice_cost_of_participation`` and ``practice_net_of_costs``, followed
        by ``_total`` over all years;
        ``practice_clinicians`` and ``practice_billed_clinicians``. Empty where results name no practices.
    """
    if "practice_id" not in results.coords:
        return {}, {}
    works, bills = (
        [str(name) for name in results[label].values] for label in ("practice_id", "billing_practice_id")
    )
    names = np.array(list(dict.fromkeys([*works, *bills])), dtype=object)
    code = {name: place for place, name in enumerate(names)}
    of_work, of_bill = (np.array([code[each] for each in column]) for column in (works, bills))
    members = [np.flatnonzero((of_work == place) | (of_bill == place)) for place in range(len(names))]
    shape = (results.sizes["draw"], results.sizes["performance_year"])
    parts: dict[str, list[_Array]] = {}
    start = 0
    while start < len(names):
        end, held = start + 1, len(members[start])
        while end < len(names) and held + len(members[end]) <= width:
            held += len(members[end])
            end += 1
        place = np.unique(np.concatenate(members[start:end]))
        some = results.isel(clinician=place)
        factor = np.asarray(some["adjustment_factor"].values, dtype=np.float64)
        dollars = {name: np.nan_to_num(each) for name, each in dollars_of(some).items()}
        factors = np.full((*shape, end - start), np.nan)
        sums = {name: np.zeros(factors.shape) for name in dollars}
        whole = np.full((shape[0], end - start), np.nan)
        for practice in range(start, end):
            mine, billed = of_work[place] == practice, of_bill[place] == practice
            factors[:, :, practice - start] = _mean(factor[:, :, mine], (2,))
            whole[:, practice - start] = _mean(factor[:, :, mine], (1, 2))
            for name, each in dollars.items():
                whose = mine if name == "cost_of_participation" else billed
                sums[name][:, :, practice - start] = each[:, :, whose].sum(axis=2)
        found = {"practice_factor": (factors, whole)}
        for name, each in money_of(sums, prices).items():
            found[named("practice", name)] = (each, each.sum(axis=1))
        for name, pair in found.items():
            for variable, each in zip((name, f"{name}_total"), pair, strict=True):
                parts.setdefault(variable, []).append(told(each))
        start = end
    units = {"practice_factor": {"units": "fraction"}}
    units |= {named("practice", name): attributes(name, dollar_year) for name in MONEY}
    variables: dict[str, Any] = {}
    for name, estimates in parts.items():
        dims = ("statistic", *(() if name.endswith("_total") else ("performance_year",)), "practice")
        of = units[name.removesuffix("_total")]
        variables[name] = (dims, np.concatenate(estimates, axis=-1), of)
    return variables | {
        "practice_clinicians": (("practice",), np.bincount(of_work, minlength=len(names))),
        "practice_billed_clinicians": (("practice",), np.bincount(of_bill, minlength=len(names))),
    }, {"practice": names}


def _mean(values: _Array, axes: tuple[int, ...]) -> _Array:
    """Give the mean of what is not NaN; NaN where nothing is."""
    there = ~np.isnan(values)
    count = there.sum(axis=axes)
    total = np.where(there, values, 0.0).sum(axis=axes)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def practice_table(
    found: xr.Dataset, rows: Callable[[xr.DataArray], list[Row]], scale: float, units: str, holds: str
) -> Table | None:
    """Show the practices with the lowest expected dollars over all years; nothing where there is only one.

    Parameters
    ----------
    found : xarray.Dataset
        With the variables of `practice_subtotals`, if any.
    rows : callable
        Gives the statistics of each label of a variable.
    scale : float
        Dollars are multiplied by it.
    units : str
        Name of what then is 1.
    holds : {"chance", "chance_and_doubt"}
        What ranges hold.
    """
    if found.sizes.get("practice", 0) < 2:
        return None
    totals, factors = rows(found["practice_usd_total"]), rows(found["practice_factor_total"])
    order, labels = _lowest(found, totals)
    names = found["practice"].values
    counts = found["practice_clinicians"].values, found["practice_billed_clinicians"].values
    who = Group(
        "Clinicians",
        ["work", "billed"],
        [[f"{column[each]:,}" for each in order] for column in counts],
    )
    listed = "" if len(names) <= _LISTED else f", the lowest {_LISTED} of {len(names):,} practices"
    dollars = Group(
        f"All years, {units}{listed}",
        *shown((MEAN, RANGE), [totals[each] for each in order], scale, holds),
    )
    factor = Group("Mean factor, %", *shown((MEAN,), [factors[each] for each in order], 100.0))
    return Table(labels, [who, factor, dollars])


def practice_money_table(
    found: xr.Dataset, rows: Callable[[xr.DataArray], list[Row]], scale: tuple[float, str]
) -> Table | None:
    """Show what these practices are left with over all years, if results have it; as `practice_table`."""
    if found.sizes.get("practice", 0) < 2:
        return None
    order, labels = _lowest(found, rows(found["practice_usd_total"]))

    def total(name: str) -> tuple[str]:
        return (named("practice", f"{name}_total"),)

    return money_table(found, "The same of these practices, all years", total, labels, rows, scale, order)


def _lowest(found: xr.Dataset, totals: list[Row]) -> tuple[list[int], list[str]]:
    """Give places and names of the practices with the lowest expected dollars."""
    order = np.argsort([row["mean"] for row in totals], kind="stable")[:_LISTED].tolist()
    names = (str(found["practice"].values[each]) for each in order)
    return order, [name if len(name) <= 20 else name[:19] + "…" for name in names]
