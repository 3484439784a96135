"""What goes together, one at a time: in a field of strangers each is turned on alone, with the same coins.

Each does what its parameter says, and the marginals that it does not mean to correct hold: published rates
among those who report, observed cost among those with 20 episodes, Part B payments.
"""

import math
from functools import cache

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from tests.simulation.panels import one_year_each, simulate_panel
from tests.simulation.published import (
    BACK,
    BINOMIAL,
    CLAIMS,
    COHORTS,
    ECQM,
    FINE,
    FINE_WEIGHTS,
    HEART,
    INVERSE,
    MEASURES,
    MIPS_CQM,
    PERCENTS,
    SPECIALTIES,
    deviations,
    mean_of,
    published,
    reported,
    segments,
    table,
)
from tests.simulation.statistical import Z, assert_mean, assert_share

DRAWS = range(3)
SURGEONS = (4, 5)
#: Of the specialties of back pain: offsets that are far apart.
OFFSETS = {1: 0.5, 3: -0.5, 4: 1.0, 6: -0.3}
NAMES = tuple(each[0].lower().replace(" ", "_") for each in SPECIALTIES)
UNSELECTED = ("population.minimum_episodes=0", "behavior.cost_response=0.0")


@pytest.fixture(scope="module")
def panels_with(load_strangers):
    """Simulate strangers with something turned on."""
    return cache(lambda *changes: [simulate_panel(load_strangers(*changes), draw) for draw in DRAWS])


@pytest.fixture(scope="module")
def world(panels_with):
    """The same, of each draw another year: clinicians independent of each other."""
    return cache(lambda *changes: one_year_each(panels_with(*changes)))


# --- What holds whatever goes together ----------------------------------------------------------------------


def variance_of(percentiles):
    """Variance of a true rate."""
    mean = mean_of(percentiles)
    return sum(
        weight * ((low - mean) ** 2 + (low - mean) * (high - low) + (high - low) ** 2 / 3)
        for weight, low, high in segments(percentiles)
    )


def assert_rates(rows, percentiles_of=published):
    """True rates have the published mean and variance; an observed one is binomial around them."""
    for measure, how in BINOMIAL:
        some = reported(rows, measure, how)
        rate, cases = some[f"{measure}_rate"].to_numpy(), some[f"{measure}_cases"].to_numpy()
        percentiles = percentiles_of(measure, how)
        assert_mean(rate, mean_of(percentiles))
        squares = (rate - mean_of(percentiles)) ** 2 - rate * (1 - rate) / np.maximum(cases - 1, 1)
        assert_mean(squares[cases > 1], variance_of(percentiles))


def assert_admissions(rows):
    some = reported(rows, "q492", CLAIMS)
    percentiles = published("q492", CLAIMS)
    for percent, rate in zip(PERCENTS[1:-1], percentiles[1:-1], strict=True):
        assert_share(int((some.q492_rate <= rate).sum()), len(some), percent / 100)


def cost_facts(cohort):
    """What CMS published of a cost measure for 2025."""
    facts = table("cost_benchmarks").set_index(["performance_year", "measure_id"])
    return facts.loc[(2025, ("COST_HF_1", "COST_LBP_1")[cohort])]


def assert_costs(rows):
    """CMS's median and standard deviation, before anybody responds."""
    for cohort in (HEART, BACK):
        some = rows[(rows.cohort == cohort) & (rows.episodes >= 20)].cost_per_episode.to_numpy()
        fact = cost_facts(cohort)
        assert_share(int((some < fact.median_usd).sum()), some.size, 0.5)
        assert_mean((some - some.mean()) ** 2, fact.sd_usd**2)


def assert_same(rows, others, *columns):
    for column in columns:
        np.testing.assert_array_equal(rows[column], others[column], err_msg=column)


def scores(values):
    """Normal scores of ranks."""
    return ndtri((rankdata(values) - 0.5) / len(values))


