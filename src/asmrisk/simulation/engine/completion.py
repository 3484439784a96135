"""Completing stores: what is missing is computed, written, and shown to readers when all of it is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count as numbers
from typing import TYPE_CHECKING

from asmrisk.errors import RunError
from asmrisk.results.manifest import Block
from asmrisk.simulation.engine.interruption import Interrupted, interruptible
from asmrisk.simulation.engine.work import BlockError, ExecutorError, Simulation, compiled
from asmrisk.simulation.progress import Progress

if TYPE_CHECKING:
    from asmrisk.results.store import Store
    from asmrisk.simulation.engine.executors import Executor

__all__ = ["Job", "complete", "disk_problem"]


class Job:
    """A store and what fills it.

    Parameters
    ----------
    store : Store
        Open for writing.
    simulation : Simulation
        Gives its draws.

    Attributes
    ----------
    writer : BlockWriter
        Writes blocks of the store, in any process.
    number : int
        A number of its own; jobs that were made later have a greater one.
    """

    _numbers = numbers()

    def __init__(self, store: Store, simulation: Simulation) -> None:
        self.store = store
        self.simulation = simulation
        self.number = next(self._numbers)
        self.writer = store.block_writer()


def complete(jobs: Sequence[Job], executor: Executor, progress: Progress) -> None:
    """Compute and write every unfinished block of some stores, and show the stores to readers.

    Parameters
    ----------
    jobs : sequence of Job
        Done one after the other, without a pause between them. A store is shown as soon as it is complete.
    executor : Executor
        On what.
    progress : Progress
        Shows how far it is and takes what there is to say.

    Raises
    ------
    RunError
        If a block fails three times, the disk is full, or the cluster is lost; finished blocks are kept.
    Interrupted
        On Ctrl-C or SIGTERM, within seconds; finished blocks are kept.
    """
    try:
        with interruptible():
            _complete(jobs, executor, progress)
    except Interrupted as interruption:
        raise Interrupted(interruption.signal, f"interrupted: {_kept(jobs)}") from None
    except BlockError as error:
        raise RunError(
            f"{_failure(error, len(jobs) > 1)}: {_kept(jobs)}{_replay(jobs, error)}"
        ) from error.__cause__
    except OSError as error:
        raise RunError(f"{disk_problem(error, jobs[0].store.root)}: {_kept(jobs)}") from error
    except ExecutorError as error:
        raise RunError(f"{error}: {_kept(jobs)}") from error


def _complete(jobs: Sequence[Job], executor: Executor, progress: Progress) -> None:
    unfinished = [job.store.unfinished_blocks() for job in jobs]
    todo = sum(block.count for blocks in unfinished for block in blocks)
    draws = sum(job.store.description.draws for job in jobs)
    for job, blocks in zip(jobs, unfinished, strict=True):
        if blocks:
            # In the main thread, which a signal can stop.
            compiled(job.simulation, blocks[0].first, progress.say)
            break
    left = {job.number: len(blocks) for job, blocks in zip(jobs, unfinished, strict=True)}

    def work() -> Iterator[tuple[Job, Block]]:
        for job, blocks in zip(jobs, unfinished, strict=True):
            for block in blocks:
                yield job, block

    for job in jobs:
        if not left[job.number]:
            job.store.commit()
    if not todo:
        return
    shown = progress.shown(total=draws, done=draws - todo)
    with shown, closing(executor.compute(work(), progress)) as computed:
        for job, _ in computed:
            left[job.number] -= 1
            if not left[job.number]:
                job.store.commit()


def _failure(error: BlockError, several: bool = False) -> str:
    if error.disk_full:
        return f"there is no space left for {error.place}; free some"
    draws = f"draw {error.first}" if error.first == error.last else f"draws {error.first} to {error.last}"
    if error.number is not None:
        return f"{error.place} cannot be written ({error.reason}; {draws}, {error.attempts} attempts)"
    where = f" of {error.place}" if several else ""
    return f"{draws}{where} failed {error.attempts} times ({error.reason})"


def _replay(jobs: Sequence[Job], error: BlockError) -> str:
    described = next(job.store.description for job in jobs if str(job.store.root) == error.place)
    if error.number is not None or described.noun != "draw":
        return ""
    command = f"asmrisk replay {error.place} --draw {error.draw} --out draw_{error.draw}.csv"
    return f"; `{command}` computes the first of them alone"


def _kept(jobs: Sequence[Job]) -> str:
    try:
        kept = _counted(jobs)
    except OSError:  # The storage does not answer.
        kept = "what is finished is kept"
    return f"{kept}; run the same command again to continue"


def _counted(jobs: Sequence[Job]) -> str:
    if len(jobs) == 1:
        store = jobs[0].store
        done, draws = store.finished_draws(), store.description.draws
        return f"{done:,} of {draws:,} {store.description.noun}s are finished and kept in {store.root}"
    counts = [(job.store.finished_draws(), job.store.description.draws) for job in jobs]
    whole = sum(done >= draws for done, draws in counts)
    return (
        f"{whole} of {len(jobs)} stores are complete, and {sum(done for done, _ in counts):,} of "
        f"{sum(draws for _, draws in counts):,} draws are finished and kept"
    )


def disk_problem(error: OSError, place: object) -> str:
    """Say what is wrong with a disk, and what to do.

    Parameters
    ----------
    error : OSError
        What it answered.
    place : object
        Where; as the user gave it.

    Returns
    -------
    str
        The beginning of a sentence.
    """
    number = error.errno
    failed = BlockError(str(place), 0, 0, 0, error.strerror or str(error), number)
    if failed.disk_full:
        return _failure(failed)
    return f"{place} cannot be written ({failed.reason})"
