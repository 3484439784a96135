"""Results in object storage: the same bits as in a folder, nothing lost, and errors that say what to do."""

import contextlib
import itertools
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import obstore
import pytest
import xarray as xr
from click.testing import CliRunner
from zarr.storage import ObjectStore

from asmrisk.cli import commands
from asmrisk.errors import InputError, RunError
from asmrisk.results import object_storage
from asmrisk.results.object_storage import Bucket
from asmrisk.results.place import place_of
from asmrisk.results.reading import open_results
from asmrisk.results.status import status
from asmrisk.results.store import Store
from tests.engine.programs import finish, start, until
from tests.fake_run import run
from tests.fake_simulation import Fake
from tests.memory_bucket import Cut, MemoryBucket, assert_shows, assert_whole, fill
from tests.object_server import server as running_server
from tests.results.small import assert_holds, declare, write


@pytest.fixture(scope="module")
def server():
    with running_server() as running:
        yield running


@pytest.fixture
def place(server, request):
    """A place where nothing is."""
    return server.url(f"{request.node.name.partition('[')[0]}/{os.urandom(4).hex()}/r.zarr")


def fake(draws=3, kind=Fake):
    """What computes a small store."""
    return kind(declare("r.zarr", draws).spec)


def reader(server, place):
    """The objects as zarr alone sees them."""
    return ObjectStore(server.client(place), read_only=True)


# Places


def test_places_are_understood():
    assert place_of("results/a.zarr") == Path("results/a.zarr")
    assert place_of(Path("/a/b")) == Path("/a/b")
    for given in ("s3://bucket/a/b.zarr", "S3://bucket/a/b.zarr/", Path("s3://bucket/a/b.zarr")):
        assert place_of(given) == "s3://bucket/a/b.zarr"
    assert place_of(place_of("s3://bucket/a")) == "s3://bucket/a"


@pytest.mark.parametrize(
    "given",
    [
        "gs://bucket/a",
        "https://example.org/a.zarr",
        "file:///tmp/a.zarr",
        "s3://bucket",
        "s3://bucket/",
        "s3://",
        "s3://Bucket_/a",
        "s3://bucket/a/../b",
        "s3://bucket/./b",
        "s3://bucket/a//b",
        "s3://bucket/a\nb",
    ],
)
def test_other_places_are_refused(given):
    for use in (place_of, status, open_results, lambda place: write(place_of(place), 3)):
        with pytest.raises(InputError, match=r"s3://BUCKET/PREFIX"):
            use(given)


def test_a_missing_package_is_named_with_its_extra(tmp_path):
    (tmp_path / "tiny.toml").write_text("[population]\nclinicians = 200\n")
    program = "import sys; sys.modules['obstore'] = None; from asmrisk.cli import main; main()"
    for arguments in (
        ["status", "s3://bucket/a"],
        ["summarize", "s3://bucket/a"],
        ["run", str(tmp_path / "tiny.toml"), "--draws", "3", "--out", "s3://bucket/a"],
    ):
        ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.count("\n") == 1
        assert "pip install 'asmrisk[s3]'" in ended.stderr


