"""The design points as scenarios, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asmrisk.errors import InputError, Problem
from asmrisk.population.preparation import prepare
from asmrisk.scenario.layering import nested
from asmrisk.scenario.scenario import Scenario, scenario_from_sources
from asmrisk.scenario.toml_source import Source, show

__all__ = ["point_problems", "point_scenario"]

#: Problems listed one by one; of ten thousand points a few say enough.
_MOST_PROBLEMS = 5


def point_scenario(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Scenario:
    """Give the scenario of a design point, checked.

    Parameters
    ----------
    base : mapping
        The base scenario as `Scenario.to_dict` gives it.
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
    sources = [Source("", dict(base))]
    for name, value in changes.items():
        keys = tuple(name.split("."))
        sources.append(Source("", nested(keys, value), within_value=len(keys) > 2))
    return scenario_from_sources(sources)


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
    base = scenario.to_dict()
    found: dict[Problem, list[int]] = {}
    for point, values in enumerate(changes):
        try:
            prepare(point_scenario(base, values))
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
