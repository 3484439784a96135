"""What the rule may do to each of a roster's clinicians, and to the roster as a whole."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.estimates import mean, quantile, quantiles, standard_deviation
from asmrisk.analysis.penalties import ESTIMATES, Penalties, penalty_tables, risk_levels
from asmrisk.analysis.tail import check_tail, tail_value_at_risk
from asmrisk.errors import InputError

__all__ = ["LEVELS", "RISK_LEVEL", "STATISTICS", "clinician_tables", "clinicians", "tail_value_at_risk"]

#: Levels of the quantiles over draws.
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)

#: Level of value at risk and tail value at risk if no other is asked for.
RISK_LEVEL = 0.95

#: What is told of each clinician and year, of the draws in which the clinician is measured: their number, and
#: share of all; mean, standard deviation, and probability of a loss with their standard errors; quantiles and
#: value at risk (the loss exceeded with the tail's probability) with the ends of a 95% interval; tail
#: value at risk (the mean of the losses beyond it) with its standard error. A negative loss is a gain.
STATISTICS = (
    "draws",
    "measured_share",
    "measured_share_error",
    "mean",
    "mean_error",
    "sd",
    "sd_error",
    "penalty_probability",
    "penalty_probability_error",
    *(f"p{round(100 * level):02d}{part}" for level in LEVELS for part in ("", "_low", "_high")),
    "value_at_risk",
    "value_at_risk_low",
    "value_at_risk_high",
    "tail_value_at_risk",
    "tail_value_at_risk_error",
)

#: Numbers held at a time.
_TOGETHER = 2e7
_SHOWN = 10
#: In which dollars are shown, up to a million of each.
_UNITS = ((1.0, "$"), (1e-3, "$ thousand"), (1e-6, "$ million"), (1e-9, "$ billion"), (0.0, "$"))

_Array = NDArray[np.float64]


def clinicians(
    results: str | os.PathLike[str] | xr.Dataset,
    *,
    tail: float = 1.0 - RISK_LEVEL,
    provenance: Mapping[str, Any] | None = None,
    partial: bool = False,
) -> xr.Dataset:
    """Estimate what happens to a roster's clinicians.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that ``asmrisk run`` wrote for a scenario with a roster, or its group ``clinician`` as
        `asmrisk.open_results` gives it.
    tail : float
        Probability of the tail that value at risk and tail value at risk are of.
    provenance : mapping, optional
        Of a dataset, the content of the main results' attribute of that name; it has the risk level, which
        says what the maximum penalty is.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    xarray.Dataset
        Dimension ``statistic`` (`STATISTICS`), then: ``adjustment_factor`` and ``adjustment_usd`` by
        clinician and performance year, of the draws in which the clinician is measured;
        ``adjustment_usd_total`` by clinician, over all five years, where a year without measurement counts as
        0; ``roster_usd`` by year and ``roster_usd_total``, the sums over all clinicians within each draw,
        whose outcomes hang together.

        Dimension ``estimate`` (`asmrisk.analysis.penalties.ESTIMATES`), then: ``maximum_penalty``, the
        probability of the largest penalty that there is, by clinician and performance year, of the draws in
        which the clinician is measured; ``maximum_penalty_ever``, in any of the years, and
        ``three_penalties``, the probability of a penalty in three consecutive years, by clinician and of all
        draws; the same preceded by ``roster_``, the probability that at least one clinician has it, and
        followed by ``_count``, the mean number of those who have. They are left out for a dataset without
        `provenance`.

    Raises
    ------
    InputError
        If there are no such results, they are not finished or empty, the scenario had no roster, or the
        probability is not between 0 and 0.5.

    Examples
    --------
    >>> factor = np.where(np.arange(20)[:, None, None] < 5, -0.02, 0.01) * np.ones((1, 5, 1))
    >>> dims = ("draw", "performance_year", "clinician")
    >>> ours = clinicians(
    ...     xr.Dataset({"adjustment_factor": (dims, factor), "adjustment_usd": (dims, 1e5 * factor)})
    ... )
    >>> ours.adjustment_usd_total.sel(statistic="penalty_probability").item()
    0.25
    """
    (tail,) = check_tail([tail])
    drawn: dict[str, _Array] = {}
    if not isinstance(results, xr.Dataset):
        from asmrisk.results.reading import open_results

        store = results
        results = open_results(store, partial=partial, group="clinician")
        provenance = json.loads(open_results(store, partial=partial).attrs["provenance"])
        if provenance["uncertainty"]:
            values = open_results(store, partial=partial, group="knowledge")["parameter_value"]
            drawn = {str(name): values.sel(parameter=name).values for name in values["parameter"].values}
    if "adjustment_usd" not in results:
        raise InputError("these results are not those of a roster's clinicians; open the group 'clinician'.")
    draws, years, count = (results.sizes[dim] for dim in ("draw", "performance_year", "clinician"))
    if not draws:
        raise InputError("the results hold no draws; there is nothing to estimate.")
    penalties = None
    if provenance is not None:
        penalties = Penalties(draws, years, risk_levels(provenance, drawn))
    width = max(1, int(_TOGETHER // (draws * years)))
    whole = np.zeros((draws, years))
    parts: dict[str, list[_Array]] = {
        "adjustment_factor": [],
        "adjustment_usd": [],
        "adjustment_usd_total": [],
    }
    for first in range(0, count, width):
        some = results.isel(clinician=slice(first, first + width))
        dollars = np.asarray(some["adjustment_usd"].values, dtype=np.float64)
        factor = np.asarray(some["adjustment_factor"].values, dtype=np.float64)
        if penalties is not None:
            penalties.add(factor)
        parts["adjustment_factor"].append(_estimates(factor, tail))
        parts["adjustment_usd"].append(_estimates(dollars, tail))
        paid = np.where(np.isnan(dollars), 0.0, dollars)
        parts["adjustment_usd_total"].append(_estimates(paid.sum(axis=1), tail))
        whole += paid.sum(axis=2)
    by_year = ("statistic", "performance_year", "clinician")
    fraction, usd = {"units": "fraction"}, {"units": "USD"}
    joined = {name: np.concatenate(each, axis=-1) for name, each in parts.items()}
    return xr.Dataset(
        {
            "adjustment_factor": (by_year, joined["adjustment_factor"], fraction),
            "adjustment_usd": (by_year, joined["adjustment_usd"], usd),
            "adjustment_usd_total": (("statistic", "clinician"), joined["adjustment_usd_total"], usd),
            "roster_usd": (("statistic", "performance_year"), _estimates(whole, tail), usd),
            "roster_usd_total": (("statistic",), _estimates(whole.sum(axis=1), tail), usd),
        }
        | ({} if penalties is None else penalties.variables()),
        coords={"statistic": np.array(STATISTICS, dtype=object)}
        | ({} if penalties is None else {"estimate": np.array(ESTIMATES, dtype=object)})
        | {name: each for name, each in results.coords.items() if "draw" not in each.dims},
        attrs={"draws": draws, "risk_level": 1.0 - tail},
    )


def _estimates(draws: Any, tail: float) -> _Array:
    """Give the `STATISTICS` along the first axis, which was the draws."""
    x = np.asarray(draws, dtype=np.float64)
    there = ~np.isnan(x)
    measured = mean(there)
    center, spread = mean(x), standard_deviation(x)
    lost = mean(np.where(there, x < 0.0, np.nan))
    rows: list[Any] = [center.draws, *measured[:2], *center[:2], *spread[:2], *lost[:2]]
    for found in quantiles(x, LEVELS):
        rows += found[:3]
    rows += quantile(-x, 1.0 - tail)[:3]
    rows += tail_value_at_risk(-x, 1.0 - tail)
    return np.stack([np.asarray(row, dtype=np.float64) for row in rows])


_Table = tuple[list[str], list[tuple[str, Sequence[str], Sequence[Sequence[str]]]]]


def clinician_tables(estimates: xr.Dataset, *, penalties: bool = True) -> list[_Table]:
    """Give the short tables that a summary shows.

    Parameters
    ----------
    estimates : xarray.Dataset
        What `clinicians` gave.
    penalties : bool
        Show how likely the maximum penalty and penalties in a row are.

    Returns
    -------
    list of tuple
        Labels of the rows, and groups of columns, each with its title and heads: the roster as a whole by
        performance year and over all, and the ten clinicians with the largest expected loss over all years.
    """
    years = [int(year) for year in estimates.performance_year.values]
    rows = [estimates["roster_usd"].sel(performance_year=year) for year in years]
    rows.append(estimates["roster_usd_total"])
    tail = round(1.0 - estimates.attrs["risk_level"], 12)
    count = estimates.sizes["clinician"]
    # Of the largest amount that is shown.
    size = max(float(abs(row.sel(statistic=name))) for row in rows for name in ("p05", "p95"))
    scale, units = next(each for each in _UNITS if not size * each[0] >= 1e6)
    title = f"The roster's {count:,} clinicians as a whole, {units}"
    tables: list[_Table] = [([*map(str, years), "all"], [(title, *_columns(rows, scale, tail, ranges=True))])]
    totals = estimates["adjustment_usd_total"]
    means = totals.sel(statistic="mean").values
    worst = [place for place in np.argsort(means, kind="stable")[:_SHOWN].tolist() if means[place] < 0.0]
    if worst:
        labels = [_short(str(totals.clinician.values[place])) for place in worst]
        title = f"Largest expected losses over all years, {units}"
        tables.append(
            (labels, [(title, *_columns([totals.isel(clinician=place) for place in worst], scale, tail))])
        )
    if penalties and "roster_three_penalties" in estimates:
        tables += penalty_tables(estimates, worst)
    return tables


def _columns(
    rows: Sequence[xr.DataArray], dollars: float, tail: float, ranges: bool = False
) -> tuple[list[str], list[list[str]]]:
    def read(row: xr.DataArray, name: str) -> float:
        return float(row.sel(statistic=name))

    def pair(name: str, scale: float) -> list[str]:
        return [with_error(read(row, name) * scale, read(row, f"{name}_error") * scale) for row in rows]

    heads, columns = ["mean ± error"], [pair("mean", dollars)]
    if ranges:
        heads.append("5-95%")
        ends = [[read(row, name) * dollars for name in ("p05", "p95", "sd")] for row in rows]
        columns.append([_range(*each) for each in ends])
    heads += ["loss, % of draws", f"mean of worst {100 * tail:g}%"]
    columns.append(pair("penalty_probability", 100.0))
    # What is lost, with the sign of what is paid.
    worst = [[read(row, f"tail_value_at_risk{part}") * dollars for part in ("", "_error")] for row in rows]
    columns.append([with_error(-value, error) for value, error in worst])
    return heads, columns


def _range(low: float, high: float, spread: float) -> str:
    if math.isnan(spread):
        return "n/a"
    return " to ".join(number(each, spread / 10.0) for each in (low, high))


def _short(name: str) -> str:
    return name if len(name) <= 20 else name[:19] + "…"
