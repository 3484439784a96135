"""Fifty futures: dots of equally likely draws, and what nine in ten of all draws lie between."""

import numpy as np
import pytest

from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.chart import Points
from asmrisk.charts.futures import futures_chart
from tests.analysis.synthetic_results import results

DRAWS = 200


@pytest.fixture(scope="module")
def run():
    return open_run_results(results(DRAWS))


def dots(chart):
    points = [each for each in chart.panels[0].marks if isinstance(each, Points)]
    return {each.tone: each.x for each in points}


def test_dots_and_ends_are_those_of_all_draws(run):
    # Few bad draws, far away: the 5% end of fifty middles is not that of the draws.
    totals = np.where(np.arange(DRAWS) < 12, -9e6, 1e5) * np.linspace(1.0, 2.0, DRAWS)
    chart = futures_chart(run, totals, "these 48 clinicians")
    middles = np.quantile(totals, (np.arange(50) + 0.5) / 50)
    np.testing.assert_allclose(chart.data["adjustment, $"], np.round(middles))
    losses = int((middles < 0.0).sum())
    assert losses == 3
    assert chart.headline == f"In {losses} of 50 equally likely futures these 48 clinicians lose money"
    assert {tone: len(x) for tone, x in dots(chart).items()} == {"second": losses, "first": 50 - losses}


def test_numbers_have_the_digits_of_their_error_in_the_unit_of_other_charts(run):
    totals = np.random.default_rng(4).normal(-30e3, 40e3, DRAWS)
    chart = futures_chart(run, totals, "this clinician")
    low, high = np.quantile(totals, [0.05, 0.95])
    # 2.11 standard deviations over the root of the draws, about 5,900: hundreds are the second digit.
    assert 1e3 < 2.11 * totals.std(ddof=1) / np.sqrt(DRAWS) < 9.9e3
    ends = chart.alternative.partition("Nine draws in ten lie between ")[2].rstrip(".").split(" and ")
    assert ends == [f"−${round(-low, -2):,.0f}", f"${round(high, -2):,.0f}"]
    assert "this clinician loses money" in chart.headline
    assert chart.panels[0].x.prefix == "$"


def test_futures_that_are_all_alike_lie_where_they_are(run):
    chart = futures_chart(run, np.full(DRAWS, -1234.0), "this clinician")
    assert set(dots(chart)["second"]) == {-1234.0}


def test_one_draw_has_no_range(run):
    chart = futures_chart(run.at(slice(1)), np.array([5e3]), "this clinician")
    assert "draws in ten" not in chart.alternative
    assert (
        chart.headline == "One draw, no errors: in 0 of 50 equally likely futures this clinician loses money"
    )
