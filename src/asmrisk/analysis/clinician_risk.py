"""What the rule may do to each of a roster's clinicians, and to the roster as a whole."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.estimates import mean, quantile, standard_deviation
from asmrisk.errors import InputError

__all__ = ["LEVELS", "RISK_LEVEL", "STATISTICS", "clinician_tables", "clinicians", "tail_value_at_risk"]

#: Levels of the quantiles over draws.
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)

#: Level of value at risk and tail value at risk.
RISK_LEVEL = 0.95

#: What is told of each clinician and year, of the draws in which the clinician is measured: their number, and
#: share of all; mean, standard deviation, and probability of a loss with their standard errors; quantiles and
#: value at risk (the loss exceeded with probability 1 - `RISK_LEVEL`) with the ends of a 95% interval; tail
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


def clinicians(results: str | os.PathLike[str] | xr.Dataset, *, partial: bool = False) -> xr.Dataset:
    """Estimate what happens to a roster's clinicians.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that ``asmrisk run`` wrote for a scenario with a roster, or its group ``clinician`` as
        `asmrisk.open_results` gives it.
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

    Raises
    ------
    InputError
        If there are no such results, they are not finished or empty, or the scenario had no roster.
    """
    if not isinstance(results, xr.Dataset):
        from asmrisk.results import open_results

        results = open_results(results, partial=partial, group="clinician")
    if "adjustment_usd" not in results:
        raise InputError("these results are not those of a roster's clinicians; open the group 'clinician'.")
    draws, years, count = (results.sizes[dim] for dim in ("draw", "performance_year", "clinician"))
    if not draws:
        raise InputError("the results hold no draws; there is nothing to estimate.")
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
        parts["adjustment_factor"].append(_estimates(some["adjustment_factor"].values))
        parts["adjustment_usd"].append(_estimates(dollars))
        paid = np.where(np.isnan(dollars), 0.0, dollars)
        parts["adjustment_usd_total"].append(_estimates(paid.sum(axis=1)))
        whole += paid.sum(axis=2)
    by_year = ("statistic", "performance_year", "clinician")
    fraction, usd = {"units": "fraction"}, {"units": "USD"}
    joined = {name: np.concatenate(each, axis=-1) for name, each in parts.items()}
    return xr.Dataset(
        {
            "adjustment_factor": (by_year, joined["adjustment_factor"], fraction),
            "adjustment_usd": (by_year, joined["adjustment_usd"], usd),
            "adjustment_usd_total": (("statistic", "clinician"), joined["adjustment_usd_total"], usd),
            "roster_usd": (("statistic", "performance_year"), _estimates(whole), usd),
            "roster_usd_total": (("statistic",), _estimates(whole.sum(axis=1)), usd),
        },
        coords={"statistic": np.array(STATISTICS, dtype=object)}
        | {name: each for name, each in results.coords.items() if "draw" not in each.dims},
        attrs={"draws": draws, "risk_level": RISK_LEVEL},
    )


def tail_value_at_risk(losses: _Array, level: float = RISK_LEVEL) -> tuple[_Array, _Array]:
    """Estimate the mean of the losses beyond a quantile.

    Parameters
    ----------
    losses : ndarray of float64, shape (n, ...)
        One entry a draw; NaN where there is none.
    level : float
        Level of the quantile.

    Returns
    -------
    value, error : ndarray of float64, shape (...)
        The mean of the largest (1 - level) n losses, the last of them counted in part (Acerbi and Tasche,
        Journal of Banking & Finance 26, 2002), and its standard error: of the mean of q + max(loss - q, 0) /
        (1 - level), with q the quantile that makes it least (Manistre and Hancock, North American Actuarial
        Journal 9, 2005). No error from fewer than two draws.

    Examples
    --------
    >>> value, error = tail_value_at_risk(np.arange(1.0, 101.0), 0.95)
    >>> float(value)
    98.0
    """
    x = np.asarray(losses, dtype=np.float64)
    # Missing losses sort first, below all others: rank from the top.
    ordered = -np.sort(-x, axis=0)
    n = len(x) - np.isnan(x).sum(axis=0)
    # The tail's last draw is the quantile; counted down from the largest.
    last = np.clip(np.ceil((1.0 - level) * n - 1e-9).astype(np.int64), 1, None) - 1
    cut = np.take_along_axis(ordered, last[None] if x.ndim > 1 else np.array([last]), axis=0)[0]
    beyond = cut + np.where(np.isnan(x), np.nan, np.maximum(x - cut, 0.0)) / (1.0 - level)
    estimate = mean(beyond)
    return estimate.value, estimate.error


def _estimates(draws: Any) -> _Array:
    """Give the `STATISTICS` along the first axis, which was the draws."""
    x = np.asarray(draws, dtype=np.float64)
    there = ~np.isnan(x)
    measured = mean(there)
    center, spread = mean(x), standard_deviation(x)
    lost = mean(np.where(there, x < 0.0, np.nan))
    rows: list[Any] = [center.draws, *measured[:2], *center[:2], *spread[:2], *lost[:2]]
    for level in LEVELS:
        rows += quantile(x, level)[:3]
    rows += quantile(-x, RISK_LEVEL)[:3]
    rows += tail_value_at_risk(-x)
    return np.stack([np.asarray(row, dtype=np.float64) for row in rows])


_Table = tuple[list[str], list[tuple[str, Sequence[str], Sequence[Sequence[str]]]]]


def clinician_tables(estimates: xr.Dataset) -> list[_Table]:
    """Give the short tables that a summary shows.

    Parameters
    ----------
    estimates : xarray.Dataset
        What `clinicians` gave.

    Returns
    -------
    list of tuple
        Labels of the rows, and groups of columns, each with its title and heads: the roster as a whole by
        performance year and over all, and the ten clinicians with the largest expected loss over all years.
    """
    years = [int(year) for year in estimates.performance_year.values]
    rows = [estimates["roster_usd"].sel(performance_year=year) for year in years]
    rows.append(estimates["roster_usd_total"])
    count = estimates.sizes["clinician"]
    # Of the largest amount that is shown.
    size = max(float(abs(row.sel(statistic=name))) for row in rows for name in ("p05", "p95"))
    scale, units = next(each for each in _UNITS if not size * each[0] >= 1e6)
    title = f"The roster's {count:,} clinicians as a whole, {units}"
    tables: list[_Table] = [([*map(str, years), "all"], [(title, *_columns(rows, scale, ranges=True))])]
    totals = estimates["adjustment_usd_total"]
    means = totals.sel(statistic="mean").values
    worst = [place for place in np.argsort(means, kind="stable")[:_SHOWN].tolist() if means[place] < 0.0]
    if worst:
        labels = [_short(str(totals.clinician.values[place])) for place in worst]
        title = f"Largest expected losses over all years, {units}"
        tables.append(
            (labels, [(title, *_columns([totals.isel(clinician=place) for place in worst], scale))])
        )
    return tables


def _columns(
    rows: Sequence[xr.DataArray], dollars: float, ranges: bool = False
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
    heads += ["loss, % of draws", "mean of worst 5%"]
    columns.append(pair("penalty_probability", 100.0))
    # What is lost, with the sign of what is paid.
    tail = [[read(row, f"tail_value_at_risk{part}") * dollars for part in ("", "_error")] for row in rows]
    columns.append([with_error(-value, error) for value, error in tail])
    return heads, columns


def _range(low: float, high: float, spread: float) -> str:
    if math.isnan(spread):
        return "n/a"
    return " to ".join(number(each, spread / 10.0) for each in (low, high))


def _short(name: str) -> str:
    return name if len(name) <= 20 else name[:19] + "…"
