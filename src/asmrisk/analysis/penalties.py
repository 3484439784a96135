"""How likely a roster's clinicians are to be hit hardest: by the maximum penalty, or three years in a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.digits import with_interval
from asmrisk.analysis.estimates import Sets, mean
from asmrisk.analysis.money_at_risk import IN_A_ROW, hit_by_maximum, penalized_in_a_row
from asmrisk.analysis.run_results import RunResults, definitions
from asmrisk.analysis.tail import probability
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.analysis.wording import year_words
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.layering import laid_over

__all__ = ["ESTIMATES", "Penalties", "risk_levels", "risk_levels_of"]

#: What is told of each probability and mean number: value, standard error, and the ends of a 95% interval, of
#: a probability that of `asmrisk.analysis.tail.probability`, of a mean number 1.96 standard errors to each
#: side.
ESTIMATES = ("value", "error", "low", "high")

_PARAMETER = "policy.risk_level"
_NORMAL_95 = 1.959963984540054
_Array = NDArray[np.float64]


def risk_levels(provenance: Mapping[str, Any], drawn: Mapping[str, _Array]) -> _Array:
    """Give the share of payments at risk by performance year, which is the largest penalty.

    Parameters
    ----------
    provenance : mapping
        Of the results.
    drawn : mapping of str to ndarray of float64, shape (draws,)
        Values of the parameters that are drawn, linked ones too, by name and as a store holds them: of a
        table the place among the values listed.

    Returns
    -------
    ndarray of float64, shape (1 or draws, years)
        Fractions.
    """
    parameter, blank = PARAMETERS[_PARAMETER], dict.fromkeys(PERFORMANCE_YEARS)
    held = stated = laid_over(parameter, blank, (), provenance["parameters"][_PARAMETER]["value"])
    unknowns = definitions(provenance["uncertainty"])
    for name in sorted(filter(_is_risk_level, drawn)):
        listed = unknowns[name].get("values", ())
        if any(isinstance(each, Mapping) for each in listed):
            tables = [laid_over(parameter, blank, (), each) for each in listed]
            places = drawn[name].astype(np.int64)
            held = {year: np.array([each[year] for each in tables])[places] for year in blank}
        else:
            held = laid_over(parameter, held, tuple(name.split(".")[2:]), drawn[name], stated)
    levels = np.broadcast_arrays(*(np.atleast_1d(held[year]) for year in PERFORMANCE_YEARS))
    return np.stack(levels, axis=1)


def risk_levels_of(run: RunResults) -> _Array | None:
    """Give `risk_levels` of a run; None where one is unknown and the values of the draws are not at hand."""
    names = list(filter(_is_risk_level, run.unknowns))
    drawn = run.drawn(names) if names else np.zeros((0, 0))
    return None if drawn is None else risk_levels(run.provenance, dict(zip(names, drawn.T, strict=True)))


def _is_risk_level(name: str) -> bool:
    """Whether an unknown's name is that of the share of payments at risk, or of a year's."""
    return f"{name}.".startswith(f"{_PARAMETER}.")


class Penalties:
    """Counts the roster's penalties draw by draw, some clinicians at a time.

    The largest penalty, `risk_level`, has the shape (1 or draws, years); `sets` are the numbers of the draws'
    parameter sets, or None.
    """

    def __init__(self, draws: int, years: int, risk_level: _Array, sets: Sets = None) -> None:
        self._risk = risk_level
        self._sets = sets
        # How many have it, by draw, and what is told of each clinician.
        self._numbers = {
            "maximum_penalty": np.zeros((draws, years)),
            "maximum_penalty_ever": np.zeros(draws),
            "three_penalties": np.zeros(draws),
        }
        self._parts: dict[str, list[_Array]] = {name: [] for name in self._numbers}

    def add(self, factor: _Array) -> None:
        """Take in the factors of some clinicians: (draws, years, clinicians), NaN where not measured."""
        most = hit_by_maximum(factor, self._risk)
        events = (most, most.any(axis=1), penalized_in_a_row(factor))
        for (name, numbers), event in zip(self._numbers.items(), events, strict=True):
            numbers += event.sum(axis=-1)
            told = np.where(np.isnan(factor), np.nan, event) if event is most else event
            self._parts[name].append(self._shares(told))

    def variables(self) -> dict[str, tuple[tuple[str, ...], _Array, dict[str, str]]]:
        """Give the estimates, as `asmrisk.clinicians` documents them."""
        found = {}
        fraction, count = {"units": "fraction"}, {"units": "count"}
        for name, numbers in self._numbers.items():
            dims = ("estimate", "performance_year")[: numbers.ndim]
            found[name] = ((*dims, "clinician"), np.concatenate(self._parts[name], axis=-1), fraction)
            found[f"roster_{name}"] = (dims, self._shares(numbers > 0.0), fraction)
            found[f"roster_{name}_count"] = (dims, self._means(numbers), count)
        return found

    def _shares(self, events: Any) -> _Array:
        found = probability(np.asarray(events, dtype=np.float64), sets=self._sets)
        return np.stack([found.value, found.error, found.low, found.high])

    def _means(self, numbers: _Array) -> _Array:
        found = mean(numbers, self._sets)
        wide = _NORMAL_95 * found.error
        return np.stack([found.value, found.error, np.maximum(found.value - wide, 0.0), found.value + wide])


def penalty_tables(found: xr.Dataset, clinicians: list[int]) -> list[Table]:
    """Show how many of the roster are hit hardest, and how likely those at the places `clinicians` are."""
    name = "roster_maximum_penalty"
    columns = []
    for part, scale in (("_count", 1.0), ("", 100.0)):
        whole = (found[f"{name}_ever{part}"], found[f"roster_three_penalties{part}"])
        rows = [*found[name + part].values.T, *(each.values for each in whole)]
        columns.append([_cell(row, scale) for row in rows])
    years = [year_words(int(year)) for year in found.performance_year.values]
    labels = [*years, "any year", f"{IN_A_ROW} penalties in a row"]
    heads = ["mean number", "at least one, %"]
    tables = [Table(labels, [Group("The roster's clinicians with the maximum penalty", heads, columns)])]
    if clinicians:
        ids = [str(found.clinician.values[place]) for place in clinicians]
        parts = ("maximum_penalty_ever", "three_penalties")
        columns = [[_cell(found[part].values[:, place], 100.0) for place in clinicians] for part in parts]
        heads = ["maximum penalty, any year", f"{IN_A_ROW} penalties in a row"]
        tables.append(Table(ids, [Group("Of the clinicians listed first, % of draws with", heads, columns)]))
    return tables


def _cell(row: _Array, scale: float) -> str:
    value, _, low, high = (row * scale).tolist()
    return with_interval(value, low, high, error=(high - low) / 2.0)
