"""Ctrl-C and SIGTERM end a run within seconds, with exit status 130 or 143 and a word on what is kept."""

import ctypes
import fcntl
import os
import random
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress

import psutil
import pytest
import xarray as xr

from asmrisk.engine.interruption import Interrupted, deferred, interruptible
from asmrisk.errors import RunError
from asmrisk.results.status import status
from tests.engine.programs import PATIENCE, blocks_written, finish, kill, start, until
from tests.results import small

#: Seconds within which a run must have ended: a block takes 10 s here, and a draw half a second.
SECONDS = 5


def start_slowly(place, draws, *options, **started):
    """Run a small store's stand-in, and wait until it is at its first block."""
    sign = place.with_name("begun")
    slow = ("--size", 20, "--seconds", 0.5, "--sign", sign)
    process = start(place, draws, *slow, *options, module="tests.engine.small_run", **started)
    until(lambda: sign.exists() or process.poll() is not None, "the first block")
    assert process.poll() is None, finish(process)
    return process


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_within_seconds_and_says_how_to_continue(number, expected, tmp_path):
    place = small.write(tmp_path / "r.zarr", 20, size=20)
    process = start_slowly(place, 60, "--workers", 2)
    began = time.monotonic()
    # Job schedulers send a signal to all processes of a job, some of which pass it on.
    for _ in range(3):
        process.send_signal(number)
        time.sleep(0.01)
    code, out, err = finish(process)
    assert time.monotonic() - began < SECONDS
    assert code == expected
    assert out == ""
    assert err == (
        f"interrupted: 20 of 60 draws are finished and kept in {place}; run it again in the same way to "
        "continue\n"
    )
    assert status(place, verify=True).done == 20
    # Readers see what they saw.
    small.assert_holds(place, 20)
    small.write(place, 60)
    small.assert_holds(place, 60)


def test_a_first_run_that_is_interrupted_shows_nothing(tmp_path):
    place = tmp_path / "r.zarr"
    process = start_slowly(place, 60, "--workers", 1)
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130
    with pytest.raises(FileNotFoundError):
        xr.open_zarr(place)
    assert (status(place).done, status(place).committed, status(place).complete) == (0, 0, False)


@pytest.mark.parametrize(
    ("number", "expected", "together"),
    [(signal.SIGINT, 130, True), pytest.param(signal.SIGTERM, 143, False, marks=pytest.mark.long)],
)
def test_an_interrupted_run_leaves_no_worker_behind(number, expected, together, tmp_path):
    """A terminal sends Ctrl-C to all processes of the run, `kill` to the first one alone."""
    place = tmp_path / "r.zarr"
    process = start_slowly(place, 60, "--processes", "--workers", 2, group=True)
    family = psutil.Process(process.pid).children(recursive=True)
    # Two workers, and what Python starts for them.
    assert len(family) >= 2
    began = time.monotonic()
    (os.killpg if together else os.kill)(process.pid, number)
    code, _, err = finish(process)
    # The workers are given time to end by themselves.
    assert time.monotonic() - began < 3 * SECONDS
    assert code == expected
    assert err == (
        f"interrupted: 0 of 60 draws are finished and kept in {place}; run it again in the same way to "
        "continue\n"
    )
    assert psutil.wait_procs(family, timeout=PATIENCE)[1] == []


