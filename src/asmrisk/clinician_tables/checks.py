"""The checks of a clinician table: every cell against its column's declaration, all problems at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from asmrisk.clinician_tables.cells import EMPTY, Unreadable, numbers, remedy_of, texts
from asmrisk.clinician_tables.columns import (
    FIELD_COLUMNS,
    SCORE_COLUMNS,
    Column,
    in_table_order,
    input_columns,
    points_column,
    status_column,
)
from asmrisk.clinician_tables.conversions import Conversions
from asmrisk.clinician_tables.plausibility import in_percent, note_suspicious
from asmrisk.clinician_tables.policy_needs import (
    ACTIVITY_PARTS,
    FINAL_RULE,
    PolicyNeeds,
    check_activities,
    check_needed,
)
from asmrisk.clinician_tables.problems import Problems
from asmrisk.clinician_tables.tidy import tidy
from asmrisk.clinician_tables.wrong_table import refuse_participants, refuse_roster, refuse_scored
from asmrisk.errors import Problem, nearest, printable
from asmrisk.rule.definitions import (
    COHORTS,
    MEASURES,
    PERFORMANCE_YEARS,
    REGIONS,
    SPECIALTIES,
    SPECIALTIES_OF,
)

__all__ = ["KNOWN_YEARS", "KnownYears", "check_table"]

#: What a clinician of a roster has one of in all years.
_SAME = ("practice_id", "area", "cohort", "specialty", "practice_size")
#: Kernels hold whole numbers in 32 bits.
_LARGEST_INTEGER = 2**31 - 1

_Texts = NDArray[np.object_]
_Numbers = NDArray[np.float64]
_Where = NDArray[np.bool_]


class KnownYears(NamedTuple):
    """The years of a roster: a table of what is known of clinicians, empty where nothing is.

    A clinician has any number of rows, one a year, that agree on who it is.
    """

    first: int
    last: int
    meant: int  #: where the year is empty


#: Years of which a roster can know something.
KNOWN_YEARS = KnownYears(first=2020, last=PERFORMANCE_YEARS[0], meant=2025)


def check_table(
    frame: pd.DataFrame,
    problems: Problems,
    required: Collection[str] | None,
    notes: Callable[[str], None],
    known_years: KnownYears | None = None,
    needs: PolicyNeeds = FINAL_RULE,
    conversions: Conversions | None = None,
) -> pd.DataFrame:
    """Check a table and bring it to the declared columns and dtypes.

    Parameters and result are those of `asmrisk.clinician_tables.table.check_clinicians`, but that `problems`
    knows the table's name, its rows' lines, and what was wrong with it before, and `conversions` what was
    converted before.
    """
    conversions = Conversions() if conversions is None else conversions
    frame, given = tidy(frame, problems, conversions)
    names = list(frame.columns)
    if not len(frame) and not problems.count:
        problems.table(Problem("no rows below the header; give at least one clinician"))
    _refuse_others(frame, problems.source, required, known_years)

    cohorts = np.array(texts(frame["cohort"]) if "cohort" in names else [""] * len(frame), dtype=object)
    columns = input_columns(set(cohorts))
    if known_years is not None:
        columns = tuple(_any_known_year(each, known_years) for each in columns)
    needed = {column.name for column in columns if not column.optional} if required is None else set(required)
    counted = "improvement_activities" in needed
    if all(name in names for name in ACTIVITY_PARTS):
        needed.discard("improvement_activities")
    _check_header(names, columns, needed, problems, notes)

    everyone = np.ones(len(frame), dtype=bool)
    # Measures of the other cohort mean nothing in a row: they are not looked at.
    concerned = {measure.name: cohorts == measure.cohort for measure in MEASURES}
    values: dict[str, Any] = {}
    for column in columns:
        if column.name in names:
            rows = concerned.get(column.name.split("_", 1)[0], everyone)
            may_be_empty = column.empty or column.name not in needed
            cells, as_given = frame[column.name], given[column.name]
            values[column.name] = _check_cells(column, cells, as_given, rows, may_be_empty, problems)
    _check_specialty(values, problems)
    _check_cases(values, len(frame), known_years is not None, problems)
    if known_years is None:
        _check_cost(values, problems)
        check_needed(values, needs, {each.name: each.allowed for each in columns}, problems)
    else:
        year = values.get("performance_year", np.full(len(frame), np.nan))
        values["performance_year"] = np.where(np.isnan(year), known_years.meant, year)
        _check_same("clinician_id", "clinician", _SAME, values, problems)
        _check_regions(values, len(frame), needs.regions, problems)
    check_activities(values, needs, len(frame), counted, problems)
    _check_practices(values, known_years is None, problems)
    _check_once(values, problems)
    problems.raise_any()
    conversions.tell(problems.source, len(frame), notes)
    note_suspicious(columns, values, problems.source, notes)

    # Not exempt is the default, in the column or without it; in a roster it is not known.
    if known_years is None:
        values["exempt"] = np.nan_to_num(values.get("exempt", np.zeros(len(frame))))
    return in_table_order(
        pd.DataFrame({c.name: _series(c, values[c.name]) for c in columns if c.name in values})
    )


def _refuse_others(
    frame: pd.DataFrame, source: str, required: Collection[str] | None, known_years: KnownYears | None
) -> None:
    """Refuse a table that another command takes."""
    refuse_participants(source, frame.columns)
    years = numbers(frame["performance_year"]) if "performance_year" in frame else np.zeros(0)
    if known_years is not None:
        refuse_scored(source, frame.columns, years, known_years.last)
    elif required is None:
        refuse_roster(source, frame.columns, years)


def _any_known_year(column: Column, years: KnownYears) -> Column:
    if column.name != "performance_year":
        return column
    return replace(column, low=years.first, high=years.last, empty=True, optional=True)


def _check_header(
    names: Sequence[str],
    columns: Sequence[Column],
    needed: Collection[str],
    problems: Problems,
    notes: Callable[[str], None],
) -> None:
    of_measures = (column(measure) for measure in MEASURES for column in (points_column, status_column))
    scored = (*of_measures, *SCORE_COLUMNS, *FIELD_COLUMNS)
    known = {column.name for column in (*input_columns(), *scored)}
    unknown = [name for name in dict.fromkeys(names) if name not in known]
    absent = [column for column in columns if column.name not in names]
    misspelled = set()
    for column in absent:
        if column.name in needed:
            like = nearest(column.name, [name for name in unknown if name not in misspelled])
            if like is None:
                problems.table(Problem("the column is missing", what=column.name, allowed=column.allowed))
            else:
                misspelled.add(like)
                text = f"unknown column, while {column.name} is missing"
                problems.table(Problem(text, what=like, nearest=column.name))
    ignored = []
    for name in unknown:
        found = process.extractOne(name.lower(), [c.name for c in absent], scorer=fuzz.ratio, score_cutoff=80)
        if found is None:
            ignored.append(name)
        elif name not in misspelled:
            problems.table(Problem("unknown column", what=name, nearest=found[0]))
    if ignored and not problems.count:
        listed = ", ".join(_with_hint(name, known) for name in ignored)
        text = f"{problems.source}: these columns are not of a clinician table and are left out: {listed}"
        notes(printable(text))


def _with_hint(name: str, known: Collection[str]) -> str:
    """Name a column; where it is the beginning of others, such as a measure's, say of which."""
    begins = f"{name.lower()}_rate"
    return f"{name} (did you mean {begins}?)" if begins in known else name


