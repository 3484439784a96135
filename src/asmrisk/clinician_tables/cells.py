"""Cells as people write them, and what they mean.

What cannot be read surely stays as it is: `asmrisk.clinician_tables.checks` refuses it, with the remedy that
`remedy_of` gives.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.clinician_tables.formulas import without_mark
from asmrisk.rule.columns import Column

__all__ = [
    *("EMPTY", "Merged", "Percentage", "Unreadable", "clean_cells", "is_empty", "numbers", "plain_words"),
    *("remedy_of", "texts"),
]

#: What an empty cell may look like in a column that is not text.
EMPTY = frozenset({"", "NA", "NaN", "nan", "None", "<NA>"})
#: What people write where nothing is known, in lower case: in any column, and only where text means nothing.
_NOTHING = frozenset({"n/a", "-", "–", "—"})
_NO_VALUE = _NOTHING | {"na", "n.a.", "nan", "none", "null", "not available", "not applicable"}
_NO_VALUE |= {"not reported", "unknown"}
_FLAGS = {"yes": 1, "y": 1, "true": 1, "no": 0, "n": 0, "false": 0}

#: A number with whatever people put around it: digits are grouped by three or not at all.
_NUMBER = re.compile(
    r"(?P<open>\()? ?(?P<sign>[-−])? ?(?P<dollar>(?:US)?\$|USD)? ?(?P<minus>[-−])?"
    r"(?P<digits>[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d{0,2}(?: \d{3})+|\d+|(?=\.))(?P<rest>\.\d*)?"
    r" ?(?P<percent>%)? ?(?P<after>USD)? ?(?P<close>\))?",
    re.ASCII | re.IGNORECASE,
)
#: Of which numbers consist that are plain already.
_DIGITS = frozenset("0123456789.+-eE")
_SPACES = re.compile(r"\s+")
#: An identity that a spreadsheet shows, and saves, with six digits.
_ROUNDED = re.compile(r"\d([.,]\d+)?[eE]\+\d+", re.ASCII)
_WHOLE, _DECIMAL = re.compile(r"\d+\.0+", re.ASCII), re.compile(r"\d+\.\d+", re.ASCII)
#: A spreadsheet keeps fifteen digits of a number.
_LONGEST_NUMBER = 1e15

_REMEDIES = (
    (re.compile(r"(US)?\$ ?[-–—]", re.I), "a dollar sign without a number; write 0, or leave the cell empty"),
    (re.compile(r"\$? ?[\d.,]+ ?(k|m|mm)", re.I), "write all digits of the number"),
    (re.compile(r"-?\d+,\d+"), "a decimal comma? write a point, or three digits after a thousands separator"),
    (re.compile(r".*%.*"), "a percent sign belongs to fractions; write the number in the column's unit"),
    (re.compile(r".*\$.*"), "a dollar sign belongs to dollars; write the number in the column's unit"),
)


class Unreadable(str):
    """A cell whose value the file does not tell: its text, and what to do about it."""

    __slots__ = ("remedy",)
    remedy: str

    def __new__(cls, text: str, remedy: str) -> Unreadable:
        """Keep a text with its remedy."""
        made = str.__new__(cls, text)
        made.remedy = remedy
        return made


class Merged(Unreadable):
    """A cell that is one with others, whose value stands in the first of them."""

    __slots__ = ()


class Percentage(float):
    """A number that its sheet shows in percent."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{100.0 * self:.10g}%"

    __repr__ = __str__


def plain_words(text: str) -> str:
    """Give the words of a text as names are written: lower case, underscores between them."""
    return re.sub(r"[^a-z0-9]+", "_", text.casefold().replace("&", " and ")).strip("_")


def is_empty(cell: Any) -> bool:
    """Say whether nothing stands in a cell."""
    if isinstance(cell, str):
        return not cell.strip()
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def texts(cells: Iterable[Any]) -> list[str]:
    """Give cells as text without the space around it, '' where empty."""
    found: list[str] = []
    for cell in cells:
        if isinstance(cell, Unreadable):
            found.append(cell)
        elif isinstance(cell, str):
            found.append(cell.strip())
        elif is_empty(cell):
            found.append("")
        else:  # Identities such as NPIs are numbers in Parquet and in spreadsheets.
            whole = isinstance(cell, float) and cell.is_integer()
            found.append(str(int(cell) if whole else cell))
    return found


def numbers(series: pd.Series) -> NDArray[np.float64]:
    """Give cells as numbers: NaN where a cell is empty, infinity where it is no number."""
    if pd.api.types.is_any_real_numeric_dtype(series):
        return series.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    return np.array([_number(cell) for cell in series.astype(object)], dtype=np.float64)


def _number(cell: object) -> float:
    text = str(cell).strip()
    if text in EMPTY:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(value) or "_" in text or not text.isascii() else value


