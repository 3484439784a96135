"""A workbook or text to fill in with one's own clinicians: columns, what is allowed, examples, notes."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pandas as pd

from asmrisk.clinician_tables.checks import KNOWN_YEARS
from asmrisk.clinician_tables.columns import REQUIRED, input_columns
from asmrisk.clinician_tables.examples import EXAMPLE_IDS, example_row
from asmrisk.clinician_tables.layout import TABLE_SHEET
from asmrisk.clinician_tables.table import check_output, replaced
from asmrisk.clinician_tables.workbook import NEEDS_OPENPYXL, has_openpyxl
from asmrisk.errors import InputError, unknown
from asmrisk.rule.columns import Column
from asmrisk.rule.definitions import COHORTS, MEASURES

__all__ = ["template"]

#: Rows below the header in which a spreadsheet program checks what is typed.
_CHECKED_ROWS = 2000
_NOTES = (
    "One row is one clinician in one year. The sheet serves `asmrisk exposure`, `asmrisk score` and `asmrisk "
    "run`, where a scenario names it as population.roster.",
    "A roster holds past years, up to the first performance year; what is not known is left empty. Columns "
    "that nothing is known of may be deleted.",
    "`asmrisk score` needs a whole cohort, performance years, and every column that is not optional.",
    "The example rows are left out as long as they are as they were; they may stay or be deleted. Written "
    "over, they are refused until they have an identity of their own.",
    "Fractions may be written as 68% or 0.68, dollars with $ and thousands separators.",
)


def template(cohort: str | None = None, *, out: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Give a table of clinicians to fill in, with two examples of each cohort.

    Parameters
    ----------
    cohort : str, optional
        Whose measures have columns; by default both cohorts'.
    out : path, optional
        Where to write it: ``.xlsx``, with a list of what is allowed in each column and a sheet of notes, or
        ``.csv``. An existing file is not replaced: it may have been filled in.

    Returns
    -------
    pandas.DataFrame
        The examples: what may be given of a clinician, None where nothing is. They are left out where the
        table is read.

    Raises
    ------
    InputError
        If there is no such cohort, the place cannot be written to or has a file already, or openpyxl is
        missing for a workbook.
    RunError
        If the disk is full.

    Examples
    --------
    >>> list(template("heart_failure"))[:4]
    ['clinician_id', 'practice_id', 'billing_practice_id', 'area']
    """
    if cohort is not None and cohort not in COHORTS:
        raise InputError(replace(unknown("cohort", cohort, COHORTS), argument="cohort"))
    columns = _columns(COHORTS if cohort is None else (cohort,))
    rows = [example_row(*of) for of in EXAMPLE_IDS.values() if cohort in (None, of[0])]
    frame = pd.DataFrame(
        [[row.get(each.name) for each in columns] for row in rows],
        columns=[each.name for each in columns],
        dtype=object,
    )
    if out is not None:
        path = check_output(out, endings=(".xlsx", ".csv"))
        if path.exists():
            raise InputError("is there already; give another name", argument="out", where=str(path))
        if path.suffix.lower() == ".xlsx" and not has_openpyxl():
            raise InputError(NEEDS_OPENPYXL, argument="out", where=str(path))
        with replaced(path) as file:
            if path.suffix.lower() == ".xlsx":
                _write_workbook(file, columns, frame)
            else:
                frame.to_csv(file, index=False, lineterminator="\n")
    return frame


def _columns(cohorts: tuple[str, ...]) -> list[Column]:
    """Give the columns of inputs that the final rule's measures have, with a roster's years too."""
    other = tuple(f"{measure.name}_" for measure in MEASURES if not measure.final)
    return [
        replace(each, low=KNOWN_YEARS.first) if each.name == "performance_year" else each
        for each in input_columns(cohorts)
        if not each.name.startswith(other)
    ]


def _need(column: Column) -> str:
    """Say who needs a column."""
    if column.name in REQUIRED:
        return "always"
    return "optional" if column.optional else "to score"


def _write_workbook(file: Path, columns: list[Column], frame: pd.DataFrame) -> None:
    # It takes long to import, and may be missing.
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.writer.excel import ExcelWriter

    book = Workbook()
    sheet = book.active
    sheet.title = TABLE_SHEET
    sheet.append(list(frame))
    for row in frame.itertuples(index=False):
        sheet.append([None if pd.isna(cell) else cell for cell in row])
    sheet.freeze_panes = "B2"
    needed, example = PatternFill("solid", fgColor="FFDDEBF7"), Font(italic=True, color="FF7F7F7F")
    for number, column in enumerate(columns, 1):
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = max(12, len(column.name) + 2)
        head = sheet.cell(1, number)
        head.font = Font(bold=True)
        if column.name in REQUIRED:
            head.fill = needed
        for place in range(2, len(frame) + 2):
            sheet.cell(place, number).font = example
        if column.kind == "text":  # Spreadsheet programs keep zeros in front, and all digits, of text alone.
            sheet.column_dimensions[letter].number_format = "@"
        _check_typing(sheet, column, f"{letter}2:{letter}{_CHECKED_ROWS}")

    notes = book.create_sheet("Notes")
    for note in _NOTES:
        notes.append([note])
    notes.append([])
    notes.append(["column", "needed", "unit", "allowed", "meaning"])
    for cell in notes[notes.max_row]:
        cell.font = Font(bold=True)
    for column in columns:
        empty = ", or empty" if column.empty or _need(column) != "always" else ""
        notes.append([column.name, _need(column), column.unit, f"{column.allowed}{empty}", column.meaning])
    for letter, width in zip("ABCDE", (34, 10, 26, 60, 90), strict=True):
        notes.column_dimensions[letter].width = width
    for row in notes.iter_rows(min_row=len(_NOTES) + 2):
        for cell in row:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    # Written whole and closed here: where a disk is full, a half-written archive complains again when it is
    # thrown away.
    whole = BytesIO()
    with ZipFile(whole, "w", ZIP_DEFLATED) as archive:
        ExcelWriter(book, archive).save()
    file.write_bytes(whole.getvalue())


def _check_typing(sheet: Any, column: Column, cells: str) -> None:
    """Have a spreadsheet program say what a column may hold, and refuse numbers and words beyond it."""
    # As above.
    from openpyxl.worksheet.datavalidation import DataValidation

    if column.kind == "word":
        rule = DataValidation(type="list", formula1=f'"{",".join(column.words)}"', allow_blank=True)
    elif column.kind == "text":
        rule = DataValidation()
    else:
        kind, bounded = "whole" if column.kind == "integer" else "decimal", not math.isinf(column.high)
        rule = DataValidation(
            type=kind,
            operator="between" if bounded else "greaterThanOrEqual",
            formula1=f"{column.low:g}",
            formula2=f"{column.high:.12g}" if bounded else None,
            allow_blank=True,
        )
    # A spreadsheet program shows at most 32 and 255 characters.
    rule.promptTitle, rule.prompt = column.name[:32], f"{column.meaning}. {column.allowed}"[:255]
    rule.errorTitle, rule.error = column.name[:32], f"allowed: {column.allowed}"[:255]
    rule.showInputMessage = rule.showErrorMessage = True
    sheet.add_data_validation(rule)
    rule.add(cells)
