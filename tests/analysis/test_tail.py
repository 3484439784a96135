"""Tail risk: plain formulas, exact coverage, brute-force repetition, exceedance curves and their bands."""

import json
import math
import re
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, expon, norm

from asmrisk.analysis.estimates import ranks
from asmrisk.analysis.exceedance import LEVELS, exceedance
from asmrisk.analysis.summary import summarize
from asmrisk.analysis.tail import (
    FewDrawsWarning,
    check_tail,
    probability,
    sets_needed,
    tail_risk,
    tail_value_at_risk,
    warn_of_few_draws,
)
from asmrisk.errors import InputError

RUNS, DRAWS = 20_000, 400


@pytest.fixture(scope="module")
def runs():
    """Draws by run: an exponential loss, skewed as dollars are."""
    return np.random.default_rng(20310101).exponential(size=(DRAWS, RUNS))


def rejects(covered, at_least, at_most=1.0):
    """Whether the number of covering runs contradicts the coverage; wrong once in a million tests."""
    count = int(np.sum(covered))
    return binom.cdf(count, RUNS, at_least) < 1e-6 or binom.sf(count - 1, RUNS, at_most) < 1e-6


# --- probabilities ------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(count=st.integers(1, 400), share=st.floats(0, 1), confidence=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_probabilities_have_the_exact_binomial_interval(count, share, confidence):
    hits = round(share * count)
    found = probability(np.arange(count) < hits, confidence)
    expected = binomtest(hits, count).proportion_ci(confidence, method="exact")
    assert found.value == hits / count
    assert found.draws == count
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)
    if count > 1:
        assert found.error == pytest.approx(math.sqrt(hits / count * (1 - hits / count) / (count - 1)))


@pytest.mark.parametrize("truth", [0.004, 0.05, 0.5, 0.97])
def test_probabilities_are_covered(truth):
    hits = np.random.default_rng(5).binomial(DRAWS, truth, RUNS)
    lows, highs = np.empty(DRAWS + 1), np.empty(DRAWS + 1)
    for count in range(DRAWS + 1):
        found = probability(np.arange(DRAWS) < count)
        lows[count], highs[count] = found.low, found.high
    counts = np.arange(DRAWS + 1)
    exact = binom.pmf(counts, DRAWS, truth)[(lows <= truth) & (truth <= highs)].sum()
    assert exact >= 0.95
    assert not rejects((lows[hits] <= truth) & (truth <= highs[hits]), exact - 1e-12, exact + 1e-12)


def test_draws_without_an_answer_are_left_out():
    found = probability([[1.0, np.nan], [0.0, np.nan], [np.nan, np.nan]])
    assert found.draws.tolist() == [2, 0]
    assert found.value[0] == 0.5
    assert np.isnan([found.value[1], found.low[1], found.high[1]]).all()


# --- value at risk and the mean beyond it -------------------------------------------------------------------


@given(
    values=st.lists(st.integers(-1000, 1000), min_size=50, max_size=120),
    level=st.sampled_from([0.18, 0.2, 0.25, 0.4]),
)
def test_the_mean_of_the_worst_counts_the_last_of_them_in_part(values, level):
    weight = level * len(values)
    total, left = 0.0, weight
    for value in sorted(values):
        total += min(left, 1.0) * value
        left -= min(left, 1.0)
    low = tail_risk(np.array(values, float), level)
    if weight < 20:
        assert np.isnan(low).all()
        return
    assert low.mean == pytest.approx(total / weight, rel=1e-9, abs=1e-6)
    assert low.value == pytest.approx(np.quantile(values, level), abs=1e-9)
    # The upper tail is the lower one of the negative.
    high = tail_risk(-np.array(values, float), level, high_is_worse=True)
    assert high.mean == pytest.approx(-float(low.mean), abs=1e-9)
    assert high.value == pytest.approx(-float(low.value), abs=1e-9)
    np.testing.assert_allclose([high.low, high.high], [-low.high, -low.low])


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_value_at_risk_is_covered_with_its_exact_probability(runs, level):
    found = tail_risk(runs, level, high_is_worse=True)
    truth = expon.ppf(1 - level)
    lower, upper = ranks(DRAWS, 1 - level)
    exact = binom.cdf(upper - 1, DRAWS, 1 - level) - binom.cdf(lower - 1, DRAWS, 1 - level)
    assert exact >= 0.95
    assert not rejects((found.low <= truth) & (truth <= found.high), exact, exact)


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_the_error_of_the_tail_mean_is_its_spread_over_repeated_runs(runs, level):
    found = tail_risk(runs, level, high_is_worse=True)
    # Beyond the quantile q an exponential is q plus an exponential.
    truth = expon.ppf(1 - level) + 1
    spread = np.std(found.mean, ddof=1)
    claimed = math.sqrt(np.mean(found.mean_error**2))
    # The spread of 20,000 runs is known to 0.5%. The estimates' own bias is of the order of one over the
    # draws in the tail (20 and 80); so is that of the variance.
    inside = level * DRAWS
    assert claimed == pytest.approx(spread, rel=1.5 / inside)
    assert np.mean(found.mean) == pytest.approx(truth, abs=0.5 / inside + 5 * spread / math.sqrt(RUNS))
    # Asymptotically: var = (variance beyond q + (1 - level)(mean beyond - q)²) / (n level).
    assert spread == pytest.approx(math.sqrt((1 + (1 - level)) / (DRAWS * level)), rel=1.5 / inside)