def clean_cells(column: Column, series: pd.Series, percent: bool = False) -> tuple[pd.Series, dict[str, int]]:
    """Give a column's cells as `asmrisk.clinician_tables.checks` takes them.

    Parameters
    ----------
    column : Column
        Its declaration.
    series : pandas.Series
        Text, numbers and what else a file has.
    percent : bool
        Whether its fractions are numbers of percent.

    Returns
    -------
    cells : pandas.Series
        The same series where nothing is to be done.
    converted : dict of str to int
        By kind of conversion how many cells took it.
    """
    if pd.api.types.is_any_real_numeric_dtype(series) and not (percent or column.kind == "text"):
        return series, {}
    cells = series.astype(object).tolist()
    strings = {cell for cell in cells if type(cell) is str}
    whole = all(type(cell) is str for cell in cells)
    if whole and not percent and _is_plain(column, strings):
        return series, {}
    found = {cell: _clean(column, cell, percent) for cell in strings}
    if column.kind == "text" and all(_WHOLE.fullmatch(each) for each in strings if _DECIMAL.fullmatch(each)):
        found |= {each: (each.partition(".")[0], "identities") for each in strings if _WHOLE.fullmatch(each)}
    if not whole:
        pairs = [found[cell] if type(cell) is str else _clean(column, cell, percent) for cell in cells]
    elif any(value is not cell for cell, (value, _) in found.items()):
        pairs = [found[cell] for cell in cells]
    else:
        return series, {}
    counts: dict[str, int] = {}
    for _, kind in pairs:
        if kind:
            counts[kind] = counts.get(kind, 0) + 1
    return pd.Series([value for value, _ in pairs], index=series.index, dtype=object), counts


def _is_plain(column: Column, strings: set[str]) -> bool:
    """Say at a glance that nothing is to be done, which holds for most columns of most tables."""
    if column.kind == "word":
        return strings <= EMPTY.union(column.words)
    letters = set("".join(strings - EMPTY))
    if column.kind == "text":
        return not letters & set(".+'") and not {each.strip().casefold() for each in strings} & _NOTHING
    return letters <= _DIGITS and "-" not in strings


def _clean(column: Column, cell: Any, percent: bool) -> tuple[Any, str]:
    """Give a cell's value, and what was done to it, if anything."""
    if isinstance(cell, Unreadable) or is_empty(cell):
        return cell, ""
    if column.kind == "text":
        return _clean_text(cell)
    if isinstance(cell, str) and cell.strip() in EMPTY:
        return cell, ""
    if isinstance(cell, str) and cell.strip().casefold() in _NO_VALUE:
        return None, "nothing"
    if column.kind == "word":
        return _clean_word(column, cell)
    if _is_flag(column) and str(cell).strip().casefold() in _FLAGS:
        return _FLAGS[str(cell).strip().casefold()], "flags"
    return _clean_number(column, cell, percent)


def _clean_text(cell: Any) -> tuple[Any, str]:
    if not isinstance(cell, str):
        large = isinstance(cell, int | float) and abs(cell) >= _LONGEST_NUMBER
        remedy = "a number of more than fifteen digits, which a spreadsheet rounds; type it again as text"
        return Unreadable(str(cell), remedy) if large else cell, ""
    text = without_mark(cell.strip())
    if text.casefold() in _NOTHING:
        return None, "nothing"
    if _ROUNDED.fullmatch(text):
        remedy = "an identity that a spreadsheet has rounded; format the column as text and type it again"
        return Unreadable(text, remedy), ""
    return (cell if text == cell.strip() else text), ""


def _clean_word(column: Column, cell: Any) -> tuple[Any, str]:
    if not isinstance(cell, str) or cell.strip() in column.words:
        return cell, ""
    like = [word for word in column.words if plain_words(word) == plain_words(cell)]
    return (like[0], "words") if len(like) == 1 else (cell, "")


def _clean_number(column: Column, cell: Any, percent: bool) -> tuple[Any, str]:
    fraction = column.unit == "fraction"
    if isinstance(cell, Percentage):
        return (float(cell), "") if fraction else (cell, "")
    text = _SPACES.sub(" ", str(cell).strip())
    if not math.isinf(_number(text)):
        return (_hundredth(text), "percent") if percent and fraction else (cell, "")
    found = _NUMBER.fullmatch(text)
    if found is None or (found["open"] is None) != (found["close"] is None):
        return cell, ""
    dollar = found["dollar"] or found["after"]
    negative = [found["open"], found["sign"], found["minus"]]
    digits = found["digits"] + (found["rest"] or "")
    wrong = (found["percent"] and not fraction) or (dollar and column.unit != "USD")
    if wrong or not re.search(r"\d", digits) or sum(map(bool, negative)) > 1:
        return cell, ""
    part = found["percent"] or (percent and fraction)
    plain = re.sub("[, ]", "", digits)
    value = _hundredth(plain) if part else float(plain)
    kind = "percent" if part else "dollars" if dollar or "," in digits or " " in digits else "signs"
    return (-value if any(negative) else value), kind


def _hundredth(text: str) -> float:
    """Give the hundredth of a number, rounded once."""
    return float(Decimal(text).scaleb(-2))


def _is_flag(column: Column) -> bool:
    return column.kind == "integer" and (column.low, column.high) == (0, 1)


def remedy_of(cell: Any) -> str:
    """Say what to do about a cell that is not allowed, '' if nothing is to be said."""
    if isinstance(cell, Unreadable):
        return cell.remedy
    text = str(cell).strip()
    return next((remedy for pattern, remedy in _REMEDIES if pattern.fullmatch(text)), "")
