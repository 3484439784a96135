"""Why a measure has the points that it has, in words: the outcome of § 512.725 for a reader."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asmrisk.rule.arrays import Observed
from asmrisk.rule.declarations import CHOICES
from asmrisk.rule.definitions import NOT_REPORTED

__all__ = ["STATUSES", "measure_status"]

_EXEMPT = CHOICES["aco_participants"].index("exempt")

#: What can become of a measure.
STATUSES = (
    "scored",
    "not reported",
    "incomplete",
    "too few cases",
    "no benchmark",
    "not in the set",
    "exempt",
)


def measure_status(
    policy: np.record, cohort: int, measure: int, observed: Observed, points: NDArray[np.float64], n: int
) -> NDArray[np.int8]:
    """Tell why the first `n` clinicians have their points in a measure, or none.

    Parameters
    ----------
    policy : numpy.record
        One performance year's policy.
    cohort, measure : int
        Codes.
    observed : Observed
        The clinicians.
    points : ndarray of float64, shape (at least n,)
        Their points in the measure under this policy.
    n : int
        How many.

    Returns
    -------
    ndarray of int8, shape (n,)
        Codes, indices in `STATUSES`. A claims measure is reported by CMS, complete as it is.
    """
    points, cases = points[:n], observed.cases[measure, :n]
    claims = policy.measure_claims[cohort, measure] != 0
    unreported = (observed.collection_type[measure, :n] == NOT_REPORTED) & (not claims)
    in_aco = (observed.aco[:n] != 0) & (policy.aco_participants == _EXEMPT)
    words = {
        "not in the set": np.full(n, policy.measure_in_set[cohort, measure] == 0),
        "exempt": (observed.exempt[:n] != 0) | in_aco,
        # A scored measure has 1 point or more.
        "scored": points > 0.0,
        "not reported": unreported,
        "incomplete": points == 0.0,
        "too few cases": (cases < policy.minimum_cases) | np.isnan(observed.rate[measure, :n]),
    }
    codes = [STATUSES.index(word) for word in words]
    chosen = np.select(list(words.values()), codes, STATUSES.index("no benchmark"))
    return chosen.astype(np.int8)
