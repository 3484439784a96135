"""What each parameter changes, and that it changes nothing else.

Reform and baseline share every coin, so what does not follow from a parameter stays equal to the bit. What
follows from what is written down here once more, from the rule's and the model's text: `FOLLOWS` says which
column of the clinician table is computed from which, `MADE_OF` from which columns a result is added up. For
each parameter `CHANGES` states what it decides *directly*, for whom and where; the rest is the consequence.

A reform in one year alone must not be felt in the year before, and is felt in the year after only where
the model says that something lasts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w

from asmrisk.parameters.parameter import Values
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.replay import replay_draw

YEARS = (2027, 2028, 2029, 2030, 2031)
#: Year of the reforms that last a year.
ONCE = 2029
HEART, BACK = "heart_failure", "low_back_pain"
BOTH = (HEART, BACK)
SETS = {HEART: ("q492", "q008", "q005", "q236", "q377"), BACK: ("q238", "q134", "q128", "q220", "mri")}
MEASURES = tuple(name for names in SETS.values() for name in names)
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


# --- What follows from what ---------------------------------------------------------------------------------

#: Columns computed, for the same clinicians or their peers in the same year, from each column.
FOLLOWS: dict[str, tuple[str, ...]] = {
    "quality_score": ("final_score",),
    "episodes": ("cost_points",),
    "cost_per_episode": ("cost_points",),
    "cost_points": ("cost_score", "final_score"),
    "improvement_activities": ("improvement_activities_adjustment",),
    "promoting_interoperability": ("promoting_interoperability_adjustment",),
    "hcc_risk_score": ("complex_patient_adjustment",),
    "dual_share": ("complex_patient_adjustment",),
    "practice_size": ("small_practice_adjustment",),
    "improvement_activities_adjustment": ("final_score",),
    "promoting_interoperability_adjustment": ("final_score",),
    "complex_patient_adjustment": ("final_score",),
    "small_practice_adjustment": ("final_score",),
    "exempt": (
        *(f"{name}_points" for name in MEASURES),
        "quality_score",
        "cost_points",
        "improvement_activities_adjustment",
        "promoting_interoperability_adjustment",
        "complex_patient_adjustment",
        "small_practice_adjustment",
        "final_score",
    ),
    "final_score": ("transformed_score", "scaling_factor"),
    "transformed_score": ("scaling_factor", "adjustment_factor"),
    "part_b_payments": ("scaling_factor",),
    "scaling_factor": ("adjustment_factor",),
    "adjustment_factor": ("payment_multiplier", "adjustment_usd"),
    "payment_year_part_b": ("adjustment_usd",),
}
for name in MEASURES:
    FOLLOWS |= dict.fromkeys((f"{name}_rate", f"{name}_cases"), (f"{name}_points",))
    # What is complete decides, besides, who scores zero.
    complete = (f"{name}_points", "final_score")
    FOLLOWS |= dict.fromkeys((f"{name}_completeness", f"{name}_collection_type"), complete)
    FOLLOWS[f"{name}_points"] = ("quality_score",)
#: Who takes part decides whom everybody is ranked against.
FOLLOWS["measured"] = (
    *(f"{name}_points" for name in MEASURES),
    "cost_points",
    "complex_patient_adjustment",
    "transformed_score",
    "scaling_factor",
)

#: Columns that each result is added up from; `scored` is whether there is a final score.
MADE_OF: dict[str, tuple[str, ...]] = {
    "participants": (),
    "scored": ("scored",),
    "zero_scores": ("zero",),
    "episodes": ("episodes",),
    "episode_spending": ("episodes", "cost_per_episode"),
    "part_b_paid": ("part_b_payments", "scored"),
    "incentive_pool": ("part_b_payments", "scored"),
    "scaling_factor": ("scaling_factor",),
    "median_final_score": ("final_score",),
    "penalized_share": ("adjustment_factor", "scored"),
    "weighted_adjustment_factor": ("part_b_payments", "adjustment_factor", "scored"),
    "payment_year_part_b": ("payment_year_part_b", "scored"),
    "net_adjustment": ("adjustment_usd",),
    "retained_savings": ("adjustment_usd",),
    "episode_savings": ("episodes", "cost_per_episode"),
    "medicare_savings": ("adjustment_usd", "episodes", "cost_per_episode"),
    "adjustment_factor_quantile": ("adjustment_factor", "scored"),
    "final_score_quantile": ("final_score",),
    "specialty_participants": ("specialty", "practice_size"),
    "specialty_scored": ("specialty", "practice_size", "scored"),
    "specialty_part_b_paid": ("specialty", "practice_size", "scored", "part_b_payments"),
    "specialty_mean_adjustment_factor": ("specialty", "practice_size", "scored", "adjustment_factor"),
    "specialty_net_adjustment": ("specialty", "practice_size", "adjustment_usd"),
    "specialty_penalized_share": ("specialty", "practice_size", "scored", "adjustment_factor"),
    "environment/cost_median": ("cost_per_episode", "episodes", "exempt"),
    "environment/cost_sd": ("cost_per_episode", "episodes", "exempt"),
    "environment/exchange_midpoint": ("final_score",),
    "environment/scaling_factor": ("scaling_factor",),
}
MADE_OF |= dict.fromkeys(
    (f"environment/hcc_{moment}" for moment in ("median", "mean", "sd")), ("hcc_risk_score", "exempt")
)
MADE_OF |= dict.fromkeys(
    (f"environment/dual_share_{moment}" for moment in ("median", "mean", "sd")), ("dual_share", "exempt")
)
REPORT = ("rate", "cases", "completeness", "collection_type")


# --- What each parameter decides ----------------------------------------------------------------------------

Where = Callable[[pd.DataFrame, pd.DataFrame], Any]


def everywhere(before: pd.DataFrame, after: pd.DataFrame) -> Any:
    return np.ones(len(before), bool)


@dataclass(frozen=True)
class Change:
    """Another value of a parameter, and what it decides directly.

    `columns` of the clinician table must change, among the clinicians of each of the `cohorts`, and change
    only `where` (before, after) says so; `results` are those that the parameter enters by itself. What it
    `may` change, it need not in a field as small as here. `among` sets further values on both sides, `also`
    on the side of the reform. `lasts`: what is changed in a year stays changed. `when` there is a reform: in
    all years or in one. `comparable`: who is the same clinician on both sides.
    """

    value: Any
    columns: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    cohorts: tuple[str, ...] = BOTH
    where: Where = everywhere
    among: Mapping[str, Any] = field(default_factory=dict)
    also: Mapping[str, Any] = field(default_factory=dict)
    lasts: bool = False
    when: str = "always or once"
    comparable: Callable[[pd.Series], Any] = lambda names: np.ones(len(names), bool)


def of(part: str, measures: Iterable[str] = MEASURES[:-1]) -> tuple[str, ...]:
    return tuple(f"{name}_{part}" for name in measures)


def everything_of(measure: str) -> tuple[str, ...]:
    return tuple(f"{measure}_{part}" for part in (*REPORT, "points"))


def practice(low: int, high: int) -> Where:
    return lambda before, after: before.practice_size.between(low, high)


def specialty(name: str) -> Where:
    return lambda before, after: before.specialty == name


def after_the_first_year(before: pd.DataFrame, after: pd.DataFrame) -> Any:
    return before.performance_year > YEARS[0]


def other(column: str) -> Where:
    return lambda before, after: before[column] != after[column]


POINTS = of("points")
BENCHMARKS = tuple(f"environment/benchmark_{part}" for part in ("minimum", "edges", "size"))
MONEY = ("part_b_payments", "payment_year_part_b")
#: What depends on the practice's size besides the small-practice points.
HABITS = (
    "improvement_activities",
    "promoting_interoperability",
    *of("collection_type", VOLUNTARY),
    *of("completeness", VOLUNTARY),
)
#: What the solution for the number of episodes enters: levels, cases, Part B and cost calibrated to it.
VOLUME = ("measured", "episodes", *of("cases"), *of("rate"), *MONEY, "cost_per_episode")
WITH_ZEROS = {"population.nothing_reported": {"16-1000": 0.1}}
CAPPED = {"policy.adjustment_cap": 0.02}
WITH_MRI = {"policy.measures": {BACK: ["q238", "q134", "q128", "q220", "mri"]}}

CHANGES: dict[str, list[Change]] = {
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
        Change("cohort", of("points", EITHER_WAY)),
        Change("specialty", of("points", (*EITHER_WAY, "q220"))),
    ],
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
    "policy.cost_peer_group": [Change("specialty", ("cost_points",), cohorts=(BACK,))],
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
            where=lambda before, after: before.quality_score.isna() | before.cost_points.isna(),
        )
        for word in ("neutral", "median_points")
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
        Change(0.02, ("adjustment_factor",), where=lambda before, after: before.adjustment_factor > 0.02)
    ],
    "policy.cap_excess": [Change("redistributed", ("adjustment_factor", "scaling_factor"), among=CAPPED)],
    "policy.zero_scorers": [
        Change("outside_pool", ("scaling_factor",), ("incentive_pool",), among=WITH_ZEROS)
    ],
    "policy.payment_peer_group": [
        Change("specialty", ("transformed_score", "scaling_factor"), cohorts=(BACK,))
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
        Change({name: 60.0}, ("specialty", *MONEY), cohorts=(BACK,), where=other("specialty"))
        for name, cohort in SPECIALTIES.items()
        if cohort == BACK
    ],
    "population.small_practice_share": [
        Change(0.5, ("practice_size", *HABITS, *of("rate", EITHER_WAY)), where=other("practice_size"))
    ],
    "population.practice_weights": [
        Change({name: 5e5}, ("practice_size",), where=other("practice_size"))
        for name in ("51-200", "201-1000")
    ],
    "population.minimum_episodes": [Change(25, VOLUME)],
    "population.mean_episodes": [
        Change({HEART: 45.0}, VOLUME, cohorts=(HEART,)),
        Change({BACK: 80.0}, VOLUME, cohorts=(BACK,)),
    ],
    "population.episodes_log_sd": [Change(0.6, VOLUME)],
    "population.lowest_expected_episodes": [Change(14.0, VOLUME)],
    "population.episodes_shock_log_sd": [Change(0.4, VOLUME)],
    # Part B
    "population.part_b_mean": [],
    "population.part_b_panel_ratio": [],
    "population.part_b_tail_slope": [],
    "population.part_b_persistence": [],
    "population.part_b_episode_correlation": [Change(0.4, MONEY)],
    # Patients
    "population.hcc_mean": [Change(1.7, ("hcc_risk_score",))],
    "population.hcc_sd": [Change(0.6, ("hcc_risk_score",))],
    "population.dual_median": [Change(0.2, ("dual_share",))],
    "population.dual_log_sd": [Change(0.5, ("dual_share",))],
    "population.dual_hcc_correlation": [Change(0.6, ("dual_share",))],
    # Quality
    "population.ecqm_share": [
        Change(
            {size: 0.1},
            (*of("collection_type", EITHER_WAY), *of("rate", EITHER_WAY)),
            where=practice(*SIZES[size]),
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
    "population.quality_common_share": [Change(0.5, of("rate"))],
    "population.latent_persistence": [
        Change(0.5, (*of("rate"), "cost_per_episode"), where=after_the_first_year)
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
    # Reporting
    "population.nothing_reported": [
        Change(
            {name: 0.6},
            (*of("collection_type", VOLUNTARY), *of("completeness", VOLUNTARY)),
            where=practice(low, high),
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
    "population.habit_persistence": [Change(0.5, HABITS, where=after_the_first_year)],
    # Behavior
    "behavior.exit_probability": [
        # Who follows somebody who left earlier began earlier, and is not the same any more.
        Change(
            0.3,
            ("measured", "payment_year_part_b"),
            lasts=True,
            comparable=lambda names: names.str.endswith("-0"),
        )
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
    "behavior.medicare_share": [Change(0.5, (), ("episode_savings", "medicare_savings"))],
    "behavior.exempt_share": [Change({cohort: 0.2}, ("exempt",), cohorts=(cohort,)) for cohort in BOTH],
}
for name, cohort in SPECIALTIES.items():
    for parameter, value in (("mean", 3e5), ("panel_ratio", 1.5), ("tail_slope", 0.1), ("persistence", 0.7)):
        CHANGES[f"population.part_b_{parameter}"].append(
            Change({name: value}, MONEY, cohorts=(cohort,), where=specialty(name))
        )

#: What changes the dimensions of the results' environment.
RESHAPING = {f"policy.{each}" for each in ("measures", "quality_peer_group", "cost_peer_group",
             "payment_peer_group")}  # fmt: skip
#: What has tests of its own: draws and seed in test_promises.py, the roster in test_roster.py, strata in
#: test_latin_hypercube.py.
ELSEWHERE = {"run.draws", "run.seed", "population.roster", "population.latin_hypercube"}


# --- Reform and baseline ------------------------------------------------------------------------------------

#: A draw of 300 clinicians, three of whom have a final score of zero.
FIELD = {"population.clinicians": 300.0}
DRAW = 3
KEYS = ["clinician_id", "performance_year"]


def laid_over(base: Any, value: Any) -> Any:
    """A table may be given in part; the rest is the base's."""
    return {**base, **value} if isinstance(value, Mapping) else value


