"""Many writers of one store: the first one's files stay, and the others agree with them or say so."""

import errno
import os
import pickle
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from threading import Barrier, Event, Thread

import numpy as np
import pytest
import xarray as xr
import zarr

import asmrisk
from asmrisk.errors import RunError
from asmrisk.results.folder import Folder
from asmrisk.results.store import BlockWriter, Store
from tests import fake_run
from tests.fake_simulation import Fake
from tests.results import small
from tests.results.moments import Watched

pytestmark = pytest.mark.usefixtures("hasty_disk")


class Other(Fake):
    """Other numbers of the same kinds: what an unreliable processor computes."""

    def draw(self, number):
        return super().draw(number + 1000)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return small.write(tmp_path_factory.mktemp("original") / "r.zarr", 12)


@pytest.fixture
def store(original, tmp_path):
    """A store of 12 draws in blocks of 5."""
    return shutil.copytree(original, tmp_path / "r.zarr")


def block_of(place, index, simulation=None):
    """Give the writer of a store, a block of it, and its values."""
    job = small.declare(place, 12)
    block = job.spec.blocks((12,))[index]
    writer = BlockWriter(Folder(Path(place)), job.spec)
    return writer, block, (simulation or job.simulation).block(block, np.zeros(2, np.int64))


def other_bytes(place, key):
    """Encode a chunk anew as another version of the library might: other bytes, the same values."""
    path, _, chunk = key.rpartition("/")
    number, *rest = map(int, chunk.removeprefix("c.").split("."))
    array = zarr.open_array(place, path=path, mode="r")
    rows = array.chunks[0]
    files = {}
    copy = zarr.create_array(
        zarr.storage.MemoryStore(files),
        shape=(rows, *array.shape[1:]),
        chunks=array.chunks,
        dtype=array.dtype,
        compressors=[zarr.codecs.ZstdCodec(level=9, checksum=True), zarr.codecs.Crc32cCodec()],
        chunk_key_encoding={"name": "default", "separator": "."},
        config={"write_empty_chunks": True},
    )
    copy[...] = array[number * rows : (number + 1) * rows]
    data = files["c.0" + ".0" * len(rest)].to_bytes()
    assert data != (place / key).read_bytes()
    return data


# What is there


@pytest.mark.parametrize("key", ["amount/c.1.0.0", "inner/level/c.1.0"])
def test_a_chunk_of_the_same_values_in_other_bytes_is_left(key, store):
    data = other_bytes(store, key)
    (store / key).write_bytes(data)
    entry = store / ".asmrisk/blocks/000001.json"
    entry.unlink()
    before = small.lasting(store)
    small.write(store, 12)
    after = small.lasting(store)
    assert after[key] == data
    # Nothing but the entry came, which vouches for the bytes that lie there.
    assert {name for name in after if before.get(name) != after[name]} == {".asmrisk/blocks/000001.json"}
    assert asmrisk.status(store, verify=True).complete
    assert asmrisk.open_results(store).amount.values.tobytes() == small.expected(12)["amount"].tobytes()
    small.assert_holds(store, 12)
    # Another writer finds an entry that speaks of these bytes, and leaves it too.
    writer, block, values = block_of(store, 1)
    writer.write(block, values)
    assert small.lasting(store) == after


def test_the_same_values_change_nothing(store):
    before = small.snapshot(store)
    for index in range(3):
        writer, block, values = block_of(store, index)
        writer.write(block, values)
    assert small.snapshot(store) == before


def test_other_values_are_refused_and_the_store_untouched(store):
    before = small.lasting(store)
    writer, block, values = block_of(store, 1)
    for path in values:
        changed = values[path].copy()
        changed[3].flat[0] = 1 + changed[3].flat[0] if changed.dtype == np.int32 else 0.5
        message = rf"{path} in .*draws 5 to 9.* has other bits.*left as it was"
        with pytest.raises(RunError, match=message) as raised:
            writer.write(block, values | {path: changed})
        assert "\n" not in str(raised.value)
        assert small.lasting(store) == before
    # A zero of another sign is another bit too.
    signs = np.where(values["amount"] == 0.0, -values["amount"], values["amount"])
    assert signs.tobytes() != values["amount"].tobytes()
    with pytest.raises(RunError, match="other bits"):
        writer.write(block, values | {"amount": signs})
    assert small.lasting(store) == before


