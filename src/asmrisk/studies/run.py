"""Running a study: its store, what is missing of it, and the analysis."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TextIO

import numpy as np

from asmrisk.analysis.announcement import YEARS, counted, in_all, size_words
from asmrisk.analysis.jobs import whole_numbers
from asmrisk.analysis.related_runs import CLINICIANS
from asmrisk.analysis.report import Report
from asmrisk.analysis.wording import title_words
from asmrisk.arguments import FLAG, check_arguments, instance
from asmrisk.engine.executors import executor
from asmrisk.engine.fill import Job, fill
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, Problem
from asmrisk.numerics.code_identity import code_identity
from asmrisk.population.preparation import prepare
from asmrisk.results.place import Place, place_of
from asmrisk.results.reading import open_results, require_store
from asmrisk.results.runs import asked_lengths
from asmrisk.results.spec import StoreSpec
from asmrisk.results.store import Store
from asmrisk.simulation.arrays import Block, array_specs, block_length
from asmrisk.studies.report import analyze
from asmrisk.studies.simulation import LEADING, OUTCOMES, VALUES, StudySimulation
from asmrisk.studies.study import Study, load_study

if TYPE_CHECKING:
    from distributed import Client, Security
    from distributed.deploy.cluster import Cluster

__all__ = ["sensitivity"]

_STUDY = instance("a study, or the path of its file", str, os.PathLike, Study)


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
    client: Client | Cluster | None = None,
    security: Security | None = None,
    fixed: bool = False,
    quiet: bool = False,
    stream: TextIO | None = None,
) -> Report:
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
        The store; ``results/<study's file stem>.zarr`` if not given, with `fixed`
        ``results/<stem>_fixed.zarr``. What it holds of the same study is kept: more draws, samples (of Sobol)
        or trajectories can be asked for later.
    workers, processes, scheduler, client, security
        On what to compute, as for `asmrisk.run`; the results do not depend on it.
    fixed : bool
        Set every unknown that the study does not vary to its median (of words to the likeliest): errors then
        hold chance alone. A study says the same by ``fixed = true`` in its section ``[run]``.
    quiet : bool
        Write nothing but errors.
    stream : file, optional
        Where to show progress; standard error if not given.

    Returns
    -------
    Report
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
    draws, samples, trajectories, workers, seed = whole_numbers(
        seed, draws=draws, samples=samples, trajectories=trajectories, workers=workers
    )
    check_arguments(processes=(FLAG, processes), fixed=(FLAG, fixed), quiet=(FLAG, quiet))
    if not isinstance(study, Study):
        check_arguments(study=(_STUDY, study))
        settings = {"samples": samples, "trajectories": trajectories}
        study = load_study(study, draws=draws, seed=seed, fixed=fixed, **settings)
    else:
        given = {"draws": draws, "seed": seed, "samples": samples, "trajectories": trajectories}
        text = "is stated by the study; load it with another."
        if wrong := [Problem(text, argument=name) for name, each in given.items() if each is not None]:
            raise InputError(wrong)
        study = study.fixed_at_medians() if fixed else study
    stem = "study" if study.source is None else study.source.stem
    place = place_of(f"results/{stem}{'_fixed' if fixed else ''}.zarr" if out is None else out, "out")
    chosen = executor(
        workers=workers, processes=processes, scheduler=scheduler, client=client, security=security
    )
    progress = Progress(sys.stderr if stream is None else stream, quiet=quiet)
    fill([study_job(study, place)], chosen, progress, announce=partial(_announced, study))
    # The store may hold more than this study asks for.
    held = open_results(place, chunked=False).isel(design_point=slice(study.points), draw=slice(study.draws))
    return analyze(study, held, source=str(place))


def _announced(
    study: Study, stores: Sequence[Store], left: Sequence[Sequence[Block]], workers: int
) -> Iterator[str]:
    """Say what a study will do."""
    ((points, draws),) = (store.lengths for store in stores)
    more = sum(block.shape[0] * min(block.count, draws - block.first) for block in left[0])
    varied = CLINICIANS in {each.name for each in study.factors}
    of = "" if varied else f" of {int(study.scenario.values[CLINICIANS]):,} clinicians"
    yield (
        f"{title_words(study.title)}: {counted(points, 'design point')}, "
        f"{in_all([more], [points * draws], 'draw')}{of}, {YEARS}, with {counted(workers, 'worker')}; "
        f"at most {size_words(stores)} in {stores[0].place}"
    )


def study_job(study: Study, place: Place) -> Job:
    """Declare what computes and holds a study.

    Its store has outcomes by design point, draw and outcome, and values by design point and parameter. It can
    grow along design points and draws; a block has one design point.
    """
    prepared = prepare(study.scenario)
    labels = {
        "outcome": np.array([each.name for each in study.outcomes], dtype=object),
        "parameter": np.array([each.name for each in study.factors], dtype=object),
    }
    growing = (LEADING, "draw")
    per_set = study.draws_per_set
    # One block a design point, where it is not long: so more draws are further blocks.
    whole_sets = -(-study.draws // per_set) * per_set
    arrays, values = array_specs({each.path: each for each in (OUTCOMES, VALUES)}, labels, {}, growing)
    definition = {
        "scenario": prepared.definition(),
        "study": json.loads(json.dumps(study.definition())),
        "seed": study.scenario.values["run.seed"],
        "code": code_identity("asmrisk.studies.simulation"),
        "block": {LEADING: 1, "draw": min(whole_sets, block_length(study.draws * 8, arrays, per_set))},
        **({"fixed": list(study.scenario.fixed)} if study.scenario.fixed else {}),
    }
    # How much is asked for is no part of it: that changes, and what is stored tells it.
    stated = {name: each for name, each in definition["study"].items() if name != "changes"}
    record = prepared.about() | {"study": stated}
    record["scenario"]["title"] = study.title
    spec = StoreSpec(definition, record, arrays)
    simulation = StudySimulation.of(study.enlarged(_points_asked(place, spec)))
    return Job(place, spec, values, (study.points, study.draws), simulation)


def _points_asked(place: Place, spec: StoreSpec) -> int:
    """Count the design points of the study that is there: more draws are computed of all of them."""
    try:
        storage, present = require_store(place)
        return 0 if present.differences(spec) else asked_lengths(storage, present)[0]
    except (InputError, OSError):  # There is none yet, or the run will say what is the matter with it.
        return 0
