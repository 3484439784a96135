"""From a scenario to its population: solved once, its files read once, and all that is wrong with them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from asmrisk.errors import InputError, Problem, gather
from asmrisk.population.participant_list import ParticipantList, read_participant_list
from asmrisk.population.records import POPULATION_READS, population_records
from asmrisk.population.roster import Roster, read_roster
from asmrisk.rule.definitions import COHORTS, VINTAGES
from asmrisk.scenario.declarations import FILES, PARAMETERS, PARTICIPANT_LIST, ROSTER
from asmrisk.scenario.library import called
from asmrisk.scenario.scenario import Scenario, ScenarioLike, given_scenario
from asmrisk.scenario.toml_source import parse_override, show

__all__ = ["PreparedScenario", "prepare", "prepared_scenarios", "validate"]


@dataclass(frozen=True, eq=False)
class PreparedScenario:
    """A scenario with what its population takes long to make.

    Attributes
    ----------
    scenario : Scenario
        As given, but that its number of clinicians, their cohorts and the share in small practices are those
        of the list of participants, if it has one.
    population : numpy.recarray of POPULATION_DTYPE, shape (2,)
        Solved for the scenario's values, one record per cohort.
    roster : Roster or None
        The scenario's own clinicians.
    participants : ParticipantList or None
        Who the others are.
    """

    scenario: Scenario
    population: np.recarray
    roster: Roster | None
    participants: ParticipantList | None = None

    @property
    def rule(self) -> str:
        """Which text of the rule the scenario is of."""
        return VINTAGES[self.scenario.values["policy.vintage"]]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the list of participants makes of the field, in sentences."""
        return () if self.participants is None else self.participants.notes()

    def definition(self) -> dict[str, Any]:
        """Give everything that decides the results but the seed, files by their content."""
        return self.scenario.definition(self.digests())

    def digests(self) -> dict[str, str]:
        """Give the digests of its files' contents, by the parameters that name them."""
        return {name: each.digest for name, each in self._files().items()}

    def _files(self) -> dict[str, Roster | ParticipantList]:
        files = {ROSTER.name: self.roster, PARTICIPANT_LIST.name: self.participants}
        return {name: each for name, each in files.items() if each is not None}

    def about(self) -> dict[str, Any]:
        """Say in plain JSON what readers of the results are told beyond what decides them.

        It has ``scenario`` (title, description, reference), which text of the ``rule`` it is of, its ``file``
        (as it was named from the current folder, or the bare name), the ``overrides`` that it was loaded
        with, if any, ``parameters`` (value, unit, basis and citation by name), ``uncertainty`` (what is
        unknown by name, with basis and source) and, where there are such, ``roster`` (file name, digest,
        clinicians by cohort) and ``participant_list`` (file name, digest, profile).
        """
        scenario, roster, participants = self.scenario, self.roster, self.participants
        declared = scenario.values.parameters
        # How much is asked for is no part of what the numbers are.
        values = {name: value for name, value in scenario.values.items() if name != "run.draws"}
        values |= {name: each.path.name for name, each in self._files().items()}
        record: dict[str, Any] = {}
        if roster is not None:
            counts = dict(zip(COHORTS, (each.count for each in roster.cohorts), strict=True))
            record["roster"] = {"file": roster.path.name, "sha256": roster.digest, "clinicians": counts}
        if participants is not None:
            about = {"file": participants.path.name, "sha256": participants.digest}
            record["participant_list"] = about | participants.profile()
        record["scenario"] = {name: getattr(scenario, name) for name in ("title", "description", "reference")}
        record["rule"] = self.rule
        if scenario.source is not None:
            record["file"] = called(scenario.source)
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
    """Give an override; of one that states a file its name alone."""
    data = parse_override(override).data
    for name in (each.name for each in FILES):
        section, _, key = name.partition(".")
        stated = data.get(section, {}).get(key)
        if stated is not None:
            return f"{name}={show(Path(stated).name)}"
    return override


def prepare(scenario: Scenario, others: Collection[PreparedScenario] = ()) -> PreparedScenario:
    """Solve the population of a scenario and read its files.

    Parameters
    ----------
    scenario : Scenario
        Checked values.
    others : collection of PreparedScenario
        From these are taken the population, where the parameters that it depends on have equal values, and
        the list of participants, where it is the same file.

    Returns
    -------
    PreparedScenario
        The solved population, the roster and the list of participants.

    Raises
    ------
    InputError
        If no population goes with the scenario's values, its roster or list cannot be read or used, or the
        scenario states what follows from the list: all problems, at the line of the value stated last.
    """
    problems: list[Problem] = []

    def tried(make: Callable[[Any], Any], given: Any) -> Any:
        """Make something, or note what is wrong; nothing of nothing."""
        try:
            return None if given is None else make(given)
        except InputError as error:
            problems.extend(scenario.placed(each) for each in error.problems)
            return None

    def listed(path: Path) -> ParticipantList:
        lists = {each.path: each for each in (other.participants for other in others) if each is not None}
        return lists[path] if path in lists else read_participant_list(path)

    participants = tried(listed, scenario.participant_list)
    if participants is not None:
        problems += [scenario.placed(each) for each in _contradictions(scenario, participants)]
        scenario = replace(scenario, values=scenario.values.replace(**participants.values()))
    values = scenario.values
    solved = next((each for each in others if values.same(each.scenario.values, POPULATION_READS)), None)
    population = tried(population_records, values) if solved is None else solved.population
    roster = tried(lambda path: read_roster(path, values=values), scenario.roster)
    if problems:
        raise InputError(problems)
    return PreparedScenario(scenario, population, roster, participants)


def _contradictions(scenario: Scenario, participants: ParticipantList) -> list[Problem]:
    """Find what a scenario states, or has doubts of, though it follows from its list of participants."""
    found = []
    for name, listed in participants.values().items():
        unknown = [each for one in scenario.uncertainty.values() for each in one.names]
        doubted = any(f"{each}.".startswith(f"{name}.") for each in unknown)
        if doubted or scenario.values[name] not in (listed, PARAMETERS.defaults()[name]):
            text = (
                f"{name} follows from population.participant_list, {participants.path.name}; state one of "
                "them alone"
            )
            found.append(Problem(text, parameters=(name, PARTICIPANT_LIST.name)))
    return found


def validate(*scenarios: ScenarioLike, overrides: Iterable[str] = ()) -> list[Scenario]:
    """Check scenario files without running them.

    Parameters
    ----------
    *scenarios : path, Scenario or dict
        The files, or scenarios made otherwise.
    overrides : iterable of str
        Further values for all of them, as for `asmrisk.load_scenario`.

    Returns
    -------
    list of Scenario
        One for each.

    Raises
    ------
    InputError
        If any file, its roster or its list of participants cannot be used, or no population goes with its
        values: the problems of all.
    """
    return [each.scenario for each in prepared_scenarios(*scenarios, overrides=overrides)]


def prepared_scenarios(*scenarios: ScenarioLike, overrides: Iterable[str] = ()) -> list[PreparedScenario]:
    """Load and prepare scenarios; arguments and errors as for `validate`."""
    done = deque[PreparedScenario](maxlen=8)

    def prepared(given: ScenarioLike) -> PreparedScenario:
        done.append(prepare(given_scenario(given, "scenarios", overrides), done))
        return done[-1]

    return gather(prepared, scenarios)
