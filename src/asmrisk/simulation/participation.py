"""Who takes part: clinicians, exits, episodes, and who is measured when (42 CFR §§ 512.705, 512.710).

A cohort is a fixed number of slots, places in practices. Each slot always holds one active clinician; one who
leaves on 1 January is followed in the same practice by a new one, with attributes, history and random numbers
of its own: the slot's next *generation*. A clinician is measured in a performance year in which it is active
if it had enough episodes two years before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline, inner
from asmrisk.population.latents import OWN_LEVEL
from asmrisk.rule.definitions import CALENDAR, PAYMENT_LAG, YEARS
from asmrisk.simulation.batches import exponentials, normal_probabilities, normal_scores, take
from asmrisk.simulation.counts import poisson_quantiles
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.keys import (
    BLOCK_PARTICIPATION,
    BLOCK_WHO,
    FIRST_YEAR,
    GREATEST_UNIFORM,
    LANE_EPISODES,
    LANE_EXIT,
    LANE_LEVEL,
    LANE_SHOCK,
    LANE_SPECIALTY,
    LEAST_UNIFORM,
    UNIFORMS_PER_BLOCK,
    Clinicians,
    fill_permanent,
    fill_uniforms,
)
from asmrisk.simulation.practices import Practices, found_practices
from asmrisk.simulation.roster_scores import draw_roster

__all__ = ["BATCH_SLOTS", "Field", "enroll", "make_field", "select_measured", "slots_per_batch"]

#: Most slots in a batch: enough to outweigh the calls, few enough for the processor's cache.
BATCH_SLOTS = 1100


@inline
def slots_per_batch(slots: int) -> int:
    """Slots in each batch but the last, so that the batches of a cohort are of one size."""
    batches = (slots + BATCH_SLOTS - 1) // BATCH_SLOTS
    return (slots + batches - 1) // batches


class Field(NamedTuple):
    """The clinicians of one cohort in one draw (workspace, `capacity` clinicians, `slots` slots).

    Clinicians are numbered by the year in which they enter, then by their slots; so those of the first year
    have the numbers of their slots. Years are counted from the first performance year; episodes are kept from
    two years before it.
    """

    slot: np.ndarray  # int64 (capacity,)
    number: np.ndarray  # int64 (capacity,): of the practice, in counter words
    practice: np.ndarray  # int64 (capacity,): index in `Practices`
    specialty: np.ndarray  # int64 (capacity,)
    base: np.ndarray  # int64 (capacity,): counter word, see keys.stream
    leaves: np.ndarray  # int64 (capacity,): first year in which it is not active; CALENDAR if it stays
    level: np.ndarray  # float64 (capacity,): expected episodes a year
    #: From two years before the first performance year.
    episodes: np.ndarray  # int32 (CALENDAR, capacity)
    last: np.ndarray  # int64 (capacity,): last performance year in which it is measured; -1 if never
    row: np.ndarray  # uint32 (capacity,): row in its batch
    member: np.ndarray  # int32 (YEARS, slots): clinician at each position
    participants: np.ndarray  # int64 (YEARS,): measured clinicians
    batch_start: np.ndarray  # int64 (YEARS, batches + 1): first position of each batch
    entry_start: np.ndarray  # int64 (YEARS + 1,): first clinician of each year of entry
    next_entrant: np.ndarray  # int64 (YEARS,): first of each of them who is in no batch yet
    until: np.ndarray  # int64 (slots,): when the last one to enter each slot leaves it
    holder: np.ndarray  # int64 (slots,): counter word of the last one to enter each slot
    owner: np.ndarray  # int32 (slots,): the measured clinician of a year; -1 for none
    # Scratch of `enroll`.
    uniforms: np.ndarray  # float64 (UNIFORMS_PER_BLOCK, BATCH_SLOTS)
    exit_uniforms: np.ndarray  # float64 (CALENDAR, BATCH_SLOTS)
    size_class: np.ndarray  # int64 (BATCH_SLOTS,)
    codes: np.ndarray  # uint64 (BATCH_SLOTS,)
    mean: np.ndarray  # float64 (BATCH_SLOTS,)
    drawn: np.ndarray  # float64 (BATCH_SLOTS,)


def make_field(slots: int) -> Field:
    """Allocate the field of a cohort; at most, every slot is taken anew each year."""
    capacity = slots * YEARS
    return Field(
        slot=np.zeros(capacity, np.int64),
        number=np.zeros(capacity, np.int64),
        practice=np.zeros(capacity, np.int64),
        specialty=np.zeros(capacity, np.int64),
        base=np.zeros(capacity, np.int64),
        leaves=np.zeros(capacity, np.int64),
        level=np.zeros(capacity),
        episodes=np.zeros((CALENDAR, capacity), np.int32),
        last=np.zeros(capacity, np.int64),
        row=np.zeros(capacity, np.uint32),
        member=np.zeros((YEARS, slots), np.int32),
        participants=np.zeros(YEARS, np.int64),
        batch_start=np.zeros((YEARS, slots // BATCH_SLOTS + 2), np.int64),
        entry_start=np.zeros(YEARS + 1, np.int64),
        next_entrant=np.zeros(YEARS, np.int64),
        until=np.zeros(slots, np.int64),
        holder=np.zeros(slots, np.int64),
        owner=np.zeros(slots, np.int32),
        uniforms=np.zeros((UNIFORMS_PER_BLOCK, BATCH_SLOTS)),
        exit_uniforms=np.zeros((CALENDAR, BATCH_SLOTS)),
        size_class=np.zeros(BATCH_SLOTS, np.int64),
        codes=np.zeros(BATCH_SLOTS, np.uint64),
        mean=np.zeros(BATCH_SLOTS),
        drawn=np.zeros(BATCH_SLOTS),
    )


@inner
def _draw_specialties(
    population: np.record, uniform: np.ndarray, first: int, n: int, field: Field, practices: Practices
) -> None:
    """Draw the specialties of n clinicians from number `first` on, by the size class of their practices."""
    specialty, practice = field.specialty[first : first + n], field.practice[first : first + n]
    kind = field.size_class
    for i in range(n):
        specialty[i] = 0
    first_edges = population.specialty_cumulative[:, 0]
    if min(first_edges[0], first_edges[1], first_edges[2]) == 1.0:
        return
    for i in range(n):
        kind[i] = practices.size_class[practice[i]]
    for code in range(1, population.specialty_cumulative.shape[1]):
        edges = population.specialty_cumulative
        solo, small, large = edges[0, code - 1], edges[1, code - 1], edges[2, code - 1]
        if min(solo, small, large) < 1.0:
            for i in range(n):
                edge = solo if kind[i] == 0 else large
                edge = small if kind[i] == 1 else edge
                specialty[i] = code if uniform[i] >= edge else specialty[i]


@inner
def _draw_episodes(
    draw: CohortDraw, entry: int, first: int, n: int, field: Field, practices: Practices
) -> None:
    """Draw specialty, level, episodes and exit of n clinicians from number `first` on, who enter then."""
    population, prior = draw.population, draw.prior
    u = field.uniforms
    slot, number = field.slot[first : first + n], field.number[first : first + n]
    base = field.base[first : first + n]
    who = Clinicians(slot, number, base)
    level = field.level[first : first + n]
    mean = field.mean
    episodes = field.drawn
    floor = population.episodes_floor_probability
    shock_sd = population.episodes_shock_log_sd
    fill_permanent(u, BLOCK_WHO, who, draw.number, draw.key, n, draw.cohort, population.strata)
    _draw_specialties(population, u[LANE_SPECIALTY], first, n, field, practices)
    level_uniform, exit_uniform = u[LANE_LEVEL], u[LANE_EXIT]
    # A roster's clinicians hold the first slots from the first year on.
    n_roster = 0
    while entry == 0 and n_roster < n and slot[n_roster] < prior.clinicians[draw.cohort]:
        n_roster += 1
    for i in range(n_roster):
        field.specialty[first + i] = prior.specialty[draw.cohort, slot[i]]
        level[i] = practices.roster.own[OWN_LEVEL, slot[i]]
    normal_probabilities(level, mean, n_roster)
    for i in range(n_roster):
        level_uniform[i] = min(max(mean[i], LEAST_UNIFORM), GREATEST_UNIFORM)
    for i in range(n):
        mean[i] = floor + level_uniform[i] * (1.0 - floor)
    normal_scores(mean, level, n)
    for i in range(n):
        level[i] = population.episodes_log_mean + population.episodes_log_sd * level[i]
    exponentials(level, n)
    for history in range(entry, CALENDAR + PAYMENT_LAG):
        year = history - PAYMENT_LAG
        fill_uniforms(u, BLOCK_PARTICIPATION, number, base, FIRST_YEAR + year, draw.number, draw.key, 0, n)
        if year > entry:
            for i in range(n):
                field.exit_uniforms[year, i] = exit_uniform[i]
        if history < CALENDAR:
            normal_scores(u[LANE_SHOCK], mean, n)
            for i in range(n):
                mean[i] = shock_sd * mean[i] - 0.5 * shock_sd * shock_sd
            exponentials(mean, n)
            for i in range(n):
                mean[i] *= level[i]
            poisson_quantiles(u[LANE_EPISODES], mean, episodes, n)
            drawn = field.episodes[history, first : first + n]
            for i in range(n):
                drawn[i] = np.int32(episodes[i])
            for i in range(n_roster):
                given = prior.episodes[draw.cohort, history, slot[i]]
                drawn[i] = given if given >= 0 else drawn[i]
    codes = field.codes
    leaves, specialty = field.leaves[first : first + n], field.specialty[first : first + n]
    for i in range(n):
        leaves[i] = CALENDAR
        codes[i] = specialty[i]
    # From the last year back, so that the first exit counts.
    for year in range(CALENDAR - 1, entry, -1):
        take(draw.behavior[year].exit_probability, codes, mean, n)
        uniform = field.exit_uniforms[year]
        for i in range(n):
            leaves[i] = year if uniform[i] < mean[i] else leaves[i]
    for i in range(n):
        field.until[slot[i]] = leaves[i]
        field.holder[slot[i]] = base[i]


@inner
def assign_entrants(entry: int, slots: int, field: Field) -> int:
    """Assign numbers to those who enter after the first year, by slot; give how many they are."""
    first = field.entry_start[entry]
    slot = field.slot[first:]
    count = 0
    for s in range(slots):
        # Branchless compaction: written always, kept if the count moves on.
        slot[count] = s
        count += field.until[s] == entry
    for c in range(first, first + count):
        s = field.slot[c]
        field.number[c] = field.number[s]
        field.practice[c] = field.practice[s]
        field.base[c] = field.holder[s] + 1  # the next generation
    return count


@inner
def enroll(draw: CohortDraw, field: Field, practices: Practices) -> None:
    """Fill the field of a cohort for a draw: practices, clinicians, episodes, and who is measured when."""
    slots = draw.population.slots
    who = Clinicians(field.slot, field.number, field.base)
    found_practices(draw, slots, who, field.practice, practices)
    draw_roster(draw, who, practices.roster)
    total = 0
    for entry in range(YEARS):
        field.entry_start[entry] = total
        count = assign_entrants(entry, slots, field) if entry > 0 else slots
        for first in range(total, total + count, BATCH_SLOTS):
            n = min(BATCH_SLOTS, total + count - first)
            _draw_episodes(draw, entry, first, n, field, practices)
        total += count
    field.entry_start[YEARS] = total
    select_measured(draw.population, slots, field)


@inner
def select_measured(population: np.record, slots: int, field: Field) -> None:
    """Give the measured clinicians of each year positions in the order of their slots.

    They have enough episodes two years before, or had so in an earlier year where once in is in for good.
    """
    minimum_episodes, once_in = population.minimum_episodes, population.once_in != 0
    field.last[: field.entry_start[YEARS]] = -1
    owner = field.owner
    for year in range(YEARS):
        episodes, member = field.episodes[year], field.member[year]
        # Those of the first year are numbered by their slots.
        for c in range(slots):
            enough = (episodes[c] >= minimum_episodes) | (once_in & (field.last[c] >= 0))
            owner[c] = c if enough & (field.leaves[c] > year) else -1
        for c in range(field.entry_start[1], field.entry_start[year + 1]):
            enough = episodes[c] >= minimum_episodes or (once_in and field.last[c] >= 0)
            if field.leaves[c] > year and enough:
                owner[field.slot[c]] = c
        position = 0
        width = slots_per_batch(slots)
        batch = 0
        for start in range(0, slots, width):
            field.batch_start[year, batch] = position
            batch += 1
            # Sliced, since an index that does not begin at 0 would be checked for counting from the end.
            owners = owner[start:]
            for s in range(min(width, slots - start)):
                # Branchless compaction.
                member[np.uint64(position)] = owners[s]
                position += owners[s] >= 0
        field.batch_start[year, batch] = position
        for r in range(position):
            field.last[np.uint32(member[r])] = year
        field.participants[year] = position
