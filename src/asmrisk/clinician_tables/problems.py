"""The problems of one table, gathered to be told at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError, Problem

__all__ = ["Problems"]

#: Problems shown before the rest is only counted.
SHOWN_PROBLEMS = 50


class Problems:
    """The problems of one table, those of rows in the order of the rows.

    Parameters
    ----------
    source : str
        What messages call the table.
    places : sequence of int, optional
        Each row's number in the file; if not given, rows are counted from 1.
    in_lines : bool
        Whether these are lines of a text, not rows of a table.
    """

    def __init__(self, source: str, places: Sequence[int] | None = None, *, in_lines: bool = False) -> None:
        self.source = source
        self.count = 0
        self._places = places
        self._in_lines = in_lines
        self._of_table: list[Problem] = []
        self._of_rows: list[tuple[int, Problem]] = []

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Leave rows out of the table, before any problem of one is noted."""
        self._places = [self._place(row) for row in np.flatnonzero(kept).tolist()]

    def label(self, row: int) -> str:
        """Name a row in the message about another."""
        return f"{'line' if self._in_lines else 'row'} {self._place(row)}"

    def _place(self, row: int) -> int:
        return row + 1 if self._places is None else self._places[row]

    def table(self, problem: Problem) -> None:
        """Note a problem of the table as a whole, or of a line that is no row."""
        self.count += 1
        if len(self._of_table) < SHOWN_PROBLEMS:
            self._of_table.append(replace(problem, where=self.source))

    def rows(self, wrong: NDArray[np.bool_], problem: Callable[[int], Problem]) -> None:
        """Note the rows where `wrong`; `problem` says what is wrong with one (asked only for those shown)."""
        rows = np.flatnonzero(wrong)
        self.count += len(rows)
        for row in rows[:SHOWN_PROBLEMS].tolist():
            line = self._place(row) if self._in_lines else None
            where = self.source if self._in_lines else f"{self.source}, {self.label(row)}"
            self._of_rows.append((row, replace(problem(row), where=where, line=line)))

    def raise_any(self) -> None:
        """Raise an `InputError` with what was found, if anything."""
        if not self.count:
            return
        rows = [problem for _, problem in sorted(self._of_rows, key=lambda each: each[0])]
        shown = (self._of_table + rows)[:SHOWN_PROBLEMS]
        if self.count > len(shown):
            shown.append(Problem(f"and {self.count - len(shown):,} more problems", where=self.source))
        raise InputError(shown)
