"""How scenario files lie over each other: merged and checked key by key, with every problem collected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from asmrisk.errors import Call, Problem, nearest, unknown
from asmrisk.parameters.parameter import Parameter, Parameters, Values
from asmrisk.scenario.toml_source import OVERRIDES, Keys, Source, show
from asmrisk.scenario.uncertainty import (
    Distribution,
    allowed,
    distribution_of,
    distribution_problems,
    find_distributions,
)

__all__ = ["TEXT_KEYS", "ScenarioBuilder", "placed"]

#: Texts for people, in a scenario and in a study.
TEXT_KEYS = ("title", "description", "reference")
_UNCERTAINTY = "uncertainty"

_Problems = list[tuple[Keys, Problem]]


class ScenarioBuilder:
    """Values that grow by one document after the other, over the declared defaults.

    Parameters
    ----------
    parameters : Parameters
        The declarations.

    Attributes
    ----------
    problems : list of Problem
        Everything that could not be used; such values are left as they were.
    notes : list of str
        Keys that have a new name.
    texts : dict of str to str
        Title, description and reference of the last file: they describe a file and are not inherited.
    uncertainty : dict of str to Distribution
        What is uncertain, by name.
    stated : dict of str to Source
        By name of a parameter where it is stated, the one stated last at the end.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.texts: dict[str, str] = {}
        self.uncertainty: dict[str, Distribution] = {}
        self.stated: dict[str, Source] = {}
        self._values = dict(parameters.defaults())
        # The years in which each year-varying value is stated, for an override of one year.
        self._years = {name: _years_of(each.default) or each.years[:1] for name, each in parameters.items()}
        self._sections = tuple(dict.fromkeys(name.partition(".")[0] for name in parameters))
        self._renamed = {each.formerly: name for name, each in parameters.items() if each.formerly}
        self._rejected: set[str] = set()

    def values(self) -> Values:
        """Give the resolved values of all parameters."""
        return Values(self._values, self.parameters)

    def add(self, source: Source) -> None:
        """Lay a document over what is there.

        Parameters
        ----------
        source : Source
            The document; whatever is wrong with it is added to the problems.
        """
        is_override = source.argument == OVERRIDES
        if not is_override:
            self.texts = {}
        for key, given in source.data.items():
            if key in TEXT_KEYS:
                if isinstance(given, str):
                    self.texts[key] = given
                else:
                    self._problem(
                        source, (key,), Problem(f"{show(given)} is not allowed", allowed="text in quotes")
                    )
            elif key == "extends":
                if is_override:
                    self._problem(source, (key,), "belongs in a scenario file, not in an override")
            elif key not in (*self._sections, _UNCERTAINTY):
                self._problem(source, (key,), self._unknown_top(key, given))
            elif not isinstance(given, Mapping):
                self._problem(source, (key,), f"must be a section; write [{key}] on a line of its own")
            elif key != _UNCERTAINTY:
                for name, value in given.items():
                    self._add_value(source, (key, name), value)
        # Last: a value in the same document must not drop its own distribution.
        uncertain = source.data.get(_UNCERTAINTY)
        if isinstance(uncertain, Mapping):
            self._add_uncertainty(source, uncertain)

    def reject(self, problem: Problem) -> None:
        """Add a problem between parameters, unless one of them was rejected already."""
        if not self._rejected.intersection(problem.parameters):
            self.problems.append(placed(problem, self.stated))
            self._rejected.update(problem.parameters)

    def _problem(self, source: Source, keys: Keys, problem: str | Problem, label: str | None = None) -> None:
        self.problems.append(source.problem(keys, problem, label))

    def _unknown_top(self, key: str, given: Any) -> str | Problem:
        sections = (*self._sections, _UNCERTAINTY)
        kind = "section" if isinstance(given, Mapping) else "key"
        homes = [name.partition(".")[0] for name in self.parameters if name.partition(".")[2] == key]
        if homes:
            return f"unknown {kind}; write it under [{homes[0]}]"
        best = nearest(key, sections if kind == "section" else (*TEXT_KEYS, "extends", *sections))
        keys = f"{', '.join((*TEXT_KEYS, 'extends'))} and the sections {', '.join(sections)}"
        return Problem(f"unknown {kind}", allowed="" if best else keys, nearest=best)

    def _add_value(self, source: Source, keys: Keys, given: Any) -> None:
        name = ".".join(keys)
        if name in self._renamed:
            name = self._renamed[name]
            note = source.problem(keys, f"is now called {name}; write it so.")
            self.notes.append(str(replace(note, argument="")))
        if name not in self.parameters:
            self._problem(source, keys, self._unknown(*keys))
            return
        parameter = self.parameters[name]
        if parameter.by_year:
            value, years, problems = self._by_year(parameter, given, source.within_value)
        else:
            value, problems = _fit(parameter, given, self._values[name])
            years = ()
        for below, problem in problems:
            year = next((f" ({key})" for key in below if _is_year(key)), "")
            label = ".".join((*keys, *(key for key in below if not _is_year(key)))) + year
            self._problem(source, (*keys, *below), problem, label)
        if problems:
            self._rejected.add(name)
            return
        self._values[name], self._years[name] = value, years
        self.stated.pop(name, None)
        self.stated[name] = source
        # A value that is stated is meant: a distribution from a file below no longer holds.
        for uncertain in list(self.uncertainty):
            if f"{uncertain}.".startswith(f"{name}.") and _states(given, uncertain[len(name) + 1 :]):
                del self.uncertainty[uncertain]

    def _unknown(self, section: str, key: str) -> Problem:
        elsewhere = [name for name in self.parameters if name.partition(".")[2] == key]
        names = [name.partition(".")[2] for name in self.parameters if name.startswith(f"{section}.")]
        best = nearest(key, names)
        if not elsewhere and best is None:
            return Problem(("unknown key; ", Call("policy"), " lists every parameter"))
        return Problem("unknown key", nearest=elsewhere[0] if elsewhere else f"{section}.{best}")

    def _by_year(
        self, parameter: Parameter, given: Any, within_value: bool
    ) -> tuple[dict[int, Any], tuple[int, ...], _Problems]:
        """Give the value in each year, the years in which it is stated, and what is wrong with it."""
        held, first = self._values[parameter.name], parameter.years[0]
        if not _years_of(given):
            value, problems = _fit(parameter, given, held[first])
            years = {first: _part(value, given)}
        else:
            problems, years = [], {}
            for key, each in given.items():
                if key not in map(str, parameter.years):
                    text = f"{show(key)} is no year of the calendar"
                    problem = Problem(text, allowed=f"{first} to {parameter.years[-1]}")
                    problems.append(((key,) if _is_year(key) else (), problem))
                    continue
                value, misfits = _fit(parameter, each, held[int(key)])
                years[int(key)] = _part(value, each)
                problems.extend(((key, *below), problem) for below, problem in misfits)
            if within_value:
                years = {year: held[year] for year in self._years[parameter.name]} | years
            elif first not in years and not problems:
                text = f"year {first} is missing; give the value that holds before the others"
                problems.append(((), Problem(text)))
        years = dict(sorted(years.items()))
        return ({} if problems else _spread(held, years)), tuple(years), problems

    def _add_uncertainty(self, source: Source, section: Mapping[str, Any]) -> None:
        seen: set[str] = set()
        for keys, name, given in find_distributions(section):
            label = f"{_UNCERTAINTY}.{name}"
            problems = list(distribution_problems(name, given, self.parameters))
            if name in seen:
                problems.append(((), Problem("is given twice")))
            seen.add(name)
            for below, problem in problems:
                self._problem(source, (_UNCERTAINTY, *keys, *below), problem, ".".join((label, *below)))
            if not problems:
                self.uncertainty[name] = distribution_of(name, given, self.parameters)
        for name in seen & self.uncertainty.keys():
            wider = next((each for each in self.uncertainty if name.startswith(f"{each}.")), None)
            if wider is not None:
                self._problem(
                    source, (_UNCERTAINTY, name), f"is part of {wider}, which is uncertain as a whole"
                )


