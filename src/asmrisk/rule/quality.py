"""Quality (42 CFR § 512.725): benchmarks, points of each measure, and the quality score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asmrisk.numerics.jit import inline, kernel
from asmrisk.rule.declarations import CHOICES
from asmrisk.rule.definitions import COLLECTION_TYPES, MOST_MEASURES, NOT_REPORTED, QUALITY_GROUPS
from asmrisk.rule.groups import BY_COHORT, list_members, list_peers, values_of_group
from asmrisk.rule.order import quantiles

if TYPE_CHECKING:
    from asmrisk.rule.arrays import Environment, Observed, Scored, Scratch

__all__ = ["add_points", "score_quality"]

_FIXED = CHOICES["quality_benchmarks"].index("fixed")
_TOGETHER = CHOICES["quality_collection_types"].index("together")
_UPPER = CHOICES["tie_rule"].index("upper")
_LOWER = CHOICES["tie_rule"].index("lower")
_MID = CHOICES["tie_rule"].index("mid")
_EXCLUDED = CHOICES["missing_measure"].index("excluded")
_CLAIMS = COLLECTION_TYPES.index("claims")
_TYPES = len(COLLECTION_TYPES)
_DECILES = np.arange(10)


@inline
def score_quality(
    policy: np.record,
    cohort: int,
    observed: Observed,
    n: int,
    scored: Scored,
    environment: Environment,
    scratch: Scratch,
    given: bool,
) -> None:
    """Score every quality measure of the set and add up the points.

    Arguments as for `asmrisk.rule.cohort.score_cohort`. Writes `points` and `quality_score`, and the
    environment's `edges` and `benchmark_size`, unless given. Leaves `Scratch.complete` at 1 where the
    completeness was met on a measure that is not from claims, for `final_scores`.
    """
    scratch.complete[:n] = 0
    if not given:
        environment.edges[:] = np.nan
        environment.benchmark_size[:] = 0
    list_peers(policy.quality_peer_group, observed, n, scratch.peers)
    for m in range(len(observed.rate)):
        points = scored.points[m]
        if policy.measure_in_set[cohort, m] == 0:
            points[:n] = np.nan
            continue
        _classify(policy, cohort, m, observed, n, points, scratch)
        _score_measure(policy, cohort, m, observed.rate[m], n, points, environment, scratch, given)
    for i in range(n):
        total, most = 0.0, 0.0
        for m in range(MOST_MEASURES):
            points_of_measure = scored.points[m, i]
            counts = points_of_measure == points_of_measure
            total += points_of_measure if counts else 0.0
            most += 10.0 if counts else 0.0
        scored.quality_score[i] = total / most if most > 0.0 else np.nan


@inline
def _classify(
    policy: np.record,
    cohort: int,
    m: int,
    observed: Observed,
    n: int,
    points: npt.NDArray[np.float64],
    scratch: Scratch,
) -> None:
    """Tell scorable, zero and excluded apart: peer group, 0 points, or NaN points."""
    rate, cases = observed.rate[m], observed.cases[m]
    completeness, collection_type = observed.completeness[m], observed.collection_type[m]
    group, complete = scratch.group, scratch.complete
    claims = policy.measure_claims[cohort, m] != 0
    missing = np.nan if policy.missing_measure == _EXCLUDED else 0.0
    minimum_cases, minimum_completeness = policy.minimum_cases, policy.minimum_completeness

    for i in range(n):
        reported = claims or collection_type[i] != NOT_REPORTED
        met = claims or completeness[i] >= minimum_completeness
        enough = cases[i] >= minimum_cases
        taking_part = scratch.taking_part[i] != 0
        scorable = taking_part and reported and met and enough and rate[i] == rate[i]
        group[i] = (_CLAIMS if claims else collection_type[i]) if scorable else -1
        # Scorable measures start from 0 and are given their points, or NaN, by their peer group.
        earned = (0.0 if scorable or (enough and not met) else np.nan) if reported else missing
        points[i] = earned if taking_part else np.nan
        complete[i] |= 1 if taking_part and reported and met and not claims else 0

    together = policy.quality_collection_types == _TOGETHER
    if policy.quality_benchmarks != _FIXED and (together or policy.quality_peer_group != BY_COHORT):
        for i in range(n):
            code = scratch.peers[i] * _TYPES + (0 if together else group[i])
            group[i] = code if group[i] >= 0 else -1


@inline
def _score_measure(
    policy: np.record,
    cohort: int,
    m: int,
    rate: npt.NDArray[np.float64],
    n: int,
    points: npt.NDArray[np.float64],
    environment: Environment,
    scratch: Scratch,
    given: bool,
) -> None:
    """Form each peer group's benchmark, unless given, and score its members."""
    fixed = policy.quality_benchmarks == _FIXED
    sign = -1.0 if policy.measure_inverse[cohort, m] != 0 else 1.0
    # Groups without a member need no look.
    # In bytes, of which a vector holds most.
    least, greatest = np.int8(QUALITY_GROUPS), np.int8(-1)
    for i in range(n):
        code = scratch.group[i]
        member_of = code if code >= 0 else np.int8(QUALITY_GROUPS)
        least = member_of if member_of < least else least
        greatest = code if code > greatest else greatest
    first, last = int(least), int(greatest)
    if fixed and not given:
        first, last = 0, _TYPES - 1
    members, who, earned = scratch.members, scratch.who, scratch.earned
    for peers in range(first, last + 1):
        count = list_members(rate, sign, scratch.group, peers, n, members, who)
        edges = environment.edges[m, peers]
        if fixed and not given:
            for k in range(len(edges)):
                edges[k] = policy.fixed_edges[cohort, m, peers, k]
            # They are the same for every peer group.
            for same in range(peers + _TYPES, QUALITY_GROUPS, _TYPES):
                for k in range(len(edges)):
                    environment.edges[m, same, k] = edges[k]
        elif not given:
            benchmark, size = members, count
            if policy.worst_rate_excluded != 0:
                worst, chosen = sign * policy.measure_worst[cohort, m], scratch.chosen
                for j in range(count):
                    chosen[j] = members[j] != worst
                benchmark, size = values_of_group(members, chosen, 1, count, scratch.terms)
            environment.benchmark_size[m, peers] = size
            if size >= policy.minimum_reporters:
                quantiles(benchmark, size, _DECILES, 10, edges, scratch.order)
        unformed = edges[0] != edges[0]
        earned[:count] = np.nan if unformed else 0.0
        if not unformed:
            partial = 1.0 if policy.partial_points != 0 else 0.0
            weight = 0.5 if policy.tie_rule == _MID else 1.0
            if policy.tie_rule != _LOWER:
                add_points(edges, True, partial, weight, members, count, earned)
            if policy.tie_rule != _UPPER:
                add_points(edges, False, partial, weight, members, count, earned)
        for j in range(count):
            points[who[j]] = earned[j]


