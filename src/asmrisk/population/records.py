"""What the simulation is given: one record per cohort and one per calendar year, with every constant solved.

Nothing here is random. Normal scores are oriented so that a low score is bad: the share that does the bad
thing lies below a threshold.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError, Problem
from asmrisk.numerics.normal_distribution import normal_quantile, stable
from asmrisk.parameters.parameter import Values
from asmrisk.population.behavior import BEHAVIOR_DTYPE, behavior_records
from asmrisk.population.calibration import episode_volume, part_b_mean_over_level
from asmrisk.population.cost_calibration import CostScore, solved_cost
from asmrisk.population.counterfactual import fill_mips
from asmrisk.population.latents import BINOMIAL, RISK_STANDARDIZED, SHARED, SHARED_PART_B
from asmrisk.population.practices import fill_practices
from asmrisk.population.quantiles import SCORE_COUNT, part_b_log_shape, rates
from asmrisk.population.rate_calibration import (
    Groups,
    latent_moments,
    latent_quantiles,
    rate_knots,
    shrunken,
)
from asmrisk.population.size_gradient import quality_by_practice_size
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    MOST_MEASURES,
    NOT_REPORTED,
    PERFORMANCE_YEARS,
    PRACTICE_SIZES,
    SMALL_PRACTICE,
    SPECIALTIES,
    SPECIALTIES_OF,
    measures_of,
    size_class,
)
from asmrisk.scenario import published_tables as tables
from asmrisk.scenario.counterfactual_parameters import COUNTERFACTUAL
from asmrisk.scenario.population_parameters import NONREPORTING_CLASSES, POPULATION
from asmrisk.scenario.practice_parameters import SHARED_SCORES

__all__ = [
    "BEHAVIOR_DTYPE",
    "POPULATION_DTYPE",
    "POPULATION_READS",
    "behavior_records",
    "population_records",
]

_SPECIALTY = len(SPECIALTIES)
_CLASSES = len(tables.PRACTICE_CLASSES)
_SIZES = len(PRACTICE_SIZES)
_TYPES = len(COLLECTION_TYPES)

#: Every parameter that `population_records` may read.
POPULATION_READS = (*POPULATION, *COUNTERFACTUAL, "policy.eligibility", "policy.collaborative_care_elements")

#: Year of the Part B means.
_LEVEL_YEAR = 2023

#: One record per cohort. `z` is a clinician's standard normal score.
POPULATION_DTYPE = np.dtype(
    [
        # Clinician slots such that the stated number is measured on average.
        ("slots", "i8"),
        # The same if who the clinicians are is a Latin hypercube, else 0.
        ("strata", "i8"),
        # Expected episodes: exp(mean + sd * quantile(floor + u * (1 - floor))), u uniform.
        ("episodes_log_mean", "f8"),
        ("episodes_log_sd", "f8"),
        ("episodes_floor_probability", "f8"),
        ("episodes_shock_log_sd", "f8"),
        ("minimum_episodes", "i8"),
        # Specialties by class of practice size (solo, small, large).
        ("specialty_cumulative", "f8", (_SIZES, _SPECIALTY)),
        # Of practices: class of size, and size within it, uniform.
        ("practice_cumulative", "f8", (_CLASSES,)),
        ("practice_low", "i8", (_CLASSES,)),
        ("practice_high", "i8", (_CLASSES,)),
        # Distribution of a practice's members, 1, 2, ..., by class, to be cut off at the practice's size.
        ("members_cumulative", "f8", (_CLASSES, tables.MOST_MEMBERS)),
        ("areas", "i8"),
        ("area_cumulative", "f8", (tables.MOST_AREAS,)),
        # Areas lie in regions: area a in region a % regions.
        ("regions", "i8"),
        # Of practices; in an accountable care organization.
        ("aco_share", "f8"),
        # In a roster's past years: elements that make a collaborative care arrangement.
        ("collaborative_care_elements", "i8"),
        # Whether who has once met the criteria is measured ever after.
        ("once_in", "i8"),
        # Shares of the variance of normal scores that colleagues, and clinicians of an area, have in common,
        # as `asmrisk.population.latents` numbers them.
        ("practice_share", "f8", (SHARED,)),
        ("area_share", "f8", (SHARED,)),
        # Part B: level * exp(shape(z)), z = c * v + sqrt(a) * A + sqrt(p) * P + sqrt(1 - c^2 - a - p) * y
        # with the score v of expected episodes; y is AR(1) with a persistence by specialty, A and P of area
        # and practice with one of all; a specialty outside the cohort has level 0.
        ("part_b_level", "f8", (_SPECIALTY,)),
        # Growth a year; the level is that of the first performance year.
        ("part_b_trend", "f8", (_SPECIALTY,)),
        ("part_b_log_shape", "f8", (_SPECIALTY, SCORE_COUNT)),
        ("part_b_persistence", "f8", (_SPECIALTY,)),
        ("part_b_shared_persistence", "f8"),
        ("part_b_episode_correlation", "f8"),
        ("hcc_log_mean", "f8"),
        ("hcc_log_sd", "f8"),
        ("dual_log_mean", "f8"),
        ("dual_log_sd", "f8"),
        ("dual_hcc_correlation", "f8"),
        # By practice size; a measure's fixed collection type, or -1 for the clinician's choice.
        ("ecqm_share", "f8", (_SIZES,)),
        ("measure_collection_type", "i8", (MOST_MEASURES,)),
        # Cases: Poisson with mean factor * expected episodes of the year * exp(sd * z - sd^2 / 2).
        ("cases_factor", "f8", (MOST_MEASURES,)),
        ("cases_log_sd", "f8"),
        # Latent quality of a measure: loading * g + sqrt(1 - loading^2) * s + what is permanent: by class of
        # practice size, by specialty, and per standard deviation of the patients' complexity.
        ("quality_loading", "f8", (MOST_MEASURES,)),
        # What makes the latent of a risk-standardized measure, whose reliability shrinks it, a standard
        # normal score again; 0 and 1 for the others, whose quantiles are read at the latent's own.
        ("quality_center", "f8", (MOST_MEASURES,)),
        ("quality_spread", "f8", (MOST_MEASURES,)),
        ("quality_size_shift", "f8", (_CLASSES,)),
        ("quality_specialty_shift", "f8", (_SPECIALTY,)),
        ("quality_complexity", "f8"),
        ("latent_persistence", "f8"),
        # Score of cost: episodes * v + part_b * z (the score of Part B) - quality * g + rest * y + complexity
        # * x + what the specialty adds; y is AR(1).
        ("cost_episodes", "f8"),
        ("cost_part_b", "f8"),
        ("cost_quality", "f8"),
        ("cost_rest", "f8"),
        ("cost_complexity", "f8"),
        ("cost_specialty_shift", "f8", (_SPECIALTY,)),
        # As `asmrisk.population.latents` numbers the kinds.
        ("measure_kind", "i8", (MOST_MEASURES,)),
        # Normal probabilities of the latent quality at which a rate has its published quantiles: shifted
        # latents are no standard normal scores.
        ("rate_probability", "f8", (MOST_MEASURES, _TYPES, tables.KNOTS)),
        ("rate_quantile", "f8", (MOST_MEASURES, _TYPES, tables.KNOTS)),
        ("rate_inverse", "i8", (MOST_MEASURES,)),
        ("shrinkage_reliability", "f8"),
        ("shrinkage_mean_cases", "f8"),
        # Cost of n episodes: scale * exp(spread * shape(z) + sqrt(variance / n) * eps); high z is expensive.
        ("cost_scale_usd", "f8"),
        # Over the score of cost, whatever its distribution among measured clinicians.
        ("cost_log_shape", "f8", (SCORE_COUNT,)),
        ("cost_spread", "f8"),
        ("cost_noise_variance", "f8"),
        # Nothing at all is reported below: solo, 2-5, 6-15, more.
        ("nothing_reported_z", "f8", (len(NONREPORTING_CLASSES),)),
        # One habit score per measure: missed below missed_z; incomplete below incomplete_z, where
        # completeness is low + slope * (Phi(z) - missed probability); else complete.
        ("missed_z", "f8", (MOST_MEASURES,)),
        ("incomplete_z", "f8", (MOST_MEASURES,)),
        ("missed_probability", "f8", (MOST_MEASURES,)),
        ("incomplete_probability", "f8", (MOST_MEASURES,)),
        ("completeness_low", "f8"),
        ("completeness_slope", "f8", (MOST_MEASURES,)),
        # Improvement activities: 0 below none_z, 1 below one_z, else 2.
        ("improvement_none_z", "f8", (_SIZES,)),
        ("improvement_one_z", "f8", (_SIZES,)),
        # Promoting interoperability: 0 below zero_z, 100 above full_z, else low + slope * (Phi(z) - zero).
        ("interoperability_zero_z", "f8", (_SIZES,)),
        ("interoperability_full_z", "f8", (_SIZES,)),
        ("interoperability_zero_probability", "f8", (_SIZES,)),
        ("interoperability_full_probability", "f8", (_SIZES,)),
        ("interoperability_low", "f8"),
        ("interoperability_slope", "f8", (_SIZES,)),
        ("habit_persistence", "f8"),
        # MIPS: practices scored as a whole, by size; practices of organizations whose clinicians qualify;
        # final score over the normal score w g + v h + ..., with quality g and habit of reporting h.
        ("mips_group_share", "f8", (_SIZES,)),
        ("mips_qualifying_share", "f8"),
        ("mips_quality_correlation", "f8"),
        ("mips_habit_correlation", "f8"),
        ("mips_persistence", "f8"),
        ("mips_score", "f8", (_CLASSES + 1, SCORE_COUNT)),
    ]
)


def _problem(text: str, *names: str) -> Problem:
    """Name the parameters of section ``population`` that do not go together."""
    return Problem(text, parameters=tuple(f"population.{name}" for name in names))


def _problems(values: Mapping[str, Any]) -> list[Problem]:
    """Find values, each allowed on its own, that do not go together."""
    problems = []
    weights = values["population.practice_weights"]
    small = [name for name, (_, high) in tables.PRACTICE_CLASSES.items() if high <= 15]
    for side, names in (("up to 15", small), ("above 15", [n for n in weights if n not in small])):
        if not any(weights[name] > 0.0 for name in names):
            text = (
                f"population.practice_weights: all weights of sizes {side} are 0; give one a positive weight."
            )
            problems.append(_problem(text, "practice_weights"))
    if not any(values["population.back_pain_specialties"].values()):
        text = "population.back_pain_specialties: all weights are 0; give one specialty a positive weight."
        problems.append(_problem(text, "back_pain_specialties"))
    problems += _shared_problems(values) + _cost_problems(values)
    for first, second in (
        ("improvement_activities_none", "improvement_activities_one"),
        ("interoperability_zero", "interoperability_full"),
    ):
        for size in PRACTICE_SIZES:
            total = values[f"population.{first}"][size] + values[f"population.{second}"][size]
            if total > 1.0:
                text = (
                    f"population.{first}.{size} and population.{second}.{size} add up to {total:g}; "
                    "together they may be at most 1."
                )
                problems.append(_problem(text, first, second))
    areas, regions = values["population.areas"], values["population.regions"]
    if regions > areas:
        text = (
            f"population.regions = {regions} are more than population.areas = {areas}; give at most one "
            "region an area."
        )
        problems.append(_problem(text, "regions", "areas"))
    name = "counterfactual.mips_organization_scores"
    if values[name] != sorted(values[name]):
        problems.append(Problem(f"{name}: the scores must not descend; sort them.", parameters=(name,)))
    percentiles = values["population.mri_percentiles"]
    if any(later < earlier for earlier, later in itertools.pairwise(percentiles)):
        text = "population.mri_percentiles: the rates must ascend; sort them."
        problems.append(_problem(text, "mri_percentiles"))
    return problems


def _shared_problems(values: Mapping[str, Any]) -> list[Problem]:
    """Find shares of colleagues and neighbors that leave a clinician's own part no variance."""
    problems = []
    for name in SHARED_SCORES:
        practice = values["population.practice_correlation"][name]
        area = values["population.area_correlation"].get(name, 0.0)
        if practice + area > 1.0:
            text = (
                f"population.practice_correlation.{name} = {practice:g} and "
                f"population.area_correlation.{name} = {area:g} add up to more than 1; lower one of them."
            )
            problems.append(_problem(text, "practice_correlation", "area_correlation"))
    both = sum(
        values[f"population.{each}_correlation"][SHARED_SCORES[SHARED_PART_B]]
        for each in ("practice", "area")
    )
    episodes = values["population.part_b_episode_correlation"]
    if both <= 1.0 < episodes * episodes + both:
        text = (
            "population.practice_correlation.part_b and population.area_correlation.part_b add up to "
            f"{both:g}; with population.part_b_episode_correlation = {episodes:g} they may be at most "
            f"{1.0 - episodes * episodes:.4g} together."
        )
        problems.append(
            _problem(text, "practice_correlation", "area_correlation", "part_b_episode_correlation")
        )
    if problems:
        return problems
    shared, own = _part_b_persistence(values, both)
    for specialty, persistence in own.items():
        if persistence < -1.0 or shared < -1.0:
            own_share = 1.0 - episodes * episodes - both
            least = max(episodes**2 + both * shared - own_share, 2.0 * episodes**2 - 1.0)
            text = (
                f"population.part_b_persistence.{specialty} = "
                f"{values['population.part_b_persistence'][specialty]:g} is too low for what Part B payments "
                "have in common with episodes, colleagues and the persistence of other specialties; "
                f"give at least {least:.4g}."
            )
            problems.append(_problem(text, "part_b_persistence", "part_b_episode_correlation"))
    return problems


