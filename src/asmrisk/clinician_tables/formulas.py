"""Texts of tables that a spreadsheet program would take for formulas, and the mark that keeps them texts.

Where such a program opens a CSV, a cell that begins with one of these signs is calculated. An apostrophe
before it, as people type it there, says that it is text. It is written before texts alone, never before
numbers, and left out where a clinician table is read.
"""

from __future__ import annotations

import re

import pandas as pd

__all__ = ["as_text", "csv_of", "without_mark"]

_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_MARKED = re.compile(r"'+(?=[=+@\t\r-])")


def as_text(cell: object) -> object:
    """Mark a text that would be calculated; anything else stays as it is.

    >>> as_text("=1+1"), as_text("P-12"), as_text(-1.5)
    ("'=1+1", 'P-12', -1.5)
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_SIGNS) else cell


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
