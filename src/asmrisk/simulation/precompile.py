"""Compile the kernels in two processes at once.

One process compiles one kernel at a time, but what it compiles is kept on disk for all. While this process
compiles how clinicians live, another one compiles how they are scored and recorded.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numba
import numpy as np

from asmrisk.jit import cache_directory
from asmrisk.rule.cohort import score_cohort
from asmrisk.scenario import scenario_from_dict
from asmrisk.simulation.draw import observed_in
from asmrisk.simulation.model import Model
from asmrisk.simulation.observation import observe
from asmrisk.simulation.participation import enroll
from asmrisk.simulation.record import make_record, record_year

__all__ = ["compile_side_by_side"]

# numba's stubs leave it untyped.
typeof: Any = numba.typeof


def _record(records: np.recarray) -> Any:
    """Give the type of one record of an array."""
    return typeof(records).dtype


def _signatures() -> dict[str, tuple[Any, ...]]:
    """Give the argument types with which the simulation calls its four largest kernels."""
    # Types do not depend on the scenario.
    model = Model(scenario_from_dict({}))
    inputs, work = model.inputs, model.workspace(model.inputs)
    policy, population = _record(inputs.policy), _record(inputs.population)
    integer, real = numba.int64, numba.float64
    key, known = typeof(inputs.key), typeof(inputs.known)
    field, out = typeof(work.field), typeof(work.observations)
    scored, environment = typeof(work.scored), typeof(work.environment)
    scratch, behavior = typeof(work.scratch), typeof(inputs.behavior)
    observed = typeof(observed_in(work.observations, 0))
    record, response = typeof(make_record(1)), typeof(work.response)
    start = (population, behavior, integer, integer, key, known, field)
    return {
        "enroll": start,
        "observe": (*start, typeof(work.strip), out),
        "score_cohort": (policy, integer, observed, integer, scored, environment, scratch),
        "record_year": (
            *(policy, real, integer, out, scored, environment, response),
            *(integer, integer, integer, record, scratch),
        ),
    }


def compile_side_by_side() -> None:
    """Compile the largest kernels, half of them in another process; the rest follows when first called."""
    if cache_directory() is None or (os.cpu_count() or 1) < 2:
        return
    signatures = _signatures()
    command = [sys.executable, "-m", "asmrisk.simulation.precompile"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as beside:
        try:
            kernels: Any = (observe, enroll)
            for kernel in kernels:
                kernel.compile(signatures[kernel.__name__])
            # What it did not manage is compiled here after all.
            beside.wait()
        finally:
            beside.kill()


def _main() -> None:
    signatures = _signatures()
    kernels: Any = (score_cohort, record_year)
    for kernel in kernels:
        kernel.compile(signatures[kernel.__name__])


if __name__ == "__main__":
    _main()
