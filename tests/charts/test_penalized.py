"""The share penalized by specialty and practice size."""

import numpy as np
import pytest

from asmrisk.analysis.run_results import open_run_results
from asmrisk.analysis.summary import summarize
from asmrisk.charts.adjustment_factors import adjustment_factors_chart
from asmrisk.charts.chart import Bars
from asmrisk.charts.convergence import convergence_chart
from asmrisk.charts.exceedance import exceedance_chart
from asmrisk.charts.penalized import penalized_chart
from asmrisk.charts.savings import savings_chart
from asmrisk.errors import InputError
from tests.analysis.synthetic_results import SIZES, SPECIALTIES, results


@pytest.fixture(scope="module")
def data():
    return results(60)


def weighted(data, **labels):
    """Share of the clinicians scored, over years and what is not told apart, averaged over draws."""
    some = data.sel(labels)
    scored = some.specialty_scored
    dims = [dim for dim in scored.dims if dim != "draw"]
    return 100.0 * float(((some.specialty_penalized_share * scored).sum(dims) / scored.sum(dims)).mean())


def test_bars_are_the_shares_that_a_summary_prints(data):
    chart = penalized_chart(open_run_results(data))
    bars = [each for each in chart.panels[0].marks if isinstance(each, Bars)]
    for size, each in zip(SIZES, bars, strict=True):
        assert each.start is None
        assert each.end[0] == pytest.approx(weighted(data, practice_size=size))
        for specialty, end in zip(SPECIALTIES, each.end[1:], strict=True):
            assert end == pytest.approx(weighted(data, practice_size=size, specialty=specialty))
    printed = str(summarize(data, by="specialty,practice_size", metrics="penalized_share"))
    drawn = {f"{SPECIALTIES[0]} {size}": each.texts[1] for size, each in zip(SIZES, bars, strict=True)}
    for name, text in drawn.items():
        assert f"{name} {text.partition('%')[0]}" in " ".join(printed.split())
        assert text.endswith(name.rpartition(" ")[2])
    assert "nothing about how a specialty performs" in " ".join(chart.notes)


def test_sizes_that_cannot_be_told_apart_are_no_finding(data):
    assert penalized_chart(open_run_results(data)).headline.startswith("No difference found")
    apart = data.copy()
    higher = data.specialty_penalized_share.values.copy()
    higher[..., 2] += 0.3
    apart["specialty_penalized_share"] = data.specialty_penalized_share.copy(data=higher)
    chart = penalized_chart(open_run_results(apart))
    assert f"{weighted(apart, practice_size='large'):.2f}"[:4] in chart.headline
    assert "large practices are cut" in chart.headline


def test_a_cell_without_anybody_has_no_bar(data):
    empty = data.copy()
    scored = data.specialty_scored.values.copy()
    scored[:, :, 3, 0] = 0
    empty["specialty_scored"] = data.specialty_scored.copy(data=scored)
    empty["specialty_penalized_share"] = data.specialty_penalized_share.where(scored > 0)
    solo = next(each for each in penalized_chart(open_run_results(empty)).panels[0].marks)
    assert solo.end[4] == 0.0
    assert solo.texts[4] == "n/a solo"
    assert np.isfinite(solo.end).all()


def test_sizes_without_anybody_are_not_compared(data):
    def headline(*sizes):
        kept = data.specialty_scored.where(data.practice_size.isin(sizes), 0)
        return penalized_chart(
            open_run_results(
                data.assign(
                    specialty_scored=kept,
                    specialty_penalized_share=data.specialty_penalized_share.where(kept > 0),
                )
            )
        ).headline

    assert headline("small", "large").startswith(
        "No difference found between practice sizes: solo n/a, small "
    )
    assert headline("large").endswith("% of clinicians in large practices are cut")
    assert headline() == "No clinician has a final score"


@pytest.mark.parametrize("draws", [1, 20])
def test_sizes_that_are_alike_are_no_difference(data, draws):
    alike = data.specialty_penalized_share * 0.0 + 0.25
    run = open_run_results(data.assign(specialty_penalized_share=alike).isel(draw=slice(draws)))
    told = penalized_chart(run).headline.partition("errors: ")
    assert (told[2] or told[0]).startswith("No difference found between practice sizes: solo 25.00%, small ")


def test_results_without_specialties_say_so(data):
    with pytest.raises(InputError, match="specialty_penalized_share"):
        penalized_chart(open_run_results(data.drop_vars("specialty_penalized_share")))


@pytest.mark.parametrize(
    "chart_of",
    [penalized_chart, exceedance_chart, convergence_chart, savings_chart, adjustment_factors_chart],
)
def test_one_draw_is_called_so(data, chart_of):
    assert chart_of(open_run_results(data.isel(draw=[0]))).headline.startswith("One draw, no errors: ")
