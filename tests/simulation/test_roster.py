"""A user's own clinicians: the table, what is learned from it, and what the simulation makes of it.

The oracles simulate the model of the documentation with NumPy and weight each path by the probability of what
is known (importance sampling), or integrate with SciPy; they share the population's constants with the
package, no code.
"""

import io
import json
import math
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from asmrisk.analysis.clinician_risk import clinicians, statistics_at
from asmrisk.analysis.statistics import columns_of
from asmrisk.analysis.tail import tail_value_at_risk
from asmrisk.errors import InputError
from asmrisk.population.quadrature import poisson_lognormal_log_likelihood, posterior_moments
from asmrisk.population.records import population_records
from asmrisk.population.roster import read_roster
from asmrisk.population.roster_posterior import (
    case_levels,
    episode_level,
    latent_states,
    log_expected_episodes,
    part_b_scores,
)
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation.roster import known_clinicians, slots_with_roster
from asmrisk.simulation.roster_prior import HABITS, IMPROVEMENT, INTEROPERABILITY, SILENCE, SUBMISSION

HF, LBP = 0, 1
STATISTICS = columns_of(statistics_at(0.05))
SCORES = np.linspace(-6.5, 6.5, 209)
KNOTS = np.array([0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99])


@pytest.fixture(scope="module")
def population():
    return population_records(scenario_from_dict({}).values)


def rows(*told, **common):
    """A table of cardiologists in a practice of 30; the identity is the number of the row if not given."""
    base = {
        "cohort": "heart_failure",
        "specialty": "cardiology",
        "practice_size": 30,
        "part_b_payments": 2e5,
    }
    return pd.DataFrame([{"clinician_id": f"c{i}"} | base | common | each for i, each in enumerate(told)])


def roster(folder, frame, name="roster.csv"):
    path = folder / name
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return read_roster(path, notes=str)


def problems(folder, frame):
    with pytest.raises(InputError) as caught:
        roster(folder, frame)
    return caught.value.problems


# --- the table ----------------------------------------------------------------------------------------------


def test_only_who_it_is_and_part_b_are_needed(tmp_path):
    read = roster(tmp_path, rows({}, {"cohort": "low_back_pain", "specialty": "neurosurgery"}))
    assert [each.count for each in read.cohorts] == [1, 1]
    assert read.cohorts[HF].years.tolist() == [2025]
    assert list(read.ids) == ["c0", "c1"]
    assert list(read.specialty_names) == ["cardiology", "neurosurgery"]
    for name in ("clinician_id", "cohort", "specialty", "practice_size", "part_b_payments"):
        (found,) = problems(tmp_path, rows({}).drop(columns=name))
        assert f"column '{name}' is missing" in found


def test_rows_are_spread_over_years(tmp_path):
    frame = rows(
        {"clinician_id": "a", "performance_year": 2024, "episodes": 30, "part_b_payments": 1e5},
        {"clinician_id": "b", "performance_year": ""},
        {"clinician_id": "a", "performance_year": 2026, "part_b_payments": 3e5},
    )
    known = roster(tmp_path, frame).cohorts[HF]
    assert known.years.tolist() == [2024, 2025, 2026]
    assert list(known.ids) == ["a", "b"]
    nan = np.nan
    np.testing.assert_array_equal(known.part_b, [[1e5, nan], [nan, 2e5], [3e5, nan]])
    np.testing.assert_array_equal(known.episodes, [[30, nan], [nan, nan], [nan, nan]])


def test_all_that_is_wrong_is_listed_with_its_line(tmp_path):
    frame = rows(
        {"clinician_id": "a", "performance_year": 2025},
        {"clinician_id": "a", "performance_year": 2025},
        {"clinician_id": "b", "performance_year": 2019},
        {"clinician_id": "c", "performance_year": 2024},
        {"clinician_id": "c", "performance_year": 2025, "practice_size": 4},
        {"clinician_id": "d", "performance_year": 2028, "q008_rate": 0.5},
        {"clinician_id": "e", "part_b_payments": -1},
        {"clinician_id": "f", "specialty": "neurosurgery"},
        {"clinician_id": "g", "specialty": ""},
    )
    found = problems(tmp_path, frame)
    assert len(found) == 8
    expected = [
        (3, "clinician 'a' in 2025 is on line 2 already"),
        (4, "performance_year is '2019.0'"),
        (6, "practice_size is 4, but on line 5 clinician 'c' has 30"),
        (7, "performance_year is '2028.0'"),
        (7, "q008_cases is empty"),
        (8, "part_b_payments is '-1"),
        (9, "specialty neurosurgery is not of the cohort"),
        (10, "specialty is empty"),
    ]
    for line, words in expected:
        assert any(f"line {line}: " in each and words in each for each in found), (line, words, found)