def placed(problem: Problem, stated: Mapping[str, Source]) -> Problem:
    """Give a problem between parameters the place of the one that is stated last."""
    name = next((each for each in reversed(list(stated)) if each in problem.parameters), None)
    if name is None:
        return problem
    return stated[name].problem(tuple(name.split(".", 1)), problem, "")


def _years_of(given: Any) -> tuple[int, ...]:
    """Give the years of a by-year table; none if it is something else."""
    if not isinstance(given, Mapping):
        return ()
    return tuple(int(key) for key in given if _is_year(str(key)))


def _is_year(key: str) -> bool:
    return re.fullmatch("[0-9]{1,9}", key) is not None


def _merge(base: Any, over: Any) -> Any:
    """Lay tables over each other key by key; anything else replaces."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **{key: _merge(base.get(key), each) for key, each in over.items()}}
    return over


def _part(checked: Any, given: Any) -> Any:
    """Give of a checked value what was stated of it."""
    if isinstance(checked, Mapping) and isinstance(given, Mapping):
        return {key: _part(checked[key], each) for key, each in given.items()}
    return checked


def _spread(held: Mapping[int, Any], years: Mapping[int, Any]) -> dict[int, Any]:
    """Let each stated value hold until changed; what a table leaves out stays as it was in each year."""
    spread: dict[int, Any] = {}
    overlay: Any = None
    for year, value in held.items():
        if year in years:
            overlay = _merge(overlay, years[year])
        spread[year] = _merge(value, overlay)
    return spread


def _states(given: Any, below: str) -> bool:
    """Whether a stated value includes the number that `below` names inside it."""
    for key in below.split(".") if below else ():
        if not isinstance(given, Mapping) or _years_of(given):
            return True
        if key not in given:
            return False
        given = given[key]
    return True


def _fit(parameter: Parameter, given: Any, held: Any) -> tuple[Any, _Problems]:
    """Lay what is given over one year's value and check it; for each problem the keys inside the value."""
    value = _merge(held, given)
    try:
        return parameter.check(value), []
    except (ValidationError, OverflowError) as error:
        errors: list[Any] = error.errors(include_url=False) if isinstance(error, ValidationError) else []
    if not parameter.by_year and _years_of(given):
        return None, [((), Problem("does not vary by year; give one value"))]
    found: dict[Keys, Problem] = {}
    for each in errors or [{"loc": (), "type": ""}]:
        keys, wrong = _locate(value, each["loc"])
        if each["type"] == "extra_forbidden":
            problem = unknown("key", keys[-1], held)
        else:
            best = nearest(wrong, parameter.words(keys)) if isinstance(wrong, str) else None
            problem = Problem(f"{show(wrong)} is not allowed", allowed=allowed(parameter), nearest=best)
        found.setdefault(keys, problem)
    return None, list(found.items())


def _locate(value: Any, location: tuple[int | str, ...]) -> tuple[Keys, Any]:
    """Follow pydantic's location as far as it leads into the value; the rest names parts of its type."""
    keys: list[str] = []
    for part in location:
        if isinstance(value, Mapping) and part in value:
            keys.append(str(part))
        elif not (isinstance(value, list) and isinstance(part, int)):
            break
        value = value[part]
    return tuple(keys), value
