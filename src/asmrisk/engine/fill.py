"""Filling stores: what is missing is computed, written, and shown to readers when all of it is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path, PurePath
from statistics import mode
from typing import Any, TypeAlias

from numpy.typing import NDArray

from asmrisk.engine.block_task import BlockError, BlockTask, Executor, ExecutorError, Work
from asmrisk.engine.interruption import Interrupted, interruptible
from asmrisk.engine.progress import Progress
from asmrisk.errors import Call, RunError
from asmrisk.results.place import Place
from asmrisk.results.spec import StoreSpec
from asmrisk.results.store import Store
from asmrisk.simulation.arrays import Block, Piece, Simulation

__all__ = ["Announcement", "Job", "by_simulation", "fill", "tasks_of"]

#: Takes the stores, the blocks that each lacks, and the number of workers; gives lines.
Announcement: TypeAlias = Callable[[Sequence[Store], Sequence[Sequence[Block]], int], Iterator[str]]


@dataclass(frozen=True)
class Job:
    """A store that is to be filled."""

    place: Place  #: where
    spec: StoreSpec  #: what it is to hold
    labels: Mapping[str, NDArray[Any]]  #: values of the arrays that no block writes, by path
    lengths: tuple[int, ...]  #: how long it is to be along each dimension that can grow
    simulation: Simulation  #: gives its blocks, and those of others that share work with it
    member: int = 0  #: which of the simulation's stores it is

    @property
    def name(self) -> str:
        """What a run is called: its store's name without the ending."""
        return PurePath(str(self.place)).name.removesuffix(".zarr")


def fill(
    jobs: Sequence[Job],
    executor: AbstractContextManager[Executor],
    progress: Progress,
    remark: Callable[[Store], object] = lambda store: None,
    announce: Announcement = lambda stores, left, workers: iter(()),
) -> None:
    """Compute and write every unfinished block of some stores, and show the stores to readers.

    They are done one after the other, without a pause between them, but for those of one simulation, which
    are done side by side; each is shown as soon as it is complete. `remark` says what is worth saying of a
    store that was opened; `announce` gives lines that say what will be done, where anything is: the first
    before the simulations are prepared, the others after. Errors are those of `asmrisk.run`.
    """
    stores: list[Store] = []
    with _explained(stores, jobs), interruptible(), executor as workforce:
        lines: Iterator[str] = iter(())
        with progress.patient("preparing the simulation"), ThreadPoolExecutor(1) as beside:
            if len(jobs) > 1:  # Where one place is refused, none is made.
                for job in jobs:
                    Store.look(job.place, job.spec, job.lengths)
            for job in jobs:
                new = isinstance(job.place, Path) and not os.path.exists(job.place)  # noqa: PTH110
                if new and job.simulation.compiled:
                    # All of it is to be computed: kernels are loaded while the store is laid out.
                    beside.submit(job.simulation.prepare)
                stores.append(Store.open(job.place, job.spec, job.labels, job.lengths, progress.say))
                remark(stores[-1])
            unfinished = [store.unfinished_blocks() for store in stores]
            if progress.heard and any(unfinished):
                lines = announce(stores, unfinished, workforce.workers)
                for first in islice(lines, 1):
                    progress.say(first)
        left = [len(blocks) for blocks in unfinished]
        for store, count in zip(stores, left, strict=True):
            if not count:
                store.commit()
        if not any(left):
            return
        works: list[Work] = []
        for numbers in by_simulation(jobs):
            pieces = [Piece(jobs[n].member, block) for n in numbers for block in unfinished[n]]
            if pieces:
                lengths = {jobs[n].name: stores[n].spec.block_shape[-1] for n in numbers if unfinished[n]}
                _say_apart(lengths, progress.say)
                simulation = jobs[numbers[0]].simulation
                # In the main thread, which a signal can stop.
                with progress.patient("preparing the simulation"):
                    simulation.prepare(progress.say)
                task = BlockTask(tuple(stores[n].writer for n in numbers), simulation)
                tasks = tasks_of(simulation, pieces, workforce.workers)
                members = tuple(numbers)
                works += [Work(task, each, members) for each in tasks]

        for line in lines:
            progress.say(line)

        def finished(work: Work) -> None:
            for piece in work.pieces:
                number = work.stores[piece.member]
                left[number] -= 1
                if not left[number]:
                    stores[number].commit()

        total = sum(block.count for store in stores for block in store.spec.blocks(store.lengths))
        todo = sum(block.count for blocks in unfinished for block in blocks)
        with progress.shown(total=total, done=total - todo):
            workforce.compute(works, progress, finished)


