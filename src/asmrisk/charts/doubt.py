"""What the variance of an outcome comes from, and what knowing an unknown would be worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, sqrt

import pandas as pd

from asmrisk.analysis.digits import number
from asmrisk.analysis.doubt_report import doubt
from asmrisk.analysis.metrics import METRICS
from asmrisk.analysis.report import Report
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.shares import CHANCE, GROUPS
from asmrisk.analysis.statistics import Row, scale_of
from asmrisk.analysis.variance import share_cell
from asmrisk.charts.chart import Axis, Bars, Chart, Panel, numbers
from asmrisk.charts.studies import short_parameter
from asmrisk.charts.words import (
    amount_with_error,
    amount_words,
    axis_of,
    population_words,
    source_line,
    with_unit,
)
from asmrisk.errors import InputError

__all__ = ["doubt_chart"]

#: Unknowns that are shown at the most.
_MOST = 8
#: Heights of a bar, and of a panel's title and axis.
_ROW, _HEAD = 36.0, 60.0
_FALLS = (
    "A fall is of the standard deviation of a single draw, were this unknown alone known, with all that is "
    "linked to it. Falls do not add up."
)


def doubt_chart(run: RunResults, metric: str = "medicare_savings", report: Report | None = None) -> Chart:
    """Show which share of the variance each group of unknowns makes, and which unknowns are worth knowing.

    Parameters
    ----------
    run : RunResults
        Of a scenario with unknowns, with several draws a parameter set.
    metric : str
        Name out of `asmrisk.analysis.metrics.METRICS` that has one number a draw.
    report : Report, optional
        What `asmrisk.doubt` gives of it, if that is known already.

    Returns
    -------
    Chart
        Shares by group, or where these are not told, for want of the store or of parameter sets, the standard
        deviations of chance and doubt; then, where it is told, the fall of the standard deviation by unknown.

    Raises
    ------
    InputError
        If nothing is unknown, chance and doubt cannot be told apart, the metric is not allowed, or the report
        does not tell of it.
    """
    if report is None:
        report = doubt(run, [metric])  # type: ignore[arg-type]  # It is open already.
    tables = {
        name: [row for row in report.tables.get(name, ()) if row["metric"] == metric]
        for name in ("chance_and_doubt", "variance", "fall")
    }
    parts = {row["component"]: row for row in tables["chance_and_doubt"]}
    if not parts:
        told = ", ".join(dict.fromkeys(row["metric"] for row in report.tables["chance_and_doubt"]))
        raise InputError(f"the report does not tell of {metric!r}", argument="metric", allowed=told)
    if not all(_is_told(row, "variance") for row in parts.values()):
        raise InputError(
            f"{run.source or 'the dataset'}: chance and doubt cannot be told apart; run it with several "
            "draws per parameter set (run.draws_per_parameter_set), and with several sets."
        )
    shares = [row for row in tables["variance"] if _is_told(row, "share")]
    falls = [row for row in tables["fall"] if row["low"] > 0.0]
    falls = sorted(falls, key=lambda row: -row["fall"])[:_MOST]
    title = METRICS[metric].title
    largest = max(sqrt(max(row["variance"], 0.0)) for row in parts.values())
    scale, units = scale_of(METRICS[metric].units, largest)
    units = units.removeprefix(", ")
    if shares:
        headline, told, panel, data = _of_shares(shares, title)
        measure = f"Share of the variance of a single draw's {title}, %"
    else:
        headline, told, panel, data = _of_parts(parts, title, scale, units)
        measure = f"Standard deviation of a single draw's {title}, {units}"
    panels, notes = (
        [panel],
        [
            "± is a standard error. At most: not distinguishable from 0, and the upper end of the 95% "
            "interval. The variance is over draws and holds chance and doubt."
        ],
    )
    if not shares:
        notes = [
            "Beside each bar is its 95% interval. Which unknowns it comes from is told of a store with "
            f"parameter sets enough; here there are {run.set_count:,}."
        ]
    if falls:
        cells = [amount_with_error(row["fall"] * scale, row["error"] * scale, units) for row in falls]
        unknowns = [row["unknown"] for row in tables["fall"]]
        panels.append(
            _panel(
                [short_parameter(row["unknown"], unknowns) for row in falls],
                [row["fall"] * scale for row in falls],
                cells,
                units,
                title=f"Worth knowing: fall of the standard deviation, {units}",
            )
        )
        notes.append(_FALLS)
        told += f" Worth knowing most: {falls[0]['unknown']}, a fall of {cells[0]}."
        data = pd.concat([data, _table("fall, were it known", "unknown", falls, "fall", scale, units)])
    return Chart(
        name="doubt",
        headline=headline,
        subtitle=f"{measure}, {population_words(run, metric)} together",
        alternative=f"Horizontal bars. {told}",
        source=source_line(run),
        data=data,
        panels=panels,
        notes=tuple(notes),
    )


def _of_shares(shares: Sequence[Row], title: str) -> tuple[str, str, Panel, pd.DataFrame]:
    """Show shares of the variance by group: headline, words, panel and data."""
    order = sorted(shares, key=lambda row: (not row["low"] > 0.0, -row["share"]))
    # A group in which nothing is unknown has a share of zero without an error.
    cells = [
        "0, nothing unknown" if row["error"] == 0.0 and row["group"] in GROUPS else f"{share_cell(row)}%"
        for row in order
    ]
    said = dict(zip((row["group"] for row in order), cells, strict=True))
    first = order[0]["group"]
    beside = "" if first == CHANCE else f", chance {_short(said[CHANCE])}"
    headline = f"{first.capitalize()} makes {_short(said[first])} of the variance of {title}{beside}"
    words = ", ".join(f"{name} {cell}" for name, cell in said.items())
    resolved = [100.0 * row["share"] if row["low"] > 0.0 else 0.0 for row in order]
    panel = _panel(list(said), resolved, cells, "%")
    data = _table("share of the variance", "group", order, "share", 100.0, "%")
    return headline, f"Of the variance of {title}: {words}.", panel, data


def _of_parts(
    parts: Mapping[str, Row], title: str, scale: float, units: str
) -> tuple[str, str, Panel, pd.DataFrame]:
    """Show the standard deviations of doubt and chance: headline, words, panel and data."""
    names, ends, cells = ("doubt", "chance"), [], []
    for name in names:
        value, low, high = (sqrt(max(parts[name][each], 0.0)) * scale for each in ("variance", "low", "high"))
        found = low > 0.0
        ends.append((value if found else 0.0, low, high))
        error = (high - low) / 4.0
        cells.append(
            f"{amount_words(value, error, units)} ({number(low, error)} to {number(high, error)})"
            if found
            else f"at most {with_unit(number(high, high), units)}"
        )
    doubted, chance = (cell.partition(" (")[0] for cell in cells)
    headline = f"Doubt makes a standard deviation of {title} of {doubted}, chance {chance}"
    words = "; ".join(f"{name} {cell}" for name, cell in zip(names, cells, strict=True))
    panel = _panel(names, [value for value, *_ in ends], cells, units)
    heads = ("value", "95% interval from", "95% interval to")
    data = pd.DataFrame(
        {"measure": "standard deviation", "of": name}
        | {f"{head}, {units}": number for head, number in zip(heads, each, strict=True)}
        for name, each in zip(names, ends, strict=True)
    )
    return headline, f"Standard deviations of {title}, {units}: {words}.", panel, data


def _short(cell: str) -> str:
    """Leave out the error: ``98.52%`` of ``98.52 ± 0.45%``."""
    return f"{cell.partition(' ±')[0]}%" if " ±" in cell else cell


def _is_told(row: Row, name: str) -> bool:
    """Whether there are an estimate and the ends of its interval."""
    return not any(isnan(row[each]) for each in (name, "low", "high"))


def _panel(
    names: Sequence[str], ends: Sequence[float], texts: Sequence[str], unit: str, title: str = ""
) -> Panel:
    return Panel(
        [Bars(numbers(ends), texts=tuple(texts))],
        x=axis_of(unit),
        y=Axis(names=tuple(names)),
        title=title,
        height=_HEAD + _ROW * len(names),
    )


def _table(
    measure: str, label: str, rows: Sequence[Row], name: str, scale: float, units: str
) -> pd.DataFrame:
    heads = {name: "value", "error": "standard error", "low": "95% interval from", "high": "95% interval to"}
    return pd.DataFrame(
        {"measure": measure, "of": row[label]}
        | {f"{head}, {units}": scale * row[each] for each, head in heads.items()}
        for row in rows
    )
