"""Who works where: practices, their sizes, areas and record systems, and the clinicians in them.

A cohort's slots are filled by practices, one after the other: a roster's first, then synthetic ones, or those
of a participant list, until the slots are full; the last one is cut off. A practice stands for all years: who
enters takes a place in the same practice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline, inner
from asmrisk.rule.definitions import size_class
from asmrisk.scenario.published_tables import MOST_AREAS
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.keys import (
    BLOCK_PRACTICE,
    BLOCK_PRACTICE_PROGRAMS,
    LANE_ACO,
    LANE_AREA,
    LANE_GROUP,
    LANE_MEMBERS,
    LANE_MIPS,
    LANE_QUALIFYING,
    LANE_RECORD_SYSTEM,
    LANE_SIZE,
    PERMANENT,
    ROSTER,
    ROSTER_PRACTICE,
    UNIFORMS_PER_BLOCK,
    Clinicians,
    fill_uniforms,
    stream,
)
from asmrisk.simulation.roster_prior import RosterPrior
from asmrisk.simulation.roster_scores import RosterScores, make_roster_scores

__all__ = ["Practices", "by_size", "found_practices", "make_practices"]

#: Practices whose uniforms are drawn together.
_AT_ONCE = 256

_size_class = inline(size_class)


class Practices(NamedTuple):
    """The practices of one cohort in one draw (workspace, room for as many as there are slots)."""

    founded: np.ndarray  # int64 (1,): how many
    number: np.ndarray  # int64 (slots,): in its counter words
    base: np.ndarray  # int64 (slots,): counter word, see keys.stream
    first_slot: np.ndarray  # int64 (slots,)
    size: np.ndarray  # int64 (slots,): clinicians in the practice
    size_class: np.ndarray  # int64 (slots,): solo, small, large
    area: np.ndarray  # int64 (slots,)
    aco: np.ndarray  # int64 (slots,): 1 in an accountable care organization, else 0
    mips_group: np.ndarray  # int64 (slots,): 1 where MIPS would score the practice as a whole, else 0
    mips_qualifying: np.ndarray  # int64 (slots,): 1 where clinicians would be qualifying APM participants
    mips_class: np.ndarray  # int64 (slots,): whose scores MIPS gives: of a class of size, or of organizations
    mips: np.ndarray  # float64 (slots,): uniform of what is permanent in the practice's MIPS score
    collection_type: np.ndarray  # int64 (slots,): record system, where there is a choice
    nonreporting_limit: np.ndarray  # float64 (slots,): habits below it report nothing
    quality_shift: np.ndarray  # float64 (slots,): what the size adds to latent quality
    roster: RosterScores
    # Scratch.
    uniforms: np.ndarray  # float64 (UNIFORMS_PER_BLOCK, _AT_ONCE)
    guide: np.ndarray  # int64 (MOST_AREAS,): the least area at each of as many equal steps of probability


def make_practices(slots: int, prior: RosterPrior) -> Practices:
    """Allocate the practices of a cohort of so many slots, with a roster of the prior's size."""
    arrays: dict[str, Any] = {name: np.zeros(slots, np.int64) for name in Practices._fields}
    arrays["founded"] = np.zeros(1, np.int64)
    arrays |= {name: np.zeros(slots) for name in ("nonreporting_limit", "quality_shift", "mips")}
    arrays["guide"] = np.zeros(MOST_AREAS, np.int64)
    arrays["uniforms"] = np.zeros((UNIFORMS_PER_BLOCK, _AT_ONCE))
    arrays["roster"] = make_roster_scores(prior)
    return Practices(**arrays)


@inline
def by_size(values: np.ndarray) -> tuple[float, float, float]:
    """Give the values of solo, small and large practices."""
    return values[0], values[1], values[2]


@inline
def _class_of(population: np.record, size: int) -> int:
    """Give the code in `published_tables.PRACTICE_CLASSES` of a practice; the last one is open."""
    group = 0
    while group < population.practice_high.shape[0] - 1 and size > population.practice_high[group]:
        group += 1
    return group


