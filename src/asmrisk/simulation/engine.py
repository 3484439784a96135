"""The engine: a run as blocks of draws, each a small dask graph that simulates pieces and writes one chunk.

A block's pieces are simulated by whichever workers are free (kernels release the interpreter's lock), and its
last task writes the block's chunks and its manifest entry: results never gather anywhere else. Blocks are
given to dask in waves, so that neither memory nor graph grows with the number of draws. `dask.compute` takes
an executor of threads here; it would take a cluster's client in the same place.
"""

from __future__ import annotations

import errno
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError, RunError
from asmrisk.jit import kernels_compiled
from asmrisk.results.manifest import Block
from asmrisk.simulation.progress import Progress

if TYPE_CHECKING:
    from asmrisk.results.store import Store
    from asmrisk.scenario import Scenario

__all__ = ["Interrupted", "run", "warmup"]

#: Draws simulated by one task: half a second of work, a thousand times what dask spends on it.
_PIECE = 32

#: Pieces per worker in a wave: at its end workers wait for the last piece, one part in a hundred of it.
_PIECES_PER_WAVE = 64

_LAST_NAME = 10**12 - 1

#: Bytes of a block from which its memory is worth a word.
_LARGE = 2e8

_Arrays = dict[str, NDArray[Any]]

#: Simulates `count` draws from `first` on: ``simulate(first, count, progress)``.
_Simulate = Callable[[int, int, NDArray[np.int64]], _Arrays]


class Interrupted(KeyboardInterrupt):
    """A run was stopped from outside (Ctrl-C or SIGTERM); what is finished is kept.

    Attributes
    ----------
    exit_status : int
        130 or 143, as a shell expects.
    """

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.signal = number
        self.exit_status = 128 + number


class _StoppedError(Exception):
    """A piece was given up half-way because the run ends."""


def run(
    scenario: Scenario | str | os.PathLike[str],
    *,
    draws: int | None = None,
    seed: int | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    block_size: int | None = None,
    quiet: bool = False,
    stream: TextIO | None = None,
    simulate: _Simulate | None = None,
) -> Path:
    """Simulate a scenario and write the results to a store, or complete or extend one.

    Parameters
    ----------
    scenario : Scenario or path
        What to simulate, or the TOML file that says it.
    draws, seed : int, optional
        Instead of the scenario's ``run.draws`` and ``run.seed``. The first n draws do not depend on `draws`.
    out : path, optional
        The store; ``results/<scenario's file stem>.zarr`` if not given. Where it holds draws of the same run,
        only those that are missing are computed.
    workers : int, optional
        Threads; as many as processors if not given. The results do not depend on it.
    block_size : int, optional
        Draws that are written together, 256 if not given; counts when the store is made. The results do not
        depend on it.
    quiet : bool
        Write nothing but errors.
    stream : file, optional
        Where to show progress; standard error if not given. A bar is shown on a terminal only.
    simulate : callable, optional
        For tests: ``simulate(first, count, progress)`` in place of the model's.

    Returns
    -------
    pathlib.Path
        The store, complete.

    Raises
    ------
    InputError
        If an argument, the scenario or the place cannot be used; nothing is written.
    RunError
        If a block fails, the disk is full, or another run writes to the store; finished blocks are kept.
    Interrupted
        On Ctrl-C or SIGTERM, within seconds; finished blocks are kept.
    """
    scenario, draws = _resolve(scenario, draws, seed, workers=workers, block_size=block_size)
    out = Path(out) if out is not None else _default_place(scenario)
    workers = workers or os.cpu_count() or 1
    progress = Progress(sys.stderr if stream is None else stream, quiet=quiet)
    if scenario.roster is not None:
        _announce(scenario, draws, block_size, progress)
    simulate = _model(scenario, progress) if simulate is None else simulate
    # Zarr takes a while to import: a scenario that cannot be used is refused before.
    from asmrisk.results.store import Store

    kept = "nothing was computed yet"
    try:
        with _signals(), Store.writing(out, scenario, draws, block_size) as store:
            try:
                _complete(store, simulate, workers, progress, block_size)
            except BaseException:
                kept = _kept(store)
                raise
    except Interrupted as interruption:
        raise Interrupted(interruption.signal, f"interrupted: {kept}") from None
    except OSError as error:
        raise RunError(f"{_disk_problem(error, out)}: {kept}") from error
    except _BlockError as error:
        raise RunError(f"{error}: {kept}") from error.__cause__
    return out


def warmup() -> None:
    """Compile every kernel, so that the next run starts at once; one draw of the baseline does it."""
    from asmrisk.scenario import scenario_from_dict

    _prepare(_model(scenario_from_dict({})), 0, Progress(sys.stderr, quiet=True))


def _resolve(
    scenario: Scenario | str | os.PathLike[str],
    draws: int | None,
    seed: int | None,
    **counts: int | None,
) -> tuple[Scenario, int]:
    """Check the arguments and give the scenario with its seed, and the number of draws."""
    problems = [
        f"{name} must be a whole number of at least 1, not {value!r}"
        for name, value in {"draws": draws, **counts}.items()
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1)
    ]
    if seed is not None and not 0 <= seed < 2**64:
        problems.append(f"seed must be a whole number from 0 to {2**64 - 1}, not {seed!r}")
    if problems:
        raise InputError(problems)
    if isinstance(scenario, (str, os.PathLike)):
        from asmrisk.scenario import load_scenario

        scenario = load_scenario(scenario)
    if seed is not None:
        scenario = replace(scenario, values=scenario.values.replace(**{"run.seed": seed}))
    return scenario, draws or int(scenario.values["run.draws"])


