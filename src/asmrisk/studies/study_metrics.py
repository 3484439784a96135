"""What a study looks at: metrics of `summarize`, each spread into single numbers per draw."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.metrics import BY, METRICS, check_by, check_metric, metric_values
from asmrisk.errors import InputError
from asmrisk.parameters.parameter import nearest
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS, PRACTICE_SIZES, SPECIALTIES
from asmrisk.scenario.toml_source import Source, show
from asmrisk.simulation.variables import QUANTILES

__all__ = ["StudyMetric", "metrics_by_draw", "read_metrics"]

#: What each label can be, in the order of the simulation's arrays. Specialties lie within one cohort, so that
#: they name it too.
LABELS: dict[str, tuple[Any, ...]] = {
    "performance_year": PERFORMANCE_YEARS,
    "cohort": COHORTS,
    "specialty": SPECIALTIES,
    "practice_size": PRACTICE_SIZES,
    "quantile": QUANTILES,
}
_KEYS = {"year": "performance_year"} | {label: label for label in list(LABELS)[1:]}


@dataclass(frozen=True)
class StudyMetric:
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
        >>> StudyMetric("penalized_share", {"performance_year": 2027, "practice_size": "solo"}).name
        'penalized_share 2027 solo'
        >>> StudyMetric("final_score_quantile", {"cohort": "heart_failure", "quantile": 0.05}).name
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
        return METRICS[self.metric].units


def read_metrics(source: Source, problems: list[str]) -> list[StudyMetric]:
    """Read the key ``outcomes`` of a study.

    Parameters
    ----------
    source : Source
        The study's file.
    problems : list of str
        A sentence is added for everything that cannot be used.

    Returns
    -------
    list of StudyMetric
        In the order of the file, each once.
    """
    given = source.data.get("outcomes")
    if not isinstance(given, list) or not given:
        text = 'name what to look at, for example outcomes = ["medicare_savings"]'
        problems.append(source.problem(("outcomes",), text))
        return []
    found: dict[str, StudyMetric] = {}
    for number, each in enumerate(given, start=1):
        entry = {"metric": each} if isinstance(each, str) else each
        wrong = list(_entry_problems(entry))
        label = f"outcomes, entry {number}"
        problems.extend(source.problem(("outcomes",), text, label) for text in wrong)
        found |= {} if wrong else {metric.name: metric for metric in _spread(entry)}
    return list(found.values())


def _entry_problems(entry: Any) -> Iterator[str]:
    """Say what is wrong with an entry of the list."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("metric"), str):
        example = '"medicare_savings" or {metric = "penalized_share", by = "year"}'
        yield f"{show(entry)} is not allowed; write {example}"
        return
    keys = ("metric", "by", *_KEYS)
    for key in (each for each in entry if each not in keys):
        best = nearest(key, keys)
        yield f"unknown key {key}; " + (f"did you mean {best}?" if best else f"allowed: {', '.join(keys)}")
    by = _by(entry)
    if not isinstance(by, list) or not all(isinstance(each, str) for each in by):
        yield f'by: {show(entry["by"])} is not allowed; allowed: labels, for example by = "year,cohort"'
        return
    for key, values in _chosen(entry).items():
        allowed = LABELS[_KEYS[key]]
        for value in values:
            if isinstance(value, bool) or value not in allowed:
                best = nearest(str(value), map(str, allowed))
                meant = f"; did you mean {best}?" if best else ""
                yield f"{key}: {show(value)} is not allowed; allowed: {', '.join(map(str, allowed))}{meant}"
    name = entry["metric"]
    try:
        labels = _labels(entry)
        check_metric(name, labels)
    except InputError as error:
        yield from error.problems
        return
    if "quantile" in entry and not name.endswith("_quantile"):
        others = ", ".join(each for each in METRICS if each.endswith("_quantile"))
        yield f"quantile: {name} has no quantiles; these have: {others}"
    if {"cohort", "specialty"} <= set(labels):
        yield "a specialty names its cohort; leave cohort out"


def _by(entry: Mapping[str, Any]) -> Any:
    """Give the labels under ``by`` as a list, which a text separates by commas."""
    by = entry.get("by", [])
    return [each.strip() for each in by.split(",")] if isinstance(by, str) else by


def _chosen(entry: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Give the values that an entry states of its labels, by its keys."""
    stated = {key: entry[key] for key in _KEYS if key in entry}
    return {key: each if isinstance(each, list) else [each] for key, each in stated.items()}


def _labels(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the labels that are told apart, whether all of their values or some."""
    return check_by([*_by(entry), *(_KEYS[key] for key in _chosen(entry) if key != "quantile")])


def _spread(entry: Mapping[str, Any]) -> Iterator[StudyMetric]:
    """Spread an entry that has no problems into one metric for each combination of values."""
    values = LABELS | {_KEYS[key]: tuple(each) for key, each in _chosen(entry).items()}
    labels = _labels(entry) + (("quantile",) if entry["metric"].endswith("_quantile") else ())
    for combination in itertools.product(*(values[label] for label in labels)):
        yield StudyMetric(entry["metric"], dict(zip(labels, combination, strict=True)))


def metrics_by_draw(
    arrays: Mapping[str, NDArray[Any]], dims: Mapping[str, tuple[str, ...]], metrics: Sequence[StudyMetric]
) -> NDArray[np.float64]:
    """Compute metrics from what was simulated, without labels.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The simulation's variables by path.
    dims : mapping of str to tuple of str
        Their dimensions, along which they have all of `LABELS`.
    metrics : sequence of StudyMetric
        Which.

    Returns
    -------
    ndarray of float64, shape (draws, metrics)
        NaN where a metric is not defined.
    """
    tables: dict[tuple[str, ...], NDArray[np.float64]] = {}
    columns = []
    for each in metrics:
        by = tuple(label for label in BY if label in each.labels)
        if (each.metric, *by) not in tables:
            metric = METRICS[each.metric]
            names = metric.variables(by)
            values, _ = metric_values(metric, [arrays[name] for name in names], dims[names[0]], by)
            tables[each.metric, *by] = values
        places: tuple[Any, ...] = tuple(LABELS[label].index(value) for label, value in each.labels.items())
        columns.append(tables[each.metric, *by][(slice(None), *places)])
    return np.stack(columns, axis=1)
