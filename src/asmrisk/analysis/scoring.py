"""Score real or replayed clinicians: the rule applied to a clinician table, with every number on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from asmrisk.clinician_tables.arrays import observed_of, scored_columns
from asmrisk.clinician_tables.table import (
    check_clinicians,
    check_output,
    in_table_order,
    read_clinicians,
    to_stderr,
    write_clinicians,
)
from asmrisk.rule.cohort import (
    Environment,
    Observed,
    Scored,
    make_environment,
    make_scored,
    make_scratch,
    score_cohort,
)
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    PERFORMANCE_YEARS,
    SPECIALTIES,
    Measure,
    measures_of,
)
from asmrisk.rule.policy import policy_records

if TYPE_CHECKING:
    from asmrisk.scenario.scenario import Scenario

__all__ = ["score"]


def score(
    table: str | os.PathLike[str] | pd.DataFrame,
    *,
    scenario: str | os.PathLike[str] | Scenario | None = None,
    out: str | os.PathLike[str] | None = None,
    notes: Callable[[str], None] = to_stderr,
) -> pd.DataFrame:
    """Apply the rule to observed clinicians.

    Each cohort is scored apart in each performance year; its clinicians are ranked against each other, so a
    table should hold everybody, not a few. Scored columns that the table already has are recomputed.

    Parameters
    ----------
    table : path or pandas.DataFrame
        A clinician table (CSV or Parquet), several cohorts and years if wanted.
    scenario : path or Scenario, optional
        Whose policy holds; the final rule if not given.
    out : path, optional
        Where to write the result: ``.csv`` or ``.parquet``.
    notes : callable
        Receives remarks: benchmarks that did not form, clinicians without a final score, scores of zero.

    Returns
    -------
    pandas.DataFrame
        The rows in the order of the table, with each measure's points and the columns of
        `asmrisk.clinician_tables.columns.SCORE_COLUMNS`; NaN where something is not defined.

    Raises
    ------
    InputError
        If the table, the scenario or the place to write to cannot be used; nothing is written then.
    RunError
        If the disk is full.
    """
    from asmrisk.scenario.published_tables import fixed_edges

    origin = getattr(scenario, "source", scenario)  # a scenario in memory may come from a file too
    inputs = [each for each in (table, origin) if isinstance(each, str | os.PathLike)]
    if out is not None:
        check_output(out, inputs=inputs)
    policies = policy_records(_values(scenario), fixed_edges())
    if isinstance(table, pd.DataFrame):
        frame = check_clinicians(table, notes=notes)
    else:
        frame = read_clinicians(table, notes=notes)
    scored = _score_frame(frame, policies, notes)
    if out is not None:
        write_clinicians(scored, out, inputs=inputs)
    return scored


def _values(scenario: str | os.PathLike[str] | Scenario | None) -> Any:
    from asmrisk.scenario.declarations import PARAMETERS
    from asmrisk.scenario.scenario import load_scenario

    if scenario is None:
        return PARAMETERS.defaults()
    if isinstance(scenario, str | os.PathLike):
        return load_scenario(scenario).values
    return scenario.values


def _score_frame(frame: pd.DataFrame, policies: np.recarray, notes: Callable[[str], None]) -> pd.DataFrame:
    parts = []
    for year in PERFORMANCE_YEARS:
        for cohort, name in enumerate(COHORTS):
            rows = np.flatnonzero((frame["performance_year"] == year) & (frame["cohort"] == name))
            if len(rows):
                part = frame.iloc[rows]
                policy = policies[year - PERFORMANCE_YEARS[0]]
                observed = observed_of(part, cohort)
                n = len(part)
                scored, environment = make_scored(n), make_environment()
                score_cohort(policy, cohort, observed, n, scored, environment, make_scratch(n))
                columns = scored_columns(cohort, part, observed, scored, environment, policy, n)
                parts.append(part.assign(**columns))
                _remark(f"{year} {name}", cohort, part, observed, scored, environment, policy, notes)
    return in_table_order(pd.concat(parts).sort_index() if len(parts) > 1 else parts[0])


def _remark(
    where: str,
    cohort: int,
    frame: pd.DataFrame,
    observed: Observed,
    scored: Scored,
    environment: Environment,
    policy: np.record,
    notes: Callable[[str], None],
) -> None:
    """Say what a reader of the numbers should know about one cohort and year."""
    n = len(frame)
    missing = []
    for place, measure in enumerate(measures_of(COHORTS[cohort])):
        if policy.measure_in_set[cohort][place]:
            if f"{measure.name}_rate" not in frame:
                notes(f"{where}: {measure.name} is in the measure set, but the table has no columns for it.")
            else:
                missing += _unformed(measure, place, observed, environment, policy, n)
    if missing:
        rule = (
            "no benchmark is published"
            if policy.quality_benchmarks == 1
            else f"a benchmark needs {policy.minimum_reporters}"
        )
        notes(f"{where}: no benchmark, so not counted: {', '.join(missing)}; {rule}.")
    groups = sorted(set(observed.specialty[:n].tolist())) if policy.cost_peer_group == 1 else [0]
    for group in groups:
        peers = int(environment.cost_peers[group])
        if peers < 2:
            whom = f" ({SPECIALTIES[group]})" if policy.cost_peer_group == 1 else ""
            notes(
                f"{where}{whom}: {peers} clinicians have {policy.minimum_episodes} episodes or more, "
                "so costs cannot be compared."
            )
    final = scored.final_score[:n]
    unscored, zeros = int(np.isnan(final).sum()), int((final == 0.0).sum())
    if unscored or zeros:
        notes(f"{where}: of {n} clinicians {unscored} have no final score and {zeros} a score of zero.")
    groups = sorted(set(observed.specialty[:n].tolist())) if policy.payment_peer_group == 1 else [0]
    for group in groups:
        if unscored < n and np.isnan(environment.scaling_factor[group]):
            whom = f" ({SPECIALTIES[group]})" if policy.payment_peer_group == 1 else ""
            notes(f"{where}{whom}: nothing can be distributed, since no payments have a score above zero.")


def _unformed(
    measure: Measure, place: int, observed: Observed, environment: Environment, policy: np.record, n: int
) -> list[str]:
    """Name the peer groups of a measure whose members were not ranked, with the members that count."""
    fixed = policy.quality_benchmarks == 1
    if fixed or policy.quality_peer_group == 0:
        names = {COLLECTION_TYPES.index(name): name for name in measure.collection_types}
    elif policy.quality_peer_group == 1:
        names = {0: ""}
    else:
        names = {code: SPECIALTIES[code] for code in sorted(set(observed.specialty[:n].tolist()))}
    found = []
    for group, name in names.items():
        if np.isnan(environment.edges[place, group, 0]):
            size = "" if fixed else f"{int(environment.benchmark_size[place, group])} clinicians"
            inside = ", ".join(each for each in (name, size) if each)
            found.append(f"{measure.name} ({inside})" if inside else measure.name)
    return found
