"""Conduct (42 CFR §§ 512.735, 512.740): what improvement activities and interoperability deduct."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmrisk.numerics.jit import inline
from asmrisk.rule.declarations import CHOICES

if TYPE_CHECKING:
    from asmrisk.rule.arrays import Observed, Scored, Scratch

__all__ = ["conduct_deductions"]

_ATTESTING = CHOICES["aco_participants"].index("attesting")


@inline
def conduct_deductions(
    policy: np.record, observed: Observed, n: int, scored: Scored, scratch: Scratch
) -> None:
    """Write both deductions, `Scored.*_adjustment` of conduct; an exempt participant has none.

    Arguments as for `asmrisk.rule.cohort.score_cohort`. The activities attested are counted from their parts
    where both are known. Where participants of an accountable care organization count as having a
    collaborative care arrangement, one activity attested without parts is taken to be the connection to
    primary care.
    """
    none, one, both = (
        policy.improvement_activities_points[0],
        policy.improvement_activities_points[1],
        policy.improvement_activities_points[2],
    )
    most = policy.promoting_interoperability_points
    needed, attesting = policy.collaborative_care_elements, policy.aco_participants == _ATTESTING
    for i in range(n):
        taking_part = scratch.taking_part[i] != 0
        connection, elements = observed.primary_care_connection[i], observed.collaborative_care_elements[i]
        arranged = attesting and observed.aco[i] != 0
        parts = connection + (1 if arranged or elements >= needed else 0)
        counted = observed.improvement_activities[i] + (1 if arranged else 0)
        attested = parts if connection >= 0 and elements >= 0 else counted
        activities = both if attested >= 2 else (one if attested == 1 else none)
        # A sum with 0, lest a full score deduct -0.
        interoperability = 0.0 + most * (1.0 - observed.promoting_interoperability[i] / 100.0)
        scored.improvement_activities_adjustment[i] = activities if taking_part else 0.0
        scored.promoting_interoperability_adjustment[i] = interoperability if taking_part else 0.0
