"""Results in object storage: the same bits as in a folder, one writer at a time, nothing lost.

The server is moto's, which honors the conditions of a write (If-None-Match, If-Match) but checks and stores
in two steps; here the two are made one, as in Amazon's storage. The lease is also tested against a service
whose clock the tests turn.
"""

import contextlib
import errno
import itertools
import json
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import obstore
import pytest
import xarray as xr
from obstore.store import S3Store
from zarr.storage import ObjectStore

from asmrisk.errors import InputError, RunError
from asmrisk.results import open_results, status
from asmrisk.results.location import ObjectUrl, location
from asmrisk.results.manifest import Block
from asmrisk.results.store import Store, committed_draws, lease, object_storage
from asmrisk.results.store.lease import ConditionFailedError, Lease, Stamped
from asmrisk.results.store.object_storage import ObjectStorage
from asmrisk.simulation import engine
from tests import fake_run
from tests.fake_run import Fake, scenario

BASELINE = scenario()
BUCKET = "results"


@pytest.fixture(scope="module")
def server():
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    put, lock = S3Response.put_object, threading.Lock()

    def atomic(self):
        with lock:
            return put(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Response, "put_object", atomic)
        started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        started.start()
        endpoint = "http://{}:{}".format(*started.get_host_and_port())
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_REGION", "us-east-1")
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT"))
        yield endpoint
        started.stop()


@pytest.fixture(autouse=True)
def _isolated(monkeypatch):
    fake_run.isolate(monkeypatch.setattr)


_numbers = itertools.count()


@pytest.fixture
def place(server):
    return location(f"s3://{BUCKET}/{next(_numbers)}/r.zarr")


def run(out, draws, *, simulate=None, chosen=BASELINE, **options):
    return engine.run(
        chosen, draws=draws, out=out, workers=1, simulate=simulate or Fake(chosen), quiet=True, **options
    )


def client(place, server):
    """Objects as another program sees them."""
    return S3Store(place.bucket, prefix=place.prefix, endpoint=server, client_options={"allow_http": True})


def keys(place, server):
    return sorted(each["path"] for part in obstore.list(client(place, server)) for each in part)


def assert_holds(place, server, draws):
    """Read by xarray and zarr alone, the store shows these draws to the bit."""
    values = Fake(BASELINE)(0, draws, np.zeros(2, np.int64))
    for group in ("", "environment"):
        zarr_store = ObjectStore(client(place, server), read_only=True)
        dataset = xr.open_zarr(zarr_store, group=group or None, chunks=None)
        assert list(dataset.draw.values) == list(range(draws))
        for path, array in values.items():
            if path.rpartition("/")[0] == group:
                assert dataset[path.rpartition("/")[2]].values.tobytes() == array.tobytes(), path


# Places


def test_places_are_understood():
    assert location("results/a.zarr") == Path("results/a.zarr")
    assert location(Path("/a/b")) == Path("/a/b")
    for given in ("s3://bucket/a/b.zarr", "S3://bucket/a/b.zarr/", Path("s3://bucket/a/b.zarr")):
        assert location(given) == ObjectUrl("bucket", "a/b.zarr")
    assert str(location("s3://bucket/a/b.zarr")) == "s3://bucket/a/b.zarr"
    assert location(location("s3://bucket/a")) == ObjectUrl("bucket", "a")


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
        "s3://bucket/a\nb",
    ],
)
def test_other_places_are_refused(given):
    for use in (location, status, open_results):
        with pytest.raises(InputError, match=r"s3://BUCKET/PREFIX"):
            use(given)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    for use in (lambda: status("s3://bucket/a"), lambda: run("s3://bucket/a", 3)):
        with pytest.raises(InputError, match=r"pip install 'asmrisk\[s3\]'"):
            use()


