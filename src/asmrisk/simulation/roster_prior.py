"""The prior of a roster: what is known of a user's own clinicians, in place of the synthetic distribution.

A roster's clinicians hold the first slots of their cohort, from the first performance year until they leave.
What is known of one is a value, or a distribution that replaces the synthetic one: a normal score with a mean
and a standard deviation, an interval of probabilities. What is not known is drawn as for everybody else, from
the same uniforms.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inner
from asmrisk.population.latents import HABITS, LATENT_STATES
from asmrisk.rule.definitions import CALENDAR, COHORTS, MOST_MEASURES
from asmrisk.simulation.batches import normal_scores
from asmrisk.simulation.keys import GREATEST_UNIFORM, LEAST_UNIFORM

__all__ = [
    "RosterPrior",
    "empty_prior",
    "level_score",
    "part_b_score",
    "start_habit",
    "start_state",
]

#: Highest normal score of expected episodes.
HIGHEST_LEVEL = 7.0


class RosterPrior(NamedTuple):
    """What is known of a roster's clinicians; `most` is the larger cohort's number of them."""

    clinicians: np.ndarray  # int64 (cohorts,): how many
    specialty: np.ndarray  # int64 (cohorts, most): code
    practice_size: np.ndarray  # int64 (cohorts, most): clinicians in the practice
    practice: np.ndarray  # int64 (cohorts, most): index of the practice, ascending
    member: np.ndarray  # int64 (cohorts, most): place in the practice
    practices: np.ndarray  # int64 (cohorts,): how many practices
    practice_number: np.ndarray  # int64 (cohorts, most): of each practice, in its counter words
    area: np.ndarray  # int64 (cohorts, most): of each practice; -1 not known
    collection_type: np.ndarray  # int64 (cohorts, most): code of the clinician's choice; -1 not known
    hcc_risk_score: np.ndarray  # float64 (cohorts, most); NaN not known
    dual_share: np.ndarray  # float64 (cohorts, most); NaN not known
    level_mean: np.ndarray  # float64 (cohorts, most): normal score of the expected episodes
    level_sd: np.ndarray  # float64 (cohorts, most)
    #: From two years before the first performance year; -1 not known.
    episodes: np.ndarray  # int64 (cohorts, CALENDAR, most)
    part_b_score: np.ndarray  # float64 (cohorts, most): normal score of the known Part B payments
    part_b_factor: np.ndarray  # float64 (cohorts, most): known dollars over the distribution's at that score
    years_since: np.ndarray  # int64 (cohorts, most): from the known payments to the first performance year
    case_log_mean: (
        np.ndarray
    )  # float64 (cohorts, MOST_MEASURES, most): log of eligible cases a year; NaN not known
    case_log_sd: np.ndarray  # float64 (cohorts, MOST_MEASURES, most)
    #: Rows as `asmrisk.population.latents` says.
    state_mean: np.ndarray  # float64 (cohorts, LATENT_STATES, most): latents in the first performance year
    #: Lower Cholesky factor of their covariance.
    state_root: np.ndarray  # float64 (cohorts, LATENT_STATES, LATENT_STATES, most)
    habit_low: np.ndarray  # float64 (cohorts, HABITS, most): probabilities between which the habit lay
    habit_high: np.ndarray  # float64 (cohorts, HABITS, most)
    habit_years_since: np.ndarray  # int64 (cohorts, HABITS, most): from then to the first performance year


def empty_prior(most: int = 0) -> RosterPrior:
    """Allocate a prior for up to `most` clinicians of a cohort that knows nothing and counts nobody."""
    cohorts = len(COHORTS)
    root = np.zeros((cohorts, LATENT_STATES, LATENT_STATES, most))
    root[:, np.arange(LATENT_STATES), np.arange(LATENT_STATES)] = 1.0
    return RosterPrior(
        clinicians=np.zeros(cohorts, np.int64),
        specialty=np.zeros((cohorts, most), np.int64),
        practice_size=np.ones((cohorts, most), np.int64),
        practice=np.zeros((cohorts, most), np.int64),
        member=np.zeros((cohorts, most), np.int64),
        practices=np.zeros(cohorts, np.int64),
        practice_number=np.zeros((cohorts, most), np.int64),
        area=np.full((cohorts, most), -1, np.int64),
        collection_type=np.full((cohorts, most), -1, np.int64),
        hcc_risk_score=np.full((cohorts, most), np.nan),
        dual_share=np.full((cohorts, most), np.nan),
        level_mean=np.zeros((cohorts, most)),
        level_sd=np.ones((cohorts, most)),
        episodes=np.full((cohorts, CALENDAR, most), -1, np.int64),
        part_b_score=np.zeros((cohorts, most)),
        part_b_factor=np.ones((cohorts, most)),
        years_since=np.zeros((cohorts, most), np.int64),
        case_log_mean=np.full((cohorts, MOST_MEASURES, most), np.nan),
        case_log_sd=np.ones((cohorts, MOST_MEASURES, most)),
        state_mean=np.zeros((cohorts, LATENT_STATES, most)),
        state_root=root,
        habit_low=np.zeros((cohorts, HABITS, most)),
        habit_high=np.ones((cohorts, HABITS, most)),
        habit_years_since=np.zeros((cohorts, HABITS, most), np.int64),
    )


@inner
def level_score(prior: RosterPrior, cohort: int, slot: int, score: float) -> float:
    """Draw the normal score of a roster clinician's expected episodes from a standard normal one."""
    drawn: float = prior.level_mean[cohort, slot] + prior.level_sd[cohort, slot] * score
    # Beyond, its probability would come too close to 1 for a quantile function.
    return min(drawn, HIGHEST_LEVEL)


