"""The one task of every executor: simulate a block, write it; and how that fails."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.results.block_writer import BlockWriter
from asmrisk.simulation.arrays import Block, Simulation

__all__ = ["ATTEMPTS", "BlockError", "BlockTask", "Executor", "ExecutorError", "StoppedError", "Work"]

#: How often a block is tried before the run ends.
ATTEMPTS = 3


class StoppedError(Exception):
    """Work was given up half-way because the run ends."""


class ExecutorError(Exception):
    """What the work is done on failed, not the work."""


@dataclass(eq=False)
class BlockError(Exception):
    """A block could not be computed or written; pickled by its arguments, which therefore have no names."""

    place: str  #: the store
    what: str  #: the block
    draw: int  #: the first draw that was not finished
    reason: str  #: what happened
    number: int | None = None  #: the operating system's error, if the block could not be written
    tried: int = ATTEMPTS  #: how often

    @property
    def disk_full(self) -> bool:
        """Whether there was no space left, which a further attempt does not change."""
        return self.number in (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class BlockTask:
    """Computes blocks of one store and writes them; it can be pickled."""

    writer: BlockWriter  #: writes them
    simulation: Simulation  #: gives their arrays

    def __call__(self, block: Block, slot: NDArray[np.int64]) -> None:
        """Compute and write a block, unless it is there by now; `slot` as for `Simulation`.

        BlockError if a draw fails or the block cannot be written, StoppedError if it was asked to stop;
        InputError and RunError where the simulation or the store says itself what is wrong.
        """
        computed = False

        def go_on() -> None:
            if slot[1]:
                raise StoppedError

        try:
            self.writer.require_store()
            if not self.writer.is_finished(block):
                slot[0] = 0
                arrays = self.simulation(block, slot)
                go_on()
                computed = True
                self.writer.write(block, arrays, go_on)
        except (StoppedError, RunError, InputError):
            raise
        except Exception as error:
            place, what = str(self.writer.storage.place), self.writer.spec.describe(block)
            if not computed:
                draw = block.first + min(int(slot[0]), block.count - 1)
                raise BlockError(place, what, draw, f"{type(error).__name__}: {error}") from error
            if isinstance(error, OSError):
                reason = error.strerror or str(error)
                raise BlockError(place, what, block.first, reason, error.errno) from error
            raise


#: Blocks to be computed: the number of each one's store, what computes it, and which.
Work: TypeAlias = Iterable[tuple[int, BlockTask, Block]]


class Executor(Protocol):
    """Computes blocks and has them written."""

    def compute(self, work: Work, progress: Progress, finished: Callable[[int], object]) -> None:
        """Compute and write blocks, taken in as there is room for them, however many there are.

        For each block that is written `finished` is called with the number of its store, in any order.
        BlockError if a block failed too often, ExecutorError if there is nothing left to compute on; all work
        under way is dropped then, as after a signal.
        """
        ...
