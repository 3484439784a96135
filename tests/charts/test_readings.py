"""Readings of the rule side by side."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from asmrisk.analysis.comparison import compare
from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.chart import Points
from asmrisk.charts.readings import readings_chart
from asmrisk.errors import InputError
from tests.analysis.synthetic_results import doubtful_results, results, with_origin

DRAWS = 60


def changed(data, title, change, noise=0.0, seed=1):
    """A reading that adds so many $ million a draw to Medicare savings."""
    other = data.copy()
    luck = np.random.default_rng(seed).normal(0.0, noise, DRAWS)
    add = (change + luck - luck.mean())[:, None, None] * 1e6 / 10.0
    other["medicare_savings"] = data.medicare_savings + add
    return with_origin(other, scenario={"title": title})


def drawn(*data):
    return readings_chart(*map(open_run_results, data))


def test_rows_are_paired_differences_with_their_intervals_the_highest_first():
    data = results(DRAWS)
    others = [
        changed(data, "Lower", -5.0, 0.5),
        changed(data, "None", 0.001, 2.0),
        changed(data, "Same", 0.0),
    ]
    others.append(changed(data, "Higher", 3.0, 0.5, seed=2))
    chart = drawn(data, *others)
    assert list(chart.data["reading"]) == ["Higher", "None", "Same", "Lower"]
    paired = {
        each.attrs["provenance"].partition('"title": "')[2].partition('"')[0]: (
            (each.medicare_savings - data.medicare_savings).sum(["performance_year", "cohort"]).values / 1e6
        )
        for each in others
    }
    found, hollow = (each for each in chart.panels[0].marks if isinstance(each, Points))
    for at, name in ((0, "Higher"), (1, "Lower")):
        reach = t.ppf(0.975, DRAWS - 1) * paired[name].std(ddof=1) / np.sqrt(DRAWS)
        assert found.x[at] == pytest.approx(paired[name].mean())
        assert found.high[at] - found.x[at] == pytest.approx(reach)
    assert hollow.hollow
    assert list(hollow.y) == [1.0, 2.0]
    assert chart.panels[0].y.names[1].endswith("no difference found")
    assert chart.panels[0].y.names[2] == "Same: the same in every draw"
    assert "no difference found in 2 of 4" in chart.headline
    printed = str(compare(data, *others, metrics="medicare_savings"))
    shown = chart.panels[0].y.names[3].removeprefix("Lower: ").replace("−$", "-").replace("m ±", " ±")
    assert shown in printed


def test_readings_of_which_none_differs_are_no_finding():
    data = results(DRAWS)
    assert drawn(data, changed(data, "None", 0.001, 2.0)).headline == (
        "No difference found in Medicare savings, of 1 reading"
    )


def test_equal_readings_are_the_same_in_every_draw():
    data = results(DRAWS)
    same = drawn(data, changed(data, "Same", 0.0)).headline
    assert same == "Medicare savings are the same in every draw, of 1 reading"


def test_readings_that_are_not_finished_are_named():
    data = results(DRAWS)
    runs = [open_run_results(each) for each in (data, changed(data, "Part", -5.0), changed(data, "All", 1.0))]
    runs[1] = replace(runs[1], partial="60 of 100 draws")
    source = readings_chart(*runs).source
    assert source.startswith("A scenario and Part: 60 draws")
    assert "not finished: 60 of 100 draws" in source


def test_draws_of_one_parameter_set_count_once():
    data = doubtful_results(DRAWS)
    chart = drawn(data, changed(data, "Lower", -5.0, 0.5))
    (points,) = (each for each in chart.panels[0].marks if isinstance(each, Points))
    error = chart.data["standard error, $ million"].item()
    assert points.high[0] - points.x[0] == pytest.approx(t.ppf(0.975, DRAWS // 2 - 1) * error)
    assert "chance and doubt" in chart.notes[0]


def test_a_baseline_alone_has_nothing_beside_it():
    with pytest.raises(InputError, match="at least one other"):
        drawn(results(DRAWS))


def test_one_draw_tells_no_error():
    data = results(DRAWS)
    both = (each.isel(draw=[0]) for each in (data, changed(data, "Lower", -5.0)))
    chart = drawn(*both)
    assert chart.headline.endswith("too few draws to tell")
    assert chart.panels[0].y.names[0].endswith("± n/a, too few draws to tell")
