"""What CMS observes of the clinicians: Part B, conduct, cost, measures and what of them is reported.

Clinicians are simulated in batches of neighboring slots, each batch through all its years, so that its state
stays in the processor's cache. A clinician's latents advance while it may be measured again, and its Part B
until its last payment year; everything else is drawn for those alone who are measured in the year, in the
order of their positions among the measured, so that observations are written contiguously.
"""

from __future__ import annotations

import math

import numpy as np

from asmrisk.numerics.jit import fma, inline, inner
from asmrisk.population.latents import (
    COST,
    GENERAL,
    IMPROVEMENT,
    INTEROPERABILITY,
    NONREPORTING,
    NOT_SIMULATED,
    SPECIFIC,
    SUBMISSION,
)
from asmrisk.population.quantiles import SCORE_COUNT, SCORE_LIMIT, SCORE_STEP
from asmrisk.rule.definitions import CALENDAR, MOST_MEASURES, PAYMENT_LAG, YEARS
from asmrisk.simulation.attributes import draw_attributes
from asmrisk.simulation.batches import advance, exponentials, normal_probabilities, normal_scores, take
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.keys import (
    BLOCK_CONDUCT,
    BLOCK_MEASURE,
    BLOCK_PERFORMANCE,
    LANE_COST,
    LANE_COST_NOISE,
    LANE_EXEMPT,
    LANE_GENERAL,
    LANE_IMPROVEMENT,
    LANE_INTEROPERABILITY,
    LANE_NONREPORTING,
    LANE_PART_B,
    LANE_SPECIFIC,
    LANE_SUBMISSION,
    PERMANENT,
    fill_uniforms,
)
from asmrisk.simulation.measures import observe_measure
from asmrisk.simulation.participation import FIRST_YEAR, Field, slots_per_batch
from asmrisk.simulation.roster_prior import part_b_score, start_habit, start_state
from asmrisk.simulation.state import Batch, Measured, Observations, Present

__all__ = ["observe"]

#: Tables over the normal score: intervals for each unit of it, where they begin, and the last interval.
INTERVALS_PER_UNIT, LEAST_SCORE, LAST_INTERVAL = 1.0 / SCORE_STEP, -SCORE_LIMIT, float(SCORE_COUNT - 2)


@inner
def _interpolate(
    tables: np.ndarray, first: np.ndarray, score: np.ndarray, interval: np.ndarray, n: int
) -> None:
    """Replace n normal scores, in place, by what tables over them say, linearly.

    Each table covers -6.5 to 6.5 by sixteenths and begins at `first`; `interval` is scratch.
    """
    # In two loops: the first is vectorized, which the look-ups of the second cannot be.
    for i in range(n):
        at = (score[i] - LEAST_SCORE) * INTERVALS_PER_UNIT
        at = 0.0 if at < 0.0 else at
        at = LAST_INTERVAL if at > LAST_INTERVAL else at
        # An unsigned index needs no check for counting from the end.
        interval[i] = np.uint64(at)
        score[i] = at - interval[i]
    for i in range(n):
        knot = first[i] + interval[i]
        value = tables[knot]
        score[i] = value + score[i] * (tables[knot + np.uint64(1)] - value)


@inline
def _draw_part_b(draw: CohortDraw, batch: Batch, year: int, present: Present) -> None:
    """Draw the Part B dollars of a year: AR(1) in the normal score, so that the published shape stays."""
    start, settled, n, n_roster = present.start, present.settled, present.n, present.n_roster
    growth, specialty = draw.behavior[year].part_b_growth, batch.specialty[start:]
    share = draw.population.part_b_episode_correlation
    rest = math.sqrt(1.0 - share * share)
    dollars, scores, moving = batch.part_b[year, start:], batch.scores, batch.part_b_moving[start:]
    fixed, persistence = batch.part_b_fixed[start:], batch.part_b_persistence[start:]
    innovation = batch.part_b_innovation[start:]
    table, level = batch.part_b_table[start:], batch.part_b_level[start:]
    normal_scores(batch.uniforms[LANE_PART_B, start:], scores, n)
    for i in range(settled):
        moving[i] = fma(persistence[i], moving[i], innovation[i] * scores[i])
    for i in range(settled, n):
        moving[i] = scores[i]
    for i in range(n_roster):
        moving[i] = part_b_score(
            draw.prior, draw.cohort, batch.slot[i], share, fixed[i], persistence[i], moving[i]
        )
    for i in range(n):
        dollars[i] = fma(rest, moving[i], fixed[i])
    _interpolate(batch.tables, table, dollars, batch.interval, n)
    exponentials(dollars, n)
    for i in range(n):
        dollars[i] *= growth[specialty[i]] * level[i]


