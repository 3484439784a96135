"""What taking part costs: staff and software, incentives to patients, collaborative care, telehealth."""

from __future__ import annotations

import numpy as np

from asmrisk.numerics.jit import inline, inner
from asmrisk.rule.cohort import ACO_EXEMPT
from asmrisk.rule.definitions import size_class
from asmrisk.simulation.practices import by_size
from asmrisk.simulation.state import Observations

__all__ = ["cost_participation"]

_size_class = inline(size_class)


@inner
def cost_participation(
    policy: np.record, behavior: np.record, out: Observations, year: int, n: int, cost: np.ndarray
) -> None:
    """Write what taking part costs a year's measured clinicians (negative: saves them).

    Each has the cost of its practice size, and for each beneficiary that of incentives and telehealth, and
    of collaborative care where both improvement activities are attested. Who is exempt as an ACO
    participant has no cost; an arrangement that ACO membership stands for costs nothing.

    Parameters
    ----------
    policy, behavior : numpy.record
        Of the performance year, POLICY_DTYPE and BEHAVIOR_DTYPE.
    out : Observations
        Of the cohort.
    year, n : int
        Performance year, counted from the first, and measured clinicians.
    cost : ndarray of float64, shape (at least n,)
        Receives dollars of the performance year.
    """
    episodes, activities, aco = out.episodes[year], out.improvement_activities[year], out.aco[year]
    size, stays = out.practice_size[year], policy.aco_participants == ACO_EXEMPT
    solo, small, large = by_size(behavior.participation_cost)
    per_episode, common = behavior.beneficiaries_per_episode, behavior.beneficiary_cost
    collaborative = behavior.collaborative_care_cost
    for i in range(n):
        kind = _size_class(size[i])
        own = solo if kind == 0 else large
        own = small if kind == 1 else own
        each = common + (collaborative if activities[i] >= 2 else 0.0)
        taking_part = not (stays and aco[i] != 0)
        cost[i] = own + per_episode * episodes[i] * each if taking_part else 0.0
