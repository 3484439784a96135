"""What reforms change: Medicare savings, and the dollars of clinicians who win and who lose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan

import pandas as pd

from asmrisk.analysis.comparison import compare
from asmrisk.analysis.comparison_text import answer
from asmrisk.analysis.estimates import is_tied
from asmrisk.analysis.report import scale_for
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS, Row
from asmrisk.charts.chart import ABOVE, Axis, Chart, Mark, Panel, Points, Reference, numbers
from asmrisk.charts.words import (
    amount_with_error,
    amount_words,
    axis_of,
    cohort_words,
    counted,
    shortened_words,
    source_line,
    years_words,
)
from asmrisk.errors import InputError
from asmrisk.rule.definitions import SMALL_PRACTICE

__all__ = ["differences_chart"]

_SAVINGS, _PAID = "medicare_savings", "net_adjustment_per_clinician"
_WHO = ("cohort", "practice_size")
#: Heights of a row, and of a panel's title and axis.
_ROW, _HEAD = 40.0, 60.0
#: Height of a second line of a row's words.
_LINE = 18.0
#: What of a row is found, with the tone of its point.
_MORE, _LESS, _NONE, _SAME, _FEW = "more", "less", "no difference found", "the same", "too few draws to tell"
_TONES = {_MORE: "first", _LESS: "second", _NONE: "neutral", _SAME: "neutral", _FEW: "neutral"}


def differences_chart(baseline: RunResults, *reforms: RunResults) -> Chart:
    """Show what reforms change of Medicare savings, and of the dollars of a clinician, by who wins and loses.

    Parameters
    ----------
    baseline, *reforms : RunResults
        Of runs whose draws can be paired.

    Returns
    -------
    Chart
        A panel with a row for each reform, then one for each reform with a row for each cohort and practice
        size: the means of paired differences, and between which nine draws in ten lie.

    Raises
    ------
    InputError
        Without a reform, or as `asmrisk.compare`.
    """
    if not reforms:
        raise InputError("a chart of differences needs a baseline and at least one reform.")
    given = (baseline, *reforms)
    of_savings = compare(*given, metrics=[_SAVINGS])
    of_clinicians = compare(*given, metrics=[_PAID], by=_WHO)
    savings = list(of_savings.tables["differences"])
    paid = list(of_clinicians.tables["differences"])
    draws = int(of_savings.dataset.attrs["draws"])
    titles = [row["scenario"] for row in savings]
    years = [int(year) for year in baseline.dataset["performance_year"].values]
    over = years_words(years)
    of_savings_unit, of_paid_unit = (_unit(rows, "difference", "p05", "p95") for rows in (savings, paid))
    dollars = "" if baseline.dollar_year is None else f", {baseline.dollar_year} dollars"
    by_reform = {title: [row for row in paid if row["scenario"] == title] for title in titles}
    who = [_who(each) for each in by_reform.values()]
    return Chart(
        name="differences",
        headline=_headline(savings, len(years)),
        subtitle=(
            f"Change against {shortened_words(baseline.title)}: Medicare savings, "
            f"{of_savings_unit[1]}{dollars}, and payments to a clinician, {of_paid_unit[1]}, performance "
            f"year{'s' * (len(years) > 1)} {over}"
        ),
        alternative=" ".join(
            f"{row['scenario']}: {answer(row, 'Medicare saves', f'over {over}{dollars}')} {said}"
            for row, said in zip(savings, who, strict=True)
        ),
        source=source_line(baseline, *reforms, draws=draws),
        data=_data([*savings, *paid]),
        panels=[
            _panel(savings, titles, "Change of Medicare savings", *of_savings_unit),
            *(
                _panel(
                    rows,
                    [f"{cohort_words(row['cohort'])}, {row['practice_size']}" for row in rows],
                    f"Change of a clinician's payments: {shortened_words(title)}",
                    *of_paid_unit,
                )
                for title, rows in by_reform.items()
            ),
        ],
        notes=(
            "Points are means, ± their paired standard errors. Lines hold nine draws in ten, which vary by "
            f"{_holds(savings)}. Hollow: no difference found.",
            f"Payments are adjustments over all years, cash. Small practices have up to {SMALL_PRACTICE} "
            "clinicians, large ones more.",
        ),
    )


def _verdict(row: Row) -> str:
    value, error = row["difference"], row["difference_error"]
    if row["tied"] == 1.0:
        return _SAME
    if isnan(value) or isnan(error):
        return _FEW
    if is_tied(value, error, row["parameter_sets"]):
        return _NONE
    return _MORE if value > 0.0 else _LESS


def _headline(savings: Sequence[Row], years: int) -> str:
    """Say what the reform changes that changes the most of what can be told from nothing."""
    found = [row for row in savings if _verdict(row) in (_MORE, _LESS)]
    if not found:
        verdicts = {_verdict(row) for row in savings}
        which = shortened_words(savings[0]["scenario"]) if len(savings) == 1 else f"{len(savings)} reforms"
        said = verdicts.pop() if len(verdicts) == 1 else _NONE
        if said == _SAME:
            return f"{which}: Medicare saves the same in every draw"
        return f"{which}: {said} in Medicare savings" if said == _NONE else f"{which}: {said}"
    row = max(found, key=lambda each: abs(each["difference"]))
    scale, unit = _unit([row], "difference")
    value = amount_words(abs(row["difference"]) * scale, row["difference_error"] * scale, unit)
    changed = f"Medicare saves {value} {_verdict(row)} over {counted(years, 'year')}"
    title = shortened_words(row["scenario"])
    if len(savings) == 1:
        return f"{title}: {changed}"
    return f"Largest change of {len(savings)} reforms: {changed}: {title}"


def _who(rows: Sequence[Row]) -> str:
    """Name who wins and who loses."""

    def names(verdict: str) -> str:
        some = [
            f"{cohort_words(row['cohort'])} {row['practice_size']}"
            for row in rows
            if _verdict(row) == verdict
        ]
        return ", ".join(some) or "none"

    return f"Clinicians paid more: {names(_MORE)}; less: {names(_LESS)}."


def _holds(rows: Iterable[Row]) -> str:
    return " or ".join(dict.fromkeys(HOLDS[row["range_holds"]] for row in rows))


def _unit(rows: Sequence[Row], *names: str) -> tuple[float, str]:
    """Choose what dollars are multiplied by, and the name of their unit."""
    scale, unit = scale_for(rows, *names)
    return scale, unit.removeprefix(", ")


def _panel(rows: Sequence[Row], names: Sequence[str], title: str, scale: float, unit: str) -> Panel:
    """Show rows below one another, each with its number above the point."""
    marks: list[Mark] = [Reference(0.0)]
    for verdict, tone in _TONES.items():
        at = [place for place, row in enumerate(rows) if _verdict(row) == verdict]
        if not at:
            continue
        low, high = (numbers([rows[place][each] * scale for place in at]) for each in ("p05", "p95"))
        told = rows[at[0]]["draws"] > 1
        marks.append(
            Points(
                numbers([rows[place]["difference"] * scale for place in at]),
                numbers(at),
                low if told else None,
                high if told else None,
                tone=tone,
                hollow=tone == "neutral",
            )
        )
    labels = [f"{name}: {_cell(row, scale, unit)}" for name, row in zip(names, rows, strict=True)]
    row_height = _ROW + _LINE * (max(map(len, labels)) > ABOVE)
    return Panel(
        marks,
        x=axis_of(unit),
        y=Axis(names=tuple(labels), above=True, limits=(-0.9, len(rows) - 0.6)),
        title=title,
        height=_HEAD + row_height * (len(rows) + 0.3),
    )


def _cell(row: Row, scale: float, unit: str) -> str:
    verdict = _verdict(row)
    if verdict == _SAME:
        return "no change in any draw"
    if isnan(row["difference"]):
        return "n/a"
    value, error = row["difference"] * scale, row["difference_error"] * scale
    said = amount_with_error(value, error, unit, signed=True)
    return f"{said}: {verdict}" if verdict in (_NONE, _FEW) else said


def _data(rows: Iterable[Row]) -> pd.DataFrame:
    columns = {
        "baseline": "baseline",
        "reform": "reform",
        "difference": "difference",
        "difference_error": "standard error",
        "p05": "5% of draws below",
        "p95": "5% of draws above",
    }
    return pd.DataFrame(
        {"scenario": row["scenario"], "metric": row["metric"]}
        | {label: row[label] for label in _WHO}
        | {f"{head}, $": row[name] for name, head in columns.items()}
        | {"draws": row["draws"], "finding": _verdict(row)}
        for row in rows
    )
