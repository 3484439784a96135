"""Effects that are linear in the outcomes: differences from the base, and between the levels of a grid.

Each is computed draw by draw under common random numbers, so its error is that of a mean over draws; noise
that the points share cancels, and a factor that changes nothing has exactly no effect. Draws of one parameter
set share the unknowns that are no factors: sets are what is independent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.estimates import Sets, first_draws, mean, t_quantile

__all__ = ["Effect", "differences", "effect_of", "level_effects"]

_Array = NDArray[np.float64]


class Effect(NamedTuple):
    """A mean over draws."""

    value: _Array
    error: _Array  #: standard error; exactly zero where the effect is zero in every draw
    low: _Array  #: lower end of Student's interval
    high: _Array


def effect_of(draws: _Array, sets: Sets = None) -> Effect:
    """Estimate an effect from its values draw by draw.

    Parameters
    ----------
    draws : ndarray of float64, shape (draws, ...)
        Defined everywhere.
    sets : ndarray of int64, shape (draws,), optional
        Number of the parameter set of each draw, nondecreasing; every draw is one of its own if not given.

    Returns
    -------
    Effect
        Student's interval has one degree of freedom less than there are sets.

    Examples
    --------
    >>> round(float(effect_of(np.array([1.0, 2.0, 3.0])).error), 4)
    0.5774
    """
    center, error, _ = mean(draws, sets=sets)
    count = len(draws if sets is None else first_draws(sets))
    with np.errstate(invalid="ignore"):
        reach = t_quantile(count - 1) * error
    return Effect(center, error, center - reach, center + reach)


def differences(y: _Array, sets: Sets = None) -> Effect:
    """Estimate the difference of every design point from the first, by draw; `y` is (points, draws)."""
    return effect_of((y - y[0]).T, sets)


def level_effects(y: _Array, levels: NDArray[np.int64], matched: bool, sets: Sets = None) -> Effect:
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
    sets : ndarray of int64, shape (draws,), optional
        As for `effect_of`.

    Returns
    -------
    Effect
        Arrays of shape (number of levels - 1,).
    """
    first = y[levels == 0]
    rounding = len(y) * np.finfo(np.float64).eps * np.abs(y).max(axis=0)
    columns = []
    for level in range(1, int(levels.max()) + 1):
        other = y[levels == level]
        if matched:
            columns.append((other - first).mean(axis=0))
        else:
            # Means of the same numbers in another order differ by rounding, which is no effect.
            effect = other.mean(axis=0) - first.mean(axis=0)
            columns.append(np.where(np.abs(effect) <= rounding, 0.0, effect))
    return effect_of(np.stack(columns, axis=1), sets)
