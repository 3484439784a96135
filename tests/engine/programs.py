"""Runs of the stand-in as programs of their own, and what readers see of the stores that they leave."""

import contextlib
import io
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import xarray as xr

from asmrisk.engine.executors import executor
from asmrisk.engine.fill import fill
from asmrisk.engine.progress import Progress
from tests import fake_run
from tests.fake_simulation import Fake
from tests.results import small

ROOT = Path(__file__).parents[2]

#: Seconds that something may take on a machine that does other things besides.
PATIENCE = 90


def start(*arguments, module="tests.fake_run", group=False):
    """Run the stand-in as a process of its own, past its imports; with a group of its own if so told."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=group,
    )
    if process.stdout.readline() != "ready\n":
        process.kill()
        raise AssertionError(process.communicate()[1])
    return process


def finish(process):
    """Wait for the end of a process; give its exit status and what it wrote."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def until(condition, what, patience=PATIENCE):
    """Wait for a condition, and give what it gives."""
    end = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < end, f"not in {patience} s: {what}"
        time.sleep(0.02)
    return value


def laid_out(place):
    """Whether a run has begun to write at a place."""
    return (place / ".asmrisk" / "store.json").exists()


def blocks_written(place):
    """How many blocks of a store have been finished."""
    return len(list(place.glob(".asmrisk/blocks/[0-9]*.json")))


def kill(process):
    """Kill a process and all that it has started, at once."""
    # The number of one that has ended may be another's by now.
    if process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid)
            for each in [family, *family.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
    process.wait(timeout=PATIENCE)


@cache
def expected(draws):
    """What the stand-in's store of the final rule must hold, by path: values of so many draws, and labels."""
    declared = fake_run.job("nowhere", draws)
    each = [declared.simulation.draw(number) for number in range(draws)]
    values = {path: np.array([one[path] for one in each]) for path in each[0]}
    counted = {path: np.arange(draws) for path in ("draw", "environment/draw")}
    return values | dict(declared.labels) | counted


def assert_holds(place, draws):
    """Readers without this package see exactly these draws and their labels, to the bit."""
    unseen = dict(expected(draws))
    for group in ("", "environment"):
        dataset = xr.open_zarr(place, group=group or None, chunks=None)
        for name, array in dataset.variables.items():
            values = unseen.pop(f"{group}/{name}" if group else name)
            assert array.shape == values.shape, name
            if array.dtype.kind in "OT":
                assert list(array.values) == list(values), name
            else:
                assert (array.dtype, array.values.tobytes()) == (values.dtype, values.tobytes()), name
    assert unseen == {}


def draws_shown(place):
    """Count the draws that readers see, all of them right; 0 where nothing can be opened."""
    try:
        draws = xr.open_zarr(place, chunks=None).sizes["draw"]
    except FileNotFoundError:
        return 0
    assert_holds(place, draws)
    return draws


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def small_spec():
    """What the small store of other tests holds."""
    return small.declare(Path("nowhere"), 1).spec


def write(place, draws, *, size=5, simulation=None, stream=None, **computing):
    """Fill a small store, on one thread if nothing else is chosen; give its place."""
    job = small.declare(place, draws, size=size, simulation=simulation)
    fill([job], executor(**(computing or {"workers": 1})), Progress(stream))
    return place


class FailingAt(Fake):
    """Fails when it comes to one draw of a small store."""

    def __init__(self, failing):
        super().__init__(small_spec())
        self.failing = failing

    def draw(self, number):
        if number == self.failing:
            raise ZeroDivisionError("division by zero")
        return super().draw(number)
