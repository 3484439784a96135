"""Score real or replayed clinicians: the rule applied to a clinician table, with every number on the way."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pandas as pd

from asmrisk.clinician_tables.arrays import ScoredCohort, observed_of, score_arrays, scored_columns
from asmrisk.clinician_tables.columns import in_table_order
from asmrisk.clinician_tables.policy_needs import policy_needs
from asmrisk.clinician_tables.table import (
    check_clinicians,
    check_output,
    read_clinicians,
    to_stderr,
    write_clinicians,
)
from asmrisk.parameters.parameter import Values
from asmrisk.rule.declarations import CHOICES
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    PEERS,
    PERFORMANCE_YEARS,
    Measure,
    measures_of,
)
from asmrisk.rule.groups import list_peers
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.published_tables import fixed_edges
from asmrisk.scenario.scenario import Scenario, load_scenario

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
        Whose policy holds, with unknowns at their central values; the final rule if not given.
    out : path, optional
        Where to write the result: ``.csv`` or ``.parquet``.
    notes : callable
        Receives remarks: that central values are used, benchmarks that did not form, clinicians without a
        final score, scores of zero.

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
    origin = getattr(scenario, "source", scenario)  # a scenario in memory may come from a file too
    inputs = [each for each in (table, origin) if isinstance(each, str | os.PathLike)]
    if out is not None:
        check_output(out, inputs=inputs)
    values, remark = _central_values(scenario)
    policies = policy_records(values, fixed_edges())
    if isinstance(table, pd.DataFrame):
        frame = check_clinicians(table, notes=notes, needs=policy_needs(values))
    else:
        frame = read_clinicians(table, notes=notes, needs=policy_needs(values))
    if remark:
        notes(remark)
    scored = _score_frame(frame, policies, notes)
    if out is not None:
        write_clinicians(scored, out, inputs=inputs)
    return scored


def _central_values(scenario: str | os.PathLike[str] | Scenario | None) -> tuple[Values, str]:
    """Give values by which to score, and a remark where central ones stand for unknown ones."""
    if scenario is None:
        return PARAMETERS.defaults(), (
            "no scenario is given: scored by the final rule at its central values. A replayed draw has its "
            "own beside its table, ending in .scenario.toml."
        )
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    unknown = ", ".join(name for name in loaded.uncertainty if name.startswith("policy."))
    remark = (
        f"scored at the central values of what the scenario leaves unknown: {unknown}." if unknown else ""
    )
    return loaded.fixed_at_medians().values, remark


def _score_frame(frame: pd.DataFrame, policies: np.recarray, notes: Callable[[str], None]) -> pd.DataFrame:
    parts = []
    for policy, year in zip(policies, PERFORMANCE_YEARS, strict=True):
        for cohort, name in enumerate(COHORTS):
            rows = np.flatnonzero((frame["performance_year"] == year) & (frame["cohort"] == name))
            if len(rows):
                part = frame.iloc[rows]
                scored = score_arrays(cohort, policy, observed_of(part, cohort), len(part))
                parts.append(part.assign(**scored_columns(scored, part)))
                _remark(f"{year} {name}", scored, part, notes)
    return in_table_order(pd.concat(parts).sort_index() if len(parts) > 1 else parts[0])


def _choice(policy: np.record, name: str) -> str:
    choice: str = CHOICES[name][policy[name]]
    return choice


def _groups(of: ScoredCohort, by: str) -> dict[int, str]:
    """Give the codes and names of the peer groups at hand, or of the cohort one without a name."""
    if by == "cohort":
        return {0: ""}
    codes = np.zeros(of.n, np.int8)
    list_peers(list(PEERS).index(by), of.observed, of.n, codes)
    return {code: PEERS[by][code] for code in sorted(set(codes.tolist()))}


def _remark(where: str, of: ScoredCohort, frame: pd.DataFrame, notes: Callable[[str], None]) -> None:
    """Say what a reader of the numbers should know about one cohort and year."""
    policy, environment = of.policy, of.environment
    missing = []
    for code, measure in enumerate(measures_of(COHORTS[of.cohort])):
        if policy.measure_in_set[of.cohort][code]:
            if f"{measure.name}_rate" not in frame:
                notes(f"{where}: {measure.name} is in the measure set, but the table has no columns for it.")
            else:
                missing += _unformed(of, code, measure)
    if missing:
        rule = (
            "no benchmark is published"
            if _choice(policy, "quality_benchmarks") == "fixed"
            else f"a benchmark needs {policy.minimum_reporters}"
        )
        notes(f"{where}: no benchmark, so not counted: {', '.join(missing)}; {rule}.")
    for group, name in _groups(of, _choice(policy, "cost_peer_group")).items():
        peers = int(environment.cost_peers[group])
        if peers < 2:
            notes(
                f"{where}{name and f' ({name})'}: {peers} clinicians have {policy.minimum_episodes} episodes "
                "or more, so costs cannot be compared."
            )
    final = of.scored.final_score
    unscored, zeros = int(np.isnan(final).sum()), int((final == 0.0).sum())
    if unscored or zeros:
        notes(f"{where}: of {of.n} clinicians {unscored} have no final score and {zeros} a score of zero.")
    for group, name in _groups(of, _choice(policy, "payment_peer_group")).items():
        if unscored < of.n and np.isnan(environment.scaling_factor[group]):
            notes(
                f"{where}{name and f' ({name})'}: nothing can be distributed, since no payments have a score "
                "above zero."
            )


def _unformed(of: ScoredCohort, code: int, measure: Measure) -> list[str]:
    """Name the peer groups of a measure whose members were not ranked, with the members that count."""
    fixed = _choice(of.policy, "quality_benchmarks") == "fixed"
    peers = {0: ""} if fixed else _groups(of, _choice(of.policy, "quality_peer_group"))
    types = {COLLECTION_TYPES.index(name): name for name in measure.collection_types}
    if not fixed and _choice(of.policy, "quality_collection_types") == "together":
        types = {0: ""}
    names = {
        group * len(COLLECTION_TYPES) + code: ", ".join(each for each in (peer, name) if each)
        for group, peer in peers.items()
        for code, name in types.items()
    }
    found = []
    for group, name in names.items():
        if np.isnan(of.environment.edges[code, group, 0]):
            size = "" if fixed else f"{int(of.environment.benchmark_size[code, group])} clinicians"
            inside = ", ".join(each for each in (name, size) if each)
            found.append(f"{measure.name} ({inside})" if inside else measure.name)
    return found
