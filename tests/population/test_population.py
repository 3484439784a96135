"""The synthetic field against the published facts, by plain Monte Carlo and by hand.

The Monte Carlo oracle follows the words of the model with NumPy's own generators and shares nothing with the
package but the constants under test. Tolerances are `Z` standard errors: each comparison fails by chance with
probability 1e-6, once per seed, and the seeds are fixed.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections import ChainMap
from statistics import NormalDist

import numpy as np
import pytest

from asmrisk.errors import InputError
from asmrisk.parameters.parameter import Values
from asmrisk.population import calibration, quantiles
from asmrisk.population.records import behavior_records, population_records
from asmrisk.rule.definitions import COHORTS, SPECIALTIES
from asmrisk.scenario import published_tables as tables
from asmrisk.scenario.behavior_parameters import BEHAVIOR
from asmrisk.scenario.counterfactual_parameters import COUNTERFACTUAL
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.population_parameters import POPULATION
from tests.simulation.published import part_b_trend

NORMAL = NormalDist()
Z = -NORMAL.inv_cdf(0.5e-6)
HF, LBP = 0, 1
#: Slots in the Monte Carlo oracle.
SAMPLE = 1_000_000


@pytest.fixture(scope="module")
def values() -> Values:
    return PARAMETERS.defaults()


@pytest.fixture(scope="module")
def records(values):
    return population_records(values)


def lognormal(generator, size, log_sd):
    """Lognormal with mean 1."""
    return np.exp(log_sd * generator.standard_normal(size) - log_sd**2 / 2)


@pytest.fixture(scope="module", params=[HF, LBP], ids=COHORTS)
def field(request, records):
    """A large cohort after the model's words: truncation by rejection, two Poisson years."""
    record = records[request.param]
    generator = np.random.default_rng(20270101 + request.param)
    log_mean, log_sd = record.episodes_log_mean, record.episodes_log_sd
    raw = np.exp(log_mean + log_sd * generator.standard_normal(2 * SAMPLE))
    expected = raw[raw >= 12.0][:SAMPLE]
    assert expected.size == SAMPLE
    history = generator.poisson(expected * lognormal(generator, SAMPLE, 0.2))
    episodes = generator.poisson(expected * lognormal(generator, SAMPLE, 0.2))
    # The normal score of expected episodes within the truncated distribution, by its rank in the sample.
    score = np.empty(SAMPLE)
    ranks = (np.arange(SAMPLE) + 0.5) / SAMPLE
    score[np.argsort(expected)] = quantiles.ndtri(ranks)
    return {
        "cohort": request.param,
        "record": record,
        "generator": generator,
        "expected": expected,
        "measured": history >= 20,
        "episodes": episodes,
        "score": score,
    }


def assert_mean(sample, target):
    error = sample.std() / math.sqrt(sample.size)
    assert abs(sample.mean() - target) < Z * error, (sample.mean(), target, error)


# --- how many -------------------------------------------------------------------------------------------


def test_measured_number(field):
    """Slots times the chance of 20 episodes two years before is the cohort's part of 8,600."""
    target = 8600 * (0.393, 0.607)[field["cohort"]]
    slots = int(field["record"].slots)
    share = field["measured"].mean()
    error = math.sqrt(share * (1 - share) / SAMPLE)
    assert abs(slots * share - target) < Z * slots * error + 0.5


def test_mean_episodes_of_the_measured(field):
    assert_mean(field["episodes"][field["measured"]], (37.0, 91.0)[field["cohort"]])


def test_share_with_too_few_episodes(field):
    """Quadrature against simulation, and both against the published orientation, 18% and 2.4%."""
    volume = calibration.episode_volume((37.0, 91.0)[field["cohort"]], 0.7, 12.0, 0.2, 20)
    too_few = volume.weights @ (volume.chance * (1.0 - volume.chance)) / volume.measured
    assert_mean(field["episodes"][field["measured"]] < 20, too_few)
    assert round(100 * too_few, 1) == (18.4, 2.4)[field["cohort"]]


def test_location_is_that_of_the_model(records):
    """2.952 and 4.225 are the locations that round 37.03 and 91.13 to the published 37 and 91."""
    assert records.episodes_log_mean == pytest.approx([2.952, 4.225], abs=0.002)


def test_floor_probability(records):
    for record in records:
        below = NORMAL.cdf((math.log(12) - record.episodes_log_mean) / record.episodes_log_sd)
        assert record.episodes_floor_probability == pytest.approx(below, rel=1e-8)


