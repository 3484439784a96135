"""Rates and cases of the simulated field against CMS's benchmarks and the words of the model."""

import math

import numpy as np
import pytest
from scipy.special import bdtr, ndtr
from scipy.stats import binom

from tests.simulation.panels import one_year_each, simulate_panel
from tests.simulation.published import (
    BACK,
    BINOMIAL,
    CLAIMS,
    ECQM,
    HEART,
    INVERSE,
    MEASURES,
    MIPS_CQM,
    PERCENTS,
    deviations,
    mean_of,
    published,
    reported,
    segments,
)
from tests.simulation.statistical import ALPHA, assert_mean, assert_share, concordance


def at_most(count, cases, rate):
    """P(successes <= count), also where the count reaches the number of cases."""
    return np.where(count >= cases, 1.0, bdtr(np.minimum(count, cases - 1), cases, rate))


def binomial_share(cases, count, percentiles):
    """P(successes <= count) where the true rate has these percentiles (int64 arrays of cases and counts).

    The integral of the binomial's distribution function F(count; cases, rate) over the rate is
    rate F(count; cases, rate) + (count + 1) / (cases + 1) (1 - F(count + 1; cases + 1, rate)).
    """

    def integral(rate):
        beyond = 1 - at_most(count + 1, cases + 1, rate)
        return rate * at_most(count, cases, rate) + (count + 1) / (cases + 1) * beyond

    total = np.zeros(len(cases))
    for weight, low, high in segments(percentiles):
        if high > low:
            total += weight * (integral(high) - integral(low)) / (high - low)
        else:
            total += weight * at_most(count, cases, low)
    return total


def test_the_closed_form_is_the_integral():
    """The oracle itself, against a plain sum over true rates."""
    percentiles = published("q128", MIPS_CQM)
    u = (np.arange(200_000) + 0.5) / 200_000
    rate = np.interp(u, PERCENTS / 100, percentiles)
    for cases, count in ((30, 12), (7, 7), (1, 0), (200, 199)):
        direct = binom.cdf(count, cases, rate).mean()
        closed = binomial_share(np.array([cases]), np.array([count]), percentiles)[0]
        assert closed == pytest.approx(direct, abs=1e-8)


@pytest.mark.parametrize(("measure", "how"), BINOMIAL)
def test_rates_have_the_published_percentiles(field, measure, how):
    """Observed = Binomial(cases, true)/cases and true rates as published: shares below each percentile."""
    rows = reported(field, measure, how)
    cases, which = np.unique(rows[f"{measure}_cases"].to_numpy(), return_inverse=True)
    successes = rows[f"{measure}_rate"].to_numpy() * cases[which]
    assert np.abs(successes - np.rint(successes)).max() < 1e-9
    percentiles = published(measure, how)
    for rate in np.unique(percentiles):
        count = np.floor(cases * rate + 1e-9).astype(np.int64)
        expected = binomial_share(cases.astype(np.int64), count, percentiles)[which].mean()
        hits = int((np.rint(successes) <= count[which]).sum())
        assert_share(hits, len(rows), expected)


@pytest.fixture(scope="module")
def many_cases(load_strangers):
    """A field with hundreds of cases an episode."""
    factors = ", ".join(f"{name} = 20.0" for names in MEASURES for name in names)
    return one_year_each([simulate_panel(load_strangers(f"population.cases_per_episode={{{factors}}}"), 0)])


