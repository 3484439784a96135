"""An exposure as drawn is what the command prints."""

import numpy as np
import pytest
from scipy.stats import t

from asmrisk.analysis.wording import usd
from asmrisk.charts.chart import Band, Bars, Line
from asmrisk.charts.exposure import exposure_chart
from asmrisk.errors import InputError

PRACTICE = "<b>$Q$</b> & co"


def rows_of(report, who):
    table = report.to_dataframe()
    return table[(table.who == who) & (table.case == "base")].set_index("payment_year")


@pytest.mark.parametrize("who", ["all", PRACTICE, "a"])
def test_fan_and_chances_are_those_of_the_table(exposed, who):
    chart = exposure_chart(exposed, who)
    table = rows_of(exposed, who)
    years = [2029, 2030, 2031, 2032, 2033]
    fan, *chances = chart.panels
    (band,) = (mark for mark in fan.marks if isinstance(mark, Band))
    mean, average = (mark for mark in fan.marks if isinstance(mark, Line))
    for drawn, name in (
        (band.low, "p05"),
        (band.high, "p95"),
        (mean.y, "mean"),
        (average.y, "average_practice"),
    ):
        np.testing.assert_allclose(drawn, table.loc[years, name])
    assert list(band.x) == years
    names = ("probability_of_loss", "probability_of_loss_above")
    for panel, name in zip(chances, names, strict=True):
        (bars,) = (mark for mark in panel.marks if isinstance(mark, Bars))
        np.testing.assert_allclose(bars.end, 100.0 * table.loc[[*years, "all"], name])
    assert "more than $20,000" in chances[1].title


def test_words_have_the_numbers_that_the_command_prints(exposed):
    chart = exposure_chart(exposed)
    whole = rows_of(exposed, "all").loc["all"]
    expected = usd(whole["mean"], whole["mean_error"], shown=True)
    assert expected in exposed.to_text()
    assert expected in chart.alternative
    reach = t.ppf(0.975, exposed.facts["parameter_sets"] - 1) * whole["mean_error"]
    said = f" of {usd(abs(whole['mean']), whole['mean_error'])} expected"
    assert ("no gain or loss found" if abs(whole["mean"]) <= reach else said) in chart.headline
    assert chart.headline.startswith("3 clinicians together")


def test_who_is_not_there_is_named_with_the_nearest(exposed):
    with pytest.raises(InputError, match="has no 'Pp'"):
        exposure_chart(exposed, "Pp")


def test_another_report_is_refused(study):
    with pytest.raises(InputError, match=r"asmrisk\.exposure gave"):
        exposure_chart(study)
