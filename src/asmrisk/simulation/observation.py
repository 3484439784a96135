"""What CMS observes of the clinicians: Part B, conduct, cost, measures and what of them is reported.

Clinicians are simulated in batches of neighboring slots, each batch through all its years, so that its state
stays in the processor's cache. A clinician's latents advance while it may be measured again, and its Part B
until its last payment year; everything else is drawn for those alone who are measured in the year, in the
order of their positions among the measured, so that observations are written contiguously.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import fma, inline, inner
from asmrisk.numerics.portable_math import quotient
from asmrisk.population.latents import (
    COST,
    GENERAL,
    NONREPORTING,
    NOT_SIMULATED,
    OWN_LATENT,
    OWN_PART_B,
    SHARED_COST,
    SHARED_HABITS,
    SHARED_PART_B,
    SHARED_QUALITY,
    SPECIFIC,
    SUBMISSION,
)
from asmrisk.rule.definitions import CALENDAR, MOST_MEASURES, PAYMENT_LAG, YEARS
from asmrisk.simulation.attributes import draw_attributes
from asmrisk.simulation.batches import (
    advance,
    exponentials,
    interpolate,
    normal_scores,
    score_arguments,
    take,
)
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.keys import (
    BLOCK_CONDUCT,
    BLOCK_MEASURE,
    BLOCK_PERFORMANCE,
    FIRST_YEAR,
    LANE_COST,
    LANE_COST_NOISE,
    LANE_EXEMPT,
    LANE_GENERAL,
    LANE_NONREPORTING,
    LANE_PART_B,
    LANE_SPECIFIC,
    LANE_SUBMISSION,
    fill_uniforms,
)
from asmrisk.simulation.measures import CLAIMS, observe_measure
from asmrisk.simulation.mips import gather_mips, observe_mips
from asmrisk.simulation.normal import score_from
from asmrisk.simulation.participation import Field, slots_per_batch
from asmrisk.simulation.practices import Practices
from asmrisk.simulation.roster_scores import RosterScores
from asmrisk.simulation.shared_parts import (
    MEASURES_PER_BLOCK,
    AreaScores,
    SharedParts,
    draw_patients_mix,
    own_weight,
    select_practices,
    share_conduct,
    share_measure,
    share_performance,
)
from asmrisk.simulation.state import Batch, Measured, Observations, Present

__all__ = ["World", "observe"]


class World(NamedTuple):
    """What surrounds the clinicians of one cohort in one draw (workspace)."""

    practices: Practices
    areas: AreaScores
    shared: SharedParts


@inline
def _start_roster(rows: np.ndarray, row: int, batch: Batch, state: np.ndarray, n_roster: int) -> None:
    """Start own parts of a roster's clinicians from what is known of them."""
    for i in range(n_roster):
        state[i] = rows[row, batch.slot[i]]


@inline
def _draw_part_b(
    draw: CohortDraw, roster: RosterScores, batch: Batch, shared: SharedParts, year: int, present: Present
) -> None:
    """Draw the Part B dollars of a year: AR(1) in the normal score, so that the published shape stays."""
    start, settled, n, n_roster = present.start, present.settled, present.n, present.n_roster
    growth, specialty = draw.behavior[year].part_b_growth, batch.specialty[start:]
    population = draw.population
    share = population.part_b_episode_correlation
    both = population.area_share[SHARED_PART_B] + population.practice_share[SHARED_PART_B]
    rest = math.sqrt(max(1.0 - share * share - both, 0.0))
    practice, common, score = batch.practice[start:], shared.part_b, batch.part_b_score[start:]
    dollars, scores, moving = batch.part_b[year, start:], batch.scores, batch.part_b_moving[start:]
    fixed, persistence = batch.part_b_fixed[start:], batch.part_b_persistence[start:]
    innovation = batch.part_b_innovation[start:]
    table, level = batch.part_b_table[start:], batch.part_b_level[start:]
    uniform = batch.uniforms[LANE_PART_B, start:]
    score_arguments(uniform, scores, n)
    for i in range(settled):
        moving[i] = fma(persistence[i], moving[i], innovation[i] * score_from(uniform[i], scores[i]))
    # Sliced, since an index that does not begin at 0 would be checked for counting from the end.
    started, theirs, arguments = moving[settled:], uniform[settled:], scores[settled:]
    for i in range(n - settled):
        started[i] = score_from(theirs[i], arguments[i])
    _start_roster(roster.own, OWN_PART_B, batch, moving, n_roster)
    for i in range(n):
        dollars[i] = fma(rest, moving[i], fixed[i]) + common[practice[i]]
        score[i] = dollars[i]
    interpolate(batch.tables, table, dollars, batch.interval, n)
    exponentials(dollars, n)
    for i in range(n):
        dollars[i] *= growth[np.uint64(specialty[i])] * level[i]


