"""What `rule.js`, the rule once more for pages, reads of a policy, and whether it covers a scenario."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.rule.declarations import CHOICES, POLICY
from asmrisk.rule.definitions import PEERS, PERFORMANCE_YEARS
from asmrisk.scenario.scenario import Scenario

__all__ = ["NUMBERS", "WORDS", "covered", "encoded", "in_base64", "policies"]

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


def policies(records: np.recarray) -> dict[str, Any]:
    """Give policies for JSON, as `live.js` makes of them what `rule.js` reads.

    Parameters
    ----------
    records : numpy.recarray, shape (draws, years)
        Of `asmrisk.rule.policy.POLICY_DTYPE`.

    Returns
    -------
    dict
        ``numbers`` by name; ``words`` by name with their ``codes``; of ``measures`` ``in_set``, ``inverse``
        and ``claims``, by cohort and measure.
    """
    of_measures = {name: records[f"measure_{name}"] for name in ("in_set", "inverse", "claims")}
    return {
        "numbers": {name: encoded(records[name].astype(np.float64), 2) for name in NUMBERS},
        "words": {
            name: {"words": words, "codes": encoded(records[name].astype(np.uint8), 2)}
            for name, words in WORDS.items()
        },
        "measures": {name: encoded(each.astype(np.uint8), 2) for name, each in of_measures.items()},
    }


def encoded(values: NDArray[Any], axes: int) -> dict[str, Any]:
    """Give an array for JSON: its bits, row by row, in base64.

    Parameters
    ----------
    values : ndarray of float32, float64 or unsigned integers
        Any.
    axes : int
        How many axes tell rows apart; the rest, flattened, is a row. Of an axis along which all rows are
        equal one is kept, and its length is told as 1.

    Returns
    -------
    dict
        ``type``, ``shape`` of the rows, ``size`` of one, ``data``.
    """
    for axis in range(axes):
        first = values.take([0], axis=axis)
        if np.array_equal(np.broadcast_to(first, values.shape), values, equal_nan=True):
            values = first
    shape, size = list(values.shape[:axes]), math.prod(values.shape[axes:])
    return {"type": values.dtype.name, "shape": shape, "size": size, "data": in_base64(values)}


def in_base64(values: NDArray[Any]) -> str:
    """Give an array's bits, the lowest byte of each number first."""
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()
