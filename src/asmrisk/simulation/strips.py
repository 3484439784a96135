"""Transforms of a strip of numbers at once.

Each is one loop that becomes vector instructions. They stand in functions of their own, and not in the loops
that need them, because every copy of such a loop takes the compiler a good part of a second.
"""

from __future__ import annotations

import math

import numpy as np

from asmrisk.elementary import exp
from asmrisk.jit import inner
from asmrisk.simulation.normal import normal_probability, score_argument, score_from

__all__ = ["advance", "exponentials", "normal_probabilities", "normal_scores", "pick", "read_quantiles"]


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
    for i in range(n):
        score[i] = score_argument(uniform[i])
    for i in range(n):
        score[i] = score_from(uniform[i], score[i])


@inner
def normal_probabilities(score: np.ndarray, n: int) -> None:
    """Put in the place of n normal scores their probabilities.

    Parameters
    ----------
    score : ndarray of float64, shape (at least n,)
        Changed in place.
    n : int
        How many.
    """
    for i in range(n):
        score[i] = normal_probability(score[i])


@inner
def exponentials(x: np.ndarray, n: int) -> None:
    """Put in the place of n numbers their exponentials.

    Parameters
    ----------
    x : ndarray of float64, shape (at least n,)
        Changed in place.
    n : int
        How many.
    """
    for i in range(n):
        x[i] = exp(x[i])


@inner
def advance(
    state: np.ndarray, uniform: np.ndarray, persistence: float, settled: int, scores: np.ndarray, n: int
) -> None:
    """Move stationary AR(1) normal scores on by a year, and start those of clinicians who are new.

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
    normal_scores(uniform, scores, n)
    new = math.sqrt(1.0 - persistence * persistence)
    for i in range(settled):
        state[i] = persistence * state[i] + new * scores[i]
    for i in range(settled, n):
        state[i] = scores[i]


@inner
def pick(values: np.ndarray, which: np.ndarray, out: np.ndarray, n: int) -> None:
    """Copy n values side by side.

    Parameters
    ----------
    values : ndarray of float64
        Where from.
    which : ndarray of uint64, shape (at least n,)
        Their places; unsigned, since such an index needs no check for counting from the end.
    out : ndarray of float64, shape (at least n,)
        Written.
    n : int
        How many.
    """
    for k in range(n):
        out[k] = values[which[k]]


@inner
def read_quantiles(
    knots: np.ndarray,
    heights: np.ndarray,
    others: np.ndarray,
    choice: np.ndarray,
    probability: np.ndarray,
    out: np.ndarray,
    n: int,
) -> None:
    """Read for each number one of two quantile functions, linear between their knots and constant outside.

    Parameters
    ----------
    knots : ndarray of float64, shape (11,)
        Ascending probabilities: near 0, the deciles, near 1.
    heights, others : ndarray of float64, shape (11,)
        Quantiles at the knots, never descending, where the choice is 0, and where it is not.
    choice : ndarray of int64, shape (at least n,)
        Which function to read.
    probability : ndarray of float64, shape (at least n,)
        Where to read.
    out : ndarray of float64, shape (at least n,)
        Written.
    n : int
        How many.
    """
    # Scalars and blends instead of array elements: so the loop becomes vector instructions.
    k0, k1, k2, k3, k4, k5 = knots[0], knots[1], knots[2], knots[3], knots[4], knots[5]
    k6, k7, k8, k9, k10 = knots[6], knots[7], knots[8], knots[9], knots[10]
    h0, h1, h2, h3, h4, h5 = heights[0], heights[1], heights[2], heights[3], heights[4], heights[5]
    h6, h7, h8, h9, h10 = heights[6], heights[7], heights[8], heights[9], heights[10]
    g0, g1, g2, g3, g4, g5 = others[0], others[1], others[2], others[3], others[4], others[5]
    g6, g7, g8, g9, g10 = others[6], others[7], others[8], others[9], others[10]
    s0, s1, s2 = (h1 - h0) / (k1 - k0), (h2 - h1) / (k2 - k1), (h3 - h2) / (k3 - k2)
    s3, s4, s5 = (h4 - h3) / (k4 - k3), (h5 - h4) / (k5 - k4), (h6 - h5) / (k6 - k5)
    s6, s7, s8 = (h7 - h6) / (k7 - k6), (h8 - h7) / (k8 - k7), (h9 - h8) / (k9 - k8)
    s9 = (h10 - h9) / (k10 - k9)
    t0, t1, t2 = (g1 - g0) / (k1 - k0), (g2 - g1) / (k2 - k1), (g3 - g2) / (k3 - k2)
    t3, t4, t5 = (g4 - g3) / (k4 - k3), (g5 - g4) / (k5 - k4), (g6 - g5) / (k6 - k5)
    t6, t7, t8 = (g7 - g6) / (k7 - k6), (g8 - g7) / (k8 - k7), (g9 - g8) / (k9 - k8)
    t9 = (g10 - g9) / (k10 - k9)
    for i in range(n):
        p = probability[i]
        p = k0 if p < k0 else p
        low, h, s, g, t = k0, h0, s0, g0, t0
        low, h, s, g, t = (k1, h1, s1, g1, t1) if p >= k1 else (low, h, s, g, t)
        low, h, s, g, t = (k2, h2, s2, g2, t2) if p >= k2 else (low, h, s, g, t)
        low, h, s, g, t = (k3, h3, s3, g3, t3) if p >= k3 else (low, h, s, g, t)
        low, h, s, g, t = (k4, h4, s4, g4, t4) if p >= k4 else (low, h, s, g, t)
        low, h, s, g, t = (k5, h5, s5, g5, t5) if p >= k5 else (low, h, s, g, t)
        low, h, s, g, t = (k6, h6, s6, g6, t6) if p >= k6 else (low, h, s, g, t)
        low, h, s, g, t = (k7, h7, s7, g7, t7) if p >= k7 else (low, h, s, g, t)
        low, h, s, g, t = (k8, h8, s8, g8, t8) if p >= k8 else (low, h, s, g, t)
        low, h, s, g, t = (k9, h9, s9, g9, t9) if p >= k9 else (low, h, s, g, t)
        low, h, s, g, t = (k10, h10, 0.0, g10, 0.0) if p >= k10 else (low, h, s, g, t)
        height, slope, most = (h, s, h10) if choice[i] == 0 else (g, t, g10)
        read = height + (p - low) * slope
        # Rounding must not lift a rate above the last one, which may be 1.
        out[i] = most if read > most else read
