"""Policies, and clinicians made up for the kernels of the rule."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from asmrisk.rule.arrays import (
    Environment,
    Observed,
    Scored,
    make_environment,
    make_observed,
    make_scored,
    make_scratch,
)
from asmrisk.rule.cohort import score_cohort
from asmrisk.rule.declarations import POLICY
from asmrisk.rule.definitions import MOST_MEASURES, NOT_REPORTED, REGIONS
from asmrisk.rule.policy import policy_records


def policy(**changes: Any) -> np.record:
    """Give the policy of 2027 with some parameters changed."""
    values = POLICY.defaults().replace(**{f"policy.{name}": value for name, value in changes.items()})
    return policy_records(values)[0]


def everybody_alike(n: int) -> Observed:
    """Build n heart-failure clinicians, each scored on everything, none different from another."""
    observed = make_observed(n)
    observed.rate[:], observed.cases[:], observed.completeness[:] = 0.5, 40, 1.0
    observed.collection_type[:] = 1
    observed.practice_size[:], observed.part_b_payments[:] = 100, 1000.0
    observed.episodes[:], observed.cost_per_episode[:] = 30, 15_000.0
    observed.hcc_risk_score[:], observed.dual_share[:] = 1.6, 0.2
    observed.improvement_activities[:], observed.promoting_interoperability[:] = 2, 100.0
    return observed


def score(observed: Observed, record: np.record | None = None, cohort: int = 0) -> tuple[Scored, Environment]:
    n = len(observed.part_b_payments)
    scored, environment, scratch = make_scored(n), make_environment(), make_scratch(n)
    score_cohort(record or policy(), cohort, observed, n, scored, environment, scratch, False)
    return scored, environment


def mixed_field(n: int, seed: int) -> Observed:
    """Build n back-pain clinicians with everything that can go wrong."""
    rng = random.Random(seed)
    observed = make_observed(n)
    for i in range(n):
        for m in range(MOST_MEASURES):
            observed.cases[m, i] = cases = rng.randrange(60)
            observed.rate[m, i] = rng.randrange(cases + 1) / cases if cases else np.nan
            observed.completeness[m, i] = rng.choice([1.0, 1.0, rng.uniform(0.5, 1.0)])
            observed.collection_type[m, i] = rng.choice([-1, 0, 0, 1, 1])
        observed.specialty[i] = rng.randrange(1, 7)
        observed.practice_size[i] = rng.randrange(1, 30)
        observed.part_b_payments[i] = rng.lognormvariate(11.0, 1.0)
        observed.episodes[i] = rng.randrange(80)
        observed.cost_per_episode[i] = rng.choice([rng.lognormvariate(7.5, 0.3), np.nan])
        observed.hcc_risk_score[i] = rng.choice([rng.random(), np.nan])
        observed.dual_share[i] = rng.random()
        observed.improvement_activities[i] = rng.randrange(3)
        observed.promoting_interoperability[i] = rng.uniform(0.0, 100.0)
        observed.exempt[i] = rng.random() < 0.05
        observed.region[i], observed.aco[i] = rng.randrange(len(REGIONS)), rng.random() < 0.4
        observed.primary_care_connection[i] = rng.choice([NOT_REPORTED, 0, 1])
        observed.collaborative_care_elements[i] = rng.randrange(NOT_REPORTED, 6)
    return observed
