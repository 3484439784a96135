"""Runs of scenarios that Python states: dicts, names, NumPy's numbers, and wrong types."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import asmrisk
from asmrisk.analysis.jobs import store_names
from asmrisk.errors import InputError
from asmrisk.results.status import status
from tests import fake_run

FEW = {"population.clinicians": 200}
SHARE = "policy.redistribution_share"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_dict_is_run_under_its_title_and_gives_what_a_file_gives(here):
    place = asmrisk.run(FEW | {SHARE: 1.0}, draws=np.int64(2), seed=np.uint32(5), quiet=True)
    assert place == Path(f"results/Final_rule_with_population.clinicians_200_{SHARE}_1.zarr")
    Path("a.toml").write_text("population.clinicians = 200\npolicy.redistribution_share = 1.0\n")
    file = asmrisk.open_results(asmrisk.run("a.toml", draws=2, seed=5, quiet=True))
    own = asmrisk.open_results(place)
    assert own.drop_attrs().identical(file.drop_attrs())
    assert own.attrs["title"] == f"Final rule, with population.clinicians 200, {SHARE} 1"
    assert (status(place).seed, status(place).draws) == (5, 2)
    # Said again, it is there.
    before = {each: each.stat().st_mtime_ns for each in Path(place).rglob("*") if each.is_file()}
    assert asmrisk.run({"population": {"clinicians": 200}, SHARE: 1}, draws=2, seed=5, quiet=True) == place
    assert before == {each: each.stat().st_mtime_ns for each in before}


def test_named_scenarios_share_a_field_and_have_stores_and_titles_of_their_names(here):
    few, said = asmrisk.Scenario.from_dict(FEW), io.StringIO()
    named = {"rho 0.9": few.with_({SHARE: 0.9}), "rho 1.0": FEW | {SHARE: 1.0}}
    stores = asmrisk.run(scenarios=named, draws=2, stream=said)
    assert stores == {"rho 0.9": Path("results/rho_0.9.zarr"), "rho 1.0": Path("results/rho_1.0.zarr")}
    sharing, doing = said.getvalue().splitlines()
    assert sharing == "rho_0.9 and rho_1.0 share a field, which is simulated once for all"
    assert doing.startswith("2 scenarios: 2 draws each of 200 clinicians, 2027 to 2031, with ")
    assert [asmrisk.open_results(each).attrs["title"] for each in stores.values()] == list(stores)
    alone = asmrisk.run(FEW | {SHARE: 0.9}, draws=2, out="alone.zarr", quiet=True)
    first = asmrisk.open_results(stores["rho 0.9"])
    assert first.drop_attrs().identical(asmrisk.open_results(alone).drop_attrs())
    # What it gives can be compared.
    found = asmrisk.compare(*stores.values(), replay_draws=0)
    assert "2 common draws" in str(found)
    # Read lazily too.
    lazy = [asmrisk.open_results(each) for each in stores.values()]
    assert all(each.chunks for each in lazy)
    pd.testing.assert_series_equal(
        asmrisk.compare(*lazy, replay_draws=0).to_dataframe().difference, found.to_dataframe().difference
    )
    assert repr(status(stores["rho 0.9"])).startswith("results/rho_0.9.zarr: complete\n")
    # Other places: a folder, a list; and unknowns that are fixed.
    one = {"rho 0.9": named["rho 0.9"]}
    assert asmrisk.run(scenarios=one, draws=1, out="f", fixed=True, quiet=True) == {
        "rho 0.9": Path("f/rho_0.9_fixed.zarr")
    }
    assert asmrisk.run(scenarios=one, draws=1, out=["g.zarr"], quiet=True) == {"rho 0.9": Path("g.zarr")}


def test_a_plan_takes_what_a_run_takes(here):
    plan = asmrisk.plan(scenarios={"a": FEW, "b": FEW | {SHARE: 1.0}}, draws=np.int32(4), quiet=True)
    rows = plan.to_dataframe()
    assert rows.results.tolist() == ["results/a.zarr", "results/b.zarr"]
    assert (rows.draws == 4).all()
    assert rows.field.nunique() == 1
    assert not Path("results").exists()


def test_names_become_names_of_folders_and_none_is_lost():
    names = ["a b", "a/b", "A_b", "ρ = 0.9", "..", "", "x" * 300, "a\x00\n\udc80"]
    found = store_names(names)
    assert found[3:6] == ["ρ_0.9", "scenario_" + found[4][9:], "scenario_" + found[5][9:]]
    assert len({each.casefold() for each in found}) == len(names)
    for each in found:
        assert each == each.strip(".")
        assert len(each.encode()) < 200
        assert not set(each) & set("/\\ \0\n:*?")
    # A name's digest is its own, whoever stands beside it and where.
    assert store_names(["A_b", "a b"]) == [found[2], found[0]]
    assert store_names(["a b"]) == ["a_b"]
    assert store_names(["same", "same"]) == ["same", "same"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"draws": 2.0}, "draws: must be a whole number of at least 1, not 2.0"),
        ({"draws": np.True_}, "draws: must be a whole number"),
        ({"draws": "3"}, "draws: must be a whole number of at least 1, not '3'"),
        ({"seed": np.int64(-1)}, "seed: must be a whole number from 0"),
        ({"out": 3}, "out: must be a path, or a list of them, not 3"),
        ({"out": [3]}, "out: must be a path, not 3"),
        ({"quiet": "no"}, "quiet: must be True or False, not 'no'"),
        ({"fixed": 1, "processes": None}, "processes: must be True or False, not None\nfixed: must be True"),
        ({"scheduler": 3}, "scheduler: must be the scheduler's address or file, not int"),
        ({"client": 3}, "client: must be a dask Client, or a cluster such as LocalCluster"),
        ({"client": 3, "scheduler": "a:1"}, "client: is connected to a scheduler; leave out the scheduler"),
        ({"client": 3, "workers": 2}, "client: a cluster has its own workers"),
        ({"client": 3, "security": 3}, "security: a client has its own certificates"),
    ],
)
def test_wrong_types_are_refused_by_the_arguments_name(here, options, said):
    for function in (asmrisk.run, asmrisk.plan):
        with pytest.raises(InputError) as caught:
            function(fake_run.scenario(), **options)
        assert str(caught.value).startswith(said)
        assert "--" not in str(caught.value)
    assert not list(here.iterdir())


def test_what_is_no_scenario_is_refused_by_its_name(here):
    for given, said in (
        ({"scenarios": 3}, "scenarios: must be a dict of scenarios by name, not 3"),
        ({"scenarios": [FEW]}, "scenarios: must be a dict of scenarios by name, not [{"),
        ({"scenarios": {3: FEW}}, "scenarios: 3 is no name; names are text"),
        ({"scenarios": {}}, "there is no scenario to run"),
        ({"scenarios": {"a": {"policy.risk_level": 2}}}, "'a': policy.risk_level: 2 is not allowed"),
        (
            {"scenarios": {"a": 3}},
            "scenarios 'a': must be a scenario, the path",
        ),
    ):
        with pytest.raises(InputError) as caught:
            asmrisk.run(**given)
        assert str(caught.value).startswith(said)
    with pytest.raises(InputError, match="scenarios: gives scenarios by name; leave out those without one"):
        asmrisk.run(FEW, scenarios={"a": FEW})
    with pytest.raises(
        InputError, match="scenarios: must be a scenario, the path of its file, or a dict of values, not 3"
    ):
        asmrisk.run(3)
    for call, name in (
        (lambda: asmrisk.run_to_precision(3, ["medicare_savings=1"]), "scenario"),
        (lambda: asmrisk.run_to_precision(FEW, 3), "target_se"),
        (lambda: asmrisk.run_to_precision(FEW, ["medicare_savings=1"], draws=2.5), "draws"),
        (lambda: asmrisk.run_to_precision(FEW, ["medicare_savings=1"], total="all"), "total"),
        (lambda: asmrisk.sensitivity(3), "study"),
        (lambda: asmrisk.sensitivity("a.toml", samples=0.5), "samples"),
        (lambda: asmrisk.open_results(3), "path"),
        (lambda: asmrisk.open_results("a", partial="yes"), "partial"),
        (lambda: asmrisk.status(3), "path"),
        (lambda: asmrisk.status("a", verify=2), "verify"),
        (lambda: asmrisk.warmup("loud"), "say"),
    ):
        with pytest.raises(InputError, match=f"^{name}: must be "):
            call()
    assert not list(here.iterdir())