@inline
def _area_of_region(population: np.record, region: int, uniform: float) -> int:
    """Draw an area of a region."""
    cumulative, regions = population.area_cumulative, population.regions
    total = 0.0
    for area in range(region, population.areas, regions):
        total += cumulative[area] - (cumulative[area - 1] if area > 0 else 0.0)
    drawn, below = region, uniform * total
    for area in range(region, population.areas, regions):
        drawn = area if below >= 0.0 else drawn
        below -= cumulative[area] - (cumulative[area - 1] if area > 0 else 0.0)
    return int(drawn)


@inline
def _settle(
    population: np.record, practices: Practices, practice: int, size: int, group: int, i: int
) -> None:
    """Write a practice's size and what follows from it; its uniforms stand in column i of the scratch."""
    u = practices.uniforms
    kind = _size_class(size)
    practices.size[practice] = size
    practices.size_class[practice] = kind
    practices.mips_class[practice] = group
    # From where the guide says on, it is an area or two.
    area = practices.guide[int(u[LANE_AREA, i] * MOST_AREAS)]
    while population.area_cumulative[area] < u[LANE_AREA, i]:
        area += 1
    practices.area[practice] = area
    practices.collection_type[practice] = 0 if u[LANE_RECORD_SYSTEM, i] < population.ecqm_share[kind] else 1
    # Reporting nothing differs by class of practice size; its last class holds all larger ones too.
    practices.quality_shift[practice] = population.quality_size_shift[group]
    limits = population.nothing_reported_z
    practices.nonreporting_limit[practice] = limits[min(group, limits.shape[0] - 1)]


@inner
def _draw_uniforms(draw: CohortDraw, practices: Practices, block: int, first: int, n: int) -> None:
    """Draw the permanent uniforms of n practices from number `first` on into the first columns."""
    number, base = practices.number[first:], practices.base[first:]
    fill_uniforms(practices.uniforms, block, number, base, PERMANENT, draw.number, draw.key, 0, n)


@inner
def _draw_size(population: np.record, uniform: float, least: int, below: float, above: float) -> int:
    """Draw a practice's size of at least `least` from the part of its distribution between two shares."""
    cumulative = population.practice_cumulative
    at = below + uniform * (above - below)
    group = 0
    while cumulative[group] < at:
        group += 1
    under = cumulative[group - 1] if group > 0 else 0.0
    # Where the uniform lies within its class picks the size, so that one uniform makes one variate.
    within = (at - under) / max(cumulative[group] - under, 1e-300)
    low, high = max(population.practice_low[group], least), max(population.practice_high[group], least)
    size: int = low + min(int(within * (high - low + 1)), high - low)
    return size


@inner
def _found_of_roster(draw: CohortDraw, who: Clinicians, practice_of: np.ndarray, practices: Practices) -> int:
    """Found the practices of a roster; give how many clinicians they hold, the first slots."""
    prior, cohort = draw.prior, draw.cohort
    founded: int = prior.practices[cohort]
    n: int = prior.clinicians[cohort]
    for practice in range(founded):
        practices.number[practice] = prior.practice_number[cohort, practice]
        practices.base[practice] = stream(ROSTER_PRACTICE, 0, 0, PERMANENT)
        practices.first_slot[practice] = -1
    for slot in range(n):
        practice = prior.practice[cohort, slot]
        if practices.first_slot[practice] < 0:
            practices.first_slot[practice] = slot
        who.slot[slot] = slot
        who.number[slot] = practices.number[practice]
        who.base[slot] = stream(ROSTER + cohort, prior.member[cohort, slot], 0, PERMANENT)
        practice_of[slot] = practice
    for start in range(0, founded, _AT_ONCE):
        count = min(_AT_ONCE, founded - start)
        _draw_uniforms(draw, practices, BLOCK_PRACTICE, start, count)
        for i in range(count):
            practice = start + i
            slot = practices.first_slot[practice]
            size = prior.practice_size[cohort, slot]
            _settle(draw.population, practices, practice, size, _class_of(draw.population, size), i)
            if prior.collection_type[cohort, slot] >= 0:
                practices.collection_type[practice] = prior.collection_type[cohort, slot]
            if prior.area[cohort, practice] >= 0:
                practices.area[practice] = prior.area[cohort, practice]
            elif prior.region[cohort, practice] >= 0:
                region = prior.region[cohort, practice]
                practices.area[practice] = _area_of_region(
                    draw.population, region, practices.uniforms[LANE_AREA, i]
                )
    practices.founded[0] = founded
    return n