def _cost_problems(values: Mapping[str, Any]) -> list[Problem]:
    """Find correlations of cost that no distribution has: they leave its score no variance."""
    problems = []
    quality = values["population.cost_quality_correlation"]
    for cohort in COHORTS:
        episodes, part_b = _cost_correlations(values, cohort)
        left = 1.0 - episodes**2 - part_b**2 - quality**2
        if not left > 0.0:
            names = ("cost_episode_correlation", "part_b_cost_correlation", "cost_quality_correlation")
            text = (
                f"population.{names[0]}.{cohort} = {episodes:g}, "
                f"population.{names[1]} = {values['population.part_b_cost_correlation']:g} and "
                f"population.{names[2]} = {quality:g} do not go together with "
                f"population.part_b_episode_correlation = "
                f"{values['population.part_b_episode_correlation']:g}: the correlation matrix is not "
                "positive definite; bring them nearer to 0."
            )
            problems.append(_problem(text, *names, "part_b_episode_correlation"))
    return problems


def population_records(values: Values) -> np.recarray:
    """Solve the model's constants for one set of values.

    Parameters
    ----------
    values : Values
        Resolved parameters, at least of section ``population``.

    Returns
    -------
    numpy.recarray of POPULATION_DTYPE, shape (2,)
        One record per cohort.

    Raises
    ------
    InputError
        If values, each allowed on its own, do not go together: no positive weight, shares above 1,
        percentiles that descend, correlations that no distribution has, a persistence below what they leave,
        a mean number of episodes or a spread of cost that no distribution of the model has.
    """
    problems = _problems(values)
    if problems:
        raise InputError(problems)
    records = np.zeros(len(COHORTS), POPULATION_DTYPE)
    fields = POPULATION_DTYPE.names or ()
    for cohort, name in enumerate(COHORTS):
        # Its attributes, unlike those of a record, are quick to read: arrays inside the record, and numbers.
        record = SimpleNamespace(**{each: records[each][cohort] for each in fields})
        volume = _episodes(record, values, name, problems)
        _patients(record, values)
        _habits(record, values, name)
        fill_mips(record, values)
        record.collaborative_care_elements = values.at(
            "policy.collaborative_care_elements", PERFORMANCE_YEARS[0]
        )
        if volume is not None:
            _measures(record, values, name)
            _part_b(record, values, name, volume)
            _cost(record, values, name, volume, problems)
        for each in fields:
            records[each][cohort] = getattr(record, each)
    if problems:
        raise InputError(problems)
    return records.view(np.recarray)


