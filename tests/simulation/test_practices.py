"""Practices and areas in replayed draws, against the text of the model.

Three worlds: with the default correlations, with higher ones, and with none. No clinician is selected by
episodes and nothing shifts a latent score, so normal scores are standard ones and the expectation of every
product of two clinicians' figures is known. Statistics are compared over draws, which are independent.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from asmrisk.rule.definitions import SPECIALTIES as SPECIALTY_NAMES
from tests.simulation import practice_oracle as oracle
from tests.simulation.practice_oracle import Pairs
from tests.simulation.published import (
    BACK,
    ECQM,
    HEART,
    INVERSE,
    MIPS_CQM,
    PERCENTS,
    SCORES,
    SPECIALTIES,
    cost_shape,
    deviations,
    part_b_score,
    published,
)
from tests.simulation.statistical import assert_mean, assert_share

#: Shares of variance of colleagues beyond the area, and of neighbors; exits; improvement of conduct.
DEFAULT_PRACTICE = {"quality": 0.3, "cost": 0.2, "part_b": 0.15, "patients": 0.2, "habits": 0.8}
DEFAULT_AREA = {"quality": 0.05, "cost": 0.10, "part_b": 0.05, "patients": 0.15}
RAISED_PRACTICE = {"quality": 0.5, "cost": 0.4, "part_b": 0.2, "patients": 0.4, "habits": 0.5}
RAISED_AREA = {"quality": 0.2, "cost": 0.25, "part_b": 0.2, "patients": 0.3}
EXITS = (0.04, 0.10, 0.01, 0.14, 0.08, 0.06, 0.12)
PERSISTENCE = 0.9
#: Same share for all specialties, so that any part in common can have it.
PART_B_PERSISTENCE = 0.93
MEASURES = [("q008", ECQM), ("q236", MIPS_CQM), ("q377", ECQM), ("q238", ECQM), ("q134", MIPS_CQM)]
#: Years in which pairs are looked at: those between tell little more.
PAIRED_YEARS = (0, 2, 4)


def settings(section, keys, values):
    pairs = ", ".join(f"{key} = {value}" for key, value in zip(keys, values, strict=True))
    return f"{section}={{{pairs}}}"


PLAIN = (
    "population.clinicians=2000",
    "population.minimum_episodes=0",
    "population.quality_size_gradient=0.0",
    "population.complex_patients_quality_effect=0.0",
    "population.complex_patients_cost_effect=0.0",
    "population.rate_spread=1.0",
    "behavior.cost_response=0.0",
)


class World(NamedTuple):
    """Replayed draws, what colleagues beyond their area and neighbors share, persistence of Part B."""

    rows: pd.DataFrame
    practice: dict
    area: dict
    part_b_persistence: tuple


def make_world(scenario, practice, area, persistence=tuple(each[2] for each in SPECIALTIES), draws=30):
    world = World(oracle.replayed(scenario, range(draws)), practice, area, persistence)
    world.rows["part_b_score"] = part_b_scores(world.rows)
    world.rows["cost_score"] = cost_scores(world)
    return world


def shares(practice, area):
    return (
        settings("population.practice_correlation", practice, practice.values()),
        settings("population.area_correlation", area, area.values()),
    )


@pytest.fixture(scope="module")
def default(load):
    return make_world(load(*PLAIN), DEFAULT_PRACTICE, DEFAULT_AREA)


@pytest.fixture(scope="module")
def raised(load):
    scenario = load(
        *PLAIN,
        *shares(RAISED_PRACTICE, RAISED_AREA),
        settings("behavior.exit_probability", SPECIALTY_NAMES, EXITS),
        settings("population.part_b_persistence", SPECIALTY_NAMES, [PART_B_PERSISTENCE] * 7),
        "behavior.conduct_improvement=1.0",
    )
    return make_world(scenario, RAISED_PRACTICE, RAISED_AREA, (PART_B_PERSISTENCE,) * 7, draws=20)


@pytest.fixture(scope="module")
def unrelated(load):
    nothing = dict.fromkeys(DEFAULT_PRACTICE, 0.0), dict.fromkeys(DEFAULT_AREA, 0.0)
    scenario = load(*PLAIN, *shares(*nothing), "behavior.conduct_improvement=0.4")
    return make_world(scenario, *nothing, draws=15)


@pytest.fixture(params=[pytest.param("default", marks=pytest.mark.long), "raised", "unrelated"])
def world(request):
    return request.getfixturevalue(request.param)


COLLEAGUES, NEIGHBORS = ("practice", "clinician"), ("area", "practice")


def year_pairs(rows, score, groups, lag=0):
    """Give pairs of single years, or of two years so far apart."""
    for year in PAIRED_YEARS:
        if year + lag > 4:
            break
        first, second = rows.year == year, rows.year == year + lag
        yield Pairs(rows[first], rows[second], score[first], score[second], *groups)


def assert_covariance(rows, score, groups, expected, lag=0):
    """Products of pairs have this expectation."""
    assert_mean(sum(pairs.excess(expected) for pairs in year_pairs(rows, score, groups, lag)), 0.0)


def parts(world, name):
    """Give the correlation of colleagues, who have area and practice in common, and that of neighbors."""
    area = world.area.get(name, 0.0)
    return ((COLLEAGUES, area + world.practice[name]), (NEIGHBORS, area))


def own_products(rows, score, lag):
    """Give means of a clinician's products over a lag, by draw."""
    table = rows.assign(score=score)[["draw", "clinician", "year", "score"]]
    later = table.assign(year=table.year - lag)
    both = table.merge(later, on=["draw", "clinician", "year"])
    return (both.score_x * both.score_y).groupby(both.draw).mean()


