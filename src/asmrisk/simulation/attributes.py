"""Constant attributes of a clinician: what follows from the practice, patients, levels, shifts of latents."""

from __future__ import annotations

import math

import numpy as np

from asmrisk.numerics.jit import fma, inner
from asmrisk.numerics.portable_math import exp
from asmrisk.population.latents import OWN_DUAL, OWN_HCC, OWN_LEVEL, SHARED_PATIENTS
from asmrisk.rule.definitions import MOST_MEASURES
from asmrisk.simulation.batches import exponentials, normal_scores, take
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.keys import (
    BLOCK_CASES,
    BLOCK_MIX,
    BLOCK_WHO,
    LANE_DUAL,
    LANE_HCC,
    LANE_LEVEL,
    LANE_MIPS,
    UNIFORMS_PER_BLOCK,
    Clinicians,
    fill_permanent,
)
from asmrisk.simulation.participation import Field
from asmrisk.simulation.practices import Practices
from asmrisk.simulation.shared_parts import SharedParts, own_weight
from asmrisk.simulation.state import Batch

__all__ = ["draw_attributes"]


@inner
def _take_practices(practices: Practices, shared: SharedParts, field: Field, batch: Batch, n: int) -> None:
    """Give n clinicians what follows from where they work."""
    at, first = batch.interval, shared.first[0]
    for i in range(n):
        at[i] = field.practice[batch.clinician[i]]
    take(practices.size, at, batch.practice_size, n)
    take(practices.collection_type, at, batch.collection_type, n)
    take(practices.nonreporting_limit, at, batch.nonreporting_limit, n)
    take(practices.quality_shift, at, batch.quality_shift, n)
    for i in range(n):
        at[i] -= np.uint64(first)
    for i in range(n):
        batch.practice[i] = shared.place[at[i]]


