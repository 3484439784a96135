"""The headline of a run: what Medicare saves, how far that is known, and with how many clinicians."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asmrisk.analysis.digits import with_error
from asmrisk.analysis.related_runs import CLINICIANS, RelatedRuns, fixed_name
from asmrisk.analysis.report import long_rows
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.shares import BEHAVIOR, expected_at, regressors
from asmrisk.analysis.statistics import SUMMARY, Row, estimated, range_cell
from asmrisk.analysis.variance import UNRESOLVED, Unknowns, Variance, share_cell
from asmrisk.errors import NO_FILE, Call
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.published_tables import statistic

__all__ = ["PHRASES", "Headline", "headline", "listed_clinicians"]

_METRIC = "medicare_savings"
_OFFSET = "behavior.volume_offset_cut"
_MILLION = 1e-6
#: What groups are called in a sentence, where it is more than their name.
PHRASES = {BEHAVIOR: "the response to incentives (behavior, with exits)"}


class Headline(NamedTuple):
    """Lines before any table, and what they say as rows."""

    lines: tuple[tuple[str | Call, ...], ...]  #: parts of each line, as `asmrisk.errors.joined` takes them
    #: ``figure`` (``central``, ``all_draws``, ``preliminary_list``), ``units``, ``clinicians``, ``mean``,
    #: ``mean_error``, ``p05``, ``p95`` (NaN where a range would not compare), ``range_holds`` (``none`` for
    #: an estimate without one), and ``source``: ``this run``, ``regression`` or another store.
    rows: list[Row]


def listed_clinicians() -> int:
    """Count the clinicians on CMS's preliminary list of participants: 6,510, on 6,637 rows."""
    table, key = "asm_py2027_preliminary_participants", "distinct_npi_exact_after_normalisation"
    return int(statistic(table, "value", section="file", key=key))


def headline(run: RunResults, unknowns: Unknowns | None, found: Variance | None) -> Headline:
    """Say what Medicare saves over all performance years, and how far that is known.

    Parameters
    ----------
    run : RunResults
        With a provenance.
    unknowns : Unknowns or None
        As `asmrisk.analysis.variance.read_unknowns` gives them.
    found : Variance or None
        What the variance of ``medicare_savings`` comes from; None if nothing is unknown.

    Returns
    -------
    Headline
        Savings at the central assumptions, from a run beside this one that has them, else from a regression
        and with the command that makes that run; their range and what it comes from; savings with the
        clinicians of CMS's preliminary list, from such a run, else the command that makes it; the volume
        offset, which is taken off all of them already.
    """
    related = RelatedRuns(run)
    figures = [_figure(run, "all_draws", "this run")]
    if run.holds == "chance":
        lines = [_without_unknowns(run, figures[0])]
    else:
        central, line = _central(run, related, unknowns, figures[0])
        figures += [central] if central else []
        lines = [line, (_doubt(run, figures[0], found),)]
    if not np.isnan(figures[0]["clinicians"]):
        listed, line = _with_the_list(run, related)
        figures += [listed] if listed else []
        lines.append(line)
    # Results of an earlier version have none.
    if "volume_offset" in run.dataset:
        lines.append(_volume_offset(run))
    return Headline(tuple(lines), figures)


def _figure(run: RunResults, figure: str, source: str) -> Row:
    """Estimate what a run's Medicare saves over all years."""
    (row,) = long_rows([(_METRIC, estimated(SUMMARY, run.draws(_METRIC), sets=run.sets))])
    return {"figure": figure, "clinicians": _clinicians(run)} | row | {"source": source}


def _clinicians(run: RunResults) -> float:
    """Give the number of clinicians that a scenario states; NaN if it is unknown, or nothing says it."""
    if CLINICIANS in run.unknowns:
        return np.nan
    definition = run.provenance.get("scenario", {}).get("definition", {})
    return float(definition.get("population", {}).get(CLINICIANS.partition(".")[2], np.nan))


def _mean(row: Row) -> str:
    return f"${with_error(row['mean'] * _MILLION, row['mean_error'] * _MILLION)} million"


def _range(row: Row) -> str:
    return f"${range_cell(row, _MILLION)} million"


def _counted(run: RunResults) -> str:
    """Name what is counted, over which years, in dollars of which year."""
    years = run.dataset["performance_year"].values
    dollars = "" if run.dollar_year is None else f", in {run.dollar_year} dollars"
    return f"of Medicare savings, {years[0]} to {years[-1]} together{dollars}"


def _without_unknowns(run: RunResults, row: Row) -> tuple[str | Call, ...]:
    fixed = run.provenance.get("fixed")
    start = "At the central assumptions" if fixed else "At these assumptions"
    return (
        f"{start}: {_mean(row)} {_counted(run)}. Chance alone: {_range(row)} (5-95%); doubt about the "
        "assumptions is not in it.",
    )


def _volume_offset(run: RunResults) -> tuple[str]:
    """Say how much of what the adjustments keep is paid for more services."""
    kept, offset = (
        long_rows([(name, estimated(SUMMARY, run.draws(name), sets=run.sets))])[0]
        for name in ("retained_savings", "volume_offset")
    )
    return (
        f"Volume offset: {_assumed_offset(run)} {_mean(offset)}; it is taken off already. Cuts less raises "
        f"keep {_mean(kept)}. Both are in dollars of the payment years.",
    )


