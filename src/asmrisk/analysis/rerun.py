"""The run behind a store: what to simulate to get its draws again, and one draw simulated again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asmrisk.arguments import NATURAL, PATH, check_arguments, optional
from asmrisk.clinician_tables.columns import table_order
from asmrisk.clinician_tables.table import check_output, replaced, write_clinicians
from asmrisk.errors import InputError
from asmrisk.population.participant_list import ParticipantList, read_participant_list
from asmrisk.population.roster import Roster, read_roster
from asmrisk.results.metadata import read_root
from asmrisk.results.place import Place, usable
from asmrisk.results.provenance import definition_of
from asmrisk.results.reading import open_results, require_store
from asmrisk.results.runs import asked_lengths
from asmrisk.results.spec import StoreSpec
from asmrisk.rule.arrays import Environment
from asmrisk.rule.definitions import YEARS
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.simulation.environments import environment_of
from asmrisk.simulation.model import Model, scenario_of_draw
from asmrisk.simulation.replay import replay_draws
from asmrisk.simulation.scenario_simulation import run_code

__all__ = ["StoredRun", "replay", "stored_environments", "stored_run", "stored_scenario"]

#: Clinician-years in a table of several draws, at most: with what making it takes, 3 GB.
_MOST_ROWS = 2_000_000


class StoredRun(NamedTuple):
    """What a store is a run of."""

    scenario: Scenario  #: resolved; ``run.seed`` is the seed used
    draws: int  #: draws that a reader sees
    asked: int  #: draws that were asked for, at the most; some may not be finished


def stored_run(
    path: str | os.PathLike[str],
    *,
    roster: str | os.PathLike[str] | None = None,
    participant_list: str | os.PathLike[str] | None = None,
) -> StoredRun:
    """Read what a store is a run of, for simulating its draws again with the same numbers.

    Parameters
    ----------
    path : str or path-like
        The store that `asmrisk.run` wrote.
    roster : str or path-like, optional
        The run's roster, if it had one; looked for in the current folder if not given. A store does not hold
        it.
    participant_list : str or path-like, optional
        The same of the run's list of participants.

    Raises
    ------
    InputError
        If there is no store, it was computed by other code, whose numbers this one cannot give again, or the
        run's roster or list is not there or not the same.
    """
    run, spec, place = _stored(path)
    given = {"roster": roster, "participant_list": participant_list}
    files = {name: _file_of(place, spec.about, name, file) for name, file in given.items()}
    found = {name: str(file.resolve()) for name, file in files.items() if file is not None}
    if not found:
        return run
    scenario = _scenario(spec, found)
    for name, file in found.items():
        if _READ[name](file, scenario).digest != spec.definition["scenario"]["population"][name]:
            raise InputError(
                f"{files[name]} is not the {_CALLED[name]} of {place}: its content differs from the one "
                "that was simulated; give the table as it was then.",
                argument=name,
            )
    return run._replace(scenario=scenario)


def stored_scenario(path: str | os.PathLike[str]) -> StoredRun:
    """Read what a store is a run of as `stored_run` does, but for the files that its field was made of.

    Its scenario is without roster and list of participants: what they made is in the store.
    """
    return _stored(path)[0]


def stored_environments(path: str | os.PathLike[str], scenario: Scenario, draws: range) -> Environment:
    """Read what the clinicians of draws of a finished run were ranked against, for scoring others within it.

    The scenario is that of the run; arrays are of shape (draws, YEARS, cohorts, …), as `environment_of` gives
    them: 10,000 draws take 180 MB where the cohort is one peer group. InputError and RunError as of
    `asmrisk.open_results`.
    """
    group = open_results(path, group="environment", chunked=False)
    group = group.isel(draw=slice(draws.start, draws.stop, draws.step))
    return environment_of({str(name): each.values for name, each in group.data_vars.items()}, scenario)


def _stored(path: str | os.PathLike[str]) -> tuple[StoredRun, StoreSpec, Place]:
    """Read what a store is a run of, without the files that it does not hold."""
    storage, spec = require_store(path)
    place = storage.place
    if spec.growing != ("draw",):
        raise InputError(f"{place} holds a study by {spec.noun}, not the draws of one run.")
    code = run_code()
    if spec.definition["code"] != code:
        raise InputError(
            f"{place} was computed by other code ({spec.definition['code'][:12]} there, {code[:12]} here), "
            "whose numbers may differ. Use the version that wrote it, or run the scenario anew to another "
            "place."
        )
    with usable(place):
        root, faults = read_root(storage, spec)
        asked = asked_lengths(storage, spec)[0]
    if faults:
        # It may not be the specification by which the draws were computed.
        raise InputError(f"{place} is damaged: {faults[0]}. To run it again in the same way repairs it.")
    draws = 0 if root is None else root.lengths[0]
    return StoredRun(_scenario(spec, {}), draws, asked), spec, place


def _scenario(spec: StoreSpec, files: Mapping[str, str]) -> Scenario:
    """Give the scenario of a store, with its files where they are."""
    fixed = tuple(spec.definition.get("fixed", ()))
    found = scenario_from_dict(definition_of(spec, files))
    return replace(found, title=spec.headings["title"], fixed=fixed)


#: By the argument that says where a run's file is: what it is called, and how it is read.
_CALLED = {"roster": "roster", "participant_list": "list of participants"}
_READ: dict[str, Callable[[str, Scenario], Roster | ParticipantList]] = {
    "roster": lambda path, scenario: read_roster(path, values=scenario.values),
    "participant_list": lambda path, _: read_participant_list(path),
}


def _file_of(
    place: object, about: Mapping[str, Any], name: str, given: str | os.PathLike[str] | None
) -> Path | None:
    """Find a file that a run has; None if it has none of the kind."""
    called = _CALLED[name]
    if name not in about:
        if given is not None:
            raise InputError(f"{place} is a run without a {called}; leave it out.", argument=name)
        return None
    own = about[name]["file"]
    if given is None and own != Path(own).name:
        text = f"{place} names the {called} {own!r}, which is no plain file name; say where it is."
        raise InputError(text, argument=name)
    file = Path(own if given is None else given)
    if not file.is_file():
        raise InputError(
            f"{place} is a run with the {called} {own}, which a store does not hold, and there is no file "
            f"{file}; say where the {called} is.",
            argument=name,
        )
    return file


def replay(
    results: str | os.PathLike[str],
    *,
    draw: int | None = None,
    draws: Iterable[int] | None = None,
    out: str | Path | None = None,
    roster: str | Path | None = None,
    participant_list: str | Path | None = None,
) -> pd.DataFrame:
    """Simulate draws of a run again: their clinician tables, exactly as they were simulated.

    Parameters
    ----------
    results : str or path
        A store that `asmrisk.run` wrote, complete or not.
    draw : int, optional
        Number of the draw, from 0.
    draws : iterable of int, optional
        Numbers of several draws instead, each once: ``range(10)``. Together at most about 2 million
        clinician-years (1.5 GB), which is 46 draws of the baseline.
    out : str or path, optional
        Where to write the table of a single draw too, ``.csv`` or ``.parquet``; replaced if it exists. Beside
        it, with the ending ``.scenario.toml`` instead, stands the scenario with the values that the unknowns
        took in the draw: `asmrisk.score` gives the table's numbers with it.
    roster : str or path, optional
        The run's roster, if it had one; looked for in the current folder if not given.
    participant_list : str or path, optional
        The same of the run's list of participants.

    Returns
    -------
    pandas.DataFrame
        One row for each measured clinician and performance year, by year, cohort and slot: what was observed
        and what the rule made of it. Of `draws` one below the other, with a first column ``draw`` (int64).

    Raises
    ------
    InputError
        If `results` is no store, was written by other kernels, or has no such draw; if not one of `draw` and
        `draws` is given, or too many draws; if the run's roster or list is not there or not the same; or if
        `out` is not for one draw, has another ending or cannot be written.
    RunError
        If the disk is full.
    """
    check_arguments(
        results=(PATH, results),
        draw=(optional(NATURAL), draw),
        out=(optional(PATH), out),
        roster=(optional(PATH), roster),
        participant_list=(optional(PATH), participant_list),
    )
    run = stored_run(results, roster=roster, participant_list=participant_list)
    if (draw is None) == (draws is None):
        raise InputError("give one of draw, a number, and draws, several.", argument="draw")
    if draws is not None and out is not None:
        raise InputError("is for one draw, whose scenario stands beside it; give draw.", argument="out")
    # Any draw of the run: one that failed is replayed to find out why.
    name, given = ("draw", [draw]) if draws is None else ("draws", draws)
    chosen = _checked(name, given, run, results)
    if out is not None:
        out = check_output(out)
    model = Model(run.scenario)
    if draws is not None:
        return _one_below_the_other(model, chosen)
    table = next(replay_draws(model, chosen))
    if out is not None:
        # Neither file is replaced unless both can be: a table is scored with the scenario beside it.
        with replaced(out.with_suffix(".scenario.toml")) as file:
            file.write_text(scenario_of_draw(run.scenario, chosen[0]).to_toml(), encoding="utf-8")
            write_clinicians(table, out)
    return table


def _checked(
    argument: str, draws: Iterable[Any], run: StoredRun, results: str | os.PathLike[str]
) -> list[int]:
    """Check numbers of draws, each of which may be there once."""
    try:
        # Of more than the run has, one is there twice or is not the run's.
        chosen = list(islice(draws, run.asked + 1))
    except TypeError:
        raise InputError(
            f"must be several numbers, as range(10), not {draws!r}.", argument=argument
        ) from None
    for each in chosen:
        if isinstance(each, bool) or not isinstance(each, int | np.integer):
            raise InputError(f"must be whole, not {each!r}.", argument=argument)
        if not 0 <= each < run.asked:
            text = f"{results} has draws 0 to {run.asked - 1}; there is no draw {each}"
            raise InputError(text, argument=argument)
    if not chosen or len(set(chosen)) < len(chosen):
        raise InputError("must be one or more, each given once.", argument=argument)
    return [int(each) for each in chosen]


def _one_below_the_other(model: Model, draws: Sequence[int]) -> pd.DataFrame:
    """Simulate draws, and give one table of them."""
    per_draw = int(model.scenario.values["population.clinicians"]) * YEARS
    most = max(1, _MOST_ROWS // per_draw)
    if len(draws) > most:
        raise InputError(
            f"{len(draws):,} draws have about {len(draws) * per_draw:,} clinician-years, more than "
            f"{_MOST_ROWS:,} in one table; give at most {most} at a time.",
            argument="draws",
        )
    tables = list(replay_draws(model, draws))
    for draw, each in zip(draws, tables, strict=True):
        each.insert(0, "draw", draw)
    table = pd.concat(tables, ignore_index=True)
    # A measure may be in the set of some draws alone.
    return table.reindex(columns=["draw", *table_order(table.columns[1:])])
