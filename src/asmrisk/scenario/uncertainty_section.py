"""The section ``[uncertainty]`` of scenario files that lie over each other."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

from asmrisk.errors import Problem
from asmrisk.parameters.parameter import Parameters, Values
from asmrisk.rule.policy import GROUPING, RULED, WEIGHTS, inconsistencies
from asmrisk.scenario.correlation import Correlation, contradictions, read_correlations
from asmrisk.scenario.layering import is_year, parts_of, with_values, years_of
from asmrisk.scenario.toml_source import Keys, Source, show
from asmrisk.scenario.uncertainty import Problems, Unknown, find_unknowns, overlap, read_unknown

__all__ = ["CORRELATIONS", "UncertaintySection"]

_SECTION = "uncertainty"

#: The one key of the section that is no name.
CORRELATIONS = "correlations"


class UncertaintySection:
    """Unknowns that grow by one document after the other.

    Parameters
    ----------
    parameters : Parameters
        The declarations.
    fitted : callable
        Checks a value at a name; see `asmrisk.scenario.builder.ScenarioBuilder.fitted`.
    unknowns : mapping of str to Unknown
        Of a scenario to begin with, which has been checked.
    correlations : iterable of Correlation
        Its own.

    Attributes
    ----------
    unknowns : dict of str to Unknown
        By the unknown's name, in the order of the documents.
    """

    def __init__(
        self,
        parameters: Parameters,
        fitted: Callable[[str, Any], tuple[Any, Problems]],
        unknowns: Mapping[str, Unknown],
        correlations: Iterable[Correlation],
    ) -> None:
        self.unknowns = dict(unknowns)
        self._parameters = parameters
        self._fitted = fitted
        nowhere = Source("", {})
        self._places: dict[str, tuple[Source, Keys]] = {
            name: (nowhere, (_SECTION, name)) for name in unknowns
        }
        self._correlations = {each.pair: (each, nowhere) for each in correlations}
        # Those declared, or of a parameter stated, since the beginning: the others need no check.
        self._changed: set[str] = set()

    @property
    def correlations(self) -> tuple[Correlation, ...]:
        """What is correlated, in the order in which it was first said; all between unknowns."""
        return tuple(
            each
            for each, _ in self._correlations.values()
            if each.value != 0.0 and each.pair <= self.unknowns.keys()
        )

    def add(self, source: Source, section: Mapping[str, Any]) -> Iterator[Problem]:
        """Lay a document's section over what is there.

        An unknown replaces those of its names from documents before; a correlation that of the same pair.

        Parameters
        ----------
        source : Source
            The document.
        section : mapping
            Its section.

        Yields
        ------
        Problem
            What is wrong, with its place.
        """
        named = {key: each for key, each in section.items() if key != CORRELATIONS}
        stated: dict[str, Keys] = {}
        for keys, name, given in find_unknowns(named):
            unknown, problems = read_unknown(name, given, self._parameters, self._fitted)
            if name in stated:
                problems.append(((), Problem("is given twice")))
            if unknown is not None and any(each in GROUPING for each in unknown.names):
                text = "decides by which peer groups results are kept, so it cannot be uncertain; compare a "
                problems.append(((), Problem(text + "scenario of each")))
            for below, problem in problems:
                label = ".".join((_SECTION, name, *below))
                yield source.problem((_SECTION, *keys, *below), problem, label)
            if unknown is not None and name not in stated:
                self._supersede(unknown, stated)
                self.unknowns[name] = unknown
                self._changed.add(name)
                self._places[name] = source, (_SECTION, *keys)
            stated[name] = keys
        if stated:
            yield from self._overlaps(stated)
        # What was correlated with an unknown that a document has fixed stays so in none above it.
        for pair in [each for each in self._correlations if not each <= self.unknowns.keys()]:
            del self._correlations[pair]
        if CORRELATIONS in section:
            yield from self._add_correlations(source, section[CORRELATIONS], stated)

    def drop(self, name: str, given: Any, within_value: bool) -> None:
        """Let a stated value end what documents before declare of its parameter.

        Parameters
        ----------
        name : str
            The parameter.
        given : Any
            What is stated of it.
        within_value : bool
            Whether the rest of its value stays.
        """
        for own, unknown in list(self.unknowns.items()):
            of_it = [each for each in unknown.names if f"{each}.".startswith(f"{name}.")]
            if of_it:
                self._changed.add(own)
                ended = [each for each in of_it if _states(given, tuple(each.split(".")[2:]), within_value)]
                self._remove(own, ended)

    def check(self, values: Values) -> Iterator[Problem]:
        """Check what single declarations do not tell.

        Parameters
        ----------
        values : Values
            The scenario's own, which have no problems.

        Yields
        ------
        Problem
            What is wrong, with its place.
        """
        misplaced = list(self._weights_and_misfits())
        yield from misplaced
        if not misplaced:
            yield from self._inconsistencies(values)
        between = [each for each, _ in self._correlations.values() if each.pair <= self.unknowns.keys()]
        ordered = [name for name, each in self.unknowns.items() if each.own.ordered]
        for each, text in contradictions(between, ordered):
            _, source = self._correlations[each.pair]
            yield source.problem((_SECTION, CORRELATIONS), text)

    def _problem(self, name: str, problem: str | Problem, keys: Keys = ()) -> Problem:
        """Give a problem the place of an unknown's declaration."""
        source, place = self._places[name]
        return source.problem((*place, *keys), problem, ".".join((_SECTION, name, *keys)))

    def _remove(self, own: str, names: list[str]) -> None:
        """Take names from an unknown; with its own name goes all that is linked to it."""
        if own in names:
            del self.unknowns[own]
            return
        for name in names:
            self.unknowns[own] = self.unknowns[own].without(name)

    def _supersede(self, unknown: Unknown, stated: Mapping[str, Keys]) -> None:
        for own, other in list(self.unknowns.items()):
            if own not in stated and own != unknown.name:
                self._remove(own, [each for each in other.names if each in unknown.names])

    def _overlaps(self, stated: Mapping[str, Keys]) -> Iterator[Problem]:
        """Find what is uncertain twice, if one of both was stated now."""
        seen: dict[str, list[tuple[str, str]]] = {}
        for own, unknown in self.unknowns.items():
            for name in unknown.names:
                others = seen.setdefault(parts_of(name)[0], [])
                found = next(((a, b) for a, b in others if overlap(a, name)), None)
                others.append((name, own))
                if found is not None and {own, found[1]} & stated.keys():
                    place = own if own in stated else found[1]
                    yield self._problem(place, _said_twice(name, own, *found, stated))

    def _add_correlations(self, source: Source, given: Any, stated: Mapping[str, Keys]) -> Iterator[Problem]:
        linked = {name: own for own, each in self.unknowns.items() for name in each.names if name != own}
        for each in read_correlations(given):
            if isinstance(each, Problem):
                yield source.problem((_SECTION, CORRELATIONS), each)
                continue
            missing = [name for name in each.between if name not in self.unknowns]
            for name in (name for name in missing if name not in stated):
                owner = f" by itself; it is linked to {linked[name]}" if name in linked else ""
                problem = Problem(f"{show(name)} is not uncertain{owner}", allowed=", ".join(self.unknowns))
                yield source.problem((_SECTION, CORRELATIONS), problem)
            if not missing:
                self._correlations[each.pair] = each, source

    def _weights_and_misfits(self) -> Iterator[Problem]:
        for own in (each for each in self.unknowns if each in self._changed):
            for name, distribution in self.unknowns[own].distributions.items():
                if parts_of(name)[0] in WEIGHTS:
                    text = "the weights of quality and cost must make 1 in every draw"
                    yield self._problem(own, text if name == own else f"{name}: {text}")
                    continue
                # A file above may have put a word where there was a table.
                for value in distribution["values"] if distribution.listed else [distribution.quantile(0.5)]:
                    for _, problem in self._fitted(name, value)[1]:
                        yield self._problem(own, problem)

    def _inconsistencies(self, values: Values) -> Iterator[Problem]:
        """Check the rules between parameters at the medians, and at every value that is listed."""
        ruled = {own: each for own, each in self.unknowns.items() if any(map(_ruled, each.names))}
        central = {name: value for each in ruled.values() for name, value in each.central().items()}
        at_medians = self._contradictions(values, central)
        for problem in at_medians:
            names = [own for own, each in self.unknowns.items() if _concerns(each, problem)]
            yield self._problem(names[-1], f"at the medians of what is uncertain, {problem}")
        if at_medians:
            return
        for own, unknown in ruled.items():
            for place, value in enumerate(unknown.own.get("values", ())):
                for problem in self._contradictions(values, central | unknown.listed(place)):
                    yield self._problem(own, f"{show(value)} cannot be used: {problem}", ("values",))

    @staticmethod
    def _contradictions(values: Values, changes: Mapping[str, Any]) -> list[Problem]:
        """Find what contradicts a rule between parameters, in the first year that does."""
        found = inconsistencies(with_values(values, changes)) if changes else []
        return list({each.parameters: each for each in reversed(found)}.values())


