"""A comparison of scenarios as text, JSON, CSV or labeled data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import pandas as pd
import xarray as xr

from asmrisk.analysis.cells import interval_cell, mean_cell, range_cell
from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.long_table import ALL, long_table, records, row_label, to_json
from asmrisk.analysis.metrics import BY, METRICS
from asmrisk.analysis.outcomes import Outcomes
from asmrisk.analysis.text_tables import WIDTH, scale_of, tables

__all__ = ["STATISTICS", "Comparison"]

#: What is told of each metric and label: the common draws in which both have it; the means of baseline and
#: reform with their standard errors; the mean difference, reform minus baseline, with its paired standard
#: error; standard deviation and quantiles of the draws' differences, these with the ends of a 95% interval;
#: the probability that the reform is larger with its standard error and the ends of an exact 95% interval;
#: the share of draws in which they are equal; and how many draws of its own each run would need if they did
#: not share their random numbers, for the same error of the difference (infinite if it has none).
STATISTICS = (
    *(
        "draws",
        "baseline",
        "baseline_error",
        "reform",
        "reform_error",
        "difference",
        "difference_error",
        "sd",
    ),
    *(f"p{level}{part}" for level in ("05", "50", "95") for part in ("", "_low", "_high")),
    *("larger", "larger_error", "larger_low", "larger_high", "tied", "unpaired_draws"),
)

_UNIT_TITLES = {
    "USD": "Dollars",
    "fraction": "Shares and factors",
    "points": "Scores",
    "count": "Counts",
    "factor": "",
}
_KINDS = {
    "specialty": "specialty",
    "practice_size": "practice size",
    "score_decile": "tenth of baseline score (1: lowest)",
}


@dataclass(frozen=True)
class Comparison:
    """Differences between reforms and a baseline, paired by draw.

    Attributes
    ----------
    dataset : xarray.Dataset
        Dimensions ``reform`` (by title), ``statistic`` (`STATISTICS`), then labels. In a comparison of which
        nothing was chosen a name is followed by a colon and its labels (``net_adjustment:specialty``).
    baseline : Outcomes
        What is compared with.
    reforms : tuple of Outcomes
        What is compared.
    identical : tuple of bool
        For each reform: every figure of every common draw equals the baseline's.
    standard : bool
        Nothing was chosen.
    changes : xarray.Dataset or None
        Who gains and who loses, and transitions; see `asmrisk.analysis.transitions.who_changes`.
    """

    dataset: xr.Dataset
    baseline: Outcomes
    reforms: tuple[Outcomes, ...]
    identical: tuple[bool, ...]
    standard: bool
    changes: xr.Dataset | None

    def table(self) -> pd.DataFrame:
        """Give the estimates as one long table.

        Returns
        -------
        pandas.DataFrame
            One row for each reform, metric and label: ``reform_title``, ``metric``, ``units``, the labels
            (``all`` where not told apart), ``quantile``, `STATISTICS`, and ``partial`` (a run is not
            finished).
        """
        parts = []
        for title in self.dataset["reform"].values:
            part = long_table(self.dataset.sel(reform=title, drop=True))
            part.insert(0, "reform_title", str(title))
            parts.append(part)
        partial = any(each.partial for each in (self.baseline, *self.reforms))
        return pd.concat(parts, ignore_index=True).assign(partial=partial)

    def to_csv(self) -> str:
        """Give `table` as CSV text with all digits; who gains and who loses is in JSON and `changes`."""
        return self.table().to_csv(index=False, lineterminator="\n")

    def to_json(self) -> str:
        """Give the comparison as JSON text with all digits; what is not defined or infinite is null."""

        def origin(each: Outcomes) -> dict[str, Any]:
            return {
                "title": each.title,
                "results": each.source,
                "draws": each.count,
                "seed": each.seed,
                "partial": bool(each.partial),
            }

        reforms = [
            origin(each) | {"common_draws": draws, "identical": same}
            for each, draws, same in zip(
                self.reforms, self.dataset.attrs["draws"], self.identical, strict=True
            )
        ]
        document = {
            "baseline": origin(self.baseline),
            "reforms": reforms,
            "differences": records(self.table().drop(columns="partial")),
        }
        if self.changes is not None:
            document |= {
                "replayed_draws": self.changes.attrs["draws"],
                "gains": records(_gains_table(self.changes)),
                "transitions": records(_transition_table(self.changes)),
            }
        return to_json(document)

    def to_text(self) -> str:
        """Give the comparison for a terminal of 80 columns, each number to the digits its error supports."""
        lines: list[str] = []
        table = self.table()
        for place, (title, reform) in enumerate(
            zip(self.dataset["reform"].values.tolist(), self.reforms, strict=True)
        ):
            lines += [""] if lines else []
            lines += self._head(place, title, reform)
            rows = table[table["reform_title"] == title]
            for group in self._groups(rows):
                totals = not self.standard or (group[list(BY)] == ALL).all(axis=None)
                lines += _differences(group, spread=bool(totals))
            if self.changes is not None:
                lines += _who_changes(self.changes.isel(reform=place))
        return "\n".join(lines)

    def _head(self, place: int, title: str, reform: Outcomes) -> list[str]:
        draws = self.dataset.attrs["draws"][place]
        seed = "" if reform.seed is None else f", seed {reform.seed}"
        lines = [
            f"{title}, compared with {self.dataset.attrs['baseline']}: {draws:,} common "
            f"{'draw' if draws == 1 else 'draws'}{seed}"
        ]
        for each in (self.baseline, reform):
            if each.partial:
                lines.append(f"{each.source} is not finished: {each.partial}.")
            if each.count != draws:
                lines.append(
                    f"Of the {each.count:,} draws of {each.source or each.title} the {draws:,} common ones "
                    "count."
                )
        if self.identical[place]:
            lines.append("The scenarios are identical in effect: every figure of every draw is the same.")
        lines.append("Difference: reform - baseline, ± paired standard error; 5-95%: range of draws.")
        if draws < 2:
            lines.append("One draw has no standard error (n/a); add draws to learn how far to trust it.")
        return [part for line in lines for part in wrap(line, WIDTH)]

    def _groups(self, rows: pd.DataFrame) -> list[pd.DataFrame]:
        """Divide the rows into tables: by labels told apart and unit, or by metric."""
        if not self.standard:
            return [part for _, part in rows.groupby("metric", sort=False)]
        apart = (rows[list(BY)] != ALL).apply(lambda row: "+".join(row.index[row]), axis=1)
        keys = [apart.where(apart == "", apart + rows["metric"]), rows["units"]]
        return [part for _, part in rows.groupby(keys, sort=False)]


def _differences(rows: pd.DataFrame, spread: bool) -> list[str]:
    """Show means and their difference, and how the draws' differences are spread."""
    cells = [row for _, row in rows.iterrows()]
    units = str(cells[0]["units"])
    scale, shown = scale_of(units, max(rows[name].abs().max() for name in ("baseline", "reform")))
    names = list(dict.fromkeys(rows["metric"]))
    if len(names) > 1:
        title, labels = _UNIT_TITLES[units] + shown, [METRICS[row["metric"]].title for row in cells]
    else:
        title, labels = METRICS[names[0]].title + shown, [row_label(row) for row in cells]
    means = [
        [with_error(row[name] * scale, row[f"{name}_error"] * scale) for row in cells]
        for name in ("baseline", "reform", "difference")
    ]
    heads = ["baseline", "reform", "difference"]
    lines = tables(labels, [(title, heads, means)])
    if not spread:
        return lines
    more = ["5-95%", "reform larger, %", "unpaired draws"]
    columns = [
        [range_cell(row, scale) for row in cells],
        [interval_cell(row, 100.0, "larger") for row in cells],
        [_draws(row["unpaired_draws"]) for row in cells],
    ]
    if (rows["tied"] > 0.0).any():
        more.append("equal, %")
        columns.append([number(100.0 * row["tied"], 0.0) for row in cells])
    return lines + tables(labels, [(f"{title}: differences of the draws", more, columns)])


