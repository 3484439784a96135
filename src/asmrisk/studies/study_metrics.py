"""What a study looks at: metrics of `summarize`, each spread into single numbers per draw."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.metrics import BY, METRICS, check_by, check_metric, metric_values, names_in
from asmrisk.analysis.roster_metrics import Practices, held_by, practices_of, prices, roster_values
from asmrisk.errors import InputError, Problem, nearest, unknown
from asmrisk.population.preparation import PreparedScenario
from asmrisk.population.roster import read_roster
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS, PRACTICE_SIZES, SPECIALTIES
from asmrisk.scenario.scenario import Scenario
from asmrisk.scenario.toml_source import Source, show
from asmrisk.simulation.parameter_draws import parameter_names
from asmrisk.simulation.variables import QUANTILES

__all__ = ["OwnClinicians", "StudyMetric", "metrics_by_draw", "read_metrics", "roster_names"]

#: What each label can be, in the order of the simulation's arrays. Specialties lie within one cohort, so that
#: they name it too.
LABELS: dict[str, tuple[Any, ...]] = {
    "performance_year": PERFORMANCE_YEARS,
    "cohort": COHORTS,
    "specialty": SPECIALTIES,
    "practice_size": PRACTICE_SIZES,
    "quantile": QUANTILES,
}
#: Labels of a roster's metrics, whose values the roster has.
_WHO = ("practice", "clinician")
_KEYS = {"year": "performance_year"} | {label: label for label in list(LABELS)[1:]}

#: What labels can be, by name.
_Values = Mapping[str, tuple[Any, ...]]


class OwnClinicians(NamedTuple):
    """What metrics of a design point's roster are made with."""

    ids: tuple[str, ...]  #: of the clinicians
    practices: Practices  #: theirs
    prices: NDArray[np.float64]  #: as `asmrisk.analysis.roster_metrics.prices` gives it

    @classmethod
    def of(cls, point: PreparedScenario, arrays: Mapping[str, NDArray[Any]]) -> OwnClinicians:
        """Make them of a design point with a roster, and what was simulated."""
        scenario, roster = point.scenario, point.roster
        if roster is None:
            raise ValueError("the scenario has no roster")
        name, names = "population.deflator", parameter_names(scenario)
        deflator: Any = scenario.values[name]
        if name in names:
            deflator = arrays["parameters/parameter_value"][:, names.index(name)]
        stated = scenario.values["population.dollar_year"]
        return cls(
            tuple(map(str, roster.ids)),
            practices_of(roster.practice_ids, roster.billing_practice_ids),
            prices(deflator, stated, PERFORMANCE_YEARS),
        )


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


def roster_names(scenario: Scenario | None) -> dict[str, tuple[str, ...]]:
    """Name a scenario's own practices and clinicians; nothing without a roster, or if it cannot be read."""
    if scenario is None or scenario.roster is None:
        return {}
    try:
        roster = read_roster(scenario.roster, values=scenario.values)
    except InputError:  # It is said of the design points.
        return {}
    practices = practices_of(roster.practice_ids, roster.billing_practice_ids)
    return {"practice": tuple(map(str, practices.names)), "clinician": tuple(map(str, roster.ids))}


