"""The same model as a careful analyst would write it with NumPy: whole arrays, no loop over clinicians.

It starts from the package's calibration and policy records and makes the same variates: one for every
decision of every clinician and year. What differs is how: a generator with state (SFC64, NumPy's quickest)
instead of keyed streams, NumPy's own Poissons and binomials, and sorts for quantiles. It knows the final
rule, with the policy's numbers as given, but not its alternatives (other peer groups, caps, tie rules).

It serves two purposes: the package is to be an order of magnitude quicker, with the same distributions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from asmrisk.parameters.parameter import Values
from asmrisk.population.latents import RISK_STANDARDIZED
from asmrisk.population.records import behavior_records, population_records
from asmrisk.rule.definitions import COLLECTION_TYPES
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.published_tables import fixed_edges
from asmrisk.scenario.scenario import scenario_from_dict

__all__ = ["QUANTILES", "VARIABLES", "simulate"]

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
#: Variables of one number for each draw, performance year and cohort, as the package calls them.
VARIABLES = (
    "participants",
    "scored",
    "zero_scores",
    "episodes",
    "episode_spending",
    "part_b_paid",
    "incentive_pool",
    "scaling_factor",
    "median_final_score",
    "penalized_share",
    "weighted_adjustment_factor",
    "payment_year_part_b",
    "net_adjustment",
    "retained_savings",
    "episode_savings",
    "medicare_savings",
)
_COHORTS, _YEARS, _CALENDAR, _LAG, _MEASURES = 2, 5, 7, 2, 5
_CLAIMS = COLLECTION_TYPES.index("claims")
_DECILES = np.arange(1, 10) / 10.0
_Array = np.ndarray


def simulate(draws: int, seed: int, values: Values | None = None, timer: Any = None) -> dict[str, np.ndarray]:
    """Simulate draws of the model.

    Parameters
    ----------
    draws : int
        How many.
    seed : int
        Seed of the generator; every draw has a generator of its own.
    values : Values, optional
        Resolved parameters; the final rule's if not given.
    timer : callable, optional
        Called after each draw.

    Returns
    -------
    dict of str to ndarray of float64
        `VARIABLES`, shape (draws, 5, 2): draw, performance year, cohort; ``adjustment_factor_quantile`` and
        ``final_score_quantile``, shape (draws, 5, 2, 9).
    """
    values = scenario_from_dict({}).values if values is None else values
    policy = policy_records(values, fixed_edges())
    population = population_records(values)
    behavior = behavior_records(values)
    shape = (draws, _YEARS, _COHORTS)
    results = {name: np.full(shape, np.nan) for name in VARIABLES}
    for name in ("adjustment_factor_quantile", "final_score_quantile"):
        results[name] = np.full((*shape, len(QUANTILES)), np.nan)
    for draw in range(draws):
        rng = np.random.Generator(np.random.SFC64([seed, draw]))
        for cohort in range(_COHORTS):
            for year, row in enumerate(_live(rng, policy, population[cohort], behavior, cohort)):
                for name, number in row.items():
                    results[name][draw, year, cohort] = number
        if timer is not None:
            timer()
    return results


@dataclass
class _People:
    """Clinicians who are measured at least once: arrays over the clinicians, years first."""

    volume: _Array  # normal score of the number of episodes
    level: _Array  # expected episodes a year
    entry: _Array  # first performance year, counted from 0
    leaves: _Array  # first year in which it is not active
    episodes: _Array  # (CALENDAR, clinicians), from two years before the first performance year
    measured: _Array  # (YEARS, clinicians) bool


def _enroll(rng: np.random.Generator, population: Any, behavior: Any) -> _People:
    """Draw clinicians, episodes and exits; whoever leaves is followed by a new clinician."""
    groups = []
    entering = [int(population.slots)] + [0] * (_YEARS - 1)
    for entry in range(_YEARS):
        n = entering[entry]
        u = rng.random(n)
        floor, sd = population.episodes_floor_probability, population.episodes_shock_log_sd
        score = ndtri(floor + u * (1.0 - floor))
        level = np.exp(population.episodes_log_mean + population.episodes_log_sd * score)
        shock = rng.standard_normal((_CALENDAR - entry, n))
        episodes = np.zeros((_CALENDAR, n))
        episodes[entry:] = rng.poisson(level * np.exp(sd * shock - 0.5 * sd * sd))
        gone = rng.random((_CALENDAR - entry - 1, n)) < behavior.exit_probability[entry + 1 :, None]
        leaves = np.where(gone.any(axis=0), entry + 1 + gone.argmax(axis=0), _CALENDAR)
        for year in range(entry + 1, _YEARS):
            entering[year] += int(np.count_nonzero(leaves == year))
        groups.append((u, level, np.full(n, entry), leaves, episodes))
    u, level, entry, leaves, episodes = (np.concatenate(each, axis=-1) for each in zip(*groups, strict=True))
    years = np.arange(_YEARS)[:, None]
    active = (entry <= years) & (years < leaves)
    measured = active & (episodes[:_YEARS] >= population.minimum_episodes)
    ever = measured.any(axis=0)
    return _People(
        ndtri(u[ever]), level[ever], entry[ever], leaves[ever], episodes[:, ever], measured[:, ever]
    )


def _at_scores(tables: _Array, which: _Array | int, score: _Array) -> _Array:
    """Read tables over the normal score (-6.5 to 6.5 by sixteenths) by linear interpolation."""
    at = np.clip((score + 6.5) * 16.0, 0.0, 207.0)
    below = at.astype(np.intp)
    low = tables[which, below]
    return low + (at - below) * (tables[which, below + 1] - low)


def _part_b(
    rng: np.random.Generator, population: Any, growth: _Array, specialty: _Array, volume: _Array
) -> _Array:
    """Draw Part B payments of all calendar years: AR(1) in the normal score."""
    common = population.part_b_episode_correlation
    kept = population.part_b_persistence[specialty]
    new = np.sqrt(1.0 - kept * kept)
    level = population.part_b_level[specialty]
    moving = rng.standard_normal(len(volume))
    payments = np.empty((_CALENDAR, len(volume)))
    for year in range(_CALENDAR):
        if year > 0:
            moving = kept * moving + new * rng.standard_normal(len(volume))
        score = common * volume + np.sqrt(1.0 - common * common) * moving
        shape = _at_scores(population.part_b_log_shape, specialty, score)
        payments[year] = growth[year, specialty] * level * np.exp(shape)
    return payments


def _live(
    rng: np.random.Generator, policy: Any, population: Any, behavior: Any, cohort: int
) -> list[dict[str, Any]]:
    """Let one cohort live through the performance years; give one row of results a year."""
    people = _enroll(rng, population, behavior)
    n = len(people.level)

    specialty = np.searchsorted(population.specialty_cumulative, rng.random(n), side="right")
    u = rng.random(n)
    size_class = np.searchsorted(population.practice_cumulative, u, side="right")
    below = np.concatenate([[0.0], population.practice_cumulative])[size_class]
    within = (u - below) / (population.practice_cumulative[size_class] - below)
    low = population.practice_low[size_class]
    width = population.practice_high[size_class] - low + 1
    practice_size = low + np.minimum((within * width).astype(np.int64), width - 1)
    nonreporting_class = np.minimum(size_class, 3)
    size = np.where(size_class == 0, 0, np.where(size_class < 3, 1, 2))
    choice = np.where(rng.random(n) < population.ecqm_share[size], 0, 1)
    score = rng.standard_normal(n)
    hcc = np.exp(population.hcc_log_mean + population.hcc_log_sd * score)
    tie = population.dual_hcc_correlation
    score = tie * score + np.sqrt(1.0 - tie * tie) * rng.standard_normal(n)
    dual = np.minimum(np.exp(population.dual_log_mean + population.dual_log_sd * score), 1.0)
    spread = population.cases_log_sd
    case_level = people.level * np.exp(spread * rng.standard_normal((_MEASURES, n)) - 0.5 * spread * spread)
    case_level *= population.cases_factor[:, None]
    part_b = _part_b(rng, population, behavior.part_b_growth, specialty, people.volume)
    later = np.zeros((_YEARS, n))
    for year in range(_YEARS):
        later[year] = np.where(year + _LAG < people.leaves, part_b[year + _LAG], 0.0)

    # Measures in no year's set are not simulated.
    asked = [measure for measure in range(_MEASURES) if policy.measure_in_set[:, cohort, measure].any()]
    # Normal scores that move from year to year. Before a clinician enters they are as stationary as after.
    talents = rng.standard_normal((2 + len(asked), n))  # general quality, cost, one a measure
    # Improvement, interoperability, nonreporting, submissions.
    habits = rng.standard_normal((3 + len(asked), n))
    multiplier = np.ones(n)
    lost: list[_Array] = []
    rows = []
    for year in range(_YEARS):
        if year > 0:
            for state, kept in (
                (talents, population.latent_persistence),
                (habits, population.habit_persistence),
            ):
                state *= kept
                state += np.sqrt(1.0 - kept * kept) * rng.standard_normal(state.shape)
        now = behavior[year]
        penalized = lost[year - _LAG] if year >= _LAG else np.zeros(n, bool)
        multiplier *= np.where(penalized, 1.0 - now.cost_response_penalized, 1.0 - now.cost_response)
        multiplier = np.where(people.entry > year, 1.0, multiplier)
        who = np.flatnonzero(people.measured[year])
        habit = habits[:, who]
        episodes = people.episodes[year + _LAG, who]
        true_cost, cost = _costs(rng, population, now.cost_trend, talents[:, who], episodes)
        observed = {
            "measures": _measures(
                rng,
                population,
                now.quality_learning[cohort],
                {measure: k for k, measure in enumerate(asked)},
                talents[:, who],
                habit,
                case_level[:, who],
                choice[who],
                habit[2] < population.nothing_reported_z[nonreporting_class[who]],
            ),
            "improvement_activities": _improvement(population, habit[0], size[who]),
            "promoting_interoperability": _interoperability(population, habit[1], size[who]),
            "practice_size": practice_size[who],
            "part_b": part_b[year, who],
            "episodes": episodes,
            "cost_per_episode": cost * multiplier[who],
            "hcc_risk_score": hcc[who],
            "dual_share": dual[who],
        }
        final, factor, scaling = _score(policy[year], cohort, observed)
        saved = true_cost * (1.0 - multiplier[who])
        times = now, behavior[year + _LAG]
        rows.append(_record(policy[year], times, observed, final, factor, scaling, later[year, who], saved))
        penalized = np.zeros(n, bool)
        penalized[who] = factor < 0.0
        lost.append(penalized)
    return rows


def _costs(
    rng: np.random.Generator, population: Any, trend: float, talents: _Array, episodes: _Array
) -> tuple[_Array, _Array]:
    """Draw true and observed cost per episode, before any response."""
    tie = population.cost_quality_correlation
    score = np.sqrt(1.0 - tie * tie) * talents[1] - tie * talents[0]
    shape = _at_scores(population.cost_log_shape[None], 0, score)
    true = population.cost_scale_usd * trend * np.exp(population.cost_spread * shape)
    deviation = np.sqrt(population.cost_noise_variance / np.maximum(episodes, 1.0))
    observed = true * np.exp(deviation * rng.standard_normal(len(episodes)))
    return true, np.where(episodes > 0.0, observed, np.nan)


def _measures(
    rng: np.random.Generator,
    population: Any,
    learning: float,
    asked: Mapping[int, int],
    talents: _Array,
    habit: _Array,
    case_level: _Array,
    choice: _Array,
    nonreporting: _Array,
) -> dict[int, tuple[_Array, _Array, _Array, _Array]]:
    """Draw rate, cases, completeness and collection type (-1: not reported) of each measure."""
    loading = population.quality_loading
    reports = {}
    for measure, k in asked.items():
        sign = -1.0 if population.rate_inverse[measure] else 1.0
        score = loading * talents[0] + np.sqrt(1.0 - loading * loading) * talents[2 + k] + learning
        score *= sign
        cases = rng.poisson(case_level[measure])
        if population.measure_kind[measure] == RISK_STANDARDIZED:
            reliability = population.shrinkage_reliability
            prior = population.shrinkage_mean_cases * (1.0 - reliability) / reliability
            weight = cases / (cases + prior)
            noise = rng.standard_normal(len(cases))
            score = np.sqrt(weight) * score + sign * np.sqrt(1.0 - weight) * noise
        fixed = population.measure_collection_type[measure]
        kind = choice if fixed < 0 else np.full(len(choice), fixed)
        share = ndtr(score)
        rate = np.empty(len(share))
        for code in (0, 1) if fixed < 0 else (fixed,):
            of = kind == code
            quantiles = population.rate_quantile[measure, code]
            rate[of] = np.interp(share[of], population.rate_probability, quantiles)
        if population.measure_kind[measure] != RISK_STANDARDIZED:
            rate = rng.binomial(cases, rate) / np.maximum(cases, 1)
        submission = habit[3 + k]
        reported = ~nonreporting & (submission >= population.missed_z[measure]) | (fixed == _CLAIMS)
        above = ndtr(submission) - population.missed_probability[measure]
        completeness = np.where(
            submission < population.incomplete_z[measure],
            population.completeness_low + population.completeness_slope[measure] * above,
            1.0,
        )
        reports[measure] = (
            np.where(cases > 0, rate, np.nan),
            cases,
            completeness,
            np.where(reported, kind, -1),
        )
    return reports


def _improvement(population: Any, habit: _Array, size: _Array) -> _Array:
    one = np.where(habit < population.improvement_one_z[size], 1, 2)
    return np.where(habit < population.improvement_none_z[size], 0, one)


def _interoperability(population: Any, habit: _Array, size: _Array) -> _Array:
    above = ndtr(habit) - population.interoperability_zero_probability[size]
    score = population.interoperability_low + population.interoperability_slope[size] * above
    score = np.where(habit < population.interoperability_full_z[size], score, 100.0)
    return np.where(habit < population.interoperability_zero_z[size], 0.0, score)


def _score(policy: Any, cohort: int, observed: Mapping[str, Any]) -> tuple[_Array, _Array, float]:
    """Apply 42 CFR part 512 subpart G; give final scores (NaN: none), adjustment factors, scaling factor."""
    n = len(observed["part_b"])
    earned, counted, complete = np.zeros(n), np.zeros(n), np.zeros(n, bool)
    for measure, (rate, cases, completeness, kind) in observed["measures"].items():
        if not policy.measure_in_set[cohort, measure]:
            continue
        claims = bool(policy.measure_claims[cohort, measure])
        reported = claims | (kind >= 0)
        met = claims | (completeness >= policy.minimum_completeness)
        enough = cases >= policy.minimum_cases
        if not claims:
            complete |= reported & met
        scorable = reported & met & enough & ~np.isnan(rate)
        points = np.where(reported & ~scorable & (met | ~enough), np.nan, 0.0)
        sign = -1.0 if policy.measure_inverse[cohort, measure] else 1.0
        for code in (0, 1, 2):
            peers = np.flatnonzero(scorable & (kind == code))
            points[peers] = _points(policy, sign * rate[peers], sign * policy.measure_worst[cohort, measure])
        earned += np.where(np.isnan(points), 0.0, points)
        counted += ~np.isnan(points)
    with np.errstate(invalid="ignore"):
        quality = earned / (10.0 * counted)

    cost, episodes = observed["cost_per_episode"], observed["episodes"]
    of = np.flatnonzero((episodes >= policy.minimum_episodes) & ~np.isnan(cost))
    deviation = np.std(cost[of], ddof=1) if len(of) > 1 else 0.0
    middle = np.median(cost[of]) if len(of) else np.nan
    z = (cost[of] - middle) / (deviation if deviation > 0.0 else np.inf)
    cost_score = np.full(n, np.nan)
    cost_score[of] = np.interp(z, policy.cost_points_z, policy.cost_points) / 10.0

    patients = np.zeros(n)
    for indicator in (observed["hcc_risk_score"], observed["dual_share"]):
        z = (indicator - indicator.mean()) / np.std(indicator, ddof=1)
        bonus = np.maximum(policy.complex_patient_intercept + policy.complex_patient_slope * z, 0.0)
        patients += np.where(indicator >= np.median(indicator), bonus, 0.0)
    size = observed["practice_size"]
    practice = np.where(size <= policy.small_practice_maximum, policy.small_practice_points, 0.0)
    practice = np.where(size <= 1, policy.solo_practice_points, practice)
    missing = 1.0 - observed["promoting_interoperability"] / 100.0
    conduct = policy.improvement_activities_points[observed["improvement_activities"]]
    conduct = conduct + policy.promoting_interoperability_points * missing

    both = policy.quality_weight * quality + policy.cost_weight * cost_score
    weighted = np.where(np.isnan(quality), cost_score, np.where(np.isnan(cost_score), quality, both))
    final = 100.0 * weighted + conduct + np.minimum(patients, policy.complex_patient_cap) + practice
    final = np.clip(final, 0.0, 100.0)
    final[~complete] = 0.0
    return _exchange(policy, final, observed["part_b"])


def _points(policy: Any, rate: _Array, worst: float) -> _Array:
    """Give decile points against the peers' own benchmark; NaN where there are too few of them."""
    benchmark = rate[rate != worst] if policy.worst_rate_excluded else rate
    if len(benchmark) < policy.minimum_reporters:
        return np.full(len(rate), np.nan)
    edges = np.quantile(benchmark, _DECILES)
    ladder = np.concatenate([[benchmark.min()], edges, [np.inf]])
    decile = np.searchsorted(edges, rate, side="right")
    low = ladder[decile]
    return decile + 1.0 + np.maximum(rate - low, 0.0) / (ladder[decile + 1] - low)


