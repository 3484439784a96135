"""What makes the scores of given clinicians, and what these pay, on average in the first performance year."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.exposures.table import Groups
from asmrisk.rule.definitions import PAYMENT_LAG, PERFORMANCE_YEARS
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.own_luck import OwnOutcomes

__all__ = ["SCORE_PARTS", "score_rows"]

#: Parts of a final score that are adjustments, by the outcome that has them.
_ADJUSTMENTS = {
    "improvement_activities": "improvement_activities_adjustment",
    "promoting_interoperability": "promoting_interoperability_adjustment",
    "complex_patients": "complex_patient_adjustment",
    "small_practice": "small_practice_adjustment",
}
#: Parts of a final score in their order; ``other`` is what its limits take, or where quality or cost cannot
#: be scored what the rule puts in its place.
SCORE_PARTS = ("quality", "cost", *_ADJUSTMENTS, "other")

_Array = NDArray[np.float64]


def score_rows(
    with_parts: OwnOutcomes, outcomes: OwnOutcomes, groups: Groups, risk_levels: _Array, scenario: Scenario
) -> list[dict[str, Any]]:
    """Part the mean final score of each clinician, each practice and all, and what it pays.

    Parameters
    ----------
    with_parts : OwnOutcomes
        Of the clinicians, with the parts of their scores.
    outcomes : OwnOutcomes
        The same of all draws.
    groups : Groups
        Whose rows there are.
    risk_levels : ndarray of float64, shape (1 or draws, YEARS)
        Share of Part B payments at risk.
    scenario : Scenario
        Whose weights hold, at their central values.

    Returns
    -------
    list of dict
        By ``who`` and ``level``, of the first ``performance_year``, paid in ``payment_year``: points of
        `SCORE_PARTS`, which add up to ``final_score``, the mean over all draws and clinicians with one (NaN
        without any); in expected USD of the payment year ``at_risk`` (negative), what the lowest factor would
        take, ``earned_back``, and their sum ``adjustment``.
    """
    year = PERFORMANCE_YEARS[0]
    values = scenario.fixed_at_medians().values
    final = with_parts.final_score[:, 0]
    scored = ~np.isnan(final)
    weights = {"quality": 100.0, "cost": 10.0}
    parts = {
        name: weight * float(values.at(f"policy.{name}_weight", year)) * score[:, 0]
        for (name, weight), score in zip(
            weights.items(), (with_parts.quality_score, with_parts.cost_points), strict=True
        )
    }
    parts |= {name: getattr(with_parts, column)[:, 0] for name, column in _ADJUSTMENTS.items()}
    parts = {name: np.where(scored, np.nan_to_num(each), 0.0) for name, each in parts.items()}
    parts["other"] = np.where(scored, final, 0.0) - np.sum(list(parts.values()), axis=0)
    counts = groups.sums(scored.sum(axis=0).astype(np.float64))
    with np.errstate(invalid="ignore", divide="ignore"):
        points = {name: groups.sums(each.sum(axis=0)) / counts for name, each in parts.items()}
    at_risk, adjustment = (
        groups.sums(np.nan_to_num(each).mean(axis=0))
        for each in (-outcomes.part_b_payments[:, 0] * risk_levels[:, :1], outcomes.adjustment_usd[:, 0])
    )
    numbers = points | {
        "final_score": np.sum(list(points.values()), axis=0),
        "at_risk": at_risk,
        "earned_back": adjustment - at_risk,
        "adjustment": adjustment,
    }
    return [
        {
            "who": str(groups.who[place]),
            "level": str(groups.level[place]),
            "performance_year": year,
            "payment_year": year + PAYMENT_LAG,
        }
        | {name: float(each[place]) for name, each in numbers.items()}
        for place in groups.order
    ]
