"""What nobody knows: the distributions that a scenario gives to numbers, in its section ``[uncertainty]``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from asmrisk.errors import Problem, nearest, unknown
from asmrisk.numerics.normal_distribution import normal_probability, normal_quantile, stable
from asmrisk.parameters.parameter import Parameter, Parameters
from asmrisk.scenario.toml_source import Keys, show

__all__ = [
    "DISTRIBUTIONS",
    "Distribution",
    "allowed",
    "bounds",
    "distribution_of",
    "distribution_problems",
    "find_distributions",
]

#: Each distribution and its numbers.
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("median", "log_sd"),
    "choice": ("values",),
}

_OPTIONAL = {"choice": ("weights",)}

#: Parameters of this section say how much is computed, not what is true of the world.
_CERTAIN_SECTION = "run"

_LARGEST_LOG_SD = 5.0


class Distribution(dict[str, Any]):
    """The distribution of one number; as a dict, what a scenario file says about it.

    A normal and a lognormal are truncated to the range of the parameter.

    Parameters
    ----------
    given : mapping
        ``distribution``, one of `DISTRIBUTIONS`, and its numbers.
    low, high : float
        Range of the parameter.

    Attributes
    ----------
    low, high : float
        As given.
    """

    def __init__(self, given: Mapping[str, Any], low: float, high: float) -> None:
        super().__init__(given)
        self.low = low
        self.high = high

    def quantile(self, probability: float) -> float:
        """Give the value below which a share of the distribution lies.

        Parameters
        ----------
        probability : float
            In (0, 1).

        Returns
        -------
        float
            Inside the range and, but for a choice, rounded to nine digits, so that it is the same on every
            processor; an int where the parameter is a whole number.
        """
        if self["distribution"] == "choice":
            return self._chosen(probability)
        value = getattr(self, f"_{self['distribution']}")(probability)
        return min(max(stable(value), self.low), self.high)

    def _uniform(self, probability: float) -> float:
        low, high = self["low"], self["high"]
        return float(low + probability * (high - low))

    def _triangular(self, probability: float) -> float:
        low, mode, high = (self[key] for key in DISTRIBUTIONS["triangular"])
        rising = (mode - low) / (high - low)
        if probability < rising:
            return float(low + math.sqrt(probability * (high - low) * (mode - low)))
        return float(high - math.sqrt((1.0 - probability) * (high - low) * (high - mode)))

    def _normal(self, probability: float) -> float:
        mean, sd = self["mean"], self["sd"]
        return float(mean + sd * _truncated((self.low - mean) / sd, (self.high - mean) / sd, probability))

    def _lognormal(self, probability: float) -> float:
        median, log_sd = self["median"], self["log_sd"]
        low = math.log(self.low / median) / log_sd if self.low > 0.0 else -math.inf
        high = math.log(self.high / median) / log_sd
        return float(median * math.exp(log_sd * _truncated(low, high, probability)))

    def _chosen(self, probability: float) -> float:
        values: list[float] = self["values"]
        weights: list[float] = self.get("weights", [1.0] * len(values))
        left = probability * sum(weights)
        for value, weight in zip(values, weights, strict=True):
            left -= weight
            if left < 0.0:
                return float(value) if isinstance(value, float) else value
        return next(value for value, weight in zip(values[::-1], weights[::-1], strict=True) if weight > 0.0)


def _truncated(low: float, high: float, probability: float) -> float:
    """Quantile of a standard normal truncated to an interval."""
    below = normal_probability(low)
    return normal_quantile(below + probability * (normal_probability(high) - below))


def _split(name: str, parameters: Parameters) -> tuple[Parameter | None, Keys]:
    """Split an uncertain number's name into its parameter and the keys (a year, a table's key) inside."""
    parts = name.split(".")
    parameter = parameters.get(".".join(parts[:2]))
    return parameter, tuple(parts[2:])


def find_distributions(section: Mapping[str, Any]) -> Iterator[tuple[Keys, str, Any]]:
    """Find the distributions in a section ``[uncertainty]``, written with quoted or with dotted keys.

    Parameters
    ----------
    section : mapping
        The section as parsed.

    Yields
    ------
    tuple
        The keys inside the section, the name they make, and what is given there.
    """
    waiting: list[tuple[Keys, Any]] = [((key,), given) for key, given in section.items()]
    while waiting:
        keys, given = waiting.pop(0)
        name = ".".join(keys)
        branch = isinstance(given, Mapping) and "distribution" not in given
        if branch and (
            "." not in name or (given and all(isinstance(each, Mapping) for each in given.values()))
        ):
            waiting[:0] = [((*keys, key), each) for key, each in given.items()]
        else:
            yield keys, name, given


def bounds(parameter: Parameter, keys: Keys = ()) -> tuple[float, float] | None:
    """Give the lowest and highest allowed value of a number, from its declared type.

    `keys` lead to the number inside the parameter: a year where it varies, keys where it is a table.
    ``None`` if there is no number of that name.
    """
    number = _number_schema(parameter, keys)
    return None if number is None else (float(number["minimum"]), float(number["maximum"]))


def _whole(parameter: Parameter, keys: Keys) -> bool:
    number = _number_schema(parameter, keys)
    return number is not None and number["type"] == "integer"


def _number_schema(parameter: Parameter, keys: Keys) -> dict[str, Any] | None:
    if parameter.by_year and keys:
        if keys[0] not in map(str, parameter.years):
            return None
        keys = keys[1:]
    schema = parameter.adapter.json_schema()
    definitions = schema.get("$defs", {})
    for key in keys:
        schema = _referred(schema, definitions).get("properties", {}).get(key, {})
    for option in schema.get("anyOf", [schema]):
        option = _referred(option, definitions)
        if option.get("type") in ("number", "integer") and {"minimum", "maximum"} <= option.keys():
            return dict(option)
    return None


def _referred(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = definitions.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    return found


def allowed(parameter: Parameter) -> str:
    """Give a parameter's range, unit and source: ``0 to 0.5 (fraction; 42 CFR § 512.750)``."""
    source = "; ".join(part for part in (parameter.unit, parameter.citation) if part)
    return f"{parameter.allowed} ({source})"


