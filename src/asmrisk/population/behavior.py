"""What varies by calendar year: the records made from the section ``behavior``."""

from __future__ import annotations

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
    records = np.zeros(len(CALENDAR_YEARS), BEHAVIOR_DTYPE).view(np.recarray)
    growth, learning, trend = [1.0] * len(SPECIALTIES), [0.0] * len(COHORTS), 1.0
    part_b_trend, deflator = values["population.part_b_trend"], values["population.deflator"]
    stated = price_level(deflator, values["population.dollar_year"])
    for index, year in enumerate(CALENDAR_YEARS):
        record = records[index]
        if index:
            grown = values.at("behavior.part_b_growth", year)
            for specialty, name in enumerate(SPECIALTIES):
                growth[specialty] *= (1.0 + grown[_COHORT_OF[name]]) * (1.0 + part_b_trend[name])
            for cohort, name in enumerate(COHORTS):
                learning[cohort] += values.at("behavior.quality_learning", year)[name]
            trend *= 1.0 + values.at("behavior.cost_growth", year)
        record.part_b_growth = growth
        record.quality_learning = learning
        record.cost_trend = trend
        exits = values.at("behavior.exit_probability", year)
        record.exit_probability = [exits[name] for name in SPECIALTIES]
        record.medicare_share = values.at("behavior.medicare_share", year)
        for name in ("volume_offset_cut", "volume_offset_raise", "conduct_improvement"):
            record[name] = values[f"behavior.{name}"]
        record.cost_response, record.cost_response_penalized = _responses(values, year)
        record.exempt_share = [values.at("behavior.exempt_share", year)[name] for name in COHORTS]
        record.price_level = price_level(deflator, year)
        record.stated_price_ratio = stated / record.price_level
        fill_costs(record, values, year)
    return records


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
