"""Effects that are linear in the outcomes: differences from the base, and between the levels of a grid.

Each is computed draw by draw under common random numbers, so its error is that of a mean over draws; noise
that the points share cancels, and a factor that changes nothing has exactly no effect.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from asmrisk.analysis.estimates import mean
from asmrisk.studies.noise import CONFIDENCE

__all__ = ["Effect", "differences", "effect_of", "level_effects"]

_Array = NDArray[np.float64]


class Effect(NamedTuple):
    """A mean over draws, with its standard error and interval."""

    value: _Array
    error: _Array
    low: _Array
    high: _Array


def effect_of(draws: _Array) -> Effect:
    """Estimate an effect from its values draw by draw.

    Parameters
    ----------
    draws : ndarray of float64, shape (n, ...)
        One entry a draw.

    Returns
    -------
    Effect
        Mean, standard error, and Student's interval of 95%; an effect of exactly zero in every draw has an
        error of zero.

    Examples
    --------
    >>> round(float(effect_of(np.array([1.0, 2.0, 3.0])).error), 4)
    0.5774
    """
    center, error, count = mean(draws)
    with np.errstate(invalid="ignore"):
        reach = stdtrit(np.maximum(count - 1, 1), 0.5 + CONFIDENCE / 2.0) * error
    return Effect(center, error, center - reach, center + reach)


def differences(y: _Array, reference: int = 0) -> Effect:
    """Estimate the difference of every design point from one of them, paired by draw.

    Parameters
    ----------
    y : ndarray of float64, shape (points, draws)
        Outcomes.
    reference : int
        The point to compare with.

    Returns
    -------
    Effect
        Arrays of shape (points,).
    """
    return effect_of((y - y[reference]).T)


def level_effects(y: _Array, levels: NDArray[np.int64], matched: bool) -> Effect:
    """Estimate the main effect of each level of a factor, against its first.

    Parameters
    ----------
    y : ndarray of float64, shape (points, draws)
        Outcomes of a balanced design, without the base point.
    levels : ndarray of int64, shape (points,)
        Level of the factor at each point.
    matched : bool
        The points of each level, in their order, have the same levels of all other factors, as in a full
        grid: differences are then taken point by point, and are exactly zero where nothing changes.

    Returns
    -------
    Effect
        Arrays of shape (number of levels - 1,).
    """
    count = int(levels.max()) + 1
    first = y[levels == 0]
    columns = []
    for level in range(1, count):
        other = y[levels == level]
        columns.append((other - first).mean(axis=0) if matched else other.mean(axis=0) - first.mean(axis=0))
    return effect_of(np.stack(columns, axis=1))
