"""Threads of this process as an executor: dask's scheduler for them, given a wave of blocks at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from asmrisk.engine.block_task import BlockTask, Work, persistently
from asmrisk.engine.progress import Progress
from asmrisk.results.spec import Block

__all__ = ["Threads"]


class Threads:
    """So many threads of this process."""

    #: Blocks per thread in a wave: what graph and memory hold, however many draws a run has.
    BLOCKS = 1_000

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def compute(self, work: Work, progress: Progress, finished: Callable[[int], object]) -> None:
        """Compute and write blocks; see `asmrisk.engine.block_task.Executor`."""
        # They take their time to import, and who only looks needs none.
        from dask.callbacks import Callback
        from dask.threaded import get

        def compute_block(number: int, task: BlockTask, block: Block) -> int:
            slot = progress.slot()
            count = 0
            try:
                persistently(lambda: task(block, slot))
                count = block.count
            finally:
                progress.close(slot, count)
            return number

        waiting = iter(work)
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="asmrisk")
        try:
            # Called in this thread, while the others go on.
            with Callback(posttask=lambda key, number, *_: finished(number)):  # type: ignore[no-untyped-call]
                while wave := list(islice(waiting, self.BLOCKS * self.workers)):
                    wave.reverse()  # dask begins with the last one.
                    graph = {f"block-{n:06d}": (compute_block, *each) for n, each in enumerate(wave)}
                    get(graph, list(graph), pool=pool)
        except BaseException:
            # After an error or a signal, blocks under way end at their next draw.
            progress.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