def test_a_tail_of_fewer_than_twenty_sets_is_not_estimated():
    x = np.random.default_rng(2).normal(size=(1000, 2))
    x[:1, 1] = np.nan
    of_draws = tail_risk(x, 0.02)
    assert np.isfinite([part[0] for part in of_draws]).all()
    assert np.isnan([part[1] for part in of_draws]).all()
    # 1,000 draws of 500 parameter sets: ten are in that tail, and twenty in one of twice the probability.
    sets = np.arange(1000) // 2
    assert np.isnan(tail_risk(x, 0.02, sets=sets)).all()
    assert np.isnan(tail_value_at_risk(x, 0.98, sets)).all()
    assert np.isfinite(tail_risk(x, 0.04, sets=sets)).all()
    assert tail_risk(np.full(400, 3.0), 0.05) == (3.0, 3.0, 3.0, 3.0, 0.0)
    assert np.isnan(tail_risk(np.full(399, 3.0), 0.05)).all()
    assert np.isnan(tail_risk(np.zeros(0), 0.05)).all()


# --- which tails are not estimated --------------------------------------------------------------------------


def test_the_rule_is_twenty_sets_in_the_tail():
    for level in (0.3, 0.05, 0.01, 0.001, 1 / 3):
        needed = sets_needed(level)
        assert needed * level >= 20 - 1e-9
        assert (needed - 1) * level < 20
        for per_set, words in (
            (1, f"{needed:,} draws are needed"),
            (4, f"{needed:,} parameter sets ({4 * needed:,} draws) are needed"),
        ):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                # The last set may be incomplete.
                warn_of_few_draws([level], (needed - 1) * per_set + 1, per_set)
            with pytest.warns(FewDrawsWarning, match=re.escape(words)):
                warn_of_few_draws([level], (needed - 1) * per_set, per_set)
        # With as many sets there is an interval between order statistics.
        assert ranks(needed, level)[0] > 0


def test_probabilities_of_tails_are_checked():
    assert check_tail([0.01, 0.05, 0.01]) == (0.05, 0.01)
    with pytest.raises(InputError) as caught:
        check_tail([0.0, 0.05, 0.5, -1, math.nan, True, "x"])
    assert len(caught.value.problems) == 6
    assert all("0.05" in each and "tail: " in each for each in map(str, caught.value.problems))


# --- in a summary -------------------------------------------------------------------------------------------


def program(draws=500, seed=3):
    """Savings and adjustments by year and cohort, correlated over the years of a draw."""
    rng = np.random.default_rng(seed)
    shape = (draws, 5, 2)
    luck = rng.normal(0, 3e6, (draws, 1, 1))
    coordinates = {
        "draw": np.arange(draws),
        "performance_year": [2027, 2028, 2029, 2030, 2031],
        "cohort": ["heart_failure", "low_back_pain"],
    }
    dims = ("draw", "performance_year", "cohort")
    return xr.Dataset(
        {
            "medicare_savings": (dims, 4e6 + luck + rng.normal(0, 1e6, shape)),
            "penalized_share": (dims, rng.uniform(0.4, 0.6, shape)),
            "scored": (dims, rng.integers(100, 200, shape).astype(np.int32)),
        },
        coords=coordinates,
    )


def test_a_summary_tells_of_the_worst_draws_of_whole_runs():
    results = program()
    summary = summarize(results, metrics=["medicare_savings", "penalized_share"], tail=[0.1, 0.05])
    total = results.medicare_savings.values.sum(axis=(1, 2))
    worst = np.sort(total)
    row = summary.dataset.medicare_savings

    def told(name):
        return float(row.sel(statistic=name))

    assert told("worst_5") == pytest.approx(np.quantile(total, 0.05))
    assert told("worst_5_mean") == pytest.approx(worst[:25].mean())
    assert told("worst_10_mean") == pytest.approx(worst[:50].mean())
    lower, upper = ranks(500, 0.05)
    assert (told("worst_5_low"), told("worst_5_high")) == (worst[lower - 1], worst[upper - 1])
    lost = int((total < 0).sum())
    assert 0 < lost < 250
    interval = binomtest(lost, 500).proportion_ci(method="exact")
    assert told("below_zero") == lost / 500
    assert (told("below_zero_low"), told("below_zero_high")) == pytest.approx((interval.low, interval.high))
    # For shares of clinicians penalized the bad draws are those with large ones.
    weight = results.scored.values
    share = (results.penalized_share.values * weight).sum(axis=(1, 2)) / weight.sum(axis=(1, 2))
    found = summary.dataset.penalized_share.sel(statistic="worst_5_mean")
    assert float(found) == pytest.approx(np.sort(share)[-25:].mean())
    text = summary.to_text()
    assert "The worst 10% of draws" in text
    assert "The worst 5% of draws" in text
    assert "Probability of less than $0" in text
    assert max(map(len, text.splitlines())) <= 80
    records = json.loads(summary.to_json())["estimates"]
    assert records[0]["worst_5_mean"] == told("worst_5_mean")
    assert "worst_10_mean_error" in summary.to_csv().splitlines()[0]


