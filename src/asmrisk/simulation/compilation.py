"""Compiling the kernels: once on a machine, in two processes side by side.

One process compiles one kernel at a time, but what it compiles is kept on disk for all. While this process
compiles how clinicians are observed, another one compiles how they are scored and recorded.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numba
import numpy as np
from filelock import FileLock

from asmrisk.numerics.jit import cache_directory, kernels_compiled
from asmrisk.rule.cohort import score_cohort
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.observation import observe
from asmrisk.simulation.participation import enroll
from asmrisk.simulation.record import make_record, record_year
from asmrisk.simulation.state import observed_in

__all__ = ["compile_kernels", "warmup"]

# numba's stubs leave it untyped.
_typeof: Any = numba.typeof


def warmup() -> None:
    """Compile every kernel, so that the next run starts at once; one draw of the baseline does it."""
    compile_kernels()


def compile_kernels(say: Callable[[str], object] | None = None) -> None:
    """Compile the kernels if no process on this machine has.

    Parameters
    ----------
    say : callable, optional
        Takes a line for the user before half a minute of silence.
    """
    if kernels_compiled():
        return
    if say is not None:
        say("compiling the kernels (once after an install, about half a minute)")
    folder = cache_directory()
    with ExitStack() as stack:
        if folder is not None:
            # Of several processes that begin at once, one compiles and the others wait.
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
    signatures = _signatures()
    for kernel in kernels:
        kernel.compile(signatures[kernel.__name__])


def _signatures() -> dict[str, tuple[Any, ...]]:
    """Give the argument types with which the simulation calls its four largest kernels."""

    def record(records: np.recarray) -> Any:
        return _typeof(records).dtype

    # Types do not depend on the scenario.
    model = Model(scenario_from_dict({}))
    inputs, work = model.inputs, model.workspace(model.inputs)
    policy, population = record(inputs.policy), record(inputs.population)
    integer, real = numba.int64, numba.float64
    key, known = _typeof(inputs.key), _typeof(inputs.known)
    field, out = _typeof(work.field), _typeof(work.observations)
    scored, environment = _typeof(work.scored), _typeof(work.environment)
    scratch, behavior = _typeof(work.scratch), _typeof(inputs.behavior)
    observed = _typeof(observed_in(work.observations, 0))
    start = (population, behavior, integer, integer, key, known, field)
    return {
        "enroll": start,
        "observe": (*start, _typeof(work.strip), out),
        "score_cohort": (policy, integer, observed, integer, scored, environment, scratch),
        "record_year": (
            *(policy, real, integer, out, scored, environment, _typeof(work.response)),
            *(integer, integer, integer, _typeof(make_record(1)), scratch),
        ),
    }


if __name__ == "__main__":
    _compile(score_cohort, record_year)
