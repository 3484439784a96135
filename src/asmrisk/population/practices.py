"""Practices and areas: the mix of sizes, members that can be measured, areas, and who works where.

A practice's members are those of its clinicians who can be measured; in a year each is with the same
probability. Published facts are of practices of which somebody is measured, counting the measured alone. They
are met by exact sums over sizes, members and measured members.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtr, ndtri

from asmrisk.errors import Problem
from asmrisk.numerics.curves import root
from asmrisk.numerics.normal_distribution import stable
from asmrisk.rule.definitions import PRACTICE_SIZES, SMALL_PRACTICE, SPECIALTIES
from asmrisk.scenario import published_tables as tables
from asmrisk.scenario.practice_parameters import SHARED_SCORES

__all__ = [
    "PracticeFacts",
    "PracticeMix",
    "area_shares",
    "fill_practices",
    "practice_mix",
    "specialty_shares",
]

_Array = NDArray[np.float64]

_MEMBERS = np.arange(1, tables.MOST_MEMBERS + 1)
_COUNT = _MEMBERS.astype(np.float64)
_SMALL = np.array([high <= SMALL_PRACTICE for _, high in tables.PRACTICE_CLASSES.values()])

#: Power of the number of members with which small practices get rarer. With it the share of clinicians who
#: are the only measured ones of a small practice is the published one within half a point in both cohorts.
_SMALL_POWER = -1.6
#: Logarithms of the ratio from one number of members to the next that are looked at.
_STEEPEST, _FLATTEST = -40.0, 5.0
#: Newton's method: where it starts, how far a step goes, how many, and where it has arrived.
_START = (-0.8, -0.1, 0.0)
_LONGEST_STEP = (0.5, 0.1, 1.0)
_STEPS, _ARRIVED = 60, 1e-11

#: Results remembered: enough for the draws in flight, each with values of its own.
_REMEMBERED = 256
#: Everything from the math libraries is rounded: their last bits differ from one processor to the next.
_DECIMALS = 9


class PracticeFacts(NamedTuple):
    """What is published of practices of which somebody is measured; participants are those measured.

    Attributes
    ----------
    per_small, per_large : float
        Mean participants of a practice of up to 15 clinicians, and of more.
    around_large : float
        Mean participants of a participant's practice, itself among them, in practices of more than 15.
    ten_to_nineteen_large : float
        Share of the participants of practices of more than 15 whose practice has 10 to 19 participants.
    """

    per_small: float
    per_large: float
    around_large: float
    ten_to_nineteen_large: float


class PracticeMix(NamedTuple):
    """Which practices there are.

    Attributes
    ----------
    practices : ndarray of float64, shape (classes,)
        Cumulative shares of the practices by `PRACTICE_CLASSES`.
    members : ndarray of float64, shape (classes, MOST_MEMBERS)
        Cumulative distribution of 1, 2, ... members, to be cut off at the practice's size.
    """

    practices: _Array
    members: _Array


class _Measured(NamedTuple):
    """What is measured of 1, 2, ... members; float64 (MOST_MEMBERS,)."""

    somebody: _Array  # probability
    number: _Array  # mean
    square: _Array  # mean
    ten_to_nineteen: _Array  # probability
    number_if_ten_to_nineteen: _Array  # mean, 0 where they are not so many


class UnreachableError(ValueError):
    """Facts that no practices have; `keys` names the fields of `PracticeFacts`."""

    def __init__(self, text: str, *keys: str) -> None:
        super().__init__(text)
        self.keys = keys


def _cumulative(weights: ArrayLike) -> _Array:
    """Cumulative shares of the weights, rounded: exactly 1 from the last positive weight on."""
    running = np.cumsum(weights)
    return np.asarray(np.round(running / running[-1], _DECIMALS), dtype=np.float64)


def _between(low: int, high: int, trials: NDArray[np.int64], probability: float) -> _Array:
    """Probability of low to high successes."""

    def at_most(most: int) -> _Array:
        # SciPy knows no more successes than trials.
        return np.where(most < trials, bdtr(np.minimum(most, trials), trials, probability), 1.0)

    return np.asarray(at_most(high) - at_most(low - 1), dtype=np.float64)


def _measured(probability: float) -> _Measured:
    number = probability * _COUNT
    return _Measured(
        somebody=1.0 - (1.0 - probability) ** _COUNT,
        number=number,
        square=number * (1.0 - probability) + number * number,
        ten_to_nineteen=_between(10, 19, _MEMBERS, probability),
        # Of one who is measured the practice has 9 to 18 others.
        number_if_ten_to_nineteen=number * _between(9, 18, _MEMBERS - 1, probability),
    )


@cache
def _caps() -> _Array:
    """Share of a class's sizes at which members are cut off, by class and members 1, 2, ...."""
    sizes = [np.arange(low, high + 1) for low, high in tables.PRACTICE_CLASSES.values()]
    counts = [
        np.bincount(np.minimum(each, tables.MOST_MEMBERS) - 1, minlength=tables.MOST_MEMBERS) / len(each)
        for each in sizes
    ]
    return np.array(counts)


