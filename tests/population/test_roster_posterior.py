"""What is learned from a roster's past.

The oracles simulate the model of the documentation with NumPy and weight each path by the probability of what
is known (importance sampling); they share the population's constants with the package, no code.
"""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from asmrisk.population.latents import HABITS, IMPROVEMENT, INTEROPERABILITY, NONREPORTING, SUBMISSION
from asmrisk.population.records import population_records
from asmrisk.population.roster_posterior import (
    case_levels,
    episode_level,
    latent_states,
    log_expected_episodes,
    part_b_scores,
)
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.roster import roster_prior
from tests.population.rosters import SCORES, dollars_at, expected_episodes, roster, rows

HF, LBP = 0, 1


KNOTS = np.array([0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99])


@pytest.fixture(scope="module")
def population():
    return population_records(scenario_from_dict({}).values)


def assert_moments(weights, values, mean, sd, slack=0.0):
    """Weighted moments of simulated values lie within five standard errors of those given (and `slack`)."""
    weights = weights / weights.sum()
    assert 1.0 / (weights**2).sum() > 1000, "too few effective paths for a verdict"
    center = weights @ values
    error = math.sqrt(weights**2 @ (values - center) ** 2)
    assert abs(mean - center) < 5 * error + slack, (mean, center, error)
    square = (values - center) ** 2
    spread = weights @ square
    error = math.sqrt(weights**2 @ (square - spread) ** 2) / (2 * math.sqrt(spread))
    assert abs(sd - math.sqrt(spread)) < 5 * error + slack, (sd, math.sqrt(spread), error)


def test_part_b_gives_the_score_at_which_the_specialty_has_it(tmp_path, population):
    scores = np.array([-6.4, -2.1, 0.0, 0.33, 3.0, 6.4])
    dollars = dollars_at(population[HF], 0, scores)
    extreme = [0.0, dollars_at(population[HF], 0, -6.5) / 7, dollars_at(population[HF], 0, 6.5) * 3]
    known = roster(tmp_path, rows(*({"part_b_payments": each} for each in (*dollars, *extreme)))).cohorts[HF]
    score, factor = part_b_scores(population[HF], known.specialty, known.years, known.past.part_b_payments)
    # The simulation reads the table up to its last point but one.
    over = 3 * np.exp(np.diff(population[HF].part_b_log_shape[0])[-1])
    np.testing.assert_allclose(score[0], [*scores, -6.5, -6.5, 6.4375], atol=1e-9)
    np.testing.assert_allclose(factor[0], [1, 1, 1, 1, 1, 1, 0, 1 / 7, over], rtol=1e-9)


def test_the_level_is_that_of_paths_weighted_by_what_is_known(tmp_path, population):
    record = population[HF]
    score = {2023: 0.4, 2025: 1.1}
    frame = rows(
        *(
            {"clinician_id": "a", "performance_year": year, "episodes": episodes}
            | {"part_b_payments": dollars_at(record, 0, score[year], year)}
            for year, episodes in ((2023, 55), (2025, 70))
        )
    )
    known = roster(tmp_path, frame).cohorts[HF]
    found = episode_level(
        record, known, part_b_scores(record, known.specialty, known.years, known.past.part_b_payments)[0]
    )

    rng = np.random.default_rng(1)
    n = 400_000
    level = rng.normal(size=n)
    share, kept = record.part_b_episode_correlation, record.part_b_persistence[0] ** 2
    moving = (np.array([score[2023], score[2025]])[:, None] - share * level) / math.sqrt(1 - share**2)
    weight = stats.norm.pdf(moving[0]) * stats.norm.pdf(moving[1], kept * moving[0], math.sqrt(1 - kept**2))
    shock = record.episodes_shock_log_sd
    for episodes in (55, 70):
        yearly = expected_episodes(record, level) * rng.lognormal(-(shock**2) / 2, shock, n)
        weight = weight * stats.poisson.pmf(episodes, yearly)
    assert_moments(weight, level, found.mean[0], found.sd[0])
    np.testing.assert_allclose(
        np.exp(log_expected_episodes(record, np.array([-3.0, 0.5, 4.0]))),
        expected_episodes(record, np.array([-3.0, 0.5, 4.0])),
        rtol=1e-9,
    )


