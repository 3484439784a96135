"""What colleagues and neighbors have in common: scores of areas, shared parts of practices, their conduct.

A normal score with a shared part is ``sqrt(a) A + sqrt(p) P + sqrt(1 - a - p) E``, with scores A of the area,
P of the practice and E of one's own, each an AR(1) with the score's own persistence: so the score itself is
one, and its marginal stays. ``sqrt(a) A + sqrt(p) P``, the practice's *shared part*, is an AR(1) too, whose
innovations are drawn here and added up; one's own part is simulated by clinician.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import fma, inline, inner
from asmrisk.population.latents import (
    COST,
    GENERAL,
    IMPROVEMENT,
    INTEROPERABILITY,
    NONREPORTING,
    NOT_SIMULATED,
    OWN_DUAL,
    OWN_HCC,
    OWN_LATENT,
    OWN_PART_B,
    SHARED_COST,
    SHARED_HABITS,
    SHARED_PART_B,
    SHARED_PATIENTS,
    SHARED_QUALITY,
    SPECIFIC,
    SUBMISSION,
)
from asmrisk.population.quantiles import SCORE_COUNT
from asmrisk.rule.definitions import CALENDAR, MOST_MEASURES, PAYMENT_LAG, SPECIALTIES, YEARS
from asmrisk.scenario.published_tables import MOST_AREAS
from asmrisk.simulation.batches import advance, normal_probabilities, normal_scores, score_arguments, take
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.keys import (
    AREA,
    BLOCK_AREA_MEASURE,
    BLOCK_AREA_MIX,
    BLOCK_AREA_PERFORMANCE,
    BLOCK_PRACTICE_CONDUCT,
    BLOCK_PRACTICE_MEASURE,
    BLOCK_PRACTICE_MIX,
    BLOCK_PRACTICE_PERFORMANCE,
    FIRST_YEAR,
    LANE_COST,
    LANE_DUAL,
    LANE_GENERAL,
    LANE_HCC,
    LANE_IMPROVEMENT,
    LANE_INTEROPERABILITY,
    LANE_MORE_IMPROVEMENT,
    LANE_MORE_INTEROPERABILITY,
    LANE_NONREPORTING,
    LANE_PRACTICE_PART_B,
    PERMANENT,
    UNIFORMS_PER_BLOCK,
    fill_uniforms,
    stream,
)
from asmrisk.simulation.normal import score_from
from asmrisk.simulation.participation import BATCH_SLOTS, Field
from asmrisk.simulation.practices import Practices, by_size
from asmrisk.simulation.roster_scores import RosterScores, habit_row, start_conduct

__all__ = [
    "MEASURES_PER_BLOCK",
    "AreaScores",
    "SharedParts",
    "draw_areas",
    "draw_patients_mix",
    "make_areas",
    "make_shared_parts",
    "own_weight",
    "select_practices",
    "share_conduct",
    "share_measure",
    "share_performance",
]

#: A score of promoting interoperability above none.
LEAST_POINTS = 1e-300
#: Measures whose two uniforms stand in one block.
MEASURES_PER_BLOCK = UNIFORMS_PER_BLOCK // 2
#: Blocks of measures of one cohort, of practices and of areas.
_PRACTICE_BLOCKS, _AREA_BLOCKS = 4, 2


class AreaScores(NamedTuple):
    """Normal scores of the areas of one cohort in one draw (workspace): what each year adds to its AR(1)."""

    hcc: np.ndarray  # float64 (MOST_AREAS,): permanent
    dual: np.ndarray  # float64 (MOST_AREAS,): permanent
    general: np.ndarray  # float64 (YEARS, MOST_AREAS)
    cost: np.ndarray  # float64 (YEARS, MOST_AREAS)
    part_b: np.ndarray  # float64 (CALENDAR, MOST_AREAS)
    specific: np.ndarray  # float64 (YEARS, MOST_MEASURES, MOST_AREAS)
    region: np.ndarray  # int64 (MOST_AREAS,)
    number: np.ndarray  # int64 (MOST_AREAS,)
    base: np.ndarray  # int64 (MOST_AREAS,): counter word
    uniforms: np.ndarray  # float64 (UNIFORMS_PER_BLOCK, MOST_AREAS): scratch


def make_areas() -> AreaScores:
    """Allocate the scores of areas: half a MB."""
    return AreaScores(
        hcc=np.zeros(MOST_AREAS),
        dual=np.zeros(MOST_AREAS),
        general=np.zeros((YEARS, MOST_AREAS)),
        cost=np.zeros((YEARS, MOST_AREAS)),
        part_b=np.zeros((CALENDAR, MOST_AREAS)),
        specific=np.zeros((YEARS, MOST_MEASURES, MOST_AREAS)),
        region=np.zeros(MOST_AREAS, np.int64),
        number=np.arange(MOST_AREAS),
        base=np.full(MOST_AREAS, stream(AREA, 0, 0, PERMANENT), np.int64),
        uniforms=np.zeros((UNIFORMS_PER_BLOCK, MOST_AREAS)),
    )


@inner
def draw_areas(draw: CohortDraw, areas: AreaScores, only_measures: bool) -> None:
    """Draw the scores of all areas; those that are not of measures are the same in both cohorts."""
    n, u = draw.population.areas, areas.uniforms
    number, base = areas.number, areas.base
    if not only_measures:
        for area in range(n):
            areas.region[area] = area % draw.population.regions
        fill_uniforms(u, BLOCK_AREA_MIX, number, base, PERMANENT, draw.number, draw.key, 0, n)
        normal_scores(u[LANE_HCC], areas.hcc, n)
        normal_scores(u[LANE_DUAL], areas.dual, n)
        for year in range(CALENDAR):
            when = FIRST_YEAR + year
            fill_uniforms(u, BLOCK_AREA_PERFORMANCE, number, base, when, draw.number, draw.key, 0, n)
            normal_scores(u[LANE_PRACTICE_PART_B], areas.part_b[year], n)
            if year < YEARS:
                normal_scores(u[LANE_GENERAL], areas.general[year], n)
                normal_scores(u[LANE_COST], areas.cost[year], n)
    kinds, block = draw.population.measure_kind, BLOCK_AREA_MEASURE + _AREA_BLOCKS * draw.cohort
    for year in range(YEARS):
        drawn = -1
        for measure in range(MOST_MEASURES):
            which = measure // UNIFORMS_PER_BLOCK
            if kinds[measure] != NOT_SIMULATED:
                if which != drawn:
                    when = FIRST_YEAR + year
                    fill_uniforms(u, block + which, number, base, when, draw.number, draw.key, 0, n)
                    drawn = which
                normal_scores(u[measure % UNIFORMS_PER_BLOCK], areas.specific[year, measure], n)


class SharedParts(NamedTuple):
    """What the practices of a batch share (workspace, `BATCH_SLOTS` practices).

    Only practices of clinicians who are ever measured are here: a roster's first, then the others by the last
    year in which any of theirs is measured. So those that are done with collect at the front, and each year
    works on the practices from a mark on (`Batch` says the same of clinicians).
    """

    first: (
        np.ndarray
    )  # int64 (1,): index in `Practices` of the batch's first one, with clinicians here or not
    n: np.ndarray  # int64 (1,): practices
    roster: np.ndarray  # int64 (1,): the first so many are a roster's
    finished: np.ndarray  # int64 (YEARS,): the first so many are done with before a year; 0 with a roster
    practice: np.ndarray  # int64 (BATCH_SLOTS,): index in `Practices`
    number: np.ndarray  # int64 (BATCH_SLOTS,): in counter words
    base: np.ndarray  # int64 (BATCH_SLOTS,): counter word
    area: np.ndarray  # uint64 (BATCH_SLOTS,)
    region: np.ndarray  # int64 (BATCH_SLOTS,)
    aco: np.ndarray  # int64 (BATCH_SLOTS,): 1 in an accountable care organization
    size_class: np.ndarray  # int64 (BATCH_SLOTS,): solo, small, large
    first_slot: np.ndarray  # int64 (BATCH_SLOTS,)
    hcc: np.ndarray  # float64 (BATCH_SLOTS,): shared part of the normal score of the HCC risk score
    dual: np.ndarray  # float64 (BATCH_SLOTS,): of what dual share has beside HCC
    # Shared parts, AR(1).
    general: np.ndarray  # float64 (BATCH_SLOTS,)
    cost: np.ndarray  # float64 (BATCH_SLOTS,)
    part_b: np.ndarray  # float64 (BATCH_SLOTS,)
    nonreporting: np.ndarray  # float64 (BATCH_SLOTS,)
    specific: np.ndarray  # float64 (MOST_MEASURES, BATCH_SLOTS)
    submission: np.ndarray  # float64 (MOST_MEASURES, BATCH_SLOTS)
    # Habits that a practice has as a whole, AR(1), and what they lead to in the year.
    improvement: np.ndarray  # float64 (BATCH_SLOTS,)
    interoperability: np.ndarray  # float64 (BATCH_SLOTS,)
    activities: np.ndarray  # float64 (BATCH_SLOTS,): attested
    points: np.ndarray  # float64 (BATCH_SLOTS,): promoting interoperability
    all_activities: np.ndarray  # float64 (BATCH_SLOTS,): 1 from when nothing is lacking any more, else 0
    all_points: np.ndarray  # float64 (BATCH_SLOTS,)
    # How MIPS would look at the practice, see `Practices`, and the normal score of its MIPS score.
    mips_group: np.ndarray  # int64 (BATCH_SLOTS,)
    mips_qualifying: np.ndarray  # int64 (BATCH_SLOTS,)
    mips_table: np.ndarray  # uint64 (BATCH_SLOTS,): where its class's scores begin in `Batch.tables`
    mips_permanent: np.ndarray  # float64 (BATCH_SLOTS,): what stays of it beside quality and conduct
    mips: np.ndarray  # float64 (BATCH_SLOTS,)
    # Scratch.
    uniforms: np.ndarray  # float64 (UNIFORMS_PER_BLOCK, BATCH_SLOTS)
    scores: np.ndarray  # float64 (2, BATCH_SLOTS)
    last: np.ndarray  # int64 (BATCH_SLOTS,): last measured year, by order in the cohort
    place: np.ndarray  # int64 (BATCH_SLOTS,): here, by order in the cohort


def make_shared_parts() -> SharedParts:
    """Allocate what the practices of a batch share."""
    whole = (
        "first",
        "n",
        "roster",
        "finished",
        "practice",
        "number",
        "base",
        "area",
        "region",
        "aco",
        "mips_group",
        "mips_qualifying",
        "size_class",
        "first_slot",
    )
    more = ("last", "place")
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(("first", "n", "roster"), (1,)),
        **dict.fromkeys(("specific", "submission"), (MOST_MEASURES, BATCH_SLOTS)),
        "finished": (YEARS,),
        "uniforms": (UNIFORMS_PER_BLOCK, BATCH_SLOTS),
        "scores": (2, BATCH_SLOTS),
    }
    types: dict[str, type] = dict.fromkeys((*whole, *more), np.int64)
    # An unsigned index needs no check for counting from the end.
    types |= dict.fromkeys(("area", "mips_table"), np.uint64)
    arrays: dict[str, np.ndarray] = {
        name: np.zeros(shapes.get(name, (BATCH_SLOTS,)), types.get(name, np.float64))
        for name in SharedParts._fields
    }
    return SharedParts(**arrays)


@inline
def own_weight(population: np.record, shared: int) -> float:
    """Weight of one's own part of a normal score: ``sqrt(1 - a - p)``."""
    return math.sqrt(max(1.0 - population.area_share[shared] - population.practice_share[shared], 0.0))


