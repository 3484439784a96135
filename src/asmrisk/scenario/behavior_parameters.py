"""Declarations of the parameters of the section ``behavior``, which vary by calendar year."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asmrisk.parameters.parameter import Parameter, Parameters, number, table
from asmrisk.rule.definitions import CALENDAR_YEARS, COHORTS

__all__ = ["BEHAVIOR", "NOT_PUBLIC", "declarer"]

NOT_PUBLIC = "not public; stated assumption"


def declarer(section: str, *, years: tuple[int, ...] = ()) -> Callable[..., Parameter]:
    """Give a shorthand for the declarations of one part of the model.

    Parameters
    ----------
    section : str
        The part.
    years : tuple of int
        The calendar years by which its parameters vary.

    Returns
    -------
    callable
        Takes name, meaning, type, default and allowed range, then `unit`, and `basis` and `citation` where
        the value is more than an assumption, `formerly` a former name; returns the `Parameter`.
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
        formerly: str = "",
    ) -> Parameter:
        return Parameter(
            name, meaning, type, default, allowed, unit, basis, citation, section, years, formerly
        )

    return declare


_behavior = declarer("behavior", years=CALENDAR_YEARS)

_BEHAVIOR = (
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

#: Every parameter of the section ``behavior``.
BEHAVIOR = Parameters(_BEHAVIOR)
