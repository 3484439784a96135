"""What Medicare saves: fans of draws by year and added up, in figures of plain numpy."""

import numpy as np
import pytest

from asmrisk.analysis.digits import number
from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.chart import Band, Line
from asmrisk.charts.savings import savings_chart
from tests.analysis.synthetic_results import doubtful_results, results

DRAWS = 200


def chart_of(data):
    return savings_chart(open_run_results(data))


def millions(data):
    return data.medicare_savings.sum("cohort").values / 1e6


def test_bands_and_lines_are_quantiles_and_means_of_draws():
    data = results(DRAWS)
    chart = chart_of(data)
    by_year = millions(data)
    for panel, values in zip(chart.panels, (by_year, by_year.cumsum(axis=1)), strict=True):
        outer, inner = (mark for mark in panel.marks if isinstance(mark, Band))
        (line,) = (mark for mark in panel.marks if isinstance(mark, Line))
        for drawn, level in ((outer.low, 0.05), (outer.high, 0.95), (inner.low, 0.25), (inner.high, 0.75)):
            np.testing.assert_allclose(drawn, np.quantile(values, level, axis=0))
        np.testing.assert_allclose(line.y, values.mean(axis=0))
    whole = by_year.sum(axis=1)
    said = number(whole.mean(), whole.std(ddof=1) / np.sqrt(DRAWS))
    assert chart.headline.startswith(f"Medicare saves ${said} million over 5 years; nine draws in ten lie ")
    low, high = (float(end.strip("$").replace(",", "")) for end in _ends(chart.headline))
    # The ends are rounded to tenths.
    np.testing.assert_allclose([low, high], np.quantile(whole, [0.05, 0.95]), atol=0.5)


def _ends(headline):
    return headline.partition("between ")[2].replace(" million", "").split(" and ")


def test_losses_have_a_minus_and_ties_are_no_finding():
    data = results(DRAWS)
    lost = chart_of(data.assign(medicare_savings=-data.medicare_savings))
    assert lost.headline.startswith("Medicare loses $")
    assert "lie between −$" in lost.headline
    assert "-$" not in lost.alternative
    tied = chart_of(data.assign(medicare_savings=data.medicare_savings - data.medicare_savings.mean("draw")))
    assert tied.headline.startswith("No Medicare savings found over 5 years; nine draws")


@pytest.mark.parametrize(
    ("places", "words", "over"),
    [
        ([0], "performance year 2027", "1 year;"),
        ([0, 1], "performance years 2027 to 2028", "2 years;"),
        ([0, 2, 4], "performance years 2027, 2029 and 2031", "3 years;"),
    ],
)
def test_years_are_those_of_the_results(places, words, over):
    chart = chart_of(results(DRAWS).isel(performance_year=places))
    assert chart.subtitle.endswith(words)
    assert over in chart.headline


def test_one_parameter_set_has_no_range():
    one = chart_of(doubtful_results(draws=2, per_set=2))
    assert one.headline.startswith("One parameter set, no errors: Medicare saves $")
    for words in (one.headline, one.alternative, *one.notes):
        assert "in ten" not in words
    assert not any(isinstance(mark, Band) for panel in one.panels for mark in panel.marks)