def _weights(power: float, slope: float, tilt: _Array | float = 0.0) -> _Array:
    """Weights of 1, 2, ... members: members ** power * exp(slope * members + tilt)."""
    logs = power * np.log(_COUNT) + slope * _COUNT + tilt
    weights: _Array = np.maximum(np.exp(logs - logs.max()), 1e-290)
    return weights


def _organizations(weights: _Array, shares: _Array, measured: _Measured) -> tuple[_Array, _Array]:
    """Give the practices per participant by class and members, where classes have shares of participants.

    And the mean members by class.
    """
    # A practice of n clinicians has m members with weight(m) / (weight(1) + ... + weight(n)).
    within = np.cumsum((_caps() / np.cumsum(weights))[:, ::-1], axis=1)[:, ::-1] * weights
    mean = within @ _MEMBERS
    return within * (shares / (within @ measured.number))[:, None], mean


def _small_weights(shares: _Array, mean: float, measured: _Measured) -> _Array:
    """Find the members of small practices with which those measured have their mean."""

    def seen(slope: float) -> float:
        practices, _ = _organizations(_weights(_SMALL_POWER, slope), shares, measured)
        return 1.0 / float(practices.sum(axis=0) @ measured.somebody)

    least, most = seen(_STEEPEST), seen(_FLATTEST)
    if abs(mean - least) < 1e-9:
        return _weights(_SMALL_POWER, _STEEPEST)
    if not least < mean < most:
        raise UnreachableError(f"it must lie between {least:.4g} and {most:.4g}", "per_small")
    slope = root(lambda slope: seen(slope) - mean, _STEEPEST, _FLATTEST, 1e-12)
    return _weights(_SMALL_POWER, slope)


def _large_weights(shares: _Array, facts: PracticeFacts, measured: _Measured) -> _Array:
    """Find the members of larger practices with which those measured have the three facts.

    Of all distributions with some mean, mean logarithm and share of practices with 10 to 19 measured, it is
    the one of largest entropy.
    """
    target = np.array(facts[1:])
    if (target == [1.0, 1.0, 0.0]).all():
        # Nobody has a colleague.
        return _weights(0.0, _STEEPEST)

    def weights(at: _Array) -> _Array:
        return _weights(at[0], at[1], at[2] * measured.ten_to_nineteen)

    def seen(at: _Array) -> _Array:
        practices = _organizations(weights(at), shares, measured)[0].sum(axis=0)
        figures = (measured.square, measured.number_if_ten_to_nineteen)
        return np.array([1.0 / (practices @ measured.somebody), *(practices @ each for each in figures)])

    at, limit = np.array(_START), np.array(_LONGEST_STEP)
    found = seen(at)
    for _ in range(_STEPS):
        away = found - target
        if np.abs(away / np.maximum(target, 0.01)).max() < _ARRIVED:
            return weights(at)
        nudges = 1e-6 * np.eye(3)
        slopes = np.column_stack([(seen(at + each) - seen(at - each)) / 2e-6 for each in nudges])
        if not np.linalg.cond(slopes) < 1e12:
            break
        step = np.linalg.solve(slopes, away)
        at = at - step / max(np.abs(step / limit).max(), 1.0)
        found = seen(at)
    text = (
        f"no practices have these together; a mean of {found[0]:.3g}, {found[1]:.3g} around a participant "
        f"and a share of {found[2]:.3g} would go"
    )
    raise UnreachableError(text, *PracticeFacts._fields[1:])


@lru_cache(_REMEMBERED)
def practice_mix(
    weights: tuple[float, ...], small_share: float, facts: PracticeFacts, probability: float
) -> PracticeMix:
    """Find the practices with which the published facts hold among measured clinicians.

    Parameters
    ----------
    weights : tuple of float
        Clinicians by `PRACTICE_CLASSES`; those of small and of larger practices are each brought to their
        share.
    small_share : float
        Share of measured clinicians in practices of up to 15 clinicians.
    facts : PracticeFacts
        What is published.
    probability : float
        Share of clinicians who are measured in a year, each independently of the others.

    Returns
    -------
    PracticeMix
        Rounded, equal on every processor.

    Raises
    ------
    UnreachableError
        If no practices have these facts.
    """
    shares = np.array(weights)
    measured = _measured(probability)
    sides = np.where(_SMALL, small_share, 1.0 - small_share)
    practices, members = np.zeros(len(shares)), np.ones((len(shares), len(_MEMBERS)))
    for side in (_SMALL, ~_SMALL):
        within = np.where(side, shares, 0.0) / shares[side].sum()
        if side is _SMALL:
            found = _small_weights(within, facts.per_small, measured)
        else:
            found = _large_weights(within, facts, measured)
        _, mean = _organizations(found, within, measured)
        practices[side] = (sides * within / mean)[side]
        members[side] = np.where(_largest()[side][:, None] >= _MEMBERS, found, 0.0)
    return PracticeMix(_cumulative(practices), np.array([_cumulative(each) for each in members]))


def _largest() -> NDArray[np.int64]:
    return np.array([high for _, high in tables.PRACTICE_CLASSES.values()])


