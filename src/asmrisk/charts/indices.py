"""How much of an outcome each parameter of a study decides, alone and together with the others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from asmrisk.analysis.report import Report
from asmrisk.analysis.statistics import Row, scale_of
from asmrisk.charts.chart import Axis, Bars, Chart, Mark, Panel, Points, Reference, Word, numbers
from asmrisk.charts.studies import MOST, findings_data, more_words, outcome_of, short_name
from asmrisk.charts.words import amount_words, axis_of, with_unit
from asmrisk.errors import Call, InputError, Problem
from asmrisk.studies.report import rounded_up
from asmrisk.studies.verdicts import INDISTINGUISHABLE, is_found

__all__ = ["indices_chart"]

#: Statistics that are drawn together, the leading one last or first, with what their marks are called.
_SHARES = {"first": "alone", "total": "in all"}
_SIZES = {"mu_star": "size", "sigma": "spread"}
_LEADING = ("total", "mu_star")
#: Places of a parameter's marks below its name.
_PLACES = (0.04, 0.34)
_TONES = ("first", "second")


def indices_chart(study: Report, outcome: str | None = None) -> Chart:
    """Show Sobol's indices of a study's parameters, or the sizes of Morris's effects, with 95% intervals.

    Parameters
    ----------
    study : Report
        What `asmrisk.sensitivity` gives.
    outcome : str, optional
        Name of one of its outcomes; the first if not given.

    Returns
    -------
    Chart
        Two rows for each parameter: bars from zero where an index is told apart from it, else a hollow point.

    Raises
    ------
    InputError
        If it is no report of a study, has no such outcome, or its method gives no indices.
    """
    about = outcome_of(study, outcome)
    held = {row["statistic"] for row in about.rows}
    kinds = next((each for each in (_SHARES, _SIZES) if set(each) <= held), None)
    if kinds is None:
        text = f"a study by the method {study.facts['method']} gives no indices; see "
        raise InputError(Problem((text, Call("plot.tornado"), ", which draws what it gives.")))
    rows = [row for row in about.rows if row["statistic"] in kinds]
    found = {(row["parameter"], row["statistic"]): row for row in rows}
    leading = next(each for each in _LEADING if each in kinds)
    # Those that are told from zero first, then as the study has them: the largest first.
    parameters = sorted(
        dict.fromkeys(row["parameter"] for row in rows),
        key=lambda each: not is_found(found[each, leading]["verdict"]),
    )
    shown = parameters[:MOST]
    drawn = [found[each, kind] for each in shown for kind in kinds]
    shares = kinds is _SHARES
    estimates = [abs(row["estimate"]) for row in drawn if not math.isnan(row["estimate"])]
    scale, unit = (100.0, "%") if shares else scale_of(drawn[0]["units"], max(estimates, default=0.0))
    unit = unit.removeprefix(", ")
    names = {each: short_name(found[each, next(iter(kinds))], rows) for each in shown}
    figures = {key: _figure(row, scale, unit, shares=shares) for key, row in found.items()}
    reach = max((_ends(row, scale, shares=shares)[1] for row in drawn), default=0.0) or 1.0
    what = (
        f"Share of the variance of {about.title} that a parameter makes, %: alone, and in all, with what it "
        "does together with others"
        if shares
        else f"Effect of a parameter on {about.title}, {unit}{about.dollars}: mean size, and spread over the "
        "design"
    )
    marks: list[Mark] = [
        mark
        for place, tone, (kind, word) in zip(_PLACES, _TONES, kinds.items(), strict=True)
        for mark in _marks(
            [found[each, kind] for each in shown],
            [f"{figures[each, kind]} {word}" for each in shown],
            *(place, tone, scale, 0.035 * reach),
            shares=shares,
        )
    ]
    said = [
        f"{names[each]}: {', '.join(f'{figures[each, kind]} {word}' for kind, word in kinds.items())}"
        for each in shown
    ]
    return Chart(
        name="indices",
        headline=_headline(
            names[shown[0]],
            {kind: figures[shown[0], kind] for kind in kinds},
            found[shown[0], leading],
            about.title,
        ),
        subtitle=f"{what}, {about.population}",
        alternative=(
            f"Bars from zero, by parameter: what is found of {about.title} first, the largest before others. "
            f"{'; '.join(said)}."
        ),
        source=about.source,
        data=findings_data(drawn, scale, unit),
        panels=[
            Panel(
                [*marks, Reference(0.0)],
                x=axis_of(unit, (-0.03 * reach, 1.45 * reach)),
                y=Axis(names=tuple(names.values()), above=True, limits=(-0.5, len(shown) - 0.3)),
                height=62.0 * len(shown) + 40.0,
            )
        ],
        notes=(
            f"Lines: 95% intervals, which hold {about.holds}. Hollow: not told apart from zero.",
            *more_words(parameters, len(shown)),
        ),
    )


def _figure(row: Row, scale: float, unit: str, *, shares: bool) -> str:
    """Write an estimate as the tables of a study do: what could be zero by its bound."""
    if math.isnan(row["estimate"]):
        return "n/a"
    if row["verdict"].startswith(INDISTINGUISHABLE):
        bound = min(row["high"], 1.0) if shares else row["high"]
        return f"at most {with_unit(rounded_up(bound * scale), unit, short=True)}"
    return amount_words(row["estimate"] * scale, row["error"] * scale, unit, short=True)


def _ends(row: Row, scale: float, *, shares: bool) -> tuple[float, float]:
    """Give the ends of the interval as drawn: nothing is below zero, and no share above one."""
    low, high = (each * scale if math.isfinite(each) else 0.0 for each in (row["low"], row["high"]))
    return max(low, 0.0), max(min(high, scale) if shares else high, 0.0)


def _marks(
    rows: Sequence[Row],
    words: Sequence[str],
    place: float,
    tone: str,
    scale: float,
    room: float,
    *,
    shares: bool,
) -> list[Mark]:
    """Draw one statistic of all parameters, each with its words behind the end of its interval."""
    at = place + np.arange(len(rows))
    low, high = (
        numbers(each) for each in zip(*(_ends(row, scale, shares=shares) for row in rows), strict=True)
    )
    value = np.clip(np.nan_to_num(numbers([row["estimate"] * scale for row in rows])), low, high)
    hollow = np.array([row["verdict"].startswith(INDISTINGUISHABLE) for row in rows])
    found = high > 0.0
    marks: list[Mark] = [Bars(np.where(hollow, 0.0, value), at=numbers(at), tone=tone, thickness=0.2)]
    for is_hollow in (False, True):
        some = found & (hollow == is_hollow)
        if some.any():
            kind = {"tone": "neutral", "hollow": True} if is_hollow else {"tone": "text"}
            marks.append(Points(value[some], at[some], low[some], high[some], **kind))
    return [
        *marks,
        *(Word(float(end) + room, float(y), word) for end, y, word in zip(high, at, words, strict=True)),
    ]


def _headline(name: str, figures: dict[str, str], row: Row, title: str) -> str:
    """Say what the first parameter decides, unless nothing is found even of it."""
    if not is_found(row["verdict"]):
        return f"No difference found: no parameter is seen to move {title}"
    start = f"{name[0].upper()}{name[1:]}"
    if row["statistic"] == "total":
        return f"{start} makes {figures['total']} of the variance of {title}, {figures['first']} alone"
    return f"{start} moves {title} most: {figures['mu_star']} on average"