def test_cases_are_those_of_levels_weighted_by_what_is_known(tmp_path, population):
    record = population[HF]
    frame = rows({"clinician_id": "a", "performance_year": 2024, "q236_cases": 150, "q008_cases": 22})
    frame = pd.concat([frame, rows({"clinician_id": "a", "performance_year": 2025, "q236_cases": 190})])
    known = roster(tmp_path, frame).cohorts[HF]
    level = episode_level(
        record, known, part_b_scores(record, known.specialty, known.years, known.past.part_b_payments)[0]
    )
    found = case_levels(record, known, level)
    rng = np.random.default_rng(2)
    n = 400_000
    for place, counts in ((3, (150, 190)), (1, (22,))):
        expected = expected_episodes(record, rng.normal(level.mean[0], level.sd[0], n))
        spread = record.cases_log_sd
        cases = record.cases_factor[place] * expected * rng.lognormal(-(spread**2) / 2, spread, n)
        weight = np.prod([stats.poisson.pmf(each, cases) for each in counts], axis=0)
        # The level's part of the prior is taken as lognormal: right to a few hundredths of its spread.
        assert_moments(weight, np.log(cases), found.mean[place, 0], found.sd[place, 0], slack=0.03)
    assert np.isnan(found.mean[[0, 2, 4], 0]).all()


def paths(record, years, n, rng):
    """Latents (general, cost, specific) of n clinicians in each of the years, and in 2027 at the end."""
    state = rng.normal(size=(7, n))
    found = []
    for before, year in zip((years[0], *years), (*years, 2027), strict=True):
        kept = record.latent_persistence ** (year - before)
        state = kept * state + math.sqrt(1 - kept**2) * rng.normal(size=(7, n))
        found.append(state)
    return found


def quality(record, state, place):
    loading = record.quality_loading
    return loading * state[0] + math.sqrt(1 - loading**2) * state[2 + place]


def true_rate(record, state, place, kind):
    sign = -1 if record.rate_inverse[place] else 1
    return np.interp(
        stats.norm.cdf(sign * quality(record, state, place)), KNOTS, record.rate_quantile[place, kind]
    )


def cost_weight(record, state, cost, episodes):
    correlation = record.cost_quality_correlation
    score = math.sqrt(1 - correlation**2) * state[1] - correlation * state[0]
    true = record.cost_spread * np.interp(score, SCORES, record.cost_log_shape)
    noise = math.sqrt(record.cost_noise_variance / episodes)
    return stats.norm.pdf(math.log(cost / record.cost_scale_usd), true, noise)


def shrunk_weight(record, state, rate, cases):
    """Density of a risk-standardized rate's score; the rate lies between the published percentiles."""
    reliability, mean = record.shrinkage_reliability, record.shrinkage_mean_cases
    weight = cases / (cases + mean * (1 - reliability) / reliability)
    observed = stats.norm.ppf(np.interp(rate, record.rate_quantile[0, 2], KNOTS))
    return stats.norm.pdf(observed, -math.sqrt(weight) * quality(record, state, 0), math.sqrt(1 - weight))


def learned(record, known):
    level = episode_level(
        record, known, part_b_scores(record, known.specialty, known.years, known.past.part_b_payments)[0]
    )
    return latent_states(record, known, level)


ONE_THING = [
    {"q008_rate": 0.84, "q008_cases": 25, "q008_collection_type": "ecqm"},
    {"q236_rate": 1.0, "q236_cases": 12, "q236_collection_type": "mips_cqm"},
    {"q377_rate": 0.0, "q377_cases": 9, "q377_collection_type": "ecqm"},
    {"q492_rate": 64.0, "q492_cases": 30},
    {"cost_per_episode": 19500.0, "episodes": 28},
]


@pytest.mark.parametrize("told", ONE_THING, ids=lambda each: next(iter(each)))
def test_one_known_number_is_shrunk_as_the_model_implies(tmp_path, population, told):
    record = population[HF]
    found = learned(record, roster(tmp_path, rows(told)).cohorts[HF])
    rng = np.random.default_rng(11)
    then, now = paths(record, (2025,), 600_000, rng)
    if "cost_per_episode" in told:
        weight = cost_weight(record, then, told["cost_per_episode"], told["episodes"])
    elif "q492_rate" in told:
        weight = shrunk_weight(record, then, told["q492_rate"], told["q492_cases"])
    else:
        name = next(iter(told))[:4]
        place = ("q492", "q008", "q005", "q236", "q377").index(name)
        kind = ("ecqm", "mips_cqm").index(told[f"{name}_collection_type"])
        cases = told[f"{name}_cases"]
        met = round(told[f"{name}_rate"] * cases)
        weight = stats.binom.pmf(met, cases, true_rate(record, then, place, kind))
    sd = np.sqrt(np.diagonal(found.covariance[0]))
    for state in range(7):
        assert_moments(weight, now[state], found.mean[0, state], sd[state])
    weight = weight / weight.sum()
    apart = now - (now @ weight)[:, None]
    # Covariances within five standard errors, of which none exceeds 1/sqrt(effective paths) by much.
    error = 5 * 1.5 / math.sqrt(1 / (weight**2).sum())
    np.testing.assert_allclose(found.covariance[0], (apart * weight) @ apart.T, atol=error)


