"""What is known of a user's own clinicians, and how it takes the place of what would be drawn.

A roster's clinicians hold the first slots of their cohort, from the first performance year until they leave.
What is known of one is given as a value, or as a distribution that replaces the synthetic one: a normal
score with a mean and a standard deviation, an interval of probabilities. What is not known is drawn as for
everybody else, from the same uniforms.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inner
from asmrisk.population.latents import HABITS, LATENT_STATES
from asmrisk.rule.definitions import COHORTS, PLACES
from asmrisk.simulation.batches import normal_scores
from asmrisk.simulation.keys import GREATEST_UNIFORM, LEAST_UNIFORM

__all__ = [
    "Known",
    "level_score",
    "nobody_known",
    "part_b_score",
    "start_habit",
    "start_state",
]

#: Highest normal score of expected episodes.
HIGHEST_LEVEL = 7.0


class Known(NamedTuple):
    """What is known of the roster's clinicians; `most` is the larger cohort's number of them."""

    clinicians: np.ndarray  # int64 (cohorts,): how many
    specialty: np.ndarray  # int64 (cohorts, most): code
    practice_size: np.ndarray  # int64 (cohorts, most): clinicians in the practice
    collection_type: np.ndarray  # int64 (cohorts, most): code of the clinician's choice; -1 not known
    hcc_risk_score: np.ndarray  # float64 (cohorts, most); NaN not known
    dual_share: np.ndarray  # float64 (cohorts, most); NaN not known
    level_mean: np.ndarray  # float64 (cohorts, most): normal score of the expected episodes
    level_sd: np.ndarray  # float64 (cohorts, most)
    episodes: (
        np.ndarray
    )  # int64 (cohorts, CALENDAR, most): from two years before the first year; -1 not known
    part_b_score: np.ndarray  # float64 (cohorts, most): normal score of the known Part B payments
    part_b_factor: np.ndarray  # float64 (cohorts, most): known dollars over the distribution's at that score
    years_since: np.ndarray  # int64 (cohorts, most): from the known payments to the first performance year
    case_log_mean: np.ndarray  # float64 (cohorts, PLACES, most): log of eligible cases a year; NaN not known
    case_log_sd: np.ndarray  # float64 (cohorts, PLACES, most)
    #: Rows as `asmrisk.population.latents` says.
    state_mean: np.ndarray  # float64 (cohorts, LATENT_STATES, most): latents in the first performance year
    state_root: (
        np.ndarray
    )  # float64 (cohorts, LATENT_STATES, LATENT_STATES, most): lower Cholesky factor of their covariance
    habit_low: np.ndarray  # float64 (cohorts, HABITS, most): probabilities between which the habit lay
    habit_high: np.ndarray  # float64 (cohorts, HABITS, most)
    habit_years_since: np.ndarray  # int64 (cohorts, HABITS, most): from then to the first performance year


def nobody_known(most: int = 0) -> Known:
    """Make the arrays for a roster of which nothing is known yet.

    Parameters
    ----------
    most : int
        The larger cohort's number of clinicians.

    Returns
    -------
    Known
        With no clinician counted.
    """
    from asmrisk.simulation.participation import CALENDAR

    cohorts = len(COHORTS)
    root = np.zeros((cohorts, LATENT_STATES, LATENT_STATES, most))
    root[:, np.arange(LATENT_STATES), np.arange(LATENT_STATES)] = 1.0
    return Known(
        clinicians=np.zeros(cohorts, np.int64),
        specialty=np.zeros((cohorts, most), np.int64),
        practice_size=np.ones((cohorts, most), np.int64),
        collection_type=np.full((cohorts, most), -1, np.int64),
        hcc_risk_score=np.full((cohorts, most), np.nan),
        dual_share=np.full((cohorts, most), np.nan),
        level_mean=np.zeros((cohorts, most)),
        level_sd=np.ones((cohorts, most)),
        episodes=np.full((cohorts, CALENDAR, most), -1, np.int64),
        part_b_score=np.zeros((cohorts, most)),
        part_b_factor=np.ones((cohorts, most)),
        years_since=np.zeros((cohorts, most), np.int64),
        case_log_mean=np.full((cohorts, PLACES, most), np.nan),
        case_log_sd=np.ones((cohorts, PLACES, most)),
        state_mean=np.zeros((cohorts, LATENT_STATES, most)),
        state_root=root,
        habit_low=np.zeros((cohorts, HABITS, most)),
        habit_high=np.ones((cohorts, HABITS, most)),
        habit_years_since=np.zeros((cohorts, HABITS, most), np.int64),
    )


@inner
def level_score(known: Known, cohort: int, slot: int, score: float) -> float:
    """Draw the normal score of a known clinician's expected episodes from a fresh one."""
    drawn: float = known.level_mean[cohort, slot] + known.level_sd[cohort, slot] * score
    # Beyond, its probability would come too close to 1 for a quantile function.
    return min(drawn, HIGHEST_LEVEL)


