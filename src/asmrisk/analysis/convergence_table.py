"""Convergence: how estimates and their errors moved as draws were added."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from asmrisk.analysis.cells import interval_cell, mean_cell, range_cell, sd_cell
from asmrisk.analysis.estimates import mean
from asmrisk.analysis.long_table import long_table, records, row_label, to_json
from asmrisk.analysis.metrics import BY, METRICS
from asmrisk.analysis.outcomes import Outcomes, check_metrics, open_outcomes
from asmrisk.analysis.summary import STATISTICS, estimates_of, tail_statistics, tail_tag
from asmrisk.analysis.tail import check_tail, warn_of_few_draws
from asmrisk.analysis.text_tables import scale_of, tables
from asmrisk.errors import InputError

__all__ = ["METRICS_SHOWN", "Convergence", "convergence"]

#: Metrics that are looked at if none are chosen.
METRICS_SHOWN = ("medicare_savings", "net_adjustment", "penalized_share")


@dataclass(frozen=True)
class Convergence:
    """Estimates from ever more of the draws.

    Attributes
    ----------
    dataset : xarray.Dataset
        Dimensions ``checkpoint`` (draws used, from the first on), ``statistic`` (as of a summary, and
        ``drift``: mean of the draws since the checkpoint before minus the mean before, in standard errors of
        this difference; beyond ±2 in one case of twenty by chance alone), then labels.
    title, source : str
        Of the scenario; where the results are.
    seed : int or None
        Of the run.
    partial : str
        How much of the run is finished, if not all; otherwise empty.
    tail : tuple of float
        Probabilities of the tails asked for.
    """

    dataset: xr.Dataset
    title: str
    source: str
    seed: int | None
    partial: str
    tail: tuple[float, ...]

    def table(self) -> pd.DataFrame:
        """Give the estimates as one long table: a row for each metric, label and checkpoint (``draws``)."""
        table = long_table(self.dataset.transpose(..., "checkpoint"), extra=["checkpoint"])
        return table.assign(partial=bool(self.partial))

    def to_csv(self) -> str:
        """Give `table` as CSV text with all digits."""
        return self.table().to_csv(index=False, lineterminator="\n")

    def to_json(self) -> str:
        """Give the estimates as JSON text with all digits; what is not defined is null."""
        head = {
            "title": self.title,
            "results": self.source,
            "seed": self.seed,
            "partial": bool(self.partial),
            "finished": self.partial or "all draws",
        }
        return to_json(head | {"convergence": records(self.table().drop(columns="partial"))})

    def to_text(self) -> str:
        """Give the estimates for a terminal of 80 columns, each to the digits that its error supports."""
        seed = "" if self.seed is None else f", seed {self.seed}"
        lines = [f"{self.title}: estimates from ever more of the draws{seed}"]
        if self.partial:
            lines.append(f"The run is not finished: {self.partial}.")
        lines.append("Drift: change by the draws added, in standard errors (95% within ±2 by chance).")
        table = self.table()
        for (name, *_), rows in table.groupby(["metric", *BY, "quantile"], sort=False, dropna=False):
            metric = METRICS[str(name)]
            scale, units = scale_of(metric.units, rows["mean"].abs().max())
            cells = [row for _, row in rows.iterrows()]
            label = row_label(cells[0])
            title = metric.title + units + ("" if label == "all" else f": {label}")
            heads = ["mean ± error", "drift", "SD ± error", "5-95%"]
            columns = [
                [mean_cell(row, scale) for row in cells],
                ["" if np.isnan(row["drift"]) else f"{round(row['drift'], 1) + 0.0:+.1f}" for row in cells],
                [sd_cell(row, scale) for row in cells],
                [range_cell(row, scale) for row in cells],
            ]
            labels = [f"{row['checkpoint']:,}" for row in cells]
            lines += tables(labels, [(title, heads, columns)])
            for level in self.tail:
                tag = tail_tag(level)
                worst = ["begin at (95% interval)", "their mean ± error"]
                columns = [
                    [interval_cell(row, scale, tag) for row in cells],
                    [mean_cell(row, scale, f"{tag}_mean") for row in cells],
                ]
                lines += tables(labels, [(f"{title}: the worst {100 * level:g}% of draws", worst, columns)])
        if self.source:
            lines += ["", f"Results: {self.source}"]
        return "\n".join(lines)


def convergence(
    results: str | os.PathLike[str] | xr.Dataset | Outcomes,
    metrics: Sequence[str] | None = None,
    *,
    by: Sequence[str] | None = None,
    tail: Sequence[float] = (),
    points: int | None = None,
    partial: bool = False,
) -> Convergence:
    """Estimate from an eighth, a quarter, half and all of the draws.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that ``asmrisk run`` wrote, or what `asmrisk.open_results` gave.
    metrics : sequence of str, optional
        Names out of `asmrisk.analysis.METRICS`; `METRICS_SHOWN` (those of them kept by the labels) if not
        given.
    by : sequence of str, optional
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
    Convergence
        The first n draws of a run are the run of n draws: what is shown at n is what that run gave.

    Raises
    ------
    InputError
        If there are no such results, they are not finished, or a label, metric, probability or number of
        points is not among those allowed.

    Warns
    -----
    FewDrawsWarning
        If a tail of all draws holds fewer than ten of them on average.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> savings = np.arange(800.0).reshape(80, 5, 2)
    >>> results = xr.Dataset({"medicare_savings": (("draw", "performance_year", "cohort"), savings)})
    >>> found = convergence(results, ["medicare_savings"]).dataset.medicare_savings
    >>> found.sel(statistic="mean").to_series().to_dict()
    {10: 495.0, 20: 995.0, 40: 1995.0, 80: 3995.0}
    """
    by = by or ()
    if metrics is None:
        kept, _ = check_metrics(None, by)
        metrics = [name for name in METRICS_SHOWN if name in kept]
    names, labels = check_metrics(metrics, by)
    tail = check_tail(tail)
    if points is not None and (isinstance(points, bool) or not isinstance(points, int) or points < 2):
        raise InputError(f"points must be a whole number of at least 2, not {points!r}.")
    outcomes = open_outcomes(results, partial=partial)
    n = outcomes.count
    warn_of_few_draws(tail, n)
    at = [max(1, round(n / part)) for part in (8, 4, 2, 1)]
    if points is not None:
        at = [round(each) for each in np.geomspace(min(8, n), n, points)]
    checkpoints = sorted(set(at))
    return Convergence(
        xr.Dataset({name: _along(outcomes.draws(name, labels), checkpoints, tail) for name in names}),
        title=outcomes.title,
        source=outcomes.source,
        seed=outcomes.seed,
        partial=outcomes.partial,
        tail=tail,
    )


def _along(draws: xr.DataArray, checkpoints: Sequence[int], tail: tuple[float, ...]) -> xr.DataArray:
    worse = METRICS[str(draws.name)].high_is_worse
    x = draws.values
    parts = []
    before = 0
    for count in checkpoints:
        found = estimates_of(draws.isel(draw=slice(count)), tail, worse)
        with np.errstate(invalid="ignore", divide="ignore"):
            older, newer = mean(x[:before]), mean(x[before:count])
            drift = (newer.value - older.value) / np.hypot(newer.error, older.error)
        drift = np.where(newer.value == older.value, 0.0, drift)
        parts.append(np.concatenate([found.values, drift[None]]))
        before = count
    names = (*STATISTICS, *tail_statistics(tail), "drift")
    return xr.DataArray(
        np.stack(parts),
        dims=("checkpoint", *found.dims),
        coords={name: each for name, each in found.coords.items() if name != "statistic"}
        | {"checkpoint": np.array(checkpoints, dtype=np.int64), "statistic": np.array(names, dtype=object)},
        attrs=draws.attrs,
        name=draws.name,
    )