@inline
def _find_measured(batch: Batch, batch_number: int, field: Field, year: int) -> Measured:
    """Find the batch's measured clinicians of a year, and list their rows."""
    start = field.batch_start[year, batch_number]
    m = field.batch_start[year, batch_number + 1] - start
    member, rows = field.member[year, start:], batch.rows[year]
    for k in range(m):
        # An unsigned index needs no check for counting from the end.
        rows[k] = field.row[np.uint32(member[k])]
    for k in range(m):
        batch.practices[k] = batch.practice[rows[k]]
    return Measured(year, start, m)


@inline
def _write_part_b(
    behavior: np.record, batch: Batch, batch_number: int, field: Field, year: int, out: Observations
) -> None:
    """Write what the batch's measured clinicians of a year are paid in it and two years later.

    Where allowed amounts count instead, these.
    """
    start = field.batch_start[year, batch_number]
    m = field.batch_start[year, batch_number + 1] - start
    rows, member = batch.rows[year], field.member[year, start:]
    now, later = out.part_b_payments[year, start:], out.part_b_before_offset[year, start:]
    take(batch.part_b[year], rows, now, m)
    take(batch.part_b[year + PAYMENT_LAG], rows, later, m)
    for k in range(m):
        # Read in any case: what is read only sometimes makes a branch.
        paid = later[k]
        later[k] = paid if field.leaves[np.uint32(member[k])] > year + PAYMENT_LAG else 0.0
    if behavior.part_b_allowed != 0:
        for k in range(m):
            allowed = behavior.allowed_over_paid[batch.specialty[rows[k]]]
            now[k] *= allowed
            later[k] *= allowed


@inline
def _write_attributes(
    draw: CohortDraw,
    shared: SharedParts,
    batch: Batch,
    measured: Measured,
    n_roster: int,
    out: Observations,
) -> None:
    """Write the attributes of the measured clinicians, where they work, and who of them is exempt.

    Of the first `n_roster` rows of the batch what is known takes the place of what is drawn.
    """
    year, start, m = measured.year, measured.start, measured.n
    exempt_share, told = draw.behavior[year].exempt_share[draw.cohort], draw.prior.exempt[draw.cohort]
    specialty, practice_size = out.specialty[year, start:], out.practice_size[year, start:]
    exempt, region, aco = out.exempt[year, start:], out.region[year, start:], out.aco[year, start:]
    rows, practice, area = batch.rows[year], out.practice[year, start:], out.area[year, start:]
    take(batch.hcc_risk_score, rows, out.hcc_risk_score[year, start:], m)
    take(batch.dual_share, rows, out.dual_share[year, start:], m)
    for k in range(m):
        specialty[k] = batch.specialty[rows[k]]
        practice_size[k] = batch.practice_size[rows[k]]
        exempt[k] = 1 if batch.uniforms[LANE_EXEMPT, rows[k]] < exempt_share else 0
    for k in range(m):
        # The roster's come first, as their slots do.
        if rows[k] >= n_roster:
            break
        known = told[batch.slot[rows[k]]]
        exempt[k] = known if known >= 0 else exempt[k]
    for k in range(m):
        practice[k] = shared.practice[batch.practices[k]]
        area[k] = shared.area[batch.practices[k]]
        region[k] = shared.region[batch.practices[k]]
        aco[k] = shared.aco[batch.practices[k]]


