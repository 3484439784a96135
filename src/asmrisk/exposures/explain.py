"""One clinician's score, explained: what it is made of, why, what it pays, and what a change would bring."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.report import Report
from asmrisk.analysis.scoring import TABLE
from asmrisk.analysis.scoring_field import ScoringField, open_scoring_field
from asmrisk.analysis.wording import usd
from asmrisk.arguments import COUNT, FUNCTION, NATURAL, PATH, check_arguments, instance, optional
from asmrisk.clinician_tables.arrays import fields_of, observed_of, score_arrays_within
from asmrisk.clinician_tables.cells import texts
from asmrisk.clinician_tables.checks import KNOWN_YEARS, KnownYears
from asmrisk.clinician_tables.columns import REQUIRED
from asmrisk.clinician_tables.policy_needs import policy_needs
from asmrisk.clinician_tables.table import check_clinicians, read_clinicians, to_stderr
from asmrisk.errors import InputError, nearest
from asmrisk.exposures.explanation import Explained, Part, Step, report, shown_rate
from asmrisk.rule.arrays import Observed
from asmrisk.rule.declarations import CHOICES
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    EDGES,
    NOT_REPORTED,
    PERFORMANCE_YEARS,
    Measure,
    measures_of,
)
from asmrisk.rule.groups import list_peers
from asmrisk.rule.policy import policy_records
from asmrisk.rule.reasons import STATUSES, measure_status
from asmrisk.scenario.published_tables import fixed_edges

__all__ = ["explain"]

_Floats = NDArray[np.float64]
#: Name of a field of `Observed`, and the code of the measure if it has one for each.
_Place = tuple[str, int | None]

_UPPER = CHOICES["tie_rule"].index("upper")
_TOGETHER = CHOICES["quality_collection_types"].index("together")
_IDENTITY = instance("a clinician_id, text or a number", str, int, np.integer)
#: Of which the adjustment is made, where a table does not say.
_PAYMENTS, _LATER = "part_b_payments", "payment_year_part_b"
#: The part of an episode's cost that a step saves.
_SAVED = 0.1
#: Part of the score by the adjustment that makes it.
_ADJUSTMENTS = {
    "improvement_activities": "improvement_activities_adjustment",
    "promoting_interoperability": "promoting_interoperability_adjustment",
    "complex_patients": "complex_patient_adjustment",
    "small_practice": "small_practice_adjustment",
}


class _Case(NamedTuple):
    """A clinician in a year, and the field within which the score is explained."""

    field: ScoringField
    cohort: int
    year: int  #: performance year, counted from the first
    policy: np.record  #: the year's, at central values where draws have several
    observed: Observed  #: of the clinician alone

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The cohort's measures."""
        return measures_of(COHORTS[self.cohort])

    def scores(self, observed: Observed, n: int) -> dict[str, _Floats]:
        """Score n cases in each draw: arrays by name of `Scored`, with the draw before their dimensions."""
        return self.field.score_draws(self.year, self.cohort, observed, n)._asdict()

    def peers(self, by: int) -> int:
        """Give the clinician's peer group."""
        code = np.zeros(1, np.int8)
        list_peers(by, self.observed, 1, code)
        return int(code[0])

    def typical(self, name: str, *place: int) -> _Floats:
        """Give the median over the draws of a part of the environment; NaN where it is never defined."""
        values = getattr(self.field.environments, name)[:, self.year, self.cohort][:, *place]
        never = np.isnan(values).all(axis=0)
        found: _Floats = np.where(never, np.nan, np.nanmedian(np.where(never, 0.0, values), axis=0))
        return found


class _Ranked(NamedTuple):
    """By what a measure is ranked."""

    kind: int  #: code of the collection type
    edges: _Floats  #: the benchmark's minimum and decile edges, oriented; NaN without a benchmark


