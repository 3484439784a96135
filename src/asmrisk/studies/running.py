"""Running a study: its store, what is missing of it, and the analysis."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from asmrisk.errors import InputError
from asmrisk.studies.study import Study, load_study

if TYPE_CHECKING:
    from asmrisk.engine.fill import Job
    from asmrisk.results.spec import StoreSpec
    from asmrisk.results.storage import Place
    from asmrisk.studies.report import Sensitivity

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

    Returns
    -------
    Sensitivity
        Effects or indices of every parameter on every outcome, with errors and verdicts.

    Raises
    ------
    InputError
        If the study, a design point or the place cannot be used; nothing is computed.
    RunError
        If a design point fails or the disk is full; finished blocks are kept.
    Interrupted
        On Ctrl-C or SIGTERM, within seconds; finished blocks are kept.
    """
    if not isinstance(study, Study):
        study = load_study(study, draws=draws, seed=seed, samples=samples, trajectories=trajectories)
    elif any(each is not None for each in (draws, seed, samples, trajectories)):
        raise InputError(
            "draws, seed and the size of the design are those of the study; load it with others."
        )
    stem = "study" if study.source is None else study.source.stem
    from asmrisk.engine.executors import executor
    from asmrisk.engine.fill import fill
    from asmrisk.engine.progress import Progress
    from asmrisk.results.reading import open_results
    from asmrisk.results.storage import place_of

    place = place_of(f"results/{stem}.zarr" if out is None else out)
    chosen = executor(workers=workers, processes=processes, scheduler=scheduler, security=security)
    fill([study_job(study, place)], chosen, Progress(sys.stderr if stream is None else stream, quiet=quiet))

    from asmrisk.studies.report import analyze

    # The store may hold more than this study asks for.
    held = open_results(place, chunked=False).isel(design_point=slice(study.points), draw=slice(study.draws))
    return analyze(study, held, source=str(place))


def study_job(study: Study, place: Place) -> Job:
    """Declare what computes and holds a study.

    Parameters
    ----------
    study : Study
        The study.
    place : path or URL
        Of its store: outcomes by design point, draw and outcome; values by design point and parameter. It can
        grow along design points and draws; a block has one design point.

    Returns
    -------
    Job
        For `asmrisk.engine.fill.fill`.
    """
    from asmrisk.engine.fill import Job
    from asmrisk.numerics.code_identity import code_identity
    from asmrisk.population.preparation import prepare
    from asmrisk.results.provenance import about
    from asmrisk.results.spec import StoreSpec, array_specs, block_length
    from asmrisk.studies.simulation import LEADING, OUTCOMES, VALUES, StudySimulation

    prepared = prepare(study.scenario)
    labels = {
        "outcome": np.array([each.name for each in study.outcomes], dtype=object),
        "parameter": np.array([each.name for each in study.factors], dtype=object),
    }
    growing = (LEADING, "draw")
    arrays, values = array_specs({each.path: each for each in (OUTCOMES, VALUES)}, labels, {}, growing)
    definition = {
        "scenario": prepared.definition(),
        "study": json.loads(json.dumps(study.deciding())),
        "seed": study.scenario.values["run.seed"],
        "code": code_identity("asmrisk.studies.simulation"),
        # One block a design point, where it is not long: so more draws are further blocks.
        "block": {LEADING: 1, "draw": min(study.draws, block_length(study.draws * 8, arrays))},
    }
    # How much is asked for is no part of it: that changes, and what is stored tells it.
    stated = {name: each for name, each in definition["study"].items() if name != "changes"}
    record = about(study.scenario, prepared.roster) | {"study": stated}
    record["scenario"]["title"] = study.title
    spec = StoreSpec(definition, record, arrays)
    simulation = StudySimulation.of(study.enlarged(_points_asked(place, spec)))
    return Job(place, spec, values, (study.points, study.draws), simulation)


def _points_asked(place: Place, spec: StoreSpec) -> int:
    """Count the design points of the study that is there: more draws are computed of all of them."""
    from asmrisk.results.reading import require_store
    from asmrisk.results.store import asked_lengths

    try:
        storage, present = require_store(place)
        return 0 if present.differences(spec) else asked_lengths(storage, present)[0]
    except (InputError, OSError):  # There is none yet, or the run will say what is the matter with it.
        return 0
