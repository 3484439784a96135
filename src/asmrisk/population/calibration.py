"""Solvers: the few constants of the model that make its averages equal the published ones.

Everything is done by quadrature, never by simulation, and each step is remembered, because under parameter
uncertainty it is repeated for every parameter set with a few inputs changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, pdtrc

from asmrisk.numerics.curves import root
from asmrisk.numerics.normal_distribution import stable
from asmrisk.population.quadrature import hermite_rule
from asmrisk.population.quantiles import expectation_nodes, part_b_log_shape, read_shape

__all__ = [
    "EpisodeVolume",
    "episode_volume",
    "part_b_mean_over_level",
    "yearly_rates",
]

#: Results remembered: enough for the draws in flight, each with values of its own.
_REMEMBERED = 256

#: Slots are at most a hundred times the measured clinicians.
_LEAST_MEASURED = 0.01

#: Secants tried, and what the product of the last two steps must come below.
_SECANTS, _CONVERGED = 20, 1e-15


class EpisodeVolume(NamedTuple):
    """How many episodes the clinicians of a cohort have.

    Attributes
    ----------
    log_mean, log_sd : float
        Expected episodes are lognormal with these parameters, given that they reach the lowest level.
    floor_probability : float
        Share of the untruncated lognormal below the lowest level.
    measured : float
        Share of clinicians measured in a year: enough episodes two years earlier.
    mean : float
        Mean episodes in a year of clinicians measured in it; NaN if nobody is.
    scores, weights : ndarray of float64, shape (Q,)
        Quadrature over the clinician's normal score of the expected episodes (standard normal in all).
    expected : ndarray of float64, shape (Q,)
        Expected episodes at the scores.
    chance : ndarray of float64, shape (Q,)
        Probability of being measured at the scores.
    """

    log_mean: float
    log_sd: float
    floor_probability: float
    measured: float
    mean: float
    scores: NDArray[np.float64]
    weights: NDArray[np.float64]
    expected: NDArray[np.float64]
    chance: NDArray[np.float64]


@cache
def _normal_grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # The trapezoidal rule is exponentially accurate for smooth functions under a normal weight.
    scores = np.linspace(-7.0, 7.0, 113)
    weights = np.exp(-(scores**2) / 2)
    return scores, weights / weights.sum()


def yearly_rates(
    expected: NDArray[np.float64], shock: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give expected episodes times a year's shock, shape (Q, 11), and the shocks' weights."""
    scores, weights = hermite_rule(11)
    return expected[:, None] * np.exp(shock * scores - shock * shock / 2), weights


def _enough(expected: NDArray[np.float64], shock: float, minimum: int) -> NDArray[np.float64]:
    """Give the probability of at least `minimum` episodes in a year."""
    if minimum <= 0:
        return np.ones_like(expected)
    yearly, weights = yearly_rates(expected, shock)
    return np.asarray(pdtrc(minimum - 1, yearly) @ weights, dtype=np.float64)


def _volume(log_mean: float, log_sd: float, lowest: float, shock: float, minimum: int) -> EpisodeVolume:
    scores, weights = _normal_grid()
    lowest_score = (math.log(lowest) - log_mean) / log_sd
    # Truncation from below, by way of the upper tail, which keeps its precision.
    expected = np.exp(log_mean - log_sd * ndtri(ndtr(-lowest_score) * ndtr(-scores)))
    chance = _enough(expected, shock, minimum)
    measured = float(weights @ chance)
    episodes = float(weights @ (chance * expected))
    return EpisodeVolume(
        log_mean=log_mean,
        log_sd=log_sd,
        floor_probability=float(ndtr(lowest_score)),
        measured=measured,
        mean=episodes / measured if measured > 0.0 else math.nan,
        scores=scores,
        weights=weights,
        expected=expected,
        chance=chance,
    )


def _descent(volume: Callable[[float], EpisodeVolume], mean: float, start: float, least: float) -> float:
    """Find the log mean with which measured clinicians have their mean, by secants from above.

    Parameters
    ----------
    volume : callable
        Gives the volume by its log mean.
    mean : float
        Mean episodes of measured clinicians.
    start, least : float
        Above the solution, and the least log mean to try.

    Returns
    -------
    float
        The solution within 1e-13; NaN if the way goes below `least`, or to where hardly anybody is measured.
    """
    log_mean, step, excess, slope = start, math.inf, math.nan, 1.0
    for count in range(_SECANTS):
        tried = volume(log_mean)
        if log_mean < least or tried.measured < _LEAST_MEASURED:
            break
        before, excess = excess, math.log(tried.mean / mean)
        if count:
            slope = (before - excess) / step
        if not slope > 0.0:
            break
        last, step = step, excess / slope
        log_mean -= step
        # What is left is about the product of the last two steps.
        if abs(step) * min(abs(last), 0.01) < _CONVERGED:
            return log_mean
    return math.nan


