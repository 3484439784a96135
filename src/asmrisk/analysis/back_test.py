"""The payment step tried on another program: skilled nursing facilities' value-based purchasing, 2025.

It has the same logistic exchange function, with a fixed midpoint of 50, 2% at risk and 60% of it paid out
(42 CFR 413.338). CMS publishes the score and the multiplier of each facility but not its payments.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from asmrisk.rule.arrays import make_environment, make_observed, make_scored, make_scratch
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.rule.payment import exchange_payments
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.published_tables import read, statistic
from asmrisk.scenario.scenario import scenario_from_dict

__all__ = ["payment_step_values"]

_Floats = NDArray[np.float64]

_PROGRAM = {
    "risk_level": dict.fromkeys(map(str, PERFORMANCE_YEARS), 0.02),
    "redistribution_share": 0.6,
    "exchange_midpoint": 50.0,
}


@cache
def payment_step_values() -> dict[str, float]:
    """Apply the rule's payment step to CMS's scores of 2025, and give the values of its facts.

    Facilities are 200 of the 10,533, at equal distances by rank. Where all have the same payments, the
    scaling factor is the rule's own; where CMS's is to result, payments rise with the score as they must.
    """
    policy = scenario_from_dict({"policy": _PROGRAM}).values
    rows = read("snf_vbp_fy2025_percentiles")
    score, multiplier = (
        np.array([float(row[column]) for row in rows])
        for column in ("performance_score", "incentive_payment_multiplier")
    )
    record = policy_records(policy)[0]
    published = statistic("published_facts", "value", fact="snf_scaling_factor")
    scaling, factor = _paid(record, score, np.ones(len(score)))

    def weighted(rise: float) -> tuple[float, _Floats]:
        return _paid(record, score, np.exp(rise * score / 100.0))

    rise = brentq(lambda rise: weighted(rise)[0] - published, -5.0, 5.0)
    difference = np.abs(1.0 + weighted(rise)[1] - multiplier)
    return {
        "snf_steepness": policy.at("policy.exchange_steepness", PERFORMANCE_YEARS[0]),
        "snf_penalized": float(np.mean(factor < 0.0)),
        "snf_highest": float(factor.max()),
        "snf_lowest": float(factor.min()),
        "snf_scaling_factor": scaling,
        "snf_difference": float(difference[score > 0.0].max()),
    }


def _paid(policy: np.record, score: _Floats, payments: _Floats) -> tuple[float, _Floats]:
    """Give the scaling factor and the adjustment factors of one pool."""
    n = len(score)
    observed, scored, environment = make_observed(n), make_scored(n), make_environment()
    observed.part_b_payments[:], observed.specialty[:] = payments, 0
    scored.final_score[:] = score
    exchange_payments(policy, observed, n, scored, environment, make_scratch(n))
    return float(environment.scaling_factor[0]), scored.adjustment_factor.copy()