def _check_cells(
    column: Column,
    series: pd.Series,
    given: pd.Series,
    rows: _Where,
    may_be_empty: bool,
    problems: Problems,
) -> _Texts | _Numbers:
    """Check one column on its own; give text ('' where empty) or numbers (NaN where empty).

    Messages show the cells as they were given.
    """
    cells: Any
    if column.kind in ("text", "word"):
        cells = np.array([*texts(series), None], dtype=object)[:-1]
        if column.kind == "word":
            cells[[cell in EMPTY for cell in cells]] = ""
        cells[~rows] = ""
        empty = cells == ""
        right = _is_text if column.kind == "text" else {*column.words, ""}.__contains__
        wrong = np.array([not right(cell) for cell in cells], dtype=bool)
        problems.rows(wrong, lambda row: _word_problem(column, cells[row]))
    else:
        cells = numbers(series)
        cells[~rows] = np.nan
        empty = np.isnan(cells)
        wrong = (cells < column.low) | (cells > column.high) | np.isinf(cells)
        if column.kind == "integer":
            wrong |= (cells != np.floor(cells)) & ~empty | (cells > _LARGEST_INTEGER)
        if not (wrong.any() and in_percent(column, cells, wrong, problems)):
            problems.rows(wrong, lambda row: _number_problem(column, cells[row], given[row]))
    if not may_be_empty:
        problems.rows(empty & rows, lambda row: Problem("is empty", what=column.name, allowed=column.allowed))
    return cells  # type: ignore[no-any-return]


