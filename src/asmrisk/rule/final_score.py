"""The final score (42 CFR § 512.745): weights, deductions, complex patients, small practices, and zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asmrisk.numerics.jit import inline, kernel
from asmrisk.rule.cost import interpolate_points
from asmrisk.rule.declarations import CHOICES
from asmrisk.rule.groups import gather, values_of_group
from asmrisk.rule.order import median
from asmrisk.rule.sums import mean_and_deviation

if TYPE_CHECKING:
    from asmrisk.rule.arrays import Environment, Observed, Scored, Scratch

__all__ = ["final_scores"]

_NEUTRAL = CHOICES["missing_category"].index("neutral")
_MEDIAN_POINTS = CHOICES["missing_category"].index("median_points")
_NO_ADJUSTMENT = CHOICES["failed_submission"].index("no_adjustment")


@inline
def final_scores(
    policy: np.record,
    cohort: int,
    observed: Observed,
    n: int,
    scored: Scored,
    environment: Environment,
    scratch: Scratch,
    given: bool,
) -> None:
    """Add up the final score: weighted categories, deductions, complex-patient and small-practice points.

    Arguments as for `asmrisk.rule.cohort.score_cohort`. Reads quality, cost, deductions and
    `Scratch.complete`; writes `complex_patient_adjustment`, `small_practice_adjustment` and `final_score`,
    and the environment's `hcc`, `dual` and `median_quality_score`, unless given.
    """
    complex_patient = scored.complex_patient_adjustment
    complex_patient[:n] = 0.0
    taking_part, hcc, dual = scratch.taking_part, environment.hcc, environment.dual
    _add_complexity(policy, observed.hcc_risk_score, taking_part, n, complex_patient, hcc, scratch, given)
    _add_complexity(policy, observed.dual_share, taking_part, n, complex_patient, dual, scratch, given)

    zero_rule = False
    for m in range(len(observed.rate)):
        asked = policy.measure_in_set[cohort, m] != 0 and policy.measure_claims[cohort, m] == 0
        zero_rule = zero_rule or asked

    typical_quality, typical_cost = np.nan, np.nan
    if not given:
        environment.median_quality_score[0] = np.nan
    if policy.missing_category == _MEDIAN_POINTS:
        if not given:
            for i in range(n):
                scratch.group[i] = 0 if scored.quality_score[i] == scored.quality_score[i] else -1
            count = gather(scored.quality_score, scratch.group, 0, n, scratch.members)
            environment.median_quality_score[0] = median(scratch.members, count, scratch.order)
        typical_quality = environment.median_quality_score[0]
        scratch.group[0] = 0
        scratch.value[0] = 0.0
        interpolate_points(policy, scratch.group, 0, 1, scratch.value, scratch.members)
        typical_cost = scratch.members[0] / 10.0

    failed = np.nan if policy.failed_submission == _NO_ADJUSTMENT else 0.0
    neutral = policy.missing_category == _NEUTRAL
    quality_weight, cost_weight = policy.quality_weight, policy.cost_weight
    cap = policy.complex_patient_cap
    solo, small, largest = (
        policy.solo_practice_points,
        policy.small_practice_points,
        policy.small_practice_maximum,
    )
    for i in range(n):
        quality = scored.quality_score[i]
        cost = scored.cost_points[i] / 10.0
        no_quality = quality != quality
        no_cost = cost != cost
        quality = typical_quality if no_quality and not no_cost else quality
        cost = typical_cost if no_cost and not no_quality else cost
        both = quality_weight * quality + cost_weight * cost
        either = np.nan if neutral else (cost if quality != quality else quality)
        weighted = either if quality != quality or cost != cost else both

        size = observed.practice_size[i]
        practice = solo if size <= 1 else (small if size <= largest else 0.0)
        patients = complex_patient[i]
        patients = cap if patients > cap else patients
        taking_part = scratch.taking_part[i] != 0
        zero = zero_rule and taking_part and scratch.complete[i] == 0
        practice = practice if taking_part else 0.0

        deductions = (
            scored.improvement_activities_adjustment[i] + scored.promoting_interoperability_adjustment[i]
        )
        final = 100.0 * weighted + deductions + patients + practice
        final = 0.0 if final < 0.0 else final
        final = 100.0 if final > 100.0 else final
        final = failed if zero else final
        complex_patient[i] = patients
        scored.small_practice_adjustment[i] = practice
        scored.final_score[i] = final if taking_part else np.nan


@kernel
def _add_complexity(
    policy: np.record,
    indicator: npt.NDArray[np.float64],
    taking_part: npt.NDArray[np.int8],
    n: int,
    points: npt.NDArray[np.float64],
    reference: npt.NDArray[np.float64],
    scratch: Scratch,
    given: bool,
) -> None:
    """Add the complex-patient points of one indicator.

    Its reference is median, mean and deviation; it is left, unless given.
    """
    group = scratch.group
    for i in range(n):
        group[i] = 0 if taking_part[i] != 0 and indicator[i] == indicator[i] else -1
    if not given:
        members, count = values_of_group(indicator, group, 0, n, scratch.members)
        reference[0] = median(members, count, scratch.order)
        reference[1], reference[2] = mean_and_deviation(members, count, reference[0], scratch.lanes)
    middle, mean, deviation = reference[0], reference[1], reference[2]
    if not deviation > 0.0:
        return
    intercept, slope = policy.complex_patient_intercept, policy.complex_patient_slope
    for i in range(n):
        earned = intercept + slope * (indicator[i] - mean) / deviation
        earns = group[i] == 0 and indicator[i] >= middle and earned > 0.0
        points[i] += earned if earns else 0.0
