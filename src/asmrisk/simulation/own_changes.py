"""What given clinicians do otherwise: what is observed of them from a performance year on is changed.

What is known of the past stays as it is, and with it what is learned from it: a change acts on the same
future, number by number. Others do not react, and a clinician's change changes no colleague's score.

* A change of the record system (``collection_type``) lets the practice's measures be observed a second time,
  with the same latent quality and uniforms and the other type's distribution of rates.
* A change of ``episodes`` is one of the episodes attributed in calendar years, before it is known who is
  measured: a year's count decides on taking part two years later, and lessens the noise of the year's cost.
* Everything else changes what was observed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline, inner
from asmrisk.rule.definitions import CALENDAR, MOST_MEASURES, NOT_REPORTED, PAYMENT_LAG, YEARS
from asmrisk.simulation.draw import Workspace
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.measures import CLAIMS
from asmrisk.simulation.participation import Field
from asmrisk.simulation.state import Observations, make_observations

__all__ = [
    "KINDS",
    "Changes",
    "Room",
    "begin_record_system",
    "change_costs",
    "change_episodes",
    "change_observations",
    "changes_record_system",
    "end_record_system",
    "keep_observed",
    "make_changes",
    "make_room",
]

_RATE, _REPORTED, _COMPLETE, _COST, _EPISODES = range(5)
_COLLECTION_TYPE, _ACTIVITIES, _ELEMENTS, _INTEROPERABILITY = range(5, 9)
#: What can be changed, and its code.
KINDS = {
    "rate": _RATE,
    "reported": _REPORTED,
    "complete data": _COMPLETE,
    "cost_per_episode": _COST,
    "episodes": _EPISODES,
    "collection_type": _COLLECTION_TYPE,
    "improvement_activities": _ACTIVITIES,
    "collaborative_care_elements": _ELEMENTS,
    "promoting_interoperability": _INTEROPERABILITY,
}


class Changes(NamedTuple):
    """The changes of several cases, case by case: ``x`` becomes ``factor x + shift``, within bounds."""

    first: np.ndarray  # int64 (cases + 1,): number of each case's first change, and how many there are
    kind: np.ndarray  # int64 (changes,): code in `KINDS`
    measure: np.ndarray  # int64 (changes,): code in the cohort; -1 where none is meant
    year: np.ndarray  # int64 (changes,): the first, counted from the first performance year
    who: np.ndarray  # int8 (changes, clinicians): 1 of whom, in the roster's order
    factor: np.ndarray  # float64 (changes,)
    shift: np.ndarray  # float64 (changes,): of a word, its code
    low: np.ndarray  # float64 (changes,)
    high: np.ndarray  # float64 (changes,)


def make_changes(cases: int, changes: int, clinicians: int) -> Changes:
    """Allocate so many changes, of nobody, all of which the last case has."""
    first = np.zeros(cases + 1, np.int64)
    first[-1] = changes
    return Changes(
        first=first,
        kind=np.zeros(changes, np.int64),
        measure=np.full(changes, -1, np.int64),
        year=np.zeros(changes, np.int64),
        who=np.zeros((changes, clinicians), np.int8),
        factor=np.ones(changes),
        shift=np.zeros(changes),
        low=np.full(changes, -np.inf),
        high=np.full(changes, np.inf),
    )


class Room(NamedTuple):
    """Room for what changes are made from (workspace)."""

    before: Observations  # what was observed, of what changes are made to
    other: Observations  # what would be with another record system
    record_system: np.ndarray  # int64 (slots,): of each practice, see `Practices.collection_type`


def make_room(slots: int) -> Room:
    """Allocate the room for a cohort of so many clinician slots."""
    return Room(make_observations(slots), make_observations(slots), np.zeros(slots, np.int64))


@inline
def _meant(changes: Changes, each: int, start: int, count: int, clinician: int) -> bool:
    """Whether a change is one of a clinician's; of who follows one who left, nothing is kept."""
    return bool(clinician < count and changes.who[each, start + clinician] != 0)


@inline
def _changed(changes: Changes, each: int, value: float) -> float:
    """Give what becomes of a value; NaN stays."""
    changed = changes.factor[each] * value + changes.shift[each]
    changed = changes.low[each] if changed < changes.low[each] else changed
    return float(changes.high[each] if changed > changes.high[each] else changed)


@inline
def _changed_count(changes: Changes, each: int, value: float) -> int:
    return math.floor(_changed(changes, each, value) + 0.5)


@inner
def keep_observed(field: Field, out: Observations, kept: Observations) -> None:
    """Copy of what is observed all that a change can be made to, but costs, which each life writes anew."""
    for year in range(YEARS):
        for r in range(field.participants[year]):
            kept.improvement_activities[year, r] = out.improvement_activities[year, r]
            kept.promoting_interoperability[year, r] = out.promoting_interoperability[year, r]
            kept.primary_care_connection[year, r] = out.primary_care_connection[year, r]
            kept.collaborative_care_elements[year, r] = out.collaborative_care_elements[year, r]
        for measure in range(MOST_MEASURES):
            for r in range(field.participants[year]):
                kept.rate[year, measure, r] = out.rate[year, measure, r]
                kept.completeness[year, measure, r] = out.completeness[year, measure, r]
                kept.collection_type[year, measure, r] = out.collection_type[year, measure, r]


