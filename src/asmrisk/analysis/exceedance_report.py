"""Exceedance curves of several outcomes as text, JSON or CSV."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from asmrisk.analysis.cells import interval_cell
from asmrisk.analysis.exceedance_curve import LEVELS, exceedance
from asmrisk.analysis.long_table import long_table, records, row_label, to_json
from asmrisk.analysis.metrics import BY, METRICS
from asmrisk.analysis.outcomes import Outcomes, check_metrics, open_outcomes
from asmrisk.analysis.tail import check_tail, warn_of_few_draws
from asmrisk.analysis.text_tables import scale_of, tables

__all__ = ["METRICS_SHOWN", "ExceedanceCurves", "exceedance_curves"]

#: Metrics whose curves are given if none are chosen.
METRICS_SHOWN = ("medicare_savings", "net_adjustment")


@dataclass(frozen=True)
class ExceedanceCurves:
    """The outcome that is exceeded with each of several probabilities.

    Attributes
    ----------
    dataset : xarray.Dataset
        Dimensions ``statistic`` (``value``, and ``value_low`` and ``value_high`` of its 95% interval),
        ``exceedance``, then labels.
    origin : Outcomes
        The results.
    """

    dataset: xr.Dataset
    origin: Outcomes

    def table(self) -> pd.DataFrame:
        """Give the curves as one long table: a row for each metric, label and probability."""
        table = long_table(self.dataset.transpose(..., "exceedance"), extra=["exceedance"])
        return table.assign(partial=bool(self.origin.partial))

    def to_csv(self) -> str:
        """Give `table` as CSV text with all digits."""
        return self.table().to_csv(index=False, lineterminator="\n")

    def to_json(self) -> str:
        """Give the curves as JSON text with all digits; what is not defined is null."""
        head = {
            "title": self.origin.title,
            "results": self.origin.source,
            "draws": self.origin.count,
            "seed": self.origin.seed,
            "partial": bool(self.origin.partial),
        }
        return to_json(head | {"exceedance": records(self.table().drop(columns="partial"))})

    def to_text(self) -> str:
        """Give the curves for a terminal of 80 columns, each number to the digits its interval supports."""
        seed = "" if self.origin.seed is None else f", seed {self.origin.seed}"
        lines = [f"{self.origin.title}: exceedance curves of {self.origin.count:,} draws{seed}"]
        if self.origin.partial:
            lines.append(f"The run is not finished: {self.origin.partial}.")
        lines.append("What is exceeded with the probability on the left; a 95% interval at each.")
        groups = self.table().groupby(["metric", *BY, "quantile"], sort=False, dropna=False)
        for (name, *_), rows in groups:
            metric = METRICS[str(name)]
            scale, units = scale_of(metric.units, rows["value"].abs().max())
            cells = [row for _, row in rows.iterrows()]
            label = row_label(cells[0])
            title = metric.title + units + ("" if label == "all" else f": {label}")
            labels = [f"{100 * row['exceedance']:g}%" for row in cells]
            column = [interval_cell(row, scale, "value") for row in cells]
            lines += tables(labels, [(title, ["exceeded (95% interval)"], [column])])
        if self.origin.source:
            lines += ["", f"Results: {self.origin.source}"]
        return "\n".join(lines)


def exceedance_curves(
    results: str | os.PathLike[str] | xr.Dataset,
    *,
    by: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    tail: Sequence[float] = (),
    partial: bool = False,
) -> ExceedanceCurves:
    """Estimate exceedance curves of several outcomes; see `asmrisk.exceedance` for one.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that ``asmrisk run`` wrote, or what `asmrisk.open_results` gave.
    by : sequence of str, optional
        Labels to tell apart.
    metrics : sequence of str, optional
        Names out of `asmrisk.analysis.METRICS`; `METRICS_SHOWN` (those of them kept by the labels) if not
        given.
    tail : sequence of float
        Probabilities to add at both ends of the curves.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    ExceedanceCurves
        At the probabilities `asmrisk.analysis.exceedance_curve.LEVELS` and those of `tail`.

    Raises
    ------
    InputError
        If there are no such results, they are not finished, or a label, metric or probability is not among
        those allowed.

    Warns
    -----
    FewDrawsWarning
        If a tail asked for holds fewer than ten draws on average.
    """
    if metrics is None:
        kept, _ = check_metrics(None, by or ())
        metrics = [name for name in METRICS_SHOWN if name in kept]
    names, labels = check_metrics(metrics, by or ())
    tail = check_tail(tail)
    outcomes = open_outcomes(results, partial=partial)
    warn_of_few_draws(tail, outcomes.count)
    levels = sorted({*LEVELS, *tail, *(1.0 - each for each in tail)}, reverse=True)
    curves = {}
    for name in names:
        curve = exceedance(outcomes, name, by=labels, levels=levels)
        parts = [curve[each].rename(name) for each in ("value", "low", "high")]
        axis = xr.Variable("statistic", np.array(["value", "value_low", "value_high"], dtype=object))
        curves[name] = xr.concat(parts, dim=axis, coords="minimal", compat="override").assign_attrs(
            units=METRICS[name].units
        )
    return ExceedanceCurves(xr.Dataset(curves), outcomes)
