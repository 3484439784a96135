"""Declarations of the parameters of the section ``behavior``, which vary by calendar year."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asmrisk.parameters.parameter import Parameter, Parameters, choice, either, integer, number, table
from asmrisk.rule.definitions import CALENDAR_YEARS, COHORTS, PERFORMANCE_YEARS, PRACTICE_SIZES, SPECIALTIES

__all__ = ["BEHAVIOR", "NOT_PUBLIC", "declarer"]

NOT_PUBLIC = "not public; stated assumption"

_SURGICAL = ("neurosurgery", "orthopedic_surgery")
_RESPONSE_SOURCES = (
    "home health value-based purchasing -1.6% after five years; none found under the value modifier, "
    "hospital value-based purchasing and that of skilled nursing facilities, which has the same exchange "
    "function"
)


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
        the value is more than an assumption, `formerly` a former name, `in_field` as `Parameter` has it;
        returns the `Parameter`.
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
        in_field: bool = True,
    ) -> Parameter:
        return Parameter(
            name, meaning, type, default, allowed, unit, basis, citation, section, years, formerly, in_field
        )

    return declare


#: What counts until the last payments are made, and what is done while performance is measured.
_until_paid = declarer("behavior", years=CALENDAR_YEARS)
_behavior = declarer("behavior", years=PERFORMANCE_YEARS)

_BEHAVIOR = (
    _until_paid(
        "behavior.exit_probability",
        "Probability of leaving for good on 1 January of a year (no effect in the first year).",
        table(SPECIALTIES, number(0, 1)),
        dict.fromkeys(SPECIALTIES, 0.025) | dict.fromkeys(_SURGICAL, 0.03),
        "0 to 1 each",
        unit="probability",
        basis="secondary",
        citation="JAMA Health Forum 2025: 2.5% a year in medical specialties, 3.0% in surgical ones",
    ),
    _until_paid(
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
        "Share of cost per episode that the incentive removes each year, year upon year, of clinicians who "
        "were not penalized by their own adjustment factor of two years before (in 2027 and 2028 all): "
        "dominates savings.",
        number(-0.5, 0.5),
        0.00133333333,
        "-0.5 to 0.5",
        unit="fraction",
        in_field=False,
        basis="secondary",
        citation=_RESPONSE_SOURCES,
    ),
    _behavior(
        "behavior.cost_response_penalized",
        "The same for clinicians whose own adjustment factor of two years before was negative: a share, or "
        "ratio for behavior.cost_response times behavior.penalized_response_ratio.",
        either(number(-0.5, 0.5), choice("ratio")),
        "ratio",
        "-0.5 to 0.5, or ratio",
        unit="fraction",
        in_field=False,
    ),
    _behavior(
        "behavior.medicare_share",
        "Medicare's share of episode cost, which is stated in standardized allowed amounts.",
        number(0, 1),
        0.85,
        "0 to 1",
        unit="fraction",
        in_field=False,
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
    _behavior(
        "behavior.participation_cost",
        "What taking part costs a clinician a year beyond what MIPS would (negative: saves).",
        table(PRACTICE_SIZES, number(-1_000_000, 1_000_000)),
        dict.fromkeys(PRACTICE_SIZES, 0.0),
        "-1,000,000 to 1,000,000 each",
        unit="USD of 2025",
        in_field=False,
        citation=NOT_PUBLIC + "; MIPS cost $12,811 a physician in 2019 (Khullar et al., JAMA Health Forum "
        "2021)",
    ),
    _behavior(
        "behavior.telehealth_cost",
        "What telehealth costs for each beneficiary a year (negative: saves).",
        number(-100_000, 100_000),
        0.0,
        "-100,000 to 100,000",
        unit="USD of 2025",
        in_field=False,
    ),
    _behavior(
        "behavior.collaborative_care_cost",
        "What collaborative care costs for each beneficiary a year where both improvement activities are "
        "attested (negative: saves).",
        number(-100_000, 100_000),
        0.0,
        "-100,000 to 100,000",
        unit="USD of 2025",
        in_field=False,
    ),
)

_permanent = declarer("behavior")
_PERMANENT = (
    _permanent(
        "behavior.cost_response_start",
        "First performance year in which the incentive lowers costs.",
        integer(PERFORMANCE_YEARS[0], PERFORMANCE_YEARS[-1]),
        PERFORMANCE_YEARS[0],
        f"{PERFORMANCE_YEARS[0]} to {PERFORMANCE_YEARS[-1]}",
        unit="year",
        in_field=False,
        basis="secondary",
        citation="in home health value-based purchasing costs fell before the first adjustment",
    ),
    _permanent(
        "behavior.penalized_response_ratio",
        "How many times behavior.cost_response the response is after a negative adjustment factor two years "
        "before.",
        number(0, 20),
        2.0,
        "0 to 20",
        unit="times",
        in_field=False,
    ),
    _permanent(
        "behavior.volume_offset_cut",
        "Share of a cut by the adjustment that is won back by more services, in Part B dollars of the "
        "payment year alone.",
        number(0, 1),
        0.3,
        "0 to 1",
        unit="fraction",
        in_field=False,
        citation="actuaries of CMS use 0.3 for cuts of the fee schedule",
    ),
    _permanent(
        "behavior.engagement_share",
        "Share of the beneficiaries who are given incentives to take part in their care.",
        number(0, 1),
        0.0,
        "0 to 1",
        unit="fraction",
        in_field=False,
    ),
    _permanent(
        "behavior.engagement_incentive",
        "What each of them is given a year, up to the limit of 1,000 dollars.",
        number(0, 1000),
        0.0,
        "0 to 1,000",
        unit="USD of the year",
        in_field=False,
    ),
    _permanent(
        "behavior.engagement_returning",
        "Share of them who are given incentives the year after too; counts if the limit is of a lifetime.",
        number(0, 1),
        0.5,
        "0 to 1",
        unit="fraction",
        in_field=False,
    ),
    _permanent(
        "behavior.volume_offset_raise",
        "Share of a raise by the adjustment that is given up by fewer services, likewise.",
        number(0, 1),
        0.0,
        "0 to 1",
        unit="fraction",
        in_field=False,
    ),
    _permanent(
        "behavior.conduct_improvement",
        "Share of the practices that lacked improvement activities, or promoting interoperability, in a year "
        "and lack none from the next year on.",
        number(0, 1),
        0.3,
        "0 to 1",
        unit="fraction",
    ),
)

#: Every parameter of the section ``behavior``.
BEHAVIOR = Parameters((*_BEHAVIOR, *_PERMANENT))
