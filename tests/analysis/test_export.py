"""Results as flat tables: every number is that of the store, and every column is explained."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

import asmrisk
from asmrisk.cli import commands
from asmrisk.errors import InputError

CLINICIANS = """clinician_id,performance_year,cohort,specialty,practice_size,practice_id,part_b_payments
=1+1,2026,heart_failure,cardiology,8,P1,300000
2002,2026,heart_failure,cardiology,8,P1,200000
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A small run with a roster and doubt."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "ours.csv").write_text(CLINICIANS)
    scenario = {
        "population": {"clinicians": 300, "roster": str(folder / "ours.csv")},
        "uncertainty": {"behavior.cost_response": {"distribution": "uniform", "low": 0.0, "high": 0.01}},
        "run": {"draws_per_parameter_set": 2},
    }
    from asmrisk.scenario.scenario import scenario_from_dict

    scenario = scenario_from_dict(scenario | {"title": "{no JSON}"})
    return asmrisk.run(scenario, draws=6, out=folder / "run.zarr", quiet=True)


def read(folder, name):
    if (folder / f"{name}.csv").exists():
        return pd.read_csv(folder / f"{name}.csv")
    return pd.read_parquet(folder / f"{name}.parquet")


@pytest.mark.parametrize("layout", ["csv", "parquet"])
def test_tables_hold_every_number_of_the_store(store, tmp_path, layout):
    written = asmrisk.export(store, tmp_path / "out", format=layout)
    assert sorted(written) == sorted((tmp_path / "out").iterdir())
    columns = read_variables(tmp_path / "out")
    for group in ("", "environment", "clinician"):
        dataset = asmrisk.open_results(store, group=group or None)
        for name, variable in dataset.data_vars.items():
            (table,) = columns.index[(columns["column"] == name) & belongs(columns, group)]
            frame = read(tmp_path / "out", columns["table"][table])
            labels = list(variable.dims)
            frame["clinician"] = frame.get("clinician", pd.Series(dtype=str)).astype(str)
            if layout == "csv":  # No spreadsheet program calculates an identity.
                assert not frame["clinician"].str.startswith("=").any()
                frame["clinician"] = frame["clinician"].str.removeprefix("'")
            found = frame.set_index(labels)[name].to_xarray().transpose(*labels)
            for label in labels:  # Text labels come back in order of the alphabet.
                found = found.sel({label: variable[label].values.astype(found[label].dtype)})
            np.testing.assert_array_equal(found.values, variable.values)


def read_variables(folder):
    return pd.read_csv(folder / "variables.csv", keep_default_na=False)


def belongs(columns, group):
    if group:
        return columns["table"].str.startswith(group)
    return ~columns["table"].str.startswith(("environment", "clinician", "parameters"))


def test_columns_and_origin_are_explained(store, tmp_path):
    asmrisk.export(store, tmp_path / "out")
    columns = read_variables(tmp_path / "out")
    for path in (tmp_path / "out").glob("*.csv"):
        if path.name != "variables.csv":
            assert set(pd.read_csv(path, nrows=0)) == set(columns["column"][columns["table"] == path.stem])
    savings = columns[columns["column"] == "medicare_savings"].iloc[0]
    assert (savings["unit"], "2027" in savings["meaning"]) == ("USD", True)
    about = json.loads((tmp_path / "out/about.json").read_text())
    assert about["title"] == "{no JSON}"
    assert about["provenance"]["seed"] == 20270101


def test_parameters_are_a_column_each(store, tmp_path):
    asmrisk.export(store, tmp_path / "out")
    frame = pd.read_csv(tmp_path / "out/parameters.csv")
    assert list(frame["parameter_set"]) == [0, 0, 1, 1, 2, 2]
    stored = asmrisk.open_results(store, group="parameters")["parameter_value"]
    np.testing.assert_array_equal(
        frame["behavior.cost_response"], stored.sel(parameter="behavior.cost_response")
    )
    columns = read_variables(tmp_path / "out").set_index("column")
    unit, meaning = columns.loc["behavior.cost_response", ["unit", "meaning"]]
    assert (unit, "incentive" in meaning) == ("fraction", True)