def hcc_score(rows):
    return ((np.log(rows.hcc_risk_score) - 0.3807) / 0.4646).to_numpy()


def codes(rows):
    return rows.specialty.map(SPECIALTY_NAMES.index).to_numpy()


def part_b_scores(rows):
    code, scores = codes(rows), np.empty(len(rows))
    for each in range(7):
        scores[code == each] = part_b_score(rows[code == each], each)
    return scores


# The oracle itself.


def test_pairs_are_those_of_a_double_loop():
    rng = np.random.default_rng(1)
    inner = rng.integers(0, 12, 40)
    outer = inner % 4
    x, y = rng.normal(size=(2, 40))
    expected = np.zeros(4)
    for i in range(40):
        for j in range(40):
            if outer[i] == outer[j] and inner[i] != inner[j]:
                expected[outer[i]] += x[i] * y[j]
    np.testing.assert_allclose(oracle.pair_sums(outer, inner, x, y), expected)


def test_covariance_of_functions_of_normal_scores():
    """Of the exponential exp(r) - 1 over e, of a share below r's Sheppard formula."""
    squares = oracle.hermite_squares(np.exp)
    assert oracle.covariance(squares, 0.5) == pytest.approx(math.e * math.expm1(0.5), rel=1e-4)
    below = oracle.both_below(0.5, 0.8)
    assert below == pytest.approx(0.25 + math.asin(0.8) / (2 * math.pi), abs=1e-6)


def test_lacking_conduct_by_a_simulation():
    rng = np.random.default_rng(2)
    n = 400_000
    habit, cured = rng.normal(size=n), np.zeros(n, bool)
    expected = oracle.lacking_by_year(0.3, 0.4)
    for share in expected:
        lacking = (habit < norm.ppf(0.3)) & ~cured
        assert_share(int(lacking.sum()), n, share)
        cured |= lacking & (rng.random(n) < 0.4)
        habit = 0.8 * habit + 0.6 * rng.normal(size=n)


# One value of a practice.


def test_a_practice_has_one_conduct_a_year_and_one_record_system(world):
    rows = world.rows
    several = rows.groupby(["practice", "year"]).clinician.transform("size") > 1
    assert several.mean() > 0.4
    years = rows.groupby(["practice", "year"])
    assert (years[["improvement_activities", "promoting_interoperability"]].nunique() == 1).all(axis=None)
    chosen = rows[[f"{m}_collection_type" for m in ("q008", "q005", "q236", "q238", "q134", "q128")]]
    stacked = chosen.set_axis(rows.practice).stack().dropna()
    assert set(stacked) == {"ecqm", "mips_cqm"}
    assert (stacked.groupby(level=0).nunique() == 1).all()
    practices = rows.groupby("practice")
    assert (practices[["practice_size", "area", "cohort"]].nunique() == 1).all(axis=None)