@inner
def _advance_shared(
    population: np.record,
    shared: int,
    uniform: np.ndarray,
    area_score: np.ndarray,
    area: np.ndarray,
    persistence: float,
    state: np.ndarray,
    scores: np.ndarray,
    n: int,
) -> None:
    """Advance the shared part of n practices by a year, or with a persistence of 0 start it.

    The year adds ``sqrt(a) A + sqrt(p) P`` of scores of area and practice.
    """
    arguments, around = scores[0], scores[1]
    score_arguments(uniform, arguments, n)
    take(area_score, area, around, n)
    new = math.sqrt(1.0 - persistence * persistence)
    practice_weight = math.sqrt(population.practice_share[shared])
    area_weight = math.sqrt(population.area_share[shared])
    for i in range(n):
        score = score_from(uniform[i], arguments[i])
        score = fma(practice_weight, score, area_weight * around[i])
        state[i] = fma(persistence, state[i], new * score)


@inner
def _advance_habit(
    population: np.record,
    uniform: np.ndarray,
    persistence: float,
    state: np.ndarray,
    scores: np.ndarray,
    n: int,
) -> None:
    """Do so with the shared part of a habit of reporting; areas have none of it."""
    arguments = scores[0]
    score_arguments(uniform, arguments, n)
    new = math.sqrt(1.0 - persistence * persistence)
    weight = math.sqrt(population.practice_share[SHARED_HABITS])
    for i in range(n):
        state[i] = fma(persistence, state[i], new * (weight * score_from(uniform[i], arguments[i])))