def test_other_values_are_refused_even_where_a_chunk_is_damaged(store):
    key = store / "amount/c.1.0.0"
    key.write_bytes(b"damaged")
    before = small.lasting(store)
    writer, block, values = block_of(store, 1)
    changed = values["number"] + 1
    for other in ({"number": changed}, {"number": changed, "amount": values["amount"] + 1.0}):
        with pytest.raises(RunError, match=r"(number|amount) in .* has other bits"):
            writer.write(block, values | other)
        assert small.lasting(store) == before


@pytest.mark.parametrize("harm", ["damaged", "missing", "of other values"])
@pytest.mark.parametrize("vouched", [True, False])
def test_a_damaged_chunk_is_replaced(vouched, harm, store):
    whole = small.lasting(store)
    chunk = store / "amount/c.1.0.0"
    if harm == "missing":
        chunk.unlink()
    else:
        chunk.write_bytes(b"damaged" if harm == "damaged" else whole["amount/c.0.0.0"])
    if not vouched:
        (store / ".asmrisk/blocks/000001.json").unlink()
    writer, block, values = block_of(store, 1)
    writer.write(block, values)
    assert small.lasting(store) == whole


def test_a_run_that_is_overtaken_agrees(tmp_path):
    place = tmp_path / "r.zarr"

    class Overtaken(Fake):
        """Another run writes everything while this one is at its first block."""

        def block(self, block, slot):
            if not self.calls:
                small.write(place, 12)
                self.written = small.lasting(place)
            return super().block(block, slot)

    simulation = Overtaken(small.declare(place, 12).spec)
    small.write(place, 12, simulation=simulation)
    assert small.lasting(place) == simulation.written
    # What it had not begun it need not compute.
    assert len(simulation.calls) == 1
    small.assert_holds(place, 12)


def test_a_run_that_is_overtaken_by_other_values_says_so_and_leaves_them(tmp_path):
    place = tmp_path / "r.zarr"

    class Overtaken(Other):
        def block(self, block, slot):
            if not self.calls:
                small.write(place, 12)
                self.written = small.lasting(place)
            return super().block(block, slot)

    simulation = Overtaken(small.declare(place, 12).spec)
    with pytest.raises(RunError, match=r"has other bits than when it was first computed.*left as it was"):
        small.write(place, 12, simulation=simulation)
    assert small.lasting(place) == simulation.written
    small.assert_holds(place, 12)


# At the same time


