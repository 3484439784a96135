"""Convergence as a chart."""

import numpy as np
import pytest
from scipy.stats import t

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


def test_a_metric_of_several_numbers_is_refused():
    with pytest.raises(InputError, match="no one number"):
        convergence_chart(open_run_results(results(20)), "final_score_quantile")
