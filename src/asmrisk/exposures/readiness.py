"""How ready given clinicians are: what they have not told, who may not be measured, what activities lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.clinician_tables.arrays import fields_of
from asmrisk.clinician_tables.policy_needs import ACTIVITY_PARTS
from asmrisk.exposures.changes import Case, Change
from asmrisk.exposures.table import Groups
from asmrisk.population.roster import UNKNOWN, Clinicians, Roster
from asmrisk.population.roster_evidence import latest
from asmrisk.rule.definitions import NOT_REPORTED, PERFORMANCE_YEARS, measures_of
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.own_changes import KINDS
from asmrisk.simulation.own_luck import OwnOutcomes
from asmrisk.simulation.variables import scored_measures

__all__ = [
    "LEAST_DRAWS",
    "MOST_DRAWS",
    "NOT_TOLD",
    "TOPICS",
    "UNTOLD",
    "Told",
    "readiness_rows",
    "supposed",
    "told_of",
    "untold_rows",
]

#: From fewer draws the share of variance is not estimated; it needs no more.
LEAST_DRAWS, MOST_DRAWS = 50, 1000

#: A clinician may or may not be measured where the chance lies between these: around 20 episodes.
_NEAR = (0.2, 0.8)

#: What is told together, and the part of the first year's score that shows it. What episodes decide is
#: whether a clinician is measured at all.
TOPICS = {
    "quality": "quality_score",
    "cost_per_episode": "cost_points",
    "episodes": "",
    "improvement_activities": "improvement_activities_adjustment",
    "promoting_interoperability": "promoting_interoperability_adjustment",
    "patients": "complex_patient_adjustment",
}
#: Every topic of which nothing is told.
UNTOLD = "untold"
#: In place of what activities lack.
NOT_TOLD = "not told"

_COLUMNS = {
    "cost_per_episode": ("cost_per_episode",),
    "episodes": ("episodes",),
    "improvement_activities": ("improvement_activities",),
    "promoting_interoperability": ("promoting_interoperability",),
    "patients": ("hcc_risk_score", "dual_share"),
}

_Array = NDArray[np.float64]
_Flags = NDArray[np.bool_]


class Told(NamedTuple):
    """What is told of n clinicians, topic by topic of `TOPICS`.

    Attributes
    ----------
    any : ndarray of bool, shape (topics, n)
        Whether anything is told, in any year.
    last : ndarray of int64, shape (n,)
        The last year of which anything is; 0 for none.
    columns : tuple of tuple of str, one each clinician
        By topic, the columns that would tell it, parted by commas.
    """

    any: _Flags
    last: NDArray[np.int64]
    columns: tuple[tuple[str, ...], ...]


def told_of(roster: Roster, scenario: Scenario) -> Told:
    """Find what a roster tells of what a scenario scores."""
    scored = scored_measures(scenario)
    found, last, columns = [], [], []
    for each in (each for each in roster.cohorts if each.count):
        by_topic = _columns_of(each, scored)
        years = np.stack([_known(each, by_topic[topic]) for topic in TOPICS])  # (topics, Y, n)
        found.append(years.any(axis=1))
        last.append(np.where(years.any(axis=0), each.years[:, None], 0).max(axis=0, initial=0))
        columns += [tuple(", ".join(by_topic[topic]) for topic in TOPICS)] * each.count
    return Told(np.concatenate(found, axis=1), np.concatenate(last), tuple(columns))


def _columns_of(clinicians: Clinicians, scored: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Name a cohort's columns by topic: of measures that CMS computes itself, rate and cases."""
    quality = [
        f"{measure.name}_{part}"
        for measure in measures_of(clinicians.cohort)
        if measure.name in scored
        for part in ("rate", "cases", *(() if measure.claims else ("completeness", "collection_type")))
    ]
    return {"quality": tuple(quality), **_COLUMNS}


