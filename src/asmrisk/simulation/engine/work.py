"""What is computed: simulations, the pieces of a block, and how a block fails."""

from __future__ import annotations

import errno
import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError, RunError
from asmrisk.jit import cache_directory, kernels_compiled
from asmrisk.results.manifest import Block

if TYPE_CHECKING:
    from asmrisk.scenario import Scenario
    from asmrisk.simulation.model import Model

__all__ = [
    "ATTEMPTS",
    "Arrays",
    "BlockError",
    "ExecutorError",
    "ScenarioSimulation",
    "Simulation",
    "StoppedError",
    "compiled",
    "failures",
    "persistently",
    "pieces",
]

Arrays = dict[str, NDArray[Any]]

_Result = TypeVar("_Result")

#: How often a block is tried before the run ends.
ATTEMPTS = 3


class Simulation(Protocol):
    """Gives the arrays of consecutive draws; the same for the same draws, wherever and however often.

    It travels to other processes by pickle: what is large or takes long to make is made on arrival.

    Attributes
    ----------
    piece : int
        Draws simulated by one task: about half a second of work.
    notes : tuple of str
        What is worth saying before the first draw. To ask for it makes the simulation ready.
    """

    @property
    def piece(self) -> int: ...  # noqa: D102

    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102

    def __call__(self, first: int, count: int, progress: NDArray[np.int64], /) -> Arrays:
        """Simulate `count` draws from `first` on.

        Parameters
        ----------
        first, count : int
            Which draws.
        progress : ndarray of int64, shape (2,)
            Its first element counts finished draws; the work ends early when its second becomes 1.

        Returns
        -------
        dict of str to ndarray
            By the variable's path; the first dimension is the draw.
        """
        ...


class ScenarioSimulation:
    """The model of a scenario as a `Simulation`; it travels as the scenario alone, in plain JSON.

    Parameters
    ----------
    scenario : Scenario
        Resolved, with its seed.
    """

    piece = 32

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._ready: Model | None = None

    @property
    def _model(self) -> Model:
        if self._ready is None:
            from asmrisk.simulation.model import Model

            self._ready = Model(self._scenario)
        return self._ready

    @property
    def notes(self) -> tuple[str, ...]:
        """How many clinicians of each cohort are the roster's.

        Raises
        ------
        InputError
            If no population can be calibrated to the scenario, or its roster cannot be read.
        """
        return self._model.notes

    def __call__(self, first: int, count: int, progress: NDArray[np.int64], /) -> Arrays:
        """Simulate draws; see `Simulation`."""
        from asmrisk.simulation.model import simulate_block

        return simulate_block(self._model, first, count, progress)

    def __reduce__(self) -> tuple[Callable[..., ScenarioSimulation], tuple[str, str]]:
        return _arrived, (json.dumps(self._scenario.to_dict()), self._scenario.identity())


def _arrived(document: str, identity: str) -> ScenarioSimulation:
    from asmrisk.scenario import scenario_from_dict

    scenario = scenario_from_dict(json.loads(document))
    if scenario.identity() != identity:
        # Everything else travels with the scenario; a roster is read again where it is needed.
        raise InputError(f"the roster {scenario.roster} is not the same file as where the run was started.")
    return ScenarioSimulation(scenario)


class StoppedError(Exception):
    """Work was given up half-way because the run ends."""


class ExecutorError(Exception):
    """What the work is done on failed, not the work."""


class BlockError(Exception):
    """A block could not be computed or written.

    Attributes
    ----------
    place : str
        The store.
    first, last : int
        The draws that were under way.
    draw : int
        The first of them that was not finished.
    reason : str
        What happened.
    number : int or None
        The operating system's error number, if the block could not be written.
    attempts : int
        How often it was tried.
    """

    def __init__(
        self,
        place: str,
        first: int,
        last: int,
        draw: int,
        reason: str,
        number: int | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        # All of it as arguments, so that it can be pickled.
        super().__init__(place, first, last, draw, reason, number, attempts)
        self.place, self.first, self.last, self.draw = place, first, last, draw
        self.reason, self.number, self.attempts = reason, number, attempts

    @property
    def disk_full(self) -> bool:
        """Whether there was no space left, which a further attempt does not change."""
        return self.number in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def failures(place: str, first: int, count: int, slot: NDArray[np.int64] | None = None) -> Iterator[None]:
    """Turn whatever goes wrong with some draws into a `BlockError`.

    Parameters
    ----------
    place : str
        The store.
    first, count : int
        The draws.
    slot : ndarray of int64, shape (2,), optional
        Counts the draws that were finished before; without it, it is writing that fails.

    Raises
    ------
    BlockError
        In place of any error of a simulation that does not say itself what is wrong, and of the operating
        system's errors in writing.
    """
    last = first + count - 1
    try:
        yield
    except (BlockError, StoppedError, RunError, InputError):
        raise
    except Exception as error:
        if slot is not None:
            draw = first + min(int(slot[0]), count - 1)
            raise BlockError(place, first, last, draw, f"{type(error).__name__}: {error}") from error
        if isinstance(error, OSError):
            raise BlockError(place, first, last, first, error.strerror or str(error), error.errno) from error
        raise


def persistently(action: Callable[[], _Result]) -> _Result:
    """Do something that may fail for a passing reason, up to `ATTEMPTS` times.

    Parameters
    ----------
    action : callable
        Takes nothing.

    Returns
    -------
    Any
        What `action` returns.

    Raises
    ------
    BlockError
        From the last attempt, or at once if the disk is full.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return action()
        except BlockError as error:
            if error.disk_full:
                raise
    return action()


def pieces(block: Block, length: int) -> list[tuple[int, int]]:
    """Divide a block into pieces.

    Parameters
    ----------
    block : Block
        Which draws.
    length : int
        Draws in a piece.

    Returns
    -------
    list of (int, int)
        First draw and count of each.
    """
    end = block.first + block.count
    return [(first, min(length, end - first)) for first in range(block.first, end, length)]


def compiled(simulation: Simulation, first: int, say: Callable[[str], object] | None = None) -> None:
    """Compile the kernels if no process on this machine has.

    Parameters
    ----------
    simulation : Simulation
        Its `first` draw is simulated to compile what is compiled when first called.
    first : int
        Number of a draw.
    say : callable, optional
        Takes a line for the user before half a minute of silence.
    """
    if kernels_compiled():
        return
    if say is not None:
        say("compiling the kernels (once after an install, about half a minute)")
    from asmrisk.simulation.precompile import compile_side_by_side

    # Of several processes that begin at once, one compiles and the others wait.
    with _compiling():
        if not kernels_compiled():
            compile_side_by_side()
            simulation(first, 1, np.zeros(2, np.int64))


@contextmanager
def _compiling() -> Iterator[None]:
    folder = cache_directory()
    if folder is None:
        yield
        return
    with (folder / "compiling").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