@pytest.mark.usefixtures("hasty_service")
def test_what_cannot_be_reached_is_said(server, place, monkeypatch):
    missing = "s3://missing-bucket/a"
    for use in (lambda: status(missing), lambda: write(missing, 3), lambda: open_results(missing)):
        with pytest.raises(InputError, match="there is no bucket missing-bucket"):
            use()
    with pytest.raises(InputError, match="does not exist"):
        status(place)
    obstore.put(server.client(place), "thesis.txt", b"precious")
    with pytest.raises(InputError, match="not empty; nothing in it was touched"):
        write(place, 3)
    with pytest.raises(InputError, match="no result store"):
        open_results(place)
    assert server.objects(place) == {"thesis.txt": b"precious"}
    # A place whose name only begins like that of another is another one.
    write(f"{place}2", 1)
    with pytest.raises(InputError, match="does not exist"):
        status(place.removesuffix(".zarr"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for use in (lambda: status(place), lambda: write(place, 3), lambda: open_results(place)):
        with pytest.raises(InputError, match=r"http://127\.0\.0\.1:9 does not answer"):
            use()


@pytest.mark.usefixtures("hasty_service")
def test_plain_http_is_used_only_when_asked_for(server, place, monkeypatch):
    assert not Bucket(place).exists()
    # The same server, asked for encryption, which it does not have.
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint.replace("http:", "https:"))
    with pytest.raises(OSError, match="does not answer"):
        Bucket(place).exists()
    allowed = {}
    monkeypatch.setattr(
        object_storage,
        "S3Store",
        lambda bucket, **options: allowed.update({bucket: options["client_options"]["allow_http"]}),
    )
    for bucket, endpoint in (("amazon", ""), ("other", "https://example.org"), ("own", "http://localhost:1")):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(ValueError, match="got None"):  # There is no client.
            Bucket(f"s3://{bucket}/a").exists()
    assert allowed == {"amazon": False, "other": False, "own": True}


@pytest.mark.parametrize("ignored", [["if-none-match"], ["if-match"], ["if-match", "if-none-match"]])
def test_a_service_that_ignores_conditions_is_refused(server, place, ignored):
    computed = fake()
    server.ignored = ignored
    try:
        with pytest.raises(InputError, match="ignores the conditions"):
            write(place, 3, simulation=computed)
    finally:
        server.ignored = []
    assert computed.calls == []
    assert server.objects(place) == {}


# Runs


def test_a_run_has_the_bits_of_one_in_a_folder(server, place, tmp_path):
    """The numbers of the stand-in, but every array of a run."""
    assert run(place, 7, block_size=7) == place
    local = run(tmp_path / "r.zarr", 7, block_size=7)
    there = server.objects(place)
    chunks = [path for path in local.rglob("c.*") if path.is_file()]
    assert len(chunks) > 70
    for path in chunks:
        assert there[str(path.relative_to(local))] == path.read_bytes()
    for group in (None, "environment"):
        for chunked in (True, False):
            ours = open_results(place, group=group, chunked=chunked).load()
            assert ours.drop_attrs().identical(open_results(local, group=group).load().drop_attrs())
        theirs = xr.open_zarr(reader(server, place), group=group, chunks=None).load()
        assert theirs.drop_attrs().identical(
            xr.open_zarr(local, group=group, chunks=None).load().drop_attrs()
        )
    said = str(status(place, verify=True))
    assert said.startswith(f"{place}: complete\n")
    assert "7 of 7 finished, 7 shown to readers" in said
    assert "every file was read" in said


def test_no_credentials_and_no_endpoint_are_stored(server, place, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAVISIBLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "verysecret")
    write(place, 3)
    objects = server.objects(place)
    assert objects
    for data in objects.values():
        for word in ("AKIAVISIBLE", "verysecret", server.endpoint, server.endpoint.rpartition("//")[2]):
            assert word.encode() not in data


class Failing(Fake):
    """Has something against the draws from 10 on."""

    def block(self, block, slot):
        if block.first >= 10:
            raise ValueError("no such thing")
        return super().block(block, slot)


def test_an_unfinished_run_shows_nothing_and_is_completed_and_extended(server, place):
    with pytest.raises(RunError, match=rf"10 of 12 draws are finished and kept in {place}"):
        write(place, 12, simulation=fake(kind=Failing))
    with pytest.raises(FileNotFoundError):
        xr.open_zarr(reader(server, place))
    with pytest.raises(InputError, match="not finished"):
        open_results(place)
    assert list(open_results(place, partial=True).draw.values) == list(range(10))
    assert status(place).missing == ((10, 11),)
    rest = fake()
    write(place, 12, simulation=rest)
    assert rest.calls == [(10, 5)]
    assert_holds(reader(server, place), 12)

    class Watched(Fake):
        def block(self, block, slot):
            assert_holds(reader(server, place), 12)
            assert (status(place).committed, status(place).draws) == (12, 17)
            return super().block(block, slot)

    rest = fake(kind=Watched)
    write(place, 17, simulation=rest)
    # The third block was whole; its draws from 12 on are those that were asked for now.
    assert rest.calls == [(15, 5)]
    assert_holds(reader(server, place), 17)
    with pytest.raises(InputError, match="another seed"):
        write(place, 17, seed=8)
    assert_holds(reader(server, place), 17)


def test_an_extension_only_adds_objects_besides_metadata(server, place):
    write(place, 7)
    before = server.objects(place)
    write(place, 18)
    after = server.objects(place)
    changed = {key for key, data in before.items() if after.get(key) != data}
    assert changed
    for key in changed:
        assert key.endswith("zarr.json"), key
    assert {key for key in before if key.endswith("zarr.json")} == {
        key for key in after if key.endswith("zarr.json")
    }
    assert_holds(reader(server, place), 18)
    # Asked for less than is there, or for the same again, nothing is written at all.
    writes = len(server.writes)
    untouched = fake()
    write(place, 18, simulation=untouched)
    assert untouched.calls == []
    assert len(server.writes) == writes
    write(place, 12, simulation=untouched)
    assert untouched.calls == []
    assert_holds(reader(server, place), 18)


@pytest.mark.long
def test_status_during_a_run_finds_no_damage(server, place):
    write(place, 3, size=2)
    ended = threading.Event()

    def extend():
        try:
            for draws in (4, 5, 10):
                write(place, draws, size=2)
        finally:
            ended.set()

    thread = threading.Thread(target=extend)
    thread.start()
    looks = 0
    while not ended.is_set():
        for verify in (False, True):
            state = status(place, verify=verify)
            assert (state.damaged, state.faults) == ((), ()), state
        assert open_results(place).sizes["draw"] >= 3
        assert open_results(place, partial=True).sizes["draw"] >= 3
        looks += 1
    thread.join()
    assert looks
    assert_holds(reader(server, place), 10)


# Damage


def test_damage_is_found_named_and_repaired(server, place):
    write(place, 12)
    store, before = server.client(place), server.objects(place)
    data = bytearray(before["amount/c.1.0.0"])
    data[len(data) // 2] ^= 4
    obstore.put(store, "amount/c.1.0.0", bytes(data))
    obstore.delete(store, "inner/level/c.2.0")
    obstore.put(store, ".asmrisk/blocks/000000.json", b'{"first": 0')
    state = status(place, verify=True)
    assert not state.complete
    assert set(state.faults) == {
        ".asmrisk/blocks/000000.json is damaged",
        "amount/c.1.0.0 is damaged",
        "inner/level/c.2.0 is missing",
    }
    with pytest.raises(RunError, match=r"amount/c\.1\.0\.0 is damaged"):
        open_results(place, partial=True, chunked=False).amount.load()
    repairing = fake()
    write(place, 12, simulation=repairing)
    assert sorted(repairing.calls) == [(0, 5), (5, 5), (10, 5)]
    assert status(place, verify=True).complete
    assert_holds(reader(server, place), 12)
    assert server.objects(place) == before


def kind(key):
    """Tell objects apart by what they are."""
    folder, _, name = key.rpartition("/")
    if folder.startswith(".asmrisk"):
        return folder if name[0].isdigit() else key
    return key if key.endswith("zarr.json") else folder


def damages(objects):
    """Give every way in which one object, or two of them, can differ from what was written."""
    kinds = {}
    for key in objects:
        kinds.setdefault(kind(key), []).append(key)
    # Whether a service heeds conditions is tried with it anew by every run; it is empty.
    assert kinds.pop(".asmrisk/conditions") == [".asmrisk/conditions"]
    assert objects[".asmrisk/conditions"] == b""
    for keys in kinds.values():
        key, data = keys[-1], objects[keys[-1]]
        yield f"{key} deleted", {key: None}
        if not data:
            continue
        for place in {0, len(data) // 3, len(data) - 1}:
            yield (
                f"{key} flipped at {place}",
                {key: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]},
            )
        yield f"{key} cut", {key: data[: len(data) // 2]}
        yield f"{key} longer", {key: data + b" "}
        yield f"{key} emptied", {key: b""}
        if len(keys) > 1:
            yield f"{keys[0]} and {key} exchanged", {key: objects[keys[0]], keys[0]: data}
    names = sorted(kinds)
    inner = [name for name in names if name.startswith(".asmrisk")]
    for one, two in sorted({*itertools.pairwise(names), *itertools.permutations(inner, 2)}):
        yield f"{one} in the place of {two}", {kinds[two][-1]: objects[kinds[one][-1]]}


def noticed(bucket):
    """Whether something is said of damage: by `open_results`, or by `status --verify`."""
    try:
        open_results(bucket, chunked=False)
        return not status(bucket, verify=True).complete
    except (InputError, RunError):
        return True


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
def test_every_damage_to_every_kind_of_object_is_noticed_and_repaired_to_the_bit(every):
    whole = MemoryBucket()
    fill(whole, 3)
    fill(whole, 5)
    objects = whole.service.objects()
    assert not noticed(whole)
    trials = [
        (what, damage)
        for what, damage in damages(objects)
        if any(objects[key] != data for key, data in damage.items())
    ]
    assert len(trials) > 150
    for what, damage in trials[::every]:
        service = whole.service.copy()
        for key, data in damage.items():
            if data is None:
                obstore.delete(service.memory, key)
            else:
                obstore.put(service.memory, key, data)
        bucket = MemoryBucket(service=service)
        assert noticed(bucket), what
        fill(bucket, 5)
        assert service.objects() == objects, what


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.long)])
def test_a_run_cut_off_at_any_request_shows_nothing_and_is_completed(every):
    number, reached = 1 - every, True
    whole = MemoryBucket()
    fill(whole, 5)
    while reached:
        number += every
        for carried_out in (False, True):
            bucket = MemoryBucket()
            hook = Cut(number, carried_out=carried_out)
            with contextlib.suppress(OSError, InputError):
                fill(bucket.with_requests(hook), 5)
            reached = hook.count >= number
            draws = bucket.service.root_draws()
            assert draws in (0, 5)
            if draws:  # The root comes last.
                assert_shows(bucket.service, 5)
                assert open_results(bucket).sizes["draw"] == 5
            else:
                with pytest.raises(InputError):
                    open_results(bucket)
            fill(bucket, 5)
            assert bucket.service.shown == [(5,)]
            assert_shows(bucket.service, 5)
            assert bucket.service.objects().keys() == whole.service.objects().keys()
            if number % 8 == 1:
                assert_whole(bucket.service, 5)
    assert number > 60


# Several processes


def write_elsewhere(data, block):
    writer = pickle.loads(data)
    writer.write(block, Fake(writer.spec).block(block, np.zeros(2, np.int64)))


def test_workers_in_other_processes_write_their_own_blocks(server, place):
    job = declare(place, 7)
    store = Store.open(place, job.spec, job.labels, job.lengths)
    data = pickle.dumps(store.writer)
    assert b"testing" not in data  # No credentials travel.
    blocks = store.unfinished_blocks()
    assert len(blocks) == 2
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=write_elsewhere, args=(data, block)) for block in blocks]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert store.unfinished_blocks() == []
    store.commit()
    assert status(place, verify=True).complete
    for key in server.objects(place):
        obstore.delete(server.client(place), key)
    with pytest.raises(RunError, match="is not there"):
        write_elsewhere(data, blocks[0])
    assert server.objects(place) == {}
    other = declare(place, 7, seed=2)
    Store.open(place, other.spec, other.labels, other.lengths)
    before = server.objects(place)
    with pytest.raises(RunError, match="holds another run by now"):
        write_elsewhere(data, blocks[0])
    assert server.objects(place) == before


