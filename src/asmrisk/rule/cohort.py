"""The whole rule for one cohort in one performance year: from what is observed to the adjustment factors.

What clinicians are ranked against, the environment, is either formed from them or given; their scores follow
from it in the same way.

The sections' functions, each called in one place only, are written into this kernel: as kernels of their own
they would be compiled once more at every level of calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmrisk.numerics.jit import inline, kernel
from asmrisk.rule.conduct import conduct_deductions
from asmrisk.rule.cost import score_cost
from asmrisk.rule.declarations import CHOICES
from asmrisk.rule.final_score import final_scores
from asmrisk.rule.payment import payment_factors
from asmrisk.rule.quality import score_quality

if TYPE_CHECKING:
    from asmrisk.rule.arrays import Environment, Observed, Scored, Scratch

__all__ = ["ACO_EXEMPT", "score_cohort", "score_within"]

#: Code of the reading by which participants of accountable care organizations take no part.
ACO_EXEMPT = CHOICES["aco_participants"].index("exempt")


@kernel
def score_cohort(
    policy: np.record,
    cohort: int,
    observed: Observed,
    n: int,
    scored: Scored,
    environment: Environment,
    scratch: Scratch,
    given: bool,
) -> None:
    """Score and adjust the measured clinicians of one cohort in one performance year.

    The result's bits are a function of the policy and of the participants in their order, whatever the
    arrays' capacity. An exempt participant has no final score and is outside every benchmark, reference
    and sum.

    Parameters
    ----------
    policy : numpy.record
        One performance year's policy, dtype `asmrisk.rule.policy.POLICY_DTYPE`.
    cohort : int
        Code in `COHORTS`.
    observed : Observed
        The participants.
    n : int
        How many of them; they come first in every array.
    scored : Scored
        Receives their scores and adjustment factors.
    environment : Environment
        What they are ranked against: written, or read if it is given.
    scratch : Scratch
        Room for n participants.
    given : bool
        Whether the environment is given; see `score_within`.
    """
    aco_exempt = policy.aco_participants == ACO_EXEMPT
    for i in range(n):
        exempt = observed.exempt[i] != 0 or (aco_exempt and observed.aco[i] != 0)
        scratch.taking_part[i] = 0 if exempt else 1
    score_quality(policy, cohort, observed, n, scored, environment, scratch, given)
    score_cost(policy, observed, n, scored, environment, scratch, given)
    conduct_deductions(policy, observed, n, scored, scratch)
    final_scores(policy, cohort, observed, n, scored, environment, scratch, given)
    payment_factors(policy, observed, n, scored, environment, scratch, given)


@inline
def score_within(
    policy: np.record,
    cohort: int,
    observed: Observed,
    n: int,
    scored: Scored,
    environment: Environment,
    scratch: Scratch,
) -> None:
    """Score and adjust clinicians, few or many, by an environment that a whole cohort has made.

    Arguments as for `score_cohort`, whose environment is read: any of those who made it get their own bits.
    Where it has nothing to rank by (no benchmark, no cost median, no scaling factor), the rule's consequence
    is that of a cohort in which nothing can be formed.
    """
    score_cohort(policy, cohort, observed, n, scored, environment, scratch, True)