def distribution_of(name: str, given: Mapping[str, Any], parameters: Parameters) -> Distribution:
    """Build a distribution that has no problems.

    Parameters
    ----------
    name : str
        The number's name.
    given : mapping
        What the scenario gives; `distribution_problems` yields nothing for it.
    parameters : Parameters
        The declarations.

    Returns
    -------
    Distribution
        Equal for equal distributions, however they were written.
    """
    parameter, keys = _split(name, parameters)
    span = None if parameter is None else bounds(parameter, keys)
    if parameter is None or span is None:
        raise ValueError(f"{name} is no number")
    number = int if _whole(parameter, keys) else float
    kind = given["distribution"]
    full: dict[str, Any] = {"distribution": kind}
    for key in (*DISTRIBUTIONS[kind], *_OPTIONAL.get(kind, ())):
        if key == "values":
            full[key] = [number(each) for each in given[key]]
        elif key == "weights" and key in given:
            full[key] = [float(each) for each in given[key]]
        elif key in given:
            full[key] = float(given[key])
    return Distribution(full, *span)


def distribution_problems(
    name: str, given: Any, parameters: Parameters, called: str = ""
) -> Iterator[tuple[Keys, Problem]]:
    """Check what a scenario says about one uncertain number.

    Parameters
    ----------
    name : str
        The number's name.
    given : Any
        What the scenario gives.
    parameters : Parameters
        The declarations.
    called : str
        What messages call the distribution, if not by its kind.

    Yields
    ------
    tuple
        The keys inside the distribution, and what is wrong there.
    """
    parameter, keys = _split(name, parameters)
    if parameter is None:
        yield (), Problem("unknown parameter", nearest=nearest(name, parameters))
        return
    if parameter.name.startswith(f"{_CERTAIN_SECTION}."):
        yield (), Problem("a setting of the run cannot be uncertain")
        return
    span = bounds(parameter, keys)
    if span is None:
        text = "is not a number, so it cannot be uncertain"
        yield (), Problem(text, allowed=_numbers_in(parameter))
        return
    if not isinstance(given, Mapping) or not isinstance(given.get("distribution"), str):
        text = f'{show(given)} is no distribution; write {{distribution = "uniform", low = …, high = …}}'
        yield (), Problem(text)
        return
    kind = given["distribution"]
    if kind not in DISTRIBUTIONS:
        text, names = f"{show(kind)} is not known", ", ".join(DISTRIBUTIONS)
        yield ("distribution",), Problem(text, allowed=names, nearest=nearest(kind, DISTRIBUTIONS))
        return
    malformed = list(_shape_problems(kind, given, called or kind))
    yield from malformed or _support_problems(kind, given, parameter, keys, span)


