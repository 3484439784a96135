"""What is learned from a roster's past.

The oracles simulate the model of the documentation with NumPy and weight each path by the probability of what
is known (importance sampling); they share the population's constants with the package, no code.
"""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from asmrisk.population import roster_posterior as posteriors
from asmrisk.population.records import population_records
from asmrisk.population.roster_evidence import find_score_evidence, part_b_scores
from asmrisk.population.roster_likelihood import log_episodes, terms_of
from asmrisk.population.roster_posterior import begin_scores, roster_posterior
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from tests.population.rosters import (
    COST,
    GENERAL,
    HCC,
    LEVEL,
    PART_B,
    SCORES,
    SCORES_OF_ONE,
    SPECIFIC,
    ar1,
    cost_score_of,
    dollars_at,
    expected_episodes,
    learned,
    persistences,
    quality_of,
    roster,
    rows,
    shares,
    shares_of,
    true_rate,
)

HF, LBP = 0, 1
SIZE = 30


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


def world(record, paid, members, n, rng):
    """Simulate the scores of some colleagues given their Part B in some years.

    `paid` has the normal scores of Part B by year, then by colleague. Gives scores, arrays (11, members, n),
    in each of the years and 2027, and the paths' weights.
    """
    years = [*sorted(paid), 2027]
    shared, own = shares(record)
    common_kept, own_kept = persistences(record, 0)
    common = ar1(common_kept, years, rng, (1, n))
    alone = ar1(own_kept, years, rng, (members, n))
    scores = [
        np.sqrt(shared)[:, None, None] * one + np.sqrt(own)[:, None, None] * other
        for one, other in zip(common, alone, strict=True)
    ]
    # Own parts of Part B follow from what was paid.
    weight, moving, before = np.ones(n), None, None
    for number, year in enumerate(years):
        common_part = math.sqrt(shared[PART_B]) * common[number][PART_B]
        fixed = common_part + record.part_b_episode_correlation * scores[0][LEVEL]
        kept = 0.0 if before is None else own_kept[PART_B] ** (year - before)
        center = 0.0 if before is None else kept * moving
        spread = math.sqrt(1 - kept**2)
        if year in paid:
            moving = (np.array(paid[year])[:, None] - fixed) / math.sqrt(own[PART_B])
            weight = weight * stats.norm.pdf(moving, center, spread).prod(axis=0)
        else:
            moving = center + spread * rng.normal(size=(members, n))
        scores[number][PART_B] = common_part + math.sqrt(own[PART_B]) * moving
        before = year
    return dict(zip(years, scores, strict=True)), weight


def count_weight(record, level, counts):
    """Probability of episode counts, between levels at which it is computed: right to one in ten thousand."""
    shock = record.episodes_shock_log_sd
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    grid = np.linspace(-8.0, 8.0, 32_001)
    yearly = expected_episodes(record, grid)[:, None] * np.exp(shock * nodes - shock**2 / 2)
    total = np.ones_like(grid)
    for count in counts:
        total *= stats.poisson.pmf(count, yearly) @ (weights / weights.sum())
    return np.interp(level, grid, total)


def cost_weight(record, scores, cost, episodes):
    true = record.cost_spread * np.interp(cost_score_of(record, scores), SCORES, record.cost_log_shape)
    noise = math.sqrt(record.cost_noise_variance / episodes)
    return stats.norm.pdf(math.log(cost / record.cost_scale_usd), true, noise)


def rate_weight(record, scores, measure, kind, met, cases):
    rate = true_rate(record, quality_of(record, scores, measure, SIZE), measure, kind)
    return stats.binom.pmf(met, cases, rate)


def shrunk_weight(record, scores, rate, cases):
    """Density of a risk-standardized rate's score; the rate lies between the published percentiles."""
    reliability, mean = record.shrinkage_reliability, record.shrinkage_mean_cases
    weight = cases / (cases + mean * (1 - reliability) / reliability)
    observed = stats.norm.ppf(np.interp(rate, record.rate_quantile[0, 2], record.rate_probability[0, 2]))
    quality = (quality_of(record, scores, 0, SIZE) - record.quality_center[0]) / record.quality_spread[0]
    return stats.norm.pdf(observed, -math.sqrt(weight) * quality, math.sqrt(1 - weight))


def one(population, read):
    """Mean and covariance of the scores of the only clinician."""
    mean, spread = learned(population[HF], roster_posterior(population, find_score_evidence(read))[HF])
    return mean[0], spread[0, :, 0]


