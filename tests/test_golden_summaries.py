"""What summaries, comparisons and exposures print of a small run is what was looked at and kept.

So a change of what users read is a difference in ``golden/*.txt`` that somebody reads too. Where it is meant,
write the files anew, read the difference, and commit it with the change::

    .venv/bin/python tests/test_golden_summaries.py --write
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner

from asmrisk.cli import commands

FOLDER = Path(__file__).parent / "golden"
CLINICIANS = Path(__file__).parents[1] / "scenarios" / "our_clinicians.csv"
SMALL = ("--set", "population.clinicians=300", "--draws", "30", "--quiet")
RUNS = (
    ("run", "baseline", *SMALL, "--out", "baseline.zarr"),
    ("run", "budget_neutral", *SMALL, "--out", "budget_neutral.zarr"),
)
#: Files, and the commands whose standard output they hold.
PRINTED = {
    "summarize.txt": ("summarize", "baseline.zarr"),
    "compare.txt": ("compare", "baseline.zarr", "budget_neutral.zarr"),
    "exposure.txt": ("exposure", CLINICIANS.name, "--against", "baseline.zarr"),
}


def printed(*arguments):
    """What a command prints where nothing says how wide lines are."""
    environment = {"COLUMNS": None, "TERM": None}
    done = CliRunner().invoke(commands, arguments, env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def fill(folder):
    """Compute the small runs in a folder."""
    shutil.copy(CLINICIANS, folder)
    with chdir(folder):
        for each in RUNS:
            printed(*each)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    fill(made := tmp_path_factory.mktemp("summaries"))
    return made


@pytest.mark.parametrize("name", PRINTED)
def test_what_is_printed_is_what_was_kept(folder, monkeypatch, name):
    monkeypatch.chdir(folder)
    assert printed(*PRINTED[name]) == (FOLDER / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("To write the texts anew: python tests/test_golden_summaries.py --write")
    with tempfile.TemporaryDirectory() as place, chdir(place):
        fill(place)
        for name, command in PRINTED.items():
            (FOLDER / name).write_text(printed(*command), encoding="utf-8")