def by_simulation(jobs: Sequence[Job]) -> list[list[int]]:
    """Give the numbers of the jobs of each simulation, by member."""
    found: dict[int, list[int]] = {}
    for number in sorted(range(len(jobs)), key=lambda n: jobs[n].member):
        found.setdefault(id(jobs[number].simulation), []).append(number)
    return sorted(found.values())


def tasks_of(simulation: Simulation, pieces: Sequence[Piece], workers: int) -> list[list[Piece]]:
    """Part blocks of a simulation into tasks: those that share work in as few, of about equal length.

    Where there are so many blocks, there are at least as many tasks as `workers`: some would idle otherwise.
    """
    found: dict[Hashable, list[Piece]] = {}
    for piece in pieces:
        found.setdefault(simulation.shares(piece), []).append(piece)
    groups = list(found.values())
    numbers = [
        1 if len(group) == 1 else -(-len(group) // simulation.most_together(group)) for group in groups
    ]
    # The longest are parted further while workers would idle.
    for _ in range(sum(numbers), min(workers, len(pieces))):
        longest = max(range(len(groups)), key=lambda k: len(groups[k]) / numbers[k])
        numbers[longest] += 1
    tasks = []
    for group, number in zip(groups, numbers, strict=True):
        ends = [len(group) * k // number for k in range(number + 1)]
        tasks += [group[start:end] for start, end in pairwise(ends)]
    return tasks


def _say_apart(lengths: Mapping[str, int], say: Callable[[str], object]) -> None:
    """Say which runs have blocks of another length than most, so that what is shared is made for each."""
    usual = mode(lengths.values())
    like = next(name for name, length in lengths.items() if length == usual)
    for name, length in lengths.items():
        if length != usual:
            say(
                f"{name} has blocks of {length:,} draws, {like} of {usual:,}: what they share is simulated "
                "for each"
            )


@contextmanager
def _explained(stores: Sequence[Store], jobs: Sequence[Job]) -> Iterator[None]:
    """Say of what ends a run first what went wrong, then what is kept of it, and how to go on."""
    try:
        yield
    except Interrupted as interruption:
        raise Interrupted(interruption.signal, f"interrupted: {_kept(stores, len(jobs))}") from None
    except BlockError as error:
        kept = f": {_kept(stores, len(jobs))}"
        raise RunError(_failure(error, len(jobs) > 1), kept, *_replay(stores, error)) from error.__cause__
    except OSError as error:
        # Before or after all blocks.
        place = jobs[min(len(stores), len(jobs) - 1)].place
        failed = BlockError(str(place), "", 0, error.strerror or str(error), error.errno or 0)
        raise RunError(_failure(failed), f": {_kept(stores, len(jobs))}") from error
    except ExecutorError as error:
        raise RunError(str(error), f": {_kept(stores, len(jobs))}") from error


def _failure(error: BlockError, several: bool = False) -> str:
    """Say what went wrong with a block: the beginning of a sentence."""
    if error.disk_full:
        return f"there is no space left for {error.place}; free some"
    if error.number is not None:
        when = f"; {error.what}, {error.tried} attempts" if error.what else ""
        return f"{error.place} cannot be written ({error.reason}{when})"
    where = f" of {error.place}" if several else ""
    return f"{error.what}{where} failed {error.tried} times ({error.reason})"


def _replay(stores: Sequence[Store], error: BlockError) -> tuple[str | Call, ...]:
    spec = next((store.spec for store in stores if str(store.place) == error.place), None)
    if error.number is not None or spec is None or spec.noun != "draw":
        return ()
    replay = Call("replay", error.place, {"draw": error.draw, "out": f"draw_{error.draw}.csv"})
    return "; ", replay, " computes the first of them alone"


def _kept(stores: Sequence[Store], jobs: int) -> str:
    """Say what is finished and kept, and how to go on."""
    if len(stores) < jobs:
        return "nothing was computed yet"
    try:
        counts = [(store.finished_length(), store.lengths[0]) for store in stores]
    except OSError:  # The storage does not answer.
        return "what is finished is kept; run it again in the same way to continue"
    done, asked = (sum(column) for column in zip(*counts, strict=True))
    said = f"{done:,} of {asked:,} {stores[0].spec.noun}s are finished and kept"
    if jobs == 1:
        said += f" in {stores[0].place}"
    else:
        said = f"{sum(one >= other for one, other in counts)} of {jobs} stores are complete, and {said}"
    return f"{said}; run it again in the same way to continue"