def test_the_level_is_that_of_paths_weighted_by_what_is_known(tmp_path, population):
    record = population[HF]
    paid = {2023: [0.4], 2025: [1.1]}
    frame = rows(
        *(
            {"clinician_id": "a", "performance_year": year, "episodes": episodes}
            | {"part_b_payments": dollars_at(record, 0, paid[year][0], year)}
            for year, episodes in ((2023, 55), (2025, 70))
        )
    )
    found = roster_posterior(population, find_score_evidence(roster(tmp_path, frame)))[HF]
    scores, weight = world(record, paid, 1, 150_000, np.random.default_rng(1))
    weight = weight * count_weight(record, scores[2027][LEVEL, 0], (55, 70))
    assert_moments(weight, scores[2027][LEVEL, 0], found.level.mean[0], found.level.sd[0], slack=1e-3)
    mean, spread = one(population, roster(tmp_path, frame))
    assert_moments(weight, scores[2027][PART_B, 0], mean[PART_B], math.sqrt(spread[PART_B, PART_B]), 1e-3)


def test_what_is_learned_goes_on_from_where_it_began(tmp_path, population, monkeypatch):
    cost = {"clinician_id": "a", "episodes": 25, "cost_per_episode": 9_000.0}
    rates = [
        {"clinician_id": name, "q236_rate": 0.95, "q236_cases": 20, "q236_completeness": 1} for name in "bcd"
    ]
    known = find_score_evidence(roster(tmp_path, rows(cost, *rates, practice_id="ours")))
    starts = [
        begin_scores(each, known)
        for each in (population, population_records(load_scenario("low_cost_reliability").values))
    ]

    def means(start=None):
        return learned(population[HF], roster_posterior(population, known, start)[HF])

    begun = [means(start)[0] for start in starts]
    monkeypatch.setattr(posteriors, "SWEEPS", 40)
    limit, spread = means()
    sd = np.sqrt(np.einsum("iaia->ia", spread))
    assert all((np.abs(each - limit) < 0.004 * sd).all() for each in begun)
    # One round is not enough from nothing, and nearly is from there.
    monkeypatch.setattr(posteriors, "SWEEPS", 1)
    monkeypatch.setattr(posteriors, "SWEEPS_MORE", 1)
    off = [np.abs((means(start)[0] - limit) / sd).max() for start in (None, *starts)]
    assert off[0] > 5 * max(off[1:])


def test_expected_episodes_are_read_at_scores_of_the_level(population):
    scores, found = np.array([-3.0, 0.5, 4.0]), np.empty(3)
    getattr(log_episodes, "py_func", log_episodes)(terms_of(population), HF, scores, found, 3)
    np.testing.assert_allclose(np.exp(found), expected_episodes(population[HF], scores), rtol=1e-9)


def test_cases_are_those_of_levels_weighted_by_what_is_known(tmp_path, population):
    record = population[HF]
    frame = rows({"clinician_id": "a", "performance_year": 2024, "q236_cases": 150, "q008_cases": 22})
    frame = pd.concat([frame, rows({"clinician_id": "a", "performance_year": 2025, "q236_cases": 190})])
    read = roster(tmp_path, frame)
    posterior = roster_posterior(population, find_score_evidence(read))[HF]
    level, found = posterior.level, posterior.cases
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
    common = {"part_b_payments": dollars_at(record, 0, 0.7)}
    mean, spread = one(population, roster(tmp_path, rows(told | common)))
    scores, weight = world(record, {2025: [0.7]}, 1, 300_000, np.random.default_rng(11))
    then, now = scores[2025][:, 0], scores[2027][:, 0]
    if "cost_per_episode" in told:
        weight = weight * cost_weight(record, then, told["cost_per_episode"], told["episodes"])
        weight = weight * count_weight(record, then[LEVEL], (told["episodes"],))
    elif "q492_rate" in told:
        weight = weight * shrunk_weight(record, then, told["q492_rate"], told["q492_cases"])
    else:
        name = next(iter(told))[:4]
        place = ("q492", "q008", "q005", "q236", "q377").index(name)
        kind = ("ecqm", "mips_cqm").index(told[f"{name}_collection_type"])
        cases = told[f"{name}_cases"]
        weight = weight * rate_weight(record, then, place, kind, round(told[f"{name}_rate"] * cases), cases)
    for row in range(SCORES_OF_ONE):
        assert_moments(weight, now[row], mean[row], math.sqrt(spread[row, row]), slack=2e-3)
    weight = weight / weight.sum()
    apart = now - (now @ weight)[:, None]
    # Covariances within five standard errors, of which none exceeds 1/sqrt(effective paths) by much.
    error = 5 * 1.5 / math.sqrt(1 / (weight**2).sum())
    np.testing.assert_allclose(spread, (apart * weight) @ apart.T, atol=error)


