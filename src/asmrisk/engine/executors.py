"""On what a run is computed: threads of this process, processes of this machine, or a dask cluster."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from asmrisk.engine.block_task import ATTEMPTS, BlockError, Executor, Work
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError
from asmrisk.limits import read_file

if TYPE_CHECKING:
    from distributed import Client, Security
    from distributed.deploy.cluster import Cluster

__all__ = ["Threads", "executor", "usable_processors"]


class Threads:
    """So many threads of this process: dask's scheduler for them, given a wave of tasks at a time."""

    #: Tasks per thread in a wave: what the graph holds, however many draws a run has.
    TASKS = 1_000

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def compute(self, work: Iterable[Work], progress: Progress, finished: Callable[[Work], object]) -> None:
        """Compute and write blocks; see `Executor`."""
        # A complete store needs no dask.
        from dask.callbacks import Callback
        from dask.threaded import get

        def compute_blocks(given: Work) -> Work:
            slot, count = progress.slot(), 0
            try:
                for left in reversed(range(ATTEMPTS)):
                    try:
                        given.task(given.pieces, slot)
                        break
                    except BlockError as error:
                        if error.disk_full or not left:
                            raise
                count = given.draws
            finally:
                progress.close(slot, count)
            return given

        waiting = iter(work)
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="asmrisk")
        try:
            # Called in this thread, while the others go on.
            with Callback(posttask=lambda key, given, *_: finished(given)):  # type: ignore[no-untyped-call]
                while wave := list(islice(waiting, self.TASKS * self.workers)):
                    wave.reverse()  # dask begins with the last one.
                    graph = {f"blocks-{n:06d}": (compute_blocks, each) for n, each in enumerate(wave)}
                    get(graph, list(graph), pool=pool)
        except BaseException:
            # After an error or a signal, blocks under way end at their next draw.
            progress.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def usable_processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0))


def executor(
    *,
    workers: int | None = None,
    processes: bool = False,
    scheduler: str | os.PathLike[str] | None = None,
    client: Client | Cluster | None = None,
    security: Security | None = None,
) -> AbstractContextManager[Executor]:
    """Choose on what to compute, with the arguments of `asmrisk.run`. To enter it starts or connects.

    InputError if the choices exclude each other, `scheduler` is neither an address nor a file, or `client`
    none that can be used; RunError, on entering, if no scheduler answers.
    """
    if scheduler is not None and client is not None:
        raise InputError("is connected to a scheduler; leave out the scheduler.", argument="client")
    if scheduler is None and security is not None:
        if client is None:
            raise InputError("certificates are for a scheduler elsewhere; name it.", argument="scheduler")
        raise InputError("a client has its own certificates; leave them out.", argument="security")
    if scheduler is None and client is None:
        workers = workers or usable_processors()
        if not processes:
            return nullcontext(Threads(workers))
        # dask's cluster takes half a second to import.
        from asmrisk.engine.cluster import local_cluster

        return local_cluster(workers)
    if workers is not None or processes:
        name = "client" if scheduler is None else "scheduler"
        raise InputError(
            f"a cluster has its own workers: leave out workers and processes, or the {name} to compute on "
            "this machine.",
            argument=name,
        )
    from asmrisk.engine.cluster import client_cluster, remote_cluster  # As above.

    if client is not None:
        return client_cluster(client)
    if not isinstance(scheduler, str | os.PathLike):
        kind = type(scheduler).__name__
        text = f"must be the scheduler's address or file, not {kind}; a client or cluster is given as client."
        raise InputError(text, argument="scheduler")
    return remote_cluster(*_address(os.fspath(scheduler)), security)


def _address(text: str) -> tuple[str | None, Path | None]:
    """Tell an address from a scheduler file, which may be empty if it is about to be written."""
    if re.fullmatch(r"(tcp|tls|ws|wss|ucx)://\S+", text):
        return text, None
    if Path(text).is_file():
        try:
            content = read_file(text, "document_bytes")
            if not content or isinstance(json.loads(content)["address"], str):
                return None, Path(text)
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            pass
        raise InputError(
            f"{text} is no file that `dask scheduler --scheduler-file` wrote: it names no address."
        )
    if re.fullmatch(r"[\w.-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", text):
        return f"tcp://{text}", None
    raise InputError(
        f"{text} is no scheduler: give its address, for example tcp://node1:8786, or the file that `dask "
        "scheduler --scheduler-file` wrote."
    )
