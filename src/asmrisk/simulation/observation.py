"""What CMS observes of the clinicians: Part B, conduct, cost, measures and what of them is reported.

Clinicians are worked on in strips of neighboring slots, each strip through all its years, so that its state
stays in the processor's cache. A clinician's latents move on while it may be measured again, and its Part B
until it has been paid for; everything else is drawn for those alone who are measured in the year, picked in
the order of their positions among the measured, so that observations are written side by side.
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
    SPECIFIC,
    SUBMISSION,
)
from asmrisk.rule.definitions import PAYMENT_LAG
from asmrisk.simulation.attributes import draw_attributes
from asmrisk.simulation.batches import advance, exponentials, normal_probabilities, normal_scores, pick
from asmrisk.simulation.keys import (
    BLOCK_CONDUCT,
    BLOCK_MEASURE,
    BLOCK_PERFORMANCE,
    PERMANENT,
    fill_uniforms,
)
from asmrisk.simulation.measures import observe_measure
from asmrisk.simulation.participation import CALENDAR, FIRST_YEAR, YEARS, Field, strip_width
from asmrisk.simulation.roster_prior import Known, part_b_score, start_habit, start_state
from asmrisk.simulation.state import PLACES, Observations, Strip

__all__ = ["observe"]

#: The step and the ends of tables over the normal score.
SCORES_A_UNIT, LEAST_SCORE, LAST_INTERVAL = 16.0, -6.5, 207.0


@inner
def _from_tables(tables: np.ndarray, first: np.ndarray, score: np.ndarray, below: np.ndarray, n: int) -> None:
    """Put in the place of n normal scores what a table over them says, linearly.

    Each table covers -6.5 to 6.5 by sixteenths and begins at `first`.
    """
    # In two loops: the first becomes vector instructions, which the look-ups of the second cannot.
    for i in range(n):
        place = (score[i] - LEAST_SCORE) * SCORES_A_UNIT
        place = 0.0 if place < 0.0 else place
        place = LAST_INTERVAL if place > LAST_INTERVAL else place
        # An unsigned index needs no check for counting from the end.
        below[i] = np.uint64(place)
        score[i] = place - below[i]
    for i in range(n):
        at = first[i] + below[i]
        value = tables[at]
        score[i] = value + score[i] * (tables[at + np.uint64(1)] - value)


@inline
def _part_b(
    population: np.record,
    cohort: int,
    growth: float,
    known: Known,
    strip: Strip,
    year: int,
    first: int,
    settled: int,
    n: int,
    told: int,
) -> None:
    """Draw the Part B dollars of a year: AR(1) in the normal score, so that the published shape stays.

    For n clinicians from place `first` on, of whom the first `settled` were there the year before.
    """
    share = population.part_b_episode_correlation
    rest = math.sqrt(1.0 - share * share)
    dollars, scores, moving = strip.part_b[year, first:], strip.scores, strip.part_b_moving[first:]
    fixed, kept, new = strip.part_b_fixed[first:], strip.part_b_kept[first:], strip.part_b_new[first:]
    table, level = strip.part_b_table[first:], strip.part_b_level[first:]
    normal_scores(strip.uniforms[3, first:], scores, n)
    for i in range(settled):
        moving[i] = fma(kept[i], moving[i], new[i] * scores[i])
    for i in range(settled, n):
        moving[i] = scores[i]
    for i in range(told):
        moving[i] = part_b_score(known, cohort, strip.slot[i], share, fixed[i], kept[i], moving[i])
    for i in range(n):
        dollars[i] = fma(rest, moving[i], fixed[i])
    _from_tables(strip.tables, table, dollars, strip.below, n)
    exponentials(dollars, n)
    for i in range(n):
        dollars[i] *= growth * level[i]


@inline
def _find_measured(strip: Strip, field: Field, year: int, first: int, m: int) -> None:
    """Find the places of the strip's m measured clinicians, whose positions begin at `first`."""
    member, who = field.member[year, first:], strip.who[year]
    for k in range(m):
        who[k] = field.place[member[k]]