def scenario_with(changes: Mapping[str, Any], year: int | None = None) -> Any:
    """Give the final rule with some values changed, in all years or in one."""
    base: Values = PARAMETERS.defaults()
    document: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        section, _, key = name.partition(".")
        if PARAMETERS[name].by_year:
            stated = {
                str(each): laid_over(held, value) if year in (None, each) else held
                for each, held in base[name].items()
            }
        else:
            stated = laid_over(base[name], value)
        document.setdefault(section, {})[key] = stated
    return document


def merged(*documents: Mapping[str, Mapping[str, Any]]) -> Any:
    sections = dict.fromkeys(section for each in documents for section in each)
    whole = {
        section: {key: value for each in documents for key, value in each.get(section, {}).items()}
        for section in sections
    }
    return scenario_from_dict(whole)


def outcome(scenario: Any) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Give a draw's clinician table and results."""
    return replay_draw(scenario, DRAW), simulate_block(Model(scenario), DRAW, 1)


@cache
def baseline(among: str) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Give the outcome of the final rule with what is changed on both sides (as JSON)."""
    return outcome(merged(scenario_with(FIELD), scenario_with(json.loads(among))))


CASES = [
    pytest.param(name, change, year, id=f"{name}-{place}-{year or 'always'}")
    for name, changes in CHANGES.items()
    for place, change in enumerate(changes)
    for year, when in ((None, "always"), (ONCE, "once"))
    if when in change.when and (year is None or PARAMETERS[name].by_year)
]


def test_every_parameter_has_a_change() -> None:
    declared = set(PARAMETERS) - ELSEWHERE
    assert set(CHANGES) == declared
    assert all(CHANGES.values())


def test_every_result_is_made_of_something() -> None:
    _, results = baseline("{}")
    assert set(results) == set(MADE_OF) | set(BENCHMARKS)


def bits(values: Any) -> np.ndarray:
    """Give what two equal values share: bits of floats, text of the rest."""
    if values.dtype == np.float64:
        return np.asarray(values, np.float64).view(np.int64)
    return np.asarray(values.astype(object).where(values.notna(), "")).astype(str)


def cells_of(path: str, array: np.ndarray) -> Iterator[tuple[str, int, np.ndarray]]:
    """Give the parts of a result by cohort and year."""
    for place, year in enumerate(YEARS):
        of_year = array[0, place]
        for code, cohort in enumerate(BOTH):
            if path.startswith("specialty_"):
                yield cohort, year, of_year[:1] if cohort == HEART else of_year[1:]
            elif path in BENCHMARKS:
                yield cohort, year, of_year[:5] if cohort == HEART else of_year[5:]
            elif of_year.shape[:1] == (7,):
                yield cohort, year, of_year[:1] if cohort == HEART else of_year[1:]
            else:
                yield cohort, year, of_year[code]


Cells = set[tuple[str, int]]


def reach(change: Change, year: int | None) -> tuple[dict[str, Cells], Cells]:
    """Give the cohorts and years in which each column may change, and those in which costs may respond."""

    def when(column: str) -> set[int]:
        if year is None:
            return set(YEARS)
        first = year - 2 if column == "payment_year_part_b" else year
        return {each for each in YEARS if each == first or (each > first and change.lasts)}

    found: dict[str, Cells] = {}
    responses: Cells = set()
    direct = (*change.columns, *change.may)
    waiting = [(column, cohort, each) for column in direct for cohort in change.cohorts
               for each in when(column)]  # fmt: skip
    while waiting:
        column, cohort, each = waiting.pop()
        if (cohort, each) in found.setdefault(column, set()):
            continue
        found[column].add((cohort, each))
        waiting += [(after, cohort, each) for after in FOLLOWS.get(column, ())]
        if column == "adjustment_factor":
            # A loss raises the response from two years later on, and the response accumulates.
            later = [(cohort, when) for when in YEARS if when >= each + 2]
            responses.update(later)
            waiting += [("cost_per_episode", *place) for place in later]
    return found, responses


@pytest.mark.parametrize(("name", "change", "year"), CASES)
def test_a_parameter_changes_what_it_decides_and_nothing_else(
    name: str, change: Change, year: int | None
) -> None:
    base, base_results = baseline(json.dumps(change.among))
    reform, results = outcome(
        merged(
            scenario_with(FIELD),
            scenario_with(change.among),
            scenario_with(change.also, year),
            scenario_with({name: change.value}, year),
        )
    )
    allowed, responses = reach(change, year)
    changed: dict[str, Cells] = {}

    # Who is measured.
    keys = [set(map(tuple, frame[[*KEYS, "cohort"]].itertuples(index=False))) for frame in (base, reform)]
    moved = {(cohort, when) for _, when, cohort in keys[0] ^ keys[1]}
    assert moved <= allowed.get("measured", set())
    changed["measured"] = moved

    # What is seen of them and made of it.
    reform = reform.reindex(columns=base.columns.union(reform.columns, sort=False))
    before, after = base.reindex(columns=reform.columns), reform
    joined = before[KEYS].merge(after[KEYS], on=KEYS)
    before = before.set_index(KEYS).loc[pd.MultiIndex.from_frame(joined)].reset_index()
    after = after.set_index(KEYS).loc[pd.MultiIndex.from_frame(joined)].reset_index()
    same = np.asarray(change.comparable(before.clinician_id))
    before, after = before[same].reset_index(drop=True), after[same].reset_index(drop=True)
    for frame in (before, after):
        frame["scored"] = frame.final_score.notna()
        frame["zero"] = frame.final_score == 0
    cell = list(zip(before.cohort, before.performance_year, strict=True))
    response = np.array([each in responses for each in cell])
    for column in before.columns.difference([*KEYS, "cohort"]):
        differs = bits(before[column]) != bits(after[column])
        if not differs.any():
            continue
        changed[column] = {cell[row] for row in np.flatnonzero(differs)}
        source = "final_score" if column in ("scored", "zero") else column
        beyond = changed[column] - allowed.get(source, set())
        assert not beyond, f"{column} changed in {sorted(beyond)}"
        if column in change.columns:
            # Where costs respond to other factors, ranks among the peers move as well.
            direct = differs & ~response
            assert not (direct & ~np.asarray(change.where(before, after), bool)).any(), column

    # What is added up.
    for path, array in results.items():
        if array.shape != base_results[path].shape:
            assert name in RESHAPING
            continue
        parts = zip(cells_of(path, array), cells_of(path, base_results[path]), strict=True)
        for (cohort, when, one), (_, _, two) in parts:
            if np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(two).tobytes():
                continue
            changed.setdefault(path, set()).add((cohort, when))
            timely = year is None or when == year or (when > year and change.lasts)
            if path in (*change.results, *change.may) and cohort in change.cohorts and timely:
                continue
            made_of = ("measured", *MADE_OF.get(path, ()))
            if path in BENCHMARKS:
                made_of = ("measured", "exempt", *(f"{m}_{part}" for m in SETS[cohort] for part in REPORT))
            causes = set().union(*(changed.get(each, set()) for each in made_of))
            assert (cohort, when) in causes, f"{path} changed in {cohort}, {when}"

    # And it does change what it decides, where and when it does first.
    for column in (*change.columns, *change.results):
        for cohort in change.cohorts:
            if column.partition("_")[0] in MEASURES and column.partition("_")[0] not in SETS[cohort]:
                continue
            seen = {when for where, when in changed.get(column, set()) if where == cohort}
            assert seen, f"{column} never changed in {cohort}"
            if year is not None:
                assert min(seen) == (year - 2 if column == "payment_year_part_b" else year), column


# --- A reform that undoes itself ----------------------------------------------------------------------------


def assert_equal(one: tuple[pd.DataFrame, Any], two: tuple[pd.DataFrame, Any]) -> None:
    pd.testing.assert_frame_equal(one[0], two[0], check_exact=True)
    assert one[1].keys() == two[1].keys()
    for path, array in one[1].items():
        assert array.tobytes() == two[1][path].tobytes(), path


def inline(value: Any) -> str:
    """Write a value on one line, as on the command line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