@inline
def _find_measured(batch: Batch, batch_number: int, field: Field, year: int) -> Measured:
    """Find the batch's measured clinicians of a year, and list their rows."""
    start = field.batch_start[year, batch_number]
    m = field.batch_start[year, batch_number + 1] - start
    member, rows = field.member[year, start:], batch.rows[year]
    for k in range(m):
        rows[k] = field.row[member[k]]
    return Measured(year, start, m)


@inline
def _write_part_b(batch: Batch, batch_number: int, field: Field, year: int, out: Observations) -> None:
    """Write what the batch's measured clinicians of a year are paid in it and two years later."""
    start = field.batch_start[year, batch_number]
    m = field.batch_start[year, batch_number + 1] - start
    rows, member = batch.rows[year], field.member[year, start:]
    now, later = out.part_b_payments[year, start:], out.payment_year_part_b[year, start:]
    take(batch.part_b[year], rows, now, m)
    take(batch.part_b[year + PAYMENT_LAG], rows, later, m)
    for k in range(m):
        later[k] = later[k] if field.leaves[member[k]] > year + PAYMENT_LAG else 0.0


@inline
def _write_attributes(exempt_share: float, batch: Batch, measured: Measured, out: Observations) -> None:
    """Write the attributes of the measured clinicians, and who of them is exempt."""
    year, start, m = measured.year, measured.start, measured.n
    specialty, practice_size = out.specialty[year, start:], out.practice_size[year, start:]
    exempt = out.exempt[year, start:]
    rows = batch.rows[year]
    take(batch.hcc_risk_score, rows, out.hcc_risk_score[year, start:], m)
    take(batch.dual_share, rows, out.dual_share[year, start:], m)
    for k in range(m):
        specialty[k] = batch.specialty[rows[k]]
        practice_size[k] = batch.practice_size[rows[k]]
        exempt[k] = 1 if batch.uniforms[LANE_EXEMPT, rows[k]] < exempt_share else 0


@inline
def _by_size(values: np.ndarray) -> tuple[float, float, float]:
    """Give the values of solo, small and large practices."""
    return values[0], values[1], values[2]


@inline
def _write_conduct(population: np.record, batch: Batch, measured: Measured, out: Observations) -> None:
    """Write improvement activities and promoting interoperability from the habits (§§ 512.735, 512.740)."""
    year, start, m = measured.year, measured.start, measured.n
    rows, sizes = batch.rows[year], batch.measured_size_class
    improvement, interoperability, above = batch.scratch[0], batch.scratch[1], batch.scratch[2]
    activities = out.improvement_activities[year, start:]
    points = out.promoting_interoperability[year, start:]
    take(batch.improvement, rows, improvement, m)
    take(batch.interoperability, rows, interoperability, m)
    for k in range(m):
        sizes[k] = batch.size_class[rows[k]]
        above[k] = interoperability[k]
    normal_probabilities(above, m)
    # Scalars and blends instead of array elements: so the loops become vector instructions.
    none0, none1, none2 = _by_size(population.improvement_none_z)
    one0, one1, one2 = _by_size(population.improvement_one_z)
    for k in range(m):
        size = sizes[k]
        none, one = (none0, one0) if size == 0 else (none2, one2)
        none, one = (none1, one1) if size == 1 else (none, one)
        some = improvement[k] >= none
        activities[k] = int(some) + int(some & (improvement[k] >= one))
    low = population.interoperability_low
    zero0, zero1, zero2 = _by_size(population.interoperability_zero_z)
    full0, full1, full2 = _by_size(population.interoperability_full_z)
    start0, start1, start2 = _by_size(population.interoperability_zero_probability)
    slope0, slope1, slope2 = _by_size(population.interoperability_slope)
    for k in range(m):
        size = sizes[k]
        zero, full, least, slope = (
            (zero0, full0, start0, slope0) if size == 0 else (zero2, full2, start2, slope2)
        )
        zero, full, least, slope = (zero1, full1, start1, slope1) if size == 1 else (zero, full, least, slope)
        habit = interoperability[k]
        score = low + slope * (above[k] - least)
        score = score if habit < full else 100.0
        points[k] = score if habit >= zero else 0.0


