"""The scores of a roster's practices and clinicians in the first performance year of a draw.

First what areas and practices share, at once with what they shared in the past years of which something is
known; then everybody's own scores given that. From the first performance year on all scores move as
everybody's do.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline, inner
from asmrisk.population.latents import (
    COST,
    GENERAL,
    HABITS,
    NONREPORTING,
    OWN_DUAL,
    OWN_HCC,
    OWN_LATENT,
    OWN_LEVEL,
    OWN_PART_B,
    OWN_STATES,
    SHARED_HABITS,
    SPECIFIC,
    SUBMISSION,
)
from asmrisk.population.roster_habits import SHARED_HABIT_ROWS
from asmrisk.rule.definitions import MOST_MEASURES
from asmrisk.simulation.batches import normal_scores
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.keys import (
    BLOCK_CONDUCT,
    BLOCK_MEASURE,
    BLOCK_MIX,
    BLOCK_PERFORMANCE,
    BLOCK_ROSTER_AREA,
    BLOCK_ROSTER_HABITS,
    BLOCK_ROSTER_SHARED,
    BLOCK_WHO,
    FIRST_YEAR,
    GREATEST_UNIFORM,
    LANE_COST,
    LANE_DUAL,
    LANE_GENERAL,
    LANE_HCC,
    LANE_LEVEL,
    LANE_NONREPORTING,
    LANE_PART_B,
    LANE_SPECIFIC,
    LANE_SUBMISSION,
    LEAST_UNIFORM,
    PERMANENT,
    ROSTER_BLOCKS,
    ROSTER_PRACTICE,
    UNIFORMS_PER_BLOCK,
    Clinicians,
    fill_permanent,
    fill_uniforms,
    stream,
)
from asmrisk.simulation.normal import normal_probability, score_argument, score_from
from asmrisk.simulation.roster_prior import RosterPrior

__all__ = ["RosterScores", "draw_roster", "habit_row", "make_roster_scores", "start_conduct"]

#: Highest normal score of expected episodes: beyond, its probability would come too close to 1.
HIGHEST_LEVEL = 7.0
#: Keeps a division by an own part that has no weight from being one by 0.
_LEAST_WEIGHT = 1e-9
#: Rows of what is shared that both cohorts of a practice have in common; the others are each cohort's.
_COMMON_STATES, _COMMON_HABITS = OWN_LATENT + SPECIFIC, 1
_HABIT_ROWS = len(SHARED_HABIT_ROWS)


class RosterScores(NamedTuple):
    """Scores of one cohort's roster in one draw (workspace); rows as in `RosterPrior`."""

    shared: np.ndarray  # float64 (OWN_STATES + sites, P)
    shared_habits: np.ndarray  # float64 (rows + habit sites, P)
    own: np.ndarray  # float64 (OWN_STATES, most)
    habits: np.ndarray  # float64 (HABITS, most): own parts
    # Scratch.
    areas: np.ndarray  # float64 (OWN_STATES, areas)
    base: np.ndarray  # int64 (most of clinicians, P, areas): counter words of practices and areas
    uniforms: np.ndarray  # float64 (UNIFORMS_PER_BLOCK, most of these)
    innovations: np.ndarray  # float64 (most rows, most of these)


def make_roster_scores(prior: RosterPrior) -> RosterScores:
    """Allocate the scores of a roster whose prior has this size."""
    rows, habit_rows = prior.shared_mean.shape[1], prior.shared_habit_mean.shape[1]
    practices, most, areas = prior.practice_number.shape[1], prior.specialty.shape[1], len(prior.area_number)
    width = max(practices, most, areas)
    return RosterScores(
        shared=np.zeros((rows, practices)),
        shared_habits=np.zeros((habit_rows, practices)),
        own=np.zeros((OWN_STATES, most)),
        habits=np.zeros((HABITS, most)),
        areas=np.zeros((OWN_STATES, areas)),
        base=np.full(width, stream(ROSTER_PRACTICE, 0, 0, PERMANENT), np.int64),
        uniforms=np.zeros((UNIFORMS_PER_BLOCK, width)),
        innovations=np.zeros((max(rows, habit_rows), width)),
    )


@inline
def habit_row(habit: int) -> int:
    """Give the row of `SHARED_HABIT_ROWS` of a habit that colleagues share in part."""
    return 0 if habit == NONREPORTING else 1 + habit - SUBMISSION


