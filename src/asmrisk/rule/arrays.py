"""The arrays that the rule reads and writes for one cohort in one performance year.

Arrays may be longer than the number of participants `n`; what lies beyond is neither read nor written.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from asmrisk.rule.definitions import NOT_REPORTED, PEER_GROUPS, PLACES
from asmrisk.rule.order import OrderScratch, make_order_scratch
from asmrisk.rule.sums import LANES

__all__ = [
    "EDGES",
    "Environment",
    "Observed",
    "Scored",
    "Scratch",
    "make_environment",
    "make_observed",
    "make_scored",
    "make_scratch",
]

#: The benchmark's minimum and its 10th to 90th percentiles.
EDGES = 10

_Floats = npt.NDArray[np.float64]
_Counts = npt.NDArray[np.int32]
_Codes = npt.NDArray[np.int8]


class Observed(NamedTuple):
    """What is observed of the measured clinicians of one cohort and year, in a fixed order.

    Attributes
    ----------
    rate : ndarray of float64, shape (PLACES, capacity)
        Performance rate, 0 to 1 (Q492 in its own unit); NaN for none.
    cases : ndarray of int32, shape (PLACES, capacity)
        Eligible cases.
    completeness : ndarray of float64, shape (PLACES, capacity)
        Data completeness, 0 to 1; not looked at in claims measures.
    collection_type : ndarray of int8, shape (PLACES, capacity)
        Code in `COLLECTION_TYPES`, or `NOT_REPORTED`.
    specialty : ndarray of int8, shape (capacity,)
        Code in `SPECIALTIES`.
    practice_size : ndarray of int32, shape (capacity,)
        Clinicians in the practice.
    part_b : ndarray of float64, shape (capacity,)
        Part B covered professional services paid in the performance year, USD.
    episodes : ndarray of int32, shape (capacity,)
        Attributed episodes.
    cost_per_episode : ndarray of float64, shape (capacity,)
        Score of the cost measure, USD; NaN for none.
    hcc_risk_score, dual_share : ndarray of float64, shape (capacity,)
        Mean HCC risk score and share of dually eligible patients; NaN for none.
    improvement_activities : ndarray of int8, shape (capacity,)
        Activities attested: 0, 1 or 2.
    promoting_interoperability : ndarray of float64, shape (capacity,)
        Score, 0 to 100.
    exempt : ndarray of int8, shape (capacity,)
        1 under extreme and uncontrollable circumstances (§ 512.780), else 0.
    """

    rate: _Floats
    cases: _Counts
    completeness: _Floats
    collection_type: _Codes
    specialty: _Codes
    practice_size: _Counts
    part_b: _Floats
    episodes: _Counts
    cost_per_episode: _Floats
    hcc_risk_score: _Floats
    dual_share: _Floats
    improvement_activities: _Codes
    promoting_interoperability: _Floats
    exempt: _Codes


class Scored(NamedTuple):
    """What the rule makes of it; shapes ``(PLACES, capacity)`` and ``(capacity,)``, all float64.

    Attributes
    ----------
    points : ndarray
        Points of each quality measure, 0 to 10; NaN where the measure is excluded.
    quality_score : ndarray
        Share of the points that could be earned, 0 to 1; NaN where no measure counts.
    cost_points : ndarray
        Points of the cost measure; NaN where it cannot be scored.
    improvement_activities_adjustment, promoting_interoperability_adjustment : ndarray
        Deductions, points of the final score.
    complex_patient_adjustment, small_practice_adjustment : ndarray
        Additions, points of the final score (without effect where it is 0 for lack of quality data).
    final_score : ndarray
        0 to 100; NaN where there is none.
    transformed_score : ndarray
        Value of the exchange function, 0 to 1; NaN where there is no final score.
    adjustment_factor : ndarray
        Payment adjustment, fraction of Part B; 0 where there is no final score.
    """

    points: _Floats
    quality_score: _Floats
    cost_points: _Floats
    improvement_activities_adjustment: _Floats
    promoting_interoperability_adjustment: _Floats
    complex_patient_adjustment: _Floats
    small_practice_adjustment: _Floats
    final_score: _Floats
    transformed_score: _Floats
    adjustment_factor: _Floats


class Environment(NamedTuple):
    """What one clinician is ranked against; NaN where there is nothing, group codes as in the policy.

    Attributes
    ----------
    edges : ndarray of float64, shape (PLACES, PEER_GROUPS, EDGES)
        Benchmark's minimum and e1..e9 of the oriented rates (higher is better).
    benchmark_size : ndarray of int64, shape (PLACES, PEER_GROUPS)
        Participants whose rates make (or would make, if too few) the benchmark; 0 if it is fixed.
    cost_median, cost_sd : ndarray of float64, shape (PEER_GROUPS,)
        Median and sample standard deviation of the peers' cost per episode, USD.
    cost_peers : ndarray of int64, shape (PEER_GROUPS,)
        Their number.
    hcc, dual : ndarray of float64, shape (3,)
        Median, mean and sample standard deviation of the cohort's HCC risk scores and dual shares.
    exchange_midpoint, scaling_factor : ndarray of float64, shape (PEER_GROUPS,)
        m and S of § 512.750.
    """

    edges: _Floats
    benchmark_size: npt.NDArray[np.int64]
    cost_median: _Floats
    cost_sd: _Floats
    cost_peers: npt.NDArray[np.int64]
    hcc: _Floats
    dual: _Floats
    exchange_midpoint: _Floats
    scaling_factor: _Floats


class Scratch(NamedTuple):
    """Room for the rule's kernels; contents mean nothing between calls.

    Attributes
    ----------
    group : ndarray of int8, shape (capacity,)
        Peer group of each participant; -1 for none.
    value : ndarray of float64, shape (capacity,)
        Number on which participants are compared, or Part B payments that count.
    members : ndarray of float64, shape (capacity,)
        Values of one peer group, side by side.
    who : ndarray of uint32, shape (capacity,)
        Whose values they are.
    earned : ndarray of float64, shape (capacity,)
        Their points.
    terms : ndarray of float64, shape (capacity,)
        Terms of a sum, or the values of a benchmark.
    complete : ndarray of int8, shape (capacity,)
        1 where the completeness was met on a non-claims measure.
    lanes : ndarray of float64, shape (LANES,)
        Partial sums.
    order : OrderScratch
        Room for order statistics.
    """

    group: npt.NDArray[np.int8]
    value: _Floats
    members: _Floats
    who: npt.NDArray[np.uint32]
    earned: _Floats
    terms: _Floats
    complete: npt.NDArray[np.int8]
    lanes: _Floats
    order: OrderScratch


def make_observed(capacity: int) -> Observed:
    """Set aside arrays for up to `capacity` participants, of whom nothing is observed.

    Parameters
    ----------
    capacity : int
        Most participants.

    Returns
    -------
    Observed
        Rates, costs and reference values NaN, collection types `NOT_REPORTED`, the rest 0.
    """
    return Observed(
        rate=np.full((PLACES, capacity), np.nan),
        cases=np.zeros((PLACES, capacity), np.int32),
        completeness=np.zeros((PLACES, capacity)),
        collection_type=np.full((PLACES, capacity), NOT_REPORTED, np.int8),
        specialty=np.zeros(capacity, np.int8),
        practice_size=np.zeros(capacity, np.int32),
        part_b=np.zeros(capacity),
        episodes=np.zeros(capacity, np.int32),
        cost_per_episode=np.full(capacity, np.nan),
        hcc_risk_score=np.full(capacity, np.nan),
        dual_share=np.full(capacity, np.nan),
        improvement_activities=np.zeros(capacity, np.int8),
        promoting_interoperability=np.zeros(capacity),
        exempt=np.zeros(capacity, np.int8),
    )


def make_scored(capacity: int) -> Scored:
    """Set aside arrays for the scores of up to `capacity` participants.

    Parameters
    ----------
    capacity : int
        Most participants.

    Returns
    -------
    Scored
        NaN everywhere.
    """
    by_measure = np.full((PLACES, capacity), np.nan)
    return Scored(by_measure, *(np.full(capacity, np.nan) for _ in Scored._fields[1:]))


def make_environment() -> Environment:
    """Set aside arrays for what a cohort is ranked against.

    Returns
    -------
    Environment
        NaN and 0 everywhere.
    """
    return Environment(
        edges=np.full((PLACES, PEER_GROUPS, EDGES), np.nan),
        benchmark_size=np.zeros((PLACES, PEER_GROUPS), np.int64),
        cost_median=np.full(PEER_GROUPS, np.nan),
        cost_sd=np.full(PEER_GROUPS, np.nan),
        cost_peers=np.zeros(PEER_GROUPS, np.int64),
        hcc=np.full(3, np.nan),
        dual=np.full(3, np.nan),
        exchange_midpoint=np.full(PEER_GROUPS, np.nan),
        scaling_factor=np.full(PEER_GROUPS, np.nan),
    )


def make_scratch(capacity: int) -> Scratch:
    """Set aside room for scoring up to `capacity` participants.

    Parameters
    ----------
    capacity : int
        Most participants.

    Returns
    -------
    Scratch
        Zeroed arrays.
    """
    return Scratch(
        group=np.zeros(capacity, np.int8),
        value=np.zeros(capacity),
        members=np.zeros(capacity),
        who=np.zeros(capacity, np.uint32),
        earned=np.zeros(capacity),
        terms=np.zeros(capacity),
        complete=np.zeros(capacity, np.int8),
        lanes=np.zeros(LANES),
        order=make_order_scratch(capacity),
    )
