"""What a policy asks of a clinician table: columns that tell peer groups apart, and counts of activities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from asmrisk.clinician_tables.problems import Problems
from asmrisk.errors import Problem
from asmrisk.parameters.parameter import Values
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.scenario.declarations import PARAMETERS

__all__ = ["ACTIVITY_PARTS", "FINAL_RULE", "PolicyNeeds", "check_activities", "check_needed", "policy_needs"]

#: Columns from which the number of improvement activities follows.
ACTIVITY_PARTS = ("primary_care_connection", "collaborative_care_elements")
_ACTIVITIES = "improvement_activities"


class PolicyNeeds(NamedTuple):
    """What a scenario asks of a table.

    Attributes
    ----------
    elements : tuple of int
        By performance year: elements that make a collaborative care arrangement.
    columns : tuple of (int, str, str)
        Performance year, column that must be filled in it, and the parameters that ask for it.
    regions : int
        How many the areas of a roster lie in.
    """

    elements: tuple[int, ...]
    columns: tuple[tuple[int, str, str], ...]
    regions: int


def policy_needs(values: Values) -> PolicyNeeds:
    """Give what a scenario's values ask of a table.

    >>> policy_needs(PARAMETERS.defaults())
    PolicyNeeds(elements=(3, 3, 3, 3, 3), columns=(), regions=9)
    """
    columns = []
    for year in PERFORMANCE_YEARS:
        for column in ("region", "aco"):
            peers = [f"policy.{of}_peer_group" for of in ("quality", "cost", "payment")]
            asked = [f'{name} = "{column}"' for name in peers if values.at(name, year) == column]
            participants = values.at("policy.aco_participants", year)
            if column == "aco" and participants != "included":
                asked.append(f'policy.aco_participants = "{participants}"')
            if asked:
                columns.append((year, column, ", ".join(asked)))
    return PolicyNeeds(
        elements=tuple(values.at("policy.collaborative_care_elements", year) for year in PERFORMANCE_YEARS),
        columns=tuple(columns),
        regions=values["population.regions"],
    )


#: What the final rule asks of a table.
FINAL_RULE = policy_needs(PARAMETERS.defaults())


def check_needed(
    values: Mapping[str, Any], needs: PolicyNeeds, allowed: Mapping[str, str], problems: Problems
) -> None:
    """Check that the columns that a scenario asks for are there and filled in the years concerned.

    Parameters
    ----------
    values : mapping of str to ndarray
        Cells by column: text ('' where empty) or numbers (NaN where empty).
    needs : PolicyNeeds
        What is asked for.
    allowed : mapping of str to str
        By column, what its cells may hold.
    problems : Problems
        Receives what is wrong.
    """
    year = values.get("performance_year")
    if year is None:
        return
    missing = set()
    for when, name, asked in needs.columns:
        concerned = year == when
        if not concerned.any():
            continue
        if name in values:
            cells = values[name]
            empty = cells == "" if cells.dtype == object else np.isnan(cells)
            text = f"is empty, which {asked} does not allow; fill it in every row of {when}"
            problem = Problem(text, what=name, allowed=allowed[name])
            problems.rows(concerned & empty, lambda row, problem=problem: problem)  # type: ignore[misc]
        elif name not in missing:
            missing.add(name)
            text = f"the column is missing, and {asked} needs it; give it, or change the scenario"
            problems.table(Problem(text, what=name, allowed=allowed[name]))


def check_activities(
    values: Mapping[str, Any], needs: PolicyNeeds, rows: int, counted: bool, problems: Problems
) -> None:
    """Check the parts of improvement activities: both or neither, and the number that they make.

    Parameters
    ----------
    values, needs, problems
        As for `check_needed`.
    rows : int
        Of the table.
    counted : bool
        Whether the number must be known in every row, from the parts or as such.
    """
    nothing = np.full(rows, np.nan)
    connection, elements, activities = (values.get(name, nothing) for name in (*ACTIVITY_PARTS, _ACTIVITIES))
    has_connection, has_elements, has_number = (
        ~np.isnan(each) for each in (connection, elements, activities)
    )
    missing = (has_elements & ~has_connection, has_connection & ~has_elements)
    for name, other, wrong in zip(ACTIVITY_PARTS, reversed(ACTIVITY_PARTS), missing, strict=True):
        half = Problem(f"is not given, though {other} is; give both or neither", what=name)
        problems.rows(wrong, lambda row, half=half: half)  # type: ignore[misc]
    # Without both columns the number's own is missing or its cell empty, as any other's.
    if counted and all(name in values for name in ACTIVITY_PARTS):
        text = f"is not given; give it, or both {' and '.join(ACTIVITY_PARTS)}"
        unknown = Problem(text, what=_ACTIVITIES)
        problems.rows(~(has_connection | has_elements | has_number), lambda row: unknown)

    # The years that a roster knows before the first performance year are counted as that one.
    first = PERFORMANCE_YEARS[0]
    year = np.nan_to_num(values.get("performance_year", nothing), nan=first)
    threshold = np.array(needs.elements)[np.clip(year - first, 0, len(needs.elements) - 1).astype(np.int64)]
    made = connection + (elements >= threshold)

    def problem(row: int) -> Problem:
        with_or_without = "with" if connection[row] else "without"
        text = (
            f"is {activities[row]:g}, but its parts make {made[row]:g}: {elements[row]:g} elements, where a "
            f"collaborative care arrangement needs {threshold[row]}, {with_or_without} a connection to "
            f"primary care; correct them, or leave {_ACTIVITIES} empty"
        )
        return Problem(text, what=_ACTIVITIES)

    problems.rows(has_connection & has_elements & has_number & (activities != made), problem)