def test_a_summary_warns_of_few_draws_in_the_tail():
    with pytest.warns(FewDrawsWarning, match=r"a tail of 1% holds 5 of 500 draws.*2,000 draws are needed"):
        summarize(program(), metrics=["medicare_savings"], tail=[0.05, 0.01])


# --- exceedance curves --------------------------------------------------------------------------------------


def test_points_of_a_curve_have_exact_binomial_bands():
    results = program()
    total = results.medicare_savings.values.sum(axis=(1, 2))
    points = [-1e7, 0.0, 4e7, 1e9]
    report = exceedance(results, ["medicare_savings"], points=points)
    curve = report.dataset.medicare_savings
    for place, point in enumerate(points):
        hits = int((total > point).sum())
        interval = binomtest(hits, 500).proportion_ci(method="exact")
        one = curve.isel(threshold=place).to_series()
        assert one.probability == hits / 500
        assert (one.probability_low, one.probability_high) == pytest.approx((interval.low, interval.high))
        assert one.draws == 500
    assert curve.threshold.attrs["units"] == "USD"
    assert [row["threshold"] for row in json.loads(report.to_json())["exceedance"]] == points
    assert "\nmore than 1,000 " in report.to_text()


def test_levels_of_a_curve_have_order_statistics_as_bands():
    results = program()
    curve = exceedance(results, ["medicare_savings"], by=["year"], levels=[0.9, 0.5, 0.001])
    curve = curve.dataset.medicare_savings
    assert curve.dims == ("statistic", "exceedance", "performance_year")
    for year in range(5):
        ordered = np.sort(results.medicare_savings.values[:, year].sum(axis=1))
        for place, level in ((0, 0.9), (1, 0.5)):
            lower, upper = ranks(500, 1 - level)
            one = curve.isel(exceedance=place, performance_year=year).to_series()
            assert one.value == pytest.approx(np.quantile(ordered, 1 - level))
            assert (one.value_low, one.value_high) == (ordered[lower - 1], ordered[upper - 1])
        assert np.isnan(curve.sel(statistic="value_high").isel(exceedance=2)).all()
    usual = exceedance(results, ["medicare_savings"]).dataset
    assert usual.exceedance.values.tolist() == list(LEVELS)


def test_years_of_a_draw_belong_together():
    # Perfectly correlated years: the spread of the sum is five times that of one, not √5 times.
    z = norm.ppf((np.arange(1000) + 0.5) / 1000)
    cells = np.broadcast_to(z[:, None, None], (1000, 5, 2))
    results = xr.Dataset({"medicare_savings": (("draw", "performance_year", "cohort"), cells)})
    one, whole = (
        exceedance(results, ["medicare_savings"], by=by, levels=[0.1]).dataset.medicare_savings.values[0, 0]
        for by in (["year"], [])
    )
    one = one[0]
    assert whole == pytest.approx(5 * one)


def test_curves_as_text_and_tables():
    curves = exceedance(program(), metrics=["medicare_savings"], by=["year"], tail=[0.04])
    text = curves.to_text()
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("Medicare savings, $ million: 20") == 5
    table = curves.to_dataframe()
    assert len(table) == 5 * (len(LEVELS) + 2)
    assert table["performance_year"].is_monotonic_increasing
    found = table[(table["performance_year"] == 2028) & (table["exceedance"] == 0.5)].iloc[0]
    assert found["value"] == pytest.approx(np.median(program().medicare_savings.values[:, 1].sum(axis=1)))
    assert json.loads(curves.to_json())["exceedance"][0]["value"] == table["value"].iloc[0]
    assert len(curves.to_csv().splitlines()) == len(table) + 1


def test_curves_that_cannot_be_given_are_refused():
    results = program(20)
    for wrong, words in (
        ({"levels": [0.5], "points": [1.0]}, "not both"),
        ({"levels": [0.5, 1.0]}, "between 0 and 1"),
        ({"levels": []}, "levels: must be at least one"),
        ({"points": ["x"]}, "finite numbers"),
        ({"points": [math.inf]}, "finite numbers"),
        ({"confidence": 1.0}, "confidence"),
        ({"by": ["yeer"]}, "did you mean year"),
    ):
        with pytest.raises(InputError, match=words):
            exceedance(results, ["medicare_savings"], **wrong)
    with pytest.raises(InputError, match=r"did you mean medicare_savings\?"):
        exceedance(results, ["medicare_saving"])
    with pytest.raises(InputError, match="points: are of one metric"):
        exceedance(results, points=[1.0])
    with pytest.raises(InputError, match="these have none"):
        exceedance(results, ["roster_net_adjustment"])
    with pytest.raises(InputError, match="clinician_net_adjustment is not kept by cohort"):
        exceedance(results, ["clinician_net_adjustment"], by=["cohort"])
