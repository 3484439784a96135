"""Score real or replayed clinicians: the rule applied to a clinician table, with every number on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pandas as pd

from asmrisk.analysis.scoring_field import ScoringField, open_scoring_field
from asmrisk.arguments import FUNCTION, NATURAL, PATH, check_arguments, instance, optional
from asmrisk.clinician_tables.arrays import (
    ScoredCohort,
    observed_of,
    score_arrays,
    scored_cells,
    scored_columns,
    word_cells,
)
from asmrisk.clinician_tables.columns import FIELD_COLUMNS, in_table_order
from asmrisk.clinician_tables.policy_needs import policy_needs
from asmrisk.clinician_tables.table import (
    check_clinicians,
    check_output,
    read_clinicians,
    to_stderr,
    write_clinicians,
)
from asmrisk.errors import InputError
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

__all__ = ["TABLE", "score"]

#: How a table may be given.
TABLE = instance("the path of a table, or a pandas.DataFrame", str, os.PathLike, pd.DataFrame)


def score(
    table: str | os.PathLike[str] | pd.DataFrame,
    *,
    scenario: str | os.PathLike[str] | Scenario | None = None,
    among: str | os.PathLike[str] | None = None,
    draw: int | None = None,
    out: str | os.PathLike[str] | None = None,
    notes: Callable[[str], None] = to_stderr,
) -> pd.DataFrame:
    """Apply the rule to observed clinicians.

    Each cohort is scored apart in each performance year. Its clinicians are ranked against each other, so a
    table should hold everybody; a few are scored among those of a finished run. Scored columns that the
    table already has are recomputed.

    Parameters
    ----------
    table : path or pandas.DataFrame
        A clinician table (CSV, Parquet or a workbook .xlsx), several cohorts and years if wanted.
    scenario : path or Scenario, optional
        Whose policy holds, with unknowns at their central values; the final rule if not given.
    among : path, optional
        Results of a finished run instead: clinicians are ranked within its field, which they do not change,
        by its policies, each draw's with the values that its unknowns took.
    draw : int, optional
        Within the field of this draw alone, from 0. Of all draws the scored columns are means (over the
        draws where they are defined; of a measure's status the commonest), and the columns ``final_score_sd``
        and ``adjustment_usd_sd`` say how much the field's chance moves them. What chance does to a clinician,
        which is far more, `asmrisk.exposure` says.
    out : path, optional
        Where to write the result: ``.csv`` or ``.parquet``.
    notes : callable
        Receives remarks: that central values are used, cohorts too small to rank, benchmarks that did not
        form, clinicians without a final score, scores of zero.

    Returns
    -------
    pandas.DataFrame
        The rows in the order of the table, with each measure's points and the columns of
        `asmrisk.clinician_tables.columns.SCORE_COLUMNS`; NaN where something is not defined.

    Raises
    ------
    InputError
        If an argument is not allowed, or the table, the scenario, the results or the place to write to cannot
        be used; nothing is written then.
    RunError
        If the disk is full.
    """
    check_arguments(
        table=(TABLE, table),
        scenario=(optional(instance("a Scenario, or the path of one", str, os.PathLike, Scenario)), scenario),
        among=(optional(PATH), among),
        draw=(optional(NATURAL), draw),
        out=(optional(PATH), out),
        notes=(FUNCTION, notes),
    )
    origin = getattr(scenario, "source", scenario)  # a scenario in memory may come from a file too
    inputs = [each for each in (table, origin) if isinstance(each, str | os.PathLike)]
    if out is not None:
        check_output(out, inputs=inputs)
    field = _field(among, draw, scenario)
    values, remark = _central_values(scenario) if field is None else (field.scenario.values, _words(field))
    if isinstance(table, pd.DataFrame):
        frame = check_clinicians(table, notes=notes, needs=policy_needs(values))
    else:
        frame = read_clinicians(table, notes=notes, needs=policy_needs(values))
    if remark:
        notes(remark)
    if field is None:
        scored = _score_frame(frame, values, notes)
    else:
        scored = _by_cohort(frame, lambda year, cohort, part: _within(field, year, cohort, part))
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


def _field(among: str | os.PathLike[str] | None, draw: int | None, scenario: object) -> ScoringField | None:
    """Open the field of a run, if one is given."""
    if among is None:
        if draw is not None:
            raise InputError(
                "is one of a finished run's, whose results are to be given as among.", argument="draw"
            )
        return None
    if scenario is not None:
        text = "does not go with the results of a run, whose own policies hold; leave one of them out."
        raise InputError(text, argument="scenario")
    return open_scoring_field(among, draw)


def _words(field: ScoringField) -> str:
    """Say within which field a table is scored, and what its columns are."""
    if len(field.draws) == 1:
        return f"scored within the field of draw {field.draws[0]} of {field.source}."
    return (
        f"scored within the fields of {len(field.draws):,} draws of {field.source}: columns are means over "
        "them, final_score_sd and adjustment_usd_sd the field's chance alone. A clinician's own chance is "
        "far larger: `exposure` says what it does."
    )


def _by_cohort(
    frame: pd.DataFrame, score_part: Callable[[int, int, pd.DataFrame], dict[str, Any]]
) -> pd.DataFrame:
    """Score each cohort in each year apart, by the columns that a function of year, cohort and rows gives."""
    parts = []
    for year, calendar_year in enumerate(PERFORMANCE_YEARS):
        for cohort, name in enumerate(COHORTS):
            rows = np.flatnonzero((frame["performance_year"] == calendar_year) & (frame["cohort"] == name))
            if len(rows):
                part = frame.iloc[rows]
                parts.append(part.assign(**score_part(year, cohort, part)))
    return in_table_order(pd.concat(parts).sort_index() if len(parts) > 1 else parts[0])


def _score_frame(frame: pd.DataFrame, values: Values, notes: Callable[[str], None]) -> pd.DataFrame:
    """Score the clinicians of each cohort and year among each other."""
    policies = policy_records(values, fixed_edges())
    _warn_of_few(frame, values, notes)

    def score_part(year: int, cohort: int, part: pd.DataFrame) -> dict[str, Any]:
        scored = score_arrays(cohort, policies[year], observed_of(part, cohort), len(part))
        _remark(f"{PERFORMANCE_YEARS[year]} {COHORTS[cohort]}", scored, part, notes)
        return scored_cells(scored, part)

    return _by_cohort(frame, score_part)


def _within(field: ScoringField, year: int, cohort: int, part: pd.DataFrame) -> dict[str, Any]:
    """Score rows of one cohort and year within a field: of several draws by means, with two deviations."""
    observed, n = observed_of(part, cohort), len(part)
    if len(field.draws) == 1:
        return scored_cells(field.score(0, year, cohort, observed, n), part)
    found = field.score_over_draws(year, cohort, observed, n)
    cells, deviations = scored_cells(found.mean, part), scored_columns(found.deviation, part)
    for m, measure in enumerate(measures_of(COHORTS[cohort])):
        if (name := f"{measure.name}_status") in cells:
            cells[name] = word_cells(name, found.status[m])
    return cells | {each.name: deviations[each.name.removesuffix("_sd")] for each in FIELD_COLUMNS}


def _warn_of_few(frame: pd.DataFrame, values: Values, notes: Callable[[str], None]) -> None:
    """Say what it means where a table's cohort is a small part of the model's."""
    shares = values["population.cohort_share"]
    few, kept = [], []
    for each, n in frame.groupby(["performance_year", "cohort"]).size().items():
        year, cohort = cast("tuple[int, str]", each)
        usual = values["population.clinicians"] * shares[cohort] / sum(shares.values())
        if n < usual / 2:
            few.append(f"{year} {cohort} {n:,} of about {usual:,.0f}")
            at_risk = values.at("policy.risk_level", year)
            kept.append(at_risk * (1.0 - values.at("policy.redistribution_share", year)))
    if few:
        low, high = f"{min(kept):.2%}", f"{max(kept):.2%}"
        notes(
            f"CAUTION: the table has few of a cohort's clinicians ({', '.join(few)}), who are ranked only "
            f"against each other. Together they lose about {low if low == high else f'{low} to {high}'} of "
            "their Part B payments, the share that Medicare keeps, whatever they do. With the results "
            "of a finished run (`--among RESULTS`, in Python `among`) they are ranked among its clinicians; "
            "`exposure` says what they risk there."
        )


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
