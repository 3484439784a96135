"""The table of evidence: published facts beside what is simulated, with a verdict on each."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.back_test import payment_step_values
from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.estimates import Sets, mean, set_counts
from asmrisk.analysis.fact_values import fact_values
from asmrisk.analysis.fact_verdicts import (
    ERROR_RATE,
    SMALL,
    SMALL_POINTS,
    critical_value,
    size_words,
    verdict,
)
from asmrisk.analysis.facts import Fact, facts
from asmrisk.analysis.mips_values import mips_table, mips_values
from asmrisk.analysis.report import Report, Section
from asmrisk.analysis.rerun import stored_run
from asmrisk.analysis.run_results import RunResults, open_run_results
from asmrisk.analysis.statistics import Row, scale_of
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.clinician_tables.table import replaced
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.simulation.compilation import compile_kernels
from asmrisk.simulation.model import Model
from asmrisk.simulation.replay import replay_draws

__all__ = ["evidence", "held_by_results"]

#: Draws that are simulated if no number is given.
DRAWS = 20

_FORMATS = {".csv": "csv", ".json": "json", ".txt": "text"}
#: First words of verdicts, and how facts that have one are counted.
_KINDS = {
    "fits": "fit",
    "differs": "differ",
    "same": "in the published direction",
    "reversed": "in the other direction",
    "undecided": "undecided",
    "not": "not comparable",
}
_Floats = NDArray[np.float64]


class _Judged(NamedTuple):
    """A fact and its row of the table."""

    fact: Fact
    row: Row


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
    participant_list: str | Path | None = None,
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
    participant_list : str or path, optional
        The same of the run's list of participants.
    quiet : bool
        Show no progress.

    Returns
    -------
    Report
        Its dataset has the dimension ``fact``.

    Raises
    ------
    InputError
        If there are no such results, too few draws, or not the run's roster or list, or `out` has another
        ending.
    """
    if out is not None and Path(out).suffix.lower() not in _FORMATS:
        raise InputError("is a report: give a name that ends in .csv, .json or .txt.", argument="out")
    run = None if results is None else open_run_results(results)
    if results is None:
        scenario = scenario_from_dict({"title": "Final rule, every parameter at its default"})
    else:
        scenario = stored_run(results, roster=roster, participant_list=participant_list).scenario
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
    with progress.patient("compiling the kernels"):
        compile_kernels(progress.say)
    model, steps = Model(scenario), payment_step_values()
    found = []
    with progress.shown(draws, 0):
        for draw, table in enumerate(replay_draws(model, range(draws))):
            of_mips = mips_values(mips_table(model, draw))
            found.append(fact_values(table) | of_mips | steps)
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


def held_by_results(run: RunResults) -> list[Row]:
    """Hold what results hold themselves, of all their draws, against published facts, without simulating.

    Rows are those of `evidence`, each judged as strictly as if all facts were; empty if nothing is held.
    """
    declared = facts()
    found, judged = _stored(run), sum(not fact.not_comparable for fact in declared)
    return [_row(fact, found[fact.name], judged) for fact in declared if fact.name in found]


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
        "Differs: by more than rounding and chance, said wrongly of any fact with a probability of at most "
        f"{100 * ERROR_RATE:g}% for the whole table. Within: the difference is at most so large, by the same "
        f"error rate; a fact fits if that is at most {100 * SMALL:g}% of the figure, or "
        f"{100 * SMALL_POINTS:g} point of a share, beyond its rounding. Figures of one year are those of "
        f"{PERFORMANCE_YEARS[0]}.{unknown}",
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
        "reason": fact.reason if _kind(said.words) in ("differs", "reversed") else "",
    }


def _kind(words: str) -> str:
    """Give the first word of a verdict."""
    return words.partition(" ")[0].rstrip(",:")


