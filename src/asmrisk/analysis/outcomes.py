"""From results to the draws of one outcome: a metric of `asmrisk.analysis.METRICS`, or a roster's dollars."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from asmrisk.analysis.metrics import METRICS, check_by, check_metric, metric_draws
from asmrisk.errors import InputError, gather

__all__ = ["ROSTER_OUTCOMES", "LatinHypercubeWarning", "Outcomes", "check_metrics", "open_outcomes"]

#: What can be asked of a roster's clinicians, with titles: all together, and each.
ROSTER_OUTCOMES = {
    "roster_adjustment": "Adjustments paid to the roster",
    "clinician_adjustment": "Adjustments paid to each clinician",
}
_ROSTER_LABELS = ("year", "performance_year")


@dataclass(frozen=True)
class Outcomes:
    """Results with what is known of their origin.

    Attributes
    ----------
    dataset : xarray.Dataset
        As `asmrisk.open_results` gives it.
    source : str
        Where the results are; empty for a dataset in memory.
    partial : str
        How much of the run is finished, if not all; otherwise empty.
    provenance : dict
        Where the results come from; empty for a dataset without it.
    """

    dataset: xr.Dataset
    source: str
    partial: str
    provenance: dict[str, Any] = field(repr=False)

    @property
    def count(self) -> int:
        """Number of draws."""
        return int(self.dataset.sizes["draw"])

    @property
    def title(self) -> str:
        """Of the scenario."""
        return self.provenance.get("scenario", {}).get("title") or "Results"

    @property
    def seed(self) -> int | None:
        """Of the run."""
        return self.provenance.get("seed")

    def draws(self, name: str, by: Sequence[str] = ()) -> xr.DataArray:
        """Give an outcome draw by draw.

        Parameters
        ----------
        name : str
            Name of a metric, or one of `ROSTER_OUTCOMES`, which can be told apart by year alone.
        by : sequence of str
            Labels to tell apart.

        Returns
        -------
        xarray.DataArray
            See `asmrisk.analysis.metric_draws`. ``clinician_adjustment`` has the dimension ``clinician`` too:
            by year it is NaN where a clinician is not measured, over all years such a year counts as 0.

        Raises
        ------
        InputError
            If there is no such outcome, or not by these labels.
        """
        return self._roster(name, by) if name in ROSTER_OUTCOMES else metric_draws(self.dataset, name, by)

    def _roster(self, name: str, by: Sequence[str]) -> xr.DataArray:
        if wrong := sorted(set(by) - set(_ROSTER_LABELS)):
            raise InputError(f"{name} can be told apart by year alone, not by {', '.join(wrong)}.")
        dataset = self.dataset
        if "adjustment_usd" not in dataset:
            if not self.source or "roster" not in self.provenance:
                raise InputError(f"{name} needs the results of a scenario with a roster; these have none.")
            from asmrisk.results.reading import open_results

            dataset = open_results(
                self.source, partial=bool(self.partial), group="clinician", chunked=bool(self.partial)
            )
        dollars = dataset["adjustment_usd"].astype(np.float64).load()
        if name == "roster_adjustment":
            dollars = dollars.fillna(0.0).sum("clinician")
        if not by:
            dollars = dollars.fillna(0.0).sum("performance_year")
        dollars = dollars.rename(name)
        dollars.attrs = {"units": "USD", "long_name": ROSTER_OUTCOMES[name]}
        return dollars


class LatinHypercubeWarning(UserWarning):
    """Draws of a Latin hypercube differ less than chance makes cohorts differ."""


def open_outcomes(
    results: str | os.PathLike[str] | xr.Dataset | Outcomes, *, partial: bool = False
) -> Outcomes:
    """Open results, and look up where they come from.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that ``asmrisk run`` wrote, or what `asmrisk.open_results` gave.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    Outcomes
        At least one draw.

    Raises
    ------
    InputError
        If there are no such results, they are not finished, they hold no draws, or they are a study's.

    Warns
    -----
    LatinHypercubeWarning
        If the population of the results is a Latin hypercube.
    """
    if isinstance(results, Outcomes):
        return results
    source = ""
    if not isinstance(results, xr.Dataset):
        from asmrisk.results.reading import open_results

        source = os.fspath(results)
        results = open_results(results, partial=partial, chunked=False)
    if "design_point" in results.sizes:
        raise InputError(
            f"{source or 'the dataset'} holds a study by design point, not the draws of one run; "
            "`asmrisk sensitivity` with its study file prints what it says."
        )
    if "draw" not in results.sizes or not results.sizes["draw"]:
        raise InputError(f"{source or 'the dataset'} holds no draws; there is nothing to summarize.")
    provenance = json.loads(results.attrs.get("provenance", "{}"))
    definition = provenance.get("scenario", {}).get("definition", {})
    if definition.get("population", {}).get("latin_hypercube", False):
        warnings.warn(
            f"the population of {source or 'these results'} is a Latin hypercube: means and their errors "
            "hold, but draws differ less than chance makes cohorts differ, so ranges, tails and "
            "probabilities are too narrow. For those, run with population.latin_hypercube = false.",
            LatinHypercubeWarning,
            stacklevel=3,
        )
    return Outcomes(results, source, str(results.attrs.get("partial", "")), provenance)


def check_metrics(metrics: Sequence[str] | None, by: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Check names of metrics and labels together.

    Parameters
    ----------
    metrics : sequence of str, optional
        Names; all that are kept by the labels if not given.
    by : sequence of str
        Labels to tell apart.

    Returns
    -------
    names : list of str
        Each once, in the order given.
    labels : tuple of str
        Full names, in the order of `asmrisk.analysis.metrics.BY`.

    Raises
    ------
    InputError
        All that is wrong with the names.
    """
    labels = check_by(by)
    if metrics is None:
        fine = bool({"specialty", "practice_size"} & set(labels))
        return [name for name, metric in METRICS.items() if metric.by_specialty or not fine], labels
    names = list(dict.fromkeys(metrics))
    gather(lambda name: check_metric(name, labels), names)
    return names, labels
