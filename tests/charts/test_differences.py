"""Differences as drawn are those of paired draws; who wins and loses is told apart."""

import numpy as np
import pytest

from asmrisk.analysis.comparison import compare
from asmrisk.analysis.digits import with_error
from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.chart import Points
from asmrisk.charts.differences import differences_chart
from asmrisk.errors import InputError
from asmrisk.plot import differences
from tests.analysis.synthetic_results import doubtful_results, results, with_origin


def chart_of(*given):
    return differences_chart(*map(open_run_results, given))


def points_of(panel):
    """Give the points of a panel by place: mean, low, high, tone, hollow."""
    found = {}
    for mark in panel.marks:
        if isinstance(mark, Points):
            for at, x, low, high in zip(mark.y, mark.x, mark.low, mark.high, strict=True):
                found[int(at)] = (x, low, high, mark.tone, mark.hollow)
    return [found[place] for place in range(len(found))]


def changed(data, savings=0.0, noise=0.0, **paid):
    """Change Medicare savings by so much a draw, and what clinicians of practices of a size are paid."""
    luck = np.random.default_rng(3).normal(0.0, 1.0, data.sizes["draw"])
    luck = (luck - luck.mean()) / luck.std(ddof=1)
    other = data.copy(deep=True)
    # Ten cells of year and cohort.
    other["medicare_savings"] = data["medicare_savings"] + ((savings + noise * luck) / 10.0)[:, None, None]
    for size, dollars in paid.items():
        where = data["practice_size"] == size
        other["specialty_net_adjustment"] = other["specialty_net_adjustment"] + dollars * where
    return with_origin(other, scenario={"title": "A reform"})


def test_means_and_ranges_are_those_of_paired_draws():
    base = results(draws=40)
    reform = changed(base, -3e6, 2e5, solo=1e4, large=-1e4)
    chart = chart_of(base, reform)
    change = (
        (reform["medicare_savings"] - base["medicare_savings"]).sum(("performance_year", "cohort")).values
    )
    ((mean, low, high, tone, hollow),) = points_of(chart.panels[0])
    np.testing.assert_allclose(mean, change.mean() / 1e6)
    np.testing.assert_allclose([low, high], np.quantile(change, [0.05, 0.95]) / 1e6)
    assert (tone, hollow) == ("second", False)
    assert with_error(3.0, 0.2 / np.sqrt(40)).replace(" ±", "m ±") in chart.panels[0].y.names[0]

    # By cohort and size: dollars of all years by clinicians of any year.
    rows = points_of(chart.panels[1])
    cardiology = base.sel(specialty="cardiology")
    for place, size in enumerate(("solo", "small", "large")):
        clinicians = cardiology["panel_clinicians"].sel(practice_size=size).values
        dollars = {"solo": 1e4, "small": 0.0, "large": -1e4}[size]
        each = 5 * dollars / clinicians
        np.testing.assert_allclose(rows[place][0], each.mean(), atol=1e-9)
    assert [row[3] for row in rows[:3]] == ["first", "neutral", "second"]
    assert "no change in any draw" in chart.panels[1].y.names[1]
    assert "heart failure solo, low back pain solo; less: heart failure large" in chart.alternative


def test_the_headline_says_the_direction_or_that_nothing_is_found():
    base = results(draws=40)
    less = chart_of(base, changed(base, -3e6, 2e5)).headline
    # The error is 0.0316 million.
    assert less == "A reform: Medicare saves $3.000 million less over 5 years"
    assert "$3.000 million more" in chart_of(base, changed(base, 3e6, 2e5)).headline
    # An error of 31,623 USD, and a third of it.
    tied = chart_of(base, changed(base, 1e4, 2e5))
    assert tied.headline == "A reform: no difference found in Medicare savings"
    assert "no difference found" in tied.panels[0].y.names[0]
    assert points_of(tied.panels[0])[0][3:] == ("neutral", True)
    assert chart_of(base, changed(base)).headline == "A reform: Medicare saves the same in every draw"


def test_numbers_are_those_that_compare_prints(stores):
    chart = differences_chart(*map(open_run_results, stores))
    (row,) = compare(*stores, metrics=["medicare_savings"]).tables["differences"]
    scale = 1e-6 if abs(row["difference"]) >= 1e5 else 1.0
    shown = with_error(abs(row["difference"]) * scale, row["difference_error"] * scale)
    assert shown in compare(*stores, metrics=["medicare_savings"], full=True).to_text()
    assert shown in chart.alternative
    assert "chance and doubt" in chart.notes[0]


def test_what_cannot_be_compared_is_refused(stores):
    with pytest.raises(InputError, match="at least one reform"):
        differences(stores[0])
    with pytest.raises(InputError, match="share no draws"):
        differences(stores[0], results(draws=5).assign_coords(draw=np.arange(5) + 10_000).drop_attrs())


def test_small_changes_are_in_dollars():
    base = results(draws=40)
    chart = chart_of(base, changed(base, -3e3, 2e2))
    ((mean, *_),) = points_of(chart.panels[0])
    assert mean == pytest.approx(-3e3, rel=1e-6)
    assert "Medicare savings, $, " in chart.subtitle
    assert "Medicare saves $3,000 less" in chart.headline


def test_one_draw_has_neither_range_nor_error():
    base = results(draws=1)
    reform = with_origin(
        base.assign(medicare_savings=base["medicare_savings"] + 1e6), scenario={"title": "B"}
    )
    chart = chart_of(base, reform)
    assert chart.headline == "B: too few draws to tell"
    (point,) = (mark for mark in chart.panels[0].marks if isinstance(mark, Points))
    assert point.low is None
    assert "too few draws to tell" in chart.panels[0].y.names[0]


def test_one_parameter_set_has_a_range_of_draws_and_no_error():
    base = doubtful_results(draws=2, per_set=2)
    reform = base.assign(medicare_savings=base["medicare_savings"] + 1e6)
    assert (
        "One parameter set has no standard error"
        in compare(base, reform, metrics="medicare_savings").to_text()
    )
    assert chart_of(base, reform).headline.endswith("too few draws to tell")
