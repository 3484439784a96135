"""The design points as scenarios, checked before anything is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from asmrisk.errors import InputError, Problem
from asmrisk.population.preparation import PreparedScenario, prepare
from asmrisk.scenario.layering import nested
from asmrisk.scenario.scenario import Scenario, changed_scenario
from asmrisk.scenario.toml_source import Source, show

__all__ = ["point_problems", "point_scenario", "prepared_point"]

#: Problems listed one by one; of ten thousand points a few say enough.
_MOST_PROBLEMS = 5


def point_scenario(base: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Give the scenario of a design point, checked.

    Parameters
    ----------
    base : Scenario
        The base.
    changes : mapping of str to Any
        Values by name, laid over the base one by one; a distribution that the base has for such a number no
        longer holds.

    Returns
    -------
    Scenario
        Equal to the base if every value is the base's own.

    Raises
    ------
    InputError
        If the values cannot be used together.
    """
    sources = []
    for name, value in changes.items():
        keys = tuple(name.split("."))
        sources.append(Source("", nested(keys, value), keys=keys))
    return changed_scenario(base, sources)


def prepared_point(base: PreparedScenario, changes: Mapping[str, Any]) -> PreparedScenario:
    """Give a design point ready for a model; its population is the base's where that is the same."""
    return prepare(point_scenario(base.scenario, changes), [base])


def point_problems(scenario: Scenario, changes: Sequence[Mapping[str, Any]], source: Source) -> list[Problem]:
    """Check every design point against ranges and the rules between parameters.

    Parameters
    ----------
    scenario : Scenario
        The base.
    changes : sequence of mapping
        What each point sets.
    source : Source
        The study's file, for messages.

    Returns
    -------
    list of Problem
        Each names the first design point that has it and how many do.
    """
    found: dict[Problem, list[int]] = {}
    done = deque[PreparedScenario](maxlen=8)
    for point, values in enumerate(changes):
        try:
            done.append(prepare(point_scenario(scenario, values), done))
        except InputError as error:
            for problem in error.problems:
                found.setdefault(problem, []).append(point)
    said = []
    for problem, points in list(found.items())[:_MOST_PROBLEMS]:
        first = points[0]
        stated = ", ".join(f"{name} = {show(value)}" for name, value in changes[first].items())
        more = f" (so do {len(points) - 1} more)" if len(points) > 1 else ""
        said.append(
            source.problem((), f"design point {first}, {stated}, cannot be used{more}: {problem}", "")
        )
    if len(found) > _MOST_PROBLEMS:
        said.append(
            source.problem((), f"and {len(found) - _MOST_PROBLEMS} further problems of design points", "")
        )
    return said
