"""What each parameter of a study does to an outcome, the largest effects first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from asmrisk.analysis.report import Report
from asmrisk.analysis.statistics import Row, scale_of
from asmrisk.charts.chart import Axis, Bars, Chart, Mark, Panel, Points, Reference, numbers
from asmrisk.charts.studies import MOST, findings_data, more_words, outcome_of, short_name
from asmrisk.charts.words import amount_words, axis_of
from asmrisk.errors import Call, InputError, Problem
from asmrisk.studies.verdicts import INDISTINGUISHABLE

__all__ = ["tornado_chart"]

#: Verdicts by which a row is found to differ from zero.
_FOUND = ("raises it", "lowers it")
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
    # The largest first; what is not defined last.
    rows.sort(key=lambda row: (math.isnan(row["estimate"]), -abs(row["estimate"])))
    drawn = rows[:MOST]
    largest = max((abs(row["estimate"]) for row in drawn if not math.isnan(row["estimate"])), default=0.0)
    scale, unit = (1.0, "SDs") if kind == "coefficient" else scale_of(drawn[0]["units"], largest)
    unit = {"%": "percentage points"}.get(name := unit.removeprefix(", "), name)
    names = [short_name(row, rows) for row in drawn]
    found = [row["verdict"] in _FOUND for row in drawn]
    labels = tuple(
        f"{name}: {_figure(row, scale, unit, short=True)}" for name, row in zip(names, drawn, strict=True)
    )
    return Chart(
        name="tornado",
        headline=_headline(drawn, names, about.title, scale, unit),
        subtitle=f"{_EFFECTS[kind]}: {about.title}, {unit}{about.dollars}, {about.population}",
        alternative=f"Bars from zero, the largest effect on {about.title} first. "
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
                                row["estimate"] * scale * is_found
                                for row, is_found in zip(drawn, found, strict=True)
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
    if row["verdict"] not in _FOUND:
        return "n/a" if math.isnan(row["estimate"]) else "no change"
    return amount_words(row["estimate"] * scale, row["error"] * scale, unit, signed=True, short=short)


def _points(rows: Sequence[Row], scale: float) -> list[Mark]:
    """Draw estimates with their intervals, hollow where no difference is found."""
    marks: list[Mark] = []
    for tone, hollow, verdicts in (("text", False, _FOUND), ("neutral", True, (INDISTINGUISHABLE,))):
        at = [place for place, row in enumerate(rows) if row["verdict"] in verdicts]
        if at:
            x, low, high = (
                numbers([rows[each][name] * scale for each in at]) for name in ("estimate", "low", "high")
            )
            marks.append(Points(x, numbers(at), low, high, tone=tone, hollow=hollow))
    return marks


def _headline(rows: Sequence[Row], names: Sequence[str], title: str, scale: float, unit: str) -> str:
    """Name the parameter that moves the outcome most."""
    for row, name in zip(rows, names, strict=True):
        if row["verdict"] in _FOUND:
            return f"{name[0].upper()}{name[1:]} moves {title} most: {_figure(row, scale, unit)}"
    return f"No difference found: none of {len(rows)} effects on {title}"