def test_totals_of_the_final_rule():
    """About 600,000 episodes, about $2.8 billion, about 21% heart failure: to the digits published."""
    clinicians = 8600 * np.array([0.393, 0.607])
    episodes = clinicians * [37.0, 91.0]
    assert episodes.sum() == pytest.approx(600_000, rel=0.005)
    assert episodes[HF] / episodes.sum() == pytest.approx(0.21, abs=0.005)
    spending = episodes @ [expected_cost(cohort) for cohort in (HF, LBP)]
    assert spending == pytest.approx(2.8e9, abs=0.05e9)


def expected_cost(cohort: int) -> float:
    """Mean cost per episode over episodes: CMS's national average."""
    return (14994.38, 1930.26)[cohort]


def test_other_volumes_reach_their_mean():
    """The solver holds the published mean whatever the spread, the shock and the minimum."""
    for mean, log_sd, lowest, shock, minimum in [(60.0, 0.4, 5.0, 0.0, 20), (25.0, 1.0, 2.0, 0.5, 10)]:
        volume = calibration.episode_volume(mean, log_sd, lowest, shock, minimum)
        generator = np.random.default_rng(minimum)
        raw = np.exp(volume.log_mean + log_sd * generator.standard_normal(2 * SAMPLE))
        raw = raw[raw >= lowest]
        measured = generator.poisson(raw * lognormal(generator, raw.size, shock)) >= minimum
        assert_mean(measured, volume.measured)
        assert_mean(raw[measured], mean)


def test_no_minimum_measures_everybody():
    assert calibration.episode_volume(37.0, 0.7, 12.0, 0.2, 0).measured == pytest.approx(1.0, abs=1e-12)


# --- Part B ---------------------------------------------------------------------------------------------

#: 2023 mean (CMS) and ratio of the panel's mean to that of all, as published, by specialty code; of
#: anesthesiologists, who are taken to be pain physicians, as assumed.
PART_B_MEAN = (179673.99, 120_000.0, 143100.57, 187034.08, 62921.36, 102232.75, 110879.89)
PANEL_RATIO = (1.067, 1.0, 1.191, 1.143, 1.337, 1.207, 1.302)


def test_part_b_trend(values):
    """Least squares over the table's years, cardiology over all its codes, to the four digits declared."""
    declared = values["population.part_b_trend"]
    assert list(declared) == list(SPECIALTIES)
    for code, name in enumerate(SPECIALTIES):
        assert declared[name] == pytest.approx(part_b_trend(code), abs=0.5e-4 + 1e-9)
    assert declared["anesthesiology"] == declared["pain_management"]
    # "Cardiology" alone fell faster: those with payments above its mean left it for other codes.
    assert declared["cardiology"] == pytest.approx(-0.0147, abs=0.5e-4)


def test_part_b_mean_of_the_measured(field):
    """Mean of the measured: the 2023 mean times the ratio of the panel, four years on by the trend."""
    record, generator = field["record"], field["generator"]
    for code in range(7) if field["cohort"] == LBP else [0]:
        if field["cohort"] == LBP and code == 0:
            assert record.part_b_level[0] == 0.0
            continue
        own = generator.standard_normal(SAMPLE)
        score = 0.5 * field["score"] + math.sqrt(0.75) * own
        shape = np.interp(score, -6.5 + np.arange(209) / 16, record.part_b_log_shape[code])
        # The mean over all is 1 (tested below); that over the others, who have no heavy tail, gives the rest.
        others = np.where(field["measured"], 0.0, np.exp(shape))
        share = field["measured"].mean()
        relative = (1 - others.mean()) / share
        error = (1 - others - relative * field["measured"]).std() / share / math.sqrt(SAMPLE)
        of_2027 = PART_B_MEAN[code] * PANEL_RATIO[code] * (1 + part_b_trend(code)) ** 4
        target = of_2027 / record.part_b_level[code]
        assert abs(relative - target) < Z * error, SPECIALTIES[code]


