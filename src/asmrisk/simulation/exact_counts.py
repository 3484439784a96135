"""Binomial and Poisson quantiles by the distribution function itself, item by item.

The distribution function is summed from Loader's accurate probabilities, in the tail on the uniform's side of
the median.

References
----------
C. Loader, "Fast and accurate computation of binomial probabilities", 2000.
"""

from __future__ import annotations

import math

import numpy as np

from asmrisk.numerics.jit import inline, kernel
from asmrisk.numerics.portable_math import exp, log
from asmrisk.simulation.cornish_fisher import LEAST_VARIANCE, expansion
from asmrisk.simulation.normal import normal_score

__all__ = [
    "NEGLIGIBLE",
    "binomial_quantile",
    "binomial_search",
    "log_complement",
    "poisson_quantile",
    "poisson_search",
]

#: A mean this small is as good as 0.
NEGLIGIBLE = 1e-300
#: A term this small beside the sum so far changes nothing.
_TINY = 1e-18
_TWO_PI = 6.283185307179586
#: log(n!) less Stirling's formula, for n = 0..15 (n = 0 is never used).
_STIRLING_ERROR = np.array(
    [
        0.0,
        0.081061466795327258220,
        0.041340695955409294094,
        0.027677925684998339149,
        0.020790672103765093111,
        0.016644691189821192163,
        0.013876128823070747999,
        0.011896709945891770096,
        0.010411265261972096497,
        0.009255462182712732918,
        0.008330563433362871256,
        0.007573675487951840795,
        0.006942840107209529865,
        0.006408994188004207068,
        0.005951370112758847736,
        0.005554733551962801371,
    ]
)


@kernel
def _stirling_error(n: float) -> float:
    """log(n!) less Stirling's formula, n >= 1 a whole number."""
    if n < 15.5:
        return float(_STIRLING_ERROR[int(n)])
    v = 1.0 / (n * n)
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - v * (1 / 1188)) * v) * v) * v) / n


@kernel
def _deviance(x: float, mean: float) -> float:
    """Half the deviance, x log(x / mean) + mean - x, without cancellation (Loader's bd0); x, mean > 0."""
    gap = x - mean
    if abs(gap) > 0.1 * (x + mean):
        return x * log(x / mean) - gap
    v = gap / (x + mean)
    total = gap * v
    term = 2.0 * x * v
    v2 = v * v
    odd = 1.0
    previous = total - 1.0
    while total != previous:
        previous = total
        term *= v2
        odd += 2.0
        total += term / odd
    return total


@inline
def log_complement(p: float) -> float:
    """Logarithm of ``1 - p``, accurate for small p: what rounding takes from ``1 - p`` is put back.

    Parameters
    ----------
    p : float
        From 0 to below 1.

    Returns
    -------
    float
        ``log(1 - p)``.

    Examples
    --------
    >>> float(log_complement(0.0))
    0.0
    """
    q = 1.0 - p
    return log(q) + ((1.0 - q) - p)


@kernel
def _binomial_probability(k: float, n: float, p: float) -> float:
    """P(X = k) for 0 <= k <= n, 0 < p < 1 (Loader 2000)."""
    if k == 0.0:
        return exp(n * log_complement(p))
    if k == n:
        return exp(n * log(p))
    rest = n - k
    exponent = _stirling_error(n) - _stirling_error(k) - _stirling_error(rest)
    exponent -= _deviance(k, n * p) + _deviance(rest, n * (1.0 - p))
    return exp(exponent) * math.sqrt(n / (_TWO_PI * k * rest))


@kernel
def _poisson_probability(k: float, mean: float) -> float:
    """P(X = k) for k >= 0, mean > 0 (Loader 2000)."""
    if k == 0.0:
        return exp(-mean)
    return exp(-_stirling_error(k) - _deviance(k, mean)) / math.sqrt(_TWO_PI * k)


@kernel
def _binomial_reaches(u: float, n: float, p: float, k: float) -> bool:
    """Whether P(X <= k) >= u, decided in the tail on u's side of the median."""
    if k < 0.0:
        return False
    if k >= n:
        return True
    odds = p / (1.0 - p)
    if u > 0.5:
        j = k + 1.0
        term = _binomial_probability(j, n, p)
        total = term
        while term > total * _TINY:
            term *= odds * (n - j) / (j + 1.0)
            total += term
            j += 1.0
        return total <= 1.0 - u
    j = k
    term = _binomial_probability(j, n, p)
    total = term
    while term > total * _TINY:
        term *= j / (odds * (n - j + 1.0))
        total += term
        j -= 1.0
    return total >= u


