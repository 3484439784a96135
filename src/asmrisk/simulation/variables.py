"""What a result store holds: every variable declared once, with its dimensions, type, unit and meaning.

The simulation fills arrays of these shapes, the store lays them out, `open_results` labels them, and the
documentation is derived from them. A variable's *path* is its name, preceded by its group where it has one
(``environment/cost_median``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asmrisk.rule.definitions import MEASURES, PEERS, PERFORMANCE_YEARS

if TYPE_CHECKING:
    from asmrisk.scenario.scenario import Scenario

__all__ = [
    "BY_CLINICIAN",
    "BY_COHORT",
    "BY_PANEL",
    "BY_PRACTICE_MEMBERS",
    "BY_PRACTICE_SIZE",
    "BY_SPECIALTY",
    "PEERS_OF",
    "PEER_GROUP_DIMENSIONS",
    "PRACTICE_MEMBERS",
    "QUANTILES",
    "Variable",
    "benchmarks_by_type",
    "peer_names",
    "record_dtype",
    "scored_measures",
    "variables",
]

#: Levels of the quantile variables.
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)

#: Classes of practices by clinicians with a final score: ``1`` is a practice's only one.
PRACTICE_MEMBERS = ("1", "2-4", "5-9", "10-19", "20+")

#: Dimensions of the simulation's records.
BY_COHORT = ("draw", "performance_year", "cohort")
BY_SPECIALTY = ("draw", "performance_year", "specialty", "practice_size")
BY_CLINICIAN = ("draw", "performance_year", "clinician")
BY_PRACTICE_SIZE = ("draw", "performance_year", "cohort", "practice_size")
BY_PRACTICE_MEMBERS = ("draw", "performance_year", "cohort", "practice_members")
#: Of all performance years together.
BY_PANEL = ("draw", "specialty", "practice_size")
_BY_CALENDAR_YEAR = ("draw", "calendar_year")
#: dtype of each kind of quantity.
_COUNT, _NUMBER = "int32", "float64"


class Variable(NamedTuple):
    """The declaration of one variable."""

    name: str  #: name within its group
    dims: tuple[str, ...]  #: dimensions; the first is always ``draw``
    dtype: str  #: ``int32`` for counts; ``float64`` for dollars, factors and scores, NaN where undefined
    #: ``1`` for counts and fractions, ``points`` for scores, ``USD`` for dollars of the year that the meaning
    #: names.
    units: str
    long_name: str  #: one line for a reader who does not know the model
    #: Group of a store: none, ``environment`` (what a clinician was ranked against), ``parameters`` (values
    #: of unknowns that were drawn), ``clinician`` (what happens to each of a roster's clinicians).
    group: str = ""

    @property
    def path(self) -> str:
        """Name preceded by the group, by which the simulation hands the variable over."""
        return f"{self.group}/{self.name}" if self.group else self.name

    @property
    def attributes(self) -> dict[str, str]:
        """What is stored with the array: unit and meaning."""
        return {"units": self.units, "long_name": self.long_name}


def _declare(
    dims: tuple[str, ...], units: str, dtype: str = _NUMBER, group: str = "", **meanings: str
) -> tuple[Variable, ...]:
    return tuple(Variable(name, dims, dtype, units, text, group) for name, text in meanings.items())


_ROOT = (
    *_declare(
        *(BY_COHORT, "1", _COUNT),
        participants="Clinicians measured",
        scored="Clinicians with a final score",
        zero_scores="Clinicians with a final score of zero",
        episodes="Episodes of the clinicians measured",
    ),
    *_declare(
        *(BY_COHORT, "USD"),
        episode_spending="Spending on those episodes, after any response, in 2025 dollars",
        part_b_paid="Part B payments at stake (with a final score), in dollars of the performance year",
        incentive_pool="Incentive pool, in dollars of the performance year",
        payment_year_part_b="Part B payments two years later, with the offset of volume, unadjusted, in "
        "dollars of that year",
        net_adjustment="Adjustments paid (negative: taken from clinicians), in dollars of the payment year",
        retained_savings="Adjustments kept by Medicare (minus the net), in dollars of the payment year",
        volume_offset="Part B paid for more services, less that for fewer, because of the adjustment, in "
        "dollars of the payment year",
        episode_savings="Medicare's share of what episodes cost less, in 2025 dollars",
        mips_forgone="Adjustments that MIPS would have made (negative: taken) of the clinicians measured, in "
        "dollars of the payment year",
        net_of_mips="Adjustments paid less those that MIPS would have made, in dollars of the payment year",
        cost_of_participation="What taking part costs those measured (negative: saves), in dollars of the "
        "performance year",
        net_of_costs="Adjustments paid less those of MIPS and the cost of taking part, in dollars of "
        "{dollar_year}",
        medicare_savings="Retained savings less volume offset, plus episode savings, in dollars of "
        "{dollar_year}",
    ),
    *_declare(
        *(_BY_CALENDAR_YEAR, "USD"),
        budget_savings="Adjustments kept less volume offset, plus episode savings, of the calendar year, in "
        "its dollars",
    ),
    *_declare(
        *(BY_COHORT, "1"),
        scaling_factor="Scaling factor of the exchange function",
        penalized_share="Share of those scored with a negative factor",
        weighted_adjustment_factor="Adjustment factor weighted by Part B payments",
    ),
    *_declare(BY_COHORT, "1", beneficiaries="Beneficiaries of those episodes"),
    *_declare(BY_COHORT, "points", median_final_score="Median final score, zeros included"),
    *_declare((*BY_COHORT, "quantile"), "1", adjustment_factor_quantile="Adjustment factor, quantiles"),
    *_declare((*BY_COHORT, "quantile"), "points", final_score_quantile="Final score, quantiles"),
    *_declare(
        *(BY_SPECIALTY, "1", _COUNT),
        specialty_participants="Clinicians measured",
        specialty_scored="Clinicians with a final score",
    ),
    *_declare(
        *(BY_SPECIALTY, "USD"),
        specialty_part_b_paid="Part B payments at stake, in dollars of the performance year",
        specialty_net_adjustment="Adjustments paid (negative: taken), in dollars of the payment year",
        specialty_mips_forgone="Adjustments that MIPS would have made (negative: taken), in dollars of the "
        "payment year",
        specialty_net_of_mips="Adjustments paid less those of MIPS, in dollars of the payment year",
        specialty_cost_of_participation="What taking part costs (negative: saves), in dollars of the "
        "performance year",
        specialty_net_of_costs="Adjustments paid less those of MIPS and the cost of taking part, in dollars "
        "of {dollar_year}",
    ),
    *_declare(
        *(BY_SPECIALTY, "1"),
        specialty_mean_adjustment_factor="Mean adjustment factor of those scored",
        specialty_penalized_share="Share of those scored with a negative factor",
    ),
    *_declare(*(BY_PRACTICE_SIZE, "1", _COUNT), practices="Practices in which a clinician has a final score"),
    *_declare(
        *(BY_PRACTICE_SIZE, "1"),
        practice_factor_mean="Mean over practices of the mean adjustment factor of their clinicians scored",
        practice_factor_sd="Standard deviation over practices of that mean factor",
    ),
    *_declare(
        *((*BY_PRACTICE_SIZE, "quantile"), "1"),
        practice_factor_quantile="Mean adjustment factor of a practice's clinicians scored, quantiles over "
        "practices",
    ),
    *_declare(
        *(BY_PRACTICE_MEMBERS, "1", _COUNT),
        members_practices="Practices with so many clinicians with a final score",
    ),
    *_declare(
        *(BY_PRACTICE_MEMBERS, "1"),
        members_factor_mean="Mean over these practices of the mean factor of their clinicians scored",
        members_factor_sd="Standard deviation over these practices of that mean factor",
    ),
    *_declare(
        *(BY_PANEL, "1", _COUNT),
        panel_clinicians="Clinicians with a final score in any performance year",
        panel_clinician_years="Their years with a final score",
    ),
    *_declare(
        *((*BY_PANEL, "quantile"), "1"),
        panel_factor_quantile="Adjustment factor of these clinicians and years, quantiles",
    ),
    *_declare(
        *(BY_PANEL, "1"),
        panel_penalized_share="Share of these years with a negative factor",
        panel_maximum_share="Share of these years with the largest raise, that of a final score of 100",
        panel_three_in_a_row_share="Share of these clinicians penalized three years in a row",
        panel_net_loser_share="Share of these clinicians whose adjustments add up to less than 0 dollars",
    ),
    *_declare(
        *(BY_PANEL, "USD"),
        panel_mean_adjustment="Mean adjustment paid to these clinicians a year with a final score (negative: "
        "taken), in dollars of the payment years",
    ),
)

#: Dimensions that stand for several peer groups of a cohort.
PEER_GROUP_DIMENSIONS = ("quality_peer_group", "cost_peer_group", "pool_group")
#: What each is of, as the policy's ``quality_peer_group`` and so on name it.
PEERS_OF = ("quality", "cost", "payment")


def _peer_dimensions(peers: str, dimension: str) -> tuple[str, ...]:
    """Give the dimensions of what each peer group has; a specialty lies within one cohort."""
    return {"cohort": ("cohort",), "specialty": (dimension,)}.get(peers, ("cohort", dimension))


def _environment(
    quality: tuple[str, ...], cost: tuple[str, ...], payment: tuple[str, ...]
) -> tuple[Variable, ...]:
    year, group = ("draw", "performance_year"), "environment"
    benchmark = (*year, "measure", *quality)
    edges = "Decile edges in the measure's own rate, from worst to best (falling if inverse)"
    return (
        *_declare(
            *(benchmark, "rate", _NUMBER, group),
            benchmark_minimum="Worst rate in the benchmark (highest if inverse)",
        ),
        *_declare((*benchmark, "edge"), "rate", _NUMBER, group, benchmark_edges=edges),
        *_declare(benchmark, "1", _COUNT, group, benchmark_size="Clinicians in the benchmark"),
        *_declare(
            *((*year, *cost), "USD", _NUMBER, group),
            cost_median="Median cost per episode of the cost peers",
            cost_sd="Standard deviation of the cost peers' cost per episode",
        ),
        *_declare(
            *(BY_COHORT, "1", _NUMBER, group),
            hcc_median="Median HCC risk score",
            hcc_mean="Mean HCC risk score",
            hcc_sd="Standard deviation of the HCC risk score",
            dual_share_median="Median dual-eligible share",
            dual_share_mean="Mean dual-eligible share",
            dual_share_sd="Standard deviation of the dual-eligible share",
            median_quality_score="Median quality score, where it stands for a missing one; otherwise NaN",
        ),
        *_declare(
            *((*year, *payment), "points", _NUMBER, group),
            exchange_midpoint="Midpoint of the exchange function",
        ),
        *_declare(
            *((*year, *payment), "1", _NUMBER, group),
            scaling_factor="Scaling factor of the exchange function",
        ),
    )


_PARAMETERS = (
    *_declare(
        *(("draw", "parameter"), "parameter's own", _NUMBER, "parameters"),
        parameter_value="Value drawn for a parameter; of words and tables the place among those listed",
    ),
    *_declare(
        *(("draw",), "1", "int64", "parameters"),
        parameter_set="Number of the parameter set, whose values several draws share",
    ),
)
_CLINICIAN = (
    *_declare(
        *(BY_CLINICIAN, "1", _NUMBER, "clinician"),
        adjustment_factor="Adjustment factor of a clinician of the roster; NaN if not measured",
    ),
    *_declare(
        *(BY_CLINICIAN, "USD", _NUMBER, "clinician"),
        adjustment_usd="Adjustment paid to the clinician (negative: taken), in dollars of the payment year; "
        "NaN if not measured",
        mips_forgone="Adjustment that MIPS would have made (negative: taken), in dollars of the payment "
        "year; NaN if not measured",
        cost_of_participation="What taking part costs the clinician (negative: saves), in dollars of the "
        "performance year; NaN if not measured",
    ),
)


def record_dtype(dims: tuple[str, ...]) -> np.dtype[np.void]:
    """Give a record of the variables over some dimensions, `BY_COHORT` and so on; fields are their names."""
    return np.dtype([(each.name, each.dtype) for each in (*_ROOT, *_CLINICIAN) if each.dims == dims])


def peer_names(scenario: Scenario, of: str) -> tuple[str, ...]:
    """Name the peer groups of a cohort for ``quality``, ``cost`` or ``payment``."""
    peers = scenario.values[f"policy.{of}_peer_group"]
    regions = scenario.values["population.regions"]
    fewer = peers == "region" and "population.regions" not in scenario.uncertainty
    return PEERS[peers][:regions] if fewer else PEERS[peers]


def benchmarks_by_type(scenario: Scenario) -> bool:
    """Whether benchmarks are of one collection type each, as fixed ones always are, in any year."""
    values = scenario.values
    fixed = [values.at("policy.quality_benchmarks", year) == "fixed" for year in PERFORMANCE_YEARS]
    return values["policy.quality_collection_types"] == "apart" or any(fixed)


def scored_measures(scenario: Scenario) -> tuple[str, ...]:
    """Name the measures that are in a cohort's set in any year, in the order of the rule's `MEASURES`."""
    sets = [scenario.values.at("policy.measures", year) for year in PERFORMANCE_YEARS]
    used = {name for each in sets for names in each.values() for name in names}
    return tuple(measure.name for measure in MEASURES if measure.name in used)


def variables(scenario: Scenario) -> dict[str, Variable]:
    """Declare the variables of a run, by path.

    Parameters
    ----------
    scenario : Scenario
        Its peer groups decide the dimensions of the environment's variables, its uncertainty whether there
        is a group ``parameters``, its roster whether there is a group ``clinician``; its year of dollars is
        named.
    """
    quality, cost, payment = (
        _peer_dimensions(scenario.values[f"policy.{of}_peer_group"], dimension)
        for of, dimension in zip(PEERS_OF, PEER_GROUP_DIMENSIONS, strict=True)
    )
    # A measure is one cohort's.
    quality = tuple(each for each in quality if each != "cohort")
    if benchmarks_by_type(scenario):
        quality += ("collection_type",)
    declared = _ROOT + _environment(quality, cost, payment)
    if scenario.uncertainty:
        declared += _PARAMETERS
    if scenario.roster is not None:
        declared += _CLINICIAN
    year = scenario.values["population.dollar_year"]
    return {each.path: each._replace(long_name=each.long_name.format(dollar_year=year)) for each in declared}
