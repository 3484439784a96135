"""Transforms of a batch of numbers, each one loop that becomes vector instructions.

They are functions of their own, and not written into the loops that need them, because every copy of such a
loop takes the compiler a good part of a second.
"""

from __future__ import annotations

import math

import numpy as np

from asmrisk.numerics.jit import fma, inner
from asmrisk.numerics.portable_math import normal_exp
from asmrisk.population.quantiles import SCORE_COUNT, SCORE_LIMIT, SCORE_STEP
from asmrisk.simulation.normal import normal_probability, score_argument, score_from

__all__ = [
    "advance",
    "exponentials",
    "interpolate",
    "normal_probabilities",
    "normal_scores",
    "read_quantiles",
    "score_arguments",
    "set_beyond",
    "take",
]

#: Tables over the normal score: intervals for each unit of it, where they begin, and the last interval.
INTERVALS_PER_UNIT, LEAST_SCORE, LAST_INTERVAL = 1.0 / SCORE_STEP, -SCORE_LIMIT, float(SCORE_COUNT - 2)


@inner
def normal_scores(uniform: np.ndarray, score: np.ndarray, n: int) -> None:
    """Write the standard normal quantiles of n uniforms.

    Parameters
    ----------
    uniform : ndarray of float64, shape (at least n,)
        From 2**-33 to 1 - 2**-33.
    score : ndarray of float64, shape (at least n,)
        Written. Must not be the other array.
    n : int
        How many.
    """
    # In two loops: one has more numbers under way than the processor can hold, and takes half as long again.
    score_arguments(uniform, score, n)
    for i in range(n):
        score[i] = score_from(uniform[i], score[i])


@inner
def score_arguments(uniform: np.ndarray, argument: np.ndarray, n: int) -> None:
    """Write the first halves of n normal scores, as `normal_scores` does.

    A loop over the second halves, `asmrisk.simulation.normal.score_from`, waits for divisions, so that it
    does something with the scores at no cost.
    """
    for i in range(n):
        argument[i] = score_argument(uniform[i])


@inner
def normal_probabilities(score: np.ndarray, probability: np.ndarray, n: int) -> None:
    """Write the probabilities of n normal scores into another array, as `normal_scores` does."""
    for i in range(n):
        probability[i] = normal_probability(score[i])


@inner
def exponentials(x: np.ndarray, n: int) -> None:
    """Replace n numbers from -708 to 709 by their exponentials, in place."""
    for i in range(n):
        x[i] = normal_exp(x[i])


@inner
def advance(
    state: np.ndarray, uniform: np.ndarray, persistence: float, settled: int, scores: np.ndarray, n: int
) -> None:
    """Advance stationary AR(1) normal scores by a year, and start those of new clinicians.

    Parameters
    ----------
    state : ndarray of float64, shape (at least n,)
        Changed in place.
    uniform : ndarray of float64, shape (at least n,)
        The year's uniforms.
    persistence : float
        Correlation of one year with the next, 0 to 1.
    settled : int
        The first so many were there the year before; the others' states are drawn from the stationary law.
    scores : ndarray of float64, shape (at least n,)
        Workspace.
    n : int
        How many.
    """
    score_arguments(uniform, scores, n)
    new = math.sqrt(1.0 - persistence * persistence)
    for i in range(settled):
        state[i] = fma(persistence, state[i], new * score_from(uniform[i], scores[i]))
    # Sliced, since an index that does not begin at 0 would be checked for counting from the end.
    started, theirs, arguments = state[settled:], uniform[settled:], scores[settled:]
    for i in range(n - settled):
        started[i] = score_from(theirs[i], arguments[i])


@inner
def take(values: np.ndarray, index: np.ndarray, out: np.ndarray, n: int) -> None:
    """Take n values: ``out[k] = values[index[k]]``.

    Indices are uint64: an unsigned index needs no check for counting from the end.
    """
    for k in range(n):
        out[k] = values[index[k]]


@inner
def set_beyond(uniform: np.ndarray, edge: float, value: float, out: np.ndarray, n: int) -> None:
    """Write a class's value where the uniform has reached its lower edge; classes come in order."""
    for i in range(n):
        out[i] = value if uniform[i] >= edge else out[i]