def as_it_is(*names: str) -> dict[str, dict[str, Any]]:
    """State what the final rule has, year by year."""
    document: dict[str, dict[str, Any]] = {}
    for name in names:
        section, _, key = name.partition(".")
        held = PARAMETERS.defaults()[name]
        by_year = PARAMETERS[name].by_year
        document.setdefault(section, {})[key] = (
            {str(year): value for year, value in held.items()} if by_year else held
        )
    return document


@pytest.mark.parametrize("name", sorted(set(PARAMETERS) - ELSEWHERE))
def test_a_value_stated_as_it_is_is_no_reform(name: str, tmp_path: Path) -> None:
    """In a file, on the command line, and after a reform that it takes back."""
    base, change = scenario_from_dict({}), CHANGES[name][0]
    reformed = {name: change.value, **change.among, **change.also}
    documents = {
        "stated": as_it_is(name),
        "reform": scenario_with(reformed),
        "undone": {"extends": "reform.toml", **as_it_is(*reformed)},
        "child": {"extends": "undone.toml"},
    }
    for place, document in documents.items():
        (tmp_path / f"{place}.toml").write_text(tomli_w.dumps(document))
    sets = [
        f"{section}.{key}={inline(value)}"
        for section, values in as_it_is(*reformed).items()
        for key, value in values.items()
    ]
    identity = base.identity()
    assert load_scenario(tmp_path / "stated.toml").identity() == identity
    assert load_scenario(tmp_path / "reform.toml").identity() != identity
    for undone in (
        load_scenario(tmp_path / "child.toml"),
        load_scenario(tmp_path / "reform.toml", sets),
        scenario_from_dict({}, sets),
    ):
        assert undone.identity() == identity
        assert undone.differences() == {}
        assert undone.values == base.values


