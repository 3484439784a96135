"""Distributions of one value: their settings, quantiles, and what is wrong with a declaration."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any

from asmrisk.errors import Problem, nearest, unknown
from asmrisk.numerics.normal_distribution import normal_probability, normal_quantile, stable
from asmrisk.scenario.toml_source import Keys, show

__all__ = [
    "BOUNDS",
    "CHOICE",
    "DISTRIBUTIONS",
    "MOST_VALUES",
    "SCALES",
    "SETTINGS",
    "Distribution",
    "code_of",
    "finite",
    "number_problems",
    "same_value",
    "weight_problem",
]

#: The distribution of listed values.
CHOICE = "choice"

#: Each distribution and its settings.
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("median", "log_sd"),
    "central_90": ("median", "low", "high"),
    CHOICE: ("values",),
}

_MASSES = "masses"
#: The ends of a distribution by median and central range, if it does not reach the range of the parameter.
BOUNDS = ("minimum", "maximum")
_OPTIONAL = dict.fromkeys(DISTRIBUTIONS, (_MASSES,)) | {
    "central_90": ("scale", *BOUNDS, _MASSES),
    CHOICE: ("weights",),
}

#: The settings of any distribution.
SETTINGS = frozenset(
    key for kind, needed in DISTRIBUTIONS.items() for key in ("distribution", *needed, *_OPTIONAL[kind])
)

_LARGEST_LOG_SD = 5.0

#: The standard normal's 95% quantile: a central 90% range ends there.
_SCORE_95 = stable(1.6448536269514722)

#: More are no declaration of an unknown, but a data file named by mistake.
MOST_VALUES = 1000


def _log(value: float) -> float:
    return math.log(value) if value > 0.0 else -math.inf


def _logit(value: float) -> float:
    if value >= 1.0:
        return math.inf
    return math.log(value / (1.0 - value)) if value > 0.0 else -math.inf


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if value > 0.0 else math.exp(value) / (1.0 + math.exp(value))


#: Scales on which a distribution has two halves of a normal: to the scale, and back.
SCALES: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "linear": (float, float),
    "log": (_log, math.exp),
    "logit": (_logit, _logistic),
}


class Distribution(dict[str, Any]):
    """The distribution of one value; as a dict, what a scenario file says about it.

    A normal and a lognormal are truncated to the range of the parameter; of a distribution given by median
    and central 90% range, a normal of two halves on its scale, values beyond the range, or beyond the
    distribution's own ``minimum`` and ``maximum``, are set to its ends.

    Parameters
    ----------
    given : mapping
        ``distribution``, one of `DISTRIBUTIONS`, and its settings.
    low, high : float
        Range of the parameter, if it is a number.

    Attributes
    ----------
    low, high : float
        As given.
    """

    def __init__(self, given: Mapping[str, Any], low: float = -math.inf, high: float = math.inf) -> None:
        super().__init__(given)
        self.low = low
        self.high = high

    @property
    def listed(self) -> bool:
        """Whether its values are listed."""
        return bool(self["distribution"] == CHOICE)

    @property
    def ordered(self) -> bool:
        """Whether quantiles have a meaning: all but listed values that are not ascending numbers."""
        values = self["values"] if self.listed else []
        return all(map(_number, values)) and all(one < other for one, other in pairwise(values))

    def quantile(self, probability: float) -> Any:
        """Give the value below which a share of the distribution lies.

        Parameters
        ----------
        probability : float
            In (0, 1).

        Returns
        -------
        Any
            One of the values where they are listed; else a float inside the range, rounded to nine digits, so
            that it is the same on every processor. Nondecreasing, point masses included.
        """
        if self.listed:
            return self["values"][self.place(probability)]
        if _MASSES not in self:
            return self._continuous(probability)
        masses = sorted((each["value"], each["probability"]) for each in self[_MASSES])
        rest = 1.0 - sum(mass for _, mass in masses)
        for value, mass in masses:
            if self._continuous(probability / rest) < value:
                break
            probability -= mass
            if self._continuous(probability / rest) <= value:
                return value
        return self._continuous(min(probability / rest, 1.0 - 2.0**-53))

    def place(self, probability: float) -> int:
        """Give the place among the listed values of the one at a probability in [0, 1)."""
        weights = self.weights
        left = probability * sum(weights)
        for place, weight in enumerate(weights):
            left -= weight
            if left < 0.0:
                return place
        return max(place for place, weight in enumerate(weights) if weight > 0.0)

    @property
    def weights(self) -> list[float]:
        """Weights of the listed values."""
        return self.get("weights") or [1.0] * len(self["values"])

    def central_place(self) -> int:
        """Give the place of the median of listed numbers; of other values of the one with most weight."""
        values, weights = self["values"], self.weights
        if not all(map(_number, values)):
            return weights.index(max(weights))
        order = sorted(range(len(values)), key=values.__getitem__)
        ascending = {"distribution": CHOICE, "values": order, "weights": [weights[each] for each in order]}
        return order[Distribution(ascending).place(0.5)]

    def _continuous(self, probability: float) -> float:
        """Give the quantile without point masses, and an infinity outside of (0, 1)."""
        if not 0.0 < probability < 1.0:
            return math.copysign(math.inf, probability - 0.5)
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

    def _central_90(self, probability: float) -> float:
        median, below, above, least, most, back = self._halves
        score = normal_quantile(probability) / _SCORE_95
        place = median + score * (above if score > 0.0 else below)
        return back(min(max(place, least), most))

    @cached_property
    def _halves(self) -> tuple[float, float, float, float, float, Callable[[float], float]]:
        """Median, distances of both ends of the range from it, and least and most, on the scale; and back."""
        onto, back = SCALES[self.get("scale", "linear")]
        low, median, high = onto(self["low"]), onto(self["median"]), onto(self["high"])
        ends = onto(self.get("minimum", self.low)), onto(self.get("maximum", self.high))
        return median, median - low, high - median, *ends, back


def _truncated(low: float, high: float, probability: float) -> float:
    """Quantile of a standard normal truncated to an interval."""
    below = normal_probability(low)
    return normal_quantile(below + probability * (normal_probability(high) - below))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are the same: 1 is not true."""
    return type(one) is type(other) and bool(one == other)