@inner
def read_quantiles(
    knots: np.ndarray, heights: np.ndarray, probability: np.ndarray, out: np.ndarray, n: int
) -> None:
    """Read a quantile function that is linear between its knots and constant outside.

    Parameters
    ----------
    knots : ndarray of float64, shape (11,)
        Ascending probabilities: near 0, the deciles, near 1.
    heights : ndarray of float64, shape (11,)
        Quantiles at the knots, never descending.
    probability : ndarray of float64, shape (at least n,)
        Where to read.
    out : ndarray of float64, shape (at least n,)
        Written: between the first and the last quantile.
    n : int
        How many.
    """
    # Scalars and blends instead of array elements: so the loop becomes vector instructions.
    k0, k1, k2, k3, k4, k5 = knots[0], knots[1], knots[2], knots[3], knots[4], knots[5]
    k6, k7, k8, k9, k10 = knots[6], knots[7], knots[8], knots[9], knots[10]
    h0, h1, h2, h3, h4, h5 = heights[0], heights[1], heights[2], heights[3], heights[4], heights[5]
    h6, h7, h8, h9, h10 = heights[6], heights[7], heights[8], heights[9], heights[10]
    s0, s1, s2 = (h1 - h0) / (k1 - k0), (h2 - h1) / (k2 - k1), (h3 - h2) / (k3 - k2)
    s3, s4, s5 = (h4 - h3) / (k4 - k3), (h5 - h4) / (k5 - k4), (h6 - h5) / (k6 - k5)
    s6, s7, s8 = (h7 - h6) / (k7 - k6), (h8 - h7) / (k8 - k7), (h9 - h8) / (k9 - k8)
    s9 = (h10 - h9) / (k10 - k9)
    # Each piece by its slope and its value at 0: one number less to blend. A flat piece stays exact.
    a0, a1, a2 = fma(-k0, s0, h0), fma(-k1, s1, h1), fma(-k2, s2, h2)
    a3, a4, a5 = fma(-k3, s3, h3), fma(-k4, s4, h4), fma(-k5, s5, h5)
    a6, a7, a8, a9 = fma(-k6, s6, h6), fma(-k7, s7, h7), fma(-k8, s8, h8), fma(-k9, s9, h9)
    for i in range(n):
        p = probability[i]
        a, s = (a1, s1) if p >= k1 else (a0, s0)
        a, s = (a2, s2) if p >= k2 else (a, s)
        a, s = (a3, s3) if p >= k3 else (a, s)
        a, s = (a4, s4) if p >= k4 else (a, s)
        a, s = (a5, s5) if p >= k5 else (a, s)
        a, s = (a6, s6) if p >= k6 else (a, s)
        a, s = (a7, s7) if p >= k7 else (a, s)
        a, s = (a8, s8) if p >= k8 else (a, s)
        a, s = (a9, s9) if p >= k9 else (a, s)
        read = fma(p, s, a)
        # Rounding must not lift a rate above the last one, which may be 1.
        read = h0 if read < h0 else read
        out[i] = h10 if read > h10 else read


@inner
def interpolate(
    tables: np.ndarray, first: np.ndarray, score: np.ndarray, interval: np.ndarray, n: int
) -> None:
    """Replace n normal scores, in place, by what tables over them say, linearly.

    Each table covers -6.5 to 6.5 by sixteenths and begins at `first`; `interval` is scratch.
    """
    # In two loops: the first is vectorized, which the look-ups of the second cannot be.
    for i in range(n):
        at = (score[i] - LEAST_SCORE) * INTERVALS_PER_UNIT
        at = 0.0 if at < 0.0 else at
        at = LAST_INTERVAL if at > LAST_INTERVAL else at
        # An unsigned index needs no check for counting from the end.
        interval[i] = np.uint64(at)
        score[i] = at - interval[i]
    for i in range(n):
        knot = first[i] + interval[i]
        value = tables[knot]
        score[i] = value + score[i] * (tables[knot + np.uint64(1)] - value)
