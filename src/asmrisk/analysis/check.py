"""A scenario tried against what it extends, in a few draws: what moves, and by which of its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TextIO

from asmrisk.analysis.comparison import compare
from asmrisk.analysis.comparison_text import with_short_labels
from asmrisk.analysis.metrics import METRICS
from asmrisk.analysis.paired import MEANS, PAIRED, pairs
from asmrisk.analysis.report import Report, Section, scale_for, wrapped
from asmrisk.analysis.run_results import open_run_results
from asmrisk.analysis.scenario_runs import passing_runs
from asmrisk.analysis.statistics import Row, columns_of, estimates, shown
from asmrisk.analysis.text_tables import Group
from asmrisk.arguments import COUNT, FLAG, check_arguments, optional
from asmrisk.errors import InputError
from asmrisk.results.reading import open_results
from asmrisk.scenario.parts import parts_between, with_parts
from asmrisk.scenario.scenario import (
    Scenario,
    ScenarioLike,
    base_of,
    given_scenario,
    load_scenario,
)

__all__ = ["DRAWS", "check"]

#: Draws that are simulated if no other number is asked for.
DRAWS = 20
#: As many draws are simulated in one block.
_IN_ONE_BLOCK = 64
#: Parts of a scenario that are simulated alone, at the most.
_MOST_PARTS = 12
#: Outcomes of which it is told what each part does alone.
_TOLD = ("medicare_savings", "net_adjustment", "penalized_share")

_DIFFERENCE = MEANS[2]


def check(
    scenario: ScenarioLike,
    *,
    base: ScenarioLike | None = None,
    draws: int = DRAWS,
    workers: int | None = None,
    quiet: bool = False,
    stream: TextIO | None = None,
) -> Report:
    """Try a scenario in a few draws against its base, before a run: what moves, and why.

    Both are simulated at the medians of their unknowns with the same draws, and the scenario's values each
    alone too. Nothing is kept.

    Parameters
    ----------
    scenario : path, name, dict or Scenario
        What is tried.
    base : path, name, dict or Scenario, optional
        What it is held against. If not given, what its file extends; of a scenario that is made of another
        by a dict, that one's file; the final rule if there is none.
    draws, workers, quiet, stream : optional
        As for `asmrisk.run`.

    Returns
    -------
    Report
        That of `asmrisk.compare`. Its text says what each value does alone; in JSON these are the table
        ``alone``, a row for each value and outcome.

    Raises
    ------
    InputError, RunError, Interrupted
        As `asmrisk.run`.
    """
    check_arguments(draws=(COUNT, draws), workers=(optional(COUNT), workers), quiet=(FLAG, quiet))
    tried = given_scenario(scenario, "scenario")
    before = _base_of(tried) if base is None else given_scenario(base, "base")
    in_doubt = (tried.uncertainty, tried.correlations) != (before.uncertainty, before.correlations)
    tried, before = tried.fixed_at_medians(), before.fixed_at_medians()
    if before.title == tried.title:
        before = replace(before, title=f"{before.title} (its base)")
    seed = {"run.seed": tried.values["run.seed"]}
    before = replace(before, values=before.values.replace(**seed))

    called, alone, notes = [], [], []
    parts = parts_between(before, tried)
    for part in parts[:_MOST_PARTS]:
        try:
            alone.append(with_parts(before, tried, [part]))
            called.append(part.name)
        except InputError:
            notes.append(f"{part.name} is no scenario without the others.")
    if len(parts) > _MOST_PARTS:
        notes.append(f"Of {len(parts)} values the first {_MOST_PARTS} are tried alone.")
    rows: list[Row] = []
    what = "of a check nothing is kept"
    # One block has the fewest files, which take longer than so few draws.
    length = draws if draws <= _IN_ONE_BLOCK else None
    options = {"draws": draws, "workers": workers, "block_size": length, "quiet": quiet, "stream": stream}
    simulated = [before, tried, *alone] if len(parts) > 1 else [before, tried]
    with passing_runs(simulated, what, **options) as places:
        whole = [open_results(each, chunked=False).load() for each in places[:2]]
        apart = places[2:] if len(parts) > 1 else whole[1:]
        first, *others = map(open_run_results, (whole[0], *apart))
        others = others[: len(called)]
        for name in _TOLD:
            values = first.draws(name).values
            for value, run in zip(called, others, strict=True):
                found = estimates(PAIRED, pairs(values, run.draws(name).values, units=METRICS[name].units))
                row = dict(zip(columns_of(PAIRED), found.tolist(), strict=True))
                rows.append({"metric": name, "units": METRICS[name].units, "part": value} | row)
    report = compare(*whole, replay_draws=0)
    if in_doubt:
        notes.append("What is in doubt differs too; here all of it is at its median.")
    idle = [part for part in called if all(row["tied"] == 1.0 for row in rows if row["part"] == part)]
    if idle:
        notes.append(f"Alone without any effect on these in these draws: {', '.join(idle)}.")
    why = [_alone(rows, called)] if len(called) > 1 else []
    said = [Section(notes=tuple(wrapped(notes)))] if notes else []
    return replace(
        report,
        sections=(*report.sections[:-1], *why, *said, report.sections[-1]),
        tables={**report.tables, "alone": rows},
    )


def _base_of(tried: Scenario) -> Scenario:
    """Give what a scenario extends; one that is made of another by a dict has its file, but not its name."""
    return base_of(tried) if tried.source is None or tried.name else load_scenario(tried.source)


def _alone(rows: Sequence[Row], called: Sequence[str]) -> Section:
    """Show what each value does alone."""
    heads, columns = [], []
    for name in _TOLD:
        some = [row for row in rows if row["metric"] == name]
        scale, unit = scale_for(some, "baseline")
        heads.append(f"{METRICS[name].title}{unit}".replace(", ", ",\n"))
        columns.append(shown((_DIFFERENCE,), some, scale)[1][0])
    return Section(tables=(with_short_labels(called, Group("Each value alone", heads, columns)),))