@lru_cache(_REMEMBERED)
def area_shares(areas: int, log_sd: float, regions: int) -> _Array:
    """Give the areas' cumulative shares of the practices, the same in every draw.

    Parameters
    ----------
    areas, regions : int
        How many; area a lies in region a % regions.
    log_sd : float
        Standard deviation of the logarithm of the sizes, which are a lognormal's quantiles.

    Returns
    -------
    ndarray of float64, shape (areas,)
        Cumulative. Regions have as much as the largest areas allow: each area, the largest first, joins the
        smallest region that has a place left.
    """
    sizes = np.exp(log_sd * ndtri((np.arange(areas, 0, -1) - 0.5) / areas))
    ordered = np.empty(areas)
    total, places = np.zeros(regions), [list(range(each, areas, regions)) for each in range(regions)]
    for size in np.round(sizes, _DECIMALS):
        open_regions = [each for each in range(regions) if places[each]]
        region = min(open_regions, key=total.__getitem__)
        ordered[places[region].pop(0)] = size
        total[region] += size
    return _cumulative(ordered)


@lru_cache(_REMEMBERED)
def specialty_shares(
    weights: tuple[float, ...], small_share: float, offsets: tuple[float, ...]
) -> tuple[_Array, _Array]:
    """Give the specialties of small and of larger practices.

    A clinician is in a small practice with probability Phi(z + offset of the specialty), where z is such that
    the share of all who are holds.

    Parameters
    ----------
    weights : tuple of float, one a specialty
        Of all clinicians.
    small_share : float
        Share of the clinicians in small practices.
    offsets : tuple of float
        By specialty.

    Returns
    -------
    tuple of ndarray of float64, shape (specialties,)
        Cumulative shares in small and in larger practices.
    """
    everybody = np.array(weights) / math.fsum(weights)
    if not 0.0 < small_share < 1.0 or not any(offsets):
        return _cumulative(everybody), _cumulative(everybody)
    shift = np.array(offsets)

    def excess(z: float) -> float:
        return float(everybody @ ndtr(z + shift)) - small_share

    # Wider than where the root can be: with equal offsets both ends are the root, within rounding.
    middle, margin = float(ndtri(small_share)), 1e-6
    z = root(excess, middle - shift.max() - margin, middle - shift.min() + margin)
    small = everybody * ndtr(z + shift)
    return _cumulative(small), _cumulative(everybody - small)


def fill_practices(
    record: Any, values: Mapping[str, Any], cohort: str, measured: float, problems: list[Problem]
) -> None:
    """Fill what the kernels read of a cohort's practices and areas.

    Parameters
    ----------
    record : record of POPULATION_DTYPE
        Written.
    values : mapping of str to Any
        Resolved parameters of section ``population``.
    cohort : str
        Name.
    measured : float
        Share of the cohort's clinicians who are measured in a year.
    problems : list of Problem
        Appended to, where values do not go together.
    """
    small_share = values["population.small_practice_share"][cohort]
    weights = tuple(values["population.practice_weights"][each] for each in tables.PRACTICE_CLASSES)
    facts = PracticeFacts(*(values[each][cohort] for each in _FACTS))
    try:
        mix = practice_mix(weights, small_share, facts, stable(measured))
    except UnreachableError as error:
        names = [_FACTS[PracticeFacts._fields.index(each)] for each in error.keys]
        given = ", ".join(f"{each}.{cohort} = {values[each][cohort]:g}" for each in names)
        text = (
            f"{given} cannot be reached: {error}, with population.practice_weights as given and "
            f"{100.0 * measured:.3g}% of the cohort measured in a year; change what is stated of them."
        )
        problems.append(Problem(text, parameters=(*names, "population.practice_weights")))
    else:
        record.practice_cumulative = mix.practices
        record.members_cumulative = mix.members
    record.practice_low = [low for low, _ in tables.PRACTICE_CLASSES.values()]
    record.practice_high = _largest()

    areas, regions = values["population.areas"], values["population.regions"]
    record.regions = regions
    record.areas = areas
    record.area_cumulative[:] = 1.0
    if regions <= areas:
        record.area_cumulative[:areas] = area_shares(areas, values["population.area_log_sd"], regions)
    for number, name in enumerate(SHARED_SCORES):
        record.practice_share[number] = values["population.practice_correlation"][name]
        record.area_share[number] = values["population.area_correlation"].get(name, 0.0)

    specialties: Mapping[str, float] = {"cardiology": 1.0}
    offsets: Mapping[str, float] = {}
    if cohort == "low_back_pain":
        specialties = values["population.back_pain_specialties"]
        offsets = values["population.specialty_small_practice_offset"]
    small, large = specialty_shares(
        tuple(specialties.get(each, 0.0) for each in SPECIALTIES),
        small_share,
        tuple(offsets.get(each, 0.0) for each in SPECIALTIES),
    )
    for code, name in enumerate(PRACTICE_SIZES):
        record.specialty_cumulative[code] = large if name == "large" else small


#: The parameters with the `PracticeFacts`.
_FACTS = (
    "population.participants_per_small_practice",
    "population.participants_per_large_practice",
    "population.participants_around_participant",
    "population.participants_among_ten_to_nineteen",
)
