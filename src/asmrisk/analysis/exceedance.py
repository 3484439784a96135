"""Exceedance curves: how likely an outcome is to be larger than what, with a band at each point."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from asmrisk.analysis.estimates import Interval, quantiles
from asmrisk.analysis.labels import axis, relabeled
from asmrisk.analysis.metrics import check_metrics
from asmrisk.analysis.report import Report, by_metric_and_label, long_rows, statistics_section
from asmrisk.analysis.run_results import RunResults, open_run_results
from asmrisk.analysis.statistics import Statistic, estimated, interval_cell
from asmrisk.analysis.tail import Probability, check_tail, probability, warn_of_few_draws
from asmrisk.errors import InputError

__all__ = ["LEVELS", "METRICS_SHOWN", "exceedance", "exceedance_curves"]

#: Probabilities of exceedance at which a curve is given if nothing else is asked for.
LEVELS = (
    *(0.99, 0.98, 0.95, 0.9, 0.8, 0.75, 0.7, 0.6, 0.5),
    *(0.4, 0.3, 0.25, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005),
)

#: Metrics whose curves are given if none are chosen.
METRICS_SHOWN = ("medicare_savings", "net_adjustment")


def exceedance(
    results: str | os.PathLike[str] | xr.Dataset | RunResults,
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
        Name out of `asmrisk.analysis.metrics.METRICS`; with a roster also ``roster_adjustment`` (all its
        clinicians together) and ``clinician_adjustment`` (each), both in dollars paid: a loss is negative.
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
    draws = open_run_results(results, partial=partial).draws(metric, by)
    found: Sequence[Interval | Probability]
    if points is None:
        at = _finite(LEVELS if levels is None else levels, "level")
        if not ((at > 0.0) & (at < 1.0)).all():
            raise InputError("levels are probabilities of exceedance: each lies between 0 and 1.")
        found = quantiles(draws.values, (1.0 - at).tolist(), confidence)
        along = {"exceedance": _levels_axis(at)}
        meaning, names = draws.attrs, {"value": "value"}
    else:
        at = _finite(points, "point")
        x = draws.values
        events = (np.where(np.isnan(x), np.nan, x > point) for point in at.tolist())
        found = [probability(each, confidence) for each in events]
        along = {"threshold": axis("threshold", at, draws.attrs)}
        meaning = {"units": "1", "long_name": f"Probability of exceedance: {draws.attrs['long_name']}"}
        names = {"probability": "value", "error": "error"}
    curve = {
        name: relabeled(
            np.stack([np.asarray(getattr(each, part)) for each in found]), draws, along, attributes=meaning
        )
        for name, part in (names | {"low": "low", "high": "high"}).items()
    }
    curve["draws"] = relabeled(found[0].draws, draws, {}, attributes={"units": "1", "long_name": "Draws"})
    return xr.Dataset(curve, attrs={"metric": metric, "confidence": confidence})


def exceedance_curves(
    results: str | os.PathLike[str] | xr.Dataset,
    *,
    by: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    tail: Sequence[float] = (),
    partial: bool = False,
) -> Report:
    """Estimate exceedance curves of several outcomes, as a report; see `exceedance` for one.

    They are given at `LEVELS` and, at both ends, with the probabilities `tail`; of `METRICS_SHOWN` (those of
    them kept by the labels) if no metrics are chosen. The dataset has the dimensions ``statistic``
    (``value``, and ``value_low`` and ``value_high`` of its 95% interval), ``exceedance``, then labels.
    """
    names, labels = check_metrics(metrics, by or (), METRICS_SHOWN)
    tail = check_tail(tail)
    run = open_run_results(results, partial=partial)
    warn_of_few_draws(tail, run.count)
    levels = np.array(sorted({*LEVELS, *tail, *(1.0 - each for each in tail)}, reverse=True))
    exceeded = _exceeded(levels)
    along = {"exceedance": _levels_axis(levels)}
    curves = {name: estimated((exceeded,), run.draws(name, labels), along=along) for name in names}
    rows = long_rows(curves.items(), extra=["exceedance"])
    sections = []
    for title, scale, some in by_metric_and_label(rows, "value"):
        shares = [f"{100 * row['exceedance']:g}%" for row in some]
        sections.append(statistics_section(title, shares, (exceeded,), some, scale))
    return run.report(
        f"exceedance curves of {run.count:,} draws",
        "What is exceeded with the probability on the left; a 95% interval at each.",
        dataset=xr.Dataset(curves),
        sections=sections,
        exceedance=rows,
    )


def _exceeded(levels: NDArray[np.float64]) -> Statistic:
    """Declare what is exceeded with each of several probabilities, with the ends of a 95% interval."""
    return Statistic(
        ("value", "value_low", "value_high"),
        lambda draws: zip(
            *(each[:3] for each in quantiles(draws.values, (1.0 - levels).tolist())), strict=True
        ),
        (("exceeded (95% interval)", interval_cell("value")),),
    )


def _levels_axis(levels: NDArray[np.float64]) -> xr.Variable:
    return axis("exceedance", levels, {"units": "1", "long_name": "Probability of exceedance"})


def _finite(values: ArrayLike, what: str) -> NDArray[np.float64]:
    try:
        at = np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        at = np.full(1, np.nan)
    if not at.size or not np.isfinite(at).all():
        raise InputError(f"a curve needs at least one {what}, and all of them finite numbers.")
    return at
