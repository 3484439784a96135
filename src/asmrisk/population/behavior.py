"""What varies by calendar year: the records made from the section ``behavior``."""

from __future__ import annotations

from typing import Any

import numpy as np

from asmrisk.parameters.parameter import Values
from asmrisk.population.counterfactual import fill_costs
from asmrisk.rule.definitions import CALENDAR_YEARS, COHORTS, PRACTICE_SIZES, SPECIALTIES, SPECIALTIES_OF

__all__ = ["BEHAVIOR_DTYPE", "behavior_records", "price_level"]

#: Year in whose dollars costs of episodes are stated.
_COST_DOLLARS = 2025

_COHORT_OF = {specialty: cohort for cohort in COHORTS for specialty in SPECIALTIES_OF[cohort]}

#: One record per calendar year, 2027 to 2033.
BEHAVIOR_DTYPE = np.dtype(
    [
        # Of leaving on 1 January; not used in the first year.
        ("exit_probability", "f8", (len(SPECIALTIES),)),
        # Factor on Part B payments since the first year, by specialty.
        ("part_b_growth", "f8", (len(SPECIALTIES),)),
        # Summand of latent quality since the first year, by cohort.
        ("quality_learning", "f8", (len(COHORTS),)),
        # Factor on cost per episode since the first year.
        ("cost_trend", "f8"),
        # Share of cost removed: by everybody, and by those with a negative factor two years before.
        ("cost_response", "f8"),
        ("cost_response_penalized", "f8"),
        ("medicare_share", "f8"),
        # Shares of a cut won back by more services, and of a raise given up by fewer.
        ("volume_offset_cut", "f8"),
        ("volume_offset_raise", "f8"),
        # Share of practices lacking in conduct in the year before that lack nothing from this one on.
        ("conduct_improvement", "f8"),
        ("exempt_share", "f8", (len(COHORTS),)),
        # Prices over those of 2025, and those of the stated year over them.
        ("price_level", "f8"),
        ("stated_price_ratio", "f8"),
        # Whether allowed amounts count in place of those paid, and their ratio by specialty.
        ("part_b_allowed", "i8"),
        ("allowed_over_paid", "f8", (len(SPECIALTIES),)),
        ("mips_risk_level", "f8"),
        ("mips_threshold", "f8"),
        ("mips_maximum_adjustment", "f8"),
        ("mips_low_volume", "f8"),
        # Of taking part, in dollars of the year: by practice size, for each beneficiary, and for each
        # beneficiary in collaborative care.
        ("participation_cost", "f8", (len(PRACTICE_SIZES),)),
        ("beneficiaries_per_episode", "f8"),
        ("beneficiary_cost", "f8"),
        ("collaborative_care_cost", "f8"),
    ]
)


def behavior_records(values: Values) -> np.recarray:
    """Gather what varies by calendar year.

    Parameters
    ----------
    values : Values
        Resolved parameters, at least of the sections ``behavior`` and ``population``.

    Returns
    -------
    numpy.recarray of BEHAVIOR_DTYPE, shape (7,)
        One record per calendar year, 2027 to 2033; growth and learning are cumulated from the first year,
        in which they are 1 and 0.
    """
    records = np.zeros(len(CALENDAR_YEARS), BEHAVIOR_DTYPE)
    part_b_trend, deflator = values["population.part_b_trend"], values["population.deflator"]
    trends = [1.0 + part_b_trend[name] for name in SPECIALTIES]
    grown = [
        [(1.0 + each[_COHORT_OF[name]]) * trend for name, trend in zip(SPECIALTIES, trends, strict=True)]
        for each in _over(values, "part_b_growth")
    ]
    learned = [[each[name] for name in COHORTS] for each in _over(values, "quality_learning")]
    dearer = [1.0 + each for each in _over(values, "cost_growth")]
    # Since the first year, in which nothing has changed yet.
    grown[0], learned[0], dearer[0] = [1.0] * len(SPECIALTIES), [0.0] * len(COHORTS), 1.0
    records["part_b_growth"] = np.cumprod(grown, axis=0)
    records["quality_learning"] = np.cumsum(learned, axis=0)
    records["cost_trend"] = np.cumprod(dearer)
    records["exit_probability"] = [
        [each[name] for name in SPECIALTIES] for each in _over(values, "exit_probability")
    ]
    records["exempt_share"] = [[each[name] for name in COHORTS] for each in _over(values, "exempt_share")]
    records["medicare_share"] = _over(values, "medicare_share")
    for name in ("volume_offset_cut", "volume_offset_raise", "conduct_improvement"):
        records[name] = values[f"behavior.{name}"]
    responses = np.array([_responses(values, year) for year in CALENDAR_YEARS])
    records["cost_response"], records["cost_response_penalized"] = responses.T
    records["price_level"] = [price_level(deflator, year) for year in CALENDAR_YEARS]
    stated = price_level(deflator, values["population.dollar_year"])
    records["stated_price_ratio"] = stated / records["price_level"]
    fill_costs(records, values)
    return records.view(np.recarray)


def _over(values: Values, name: str) -> list[Any]:
    """Give the value of a parameter of behavior in each calendar year."""
    return values.over(f"behavior.{name}", CALENDAR_YEARS)


def _responses(values: Values, year: int) -> tuple[float, float]:
    """Give the shares of cost removed in a year: by everybody, and by those who were penalized."""
    if year < values["behavior.cost_response_start"]:
        return 0.0, 0.0
    response, penalized = (
        values.at(f"behavior.{name}", year) for name in ("cost_response", "cost_response_penalized")
    )
    if penalized == "ratio":
        penalized = min(response * values["behavior.penalized_response_ratio"], 1.0)
    return response, penalized


def price_level(deflator: float, year: int) -> float:
    """Give the prices of a year over those of 2025, in whose dollars costs of episodes are stated.

    >>> price_level(0.02, 2027), price_level(0.02, 2025)
    (1.0404, 1.0)
    """
    # Multiplied out, since powers differ between processors.
    level = 1.0
    for _ in range(abs(year - _COST_DOLLARS)):
        level *= 1.0 + deflator
    return level if year >= _COST_DOLLARS else 1.0 / level