def test_part_b_tail():
    """By hand for cardiology: the slope beyond the highest quantile, and the quantiles of 2023 below it.

    Of 1,647 cardiologists 1,536 have a panel of 50, so that all's 97.5th percentile, $773,121, has a share of
    .025 * 1647 / 1536 of the panel above it; the panel's mean is 170,137 / 159,416 times all's.
    """
    distance = NORMAL.inv_cdf(0.999) - NORMAL.inv_cdf(0.99)
    assert tables.part_b_tail_slope("cardiology") == round(math.log(2605682 / 1094128) / distance, 3)
    probabilities, ratios = tables.part_b_shape("cardiology")
    assert probabilities[:3].tolist() == [0.01, 0.05, 0.1]
    assert ratios[13] == 2.9461
    below = np.array([0.975, 0.99, 0.995, 0.999])
    assert 1 - probabilities[14:] == pytest.approx((1 - below) * 1647 / 1536)
    dollars = np.array([773121, 1094128, 1516682, 2605682])
    assert ratios[14:] == pytest.approx(dollars / (PART_B_MEAN[0] * 170137 / 159416), rel=1e-5)
    for name in SPECIALTIES:
        probabilities, ratios = tables.part_b_shape(name)
        assert np.all(np.diff(probabilities) > 0)
        assert np.all(np.diff(ratios) > 0)


def test_cardiologists_above_a_million(field):
    """About 1.3% of all in 2023; the table of 2012 with its own tail would give .68%."""
    if field["cohort"] == LBP:
        pytest.skip("cardiologists are in the other cohort")
    record, generator = field["record"], field["generator"]
    score = 0.5 * field["score"] + math.sqrt(0.75) * generator.standard_normal(SAMPLE)
    shape = np.interp(score, -6.5 + np.arange(209) / 16, record.part_b_log_shape[0])
    paid = record.part_b_level[0] / (1 + part_b_trend(0)) ** 4 * np.exp(shape[field["measured"]])
    assert (paid > 1e6).mean() == pytest.approx(0.013, abs=0.0015)


@pytest.mark.parametrize("code", range(7))
def test_part_b_shape(records, code):
    """The tail of 2023 over the mean, below it quantiles moved by a factor; mean 1; lognormal tails."""
    table = records[0].part_b_log_shape[code]
    step = 0.0625
    scores = -6.5 + step * np.arange(209)
    probabilities, ratios = tables.part_b_shape(SPECIALTIES[code])
    knots = np.array([NORMAL.inv_cdf(p) for p in probabilities])
    # A broken line lies within h/4 times a kink of its curve (h^2 f''/8 where it is smooth), and the larger
    # of the two second differences beside a kink is at least half of h times it.
    bound = np.abs(np.diff(table, 2)).max() / 2 + 1e-6
    miss = np.interp(knots, scores, table) - np.log(ratios)
    body = probabilities <= 0.95
    assert np.ptp(miss[body]) < 2 * bound
    assert np.abs(miss[~body]).max() < bound
    assert bound < 0.03
    assert np.median(np.abs(miss[body] - np.median(miss[body]))) < 0.002
    assert np.all(np.diff(table) > 0)
    below, above = table[scores < knots[0]], table[scores > knots[-1]]
    assert np.abs(np.diff(below, 2)).max() < 1e-6
    assert np.abs(np.diff(above, 2)).max() < 1e-6
    # E exp(a + b z) over a segment in closed form.
    cdf = NORMAL.cdf
    mean = cdf(-6.5) * (math.exp(table[0]) + math.exp(table[-1]))
    for left, low, high in zip(scores[:-1], table[:-1], table[1:], strict=True):
        slope = (high - low) / step
        mass = cdf(left + step - slope) - cdf(left - slope)
        mean += math.exp(low - slope * left + slope * slope / 2) * mass
    assert mean == pytest.approx(1.0, abs=2e-6)


def test_body_and_tail_nearly_have_their_mean(records):
    """The body of 2012 is moved by at most 6% for the tail of 2023, most where that has grown: cardiology."""
    for code, name in enumerate(SPECIALTIES):
        probabilities, ratios = tables.part_b_shape(name)
        middle = records[0].part_b_log_shape[code][104]
        assert abs(middle - math.log(ratios[probabilities == 0.5][0])) < 0.06


# --- who they are, what they report ---------------------------------------------------------------------


def test_patients(records):
    record = records[HF]
    mean = math.exp(record.hcc_log_mean + record.hcc_log_sd**2 / 2)
    assert mean == pytest.approx(1.63, rel=1e-7)
    assert mean * math.sqrt(math.expm1(record.hcc_log_sd**2)) == pytest.approx(0.8, rel=1e-7)
    # Dual share: lognormal, at most 1; published mean 0.20, median 0.16, 99th percentile 0.80.
    mu, sd = record.dual_log_mean, record.dual_log_sd
    capped = math.exp(mu + sd**2 / 2) * NORMAL.cdf(-mu / sd - sd) + 1 - NORMAL.cdf(-mu / sd)
    assert capped == pytest.approx(0.20, abs=0.005)
    assert math.exp(mu) == pytest.approx(0.16, rel=1e-7)
    assert math.exp(mu + sd * NORMAL.inv_cdf(0.99)) == pytest.approx(0.80, abs=0.005)


