"""Adjustment factors as drawn are those of the store."""

import numpy as np
import pytest

from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.adjustment_factors import adjustment_factors_chart
from asmrisk.charts.chart import Interval, Points
from asmrisk.charts.svg import svg
from tests.analysis.synthetic_results import LEVELS, UNCERTAINTY, results, with_origin


def marks_of(panel, kind):
    return [mark for mark in panel.marks if isinstance(mark, kind)]


@pytest.fixture
def given():
    return results(draws=50)


def test_ranges_and_medians_are_means_over_draws_of_the_percentiles(given):
    chart = adjustment_factors_chart(open_run_results(given))
    assert [panel.title for panel in chart.panels] == ["Heart failure", "Low back pain"]
    for cohort, panel in zip(given["cohort"].values, chart.panels, strict=True):
        percent = 100.0 * given["adjustment_factor_quantile"].sel(cohort=cohort).values
        by_level = dict(zip(LEVELS, np.average(percent, axis=0).T, strict=True))
        outer, inner = marks_of(panel, Interval)
        (median,) = marks_of(panel, Points)
        for found, level in (
            (outer.low, 0.05),
            (outer.high, 0.95),
            (inner.low, 0.25),
            (inner.high, 0.75),
            (median.y, 0.5),
        ):
            np.testing.assert_allclose(found, by_level[level], rtol=1e-12)
    assert len(chart.data) == 2 * 5 * 9


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (-0.05, "loses 5.00% in heart failure and 5.00% in low back pain"),
        (0.05, "gains 5.00% in heart failure"),
    ],
)
def test_the_headline_says_what_the_median_clinician_loses_or_gains(given, shift, words):
    quantiles = given["adjustment_factor_quantile"]
    # An error of 0.028 percentage points.
    luck = np.random.default_rng(1).normal(0.0, 0.002, (50, 5, 2, 1))
    luck -= luck.mean(axis=0)
    given["adjustment_factor_quantile"] = quantiles * 0.0 + shift + luck
    headline = adjustment_factors_chart(open_run_results(given)).headline
    assert words in headline.replace("5.000%", "5.00%")
    assert headline.startswith("Performance 2031, paid 2033: median clinician ")


def test_a_median_that_is_zero_is_said_to_be(given):
    luck = np.random.default_rng(1).normal(0.0, 0.002, (50, 5, 2, 1))
    given["adjustment_factor_quantile"] = given["adjustment_factor_quantile"] * 0.0 + luck - luck.mean(axis=0)
    headline = adjustment_factors_chart(open_run_results(given)).headline
    when = "Performance 2031, paid 2033: median clinician"
    assert headline == f"{when} neither gains nor loses in heart failure and in low back pain"


def test_one_draw_of_nothing_is_neither_a_gain_nor_a_loss(given):
    one = given.isel(draw=[0])
    one["adjustment_factor_quantile"] = one["adjustment_factor_quantile"] * 0.0
    headline = adjustment_factors_chart(open_run_results(one)).headline
    assert headline.endswith("neither gains nor loses in heart failure and in low back pain")


def test_a_cohort_without_clinicians_has_no_factor(given):
    quantiles = given["adjustment_factor_quantile"]
    given["adjustment_factor_quantile"] = (quantiles - 0.05).where(given["cohort"] == "heart_failure")
    chart = adjustment_factors_chart(open_run_results(given))
    assert chart.headline.endswith("% in heart failure, has no factor in low back pain")
    assert len(chart.headline) <= 120
    assert "n/a" not in chart.alternative
    assert "nan" not in chart.alternative
    svg(chart)


def test_one_draw_has_no_error(given):
    chart = adjustment_factors_chart(open_run_results(given.isel(draw=[0])))
    assert "standard error of n/a" in chart.notes[0]
    assert "1 draw," in chart.notes[0]
    one_set = with_origin(given.isel(draw=[0, 1]), uncertainty=UNCERTAINTY, draws_per_parameter_set=2)
    for some, start in ((given.isel(draw=[0]), "One draw"), (one_set, "One parameter set")):
        headline = adjustment_factors_chart(open_run_results(some)).headline
        assert headline.startswith(f"{start}, no errors: 2031, paid 2033: median ")
        assert len(headline) <= 120
