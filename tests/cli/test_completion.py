"""What a shell completes: asked as shells ask, in a process of its own, and how long they wait."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from asmrisk.analysis.metrics import METRICS
from asmrisk.cli import commands
from asmrisk.handbook import TOPICS

RESULTS = ("results/baseline.zarr", "results/baseline_fixed.zarr")
SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with stores, here and in results, and files of a user."""
    monkeypatch.chdir(tmp_path)
    for store in ("mine.zarr", *RESULTS, "far/away.zarr"):
        Path(store).mkdir(parents=True)
    for file in ("basic.toml", "base.csv", ".hidden.toml"):
        Path(file).touch()
    return tmp_path


def completed(line: str) -> list[str]:
    """Give what completes the last word of a line, an empty one after a blank."""
    words = line.split(" ")
    asked = {"_ASMRISK_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    result = CliRunner().invoke(commands, [], prog_name="asmrisk", env=asked)
    assert result.exit_code in (0, 1), result.output  # click ends with 1 after an answer.
    return [each for each in result.stdout.splitlines() if each]


def names(*found: str) -> list[str]:
    return [f"plain,{each}" for each in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("asmrisk ru", names("run")),
        ("asmrisk run budget", names("budget_neutral")),
        # Own files and folders too, but no stores, where scenarios stand; all that is asked for, several.
        ("asmrisk run baseline bas", names("baseline", "basic.toml")),
        ("asmrisk validate readings/ties", names("readings/ties_to_the_middle")),
        ("asmrisk check baseline --base bas", names("baseline", "basic.toml")),
        # Where nothing that ships has the name, files are completed as the shell does.
        ("asmrisk run far", ["file,far"]),
        ("asmrisk sensitivity policy", names("policy_levers")),
        ("asmrisk docs ros", names("rosters")),
        ("asmrisk summarize mi", names("mine.zarr")),
        ("asmrisk summarize results/baseline", names(*RESULTS)),
        ("asmrisk summarize far/", names("far/away.zarr")),
        ("asmrisk status ", names("mine.zarr", *RESULTS, "far/", "results/")),
        ("asmrisk compare mine.zarr mi", names("mine.zarr")),
        ("asmrisk compare mine.zarr budget", names("budget_neutral")),
        ("asmrisk report mine.zarr mi", names("mine.zarr")),
        ("asmrisk report mine.zarr --study policy", names("policy_levers")),
        ("asmrisk exposure ours.csv --against mi", names("mine.zarr")),
        ("asmrisk summarize mine.zarr --by year,spe", names("year,specialty")),
        ("asmrisk summarize mine.zarr --metric penalized", names("penalized_share")),
        ("asmrisk summarize mine.zarr --loss 5 --metric penalized", names("penalized_share")),
        ("asmrisk summarize mine.zarr --exceedance scored,penalized", names("scored,penalized_share")),
    ],
)
def test_names_are_completed(folder: Path, line: str, expected: list[str]) -> None:
    assert completed(line) == expected


def test_a_command_that_there_is_not_is_no_failure(folder: Path) -> None:
    assert "plain,run" in completed("asmrisk nothing ")


def test_all_names_are_offered(folder: Path) -> None:
    ship = {each.relative_to(SCENARIOS).with_suffix("").as_posix() for each in SCENARIOS.rglob("*.toml")}
    studies = {each.removeprefix("studies/") for each in ship if each.startswith("studies/")}
    own = {"basic.toml", "far/", "results/"}
    assert {*completed("asmrisk run ")} == {*names(*own, *(each for each in ship if each[:8] != "studies/"))}
    assert {*completed("asmrisk sensitivity ")} == {*names(*own, *studies)}
    assert completed("asmrisk docs ") == names(*TOPICS)
    assert completed("asmrisk compare mine.zarr mine.zarr --metric ") == names(*METRICS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_help_and_handbook_say_how_each_shell_learns_it(shell: str) -> None:
    command = f"_ASMRISK_COMPLETE={shell}_source asmrisk"
    assert command in CliRunner().invoke(commands, ["--help"]).stdout
    assert command in CliRunner().invoke(commands, ["docs", "start"]).stdout
    script = CliRunner().invoke(
        commands, [], prog_name="asmrisk", env={"_ASMRISK_COMPLETE": f"{shell}_source"}
    )
    assert f"{shell}_complete" in script.stdout


@pytest.mark.parametrize(
    "line", ["asmrisk run b", "asmrisk summarize mine.zarr --metric ", "asmrisk compare mine.zarr m"]
)
def test_a_shell_does_not_wait(folder: Path, line: str) -> None:
    asked = {"_ASMRISK_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", "from asmrisk.cli import commands; commands(prog_name='asmrisk')"],
            env=os.environ | asked, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert "plain," in done.stdout, done.stderr
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time, which a busy machine does not lengthen; the best of a few.
    assert min(seconds() for _ in range(4)) < 0.3