def _ruled(name: str) -> bool:
    """Whether a rule between parameters reads a name's value."""
    return parts_of(name)[0] in RULED


def _concerns(unknown: Unknown, problem: Problem) -> bool:
    return any(overlap(name, parameter) for name in unknown.names for parameter in problem.parameters)


def _said_twice(name: str, own: str, other: str, owner: str, stated: Container[str]) -> str:
    """Say that a name is uncertain twice, or a part of it, and what to do about it."""
    wider, part = sorted((name, other), key=len)
    if name == other:
        return f"{name} is uncertain twice: linked to {' and to '.join({own, owner} - {name})}"
    said = f"is part of {wider}, which is uncertain as a whole; "
    if own in stated and owner in stated:
        said += "leave one of them out"
    else:
        said += f"state {wider} first, which ends the unknown below"
        if (own if name == part else owner) in stated:
            years = any(map(is_year, set(part.split(".")) - set(wider.split("."))))
            said += f", or give the unknown for {'all years' if years else 'all of it'}"
    return said if own == part else f"{part} {said}"


def _states(given: Any, keys: Keys, within_value: bool) -> bool:
    """Whether a stated value includes what keys lead to inside it."""
    if years := years_of(given):
        if not within_value:
            return True
        stated = {str(year): given[str(year)] for year in years}
        if keys and is_year(keys[0]):
            return keys[0] in stated and _includes(stated[keys[0]], keys[1:])
        return any(_includes(each, keys) for each in stated.values())
    return _includes(given, keys[1:] if keys and is_year(keys[0]) else keys)


def _includes(given: Any, keys: Keys) -> bool:
    for key in keys:
        if not isinstance(given, Mapping):
            return True
        if key not in given:
            return False
        given = given[key]
    return True
