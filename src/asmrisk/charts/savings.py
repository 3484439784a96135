"""What Medicare saves, by year and added up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from asmrisk.analysis.estimates import is_tied
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import (
    DRAWS,
    MEAN,
    RANGE,
    SD,
    Draws,
    columns_of,
    estimates,
    quantile_statistic,
    range_cell,
)
from asmrisk.charts.chart import Axis, Band, Chart, Line, Mark, Panel, Reference, numbers
from asmrisk.charts.words import (
    amount_words,
    counted,
    population_words,
    range_words,
    source_line,
    with_unit,
    without_errors,
    years_words,
)

__all__ = ["savings_chart"]

_MILLION, _UNIT = 1e-6, "$ million"
_STATISTICS = (DRAWS, MEAN, SD, RANGE, quantile_statistic(0.25, 0.75))
_TITLES = {"a year": "In each performance year", "added up": "Added up since {}"}


def savings_chart(run: RunResults) -> Chart:
    """Show what Medicare saves in each performance year, and in all from the first to it.

    Parameters
    ----------
    run : RunResults
        Of one run.

    Returns
    -------
    Chart
        Two fans: a year, and added up; lines alone of a single parameter set.
    """
    draws = run.draws("medicare_savings", ("year",)).transpose("draw", "performance_year")
    years = [int(year) for year in draws["performance_year"].values]
    by_year = np.asarray(draws.values, dtype=np.float64) * _MILLION
    values = {"a year": by_year, "added up": np.cumsum(by_year, axis=1)}
    columns = columns_of(_STATISTICS)
    found = {
        name: dict(zip(columns, estimates(_STATISTICS, Draws(each, sets=run.sets)), strict=True))
        for name, each in values.items()
    }
    whole = {name: float(each[-1]) for name, each in found["added up"].items()}
    fan = run.set_count > 1
    between = ""
    if fan:
        ends = map(_dollars, range_cell(whole, 1.0).split(" to "))
        between = f"; nine draws in ten lie between {' and '.join(ends)}"
    yearly = zip(years, found["a year"]["mean"], found["a year"]["mean_error"], strict=True)
    told = ", ".join(f"{amount_words(value, error, _UNIT)} in {year}" for year, value, error in yearly)
    said = _said(whole, run.set_count, len(years))
    dollars = "" if run.dollar_year is None else f" of {run.dollar_year}"
    return Chart(
        name="savings",
        headline=f"{without_errors(run)}{said}{between}",
        subtitle=f"Medicare savings, $ million{dollars}, {population_words(run)}",
        alternative=(
            f"{'Two fans' if fan else 'Two lines'} over {years_words(years)}. Mean savings: {told}. "
            f"Added up: {said}{between}."
        ),
        source=source_line(run),
        data=pd.concat(
            pd.DataFrame(
                {"savings": name, "performance year": years, "draws": each["draws"].astype(np.int64)}
                | {f"{head}, $ million": each[column] for column, head in _HEADS.items()}
            )
            for name, each in found.items()
        ),
        panels=[
            Panel(
                _marks(numbers(years), each, "mean" if run.count > 1 else "one draw", fan=fan),
                x=Axis(years=True),
                y=Axis(prefix="$", suffix="m"),
                title=_TITLES[name].format(years[0]),
            )
            for name, each in found.items()
        ],
        notes=(range_words(run),) if fan else (),
    )


_HEADS = {
    "mean": "mean",
    "mean_error": "standard error of the mean",
    "p05": "5% of draws below",
    "p25": "25% of draws below",
    "p50": "median",
    "p75": "25% of draws above",
    "p95": "5% of draws above",
}


def _said(whole: dict[str, float], sets: int, years: int) -> str:
    """Say what Medicare saves over all years, that it loses, or that it does neither."""
    mean, error = whole["mean"], whole["mean_error"]
    if is_tied(mean, error, sets):
        return f"No Medicare savings found over {counted(years, 'year')}"
    verb = "saves" if mean > 0.0 else "loses"
    return f"Medicare {verb} {amount_words(abs(mean), error, _UNIT)} over {counted(years, 'year')}"


def _dollars(text: str) -> str:
    """Write a number of a table as dollars: ``−$3.2 million``."""
    return "−" * text.startswith("-") + with_unit(text.removeprefix("-"), _UNIT)


def _marks(years: Any, each: dict[str, Any], label: str, *, fan: bool) -> list[Mark]:
    ranges: list[Mark] = [
        Band(years, each["p05"], each["p95"], "nine draws in ten"),
        Band(years, each["p25"], each["p75"], "half of the draws", strong=True),
    ]
    return [*(ranges if fan else ()), Line(years, each["mean"], label), Reference(0.0, upright=False)]