def test_a_practice_has_at_most_its_size_of_clinicians_and_one_if_solo(world):
    rows = world.rows
    counts = rows.groupby(["practice", "year"]).practice_size.agg(["size", "first"])
    assert (counts["size"] <= counts["first"]).all()
    # Whoever enters takes a place in the same practice; identities say which.
    names = rows.clinician_id.str.rsplit("-", n=2, expand=True)
    assert (names[0] == rows.practice_id).all()
    assert (names[1].astype(int) < rows.practice_size).all()
    places = rows.assign(place=names[1], generation=names[2].astype(int)).sort_values("year")
    assert not places.duplicated(["practice", "place", "year"]).any()
    assert (places.groupby(["practice", "place"]).generation.diff().dropna() >= 0).all()


# Correlations.


def test_patients(world):
    rows = world.rows[world.rows.year == 0]
    score = hcc_score(rows)
    limit = -math.log(0.16) / 0.692
    dual = np.log(rows.dual_share / 0.16).to_numpy() / 0.692
    dual -= -norm.pdf(limit) + limit * norm.sf(limit)
    squares = oracle.hermite_squares(lambda z: np.minimum(z, limit))
    for groups, correlation in parts(world, "patients"):
        assert_mean(Pairs(rows, rows, score, score, *groups).excess(correlation), 0.0)
        assert_mean(
            Pairs(rows, rows, dual, dual, *groups).excess(oracle.covariance(squares, correlation)), 0.0
        )
        # E[z h(w)] = r E[z h(z)] of normal scores with correlation r.
        crossed = Pairs(rows, rows, score, dual, *groups).excess(0.4 * correlation * ndtr(limit))
        assert_mean(crossed, 0.0)


def test_part_b(world):
    score = world.rows.part_b_score.to_numpy()
    for groups, correlation in parts(world, "part_b"):
        assert_covariance(world.rows, score, groups, correlation)


def test_part_b_of_one_clinician_persists_by_specialty(world):
    """E[(z' - z)^2] = 2 (1 - phi), whatever is shared."""
    rows, code = world.rows, codes(world.rows)
    for each, persistence in enumerate(world.part_b_persistence):
        table = rows.loc[code == each, ["draw", "clinician", "year", "part_b_score"]]
        both = table.merge(table.assign(year=table.year - 1), on=["draw", "clinician", "year"])
        changes = ((both.part_b_score_y - both.part_b_score_x) ** 2).groupby(both.draw).mean()
        assert_mean(changes, 2 * (1 - persistence))


#: Of cost with episodes by cohort, with Part B, and of low cost with quality.
COST = [oracle.CostScore(episodes, part_b=0.15, quality=0.1) for episodes in (0.09, -0.21)]


@cache
def cost_squares():
    return oracle.hermite_squares(lambda z: np.interp(z, SCORES, cost_shape()))


def cost_covariance(world, cohort, lag):
    """Give the covariance of the shapes of one clinician's cost in two years, the mean over specialties."""
    of = [0] if cohort == HEART else list(range(1, 7))
    moving = [0.25 + 0.75 * ((world.part_b_persistence[code] - 0.25) / 0.75) ** lag for code in of]
    correlations = [COST[cohort].lagged(each, PERSISTENCE**lag) for each in moving]
    expected = [oracle.covariance(cost_squares(), each) for each in correlations]
    return np.average(expected, weights=[SPECIALTIES[code][3] for code in of])


def cost_scores(world):
    """Give log cost over its true standard deviation, which one clinician's two years tell."""
    rows = world.rows
    log_cost = np.log(rows.cost_per_episode)
    log_cost -= log_cost.groupby([rows.cohort, rows.year]).transform("mean")
    for cohort in (HEART, BACK):
        some = rows.cohort == cohort
        variance = own_products(rows[some], log_cost[some], 1).mean() / cost_covariance(world, cohort, 1)
        log_cost[some] /= math.sqrt(variance)
    return log_cost


def with_cost(world, cohort):
    rows = world.rows[(world.rows.cohort == cohort) & (world.rows.episodes > 0)]
    return rows, rows.cost_score.to_numpy()


def test_cost(world):
    """Noise is each clinician's own, so products have the true covariance."""
    shared = {name: world.practice[name] + world.area[name] for name in world.area}
    for cohort in (HEART, BACK):
        rows, score = with_cost(world, cohort)
        for groups, common in ((COLLEAGUES, shared), (NEIGHBORS, world.area)):
            expected = oracle.covariance(cost_squares(), COST[cohort].colleagues(common))
            assert_covariance(rows, score, groups, expected)


