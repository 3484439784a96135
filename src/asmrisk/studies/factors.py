"""What a study varies: factors, each an unknown with a number of levels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asmrisk.errors import Problem
from asmrisk.numerics.normal_distribution import stable
from asmrisk.scenario.builder import ScenarioBuilder
from asmrisk.scenario.correlation import Correlation, contradictions, read_correlations
from asmrisk.scenario.scenario import Scenario
from asmrisk.scenario.toml_source import Keys, Source, show
from asmrisk.scenario.uncertainty import Unknown, find_unknowns, name_problem, overlap, read_unknown
from asmrisk.scenario.uncertainty_section import CORRELATIONS

__all__ = ["Factor", "groups_of", "read_factor_correlations", "read_factors"]

#: Instead of values: those of the scenario's section ``[uncertainty]``.
_FROM_SCENARIO = "uncertainty"

#: Probabilities between which the levels of a distribution lie.
_LOW, _HIGH = 0.05, 0.95

_MOST_LEVELS = 1000


@dataclass(frozen=True)
class Factor:
    """What a study varies at a time: a parameter, and those that move together with it.

    Attributes
    ----------
    unknown : Unknown
        The values that they take; the factor is named by the unknown.
    levels : int
        In how many levels it is varied where a design has levels.
    bounded : frozenset of str
        Names whose distribution is a plain range ``low`` to ``high``, whose levels include both ends.
    group : str
        The group that it is exchanged with, if the study has groups.
    """

    unknown: Unknown
    levels: int
    bounded: frozenset[str] = frozenset()
    group: str = ""

    @property
    def name(self) -> str:
        """Name of the parameter that stands for the factor."""
        return self.unknown.name

    @property
    def values(self) -> list[Any]:
        """The values of that parameter where they are listed; else none."""
        listed: list[Any] = self.unknown.own.get("values", [])
        return listed

    def at_level(self, level: int) -> dict[str, Any]:
        """Give the values of all its parameters at a level, from 0, by name.

        They are those listed; of a range, levels are evenly spaced from ``low`` to ``high``; of a
        distribution, they are the quantiles at probabilities evenly spaced from 5% to 95%.
        """
        return self.unknown.listed(level) if self.values else self.on_grid(level / (self.levels - 1))

    def on_grid(self, position: float) -> dict[str, Any]:
        """Give the values at a position in [0, 1] of which 0 and 1 are the outermost levels, by name."""
        if self.values:
            return self.unknown.listed(min(int(position * self.levels), self.levels - 1))
        found = self.unknown.quantiles(_LOW + position * (_HIGH - _LOW))
        for name in self.bounded:
            low, high = (self.unknown.distributions[name][end] for end in ("low", "high"))
            found[name] = high if position == 1.0 else stable(low + position * (high - low))
        return found

    def at(self, probability: float) -> dict[str, Any]:
        """Give the values at a probability in [0, 1), by name."""
        # A quasi-random point may be 0, where a normal has no quantile.
        return self.unknown.quantiles(max(probability, 2.0**-40))

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers that differ, so that a slope has a meaning."""
        return all(isinstance(each, int | float) and not isinstance(each, bool) for each in self.values)

    def definition(self) -> dict[str, Any]:
        """Give as plain data what decides its values."""
        ends = {"levels_to_ends": sorted(self.bounded)} if self.bounded else {}
        return {self.name: self.unknown.definition()} | ends | ({"group": self.group} if self.group else {})


def groups_of(factors: Sequence[Factor]) -> dict[str, list[int]]:
    """Give the places of the factors that are exchanged together, by group; each alone without groups."""
    groups: dict[str, list[int]] = {}
    for place, factor in enumerate(factors):
        groups.setdefault(factor.group or factor.name, []).append(place)
    return groups


