"""The parts of a change: in which parameters two scenarios differ, and scenarios that change some of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from asmrisk.errors import InputError, Problem, nearest
from asmrisk.scenario.layering import parts_of
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.scenario.uncertainty_section import CORRELATIONS

__all__ = ["Part", "parts_between", "with_parts"]

_Names = frozenset[str]


class Part(NamedTuple):
    """Parameters that change together, with what is unknown of them."""

    name: str
    parameters: tuple[str, ...]


def parts_between(
    baseline: Scenario, reform: Scenario, named: Mapping[str, Collection[str]] | None = None
) -> list[Part]:
    """Part a reform by the parameters in which it differs.

    Parameters
    ----------
    baseline, reform : Scenario
        What is compared.
    named : mapping of str to collection of str, optional
        Parameters that are one part, by its name. Each of the others is a part of its own, but for those
        whose doubts the reform changes together.

    Returns
    -------
    list of Part
        In the order of the parameters; empty if nothing differs but the title and how much is computed.

    Raises
    ------
    InputError
        If a parameter that is named does not differ, or is named twice.
    """
    groups = [set(each) for each in _coupled(baseline, reform)]
    differing = [name for name in reform.values if any(name in each for each in groups)]
    taken = dict[str, str]()
    problems = []
    for part, names in (named or {}).items():
        for name in names:
            if name not in differing:
                allowed = ", ".join(differing) or "none, as the scenarios are the same"
                best = nearest(name, differing) if differing else None
                text = f"{name} is not among the values that differ"
                problems.append(Problem(text, argument="parts", allowed=allowed, nearest=best))
            elif name in taken:
                problems.append(Problem(f"{name} is named twice", argument="parts"))
            taken[name] = part
        groups = _united(groups, set(names))
    if problems:
        raise InputError(problems)
    keys = [name.partition(".")[2] for name in differing]
    short = {name: key if keys.count(key) == 1 else name for name, key in zip(differing, keys, strict=True)}
    found = []
    for name in differing:
        (group,) = (each for each in groups if name in each)
        members = tuple(each for each in differing if each in group)
        if members[0] == name:
            called = next((taken[each] for each in members if each in taken), "")
            found.append(Part(called or ", ".join(short[each] for each in members), members))
    return found


def with_parts(baseline: Scenario, reform: Scenario, parts: Iterable[Part]) -> Scenario:
    """Give the baseline with some parts of a reform, values and doubts; the seed is the baseline's.

    The title names the parts.

    Raises InputError if the values do not go together.
    """
    parts = list(parts)
    switched = {name for part in parts for name in part.parameters}
    document, other = baseline.to_dict(), reform.to_dict()
    document["title"] = " + ".join([baseline.title, *(part.name for part in parts)])
    for name in switched:
        section, _, key = name.partition(".")
        document[section][key] = other[section][key]
    if not baseline.uncertainty:
        per_set = "draws_per_parameter_set"
        document["run"][per_set] = other["run"][per_set]
    unknowns = {
        name: each.to_dict()
        for name, before, after in _unknowns(baseline, reform)
        if (each := after if (_of(before) | _of(after)) & switched else before) is not None
    }
    known = {name for each in unknowns.values() for name in each.get("with", {})} | unknowns.keys()
    pairs = [
        {"between": list(between), "value": value}
        for between, before, after in _correlations(baseline, reform)
        if (value := after if _parameters(between) & switched else before) is not None
        and known.issuperset(between)
    ]
    document.pop("uncertainty", None)
    if unknowns:
        document["uncertainty"] = unknowns | ({CORRELATIONS: pairs} if pairs else {})
    return replace(scenario_from_dict(document), fixed=baseline.fixed)


def _coupled(baseline: Scenario, reform: Scenario) -> list[set[str]]:
    """Group the parameters that differ, in value or in doubt, by what cannot change alone."""
    one, other = (
        {
            name: (each.name, each.distributions[name])
            for each in given.uncertainty.values()
            for name in each.names
        }
        for given in (baseline, reform)
    )
    differing = {name for name, value in reform.values.items() if value != baseline.values[name]}
    differing |= _parameters(name for name in one | other if one.get(name) != other.get(name))
    differing = {name for name in differing if not name.startswith("run.")}
    together = []
    for _, before, after in _unknowns(baseline, reform):
        if before is None or after is None or before.definition() != after.definition():
            together.append((_of(before) | _of(after)) & differing)
    for between, before, after in _correlations(baseline, reform):
        if before != after and other.keys() >= set(between):
            ends = _parameters(between)
            together.append(ends & differing or ends)
    groups = [{name} for name in differing]
    for each in together:
        groups = _united(groups, set(each))
    return groups


def _united(groups: Iterable[set[str]], names: set[str]) -> list[set[str]]:
    """Put groups that have any of some names together."""
    groups = list(groups)
    joined = names.union(*(each for each in groups if each & names))
    return [each for each in groups if not each & names] + ([joined] if joined else [])


def _unknowns(baseline: Scenario, reform: Scenario) -> Iterator[tuple[str, Any, Any]]:
    """Give the unknowns of both by name; None where one has none."""
    for name in {**baseline.uncertainty, **reform.uncertainty}:
        yield name, baseline.uncertainty.get(name), reform.uncertainty.get(name)


def _correlations(baseline: Scenario, reform: Scenario) -> Iterator[tuple[tuple[str, str], Any, Any]]:
    """Give the correlations of both by pair; None where one has none."""
    one, other = ({each.pair: each for each in given.correlations} for given in (baseline, reform))
    for pair, each in {**other, **one}.items():
        values = (given[pair].value if pair in given else None for given in (one, other))
        yield (each.between, *values)  # type: ignore[misc]


def _of(unknown: Any) -> _Names:
    """Name the parameters of an unknown and of those linked to it."""
    return frozenset() if unknown is None else _parameters(unknown.names)


def _parameters(names: Iterable[str]) -> _Names:
    return frozenset(parts_of(name)[0] for name in names)
