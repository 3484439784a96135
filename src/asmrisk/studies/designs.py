"""Which points a study computes: one at a time, grids, fractions of grids, and samples.

Every design begins with the base scenario as point 0, so that each point has its difference from it.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError
from asmrisk.limits import require_within
from asmrisk.scenario.correlation import Correlation, correlated
from asmrisk.studies.factors import Factor, groups_of

__all__ = ["METHODS", "SETTINGS", "Design", "Method", "Setting", "fraction_words", "make_design"]

_Array = NDArray[np.float64]


class Setting(NamedTuple):
    """A number that a design takes."""

    default: int
    low: int
    high: int
    allowed: str  #: the range in words


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


def make_design(
    method: str,
    settings: Mapping[str, int],
    factors: Sequence[Factor],
    correlations: Sequence[Correlation] = (),
) -> Design:
    """Lay out the points of a study.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    settings : mapping of str to int
        Its settings, complete.
    factors : sequence of Factor
        At least one.
    correlations : sequence of Correlation
        Between factors, of a method that samples them.

    Returns
    -------
    Design
        The same for the same arguments; with more samples or trajectories, those of a Sobol or Morris design
        come after the others.

    Raises
    ------
    InputError
        If the factors do not suit the method (one value is enough for one at a time only), or there would
        be more points than the limit ``study_points``.
    """
    if method != "one_at_a_time":
        few = [factor.name for factor in factors if factor.levels < 2]
        if few:
            raise InputError(f"{method} needs two values or more of every factor; {few[0]} has one")
    rows, words = METHODS[method].plan(settings, factors)
    placed = (_correlated(row, factors, correlations) if correlations else row for row in rows.tolist())
    changes = tuple(_changes(row, factors, METHODS[method].values_at) for row in placed)
    base = np.full((1, len(factors)), np.nan)
    return Design(method, dict(settings), ({}, *changes), np.concatenate([base, rows]), words)


def _correlated(
    row: Sequence[float], factors: Sequence[Factor], correlations: Sequence[Correlation]
) -> list[float]:
    """Give correlated probabilities for independent ones."""
    # A quasi-random point may be 0, where a normal has no quantile.
    independent = {each.name: max(p, 2.0**-40) for each, p in zip(factors, row, strict=True)}
    found = correlated(independent, correlations)
    return [found[each.name] for each in factors]


def _changes(
    row: Sequence[float], factors: Sequence[Factor], values_at: Callable[[Factor, float], dict[str, Any]]
) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for position, factor in zip(row, factors, strict=True):
        if not math.isnan(position):
            changes |= values_at(factor, position)
    return changes


_Plan = tuple[_Array, tuple[str, ...]]


def _one_at_a_time(_: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    require_within("study_points", sum(factor.levels for factor in factors))
    rows = [
        [level if other is factor else np.nan for other in factors]
        for factor in factors
        for level in range(factor.levels)
    ]
    return np.array(rows, dtype=np.float64), ()


def _grid(_: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    require_within("study_points", math.prod(factor.levels for factor in factors))
    rows = list(itertools.product(*(range(factor.levels) for factor in factors)))
    return np.array(rows, dtype=np.float64), ()


def _fractional(settings: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    for factor in factors:
        if factor.levels != 2:
            raise InputError(
                f"a fraction of a grid needs two levels of every factor; {factor.name} has {factor.levels}"
            )
    columns = _generators(len(factors), settings["resolution"])
    runs = np.arange(2 ** max(columns).bit_length())
    rows = np.bitwise_count(runs[:, np.newaxis] & columns) % 2
    words = fraction_words(columns, most=settings["resolution"] + 1)
    return rows.astype(np.float64), tuple(" × ".join(factors[i].name for i in word) for word in words)


def _generators(count: int, resolution: int) -> list[int]:
    """Choose the columns of a regular two-level fraction of at least a resolution.

    A column is a set of basic factors, as bits: the factor's level is the parity of theirs. A product of
    factors is constant if their columns add up to nothing (modulo 2), so the resolution is the least number
    of columns that do; each new column must not be the sum of `resolution` - 2 or fewer others (Box and
    Hunter, Technometrics 3, 1961; the correspondence to linear codes: Bose, Ann. Math. Stat. 18, 1947).
    Published tables end at about fifteen factors and at low resolutions; these are as small as theirs.
    """
    columns: list[int] = []
    # Sums of at most 0, 1, ... columns.
    sums: list[set[int]] = [{0} for _ in range(resolution - 1)]
    for candidate in itertools.count(1):
        if candidate in sums[-1]:
            continue
        require_within("study_points", 2 ** candidate.bit_length())
        columns.append(candidate)
        if len(columns) == count:
            break
        for more, fewer in zip(sums[:0:-1], sums[-2::-1], strict=True):
            more |= {each ^ candidate for each in fewer}
    # The basic factors first.
    return sorted(columns, key=lambda column: (column.bit_count() > 1, column))


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
    return [
        word
        for size in range(1, min(most, len(columns)) + 1)
        for word in itertools.combinations(range(len(columns)), size)
        if functools.reduce(operator.xor, (columns[index] for index in word)) == 0
    ]


def _latin_hypercube(settings: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    from scipy.stats import qmc  # Heavy; other designs do without it.

    require_within("study_points", settings["samples"])
    sampler = qmc.LatinHypercube(len(factors), rng=np.random.default_rng(settings["seed"]))
    return sampler.random(settings["samples"]), ()


def _sobol(settings: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    """Scrambled Sobol points in twice the dimensions: A, A with the columns of each group of B, B.

    It is the design of Saltelli et al. (2010), for groups of factors instead of single ones.
    """
    from scipy.stats import qmc  # As above.

    count, samples = len(factors), settings["samples"]
    if samples & (samples - 1):
        raise InputError(f"samples must be a power of 2; {samples} is not")
    groups = groups_of(factors).values()
    require_within("study_points", samples * (len(groups) + 2))
    points = qmc.Sobol(2 * count, scramble=True, rng=np.random.default_rng(settings["seed"])).random(samples)
    a, b = points[:, :count], points[:, count:]
    rows = np.empty((samples, len(groups) + 2, count))
    rows[:, 0], rows[:, -1] = a, b
    for place, columns in enumerate(groups, start=1):
        rows[:, place] = a
        rows[:, place, columns] = b[:, columns]
    return rows.reshape(-1, count), ()


def _morris(settings: Mapping[str, int], factors: Sequence[Factor]) -> _Plan:
    """Trajectories on a grid, each by random numbers of its own so that more can follow."""
    levels, trajectories = settings["grid_levels"], settings["trajectories"]
    if levels % 2:
        raise InputError(f"grid_levels must be even; {levels} is not")
    require_within("study_points", trajectories * (len(factors) + 1))
    seeds = (np.random.SeedSequence([settings["seed"], each], spawn_key=(0,)) for each in range(trajectories))
    paths = [_trajectory(len(factors), levels, np.random.default_rng(each)) for each in seeds]
    return np.concatenate(paths), ()


def _trajectory(factors: int, levels: int, rng: np.random.Generator) -> _Array:
    """Lay out a path of Morris (Technometrics 33, 1991), in which one factor after the other moves.

    Each moves once, up or down, by a little more than half the range, so that all levels are equally likely.
    Random numbers are drawn in the order of SALib 1.5 (`SALib.sample.morris`), whose points these are.
    """
    step = levels / (2 * (levels - 1))
    turn = rng.permutation(factors)
    rises = rng.choice([False, True], factors)
    low = rng.choice(np.linspace(0.0, 1.0 - step, levels // 2), factors)
    moved = np.arange(factors + 1)[:, np.newaxis] > turn
    return np.asarray(low + step * (moved == rises))


def _at_level(factor: Factor, level: float) -> dict[str, Any]:
    return factor.at_level(int(level))


class Method(NamedTuple):
    """A way to choose design points."""

    title: str
    plan: Callable[[Mapping[str, int], Sequence[Factor]], _Plan]  #: their positions, by settings and factors
    values_at: Callable[[Factor, float], dict[str, Any]]  #: what a position along a factor sets
    settings: Mapping[str, Setting]
    size: str | None = None  #: the setting that makes the design larger by points that follow all others
    fewest_sets: int = (
        8  #: an error needs two sets of draws; to take noise out of a variance needs a few more
    )
    sampled: bool = False  #: the values of a factor are sampled by their weights


_SEED = Setting(1, 0, 2**32 - 1, "a whole number from 0 to 4294967295")

METHODS = {
    "one_at_a_time": Method("one at a time", _one_at_a_time, _at_level, {}, fewest_sets=2),
    "grid": Method("full grid", _grid, _at_level, {}),
    "fractional": Method(
        "fraction of a grid",
        _fractional,
        _at_level,
        {"resolution": Setting(4, 3, 7, "3 to 7")},
        fewest_sets=2,
    ),
    "latin_hypercube": Method(
        "Latin hypercube",
        _latin_hypercube,
        Factor.at,
        {"samples": Setting(100, 4, 10_000_000, "4 to 10000000"), "seed": _SEED},
        sampled=True,
    ),
    "sobol": Method(
        "Sobol indices",
        _sobol,
        Factor.at,
        {"samples": Setting(128, 4, 2**16, "a power of 2 from 4 to 65536"), "seed": _SEED},
        size="samples",
        sampled=True,
    ),
    "morris": Method(
        "Morris screening",
        _morris,
        Factor.on_grid,
        {
            "trajectories": Setting(20, 2, 10_000, "2 to 10000"),
            "grid_levels": Setting(4, 4, 100, "an even number from 4 to 100"),
            "seed": _SEED,
        },
        size="trajectories",
    ),
}

#: Settings of any method.
SETTINGS = tuple(dict.fromkeys(name for method in METHODS.values() for name in method.settings))
