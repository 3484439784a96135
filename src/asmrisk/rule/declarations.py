"""The rule's parameters (section ``policy``), declared once with unit, range, default, citation and basis.

A value may vary by performance year unless its declaration says otherwise.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, ConfigDict, Field, create_model

from asmrisk.parameters.parameter import Parameter, Parameters, choice, either, integer, number, numbers
from asmrisk.rule.definitions import COHORTS, PEERS, PERFORMANCE_YEARS, VINTAGES, measures_of

__all__ = ["CHOICES", "POLICY"]

_RULE = "90 FR 49266"


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("a measure is named twice")
    return names


def _declare(
    name: str,
    meaning: str,
    kind: Any,
    default: Any,
    allowed: str,
    unit: str,
    basis: str,
    section: str,
    note: str = "",
    *,
    by_year: bool = True,
    in_field: bool = False,
) -> Parameter:
    return Parameter(
        name=f"policy.{name}",
        meaning=meaning,
        type=kind,
        default=default,
        allowed=allowed,
        unit=unit,
        basis=basis,
        citation=f"42 CFR {section}, {_RULE}" + (f"; {note}" if note else ""),
        section=section,
        years=PERFORMANCE_YEARS if by_year else (),
        in_field=in_field,
    )


def _declare_choice(
    name: str,
    meaning: str,
    words: tuple[str, ...],
    basis: str,
    section: str,
    note: str = "",
    *,
    by_year: bool = True,
    in_field: bool = False,
) -> Parameter:
    """Declare a choice of words, of which the first is the final rule's."""
    allowed = " or ".join(each for each in (", ".join(words[:-1]), words[-1]) if each)
    return _declare(
        name,
        meaning,
        choice(*words),
        words[0],
        allowed,
        "",
        basis,
        section,
        note,
        by_year=by_year,
        in_field=in_field,
    )


def _measure_table() -> Any:
    """Build the type of ``policy.measures``: for each cohort a list of distinct names of its measures."""
    fields: dict[str, Any] = {}
    for cohort in COHORTS:
        name = choice(*(measure.name for measure in measures_of(cohort)))
        names = list[name]  # type: ignore[valid-type]
        fields[cohort] = (Annotated[names, Field(min_length=1), AfterValidator(_distinct)], ...)
    return create_model("table", __config__=ConfigDict(extra="forbid", strict=True), **fields)


