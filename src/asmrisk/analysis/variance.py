"""What the variance of a run's outcomes comes from: labeled, as text, and as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.doubt import Component, chance_and_doubt
from asmrisk.analysis.labels import labeled
from asmrisk.analysis.metrics import METRICS
from asmrisk.analysis.report import Section, wrapped
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.shares import GROUPS, PARTS, group_of, least_sets, regressors, shares
from asmrisk.analysis.statistics import Row, scale_of
from asmrisk.analysis.text_tables import Group, Table

__all__ = ["ESTIMATES", "UNRESOLVED", "Unknowns", "Variance", "read_unknowns", "share_cell", "variance"]

#: What is told of each share and component.
ESTIMATES = Component._fields
#: What the variance consists of.
COMPONENTS = ("chance", "doubt")
#: What is said of a share or component that is negative, or whose interval holds 0.
UNRESOLVED = "not distinguishable from 0"
#: What the shares rest on.
_INDEPENDENT = "Unknowns are independent of each other, unless linked or correlated."

_Array = NDArray[np.float64]


class Unknowns(NamedTuple):
    """The values that unknowns have in each draw."""

    names: tuple[str, ...]  #: without those linked to another, which go with it
    values: _Array  #: as stored, of shape (draws, unknowns)
    words: tuple[bool, ...]  #: whether an unknown has no order


@dataclass(frozen=True)
class Variance:
    """What the variance over draws comes from.

    Attributes
    ----------
    dataset : xarray.Dataset
        Dimensions ``metric`` and ``estimate`` (`ESTIMATES`): ``share`` by ``group``
        (`asmrisk.analysis.shares.PARTS`, which add up to 1), and ``variance`` by ``component``, chance and
        doubt, in the square of the metric's unit.
    section : Section
        The same for a reader.
    shares, components : list of dict
        As rows for JSON: ``metric``, ``group`` or ``component``, ``units``, ``share`` or ``variance``,
        ``error``, ``low``, ``high``, ``range_holds``.
    """

    dataset: xr.Dataset
    section: Section
    shares: list[Row]
    components: list[Row]

    def by_group(self, metric: str) -> dict[str, Row]:
        """Give the rows of a metric's shares by group; empty if they cannot be told."""
        rows = (row for row in self.shares if row["metric"] == metric)
        return {row["group"]: row for row in rows if not np.isnan(row["share"])}


def read_unknowns(run: RunResults) -> Unknowns | None:
    """Read the unknowns of a run's draws; None if nothing is unknown, or for a dataset in memory."""
    stated = run.provenance.get("uncertainty", {})
    values = run.drawn(tuple(stated)) if stated else None
    if values is None:
        return None
    words = tuple(
        any(isinstance(value, bool) or not isinstance(value, int | float) for value in each.get("values", ()))
        for each in stated.values()
    )
    return Unknowns(tuple(stated), values, words)


