"""What given clinicians risk, ranked against the field of a finished run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.labels import labeled
from asmrisk.analysis.money_at_risk import check_loss
from asmrisk.analysis.penalties import risk_levels_of
from asmrisk.analysis.ranking import ranks_of
from asmrisk.analysis.report import Report
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.wording import ALL
from asmrisk.arguments import COUNT, FLAG, PATH, TEXTS, check_arguments, optional
from asmrisk.clinician_tables.table import check_output, replaced
from asmrisk.errors import NO_FILE, Call, gather
from asmrisk.exposures.average_practice import field_factors
from asmrisk.exposures.changes import Case, parse_change
from asmrisk.exposures.field_reaction import cohort_shares, field_reaction_error, is_small
from asmrisk.exposures.levers import ranked_levers
from asmrisk.exposures.readiness import MOST_DRAWS, readiness_rows, supposed, told_of, untold_rows
from asmrisk.exposures.score_parts import score_rows
from asmrisk.exposures.stored_field import (
    StoredField,
    begin,
    check_cohorts,
    finished_run,
    live_cases,
    shown,
    stored_field,
)
from asmrisk.exposures.table import (
    BASE,
    COLUMNS,
    Context,
    Groups,
    estimates_of_cases,
    groups_of,
    long_table,
)
from asmrisk.exposures.text import head_of, sections_of
from asmrisk.population.roster import Roster
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS, YEARS
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.simulation.own_luck import OwnOutcomes

__all__ = ["Exposed", "expose", "exposure"]

_Array = NDArray[np.float64]


class Exposed(NamedTuple):
    """What given clinicians risk, and what it was computed from."""

    report: Report
    run: RunResults  #: what they are ranked against, with as many draws as were used
    field: StoredField  #: the same with the clinicians
    totals: _Array  #: USD of all clinicians and payment years together, (draws,)


def exposure(
    clinicians: str | os.PathLike[str],
    against: str | os.PathLike[str],
    *,
    loss: float | None = None,
    what_if: str | Sequence[str] = (),
    levers: bool = False,
    draws: int | None = None,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Report:
    """Estimate what given clinicians win or lose, ranked against the field of a finished run.

    Parameters
    ----------
    clinicians : path
        A roster: what is known of the clinicians.
    against : path
        A store that `asmrisk.run` wrote, complete. A roster of its own is part of the field.
    loss : float, optional
        Positive: the chance of losing more than so many dollars is wanted too.
    what_if : str or sequence of str
        Changes of the future, a case each, as ``"q236_rate +0.05 from 2027"``.
    levers : bool
        Rank the standard changes too.
    draws : int, optional
        Only the run's first so many draws.
    workers : int, optional
        Threads; the usable processors if not given.
    out : path, optional
        Where to write the table too, ``.csv`` or ``.parquet``; replaced if it exists. Only who writes it may
        read it (mode 0600): it names clinicians.
    quiet : bool
        Show no progress.

    Returns
    -------
    Report
        Its table, that of `to_dataframe`, has the columns of `asmrisk.exposures.table.COLUMNS` and a row for
        each clinician, practice and all of them, performance year and all years, and case. The dataset has
        its numbers by ``case``, ``place`` (with the labels ``who`` and ``level``) and ``performance_year``.
        Further tables are ``what_if``, what the cases suppose, ``readiness``, ``untold``
        (`asmrisk.exposures.readiness`), ``scores`` (`asmrisk.exposures.score_parts.score_rows`) and, if asked
        for, ``levers`` (`asmrisk.exposures.levers.ranked_levers`).

    Raises
    ------
    InputError
        If an argument is not allowed, there are no such results, they are not finished, those of a study, or
        computed by other code; if the clinicians cannot be read, or the run has nobody of their cohort; if
        the loss is not positive, a change cannot be read, or the run has fewer draws; or if `out` has another
        ending or cannot be written.
    RunError
        If the disk is full, or a chunk of the results is damaged.
    """
    return expose(
        clinicians,
        against,
        loss=loss,
        what_if=what_if,
        levers=levers,
        draws=draws,
        workers=workers,
        out=out,
        quiet=quiet,
    ).report


def expose(
    clinicians: str | os.PathLike[str],
    against: str | os.PathLike[str],
    *,
    loss: float | None = None,
    what_if: str | Sequence[str] = (),
    levers: bool = False,
    draws: int | None = None,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Exposed:
    """Estimate what given clinicians win or lose, as `exposure`, and keep what it was computed from."""
    check_arguments(
        clinicians=(PATH, clinicians),
        against=(PATH, against),
        what_if=(TEXTS, what_if),
        levers=(FLAG, levers),
        draws=(optional(COUNT), draws),
        workers=(optional(COUNT), workers),
        out=(optional(PATH), out),
        quiet=(FLAG, quiet),
    )
    loss = check_loss(loss)
    if out is not None:
        out = check_output(out, inputs=[clinicians])
    run = finished_run(against)
    progress = begin(quiet=quiet)
    field = stored_field(clinicians, against, draws=draws)
    run = run.at(slice(field.draws))
    roster, scenario = field.roster, field.model.scenario
    check_cohorts(run, roster, clinicians)
    texts = [what_if] if isinstance(what_if, str) else what_if
    parsed = gather(lambda text: parse_change(text, roster, scenario), texts)
    cases = list({case.label: case for case in parsed}.values())
    with shown(progress, field, cases):
        lived = live_cases(field, cases, parts=MOST_DRAWS, workers=workers, progress=progress)
    with_parts = OwnOutcomes(*(each[:MOST_DRAWS] for each in lived[0]))
    outcomes = dict(zip([BASE, *(case.label for case in cases)], lived, strict=True))

    groups = groups_of(roster)
    levels = risk_levels_of(run)
    if levels is None:
        raise AssertionError("a store has the values of its draws")
    context = Context(levels, run.sets, field_factors(run.dataset, roster), run.prices(), loss)
    lasting = [YEARS, *(case.years for case in cases)]
    found = estimates_of_cases(outcomes, groups, context, lasting=lasting, workers=workers)
    found["field_reaction_error"], small = _reaction(found, roster, run, groups)
    told = told_of(roster, scenario)
    n = roster.count
    measured, mips = found["probability_measured"][0, :n, :YEARS].T, found["mips_forgone"][0, :n, YEARS]
    tables: dict[str, list[dict[str, Any]]] = {
        "exposure": long_table(found, list(outcomes), groups),
        "what_if": [_what_if(number, case, roster) for number, case in enumerate(cases, 1)],
        "readiness": readiness_rows(
            roster, scenario, told, measured, mips, np.nan_to_num(found["part_b_payments"][0, :n, 0])
        ),
        "untold": untold_rows(told, with_parts, groups),
        "scores": score_rows(with_parts, lived[0], groups, context.risk_levels, scenario),
    }
    if levers:
        ranked = ranked_levers(field, workers=workers, progress=begin(quiet=quiet))
        tables["levers"] = [
            {str(name): value for name, value in row.items()} for row in ranked.to_dict("records")
        ]
    full_run = None if small else _full_run(run, clinicians)
    totals = groups.sums(np.nansum(lived[0].adjustment_usd, axis=1))
    ranks = {
        "practice": ranks_of(totals[:, n:-1], run.sets),
        "clinician": ranks_of(totals[:, :n], run.sets),
    }
    report = Report(
        _dataset(found, list(outcomes), groups, run),
        facts=run.facts() | {"clinicians": os.fspath(clinicians), "loss": loss},
        head=head_of(run, tables, os.fspath(clinicians), loss, full_run),
        sections=sections_of(run, tables, ranks, loss, full_run),
        tables=tables,
    )
    if out is not None:
        _write(report, Path(out))
    return Exposed(report, run, field, totals[:, -1])


def _what_if(number: int, case: Case, roster: Roster) -> dict[str, Any]:
    """Give a case's number, text and years, and how many clinicians `supposed` finds."""
    whose, untold, reported = (int(each.sum()) for each in supposed(case, roster))
    counts = {"clinicians": whose, "untold": untold, "reported": reported}
    return {"number": number, "case": case.label, "years": case.years} | counts


