"""The cost of an episode: levels, spread and shape with which CMS's figures hold among those it measured.

CMS's figures are of clinicians with at least 20 episodes. Cost goes together with episodes, so these are no
random clinicians, and how much luck is in their cost, which falls with their episodes, goes together with it
too. All is quadrature over the joint distribution of the score of cost and the number of episodes, remembered
by what it depends on.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr, ndtri, pdtrc

from asmrisk.numerics.curves import root
from asmrisk.numerics.normal_distribution import stable
from asmrisk.population.calibration import episode_volume, yearly_rates
from asmrisk.population.quantiles import (
    SCORE_LIMIT,
    SCORES,
    cost_log_shape,
    expectation_nodes,
    read_shape,
    rounded_table,
)

__all__ = ["COST_CASE_MINIMUM", "Cost", "CostScore", "solved_cost"]

#: CMS publishes the statistics of its episode-based cost measures for clinicians with this many episodes.
COST_CASE_MINIMUM = 20

#: Results remembered: enough for the draws in flight, each with values of its own.
_REMEMBERED = 256

#: Standard deviations of true log cost that are looked at.
_NARROWEST, _WIDEST = 1e-5, 1.0

_LARGEST_COUNTED = 400
_GROUPS = 48
_COUNTS_AT_ONCE = 16

#: Steps to the median of cost, of which three or four are enough.
_STEPS = 20

#: Probabilities that count for nothing; what comes of them would be slow, being subnormal.
_NEGLIGIBLE = 1e-15

_Array = NDArray[np.float64]


class CostScore(NamedTuple):
    """The score of a clinician's cost: normal around a line in the score v of expected episodes.

    Attributes
    ----------
    episodes : float
        Slope in v.
    variance : float
        About the line.
    shifts : tuple of (float, float)
        Shares of clinicians, and what is added to their score.
    """

    episodes: float
    variance: float
    shifts: tuple[tuple[float, float], ...]


class Cost(NamedTuple):
    """Cost per episode: ``scale * exp(spread * shape(y) + sqrt(noise_variance / n) * eps)``.

    Attributes
    ----------
    scale : float
        US dollars.
    spread : float
        Standard deviation of the true part of log cost.
    noise_variance : float
        Variance of the noise of log cost in one episode.
    log_shape : ndarray of float64, shape (209,), read-only
        Shape over the score y of cost, at `asmrisk.population.quantiles.SCORES`.
    mean, episode_mean : float
        Means of observed cost over the clinicians with at least 20 episodes, and over their episodes: what
        CMS calls the national average.
    """

    scale: float
    spread: float
    noise_variance: float
    log_shape: _Array
    mean: float
    episode_mean: float


class _Groups(NamedTuple):
    """Measured clinicians with at least 20 episodes in the year, in groups by their number of episodes, n.

    `scores`, of shape (nodes,), are those of expected episodes; `share`, of shape (groups, nodes), sums to 1;
    `inverse` and `episodes` are the groups' means of 1 / n and n.
    """

    scores: _Array
    share: _Array
    inverse: _Array
    episodes: _Array


class _Joint(NamedTuple):
    """Shape over the score of cost: the table, and values and weights at nodes of the score, by group.

    Of shapes (209,), (nodes,) and (nodes, groups).
    """

    log_shape: _Array
    shape: _Array
    weights: _Array


def _count_probabilities(mass: _Array, rates: _Array) -> tuple[_Array, _Array]:
    """Give the probabilities of the counts from 20 to 400 in mixtures of Poisson distributions.

    `mass` and `rates` have shape (mixtures, parts), the result (counts, mixtures).
    """
    # With n = m + k, a probability is that of m, times rate^k, times m! / n!: a product of two matrices.
    rows = np.arange(COST_CASE_MINIMUM, _LARGEST_COUNTED + 1, _COUNTS_AT_ONCE, dtype=np.float64)
    counts = rows[:, None] + np.arange(_COUNTS_AT_ONCE)
    factorials = gammaln(rows + 1.0)
    logarithm = rows[:, None] * np.log(rates)[:, None] - rates[:, None] - factorials[:, None]
    # Below 1e-260 it is as good as nothing, and subnormal numbers would be slow.
    first = mass[:, None] * np.exp(np.maximum(logarithm, -600.0))
    powers = np.ones((*rates.shape, _COUNTS_AT_ONCE))
    for k in range(1, _COUNTS_AT_ONCE):
        np.multiply(powers[..., k - 1], rates, out=powers[..., k])
    probability = (first @ powers) * np.exp(factorials[:, None] - gammaln(counts + 1.0))
    kept = counts.ravel() <= _LARGEST_COUNTED
    return counts.ravel()[kept], probability.reshape(len(rates), -1)[:, kept].T


@lru_cache(_REMEMBERED)
def _episode_groups(mean: float, log_sd: float, lowest: float, shock: float, minimum: int) -> _Groups:
    """Group measured clinicians with enough episodes in the year by their number.

    Counts up to 400 are taken one by one; above, where the noise of cost is next to nothing, the count is
    put at its expectation. Halving the groups moves no solution by more than 3 in a million.
    """
    volume = episode_volume(mean, log_sd, lowest, shock, minimum)
    yearly, shares = yearly_rates(volume.expected, shock)
    weights = volume.weights * volume.chance
    kept = weights > _NEGLIGIBLE
    mass, rates = weights[kept, None] * shares, yearly[kept]
    counts, exact = _count_probabilities(mass, rates)
    above = mass * pdtrc(_LARGEST_COUNTED, rates)
    node, part = np.nonzero(above > _NEGLIGIBLE)
    many, above = np.maximum(rates[node, part], _LARGEST_COUNTED + 1.0), above[node, part]
    order = np.argsort(many, kind="stable")
    node, many, above = node[order], many[order], above[order]
    count = np.concatenate([counts, many])
    probability = np.concatenate([exact.sum(axis=1), above])
    total = probability.sum()
    middle = (np.cumsum(probability) - probability / 2) / total
    group = np.minimum((middle * _GROUPS).astype(np.intp), _GROUPS - 1)
    member = np.zeros((_GROUPS, len(count)))
    member[group, np.arange(len(count))] = 1.0 / total
    share = member[:, : len(counts)] @ exact
    np.add.at(share, (group[len(counts) :], node), above / total)
    summed = np.maximum(share.sum(axis=1), 1e-300)
    filled = summed > 1e-300
    inverse, average = (member @ (probability / count))[filled], (member @ (probability * count))[filled]
    return _Groups(volume.scores[kept], share[filled], inverse / summed[filled], average / summed[filled])


def _probability_score(below: _Array, above: _Array) -> _Array:
    """Give the normal score by the probabilities of both sides, of which the smaller is the more precise."""
    return np.where(below < above, ndtri(np.minimum(below, 0.5)), -ndtri(np.minimum(above, 0.5)))


@lru_cache(_REMEMBERED)
def _joint(score: CostScore, mean: float, log_sd: float, lowest: float, shock: float, minimum: int) -> _Joint:
    """Undo the distribution of the score of cost among measured clinicians with enough episodes."""
    groups = _episode_groups(mean, log_sd, lowest, shock, minimum)
    line = score.episodes * groups.scores
    among, width = groups.share.sum(axis=0), math.sqrt(score.variance)
    nodes = expectation_nodes()
    unit = nodes.weights * np.exp(nodes.scores**2 / 2.0)
    below, above = np.zeros(len(SCORES)), np.zeros(len(SCORES))
    density = np.zeros((len(nodes.scores), len(line)))
    for share, shift in score.shifts:
        apart = (SCORES[:, None] - line - shift) / width
        tail = ndtr(-np.abs(apart))
        below += share * (np.where(apart < 0.0, tail, 1.0 - tail) @ among)
        above += share * (np.where(apart < 0.0, 1.0 - tail, tail) @ among)
        density += share * np.exp(-(((nodes.scores[:, None] - line - shift) / width) ** 2) / 2.0)
    table = read_shape(cost_log_shape(), _probability_score(below, above))
    inside = (density * (unit / width)[:, None]) @ groups.share.T
    # Beyond the table it is constant: what is missing lies there, on either side.
    outside = np.maximum(groups.share.sum(axis=1) - inside.sum(axis=0), 0.0)
    left = below[0] / max(below[0] + above[-1], 1e-300)
    weights = np.vstack([left * outside, inside, (1.0 - left) * outside])
    weights[weights < _NEGLIGIBLE**2] = 0.0
    weights /= weights.sum()
    at, marginal = np.concatenate([[-SCORE_LIMIT], nodes.scores, [SCORE_LIMIT]]), weights.sum(axis=1)
    values = np.interp(at, SCORES, table)
    center = marginal @ values
    deviation = math.sqrt(marginal @ (values - center) ** 2)
    table = rounded_table((table - center) / deviation)
    return _Joint(table, read_shape(table, at), weights)


def _median_step(x: float, weights: _Array, shape: _Array, width: _Array) -> float:
    """Step from x to the median of shape plus noise, by Householder's third-order method; NaN on a flat."""
    score = (x - shape[:, None]) / width
    density = weights * np.exp(np.maximum(-score * score / 2.0, -100.0)) / (math.sqrt(2.0 * math.pi) * width)
    below = float(np.vdot(weights, ndtr(score))) - 0.5
    slope = float(density.sum())
    if not slope > _NEGLIGIBLE:
        return math.nan
    density /= width
    second = -float(np.vdot(density, score)) / (2.0 * slope)
    third = float(np.vdot(density / width, score * score - 1.0)) / (6.0 * slope)
    step = -below / slope
    return step - second * step**2 + (2.0 * second * second - third) * step**3


