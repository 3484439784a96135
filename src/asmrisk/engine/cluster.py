"""A dask cluster as an executor: its own processes on this machine, or a scheduler elsewhere.

Blocks are submitted as there is room for them, a few for each of the workers' threads: neither the client nor
the scheduler ever holds more, however many draws a run has. A block's arrays never leave the worker, and what
a lost worker takes with it is one block for each of its threads.
"""

from __future__ import annotations

import logging
import pickle
import platform
import threading
import time
import warnings
import zlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.engine.block_task import ATTEMPTS, BlockError, BlockTask
from asmrisk.engine.executors import Work
from asmrisk.engine.fill import ExecutorError, prepare
from asmrisk.engine.interruption import deferred
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.numerics.code_identity import code_identity
from asmrisk.results.spec import Block

__all__ = ["Cluster", "local_cluster", "remote_cluster"]

#: Seconds between a worker's looks at whether the client still wants the block.
_WATCH = 0.2

_arriving = threading.Lock()

#: Blocks submitted for each thread of the workers: one is computed, the other waits.
_BLOCKS_PER_THREAD = 2

#: Blocks submitted while no worker is known.
_FIRST_BLOCKS = 8

#: Seconds between looks at the workers, and for which a scheduler may take to answer.
_INTERVAL, _PATIENCE = 2.0, 30.0


class RefusedError(Exception):
    """A worker, named by its address, has other versions than the client: the differences."""

    def __init__(self, worker: str, differences: str) -> None:
        super().__init__(worker, differences)
        self.worker, self.differences = worker, differences


def fingerprint() -> dict[str, str]:
    """Give the versions of everything that takes part in making numbers, by name."""
    packages = {name: version(name) for name in ("asmrisk", "numba", "llvmlite", "numpy", "scipy")}
    code = code_identity("asmrisk.simulation.scenario_simulation", "asmrisk.studies.simulation")
    return {"code": code, "Python": platform.python_version(), **packages}


def compute_block(content: bytes, block: Block, versions: dict[str, str]) -> None:
    """Compute and write one block; what is submitted to a worker.

    Parameters
    ----------
    content : bytes
        The store's `BlockTask`, pickled and compressed: sent with every block, unpacked once a process.
    block : Block
        Which.
    versions : dict of str to str
        The client's fingerprint; RefusedError if this worker's is another.
    """
    from distributed import get_worker

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
        prepare(task.simulation)
    slot = np.zeros(2, np.int64)
    with _stopped_with_its_task(worker, slot):
        task(block, slot)


@lru_cache(maxsize=8)
def _unpacked(content: bytes) -> BlockTask:
    task: BlockTask = pickle.loads(zlib.decompress(content))
    return task


