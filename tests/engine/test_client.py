"""Runs on a client or a cluster that somebody else has made, and leaves open."""

import asyncio

import pytest
from distributed import Client, LocalCluster

from asmrisk.engine.executors import executor
from asmrisk.errors import InputError
from tests.engine.programs import write
from tests.results import small

LOCAL = {
    "processes": False,
    "dashboard_address": "127.0.0.1:0",
    "scheduler_kwargs": {"dashboard": False},
    "memory_limit": 0,
}


@pytest.fixture(scope="module")
def cluster():
    """One worker in this process."""
    with LocalCluster(n_workers=1, threads_per_worker=1, **LOCAL) as made:
        yield made


def test_a_client_and_a_cluster_give_the_same_bits_and_stay_open(cluster, tmp_path):
    with Client(cluster, set_as_default=False) as client:
        small.assert_holds(write(tmp_path / "a.zarr", 12, client=client), 12)
        assert client.status == "running"
        # What it had computed is gone from the scheduler, what it has to compute is not.
        assert client.submit(sum, [1, 2]).result() == 3
        small.assert_holds(write(tmp_path / "b.zarr", 12, client=cluster), 12)
        assert cluster.status.name == "running"
        assert client.submit(sum, [3, 4]).result() == 7


def test_a_client_that_is_closed_or_asynchronous_is_refused(cluster):
    client = Client(cluster, set_as_default=False)
    client.close()
    with pytest.raises(InputError, match=r"^client: is not connected to a scheduler: it is closed"):
        executor(client=client)

    async def given_one_that_waits():
        address = cluster.scheduler_address
        async with Client(address, asynchronous=True, set_as_default=False) as waiting:
            executor(client=waiting)

    with pytest.raises(InputError, match=r"^client: works asynchronously; make one with asynchronous=False"):
        asyncio.run(given_one_that_waits())


def test_a_closed_cluster_is_refused():
    closed = LocalCluster(n_workers=0, **LOCAL)
    closed.close()
    with pytest.raises(InputError, match=r"^client: is not connected to a scheduler: it is closed"):
        executor(client=closed)
