"""The floor: what a draw would cost if it only made its variates and touched its arrays.

For as many clinicians, practices, areas and years as a real draw has, the same blocks of uniforms are drawn
with the same keys and transformed to as many normal scores, lognormals, probabilities, exact Poissons and
exact binomials, with parameters drawn from the same calibration. The observations are written, read once, and
the scores written.
There are no attributes, no lookups, no selection, no memory of the year before, no benchmarks, no ranks and
no sums: what the simulation takes beyond the floor is what the model and the rule cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from asmrisk.numerics.jit import inner, kernel
from asmrisk.population.latents import NOT_SIMULATED, RISK_STANDARDIZED
from asmrisk.rule.definitions import CALENDAR, COHORTS, MOST_MEASURES, PAYMENT_LAG, YEARS
from asmrisk.simulation.batches import exponentials, normal_probabilities, normal_scores
from asmrisk.simulation.counts import binomial_quantiles, poisson_quantiles
from asmrisk.simulation.draw import DrawRange, Workspace, simulate_draws
from asmrisk.simulation.keys import (
    BLOCK_AREA_MEASURE,
    BLOCK_AREA_MIX,
    BLOCK_AREA_PERFORMANCE,
    BLOCK_CASES,
    BLOCK_CONDUCT,
    BLOCK_MEASURE,
    BLOCK_MIX,
    BLOCK_PARTICIPATION,
    BLOCK_PERFORMANCE,
    BLOCK_PRACTICE,
    BLOCK_PRACTICE_CONDUCT,
    BLOCK_PRACTICE_MEASURE,
    BLOCK_PRACTICE_MIPS,
    BLOCK_PRACTICE_MIX,
    BLOCK_PRACTICE_PERFORMANCE,
    BLOCK_PRACTICE_PROGRAMS,
    BLOCK_WHO,
    LANE_CASES,
    LANE_COST,
    LANE_COST_NOISE,
    LANE_DUAL,
    LANE_EPISODES,
    LANE_GENERAL,
    LANE_HCC,
    LANE_IMPROVEMENT,
    LANE_INTEROPERABILITY,
    LANE_LEVEL,
    LANE_MIPS,
    LANE_NONREPORTING,
    LANE_PART_B,
    LANE_PRACTICE_PART_B,
    LANE_RATE,
    LANE_SHOCK,
    LANE_SPECIFIC,
    LANE_SUBMISSION,
    LANE_YEARLY_MIPS,
    PERMANENT,
    UNIFORMS_PER_BLOCK,
    fill_uniforms,
)
from asmrisk.simulation.model import Model
from asmrisk.simulation.participation import BATCH_SLOTS, FIRST_YEAR
from asmrisk.simulation.record import make_record

__all__ = ["Plan", "draw_floor", "make_floor", "make_plan"]


class Plan(NamedTuple):
    """How much there is to draw in one cohort, taken from a real draw."""

    practices: int
    areas: int
    entering: np.ndarray  # int64 (YEARS,): clinicians who enter in each year
    observed: np.ndarray  # int64 (YEARS,): those of them who are ever measured
    paid: np.ndarray  # int64 (YEARS, CALENDAR): those whose Part B is drawn, by year of entry and year
    lived: np.ndarray  # int64 (YEARS, YEARS): those who may be measured again, by year of entry and year
    measured: np.ndarray  # int64 (YEARS, YEARS): those measured, by year of entry and performance year
    kind: np.ndarray  # int64 (MOST_MEASURES,): see `asmrisk.population.latents`
    episodes: np.ndarray  # float64 (BATCH_SLOTS,): expected episodes
    cases: np.ndarray  # float64 (MOST_MEASURES, BATCH_SLOTS): expected cases
    rate: np.ndarray  # float64 (MOST_MEASURES, BATCH_SLOTS): true rates


def make_plan(model: Model, cohort: int) -> tuple[Plan, Workspace]:
    """Count what a real draw draws.

    Parameters
    ----------
    model : Model
        The scenario.
    cohort : int
        Code of the cohort.

    Returns
    -------
    Plan, Workspace
        The counts, and the workspace that the real draw has left: slots and keys are used again.
    """
    inputs = model.inputs
    population = inputs.population[cohort]
    work = model.workspace(inputs)
    record = make_record(1)
    progress = np.zeros(2, np.int64)
    simulate_draws(inputs, DrawRange(0, cohorts=(cohort, cohort + 1)), record, work, progress)
    field = work.field
    total = field.entry_start[YEARS]
    entry = np.searchsorted(field.entry_start[1:YEARS], np.arange(total), side="right")
    last = field.last[:total]
    paid, lived = np.zeros((YEARS, CALENDAR), np.int64), np.zeros((YEARS, YEARS), np.int64)
    measured = np.zeros((YEARS, YEARS), np.int64)
    for year in range(CALENDAR):
        still = (last >= 0) & (entry <= year) & (last + PAYMENT_LAG >= year)
        paid[:, year] = np.bincount(entry[still], minlength=YEARS)
    for year in range(YEARS):
        still = (entry <= year) & (last >= year)
        lived[:, year] = np.bincount(entry[still], minlength=YEARS)
        members = field.member[year, : field.participants[year]]
        measured[:, year] = np.bincount(entry[members], minlength=YEARS)

    rng = np.random.default_rng(1)
    rate = np.zeros((MOST_MEASURES, BATCH_SLOTS))
    for measure in range(MOST_MEASURES):
        fixed = population.measure_collection_type[measure]
        knots, ladders = population.rate_probability[measure], population.rate_quantile[measure]
        for i in range(BATCH_SLOTS):
            chosen = rng.integers(2) if fixed < 0 else fixed
            rate[measure, i] = np.interp(rng.random(), knots[chosen], ladders[chosen])
    members = field.member[0, : field.participants[0]]
    level = field.level[rng.choice(members, BATCH_SLOTS)]
    plan = Plan(
        practices=int(work.world.practices.founded[0]),
        areas=int(population.areas),
        entering=np.diff(field.entry_start),
        observed=np.bincount(entry[field.last[:total] >= 0], minlength=YEARS),
        paid=paid,
        lived=lived,
        measured=measured,
        kind=population.measure_kind.copy(),
        episodes=field.level[rng.choice(total, BATCH_SLOTS)].copy(),
        cases=population.cases_factor[:, None] * level,
        rate=rate,
    )
    return plan, work


@inner
def _enroll(plan: Plan, entry: int, first: int, draw: int, key: np.ndarray, work: Workspace) -> None:
    """Draw levels and episodes of those who enter in one year."""
    field = work.field
    u, mean, count = field.uniforms, field.mean, field.drawn
    end = first + plan.entering[entry]
    for start in range(first, end, BATCH_SLOTS):
        n = min(BATCH_SLOTS, end - start)
        number, base = field.number[start : start + n], field.base[start : start + n]
        fill_uniforms(u, BLOCK_WHO, number, base, PERMANENT, draw, key, 0, n)
        normal_scores(u[LANE_LEVEL], mean, n)
        exponentials(mean, n)
        for i in range(n):
            field.level[start + i] = mean[i]
        for history in range(entry, CALENDAR + PAYMENT_LAG):
            year = FIRST_YEAR + history - PAYMENT_LAG
            fill_uniforms(u, BLOCK_PARTICIPATION, number, base, year, draw, key, 0, n)
            if history < CALENDAR:
                normal_scores(u[LANE_SHOCK], mean, n)
                exponentials(mean, n)
                poisson_quantiles(u[LANE_EPISODES], plan.episodes, count, n)
                for i in range(n):
                    field.episodes[history, start + i] = int(count[i])


@inner
def _draw_areas(plan: Plan, draw: int, key: np.ndarray, work: Workspace) -> None:
    """Draw the scores of all areas."""
    areas, n = work.world.areas, plan.areas
    u, number, base = areas.uniforms, areas.number, areas.base
    fill_uniforms(u, BLOCK_AREA_MIX, number, base, PERMANENT, draw, key, 0, n)
    normal_scores(u[LANE_HCC], areas.hcc, n)
    normal_scores(u[LANE_DUAL], areas.dual, n)
    for year in range(CALENDAR):
        when = FIRST_YEAR + year
        fill_uniforms(u, BLOCK_AREA_PERFORMANCE, number, base, when, draw, key, 0, n)
        normal_scores(u[LANE_PRACTICE_PART_B], areas.part_b[year], n)
        if year < YEARS:
            normal_scores(u[LANE_GENERAL], areas.general[year], n)
            normal_scores(u[LANE_COST], areas.cost[year], n)
            for measure in range(MOST_MEASURES):
                lane = measure % UNIFORMS_PER_BLOCK
                if lane == 0:
                    block = BLOCK_AREA_MEASURE + measure // UNIFORMS_PER_BLOCK
                    fill_uniforms(u, block, number, base, when, draw, key, 0, n)
                normal_scores(u[lane], areas.specific[year, measure], n)


@inner
def _draw_practices(plan: Plan, draw: int, key: np.ndarray, work: Workspace) -> None:
    """Draw what is of practices as a whole, in all years."""
    practices, shared = work.world.practices, work.world.shared
    u = shared.uniforms
    for start in range(0, plan.practices, BATCH_SLOTS):
        n = min(BATCH_SLOTS, plan.practices - start)
        number, base = practices.number[start : start + n], practices.base[start : start + n]
        fill_uniforms(u, BLOCK_PRACTICE, number, base, PERMANENT, draw, key, 0, n)
        fill_uniforms(u, BLOCK_PRACTICE_MIX, number, base, PERMANENT, draw, key, 0, n)
        normal_scores(u[LANE_HCC], shared.hcc, n)
        normal_scores(u[LANE_DUAL], shared.dual, n)
        fill_uniforms(u, BLOCK_PRACTICE_PROGRAMS, number, base, PERMANENT, draw, key, 0, n)
        normal_scores(u[LANE_MIPS], shared.mips_permanent, n)
        for year in range(CALENDAR):
            when = FIRST_YEAR + year
            fill_uniforms(u, BLOCK_PRACTICE_PERFORMANCE, number, base, when, draw, key, 0, n)
            normal_scores(u[LANE_PRACTICE_PART_B], shared.part_b, n)
            if year >= YEARS:
                continue
            normal_scores(u[LANE_GENERAL], shared.general, n)
            normal_scores(u[LANE_COST], shared.cost, n)
            normal_scores(u[LANE_NONREPORTING], shared.nonreporting, n)
            fill_uniforms(u, BLOCK_PRACTICE_MIPS, number, base, when, draw, key, 0, n)
            normal_scores(u[0], shared.mips, n)
            fill_uniforms(u, BLOCK_PRACTICE_CONDUCT, number, base, when, draw, key, 0, n)
            normal_scores(u[LANE_IMPROVEMENT], shared.improvement, n)
            normal_scores(u[LANE_INTEROPERABILITY], shared.interoperability, n)
            normal_probabilities(shared.interoperability, shared.points, n)
            for measure in range(MOST_MEASURES):
                if plan.kind[measure] == NOT_SIMULATED:
                    continue
                # Two measures have one block.
                lane = 2 * (measure % 2)
                if lane == 0 or plan.kind[measure - 1] == NOT_SIMULATED:
                    block = BLOCK_PRACTICE_MEASURE + measure // 2
                    fill_uniforms(u, block, number, base, when, draw, key, 0, n)
                normal_scores(u[lane], shared.specific[measure], n)
                normal_scores(u[lane + 1], shared.submission[measure], n)


@inner
def _observe_year(
    plan: Plan,
    entry: int,
    year: int,
    number: np.ndarray,
    base: np.ndarray,
    draw: int,
    key: np.ndarray,
    position: int,
    paid: int,
    n: int,
    m: int,
    work: Workspace,
) -> None:
    """Draw a year of some clinicians, and write what is observed from `position` on.

    Part B is drawn for `paid` of them; n may be measured again, and m are.
    """
    batch, out = work.batch, work.observations
    u, a, b, c = batch.uniforms, batch.scratch[0], batch.scratch[1], batch.counts
    when = FIRST_YEAR + year
    fill_uniforms(u, BLOCK_CONDUCT, number, base, when, draw, key, 0, paid)
    normal_scores(u[LANE_PART_B], batch.part_b[year], paid)
    exponentials(batch.part_b[year], paid)
    if year >= YEARS:
        return
    shared = work.world.shared
    normal_scores(u[LANE_YEARLY_MIPS], batch.mips, m)
    for k in range(m):
        r = position + k
        out.mips_score[year, r] = batch.mips[k]
        out.mips_group[year, r] = 1
        out.region[year, r] = 1
        out.aco[year, r] = 1
        out.promoting_interoperability[year, r] = shared.points[k]
        out.improvement_activities[year, r] = 1
        out.specialty[year, r] = 1
        out.practice_size[year, r] = 1
        out.exempt[year, r] = 0
        out.hcc_risk_score[year, r] = batch.hcc_risk_score[k]
        out.dual_share[year, r] = batch.dual_share[k]
        out.part_b_payments[year, r] = batch.part_b[year, k]
        out.part_b_before_offset[year, r] = batch.part_b[year, k]
    fill_uniforms(u, BLOCK_PERFORMANCE, number, base, when, draw, key, 0, n)
    normal_scores(u[LANE_GENERAL], batch.general, n)
    normal_scores(u[LANE_COST], batch.cost, n)
    normal_scores(u[LANE_NONREPORTING], batch.nonreporting, n)
    normal_scores(u[LANE_COST_NOISE], b, m)
    for k in range(m):
        a[k] = batch.cost[k]
    exponentials(a, m)
    exponentials(b, m)
    for k in range(m):
        r = position + k
        out.episodes[year, r] = 20
        out.true_cost[year, r] = a[k]
        out.cost_before_response[year, r] = a[k] * b[k]
    for measure in range(MOST_MEASURES):
        if plan.kind[measure] == NOT_SIMULATED:
            continue
        fill_uniforms(u, BLOCK_MEASURE + measure, number, base, when, draw, key, 0, n)
        normal_scores(u[LANE_SPECIFIC], batch.specific[measure], n)
        normal_scores(u[LANE_SUBMISSION], batch.submission[measure], n)
        poisson_quantiles(u[LANE_CASES], plan.cases[measure], c, m)
        if plan.kind[measure] == RISK_STANDARDIZED:
            normal_scores(u[LANE_RATE], b, m)
        else:
            binomial_quantiles(u[LANE_RATE], c, plan.rate[measure], b, m, batch.binomials)
        normal_probabilities(batch.specific[measure], a, m)
        normal_probabilities(batch.submission[measure], u[LANE_SUBMISSION], m)
        for k in range(m):
            r = position + k
            out.rate[year, measure, r] = b[k]
            out.cases[year, measure, r] = int(c[k])
            out.completeness[year, measure, r] = batch.submission[measure, k]
            out.collection_type[year, measure, r] = 1 if a[k] < 0.5 else 0


@inner
def _observe(
    plan: Plan,
    entry: int,
    first: int,
    draw: int,
    key: np.ndarray,
    filled: np.ndarray,
    work: Workspace,
) -> None:
    """Draw what is observed of those who enter in one year and are ever measured."""
    field, batch = work.field, work.batch
    u = batch.uniforms
    count = plan.observed[entry]
    for start in range(0, count, BATCH_SLOTS):
        n = min(BATCH_SLOTS, count - start)
        number, base = (
            field.number[first + start : first + start + n],
            field.base[first + start : first + start + n],
        )
        fill_uniforms(u, BLOCK_WHO, number, base, PERMANENT, draw, key, 0, n)
        normal_scores(u[LANE_LEVEL], batch.part_b_fixed, n)
        fill_uniforms(u, BLOCK_MIX, number, base, PERMANENT, draw, key, 0, n)
        normal_scores(u[LANE_HCC], batch.hcc_risk_score, n)
        normal_scores(u[LANE_DUAL], batch.dual_share, n)
        exponentials(batch.hcc_risk_score, n)
        exponentials(batch.dual_share, n)
        for measure in range(MOST_MEASURES):
            if measure % UNIFORMS_PER_BLOCK == 0:
                fill_uniforms(
                    u, BLOCK_CASES + measure // UNIFORMS_PER_BLOCK, number, base, PERMANENT, draw, key, 0, n
                )
            normal_scores(u[measure % UNIFORMS_PER_BLOCK], batch.case_level[measure], n)
            exponentials(batch.case_level[measure], n)
        normal_scores(u[LANE_MIPS], batch.mips_permanent, n)
        for year in range(entry, CALENDAR):
            # Spread those of a year evenly over the batches, to the last one of them.
            end = start + n
            paid = plan.paid[entry, year] * end // count - plan.paid[entry, year] * start // count
            lived, m, position = 0, 0, 0
            if year < YEARS:
                lived = plan.lived[entry, year] * end // count - plan.lived[entry, year] * start // count
                before = plan.measured[entry, year] * start // count
                m = plan.measured[entry, year] * end // count - before
                position = filled[year] + before
            _observe_year(plan, entry, year, number, base, draw, key, position, paid, lived, m, work)
    for year in range(entry, YEARS):
        filled[year] += plan.measured[entry, year]


@inner
def _touch(year: int, n: int, kind: np.ndarray, work: Workspace) -> None:
    """Read a year's observations once and write its scores once."""
    out, scored = work.observations, work.scored
    for measure in range(MOST_MEASURES):
        if kind[measure] == NOT_SIMULATED:
            continue
        for i in range(n):
            asked = out.cases[year, measure, i] + out.collection_type[year, measure, i]
            scored.points[measure, i] = (
                out.rate[year, measure, i] + out.completeness[year, measure, i] + float(asked)
            )
    for i in range(n):
        who = out.specialty[year, i] + out.practice_size[year, i] + out.exempt[year, i]
        where = out.region[year, i] + out.aco[year, i] + out.mips_group[year, i]
        conduct = float(out.improvement_activities[year, i]) + out.promoting_interoperability[year, i]
        dollars = out.part_b_payments[year, i] + out.part_b_before_offset[year, i]
        cost = out.cost_before_response[year, i] + out.true_cost[year, i] + float(out.episodes[year, i])
        scored.quality_score[i] = float(who)
        scored.cost_points[i] = cost
        scored.improvement_activities_adjustment[i] = conduct
        scored.promoting_interoperability_adjustment[i] = conduct
        scored.complex_patient_adjustment[i] = out.hcc_risk_score[year, i] + out.dual_share[year, i]
        scored.small_practice_adjustment[i] = conduct
        scored.final_score[i] = dollars
        scored.transformed_score[i] = dollars
        scored.adjustment_factor[i] = dollars
        work.factor[year, i] = dollars
        work.mips_forgone[i] = out.mips_score[year, i]
        work.participation_cost[i] = float(where)


