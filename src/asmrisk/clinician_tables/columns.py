"""The columns of the clinician table, in its order: keys, what is observed, by measure, and scores.

What is observed and scored is declared in `asmrisk.rule.arrays`; here stand only the columns that a table has
beside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd

from asmrisk.rule.arrays import Observed, Scored
from asmrisk.rule.columns import Column, columns_of
from asmrisk.rule.definitions import COHORTS, MEASURES, PERFORMANCE_YEARS, Measure, measures_of
from asmrisk.rule.reasons import STATUSES

__all__ = [
    "CLINICIAN_COLUMNS",
    "FIELD_COLUMNS",
    "REQUIRED",
    "SCORE_COLUMNS",
    "Column",
    "in_table_order",
    "input_columns",
    "measure_columns",
    "points_column",
    "status_column",
    "table_order",
]

_KEYS = (
    Column("text", "", "Identity; once in each performance year", name="clinician_id"),
    Column(
        "text",
        "",
        "Practice (TIN) of the performance year; with one size, conduct and record system a year",
        empty=True,
        optional=True,
        name="practice_id",
    ),
    Column(
        "text",
        "",
        "Practice that bills in the payment year, where it is another",
        empty=True,
        optional=True,
        name="billing_practice_id",
    ),
    Column("text", "", "Area (CBSA) of the practice", empty=True, optional=True, name="area"),
    Column(
        "integer",
        "",
        "Year in which performance is measured",
        PERFORMANCE_YEARS[0],
        PERFORMANCE_YEARS[-1],
        name="performance_year",
    ),
    Column("word", "", "Cohort", words=COHORTS, name="cohort"),
)

#: Who the clinician is and what was observed, apart from quality measures.
CLINICIAN_COLUMNS = (*_KEYS, *(each for each in columns_of(Observed).values() if not each.by_measure))

#: Columns of a roster that must be there and filled.
REQUIRED = ("clinician_id", "cohort", "specialty", "practice_size", "part_b_payments")

#: What follows from the scores, after the score that it stands next to.
_NEXT_TO = {
    "cost_points": (Column("number", "fraction", "Cost score", 0, 1, empty=True, name="cost_score"),),
    "transformed_score": (
        Column("number", "", "Scaling factor of the payment peer group", empty=True, name="scaling_factor"),
    ),
    "adjustment_factor": (
        Column("number", "fraction", "1 + adjustment factor", name="payment_multiplier"),
        Column(
            "number", "USD", "Adjustment factor of payment-year dollars", -math.inf, name="adjustment_usd"
        ),
    ),
}

#: What `asmrisk.score` adds after each measure's points.
SCORE_COLUMNS = tuple(
    column
    for score in columns_of(Scored).values()
    if not score.by_measure
    for column in (score, *_NEXT_TO.get(score.name, ()))
)


_SD = "Standard deviation over the draws of a simulated field of the column before"
#: What it adds after two of them that are means over the draws of a simulated field.
FIELD_COLUMNS = (
    Column("number", "points", _SD, empty=True, name="final_score_sd"),
    Column("number", "USD", _SD, empty=True, name="adjustment_usd_sd"),
)


def measure_columns(measure: Measure) -> tuple[Column, ...]:
    """Declare the columns in which one quality measure is observed.

    Parameters
    ----------
    measure : Measure
        One of `asmrisk.rule.definitions.MEASURES`.

    Returns
    -------
    tuple of Column
        Rate, cases, completeness and collection type.

    Examples
    --------
    >>> from asmrisk.rule.definitions import measures_of
    >>> [column.name for column in measure_columns(measures_of("heart_failure")[1])]
    ['q008_rate', 'q008_cases', 'q008_completeness', 'q008_collection_type']
    """
    rate: dict[str, Any] = {"meaning": f"Performance rate: {measure.title}"}
    if measure.worst is None:  # No proportion: of the measures Q492 alone, which is risk-standardized.
        rate |= {"unit": "admissions per 100 person-years", "high": 10_000.0}
    own = {"rate": rate, "collection_type": {"words": measure.collection_types}}
    return tuple(
        replace(
            column,
            name=f"{measure.name}_{name}",
            optional=not measure.final,
            **own.get(name, {}),
        )
        for name, column in columns_of(Observed).items()
        if column.by_measure
    )


def points_column(measure: Measure) -> Column:
    """Declare the column of a measure's points."""
    return replace(columns_of(Scored)["points"], name=f"{measure.name}_points")


def status_column(measure: Measure) -> Column:
    """Declare the column that says why a measure has its points, or none."""
    meaning = "Why it has these points, or none"
    return Column("word", "", meaning, words=STATUSES, empty=True, name=f"{measure.name}_status")


def input_columns(cohorts: Iterable[str] = COHORTS) -> tuple[Column, ...]:
    """Give the columns of a table of these cohorts before scoring, in the table's order."""
    chosen = set(cohorts)
    measures = [measure for cohort in COHORTS if cohort in chosen for measure in measures_of(cohort)]
    return CLINICIAN_COLUMNS + tuple(column for each in measures for column in measure_columns(each))


def in_table_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a table with its columns in the declared order, undeclared ones last."""
    return frame[table_order(frame.columns)]


def table_order(names: Iterable[str]) -> list[str]:
    """Put names of columns in the declared order, undeclared ones last."""
    places = _places()
    return sorted(names, key=lambda name: places.get(name, len(places)))


@cache
def _places() -> dict[str, int]:
    """Give the place of each declared column."""
    results = (column(measure) for measure in MEASURES for column in (points_column, status_column))
    spread = {column.name.removesuffix("_sd"): column for column in FIELD_COLUMNS}
    scores = [each for column in SCORE_COLUMNS for each in (column, spread.get(column.name)) if each]
    declared = [*input_columns(), *results, *scores]
    return {column.name: place for place, column in enumerate(declared)}
