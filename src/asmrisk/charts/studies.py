"""What charts of studies have in common: the outcome that they are of, names of rows, and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import NamedTuple

import pandas as pd

from asmrisk.analysis.metrics import METRICS
from asmrisk.analysis.report import Report
from asmrisk.analysis.run_results import dollars_of
from asmrisk.analysis.statistics import Row
from asmrisk.errors import Call, InputError, Problem, nearest, printable
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.studies.report import HELD

__all__ = [
    *("MOST", "StudyOutcome", "findings_data", "more_words", "outcome_of", "short_name", "short_parameter")
]

#: Rows that are drawn at most, and characters of a value in a row's name.
MOST, _VALUE = 12, 12


class StudyOutcome(NamedTuple):
    """An outcome of a study with what is found of it."""

    rows: list[Row]  #: findings, the most important parameter first
    title: str  #: of the outcome, as ``Share penalized, solo``
    dollars: str  #: those that it is in, after a comma; empty where it is in none
    population: str  #: whom and which years it is of
    source: str  #: title of the study, design points, draws and seed
    holds: str  #: what errors hold


def outcome_of(study: Report, outcome: str | None) -> StudyOutcome:
    """Find what a study says of an outcome, the first if none is named.

    Raises
    ------
    InputError
        If it is no report of a study, has no such outcome, or too few draws to say anything.
    """
    if "findings" not in study.tables:
        text = "is no report of a study; give what "
        raise InputError(Problem((text, Call("sensitivity"), " gives"), argument="study"))
    names = [str(each) for each in study.dataset["outcome"].values]
    name = names[0] if outcome is None else outcome
    if name not in names:
        allowed = ", ".join(names)
        text = f"{name!r} is no outcome of this study"
        raise InputError(text, argument="outcome", allowed=allowed, nearest=nearest(name, names))
    rows = [row for row in study.tables["findings"] if row["outcome"] == name]
    if not rows:
        raise InputError(f"the study has too few draws to say what {name} depends on; add draws.")
    metric, *labels = name.split()
    title = ", ".join([METRICS[metric].title, *(each.replace("_", " ") for each in labels)])
    years = next((f"year {each}" for each in labels if each.isdigit()), "")
    years = years or f"years {PERFORMANCE_YEARS[0]} to {PERFORMANCE_YEARS[-1]}"
    whose = "of the roster" if METRICS[metric].of else "in the model"
    population = f"clinicians {whose}, performance {years}"
    facts = study.facts
    dollars = "".join(f", {each.lower()}" for each in dollars_of([metric], facts["dollar_year"]))
    source = (
        f"{printable(facts['title'])}: {facts['design_points']:,} design points of {facts['draws']:,} draws, "
        f"seed {facts['seed']}. asmrisk {version('asmrisk')}."
    )
    return StudyOutcome(rows, title, dollars, population, source, HELD[facts["range_holds"]])


def short_parameter(parameter: str, parameters: Iterable[str]) -> str:
    """Name a parameter without its section, unless two of them are alike then.

    >>> short_parameter("policy.risk_level.2029", ["policy.risk_level.2029", "behavior.cost_response"])
    'risk level 2029'
    """

    def short(name: str) -> str:
        return (name.partition(".")[2] or name).replace("_", " ").replace(".", " ")

    alike = {each for each in parameters if short(each) == short(parameter)}
    return short(parameter) if len(alike) == 1 else parameter


def short_name(row: Row, rows: Sequence[Row]) -> str:
    """Name a parameter with its value in little room."""
    name = short_parameter(row["parameter"], (each["parameter"] for each in rows))
    value = row["value"]
    if len(value) > _VALUE:  # A part of a number would be another one.
        value = "{…}" if value.startswith("{") else "…"
    return f"{name} = {value}" if value else name


def findings_data(rows: Sequence[Row], scale: float, unit: str) -> pd.DataFrame:
    """Give findings as a tidy table, their numbers in the unit that is drawn."""
    return pd.DataFrame(
        {name: row[name] for name in ("parameter", "value", "statistic")}
        | {f"{name}, {unit}": row[name] * scale for name in ("estimate", "error", "low", "high")}
        | {"verdict": row["verdict"]}
        for row in rows
    )


def more_words(rows: Sequence[Row], shown: int) -> list[str]:
    """Say how many rows are not drawn."""
    return [f"{len(rows) - shown} more are not drawn: smaller, or not found."] if len(rows) > shown else []
