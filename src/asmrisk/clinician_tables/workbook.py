"""Sheets of a workbook (.xlsx) as rows of cells: values, not formulas, and what hides them."""

from __future__ import annotations

import datetime
import importlib.util
import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from asmrisk.clinician_tables.cells import Merged, Percentage, Unreadable
from asmrisk.errors import InputError

__all__ = ["NEEDS_OPENPYXL", "Sheet", "has_openpyxl", "read_sheets"]

NEEDS_OPENPYXL = (
    "workbooks need the package openpyxl, which is not installed; "
    "run  python -m pip install 'asmrisk[excel]'  or use a .csv file"
)
#: A workbook of fifty thousand rows has about ten megabytes; unpacked, what a table's sheet cannot have.
_MOST_BYTES, _MOST_UNPACKED = 16 * 2**20, 128 * 2**20
#: How a workbook begins that is encrypted, or older than 2007.
_OLD_OR_ENCRYPTED = b"\xd0\xcf\x11\xe0"


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


def read_sheets(path: Path) -> list[Sheet]:
    """Read the visible sheets of a workbook.

    Parameters
    ----------
    path : pathlib.Path
        An .xlsx file.

    Returns
    -------
    list of Sheet
        In the order of the tabs.

    Raises
    ------
    InputError
        If openpyxl is missing, or the file is too large, encrypted or no workbook.
    """
    if not has_openpyxl():
        raise InputError(NEEDS_OPENPYXL, where=str(path))
    try:
        with path.open("rb") as file:
            begin = file.read(4)
        if begin == _OLD_OR_ENCRYPTED:
            text = "is encrypted or of an old format; save it as .xlsx without a password"
            raise InputError(text, where=str(path))
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(each.file_size for each in archive.infolist())
        if path.stat().st_size > _MOST_BYTES or unpacked > _MOST_UNPACKED:
            text = (
                f"is too large a workbook (at most {_MOST_BYTES >> 20} MB, {_MOST_UNPACKED >> 20} unpacked)"
            )
            raise InputError(f"{text}; save the sheet as CSV", where=str(path))
        return _sheets(path)
    except InputError:
        raise
    except Exception as error:  # A damaged file makes openpyxl raise errors of many kinds.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        text = f"cannot be read as a workbook: {reason}; save it anew as .xlsx, or as CSV"
        raise InputError(text, where=str(path)) from None


def _sheets(path: Path) -> list[Sheet]:
    with warnings.catch_warnings():
        # Of what openpyxl does not read: styles, drawings, extensions.
        warnings.simplefilter("ignore")
        # It takes long to import, and may be missing.
        from openpyxl import load_workbook

        book = load_workbook(path)
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        formulas = any(cell.data_type == "f" for sheet in sheets for row in sheet.iter_rows() for cell in row)
        values = load_workbook(path, data_only=True) if formulas else book
        return [_sheet(sheet, values[sheet.title]) for sheet in sheets]


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
