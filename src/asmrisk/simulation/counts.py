"""Exact binomial and Poisson quantiles: one uniform makes one count, monotone in it.

A quantile is found in two steps. A Cornish-Fisher expansion about the normal quantile gives a candidate for
all items of a batch, without branches; its error is bounded (`tolerance`), so wherever the expansion lies
farther than that from the boundary between two counts, the candidate is the quantile. The few doubtful items
are settled by the distribution function itself, summed from Loader's accurate probabilities in the tail on
the uniform's side of the median. Where the variance is too small for the expansion, the probabilities are
summed from 0 upward until they reach the uniform.

References
----------
C. Loader, "Fast and accurate computation of binomial probabilities", 2000.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import inline, inner, kernel
from asmrisk.numerics.portable_math import ROUNDER, exp, log
from asmrisk.simulation.batches import exponentials, normal_scores
from asmrisk.simulation.cornish_fisher import LEAST_VARIANCE, cornish_fisher, tolerance

__all__ = ["BinomialScratch", "binomial_quantiles", "make_binomial_scratch", "poisson_quantiles"]

#: A mean this small is as good as 0.
_NEGLIGIBLE = 1e-300
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
#: Marks an item that is to be summed outright.
_TO_SUM = -1e300
#: Marks an item whose target a sum from 0 upward cannot settle.
_BEYOND = 1.0
#: Items that are summed in parallel: enough for vectors, few enough that one long sum delays few others.
_SUMMED_GROUP = 256
#: Items of a group that is passed over if none is marked.
_MARKED_GROUP = 32
#: From here to as far below 1 the tolerance is below 1/2 for every variance from `LEAST_VARIANCE`.
_LEAST_CENTRAL = 0.005
#: A sum from 0 upward settles targets up to here; nearer to 1 its rounding errors are too large beside 1 - u.
_GREATEST_SUM = 1.0 - 2.0**-10


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
def _log_complement(p: float) -> float:
    """``log(1 - p)`` for 0 <= p < 1, accurate for small p: what rounding takes from ``1 - p`` is put back."""
    q = 1.0 - p
    return log(q) + ((1.0 - q) - p)


@kernel
def _binomial_probability(k: float, n: float, p: float) -> float:
    """P(X = k) for 0 <= k <= n, 0 < p < 1 (Loader 2000)."""
    if k == 0.0:
        return exp(n * _log_complement(p))
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


@inline
def _central(u: float) -> bool:
    """Whether the counts on both sides of a doubtful expansion are all that come into question.

    Its error, half of `tolerance`, is below 1/4 there.
    """
    return _LEAST_CENTRAL < u < 1.0 - _LEAST_CENTRAL


@kernel
def _search_binomial(u: float, n: float, p: float, k: float) -> float:
    """Find the smallest count that reaches u, from a count k that is near it or near the mean."""
    if _binomial_reaches(u, n, p, k):
        while _binomial_reaches(u, n, p, k - 1.0):
            k -= 1.0
        return k
    k += 1.0
    while not _binomial_reaches(u, n, p, k):
        k += 1.0
    return k


@kernel
def _search_poisson(u: float, mean: float, k: float) -> float:
    """Find the smallest count that reaches u, from a count k that is near it or near the mean."""
    if _poisson_reaches(u, mean, k):
        while _poisson_reaches(u, mean, k - 1.0):
            k -= 1.0
        return k
    k += 1.0
    while not _poisson_reaches(u, mean, k):
        k += 1.0
    return k


class BinomialScratch(NamedTuple):
    """Room for binomials that are summed outright; contents mean nothing between calls."""

    picked: NDArray[np.uint64]  # (items,): which items; an unsigned index needs no check for its sign
    target: NDArray[np.float64]  # (items,): what the sum has to reach
    odds: NDArray[np.float64]  # (items,)
    rest: NDArray[np.float64]  # (items,): trials
    term: NDArray[np.float64]  # (items,)
    total: NDArray[np.float64]  # (items,): sum of the terms
    reached: NDArray[np.float64]  # (items,): terms that were not enough


def make_binomial_scratch(items: int) -> BinomialScratch:
    """Allocate the workspace of `binomial_quantiles` for up to `items` items."""
    arrays = (np.zeros(items) for _ in BinomialScratch._fields[1:])
    return BinomialScratch(np.zeros(items, np.uint64), *arrays)


@inner
def _add_terms(scratch: BinomialScratch, first: int, width: int, k: float) -> int:
    """Count the sums that have not reached their targets with the terms up to k, and add the next ones."""
    target, odds, rest = scratch.target[first:], scratch.odds[first:], scratch.rest[first:]
    term, total, reached = scratch.term[first:], scratch.total[first:], scratch.reached[first:]
    share = 1.0 / (k + 1.0)
    missing = 0
    for j in range(width):
        short = total[j] < target[j]
        missing += 1 if short else 0
        reached[j] += 1.0 if short else 0.0
        term[j] *= odds[j] * (rest[j] - k) * share
        total[j] += term[j]
    return missing


@inner
def _sum_binomials(
    u: NDArray[np.float64],
    trials: NDArray[np.float64],
    probability: NDArray[np.float64],
    out: NDArray[np.float64],
    count: int,
    scratch: BinomialScratch,
) -> None:
    """Find the quantiles of the `count` picked items by summing from no success, or no failure if p > 1/2.

    Few terms are needed for a small variance. Items are summed in parallel, term by term, until each sum has
    reached its target.
    """
    picked, target, odds = scratch.picked, scratch.target, scratch.odds
    rest, term = scratch.rest, scratch.term
    for j in range(count):
        i = picked[j]
        p = probability[i]
        # For failures Y = n - X, P(X <= k) >= u means P(Y <= n - k - 1) <= 1 - u.
        odds[j] = 1.0 - p if p > 0.5 else p
        target[j] = 1.0 - u[i] if p > 0.5 else u[i]
        rest[j] = trials[i]
    for j in range(count):
        term[j] = rest[j] * _log_complement(odds[j])
        odds[j] = odds[j] / (1.0 - odds[j])
    exponentials(term, count)
    for j in range(count):
        scratch.total[j] = term[j]
        # A target too near to 1 is searched for below.
        scratch.reached[j] = -_BEYOND if target[j] > _GREATEST_SUM else 0.0
        target[j] = 0.0 if target[j] > _GREATEST_SUM else target[j]
    for first in range(0, count, _SUMMED_GROUP):
        k = 0.0
        while _add_terms(scratch, first, min(_SUMMED_GROUP, count - first), k) > 0:
            k += 1.0
    for j in range(count):
        i = picked[j]
        reached = scratch.reached[j]
        out[i] = trials[i] - reached if probability[i] > 0.5 else reached
        if reached < 0.0:
            middle = float(int(trials[i] * probability[i]))
            out[i] = _search_binomial(u[i], trials[i], probability[i], middle)


@kernel
def _poisson_sum(u: float, mean: float) -> float:
    """Quantile by summing from 0 upward: few terms where the mean is small."""
    if u > _GREATEST_SUM and mean > _NEGLIGIBLE:
        return float(_search_poisson(u, mean, float(int(mean))))
    term = exp(-mean)
    total = term
    count = 0.0
    while total < u:
        count += 1.0
        term *= mean / count
        total += term
    return count


@kernel
def binomial_quantiles(
    u: NDArray[np.float64],
    trials: NDArray[np.float64],
    probability: NDArray[np.float64],
    out: NDArray[np.float64],
    n: int,
    scratch: BinomialScratch,
) -> None:
    """Write the binomial quantiles of n uniforms.

    Parameters
    ----------
    u : float64 array, (at least n,)
        Uniforms from 2**-33 to 1 - 2**-33.
    trials : float64 array, (at least n,)
        Whole numbers from 0 to 100,000.
    probability : float64 array, (at least n,)
        0 to 1, both included.
    out : float64 array, (at least n,)
        Written: the smallest k with P(X <= k) >= u; exact unless u is within 1e-12 of a step, relative to u
        or, above 1/2, to 1 - u. Must not be one of the other arrays.
    n : int
        Number of items.
    scratch : BinomialScratch
        Workspace for at least n items.
    """
    normal_scores(u, out, n)
    for i in range(n):
        p = probability[i]
        product = p * (1.0 - p)
        variance = trials[i] * product
        small = variance < LEAST_VARIANCE
        deviation = math.sqrt(LEAST_VARIANCE if small else variance)
        e = 1.0 / deviation
        z = out[i]
        x = cornish_fisher(z, trials[i] * p, deviation, e, 1.0 - 2.0 * p, product)
        x = x if x > 0.0 else 0.0
        k = (x + ROUNDER) - ROUNDER
        certain = abs(x - k) < 0.5 - tolerance(z, deviation, e)
        k = k if k < trials[i] else trials[i]
        # What is doubtful is marked by its sign.
        k = k if certain else -1.0 - x
        k = _TO_SUM if small else k
        # A topped-out rate leaves nothing to chance.
        out[i] = trials[i] * p if product == 0.0 else k
    marked = 0
    for i in range(n):
        # Branchless compaction.
        scratch.picked[marked] = i
        marked += out[i] < 0.0
    count = 0
    for j in range(marked):
        i = scratch.picked[j]
        if out[i] == _TO_SUM:
            scratch.picked[count] = i
            count += 1
        else:
            below = min(float(int(-1.0 - out[i])), trials[i])
            if _central(u[i]):
                out[i] = below if _binomial_reaches(u[i], trials[i], probability[i], below) else below + 1.0
            else:
                out[i] = _search_binomial(u[i], trials[i], probability[i], below)
    _sum_binomials(u, trials, probability, out, count, scratch)


@kernel
def poisson_quantiles(
    u: NDArray[np.float64], mean: NDArray[np.float64], out: NDArray[np.float64], n: int
) -> None:
    """Write the Poisson quantiles of n uniforms.

    Parameters
    ----------
    u : float64 array, (at least n,)
        Uniforms from 2**-33 to 1 - 2**-33.
    mean : float64 array, (at least n,)
        0 to 200,000.
    out : float64 array, (at least n,)
        Written: the smallest k with P(X <= k) >= u; exact unless u is within 1e-12 of a step, relative to u
        or, above 1/2, to 1 - u. Must not be one of the other arrays.
    n : int
        Number of items.
    """
    normal_scores(u, out, n)
    for i in range(n):
        small = mean[i] < LEAST_VARIANCE
        deviation = math.sqrt(LEAST_VARIANCE if small else mean[i])
        e = 1.0 / deviation
        z = out[i]
        x = cornish_fisher(z, mean[i], deviation, e, 1.0, 0.0)
        x = x if x > 0.0 else 0.0
        k = (x + ROUNDER) - ROUNDER
        certain = abs(x - k) < 0.5 - tolerance(z, deviation, e)
        # What is doubtful is marked by its sign.
        out[i] = k if certain and not small else -1.0 - x
    # Few are marked: whole groups without a mark are passed over.
    for first in range(0, n, _MARKED_GROUP):
        group, width = out[first:], min(_MARKED_GROUP, n - first)
        marked = 0
        for i in range(width):
            marked += 1 if group[i] < 0.0 else 0
        if marked > 0:
            for i in range(first, first + width):
                if out[i] < 0.0:
                    below = float(int(-1.0 - out[i]))
                    if mean[i] < LEAST_VARIANCE:
                        out[i] = _poisson_sum(u[i], mean[i])
                    elif _central(u[i]):
                        out[i] = below if _poisson_reaches(u[i], mean[i], below) else below + 1.0
                    else:
                        out[i] = _search_poisson(u[i], mean[i], below)