_Volume = tuple[float, float, float, float, int]


def _episodes(record: Any, values: Mapping[str, Any], cohort: str, problems: list[Problem]) -> _Volume | None:
    volume = (
        values["population.mean_episodes"][cohort],
        values["population.episodes_log_sd"],
        values["population.lowest_expected_episodes"],
        values["population.episodes_shock_log_sd"],
        values["population.minimum_episodes"],
    )
    try:
        solved = episode_volume(*volume)
    except ValueError as error:
        text = (
            f"population.mean_episodes.{cohort} = {volume[0]:g} cannot be reached: {error} with "
            "population.lowest_expected_episodes, population.episodes_log_sd, "
            "population.episodes_shock_log_sd and population.minimum_episodes as given; raise the mean."
        )
        others = ("lowest_expected_episodes", "episodes_log_sd", "episodes_shock_log_sd", "minimum_episodes")
        problems.append(_problem(text, "mean_episodes", *others))
        return None
    shares = values["population.cohort_share"]
    measured = values["population.clinicians"] * shares[cohort] / math.fsum(shares.values())
    record.slots = max(round(measured / solved.measured), 1)
    record.strata = record.slots if values["population.latin_hypercube"] else 0
    record.episodes_log_mean = solved.log_mean
    record.episodes_log_sd = solved.log_sd
    record.episodes_floor_probability = solved.floor_probability
    record.episodes_shock_log_sd = volume[3]
    record.minimum_episodes = volume[4]
    record.once_in = values["policy.eligibility"] == "once_in"
    fill_practices(record, values, cohort, solved.measured, problems)
    return volume