def _counted(rows: Sequence[Row], in_sample: bool) -> str:
    kinds = [_kind(row["verdict"]) for row in rows if row["in_sample"] == in_sample]
    parts = [f"{kinds.count(kind)} {words}" for kind, words in _KINDS.items() if kind in kinds]
    what = "In sample, which parameters are set to" if in_sample else "Out of sample"
    return f"{what}: {len(kinds)} facts, of which {', '.join(parts)}."


def _sections(declared: Sequence[Fact], rows: Sequence[Row]) -> list[Section]:
    """Show the facts of a topic in a table, then what does not fit and why."""
    pairs = [_Judged(*each) for each in zip(declared, rows, strict=True)]
    sections = []
    for in_sample, title in ((True, "IN SAMPLE"), (False, "OUT OF SAMPLE")):
        sections.append(Section((title,)))
        some = [each for each in pairs if each.fact.in_sample == in_sample]
        sections += [_section(topic) for topic in _together(some, lambda each: each.fact.topic)]
    for kinds, title in (
        (("differs", "reversed"), "WHAT DOES NOT FIT, AND THE LIKELY REASON"),
        (("not",), "NOT COMPARABLE"),
    ):
        told = [each for each in pairs if _kind(each.row["verdict"]) in kinds]
        groups = _together(told, lambda each: (each.fact.topic, _reason(each.fact)))
        if groups:
            sections.append(Section((title,), notes=tuple(_told(group) for group in groups)))
    return sections


def _together(some: Sequence[_Judged], key: Callable[[_Judged], Hashable]) -> list[list[_Judged]]:
    """Put facts of one key together, in the order of their first."""
    groups: dict[Hashable, list[_Judged]] = {}
    for each in some:
        groups.setdefault(key(each), []).append(each)
    return list(groups.values())


def _reason(fact: Fact) -> str:
    return fact.not_comparable or fact.reason or "not known"


def _told(group: Sequence[_Judged]) -> str:
    fact = group[0].fact
    words = [fact.title if fact.not_comparable else f"{fact.title} ({row['verdict']})" for fact, row in group]
    return f"{fact.topic}: {', '.join(words)}: {_reason(fact)}."


def _section(topic: Sequence[_Judged]) -> Section:
    scales = [scale_of(fact.units, abs(fact.published)) for fact, _ in topic]
    columns = [
        [_published(fact, scale) for (fact, _), (scale, _) in zip(topic, scales, strict=True)],
        [_shown(row, scale) for (_, row), (scale, _) in zip(topic, scales, strict=True)],
        [_difference(fact, row) for fact, row in topic],
    ]
    labels = [fact.title + units for (fact, _), (_, units) in zip(topic, scales, strict=True)]
    notes = [row["verdict"].partition(":")[0] for _, row in topic]
    heads = ["published", "simulated", "difference"]
    sources = dict.fromkeys(fact.source for fact, _ in topic)
    table = Table(labels, [Group(topic[0].fact.topic, heads, columns)], notes)
    return Section(tables=(table,), notes=tuple(f"Source: {source}." for source in sources))


def _published(fact: Fact, scale: float) -> str:
    """Write a published figure to at most five digits."""
    value = fact.published * scale
    places = 0 if value == 0.0 else min(6, max(0, 4 - math.floor(math.log10(abs(value)))))
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shown(row: Row, scale: float) -> str:
    simulated, error = row["simulated"] * scale, row["error"] * scale
    return with_error(simulated, error) if error > 0.0 else number(simulated, math.nan)


def _difference(fact: Fact, row: Row) -> str:
    difference = row["difference"]
    if fact.direction or math.isnan(difference):
        return ""
    return ("-" if difference < 0.0 else "+") + size_words(fact, abs(difference))


def _dataset(rows: Sequence[Row]) -> xr.Dataset:
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "fact"}
    names = np.array([row["fact"] for row in rows], dtype=object)
    data = {
        name: ("fact", values.astype(object) if values.dtype.kind == "U" else values)
        for name, values in columns.items()
    }
    return xr.Dataset(data, coords={"fact": names})
