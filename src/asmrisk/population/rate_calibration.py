"""Where the published percentiles of a measure lie in the latent quality of those who report it.

Latent quality is shifted: by the size of the practice, by specialty, by the complexity of the patients. The
simulation reads a rate between knots, normal probabilities of the latent quality. They are put where the
distribution among reporters, a mixture of normal distributions, has the probabilities of the percentiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from asmrisk.numerics.normal_distribution import stable
from asmrisk.scenario import published_tables as tables

__all__ = ["Groups", "latent_moments", "latent_quantiles", "rate_knots", "shrunken"]

_REMEMBERED = 256
#: Steps to a quantile, of which about four are enough.
_STEPS = 100

_Array = NDArray[np.float64]
#: Of groups of reporters: weight, and shift of their latent quality.
Groups = tuple[tuple[float, float], ...]


@lru_cache(_REMEMBERED)
def latent_quantiles(groups: Groups, deviation: float) -> _Array:
    """Give the quantiles of the latent quality of a measure among its reporters.

    Parameters
    ----------
    groups : tuple of (float, float)
        Of groups of reporters: weight and shift; within one, latent quality is normal around the shift.
    deviation : float
        Its standard deviation.

    Returns
    -------
    ndarray of float64, shape (11,), read-only
        At `tables.KNOT_PROBABILITIES`.
    """
    weights, shifts = np.array(groups).T
    weights = weights / weights.sum()
    scores = ndtri(tables.KNOT_PROBABILITIES)
    low, high = deviation * scores + shifts.min(), deviation * scores + shifts.max()
    found: _Array = deviation * scores + weights @ shifts
    for _ in range(_STEPS):
        apart = (found[:, None] - shifts) / deviation
        reached = ndtri(ndtr(apart) @ weights)
        low, high = np.where(reached <= scores, found, low), np.where(reached >= scores, found, high)
        slope = np.exp((reached**2)[:, None] / 2.0 - apart**2 / 2.0) @ weights / deviation
        # As normal scores, probabilities are nearly linear; where they are not, the interval is halved.
        following = found - (reached - scores) / slope
        inside = (following >= low) & (following <= high)
        following = np.where(inside, following, (low + high) / 2.0)
        step, found = np.abs(following - found).max(), following
        # After a step of Newton's method what is left is about its square.
        if step < 1e-13 or (step < 1e-7 and inside.all()):
            break
    found.flags.writeable = False
    return found


def latent_moments(groups: Groups, deviation: float) -> tuple[float, float]:
    """Give mean and standard deviation of that latent quality, rounded by `stable`."""
    weights, shifts = np.array(groups).T
    weights = weights / weights.sum()
    center = float(weights @ shifts)
    variance = float(weights @ (shifts - center) ** 2) + deviation * deviation
    return stable(center), stable(math.sqrt(variance))


def shrunken(groups: Groups, deviation: float, reliability: float) -> tuple[Groups, float]:
    """Give the groups, and the deviation within each, of sqrt(R) q + sqrt(1 - R) eps.

    q is that latent quality standardized, R a reliability and eps standard normal.
    """
    center, spread = latent_moments(groups, deviation)
    times = math.sqrt(reliability) / spread
    moved = tuple((weight, (shift - center) * times) for weight, shift in groups)
    return moved, math.sqrt((deviation * times) ** 2 + 1.0 - reliability)


def rate_knots(quantiles: _Array, drift: float, inverse: bool) -> list[float]:
    """Give the knots at which the simulation finds the published percentiles of a rate.

    Parameters
    ----------
    quantiles : ndarray of float64, shape (11,)
        Of latent quality, as `latent_quantiles` gives them.
    drift : float
        Latent quality that everybody has gained since the percentiles were published.
    inverse : bool
        Whether a lower rate is better: rates are then read at the probability of the negated latent quality.

    Returns
    -------
    list of float, length 11
        Normal probabilities, ascending, rounded by `stable`.
    """
    scores: Sequence[float] = ((drift - quantiles)[::-1] if inverse else quantiles - drift).tolist()
    return [stable(each) for each in ndtr(scores).tolist()]
