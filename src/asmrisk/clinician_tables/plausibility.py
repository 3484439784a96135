"""Numbers that may stand there, but whose unit is suspicious; and fractions that are numbers of percent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.clinician_tables.columns import Column
from asmrisk.clinician_tables.problems import Problems
from asmrisk.errors import Problem

__all__ = ["in_percent", "note_suspicious"]


class _Range(NamedTuple):
    """Where the median of a column lies, and what to ask where it does not."""

    low: float
    high: float
    question: str


_DOLLARS = _Range(2e3, 2e7, "are they thousands of dollars? give dollars")
#: The middle clinician of any practice lies in these.
_PLAUSIBLE = {
    "part_b_payments": _DOLLARS,
    "payment_year_part_b": _DOLLARS,
    "cost_per_episode": _Range(200.0, 2e5, "give the mean dollars of an episode"),
    "hcc_risk_score": _Range(0.3, 8.0, "the average patient of Medicare has 1"),
    # CMS's rates of 2024 go from 58 to 78.
    "q492_rate": _Range(20.0, 200.0, "give admissions per 100 person-years"),
}


def in_percent(
    column: Column, values: NDArray[np.float64], wrong: NDArray[np.bool_], problems: Problems
) -> bool:
    """Note one problem where most numbers of a fraction lie between 1 and 100, and say whether it is so."""
    known = values[~np.isnan(values)]
    above = int((known > 1.0).sum())
    if column.unit != "fraction" or not above > 1 or not 2 * above > len(known) or known.max() > 100.0:
        return False
    row = int(np.flatnonzero(wrong)[0])
    first = values[row]
    text = (
        f"{above:,} of {len(known):,} numbers are above 1, the first on {problems.label(row)}; "
        f"they look like percent: write {first:g}% or {first / 100:g}"
    )
    problems.table(Problem(text, what=column.name, allowed=column.allowed))
    return True


def note_suspicious(
    columns: Iterable[Column], values: Mapping[str, Any], source: str, notes: Callable[[str], None]
) -> None:
    """Ask about columns of whose known positive numbers the median is implausible.

    Parameters
    ----------
    columns : iterable of Column
        Their declarations.
    values : mapping of str to ndarray
        Checked cells by column, NaN where empty.
    source : str
        What notes call the table.
    notes : callable
        Receives a line for each.
    """
    for column in columns:
        plausible, cells = _PLAUSIBLE.get(column.name), values.get(column.name)
        if plausible is None or cells is None:
            continue
        known = cells[cells > 0.0]
        if (
            len(known)
            and not plausible.low <= (middle := float(np.sort(known)[len(known) // 2])) <= plausible.high
        ):
            notes(
                f"{source}: {column.name}: the median of {len(known):,} numbers is {middle:,.4g}, where "
                f"{plausible.low:,.10g} to {plausible.high:,.10g} is plausible; {plausible.question}"
            )
