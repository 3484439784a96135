"""The run behind a store: what to simulate to get its draws again, and one draw simulated again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from asmrisk.clinician_tables.table import check_output, replaced, write_clinicians
from asmrisk.errors import InputError
from asmrisk.population.roster import read_roster
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


def stored_run(path: str | os.PathLike[str], *, roster: str | os.PathLike[str] | None = None) -> StoredRun:
    """Read what a store is a run of, for simulating its draws again with the same numbers.

    Parameters
    ----------
    path : str or path-like
        The store that ``asmrisk run`` wrote.
    roster : str or path-like, optional
        The run's roster, if it had one; looked for in the current folder if not given. A store does not hold
        it.

    Raises
    ------
    InputError
        If there is no store, it was computed by other code, whose numbers this one cannot give again, or the
        run's roster is not there or not the same.
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
    if "roster" not in spec.about:
        if roster is not None:
            raise InputError(f"{place} is a run without a roster; leave it out.", argument="roster")
        return StoredRun(replace(scenario_from_dict(document), fixed=fixed), draws, asked)
    name = spec.about["roster"]["file"]
    if roster is None and name != Path(name).name:
        text = f"{place} names the roster {name!r}, which is no plain file name; say where it is."
        raise InputError(text, argument="roster")
    file = Path(name if roster is None else roster)
    if not file.is_file():
        raise InputError(
            f"{place} is a run with the roster {name}, which a store does not hold, and there is no file "
            f"{file}; say where the roster is.",
            argument="roster",
        )
    population = document["population"] | {"roster": str(file.resolve())}
    scenario = replace(scenario_from_dict(document | {"population": population}), fixed=fixed)
    if scenario.definition(read_roster(file).digest) != spec.definition["scenario"]:
        raise InputError(
            f"{file} is not the roster of {place}: its content differs from the one that was simulated; give "
            "the table as it was then.",
            argument="roster",
        )
    return StoredRun(scenario, draws, asked)


def replay(
    results: str | os.PathLike[str], *, draw: int, out: str | Path, roster: str | Path | None = None
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

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    InputError
        If `results` is no store, was written by other kernels, or has no such draw; if the run's roster is
        not there or not the same; or if `out` has another ending or cannot be written.
    RunError
        If the disk is full.
    """
    run = stored_run(results, roster=roster)
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
