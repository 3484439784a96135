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
    lines : sequence of int, optional
        Each row's line in the file; without lines, rows are counted from 1.
    """

    def __init__(self, source: str, lines: Sequence[int] | None = None) -> None:
        self.source = source
        self.count = 0
        self._lines = lines
        self._of_table: list[Problem] = []
        self._of_rows: list[tuple[int, Problem]] = []

    def label(self, row: int) -> str:
        """Name a row in the message about another."""
        return f"row {row + 1}" if self._lines is None else f"line {self._lines[row]}"

    def table(self, problem: Problem) -> None:
        """Note a problem of the table as a whole, or of a line that is no row."""
        self.count += 1
        self._of_table.append(replace(problem, where=self.source))

    def rows(self, wrong: NDArray[np.bool_], problem: Callable[[int], Problem]) -> None:
        """Note the rows where `wrong`; `problem` says what is wrong with one (asked only for those shown)."""
        rows = np.flatnonzero(wrong)
        self.count += len(rows)
        for row in rows[:SHOWN_PROBLEMS].tolist():
            line = None if self._lines is None else self._lines[row]
            where = f"{self.source}, {self.label(row)}" if line is None else self.source
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
