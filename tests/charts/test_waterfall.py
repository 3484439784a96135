"""The waterfall: steps that add up in dollars of one year, and what does not is named."""

import numpy as np
import pytest

from asmrisk.analysis.digits import with_error
from asmrisk.analysis.run_results import open_run_results
from asmrisk.analysis.summary import summarize
from asmrisk.charts.chart import Bars, Word
from asmrisk.charts.waterfall import waterfall_chart
from asmrisk.charts.words import amount_words
from asmrisk.errors import InputError
from tests.analysis.synthetic_results import UNCERTAINTY, YEARS, results, with_origin

RISK = dict(zip(map(str, YEARS), (0.09, 0.09, 0.10, 0.11, 0.12), strict=True))
PARAMETERS = {
    "population.dollar_year": {"value": 2027},
    "population.deflator": {"value": 0.03},
    "policy.risk_level": {"value": RISK},
}


def consistent(apart=0.0):
    """Results whose Medicare savings are those of the handbook's formula, and so many dollars a draw more."""
    data = results(60)
    at = np.array(YEARS)[:, None]
    kept = (data.retained_savings - data.volume_offset).values * 1.03 ** (2027.0 - (at + 2))
    data["medicare_savings"] = (
        data.retained_savings.dims,
        kept + data.episode_savings.values * 1.03**2 + apart / 10.0,
    )
    return with_origin(data, parameters=PARAMETERS)


def steps(chart):
    return chart.data.set_index("step")["mean, $ million"].to_dict()


def test_steps_are_means_in_dollars_of_the_stated_year_and_add_up():
    data = consistent()
    found = steps(chart := waterfall_chart(open_run_results(data)))
    paid = 1.03 ** (2027.0 - (np.array(YEARS) + 2)) / 1e6

    def mean(values, prices):
        return float((values.sum("cohort").values * prices).sum(axis=1).mean())

    held = mean(data.payment_year_part_b, paid * np.array(list(RISK.values())))
    kept, offset = mean(data.retained_savings, paid), mean(data.volume_offset, paid)
    assert found == pytest.approx(
        {
            "Held back": held,
            "Paid out by score": kept - held,
            "Kept by adjustments": kept,
            "Volume offset": -offset,
            "Episode savings": mean(data.episode_savings, 1.03**2 / 1e6),
            "Medicare savings": mean(data.medicare_savings, 1e-6),
        }
    )
    assert list(found)[-1] == "Medicare savings"
    bars = next(each for each in chart.panels[0].marks if isinstance(each, Bars))
    np.testing.assert_allclose(bars.start[1:3], [bars.end[0], 0.0])
    np.testing.assert_allclose(bars.end - bars.start, list(found.values()))
    # Each step begins where the one before it ends, and they end at the savings.
    np.testing.assert_allclose(bars.start[3:5], bars.end[2:4])
    assert bars.end[4] == pytest.approx(bars.end[5])
    words = [each.text for each in chart.panels[0].marks if isinstance(each, Word)]
    assert words[3].startswith("−$")
    assert words[4].startswith("+$")
    assert "$ million of 2027" in chart.subtitle


def test_what_does_not_add_up_is_a_step_of_its_own():
    assert "Not explained" not in steps(waterfall_chart(open_run_results(consistent())))
    found = steps(waterfall_chart(open_run_results(consistent(5e6))))
    assert found["Not explained"] == pytest.approx(5.0)
    assert list(found)[-2:] == ["Not explained", "Medicare savings"]


def test_an_unknown_risk_level_leaves_out_what_is_held_back_and_says_so():
    data = with_origin(consistent(), uncertainty=UNCERTAINTY, draws_per_parameter_set=2)
    chart = waterfall_chart(open_run_results(data))
    assert next(iter(steps(chart))) == "Kept by adjustments"
    assert "risk level is drawn" in chart.notes[0]
    silent = with_origin(consistent(), parameters={**PARAMETERS, "policy.risk_level": {}})
    assert "risk level is not stated in these results" in waterfall_chart(open_run_results(silent)).notes[0]


def test_savings_within_their_error_are_no_finding():
    data = consistent()
    noise = np.random.default_rng(1).normal(0.0, 1e6, data.medicare_savings.shape)
    data["medicare_savings"] = data.medicare_savings.copy(data=noise - noise.mean(axis=0))
    assert waterfall_chart(open_run_results(data)).headline.startswith("No difference found")


@pytest.mark.parametrize(
    ("episodes", "said"),
    [
        (1.0, "; cheaper episodes make $"),
        (-1.0, "; dearer episodes cost $"),
        (0.0, "; no difference found in episodes"),
    ],
)
def test_episodes_are_said_by_their_sign(episodes, said):
    data = consistent()
    data["episode_savings"] = data.episode_savings * episodes
    headline = waterfall_chart(open_run_results(data)).headline
    assert said in headline
    assert "−" not in headline


def test_results_without_prices_say_what_to_give():
    with pytest.raises(InputError, match=r"asmrisk\.run"):
        waterfall_chart(open_run_results(results(20)))


def test_a_run_adds_up_to_the_figure_of_its_summary(stores):
    run = open_run_results(stores[0])
    chart = waterfall_chart(run)
    assert "Not explained" not in steps(chart)
    printed = str(summarize(stores[0], metrics="medicare_savings"))
    savings = chart.data.iloc[-1]
    mean, error = savings["mean, $ million"], savings["standard error, $ million"]
    assert with_error(mean, error) in printed
    assert f"Medicare savings: {amount_words(mean, error, '$ million')}." in chart.alternative
