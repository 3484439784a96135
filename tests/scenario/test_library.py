"""Scenarios that ship: found by name from any folder, copied to be edited, part of the wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import asmrisk
from asmrisk.cli import commands
from asmrisk.errors import InputError, RunError
from asmrisk.scenario.library import called
from asmrisk.studies.study import load_study

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "scenarios"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_scenario_is_found_by_its_name_from_any_folder():
    for name in ("baseline", "readings/ties_to_the_middle"):
        assert asmrisk.load_scenario(name) == asmrisk.load_scenario(SHIPPED / f"{name}.toml")
    assert load_study("policy_levers").scenario == load_study(SHIPPED / "studies/policy_levers.toml").scenario


def test_own_files_come_before_those_that_ship(tmp_path):
    (tmp_path / "baseline.toml").write_text('title = "Ours"\n')
    assert asmrisk.load_scenario("baseline").title == "Ours"
    assert asmrisk.load_scenario("budget_neutral").title != "Ours"


def test_own_files_extend_what_ships(tmp_path):
    (tmp_path / "ours.toml").write_text('extends = "baseline"\n[policy]\nredistribution_share = 1.0\n')
    ours, base = asmrisk.load_scenario("ours"), asmrisk.load_scenario("baseline")
    assert ours.uncertainty == base.uncertainty
    assert set(ours.differences(base)) == {"policy.redistribution_share"}


@pytest.mark.parametrize("name", ["basline", "reading/ties_to_the_middle", "../scenarios/baseline", "x/y"])
def test_what_is_neither_file_nor_name_is_refused_with_the_nearest(name):
    with pytest.raises(InputError, match="nor the name of one that ships") as caught:
        asmrisk.load_scenario(name)
    assert caught.value.problems[0].where == name


def test_init_copies_what_runs_as_it_is(tmp_path):
    written = asmrisk.init(tmp_path / "mine")
    assert len(written) == sum(each.is_file() for each in SHIPPED.rglob("*") if each.suffix != ".md")
    for each in written:
        assert each.read_bytes() == (SHIPPED / each.relative_to(tmp_path / "mine")).read_bytes()
    assert asmrisk.load_scenario(tmp_path / "mine/roster.toml").roster == (
        tmp_path / "mine/our_clinicians.csv"
    )


def test_what_cannot_be_filled_is_left_empty(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(RunError, match="mine: cannot be filled: No space left"):
        asmrisk.init(tmp_path / "mine")
    assert not [each for each in (tmp_path / "mine").rglob("*") if each.is_file()]


def test_a_command_that_is_told_names_what_ships_by_its_name():
    for name in ("baseline", "readings/ties_to_the_middle"):
        assert called(asmrisk.load_scenario(name).source) == name
    assert called(Path("scenarios/baseline.toml")) == "scenarios/baseline.toml"
    assert called(Path("/somewhere/else/ours.toml")) == "ours.toml"


def test_init_overwrites_nothing(tmp_path):
    asmrisk.init(tmp_path / "mine")
    (tmp_path / "a_file").touch()
    (tmp_path / "nowhere").symlink_to("missing")
    for name in ("mine", "a_file", "nowhere"):
        with pytest.raises(InputError, match="new"):
            asmrisk.init(tmp_path / name)
    for name in ("", "s3://bucket/x", "a_file/x", "x" * 300, "a\0b", 5):
        with pytest.raises(InputError) as caught:
            asmrisk.init(name)
        assert caught.value.problems[0].argument == "folder"
    ended = CliRunner().invoke(commands, ["init", "mine"])
    assert (ended.exit_code, "not empty" in ended.output) == (2, True)


def test_the_wheel_holds_them_and_the_handbook(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    pages = {each.name for each in (ROOT / "src/asmrisk/handbook").glob("*.md")}
    assert {each.name for each in (tmp_path / "installed/asmrisk/handbook").glob("*.md")} == pages
    program = "import asmrisk; print(asmrisk.__file__); print(asmrisk.load_scenario('roster').roster)"
    environment = {"PYTHONPATH": str(tmp_path / "installed"), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )
    package = tmp_path / "installed/asmrisk"
    assert done.stdout.split() == [
        str(package / "__init__.py"),
        str(package / "scenarios/our_clinicians.csv"),
    ]
