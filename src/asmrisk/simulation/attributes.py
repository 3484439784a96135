"""Constant attributes of a clinician: what follows from the practice, patients, levels, shifts of latents."""

from __future__ import annotations

import math

from asmrisk.numerics.jit import fma, inner
from asmrisk.population.latents import OWN_DUAL, OWN_HCC, OWN_LEVEL, SHARED_PATIENTS
from asmrisk.rule.definitions import MOST_MEASURES
from asmrisk.simulation.batches import exponentials, normal_scores
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.keys import (
    BLOCK_CASES,
    BLOCK_MIX,
    BLOCK_WHO,
    LANE_DUAL,
    LANE_HCC,
    LANE_LEVEL,
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
    first = shared.first[0]
    for i in range(n):
        at = field.practice[batch.clinician[i]]
        batch.practice[i] = shared.place[at - first]
        batch.practice_size[i] = practices.size[at]
        batch.collection_type[i] = practices.collection_type[at]
        batch.nonreporting_limit[i] = practices.nonreporting_limit[at]
        batch.quality_shift[i] = practices.quality_shift[at]


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
    for i in range(n):
        c = batch.clinician[i]
        batch.slot[i] = field.slot[c]
        batch.number[i] = field.number[c]
        batch.base[i] = field.base[c]
        batch.specialty[i] = field.specialty[c]
    who = Clinicians(batch.slot, batch.number, batch.base)
    _take_practices(practices, shared, field, batch, n)
    fill_permanent(u, BLOCK_WHO, who, number, key, n, cohort, strata)
    normal_scores(u[LANE_LEVEL], scores, n)
    for i in range(n_roster):
        scores[i] = practices.roster.own[OWN_LEVEL, batch.slot[i]]
    for i in range(n):
        specialty = batch.specialty[i]
        batch.part_b_fixed[i] = population.part_b_episode_correlation * scores[i]
        batch.part_b_level[i] = population.part_b_level[specialty]
        batch.part_b_persistence[i] = population.part_b_persistence[specialty]
        batch.quality_shift[i] += population.quality_specialty_shift[specialty]
        batch.cost_shift[i] = (
            population.cost_episodes * scores[i] + population.cost_specialty_shift[specialty]
        )
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
        hcc = batch.hcc_risk_score[i]
        dual = correlation * hcc + rest * batch.dual_share[i]
        batch.hcc_risk_score[i] = population.hcc_log_mean + population.hcc_log_sd * hcc
        batch.dual_share[i] = population.dual_log_mean + population.dual_log_sd * dual
        batch.quality_shift[i] -= to_quality * (hcc + dual)
        batch.cost_shift[i] += to_cost * (hcc + dual)
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
            scores[i] = mean + prior.case_log_sd[cohort, measure, batch.slot[i]] * level[i]
        exponentials(scores, n_roster)
        for i in range(n):
            level[i] = spread * level[i] - 0.5 * spread * spread
        exponentials(level, n)
        for i in range(n):
            level[i] *= population.cases_factor[measure] * field.level[batch.clinician[i]]
        for i in range(n_roster):
            # NaN, of which nothing is known, fails the comparison.
            level[i] = scores[i] if scores[i] > 0.0 else level[i]
