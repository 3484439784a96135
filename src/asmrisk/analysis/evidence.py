"""The table of evidence: published facts beside what is simulated, with a verdict on each."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.back_test import payment_step_values
from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.estimates import Sets, mean, set_counts
from asmrisk.analysis.fact_values import fact_values
from asmrisk.analysis.fact_verdicts import ERROR_RATE, critical_value, size_words, verdict
from asmrisk.analysis.facts import Fact, facts
from asmrisk.analysis.report import Report, Section, grouped
from asmrisk.analysis.rerun import stored_run
from asmrisk.analysis.run_results import RunResults, open_run_results
from asmrisk.analysis.statistics import Row, scale_of
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.clinician_tables.table import replaced
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.simulation.compilation import warmup
from asmrisk.simulation.replay import replay_draw

__all__ = ["evidence"]

#: Draws that are simulated if no number is given.
DRAWS = 20

_FORMATS = {".csv": "csv", ".json": "json", ".txt": "text"}
_Floats = NDArray[np.float64]


class _Draws(NamedTuple):
    """A fact's value by draw, and the draws' parameter sets."""

    values: _Floats
    sets: Sets


def evidence(
    results: str | os.PathLike[str] | None = None,
    *,
    draws: int = DRAWS,
    out: str | Path | None = None,
    roster: str | Path | None = None,
    quiet: bool = False,
) -> Report:
    """Hold what is simulated against published facts.

    Parameters
    ----------
    results : str or path, optional
        A store that `asmrisk.run` wrote: its first draws are simulated again, and what it holds itself is
        taken from all its draws. Without it draws of the final rule with every parameter at its default are
        simulated.
    draws : int
        How many draws are simulated; at least two parameter sets' draws, and no more than the store has.
    out : str or path, optional
        File for the report: ``.csv``, ``.json`` or ``.txt``.
    roster : str or path, optional
        The run's roster, if it had one; looked for in the current folder if not given.
    quiet : bool
        Show no progress.

    Returns
    -------
    Report
        Its dataset has the dimension ``fact``.

    Raises
    ------
    InputError
        If there are no such results, or too few draws, or `out` has another ending.
    """
    if out is not None and Path(out).suffix.lower() not in _FORMATS:
        raise InputError("is a report: give a name that ends in .csv, .json or .txt.", argument="out")
    run = None if results is None else open_run_results(results)
    scenario = scenario_from_dict({}) if results is None else stored_run(results, roster=roster).scenario
    per_set = 1 if run is None else run.draws_per_set
    if draws < 2 * per_set or (run is not None and draws > run.count):
        most = "" if run is None else f" and at most the {run.count:,} of the results"
        text = f"at least {2 * per_set} draws are needed for an error{most}; {draws} were asked for."
        raise InputError(text, argument="draws")
    found = _simulated(scenario, draws, per_set, quiet) | ({} if run is None else _stored(run))
    report = _report(facts(scenario.values["population.rate_spread"]), found, scenario, draws, run)
    if out is not None:
        with replaced(Path(out)) as file:
            text = getattr(report, f"to_{_FORMATS[Path(out).suffix.lower()]}")()
            file.write_text(f"{text.rstrip()}\n", encoding="utf-8")
    return report


def _simulated(scenario: Scenario, draws: int, per_set: int, quiet: bool) -> dict[str, _Draws]:
    """Simulate draws, and give the facts' values."""
    progress = Progress(sys.stderr, quiet=quiet)
    warmup(progress.say)
    found = []
    with progress.shown(draws, 0):
        for draw in range(draws):
            found.append(fact_values(replay_draw(scenario, draw)) | payment_step_values())
            progress.close(None, 1)
    sets = None if per_set == 1 else np.arange(draws, dtype=np.int64) // per_set
    return {name: _Draws(np.array([each[name] for each in found]), sets) for name in found[0]}


def _stored(run: RunResults) -> dict[str, _Draws]:
    """Give the values of those facts that results hold, of all their draws."""
    year = {"performance_year": PERFORMANCE_YEARS[0]}
    first = run.dataset.sel(year)
    participants = first["participants"]
    by_size = first["specialty_participants"].sum("specialty")
    large = by_size.sel(practice_size="large") / by_size.sum("practice_size")
    found = {name: first[name].sum("cohort") for name in ("participants", "episodes", "episode_spending")}
    found["heart_failure_share"] = participants.sel(cohort=COHORTS[0]) / participants.sum("cohort")
    found["small_share"] = 1.0 - large
    return {name: _Draws(values.values.astype(np.float64), run.sets) for name, values in found.items()}


def _report(
    declared: Sequence[Fact],
    found: Mapping[str, _Draws],
    scenario: Scenario,
    draws: int,
    run: RunResults | None,
) -> Report:
    judged = sum(not fact.not_comparable for fact in declared)
    rows = [_row(fact, found[fact.name], judged) for fact in declared]
    seed = scenario.values["run.seed"]
    unknown = (
        ""
        if run is None or not run.unknowns
        else (" Unknowns have the values drawn, not their medians, at which facts in sample are to hold.")
    )
    source = [] if run is None else [f"Results: {run.source}"]
    head = (
        f"{scenario.title}: evidence, {draws:,} draws simulated, seed {seed}",
        *(_counted(rows, in_sample) for in_sample in (True, False)),
        "Differs: by more than rounding and chance; said of any fact that fits with a probability of at most "
        f"{100 * ERROR_RATE:g}% for the whole table. Within: the difference is at most so large, by the same "
        f"error rate. Figures of one year are those of {PERFORMANCE_YEARS[0]}.{unknown}",
    )
    facts_of = {"title": scenario.title, "draws": draws, "seed": seed, "results": run.source if run else None}
    return Report(
        _dataset(rows),
        facts=facts_of,
        head=head,
        sections=(*_sections(declared, rows), *map(Section, [tuple(source)] if source else [])),
        tables={"evidence": rows},
    )


