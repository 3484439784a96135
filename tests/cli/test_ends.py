"""However a command ends: one line or none, its exit status, and never a traceback."""

import ast
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import asmrisk

SCENARIOS = Path(__file__).parents[2] / "scenarios"
PACKAGE = Path(asmrisk.__file__).parent

#: Says when signals are heeded, before which the process is Python's; then does as the program does.
PROGRAM = """
import signal
known = signal.signal
def told(number, handler):
    known(number, handler)
    if number == signal.SIGTERM:
        signal.signal = known
        print("ready", flush=True)
signal.signal = told
from asmrisk.__main__ import main
main()
"""


def ended(number, wait, *arguments):
    """Send a signal after some seconds; give status and what was said, nothing of what was done by then."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        time.sleep(wait)
        child.send_signal(number)
        said = child.communicate(timeout=90)[1]
    return child.returncode, said


@pytest.mark.parametrize(
    ("command", "trials", "seconds"),
    [
        (["validate", "baseline"], 30, 0.7),
        (["run", "baseline", "--draws", "100000", "--out"], 30, 0.9),
        pytest.param(["validate", "baseline"], 300, 2.0, marks=pytest.mark.long),
        pytest.param(["run", "baseline", "--draws", "100000", "--out"], 300, 2.0, marks=pytest.mark.long),
        pytest.param(["docs", "rosters"], 300, 0.35, marks=pytest.mark.long),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_signal_at_any_moment_ends_a_command_in_one_line(command, trials, seconds, tmp_path):
    def trial(number):
        chosen = random.Random(number)
        sent = chosen.choice([signal.SIGINT, signal.SIGTERM])
        out = [str(tmp_path / str(number))] if command[-1] == "--out" else []
        return sent, *ended(sent, chosen.uniform(0.0, seconds), *command, *out)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(trial, range(trials)))
    wrong = [
        each
        for each in found
        if each[1:] != (0, "")  # It was quicker than the signal.
        and (each[1] != 128 + each[0] or each[2].splitlines()[-1:] == [] or "Traceback" in each[2])
    ]
    assert not wrong
    lines = [line for _, _, said in found for line in said.splitlines()]
    # What is checked and announced may have been said before.
    expected = ("asmrisk: interrupted", "baseline: ", "Final rule: 100,000 draws")
    assert [line for line in lines if not line.startswith(expected)] == []
    assert sum(line.startswith("asmrisk: interrupted") for line in lines) > trials / 5


def test_nothing_is_imported_before_signals_are_heeded():
    """What Python has at its start is all; the rest comes when the handlers are there."""
    for name in ("__init__", "__main__"):
        tree = ast.parse((PACKAGE / f"{name}.py").read_text())
        top = [each for each in tree.body if isinstance(each, ast.Import | ast.ImportFrom)]
        names = {alias.name for each in top if isinstance(each, ast.Import) for alias in each.names}
        names |= {each.module for each in top if isinstance(each, ast.ImportFrom)}
        assert names <= {"__future__", "importlib", "os", "signal", "sys"}, name
    project = (PACKAGE.parents[1] / "pyproject.toml").read_text()
    assert 'asmrisk = "asmrisk.__main__:main"' in project


COMMANDS = ("--help", "run --help", "--version", "policy", "docs start")


@pytest.mark.parametrize("command", COMMANDS)
def test_streams_that_are_closed_full_or_not_read_end_in_a_status_and_at_most_a_line(command):
    def shell(words, **options):
        line = f"{sys.executable} -m asmrisk {words}"
        return subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, timeout=90, check=False, **options
        )

    for words, status, lines in (
        (f"{command} >&-", 0, 0),
        (f"{command} >/dev/null 2>&-", 0, 0),
        (f"{command} >&- 2>&- <&-", 0, 0),
        (f"{command} >/dev/full", 1, 1),
        (f"{command} | true; exit ${{PIPESTATUS[0]}}", None, 0),
    ):
        done = shell(words)
        assert done.returncode == status or (status is None and done.returncode in (0, 141)), (words, done)
        assert done.stderr.count("\n") == lines, (words, done.stderr)
        assert not lines or done.stderr.startswith("asmrisk: "), done.stderr


@pytest.mark.parametrize("command", ["rum", "run", "run nowhere.toml", "policy --format x", "status nowhere"])
def test_what_is_wrong_has_its_status_where_nothing_can_be_said(command):
    for ending in ("2>&-", "2>/dev/full", ">&- 2>&-"):
        line = f"{sys.executable} -m asmrisk {command} {ending}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=90, check=False)
        assert (done.returncode, done.stderr) == (2, ""), line


def test_no_file_of_ours_takes_the_place_of_a_closed_stream(tmp_path):
    """What C or a child writes to standard output must not land in a store."""
    code = (
        "import os, sys; from asmrisk import __main__; import asmrisk.cli\n"
        "asmrisk.cli.main = lambda: open('new', 'w').write(str(os.open('other', os.O_CREAT | os.O_WRONLY)))\n"
        "__main__.main()"
    )
    line = f'{sys.executable} -c "{code}" <&- >&- 2>&-'
    subprocess.run(["bash", "-c", line], check=True, cwd=tmp_path, timeout=60)
    assert int((tmp_path / "new").read_text()) > 2


def test_progress_that_nobody_takes_ends_no_run(tmp_path):
    (tmp_path / "tiny.toml").write_text("title = 'T'\n[population]\nclinicians = 200\n")
    line = f"{sys.executable} -m asmrisk run tiny.toml --draws 4 --out r.zarr 2>/dev/full"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    assert "T" in done.stdout
    assert (tmp_path / "r.zarr" / "zarr.json").exists()
