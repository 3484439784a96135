"""Who takes part in the simulated field, against the published facts: numbers, episodes, exits, entrants."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from tests.simulation.panels import pairs_of
from tests.simulation.published import BACK, HEART, YEARS
from tests.simulation.statistical import ALPHA, assert_mean, assert_normal, assert_share


def test_the_published_number_is_measured_in_every_year(baseline_block):
    """8,600 a year from the first, 39.3% heart failure; a cohort's slots are whole: half a clinician off."""
    participants = baseline_block["participants"].astype(float)
    for year in range(YEARS):
        assert_mean(participants[:, year].sum(axis=1), 8600)
        assert_mean(participants[:, year, HEART], 0.393 * 8600)


def test_the_number_measured_varies_as_independent_clinicians_make_it(baseline_block, episodes):
    """Binomial over slots; 40 draws."""
    for cohort, expected in enumerate((0.393 * 8600, 0.607 * 8600)):
        counts = baseline_block["participants"][:, 2, cohort]
        measured = episodes[cohort].enough.mean()
        statistic = counts.var(ddof=1) * (len(counts) - 1) / (expected * (1 - measured))
        tail = min(chi2.cdf(statistic, len(counts) - 1), chi2.sf(statistic, len(counts) - 1))
        assert 2 * tail > ALPHA


def test_episodes_and_their_spending_are_the_published_totals(baseline_block):
    """600,000 and $2.8 billion, to the digits published; within them the model's own expectation."""
    episodes = baseline_block["episodes"].astype(float)
    for year in range(YEARS):
        assert_mean(episodes[:, year].sum(axis=1), 8600 * (0.393 * 37 + 0.607 * 91))
    assert episodes.sum(axis=2).mean() == pytest.approx(600_000, rel=0.005)
    assert np.mean(episodes[..., HEART] / episodes.sum(axis=2)) == pytest.approx(0.21, abs=0.005)
    spending = baseline_block["episode_spending"][:, 0].sum(axis=1)
    assert spending.mean() == pytest.approx(2.8e9, abs=0.05e9)


def test_episodes_are_distributed_as_the_model_says(field, episodes):
    for cohort, published_share in enumerate((0.18, 0.024)):
        counts = field.episodes[field.cohort == cohort].to_numpy()
        expected = episodes[cohort]
        assert expected.measured_below(20) == pytest.approx(published_share, abs=0.5 * 10 ** (-2 - cohort))
        for count in (10, 15, 20, 30, 50, 100, 200, 400):
            assert_share(int((counts < count).sum()), counts.size, expected.measured_below(count))


def test_a_years_episodes_have_their_own_shock(unselected):
    """Counts of two years of one clinician have in common the level alone: E[n1 n2] = E[level^2]."""
    together = pairs_of(unselected, 1)
    for cohort in (HEART, BACK):
        some = together[together.cohort == cohort]
        assert_mean((some.episodes1 - some.level1) * (some.episodes2 - some.level1), 0.0)
        # Variance given the level: Poisson, and the square of the level times exp(.2^2) - 1.
        excess = (some.episodes1 - some.level1) ** 2 - some.level1 - some.level1**2 * math.expm1(0.04)
        assert_mean(excess / some.level1**2, 0.0)


def test_few_clinicians_leave_and_all_are_replaced(panels, field):
    """2.6% a year: of those measured, 1 - .974^2 are gone in the payment year."""
    for cohort in (HEART, BACK):
        paid = field.payment_year_part_b[field.cohort == cohort]
        assert_share(int((paid == 0).sum()), paid.size, 1 - 0.974**2)
    for panel in panels:
        assert ((panel.payment_year_part_b == 0) == (panel.leaves <= panel.year + 2)).all()
        assert (panel.year < panel.leaves).all()
        assert (panel.entered <= panel.year).all()
        assert ((panel.generation == 0) == (panel.entered == 0)).all()
        # One clinician a slot, and nobody comes back.
        assert not panel.duplicated(["cohort", "year", "slot"]).any()
        ordered = panel.sort_values(["cohort", "slot", "year"])
        same = ordered.slot.eq(ordered.slot.shift()) & ordered.cohort.eq(ordered.cohort.shift())
        assert (ordered.generation.diff()[same] >= 0).all()
    first_leave = pd.concat([panel[(panel.year == 0)] for panel in panels])
    for year in range(1, 7):
        assert_share(int((first_leave.leaves == year).sum()), len(first_leave), 0.974 ** (year - 1) * 0.026)


def test_entrants_are_like_everybody_else(panels, episodes):
    """New clinicians bring a history of their own: as many are measured, with as many episodes."""
    for cohort in (HEART, BACK):
        rows = pd.concat([panel[(panel.cohort == cohort) & (panel.year == 4)] for panel in panels])
        fresh = rows[rows.entered > 0]
        assert_share(len(fresh), len(rows), 1 - 0.974**4)
        for count in (20, 40, 80):
            expected = episodes[cohort].measured_below(count)
            assert_share(int((fresh.episodes < count).sum()), len(fresh), expected)
        assert_normal((np.log(fresh.hcc_risk_score) - 0.3807) / 0.4646, variance=1.0)


def test_payment_year_dollars_are_the_same_clinicians_two_years_later(panels):
    for panel in panels:
        early = panel[panel.year < 3].assign(year=lambda rows: rows.year + 2)
        keys = ["cohort", "slot", "generation", "year"]
        both = early.merge(panel, on=keys, suffixes=("", "_then"))
        assert len(both) > 10_000
        assert both.payment_year_part_b.equals(both.part_b_payments_then)
