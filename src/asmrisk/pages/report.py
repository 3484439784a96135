"""The report of a run: one page that answers first, and the same as a workbook."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from asmrisk.analysis.comparison_text import differing_values
from asmrisk.analysis.digits import with_error
from asmrisk.analysis.report import Section
from asmrisk.analysis.roster_report import roster_headline, roster_sections
from asmrisk.analysis.run_results import RESULTS, RunResults
from asmrisk.analysis.statistics import HOLDS, scale_of
from asmrisk.analysis.transitions import change_sections
from asmrisk.arguments import FLAG, NATURAL, PATH, check_arguments, instance, optional
from asmrisk.charts.adjustment_factors import adjustment_factors_chart
from asmrisk.charts.chart import Chart
from asmrisk.charts.convergence import convergence_chart
from asmrisk.charts.differences import differences_chart
from asmrisk.charts.doubt import doubt_chart
from asmrisk.charts.exceedance import exceedance_chart
from asmrisk.charts.exposure import exposure_chart
from asmrisk.charts.futures import futures_chart
from asmrisk.charts.indices import indices_chart
from asmrisk.charts.penalized import penalized_chart
from asmrisk.charts.readings import readings_chart
from asmrisk.charts.savings import savings_chart
from asmrisk.charts.score_curve import score_curve_chart
from asmrisk.charts.tornado import tornado_chart
from asmrisk.charts.waterfall import waterfall_chart
from asmrisk.charts.words import counted
from asmrisk.clinician_tables.table import replaced
from asmrisk.errors import InputError, printable
from asmrisk.pages.answers import answers, question
from asmrisk.pages.findings import Findings, LeftOut, Results, find
from asmrisk.pages.page import check_page, rendered, write_page
from asmrisk.pages.places import Places
from asmrisk.pages.tables import (
    Listing,
    assumptions,
    by_year,
    changed_values,
    key_figures,
    parameters,
    readings,
    reform_ranks,
    sources_of_variance,
)
from asmrisk.pages.workbook import check_workbook, write_workbook
from asmrisk.rule.definitions import PAYMENT_LAG
from asmrisk.studies.study import Study

__all__ = ["report"]

_STUDY = instance("a study, or the path of its file", str, os.PathLike, Study)


def report(
    results: Results,
    *reforms: Results,
    study: Study | str | os.PathLike[str] | None = None,
    exposure: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "report.html",
    excel: str | os.PathLike[str] | None = None,
    replay_draws: int | None = None,
    partial: bool = False,
) -> list[Path]:
    """Write a page that says what a run, and reforms against it, come to.

    The page is one file that needs no network: answers in a few sentences, key figures, charts with their
    data, assumptions by what they weigh, evidence, readings, method, and where all comes from. It is the same
    to the byte for the same results, versions of asmrisk and matplotlib.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave.
    *reforms : path or xarray.Dataset
        Results that are compared with them, as `asmrisk.compare` does.
    study : Study or path, optional
        A study that `asmrisk.sensitivity` has run; its store is looked for beside the results and in
        ``results``.
    exposure : path, optional
        A roster; what its clinicians risk in the field of the results, as `asmrisk.exposure` says.
    out : path
        File of the page, ``.html``; replaced if it exists.
    excel : path, optional
        A workbook with every figure too, ``.xlsx``; replaced if it exists.
    replay_draws : int, optional
        How many draws are simulated again to see which clinicians gain and which lose, as for
        `asmrisk.compare`. If not given, 8 for one reform; the page says so where that cannot be done.
    partial : bool
        Take the finished draws of runs that are not finished.

    Returns
    -------
    list of pathlib.Path
        The files written. Only their owner may read them (mode 0600) if they say what given clinicians risk,
        or if results are of a roster.

    Raises
    ------
    InputError
        If there are no such results, they are not finished, or those of a study; an argument is not among
        those allowed; results lack a performance year; reforms cannot be compared with the results; the study
        has not been run; the clinicians cannot be read; a file cannot be written; or a workbook is asked for
        and XlsxWriter is missing.
    RunError
        If the disk is full, or results are damaged.
    """
    check_arguments(
        results=(RESULTS, results),
        study=(optional(_STUDY), study),
        exposure=(optional(PATH), exposure),
        out=(PATH, out),
        excel=(optional(PATH), excel),
        replay_draws=(optional(NATURAL), replay_draws),
        partial=(FLAG, partial),
    )
    for each in reforms:
        check_arguments(reforms=(RESULTS, each))
    inputs = [each for each in (study, exposure) if isinstance(each, str | os.PathLike)]
    page = check_page(out, "out", inputs=inputs)
    book = None if excel is None else check_workbook(excel, inputs)
    first, *others = map(_with_name, (results, *reforms))
    found = find(first, others, study=study, exposure=exposure, replay_draws=replay_draws, partial=partial)
    charts, found = _charts(found)
    runs = (found.run, *found.reforms)
    places = Places([*(each.source for each in runs), *(os.fspath(each) for each in inputs)])
    again = _commands(found, places, study, exposure, replay_draws=replay_draws, partial=partial)
    text = rendered("report.html.j2", shown=places.shown, **_context(found, charts, places), commands=again)
    # They name clinicians or practices.
    private = exposure is not None or any(each.has_roster for each in runs)
    write_page(page, text, "out", private=private)
    if book is None:
        return [page]
    with replaced(book, "excel", private=private) as file:
        write_workbook(file, found, charts, places.shown)
    return [page, book]


def _with_name(results: Results) -> Results:
    """Give a path its last name, so that texts can name it without its folders: ``.`` has none."""
    nameless = isinstance(results, str | os.PathLike) and PurePath(results).name in ("", "..")
    return Path(results).resolve() if nameless else results


#: So many reforms have a panel each; more stand side by side.
_MOST_PANELS = 3
#: Charts by what they show, which is said where one cannot be drawn.
_CHARTS: dict[str, Callable[[Findings], Chart | None]] = {
    "Chart of savings": lambda found: savings_chart(found.run),
    "Chart of the dollars that savings consist of": lambda found: waterfall_chart(found.run),
    "Chart of what reforms change": lambda found: _differences(found),
    "Chart of what doubt is made of": lambda found: (
        doubt_chart(found.run, report=found.doubt) if found.doubt else None
    ),
    "Chart of how likely savings are": lambda found: exceedance_chart(found.run),
    "Chart of adjustment factors": lambda found: adjustment_factors_chart(found.run),
    "Chart of the factor of a score": lambda found: score_curve_chart(found.run),
    "Chart of the share penalized": lambda found: penalized_chart(found.run),
    "Chart of a study's effects": lambda found: _of_study(found),
    "Chart of what given clinicians risk": lambda found: (
        exposure_chart(found.exposed.report) if found.exposed else None
    ),
    "Chart of the given clinicians' futures": lambda found: _futures(found),
    "Chart of convergence": lambda found: convergence_chart(found.run),
}


def _differences(found: Findings) -> Chart | None:
    if not found.reforms:
        return None
    chart = differences_chart if len(found.reforms) <= _MOST_PANELS else readings_chart
    return chart(found.run, *found.reforms)


def _of_study(found: Findings) -> Chart | None:
    if found.study is None:
        return None
    shares = {"first", "total", "mu_star"} & {row["statistic"] for row in found.study.tables["findings"]}
    return indices_chart(found.study) if shares else tornado_chart(found.study)


def _futures(found: Findings) -> Chart | None:
    if found.exposed is None or not found.exposed.totals.any():
        return None
    return futures_chart(found.exposed.run, found.exposed.totals, "the given clinicians")


def _charts(found: Findings) -> tuple[list[Chart], Findings]:
    """Make the charts that the results have data for; the others are left out with the reason."""
    charts, left_out = [], list(found.left_out)
    for what, chart in _CHARTS.items():
        try:
            made = chart(found)
        except InputError as error:
            left_out.append(LeftOut(what, " ".join(each.to_line() for each in error.problems)))
            continue
        if made is not None:
            charts.append(made)
    return charts, replace(found, left_out=tuple(left_out))


def _name(run: RunResults, places: Places) -> str:
    return places.name(run.source) or "RESULTS"


def _context(found: Findings, charts: Sequence[Chart], places: Places) -> dict[str, Any]:
    """Give what the template shows."""
    years = [int(year) for year in found.run.dataset["performance_year"].values]
    contents = {
        "charts": "Charts",
        "reforms": "Reforms" if found.reforms else "",
        "roster": "Roster" if "roster" in found.summary.details else "",
        "assumptions": "Assumptions" if found.doubt else "",
        "study": "Study" if found.study else "",
        "exposure": "Clinicians" if found.exposed else "",
        "evidence": "Evidence",
        "readings": "Readings",
        "method": "Method",
        "origin": "Where it comes from",
        "left-out": "Not here" if found.left_out else "",
    }
    contested, roster = readings(found), found.summary.details.get("roster")
    if contested is None:
        del contents["readings"]
    return {
        "found": found,
        "question": question(found),
        "answers": answers(found),
        "charts": charts,
        "key_figures": key_figures(found),
        "by_year": by_year(found),
        "unknowns": _assumptions(found.run.unknown_count),
        "years": f"{years[0]} to {years[-1]}",
        "reading": _reading(found),
        "contents": [(name, title) for name, title in contents.items() if title],
        "reform_values": [
            (label, differing_values(found.run, reform))
            for label, reform in zip(found.labels, found.reforms, strict=True)
        ],
        "ranks": reform_ranks(found),
        "reform_sections": list(_who_changes(found)),
        "roster": roster_sections(roster) if roster is not None else [],
        "roster_words": roster_headline(roster) if roster is not None else "",
        "assumptions": assumptions(found),
        "variance": list(sources_of_variance(found)),
        "evidence": _evidence(found),
        "readings": contested,
        "calendar": Listing(
            ("performance year", "data of the year are submitted", "payments that are adjusted"),
            [(str(year), str(year + 1), str(year + PAYMENT_LAG)) for year in years],
        ),
        "origin": _origin(found, places),
        "changed": changed_values(found),
        "parameters": parameters(found),
        "file": found.run.provenance.get("file") or "SCENARIO.toml",
        "name": _name(found.run, places),
    }


def _assumptions(count: int) -> str:
    """Say how many are unknown, with the verb."""
    return f"{counted(count, 'assumption')} {'is' if count == 1 else 'are'}"


def _reading(found: Findings) -> str:
    """Say how the key figures are to be read."""
    words = ["One simulated future."] if found.run.count == 1 else ["Mean over simulated futures."]
    if found.run.set_count > 1:
        words = ["Mean over simulated futures ± its standard error."]
        words.append(f"Ranges hold {HOLDS[found.run.holds]}.")
    if found.reforms:
        words.append("Differences are reform minus run, paired future by future.")
    names = (
        "medicare_savings",
        "net_adjustment",
        "net_of_mips",
        "net_of_costs",
        "retained_savings",
        "volume_offset",
        "episode_savings",
        "net_adjustment_per_clinician_year",
    )
    return " ".join([*words, *found.run.dollar_words(names)])


def _who_changes(found: Findings) -> list[Section]:
    """Show who gains and who loses by each reform, of draws simulated again."""
    changes = None if found.comparison is None else found.comparison.details.get("changes")
    if changes is None:
        return []
    sections = []
    for place, label in enumerate(found.labels):
        sections += [Section((f"{label}:",))] if len(found.labels) > 1 else []
        sections += change_sections(changes.isel(reform=place))
    return sections


def _evidence(found: Findings) -> Listing | None:
    rows = []
    for row in found.evidence:
        scale, units = scale_of(row["units"], abs(row["published"]))
        rows.append(
            (
                f"{row['topic']}: {row['title']}{units}",
                f"{row['published'] * scale:,.6g}",
                with_error(row["simulated"] * scale, row["error"] * scale).removesuffix(" ± n/a"),
                row["verdict"].partition(":")[0],
                "in sample" if row["in_sample"] else "out of sample",
                row["source"],
            )
        )
    heads = ("fact", "published", "simulated ± error", "verdict", "kind", "source")
    return Listing(heads, rows, heads[1:3]) if rows else None


def _origin(found: Findings, places: Places) -> Listing:
    """Say which results these are, by which software, without naming a folder of any machine."""
    rows = []
    for run in (found.run, *found.reforms):
        record = run.provenance
        facts = {
            "results": _name(run, places) if run.source else "a dataset in memory",
            "scenario": run.title,
            "file": PurePath(record.get("file") or "").name,
            "draws": f"{run.count:,}" + (f" ({run.partial})" if run.partial else ""),
            "parameter sets": f"{run.set_count:,}" if run.unknowns else "",
            "seed": "" if run.seed is None else str(run.seed),
            "identity": str(record.get("identity", ""))[:12],
            "code": str(record.get("code", ""))[:12],
            "made": str(record.get("created", "")),
            "software": ", ".join(f"{name} {each}" for name, each in record.get("software", {}).items()),
            "rule": run.rule,
        }
        rows += [(run.title, name, each) for name, each in facts.items() if each]
    rows.append(("this page", "made by", f"asmrisk {version('asmrisk')}, matplotlib {version('matplotlib')}"))
    return Listing(("of", "what", "value"), rows)


def _commands(
    found: Findings, places: Places, study: Any, exposure: Any, *, replay_draws: int | None, partial: bool
) -> list[str]:
    """Write the commands that make the page again."""
    lines = []
    for run in (found.run, *found.reforms):
        record, name = run.provenance, _name(run, places)
        if not (run.source and record.get("file")):
            lines.append(f"# {printable(name)} ({run.title}) was made in Python.")
            continue
        words = ["asmrisk", "run", record["file"]]
        for override in record.get("overrides", []):
            words += ["--set", override]
        words += ["--fixed"] * bool(run.fixed)
        words += ["--draws", str(run.asked)]
        words += [] if run.seed is None else ["--seed", str(run.seed)]
        lines.append(shlex.join([*words, "--out", name]))
    words = ["asmrisk", "report", *(_name(each, places) for each in (found.run, *found.reforms))]
    if found.studied is not None and found.studied.source is not None:
        name = found.studied.source.name if isinstance(study, Study) else places.name(os.fspath(study))
        lines.append(shlex.join(["asmrisk", "sensitivity", name]))
        words += ["--study", name]
    if exposure is not None:
        words += ["--exposure", places.name(os.fspath(exposure))]
    if replay_draws is not None:
        words += ["--replay-draws", str(replay_draws)]
    return [*lines, shlex.join([*words, *["--partial"] * partial])]