def test_netcdf_holds_what_the_store_holds(store, tmp_path):
    asmrisk.export(store, tmp_path / "out", format="netcdf")
    for group in ("results", "environment", "clinician"):
        dataset = asmrisk.open_results(store, group=None if group == "results" else group)
        with xr.open_dataset(tmp_path / f"out/{group}.nc") as found:
            for name, variable in dataset.data_vars.items():
                np.testing.assert_array_equal(
                    found[name].transpose(*variable.dims).values, np.asarray(variable.values)
                )


def test_a_study_is_exported_by_design_point(tmp_path):
    (tmp_path / "base.toml").write_text("[population]\nclinicians = 200\n")
    (tmp_path / "study.toml").write_text(
        'scenario = "base.toml"\noutcomes = ["medicare_savings"]\n[design]\nmethod = "one_at_a_time"\n'
        '[parameters]\n"policy.risk_level" = {values = [0.05]}\n'
    )
    asmrisk.sensitivity(tmp_path / "study.toml", draws=2, out=tmp_path / "study.zarr", quiet=True)
    asmrisk.export(tmp_path / "study.zarr", tmp_path / "out")
    frame = read(tmp_path / "out", "by_outcome")
    stored = asmrisk.open_results(tmp_path / "study.zarr")["outcome_value"]
    assert list(frame["outcome"].unique()) == ["medicare_savings"]
    found = frame.pivot(index="design_point", columns="draw", values="outcome_value")
    np.testing.assert_array_equal(
        found.values, stored.squeeze("outcome").transpose("design_point", "draw").values
    )


def test_what_cannot_be_written_leaves_nothing(store, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    before = sorted(tmp_path.iterdir())
    for out in ("there", "link", "no/folder", "x" * 300, "a\0b"):
        with pytest.raises(InputError) as caught:
            asmrisk.export(store, tmp_path / out)
        assert caught.value.problems[0].argument == "out"
    with pytest.raises(InputError, match="lies in a store"):
        asmrisk.export(store, store / "no" / "tables")
    with pytest.raises(InputError, match="csv, parquet, netcdf"):
        asmrisk.export(store, tmp_path / "out", format="xlsx")
    monkeypatch.setattr("asmrisk.analysis.export._LARGEST_VARIABLE", 100)
    with pytest.raises(InputError, match="take parquet"):
        asmrisk.export(store, tmp_path / "out", format="netcdf")
    assert sorted(tmp_path.iterdir()) == before


def test_of_an_unfinished_run_its_own_option_is_advised(store, tmp_path):
    place = shutil.copytree(store, tmp_path / "run.zarr")
    next((place / "medicare_savings").glob("c.*")).unlink()
    arguments = ["export", str(place), "--format", "netcdf", "--out", str(tmp_path / "out")]
    ended = CliRunner().invoke(commands, arguments)
    assert ended.exit_code == 2
    command = f"`asmrisk export {place} --out {tmp_path / 'out'} --format netcdf --partial`"
    assert f"; {command} takes what is finished." in ended.stderr
    with pytest.raises(InputError, match=r"; `asmrisk.summarize\('[^']*run.zarr', partial=True\)` takes"):
        asmrisk.summarize(place)
    # What is advised works.
    assert CliRunner().invoke(commands, [*arguments, "--partial"]).exit_code == 0


def test_the_command_names_what_it_wrote(store, tmp_path):
    ended = CliRunner().invoke(commands, ["export", os.fspath(store), "--out", str(tmp_path / "out")])
    assert (ended.exit_code, ended.output.count("\n")) == (0, len(list((tmp_path / "out").iterdir())))
    again = CliRunner().invoke(commands, ["export", os.fspath(store), "--out", str(tmp_path / "out")])
    assert (again.exit_code, "is there already" in again.output) == (2, True)
