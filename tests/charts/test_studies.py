"""Tornado and indices of studies: drawn from what the studies' reports say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

import asmrisk
from asmrisk.analysis.digits import with_error
from asmrisk.charts.chart import Bars, Points
from asmrisk.charts.indices import indices_chart
from asmrisk.charts.tornado import tornado_chart
from asmrisk.errors import InputError
from tests.analysis.synthetic_results import results
from tests.charts.synthetic_studies import DRAWS, ONE, SAMPLED, report


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return report(
        tmp_path_factory.mktemp("one"), ONE, lambda point, _: [10.0, 9.0, -7.0, 10.0, 12.0, 10.0, 10.0][point]
    )


@pytest.fixture(scope="module")
def sobol(tmp_path_factory):
    text = SAMPLED.replace("METHOD", "sobol").replace("SIZE", "samples = 128")

    def value(_, position):
        at = np.nan_to_num(position, nan=0.5)
        return 6.0 * at[0] + 12.0 * at[1]

    return report(tmp_path_factory.mktemp("sobol"), text, value)


def marks(chart, kind):
    return [each for each in chart.panels[0].marks if isinstance(each, kind)]


def test_a_tornado_has_the_paired_differences_and_intervals_of_the_study(one):
    _, y, found = one
    chart = tornado_chart(found)
    change = y[1:] - y[0]
    mean, error = change.mean(axis=1), change.std(axis=1, ddof=1) / np.sqrt(DRAWS)
    order = np.argsort(-np.abs(mean))
    np.testing.assert_allclose(chart.data["estimate, $ million"], mean[order])
    found_points, hollow = marks(chart, Points)
    reach = t.ppf(0.975, DRAWS - 1) * error[order]
    is_hollow = np.abs(mean[order]) <= reach
    assert 0 < is_hollow.sum() < len(mean)
    assert hollow.hollow
    np.testing.assert_allclose(found_points.high, (mean[order] + reach)[~is_hollow])
    np.testing.assert_allclose(hollow.low, (mean[order] - reach)[is_hollow])
    (bars,) = marks(chart, Bars)
    assert bars.start is None
    np.testing.assert_allclose(bars.end, np.where(is_hollow, 0.0, mean[order]))
    names = chart.panels[0].y.names
    assert [each.endswith("no difference found") for each in names] == is_hollow.tolist()
    printed = " ".join(found.to_text().split())
    assert "policy.risk_level = 0.05" in printed
    assert names[0].startswith("risk level = 0.05: −$")
    figure = names[0].partition("−$")[2].rstrip("m")
    assert f"-{figure} ±" in printed
    assert chart.headline == f"Risk level = 0.05 moves Medicare savings most: −${figure} million"


def test_an_outcome_that_nothing_moves_is_no_finding(one):
    chart = tornado_chart(one[2], "penalized_share")
    assert chart.headline.startswith("No difference found")
    assert all(each.endswith("no change") for each in chart.panels[0].y.names)
    assert not marks(chart, Points)
    assert "dollars" not in chart.subtitle


def test_indices_have_the_shares_of_the_study(sobol):
    _, _, found = sobol
    chart = indices_chart(found)
    rows = {
        (row["parameter"], row["statistic"]): row
        for row in found.tables["findings"]
        if row["outcome"] == "medicare_savings"
    }
    alone, in_all = marks(chart, Bars)
    # Of uniforms: variances 3 and 12, and none of the third.
    np.testing.assert_allclose(alone.end, [80.0, 20.0, 0.0], atol=8.0)
    np.testing.assert_allclose(in_all.end, [80.0, 20.0, 0.0], atol=8.0)
    for at, name in enumerate(("behavior.volume_offset_cut", "policy.exchange_steepness")):
        assert in_all.end[at] == pytest.approx(100.0 * rows[name, "total"]["estimate"])
    for points in marks(chart, Points):
        assert (points.low >= 0.0).all()
        assert (points.high <= 100.0).all()
        assert not points.hollow or (points.x < 5.0).all()
    assert chart.headline.startswith("Volume offset cut makes ")
    printed = " ".join(found.to_text().split())
    total = rows["behavior.volume_offset_cut", "total"]
    said = chart.headline.partition("makes ")[2].partition("%")[0]
    assert f"{said} ±" in printed
    assert said == with_error(100.0 * total["estimate"], 100.0 * total["error"]).partition(" ±")[0]


def with_verdicts(report, statistic, change):
    """The same report, with other findings of a statistic of the first outcome."""
    rows = [dict(row) for row in report.tables["findings"]]
    some = [row for row in rows if row["statistic"] == statistic and row["outcome"] == "medicare_savings"]
    change(some)
    return replace(report, tables={**report.tables, "findings": rows})


@pytest.mark.parametrize(
    "verdict",
    [
        "indistinguishable from zero; at most 90%",
        "cannot be told",
        "not defined",
        "exactly zero: the same in every draw",
    ],
)
def test_the_first_parameter_that_is_found_is_named_whatever_is_larger(sobol, verdict):
    largest = sobol[2].tables["findings"][0]["parameter"]
    names = {"behavior.volume_offset_cut": "Volume", "policy.exchange_steepness": "Exchange"}

    def unfound(rows):
        next(row for row in rows if row["parameter"] == largest)["verdict"] = verdict

    (other,) = names.keys() - {largest}
    chart = indices_chart(with_verdicts(sobol[2], "total", unfound))
    assert chart.headline.startswith(f"{names[other]} ")
    assert chart.panels[0].y.names[0].startswith(names[other].lower())

    def none(rows):
        for row in rows:
            row["verdict"] = verdict

    assert indices_chart(with_verdicts(sobol[2], "total", none)).headline.startswith("No difference found")


def test_what_is_found_is_drawn_though_more_than_there_is_room_for_seems_larger(one):
    found = one[2]
    rows = [dict(row) for row in found.tables["findings"]]
    some = [row for row in rows if row["outcome"] == "medicare_savings"]
    noise = some[0] | {"estimate": 50e6, "error": 40e6, "low": -30e6, "high": 130e6}
    noise["verdict"] = "indistinguishable from zero"
    more = [noise | {"parameter": f"policy.noise_{at}"} for at in range(20)]
    many = replace(found, tables={**found.tables, "findings": [*more, *rows]})
    chart = tornado_chart(many)
    assert chart.headline == tornado_chart(found).headline
    assert chart.panels[0].y.names[0].startswith("risk level = 0.05")
    assert chart.notes[1].startswith(f"{20 + len(some) - 12} more")
    for row in some:
        row["verdict"] = "indistinguishable from zero"
    assert f"none of {20 + len(some)} effects" in tornado_chart(many).headline


def test_what_a_method_does_not_give_is_said_with_where_to_look(one, sobol):
    with pytest.raises(InputError, match=r"plot\.tornado"):
        indices_chart(one[2])
    with pytest.raises(InputError, match=r"plot\.indices"):
        tornado_chart(sobol[2])
    for draw in (tornado_chart, indices_chart):
        with pytest.raises(InputError, match=r"asmrisk\.sensitivity"):
            draw(asmrisk.summarize(results(20)))
        with pytest.raises(InputError, match="medicare_savings, penalized_share"):
            draw(sobol[2], "savings")


@pytest.mark.parametrize(
    ("method", "size", "statistic", "unit"),
    [
        ("morris", "trajectories = 10", "mu", "$ million"),
        ("latin_hypercube", "samples = 64", "coefficient", "SDs"),
    ],
)
def test_effects_of_other_methods_have_their_own_units(tmp_path, method, size, statistic, unit):
    text = SAMPLED.replace("METHOD", method).replace("SIZE", size)

    def value(_, position):
        at = np.nan_to_num(position, nan=0.5)
        return 6.0 * at[0] - 12.0 * at[1]

    _, _, found = report(tmp_path, text, value)
    chart = tornado_chart(found)
    rows = [
        row for row in found.tables["findings"] if row["statistic"] == statistic and row["units"] == "USD"
    ]
    scale = 1e6 if unit.startswith("$") else 1.0
    drawn = chart.data.set_index("parameter")[f"estimate, {unit}"]
    for row in rows:
        assert drawn[row["parameter"]] == pytest.approx(row["estimate"] / scale)
    assert drawn.index[0] == "behavior.volume_offset_cut"
    assert unit in chart.subtitle
    if method == "morris":
        # Linear: each moves the outcome by its whole factor, whatever the others are.
        assert drawn["policy.exchange_steepness"] == pytest.approx(6.0, abs=0.2)
        sizes, spread = marks(indices_chart(found), Bars)
        np.testing.assert_allclose(sizes.end[:2], [12.0, 6.0], atol=0.2)
        assert (spread.end < 0.5).all()