@contextmanager
def _stopped_with_its_task(worker: Any, slot: NDArray[np.int64]) -> Iterator[None]:
    """Stop the simulation once nobody wants it: the client has cancelled the task, or died."""
    key = worker.get_current_task()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_WATCH):
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                slot[1] = 1
                return

    watcher = threading.Thread(target=watch, name="asmrisk-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


class Cluster:
    """The workers of a dask scheduler, to which `client` is connected."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._versions = fingerprint()
        self._refused: set[str] = set()

    def compute(self, work: Work, progress: Progress) -> Generator[int, None, None]:
        """Compute and write blocks; see `asmrisk.engine.executors.Executor`."""
        waiting = iter(work)
        under_way: dict[Any, tuple[Any, int, BlockTask, Block]] = {}
        finished: SimpleQueue[Any] = SimpleQueue()
        contents: dict[int, bytes] = {}
        workers = _Workers(self._client, progress)

        def submit(number: int, task: BlockTask, block: Block) -> None:
            if number not in contents:
                contents.clear()
                contents[number] = zlib.compress(pickle.dumps(task))
            future = self._client.submit(
                compute_block,
                contents[number],
                block,
                self._versions,
                pure=False,
                retries=ATTEMPTS - 1,
                workers=self._allowed(),
                # Should they all be gone by then, whoever is there; a refused one refuses again.
                allow_other_workers=bool(self._refused),
            )
            under_way[future.key] = (future, number, task, block)
            future.add_done_callback(finished.put)

        try:
            exhausted = False
            while True:
                while not exhausted and len(under_way) < workers.room():
                    if (each := next(waiting, None)) is not None:
                        submit(*each)
                    else:
                        exhausted = True
                if not under_way:
                    return
                try:
                    future = finished.get(timeout=_INTERVAL)
                except Empty:
                    workers.look()
                    continue
                _, number, task, block = under_way.pop(future.key)
                # A worker may die with the task's result, which is nothing, once the block is written.
                if future.status in ("finished", "lost"):
                    # The scheduler would compute it again for a client that still asks.
                    future.release()
                    progress.add(block.count)
                    yield number
                else:
                    self._raise_unless_refused(future, task, block, progress)
                    submit(number, task, block)
        finally:
            if under_way and self._client.status == "running":
                self._client.cancel([each[0] for each in under_way.values()], force=True)

    def _allowed(self) -> list[str] | None:
        """Name the workers that may compute, if any was refused."""
        if not self._refused:
            return None
        return [each for each in self._client.nthreads() if each not in self._refused]

    def _raise_unless_refused(self, future: Any, task: BlockTask, block: Block, progress: Progress) -> None:
        from distributed import KilledWorker

        if future.status == "cancelled":
            raise ExecutorError("the scheduler was lost, or dropped the work")
        error = future.exception()
        if isinstance(error, RefusedError):
            text = f"the worker {error.worker} is refused: its versions are others ({error.differences})"
            if error.worker not in self._refused:
                self._refused.add(error.worker)
                if not self._allowed():
                    raise ExecutorError(f"{text}, and there is no other")
                progress.say(text)
            return
        if isinstance(error, KilledWorker):
            reason = f"the worker died each time, the last at {error.last_worker.address}"
            writer, died = task.writer, error.allowed_failures + 1
            what = writer.spec.describe(block)
            raise BlockError(str(writer.storage.place), what, block.first, reason, attempts=died)
        if isinstance(error, (BlockError, RunError)):
            raise error
        if isinstance(error, InputError):
            raise ExecutorError("; ".join(map(str, error.problems)).rstrip("."))
        raise ExecutorError(f"a worker cannot do the work ({type(error).__name__}: {error})")


class _Workers:
    """Looks after the workers of a scheduler, now and then."""

    def __init__(self, client: Any, progress: Progress) -> None:
        self._client, self._progress = client, progress
        self._threads = 0
        self._seen = -_INTERVAL
        self._said = False

    def room(self) -> int:
        """Give how many blocks may be submitted at once."""
        if time.monotonic() - self._seen > _INTERVAL:
            self.look()
        return _BLOCKS_PER_THREAD * self._threads or _FIRST_BLOCKS

    def look(self) -> None:
        """Count the workers' threads; find out if the scheduler is lost."""
        if self._client.status != "running":
            raise ExecutorError("the scheduler was lost")
        try:
            self._threads = sum(self._client.nthreads().values())
        except OSError:
            raise ExecutorError("the scheduler was lost") from None
        self._seen = time.monotonic()
        if not self._threads and not self._said:
            self._progress.say("no worker is there: the run waits until one comes")
            self._said = True


@contextmanager
def local_cluster(workers: int) -> Iterator[Cluster]:
    """Start worker processes on this machine, of one thread each, and end them with the context.

    They are spawned, listen on the loopback interface alone, and die with this process. RunError if one of
    them ends before it has begun.
    """
    import dask
    from distributed import Client, LocalCluster

    with (
        _quiet(),
        dask.config.set({"distributed.worker.multiprocessing-method": "spawn"}),
        ExitStack() as stack,
    ):
        with deferred(), _started():
            cluster = LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                # Its web server starts all the same: on any free port, with no pages.
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                # A worker holds one block; dask would take other programs' memory for its own.
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
            client = Client(stack.enter_context(cluster), set_as_default=False)  # type: ignore[no-untyped-call]
            stack.enter_context(client)
        yield Cluster(client)


@contextmanager
def remote_cluster(address: str | None, file: Path | None, security: Any) -> Iterator[Cluster]:
    """Connect to a scheduler by its address or its file; RunError if none answers. Workers may come later."""
    from distributed import Client
    from distributed.versions import VersionMismatchWarning

    place = address or file
    with _quiet():
        try:
            with warnings.catch_warnings():
                # Of workers of other versions; those that matter are refused, with a word on why.
                warnings.simplefilter("ignore", VersionMismatchWarning)
                client = Client(  # type: ignore[no-untyped-call]
                    address, scheduler_file=file, security=security, timeout=_PATIENCE, set_as_default=False
                )
        except Exception as error:  # An address or a file that is not understood fails in many ways.
            reason = f"{type(error).__name__}: {error}".rstrip(".: ")
            raise RunError(
                f"no scheduler answers at {place} ({reason}); nothing was computed. "
                "Start one with `dask scheduler`, or name none to compute on this machine."
            ) from error
        with client:
            yield Cluster(client)


@contextmanager
def _started() -> Iterator[None]:
    """Say that worker processes did not start; dask has ended those that did."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(
            f"a worker process ended while it was started ({error.__cause__ or error}): nothing was "
            "computed; run the same command again. (Every worker imports the script that starts it, which "
            'must therefore be guarded by `if __name__ == "__main__":`.)'
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep dask from writing about what the run itself says: lost workers, failed tasks."""
    # Some of its loggers have levels of their own, and some are made when first used.
    names = [
        "distributed",
        *(name for name in logging.root.manager.loggerDict if name.startswith("distributed.")),
    ]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
