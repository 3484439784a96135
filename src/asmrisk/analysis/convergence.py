"""Convergence: how estimates and their errors moved as draws were added."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from asmrisk.analysis.estimates import Sets, first_draws, mean
from asmrisk.analysis.labels import relabeled
from asmrisk.analysis.metrics import METRICS, check_metrics
from asmrisk.analysis.report import Report, by_metric_and_label, long_rows, statistics_section, tail_notes
from asmrisk.analysis.run_results import RESULTS, RunResults, open_run_results
from asmrisk.analysis.statistics import (
    MEAN,
    RANGE,
    SD,
    Draws,
    Row,
    Statistic,
    columns_of,
    estimates,
    with_tails,
    worst,
)
from asmrisk.analysis.tail import check_tail, warn_of_few_draws
from asmrisk.arguments import FLAG, NUMBERS, TEXTS, check_arguments, optional
from asmrisk.errors import InputError

__all__ = ["CONVERGENCE_METRICS", "convergence"]

#: Metrics that are looked at if none are chosen.
CONVERGENCE_METRICS = ("medicare_savings", "net_adjustment", "penalized_share")


def _drift(parts: tuple[Draws, Draws]) -> Iterable[Any]:
    older, newer = (mean(each.values, each.sets) for each in parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        drift = (newer.value - older.value) / np.hypot(newer.error, older.error)
    return (np.where(newer.value == older.value, 0.0, drift),)


def _drift_cell(row: Row, scale: float) -> str:
    return "" if np.isnan(row["drift"]) else f"{round(row['drift'], 1) + 0.0:+.1f}"


#: Change of the mean by the draws added: of those before, and of those since.
DRIFT = Statistic(("drift",), _drift, (("drift", _drift_cell),), units="1")


def convergence(
    results: str | os.PathLike[str] | xr.Dataset | RunResults,
    metrics: str | Sequence[str] | None = None,
    *,
    by: str | Sequence[str] | None = None,
    tail: Sequence[float] = (),
    points: int | None = None,
    partial: bool = False,
) -> Report:
    """Estimate from an eighth, a quarter, half and all of the draws.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave.
    metrics : str or sequence of str, optional
        Names out of `asmrisk.analysis.metrics.METRICS`; `CONVERGENCE_METRICS` (those of them kept by the
        labels) if not given.
    by : str or sequence of str, optional
        Labels to tell apart: ``year``, ``cohort``, ``specialty``, ``practice_size``.
    tail : sequence of float
        Probabilities of tails to follow too.
    points : int, optional
        Checkpoints for a plot instead of the four: so many at most, evenly spaced on a logarithmic scale from
        8 draws to all.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    Report
        Its dataset has the dimensions ``checkpoint`` (draws used, from the first on), ``statistic`` (as of a
        summary, and ``drift``: mean of the draws since the checkpoint before minus the mean before, in
        standard errors of this difference; beyond ±2 in one case of twenty by chance alone), then labels. The
        first n draws of a run are the run of n draws: what is shown at n is what that run gave. All but the
        last checkpoint lie between parameter sets.

    Raises
    ------
    InputError
        If there are no such results, they are not finished, or a label, metric, probability or number of
        points is not among those allowed.

    Warns
    -----
    FewDrawsWarning
        If a tail of all draws holds too few of them.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> savings = np.arange(800.0).reshape(80, 5, 2)
    >>> results = xr.Dataset({"medicare_savings": (("draw", "performance_year", "cohort"), savings)})
    >>> found = convergence(results, ["medicare_savings"]).dataset.medicare_savings
    >>> found.sel(statistic="mean").to_series().to_dict()
    {10: 495.0, 20: 995.0, 40: 1995.0, 80: 3995.0}
    """
    check_arguments(
        results=(RESULTS, results),
        metrics=(optional(TEXTS), metrics),
        by=(optional(TEXTS), by),
        tail=(NUMBERS, tail),
        partial=(FLAG, partial),
    )
    names, labels = check_metrics(metrics, () if by is None else by, CONVERGENCE_METRICS)
    tail = check_tail(tail)
    if points is not None and (isinstance(points, bool) or not isinstance(points, int) or points < 2):
        raise InputError(f"must be a whole number of at least 2, not {points!r}.", argument="points")
    run = open_run_results(results, partial=partial)
    n = run.count
    warn_of_few_draws(tail, n, run.draws_per_set)
    at = [max(1, round(n / part)) for part in (8, 4, 2, 1)]
    if points is not None:
        at = [round(each) for each in np.geomspace(min(8, n), n, points)]
    checkpoints = _between_sets(at, run)
    statistics = with_tails(tail)
    along = {name: _along(run.draws(name, labels), run.sets, checkpoints, statistics) for name in names}
    rows = long_rows(along.items(), extra=["checkpoint"])
    sections = []
    for title, scale, some in by_metric_and_label(rows, "mean"):
        counts = [f"{row['checkpoint']:,} draws" for row in some]
        sections.append(statistics_section(title, counts, (MEAN, DRIFT, SD, RANGE), some, scale))
        for level in tail:
            words = f"{title}: the worst {100 * level:g}% of draws"
            statistic = worst(level)
            notes = tail_notes(
                level, (row[statistic.columns[0]] for row in some), run.draws_per_set, run.holds
            )
            sections.append(statistics_section(words, counts, (statistic,), some, scale, notes))
    return run.report(
        "estimates from ever more of the draws",
        "Drift: change by the draws added, in standard errors (95% within ±2 by chance).",
        run.range_words,
        *run.total_words(names, labels),
        *run.dollar_words(names),
        dataset=xr.Dataset(along),
        sections=sections,
        convergence=rows,
    )


def _between_sets(counts: Iterable[int], run: RunResults) -> list[int]:
    """Give numbers of draws, each once, with which parameter sets are whole: the next lower ones if any."""
    if run.sets is None:
        return sorted(set(counts))
    ends = np.append(first_draws(run.sets)[1:], run.count)
    places = np.searchsorted(ends, np.array(list(counts)), side="right") - 1
    return sorted(set(ends[np.maximum(places, 0)].tolist()))


def _along(
    draws: xr.DataArray,
    sets: Sets,
    checkpoints: Sequence[int],
    statistics: tuple[Statistic, ...],
) -> xr.DataArray:
    """Estimate from the draws up to each checkpoint, and how far the last of them moved the mean."""
    worse = METRICS[str(draws.name)].high_is_worse

    def some(first: int, end: int) -> Draws:
        return Draws(draws.values[first:end], worse, None if sets is None else sets[first:end])

    parts = [
        np.concatenate(
            [
                estimates(statistics, some(0, count)),
                estimates((DRIFT,), (some(0, previous), some(previous, count))),
            ]
        )
        for previous, count in zip((0, *checkpoints), checkpoints, strict=False)
    ]
    axes = {"checkpoint": checkpoints, "statistic": columns_of((*statistics, DRIFT))}
    return relabeled(np.stack(parts), draws, axes)
