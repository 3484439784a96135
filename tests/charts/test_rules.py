"""Rules that every chart keeps: what it says, what it draws, and that it can be read on a phone."""

import re
from inspect import signature

import numpy as np
import pytest
from matplotlib.figure import Figure

from asmrisk import plot
from asmrisk.charts.chart import Band, Bars, Interval, Line
from asmrisk.charts.drawing import drawn
from asmrisk.charts.svg import svg
from asmrisk.pages.page import environment, rendered
from tests.browser import browser, faults, inaccessible, show

#: What each function is given: the two runs, the exposure, or the study.
GIVEN = {
    "adjustment_factors": "first",
    "convergence": "first",
    "differences": "both",
    "doubt": "first",
    "exceedance": "first",
    "exposure": "exposed",
    "indices": "sampled",
    "penalized": "first",
    "readings": "both",
    "savings": "first",
    "score_curve": "first",
    "tornado": "study",
    "waterfall": "first",
}
#: Words that say nothing, or judge in place of a number.
EMPTY = re.compile(
    r"\b(significant\w*|substantial\w*|considerabl[ey]|notabl[ey]|very|huge|clearly|interesting\w*|impact\w*|"
    r"overview|various|robust)\b",
    re.IGNORECASE,
)
UNIT = re.compile(r"[$%]|\b(points?|score|draws?|standard deviations?|index|share)\b")
PAGE = """{% extends "page.html.j2" %}{% from "parts.html.j2" import figure %}
{% block title %}Charts{% endblock %}
{% block body %}<h1>Charts</h1>{% for chart in charts %}{{ figure(chart) }}{% endfor %}{% endblock %}"""


@pytest.fixture(scope="module")
def arguments(stores, exposed, study, sampled):
    by_kind = {"first": stores[:1], "both": stores, "exposed": [exposed], "study": [study]}
    by_kind["sampled"] = [sampled]
    return {name: by_kind[kind] for name, kind in GIVEN.items()}


@pytest.fixture(scope="module")
def charts(arguments):
    """The chart that each function draws."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in plot.__all__:
            patch.setattr(plot, "drawn", lambda chart, ax, name=name: found.setdefault(name, chart))
            getattr(plot, name)(*arguments[name])
    return found


def marks_of(panel, *kinds):
    return [mark for mark in panel.marks if isinstance(mark, kinds)]


@pytest.mark.parametrize("name", plot.__all__)
def test_words_answer_first(charts, name):
    chart = charts[name]
    assert 0 < len(chart.headline) <= 120
    for words in (chart.headline, chart.subtitle, *chart.notes):
        assert not EMPTY.search(words)
    assert UNIT.search(chart.subtitle)
    assert re.search(r"\d", chart.headline) or "difference" in chart.headline
    assert re.search(r"\d", chart.alternative)
    assert len(chart.alternative) > 60
    assert chart.source.endswith(".")
    assert re.fullmatch(r"[a-z-]+", chart.name)


@pytest.mark.parametrize("name", plot.__all__)
def test_marks_are_few_and_bars_start_at_zero(charts, name):
    for panel in charts[name].panels:
        assert len({mark.label for mark in marks_of(panel, Line) if mark.label}) <= 4
        assert len({mark.label for mark in marks_of(panel, Band, Interval)}) <= 2
        assert len({mark.tone for mark in marks_of(panel, Line, Band, Interval)}) <= 4
        for bars in marks_of(panel, Bars):
            assert name == "waterfall" or bars.start is None
            limits = panel.x.limits
            assert limits is None or limits[0] <= 0.0 <= limits[1]
    for column, values in charts[name].data.items():
        if values.dtype == np.float64:
            assert re.search(r"[,%$]|percentile|draws", column), f"no unit: {column}"


@pytest.mark.parametrize("name", plot.__all__)
def test_the_data_are_tidy(charts, name):
    data = charts[name].data
    assert len(data)
    assert len(set(data.columns)) == len(data.columns)
    assert all(np.ndim(value) == 0 for value in data.to_numpy().ravel())


@pytest.mark.parametrize("name", plot.__all__)
def test_axes_that_are_given_are_drawn_on(charts, arguments, name):
    figure = Figure(figsize=(6, 4 * len(charts[name].panels)))
    axes = figure.subplots(len(charts[name].panels))
    assert signature(getattr(plot, name)).parameters["ax"].kind.name == "KEYWORD_ONLY"
    assert getattr(plot, name)(*arguments[name], ax=axes) is figure
    assert all(each.has_data() for each in figure.axes)


def test_equal_input_gives_equal_bytes_and_texts_stay_texts(charts, arguments):
    for name, chart in charts.items():
        text = svg(chart)
        assert text == svg(chart), name
        assert "<script" not in text, name
        assert "<b>" not in text, name
    # What IPython asks for where pyplot was never imported.
    picture = plot.savings(*arguments["savings"])._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert picture == drawn(charts["savings"])._repr_png_()


def test_they_can_be_read_on_a_phone(charts, tmp_path):
    path = tmp_path / "charts.html"
    page = rendered(environment().from_string(PAGE), charts=list(charts.values()))
    path.write_text(page, encoding="utf-8")
    with browser() as driver:
        for dark in (False, True):
            show(driver, path, width=390, dark=dark)
            wide = driver.execute_script(
                "return [...document.querySelectorAll('svg')].map(x => x.getBoundingClientRect().width)"
            )
            assert len(wide) == len(charts)
            assert 345.0 <= min(wide) <= max(wide) <= 360.0
            assert faults(driver) == []
            assert inaccessible(driver) == []