def test_a_reform_of_everything_that_is_taken_back_leaves_no_bit_behind(tmp_path: Path) -> None:
    """Every parameter but the number of clinicians changed in one file, and restored in the next."""
    names = sorted(set(PARAMETERS) - ELSEWHERE - {*FIELD})
    first = {name: CHANGES[name][0].value for name in names if not CHANGES[name][0].also}
    (tmp_path / "reform.toml").write_text(tomli_w.dumps(scenario_with(first)))
    undone = {"extends": "reform.toml", **as_it_is(*first)}
    undone["population"]["clinicians"] = FIELD["population.clinicians"]
    (tmp_path / "undone.toml").write_text(tomli_w.dumps(undone))
    assert_equal(outcome(load_scenario(tmp_path / "undone.toml")), baseline("{}"))


# --- What is decided off the beaten track -------------------------------------------------------------------


def lived(changes: Mapping[str, Any], year: int | None = None) -> pd.DataFrame:
    return replay_draw(merged(scenario_with(FIELD), scenario_with(changes, year)), DRAW)


def test_who_is_exempt_has_lost_nothing() -> None:
    """A factor of exactly zero two years before is no loss: no further response follows from it."""
    responses = {"behavior.cost_response": 0.0, "behavior.cost_response_penalized": 0.05}
    still = dict.fromkeys(responses, 0.0)
    exempt = scenario_with({"behavior.exempt_share": {HEART: 0.4, BACK: 0.4}}, 2027)
    tables = []
    for given in (responses, still):
        scenario = merged(
            scenario_with(FIELD), {"behavior": exempt["behavior"] | scenario_with(given)["behavior"]}
        )
        tables.append(replay_draw(scenario, DRAW).set_index(KEYS))
    moved, unmoved = tables
    first = unmoved.xs(2027, level="performance_year")
    then = unmoved.xs(2029, level="performance_year")
    then = then.assign(exempt_2027=first.exempt, factor_2027=first.adjustment_factor)
    then["moved"] = moved.xs(2029, level="performance_year").cost_per_episode
    then = then[(then.episodes > 0) & then.exempt_2027.notna()]
    factor = then.factor_2027
    assert (factor[then.exempt_2027 == 1] == 0).all()
    assert (then.exempt_2027 == 1).sum() > 50
    assert ((then.exempt_2027 == 0) & (factor < 0)).sum() > 50
    spared = ~(factor < 0)
    assert (then.moved[spared] == then.cost_per_episode[spared]).all()
    assert (then.moved[~spared] < then.cost_per_episode[~spared]).all()