@inline
def _pay(strip: Strip, field: Field, out: Observations, year: int, part: int) -> None:
    """Write what the strip's measured clinicians of a year are paid in it and two years later."""
    first = field.first[year, part]
    m = field.first[year, part + 1] - first
    who, member = strip.who[year], field.member[year, first:]
    now, later = out.part_b_payments[year, first:], out.payment_year_part_b[year, first:]
    pick(strip.part_b[year], who, now, m)
    pick(strip.part_b[year + PAYMENT_LAG], who, later, m)
    for k in range(m):
        later[k] = later[k] if field.leaves[member[k]] > year + PAYMENT_LAG else 0.0


@inline
def _who_they_are(
    exempt_share: float, strip: Strip, out: Observations, year: int, first: int, m: int
) -> None:
    """Write the attributes of the strip's measured clinicians."""
    specialty, practice_size = out.specialty[year, first:], out.practice_size[year, first:]
    exempt = out.exempt[year, first:]
    who = strip.who[year]
    pick(strip.hcc_risk_score, who, out.hcc_risk_score[year, first:], m)
    pick(strip.dual_share, who, out.dual_share[year, first:], m)
    for k in range(m):
        specialty[k] = strip.specialty[who[k]]
        practice_size[k] = strip.practice_size[who[k]]
        exempt[k] = 1 if strip.uniforms[2, who[k]] < exempt_share else 0


@inline
def _by_size(values: np.ndarray) -> tuple[float, float, float]:
    """Give the values of solo, small and large practices."""
    return values[0], values[1], values[2]


@inline
def _conduct(population: np.record, strip: Strip, out: Observations, year: int, first: int, m: int) -> None:
    """Write improvement activities and promoting interoperability from the habits (§§ 512.735, 512.740)."""
    who, improvement, interoperability, above = strip.who[year], strip.a, strip.b, strip.c
    sizes = strip.choice
    activities = out.improvement_activities[year, first:]
    points = out.promoting_interoperability[year, first:]
    pick(strip.improvement, who, improvement, m)
    pick(strip.interoperability, who, interoperability, m)
    for k in range(m):
        sizes[k] = strip.size_class[who[k]]
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
        zero, full, start, slope = (
            (zero0, full0, start0, slope0) if size == 0 else (zero2, full2, start2, slope2)
        )
        zero, full, start, slope = (zero1, full1, start1, slope1) if size == 1 else (zero, full, start, slope)
        habit = interoperability[k]
        score = low + slope * (above[k] - start)
        score = score if habit < full else 100.0
        points[k] = score if habit >= zero else 0.0


@inline
def _cost(
    population: np.record,
    trend: float,
    strip: Strip,
    field: Field,
    out: Observations,
    year: int,
    first: int,
    m: int,
) -> None:
    """Write episodes and cost per episode: exp of a skewed true part plus noise of variance v/n."""
    who, true, noise, count = strip.who[year], strip.a, strip.b, strip.counts
    member, drawn = field.member[year, first:], field.episodes[year + PAYMENT_LAG]
    episodes, cost = out.episodes[year, first:], out.cost_per_episode[year, first:]
    level = out.true_cost[year, first:]
    correlation = population.cost_quality_correlation
    rest = math.sqrt(1.0 - correlation * correlation)
    for k in range(m):
        episodes[k] = drawn[member[k]]
        count[k] = episodes[k]
    pick(strip.cost, who, true, m)
    pick(strip.uniforms[2], who, strip.c, m)
    for k in range(m):
        # Better quality goes with lower cost.
        true[k] = rest * true[k] - correlation * strip.quality[k]
    _from_tables(strip.tables, strip.cost_table, true, strip.below, m)
    spread = population.cost_spread
    for k in range(m):
        true[k] *= spread
    normal_scores(strip.c, noise, m)
    for k in range(m):
        noise[k] *= math.sqrt(population.cost_noise_variance / max(count[k], 1.0))
    exponentials(true, m)
    exponentials(noise, m)
    for k in range(m):
        level[k] = population.cost_scale_usd * trend * true[k]
        cost[k] = level[k] * noise[k] if count[k] > 0.0 else np.nan