def code_of(value: Any, values: tuple[Any, ...] | list[Any]) -> float:
    """Give the number that stands for a value in a store.

    A number stands for itself, unless there are words or tables among the values listed: then it is the place
    among them, and -1 for a value that is none of them.

    Examples
    --------
    >>> code_of(0.5, ()), code_of("mid", ("upper", "mid")), code_of(True, (True, False))
    (0.5, 1.0, 0.0)
    """
    if all(map(_number, (value, *values))):
        return float(value)
    return float(next((place for place, each in enumerate(values) if same_value(each, value)), -1))


# --- What is wrong ------------------------------------------------------------------------------------------


def finite(value: Any) -> bool:
    """Whether a value is a finite number."""
    try:
        return _number(value) and math.isfinite(value)
    except OverflowError:  # An integer beyond the largest float.
        return False


def _not_allowed(value: Any, allowed: str) -> Problem:
    return Problem(f"{show(value)} is not allowed", allowed=allowed)


def number_problems(
    kind: str, given: Mapping[str, Any], span: tuple[float, float], allowed: str, called: str = ""
) -> Iterator[tuple[Keys, Problem]]:
    """Find what is wrong with the settings of a distribution of a number.

    Parameters
    ----------
    kind : str
        One of `DISTRIBUTIONS`, listed values excepted.
    given : mapping
        Its settings.
    span : tuple of float
        Range of the parameter.
    allowed : str
        The same in words.
    called : str
        What messages call it, if not by its kind.

    Yields
    ------
    tuple
        The keys inside the distribution, and what is wrong there.
    """
    malformed = list(_shape_problems(kind, given, called or kind))
    yield from malformed or _support_problems(kind, given, span, allowed)
    if _MASSES in given:
        yield from (((_MASSES,), each) for each in _mass_problems(given[_MASSES], span, allowed))


