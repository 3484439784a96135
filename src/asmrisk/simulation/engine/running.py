"""Running scenarios: arguments checked, stores opened, completed, and what to say about it."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from asmrisk.errors import InputError, RunError
from asmrisk.results.description import FOLDER
from asmrisk.results.location import Location, location
from asmrisk.simulation.engine.completion import Job, complete, disk_problem
from asmrisk.simulation.engine.executors import Executor, executor
from asmrisk.simulation.engine.interruption import Interrupted, interruptible
from asmrisk.simulation.engine.work import ScenarioSimulation, Simulation, compiled
from asmrisk.simulation.progress import Progress

if TYPE_CHECKING:
    from asmrisk.scenario import Scenario

__all__ = ["run", "run_all", "warmup"]

#: Bytes of a block from which its memory is worth a word.
_LARGE = 2e8


def run(
    scenario: Scenario | str | os.PathLike[str],
    *,
    draws: int | None = None,
    seed: int | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    processes: bool = False,
    scheduler: str | os.PathLike[str] | None = None,
    security: Any = None,
    block_size: int | None = None,
    quiet: bool = False,
    stream: TextIO | None = None,
    simulate: Simulation | None = None,
) -> Location:
    """Simulate a scenario and write the results to a store, or complete or extend one.

    Parameters
    ----------
    scenario : Scenario or path
        What to simulate, or the TOML file that says it.
    draws, seed : int, optional
        Instead of the scenario's ``run.draws`` and ``run.seed``. The first n draws do not depend on `draws`.
    out : path or URL, optional
        The store, a folder or ``s3://bucket/prefix``; ``results/<scenario's file stem>.zarr`` if not given.
        Where it holds draws of the same run, only those that are missing are computed.
    workers : int, optional
        Threads, or with `processes` processes; as many as processors if not given. The results do not depend
        on it.
    processes : bool
        Compute in worker processes of this machine instead of threads. A script that asks for it must be
        guarded by ``if __name__ == "__main__":``, since every worker imports it.
    scheduler : str or path, optional
        Compute on a dask cluster: its scheduler's address or the file that the scheduler wrote. The store
        must lie where all of its workers can write.
    security : distributed.Security, optional
        Certificates for the scheduler; dask's configuration if not given.
    block_size : int, optional
        Draws that are written together, 256 if not given; counts when the store is made. The results do not
        depend on it.
    quiet : bool
        Write nothing but errors.
    stream : file, optional
        Where to show progress; standard error if not given. A bar is shown on a terminal only.
    simulate : Simulation, optional
        For tests: in place of the model.

    Returns
    -------
    pathlib.Path or ObjectUrl
        The store, complete.

    Raises
    ------
    InputError
        If an argument, the scenario or the place cannot be used; nothing is computed.
    RunError
        If a block fails three times, the disk is full, no scheduler answers or it is lost, or another run
        writes to the store; finished blocks are kept.
    Interrupted
        On Ctrl-C or SIGTERM, within seconds; finished blocks are kept.
    """
    _require_counts(draws, seed, workers=workers, block_size=block_size)
    chosen = executor(workers=workers, processes=processes, scheduler=scheduler, security=security)
    resolved = _resolved(scenario, seed)
    place = location(f"results/{_stem(resolved)}.zarr" if out is None else out)
    progress = Progress(sys.stderr if stream is None else stream, quiet=quiet)
    _run([resolved], [place], draws, chosen, block_size, progress, simulate)
    return place


def run_all(
    scenarios: Iterable[Scenario | str | os.PathLike[str]],
    *,
    draws: int | None = None,
    seed: int | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    processes: bool = False,
    scheduler: str | os.PathLike[str] | None = None,
    security: Any = None,
    block_size: int | None = None,
    quiet: bool = False,
    stream: TextIO | None = None,
    simulate: Simulation | None = None,
) -> list[Location]:
    """Run several scenarios on the same workers, one store each.

    Parameters
    ----------
    scenarios : iterable of Scenario or path
        What to simulate; no two of the same name.
    out : path, optional
        Folder of the stores, ``results`` if not given; each is named after its scenario's file.
    draws, seed, workers, processes, scheduler, security, block_size, quiet, stream, simulate
        As for `run`; they hold for all scenarios.

    Returns
    -------
    list of pathlib.Path or ObjectUrl
        The stores, complete, in the order of the scenarios.

    Raises
    ------
    InputError
        As `run`, and if two scenarios would have the same store.
    RunError, Interrupted
        As `run`; complete stores and finished blocks are kept.
    """
    _require_counts(draws, seed, workers=workers, block_size=block_size)
    chosen = executor(workers=workers, processes=processes, scheduler=scheduler, security=security)
    resolved = [_resolved(each, seed) for each in scenarios]
    places = _places(resolved, location("results" if out is None else out))
    progress = Progress(sys.stderr if stream is None else stream, quiet=quiet)
    _run(resolved, places, draws, chosen, block_size, progress, simulate)
    return places


def warmup() -> None:
    """Compile every kernel, so that the next run starts at once; one draw of the baseline does it."""
    from asmrisk.scenario import scenario_from_dict

    compiled(ScenarioSimulation(scenario_from_dict({})), 0)


def _run(
    scenarios: Sequence[Scenario],
    places: Sequence[Location],
    draws: int | None,
    chosen: AbstractContextManager[Executor],
    block_size: int | None,
    progress: Progress,
    simulate: Simulation | None,
) -> None:
    """Open the stores of some scenarios, and complete them."""
    simulations: list[Simulation] = []
    counts = [draws or int(scenario.values["run.draws"]) for scenario in scenarios]
    for scenario, count in zip(scenarios, counts, strict=True):
        if scenario.roster is not None:
            _announce(scenario, count, block_size, progress)
        simulations.append(ScenarioSimulation(scenario) if simulate is None else simulate)
        for note in simulations[-1].notes:
            progress.say(note)
    # What writes takes a while to import: a scenario that cannot be used is refused before.
    from asmrisk.results.store import Store

    nothing = "nothing was computed yet"
    jobs: list[Job] = []
    try:
        with interruptible(), chosen as workforce, ExitStack() as locks:
            for scenario, place, count, simulation in zip(
                scenarios, places, counts, simulations, strict=True
            ):
                try:
                    store = locks.enter_context(Store.writing(place, scenario, count, block_size))
                except OSError as error:
                    raise RunError(f"{disk_problem(error, place)}: {nothing}") from error
                length = store.description.block_length
                if block_size not in (None, length):
                    progress.say(
                        f"{store.root} was made with blocks of {length} draws; a block size of {block_size} "
                        "has no effect"
                    )
                jobs.append(Job(store, simulation))
            complete(jobs, workforce, progress)
    except Interrupted as interruption:
        if len(jobs) < len(scenarios):
            raise Interrupted(interruption.signal, f"interrupted: {nothing}") from None
        raise


def _require_counts(draws: int | None, seed: int | None, **counts: int | None) -> None:
    problems = [
        f"{name} must be a whole number of at least 1, not {value!r}"
        for name, value in {"draws": draws, **counts}.items()
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1)
    ]
    if seed is not None and not 0 <= seed < 2**64:
        problems.append(f"seed must be a whole number from 0 to {2**64 - 1}, not {seed!r}")
    if problems:
        raise InputError(problems)


def _resolved(scenario: Scenario | str | os.PathLike[str], seed: int | None) -> Scenario:
    """Load a scenario if need be, and give it with its seed."""
    if isinstance(scenario, (str, os.PathLike)):
        from asmrisk.scenario import load_scenario

        scenario = load_scenario(scenario)
    if seed is not None:
        scenario = replace(scenario, values=scenario.values.replace(**{"run.seed": seed}))
    return scenario


def _stem(scenario: Scenario) -> str:
    return "scenario" if scenario.source is None else Path(scenario.source).stem


def _places(scenarios: Sequence[Scenario], folder: Location) -> list[Location]:
    """Give every scenario its store in a folder."""
    if isinstance(folder, Path) and (folder / FOLDER).exists():
        raise InputError(
            f"{folder} is a result store; with several scenarios --out names the folder of their stores."
        )
    stems = [_stem(each) for each in scenarios]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise InputError(
            f"two scenarios would be written to {folder / twice[0]}.zarr; run them one by one, with --out."
        )
    return [folder / f"{stem}.zarr" for stem in stems]


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
