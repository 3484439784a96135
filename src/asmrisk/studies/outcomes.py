"""What a study looks at: metrics of `summarize`, each spread into single numbers per draw."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError, Problem, nearest, unknown
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS, PRACTICE_SIZES, SPECIALTIES
from asmrisk.scenario.toml_source import Source, show
from asmrisk.simulation.variables import QUANTILES

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Outcome", "outcome_draws", "read_outcomes"]

#: What each label can be. Specialties lie within one cohort, so that they name it too.
LABELS: dict[str, tuple[Any, ...]] = {
    "performance_year": PERFORMANCE_YEARS,
    "cohort": COHORTS,
    "specialty": SPECIALTIES,
    "practice_size": PRACTICE_SIZES,
    "quantile": QUANTILES,
}
_SHORT = {"year": "performance_year"}
_KEYS = ("metric", "by", "year", "cohort", "specialty", "practice_size", "quantile")


@dataclass(frozen=True)
class Outcome:
    """One number of each draw.

    Attributes
    ----------
    metric : str
        Name of a metric.
    labels : dict
        What it is of, by label; over the others it is added up or averaged, as the metric is declared.
    """

    metric: str
    labels: dict[str, Any]

    @property
    def name(self) -> str:
        """What it is called: the metric, then its labels.

        Examples
        --------
        >>> Outcome("penalized_share", {"performance_year": 2027, "practice_size": "solo"}).name
        'penalized_share 2027 solo'
        >>> Outcome("final_score_quantile", {"cohort": "heart_failure", "quantile": 0.05}).name
        'final_score_quantile heart_failure p05'
        """
        words = [
            f"p{round(100 * value):02d}" if label == "quantile" else str(value)
            for label, value in self.labels.items()
        ]
        return " ".join([self.metric, *words])

    @property
    def units(self) -> str:
        """Unit of the metric."""
        from asmrisk.analysis.metrics import METRICS

        return METRICS[self.metric].units


def read_outcomes(source: Source, problems: list[Problem]) -> list[Outcome]:
    """Read the key ``outcomes`` of a study.

    Parameters
    ----------
    source : Source
        The study's file.
    problems : list of Problem
        Everything that cannot be used is added.

    Returns
    -------
    list of Outcome
        In the order of the file, each once.
    """
    given = source.data.get("outcomes")
    if not isinstance(given, list) or not given:
        text = 'name what to look at, for example outcomes = ["medicare_savings"]'
        problems.append(source.problem(("outcomes",), text))
        return []
    found: dict[str, Outcome] = {}
    for number, each in enumerate(given, start=1):
        entry = {"metric": each} if isinstance(each, str) else each
        label = f"outcomes, entry {number}"
        for result in _outcomes(entry):
            if isinstance(result, Outcome):
                found[result.name] = result
            else:
                what = ": ".join(filter(None, (label, result.what)))
                problems.append(source.problem(("outcomes",), result, what))
    return list(found.values())


def _outcomes(entry: Any) -> Iterator[Outcome | Problem]:
    """Spread one entry into its outcomes; or give its problems."""
    from asmrisk.analysis.metrics import BY, METRICS, check_by, check_metric

    if not isinstance(entry, Mapping) or not isinstance(entry.get("metric"), str):
        example = '"medicare_savings" or {metric = "penalized_share", by = "year"}'
        yield Problem(f"{show(entry)} is not allowed; write {example}")
        return
    strange = [key for key in entry if key not in _KEYS]
    for key in strange:
        yield unknown(f"key {key}", key, _KEYS)
    name, by = entry["metric"], entry.get("by", [])
    words = [each.strip() for each in by.split(",")] if isinstance(by, str) else by
    if not isinstance(words, list) or not all(isinstance(each, str) for each in words):
        example = 'labels, for example by = "year,cohort"'
        yield Problem(f"{show(by)} is not allowed", what="by", allowed=example)
        return
    chosen: dict[str, tuple[Any, ...]] = {}
    for key in _KEYS[2:]:
        if key in entry:
            label = _SHORT.get(key, key)
            values = entry[key] if isinstance(entry[key], list) else [entry[key]]
            for value in values:
                if isinstance(value, bool) or value not in LABELS[label]:
                    names = tuple(map(str, LABELS[label]))
                    best = nearest(str(value), names)
                    text = f"{show(value)} is not allowed"
                    yield Problem(text, what=key, allowed=", ".join(names), nearest=best)
            chosen[label] = tuple(values)
    try:
        labels = check_by([*words, *(label for label in chosen if label != "quantile")])
        check_metric(name, labels)
    except InputError as error:
        named = {"by": "by", "metrics": ""}
        yield from (replace(each, what=named.get(each.argument, "")) for each in error.problems)
        return
    quantiles = name.endswith("_quantile")
    if "quantile" in chosen and not quantiles:
        others = ", ".join(each for each in METRICS if each.endswith("_quantile"))
        yield Problem(f"{name} has no quantiles; these have: {others}", what="quantile")
        return
    if {"cohort", "specialty"} <= set(labels):
        yield Problem("a specialty names its cohort; leave cohort out")
        return
    if strange or any(value not in LABELS[label] for label, values in chosen.items() for value in values):
        return
    order = [label for label in BY if label in labels] + (["quantile"] if quantiles else [])
    for values in itertools.product(*(chosen.get(label, LABELS[label]) for label in order)):
        yield Outcome(name, dict(zip(order, values, strict=True)))


def outcome_draws(results: xr.Dataset, outcomes: Sequence[Outcome]) -> NDArray[np.float64]:
    """Give the outcomes of each draw.

    Parameters
    ----------
    results : xarray.Dataset
        As `asmrisk.open_results` gives it.
    outcomes : sequence of Outcome
        Which.

    Returns
    -------
    ndarray of float64, shape (draws, outcomes)
        NaN where an outcome is not defined.
    """
    from asmrisk.analysis.metrics import metric_draws

    tables: dict[tuple[str, ...], xr.DataArray] = {}
    columns = []
    for outcome in outcomes:
        by = tuple(label for label in outcome.labels if label != "quantile")
        key = (outcome.metric, *by)
        if key not in tables:
            tables[key] = metric_draws(results, outcome.metric, by)
        columns.append(tables[key].sel(outcome.labels).values)
    return np.stack(columns, axis=1).astype(np.float64)
