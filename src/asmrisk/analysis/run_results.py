"""From results to the draws of one outcome: a metric of `asmrisk.analysis.metrics`, or a roster's dollars."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from asmrisk.analysis.labels import relabeled
from asmrisk.analysis.metrics import ROSTER_OUTCOMES, metric_draws
from asmrisk.analysis.report import Report, Section
from asmrisk.analysis.statistics import Row
from asmrisk.errors import Call, InputError, Problem
from asmrisk.results.reading import open_results

__all__ = ["LatinHypercubeWarning", "RunResults", "open_run_results"]

_ROSTER_LABELS = ("year", "performance_year")


@dataclass(frozen=True)
class RunResults:
    """Results of a run with what is known of their origin."""

    dataset: xr.Dataset  #: as `asmrisk.open_results` gives it
    source: str  #: where the results are; empty for a dataset in memory
    partial: str  #: how much of the run is finished, if not all; otherwise empty
    provenance: dict[str, Any] = field(repr=False)  #: empty for a dataset without it

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

    def report(
        self,
        what: str,
        *words: str,
        dataset: xr.Dataset,
        sections: Iterable[Section],
        **tables: Sequence[Row],
    ) -> Report:
        """Make a report: what it shows, words about it, and its content."""
        seed = "" if self.seed is None else f", seed {self.seed}"
        unfinished = [f"The run is not finished: {self.partial}."] if self.partial else []
        foot = [Section((f"Results: {self.source}",))] if self.source else []
        return Report(
            dataset,
            facts=self.facts(),
            head=(f"{self.title}: {what}{seed}", *unfinished, *words),
            sections=(*sections, *foot),
            tables=tables,
            partial=bool(self.partial),
        )

    def at(self, draws: Any) -> RunResults:
        """Restrict to the draws of these places: a slice, or an array of int."""
        return replace(self, dataset=self.dataset.isel(draw=draws))

    def draws(self, name: str, by: Sequence[str] = ()) -> xr.DataArray:
        """Give an outcome draw by draw, as `metric_draws` does.

        `ROSTER_OUTCOMES` can be told apart by year alone. ``clinician_adjustment`` has the dimension
        ``clinician`` too: by year it is NaN where a clinician is not measured, over all years such a year
        counts as 0.
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
        gone = ["clinician"] * (name == "roster_adjustment") + ["performance_year"] * (not by)
        values = np.asarray(dollars.values, dtype=np.float64)
        # The last axis first, so that the other keeps its number.
        for dim in gone:
            values = np.where(np.isnan(values), 0.0, values).sum(axis=dollars.dims.index(dim))
        attributes = {"units": "USD", "long_name": ROSTER_OUTCOMES[name]}
        return relabeled(values, dollars, {}, gone=gone, attributes=attributes).rename(name)


class LatinHypercubeWarning(UserWarning):
    """Draws of a Latin hypercube differ less than chance makes cohorts differ."""


def open_run_results(
    results: str | os.PathLike[str] | xr.Dataset | RunResults, *, partial: bool = False
) -> RunResults:
    """Open results, and look up where they come from; with `partial` those of a run that is not finished.

    Raises InputError if there are no such results, they are not finished, they hold no draws, or they are a
    study's. Warns if the population is a Latin hypercube.
    """
    if isinstance(results, RunResults):
        return results
    source = ""
    if not isinstance(results, xr.Dataset):
        source = os.fspath(results)
        results = open_results(results, partial=partial, chunked=False)
    if "design_point" in results.sizes:
        text = f"{source or 'the dataset'} holds a study by design point, not the draws of one run; "
        raise InputError(Problem((text, Call("sensitivity"), " with its study file gives what it says.")))
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
    return RunResults(results, source, str(results.attrs.get("partial", "")), provenance)
