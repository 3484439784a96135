"""What outcomes vary by: chance and doubt, groups of unknowns, and what knowing an unknown would be worth."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.doubt import Component
from asmrisk.analysis.estimates import standard_deviation
from asmrisk.analysis.information import LEAST_SETS, falls
from asmrisk.analysis.labels import labeled
from asmrisk.analysis.metrics import METRICS, check_metrics
from asmrisk.analysis.report import Report, Section
from asmrisk.analysis.run_results import RunResults, open_run_results
from asmrisk.analysis.statistics import Row, scale_of
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.analysis.variance import ESTIMATES, UNRESOLVED, Unknowns, read_unknowns, variance
from asmrisk.errors import InputError

__all__ = ["doubt"]

#: Metric that is looked at if none is chosen.
_DEFAULT = ("medicare_savings",)


def doubt(
    results: str | os.PathLike[str] | xr.Dataset,
    metrics: Sequence[str] | None = None,
    *,
    partial: bool = False,
) -> Report:
    """Say what outcomes vary by, and what knowing one unknown would be worth.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store of a run of a scenario with unknowns, or what `asmrisk.open_results` gave, which does not
        have the values of the unknowns: then chance and doubt are all that is told.
    metrics : sequence of str, optional
        Names out of `asmrisk.analysis.metrics.METRICS` that have one number a draw; ``medicare_savings`` if
        not given.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    Report
        Its dataset has what `asmrisk.analysis.variance.Variance` says, and ``fall`` by metric, ``unknown``
        and estimate (value, standard error, ends of the 95% interval): the fall of the standard deviation of
        a single draw's outcome, in the metric's unit, if the unknown were known. It is estimated by
        regression on the parameter sets of the run, without further simulation
        (`asmrisk.analysis.information.falls`), and NaN with fewer than 500 sets.

    Raises
    ------
    InputError
        If there are no such results, they are not finished, nothing in them is unknown, or a metric is not
        among those allowed.
    """
    names, _ = check_metrics(metrics, (), _DEFAULT)
    run = open_run_results(results, partial=partial)
    if not run.unknowns:
        raise InputError(f"{run.source or 'the dataset'}: nothing is unknown, so that there is no doubt.")
    if several := [name for name in names if run.draws(name).ndim > 1]:
        raise InputError(f"{several[0]} has several numbers a draw; name another.", argument="metrics")
    unknowns = read_unknowns(run)
    parted = variance(run, unknowns, names)
    sections, rows, dataset = [parted.section], [], parted.dataset
    if unknowns is not None:
        worths = [_worth(run, unknowns, name) for name in names]
        along = {"metric": names, "unknown": unknowns.names, "estimate": ESTIMATES}
        about = {"units": "the metric's", "range_holds": run.holds}
        about["long_name"] = "Fall of the standard deviation of a single draw, if the unknown were known"
        values = np.stack([np.stack(each, axis=-1) for each in worths])
        dataset = dataset.assign(fall=labeled(values, along, about))
        rows = [
            row for name, each in zip(names, worths, strict=True) for row in _rows(run, name, unknowns, each)
        ]
        sections += [_section(run, name, unknowns, each) for name, each in zip(names, worths, strict=True)]
    return run.report(
        f"what varies over {run.count:,} draws",
        dataset=dataset,
        sections=sections,
        **({"fall": rows} if rows else {}),
        chance_and_doubt=parted.components,
        variance=parted.shares,
    )


def _worth(run: RunResults, unknowns: Unknowns, name: str) -> Component:
    values = np.asarray(run.draws(name).values, dtype=np.float64)
    return falls(values, run.sets, unknowns.values, unknowns.words, _together(run, unknowns.names))


def _together(run: RunResults, names: Sequence[str]) -> NDArray[np.bool_]:
    """Say which unknowns are correlated, with themselves or through others."""
    joined = np.eye(len(names), dtype=bool)
    for pair, _ in run.correlations:
        one, other = (names.index(each) for each in pair)
        joined[one, other] = joined[other, one] = True
    while (wider := joined @ joined).sum() > joined.sum():
        joined = wider
    return joined


def _rows(run: RunResults, name: str, unknowns: Unknowns, found: Component) -> list[Row]:
    return [
        {"metric": name, "units": METRICS[name].units, "unknown": unknown}
        | dict(zip(("fall", *ESTIMATES[1:]), map(float, numbers), strict=True))
        | {"verdict": _verdict(*numbers), "range_holds": run.holds}
        for unknown, *numbers in zip(unknowns.names, *found, strict=True)
    ]


def _verdict(value: float, _: float, low: float, __: float) -> str:
    if np.isnan(value):
        return "unresolved"
    return "more than zero" if low > 0.0 else UNRESOLVED


def _section(run: RunResults, name: str, unknowns: Unknowns, found: Component) -> Section:
    """Show the unknowns that are worth knowing, the dearest first."""
    title = METRICS[name].title
    sd = standard_deviation(run.draws(name).values, run.sets)
    scale, units = scale_of(METRICS[name].units, float(sd.value))
    if np.isnan(found.value).all():
        text = f"What knowing an unknown would be worth for {title} is unresolved: it needs {LEAST_SETS} "
        text += f"parameter sets and an outcome that varies; there are {run.set_count} sets."
        return Section(notes=(text,))
    resolved = [place for place in np.argsort(-found.value) if found.low[place] > 0.0]
    rest = np.setdiff1d(np.arange(len(unknowns.names)), resolved)
    notes = []
    if len(rest):
        most = max(float(found.high[rest].max()) * scale, 0.0)
        which = "The others" if resolved else "All"
        unit = units.removeprefix(",")
        notes.append(f"{which} ({len(rest)}) are {UNRESOLVED}: each at most {number(most, most)}{unit}.")
    notes.append(
        "A fall is that of the SD of a single draw's outcome, over chance and doubt, if this unknown alone, "
        "with all that is linked to it, were known. Falls do not add up."
    )
    told = with_error(float(sd.value) * scale, float(sd.error) * scale)
    heading = f"SD of {title}, over all years{units}: {told}"
    if not resolved:
        return Section((heading,), (), tuple(notes))
    cells = [with_error(found.value[place] * scale, found.error[place] * scale) for place in resolved]
    head = Group(f"Fall of the SD of {title}, were it known", [f"fall ± error{units}"], [cells])
    return Section((heading,), (Table([unknowns.names[place] for place in resolved], [head]),), tuple(notes))