@pytest.mark.parametrize(
    "text", ["", "\n", "clinician_id\n", "x", "a,b\n1\n", "\0", "clinician_id,cohort\n,\n"]
)
def test_what_is_no_roster_is_refused_with_a_message(tmp_path, text):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_roster(tmp_path / "r.csv")
    assert all("r.csv" in each for each in caught.value.problems)
    with pytest.raises(InputError, match="cannot be read"):
        read_roster(tmp_path / "none.csv")


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(0, 11),
            st.one_of(st.text(max_size=4), st.sampled_from(["", "-1", "1e400", "nan", "0", "2.5", "ecqm"])),
        ),
        max_size=4,
    ),
    gone=st.lists(st.integers(0, 11), max_size=2),
)
def test_any_table_is_a_roster_or_refused_with_a_message(tmp_path_factory, population, cells, gone):
    table = rows(
        *(
            {"performance_year": 2023 + i, "episodes": 20 * i, "cost_per_episode": 1e4, "q008_rate": 0.5}
            | {"q008_cases": 9, "q008_collection_type": "ecqm", "promoting_interoperability": 70}
            for i in range(5)
        ),
        clinician_id="a",
    ).astype(object)
    for row, column, text in cells:
        table.iloc[row % len(table), column % table.shape[1]] = text
    table = table.drop(columns=[table.columns[each] for each in set(gone)])
    said = ()
    try:
        known = known_clinicians(roster(tmp_path_factory.mktemp("fuzz"), table), population)
    except InputError as error:
        said = error.problems
    assert all("roster.csv" in each for each in said)
    if said:
        return
    for name in ("level_mean", "level_sd", "part_b_score", "part_b_factor", "state_mean", "state_root"):
        assert np.isfinite(getattr(known, name)).all()


def test_the_digest_is_of_the_content(tmp_path):
    frame = rows({"episodes": 30}, {"episodes": None})
    one = roster(tmp_path, frame, "a.csv")
    assert roster(tmp_path, frame, "b.parquet").digest == one.digest
    assert roster(tmp_path, frame[["cohort", *frame.columns.drop("cohort")]], "c.csv").digest == one.digest
    assert roster(tmp_path, frame.assign(practice_size=31), "d.csv").digest != one.digest


def test_fifty_thousand_rows_load_in_seconds(tmp_path):
    rng = np.random.default_rng(3)
    n = 50_000
    cases = rng.integers(0, 100, n)
    frame = pd.DataFrame(
        {
            "clinician_id": [f"x{i}" for i in range(n)],
            "performance_year": rng.integers(2023, 2027, n),
            "cohort": "heart_failure",
            "specialty": "cardiology",
            "practice_size": rng.integers(1, 100, n),
            "part_b_payments": rng.lognormal(12, 1, n),
            "episodes": rng.integers(0, 90, n),
            "q008_cases": cases,
            "q008_rate": np.where(cases > 0, rng.beta(8, 2, n), np.nan),
            "q008_collection_type": rng.choice(["ecqm", "mips_cqm"], n),
            "q008_completeness": 1.0,
        }
    )
    frame.to_csv(tmp_path / "many.csv", index=False)
    begin = time.process_time()
    read = read_roster(tmp_path / "many.csv")
    assert time.process_time() - begin < 10.0  # 2 s on an idle processor; rows one by one would take minutes
    assert read.count == n
    begin = time.process_time()
    assert read_roster(tmp_path / "many.csv") is read
    assert time.process_time() - begin < 1.0


