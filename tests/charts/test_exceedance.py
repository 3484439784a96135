"""Exceedance curves as charts."""

import numpy as np
import pytest
from scipy.stats import beta

from asmrisk.analysis.exceedance import exceedance
from asmrisk.analysis.run_results import open_run_results
from asmrisk.analysis.wording import dollar_scale
from asmrisk.charts.chart import Band, Line
from asmrisk.charts.exceedance import exceedance_chart
from asmrisk.errors import InputError
from tests.analysis.synthetic_results import results


@pytest.fixture(scope="module")
def data():
    return results(120)


def test_the_curve_is_the_share_of_draws_above_and_its_band_the_exact_interval(data):
    chart = exceedance_chart(open_run_results(data))
    band, line = (
        next(each for each in chart.panels[0].marks if isinstance(each, kind)) for kind in (Band, Line)
    )
    savings = data.medicare_savings.sum(["performance_year", "cohort"]).values / 1e6
    for at in (10, 50, 90):
        above = int((savings > line.x[at]).sum())
        assert line.y[at] == pytest.approx(100.0 * above / 120.0)
        # Clopper and Pearson.
        assert band.low[at] == pytest.approx(100.0 * beta.ppf(0.025, above, 121 - above))
        assert band.high[at] == pytest.approx(100.0 * beta.ppf(0.975, above + 1, 120 - above))
    assert line.x[0] == pytest.approx(savings.min())
    assert line.x[-1] == pytest.approx(savings.max())


def test_the_headline_has_the_figures_of_the_command(data):
    said = exceedance_chart(open_run_results(data)).headline
    printed = str(exceedance(data, "medicare_savings"))
    for level in ("50%", "95%"):
        (line,) = (each for each in printed.splitlines() if each.startswith(level))
        assert f"${line.split()[1]} million" in said


def test_of_what_is_worse_when_larger_the_upper_end_is_told(data):
    chart = exceedance_chart(open_run_results(data), "penalized_share")
    assert chart.headline.endswith("in one of 20")
    assert chart.panels[0].x.suffix == "%"
    assert "Share penalized, %" in chart.subtitle


def test_losses_are_negative(data):
    chart = exceedance_chart(open_run_results(data), "net_adjustment")
    assert "−$" in chart.headline
    assert np.all(chart.data.iloc[:, 0] < 0.0)


def test_a_rosters_dollars_are_of_its_clinicians(data):
    own = np.random.default_rng(2).normal(-20e3, 30e3, (120, 5, 4))
    chart = exceedance_chart(
        open_run_results(
            data.assign(adjustment_usd=(("draw", "performance_year", "clinician"), own)).assign_coords(
                clinician=list("abcd")
            )
        ),
        "roster_net_adjustment",
    )
    sums = own.sum(axis=(1, 2))
    line = next(each for each in chart.panels[0].marks if isinstance(each, Line))
    scale, _ = dollar_scale(float(np.abs(sums).max()))
    assert line.x[-1] == pytest.approx(scale * sums.max())
    assert line.y[50] == pytest.approx(100.0 * np.mean(sums * scale > line.x[50]))
    assert "clinicians of the roster" in chart.subtitle


def test_what_most_draws_tie_at_is_reached_and_not_exceeded(data):
    own = np.where(np.arange(120) < 90, 0.0, 1e6)[:, None, None] * np.ones((1, 5, 2)) / 10.0
    chart = exceedance_chart(
        open_run_results(data.assign(medicare_savings=data.medicare_savings.copy(data=own)))
    )
    assert chart.headline == (
        "Medicare savings: at least $0 million in half of draws, at least $0 million in 19 of 20"
    )
    assert "narrow" not in chart.alternative


def test_one_draw_exceeds_nothing(data):
    chart = exceedance_chart(open_run_results(data.isel(draw=[0])))
    assert chart.headline.startswith("One draw, no errors: Medicare savings: $")
    assert "over" not in chart.headline
    assert chart.notes[0].endswith("more than 1 draw.")


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ("final_score_quantile", "no one number"),
        ("nothing", "no metric"),
        ("roster_net_adjustment", "a roster"),
    ],
)
def test_what_is_no_single_number_of_a_draw_is_refused(data, metric, text):
    with pytest.raises(InputError, match=text):
        exceedance_chart(open_run_results(data), metric)
