"""What can be asked of results: each metric declared once, with how it adds up over years and groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import Call, InputError, Problem, gather, nearest
from asmrisk.rule.definitions import COHORTS, SPECIALTIES, SPECIALTIES_OF

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "BY",
    "BY_NAMES",
    "LEVELS_OF_ROSTER",
    "METRICS",
    "NATIONAL",
    "SPECIALTY_NOTE",
    "Metric",
    "check_by",
    "check_metric",
    "check_metrics",
    "metric_draws",
    "metric_values",
    "names_in",
]

#: Labels by which metrics can be told apart.
BY = ("performance_year", "cohort", "specialty", "practice_size")
_SHORT = {"year": "performance_year"}
#: How they are called where they are asked for.
BY_NAMES = ("year", *BY[1:])
#: Those by which only some metrics can be told apart.
_FINE = frozenset(("specialty", "practice_size"))
#: Those of what is kept of practices, and of clinicians over all years.
_OF_PRACTICES, _OF_PANELS = ("performance_year", "cohort", "practice_size"), BY[1:]

#: Stands with everything that is told by specialty.
SPECIALTY_NOTE = (
    "Specialties of a cohort differ, at the central assumptions, in number, exits and payments alone, not in "
    "practices, quality, cost or reporting: results by specialty say nothing about how a specialty performs."
)

_Array = NDArray[np.float64]


class Metric(NamedTuple):
    """A number that each draw has, for all or by group."""

    name: str  #: as in results by cohort
    title: str  #: for tables
    units: str  #: ``USD``, ``fraction``, ``points``, ``factor`` or ``count``
    #: Over years and groups it is added up (``sum``), averaged with the weights `weight` (``mean``), the sum
    #: of `divided` over that of `weight` (``ratio``), or, being a position in a distribution, averaged
    #: plainly (``level``). Who is there in several years is counted once: added up over groups and averaged
    #: over years (``yearly``).
    how: str = "sum"
    weight: str = ""  #: variable that weights a ``mean``, by cohort, or that a ``ratio`` is divided by
    divided: str = ""  #: variable that a ``ratio`` divides
    by_cohort: bool = True  #: results have it by cohort
    #: Results have it by specialty and practice size too, with ``specialty_`` before name and weight.
    by_specialty: bool = False
    #: Labels by which results have it, where they have it only so.
    only_by: tuple[str, ...] = ()
    #: The tail to look at is that of large values: of spending, of shares penalized, and of what clinicians
    #: forgo or spend. Of everything else it is that of small values: Medicare saves less, clinicians are paid
    #: less.
    high_is_worse: bool = False
    #: Level of `LEVELS_OF_ROSTER` that it is of; empty where it is of all participants. Then `outcome` is
    #: what the name says after it.
    of: str = ""

    @property
    def outcome(self) -> str:
        """What it is of the level: the metric's name without it."""
        return self.name.removeprefix(f"{self.of}_")

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels by which it can be told apart."""
        return self.only_by or (BY if self.by_specialty else BY[:2])

    def variables(self, by: Sequence[str]) -> tuple[str, ...]:
        """Name what results must have: the variable, and of a ``mean`` its weight; both of a ``ratio``."""
        if self.divided:
            return self.divided, self.weight
        fine = self.by_specialty and (bool(_FINE & set(by)) or not self.by_cohort)
        prefix = "specialty_" if fine else ""
        return tuple(prefix + name for name in (self.name, self.weight) if name)


_a_year = partial(Metric, units="count", how="yearly")
_weighted = partial(Metric, units="fraction", how="mean")
_of_practices = partial(Metric, only_by=_OF_PRACTICES)
_of_panels = partial(Metric, only_by=_OF_PANELS)
_of_years = partial(_of_panels, how="mean", weight="panel_clinician_years")
_of_clinicians = partial(
    _of_panels, units="fraction", how="mean", weight="panel_clinicians", high_is_worse=True
)
_per_year = partial(Metric, units="USD", how="ratio", by_cohort=False, by_specialty=True)
_DECLARED = (
    _a_year("participants", "Clinicians measured in a year", by_specialty=True),
    _a_year("scored", "Clinicians with a final score in a year", by_specialty=True),
    _a_year("zero_scores", "Clinicians with a score of zero in a year", high_is_worse=True),
    Metric("episodes", "Episodes", "count"),
    Metric("episode_spending", "Episode spending", "USD", high_is_worse=True),
    Metric("part_b_paid", "Part B at stake", "USD", by_specialty=True),
    Metric("incentive_pool", "Incentive pool", "USD"),
    Metric("payment_year_part_b", "Part B in the payment year", "USD"),
    Metric("net_adjustment", "Net adjustment", "USD", by_specialty=True),
    Metric("retained_savings", "Retained savings", "USD"),
    Metric("volume_offset", "Volume offset", "USD", high_is_worse=True),
    Metric("episode_savings", "Episode savings", "USD"),
    Metric("medicare_savings", "Medicare savings", "USD"),
    # What clinicians get or give, against what they would without the model.
    Metric("mips_forgone", "MIPS forgone", "USD", by_specialty=True, high_is_worse=True),
    Metric("net_of_mips", "Net of MIPS", "USD", by_specialty=True),
    Metric("cost_of_participation", "Cost of taking part", "USD", by_specialty=True, high_is_worse=True),
    Metric("net_of_costs", "Net of MIPS and costs", "USD", by_specialty=True),
    _a_year("beneficiaries", "Beneficiaries in a year"),
    _weighted("penalized_share", "Share penalized", weight="scored", by_specialty=True, high_is_worse=True),
    _weighted(
        "mean_adjustment_factor",
        "Mean adjustment factor",
        weight="scored",
        by_cohort=False,
        by_specialty=True,
    ),
    _weighted("weighted_adjustment_factor", "Adjustment factor weighted by payments", weight="part_b_paid"),
    Metric("scaling_factor", "Scaling factor", "factor", "level"),
    Metric("median_final_score", "Median final score", "points", "level"),
    Metric("adjustment_factor_quantile", "Adjustment factor, percentiles", "fraction", "level"),
    Metric("final_score_quantile", "Final score, percentiles", "points", "level"),
    _of_practices("practices", "Practices with a clinician scored in a year", "count", "yearly"),
    _of_practices("practice_factor_mean", "Mean factor of practices", "fraction", "mean", weight="practices"),
    _of_practices(
        "practice_factor_sd", "Mean factor of practices, SD", "fraction", "level", high_is_worse=True
    ),
    _of_practices("practice_factor_quantile", "Mean factor of practices, percentiles", "fraction", "level"),
    _of_panels("panel_clinicians", "Clinicians scored in any year", "count"),
    _of_panels("panel_clinician_years", "Years of clinicians scored", "count"),
    _of_panels("panel_factor_quantile", "Adjustment factor of all years, percentiles", "fraction", "level"),
    _of_years("panel_penalized_share", "Share of years penalized", "fraction", high_is_worse=True),
    _of_years("panel_maximum_share", "Share of years with the largest raise", "fraction"),
    _of_clinicians("panel_three_in_a_row_share", "Share penalized three years in a row"),
    _of_clinicians("panel_net_loser_share", "Share who lose over all years"),
    # Who has no final score has no adjustment, but forgoes what MIPS would have paid, and has costs.
    _per_year(
        "net_adjustment_per_clinician_year",
        "Net adjustment a clinician and year",
        weight="specialty_scored",
        divided="specialty_net_adjustment",
    ),
    _of_panels(
        "net_adjustment_per_clinician",
        "Net adjustment a clinician, over all years",
        "USD",
        "ratio",
        weight="panel_clinicians",
        divided="specialty_net_adjustment",
    ),
    _per_year(
        "net_of_mips_per_clinician_year",
        "Net of MIPS a clinician measured and year",
        weight="specialty_participants",
        divided="specialty_net_of_mips",
    ),
    _per_year(
        "net_of_costs_per_clinician_year",
        "Net of MIPS and costs a clinician measured and year",
        weight="specialty_participants",
        divided="specialty_net_of_costs",
    ),
)

#: Of whom results with a roster have dollars, with their names in titles.
LEVELS_OF_ROSTER = {"roster": "the roster", "practice": "each practice", "clinician": "each clinician"}
#: What they have of each: outcomes of the nation that are known clinician by clinician.
_OF_ROSTER = ("net_adjustment", "mips_forgone", "net_of_mips", "cost_of_participation", "net_of_costs")

#: Names of those of all participants, which all results have.
NATIONAL = tuple(metric.name for metric in _DECLARED)

#: By name; with a roster also those of the roster, its practices and its clinicians.
METRICS = {metric.name: metric for metric in _DECLARED}
METRICS |= {
    f"{level}_{name}": METRICS[name]._replace(
        name=f"{level}_{name}",
        title=f"{METRICS[name].title}, {whose}",
        only_by=BY[:1],
        by_cohort=False,
        by_specialty=False,
        of=level,
    )
    for level, whose in LEVELS_OF_ROSTER.items()
    for name in _OF_ROSTER
}


def names_in(given: str | Iterable[str], argument: str) -> list[str]:
    """Give names: of a text those with commas between them. InputError if they are no texts.

    >>> names_in("year, cohort", "by"), names_in(("year",), "by")
    (['year', 'cohort'], ['year'])
    """
    if isinstance(given, str):
        return [each.strip() for each in given.split(",")]
    names = list(given) if isinstance(given, Iterable) else [given]
    if wrong := [each for each in names if not isinstance(each, str)]:
        raise InputError(f"{wrong[0]!r} is no name", argument=argument, allowed="a name, or several")
    return names


def check_by(by: str | Iterable[str]) -> tuple[str, ...]:
    """Give labels by their full names, in the order of `BY`; InputError for any other.

    ``year`` is short for ``performance_year``.
    """
    names = {_SHORT.get(name, name) for name in names_in(by, "by")}
    problems = [
        Problem(
            f"{name!r} is no label",
            argument="by",
            allowed=", ".join(BY_NAMES),
            nearest=nearest(name, ("year", *BY)),
        )
        for name in sorted(names - set(BY))
    ]
    if problems:
        raise InputError(problems)
    return tuple(name for name in BY if name in names)


def check_metric(name: str, by: Sequence[str] = ()) -> Metric:
    """Find a metric; InputError if there is none of the name, or results do not have it by the labels."""
    if name not in METRICS:
        best = nearest(name, METRICS)
        text = f"{name!r} is no metric"
        raise InputError(text, argument="metrics", allowed=", ".join(METRICS), nearest=best)
    metric = METRICS[name]
    if missing := [label for label in by if label not in metric.labels]:
        others = ", ".join(each.name for each in METRICS.values() if set(by) <= set(each.labels))
        text = f"{name} is not kept by {' and '.join(missing)}; these are by all labels asked for: {others}."
        raise InputError(text, argument="metrics")
    return metric


def check_metrics(
    metrics: str | Iterable[str] | None, by: str | Iterable[str], shown: Iterable[str] = NATIONAL
) -> tuple[list[str], tuple[str, ...]]:
    """Check names of metrics and labels together.

    Parameters
    ----------
    metrics : str or iterable of str, optional
        Names; those of `shown` that are kept by the labels if not given.
    by : str or iterable of str
        Labels to tell apart.
    shown : iterable of str
        Names.

    Returns
    -------
    names : list of str
        Each once, in the order given.
    labels : tuple of str
        As `check_by` gives them.

    Raises
    ------
    InputError
        All that is wrong with the names.
    """
    labels = check_by(by)
    if metrics is None:
        metrics = [name for name in shown if set(labels) <= set(METRICS[name].labels)]
    names = list(dict.fromkeys(names_in(metrics, "metrics")))
    gather(lambda name: check_metric(name, labels), names)
    return names, labels


def metric_draws(results: xr.Dataset, name: str, by: str | Sequence[str] = ()) -> xr.DataArray:
    """Give the values of a metric draw by draw.

    Parameters
    ----------
    results : xarray.Dataset
        As `asmrisk.open_results` gives it.
    name : str
        Name of a metric.
    by : str or sequence of str
        Labels to tell apart; over the others it is added up or averaged within each draw, as declared.

    Returns
    -------
    xarray.DataArray
        Dimensions ``draw``, those of `by` in the order of `BY` and, for quantile metrics, ``quantile``;
        float64. By both cohort and specialty, the cohort is a label of the specialty.

    Raises
    ------
    InputError
        If there is no such metric, or not by these labels, or results have no such variable.
    """
    # It loads xarray, which a study's workers do without.
    from asmrisk.analysis.labels import labeled

    by = check_by(by)
    metric = check_metric(name, by)
    names = metric.variables(by)
    for each in names:
        if each not in results:
            text = f"these results have no variable {each!r}; they were not written by "
            raise InputError(Problem((text, Call("run"), ".")))
    first = results[names[0]]
    arrays = [results[each].values for each in names]
    axes = [tuple(map(str, results[each].dims)) for each in names]
    labels = {str(dim): first.coords[dim].variable for dim in first.dims if dim in first.coords}
    specialties = labels["specialty"].values if "specialty" in labels else SPECIALTIES
    values, dims = metric_values(metric, arrays, axes, by, specialties)
    # Put together from specialties, cohorts have the labels that the rule gives them.
    along = {dim: labels.get(dim, COHORTS if dim == "cohort" else None) for dim in dims}
    further = {}
    if {"cohort", "specialty"} <= set(by):
        home = {specialty: cohort for cohort in COHORTS for specialty in SPECIALTIES_OF[cohort]}
        further["cohort"] = ("specialty", [home[each] for each in specialties])
    attributes = {"units": metric.units, "long_name": metric.title}
    return labeled(values, along, attributes, further).rename(name)


def metric_values(
    metric: Metric,
    arrays: Sequence[NDArray],
    axes: Sequence[tuple[str, ...]],
    by: tuple[str, ...],
    specialties: Sequence[str] = SPECIALTIES,
) -> tuple[_Array, tuple[str, ...]]:
    """Add a metric up, or average it, over what is not told apart.

    Parameters
    ----------
    metric : Metric
        Which; kept by the labels.
    arrays : sequence of ndarray
        What `Metric.variables` names.
    axes : sequence of tuple of str
        Dimensions of each.
    by : tuple of str
        As `check_by` gives them.
    specialties : sequence of str
        Along the axis of that name.

    Returns
    -------
    values : ndarray of float64
        NaN where it is not defined.
    dims : tuple of str
        Its axes: ``draw``, those of `by`, and ``quantile``.
    """
    values, *weights = (
        np.asarray(each, dtype=np.float64).transpose([dims.index(dim) for dim in _ordered(dims)])
        for each, dims in zip(arrays, axes, strict=True)
    )
    dims, *others = map(_ordered, axes)
    if weights:
        # Where nobody has weight the mean is undefined and counts for nothing.
        weighted = np.where(weights[0] > 0.0, values * weights[0], 0.0) if metric.how == "mean" else values
        found, kept = _collapsed(weighted, dims, by, specialties, np.sum)
        weight, _ = _collapsed(weights[0], others[0], by, specialties, np.sum)
        found = found / np.where(weight > 0.0, weight, np.nan)
    else:
        found, kept = _collapsed(values, dims, by, specialties, _mean if metric.how == "level" else np.sum)
        if metric.how == "yearly" and "performance_year" in set(dims) - set(by):
            found = found / values.shape[dims.index("performance_year")]
    order = _ordered(kept)
    return found.transpose([kept.index(dim) for dim in order]), order


def _ordered(dims: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(dims, key=("draw", *BY, "quantile").index))


def _collapsed(
    values: _Array, dims: tuple[str, ...], by: tuple[str, ...], specialties: Sequence[str], how: Any
) -> tuple[_Array, tuple[str, ...]]:
    """Put together what is not told apart; a specialty belongs to one cohort alone."""
    if "specialty" in dims and "cohort" in by and "specialty" not in by:
        parts = []
        for cohort in COHORTS:
            members = [place for place, each in enumerate(specialties) if each in SPECIALTIES_OF[cohort]]
            part = values[(slice(None),) * dims.index("specialty") + (members,)]
            found, kept = _collapsed(part, dims, tuple(set(by) - {"cohort"}), specialties, how)
            parts.append(found)
        return np.stack(parts), ("cohort", *kept)
    gone = tuple(axis for axis, dim in enumerate(dims) if dim in BY and dim not in by)
    return how(values, axis=gone), tuple(dim for axis, dim in enumerate(dims) if axis not in gone)


def _mean(values: _Array, axis: tuple[int, ...]) -> _Array:
    """Average what is not NaN; NaN where nothing is."""
    there = ~np.isnan(values)
    count = there.sum(axis=axis)
    found: _Array = np.where(there, values, 0.0).sum(axis=axis) / np.where(count > 0, count, np.nan)
    return found
