"""What each parameter decides, written down once more from the model's text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.parameters.change import Change, after_the_first_year, other, practice, specialty
from tests.parameters.consequences import (
    BENCHMARKS,
    COSTS,
    FOLLOWS,
    MADE_OF,
    MEASURES,
    MONEY,
    NET_OF_COSTS,
    OF_MIPS,
    REPORT,
    SETS,
)
from tests.parameters.reforms import BACK, BOTH, HEART, RISK, YEARS

#: Measures that can be reported in two ways, and those that can go unreported.
EITHER_WAY = ("q008", "q005", "q236", "q238", "q134", "q128")
VOLUNTARY = (*EITHER_WAY, "q377", "q220")
SPECIALTIES = {
    "cardiology": HEART,
    "anesthesiology": BACK,
    "pain_management": BACK,
    "interventional_pain_management": BACK,
    "neurosurgery": BACK,
    "orthopedic_surgery": BACK,
    "physical_medicine_and_rehabilitation": BACK,
}
SIZES = {"solo": (1, 1), "small": (2, 15), "large": (16, 1000)}


def of(part: str, measures: Iterable[str] = MEASURES[:-1]) -> tuple[str, ...]:
    return tuple(f"{name}_{part}" for name in measures)


def everything_of(measure: str) -> tuple[str, ...]:
    return tuple(f"{measure}_{part}" for part in (*REPORT, "points"))


POINTS = of("points")
#: What depends on the practice's size besides the small-practice points.
HABITS = (
    "improvement_activities",
    "promoting_interoperability",
    *of("collection_type", VOLUNTARY),
    *of("completeness", VOLUNTARY),
)
#: What the solution for the number of episodes enters: levels, cases, Part B and cost calibrated to it.
VOLUME = ("measured", "episodes", *of("cases"), *of("rate"), *MONEY, "cost_per_episode")
#: What is calibrated to who reports and who is measured: rates, and costs.
RATES, CALIBRATED = of("rate"), (*of("rate"), "cost_per_episode")
#: What follows from the size of the practice.
OF_THE_SIZE = ("practice_size", *HABITS)
#: What follows from which practices there are.
IN_PRACTICES = (*OF_THE_SIZE, "specialty", "region", "aco", *MONEY, *CALIBRATED)
#: What colleagues and neighbors share of each score shows in.
OF_SHARED: dict[str, tuple[str, ...]] = {
    # Better quality goes with lower cost.
    "quality": CALIBRATED,
    "cost": ("cost_per_episode",),
    "part_b": (*MONEY, "cost_per_episode"),
    "patients": ("hcc_risk_score", "dual_share", *CALIBRATED),
    "habits": (*of("collection_type", VOLUNTARY), *of("completeness", VOLUNTARY)),
}
IN_AREAS = (*MONEY, "hcc_risk_score", "dual_share", *CALIBRATED)
#: What follows from other specialties: surgeons leave more often, and who follows somebody who left earlier
#: began earlier.
OTHER_SPECIALTIES: dict[str, Any] = {
    "columns": ("specialty", *MONEY),
    "may": ("measured", *CALIBRATED),
    "cohorts": (BACK,),
    "where": other("specialty"),
    "comparable": lambda names: names.str.endswith("-0"),
}
#: Quality that is the same in practices of all sizes, so that nobody is compared with other reporters.
ALIKE = {"population.quality_size_gradient": 0.0}
WITH_ZEROS = {"population.nothing_reported": {"16-1000": 0.1}}
CAPPED = {"policy.adjustment_cap": 0.02}
#: Some final scores earn more than the risk level.
WITH_FEW_WINNERS = {"policy.exchange_midpoint": 90.0}
COSTLY = {
    "behavior.participation_cost": {"solo": 900.0, "small": 700.0, "large": 500.0},
    "behavior.telehealth_cost": 3.0,
    "behavior.collaborative_care_cost": 5.0,
}
ENGAGED = {"behavior.engagement_share": 0.4, "behavior.engagement_incentive": 400.0}
WITH_MRI = {"policy.measures": {BACK: ["q238", "q134", "q128", "q220", "mri"]}}

#: Attributes that part the clinicians of either cohort.
PARTING = ("region", "practice_size", "aco")
#: Whom an exemption takes out, the others are not ranked against any more.
RANKED_AGAINST = (
    *FOLLOWS["exempt"],
    *BENCHMARKS,
    *(path for path, parts in MADE_OF.items() if "exempt" in parts),
)

CHANGES: dict[str, list[Change]] = {
    # Who takes part, § 512.710
    "policy.eligibility": [Change("once_in", ("measured",))],
    "policy.aco_participants": [
        Change(
            "exempt",
            # Who is exempt does not respond to the incentive.
            ("final_score", "quality_score", "cost_points", "cost_per_episode"),
            ("mips_forgone", *COSTS),
            may=(*RANKED_AGAINST, *OF_MIPS),
            among=COSTLY,
            lasts=True,
        ),
        Change(
            "attesting",
            ("improvement_activities_adjustment",),
            where=lambda before, after: (before.aco == 1) & (before.improvement_activities < 2),
        ),
    ],
    # Quality, § 512.725
    "policy.measures": [
        # What is in no year's set is not simulated at all.
        Change(
            {BACK: ["q238", "q134", "q128"]},
            ("quality_score", *everything_of("q220")),
            cohorts=(BACK,),
            when="always",
        ),
        Change(
            {BACK: ["q238", "q134", "q128"]},
            ("q220_points", "quality_score"),
            BENCHMARKS,
            cohorts=(BACK,),
            when="once",
        ),
        Change(
            {HEART: ["q008", "q005", "q236", "q377"]},
            ("q492_points", "quality_score"),
            BENCHMARKS,
            cohorts=(HEART,),
            when="once",
        ),
    ],
    "policy.minimum_cases": [
        Change(
            60,
            ("quality_score", *of("points", ("q008", "q005", "q220"))),
            BENCHMARKS[1:],
            may=(*POINTS, *BENCHMARKS),
        )
    ],
    "policy.minimum_completeness": [
        Change(0.9, ("quality_score", *of("points", VOLUNTARY)), BENCHMARKS[1:], may=BENCHMARKS)
    ],
    "policy.missing_measure": [
        Change(
            "excluded",
            of("points", VOLUNTARY),
            where=lambda before, after: before[[*of("collection_type", VOLUNTARY)]].isna().any(axis=1),
        )
    ],
    "policy.quality_benchmarks": [Change("fixed", POINTS, BENCHMARKS)],
    "policy.quality_peer_group": [
        Change("specialty", of("points", SETS[BACK][:4]), cohorts=(BACK,)),
        *(Change(attribute, POINTS) for attribute in PARTING),
    ],
    "policy.quality_collection_types": [Change("together", of("points", EITHER_WAY))],
    "policy.minimum_reporters": [Change(60, ("quality_score",), BENCHMARKS[:2], may=POINTS)],
    "policy.worst_rate_excluded": [
        Change(False, ("quality_score",), BENCHMARKS[:1], may=(*of("points", VOLUNTARY), *BENCHMARKS))
    ],
    "policy.tie_rule": [Change(word, ("quality_score",), may=POINTS) for word in ("lower", "mid")],
    "policy.partial_points": [Change(False, POINTS)],
    # Cost, § 512.730
    "policy.minimum_episodes": [
        Change(40, ("cost_points",), ("environment/cost_median", "environment/cost_sd"))
    ],
    "policy.cost_peer_group": [
        Change("specialty", ("cost_points",), cohorts=(BACK,)),
        *(Change(attribute, ("cost_points",)) for attribute in PARTING),
    ],
    "policy.cost_points_z": [
        Change(
            [-1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 1.8, 2.25, 2.5, 2.75],
            ("cost_points",),
            where=lambda before, after: before.cost_points.between(3, 5, inclusive="neither"),
        )
    ],
    "policy.cost_points": [
        Change(
            [10.0, 9.5, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
            ("cost_points",),
            where=lambda before, after: before.cost_points.between(8, 10, inclusive="neither"),
        )
    ],
    # Conduct, §§ 512.735 and 512.740
    "policy.improvement_activities_points": [
        Change(
            [-20.0 - 5 * (n == 0), -10.0 - 5 * (n == 1), 0.0 - 5 * (n == 2)],
            ("improvement_activities_adjustment",),
            where=lambda before, after, n=n: before.improvement_activities == n,
        )
        for n in range(3)
    ],
    # No simulation knows the parts.
    "policy.collaborative_care_elements": [Change(0), Change(5)],
    "policy.promoting_interoperability_points": [
        Change(
            -15.0,
            ("promoting_interoperability_adjustment",),
            where=lambda before, after: before.promoting_interoperability < 100,
        )
    ],
    # Final score, § 512.745
    "policy.quality_weight": [Change(0.7, ("final_score",), also={"policy.cost_weight": 0.3})],
    "policy.cost_weight": [Change(0.7, ("final_score",), also={"policy.quality_weight": 0.3})],
    "policy.missing_category": [
        Change(
            word,
            ("final_score",),
            results,
            where=lambda before, after: before.quality_score.isna() | before.cost_points.isna(),
        )
        for word, results in (("neutral", ()), ("median_points", ("environment/median_quality_score",)))
    ],
    "policy.failed_submission": [
        Change(
            "no_adjustment",
            ("final_score",),
            among=WITH_ZEROS,
            where=lambda before, after: before.final_score == 0.0,
        )
    ],
    "policy.complex_patient_intercept": [Change(2.0, ("complex_patient_adjustment",))],
    "policy.complex_patient_slope": [Change(5.0, ("complex_patient_adjustment",))],
    "policy.complex_patient_cap": [
        Change(
            6.0,
            ("complex_patient_adjustment",),
            where=lambda before, after: before.complex_patient_adjustment > 6,
        )
    ],
    "policy.small_practice_points": [Change(8.0, ("small_practice_adjustment",), where=practice(2, 15))],
    "policy.solo_practice_points": [Change(8.0, ("small_practice_adjustment",), where=practice(1, 1))],
    "policy.small_practice_maximum": [Change(9, ("small_practice_adjustment",), where=practice(10, 15))],
    # Payment, § 512.750
    "policy.risk_level": [Change(0.05, ("adjustment_factor",), ("incentive_pool",))],
    "policy.redistribution_share": [Change(1.0, ("scaling_factor",), ("incentive_pool",))],
    "policy.exchange_function": [Change(word, ("transformed_score",)) for word in ("linear", "none")],
    "policy.exchange_steepness": [Change(0.05, ("transformed_score",))],
    "policy.exchange_midpoint": [Change(50.0, ("transformed_score",), ("environment/exchange_midpoint",))],
    "policy.adjustment_cap": [
        Change(0.02, ("adjustment_factor",), where=lambda before, after: before.adjustment_factor > 0.02),
        Change(
            "risk_level",
            ("adjustment_factor",),
            among=WITH_FEW_WINNERS,
            where=lambda before, after: (
                before.adjustment_factor > before.performance_year.map(dict(zip(YEARS, RISK, strict=True)))
            ),
        ),
    ],
    "policy.cap_excess": [Change("redistributed", ("adjustment_factor", "scaling_factor"), among=CAPPED)],
    "policy.zero_scorers": [
        Change("outside_pool", ("scaling_factor",), ("incentive_pool",), among=WITH_ZEROS)
    ],
    "policy.payment_peer_group": [
        Change("specialty", ("transformed_score", "scaling_factor"), cohorts=(BACK,)),
        *(Change(attribute, ("transformed_score", "scaling_factor")) for attribute in PARTING),
    ],
    "policy.part_b_base": [Change("allowed", MONEY)],
    # Incentives to patients: without any, the limit is of no account.
    "policy.engagement_limit": [
        Change("lifetime", (), (*COSTS, *NET_OF_COSTS), among=ENGAGED),
        Change("lifetime"),
    ],
    # Who there is
    "population.clinicians": [Change(340.0, ("measured",))],
    "population.cohort_share": [
        # 118 and 182 clinicians, of whom the second cohort alone grows.
        Change(
            {HEART: 0.393, BACK: 0.7},
            ("measured",),
            cohorts=(BACK,),
            also={"population.clinicians": 300 * 1.093},
        )
    ],
    "population.back_pain_specialties": [
        Change({name: 60.0}, **OTHER_SPECIALTIES) for name, cohort in SPECIALTIES.items() if cohort == BACK
    ],
    "population.specialty_small_practice_offset": [
        Change({name: 1.0}, **OTHER_SPECIALTIES) for name in ("pain_management", "neurosurgery")
    ],
    # Practices of another size have other members.
    "population.small_practice_share": [
        Change(
            {cohort: 0.6},
            ("measured", "practice_size", *HABITS[:2], *of("collection_type", EITHER_WAY)),
            may=IN_PRACTICES,
            cohorts=(cohort,),
            where=other("practice_size"),
        )
        for cohort in BOTH
    ],
    "population.practice_weights": [
        Change(
            {name: 5e5},
            ("practice_size",),
            may=("measured", *IN_PRACTICES),
            where=other("practice_size"),
        )
        for name in ("51-200", "201-1000")
    ],
    **{
        f"population.participants_{name}": [
            Change({cohort: value}, ("measured",), may=IN_PRACTICES, cohorts=(cohort,)) for cohort in BOTH
        ]
        for name, value in (
            ("per_small_practice", 1.6),
            ("per_large_practice", 5.0),
            ("around_participant", 9.0),
            ("among_ten_to_nineteen", 0.3),
        )
    },
    # Practices and areas
    # Quality and habits show in MIPS too.
    "population.practice_correlation": [
        Change({name: 0.0}, columns, OF_MIPS if name in ("quality", "habits") else ())
        for name, columns in OF_SHARED.items()
    ],
    "population.area_correlation": [
        Change({name: 0.0}, columns, OF_MIPS if name == "quality" else ())
        for name, columns in OF_SHARED.items()
        if name != "habits"
    ],
    "population.areas": [Change(20, (*IN_AREAS, "region"), OF_MIPS, may=("area",))],
    "population.area_log_sd": [Change(0.0, (*IN_AREAS, "region"), OF_MIPS, may=("area",))],
    "population.regions": [Change(4, ("region",), may=("area", *IN_AREAS, *OF_MIPS))],
    "population.aco_share": [Change(0.9, ("aco",))],
    # Who is measured decides how many members practices must have.
    "population.minimum_episodes": [Change(25, VOLUME, may=IN_PRACTICES)],
    "population.mean_episodes": [
        Change({HEART: 45.0}, VOLUME, may=IN_PRACTICES, cohorts=(HEART,)),
        Change({BACK: 80.0}, VOLUME, may=IN_PRACTICES, cohorts=(BACK,)),
    ],
    "population.episodes_log_sd": [Change(0.6, VOLUME, may=IN_PRACTICES)],
    "population.lowest_expected_episodes": [Change(14.0, VOLUME, may=IN_PRACTICES)],
    "population.episodes_shock_log_sd": [Change(0.4, VOLUME, may=IN_PRACTICES)],
    # Part B
    "population.part_b_mean": [],
    "population.part_b_panel_ratio": [],
    "population.part_b_tail_slope": [],
    "population.part_b_persistence": [
        # What colleagues share persists as in the specialty that persists most.
        Change({"orthopedic_surgery": 0.7}, (*MONEY, "cost_per_episode"))
    ],
    "population.part_b_trend": [],
    "population.part_b_episode_correlation": [Change(0.4, (*MONEY, "cost_per_episode"))],
    # Patients
    "population.hcc_mean": [Change(1.7, ("hcc_risk_score",))],
    "population.hcc_sd": [Change(0.6, ("hcc_risk_score",))],
    "population.dual_median": [Change(0.2, ("dual_share",))],
    "population.dual_log_sd": [Change(0.5, ("dual_share",))],
    "population.dual_hcc_correlation": [Change(0.6, ("dual_share", *CALIBRATED))],
    # Quality
    "population.ecqm_share": [
        Change(
            {size: 0.1},
            of("collection_type", EITHER_WAY),
            may=RATES,
            where=practice(*SIZES[size]),
            among=ALIKE,
        )
        for size in SIZES
    ],
    "population.cases_per_episode": [
        Change({name: 3.0}, (f"{name}_cases", f"{name}_rate"), cohorts=(cohort,))
        for cohort, names in SETS.items()
        for name in names
        if name != "mri"
    ],
    "population.cases_log_sd": [Change(0.3, (*of("cases"), *of("rate")))],
    "population.rate_spread": [Change(0.5, of("rate"))],
    "population.quality_common_share": [
        Change({name: 0.5}, (f"{name}_rate",), cohorts=(cohort,))
        for cohort, names in SETS.items()
        for name in names
        if name != "mri"
    ],
    "population.quality_size_gradient": [Change(2.0, RATES)],
    "population.benchmark_drift": [
        Change({name: 0.5}, (f"{name}_rate",), cohorts=(cohort,))
        for cohort, names in SETS.items()
        for name in names
        if name != "mri"
    ],
    "population.complex_patients_quality_effect": [Change(0.5, RATES)],
    "population.specialty_quality_offset": [
        Change({name: 1.0}, RATES, cohorts=(BACK,)) for name in ("pain_management", "neurosurgery")
    ],
    "population.latent_persistence": [
        Change(0.5, (*of("rate"), "cost_per_episode"), OF_MIPS, where=after_the_first_year)
    ],
    "population.shrinkage_reliability": [Change(0.8, ("q492_rate",), cohorts=(HEART,))],
    "population.shrinkage_mean_cases": [Change(60.0, ("q492_rate",), cohorts=(HEART,))],
    "population.mri_percentiles": [
        Change(
            [0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8],
            ("mri_rate",),
            cohorts=(BACK,),
            among=WITH_MRI,
        )
    ],
    # Cost
    "population.cost_median": [
        Change({HEART: 15_500.0}, ("cost_per_episode",), cohorts=(HEART,)),
        Change({BACK: 2_000.0}, ("cost_per_episode",), cohorts=(BACK,)),
    ],
    "population.cost_sd": [
        Change({HEART: 5_000.0}, ("cost_per_episode",), cohorts=(HEART,)),
        Change({BACK: 800.0}, ("cost_per_episode",), cohorts=(BACK,)),
    ],
    "population.cost_reliability": [
        Change({cohort: 0.5}, ("cost_per_episode",), cohorts=(cohort,)) for cohort in BOTH
    ],
    "population.cost_quality_correlation": [Change(0.3, ("cost_per_episode",))],
    "population.cost_episode_correlation": [
        Change({cohort: 0.0}, ("cost_per_episode",), cohorts=(cohort,)) for cohort in BOTH
    ],
    "population.part_b_cost_correlation": [Change(0.0, ("cost_per_episode",))],
    "population.complex_patients_cost_effect": [Change(0.5, ("cost_per_episode",))],
    "population.specialty_cost_offset": [
        Change({name: 1.0}, ("cost_per_episode",), cohorts=(BACK,))
        for name in ("pain_management", "neurosurgery")
    ],
    # Reporting
    "population.nothing_reported": [
        Change(
            {name: 0.6},
            (*of("collection_type", VOLUNTARY), *of("completeness", VOLUNTARY)),
            may=RATES,
            where=practice(low, high),
            among=ALIKE,
        )
        for name, low, high in (("solo", 1, 1), ("2-5", 2, 5), ("6-15", 6, 15), ("16-1000", 16, 1000))
    ],
    "population.missed_measure": [
        Change({name: 0.4}, (f"{name}_collection_type", f"{name}_completeness"), cohorts=(cohort,))
        for cohort, names in SETS.items()
        for name in names
        if name in VOLUNTARY
    ],
    "population.incomplete_share": [Change(0.4, of("completeness", VOLUNTARY))],
    "population.completeness_low": [Change(0.5, of("completeness", VOLUNTARY))],
    "population.improvement_activities_none": [
        Change({size: 0.5}, ("improvement_activities",), where=practice(*SIZES[size])) for size in SIZES
    ],
    "population.improvement_activities_one": [
        Change({size: 0.4}, ("improvement_activities",), where=practice(*SIZES[size])) for size in SIZES
    ],
    "population.interoperability_zero": [
        Change({size: 0.15}, ("promoting_interoperability",), where=practice(*SIZES[size])) for size in SIZES
    ],
    "population.interoperability_full": [
        Change({size: 0.3}, ("promoting_interoperability",), where=practice(*SIZES[size])) for size in SIZES
    ],
    "population.interoperability_low": [
        Change(
            40.0,
            ("promoting_interoperability",),
            where=lambda before, after: before.promoting_interoperability.between(0.001, 99.999),
        )
    ],
    "population.habit_persistence": [Change(0.5, HABITS, OF_MIPS, where=after_the_first_year)],
    # Dollars
    "population.deflator": [
        Change(0.05, (), ("medicare_savings", "budget_savings", *COSTS, *NET_OF_COSTS), among=COSTLY)
    ],
    "population.dollar_year": [Change(2030, (), ("medicare_savings", *NET_OF_COSTS))],
    "population.beneficiaries_per_episode": [
        Change(0.8, (), ("beneficiaries",)),
        Change(0.8, (), ("beneficiaries", *COSTS), among=COSTLY),
    ],
    # Behavior
    "behavior.exit_probability": [
        # Who follows somebody who left earlier began earlier, and is not the same any more.
        Change(
            {name: 0.5},
            ("measured", "payment_year_part_b"),
            cohorts=(SPECIALTIES[name],),
            where=specialty(name),
            lasts=True,
            comparable=lambda names: names.str.endswith("-0"),
        )
        for name in ("cardiology", "anesthesiology", "orthopedic_surgery")
    ],
    "behavior.volume_offset_cut": [
        Change(1.0, ("payment_year_part_b",), where=lambda before, after: before.adjustment_factor < 0.0)
    ],
    "behavior.volume_offset_raise": [
        Change(0.5, ("payment_year_part_b",), where=lambda before, after: before.adjustment_factor > 0.0)
    ],
    "behavior.conduct_improvement": [
        Change(0.0, ("improvement_activities", "promoting_interoperability"), where=after_the_first_year)
    ],
    "behavior.part_b_growth": [
        Change({cohort: 0.1}, MONEY, cohorts=(cohort,), lasts=True) for cohort in BOTH
    ],
    "behavior.quality_learning": [
        Change(
            {cohort: 0.5},
            of("rate", SETS[cohort][: 5 if cohort == HEART else 4]),
            cohorts=(cohort,),
            lasts=True,
        )
        for cohort in BOTH
    ],
    "behavior.cost_growth": [Change(0.1, ("cost_per_episode",), lasts=True)],
    "behavior.cost_response": [Change(0.05, ("cost_per_episode",), ("episode_savings",), lasts=True)],
    "behavior.cost_response_penalized": [
        Change(0.05, ("cost_per_episode",), ("episode_savings",), lasts=True)
    ],
    "behavior.cost_response_start": [Change(2029, ("cost_per_episode",), ("episode_savings",))],
    "behavior.penalized_response_ratio": [Change(20.0, ("cost_per_episode",), ("episode_savings",))],
    "behavior.medicare_share": [Change(0.5, (), ("episode_savings", "medicare_savings", "budget_savings"))],
    # What taking part costs, which is nothing that anybody is scored by.
    "behavior.participation_cost": [Change({size: 1000.0}, (), (*COSTS, *NET_OF_COSTS)) for size in SIZES],
    "behavior.telehealth_cost": [Change(10.0, (), (*COSTS, *NET_OF_COSTS))],
    "behavior.collaborative_care_cost": [Change(10.0, (), (*COSTS, *NET_OF_COSTS))],
    "behavior.engagement_share": [Change(0.2, (), (*COSTS, *NET_OF_COSTS), among=ENGAGED), Change(0.2)],
    "behavior.engagement_incentive": [
        Change(200.0, (), (*COSTS, *NET_OF_COSTS), among=ENGAGED),
        Change(200.0),
    ],
    "behavior.engagement_returning": [
        Change(0.9, (), (*COSTS, *NET_OF_COSTS), among=ENGAGED | {"policy.engagement_limit": "lifetime"}),
        # A limit of the year has no memory: this is rounding.
        Change(0.9, may=(*COSTS, *NET_OF_COSTS), among=ENGAGED),
    ],
    # MIPS, which nobody in the model is scored by
    **{
        f"counterfactual.mips_{name}": [Change(value, (), (*OF_MIPS, *NET_OF_COSTS)) for value in values]
        for name, values in {
            "risk_level": [0.05],
            "threshold": [82.0],
            "maximum_adjustment": [0.05],
            "low_volume": [1e6],
            "group_share": [{"small": 0.1}, {"large": 0.5}],
            "qualifying_share": [0.1],
            "organization_scores": [[20.0, 60.0, 80.0, 95.0]],
            "quality_correlation": [0.5],
            "habit_correlation": [0.1],
            "persistence": [0.1],
        }.items()
    },
    "behavior.exempt_share": [Change({cohort: 0.2}, ("exempt",), cohorts=(cohort,)) for cohort in BOTH],
}
for name, cohort in SPECIALTIES.items():
    for parameter, value in (("mean", 3e5), ("panel_ratio", 1.5), ("trend", 0.05), ("tail_slope", 0.1)):
        CHANGES[f"population.part_b_{parameter}"].append(
            Change({name: value}, MONEY, cohorts=(cohort,), where=specialty(name))
        )
    if name != "orthopedic_surgery":
        CHANGES["population.part_b_persistence"].append(
            Change({name: 0.7}, (*MONEY, "cost_per_episode"), cohorts=(cohort,), where=specialty(name))
        )

#: What changes the dimensions of the results' environment.
RESHAPING = {
    *("policy.measures", "policy.quality_collection_types"),
    *(f"policy.{each}_peer_group" for each in ("quality", "cost", "payment")),
}