def _shape_problems(kind: str, given: Mapping[str, Any], called: str) -> Iterator[tuple[Keys, Problem]]:
    needed, optional = DISTRIBUTIONS[kind], _OPTIONAL[kind]
    for key in given:
        if key not in ("distribution", *needed, *optional):
            yield (key,), unknown("key", key, (*needed, *optional))
    for key in needed:
        if key not in given:
            yield (), Problem(f"{key} is missing; {called} takes {', '.join(needed)}")
        elif not finite(given[key]):
            yield (key,), _not_allowed(given[key], "a finite number")
    for key in BOUNDS if kind == "central_90" else ():
        if not finite(given.get(key, 0.0)):
            yield (key,), _not_allowed(given[key], "a finite number")
    scale = given.get("scale", "linear")
    if "scale" in optional and (not isinstance(scale, str) or scale not in SCALES):
        best = nearest(scale, SCALES) if isinstance(scale, str) else None
        yield ("scale",), Problem(f"{show(scale)} is not known", allowed=", ".join(SCALES), nearest=best)


def _support_problems(
    kind: str, given: Mapping[str, Any], span: tuple[float, float], allowed: str
) -> Iterator[tuple[Keys, Problem]]:
    for key in ("low", "mode", "high", "mean", "median", *BOUNDS):
        if key in given and not span[0] <= given[key] <= span[1]:
            yield (key,), _not_allowed(given[key], allowed)
    for key, most in (("sd", span[1] - span[0]), ("log_sd", _LARGEST_LOG_SD)):
        if key in given and not 0.0 < given[key] <= most:
            yield (key,), _not_allowed(given[key], f"greater than 0, at most {most:g}")
    between = next((key for key in ("mode", "median") if key in given), None)
    if "high" in given and not given["low"] < given["high"]:
        yield (), Problem(f"low ({show(given['low'])}) must be less than high ({show(given['high'])})")
    elif "high" in given and between and not given["low"] <= given[between] <= given["high"]:
        yield (between,), Problem(f"{show(given[between])} does not lie between low and high")
    for key, end, side in (("minimum", "low", 1.0), ("maximum", "high", -1.0)):
        if key in given and side * (given[key] - given[end]) > 0.0:
            text = f"{key} ({show(given[key])}) must be at {'most' if key == 'minimum' else 'least'} {end}"
            yield (key,), Problem(f"{text} ({show(given[end])})")
    if kind == "lognormal" and given["median"] <= 0.0:
        yield ("median",), _not_allowed(given["median"], "greater than 0")
    scale = given.get("scale", "linear")
    for key in DISTRIBUTIONS["central_90"] if kind == "central_90" else ():
        if not math.isfinite(SCALES[scale][0](given[key])):
            inside = "greater than 0" if scale == "log" else "greater than 0, less than 1"
            yield (key,), _not_allowed(given[key], f"{inside} on the scale {scale}")


def _mass_problems(masses: Any, span: tuple[float, float], allowed: str) -> Iterator[Problem]:
    example = "{value = …, probability = …}"
    if not isinstance(masses, list) or not 0 < len(masses) <= MOST_VALUES:
        yield Problem(f"{show(masses)} is not allowed; write {_MASSES} = [{example}]")
        return
    values, total = [], 0.0
    for number, each in enumerate(masses, 1):
        shown = f"entry {number}: {show(each)} is not allowed"
        if not isinstance(each, Mapping) or each.keys() != {"value", "probability"}:
            yield Problem(f"{shown}; write {example}")
        elif not finite(each["value"]) or not finite(each["probability"]):
            yield Problem(f"{shown}; both must be finite numbers")
        elif not span[0] <= each["value"] <= span[1]:
            yield Problem(f"entry {number}: value: {show(each['value'])} is not allowed", allowed=allowed)
        elif not 0.0 < each["probability"] < 1.0:
            text = f"entry {number}: probability: {show(each['probability'])} is not allowed"
            yield Problem(text, allowed="greater than 0, less than 1")
        else:
            values.append(each["value"])
            total += each["probability"]
    if len(set(values)) < len(values):
        yield Problem("a value is listed twice")
    if total >= 1.0:
        text = f"the probabilities make {total:g}"
        yield Problem(f"{text}; they must make less than 1, for the distribution has the rest")


def weight_problem(weights: Any, count: int) -> Problem | None:
    """Say what is wrong with the weights of so many values."""
    if not isinstance(weights, list) or not all(map(finite, weights)):
        return _not_allowed(weights, "a list of numbers, one for each value")
    if len(weights) != count:
        return Problem(f"{len(weights)} weights for {count} values; give as many")
    if min(weights) < 0 or not 0.0 < sum(map(float, weights)) < math.inf:
        return Problem("weights must not be negative, and one must be greater than 0")
    return None