def _known(clinicians: Clinicians, names: Sequence[str]) -> _Flags:
    """Say in which years any of some columns is told of whom, (Y, n)."""
    fields = {name: (column, index) for name, column, index, _ in fields_of(clinicians.cohort)}

    def known(name: str) -> _Flags:
        column, index = fields[name]
        cells = getattr(clinicians.past, column.name)[(slice(None), *index)]
        return np.asarray(cells != UNKNOWN if column.kind == "word" else ~np.isnan(cells))

    told = [known(name) for name in names]
    if "improvement_activities" in names:
        # Their number follows from the parts.
        told.append(np.logical_and.reduce([known(name) for name in ACTIVITY_PARTS]))
    return np.asarray(np.stack(told).any(axis=0))


def supposed(case: Case, roster: Roster) -> tuple[_Flags, _Flags, _Flags]:
    """Find for whom a case has a change, and what it supposes of whom, each (n,).

    Of some clinicians nothing is told, in any year, of a quantity that it changes: what they have is drawn.
    Others last reported already the measure that they are to report.
    """
    whose, untold, reported = np.zeros((3, roster.count), np.bool_)
    for change in case.changes:
        start = 0
        for each in roster.cohorts:
            end = start + each.count
            own = [place for place in change.clinicians if start <= place < end]
            if own:
                whose[own] = True
                there = np.asarray(own) - start
                ever = np.asarray(_known(each, _columns_changed(change, each.cohort)).any(axis=0))
                untold[own] |= ~ever[there]
                if change.kind == KINDS["reported"]:
                    types = each.past.collection_type[:, change.measure]
                    reported[own] |= _last(types, types != UNKNOWN, NOT_REPORTED)[there] != NOT_REPORTED
            start = end
    return whose, untold, reported


def _columns_changed(change: Change, cohort: str) -> list[str]:
    """Name the columns that tell what a change changes."""
    (kind,) = (name for name, code in KINDS.items() if code == change.kind)
    measures = measures_of(cohort)
    if kind in ("rate", "reported"):
        return [f"{measures[change.measure].name}_rate"]
    if kind in ("complete data", "collection_type"):
        part = "completeness" if kind == "complete data" else kind
        return [f"{measure.name}_{part}" for measure in measures if not measure.claims]
    return [kind]


def _latest(clinicians: Clinicians, name: str) -> _Array:
    """Give the last known number of a column, (n,); NaN where none is known."""
    values = getattr(clinicians.past, name)
    return _last(values, ~np.isnan(values), np.nan)


def _last(values: NDArray[Any], known: _Flags, otherwise: float) -> NDArray[Any]:
    """Give what is last known by year, (Y, n), of each; something else where nothing is."""
    found = np.full(values.shape[1], otherwise, values.dtype)
    for each, there in zip(values, known, strict=True):
        found = np.where(there, each, found)
    return found


def _last_paid(clinicians: Clinicians) -> tuple[_Array, NDArray[np.int64]]:
    """Give the Part B payments last told of each clinician, and the year; every row has them."""
    if not clinicians.count:
        return np.zeros(0), np.zeros(0, np.int64)
    paid, year = latest(clinicians.past.part_b_payments)
    return paid, clinicians.years[year]