@pytest.mark.parametrize(("measure", "how"), BINOMIAL)
def test_with_very_many_cases_observed_rates_are_the_published_ones(many_cases, measure, how):
    """Hundreds of cases an episode: the observed distribution itself reaches CMS's percentiles.

    Noise of n cases moves a rate by at most .5/sqrt(n): the share below a percentile lies between the
    published distribution functions 6 such deviations lower and higher (beyond which lies 1e-9).
    """
    rows = reported(many_cases, measure, how)
    percentiles = published(measure, how)
    rates, cases = rows[f"{measure}_rate"].to_numpy(), rows[f"{measure}_cases"].to_numpy()
    for percent, rate in zip(PERCENTS, percentiles, strict=True):
        if not (percentiles[0] < rate < percentiles[-1]) or np.sum(percentiles == rate) > 1:
            continue
        slack = 6 * np.sqrt(rate * (1 - rate) / cases) + 36 / cases
        low = np.interp(rate - slack, percentiles, PERCENTS / 100).mean()
        high = np.interp(rate + slack, percentiles, PERCENTS / 100).mean()
        assert low <= percent / 100 <= high
        hits = int((rates <= rate).sum())
        assert binom.sf(hits - 1, len(rows), high) > ALPHA
        assert binom.cdf(hits, len(rows), low) > ALPHA


def test_q236_has_cms_mean_as_mips_cqm(field):
    """68.71%: an observed rate is unbiased whatever the number of cases."""
    rows = reported(field, "q236", MIPS_CQM)
    assert_mean(rows.q236_rate, 0.6871)


def test_q492_has_the_published_marginal_at_every_number_of_cases(field):
    """The rate is shrunk, so its distribution does not depend on the cases; they make it persist."""
    percentiles = published("q492", CLAIMS)
    rows = reported(field, "q492", CLAIMS)
    assert len(rows) > 0.999 * (field.cohort == HEART).sum()
    groups = np.digitize(rows.q492_cases, rows.q492_cases.quantile([0.2, 0.4, 0.6, 0.8]))
    for group in range(5):
        rates = rows.q492_rate[groups == group].to_numpy()
        for percent, rate in zip(PERCENTS, percentiles, strict=True):
            hits = int((rates <= rate).sum()) if percent < 99 else int((rates < rate).sum())
            assert_share(hits, rates.size, percent / 100)
    assert rows.q492_rate.min() == percentiles[0]
    assert rows.q492_rate.max() == percentiles[-1]


@pytest.mark.parametrize("lag", [1, 4])
def test_q492_persists_as_its_cases_allow(pairs, lag):
    """Correlation of normal scores .9^lag sqrt(R1 R2), R = n / (n + 37 (1 - .6) / .6)."""
    both = pairs[lag][pairs[lag].cohort == HEART]
    both = both[(both.q492_cases1 > 0) & (both.q492_cases2 > 0)]
    median = published("q492", CLAIMS)[5]
    weights = [both[f"q492_cases{k}"] / (both[f"q492_cases{k}"] + 37 * 0.4 / 0.6) for k in (1, 2)]
    expected = [concordance(0.9**lag * math.sqrt(a * b)) for a, b in zip(*weights, strict=True)]
    agree = int(((both.q492_rate1 > median) == (both.q492_rate2 > median)).sum())
    assert_share(agree, len(both), float(np.mean(expected)))
    # Whether the weight is the number of cases' own: few and many apart.
    many = np.minimum(*weights) > np.median(np.minimum(*weights))
    for some in (many, ~many):
        agree = int(((both.q492_rate1 > median) == (both.q492_rate2 > median))[some].sum())
        assert_share(agree, int(some.sum()), float(np.mean(np.array(expected)[some])))


GRID = np.linspace(-6, 6, 301)


def product(first, second, correlation):
    """E[(Q1(z1) - m1) (Q2(z2) - m2)] of two rates with correlated normal scores, by the trapezoidal rule."""
    x, y = GRID[:, None], GRID[None, :]
    rest = 1 - correlation**2
    density = np.exp(-(x * x - 2 * correlation * x * y + y * y) / (2 * rest))
    values = [np.interp(ndtr(GRID), PERCENTS / 100, each) - mean_of(each) for each in (first, second)]
    return float(values[0] @ density @ values[1] / density.sum())


