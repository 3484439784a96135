"""Figures of the shipped tables that no parameter is set to as they stand, for `asmrisk.analysis.facts`."""

from __future__ import annotations

import math

from asmrisk.scenario.published_tables import specialty_rows

__all__ = ["part_b_log_change", "part_b_log_clinicians", "part_b_tail"]


def part_b_tail(specialty: str) -> float:
    """Give the 99th percentile of a specialty's Part B payments over their mean, all clinicians of 2023."""
    (row,) = specialty_rows("partb_2023_payment_quantiles_estimated", specialty)
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
        for row in specialty_rows("partb_year_to_year_log_change", specialty)
        if int(row["year_to"]) - int(row["year_from"]) == years and int(row["year_from"]) >= since
    ]