def _patients(record: Any, values: Mapping[str, Any]) -> None:
    mean, deviation = values["population.hcc_mean"], values["population.hcc_sd"]
    variance = math.log1p((deviation / mean) ** 2)
    record.hcc_log_mean = stable(math.log(mean) - variance / 2)
    record.hcc_log_sd = stable(math.sqrt(variance))
    record.dual_log_mean = stable(math.log(values["population.dual_median"]))
    record.dual_log_sd = values["population.dual_log_sd"]
    record.dual_hcc_correlation = values["population.dual_hcc_correlation"]


def _part_b(record: Any, values: Mapping[str, Any], cohort: str, volume: _Volume) -> None:
    correlation = record.part_b_episode_correlation = values["population.part_b_episode_correlation"]
    both = float(record.practice_share[SHARED_PART_B] + record.area_share[SHARED_PART_B])
    record.part_b_shared_persistence, own = _part_b_persistence(values, both)
    record.part_b_persistence = [own[specialty] for specialty in SPECIALTIES]
    for code, specialty in enumerate(SPECIALTIES):
        tail = values["population.part_b_tail_slope"][specialty]
        record.part_b_log_shape[code] = part_b_log_shape(specialty, tail)
        trend = record.part_b_trend[code] = values["population.part_b_trend"][specialty]
        if specialty in SPECIALTIES_OF[cohort]:
            mean = values["population.part_b_mean"][specialty]
            ratio = values["population.part_b_panel_ratio"][specialty]
            selected = part_b_mean_over_level(specialty, tail, correlation, *volume)
            grown = (1.0 + trend) ** (PERFORMANCE_YEARS[0] - _LEVEL_YEAR)
            record.part_b_level[code] = stable(mean * ratio / selected * grown)


