"""What a study varies: factors, each a parameter, or several that move together, and the values they take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from asmrisk.errors import Call, Problem, nearest
from asmrisk.numerics.normal_distribution import stable
from asmrisk.parameters.parameter import Parameters
from asmrisk.scenario.builder import ScenarioBuilder
from asmrisk.scenario.toml_source import Keys, Source, show
from asmrisk.scenario.uncertainty import (
    Distribution,
    distribution_of,
    distribution_problems,
    find_distributions,
)

__all__ = ["Factor", "Variation", "nested", "read_factors"]

#: Instead of values: those of the scenario's section ``[uncertainty]``.
_FROM_SCENARIO = "uncertainty"

#: Probabilities between which the levels of a distribution lie.
_LOW, _HIGH = 0.05, 0.95

_MOST_LEVELS = 1000
_SETTINGS = ("run.", "population.roster")


@dataclass(frozen=True)
class Variation:
    """The values that one parameter takes in a study.

    Attributes
    ----------
    name : str
        The parameter, or a number inside it: ``policy.risk_level``, ``policy.risk_level.2029``,
        ``population.cost_reliability.heart_failure``.
    values : tuple
        The values, as a scenario writes them; empty where there is a distribution.
    weights : tuple of float
        Their weights where values are sampled, adding up to 1.
    distribution : Distribution or None
        Of a number that takes any value.
    bounded : bool
        The distribution is a plain range ``low`` to ``high``, whose levels include both ends.
    """

    name: str
    values: tuple[Any, ...] = ()
    weights: tuple[float, ...] = ()
    distribution: Distribution | None = None
    bounded: bool = False

    def at_level(self, level: int, levels: int) -> Any:
        """Give the value at a level, from 0.

        It is one of the values; of a range, levels are evenly spaced from ``low`` to ``high``; of a
        distribution, they are the quantiles at probabilities evenly spaced from 5% to 95%.
        """
        if self.distribution is None:
            return self.values[level]
        return self.on_grid(level / (levels - 1))

    def on_grid(self, position: float) -> Any:
        """Give the value at a position in [0, 1] of which 0 and 1 are the outermost levels."""
        if self.distribution is None:
            return self.values[min(int(position * len(self.values)), len(self.values) - 1)]
        if self.bounded:
            low, high = self.distribution["low"], self.distribution["high"]
            return high if position == 1.0 else stable(low + position * (high - low))
        return self.distribution.quantile(_LOW + position * (_HIGH - _LOW))

    def at(self, probability: float) -> Any:
        """Give the value below which a share of the distribution lies, which is less than 1."""
        if self.distribution is not None:
            # A quasi-random point may be 0, where a normal has no quantile.
            return self.distribution.quantile(max(probability, 2.0**-40))
        left = probability
        for value, weight in zip(self.values, self.weights, strict=True):
            left -= weight
            if left < 0.0:
                return value
        return next(v for v, w in zip(self.values[::-1], self.weights[::-1], strict=True) if w > 0.0)


@dataclass(frozen=True)
class Factor:
    """What a study varies at a time: a parameter, and those that move together with it.

    Attributes
    ----------
    variations : tuple of Variation
        The factor is named by the first.
    levels : int
        In how many levels it is varied where a design has levels.
    """

    variations: tuple[Variation, ...]
    levels: int

    @property
    def name(self) -> str:
        """Name of the parameter that stands for the factor."""
        return self.variations[0].name

    def at_level(self, level: int) -> dict[str, Any]:
        """Give the values of all its parameters at a level, by name."""
        return {each.name: each.at_level(level, self.levels) for each in self.variations}

    def on_grid(self, position: float) -> dict[str, Any]:
        """Give the values at a position in [0, 1], ends included, by name."""
        return {each.name: each.on_grid(position) for each in self.variations}

    def at(self, probability: float) -> dict[str, Any]:
        """Give the values at a probability in [0, 1), by name."""
        return {each.name: each.at(probability) for each in self.variations}

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers that differ, so that a slope has a meaning."""
        first = self.variations[0]
        return first.distribution is not None or all(
            isinstance(each, int | float) and not isinstance(each, bool) for each in first.values
        )


def nested(name: str, value: Any) -> tuple[dict[str, Any], bool]:
    """Write one value as a document, and say whether its name leads into a parameter's value.

    Examples
    --------
    >>> nested("policy.risk_level.2029", 0.1)
    ({'policy': {'risk_level': {'2029': 0.1}}}, True)
    """
    keys = name.split(".")
    document: Any = value
    for key in reversed(keys):
        document = {key: document}
    return document, len(keys) > 2