@inner
def draw_attributes(
    draw: CohortDraw,
    practices: Practices,
    shared: SharedParts,
    field: Field,
    batch: Batch,
    n: int,
    n_roster: int,
) -> None:
    """Draw the attributes of a batch's n clinicians.

    Of the first `n_roster` of them what is known takes the place of what is drawn.
    """
    population, cohort, prior = draw.population, draw.cohort, draw.prior
    number, key, strata = draw.number, draw.key, draw.population.strata
    u = batch.uniforms
    scores = batch.scores
    # An unsigned index needs no check for counting from the end; what it is of changes on the way.
    index = batch.interval
    for i in range(n):
        index[i] = batch.clinician[i]
    take(field.slot, index, batch.slot, n)
    take(field.number, index, batch.number, n)
    take(field.base, index, batch.base, n)
    take(field.specialty, index, batch.specialty, n)
    take(field.level, index, batch.expected, n)
    who = Clinicians(batch.slot, batch.number, batch.base)
    _take_practices(practices, shared, field, batch, n)
    fill_permanent(u, BLOCK_WHO, who, number, key, n, cohort, strata)
    normal_scores(u[LANE_LEVEL], scores, n)
    for i in range(n_roster):
        scores[i] = practices.roster.own[OWN_LEVEL, batch.slot[i]]
    for i in range(n):
        index[i] = batch.specialty[i]
    take(population.part_b_level, index, batch.part_b_level, n)
    take(population.part_b_persistence, index, batch.part_b_persistence, n)
    take(population.cost_specialty_shift, index, batch.cost_shift, n)
    take(population.quality_specialty_shift, index, batch.part_b_fixed, n)
    for i in range(n):
        batch.quality_shift[i] += batch.part_b_fixed[i]
    to_part_b, to_cost = population.part_b_episode_correlation, population.cost_episodes
    for i in range(n):
        batch.part_b_fixed[i] = to_part_b * scores[i]
    for i in range(n):
        batch.cost_shift[i] = fma(to_cost, scores[i], batch.cost_shift[i])
    for i in range(n_roster):
        batch.part_b_level[i] *= prior.part_b_factor[cohort, batch.slot[i]]
    length = len(population.cost_log_shape)
    for i in range(n):
        persistence = batch.part_b_persistence[i]
        batch.part_b_innovation[i] = math.sqrt(1.0 - persistence * persistence)
        batch.part_b_table[i] = (batch.specialty[i] + 1) * length
    fill_permanent(u, BLOCK_MIX, who, number, key, n, cohort, strata)
    normal_scores(u[LANE_HCC], batch.hcc_risk_score, n)
    normal_scores(u[LANE_DUAL], batch.dual_share, n)
    for i in range(n_roster):
        batch.hcc_risk_score[i] = practices.roster.own[OWN_HCC, batch.slot[i]]
        batch.dual_share[i] = practices.roster.own[OWN_DUAL, batch.slot[i]]
    correlation, own = population.dual_hcc_correlation, own_weight(population, SHARED_PATIENTS)
    rest = math.sqrt(1.0 - correlation * correlation)
    for i in range(n):
        at = batch.practice[i]
        batch.hcc_risk_score[i] = fma(own, batch.hcc_risk_score[i], shared.hcc[at])
        batch.dual_share[i] = fma(own, batch.dual_share[i], shared.dual[at])
    # The patients' complexity, a standard normal score; there is none where the two cancel out.
    sum_spread = math.sqrt(2.0 * (1.0 + correlation))
    to_complexity = 1.0 / sum_spread if sum_spread > 0.0 else 0.0
    to_quality = population.quality_complexity * to_complexity
    to_cost = population.cost_complexity * to_complexity
    for i in range(n):
        batch.dual_share[i] = fma(correlation, batch.hcc_risk_score[i], rest * batch.dual_share[i])
    for i in range(n):
        scores[i] = batch.hcc_risk_score[i] + batch.dual_share[i]
    for i in range(n):
        batch.quality_shift[i] -= to_quality * scores[i]
    for i in range(n):
        batch.cost_shift[i] += to_cost * scores[i]
    mean, spread = population.hcc_log_mean, population.hcc_log_sd
    for i in range(n):
        batch.hcc_risk_score[i] = mean + spread * batch.hcc_risk_score[i]
    mean, spread = population.dual_log_mean, population.dual_log_sd
    for i in range(n):
        batch.dual_share[i] = mean + spread * batch.dual_share[i]
    exponentials(batch.hcc_risk_score, n)
    exponentials(batch.dual_share, n)
    for i in range(n):
        batch.dual_share[i] = min(batch.dual_share[i], 1.0)
    for i in range(n_roster):
        hcc = prior.hcc_risk_score[cohort, batch.slot[i]]
        dual = prior.dual_share[cohort, batch.slot[i]]
        batch.hcc_risk_score[i] = hcc if hcc > 0.0 else batch.hcc_risk_score[i]
        batch.dual_share[i] = dual if dual >= 0.0 else batch.dual_share[i]
    spread = population.cases_log_sd
    for measure in range(MOST_MEASURES):
        lane = measure % UNIFORMS_PER_BLOCK
        if lane == 0:
            block = BLOCK_CASES + measure // UNIFORMS_PER_BLOCK
            fill_permanent(u, block, who, number, key, n, cohort, strata)
        level = batch.case_level[measure]
        normal_scores(u[lane], level, n)
        for i in range(n_roster):
            mean = prior.case_log_mean[cohort, measure, batch.slot[i]]
            # NaN where nothing is known.
            scores[i] = exp(mean + prior.case_log_sd[cohort, measure, batch.slot[i]] * level[i])
        for i in range(n):
            level[i] = spread * level[i] - 0.5 * spread * spread
        exponentials(level, n)
        factor = population.cases_factor[measure]
        for i in range(n):
            level[i] *= factor * batch.expected[i]
        for i in range(n_roster):
            # NaN fails the comparison.
            level[i] = scores[i] if scores[i] > 0.0 else level[i]
    # The last block of cases has room for one more.
    normal_scores(u[LANE_MIPS], batch.mips_permanent, n)
