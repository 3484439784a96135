"""A dask cluster as an executor: its own processes on this machine, or a scheduler elsewhere.

Blocks are submitted as there is room for them, a few for each of the workers' threads: neither the client nor
the scheduler ever holds more, however many draws a run has.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from asmrisk.errors import InputError, RunError
from asmrisk.results.manifest import Block
from asmrisk.simulation.engine.fingerprint import RefusedError, fingerprint
from asmrisk.simulation.engine.work import ATTEMPTS, BlockError, ExecutorError
from asmrisk.simulation.engine.worker import compute_block, packed
from asmrisk.simulation.progress import Progress

if TYPE_CHECKING:
    from asmrisk.simulation.engine.completion import Job

__all__ = ["Cluster", "local_cluster", "remote_cluster"]

#: Blocks submitted for each thread of the workers: one is computed, the other waits.
_BLOCKS_PER_THREAD = 2

#: Blocks submitted while no worker is known.
_FIRST_BLOCKS = 8

#: Seconds between looks at the workers, and for which a scheduler may take to answer.
_INTERVAL, _PATIENCE = 2.0, 30.0


class Cluster:
    """The workers of a dask scheduler.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._versions = fingerprint()
        self._refused: set[str] = set()

    def compute(
        self, work: Iterable[tuple[Job, Block]], progress: Progress
    ) -> Generator[tuple[Job, Block], None, None]:
        """Compute and write blocks; see `asmrisk.simulation.engine.executors.Executor`."""
        waiting = iter(work)
        under_way: dict[Any, tuple[Any, Job, Block]] = {}
        finished: SimpleQueue[Any] = SimpleQueue()
        contents: dict[int, bytes] = {}
        workers = _Workers(self._client, progress)

        def submit(job: Job, block: Block) -> None:
            if job.number not in contents:
                contents.clear()
                contents[job.number] = packed(str(job.store.root), job.writer, job.simulation)
            future = self._client.submit(
                compute_block,
                contents[job.number],
                block,
                self._versions,
                pure=False,
                retries=ATTEMPTS - 1,
                workers=self._allowed(),
                # Should they all be gone by then, whoever is there; a refused one refuses again.
                allow_other_workers=bool(self._refused),
            )
            under_way[future.key] = (future, job, block)
            future.add_done_callback(finished.put)

        try:
            exhausted = False
            while True:
                while not exhausted and len(under_way) < workers.room():
                    if (task := next(waiting, None)) is not None:
                        submit(*task)
                    else:
                        exhausted = True
                        workers.remark_on(len(under_way))
                if not under_way:
                    return
                try:
                    future = finished.get(timeout=_INTERVAL)
                except Empty:
                    workers.look()
                    continue
                _, job, block = under_way.pop(future.key)
                # A worker may die with the task's result, which is nothing, once the block is written.
                if future.status in ("finished", "lost"):
                    # The scheduler would compute it again for a client that still asks.
                    future.release()
                    progress.add(block.count)
                    yield job, block
                else:
                    self._raise_unless_refused(future, job, block, progress)
                    submit(job, block)
        finally:
            if under_way and self._client.status == "running":
                self._client.cancel([future for future, _, _ in under_way.values()], force=True)

    def _allowed(self) -> list[str] | None:
        """Name the workers that may compute, if any was refused."""
        if not self._refused:
            return None
        return [each for each in self._client.nthreads() if each not in self._refused]

    def _raise_unless_refused(self, future: Any, job: Job, block: Block, progress: Progress) -> None:
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
            place, died = str(job.store.root), error.allowed_failures + 1
            raise BlockError(place, block.first, block.last, block.first, reason, attempts=died)
        if isinstance(error, (BlockError, RunError)):
            raise error
        if isinstance(error, InputError):
            raise ExecutorError("; ".join(error.problems).rstrip("."))
        raise ExecutorError(f"a worker cannot do the work ({type(error).__name__}: {error})")


class _Workers:
    """Looks after the workers of a scheduler, now and then.

    Parameters
    ----------
    client : distributed.Client
        Connected to the scheduler.
    progress : Progress
        Takes what there is to say.
    """

    def __init__(self, client: Any, progress: Progress) -> None:
        self._client = client
        self._progress = progress
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

    def remark_on(self, blocks: int) -> None:
        """Say so if the last blocks of a run leave most workers without work from the beginning."""
        if 0 < blocks < self._threads and not self._said:
            self._progress.say(
                f"{blocks} of {self._threads} worker threads have a block to compute: in a new store, a "
                "smaller --block-size gives work to more of them"
            )


@contextmanager
def local_cluster(workers: int) -> Iterator[Cluster]:
    """Start worker processes on this machine, and end them with the context, however it ends.

    Parameters
    ----------
    workers : int
        How many, with one thread each. They are spawned, listen on the loopback interface alone, and die with
        this process.

    Yields
    ------
    Cluster
        Ready.

    Raises
    ------
    RunError
        If one of them ends before it has begun.
    """
    import dask
    from distributed import Client, LocalCluster

    with _quiet(), dask.config.set({"distributed.worker.multiprocessing-method": "spawn"}):
        with _deaf_to_interrupts(), _started():
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
        client = Client(cluster, set_as_default=False)  # type: ignore[no-untyped-call]
        with cluster, client:
            yield Cluster(client)


@contextmanager
def remote_cluster(address: str | None, file: Path | None, security: Any) -> Iterator[Cluster]:
    """Connect to a scheduler.

    Parameters
    ----------
    address : str or None
        As dask writes it.
    file : pathlib.Path or None
        In place of the address: a scheduler file.
    security : distributed.Security or None
        Certificates; dask's configuration if None.

    Yields
    ------
    Cluster
        Connected; its workers may come later.

    Raises
    ------
    RunError
        If no scheduler answers.
    """
    from distributed import Client

    place = address or file
    with _quiet():
        try:
            client = Client(  # type: ignore[no-untyped-call]
                address, scheduler_file=file, security=security, timeout=_PATIENCE, set_as_default=False
            )
        except Exception as error:  # An address or a file that is not understood fails in many ways.
            reason = f"{type(error).__name__}: {error}".rstrip(".: ")
            raise RunError(
                f"no scheduler answers at {place} ({reason}); nothing was computed. "
                "Start one with `dask scheduler`, or leave out --scheduler to compute on this machine."
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
def _deaf_to_interrupts() -> Iterator[None]:
    """Have threads and processes that are started here never see a Ctrl-C: it is this thread's to act on.

    A terminal sends it to all processes of the run. One that comes meanwhile is acted on at the end.
    """
    # Its start, which unblocks signals, must not fall into a thread that starts a worker.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
