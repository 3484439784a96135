"""What a clinician keeps for life: specialty, practice, collection type, patients, levels.

The clinicians of a roster come first in their strip; what is known of them takes the place of what is drawn.
"""

from __future__ import annotations

import math

import numpy as np

from asmrisk.numerics.jit import inner
from asmrisk.numerics.portable_math import log
from asmrisk.simulation.batches import exponentials, normal_scores, set_beyond
from asmrisk.simulation.keys import BLOCK_CASES, BLOCK_MIX, BLOCK_WHO, fill_permanent
from asmrisk.simulation.participation import Field
from asmrisk.simulation.roster_prior import Known, level_score
from asmrisk.simulation.state import LANES, PLACES, Strip

__all__ = ["draw_attributes"]

#: Classes of practice size: solo, 2-5, 6-15, more. The last, and all beyond it, is large in results.
SILENCE_CLASSES = 4
FIRST_LARGE = 3


@inner
def _know_attributes(population: np.record, cohort: int, known: Known, strip: Strip, m: int) -> None:
    """Put what is known of a roster's m clinicians in the place of what was drawn."""
    for i in range(m):
        slot = strip.slot[i]
        strip.specialty[i] = known.specialty[cohort, slot]
        level = population.part_b_level[strip.specialty[i]]
        strip.part_b_level[i] = level * known.part_b_factor[cohort, slot]
        strip.part_b_kept[i] = population.part_b_persistence[strip.specialty[i]]
        size = known.practice_size[cohort, slot]
        strip.practice_size[i] = size
        group = 0
        while group < population.practice_high.shape[0] - 1 and size > population.practice_high[group]:
            group += 1
        strip.silence_limit[i] = population.nothing_reported_z[min(group, SILENCE_CLASSES - 1)]
        strip.size_class[i] = 0 if group == 0 else (1 if group < FIRST_LARGE else 2)
        chosen = 0 if strip.uniforms[3, i] < population.ecqm_share[strip.size_class[i]] else 1
        given = known.collection_type[cohort, slot]
        strip.collection_type[i] = given if given >= 0 else chosen
        score = level_score(known, cohort, slot, strip.scores[i])
        strip.part_b_fixed[i] = population.part_b_episode_correlation * score


@inner
def _draw_specialty(population: np.record, uniform: np.ndarray, strip: Strip, n: int) -> None:
    """Draw specialties, and what of Part B depends on them: class by class, so that loops become vectors."""
    for i in range(n):
        strip.specialty[i] = 0
        strip.part_b_level[i] = population.part_b_level[0]
        strip.part_b_kept[i] = population.part_b_persistence[0]
    for specialty in range(1, len(population.specialty_cumulative)):
        edge = population.specialty_cumulative[specialty - 1]
        level, kept = population.part_b_level[specialty], population.part_b_persistence[specialty]
        if edge < 1.0:
            set_beyond(uniform, edge, level, strip.part_b_level, n)
            set_beyond(uniform, edge, kept, strip.part_b_kept, n)
            for i in range(n):
                strip.specialty[i] = specialty if uniform[i] >= edge else strip.specialty[i]


@inner
def _draw_practice(
    population: np.record, size_uniform: np.ndarray, type_uniform: np.ndarray, strip: Strip, n: int
) -> None:
    """Draw practice sizes and collection types, class by class, so that loops become vector instructions."""
    below, share, low, width = strip.past[0], strip.past[1], strip.past[2], strip.past[3]
    cumulative, least, most = (
        population.practice_cumulative,
        population.practice_low,
        population.practice_high,
    )
    for group in range(len(cumulative)):
        under = cumulative[group - 1] if group > 0 else 0.0
        size_class = 0 if group == 0 else (1 if group < FIRST_LARGE else 2)
        set_beyond(size_uniform, under, under, below, n)
        set_beyond(size_uniform, under, cumulative[group] - under, share, n)
        set_beyond(size_uniform, under, float(least[group]), low, n)
        set_beyond(size_uniform, under, float(most[group] - least[group] + 1), width, n)
        limit = population.nothing_reported_z[min(group, SILENCE_CLASSES - 1)]
        set_beyond(size_uniform, under, limit, strip.silence_limit, n)
        ecqm = population.ecqm_share[size_class]
        for i in range(n):
            beyond = size_uniform[i] >= under
            strip.size_class[i] = size_class if beyond else strip.size_class[i]
            chosen = 0 if type_uniform[i] < ecqm else 1
            strip.collection_type[i] = chosen if beyond else strip.collection_type[i]
    for i in range(n):
        # The uniform's place within its class picks the size, so that one uniform makes one variate.
        within = (size_uniform[i] - below[i]) / share[i]
        strip.practice_size[i] = int(low[i] + min(float(int(within * width[i])), width[i] - 1.0))