def _part_b_persistence(values: Mapping[str, Any], both: float) -> tuple[float, dict[str, float]]:
    """Give the persistence of what colleagues and neighbors share of Part B, and by specialty of the rest.

    `both` is the shared part's variance. It persists as in the specialty that persists most, so that no rest
    would have to persist more than entirely.
    """
    given = values["population.part_b_persistence"]
    common = values["population.part_b_episode_correlation"] ** 2
    shared = (max(given.values()) - common) / (1.0 - common)
    left = 1.0 - common - both
    return shared, {
        each: (given[each] - common - both * shared) / left if left > 0.0 else 0.0 for each in given
    }


def _clinicians(values: Mapping[str, Any], cohort: str) -> NDArray[np.float64]:
    """Give the share of the cohort's clinicians in each class of practice size, shape (classes,)."""
    weights = np.array([values["population.practice_weights"][name] for name in tables.PRACTICE_CLASSES])
    small = np.array([high <= SMALL_PRACTICE for _, high in tables.PRACTICE_CLASSES.values()])
    share = values["population.small_practice_share"][cohort]
    return np.asarray(
        np.where(small, share / weights[small].sum(), (1.0 - share) / weights[~small].sum()) * weights
    )


def _reporters(record: Any, values: Mapping[str, Any], cohort: str) -> dict[int | None, Groups]:
    """Give the groups of those who report a measure, by code of the collection type; None: of all.

    A group has a weight and a shift of latent quality, which is by class of practice size, such that it is 0
    on average over those who report anything, and by specialty.
    """
    clinicians = _clinicians(values, cohort)
    silence = {
        name: values["population.nothing_reported"][each]
        for each, held in NONREPORTING_CLASSES.items()
        for name in held
    }
    speaking = clinicians * [1.0 - silence[name] for name in tables.PRACTICE_CLASSES]
    better = np.array([quality_by_practice_size()[name] for name in tables.PRACTICE_CLASSES])
    better *= values["population.quality_size_gradient"]
    center = float(speaking @ better / speaking.sum()) if speaking.any() else 0.0
    record.quality_size_shift[:] = [stable(each - center) for each in better.tolist()]
    if cohort == "low_back_pain":
        offsets = values["population.specialty_quality_offset"]
        record.quality_specialty_shift[:] = [offsets.get(each, 0.0) for each in SPECIALTIES]
    size = np.array([size_class(low) for low, _ in tables.PRACTICE_CLASSES.values()])
    specialties = np.diff(record.specialty_cumulative, axis=1, prepend=0.0)[size]
    shifts = record.quality_size_shift[:, None] + record.quality_specialty_shift
    electronic = record.ecqm_share[size]

    def groups(weights: NDArray[np.float64]) -> Groups:
        each = (weights if weights.any() else clinicians)[:, None] * specialties
        return tuple(zip(each[each > 0.0].tolist(), shifts[each > 0.0].tolist(), strict=True))

    return {
        None: groups(speaking),
        0: groups(speaking * electronic),
        1: groups(speaking * (1.0 - electronic)),
        2: groups(clinicians),
    }