def test_cost_of_one_clinician_persists(world):
    for cohort in (HEART, BACK):
        rows, score = with_cost(world, cohort)
        far, near = (own_products(rows, score, lag) for lag in (3, 1))
        ratio = cost_covariance(world, cohort, 3) / cost_covariance(world, cohort, 1)
        assert_mean(far - near * ratio, 0.0)


def rate_of(measure, how):
    """Give the true rate as a function of latent quality."""
    sign = -1 if measure in INVERSE else 1
    return lambda z: np.interp(ndtr(sign * z), PERCENTS / 100, published(measure, how))


HOW = {0: "ecqm", 1: "mips_cqm"}


def reporters(rows, measure, how):
    some = rows[(rows[f"{measure}_collection_type"] == HOW[how]) & (rows[f"{measure}_cases"] > 0)]
    return some, deviations(some, measure, how)


@pytest.mark.parametrize(("measure", "how"), MEASURES)
def test_rates(world, measure, how):
    """Counts of cases are each clinician's own luck: products of two have the covariance of true rates."""
    rows, deviation = reporters(world.rows, measure, how)
    squares = oracle.hermite_squares(rate_of(measure, how))
    for groups, correlation in parts(world, "quality"):
        assert_covariance(rows, deviation, groups, oracle.covariance(squares, correlation))


@pytest.mark.parametrize(("measure", "how"), MEASURES)
def test_quality_of_one_clinician_persists(world, measure, how):
    rows, deviation = reporters(world.rows, measure, how)
    squares = oracle.hermite_squares(rate_of(measure, how))
    for lag in (1, 4):
        assert_mean(own_products(rows, deviation, lag), oracle.covariance(squares, PERSISTENCE**lag))


def test_general_and_specific_parts_are_shared_alike(raised):
    """Two measures of two colleagues have the general factor's correlation, .2, times what they share."""
    for first, second, how in (("q236", "q008", 0), ("q238", "q134", 0), ("q238", "q134", 1)):
        rows, x = reporters(raised.rows, first, how)
        others, y = reporters(raised.rows, second, how)
        a, b = (oracle.hermite_coefficients(rate_of(measure, how)) for measure in (first, second))
        for groups, correlation in parts(raised, "quality"):
            excess = sum(
                Pairs(
                    rows[rows.year == year],
                    others[others.year == year],
                    x[rows.year == year],
                    y[others.year == year],
                    *groups,
                ).excess(oracle.covariance(a * b, 0.2 * correlation))
                for year in PAIRED_YEARS
            )
            assert_mean(excess, 0.0)


VOLUNTARY = {
    HEART: {"q008": 0.03, "q005": 0.03, "q236": 0.03, "q377": 0.10},
    BACK: {"q238": 0.03, "q134": 0.03, "q128": 0.03, "q220": 0.15},
}
#: By CMS's table in practices of 2-5; in those of 16 or more what is assumed.
SILENT = {(2, 5): 0.0363, (16, 1000): 0.02}


def absences(rows, cohort):
    some = rows[rows.cohort == cohort]
    return some, some[[f"{measure}_collection_type" for measure in VOLUNTARY[cohort]]].isna()


def test_who_reports(world):
    """Nothing at all, and each measure missed: as colleagues' habits go together; neighbors' do not."""
    correlation = world.practice["habits"]
    for cohort in (HEART, BACK):
        rows, absent = absences(world.rows, cohort)
        silent = absent.all(axis=1).to_numpy()
        for sizes, share in SILENT.items():
            some = rows.practice_size.between(*sizes).to_numpy()
            hits = silent[some].astype(float)
            assert_covariance(rows[some], hits, COLLEAGUES, oracle.both_below(share, correlation))
        told = rows[~silent]
        for measure, share in VOLUNTARY[cohort].items():
            missed = absent.loc[~silent, f"{measure}_collection_type"].to_numpy(float)
            # Whoever missed all looks silent: less than .00002 of all.
            assert_covariance(told, missed, COLLEAGUES, oracle.both_below(share, correlation))
            assert_covariance(told, missed - share, NEIGHBORS, 0.0)


# Years.


