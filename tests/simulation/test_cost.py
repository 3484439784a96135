"""Cost of the simulated field and its response to the incentive, against the published facts."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from asmrisk.simulation.model import Model, simulate_block
from tests.simulation.panels import DRAWS, simulate_panel
from tests.simulation.published import (
    BACK,
    BINOMIAL,
    ECQM,
    FINE,
    FINE_WEIGHTS,
    HEART,
    INVERSE,
    MEASURES,
    PERCENTS,
    SCORES,
    cost_shape,
    deviations,
    published,
    reported,
)
from tests.simulation.statistical import assert_mean, assert_normal, assert_share, concordance

#: CMS's episode-based cost measures, performance year 2025: median and SD; reliability is assumed.
COST = ((14429.9, 3879.43, 0.7, 37), (1947.21, 618.48, 0.8, 91))


@pytest.mark.parametrize("cohort", [HEART, BACK])
def test_observed_costs_have_cms_median_and_deviation(first_year, cohort):
    median, deviation, _, _ = COST[cohort]
    rows = first_year[(first_year.cohort == cohort) & (first_year.episodes >= 20)]
    cost = rows.cost_per_episode.to_numpy()
    assert_share(int((cost <= median).sum()), cost.size, 0.5)
    # The squares around the mean, so that the deviation's own standard error counts the long tail.
    assert_mean((cost - cost.mean()) ** 2 * cost.size / (cost.size - 1), deviation**2)


@pytest.mark.parametrize("cohort", [HEART, BACK])
def test_true_cost_has_the_published_shape_and_noise_the_stated_reliability(strangers, first_year, cohort):
    _, _, reliability, mean_episodes = COST[cohort]
    rows = first_year[first_year.cohort == cohort]
    record = Model(strangers).inputs.population[cohort]
    shape = cost_shape()
    score = np.interp(np.log(rows.true_cost / record.cost_scale_usd) / record.cost_spread, shape, SCORES)
    assert_normal(score)
    rows = rows[rows.episodes > 0]
    noise = np.log(rows.cost_per_episode / rows.true_cost) * np.sqrt(rows.episodes)
    # R = b^2 / (b^2 + v / mean episodes); the shape has variance 1.
    assert_normal(noise, variance=record.cost_spread**2 * mean_episodes * (1 - reliability) / reliability)


@pytest.mark.parametrize("lag", [1, 4])
def test_cost_persists(strangers, pairs, lag):
    for cohort in (HEART, BACK):
        both = pairs[lag][pairs[lag].cohort == cohort]
        median = cost_median(strangers, cohort)
        agree = int(((both.true_cost1 > median) == (both.true_cost2 > median)).sum())
        assert_share(agree, len(both), concordance(0.9**lag))


def cost_median(strangers, cohort):
    record = Model(strangers).inputs.population[cohort]
    return record.cost_scale_usd * math.exp(record.cost_spread * np.interp(0, SCORES, cost_shape()))


def test_better_quality_goes_with_lower_cost(strangers, field):
    """Correlation -.1 of latent cost with the general factor, so -.1 sqrt(.2) with a measure's quality."""
    shape = cost_shape()
    products = []
    for cohort in (HEART, BACK):
        rows = field[field.cohort == cohort]
        record = Model(strangers).inputs.population[cohort]
        score = np.interp(np.log(rows.true_cost / record.cost_scale_usd) / record.cost_spread, shape, SCORES)
        quality = np.full((len(rows), 5), np.nan)
        for measure, how in BINOMIAL:
            if measure in MEASURES[cohort]:
                some = (rows[f"{measure}_collection_type"] == how) & (rows[f"{measure}_cases"] > 0)
                percentiles = published(measure, how)
                # E[(Q(z) - m) x] = r E[(Q(z) - m) z] of a score x that has correlation r with z.
                values = np.interp(ndtr(FINE), PERCENTS / 100, percentiles) * FINE
                slope = float(values @ FINE_WEIGHTS) * (-1 if measure in INVERSE else 1)
                place = MEASURES[cohort].index(measure)
                quality[some, place] = deviations(rows[some], measure, how) / slope
        told = ~np.isnan(quality).all(axis=1)
        products.append(np.nanmean(quality[told], axis=1) * score[told])
    assert_mean(np.concatenate(products), -0.1 * math.sqrt(0.2))