# --- quadrature against closed forms ------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [10.0, 1.0, 0.1, 1e-3, 1e-5])
def test_a_normal_likelihood_gives_the_closed_form(noise):
    observed, mean, sd = np.array([0.7, -2.0, 3.0]), np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.6, 2.0])

    def log_likelihood(x, rows):
        return -((x - observed[rows, None]) ** 2) / (2 * noise**2)

    found = posterior_moments(log_likelihood, mean, sd)
    precision = 1 / sd**2 + 1 / noise**2
    np.testing.assert_allclose(found[0], (mean / sd**2 + observed / noise**2) / precision, rtol=1e-6)
    np.testing.assert_allclose(found[1], precision**-0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("count", "shock"), [(0, 0.2), (3, 0.2), (37, 0.2), (91, 0.5), (600, 0.2), (40, 1.0)]
)
def test_the_poisson_lognormal_probability_is_the_integral(count, shock):
    logs = np.log(np.array([[5.0, 20.0, 37.0, 90.0, 500.0]]))
    found = poisson_lognormal_log_likelihood(np.array([[float(count)]]), logs, shock)

    def probability(log_mean):
        def density(e):
            return stats.norm.pdf(e) * stats.poisson.pmf(count, np.exp(log_mean + shock * e - shock**2 / 2))

        peak = min(max((math.log(count + 0.5) - log_mean) / shock, -8.0), 8.0)
        return integrate.quad(density, -12, 12, points=[peak], limit=400, epsabs=0)[0]

    likely = np.array([probability(each) for each in logs[0]])
    kept = likely > 1e-12
    np.testing.assert_allclose(np.exp(found[0][kept]), likely[kept], rtol=2e-3)


# --- what is learned ----------------------------------------------------------------------------------------


def expected_episodes(record, score):
    floor = record.episodes_floor_probability
    return np.exp(
        record.episodes_log_mean
        + record.episodes_log_sd * stats.norm.ppf(floor + (1 - floor) * stats.norm.cdf(score))
    )


def dollars_at(record, specialty, score):
    return record.part_b_level[specialty] * np.exp(
        np.interp(score, SCORES, record.part_b_log_shape[specialty])
    )


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
    score, factor = part_b_scores(population[HF], known.specialty, known.part_b)
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
            | {"part_b_payments": dollars_at(record, 0, score[year])}
            for year, episodes in ((2023, 55), (2025, 70))
        )
    )
    known = roster(tmp_path, frame).cohorts[HF]
    found = episode_level(record, known, part_b_scores(record, known.specialty, known.part_b)[0])

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
    level = episode_level(record, known, part_b_scores(record, known.specialty, known.part_b)[0])
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
    level = episode_level(record, known, part_b_scores(record, known.specialty, known.part_b)[0])
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
    level = episode_level(record, known, part_b_scores(record, known.specialty, known.part_b)[0])
    assert (np.diff(level.sd[:5]) < 0).all()
    assert np.isfinite(found.mean).all()


def test_a_clinician_of_whom_nothing_is_known_keeps_the_prior(tmp_path, population):
    found = learned(population[HF], roster(tmp_path, rows({})).cohorts[HF])
    np.testing.assert_array_equal(found.mean, 0.0)
    np.testing.assert_allclose(found.covariance[0], np.eye(7), atol=1e-15)


# --- habits -------------------------------------------------------------------------------------------------


def habits(tmp_path, population, *told, **common):
    known = known_clinicians(roster(tmp_path, rows(*told, **common)), population)
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
    np.testing.assert_allclose(high[SILENCE], [silent, 1, 1, 1], atol=1e-8)
    np.testing.assert_allclose(low[SILENCE], [0, silent, 0, silent], atol=1e-8)
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
    known = known_clinicians(roster(tmp_path, table), population)
    # Everybody reports Q377 as eCQM: it tells nothing of the choice.
    np.testing.assert_array_equal(known.collection_type[HF], [1, -1])


# --- the cohort ---------------------------------------------------------------------------------------------


def test_peers_fill_what_the_roster_leaves_of_the_cohort(tmp_path, population):
    values = scenario_from_dict({}).values
    table = rows({"episodes": 19}, {"episodes": 60}, {}, {"practice_size": 1})
    table = pd.concat(
        [table, rows({"clinician_id": "z", "cohort": "low_back_pain", "specialty": "neurosurgery"})]
    )
    known = known_clinicians(roster(tmp_path, table), population)
    heart, back = slots_with_roster(values, known)
    assert (heart.roster, back.roster) == (4, 1)
    # The expected number measured, by simulation: known episodes decide the first year.
    rng = np.random.default_rng(5)
    record = population[HF]
    score = rng.normal(known.level_mean[HF], known.level_sd[HF], (100_000, 4))
    shock = record.episodes_shock_log_sd
    yearly = expected_episodes(record, score) * rng.lognormal(-(shock**2) / 2, shock, score.shape)
    later = rng.poisson(yearly) >= 20
    share = later.mean(axis=0)
    first = np.array([0.0, 1.0, share[2], share[3]])
    expected = (first + 4 * share).sum() / 5
    assert abs(heart.roster_measured - expected) < 5 * math.sqrt(later.var(axis=0).sum() / 100_000) + 0.003
    chance = population[HF].slots / heart.target
    assert abs(heart.slots - 4 - (heart.target - expected) * chance) < 1.5
    assert "4 clinicians" in heart.note("heart_failure")


