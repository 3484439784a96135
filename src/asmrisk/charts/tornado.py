"""What each parameter of a study does to an outcome, the largest effects first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from asmrisk.analysis.report import Report
from asmrisk.analysis.statistics import Row, scale_of
from asmrisk.charts.chart import Axis, Bars, Chart, Mark, Panel, Points, Reference, numbers
from asmrisk.charts.studies import MOST, findings_data, more_words, outcome_of, short_name
from asmrisk.charts.words import amount_words, axis_of, counted
from asmrisk.errors import Call, InputError, Problem
from asmrisk.studies.verdicts import INDISTINGUISHABLE, is_found

__all__ = ["tornado_chart"]

#: Statistics that are effects, with what they are; the first that a study has is drawn.
_EFFECTS = {
    "difference": "Difference from the base scenario",
    "main_effect": "Effect against the first value of each parameter",
    "mu": "Mean effect of each parameter's whole range",
    "coefficient": "Standard deviations of it per standard deviation of each parameter",
}


def tornado_chart(study: Report, outcome: str | None = None) -> Chart:
    """Show the effects of a study's parameters on an outcome, with their 95% intervals.

    Parameters
    ----------
    study : Report
        What `asmrisk.sensitivity` gives.
    outcome : str, optional
        Name of one of its outcomes; the first if not given.

    Returns
    -------
    Chart
        Bars from zero where an effect is told apart from it, else a hollow point alone.

    Raises
    ------
    InputError
        If it is no report of a study, has no such outcome, or its method gives no effects.
    """
    about = outcome_of(study, outcome)
    kind = next((each for each in _EFFECTS if any(row["statistic"] == each for row in about.rows)), None)
    if kind is None:
        text = f"a study by the method {study.facts['method']} gives no effects; see "
        raise InputError(Problem((text, Call("plot.indices"), ", which draws what it gives.")))
    rows = [row for row in about.rows if row["statistic"] == kind]
    # What is found first, the largest before others; what is not defined last.
    rows.sort(
        key=lambda row: (not is_found(row["verdict"]), math.isnan(row["estimate"]), -abs(row["estimate"]))
    )
    drawn = rows[:MOST]
    largest = max((abs(row["estimate"]) for row in drawn if not math.isnan(row["estimate"])), default=0.0)
    scale, unit = (1.0, "SDs") if kind == "coefficient" else scale_of(drawn[0]["units"], largest)
    unit = {"%": "percentage points"}.get(name := unit.removeprefix(", "), name)
    names = [short_name(row, rows) for row in drawn]
    found = [is_found(row["verdict"]) for row in drawn]
    labels = tuple(
        f"{name}: {_figure(row, scale, unit, short=True)}" for name, row in zip(names, drawn, strict=True)
    )
    return Chart(
        name="tornado",
        headline=(
            f"{names[0][0].upper()}{names[0][1:]} moves {about.title} most: {_figure(rows[0], scale, unit)}"
            if is_found(rows[0]["verdict"])
            else f"No difference found: none of {counted(len(rows), 'effect')} on {about.title}"
        ),
        subtitle=f"{_EFFECTS[kind]}: {about.title}, {unit}{about.dollars}, {about.population}",
        alternative=f"Bars from zero: effects found on {about.title} first, the largest before others. "
        + "; ".join(f"{name}: {_figure(row, scale, unit)}" for name, row in zip(names, drawn, strict=True))
        + ".",
        source=about.source,
        data=findings_data(drawn, scale, unit),
        panels=[
            Panel(
                [
                    Bars(
                        numbers(
                            [
                                row["estimate"] * scale if told else 0.0
                                for row, told in zip(drawn, found, strict=True)
                            ]
                        ),
                        tones=tuple("first" if row["estimate"] > 0.0 else "second" for row in drawn),
                        thickness=0.24,
                    ),
                    *_points(drawn, scale),
                    Reference(0.0),
                ],
                x=axis_of(unit),
                y=Axis(names=labels, above=True, limits=(-0.8, len(drawn) - 0.6)),
                height=40.0 * len(drawn) + 40.0,
            )
        ],
        notes=(
            f"Lines: 95% intervals, which hold {about.holds}. Hollow: no difference found.",
            *more_words(rows, len(drawn)),
        ),
    )


def _figure(row: Row, scale: float, unit: str, *, short: bool = False) -> str:
    if row["verdict"] == INDISTINGUISHABLE:
        return "no difference found"
    if not is_found(row["verdict"]):
        return "n/a" if math.isnan(row["estimate"]) else "no change"
    return amount_words(row["estimate"] * scale, row["error"] * scale, unit, signed=True, short=short)


def _points(rows: Sequence[Row], scale: float) -> list[Mark]:
    """Draw estimates with their intervals, hollow where no difference is found."""
    marks: list[Mark] = []
    for tone, hollow in (("text", False), ("neutral", True)):
        at = [
            place
            for place, row in enumerate(rows)
            if (row["verdict"] == INDISTINGUISHABLE if hollow else is_found(row["verdict"]))
        ]
        if at:
            x, low, high = (
                numbers([rows[each][name] * scale for each in at]) for name in ("estimate", "low", "high")
            )
            marks.append(Points(x, numbers(at), low, high, tone=tone, hollow=hollow))
    return marks
