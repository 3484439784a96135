"""Exceedance curves: how likely an outcome is to be larger than what, with a band at each point."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from asmrisk.analysis.estimates import quantiles
from asmrisk.analysis.outcomes import Outcomes, open_outcomes
from asmrisk.analysis.tail import probability
from asmrisk.errors import InputError

__all__ = ["LEVELS", "exceedance"]

#: Probabilities of exceedance at which a curve is given if nothing else is asked for.
LEVELS = (
    *(0.99, 0.98, 0.95, 0.9, 0.8, 0.75, 0.7, 0.6, 0.5),
    *(0.4, 0.3, 0.25, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005),
)


def exceedance(
    results: str | os.PathLike[str] | xr.Dataset | Outcomes,
    metric: str,
    *,
    by: Sequence[str] = (),
    levels: Sequence[float] | None = None,
    points: ArrayLike | None = None,
    confidence: float = 0.95,
    partial: bool = False,
) -> xr.Dataset:
    """Estimate an exceedance curve of an outcome.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that ``asmrisk run`` wrote, or what `asmrisk.open_results` gave.
    metric : str
        Name out of `asmrisk.analysis.METRICS`; with a roster also ``roster_adjustment`` (all its clinicians
        together) and ``clinician_adjustment`` (each), both in dollars paid: a loss is negative.
    by : sequence of str
        Labels to tell apart: ``year``, ``cohort``, ``specialty``, ``practice_size``. What is not told apart
        is added up or averaged within each draw, so the correlation of years and groups is kept.
    levels : sequence of float, optional
        Probabilities of exceedance, between 0 and 1, at which the outcome is wanted; `LEVELS` if neither
        these nor `points` are given.
    points : array_like of float64, optional
        Outcomes whose probability of exceedance is wanted, in the metric's unit.
    confidence : float
        Of the band at each point, by itself and not for the whole curve.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    xarray.Dataset
        With `levels`: dimension ``exceedance`` and the labels; ``value`` is the outcome exceeded with that
        probability, ``low`` and ``high`` the order statistics that hold it with the confidence stated,
        whatever the distribution (NaN where there are too few draws). With `points`: dimension
        ``threshold``; ``probability`` is the share of draws above it, ``low`` and ``high`` the exact binomial
        interval (Clopper and Pearson), ``error`` the standard error. Both have ``draws``, the number they
        rest on.

    Raises
    ------
    InputError
        If there are no such results, no such outcome or label, or a level, point or confidence that cannot be
        used.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> savings = np.arange(1e4).reshape(1000, 5, 2)
    >>> results = xr.Dataset({"medicare_savings": (("draw", "performance_year", "cohort"), savings)})
    >>> curve = exceedance(results, "medicare_savings", points=[0.0, 50_000.0])
    >>> curve.probability.values.tolist()
    [1.0, 0.5]
    >>> exceedance(results, "medicare_savings", levels=[0.5, 0.1]).value.dims
    ('exceedance',)
    """
    if levels is not None and points is not None:
        raise InputError("give either levels (probabilities) or points (outcomes) of the curve, not both.")
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence {confidence!r} is not allowed; allowed is what lies between 0 and 1.")
    draws = open_outcomes(results, partial=partial).draws(metric, by)
    coordinates = {name: each for name, each in draws.coords.items() if "draw" not in each.dims}
    attributes = {"metric": metric, "confidence": confidence}
    if points is None:
        at = _checked(LEVELS if levels is None else levels, "level")
        if not ((at > 0.0) & (at < 1.0)).all():
            raise InputError("levels are probabilities of exceedance: each lies between 0 and 1.")
        found = quantiles(draws.values, (1.0 - at).tolist(), confidence)
        dims = ("exceedance", *draws.dims[1:])
        names = ("value", "low", "high")
        meaning = draws.attrs
        axis = xr.Variable("exceedance", at, {"units": "1", "long_name": "Probability of exceedance"})
        arrays = {name: np.stack([getattr(each, name) for each in found]) for name in names}
        count = found[0].draws
    else:
        at = _checked(points, "point")
        x = draws.values
        there = ~np.isnan(x)
        shares = [probability(np.where(there, x > point, np.nan), confidence) for point in at.tolist()]
        dims = ("threshold", *draws.dims[1:])
        meaning = {"units": "1", "long_name": f"Probability of exceedance: {draws.attrs['long_name']}"}
        axis = xr.Variable("threshold", at, draws.attrs)
        arrays = {
            name: np.stack([np.asarray(each) for each in parts])
            for name, parts in {
                "probability": [each.value for each in shares],
                "error": [each.error for each in shares],
                "low": [each.low for each in shares],
                "high": [each.high for each in shares],
            }.items()
        }
        count = shares[0].draws
    return xr.Dataset(
        {name: (dims, array, meaning) for name, array in arrays.items()}
        | {"draws": (dims[1:], count, {"units": "1", "long_name": "Draws"})},
        coords=coordinates | {dims[0]: axis},
        attrs=attributes,
    )


def _checked(values: ArrayLike, what: str) -> NDArray[np.float64]:
    try:
        at = np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        at = np.full(1, np.nan)
    if not at.size or not np.isfinite(at).all():
        raise InputError(f"a curve needs at least one {what}, and all of them finite numbers.")
    return at