class _Reader:
    """Reads the section ``[parameters]``; problems are collected."""

    def __init__(
        self,
        source: Source,
        base: Mapping[str, Any],
        uncertainty: Mapping[str, Distribution],
        parameters: Parameters,
        problems: list[Problem],
    ) -> None:
        self.source = source
        self.base = base
        self.uncertainty = uncertainty
        self.parameters = parameters
        self.problems = problems
        self.seen: dict[str, str] = {}

    def problem(self, keys: Keys, problem: str | Problem, label: str) -> None:
        self.problems.append(self.source.problem(keys, problem, label))

    def factor(self, keys: Keys, name: str, given: Any) -> Factor | None:
        """Read a factor: what it is named by, its number of levels, and what moves together with it."""
        spec = dict(given) if isinstance(given, Mapping) else {}
        others, levels = spec.pop("with", {}), spec.pop("levels", 2)
        before = len(self.problems)
        first = self.variation(keys, name, name, spec if isinstance(given, Mapping) else given)
        if not _whole(levels) or not 2 <= levels <= _MOST_LEVELS:
            text = f"{show(levels)} is not allowed; allowed: a whole number from 2 to {_MOST_LEVELS}"
            self.problem((*keys, "levels"), text, f"{name}.levels")
        elif "values" in spec and "levels" in given:
            self.problem((*keys, "levels"), "the values are the levels; leave it out", f"{name}.levels")
        if not isinstance(others, Mapping):
            text = f'{show(others)} is not allowed; write with = {{"policy.name" = …}}'
            self.problem((*keys, "with"), text, f"{name}.with")
            return None
        together = [self.companion(keys, first, name, *each) for each in find_distributions(others)]
        parts = [each for each in (first, *together) if each is not None]
        if len(self.problems) > before:
            return None
        return Factor(tuple(parts), len(parts[0].values) or levels)

    def companion(
        self, keys: Keys, first: Variation | None, name: str, below: Keys, other: str, spec: Any
    ) -> Variation | None:
        """Read what moves together with the parameter that a factor is named by."""
        place, label = (*keys, "with", *below), f"{name}.with.{other}"
        found = self.variation(place, other, label, {"values": spec} if isinstance(spec, list) else spec)
        if found is not None and first is not None:
            if bool(found.values) != bool(first.values):
                text = f"must be given as {name} is: either both by values, or both by ranges"
                self.problem(place, text, label)
            elif len(found.values) != len(first.values):
                text = f"{len(found.values)} values for the {len(first.values)} of {name}; give as many"
                self.problem(place, text, label)
        return found

    def variation(self, keys: Keys, name: str, label: str, spec: Any) -> Variation | None:
        """Read the values of one parameter; None if it has a problem."""
        if not self.known(keys, name, label):
            return None
        if spec == _FROM_SCENARIO:
            if name in self.uncertainty:
                return _of_distribution(name, self.uncertainty[name])
            known = ", ".join(self.uncertainty) or "none"
            text = f"the scenario gives it no distribution under [uncertainty]; it has: {known}"
            self.problem(keys, text, label)
        elif not isinstance(spec, Mapping) or not spec.keys() & {"values", "low", "high", "distribution"}:
            text = (
                f"{show(spec)} says no values; write {{values = [...]}}, {{low = ..., high = ...}}, "
                f'{{distribution = ...}} as under [uncertainty], or "{_FROM_SCENARIO}" for what is there'
            )
            self.problem(keys, text, label)
        elif "values" in spec and "distribution" not in spec:
            return self.listed(keys, name, label, spec)
        else:
            return self.distribution(keys, name, label, spec)
        return None

    def known(self, keys: Keys, name: str, label: str) -> bool:
        """Check the name: a declared parameter, varied once."""
        parameter = ".".join(name.split(".")[:2])
        if name.startswith(_SETTINGS):
            text = "cannot be varied: it is no parameter of rule, population or behavior"
            self.problem(keys, text, label)
            return False
        if parameter not in self.parameters:
            bare = [each for each in self.parameters if each.partition(".")[2] == name.partition(".")[0]]
            best = bare[0] if bare else nearest(parameter, self.parameters)
            listed = () if best else ("; ", Call("policy"), " lists every parameter")
            self.problem(keys, Problem(("unknown parameter", *listed), nearest=best), label)
            return False
        for other in self.seen:
            if f"{other}.".startswith(f"{name}.") or f"{name}.".startswith(f"{other}."):
                where = self.seen[other]
                text = "is varied twice" if other == name else f"overlaps with {other}, which is varied too"
                self.problem(keys, text if where == label or other != name else f"{text}: see {where}", label)
                return False
        self.seen[name] = label
        return True

    def distribution(self, keys: Keys, name: str, label: str, spec: Mapping[str, Any]) -> Variation | None:
        """Read a distribution; a plain range is a uniform one that includes both ends."""
        bounded = "distribution" not in spec
        given = {"distribution": "uniform", **spec}
        found = list(distribution_problems(name, given, self.parameters, "a range" if bounded else ""))
        for below, problem in found:
            if bounded and below == ("distribution",):
                below, problem = (), Problem("is a whole number; write {values = [...]}")
            self.problem((*keys, *below), problem, ".".join((label, *below)))
        if found:
            return None
        distribution = distribution_of(name, given, self.parameters)
        return _of_distribution(name, distribution, bounded)

    def listed(self, keys: Keys, name: str, label: str, spec: Mapping[str, Any]) -> Variation | None:
        """Read values and their weights."""
        before = len(self.problems)
        for key in (each for each in spec if each not in ("values", "weights")):
            best = nearest(key, ("values", "weights", "levels", "with"))
            text = "unknown key" + ("" if best else "; beside values stand weights and with")
            self.problem((*keys, key), Problem(text, nearest=best), f"{label}.{key}")
        values = spec["values"]
        if not isinstance(values, list) or not values:
            text = f"{show(values)} is not allowed; allowed: a list of values"
            self.problem((*keys, "values"), text, f"{label}.values")
            return None
        for value in values:
            self.value(keys, name, label, value)
        if any(_same(a, b) for i, a in enumerate(values) for b in values[:i]) and label == name:
            self.problem((*keys, "values"), "a value is listed twice", f"{label}.values")
        weights = spec.get("weights", [1.0] * len(values))
        if (
            not isinstance(weights, list)
            or len(weights) != len(values)
            or not all(_finite(each) and each >= 0 for each in weights)
            or not sum(weights) > 0
        ):
            text = (
                f"{show(weights)} is not allowed; allowed: a number of at least 0 for each value, not all 0"
            )
            self.problem((*keys, "weights"), text, f"{label}.weights")
        if len(self.problems) > before:
            return None
        total = float(sum(weights))
        return Variation(name, tuple(values), tuple(float(each) / total for each in weights))

    def value(self, keys: Keys, name: str, label: str, value: Any) -> None:
        """Check one value as a scenario's is checked."""
        builder = ScenarioBuilder(self.parameters)
        builder.add(Source("", dict(self.base)))
        before = len(builder.problems)
        document, within = nested(name, value)
        builder.add(Source("", document, within_value=within))
        for problem in builder.problems[before:]:
            what = problem.what if label == name else f"{label}: {problem.what}"
            self.problem((*keys, "values"), problem, what)