def test_many_known_numbers_over_years_are_combined(tmp_path, population):
    record = population[HF]
    table = rows(
        {
            "performance_year": 2024,
            "q008_rate": 0.70,
            "q008_cases": 20,
            "q005_rate": 0.80,
            "q005_cases": 20,
            "q008_collection_type": "mips_cqm",
            "q005_collection_type": "mips_cqm",
            "cost_per_episode": 13000.0,
            "episodes": 30,
        },
        {
            "performance_year": 2026,
            "q008_rate": 0.75,
            "q008_cases": 16,
            "q236_rate": 0.6,
            "q236_cases": 30,
            "q008_collection_type": "mips_cqm",
            "q236_collection_type": "mips_cqm",
            "q492_rate": 66.0,
            "q492_cases": 25,
            "cost_per_episode": 12000.0,
            "episodes": 25,
        },
        clinician_id="a",
    )
    found = learned(record, roster(tmp_path, table).cohorts[HF])
    rng = np.random.default_rng(12)
    then, later, now = paths(record, (2024, 2026), 4_000_000, rng)
    weight = (
        stats.binom.pmf(14, 20, true_rate(record, then, 1, 1))
        * stats.binom.pmf(16, 20, true_rate(record, then, 2, 1))
        * cost_weight(record, then, 13000.0, 30)
        * stats.binom.pmf(12, 16, true_rate(record, later, 1, 1))
        * stats.binom.pmf(18, 30, true_rate(record, later, 3, 1))
        * shrunk_weight(record, later, 66.0, 25)
        * cost_weight(record, later, 12000.0, 25)
    )
    sd = np.sqrt(np.diagonal(found.covariance[0]))
    for state in range(7):
        # Each number in turn is matched by a normal distribution: right to a few hundredths.
        assert_moments(weight, now[state], found.mean[0, state], sd[state], slack=0.03)


def test_a_rate_of_unknown_collection_type_is_of_either(tmp_path, population):
    record = population[HF]
    found = learned(record, roster(tmp_path, rows({"q008_rate": 0.8, "q008_cases": 25})).cohorts[HF])
    then, now = paths(record, (2025,), 600_000, np.random.default_rng(13))
    share = record.ecqm_share[2]
    weight = share * stats.binom.pmf(20, 25, true_rate(record, then, 1, 0))
    weight = weight + (1 - share) * stats.binom.pmf(20, 25, true_rate(record, then, 1, 1))
    assert_moments(weight, now[3], found.mean[0, 3], math.sqrt(found.covariance[0, 3, 3]))


def test_more_cases_leave_less_uncertain(tmp_path, population):
    record = population[HF]
    sizes = (5, 20, 80, 320, 1280, 10**6)
    common = {"q008_collection_type": "ecqm", "cost_per_episode": 15000.0}
    table = rows(*({"q008_rate": 0.8, "q008_cases": n, "episodes": n} | common for n in sizes))
    known = roster(tmp_path, table).cohorts[HF]
    found = learned(record, known)
    for state in (1, 3):
        sd = np.sqrt(found.covariance[:, state, state])
        assert (np.diff(sd) < 0).all()
        # What is known of 2025 alone leaves what changes until 2027.
        assert sd[-1] > math.sqrt(1 - record.latent_persistence**4) * 0.99
    level = episode_level(
        record, known, part_b_scores(record, known.specialty, known.years, known.past.part_b_payments)[0]
    )
    assert (np.diff(level.sd[:5]) < 0).all()
    assert np.isfinite(found.mean).all()