@inner
def draw_attributes(
    population: np.record,
    cohort: int,
    draw: int,
    key: np.ndarray,
    known: Known,
    field: Field,
    strip: Strip,
    n: int,
    m: int,
) -> None:
    """Draw what a clinician keeps for life: specialty, practice, collection type, patients, levels.

    The first m clinicians of the strip are a roster's: what is known of them takes the place of the drawn.
    """
    u = strip.uniforms
    scores = strip.scores
    strata = population.strata
    for i in range(n):
        c = strip.chosen[i]
        strip.slot[i] = field.slot[c]
        strip.base[i] = field.base[c]
    fill_permanent(u, BLOCK_WHO, strip.slot, strip.base, draw, key, n, strata)
    normal_scores(u[0], scores, n)
    for i in range(n):
        strip.part_b_fixed[i] = population.part_b_episode_correlation * scores[i]
    _draw_specialty(population, u[1], strip, n)
    _draw_practice(population, u[2], u[3], strip, n)
    _know_attributes(population, cohort, known, strip, m)
    length = len(population.cost_log_shape)
    for i in range(n):
        strip.part_b_new[i] = math.sqrt(1.0 - strip.part_b_kept[i] * strip.part_b_kept[i])
        strip.part_b_table[i] = (strip.specialty[i] + 1) * length
    fill_permanent(u, BLOCK_MIX, strip.slot, strip.base, draw, key, n, strata)
    normal_scores(u[0], strip.hcc_risk_score, n)
    normal_scores(u[1], strip.dual_share, n)
    correlation = population.dual_hcc_correlation
    rest = math.sqrt(1.0 - correlation * correlation)
    for i in range(m):
        hcc = known.hcc_risk_score[cohort, strip.slot[i]]
        if hcc > 0.0:
            strip.hcc_risk_score[i] = (log(hcc) - population.hcc_log_mean) / population.hcc_log_sd
    for i in range(n):
        score = strip.hcc_risk_score[i]
        strip.hcc_risk_score[i] = population.hcc_log_mean + population.hcc_log_sd * score
        score = correlation * score + rest * strip.dual_share[i]
        strip.dual_share[i] = population.dual_log_mean + population.dual_log_sd * score
    exponentials(strip.hcc_risk_score, n)
    exponentials(strip.dual_share, n)
    for i in range(n):
        strip.dual_share[i] = min(strip.dual_share[i], 1.0)
    for i in range(m):
        hcc = known.hcc_risk_score[cohort, strip.slot[i]]
        dual = known.dual_share[cohort, strip.slot[i]]
        strip.hcc_risk_score[i] = hcc if hcc > 0.0 else strip.hcc_risk_score[i]
        strip.dual_share[i] = dual if dual >= 0.0 else strip.dual_share[i]
    spread = population.cases_log_sd
    for place in range(PLACES):
        if place % LANES == 0:
            fill_permanent(u, BLOCK_CASES + place // LANES, strip.slot, strip.base, draw, key, n, strata)
        level = strip.case_level[place]
        normal_scores(u[place % LANES], level, n)
        for i in range(m):
            mean = known.case_log_mean[cohort, place, strip.slot[i]]
            scores[i] = mean + known.case_log_sd[cohort, place, strip.slot[i]] * level[i]
        exponentials(scores, m)
        for i in range(n):
            level[i] = spread * level[i] - 0.5 * spread * spread
        exponentials(level, n)
        for i in range(n):
            level[i] *= population.cases_factor[place] * field.level[strip.chosen[i]]
        for i in range(m):
            level[i] = scores[i] if scores[i] > 0.0 else level[i]
