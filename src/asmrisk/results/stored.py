"""The run behind a store: what to simulate to get its draws again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from asmrisk.errors import InputError
from asmrisk.jit import kernel_hash
from asmrisk.results.provenance import package_version
from asmrisk.results.store import read_root, require_store
from asmrisk.scenario import NO_ROSTER, Scenario, scenario_from_dict

__all__ = ["StoredRun", "stored_run"]


@dataclass(frozen=True)
class StoredRun:
    """What a store is a run of.

    Attributes
    ----------
    scenario : Scenario
        Resolved; ``run.seed`` is the seed used.
    draws : int
        Draws that a reader sees.
    asked : int
        Draws that the latest run was asked for; some may not be finished.
    """

    scenario: Scenario
    draws: int
    asked: int


def stored_run(path: str | os.PathLike[str], *, roster: str | os.PathLike[str] | None = None) -> StoredRun:
    """Read what a store is a run of, for simulating its draws again with the same numbers.

    Parameters
    ----------
    path : str or path-like
        The store that ``asmrisk run`` wrote.
    roster : str or path-like, optional
        The run's roster, if it had one; looked for in the current folder if not given. A store does not hold
        it.

    Returns
    -------
    StoredRun
        The scenario and the numbers of draws.

    Raises
    ------
    InputError
        If there is no store, it was written by another version or other kernels, whose numbers this version
        cannot give again, or the run's roster is not there or not the same.
    """
    storage, description = require_store(path)
    root = storage.location
    if description.leading != "draw":
        raise InputError(f"{root} holds a study by {description.noun}, not the draws of one run.")
    if description.version != package_version() or description.kernels != kernel_hash():
        raise InputError(
            f"{root} was written by asmrisk {description.version} with kernels {description.kernels}; this "
            f"is asmrisk {package_version()} with kernels {kernel_hash()}, whose numbers may differ. Use the "
            "version that wrote it, or run the scenario anew to another place."
        )
    _, draws = read_root(storage, description)
    asked = max(draws, description.draws)
    definition = description.provenance["scenario"]["definition"]
    name = definition["population"]["roster"]
    if name == NO_ROSTER:
        if roster is not None:
            raise InputError(f"{root} is a run without a roster; leave out --roster.")
        return StoredRun(scenario_from_dict(definition), draws, asked)
    if roster is None and name != Path(name).name:
        raise InputError(
            f"{root} names the roster {name!r}, which is no plain file name; say where with --roster."
        )
    place = Path(name if roster is None else roster)
    if not place.is_file():
        raise InputError(
            f"{root} is a run with the roster {name}, which a store does not hold, and there is no file "
            f"{place}. Say where the roster is with --roster."
        )
    population = definition["population"] | {"roster": str(place.resolve())}
    scenario = scenario_from_dict(definition | {"population": population})
    if scenario.identity() != description.scenario:
        raise InputError(
            f"{place} is not the roster of {root}: its content differs from the one that was simulated. Give "
            "the table as it was then with --roster."
        )
    return StoredRun(scenario, draws, asked)