@kernel
def draw_floor(
    plan: Plan, first: int, count: int, key: np.ndarray, filled: np.ndarray, work: Workspace
) -> None:
    """Make the variates of consecutive draws of one cohort and touch its arrays.

    Parameters
    ----------
    plan : Plan
        How many of them.
    first : int
        Number of the first draw.
    count : int
        Number of draws.
    key : ndarray of uint64, shape (2,)
        Halves of the seed.
    filled : ndarray of int64, shape (YEARS,)
        Workspace; left with the measured clinicians of each year.
    work : Workspace
        Written.
    """
    for k in range(count):
        at = 0
        for entry in range(YEARS):
            filled[entry] = 0
        _draw_areas(plan, first + k, key, work)
        _draw_practices(plan, first + k, key, work)
        for entry in range(YEARS):
            _enroll(plan, entry, at, first + k, key, work)
            at += plan.entering[entry]
        at = 0
        for entry in range(YEARS):
            _observe(plan, entry, at, first + k, key, filled, work)
            at += plan.entering[entry]
        for year in range(YEARS):
            _touch(year, filled[year], plan.kind, work)


def make_floor(model: Model, draws: int) -> Callable[[], Any]:
    """Make a call that does the floor's work for some draws of both cohorts.

    Parameters
    ----------
    model : Model
        The scenario.
    draws : int
        How many draws.

    Returns
    -------
    callable
        Takes nothing.
    """
    prepared = [make_plan(model, cohort) for cohort in range(len(COHORTS))]
    filled = np.zeros(YEARS, np.int64)

    def work_floor() -> None:
        for plan, work in prepared:
            draw_floor(plan, 0, draws, model.inputs.key, filled, work)

    return work_floor