def read_metrics(
    source: Source, problems: list[Problem], scenario: Scenario | None = None
) -> list[StudyMetric]:
    """Read the key ``outcomes`` of a study.

    Parameters
    ----------
    source : Source
        The study's file.
    problems : list of Problem
        Everything that cannot be used is added.
    scenario : Scenario, optional
        The base, whose roster says whose metrics there are.

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
    values = LABELS | roster_names(scenario)
    for number, each in enumerate(given, start=1):
        entry = {"metric": each} if isinstance(each, str) else each
        wrong = list(_entry_problems(entry, values))
        for problem in wrong:
            what = ": ".join(filter(None, (f"outcomes, entry {number}", problem.what)))
            problems.append(source.problem(("outcomes",), problem, what))
        found |= {} if wrong else {metric.name: metric for metric in _spread(entry, values)}
    return list(found.values())


def _entry_problems(entry: Any, known: _Values) -> Iterator[Problem]:
    """Say what is wrong with an entry of the list."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("metric"), str):
        example = '"medicare_savings" or {metric = "penalized_share", by = "year"}'
        yield Problem(f"{show(entry)} is not allowed; write {example}")
        return
    keys = ("metric", "by", *_KEYS, *_WHO)
    for key in (each for each in entry if each not in keys):
        yield unknown(f"key {key}", key, keys)
    by = _by(entry)
    if not isinstance(by, list) or not all(isinstance(each, str) for each in by):
        example = 'labels, for example by = "year,cohort"'
        yield Problem(f"{show(entry['by'])} is not allowed", what="by", allowed=example)
        return
    name = entry["metric"]
    of = METRICS[name].of if name in METRICS else ""
    if of and "clinician" not in known:
        yield Problem(f"{name} needs a scenario with a roster; under [population], roster = names its table")
        return
    for key in (each for each in _WHO if each in entry and each != of):
        yield Problem(f"{name} is not of each {key}; {key}_net_adjustment is", what=key)
        return
    for key, values in _chosen(entry).items():
        names = tuple(map(str, known[_KEYS.get(key, key)]))
        for value in values:
            if isinstance(value, bool) or value not in known[_KEYS.get(key, key)]:
                text, best = f"{show(value)} is not allowed", nearest(str(value), names)
                yield Problem(text, what=key, allowed=", ".join(names), nearest=best)
    try:
        labels = _labels(entry)
        check_metric(name, labels)
    except InputError as error:
        yield from (replace(each, what="by" if each.argument == "by" else "") for each in error.problems)
        return
    if "quantile" in entry and not name.endswith("_quantile"):
        others = ", ".join(each for each in METRICS if each.endswith("_quantile"))
        yield Problem(f"{name} has no quantiles; these have: {others}", what="quantile")
    if {"cohort", "specialty"} <= set(labels):
        yield Problem("a specialty names its cohort; leave cohort out")


def _by(entry: Mapping[str, Any]) -> Any:
    """Give the labels under ``by`` as a list, which a text separates by commas."""
    by = entry.get("by", [])
    return names_in(by, "by") if isinstance(by, str) else by


def _chosen(entry: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Give the values that an entry states of its labels, by its keys."""
    stated = {key: entry[key] for key in (*_KEYS, *_WHO) if key in entry}
    return {key: each if isinstance(each, list) else [each] for key, each in stated.items()}


def _labels(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the labels that are told apart, whether all of their values or some."""
    further = (_KEYS[key] for key in _chosen(entry) if key != "quantile" and key not in _WHO)
    return check_by([*_by(entry), *further])


def _spread(entry: Mapping[str, Any], known: _Values) -> Iterator[StudyMetric]:
    """Spread an entry that has no problems into one metric for each combination of values."""
    values = dict(known) | {_KEYS.get(key, key): tuple(each) for key, each in _chosen(entry).items()}
    labels = _labels(entry) + (("quantile",) if entry["metric"].endswith("_quantile") else ())
    labels += tuple(each for each in _WHO if each == METRICS[entry["metric"]].of)
    for combination in itertools.product(*(values[label] for label in labels)):
        yield StudyMetric(entry["metric"], dict(zip(labels, combination, strict=True)))


def metrics_by_draw(
    arrays: Mapping[str, NDArray[Any]],
    dims: Mapping[str, tuple[str, ...]],
    metrics: Sequence[StudyMetric],
    own: OwnClinicians | None = None,
) -> NDArray[np.float64]:
    """Compute metrics from what was simulated, without labels.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The simulation's variables by path.
    dims : mapping of str to tuple of str
        Their dimensions, along which they have all of `LABELS`; not needed for a roster's.
    metrics : sequence of StudyMetric
        Which.
    own : OwnClinicians, optional
        Needed for metrics of a roster.

    Returns
    -------
    ndarray of float64, shape (draws, metrics)
        NaN where a metric is not defined.
    """
    tables: dict[tuple[str, ...], NDArray[np.float64]] = {}
    known: dict[str, Sequence[Any]] = dict(LABELS)
    if own is not None:
        known |= {"practice": own.practices.names.tolist(), "clinician": own.ids}
    columns = []
    for each in metrics:
        by = tuple(label for label in BY if label in each.labels)
        if (each.metric, *by) not in tables:
            metric = METRICS[each.metric]
            if metric.of and own is not None:
                held = {name: arrays[f"clinician/{name}"] for name in held_by(metric)}
                values = roster_values(metric, held, own.practices, own.prices, by_year=bool(by))
            else:
                names = metric.variables(by)
                values, _ = metric_values(
                    metric, [arrays[name] for name in names], [dims[name] for name in names], by
                )
            tables[each.metric, *by] = values
        places: tuple[Any, ...] = tuple(known[label].index(value) for label, value in each.labels.items())
        columns.append(tables[each.metric, *by][(slice(None), *places)])
    return np.stack(columns, axis=1)
