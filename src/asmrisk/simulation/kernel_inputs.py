"""What the kernels read: everything that a draw depends on besides its number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.rule.definitions import COHORTS
from asmrisk.simulation.roster_prior import RosterPrior

__all__ = ["CohortDraw", "KernelInputs", "PracticeList", "no_practice_list"]


class PracticeList(NamedTuple):
    """The practices of a participant list; `most` is the larger cohort's number of them."""

    practices: np.ndarray  # int64 (cohorts,): how many; 0 where practices are drawn
    members: np.ndarray  # int64 (cohorts, most)
    small: np.ndarray  # int8 (cohorts, most): 1 of up to 15 clinicians


def no_practice_list() -> PracticeList:
    """Give the list of a field whose practices are drawn."""
    cohorts = len(COHORTS)
    return PracticeList(
        np.zeros(cohorts, np.int64), np.zeros((cohorts, 0), np.int64), np.zeros((cohorts, 0), np.int8)
    )


class KernelInputs(NamedTuple):
    """What a draw depends on besides its number; several policies share what is drawn and observed."""

    policy: np.recarray  # POLICY_DTYPE (policies, YEARS)
    population: np.recarray  # POPULATION_DTYPE (cohorts,)
    behavior: np.recarray  # BEHAVIOR_DTYPE (policies, CALENDAR)
    key: np.ndarray  # uint64 (2,): halves of the seed
    roster_prior: RosterPrior
    practice_list: PracticeList


class CohortDraw(NamedTuple):
    """What one cohort of one draw reads; made inside the kernel."""

    population: np.record  # POPULATION_DTYPE
    behavior: np.recarray  # BEHAVIOR_DTYPE (CALENDAR,)
    cohort: int
    number: int  # of the draw
    key: np.ndarray  # uint64 (2,)
    prior: RosterPrior
    practice_list: PracticeList
