"""Which points a study computes: one at a time, grids, fractions of grids, and samples.

Every design begins with the base scenario as point 0, so that each point has its difference from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError
from asmrisk.studies.factors import Factor

__all__ = ["EXTENDABLE", "METHODS", "SETTINGS", "Design", "Setting", "fraction_words", "make_design"]

_Array = NDArray[np.float64]

#: No study needs more scenarios.
MOST_POINTS = 100_000


@dataclass(frozen=True)
class Setting:
    """A number that a design takes.

    Attributes
    ----------
    default : int
        If it is not stated.
    low, high : int
        Range.
    allowed : str
        The range in words.
    """

    default: int
    low: int
    high: int
    allowed: str


_SEED = Setting(1, 0, 2**32 - 1, "a whole number from 0 to 4294967295")

#: Settings of each method.
METHODS: dict[str, dict[str, Setting]] = {
    "one_at_a_time": {},
    "grid": {},
    "fractional": {"resolution": Setting(4, 3, 7, "3 to 7")},
    "latin_hypercube": {"samples": Setting(100, 4, MOST_POINTS, f"4 to {MOST_POINTS}"), "seed": _SEED},
    "sobol": {"samples": Setting(128, 4, 2**16, "a power of 2 from 4 to 65536"), "seed": _SEED},
    "morris": {
        "trajectories": Setting(20, 2, 10_000, "2 to 10000"),
        "grid_levels": Setting(4, 4, 100, "an even number from 4 to 100"),
        "seed": _SEED,
    },
}

#: All settings.
SETTINGS = tuple(dict.fromkeys(name for settings in METHODS.values() for name in settings))

#: Designs of which a smaller one is the beginning of a larger one, and what makes them larger.
EXTENDABLE = {"sobol": "samples", "morris": "trajectories"}


@dataclass(frozen=True)
class Design:
    """The points of a study.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    settings : dict of str to int
        As stated or by default.
    changes : tuple of dict
        What each point sets, by parameter; nothing at point 0, the base scenario.
    coordinates : ndarray of float64, shape (points, factors)
        Where each point lies along each factor: its level from 0, or for samples its position in [0, 1]; NaN
        where the factor is left as the base scenario has it.
    words : tuple of str
        Of a fraction of a grid: the products of factors that are constant, which say what is confounded.
    """

    method: str
    settings: dict[str, int]
    changes: tuple[dict[str, Any], ...]
    coordinates: _Array
    words: tuple[str, ...] = ()


def make_design(method: str, settings: Mapping[str, int], factors: Sequence[Factor]) -> Design:
    """Lay out the points of a study.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    settings : mapping of str to int
        Its settings, complete.
    factors : sequence of Factor
        At least one.

    Returns
    -------
    Design
        The same for the same arguments; with more samples or trajectories, those of a Sobol or Morris design
        come after the others.

    Raises
    ------
    InputError
        If the factors do not suit the method (one value is enough for one at a time only), or there would
        be more than 100,000 points.
    """
    if method != "one_at_a_time":
        few = [factor.name for factor in factors if factor.levels < 2]
        if few:
            raise InputError(f"{method} needs two values or more of every factor; {few[0]} has one")
    rows, words = _PLANS[method](settings, factors)
    place = _placer(method)
    changes = tuple(_changes(row, factors, place) for row in rows)
    base = np.full((1, len(factors)), np.nan)
    return Design(method, dict(settings), ({}, *changes), np.concatenate([base, rows]), words)


def _placer(method: str) -> Callable[[Factor, float], dict[str, Any]]:
    if method == "morris":
        return Factor.on_grid
    if method in ("latin_hypercube", "sobol"):
        return Factor.at
    return lambda factor, level: factor.at_level(int(level))


def _changes(
    row: _Array, factors: Sequence[Factor], place: Callable[[Factor, float], dict[str, Any]]
) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for position, factor in zip(row.tolist(), factors, strict=True):
        if position == position:
            changes |= place(factor, position)
    return changes


_Plan = tuple[_Array, tuple[str, ...]]


def _require(points: int) -> None:
    if points > MOST_POINTS:
        raise InputError(f"makes {points:,} design points; allowed are up to {MOST_POINTS:,}")


def _one_at_a_time(_: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    _require(sum(factor.levels for factor in factors))
    rows = []
    for index, factor in enumerate(factors):
        for level in range(factor.levels):
            row = np.full(len(factors), np.nan)
            row[index] = level
            rows.append(row)
    return np.array(rows), ()


def _grid(_: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    points = 1
    for factor in factors:
        points *= factor.levels
    _require(points)
    rows = list(itertools.product(*(range(factor.levels) for factor in factors)))
    return np.array(rows, dtype=np.float64), ()


def _fractional(settings: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    for factor in factors:
        if factor.levels != 2:
            raise InputError(
                f"a fraction of a grid needs two levels of every factor; {factor.name} has {factor.levels}"
            )
    columns, basic = _generators(len(factors), settings["resolution"])
    _require(2**basic)
    runs = np.arange(2**basic)
    rows = np.empty((len(runs), len(factors)))
    for index, column in enumerate(columns):
        parity = np.zeros(len(runs), dtype=np.int64)
        for bit in range(basic):
            if column >> bit & 1:
                parity ^= runs >> bit & 1
        rows[:, index] = parity
    words = fraction_words(columns, most=settings["resolution"] + 1)
    return rows, tuple(" × ".join(factors[i].name for i in word) for word in words)


def _generators(count: int, resolution: int) -> tuple[list[int], int]:
    """Choose the columns of a regular two-level fraction of at least a resolution.

    A column is a set of basic factors, as bits: the factor's level is the parity of theirs. A product of
    factors is constant if their columns add up to nothing (modulo 2), so the resolution is the least number
    of columns that do; each new column must not be the sum of `resolution` - 2 or fewer others (Box and
    Hunter, Technometrics 3, 1961; the correspondence to linear codes: Bose, Ann. Math. Stat. 18, 1947).
    """
    for basic in range(1, count + 1):
        columns = [1 << bit for bit in range(basic)]
        sums = _sums(columns, resolution - 2)
        for candidate in range(1, 2**basic):
            if len(columns) >= count:
                break
            if candidate not in sums:
                columns.append(candidate)
                sums = _sums(columns, resolution - 2)
        if len(columns) >= count:
            return columns, basic
    raise AssertionError("the full grid has every resolution")


def _sums(columns: Sequence[int], most: int) -> set[int]:
    sums = {0}
    for size in range(1, min(most, len(columns)) + 1):
        for chosen in itertools.combinations(columns, size):
            total = 0
            for column in chosen:
                total ^= column
            sums.add(total)
    return sums


def fraction_words(columns: Sequence[int], most: int) -> list[tuple[int, ...]]:
    """Find which products of factors are constant in a fraction.

    Parameters
    ----------
    columns : sequence of int
        Of each factor the set of basic factors, as bits.
    most : int
        Longest product looked for.

    Returns
    -------
    list of tuple of int
        Indices of the factors in each, shortest first; the resolution is the length of the first.

    Examples
    --------
    >>> fraction_words([0b001, 0b010, 0b100, 0b111], most=4)
    [(0, 1, 2, 3)]
    """
    words = []
    for size in range(1, min(most, len(columns)) + 1):
        for chosen in itertools.combinations(range(len(columns)), size):
            total = 0
            for index in chosen:
                total ^= columns[index]
            if total == 0:
                words.append(chosen)
    return words


def _latin_hypercube(settings: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    from scipy.stats import qmc

    sampler = qmc.LatinHypercube(len(factors), rng=np.random.default_rng(settings["seed"]))
    return sampler.random(settings["samples"]), ()


def _sobol(settings: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    """Scrambled Sobol points in twice the dimensions: A and B, and A with one column of B (Saltelli 2010)."""
    from scipy.stats import qmc

    count, samples = len(factors), settings["samples"]
    if samples & (samples - 1):
        raise InputError(f"samples must be a power of 2; {samples} is not")
    _require(samples * (count + 2))
    points = qmc.Sobol(2 * count, scramble=True, rng=np.random.default_rng(settings["seed"])).random(samples)
    a, b = points[:, :count], points[:, count:]
    rows = np.empty((samples, count + 2, count))
    rows[:, 0], rows[:, -1] = a, b
    for index in range(count):
        rows[:, index + 1] = a
        rows[:, index + 1, index] = b[:, index]
    return rows.reshape(-1, count), ()


def _morris(settings: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    """Trajectories as SALib makes them, each by random numbers of its own so that more can follow."""
    require_salib("morris")
    from SALib.sample import morris

    count, levels = len(factors), settings["grid_levels"]
    if levels % 2:
        raise InputError(f"grid_levels must be even; {levels} is not")
    _require(settings["trajectories"] * (count + 1))
    problem = {"num_vars": count, "names": [f.name for f in factors], "bounds": [[0.0, 1.0]] * count}
    parts = [
        morris.sample(dict(problem), 1, num_levels=levels, seed=np.random.default_rng([settings["seed"], t]))
        for t in range(settings["trajectories"])
    ]
    return np.concatenate(parts), ()


def require_salib(method: str) -> None:
    """Check that SALib is installed.

    Parameters
    ----------
    method : str
        What needs it.

    Raises
    ------
    InputError
        If it is not.
    """
    from importlib.util import find_spec

    if find_spec("SALib") is None:
        raise InputError(
            f"{method} needs SALib, which is not installed; install it with: "
            "pip install 'asmrisk[sensitivity]'"
        )


_PLANS: dict[str, Callable[[Mapping[str, int], Sequence[Factor]], _Plan]] = {
    "one_at_a_time": _one_at_a_time,
    "grid": _grid,
    "fractional": _fractional,
    "latin_hypercube": _latin_hypercube,
    "sobol": _sobol,
    "morris": _morris,
}