@inner
def _draw_innovations(
    draw: CohortDraw,
    block: int,
    common: int,
    rows: int,
    number: np.ndarray,
    scores: RosterScores,
    n: int,
) -> None:
    """Draw normal scores, `rows` for each of n practices or areas, the first `common` of both cohorts."""
    u = scores.uniforms
    for row in range(rows):
        at = row if row < common else row - common
        first = block if row < common else block + ROSTER_BLOCKS * (1 + draw.cohort)
        lane = at % UNIFORMS_PER_BLOCK
        if lane == 0:
            which = first + at // UNIFORMS_PER_BLOCK
            fill_uniforms(u, which, number, scores.base, PERMANENT, draw.number, draw.key, 0, n)
        normal_scores(u[lane], scores.innovations[row], n)


@inner
def _add_rows(root: np.ndarray, innovations: np.ndarray, rows: int, out: np.ndarray, n: int) -> None:
    """Add lower triangular matrices, shape (rows, rows, n), times innovations to `out`, row by row."""
    for row in range(rows):
        for column in range(row + 1):
            factor = root[row, column]
            for i in range(n):
                out[row, i] += factor[i] * innovations[column, i]


@inner
def _share(draw: CohortDraw, scores: RosterScores) -> None:
    """Draw what a roster's areas and practices share."""
    prior, cohort = draw.prior, draw.cohort
    n, areas, shared = prior.practices[cohort], scores.areas, scores.shared
    rows, n_areas = shared.shape[0], areas.shape[1]
    areas[:] = 0.0
    _draw_innovations(draw, BLOCK_ROSTER_AREA, _COMMON_STATES, OWN_STATES, prior.area_number, scores, n_areas)
    _add_rows(prior.area_root[cohort], scores.innovations, OWN_STATES, areas, n_areas)
    number = prior.practice_number[cohort]
    _draw_innovations(draw, BLOCK_ROSTER_SHARED, _COMMON_STATES, rows, number, scores, n)
    for row in range(rows):
        for i in range(n):
            shared[row, i] = prior.shared_mean[cohort, row, i]
    _add_rows(prior.shared_root[cohort], scores.innovations, rows, shared, n)
    for i in range(n):
        area = prior.roster_area[cohort, i]
        if area >= 0:
            for row in range(rows):
                for state in range(OWN_STATES):
                    shared[row, i] += prior.shared_gain[cohort, row, state, i] * areas[state, area]
    habits = scores.shared_habits
    rows = habits.shape[0]
    _draw_innovations(draw, BLOCK_ROSTER_HABITS, _COMMON_HABITS, rows, number, scores, n)
    for row in range(rows):
        for i in range(n):
            habits[row, i] = prior.shared_habit_mean[cohort, row, i]
    _add_rows(prior.shared_habit_root[cohort], scores.innovations, rows, habits, n)


@inline
def _persistence_over(persistence: float, years: int) -> float:
    """Correlation of an AR(1) score with itself some years later."""
    power = 1.0
    for _ in range(years):
        power *= persistence
    return power


@inline
def _between(low: float, high: float, mean: float, sd: float, uniform: float) -> float:
    """Draw from a normal distribution between two scores."""
    below, above = normal_probability((low - mean) / sd), normal_probability((high - mean) / sd)
    within = min(max(below + uniform * (above - below), LEAST_UNIFORM), GREATEST_UNIFORM)
    score = mean + sd * score_from(within, score_argument(within))
    # Far out, where probabilities run out of digits, the nearer end.
    return min(max(score, low), high)


@inner
def start_conduct(
    prior: RosterPrior,
    cohort: int,
    habit: int,
    persistence: float,
    slot: np.ndarray,
    uniform: np.ndarray,
    score: np.ndarray,
    n: int,
) -> None:
    """Draw a habit of n practices in the first performance year, given what was observed of it.

    When it was last seen the habit lay between two scores; from then it moves on by as many years of the
    AR(1) as have passed.

    Parameters
    ----------
    habit : int
        Which habit, a row of `RosterPrior.habit_low`.
    persistence : float
        Correlation of one year with the next.
    slot : ndarray of int64, shape (at least n,)
        A clinician of each practice.
    uniform : ndarray of float64, shape (at least n,)
        Where the habit lay between its bounds.
    score : ndarray of float64, shape (at least n,)
        Standard normal scores; replaced by the habit's.
    """
    for i in range(n):
        years = prior.habit_years_since[cohort, habit, slot[i]]
        if years >= 0:
            low, high = prior.habit_low[cohort, habit, slot[i]], prior.habit_high[cohort, habit, slot[i]]
            kept = _persistence_over(persistence, years)
            seen = _between(low, high, 0.0, 1.0, uniform[i])
            score[i] = kept * seen + math.sqrt(1.0 - kept * kept) * score[i]


