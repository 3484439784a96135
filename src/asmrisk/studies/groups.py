"""Groups of factors, which a study exchanges together: by section, or of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from asmrisk.errors import Problem, nearest
from asmrisk.scenario.toml_source import Source, show
from asmrisk.studies.factors import Factor

__all__ = ["CHANCE", "read_groups"]

#: All that differs between draws: a group of every study whose factors are in groups.
CHANCE = "chance"

#: Groups by the section of the parameter that a factor is named by; what is said for these alone.
_OF_SECTION = {
    "policy": "rule",
    "population": "population",
    "behavior": "behavior",
    "counterfactual": "counterfactual",
}
_BY_SECTION = "sections"

_LONGEST_NAME = 40


def read_groups(source: Source, factors: Sequence[Factor], problems: list[Problem]) -> list[Factor]:
    """Read the section ``[groups]`` of a study.

    Parameters
    ----------
    source : Source
        The study's file.
    factors : sequence of Factor
        What it varies.
    problems : list of Problem
        Everything that cannot be used is added.

    Returns
    -------
    list of Factor
        With the group of each: one of the study's own, else that of its section; as they are if the study
        has none.
    """
    given = source.data.get("groups")
    if given is None:
        return list(factors)
    if given != _BY_SECTION and not isinstance(given, Mapping):
        text = (
            f'{show(given)} is not allowed; write groups = "{_BY_SECTION}", or [groups] with name = [factors]'
        )
        problems.append(source.problem(("groups",), text))
        return list(factors)
    own: dict[str, str] = {}
    for group, entries in ({} if given == _BY_SECTION else given).items():
        problems += [source.problem(("groups", group), each) for each in _group_problems(group, entries)]
        for entry in entries if isinstance(entries, list) else ():
            found = [each.name for each in factors if _belongs(each, entry)]
            if not found:
                best = nearest(str(entry), [each.name for each in factors])
                problem = Problem(f"{show(entry)} is no factor of this study", nearest=best)
                problems.append(source.problem(("groups", group), problem))
            for name in found:
                if own.setdefault(name, group) != group:
                    text = f"{name} is in the group {show(own[name])} too; a factor has one group"
                    problems.append(source.problem(("groups", group), text))
    return [replace(each, group=own.get(each.name, _section(each))) for each in factors]


def _group_problems(group: str, entries: Any) -> Iterator[str]:
    if group in (*_OF_SECTION.values(), CHANCE):
        yield "is a group already; choose another name"
    if not group.isprintable() or not 0 < len(group) <= _LONGEST_NAME:
        yield f"a name has 1 to {_LONGEST_NAME} characters"
    if not isinstance(entries, list) or not entries:
        yield f'{show(entries)} is not allowed; write a list of factors, as ["policy.tie_rule"]'


def _belongs(factor: Factor, entry: Any) -> bool:
    """Whether an entry names a factor, or the parameter or table that it is a part of."""
    return isinstance(entry, str) and f"{factor.name}.".startswith(f"{entry}.")


def _section(factor: Factor) -> str:
    return _OF_SECTION[factor.name.partition(".")[0]]
