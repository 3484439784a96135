"""The figures of a report as a workbook: a cover, contents, notes, and one tidy table a sheet."""

from __future__ import annotations

import importlib.util
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from asmrisk.analysis.statistics import HOLDS
from asmrisk.charts.chart import Chart
from asmrisk.clinician_tables.table import check_output
from asmrisk.errors import InputError, printable
from asmrisk.pages.answers import answers, question
from asmrisk.pages.findings import Findings
from asmrisk.pages.tables import parameters

__all__ = ["check_workbook", "write_workbook"]

_NEEDS_XLSXWRITER = "a workbook needs XlsxWriter: install asmrisk[excel], or leave the workbook out"
#: In place of the time of writing, so that equal figures are equal files.
_CREATED = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_WIDEST, _LONGEST_NAME = 48, 31
#: Columns that are told in the unit that stands in a row's column ``units``.
_PLAIN = re.compile(
    r"metric|units|performance_year|payment_year|cohort|specialty|practice_size|practice|clinician|quantile|"
    r"draws|parameter_sets|range_holds|scenario|rank_first|rank_last|partial|group|component|unknown|verdict|"
    r"figure|source|clinicians|tied|larger.*|below_zero.*|unpaired_draws|score_decile"
)
_SHARES = re.compile(r"tied|larger.*|below_zero.*|share|probability.*")


def check_workbook(path: str | os.PathLike[str], inputs: Sequence[Any]) -> Path:
    """Check, before any work, that a workbook can be written."""
    found = check_output(path, "excel", "a workbook", inputs=inputs, endings=(".xlsx",))
    if importlib.util.find_spec("xlsxwriter") is None:
        raise InputError(_NEEDS_XLSXWRITER, argument="excel", where=str(path))
    return found


def write_workbook(path: Path, found: Findings, charts: Sequence[Chart], shown: Callable[[str], str]) -> None:
    """Write the workbook.

    Parameters
    ----------
    path : pathlib.Path
        The file, which is new.
    found : Findings
        What is reported.
    charts : sequence of Chart
        Whose data have a sheet each.
    shown : callable
        Takes folders of this machine out of a text.
    """
    import xlsxwriter  # An extra, which only a workbook needs.

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with path.open("wb") as file, xlsxwriter.Workbook(file, options) as book:
        book.set_properties({"title": printable(shown(question(found))), "created": _CREATED})
        styles = {
            "head": book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1}),
            "title": book.add_format({"bold": True, "font_size": 16, "text_wrap": True}),
            "words": book.add_format({"text_wrap": True, "valign": "top"}),
        }
        tables = list(_tables(found, charts))
        cover = book.add_worksheet("Cover")
        cover.set_column(0, 0, 34)
        cover.set_column(1, 1, 90)
        cover.write_string(0, 0, printable(shown(question(found))), styles["title"])
        lines = [(each.question, " ".join(each.words)) for each in answers(found)]
        _rows(cover, 2, lines, styles["words"], shown)
        contents = book.add_worksheet("Contents")
        _table(
            contents,
            pd.DataFrame([each[:2] for each in tables], columns=["sheet", "what it holds"]),
            styles["head"],
            shown,
        )
        notes = book.add_worksheet("Notes")
        notes.set_column(0, 0, 34)
        notes.set_column(1, 1, 90)
        _rows(notes, 0, _notes(found), styles["words"], shown)
        for name, _, frame in tables:
            _table(book.add_worksheet(name), frame, styles["head"], shown)