@pytest.mark.parametrize("trial", range(3))
def test_threads_that_write_the_same_blocks_at_once_agree(trial, tmp_path):
    place = tmp_path / "r.zarr"
    job = small.declare(place, 31)
    store = Store.open(place, job.spec, job.labels, (31,))
    blocks = store.unfinished_blocks()
    begin = Barrier(4)

    def write(number):
        # As a worker elsewhere gets it.
        writer = pickle.loads(pickle.dumps(store.writer)) if number % 2 else store.writer
        order = list(blocks)
        if number:
            random.Random(number + 10 * trial).shuffle(order)
        begin.wait()
        for block in order:
            writer.write(block, job.simulation.block(block, np.zeros(2, np.int64)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert store.unfinished_blocks() == []
    store.commit()
    small.assert_holds(place, 31)
    assert asmrisk.status(place, verify=True).complete
    assert list((place / ".asmrisk/unfinished").iterdir()) == []
    alone = small.lasting(small.write(tmp_path / "alone.zarr", 31))
    together = small.lasting(place)
    assert {key for key in alone if "/c." in key or "/blocks/" in key} == {
        key for key in together if "/c." in key or "/blocks/" in key
    }
    assert all(together[key] == data for key, data in alone.items() if "/c." in key or "/blocks/" in key)


def test_processes_that_begin_at_once_agree(tmp_path):
    # They ask for other numbers of draws, and would cut them into other blocks.
    place, draws = tmp_path / "r.zarr", (12, 31)
    commands = [
        [sys.executable, "-m", "tests.fake_run", place, str(number), str(size), "1"]
        for number, size in zip(draws, (5, 4), strict=True)
    ]
    processes = [
        subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for command in commands
    ]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    fake = fake_run.job(place, max(draws)).simulation
    results = xr.open_zarr(place, chunks=None)
    assert results.sizes["draw"] == max(draws)
    for name in ("participants", "incentive_pool"):
        wanted = np.array([fake.draw(number)[name] for number in range(max(draws))])
        assert results[name].values.tobytes() == wanted.tobytes()
    state = asmrisk.status(place, verify=True)
    assert state.complete
    assert state.block_length in (4, 5)
    assert list((place / ".asmrisk/unfinished").iterdir()) == []


def test_runs_of_other_lengths_at_once_end_with_the_longest(tmp_path):
    place, begin, seen, done = tmp_path / "r.zarr", Barrier(4), [], Event()

    def watch():
        begin.wait()
        while not done.is_set():
            try:
                # Where there is no root yet, xarray would look once more, and wonder if there is one then.
                dataset = xr.open_zarr(place, chunks=None, consolidated=True)
            except FileNotFoundError:
                continue
            seen.append(dataset.sizes["draw"])
            amount = small.expected(seen[-1])["amount"]
            assert dataset.amount.values.tobytes() == amount.tobytes()

    def write(draws):
        begin.wait()
        small.write(place, draws)

    with ThreadPoolExecutor(4) as pool:
        watching = pool.submit(watch)
        try:
            list(pool.map(write, (7, 12, 21)))
        finally:
            done.set()
        watching.result()
    small.assert_holds(place, 21)
    assert asmrisk.status(place, verify=True).complete
    # It never became shorter.
    assert seen == sorted(seen)


def test_a_commit_of_fewer_draws_comes_too_late(tmp_path):
    place = tmp_path / "r.zarr"
    job = small.declare(place, 7)
    store = Store.open(place, job.spec, job.labels, (7,))
    for block in store.unfinished_blocks():
        store.writer.write(block, job.simulation.block(block, np.zeros(2, np.int64)))
    small.write(place, 12)
    before = small.lasting(place)
    store.commit()
    assert small.lasting(place) == before
    small.assert_holds(place, 12)


def test_whoever_waits_for_another_process_is_told(store):
    held, release, said = Event(), Event(), StringIO()

    def hold():
        with Folder(store).changing():
            held.set()
            release.wait(60)

    holder = Thread(target=hold)
    holder.start()
    held.wait()
    writer = Thread(target=lambda: small.write(store, 21, stream=said))
    writer.start()
    for _ in range(200):
        writer.join(0.1)
        if "is changing" in said.getvalue():
            break
    assert f"another process is changing {store}; waiting until it has ended" in said.getvalue()
    # Readers do not wait, and see what they saw.
    small.assert_holds(store, 12)
    assert asmrisk.open_results(store).sizes["draw"] == 12
    release.set()
    holder.join()
    writer.join(60)
    assert not writer.is_alive()
    small.assert_holds(store, 21)


# A writer that stalls while its store is replaced


#: Accesses of a writer: a look at the specification, five chunks, the entry.
MOMENTS = range(7)


def stalled(place, moment, meanwhile):
    """Write a block with a pause before one access; say what the writer said, if anything."""
    job = small.declare(place, 12)
    Store.open(place, job.spec, job.labels, (12,))
    storage = Watched(place, moment, meanwhile)
    block = job.spec.blocks((12,))[1]
    values = job.simulation.block(block, np.zeros(2, np.int64))
    try:
        BlockWriter(storage, job.spec).write(block, values)
    except RunError as error:
        return str(error)
    finally:
        assert storage.left[0] < 0, "it had ended before it stalled"
    return ""


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stalled_writer_writes_nothing_into_the_store_of_another_run(moment, tmp_path):
    place, before = tmp_path / "r.zarr", {}

    def replaced():
        shutil.rmtree(place)
        small.write(place, 12, seed=2, simulation=Other(small.declare(place, 12, seed=2).spec))
        before.update(small.snapshot(place))

    assert "holds another run by now: nothing more is written there" in stalled(place, moment, replaced)
    assert small.snapshot(place) == before | {".asmrisk/lock": small.snapshot(place)[".asmrisk/lock"]}


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_stalled_writer_leaves_in_an_unfinished_store_is_put_right(moment, tmp_path):
    place = tmp_path / "r.zarr"

    def replaced():
        # The other run has laid out its store, and is at its first block.
        shutil.rmtree(place)
        other = small.declare(place, 12, seed=2)
        Store.open(place, other.spec, other.labels, (12,))

    assert stalled(place, moment, replaced).partition(" holds ")[2] in (
        "",
        "another run by now: nothing more is written there",
    )
    simulation = Other(small.declare(place, 12, seed=2).spec)
    small.write(place, 12, seed=2, simulation=simulation)
    assert asmrisk.status(place, verify=True).complete
    wanted = np.array([simulation.draw(number)["amount"] for number in range(12)])
    assert asmrisk.open_results(place).amount.values.tobytes() == wanted.tobytes()
    assert xr.open_zarr(place).amount.values.tobytes() == wanted.tobytes()


def test_a_run_whose_store_is_replaced_ends_and_leaves_the_other(tmp_path):
    place = tmp_path / "r.zarr"

    class Replaced(Fake):
        def block(self, block, slot):
            if block.first == 5:
                shutil.rmtree(place)
                small.write(place, 12, seed=2)
                self.written = small.snapshot(place)
            return super().block(block, slot)

    simulation = Replaced(small.declare(place, 12).spec)
    with pytest.raises(RunError, match="holds another run by now: nothing more is written there"):
        small.write(place, 12, simulation=simulation)
    assert small.snapshot(place) == simulation.written


def test_a_run_whose_store_is_deleted_does_not_make_it_again(tmp_path):
    place = tmp_path / "r.zarr"

    class Deleted(Fake):
        def block(self, block, slot):
            if block.first == 5:
                shutil.rmtree(place)
            return super().block(block, slot)

    with pytest.raises(RunError, match="is not there"):
        small.write(place, 12, simulation=Deleted(small.declare(place, 12).spec))
    assert not place.exists()


# Files that appear whole, once, and in order


@pytest.fixture(params=["with", "EPERM", "EOPNOTSUPP"])
def links(request, monkeypatch):
    """A file system with hard links, and others without, by what they answer."""
    if request.param != "with":
        number = getattr(errno, request.param)

        def refuse(*args, **options):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("links")
def test_of_many_creators_of_a_file_one_succeeds(tmp_path):
    storage = Folder(tmp_path / "r.zarr")
    with storage.prepared():
        pass
    begin = Barrier(6)

    def create(number):
        begin.wait()
        return [storage.create(f"array/c.{each}", b"%d" % number * 1000) for each in range(20)]

    with ThreadPoolExecutor(6) as pool:
        created = list(pool.map(create, range(6)))
    for each in range(20):
        (winner,) = [number for number in range(6) if created[number][each]]
        assert storage.read(f"array/c.{each}") == b"%d" % winner * 1000
    assert list((storage.place / ".asmrisk/unfinished").iterdir()) == []


@pytest.mark.usefixtures("links")
def test_a_store_can_be_written_completed_and_extended(tmp_path):
    place = tmp_path / "r.zarr"
    for draws in (7, 12):
        small.write(place, draws, workers=2)
        small.assert_holds(place, draws)
    (place / "amount/c.1.0.0").write_bytes(b"damaged")
    small.write(place, 12)
    small.assert_holds(place, 12)
    assert asmrisk.status(place, verify=True).complete
    assert list((place / ".asmrisk/unfinished").iterdir()) == []


def test_chunks_outlive_a_loss_of_power_before_readers_are_shown_them(tmp_path, monkeypatch):
    events, create, flush = [], Folder.create, Folder.flush

    def created(self, key, data, *, durable=False):
        events.append((key, durable))
        return create(self, key, data, durable=durable)

    def flushed(self):
        events.append(("flush", True))
        flush(self)

    monkeypatch.setattr(Folder, "create", created)
    monkeypatch.setattr(Folder, "flush", flushed)
    place = tmp_path / "r.zarr"
    job = small.declare(place, 12)
    store = Store.open(place, job.spec, job.labels, (12,))
    # A worker elsewhere has a cache of its own, which whoever commits cannot wait for.
    elsewhere = pickle.loads(pickle.dumps(store.writer))
    for writer, first in ((store.writer, 0), (elsewhere, 1), (elsewhere, 2)):
        events.clear()
        block = job.spec.blocks((12,))[first]
        writer.write(block, job.simulation.block(block, np.zeros(2, np.int64)))
        names = [key for key, _ in events]
        assert events[-1] == (f".asmrisk/blocks/{first:06d}.json", True)
        assert names.count("flush") == (writer is elsewhere)
        if writer is elsewhere:
            assert names.index("flush") == len(names) - 2
    events.clear()
    root = []
    monkeypatch.setattr(Folder, "flush", lambda self: root.append((place / "zarr.json").exists()))
    store.commit()
    assert root == [False]
    small.assert_holds(place, 12)
