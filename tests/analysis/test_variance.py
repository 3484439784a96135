"""What variance comes from, in print, rows and dataset: the same numbers, and what cannot be told is said."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from asmrisk.analysis import run_results
from asmrisk.analysis.doubt import chance_and_doubt
from asmrisk.analysis.report import Report
from asmrisk.analysis.run_results import open_run_results
from asmrisk.analysis.shares import GROUPS, PARTS, regressors, shares
from asmrisk.analysis.variance import UNRESOLVED, Unknowns, read_unknowns, variance
from tests.analysis.related_stores import UNCERTAINTY, Stores, dataset, uncertain, unknown_savings

METRIC = "medicare_savings"


@pytest.fixture
def stores(tmp_path, monkeypatch):
    found = Stores(tmp_path)
    monkeypatch.setattr(run_results, "open_results", found.open)
    return found


@pytest.fixture
def run(stores):
    savings, group = unknown_savings(200)
    return open_run_results(stores.add("mine.zarr", uncertain(), savings, group))


def text_of(found):
    return Report(xr.Dataset(), {}, (), (found.section,), {"rows": []}).to_text()


def flat(found):
    return " ".join(text_of(found).split())


def test_unknowns_are_read_in_the_order_of_the_scenario(run):
    found = read_unknowns(run)
    assert found.names == tuple(UNCERTAINTY)
    for place, each in enumerate(UNCERTAINTY.values()):
        column = found.values[:, place]
        assert each["low"] <= column.min() < column.max() <= each["high"]
    assert found.words == (False,) * 4
    later = read_unknowns(run.at(slice(10, 30)))
    np.testing.assert_array_equal(later.values, found.values[10:30])


def test_words_and_linked_unknowns(stores):
    """A linked one has no column; words, truth values and tables have no order."""
    stated = {
        "policy.tie_rule": {"values": ["upper", "mid"]},
        "policy.risk_level": {"values": [0.05, 0.09]},
        "population.latin_hypercube": {"values": [True, False]},
        "population.part_b_trend.cardiology": {"with": {"population.part_b_trend.neurosurgery": {}}},
    }
    names = sorted([*stated, "population.part_b_trend.neurosurgery"])
    values = np.arange(50.0).reshape(10, 5)
    group = xr.Dataset(
        {"parameter_value": (("draw", "parameter"), values)},
        coords={"draw": np.arange(10), "parameter": np.array(names, dtype=object)},
    )
    record = uncertain() | {"uncertainty": stated}
    found = read_unknowns(open_run_results(stores.add("words.zarr", record, np.arange(10.0), group)))
    assert found.names == tuple(stated)
    assert found.words == (True, False, True, False)
    assert found.values.tolist() == values[:, [names.index(name) for name in stated]].tolist()


def test_nothing_unknown_or_no_store_has_no_unknowns(run):
    assert read_unknowns(open_run_results(dataset({}, np.arange(4.0)))) is None
    assert read_unknowns(open_run_results(dataset(uncertain(), np.arange(4.0)))) is None


def test_print_rows_and_dataset_say_the_same(run):
    unknowns = read_unknowns(run)
    found = variance(run, unknowns)
    savings = run.draws(METRIC).values
    columns, _ = regressors(unknowns.values, unknowns.words)
    groups = ["behavior", "rule constants", "payments", "quality and cost"]
    expected = shares(savings, run.sets, columns, groups)
    parts = chance_and_doubt(savings, run.sets)
    split = found.dataset.share.sel(metric=METRIC)
    assert found.dataset.share.dims == ("metric", "group", "estimate")
    assert split.group.values.tolist() == list(PARTS)
    for estimate, values in zip(("value", "error", "low", "high"), expected, strict=True):
        np.testing.assert_array_equal(split.sel(estimate=estimate), values)
        name = "share" if estimate == "value" else estimate
        assert [row[name] for row in found.shares] == values.tolist()
    for component, part in zip(("chance", "doubt"), parts, strict=True):
        there = found.dataset.variance.sel(metric=METRIC, component=component)
        assert there.values.tolist() == [float(each) for each in part]
    assert [row["variance"] for row in found.components] == [float(each.value) for each in parts]
    assert {row["units"] for row in found.components} == {"USD^2"}
    text = text_of(found)
    assert f"{100 * expected.value[PARTS.index('behavior')]:.1f} ± " in text
    assert f"chance {np.sqrt(parts.chance.value) / 1e6:.2f} (" in flat(found)
    assert f"doubt {np.sqrt(parts.doubt.value) / 1e6:.2f} (" in flat(found)
    (line,) = (line for line in text.splitlines() if line.startswith("quality and cost"))
    assert "at most" in line
    assert line.endswith(UNRESOLVED)
    assert found.by_group(METRIC).keys() == set(PARTS)


def test_a_group_of_which_nothing_is_unknown_says_so(run):
    unknowns = read_unknowns(run)
    found = variance(run, Unknowns(unknowns.names[:1], unknowns.values[:, :1], unknowns.words[:1]))
    lines = [line for line in text_of(found).splitlines() if line.endswith("nothing unknown")]
    assert [line.split("  ")[0] for line in lines] == list(GROUPS[:3])


def test_doubt_that_cannot_be_told_from_nothing_is_not_shown_as_a_number(stores):
    rng = np.random.default_rng(6)
    _, group = unknown_savings(100)
    run = open_run_results(stores.add("chance.zarr", uncertain(), rng.normal(1e8, 2e6, 200), group))
    found = variance(run, read_unknowns(run))
    assert f"doubt {UNRESOLVED} (at most " in flat(found)


def test_several_metrics_have_a_table_each(run):
    data = run.dataset.assign(net_adjustment=-0.5 * run.dataset.medicare_savings)
    data["net_adjustment"].attrs = {}
    both = replace(run, dataset=data)
    found = variance(both, read_unknowns(both), [METRIC, "net_adjustment"])
    one, two = (found.dataset.share.sel(metric=name).values for name in (METRIC, "net_adjustment"))
    np.testing.assert_allclose(one, two)
    assert len(found.section.tables) == 2
    ratio = found.dataset.variance.sel(metric="net_adjustment") / found.dataset.variance.sel(metric=METRIC)
    np.testing.assert_allclose(ratio, 0.25)


@pytest.mark.parametrize(
    ("sets", "changes", "said"),
    [
        (5, {}, "needs 20 parameter sets and an outcome that varies; there are 5"),
        (50, {"draws_per_parameter_set": 1}, "With one draw per parameter set"),
    ],
)
def test_what_cannot_be_told_is_said(stores, sets, changes, said):
    savings, group = unknown_savings(sets)
    run = open_run_results(stores.add("few.zarr", uncertain(**changes), savings, group))
    found = variance(run, read_unknowns(run))
    assert said in flat(found)
    assert found.by_group(METRIC) == {}
    assert np.isnan(found.dataset.share).all()
    assert not found.section.tables


def test_a_dataset_in_memory_has_chance_and_doubt_but_no_groups():
    run = open_run_results(dataset(uncertain(), unknown_savings(50)[0]))
    found = variance(run, read_unknowns(run))
    assert "A split by group needs the store" in flat(found)
    assert np.isfinite(found.dataset.variance).all()
