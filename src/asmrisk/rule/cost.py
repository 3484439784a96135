"""Cost (42 CFR § 512.730): points by distance from the peers' median in standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asmrisk.numerics.jit import inline, kernel
from asmrisk.rule.groups import GROUPS, list_peers, values_of_group
from asmrisk.rule.order import median
from asmrisk.rule.sums import mean_and_deviation

if TYPE_CHECKING:
    from asmrisk.rule.arrays import Environment, Observed, Scored, Scratch

__all__ = ["interpolate_points", "score_cost"]


@inline
def score_cost(
    policy: np.record,
    observed: Observed,
    n: int,
    scored: Scored,
    environment: Environment,
    scratch: Scratch,
    given: bool,
) -> None:
    """Score the cohort's cost measure.

    Arguments as for `asmrisk.rule.cohort.score_cohort`. Writes `cost_points` and the environment's
    `cost_median`, `cost_sd` and `cost_peers`, unless given.
    """
    cost, group, points = observed.cost_per_episode, scratch.group, scored.cost_points
    minimum = policy.minimum_episodes
    list_peers(policy.cost_peer_group, observed, n, scratch.peers)
    for i in range(n):
        enough = observed.episodes[i] >= minimum and cost[i] == cost[i]
        group[i] = scratch.peers[i] if scratch.taking_part[i] != 0 and enough else -1
        points[i] = np.nan

    if not given:
        environment.cost_median[:] = np.nan
        environment.cost_sd[:] = np.nan
        environment.cost_peers[:] = 0
    for code in range(GROUPS[policy.cost_peer_group]):
        if not given:
            members, peers = values_of_group(cost, group, code, n, scratch.members)
            if peers == 0:
                continue
            middle = median(members, peers, scratch.order)
            _, deviation = mean_and_deviation(members, peers, middle, scratch.lanes)
            environment.cost_peers[code] = peers
            environment.cost_median[code] = middle
            environment.cost_sd[code] = deviation
        middle, deviation = environment.cost_median[code], environment.cost_sd[code]
        if middle != middle:
            continue
        # A deviation that is zero or undefined puts everybody at the median.
        divisor = deviation if deviation > 0.0 else np.inf
        for i in range(n):
            scratch.value[i] = (cost[i] - middle) / divisor
        interpolate_points(policy, group, code, n, scratch.value, points)


@kernel
def interpolate_points(
    policy: np.record,
    group: npt.NDArray[np.int8],
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
    group : ndarray of int8, shape (at least n,)
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
    # Scalars and blends instead of array elements: so the loop becomes vector instructions.
    k0, k1, k2, k3, k4 = knots[0], knots[1], knots[2], knots[3], knots[4]
    k5, k6, k7, k8, k9 = knots[5], knots[6], knots[7], knots[8], knots[9]
    h0, h1, h2, h3, h4 = heights[0], heights[1], heights[2], heights[3], heights[4]
    h5, h6, h7, h8, h9 = heights[5], heights[6], heights[7], heights[8], heights[9]
    s0, s1, s2 = (h1 - h0) / (k1 - k0), (h2 - h1) / (k2 - k1), (h3 - h2) / (k3 - k2)
    s3, s4, s5 = (h4 - h3) / (k4 - k3), (h5 - h4) / (k5 - k4), (h6 - h5) / (k6 - k5)
    s6, s7, s8 = (h7 - h6) / (k7 - k6), (h8 - h7) / (k8 - k7), (h9 - h8) / (k9 - k8)
    for i in range(n):
        at = z[i]
        start, height, slope = (k0, h0, s0) if at > k0 else (k0, h0, 0.0)
        start, height, slope = (k1, h1, s1) if at > k1 else (start, height, slope)
        start, height, slope = (k2, h2, s2) if at > k2 else (start, height, slope)
        start, height, slope = (k3, h3, s3) if at > k3 else (start, height, slope)
        start, height, slope = (k4, h4, s4) if at > k4 else (start, height, slope)
        start, height, slope = (k5, h5, s5) if at > k5 else (start, height, slope)
        start, height, slope = (k6, h6, s6) if at > k6 else (start, height, slope)
        start, height, slope = (k7, h7, s7) if at > k7 else (start, height, slope)
        start, height, slope = (k8, h8, s8) if at > k8 else (start, height, slope)
        start, height, slope = (k9, h9, 0.0) if at > k9 else (start, height, slope)
        # A flat piece gives its height, infinitely far out too.
        earned = height + (at - start) * slope if slope != 0.0 else height
        points[i] = earned if group[i] == code else points[i]
