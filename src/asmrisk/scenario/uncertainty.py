"""Unknowns, as scenarios (``[uncertainty]``) and studies (``[parameters]``) declare them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from asmrisk.errors import Call, Problem, nearest, unknown
from asmrisk.parameters.parameter import BASES, Parameter, Parameters
from asmrisk.scenario.distributions import (
    BOUNDS,
    CHOICE,
    DISTRIBUTIONS,
    MOST_VALUES,
    SETTINGS,
    Distribution,
    code_of,
    number_problems,
    same_value,
    weight_problem,
)
from asmrisk.scenario.layering import is_year, parts_of
from asmrisk.scenario.toml_source import Keys, show

__all__ = [
    "Problems",
    "Unknown",
    "allowed",
    "find_unknowns",
    "name_problem",
    "number_schema",
    "overlap",
    "read_unknown",
]

#: The keys at which something is wrong, and what.
Problems = list[tuple[Keys, Problem]]

#: Say how much is computed and how, for whom and in which dollars, not what is true of the world.
_OF_THE_RUN = (
    *("run.", "population.roster.", "population.participant_list.", "population.dollar_year."),
    "population.latin_hypercube.",
)

#: Of an unknown as a whole.
_TEXTS = ("basis", "source")
_WITH = "with"

#: Keys by which a declaration is told from a table of declarations.
_SETTINGS = SETTINGS | {_WITH, *_TEXTS}


@dataclass(frozen=True)
class Unknown:
    """One thing that nobody knows: the distribution of a parameter, and of those that are linked to it.

    Attributes
    ----------
    distributions : dict of str to Distribution
        By name: the unknown's own first, then those linked to it, which lie at the same probability; all by
        listed values, as many, or none.
    basis : str
        One of `asmrisk.parameters.parameter.BASES`, or nothing.
    source : str
        Where the distribution comes from, or nothing.

    Examples
    --------
    >>> ranges = {"policy.a": {"low": 0.0, "high": 1.0}, "policy.b": {"low": 4.0, "high": 6.0}}
    >>> uniform = {name: Distribution({"distribution": "uniform", **each}) for name, each in ranges.items()}
    >>> unknown = Unknown(uniform)
    >>> unknown.name, unknown.quantiles(0.25)
    ('policy.a', {'policy.a': 0.25, 'policy.b': 4.5})
    """

    distributions: dict[str, Distribution]
    basis: str = ""
    source: str = ""

    @property
    def name(self) -> str:
        """The parameter, or the part of one, by which it is known."""
        return next(iter(self.distributions))

    @property
    def names(self) -> tuple[str, ...]:
        """Its own name, then those of what is linked to it."""
        return tuple(self.distributions)

    @property
    def own(self) -> Distribution:
        """The distribution of the parameter by which it is known."""
        return next(iter(self.distributions.values()))

    def quantiles(self, probability: float) -> dict[str, Any]:
        """Give the values at a probability in (0, 1), by name."""
        if self.own.listed:
            return self.listed(self.own.place(probability))
        return {name: each.quantile(probability) for name, each in self.distributions.items()}

    def listed(self, place: int) -> dict[str, Any]:
        """Give the values at a place among those listed, by name."""
        return {name: each["values"][place] for name, each in self.distributions.items()}

    def central(self) -> dict[str, Any]:
        """Give the medians, by name; of words and other unordered values those with the largest weight."""
        return self.listed(self.own.central_place()) if self.own.listed else self.quantiles(0.5)

    def code(self, name: str, value: Any) -> float:
        """Give a value as it is stored: a number, or of other values the place among those listed, from 0."""
        return code_of(value, self.distributions[name].get("values", ()))

    def without(self, name: str) -> Unknown:
        """Give the same without one that is linked to it."""
        rest = {each: distribution for each, distribution in self.distributions.items() if each != name}
        return Unknown(rest, self.basis, self.source)

    def definition(self) -> dict[str, Any]:
        """Give what decides its values, as a scenario writes it: without basis and source."""
        linked = {name: dict(each) for name, each in self.distributions.items() if name != self.name}
        return dict(self.own) | ({_WITH: linked} if linked else {})

    def to_dict(self) -> dict[str, Any]:
        """Give it as a scenario writes it."""
        texts = {key: getattr(self, key) for key in _TEXTS if getattr(self, key)}
        return self.definition() | texts


# --- Names --------------------------------------------------------------------------------------------------


def find_unknowns(section: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, str, Any]]:
    """Find what is declared in a section, written with quoted or with dotted keys.

    Parameters
    ----------
    section : mapping
        The section as parsed.
    above : tuple of str
        The keys that lead to it, from where names begin.

    Yields
    ------
    tuple
        The keys inside the section, the name they make, and what is given there.
    """
    for key, given in section.items():
        keys = (*above, key)
        name = ".".join(keys)
        settings = isinstance(given, Mapping) and (given.keys() & _SETTINGS or not given)
        if isinstance(given, Mapping) and ("." not in name or not settings):
            yield from find_unknowns(given, keys)
        else:
            yield keys, name, given


def overlap(one: str, other: str) -> bool:
    """Whether two names mean the same value, or one a part of the other, in any year."""
    (parameter, first), (another, second) = parts_of(one), parts_of(other)
    if parameter != another:
        return False
    if first and second and is_year(first[0]) and is_year(second[0]) and first[0] != second[0]:
        return False
    first, second = (keys[1:] if keys and is_year(keys[0]) else keys for keys in (first, second))
    return all(map(operator.eq, first, second))


def name_problem(name: str, parameters: Parameters) -> Problem | None:
    """Say what is wrong with the name of an unknown: a parameter, a year or key of it, or a year and keys."""
    if f"{name}.".startswith(_OF_THE_RUN):
        return Problem("a setting of the run cannot be uncertain or varied")
    parts = name.split(".")
    parameter, keys = parameters.get(".".join(parts[:2])), tuple(parts[2:])
    if parameter is None:
        bare = [each for each in parameters if each.partition(".")[2] == name.partition(".")[0]]
        best = bare[0] if bare else nearest(name, parameters)
        listed = () if best else ("; ", Call("policy"), " lists every parameter")
        return Problem(("unknown parameter", *listed), nearest=best)
    if keys and is_year(keys[0]):
        if not parameter.by_year:
            return Problem(f"{parameter.name} does not vary by year")
        if keys[0] not in map(str, parameter.years):
            years = f"{parameter.years[0]} to {parameter.years[-1]}"
            return Problem(f"{keys[0]} is no year in which it may change", allowed=years)
        keys = keys[1:]
    for depth, key in enumerate(keys):
        fields = {field for each in _schemas(parameter, keys[:depth]) for field in each.get("properties", {})}
        if key not in fields:
            return (
                unknown("key", key, sorted(fields)) if fields else Problem(f"there is no {show(key)} in it")
            )
    return None


def number_schema(parameter: Parameter, keys: Keys = ()) -> Mapping[str, Any] | None:
    """Give the JSON schema of a number with a lowest and a highest value; None if there is no such number.

    `keys` lead to the number inside the parameter: a year where it varies, keys where it is a table.
    """
    inside = keys[1:] if parameter.by_year and keys and is_year(keys[0]) else keys
    for option in _schemas(parameter, inside):
        if option.get("type") in ("number", "integer") and {"minimum", "maximum"} <= option.keys():
            return option
    return None


def _schemas(parameter: Parameter, keys: Keys) -> list[Mapping[str, Any]]:
    """Give the JSON schemas of what may stand at a place inside one year's value."""
    definitions = parameter.schema.get("$defs", {})

    def options(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        one = definitions.get(str(one.get("$ref", "")).rpartition("/")[2], one)
        return [each for option in one["anyOf"] for each in options(option)] if "anyOf" in one else [one]

    found = options(parameter.schema)
    for key in keys:
        found = [each for one in found for each in options(one.get("properties", {}).get(key, {"anyOf": []}))]
    return found


def allowed(parameter: Parameter) -> str:
    """Give a parameter's range, unit and source: ``0 to 0.5 (fraction; 42 CFR § 512.750)``."""
    source = "; ".join(part for part in (parameter.unit, parameter.citation) if part)
    return f"{parameter.allowed} ({source})"


# --- Declarations -------------------------------------------------------------------------------------------


@dataclass
class _Reader:
    """Reads the declaration of one unknown; problems are collected."""

    parameters: Parameters
    fitted: Callable[[str, Any], tuple[Any, Problems]]
    ranges: bool
    problems: Problems = field(default_factory=list)

    def problem(self, keys: Keys, problem: str | Problem) -> None:
        self.problems.append((keys, Problem(problem) if isinstance(problem, str) else problem))

    def unknown(self, name: str, given: Any) -> Unknown | None:
        """Read an unknown and what is linked to it."""
        spec = dict(given) if isinstance(given, Mapping) else given
        linked = spec.pop(_WITH, {}) if isinstance(spec, dict) else {}
        texts = {key: spec.pop(key) for key in _TEXTS if key in spec} if isinstance(spec, dict) else {}
        own = self.distribution((), name, spec)
        self.check_texts(texts)
        if not isinstance(linked, Mapping):
            self.problem((_WITH,), f'{show(linked)} is not allowed; write with = {{"policy.name" = …}}')
            return None
        distributions = {} if own is None else {name: own}
        for keys, other, each in find_unknowns(linked):
            place = (_WITH, *keys)
            if other in distributions:
                self.problem(place, "is given twice")
                continue
            spec = {"values": each} if isinstance(each, list) else each
            companion = self.distribution(place, other, spec)
            if own is not None and companion is not None:
                self.check_companion(place, name, own, companion)
                distributions[other] = companion
        return None if self.problems else Unknown(distributions, **texts)

    def check_texts(self, texts: Mapping[str, Any]) -> None:
        """Check basis and source."""
        basis = texts.get("basis", "assumed")
        if not isinstance(basis, str) or basis not in BASES:
            best = nearest(basis, BASES) if isinstance(basis, str) else None
            problem = Problem(f"{show(basis)} is not allowed", allowed=", ".join(BASES), nearest=best)
            self.problem(("basis",), problem)
        if not isinstance(texts.get("source", ""), str):
            self.problem(("source",), Problem(f"{show(texts['source'])} is not allowed", allowed="text"))

    def check_companion(self, place: Keys, name: str, own: Distribution, other: Distribution) -> None:
        """Check that a linked distribution is given as the unknown's own is."""
        if own.listed != other.listed:
            self.problem(
                place, f"must be given as {name} is: either both by values, or both by distributions"
            )
        elif own.listed and len(own["values"]) != len(other["values"]):
            count = len(other["values"])
            self.problem(place, f"{count} values for the {len(own['values'])} of {name}; give as many")
        elif own.listed and "weights" in other:
            self.problem((*place, "weights"), f"the weights are those of {name}; leave them out")

    def distribution(self, place: Keys, name: str, given: Any) -> Distribution | None:
        """Read the distribution of one name; none if it has a problem."""
        wrong = name_problem(name, self.parameters)
        if wrong is not None:
            self.problem(place, wrong)
            return None
        kind = self.kind(given)
        if kind is None:
            ways = ["values = […]", "median = …, low = …, high = …", 'distribution = "uniform", …']
            ways[1:1] = ["low = …, high = …"] if self.ranges else []
            written = f"{', '.join(f'{{{each}}}' for each in ways[:-1])} or {{{ways[-1]}}}"
            more = ', or "uncertainty" for what the scenario has' if self.ranges and not place else ""
            self.problem(place, f"{show(given)} is no distribution; write {written}{more}")
        elif not isinstance(kind, str) or kind not in DISTRIBUTIONS:
            best = nearest(kind, DISTRIBUTIONS) if isinstance(kind, str) else None
            problem = Problem(f"{show(kind)} is not known", allowed=", ".join(DISTRIBUTIONS), nearest=best)
            self.problem((*place, "distribution"), problem)
        elif kind == CHOICE:
            return self.choice(place, name, given)
        else:
            return self.number(place, name, kind, given)
        return None

    def kind(self, given: Any) -> Any:
        """Tell a distribution by its settings, if it is not named."""
        if not isinstance(given, Mapping):
            return None
        if "distribution" in given:
            return given["distribution"]
        if "values" in given:
            return CHOICE
        if "median" in given:
            return "central_90"
        return "uniform" if self.ranges and given.keys() & {"low", "high"} else None

    def number(self, place: Keys, name: str, kind: str, given: Mapping[str, Any]) -> Distribution | None:
        """Read a distribution of a number."""
        section, key, *below = name.split(".")
        parameter, keys = self.parameters[f"{section}.{key}"], tuple(below)
        number = number_schema(parameter, keys)
        if number is None:
            inside = _numbers_in(parameter, keys)
            text = "is not a number; write {values = […]}" + (", or name one number" if inside else "")
            self.problem(place, Problem(text, allowed=", ".join(inside)))
            return None
        if number["type"] == "integer":
            self.problem(place, "is a whole number; write {values = […]}")
            return None
        span = (float(number["minimum"]), float(number["maximum"]))
        called = "a range" if "distribution" not in given and kind == "uniform" else ""
        found = list(number_problems(kind, given, span, allowed(parameter), called))
        self.problems.extend(((*place, *inner), problem) for inner, problem in found)
        if found:
            return None
        full: dict[str, Any] = {"distribution": kind}
        full |= {key: float(given[key]) for key in (*DISTRIBUTIONS[kind], *BOUNDS) if key in given}
        if "scale" in given:
            full["scale"] = given["scale"]
        if "masses" in given:
            full["masses"] = [
                {key: float(each[key]) for key in ("value", "probability")} for each in given["masses"]
            ]
        return Distribution(full, *span)

    def choice(self, place: Keys, name: str, given: Mapping[str, Any]) -> Distribution | None:
        """Read listed values and their weights."""
        before = len(self.problems)
        for key in given:
            if key not in ("distribution", "values", "weights"):
                self.problem((*place, key), unknown("key", key, ("values", "weights")))
        values = given.get("values")
        if not isinstance(values, list) or not 0 < len(values) <= MOST_VALUES:
            shown = (
                f"{len(values)} values are" if isinstance(values, list) and values else f"{show(values)} is"
            )
            text = f"a list of 1 to {MOST_VALUES} values"
            self.problem((*place, "values"), Problem(f"{shown} not allowed", allowed=text))
            return None
        full = []
        for value in values:
            fitted, found = self.fitted(name, value)
            full.append(fitted)
            self.problems.extend(((*place, "values", *below), problem) for below, problem in found)
        twice = (same_value(a, b) for i, a in enumerate(full) for b in full[:i])
        if len(self.problems) == before and not place and any(twice):
            self.problem((*place, "values"), "a value is listed twice")
        if "weights" in given and (wrong := weight_problem(given["weights"], len(values))):
            self.problem((*place, "weights"), wrong)
        if len(self.problems) > before:
            return None
        weights = {"weights": [float(each) for each in given["weights"]]} if "weights" in given else {}
        return Distribution({"distribution": CHOICE, "values": full} | weights)


def _numbers_in(parameter: Parameter, keys: Keys) -> list[str]:
    year = keys[:1] if keys and is_year(keys[0]) else ()
    fields = {key for each in _schemas(parameter, keys[len(year) :]) for key in each.get("properties", {})}
    inside = [(*keys, key) for key in sorted(fields)]
    return [".".join((parameter.name, *each)) for each in inside if number_schema(parameter, each)]


def read_unknown(
    name: str,
    given: Any,
    parameters: Parameters,
    fitted: Callable[[str, Any], tuple[Any, Problems]],
    *,
    ranges: bool = False,
) -> tuple[Unknown | None, Problems]:
    """Read the declaration of an unknown.

    Parameters
    ----------
    name : str
        A parameter, a year or a key of it, or a year and keys.
    given : Any
        What is declared.
    parameters : Parameters
        The declarations.
    fitted : callable
        Takes a name and a value as a scenario would state it; gives the value, checked, and what is wrong.
    ranges : bool
        Whether ``{low, high}`` alone means a uniform distribution.

    Returns
    -------
    unknown : Unknown or None
        Equal for equal declarations, however they were written; None if there is a problem.
    problems : list of tuple
        The keys inside the declaration, and what is wrong there.
    """
    reader = _Reader(parameters, fitted, ranges)
    found = reader.unknown(name, given)
    return found, reader.problems
