"""Who takes part: clinicians, exits, episodes, and who is measured when (42 CFR §§ 512.705, 512.710).

A cohort is a fixed number of slots. Each slot always holds one active clinician; one who leaves on 1 January
is followed by a new one, with attributes, history and luck of its own: the slot's next *generation*. A
clinician is measured in a performance year in which it is active if it had enough episodes two years before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline, inner
from asmrisk.rule.definitions import PAYMENT_LAG, PERFORMANCE_YEARS
from asmrisk.simulation.batches import exponentials, normal_probabilities, normal_scores
from asmrisk.simulation.keys import (
    BLOCK_PARTICIPATION,
    BLOCK_WHO,
    GREATEST_UNIFORM,
    LEAST_UNIFORM,
    PERMANENT,
    fill_permanent,
    fill_uniforms,
    stream,
)
from asmrisk.simulation.roster_prior import Known, level_score
from asmrisk.simulation.variates import poisson_strip

__all__ = ["CALENDAR", "STRIP", "YEARS", "Field", "enroll", "make_field", "strip_width"]

#: Performance years, and the calendar from the first of them to the last payment year.
YEARS = len(PERFORMANCE_YEARS)
CALENDAR = YEARS + PAYMENT_LAG
FIRST_YEAR = PERFORMANCE_YEARS[0]
#: Most slots whose clinicians are worked on together: enough to outweigh the calls, few enough for the
#: processor's cache.
STRIP = 1100


@inline
def strip_width(slots: int) -> int:
    """Give the number of slots in each strip but the last, so that strips are of one size.

    Parameters
    ----------
    slots : int
        Clinician slots of the cohort, at least 1.

    Returns
    -------
    int
        At most `STRIP`.
    """
    strips = (slots + STRIP - 1) // STRIP
    return (slots + strips - 1) // strips


class Field(NamedTuple):
    """The clinicians of one cohort in one draw (workspace, `capacity` clinicians, `slots` slots).

    Clinicians are numbered by the year in which they enter, then by their slots. Years are counted from the
    first performance year; episodes are kept from two years before it.
    """

    slot: np.ndarray  # int64 (capacity,)
    base: np.ndarray  # int64 (capacity,): counter word of the clinician, see keys.stream
    leaves: np.ndarray  # int64 (capacity,): first year in which it is not active; CALENDAR if it stays
    level: np.ndarray  # float64 (capacity,): expected episodes a year
    episodes: np.ndarray  # int32 (CALENDAR, capacity), from two years before the first performance year
    last: np.ndarray  # int64 (capacity,): last performance year in which it is measured; -1 if never
    place: np.ndarray  # uint32 (capacity,): place in its strip
    member: np.ndarray  # int32 (YEARS, slots): clinician at each position
    participants: np.ndarray  # int64 (YEARS,): measured clinicians
    first: np.ndarray  # int64 (YEARS, strips + 1): first position of each strip of slots
    group: np.ndarray  # int64 (YEARS + 1,): first clinician of each year of entry
    next: np.ndarray  # int64 (YEARS,): first of each of them whose strip is yet to come
    until: np.ndarray  # int64 (slots,): when the last one to enter each slot leaves it
    holder: np.ndarray  # int64 (slots,): counter word of the last one to enter each slot
    owner: np.ndarray  # int32 (slots,)
    uniforms: np.ndarray  # float64 (4, STRIP)
    coins: np.ndarray  # float64 (CALENDAR, STRIP)
    mean: np.ndarray  # float64 (STRIP,)
    drawn: np.ndarray  # float64 (STRIP,)


def make_field(slots: int) -> Field:
    """Allocate the workspace for a cohort.

    Parameters
    ----------
    slots : int
        Clinician slots.

    Returns
    -------
    Field
        Arrays for as many clinicians as there can be: every slot taken anew each year.
    """
    capacity = slots * YEARS
    return Field(
        slot=np.zeros(capacity, np.int64),
        base=np.zeros(capacity, np.int64),
        leaves=np.zeros(capacity, np.int64),
        level=np.zeros(capacity),
        episodes=np.zeros((CALENDAR, capacity), np.int32),
        last=np.zeros(capacity, np.int64),
        place=np.zeros(capacity, np.uint32),
        member=np.zeros((YEARS, slots), np.int32),
        participants=np.zeros(YEARS, np.int64),
        first=np.zeros((YEARS, slots // STRIP + 2), np.int64),
        group=np.zeros(YEARS + 1, np.int64),
        next=np.zeros(YEARS, np.int64),
        until=np.zeros(slots, np.int64),
        holder=np.zeros(slots, np.int64),
        owner=np.zeros(slots, np.int32),
        uniforms=np.zeros((4, STRIP)),
        coins=np.zeros((CALENDAR, STRIP)),
        mean=np.zeros(STRIP),
        drawn=np.zeros(STRIP),
    )


@inner
def _episodes_of_strip(
    population: np.record,
    behavior: np.recarray,
    draw: int,
    key: np.ndarray,
    entry: int,
    first: int,
    n: int,
    cohort: int,
    known: Known,
    field: Field,
) -> None:
    """Draw levels, episodes and exits of n clinicians from `first` on, who enter in year `entry`."""
    u = field.uniforms
    slot = field.slot[first : first + n]
    base = field.base[first : first + n]
    level = field.level[first : first + n]
    mean = field.mean
    episodes = field.drawn
    floor = population.episodes_floor_probability
    shock_sd = population.episodes_shock_log_sd
    fill_permanent(u, BLOCK_WHO, slot, base, draw, key, n, population.strata)
    u0 = u[0]
    u1 = u[1]
    # A roster's clinicians hold the first slots from the first year on.
    told = 0
    while entry == 0 and told < n and slot[told] < known.clinicians[cohort]:
        told += 1
    normal_scores(u0, mean, told)
    for i in range(told):
        mean[i] = level_score(known, cohort, slot[i], mean[i])
    normal_probabilities(mean, told)
    for i in range(told):
        u0[i] = min(max(mean[i], LEAST_UNIFORM), GREATEST_UNIFORM)
    for i in range(n):
        mean[i] = floor + u0[i] * (1.0 - floor)
    normal_scores(mean, level, n)
    for i in range(n):
        level[i] = population.episodes_log_mean + population.episodes_log_sd * level[i]
    exponentials(level, n)
    for history in range(entry, CALENDAR + PAYMENT_LAG):
        year = history - PAYMENT_LAG
        fill_uniforms(u, BLOCK_PARTICIPATION, slot, base, FIRST_YEAR + year, draw, key, 0, n)
        if year > entry:
            for i in range(n):
                field.coins[year, i] = u0[i]
        if history < CALENDAR:
            normal_scores(u1, mean, n)
            for i in range(n):
                mean[i] = shock_sd * mean[i] - 0.5 * shock_sd * shock_sd
            exponentials(mean, n)
            for i in range(n):
                mean[i] *= level[i]
            poisson_strip(u[2], mean, episodes, n)
            drawn = field.episodes[history, first : first + n]
            for i in range(n):
                drawn[i] = np.int32(episodes[i])
            for i in range(told):
                given = known.episodes[cohort, history, slot[i]]
                drawn[i] = given if given >= 0 else drawn[i]
    leaves = field.leaves[first : first + n]
    for i in range(n):
        leaves[i] = CALENDAR
    # From the last year back, so that the first exit counts.
    for year in range(CALENDAR - 1, entry, -1):
        probability = behavior[year].exit_probability
        for i in range(n):
            leaves[i] = year if field.coins[year, i] < probability else leaves[i]
    for i in range(n):
        field.until[slot[i]] = leaves[i]
        field.holder[slot[i]] = base[i]


@inner
def _let_in(entry: int, slots: int, cohort: int, field: Field) -> int:
    """Give numbers to those who enter in a year, by slot, and return how many they are."""
    first = field.group[entry]
    if entry == 0:
        for s in range(slots):
            field.slot[s] = s
            field.base[s] = stream(cohort, 0, PERMANENT)
        return slots
    count = 0
    for s in range(slots):
        # Written always, kept if the count moves on: quicker than a branch that nobody can predict.
        field.slot[first + count] = s
        field.base[first + count] = field.holder[s] + 1  # the next generation
        count += field.until[s] == entry
    return count


@inner
def enroll(
    population: np.record,
    behavior: np.recarray,
    cohort: int,
    draw: int,
    key: np.ndarray,
    known: Known,
    field: Field,
) -> None:
    """Fill the field of one cohort for one draw: clinicians, exits, episodes, and who is measured when.

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's population.
    behavior : recarray, shape (CALENDAR,)
        Behavior by calendar year.
    cohort : int
        Code of the cohort.
    draw : int
        Number of the draw.
    key : ndarray of uint64, shape (2,)
        Halves of the seed.
    known : Known
        What is known of the roster's clinicians.
    field : Field
        Written.
    """
    slots = population.slots
    total = 0
    for entry in range(YEARS):
        field.group[entry] = total
        count = _let_in(entry, slots, cohort, field)
        for first in range(total, total + count, STRIP):
            n = min(STRIP, total + count - first)
            _episodes_of_strip(population, behavior, draw, key, entry, first, n, cohort, known, field)
        total += count
    field.group[YEARS] = total
    _measure_who(population.minimum_episodes, slots, field)


@inner
def _measure_who(minimum_episodes: int, slots: int, field: Field) -> None:
    """Give the measured clinicians of each year positions in the order of their slots."""
    field.last[: field.group[YEARS]] = -1
    owner = field.owner
    for year in range(YEARS):
        episodes, member = field.episodes[year], field.member[year]
        # Those who are there from the first year on are numbered by their slots.
        for c in range(slots):
            taking_part = field.leaves[c] > year and episodes[c] >= minimum_episodes
            owner[c] = c if taking_part else -1
        for c in range(field.group[1], field.group[year + 1]):
            if field.leaves[c] > year and episodes[c] >= minimum_episodes:
                owner[field.slot[c]] = c
        position = 0
        width = strip_width(slots)
        strip = 0
        for start in range(0, slots, width):
            field.first[year, strip] = position
            strip += 1
            for s in range(start, min(start + width, slots)):
                # Written always, kept if the count moves on.
                member[position] = owner[s]
                position += owner[s] >= 0
        field.first[year, strip] = position
        for r in range(position):
            field.last[member[r]] = year
        field.participants[year] = position
