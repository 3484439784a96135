"""The split of doubt as drawn is what `doubt` prints."""

import numpy as np
import pytest

from asmrisk.analysis.digits import with_error
from asmrisk.analysis.doubt_report import doubt
from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.chart import Bars
from asmrisk.charts.doubt import doubt_chart
from asmrisk.errors import InputError
from tests.analysis.synthetic_results import doubtful_results, results


def bars_of(panel):
    (bars,) = (mark for mark in panel.marks if isinstance(mark, Bars))
    return dict(zip(panel.y.names, zip(bars.end, bars.texts, strict=True), strict=True))


def test_shares_and_falls_are_those_of_the_report(stores):
    report = doubt(stores[0])
    chart = doubt_chart(open_run_results(stores[0]))
    shares = bars_of(chart.panels[0])
    for row in report.tables["variance"]:
        bar, text = shares[row["group"]]
        if row["low"] > 0.0:
            assert bar == pytest.approx(100.0 * row["share"])
            assert text == f"{with_error(100.0 * row['share'], 100.0 * row['error'])}%"
        else:
            assert bar == 0.0
            assert text.startswith("at most") or text == "0, nothing unknown"
    assert sum(row["share"] for row in report.tables["variance"]) == pytest.approx(1.0)
    falls = [row for row in report.tables["fall"] if row["low"] > 0.0]
    assert falls
    ends = [bar for bar, _ in bars_of(chart.panels[1]).values()]
    assert max(ends) == pytest.approx(max(row["fall"] for row in falls) * 1e-6)
    assert chart.data.query("measure == 'share of the variance'")["value, %"].sum() == pytest.approx(100.0)


def test_without_the_store_chance_and_doubt_are_told_alone():
    given = doubtful_results(draws=120, per_set=2)
    chart = doubt_chart(open_run_results(given))
    (panel,) = chart.panels
    pairs = given["medicare_savings"].sum(("performance_year", "cohort")).values.reshape(60, 2) / 1e6
    # One-way analysis of variance with two draws in each set.
    chance = ((pairs[:, 0] - pairs[:, 1]) ** 2).mean() / 2.0
    between = 2.0 * pairs.mean(axis=1).var(ddof=1)
    bars = bars_of(panel)
    assert bars["chance"][0] == pytest.approx(np.sqrt(chance))
    assert bars["doubt"][0] == pytest.approx(np.sqrt((between - chance) / 2.0))
    assert "of a store" in chart.notes[0]


def test_of_a_report_of_several_metrics_the_asked_one_is_drawn():
    run = open_run_results(doubtful_results(draws=120, per_set=2))
    report = doubt(run, ["net_adjustment", "medicare_savings"])
    for metric in ("net_adjustment", "medicare_savings"):
        chart = doubt_chart(run, metric, report)
        assert chart.headline == doubt_chart(run, metric).headline
        assert "$" in chart.headline
    with pytest.raises(InputError, match="net_adjustment, medicare_savings") as refused:
        doubt_chart(run, "volume_offset", report)
    assert "'volume_offset'" in str(refused.value)


@pytest.mark.parametrize("end", ["low", "high"])
def test_an_interval_without_ends_is_refused(end):
    run = open_run_results(doubtful_results(draws=120, per_set=2))
    report = doubt(run)
    for row in report.tables["chance_and_doubt"]:
        row[end] = np.nan
    with pytest.raises(InputError, match="cannot be told apart"):
        doubt_chart(run, report=report)


def test_what_has_no_doubt_is_refused_with_a_remedy():
    with pytest.raises(InputError, match="nothing is unknown"):
        doubt_chart(open_run_results(results(draws=20)))
    with pytest.raises(InputError, match=r"run\.draws_per_parameter_set"):
        doubt_chart(open_run_results(doubtful_results(draws=20, per_set=1)))
    with pytest.raises(InputError, match="is no metric"):
        doubt_chart(open_run_results(doubtful_results(draws=20)), "money")
