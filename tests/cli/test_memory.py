"""Commands whose memory is limited, as by ``ulimit -v``: they end well, or say what helps."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from asmrisk.cli import commands
from asmrisk.cli.memory import LEAST, advice

BASELINE = Path(__file__).parents[2] / "scenarios" / "baseline.toml"
FEW = ("--set", "population.clinicians=200", "--draws", "4", "--fixed")


def ended(gigabytes, *arguments):
    """How a command ends whose addresses are limited."""
    limit = int(gigabytes * 1e9)
    return subprocess.run(
        [sys.executable, "-m", "asmrisk", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )


def test_too_little_for_anything_is_said_before_a_library_aborts(tmp_path):
    done = ended(0.8, "run", str(BASELINE), *FEW, "--out", str(tmp_path / "r.zarr"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "asmrisk: the memory of this process is limited to 0.8 GB of addresses; at least "
        f"{LEAST / 1e9:.1f} GB are needed. `ulimit -v unlimited` lifts the limit, or ask who set it\n"
    )
    assert not list(tmp_path.iterdir())


def test_what_a_command_takes_is_told_with_less_memory_too():
    done = ended(0.8, "run", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--workers" in done.stdout


@pytest.mark.parametrize("more", [0.0, 0.3, 0.6])
def test_commands_make_do_with_what_is_needed_at_least(more, tmp_path):
    """With several workers too, each of which would take memory pools of its own; with a little more as well,
    which a library that reserves what there is would leave nothing of.
    """
    place = str(tmp_path / "r.zarr")
    ours = str(BASELINE.with_name("our_clinicians.csv"))
    for command in (
        ("run", str(BASELINE), *FEW, "--workers", "8", "--out", place, "--quiet"),
        ("summarize", place),
        ("status", place, "--verify"),
        ("exposure", ours, "--against", place),
    ):
        done = ended(LEAST / 1e9 + more, *command)
        said = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
        assert (done.returncode, said) == (0, [])


FAILURES = {
    "memory": (MemoryError(), True),
    "a thread": (RuntimeError("can't start new thread"), False),
    "a library": (OSError("Could not find/load shared object file: symbol could not be resolved"), False),
}


@pytest.mark.parametrize(("error", "always"), FAILURES.values(), ids=FAILURES)
def test_the_advice_fits_the_case(error, always, monkeypatch):
    def fail(*_, **__):
        raise error

    def said(*arguments):
        return CliRunner().invoke(commands, arguments, prog_name="asmrisk").stderr

    monkeypatch.setattr("asmrisk.population.preparation.prepared_scenarios", fail)
    monkeypatch.setattr("asmrisk.cli.memory._limit", lambda: None)
    machine = "asmrisk: out of memory; end other programs, or take a larger machine\n"
    assert (said("validate", str(BASELINE)) == machine) is always
    assert advice({"workers": "--workers", "block_size": "--block-size"}) == (
        "out of memory; try fewer --workers or a smaller --block-size"
    )
    monkeypatch.setattr("asmrisk.cli.memory._limit", lambda: 3_000_000_000)
    limited = "asmrisk: out of memory: this process is limited to 3.0 GB of addresses; `ulimit -v unlimited`"
    assert said("validate", str(BASELINE)) == f"{limited} lifts the limit\n"
    assert advice({"workers": "--workers"}).endswith("lifts the limit, or try --workers 1")
