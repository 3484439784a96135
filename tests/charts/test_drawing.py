"""Charts as drawn: where, in which colors, with which words, and the same each time."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from asmrisk.charts.chart import Axis, Band, Bars, Chart, Line, Panel, Points, Reference, Word
from asmrisk.charts.drawing import drawn
from asmrisk.charts.palette import LIGHT
from asmrisk.charts.svg import svg
from asmrisk.errors import InputError

X = np.array([2027.0, 2028.0, 2029.0])
HOSTILE = "<script>alert(1)</script> & $x$ {y}"


@pytest.fixture
def chart():
    over_years = Panel(
        [
            Band(X, X - 2030, X - 2020, "nine draws in ten"),
            Line(X, X - 2025, HOSTILE),
            Reference(0.0, "zero", upright=False),
        ],
        x=Axis(years=True),
        y=Axis(prefix="$", suffix="m"),
        title="A panel",
    )
    by_name = Panel(
        [
            Bars(np.array([1.0, -2.0]), texts=("up", "down")),
            Points(np.array([1.0]), np.array([0.0]), np.array([0.5]), np.array([2.0])),
            Word(0.5, 0.5, "here"),
        ],
        y=Axis(names=("first", "second")),
    )
    return Chart(
        "trial",
        "A headline",
        "A subtitle",
        'Seen: "two" panels',
        "A source",
        pd.DataFrame({"x": X}),
        [over_years, by_name],
    )


def texts(figure):
    return [each.get_text() for each in figure.findobj(lambda each: hasattr(each, "get_text"))]


def test_a_figure_has_all_its_words(chart):
    figure = drawn(chart)
    figure.draw_without_rendering()
    found = " ".join(texts(figure))
    for word in (
        "A headline",
        "A subtitle",
        "A source",
        "A panel",
        "zero",
        "up",
        "down",
        "here",
        "2028",
        "second",
    ):
        assert word in found
    assert "2,028" not in found
    assert "$0" in found
    assert "$0m" not in found


def test_axes_that_are_given_are_drawn_on(chart):
    figure = Figure()
    axes = figure.subplots(2)
    assert drawn(chart, axes) is figure
    assert all(each.has_data() for each in axes)
    with pytest.raises(InputError, match="2 panels"):
        drawn(chart, axes[0])


def test_names_go_down_from_the_top(chart):
    ax = drawn(chart).axes[1]
    low, high = ax.get_ylim()
    assert low > high


def test_equal_charts_are_equal_bytes_with_colors_and_fonts_of_the_page(chart):
    text = svg(chart)
    assert text == svg(chart)
    assert not any(color in text for color in LIGHT.values())
    assert "var(--first)" in text
    assert "font-family" not in text
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert 'aria-label="Seen: &quot;two&quot; panels"' in text
    assert "<style" not in text


def test_names_within_a_page_are_the_charts_own(chart):
    names = re.findall(r'id="([^"]*)"', svg(chart))
    assert names
    assert all(each.startswith("trial-") for each in names)
    assert set(re.findall(r'(?:href="|url\()#([^")]*)', svg(chart))) <= set(names)
