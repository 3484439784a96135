"""The summary of a run: every number with its standard error, as text, JSON, CSV or labeled data."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from asmrisk.analysis.clinician_risk import clinician_tables, clinicians
from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.estimates import mean, quantile, ranks, standard_deviation
from asmrisk.analysis.metrics import BY, METRICS, check_by, check_metric, metric_draws
from asmrisk.errors import InputError
from asmrisk.rule.definitions import COHORTS

__all__ = ["STATISTICS", "Summary", "summarize"]

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
_FACTOR_LEVELS = (0.01, 0.05, 0.5, 0.95, 0.99)
_ALL = "all"

#: Columns of the narrowest terminal that text is made for.
WIDTH = 80


@dataclass(frozen=True)
class Summary:
    """Estimates of what results hold.

    Attributes
    ----------
    dataset : xarray.Dataset
        Dimension ``statistic`` (`STATISTICS`), then labels. A name ending in ``_total`` is over all five
        performance years.
    title : str
        Of the scenario.
    source : str
        Where the results are; empty for a dataset in memory.
    seed : int or None
        Of the run.
    partial : bool
        The run is not finished.
    standard : bool
        The summary that ends a run, not one of chosen metrics.
    clinicians : xarray.Dataset or None
        What `asmrisk.analysis.clinicians` gives, where a scenario has a roster.
    """

    dataset: xr.Dataset
    title: str
    source: str
    seed: int | None
    partial: bool
    standard: bool
    clinicians: xr.Dataset | None = None

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
            apart), ``quantile`` (of quantile metrics), and `STATISTICS`.
        """
        parts = []
        for name, array in self.dataset.data_vars.items():
            if array.ndim == 1:
                frame = pd.DataFrame([dict(zip(STATISTICS, array.values.tolist(), strict=True))])
            else:
                frame = array.to_dataset("statistic").to_dataframe().reset_index()
            if "cohort" in array.coords and "cohort" not in array.dims:
                homes = dict(zip(array.specialty.values, array.cohort.values, strict=True))
                frame["cohort"] = frame["specialty"].map(homes)
            frame["metric"] = str(name).removesuffix("_total")
            frame["units"] = array.attrs["units"]
            parts.append(frame)
        table = pd.concat(parts, ignore_index=True)
        for label in BY:
            known = (
                table[label].astype(object) if label in table else pd.Series(None, table.index, dtype=object)
            )
            table[label] = [_plain(each) for each in known]
        if "quantile" not in table:
            table["quantile"] = np.nan
        table["draws"] = table["draws"].astype(np.int64)
        return table[["metric", "units", *BY, "quantile", *STATISTICS]]

    def to_csv(self) -> str:
        """Give `table` as CSV text with all digits."""
        return self.table().to_csv(index=False, lineterminator="\n")

    def to_json(self) -> str:
        """Give the summary as JSON text with all digits; what is not defined is null."""
        rows = [
            {
                key: None if isinstance(value, float) and not math.isfinite(value) else value
                for key, value in row.items()
            }
            for row in self.table().to_dict("records")
        ]
        head = {
            "title": self.title,
            "results": self.source,
            "draws": self.draws,
            "seed": self.seed,
            "partial": self.partial,
        }
        return json.dumps(head | {"estimates": rows}, indent=1, allow_nan=False)

    def to_text(self) -> str:
        """Give the summary for a terminal of 80 columns, each number to the digits its error supports."""
        lines = [*self._head(), *(self._standard() if self.standard else self._chosen())]
        if self.source:
            lines += ["", f"Results: {self.source}"]
        return "\n".join(lines)

    def _head(self) -> list[str]:
        seed = "" if self.seed is None else f", seed {self.seed}"
        lines = [f"{self.title}: {self.draws:,} {'draw' if self.draws == 1 else 'draws'}{seed}"]
        if self.partial:
            lines.append("The run is not finished: these are the draws there are.")
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
                    [_mean(array, 1e-6) for array in arrays],
                    [_range(array, 1e-6) for array in arrays],
                ]
                groups.append((f"{METRICS[name].title}, $ million", ["mean ± error", "5-95%"], columns))
            lines += _tables(labels, groups)
        for cohort in COHORTS:
            factors = self.dataset["adjustment_factor_quantile"].sel(cohort=cohort)
            columns = [
                [_mean(factors.sel(performance_year=year, quantile=level), 100) for year in years]
                for level in _FACTOR_LEVELS
            ]
            title = f"Adjustment factor, %: percentiles of {cohort.replace('_', ' ')} clinicians"
            lines += _tables(labels[:-1], [(title, [_ordinal(level) for level in _FACTOR_LEVELS], columns)])
        sizes = [str(size) for size in self.dataset.practice_size.values]
        columns = [
            [
                _mean(self._estimate("penalized_share", year).sel(practice_size=size), 100)
                for year in (*years, None)
            ]
            for size in sizes
        ]
        lines += _tables(labels, [("Share penalized, %, by practice size", sizes, columns)])
        for rows, columns_of in [] if self.clinicians is None else clinician_tables(self.clinicians):
            lines += _tables(rows, columns_of)
        return lines

    def _estimate(self, name: str, year: int | None) -> xr.DataArray:
        if year is None:
            return self.dataset[f"{name}_total"]
        return self.dataset[name].sel(performance_year=year)

    def _chosen(self) -> list[str]:
        lines = []
        table = self.table()
        for name, rows in table.groupby("metric", sort=False):
            metric = METRICS[str(name)]
            scale, units = _scale(metric.units, rows["mean"].abs().max())
            labels = [
                " ".join(
                    [
                        str(row[label]).replace("_", " ")
                        for label in BY
                        if row[label] != _ALL and not (label == "cohort" and row["specialty"] != _ALL)
                    ]
                    + ([] if math.isnan(row["quantile"]) else [_ordinal(row["quantile"])])
                )
                or _ALL
                for _, row in rows.iterrows()
            ]
            columns = [
                [_mean(row, scale) for _, row in rows.iterrows()],
                [_spread(row, scale) for _, row in rows.iterrows()],
                [_range(row, scale) for _, row in rows.iterrows()],
            ]
            heads = ["mean ± error", "SD ± error", "5-95%"]
            lines += _tables(labels, [(f"{metric.title}{units}", heads, columns)])
        return lines


