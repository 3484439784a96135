"""The summary of a run: every number with its standard error, as text, JSON, CSV or labeled data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from asmrisk.analysis.cells import interval_cell, mean_cell, range_cell, sd_cell
from asmrisk.analysis.clinician_risk import RISK_LEVEL, clinician_tables, clinicians
from asmrisk.analysis.estimates import mean, quantiles, ranks, standard_deviation
from asmrisk.analysis.long_table import ALL, long_table, ordinal, records, row_label, to_json
from asmrisk.analysis.metrics import BY, METRICS
from asmrisk.analysis.outcomes import check_metrics, open_outcomes
from asmrisk.analysis.tail import check_tail, probability, tail_risk, warn_of_few_draws
from asmrisk.analysis.text_tables import scale_of, tables
from asmrisk.rule.definitions import COHORTS

__all__ = ["STATISTICS", "Summary", "estimates_of", "summarize", "tail_statistics", "tail_tag"]

#: Levels of the quantiles over draws.
LEVELS = (0.05, 0.5, 0.95)

#: What is told of each metric: the mean and the standard deviation over draws with their standard errors, and
#: quantiles over draws with the ends of a 95% interval each.
STATISTICS = (
    "draws",
    "mean",
    "mean_error",
    "sd",
    "sd_error",
    *(f"p{round(100 * level):02d}{part}" for level in LEVELS for part in ("", "_low", "_high")),
)

_MONEY = (
    ("part_b_paid", "incentive_pool"),
    ("net_adjustment", "retained_savings"),
    ("episode_savings", "medicare_savings"),
)
#: Dollars that may flow either way.
_SIGNED = ("net_adjustment", "retained_savings", "episode_savings", "medicare_savings")
_FACTOR_LEVELS = (0.01, 0.05, 0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Summary:
    """Estimates of what results hold.

    Attributes
    ----------
    dataset : xarray.Dataset
        Dimension ``statistic`` (`STATISTICS`, then those of `tail_statistics`), then labels. A name ending in
        ``_total`` is over all five performance years.
    title : str
        Of the scenario.
    source : str
        Where the results are; empty for a dataset in memory.
    seed : int or None
        Of the run.
    partial : str
        How much of the run is finished, if not all; otherwise empty.
    standard : bool
        The summary that ends a run, not one of chosen metrics.
    tail : tuple of float
        Probabilities of the tails asked for.
    clinicians : tuple of xarray.Dataset
        What `asmrisk.analysis.clinicians` gives for each tail, where a scenario has a roster.
    """

    dataset: xr.Dataset
    title: str
    source: str
    seed: int | None
    partial: str
    standard: bool
    tail: tuple[float, ...] = ()
    clinicians: tuple[xr.Dataset, ...] = ()

    @property
    def draws(self) -> int:
        """Number of draws."""
        return int(self.dataset.attrs["draws"])

    def table(self) -> pd.DataFrame:
        """Give the estimates as one long table.

        Returns
        -------
        pandas.DataFrame
            One row for each metric and label: ``metric``, ``units``, the labels (``all`` where not told
            apart), ``quantile`` (of quantile metrics), the statistics, and ``partial`` (the run is not
            finished).
        """
        table = long_table(self.dataset.rename({name: _key(name) for name in self.dataset.data_vars}))
        return table.assign(partial=bool(self.partial))

    def to_csv(self) -> str:
        """Give `table` as CSV text with all digits."""
        return self.table().to_csv(index=False, lineterminator="\n")

    def to_json(self) -> str:
        """Give the summary as JSON text with all digits; what is not defined is null."""
        head = {
            "title": self.title,
            "results": self.source,
            "draws": self.draws,
            "seed": self.seed,
            "partial": bool(self.partial),
            "finished": self.partial or "all draws",
        }
        return to_json(head | {"estimates": records(self.table().drop(columns="partial"))})

    def to_text(self) -> str:
        """Give the summary for a terminal of 80 columns, each number to the digits its error supports."""
        lines = [*self._head(), *(self._standard() if self.standard else self._chosen())]
        lines += self._tails()
        if self.source:
            lines += ["", f"Results: {self.source}"]
        return "\n".join(lines)

    def _head(self) -> list[str]:
        seed = "" if self.seed is None else f", seed {self.seed}"
        lines = [f"{self.title}: {self.draws:,} {'draw' if self.draws == 1 else 'draws'}{seed}"]
        if self.partial:
            lines.append(f"The run is not finished: {self.partial}.")
        lines.append("Mean ± standard error of the mean; 5-95%: range of draws. Nominal dollars.")
        if self.draws < 2:
            lines.append("One draw has no standard error (n/a); add draws to learn how far to trust it.")
        else:
            least = next(n for n in range(2, 10**6) if ranks(n, LEVELS[0])[0] > 0)
            if self.draws < least:
                lines.append(f"The ends of a range are uncertain with fewer than {least} draws.")
        return lines

    def _standard(self) -> list[str]:
        lines: list[str] = []
        years = [int(year) for year in self.dataset.performance_year.values]
        labels = [*map(str, years), "all"]
        for pair in _MONEY:
            groups = []
            for name in pair:
                arrays = [self._estimate(name, year) for year in (*years, None)]
                columns = [
                    [mean_cell(array, 1e-6) for array in arrays],
                    [range_cell(array, 1e-6) for array in arrays],
                ]
                groups.append((f"{METRICS[name].title}, $ million", ["mean ± error", "5-95%"], columns))
            lines += tables(labels, groups)
        for cohort in COHORTS:
            factors = self.dataset["adjustment_factor_quantile"].sel(cohort=cohort)
            columns = [
                [mean_cell(factors.sel(performance_year=year, quantile=level), 100) for year in years]
                for level in _FACTOR_LEVELS
            ]
            title = f"Adjustment factor, %: percentiles of {cohort.replace('_', ' ')} clinicians"
            lines += tables(labels[:-1], [(title, [ordinal(level) for level in _FACTOR_LEVELS], columns)])
        sizes = [str(size) for size in self.dataset.practice_size.values]
        columns = [
            [
                mean_cell(self._estimate("penalized_share", year).sel(practice_size=size), 100)
                for year in (*years, None)
            ]
            for size in sizes
        ]
        lines += tables(labels, [("Share penalized, %, by practice size", sizes, columns)])
        for place, estimates in enumerate(self.clinicians):
            for rows, columns_of in clinician_tables(estimates, penalties=place == 0):
                lines += tables(rows, columns_of)
        return lines

    def _estimate(self, name: str, year: int | None) -> xr.DataArray:
        if year is None:
            return self.dataset[f"{name}_total"]
        return self.dataset[name].sel(performance_year=year)

    def _chosen(self) -> list[str]:
        lines = []
        for name, rows in self.table().groupby("metric", sort=False):
            metric = METRICS[str(name)]
            scale, units = scale_of(metric.units, rows["mean"].abs().max())
            cells = [row for _, row in rows.iterrows()]
            columns = [
                [mean_cell(row, scale) for row in cells],
                [sd_cell(row, scale) for row in cells],
                [range_cell(row, scale) for row in cells],
            ]
            heads = ["mean ± error", "SD ± error", "5-95%"]
            lines += tables([row_label(row) for row in cells], [(f"{metric.title}{units}", heads, columns)])
        return lines

    def _tails(self) -> list[str]:
        """Show where the worst draws begin and their mean, and how likely it is that money flows backward."""
        if not self.tail:
            return []
        table = self.table()
        if self.standard:
            table = table[(table["performance_year"] == ALL) & (table["practice_size"] == ALL)]
        lines: list[str] = []
        for level in self.tail:
            for units, rows in table.groupby("units", sort=False):
                scale, shown = scale_of(str(units), rows["mean"].abs().max())
                cells = [row for _, row in rows.iterrows()]
                tag = tail_tag(level)
                columns = [
                    [interval_cell(row, scale, tag) for row in cells],
                    [mean_cell(row, scale, f"{tag}_mean") for row in cells],
                ]
                title = f"The worst {100 * level:g}% of draws{shown}"
                heads = ["begin at (95% interval)", "their mean ± error"]
                lines += tables([_full_label(row) for row in cells], [(title, heads, columns)])
        cells = [row for _, row in table.iterrows() if row["metric"] in _SIGNED]
        if cells:
            column = [interval_cell(row, 100.0, "below_zero") for row in cells]
            title = "Probability of less than $0, %"
            lines += tables([_full_label(row) for row in cells], [(title, ["(95% interval)"], [column])])
        return lines


def summarize(
    results: str | os.PathLike[str] | xr.Dataset,
    *,
    by: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    tail: Sequence[float] = (),
    partial: bool = False,
) -> Summary:
    """Summarize the results of a run.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that ``asmrisk run`` wrote, or what `asmrisk.open_results` gave.
    by : sequence of str, optional
        Labels to tell apart: ``year``, ``cohort``, ``specialty``, ``practice_size``.
    metrics : sequence of str, optional
        Names out of `asmrisk.analysis.METRICS`. With neither `by` nor `metrics` the summary is the one that
        ends a run: dollars by performance year and over all five, percentiles of the adjustment factor by
        cohort, shares penalized by practice size. With `by` alone it has every metric kept by these labels.
    tail : sequence of float
        Probabilities of tails: 0.05 asks for the worst twentieth of draws.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    Summary
        Estimates with their standard errors; the unit is the draw.

    Raises
    ------
    InputError
        If there are no such results, they are not finished, or a label, metric or probability is not among
        those allowed.

    Warns
    -----
    FewDrawsWarning
        If a tail holds fewer than ten draws on average.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> savings = np.arange(1000.0).reshape(100, 5, 2)
    >>> results = xr.Dataset(
    ...     {"medicare_savings": (("draw", "performance_year", "cohort"), savings)},
    ...     coords={"performance_year": [2027, 2028, 2029, 2030, 2031]},
    ... )
    >>> summary = summarize(results, metrics=["medicare_savings"])
    >>> float(summary.dataset.medicare_savings.sel(statistic="mean"))
    4995.0
    """
    wanted, labels = check_metrics(metrics, by or ())
    tail = check_tail(tail)
    outcomes = open_outcomes(results, partial=partial)
    warn_of_few_draws(tail, outcomes.count)

    standard = by is None and metrics is None
    plan: list[tuple[str, str, tuple[str, ...]]] = []
    if standard:
        for name in (name for pair in _MONEY for name in pair):
            plan += [(name, name, BY[:1]), (f"{name}_total", name, ())]
        plan.append(("adjustment_factor_quantile", "adjustment_factor_quantile", BY[:2]))
        plan.append(("penalized_share", "penalized_share", (BY[0], BY[3])))
        plan.append(("penalized_share_total", "penalized_share", BY[3:]))
    else:
        plan = [(name, name, labels) for name in wanted]
    estimates = {
        key: estimates_of(outcomes.draws(name, each), tail, METRICS[name].high_is_worse)
        for key, name, each in plan
    }
    source = outcomes.source
    return Summary(
        xr.Dataset(estimates, attrs={"draws": outcomes.count}),
        title=outcomes.title,
        source=source,
        seed=outcomes.seed,
        partial=outcomes.partial,
        standard=standard,
        tail=tail,
        clinicians=tuple(
            clinicians(source, tail=level, partial=partial)
            for level in tail or (1.0 - RISK_LEVEL,)
            if source and standard and "roster" in outcomes.provenance
        ),
    )


def tail_tag(level: float) -> str:
    """Give the name of the worst draws among the statistics.

    Parameters
    ----------
    level : float
        Their probability.

    Returns
    -------
    str
        For example ``worst_5``.
    """
    return f"worst_{100.0 * level:g}"


def tail_statistics(tail: Sequence[float]) -> tuple[str, ...]:
    """Name what is told of tails.

    Parameters
    ----------
    tail : sequence of float
        Their probabilities.

    Returns
    -------
    tuple of str
        For each, with the unit and sign of the metric: where the worst draws begin (value at risk) with the
        ends of a 95% interval, and their mean (tail value at risk) with its standard error; then the
        probability of an outcome below zero with an exact 95% interval. Empty without tails.
    """
    parts = ("", "_low", "_high", "_mean", "_mean_error")
    names = [f"{tail_tag(level)}{part}" for level in tail for part in parts]
    return (*names, "below_zero", "below_zero_low", "below_zero_high") if names else ()


def estimates_of(draws: xr.DataArray, tail: Sequence[float], high_is_worse: bool) -> xr.DataArray:
    """Give the statistics of each label."""
    x = draws.values
    center, spread = mean(x), standard_deviation(x)
    rows: list[Any] = [center.draws, *center[:2], *spread[:2]]
    for found in quantiles(x, LEVELS):
        rows += found[:3]
    for level in tail:
        rows += tail_risk(x, level, high_is_worse=high_is_worse)
    if tail:
        share = probability(np.where(np.isnan(x), np.nan, x < 0.0))
        rows += [share.value, share.low, share.high]
    coordinates = {name: each for name, each in draws.coords.items() if "draw" not in each.dims}
    names = np.array((*STATISTICS, *tail_statistics(tail)), dtype=object)
    return xr.DataArray(
        np.stack([np.asarray(row, dtype=np.float64) for row in rows]),
        dims=("statistic", *draws.dims[1:]),
        coords=coordinates | {"statistic": names},
        attrs=draws.attrs,
    )


def _full_label(row: pd.Series) -> str:
    label = row_label(row)
    return METRICS[row["metric"]].title + ("" if label == ALL else f", {label}")


def _key(name: Any) -> str:
    """Mark what is over all years, so that the table has the metric's own name."""
    whole = str(name).removesuffix("_total")
    return f"{whole}:total" if whole != name else whole