def test_reporting_habits(records):
    """Shares behind the thresholds, and the completeness of one score against two independent decisions."""
    record = records[HF]
    shares = [NORMAL.cdf(z) for z in record.nothing_reported_z]
    # By CMS's table; in practices of 16 or more what is assumed where each clinician must report.
    assert shares == pytest.approx([0.1562, 0.0363, 0.0043, 0.02], abs=0.0001)
    for cohort, missed in ((HF, [None, 0.03, 0.03, 0.03, 0.10]), (LBP, [0.03, 0.03, 0.03, 0.15, None])):
        record = records[cohort]
        for place, share in enumerate(missed):
            if share is None:
                assert record.missed_z[place] == record.incomplete_z[place] == -math.inf
                continue
            assert NORMAL.cdf(record.missed_z[place]) == pytest.approx(share, rel=1e-7)
            scores = np.random.default_rng(place).standard_normal(SAMPLE)
            cdf = np.array([NORMAL.cdf(z) for z in scores[:20_000]])
            scores = scores[:20_000]
            reported = scores >= record.missed_z[place]
            incomplete = reported & (scores < record.incomplete_z[place])
            completeness = record.completeness_low + record.completeness_slope[place] * (
                cdf[incomplete] - record.missed_probability[place]
            )
            error = math.sqrt(0.15 * 0.85 / reported.sum())
            assert abs(incomplete.sum() / reported.sum() - 0.15) < Z * error
            assert completeness.min() >= 0.6 - 1e-7
            assert completeness.max() <= 1.0 + 1e-7
            assert_mean(completeness, 0.8)
            assert_mean((completeness - 0.8) ** 2, 0.4**2 / 12)


def test_conduct(records):
    record = records[HF]
    none = [NORMAL.cdf(z) for z in record.improvement_none_z]
    one = [NORMAL.cdf(z) for z in record.improvement_one_z]
    assert none == pytest.approx([0.20, 0.10, 0.065], rel=1e-7)
    assert np.subtract(one, none) == pytest.approx([0.25, 0.20, 0.15], rel=1e-6)
    zero = [NORMAL.cdf(z) for z in record.interoperability_zero_z]
    full = [1 - NORMAL.cdf(z) for z in record.interoperability_full_z]
    assert zero == pytest.approx([0.25, 0.12, 0.02], rel=1e-7)
    assert full == pytest.approx([0.45, 0.60, 0.80], rel=1e-7)
    # The line between ends at 100 where the full scores begin.
    reach = record.interoperability_slope * (1 - np.array(full) - record.interoperability_zero_probability)
    assert record.interoperability_low + reach == pytest.approx([100.0] * 3, rel=1e-6)


# --- by year --------------------------------------------------------------------------------------------


def test_behavior_of_the_baseline(values):
    years = behavior_records(values)
    assert years.shape == (7,)
    # A third of the 0.4% that is the median of those who respond: .13% a year, twice that after a loss.
    assert years.cost_response.tolist() == [0.00133333333] * 7
    assert years.cost_response_penalized.tolist() == [2 * 0.00133333333] * 7
    medical, surgical = [0.025] * 4, [0.03] * 2
    assert years.exit_probability.tolist() == [[*medical, *surgical, 0.025]] * 7
    assert years.medicare_share.tolist() == [0.85] * 7
    trend = np.array([values["population.part_b_trend"][name] for name in SPECIALTIES])
    np.testing.assert_allclose(years.part_b_growth, (1 + trend) ** np.arange(7)[:, None], rtol=1e-14)
    assert years.quality_learning.tolist() == [[0.0, 0.0]] * 7
    assert years.cost_trend.tolist() == [1.0] * 7
    # Prices over those of 2025, and of 2027 over those of the year.
    np.testing.assert_allclose(years.price_level, 1.02 ** np.arange(2, 9), rtol=1e-14)
    np.testing.assert_allclose(years.stated_price_ratio, 1.02 ** -np.arange(7.0), rtol=1e-14)