def _merged(weights: _Array, values: _Array, count: int) -> tuple[_Array, _Array]:
    """Merge neighbors along the first axis of weights: their sums, and the means of values, shape (n,)."""
    first = np.arange(0, len(values), count)
    each = weights.sum(axis=1)
    total = np.maximum(np.add.reduceat(each, first), _NEGLIGIBLE**2)
    return np.add.reduceat(weights, first, axis=0), np.add.reduceat(each * values, first) / total


def _median(weights: _Array, shape: _Array, width: _Array) -> float:
    """Give the median of shape plus normal noise.

    Parameters
    ----------
    weights : ndarray of float64, shape (nodes, groups)
        They sum to 1.
    shape : ndarray of float64, shape (nodes,)
        Values at the nodes.
    width : ndarray of float64, shape (groups,)
        Standard deviations of the groups' noise.
    """
    coarse, fewer_shapes = _merged(weights, shape, 2)
    turned, fewer_widths = _merged(coarse.T, width, 4)
    middle = 0.0
    for grid in ((turned.T, fewer_shapes, fewer_widths), (weights, shape, width)):
        for _ in range(_STEPS):
            step = _median_step(middle, *grid)
            middle += step
            # What is left after a step is about its fourth power.
            if abs(step) <= 1e-4:
                break
        else:
            # Noise narrower than the nodes are apart makes stairs, on which steps may go to and fro.
            return root(
                lambda x: float(np.vdot(weights, ndtr((x - shape[:, None]) / width))) - 0.5, -3.0, 3.0
            )
    return middle


