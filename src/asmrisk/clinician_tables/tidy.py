"""A table as people have it becomes one with declared names and plain cells, and rows of clinicians alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.clinician_tables.cells import (
    Merged,
    Percentage,
    clean_cells,
    is_empty,
    numbers,
    plain_words,
    texts,
)
from asmrisk.clinician_tables.columns import SCORE_COLUMNS, Column, input_columns, points_column
from asmrisk.clinician_tables.conversions import Conversions
from asmrisk.clinician_tables.examples import EXAMPLE_IDS, example_row
from asmrisk.clinician_tables.problems import Problems
from asmrisk.errors import Problem
from asmrisk.rule.definitions import MEASURES

__all__ = ["declared_name", "tidy"]

#: Every column that a table may have, by name.
_DECLARED = {each.name: each for each in (*input_columns(), *map(points_column, MEASURES), *SCORE_COLUMNS)}
#: What identities are called everywhere.
_SYNONYMS = {"npi": "clinician_id", "tin": "practice_id"}
#: Longer heads name no column, and take their time to be looked at.
_LONGEST_NAME = 200
#: What may stand behind a name: a unit in brackets, or its sign.
_UNIT = re.compile(r"\s*(\([^()]*\)|\[[^\[\]]*\]|,?\s*[%$]|\bpercent)\s*$", re.IGNORECASE)
_PERCENT = re.compile(r"%|\bpercent\b", re.IGNORECASE)
_TOTAL = re.compile(r"((sub|grand )?totals?|sum|average|avg|mean|median|count)\b.*", re.IGNORECASE)
#: Who a clinician is: a row without any of it is none of a clinician.
_WHO = ("clinician_id", "cohort", "specialty")
#: Units of what is added up.
_SUMMED = ("USD", "episodes", "cases")
#: How near numbers are to sums that were rounded.
_NEAR = 0.01

_Rows = NDArray[np.bool_]


def declared_name(head: Any) -> str:
    """Give the declared name of a column that is called so by people, '' if it has none."""
    text = str(head).strip()
    if len(text) > _LONGEST_NAME:
        return ""
    for each in (text, _UNIT.sub("", text)):
        words = plain_words(each)
        if each in _DECLARED or words in _DECLARED or words in _SYNONYMS:
            return each if each in _DECLARED else _SYNONYMS.get(words, words)
    return ""


def tidy(
    frame: pd.DataFrame, problems: Problems, conversions: Conversions
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give a table its declared names and plain cells, and leave out rows that are no clinician's.

    Parameters
    ----------
    frame : pandas.DataFrame
        Text, numbers and what else a file has; left as it is.
    problems : Problems
        Receives doubled columns, percent that may be fractions and examples that were written over.
    conversions : Conversions
        Receives what was done.

    Returns
    -------
    tidied : pandas.DataFrame
        Rows 0, 1, ...; columns that are not declared are as they were.
    given : pandas.DataFrame
        The same rows and columns, with the cells as they were.
    """
    names, percent = _names(frame.columns, conversions)
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        problems.table(Problem("the column appears more than once; keep one", what=name))
    frame = frame.set_axis(names, axis=1).loc[:, ~pd.Index(names).duplicated()].reset_index(drop=True)
    inputs = {column.name: column for column in input_columns()}
    cleaned = {}
    for name in frame.columns.intersection(list(inputs)):
        column, given = inputs[name], frame[name]
        in_percent = name in percent and column.unit == "fraction" and _in_percent(given, name, problems)
        cells, counts = clean_cells(column, given, in_percent)
        if cells is not given:
            cleaned[name] = cells
        for kind, count in counts.items():
            conversions.add(kind, count if kind == "nothing" else 1)
    tidied = frame.assign(**cleaned)
    kept = _of_clinicians(tidied, inputs, problems, conversions)
    if kept.all():
        return tidied, frame
    problems.keep(kept)
    return tidied[kept].reset_index(drop=True), frame[kept].reset_index(drop=True)


def _names(heads: Iterable[Any], conversions: Conversions) -> tuple[list[str], set[str]]:
    """Give the names of columns, the declared ones where they are meant, and which say percent."""
    given = [str(head).strip() for head in heads]
    names, percent = [], set()
    for head in given:
        name = head if head in _DECLARED else declared_name(head)
        if not name or (name in given and name != head and plain_words(head) in _SYNONYMS):
            names.append(head)
            continue
        names.append(name)
        if name != head:
            conversions.add("names")
            if _PERCENT.search(head):
                percent.add(name)
    return names, percent


