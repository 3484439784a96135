"""Any number of runs of the same store at the same time, each on whatever it likes, leave one sound store."""

import random
import threading

import pytest
from zarr.storage import ObjectStore

from asmrisk.errors import InputError
from asmrisk.results.status import status
from tests import object_server
from tests.engine.programs import finish, kill, start, until
from tests.results import small

PROGRAM = {"module": "tests.engine.small_run"}


def assert_sound(place, draws, reader=None):
    state = status(place, verify=True)
    assert (state.complete, state.committed, state.draws, state.faults) == (True, draws, draws, ())
    small.assert_holds(place if reader is None else reader, draws)


def test_a_run_on_threads_and_one_on_processes_write_one_store_together(tmp_path):
    place, signs = tmp_path / "r.zarr", [tmp_path / "first", tmp_path / "second"]
    slow = ("--seconds", 0.05, "--size", 4)
    processes = []
    try:
        on_processes = ("--processes", "--workers", 2, "--sign", signs[0])
        processes.append(start(place, 80, *slow, *on_processes, **PROGRAM))
        until(signs[0].exists, "the first block")
        processes.append(start(place, 80, *slow, "--workers", 1, "--sign", signs[1], **PROGRAM))
        until(signs[1].exists, "a block of the second run")
        # They are at it together: of the first one's blocks, two seconds long, most are still to be done.
        assert processes[0].poll() is None
        assert [finish(each) for each in processes] == [(0, "done\n", ""), (0, "done\n", "")]
    finally:
        for each in processes:
            kill(each)
    assert_sound(place, 80)


@pytest.mark.long
def test_a_shorter_and_a_longer_run_at_once_leave_the_longer_one(tmp_path):
    place = tmp_path / "r.zarr"
    processes = []
    try:
        for draws in (22, 12, 17):
            processes.append(start(place, draws, "--workers", 2, "--seconds", 0.02, **PROGRAM))
        assert [finish(each) for each in processes] == [(0, "done\n", "")] * 3
    finally:
        for each in processes:
            kill(each)
    assert_sound(place, 22)


def together(place, lengths):
    """Let runs of several lengths begin at the same moment, in threads of this process."""
    barrier, errors = threading.Barrier(len(lengths)), []

    def run(draws):
        barrier.wait()
        try:
            small.write(place, draws, workers=2)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(draws,)) for draws in lengths]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert errors == []


@pytest.mark.parametrize("trials", [8, pytest.param(200, marks=pytest.mark.long)])
def test_runs_that_begin_at_once_leave_one_sound_store(trials, tmp_path):
    rng = random.Random(trials)
    for trial in range(trials):
        place, lengths = tmp_path / f"{trial}.zarr", [rng.randint(1, 23) for _ in range(3)]
        if rng.random() < 0.5:
            small.write(place, 7)
            lengths.append(7)
        together(place, lengths)
        assert_sound(place, max(lengths))


@pytest.mark.parametrize("trials", [1, pytest.param(50, marks=pytest.mark.long)])
def test_runs_that_begin_at_once_in_object_storage_leave_one_sound_store(trials, tmp_path):
    rng = random.Random(trials)
    with object_server.server() as server:
        for trial in range(trials):
            place, lengths = server.url(f"{trial}.zarr"), [rng.randint(1, 23) for _ in range(3)]
            together(place, lengths)
            assert_sound(place, max(lengths), ObjectStore(server.client(place), read_only=True))


def test_of_two_different_runs_that_begin_at_once_one_is_refused(tmp_path):
    """Whoever lays out the store first has it; it is the other one that must find another place."""
    for trial in range(4):
        place, barrier, refused = tmp_path / f"{trial}.zarr", threading.Barrier(2), []

        def run(seed, place=place, barrier=barrier, refused=refused):
            barrier.wait()
            try:
                small.write(place, 12, seed=seed)
            except InputError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=run, args=(seed,)) for seed in (1, 2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        (said,) = refused
        assert "holds another run: another seed" in said
        assert_sound(place, 12)
