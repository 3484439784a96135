"""Texts of tables that a spreadsheet program would take for formulas, and the mark that keeps them texts.

Where such a program opens a CSV, a cell that begins with one of these signs is calculated. An apostrophe
before it, as people type it there, says that it is text. It is written before texts alone, never before
numbers, and left out where a clinician table is read. What no terminal should be sent is escaped.
"""

from __future__ import annotations

import re

import pandas as pd

from asmrisk.errors import printable

__all__ = ["as_text", "csv_of", "without_mark"]

#: Full-width ones too, which programs set to Japanese calculate. A tab or a line's end is escaped anyway.
_SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_MARKED = re.compile(rf"'+(?=[{re.escape(''.join(_SIGNS))}\t\r])")


def as_text(cell: object) -> object:
    r"""Mark a text that would be calculated, and escape what is not printable; all else stays as it is.

    >>> as_text("=1+1"), as_text("P-12"), as_text(-1.5), as_text("a\tb")
    ("'=1+1", 'P-12', -1.5, 'a\\tb')
    """
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    return f"'{text}" if text.startswith(_SIGNS) else text


def without_mark(text: str) -> str:
    """Give a text as it was before `as_text`.

    >>> without_mark("'=1+1"), without_mark("O'Brien")
    ('=1+1', "O'Brien")
    """
    return _MARKED.sub("", text, count=1) if _MARKED.match(text) else text


def csv_of(frame: pd.DataFrame) -> str:
    """Write a table, without its index, as CSV whose texts no spreadsheet program calculates."""
    marked = frame.copy(deep=False)
    for name in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[name])
        if not numeric and any(as_text(cell) is not cell for cell in frame[name]):
            marked[name] = frame[name].astype(object).map(as_text)
    return marked.to_csv(index=False, lineterminator="\n")