def _tables(found: Findings, charts: Sequence[Chart]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Give the name of each sheet, what it holds, and its table."""
    reports = {
        "Summary": (found.summary, "Figures of the run"),
        "Doubt": (found.doubt, "What outcomes vary by"),
        "Compare": (found.comparison, "Reforms against the run"),
        "A clinician": (found.per_clinician, "Reforms against the run, $ a clinician and year"),
        "Study": (found.study, "The study"),
        "Exposure": (found.exposed and found.exposed.report, "What the given clinicians risk"),
    }
    names: set[str] = set()
    for title, (each, what) in reports.items():
        for name, rows in ({} if each is None else each.tables).items():
            if rows:
                yield (
                    _sheet_name(f"{title}, {name.replace('_', ' ')}", names),
                    f"{what}: {name.replace('_', ' ')}",
                    _with_units(pd.DataFrame(rows)),
                )
    if found.evidence:
        yield (
            _sheet_name("Evidence", names),
            "Published facts that the results hold",
            _with_units(pd.DataFrame(found.evidence)),
        )
    for chart in charts:
        yield _sheet_name(f"Chart {chart.name}", names), chart.headline, chart.data
    if listed := parameters(found):
        yield (
            _sheet_name("Parameters", names),
            "Every parameter of the run",
            pd.DataFrame(listed.rows, columns=list(listed.heads)),
        )


def _sheet_name(name: str, taken: set[str]) -> str:
    """Give a name that a sheet may have and no other has."""
    clean = re.sub(r"[\[\]:*?/\\']", " ", printable(name))[:_LONGEST_NAME].strip()
    for number in range(2, 1000):
        if clean.lower() not in taken:
            break
        clean = f"{clean[: _LONGEST_NAME - 4]} {number}"
    taken.add(clean.lower())
    return clean


def _with_units(frame: pd.DataFrame) -> pd.DataFrame:
    """Say in heads in which unit numbers are: of rows of several units, that of the row."""
    heads = {}
    units = frame["units"].unique().tolist() if "units" in frame else []
    for name in map(str, frame.columns):
        if _SHARES.fullmatch(name):
            heads[name] = f"{name}, fraction"
        elif units and not _PLAIN.fullmatch(name) and pd.api.types.is_float_dtype(frame[name]):
            heads[name] = f"{name}, {units[0]}" if len(units) == 1 else f"{name}, in the row's units"
    return frame.rename(columns=heads)


def _notes(found: Findings) -> Iterator[tuple[str, str]]:
    run = found.run
    yield "Reading", "Each row holds an estimate with its standard error (columns that end in _error)."
    if run.set_count > 1:
        yield "Ranges", f"5 and 95% of draws (p05, p95); they hold {HOLDS[run.holds]}."
    yield "Empty cells", "Not computed, or not defined."
    for line in run.dollar_words(("medicare_savings", "net_adjustment", "part_b_paid", "episode_savings")):
        yield "Dollars", line
    yield "Scenario", f"{run.title}: {run.count:,} draws" + ("" if run.seed is None else f", seed {run.seed}")
    for label in found.labels:
        yield "Reform", label
    if run.rule:
        yield "Rule", run.rule
    for each in found.remarks:
        yield "Note", each
    for what, why in found.left_out:
        yield f"Not here: {what}", why
    yield "Origin", "asmrisk is not a product of CMS, and no advice."


def _rows(sheet: Any, first: int, rows: Any, style: Any, shown: Callable[[str], str]) -> None:
    for at, (name, text) in enumerate(rows, first):
        sheet.write_string(at, 0, printable(shown(name)), style)
        sheet.write_string(at, 1, printable(shown(text)), style)


def _table(sheet: Any, frame: pd.DataFrame, head: Any, shown: Callable[[str], str]) -> None:
    """Write a table: heads that stay, columns as wide as what they hold, texts as texts."""
    sheet.freeze_panes(1, 1)
    for column, name in enumerate(map(str, frame.columns)):
        sheet.write_string(0, column, printable(shown(name)), head)
        longest = len(name) / 2
        for at, value in enumerate(frame.iloc[:, column].tolist(), 1):
            longest = max(longest, _cell(sheet, at, column, value, shown))
        sheet.set_column(column, column, min(_WIDEST, longest + 2))


def _cell(sheet: Any, row: int, column: int, value: Any, shown: Callable[[str], str]) -> int:
    """Write a cell, and give its width; what is missing or infinite stays empty."""
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
        return 5
    if isinstance(value, int | float):
        if math.isfinite(value):
            sheet.write_number(row, column, value)
        return 12
    if value is None:
        return 0
    text = printable(shown(str(value)))
    sheet.write_string(row, column, text[:32767])
    return len(text)