def _exchange(policy: Any, final: _Array, part_b: _Array) -> tuple[_Array, _Array, float]:
    """Exchange payments at risk for final scores; without a score the factor is 0."""
    scored = ~np.isnan(final)
    midpoint = policy.exchange_midpoint
    if np.isnan(midpoint):
        midpoint = np.median(final[final > 0.0])
    share = np.where(final > 0.0, 1.0 / (1.0 + np.exp(-policy.exchange_steepness * (final - midpoint))), 0.0)
    scaling = policy.redistribution_share * part_b[scored].sum() / (share * part_b)[scored].sum()
    factor = np.where(scored, policy.risk_level * share * scaling - policy.risk_level, 0.0)
    return final, factor, scaling


def _record(
    policy: Any,
    behavior: tuple[Any, Any],
    observed: Mapping[str, Any],
    final: _Array,
    factor: _Array,
    scaling: float,
    later: _Array,
    saved: _Array,
) -> dict[str, Any]:
    """Sum a year up, given the behavior of the performance year and of its payment year."""
    now, paying = behavior
    scored = ~np.isnan(final)
    episodes, part_b = observed["episodes"], observed["part_b"]
    paid = part_b[scored].sum()
    net = (factor * later).sum()
    savings = now.medicare_share * (episodes * saved).sum()
    return {
        "participants": len(final),
        "scored": np.count_nonzero(scored),
        "zero_scores": np.count_nonzero(final == 0.0),
        "episodes": episodes.sum(),
        "episode_spending": np.nansum(episodes * observed["cost_per_episode"]),
        "part_b_paid": paid,
        "incentive_pool": policy.risk_level * policy.redistribution_share * paid,
        "scaling_factor": scaling,
        "median_final_score": np.median(final[scored]),
        "penalized_share": np.mean(factor[scored] < 0.0),
        "weighted_adjustment_factor": (factor * part_b).sum() / paid,
        "payment_year_part_b": later[scored].sum(),
        "net_adjustment": net,
        "retained_savings": -net,
        "episode_savings": savings,
        "medicare_savings": savings * now.price_level * now.stated_price_ratio
        - net * paying.stated_price_ratio,
        "adjustment_factor_quantile": np.quantile(factor[scored], QUANTILES),
        "final_score_quantile": np.quantile(final[scored], QUANTILES),
    }
