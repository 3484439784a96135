"""The engine: the same bits however a run is cut up, killed, continued or watched."""

import gc
import io
import random
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from asmrisk.errors import InputError, RunError
from asmrisk.results import open_results, status
from asmrisk.results.manifest import Block, blocks_of
from asmrisk.results.store import Store
from asmrisk.results.store.block_writer import BlockWriter
from asmrisk.simulation import engine
from asmrisk.simulation.engine import threads
from asmrisk.simulation.engine.work import pieces
from asmrisk.simulation.progress import Progress
from tests import fake_run
from tests.fake_run import Fake, scenario

BASELINE = scenario()
TEMPLATE = Fake(BASELINE).template


@pytest.fixture(autouse=True)
def _isolated(monkeypatch):
    fake_run.isolate(monkeypatch.setattr)


def run(out, draws, *, simulate=None, workers=1, **options):
    return engine.run(
        BASELINE,
        draws=draws,
        out=out,
        workers=workers,
        simulate=simulate or Fake(BASELINE),
        **{"quiet": True} | options,
    )


class Failing(Fake):
    """Fails at one draw."""

    def __init__(self, scenario, draw):
        super().__init__(scenario)
        self.draw = draw

    def __call__(self, first, count, progress):
        if first <= self.draw < first + count:
            raise ZeroDivisionError("division by zero")
        return super().__call__(first, count, progress)


class Instant:
    """Draws that take no time."""

    piece, notes = 32, ()

    def __call__(self, first, count, progress):
        progress[0] += count
        return {path: np.repeat(array, count, axis=0) for path, array in TEMPLATE.items()}


def bits(path):
    """Bytes of every data variable and label; nothing that tells when or where it was made."""
    return {
        (group, name): (array.dtype, array.shape, array.values.tobytes() if array.dtype.kind != "T" else None)
        for group in (None, "environment")
        for name, array in xr.open_zarr(path, group=group, chunks=None).variables.items()
    }


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        fake_run.isolate(patch.setattr)
        folder = tmp_path_factory.mktemp("uninterrupted")
        return {draws: bits(run(folder / f"{draws}.zarr", draws)) for draws in (18, 30, 60)}