def test_a_larger_roster_replaces_the_cohort(tmp_path):
    values = scenario_from_dict({"population": {"clinicians": 50.0}}).values
    read = roster(tmp_path, rows(*({"episodes": 60} for _ in range(40))))
    heart, back = slots_with_roster(values, known_clinicians(read, population_records(values)))
    assert (heart.roster, heart.slots, heart.replaced) == (40, 40, True)
    assert "replace the synthetic cohort" in heart.note("heart_failure")
    assert back.roster == 0
    assert not back.replaced
    assert "all" in back.note("low_back_pain")


# --- estimates of what happens to them ----------------------------------------------------------------------


def group(draws=400, count=3, seed=4):
    rng = np.random.default_rng(seed)
    factor = rng.normal(-0.01, 0.05, (draws, 5, count))
    dollars = factor * rng.lognormal(12, 0.3, (draws, 5, count))
    gone = rng.random(factor.shape) < 0.3
    dims = ("draw", "performance_year", "clinician")
    return xr.Dataset(
        {
            "adjustment_factor": (dims, np.where(gone, np.nan, factor)),
            "adjustment_usd": (dims, np.where(gone, np.nan, dollars)),
        },
        coords={"performance_year": [2027, 2028, 2029, 2030, 2031], "clinician": list("abc")[:count]},
    )


def test_estimates_are_plain_statistics_of_the_draws():
    results = group()
    found = clinicians(results)
    assert tuple(found.statistic.values) == STATISTICS
    for name in ("adjustment_factor", "adjustment_usd"):
        for year in range(5):
            for one in range(3):
                x = results[name].values[:, year, one]
                there = x[~np.isnan(x)]
                got = dict(zip(STATISTICS, found[name].values[:, year, one], strict=True))
                n = len(there)
                assert got["draws"] == n
                assert got["measured_share"] == pytest.approx(n / 400)
                assert got["mean"] == pytest.approx(there.mean())
                assert got["mean_error"] == pytest.approx(there.std(ddof=1) / math.sqrt(n))
                assert got["sd"] == pytest.approx(there.std(ddof=1))
                lost = (there < 0).mean()
                assert got["penalty_probability"] == pytest.approx(lost)
                assert got["penalty_probability_error"] == pytest.approx(
                    math.sqrt(lost * (1 - lost) / (n - 1))
                )
                for level in (5, 25, 50, 75, 95):
                    at = np.quantile(there, level / 100)
                    assert got[f"p{level:02d}"] == pytest.approx(at)
                    assert got[f"p{level:02d}_low"] < at < got[f"p{level:02d}_high"]
                assert got["value_at_risk"] == pytest.approx(np.quantile(-there, 0.95))
                assert got["tail_value_at_risk"] > got["value_at_risk"]


def test_the_roster_is_summed_within_draws():
    results = group()
    found = clinicians(results)
    paid = np.nan_to_num(results["adjustment_usd"].values)
    mean = found.sel(statistic="mean")
    np.testing.assert_allclose(mean["roster_usd"], paid.sum(axis=2).mean(axis=0))
    sd = found.sel(statistic="sd")
    np.testing.assert_allclose(sd["roster_usd_total"], paid.sum(axis=(1, 2)).std(ddof=1))
    np.testing.assert_allclose(sd["adjustment_usd_total"], paid.sum(axis=1).std(axis=0, ddof=1))


def test_estimates_of_many_clinicians_are_made_in_parts():
    xr.testing.assert_allclose(clinicians(group(), numbers_held=2000), clinicians(group()), rtol=1e-12)