@inner
def _join_programs(draw: CohortDraw, practices: Practices) -> None:
    """Draw which practices are in accountable care organizations, and how MIPS would look at them."""
    population, prior, cohort, u = draw.population, draw.prior, draw.cohort, practices.uniforms
    in_aco, qualifying = population.aco_share, population.mips_qualifying_share
    solo, small, large = by_size(population.mips_group_share)
    founded = practices.founded[0]
    for first in range(0, founded, _AT_ONCE):
        n = min(_AT_ONCE, founded - first)
        _draw_uniforms(draw, practices, BLOCK_PRACTICE_PROGRAMS, first, n)
        aco, group = practices.aco[first:], practices.mips_group[first:]
        kind, qualifies = practices.size_class[first:], practices.mips_qualifying[first:]
        for i in range(n):
            share = solo if kind[i] == 0 else large
            share = small if kind[i] == 1 else share
            aco[i] = 1 if u[LANE_ACO, i] < in_aco else 0
            group[i] = 1 if u[LANE_GROUP, i] < share else 0
            qualifies[i] = 1 if u[LANE_QUALIFYING, i] < qualifying else 0
            practices.mips[first + i] = u[LANE_MIPS, i]
    for practice in range(prior.practices[cohort]):
        known = prior.aco[cohort, practice]
        practices.aco[practice] = known if known >= 0 else practices.aco[practice]
    organizations = population.mips_score.shape[0] - 1
    for practice in range(founded):
        if practices.aco[practice] != 0:
            practices.mips_group[practice] = 1
            practices.mips_class[practice] = organizations
        practices.mips_qualifying[practice] &= practices.aco[practice]


@inner
def found_practices(
    draw: CohortDraw, slots: int, who: Clinicians, practice_of: np.ndarray, practices: Practices
) -> None:
    """Found a cohort's practices, and seat the clinicians of the first year in its slots.

    Parameters
    ----------
    draw : CohortDraw
        What the cohort reads.
    slots : int
        Slots to fill.
    who : Clinicians
        Written: who holds each slot.
    practice_of : ndarray of int64, shape (at least slots,)
        Written: index of the practice of each slot.
    practices : Practices
        Written, a roster's first.
    """
    population, cohort, given = draw.population, draw.cohort, draw.practice_list
    area = 0
    for step in range(MOST_AREAS):
        while population.area_cumulative[area] * MOST_AREAS < step:
            area += 1
        practices.guide[step] = area
    filled = _found_of_roster(draw, who, practice_of, practices)
    founded = practices.founded[0]
    # Shares of practices of up to 15 clinicians and of all.
    small = 0.0
    for group in range(population.practice_high.shape[0]):
        if _size_class(population.practice_high[group]) < 2:
            small = population.practice_cumulative[group]
    listed, u = given.practices[cohort], practices.uniforms
    number = 0
    while filled < slots:
        count = min(_AT_ONCE, slots - filled)
        for i in range(count):
            practices.number[founded + i] = number + i
            practices.base[founded + i] = stream(cohort, 0, 0, PERMANENT)
        _draw_uniforms(draw, practices, BLOCK_PRACTICE, founded, count)
        for i in range(count):
            if filled >= slots:
                break
            if listed > 0:
                members = given.members[cohort, number] if number < listed else 1
                below, above = (0.0, small) if given.small[cohort, min(number, listed - 1)] else (small, 1.0)
                size = _draw_size(population, u[LANE_SIZE, i], members, below, above)
                group = _class_of(population, size)
            else:
                size = _draw_size(population, u[LANE_SIZE, i], 1, 0.0, 1.0)
                group = _class_of(population, size)
                shares = population.members_cumulative[group]
                most = min(size, shares.shape[0])
                reached = u[LANE_MEMBERS, i] * shares[most - 1]
                members = 1
                while members < most and shares[members - 1] < reached:
                    members += 1
            practice = founded
            _settle(population, practices, practice, size, group, i)
            practices.first_slot[practice] = filled
            members = min(members, slots - filled)
            for member in range(members):
                slot = filled + member
                who.slot[slot] = slot
                who.number[slot] = number
                who.base[slot] = stream(cohort, member, 0, PERMANENT)
                practice_of[slot] = practice
            filled += members
            founded += 1
            number += 1
    practices.founded[0] = founded
    _join_programs(draw, practices)
