"""A dask cluster as an executor: its own processes on this machine, or a scheduler elsewhere.

Blocks are submitted as there is room for them, a few for each of the workers' threads: neither the client nor
the scheduler ever holds more, however many draws a run has. A block's arrays never leave the worker, and what
a lost worker takes with it is one block for each of its threads.
"""

from __future__ import annotations

import logging
import pickle
import platform
import subprocess
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import lru_cache, partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

import dask
import numpy as np
from distributed import Client, KilledWorker, LocalCluster, get_worker
from distributed.deploy.cluster import Cluster as DaskCluster
from distributed.utils import silence_logging_cmgr
from distributed.versions import VersionMismatchWarning
from numpy.typing import NDArray

from asmrisk.engine.block_task import ATTEMPTS, BlockError, BlockTask, ExecutorError, Work
from asmrisk.engine.interruption import deferred
from asmrisk.engine.progress import Progress, repeatedly
from asmrisk.errors import InputError, RunError
from asmrisk.numerics.code_identity import code_identity
from asmrisk.simulation.arrays import Piece

__all__ = ["Cluster", "client_cluster", "local_cluster", "remote_cluster"]

#: Seconds between a worker's looks at whether the client still wants the task, and between looks at the
#: workers.
_WATCH, _INTERVAL = 0.2, 2.0

#: Tasks submitted for each thread of the workers (one is computed, one waits), and while none is known.
_TASKS_PER_THREAD, _FIRST_TASKS = 2, 8

#: Removes a folder once nobody can write to its input any more.
_REMOVE = "import shutil, sys; sys.stdin.read(); shutil.rmtree(sys.argv[1], ignore_errors=True)"

_arriving = threading.Lock()


class RefusedError(Exception):
    """A worker, named by its address, has other versions than the client: the differences."""


def fingerprint() -> dict[str, str]:
    """Give the versions of everything that takes part in making numbers, by name."""
    packages = {name: version(name) for name in ("asmrisk", "numba", "llvmlite", "numpy", "scipy")}
    code = code_identity("asmrisk.simulation.scenario_simulation", "asmrisk.studies.simulation")
    return {"code": code, "Python": platform.python_version(), **packages}


def compute_blocks(content: bytes, pieces: list[Piece], versions: dict[str, str]) -> None:
    """Compute and write the blocks of a task; what is submitted to a worker.

    The `content` is the `BlockTask`, pickled and compressed: sent with every task, unpacked once a process.
    RefusedError if this worker's versions are not the client's.
    """
    worker = get_worker()
    here = fingerprint()
    differences = [
        f"{name} {here.get(name, 'missing')} there, {versions.get(name, 'missing')} here"
        for name in {**versions, **here}
        if here.get(name) != versions.get(name)
    ]
    if differences:
        raise RefusedError(worker.address, "; ".join(differences))
    with _arriving:
        task = _unpacked(content)
        task.simulation.prepare()
    slot = np.zeros(2, np.int64)
    with repeatedly(_WATCH, partial(_stop_if_unwanted, worker, worker.get_current_task(), slot)):
        task(pieces, slot)


@lru_cache(maxsize=8)
def _unpacked(content: bytes) -> BlockTask:
    task: BlockTask = pickle.loads(zlib.decompress(content))
    return task


def _stop_if_unwanted(worker: Any, key: Any, slot: NDArray[np.int64]) -> None:
    """Stop the simulation once nobody wants it: the client has cancelled the task, or died."""
    task = worker.state.tasks.get(key)
    if task is None or task.state == "cancelled":
        slot[1] = 1