@inline
def _write_cost(
    population: np.record, trend: float, batch: Batch, field: Field, measured: Measured, out: Observations
) -> None:
    """Write episodes and cost per episode: exp of a skewed true part plus noise of variance v/n."""
    year, start, m = measured.year, measured.start, measured.n
    rows, count = batch.rows[year], batch.counts
    true, noise, uniform = batch.scratch[0], batch.scratch[1], batch.scratch[2]
    member, drawn = field.member[year, start:], field.episodes[year + PAYMENT_LAG]
    episodes, cost = out.episodes[year, start:], out.cost_per_episode[year, start:]
    level = out.true_cost[year, start:]
    correlation = population.cost_quality_correlation
    rest = math.sqrt(1.0 - correlation * correlation)
    for k in range(m):
        episodes[k] = drawn[member[k]]
        count[k] = episodes[k]
    take(batch.cost, rows, true, m)
    take(batch.uniforms[LANE_COST_NOISE], rows, uniform, m)
    for k in range(m):
        # Better quality goes with lower cost.
        true[k] = rest * true[k] - correlation * batch.quality[k]
    _interpolate(batch.tables, batch.cost_table, true, batch.interval, m)
    spread = population.cost_spread
    for k in range(m):
        true[k] *= spread
    normal_scores(uniform, noise, m)
    for k in range(m):
        noise[k] *= math.sqrt(population.cost_noise_variance / max(count[k], 1.0))
    exponentials(true, m)
    exponentials(noise, m)
    for k in range(m):
        level[k] = population.cost_scale_usd * trend * true[k]
        cost[k] = level[k] * noise[k] if count[k] > 0.0 else np.nan


@inline
def simulate_year(
    draw: CohortDraw,
    batch: Batch,
    batch_number: int,
    field: Field,
    year: int,
    present: Present,
    out: Observations,
) -> None:
    """Simulate the rows of a batch that are present in a performance year, and write what is observed.

    On entry the batch's uniforms are those of `BLOCK_CONDUCT`; each later block overwrites the one before, so
    everything that is drawn from a block is drawn before the next one. Latents of all rows present advance,
    and a roster's start from the prior in the first year, before any measured clinician's are read.
    """
    population, prior, cohort, key = draw.population, draw.prior, draw.cohort, draw.key
    now = draw.behavior[year]
    u, past, slot, base = batch.uniforms, batch.roster_uniforms, batch.slot, batch.base
    scores, scratch = batch.scores, batch.scratch
    start, settled, n, n_roster = present.start, present.settled, present.n, present.n_roster
    latent, persistence = population.latent_persistence, population.habit_persistence
    end, when = start + n, FIRST_YEAR + year
    measured = _find_measured(batch, batch_number, field, year)
    _write_attributes(now.exempt_share[cohort], batch, measured, out)

    improvement, interoperability = batch.improvement[start:], batch.interoperability[start:]
    advance(improvement, u[LANE_IMPROVEMENT, start:], persistence, settled, scores, n)
    advance(interoperability, u[LANE_INTEROPERABILITY, start:], persistence, settled, scores, n)
    if n_roster > 0:
        fill_uniforms(past, BLOCK_CONDUCT, slot, base, PERMANENT, draw.number, key, 0, n_roster)
        start_habit(
            prior,
            cohort,
            IMPROVEMENT,
            persistence,
            slot,
            past[LANE_IMPROVEMENT],
            improvement,
            scratch,
            n_roster,
        )
        start_habit(
            prior,
            cohort,
            INTEROPERABILITY,
            persistence,
            slot,
            past[LANE_INTEROPERABILITY],
            interoperability,
            scratch,
            n_roster,
        )
    _write_conduct(population, batch, measured, out)

    general, cost, nonreporting = batch.general[start:], batch.cost[start:], batch.nonreporting[start:]
    fill_uniforms(u, BLOCK_PERFORMANCE, slot, base, when, draw.number, key, start, end)
    advance(general, u[LANE_GENERAL, start:], latent, settled, scores, n)
    advance(cost, u[LANE_COST, start:], latent, settled, scores, n)
    advance(nonreporting, u[LANE_NONREPORTING, start:], persistence, settled, scores, n)
    if n_roster > 0:
        fill_uniforms(past, BLOCK_PERFORMANCE, slot, base, PERMANENT, draw.number, key, 0, n_roster)
        start_state(prior, cohort, GENERAL, slot, batch.innovations, general, n_roster)
        start_state(prior, cohort, COST, slot, batch.innovations, cost, n_roster)
        start_habit(
            prior,
            cohort,
            NONREPORTING,
            persistence,
            slot,
            past[LANE_NONREPORTING],
            nonreporting,
            scratch,
            n_roster,
        )
    rows = batch.rows[year]
    for k in range(measured.n):
        i = rows[k]
        batch.quality[k] = batch.general[i]
        batch.choice[k] = batch.collection_type[i]
        batch.nonreporter[k] = batch.nonreporting[i] < batch.nonreporting_limit[i]
    _write_cost(population, now.cost_trend, batch, field, measured, out)

    for measure in range(MOST_MEASURES):
        block, state = BLOCK_MEASURE + measure, SPECIFIC + measure
        if population.measure_kind[measure] == NOT_SIMULATED:
            # A roster's other states may be correlated with this one: its innovation is needed all the same.
            fill_uniforms(u, block, slot, base, when, draw.number, key, 0, n_roster)
            normal_scores(u[LANE_SPECIFIC], batch.innovations[state], n_roster)
            continue
        specific, submission = batch.specific[measure, start:], batch.submission[measure, start:]
        fill_uniforms(u, block, slot, base, when, draw.number, key, start, end)
        advance(specific, u[LANE_SPECIFIC, start:], latent, settled, scores, n)
        advance(submission, u[LANE_SUBMISSION, start:], persistence, settled, scores, n)
        if n_roster > 0:
            habit = SUBMISSION + measure
            fill_uniforms(past, block, slot, base, PERMANENT, draw.number, key, 0, n_roster)
            start_state(prior, cohort, state, slot, batch.innovations, specific, n_roster)
            start_habit(
                prior, cohort, habit, persistence, slot, past[LANE_SUBMISSION], submission, scratch, n_roster
            )
        observe_measure(population, now.quality_learning[cohort], batch, measured, measure, out)


