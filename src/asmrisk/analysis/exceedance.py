"""Exceedance curves: how likely an outcome is to be larger than what, with a band at each point."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from asmrisk.analysis.estimates import quantiles
from asmrisk.analysis.labels import axis
from asmrisk.analysis.metrics import METRICS, check_metrics
from asmrisk.analysis.report import Report, by_metric_and_label, long_rows, statistics_section
from asmrisk.analysis.run_results import RESULTS, RunResults, open_run_results
from asmrisk.analysis.statistics import HOLDS, Statistic, estimated, interval_cell
from asmrisk.analysis.tail import check_tail, probability, warn_of_few_draws
from asmrisk.arguments import FLAG, NUMBERS, TEXTS, check_arguments, optional
from asmrisk.errors import InputError

__all__ = ["EXCEEDANCE_METRICS", "LEVELS", "exceedance"]

#: Probabilities of exceedance at which a curve is given if nothing else is asked for.
LEVELS = (
    *(0.99, 0.98, 0.95, 0.9, 0.8, 0.75, 0.7, 0.6, 0.5),
    *(0.4, 0.3, 0.25, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005),
)

#: Metrics whose curves are given if none are chosen.
EXCEEDANCE_METRICS = ("medicare_savings", "net_adjustment")


def exceedance(
    results: str | os.PathLike[str] | xr.Dataset | RunResults,
    metrics: str | Sequence[str] | None = None,
    *,
    by: str | Sequence[str] | None = None,
    levels: Sequence[float] | None = None,
    points: ArrayLike | None = None,
    tail: Sequence[float] = (),
    confidence: float = 0.95,
    partial: bool = False,
) -> Report:
    """Estimate exceedance curves of outcomes.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave.
    metrics : str or sequence of str, optional
        Names out of `asmrisk.analysis.metrics.METRICS`, with a roster also those of the roster, each practice
        and each clinician (``roster_net_adjustment``): a loss is negative. `EXCEEDANCE_METRICS` (those of
        them kept by the labels) if not given.
    by : str or sequence of str, optional
        Labels to tell apart: ``year``, ``cohort``, ``specialty``, ``practice_size``. What is not told apart
        is added up or averaged within each draw, so the correlation of years and groups is kept.
    levels : sequence of float, optional
        Probabilities of exceedance, between 0 and 1, at which outcomes are wanted; `LEVELS` if neither these
        nor `points` are given.
    points : array_like of float64, optional
        Outcomes of one metric whose probability of exceedance is wanted, in the metric's unit.
    tail : sequence of float
        Probabilities that are added to the levels at both ends.
    confidence : float
        Of the band at each point, by itself and not for the whole curve.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    Report
        Its dataset has the dimensions ``statistic``, ``exceedance`` or ``threshold``, then labels. By level,
        ``value`` is the outcome exceeded with that probability, ``value_low`` and ``value_high`` are the
        order statistics that hold it with the confidence stated (`asmrisk.analysis.estimates.quantiles`; NaN
        where there are too few draws). By point, ``probability`` is the share of draws above it,
        ``probability_low`` and ``probability_high`` are its interval (`asmrisk.analysis.tail.probability`),
        ``probability_error`` the standard error. Both have ``draws``, the number they rest on.

    Raises
    ------
    InputError
        If there are no such results, no such outcome or label, or a level, point or confidence that cannot be
        used.

    Warns
    -----
    FewDrawsWarning
        If a tail of all draws holds too few of them.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> savings = np.arange(1e4).reshape(1000, 5, 2)
    >>> results = xr.Dataset({"medicare_savings": (("draw", "performance_year", "cohort"), savings)})
    >>> curve = exceedance(results, ["medicare_savings"], points=[0.0, 50_000.0]).dataset.medicare_savings
    >>> curve.sel(statistic="probability").values.tolist()
    [1.0, 0.5]
    >>> exceedance(results, ["medicare_savings"], levels=[0.5, 0.1]).dataset.medicare_savings.dims
    ('statistic', 'exceedance')
    """
    if points is not None and (levels is not None or len(tail)):
        text = "are outcomes, levels and tail probabilities of the curve; give one or the other, not both."
        raise InputError(text, argument="points")
    if not 0.0 < confidence < 1.0:
        raise InputError(f"{confidence!r} is not allowed", argument="confidence", allowed="between 0 and 1")
    check_arguments(
        results=(RESULTS, results),
        metrics=(optional(TEXTS), metrics),
        by=(optional(TEXTS), by),
        tail=(NUMBERS, tail),
        partial=(FLAG, partial),
    )
    names, labels = check_metrics(metrics, () if by is None else by, EXCEEDANCE_METRICS)
    tail = check_tail(tail)
    run = open_run_results(results, partial=partial)
    warn_of_few_draws(tail, run.count, run.draws_per_set)
    band = f"{100 * confidence:g}% interval"
    if points is None:
        at = _levels(LEVELS if levels is None else levels, tail)
        statistic, along, column = _exceeded(at, confidence, band), "exceedance", "value"
        labels_along = axis(along, at, {"units": "1", "long_name": "Probability of exceedance"})
        words = f"What is exceeded with the probability on the left, by {HOLDS[run.holds]}; a {band} at each."
        own = (
            "A loss is negative: in one draw of twenty less is paid, or more lost, than is exceeded with 95%."
        )
    else:
        if len(names) != 1:
            raise InputError("are of one metric; name it", argument="points")
        at = _finite(points, "points")
        statistic, along, column = _probabilities(at, confidence, band), "threshold", "threshold"
        units = run.draws(names[0], labels).attrs["units"]
        labels_along = axis(along, at, {"units": units, "long_name": "Threshold"})
        words = f"The probability of more than what is on the left, by {HOLDS[run.holds]}; a {band} at each."
        own = "A loss is negative: more than -5 is a loss of less than 5, or a gain."
    curves = {
        name: estimated((statistic,), run.draws(name, labels), sets=run.sets, along={along: labels_along})
        for name in names
    }
    rows = long_rows(curves.items(), [along])
    sections = []
    for title, scale, some in by_metric_and_label(rows, column):
        if points is None:
            heads = [f"{100 * row[along]:g}%" for row in some]
        else:
            heads = [f"more than {row[along] * scale:,.12g}" for row in some]
        sections.append(statistics_section(title, heads, (statistic,), some, scale))
    return run.report(
        f"exceedance curves of {run.count:,} {'draw' if run.count == 1 else 'draws'}",
        words,
        *([own] if any(METRICS[name].of for name in names) else []),
        *run.total_words(names, labels),
        *run.dollar_words(names),
        dataset=xr.Dataset(curves, attrs={"confidence": confidence}),
        sections=sections,
        exceedance=rows,
    )


def _exceeded(levels: NDArray[np.float64], confidence: float, band: str) -> Statistic:
    """Declare what is exceeded with each of several probabilities, with its band."""
    return Statistic(
        ("value", "value_low", "value_high", "draws"),
        lambda draws: zip(
            *quantiles(draws.values, (1.0 - levels).tolist(), confidence, draws.sets), strict=True
        ),
        ((f"exceeded ({band})", interval_cell("value")),),
    )


def _probabilities(points: NDArray[np.float64], confidence: float, band: str) -> Statistic:
    """Declare the probability of exceeding each of several outcomes, with its band."""

    def estimate(draws: Any) -> Any:
        x = draws.values
        events = (np.where(np.isnan(x), np.nan, x > point) for point in points.tolist())
        return zip(*(probability(each, confidence, draws.sets) for each in events), strict=True)

    return Statistic(
        ("probability", "probability_error", "probability_low", "probability_high", "draws"),
        estimate,
        ((f"probability, % ({band})", interval_cell("probability")),),
        units="fraction",
    )


def _levels(levels: Sequence[float], tail: Sequence[float]) -> NDArray[np.float64]:
    """Give probabilities from the largest to the smallest, those of the tails at both ends too."""
    stated = _finite(levels, "levels")
    if not ((stated > 0.0) & (stated < 1.0)).all():
        text = "are probabilities of exceedance: each lies between 0 and 1."
        raise InputError(text, argument="levels")
    return np.array(sorted({*stated.tolist(), *tail, *(1.0 - each for each in tail)}, reverse=True))


def _finite(values: ArrayLike, argument: str) -> NDArray[np.float64]:
    try:
        at = np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        at = np.full(1, np.nan)
    if not at.size or not np.isfinite(at).all():
        raise InputError("must be at least one, and all of them finite numbers.", argument=argument)
    return at