def test_costs_respond_from_their_start_year_on(values):
    def responses(**changes):
        years = behavior_records(
            values.replace(**{f"behavior.{name}": value for name, value in changes.items()})
        )
        return years.cost_response.tolist(), years.cost_response_penalized.tolist()

    assert responses(cost_response=0.25, cost_response_start=2030) == (
        [0.0] * 3 + [0.25] * 4,
        [0.0] * 3 + [0.5] * 4,
    )
    assert responses(cost_response=0.25, penalized_response_ratio=0.5)[1] == [0.125] * 7
    # No more than all of the cost can be removed.
    assert responses(cost_response=0.5, penalized_response_ratio=3.0)[1] == [1.0] * 7
    by_year = {"2027": 0.0, "2029": 0.125, "2030": 0.25}
    assert responses(cost_response=by_year) == (
        [0.0, 0.0, 0.125, *[0.25] * 4],
        [0.0, 0.0, 0.25, *[0.5] * 4],
    )
    # A share of its own stands beside the ratio, year by year; it too waits for the start.
    own = {"2027": 0.4, "2029": "ratio", "2031": 0.3}
    assert responses(cost_response=0.25, cost_response_penalized=own, cost_response_start=2028) == (
        [0.0, *[0.25] * 6],
        [0.0, 0.4, 0.5, 0.5, 0.3, 0.3, 0.3],
    )


def test_prices_by_hand(values):
    def prices(deflator, year):
        years = behavior_records(
            values.replace(**{"population.deflator": deflator, "population.dollar_year": year})
        )
        return years.price_level.tolist(), years.stated_price_ratio.tolist()

    assert prices(0.0, 2031) == ([1.0] * 7, [1.0] * 7)
    level, ratio = prices(0.125, 2028)
    assert level == [1.125**n for n in range(2, 9)]
    np.testing.assert_allclose(ratio, 1.125 ** (1.0 - np.arange(7)), rtol=1e-15)
    # Dollars of years before 2025 are worth more.
    np.testing.assert_allclose(prices(0.125, 2024)[1], 1.125 ** (-3.0 - np.arange(7)), rtol=1e-15)


def test_growth_is_cumulated_from_the_first_year(values):
    growth = {
        "2027": {"heart_failure": 0.5, "low_back_pain": 0.1},
        "2029": {"heart_failure": -0.5, "low_back_pain": 0.1},
    }
    learning = {"2027": {"heart_failure": 0.25, "low_back_pain": 0.0}}
    changed = values.replace(
        **{
            "behavior.part_b_growth": growth,
            "behavior.quality_learning": learning,
            "behavior.cost_growth": {"2027": 0.25, "2028": 0.5},
            "population.part_b_trend": dict.fromkeys(SPECIALTIES, 0.0) | {"neurosurgery": -0.1},
        }
    )
    years = behavior_records(changed)
    cardiology, *back_pain = years.part_b_growth.T
    assert cardiology.tolist() == [1.0, 1.5, 0.75, 0.375, 0.1875, 0.09375, 0.046875]
    for name, growth in zip(SPECIALTIES[1:], back_pain, strict=True):
        # The cohort's growth and the specialty's own trend.
        rate = 1.1 * (0.9 if name == "neurosurgery" else 1.0)
        assert growth == pytest.approx([rate**n for n in range(7)])
    assert years.quality_learning[:, HF].tolist() == [0.25 * n for n in range(7)]
    assert years.cost_trend[:3].tolist() == [1.0, 1.5, 2.25]


# --- parameters -----------------------------------------------------------------------------------------