def of_group(number):
    """Processes of a process group that are still there."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(each.pid) == number and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


@pytest.mark.parametrize("trial", [0, 1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 30))])
def test_a_signal_while_worker_processes_start_ends_the_run_and_all_of_them(trial, tmp_path):
    number, together = (signal.SIGINT, True) if trial % 2 else (signal.SIGTERM, False)
    place = tmp_path / "r.zarr"
    slow = ("--size", 20, "--seconds", 0.5, "--processes", "--workers", 2)
    process = start(place, 60, *slow, module="tests.engine.small_run", group=True)
    time.sleep(random.Random(trial).uniform(0.0, 2.0))
    (os.killpg if together else os.kill)(process.pid, number)
    code, _, err = finish(process)
    assert code == 128 + number, err
    kept = rf"nothing was computed yet|0 of 60 draws are finished and kept in {place}; run it again .*"
    assert re.fullmatch(rf"interrupted: ({kept})\n", err)
    until(lambda: not of_group(process.pid), "the end of all processes")


@pytest.mark.parametrize("waiting_for", ["the commit", "a block"])
def test_a_run_that_waits_for_another_process_can_be_interrupted(waiting_for, tmp_path):
    place = tmp_path / "r.zarr"
    small.write(place, 10)
    if waiting_for == "a block":
        # As it is left by a process that was killed: chunks without an entry.
        (place / ".asmrisk" / "blocks" / "000001.json").unlink()
    with (place / ".asmrisk" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start(place, 15, "--workers", 1, module="tests.engine.small_run")
        try:
            line = process.stderr.readline()
            assert line == f"another process is changing {place}; waiting until it has ended\n"
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            code, _, err = finish(process)
        finally:
            kill(process)
    assert time.monotonic() - began < SECONDS
    assert code == 130
    # The block that comes after it may be finished or not.
    done = 15 if waiting_for == "the commit" else 5 * blocks_written(place)
    assert err.startswith(f"interrupted: {done} of 15 draws are finished and kept in {place}; ")
    small.write(place, 15)
    small.assert_holds(place, 15)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_a_callback_of_c_loses_is_told_by_what_goes_wrong_for_it():
    stop = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGTERM))

    def stopped(error):
        stop()
        raise error

    with pytest.raises(Interrupted) as interrupted, interruptible(), interruptible():
        stopped(RuntimeError("no compiled object"))
    assert interrupted.value.exit_status == 128 + signal.SIGTERM
    with pytest.raises(RuntimeError, match="no compiled object"), interruptible():
        raise RuntimeError("no compiled object")
    with pytest.raises(RunError, match="disk"), interruptible():
        stopped(RunError("the disk is full"))


def test_a_signal_that_c_prints_as_an_error_comes_again(capfd):
    def stopped():
        try:
            signal.raise_signal(signal.SIGTERM)
        except Interrupted as lost:
            sys.excepthook(type(lost), lost, lost.__traceback__)  # As `PyErr_Print` does.
        time.sleep(PATIENCE)

    with pytest.raises(Interrupted) as interrupted, interruptible():
        stopped()
    assert interrupted.value.exit_status == 128 + signal.SIGTERM
    assert capfd.readouterr().err == ""
    with interruptible():
        sys.excepthook(ValueError, ValueError("another"), None)
    assert "another" in capfd.readouterr().err


def test_a_signal_that_c_swallows_comes_again():
    def stopped():
        with suppress(BaseException):  # As modules do that are compiled, where they are imported.
            signal.raise_signal(signal.SIGTERM)
        time.sleep(PATIENCE)

    began = time.monotonic()
    with pytest.raises(Interrupted) as interrupted, interruptible():
        stopped()
    assert interrupted.value.exit_status == 128 + signal.SIGTERM
    assert time.monotonic() - began < SECONDS


def test_a_signal_waits_while_python_holds_the_locks_of_an_import(tmp_path, monkeypatch):
    """Cut off there, no thread could import any more, nor the run end that waits for it."""
    (tmp_path / "slow_to_find.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    bootstrap = sys.modules["_frozen_importlib"]
    found, done = bootstrap._get_module_lock, []

    def locked(name):
        if name == "slow_to_find":
            # As between the lock of all imports and what releases it.
            frame = sys._getframe(1)
            assert frame.f_code.co_filename == "<frozen importlib._bootstrap>"
            # As job schedulers do, several times.
            for _ in range(3):
                signal.getsignal(signal.SIGTERM)(signal.SIGTERM, frame)
            done.append("the lock")
        return found(name)

    def imported():
        monkeypatch.setattr(bootstrap, "_get_module_lock", locked)
        try:
            import slow_to_find  # noqa: F401

            time.sleep(PATIENCE)
        finally:
            time.sleep(0.3)
            done.append("the end")

    began = time.monotonic()
    with pytest.raises(Interrupted) as interrupted, interruptible():
        imported()
    assert (done, interrupted.value.exit_status) == (["the lock", "the end"], 143)
    assert time.monotonic() - began < SECONDS


def test_what_ends_after_a_signal_is_not_interrupted_again():
    done = []

    def closed():
        try:
            yield
        finally:
            time.sleep(0.3)
            done.append("the block")

    def stopped():
        with contextmanager(closed)():
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                try:
                    raise KeyError
                except KeyError:
                    time.sleep(0.3)
                done.append("the rest")

    with pytest.raises(Interrupted), interruptible():
        stopped()
    time.sleep(0.3)
    assert done == ["the rest", "the block"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_processes_start_waits_though_another_thread_could_take_it(number):
    there, end = threading.Event(), threading.Event()
    other = threading.Thread(target=lambda: (there.set(), end.wait()))
    other.start()
    there.wait()
    done = []

    def starts():
        with deferred():
            os.kill(os.getpid(), number)
            time.sleep(0.1)
            done.append("all that starts")
        done.append("what comes after")

    try:
        with pytest.raises(Interrupted) as interrupted, interruptible():
            starts()
    finally:
        end.set()
        other.join()
    assert done == ["all that starts"]
    assert interrupted.value.exit_status == 128 + number
