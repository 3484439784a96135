"""The one task of every executor: simulate blocks, write them; and how that fails."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.results.store import BlockWriter
from asmrisk.simulation.arrays import Piece, Simulation

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
    """Computes blocks of the stores of one simulation and writes them; it can be pickled."""

    writers: tuple[BlockWriter, ...]  #: write them, by member of the simulation
    simulation: Simulation  #: gives their arrays

    def __call__(self, pieces: Sequence[Piece], slot: NDArray[np.int64]) -> None:
        """Compute and write blocks, those that are not there by now; `slot` as for `Simulation`.

        BlockError if a draw fails or a block cannot be written, StoppedError if it was asked to stop;
        InputError and RunError where the simulation or a store says itself what is wrong.
        """

        def go_on() -> None:
            if slot[1]:
                raise StoppedError

        at, computed = pieces[0], False
        left: list[Piece] = []
        slot[0] = 0
        try:
            for piece in pieces:
                at = piece
                self.writers[piece.member].require_store()
                if not self.writers[piece.member].is_finished(piece.block):
                    left.append(piece)
            if not left:
                return
            results = self.simulation(left, slot)
            for piece in left:
                at, computed = piece, False
                arrays = next(results)
                go_on()
                computed = True
                self.writers[piece.member].write(piece.block, arrays, go_on)
        except (StoppedError, RunError, InputError):
            raise
        except Exception as error:
            writer, block = self.writers[at.member], at.block
            place, what = str(writer.storage.place), writer.spec.describe(block)
            if not computed:
                draw = block.first + min(int(slot[0]) // max(1, len(left)), block.count - 1)
                raise BlockError(place, what, draw, f"{type(error).__name__}: {error}") from error
            if isinstance(error, OSError):
                reason = error.strerror or str(error)
                raise BlockError(place, what, block.first, reason, error.errno) from error
            raise


class Work(NamedTuple):
    """Blocks to be computed together, and what computes them."""

    task: BlockTask
    pieces: list[Piece]
    stores: tuple[int, ...]  #: numbers of the stores of the task, by member

    @property
    def draws(self) -> int:
        """How many draws they have."""
        return sum(piece.block.count for piece in self.pieces)


class Executor(Protocol):
    """Computes blocks and has them written."""

    @property
    def workers(self) -> int:
        """How many tasks it computes at a time, as far as is known."""
        ...

    def compute(self, work: Iterable[Work], progress: Progress, finished: Callable[[Work], object]) -> None:
        """Compute and write blocks, taken in as there is room for them, however many there are.

        `finished` is called with each that is written, in any order. BlockError if a block failed too often,
        ExecutorError if there is nothing left to compute on; all work under way is dropped then, as after a
        signal.
        """
        ...