def untold_rows(told: Told, outcomes: OwnOutcomes, groups: Groups) -> list[dict[str, Any]]:
    """Say what is not told of each clinician and practice, and how much of their spread that explains.

    Parameters
    ----------
    told : Told
        What is told.
    outcomes : OwnOutcomes
        Of the same clinicians, with the parts of their scores.
    groups : Groups
        Whose rows there are.

    Returns
    -------
    list of dict
        By ``who``, ``level`` and ``topic``, of `TOPICS` and then `UNTOLD` for all of them together, where any
        of the ``clinicians`` tells nothing of it: ``nothing_told``, how many these are; of a clinician the
        ``columns`` that would tell it; ``share_of_variance``.

        The share is that of the variance over draws of the dollars of all five years which is explained by
        what the first year's draws have where nothing is told: of a topic the drawn part of the score, of
        episodes whether the clinician is measured, of `UNTOLD` all such parts together. Each clinician's
        dollars are predicted from the own parts by least squares; the dollars of a practice are explained by
        the sum of the predictions. Corrected for the number of parts (Ezekiel's adjusted R²), and NaN from
        fewer than `LEAST_DRAWS` draws or where nothing varies. Telling more narrows about so much of the
        spread at most: part of what varies in the first year is that year's chance.
    """
    shares = _shares_explained(told, outcomes, groups)
    counts = groups.counts
    lacking = groups.sums(np.concatenate([~told.any, ~told.any.all(axis=0, keepdims=True)])).astype(np.int64)
    rows: list[dict[str, Any]] = []
    for place in groups.order:
        for number, topic in enumerate((*TOPICS, UNTOLD)):
            if lacking[number, place]:
                single = place < groups.people and topic != UNTOLD
                rows.append(
                    {
                        "who": str(groups.who[place]),
                        "level": str(groups.level[place]),
                        "topic": topic,
                        "clinicians": int(counts[place]),
                        "nothing_told": int(lacking[number, place]),
                        "columns": told.columns[place][number] if single else "",
                        "share_of_variance": float(shares[number, place]),
                    }
                )
    return rows


def _shares_explained(told: Told, outcomes: OwnOutcomes, groups: Groups) -> _Array:
    """Give the shares of variance of what is not told, by topic and of all topics: (topics + 1, who)."""
    draws = len(outcomes.final_score)
    found = np.full((len(TOPICS) + 1, len(groups.who)), np.nan)
    if draws < LEAST_DRAWS:
        return found
    dollars = np.nan_to_num(outcomes.adjustment_usd).sum(axis=1)
    dollars -= dollars.mean(axis=0)
    parts = np.stack([_first_year(outcomes, part) for part in TOPICS.values()])  # (topics, draws, n)
    summed = groups.sums(dollars)
    parts = np.where(told.any[:, None], 0.0, parts)
    for number in range(len(TOPICS)):
        found[number] = _explained(parts[number : number + 1], dollars, summed, groups)
    found[-1] = _explained(parts, dollars, summed, groups)
    return found


def _first_year(outcomes: OwnOutcomes, part: str) -> _Array:
    """Give what is drawn of the first year in units of its spread, 0 on average and where there is none."""
    values = getattr(outcomes, part)[:, 0] if part else ~np.isnan(outcomes.adjustment_factor[:, 0])
    there = ~np.isnan(values)
    count = np.maximum(there.sum(axis=0), 1)
    centered = np.where(there, values - np.where(there, values, 0.0).sum(axis=0) / count, 0.0)
    spread = np.sqrt((centered**2).mean(axis=0))
    # What is the same in all draws differs by rounding alone.
    size = np.abs(np.where(there, values, 0.0)).max(axis=0, initial=0.0)
    varies = spread > 1e-12 * size
    scaled: _Array = np.where(varies, centered / np.where(varies, spread, 1.0), 0.0)
    return scaled