def _measures(record: Any, values: Mapping[str, Any], cohort: str) -> None:
    record.ecqm_share[:] = [values["population.ecqm_share"][size] for size in PRACTICE_SIZES]
    record.cases_log_sd = values["population.cases_log_sd"]
    record.latent_persistence = values["population.latent_persistence"]
    record.shrinkage_reliability = values["population.shrinkage_reliability"]
    record.shrinkage_mean_cases = values["population.shrinkage_mean_cases"]
    complexity = record.quality_complexity = values["population.complex_patients_quality_effect"]
    reporters = _reporters(record, values, cohort)
    record.rate_probability[:] = tables.KNOT_PROBABILITIES
    record.rate_quantile[:] = np.nan
    record.quality_spread[:] = 1.0
    for number, measure in enumerate(measures_of(cohort)):
        types = [COLLECTION_TYPES.index(each) for each in measure.collection_types]
        record.measure_collection_type[number] = types[0] if len(types) == 1 else NOT_REPORTED
        record.cases_factor[number] = values["population.cases_per_episode"][measure.name]
        record.rate_inverse[number] = measure.inverse
        record.quality_loading[number] = math.sqrt(values["population.quality_common_share"][measure.name])
        # A rate without a worst possible value is a ratio of observed to expected, not a share of cases.
        record.measure_kind[number] = RISK_STANDARDIZED if measure.worst is None else BINOMIAL
        drift = values["population.benchmark_drift"][measure.name]
        for code in types:
            if measure.name == "mri":
                published = np.array(values["population.mri_percentiles"])
            else:
                published = np.array(rates(measure.name, COLLECTION_TYPES[code]))
            highest = np.inf if measure.worst is None else 1.0
            record.rate_quantile[number, code] = _spread(published, values["population.rate_spread"], highest)
            # All who report a measure that is not of their choice report it in this way.
            chosen = code if len(types) > 1 or measure.claims else None
            among = reporters[chosen], math.sqrt(1.0 + complexity**2)
            if record.measure_kind[number] == RISK_STANDARDIZED:
                # Its percentiles were published after shrinkage.
                record.quality_center[number], record.quality_spread[number] = latent_moments(*among)
                among = shrunken(*among, record.shrinkage_reliability)
            quantiles = latent_quantiles(*among)
            record.rate_probability[number, code] = rate_knots(quantiles, drift, measure.inverse)


