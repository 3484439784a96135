"""Files given to the wrong command: an `InputError` says what they are, and which command takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asmrisk.clinician_tables.columns import REQUIRED
from asmrisk.clinician_tables.tidy import declared_name
from asmrisk.errors import Call, InputError, Problem
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.scenario.toml_source import read_toml

__all__ = ["refuse_clinicians", "refuse_other_files", "refuse_participants", "refuse_roster", "refuse_scored"]

#: A column that CMS's list of participants has.
_LISTED = "ASM_COHORT"
#: Columns that only a scored table has.
_SCORED = frozenset({"final_score", "adjustment_factor", "adjustment_usd"})
#: What scoring needs that a roster has not.
_TO_SCORE = frozenset({"performance_year", "payment_year_part_b"})
#: Earlier years are mistakes.
_LONG_AGO = 30
_AS_ROSTER = (
    "a scenario names it as population.roster, and ",
    Call("run"),
    " takes the scenario; ",
    Call("exposure"),
    " takes the table itself",
)


def refuse_other_files(path: Path) -> None:
    """Refuse what is no table at all but belongs to another command: a scenario, a study, a store."""
    name = str(path)
    if path.suffix.lower() == ".toml":
        try:
            study = "design" in read_toml(path).data
        except InputError:
            return
        what = "a sensitivity study" if study else "a scenario"
        take = Call("sensitivity" if study else "run", name)
        raise _other(name, f"is {what}, not a table of clinicians; ", take, " takes it")
    store = False
    with suppress(OSError):  # A name too long.
        store = (path / "zarr.json").is_file()
    if store:
        summarize = Call("summarize", name)
        raise _other(name, "is the store of a run, not a table of clinicians; ", summarize, " shows it")


def refuse_participants(source: str, names: Collection[str]) -> None:
    """Refuse CMS's list of participants, known by its columns."""
    if _LISTED in names:
        text = "is CMS's list of participants, not a table of clinicians; a scenario names it as "
        raise _other(source, f"{text}population.participant_list, and ", Call("run"), " takes the scenario")


def refuse_roster(source: str, names: Collection[str], years: NDArray[np.float64]) -> None:
    """Refuse a roster where a table is to be scored: by its years, or where it has none of what is scored."""
    known = years[np.isfinite(years)]
    first = PERFORMANCE_YEARS[0]
    past = len(known) and first - _LONG_AGO < known.min() and known.max() < first
    if past or (set(names) >= set(REQUIRED) and not _TO_SCORE & set(names)):
        last = f", of {known.max():.0f} at the latest" if past else ""
        text = f"is a roster of past years{last}, not what was observed of everybody from {first} on; "
        raise _other(source, text, *_AS_ROSTER)


def refuse_scored(source: str, names: Collection[str], years: NDArray[np.float64], last: int) -> None:
    """Refuse a scored table with years beyond the last that a roster knows."""
    known = years[np.isfinite(years)]
    if len(known) and known.max() > last and _SCORED & set(names):
        text = f"is a scored table of years up to {known.max():.0f}, not a roster, which has years up to "
        raise _other(source, f"{text}{last}; ", Call("score"), " takes it")


def refuse_clinicians(source: str, heads: Iterable[str]) -> None:
    """Refuse a table of clinicians, known by the heads of its columns, where CMS's list is meant."""
    if {"cohort", "specialty"} <= set(map(declared_name, heads)):
        raise _other(source, "is a table of clinicians, not CMS's list of participants; ", *_AS_ROSTER)


def _other(where: str, *text: str | Call) -> InputError:
    return InputError(Problem(text, where=where))
