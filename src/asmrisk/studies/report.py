"""The analysis of a study: every parameter's effect on every outcome."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.estimates import CONFIDENCE, mean
from asmrisk.analysis.metrics import SPECIALTY_NOTE
from asmrisk.analysis.report import Report, Section
from asmrisk.analysis.statistics import Row, fixed_words, scale_of
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.errors import InputError
from asmrisk.rule.definitions import VINTAGES
from asmrisk.scenario.toml_source import show
from asmrisk.studies.designs import METHODS
from asmrisk.studies.effects import Effect, differences
from asmrisk.studies.findings import STATISTICS, Finding, findings_of
from asmrisk.studies.indices import ENOUGH_ROWS
from asmrisk.studies.verdicts import INDISTINGUISHABLE, of_effect

if TYPE_CHECKING:
    from asmrisk.studies.study import Study
    from asmrisk.studies.study_metrics import StudyMetric

__all__ = ["HELD", "analyze", "rounded_up"]

_Array = NDArray[np.float64]

#: What is told of each design point.
_POINT_STATISTICS = (
    *("mean", "mean_error"),
    *("difference", "difference_error", "difference_low", "difference_high"),
)
#: Factors of a group that are named in print; the facts of a report have all.
_MOST_NAMES = 6
_SHARES, _SIZES = ("first", "total"), ("mu_star", "sigma", "fall")
#: What errors hold, in words.
HELD = {"chance": "chance alone", "chance_and_doubt": "chance and the unknowns that are no factors"}
#: Statistics that stand in one table, and the one whose verdict is told: the widest claim.
_TABLES = (
    (("first", "total", "fall"), "total"),
    (("mu_star", "mu", "sigma"), "mu_star"),
    *(((each,), each) for each in ("difference", "main_effect", "coefficient")),
)


def analyze(study: Study, results: xr.Dataset, source: str = "") -> Report:
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
    Report
        By the method of the study's design: a row for each `asmrisk.studies.findings.Finding`, the most
        important parameter first within each outcome. A draw in which an outcome is not defined at some
        design point counts at none, for that outcome. Errors take parameter sets as independent, not draws.

        The dataset has by design point one variable for each parameter, and by outcome too the mean over
        draws, its standard error, and the difference from the base scenario (point 0) with its paired error
        and interval. By outcome: the variance over the design without noise, the noise's part, and for a
        regression the share explained; of a study by groups the variance of one draw's outcome. By parameter
        (by effect, where there is one for each value, or by group) and outcome: each statistic with
        ``_error``, ``_low``, ``_high`` and ``_verdict``.

    Raises
    ------
    InputError
        If the results are not those of the study.
    """
    if "outcome_value" not in results or results.sizes["design_point"] < study.points:
        raise InputError(f"{source or 'the dataset'} does not hold the design points of this study.")
    values = np.asarray(results["outcome_value"][: study.points].values, dtype=np.float64)
    numbers = results["draw"].values // study.draws_per_set
    findings: list[tuple[StudyMetric, list[Finding]]] = []
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
        y, sets = y[:, kept], None if study.draws_per_set == 1 else numbers[kept]
        change = differences(y, sets) if kept.any() else Effect(*np.full((4, len(y)), np.nan))
        columns = zip(_POINT_STATISTICS, (*mean(y.T, sets=sets)[:2], *change), strict=True)
        for name, column in columns:
            points.setdefault(name, []).append(column)
        if len(np.unique(numbers[kept])) < 2:
            continue
        found, extra = findings_of(study, y, sets)
        for name, size in extra.items():
            extras.setdefault(name, []).append(size)
        findings.append((outcome, found))
    rows = [_row(outcome, each) for outcome, found in findings for each in found]
    remarks += _remarks(study)
    dataset = _dataset(study, points, extras, rows, source)
    sections = [_section(dataset, outcome, found) for outcome, found in findings]
    sections += [Section(notes=tuple(remarks))] if remarks else []
    sections += [Section((f"Results: {source}",))] if source else []
    seed = int(study.scenario.values["run.seed"])
    rule = VINTAGES[study.scenario.values["policy.vintage"]]
    return Report(
        dataset=dataset,
        facts={
            "title": _title(study),
            "results": source,
            "method": study.design.method,
            "design_points": study.points,
            "draws": study.draws,
            "draws_per_parameter_set": study.draws_per_set,
            "seed": seed,
            "rule": rule,
            "confidence": CONFIDENCE,
            "range_holds": study.holds,
            "dollar_year": int(study.scenario.values["population.dollar_year"]),
            "fixed": list(study.scenario.fixed),
            **({"groups": study.groups} if study.groups else {}),
            "remarks": remarks,
        },
        head=(
            f"{_title(study)}: {METHODS[study.design.method].title}, {study.points:,} design points of "
            f"{_draws(study)}, seed {seed}",
            f"Rule: {rule}.",
            *fixed_words(study.scenario.fixed),
            f"Estimate ± standard error, which holds {HELD[study.holds]}.",
            "Verdicts are by 95% intervals, each for itself: of twenty that are truly zero, one may seem not "
            "to be.",
        ),
        sections=tuple(sections),
        tables={"findings": rows},
    )


