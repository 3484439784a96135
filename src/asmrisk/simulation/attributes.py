"""Constant attributes of a clinician: specialty, practice, collection type, patients, levels."""

from __future__ import annotations

import math

import numpy as np

from asmrisk.numerics.jit import inline, inner
from asmrisk.numerics.portable_math import log
from asmrisk.rule.definitions import MOST_MEASURES, size_class
from asmrisk.simulation.batches import exponentials, normal_scores, set_beyond
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.keys import (
    BLOCK_CASES,
    BLOCK_MIX,
    BLOCK_WHO,
    LANE_COLLECTION_TYPE,
    LANE_DUAL,
    LANE_HCC,
    LANE_LEVEL,
    LANE_PRACTICE,
    LANE_SPECIALTY,
    UNIFORMS_PER_BLOCK,
    fill_permanent,
)
from asmrisk.simulation.participation import Field
from asmrisk.simulation.roster_prior import RosterPrior, level_score
from asmrisk.simulation.state import Batch

__all__ = ["draw_attributes"]


_size_class = inline(size_class)


@inner
def _impose_attributes(population: np.record, cohort: int, prior: RosterPrior, batch: Batch, n: int) -> None:
    """Replace what was drawn for a roster's n clinicians by what is known of them."""
    # Reporting nothing differs by class of practice size; its last class holds all larger ones too.
    last_class = len(population.nothing_reported_z) - 1
    for i in range(n):
        slot = batch.slot[i]
        batch.specialty[i] = prior.specialty[cohort, slot]
        level = population.part_b_level[batch.specialty[i]]
        batch.part_b_level[i] = level * prior.part_b_factor[cohort, slot]
        batch.part_b_persistence[i] = population.part_b_persistence[batch.specialty[i]]
        size = prior.practice_size[cohort, slot]
        batch.practice_size[i] = size
        group = 0
        while group < population.practice_high.shape[0] - 1 and size > population.practice_high[group]:
            group += 1
        batch.nonreporting_limit[i] = population.nothing_reported_z[min(group, last_class)]
        batch.size_class[i] = _size_class(population.practice_high[group])
        ecqm = population.ecqm_share[batch.size_class[i]]
        chosen = 0 if batch.uniforms[LANE_COLLECTION_TYPE, i] < ecqm else 1
        given = prior.collection_type[cohort, slot]
        batch.collection_type[i] = given if given >= 0 else chosen
        score = level_score(prior, cohort, slot, batch.scores[i])
        batch.part_b_fixed[i] = population.part_b_episode_correlation * score


@inner
def _draw_specialty(population: np.record, uniform: np.ndarray, batch: Batch, n: int) -> None:
    """Draw specialties, and what of Part B depends on them, class by class: each loop is vectorized."""
    for i in range(n):
        batch.specialty[i] = 0
        batch.part_b_level[i] = population.part_b_level[0]
        batch.part_b_persistence[i] = population.part_b_persistence[0]
    for specialty in range(1, len(population.specialty_cumulative)):
        edge = population.specialty_cumulative[specialty - 1]
        level, persistence = population.part_b_level[specialty], population.part_b_persistence[specialty]
        if edge < 1.0:
            set_beyond(uniform, edge, level, batch.part_b_level, n)
            set_beyond(uniform, edge, persistence, batch.part_b_persistence, n)
            for i in range(n):
                batch.specialty[i] = specialty if uniform[i] >= edge else batch.specialty[i]


@inner
def _draw_practice(
    population: np.record, size_uniform: np.ndarray, type_uniform: np.ndarray, batch: Batch, n: int
) -> None:
    """Draw practice sizes and collection types, class by class: each loop is vectorized."""
    below, share = batch.class_values[0], batch.class_values[1]
    low, width = batch.class_values[2], batch.class_values[3]
    cumulative, least, most = (
        population.practice_cumulative,
        population.practice_low,
        population.practice_high,
    )
    last_class = len(population.nothing_reported_z) - 1
    for group in range(len(cumulative)):
        under = cumulative[group - 1] if group > 0 else 0.0
        size_class = _size_class(most[group])
        set_beyond(size_uniform, under, under, below, n)
        set_beyond(size_uniform, under, cumulative[group] - under, share, n)
        set_beyond(size_uniform, under, float(least[group]), low, n)
        set_beyond(size_uniform, under, float(most[group] - least[group] + 1), width, n)
        limit = population.nothing_reported_z[min(group, last_class)]
        set_beyond(size_uniform, under, limit, batch.nonreporting_limit, n)
        ecqm = population.ecqm_share[size_class]
        for i in range(n):
            beyond = size_uniform[i] >= under
            batch.size_class[i] = size_class if beyond else batch.size_class[i]
            chosen = 0 if type_uniform[i] < ecqm else 1
            batch.collection_type[i] = chosen if beyond else batch.collection_type[i]
    for i in range(n):
        # Where the uniform lies within its class picks the size, so that one uniform makes one variate.
        within = (size_uniform[i] - below[i]) / share[i]
        batch.practice_size[i] = int(low[i] + min(float(int(within * width[i])), width[i] - 1.0))


@inner
def draw_attributes(draw: CohortDraw, field: Field, batch: Batch, n: int, n_roster: int) -> None:
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
        batch.base[i] = field.base[c]
    fill_permanent(u, BLOCK_WHO, batch.slot, batch.base, number, key, n, strata)
    normal_scores(u[LANE_LEVEL], scores, n)
    for i in range(n):
        batch.part_b_fixed[i] = population.part_b_episode_correlation * scores[i]
    _draw_specialty(population, u[LANE_SPECIALTY], batch, n)
    _draw_practice(population, u[LANE_PRACTICE], u[LANE_COLLECTION_TYPE], batch, n)
    _impose_attributes(population, cohort, prior, batch, n_roster)
    length = len(population.cost_log_shape)
    for i in range(n):
        persistence = batch.part_b_persistence[i]
        batch.part_b_innovation[i] = math.sqrt(1.0 - persistence * persistence)
        batch.part_b_table[i] = (batch.specialty[i] + 1) * length
    fill_permanent(u, BLOCK_MIX, batch.slot, batch.base, number, key, n, strata)
    normal_scores(u[LANE_HCC], batch.hcc_risk_score, n)
    normal_scores(u[LANE_DUAL], batch.dual_share, n)
    correlation = population.dual_hcc_correlation
    rest = math.sqrt(1.0 - correlation * correlation)
    for i in range(n_roster):
        hcc = prior.hcc_risk_score[cohort, batch.slot[i]]
        if hcc > 0.0:
            batch.hcc_risk_score[i] = (log(hcc) - population.hcc_log_mean) / population.hcc_log_sd
    for i in range(n):
        score = batch.hcc_risk_score[i]
        batch.hcc_risk_score[i] = population.hcc_log_mean + population.hcc_log_sd * score
        score = correlation * score + rest * batch.dual_share[i]
        batch.dual_share[i] = population.dual_log_mean + population.dual_log_sd * score
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
            fill_permanent(u, block, batch.slot, batch.base, number, key, n, strata)
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