@inline
def _perform(
    population: np.record,
    now: np.record,
    cohort: int,
    draw: int,
    key: np.ndarray,
    known: Known,
    field: Field,
    strip: Strip,
    out: Observations,
    year: int,
    part: int,
    start: int,
    settled: int,
    n: int,
    told: int,
) -> None:
    """Live n clinicians from place `start` on through a performance year, and write what is observed.

    The first `settled` of them were there the year before. The uniforms of their conduct are drawn.
    """
    u, past, scores, slot, base = strip.uniforms, strip.past, strip.scores, strip.slot, strip.base
    a, b = strip.a, strip.b
    latent, persistence = population.latent_persistence, population.habit_persistence
    end, when = start + n, FIRST_YEAR + year
    first = field.first[year, part]
    m = field.first[year, part + 1] - first
    _find_measured(strip, field, year, first, m)
    _who_they_are(now.exempt_share[cohort], strip, out, year, first, m)

    improvement, interoperability = strip.improvement[start:], strip.interoperability[start:]
    advance(improvement, u[0, start:], persistence, settled, scores, n)
    advance(interoperability, u[1, start:], persistence, settled, scores, n)
    if told > 0:
        fill_uniforms(past, BLOCK_CONDUCT, slot, base, PERMANENT, draw, key, 0, told)
        start_habit(known, cohort, IMPROVEMENT, persistence, slot, past[0], improvement, a, b, told)
        start_habit(known, cohort, INTEROPERABILITY, persistence, slot, past[1], interoperability, a, b, told)
    _conduct(population, strip, out, year, first, m)

    general, cost, silence = strip.general[start:], strip.cost[start:], strip.silence[start:]
    fill_uniforms(u, BLOCK_PERFORMANCE, slot, base, when, draw, key, start, end)
    advance(general, u[0, start:], latent, settled, scores, n)
    advance(cost, u[1, start:], latent, settled, scores, n)
    advance(silence, u[3, start:], persistence, settled, scores, n)
    if told > 0:
        fill_uniforms(past, BLOCK_PERFORMANCE, slot, base, PERMANENT, draw, key, 0, told)
        start_state(known, cohort, GENERAL, slot, strip.fresh, general, told)
        start_state(known, cohort, COST, slot, strip.fresh, cost, told)
        start_habit(known, cohort, NONREPORTING, persistence, slot, past[3], silence, a, b, told)
    who = strip.who[year]
    for k in range(m):
        i = who[k]
        strip.quality[k] = strip.general[i]
        strip.choice[k] = strip.collection_type[i]
        strip.silent[k] = strip.silence[i] < strip.silence_limit[i]
    _cost(population, now.cost_trend, strip, field, out, year, first, m)

    for place in range(PLACES):
        block, row = BLOCK_MEASURE + place, SPECIFIC + place
        if population.measure_kind[place] == 0:
            # What is known of the other latents may hang together with this one.
            fill_uniforms(u, block, slot, base, when, draw, key, 0, told)
            normal_scores(u[0], strip.fresh[row], told)
            continue
        specific, submission = strip.specific[place, start:], strip.submission[place, start:]
        fill_uniforms(u, block, slot, base, when, draw, key, start, end)
        advance(specific, u[0, start:], latent, settled, scores, n)
        advance(submission, u[1, start:], persistence, settled, scores, n)
        if told > 0:
            habit = SUBMISSION + place
            fill_uniforms(past, block, slot, base, PERMANENT, draw, key, 0, told)
            start_state(known, cohort, row, slot, strip.fresh, specific, told)
            start_habit(known, cohort, habit, persistence, slot, past[1], submission, a, b, told)
        observe_measure(population, now.quality_learning[cohort], strip, out, year, place, first, m)