@inline
def _start_roster(rows: np.ndarray, row: int, shared: SharedParts, state: np.ndarray) -> None:
    """Start the shared part of a roster's practices from what is known of them."""
    for i in range(shared.roster[0]):
        state[i] = rows[row, shared.practice[i]]


@inner
def select_practices(
    draw: CohortDraw,
    practices: Practices,
    field: Field,
    clinician: np.ndarray,
    rows: int,
    first: int,
    end: int,
    regions: np.ndarray,
    shared: SharedParts,
) -> None:
    """Select the practices of a batch, in the order that `SharedParts` states.

    Parameters
    ----------
    draw : CohortDraw
        What the cohort reads.
    practices : Practices
        The cohort's.
    field : Field
        Whose practices they are.
    clinician : ndarray of int64, shape (at least rows,)
        The batch's clinicians, by row.
    rows : int
        How many.
    first, end : int
        The practices of the batch's slots: index of the first one, and one more than the last one's.
    regions : ndarray of int64, shape (MOST_AREAS,)
        Region of each area.
    shared : SharedParts
        Written.
    """
    width, last, n = end - first, shared.last, 0
    shared.first[0] = first
    last[:width] = -1
    for i in range(rows):
        c = clinician[i]
        at = field.practice[c] - first
        last[at] = max(last[at], field.last[c])
    roster = min(max(draw.prior.practices[draw.cohort] - first, 0), width)
    for at in range(roster):
        # Branchless compaction: written always, kept if the count moves on.
        shared.practice[n] = first + at
        n += last[at] >= 0
    shared.roster[0] = n
    for year in range(YEARS):
        shared.finished[year] = n if roster == 0 else 0
        for at in range(roster, width):
            shared.practice[n] = first + at
            n += last[at] == year
    shared.n[0] = n
    for k in range(n):
        at = shared.practice[k]
        shared.place[at - first] = k
        shared.number[k] = practices.number[at]
        shared.base[k] = practices.base[at]
        shared.area[k] = practices.area[at]
        shared.aco[k] = practices.aco[at]
        shared.mips_group[k] = practices.mips_group[at]
        shared.mips_qualifying[k] = practices.mips_qualifying[at]
        shared.mips_table[k] = (len(SPECIALTIES) + 1 + practices.mips_class[at]) * SCORE_COUNT
        shared.scores[0, k] = practices.mips[at]
        shared.size_class[k] = practices.size_class[at]
        shared.first_slot[k] = practices.first_slot[at]
    for k in range(n):
        shared.region[k] = regions[shared.area[k]]
    normal_scores(shared.scores[0], shared.mips_permanent, n)


