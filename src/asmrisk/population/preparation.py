"""From a scenario to its population: solved once, its roster read once, and all that is wrong with them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asmrisk.errors import InputError, Problem, gather
from asmrisk.population.records import population_records
from asmrisk.population.roster import Roster, read_roster
from asmrisk.rule.definitions import COHORTS
from asmrisk.scenario.declarations import ROSTER
from asmrisk.scenario.scenario import Scenario, load_scenario
from asmrisk.scenario.toml_source import parse_override, show

__all__ = ["PreparedScenario", "prepare", "validate"]


@dataclass(frozen=True, eq=False)
class PreparedScenario:
    """A scenario with what its population takes long to make.

    Attributes
    ----------
    scenario : Scenario
        As given.
    population : numpy.recarray of POPULATION_DTYPE, shape (2,)
        Solved for the scenario's values, one record per cohort.
    roster : Roster or None
        The scenario's own clinicians.
    """

    scenario: Scenario
    population: np.recarray
    roster: Roster | None

    def definition(self) -> dict[str, Any]:
        """Give everything that decides the results but the seed, a roster by its content."""
        return self.scenario.definition(None if self.roster is None else self.roster.digest)

    def about(self) -> dict[str, Any]:
        """Say in plain JSON what readers of the results are told beyond what decides them.

        It has ``scenario`` (title, description, reference), its ``file`` (as it was named from the current
        folder, or the bare name), the ``overrides`` that it was loaded with, if any, ``parameters`` (value,
        unit, basis and citation by name), ``uncertainty`` (what is unknown by name, with basis and source)
        and ``roster``, where there is one (file name, digest, clinicians by cohort).
        """
        scenario, roster = self.scenario, self.roster
        declared = scenario.values.parameters
        # How much is asked for is no part of what the numbers are.
        values = {name: value for name, value in scenario.values.items() if name != "run.draws"}
        record: dict[str, Any] = {}
        if roster is not None:
            values["population.roster"] = roster.path.name
            counts = dict(zip(COHORTS, (each.count for each in roster.cohorts), strict=True))
            record["roster"] = {"file": roster.path.name, "sha256": roster.digest, "clinicians": counts}
        record["scenario"] = {name: getattr(scenario, name) for name in ("title", "description", "reference")}
        if scenario.source is not None:
            source = scenario.source
            record["file"] = source.name if source.is_absolute() else source.as_posix()
        if scenario.overrides:
            record["overrides"] = [_without_folder(each) for each in scenario.overrides]
        record["uncertainty"] = {name: each.to_dict() for name, each in scenario.uncertainty.items()}
        record["parameters"] = {
            name: {"value": value}
            | {each: getattr(declared[name], each) for each in ("unit", "basis", "citation")}
            for name, value in values.items()
        }
        # Once through JSON, so that a fresh record and one read from a store compare equal.
        plain: dict[str, Any] = json.loads(json.dumps(record))
        return plain


def _without_folder(override: str) -> str:
    """Give an override; of one that states a roster the file's name alone."""
    section, _, key = ROSTER.name.partition(".")
    stated = parse_override(override).data.get(section, {}).get(key)
    return override if stated is None else f"{ROSTER.name}={show(Path(stated).name)}"


def prepare(scenario: Scenario) -> PreparedScenario:
    """Solve the population of a scenario and read its roster.

    Parameters
    ----------
    scenario : Scenario
        Checked values.

    Returns
    -------
    PreparedScenario
        The solved population and the roster.

    Raises
    ------
    InputError
        If no population goes with the scenario's values, or its roster cannot be read or used: all problems
        of both, at the line of the value stated last.
    """
    problems: list[Problem] = []
    population = roster = None
    try:
        population = population_records(scenario.values)
    except InputError as error:
        problems += [scenario.placed(each) for each in error.problems]
    try:
        roster = None if scenario.roster is None else read_roster(scenario.roster)
    except InputError as error:
        problems += error.problems
    if population is None or problems:
        raise InputError(problems)
    return PreparedScenario(scenario, population, roster)


def validate(*scenarios: str | os.PathLike[str], overrides: Iterable[str] = ()) -> list[Scenario]:
    """Check scenario files without running them.

    Parameters
    ----------
    *scenarios : str or path-like
        The files.
    overrides : iterable of str
        Further values for all of them, as for `asmrisk.load_scenario`.

    Returns
    -------
    list of Scenario
        One for each file.

    Raises
    ------
    InputError
        If any file or its roster cannot be used, or no population goes with its values: the problems of all.
    """
    chosen = tuple(overrides)
    return gather(lambda path: prepare(load_scenario(path, chosen)).scenario, scenarios)
