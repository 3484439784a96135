"""Transforms of a strip of numbers at once.

Each is one loop that becomes vector instructions. They stand in functions of their own, and not in the loops
that need them, because every copy of such a loop takes the compiler a good part of a second.
"""

from __future__ import annotations

import math

import numpy as np

from asmrisk.elementary import exp
from asmrisk.jit import inner
from asmrisk.simulation.normal import normal_cdf, normal_score

__all__ = ["advance", "exponentials", "normal_probabilities", "normal_scores"]


@inner
def normal_scores(uniform: np.ndarray, score: np.ndarray, n: int) -> None:
    """Write the standard normal quantiles of n uniforms.

    Parameters
    ----------
    uniform : ndarray of float64, shape (at least n,)
        From 2**-33 to 1 - 2**-33, or at least not within 1.4e-11 of 0 or 1.
    score : ndarray of float64, shape (at least n,)
        Written.
    n : int
        How many.
    """
    for i in range(n):
        score[i] = normal_score(uniform[i])


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
        score[i] = normal_cdf(score[i])


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
    state: np.ndarray, uniform: np.ndarray, persistence: float, fresh: bool, scores: np.ndarray, n: int
) -> None:
    """Move n stationary AR(1) normal scores on by a year, or start them.

    Parameters
    ----------
    state : ndarray of float64, shape (at least n,)
        Changed in place.
    uniform : ndarray of float64, shape (at least n,)
        The year's uniforms.
    persistence : float
        Correlation of one year with the next, 0 to 1.
    fresh : bool
        The first year of these clinicians: the state is drawn from the stationary law.
    scores : ndarray of float64, shape (at least n,)
        Workspace.
    n : int
        How many.
    """
    normal_scores(uniform, scores, n)
    kept = 0.0 if fresh else persistence
    new = math.sqrt(1.0 - kept * kept)
    for i in range(n):
        state[i] = kept * state[i] + new * scores[i]