class Cluster:
    """The workers of a dask scheduler, to which `client` is connected."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._versions = fingerprint()
        self._refused: set[str] = set()
        self._threads, self._looked, self._said = 0, -_INTERVAL, False

    @property
    def workers(self) -> int:
        """Threads of the workers that are there; some, where none is yet."""
        self._look()
        return self._threads or _FIRST_TASKS

    def compute(self, work: Iterable[Work], progress: Progress, finished: Callable[[Work], object]) -> None:
        """Compute and write blocks; see `asmrisk.engine.block_task.Executor`."""
        under_way: dict[Any, tuple[Any, Work]] = {}
        ended: SimpleQueue[Any] = SimpleQueue()
        contents: dict[int, bytes] = {}

        def submit(given: Work) -> None:
            key = id(given.task)
            if key not in contents:
                contents.clear()
                contents[key] = zlib.compress(pickle.dumps(given.task))
            future = self._client.submit(
                compute_blocks,
                contents[key],
                given.pieces,
                self._versions,
                pure=False,
                retries=ATTEMPTS - 1,
                workers=self._allowed(),
                # Should they all be gone by then, whoever is there; a refused one refuses again.
                allow_other_workers=bool(self._refused),
            )
            under_way[future.key] = (future, given)
            future.add_done_callback(ended.put)

        waiting = iter(work)
        try:
            while True:
                for each in islice(waiting, max(0, self._room(progress) - len(under_way))):
                    submit(each)
                if not under_way:
                    return
                try:
                    future = ended.get(timeout=_INTERVAL)
                except Empty:
                    continue
                _, given = under_way.pop(future.key)
                # A worker may die with the task's result, which is nothing, once the block is written.
                if future.status in ("finished", "lost"):
                    # The scheduler would compute it again for a client that still asks.
                    future.release()
                    progress.close(None, given.draws)
                    finished(given)
                else:
                    self._raise_unless_refused(future, given, progress)
                    submit(given)
        finally:
            if under_way and self._client.status == "running":
                self._client.cancel([each[0] for each in under_way.values()], force=True)

    def _room(self, progress: Progress) -> int:
        """Give how many tasks may be under way at once; find out now and then if the scheduler is lost."""
        if time.monotonic() - self._looked > _INTERVAL:
            self._look()
            if not self._threads and not self._said:
                progress.say("no worker is there: the run waits until one comes")
                self._said = True
        if self._client.status != "running":
            raise ExecutorError("the scheduler was lost")
        return _TASKS_PER_THREAD * self._threads or _FIRST_TASKS

    def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            self._threads = sum(self._client.nthreads().values())
        except OSError:
            raise ExecutorError("the scheduler was lost") from None

    def _allowed(self) -> list[str] | None:
        """Name the workers that may compute, if any was refused."""
        if self._refused:
            return [each for each in self._client.nthreads() if each not in self._refused]
        return None

    def _raise_unless_refused(self, future: Any, given: Work, progress: Progress) -> None:
        if future.status == "cancelled":
            raise ExecutorError("the scheduler was lost, or dropped the work")
        error = future.exception()
        if isinstance(error, RefusedError):
            worker, differences = error.args
            text = f"the worker {worker} is refused: its versions are others ({differences})"
            if worker not in self._refused:
                self._refused.add(worker)
                if not self._allowed():
                    raise ExecutorError(f"{text}, and there is no other")
                progress.say(text)
            return
        if isinstance(error, KilledWorker):
            reason = f"the worker died each time, the last at {error.last_worker.address}"
            member, block = given.pieces[0]
            writer = given.task.writers[member]
            what, place = writer.spec.describe(block), str(writer.storage.place)
            raise BlockError(place, what, block.first, reason, None, error.allowed_failures + 1)
        if isinstance(error, (BlockError, RunError)):
            raise error
        if isinstance(error, InputError):
            raise ExecutorError("; ".join(map(str, error.problems)).rstrip("."))
        raise ExecutorError(f"a worker cannot do the work ({type(error).__name__}: {error})")


@contextmanager
def _own_folder() -> Iterator[str]:
    """Give a new folder for this user alone, which is gone once the context or this process has ended."""
    place = dask.config.get("temporary-directory", None)
    with TemporaryDirectory(prefix="asmrisk-workers-", dir=place, ignore_cleanup_errors=True) as folder:
        # Its input ends when this process is killed, too.
        command = [sys.executable, "-ISc", _REMOVE, folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
            try:
                yield folder
            finally:
                # dask imports from it, and need not forget it; the name is free for others soon.
                sys.path[:] = [each for each in sys.path if not each.startswith(folder)]


@contextmanager
def local_cluster(workers: int) -> Iterator[Cluster]:
    """Start worker processes on this machine, of one thread each, and end them with the context.

    They are spawned, listen on the loopback interface alone, keep their files in a folder that only this user
    can read, and die with this process. RunError if one of them ends before it has begun.
    """
    spawned = dask.config.set({"distributed.worker.multiprocessing-method": "spawn"})
    with silence_logging_cmgr(logging.CRITICAL), spawned, ExitStack() as stack:
        try:
            with deferred():
                folder = stack.enter_context(_own_folder())
                cluster = LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    # Its web server starts all the same: on any free port, with no pages.
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False, "local_directory": folder},
                    # A worker holds one block; dask would take other programs' memory for its own.
                    memory_limit=0,
                    # dask would use, and import from, one that all users of the machine share.
                    local_directory=folder,
                    silence_logs=logging.CRITICAL,
                )
                stack.enter_context(cluster)
                client = stack.enter_context(Client(cluster, set_as_default=False))  # type: ignore[no-untyped-call]
        except RuntimeError as error:  # dask has ended those that did start.
            raise RunError(
                f"a worker process ended while it was started ({error.__cause__ or error}): nothing was "
                "computed; run it again. (Every worker imports the script that starts it, "
                'which must therefore be guarded by `if __name__ == "__main__":`.)'
            ) from error
        yield Cluster(client)


def remote_cluster(address: str | None, file: Path | None, security: Any) -> AbstractContextManager[Cluster]:
    """Connect to a scheduler by its address or its file; RunError if none answers. Workers may come later."""
    remedy = " Start one with `dask scheduler`, or name none to compute on this machine."
    return _connected(address or file, remedy, address=address, scheduler_file=file, security=security)


def client_cluster(client: Client | DaskCluster) -> AbstractContextManager[Cluster]:
    """Use a client that somebody else has connected, or connect to somebody's cluster; both are left open.

    InputError if it is none, works asynchronously, or is not connected; RunError, on entering, if the
    cluster's scheduler does not answer.
    """
    refused = ""
    if not isinstance(client, Client) and not isinstance(getattr(client, "scheduler_address", None), str):
        kind = type(client).__name__
        refused = f"must be a dask Client, or a cluster such as LocalCluster or SLURMCluster, not {kind}"
    elif client.asynchronous:
        refused = "works asynchronously; make one with asynchronous=False"
    elif str(getattr(client.status, "name", client.status)) != "running":
        refused = "is not connected to a scheduler: it is closed, or lost it"
    if refused:
        raise InputError(refused, argument="client")
    if isinstance(client, Client):
        return nullcontext(Cluster(client))
    return _connected(client.scheduler_address, address=client)


@contextmanager
def _connected(where: object, remedy: str = "", **given: Any) -> Iterator[Cluster]:
    """Connect to a scheduler with a client of our own, which alone is closed; RunError if none answers."""
    with silence_logging_cmgr(logging.CRITICAL):
        try:
            with warnings.catch_warnings():
                # Of workers of other versions; those that matter are refused, with a word on why.
                warnings.simplefilter("ignore", VersionMismatchWarning)
                client = Client(set_as_default=False, **given)  # type: ignore[no-untyped-call]
        except Exception as error:  # An address or a file that is not understood fails in many ways.
            reason = f"{type(error).__name__}: {error}".rstrip(".: ")
            raise RunError(
                f"no scheduler answers at {where} ({reason}); nothing was computed.{remedy}"
            ) from error
        with client:
            yield Cluster(client)
