"""The analysis of a study: every parameter's effect on every outcome, as text, JSON, CSV or labeled data."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.estimates import mean
from asmrisk.errors import InputError
from asmrisk.scenario.toml_source import show
from asmrisk.studies import verdicts
from asmrisk.studies.effects import Effect, differences, level_effects
from asmrisk.studies.indices import ENOUGH_ROWS, Indices, Variance, grid_indices, sobol_indices
from asmrisk.studies.noise import CONFIDENCE, Estimate, resample
from asmrisk.studies.regression import regression
from asmrisk.studies.screening import morris_screening
from asmrisk.studies.text import write

if TYPE_CHECKING:
    from asmrisk.studies.study import Study

__all__ = ["Finding", "Sensitivity", "analyze"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """One estimate.

    Attributes
    ----------
    outcome, units : str
        What it is about.
    parameter : str
        Whose effect it is.
    value : str
        To which value of the parameter it belongs, as a file would write it; empty if to none.
    statistic : str
        ``difference`` from the base, ``main_effect`` of a level against the first, ``first`` or ``total``
        index, standardized ``coefficient``, ``mu``, ``mu_star`` or ``sigma`` of Morris.
    estimate, error, low, high : float
        With standard error and 95% interval.
    verdict : str
        What it says, in words.
    """

    outcome: str
    units: str
    parameter: str
    value: str
    statistic: str
    estimate: float
    error: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class Sensitivity:
    """What a study found.

    Attributes
    ----------
    dataset : xarray.Dataset
        By design point: one variable for each parameter, and by outcome too the mean over draws, its standard
        error, and the difference from the base scenario (point 0) with its paired error and interval. By
        outcome: the variance over the design without noise, the noise's part, and for a regression the share
        explained. By parameter (or by effect, where there is one for each value) and outcome: each statistic
        with ``_error``, ``_low``, ``_high`` and ``_verdict``.
    findings : tuple of Finding
        The same statistics one by one, the most important parameter first within each outcome.
    title, source, method : str
        Of the study; where its results are.
    points, draws, seed : int
        Design points, draws of each, and the seed.
    remarks : tuple of str
        What else a reader must know.
    """

    dataset: xr.Dataset
    findings: tuple[Finding, ...]
    title: str
    source: str
    method: str
    points: int
    draws: int
    seed: int
    remarks: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        """Give the findings as one long table, all digits."""
        return pd.DataFrame([asdict(each) for each in self.findings])

    def to_csv(self) -> str:
        """Give `table` as CSV text."""
        return self.table().to_csv(index=False, lineterminator="\n")

    def to_json(self) -> str:
        """Give the analysis as JSON text with all digits; what is not defined is null."""
        rows = [
            {
                key: None if isinstance(value, float) and not math.isfinite(value) else value
                for key, value in asdict(each).items()
            }
            for each in self.findings
        ]
        head = {
            "title": self.title,
            "results": self.source,
            "method": self.method,
            "design_points": self.points,
            "draws": self.draws,
            "seed": self.seed,
            "confidence": CONFIDENCE,
            "remarks": list(self.remarks),
        }
        return json.dumps(head | {"findings": rows}, indent=1, allow_nan=False)

    def to_text(self) -> str:
        """Write the findings for a terminal, to the digits that the errors support."""
        return write(self)


_Rows = Iterator[tuple[str, str, str, float, float, float, float, str]]


def analyze(study: Study, results: xr.Dataset, source: str = "") -> Sensitivity:
    """Analyze the outcomes of a study's design points.

    Parameters
    ----------
    study : Study
        What was computed.
    results : xarray.Dataset
        As `asmrisk.open_results` gives the study's store: ``outcome_value`` by design point, draw and
        outcome.
    source : str
        Where it is.

    Returns
    -------
    Sensitivity
        By the method of the study's design. A draw in which an outcome is not defined at some design point
        counts at none, for that outcome.

    Raises
    ------
    InputError
        If the results are not those of the study.
    """
    if "outcome_value" not in results or results.sizes["design_point"] < study.points:
        raise InputError(f"{source or 'the dataset'} does not hold the design points of this study.")
    values = np.asarray(results["outcome_value"][: study.points].values, dtype=np.float64)
    findings: list[Finding] = []
    points: dict[str, list[_Array]] = {}
    extras: dict[str, list[float]] = {}
    remarks: list[str] = []
    for index, outcome in enumerate(study.outcomes):
        y = values[:, :, index]
        kept = ~np.isnan(y).any(axis=0)
        if not kept.all():
            remarks.append(
                f"{outcome.name}: {int((~kept).sum())} draws are left out, in which it is not defined."
            )
        y = y[:, kept]
        center, change = mean(y.T), differences(y) if kept.any() else _nothing(len(y))
        for name, column in (
            ("mean", center.value),
            ("mean_error", center.error),
            ("difference", change.value),
            ("difference_error", change.error),
            ("difference_low", change.low),
            ("difference_high", change.high),
        ):
            points.setdefault(name, []).append(column)
        if kept.sum() < 2:
            continue
        rows, extra = _ANALYSES[study.design.method](study, y)
        for name, number in extra.items():
            extras.setdefault(name, []).append(number)
        findings += [Finding(outcome.name, outcome.units, *row) for row in _sorted(list(rows))]
    if study.design.method == "sobol" and study.design.settings["samples"] < ENOUGH_ROWS:
        remarks.append(
            f"With fewer than {ENOUGH_ROWS} samples the errors of indices may be larger than stated."
        )
    for factor in study.factors:
        if others := [each.name for each in factor.variations[1:]]:
            remarks.append(f"{factor.name} moves together with {', '.join(others)}.")
    if study.design.words:
        shown = "; ".join(study.design.words[:6]) + ("; …" if len(study.design.words) > 6 else "")
        remarks.append(
            f"Resolution {_resolution(study)}. Each of these products of parameters is constant over the "
            f"fraction, so that the effect of a part of it is confounded with that of the rest: {shown}."
        )
    return Sensitivity(
        dataset=_dataset(study, points, extras, findings, source),
        findings=tuple(findings),
        title=study.title,
        source=source,
        method=study.design.method,
        points=study.points,
        draws=study.draws,
        seed=int(study.scenario.values["run.seed"]),
        remarks=tuple(remarks),
    )


def _shown(value: Any) -> str:
    return show(value, 44)


def _nothing(points: int) -> Effect:
    none = np.full(points, np.nan)
    return Effect(none, none, none, none)


def _resolution(study: Study) -> str:
    shortest = min(word.count(" × ") + 1 for word in study.design.words)
    return {3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII"}.get(shortest, str(shortest))


def _sorted(rows: list[tuple[str, str, str, float, float, float, float, str]]) -> list[Any]:
    """Put the parameter with the largest estimate first: by total index, size, or effect."""
    leading = [each for each in ("total", "mu_star") if any(row[2] == each for row in rows)]
    sizes: dict[str, float] = {}
    for parameter, _, statistic, estimate, *_ in rows:
        if not leading or statistic == leading[0]:
            size = -math.inf if math.isnan(estimate) else abs(estimate)
            sizes[parameter] = max(size, sizes.get(parameter, -math.inf))
    return sorted(rows, key=lambda row: -sizes[row[0]])


# --- One for each method ------------------------------------------------------------------------------------

_Analysis = tuple[_Rows, dict[str, float]]


def _one_at_a_time(study: Study, y: _Array) -> _Analysis:
    return _effects(study, differences(y), "difference"), {}


def _effects(study: Study, effect: Effect, statistic: str) -> _Rows:
    for index, factor in enumerate(study.factors):
        column = study.column(index)
        for point in np.flatnonzero(~np.isnan(study.design.coordinates[:, index])).tolist():
            numbers = _of(effect, point)
            yield factor.name, _shown(column[point]), statistic, *numbers, verdicts.of_effect(*numbers)


def _of(effect: Effect, place: int) -> tuple[float, float, float, float]:
    value, error, low, high = (float(part[place]) for part in effect)
    return value, error, low, high


def _levels(study: Study, y: _Array, matched: bool) -> _Rows:
    coordinates = study.design.coordinates[1:]
    for index, factor in enumerate(study.factors):
        levels = coordinates[:, index].astype(np.int64)
        effect = level_effects(y[1:], levels, matched)
        for level in range(1, factor.levels):
            value = factor.at_level(level)[factor.name]
            numbers = _of(effect, level - 1)
            yield factor.name, _shown(value), "main_effect", *numbers, verdicts.of_effect(*numbers)


def _fractional(study: Study, y: _Array) -> _Analysis:
    return _levels(study, y, matched=False), {}


def _grid(study: Study, y: _Array) -> _Analysis:
    indices = grid_indices(y[1:], tuple(factor.levels for factor in study.factors), resample(y.shape[1]))
    shares = list(_shares(study, indices))
    return iter([*shares, *_levels(study, y, matched=True)]), _variance(indices.variance)


def _sobol(study: Study, y: _Array) -> _Analysis:
    count = len(study.factors)
    rows = (study.points - 1) // (count + 2)
    varied = []
    for index in range(count):
        values = study.column(index)[1:]
        varied.append(values[:: count + 2] != values[index + 1 :: count + 2])
    indices = sobol_indices(y[1:], count, resample(y.shape[1], rows), np.array(varied))
    return _shares(study, indices), _variance(indices.variance)


def _variance(found: Variance) -> dict[str, float]:
    return {
        "variance": found.value,
        "variance_error": found.error,
        "variance_low": found.low,
        "noise_variance": found.noise,
    }


def _numbers(share: Estimate) -> tuple[float, float, float, float]:
    return share.value, share.error, share.value - share.reach, share.value + share.reach


def _shares(study: Study, indices: Indices) -> _Rows:
    for factor, first, total in zip(study.factors, indices.first, indices.total, strict=True):
        for name, share in (("first", first), ("total", total)):
            numbers = _numbers(share)
            yield factor.name, "", name, *numbers, verdicts.of_share(*numbers)


def _latin_hypercube(study: Study, y: _Array) -> _Analysis:
    columns: list[_Array] = []
    names: list[tuple[str, str]] = []
    for index, factor in enumerate(study.factors):
        values = study.column(index)[1:]
        if factor.numeric:
            columns.append(np.array(values, dtype=np.float64))
            names.append((factor.name, ""))
            continue
        # Words and tables have no scale: each value is compared with the first.
        for value in factor.variations[0].values[1:]:
            columns.append(np.array([each == value and type(each) is type(value) for each in values], float))
            names.append((factor.name, _shown(value)))
    x = np.stack(columns, axis=1)
    if len(y) - 1 <= x.shape[1] + 1 or (x == x[0]).all(axis=0).any():
        raise InputError(
            f"{len(y) - 1} samples are too few for {x.shape[1]} coefficients; ask for more samples."
        )
    found = regression(x, y[1:], resample(y.shape[1], len(y) - 1))

    def rows() -> _Rows:
        for (name, value), share in zip(names, found.coefficients, strict=True):
            numbers = _numbers(share)
            yield name, value, "coefficient", *numbers, verdicts.of_effect(*numbers)

    explained = {"explained": found.explained.value, "explained_error": found.explained.error}
    return rows(), _variance(found.variance) | explained


def _morris(study: Study, y: _Array) -> _Analysis:
    x = study.design.coordinates[1:]
    trajectories = len(x) // (len(study.factors) + 1)
    weights = resample(y.shape[1], trajectories)
    found = morris_screening(x, y[1:], weights)

    def rows() -> _Rows:
        for index, factor in enumerate(study.factors):
            size, effect = _numbers(found.mu_star[index]), _numbers(found.mu[index])
            yield factor.name, "", "mu_star", *size, verdicts.of_size(*size)
            yield factor.name, "", "mu", *effect, verdicts.of_effect(*effect)
            value, low, high = found.sigma[:, index].tolist()
            # Of an interval that is not symmetric: about four standard errors wide.
            spread = value, (high - low) / 4.0, low, high
            yield factor.name, "", "sigma", *spread, verdicts.of_size(*spread)

    return rows(), {}


_ANALYSES = {
    "one_at_a_time": _one_at_a_time,
    "grid": _grid,
    "fractional": _fractional,
    "latin_hypercube": _latin_hypercube,
    "sobol": _sobol,
    "morris": _morris,
}


# --- As labeled data ----------------------------------------------------------------------------------------


def _dataset(
    study: Study,
    points: dict[str, list[_Array]],
    extras: dict[str, list[float]],
    findings: Sequence[Finding],
    source: str,
) -> xr.Dataset:
    outcomes = [each.name for each in study.outcomes]
    dataset = xr.Dataset(
        coords={
            "design_point": np.arange(study.points),
            "outcome": np.array(outcomes, dtype=object),
            "units": ("outcome", np.array([each.units for each in study.outcomes], dtype=object)),
            "parameter": np.array([each.name for each in study.factors], dtype=object),
        },
        attrs={"title": study.title, "method": study.design.method, "draws": study.draws, "source": source},
    )
    for index, factor in enumerate(study.factors):
        column = study.column(index)
        plain = all(isinstance(each, int | float) and not isinstance(each, bool) for each in column)
        values = np.array(column, dtype=float) if plain else np.array([show(each) for each in column], object)
        unit = study.scenario.values.parameters[".".join(factor.name.split(".")[:2])].unit
        dataset[factor.name] = ("design_point", values, {"units": unit})
    for name, columns in points.items():
        dataset[name] = (("design_point", "outcome"), np.stack(columns, axis=1))
    _add_verdicts(dataset)
    for name, numbers in extras.items():
        if len(numbers) == len(outcomes):
            dataset[name] = ("outcome", np.array(numbers))
    for statistic in dict.fromkeys(each.statistic for each in findings):
        if statistic == "difference":  # By design point already.
            continue
        some = [each for each in findings if each.statistic == statistic]
        by_value = any(each.value for each in some)
        keys = list(dict.fromkeys((each.parameter, each.value) for each in some))
        dim = f"{statistic}_of" if by_value else "parameter"
        labels = (
            [name if not value else f"{name} = {value}" for name, value in keys]
            if by_value
            else list(dataset.parameter.values)
        )
        dataset = dataset.assign_coords({dim: np.array(labels, dtype=object)})
        shape = (len(labels), len(outcomes))
        cells = {part: np.full(shape, np.nan) for part in ("estimate", "error", "low", "high")}
        words = np.full(shape, "", dtype=object)
        for each in some:
            label = each.parameter if not (by_value and each.value) else f"{each.parameter} = {each.value}"
            place = labels.index(label), outcomes.index(each.outcome)
            for part, array in cells.items():
                array[place] = getattr(each, part)
            words[place] = each.verdict
        for part, array in cells.items():
            name = statistic if part == "estimate" else f"{statistic}_{part}"
            dataset[name] = ((dim, "outcome"), array)
        dataset[f"{statistic}_verdict"] = ((dim, "outcome"), words)
    return dataset


def _add_verdicts(dataset: xr.Dataset) -> None:
    names = ("difference", "difference_error", "difference_low", "difference_high")
    arrays = [dataset[name].values for name in names]
    words = np.full(arrays[0].shape, "", dtype=object)
    for place in np.ndindex(words.shape):
        words[place] = verdicts.of_effect(*(float(array[place]) for array in arrays))
    words[0] = "the base scenario"
    dataset["difference_verdict"] = (("design_point", "outcome"), words)
