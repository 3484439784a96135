"""The example rows of a template: known by their identities, and left out where a table is read."""

from __future__ import annotations

from typing import Any

from asmrisk.clinician_tables.columns import REQUIRED, input_columns
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS, SPECIALTIES_OF, measures_of

__all__ = ["EXAMPLE_IDS", "example_row"]

#: By identity the cohort and the number of an example: a full row, and one of what a roster requires.
EXAMPLE_IDS = {f"EXAMPLE {n} of {cohort}, left out": (cohort, n) for cohort in COHORTS for n in (1, 2)}

_TYPICAL: dict[str, Any] = {
    "practice_id": "Example practice",
    "area": "Boston",
    "performance_year": PERFORMANCE_YEARS[0],
    "practice_size": 12,
    "part_b_payments": 210_000,
    "payment_year_part_b": 215_000,
    "episodes": 60,
    "cost_per_episode": 18_400,
    "hcc_risk_score": 1.29,
    "dual_share": 0.14,
    "improvement_activities": 2,
    "promoting_interoperability": 95,
    "exempt": 0,
    "aco": 1,
}


def example_row(cohort: str, number: int) -> dict[str, Any]:
    """Give the filled cells of an example, by column."""
    identity = next(each for each, of in EXAMPLE_IDS.items() if of == (cohort, number))
    filled = _TYPICAL | {"clinician_id": identity, "cohort": cohort}
    filled["specialty"] = SPECIALTIES_OF[cohort][0]
    for measure in measures_of(cohort):
        if measure.final:
            rate = 68.4 if measure.worst is None else 0.12 if measure.inverse else 0.72
            filled |= {f"{measure.name}_rate": rate, f"{measure.name}_cases": 85}
            if not measure.claims:
                filled[f"{measure.name}_completeness"] = 0.92
            filled[f"{measure.name}_collection_type"] = measure.collection_types[0]
    names = filled if number == 1 else REQUIRED
    return {each.name: filled[each.name] for each in input_columns() if each.name in names}
