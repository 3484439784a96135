"""What the kernels read: everything that a draw depends on besides its number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.simulation.roster_prior import RosterPrior

__all__ = ["CohortDraw", "KernelInputs"]


class KernelInputs(NamedTuple):
    """What a draw depends on besides its number."""

    policy: np.recarray  # POLICY_DTYPE (YEARS,)
    population: np.recarray  # POPULATION_DTYPE (cohorts,)
    behavior: np.recarray  # BEHAVIOR_DTYPE (CALENDAR,)
    key: np.ndarray  # uint64 (2,): halves of the seed
    roster_prior: RosterPrior


class CohortDraw(NamedTuple):
    """What one cohort of one draw reads; made inside the kernel."""

    population: np.record  # POPULATION_DTYPE
    behavior: np.recarray  # BEHAVIOR_DTYPE (CALENDAR,)
    cohort: int
    number: int  # of the draw
    key: np.ndarray  # uint64 (2,)
    prior: RosterPrior