@inline
def simulate_batch(
    draw: CohortDraw, batch: Batch, batch_number: int, field: Field, out: Observations
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
    u, slot, base = batch.uniforms, batch.slot, batch.base
    clinician, entered = batch.clinician, batch.entered
    n_roster = 0
    while n_roster < entered[0] and field.slot[clinician[n_roster]] < draw.prior.clinicians[draw.cohort]:
        n_roster += 1
    draw_attributes(draw, field, batch, entered[YEARS - 1], n_roster)
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
        # One lane is Part B's; the others wait for `simulate_year`.
        fill_uniforms(u, BLOCK_CONDUCT, slot, base, FIRST_YEAR + year, draw.number, draw.key, unpaid, end)
        _draw_part_b(draw, batch, year, Present(unpaid, entered_before - unpaid, end - unpaid, n_roster))
        if year >= PAYMENT_LAG:
            _write_part_b(batch, batch_number, field, year - PAYMENT_LAG, out)
        if year < YEARS:
            present = Present(unfinished, entered_before - unfinished, end - unfinished, n_roster)
            simulate_year(draw, batch, batch_number, field, year, present, out)


@inline
def _fill_batch(draw: CohortDraw, batch: Batch, batch_number: int, field: Field) -> None:
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


@inner
def observe(draw: CohortDraw, field: Field, batch: Batch, out: Observations) -> None:
    """Write what is observed of every measured clinician of a cohort in every performance year of a draw.

    The field is that of `enroll`; `out` is written up to ``field.participants[year]`` in each year.
    """
    population = draw.population
    # Copied, since a field of a record is slow to read at scattered places.
    length = len(population.cost_log_shape)
    for k in range(length):
        batch.tables[k] = population.cost_log_shape[k]
        for specialty in range(len(population.part_b_log_shape)):
            batch.tables[(specialty + 1) * length + k] = population.part_b_log_shape[specialty, k]
    for entry in range(1, YEARS):
        field.next_entrant[entry] = field.entry_start[entry]
    slots = population.slots
    width = slots_per_batch(slots)
    for batch_number in range((slots + width - 1) // width):
        _fill_batch(draw, batch, batch_number, field)
        simulate_batch(draw, batch, batch_number, field, out)