def assert_correlation(x, y, expected):
    """Fisher's transformation of a correlation of normal scores."""
    found = np.corrcoef(x, y)[0, 1]
    assert abs(math.atanh(found) - math.atanh(expected)) < Z / math.sqrt(len(x) - 3), (found, expected)


# --- Payments -----------------------------------------------------------------------------------------------


def test_part_of_a_cut_is_won_back_and_of_a_raise_given_up(panels_with):
    without = panels_with("behavior.cost_response=0.0", "behavior.volume_offset_raise=0.0")
    changed = panels_with(
        "behavior.cost_response=0.0", "behavior.volume_offset_cut=0.3", "behavior.volume_offset_raise=0.2"
    )
    for rows, others in zip(changed, without, strict=True):
        before, factor = others.payment_year_part_b.to_numpy(), rows.factor.to_numpy()
        assert_same(rows, others, "factor", "part_b_payments", "episodes", "q236_cases", "cost_per_episode")
        # After adjustment: dollars are those without an offset, and part of the cut, or less part of a raise.
        share = np.where(factor < 0, 0.3, 0.2)
        expected = before * (1 + factor) - share * factor * before
        np.testing.assert_allclose(rows.payment_year_part_b * (1 + factor), expected, rtol=1e-12)
        assert (rows.payment_year_part_b[factor < 0] >= before[factor < 0]).all()
        assert (factor < 0).any()
        assert (factor > 0).any()


def test_exits_by_specialty(field, baseline_block):
    """2.5% a year, of surgeons 3.0%: of those measured so many are gone two years later."""
    gone = (field.payment_year_part_b == 0).to_numpy()
    for code in range(len(SPECIALTIES)):
        some = gone[field.specialty == code]
        left = 0.03 if code in SURGEONS else 0.025
        assert_share(int(some.sum()), some.size, 1 - (1 - left) ** 2)
    # Whoever leaves is replaced.
    participants = baseline_block["participants"].astype(float)
    for year in range(participants.shape[1]):
        assert_mean(participants[:, year].sum(axis=1), 8600)


# --- Costs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("correlation", [0.0, 0.15, 0.35])
def test_part_b_goes_with_cost(world, correlation):
    rows = world(*UNSELECTED, f"population.part_b_cost_correlation={correlation}")
    assert_same(rows, world(*UNSELECTED), "part_b_payments", "payment_year_part_b", "episodes", "q236_rate")
    for code in range(len(SPECIALTIES)):
        some = rows[rows.specialty == code]
        assert_correlation(scores(some.part_b_payments), scores(some.true_cost), correlation)
    assert_costs(world("behavior.cost_response=0.0", f"population.part_b_cost_correlation={correlation}"))


@pytest.mark.parametrize("correlations", [(0.0, 0.0), (0.19, -0.33)])
def test_episodes_go_with_cost(world, correlations):
    given = dict(zip(COHORTS, correlations, strict=True))
    changes = [f"population.cost_episode_correlation.{name}={value}" for name, value in given.items()]
    rows = world(*UNSELECTED, *changes)
    for cohort, correlation in enumerate(correlations):
        some = rows[rows.cohort == cohort]
        # Some have the least level of expected episodes together.
        assert_correlation(scores(some.level), scores(some.true_cost), correlation)
    rows = world("behavior.cost_response=0.0", *changes)
    assert_same(rows, world("behavior.cost_response=0.0"), "part_b_payments", "episodes", "q236_rate")
    assert_costs(rows)


def test_both_means_of_cost_are_cms_own(world):
    """The mean of clinicians, and that of episodes, which falls short of it where many are cheap."""
    rows = world(
        "behavior.cost_response=0.0",
        *(
            f"population.cost_episode_correlation.{name}={value}"
            for name, value in zip(COHORTS, (0.19, -0.33), strict=True)
        ),
    )
    for cohort in (HEART, BACK):
        some, fact = rows[(rows.cohort == cohort) & (rows.episodes >= 20)], cost_facts(cohort)
        national = fact.individual_national_avg_episode_usd
        # As stated beside the parameter: that of episodes holds, that of clinicians within .3%.
        assert_mean_within(
            some.episodes * (some.cost_per_episode / national - 1), 0.001 * some.episodes.mean()
        )
        assert_mean_within(some.cost_per_episode / fact.benchmark_mean_usd - 1, 0.004)


