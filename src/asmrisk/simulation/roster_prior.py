"""The prior of a roster: what is known of a user's own clinicians, in place of the synthetic distribution.

A roster's clinicians hold the first slots of their cohort, from the first performance year until they leave.
What is known of one is a value, or a distribution that replaces the synthetic one: of the scores that
colleagues share, and of own ones given these (`asmrisk.population.roster_posterior`). What is not known is
drawn as for everybody else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.population.latents import HABITS, OWN_STATES
from asmrisk.population.roster_habits import FARTHEST, SHARED_HABIT_ROWS
from asmrisk.rule.definitions import CALENDAR, COHORTS, MOST_MEASURES

__all__ = ["PriorSize", "RosterPrior", "empty_prior"]


class PriorSize(NamedTuple):
    """How much a prior holds, of the cohort that has most."""

    clinicians: int = 0
    practices: int = 0
    areas: int = 0
    sites: int = 0  #: combinations of scores of which something is known in some year
    habit_sites: int = 0


class RosterPrior(NamedTuple):
    """What is known of a roster's clinicians: up to `most` of a cohort, in up to P practices.

    Own scores have rows as `asmrisk.population.latents` says (`OWN_STATES`). Shared scores have these rows in
    the first performance year, then one for each site of a past year; habits likewise, with rows as
    `SHARED_HABIT_ROWS` says.
    """

    clinicians: np.ndarray  # int64 (cohorts,): how many
    specialty: np.ndarray  # int64 (cohorts, most): code
    practice_size: np.ndarray  # int64 (cohorts, most): clinicians in the practice
    practice: np.ndarray  # int64 (cohorts, most): index of the practice, ascending
    member: np.ndarray  # int64 (cohorts, most): place in the practice
    practices: np.ndarray  # int64 (cohorts,): how many practices
    practice_number: np.ndarray  # int64 (cohorts, P): of each practice, in its counter words
    area: np.ndarray  # int64 (cohorts, P): of each practice; -1 not known
    region: np.ndarray  # int64 (cohorts, P): of each practice whose area is not known; -1 not known
    aco: np.ndarray  # int64 (cohorts, P): 1 for a practice in an accountable care organization; -1 not known
    exempt: np.ndarray  # int64 (cohorts, most): 1 if so in the first performance year; -1 not known
    collection_type: np.ndarray  # int64 (cohorts, most): code of the practice's choice; -1 not known
    hcc_risk_score: np.ndarray  # float64 (cohorts, most); NaN not known
    dual_share: np.ndarray  # float64 (cohorts, most); NaN not known
    #: Normal score of the expected episodes, whatever is shared.
    level_mean: np.ndarray  # float64 (cohorts, most)
    level_sd: np.ndarray  # float64 (cohorts, most)
    #: From two years before the first performance year; -1 not known.
    episodes: np.ndarray  # int64 (cohorts, CALENDAR, most)
    part_b_factor: np.ndarray  # float64 (cohorts, most): known dollars over the distribution's at their score
    case_log_mean: (
        np.ndarray
    )  # float64 (cohorts, MOST_MEASURES, most): log of eligible cases a year; NaN not known
    case_log_sd: np.ndarray  # float64 (cohorts, MOST_MEASURES, most)
    # What is shared: lower triangular roots of covariances.
    roster_area: np.ndarray  # int64 (cohorts, P): index of the practice's area in the roster; -1 not known
    area_number: np.ndarray  # int64 (areas,): in counter words
    area_root: np.ndarray  # float64 (cohorts, OWN_STATES, OWN_STATES, areas)
    shared_mean: np.ndarray  # float64 (cohorts, OWN_STATES + sites, P)
    shared_root: np.ndarray  # float64 (cohorts, OWN_STATES + sites, OWN_STATES + sites, P): given the area
    #: For each unit by which the area's scores differ from their mean.
    shared_gain: np.ndarray  # float64 (cohorts, OWN_STATES + sites, OWN_STATES, P)
    # Own scores, standardized, given what is shared at the sites.
    own_mean: np.ndarray  # float64 (cohorts, OWN_STATES, most)
    own_gain: np.ndarray  # float64 (cohorts, OWN_STATES, sites, most)
    own_root: np.ndarray  # float64 (cohorts, OWN_STATES, OWN_STATES, most)
    # Habits: between which scores each was last seen; normal given what is shared at the sites.
    habit_low: np.ndarray  # float64 (cohorts, HABITS, most)
    habit_high: np.ndarray  # float64 (cohorts, HABITS, most)
    habit_years_since: np.ndarray  # int64 (cohorts, HABITS, most): to the first performance year; -1 never
    habit_mean: np.ndarray  # float64 (cohorts, HABITS, most)
    habit_sd: np.ndarray  # float64 (cohorts, HABITS, most)
    habit_gain: np.ndarray  # float64 (cohorts, HABITS, habit sites, most)
    habit_site: np.ndarray  # int64 (cohorts, HABITS, most): when it was last seen
    shared_habit_mean: np.ndarray  # float64 (cohorts, rows + habit sites, P)
    shared_habit_root: np.ndarray  # float64 (cohorts, rows + habit sites, rows + habit sites, P)


_NOBODY = PriorSize()


def empty_prior(size: PriorSize = _NOBODY) -> RosterPrior:
    """Allocate a prior that knows nothing and counts nobody."""
    cohorts, most, practices = len(COHORTS), size.clinicians, size.practices
    root = np.zeros((cohorts, OWN_STATES, OWN_STATES, most))
    root[:, np.arange(OWN_STATES), np.arange(OWN_STATES)] = 1.0
    shared, habits = OWN_STATES + size.sites, len(SHARED_HABIT_ROWS) + size.habit_sites
    return RosterPrior(
        clinicians=np.zeros(cohorts, np.int64),
        specialty=np.zeros((cohorts, most), np.int64),
        practice_size=np.ones((cohorts, most), np.int64),
        practice=np.zeros((cohorts, most), np.int64),
        member=np.zeros((cohorts, most), np.int64),
        practices=np.zeros(cohorts, np.int64),
        practice_number=np.zeros((cohorts, practices), np.int64),
        area=np.full((cohorts, practices), -1, np.int64),
        region=np.full((cohorts, practices), -1, np.int64),
        aco=np.full((cohorts, practices), -1, np.int64),
        exempt=np.full((cohorts, most), -1, np.int64),
        collection_type=np.full((cohorts, most), -1, np.int64),
        hcc_risk_score=np.full((cohorts, most), np.nan),
        dual_share=np.full((cohorts, most), np.nan),
        level_mean=np.zeros((cohorts, most)),
        level_sd=np.ones((cohorts, most)),
        episodes=np.full((cohorts, CALENDAR, most), -1, np.int64),
        part_b_factor=np.ones((cohorts, most)),
        case_log_mean=np.full((cohorts, MOST_MEASURES, most), np.nan),
        case_log_sd=np.ones((cohorts, MOST_MEASURES, most)),
        roster_area=np.full((cohorts, practices), -1, np.int64),
        area_number=np.zeros(size.areas, np.int64),
        area_root=np.zeros((cohorts, OWN_STATES, OWN_STATES, size.areas)),
        shared_mean=np.zeros((cohorts, shared, practices)),
        shared_root=np.zeros((cohorts, shared, shared, practices)),
        shared_gain=np.zeros((cohorts, shared, OWN_STATES, practices)),
        own_mean=np.zeros((cohorts, OWN_STATES, most)),
        own_gain=np.zeros((cohorts, OWN_STATES, size.sites, most)),
        own_root=root,
        habit_low=np.full((cohorts, HABITS, most), -FARTHEST),
        habit_high=np.full((cohorts, HABITS, most), FARTHEST),
        habit_years_since=np.full((cohorts, HABITS, most), -1, np.int64),
        habit_mean=np.zeros((cohorts, HABITS, most)),
        habit_sd=np.ones((cohorts, HABITS, most)),
        habit_gain=np.zeros((cohorts, HABITS, size.habit_sites, most)),
        habit_site=np.zeros((cohorts, HABITS, most), np.int64),
        shared_habit_mean=np.zeros((cohorts, habits, practices)),
        shared_habit_root=np.zeros((cohorts, habits, habits, practices)),
    )