def _of_distribution(name: str, distribution: Distribution, bounded: bool = False) -> Variation:
    if distribution["distribution"] != "choice":
        return Variation(name, distribution=distribution, bounded=bounded)
    values = distribution["values"]
    weights = distribution.get("weights", [1.0] * len(values))
    total = sum(weights)
    return Variation(name, tuple(values), tuple(each / total for each in weights))


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300


def read_factors(
    source: Source,
    base: Mapping[str, Any],
    uncertainty: Mapping[str, Distribution],
    parameters: Parameters,
    problems: list[Problem],
) -> Iterator[Factor]:
    """Read the section ``[parameters]`` of a study.

    Parameters
    ----------
    source : Source
        The study's file.
    base : mapping
        The base scenario as plain data: values are checked on top of it.
    uncertainty : mapping of str to Distribution
        The base scenario's.
    parameters : Parameters
        The declarations.
    problems : list of Problem
        Everything that cannot be used is added.

    Yields
    ------
    Factor
        In the order of the file.
    """
    section = source.data.get("parameters")
    if not isinstance(section, Mapping) or not section:
        example = '[parameters] with "policy.exchange_steepness" = {low = 0.05, high = 0.2}'
        problems.append(source.problem(("parameters",), f"say what to vary, for example {example}"))
        return
    reader = _Reader(source, base, uncertainty, parameters, problems)
    for below, name, given in find_distributions(section):
        factor = reader.factor(("parameters", *below), name, given)
        if factor is not None:
            yield factor