@pytest.mark.parametrize("paths", [450_000, pytest.param(900_000, marks=pytest.mark.long)])
def test_many_known_numbers_over_years_are_combined(tmp_path, population, paths):
    record = population[HF]
    early = {"q008_rate": 0.70, "q008_cases": 20, "q008_collection_type": "mips_cqm"}
    late = {"q008_rate": 0.75, "q008_cases": 16, "q236_rate": 0.6, "q236_cases": 30}
    late |= {"q008_collection_type": "mips_cqm", "q236_collection_type": "mips_cqm"}
    late |= {"q492_rate": 66.0, "q492_cases": 25, "hcc_risk_score": 2.4}
    table = rows(
        early | {"performance_year": 2024, "cost_per_episode": 13000.0, "episodes": 30},
        late | {"performance_year": 2026, "cost_per_episode": 12000.0, "episodes": 25},
        clinician_id="a",
    )
    table["part_b_payments"] = [dollars_at(record, 0, 0.2, 2024), dollars_at(record, 0, 0.5, 2026)]
    mean, spread = one(population, roster(tmp_path, table))
    rng = np.random.default_rng(12)
    scores, weight = world(record, {2024: [0.2], 2026: [0.5]}, 1, paths, rng)
    hcc = (math.log(2.4) - record.hcc_log_mean) / record.hcc_log_sd
    for each in scores.values():
        each[HCC] = hcc
    then, later, now = (scores[year][:, 0] for year in (2024, 2026, 2027))
    weight = (
        weight
        * count_weight(record, now[LEVEL], (30, 25))
        * rate_weight(record, then, 1, 1, 14, 20)
        * cost_weight(record, then, 13000.0, 30)
        * rate_weight(record, later, 1, 1, 12, 16)
        * rate_weight(record, later, 3, 1, 18, 30)
        * shrunk_weight(record, later, 66.0, 25)
        * cost_weight(record, later, 12000.0, 25)
    )
    for row in (LEVEL, PART_B, GENERAL, COST, *range(SPECIFIC, SCORES_OF_ONE)):
        # Each number in turn is matched by a normal distribution: right to a hundredth or two.
        assert_moments(weight, now[row], mean[row], math.sqrt(spread[row, row]), slack=0.02)
    np.testing.assert_allclose([mean[HCC], spread[HCC, HCC]], [hcc, 0.0], atol=1e-5)


@pytest.mark.parametrize("paths", [600_000, pytest.param(2_000_000, marks=pytest.mark.long)])
def test_a_practice_of_three_is_that_of_paths_weighted_by_what_is_known(tmp_path, population, paths):
    """One colleague's figures tell of another of whom nothing is known but what is required."""
    record = population[HF]
    paid = {2025: [1.0, 0.6, -0.2]}
    told = [
        {"q008_rate": 0.5, "q008_cases": 12, "q008_collection_type": "ecqm"},
        {"q008_rate": 0.625, "q008_cases": 8, "q008_collection_type": "ecqm"}
        | {"cost_per_episode": 19000.0, "episodes": 40},
        {},
    ]
    frame = rows(*told, practice_id="ours")
    frame["part_b_payments"] = dollars_at(record, 0, np.array(paid[2025]))
    read = roster(tmp_path, frame)
    mean, spread = learned(record, roster_posterior(population, find_score_evidence(read))[HF])
    scores, weight = world(record, paid, 3, paths, np.random.default_rng(21))
    then, now = scores[2025], scores[2027]
    weight = weight * rate_weight(record, then[:, 0], 1, 0, 6, 12)
    weight = weight * rate_weight(record, then[:, 1], 1, 0, 5, 8)
    weight = weight * count_weight(record, then[LEVEL, 1], (40,))
    weight = weight * cost_weight(record, then[:, 1], 19000.0, 40)
    for member in range(3):
        for row in (LEVEL, PART_B, GENERAL, COST, SPECIFIC + 1):
            sd = math.sqrt(spread[member, row, member, row])
            assert_moments(weight, now[row, member], mean[member, row], sd, slack=5e-3)
    # The unknown colleague is expected to be worse than the average, and the practice's mean is as uncertain.
    assert mean[2, SPECIFIC + 1] < -0.2
    assert mean[2, COST] > 0.05
    for row in (GENERAL, COST, SPECIFIC + 1):
        sd = math.sqrt(spread[:, row, :, row].mean())
        assert_moments(weight, now[row].mean(axis=0), mean[:, row].mean(), sd, slack=5e-3)


