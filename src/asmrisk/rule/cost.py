"""Cost (42 CFR § 512.730): points by distance from the peers' median in standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asmrisk.jit import inline, kernel
from asmrisk.rule.definitions import PEER_GROUPS
from asmrisk.rule.groups import gather
from asmrisk.rule.order import mean_and_deviation, median
from asmrisk.rule.policy import CHOICES

if TYPE_CHECKING:
    from asmrisk.rule.arrays import Environment, Observed, Scored, Scratch

__all__ = ["interpolate_points", "score_cost"]

_BY_SPECIALTY = CHOICES["cost_peer_group"].index("specialty")


@inline
def score_cost(
    policy: np.record,
    observed: Observed,
    n: int,
    scored: Scored,
    environment: Environment,
    scratch: Scratch,
) -> None:
    """Score the cohort's cost measure.

    Parameters
    ----------
    policy : numpy.record
        One performance year's policy.
    observed : Observed
        The participants.
    n : int
        How many of them.
    scored : Scored
        Receives `cost_points`.
    environment : Environment
        Receives `cost_median`, `cost_sd` and `cost_peers`.
    scratch : Scratch
        Room.
    """
    cost, group, points = observed.cost_per_episode, scratch.group, scored.cost_points
    by_specialty = policy.cost_peer_group == _BY_SPECIALTY
    minimum = policy.minimum_episodes
    for i in range(n):
        scorable = observed.exempt[i] == 0 and observed.episodes[i] >= minimum and cost[i] == cost[i]
        together = observed.specialty[i] if by_specialty else 0
        group[i] = together if scorable else -1
        points[i] = np.nan

    environment.cost_median[:] = np.nan
    environment.cost_sd[:] = np.nan
    environment.cost_peers[:] = 0
    for code in range(PEER_GROUPS if by_specialty else 1):
        peers = gather(cost, group, code, n, scratch.members)
        if peers == 0:
            continue
        middle = median(scratch.members, peers, scratch.order)
        _, deviation = mean_and_deviation(scratch.members, peers, middle, scratch.order)
        environment.cost_peers[code] = peers
        environment.cost_median[code] = middle
        environment.cost_sd[code] = deviation
        # A deviation that is zero or undefined puts everybody at the median.
        divisor = deviation if deviation > 0.0 else np.inf
        for i in range(n):
            scratch.value[i] = (cost[i] - middle) / divisor
        interpolate_points(policy, group, code, n, scratch.value, points)


@kernel
def interpolate_points(
    policy: np.record,
    group: npt.NDArray[np.int64],
    code: int,
    n: int,
    z: npt.NDArray[np.float64],
    points: npt.NDArray[np.float64],
) -> None:
    """Give the members of one group their cost points: linear between the knots, flat outside.

    Parameters
    ----------
    policy : numpy.record
        One performance year's policy.
    group : ndarray of int64, shape (at least n,)
        Each participant's peer group.
    code : int
        The group to score.
    n : int
        Participants.
    z : ndarray of float64, shape (at least n,)
        Standard deviations above the median.
    points : ndarray of float64, shape (at least n,)
        Receives the points of the group's members.
    """
    knots, heights = policy.cost_points_z, policy.cost_points
    for k in range(len(knots)):
        start, height = knots[k], heights[k]
        last = k == len(knots) - 1
        slope = 0.0 if last else (heights[k + 1] - height) / (knots[k + 1] - start)
        if k == 0:
            for i in range(n):
                points[i] = height if group[i] == code else points[i]
        for i in range(n):
            inside = group[i] == code and z[i] > start
            points[i] = height + (z[i] - start) * slope if inside else points[i]