def _assumed_offset(run: RunResults) -> str:
    """Name the assumption that the volume offset rests on, if the run knows it, before what it comes to."""
    behavior = run.provenance.get("scenario", {}).get("definition", {}).get("behavior", {})
    share = behavior.get(_OFFSET.partition(".")[2])
    if not isinstance(share, int | float):
        return "services that make up for cuts cost"
    doubted = " (the median of its doubt)" if _OFFSET in run.unknowns else ""
    return f"a share of {share:.2f}{doubted} of cuts is won back by more services, which costs"


def _central(
    run: RunResults, related: RelatedRuns, unknowns: Unknowns | None, whole: Row
) -> tuple[Row | None, tuple[str | Call, ...]]:
    """Say what Medicare saves with every unknown at its median, and on average over all draws."""
    start = "At the central assumptions: "
    average = f"On average over what is unknown: {_mean(whole)}."
    if other := related.at_central_values():
        row = _figure(other, "central", other.source)
        return row, (f"{start}{_mean(row)} {_counted(run)}. {average}",)
    alone = f"{average.removesuffix('.')} {_counted(run)}."
    exact = ("This gives the exact figure:", _command(run, {"fixed": True}, fixed_name(run.source)))
    if unknowns is None or related.central_values is None:
        return None, (f"{start}not known. {alone} ", *exact)
    at = [related.central_values[name] for name in unknowns.names]
    columns, _ = regressors(np.vstack([unknowns.values, at]), unknowns.words)
    values = np.asarray(run.draws(_METRIC).values, dtype=np.float64)
    value, error = expected_at(values, run.sets, columns[:-1], columns[-1])
    if np.isnan(value):
        return None, (f"{start}too few parameter sets to tell. {alone} ", *exact)
    row = _figure(run, "central", "regression")
    row |= {name: np.nan for name in row if name.startswith(("p05", "p50", "p95", "sd"))}
    row |= {"mean": value, "mean_error": error, "range_holds": "none"}
    text = f"{start}{_mean(row)} {_counted(run)}, estimated by regression on what is unknown. {average} "
    return row, (text, *exact)


def _doubt(run: RunResults, row: Row, found: Variance | None) -> str:
    """Say within what range savings are, and what makes it so wide."""
    if run.set_count < 2:
        return "Doubt: one parameter set does not tell."
    text = f"Doubt: {_range(row)} (5-95%, {run.holds.replace('_', ' ')})"
    groups = found.by_group(_METRIC) if found else {}
    # Without those of which nothing is unknown.
    groups = {name: each for name, each in groups.items() if each["error"] != 0.0}
    order = sorted(groups.values(), key=lambda each: (each["group"] != BEHAVIOR, -each["share"]))
    # The first is what the others are added to.
    told = [
        f"{f'{PHRASES[name]} is' if (name := each['group']) in PHRASES else name} {share_cell(each)}%"
        for each in order
    ]
    resolved = [phrase for phrase, each in zip(told, order, strict=True) if each["low"] > 0.0]
    unresolved = [each["group"] for each in order if not each["low"] > 0.0]
    if resolved:
        text += f", of which {', '.join(resolved)} of the variance"
    return f"{text}; {UNRESOLVED}: {', '.join(unresolved)}." if unresolved else f"{text}."


def _with_the_list(run: RunResults, related: RelatedRuns) -> tuple[Row | None, tuple[str | Call, ...]]:
    """Say what Medicare saves with the clinicians of CMS's preliminary list."""
    count, own = listed_clinicians(), _clinicians(run)
    if own == count:
        return None, (f"The number of clinicians is that of CMS's preliminary list ({count:,}).",)
    if listed := run.provenance.get("participant_list"):
        # Another number would contradict it.
        return None, (f"The clinicians are those of the list of participants {listed['file']} ({own:,.0f}).",)
    projected = "the projected " if own == PARAMETERS[CLINICIANS].default else ""
    start = f"With CMS's preliminary list ({count:,} clinicians) instead of {projected}{own:,.0f}: "
    if other := related.with_clinicians(count):
        row = _figure(other, "preliminary_list", other.source)
        central = " at the central assumptions" if run.unknowns else ""
        return row, (f"{start}{_mean(row)}{central}.",)
    place = f"{os.fspath(run.source).removesuffix('.zarr')}_preliminary_list.zarr" if run.source else ""
    fixed: dict[str, Any] = {"fixed": True} if run.unknowns or run.fixed else {}
    return None, (
        f"{start}not run yet. This runs it:",
        _command(run, fixed | {"overrides": [f"{CLINICIANS}={count}"]}, place),
    )


def _command(run: RunResults, options: dict[str, Any], place: str) -> Call:
    """Give the run of the same scenario and seed with other options, to a place beside this one's."""
    file = run.provenance.get("file") or NO_FILE
    seed = {} if run.seed in (None, PARAMETERS["run.seed"].default) else {"seed": run.seed}
    default = Path("results") / f"{Path(file).stem}_fixed.zarr"
    out = {} if not run.source or (len(options) == 1 and Path(place) == default) else {"out": place}
    # What is given takes the place of what the run had.
    stated = (*run.provenance.get("overrides", []), *options.pop("overrides", []))
    by_name = {each.partition("=")[0].strip(): each for each in stated}
    overrides = {"overrides": list(by_name.values())} if by_name else {}
    return Call("run", file, options | overrides | seed | out)