def _draws(count: float) -> str:
    if math.isnan(count):
        return "n/a"
    return f"{count:,.0f}" if math.isfinite(count) else "no number"


def _who_changes(changes: xr.Dataset) -> list[str]:
    draws = changes.attrs["draws"]
    least = f"{100 * changes.attrs['least_change']:g}"
    table = _gains_table(changes.expand_dims("reform"))
    lines = [
        "",
        f"Who gains and who loses: {draws:,} {'draw' if draws == 1 else 'draws'} simulated again.",
        f"Gain and lose: the adjustment factor changes by over {least} percentage points.",
        "Then its mean change in percentage points, and that of the adjustment.",
    ]
    for kind in dict.fromkeys(table["kind"]):
        cells = [row for _, row in table[table["kind"] == kind].iterrows()]
        title = "Clinicians and years" + ("" if kind == "all" else f" by {_KINDS[kind]}")
        heads = ["gain, %", "lose, %", "% points", "$ a year"]
        columns = [
            [mean_cell(row, scale, name) for row in cells]
            for name, scale in (
                ("gaining", 100.0),
                ("losing", 100.0),
                ("factor_change", 100.0),
                ("usd_change", 1.0),
            )
        ]
        labels = [str(row["label"]).replace("_", " ") for row in cells]
        lines += tables(labels, [(title, heads, columns)])
    moves = changes["transition"]
    states = [str(each) for each in moves["baseline_state"].values]
    if not float(moves.sel(estimate="value").sel(baseline_state=states[-1]).sum()) and not float(
        moves.sel(estimate="value").sel(reform_state=states[-1]).sum()
    ):
        states = states[:-1]
    columns = [
        [
            with_error(*(100.0 * moves.sel(baseline_state=old, reform_state=new).values).tolist())
            for old in states
        ]
        for new in states
    ]
    words = [each.replace("_", " ") for each in states]
    title = "From baseline (rows) to reform (columns), % of clinicians and years"
    return lines + tables(words, [(title, words, columns)])


def _gains_table(changes: xr.Dataset) -> pd.DataFrame:
    """Give a row for each reform and group; the error of a value is in a column of its own."""
    names = [str(name) for name in changes.data_vars if "group" in changes[name].dims]
    rows = []
    for reform in changes["reform"].values:
        one = changes.sel(reform=reform)
        for place, (kind, label) in enumerate(
            zip(one["kind"].values.tolist(), one["label"].values.tolist(), strict=True)
        ):
            row: dict[str, Any] = {"reform_title": str(reform), "kind": kind, "label": label}
            for name in names:
                value, error = one[name].isel(group=place).values.tolist()
                row |= {name: value, f"{name}_error": error}
            rows.append(row)
    return pd.DataFrame(rows)


def _transition_table(changes: xr.Dataset) -> pd.DataFrame:
    rows = []
    moves = changes["transition"]
    for reform in moves["reform"].values:
        for old in moves["baseline_state"].values:
            for new in moves["reform_state"].values:
                cell = moves.sel(reform=reform, baseline_state=old, reform_state=new)
                value, error = cell.values.tolist()
                rows.append(
                    {
                        "reform_title": str(reform),
                        "baseline_state": str(old),
                        "reform_state": str(new),
                        "share": value,
                        "share_error": error,
                    }
                )
    return pd.DataFrame(rows)
