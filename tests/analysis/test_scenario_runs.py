"""Scenarios in the place of results: run first, like the results they are compared with."""

import numpy as np
import pytest

import asmrisk
from asmrisk.analysis.scenario_runs import passing_runs
from asmrisk.errors import InputError, RunError
from asmrisk.results.status import status

FEW = "[population]\nclinicians = 150\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for risk in (5, 6, 7):
        text = f'title = "Risk {risk}"\n{FEW}[policy]\nrisk_level = 0.0{risk}\n'
        (tmp_path / f"risk_{risk}.toml").write_text(text)
    return tmp_path


def test_a_reform_given_as_a_scenario_has_the_draws_and_the_seed_of_the_results(files):
    base = asmrisk.run("risk_5.toml", draws=7, block_size=7, seed=3, out="base.zarr", quiet=True)
    found = asmrisk.compare(base, "risk_6.toml", asmrisk.load_scenario("risk_7.toml"), replay_draws=0)
    for risk in (6, 7):
        place = f"alone_{risk}.zarr"
        alone = asmrisk.run(f"risk_{risk}.toml", draws=7, block_size=7, seed=3, out=place, quiet=True)
        held = asmrisk.open_results(f"results/risk_{risk}.zarr")
        assert status(f"results/risk_{risk}.zarr", verify=True).complete
        np.testing.assert_array_equal(held.medicare_savings, asmrisk.open_results(alone).medicare_savings)
    assert list(found.dataset.reform.values) == ["Risk 6", "Risk 7"]
    assert found.dataset.attrs["draws"] == 7


def test_scenarios_alone_have_their_own_draws_and_what_is_stored_is_kept(files):
    options = {"metrics": ["medicare_savings"], "replay_draws": 0}
    runs = [files / f"risk_{risk}.toml" for risk in (5, 6)]
    for path in runs:
        path.write_text(path.read_text() + "[run]\ndraws = 4\n")
    first = asmrisk.compare(*runs, **options)
    assert first.dataset.attrs["draws"] == 4
    before = {each: each.stat().st_mtime_ns for each in (files / "results").rglob("c.*")}
    again = asmrisk.compare(*runs, **options)
    assert str(again) == str(first)
    assert {each: each.stat().st_mtime_ns for each in (files / "results").rglob("c.*")} == before


def test_a_list_of_stores_names_one_for_each_scenario(files):
    runs = ["risk_5.toml", "risk_5.toml"]
    for wrong in (["a.zarr"], ["a.zarr", "a.zarr"], []):
        with pytest.raises(InputError, match="one store for each of the 2 scenarios"):
            asmrisk.run(*runs, draws=2, out=wrong, quiet=True)
    stores = asmrisk.run(*runs, draws=2, out=["a.zarr", "deeper/b.zarr"], quiet=True)
    one, other = (asmrisk.open_results(each).medicare_savings for each in stores)
    np.testing.assert_array_equal(one, other)


def test_of_a_passing_run_that_fails_nothing_is_said_to_be_kept(monkeypatch):
    def full(*_, **__):
        raise RunError("there is no space left", ": 3 of 5 draws are finished and kept")

    monkeypatch.setattr("asmrisk.analysis.scenario_runs.run", full)
    with pytest.raises(RunError) as caught, passing_runs([], "of this nothing is kept"):
        pass
    assert str(caught.value) == "there is no space left; of this nothing is kept"