@inner
def draw_patients_mix(draw: CohortDraw, roster: RosterScores, areas: AreaScores, shared: SharedParts) -> None:
    """Draw what practices share of their patients' mix."""
    n, u, area = shared.n[0], shared.uniforms, shared.area
    fill_uniforms(u, BLOCK_PRACTICE_MIX, shared.number, shared.base, PERMANENT, draw.number, draw.key, 0, n)
    population, scores = draw.population, shared.scores
    _advance_shared(population, SHARED_PATIENTS, u[LANE_HCC], areas.hcc, area, 0.0, shared.hcc, scores, n)
    _advance_shared(population, SHARED_PATIENTS, u[LANE_DUAL], areas.dual, area, 0.0, shared.dual, scores, n)
    _start_roster(roster.shared, OWN_HCC, shared, shared.hcc)
    _start_roster(roster.shared, OWN_DUAL, shared, shared.dual)


@inner
def share_performance(
    draw: CohortDraw, roster: RosterScores, areas: AreaScores, year: int, shared: SharedParts
) -> None:
    """Advance the shared parts of Part B, and in performance years of quality, cost and silence."""
    population, u, scores, when = draw.population, shared.uniforms, shared.scores, FIRST_YEAR + year
    block, number, base = BLOCK_PRACTICE_PERFORMANCE, shared.number, shared.base
    start, end = shared.finished[max(year - PAYMENT_LAG, 0)], shared.n[0]
    fill_uniforms(u, block, number, base, when, draw.number, draw.key, start, end)
    area, n = shared.area[start:], end - start
    # What is shared is stationary from the first year on.
    kept = population.part_b_shared_persistence if year > 0 else 0.0
    uniform, state = u[LANE_PRACTICE_PART_B, start:], shared.part_b[start:]
    _advance_shared(population, SHARED_PART_B, uniform, areas.part_b[year], area, kept, state, scores, n)
    if year < YEARS:
        start = shared.finished[year]
        area, n = shared.area[start:], end - start
        kept = population.latent_persistence if year > 0 else 0.0
        uniform, state = u[LANE_GENERAL, start:], shared.general[start:]
        _advance_shared(
            population, SHARED_QUALITY, uniform, areas.general[year], area, kept, state, scores, n
        )
        uniform, state = u[LANE_COST, start:], shared.cost[start:]
        _advance_shared(population, SHARED_COST, uniform, areas.cost[year], area, kept, state, scores, n)
        kept = population.habit_persistence if year > 0 else 0.0
        uniform = u[LANE_NONREPORTING, start:]
        _advance_habit(population, uniform, kept, shared.nonreporting[start:], scores, n)
    if year == 0:
        _start_roster(roster.shared, OWN_PART_B, shared, shared.part_b)
        _start_roster(roster.shared, OWN_LATENT + GENERAL, shared, shared.general)
        _start_roster(roster.shared, OWN_LATENT + COST, shared, shared.cost)
        _start_roster(roster.shared_habits, habit_row(NONREPORTING), shared, shared.nonreporting)


