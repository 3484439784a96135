"""On what a run is computed: threads of this process, processes of this machine, or a dask cluster."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

from asmrisk.engine.block_task import BlockTask, persistently
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError
from asmrisk.results.spec import Block

__all__ = ["Executor", "Threads", "Work", "executor"]

#: A block to be computed: the number of its store, what computes it, and which.
Work = Iterable[tuple[int, BlockTask, Block]]


class Executor(Protocol):
    """Computes blocks and has them written."""

    def compute(self, work: Work, progress: Progress) -> Generator[int, None, None]:
        """Compute and write blocks, taken in as there is room for them, however many there are.

        Yields the number of the store for each block once it is written, in any order. BlockError if a block
        failed too often, ExecutorError if there is nothing left to compute on. When the iterator is closed or
        ends so, all work under way is dropped.
        """
        ...


class Threads:
    """Threads of this process: dask's scheduler for them, given a wave of blocks at a time."""

    #: Blocks per thread in a wave: what graph and memory hold, however many draws a run has.
    BLOCKS = 1_000

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def compute(self, work: Work, progress: Progress) -> Generator[int, None, None]:
        """Compute and write blocks; see `Executor`."""
        from dask.threaded import get

        def compute_block(number: int, task: BlockTask, block: Block) -> None:
            slot = progress.slot()
            try:
                persistently(lambda: task(block, slot))
            except BaseException:
                progress.close(slot, 0)
                raise
            progress.close(slot, block.count)
            done.put(number)

        waiting = iter(work)
        done: SimpleQueue[int | BaseException | None] = SimpleQueue()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="asmrisk")
        try:
            while wave := [each for _, each in zip(range(self.BLOCKS * self.workers), waiting, strict=False)]:
                graph = {f"block-{n:06d}": (compute_block, *each) for n, each in enumerate(reversed(wave))}

                def schedule(graph: dict[str, Any] = graph) -> None:
                    try:
                        get(graph, list(graph), pool=pool)
                        done.put(None)
                    except BaseException as error:
                        done.put(error)

                Thread(target=schedule, name="asmrisk-scheduler", daemon=True).start()
                while (number := done.get()) is not None:
                    if isinstance(number, BaseException):
                        raise number
                    yield number
        except BaseException:
            # After an error or a signal, blocks under way end at their next draw.
            progress.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def executor(
    *,
    workers: int | None = None,
    processes: bool = False,
    scheduler: str | os.PathLike[str] | None = None,
    security: Any = None,
) -> AbstractContextManager[Executor]:
    """Choose on what to compute, with the arguments of `asmrisk.run`. To enter it starts or connects.

    InputError if the choices exclude each other or `scheduler` is neither an address nor a file; RunError, on
    entering, if no scheduler answers.
    """
    if scheduler is None:
        if security is not None:
            raise InputError("certificates are for a scheduler elsewhere; name it.", argument="scheduler")
        workers = workers or _usable_processors()
        if not processes:
            return nullcontext(Threads(workers))
        from asmrisk.engine.cluster import local_cluster

        return local_cluster(workers)
    if workers is not None or processes:
        raise InputError(
            "a cluster has its own workers: leave out workers and processes, or the scheduler to compute on "
            "this machine.",
            argument="scheduler",
        )
    address, file = _address(scheduler)
    from asmrisk.engine.cluster import remote_cluster

    return remote_cluster(address, file, security)


def _usable_processors() -> int:
    """Count the processors that this process may use, where the operating system tells; else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _address(scheduler: str | os.PathLike[str]) -> tuple[str | None, Path | None]:
    """Tell an address from a scheduler file."""
    text = os.fspath(scheduler)
    if re.fullmatch(r"(tcp|tls|ws|wss|ucx)://\S+", text):
        return text, None
    if Path(text).is_file():
        _require_scheduler_file(Path(text))
        return None, Path(text)
    if re.fullmatch(r"[\w.-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", text):
        return f"tcp://{text}", None
    raise InputError(
        f"{text} is no scheduler: give its address, for example tcp://node1:8786, or the file that `dask "
        "scheduler --scheduler-file` wrote."
    )


def _require_scheduler_file(path: Path) -> None:
    """Refuse a file that names no scheduler; an empty one may be about to be written."""
    try:
        content = path.read_bytes()
        if not content or isinstance(json.loads(content)["address"], str):
            return
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    raise InputError(f"{path} is no file that `dask scheduler --scheduler-file` wrote: it names no address.")
