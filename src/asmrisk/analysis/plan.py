"""What runs will take and how exact they will be, foretold from a pilot; nothing is written."""

from __future__ import annotations

import heapq
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import xarray as xr

from asmrisk.analysis.announcement import counted
from asmrisk.analysis.digits import number
from asmrisk.analysis.expected_error import errors_of_mean
from asmrisk.analysis.jobs import Out, run_jobs, sharing_jobs, whole_numbers
from asmrisk.analysis.metrics import METRICS
from asmrisk.analysis.report import Report, Section, wrapped
from asmrisk.analysis.statistics import Row, fixed_words, interval_cell, scale_of
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.analysis.wording import ALL
from asmrisk.arguments import FLAG, check_arguments
from asmrisk.engine.executors import executor, usable_processors
from asmrisk.engine.fill import Job, by_simulation, tasks_of
from asmrisk.engine.progress import Progress
from asmrisk.results.footprint import footprint
from asmrisk.results.provenance import circumstances
from asmrisk.results.store import Store
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.scenario.scenario import ScenarioLike
from asmrisk.simulation.arrays import Block, Piece
from asmrisk.simulation.model import Model
from asmrisk.simulation.pilot import DRAWS, Costs, Pilot, pilot
from asmrisk.simulation.scenario_simulation import ScenarioSimulation

if TYPE_CHECKING:
    from distributed import Client, Security
    from distributed.deploy.cluster import Cluster

__all__ = ["plan"]

_METRIC = METRICS["medicare_savings"]
_HOUR = 3600.0
#: Units in which a time is told, in hours, the largest that it has one of.
_UNITS = ((1.0, "hours"), (1.0 / 60.0, "minutes"), (1.0 / _HOUR, "seconds"))
#: Errors that are foretold: columns of rows, and heads.
_ERRORS = {"error_given_assumptions": "given the\nassumptions", "error_in_all": "in all"}

#: What adds up over scenarios.
_SUMS = ("draws", "draws_there", "parameter_sets", "blocks", "files", "bytes", "processor_hours")
#: Why the first of them is missing.
_APART = "n/a: with one draw per parameter set chance and doubt cannot be told apart."


def plan(
    *several: ScenarioLike,
    scenarios: Mapping[str, ScenarioLike] | None = None,
    draws: int | None = None,
    seed: int | None = None,
    out: Out | None = None,
    workers: int | None = None,
    processes: bool = False,
    scheduler: str | os.PathLike[str] | None = None,
    client: Client | Cluster | None = None,
    security: Security | None = None,
    block_size: int | None = None,
    most_draws: int | None = None,
    fixed: bool = False,
    title: str | None = None,
    quiet: bool = False,
    stream: TextIO | None = None,
) -> Report:
    """Foretell what `asmrisk.run` would take, how exact it would be, and what would share a field.

    A pilot of 40 draws of each scenario is simulated in memory. Nothing is written; stores that are there are
    looked at. No scheduler is asked, and whether a place can be written to is not tried.

    Parameters
    ----------
    *several, scenarios, draws, seed, out, block_size, most_draws, fixed, title, quiet, stream
        As for `asmrisk.run`.
    workers, processes, scheduler, client, security
        As for `asmrisk.run`. `workers` may be those of another machine; those of a `scheduler` or a `client`
        are not known, and hours are then not told.

    Returns
    -------
    Report
        The rows have for each scenario: ``results`` (the place); ``draws`` of the complete store,
        ``draws_there`` and ``parameter_sets``; ``blocks``, of ``block_length`` draws; ``files`` and ``bytes``
        of the complete store; the standard errors to be expected of ``medicare_savings``, all years together:
        ``error_given_assumptions`` and ``error_in_all`` with the ends of 95% intervals (``_low``, ``_high``),
        in ``units`` of ``dollar_year``; ``processor_hours`` of the simulation that is left, on this
        processor; ``field``, a number that scenarios have in common which share one. JSON adds their
        ``total``, ``tasks`` and ``hours``, and ``fields``: for each ``policies_at_a_time``, how often a
        draw's field is simulated (``times_simulated``), and seconds of one processor for a draw and for a
        parameter set, of the field and of each policy in it.

    Raises
    ------
    InputError
        If an argument, a scenario or what is at a place cannot be used, or no population can be calibrated
        to the values that a parameter set of the pilot has.
    """
    draws, workers, block_size, most_draws, seed = whole_numbers(
        seed, draws=draws, workers=workers, block_size=block_size, most_draws=most_draws
    )
    check_arguments(processes=(FLAG, processes), fixed=(FLAG, fixed), quiet=(FLAG, quiet))
    # Not entered: nothing is started, and nobody is asked.
    executor(workers=workers, processes=processes, scheduler=scheduler, client=client, security=security)
    progress = Progress(sys.stderr if stream is None else stream, quiet=quiet)
    declared = run_jobs(
        *several,
        scenarios=scenarios,
        draws=draws,
        seed=seed,
        out=out,
        block_size=block_size,
        most_draws=most_draws,
        fixed=fixed,
        title=title,
    )
    jobs, said = sharing_jobs(declared)
    stores = [Store.look(job.place, job.spec, job.lengths) for job in jobs]
    left = [_unfinished(store) for store in stores]
    elsewhere = scheduler is not None or client is not None
    count = None if elsewhere else workers or usable_processors()
    rows: dict[int, Row] = {}
    fields: list[Row] = []
    tasks: list[float] = []
    seconds = 0.0
    for numbers in by_simulation(jobs):
        simulation = jobs[numbers[0]].simulation
        assert isinstance(simulation, ScenarioSimulation)
        with progress.patient("preparing the simulation"):
            simulation.prepare(progress.say)
        progress.say(f"simulating a pilot of {DRAWS} draws of {counted(len(numbers), 'scenario')}")
        found, costs = pilot(simulation.models)
        seconds += found.seconds
        pieces = [Piece(jobs[n].member, block) for n in numbers for block in left[n]]
        groups = tasks_of(simulation, pieces, count or 1)
        own = np.zeros(len(numbers))
        for group in groups:
            whole, each = _task_seconds(simulation.models, group, costs)
            tasks.append(whole)
            own[[piece.member for piece in group]] += each
        fields.append(_field_row(len(fields) + 1, len(numbers), groups, costs))
        for n in numbers:
            member = jobs[n].member
            hours = float(own[member]) / _HOUR
            foretold = _foretold(jobs[n], simulation.models[member], stores[n], left[n], found)
            rows[n] = foretold | {"processor_hours": hours, "field": len(fields)}
    return _report(
        [words for job in jobs for words in fixed_words(job.spec.definition.get("fixed", []))],
        [rows[n] for n in range(len(jobs))],
        fields,
        said,
        pilot_seconds=seconds,
        workers=count,
        tasks=len(tasks),
        hours=None if count is None else _makespan(tasks, count) / _HOUR,
    )


