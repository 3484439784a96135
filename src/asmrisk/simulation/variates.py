"""One uniform makes one variate: inverse distribution functions, monotone, exact for counts.

A binomial or Poisson quantile is found in two steps. A Cornish-Fisher expansion about the normal quantile
gives a candidate for all items of a strip, without branches; its error is bounded (`tolerance`), so wherever
the expansion lies farther than that from the boundary between two counts, the candidate is the quantile. The
few doubtful items are settled by the distribution function itself, summed from Loader's accurate
probabilities. Where the variance is too small for the expansion, the probabilities are summed from 0 upward
until they reach the uniform.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import inner, kernel
from asmrisk.numerics.portable_math import ROUNDER, exp
from asmrisk.simulation.batches import exponentials, normal_scores
from asmrisk.simulation.cornish_fisher import LEAST_VARIANCE, expansion, tolerance
from asmrisk.simulation.exact_counts import NEGLIGIBLE, binomial_search, log_complement, poisson_search

__all__ = [
    "Sums",
    "binomial_strip",
    "make_sums",
    "poisson_strip",
]

#: Marks an item that is to be summed outright.
_TO_SUM = -1e300
#: Marks an item whose target a sum from 0 upward cannot settle.
_BEYOND = 1.0
#: Items that are summed side by side: enough for vectors, few enough that one long sum delays few others.
_SIDE_BY_SIDE = 256

#: Items that are looked at together for one that is marked.
_LOOKED_AT = 32
#: A sum from 0 upward settles targets up to here; nearer to 1 its rounding errors are too large beside 1 - u.
_GREATEST_SUM = 1.0 - 2.0**-10


class Sums(NamedTuple):
    """Room for binomials that are summed outright; contents mean nothing between calls."""

    picked: NDArray[np.uint64]  # (items,): which items; an unsigned index needs no check for its sign
    target: NDArray[np.float64]  # (items,): what the sum has to reach
    odds: NDArray[np.float64]  # (items,)
    rest: NDArray[np.float64]  # (items,): trials
    term: NDArray[np.float64]  # (items,)
    total: NDArray[np.float64]  # (items,): sum of the terms
    reached: NDArray[np.float64]  # (items,): terms that were not enough


def make_sums(items: int) -> Sums:
    """Set aside room for `binomial_strip`.

    Parameters
    ----------
    items : int
        Most items in one call.

    Returns
    -------
    Sums
        Zeroed arrays.
    """
    return Sums(np.zeros(items, np.uint64), *(np.zeros(items) for _ in Sums._fields[1:]))


@inner
def _add_terms(sums: Sums, first: int, width: int, k: float) -> int:
    """Count the sums that have not reached their targets with the terms up to k, and add the next ones."""
    target, odds, rest = sums.target[first:], sums.odds[first:], sums.rest[first:]
    term, total, reached = sums.term[first:], sums.total[first:], sums.reached[first:]
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
    sums: Sums,
) -> None:
    """Find the quantiles of the `count` picked items by summing from no success, or no failure if p > 1/2.

    Few terms are needed for a small variance. Items are summed side by side, term by term, until each sum has
    reached its target.
    """
    picked, target, odds, rest, term = sums.picked, sums.target, sums.odds, sums.rest, sums.term
    for j in range(count):
        i = picked[j]
        p = probability[i]
        # For failures Y = n - X, P(X <= k) >= u means P(Y <= n - k - 1) <= 1 - u.
        odds[j] = 1.0 - p if p > 0.5 else p
        target[j] = 1.0 - u[i] if p > 0.5 else u[i]
        rest[j] = trials[i]
    for j in range(count):
        term[j] = rest[j] * log_complement(odds[j])
        odds[j] = odds[j] / (1.0 - odds[j])
    exponentials(term, count)
    for j in range(count):
        sums.total[j] = term[j]
        # A target too near to 1 is searched for below.
        sums.reached[j] = -_BEYOND if target[j] > _GREATEST_SUM else 0.0
        target[j] = 0.0 if target[j] > _GREATEST_SUM else target[j]
    for first in range(0, count, _SIDE_BY_SIDE):
        k = 0.0
        while _add_terms(sums, first, min(_SIDE_BY_SIDE, count - first), k) > 0:
            k += 1.0
    for j in range(count):
        i = picked[j]
        reached = sums.reached[j]
        out[i] = trials[i] - reached if probability[i] > 0.5 else reached
        if reached < 0.0:
            middle = float(int(trials[i] * probability[i]))
            out[i] = binomial_search(u[i], trials[i], probability[i], middle)


@kernel
def _poisson_sum(u: float, mean: float) -> float:
    """Quantile by summing from 0 upward: few terms where the mean is small."""
    if u > _GREATEST_SUM and mean > NEGLIGIBLE:
        return float(poisson_search(u, mean, float(int(mean))))
    term = exp(-mean)
    total = term
    count = 0.0
    while total < u:
        count += 1.0
        term *= mean / count
        total += term
    return count


@kernel
def binomial_strip(
    u: NDArray[np.float64],
    trials: NDArray[np.float64],
    probability: NDArray[np.float64],
    out: NDArray[np.float64],
    n: int,
    sums: Sums,
) -> None:
    """Binomial quantiles of `n` items.

    Parameters
    ----------
    u : float64 array, (at least n,)
        Uniforms from 2**-33 to 1 - 2**-33.
    trials : float64 array, (at least n,)
        Whole numbers from 0 to 100,000.
    probability : float64 array, (at least n,)
        0 to 1, both included.
    out : float64 array, (at least n,)
        Written: the smallest k with P(X <= k) >= u, exact as in the scalar function. Must not be one of the
        other arrays.
    n : int
        Number of items.
    sums : Sums
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
        x = expansion(z, trials[i] * p, deviation, e, 1.0 - 2.0 * p, product)
        k = (x + ROUNDER) - ROUNDER
        certain = abs(x - k) < 0.5 - tolerance(z, deviation, e)
        k = k if k > 0.0 else 0.0
        k = k if k < trials[i] else trials[i]
        # A doubtful candidate is marked by its sign.
        k = k if certain else -1.0 - k
        k = _TO_SUM if small else k
        # A topped-out rate leaves nothing to chance.
        out[i] = trials[i] * p if product == 0.0 else k
    marked = 0
    for i in range(n):
        sums.picked[marked] = i
        marked += out[i] < 0.0
    count = 0
    for j in range(marked):
        i = sums.picked[j]
        if out[i] == _TO_SUM:
            sums.picked[count] = i
            count += 1
        else:
            out[i] = binomial_search(u[i], trials[i], probability[i], -1.0 - out[i])
    _sum_binomials(u, trials, probability, out, count, sums)