@lru_cache(_REMEMBERED)
def solved_cost(
    median: float,
    deviation: float,
    reliability: float,
    score: CostScore,
    mean: float,
    log_sd: float,
    lowest: float,
    shock: float,
    minimum: int,
) -> Cost:
    """Solve the cost model so that observed costs have CMS's median and standard deviation.

    Let x = log(cost / scale) / spread = s(y) + sqrt(k / n) eps. The reliability fixes k = noise_variance /
    spread^2, so that the median of x does not depend on the spread, and one equation in the spread is left:
    standard deviation over median.

    Parameters
    ----------
    median, deviation : float
        Of the observed cost per episode of clinicians with at least 20 episodes, in US dollars.
    reliability : float
        spread^2 / (spread^2 + noise_variance / mean), at the mean number of episodes.
    score : CostScore
        The score y of cost; whatever its distribution among these clinicians, s(y) has mean 0, variance 1
        and the published shape.
    mean, log_sd, lowest, shock, minimum
        As in `asmrisk.population.calibration.episode_volume`.

    Returns
    -------
    Cost
        Each number rounded by `stable`.

    Raises
    ------
    ValueError
        If no spread gives that ratio of deviation to median.
    """
    noise = mean * (1.0 - reliability) / reliability
    groups = _episode_groups(mean, log_sd, lowest, shock, minimum)
    table, shape, weights = _joint(score, mean, log_sd, lowest, shock, minimum)
    middle = _median(weights, shape, np.sqrt(noise * groups.inverse))

    def moment(power: float, each: _Array | None = None) -> float:
        # Far beyond any spread that is a solution, an exponential must not overflow.
        noisy = np.exp(np.minimum(power * power * noise * groups.inverse / 2.0, 300.0))
        return float(np.exp(power * shape) @ weights @ (noisy if each is None else noisy * each))

    def relative_deviation(spread: float) -> float:
        variance = moment(2.0 * spread) - moment(spread) ** 2
        return math.sqrt(max(variance, 0.0)) / math.exp(spread * middle)

    target = deviation / median
    most, least = relative_deviation(_WIDEST), relative_deviation(_NARROWEST)
    if not least < target < most:
        raise ValueError(f"it must lie between {least * median:.4g} and {most * median:.4g} US dollars")
    spread = stable(root(lambda each: relative_deviation(each) - target, _NARROWEST, _WIDEST))
    scale = stable(median / math.exp(spread * middle))
    episodes = float(weights.sum(axis=0) @ groups.episodes)
    return Cost(
        scale=scale,
        spread=spread,
        noise_variance=stable(spread * spread * noise),
        log_shape=table,
        mean=stable(scale * moment(spread)),
        episode_mean=stable(scale * moment(spread, groups.episodes) / episodes),
    )