def _row(fact: Fact, found: _Draws, judged: int) -> Row:
    simulated, error, count = (float(each) for each in mean(found.values, found.sets))
    sets = int(set_counts(found.values, found.sets))
    deviation = float(np.nanstd(found.values, ddof=1)) if count > 1 else math.nan
    said = verdict(fact, simulated, error, deviation, critical_value(judged, sets))
    return {
        "fact": fact.name,
        "topic": fact.topic,
        "title": fact.title,
        "in_sample": fact.in_sample,
        "source": fact.source,
        "units": fact.units,
        "published": fact.published,
        "tolerance": fact.tolerance,
        "published_error": fact.error,
        "simulated": simulated,
        "error": error,
        "draws": int(count),
        "difference": said.difference,
        "bound": said.bound,
        "told_apart": said.told_apart,
        "verdict": said.words,
        "reason": fact.reason if _kind(said.words) == "differs" else "",
    }


def _kind(words: str) -> str:
    """Give the first word of a verdict."""
    return words.partition(" ")[0]


def _counted(rows: Sequence[Row], in_sample: bool) -> str:
    kinds = [_kind(row["verdict"]) for row in rows if row["in_sample"] == in_sample]
    parts = [
        f"{kinds.count(kind)} {words}"
        for kind, words in (
            ("fits", "fit"),
            ("differs", "differ"),
            ("same", "have the published direction"),
            ("reversed,", "have the other direction"),
            ("no", "have no direction that can be told"),
            ("not", "are not comparable or not simulated"),
        )
        if kind in kinds
    ]
    what = "In sample, which parameters are set to" if in_sample else "Out of sample"
    return f"{what}: {len(kinds)} facts, of which {', '.join(parts)}."


def _sections(declared: Sequence[Fact], rows: Sequence[Row]) -> list[Section]:
    """Show facts of one topic and source in a table, then what does not fit and why."""
    pairs: list[dict[str, Any]] = [
        {"fact": fact, "row": row} for fact, row in zip(declared, rows, strict=True)
    ]
    sections = []
    for in_sample, title in ((True, "IN SAMPLE"), (False, "OUT OF SAMPLE")):
        some = [each for each in pairs if each["fact"].in_sample == in_sample]
        sections.append(Section((title,)))
        for group in grouped(some, lambda each: (each["fact"].topic, each["fact"].source)):
            sections.append(_section(group))
    for kind, title in (("differs", "What differs, and the likely reason"), ("not", "Not comparable")):
        told = [each for each in pairs if _kind(each["row"]["verdict"]) == kind]
        if told:
            sections.append(Section((title,), notes=tuple(_told(**each) for each in told)))
    return sections


def _told(fact: Fact, row: Row) -> str:
    reason = fact.not_comparable or fact.reason or "not known"
    words = "" if fact.not_comparable else f" ({row['verdict']})"
    return f"{fact.topic}, {fact.title}{words}: {reason}."


def _section(group: Sequence[Mapping[str, Any]]) -> Section:
    declared, rows = [each["fact"] for each in group], [each["row"] for each in group]
    scales = [scale_of(fact.units, fact.published) for fact in declared]
    columns = [
        [_published(fact, scale) for fact, (scale, _) in zip(declared, scales, strict=True)],
        [_shown(row, scale) for row, (scale, _) in zip(rows, scales, strict=True)],
        [_difference(fact, row) for fact, row in zip(declared, rows, strict=True)],
    ]
    labels = [fact.title + units for fact, (_, units) in zip(declared, scales, strict=True)]
    notes = [row["verdict"].partition(":")[0] for row in rows]
    table = Table(
        labels, [Group(declared[0].topic, ["published", "simulated", "difference"], columns)], notes
    )
    return Section(tables=(table,), notes=(f"Source: {declared[0].source}.",))


def _published(fact: Fact, scale: float) -> str:
    if not fact.tolerance:
        return number(fact.published * scale, math.nan)
    places = max(0, -math.floor(math.log10(2.0 * fact.tolerance * scale) + 1e-9))
    return f"{fact.published * scale:,.{min(places, 6)}f}"


def _shown(row: Row, scale: float) -> str:
    simulated, error = row["simulated"] * scale, row["error"] * scale
    return with_error(simulated, error) if error > 0.0 else number(simulated, math.nan)


def _difference(fact: Fact, row: Row) -> str:
    difference = row["difference"]
    if math.isnan(difference):
        return "n/a"
    return ("-" if difference < 0.0 else "+") + size_words(fact, abs(difference))


def _dataset(rows: Sequence[Row]) -> xr.Dataset:
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "fact"}
    names = np.array([row["fact"] for row in rows], dtype=object)
    data = {
        name: ("fact", values.astype(object) if values.dtype.kind == "U" else values)
        for name, values in columns.items()
    }
    return xr.Dataset(data, coords={"fact": names})
