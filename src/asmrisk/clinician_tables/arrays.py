"""The clinician table and the arrays of the rule: one into the other, without a bit changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.clinician_tables.columns import in_table_order
from asmrisk.rule.arrays import Environment, Observed, Scored, make_observed
from asmrisk.rule.definitions import COHORTS, COLLECTION_TYPES, NOT_REPORTED, SPECIALTIES, measures_of

__all__ = ["frame_from_arrays", "observed_of", "scored_columns"]

#: Columns that stand in `Observed` under the same or another name.
_OBSERVED = {
    "practice_size": "practice_size",
    "part_b": "part_b_payments",
    "episodes": "episodes",
    "cost_per_episode": "cost_per_episode",
    "hcc_risk_score": "hcc_risk_score",
    "dual_share": "dual_share",
    "improvement_activities": "improvement_activities",
    "promoting_interoperability": "promoting_interoperability",
    "exempt": "exempt",
}
_ADJUSTMENTS = (
    "improvement_activities_adjustment",
    "promoting_interoperability_adjustment",
    "complex_patient_adjustment",
    "small_practice_adjustment",
)


def frame_from_arrays(
    cohort: int,
    year: int,
    clinician_ids: Sequence[str],
    observed: Observed,
    scored: Scored,
    environment: Environment,
    policy: np.record,
    n: int,
    payment_year_part_b: NDArray[np.float64],
) -> pd.DataFrame:
    """Turn one cohort and performance year as the rule holds it into a clinician table.

    Parameters
    ----------
    cohort : int
        Code of the cohort.
    year : int
        Performance year.
    clinician_ids : sequence of str, length n
        Identities.
    observed, scored, environment
        What `asmrisk.rule.cohort.score_cohort` took and gave.
    policy : record of POLICY_DTYPE
        The year's policy.
    n : int
        Number of clinicians; the arrays may be longer.
    payment_year_part_b : ndarray of float64, shape (at least n,)
        Part B services paid in the payment year, USD.

    Returns
    -------
    pandas.DataFrame
        Inputs and scored columns in the table's order. A measure that is not final appears only where the
        policy's set has it. `score` gives the same numbers for this table, to the bit.
    """
    name = COHORTS[cohort]
    columns: dict[str, Any] = {
        "clinician_id": pd.Series(list(clinician_ids), dtype="str"),
        "performance_year": np.full(n, year, dtype=np.int64),
        "cohort": pd.Series([name] * n, dtype="str"),
        "specialty": _words(observed.specialty[:n], SPECIALTIES),
        "payment_year_part_b": payment_year_part_b[:n].copy(),
    }
    for field, column in _OBSERVED.items():
        values = getattr(observed, field)[:n]
        columns[column] = values.astype(np.int64) if values.dtype.kind == "i" else values.copy()
    for place, measure in enumerate(measures_of(name)):
        if measure.final or policy.measure_in_set[cohort][place]:
            columns[f"{measure.name}_rate"] = observed.rate[place, :n].copy()
            columns[f"{measure.name}_cases"] = pd.array(observed.cases[place, :n], dtype="Int64")
            columns[f"{measure.name}_completeness"] = observed.completeness[place, :n].copy()
            columns[f"{measure.name}_collection_type"] = _words(
                observed.collection_type[place, :n], COLLECTION_TYPES
            )
    frame = pd.DataFrame(columns)
    return in_table_order(
        frame.assign(**scored_columns(cohort, frame, observed, scored, environment, policy, n))
    )


def observed_of(frame: pd.DataFrame, cohort: int) -> Observed:
    """Give a table's rows as the rule takes them.

    Parameters
    ----------
    frame : pandas.DataFrame
        Checked rows of one cohort and performance year.
    cohort : int
        Code of the cohort.

    Returns
    -------
    Observed
        Arrays in the order of the rows.
    """
    n = len(frame)
    observed = make_observed(n)
    observed.specialty[:n] = _codes(frame["specialty"], SPECIALTIES)
    for field, column in _OBSERVED.items():
        getattr(observed, field)[:n] = frame[column].to_numpy()
    for place, measure in enumerate(measures_of(COHORTS[cohort])):
        observed.rate[place, :n] = np.nan
        observed.cases[place, :n] = 0
        observed.completeness[place, :n] = np.nan
        observed.collection_type[place, :n] = NOT_REPORTED
        if f"{measure.name}_rate" in frame:
            observed.rate[place, :n] = frame[f"{measure.name}_rate"].to_numpy()
            observed.cases[place, :n] = frame[f"{measure.name}_cases"].to_numpy(dtype=np.int64, na_value=0)
            observed.completeness[place, :n] = frame[f"{measure.name}_completeness"].to_numpy()
            observed.collection_type[place, :n] = _codes(
                frame[f"{measure.name}_collection_type"], COLLECTION_TYPES
            )
        if measure.claims:  # CMS computes it: nobody can fail to report it
            observed.collection_type[place, :n] = COLLECTION_TYPES.index("claims")
    return observed


def _codes(series: pd.Series, names: Sequence[str]) -> NDArray[np.int64]:
    return pd.Index(names).get_indexer(pd.Index(series)).astype(np.int64)


def _words(codes: NDArray[Any], names: Sequence[str]) -> pd.Series:
    return pd.Series([None if code == NOT_REPORTED else names[code] for code in codes.tolist()], dtype="str")


def scored_columns(
    cohort: int,
    frame: pd.DataFrame,
    observed: Observed,
    scored: Scored,
    environment: Environment,
    policy: np.record,
    n: int,
) -> dict[str, NDArray[np.float64]]:
    """Give what `asmrisk.score` adds to a table.

    Parameters
    ----------
    cohort : int
        Code of the cohort.
    frame : pandas.DataFrame
        The table's `n` rows; points are given for the measures that it has.
    observed, scored, environment, policy, n
        As for `frame_from_arrays`.

    Returns
    -------
    dict of str to ndarray of float64
        By column.
    """
    columns = {
        f"{measure.name}_points": scored.points[place, :n].copy()
        for place, measure in enumerate(measures_of(COHORTS[cohort]))
        if f"{measure.name}_rate" in frame
    }
    columns["quality_score"] = scored.quality_score[:n].copy()
    columns["cost_points"] = scored.cost_points[:n].copy()
    columns["cost_score"] = columns["cost_points"] / 10.0
    for name in (*_ADJUSTMENTS, "final_score", "transformed_score", "adjustment_factor"):
        columns[name] = getattr(scored, name)[:n].copy()
    groups = observed.specialty[:n] if policy.payment_peer_group == 1 else np.zeros(n, dtype=np.int64)
    columns["scaling_factor"] = environment.scaling_factor[groups]
    columns["payment_multiplier"] = 1.0 + columns["adjustment_factor"]
    columns["adjustment_usd"] = columns["adjustment_factor"] * frame["payment_year_part_b"].to_numpy()
    return columns