@contextlib.contextmanager
def started(place, draws, seconds_per_draw):
    """Run in another process, which does not outlive the test."""
    arguments = (place, draws, "--size", 2, "--workers", 1, "--seconds", seconds_per_draw)
    process = start(*arguments, module="tests.engine.small_run")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def blocks_done(server, place):
    return sum("/blocks/0" in key for key in server.objects(place))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_was_stopped_is_continued_at_once(server, place, number):
    with started(place, 12, 0.2) as first:
        until(lambda: blocks_done(server, place) >= 2, "two blocks")
        first.send_signal(number)
        code, _, said = finish(first)
    if number == signal.SIGTERM:
        assert code == 143
        assert f"finished and kept in {place}; run it again in the same way to continue" in said
    rest = fake()
    write(place, 12, simulation=rest)
    assert sum(count for _, count in rest.calls) <= 8
    assert_holds(reader(server, place), 12)
    assert status(place, verify=True).complete


def test_a_run_that_was_paused_neither_hinders_nor_harms_another(server, place):
    with started(place, 7, 0.2) as first:
        until(lambda: blocks_done(server, place) >= 1, "a block")
        first.send_signal(signal.SIGSTOP)
        # Longer than the first asked for: its last block and its commit could spoil this one.
        write(place, 10, size=2)
        assert_holds(reader(server, place), 10)
        first.send_signal(signal.SIGCONT)
        code, _, said = finish(first)
    assert code == 0, said
    assert_holds(reader(server, place), 10)
    assert status(place, verify=True).complete