class _Reader:
    """Reads the section ``[parameters]``; problems are collected."""

    def __init__(
        self,
        source: Source,
        base: Scenario,
        problems: list[Problem],
    ) -> None:
        self.source = source
        self.uncertainty = base.uncertainty
        self.parameters = base.values.parameters
        self.problems = problems
        self.builder = ScenarioBuilder(base.values)
        self.seen: dict[str, str] = {}

    def problem(self, keys: Keys, problem: str | Problem, label: str) -> None:
        self.problems.append(self.source.problem(keys, problem, label))

    def factor(self, keys: Keys, name: str, given: Any) -> Factor | None:
        """Read a factor: what it is named by, its number of levels, and what moves together with it."""
        before = len(self.problems)
        spec = dict(given) if isinstance(given, Mapping) else given
        levels = spec.pop("levels", 2) if isinstance(spec, dict) else 2
        if not _whole(levels) or not 2 <= levels <= _MOST_LEVELS:
            text = f"{show(levels)} is not allowed; allowed: a whole number from 2 to {_MOST_LEVELS}"
            self.problem((*keys, "levels"), text, f"{name}.levels")
        elif isinstance(given, Mapping) and "values" in given and "levels" in given:
            self.problem((*keys, "levels"), "the values are the levels; leave it out", f"{name}.levels")
        own = spec == _FROM_SCENARIO
        unknown = self.scenarios_own(keys, name) if own else self.declared(keys, name, spec)
        if unknown is not None:
            self.once(keys, unknown)
        if unknown is None or len(self.problems) > before:
            return None
        bounded = frozenset() if own else _bounded(name, spec)
        return Factor(unknown, len(unknown.own.get("values", ())) or levels, bounded)

    def scenarios_own(self, keys: Keys, name: str) -> Unknown | None:
        """Take what the scenario declares of a name."""
        if name in self.uncertainty:
            return self.uncertainty[name]
        problem = name_problem(name, self.parameters)
        if problem is None:
            linked = next((own for own, each in self.uncertainty.items() if name in each.names), None)
            known = f"it has: {', '.join(self.uncertainty) or 'none'}"
            text = "the scenario gives it no distribution under [uncertainty]"
            said = f"it is linked to {linked}; vary that" if linked else f"{text}; {known}"
            problem = Problem(said)
        self.problem(keys, problem, name)
        return None

    def declared(self, keys: Keys, name: str, spec: Any) -> Unknown | None:
        """Read a declaration, as under ``[uncertainty]``."""
        unknown, problems = read_unknown(name, spec, self.parameters, self.builder.fitted, ranges=True)
        for below, problem in problems:
            self.problem((*keys, *below), problem, ".".join((name, *below)))
        return unknown

    def once(self, keys: Keys, unknown: Unknown) -> None:
        """Check that each name is varied once."""
        for name in unknown.names:
            label = name if name == unknown.name else f"{unknown.name}.with.{name}"
            other = next((each for each in self.seen if overlap(each, name)), None)
            if other is not None:
                text = "is varied twice" if other == name else f"overlaps with {other}, which is varied too"
                where = self.seen[other]
                self.problem(keys, text if where == label or other != name else f"{text}: see {where}", label)
            self.seen[name] = label


def _bounded(name: str, spec: Mapping[str, Any]) -> frozenset[str]:
    """Give the names of which a plain range is declared."""
    declared = {name: spec} | {other: each for _, other, each in find_unknowns(spec.get("with", {}))}
    return frozenset(
        each
        for each, given in declared.items()
        if isinstance(given, Mapping)
        and given.keys() & {"low"}
        and not given.keys() & {"distribution", "median", "masses"}
    )


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def read_factors(source: Source, base: Scenario, problems: list[Problem]) -> Iterator[Factor]:
    """Read the section ``[parameters]`` of a study.

    Parameters
    ----------
    source : Source
        The study's file.
    base : Scenario
        Where values are checked on top of, and whose unknowns may be factors.
    problems : list of Problem
        Everything that cannot be used is added.

    Yields
    ------
    Factor
        In the order of the file.
    """
    section = source.data.get("parameters")
    if section == _FROM_SCENARIO:
        section = dict.fromkeys(base.uncertainty, _FROM_SCENARIO)
        if not section:
            text = "the scenario gives nothing a distribution under [uncertainty]"
            problems.append(source.problem(("parameters",), text))
            return
    if not isinstance(section, Mapping) or not _named(section):
        example = '[parameters] with "policy.exchange_steepness" = {low = 0.05, high = 0.2}'
        text = (
            f"say what to vary, for example {example}, or parameters = {show(_FROM_SCENARIO)} for all that "
        )
        problems.append(source.problem(("parameters",), text + "the scenario leaves unknown"))
        return
    reader = _Reader(source, base, problems)
    for below, name, given in find_unknowns(_named(section)):
        factor = reader.factor(("parameters", *below), name, given)
        if factor is not None:
            yield factor


def _named(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in section.items() if key != CORRELATIONS}


def read_factor_correlations(
    source: Source, base: Scenario, factors: Sequence[Factor], problems: list[Problem]
) -> tuple[Correlation, ...]:
    """Read how factors are correlated: as the scenario says, unless the study says otherwise of a pair.

    Parameters
    ----------
    source : Source
        The study's file.
    base : Scenario
        Its base.
    factors : sequence of Factor
        What it varies.
    problems : list of Problem
        Everything that cannot be used is added.

    Returns
    -------
    tuple of Correlation
        Those between factors.
    """
    section = source.data.get("parameters")
    given = section.get(CORRELATIONS, []) if isinstance(section, Mapping) else []
    found = {each.pair: each for each in base.correlations}
    names = {factor.name: factor.unknown.own.ordered for factor in factors}
    wrong: list[str | Problem] = []
    for each in read_correlations(given):
        if isinstance(each, Problem):
            wrong.append(each)
            continue
        missing = [name for name in each.between if name not in names]
        wrong += [
            Problem(f"{show(name)} is no factor by itself", allowed=", ".join(names)) for name in missing
        ]
        found[each.pair] = each
    kept = [each for each in found.values() if each.pair <= names.keys()]
    ordered = [name for name, has_order in names.items() if has_order]
    wrong += [text for _, text in contradictions(kept, ordered)]
    problems += [source.problem(("parameters", CORRELATIONS), each) for each in wrong]
    return tuple(each for each in kept if each.value != 0.0)