@pytest.mark.parametrize("lag", [1, 4])
@pytest.mark.parametrize(("measure", "how"), BINOMIAL)
def test_quality_persists(pairs, measure, how, lag):
    """AR(1), .9: given true rates, two years' observed rates are independent and unbiased."""
    both = reported(reported(pairs[lag], measure, how, "1"), measure, how, "2")
    percentiles = published(measure, how)
    together = deviations(both, measure, how, "1") * deviations(both, measure, how, "2")
    assert_mean(together, product(percentiles, percentiles, 0.9**lag))


@pytest.mark.parametrize(
    ("first", "second", "how"),
    [
        ("q008", "q005", ECQM),
        ("q005", "q236", ECQM),
        ("q236", "q377", ECQM),
        ("q134", "q128", ECQM),
        ("q134", "q128", MIPS_CQM),
        ("q238", "q128", ECQM),
        ("q238", "q134", ECQM),
        ("q128", "q220", MIPS_CQM),
    ],
)
def test_measures_share_a_fifth_of_their_variance(field, first, second, how):
    """One general factor, loading^2 .2; an inverse measure falls where the others rise."""
    rows = reported(reported(field, first, how), second, how)
    sign = -1 if first in INVERSE else 1
    together = deviations(rows, first, how) * deviations(rows, second, how)
    assert_mean(together, product(published(first, how), published(second, how), 0.2 * sign))


def test_q492_shares_quality_too(field):
    """An inverse measure, and shrunk: the correlation is -.2 sqrt(R_n)."""
    rows = reported(reported(field, "q236", ECQM), "q492", CLAIMS)
    grid = np.linspace(0.05, 1, 40)
    expected = [product(published("q492", CLAIMS), published("q236", ECQM), -0.2 * r) for r in grid]
    weight = np.sqrt(rows.q492_cases / (rows.q492_cases + 37 * 0.4 / 0.6))
    together = deviations(rows, "q492", CLAIMS) * deviations(rows, "q236", ECQM)
    assert_mean(together - np.interp(weight, grid, expected), 0.0)


def test_cases(field, pairs):
    """Poisson around factor x expected episodes x a permanent level (lognormal, SD .15, mean 1)."""
    factors = (1, 0.9, 0.9, 6, 2), (4, 5, 5, 1)
    for cohort, measure_factors in enumerate(factors):
        rows, both = field[field.cohort == cohort], pairs[1][pairs[1].cohort == cohort]
        for measure, factor in zip(MEASURES[cohort], measure_factors, strict=False):
            ratio = rows[f"{measure}_cases"] / (factor * rows.level)
            assert_mean(ratio, 1.0)
            poisson = 1 / (factor * rows.level)
            assert_mean((ratio - 1) ** 2 - poisson * 1.0, math.expm1(0.15**2))
            common = [both[f"{measure}_cases{k}"] / (factor * both.level1) - 1 for k in (1, 2)]
            assert_mean(common[0] * common[1], math.expm1(0.15**2))


def test_mri_is_an_inverse_claims_measure(load_strangers):
    """Where it is in the set: everybody is computed, and good quality elsewhere means low rates."""
    rows = simulate_panel(
        load_strangers('policy.measures={low_back_pain=["q238","q134","q128","q220","mri"]}'), 0
    )
    rows = rows[(rows.cohort == BACK) & (rows.year == 0)]
    assert (rows.mri_collection_type == CLAIMS).all()
    assert_mean(rows.mri_cases / (0.3 * rows.level), 1.0)
    some = rows[rows.mri_cases > 0]
    percentiles = np.array([0.12, 0.24, 0.29, 0.325, 0.355, 0.38, 0.405, 0.435, 0.47, 0.53, 0.70])
    assert_mean(some.mri_rate, mean_of(percentiles))
    some = reported(some, "q134", ECQM)
    together = (some.mri_rate - mean_of(percentiles)) * deviations(some, "q134", ECQM)
    assert_mean(together, product(percentiles, published("q134", ECQM), -0.2))