def _check_specialty(values: Mapping[str, Any], problems: Problems) -> None:
    cohort, specialty = values.get("cohort"), values.get("specialty")
    if cohort is None or specialty is None:
        return
    apart = {(c, s) for c in COHORTS for s in SPECIALTIES if s not in SPECIALTIES_OF[c]}
    wrong = np.array([pair in apart for pair in zip(cohort, specialty, strict=True)], dtype=bool)

    def problem(row: int) -> Problem:
        allowed = ", ".join(SPECIALTIES_OF[cohort[row]])
        return Problem(
            f"{specialty[row]} is not of the cohort {cohort[row]}",
            what="specialty",
            allowed=f"one of {allowed}",
        )

    problems.rows(wrong, problem)


def _check_cost(values: Mapping[str, Any], problems: Problems) -> None:
    episodes, cost = values.get("episodes"), values.get("cost_per_episode")
    if episodes is None or cost is None:
        return
    text = "is empty with {:.0f} episodes; it is empty only with 0 episodes"
    problems.rows(
        np.isnan(cost) & (episodes >= 1),
        lambda row: Problem(text.format(episodes[row]), what="cost_per_episode"),
    )


def _check_cases(values: Mapping[str, Any], rows: int, only_rates: bool, problems: Problems) -> None:
    for measure in MEASURES:
        rate, cases, how = (values.get(f"{measure.name}_{p}") for p in ("rate", "cases", "collection_type"))
        if rate is None or (not only_rates and (cases is None or how is None)):
            continue
        given = ~np.isnan(rate)
        if how is not None and not only_rates:
            # A claims measure says 'claims' for everybody, cases or none.
            given |= (how != "") & (not measure.claims)
        missing = np.ones(rows, dtype=bool) if cases is None else np.isnan(cases)
        wrong = missing & given
        if wrong.sum() > 1 and wrong.sum() == given.sum():
            text = f"is not given in any of the {wrong.sum():,} rows that report the measure, the first on "
            text += f"{problems.label(int(wrong.argmax()))}; give the patients in the denominator"
            problems.table(Problem(text, what=f"{measure.name}_cases"))
            continue
        text = "is empty though the measure is reported; give 0 if there are none"
        problem = Problem(text, what=f"{measure.name}_cases")
        problems.rows(wrong, lambda row, problem=problem: problem)  # type: ignore[misc]


def _check_same(
    key: str,
    who: str,
    names: Collection[str],
    values: Mapping[str, Any],
    problems: Problems,
    told: _Where | None = None,
) -> None:
    """Check that the rows of one clinician, practice or area agree wherever they say something.

    Rows that are `told` already are left out; those found are added to it.
    """
    for name in names:
        if name not in values or key not in values:
            continue
        cells, keys = values[name], values[key]
        known = np.flatnonzero((keys != "") & (cells != "" if cells.dtype == object else np.isfinite(cells)))
        _, first, group = np.unique(keys[known].astype(str), return_index=True, return_inverse=True)
        earlier = np.arange(len(cells))
        earlier[known] = known[first[group]]
        wrong = np.zeros(len(cells), dtype=bool)
        wrong[known] = cells[known] != cells[earlier[known]]
        if told is not None:
            wrong &= ~told
            told |= wrong

        def problem(row: int, name: str = name, cells: Any = cells, earlier: Any = earlier) -> Problem:
            where, other = problems.label(earlier[row]), _plain(cells[earlier[row]])
            text = (
                f"is {_plain(cells[row])}, but on {where} {who} {_shown(values[key][row])} has {other}; "
                "give the same in all its rows"
            )
            return Problem(text, what=name)

        problems.rows(wrong, problem)


def _check_regions(values: Mapping[str, Any], rows: int, regions: int, problems: Problems) -> None:
    """Check that a roster's regions are the scenario's, one of each practice, area and clinician."""
    if "region" not in values:
        return
    region = values["region"]
    last = REGIONS[regions - 1]
    allowed = f"one of {REGIONS[0]} to {last}" if regions > 1 else last
    text = f"is not of the scenario, which has population.regions = {regions}; give another, or raise it"
    beyond = Problem(text, what="region", allowed=allowed)
    told = np.isin(region, REGIONS[regions:])
    problems.rows(told, lambda row: beyond)
    for key, who in (("practice_id", "practice"), ("area", "area"), ("clinician_id", "clinician")):
        _check_same(key, who, ("region",), values, problems, told)