def test_tail_value_at_risk_and_its_error():
    # Exact for a whole tail, and in part for a broken one: the worst 5% of 30 draws are one and a half.
    value, _ = tail_value_at_risk(np.arange(1.0, 31.0), 0.95)
    assert value == pytest.approx((30 + 0.5 * 29) / 1.5)
    rng = np.random.default_rng(8)
    samples = rng.normal(size=(1000, 600))
    value, error = tail_value_at_risk(samples, 0.95)
    true = stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05
    assert abs(value.mean() - true) < 0.01 + 5 * value.std() / math.sqrt(600)
    # The standard error is right on average within the noise of 600 standard deviations.
    assert error.mean() == pytest.approx(value.std(), rel=0.1)
    with_gaps = samples[:, :3].copy()
    with_gaps[::7] = np.nan
    kept = with_gaps[~np.isnan(with_gaps[:, 0])]
    np.testing.assert_allclose(tail_value_at_risk(with_gaps)[0], tail_value_at_risk(kept)[0])


def test_estimates_of_nothing_are_refused():
    with pytest.raises(InputError, match="no draws"):
        clinicians(group().isel(draw=slice(0)))
    with pytest.raises(InputError, match="clinician"):
        clinicians(xr.Dataset({"participants": ("draw", [1])}))


# --- simulated ----------------------------------------------------------------------------------------------

SMALL = {"population": {"clinicians": 300.0}}


