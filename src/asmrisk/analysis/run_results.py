"""From results to the draws of a metric of `asmrisk.analysis.metrics`."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from asmrisk.analysis.estimates import Sets, first_draws
from asmrisk.analysis.labels import labeled
from asmrisk.analysis.metrics import METRICS, SPECIALTY_NOTE, Metric, check_by, check_metric, metric_draws
from asmrisk.analysis.report import Report, Section, note_facts
from asmrisk.analysis.roster_metrics import Practices, held_by, practices_of, prices, roster_values
from asmrisk.analysis.statistics import HOLDS, Row, fixed_words
from asmrisk.arguments import check_arguments, instance
from asmrisk.errors import Call, InputError, Problem, printable
from asmrisk.results.reading import open_results
from asmrisk.results.spec import has_form

__all__ = [
    *("RESULTS", "LatinHypercubeWarning", "RunResults", "definitions", "dollars_of", "open_run_results"),
    *("practices_in", "provenance_in"),
]

_Made = TypeVar("_Made")

#: In which dollars metrics are.
_DOLLARS = {
    "Cash of the performance year": ("part_b_paid", "incentive_pool", "cost_of_participation"),
    "Cash of the payment year": (
        *("payment_year_part_b", "net_adjustment", "retained_savings", "volume_offset"),
        *("mips_forgone", "net_of_mips", "net_adjustment_per_clinician_year"),
        *("net_adjustment_per_clinician", "net_of_mips_per_clinician_year"),
    ),
    "Dollars of 2025": ("episode_spending", "episode_savings"),
    "Dollars of {}": ("medicare_savings", "net_of_costs", "net_of_costs_per_clinician_year"),
}

#: What is made of several years, by `Metric.how`.
_TOGETHER = {
    "sum": "dollars and episodes are added up",
    "yearly": "people and practices are counted a year on average",
    "mean": "shares and mean factors are weighted by clinicians or payments",
    "level": "scores and percentiles are averaged",
}

_DEFLATOR = "population.deflator"


@dataclass(frozen=True)
class RunResults:
    """Results of a run with what is known of their origin."""

    dataset: xr.Dataset  #: as `asmrisk.open_results` gives it
    source: str  #: where the results are; empty for a dataset in memory
    partial: str  #: how much of the run is finished, if not all; otherwise empty
    provenance: dict[str, Any] = field(repr=False)  #: empty for a dataset without it
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def count(self) -> int:
        """Number of draws."""
        return int(self.dataset.sizes["draw"])

    @property
    def asked(self) -> int:
        """Number of draws that the run is to have; more than there are where it is not finished."""
        return int(self.dataset.attrs.get("asked", self.count))

    @property
    def title(self) -> str:
        """Of the scenario."""
        return printable(self.provenance.get("scenario", {}).get("title") or "Results")

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

    @cached_property
    def unknowns(self) -> dict[str, dict[str, Any]]:
        """What decides the value of each parameter that is drawn, by name; see `definitions`."""
        return definitions(self.provenance.get("uncertainty", {}))

    @property
    def unknown_count(self) -> int:
        """Number of things that are unknown; parameters linked to one count with it."""
        return len(self.provenance.get("uncertainty", {}))

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
        found = dollars_of(names, self.dollar_year)
        words = [f"{dollars}: {', '.join(titles)}." for dollars, titles in found.items()]
        return [" ".join(words)] if words else []

    def total_words(self, names: Iterable[str], by: Sequence[str]) -> list[str]:
        """Say what metrics are where years are not told apart, for a report's head; nothing if they are."""
        if "performance_year" in by or "performance_year" not in self.dataset.coords:
            return []
        years = self.dataset["performance_year"].values
        how = {METRICS[name].how for name in names if "performance_year" in METRICS[name].labels}
        words = [said for each, said in _TOGETHER.items() if each in how]
        return [f"Performance years {years[0]} to {years[-1]} together: {'; '.join(words)}."] if words else []

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

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """Make something of these results when it is first asked for; reports of one run share much."""
        if key not in self._made:
            self._made[key] = make()
        made: _Made = self._made[key]
        return made

    def at(self, draws: Any) -> RunResults:
        """Restrict to the draws of these places: a slice, or an array of int."""
        return replace(self, dataset=self.dataset.isel(draw=draws))

    def draws(self, name: str, by: str | Sequence[str] = ()) -> xr.DataArray:
        """Give an outcome draw by draw, as `metric_draws` does.

        Those of practices and clinicians have the dimension ``practice`` or ``clinician`` too. A clinician's
        by year is NaN where the clinician is not measured; in every sum such a year counts as 0. The
        attribute ``range_holds`` says what ranges over the draws hold, ``note`` what results by specialty do
        not say.
        """
        labels = check_by(by)
        metric = check_metric(name, labels)
        if metric.of:  # Of thousands of clinicians: too large to keep.
            found = self._of_roster(metric, by)
        else:
            found = self.once(("draws", name, labels), lambda: metric_draws(self.dataset, name, labels))
        notes = {"note": SPECIALTY_NOTE} if "specialty" in found.dims else {}
        return found.assign_attrs(range_holds=self.holds, **notes)

    def drawn(self, names: Sequence[str]) -> NDArray[np.float64] | None:
        """Read the values of unknowns as stored, of shape (draws, names); None for a dataset in memory."""
        return self.once(("drawn", *names), lambda: self._drawn(names)) if self.source else None

    def _drawn(self, names: Sequence[str]) -> NDArray[np.float64]:
        group = open_results(self.source, partial=bool(self.partial), group="parameters", chunked=False)
        values = group["parameter_value"].sel(draw=self.numbers, parameter=list(names))
        return np.asarray(values.transpose("draw", "parameter").values, dtype=np.float64)

    @property
    def has_roster(self) -> bool:
        """Whether there are results of a roster's clinicians."""
        return "adjustment_usd" in self.dataset or bool(self.source and "roster" in self.provenance)

    def clinicians(self) -> xr.Dataset:
        """Give the results of each of the roster's clinicians; InputError if there are none."""
        if "adjustment_usd" in self.dataset:
            return self.dataset
        if not self.has_roster:
            raise InputError(
                "metrics of a roster, its practices and its clinicians need the results of a scenario with a "
                "roster; these have none."
            )
        partial = bool(self.partial)
        group = open_results(self.source, partial=partial, group="clinician", chunked=partial)
        if "draw" in group.coords and not np.array_equal(group["draw"].values, self.numbers):
            group = group.sel(draw=self.numbers)
        return group

    def prices(self, years: ArrayLike | None = None) -> NDArray[np.float64] | None:
        """Give `asmrisk.analysis.roster_metrics.prices` of these results, for performance years or others.

        None where they do not say, or where the deflator is unknown and its values are not at hand.
        """
        stated, parameters = self.dollar_year, self.provenance.get("parameters", {})
        if stated is None or _DEFLATOR not in parameters:
            return None
        deflator: Any = parameters[_DEFLATOR]["value"]
        if _DEFLATOR in self.unknowns:
            deflator = self.drawn([_DEFLATOR])
        if deflator is None:
            return None
        return prices(deflator, stated, self.dataset["performance_year"].values if years is None else years)

    def _of_roster(self, metric: Metric, by: Sequence[str]) -> xr.DataArray:
        group, dims = self.clinicians(), ("draw", "performance_year", "clinician")
        held, practices = held_by(metric), practices_in(group)
        missing = [name for name in held if name not in group]
        if metric.of == "practice" and practices is None:
            missing.append("practice_id")
        stated = self.prices() if metric.outcome == "net_of_costs" else None
        if metric.outcome == "net_of_costs" and stated is None:
            missing.append(_DEFLATOR)
        if missing:
            text = f"these results have no {' and no '.join(missing)}, which {metric.name} needs."
            raise InputError(text, argument="metrics")
        arrays = {name: np.asarray(group[name].transpose(*dims).values, dtype=np.float64) for name in held}
        values = roster_values(metric, arrays, practices, stated, by_year=bool(by))
        labels = {"draw": group.coords.get("draw")}
        labels |= {"performance_year": group.coords.get("performance_year")} if by else {}
        further: dict[str, Any] = {}
        if metric.of == "practice" and practices is not None:
            labels["practice"] = practices.names
        if metric.of == "clinician":
            labels["clinician"] = group["clinician"].values
            # Cohorts and specialties are labels of other metrics.
            names = ("practice_id", "billing_practice_id")
            further = {name: ("clinician", group[name].values) for name in names if name in group.coords}
        known = {dim: getattr(each, "variable", each) for dim, each in labels.items()}
        return labeled(values, known, {"units": metric.units, "long_name": metric.title}, further).rename(
            metric.name
        )