def variance(
    run: RunResults, unknowns: Unknowns | None, metrics: Sequence[str] = ("medicare_savings",)
) -> Variance:
    """Part the variance of metrics, added up or averaged over all years and groups of clinicians.

    Parameters
    ----------
    run : RunResults
        Of a scenario with unknowns.
    unknowns : Unknowns or None
        As `read_unknowns` gives them; without them there are no groups.
    metrics : sequence of str
        Names out of `asmrisk.analysis.metrics.METRICS` that have one number a draw.
    """
    columns, places = regressors(*unknowns[1:]) if unknowns else (np.zeros((run.count, 0)), np.zeros(0, int))
    groups = [group_of(unknowns.names[place]) for place in places] if unknowns else []

    def part(name: str) -> tuple[_Array, _Array]:
        values = np.asarray(run.draws(name).values, dtype=np.float64)
        known = shares(values, run.sets if unknowns else None, columns, groups)
        # One column: components have no axis of their own.
        components = np.stack([np.stack(each) for each in chance_and_doubt(values, run.sets)])
        return np.stack(known, axis=-1), components

    made = (run.once(("variance", name, bool(unknowns)), partial(part, name)) for name in metrics)
    split, parted = zip(*made, strict=True)

    labels = {"metric": metrics, "group": PARTS, "component": COMPONENTS, "estimate": ESTIMATES}
    about = {"range_holds": run.holds}

    def rows(label: str, value: str, units: str, found: Sequence[_Array]) -> list[Row]:
        return [
            {"metric": name, "units": units.format(METRICS[name].units), label: part}
            | dict(zip((value, *ESTIMATES[1:]), map(float, numbers), strict=True))
            | about
            for name, each in zip(metrics, found, strict=True)
            for part, numbers in zip(labels[label], each, strict=True)
        ]

    share_rows = rows("group", "share", "fraction", split)
    component_rows = rows("component", "variance", "{}^2", parted)

    def array(label: str, units: str, long_name: str, found: Sequence[_Array]) -> xr.DataArray:
        along = {dim: labels[dim] for dim in ("metric", label, "estimate")}
        return labeled(np.stack(found), along, about | {"units": units, "long_name": long_name})

    dataset = xr.Dataset(
        {
            "share": array("group", "fraction", "Share of the variance of a single draw", split),
            "variance": array("component", "square of the metric's", "Variance of a single draw", parted),
        }
    )
    section = _section(run, share_rows, component_rows, len(places) if unknowns else None, set(groups))
    return Variance(dataset, section, share_rows, component_rows)


def _section(
    run: RunResults,
    share_rows: Sequence[Row],
    component_rows: Sequence[Row],
    columns: int | None,
    groups: set[str],
) -> Section:
    """Say how large chance and doubt are, and show what they come from."""
    if run.sets is None:
        text = "With one draw per parameter set (run.draws_per_parameter_set) chance and doubt"
        return Section(wrapped([f"{text} cannot be told apart."]))
    words, tables = [], []
    for name in dict.fromkeys(row["metric"] for row in component_rows):
        title = METRICS[name].title
        parts = [_size(row) for row in component_rows if row["metric"] == name]
        words.append(f"SD of {title}, over all years (95% interval): {'; '.join(parts)}.")
        rows = [row for row in share_rows if row["metric"] == name]
        if all(np.isnan(row["share"]) for row in rows):
            continue
        nothing = [row["group"] in GROUPS and row["group"] not in groups for row in rows]
        cells = ["0" if none else share_cell(row) for none, row in zip(nothing, rows, strict=True)]
        notes = [
            "nothing unknown" if none else "" if row["low"] > 0.0 else UNRESOLVED
            for none, row in zip(nothing, rows, strict=True)
        ]
        head = Group(f"What the variance of {title} comes from", ["share ± error, %"], [cells])
        tables.append(Table([row["group"] for row in rows], [head], notes))
    if columns is None:
        words.append("A split by group needs the store: what was drawn is in its group parameters.")
    elif not tables:
        words.append(
            f"A split by group needs {least_sets(columns)} parameter sets and an outcome that varies; "
            f"there are {run.set_count}."
        )
    return Section(wrapped(words), tuple(tables), (_INDEPENDENT,) if tables else ())


def _size(row: Row) -> str:
    """Write a component as a standard deviation."""
    scale, units = scale_of(row["units"].removesuffix("^2"), sqrt(max(row["variance"], 0.0)))
    if np.isnan(row["variance"]):
        return f"{row['component']} n/a"
    value, low, high = (sqrt(max(row[each], 0.0)) * scale for each in ("variance", "low", "high"))
    unit = units.removeprefix(",")
    if not row["low"] > 0.0:
        most = "" if np.isnan(high) else f" (at most {number(high, high)}{unit})"
        return f"{row['component']} {UNRESOLVED}{most}"
    error = (high - low) / 4.0
    ends = f"{number(low, error)} to {number(high, error)}"
    return f"{row['component']} {number(value, error)} ({ends}){unit}"


def share_cell(row: Row) -> str:
    """Write a share in percent with its error, or how large it is at the most."""
    share, error, low, high = (100.0 * row[each] for each in ("share", *ESTIMATES[1:]))
    return with_error(share, error) if low > 0.0 else f"at most {number(max(high, 0.0), error)}"