def test_what_cannot_be_reached_is_said(server, place, monkeypatch):
    for use in (lambda: status("s3://missing-bucket/a"), lambda: run("s3://missing-bucket/a", 3)):
        with pytest.raises(InputError, match="there is no bucket missing-bucket"):
            use()
    with pytest.raises(InputError, match="does not exist"):
        status(place)
    obstore.put(client(place, server), "thesis.txt", b"precious")
    with pytest.raises(InputError, match="not empty; nothing in it was touched"):
        run(place, 3)
    with pytest.raises(InputError, match="no result store"):
        open_results(place)
    assert keys(place, server) == ["thesis.txt"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for use in (lambda: status(place), lambda: run(place, 3), lambda: open_results(place)):
        with pytest.raises(InputError, match=r"http://127\.0\.0\.1:9 does not answer"):
            use()


def test_plain_http_is_used_only_when_asked_for(monkeypatch):
    seen = []
    monkeypatch.setattr("obstore.store.S3Store", lambda bucket, **options: seen.append(options))
    for endpoint in ("", "https://example.org", "http://localhost:1"):
        object_storage._client.__wrapped__(ObjectUrl("bucket", "a"), endpoint)
    assert [options["client_options"]["allow_http"] for options in seen] == [False, False, True]


# Runs


def test_a_run_has_the_bits_of_one_in_a_folder(server, place, tmp_path):
    assert run(place, 12, block_size=5) == place
    assert_holds(place, server, 12)
    local = run(tmp_path / "r.zarr", 12, block_size=5)
    chunks = [path for path in local.rglob("c.*") if path.is_file()]
    assert len(chunks) > 100
    for path in chunks:
        stored = obstore.get(client(place, server), str(path.relative_to(local))).bytes().to_bytes()
        assert stored == path.read_bytes()
    for group in (None, "environment"):
        for chunked in (True, False):
            ours = open_results(place, group=group, chunked=chunked).load()
            assert ours.drop_attrs().identical(open_results(local, group=group).load().drop_attrs())
    said = str(status(place, verify=True))
    assert said.startswith(f"{place}: complete\n")
    assert "12 of 12 finished, 12 shown to readers" in said
    assert "every file was read" in said


def test_no_credentials_and_no_endpoint_are_stored(server, place, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAVISIBLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "verysecret")
    object_storage._client.cache_clear()
    run(place, 3)
    for key in keys(place, server):
        data = obstore.get(client(place, server), key).bytes().to_bytes()
        for word in (b"AKIAVISIBLE", b"verysecret", server.encode(), server.rpartition(":")[2].encode()):
            assert word not in data or word.isdigit()


def test_an_unfinished_run_shows_nothing_and_is_completed_and_extended(server, place):
    class Failing(Fake):
        def __call__(self, first, count, progress):
            if first >= 10:
                raise ValueError("no such thing")
            return super().__call__(first, count, progress)

    with pytest.raises(RunError, match=rf"10 of 12 draws are finished and kept in {place}"):
        run(place, 12, block_size=5, simulate=Failing(BASELINE))
    with pytest.raises(FileNotFoundError):
        xr.open_zarr(ObjectStore(client(place, server), read_only=True))
    with pytest.raises(InputError, match="not finished"):
        open_results(place)
    assert list(open_results(place, partial=True).draw.values) == list(range(10))
    assert status(place).missing == ((10, 11),)
    fake = Fake(BASELINE)
    run(place, 12, simulate=fake)
    assert min(first for first, _ in fake.calls) == 10
    assert_holds(place, server, 12)

    class Watched(Fake):
        def __call__(self, first, count, progress):
            assert_holds(place, server, 12)
            assert status(place).writing
            return super().__call__(first, count, progress)

    run(place, 14, simulate=Watched(BASELINE))
    assert_holds(place, server, 14)
    assert not status(place).writing
    with pytest.raises(InputError, match="another seed"):
        run(place, 14, seed=8)


@pytest.mark.long
def test_status_during_a_run_finds_no_damage(server, place):
    run(place, 3, block_size=2)
    ended = threading.Event()

    def extend():
        for draws in (4, 5, 10):
            run(place, draws)
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
    assert_holds(place, server, 10)


def test_damage_is_found_named_and_repaired(server, place):
    run(place, 12, block_size=5)
    store = client(place, server)
    data = bytearray(obstore.get(store, "incentive_pool/c.1.0.0").bytes().to_bytes())
    data[len(data) // 2] ^= 4
    obstore.put(store, "incentive_pool/c.1.0.0", bytes(data))
    obstore.delete(store, "environment/hcc_sd/c.2.0.0")
    obstore.put(store, ".asmrisk/blocks/000000.json", b'{"first": 0')
    state = status(place, verify=True)
    assert state.missing == ((0, 4),)
    assert state.damaged == ((5, 11),)
    assert set(state.faults) == {
        ".asmrisk/blocks/000000.json is damaged",
        "incentive_pool/c.1.0.0 is damaged",
        "environment/hcc_sd/c.2.0.0 is missing",
    }
    with pytest.raises(RunError, match=r"incentive_pool/c\.1\.0\.0 is damaged"):
        open_results(place, partial=True, chunked=False).incentive_pool.load()
    fake = Fake(BASELINE)
    run(place, 12, simulate=fake)
    assert sorted(fake.calls) == [(0, 5), (5, 5), (10, 2)]
    assert status(place, verify=True).complete
    assert_holds(place, server, 12)


@pytest.mark.parametrize("trials", [0, pytest.param(60, marks=pytest.mark.long)])
def test_a_run_cut_at_any_write_shows_nothing_and_is_completed(trials, server, place, monkeypatch):
    write = ObjectStorage.write
    count, limit = 0, 10**9

    def cut(self, key, data, **options):
        nonlocal count
        if count >= limit:
            raise OSError(errno.EIO, "cut")
        count += 1
        write(self, key, data, **options)

    monkeypatch.setattr(ObjectStorage, "write", cut)
    run(place / "whole", 8, block_size=5)
    total = count
    for limit in sorted({1, total - 1, *random.Random(6).sample(range(total), trials)}):
        count = 0
        target = place / str(limit)
        with pytest.raises((RunError, InputError), match="cut"):
            run(target, 8, block_size=5)
        assert committed_draws(target) == 0
        count = -(10**9)
        run(target, 8, block_size=5)
        assert_holds(target, server, 8)
        assert status(target, verify=True).complete


def write_elsewhere(data, block):
    values = Fake(BASELINE)(block.first, block.count, np.zeros(2, np.int64))
    pickle.loads(data).write_block(block, values)


def test_workers_in_other_processes_write_their_own_blocks(server, place):
    with Store.writing(place, BASELINE, 7, 5) as store:
        data = pickle.dumps(store.block_writer())
        assert b"testing" not in data  # No credentials travel.
        spawn = multiprocessing.get_context("spawn")
        processes = [
            spawn.Process(target=write_elsewhere, args=(data, block)) for block in store.unfinished_blocks()
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        store.commit()
    assert_holds(place, server, 7)
    with Store.writing(place, BASELINE, 9), pytest.raises(RunError, match="another run has begun"):
        write_elsewhere(data, Block(1, 5, 2))
    run(place, 9)
    assert_holds(place, server, 9)


# One writer


PROGRAM = """
import sys
from asmrisk.results.store import lease
from tests import fake_run
lease.DURATION = float(sys.argv[1])
try:
    fake_run.main(*sys.argv[2:])
except fake_run.engine.Interrupted as interrupted:
    print(interrupted, file=sys.stderr)
    sys.exit(interrupted.exit_status)
except fake_run.RunError as error:
    sys.exit(str(error))
"""


def start(place, draws, seconds_per_draw, duration):
    arguments = [str(duration), str(place), str(draws), "2", "1", str(seconds_per_draw)]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == "ready\n"
    return process


def wait_until(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def blocks_done(place, server):
    return sum("/blocks/" in key for key in keys(place, server))


def test_a_second_run_is_refused_and_the_first_unharmed(server, place):
    first = start(place, 6, 0.5, 60)
    try:
        wait_until(lambda: blocks_done(place, server) >= 1)
        with pytest.raises(
            RunError, match=rf"another run is writing to {place}\. Wait .* s until its lease expires"
        ):
            run(place, 40)
        assert status(place).writing
        assert first.wait(120) == 0
    finally:
        first.kill()
        first.communicate()
    assert_holds(place, server, 6)
    assert not status(place).writing


def test_an_interrupted_run_gives_its_lease_back_and_is_continued_at_once(server, place):
    first = start(place, 12, 0.3, 60)
    wait_until(lambda: blocks_done(place, server) >= 1)
    first.send_signal(signal.SIGTERM)
    _, said = first.communicate(timeout=120)
    assert first.returncode == 143
    assert f"finished and kept in {place}; run the same command again to continue" in said
    assert not _refused(place, 12, at_most=10)
    assert_holds(place, server, 12)


def test_a_service_that_stops_answering_ends_the_run_and_loses_nothing(server, place, monkeypatch):
    class Outage(Fake):
        def __call__(self, first, count, progress):
            if first >= 5:
                monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            return super().__call__(first, count, progress)

    with pytest.raises(RunError, match=r"http://127\.0\.0\.1:9 does not answer"):
        run(place, 12, block_size=5, simulate=Outage(BASELINE))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    assert status(place).done == 5
    # The lease could not be given back: it must expire first.
    assert _refused(place, 12, 0)
    storage = ObjectStorage(place)
    held = storage.get(lease.KEY)
    storage.put_if(lease.KEY, Lease("dead", 0.0, free=True).encode(), held.version)
    assert not _refused(place, 12, at_most=7)
    assert_holds(place, server, 12)


def test_a_killed_run_is_taken_over_when_its_lease_has_expired(server, place, monkeypatch):
    monkeypatch.setattr(lease, "DURATION", 4.0)
    first = start(place, 12, 0.3, 4)
    wait_until(lambda: blocks_done(place, server) >= 2)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert _refused(place, 12, 0)
    wait_until(lambda: not _refused(place, 12, at_most=8))
    assert_holds(place, server, 12)
    assert status(place, verify=True).complete


def _refused(place, draws, at_most):
    """Try to run; what the first run had finished is kept, so that no more draws are computed than these."""
    fake = Fake(BASELINE)
    try:
        run(place, draws, simulate=fake)
    except RunError as error:
        return "another run is writing" in str(error)
    return sum(count for _, count in fake.calls) > at_most


def test_a_paused_run_that_lost_its_lease_writes_nothing_more(server, place, monkeypatch):
    monkeypatch.setattr(lease, "DURATION", 4.0)
    first = start(place, 7, 0.5, 4)
    wait_until(lambda: blocks_done(place, server) >= 1)
    first.send_signal(signal.SIGSTOP)
    try:
        # Longer than the first asked for: its last block and its commit would spoil this one.
        wait_until(lambda: not _refused(place, 10, at_most=8))
        assert_holds(place, server, 10)
    finally:
        first.send_signal(signal.SIGCONT)
    _, said = first.communicate(timeout=120)
    assert first.returncode == 1
    assert "another run" in said
    assert_holds(place, server, 10)
    assert status(place, verify=True).complete


def test_a_commit_by_a_run_that_was_overtaken_is_refused(server, place):
    stale = {}
    with Store.writing(place, BASELINE, 3) as store:
        for block in store.unfinished_blocks():
            store.write_block(block, Fake(BASELINE)(block.first, block.count, np.zeros(2, np.int64)))
        stale["store"] = store
        # The lease is lost without a trace, as if this process had slept between check and write.
        store._hold.check = lambda: None
        obstore.put(client(place, server), lease.KEY, Lease("x", 60.0, free=True).encode())
        run(place, 5)
        with pytest.raises(RunError, match=r"another run has (changed|begun)|were changed"):
            store.commit()
    assert_holds(place, server, 5)


def test_the_root_is_replaced_only_if_it_is_the_known_one(server, place):
    storage = ObjectStorage(place)
    storage.replace("zarr.json", None, b"one")
    with pytest.raises(RunError, match="changed"):
        storage.replace("zarr.json", None, b"two")
    storage.replace("zarr.json", b"one", b"two")
    with pytest.raises(RunError, match="changed"):
        storage.replace("zarr.json", b"one", b"three")
    assert storage.read("zarr.json") == b"two"


# Conditions and leases


class Service:
    """Object storage in memory, with a clock that the tests turn."""

    def __init__(self):
        self.objects, self.lock, self.versions = {}, threading.Lock(), itertools.count()
        self.clock = datetime(2030, 1, 1, tzinfo=UTC)
        self.honors_conditions, self.reachable, self.answers_lost = True, True, 0

    def turn(self, seconds):
        self.clock += timedelta(seconds=seconds)

    def now(self):
        return self.clock

    def get(self, key):
        with self.lock:
            return self.objects.get(key)

    def put_if(self, key, data, version):
        with self.lock:
            if not self.reachable:
                raise OSError(errno.EIO, "no network")
            for _ in range(1 + self.answers_lost):
                present = self.objects.get(key)
                if self.honors_conditions and (None if present is None else present.version) != version:
                    raise ConditionFailedError
                self.objects[key] = Stamped(data, str(next(self.versions)), self.clock)
            return self.objects[key].version


@pytest.fixture(params=["memory", "moto"])
def service(request):
    return Service() if request.param == "memory" else ObjectStorage(request.getfixturevalue("place"))


def hold(service, duration=60.0, **options):
    return lease.holding(service, Path("place"), duration, **options)


def test_conditional_writes(service):
    version = service.put_if("a", b"1", None)
    with pytest.raises(ConditionFailedError):
        service.put_if("a", b"2", None)
    with pytest.raises(ConditionFailedError):
        service.put_if("a", b"2", '"0"')
    with pytest.raises(ConditionFailedError):
        service.put_if("missing", b"2", version)
    service.put_if("a", b"3", version)
    with pytest.raises(ConditionFailedError):
        service.put_if("a", b"4", version)
    assert service.get("a").data == b"3"


def race(contenders, attempt):
    """Let threads try the same thing at the same moment, and count those that succeed."""
    barrier, won = threading.Barrier(contenders), []

    def contend(number):
        barrier.wait()
        with contextlib.suppress(ConditionFailedError, RunError):
            won.append(attempt(number))

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(contenders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def test_of_many_conditional_writes_at_once_one_succeeds(service):
    for trial in range(10):
        key = f"race/{trial}"
        assert len(race(8, lambda number, key=key: service.put_if(key, b"%d" % number, None))) == 1
        version = service.get(key).version
        won = race(8, lambda number, key=key, version=version: service.put_if(key, b"n%d" % number, version))
        assert len(won) == 1


@pytest.mark.parametrize("state", ["new", "free", "expired"])
def test_of_many_runs_at_once_one_gets_the_lease(service, state):
    for trial in range(5):
        if state == "free":
            service.put_if(lease.KEY, Lease("a", 60.0, trial, free=True).encode(), _version(service))
        elif state == "expired":
            service.put_if(lease.KEY, Lease("a", -10.0, trial).encode(), _version(service))
        elif trial:
            break
        together = threading.Barrier(6)

        def attempt(_, together=together):
            try:
                with hold(service) as held:
                    held.check()
                    together.wait()
                    return held.session
            except RunError:
                together.wait()
                raise

        assert len(race(6, attempt)) == 1


def _version(service):
    found = service.get(lease.KEY)
    return None if found is None else found.version


def test_a_lease_is_refused_while_it_lasts_and_free_afterwards(service):
    with hold(service) as held:
        assert Lease.decode(service.get(lease.KEY).data).holder == held.session
        assert lease.is_held(service.get(lease.KEY)) or isinstance(service, Service)
        with pytest.raises(RunError, match="another run is writing to place"), hold(service):
            pass
        held.check()
    with hold(service) as again:
        assert again.session != held.session
        again.check()
    assert Lease.decode(service.get(lease.KEY).data).free


def test_expiry_is_judged_by_the_clock_of_the_service():
    service = Service()
    service.put_if(lease.KEY, Lease("dead", 60.0).encode(), None)
    # This machine's clock says 2026 or later, the service's 2030: only the latter counts.
    for seconds, left in ((0, 61), (30, 31), (30, 1)):
        service.turn(seconds)
        with pytest.raises(RunError, match=f" {left} s until its lease expires"), hold(service):
            pass
    service.turn(1.5)
    with hold(service) as held:
        held.check()


def test_a_lease_is_renewed_and_not_taken_over_meanwhile(service):
    with hold(service, 2.0) as held:
        first = service.get(lease.KEY)
        wait_until(lambda: Lease.decode(service.get(lease.KEY).data).renewals >= 3)
        assert service.get(lease.KEY).version != first.version
        with pytest.raises(RunError), hold(service):
            pass
        assert Lease.decode(service.get(lease.KEY).data).holder == held.session


def test_a_lease_that_was_taken_over_is_known_to_be_lost():
    service = Service()
    with hold(service, 0.4) as held:
        service.turn(3600)
        with hold(service, 60.0) as other:
            wait_until(lambda: held._lost)
            with pytest.raises(RunError, match=r"lease on place was lost: another run has taken it over"):
                held.check()
            other.check()
    # Giving back what is no longer its own would have freed the other's.
    assert Lease.decode(service.get(lease.KEY).data).holder == other.session


def test_a_lease_that_cannot_be_renewed_is_given_up_before_it_expires():
    service, now = Service(), [0.0]
    with hold(service, 8.0, clock=lambda: now[0]) as held:
        service.reachable = False
        now[0] = 6.3
        held.check()
        now[0] = 6.5
        with pytest.raises(RunError, match="the storage cannot be reached"):
            held.check()


def test_a_write_repeated_because_its_answer_was_lost_is_no_loss():
    service = Service()
    service.answers_lost = 1
    with hold(service, 0.4) as held:
        wait_until(lambda: Lease.decode(service.get(lease.KEY).data).renewals >= 3)
        held.check()
        with pytest.raises(RunError, match="another run is writing"), hold(service):
            pass


def test_a_service_that_ignores_conditions_is_refused():
    service = Service()
    service.honors_conditions = False
    with pytest.raises(InputError, match="ignores the conditions"), hold(service):
        pass


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"[" * 100_000, b'{"holder": 1}'])
def test_a_lease_that_cannot_be_read_is_respected_until_it_would_expire(data):
    service = Service()
    service.put_if(lease.KEY, data, None)
    with pytest.raises(RunError, match="another run is writing"), hold(service):
        pass
    service.turn(lease.DURATION + 2)
    with hold(service) as held:
        held.check()


# Commands


def test_commands_take_the_url(server, place, tmp_path, capfd):
    program = [sys.executable, "-m", "asmrisk"]
    toml = tmp_path / "tiny.toml"
    toml.write_text("[population]\nclinicians = 200\n")

    def call(*arguments):
        return subprocess.run([*program, *arguments], capture_output=True, text=True, check=True).stdout

    url = str(place)
    assert f"Results: {url}" in call("run", str(toml), "--draws", "3", "--out", url, "--workers", "1")
    assert call("status", url, "--verify").startswith(f"{url}: complete")
    rows = json.loads(call("summarize", url, "--metric", "medicare_savings", "--format", "json"))
    assert rows["results"] == url
    table = tmp_path / "draw.csv"
    call("replay", url, "--draw", "1", "--out", str(table))
    assert len(table.read_text().splitlines()) > 200
    missing = subprocess.run([*program, "status", url + "x"], capture_output=True, text=True)
    assert missing.returncode == 2
    assert (
        missing.stderr == f"asmrisk: {url}x does not exist. `asmrisk run SCENARIO --out {url}x` makes it.\n"
    )
