"""What a budget counts: Medicare's savings by calendar year, in cash."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.labels import labeled, relabeled
from asmrisk.analysis.report import Report, Section
from asmrisk.analysis.run_results import open_run_results
from asmrisk.analysis.statistics import DRAWS, MEAN, RANGE, SD, Row, estimated, shown
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.errors import Call, InputError, Problem

__all__ = ["PRESENT_YEAR", "budget"]

#: Present values are those at the start of this year.
PRESENT_YEAR = 2027
#: Years from a performance year to the year in which it is paid.
_LAG = 2
_MOST = 0.5
_TOTAL, _PRESENT = "total", "present_value"
_STATISTICS = (DRAWS, MEAN, SD, RANGE)

_Array = NDArray[np.float64]


class _Flow(NamedTuple):
    name: str  #: in the dataset and in rows
    title: str


_KEPT = _Flow("adjustments_kept", "Adjustments kept")
_EPISODES = _Flow("episode_savings", "Episode savings")
_BOTH = _Flow("budget_savings", "Both")


def budget(
    results: str | os.PathLike[str] | xr.Dataset, *, discount: float | None = None, partial: bool = False
) -> Report:
    """Show what Medicare saves in each calendar year.

    A budget counts cash when it flows: adjustments that Medicare keeps in the payment year, two years after
    the performance year that they are for, and cheaper episodes in the year in which they happen. All are
    dollars of the year itself, and so is their total.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that ``asmrisk run`` wrote, or what `asmrisk.open_results` gave.
    discount : float, optional
        Rate a year, of dollars of each year (nominal), for a present value at the start of 2027. Cash is
        taken to flow in the middle of each year: a factor of ``(1 + discount) ** -(year - 2027 + 0.5)``
        (mid-year discounting, OMB Circular A-94).
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    Report
        The dataset has ``adjustments_kept``, ``episode_savings`` and their sum ``budget_savings`` by
        ``statistic`` and ``calendar_year``, the same over all years with ``_total``, and with a discount rate
        ``_present_value``. The rows have ``savings`` (one of the three), ``calendar_year`` (or ``total`` or
        ``present_value``), ``units`` and the statistics.

    Raises
    ------
    InputError
        If there are no such results, they are not finished or have no ``budget_savings``, or the rate is not
        allowed.

    Examples
    --------
    >>> results = xr.Dataset(
    ...     {
    ...         "budget_savings": (("draw", "calendar_year"), [[1e6, 1e6, 5e6]]),
    ...         "retained_savings": (("draw", "performance_year"), [[3e6]]),
    ...     },
    ...     coords={"calendar_year": [2027, 2028, 2029], "performance_year": [2027]},
    ... )
    >>> found = budget(results).dataset
    >>> found.episode_savings.sel(statistic="mean").values.tolist()
    [1000000.0, 1000000.0, 2000000.0]
    """
    _check_rate(discount)
    run = open_run_results(results, partial=partial)
    flows = _flows(run.dataset)
    whole = {_TOTAL: np.ones(flows[_BOTH].sizes["calendar_year"])}
    if discount is not None:
        years = flows[_BOTH].coords["calendar_year"].values
        whole[_PRESENT] = (1.0 + discount) ** -(years - PRESENT_YEAR + 0.5)
    estimates: dict[str, xr.DataArray] = {}
    rows: list[Row] = []
    for flow, draws in flows.items():
        estimates[flow.name] = estimated(_STATISTICS, draws, sets=run.sets)
        labels = draws.coords["calendar_year"].values.tolist()
        rows += _rows(flow, labels, estimates[flow.name].values.T)
        for name, weights in whole.items():
            summed = relabeled(draws.values @ weights, draws, {}, gone=["calendar_year"])
            found = estimated(_STATISTICS, summed, sets=run.sets)
            estimates[f"{flow.name}_{name}"] = found
            rows += _rows(flow, [name], found.values[None])
    for each in estimates.values():
        each.attrs["range_holds"] = run.holds
    rows = [row | {"range_holds": run.holds} for row in rows]
    words = [
        "Cash, in dollars of each calendar year. Episodes are those of performance years: nothing is counted "
        "of what they cost after the last one.",
        f"Mean ± standard error of the mean; {run.range_words}",
    ]
    if discount is not None:
        words.append(
            f"Present value at the start of {PRESENT_YEAR}, at {100.0 * discount:g}% a year, of cash in the "
            "middle of each year."
        )
    return run.report(
        "Medicare's savings by calendar year",
        *words,
        dataset=xr.Dataset(estimates, attrs={"draws": run.count} | _stated(discount)),
        sections=[_section(rows)],
        budget=rows,
    )


def _check_rate(discount: float | None) -> None:
    number = isinstance(discount, int | float) and not isinstance(discount, bool)
    if discount is not None and not (number and 0.0 <= discount <= _MOST):
        allowed = f"a rate a year from 0 to {_MOST:g}, for example 0.03"
        raise InputError(f"{discount!r} is not allowed", argument="discount", allowed=allowed)


def _stated(discount: float | None) -> dict[str, float]:
    return {} if discount is None else {"discount": discount}


def _flows(results: xr.Dataset) -> dict[_Flow, xr.DataArray]:
    """Give both flows of cash and their sum, by draw and calendar year."""
    for name in ("budget_savings", "retained_savings"):
        if name not in results:
            text = f"these results have no variable {name!r}; they were not written by "
            raise InputError(Problem((text, Call("run"), ".")))
    both = results["budget_savings"].transpose("draw", "calendar_year")
    kept = results["retained_savings"]
    kept = kept.sum([dim for dim in kept.dims if dim not in ("draw", "performance_year")], skipna=False)
    by_year = kept.transpose("draw", "performance_year").values
    years = both.coords["calendar_year"].values
    paid = kept.coords["performance_year"].values + _LAG
    adjustments = np.zeros(both.shape)
    adjustments[:, np.searchsorted(years, paid)] = by_year
    values: _Array = np.asarray(both.values, dtype=np.float64)
    labels = {dim: both.coords[dim].variable if dim in both.coords else None for dim in map(str, both.dims)}
    return {
        flow: labeled(each, labels, {"units": "USD", "long_name": f"{flow.title}, in dollars of each year"})
        for flow, each in ((_KEPT, adjustments), (_EPISODES, values - adjustments), (_BOTH, values))
    }


def _rows(flow: _Flow, labels: list[int | str], numbers: _Array) -> list[Row]:
    """Give a row for each label from estimates of shape (labels, statistics)."""
    columns = [column for each in _STATISTICS for column in each.columns]
    return [
        {"savings": flow.name, "calendar_year": label, "units": "USD"}
        | dict(zip(columns, map(float, each), strict=True))
        | {"draws": int(each[0])}
        for label, each in zip(labels, numbers, strict=True)
    ]


def _section(rows: list[Row]) -> Section:
    """Show the means of both flows, and mean and range of their sum."""
    parts = {flow: [row for row in rows if row["savings"] == flow.name] for flow in (_KEPT, _EPISODES, _BOTH)}
    labels = [str(row["calendar_year"]).replace("_", " ") for row in parts[_BOTH]]
    heads, columns = [], []
    for flow, some in parts.items():
        more, cells = shown((MEAN, RANGE) if flow is _BOTH else (MEAN,), some, 1e-6)
        heads += [flow.title.lower(), *more[1:]]
        columns += cells
    return Section(tables=(Table(labels, [Group("Medicare's savings, $ million", heads, columns)]),))