@inner
def _kept(persistence: float, years: int) -> float:
    kept = 1.0
    for _ in range(years):
        kept *= persistence
    return kept


@inner
def _habit_score(
    known: Known, cohort: int, slot: int, row: int, persistence: float, before: float, fresh: float
) -> float:
    """Draw a habit of the first performance year from where it lay when it was observed.

    Parameters
    ----------
    known : Known
        The roster.
    cohort, slot, row : int
        Whose habit, and which.
    persistence : float
        Correlation of one year with the next.
    before : float
        Normal score of the habit when it was observed.
    fresh : float
        Normal score for what has changed since, or for the habit itself where nothing is known.

    Returns
    -------
    float
        A normal score.
    """
    told = known.habit_high[cohort, row, slot] - known.habit_low[cohort, row, slot] < 1.0
    kept = _kept(persistence, known.habit_years_since[cohort, row, slot]) if told else 0.0
    return kept * before + math.sqrt(1.0 - kept * kept) * fresh


@inner
def part_b_score(
    known: Known, cohort: int, slot: int, share: float, fixed: float, persistence: float, fresh: float
) -> float:
    """Draw the moving part of the normal score of Part B in the first performance year.

    Parameters
    ----------
    known : Known
        The roster.
    cohort, slot : int
        Whose.
    share : float
        Correlation of Part B with episodes.
    fixed : float
        The permanent part of the score.
    persistence : float
        Correlation of the moving part of one year with the next.
    fresh : float
        Normal score for what has changed since.

    Returns
    -------
    float
        A normal score.
    """
    kept = _kept(persistence, known.years_since[cohort, slot])
    before = (known.part_b_score[cohort, slot] - fixed) / math.sqrt(1.0 - share * share)
    score: float = kept * before + math.sqrt(1.0 - kept * kept) * fresh
    return score


@inner
def start_habit(
    known: Known,
    cohort: int,
    row: int,
    persistence: float,
    slot: np.ndarray,
    past: np.ndarray,
    habit: np.ndarray,
    probability: np.ndarray,
    before: np.ndarray,
    told: int,
) -> None:
    """Let a habit of a roster's clinicians follow, in their first year, from what was observed of it.

    Parameters
    ----------
    known : Known
        The roster.
    cohort, row : int
        Which habit.
    persistence : float
        Correlation of one year with the next.
    slot : ndarray of int64, shape (at least told,)
        Whose.
    past : ndarray of float64, shape (at least told,)
        Uniforms for where the habit lay when it was observed.
    habit : ndarray of float64, shape (at least told,)
        Normal scores for what has changed since; replaced by the habit's.
    probability, before : ndarray of float64, shape (at least told,)
        Workspace.
    told : int
        How many clinicians.
    """
    low, high = known.habit_low[cohort, row], known.habit_high[cohort, row]
    for i in range(told):
        within = low[slot[i]] + past[i] * (high[slot[i]] - low[slot[i]])
        probability[i] = min(max(within, LEAST_UNIFORM), GREATEST_UNIFORM)
    normal_scores(probability, before, told)
    for i in range(told):
        habit[i] = _habit_score(known, cohort, slot[i], row, persistence, before[i], habit[i])


@inner
def start_state(
    known: Known, cohort: int, row: int, slot: np.ndarray, fresh: np.ndarray, state: np.ndarray, told: int
) -> None:
    """Let a latent of a roster's clinicians start, in their first year, from what was observed of it.

    Parameters
    ----------
    known : Known
        The roster.
    cohort, row : int
        Which latent.
    slot : ndarray of int64, shape (at least told,)
        Whose.
    fresh : ndarray of float64, shape (LATENT_STATES, at least told)
        Normal scores of the latents before this one; this one's are added.
    state : ndarray of float64, shape (at least told,)
        Normal scores; replaced by the latent.
    told : int
        How many clinicians.
    """
    mean = known.state_mean[cohort, row]
    for i in range(told):
        fresh[row, i] = state[i]
        state[i] = mean[slot[i]]
    # Column by column, since a column of all clinicians lies side by side.
    for column in range(row + 1):
        root = known.state_root[cohort, row, column]
        for i in range(told):
            state[i] += root[slot[i]] * fresh[column, i]
