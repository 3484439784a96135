"""The cost of an episode: levels, spread and shape with which CMS's figures hold among those it measured.

CMS's figures are of clinicians with at least 20 episodes. Cost goes together with episodes, so these are no
random clinicians, and how much luck is in their cost, which falls with their episodes, goes together with it
too. All is quadrature over the joint distribution of the score of cost and the number of episodes, n. What is
asked of it is smooth in 1 / n and in the score of expected episodes, so that Gauss's rules of few nodes take
the place of all counts and scores. They depend on volumes only and are remembered, as volumes are seldom
uncertain.
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
_COUNTS_AT_ONCE = 16

#: Nodes of 1 / n; nodes of the score of expected episodes, by how closely cost goes together with it: what is
#: left out falls with that correlation to the power of the nodes. Against three times as many, scale and
#: spread move by less than 7 in a million (reliability 0.3, correlation -0.85), commonly by less than one.
_GROUPS = 8
_NODES_IF_LOOSE, _NODES_IF_CLOSE = 16, 48
_CLOSE = 0.45

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
    """Measured clinicians with at least 20 episodes in the year, at nodes of 1 / n and of expected episodes.

    `scores`, of shape (nodes,), are those of expected episodes; `share` and `episodes`, of shape (groups,
    nodes), are shares of clinicians, which sum to 1, and of their episodes, which sum to the mean; a few are
    below 0. `inverse`, of shape (groups,), are the nodes of 1 / n.
    """

    scores: _Array
    share: _Array
    episodes: _Array
    inverse: _Array


class _Joint(NamedTuple):
    """Shape over the score of cost: the table, and values and weights at nodes of the score, by group.

    Of shapes (209,), (nodes,) and (nodes, groups); `weights` are of clinicians, `episodes` of episodes.
    """

    log_shape: _Array
    shape: _Array
    weights: _Array
    episodes: _Array


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


def _gauss_rule(points: _Array, weights: _Array, count: int) -> tuple[_Array, _Array]:
    """Give Gauss's rule of a discrete distribution (Golub and Welsch, Mathematics of Computation 23, 1969).

    Parameters
    ----------
    points, weights : ndarray of float64, shape (N,)
        The distribution; weights need not sum to 1.
    count : int
        Nodes; of a distribution with few points fewer.

    Returns
    -------
    nodes : ndarray of float64, shape (count,)
    shares : ndarray of float64, shape (N, count)
        Lagrange's polynomials of the nodes: how a point is spread over them; 0 at points without weight.
    """
    kept = weights > _NEGLIGIBLE * weights.sum()
    points, roots = points[kept], np.sqrt(weights[kept] / weights[kept].sum())
    count = min(count, max(len(points) // 2, 1))
    # Orthonormal polynomials times the roots of the weights, by Lanczos's method.
    basis, jacobi = np.empty((count, len(points))), np.zeros((count, count))
    basis[0] = roots
    for k in range(count):
        product = points * basis[k]
        jacobi[k, k] = product @ basis[k]
        if k + 1 < count:
            for _ in range(2):
                product -= (basis[: k + 1] @ product) @ basis[: k + 1]
            jacobi[k + 1, k] = np.linalg.norm(product)
            basis[k + 1] = product / jacobi[k + 1, k]
    nodes, vectors = np.linalg.eigh(jacobi)
    shares = np.zeros((len(weights), count))
    shares[kept] = (basis / roots).T @ (vectors * vectors[0])
    return nodes, shares


@lru_cache(_REMEMBERED)
def _episode_groups(
    mean: float, log_sd: float, lowest: float, shock: float, minimum: int, nodes: int
) -> _Groups:
    """Put measured clinicians with enough episodes in the year on few nodes of 1 / n and of their score.

    Counts up to 400 are taken one by one; above, where the noise of cost is next to nothing, the count is
    put at its expectation.
    """
    volume = episode_volume(mean, log_sd, lowest, shock, minimum)
    yearly, shares = yearly_rates(volume.expected, shock)
    weights = volume.weights * volume.chance
    kept = weights > _NEGLIGIBLE
    mass, rates = weights[kept, None] * shares, yearly[kept]
    counts, exact = _count_probabilities(mass, rates)
    above = mass * pdtrc(_LARGEST_COUNTED, rates)
    node, part = np.nonzero(above > _NEGLIGIBLE)
    count = np.concatenate([counts, np.maximum(rates[node, part], _LARGEST_COUNTED + 1.0)])
    above = above[node, part]
    among = exact.sum(axis=0) + np.bincount(node, above, len(mass))
    inverse, by_count = _gauss_rule(1.0 / count, np.concatenate([exact.sum(axis=1), above]), _GROUPS)
    scores, by_score = _gauss_rule(volume.scores[kept], among, nodes)

    def joint(times: _Array) -> _Array:
        few, many = np.split(by_count * times[:, None], [len(counts)])
        together = few.T @ exact @ by_score + (many * above[:, None]).T @ by_score[node]
        return np.asarray(together / among.sum(), dtype=np.float64)

    return _Groups(scores, joint(np.ones_like(count)), joint(count), inverse)


def _groups_of(
    score: CostScore, mean: float, log_sd: float, lowest: float, shock: float, minimum: int
) -> _Groups:
    """Give the groups with as many nodes as a score of cost needs."""
    close = score.episodes**2 > _CLOSE**2 * (score.episodes**2 + score.variance)
    nodes = _NODES_IF_CLOSE if close else _NODES_IF_LOOSE
    return _episode_groups(mean, log_sd, lowest, shock, minimum, nodes)


def _joint(score: CostScore, groups: _Groups) -> _Joint:
    """Undo the distribution of the score of cost among measured clinicians with enough episodes."""
    among, width = groups.share.sum(axis=0), math.sqrt(score.variance)
    shares, shifts = np.array(score.shifts).T
    middles = (score.episodes * groups.scores)[:, None] + shifts
    mixture = among[:, None] * shares
    # On either side of the mean the probability beyond, which is the smaller and so the more precise.
    side = np.where(np.vdot(mixture, middles) > SCORES, 1.0, -1.0)
    apart = (SCORES[:, None] - middles.ravel()) * (side / width)[:, None]
    beyond = np.clip(ndtr(apart) @ mixture.ravel(), 0.0, 1.0)
    table = read_shape(cost_log_shape(), side * ndtri(beyond))
    nodes = expectation_nodes()
    unit = nodes.weights * np.exp(nodes.scores**2 / 2.0) / width
    density = (nodes.scores[:, None] - middles.ravel()) * (math.sqrt(0.5) / width)
    np.exp(-np.minimum(density * density, 100.0), out=density)
    density = (density.reshape(-1, *middles.shape) @ shares) * unit[:, None]
    # Beyond the table it is constant: what is missing lies there, on either side.
    left, right = (
        np.where(side > 0.0, beyond, 1.0 - beyond)[0],
        np.where(side > 0.0, 1.0 - beyond, beyond)[-1],
    )
    left /= max(left + right, 1e-300)
    at = np.concatenate([[-SCORE_LIMIT], nodes.scores, [SCORE_LIMIT]])

    def weights(share: _Array) -> _Array:
        inside = density @ share.T
        outside = share.sum(axis=1) - inside.sum(axis=0)
        return np.vstack([left * outside, inside, (1.0 - left) * outside])

    clinicians = weights(groups.share)
    clinicians /= clinicians.sum()
    values, marginal = np.interp(at, SCORES, table), clinicians.sum(axis=1)
    center = marginal @ values
    table = rounded_table((table - center) / math.sqrt(marginal @ (values - center) ** 2))
    return _Joint(table, read_shape(table, at), clinicians, weights(groups.episodes))


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
    middle = 0.0
    for _ in range(_STEPS):
        step = _median_step(middle, weights, shape, width)
        middle += step
        # What is left after a step is about its fourth power.
        if abs(step) <= 1e-4:
            return middle
    # Noise narrower than the nodes are apart makes stairs, on which steps may go to and fro.
    return root(lambda x: float(np.vdot(weights, ndtr((x - shape[:, None]) / width))) - 0.5, -3.0, 3.0)


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
    groups = _groups_of(score, mean, log_sd, lowest, shock, minimum)
    table, shape, weights, episodes = _joint(score, groups)
    middle = _median(weights, shape, np.sqrt(noise * groups.inverse))

    def moment(power: float, each: _Array = weights) -> float:
        # Far beyond any spread that is a solution, an exponential must not overflow.
        noisy = np.exp(np.minimum(power * power * noise * groups.inverse / 2.0, 300.0))
        return float(np.exp(power * shape) @ each @ noisy)

    def relative_deviation(spread: float) -> float:
        variance = moment(2.0 * spread) - moment(spread) ** 2
        return math.sqrt(max(variance, 0.0)) / math.exp(spread * middle)

    target = deviation / median
    most, least = relative_deviation(_WIDEST), relative_deviation(_NARROWEST)
    if not least < target < most:
        raise ValueError(f"it must lie between {least * median:.4g} and {most * median:.4g} US dollars")
    spread = stable(root(lambda each: relative_deviation(each) - target, _NARROWEST, _WIDEST))
    scale = stable(median / math.exp(spread * middle))
    return Cost(
        scale=scale,
        spread=spread,
        noise_variance=stable(spread * spread * noise),
        log_shape=table,
        mean=stable(scale * moment(spread)),
        episode_mean=stable(scale * moment(spread, episodes) / episodes.sum()),
    )
