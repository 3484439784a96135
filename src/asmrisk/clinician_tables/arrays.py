"""The clinician table and the arrays of the rule: one into the other, without a bit changed."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray

from asmrisk.clinician_tables.columns import status_column, table_order
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
from asmrisk.rule.definitions import COHORTS, COLLECTION_TYPES, MEASURES, NOT_REPORTED, Measure, measures_of
from asmrisk.rule.groups import list_peers
from asmrisk.rule.reasons import measure_status

__all__ = [
    "ScoredCohort",
    "fields_of",
    "frame_of",
    "observed_of",
    "score_arrays",
    "score_arrays_within",
    "scored_cells",
    "scored_columns",
    "texts_of",
    "word_cells",
    "word_codes",
]


#: The scored columns that are words.
_STATUS = {each.name: each for each in map(status_column, MEASURES)}


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
    score_cohort(policy, cohort, observed, n, scored, environment, make_scratch(n), False)
    return ScoredCohort(cohort, policy, n, observed, scored, environment)


def score_arrays_within(
    cohort: int, policy: np.record, observed: Observed, n: int, environment: Environment
) -> ScoredCohort:
    """Score the first `n` clinicians of the arrays within an environment that others have made."""
    scored = make_scored(n)
    score_cohort(policy, cohort, observed, n, scored, environment, make_scratch(n), True)
    return ScoredCohort(cohort, policy, n, observed, scored, environment)


def frame_of(
    cohorts: Sequence[ScoredCohort], years: Sequence[int], identities: Mapping[str, ExtensionArray]
) -> pd.DataFrame:
    """Give the clinician table of cohorts and performance years, one below the other.

    Parameters
    ----------
    cohorts : sequence of ScoredCohort
        What goes into the table: one cohort in one performance year each.
    years : sequence of int
        Performance year of each.
    identities : mapping of str to ExtensionArray of str, as long as the table
        Columns of text, by name: ``clinician_id``, and ``practice_id`` and ``area`` where they are known.

    Returns
    -------
    pandas.DataFrame
        Inputs and scored columns in the table's order. A measure that is not final appears only where the
        policy's set has it. `asmrisk.score` gives the same numbers for this table, to the bit.
    """
    sizes = [each.n for each in cohorts]
    fields = dict(_STATUS)
    arrays: dict[str, NDArray[Any]] = {}
    end = 0
    for each in cohorts:
        start, end = end, end + each.n
        own: dict[str, NDArray[Any]] = {}
        for name, column, index, measure in fields_of(COHORTS[each.cohort]):
            values = getattr(each.observed, column.name)[*index, : each.n]
            # What nobody knows of anybody has no column.
            unknown = column.optional and column.empty and (values == column.nothing).all()
            if not unknown and (
                measure is None or measure.final or each.policy.measure_in_set[each.cohort][index]
            ):
                own[name] = values
                fields[name] = column
        for name, values in (own | scored_columns(each, own)).items():
            if name not in arrays:
                number = values.dtype == np.float64
                arrays[name] = np.full(sum(sizes), np.nan if number else NOT_REPORTED, values.dtype)
            arrays[name][start:end] = values
    columns: dict[str, Any] = {
        **identities,
        "performance_year": np.repeat(np.array(years, np.int64), sizes),
        "cohort": texts_of(COHORTS, np.repeat([each.cohort for each in cohorts], sizes)),
        **{name: _cells(fields[name], array) if name in fields else array for name, array in arrays.items()},
    }
    return pd.DataFrame({name: columns[name] for name in table_order(columns)})


def texts_of(words: Sequence[str], codes: NDArray[np.integer]) -> ExtensionArray:
    """Give words by their indices, as a column of text; a cell is empty where the code is `NOT_REPORTED`."""
    return pd.array(words, dtype="str").take(codes, allow_fill=True)


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
        return texts_of(column.words, values)
    if column.kind == "integer":
        whole = values.astype(np.int64)
        return pd.arrays.IntegerArray(whole, values == NOT_REPORTED) if column.empty else whole
    return values


def scored_cells(scored_cohort: ScoredCohort, inputs: Container[str]) -> dict[str, Any]:
    """Give `scored_columns` as a table has them."""
    return {
        name: word_cells(name, values) if name in _STATUS else values
        for name, values in scored_columns(scored_cohort, inputs).items()
    }


def word_cells(name: str, codes: NDArray[np.integer]) -> ExtensionArray:
    """Give the cells of a scored column of words by their codes."""
    return texts_of(_STATUS[name].words, codes)


def scored_columns(scored_cohort: ScoredCohort, inputs: Container[str]) -> dict[str, NDArray[Any]]:
    """Give what `asmrisk.score` adds to a table, by column; of the measures whose rates are among its inputs.

    Numbers are float64; why a measure has its points is a code.
    """
    cohort, policy, n, observed, scored, environment = scored_cohort
    columns: dict[str, NDArray[Any]] = {}
    for code, measure in enumerate(measures_of(COHORTS[cohort])):
        if f"{measure.name}_rate" in inputs:
            columns[f"{measure.name}_points"] = scored.points[code, :n]
            columns[f"{measure.name}_status"] = measure_status(
                policy, cohort, code, observed, scored.points[code], n
            )
    columns |= {
        name: getattr(scored, name)[:n]
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
