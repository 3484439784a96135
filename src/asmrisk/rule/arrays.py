"""The arrays that the rule reads and writes for one cohort in one performance year.

Arrays may be longer than the number of participants `n`; what lies beyond is neither read nor written.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from asmrisk.rule.columns import Column, columns_of
from asmrisk.rule.definitions import (
    COLLECTION_TYPES,
    EDGES,
    MOST_MEASURES,
    PEER_GROUPS,
    QUALITY_GROUPS,
    REGIONS,
    SPECIALTIES,
)
from asmrisk.rule.order import OrderScratch, make_order_scratch
from asmrisk.rule.sums import LANES

__all__ = [
    "Environment",
    "Observed",
    "Scored",
    "Scratch",
    "make_environment",
    "make_observed",
    "make_scored",
    "make_scratch",
]

_Array = npt.NDArray[Any]
_Floats = npt.NDArray[np.float64]
#: A hundred times what any clinician is paid in a year: more is a slip of the keyboard.
_MOST_USD = 1e9


class Observed(NamedTuple):
    """What is observed of clinicians, each field declared here and nowhere else.

    The rule sees the measured clinicians of one cohort and year in a fixed order: arrays of shape
    ``(capacity,)``, by measure ``(MOST_MEASURES, capacity)``, of the declared dtype. The simulation and a
    roster have the year before these dimensions. Words are codes, their indices in `SPECIALTIES` and
    `COLLECTION_TYPES`; a number that may be empty is NaN where there is none, an attribute -1.
    """

    specialty: Annotated[_Array, Column("word", "", "Specialty, one of its cohort's", words=SPECIALTIES)]
    practice_size: Annotated[_Array, Column("integer", "clinicians", "Clinicians who bill under the TIN", 1)]
    part_b_payments: Annotated[
        _Array,
        Column(
            "number",
            "USD",
            "Part B professional services of the performance year: paid, or allowed where policy.part_b_base "
            "has them count (a roster's are paid, and made allowed in a run)",
            high=_MOST_USD,
        ),
    ]
    payment_year_part_b: Annotated[
        _Array,
        Column("number", "USD", "Part B professional services of the payment year, likewise", high=_MOST_USD),
    ]
    episodes: Annotated[_Array, Column("integer", "episodes", "Attributed episodes")]
    cost_per_episode: Annotated[
        _Array,
        Column(
            "number", "USD", "Mean cost of an episode; empty without episodes", high=_MOST_USD, empty=True
        ),
    ]
    hcc_risk_score: Annotated[
        _Array, Column("number", "", "Mean HCC risk score of the patients", 0, 1000, empty=True)
    ]
    dual_share: Annotated[
        _Array, Column("number", "fraction", "Share of dual-eligible patients", 0, 1, empty=True)
    ]
    improvement_activities: Annotated[
        _Array,
        Column(
            "integer",
            "activities",
            "Improvement activities attested; may be left out or empty where both parts are given",
            0,
            2,
        ),
    ]
    promoting_interoperability: Annotated[
        _Array, Column("number", "points", "Promoting interoperability score", 0, 100)
    ]
    # § 512.780
    exempt: Annotated[
        _Array,
        Column("integer", "", "1 in extreme and uncontrollable circumstances, else 0", 0, 1, optional=True),
    ]
    region: Annotated[
        _Array,
        Column(
            "word",
            "",
            "Region of the practice; needed where peers are a region's",
            words=REGIONS,
            optional=True,
        ),
    ]
    aco: Annotated[
        _Array,
        Column(
            "integer",
            "",
            "1 for a participant of an accountable care organization, else 0; needed where that matters",
            0,
            1,
            optional=True,
        ),
    ]
    # Where both are given, they say how many activities are attested.
    primary_care_connection: Annotated[
        _Array,
        Column(
            "integer",
            "",
            "1 if the connection to primary care is attested, else 0; with the elements or not at all",
            0,
            1,
            empty=True,
            optional=True,
        ),
    ]
    collaborative_care_elements: Annotated[
        _Array,
        Column(
            "integer",
            "elements",
            "Elements of a collaborative care arrangement; with the connection or not at all",
            0,
            5,
            empty=True,
            optional=True,
        ),
    ]
    # A measure without a worst rate has a unit of its own and no greatest rate.
    rate: Annotated[
        _Array, Column("number", "fraction", "Performance rate", 0, 1, empty=True, by_measure=True)
    ]
    cases: Annotated[_Array, Column("integer", "cases", "Eligible cases", empty=True, by_measure=True)]
    # Not looked at in claims measures.
    completeness: Annotated[
        _Array, Column("number", "fraction", "Data completeness", 0, 1, empty=True, by_measure=True)
    ]
    collection_type: Annotated[
        _Array,
        Column(
            "word",
            "",
            "How it was reported; empty: it was not",
            words=COLLECTION_TYPES,
            empty=True,
            by_measure=True,
        ),
    ]


class Scored(NamedTuple):
    """What the rule makes of it, declared likewise; NaN where something is not defined, all float64."""

    points: Annotated[
        _Floats,
        Column(
            "number",
            "points",
            "Points; empty where the measure is excluded",
            0,
            10,
            empty=True,
            by_measure=True,
        ),
    ]
    quality_score: Annotated[_Floats, Column("number", "fraction", "Quality score", 0, 1, empty=True)]
    cost_points: Annotated[
        _Floats, Column("number", "points", "Points of the cost measure", 0, 10, empty=True)
    ]
    improvement_activities_adjustment: Annotated[
        _Floats, Column("number", "points", "Improvement activities", -100, 0)
    ]
    promoting_interoperability_adjustment: Annotated[
        _Floats, Column("number", "points", "Promoting interoperability", -100, 0)
    ]
    # Without effect where the final score is 0 for lack of quality data.
    complex_patient_adjustment: Annotated[_Floats, Column("number", "points", "Complex patient bonus")]
    small_practice_adjustment: Annotated[_Floats, Column("number", "points", "Small practice bonus")]
    final_score: Annotated[
        _Floats, Column("number", "points", "Final score; empty if there is none", 0, 100, empty=True)
    ]
    transformed_score: Annotated[
        _Floats, Column("number", "", "Exchange function of the final score", 0, 1, empty=True)
    ]
    # 0 where there is no final score.
    adjustment_factor: Annotated[_Floats, Column("number", "fraction", "Payment adjustment factor", -1)]


class Environment(NamedTuple):
    """What one clinician is ranked against; NaN where there is nothing, group codes as in the policy.

    Attributes
    ----------
    edges : ndarray of float64, shape (MOST_MEASURES, QUALITY_GROUPS, EDGES)
        Benchmark's minimum and e1..e9 of the oriented rates (higher is better), by peer group and, within
        it, collection type; all types together stand in the first one's place.
    benchmark_size : ndarray of int64, shape (MOST_MEASURES, QUALITY_GROUPS)
        Participants whose rates make (or would make, if too few) the benchmark; 0 if it is fixed.
    cost_median, cost_sd : ndarray of float64, shape (PEER_GROUPS,)
        Median and sample standard deviation of the peers' cost per episode, USD.
    cost_peers : ndarray of int64, shape (PEER_GROUPS,)
        Their number.
    hcc, dual : ndarray of float64, shape (3,)
        Median, mean and sample standard deviation of the cohort's HCC risk scores and dual shares.
    median_quality_score : ndarray of float64, shape (1,)
        Of the cohort, where the policy has it stand for a missing quality score; otherwise NaN.
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
    median_quality_score: _Floats
    exchange_midpoint: _Floats
    scaling_factor: _Floats