@inline
def _write_conduct(shared: SharedParts, batch: Batch, measured: Measured, out: Observations) -> None:
    """Write improvement activities and promoting interoperability, which are the practice's."""
    year, start, m = measured.year, measured.start, measured.n
    activities = out.improvement_activities[year, start:]
    take(shared.points, batch.practices, out.promoting_interoperability[year, start:], m)
    for k in range(m):
        activities[k] = int(shared.activities[batch.practices[k]])


@inline
def _write_cost(
    population: np.record,
    trend: float,
    batch: Batch,
    shared: SharedParts,
    field: Field,
    measured: Measured,
    out: Observations,
) -> None:
    """Write episodes and cost per episode: exp of a skewed true part plus noise of variance v/n."""
    year, start, m = measured.year, measured.start, measured.n
    rows, count = batch.rows[year], batch.counts
    true, noise, uniform = batch.scratch[0], batch.scratch[1], batch.scratch[2]
    member, drawn = field.member[year, start:], field.episodes[year + PAYMENT_LAG]
    episodes, cost = out.episodes[year, start:], out.cost_before_response[year, start:]
    level = out.true_cost[year, start:]
    own, rest = own_weight(population, SHARED_COST), population.cost_rest
    to_quality, to_part_b = population.cost_quality, population.cost_part_b
    for k in range(m):
        episodes[k] = drawn[np.uint32(member[k])]
    for k in range(m):
        count[k] = episodes[k]
    of_noise, own_scores, common, at = (
        batch.uniforms[LANE_COST_NOISE],
        batch.cost,
        shared.cost,
        batch.practices,
    )
    for k in range(m):
        i = rows[k]
        uniform[k] = of_noise[i]
        # Better quality goes with lower cost.
        score = fma(rest, fma(own, own_scores[i], common[at[k]]), -to_quality * batch.quality[k])
        true[k] = score + fma(to_part_b, batch.part_b_score[i], batch.cost_shift[i])
    interpolate(batch.tables, batch.cost_table, true, batch.interval, m)
    spread, variance = population.cost_spread, population.cost_noise_variance
    for k in range(m):
        true[k] *= spread
    normal_scores(uniform, noise, m)
    for k in range(m):
        noise[k] *= math.sqrt(quotient(variance, max(count[k], 1.0)))
    exponentials(true, m)
    exponentials(noise, m)
    for k in range(m):
        level[k] = population.cost_scale_usd * trend * true[k]
        cost[k] = level[k] * noise[k] if count[k] > 0.0 else np.nan


