"""Sheets of a workbook (.xlsx) as rows of cells: values, not formulas, and what hides them."""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import io
import re
import warnings
import zipfile
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

from asmrisk.clinician_tables.cells import Merged, Percentage, Unreadable
from asmrisk.errors import InputError
from asmrisk.limits import limit, require_within

__all__ = ["NEEDS_OPENPYXL", "Sheet", "has_openpyxl", "read_sheets"]

NEEDS_OPENPYXL = (
    "workbooks need the package openpyxl, which is not installed; "
    "run  python -m pip install 'asmrisk[excel]'  or use a .csv file"
)
#: How a workbook begins that is encrypted, or older than 2007.
_OLD_OR_ENCRYPTED = b"\xd0\xcf\x11\xe0"
#: Elements that stand for areas, and those inside of cells and of texts that cells share. Others, such as
#: styles, become objects that take as much memory as ten cells.
_AREAS, _IN_CELLS, _OF_OTHERS = ("mergeCell", "hyperlink"), ("v", "f", "is", "si", "t", "r", "rPr"), 10
#: A corner of an area, and the cells of a sheet.
_CORNER, _WHOLE_SHEET = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})", re.IGNORECASE | re.ASCII), 2**34


class Sheet(NamedTuple):
    """One visible sheet.

    Attributes
    ----------
    name : str
        As on its tab.
    rows : list of (int, list)
        Number of each row that is not empty, and its cells: text, numbers, truth values, None where empty,
        or an `Unreadable`; all rows of one length.
    hidden : int
        Hidden rows and columns among them.
    """

    name: str
    rows: list[tuple[int, list[Any]]]
    hidden: int


def has_openpyxl() -> bool:
    """Say whether workbooks can be read and written."""
    return importlib.util.find_spec("openpyxl") is not None


def read_sheets(data: bytes, path: Path) -> list[Sheet]:
    """Read the visible sheets of a workbook.

    Parameters
    ----------
    data : bytes
        An .xlsx file.
    path : pathlib.Path
        Where it is.

    Returns
    -------
    list of Sheet
        In the order of the tabs.

    Raises
    ------
    InputError
        If openpyxl is missing, or the file is encrypted, no workbook, or beyond the limits of one.
    """
    if not has_openpyxl():
        raise InputError(NEEDS_OPENPYXL, where=str(path))
    try:
        if data.startswith(_OLD_OR_ENCRYPTED):
            text = "is encrypted or of an old format; save it as .xlsx without a password"
            raise InputError(text, where=str(path))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # No more than what is declared is ever unpacked.
            unpacked = sum(each.file_size for each in archive.infolist())
            require_within("workbook_bytes", unpacked, where=str(path))
            _require_few_cells(archive, str(path))
        return _sheets(data, str(path))
    except InputError:
        raise
    except Exception as error:  # A damaged file makes openpyxl raise errors of many kinds.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        text = f"cannot be read as a workbook: {reason}; save it anew as .xlsx, or as CSV"
        raise InputError(text, where=str(path)) from None


def _require_few_cells(archive: zipfile.ZipFile, where: str) -> None:
    """Count what openpyxl would make an object of: each cell, also of a merged area or below a link."""
    count, most = 0, limit("workbook_cells")

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        kind = name.rpartition(" ")[2]
        if kind in _AREAS:
            count += _area(attributes.get("ref", ""))
        elif kind == "c":
            count += 1
        elif kind not in _IN_CELLS:
            count += _OF_OTHERS
        if count > most:
            require_within("workbook_cells", count, more=True, where=where)

    for member in archive.infolist():
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = begin
        # What is no XML is looked at by nobody, or refused by openpyxl.
        with contextlib.suppress(expat.ExpatError), archive.open(member) as file:
            parser.ParseFile(file)


def _area(reference: str) -> int:
    """Give the cells of an area such as ``A1:C5``; of whole rows or columns, those of a whole sheet."""
    corners = _CORNER.findall(reference)
    if len(corners) < 2:
        return _WHOLE_SHEET if ":" in reference else 1
    columns, rows = zip(*corners[:2], strict=True)
    numbers = [
        reduce(lambda number, letter: 26 * number + ord(letter) - 64, each.upper(), 0) for each in columns
    ]
    return (abs(numbers[0] - numbers[1]) + 1) * (abs(int(rows[0]) - int(rows[1])) + 1)


def _sheets(data: bytes, where: str) -> list[Sheet]:
    # openpyxl warns of what it does not read: styles, drawings, extensions; of some it prints what is wrong.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        # It takes long to import, and may be missing.
        from openpyxl import load_workbook

        book = load_workbook(io.BytesIO(data), keep_links=False)
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        for sheet in sheets:  # One cell far out makes a sheet large.
            require_within("workbook_cells", sheet.max_row * sheet.max_column, where=where, what=sheet.title)
        formulas = any(cell.data_type == "f" for sheet in sheets for row in sheet.iter_rows() for cell in row)
        values = load_workbook(io.BytesIO(data), data_only=True, keep_links=False) if formulas else book
        read = [_sheet(sheet, values[sheet.title]) for sheet in sheets]
    for each in read:
        texts = [len(cell) for _, cells in each.rows for cell in cells if isinstance(cell, str)]
        require_within("cell_characters", max(texts, default=0), where=where, what=each.name)
        require_within("workbook_bytes", sum(texts), where=where, what=each.name)
    return read


def _sheet(sheet: Any, values: Any) -> Sheet:
    """Read one sheet; its formulas and format stand in one place, the values of formulas in another."""
    covered = {
        place: area.start_cell.coordinate for area in sheet.merged_cells.ranges for place in [*area.cells][1:]
    }
    rows = []
    for written, computed in zip(sheet.iter_rows(), values.iter_rows(), strict=True):
        cells = [
            _covered(covered[cell.row, cell.column])
            if (cell.row, cell.column) in covered
            else _value(cell, found)
            for cell, found in zip(written, computed, strict=True)
        ]
        if any(cell is not None for cell in cells):
            rows.append((written[0].row, cells))
    numbers = {number for number, _ in rows}
    hidden = sum(each.hidden and number in numbers for number, each in sheet.row_dimensions.items())
    hidden += sum(
        each.max - each.min + 1
        for each in sheet.column_dimensions.values()
        if each.hidden and each.min and each.min <= sheet.max_column
    )
    return Sheet(sheet.title, rows, hidden)


def _covered(first: str) -> Merged:
    return Merged(f"(merged with {first})", f"merged with {first}; unmerge the cells and fill each")


def _value(cell: Any, computed: Any) -> Any:
    """Give a cell's value; `computed` is the same cell where formulas have their values."""
    value = computed.value
    if cell.data_type == "f" and value is None and computed.data_type == "n":
        remedy = f"{cell.coordinate} is a formula without a stored value; open the workbook, save it, or"
        return Unreadable(str(getattr(cell.value, "text", cell.value)), f"{remedy} write the value")
    if computed.data_type == "e":
        remedy = f"{cell.coordinate} is the error of a formula; correct it, or leave the cell empty"
        return Unreadable(str(value), remedy)
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        remedy = f"{cell.coordinate} is a date or time; format it as text and type it again"
        return Unreadable(str(value), remedy)
    if isinstance(value, int | float) and not isinstance(value, bool) and "%" in cell.number_format:
        return Percentage(value)
    if isinstance(value, str) and not value.strip():
        return None
    return value
