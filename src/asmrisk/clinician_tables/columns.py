"""The columns of the clinician table, each declared once: name, kind, unit, range, meaning."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from asmrisk.rule.definitions import COHORTS, MEASURES, PERFORMANCE_YEARS, SPECIALTIES, Measure, measures_of

__all__ = [
    "CLINICIAN_COLUMNS",
    "SCORE_COLUMNS",
    "Column",
    "in_table_order",
    "input_columns",
    "measure_columns",
    "points_column",
]


@dataclass(frozen=True)
class Column:
    """The declaration of one column.

    Attributes
    ----------
    name : str
        Name in the header.
    kind : str
        ``text``, ``word`` (one of `words`), ``integer`` or ``number``.
    unit : str
        Unit of a number; empty for text.
    meaning : str
        One line.
    low, high : float
        Least and greatest number allowed.
    words : tuple of str
        The words allowed.
    empty : bool
        Whether a cell may be empty.
    optional : bool
        Whether the column may be left out.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    low: float = 0.0
    high: float = math.inf
    words: tuple[str, ...] = ()
    empty: bool = False
    optional: bool = False

    @property
    def dtype(self) -> str:
        """The pandas dtype: integers that may be empty are nullable."""
        integer = "Int64" if self.empty else "int64"
        return {"integer": integer, "number": "float64"}.get(self.kind, "str")

    @property
    def allowed(self) -> str:
        """What a cell may hold, in words."""
        if self.kind == "text":
            return "text without control characters"
        if self.kind == "word":
            return ("one of " if len(self.words) > 1 else "") + ", ".join(self.words)
        what = "a whole number" if self.kind == "integer" else "a number"
        span = f"{self.low:g} or more" if math.isinf(self.high) else f"from {self.low:g} to {self.high:g}"
        return f"{what}, {span} ({self.unit})" if self.unit else f"{what}, {span}"


_FIRST, _LAST = PERFORMANCE_YEARS[0], PERFORMANCE_YEARS[-1]

#: Who the clinician is and what was observed, apart from quality measures.
CLINICIAN_COLUMNS = (
    Column("clinician_id", "text", "", "Identity; once in each performance year"),
    Column("performance_year", "integer", "", "Year in which performance is measured", _FIRST, _LAST),
    Column("cohort", "word", "", "Cohort", words=COHORTS),
    Column("specialty", "word", "", "Specialty, one of its cohort's", words=SPECIALTIES),
    Column("practice_size", "integer", "clinicians", "Clinicians who bill under the TIN", 1),
    Column("part_b_payments", "number", "USD", "Part B professional services paid in the performance year"),
    Column("payment_year_part_b", "number", "USD", "Part B professional services paid in the payment year"),
    Column("episodes", "integer", "episodes", "Attributed episodes"),
    Column(
        "cost_per_episode", "number", "USD", "Mean cost of an episode; empty without episodes", empty=True
    ),
    Column("hcc_risk_score", "number", "", "Mean HCC risk score of the patients", empty=True),
    Column("dual_share", "number", "fraction", "Share of dual-eligible patients", 0, 1, empty=True),
    Column("improvement_activities", "integer", "activities", "Improvement activities attested", 0, 2),
    Column("promoting_interoperability", "number", "points", "Promoting interoperability score", 0, 100),
    Column(
        "exempt", "integer", "", "1 in extreme and uncontrollable circumstances, else 0", 0, 1, optional=True
    ),
)

#: What `asmrisk.score` adds after each measure's points.
SCORE_COLUMNS = (
    Column("quality_score", "number", "fraction", "Quality score", 0, 1, empty=True),
    Column("cost_points", "number", "points", "Points of the cost measure", 0, 10, empty=True),
    Column("cost_score", "number", "fraction", "Cost score", 0, 1, empty=True),
    Column("improvement_activities_adjustment", "number", "points", "Improvement activities", -100, 0),
    Column(
        "promoting_interoperability_adjustment", "number", "points", "Promoting interoperability", -100, 0
    ),
    Column("complex_patient_adjustment", "number", "points", "Complex patient bonus"),
    Column("small_practice_adjustment", "number", "points", "Small practice bonus"),
    Column("final_score", "number", "points", "Final score; empty if there is none", 0, 100, empty=True),
    Column("transformed_score", "number", "", "Exchange function of the final score", 0, 1, empty=True),
    Column("scaling_factor", "number", "", "Scaling factor of the payment peer group", empty=True),
    Column("adjustment_factor", "number", "fraction", "Payment adjustment factor", -1),
    Column("payment_multiplier", "number", "fraction", "1 + adjustment factor"),
    Column("adjustment_usd", "number", "USD", "Adjustment factor of payment-year dollars", -math.inf),
)


def measure_columns(measure: Measure) -> tuple[Column, Column, Column, Column]:
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
    name, optional = measure.name, not measure.final
    # A measure without a worst rate is no proportion but has a unit of its own.
    unit, high = ("the measure's unit", math.inf) if measure.worst is None else ("fraction", 1.0)
    how, words = "How it was reported; empty: it was not", measure.collection_types

    def declare(part: str, kind: str, unit: str, meaning: str, high: float, words: tuple = ()) -> Column:
        return Column(f"{name}_{part}", kind, unit, meaning, 0.0, high, words, True, optional)

    return (
        declare("rate", "number", unit, f"Performance rate: {measure.title}", high),
        declare("cases", "integer", "cases", "Eligible cases", math.inf),
        declare("completeness", "number", "fraction", "Data completeness", 1.0),
        declare("collection_type", "word", "", how, math.inf, words),
    )


def points_column(measure: Measure) -> Column:
    """Declare the column of a measure's points.

    Parameters
    ----------
    measure : Measure
        One of `asmrisk.rule.definitions.MEASURES`.

    Returns
    -------
    Column
        Empty where the measure is excluded.
    """
    meaning = "Points; empty where the measure is excluded"
    return Column(f"{measure.name}_points", "number", "points", meaning, 0, 10, empty=True)


def input_columns(cohorts: Iterable[str] = COHORTS) -> tuple[Column, ...]:
    """Give the columns of a table before scoring.

    Parameters
    ----------
    cohorts : iterable of str
        Those in the table.

    Returns
    -------
    tuple of Column
        In the table's order.
    """
    chosen = set(cohorts)
    measures = [measure for cohort in COHORTS if cohort in chosen for measure in measures_of(cohort)]
    return CLINICIAN_COLUMNS + tuple(column for each in measures for column in measure_columns(each))


def in_table_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a table with its columns in the declared order, undeclared ones last.

    Parameters
    ----------
    frame : pandas.DataFrame
        Some or all of the columns.

    Returns
    -------
    pandas.DataFrame
        The same rows.
    """
    declared = [*input_columns(), *(points_column(measure) for measure in MEASURES), *SCORE_COLUMNS]
    names = [column.name for column in declared if column.name in frame.columns]
    return frame[names + [name for name in frame.columns if name not in names]]