def _default_place(scenario: Scenario) -> Path:
    stem = "scenario" if scenario.source is None else Path(scenario.source).stem
    return Path("results") / f"{stem}.zarr"


def _announce(scenario: Scenario, draws: int, block_size: int | None, progress: Progress) -> None:
    """Say how much the clinicians of the roster add to the results."""
    from asmrisk.results.schema import coordinates, variables
    from asmrisk.results.store import BLOCK_LENGTH

    labels = coordinates(scenario)
    size = sum(
        np.dtype(variable.dtype).itemsize * math.prod(len(labels[dim]) for dim in variable.dims[1:])
        for variable in variables(scenario).values()
        if variable.group == "clinician"
    )
    text = (
        f"the roster's {len(labels['clinician']):,} clinicians add about {_bytes(size)} a draw, "
        f"{_bytes(size * draws)} in all"
    )
    together = size * min(draws, block_size or BLOCK_LENGTH)
    if together > _LARGE:
        text += f", and {_bytes(together)} of memory for each block under way (--block-size makes it less)"
    progress.say(text)


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000.0:
            return f"{size:.2g} {unit}" if size < 10.0 else f"{size:.0f} {unit}"
        size /= 1000.0
    return f"{size:.2g} GB" if size < 10.0 else f"{size:,.0f} GB"


def _model(scenario: Scenario, progress: Progress | None = None) -> _Simulate:
    from asmrisk.simulation.model import Model, simulate_block

    model = Model(scenario)
    if progress is not None:
        for note in model.notes:
            progress.say(note)

    def simulate(first: int, count: int, progress: NDArray[np.int64]) -> _Arrays:
        return simulate_block(model, first, count, progress)

    return simulate


def _prepare(simulate: _Simulate, first: int, progress: Progress) -> None:
    """Compile in the main thread, which a signal can stop, and say so."""
    if not kernels_compiled():
        progress.say("compiling the kernels (once after an install, about half a minute)")
        from asmrisk.simulation.precompile import compile_side_by_side

        compile_side_by_side()
        simulate(first, 1, np.zeros(2, np.int64))


class _BlockError(Exception):
    """A block could not be computed; the message names its draws."""


def _complete(
    store: Store, simulate: _Simulate, workers: int, progress: Progress, block_size: int | None
) -> None:
    """Compute what is missing, and show all of it to readers."""
    draws, length = store.description.draws, store.description.block_length
    if block_size not in (None, length):
        progress.say(
            f"{store.root} was made with blocks of {length} draws; a block size of {block_size} has no effect"
        )
    blocks = store.unfinished_blocks()
    todo = sum(block.count for block in blocks)
    if todo:
        _prepare(simulate, blocks[0].first, progress)
        with progress.shown(total=draws, done=draws - todo):
            _compute(store, blocks, simulate, workers, progress)
    store.commit()


def _compute(
    store: Store, blocks: Sequence[Block], simulate: _Simulate, workers: int, progress: Progress
) -> None:
    """Compute and write blocks, wave after wave."""
    from dask.base import compute

    pool = ThreadPoolExecutor(workers, thread_name_prefix="asmrisk")
    try:
        for wave in _waves(blocks, workers * _PIECES_PER_WAVE):
            tasks = [_task(store, block, simulate, progress) for block in wave]
            compute(*tasks, scheduler=pool, optimize_graph=False)  # type: ignore[no-untyped-call]
    finally:
        # After an error or a signal, pieces under way end at their next draw.
        progress.stop()
        pool.shutdown(wait=True, cancel_futures=True)


def _waves(blocks: Sequence[Block], pieces: int) -> Iterator[list[Block]]:
    wave: list[Block] = []
    size = 0
    for block in blocks:
        wave.append(block)
        size += len(_pieces(block))
        if size >= pieces:
            yield wave
            wave, size = [], 0
    if wave:
        yield wave


def _pieces(block: Block) -> list[tuple[int, int]]:
    """Divide a block into tasks: first draw and count of each."""
    end = block.first + block.count
    return [(first, min(_PIECE, end - first)) for first in range(block.first, end, _PIECE)]


def _task(store: Store, block: Block, simulate: _Simulate, progress: Progress) -> Any:
    """Give one block as a dask task that depends on its pieces."""
    from dask.delayed import delayed

    def piece(first: int, count: int) -> _Arrays:
        slot = progress.slot()
        try:
            arrays = simulate(first, count, slot)
        except Exception as error:
            raise _BlockError(
                f"draws {first} to {first + count - 1} failed ({type(error).__name__}: {error})"
            ) from error
        if slot[1]:
            raise _StoppedError
        progress.close(slot, count)
        return arrays

    def write(*pieces: _Arrays) -> None:
        store.write_block(
            block, {path: np.concatenate([each[path] for each in pieces]) for path in pieces[0]}
        )

    # Among equals, dask begins with the last name: named backwards, blocks are done from first to last.
    name = "draws-{:012d}".format
    parts = [
        delayed(piece, pure=False)(first, count, dask_key_name=name(_LAST_NAME - first))
        for first, count in _pieces(block)
    ]
    return delayed(write, pure=False)(*parts, dask_key_name=name(_LAST_NAME - block.last) + "-write")


def _kept(store: Store) -> str:
    done, draws = store.finished_draws(), store.description.draws
    return (
        f"{done:,} of {draws:,} draws are finished and kept in {store.root}; run the same command again to "
        "continue"
    )


def _disk_problem(error: OSError, out: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"there is no space left for {out}; free some"
    return f"{out} cannot be written ({error.strerror or error})"


@contextmanager
def _signals() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `Interrupted`, in the main thread; elsewhere signals never arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