@inner
def share_measure(
    draw: CohortDraw,
    roster: RosterScores,
    areas: AreaScores,
    year: int,
    measure: int,
    drawn: bool,
    submitted: bool,
    shared: SharedParts,
) -> None:
    """Advance the shared parts of one measure: specific quality and, of what is `submitted`, submission.

    Two measures have one block of uniforms; `drawn` says that it is there.
    """
    population, u, scores = draw.population, shared.uniforms, shared.scores
    start, end = shared.finished[year], shared.n[0]
    if not drawn:
        block = BLOCK_PRACTICE_MEASURE + _PRACTICE_BLOCKS * draw.cohort + measure // MEASURES_PER_BLOCK
        when, number, base = FIRST_YEAR + year, shared.number, shared.base
        fill_uniforms(u, block, number, base, when, draw.number, draw.key, start, end)
    lane, n = 2 * (measure % MEASURES_PER_BLOCK), end - start
    area, uniform, state = shared.area[start:], u[lane, start:], shared.specific[measure, start:]
    score = areas.specific[year, measure]
    kept = population.latent_persistence if year > 0 else 0.0
    _advance_shared(population, SHARED_QUALITY, uniform, score, area, kept, state, scores, n)
    if submitted:
        uniform, state = u[lane + 1, start:], shared.submission[measure, start:]
        kept = population.habit_persistence if year > 0 else 0.0
        _advance_habit(population, uniform, kept, state, scores, n)
    if year == 0:
        habit = SUBMISSION + measure
        _start_roster(roster.shared, OWN_LATENT + SPECIFIC + measure, shared, shared.specific[measure])
        _start_roster(roster.shared_habits, habit_row(habit), shared, shared.submission[measure])