def test_exemption_has_a_coin_of_its_own() -> None:
    """Nothing else drawn in the first year goes with it: each rank correlation fails at one in a million."""
    rows = lived({"population.clinicians": 3000.0, "behavior.exempt_share": {HEART: 0.5, BACK: 0.5}})
    drawn = (
        "part_b_payments",
        "payment_year_part_b",
        "improvement_activities",
        "promoting_interoperability",
        "episodes",
        "hcc_risk_score",
        "dual_share",
        "practice_size",
    )
    for cohort in BOTH:
        first = rows[(rows.performance_year == 2027) & (rows.cohort == cohort)]
        limit = 4.9 / np.sqrt(len(first))
        for column in drawn:
            assert abs(first.exempt.corr(first[column].rank())) < limit, column
        again = first.merge(rows[rows.performance_year == 2028], on="clinician_id", suffixes=("", "_again"))
        assert abs(again.exempt.corr(again.exempt_again)) < 4.9 / np.sqrt(len(again))


@pytest.mark.parametrize("zero_scorers", ["in_pool", "outside_pool"])
@pytest.mark.parametrize("peers", ["cohort", "specialty"])
def test_pools_are_recorded_as_they_are_paid_out(zero_scorers: str, peers: str) -> None:
    """The pool is r rho sum of P over those in it; of several pools the mean factor, weighted by their P."""
    changes = {"policy.zero_scorers": zero_scorers, "policy.payment_peer_group": peers, **WITH_ZEROS}
    table, results = outcome(merged(scenario_with(FIELD), scenario_with(changes)))
    share = dict(zip(YEARS, (0.09, 0.09, 0.10, 0.11, 0.12), strict=True))
    for place, year in enumerate(YEARS):
        for code, cohort in enumerate(BOTH):
            rows = table[(table.performance_year == year) & (table.cohort == cohort)]
            assert (rows.final_score == 0).any()
            inside = rows[rows.final_score >= 0] if zero_scorers == "in_pool" else rows[rows.final_score > 0]
            pool = share[year] * 0.85 * inside.part_b_payments.sum()
            # Sums of 300 terms, rounded.
            assert results["incentive_pool"][0, place, code] == pytest.approx(pool, rel=1e-12)
            weights = inside.part_b_payments / inside.part_b_payments.sum()
            mean = (inside.scaling_factor * weights).sum()
            assert results["scaling_factor"][0, place, code] == pytest.approx(mean, rel=1e-12)
            if peers == "specialty" and cohort == BACK:
                assert rows.scaling_factor.nunique() == 6
            earned = share[year] * inside.transformed_score * inside.scaling_factor * inside.part_b_payments
            assert earned.sum() == pytest.approx(pool, rel=1e-12)