@inner
def _persistence_over(persistence: float, years: int) -> float:
    """Correlation of an AR(1) score with itself some years later."""
    power = 1.0
    for _ in range(years):
        power *= persistence
    return power


@inner
def part_b_score(
    prior: RosterPrior,
    cohort: int,
    slot: int,
    share: float,
    fixed: float,
    persistence: float,
    innovation: float,
) -> float:
    """Draw the moving part of the normal score of Part B in the first performance year.

    It follows from the score of the known payments by as many years of the AR(1) as lie between.

    Parameters
    ----------
    share : float
        Correlation of Part B with episodes.
    fixed : float
        The permanent part of the score.
    persistence : float
        Correlation of the moving part of one year with the next.
    innovation : float
        Standard normal score.

    Returns
    -------
    float
        A normal score.
    """
    kept = _persistence_over(persistence, prior.years_since[cohort, slot])
    known = (prior.part_b_score[cohort, slot] - fixed) / math.sqrt(1.0 - share * share)
    score: float = kept * known + math.sqrt(1.0 - kept * kept) * innovation
    return score


@inner
def start_habit(
    prior: RosterPrior,
    cohort: int,
    habit: int,
    persistence: float,
    slot: np.ndarray,
    uniform: np.ndarray,
    score: np.ndarray,
    scratch: np.ndarray,
    n_roster: int,
) -> None:
    """Draw a habit of a roster's clinicians in the first performance year, given what was observed of it.

    When it was observed the habit lay between two probabilities: uniformly, so it is drawn from there. Then
    it moves on by as many years of the AR(1) as have passed.

    Parameters
    ----------
    habit : int
        Which habit, a row of `RosterPrior.habit_low`.
    persistence : float
        Correlation of one year with the next.
    slot : ndarray of int64, shape (at least n_roster,)
        The clinicians.
    uniform : ndarray of float64, shape (at least n_roster,)
        Where the habit lay between its bounds.
    score : ndarray of float64, shape (at least n_roster,)
        Standard normal scores; replaced by the habit's.
    scratch : ndarray of float64, shape (at least 2, at least n_roster)
        Workspace.
    """
    low, high = prior.habit_low[cohort, habit], prior.habit_high[cohort, habit]
    probability, observed = scratch[0], scratch[1]
    for i in range(n_roster):
        within = low[slot[i]] + uniform[i] * (high[slot[i]] - low[slot[i]])
        probability[i] = min(max(within, LEAST_UNIFORM), GREATEST_UNIFORM)
    normal_scores(probability, observed, n_roster)
    for i in range(n_roster):
        known = high[slot[i]] - low[slot[i]] < 1.0
        years = prior.habit_years_since[cohort, habit, slot[i]]
        kept = _persistence_over(persistence, years) if known else 0.0
        score[i] = kept * observed[i] + math.sqrt(1.0 - kept * kept) * score[i]


@inner
def start_state(
    prior: RosterPrior,
    cohort: int,
    state: int,
    slot: np.ndarray,
    innovations: np.ndarray,
    score: np.ndarray,
    n_roster: int,
) -> None:
    """Draw a latent state of a roster's clinicians in the first performance year from the prior.

    The states of a clinician are jointly normal: each is its mean plus its row of the Cholesky factor times
    the innovations of itself and the states before it. So they must be started in their order.

    Parameters
    ----------
    state : int
        Which state, a row of `RosterPrior.state_mean`.
    slot : ndarray of int64, shape (at least n_roster,)
        The clinicians.
    innovations : ndarray of float64, shape (LATENT_STATES, at least n_roster)
        Standard normal scores of the states before this one; this one's are added.
    score : ndarray of float64, shape (at least n_roster,)
        Standard normal scores; replaced by the state's.
    """
    mean = prior.state_mean[cohort, state]
    for i in range(n_roster):
        innovations[state, i] = score[i]
        score[i] = mean[slot[i]]
    # Column by column: a column of all clinicians is contiguous.
    for column in range(state + 1):
        root = prior.state_root[cohort, state, column]
        for i in range(n_roster):
            score[i] += root[slot[i]] * innovations[column, i]
