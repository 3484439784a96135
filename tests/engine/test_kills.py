"""Machines die and disks fill: whatever is killed at whatever moment, nothing that was finished is lost.

Each trial kills something at a random moment of a run, checks the store, completes it and compares it to the
bit with what the stand-in gives. The trials are seeded; the moments are the machine's. Where every operation
is tried, the process kills itself before one of them.
"""

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
from asmrisk.results.status import status
from tests import fake_run
from tests.engine.dask_cluster import DaskCluster
from tests.engine.faults import FullDisk
from tests.engine.operations import operations
from tests.engine.programs import PATIENCE, assert_holds, draws_shown, finish, kill, laid_out, start, until
from tests.fake_run import run
from tests.results import small

#: What is killed: on a cluster, or among processes of one machine.
FAULTS = (
    "a worker of a cluster",
    "the client of a cluster",
    "scheduler, workers and client",
    "a worker process of this machine",
    "the run's own process",
    "all processes of a run",
    "a run on threads",
)

#: The first trials of these are made whenever tests run, the others take minutes.
ALWAYS = {"a worker of a cluster": 1, "all processes of a run": 1}

TRIALS = [
    pytest.param(fault, number, marks=[pytest.mark.long] * (number >= ALWAYS.get(fault, 0)))
    for number in range(12)
    for fault in FAULTS
]


def workers_of(client):
    """Worker processes that a run has started on this machine."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for each in psutil.Process(client.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                found += [each] if "spawn_main" in " ".join(each.cmdline()) else []
    return found


def strike(fault, rng, client, workers, cluster):
    """Kill; say whether the run survives that."""
    if fault == "a worker of a cluster":
        kill(rng.choice(workers))
        cluster.worker()
        return True
    if fault == "scheduler, workers and client":
        cluster.kill_all()
        kill(client)
    elif fault == "a worker process of this machine":
        if found := workers_of(client):
            with suppress(psutil.NoSuchProcess):
                rng.choice(found).kill()
        return True
    elif fault == "all processes of a run":
        if client.poll() is None:
            os.killpg(client.pid, signal.SIGKILL)
    else:
        client.kill()
    return False


@pytest.mark.parametrize(("fault", "number"), TRIALS)
def test_whatever_is_killed_nothing_is_lost(fault, number, tmp_path):
    rng = random.Random(f"{fault} {number}")
    place = tmp_path / "r.zarr"
    before = rng.choice([0, 10])
    if before:
        run(place, before, block_size=4)
    # Sometimes the run that is killed was asked for less than the one that completes it.
    draws = rng.choice([18, 30])
    on_cluster = FAULTS.index(fault) < 3
    with DaskCluster(tmp_path / "cluster") if on_cluster else nullcontext() as cluster:
        workers = [cluster.ready_worker(), cluster.ready_worker()] if on_cluster else []
        on = ["0", "0.05", cluster.file] if on_cluster else ["2" if "threads" in fault else "2p", "0.05"]
        client = start(place, draws, 4, *on, group=True)
        try:
            if rng.random() < 0.7:
                # Most moments are to lie after its start, and some after its end.
                until(lambda: client.poll() is not None or laid_out(place), "the run's store")
            time.sleep(rng.uniform(0, 1.2))
            survives = strike(fault, rng, client, workers, cluster)
            code, _, err = finish(client)
            early = code == 1 and "a worker process ended while it was started" in err
            survives = survives and not early
            assert early or code in ((0,) if survives else (0, -signal.SIGKILL)), err
            shown = draws_shown(place)
            assert shown in ([draws] if survives else [before, draws])
            if laid_out(place):
                state = status(place, verify=True)
                assert state.damaged == ()
                assert state.done >= shown
                assert not [fault for fault in state.faults if "damaged" in fault]
            # At once, while workers of the run before may still be at their blocks.
            alive = on_cluster and cluster.scheduler.poll() is None
            run(place, 30, block_size=4, **({"scheduler": cluster.file} if alive else {"workers": 2}))
        finally:
            kill(client)
        assert_holds(place, 30)
        # Whoever is late comes now.
        time.sleep(0.5)
        assert status(place, verify=True).complete
        assert_holds(place, 30)


@pytest.mark.parametrize("trial", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 120))])
def test_a_worker_process_killed_by_its_id_hangs_no_run(trial, tmp_path):
    """One or two of them, while they start, are at a block, or wait for the next one."""
    rng = random.Random(trial)
    place = tmp_path / "r.zarr"
    client = start(place, 30, 4, "2p", "0.2", group=True)
    try:
        until(lambda: workers_of(client), "a worker process")
        time.sleep(rng.choice([0, rng.uniform(0, 2)]))
        found = until(lambda: workers_of(client), "a worker process")
        for each in rng.sample(found, min(len(found), rng.choice([1, 1, 2]))):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        code, _, err = finish(client)
    finally:
        kill(client)
    early = code == 1 and "a worker process ended while it was started" in err
    assert code == 0 or early, err
    assert psutil.wait_procs(found, timeout=PATIENCE)[1] == []
    if early:
        run(place, 30, block_size=4, workers=2)
    assert status(place, verify=True).complete
    assert_holds(place, 30)


def killed_at(number, place, draws):
    """Run a small store's stand-in that kills itself before one of its operations; give its exit status."""
    strike = ("--workers", 1, "--signal", "SIGKILL", "--operation", number)
    return finish(start(place, draws, *strike, module="tests.engine.small_run"))[0]


