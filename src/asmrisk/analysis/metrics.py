"""What can be asked of results: each metric declared once, with how it adds up over years and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from asmrisk.errors import InputError, Problem, nearest
from asmrisk.rule.definitions import COHORTS, SPECIALTIES_OF

__all__ = ["BY", "METRICS", "Metric", "check_by", "check_metric", "metric_draws"]

#: Labels by which metrics can be told apart.
BY = ("performance_year", "cohort", "specialty", "practice_size")
_SHORT = {"year": "performance_year"}


@dataclass(frozen=True)
class Metric:
    """A number that each draw has, for all or by group.

    Attributes
    ----------
    name : str
        As in results by cohort.
    title : str
        For tables.
    units : str
        ``USD``, ``fraction``, ``points``, or ``count``.
    how : str
        Over years and groups it is added up (``sum``), averaged with the weights `weight` (``mean``), or,
        being a position in a distribution, averaged plainly (``level``).
    weight : str
        Variable that weights a ``mean``, by cohort.
    by_cohort : bool
        Results have it by cohort.
    by_specialty : bool
        Results have it by specialty and practice size too, with ``specialty_`` before name and weight.
    high_is_worse : bool
        The tail to look at is that of large values: of spending, and of shares penalized. Of everything else
        it is that of small values: Medicare saves less, clinicians are paid less.
    """

    name: str
    title: str
    units: str
    how: str = "sum"
    weight: str = ""
    by_cohort: bool = True
    by_specialty: bool = False
    high_is_worse: bool = False


_DECLARED = (
    Metric("participants", "Clinicians measured", "count", by_specialty=True),
    Metric("scored", "Clinicians with a final score", "count", by_specialty=True),
    Metric("zero_scores", "Clinicians with a score of zero", "count", high_is_worse=True),
    Metric("episodes", "Episodes", "count"),
    Metric("episode_spending", "Episode spending", "USD", high_is_worse=True),
    Metric("part_b_paid", "Part B at stake", "USD", by_specialty=True),
    Metric("incentive_pool", "Incentive pool", "USD"),
    Metric("payment_year_part_b", "Part B in the payment year", "USD"),
    Metric("net_adjustment", "Net adjustment", "USD", by_specialty=True),
    Metric("retained_savings", "Retained savings", "USD"),
    Metric("episode_savings", "Episode savings", "USD"),
    Metric("medicare_savings", "Medicare savings", "USD"),
    Metric(
        "penalized_share",
        "Share penalized",
        "fraction",
        "mean",
        "scored",
        by_specialty=True,
        high_is_worse=True,
    ),
    Metric(
        "mean_adjustment_factor",
        "Mean adjustment factor",
        "fraction",
        "mean",
        "scored",
        by_cohort=False,
        by_specialty=True,
    ),
    Metric(
        "weighted_adjustment_factor",
        "Adjustment factor weighted by payments",
        "fraction",
        "mean",
        "part_b_paid",
    ),
    Metric("scaling_factor", "Scaling factor", "factor", "level"),
    Metric("median_final_score", "Median final score", "points", "level"),
    Metric("adjustment_factor_quantile", "Adjustment factor, quantiles", "fraction", "level"),
    Metric("final_score_quantile", "Final score, quantiles", "points", "level"),
)

#: By name.
METRICS = {metric.name: metric for metric in _DECLARED}


def check_by(by: Sequence[str]) -> tuple[str, ...]:
    """Bring labels to their full names.

    Parameters
    ----------
    by : sequence of str
        Out of `BY`; ``year`` is short for ``performance_year``.

    Returns
    -------
    tuple of str
        In the order of `BY`.

    Raises
    ------
    InputError
        If a label is none of these.
    """
    names = {_SHORT.get(name, name) for name in by}
    problems = [
        Problem(
            f"{name!r} is no label",
            argument="by",
            allowed=", ".join(("year", *BY[1:])),
            nearest=nearest(name, ("year", *BY)),
        )
        for name in sorted(names - set(BY))
    ]
    if problems:
        raise InputError(problems)
    return tuple(name for name in BY if name in names)


def check_metric(name: str, by: Sequence[str] = ()) -> Metric:
    """Find a metric and check that results have it by the labels asked for.

    Parameters
    ----------
    name : str
        Name of a metric.
    by : sequence of str
        As `check_by` gives them.

    Returns
    -------
    Metric
        Its declaration.

    Raises
    ------
    InputError
        If there is no such metric, or not by these labels.
    """
    if name not in METRICS:
        best = nearest(name, METRICS)
        text = f"{name!r} is no metric"
        raise InputError(text, argument="metrics", allowed=", ".join(METRICS), nearest=best)
    metric = METRICS[name]
    if not metric.by_specialty and {"specialty", "practice_size"} & set(by):
        others = ", ".join(each.name for each in _DECLARED if each.by_specialty)
        text = f"{name} is not kept by specialty and practice size; these are: {others}."
        raise InputError(text, argument="metrics")
    return metric


def metric_draws(results: xr.Dataset, name: str, by: Sequence[str] = ()) -> xr.DataArray:
    """Give the values of a metric draw by draw.

    Parameters
    ----------
    results : xarray.Dataset
        As `asmrisk.open_results` gives it.
    name : str
        Name of a metric.
    by : sequence of str
        Labels to tell apart; over the others it is added up or averaged within each draw, as declared.

    Returns
    -------
    xarray.DataArray
        Dimensions ``draw``, those of `by` in the order of `BY` and, for quantile metrics, ``quantile``;
        float64. By both cohort and specialty, the cohort is a label of the specialty.

    Raises
    ------
    InputError
        If there is no such metric, or not by these labels.
    """
    by = check_by(by)
    metric = check_metric(name, by)
    fine = bool({"specialty", "practice_size"} & set(by)) or not metric.by_cohort
    prefix = "specialty_" if fine else ""
    values = _loaded(results, prefix + name)
    if metric.how == "mean":
        weights = _loaded(results, prefix + metric.weight)
        # Where nobody has weight the mean is undefined and counts for nothing.
        weighted = values * weights
        np.copyto(weighted.values, 0.0, where=~(weights.transpose(*weighted.dims).values > 0))
        total = _collapse(weighted, by, "sum")
        draws = total / _collapse(weights, by, "sum").where(lambda weight: weight > 0)
    else:
        draws = _collapse(values, by, metric.how)
    if fine and {"cohort", "specialty"} <= set(by):
        home = {specialty: cohort for cohort in COHORTS for specialty in SPECIALTIES_OF[cohort]}
        cohorts = [home[str(each)] for each in draws.specialty.values]
        draws = draws.assign_coords(cohort=("specialty", np.array(cohorts, dtype=object)))
    order = ["draw", *(dim for dim in (*BY, "quantile") if dim in draws.dims)]
    draws = draws.transpose(*order).rename(name)
    draws.attrs = {"units": metric.units, "long_name": metric.title}
    return draws


def _loaded(results: xr.Dataset, name: str) -> xr.DataArray:
    if name not in results:
        raise InputError(f"these results have no variable {name!r}; they were not written by asmrisk run.")
    return results[name].compute().astype(np.float64, copy=False)


def _collapse(values: xr.DataArray, by: tuple[str, ...], how: str) -> xr.DataArray:
    """Add up, or average, over the labels not in `by`."""
    if "specialty" in values.dims and "cohort" in by and "specialty" not in by:
        parts = [
            _collapse(values.sel(specialty=list(SPECIALTIES_OF[cohort])), _without(by, "cohort"), how)
            for cohort in COHORTS
        ]
        return xr.concat(parts, dim=xr.Variable("cohort", np.array(COHORTS, dtype=object)))
    gone = [dim for dim in values.dims if dim in BY and dim not in by]
    if how == "sum":
        return values.sum(gone, skipna=False)
    count = values.notnull().sum(gone)
    return values.sum(gone) / count.where(count > 0)


def _without(by: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(each for each in by if each != name)