def dollars_of(names: Iterable[str], year: int | None) -> dict[str, list[str]]:
    """Give the titles of metrics by the dollars that they are in; `year` is that of those stated."""
    stated = year or "a year that the results do not state"
    known = {METRICS[name].outcome for name in names}
    found = {
        dollars.format(stated): [METRICS[name].title for name in those if name in known]
        for dollars, those in _DOLLARS.items()
    }
    return {dollars: titles for dollars, titles in found.items() if titles}


def practices_in(group: xr.Dataset) -> Practices | None:
    """Find the practices of a roster's clinicians; None where results name none."""
    if "practice_id" not in group.coords:
        return None
    return practices_of(*(group[label].values for label in ("practice_id", "billing_practice_id")))


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


#: How results of a run may be given.
RESULTS = instance(
    "the path of results, or what asmrisk.open_results gave", str, os.PathLike, xr.Dataset, RunResults
)


def open_run_results(
    results: str | os.PathLike[str] | xr.Dataset | RunResults, *, partial: bool = False
) -> RunResults:
    """Open results, and look up where they come from; with `partial` those of a run that is not finished.

    Raises InputError if there are no such results, they are not finished, they hold no draws, or they are a
    study's. Warns if the population is a Latin hypercube.
    """
    if isinstance(results, RunResults):
        return results
    check_arguments(results=(RESULTS, results))
    source = ""
    if not isinstance(results, xr.Dataset):
        source = os.fspath(results)
        results = open_results(results, partial=partial, chunked=False)
    if "design_point" in results.sizes:
        text = f"{source or 'the dataset'} holds a study by design point, not the draws of one run; "
        raise InputError(Problem((text, Call("sensitivity"), " with its study file gives what it says.")))
    if "draw" not in results.sizes or not results.sizes["draw"]:
        raise InputError(f"{source or 'the dataset'} holds no draws; there is nothing to summarize.")
    provenance = provenance_in(results.attrs, source or "the dataset")
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


def provenance_in(attributes: Mapping[Any, Any], source: str) -> dict[str, Any]:
    """Read where results come from.

    Parameters
    ----------
    attributes : mapping
        Of a dataset, as `asmrisk.open_results` gives it; without ``provenance`` nothing is known.
    source : str
        Where the results are.

    Raises
    ------
    InputError
        If it is not what a run writes.
    """
    try:
        stated: dict[str, Any] = json.loads(attributes.get("provenance", "{}"))
        good = has_form(stated) and (not stated.get("uncertainty") or stated["draws_per_parameter_set"] >= 1)
    except (ValueError, TypeError, KeyError, RecursionError):
        good = False
    if not good:
        text = "the attribute provenance is not what a run wrote; give results as they were opened"
        raise InputError(text, where=source)
    return stated
