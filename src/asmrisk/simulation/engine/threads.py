"""Threads of this process as an executor.

A block's pieces are simulated by whichever threads are free (kernels release the interpreter's lock), and its
last task writes the block. Blocks are given to dask in waves, so that neither memory nor graph grows with the
number of draws.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from asmrisk.results.manifest import Block
from asmrisk.simulation.engine.work import Arrays, StoppedError, failures, persistently, pieces
from asmrisk.simulation.progress import Progress

if TYPE_CHECKING:
    from asmrisk.simulation.engine.completion import Job

__all__ = ["Threads"]

#: Pieces per thread in a wave: at its end threads wait for the last piece, one part in a hundred of it.
_PIECES_PER_WAVE = 64

_LAST_NAME = 10**12 - 1


class Threads:
    """Threads of this process.

    Parameters
    ----------
    workers : int
        How many.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def compute(
        self, work: Iterable[tuple[Job, Block]], progress: Progress
    ) -> Generator[tuple[Job, Block], None, None]:
        """Compute and write blocks; see `asmrisk.simulation.engine.executors.Executor`."""
        from dask.base import compute

        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="asmrisk")
        try:
            for wave in _waves(work, self.workers * _PIECES_PER_WAVE):
                tasks = [_task(job, block, progress) for job, block in wave]
                compute(*tasks, scheduler=pool, optimize_graph=False)  # type: ignore[no-untyped-call]
                yield from wave
        except BaseException:
            # After an error or a signal, pieces under way end at their next draw.
            progress.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _waves(work: Iterable[tuple[Job, Block]], size: int) -> Iterator[list[tuple[Job, Block]]]:
    wave: list[tuple[Job, Block]] = []
    held = 0
    for job, block in work:
        # A store that is complete is shown before the next one is begun.
        if wave and wave[-1][0] is not job:
            yield wave
            wave, held = [], 0
        wave.append((job, block))
        held += len(pieces(block, job.simulation.piece))
        if held >= size:
            yield wave
            wave, held = [], 0
    if wave:
        yield wave


def _task(job: Job, block: Block, progress: Progress) -> Any:
    """Give one block as a dask task that depends on its pieces."""
    from dask.delayed import delayed

    place = str(job.store.root)

    def simulate(first: int, count: int) -> Arrays:
        slot = progress.slot()
        try:
            with failures(place, first, count, slot):
                arrays = job.simulation(first, count, slot)
            if slot[1]:
                raise StoppedError
        except BaseException:
            progress.close(slot, 0)
            raise
        progress.close(slot, count)
        return arrays

    def write(*parts: Arrays) -> None:
        values = {path: np.concatenate([each[path] for each in parts]) for path in parts[0]}

        def attempt() -> None:
            with failures(place, block.first, block.count):
                job.writer.write_block(block, values)

        persistently(attempt)

    def piece(first: int, count: int) -> Arrays:
        return persistently(lambda: simulate(first, count))

    # Among equals, dask begins with the last name: named backwards, blocks are done from first to last.
    name = f"{_LAST_NAME - job.number:012d}-{{:012d}}".format
    parts = [
        delayed(piece, pure=False)(first, count, dask_key_name=name(_LAST_NAME - first))
        for first, count in pieces(block, job.simulation.piece)
    ]
    return delayed(write, pure=False)(*parts, dask_key_name=name(_LAST_NAME - block.last) + "-write")