def assert_mean_within(sample, slack):
    error = sample.std(ddof=1) / math.sqrt(len(sample))
    assert abs(sample.mean()) < slack + Z * error


# --- Quality ------------------------------------------------------------------------------------------------


def rate_at(percentiles, probability):
    return np.interp(100 * probability, PERCENTS, percentiles)


def slope_of(measure, how):
    """E[rate z], z the score of latent quality, high where quality is."""
    sign = -1 if measure in INVERSE else 1
    return float(FINE_WEIGHTS @ (rate_at(published(measure, how), ndtr(sign * FINE)) * FINE))


def complexity(rows):
    """Standardized sum of the normal scores of HCC risk score and dual share."""
    hcc = (np.log(rows.hcc_risk_score) - 0.3807) / 0.4646
    dual = (np.log(rows.dual_share) - math.log(0.16)) / 0.692
    return ((hcc + dual) / math.sqrt(2 * (1 + 0.4))).to_numpy()


def test_complex_patients_lower_quality(world):
    effect = 0.25
    rows = world(f"population.complex_patients_quality_effect={effect}")
    assert_same(rows, world(), "hcc_risk_score", "dual_share", "true_cost", "q236_cases")
    for measure, how in (("q236", ECQM), ("q008", MIPS_CQM), ("q238", ECQM), ("q134", MIPS_CQM)):
        # Whoever has everybody dual has no score of its own: the share is cut off at 1.
        some = reported(rows, measure, how)
        some = some[some.dual_share < 1]
        fall = -effect / math.sqrt(1 + effect**2) * slope_of(measure, how)
        x = complexity(some)
        beyond = 1 - ndtr(-math.log(0.16) / 0.692)
        assert_mean_near(deviations(some, measure, how) * x, fall, abs(fall) * 10 * beyond + 1e-4)
    assert_rates(rows)
    assert_admissions(rows)


def assert_mean_near(sample, expected, slack):
    assert_mean_within(np.asarray(sample) - expected, slack)


def test_complex_patients_raise_cost(world):
    effect = 0.25
    changes = "behavior.cost_response=0.0", f"population.complex_patients_cost_effect={effect}"
    rows, others = world(*changes), world("behavior.cost_response=0.0")
    assert_same(rows, others, "hcc_risk_score", "part_b_payments", "q236_rate", "episodes")
    for cohort in (HEART, BACK):
        some = rows[(rows.cohort == cohort) & (rows.dual_share < 1)]
        assert_correlation(
            scores(complexity(some)), scores(some.true_cost), effect / math.sqrt(1 + effect**2)
        )
    assert_costs(rows)


def test_quality_rises_with_practice_size(world):
    rows, others = world("population.quality_size_gradient=1.0"), world()
    assert_same(rows, others, "practice_size", "true_cost", "q236_cases", "improvement_activities")
    largest, least = rows.practice_size > 200, rows.practice_size.between(2, 5)
    for measure, how in BINOMIAL:
        same = (rows[f"{measure}_collection_type"] == how) & (rows[f"{measure}_cases"] > 0)
        gain = rows[f"{measure}_rate"] - others[f"{measure}_rate"]
        gain = -gain if measure in INVERSE else gain
        # Nobody is better than the largest practices, and nobody worse than those of two to five.
        assert (gain[same & largest] >= 0).all()
        assert (gain[same & least] <= 0).all()
        assert gain[same & largest].mean() > 0 > gain[same & least].mean()
    assert_rates(rows)