def _spread(published: NDArray[np.float64], times: float, highest: float) -> NDArray[np.float64]:
    """Move quantiles away from their median, or towards it, within 0 and `highest`."""
    if times == 1.0:
        return published
    median = published[len(published) // 2]
    moved: NDArray[np.float64] = np.clip(median + times * (published - median), 0.0, highest)
    return moved


def _cost_correlations(values: Mapping[str, Any], cohort: str) -> tuple[float, float]:
    """Give the correlations of the score of cost with that of episodes, and with the rest of Part B's."""
    episodes = values["population.cost_episode_correlation"][cohort]
    common = values["population.part_b_episode_correlation"]
    part_b = values["population.part_b_cost_correlation"]
    return episodes, (part_b - common * episodes) / math.sqrt(1.0 - common * common)


def _cost(
    record: Any, values: Mapping[str, Any], cohort: str, volume: _Volume, problems: list[Problem]
) -> None:
    median, deviation, reliability = (
        values[f"population.cost_{each}"][cohort] for each in ("median", "sd", "reliability")
    )
    quality = record.cost_quality = values["population.cost_quality_correlation"]
    complexity = record.cost_complexity = values["population.complex_patients_cost_effect"]
    level, moving = _cost_correlations(values, cohort)
    common = values["population.part_b_episode_correlation"]
    record.cost_part_b = moving / math.sqrt(1.0 - common * common)
    record.cost_episodes = level - common * record.cost_part_b
    record.cost_rest = math.sqrt(1.0 - level**2 - moving**2 - quality**2)
    if cohort == "low_back_pain":
        offsets = values["population.specialty_cost_offset"]
        record.cost_specialty_shift[:] = [offsets.get(each, 0.0) for each in SPECIALTIES]
    specialties = np.diff(record.specialty_cumulative, axis=1, prepend=0.0)
    sizes = [size_class(low) for low, _ in tables.PRACTICE_CLASSES.values()]
    shares: dict[float, float] = {}
    for shift, share in zip(
        record.cost_specialty_shift.tolist(), _clinicians(values, cohort) @ specialties[sizes], strict=True
    ):
        shares[shift] = shares.get(shift, 0.0) + float(share)
    shifts = tuple((share, shift) for shift, share in shares.items() if share > 0.0)
    score = CostScore(level, 1.0 - level**2 + complexity**2, shifts)
    try:
        solved = solved_cost(median, deviation, reliability, score, *volume)
    except ValueError as error:
        text = (
            f"population.cost_sd.{cohort} = {deviation:g} does not go with the median "
            f"{median:g} and reliability {reliability:g} of the cohort: {error}."
        )
        problems.append(_problem(text, "cost_sd", "cost_median", "cost_reliability"))
        return
    record.cost_scale_usd = solved.scale
    record.cost_spread = solved.spread
    record.cost_noise_variance = solved.noise_variance
    record.cost_log_shape = solved.log_shape


def _habits(record: Any, values: Mapping[str, Any], cohort: str) -> None:
    record.habit_persistence = values["population.habit_persistence"]
    record.nothing_reported_z = [
        normal_quantile(values["population.nothing_reported"][each]) for each in NONREPORTING_CLASSES
    ]
    low = values["population.completeness_low"]
    record.completeness_low = low
    for number, measure in enumerate(measures_of(cohort)):
        if measure.claims:
            missed = incomplete = 0.0
        else:
            missed = values["population.missed_measure"][measure.name]
            incomplete = (1.0 - missed) * values["population.incomplete_share"]
        record.missed_probability[number] = missed
        record.incomplete_probability[number] = incomplete
        record.missed_z[number] = normal_quantile(missed)
        record.incomplete_z[number] = normal_quantile(missed + incomplete)
        record.completeness_slope[number] = (1.0 - low) / incomplete if incomplete > 0.0 else 0.0
    floor = values["population.interoperability_low"]
    record.interoperability_low = floor
    for code, size in enumerate(PRACTICE_SIZES):
        none = values["population.improvement_activities_none"][size]
        one = values["population.improvement_activities_one"][size]
        record.improvement_none_z[code] = normal_quantile(none)
        record.improvement_one_z[code] = normal_quantile(min(none + one, 1.0))
        zero = values["population.interoperability_zero"][size]
        full = values["population.interoperability_full"][size]
        between = max(1.0 - zero - full, 0.0)
        record.interoperability_zero_probability[code] = zero
        record.interoperability_full_probability[code] = full
        record.interoperability_zero_z[code] = normal_quantile(zero)
        record.interoperability_full_z[code] = normal_quantile(1.0 - full)
        record.interoperability_slope[code] = (100.0 - floor) / between if between > 0.0 else 0.0
