"""What a comparison of runs with the same clinicians says of the roster, its practices and clinicians."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from asmrisk.analysis.estimates import Sets
from asmrisk.analysis.metrics import LEVELS_OF_ROSTER, METRICS
from asmrisk.analysis.paired import MEANS, WITHOUT_GAIN
from asmrisk.analysis.ranking import ranks_of
from asmrisk.analysis.report import Section
from asmrisk.analysis.roster_report import listing, names_of
from asmrisk.analysis.run_results import RunResults, practices_in
from asmrisk.analysis.statistics import RANGE, Row, shown
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.analysis.wording import ALL_YEARS, dollar_scale, year_words

__all__ = ["PLAN", "aligned", "by_year", "comparable_levels", "sections"]

#: What is compared if nothing is chosen: metrics, and the labels by which they are told apart.
PLAN: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("roster_net_adjustment",), ("performance_year",)),
    (("roster_net_adjustment", "roster_net_of_mips"), ()),
    (("practice_net_adjustment",), ()),
    (("clinician_net_adjustment",), ()),
)


def comparable_levels(runs: Sequence[RunResults]) -> tuple[str, ...]:
    """Name the levels of `LEVELS_OF_ROSTER` at which all runs have the same names; none without a roster."""
    if not all(run.has_roster for run in runs):
        return ()
    groups = [run.clinicians() for run in runs]
    first, *others = [set(group["clinician"].values.tolist()) for group in groups]
    if any(each != first for each in others):
        return ()
    found = [practices_in(group) for group in groups]
    names = [None if each is None else set(each.names.tolist()) for each in found]
    same = names[0] is not None and all(each == names[0] for each in names)
    return tuple(level for level in LEVELS_OF_ROSTER if level != "practice" or same)


def aligned(draws: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """Put practices or clinicians in the order of another array; ValueError if they are others."""
    for dim in ("practice", "clinician"):
        if dim in like.dims and not np.array_equal(draws[dim].values, like[dim].values):
            place = {name: number for number, name in enumerate(draws[dim].values.tolist())}
            wanted = like[dim].values.tolist()
            if set(place) != set(wanted):
                raise ValueError(f"the {dim}s are not the same")
            draws = draws.isel({dim: [place[name] for name in wanted]})
    return draws


def by_year(rows: Sequence[Row]) -> Section:
    """Show what a reform does to the roster by year, and over all years; rows as for `sections`."""
    whole, labels, scale, units = _whole(rows)
    group = Group(f"The roster's net adjustment, {units}", *shown(MEANS, whole, scale))
    return Section(tables=(Table(labels, [group]),))


def _whole(rows: Sequence[Row]) -> tuple[list[Row], list[str], float, str]:
    """Choose the rows of the roster as a whole, with their labels, their scale and unit."""
    whole = [row for row in rows if METRICS[row["metric"]].of == "roster"]
    scale, units = dollar_scale(max(abs(row[name]) for row in whole for name in ("baseline", "reform")))
    labels = [
        year_words(row["performance_year"])
        + (", net of MIPS" if METRICS[row["metric"]].outcome == "net_of_mips" else "")
        for row in whole
    ]
    return whole, labels, scale, units


def sections(rows: Sequence[Row], changes: Mapping[str, xr.DataArray], sets: Sets) -> list[Section]:
    """Show what a reform does to the roster, by year, to its practices, and to clinicians told apart.

    Parameters
    ----------
    rows : sequence of Row
        Those of the metrics of `PLAN`.
    changes : mapping of str to xarray.DataArray
        Differences of the draws over all years, dimensions ``draw`` and ``practice`` or ``clinician``, by
        the name of the metric.
    sets : ndarray of int64, shape (draws,), optional
        Parameter sets of the draws.
    """
    whole, labels, scale, units = _whole(rows)
    title = f"The roster's net adjustment, {units}"
    statistics, holds = (RANGE, WITHOUT_GAIN), rows[0]["range_holds"]
    spread = Group(f"{title}: differences of the draws", *shown(statistics, whole, scale, holds))
    found = [by_year(rows), Section(tables=(Table(labels, [spread]),))]
    notes: list[str] = []
    for level, draws in changes.items():
        dim = METRICS[level].of
        if dim == "practice" and draws.sizes[dim] < 2:
            continue
        ranks = ranks_of(draws.values, sets)
        told = [row for row in rows if row["metric"] == level]
        chosen = listing(dim, draws.values.mean(axis=0), ranks, len(draws), "the least difference")
        for title, places in chosen.tables:
            heads, columns = shown((*MEANS, WITHOUT_GAIN), [told[place] for place in places], scale)
            ranked = ["rank", *heads], [[ranks.said[place] for place in places], *columns]
            group = Group(f"{title}: net adjustment, {ALL_YEARS}, {units}", *ranked)
            found.append(Section(tables=(Table(names_of(draws, dim, places), [group]),)))
        notes += chosen.notes
    words = "Without gain: draws in which the reform leaves no more than the baseline; with a 95% interval."
    found[-1] = found[-1]._replace(notes=tuple(dict.fromkeys([words, *notes])))
    return found
