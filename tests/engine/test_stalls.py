"""A writer that stands still at any moment, and is overtaken meanwhile, changes nothing when it goes on.

What stands still is a process that is stopped (SIGSTOP) before one of its operations on files or objects, as
a laptop sleeps or a batch system suspends; or, where every single operation is tried, one of two runs in this
process. A longer run of the same store comes, and ends; where the one that stands still holds the lock of a
folder, the longer run waits and says so. Then the first one goes on to its end.
"""

import asyncio
import fcntl
import io
import os
import random
import signal
import threading
import time
from functools import cache

import psutil
import pytest
import xarray as xr
from zarr.storage import ObjectStore

from asmrisk.results.reading import open_results
from asmrisk.results.status import status
from tests import object_server
from tests.engine.operations import operations
from tests.engine.programs import PATIENCE, finish, kill, start, until
from tests.results import small

#: Draws of the run that stands still and of the one that overtakes it, in blocks of five.
FEW, MANY = 12, 22

#: What the first run finds: nothing; a shorter run, which readers see; one that was killed in a block.
KINDS = ("nothing", "a shorter run", "a killed run")

#: Draws of the shorter run.
SHOWN = 7


class LocalPlace:
    """A folder in which runs write, as the trials look at it."""

    def __init__(self, path):
        self.path = self.reader = path

    def beside(self, name):
        return LocalPlace(self.path.parent / f"{name}.zarr")

    def files(self):
        return small.lasting(self.path)

    def identities(self):
        """Tell a file that was replaced, by whatever content, from one that was left alone."""
        found = {key: (self.path / key).stat() for key in self.files()}
        return {key: (each.st_ino, each.st_mtime_ns) for key, each in found.items()}

    def put(self, files):
        for key, data in files.items():
            (self.path / key).parent.mkdir(parents=True, exist_ok=True)
            (self.path / key).write_bytes(data)

    def is_locked(self):
        try:
            with (self.path / ".asmrisk" / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


class ObjectPlace:
    """A prefix in object storage."""

    def __init__(self, server, name):
        self._server, self._name, self.path = server, name, server.url(f"{name}.zarr")
        self._client = server.client(self.path)

    @property
    def reader(self):
        return ObjectStore(self._client, read_only=True)

    def beside(self, name):
        return ObjectPlace(self._server, f"{self._name}-{name}")

    def files(self):
        return self._server.objects(self.path)

    def identities(self):
        """Tell an object that was written again from one that was left alone."""
        return {
            each["path"]: (each["e_tag"], each["last_modified"])
            for part in self._client.list()
            for each in part
        }

    def put(self, files):
        for key, data in files.items():
            self._client.put(key, data)

    def is_locked(self):
        return False


@pytest.fixture(scope="module")
def server():
    with object_server.server() as started:
        yield started


@pytest.fixture
def place(request, tmp_path):
    if request.param == "folder":
        return LocalPlace(tmp_path / "r.zarr")
    return ObjectPlace(request.getfixturevalue("server"), tmp_path.name)


# What is there before


@cache
def _whole(folder):
    return small.lasting(small.write(folder / "whole.zarr", FEW))


def prepare(place, kind, tmp_path):
    """Make what the first run is to find."""
    if kind == "a shorter run":
        small.write(place.path, SHOWN)
    if kind == "a killed run":
        files = _whole(tmp_path)
        kept = (".asmrisk/store.json", ".asmrisk/runs/", ".asmrisk/blocks/labels", ".asmrisk/blocks/000000")
        # Of the second block there are some chunks and no entry, of the third one nothing.
        place.put(
            {
                key: data
                for key, data in files.items()
                if key.startswith(kept) or "/c.0" in key or key in ("number/c.1.0", "inner/draw/c.1")
            }
        )


def operations_of(place, kind, tmp_path):
    """List those of a run that nobody overtakes; once for each kind."""
    if (type(place), kind) not in _OPERATIONS:
        alone = place.beside("alone")
        prepare(alone, kind, tmp_path)
        with operations() as done:
            small.write(alone.path, FEW)
        _OPERATIONS[type(place), kind] = done
    return _OPERATIONS[type(place), kind]


_OPERATIONS = {}


# What is there afterwards


def finished(place):
    """Bytes and identity of every chunk and entry of the blocks that have an entry."""
    files, names = place.files(), set()
    for key in files:
        folder = key.rpartition("/")[0]
        chunk = f"{key}.".partition("/c.")[2].partition(".")[0]
        block = "labels" if folder in ("year", "kind", "inner/kind") else f"{int(chunk or 0):06d}"
        entry = f".asmrisk/blocks/{block}.json"
        if folder == ".asmrisk/blocks" or (chunk and entry in files):
            names.add(key)
    identities = place.identities()
    return {key: (files[key], identities[key]) for key in names}


def metadata(place):
    return {key: data for key, data in place.files().items() if key.endswith("zarr.json")}


def draws_shown(place):
    """Count the draws that readers see, all of them right; 0 where nothing can be opened."""
    try:
        # Not in two attempts, between which a first commit may fall.
        dataset = xr.open_zarr(place.reader, chunks=None, consolidated=True)
    except FileNotFoundError:
        return 0
    draws = dataset.sizes["draw"]
    # Of groups another reader may see more by now: the root is put in place last.
    for name in ("number", "amount"):
        assert dataset[name].values.tobytes() == small.expected(draws)[name].tobytes()
    return draws


def assert_whole(place):
    """All draws of the longer run are there, shown, and sound; none is NaN that should not be."""
    small.assert_holds(place.reader, MANY)
    state = status(place.path, verify=True)
    assert (state.complete, state.committed, state.faults) == (True, MANY, ())
    assert open_results(place.path).sizes["draw"] == MANY


class Overtaking:
    """A longer run of the same store, in a thread of this process, while another one stands still."""

    def __init__(self, place):
        self.place, self._stream, self._errors = place, io.StringIO(), []
        self._finished_before, shown = finished(place), draws_shown(place)
        if ".asmrisk/store.json" in place.files():
            # What is under way is not taken for damage.
            assert not [fault for fault in status(place.path, verify=True).faults if "damaged" in fault]
        self.waited = place.is_locked()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if self.waited:
            until(self._says_so, "the message that it waits")
            assert self._thread.is_alive()
            # Nothing that readers see has changed, and they wait for nobody.
            assert draws_shown(place) == shown
        else:
            self._join()
            # What was put in place then is all there will be.
            self._finished, self._metadata = finished(place), metadata(place)

    def _run(self):
        try:
            small.write(self.place.path, MANY, stream=self._stream)
        except BaseException as error:
            self._errors.append(error)

    def _says_so(self):
        said = f"another process is changing {self.place.path}; waiting until it has ended\n"
        return self._errors or self._stream.getvalue() == said

    def _join(self):
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        assert self._errors == []
        assert self._stream.getvalue() == "" or (self.waited and self._says_so())
        assert_whole(self.place)
        after = finished(self.place)
        assert {key: after[key] for key in self._finished_before} == self._finished_before
        # Entry and chunks of every block, and of the labels.
        assert len(after) == 5 * (1 + 2 + len(small.VARIABLES)) + (1 + 3)

    def assert_nothing_was_changed(self):
        """To be asked when the run that stood still has come to its end."""
        if self.waited:
            self._join()
            return
        assert finished(self.place) == self._finished
        assert metadata(self.place) == self._metadata
        assert_whole(self.place)


# Processes that are stopped


def trials(ordinary, storage):
    """Thirty trials in each kind of storage, of which a few are made whenever tests run."""
    return [
        pytest.param(
            storage, number, id=f"{storage}-{number}", marks=[pytest.mark.long] * (number >= ordinary)
        )
        for number in range(30)
    ]


@pytest.mark.parametrize(("place", "trial"), trials(4, "folder") + trials(1, "objects"), indirect=["place"])
def test_a_process_that_is_stopped_and_overtaken_changes_nothing_when_it_goes_on(
    place, trial, tmp_path, record_property
):
    kind, turn = KINDS[trial % 3], trial // 3
    # The ten trials of a kind share the moments of a run among them, each at random in its tenth.
    tenth = (5 + 3 * (turn + trial % 3)) % 10
    moment = (tenth + random.Random(trial).random()) / 10
    listed = operations_of(place, kind, tmp_path)
    number = 1 + int(moment * len(listed))
    prepare(place, kind, tmp_path)
    stop = ("--workers", 1 + turn % 2, "--signal", "SIGSTOP", "--operation", number)
    process = start(place.path, FEW, *stop, module="tests.engine.small_run")
    try:
        state = psutil.Process(process.pid)
        until(lambda: state.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE), "the stop")
        assert state.status() == psutil.STATUS_STOPPED, finish(process)
        overtaking = Overtaking(place)
        # For the report of a test run.
        record_property("before", f"{number} of {len(listed)}: {listed[number - 1]}")
        record_property("waited", overtaking.waited)
        os.kill(process.pid, signal.SIGCONT)
        shown = []
        while process.poll() is None:
            shown.append(draws_shown(place))
            # Object storage is served by this process.
            time.sleep(0.1)
        code, out, err = finish(process)
    finally:
        kill(process)
    assert code == 0, err
    assert out == "done\n"
    # Readers never see fewer draws than before.
    assert shown == sorted(shown)
    assert overtaking.waited or set(shown) <= {MANY}
    overtaking.assert_nothing_was_changed()


