"""42 CFR part 512 subpart G in NumPy: a cohort's final scores, and payments exchanged for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["score_cohort"]

_DECILES = np.arange(1, 10) / 10.0


def score_cohort(
    policy: Any, cohort: int, observed: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Apply 42 CFR part 512 subpart G; give final scores (NaN: none), adjustment factors, scaling factor."""
    n = len(observed["part_b"])
    earned, counted, complete = np.zeros(n), np.zeros(n), np.zeros(n, bool)
    for measure, (rate, cases, completeness, kind) in observed["measures"].items():
        if not policy.measure_in_set[cohort, measure]:
            continue
        claims = bool(policy.measure_claims[cohort, measure])
        reported = claims | (kind >= 0)
        met = claims | (completeness >= policy.minimum_completeness)
        enough = cases >= policy.minimum_cases
        if not claims:
            complete |= reported & met
        scorable = reported & met & enough & ~np.isnan(rate)
        points = np.where(reported & ~scorable & (met | ~enough), np.nan, 0.0)
        sign = -1.0 if policy.measure_inverse[cohort, measure] else 1.0
        for code in (0, 1, 2):
            peers = np.flatnonzero(scorable & (kind == code))
            points[peers] = _points(policy, sign * rate[peers], sign * policy.measure_worst[cohort, measure])
        earned += np.where(np.isnan(points), 0.0, points)
        counted += ~np.isnan(points)
    with np.errstate(invalid="ignore"):
        quality = earned / (10.0 * counted)

    cost, episodes = observed["cost_per_episode"], observed["episodes"]
    of = np.flatnonzero((episodes >= policy.minimum_episodes) & ~np.isnan(cost))
    deviation = np.std(cost[of], ddof=1) if len(of) > 1 else 0.0
    middle = np.median(cost[of]) if len(of) else np.nan
    z = (cost[of] - middle) / (deviation if deviation > 0.0 else np.inf)
    cost_score = np.full(n, np.nan)
    cost_score[of] = np.interp(z, policy.cost_points_z, policy.cost_points) / 10.0

    patients = np.zeros(n)
    for indicator in (observed["hcc_risk_score"], observed["dual_share"]):
        z = (indicator - indicator.mean()) / np.std(indicator, ddof=1)
        bonus = np.maximum(policy.complex_patient_intercept + policy.complex_patient_slope * z, 0.0)
        patients += np.where(indicator >= np.median(indicator), bonus, 0.0)
    size = observed["practice_size"]
    practice = np.where(size <= policy.small_practice_maximum, policy.small_practice_points, 0.0)
    practice = np.where(size <= 1, policy.solo_practice_points, practice)
    missing = 1.0 - observed["promoting_interoperability"] / 100.0
    conduct = policy.improvement_activities_points[observed["improvement_activities"]]
    conduct = conduct + policy.promoting_interoperability_points * missing

    both = policy.quality_weight * quality + policy.cost_weight * cost_score
    weighted = np.where(np.isnan(quality), cost_score, np.where(np.isnan(cost_score), quality, both))
    final = 100.0 * weighted + conduct + np.minimum(patients, policy.complex_patient_cap) + practice
    final = np.clip(final, 0.0, 100.0)
    final[~complete] = 0.0
    return _exchange(policy, final, observed["part_b"])


def _points(policy: Any, rate: np.ndarray, worst: float) -> np.ndarray:
    """Give decile points against the peers' own benchmark; NaN where there are too few of them."""
    benchmark = rate[rate != worst] if policy.worst_rate_excluded else rate
    if len(benchmark) < policy.minimum_reporters:
        return np.full(len(rate), np.nan)
    edges = np.quantile(benchmark, _DECILES)
    ladder = np.concatenate([[benchmark.min()], edges, [np.inf]])
    decile = np.searchsorted(edges, rate, side="right")
    low = ladder[decile]
    return decile + 1.0 + np.maximum(rate - low, 0.0) / (ladder[decile + 1] - low)


def _exchange(policy: Any, final: np.ndarray, part_b: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Exchange payments at risk for final scores; without a score the factor is 0."""
    scored = ~np.isnan(final)
    midpoint = policy.exchange_midpoint
    if np.isnan(midpoint):
        midpoint = np.median(final[final > 0.0])
    share = np.where(final > 0.0, 1.0 / (1.0 + np.exp(-policy.exchange_steepness * (final - midpoint))), 0.0)
    scaling = policy.redistribution_share * part_b[scored].sum() / (share * part_b)[scored].sum()
    factor = np.where(scored, policy.risk_level * share * scaling - policy.risk_level, 0.0)
    return final, factor, scaling