def _check_practices(values: Mapping[str, Any], with_region: bool, problems: Problems) -> None:
    """Check that the rows of a practice and year agree on what is one value, wherever it is known.

    Improvement activities and promoting interoperability are attested and reported by the practice, it is in
    one region and in an accountable care organization or not, and it has one record system, by which it
    reports every measure that leaves a choice.
    """
    practice, year = values.get("practice_id"), values.get("performance_year")
    if practice is None or year is None:
        return
    keys = pd.DataFrame({"practice": practice, "year": year})
    number = keys.groupby(["practice", "year"], dropna=False).ngroup()
    group: NDArray[np.int64] = np.asarray(number, dtype=np.int64)
    types = [f"{measure.name}_collection_type" for measure in MEASURES if len(measure.collection_types) > 1]
    for names in (
        ["area"],
        ["practice_size"],
        ["region"] if with_region else [],
        ["aco"],
        ["improvement_activities"],
        *([name] for name in ACTIVITY_PARTS),
        ["promoting_interoperability"],
        types,
    ):
        columns = {name: values[name] for name in names if name in values}
        if columns:
            _check_one_value(columns, practice, year, group, problems)


def _check_one_value(
    columns: Mapping[str, Any], practice: _Texts, year: _Numbers, group: NDArray[np.int64], problems: Problems
) -> None:
    """Check that the known cells of some columns are all the same in the rows of a group."""
    names = list(columns)
    cells = np.stack(list(columns.values()), axis=1)
    known = (cells != "" if cells.dtype == object else ~np.isnan(cells)) & (practice != "")[:, None]
    # Written backwards, so that the first known cell of a group remains.
    backwards = np.flatnonzero(known)[::-1]
    first = np.zeros(len(group), dtype=np.int64)
    first[group[backwards // len(names)]] = backwards
    first = first[group]

    def problem(row: int, column: int) -> Problem:
        where, other = problems.label(first[row] // len(names)), cells.flat[first[row]]
        text = (
            f"is {_plain(cells[row, column])}, but practice {_shown(practice[row])} has {_plain(other)} on "
            f"{where} in {year[row]:.0f}; a practice has one value a year: give the same in all its rows, or "
            "another practice_id"
        )
        return Problem(text, what=names[column])

    for column in range(len(names)):
        wrong = known[:, column] & (cells[:, column] != cells.flat[first])
        problems.rows(wrong, partial(problem, column=column))


def _check_once(values: Mapping[str, Any], problems: Problems) -> None:
    if "clinician_id" not in values:
        return
    keys = pd.DataFrame(
        {name: values[name] for name in ("clinician_id", "performance_year") if name in values}
    )
    group = keys.groupby(list(keys), sort=False, dropna=False).ngroup().to_numpy()
    _, first = np.unique(group, return_index=True)

    def problem(row: int) -> Problem:
        year = f" in {keys['performance_year'][row]:.0f}" if "performance_year" in keys else ""
        where = problems.label(first[group[row]])
        text = f"{_shown(keys['clinician_id'][row])}{year} is on {where} already; keep one row"
        return Problem(text, what="clinician_id")

    problems.rows((first[group] != np.arange(len(keys))) & (values["clinician_id"] != ""), problem)


def _is_text(cell: str) -> bool:
    return cell.isprintable() and not isinstance(cell, Unreadable)


def _plain(cell: str | float) -> str:
    return cell if isinstance(cell, str) else f"{cell:g}"


def _shown(cell: object) -> str:
    text = str(cell)
    text = text if len(text) <= 40 else text[:37] + "..."
    return repr(text) if isinstance(cell, str) else text


def _number_problem(column: Column, value: float, cell: object) -> Problem:
    allowed = column.allowed
    if column.kind == "integer" and _LARGEST_INTEGER < value < math.inf:
        allowed = f"a whole number, at most {_LARGEST_INTEGER:,}"
    remedy = ""
    if column.unit == "fraction" and 1.0 < value <= 100.0:
        remedy = f"; if it is percent, write {value:g}% or {value / 100.0:g}"
    return Problem(_not_allowed(cell) + remedy, what=column.name, allowed=allowed)


def _word_problem(column: Column, cell: str) -> Problem:
    like = nearest(cell.lower().replace(" ", "_"), column.words)
    return Problem(_not_allowed(cell), what=column.name, allowed=column.allowed, nearest=like)


def _not_allowed(cell: object) -> str:
    remedy = remedy_of(cell)
    return f"{_shown(cell)} is not allowed" + (f": {remedy}" if remedy else "")


def _series(column: Column, values: Any) -> pd.Series:
    if column.kind in ("text", "word"):
        return pd.Series([cell or None for cell in values], dtype="str")
    if column.kind == "integer":
        empty = np.isnan(values)
        whole = np.where(empty, 0.0, values).astype(np.int64)
        if column.dtype == "int64" and not empty.any():
            return pd.Series(whole)
        return pd.Series(pd.arrays.IntegerArray(whole, empty))
    return pd.Series(values)