def explain(
    table: str | os.PathLike[str] | pd.DataFrame,
    *,
    against: str | os.PathLike[str],
    clinician: str | int,
    year: int | None = None,
    draw: int | None = None,
    notes: Callable[[str], None] = to_stderr,
) -> Report:
    """Explain one clinician's score within the field of a finished run, and what single changes would bring.

    The field stays as it is, whatever the clinician does.

    Parameters
    ----------
    table : path or pandas.DataFrame
        A clinician table, as for `asmrisk.exposure`. What the clinician's row does not tell counts as not
        reported, but that Part B of the performance year stands for that of the payment year.
    against : path
        Results of a finished run, whose policies hold.
    clinician : str or int
        The ``clinician_id``.
    year : int, optional
        The performance year; the first one if not given, or the first of which the table has a row where
        that is later. Where it has none of that year, the latest row before is scored as if it were: so a
        year before the model can be explained.
    draw : int, optional
        Within the field of this draw alone, from 0. Of all draws, scores are means over them, and what
        clinicians are ranked by (edges, the median cost, the midpoint) medians.
    notes : callable
        Receives remarks about the table.

    Returns
    -------
    Report
        The parts of the final score, measures with their decile edges, cost, payment, and the steps, most
        dollars first. Its dataset has the dimensions ``part`` and ``step``.

    Raises
    ------
    InputError
        If an argument is not allowed, there are no such results or draw, or the table cannot be used, has no
        such clinician, or no row that can be explained.
    """
    check_arguments(
        table=(TABLE, table),
        against=(PATH, against),
        clinician=(_IDENTITY, clinician),
        year=(optional(COUNT), year),
        draw=(optional(NATURAL), draw),
        notes=(FUNCTION, notes),
    )
    (clinician,) = texts([clinician])
    if year is not None and year not in PERFORMANCE_YEARS:
        text = f"{year} is no performance year; give one of {PERFORMANCE_YEARS[0]} to {PERFORMANCE_YEARS[-1]}"
        raise InputError(text, argument="year")
    field = open_scoring_field(against, draw)
    row, observed_in, year = _row(table, field, clinician, year, notes)
    cohort = COHORTS.index(row["cohort"].iloc[0])
    policy = _policy(field, PERFORMANCE_YEARS.index(year))
    case = _Case(field, cohort, PERFORMANCE_YEARS.index(year), policy, observed_of(row, cohort))
    scores = case.scores(case.observed, 1)
    status = _statuses(case, scores["points"])
    ranked = [_ranked(case, m) for m in range(len(status))]
    parts = _parts(case, scores)
    steps = _steps(case, status, ranked, scores) if parts else []
    explained = Explained(
        clinician=clinician,
        cohort=cohort,
        year=year,
        observed_in=observed_in,
        source=field.source,
        draws=field.draws,
        vintage=field.scenario.values["policy.vintage"],
        policy=policy,
        observed=case.observed,
        status=[STATUSES[code] for code in status],
        edges=[each.edges for each in ranked],
        points=[_mean(scores["points"][:, m, 0]) for m in range(len(status))],
        quality_score=_mean(scores["quality_score"][:, 0]),
        cost_points=_mean(scores["cost_points"][:, 0]),
        cost_median=float(case.typical("cost_median", case.peers(policy.cost_peer_group))),
        cost_sd=float(case.typical("cost_sd", case.peers(policy.cost_peer_group))),
        hcc_median=float(case.typical("hcc", 0)),
        dual_median=float(case.typical("dual", 0)),
        parts=parts,
        **_payment(case, scores),
        steps=steps,
        untold=frozenset(name for name, *_ in fields_of(COHORTS[cohort]) if name not in row),
    )
    return report(explained)


def _row(
    table: str | os.PathLike[str] | pd.DataFrame,
    field: ScoringField,
    clinician: str,
    year: int | None,
    notes: Callable[[str], None],
) -> tuple[pd.DataFrame, int, int]:
    """Find the row to explain, checked; in which year it was observed, and in which it is scored."""
    needs = policy_needs(field.scenario.values)
    years = KnownYears(KNOWN_YEARS.first, PERFORMANCE_YEARS[-1], KNOWN_YEARS.meant)
    if isinstance(table, pd.DataFrame):
        name = "table"
        frame = check_clinicians(table, required=REQUIRED, notes=notes, known_years=years, needs=needs)
    else:
        name = os.fspath(table)
        frame = read_clinicians(table, required=REQUIRED, notes=notes, known_years=years, needs=needs)
    rows = frame[frame["clinician_id"] == clinician]
    if rows.empty:
        like = nearest(clinician, frame["clinician_id"].unique())
        text = f"{name} has no clinician {clinician!r}" + (f"; did you mean {like}?" if like else "")
        raise InputError(text, argument="clinician")
    known = sorted(rows["performance_year"].tolist())
    year = max(PERFORMANCE_YEARS[0], known[0]) if year is None else year
    before = [each for each in known if each <= year]
    if not before:
        text = f"{name} knows nothing of {clinician} in {year} or before; give {known[0]} or later"
        raise InputError(text, argument="year")
    # What is not told is as if it were not there.
    row = rows[rows["performance_year"] == before[-1]].dropna(axis="columns").assign(performance_year=year)
    if before[-1] != year:  # Who was exempt in one year is not in another.
        row = row.drop(columns="exempt", errors="ignore")
    for when, column, asked in needs.columns:
        if when == year and column not in row:
            text = f"{clinician} does not tell it, and {asked} needs it; fill it in"
            raise InputError(text, where=name, what=column)
    if _LATER not in row:
        row = row.assign(**{_LATER: row[_PAYMENTS]})
        notes(f"{_LATER} of {clinician} is not known: {_PAYMENTS} stands for it.")
    return row, before[-1], year