def _in_percent(series: pd.Series, name: str, problems: Problems) -> bool:
    """Say whether a column that calls itself percent has numbers of percent, where that can be told."""
    if any(isinstance(cell, Percentage) or "%" in str(cell) for cell in series):
        return not any(isinstance(cell, Percentage) for cell in series)
    known = numbers(series)
    known = known[np.isfinite(known)]
    if len(known) and 0.0 < known.max() <= 1.0:
        text = (
            f"its name says percent, but no number is above 1 (the largest is {known.max():g}); write them "
            "with %, or take percent out of the name"
        )
        problems.table(Problem(text, what=name))
    return True


def _of_clinicians(
    frame: pd.DataFrame, inputs: dict[str, Column], problems: Problems, conversions: Conversions
) -> _Rows:
    """Find the rows of clinicians: not blank, no example, and before totals and remarks at the end."""
    kept = np.ones(len(frame), dtype=bool)
    if "clinician_id" not in frame:
        return kept
    ids = np.array([*texts(frame["clinician_id"]), None], dtype=object)[:-1]
    nobody = np.flatnonzero(ids == "")
    if len(nobody):
        blank = nobody[frame.iloc[nobody].map(_is_blank).all(axis=1)]
        kept[blank] = False
        # A table that is nothing but blank rows has no rows.
        conversions.add("blank", len(blank))
    for row in np.flatnonzero(kept)[::-1].tolist():
        kind = _below(frame, inputs, row, kept)
        if not kind:
            break
        kept[row] = False
        conversions.add(kind)
    examples = np.isin(ids, list(EXAMPLE_IDS)) & kept
    changed = np.zeros(len(frame), dtype=bool)
    for row in np.flatnonzero(examples).tolist():
        changed[row] = not _is_example(frame, inputs, row, str(ids[row]))
    if changed.any():
        text = "is an example, written over; give the clinician's own identity, or delete the row"
        problems.rows(changed, lambda row: Problem(f"{ids[row]!r} {text}", what="clinician_id"))
    else:
        kept &= ~examples
        conversions.add("examples", int(examples.sum()))
    return kept


def _is_blank(cell: Any) -> bool:
    return is_empty(cell) or isinstance(cell, Merged)


def _below(frame: pd.DataFrame, inputs: dict[str, Column], row: int, kept: _Rows) -> str:
    """Say what the last row of a table is, where it is no clinician: totals, or a remark."""
    filled = {name: cell for name, cell in frame.iloc[row].items() if not _is_blank(cell)}
    label = next((str(cell).strip() for cell in filled.values() if isinstance(cell, str)), "")
    if any(name in filled for name in ("cohort", "specialty")):
        return ""
    if _TOTAL.fullmatch(label):
        return "totals"
    if len(filled) == 1 and len(frame.columns) > 2 and re.search(r"\w\s+\w", label):
        return "remarks"
    if any(name in filled for name in _WHO):
        return ""
    above = kept.copy()
    above[row:] = False
    summed = [name for name in filled if name in inputs and name != "cost_per_episode"]
    with np.errstate(over="ignore"):
        values = [numbers(frame[name]) for name in summed if inputs[name].unit in _SUMMED]
        sums = [(each[row], np.nansum(each[above])) for each in values]
    near = [0.0 < total < np.inf and abs(value - total) <= _NEAR * total for value, total in sums]
    return "totals" if near and all(near) and above.sum() > 1 else ""


def _is_example(frame: pd.DataFrame, inputs: dict[str, Column], row: int, identity: str) -> bool:
    """Say whether a row is an example of the template as it was written there."""
    example = example_row(*EXAMPLE_IDS[identity])
    for name in frame.columns.intersection(list(inputs)):
        cell, meant = frame[name].iloc[[row]], example.get(name)
        if inputs[name].kind in ("text", "word"):
            same = texts(cell)[0] == (meant or "")
        else:
            value = numbers(cell)[0]
            same = np.isnan(value) if meant is None else value == meant
        if not same:
            return False
    return True