def _unfinished(store: Store) -> list[Block]:
    """Find what is left to do; of a store that is not there nothing is asked."""
    if store.storage.exists():
        return store.unfinished_blocks(verify=False)
    return store.spec.blocks(store.lengths)


def _task_seconds(models: Sequence[Model], pieces: Sequence[Piece], costs: Costs) -> tuple[float, float]:
    """Give the processor seconds of a task, and those of each block in it with its part of the field."""
    draws, policies = pieces[0].block.count, len(pieces)
    unknown = [model.scenario for piece in pieces if (model := models[piece.member]).scenario.uncertainty]
    sets = max((draws / scenario.draws_per_set for scenario in unknown), default=1.0)
    field = draws * costs.draw_field + sets * costs.set_field
    policy = draws * costs.draw_policy + sets * costs.set_policy
    return field + policies * policy, field / policies + policy


def _makespan(tasks: Sequence[float], workers: int) -> float:
    """Give the time that tasks take if each worker takes the next one when it is free."""
    free = [0.0] * workers
    for seconds in tasks:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def _foretold(job: Job, model: Model, store: Store, left: Sequence[Block], found: Pilot) -> Row:
    """Foretell the size of a scenario's store, and its errors."""
    scenario, spec, draws = model.scenario, store.spec, store.lengths[-1]
    arrays, per_set = found.arrays[job.member], scenario.draws_per_set
    errors = errors_of_mean(_METRIC, spec, found.numbers, arrays, draws)
    size = footprint(store, job.labels, arrays)
    return {
        "scenario": job.name,
        "results": str(job.place),
        "draws": draws,
        "draws_there": draws - sum(min(block.count, draws - block.first) for block in left),
        "parameter_sets": -(-draws // per_set),
        "blocks": -(-draws // spec.block_shape[-1]),
        "block_length": spec.block_shape[-1],
        "files": size.files,
        "bytes": size.bytes,
        **{
            column + part: value
            for column, error in zip(_ERRORS, errors, strict=True)
            for part, value in zip(("", "_low", "_high"), error, strict=True)
        },
        "units": _METRIC.units,
        "dollar_year": int(scenario.values["population.dollar_year"]),
    }


def _field_row(number: int, scenarios: int, groups: Sequence[Sequence[Piece]], costs: Costs) -> Row:
    """Say how the scenarios of a field are simulated together."""
    blocks = {piece.block for group in groups for piece in group}
    return {
        "field": number,
        "scenarios": scenarios,
        "policies_at_a_time": max(map(len, groups), default=0),
        "times_simulated": len(groups) / len(blocks) if blocks else 0.0,
        **{f"{name}_seconds": value for name, value in costs._asdict().items()},
    }


def _report(words: list[str], rows: list[Row], fields: list[Row], said: list[str], **facts: Any) -> Report:
    names = [column for column in rows[0] if column not in ("results", "scenario", "units")]
    dataset = xr.Dataset(
        {column: ("results", np.array([row[column] for row in rows])) for column in names},
        coords={"results": np.array([row["results"] for row in rows], dtype=object)},
    )
    for column in names:
        if column.startswith("error_"):
            dataset[column].attrs["units"] = _METRIC.units
    total = {"scenario": ALL} | {column: sum(row[column] for row in rows) for column in _SUMS}
    processor = circumstances()["environment"]["processor"]
    years = sorted({row["dollar_year"] for row in rows})
    apart = (_APART,) if any(math.isnan(row["error_given_assumptions"]) for row in rows) else ()
    head = (
        f"Plan of {counted(len(rows), 'run')}; nothing is written",
        f"Pilot: {DRAWS} draws of each scenario, {_digits(facts['pilot_seconds'])} seconds of this processor "
        f"({processor}).",
        *dict.fromkeys(words),
        "Expected errors: standard errors that means over these draws will have of "
        f"{_METRIC.title}, {PERFORMANCE_YEARS[0]} to {PERFORMANCE_YEARS[-1]} together, in "
        f"{' or '.join(map(str, years))} dollars (95% interval: a pilot knows them only so well). Given the "
        "assumptions they hold chance alone, in all doubt about the assumptions too.",
        "Files and GB (of 10^9 bytes) are those of complete stores. Processor-hours are of this processor, "
        "for what is not there yet; starting up and writing are not in them.",
    )
    return Report(
        dataset,
        facts={"pilot_draws": DRAWS, "processor": processor, **facts, "sharing": said},
        head=head,
        sections=(
            Section(tables=(_sizes_table([*rows, total]),)),
            Section(tables=(_errors_table(rows),), notes=apart),
            Section(wrapped([*said, _tasks_said(**facts)]), (_fields_table(fields),)),
        ),
        tables={"plan": rows, "total": [total], "fields": fields},
    )


def _sizes_table(rows: Sequence[Row]) -> Table:
    heads = ["draws", "there", "sets", "blocks", "files", "GB", "processor-\nhours"]
    columns = [[f"{row[column]:,}" for row in rows] for column in _SUMS[:-2]]
    columns.append([_digits(row["bytes"] * 1e-9) for row in rows])
    columns.append([_digits(row["processor_hours"]) for row in rows])
    return Table([row["scenario"] for row in rows], [Group("", heads, columns)])


def _errors_table(rows: Sequence[Row]) -> Table:
    scale, unit = scale_of(_METRIC.units, max(row["error_in_all"] for row in rows))
    columns = [[interval_cell(column)(row, scale) for row in rows] for column in _ERRORS]
    heads = Group(f"Expected errors of {_METRIC.title}{unit}", list(_ERRORS.values()), columns)
    return Table([row["scenario"] for row in rows], [heads])


def _fields_table(fields: Sequence[Row]) -> Table:
    counts = [[f"{row[column]:,}" for row in fields] for column in ("scenarios", "policies_at_a_time")]
    times = [f"{row['times_simulated']:.3g}" for row in fields]
    costs = [[_digits(1e3 * row[f"{name}_seconds"]) for row in fields] for name in Costs._fields]
    return Table(
        [f"field {row['field']}" for row in fields],
        [
            Group("", ["scenarios", "at a time", "times\nsimulated"], [*counts, times]),
            Group(
                "Processor milliseconds",
                ["field,\ndraw", "policy,\ndraw", "field,\nset", "policy,\nset"],
                costs,
            ),
        ],
    )


def _tasks_said(*, tasks: int, workers: int | None, hours: float | None, **_: Any) -> str:
    """Say how much can be done at a time, and how long it takes."""
    if not tasks:
        return "All draws are there: no task is left."
    if workers is None or hours is None:
        return (
            f"Tasks that can be computed at the same time: at least {tasks:,}. The scheduler is not asked "
            "for its workers; their number, given in its place, tells how long it takes."
        )
    size, unit = next(each for each in _UNITS if hours >= each[0] or each is _UNITS[-1])
    return (
        f"Tasks that can be computed at the same time: {tasks:,}; with {counted(workers, 'worker')} on such "
        f"processors they take {_digits(hours / size)} {unit}."
    )


def _digits(value: float) -> str:
    """Write a figure that is known to a few percent."""
    return "0" if value == 0.0 else number(value, value / 2.0)
