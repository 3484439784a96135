"""From the parts of a score to dollars: steps that add up, and an adjustment that may be none."""

import numpy as np
import pytest

from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.chart import Bars
from asmrisk.charts.score_parts import score_parts_chart
from tests.analysis.synthetic_results import results

ROW = {
    "quality": 40.0,
    "cost": 20.0,
    "improvement_activities": -10.0,
    "promoting_interoperability": 0.0,
    "complex_patients": 4.0,
    "small_practice": 0.01,
    "other": 0.0,
    "performance_year": 2027,
    "payment_year": 2029,
    "final_score": 54.01,
    "at_risk": -9_000.0,
    "earned_back": 6_000.0,
    "adjustment": -3_000.0,
}


@pytest.fixture(scope="module")
def run():
    return open_run_results(results(100))


def test_steps_begin_where_the_one_before_ends(run):
    chart = score_parts_chart(run, ROW, 100.0, "one clinician")
    points, dollars = ((bars,) for bars in (panel.marks[0] for panel in chart.panels))
    shown = np.array([40.0, 20.0, -10.0, 4.0])
    for (bars,), steps in ((points, shown), (dollars, np.array([-9.0, 6.0]))):
        assert isinstance(bars, Bars)
        ends = np.cumsum(steps)
        np.testing.assert_allclose(bars.end, [*ends, ends[-1]])
        np.testing.assert_allclose(bars.start, [0.0, *ends[:-1], 0.0])
    assert chart.panels[0].y.names == ("Quality", "Cost", "Activities", "Complex patients", "Final score")
    assert list(chart.data["value"])[-4:] == [54.01, -9_000.0, 6_000.0, -3_000.0]


@pytest.mark.parametrize(
    ("adjustment", "error", "said"),
    [
        (-3_000.0, 100.0, "of 100 leaves a cut of $3,000 in 2029"),
        (3_000.0, 100.0, "of 100 leaves a raise of $3,000 in 2029"),
        (3_000.0, 2_000.0, "of 100: neither a cut nor a raise is found in 2029"),
        (0.0, 0.0, "of 100: neither a cut nor a raise is found in 2029"),
    ],
)
def test_the_headline_tells_a_cut_from_a_raise_and_from_neither(run, adjustment, error, said):
    headline = score_parts_chart(run, ROW | {"adjustment": adjustment}, error, "one clinician").headline
    assert headline == f"A mean score of 54.0 {said}"


def test_without_a_score_there_is_no_chart(run):
    assert score_parts_chart(run, ROW | {"final_score": np.nan}, 1.0, "one clinician") is None
