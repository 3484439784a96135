"""Text with a table (CSV) as rows of cells: its encoding, what separates cells, and decimal commas."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asmrisk.clinician_tables.problems import Problems
from asmrisk.errors import InputError, Problem
from asmrisk.limits import limit, require_within

__all__ = ["Lines", "decimal_points", "lines_of", "split", "text_of"]

#: Rows of cells, each with the line on which it begins.
Lines = list[tuple[int, list[Any]]]

_SEPARATORS = (",", ";", "\t")
#: A line with its end, however that is written.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
#: A first line by which a spreadsheet program says what separates cells.
_SEPARATOR_LINE = re.compile(r"sep=([,;\t])\r?\n")
#: Digits with one kind of mark, as it can be only where that mark separates decimals; and where none says.
_DECIMALS = r"(?:0|\d+){mark}(?:\d{{1,2}}|\d{{4,}})|0{mark}\d{{3}}|\d{{4,}}{mark}\d{{3}}"
_GROUPS_BEFORE = r"\d{{1,3}}(?:{other}\d{{3}})+{mark}\d+|\d{{1,3}}(?:{other}\d{{3}}){{2,}}"
_EITHER = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_AROUND = re.compile(r"[\s$%()−-]|USD", re.IGNORECASE)


def _pattern(mark: str, other: str) -> re.Pattern[str]:
    marks = {"mark": re.escape(mark), "other": re.escape(other)}
    return re.compile(f"{_DECIMALS}|{_GROUPS_BEFORE}".format(**marks), re.ASCII)


_WITH_COMMA, _WITH_POINT = _pattern(",", "."), _pattern(".", ",")


def text_of(data: bytes, path: Path) -> str:
    """Give a file's text: UTF-8, or UTF-16 where it begins with a byte order mark.

    Raises
    ------
    InputError
        If it is no text or in another encoding.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise InputError("not UTF-16; save the table as CSV UTF-8", where=str(path)) from None
    if b"\0" in data or data.startswith((b"PAR1", b"PK\x03\x04")):
        text = "not a text file; give CSV (UTF-8), or a name that ends in .parquet or .xlsx for what it is"
        raise InputError(text, where=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8; save the table as CSV UTF-8", where=str(path), line=line) from None


def split(text: str, path: Path, separator: str = ",") -> Lines:
    """Split a text into rows, without blank lines.

    Raises
    ------
    InputError
        If quotes are not in order, or there is more than the limits of a table allow.
    """
    where, longest = str(path), limit("cell_characters")
    require_within("table_cells", text.count(separator) + 1, where=where)
    # A generator: an `io.StringIO` would take four bytes for each character.
    lines = (found[0] for found in _LINE.finditer(text))
    reader = csv.reader(lines, delimiter=separator, strict=True)
    most, columns = limit("table_rows"), limit("table_columns")
    rows: Lines = []
    begin, before = 1, csv.field_size_limit(longest)
    try:
        for row in reader:
            if row:
                rows.append((begin, row))
            if len(rows) > most or len(row) > columns:
                require_within("table_rows", len(rows), more=True, where=where)
                require_within("table_columns", len(row), where=where, line=begin)
            begin = reader.line_num + 1
    except csv.Error as error:
        line = max(reader.line_num, 1)
        if "field limit" in str(error):
            require_within("cell_characters", longest + 1, more=True, where=where, line=line)
        raise InputError(f"not valid CSV: {error}", where=where, line=line) from None
    finally:
        csv.field_size_limit(before)
    return rows


def lines_of(data: bytes, path: Path, is_table: Callable[[Lines], bool]) -> tuple[Lines, str]:
    """Give the rows of a table, whose cells are separated by commas, semicolons or tabs.

    Parameters
    ----------
    data : bytes
        What is in the file.
    path : pathlib.Path
        Where it is.
    is_table : callable
        Says whether rows have a header that is known.

    Returns
    -------
    rows : list of (int, list of str)
        Those with a known header, else as commas separate them.
    separator : str
        What separates cells.

    Raises
    ------
    InputError
        As `text_of` and `split`.
    """
    text = text_of(data, path)
    told = _SEPARATOR_LINE.match(text)
    separators = (told[1],) if told else _SEPARATORS
    if told:  # The line stays, blank, for the numbers of those below.
        text = text[told.end(1) :]
    first: Lines | InputError | None = None
    for separator in separators:
        try:
            rows: Lines | InputError = split(text, path, separator)
        except InputError as error:
            rows = error
        if not isinstance(rows, InputError) and is_table(rows):
            return rows, separator
        first = rows if first is None else first
    if first is None or isinstance(first, InputError):
        raise first or InputError("is empty", where=str(path))
    return first, separators[0]


def decimal_points(frame: pd.DataFrame, names: Collection[str], problems: Problems) -> pd.DataFrame | None:
    """Write points for decimal commas, where the numbers of a table have such.

    Parameters
    ----------
    frame : pandas.DataFrame
        Cells as text.
    names : collection of str
        Columns of numbers.
    problems : Problems
        Receives what makes it ambiguous: numbers of both kinds, or none that tells.

    Returns
    -------
    pandas.DataFrame or None
        The table with commas for points and points for commas in numbers; None if there are no decimal
        commas.
    """
    found: dict[str, tuple[str, str, int]] = {}
    for name in names:
        for row, cell in enumerate(frame[name]):
            bare = _AROUND.sub("", cell)
            for kind, pattern in (("comma", _WITH_COMMA), ("point", _WITH_POINT), ("either", _EITHER)):
                if kind not in found and pattern.fullmatch(bare):
                    found[kind] = (cell.strip(), name, row)
                    break
    if "comma" in found and "point" in found:
        (cell, name, row), (other, _, point) = found["comma"], found["point"]
        where = problems.label(point)
        text = f"{cell!r} has a decimal comma, but {other!r} on {where} a decimal point; use one of them"
    elif "either" in found and "comma" not in found and "point" not in found:
        cell, name, row = found["either"]
        text = f"{cell!r} may have thousands or decimals; write all numbers without thousands separators"
    else:
        text, name, row = "", "", 0
    if text:
        problems.rows(np.arange(len(frame)) == row, lambda _: Problem(text, what=name))
    if "comma" not in found or "point" in found:
        return None
    swapped = {name: [_swapped(cell) for cell in frame[name]] for name in names}
    return frame.assign(**swapped)


def _swapped(cell: str) -> str:
    bare = _AROUND.sub("", cell)
    if _WITH_COMMA.fullmatch(bare) or _EITHER.fullmatch(bare):
        return cell.translate({ord("."): ",", ord(","): "."})
    return cell
