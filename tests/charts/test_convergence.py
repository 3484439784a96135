"""Convergence as a chart."""

import numpy as np
import pytest
from scipy.stats import binom, t

from asmrisk.analysis.convergence import convergence
from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.chart import Points
from asmrisk.charts.convergence import convergence_chart
from asmrisk.errors import InputError
from tests.analysis.synthetic_results import results


def test_points_are_the_means_of_the_first_draws_with_their_intervals():
    data = results(80)
    chart = convergence_chart(open_run_results(data))
    savings = data.medicare_savings.sum(["performance_year", "cohort"]).values / 1e6
    (points,) = (each for each in chart.panels[0].marks if isinstance(each, Points))
    for at, count in enumerate((10, 20, 40, 80)):
        some = savings[:count]
        assert points.x[at] == pytest.approx(some.mean())
        reach = t.ppf(0.975, count - 1) * some.std(ddof=1) / np.sqrt(count)
        assert points.high[at] - points.x[at] == pytest.approx(reach)
    printed = str(convergence(data, "medicare_savings"))
    for name in chart.panels[0].y.names:
        count, _, figure = name.partition(": $")
        (line,) = (each for each in printed.splitlines() if each.startswith(count))
        assert figure.replace("m ±", " ±") in line
    assert chart.notes[1].startswith("No drift found")


def test_a_mean_that_drifts_is_told():
    data = results(80)
    moved = data.medicare_savings.values + 1e9 * (np.arange(80) >= 40)[:, None, None]
    data["medicare_savings"] = data.medicare_savings.copy(data=moved)
    assert convergence_chart(open_run_results(data)).headline.endswith("the mean drifted")


def test_chance_alone_drifts_once_in_twenty():
    runs, draws = 200, 32
    data = results(draws)[["medicare_savings"]]
    luck = np.random.default_rng(5).normal(size=(runs, *data.medicare_savings.shape))
    told = 0
    for one in luck:
        chart = convergence_chart(
            open_run_results(data.assign(medicare_savings=data.medicare_savings * 0 + one))
        )
        told += chart.headline.endswith("the mean drifted")
    # Both bounds err once in a thousand.
    assert binom.ppf(0.0005, runs, 0.04) <= told <= binom.ppf(0.9995, runs, 0.05)


def test_one_draw_is_told_without_an_error():
    headline = convergence_chart(open_run_results(results(1))).headline
    assert headline.startswith("One draw, no errors: Medicare savings: $")
    assert "±" not in headline


def test_two_draws_cannot_tell_a_drift():
    chart = convergence_chart(open_run_results(results(2)))
    assert chart.notes[1].startswith("Whether the mean drifted cannot be told")


def test_a_metric_of_several_numbers_is_refused():
    with pytest.raises(InputError, match="no one number"):
        convergence_chart(open_run_results(results(20)), "final_score_quantile")
