"""Compiling the kernels ahead: once on a machine, in two processes side by side.

One process compiles one kernel at a time, but what it compiles is kept on disk for all. While this process
compiles how clinicians are observed, another one compiles how they are scored and recorded.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numba
from filelock import FileLock

from asmrisk.errors import InputError, RunError
from asmrisk.numerics.jit import cache_directory, discard_damaged_kernels, kernels_compiled
from asmrisk.rule.cohort import score_cohort
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.observation import observe
from asmrisk.simulation.participation import enroll
from asmrisk.simulation.record import CohortYear, make_record
from asmrisk.simulation.recording import record_year
from asmrisk.simulation.state import observed_in

__all__ = ["compile_kernels", "warmup"]

# numba's stubs leave it untyped.
_typeof: Any = numba.typeof


def warmup(say: Callable[[str], object] | None = None) -> None:
    """Compile every kernel of a run that is missing or damaged on this machine, so that it starts at once.

    Those of rosters and of exposure are compiled when they are first used; of all that are there every file
    is verified.

    Parameters
    ----------
    say : callable, optional
        Takes a line for the user before a minute or two of silence, and lines on what is kept.

    Raises
    ------
    InputError
        If `say` is no function.
    RunError
        If compiled kernels cannot be kept, so that nothing is gained by compiling them now.
    """
    if say is not None and not callable(say):
        raise InputError(f"must be a function that takes a line, not {type(say).__name__}", argument="say")
    discard_damaged_kernels()
    if kernels_compiled() or cache_directory() is not None:
        compile_kernels(say)
    if not kernels_compiled():
        raise RunError("compiled kernels are not kept: every process compiles its own, a minute or two each")
    folder = cache_directory()
    if say is not None and folder is not None:
        for line in _kept(folder):
            say(line)


def _kept(folder: Path) -> Iterator[str]:
    """Say what is kept of compiled kernels, of this version and of others."""
    kernels = list(folder.rglob("*.nbc"))
    yield f"compiled kernels in {folder}: {len(kernels)}, all sound, {_megabytes(kernels)}"
    others = [each for each in folder.parent.glob("kernels-*") if each != folder]
    if others:
        size = _megabytes(path for other in others for path in other.rglob("*"))
        yield (
            "folders kernels-* of other versions of asmrisk, Python or numba, or of other processors, beside "
            f"it: {len(others)}, {size}; nothing removes them by itself, so delete those that are no longer "
            "used"
        )


def _megabytes(files: Iterable[Path]) -> str:
    size = 0
    for file in files:
        with suppress(OSError):  # Removed meanwhile, or not ours to look at.
            size += file.lstat().st_size
    return f"{size / 1e6:,.1f} MB"


def compile_kernels(say: Callable[[str], object] | None = None) -> None:
    """Compile the kernels of a run, as `warmup` does, unless its largest is there and sound."""
    if kernels_compiled():
        return
    if say is not None:
        say("compiling the kernels (once after an install, a minute or two)")
    folder = cache_directory()
    with ExitStack() as stack:
        if folder is not None:
            # Of several processes that begin at once, one compiles and the others wait; where nothing can be
            # written, or locked, each compiles.
            with suppress(OSError):
                stack.enter_context(FileLock(folder / "compiling"))
        if not kernels_compiled():
            if folder is not None and (os.cpu_count() or 1) > 1:
                _compile_side_by_side()
            # The smaller ones, when they are called.
            simulate_block(Model(scenario_from_dict({})), 0, 1)


def _compile_side_by_side() -> None:
    """Compile the largest kernels, half of them in another process; the rest follows when first called."""
    command = [sys.executable, "-m", "asmrisk.simulation.compilation"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as beside:
        try:
            _compile(observe, enroll)
            # What it did not manage is compiled here after all.
            beside.wait()
        finally:
            beside.kill()


def _compile(*kernels: Any) -> None:
    arguments = _arguments()
    for kernel in kernels:
        kernel.compile(tuple(_typeof(each) for each in arguments[kernel.__name__]))


def _arguments() -> dict[str, tuple[Any, ...]]:
    """Give arguments of the types with which `simulate_draws` calls the four largest kernels."""
    # Types do not depend on the scenario.
    model = Model(scenario_from_dict({}))
    inputs, work = model.inputs, model.workspace(model.inputs)
    out, scored, environment = work.observations, work.scored, work.environment
    draw = CohortDraw(
        inputs.population[0],
        inputs.behavior[0],
        0,
        0,
        inputs.key,
        inputs.roster_prior,
        inputs.practice_list,
    )
    year = CohortYear(
        inputs.policy[0, 0],
        inputs.behavior[0, 0],
        inputs.behavior[0, 0],
        0,
        0,
        0,
        out,
        scored,
        environment,
        work.response,
        0.0,
        work.mips_forgone,
        work.participation_cost,
        work.scratch.peers,
    )
    return {
        "enroll": (draw, work.field, work.world.practices),
        "observe": (draw, work.world, work.field, work.batch, out),
        "score_cohort": (
            *(inputs.policy[0, 0], 0, observed_in(out, 0), 0, scored, environment, work.scratch),
            False,
        ),
        "record_year": (year, 0, make_record(1), work.scratch),
    }


if __name__ == "__main__":
    _compile(score_cohort, record_year)