@inline
def _points(
    rate: float,
    upper: bool,
    partial: float,
    e0: float,
    e1: float,
    e2: float,
    e3: float,
    e4: float,
    e5: float,
    e6: float,
    e7: float,
    e8: float,
    e9: float,
) -> float:
    """Points of one rate: scalars and blends, so that a loop over rates becomes vector instructions."""
    decile, low, high = 1.0, e0, e1
    reached = (rate > e1) | (upper & (rate == e1))
    decile, low, high = (2.0, e1, e2) if reached else (decile, low, high)
    reached = (rate > e2) | (upper & (rate == e2))
    decile, low, high = (3.0, e2, e3) if reached else (decile, low, high)
    reached = (rate > e3) | (upper & (rate == e3))
    decile, low, high = (4.0, e3, e4) if reached else (decile, low, high)
    reached = (rate > e4) | (upper & (rate == e4))
    decile, low, high = (5.0, e4, e5) if reached else (decile, low, high)
    reached = (rate > e5) | (upper & (rate == e5))
    decile, low, high = (6.0, e5, e6) if reached else (decile, low, high)
    reached = (rate > e6) | (upper & (rate == e6))
    decile, low, high = (7.0, e6, e7) if reached else (decile, low, high)
    reached = (rate > e7) | (upper & (rate == e7))
    decile, low, high = (8.0, e7, e8) if reached else (decile, low, high)
    reached = (rate > e8) | (upper & (rate == e8))
    decile, low, high = (9.0, e8, e9) if reached else (decile, low, high)
    reached = (rate > e9) | (upper & (rate == e9))
    # Decile 10 earns exactly 10; a rate below the minimum, and a decile without width, add nothing.
    decile, low, high = (10.0, e9, np.inf) if reached else (decile, low, high)
    within = (rate - low) / (high - low) if rate > low else 0.0
    return decile + partial * within


@kernel
def add_points(
    edges: npt.NDArray[np.float64],
    upper: bool,
    partial: float,
    weight: float,
    value: npt.NDArray[np.float64],
    n: int,
    points: npt.NDArray[np.float64],
) -> None:
    """Add the points of one peer group: the decile, and how far the rate lies into it.

    Parameters
    ----------
    edges : ndarray of float64, shape (10,)
        The benchmark's minimum and its 10th to 90th percentiles.
    upper : bool
        Whether a rate equal to an edge has reached it.
    partial : float
        1 with partial points, 0 without.
    weight : float
        Share of these points in the result.
    value : ndarray of float64, shape (at least n,)
        Oriented rates of the group's members (higher is better).
    n : int
        How many of them.
    points : ndarray of float64, shape (at least n,)
        Added to.
    """
    e0, e1, e2, e3, e4 = edges[0], edges[1], edges[2], edges[3], edges[4]
    e5, e6, e7, e8, e9 = edges[5], edges[6], edges[7], edges[8], edges[9]
    # A loop for each rule, so that each compares once.
    if upper:
        for j in range(n):
            points[j] += weight * _points(value[j], True, partial, e0, e1, e2, e3, e4, e5, e6, e7, e8, e9)
    else:
        for j in range(n):
            points[j] += weight * _points(value[j], False, partial, e0, e1, e2, e3, e4, e5, e6, e7, e8, e9)
