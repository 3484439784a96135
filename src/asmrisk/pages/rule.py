"""What `rule.js`, the rule once more for pages, reads of a policy, and whether it covers a scenario."""

from __future__ import annotations

from typing import Any

import numpy as np

from asmrisk.rule.declarations import CHOICES, POLICY
from asmrisk.rule.definitions import MOST_MEASURES, PEERS, PERFORMANCE_YEARS
from asmrisk.scenario.scenario import Scenario

__all__ = ["NUMBERS", "WORDS", "covered", "policy_values"]

#: Parameters that are numbers and truth values, by name without ``policy.``.
NUMBERS = (
    *("minimum_cases", "minimum_completeness", "partial_points", "minimum_episodes"),
    *("cost_points_z", "cost_points", "improvement_activities_points", "collaborative_care_elements"),
    *("promoting_interoperability_points", "quality_weight", "cost_weight"),
    *("complex_patient_intercept", "complex_patient_slope", "complex_patient_cap"),
    *("small_practice_points", "solo_practice_points", "small_practice_maximum"),
    *("risk_level", "exchange_steepness", "adjustment_cap"),
)
#: Parameters that are words, with the words that it knows.
WORDS: dict[str, tuple[str, ...]] = {
    "aco_participants": ("included", "exempt", "attesting"),
    "missing_measure": ("zero", "excluded"),
    "quality_benchmarks": ("peer", "fixed"),
    "quality_peer_group": tuple(PEERS),
    "quality_collection_types": ("apart", "together"),
    "tie_rule": ("upper", "lower", "mid"),
    "cost_peer_group": tuple(PEERS),
    "missing_category": ("reweight", "neutral", "median_points"),
    "failed_submission": ("zero", "no_adjustment"),
    "exchange_function": ("logistic", "linear", "none"),
    "payment_peer_group": tuple(PEERS),
}
#: Parameters that it need not read: they decide who is measured, what is paid and what clinicians are ranked
#: against, which is given; and the sets of measures, which it reads in another form.
_GIVEN = (
    *("vintage", "eligibility", "measures", "minimum_reporters", "worst_rate_excluded"),
    *("redistribution_share", "exchange_midpoint", "cap_excess", "zero_scorers", "part_b_base"),
    "engagement_limit",
)


def covered(scenario: Scenario) -> str | None:
    """Say why `rule.js` does not cover a scenario, naming the parameter; None if it does.

    Parameters
    ----------
    scenario : Scenario
        Of a run; what is unknown may take any of its values.

    Returns
    -------
    str or None
        One sentence.
    """
    unknown = {name for each in scenario.uncertainty.values() for name in each.names}
    for name in POLICY:
        short = name.removeprefix("policy.")
        if short in NUMBERS or short in _GIVEN:
            continue
        words = {str(each) for each in scenario.values.over(name, PERFORMANCE_YEARS)}
        words |= set(CHOICES.get(short, ())) if name in unknown else set()
        for word in sorted(words - set(WORDS.get(short, ()))):
            return f"The page does not know {name} = {word}, so nothing on it can be tried out."
    return None


def policy_values(policy: np.record, cohort: int) -> dict[str, Any]:
    """Give one performance year's policy for a cohort as `rule.js` reads it: numbers, lists and words.

    No cap, an infinite one, is left out.
    """
    numbers = {name: policy[name].tolist() for name in NUMBERS}
    if np.isinf(policy["adjustment_cap"]):
        del numbers["adjustment_cap"]
    words = {name: CHOICES[name][policy[name]] for name in WORDS}
    measures = [
        {name: bool(policy[f"measure_{name}"][cohort, m]) for name in ("in_set", "inverse", "claims")}
        for m in range(MOST_MEASURES)
    ]
    return numbers | words | {"measures": measures}