def _explained(parts: _Array, dollars: _Array, summed: _Array, groups: Groups) -> _Array:
    """Give the share of the variance of sums of dollars that sums of predictions explain."""
    draws = len(dollars)
    products = np.einsum("idc,jdc->cij", parts, parts, optimize=True)
    along = np.einsum("idc,dc->ci", parts, dollars, optimize=True)
    slopes = np.einsum("cij,cj->ci", np.linalg.pinv(products, rcond=1e-10, hermitian=True), along)
    predicted = groups.sums(np.einsum("idc,ci->dc", parts, slopes, optimize=True))
    used = (np.diagonal(products, axis1=1, axis2=2) > 0.0).sum(axis=1)
    most = np.zeros(len(groups.who) - groups.people, np.int64)
    np.maximum.at(most, groups.practices.bills, used)
    most[-1] = used.max()
    used = np.concatenate([used, most])
    variance, of_predictions = (summed**2).sum(axis=0), (predicted**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (summed * predicted).sum(axis=0) ** 2 / (variance * of_predictions)
        share = np.where(of_predictions > 0.0, share, 0.0)
        adjusted = 1.0 - (1.0 - share) * (draws - 1) / (draws - used - 1)
    shares: _Array = np.where(variance > 0.0, np.clip(np.where(used > 0, adjusted, 0.0), 0.0, 1.0), np.nan)
    return shares


def readiness_rows(
    roster: Roster,
    scenario: Scenario,
    told: Told,
    measured: _Array,
    mips_forgone: _Array,
    part_b_payments: _Array,
) -> list[dict[str, Any]]:
    """Say of each clinician whether the model will measure them, and what they have and lack.

    Parameters
    ----------
    roster : Roster
        The given clinicians.
    scenario : Scenario
        The run's.
    told : Told
        What is told.
    measured : ndarray of float64, shape (YEARS, n)
        Chance of being measured.
    mips_forgone : ndarray of float64, shape (n,)
        Expected adjustments that MIPS would have made, USD of all years.
    part_b_payments : ndarray of float64, shape (n,)
        Expected of the first payment year, USD; 0 for who is never measured in its performance year.

    Returns
    -------
    list of dict
        By ``clinician_id`` with ``practice_id`` and ``cohort``: ``last_year`` of which anything is told;
        ``episodes`` last told; ``measured_YEAR``, the chances; ``may_not_be_measured``, whether one of them
        lies between 20% and 80%; ``part_b_told``, USD of ``part_b_year``, the last one told of, and
        ``part_b_expected`` in the first payment year; ``aco``, whether in an accountable care organization
        (None: not told); ``mips_forgone``; ``improvement_activities`` last told; ``lacks``, what they lack in
        words, empty where nothing.
    """
    values = scenario.values
    needed = max(int(values.at("policy.collaborative_care_elements", year)) for year in PERFORMANCE_YEARS)
    near: _Flags = np.logical_or.reduce((measured > _NEAR[0]) & (measured < _NEAR[1]))
    columns = {
        name: np.concatenate([_latest(each, name) for each in roster.cohorts])
        for name in ("episodes", "aco", "improvement_activities", *ACTIVITY_PARTS)
    }
    paid, paid_in = (np.concatenate(each) for each in zip(*map(_last_paid, roster.cohorts), strict=True))
    practices, cohorts = roster.practice_ids, roster.cohort_names
    rows = []
    for place, clinician in enumerate(roster.ids.tolist()):
        own = {name: _number(cells[place]) for name, cells in columns.items()}
        connection, elements = (own[name] for name in ACTIVITY_PARTS)
        rows.append(
            {
                "clinician_id": clinician,
                "practice_id": str(practices[place]),
                "cohort": str(cohorts[place]),
                "last_year": int(told.last[place]) or None,
                "episodes": own["episodes"],
                **{
                    f"measured_{year}": float(measured[number, place])
                    for number, year in enumerate(PERFORMANCE_YEARS)
                },
                "may_not_be_measured": bool(near[place]),
                "part_b_told": float(paid[place]),
                "part_b_year": int(paid_in[place]),
                "part_b_expected": float(part_b_payments[place]) or None,
                "aco": None if own["aco"] is None else bool(own["aco"]),
                "mips_forgone": float(mips_forgone[place]),
                "improvement_activities": own["improvement_activities"],
                "lacks": _lacks(own["improvement_activities"], connection, elements, needed),
            }
        )
    return rows


def _number(value: float) -> int | None:
    return None if np.isnan(value) else int(value)


def _lacks(activities: int | None, connection: int | None, elements: int | None, needed: int) -> str:
    """Say what improvement activities lack.

    >>> _lacks(1, 1, 2, 3), _lacks(0, None, None, 3), _lacks(2, None, None, 3), _lacks(None, None, None, 3)
    ('2 of 3 elements of collaborative care', 'both activities', '', 'not told')
    """
    if connection is not None and elements is not None:
        found = [] if connection else ["connection to primary care"]
        found += [] if elements >= needed else [f"{elements} of {needed} elements of collaborative care"]
        return "; ".join(found)
    if activities is None:
        return NOT_TOLD
    return ("both activities", "one of two activities", "")[activities]