@pytest.fixture(scope="module")
def unmoved(load_strangers):
    """Draw 0 with the same coins and no response."""
    return simulate_panel(load_strangers("behavior.cost_response=0.0"), 0)


#: Share of cost that everybody's response removes a year.
RESPONSE = 0.00133333333


def expected_response(panel):
    """Cost over cost without response: each year 0.1333% off, twice that after a loss two years before."""
    factor = panel.set_index(["cohort", "slot", "generation", "year"]).factor.to_dict()
    result = []
    for row in panel.itertuples():
        multiplier = 1.0
        for year in range(row.entered, row.year + 1):
            before = factor.get((row.cohort, row.slot, row.generation, year - 2), 0.0)
            multiplier *= 1 - RESPONSE * (2 if before < 0 else 1)
        result.append(multiplier)
    return np.array(result)


def test_costs_respond_exactly(panels, unmoved):
    """Under common random numbers cost is that without response times the model's multipliers."""
    panel = panels[0]
    assert panel[["slot", "year", "episodes"]].equals(unmoved[["slot", "year", "episodes"]])
    expected = expected_response(panel)
    assert (expected[panel.entered == panel.year] == 1 - RESPONSE).all()
    # 1 to 5 years of response, of which from the third on any may follow a loss: 1 + 1 + 2 + 3 + 4.
    assert len(np.unique(np.round(expected, 9))) == 11
    ratio = (panel.cost_per_episode / unmoved.cost_per_episode).to_numpy()
    seen = panel.episodes > 0
    # Four roundings of half a unit in the last place.
    np.testing.assert_allclose(ratio[seen], expected[seen], rtol=4 * 2.0**-52)
    # All other observations of all years are untouched, to the bit.
    others = panel.columns.difference(["cost_per_episode", "factor"])
    pd.testing.assert_frame_equal(panel[others], unmoved[others], check_exact=True)


def test_episode_savings_are_medicares_share_of_what_episodes_cost_less(strangers, panels):
    """Over measured clinicians: episodes x (no-model - true cost) x .85."""
    block = simulate_block(Model(strangers), 0, len(DRAWS))
    for draw, panel in zip(DRAWS, panels, strict=True):
        saved = 0.85 * panel.episodes * panel.true_cost * (1 - expected_response(panel))
        for (cohort, year), rows in saved.groupby([panel.cohort, panel.year]):
            recorded = block["episode_savings"][draw, year, cohort]
            # 1 - multiplier loses up to 2e-13 of itself: it is .0013 and above.
            assert recorded == pytest.approx(math.fsum(rows), rel=1e-12)


def test_trends_compound_from_the_first_year(load_strangers, unmoved):
    """Growth of Part B and of cost and the rise of quality: the same coins, by the stated factors."""
    moved = simulate_panel(
        load_strangers(
            "behavior.cost_response=0.0",
            "behavior.cost_growth=0.03",
            "behavior.part_b_growth={heart_failure=0.02, low_back_pain=-0.015}",
            "behavior.quality_learning={heart_failure=0.1, low_back_pain=0.0}",
        ),
        0,
    )
    year = unmoved.year.to_numpy()
    growth = np.where(unmoved.cohort == HEART, 1.02, 0.985)
    np.testing.assert_allclose(moved.part_b_payments, unmoved.part_b_payments * growth**year, rtol=1e-14)
    later = unmoved.payment_year_part_b * growth ** (year + 2)
    np.testing.assert_allclose(moved.payment_year_part_b, later, rtol=1e-14)
    np.testing.assert_allclose(moved.true_cost, unmoved.true_cost * 1.03**year, rtol=1e-14)
    np.testing.assert_allclose(moved.cost_per_episode, unmoved.cost_per_episode * 1.03**year, rtol=1e-14)
    for measure in MEASURES[HEART]:
        rise = moved[f"{measure}_rate"] - unmoved[f"{measure}_rate"]
        rise = -rise if measure in INVERSE else rise
        assert (rise[year == 0].dropna() == 0).all()
        assert rise.min() >= 0
    for measure in ("q005", "q236", "q377"):
        rates = reported(moved[year == 4], measure, ECQM)[f"{measure}_rate"]
        assert_mean(
            rates, np.interp(ndtr(FINE + 0.4), PERCENTS / 100, published(measure, ECQM)) @ FINE_WEIGHTS
        )
    for measure in MEASURES[BACK][:4]:
        assert moved[f"{measure}_rate"].equals(unmoved[f"{measure}_rate"])
