"""From results to the draws of one outcome: a metric of `asmrisk.analysis.metrics`, or a roster's dollars."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.estimates import Sets, first_draws
from asmrisk.analysis.labels import relabeled
from asmrisk.analysis.metrics import METRICS, ROSTER_OUTCOMES, SPECIALTY_NOTE, metric_draws
from asmrisk.analysis.report import Report, Section, note_facts
from asmrisk.analysis.statistics import HOLDS, Row, fixed_words
from asmrisk.errors import Call, InputError, Problem
from asmrisk.results.reading import open_results

__all__ = ["LatinHypercubeWarning", "RunResults", "definitions", "open_run_results"]

#: In which dollars metrics are.
_DOLLARS = {
    "Cash of the performance year": ("part_b_paid", "incentive_pool", "cost_of_participation"),
    "Cash of the payment year": (
        *("payment_year_part_b", "net_adjustment", "retained_savings", "volume_offset"),
        *("mips_forgone", "net_of_mips", "panel_mean_adjustment"),
    ),
    "Dollars of 2025": ("episode_spending", "episode_savings"),
    "Dollars of {}": ("medicare_savings", "net_of_costs"),
}

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
    def rule(self) -> str:
        """Which text of the rule it is; empty if the results do not say."""
        return str(self.provenance.get("rule", ""))

    @property
    def rule_words(self) -> list[str]:
        """Say which text of the rule it is, for a report's head; nothing if the results do not say."""
        return [f"Rule: {self.rule}."] if self.rule else []

    @property
    def seed(self) -> int | None:
        """Of the run."""
        return self.provenance.get("seed")

    @property
    def dollar_year(self) -> int | None:
        """Year in whose dollars sums of both years' cash are stated; None if the results do not say."""
        stated = self.provenance.get("parameters", {}).get("population.dollar_year", {})
        year: int | None = stated.get("value")
        return year

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Of the draws."""
        coordinates = self.dataset.coords
        numbers = coordinates["draw"].values if "draw" in coordinates else np.arange(self.count)
        return np.asarray(numbers, dtype=np.int64)

    @property
    def unknowns(self) -> dict[str, dict[str, Any]]:
        """What decides the value of each parameter that is drawn, by name; see `definitions`."""
        return definitions(self.provenance.get("uncertainty", {}))

    @property
    def correlations(self) -> set[tuple[frozenset[str], float]]:
        """Pairs of unknowns whose normal scores are correlated, and how much."""
        definition = self.provenance.get("scenario", {}).get("definition", {})
        stated = definition.get("uncertainty", {}).get("correlations", ())
        return {(frozenset(each["between"]), each["value"]) for each in stated}

    @property
    def fixed(self) -> list[str]:
        """Names of the unknowns that are fixed at their medians."""
        return list(self.provenance.get("fixed", []))

    @property
    def holds(self) -> str:
        """What ranges over draws hold: ``chance`` or ``chance_and_doubt``, the names of `HOLDS`."""
        return "chance_and_doubt" if self.unknowns else "chance"

    @property
    def draws_per_set(self) -> int:
        """Draws that share a parameter set; 1 where nothing is unknown."""
        return int(self.provenance["draws_per_parameter_set"]) if self.unknowns else 1

    @property
    def sets(self) -> Sets:
        """Number of the parameter set of each draw; None where each draw is a set of its own."""
        return None if self.draws_per_set == 1 else self.numbers // self.draws_per_set

    @property
    def set_count(self) -> int:
        """Number of parameter sets, which is what is independent."""
        return self.count if self.sets is None else len(first_draws(self.sets))

    @property
    def range_words(self) -> str:
        """Say what a range is of, for a report's head."""
        return f"5-95%: range of draws, {HOLDS[self.holds]}."

    @property
    def doubt_words(self) -> list[str]:
        """Say of unknowns what a reader has to know beside `range_words`, for a report's head."""
        words = fixed_words(self.fixed)
        if self.unknowns and self.draws_per_set == 1:
            words.append("With one draw per parameter set chance and doubt cannot be told apart.")
        return words

    def dollar_words(self, names: Iterable[str]) -> list[str]:
        """Say in which dollars metrics are, for a report's head; nothing if none is in dollars."""
        year = self.dollar_year or "a year that the results do not state"
        known = set(names)
        found = {
            dollars.format(year): [METRICS[name].title for name in those if name in known]
            for dollars, those in _DOLLARS.items()
        }
        told = [f"{dollars}: {', '.join(titles)}." for dollars, titles in found.items() if titles]
        return [" ".join(told)] if told else []

    def facts(self) -> dict[str, Any]:
        """Give the origin for a report's JSON."""
        return {
            "title": self.title,
            "rule": self.rule,
            "results": self.source,
            "draws": self.count,
            "seed": self.seed,
            "partial": bool(self.partial),
            "finished": self.partial or "all draws",
            "range_holds": self.holds,
            "draws_per_parameter_set": self.draws_per_set,
            "parameter_sets": self.set_count,
            "fixed": self.fixed,
        }

    def report(
        self,
        what: str,
        *words: str | tuple[str | Call, ...],
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
            facts=self.facts() | note_facts(dataset),
            head=(f"{self.title}: {what}{seed}", *self.rule_words, *unfinished, *self.doubt_words, *words),
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
        counts as 0. The attribute ``range_holds`` says what ranges over the draws hold, ``note`` what results
        by specialty do not say.
        """
        roster = name in ROSTER_OUTCOMES
        found = self._roster(name, by) if roster else metric_draws(self.dataset, name, by)
        notes = {"note": SPECIALTY_NOTE} if "specialty" in found.dims else {}
        return found.assign_attrs(range_holds=self.holds, **notes)

    def drawn(self, names: Sequence[str]) -> NDArray[np.float64] | None:
        """Read the values of unknowns as stored, of shape (draws, names); None for a dataset in memory."""
        if not self.source:
            return None
        group = open_results(self.source, partial=bool(self.partial), group="parameters", chunked=False)
        values = group["parameter_value"].sel(draw=self.numbers, parameter=list(names))
        return np.asarray(values.transpose("draw", "parameter").values, dtype=np.float64)

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


def definitions(uncertainty: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give what decides the value of each parameter that is drawn, which leaves out basis and source.

    Parameters
    ----------
    uncertainty : mapping
        What a scenario states, by the unknown's name; others are linked to it in its ``with``.

    Returns
    -------
    dict
        By name, the parameter that a linked one follows as ``linked_to``.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, stated in uncertainty.items():
        found[name] = {key: each for key, each in stated.items() if key not in ("basis", "source", "with")}
        for linked, each in stated.get("with", {}).items():
            found[linked] = {**each, "linked_to": name}
    return found


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