@kernel
def poisson_strip(
    u: NDArray[np.float64], mean: NDArray[np.float64], out: NDArray[np.float64], n: int
) -> None:
    """Poisson quantiles of `n` items.

    Parameters
    ----------
    u : float64 array, (at least n,)
        Uniforms from 2**-33 to 1 - 2**-33.
    mean : float64 array, (at least n,)
        0 to 200,000.
    out : float64 array, (at least n,)
        Written: the smallest k with P(X <= k) >= u, exact as in the scalar function. Must not be one of the
        other arrays.
    n : int
        Number of items.
    """
    normal_scores(u, out, n)
    for i in range(n):
        small = mean[i] < LEAST_VARIANCE
        deviation = math.sqrt(LEAST_VARIANCE if small else mean[i])
        e = 1.0 / deviation
        z = out[i]
        x = expansion(z, mean[i], deviation, e, 1.0, 0.0)
        k = (x + ROUNDER) - ROUNDER
        certain = abs(x - k) < 0.5 - tolerance(z, deviation, e)
        k = k if k > 0.0 else 0.0
        # A doubtful candidate is marked by its sign.
        out[i] = k if certain and not small else -1.0 - k
    # Few are marked: a look at some together tells whether to look at each.
    for first in range(0, n, _LOOKED_AT):
        end = min(first + _LOOKED_AT, n)
        marked = 0
        for i in range(first, end):
            marked += 1 if out[i] < 0.0 else 0
        if marked > 0:
            for i in range(first, end):
                if out[i] < 0.0:
                    if mean[i] < LEAST_VARIANCE:
                        out[i] = _poisson_sum(u[i], mean[i])
                    else:
                        out[i] = poisson_search(u[i], mean[i], -1.0 - out[i])
