"""Quadrature over normal scores: Gauss-Hermite, and counts that are Poisson with a lognormal mean."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import fma, inline, inner, kernel
from asmrisk.numerics.portable_math import log, normal_exp, quick_log

__all__ = ["TERMS", "hermite_rule", "poisson_lognormal", "shock_series"]

_Array = NDArray[np.float64]

_SHOCK_NODES = 9
#: Terms of a polynomial.
TERMS = 12
#: Shocks below count as none.
_NO_SHOCK = 1e-6


@cache
def hermite_rule(count: int) -> tuple[_Array, _Array]:
    """Give nodes and weights of `count` points for expectations under the standard normal distribution."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()


# Rounded, since the last bits of math libraries differ.
_NODES, _WEIGHTS = (np.round(each, 14) for each in hermite_rule(_SHOCK_NODES))
_ANGLES = np.pi * (np.arange(TERMS) + 0.5) / TERMS
_POINTS = np.round(np.cos(_ANGLES), 14)
_TRANSFORM = np.round(np.cos(np.arange(TERMS)[:, None] * _ANGLES) * (2.0 / TERMS), 14)
_TRANSFORM[0] /= 2.0
# From Chebyshev polynomials to powers.
_POWERS = np.zeros((TERMS, TERMS))
for _k in range(TERMS):
    _POWERS[: _k + 1, _k] = np.polynomial.chebyshev.cheb2poly(np.eye(_k + 1)[_k])
_TRANSFORM = np.round(_POWERS @ _TRANSFORM, 12)


@inline
def _third_remainder(x: float) -> float:
    """Give ``exp(x) - 1 - x - x^2 / 2``."""
    if abs(x) > 1.0:
        return normal_exp(x) - 1.0 - x - 0.5 * x * x
    total = 1.0
    for k in range(20, 3, -1):
        total = 1.0 + x / k * total
    return x * x * x / 6.0 * total


@kernel
def _fill_series(
    log_sd: float,
    nodes: np.ndarray,
    weights: np.ndarray,
    points: np.ndarray,
    transform: np.ndarray,
    series: np.ndarray,
) -> None:
    """Write what `shock_series` gives."""
    terms = series.shape[0]
    for k in range(terms):
        series[k] = 0.0
    if log_sd < _NO_SHOCK:
        return
    for j in range(terms):
        u = 0.5 + 0.5 * points[j]
        width = log_sd * math.sqrt(1.0 - u)
        rate = u / (log_sd * log_sd * (1.0 - u))
        total = 0.0
        for n in range(nodes.shape[0]):
            total += weights[n] * normal_exp(-rate * _third_remainder(width * nodes[n]))
        height = log(total)
        for k in range(terms):
            series[k] += transform[k, j] * height


def shock_series(log_sd: float) -> _Array:
    """Give the polynomial in x - 1 over x + 1 of `poisson_lognormal` for a shock, shape (TERMS,)."""
    series = np.empty(TERMS)
    _fill_series(log_sd, _NODES, _WEIGHTS, _POINTS, _TRANSFORM, series)
    return series


@inline
def _nearer(x: float, y: float) -> float:
    """Take a step towards the x with ``x + log(x) = y``, of fourth order."""
    rest = y - x - quick_log(x)
    one = 1.0 + x
    two = 2.0 * one * fma(0.6666666666666666, rest, one)
    return fma(x, rest * (two - rest) / (one * fma(-2.0, rest, two)), x)


@inline
def _omega(y: float) -> float:
    """Give the x with ``x + log(x) = y``, Wright's omega function (Fritsch and others, CACM 16, 1973)."""
    e = normal_exp(y if y < 1.0 else 1.0)
    far = y if y > 1.0 else 1.0
    shift = quick_log(far)
    # One quotient for what is small and what is large.
    top = e * fma(1.3333333333333333, e, 1.0) if y <= 1.0 else shift
    bottom = fma(e, fma(0.8333333333333334, e, 2.3333333333333335), 1.0) if y <= 1.0 else far
    x = top / bottom
    x = x if y <= 1.0 else far - shift + x
    x = _nearer(x, y)
    return _nearer(x, y)


@inner
def poisson_lognormal(
    count: np.ndarray, log_mean: np.ndarray, log_sd: float, series: np.ndarray, out: np.ndarray, n: int
) -> None:
    """Write the logarithm of the probability of counts that are Poisson with a lognormal mean.

    It is Gauss-Hermite quadrature, nine nodes, around the integrand's peak over the shock (Liu and Pierce,
    Biometrika 81, 1994). With x = s^2 r for the rate r at the peak and the shock's deviation s, the peak is
    where ``x + log(x) = log_mean - s^2 / 2 + s^2 count + log(s^2)``, and the sum over the nodes relative to
    its normal part depends on ``x / (1 + x)`` alone, as `shock_series` has it.

    Parameters
    ----------
    count : ndarray of float64, shape (at least n,)
        Whole numbers.
    log_mean : ndarray of float64, shape (at least n,)
        Logarithm of the expectation of each count.
    log_sd : float
        Standard deviation of the logarithm of the Poisson's mean.
    series : ndarray of float64, shape (TERMS,)
        `shock_series` of this deviation.
    out : ndarray of float64, shape (at least n,)
        Written, but for a constant of the count.
    n : int
        How many.
    """
    if log_sd < _NO_SHOCK:
        for k in range(n):
            out[k] = count[k] * log_mean[k] - normal_exp(log_mean[k])
        return
    variance = log_sd * log_sd
    precision, scale = 1.0 / variance, log(variance)
    # Scalars instead of array elements: so the loop becomes vector instructions.
    c0, c1, c2, c3, c4, c5 = series[0], series[1], series[2], series[3], series[4], series[5]
    c6, c7, c8, c9, c10, c11 = series[6], series[7], series[8], series[9], series[10], series[11]
    for k in range(n):
        y = log_mean[k] + fma(variance, count[k] - 0.5, scale)
        x = _omega(y)
        rate = x * precision
        t = (x - 1.0) / (x + 1.0)
        height = fma(fma(fma(fma(fma(c11, t, c10), t, c9), t, c8), t, c7), t, c6)
        height = fma(fma(fma(fma(fma(fma(height, t, c5), t, c4), t, c3), t, c2), t, c1), t, c0)
        apart = log_sd * (count[k] - rate)
        height = height - 0.5 * quick_log(1.0 + x) - 0.5 * apart * apart
        out[k] = fma(count[k], y - x - scale, height - rate)