def test_only_the_field_depends_on_its_size(values, records):
    changed = population_records(values.replace(**{"population.clinicians": 4300.0}))
    for name in records.dtype.names:
        if name == "slots":
            assert changed.slots == pytest.approx(records.slots / 2, abs=1)
        else:
            np.testing.assert_array_equal(changed[name], records[name])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "population.mean_episodes",
            {"heart_failure": 11.0, "low_back_pain": 91.0},
            ["mean_episodes.heart_failure", "raise the mean"],
        ),
        (
            "population.cost_sd",
            {"heart_failure": 1e6, "low_back_pain": 618.0},
            ["cost_sd.heart_failure", "it must lie between"],
        ),
        ("population.part_b_episode_correlation", 0.89, ["part_b_persistence", "at least 0.5842"]),
        ("population.mri_percentiles", [0.5] * 10 + [0.4], ["mri_percentiles", "sort"]),
        (
            "population.interoperability_zero",
            {"solo": 0.6, "small": 0.1, "large": 0.0},
            ["interoperability_zero.solo", "1.05"],
        ),
        (
            "population.improvement_activities_one",
            {"solo": 0.1, "small": 0.95, "large": 0.0},
            ["improvement_activities_none.small", "1.05"],
        ),
        (
            "population.practice_weights",
            dict.fromkeys(("solo", "2-5", "6-15"), 0.0) | {"16-50": 1.0, "51-200": 0.0, "201-1000": 0.0},
            ["practice_weights", "up to 15"],
        ),
        (
            "population.practice_weights",
            dict.fromkeys(("16-50", "51-200", "201-1000"), 0.0) | {"solo": 1.0, "2-5": 0.0, "6-15": 0.0},
            ["practice_weights", "above 15"],
        ),
        (
            "population.back_pain_specialties",
            dict.fromkeys(SPECIALTIES[1:], 0.0),
            ["back_pain_specialties"],
        ),
    ],
)
def test_values_that_do_not_go_together(values, name, value, words):
    changes = {name: value}
    if name == "population.part_b_episode_correlation":
        changes["population.part_b_persistence"] = dict.fromkeys(SPECIALTIES, 0.5)
    with pytest.raises(InputError) as caught:
        population_records(values.replace(**changes))
    for word in words:
        assert word in str(caught.value)


def test_certain_habits_are_allowed(values):
    """Shares of 0 and 1 give infinite thresholds, not errors or warnings."""
    certain = values.replace(
        **{
            "population.incomplete_share": 0.0,
            "population.nothing_reported": dict.fromkeys(values["population.nothing_reported"], 0.0),
            "population.interoperability_zero": {"solo": 0.0, "small": 0.0, "large": 0.0},
            "population.interoperability_full": {"solo": 1.0, "small": 1.0, "large": 1.0},
            "population.hcc_sd": 0.0,
        }
    )
    record = population_records(certain)[LBP]
    assert record.nothing_reported_z.tolist() == [-math.inf] * 4
    assert record.interoperability_full_z.tolist() == [-math.inf] * 3
    assert record.interoperability_slope.tolist() == [0.0] * 3
    assert record.completeness_slope.tolist() == [0.0] * 5
    assert record.incomplete_z.tolist() == record.missed_z.tolist()


def test_declarations_name_their_source():
    sections = {"population": POPULATION, "behavior": BEHAVIOR, "counterfactual": COUNTERFACTUAL}
    for name, parameter in ChainMap(*sections.values()).items():
        permanent = ("cost_response_start", "penalized_response_ratio", "conduct_improvement")
        permanent += ("volume_offset_cut", "volume_offset_raise")
        permanent += ("engagement_share", "engagement_incentive", "engagement_returning")
        section, _, key = name.partition(".")
        assert name in sections[section]
        assert parameter.by_year == (section == "behavior" and key not in permanent)
        assert parameter.citation
        assert parameter.unit
        assert parameter.meaning.endswith(".")


def test_declarations_import_quickly():
    """Help and validation need the declarations alone, not the solvers' libraries."""
    code = (
        "import sys, asmrisk.scenario.population_parameters; "
        "print(*(m for m in ('scipy', 'pandas', 'numba') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_solutions_are_rounded_above_the_noise_of_math_libraries(records):
    """Nine digits, so that another processor's last bits cannot change a result."""
    for record in records:
        for name in ("episodes_log_mean", "episodes_floor_probability", "cost_spread", "cost_scale_usd"):
            assert record[name] == float(f"{record[name]:.9g}")
        assert (
            record.part_b_log_shape.ravel().tolist() == np.round(record.part_b_log_shape, 7).ravel().tolist()
        )


def test_rates_spread_about_their_median(values):
    wide, narrow, records = (
        population_records(values.replace(**{"population.rate_spread": times})) for times in (1.5, 0.5, 1.0)
    )
    given = np.isfinite(records.rate_quantile)
    median = np.broadcast_to(records.rate_quantile[..., 5:6], given.shape)[given]
    published = records.rate_quantile[given]
    np.testing.assert_allclose(narrow.rate_quantile[given], (median + published) / 2, rtol=1e-12)
    assert (wide.rate_quantile[given] >= 0.0).all()
    shares = given & (records.measure_kind == 1)[..., None, None]
    assert (wide.rate_quantile[shares] <= 1.0).all()
    assert np.ptp(wide.rate_quantile[given] - median) > np.ptp(published - median)
    assert np.isnan(wide.rate_quantile[~given]).all()
