"""The run behind a store: what to simulate to get its draws again, and one draw simulated again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from asmrisk.clinician_tables.table import check_output, replaced, write_clinicians
from asmrisk.errors import InputError
from asmrisk.population.participant_list import ParticipantList, read_participant_list
from asmrisk.population.roster import Roster, read_roster
from asmrisk.results.metadata import read_root
from asmrisk.results.provenance import run_section
from asmrisk.results.reading import readable, require_store
from asmrisk.results.runs import asked_lengths
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.simulation.model import scenario_of_draw
from asmrisk.simulation.replay import replay_draw
from asmrisk.simulation.scenario_simulation import run_code

__all__ = ["StoredRun", "replay", "stored_run"]


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
        The store that ``asmrisk run`` wrote.
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
    with readable(place):
        root, faults = read_root(storage, spec)
        asked = asked_lengths(storage, spec)[0]
    if faults:
        # It may not be the specification by which the draws were computed.
        raise InputError(
            f"{place} is damaged: {faults[0]}. The command that wrote it, given again, repairs it."
        )
    draws = 0 if root is None else root.lengths[0]
    document = dict(spec.about["scenario"]) | spec.definition["scenario"]
    document["run"] = run_section(spec.definition)
    fixed = tuple(spec.definition.get("fixed", ()))
    given = {"roster": roster, "participant_list": participant_list}
    files = {name: _file_of(place, spec.about, name, path) for name, path in given.items()}
    found = {name: str(file.resolve()) for name, file in files.items() if file is not None}
    document["population"] = document["population"] | found
    scenario = replace(scenario_from_dict(document), fixed=fixed)
    if found:
        digests = {f"population.{name}": _READ[name](path, scenario).digest for name, path in found.items()}
        own = spec.definition["scenario"]["population"]
        for name in found:
            if digests[f"population.{name}"] != own[name]:
                raise InputError(
                    f"{files[name]} is not the {_CALLED[name]} of {place}: its content differs from the one "
                    "that was simulated; give the table as it was then.",
                    argument=name,
                )
    return StoredRun(scenario, draws, asked)


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
    draw: int,
    out: str | Path,
    roster: str | Path | None = None,
    participant_list: str | Path | None = None,
) -> Path:
    """Write the clinician table of one draw of a run, exactly as it was simulated, and its scenario.

    The scenario (TOML) has the values that the unknowns took in the draw: `asmrisk.score` gives the table's
    numbers with it.

    Parameters
    ----------
    results : str or path
        A store that `asmrisk run` wrote, complete or not.
    draw : int
        Number of the draw, from 0.
    out : str or path
        Table to write, ``.csv`` or ``.parquet``; replaced if it exists. The scenario stands beside it, with
        the ending ``.scenario.toml`` instead.
    roster : str or path, optional
        The run's roster, if it had one; looked for in the current folder if not given.
    participant_list : str or path, optional
        The same of the run's list of participants.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    InputError
        If `results` is no store, was written by other kernels, or has no such draw; if the run's roster or
        list is not there or not the same; or if `out` has another ending or cannot be written.
    RunError
        If the disk is full.
    """
    run = stored_run(results, roster=roster, participant_list=participant_list)
    # Any draw of the run: one that failed is replayed to find out why.
    if not 0 <= draw < run.asked:
        text = f"{results} has draws 0 to {run.asked - 1}; there is no draw {draw}"
        raise InputError(text, argument="draw")
    out = check_output(out)
    # Neither file is replaced unless both can be: a table is scored with the scenario beside it.
    with replaced(out.with_suffix(".scenario.toml")) as file:
        file.write_text(scenario_of_draw(run.scenario, draw).to_toml(), encoding="utf-8")
        write_clinicians(replay_draw(run.scenario, draw), out)
    return out