def _title(study: Study) -> str:
    return f"{study.title} (mixture of readings)" if study.mixture else study.title


def _draws(study: Study) -> str:
    if study.holds == "chance":
        return f"{study.draws:,} draws"
    sets = -(-study.draws // study.draws_per_set)
    return f"{study.draws:,} draws in {sets:,} parameter sets of {study.draws_per_set:,}"


def _row(outcome: StudyMetric, finding: Finding) -> Row:
    named = {"outcome": outcome.name, "units": outcome.units}
    return named | finding._asdict() | {"verdict": str(finding.verdict)}


def _remarks(study: Study) -> list[str]:
    """Say what else a reader must know of the design."""
    design = study.design
    remarks = []
    if design.method == "sobol" and design.settings["samples"] < ENOUGH_ROWS:
        remarks.append(
            f"With fewer than {ENOUGH_ROWS} samples the errors of indices may be larger than stated."
        )
    if any("specialty" in each.labels for each in study.outcomes):
        remarks.append(SPECIALTY_NOTE)
    if doubts := study.scenario.uncertainty:
        remarks.append(f"Drawn alike at every design point, since no factors: {', '.join(doubts)}.")
    for group, names in study.groups.items():
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        remarks.append(f"Group {group}: {', '.join(names[:_MOST_NAMES])}{more}.")
    if study.correlations:
        remarks.append(f"Correlated: {'; '.join(map(str, study.correlations))}.")
    for factor in study.factors:
        if others := factor.unknown.names[1:]:
            remarks.append(f"{factor.name} moves together with {', '.join(others)}.")
    if design.words:
        shown = "; ".join(design.words[:6]) + ("; …" if len(design.words) > 6 else "")
        shortest = min(word.count(" × ") + 1 for word in design.words)
        resolution = {3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII"}.get(shortest, str(shortest))
        remarks.append(
            f"Resolution {resolution}. Each of these products of parameters is constant over the "
            f"fraction, so that the effect of a part of it is confounded with that of the rest: {shown}."
        )
    return remarks


# --- For a reader -------------------------------------------------------------------------------------------


def _section(dataset: xr.Dataset, outcome: StudyMetric, findings: Sequence[Finding]) -> Section:
    """Show the findings about one outcome."""
    base = dataset.sel(outcome=outcome.name).isel(design_point=0)
    center, error = float(base["mean"]), float(base["mean_error"])
    scale, units = scale_of(outcome.units, abs(center))
    words = [f"{outcome.name}{units}: {with_error(center * scale, error * scale)} in the base scenario"]
    tables = []
    for statistics, judged in _TABLES:
        if some := [each for each in findings if each.statistic in statistics]:
            tables.append(_table(some, statistics, judged, scale))
    return Section((*words, *_spread(base, scale, units)), tuple(tables))


def _spread(here: xr.Dataset, scale: float, units: str) -> list[str]:
    """Say what is split; how much of what points differ by is noise, and what a regression explains."""
    if "variance" not in here:
        return []
    if "noise_variance" not in here:
        variance, error = float(here["variance"]), float(here["variance_error"])
        if not variance > 0.0:
            return ["The same in every draw at every design point."]
        sd = math.sqrt(variance)
        size = with_error(sd * scale, error / (2.0 * sd) * scale)
        return [f"SD of one draw's outcome{units}: {size}. Shares are of its square, chance included."]
    variance, noise = float(here["variance"]), float(here["noise_variance"])
    whole = variance + noise
    if not whole > 0.0:
        return ["The same at every design point."]
    if not here["variance_low"] > 0.0:
        text = "Variance between design points is not distinguishable from Monte Carlo noise"
        return [f"{text}: nothing can be told from it. More draws or samples may tell."]
    share = min(max(noise / whole, 0.0), 1.0)
    percent = "less than 0.1%" if share < 0.001 else f"{100 * share:.1f}%" if share < 0.1 else f"{share:.0%}"
    lines = [f"Monte Carlo noise made {percent} of the variance between design points; it is taken out."]
    if "explained" in here and not math.isnan(float(here["explained"])):
        explained, error = float(here["explained"]), float(here["explained_error"])
        lines.append(f"The linear model explains {with_error(100 * explained, 100 * error)}% of the rest.")
    return lines


def _table(findings: Sequence[Finding], statistics: Sequence[str], judged: str, scale: float) -> Table:
    cells = {each[:3]: each for each in findings}
    keys = list(dict.fromkeys(key[:2] for key in cells))
    heads, columns = [], []
    for name in (each for each in statistics if any(key[2] == each for key in cells)):
        display = STATISTICS[name]
        heads.append(display.head)
        factor = scale_of(display.units)[0] if display.units else scale
        columns.append([_cell(cells[*key, name], factor) for key in keys])
    # Bounds stand in the columns already.
    verdicts = [cells[*key, judged].verdict.kind for key in keys]
    return Table([_label(*key) for key in keys], [Group("", heads, columns)], verdicts)


def _label(parameter: str, value: str) -> str:
    return f"{parameter} = {value}" if value else parameter


def _cell(finding: Finding, scale: float) -> str:
    share = finding.statistic in _SHARES
    if (share or finding.statistic in _SIZES) and finding.verdict.kind == INDISTINGUISHABLE:
        # A small or negative number would be taken for a finding.
        return f"at most {rounded_up((min(finding.high, 1.0) if share else finding.high) * scale)}"
    if math.isnan(finding.estimate):
        return "n/a"
    return with_error(finding.estimate * scale, finding.error * scale)


def rounded_up(value: float) -> str:
    """Write a bound with two digits, and at most two places."""
    places = min(2, 1 - math.floor(math.log10(value))) if value > 0.0 else 0
    step = 10.0**-places
    return number(max(math.ceil(value / step - 1e-9), 1) * step, step * 10.0)


# --- As labeled data ----------------------------------------------------------------------------------------


def _dataset(
    study: Study,
    points: dict[str, list[_Array]],
    extras: dict[str, list[float]],
    rows: Sequence[Row],
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
        attrs={
            "title": _title(study),
            "method": study.design.method,
            "draws": study.draws,
            "draws_per_parameter_set": study.draws_per_set,
            "range_holds": study.holds,
            "source": source,
        },
    )
    for index, factor in enumerate(study.factors):
        column = study.column(index)
        plain = all(isinstance(each, int | float) and not isinstance(each, bool) for each in column)
        values = np.array(column, dtype=float) if plain else np.array([show(each) for each in column], object)
        unit = study.scenario.values.parameters[".".join(factor.name.split(".")[:2])].unit
        dataset[factor.name] = ("design_point", values, {"units": unit})
    for name, columns in points.items():
        dataset[name] = (("design_point", "outcome"), np.stack(columns, axis=1))
    effects = np.stack(
        [dataset[f"difference{part}"].values for part in ("", "_error", "_low", "_high")], axis=-1
    )
    words = [[of_effect(*each) for each in point] for point in effects.tolist()]
    dataset["difference_verdict"] = (("design_point", "outcome"), np.array(words, dtype=object))
    dataset["difference_verdict"][0] = "the base scenario"
    for name, numbers in extras.items():
        if len(numbers) == len(outcomes):
            dataset[name] = ("outcome", np.array(numbers))
    for statistic in dict.fromkeys(row["statistic"] for row in rows):
        if statistic == "difference":  # By design point already.
            continue
        some = [row for row in rows if row["statistic"] == statistic]
        labels = list(dict.fromkeys(_label(row["parameter"], row["value"]) for row in some))
        dim = f"{statistic}_of"
        if not any(row["value"] for row in some):
            dim, labels = "parameter", list(dataset.parameter.values)
            if study.groups:
                dim, labels = "group", [*study.groups, study.chance]
        dataset = dataset.assign_coords({dim: np.array(labels, dtype=object)})
        shape = (len(labels), len(outcomes))
        cells = {part: np.full(shape, np.nan) for part in ("estimate", "error", "low", "high")}
        verdicts = np.full(shape, "", dtype=object)
        for row in some:
            at = labels.index(_label(row["parameter"], row["value"])), outcomes.index(row["outcome"])
            verdicts[at] = row["verdict"]
            for part, array in cells.items():
                array[at] = row[part]
        for part, array in cells.items():
            name = statistic if part == "estimate" else f"{statistic}_{part}"
            dataset[name] = ((dim, "outcome"), array)
        dataset[f"{statistic}_verdict"] = ((dim, "outcome"), verdicts)
    return dataset
