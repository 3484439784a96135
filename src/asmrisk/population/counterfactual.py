"""What the records hold of MIPS, of accountable care organizations, and of the cost of taking part."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.normal_distribution import normal_probability, stable
from asmrisk.parameters.parameter import Values
from asmrisk.population.quantiles import SCORE_COUNT, SCORE_LIMIT
from asmrisk.rule.definitions import CALENDAR_YEARS, PERFORMANCE_YEARS, PRACTICE_SIZES, SPECIALTIES
from asmrisk.scenario import published_tables as tables
from asmrisk.scenario.counterfactual_parameters import APM_SHARES

__all__ = ["ENGAGEMENT_LIMIT", "engagement_cost", "fill_costs", "fill_mips"]

#: The most that a beneficiary may be given in incentives, USD: a year, or in all years.
ENGAGEMENT_LIMIT = 1000.0

#: Tables remembered: those of the draws in flight, each with values of its own.
_REMEMBERED = 256


@lru_cache(_REMEMBERED)
def _mips_scores(*of_organizations: float) -> NDArray[np.float64]:
    """Give MIPS scores over the normal score: of each class of practices, then of organizations; read-only.

    The latter have scores at `APM_SHARES`. The shape is (classes + 1, SCORE_COUNT).
    """
    shares = [normal_probability(each) for each in np.linspace(-SCORE_LIMIT, SCORE_LIMIT, SCORE_COUNT)]
    known = [tables.mips_percentiles(name) for name in tables.PRACTICE_CLASSES]
    known.append((np.array(APM_SHARES), np.array(of_organizations)))
    scores = [np.interp(shares, at, points).tolist() for at, points in known]
    table = np.array([[stable(score) for score in of_class] for of_class in scores])
    table.flags.writeable = False
    return table


def fill_mips(record: Any, values: Mapping[str, Any]) -> None:
    """Write a cohort's share in accountable care organizations, and what makes its MIPS scores."""
    record.aco_share = values["population.aco_share"]
    record.mips_group_share = [values["counterfactual.mips_group_share"][size] for size in PRACTICE_SIZES]
    for name in ("qualifying_share", "quality_correlation", "habit_correlation", "persistence"):
        setattr(record, f"mips_{name}", values[f"counterfactual.mips_{name}"])
    record.mips_score = _mips_scores(*values["counterfactual.mips_organization_scores"])


def engagement_cost(values: Mapping[str, Any], year: int) -> float:
    """Give the incentives of a performance year for each beneficiary, on average over all.

    Of the share who are given incentives, those of the year before return with the probability
    `engagement_returning`. Where the limit is of a lifetime, who has reached it is given no more.
    """
    amount = values["behavior.engagement_incentive"]
    returning = values["behavior.engagement_returning"]
    lifetime = values["policy.engagement_limit"] == "lifetime"
    before = year - PERFORMANCE_YEARS[0]
    paid = 0.0
    for earlier in range(before + 1):
        share = returning**earlier * (1.0 if earlier == before else 1.0 - returning)
        left = max(ENGAGEMENT_LIMIT - earlier * amount, 0.0) if lifetime else ENGAGEMENT_LIMIT
        paid += share * min(amount, left)
    return float(values["behavior.engagement_share"] * paid)


def fill_costs(records: NDArray[np.void], values: Values) -> None:
    """Write what MIPS pays in each calendar year, and what taking part costs in it, in its dollars.

    The price levels must have been written.
    """
    records["part_b_allowed"] = values["policy.part_b_base"] == "allowed"
    records["allowed_over_paid"] = [tables.allowed_over_paid(each) for each in SPECIALTIES]
    for name in ("risk_level", "threshold", "maximum_adjustment", "low_volume"):
        records[f"mips_{name}"] = values[f"counterfactual.mips_{name}"]
    level = records["price_level"]
    of_taking_part, telehealth, collaborative_care = (
        values.over(f"behavior.{name}_cost", CALENDAR_YEARS)
        for name in ("participation", "telehealth", "collaborative_care")
    )
    by_size = np.array([[each[size] for size in PRACTICE_SIZES] for each in of_taking_part])
    records["participation_cost"] = by_size * level[:, None]
    records["beneficiaries_per_episode"] = values["population.beneficiaries_per_episode"]
    # Incentives, like the limit on them, are not of any year's prices.
    incentives = np.array([engagement_cost(values, year) for year in CALENDAR_YEARS])
    records["beneficiary_cost"] = incentives + telehealth * level
    records["collaborative_care_cost"] = collaborative_care * level