@inner
def _note_improvement(
    attested: np.ndarray,
    enough: float,
    uniform: np.ndarray,
    probability: float,
    lasting: np.ndarray,
    settled: int,
    n: int,
) -> None:
    """Note who of n practices lacked something in the year before and lacks nothing from this one on."""
    for i in range(settled, n):
        lasting[i] = 0.0
    for i in range(settled):
        better = 1.0 if uniform[i] < probability else 0.0
        better = better if attested[i] < enough else 0.0
        lasting[i] = max(lasting[i], better)


@inner
def share_conduct(draw: CohortDraw, year: int, shared: SharedParts) -> None:
    """Draw a year's improvement activities and promoting interoperability (§§ 512.735, 512.740).

    Both are attested by the practice as a whole. A practice that lacked activities, or interoperability, in
    the year before lacks none from this year on with the probability of `conduct_improvement`. What counts is
    what was attested, never the policy's points: so the field is the same under every policy.
    """
    population, prior, cohort, key = draw.population, draw.prior, draw.cohort, draw.key
    u, number, base = shared.uniforms, shared.number, shared.base
    start, end, block = shared.finished[year], shared.n[0], BLOCK_PRACTICE_CONDUCT
    n, sizes = end - start, shared.size_class[start:]
    improvement, interoperability = shared.improvement[start:], shared.interoperability[start:]
    persistence, settled = population.habit_persistence, n if year > 0 else 0
    fill_uniforms(u, block, number, base, FIRST_YEAR + year, draw.number, key, start, end)
    scores, above = shared.scores[0], shared.scores[1]
    advance(improvement, u[LANE_IMPROVEMENT, start:], persistence, settled, scores, n)
    advance(interoperability, u[LANE_INTEROPERABILITY, start:], persistence, settled, scores, n)
    improve = draw.behavior[year].conduct_improvement
    all_activities, all_points = shared.all_activities[start:], shared.all_points[start:]
    activities, points = shared.activities[start:], shared.points[start:]
    improve = improve if year > 0 else 0.0
    more, better = u[LANE_MORE_IMPROVEMENT, start:], u[LANE_MORE_INTEROPERABILITY, start:]
    _note_improvement(activities, 2.0, more, improve, all_activities, settled, n)
    _note_improvement(points, LEAST_POINTS, better, improve, all_points, settled, n)
    n_roster = shared.roster[0] if year == 0 else 0
    if n_roster > 0:
        slot = shared.first_slot
        fill_uniforms(u, block, number, base, PERMANENT, draw.number, key, 0, n_roster)
        past = u[LANE_IMPROVEMENT]
        start_conduct(prior, cohort, IMPROVEMENT, persistence, slot, past, improvement, n_roster)
        past = u[LANE_INTEROPERABILITY]
        start_conduct(prior, cohort, INTEROPERABILITY, persistence, slot, past, interoperability, n_roster)
    normal_probabilities(interoperability, above, n)
    # Scalars and blends instead of array elements: so the loops become vector instructions.
    none0, none1, none2 = by_size(population.improvement_none_z)
    one0, one1, one2 = by_size(population.improvement_one_z)
    for i in range(n):
        size = sizes[i]
        none, one = (none0, one0) if size == 0 else (none2, one2)
        none, one = (none1, one1) if size == 1 else (none, one)
        attested = 1.0 if improvement[i] >= none else 0.0
        attested = 2.0 if improvement[i] >= one else attested
        activities[i] = 2.0 if all_activities[i] > 0.0 else attested
    low = population.interoperability_low
    zero0, zero1, zero2 = by_size(population.interoperability_zero_z)
    full0, full1, full2 = by_size(population.interoperability_full_z)
    start0, start1, start2 = by_size(population.interoperability_zero_probability)
    slope0, slope1, slope2 = by_size(population.interoperability_slope)
    for i in range(n):
        size = sizes[i]
        zero, full, least, slope = (
            (zero0, full0, start0, slope0) if size == 0 else (zero2, full2, start2, slope2)
        )
        zero, full, least, slope = (zero1, full1, start1, slope1) if size == 1 else (zero, full, least, slope)
        habit = interoperability[i]
        score = low + slope * (above[i] - least)
        score = score if habit < full else 100.0
        score = score if habit >= zero else 0.0
        points[i] = 100.0 if all_points[i] > 0.0 else score
