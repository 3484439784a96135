"""The clinician table and the arrays of the rule: one into the other, without a bit changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.clinician_tables.columns import in_table_order
from asmrisk.rule.arrays import (
    Environment,
    Observed,
    Scored,
    make_environment,
    make_observed,
    make_scored,
    make_scratch,
)
from asmrisk.rule.cohort import score_cohort
from asmrisk.rule.columns import Column, columns_of
from asmrisk.rule.definitions import COHORTS, COLLECTION_TYPES, NOT_REPORTED, Measure, measures_of
from asmrisk.rule.groups import list_peers

__all__ = [
    "ScoredCohort",
    "fields_of",
    "frame_of",
    "observed_of",
    "score_arrays",
    "scored_columns",
    "word_codes",
]


def fields_of(cohort: str) -> Iterator[tuple[str, Column, tuple[Any, ...], Measure | None]]:
    """Run through the observed fields of a cohort, and through its measures in those that are by measure.

    Yields
    ------
    name : str
        Column in the table.
    column : Column
        Declaration of the field; its name is that of the array in `Observed`.
    index : tuple of int
        The measure's code, an index of the array before the clinician; empty without a measure.
    measure : Measure or None
        Whose field it is.
    """
    for column in columns_of(Observed).values():
        if not column.by_measure:
            yield column.name, column, (), None
            continue
        for code, measure in enumerate(measures_of(cohort)):
            yield f"{measure.name}_{column.name}", column, (code,), measure


class ScoredCohort(NamedTuple):
    """One cohort in one performance year, as the rule took and gave it."""

    cohort: int  #: code
    policy: np.record  #: the year's, of POLICY_DTYPE
    n: int  #: clinicians, who come first in arrays with room for more
    observed: Observed
    scored: Scored
    environment: Environment


def score_arrays(cohort: int, policy: np.record, observed: Observed, n: int) -> ScoredCohort:
    """Score the first `n` clinicians of the arrays."""
    scored, environment = make_scored(n), make_environment()
    score_cohort(policy, cohort, observed, n, scored, environment, make_scratch(n))
    return ScoredCohort(cohort, policy, n, observed, scored, environment)


def frame_of(scored_cohort: ScoredCohort, year: int, identities: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Give the clinician table of one cohort and performance year.

    Parameters
    ----------
    scored_cohort : ScoredCohort
        What goes into the table.
    year : int
        Performance year.
    identities : mapping of str to sequences of str, each of length n
        Columns of text, by name: ``clinician_id``, and ``practice_id`` and ``area`` where they are known.

    Returns
    -------
    pandas.DataFrame
        Inputs and scored columns in the table's order. A measure that is not final appears only where the
        policy's set has it. `asmrisk.score` gives the same numbers for this table, to the bit.
    """
    cohort, policy, n, observed, *_ = scored_cohort
    columns: dict[str, Any] = {
        **{name: pd.Series(list(texts), dtype="str") for name, texts in identities.items()},
        "performance_year": np.full(n, year, dtype=np.int64),
        "cohort": pd.Series([COHORTS[cohort]] * n, dtype="str"),
    }
    for name, column, index, measure in fields_of(COHORTS[cohort]):
        values = getattr(observed, column.name)[*index, :n]
        # What nobody knows of anybody has no column.
        unknown = column.optional and column.empty and (values == column.nothing).all()
        if not unknown and (measure is None or measure.final or policy.measure_in_set[cohort][index]):
            columns[name] = _cells(column, values)
    frame = pd.DataFrame(columns)
    return in_table_order(frame.assign(**scored_columns(scored_cohort, frame)))


def observed_of(frame: pd.DataFrame, cohort: int) -> Observed:
    """Give checked rows of one cohort and performance year as the rule takes them, in the same order."""
    observed = make_observed(len(frame))
    for name, column, index, measure in fields_of(COHORTS[cohort]):
        into = getattr(observed, column.name)
        if measure is not None and measure.claims and column.kind == "word":
            # CMS computes it: nobody can fail to report it.
            into[index] = COLLECTION_TYPES.index("claims")
        elif name in frame:
            if column.kind == "word":
                into[index] = word_codes(frame[name], column)
            elif column.kind == "integer":
                into[index] = frame[name].to_numpy(dtype=np.int64, na_value=column.nothing)
            else:
                into[index] = frame[name].to_numpy()
    return observed


def word_codes(series: pd.Series, column: Column) -> NDArray[np.int64]:
    """Give the codes of a column's cells, indices of its words; `NOT_REPORTED` where a cell is empty."""
    return pd.Index(column.words).get_indexer(pd.Index(series)).astype(np.int64)


def _cells(column: Column, values: NDArray[Any]) -> Any:
    """Give an array's values as a table has them."""
    if column.kind == "word":
        words = [None if code == NOT_REPORTED else column.words[code] for code in values.tolist()]
        return pd.Series(words, dtype="str")
    cells = pd.Series(values.copy()).astype(pd.api.types.pandas_dtype(column.dtype))
    return cells.mask(values == NOT_REPORTED) if column.nothing == NOT_REPORTED else cells


def scored_columns(scored_cohort: ScoredCohort, frame: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Give what `asmrisk.score` adds to a table: by column, points for the measures that the table has."""
    cohort, policy, n, observed, scored, environment = scored_cohort
    columns = {
        f"{measure.name}_points": scored.points[code, :n].copy()
        for code, measure in enumerate(measures_of(COHORTS[cohort]))
        if f"{measure.name}_rate" in frame
    }
    columns |= {
        name: getattr(scored, name)[:n].copy()
        for name, column in columns_of(Scored).items()
        if not column.by_measure
    }
    pool = np.zeros(n, np.int8)
    list_peers(policy.payment_peer_group, observed, n, pool)
    columns["cost_score"] = columns["cost_points"] / 10.0
    columns["scaling_factor"] = environment.scaling_factor[pool]
    columns["payment_multiplier"] = 1.0 + columns["adjustment_factor"]
    columns["adjustment_usd"] = columns["adjustment_factor"] * observed.payment_year_part_b[:n]
    return columns