def summarize(
    results: str | os.PathLike[str] | xr.Dataset,
    *,
    by: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
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
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    Summary
        Estimates with their standard errors; the unit is the draw.

    Raises
    ------
    InputError
        If there are no such results, they are not finished, or a label or metric is not among those allowed.
    """
    labels = check_by(by or ())
    if metrics is None:
        wanted = [name for name in METRICS if _kept(name, labels)]
    else:
        wanted = list(dict.fromkeys(metrics))
        problems: list[str] = []
        for name in wanted:
            try:
                check_metric(name, labels)
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)
    source = ""
    if not isinstance(results, xr.Dataset):
        from asmrisk.results import open_results

        source = os.fspath(results)
        results = open_results(results, partial=partial, chunked=False)
    if "draw" not in results.sizes or not results.sizes["draw"]:
        raise InputError(f"{source or 'the dataset'} holds no draws; there is nothing to summarize.")

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
    estimates = {key: _estimates(metric_draws(results, name, each)) for key, name, each in plan}
    dataset = xr.Dataset(estimates, attrs={"draws": int(results.sizes["draw"])})
    origin = json.loads(results.attrs.get("provenance", "{}"))
    return Summary(
        dataset,
        title=origin.get("scenario", {}).get("title") or "Results",
        source=source,
        seed=origin.get("seed"),
        partial=bool(results.attrs.get("partial", False)),
        standard=standard,
        clinicians=clinicians(source, partial=partial)
        if source and standard and "roster" in origin
        else None,
    )


def _kept(name: str, by: Sequence[str]) -> bool:
    return METRICS[name].by_specialty or not {"specialty", "practice_size"} & set(by)


def _estimates(draws: xr.DataArray) -> xr.DataArray:
    """Give the `STATISTICS` of each label."""
    x = draws.values
    center, spread = mean(x), standard_deviation(x)
    rows: list[Any] = [center.draws, *center[:2], *spread[:2]]
    for level in LEVELS:
        rows += quantile(x, level)[:3]
    coordinates = {name: each for name, each in draws.coords.items() if "draw" not in each.dims}
    return xr.DataArray(
        np.stack([np.asarray(row, dtype=np.float64) for row in rows]),
        dims=("statistic", *draws.dims[1:]),
        coords=coordinates | {"statistic": np.array(STATISTICS, dtype=object)},
        attrs=draws.attrs,
    )


_Cell = xr.DataArray | pd.Series


def _read(cell: _Cell, name: str) -> float:
    return float(cell.sel(statistic=name) if isinstance(cell, xr.DataArray) else cell[name])


def _mean(cell: _Cell, scale: float) -> str:
    return with_error(_read(cell, "mean") * scale, _read(cell, "mean_error") * scale)


def _spread(cell: _Cell, scale: float) -> str:
    if math.isnan(_read(cell, "sd")):
        return "n/a"
    return with_error(_read(cell, "sd") * scale, _read(cell, "sd_error") * scale)


def _range(cell: _Cell, scale: float) -> str:
    """Write the 5% and 95% quantiles over draws, to the digits that the wider of their intervals supports."""
    if _read(cell, "draws") < 2:
        return "n/a"
    ends = ("p05", "p95")
    # A 95% interval is about four standard errors wide.
    error = max((_read(cell, f"{end}_high") - _read(cell, f"{end}_low")) / 4.0 for end in ends)
    if math.isnan(error):  # too few draws for an interval: no better than one draw's spread
        error = _read(cell, "sd")
    return " to ".join(number(_read(cell, end) * scale, error * scale) for end in ends)


def _plain(label: Any) -> Any:
    if label is None or (isinstance(label, float) and math.isnan(label)):
        return _ALL
    return label if isinstance(label, str) else int(label)


def _scale(units: str, largest: float) -> tuple[float, str]:
    if units == "fraction":
        return 100.0, ", %"
    if units == "USD":
        return (1e-6, ", $ million") if largest >= 1e5 else (1.0, ", $")
    return 1.0, {"points": ", points"}.get(units, "")


def _ordinal(level: float) -> str:
    percent = round(100 * level)
    return f"{percent}{'st' if percent == 1 else 'th'}"


_SIGN = " ± "


def _folded(columns: Sequence[Sequence[str]]) -> list[list[str]]:
    """Put errors below their values."""
    pairs = [[cell.partition(_SIGN) for cell in column] for column in columns]
    return [
        [part for value, sign, error in column for part in (value, (sign + error).strip())]
        for column in pairs
    ]


_Group = tuple[str, Sequence[str], Sequence[Sequence[str]]]


def _tables(labels: Sequence[str], groups: Sequence[_Group]) -> list[str]:
    """Set groups of columns side by side under their titles, or below each other if there is no room."""
    margin = max(4, *map(len, labels))
    rows = [" " * margin, " " * margin, *(label.ljust(margin) for label in labels)]
    for title, heads, columns in groups:
        block = ["" for _ in labels]
        head = ""
        for name, column in zip(heads, columns, strict=True):
            width = 2 + max(len(name), *map(len, column))
            head += name.rjust(width)
            block = [line + cell.rjust(width) for line, cell in zip(block, column, strict=True)]
        width = max(len(head), len(title) + 2 if len(groups) > 1 else 0)
        top = "  " + title.center(width - 2) if len(groups) > 1 else title
        rows = [
            line + each.rjust(width) if row else (line if len(groups) > 1 else "") + each
            for row, (line, each) in enumerate(zip(rows, [top, head, *block], strict=True))
        ]
    if len(groups) > 1 and max(map(len, rows)) > WIDTH:
        return [line for group in groups for line in _tables(labels, [group])]
    if max(map(len, rows)) > WIDTH and any(_SIGN in cell for cell in columns[0]):
        return _tables([each for label in labels for each in (label, "")], [(title, heads, _folded(columns))])
    return ["", *(row.rstrip() for row in rows)]
