"""How large outside input may be: limits by name, held before memory is taken, raised by one variable."""

from __future__ import annotations

import os
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from asmrisk.errors import InputError, Problem, unknown

__all__ = ["LIMITS", "VARIABLE", "Limit", "limit", "require_within"]

#: The variable of the environment that sets limits: ``table_rows=5000000,chunk_bytes=4294967296``.
VARIABLE = "ASMRISK_LIMITS"


class Limit(NamedTuple):
    """One limit."""

    number: int  #: unless the environment says otherwise
    unit: str  #: of what is counted
    bounds: str  #: what has at most so many


#: By name. No input that anybody needs is near them: what is larger is a mistake, or meant to do harm.
LIMITS = MappingProxyType(
    {
        "document_bytes": Limit(2**20, "bytes", "a scenario, a study, or a scheduler's file"),
        "document_levels": Limit(16, "levels", "tables and lists inside each other in a scenario or study"),
        "extended_files": Limit(32, "files", "a scenario and what it extends, one file after the other"),
        "overrides": Limit(1_000, "overrides", "what changes a scenario besides its file"),
        "study_points": Limit(100_000, "design points", "a study"),
        "table_bytes": Limit(2**29, "bytes", "a clinician table in CSV or Parquet, unpacked too"),
        "table_rows": Limit(2_000_000, "rows", "a clinician table"),
        "table_columns": Limit(2_000, "columns", "a clinician table"),
        "table_cells": Limit(50_000_000, "cells", "a clinician table"),
        "cell_characters": Limit(2**17, "characters", "one cell of a table"),
        "workbook_bytes": Limit(2**27, "bytes", "a workbook, unpacked"),
        "workbook_cells": Limit(4_000_000, "cells", "a sheet of a workbook, empty and merged ones too"),
        "list_bytes": Limit(2**24, "bytes", "a list of participants"),
        "metadata_bytes": Limit(2**26, "bytes", "a file of a result store that is no chunk"),
        "chunk_bytes": Limit(2**31, "bytes", "a chunk of a result store, unpacked"),
        "store_draws": Limit(100_000_000, "draws", "a result store, in all design points together"),
    }
)


def limit(name: str) -> int:
    """Give the number of a limit: the declared one, or what the environment says instead.

    Parameters
    ----------
    name : str
        Of `LIMITS`.

    Returns
    -------
    int
        In the limit's unit.

    Raises
    ------
    InputError
        If the environment states a limit that there is not, or that is no whole number of at least 1.
    """
    return _stated(os.environ.get(VARIABLE, "")).get(name, LIMITS[name].number)


@lru_cache(maxsize=16)
def _stated(text: str) -> dict[str, int]:
    """Read what the variable says; cut short or misspelled it says nothing."""
    stated: dict[str, int] = {}
    problems: list[Problem] = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (part.strip() for part in each.partition("="))
        if name not in LIMITS:
            problem = unknown("limit", name, LIMITS)
            problems.append(
                Problem(problem.text, name, VARIABLE, allowed=problem.allowed, nearest=problem.nearest)
            )
        elif not (number.isascii() and number.isdecimal() and 0 < len(number) < 19 and int(number)):
            text = f"{number!r} is no limit"
            problems.append(Problem(text, name, VARIABLE, allowed="a whole number, as in table_rows=5000000"))
        else:
            stated[name] = int(number)
    if problems:
        raise InputError(problems)
    return stated


def require_within(
    name: str, found: int, where: object, *, more: bool = False, line: int | None = None, what: str = ""
) -> None:
    """Refuse what is beyond a limit.

    Parameters
    ----------
    name : str
        Of `LIMITS`.
    found : int
        How large it is, in the limit's unit.
    where : object
        The file, as messages call it.
    more : bool
        Whether it is not known how much larger it may be.
    line : int, optional
        Of the file.
    what : str
        The column, member or key that is so large, if it is not the file.

    Raises
    ------
    InputError
        If more was found than the limit allows: what was found, the limit, and how to raise it.
    """
    most = limit(name)
    if found <= most:
        return
    unit = LIMITS[name].unit
    counted = f"{found:,} {unit} or more" if more else f"{found:,} {unit}"
    others = {**_stated(os.environ.get(VARIABLE, "")), name: found}
    setting = ",".join(f"{each}={number}" for each, number in others.items())
    raised = f"{VARIABLE}={setting}" + (" or more" if more else "")
    text = f"has {counted}, and {name} is {most:,}; if it is right so, set {raised} in the environment"
    raise InputError(text, where=str(where), line=line, what=what)
