"""The field of a finished run, and given clinicians who live in each of its draws."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.announcement import YEARS, counted
from asmrisk.analysis.rerun import stored_environments, stored_scenario
from asmrisk.analysis.run_results import RunResults, open_run_results
from asmrisk.engine.progress import Progress
from asmrisk.errors import Call, InputError, Problem
from asmrisk.exposures.changes import Case, changes_of
from asmrisk.numerics.jit import kernels_compiled
from asmrisk.population.roster import Roster
from asmrisk.results.place import storage_at
from asmrisk.rule.arrays import Environment
from asmrisk.rule.definitions import COHORTS
from asmrisk.scenario.declarations import ROSTER
from asmrisk.simulation.model import Model
from asmrisk.simulation.own_changes import Changes, make_room
from asmrisk.simulation.own_luck import OwnOutcomes, live_in_fields, make_outcomes
from asmrisk.simulation.parameter_draws import naming_values

__all__ = [
    "StoredField",
    "begin",
    "check_cohorts",
    "finished_run",
    "live_cases",
    "shown",
    "stored_field",
]

#: Draws of one parameter set that a thread takes at a time.
_AT_ONCE = 64
#: What a run that is needed may be of: a scenario that ships.
_DEFAULT_SCENARIO = "baseline"
#: Clinicians' draws that are done before a bar would tell anything.
_SOON = 2_000_000


@dataclass(frozen=True)
class StoredField:
    """A finished run as what given clinicians are ranked against.

    Attributes
    ----------
    model : Model
        The run's scenario with the given clinicians, and nobody else.
    environment : Environment
        What clinicians are ranked against, (draws, YEARS, cohorts, ...).
    sets : ndarray of int64, shape (draws,), or None
        Parameter set of each draw; None where nothing is unknown.
    """

    model: Model
    environment: Environment
    sets: NDArray[np.int64] | None

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.environment.edges)

    @property
    def roster(self) -> Roster:
        """The given clinicians."""
        if self.model.roster is None:
            raise AssertionError("a stored field has clinicians")
        return self.model.roster


def stored_field(
    clinicians: str | os.PathLike[str],
    results: str | os.PathLike[str],
    *,
    draws: int | None = None,
) -> StoredField:
    """Read the field of a finished run, and make given clinicians ready to live in it.

    Parameters
    ----------
    clinicians : path
        A roster: what is known of the clinicians (see `asmrisk.population.roster`).
    results : path
        A store that `asmrisk.run` wrote, complete.
    draws : int, optional
        Only its first so many draws.

    Returns
    -------
    StoredField
        What the run's own roster and list of participants made of the field is in it; neither file is needed.

    Raises
    ------
    InputError
        If there is no such store, it is not finished, a study's or computed by other code, or has fewer
        draws; or if the clinicians cannot be read.
    RunError
        If a chunk of the results is damaged.
    """
    run = stored_scenario(results)
    count = run.draws if draws is None else draws
    if not isinstance(count, int | np.integer) or not 0 < count <= run.draws:
        text = f"{results} has {run.draws} draws; give 1 to {run.draws}."
        raise InputError(text, argument="draws")
    roster = {ROSTER.name: str(Path(clinicians).absolute())}
    scenario = replace(run.scenario, values=run.scenario.values.replace(**roster))
    model = Model(scenario, alone=True)
    sets = np.arange(count, dtype=np.int64) // scenario.draws_per_set if scenario.uncertainty else None
    return StoredField(model, stored_environments(results, run.scenario, range(count)), sets)


def finished_run(against: str | os.PathLike[str]) -> RunResults:
    """Open the results of a run, or say which command makes them."""
    storage = storage_at(against)
    if not storage.exists():
        place = str(storage.place)
        make = Call("run", _DEFAULT_SCENARIO, {"out": place})
        text = (f"{place} does not exist; a finished run is needed, such as ", make, " makes.")
        raise InputError(Problem(text))
    return open_run_results(against)


def check_cohorts(run: RunResults, roster: Roster, clinicians: str | os.PathLike[str]) -> None:
    """Check that a run has somebody in the cohorts of a roster, which has somebody; InputError if not."""
    if roster.count == 0:
        text = "has no clinicians; give a row for each"
        raise InputError(text, where=os.fspath(clinicians))
    participants = run.dataset["participants"].sum(("draw", "performance_year")).values
    for cohort, own, number in zip(COHORTS, roster.cohorts, participants, strict=True):
        if own.count and not number:
            text = (
                f"has clinicians of {cohort}, and {run.source} has no field of that cohort to rank them in; "
                "leave them out, or give a run that has it"
            )
            raise InputError(text, where=os.fspath(clinicians), what="cohort")


def begin(*, quiet: bool = False) -> Progress:
    """Make what tells on standard error how far the given clinicians have lived; say if that has to wait."""
    progress = Progress(sys.stderr, quiet=quiet)
    if not kernels_compiled("live_in_fields"):
        progress.say("compiling the kernels of exposure (once after an install, a minute or two)")
    return progress


def shown(progress: Progress, field: StoredField, cases: Sequence[Case]) -> AbstractContextManager[None]:
    """Say what lives in the field and show its draws, while the context lasts, if that takes long enough."""
    lasts = field.sets is not None or field.draws * field.roster.count * (1 + len(cases)) > _SOON
    if lasts:
        who, when = counted(field.roster.count, "clinician"), counted(field.draws, "draw")
        changes = f", as they are and with {counted(len(cases), 'change')}" if cases else ""
        progress.say(f"{who} in {when} of the field, {YEARS}{changes}")
    return progress.shown(field.draws if lasts else 0, 0)


def live_cases(
    field: StoredField,
    cases: Sequence[Case],
    *,
    draws: range | None = None,
    parts: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[OwnOutcomes]:
    """Let the given clinicians live in draws of the field, as they are and in cases.

    Each draw is the same future in all of them, so that they can be compared draw by draw.

    Parameters
    ----------
    field : StoredField
        The field, and the clinicians.
    cases : sequence of Case
        What they do otherwise.
    draws : range, optional
        Consecutive ones; all if not given.
    parts : int
        Of how many draws, the first ones, to keep the parts of their scores.
    workers : int, optional
        Threads; the usable processors if not given.
    progress : Progress, optional
        Counts the draws; `shown` shows them.

    Returns
    -------
    list of OwnOutcomes
        As they are, then of each case: by draw, performance year and clinician, in the roster's order; 200
        bytes each, 480 with parts.

    Raises
    ------
    InputError
        If no population can be calibrated to the values that a parameter set has.
    """
    count, draws = field.roster.count, range(field.draws) if draws is None else draws
    environment = Environment._make(each[draws.start : draws.stop] for each in field.environment)
    outcomes = make_outcomes(1 + len(cases), len(draws), count, parts=parts)
    changes = changes_of(cases, count)
    progress = Progress(None) if progress is None else progress
    workers = workers or len(os.sched_getaffinity(0))
    pieces = list(_pieces(field, draws))

    def simulate(number: int) -> None:
        # Neighboring draws, so that few parameter sets are made ready twice.
        own = pieces[number * len(pieces) // workers : (number + 1) * len(pieces) // workers]
        slot = progress.slot()
        try:
            _simulate(field, own, draws.start, environment, changes, outcomes, slot)
        finally:
            progress.close(slot, int(slot[0]))

    with ThreadPoolExecutor(workers) as pool:
        try:
            for _ in pool.map(simulate, range(workers)):
                pass
        except BaseException:
            progress.stop()
            raise
    return [OwnOutcomes(*(each[case] for each in outcomes)) for case in range(1 + len(cases))]


def _pieces(field: StoredField, draws: range) -> Iterator[range]:
    """Part draws in pieces, each of one parameter set."""
    bounds = [draws.start, draws.stop]
    if field.sets is not None:
        changes = np.flatnonzero(np.diff(field.sets[draws.start : draws.stop])) + 1 + draws.start
        bounds[1:1] = changes.tolist()
    for first, end in pairwise(bounds):
        yield from (range(each, min(each + _AT_ONCE, end)) for each in range(first, end, _AT_ONCE))


def _simulate(
    field: StoredField,
    pieces: Sequence[range],
    start: int,
    environment: Environment,
    changes: Changes,
    outcomes: OwnOutcomes,
    progress: NDArray[np.int64],
) -> None:
    """Simulate pieces of draws whose environments and outcomes begin with draw `start`."""
    model = field.model
    inputs, made = model.inputs, -1
    work, room = model.workspace(inputs), make_room(int(inputs.population.slots.max()))
    for piece in pieces:
        number = 0 if field.sets is None else int(field.sets[piece.start])
        if field.sets is not None and number != made:
            drawn = model.drawn_values(piece.start)
            with naming_values(number, drawn):
                inputs, made = model.inputs_under([model.values_with(drawn)]), number
        first, index = piece.start, piece.start - start
        live_in_fields(inputs, first, index, len(piece), environment, changes, work, room, outcomes, progress)