def test_part_b_of_a_year_is_what_was_foreseen_two_years_before() -> None:
    """Growth in one year alone moves that year's dollars, and those that earlier years are paid by."""
    before, after = lived({}), lived({"behavior.part_b_growth": {HEART: 0.25, BACK: 0.0}}, 2030)
    heart = before.cohort == HEART
    for column, first in (("part_b_payments", 2030), ("payment_year_part_b", 2028)):
        ratio = (after[column] / before[column])[heart & (before[column] > 0)]
        grown = before.performance_year[ratio.index] >= first
        np.testing.assert_allclose(ratio, np.where(grown, 1.25, 1.0), rtol=1e-14)


def test_medicares_share_is_that_of_the_year() -> None:
    _, whole = outcome(merged(scenario_with(FIELD), scenario_with({"behavior.medicare_share": 1.0})))
    _, years = outcome(merged(scenario_with(FIELD), scenario_with({"behavior.medicare_share": 0.5}, 2030)))
    part = years["episode_savings"][0, 2:] / whole["episode_savings"][0, 2:]
    np.testing.assert_allclose(part, [[0.85] * 2, [0.5] * 2, [0.85] * 2], rtol=1e-14)


def test_nobody_is_penalized_where_nothing_is_at_risk() -> None:
    """At a risk level of 0 every factor is 0, which is no penalty, and nobody responds as after a loss."""
    nothing = {"policy.risk_level": 0.0}
    table, results = outcome(merged(scenario_with(FIELD), scenario_with(nothing)))
    assert (table.adjustment_factor == 0).all()
    assert table.final_score.notna().all()
    assert (results["penalized_share"] == 0).all()
    shares = results["specialty_penalized_share"]
    assert (shares[~np.isnan(shares)] == 0).all()
    mild = {
        "behavior": {
            "cost_response_penalized": as_it_is("behavior.cost_response")["behavior"]["cost_response"]
        }
    }
    others = replay_draw(merged(scenario_with(FIELD), scenario_with(nothing), mild), DRAW)
    assert others.cost_per_episode.equals(table.cost_per_episode)