@pytest.mark.usefixtures("hasty_service")
def test_a_service_that_stops_answering_ends_the_run_and_loses_nothing(server, place, monkeypatch):
    class Outage(Fake):
        def block(self, block, slot):
            if block.first >= 5:
                monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            return super().block(block, slot)

    with pytest.raises(RunError, match=r"http://127\.0\.0\.1:9 does not answer"):
        write(place, 12, simulation=fake(kind=Outage))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    assert status(place).done == 5
    rest = fake()
    write(place, 12, simulation=rest)
    assert rest.calls == [(5, 5), (10, 5)]
    assert_holds(reader(server, place), 12)


# Commands


def test_commands_take_the_url(server, place, tmp_path):
    toml = tmp_path / "tiny.toml"
    toml.write_text("[population]\nclinicians = 200\n")

    def call(*arguments, status=0):
        done = CliRunner().invoke(commands, arguments, catch_exceptions=False, prog_name="asmrisk")
        assert done.exit_code == status, done.stderr
        return done.stderr if status else done.stdout

    program = [sys.executable, "-m", "asmrisk", "run", toml, "--draws", "3", "--block-size", "3"]
    program += ["--out", place]
    assert f"Results: {place}" in subprocess.check_output(program, text=True, stderr=subprocess.PIPE)
    assert call("status", place, "--verify").startswith(f"{place}: complete")
    rows = json.loads(call("summarize", place, "--metric", "medicare_savings", "--format", "json"))
    assert rows["results"] == place
    table = tmp_path / "draw.csv"
    call("replay", place, "--draw", "1", "--out", str(table))
    assert len(table.read_text().splitlines()) > 200
    missing = f"asmrisk: {place}x does not exist; a run of a scenario to this place makes it.\n"
    assert call("status", place + "x", status=2) == missing
