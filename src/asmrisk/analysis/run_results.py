"""From results to the draws of one outcome: a metric of `asmrisk.analysis.metrics`, or a roster's dollars."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from asmrisk.analysis.labels import labeled, labels_of
from asmrisk.analysis.metrics import metric_draws
from asmrisk.analysis.report import Section
from asmrisk.errors import InputError
from asmrisk.results.reading import open_results

__all__ = ["ROSTER_OUTCOMES", "RunResults", "StratifiedWarning", "open_run_results"]

#: What can be asked of a roster's clinicians, with titles: all together, and each.
ROSTER_OUTCOMES = {
    "roster_adjustment": "Adjustments paid to the roster",
    "clinician_adjustment": "Adjustments paid to each clinician",
}
_ROSTER_LABELS = ("year", "performance_year")


@dataclass(frozen=True)
class RunResults:
    """Results of a run with what is known of their origin.

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

    def facts(self) -> dict[str, Any]:
        """Give the origin for a report's JSON."""
        return {
            "title": self.title,
            "results": self.source,
            "draws": self.count,
            "seed": self.seed,
            "partial": bool(self.partial),
            "finished": self.partial or "all draws",
        }

    def head(self, what: str, *words: str) -> tuple[str, ...]:
        """Give the origin for a report's reader: what is shown, and words about it."""
        seed = "" if self.seed is None else f", seed {self.seed}"
        unfinished = [f"The run is not finished: {self.partial}."] if self.partial else []
        return f"{self.title}: {what}{seed}", *unfinished, *words

    def foot(self) -> tuple[Section, ...]:
        """Say in a report where the results are."""
        return (Section((f"Results: {self.source}",)),) if self.source else ()

    def at(self, draws: Any) -> RunResults:
        """Restrict to the draws of these places: a slice, or an array of int."""
        return replace(self, dataset=self.dataset.isel(draw=draws))

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
            See `asmrisk.analysis.metrics.metric_draws`. ``clinician_adjustment`` has the dimension
            ``clinician`` too: by year it is NaN where a clinician is not measured, over all years such a year
            counts as 0.

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
            dataset = open_results(
                self.source, partial=bool(self.partial), group="clinician", chunked=bool(self.partial)
            )
        dollars = dataset["adjustment_usd"].transpose("draw", "performance_year", "clinician")
        gone = [
            dim
            for dim, added in (("clinician", name == "roster_adjustment"), ("performance_year", not by))
            if added
        ]
        values = np.asarray(dollars.values, dtype=np.float64)
        # The last axis first, so that the other keeps its number.
        for dim in gone:
            values = np.where(np.isnan(values), 0.0, values).sum(axis=dollars.dims.index(dim))
        labels, further = labels_of(dollars)
        return labeled(
            values,
            {dim: each for dim, each in labels.items() if dim not in gone},
            {"units": "USD", "long_name": ROSTER_OUTCOMES[name]},
            {label: each for label, each in further.items() if each[0] not in gone},
        ).rename(name)


class StratifiedWarning(UserWarning):
    """Draws of a stratified population differ less than chance makes cohorts differ."""


def open_run_results(
    results: str | os.PathLike[str] | xr.Dataset | RunResults, *, partial: bool = False
) -> RunResults:
    """Open results, and look up where they come from.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that ``asmrisk run`` wrote, or what `asmrisk.open_results` gave.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    RunResults
        At least one draw.

    Raises
    ------
    InputError
        If there are no such results, they are not finished, they hold no draws, or they are a study's.

    Warns
    -----
    StratifiedWarning
        If the results are of a stratified population.
    """
    if isinstance(results, RunResults):
        return results
    source = ""
    if not isinstance(results, xr.Dataset):
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
    if definition.get("population", {}).get("stratified", False):
        warnings.warn(
            f"the population of {source or 'these results'} is stratified: means and their errors hold, but "
            "draws differ less than chance makes cohorts differ, so ranges, tails and probabilities are too "
            "narrow. For those, run with population.stratified = false.",
            StratifiedWarning,
            stacklevel=3,
        )
    return RunResults(results, source, str(results.attrs.get("partial", "")), provenance)