@inline
def _live(
    population: np.record,
    behavior: np.recarray,
    cohort: int,
    draw: int,
    key: np.ndarray,
    known: Known,
    field: Field,
    strip: Strip,
    out: Observations,
    part: int,
) -> None:
    """Live the clinicians of a strip through their years.

    They come in the order of their last measured years if they are there from the first year on (a roster's
    before the others), then in the order in which they enter. So in each year those at hand are side by side.
    Part B goes on for two years after the last measured one.
    """
    chosen, entered = strip.chosen, strip.entered
    n = entered[YEARS - 1]
    # A roster's clinicians hold the first slots from the first year on, and come first in the strip.
    told = 0
    while told < entered[0] and field.slot[chosen[told]] < known.clinicians[cohort]:
        told += 1
    draw_attributes(population, cohort, draw, key, known, field, strip, n, told)
    paid_for, done = 0, 0  # those at the front who need no Part B, or nothing else, any more
    for year in range(CALENDAR):
        while paid_for < entered[0] and field.last[chosen[paid_for]] + PAYMENT_LAG < year:
            paid_for += 1
        while done < entered[0] and field.last[chosen[done]] < year:
            done += 1
        before = entered[min(year, YEARS) - 1] if year > 0 else 0
        end = entered[min(year, YEARS - 1)]
        now = behavior[year]
        when = FIRST_YEAR + year
        told = told if year == 0 else 0
        fill_uniforms(strip.uniforms, BLOCK_CONDUCT, strip.slot, strip.base, when, draw, key, paid_for, end)
        growth, settled = now.part_b_growth[cohort], before - paid_for
        _part_b(population, cohort, growth, known, strip, year, paid_for, settled, end - paid_for, told)
        if year >= PAYMENT_LAG:
            _pay(strip, field, out, year - PAYMENT_LAG, part)
        if year < YEARS:
            settled = before - done
            _perform(
                population,
                now,
                cohort,
                draw,
                key,
                known,
                field,
                strip,
                out,
                year,
                part,
                done,
                settled,
                end - done,
                told,
            )


@inline
def _choose(slots: int, cohort: int, known: Known, field: Field, strip: Strip, part: int) -> None:
    """Fill a strip with those who hold its slots and are ever measured, in the order that `_live` needs."""
    width = strip_width(slots)
    start = part * width
    stop = min(start + width, slots)
    chosen, last = strip.chosen, field.last
    # Those who are there from the first year on are numbered by their slots.
    roster = min(max(known.clinicians[cohort], start), stop)
    count = 0
    for year in range(YEARS):
        for c in range(start, roster):
            # Written always, kept if the count moves on: quicker than a branch that nobody can predict.
            chosen[count] = c
            count += last[c] == year
    for year in range(YEARS):
        for c in range(roster, stop):
            chosen[count] = c
            count += last[c] == year
    strip.entered[0] = count
    for entry in range(1, YEARS):
        c = field.next[entry]
        while c < field.group[entry + 1] and field.slot[c] < stop:
            chosen[count] = c
            count += last[c] >= 0
            c += 1
        field.next[entry] = c
        strip.entered[entry] = count
    for i in range(count):
        field.place[chosen[i]] = i


@inner
def observe(
    population: np.record,
    behavior: np.recarray,
    cohort: int,
    draw: int,
    key: np.ndarray,
    known: Known,
    field: Field,
    strip: Strip,
    out: Observations,
) -> None:
    """Write what is observed of every measured clinician of a cohort in every performance year of a draw.

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
        Who is measured when, from `enroll`.
    strip : Strip
        Workspace.
    out : Observations
        Written, up to ``field.participants[year]`` in each year.
    """
    # Side by side, since a field of a record is slow to read at scattered places.
    length = len(population.cost_log_shape)
    for k in range(length):
        strip.tables[k] = population.cost_log_shape[k]
        for specialty in range(len(population.part_b_log_shape)):
            strip.tables[(specialty + 1) * length + k] = population.part_b_log_shape[specialty, k]
    for entry in range(1, YEARS):
        field.next[entry] = field.group[entry]
    slots = population.slots
    width = strip_width(slots)
    for part in range((slots + width - 1) // width):
        _choose(slots, cohort, known, field, strip, part)
        _live(population, behavior, cohort, draw, key, known, field, strip, out, part)
