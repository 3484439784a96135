"""What varies by calendar year: declarations of the section ``behavior`` and the records made from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asmrisk.parameters.parameter import FIRST_YEAR, LAST_YEAR, Parameter, Values, number, table
from asmrisk.rule.definitions import COHORTS

__all__ = ["BEHAVIOR", "BEHAVIOR_DTYPE", "NOT_PUBLIC", "behavior_records", "declarer"]

NOT_PUBLIC = "not public; stated assumption"


def declarer(section: str, *, by_year: bool = False) -> Callable[..., Parameter]:
    """Give a shorthand for the declarations of one part of the model.

    Parameters
    ----------
    section : str
        The part.
    by_year : bool
        Whether its parameters vary by calendar year.

    Returns
    -------
    callable
        Takes name, meaning, type, default and allowed range, then `unit`, and `basis` and `citation` where
        the value is more than an assumption; returns the `Parameter`.
    """

    def declare(
        name: str,
        meaning: str,
        type: Any,
        default: Any,
        allowed: str,
        *,
        unit: str,
        basis: str = "assumed",
        citation: str = NOT_PUBLIC,
    ) -> Parameter:
        return Parameter(name, meaning, type, default, allowed, unit, basis, citation, section, by_year)

    return declare


_behavior = declarer("behavior", by_year=True)

#: Every parameter of the section ``behavior``.
BEHAVIOR = (
    _behavior(
        "behavior.exit_probability",
        "Probability of leaving for good on 1 January of a year (no effect in the first year).",
        number(0, 1),
        0.04,
        "0 to 1",
        unit="probability",
    ),
    _behavior(
        "behavior.part_b_growth",
        "Growth of Part B payments since the year before (no effect in the first year).",
        table(COHORTS, number(-0.5, 0.5)),
        dict.fromkeys(COHORTS, 0.0),
        "-0.5 to 0.5 each",
        unit="fraction",
        citation=NOT_PUBLIC + " (plausible -0.015 to 0.02)",
    ),
    _behavior(
        "behavior.quality_learning",
        "Rise of latent quality since the year before, in standard deviations (no effect in the first year).",
        table(COHORTS, number(-2, 2)),
        dict.fromkeys(COHORTS, 0.0),
        "-2 to 2 each",
        unit="SD",
        citation=NOT_PUBLIC + "; ranks are unaffected by a common trend",
    ),
    _behavior(
        "behavior.cost_growth",
        "Growth of cost per episode, with or without the model (no effect in the first year).",
        number(-0.5, 0.5),
        0.0,
        "-0.5 to 0.5",
        unit="fraction",
        citation=NOT_PUBLIC + "; figures are in 2025 dollars",
    ),
    _behavior(
        "behavior.cost_response",
        "Share of cost per episode that the incentive removes each year, year upon year: dominates savings.",
        number(-0.5, 0.5),
        {2027: 0.0, 2029: 0.002},
        "-0.5 to 0.5",
        unit="fraction",
        citation=NOT_PUBLIC + " (plausible 0 to 0.01)",
    ),
    _behavior(
        "behavior.cost_response_penalized",
        "The same for clinicians whose own adjustment factor of two years before was negative.",
        number(-0.5, 0.5),
        {2027: 0.0, 2029: 0.004},
        "-0.5 to 0.5",
        unit="fraction",
        citation=NOT_PUBLIC + " (plausible 0 to 0.01)",
    ),
    _behavior(
        "behavior.medicare_share",
        "Medicare's share of episode cost, which is stated in standardized allowed amounts.",
        number(0, 1),
        0.85,
        "0 to 1",
        unit="fraction",
    ),
    _behavior(
        "behavior.exempt_share",
        "Share of clinicians in extreme and uncontrollable circumstances.",
        table(COHORTS, number(0, 1)),
        dict.fromkeys(COHORTS, 0.0),
        "0 to 1 each",
        unit="fraction",
        citation="42 CFR 512.780",
    ),
)


#: One record per calendar year, 2027 to 2033.
BEHAVIOR_DTYPE = np.dtype(
    [
        # Of leaving on 1 January; not used in the first year.
        ("exit_probability", "f8"),
        # Factor on Part B payments and summand of latent quality since the first year, by cohort.
        ("part_b_growth", "f8", (len(COHORTS),)),
        ("quality_learning", "f8", (len(COHORTS),)),
        # Factor on cost per episode since the first year.
        ("cost_trend", "f8"),
        # Share of cost removed: by everybody, and by those with a negative factor two years before.
        ("cost_response", "f8"),
        ("cost_response_penalized", "f8"),
        ("medicare_share", "f8"),
        ("exempt_share", "f8", (len(COHORTS),)),
    ]
)


def behavior_records(values: Values) -> np.recarray:
    """Gather what varies by calendar year.

    Parameters
    ----------
    values : Values
        Resolved parameters, at least of section ``behavior``.

    Returns
    -------
    numpy.recarray of BEHAVIOR_DTYPE, shape (7,)
        One record per calendar year, 2027 to 2033; growth and learning are cumulated from the first year,
        in which they are 1 and 0.
    """
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    records = np.zeros(len(years), BEHAVIOR_DTYPE).view(np.recarray)
    growth, learning, trend = [1.0] * len(COHORTS), [0.0] * len(COHORTS), 1.0
    for place, year in enumerate(years):
        record = records[place]
        if year > FIRST_YEAR:
            for cohort, name in enumerate(COHORTS):
                growth[cohort] *= 1.0 + values.at("behavior.part_b_growth", year)[name]
                learning[cohort] += values.at("behavior.quality_learning", year)[name]
            trend *= 1.0 + values.at("behavior.cost_growth", year)
        record.part_b_growth = growth
        record.quality_learning = learning
        record.cost_trend = trend
        for name in ("exit_probability", "cost_response", "cost_response_penalized", "medicare_share"):
            record[name] = values.at(f"behavior.{name}", year)
        record.exempt_share = [values.at("behavior.exempt_share", year)[name] for name in COHORTS]
    return records
