"""Figures of the shipped tables that no parameter is set to as they stand, for `asmrisk.analysis.facts`."""

from __future__ import annotations

import math

from asmrisk.scenario.published_tables import read, statistic

__all__ = ["mips_score", "part_b_log_change", "part_b_log_clinicians", "part_b_tail"]

#: Where CMS's names of classes of practice size are not ours.
_CLASS_ROWS = {"solo": "1", "201-1000": "201+"}


def _rows(name: str, specialty: str) -> list[dict[str, str]]:
    title = specialty.replace("_", " ")
    return [row for row in read(name) if row["specialty"].lower() == title]


def mips_score(practice_class: str) -> float:
    """Give the mean MIPS final score of 2023 in practices of a class of `PRACTICE_CLASSES`."""
    name = "mips_py2023_final_score_by_practice_size"
    row = _CLASS_ROWS.get(practice_class, practice_class)
    return statistic(name, "mean", clinicians_linked_to_org=row)


def part_b_tail(specialty: str) -> float:
    """Give the 99th percentile of a specialty's Part B payments over their mean, all clinicians of 2023."""
    (row,) = _rows("partb_2023_payment_quantiles_estimated", specialty)
    return float(row["q99_usd"]) / float(row["mean_2023_usd"])


def part_b_log_change(specialty: str, years: int, *, since: int = 0) -> float:
    """Give the SD of the log change of a clinician's Part B payment after so many years.

    Root mean square over the table's pairs of years from `since` on.
    """
    found = [float(row["sd_log_change"]) for row in _log_changes(specialty, years, since)]
    return math.sqrt(math.fsum(each**2 for each in found) / len(found))


def part_b_log_clinicians(specialty: str) -> int:
    """Count the clinicians whose change over two years the table has."""
    return min(int(row["n"]) for row in _log_changes(specialty, 2, 0))


def _log_changes(specialty: str, years: int, since: int) -> list[dict[str, str]]:
    return [
        row
        for row in _rows("partb_year_to_year_log_change", specialty)
        if int(row["year_to"]) - int(row["year_from"]) == years and int(row["year_from"]) >= since
    ]
