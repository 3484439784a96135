"""Quantile functions: from published percentiles to a value for every normal score.

Two kinds. A *log shape* is a table of a logarithm over normal scores, read linearly between its points; that
piecewise linear function, not the smooth curve behind it, is the quantile function, so that every integral
over it is one over what the simulation draws from. A *rate* is linear in probability between the published
percentiles and constant outside.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtri

from asmrisk.numerics.curves import monotone_cubic, root
from asmrisk.numerics.normal_distribution import stable
from asmrisk.scenario import published_tables as tables

__all__ = [
    "SCORES",
    "SCORE_COUNT",
    "SCORE_LIMIT",
    "SCORE_STEP",
    "cost_log_shape",
    "expectation_nodes",
    "log_shape",
    "mean_rate",
    "part_b_log_shape",
    "rates",
    "read_rate",
    "read_shape",
    "rounded_table",
    "shifted_to_mean",
]

#: Normal scores at which shapes are tabulated: -6.5 to 6.5 (one in 12 billion lies outside) in sixteenths.
SCORE_LIMIT = 6.5
SCORE_STEP = 0.0625
SCORE_COUNT = 209
SCORES = -SCORE_LIMIT + SCORE_STEP * np.arange(SCORE_COUNT)
SCORES.flags.writeable = False

#: Shapes remembered: those of the draws in flight, each with values of its own.
_REMEMBERED = 256

_TABLE_DECIMALS = 7


class Nodes(NamedTuple):
    """A quadrature rule for expectations under the standard normal distribution.

    Attributes
    ----------
    scores : ndarray of float64, shape (Q,)
        Normal scores.
    weights : ndarray of float64, shape (Q,)
        They sum to 1.
    """

    scores: NDArray[np.float64]
    weights: NDArray[np.float64]


@cache
def expectation_nodes() -> Nodes:
    """Give the rule for functions that have a kink at each of `SCORES`: Gauss-Legendre in every cell.

    Returns
    -------
    Nodes
        Two nodes in each of the 208 cells; the error is of fourth order in the step.
    """
    points, weights = np.polynomial.legendre.leggauss(2)
    centers = SCORES[:-1, None] + SCORE_STEP / 2
    scores = (centers + points * SCORE_STEP / 2).ravel()
    mass = np.tile(weights, SCORE_COUNT - 1) * np.exp(-(scores**2) / 2)
    return Nodes(scores, mass / mass.sum())


def read_shape(table: NDArray[np.float64], scores: ArrayLike) -> NDArray[np.float64]:
    """Read a log shape, a table at `SCORES`, as the simulation does: linear inside, constant outside."""
    return np.interp(np.asarray(scores, dtype=np.float64), SCORES, table)


def log_shape(
    probabilities: ArrayLike, logarithms: ArrayLike, upper_slope: float | None = None
) -> NDArray[np.float64]:
    """Tabulate a quantile function from the logarithms of a few quantiles.

    Monotone (PCHIP) interpolation in the normal score; beyond the first and the last quantile a straight
    line, that is a lognormal tail.

    Parameters
    ----------
    probabilities : array_like of float, shape (K,)
        Ascending, inside (0, 1).
    logarithms : array_like of float, shape (K,)
        Ascending.
    upper_slope : float, optional
        Slope of the upper tail (the lognormal's standard deviation). Without it, and in the lower tail, the
        slope between the two nearest quantiles.

    Returns
    -------
    ndarray of float64, shape (209,)
        Logarithms at `SCORES`.
    """
    knots = ndtri(np.asarray(probabilities, dtype=np.float64))
    heights = np.asarray(logarithms, dtype=np.float64)
    first, last = knots[0], knots[-1]
    table = monotone_cubic(knots, heights, np.clip(SCORES, first, last))
    below = (heights[1] - heights[0]) / (knots[1] - first)
    above = (heights[-1] - heights[-2]) / (last - knots[-2]) if upper_slope is None else upper_slope
    table += np.minimum(SCORES - first, 0.0) * below
    table += np.maximum(SCORES - last, 0.0) * above
    return np.asarray(table, dtype=np.float64)


def rounded_table(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round a table to seven decimals, read-only: the last bits differ between processors."""
    table = np.round(table, _TABLE_DECIMALS)
    table.flags.writeable = False
    return table


def _mean(table: NDArray[np.float64]) -> float:
    """Give the mean of what a log shape is the logarithm of."""
    nodes = expectation_nodes()
    return float(nodes.weights @ np.exp(read_shape(table, nodes.scores)))


@cache
def _part_b_points(specialty: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give probabilities and logarithms of payments over their mean, with the tail of the table.

    Body and tail are of different years and do not have the mean that both are relative to. The tail is what
    was observed of the year whose mean counts, so the body is moved until the mean is 1.
    """
    probabilities, ratios = tables.part_b_shape(specialty)
    logarithms, body = np.log(ratios), probabilities <= tables.PART_B_SPLICE
    slope = tables.part_b_tail_slope(specialty)

    def moved(by: float) -> NDArray[np.float64]:
        shifted: NDArray[np.float64] = logarithms + by * body
        return shifted

    by = root(lambda by: _mean(log_shape(probabilities, moved(by), slope)) - 1.0, -0.2, 0.1)
    return probabilities, moved(stable(by))


@lru_cache(_REMEMBERED)
def part_b_log_shape(specialty: str, tail_slope: float) -> NDArray[np.float64]:
    """Tabulate the shape of Part B payments of a specialty.

    Parameters
    ----------
    specialty : str
        One of `SPECIALTIES`.
    tail_slope : float
        Slope of the logarithm above the highest quantile of the table.

    Returns
    -------
    ndarray of float64, shape (209,), read-only
        Logarithm of payment over mean payment at `SCORES`; the mean under the normal distribution is 1.
    """
    table = log_shape(*_part_b_points(specialty), tail_slope)
    return rounded_table(table - np.log(_mean(table)))


@cache
def cost_log_shape() -> NDArray[np.float64]:
    """Tabulate the skewed shape of log cost per episode.

    Returns
    -------
    ndarray of float64, shape (209,), read-only
        Standardized: mean 0 and variance 1 under the normal distribution.
    """
    table = log_shape(tables.KNOT_PROBABILITIES, tables.cost_shape())
    nodes = expectation_nodes()
    values = read_shape(table, nodes.scores)
    mean = nodes.weights @ values
    deviation = np.sqrt(nodes.weights @ (values - mean) ** 2)
    return rounded_table((table - mean) / deviation)


def read_rate(quantiles: NDArray[np.float64], probabilities: ArrayLike) -> NDArray[np.float64]:
    """Read a rate, known at `tables.KNOT_PROBABILITIES`, as the simulation does: linear, constant outside."""
    return np.interp(np.asarray(probabilities, dtype=np.float64), tables.KNOT_PROBABILITIES, quantiles)


def mean_rate(quantiles: NDArray[np.float64]) -> float:
    """Give the mean of a rate's quantile function, exactly: it is linear between its knots."""
    knots = np.array([0.0, *tables.KNOT_PROBABILITIES, 1.0])
    return float(np.trapezoid(np.concatenate([quantiles[:1], quantiles, quantiles[-1:]]), knots))


def shifted_to_mean(quantiles: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Shift rates inside (0, 1), by one constant in the logit, to a given mean of the quantile function."""
    shift = root(lambda by: mean_rate(expit(logit(quantiles) + by)) - mean, -10.0, 10.0)
    return np.asarray(expit(logit(quantiles) + shift), dtype=np.float64)


@cache
def rates(measure: str, collection_type: str) -> NDArray[np.float64] | None:
    """Give the quantiles of the true rates of a measure among those who report it in one way.

    Parameters
    ----------
    measure : str
        Name of a measure with published percentiles.
    collection_type : str
        One of `COLLECTION_TYPES`.

    Returns
    -------
    ndarray of float64, shape (11,), read-only, or None
        Rates at `tables.KNOT_PROBABILITIES`, ascending; ``None`` if the measure is not reported in this way.
        Where CMS publishes a ladder set by policy in place of percentiles: those of the eCQM, moved to CMS's
        average.
    """
    published = tables.benchmark_percentiles(measure, collection_type)
    if published is None:
        if tables.benchmark_percentiles(measure, collection_type, ladder=True) is None:
            return None
        electronic = tables.benchmark_percentiles(measure, "ecqm")
        assert electronic is not None
        published = shifted_to_mean(electronic, tables.average_rate(measure, collection_type))
        published = np.array([stable(rate) for rate in published])
    published.flags.writeable = False
    return published