def _policy(field: ScoringField, year: int) -> np.record:
    """Give the policy that all draws have, or that at central values of what is unknown."""
    if len(field.policies) == 1:
        return field.policy(0, year)
    record: np.record = policy_records(field.scenario.fixed_at_medians().values, fixed_edges())[year]
    return record


def _mean(values: _Floats) -> float:
    """Give the mean over the draws in which something is defined; NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _statuses(case: _Case, points: _Floats) -> list[int]:
    """Give the commonest status of each measure over the draws."""
    field, found = case.field, []
    for m in range(len(case.measures)):
        seen = np.zeros(len(STATUSES), np.int64)
        for k in range(len(field.draws)):
            policy = field.policy(k, case.year)
            seen[measure_status(policy, case.cohort, m, case.observed, points[k, m], 1)] += 1
        found.append(int(seen.argmax()))
    return found


def _ranked(case: _Case, m: int) -> _Ranked:
    """Tell by which benchmark a measure is ranked; one not reported, by the likeliest that there is."""
    own = int(case.observed.collection_type[m, 0])
    together = case.policy.quality_collection_types == _TOGETHER
    elsewhere = case.observed.collection_type[:, 0]
    kinds = [COLLECTION_TYPES.index(each) for each in case.measures[m].collection_types]
    if own != NOT_REPORTED:
        kinds = [own]
    group = case.peers(case.policy.quality_peer_group) * len(COLLECTION_TYPES)
    found = [
        _Ranked(kind, case.typical("edges", m, group + (0 if together else kind)))
        for kind in sorted(kinds, key=lambda kind: -int((elsewhere == kind).sum()))
    ]
    return next((each for each in found if not np.isnan(each.edges[0])), found[0])


def _parts(case: _Case, scores: dict[str, _Floats]) -> list[Part]:
    """Part the mean final score; nothing where there is none."""
    final = scores["final_score"][:, 0]
    scored = np.isfinite(final)
    if not scored.any():
        return []
    policies = [case.field.policy(k, case.year) for k in range(len(case.field.draws))]
    quality = 100.0 * np.array([each.quality_weight for each in policies]) * scores["quality_score"][:, 0]
    cost = 10.0 * np.array([each.cost_weight for each in policies]) * scores["cost_points"][:, 0]
    # What cannot be scored is worth what the other one leaves of both together.
    for k in np.flatnonzero(scored & (np.isnan(quality) | np.isnan(cost))):
        both = _without_adjustments(case, int(k))
        quality[k] = both - cost[k] if np.isnan(quality[k]) else quality[k]
        cost[k] = both - quality[k] if np.isnan(cost[k]) else cost[k]
    values = {"quality": quality, "cost": cost}
    values |= {name: scores[column][:, 0] for name, column in _ADJUSTMENTS.items()}
    values["limits"] = final - sum(values.values())
    return [Part(name, float(each[scored].mean())) for name, each in values.items()]


def _without_adjustments(case: _Case, k: int) -> float:
    """Give what quality and cost make together in a draw, by a policy without anything else."""
    policy = case.field.policy(k, case.year).copy()
    policy["improvement_activities_points"] = 0.0
    for name in (
        *("promoting_interoperability_points", "complex_patient_intercept", "complex_patient_slope"),
        *("small_practice_points", "solo_practice_points"),
    ):
        policy[name] = 0.0
    environment = case.field.environment(k, case.year, case.cohort)
    scored = score_arrays_within(case.cohort, policy, case.observed, 1, environment).scored
    return float(scored.final_score[0])


def _payment(case: _Case, scores: dict[str, _Floats]) -> dict[str, float]:
    """Give what leads from the score to dollars, in means; midpoint and scaling factor are medians."""
    pool = case.peers(case.policy.payment_peer_group)
    scaling = case.field.environments.scaling_factor[:, case.year, case.cohort, pool]
    transformed = scores["transformed_score"][:, 0]
    share = np.where(np.isnan(scaling), 0.0, transformed * scaling)
    at_risk = np.array([case.field.policy(k, case.year).risk_level for k in range(len(share))])
    return {
        "midpoint": float(case.typical("exchange_midpoint", pool)),
        "scaling_factor": float(case.typical("scaling_factor", pool)),
        "transformed_score": _mean(transformed),
        "at_risk": float(at_risk.mean()),
        "gain": _mean(at_risk * share),
        "factor": _mean(scores["adjustment_factor"][:, 0]),
        "payments": float(case.observed.payment_year_part_b[0]),
    }


def _steps(case: _Case, status: list[int], ranked: list[_Ranked], scores: dict[str, _Floats]) -> list[Step]:
    """Score single changes in every draw, and put them by the dollars that they bring."""
    changes = list(_changes(case, [STATUSES[code] for code in status], ranked, scores))
    if not changes:
        return []
    n = len(changes)
    observed = Observed(*(np.repeat(array, n, axis=-1) for array in case.observed))
    for i, (_, values) in enumerate(changes):
        for (name, m), value in values.items():
            array = getattr(observed, name)
            (array if m is None else array[m])[i] = value
    changed = case.scores(observed, n)
    dollars = changed["adjustment_factor"] * observed.payment_year_part_b
    base = scores["adjustment_factor"] * case.observed.payment_year_part_b
    found = [
        Step(words, _mean(changed["final_score"][:, i]), float((dollars - base)[:, i].mean()))
        for i, (words, _) in enumerate(changes)
    ]
    return sorted(found, key=lambda step: -step.dollars)


def _changes(
    case: _Case, status: list[str], ranked: list[_Ranked], scores: dict[str, _Floats]
) -> Iterator[tuple[str, dict[_Place, float]]]:
    """Give each change in words, and the values that it gives to observed fields, by name and measure."""
    observed, policy = case.observed, case.policy
    for m, (measure, (kind, edges)) in enumerate(zip(case.measures, ranked, strict=True)):
        sign = -1.0 if measure.inverse else 1.0
        rate, name = float(observed.rate[m, 0]), measure.name.upper()
        if status[m] == "incomplete":
            yield f"{name}: all data", {("completeness", m): 1.0}
        elif status[m] == "not reported" and not np.isnan(edges[0]):
            reported = rate if not np.isnan(rate) else sign * float(edges[EDGES // 2])
            values: dict[_Place, float] = {
                ("rate", m): reported,
                ("cases", m): max(int(observed.cases[m, 0]), int(policy.minimum_cases)),
                ("completeness", m): 1.0,
                ("collection_type", m): kind,
            }
            typical = ", the median" if np.isnan(rate) else ""
            yield f"{name}: reported, {shown_rate(measure, reported)}{typical}", values
        elif status[m] == "scored":
            above = edges[1:][edges[1:] > sign * rate]
            if len(above):
                # Where an edge itself is not enough, the next number is.
                reached = float(above[0])
                reached = reached if policy.tie_rule == _UPPER else float(np.nextafter(reached, np.inf))
                target = sign * reached
                words = f"{name}: {shown_rate(measure, rate)} to {shown_rate(measure, target)}, a decile up"
                yield words, {("rate", m): target}
    if not np.isnan(scores["cost_points"]).all():
        cost = (1.0 - _SAVED) * float(observed.cost_per_episode[0])
        yield f"cost per episode {_SAVED:.0%} lower, {usd(round(cost))}", {("cost_per_episode", None): cost}
    if (scores["improvement_activities_adjustment"] < policy.improvement_activities_points[-1]).any():
        both: dict[_Place, float] = {("improvement_activities", None): 2}
        if observed.primary_care_connection[0] >= 0:
            both[("primary_care_connection", None)] = 1
            both[("collaborative_care_elements", None)] = int(policy.collaborative_care_elements)
        yield "both improvement activities", both
    if observed.promoting_interoperability[0] < 100.0:
        yield "promoting interoperability 100", {("promoting_interoperability", None): 100.0}
