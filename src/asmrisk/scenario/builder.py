"""How scenario files lie over each other: merged and checked key by key, with every problem collected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from asmrisk.errors import Call, Problem, nearest, unknown
from asmrisk.parameters.parameter import Parameter, Values
from asmrisk.scenario.correlation import Correlation
from asmrisk.scenario.layering import is_year, merged, nested, spread, stated_part, years_of, years_of_change
from asmrisk.scenario.toml_source import OVERRIDES, Keys, Source, show
from asmrisk.scenario.uncertainty import Problems, Unknown, allowed
from asmrisk.scenario.uncertainty_section import UncertaintySection

__all__ = ["TEXT_KEYS", "ScenarioBuilder", "placed"]

#: Texts for people, in a scenario and in a study.
TEXT_KEYS = ("title", "description", "reference")
_UNCERTAINTY = "uncertainty"


class ScenarioBuilder:
    """Values over which one document after the other is laid.

    Parameters
    ----------
    base : Values
        Resolved: the declared defaults, or those of a scenario.
    unknowns : mapping of str to Unknown, optional
        What is uncertain of that scenario.
    correlations : iterable of Correlation, optional
        What of it is correlated.

    Attributes
    ----------
    problems : list of Problem
        Everything that could not be used; such values are left as they were.
    notes : list of str
        Keys that have a new name.
    texts : dict of str to str
        Title, description and reference of the last file: they describe a file and are not inherited.
    uncertainty : UncertaintySection
        What is uncertain.
    stated : dict of str to Source
        By name of a parameter which document states it, the one stated last at the end.
    """

    def __init__(
        self,
        base: Values,
        unknowns: Mapping[str, Unknown] = MappingProxyType({}),
        correlations: Iterable[Correlation] = (),
    ) -> None:
        self.parameters = parameters = base.parameters
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.texts: dict[str, str] = {}
        self.uncertainty = UncertaintySection(parameters, self.fitted, unknowns, correlations)
        self.stated: dict[str, Source] = {}
        self._values = dict(base)
        # The years in which a document states a year-varying value, for an override of one year.
        self._years: dict[str, tuple[int, ...]] = {}
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
        if not is_override and not source.within_value:
            self.texts = {}
        for key, given in source.data.items():
            if key in TEXT_KEYS:
                if isinstance(given, str):
                    self.texts[key] = given
                else:
                    self._problem(
                        source,
                        (key,),
                        Problem(
                            f"{show(given)} is not allowed",
                            allowed="text in quotes" if source.text else "text",
                        ),
                    )
            elif key == "extends":
                if is_override:
                    self._problem(source, (key,), "belongs in a scenario file, not in an override")
            elif key not in (*self.parameters.sections, _UNCERTAINTY):
                self._problem(source, (key,), self._unknown_top(source, key, given))
            elif not isinstance(given, Mapping):
                how = f"section; write [{key}] on a line of its own" if source.text else "dict of values"
                self._problem(source, (key,), f"must be a {how}")
            elif key != _UNCERTAINTY:
                for name, value in given.items():
                    self._add_value(source, (key, name), value)
        # Last: a value in the same document must not drop its own distribution.
        uncertain = source.data.get(_UNCERTAINTY)
        section = uncertain if isinstance(uncertain, Mapping) else {}
        self.problems.extend(self.uncertainty.add(source, section))

    def reject(self, problem: Problem) -> None:
        """Add a problem between parameters, unless one of them was rejected already."""
        if not self._rejected.intersection(problem.parameters):
            self.problems.append(placed(problem, self.stated))
            self._rejected.update(problem.parameters)

    def _problem(self, source: Source, keys: Keys, problem: str | Problem, label: str | None = None) -> None:
        self.problems.append(source.problem(keys, problem, label))

    def _unknown_top(self, source: Source, key: str, given: Any) -> str | Problem:
        sections = (*self.parameters.sections, _UNCERTAINTY)
        kind = "section" if isinstance(given, Mapping) else "key"
        homes = [name.partition(".")[0] for name in self.parameters if name.partition(".")[2] == key]
        if homes and source.text:
            return f"unknown {kind}; write it under [{homes[0]}]"
        if homes:
            return Problem(f"unknown {kind}", nearest=f"{homes[0]}.{key}")
        best = nearest(key, sections if kind == "section" else (*TEXT_KEYS, "extends", *sections))
        keys = f"{', '.join((*TEXT_KEYS, 'extends'))} and the sections {', '.join(sections)}"
        return Problem(f"unknown {kind}", allowed="" if best else keys, nearest=best)

    def _add_value(self, source: Source, keys: Keys, given: Any) -> None:
        name = ".".join(keys)
        if name in self.parameters.renamed:
            name = self.parameters.renamed[name]
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
            year = next((f" ({key})" for key in below if is_year(key)), "")
            label = ".".join((*keys, *(key for key in below if not is_year(key)))) + year
            self._problem(source, (*keys, *below), problem, label)
        if problems:
            self._rejected.add(name)
            return
        self._values[name], self._years[name] = value, years
        self.stated.pop(name, None)
        self.stated[name] = source
        # A value that is stated is meant: a distribution from a file below no longer holds.
        self.uncertainty.drop(name, given, source.within_value)

    def fitted(self, name: str, value: Any) -> tuple[Any, Problems]:
        """Check a value of a parameter, or of a part of one, without stating it.

        Parameters
        ----------
        name : str
            A parameter, a year or a key of it, or a year and keys.
        value : Any
            As a scenario would state it there.

        Returns
        -------
        value : Any
            As stated, its numbers of the type of the parameter.
        problems : list of tuple
            The keys inside the value, and what is wrong there.
        """
        section, key, *inside = name.split(".")
        parameter = self.parameters[f"{section}.{key}"]
        held = self._values[parameter.name]
        if parameter.by_year and not inside:
            years, problems = self._years_stated(parameter, value, held, within_value=False)
            found = {str(year): each for year, each in years.items()}
            return (found if years_of(value) else next(iter(years.values()), None)), problems
        if parameter.by_year:
            year = int(inside.pop(0)) if is_year(inside[0]) else parameter.years[0]
            held = held[year]
        given = nested(tuple(inside), value)
        checked, problems = _fit(parameter, given, held)
        part: Any = stated_part(checked, given)
        for each in () if problems else inside:
            part = part[each]
        return part, [(below[len(inside) :], problem) for below, problem in problems]

    def _unknown(self, section: str, key: str) -> Problem:
        elsewhere = [name for name in self.parameters if name.partition(".")[2] == key]
        names = [name.partition(".")[2] for name in self.parameters if name.startswith(f"{section}.")]
        best = nearest(key, names)
        if not elsewhere and best is None:
            return Problem(("unknown key; ", Call("policy"), " lists every parameter"))
        return Problem("unknown key", nearest=elsewhere[0] if elsewhere else f"{section}.{best}")

    def _by_year(
        self, parameter: Parameter, given: Any, within_value: bool
    ) -> tuple[dict[int, Any], tuple[int, ...], Problems]:
        """Give the value in each year, the years in which it is stated, and what is wrong with it."""
        held = self._values[parameter.name]
        years, problems = self._years_stated(parameter, given, held, within_value)
        return ({} if problems else spread(held, years)), tuple(years), problems

    def _years_stated(
        self, parameter: Parameter, given: Any, held: Mapping[int, Any], within_value: bool
    ) -> tuple[dict[int, Any], Problems]:
        """Give what is stated by the year in which it is, ascending, and what is wrong with it."""
        first = parameter.years[0]
        if not years_of(given):
            value, problems = _fit(parameter, given, held[first])
            return {first: stated_part(value, given)}, problems
        problems, years = [], {}
        for key, each in given.items():
            if key not in map(str, parameter.years):
                text = f"{show(key)} is no year in which it may change"
                problem = Problem(text, allowed=f"{first} to {parameter.years[-1]}")
                problems.append(((key,) if is_year(key) else (), problem))
                continue
            value, misfits = _fit(parameter, each, held[int(key)])
            years[int(key)] = stated_part(value, each)
            problems.extend(((key, *below), problem) for below, problem in misfits)
        if within_value:
            before = self._years.get(parameter.name) or years_of_change(held)
            years = {year: held[year] for year in before} | years
        elif first not in years and not problems:
            text = f"year {first} is missing; give the value that holds before the others"
            problems.append(((), Problem(text)))
        return dict(sorted(years.items())), problems


def placed(problem: Problem, stated: Mapping[str, Source]) -> Problem:
    """Give a problem between parameters the place of the one that is stated last."""
    name = next((each for each in reversed(list(stated)) if each in problem.parameters), None)
    if name is None:
        return problem
    return stated[name].problem(tuple(name.split(".", 1)), problem, "")


def _fit(parameter: Parameter, given: Any, held: Any) -> tuple[Any, Problems]:
    """Lay what is given over one year's value and check it; for each problem the keys inside the value."""
    value = merged(held, given)
    try:
        return parameter.check(value), []
    except (ValidationError, OverflowError) as error:
        errors: list[Any] = error.errors(include_url=False) if isinstance(error, ValidationError) else []
    if not parameter.by_year and years_of(given):
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