@kernel
def _poisson_reaches(u: float, mean: float, k: float) -> bool:
    """Whether P(X <= k) >= u, decided in the tail on u's side of the median."""
    if k < 0.0:
        return False
    if u > 0.5:
        j = k + 1.0
        term = _poisson_probability(j, mean)
        total = term
        while term > total * _TINY:
            j += 1.0
            term *= mean / j
            total += term
        return total <= 1.0 - u
    j = k
    term = _poisson_probability(j, mean)
    total = term
    while term > total * _TINY:
        term *= j / mean
        total += term
        j -= 1.0
    return total >= u


@kernel
def binomial_search(u: float, n: float, p: float, k: float) -> float:
    """Find the smallest count that reaches u, from a count that is near it or near the mean.

    Parameters
    ----------
    u : float
        From 2**-33 to 1 - 2**-33.
    n, p : float
        Trials, a whole number, and probability, strictly between 0 and 1.
    k : float
        A whole number: where to begin.

    Returns
    -------
    float
        The quantile, a whole number.
    """
    if _binomial_reaches(u, n, p, k):
        while _binomial_reaches(u, n, p, k - 1.0):
            k -= 1.0
        return k
    k += 1.0
    while not _binomial_reaches(u, n, p, k):
        k += 1.0
    return k


@kernel
def poisson_search(u: float, mean: float, k: float) -> float:
    """Find the smallest count that reaches u, from a count that is near it or near the mean.

    Parameters
    ----------
    u : float
        From 2**-33 to 1 - 2**-33.
    mean : float
        Above `NEGLIGIBLE`.
    k : float
        A whole number: where to begin.

    Returns
    -------
    float
        The quantile, a whole number.
    """
    if _poisson_reaches(u, mean, k):
        while _poisson_reaches(u, mean, k - 1.0):
            k -= 1.0
        return k
    k += 1.0
    while not _poisson_reaches(u, mean, k):
        k += 1.0
    return k


@kernel
def binomial_quantile(u: float, trials: int, probability: float) -> int:
    """Smallest k with P(X <= k) >= u for a binomial X, by exact sums from a good guess.

    Parameters
    ----------
    u : float
        From 2**-33 to 1 - 2**-33.
    trials : int
        0 to 100,000.
    probability : float
        0 to 1, both included.

    Returns
    -------
    int
        The quantile; exact unless u is within 1e-12 of a step, relative to u or, above 1/2, to 1 - u.

    Examples
    --------
    >>> binomial_quantile(0.25, 10, 0.5)
    4
    """
    n = float(trials)
    variance = n * probability * (1.0 - probability)
    if variance < NEGLIGIBLE:
        return int(n) if probability > 0.5 else 0
    guess = n * probability
    if variance >= LEAST_VARIANCE:
        skew, product = 1.0 - 2.0 * probability, probability * (1.0 - probability)
        deviation = math.sqrt(variance)
        guess = expansion(normal_score(u), guess, deviation, 1.0 / deviation, skew, product)
        guess = min(max(guess, 0.0), n)
    return int(binomial_search(u, n, probability, float(int(guess))))


@kernel
def poisson_quantile(u: float, mean: float) -> int:
    """Smallest k with P(X <= k) >= u for a Poisson X, by exact sums from a good guess.

    Parameters
    ----------
    u : float
        From 2**-33 to 1 - 2**-33.
    mean : float
        0 to 200,000.

    Returns
    -------
    int
        The quantile; exact unless u is within 1e-12 of a step, relative to u or, above 1/2, to 1 - u.

    Examples
    --------
    >>> poisson_quantile(0.25, 5.0)
    3
    """
    if mean < NEGLIGIBLE:
        return 0
    guess = mean
    if mean >= LEAST_VARIANCE:
        deviation = math.sqrt(mean)
        guess = max(expansion(normal_score(u), mean, deviation, 1.0 / deviation, 1.0, 0.0), 0.0)
    return int(poisson_search(u, mean, float(int(guess))))
