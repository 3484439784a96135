"""Machines die and disks fill: whatever is killed at whatever moment, nothing that was finished is lost.

Each trial kills something at a random moment of a run, checks the store, completes it and compares it to the
bit with a run that nothing happened to. The trials are seeded; the moments are the machine's.
"""

import errno
import os
import random
import re
import signal
import subprocess
import time
from contextlib import nullcontext, suppress

import psutil
import pytest

from asmrisk.errors import RunError
from asmrisk.results import status
from asmrisk.results.store.storage import LocalStorage
from asmrisk.simulation import engine
from tests import fake_run
from tests.dask_cluster import DaskCluster, kill, until
from tests.fake_run import Fake, scenario
from tests.test_engine import bits, finish, start

BASELINE = scenario()

#: What is killed: on a cluster, or among processes of one machine.
FAULTS = (
    "a worker of a cluster",
    "the client of a cluster",
    "scheduler, workers and client",
    "a worker process of this machine",
    "the run's own process",
    "all processes of a run",
)


@pytest.fixture(autouse=True)
def _isolated(monkeypatch):
    fake_run.isolate(monkeypatch.setattr)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Bits of runs that nothing happened to, by number of draws."""
    with pytest.MonkeyPatch.context() as patch:
        fake_run.isolate(patch.setattr)
        folder = tmp_path_factory.mktemp("uninterrupted")
        return {draws: bits(run(folder / f"{draws}.zarr", draws, workers=1)) for draws in (10, 18, 30)}


def run(out, draws, *, simulate=None, **options):
    return engine.run(
        BASELINE, draws=draws, out=out, simulate=simulate or Fake(BASELINE), **{"quiet": True} | options
    )


def shown(place):
    """Bits that a reader sees, or None if there is nothing to open."""
    try:
        return bits(place)
    except FileNotFoundError:
        return None


def workers_of(client):
    """Worker processes that a run has started on this machine."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for each in psutil.Process(client.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                found += [each] if "spawn_main" in " ".join(each.cmdline()) else []
    return found


#: The first trials of these are made whenever tests run, the others take minutes.
ALWAYS = ("a worker of a cluster", "the client of a cluster", "all processes of a run")

TRIALS = [
    pytest.param(fault, number, marks=[] if number == 0 and fault in ALWAYS else [pytest.mark.long])
    for number in range(12)
    for fault in FAULTS
]


@pytest.mark.parametrize(("fault", "number"), TRIALS)
def test_whatever_is_killed_nothing_is_lost(fault, number, uninterrupted, tmp_path):
    rng = random.Random(f"{fault} {number}")
    place = tmp_path / "r.zarr"
    before = rng.choice([None, 10])
    if before:
        run(place, before, workers=1, block_size=4)
    # Sometimes the run that is killed was asked for less than the one that completes it, and its last block
    # is shorter than the next run's.
    draws = rng.choice([18, 30])
    on_cluster = FAULTS.index(fault) < 3
    with DaskCluster(tmp_path / "cluster") if on_cluster else nullcontext() as cluster:
        if on_cluster:
            workers = [cluster.worker(), cluster.worker()]
            until(lambda: all("Registered to" in cluster.log(each) for each in workers), "the workers")
            client = start(place, draws, 4, 0, 0.05, cluster.file)
        else:
            client = start(place, draws, 4, "2p", 0.05, group=True)
        try:
            if rng.random() < 0.7:
                # Most moments are to lie after its start, and some after its end.
                until(lambda: client.poll() is not None or LocalStorage(place).locked(), "the run's lock")
            time.sleep(rng.uniform(0, 1.2))
            survives = False
            if fault == "a worker of a cluster":
                kill(rng.choice(workers))
                cluster.worker()
                survives = True
            elif fault == "scheduler, workers and client":
                cluster.kill_all()
                kill(client)
            elif fault == "a worker process of this machine":
                if found := workers_of(client):
                    rng.choice(found).kill()
                survives = True
            elif fault == "all processes of a run":
                if client.poll() is None:
                    os.killpg(client.pid, signal.SIGKILL)
            else:
                client.kill()
            code, _, err = finish(client)
            early = code == 1 and "a worker process ended while it was started" in err
            survives = survives and not early
            assert early or code in ((0,) if survives else (0, -9)), err
            seen = shown(place)
            allowed = [uninterrupted[draws]] + ([] if survives else [uninterrupted.get(before)])
            assert seen in allowed
            if (place / ".asmrisk" / "store.json").exists():
                assert status(place, verify=True).damaged == ()
            # At once, while workers of the run before may still be at their blocks.
            alive = on_cluster and cluster.scheduler.poll() is None
            run(place, 30, **({"scheduler": cluster.file} if alive else {"workers": 2}))
        finally:
            kill(client)
        assert bits(place) == uninterrupted[30]
        # Whoever is late comes now.
        time.sleep(0.5)
        assert status(place, verify=True).complete
        assert bits(place) == uninterrupted[30]


# Full disks


class FullDisk(Fake):
    """Finds the disk full in the worker's process once it has come to some draw."""

    def __init__(self, scenario, draw):
        super().__init__(scenario)
        self.draw = draw

    def __call__(self, first, count, progress):
        if first >= self.draw:

            def write(*_, **__):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            LocalStorage.write = write
        return super().__call__(first, count, progress)


def test_a_worker_that_finds_the_disk_full_ends_the_run(uninterrupted, tmp_path):
    place = tmp_path / "r.zarr"
    with DaskCluster(tmp_path / "cluster") as cluster:
        cluster.worker()
        said = rf"there is no space left for {place}; free some: \d+ of 30 draws are finished and kept"
        with pytest.raises(RunError, match=said):
            run(place, 30, simulate=FullDisk(BASELINE, 12), scheduler=cluster.file, block_size=4)
    assert status(place, verify=True).damaged == ()
    assert status(place).done >= 4
    run(place, 30, workers=1)
    assert bits(place) == uninterrupted[30]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1,300 kB in memory, which can be made larger."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1300k", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"file systems cannot be mounted here ({mounted.stderr.strip()})")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("options", [{"workers": 2}, {"workers": 2, "processes": True}], ids=str)
def test_a_disk_that_fills_up_loses_nothing(options, small_disk, uninterrupted):
    """Thirty draws take some 2 MB: a file of whatever length takes 4 kB."""
    place = small_disk / "r.zarr"
    run(place, 10, workers=1, block_size=4)
    with pytest.raises(RunError, match="there is no space left for") as caught:
        run(place, 30, **options)
    kept = int(re.search(r"(\d+) of 30 draws are finished", str(caught.value))[1])
    assert 10 <= kept < 30
    assert bits(place) == uninterrupted[10]
    assert status(place, verify=True).done == kept
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    run(place, 30, **options)
    assert bits(place) == uninterrupted[30]
    assert status(place, verify=True).complete
