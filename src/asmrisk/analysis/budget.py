"""What a budget counts: Medicare's savings by calendar year, in cash."""

from __future__ import annotations

import os

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.report import Report, Section
from asmrisk.analysis.run_results import open_run_results
from asmrisk.analysis.statistics import DRAWS, MEAN, RANGE, SUMMARY, Draws, Row, columns_of, estimates, shown
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.errors import Call, InputError, Problem
from asmrisk.rule.definitions import PAYMENT_LAG

__all__ = ["PRESENT_YEAR", "budget"]

#: Present values are those at the start of this year.
PRESENT_YEAR = 2027
_MOST = 0.5
#: Flows of cash by their names in the dataset and in rows; the last is the sum of the others.
_FLOWS = {
    "adjustments_kept": "Adjustments kept",
    "episode_savings": "Episode savings",
    "budget_savings": "Both",
}

_Array = NDArray[np.float64]


def budget(
    results: str | os.PathLike[str] | xr.Dataset, *, discount: float | None = None, partial: bool = False
) -> Report:
    """Show what Medicare saves in each calendar year.

    A budget counts cash when it flows: adjustments that Medicare keeps in the payment year, two years after
    the performance year that they are for, less what it pays in it for services that make up for them, and
    cheaper episodes in the year in which they happen. All are dollars of the year itself, and so is their
    total.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave.
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
    ...         "retained_savings": (("draw", "performance_year"), [[4e6]]),
    ...         "volume_offset": (("draw", "performance_year"), [[1e6]]),
    ...     },
    ...     coords={"calendar_year": [2027, 2028, 2029], "performance_year": [2027]},
    ... )
    >>> found = budget(results).dataset
    >>> found.episode_savings.sel(statistic="mean").values.tolist()
    [1000000.0, 1000000.0, 2000000.0]
    """
    _check_rate(discount)
    run = open_run_results(results, partial=partial)
    years, flows = _flows(run.dataset)
    whole: dict[str, _Array] = {"total": np.ones(len(years))}
    if discount is not None:
        whole["present_value"] = np.power(1.0 + discount, PRESENT_YEAR - 0.5 - years, dtype=np.float64)
    columns, labels = columns_of(SUMMARY), [*years.tolist(), *whole]
    variables: dict[str, tuple[tuple[str, ...], _Array, dict[str, str]]] = {}
    rows: list[Row] = []
    for (name, title), draws in zip(_FLOWS.items(), flows, strict=True):
        sums = [draws @ weights for weights in whole.values()]
        found = estimates(SUMMARY, Draws(np.column_stack([draws, *sums]), sets=run.sets))
        about = {"units": "USD", "long_name": f"{title}, in dollars of each year", "range_holds": run.holds}
        variables[name] = (("statistic", "calendar_year"), found[:, : len(years)], about)
        for place, label in enumerate(whole, len(years)):
            variables[f"{name}_{label}"] = (("statistic",), found[:, place], about)
        for label, each in zip(labels, found.T.tolist(), strict=True):
            row = {"savings": name, "calendar_year": label, "units": "USD"}
            row |= dict(zip(columns, each, strict=True)) | {"range_holds": run.holds}
            rows.append(row | {count: int(row[count]) for count in DRAWS.columns})
    dataset = xr.Dataset(
        variables,
        coords={"statistic": np.array(columns, dtype=object), "calendar_year": years},
        attrs={"draws": run.count} | ({} if discount is None else {"discount": discount}),
    )
    words = [
        "Cash, in dollars of each calendar year. What services that make up for cuts cost is taken off the "
        "adjustments kept. Episodes are those of performance years: nothing is counted of what they cost "
        "after the last one.",
        f"Mean ± standard error of the mean; {run.range_words}",
    ]
    if discount is not None:
        words.append(
            f"Present value at the start of {PRESENT_YEAR}, at {100.0 * discount:g}% a year, of cash in the "
            "middle of each year."
        )
    return run.report(
        f"Medicare's savings by calendar year, {run.count:,} {'draw' if run.count == 1 else 'draws'}",
        *words,
        dataset=dataset,
        sections=[_section(rows, run.holds)],
        budget=rows,
    )


def _check_rate(discount: float | None) -> None:
    number = isinstance(discount, int | float) and not isinstance(discount, bool)
    if discount is not None and not (number and 0.0 <= discount <= _MOST):
        allowed = f"a rate a year from 0 to {_MOST:g}, for example 0.03"
        raise InputError(f"{discount!r} is not allowed", argument="discount", allowed=allowed)


def _flows(results: xr.Dataset) -> tuple[NDArray[np.int64], list[_Array]]:
    """Give the calendar years, and flows of shape (draws, years) in the order of `_FLOWS`."""
    for name in ("budget_savings", "retained_savings", "volume_offset"):
        if name not in results:
            text = f"these results have no variable {name!r}; they were not written by "
            raise InputError(Problem((text, Call("run"), ".")))
    both = results["budget_savings"].transpose("draw", "calendar_year")
    kept = results["retained_savings"] - results["volume_offset"]
    kept = kept.sum([dim for dim in kept.dims if dim not in ("draw", "performance_year")], skipna=False)
    years = both.coords["calendar_year"].values
    adjustments, values = np.zeros(both.shape), np.asarray(both.values, dtype=np.float64)
    paid = kept.coords["performance_year"].values + PAYMENT_LAG
    adjustments[:, np.searchsorted(years, paid)] = kept.transpose("draw", "performance_year").values
    return years, [adjustments, values - adjustments, values]


def _section(rows: list[Row], holds: str) -> Section:
    """Show the means of both flows, and mean and range of their sum."""
    heads, columns, labels = [], [], []
    for name, title in _FLOWS.items():
        some = [row for row in rows if row["savings"] == name]
        told = (MEAN, RANGE) if name == "budget_savings" else (MEAN,)
        labels = [str(row["calendar_year"]).replace("_", " ") for row in some]
        more, cells = shown(told, some, 1e-6, holds)
        heads += [title.lower(), *more[1:]]
        columns += cells
    return Section(tables=(Table(labels, [Group("Medicare's savings, $ million", heads, columns)]),))
