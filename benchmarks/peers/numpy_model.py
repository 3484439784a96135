"""The same model as a careful analyst would write it with NumPy: whole arrays, no loop over clinicians.

It starts from the package's calibration and policy records and makes the same variates: one for every
decision of every clinician, practice, area and year. What differs is how: a generator with state (SFC64,
NumPy's quickest) instead of keyed streams, NumPy's own Poissons and binomials, and sorts for quantiles. It
knows the final rule, with the policy's numbers as given, but not its alternatives (other peer groups, caps,
tie rules, other readings), no roster and no list of participants.

It serves two purposes: the package is to be an order of magnitude quicker, with the same distributions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from asmrisk.parameters.parameter import Values
from asmrisk.population.latents import (
    RISK_STANDARDIZED,
    SHARED_COST,
    SHARED_HABITS,
    SHARED_PART_B,
    SHARED_PATIENTS,
    SHARED_QUALITY,
)
from asmrisk.population.records import behavior_records, population_records
from asmrisk.rule.definitions import COLLECTION_TYPES
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.published_tables import fixed_edges
from asmrisk.scenario.scenario import scenario_from_dict
from peers.numpy_counterfactual import (
    at_scores,
    mips_factor,
    mips_latent,
    mips_rest,
    participation_cost,
    practice_latents,
    set_against,
)
from peers.numpy_rule import score_cohort

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
    "volume_offset",
    "episode_savings",
    "medicare_savings",
    "mips_forgone",
    "net_of_mips",
    "beneficiaries",
    "cost_of_participation",
    "net_of_costs",
)
_COHORTS, _YEARS, _CALENDAR, _LAG, _MEASURES = 2, 5, 7, 2, 5
#: Rows of the arrays of scores that move from year to year; a row for each measure follows.
_GENERAL, _COST, _SPECIFIC = 0, 1, 2
_NONREPORTING, _SUBMISSION = 0, 1
_CLAIMS = COLLECTION_TYPES.index("claims")
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
            # Areas are those of both cohorts, with the same innovations.
            areas = _areas(np.random.Generator(np.random.SFC64([seed, draw, 1])), population[cohort])
            for year, row in enumerate(_simulate(rng, policy, population[cohort], behavior, cohort, areas)):
                for name, number in row.items():
                    results[name][draw, year, cohort] = number
        if timer is not None:
            timer()
    return results


@dataclass
class _Groups:
    """Normal scores that the clinicians of each practice, or of each area, have in common."""

    part_b: _Array  # (CALENDAR, groups)
    patients: _Array  # (2, groups): HCC risk score, own part of the dual share
    talents: _Array  # (YEARS, 2 + MEASURES, groups): general quality, cost, one a measure
    habits: _Array  # (YEARS, 1 + MEASURES, groups): of reporting nothing, of submitting each measure


@dataclass
class _Practices:
    """Practices that fill the slots of a cohort: arrays over the practices."""

    members: _Array
    size: _Array  # clinicians
    size_class: _Array  # as CMS's table of practices has them
    size_group: _Array  # solo, small, large
    area: _Array
    ecqm: _Array  # bool
    improvement_activities: _Array  # (YEARS, practices)
    promoting_interoperability: _Array  # (YEARS, practices)
    mips_group: _Array  # bool: MIPS would score the practice as a whole
    mips_qualifying: _Array  # bool: MIPS would not adjust
    mips_class: _Array  # row of the tables of MIPS scores
    scores: _Groups


@dataclass
class _People:
    """Clinicians who are measured at least once: arrays over the clinicians, years first."""

    practice: _Array
    specialty: _Array
    volume: _Array  # normal score of the number of episodes
    level: _Array  # expected episodes a year
    entry: _Array  # first performance year, counted from 0
    leaves: _Array  # first year in which it is not active
    episodes: _Array  # (CALENDAR, clinicians), from two years before the first performance year
    measured: _Array  # (YEARS, clinicians) bool


def _moving(rng: np.random.Generator, years: int, shape: tuple[int, ...], kept: float | _Array) -> _Array:
    """Draw stationary normal scores year by year, AR(1)."""
    scores = rng.standard_normal((years, *shape))
    scores[1:] *= np.sqrt(1.0 - kept * kept)
    for year in range(1, years):
        scores[year] += kept * scores[year - 1]
    return scores


def _groups(rng: np.random.Generator, population: Any, count: int, habits: int) -> _Groups:
    return _Groups(
        part_b=_moving(rng, _CALENDAR, (count,), population.part_b_shared_persistence),
        patients=rng.standard_normal((2, count)),
        talents=_moving(rng, _YEARS, (_SPECIFIC + _MEASURES, count), population.latent_persistence),
        habits=_moving(rng, _YEARS, (habits, count), population.habit_persistence),
    )


def _areas(rng: np.random.Generator, population: Any) -> _Groups:
    """Draw what clinicians of an area have in common; habits are no such thing."""
    return _groups(rng, population, int(population.areas), 0)


def _practices(rng: np.random.Generator, population: Any, behavior: Any) -> _Practices:
    """Draw practices until their members fill the slots."""
    columns: list[_Array] = []
    slots, filled = int(population.slots), 0
    while filled < slots:
        n = (slots - filled) // 2 + 16
        size_class = np.searchsorted(population.practice_cumulative, rng.random(n), side="right")
        low = population.practice_low[size_class]
        width = population.practice_high[size_class] - low + 1
        size = low + np.minimum((rng.random(n) * width).astype(np.int64), width - 1)
        cumulative = population.members_cumulative[size_class]
        most = np.minimum(size, cumulative.shape[1])
        u = rng.random(n) * cumulative[np.arange(n), most - 1]
        members = 1 + np.count_nonzero(cumulative < u[:, None], axis=1)
        area = np.searchsorted(population.area_cumulative, rng.random(n), side="right")
        columns.append(np.stack([members, size, size_class, area]))
        filled += int(members.sum())
    members, size, size_class, area = np.concatenate(columns, axis=1)
    end = np.cumsum(members)
    count = int(np.searchsorted(end, slots)) + 1
    members, size, size_class, area = (each[:count] for each in (members, size, size_class, area))
    members[-1] -= end[count - 1] - slots
    size_group = np.where(size_class == 0, 0, np.where(size_class < 3, 1, 2))
    activities, interoperability = _conduct(rng, population, behavior, size_group)
    in_aco = rng.random(count) < population.aco_share
    as_group = rng.random(count) < population.mips_group_share[size_group]
    qualifies = rng.random(count) < population.mips_qualifying_share
    return _Practices(
        members=members,
        size=size,
        size_class=size_class,
        size_group=size_group,
        area=area,
        ecqm=rng.random(count) < population.ecqm_share[size_group],
        improvement_activities=activities,
        promoting_interoperability=interoperability,
        mips_group=as_group | in_aco,
        mips_qualifying=qualifies & in_aco,
        mips_class=np.where(in_aco, len(population.mips_score) - 1, size_class),
        scores=_groups(rng, population, count, _SUBMISSION + _MEASURES),
    )


def _conduct(rng: np.random.Generator, population: Any, behavior: Any, size: _Array) -> tuple[_Array, _Array]:
    """Draw what practices attest; of those that lacked something some lack it no more from the next year."""
    habits = _moving(rng, _YEARS, (2, len(size)), population.habit_persistence)
    activities = np.empty((_YEARS, len(size)), np.int64)
    interoperability = np.empty((_YEARS, len(size)))
    improved = np.zeros((2, len(size)), bool)
    for year in range(_YEARS):
        if year > 0:
            lacking = activities[year - 1] < 2, interoperability[year - 1] == 0.0
            improved |= lacking & (rng.random(improved.shape) < behavior[year].conduct_improvement)
        activities[year] = np.where(improved[0], 2, _improvement(population, habits[year, 0], size))
        score = _interoperability(population, habits[year, 1], size)
        interoperability[year] = np.where(improved[1], 100.0, score)
    return activities, interoperability


def _enroll(rng: np.random.Generator, population: Any, behavior: Any, practices: _Practices) -> _People:
    """Draw clinicians, episodes and exits; whoever leaves is followed by a new clinician of the practice."""
    groups = []
    entering = [np.repeat(np.arange(len(practices.members)), practices.members)]
    entering += [np.empty(0, np.int64)] * (_YEARS - 1)
    for entry in range(_YEARS):
        practice = entering[entry]
        n = len(practice)
        u = rng.random(n)
        floor, sd = population.episodes_floor_probability, population.episodes_shock_log_sd
        score = ndtri(floor + u * (1.0 - floor))
        level = np.exp(population.episodes_log_mean + population.episodes_log_sd * score)
        shock = rng.standard_normal((_CALENDAR - entry, n))
        episodes = np.zeros((_CALENDAR, n))
        episodes[entry:] = rng.poisson(level * np.exp(sd * shock - 0.5 * sd * sd))
        shares = population.specialty_cumulative[practices.size_group[practice]]
        specialty = np.count_nonzero(shares <= rng.random(n)[:, None], axis=1)
        leaving = behavior.exit_probability[entry + 1 :, specialty]
        gone = rng.random((_CALENDAR - entry - 1, n)) < leaving
        leaves = np.where(gone.any(axis=0), entry + 1 + gone.argmax(axis=0), _CALENDAR)
        for year in range(entry + 1, _YEARS):
            entering[year] = np.concatenate([entering[year], practice[leaves == year]])
        groups.append((practice, specialty, u, level, np.full(n, entry), leaves, episodes))
    practice, specialty, u, level, entry, leaves, episodes = (
        np.concatenate(each, axis=-1) for each in zip(*groups, strict=True)
    )
    years = np.arange(_YEARS)[:, None]
    active = (entry <= years) & (years < leaves)
    measured = active & (episodes[:_YEARS] >= population.minimum_episodes)
    ever = measured.any(axis=0)
    return _People(
        practice=practice[ever],
        specialty=specialty[ever],
        volume=ndtri(u[ever]),
        level=level[ever],
        entry=entry[ever],
        leaves=leaves[ever],
        episodes=episodes[:, ever],
        measured=measured[:, ever],
    )


def _in_common(
    population: Any, which: int, own: _Array, practice: _Array, area: _Array | float, free: float = 1.0
) -> _Array:
    """Put normal scores of variance `free` together from own parts and those of practice and area."""
    near, far = population.practice_share[which], population.area_share[which]
    return np.sqrt(free - near - far) * own + np.sqrt(near) * practice + np.sqrt(far) * area


def _simulate(
    rng: np.random.Generator, policy: Any, population: Any, behavior: Any, cohort: int, areas: _Groups
) -> list[dict[str, Any]]:
    """Simulate one cohort through the performance years; give one row of results a year."""
    practices = _practices(rng, population, behavior)
    people = _enroll(rng, population, behavior, practices)
    practice, specialty = people.practice, people.specialty
    area, common, n = practices.area[practice], practices.scores, len(practice)
    size_class = practices.size_class[practice]
    nonreporting_class = np.minimum(size_class, 3)
    choice = np.where(practices.ecqm[practice], 0, 1)

    hcc_score, dual_score = _in_common(
        population,
        SHARED_PATIENTS,
        rng.standard_normal((2, n)),
        common.patients[:, practice],
        areas.patients[:, area],
    )
    tie = population.dual_hcc_correlation
    dual_score = tie * hcc_score + np.sqrt(1.0 - tie * tie) * dual_score
    hcc = np.exp(population.hcc_log_mean + population.hcc_log_sd * hcc_score)
    dual = np.minimum(np.exp(population.dual_log_mean + population.dual_log_sd * dual_score), 1.0)
    complexity = (hcc_score + dual_score) / np.sqrt(2.0 * (1.0 + tie))
    quality_shift = (
        population.quality_size_shift[size_class]
        + population.quality_specialty_shift[specialty]
        - population.quality_complexity * complexity
    )
    cost_shift = population.cost_episodes * people.volume + population.cost_complexity * complexity
    cost_shift += population.cost_specialty_shift[specialty]
    spread = population.cases_log_sd
    case_level = people.level * np.exp(spread * rng.standard_normal((_MEASURES, n)) - 0.5 * spread * spread)
    case_level *= population.cases_factor[:, None]
    tie = population.part_b_episode_correlation
    part_b_score = tie * people.volume + _in_common(
        population,
        SHARED_PART_B,
        _moving(rng, _CALENDAR, (n,), population.part_b_persistence[specialty]),
        common.part_b[:, practice],
        areas.part_b[:, area],
        1.0 - tie * tie,
    )
    shape = at_scores(population.part_b_log_shape, specialty, part_b_score)
    part_b = behavior.part_b_growth[:, specialty] * population.part_b_level[specialty] * np.exp(shape)
    later = np.zeros((_YEARS, n))
    for year in range(_YEARS):
        later[year] = np.where(year + _LAG < people.leaves, part_b[year + _LAG], 0.0)

    practice_mips = practice_latents(
        population,
        common.talents[:, _GENERAL],
        areas.talents[:, _GENERAL][:, practices.area],
        common.habits[:, _NONREPORTING],
        mips_rest(rng, population, _YEARS, len(practices.members)),
    )
    own_rest = mips_rest(rng, population, _YEARS, n)

    # Measures in no year's set are not simulated.
    asked = [measure for measure in range(_MEASURES) if policy.measure_in_set[:, cohort, measure].any()]
    talent_rows = [_GENERAL, _COST, *(_SPECIFIC + measure for measure in asked)]
    habit_rows = [_NONREPORTING, *(_SUBMISSION + measure for measure in asked)]
    # Own parts move from year to year. Before a clinician enters they are as stationary as after.
    own_talents = _moving(rng, _YEARS, (len(talent_rows), n), population.latent_persistence)
    own_habits = _moving(rng, _YEARS, (len(habit_rows), n), population.habit_persistence)
    multiplier = np.ones(n)
    lost: list[_Array] = []
    rows = []
    for year in range(_YEARS):
        now = behavior[year]
        penalized = lost[year - _LAG] if year >= _LAG else np.zeros(n, bool)
        multiplier *= np.where(penalized, 1.0 - now.cost_response_penalized, 1.0 - now.cost_response)
        multiplier = np.where(people.entry > year, 1.0, multiplier)
        who = np.flatnonzero(people.measured[year])
        own, near, far = (
            own_talents[year][:, who],
            common.talents[year, talent_rows][:, practice[who]],
            areas.talents[year, talent_rows][:, area[who]],
        )
        cost_talent = _in_common(population, SHARED_COST, own[_COST], near[_COST], far[_COST])
        talents = _in_common(population, SHARED_QUALITY, own, near, far)
        near = common.habits[year, habit_rows][:, practice[who]]
        habits = _in_common(population, SHARED_HABITS, own_habits[year][:, who], near, 0.0)
        episodes = people.episodes[year + _LAG, who]
        cost_score = (
            cost_shift[who]
            + population.cost_part_b * part_b_score[year, who]
            - population.cost_quality * talents[_GENERAL]
            + population.cost_rest * cost_talent
        )
        true_cost, cost = _costs(rng, population, now.cost_trend, cost_score, episodes)
        observed = {
            "measures": _measures(
                rng,
                population,
                quality_shift[who] + now.quality_learning[cohort],
                {measure: k for k, measure in enumerate(asked)},
                talents,
                habits,
                case_level[:, who],
                choice[who],
                habits[_NONREPORTING] < population.nothing_reported_z[nonreporting_class[who]],
            ),
            "improvement_activities": practices.improvement_activities[year, practice[who]],
            "promoting_interoperability": practices.promoting_interoperability[year, practice[who]],
            "practice_size": practices.size[practice[who]],
            "part_b": part_b[year, who],
            "episodes": episodes,
            "cost_per_episode": cost * multiplier[who],
            "hcc_risk_score": hcc[who],
            "dual_share": dual[who],
        }
        final, factor, scaling = score_cohort(policy[year], cohort, observed)
        saved = true_cost * (1.0 - multiplier[who])
        times = now, behavior[year + _LAG]
        rows.append(_record(policy[year], times, observed, final, factor, scaling, later[year, who], saved))
        of = practice[who]
        alone = mips_latent(population, talents[_GENERAL], habits[_NONREPORTING], own_rest[year, who])
        latent = np.where(practices.mips_group[of], practice_mips[year, of], alone)
        mips_score = at_scores(population.mips_score, practices.mips_class[of], latent)
        charges = part_b[year, who] * times[1].allowed_over_paid[specialty[who]]
        adjusted = practices.mips_group[of] | (charges > times[1].mips_low_volume)
        adjusted &= ~practices.mips_qualifying[of]
        forgone = np.where(adjusted, mips_factor(times[1], mips_score) * later[year, who], 0.0)
        cost = participation_cost(
            now, practices.size_group[of], observed["episodes"], observed["improvement_activities"]
        )
        rows[-1] |= set_against(times, rows[-1]["net_adjustment"], episodes, forgone, cost)
        penalized = np.zeros(n, bool)
        penalized[who] = factor < 0.0
        lost.append(penalized)
    return rows


def _costs(
    rng: np.random.Generator, population: Any, trend: float, score: _Array, episodes: _Array
) -> tuple[_Array, _Array]:
    """Draw true and observed cost per episode, before any response."""
    shape = at_scores(population.cost_log_shape[None], 0, score)
    true = population.cost_scale_usd * trend * np.exp(population.cost_spread * shape)
    deviation = np.sqrt(population.cost_noise_variance / np.maximum(episodes, 1.0))
    observed = true * np.exp(deviation * rng.standard_normal(len(episodes)))
    return true, np.where(episodes > 0.0, observed, np.nan)


def _measures(
    rng: np.random.Generator,
    population: Any,
    shift: _Array,
    asked: Mapping[int, int],
    talents: _Array,
    habit: _Array,
    case_level: _Array,
    choice: _Array,
    nonreporting: _Array,
) -> dict[int, tuple[_Array, _Array, _Array, _Array]]:
    """Draw rate, cases, completeness and collection type (-1: not reported) of each measure."""
    reports = {}
    for measure, k in asked.items():
        loading = population.quality_loading[measure]
        sign = -1.0 if population.rate_inverse[measure] else 1.0
        specific = np.sqrt(1.0 - loading * loading) * talents[_SPECIFIC + k]
        score = loading * talents[_GENERAL] + specific + shift
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
            rate[of] = np.interp(share[of], population.rate_probability[measure, code], quantiles)
        if population.measure_kind[measure] != RISK_STANDARDIZED:
            rate = rng.binomial(cases, rate) / np.maximum(cases, 1)
        submission = habit[_SUBMISSION + k]
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
    # Services follow the change of payments.
    cut, gain = np.minimum(factor, 0.0), np.maximum(factor, 0.0)
    share = paying.volume_offset_cut * cut + paying.volume_offset_raise * gain
    before = later
    later = before * (1.0 - share / (1.0 + factor))
    offset = (later - before).sum()
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
        "volume_offset": offset,
        "episode_savings": savings,
        "medicare_savings": savings * now.price_level * now.stated_price_ratio
        - (net + offset) * paying.stated_price_ratio,
        "adjustment_factor_quantile": np.quantile(factor[scored], QUANTILES),
        "final_score_quantile": np.quantile(final[scored], QUANTILES),
    }
