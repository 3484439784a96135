"""How a field of a clinician is declared: once, for the column of a table and the array of a kernel.

`asmrisk.rule.arrays` declares what is observed and what is scored. From the declarations follow the columns
of the clinician table, the checks of its cells, and dtype and first value of the arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, get_type_hints

import numpy as np

from asmrisk.rule.definitions import NOT_REPORTED

__all__ = ["Column", "columns_of"]


@dataclass(frozen=True)
class Column:
    """The declaration of one field.

    Attributes
    ----------
    kind : str
        ``text``, ``word`` (one of `words`; in arrays its index among them), ``integer`` or ``number``.
    unit : str
        Unit of a number; empty for text.
    meaning : str
        One line.
    low, high : float
        Least and greatest number allowed.
    words : tuple of str
        The words allowed.
    empty : bool
        Whether a cell may be empty.
    optional : bool
        Whether the column may be left out of a table.
    by_measure : bool
        Whether each quality measure has its own.
    name : str
        Name in the header and of the array.
    """

    kind: str
    unit: str
    meaning: str
    low: float = 0.0
    high: float = math.inf
    words: tuple[str, ...] = ()
    empty: bool = False
    optional: bool = False
    by_measure: bool = False
    name: str = ""

    @property
    def dtype(self) -> str:
        """The pandas dtype: integers that may be empty are nullable."""
        integer = "Int64" if self.empty else "int64"
        return {"integer": integer, "number": "float64"}.get(self.kind, "str")

    @property
    def array_dtype(self) -> type[np.generic]:
        """The dtype in kernels: the smallest of float64, int32 and int8."""
        if self.kind == "number":
            return np.float64
        return np.int8 if self.kind == "word" or self.high < 128 else np.int32

    @property
    def nothing(self) -> float:
        """The array's element where nothing was observed."""
        if not self.empty:
            return 0
        if self.kind == "number":
            return math.nan
        # No cases is a count; an attribute that nobody knows is none.
        return NOT_REPORTED if self.kind == "word" or self.optional else 0

    @property
    def allowed(self) -> str:
        """What a cell may hold, in words."""
        if self.kind == "text":
            return "text without control characters"
        if self.kind == "word":
            return ("one of " if len(self.words) > 1 else "") + ", ".join(self.words)
        what = "a whole number" if self.kind == "integer" else "a number"
        high = f"{self.high:,.12g}" if self.high >= 10_000.0 else f"{self.high:g}"
        span = f"{self.low:g} or more" if math.isinf(self.high) else f"from {self.low:g} to {high}"
        return f"{what}, {span} ({self.unit})" if self.unit else f"{what}, {span}"


@cache
def columns_of(arrays: type[tuple[Any, ...]]) -> dict[str, Column]:
    """Give the declarations of the fields of `Observed` or `Scored`, by name."""
    hints = get_type_hints(arrays, include_extras=True)
    return {name: replace(hint.__metadata__[0], name=name) for name, hint in hints.items()}