@lru_cache(_REMEMBERED)
def episode_volume(mean: float, log_sd: float, lowest: float, shock: float, minimum: int) -> EpisodeVolume:
    """Find the lognormal of expected episodes with which measured clinicians have the published mean.

    A clinician's episodes in a year are Poisson with mean (expected episodes) x (the year's shock); the
    clinician is measured if those of two years earlier reach the minimum. Shocks are independent.

    Parameters
    ----------
    mean : float
        Mean episodes in a year of clinicians measured in it.
    log_sd : float
        Standard deviation of the logarithm of expected episodes before truncation.
    lowest : float
        Expected episodes are at least this many (truncated, not moved up).
    shock : float
        Standard deviation of the logarithm of a year's shock, whose mean is 1.
    minimum : int
        Episodes two years earlier that make a clinician measured.

    Returns
    -------
    EpisodeVolume
        The solution; `log_mean` and `floor_probability` are rounded by `stable`.

    Raises
    ------
    ValueError
        If no lognormal above `lowest`, with at least one clinician in a hundred measured, has that mean.
    """

    def volume(log_mean: float) -> EpisodeVolume:
        return _volume(log_mean, log_sd, lowest, shock, minimum)

    # Six standard deviations below the lowest level, hardly anybody is above it; yet some must be measured.
    low, high = math.log(lowest) - 6.0 * log_sd, math.log(max(mean, lowest, minimum)) + 1.0
    # With this mean in all, and not truncated, the measured have more: they are those with many episodes.
    log_mean = _descent(volume, mean, math.log(mean) - log_sd * log_sd / 2.0, low)
    if math.isnan(log_mean):
        if volume(low).measured < _LEAST_MEASURED:
            low = root(lambda log_mean: volume(log_mean).measured - _LEAST_MEASURED, low, high)
        least = volume(low).mean
        if least >= mean:
            raise ValueError(f"measured clinicians have at least {least:.4g} episodes on average")
        log_mean = root(lambda log_mean: volume(log_mean).mean - mean, low, high)
    log_mean = stable(log_mean)
    solution = volume(log_mean)
    return solution._replace(floor_probability=stable(solution.floor_probability))


# As many as there are threads: a matrix of 50,000 numbers each.
@lru_cache(8)
def _episode_kernel(correlation: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the density of the episodes' score, normal around c z, by the score z of Part B; and its sums."""
    scores, _ = _normal_grid()
    spread = 1.0 - correlation * correlation
    kernel = np.exp(-((scores - correlation * expectation_nodes().scores[:, None]) ** 2) / (2.0 * spread))
    return kernel, kernel.sum(axis=1)


@lru_cache(_REMEMBERED)
def _part_b_weights(
    correlation: float, mean: float, log_sd: float, lowest: float, shock: float, minimum: int
) -> tuple[NDArray[np.float64], float]:
    """Weigh the scores of Part B, as `expectation_nodes` has them, by the chance of being measured."""
    volume = episode_volume(mean, log_sd, lowest, shock, minimum)
    kernel, sums = _episode_kernel(correlation)
    nodes = expectation_nodes()
    chance = kernel @ volume.chance / sums
    return nodes.weights * chance, float(nodes.weights @ chance)


@lru_cache(_REMEMBERED)
def part_b_mean_over_level(
    specialty: str,
    tail_slope: float,
    correlation: float,
    mean: float,
    log_sd: float,
    lowest: float,
    shock: float,
    minimum: int,
) -> float:
    """Give the mean Part B shape among measured clinicians, who see more patients than the others.

    Parameters
    ----------
    specialty : str
        One of `SPECIALTIES`.
    tail_slope : float
        As in `part_b_log_shape`.
    correlation : float
        Of the normal scores of Part B and of expected episodes.
    mean, log_sd, lowest, shock, minimum
        As in `episode_volume`.

    Returns
    -------
    float
        E[exp(shape) | measured]; a level divided by it is the mean over measured clinicians.
    """
    weights, total = _part_b_weights(correlation, mean, log_sd, lowest, shock, minimum)
    shape = read_shape(part_b_log_shape(specialty, tail_slope), expectation_nodes().scores)
    return float(weights @ np.exp(shape) / total)