def test_what_colleagues_share_moves_as_their_own_scores_do(raised):
    """One in a year, the other two years later."""
    lag, kept = 2, (PART_B_PERSISTENCE - 0.25) / 0.75
    score = raised.rows.part_b_score.to_numpy()
    for groups, correlation in parts(raised, "part_b"):
        assert_covariance(raised.rows, score, groups, correlation * kept**lag, lag)
    for measure, how in (("q236", 0), ("q377", 0), ("q238", 1)):
        rows, deviation = reporters(raised.rows, measure, how)
        squares = oracle.hermite_squares(rate_of(measure, how))
        for groups, correlation in parts(raised, "quality"):
            expected = oracle.covariance(squares, correlation * PERSISTENCE**lag)
            assert_covariance(rows, deviation, groups, expected, lag)
    persistence = {"quality": PERSISTENCE, "cost": PERSISTENCE, "part_b": kept}
    shared = {
        name: each**lag * (raised.practice[name] + raised.area[name]) for name, each in persistence.items()
    }
    for cohort in (HEART, BACK):
        rows, score = with_cost(raised, cohort)
        expected = oracle.covariance(cost_squares(), COST[cohort].colleagues(shared))
        assert_covariance(rows, score, COLLEAGUES, expected, lag)


def test_whoever_enters_shares_what_the_practice_has(raised):
    """Entrants with colleagues, and with those whose place they took."""
    rows = raised.rows
    score = hcc_score(rows)
    correlation = raised.practice["patients"] + raised.area["patients"]
    at = (rows.year == 4).to_numpy()
    fresh = at & (rows.generation > 0).to_numpy()
    assert fresh.sum() > 4_000
    assert_mean(Pairs(rows[fresh], rows[at], score[fresh], score[at]).excess(correlation), 0.0)
    place = rows.clinician_id.str.rsplit("-", n=1).str[0]
    place = rows.groupby(["draw", place]).ngroup()
    placed = rows.assign(place=place)
    before = (rows.year == 0).to_numpy()
    taken = Pairs(placed[fresh], placed[before], score[fresh], score[before], "place", "clinician")
    assert_mean(taken.excess(correlation), 0.0)
    rows, deviation = reporters(raised.rows, "q236", 0)
    squares = oracle.hermite_squares(rate_of("q236", 0))
    at = (rows.year == 4).to_numpy()
    fresh = at & (rows.generation > 0).to_numpy()
    correlation = raised.practice["quality"] + raised.area["quality"]
    pairs = Pairs(rows[fresh], rows[at], deviation[fresh], deviation[at])
    assert_mean(pairs.excess(oracle.covariance(squares, correlation)), 0.0)


def test_exits_by_specialty(raised):
    """Who is gone two years later; each draw another year."""
    rows = raised.rows[(raised.rows.draw % 5 == raised.rows.year)]
    code = codes(rows)
    for each, probability in enumerate(EXITS):
        gone = rows.payment_year_part_b[code == each] == 0
        assert_share(int(gone.sum()), len(gone), 1 - (1 - probability) ** 2)


# Conduct.


def practice_years(rows):
    """Give one row for each practice and year."""
    return rows.drop_duplicates(["practice", "year"])


@pytest.mark.parametrize(
    ("name", "improvement"), [pytest.param("default", 0.3, marks=pytest.mark.long), ("unrelated", 0.4)]
)
def test_share_that_lacks_conduct_by_year(name, improvement, request):
    rows = practice_years(request.getfixturevalue(name).rows)
    for size in range(3):
        some = rows[rows.practice_class == size]
        for lacking, share in (
            (some.improvement_activities < 2, oracle.IMPROVEMENT_LACKING[size]),
            (some.promoting_interoperability == 0, oracle.INTEROPERABILITY_LACKING[size]),
        ):
            for year, expected in enumerate(oracle.lacking_by_year(share, improvement)):
                hits = lacking[some.year == year]
                assert_share(int(hits.sum()), len(hits), expected)


def test_where_all_improve_none_lacks_anything_twice(raised):
    rows = practice_years(raised.rows).sort_values(["practice", "year"])
    for lacking, full in (
        (rows.improvement_activities < 2, rows.improvement_activities == 2),
        (rows.promoting_interoperability == 0, rows.promoting_interoperability == 100),
    ):
        before = lacking.groupby(rows.practice).cumsum() - lacking
        assert (before > 0).sum() > 4_000
        assert full[before > 0].all()