@inner
def _start_habit(
    draw: CohortDraw, habit: int, uniform: np.ndarray, score: np.ndarray, scores: RosterScores, n: int
) -> None:
    """Draw one's own part of a habit of n clinicians; `score` has standard normal innovations."""
    prior, cohort, shared = draw.prior, draw.cohort, scores.shared_habits
    persistence, own = draw.population.habit_persistence, scores.habits[habit]
    part = draw.population.area_share[SHARED_HABITS] + draw.population.practice_share[SHARED_HABITS]
    weight = max(math.sqrt(max(1.0 - part, 0.0)), _LEAST_WEIGHT)
    for i in range(n):
        own[i] = score[i]
        years = prior.habit_years_since[cohort, habit, i]
        if years >= 0:
            practice = prior.practice[cohort, i]
            mean = prior.habit_mean[cohort, habit, i]
            for site in range(prior.habit_gain.shape[2]):
                mean += prior.habit_gain[cohort, habit, site, i] * shared[_HABIT_ROWS + site, practice]
            low, high = prior.habit_low[cohort, habit, i], prior.habit_high[cohort, habit, i]
            seen = _between(low, high, mean, prior.habit_sd[cohort, habit, i], uniform[i])
            then = (seen - shared[_HABIT_ROWS + prior.habit_site[cohort, habit, i], practice]) / weight
            kept = _persistence_over(persistence, years)
            own[i] = kept * then + math.sqrt(1.0 - kept * kept) * score[i]


@inner
def draw_roster(draw: CohortDraw, who: Clinicians, scores: RosterScores) -> None:
    """Draw the scores of a cohort's roster in the first performance year.

    Parameters
    ----------
    draw : CohortDraw
        What the cohort reads.
    who : Clinicians
        The roster's clinicians first, each in its slot.
    scores : RosterScores
        Written.
    """
    prior, cohort, key = draw.prior, draw.cohort, draw.key
    n = prior.clinicians[cohort]
    if n == 0:
        return
    _share(draw, scores)
    u, new, own, strata = scores.uniforms, scores.innovations, scores.own, draw.population.strata
    number, base = who.number, who.base
    fill_permanent(u, BLOCK_WHO, who, draw.number, key, n, cohort, strata)
    normal_scores(u[LANE_LEVEL], new[OWN_LEVEL], n)
    fill_permanent(u, BLOCK_MIX, who, draw.number, key, n, cohort, strata)
    normal_scores(u[LANE_HCC], new[OWN_HCC], n)
    normal_scores(u[LANE_DUAL], new[OWN_DUAL], n)
    fill_uniforms(u, BLOCK_CONDUCT, number, base, FIRST_YEAR, draw.number, key, 0, n)
    normal_scores(u[LANE_PART_B], new[OWN_PART_B], n)
    fill_uniforms(u, BLOCK_PERFORMANCE, number, base, FIRST_YEAR, draw.number, key, 0, n)
    normal_scores(u[LANE_GENERAL], new[OWN_LATENT + GENERAL], n)
    normal_scores(u[LANE_COST], new[OWN_LATENT + COST], n)
    for measure in range(MOST_MEASURES):
        fill_uniforms(u, BLOCK_MEASURE + measure, number, base, FIRST_YEAR, draw.number, key, 0, n)
        normal_scores(u[LANE_SPECIFIC], new[OWN_LATENT + SPECIFIC + measure], n)
    for state in range(OWN_STATES):
        for i in range(n):
            own[state, i] = prior.own_mean[cohort, state, i]
        for site in range(prior.own_gain.shape[2]):
            gain, common = prior.own_gain[cohort, state, site], scores.shared[OWN_STATES + site]
            for i in range(n):
                own[state, i] += gain[i] * common[prior.practice[cohort, i]]
    _add_rows(prior.own_root[cohort], new, OWN_STATES, own, n)
    for i in range(n):
        own[OWN_LEVEL, i] = min(own[OWN_LEVEL, i], HIGHEST_LEVEL)
    fill_uniforms(u, BLOCK_PERFORMANCE, number, base, FIRST_YEAR, draw.number, key, 0, n)
    normal_scores(u[LANE_NONREPORTING], new[0], n)
    fill_uniforms(u, BLOCK_PERFORMANCE, number, base, PERMANENT, draw.number, key, 0, n)
    _start_habit(draw, NONREPORTING, u[LANE_NONREPORTING], new[0], scores, n)
    for measure in range(MOST_MEASURES):
        fill_uniforms(u, BLOCK_MEASURE + measure, number, base, FIRST_YEAR, draw.number, key, 0, n)
        normal_scores(u[LANE_SUBMISSION], new[0], n)
        fill_uniforms(u, BLOCK_MEASURE + measure, number, base, PERMANENT, draw.number, key, 0, n)
        _start_habit(draw, SUBMISSION + measure, u[LANE_SUBMISSION], new[0], scores, n)
