"""Morris screening: elementary effects along trajectories, without the Monte Carlo noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.studies.noise import NoiseFreeEstimate, Resamples, cross_set, estimate

__all__ = ["Screening", "elementary_effects", "morris_screening"]

_Array = NDArray[np.float64]


class Screening(NamedTuple):
    """Elementary effects: changes of the outcome for the whole range of a factor, by factor."""

    mu: list[NoiseFreeEstimate]  #: mean effect
    #: Mean size of the effect, without noise, which can make it slightly negative.
    mu_star: list[NoiseFreeEstimate]
    #: Standard deviation of the effect over the design, without noise, and the ends of its interval, shape
    #: (3, factors): how much it depends on where the other factors and its own starting point are.
    sigma: _Array


def elementary_effects(x: _Array, y: _Array) -> _Array:
    """Compute the elementary effects in each parameter set.

    Parameters
    ----------
    x : ndarray of float64, shape (trajectories × (factors + 1), factors)
        Positions in [0, 1]; from one point of a trajectory to the next one factor moves.
    y : ndarray of float64, shape (trajectories × (factors + 1), sets)
        Mean outcome of each parameter set.

    Returns
    -------
    ndarray of float64, shape (trajectories, factors, sets)
        Change of the outcome over change of the position.
    """
    factors = x.shape[1]
    steps = np.diff(x.reshape(-1, factors + 1, factors), axis=1)
    changes = np.diff(y.reshape(-1, factors + 1, y.shape[1]), axis=1)
    moved = np.abs(steps).argmax(axis=2)
    size = np.take_along_axis(steps, moved[..., None], axis=2)
    effects = np.empty_like(changes)
    np.put_along_axis(effects, moved[..., None], changes / size, axis=1)
    return effects


def morris_screening(x: _Array, y: _Array, weights: Resamples) -> Screening:
    """Screen factors by Morris's method.

    Parameters
    ----------
    x, y : ndarray of float64
        As for `elementary_effects`.
    weights : Resamples
        For trajectories and sets.

    Returns
    -------
    Screening
        Mean and spread of the elementary effects (Morris, Technometrics 33, 1991) and mean size (Campolongo,
        Cariboni and Saltelli, Environmental Modelling & Software 22, 2007). The size of an effect e that is
        known with noise is the mean over draws of e times the sign of its mean over all *other* sets: its
        expectation is 0 where the effect is 0, and at most the true size elsewhere.
    """
    moments = [_moments(effects, weights) for effects in np.moveaxis(elementary_effects(x, y), 1, 0)]
    mu, mu_star, variance = (
        [estimate(each, weights) for each in part] for part in zip(*moments, strict=True)
    )
    bounds = [(each.value, each.low, each.high) for each in variance]
    return Screening(mu, mu_star, np.sqrt(np.maximum(np.transpose(bounds), 0.0)))


def _moments(effects: _Array, weights: Resamples) -> _Array:
    """Mean, mean size and variance of a factor's effects (trajectories × sets), (3, 1 + resamples)."""
    trajectories, rows, sizes = len(effects), weights.rows, weights.sizes
    means = effects @ weights.sets
    mu = np.einsum("tr,tr->r", means, rows)
    # The sign of the sum over the draws of the others.
    magnitudes = np.stack(
        [
            np.sum(np.sign(sizes.sum() * mean[:, None] - sizes * effects) * effects * weight, axis=1)
            for mean, weight in zip(means.T, weights.sets.T, strict=True)
        ],
        axis=1,
    )
    size = np.einsum("tr,tr->r", magnitudes, rows)
    unbias = trajectories / (trajectories - 1)
    squares = cross_set(means**2, (effects**2) @ weights.squares, weights.number)
    sums = rows.T @ effects
    center = cross_set(mu**2, np.einsum("rm,mr->r", sums**2, weights.squares), weights.number)
    return np.stack([mu, size, unbias * (np.einsum("tr,tr->r", squares, rows) - center)])