def test_a_rate_of_unknown_collection_type_is_of_either(tmp_path, population):
    record = population[HF]
    frame = rows({"q008_rate": 0.8, "q008_cases": 25, "part_b_payments": dollars_at(record, 0, 0.0)})
    mean, spread = one(population, roster(tmp_path, frame))
    scores, weight = world(record, {2025: [0.0]}, 1, 300_000, np.random.default_rng(13))
    then, share = scores[2025][:, 0], record.ecqm_share[2]
    either = share * rate_weight(record, then, 1, 0, 20, 25)
    either = either + (1 - share) * rate_weight(record, then, 1, 1, 20, 25)
    row = SPECIFIC + 1
    assert_moments(weight * either, scores[2027][row, 0], mean[row], math.sqrt(spread[row, row]), slack=2e-3)


def test_more_cases_leave_less_uncertain(tmp_path, population):
    record = population[HF]
    sizes = (5, 20, 80, 320, 1280, 10**6)
    common = {"q008_collection_type": "ecqm", "cost_per_episode": 15000.0}
    table = rows(
        *(
            {"q008_rate": 0.8, "q008_cases": n, "episodes": n, "practice_id": f"practice {n}"} | common
            for n in sizes
        )
    )
    found = roster_posterior(population, find_score_evidence(roster(tmp_path, table)))[HF]
    for row in (COST, SPECIFIC + 1):
        sd = np.array([learned(record, found, each)[1][0, row, 0, row] for each in range(len(sizes))]) ** 0.5
        assert (np.diff(sd) < 0).all()
        # What is known of 2025 alone leaves what changes until 2027.
        assert sd[-1] > math.sqrt(1 - record.latent_persistence**4) * 0.99
    assert (np.diff(found.level.sd[:5]) < 0).all()
    assert np.isfinite(found.mean).all()


def test_a_clinician_of_whom_nothing_is_known_keeps_the_prior(tmp_path, population):
    mean, spread = one(population, roster(tmp_path, rows({})))
    rest = [row for row in range(SCORES_OF_ONE) if row not in (LEVEL, PART_B)]
    np.testing.assert_allclose(mean[rest], 0.0, atol=1e-12)
    np.testing.assert_allclose(spread[np.ix_(rest, rest)], np.eye(len(rest)), atol=1e-12)


def table_of(record, truth, practices, members, rng):
    """What is observed in 2024 and 2025 of clinicians whose scores are known, with areas of two practices."""
    lines = []
    for year in (2024, 2025):
        for practice in range(practices):
            for member in range(members):
                scores = truth[year][:, practice, member]
                shock = record.episodes_shock_log_sd
                yearly = expected_episodes(record, scores[LEVEL]) * rng.lognormal(-(shock**2) / 2, shock)
                episodes = max(rng.poisson(yearly), 1)
                true = record.cost_spread * np.interp(
                    cost_score_of(record, scores), SCORES, record.cost_log_shape
                )
                noise = rng.normal() * math.sqrt(record.cost_noise_variance / episodes)
                place, kind = (1, 0) if year == 2024 else (3, 1)
                name, way = ("q008", "ecqm") if year == 2024 else ("q236", "mips_cqm")
                cases = rng.integers(15, 60)
                rate = true_rate(record, quality_of(record, scores, place, SIZE), place, kind)
                share = record.part_b_episode_correlation * scores[LEVEL] + scores[PART_B]
                lines.append(
                    {
                        "clinician_id": f"{practice}-{member}",
                        "practice_id": f"practice {practice}",
                        "area": f"area of {practice // 2}",
                        "performance_year": year,
                        "part_b_payments": dollars_at(record, 0, share, year),
                        "episodes": episodes,
                        "cost_per_episode": record.cost_scale_usd * math.exp(true + noise),
                        f"{name}_rate": rng.binomial(cases, rate) / cases,
                        f"{name}_cases": cases,
                        f"{name}_collection_type": way,
                    }
                )
    return rows(*lines)