def _by_cohort(run: RunResults, name: str) -> _Array:
    """Give the mean over draws of a variable of the field, (YEARS, cohorts)."""
    values = run.dataset[name].transpose("draw", "performance_year", "cohort").values
    found: _Array = np.asarray(values, dtype=np.float64).mean(axis=0)
    return found


def _reaction(
    found: Mapping[str, _Array], roster: Roster, run: RunResults, groups: Groups
) -> tuple[_Array, bool]:
    """Give the errors that a field which does not react leaves, and whether those of all are small."""
    n = roster.count
    cohort = np.repeat(np.arange(len(COHORTS)), [each.count for each in roster.cohorts])
    field_payments, field_dollars = (
        _by_cohort(run, name) for name in ("payment_year_part_b", "net_adjustment")
    )
    # In draws in which who is not measured has none.
    payments = np.nan_to_num(found["part_b_payments"] * found["probability_measured"])[:, :n, :YEARS]
    errors = []
    for dollars, paid in zip(found["mean"][:, :n, :YEARS], payments, strict=True):
        each = field_reaction_error(dollars.T, paid.T, cohort, field_dollars, field_payments)
        sums = groups.sums(each)
        errors.append(np.concatenate([sums, sums.sum(axis=0, keepdims=True)]).T)
    shares = cohort_shares(payments[0].T, cohort, field_payments)
    return np.stack(errors), is_small(float(errors[0][-1, YEARS]), float(found["sd"][0, -1, YEARS]), shares)


def _full_run(run: RunResults, clinicians: str | os.PathLike[str]) -> Call:
    """Give the run in which these clinicians are part of the field."""
    file = run.provenance.get("file") or NO_FILE
    overrides = [*run.provenance.get("overrides", []), f"population.roster={os.fspath(clinicians)}"]
    options: dict[str, Any] = {"overrides": overrides, "draws": run.count}
    if run.fixed:
        options |= {"fixed": True}
    if run.seed not in (None, PARAMETERS["run.seed"].default):
        options |= {"seed": run.seed}
    # Beside a store in which one stands, not within it.
    store = run.source if PurePath(run.source).name else str(Path(run.source).resolve())
    return Call("run", file, options | {"out": f"{store.removesuffix('.zarr')}_with_roster.zarr"})


def _dataset(found: Mapping[str, _Array], cases: list[str], groups: Groups, run: RunResults) -> xr.Dataset:
    """Label the table's numbers."""
    declared = {column.name: column for column in COLUMNS}
    along = {"case": cases, "place": None, "performance_year": [*map(str, PERFORMANCE_YEARS), ALL]}
    who = {"who": ("place", groups.who), "level": ("place", groups.level)}
    variables = {
        name: labeled(values, along, {"units": declared[name].unit, "long_name": declared[name].meaning}, who)
        for name, values in found.items()
    }
    return xr.Dataset(variables, attrs={"range_holds": run.holds})


def _write(report: Report, path: Path) -> None:
    # It names clinicians.
    with replaced(path, private=True) as file:
        if path.suffix.lower() == ".csv":
            file.write_text(report.to_csv(), encoding="utf-8")
        else:
            table = report.to_dataframe()
            # A column of Parquet has one type: years are text beside "all".
            years = {name: table[name].astype(str) for name in ("performance_year", "payment_year")}
            table.assign(**years).to_parquet(file, index=False)
