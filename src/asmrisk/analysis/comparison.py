"""Comparison of scenarios draw by draw: they share every random number, so differences are theirs alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from asmrisk.analysis.comparison_report import STATISTICS, Comparison
from asmrisk.analysis.estimates import mean, quantiles, standard_deviation
from asmrisk.analysis.metrics import BY
from asmrisk.analysis.outcomes import Outcomes, check_metrics, open_outcomes
from asmrisk.analysis.tail import probability
from asmrisk.errors import InputError, Problem

__all__ = ["REPLAY_DRAWS", "compare", "paired_statistics"]

#: Draws that are simulated again to see who gains and who loses, if nothing else is asked for.
REPLAY_DRAWS = 8

_TOTALS = (
    *("part_b_paid", "incentive_pool", "net_adjustment", "retained_savings", "episode_savings"),
    *("medicare_savings", "penalized_share", "mean_adjustment_factor", "median_final_score"),
)
#: What a comparison shows if nothing is chosen: metrics, and the labels by which they are told apart.
_PLAN: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (_TOTALS, ()),
    (("net_adjustment", "medicare_savings"), BY[:1]),
    (("net_adjustment", "penalized_share"), BY[2:3]),
    (("net_adjustment", "penalized_share"), BY[3:]),
)

#: Draws that are compared at a time.
_TOGETHER = 8192

_Results = str | os.PathLike[str] | xr.Dataset


def compare(
    baseline: _Results,
    *reforms: _Results,
    by: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    replay_draws: int | None = None,
    roster: str | os.PathLike[str] | None = None,
    partial: bool = False,
) -> Comparison:
    """Compare the results of reforms with those of a baseline, paired by draw.

    Draw k of both has the same clinicians, patients and luck, as long as the seed is the same. So the
    difference within each draw is what the reform does, and it is known far better than either figure.

    Parameters
    ----------
    baseline : path or xarray.Dataset
        The store that ``asmrisk run`` wrote, or what `asmrisk.open_results` gave.
    *reforms : path or xarray.Dataset
        At least one. A dataset without the attribute ``provenance`` is paired by the numbers of its draws
        alone; whether it shares random numbers with the other is then for the caller to know.
    by : sequence of str, optional
        Labels to tell apart: ``year``, ``cohort``, ``specialty``, ``practice_size``.
    metrics : sequence of str, optional
        Names out of `asmrisk.analysis.METRICS`. With neither `by` nor `metrics`: totals over all years, and
        the most important ones by year, specialty and practice size.
    replay_draws : int, optional
        How many of the common draws, from the first on, are simulated again to see who gains and who loses,
        clinician by clinician; 0 for none. If not given, `REPLAY_DRAWS` for stores, and none with `by` or
        `metrics` or for datasets.
    roster : path, optional
        The runs' roster, if they had one and it is not where it was.
    partial : bool
        Take the finished draws of runs that are not finished.

    Returns
    -------
    Comparison
        Differences reform minus baseline, each with its paired standard error.

    Raises
    ------
    InputError
        If there are no such results; a label, metric or number is not among those allowed; the runs differ in
        seed, version or kernels, or share no draws; or draws are to be simulated again and cannot be.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> luck = np.random.default_rng(1).normal(20e6, 1e6, (100, 5, 2))
    >>> dims = ("draw", "performance_year", "cohort")
    >>> baseline = xr.Dataset({"medicare_savings": (dims, luck)})
    >>> reform = xr.Dataset({"medicare_savings": (dims, luck + 1e5)})
    >>> found = compare(baseline, reform, metrics=["medicare_savings"]).dataset.medicare_savings
    >>> round(found.sel(statistic="difference").item(), 3)
    1000000.0
    """
    if not reforms:
        raise InputError("a comparison needs a baseline and at least one reform.")
    names, labels = check_metrics(metrics, by or ())
    standard = by is None and metrics is None
    opened = [open_outcomes(each, partial=partial) for each in (baseline, *reforms)]
    name_of_baseline, *keys = _labels(opened)
    problems: list[str] = []
    for each in opened[1:]:
        problems += _obstacles(opened[0], each)
    if problems:
        raise InputError(problems)
    common = [_common(opened[0], each) for each in opened[1:]]
    replayed = _replayed_draws(replay_draws, standard, opened, common)

    plan = [(f"{name}:{'+'.join(each)}", name, each) for some, each in _PLAN for name in some]
    if not standard:
        plan = [(name, name, labels) for name in names]
    parts: dict[str, list[xr.DataArray]] = {key: [] for key, _, _ in plan}
    identical = []
    for reform, draws in zip(opened[1:], common, strict=True):
        first, second = (_at(each, draws) for each in (opened[0], reform))
        for key, name, apart in plan:
            parts[key].append(_estimates(first.draws(name, apart), second.draws(name, apart)))
        unchanged = all((found[-1].sel(statistic="tied") == 1.0).all() for found in parts.values())
        identical.append(bool(unchanged) and _same(first.dataset, second.dataset))
    dim = xr.Variable("reform", np.array(keys, dtype=object))
    dataset = xr.Dataset(
        {
            key: xr.concat(found, dim=dim, coords="minimal", compat="override", combine_attrs="override")
            for key, found in parts.items()
        },
        attrs={"draws": [len(each) for each in common], "baseline": name_of_baseline},
    )
    changes = None
    if replayed:
        from asmrisk.analysis.transitions import who_changes
        from asmrisk.results.rerun import stored_run

        try:
            runs = [stored_run(each.source, roster=roster).scenario for each in opened]
        except InputError as error:
            hint = Problem("or set it to 0 to leave out who gains and who loses", argument="replay_draws")
            raise InputError([*error.problems, hint]) from None
        changes = who_changes(runs[0], runs[1:], replayed, keys)
    return Comparison(
        dataset=dataset,
        baseline=opened[0],
        reforms=tuple(opened[1:]),
        identical=tuple(identical),
        standard=standard,
        changes=changes,
    )


def paired_statistics(baseline: Any, reform: Any) -> dict[str, Any]:
    """Estimate differences from paired draws.

    Parameters
    ----------
    baseline, reform : ndarray of float64, shape (n, ...)
        The same draws of both; where either is NaN the draw is left out.

    Returns
    -------
    dict of str to ndarray
        `asmrisk.analysis.comparison_report.STATISTICS`, arrays of shape (...).
    """
    change = reform - baseline
    gone = np.isnan(change)
    old, new = np.where(gone, np.nan, baseline), np.where(gone, np.nan, reform)
    before, after, difference = mean(old), mean(new), mean(change)
    spread, *apart = (standard_deviation(each).value for each in (change, old, new))
    larger = probability(np.where(gone, np.nan, change > 0.0))
    tied = mean(np.where(gone, np.nan, change == 0.0)).value
    with np.errstate(invalid="ignore", divide="ignore"):
        # Two runs of m draws of their own have a difference of variance (s₁² + s₂²) / m; here it is s² / n.
        unpaired = np.ceil(difference.draws * (apart[0] ** 2 + apart[1] ** 2) / spread**2)
    found: dict[str, Any] = {
        "draws": difference.draws,
        "baseline": before.value,
        "baseline_error": before.error,
        "reform": after.value,
        "reform_error": after.error,
        "difference": difference.value,
        "difference_error": difference.error,
        "sd": spread,
    }
    for name, each in zip(("p05", "p50", "p95"), quantiles(change, (0.05, 0.5, 0.95)), strict=True):
        found[name], found[f"{name}_low"], found[f"{name}_high"], _ = each
    return found | {
        "larger": larger.value,
        "larger_error": larger.error,
        "larger_low": larger.low,
        "larger_high": larger.high,
        "tied": tied,
        "unpaired_draws": unpaired,
    }


def _estimates(baseline: xr.DataArray, reform: xr.DataArray) -> xr.DataArray:
    found = paired_statistics(baseline.values, reform.values)
    return xr.DataArray(
        np.stack([np.asarray(found[name], dtype=np.float64) for name in STATISTICS]),
        dims=("statistic", *baseline.dims[1:]),
        coords={name: each for name, each in baseline.coords.items() if "draw" not in each.dims}
        | {"statistic": np.array(STATISTICS, dtype=object)},
        attrs=baseline.attrs,
    )


def _labels(runs: Sequence[Outcomes]) -> list[str]:
    """Name runs by their titles; where titles are alike, by place too."""
    names = [each.title for each in runs]
    if len(set(names)) < len(names):
        names = [f"{each.title} ({each.source})" if each.source else each.title for each in runs]
    return [
        name if names.count(name) == 1 else f"{name}, number {place}" for place, name in enumerate(names, 1)
    ]


def _obstacles(baseline: Outcomes, reform: Outcomes) -> list[str]:
    """Say why the draws of two runs cannot be paired."""
    one, other = baseline.provenance, reform.provenance
    if not one or not other:
        return []
    here, there = (each.source or each.title for each in (baseline, reform))
    # Of a dataset that was opened by hand, any version may be the writer.
    codes = [str(each.get("code", "unknown"))[:12] for each in (one, other)]
    if one.get("code") != other.get("code"):
        return [
            f"{here} was computed by other code ({codes[0]}) than {there} ({codes[1]}): differences between "
            "them may come from the program. Run both with the same version."
        ]
    if one["seed"] != other["seed"]:
        return [
            f"{there} has the seed {other['seed']}, {here} has {one['seed']}: their draws share no random "
            f"numbers and cannot be paired. Run one of them again with the other's seed."
        ]
    return []


def _common(baseline: Outcomes, reform: Outcomes) -> Any:
    """Give the numbers of the draws that both have."""
    one, other = (_numbers(each) for each in (baseline, reform))
    draws = np.intersect1d(one, other)
    if not draws.size:
        here, there = (each.source or each.title for each in (baseline, reform))
        raise InputError(
            f"{here} and {there} share no draws: one holds draws {one[0]} to {one[-1]}, the other "
            f"{other[0]} to {other[-1]}. Complete both runs."
        )
    return draws


def _numbers(outcomes: Outcomes) -> Any:
    if "draw" in outcomes.dataset.coords:
        return outcomes.dataset["draw"].values
    return np.arange(outcomes.count)


def _at(outcomes: Outcomes, draws: Any) -> Outcomes:
    """Restrict results to some draws."""
    numbers = _numbers(outcomes)
    if np.array_equal(numbers, draws):
        return outcomes
    places = np.searchsorted(numbers, draws)
    # The usual case, a shorter run against a longer one, is a slice and reads nothing else.
    chosen: Any = slice(len(draws)) if places[-1] == len(draws) - 1 else places
    return Outcomes(
        outcomes.dataset.isel(draw=chosen), outcomes.source, outcomes.partial, outcomes.provenance
    )


def _same(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Whether all that is kept of the draws is the same, to the bit of every number."""
    if set(one.data_vars) != set(other.data_vars):
        return False
    # Some draws at a time: results may be larger than memory.
    return all(
        np.array_equal(one[name][some].values, other[name][some].values, equal_nan=True)
        for name in one.data_vars
        for some in (slice(first, first + _TOGETHER) for first in range(0, one.sizes["draw"], _TOGETHER))
    )


def _replayed_draws(
    asked: int | None, standard: bool, opened: Sequence[Outcomes], common: Sequence[Any]
) -> list[int]:
    """Choose the draws that are simulated again, and check that they can be."""
    stored = all(each.source for each in opened)
    if asked is None:
        asked = REPLAY_DRAWS if standard and stored else 0
    if isinstance(asked, bool) or not isinstance(asked, int) or asked < 0:
        text = f"{asked!r} is not allowed"
        raise InputError(text, argument="replay_draws", allowed="whole numbers from 0 on")
    if not asked:
        return []
    if not stored:
        raise InputError("datasets cannot be simulated again; give stores, or 0", argument="replay_draws")
    rosters = {str(each.provenance.get("roster", {}).get("sha256")) for each in opened}
    if len(rosters) > 1:
        text = (
            "the runs have different rosters, so it cannot be told which clinicians are the same; set it to 0"
        )
        raise InputError(f"{text} to leave out who gains and who loses.", argument="replay_draws")
    shared = common[0]
    for draws in common[1:]:
        shared = np.intersect1d(shared, draws)
    if not shared.size:
        raise InputError("no draw is common to all the runs; compare one reform at a time.")
    return [int(draw) for draw in shared[:asked]]