# Every operation


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("place", "every"),
    [
        ("folder", 80),
        pytest.param("folder", 1, marks=pytest.mark.long),
        pytest.param("objects", 1, marks=pytest.mark.long),
    ],
    indirect=["place"],
)
def test_at_whatever_operation_a_writer_stands_still_nothing_is_changed(place, every, kind, tmp_path):
    total = len(operations_of(place, kind, tmp_path))
    assert total > 60
    for number in range(random.Random(kind).randint(1, every), total + 1, every):
        here = place.beside(f"{number}")
        prepare(here, kind, tmp_path)
        overtaking = overtaken_at(number, here)
        overtaking.assert_nothing_was_changed()


def overtaken_at(number, place):
    """Let a run be overtaken before one of its operations."""
    came, failed = [], []

    def overtake():
        try:
            came.append(Overtaking(place))
        except BaseException as error:
            # The writer would take it for a failure of its own.
            failed.append(error)

    with operations(number, overtake):
        small.write(place.path, FEW)
    if failed:
        raise AssertionError(f"before operation {number}") from failed[0]
    return came[0]


def extend(place):
    """Run a longer run, as a process of its own where this thread is the one that zarr needs for writing."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        small.write(place.path, MANY)
    else:
        assert finish(start(place.path, MANY, "--workers", 1, module="tests.engine.small_run"))[0] == 0


@pytest.mark.parametrize("look", ["status", "status --verify", "open_results", "partial"])
@pytest.mark.parametrize(
    ("place", "every"),
    [
        ("folder", 10),
        pytest.param("folder", 1, marks=pytest.mark.long),
        pytest.param("objects", 1, marks=pytest.mark.long),
    ],
    indirect=["place"],
)
def test_at_whatever_operation_a_reader_stands_still_it_finds_no_damage(place, every, look, tmp_path):
    """A longer run commits meanwhile: the reader sees the store as it was or as it is."""

    def read(here):
        if look.startswith("status"):
            state = status(here.path, verify="verify" in look)
            assert (state.faults, state.damaged) == ((), ())
            return state.committed
        dataset = open_results(here.path, partial=look == "partial", chunked=False)
        return dataset.sizes["draw"]

    with operations() as done:
        counted = place.beside("counted")
        small.write(counted.path, SHOWN)
        before = len(done)
        read(counted)
    total = len(done) - before
    for number in range(random.Random(look).randint(1, every), total + 1, every):
        here = place.beside(f"{number}")
        small.write(here.path, SHOWN)
        with operations(number, lambda here=here: extend(here)):
            seen = read(here)
        assert seen in (SHOWN, MANY) or (look == "partial" and SHOWN <= seen <= MANY), number
