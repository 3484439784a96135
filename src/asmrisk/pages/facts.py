"""Facts that sentences are made of: one figure each, with all that has to be said with it.

A sentence is made only of facts that were computed; where one was not there is no
sentence, and none says n/a.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.estimates import t_quantile
from asmrisk.analysis.statistics import Row, range_cell, scale_of
from asmrisk.analysis.wording import ALL

__all__ = ["Fact", "fact", "row_of"]


@dataclass(frozen=True)
class Fact:
    """A figure of a report."""

    value: float  #: in its unit; NaN where it was not computed
    error: float  #: its standard error; NaN where there is none
    unit: str  #: ``USD``, ``fraction``
    dollars: str = ""  #: of which year dollars are: ``in 2027 dollars``
    ends: str = ""  #: 5 and 95% of draws in its scale, ``6.5 to 365.0``; empty without a range
    holds: str = "none"  #: what the range holds: ``chance``, ``chance_and_doubt``, or ``none``
    observations: int = 0  #: draws, or parameter sets, that are independent
    equal: bool = False  #: a difference that is zero in every draw

    @property
    def known(self) -> bool:
        """Whether it was computed."""
        return math.isfinite(self.value)

    @property
    def sure(self) -> bool:
        """Whether its error is known."""
        return self.equal or math.isfinite(self.error)

    @property
    def direction(self) -> int:
        """1 above zero, -1 below it, 0 where it cannot be told from zero with 95% confidence.

        Without an error it is the sign of the figure alone.
        """
        found = self.sure and abs(self.value) <= t_quantile(max(self.observations - 1, 1)) * self.error
        return 0 if self.equal or found or self.value == 0.0 else 1 if self.value > 0.0 else -1

    @property
    def scale(self) -> tuple[float, str]:
        """What it is multiplied by when it is written, and the word behind it, `` million`` or ``%``."""
        scale, words = scale_of(self.unit, abs(self.value))
        return scale, words.removeprefix(", $").removeprefix(", ")

    @property
    def size(self) -> str:
        """Its size, with its error if that is known, and its unit; with its sign where no verb can say that.

        >>> Fact(-147.9e6, 5.3e6, "USD").size, Fact(0.6344, 0.0016, "fraction").size
        ('$147.9 ± 5.3 million', '63.44 ± 0.16%')
        >>> Fact(-3.0e6, 5.0e6, "USD").size
        '-$3.0 ± 5.0 million'
        """
        scale, word = self.scale
        value, error = abs(self.value) * scale, self.error * scale
        minus = "-" if self.direction == 0 and self.value < 0.0 else ""
        dollar = minus + ("$" if self.unit == "USD" else "")
        return f"{dollar}{with_error(value, error) if self.sure else number(value, error)}{word}"


def fact(row: Row | None, name: str = "mean", dollars: str = "") -> Fact:
    """Take a fact out of a row of a report's table.

    Parameters
    ----------
    row : dict or None
        A row with the columns ``mean`` and ``mean_error``, or others; None if there is none.
    name : str
        The column.
    dollars : str
        In which dollars it is.
    """
    if row is None:
        return Fact(math.nan, math.nan, "")
    value, error = float(row[name]), float(row[f"{name}_error"])
    found = Fact(value, error, row["units"], dollars)
    draws = int(row["parameter_sets"])
    ranged = draws > 1 and math.isfinite(row.get("p05", math.nan)) and row["p05"] < row["p95"]
    return Fact(
        *(value, error, row["units"], dollars),
        ends=range_cell(row, found.scale[0]) if ranged else "",
        holds=row["range_holds"] if ranged else "none",
        observations=draws,
        equal=row.get("tied") == 1.0,
    )


def row_of(rows: Iterable[Row], metric: str, **labels: object) -> Row | None:
    """Find the row of a metric with these labels, of which no other is told apart; None if there is none."""
    apart = dict.fromkeys(("performance_year", "cohort", "specialty", "practice_size"), ALL) | labels
    for row in rows:
        if row["metric"] == metric and all(row.get(name, ALL) == label for name, label in apart.items()):
            return row
    return None