def small(path=None, **changes):
    document = {"population": dict(SMALL["population"])}
    if path is not None:
        document["population"]["roster"] = str(path)
    for name, value in changes.items():
        section, _, key = name.partition("__")
        document.setdefault(section, {})[key] = value
    return scenario_from_dict(document)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Clinicians of whom all is known in some year, and one of whom nothing is but what is required."""
    path = tmp_path_factory.mktemp("ours") / "ours.csv"
    heart = {
        "q008_rate": 0.8,
        "q008_cases": 40,
        "q008_completeness": 1,
        "q008_collection_type": "ecqm",
        "q492_rate": 66,
        "q492_cases": 30,
        "cost_per_episode": 15000,
        "improvement_activities": 2,
        "promoting_interoperability": 100,
        "hcc_risk_score": 2.5,
        "dual_share": 0.25,
    }
    table = rows(
        {"clinician_id": "known", "performance_year": 2027, "episodes": 45, "part_b_payments": 123456.78},
        {"clinician_id": "known", "performance_year": 2025, "episodes": 44} | heart,
        {"clinician_id": "few", "performance_year": 2025, "episodes": 12},
        {"clinician_id": "few", "performance_year": 2026, "episodes": 25},
        {"clinician_id": "bare"},
        {"clinician_id": "rich", "performance_year": 2027, "part_b_payments": 5e9},
        {"clinician_id": "none", "performance_year": 2027, "part_b_payments": 0},
        {"clinician_id": "back", "cohort": "low_back_pain", "specialty": "neurosurgery", "practice_size": 1},
    )
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def replayed(ours):
    from asmrisk.simulation.replay import replay_draw

    return [replay_draw(small(ours), draw) for draw in range(6)]


def test_what_is_known_is_what_is_simulated(replayed):
    for table in replayed:
        row = table[(table["clinician_id"] == "known") & (table["performance_year"] == 2027)].iloc[0]
        assert row["part_b_payments"] == pytest.approx(123456.78, rel=1e-8)
        assert (row["episodes"], row["practice_size"], row["hcc_risk_score"]) == (45, 30, 2.5)
        assert row["dual_share"] == 0.25
        reported = table[(table["clinician_id"] == "known") & table["q008_collection_type"].notna()]
        assert set(reported["q008_collection_type"]) <= {"ecqm"}
        few = table[table["clinician_id"] == "few"]["performance_year"]
        # 12 episodes in 2025 and 25 in 2026: not measured in 2027, and in 2028 unless it has left.
        assert 2027 not in set(few)
        rich = table[(table["clinician_id"] == "rich") & (table["performance_year"] == 2027)]
        np.testing.assert_allclose(rich["part_b_payments"], 5e9, rtol=1e-8)
        assert (table[table["clinician_id"] == "none"]["part_b_payments"] == 0.0).all()
        back = table[table["clinician_id"] == "back"]
        assert (set(back["specialty"]), set(back["practice_size"])) <= ({"neurosurgery"}, {1})
    assert any(2028 in set(t[t["clinician_id"] == "few"]["performance_year"]) for t in replayed)
    dollars = {
        t[t["clinician_id"] == "bare"]["part_b_payments"].iloc[0]
        for t in replayed
        if "bare" in set(t["clinician_id"])
    }
    assert len(dollars) > 1  # known in 2025, drawn from there on


def test_the_coins_of_the_peers_are_unchanged(ours, replayed):
    from asmrisk.simulation.replay import replay_draw

    own = {"known", "few", "bare", "rich", "none", "back"}
    observed = [name for name in replayed[0] if name.startswith("q") and name.endswith(("_rate", "_cases"))]
    observed += ["part_b_payments", "episodes", "hcc_risk_score", "dual_share", "improvement_activities"]
    alone = replay_draw(small(), 3).set_index(["clinician_id", "performance_year"])
    among = replayed[3][~replayed[3]["clinician_id"].isin(own)].set_index(
        ["clinician_id", "performance_year"]
    )
    # The slots of the roster are 0 to 4 and 0; who takes one after an exit has the coins of that generation.
    common = among.index.intersection(alone.index)
    assert len(common) > 0.98 * len(among)
    pd.testing.assert_frame_equal(among.loc[common, observed], alone.loc[common, observed])


def test_dropping_a_measure_changes_no_other_number_of_the_roster(ours, replayed):
    from asmrisk.simulation.replay import replay_draw

    names = ["q492", "q005", "q236", "q377"]
    kept = small(ours, policy__measures={"heart_failure": names})
    without = replay_draw(kept, 2)
    columns = [f"{name}_{part}" for name in names for part in ("rate", "cases")]
    columns += ["part_b_payments", "episodes"]
    key = ["clinician_id", "performance_year"]
    one = replayed[2][replayed[2]["clinician_id"] == "known"].set_index(key)
    other = without[without["clinician_id"] == "known"].set_index(key)
    assert len(one)
    pd.testing.assert_frame_equal(one[columns], other[columns])


def test_what_is_learned_depends_on_what_is_uncertain(ours):
    from asmrisk.simulation.model import Model, simulate_block

    low, high = {"distribution": "uniform", "low": 0.4, "high": 0.9}, {"distribution": "uniform"}
    name = "population.cost_reliability.heart_failure"
    document = {"uncertainty": {name: low, "policy.risk_level": high | {"low": 0.05, "high": 0.12}}}
    document["population"] = SMALL["population"] | {"roster": str(ours)}
    model = Model(scenario_from_dict(document))
    means = [model.inputs_of(draw).known.state_mean[HF, 1, 0] for draw in (0, 1, 0)]
    assert means[0] == means[2] != means[1]
    both, second = simulate_block(model, 0, 2), simulate_block(model, 1, 1)
    for path, values in both.items():
        np.testing.assert_array_equal(values[1], second[path][0])
    # What leaves the population as it is leaves what was learned: nothing is learned anew.
    document["uncertainty"].pop(name)
    model = Model(scenario_from_dict(document))
    assert model.inputs_of(0).known is model.inputs_of(1).known


def test_results_carry_the_roster(ours, tmp_path):
    from asmrisk import open_results, run
    from asmrisk.analysis.summary import summarize
    from asmrisk.results.rerun import stored_run
    from asmrisk.simulation.replay import replay

    said = io.StringIO()
    out = run(small(ours), draws=6, out=tmp_path / "r.zarr", workers=1, stream=said)
    said = said.getvalue()
    assert "the roster's 6 clinicians add about 480 bytes a draw, 2.9 kB in all" in said
    assert "heart failure: the roster's 5 clinicians" in said
    results = open_results(out, group="clinician").load()
    assert list(results["clinician"].values) == ["known", "few", "bare", "rich", "none", "back"]
    assert list(results.coords["specialty"].values) == ["cardiology"] * 5 + ["neurosurgery"]
    assert set(results.coords["cohort"].values) == {"heart_failure", "low_back_pain"}

    # Draw by draw the same as replayed; NaN where there is no row.
    replay(out, draw=4, out=tmp_path / "t.parquet", roster=ours)
    table = pd.read_parquet(tmp_path / "t.parquet").set_index(["clinician_id", "performance_year"])
    for name in results["clinician"].values:
        for year in results["performance_year"].values:
            cell = results.sel(draw=4, clinician=name, performance_year=year)
            if (name, year) in table.index:
                row = table.loc[(name, year)]
                assert cell["adjustment_factor"].item() == row["adjustment_factor"]
                assert cell["adjustment_usd"].item() == row["adjustment_usd"]
            else:
                assert math.isnan(cell["adjustment_usd"].item())
                assert math.isnan(cell["adjustment_factor"].item())

    # Nothing of the table but its size and digest stands in the record of where the results come from.
    record = json.loads(open_results(out).attrs["provenance"])
    assert record["roster"]["clinicians"] == {"heart_failure": 5, "low_back_pain": 1}
    assert record["scenario"]["definition"]["population"]["roster"] == "ours.csv"
    assert str(ours.parent) not in json.dumps(record)
    assert "123456.78" not in json.dumps(record)

    # The roster is needed again, and the same.
    with pytest.raises(InputError, match="--roster"):
        stored_run(out)
    other = tmp_path / "other.csv"
    other.write_text(ours.read_text().replace("123456.78", "123456.79"))
    with pytest.raises(InputError, match="its content differs"):
        stored_run(out, roster=other)
    namesake = tmp_path / "deep" / ours.name
    namesake.parent.mkdir()
    namesake.write_text(other.read_text())
    with pytest.raises(InputError, match="content of population"):
        run(small(namesake), draws=6, out=out, workers=1, quiet=True)
    with_all = open_results(out, group="clinician").load()
    text = summarize(out).to_text()
    (out / "zarr.json").unlink()  # as in a run that is not finished
    xr.testing.assert_equal(open_results(out, partial=True, group="clinician").load(), with_all)
    assert "The roster's 6 clinicians as a whole" in text
    assert max(map(len, text.splitlines()[:-1])) <= 80


def test_a_clinician_of_whom_nothing_is_known_fares_like_its_peers(tmp_path):
    """Cardiologists of large practices whose Part B payments are spread as the model spreads them.

    Against synthetic cardiologists of large practices in the same draws, in the first performance year: the
    observed quantities by two-sample tests with a family-wise error rate of 1 in 1,000.
    """
    from asmrisk.simulation.replay import replay_draw

    record = population_records(scenario_from_dict({}).values)[HF]
    n = 240
    payments = dollars_at(record, 0, stats.norm.ppf((np.arange(n) + 0.5) / n))
    path = tmp_path / "like.csv"
    rows(*({"part_b_payments": each} for each in payments), practice_size=400).to_csv(path, index=False)
    scenario = scenario_from_dict({"population": {"clinicians": 1500.0, "roster": str(path)}})
    mine, peers = [], []
    for draw in range(8):
        table = replay_draw(scenario, draw)
        table = table[(table["performance_year"] == 2027) & (table["cohort"] == "heart_failure")]
        own = table["clinician_id"].str.fullmatch(r"c\d+")
        mine.append(table[own])
        peers.append(table[~own & (table["practice_size"] > 15)])
    mine, peers = pd.concat(mine), pd.concat(peers)
    columns = ["part_b_payments", "payment_year_part_b", "episodes", "cost_per_episode", "hcc_risk_score"]
    columns += ["dual_share", "promoting_interoperability", "improvement_activities", "final_score"]
    columns += [f"{name}_{part}" for name in ("q492", "q008", "q236", "q377") for part in ("rate", "cases")]
    columns += ["q005_completeness", "adjustment_factor"]
    for name in columns:
        one, other = (each[name].dropna().to_numpy(dtype=float) for each in (mine, peers))
        found = stats.ks_2samp(one, other, method="asymp").pvalue
        assert found > 1e-3 / len(columns), (name, found, one.mean(), other.mean())
    for name, word in (("q008_collection_type", "ecqm"), ("q236_collection_type", None)):
        one, other = ((each[name] == word) if word else each[name].isna() for each in (mine, peers))
        share, error = other.mean(), math.sqrt(other.var() * (1 / len(one) + 1 / len(other)))
        assert abs(one.mean() - share) < 4 * error
    # And as many are measured: of the roster's, and of the slots.
    chance = 1500 * 0.393 / population_records(scenario.values)[HF].slots
    assert abs(len(mine) / (8 * n) - chance) < 4.5 * math.sqrt(chance * (1 - chance) / (8 * n)) + 0.002


def test_the_roster_that_ships_is_said_to_be_synthetic():
    scenario = load_scenario("scenarios/roster.toml")
    read = read_roster(scenario.roster)
    assert [each.count for each in read.cohorts] == [40, 8]
    assert all(each.startswith("synthetic-") for each in read.ids)
    assert "invented" in scenario.description