def start(*arguments, group=False):
    """Run the stand-in as a process of its own, past its imports; with a group of its own if so told."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fake_run", *map(str, arguments)],
        cwd=Path(fake_run.__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=group,
    )
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    return process


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


# Killed at random moments


@pytest.mark.parametrize(
    "trial", [*range(6), *(pytest.param(n, marks=pytest.mark.long) for n in range(6, 60))]
)
def test_a_killed_run_is_completed_to_the_same_bits(trial, uninterrupted, tmp_path):
    rng = random.Random(trial)
    place = tmp_path / "r.zarr"
    extended = trial % 2 == 0
    if extended:
        run(place, 18, block_size=4)
    workers = rng.choice([1, 2])
    for _ in range(rng.choice([1, 2])):
        process = start(place, 30, 4, workers, 0.01)
        time.sleep(rng.uniform(0, 1.2))
        process.kill()
        finish(process)
        try:
            shown = bits(place)
        except FileNotFoundError:
            assert not extended
        else:
            assert shown == uninterrupted[30] or (extended and shown == uninterrupted[18])
        if place.exists() and (place / ".asmrisk" / "store.json").exists():
            assert status(place, verify=True).damaged == ()
    run(place, 30, workers=rng.choice([1, 2]))
    assert bits(place) == uninterrupted[30]
    assert status(place, verify=True).complete


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_within_seconds_and_says_how_to_continue(number, expected, uninterrupted, tmp_path):
    place = tmp_path / "r.zarr"
    with pytest.raises(RunError):
        run(place, 60, block_size=20, simulate=Failing(BASELINE, 20))
    process = start(place, 60, 20, 2, 0.5)
    time.sleep(1)
    # Job schedulers send a signal to all processes of a job, some of which pass it on.
    for _ in range(3):
        process.send_signal(number)
        time.sleep(0.01)
    began = time.monotonic()
    code, out, err = finish(process)
    # A block takes 10 s here and a draw 0.5; the rest is Python's own end.
    assert time.monotonic() - began < 5
    assert code == expected
    assert "done" not in out
    found = re.fullmatch(
        rf"interrupted: 20 of 60 draws are finished and kept in {re.escape(str(place))}; "
        r"run the same command again to continue\n",
        err,
    )
    assert found, err
    assert status(place).done == 20
    with pytest.raises(FileNotFoundError):
        xr.open_zarr(place)
    run(place, 60)
    assert bits(place) == uninterrupted[60]


def test_two_processes_cannot_write_one_store(uninterrupted, tmp_path):
    place = tmp_path / "r.zarr"
    first = start(place, 30, 4, 1, 0.1)
    until = time.monotonic() + 20
    while not (place / ".asmrisk" / "store.json").exists() and time.monotonic() < until:
        time.sleep(0.02)
    code, _, err = finish(start(place, 30, 4, 1))
    assert code == 1
    assert "another run is writing to" in err
    assert finish(first)[:2] == (0, "done\n")
    assert bits(place) == uninterrupted[30]


def test_two_processes_that_begin_at_once_leave_one_sound_store(uninterrupted, tmp_path):
    place = tmp_path / "r.zarr"
    both = [start(place, 30, 4, 1, 0.1) for _ in range(2)]
    assert sorted(finish(process)[0] for process in both) == [0, 1]
    assert bits(place) == uninterrupted[30]


# Errors


def test_a_failing_draw_ends_the_run_and_keeps_the_rest(tmp_path):
    with pytest.raises(
        RunError,
        match=r"^draws 10 to 14 failed 3 times \(ZeroDivisionError: division by zero\): \d+ of 30"
        r" .*; `asmrisk replay .*r.zarr --draw 10 --out draw_10.csv` computes",
    ) as caught:
        run(tmp_path / "r.zarr", 30, simulate=Failing(BASELINE, 13), block_size=5, workers=2)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    done = status(tmp_path / "r.zarr").done
    assert done >= 5
    fake = Fake(BASELINE)
    run(tmp_path / "r.zarr", 30, simulate=fake)
    assert sum(count for _, count in fake.calls) == 30 - done


def test_arguments_are_checked_before_anything_is_written(tmp_path):
    place = tmp_path / "r.zarr"
    for options in (
        {"draws": 0},
        {"draws": 2.5},
        {"draws": True},
        {"draws": 3, "workers": 0},
        {"draws": 3, "block_size": -1},
        {"draws": 3, "seed": -1},
        {"draws": 3, "seed": 2**64},
    ):
        with pytest.raises(InputError, match=rf"{list(options)[-1]} must be a whole number"):
            run(place, **options)
    with pytest.raises(InputError):
        engine.run(tmp_path / "missing.toml", out=place)
    assert not place.exists()


def test_several_wrong_arguments_are_named_together(tmp_path):
    with pytest.raises(InputError) as caught:
        run(tmp_path / "r.zarr", 0, workers=0, block_size=0)
    assert len(caught.value.problems) == 3


def test_seed_and_number_of_draws_come_from_the_scenario_unless_given(tmp_path):
    chosen = scenario(run__draws=7, run__seed=0)
    path = engine.run(chosen, out=tmp_path / "a.zarr", simulate=Fake(chosen), quiet=True)
    assert (status(path).draws, status(path).seed) == (7, 0)
    path = engine.run(chosen, draws=3, seed=5, out=tmp_path / "b.zarr", simulate=Fake(chosen), quiet=True)
    assert (status(path).draws, status(path).seed) == (3, 5)


def test_a_scenario_file_names_the_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("low.toml").write_text('title = "Low"\n[run]\ndraws = 2\n')
    path = engine.run("low.toml", simulate=Fake(BASELINE), quiet=True)
    assert path == Path("results/low.zarr")
    assert open_results(path).attrs["title"] == "Low"


def test_a_run_outside_the_main_thread_leaves_signals_alone(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=run, args=(tmp_path / "r.zarr", 3))
    thread.start()
    thread.join()
    assert status(tmp_path / "r.zarr").complete
    run(tmp_path / "s.zarr", 3)
    assert signal.getsignal(signal.SIGTERM) is before


# Work in bounded waves


@pytest.mark.parametrize("workers", [1, 3])
def test_few_pieces_are_held_and_blocks_are_done_in_order(workers, tmp_path, monkeypatch):
    held = most = 0
    written = []
    lock = threading.Lock()

    class Watched(Instant):
        def __call__(self, first, count, progress):
            nonlocal held, most
            with lock:
                held += 1
                most = max(most, held)
            return super().__call__(first, count, progress)

    def write(self, block, values):
        nonlocal held
        with lock:
            held -= -(-block.count // Watched.piece)
            written.append(block.index)

    pretend_to_write(monkeypatch, write)
    run(tmp_path / "r.zarr", 256 * 100 + 10, simulate=Watched(), workers=workers)
    assert held == 0
    assert sorted(written) == list(range(101))
    # Each worker holds the pieces of the block it is at, or of one that waits to be written.
    assert most <= 8 * 2 * workers
    # A busy machine may hold up a thread, and with it the block it is at, while the others go on.
    late = sum(abs(place - index) > 2 * workers for place, index in enumerate(written))
    assert late <= (0 if workers == 1 else 5)


def pretend_to_write(monkeypatch, write):
    """Put `write` in place of what writes a block, and take every block for written."""
    monkeypatch.setattr(BlockWriter, "write_block", write)
    monkeypatch.setattr(Store, "finished_draws", lambda self: self.description.draws)
    monkeypatch.setattr(Store, "commit", lambda self: None)


def test_waves_and_pieces_cover_every_draw_once():
    blocks = blocks_of(10_000, 256)
    job = SimpleNamespace(simulation=Instant())
    waves = list(threads._waves(((job, block) for block in blocks), 128))
    assert [block for wave in waves for _, block in wave] == blocks
    assert all(sum(len(pieces(block, 32)) for _, block in wave) < 128 + 8 for wave in waves)
    parts = [part for block in blocks for part in pieces(block, 32)]
    assert [draw for first, count in parts for draw in range(first, first + count)] == list(range(10_000))
    assert pieces(Block(0, 0, 1), 32) == [(0, 1)]


def test_memory_does_not_grow_with_the_number_of_draws(tmp_path, monkeypatch):
    pretend_to_write(monkeypatch, lambda self, block, values: None)
    wave = 2 * threads._PIECES_PER_WAVE * Instant.piece
    live = []

    class Weighing(Instant):
        def __call__(self, first, count, progress):
            # Once a wave, always at the same place in it.
            if first % wave == 0:
                gc.collect()
                live.append(tracemalloc.get_traced_memory()[0])
            return {}

    tracemalloc.start()
    run(tmp_path / "r.zarr", 12 * wave, simulate=Weighing(), workers=2)
    tracemalloc.stop()
    assert len(live) == 12
    # One wave's graph takes 300 kB, one block of results 5 MB: neither is kept ten times.
    assert live[-1] - live[1] < 100_000


# What is said


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_draws_rate_and_time_left(tmp_path):
    terminal = Terminal()
    run(tmp_path / "r.zarr", 30, simulate=Fake(BASELINE, 0.03), stream=terminal, quiet=False)
    shown = terminal.getvalue()
    assert "draws/s" in shown
    assert "30/30" in shown
    assert re.search(r"\b([1-9]|1\d|2\d)/30", shown)
    assert "0:00:0" in shown


def test_a_continued_run_shows_what_was_done_before(tmp_path):
    run(tmp_path / "r.zarr", 20, block_size=5)
    terminal = Terminal()
    run(tmp_path / "r.zarr", 40, simulate=Fake(BASELINE, 0.01), stream=terminal, quiet=False)
    assert "40/40" in terminal.getvalue()
    assert " 0/40" not in terminal.getvalue()


def test_nothing_is_shown_when_quiet_or_not_on_a_terminal(tmp_path):
    terminal, file = Terminal(), io.StringIO()
    run(tmp_path / "a.zarr", 3, stream=terminal, quiet=True)
    run(tmp_path / "b.zarr", 3, stream=file, quiet=False)
    assert terminal.getvalue() == file.getvalue() == ""


def test_compiling_is_said_once(tmp_path, monkeypatch):
    monkeypatch.setattr(engine.work, "kernels_compiled", lambda: False)
    monkeypatch.setattr("asmrisk.simulation.precompile.compile_side_by_side", lambda: None)
    file = io.StringIO()
    fake = Fake(BASELINE)
    run(tmp_path / "r.zarr", 3, simulate=fake, stream=file, quiet=False)
    assert file.getvalue() == "compiling the kernels (once after an install, about half a minute)\n"
    # The main thread compiles, by one draw, so that Ctrl-C stops it.
    assert fake.calls == [(0, 1), (0, 3)]


def test_a_slot_given_after_the_stop_is_stopped():
    progress = Progress(io.StringIO())
    early = progress.slot()
    early[0] = 2
    progress.stop()
    assert early[1] == 1
    assert progress.slot()[1] == 1
    assert progress.done == 2
    progress.close(early, 3)
    assert progress.done == 3


def test_the_lock_dies_with_its_process(tmp_path):
    place = tmp_path / "r.zarr"
    process = start(place, 30, 4, 1, 0.5)
    until = time.monotonic() + 20
    while not (place / ".asmrisk" / "store.json").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert status(place).writing
    process.kill()
    finish(process)
    assert not status(place).writing
