"""What a parameter changes, and that it changes nothing else.

Reform and baseline share every coin, so what does not follow from a parameter stays equal to the bit. What
follows from what is written down in `tests.parameters.consequences`: `FOLLOWS` says which column of the
clinician table is computed from which, `MADE_OF` from which columns a result is added up. `CHANGES` in
`tests.parameters.effects` states what a parameter decides *directly*, for whom and where; the rest is the
consequence.

A reform in one year alone must not be felt in the year before, and is felt in the year after only where
the model says that something lasts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from asmrisk.scenario.declarations import PARAMETERS
from tests.parameters.change import Change
from tests.parameters.consequences import BENCHMARKS, FOLLOWS, MADE_OF, MEASURES, PANEL, REPORT, SETS
from tests.parameters.effects import CHANGES, RESHAPING
from tests.parameters.reforms import (
    BACK,
    BOTH,
    ELSEWHERE,
    FIELD,
    HEART,
    KEYS,
    ONCE,
    YEARS,
    baseline,
    merged,
    outcome,
    scenario_with,
)

#: Of several changes of a parameter the first is tried in one year alone too, the others in long tests.
CASES = [
    pytest.param(
        name,
        change,
        year,
        id=f"{name}-{place}-{year or 'always'}",
        marks=[pytest.mark.long] * bool(place and year),
    )
    for name, changes in CHANGES.items()
    for place, change in enumerate(changes)
    for year, when in ((None, "always"), (ONCE, "once"))
    if when in change.when and (year is None or PARAMETERS[name].by_year)
]


def test_every_parameter_is_told_of() -> None:
    assert set(CHANGES) == set(PARAMETERS) - ELSEWHERE


def test_every_result_is_made_of_something() -> None:
    _, results = baseline("{}")
    assert set(results) == set(MADE_OF) | set(BENCHMARKS)


def text(values: pd.Series) -> np.ndarray:
    return np.asarray(values.astype(object).where(values.notna(), "")).astype(str)


def differing(before: pd.Series, after: pd.Series) -> np.ndarray:
    """Tell which values differ: of floats in some bit, of the rest as text."""
    if before.dtype == after.dtype == np.float64:
        return before.to_numpy().view(np.int64) != after.to_numpy().view(np.int64)
    if before.equals(after):
        return np.zeros(len(before), bool)
    return text(before) != text(after)


def cells_of(path: str, array: np.ndarray) -> Iterator[tuple[str, int, np.ndarray]]:
    """Give the parts of a result by cohort and year."""
    for place, year in enumerate(YEARS):
        of_year = array[0, place]
        for code, cohort in enumerate(BOTH):
            if path.startswith("specialty_"):
                yield cohort, year, of_year[:1] if cohort == HEART else of_year[1:]
            elif path in BENCHMARKS:
                yield cohort, year, of_year[:5] if cohort == HEART else of_year[5:]
            elif of_year.shape[:1] == (7,):
                yield cohort, year, of_year[:1] if cohort == HEART else of_year[1:]
            else:
                yield cohort, year, of_year[code]


Cells = set[tuple[str, int]]
#: Years in which Medicare saves: performance years, and the payment years that follow two years later.
CALENDAR_YEARS = (*YEARS, 2032, 2033)


def budget_years(
    before: np.ndarray, after: np.ndarray, causes: dict[str, Cells]
) -> Iterator[tuple[int, bool]]:
    """Give the calendar years whose savings differ, and whether anything that they are made of does."""
    for calendar, one, two in zip(CALENDAR_YEARS, before[0], after[0], strict=True):
        if one.tobytes() != two.tobytes():
            lags = {"measured": (0, 2), "episodes": (0,), "cost_per_episode": (0,), "adjustment_usd": (2,)}
            yield (
                calendar,
                any(
                    year == calendar - lag
                    for name, several in lags.items()
                    for _, year in causes.get(name, ())
                    for lag in several
                ),
            )


def reach(change: Change, year: int | None) -> tuple[dict[str, Cells], Cells]:
    """Give the cohorts and years in which each column may change, and those in which costs may respond."""

    def when(column: str) -> set[int]:
        if year is None:
            return set(YEARS)
        first = year - 2 if column == "payment_year_part_b" else year
        return {each for each in YEARS if each == first or (each > first and change.lasts)}

    found: dict[str, Cells] = {}
    responses: Cells = set()
    direct = (*change.columns, *change.may)
    waiting = [(column, cohort, each) for column in direct for cohort in change.cohorts
               for each in when(column)]  # fmt: skip
    while waiting:
        column, cohort, each = waiting.pop()
        if (cohort, each) in found.setdefault(column, set()):
            continue
        found[column].add((cohort, each))
        waiting += [(after, cohort, each) for after in FOLLOWS.get(column, ())]
        if column == "adjustment_factor":
            # A loss raises the response from two years later on, and the response accumulates.
            later = [(cohort, when) for when in YEARS if when >= each + 2]
            responses.update(later)
            waiting += [("cost_per_episode", *place) for place in later]
    return found, responses


@pytest.mark.parametrize(("name", "change", "year"), CASES)
def test_a_parameter_changes_what_it_decides_and_nothing_else(
    name: str, change: Change, year: int | None
) -> None:
    base, base_results = baseline(json.dumps(change.among))
    reform, results = outcome(
        merged(
            scenario_with(FIELD),
            scenario_with(change.among),
            scenario_with(change.also, year),
            scenario_with({name: change.value}, year),
        )
    )
    allowed, responses = reach(change, year)
    changed: dict[str, Cells] = {}

    # Who is measured.
    keys = [set(map(tuple, frame[[*KEYS, "cohort"]].itertuples(index=False))) for frame in (base, reform)]
    moved = {(cohort, when) for _, when, cohort in keys[0] ^ keys[1]}
    assert moved <= allowed.get("measured", set())
    changed["measured"] = moved

    # What is seen of them and made of it.
    reform = reform.reindex(columns=base.columns.union(reform.columns, sort=False))
    before, after = base.reindex(columns=reform.columns), reform
    if not before[KEYS].equals(after[KEYS]):
        joined = before[KEYS].merge(after[KEYS], on=KEYS)
        before = before.set_index(KEYS).loc[pd.MultiIndex.from_frame(joined)].reset_index()
        after = after.set_index(KEYS).loc[pd.MultiIndex.from_frame(joined)].reset_index()
    same = np.asarray(change.comparable(before.clinician_id))
    before, after = before[same].reset_index(drop=True), after[same].reset_index(drop=True)
    for frame in (before, after):
        frame["scored"] = frame.final_score.notna()
        frame["zero"] = frame.final_score == 0
    cell = list(zip(before.cohort, before.performance_year, strict=True))
    response = np.array([each in responses for each in cell])
    for column in before.columns.difference([*KEYS, "cohort"]):
        differs = differing(before[column], after[column])
        if not differs.any():
            continue
        changed[column] = {cell[row] for row in np.flatnonzero(differs)}
        source = "final_score" if column in ("scored", "zero") else column
        beyond = changed[column] - allowed.get(source, set())
        assert not beyond, f"{column} changed in {sorted(beyond)}"
        if column in change.columns:
            # Where costs respond to other factors, ranks among the peers move as well.
            direct = differs & ~response
            assert not (direct & ~np.asarray(change.where(before, after), bool)).any(), column

    # What is added up.
    for calendar, caused in budget_years(
        base_results["budget_savings"], results.pop("budget_savings"), changed
    ):
        changed.setdefault("budget_savings", set()).update((cohort, calendar) for cohort in BOTH)
        timely = year is None or calendar == year or (calendar > year and change.lasts)
        assert caused or ("budget_savings" in change.results and timely), f"budget of {calendar} changed"
    for path in PANEL:
        array, before_it = results.pop(path), base_results[path]
        causes = set().union(*(changed.get(each, set()) for each in ("measured", *MADE_OF[path])))
        for cohort, part in ((HEART, np.s_[:, :1]), (BACK, np.s_[:, 1:])):
            same = np.ascontiguousarray(array[part]).tobytes() == before_it[part].tobytes()
            assert same or cohort in {where for where, _ in causes}, f"{path} changed in {cohort}"
    for path, array in results.items():
        if array.shape != base_results[path].shape:
            assert name in RESHAPING
            continue
        parts = zip(cells_of(path, array), cells_of(path, base_results[path]), strict=True)
        for (cohort, when, one), (_, _, two) in parts:
            if np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(two).tobytes():
                continue
            changed.setdefault(path, set()).add((cohort, when))
            timely = year is None or when == year or (when > year and change.lasts)
            if path in (*change.results, *change.may) and cohort in change.cohorts and timely:
                continue
            made_of = ("measured", *MADE_OF.get(path, ()))
            if path in BENCHMARKS:
                made_of = ("measured", "exempt", *(f"{m}_{part}" for m in SETS[cohort] for part in REPORT))
            causes = set().union(*(changed.get(each, set()) for each in made_of))
            assert (cohort, when) in causes, f"{path} changed in {cohort}, {when}"

    # And it does change what it decides, where and when it does first.
    for column in (*change.columns, *change.results):
        for cohort in change.cohorts:
            if column.partition("_")[0] in MEASURES and column.partition("_")[0] not in SETS[cohort]:
                continue
            seen = {when for where, when in changed.get(column, set()) if where == cohort}
            assert seen, f"{column} never changed in {cohort}"
            if year is not None:
                assert min(seen) == (year - 2 if column == "payment_year_part_b" else year), column