def test_a_clinician_of_whom_nothing_is_known_keeps_the_prior(tmp_path, population):
    found = learned(population[HF], roster(tmp_path, rows({})).cohorts[HF])
    np.testing.assert_array_equal(found.mean, 0.0)
    np.testing.assert_allclose(found.covariance[0], np.eye(7), atol=1e-15)


def habits(tmp_path, population, *told, **common):
    known = roster_prior(roster(tmp_path, rows(*told, **common)), population)
    assert known.habit_low.shape[1] == HABITS
    return known.habit_low[HF], known.habit_high[HF], known.habit_years_since[HF]


def test_unknown_habits_are_left_open(tmp_path, population):
    low, high, _ = habits(tmp_path, population, {})
    np.testing.assert_array_equal(low, 0.0)
    np.testing.assert_array_equal(high, 1.0)


def test_improvement_activities_and_interoperability_are_placed(tmp_path, population):
    told = [
        {"improvement_activities": 0, "promoting_interoperability": 0},
        {"improvement_activities": 1, "promoting_interoperability": 80},
        {"improvement_activities": 2, "promoting_interoperability": 100},
        {"promoting_interoperability": 10},
    ]
    low, high, since = habits(tmp_path, population, *told, performance_year=2026)
    none, one, zero, full = 0.065, 0.15, 0.02, 0.80  # of large practices
    np.testing.assert_allclose(low[IMPROVEMENT], [0, none, none + one, 0], atol=1e-8)
    np.testing.assert_allclose(high[IMPROVEMENT], [none, none + one, 1, 1], atol=1e-8)
    # Uniform from 60 to 100 between the shares at the ends: 80 is half-way; less than 60 is at the lower end.
    half = zero + (1 - zero - full) / 2
    np.testing.assert_allclose(low[INTEROPERABILITY], [0, half, 1 - full, zero], atol=1e-8)
    np.testing.assert_allclose(high[INTEROPERABILITY], [zero, half, 1, zero], atol=1e-8)
    np.testing.assert_array_equal(since[IMPROVEMENT], [1, 1, 1, 0])


def test_submissions_are_placed(tmp_path, population):
    names = ("q008", "q005", "q236", "q377")
    everything = {f"{each}_cases": 30 for each in names} | {f"{each}_rate": 0.5 for each in names}
    nothing = everything | {f"{each}_collection_type": None for each in names}
    how = {f"{each}_collection_type": "ecqm" for each in names}
    told = [
        nothing,
        everything | how | {"q005_collection_type": None, "q008_completeness": 1, "q236_completeness": 0.8},
        {"q008_cases": 30, "q008_rate": 0.4, "q008_collection_type": None},
        {"q008_collection_type": "mips_cqm"},
    ]
    low, high, _ = habits(tmp_path, population, *told)
    silent = population[HF].nothing_reported_z[3]
    silent, missed = stats.norm.cdf(silent), 0.03
    enough = missed + 0.97 * 0.15
    np.testing.assert_allclose(high[NONREPORTING], [silent, 1, 1, 1], atol=1e-8)
    np.testing.assert_allclose(low[NONREPORTING], [0, silent, 0, silent], atol=1e-8)
    place = SUBMISSION + 1
    np.testing.assert_allclose(low[place], [0, enough, 0, missed], atol=1e-8)
    np.testing.assert_allclose(high[place], [1, 1, missed, 1], atol=1e-8)
    # Incomplete data are uniform from 0.6 to 1: 0.8 is half-way.
    half = missed + (enough - missed) / 2
    np.testing.assert_allclose([low[SUBMISSION + 3, 1], high[SUBMISSION + 3, 1]], half, atol=1e-8)
    np.testing.assert_allclose([low[SUBMISSION + 2, 1], high[SUBMISSION + 2, 1]], [0, missed], atol=1e-8)


def test_how_a_clinician_reports_is_known_from_the_latest_year(tmp_path, population):
    table = rows(
        {"clinician_id": "a", "performance_year": 2023, "q008_collection_type": "ecqm"},
        {"clinician_id": "a", "performance_year": 2024, "q236_collection_type": "mips_cqm"},
        {"clinician_id": "a", "performance_year": 2026},
        {"clinician_id": "b", "performance_year": 2026, "q377_collection_type": "ecqm"},
    )
    known = roster_prior(roster(tmp_path, table), population)
    # Everybody reports Q377 as eCQM: it tells nothing of the choice.
    np.testing.assert_array_equal(known.collection_type[HF], [1, -1])