class Scratch(NamedTuple):
    """Room for the rule's kernels; contents mean nothing between calls.

    Attributes
    ----------
    taking_part : ndarray of int8, shape (capacity,)
        1 for who is scored, 0 for who is exempt.
    peers : ndarray of int8, shape (capacity,)
        Each participant's group, by the attribute that the policy names; at the end the payment pool.
    group : ndarray of int8, shape (capacity,)
        Peer group of each participant; -1 for none.
    chosen : ndarray of int8, shape (capacity,)
        The same of some of them, for a moment.
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

    taking_part: npt.NDArray[np.int8]
    peers: npt.NDArray[np.int8]
    group: npt.NDArray[np.int8]
    chosen: npt.NDArray[np.int8]
    value: _Floats
    members: _Floats
    who: npt.NDArray[np.uint32]
    earned: _Floats
    terms: _Floats
    complete: npt.NDArray[np.int8]
    lanes: _Floats
    order: OrderScratch


def make_observed(capacity: int, *years: int) -> Observed:
    """Set aside arrays for up to `capacity` participants, of whom nothing is observed.

    Parameters
    ----------
    capacity : int
        Most participants.
    *years : int
        Number of years, if the arrays have the year as first dimension.

    Returns
    -------
    Observed
        Rates, completeness, costs and reference values NaN, collection types `NOT_REPORTED`, the rest 0.
    """
    return Observed(
        **{
            name: np.full(
                (*years, MOST_MEASURES, capacity) if column.by_measure else (*years, capacity),
                column.nothing,
                column.array_dtype,
            )
            for name, column in columns_of(Observed).items()
        }
    )


def make_scored(capacity: int) -> Scored:
    """Set aside arrays for the scores of up to `capacity` participants, NaN everywhere."""
    return Scored(
        **{
            name: np.full((MOST_MEASURES, capacity) if column.by_measure else capacity, np.nan)
            for name, column in columns_of(Scored).items()
        }
    )


def make_environment() -> Environment:
    """Set aside arrays for what a cohort is ranked against, NaN and 0 everywhere."""
    return Environment(
        edges=np.full((MOST_MEASURES, QUALITY_GROUPS, EDGES), np.nan),
        benchmark_size=np.zeros((MOST_MEASURES, QUALITY_GROUPS), np.int64),
        cost_median=np.full(PEER_GROUPS, np.nan),
        cost_sd=np.full(PEER_GROUPS, np.nan),
        cost_peers=np.zeros(PEER_GROUPS, np.int64),
        hcc=np.full(3, np.nan),
        dual=np.full(3, np.nan),
        median_quality_score=np.full(1, np.nan),
        exchange_midpoint=np.full(PEER_GROUPS, np.nan),
        scaling_factor=np.full(PEER_GROUPS, np.nan),
    )


def make_scratch(capacity: int) -> Scratch:
    """Set aside room for scoring up to `capacity` participants."""
    return Scratch(
        taking_part=np.zeros(capacity, np.int8),
        peers=np.zeros(capacity, np.int8),
        group=np.zeros(capacity, np.int8),
        chosen=np.zeros(capacity, np.int8),
        value=np.zeros(capacity),
        members=np.zeros(capacity),
        who=np.zeros(capacity, np.uint32),
        earned=np.zeros(capacity),
        terms=np.zeros(capacity),
        complete=np.zeros(capacity, np.int8),
        lanes=np.zeros(LANES),
        order=make_order_scratch(capacity),
    )
