"""Roots and monotone curves. SciPy's own take 0.15 s to import, a tenth of the start of a run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["monotone_cubic", "root"]

_Array = NDArray[np.float64]


def root(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-14) -> float:
    """Find where a function is zero (T. R. Chandrupatla, Advances in Engineering Software 28, 1997).

    Parameters
    ----------
    function : callable
        Has different signs at the ends.
    low, high : float
        The ends.
    tolerance : float
        Distance within which the root is found; at least the spacing of float64 there.

    Raises
    ------
    ValueError
        If the signs at the ends are the same.

    Examples
    --------
    >>> round(root(lambda x: x * x - 2.0, 0.0, 2.0), 13)
    1.4142135623731
    """
    a, b = low, high
    fa, fb = function(a), function(b)
    if fa * fb > 0.0:
        raise ValueError("the function has the same sign at both ends")
    share = 0.5
    while True:
        x = a + share * (b - a)
        fx = function(x)
        # The root lies between a and b; c is the point before, and with them gives a parabola.
        if (fx > 0.0) == (fa > 0.0):
            c, fc = a, fa
        else:
            c, fc, b, fb = b, fb, a, fa
        a, fa = x, fx
        best, at_best = (a, fa) if abs(fa) < abs(fb) else (b, fb)
        least = (tolerance + 2.0 * np.finfo(float).eps * abs(best)) / abs(b - a) if b != a else 1.0
        if at_best == 0.0 or least > 0.5:
            return best
        across, up = (a - b) / (c - b), (fa - fb) / (fc - fb)
        share = 0.5
        if up * up < across and (1.0 - up) ** 2 < 1.0 - across:
            # By the inverse parabola through the three points, which is monotone here.
            share = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        share = min(max(share, least), 1.0 - least)


def monotone_cubic(x: _Array, y: _Array, at: _Array) -> _Array:
    """Interpolate without new extremes (F. N. Fritsch and J. Butland, SIAM J. Sci. Stat. Comput. 5, 1984).

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,), n > 2
        Points, ascending in x.
    at : ndarray of float64, shape (m,)
        Where, between the first and the last.

    Returns
    -------
    ndarray of float64, shape (m,)
        Values of the cubic pieces.

    Examples
    --------
    >>> monotone_cubic(np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 6.0]), np.array([0.5, 2.0])).tolist()
    [1.0, 4.0]
    """
    width = np.diff(x)
    slope = np.diff(y) / width
    tangent = np.empty_like(y)
    # Inside, the harmonic mean of the slopes on both sides; none at an extreme.
    one, two = 2.0 * width[1:] + width[:-1], width[1:] + 2.0 * width[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (one + two) / (one / slope[:-1] + two / slope[1:])
    tangent[1:-1] = np.where(slope[:-1] * slope[1:] > 0.0, mean, 0.0)
    for end, near, far in ((0, 0, 1), (-1, -1, -2)):
        through = ((2.0 * width[near] + width[far]) * slope[near] - width[near] * slope[far]) / (
            width[near] + width[far]
        )
        if through * slope[near] <= 0.0:
            through = 0.0
        elif slope[near] * slope[far] <= 0.0 and abs(through) > 3.0 * abs(slope[near]):
            through = 3.0 * slope[near]
        tangent[end] = through
    piece = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(width) - 1)
    t = at - x[piece]
    bend = (3.0 * slope - 2.0 * tangent[:-1] - tangent[1:]) / width
    twist = (tangent[:-1] - 2.0 * slope + tangent[1:]) / width**2
    return np.asarray(
        y[piece] + t * (tangent[piece] + t * (bend[piece] + t * twist[piece])), dtype=np.float64
    )