@inline
def simulate_year(
    draw: CohortDraw,
    world: World,
    batch: Batch,
    batch_number: int,
    field: Field,
    year: int,
    present: Present,
    out: Observations,
) -> None:
    """Simulate the rows of a batch that are present in a performance year, and write what is observed.

    On entry the batch's uniforms are those of `BLOCK_CONDUCT`; each later block overwrites the one before, so
    everything that is drawn from a block is drawn before the next one. Shared parts and latents of all rows
    present advance, and a roster's start from the prior in the first year, before any measured clinician's
    are read.
    """
    population, cohort, key = draw.population, draw.cohort, draw.key
    now, shared, areas, roster = draw.behavior[year], world.shared, world.areas, world.practices.roster
    u = batch.uniforms
    number, base = batch.number, batch.base
    scores = batch.scores
    start, settled, n, n_roster = present.start, present.settled, present.n, present.n_roster
    latent, persistence = population.latent_persistence, population.habit_persistence
    own_quality, own_habit = own_weight(population, SHARED_QUALITY), own_weight(population, SHARED_HABITS)
    end, when = start + n, FIRST_YEAR + year
    measured = _find_measured(batch, batch_number, field, year)
    _write_attributes(draw, shared, batch, measured, n_roster, out)
    gather_mips(batch, measured)
    share_conduct(draw, year, shared)
    _write_conduct(shared, batch, measured, out)

    general, cost, nonreporting = batch.general[start:], batch.cost[start:], batch.nonreporting[start:]
    fill_uniforms(u, BLOCK_PERFORMANCE, number, base, when, draw.number, key, start, end)
    advance(general, u[LANE_GENERAL, start:], latent, settled, scores, n)
    advance(cost, u[LANE_COST, start:], latent, settled, scores, n)
    advance(nonreporting, u[LANE_NONREPORTING, start:], persistence, settled, scores, n)
    _start_roster(roster.own, OWN_LATENT + GENERAL, batch, general, n_roster)
    _start_roster(roster.own, OWN_LATENT + COST, batch, cost, n_roster)
    _start_roster(roster.habits, NONREPORTING, batch, nonreporting, n_roster)
    rows, learning = batch.rows[year], now.quality_learning[cohort]
    for k in range(measured.n):
        i, at = rows[k], batch.practices[k]
        batch.quality[k] = fma(own_quality, batch.general[i], shared.general[at])
        batch.reporting[k] = fma(own_habit, batch.nonreporting[i], shared.nonreporting[at])
    for k in range(measured.n):
        i = rows[k]
        batch.shift[k] = batch.quality_shift[i] + learning
        batch.choice[k] = batch.collection_type[i]
        batch.nonreporter[k] = batch.reporting[k] < batch.nonreporting_limit[i]
    observe_mips(draw, year, batch, shared, measured, out)
    _write_cost(population, now.cost_trend, batch, shared, field, measured, out)

    drawn = -1
    for measure in range(MOST_MEASURES):
        block = BLOCK_MEASURE + measure
        if population.measure_kind[measure] == NOT_SIMULATED:
            continue
        # Nobody submits what CMS computes.
        submitted = population.measure_collection_type[measure] != CLAIMS
        ready = drawn == measure // MEASURES_PER_BLOCK
        share_measure(draw, roster, areas, year, measure, ready, submitted, shared)
        drawn = measure // MEASURES_PER_BLOCK
        specific, submission = batch.specific[measure, start:], batch.submission[measure, start:]
        fill_uniforms(u, block, number, base, when, draw.number, key, start, end)
        advance(specific, u[LANE_SPECIFIC, start:], latent, settled, scores, n)
        _start_roster(roster.own, OWN_LATENT + SPECIFIC + measure, batch, specific, n_roster)
        if submitted:
            advance(submission, u[LANE_SUBMISSION, start:], persistence, settled, scores, n)
            _start_roster(roster.habits, SUBMISSION + measure, batch, submission, n_roster)
        observe_measure(population, batch, shared, measured, measure, out)


@inline
def simulate_batch(
    draw: CohortDraw, world: World, batch: Batch, batch_number: int, field: Field, out: Observations
) -> None:
    """Simulate the clinicians of a batch, filled by `_fill_batch`, through the calendar.

    Two marks move through the rows of the first year, year by year: rows before ``unpaid`` are past their
    last payment year and need no Part B any more, rows before ``unfinished`` are past their last measured
    year. So ``unpaid <= unfinished``, and each year simulates a contiguous range of rows: Part B from
    ``unpaid`` on, everything else from ``unfinished`` on, both up to the last row that has entered. Within it
    the rows that were there the year before (`Present.settled`) come first, as rows enter at the end.

    What a measured clinician is paid is written when its payment year has been drawn, `PAYMENT_LAG` years
    later, from ``batch.part_b`` and the rows that the measured year has left in ``batch.rows``.
    """
    u, number, base = batch.uniforms, batch.number, batch.base
    clinician, entered = batch.clinician, batch.entered
    practices, areas, shared = world.practices, world.areas, world.shared
    n_roster = 0
    while n_roster < entered[0] and field.slot[clinician[n_roster]] < draw.prior.clinicians[draw.cohort]:
        n_roster += 1
    draw_patients_mix(draw, practices.roster, areas, shared)
    draw_attributes(draw, practices, shared, field, batch, entered[YEARS - 1], n_roster)
    unpaid, unfinished = 0, 0
    for year in range(CALENDAR):
        while unpaid < entered[0] and field.last[clinician[unpaid]] + PAYMENT_LAG < year:
            unpaid += 1
        while unfinished < entered[0] and field.last[clinician[unfinished]] < year:
            unfinished += 1
        # Nobody enters after the last performance year.
        entered_before = entered[min(year, YEARS) - 1] if year > 0 else 0
        end = entered[min(year, YEARS - 1)]
        n_roster = n_roster if year == 0 else 0
        share_performance(draw, practices.roster, areas, year, shared)
        # One lane is Part B's; the others wait for `simulate_year`.
        fill_uniforms(u, BLOCK_CONDUCT, number, base, FIRST_YEAR + year, draw.number, draw.key, unpaid, end)
        present = Present(unpaid, entered_before - unpaid, end - unpaid, n_roster)
        _draw_part_b(draw, practices.roster, batch, shared, year, present)
        if year >= PAYMENT_LAG:
            _write_part_b(draw.behavior[year], batch, batch_number, field, year - PAYMENT_LAG, out)
        if year < YEARS:
            present = Present(unfinished, entered_before - unfinished, end - unfinished, n_roster)
            simulate_year(draw, world, batch, batch_number, field, year, present, out)