@inner
def change_episodes(draw: CohortDraw, changes: Changes, case: int, start: int, field: Field) -> bool:
    """Change the episodes of an enrolled cohort whose first clinician is number `start`; say if any are."""
    count, found = draw.prior.clinicians[draw.cohort], False
    for each in range(changes.first[case], changes.first[case + 1]):
        if changes.kind[each] == _EPISODES:
            found = True
            for history in range(changes.year[each] + PAYMENT_LAG, CALENDAR):
                for c in range(count):
                    if _meant(changes, each, start, count, c):
                        episodes = float(field.episodes[history, c])
                        field.episodes[history, c] = _changed_count(changes, each, episodes)
    return found


@inline
def changes_record_system(changes: Changes, each: int) -> bool:
    """Whether a change is one of the record system."""
    return bool(changes.kind[each] == _COLLECTION_TYPE)


@inner
def begin_record_system(
    draw: CohortDraw, changes: Changes, each: int, start: int, work: Workspace, room: Room
) -> None:
    """Give practices another record system, with which they are to be observed."""
    field, practices = work.field, work.world.practices
    count = draw.prior.clinicians[draw.cohort]
    for practice in range(practices.founded[0]):
        room.record_system[practice] = practices.collection_type[practice]
    for c in range(count):
        if _meant(changes, each, start, count, c):
            practices.collection_type[field.practice[c]] = int(changes.shift[each])


@inner
def end_record_system(
    draw: CohortDraw, changes: Changes, each: int, start: int, work: Workspace, room: Room
) -> None:
    """Take from what was observed so what is reported from the change's year on, and give the own back."""
    field, out, other, practices = work.field, work.observations, room.other, work.world.practices
    count = draw.prior.clinicians[draw.cohort]
    for practice in range(practices.founded[0]):
        practices.collection_type[practice] = room.record_system[practice]
    for year in range(changes.year[each], YEARS):
        for r in range(field.participants[year]):
            if _meant(changes, each, start, count, field.member[year, r]):
                for measure in range(MOST_MEASURES):
                    out.rate[year, measure, r] = other.rate[year, measure, r]
                    out.collection_type[year, measure, r] = other.collection_type[year, measure, r]


@inline
def _record_system(
    changes: Changes, case: int, start: int, count: int, clinician: int, year: int, own: int
) -> int:
    """Give the record system that a clinician's practice has in a year of a case."""
    system = own
    for each in range(changes.first[case], changes.first[case + 1]):
        begun = changes.kind[each] == _COLLECTION_TYPE and changes.year[each] <= year
        if begun and _meant(changes, each, start, count, clinician):
            system = int(changes.shift[each])
    return system


@inner
def change_observations(
    draw: CohortDraw,
    policies: np.recarray,
    changes: Changes,
    case: int,
    start: int,
    work: Workspace,
) -> None:
    """Change what is observed of a cohort whose first clinician is number `start`, all but costs.

    What another record system changes has been observed. With elements of collaborative care both parts of
    improvement activities are known. One that was attested alone is the connection to primary care, unless
    the change's factor is 0.

    Parameters
    ----------
    draw : CohortDraw
        What was observed.
    policies : numpy.recarray, shape (YEARS,)
        POLICY_DTYPE; says how many elements make an arrangement.
    changes : Changes
        Of all cases.
    case : int
        Which one is made.
    start : int
        Clinicians of earlier cohorts.
    work : Workspace
        Its observations are changed.
    """
    field, out, practices = work.field, work.observations, work.world.practices
    count = draw.prior.clinicians[draw.cohort]
    for each in range(changes.first[case], changes.first[case + 1]):
        kind, measure = changes.kind[each], changes.measure[each]
        for year in range(changes.year[each], YEARS):
            needed = policies[year].collaborative_care_elements
            for r in range(field.participants[year]):
                c = field.member[year, r]
                if not _meant(changes, each, start, count, c):
                    continue
                if kind == _RATE:
                    out.rate[year, measure, r] = _changed(changes, each, out.rate[year, measure, r])
                elif kind == _REPORTED:
                    own, fixed = practices.collection_type[field.practice[c]], int(changes.shift[each])
                    system = _record_system(changes, case, start, count, c, year, own)
                    out.collection_type[year, measure, r] = fixed if fixed >= 0 else system
                    out.completeness[year, measure, r] = 1.0
                elif kind == _COMPLETE:
                    for m in range(MOST_MEASURES):
                        code = out.collection_type[year, m, r]
                        if code != NOT_REPORTED and code != CLAIMS:
                            out.completeness[year, m, r] = 1.0
                elif kind == _ACTIVITIES:
                    activities = float(out.improvement_activities[year, r])
                    out.improvement_activities[year, r] = _changed_count(changes, each, activities)
                elif kind == _ELEMENTS:
                    elements = int(changes.shift[each])
                    activities = float(out.improvement_activities[year, r])
                    alone = 1 if activities == 1.0 and changes.factor[each] != 0.0 else 0
                    connection = 1 if activities > 1.0 else alone
                    out.primary_care_connection[year, r] = connection
                    out.collaborative_care_elements[year, r] = elements
                    out.improvement_activities[year, r] = connection + (1 if elements >= needed else 0)
                elif kind == _INTEROPERABILITY:
                    points = out.promoting_interoperability[year, r]
                    out.promoting_interoperability[year, r] = _changed(changes, each, points)


@inner
def change_costs(
    changes: Changes, case: int, start: int, count: int, year: int, field: Field, cost: np.ndarray
) -> None:
    """Change the costs of an episode that are observed in a year, after the response to the incentive."""
    for each in range(changes.first[case], changes.first[case + 1]):
        if changes.kind[each] == _COST and changes.year[each] <= year:
            for r in range(field.participants[year]):
                if _meant(changes, each, start, count, field.member[year, r]):
                    cost[r] = _changed(changes, each, cost[r])
