"""Conduct (42 CFR §§ 512.735, 512.740): what improvement activities and interoperability deduct."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmrisk.numerics.jit import inline

if TYPE_CHECKING:
    from asmrisk.rule.arrays import Observed, Scored

__all__ = ["conduct_deductions"]


@inline
def conduct_deductions(policy: np.record, observed: Observed, n: int, scored: Scored) -> None:
    """Write both deductions, `Scored.*_adjustment` of conduct; an exempt participant has none.

    Arguments as for `asmrisk.rule.cohort.score_cohort`.
    """
    none, one, both = (
        policy.improvement_activities_points[0],
        policy.improvement_activities_points[1],
        policy.improvement_activities_points[2],
    )
    most = policy.promoting_interoperability_points
    for i in range(n):
        taking_part = observed.exempt[i] == 0
        attested = observed.improvement_activities[i]
        activities = both if attested >= 2 else (one if attested == 1 else none)
        # A sum with 0, lest a full score conduct_deductions -0.
        interoperability = 0.0 + most * (1.0 - observed.promoting_interoperability[i] / 100.0)
        scored.improvement_activities_adjustment[i] = activities if taking_part else 0.0
        scored.promoting_interoperability_adjustment[i] = interoperability if taking_part else 0.0