@inline
def _fill_batch(draw: CohortDraw, world: World, batch: Batch, batch_number: int, field: Field) -> None:
    """Fill a batch with the clinicians of its slots who are ever measured, in the order that `Batch` states.

    Batches must be filled one after the other: ``field.next_entrant`` keeps, for each year of entry, who is
    the first that no batch holds yet.
    """
    slots = draw.population.slots
    width = slots_per_batch(slots)
    start = batch_number * width
    stop = min(start + width, slots)
    clinician, last = batch.clinician, field.last
    # Those of the first year are numbered by their slots.
    roster_stop = min(max(draw.prior.clinicians[draw.cohort], start), stop)
    count = 0
    for year in range(YEARS):
        for c in range(start, roster_stop):
            # Branchless compaction: written always, kept if the count moves on.
            clinician[count] = c
            count += last[c] == year
    for year in range(YEARS):
        for c in range(roster_stop, stop):
            clinician[count] = c
            count += last[c] == year
    batch.entered[0] = count
    for entry in range(1, YEARS):
        c = field.next_entrant[entry]
        while c < field.entry_start[entry + 1] and field.slot[c] < stop:
            clinician[count] = c
            count += last[c] >= 0
            c += 1
        field.next_entrant[entry] = c
        batch.entered[entry] = count
    for i in range(count):
        field.row[clinician[i]] = i
    # Those of the first year are numbered by their slots, and practices follow the slots.
    first, end = field.practice[start], field.practice[stop - 1] + 1
    regions = world.areas.region
    select_practices(draw, world.practices, field, clinician, count, first, end, regions, world.shared)


@inner
def observe(draw: CohortDraw, world: World, field: Field, batch: Batch, out: Observations) -> None:
    """Write what is observed of every measured clinician of a cohort in every performance year of a draw.

    The field and its practices are those of `enroll`; `out` is written up to ``field.participants[year]`` in
    each year.
    """
    population = draw.population
    # Copied, since a field of a record is slow to read at scattered places.
    length = len(population.cost_log_shape)
    for k in range(length):
        batch.tables[k] = population.cost_log_shape[k]
        for specialty in range(len(population.part_b_log_shape)):
            batch.tables[(specialty + 1) * length + k] = population.part_b_log_shape[specialty, k]
        for group in range(len(population.mips_score)):
            at = len(population.part_b_log_shape) + 1 + group
            batch.tables[at * length + k] = population.mips_score[group, k]
    for entry in range(1, YEARS):
        field.next_entrant[entry] = field.entry_start[entry]
    slots = population.slots
    width = slots_per_batch(slots)
    for batch_number in range((slots + width - 1) // width):
        _fill_batch(draw, world, batch, batch_number, field)
        simulate_batch(draw, world, batch, batch_number, field, out)