def test_intervals_of_practices_means_cover_the_truth(tmp_path, population):
    """200 practices of four, two in an area: of latent quality and of cost nine in ten intervals cover."""
    record, rng = population[HF], np.random.default_rng(31)
    practices, members, years = 200, 4, (2024, 2025, 2027)
    shared_kept, own_kept = persistences(record, 0)
    area_share, practice_share = (shares_of(each) for each in (record.area_share, record.practice_share))
    area = ar1(shared_kept, years, rng, (practices // 2, 1))
    practice = ar1(shared_kept, years, rng, (practices, 1))
    own = ar1(own_kept, years, rng, (practices, members))
    truth = {}
    for number, year in enumerate(years):
        truth[year] = sum(
            np.sqrt(share)[:, None, None] * part
            for share, part in (
                (area_share, area[number].repeat(2, axis=1)),
                (practice_share, practice[number]),
                (shares(record)[1], own[number]),
            )
        )
    read = roster(tmp_path, table_of(record, truth, practices, members, rng))
    found = roster_posterior(population, find_score_evidence(read))[HF]
    combinations = {"cost": np.zeros(SCORES_OF_ONE), "q008": np.zeros(SCORES_OF_ONE)}
    for unit in range(SCORES_OF_ONE):
        scores = np.eye(SCORES_OF_ONE)[unit]
        combinations["cost"][unit] = cost_score_of(record, scores) - record.cost_specialty_shift[0]
        combinations["q008"][unit] = quality_of(record, scores, 1, SIZE) - quality_of(
            record, 0 * scores, 1, SIZE
        )
    for name, direction in combinations.items():
        covered, apart = 0, []
        for place in range(practices):
            mean, spread = learned(record, found, place)
            sd = math.sqrt(np.einsum("a,iajb,b->", direction, spread, direction)) / members
            miss = (direction @ truth[2027][:, place]).mean() - (mean @ direction).mean()
            apart.append(miss / sd)
            covered += abs(miss) < 1.6449 * sd
        # Binomial at one in a thousand; practices of an area are hardly correlated.
        assert stats.binom.ppf(5e-4, practices, 0.9) <= covered <= stats.binom.ppf(1 - 5e-4, practices, 0.9)
        assert abs(np.mean(apart)) < 3.5 / math.sqrt(practices), name


def test_another_practice_in_another_area_changes_nothing(tmp_path, population):
    told = {"q008_rate": 0.6, "q008_cases": 30, "q008_collection_type": "ecqm", "cost_per_episode": 17000.0}
    ours = rows(told | {"episodes": 30}, {}, practice_id="ours", area="Here")
    other = rows({"clinician_id": "x"} | told | {"episodes": 44}, practice_id="theirs", area="There")
    neighbor = other.assign(area="Here")
    record = population[HF]
    alone, among, near = (
        learned(record, roster_posterior(population, find_score_evidence(roster(tmp_path, frame, name)))[HF])
        for name, frame in (
            ("a.csv", ours),
            ("b.csv", pd.concat([ours, other])),
            ("c.csv", pd.concat([ours, neighbor])),
        )
    )
    for one_of, same in zip(alone, among, strict=True):
        np.testing.assert_allclose(one_of, same, atol=1e-12)
    assert np.abs(near[0] - alone[0]).max() > 1e-3


def test_clinicians_of_other_practices_change_no_bit(tmp_path, population):
    """Numbers are worked on side by side: whatever stands beside them, and however many there are."""
    told = [
        {"q008_rate": 0.8, "q008_cases": 250, "q236_rate": 0.7, "q236_cases": 300, "episodes": 40},
        {"q008_rate": 0.1, "q008_cases": 900, "q008_collection_type": "ecqm", "cost_per_episode": 15000.0},
        {"q008_rate": 1.0, "q008_cases": 80, "q008_collection_type": "mips_cqm", "hcc_risk_score": 1.7},
        {"q492_rate": 66.0, "q492_cases": 30, "q236_rate": 0.9, "q236_cases": 40, "practice_size": 1},
        {"q492_rate": 20.0, "q492_cases": 30, "cost_per_episode": 9000.0, "episodes": 33},
    ]
    earlier, later = (rows(*told, practice_id="", performance_year=year) for year in (2024, 2025))
    later["episodes"] *= 2
    frame = pd.concat([earlier, later.iloc[:4]])
    frame["practice_id"] = frame["clinician_id"]

    def found(frame, name):
        read = roster(tmp_path, frame, f"{name}.csv")
        return roster_posterior(population, find_score_evidence(read))[HF]

    among = found(frame, "among")
    for i, name in enumerate(earlier["clinician_id"]):
        alone = found(frame[frame["clinician_id"] == name], name)
        for here, there in (
            (among.mean[i], alone.mean[0]),
            (among.root[i], alone.root[0]),
            (np.array(among.level)[:, i], np.array(alone.level)[:, 0]),
            (np.array(among.cases)[..., i], np.array(alone.cases)[..., 0]),
        ):
            np.testing.assert_array_equal(here, there, err_msg=name)