@pytest.mark.parametrize("every", [120, pytest.param(5, marks=pytest.mark.long)])
def test_killed_at_any_operation_a_run_is_completed(every, tmp_path):
    with operations() as done:
        small.write(small.write(tmp_path / "counted.zarr", 7), 12)
    with operations() as first:
        small.write(tmp_path / "first.zarr", 7)
    total = len(done) - len(first)
    for number in range(random.Random(every).randint(1, every), total + 1, every):
        place = small.write(tmp_path / f"{number}.zarr", 7)
        assert killed_at(number, place, 12) == -signal.SIGKILL
        state = status(place, verify=True)
        assert (state.damaged, state.committed in (7, 12)) == ((), True)
        assert not [fault for fault in state.faults if "damaged" in fault]
        small.write(place, 12)
        assert status(place, verify=True).complete
        small.assert_holds(place, 12)


# Full disks


def test_a_worker_that_finds_the_disk_full_ends_the_run(tmp_path):
    place = tmp_path / "r.zarr"
    full = FullDisk(fake_run.job("nowhere", 30).spec, 12)
    with DaskCluster(tmp_path / "cluster") as cluster:
        cluster.worker()
        said = rf"there is no space left for {place}; free some: \d+ of 30 draws are finished and kept"
        with pytest.raises(RunError, match=said):
            run(place, 30, simulate=full, scheduler=cluster.file, block_size=4)
    assert status(place, verify=True).damaged == ()
    assert status(place).done >= 4
    run(place, 30)
    assert_holds(place, 30)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2,200 kB in memory, which can be made larger."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2200k", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"file systems cannot be mounted here ({mounted.stderr.strip()})")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize(
    "options",
    [{"workers": 2}, pytest.param({"workers": 2, "processes": True}, marks=pytest.mark.long)],
    ids=str,
)
def test_a_disk_that_fills_up_loses_nothing(options, small_disk):
    """Ten draws take some 1.6 MB, thirty some 3 MB: a file of whatever length takes 4 kB."""
    place = small_disk / "r.zarr"
    run(place, 10, block_size=4)
    with pytest.raises(RunError, match="there is no space left for") as caught:
        run(place, 30, **options)
    kept = int(re.search(r"(\d+) of 30 draws are finished", str(caught.value))[1])
    assert 10 <= kept < 30
    assert_holds(place, 10)
    assert status(place, verify=True).done == kept
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    run(place, 30, **options)
    assert_holds(place, 30)
    assert status(place, verify=True).complete
