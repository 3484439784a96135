"""Quadrature over normal scores: Gauss-Hermite, and posterior moments of many clinicians at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

__all__ = ["hermite_rule", "poisson_lognormal_log_likelihood", "posterior_moments"]

_Array = NDArray[np.float64]

#: A function of the score at grid points, shape (k, P), for the clinicians with these numbers, shape (k,).
LogLikelihood = Callable[[_Array, NDArray[np.intp]], _Array]

_POINTS = 81
#: Prior standard deviations to either side that are looked at.
_REACH = 7.0
#: A density below exp(-32) of its peak, eight standard deviations off, counts for nothing.
_NEGLIGIBLE = -32.0
#: With fewer points than these in the density the grid is drawn in around it.
_ENOUGH = 40
_PASSES = 5
#: Clinicians worked on together, for the sake of memory.
_TOGETHER = 2048

_NEWTON_STEPS = 8
_SHOCK_NODES = 9


@cache
def hermite_rule(count: int) -> tuple[_Array, _Array]:
    """Give nodes and weights of `count` points for expectations under the standard normal distribution."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()


def posterior_moments(
    log_likelihood: LogLikelihood, prior_mean: _Array, prior_sd: _Array
) -> tuple[_Array, _Array]:
    """Update normal priors of n scores, one for each clinician, on grids that adapt to each.

    Parameters
    ----------
    log_likelihood : callable
        ``log_likelihood(scores, rows)`` for scores of shape (k, P) of the clinicians `rows`, shape (k,);
        constants of a clinician do not matter.
    prior_mean, prior_sd : ndarray of float64, shape (n,)
        Of the scores; no deviation is 0.

    Returns
    -------
    mean, sd : ndarray of float64, shape (n,)
        Of the posterior, exact moments but for the grid: trapezoidal, within seven prior standard deviations.
    """
    mean, sd = np.empty_like(prior_mean), np.empty_like(prior_sd)
    unit = np.linspace(0.0, 1.0, _POINTS)
    for first in range(0, len(mean), _TOGETHER):
        rows = np.arange(first, min(first + _TOGETHER, len(mean)))
        low, high = np.full(len(rows), -_REACH), np.full(len(rows), _REACH)
        for _ in range(_PASSES):
            z = low[:, None] + (high - low)[:, None] * unit
            log = log_likelihood(prior_mean[rows, None] + prior_sd[rows, None] * z, rows) - z * z / 2.0
            log -= log.max(axis=1, keepdims=True)
            density = np.exp(log)
            total = density.sum(axis=1)
            center = (density * z).sum(axis=1) / total
            spread = (density * (z - center[:, None]) ** 2).sum(axis=1) / total
            # A density narrower than the grid is one of the grid's width.
            step = (high - low) / (_POINTS - 1)
            mean[rows] = prior_mean[rows] + prior_sd[rows] * center
            sd[rows] = prior_sd[rows] * np.sqrt(np.maximum(spread, step * step / 12.0))
            near = log > _NEGLIGIBLE
            left = np.maximum(near.argmax(axis=1) - 1, 0)
            right = np.minimum(_POINTS - near[:, ::-1].argmax(axis=1), _POINTS - 1)
            narrow = right - left < _ENOUGH
            if not narrow.any():
                break
            rows = rows[narrow]
            low, high = (low + left * step)[narrow], (low + right * step)[narrow]
    return mean, sd


def poisson_lognormal_log_likelihood(count: _Array, log_mean: _Array, log_sd: float) -> _Array:
    """Give the logarithm of the probability of counts that are Poisson with a lognormal mean.

    Parameters
    ----------
    count : ndarray of float64, shape (k, 1)
        Whole numbers.
    log_mean : ndarray of float64, shape (k, P)
        Logarithm of the expectation of the count.
    log_sd : float
        Standard deviation of the logarithm of the Poisson's mean.

    Returns
    -------
    ndarray of float64, shape (k, P)
        By Gauss-Hermite quadrature around the integrand's peak (Liu and Pierce, Biometrika 81, 1994).
    """
    constant = gammaln(count + 1.0)
    if log_sd == 0.0:
        return np.asarray(count * log_mean - np.exp(log_mean) - constant, dtype=np.float64)
    base = log_mean - log_sd * log_sd / 2.0
    # The peak over the shock e of count (base + sd e) - exp(base + sd e) - e^2 / 2, by Newton's method from
    # where it would be if the logarithm of the count were normal.
    information = (count + 0.5) * log_sd
    shock = information * (np.log(count + 0.5) - base) / (1.0 + information * log_sd)
    for _ in range(_NEWTON_STEPS):
        rate = np.exp(base + log_sd * shock)
        slope = log_sd * (count - rate) - shock
        shock = shock + np.clip(slope / (1.0 + log_sd * log_sd * rate), -2.0 / log_sd, 2.0 / log_sd)
    width = 1.0 / np.sqrt(1.0 + log_sd * log_sd * np.exp(base + log_sd * shock))
    total = np.zeros_like(log_mean)

    def integrand(at: _Array) -> _Array:
        power = base + log_sd * at
        return np.asarray(count * power - np.exp(power) - at * at / 2.0, dtype=np.float64)

    peak = integrand(shock)
    nodes, weights = hermite_rule(_SHOCK_NODES)
    for node, weight in zip(nodes.tolist(), np.log(weights).tolist(), strict=True):
        total += np.exp(integrand(shock + width * node) - peak + node * node / 2.0 + weight)
    return np.asarray(peak + np.log(width * total) - constant, dtype=np.float64)
