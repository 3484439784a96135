"""Payment (42 CFR § 512.750): the exchange of payments at risk for final scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asmrisk.numerics.jit import inline, kernel
from asmrisk.numerics.portable_math import logistic
from asmrisk.rule.declarations import CHOICES
from asmrisk.rule.groups import GROUPS, gather, list_peers
from asmrisk.rule.order import median
from asmrisk.rule.sums import lane_sum

if TYPE_CHECKING:
    from asmrisk.rule.arrays import Environment, Observed, Scored, Scratch

__all__ = [
    "OUTSIDE_POOL",
    "exchange_payments",
    "largest_factor",
    "payment_factors",
]

_LINEAR = CHOICES["exchange_function"].index("linear")
_NONE = CHOICES["exchange_function"].index("none")
_REDISTRIBUTED = CHOICES["cap_excess"].index("redistributed")
OUTSIDE_POOL = CHOICES["zero_scorers"].index("outside_pool")
#: The scaling factor is not formed where it would exceed the inverse of this.
_LEAST_SHARE = 1e-290


@inline
def payment_factors(
    policy: np.record,
    observed: Observed,
    n: int,
    scored: Scored,
    environment: Environment,
    scratch: Scratch,
    given: bool,
) -> None:
    """Turn final scores into payment adjustment factors, each payment pool apart.

    Arguments as for `asmrisk.rule.cohort.score_cohort`. Reads `final_score`; writes `transformed_score`,
    `adjustment_factor` and, unless given, the environment's `exchange_midpoint` and `scaling_factor`. Leaves
    the codes of the pools in `Scratch.peers`.
    """
    final, group, positive = scored.final_score, scratch.group, scratch.chosen
    list_peers(policy.payment_peer_group, observed, n, scratch.peers)
    for i in range(n):
        group[i] = scratch.peers[i] if final[i] == final[i] else -1
        positive[i] = scratch.peers[i] if final[i] > 0.0 else -1
        scored.transformed_score[i] = np.nan
        scored.adjustment_factor[i] = 0.0
    if not given:
        environment.exchange_midpoint[:] = np.nan
        environment.scaling_factor[:] = np.nan
    midpoints, scalings = environment.exchange_midpoint, environment.scaling_factor
    for code in range(GROUPS[policy.payment_peer_group]):
        if not given:
            count = gather(final, positive, code, n, scratch.members)
            stated = policy.exchange_midpoint
            midpoints[code] = stated if stated == stated else median(scratch.members, count, scratch.order)
        # Without a midpoint nothing is distributed, since nobody who would make it has a score above 0.
        midpoint = midpoints[code] if midpoints[code] == midpoints[code] else 0.0
        _transform(policy, midpoint, final, group, code, n, scored.transformed_score)
        if not given:
            scalings[code] = _scaling_factor(policy, observed.part_b_payments, n, code, scored, scratch)
        _adjust(policy, scalings[code], code, n, scored, group)


@kernel
def exchange_payments(
    policy: np.record,
    observed: Observed,
    n: int,
    scored: Scored,
    environment: Environment,
    scratch: Scratch,
) -> None:
    """Apply `payment_factors` by itself, to final scores that come from elsewhere."""
    payment_factors(policy, observed, n, scored, environment, scratch, False)


@inline
def _transform(
    policy: np.record,
    midpoint: float,
    final: npt.NDArray[np.float64],
    group: npt.NDArray[np.int8],
    code: int,
    n: int,
    transformed: npt.NDArray[np.float64],
) -> None:
    """Apply the exchange function; a final score of 0 gives 0."""
    if policy.exchange_function == _LINEAR:
        for i in range(n):
            transformed[i] = final[i] / 100.0 if group[i] == code else transformed[i]
    elif policy.exchange_function == _NONE:
        for i in range(n):
            share = 1.0 if final[i] > 0.0 else 0.0
            transformed[i] = share if group[i] == code else transformed[i]
    else:
        steepness = policy.exchange_steepness
        for i in range(n):
            share = logistic(steepness * (final[i] - midpoint)) if final[i] > 0.0 else 0.0
            transformed[i] = share if group[i] == code else transformed[i]


@inline
def _scaling_factor(
    policy: np.record,
    part_b: npt.NDArray[np.float64],
    n: int,
    code: int,
    scored: Scored,
    scratch: Scratch,
) -> float:
    """Give the scaling factor S that pays one pool out; NaN where nothing can be distributed."""
    final, transformed, group = scored.final_score, scored.transformed_score, scratch.group
    risk = policy.risk_level
    outside = policy.zero_scorers == OUTSIDE_POOL
    payments, terms, lanes = scratch.value, scratch.terms, scratch.lanes
    for i in range(n):
        in_pool = group[i] == code and (final[i] > 0.0 or not outside)
        payments[i] = part_b[i] if in_pool else 0.0
        terms[i] = transformed[i] * part_b[i] if in_pool else 0.0
    shared = policy.redistribution_share * lane_sum(payments, n, lanes)
    weighted = lane_sum(terms, n, lanes)

    scaling = np.nan
    if weighted > shared * _LEAST_SHARE:
        scaling = shared / weighted
        if policy.cap_excess == _REDISTRIBUTED and risk > 0.0:
            scaling = _raise_scaling(
                shared, scaling, 1.0 + policy.adjustment_cap / risk, n, code, scored, scratch
            )
    return scaling


@inline
def _adjust(
    policy: np.record, scaling: float, code: int, n: int, scored: Scored, group: npt.NDArray[np.int8]
) -> None:
    """Give each member of a pool the adjustment factor of the transformed score."""
    risk, distributed = policy.risk_level, scaling == scaling
    for i in range(n):
        gain = risk * scored.transformed_score[i] * scaling if distributed else 0.0
        factor = gain - risk
        factor = policy.adjustment_cap if factor > policy.adjustment_cap else factor
        scored.adjustment_factor[i] = factor if group[i] == code else scored.adjustment_factor[i]


@inline
def _raise_scaling(
    shared: float, scaling: float, limit: float, n: int, code: int, scored: Scored, scratch: Scratch
) -> float:
    """Raise S until what the cap takes from some has gone to the others, or all are at the cap.

    A participant is at the cap where ``T S > limit``. Raising S only adds to them, so the search ends.
    """
    transformed, group = scored.transformed_score, scratch.group
    payments, terms, lanes = scratch.value, scratch.terms, scratch.lanes
    while True:
        least = np.inf
        for i in range(n):
            share = transformed[i] if group[i] == code and transformed[i] > 0.0 else np.inf
            least = share if share < least else least
            capped = share < np.inf and share * scaling > limit
            terms[i] = payments[i] if capped else 0.0
        capped_payments = lane_sum(terms, n, lanes)
        if capped_payments == 0.0:
            return scaling
        for i in range(n):
            uncapped = group[i] == code and transformed[i] * scaling <= limit
            terms[i] = transformed[i] * payments[i] if uncapped else 0.0
        weighted = lane_sum(terms, n, lanes)
        if not weighted > shared * _LEAST_SHARE:
            # Nobody is left to whom it could go: S is where the last one reaches the cap.
            return limit / least
        raised = (shared - limit * capped_payments) / weighted
        if not raised > scaling:
            return scaling
        scaling = raised


@inline
def largest_factor(policy: np.record, midpoint: float, scaling: float) -> float:
    """Give the factor of a final score of 100, the largest that a pool's midpoint and scaling factor allow.

    It has the bits that `payment_factors` gives to that score; NaN where nothing can be distributed.
    """
    share = 1.0
    if policy.exchange_function != _LINEAR and policy.exchange_function != _NONE:
        share = logistic(policy.exchange_steepness * (100.0 - midpoint))
    factor = policy.risk_level * share * scaling - policy.risk_level
    return float(policy.adjustment_cap if factor > policy.adjustment_cap else factor)