#: The parameters of section ``policy``, in the order of the regulation.
POLICY = Parameters(
    [
        _declare_choice(
            "vintage",
            "The text that the rule is read from",
            tuple(VINTAGES),
            "CFR",
            "part 512 subpart G",
            "; ".join(f"{word}: {text}" for word, text in VINTAGES.items()),
            by_year=False,
        ),
        _declare_choice(
            "eligibility",
            "Who is measured in a year: who meets the criteria in it, or who has met them once",
            ("each_year", "once_in"),
            "CFR",
            "§ 512.710",
            by_year=False,
            in_field=True,
        ),
        _declare_choice(
            "aco_participants",
            "Clinicians of an accountable care organization: like others, exempt, or counted as having a "
            "collaborative care arrangement",
            ("included", "exempt", "attesting"),
            "CFR",
            "§ 512.710",
        ),
        _declare(
            "measures",
            "Quality measures in each cohort's set",
            _measure_table(),
            {cohort: [each.name for each in measures_of(cohort) if each.final] for cohort in COHORTS},
            "names of the cohort's measures, each once, at least one",
            "",
            "CFR",
            "§ 512.725",
            "the MRI measure was proposed, not finalized",
            in_field=True,
        ),
        _declare(
            "minimum_cases",
            "Cases from which a reported measure is scored",
            integer(1, 10_000),
            20,
            "1 to 10,000",
            "cases",
            "CFR",
            "§ 512.725",
        ),
        _declare(
            "minimum_completeness",
            "Data completeness from which a reported measure is scored",
            number(0, 1),
            0.75,
            "0 to 1",
            "fraction",
            "CFR",
            "§ 512.725",
        ),
        _declare_choice(
            "missing_measure",
            "A measure that was not reported earns zero points, or is excluded",
            ("zero", "excluded"),
            "secondary",
            "§ 512.725",
        ),
        _declare_choice(
            "quality_benchmarks",
            "Benchmarks from the year's peers, or fixed beforehand at CMS's published percentiles",
            ("peer", "fixed"),
            "CFR",
            "§ 512.725",
        ),
        _declare_choice(
            "quality_peer_group",
            "Who is compared within cohort and measure: all, those of one specialty, region or practice size "
            "(solo, 2 to 15, more), or those in an accountable care organization and the others",
            tuple(PEERS),
            "CFR",
            "§ 512.725",
            by_year=False,
        ),
        _declare_choice(
            "quality_collection_types",
            "Whether those of one collection type are compared apart from the others",
            ("apart", "together"),
            "CFR",
            "§ 512.725",
            "separate benchmarks by collection type in the preamble",
            by_year=False,
        ),
        _declare(
            "minimum_reporters",
            "Participants from which a benchmark is formed",
            integer(1, 10_000),
            20,
            "1 to 10,000",
            "clinicians",
            "precedent",
            "§ 512.725",
            "MIPS, 42 CFR § 414.1380(b)(1)",
        ),
        _declare(
            "worst_rate_excluded",
            "Leave the worst possible rate out of the benchmark and of its count",
            bool,
            True,
            "true or false",
            "",
            "precedent",
            "§ 512.725",
            "MIPS, 42 CFR § 414.1380(b)(1)",
        ),
        _declare_choice(
            "tie_rule",
            "Decile of a rate equal to an edge: the upper one, the lower one, or the mean of both's points",
            ("upper", "lower", "mid"),
            "precedent",
            "§ 512.725",
            "MIPS: in a topped-out measure the best rate earns 10 points",
        ),
        _declare(
            "partial_points",
            "Interpolate points within a decile",
            bool,
            True,
            "true or false",
            "",
            "precedent",
            "§ 512.725",
            "MIPS, 42 CFR § 414.1380(b)(1)",
        ),
        _declare(
            "minimum_episodes",
            "Episodes from which the cost measure is scored",
            integer(1, 10_000),
            20,
            "1 to 10,000",
            "episodes",
            "CFR",
            "§ 512.730",
        ),
        _declare_choice(
            "cost_peer_group",
            "Whose median and standard deviation a cost is compared with, by the words of quality_peer_group",
            tuple(PEERS),
            "CFR",
            "§ 512.730",
            by_year=False,
        ),
        _declare(
            "cost_points_z",
            "Knots of the cost points: standard deviations of cost above the median, ascending",
            numbers(10, -10, 10),
            [-1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75],
            "ten numbers, ascending, -10 to 10",
            "standard deviations",
            "data",
            "§ 512.730",
            "cut points recovered from CMS's MIPS cost benchmarks",
        ),
        _declare(
            "cost_points",
            "Points at these knots; linear between them, flat outside",
            numbers(10, 0, 10),
            [10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
            "ten numbers, 0 to 10",
            "points",
            "data",
            "§ 512.730",
            "ASM may anchor the median elsewhere than at 7.5 points",
        ),
        _declare(
            "improvement_activities_points",
            "Deduction with no, one and both improvement activities attested",
            numbers(3, -100, 0),
            [-20.0, -10.0, 0.0],
            "three numbers, -100 to 0",
            "points",
            "secondary",
            "§ 512.735",
        ),
        _declare(
            "collaborative_care_elements",
            "Elements of five that make a collaborative care arrangement, one of the two activities",
            integer(0, 5),
            3,
            "0 to 5",
            "elements",
            "CFR",
            "§ 512.735",
            "counts where a table gives the elements",
            in_field=True,
        ),
        _declare(
            "promoting_interoperability_points",
            "Deduction at a promoting interoperability score of 0, falling linearly to none at 100",
            number(-100, 0),
            -10.0,
            "-100 to 0",
            "points",
            "secondary",
            "§ 512.740",
            "range secondary, linear map assumed",
        ),
        _declare(
            "quality_weight",
            "Weight of quality in the final score; with the cost weight it makes 1",
            number(0, 1),
            0.5,
            "0 to 1",
            "fraction",
            "CFR",
            "§ 512.745",
        ),
        _declare(
            "cost_weight",
            "Weight of cost in the final score; with the quality weight it makes 1",
            number(0, 1),
            0.5,
            "0 to 1",
            "fraction",
            "CFR",
            "§ 512.745",
        ),
        _declare_choice(
            "missing_category",
            "Where quality or cost cannot be scored: the other carries all, there is no final score, or the "
            "missing one counts as a median performance",
            ("reweight", "neutral", "median_points"),
            "assumed",
            "§ 512.745",
        ),
        _declare_choice(
            "failed_submission",
            "Who met the completeness on no quality measure has a final score of zero, or no adjustment",
            ("zero", "no_adjustment"),
            "secondary",
            "§ 512.745",
            "sources differ",
        ),
        _declare(
            "complex_patient_intercept",
            "Complex-patient points at the mean of HCC risk score or dual share",
            number(-10, 10),
            1.5,
            "-10 to 10",
            "points",
            "precedent",
            "§ 512.745",
            "MIPS, 42 CFR § 414.1380(c)(3)",
        ),
        _declare(
            "complex_patient_slope",
            "Further complex-patient points for each standard deviation above the mean",
            number(0, 100),
            4.0,
            "0 to 100",
            "points per standard deviation",
            "precedent",
            "§ 512.745",
            "MIPS, 42 CFR § 414.1380(c)(3)",
        ),
        _declare(
            "complex_patient_cap",
            "Most complex-patient points",
            number(0, 100),
            10.0,
            "0 to 100",
            "points",
            "secondary",
            "§ 512.745",
        ),
        _declare(
            "small_practice_points",
            "Points for a small practice of two or more clinicians",
            number(0, 100),
            10.0,
            "0 to 100",
            "points",
            "secondary",
            "§ 512.745",
        ),
        _declare(
            "solo_practice_points",
            "Points for a solo practitioner",
            number(0, 100),
            15.0,
            "0 to 100",
            "points",
            "secondary",
            "§ 512.745",
            "rests on one source",
        ),
        _declare(
            "small_practice_maximum",
            "Most clinicians in a small practice",
            integer(1, 10_000),
            15,
            "1 to 10,000",
            "clinicians",
            "secondary",
            "§ 512.745",
        ),
        _declare(
            "risk_level",
            "Largest reduction of Part B payment, by performance year",
            number(0, 1),
            {2027: 0.09, 2029: 0.10, 2030: 0.11, 2031: 0.12},
            "0 to 1",
            "fraction",
            "secondary",
            "§ 512.750",
            "sources unanimous",
        ),
        _declare(
            "redistribution_share",
            "Share of the payments at risk that is paid out again; Medicare keeps the rest",
            number(0, 1),
            0.85,
            "0 to 1",
            "fraction",
            "secondary",
            "§ 512.750",
            "sources unanimous",
        ),
        _declare_choice(
            "exchange_function",
            "How a final score F > 0 becomes a transformed score: logistic, F/100, or 1 for everybody",
            ("logistic", "linear", "none"),
            "secondary",
            "§ 512.750",
            "sources unanimous",
        ),
        _declare(
            "exchange_steepness",
            "Steepness k of the logistic exchange function",
            number(0, 10),
            0.1,
            "0 to 10",
            "per point",
            "precedent",
            "§ 512.750",
            "SNF Value-Based Purchasing, 42 CFR § 413.338",
        ),
        _declare(
            "exchange_midpoint",
            "Final score at which the logistic exchange function is 1/2",
            either(Literal["cohort_median"], number(0, 100)),
            "cohort_median",
            'a number from 0 to 100, or "cohort_median" (of the final scores above 0)',
            "points",
            "secondary",
            "§ 512.750",
            "sources differ: the median, or a fixed 50",
        ),
        _declare(
            "adjustment_cap",
            "Largest positive payment adjustment",
            either(Literal["none", "risk_level"], number(0, 1)),
            "none",
            'a number from 0 to 1, "risk_level" (as large as the largest reduction), or "none"',
            "fraction",
            "assumed",
            "§ 512.750",
        ),
        _declare_choice(
            "cap_excess",
            "What lies above the cap is retained by Medicare, or redistributed to those below it",
            ("retained", "redistributed"),
            "assumed",
            "§ 512.750",
        ),
        _declare_choice(
            "zero_scorers",
            "Whether the payments of participants with a final score of 0 count in the incentive pool",
            ("in_pool", "outside_pool"),
            "assumed",
            "§ 512.750",
        ),
        _declare_choice(
            "payment_peer_group",
            "Who shares one incentive pool and exchange midpoint, by the words of quality_peer_group",
            tuple(PEERS),
            "CFR",
            "§ 512.750",
            by_year=False,
        ),
        _declare_choice(
            "part_b_base",
            "Part B amounts that count in the pool and are adjusted: paid, or allowed (with patients' share)",
            ("paid", "allowed"),
            "CFR",
            "§ 512.750",
            by_year=False,
            in_field=True,
        ),
        _declare_choice(
            "engagement_limit",
            "Most that a patient may be given to take part in care: 1,000 dollars a year, or in a lifetime",
            ("year", "lifetime"),
            "secondary",
            "§ 512.770",
            "sources differ",
            by_year=False,
        ),
    ]
)

#: By name, the words whose position is the code that kernels use for them.
CHOICES: dict[str, tuple[str, ...]] = {
    name.removeprefix("policy."): get_args(parameter.type)
    for name, parameter in POLICY.items()
    if get_origin(parameter.type) is Literal
}