def _numbers_in(parameter: Parameter) -> str:
    year = tuple(map(str, parameter.years[:1]))
    fields = [(*year, key) for key in parameter.adapter.json_schema().get("properties", {})]
    inside = [".".join((parameter.name, *keys)) for keys in fields if bounds(parameter, keys) is not None]
    return ", ".join(inside) if inside else "parameters that hold one number"


def _not_allowed(value: Any, allowed: str) -> Problem:
    return Problem(f"{show(value)} is not allowed", allowed=allowed)


def _shape_problems(kind: str, given: Mapping[str, Any], called: str) -> Iterator[tuple[Keys, Problem]]:
    needed, optional = DISTRIBUTIONS[kind], _OPTIONAL.get(kind, ())
    for key in given:
        if key not in ("distribution", *needed, *optional):
            yield (key,), unknown("key", key, (*needed, *optional))
    for key in needed:
        if key not in given:
            yield (), Problem(f"{key} is missing; {called} takes {', '.join(needed)}")
    for key in (*needed, *optional):
        value = given.get(key, 0.0)
        if kind == "choice" and key in given:
            if not isinstance(value, list) or not value or not all(map(_finite, value)):
                yield (key,), _not_allowed(value, "a list of finite numbers")
        elif not _finite(value):
            yield (key,), _not_allowed(value, "a finite number")


def _finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer beyond the largest float.
        return False


def _support_problems(
    kind: str, given: Mapping[str, Any], parameter: Parameter, keys: Keys, span: tuple[float, float]
) -> Iterator[tuple[Keys, Problem]]:
    if _whole(parameter, keys) and kind != "choice":
        yield ("distribution",), Problem("the parameter is a whole number", allowed="choice")
    for key in ("low", "mode", "high", "mean", "median"):
        if key in given and not span[0] <= given[key] <= span[1]:
            yield (key,), _not_allowed(given[key], allowed(parameter))
    for key, most in (("sd", span[1] - span[0]), ("log_sd", _LARGEST_LOG_SD)):
        if key in given and not 0.0 < given[key] <= most:
            yield (key,), _not_allowed(given[key], f"greater than 0, at most {most:g}")
    if "high" in given and not given["low"] < given["high"]:
        yield (), Problem(f"low ({show(given['low'])}) must be less than high ({show(given['high'])})")
    elif "mode" in given and not given["low"] <= given["mode"] <= given["high"]:
        yield ("mode",), Problem(f"{show(given['mode'])} does not lie between low and high")
    if kind == "lognormal" and given["median"] <= 0.0:
        yield ("median",), _not_allowed(given["median"], "greater than 0")
    for value in given.get("values", ()):
        if not span[0] <= value <= span[1]:
            yield ("values",), _not_allowed(value, allowed(parameter))
        elif _whole(parameter, keys) and value != int(value):
            yield ("values",), _not_allowed(value, "whole numbers")
    weights = given.get("weights")
    if weights is not None:
        if len(weights) != len(given["values"]):
            text = f"{len(weights)} weights for {len(given['values'])} values; give as many"
            yield ("weights",), Problem(text)
        elif min(weights) < 0 or not 0.0 < sum(weights) < math.inf:
            yield ("weights",), Problem("weights must not be negative, and one must be greater than 0")
