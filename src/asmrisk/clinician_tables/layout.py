"""Where in a file the table of clinicians is: the sheet, the header, the columns that hold something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asmrisk.clinician_tables.cells import Unreadable, is_empty
from asmrisk.clinician_tables.columns import input_columns
from asmrisk.clinician_tables.conversions import Conversions
from asmrisk.clinician_tables.delimited import Lines, decimal_points, lines_of
from asmrisk.clinician_tables.problems import Problems
from asmrisk.clinician_tables.tidy import declared_name
from asmrisk.clinician_tables.workbook import read_sheets
from asmrisk.errors import InputError, Problem

__all__ = ["TABLE_SHEET", "frame_of_lines", "table_of_text", "table_of_workbook"]

#: The sheet of a template that holds the table.
TABLE_SHEET = "Clinicians"

#: A header stands among the first so many rows, and names so many declared columns, or nothing else.
_FIRST_ROWS, _ENOUGH = 50, 3


def _header(rows: Lines) -> int | None:
    """Find the row that names the columns; None if no row names enough of them."""
    for place, (_, cells) in enumerate(rows[:_FIRST_ROWS]):
        heads = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
        known = {name for name in map(declared_name, heads) if name}
        if len(known) >= _ENOUGH or 2 <= len(known) == len(heads):
            return place
    return None


def table_of_text(data: bytes, path: Path, conversions: Conversions) -> tuple[pd.DataFrame, Problems]:
    """Read a table from text whose cells are separated by commas, semicolons or tabs.

    Parameters
    ----------
    data : bytes
        What is in the file.
    path : pathlib.Path
        Where it is.
    conversions : Conversions
        Receives what is converted.

    Returns
    -------
    frame : pandas.DataFrame
        Cells as text.
    problems : Problems
        With the lines of the rows, and what is wrong so far: rows with a wrong number of cells, which are
        left out, and numbers whose decimals cannot be told.

    Raises
    ------
    InputError
        If there is no table in it.
    """
    rows, separator = lines_of(data, path, lambda lines: _header(lines) is not None)
    if not rows:
        raise InputError("is empty; the first line must name the columns", where=str(path))
    begin = _begin(rows, conversions)
    header = rows[begin][1]
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        text = (
            "no line names columns of a clinician table; columns may be separated by commas, semicolons, tabs"
        )
        raise InputError(text, where=str(path), line=rows[begin][0])
    frame, problems = frame_of_lines(path, rows[begin:])
    if separator != ",":
        numeric = {each.name for each in input_columns() if each.kind in ("integer", "number")}
        named = [name for name in frame.columns if declared_name(name) in numeric]
        points = decimal_points(frame, named, problems) if frame.columns.is_unique else None
        if points is not None:
            conversions.add("commas")
            frame = points
    return frame, problems


def frame_of_lines(path: Path, rows: Lines) -> tuple[pd.DataFrame, Problems]:
    """Make a table of rows, the first of which is the header; results as `table_of_text`."""
    (_, header), *body = rows
    whole = [(line, row) for line, row in body if len(row) == len(header)]
    problems = Problems(str(path), [line for line, _ in whole], in_lines=True)
    for line, row in body:
        if len(row) != len(header):
            text = f"has {len(row)} cells where the header has {len(header)}"
            problems.table(Problem(text, line=line))
    return _frame(header, [row for _, row in whole]), problems


def table_of_workbook(data: bytes, path: Path, conversions: Conversions) -> tuple[pd.DataFrame, Problems]:
    """Read a table from the sheet of a workbook that has one; parameters and results as `table_of_text`.

    Raises
    ------
    InputError
        If no sheet has a header that is known, or several have, none of them `TABLE_SHEET`, or its header has
        merged cells.
    """
    sheets = read_sheets(data, path)
    found = [each for each in sheets if _header(each.rows) is not None] or sheets
    chosen = [each for each in found if each.name == TABLE_SHEET] or found
    if len(chosen) != 1:
        names = ", ".join(repr(each.name) for each in chosen) or "none is visible"
        what = "no sheet names" if found is sheets else "several sheets name"
        text = f"{what} columns of a clinician table in a row ({names})"
        raise InputError(f"{text}; call the sheet that has the table {TABLE_SHEET!r}", where=str(path))
    (sheet,) = chosen
    if not sheet.rows:
        raise InputError(f"sheet {sheet.name!r} is empty; a row must name the columns", where=str(path))
    begin = _begin(sheet.rows, conversions)
    number, header = sheet.rows[begin]
    source = f"{path}, sheet {sheet.name}"
    for cell in header:
        if isinstance(cell, Unreadable):
            raise InputError(f"the header has {cell!r}: {cell.remedy}", where=f"{source}, row {number}")
    if sheet.hidden:
        conversions.add("hidden", sheet.hidden)
    places = [place for place, _ in sheet.rows[begin + 1 :]]
    if places:  # Rows between that are not in the sheet at all.
        conversions.add("blank", places[-1] - number - len(places))
    heads = ["" if cell is None else str(cell) for cell in header]
    return _frame(heads, [cells for _, cells in sheet.rows[begin + 1 :]]), Problems(source, places)


def _begin(rows: Lines, conversions: Conversions) -> int:
    """Give the place of the header; rows above it are titles."""
    begin = _header(rows) or 0
    conversions.add("title", sum(not all(map(is_empty, cells)) for _, cells in rows[:begin]))
    return begin


def _frame(header: list[str], rows: list[list[Any]]) -> pd.DataFrame:
    """Make a table, without the columns that have neither name nor cells."""
    cells = np.array(rows, dtype=object).reshape(len(rows), len(header))
    used = [bool(name.strip()) or not all(map(is_empty, cells[:, k])) for k, name in enumerate(header)]
    return pd.DataFrame(
        cells[:, used], columns=[name for name, of in zip(header, used, strict=True) if of], dtype=object
    )
