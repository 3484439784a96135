"""Running a study: its store, what is missing of it, and the analysis."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from asmrisk.errors import InputError, RunError
from asmrisk.results.description import Description
from asmrisk.study.definition import Study, load_study

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from asmrisk.analysis.sensitivity.report import Sensitivity
    from asmrisk.results.location import Location
    from asmrisk.simulation.engine import Executor, Simulation
    from asmrisk.simulation.progress import Progress

__all__ = ["sensitivity"]


def sensitivity(
    study: Study | str | os.PathLike[str],
    *,
    draws: int | None = None,
    seed: int | None = None,
    samples: int | None = None,
    trajectories: int | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    processes: bool = False,
    scheduler: str | os.PathLike[str] | None = None,
    security: Any = None,
    quiet: bool = False,
    stream: TextIO | None = None,
    simulate: Simulation | None = None,
) -> Sensitivity:
    """Compute what is missing of a study, and say which parameters matter.

    Parameters
    ----------
    study : Study or path
        The study, or the TOML file that says it.
    draws, seed : int, optional
        Draws of each design point and seed instead of the study's; for a file only.
    samples, trajectories : int, optional
        Size of the design instead of the study's; for a file only.
    out : path, optional
        The store; ``results/<study's file stem>.zarr`` if not given. What it holds of the same study is kept:
        more draws, samples (of Sobol) or trajectories can be asked for later.
    workers, processes, scheduler, security
        On what to compute, as for `asmrisk.run`; the results do not depend on it.
    quiet : bool
        Write nothing but errors.
    stream : file, optional
        Where to show progress; standard error if not given.
    simulate : Simulation, optional
        For tests: in place of the model.

    Returns
    -------
    Sensitivity
        Effects or indices of every parameter on every outcome, with errors and verdicts.

    Raises
    ------
    InputError
        If the study, a design point or the place cannot be used; nothing is computed.
    RunError
        If a design point fails, the disk is full, or another run writes to the store; finished design points
        are kept.
    Interrupted
        On Ctrl-C or SIGTERM, within seconds; finished design points are kept.
    """
    if not isinstance(study, Study):
        study = load_study(study, draws=draws, seed=seed, samples=samples, trajectories=trajectories)
    elif any(each is not None for each in (draws, seed, samples, trajectories)):
        raise InputError(
            "draws, seed and the size of the design are those of the study; load it with others."
        )
    stem = "study" if study.source is None else study.source.stem
    from asmrisk.results.location import location

    place = location(f"results/{stem}.zarr" if out is None else out)

    from asmrisk.results import open_results
    from asmrisk.simulation.engine import executor
    from asmrisk.simulation.progress import Progress

    chosen = executor(workers=workers, processes=processes, scheduler=scheduler, security=security)
    progress = Progress(sys.stderr if stream is None else stream, quiet=quiet)
    _compute(study, place, chosen, progress, simulate)

    from asmrisk.analysis.sensitivity.report import analyze

    return analyze(study, open_results(place, chunked=False), source=str(place))


def _compute(
    study: Study,
    place: Location,
    chosen: AbstractContextManager[Executor],
    progress: Progress,
    simulate: Simulation | None,
) -> None:
    """Compute what is missing, in the store or, for more draws, in one that takes its place."""
    if isinstance(place, Path):
        _finish_exchange(place)
    held = _draws_held(place)
    if held in (None, study.draws):
        _complete(study, place, None, chosen, progress, simulate)
        return
    assert held is not None
    if held > study.draws:
        raise InputError(
            f"{place} holds {held} draws of each design point and {study.draws} are asked for: ask for "
            f"{held} with --draws, or give another place with --out."
        )
    if not isinstance(place, Path):
        raise InputError(
            f"{place} holds {held} draws of each design point. More can be added only to a study in a "
            f"folder: ask for {held} with --draws, or give another place with --out."
        )
    _require_same_study(study, place)
    more = study.draws - held
    progress.say(f"{place} holds {held} draws of each design point; computing {more} more of each")
    _complete(study, _growing(place), (str(place), held), chosen, progress, simulate)
    place.rename(_old(place))
    _finish_exchange(place)


def _growing(place: Path) -> Path:
    """Where a store with more draws is made, to take the place of the one that is there."""
    return place.with_name(f".{place.name}.growing")


def _old(place: Path) -> Path:
    return place.with_name(f".{place.name}.old")


def _finish_exchange(place: Path) -> None:
    """Put a store with more draws in its place; also where a study was killed before it had done so."""
    old = _old(place)
    if old.exists():
        if not place.exists():
            _growing(place).rename(place)
        shutil.rmtree(old)


def _draws_held(place: Location) -> int | None:
    """Give the draws of each design point in a study's store; None if there is none."""
    from asmrisk.results.store.storage import storage_at

    description = Description.read(storage_at(place))
    if description is None or "study" not in description.provenance:
        return None
    return int(description.provenance["study"]["draws"])


def _require_same_study(study: Study, place: Path) -> None:
    """Refuse to take draws over from a store of another study, or from one that is not complete."""
    from asmrisk.results import status
    from asmrisk.study.simulation import study_content

    content = study_content(study)
    state = status(place, verify=True)
    if (state.scenario, state.seed, state.kernels) != (content.identity, content.seed, content.kernels):
        raise InputError(
            f"{place} holds another study, seed or version. Nothing was changed; give another place with "
            "--out."
        )
    if not state.complete:
        raise InputError(
            f"{place} is not complete; complete it with its own number of draws, then ask for more."
        )


def _complete(
    study: Study,
    place: Location,
    earlier: tuple[str, int] | None,
    chosen: AbstractContextManager[Executor],
    progress: Progress,
    simulate: Simulation | None,
) -> None:
    from asmrisk.results.store import Store
    from asmrisk.simulation.engine import Interrupted, Job, complete
    from asmrisk.simulation.engine.completion import disk_problem
    from asmrisk.simulation.engine.interruption import interruptible
    from asmrisk.study.simulation import StudySimulation, study_content

    simulation = StudySimulation.of(study, earlier) if simulate is None else simulate
    nothing = "nothing was computed yet"
    begun = False
    try:
        with interruptible(), chosen as workforce, ExitStack() as lock:
            try:
                store = lock.enter_context(Store.holding(place, study_content(study), study.points, 1))
            except OSError as error:
                raise RunError(f"{disk_problem(error, place)}: {nothing}") from error
            begun = True
            complete([Job(store, simulation)], workforce, progress)
    except Interrupted as interruption:
        if not begun:
            raise Interrupted(interruption.signal, f"interrupted: {nothing}") from None
        raise