def test_rates_spread_about_their_medians(world):
    def spread(measure, how):
        percentiles = published(measure, how)
        return np.clip(percentiles[5] + 1.2 * (percentiles - percentiles[5]), 0, 1)

    rows = world("population.rate_spread=1.2")
    assert_same(rows, world(), "true_cost", "q236_cases", "part_b_payments", "q236_completeness")
    assert_rates(rows, spread)


def product_of(first, second, correlation):
    """E[f(x) g(y)] of normal x and y with a correlation."""
    rest = math.sqrt(1 - correlation**2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    inner = second(correlation * FINE[:, None] + rest * nodes) @ (weights / weights.sum())
    return float(FINE_WEIGHTS @ (first(FINE) * inner))


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_admissions_say_little_of_processes(world, share):
    """Loadings make the correlation of q492's latent with that of another measure: sqrt(share .2)."""
    rows = world(f"population.quality_common_share.q492={share}")
    if share == 0.2:
        assert_same(rows, world(), "q492_rate")
    assert_same(rows, world(), "q236_rate", "q008_rate", "true_cost")
    assert_admissions(rows)
    some = reported(reported(rows, "q236", ECQM), "q492", CLAIMS)
    risk, process = published("q492", CLAIMS), published("q236", ECQM)
    middle = mean_of(risk), mean_of(process)
    grid = np.linspace(0.05, 1, 20)
    expected = [
        product_of(
            lambda z: rate_at(risk, ndtr(-z)) - middle[0],
            lambda z: rate_at(process, ndtr(z)) - middle[1],
            math.sqrt(share * 0.2) * each,
        )
        for each in grid
    ]
    # Shrunk by its cases: reliability .6 at 37.
    weight = np.sqrt(some.q492_cases / (some.q492_cases + 37 * 0.4 / 0.6))
    together = deviations(some, "q492", CLAIMS) * deviations(some, "q236", ECQM)
    assert_mean(together - np.interp(weight, grid, expected), 0.0)


# --- Specialties --------------------------------------------------------------------------------------------


def offsets(what):
    return [f"population.specialty_{what}_offset.{NAMES[code]}={each}" for code, each in OFFSETS.items()]


def mixed(where):
    """Distribution function, at a score, of a mixture of the specialties' normal scores."""
    return sum(
        each[3] * ndtr(where - OFFSETS.get(code, 0.0)) for code, each in enumerate(SPECIALTIES) if code > 0
    )


def test_specialties_differ_in_cost_and_the_cohort_does_not(world):
    rows = world("behavior.cost_response=0.0", *offsets("cost"))
    assert_same(
        rows, world("behavior.cost_response=0.0"), "specialty", "practice_size", "q134_rate", "episodes"
    )
    assert_costs(rows)
    rows = world(*UNSELECTED, *offsets("cost"))
    rows = rows[rows.cohort == BACK]
    median = brentq(lambda score: mixed(score) - 0.5, -2, 2)
    # The median of the cohort itself is known to 1 / (2 sqrt(n)).
    middle = rows.true_cost.median()
    for code in range(1, len(SPECIALTIES)):
        some = rows[rows.specialty == code]
        expected = float(ndtr(median - OFFSETS.get(code, 0.0)))
        share, error = (some.true_cost < middle).mean(), math.sqrt(expected * (1 - expected) / len(some))
        assert abs(share - expected) < Z * (error + 0.5 / math.sqrt(len(rows)))


def test_specialties_differ_in_quality_and_the_cohort_does_not(world):
    rows = world(*offsets("quality"))
    assert_same(rows, world(), "specialty", "practice_size", "true_cost", "episodes", "q236_rate")
    assert_rates(rows)
    for measure, how in (("q134", ECQM), ("q238", MIPS_CQM), ("q128", ECQM)):
        percentiles, some = published(measure, how), reported(rows, measure, how)
        for code in range(1, len(SPECIALTIES)):
            place = mixed(FINE + OFFSETS.get(code, 0.0))
            place = 1 - place if measure in INVERSE else place
            expected = float(FINE_WEIGHTS @ rate_at(percentiles, place))
            assert_mean(some.loc[some.specialty == code, f"{measure}_rate"], expected)


def test_specialties_differ_in_practices_and_the_cohort_does_not(world):
    rows, small = world(*offsets("small_practice")), 0.404
    rows = rows[rows.cohort == BACK]
    shares = [each[3] for each in SPECIALTIES]
    place = brentq(
        lambda z: sum(shares[c] * ndtr(z + OFFSETS.get(c, 0.0)) for c in range(1, len(shares))) - small, -3, 3
    )
    assert_share(int((rows.practice_size <= 15).sum()), len(rows), small)
    for code in range(1, len(SPECIALTIES)):
        some = rows[rows.specialty == code]
        assert_share(len(some), len(rows), shares[code])
        expected = float(ndtr(place + OFFSETS.get(code, 0.0)))
        assert_share(int((some.practice_size <= 15).sum()), len(some), expected)


# --- Conduct ------------------------------------------------------------------------------------------------


def test_conduct_improves_where_it_lacked(panels_with):
    """Of those who lacked something in 2027 so many lack nothing in 2028 whatever they would have done."""
    cured, lacking = np.zeros(2, np.int64), np.zeros(2, np.int64)
    keys = ["cohort", "slot", "generation"]
    whole = {"improvement_activities": 2, "promoting_interoperability": 100.0}
    for rows, others in zip(panels_with("behavior.conduct_improvement=0.3"), panels_with(), strict=True):
        first = rows[rows.year == 0]
        assert_same(first, others[others.year == 0], *whole)
        for column in whole:
            assert (rows[column] >= others[column]).all()
        assert_same(rows, others, "part_b_payments", "q236_rate", "episodes")
        second = rows[rows.year == 1].assign(
            **{f"{each}_else": others[others.year == 1][each] for each in whole}
        )
        both = first.merge(second, on=keys, suffixes=("", "_next"))
        for place, (column, full) in enumerate(whole.items()):
            lacked = both[column] < 2 if full == 2 else both[column] == 0
            again = lacked & (both[f"{column}_else"] < full)
            lacking[place] += again.sum()
            cured[place] += (again & (both[f"{column}_next"] == full)).sum()
    for count, total in zip(cured, lacking, strict=True):
        assert_share(int(count), int(total), 0.3)
    # 2027 is as before: of large practices 6.5% attest nothing, 15% one activity.
    large = first[first.practice_size > 15]
    assert_share(int((large.improvement_activities == 0).sum()), len(large), 0.065)
    assert_share(int((large.improvement_activities == 1).sum()), len(large), 0.15)


# --- Colleagues and neighbors -------------------------------------------------------------------------------


def test_colleagues_and_neighbors_move_no_average(load):
    """All correlations on: sums over a draw vary more, and means over draws are the published ones."""
    scenario = load(
        "population.clinicians=2000",
        "population.rate_spread=1.0",
        "behavior.cost_response=0.0",
    )
    panels = [simulate_panel(scenario, draw) for draw in range(25)]
    for cohort in (HEART, BACK):
        median = cost_facts(cohort).median_usd
        of_cohort = [each[(each.cohort == cohort) & (each.year == 0)] for each in panels]
        cheap = [(rows[rows.episodes >= 20].cost_per_episode < median).mean() for rows in of_cohort]
        assert_mean(cheap, 0.5)
        assert_mean([rows.hcc_risk_score.mean() for rows in of_cohort], math.exp(0.3807 + 0.4646**2 / 2))
        for name, how in BINOMIAL:
            if name in MEASURES[cohort]:
                rates = [reported(rows, name, how)[f"{name}_rate"].mean() for rows in of_cohort]
                assert_mean(rates, mean_of(published(name, how)))
