"""Morris screening: elementary effects along trajectories, without the Monte Carlo noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asmrisk.studies.noise import Resamples, cross_draw, spread_of
from asmrisk.studies.variance import Share

__all__ = ["Screening", "elementary_effects", "morris_screening"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Screening:
    """Elementary effects: changes of the outcome for the whole range of a factor.

    Attributes
    ----------
    mu : list of Share
        Mean effect, by factor.
    mu_star : list of Share
        Mean size of the effect, without noise, which can make it slightly negative.
    sigma : ndarray of float64, shape (3, factors)
        Standard deviation of the effect over the design, without noise, and the ends of its interval: how
        much it depends on where the other factors and its own starting point are.
    raw_mu_star, raw_sigma : ndarray of float64, shape (factors,)
        The same of the means over draws, noise included, as SALib computes them.
    """

    mu: list[Share]
    mu_star: list[Share]
    sigma: _Array
    raw_mu_star: _Array
    raw_sigma: _Array


def elementary_effects(x: _Array, y: _Array) -> _Array:
    """Compute the elementary effects of each draw.

    Parameters
    ----------
    x : ndarray of float64, shape (trajectories × (factors + 1), factors)
        Positions in [0, 1]; from one point of a trajectory to the next one factor moves.
    y : ndarray of float64, shape (trajectories × (factors + 1), draws)
        Outcomes.

    Returns
    -------
    ndarray of float64, shape (trajectories, factors, draws)
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


def morris_screening(x: _Array, y: _Array, grid_levels: int, weights: Resamples) -> Screening:
    """Screen factors by Morris's method.

    Parameters
    ----------
    x, y : ndarray of float64
        As for `elementary_effects`.
    grid_levels : int
        Levels of the design's grid.
    weights : Resamples
        For trajectories and draws.

    Returns
    -------
    Screening
        Mean and spread of the elementary effects (Morris, Technometrics 33, 1991) and mean size (Campolongo,
        Cariboni and Saltelli, Environmental Modelling & Software 22, 2007). The size of an effect e that is
        known with noise is the mean over draws of e[m] times the sign of the mean of all *other* draws: its
        expectation is 0 where the effect is 0, and at most the true size elsewhere.
    """
    from SALib.analyze import morris

    factors, n = x.shape[1], y.shape[1]
    effects = elementary_effects(x, y)
    names = [str(index) for index in range(factors)]
    problem = {"num_vars": factors, "names": names, "bounds": [[0.0, 1.0]] * factors}
    raw = morris.analyze(problem, x, y.mean(axis=1), num_resamples=2, num_levels=grid_levels, seed=0)

    one = Resamples(np.full((n, 1), 1.0 / n), np.full((len(effects), 1), 1.0 / len(effects)), 0)
    values = np.stack([_estimates(effects[:, k], one) for k in range(factors)])[..., 0]
    spread = spread_of(np.stack([_estimates(effects[:, k], weights) for k in range(factors)]), weights)

    def shares(part: int) -> list[Share]:
        columns = (each[:, part] for each in (values, spread.error, spread.reach))
        return [Share(*map(float, each)) for each in zip(*columns, strict=True)]

    variance, reach = values[:, 2], spread.reach[:, 2]
    return Screening(
        mu=shares(0),
        mu_star=shares(1),
        sigma=np.sqrt(np.maximum([variance, variance - reach, variance + reach], 0.0)),
        raw_mu_star=np.asarray(raw["mu_star"], dtype=np.float64),
        raw_sigma=np.asarray(raw["sigma"], dtype=np.float64),
    )


def _estimates(effects: _Array, weights: Resamples) -> _Array:
    """Mean, mean size and variance of effects (trajectories × draws) in each resample, (3, resamples)."""
    trajectories, n = effects.shape
    rows, draws = weights.rows, weights.draws
    means = effects @ draws
    mu = np.einsum("tr,tr->r", means, rows)
    # The sign of the sum of the others: that of n mean - e[m].
    sizes = np.stack(
        [
            np.sum(np.sign(n * mean[:, None] - effects) * effects * weight, axis=1)
            for mean, weight in zip(means.T, draws.T, strict=True)
        ],
        axis=1,
    )
    size = np.einsum("tr,tr->r", sizes, rows)
    unbias = trajectories / (trajectories - 1)
    squares = cross_draw(means**2, (effects**2) @ draws, n)
    sums = rows.T @ effects
    center = cross_draw(mu**2, np.einsum("rm,mr->r", sums**2, draws), n)
    return np.stack([mu, size, unbias * (np.einsum("tr,tr->r", squares, rows) - center)])
