"""How large outside input may be: limits by name, held before memory is taken, raised by one variable."""

from __future__ import annotations

import errno
import os
import stat
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from asmrisk.errors import InputError, Problem, unknown

__all__ = ["LIMITS", "NO_REGULAR_FILE", "VARIABLE", "Limit", "limit", "read_file", "require_within"]

#: The variable of the environment that sets limits: ``table_rows=5000000,chunk_bytes=4294967296``.
VARIABLE = "ASMRISK_LIMITS"

#: Said of what is neither a file nor a folder.
NO_REGULAR_FILE = "is a device, a pipe or a socket"


class Limit(NamedTuple):
    """One limit."""

    number: int  #: unless the environment says otherwise
    unit: str  #: of what is counted
    bounds: str  #: what has at most so many


#: By name. No input that anybody needs is near them: what is larger is a mistake, or meant to do harm.
LIMITS = MappingProxyType(
    {
        "document_bytes": Limit(2**20, "bytes", "a scenario, a study or a scheduler's file"),
        "document_keys": Limit(10_000, "keys", "a scenario or a study"),
        "document_levels": Limit(16, "levels", "a value in a scenario or a study"),
        "extended_files": Limit(32, "files", "a chain of scenarios that extend each other"),
        "overrides": Limit(1_000, "overrides", "a scenario"),
        "study_points": Limit(100_000, "design points", "a study"),
        "table_bytes": Limit(2**29, "bytes", "a CSV or Parquet file of clinicians, as it is and unpacked,"),
        "table_rows": Limit(2_000_000, "rows", "a table"),
        "table_columns": Limit(2_000, "columns", "a table"),
        "table_cells": Limit(50_000_000, "cells", "a table"),
        "cell_characters": Limit(2**17, "characters", "a cell of a table"),
        "workbook_bytes": Limit(2**27, "bytes", "a workbook, as it is and unpacked,"),
        "workbook_cells": Limit(4_000_000, "cells", "a sheet of a workbook, empty and merged ones counted,"),
        "list_bytes": Limit(2**24, "bytes", "a list of participants"),
        "metadata_bytes": Limit(2**25, "bytes", "a file of a result store other than a chunk"),
        "chunk_bytes": Limit(2**28, "bytes", "a chunk of a result store, unpacked,"),
        "store_length": Limit(10_000_000, "draws or design points", "a result store"),
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


def require_within(name: str, found: int, *, more: bool = False, **fields: Any) -> None:
    """Refuse what is beyond a limit.

    Parameters
    ----------
    name : str
        Of `LIMITS`.
    found : int
        How much there is, in the limit's unit.
    more : bool
        Whether it is not known how much more there may be.
    **fields : Any
        Of the `Problem`: where it is, and what is so large if it is not the whole file.

    Raises
    ------
    InputError
        If more was found than the limit allows: what was found, the limit, and how to raise it.
    """
    most = limit(name)
    if found <= most:
        return
    _, unit, bounds = LIMITS[name]
    others = {**_stated(os.environ.get(VARIABLE, "")), name: found}
    setting = ",".join(f"{each}={number}" for each, number in others.items())
    text = (
        f"{found:,} {unit}{' or more' * more}; {bounds} has at most {most:,} (limit {name}). If it is meant, "
        f"set {VARIABLE}={setting} in the environment{', or more' * more}"
    )
    raise InputError(text, **fields)


def read_file(path: str | os.PathLike[str], name: str) -> bytes:
    """Read a file of the user's, which may be anything.

    Parameters
    ----------
    path : str or path-like
        The file.
    name : str
        Of the limit in bytes that holds for it.

    Returns
    -------
    bytes
        All of it.

    Raises
    ------
    OSError
        If it cannot be read, or is a folder, a device, a pipe or a socket: these are not waited for.
    InputError
        If it is larger than the limit.
    """
    most = limit(name)
    try:
        with open(path, "rb", opener=_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, NO_REGULAR_FILE, os.fspath(path))
            require_within(name, found.st_size, where=os.fspath(path))
            # Some of the system's say that they have no size.
            data = file.read() if found.st_size else file.read(min(most, 2**20) + 1)
    except OSError as error:
        if error.errno == errno.ENXIO:  # A socket.
            raise OSError(errno.EINVAL, NO_REGULAR_FILE, os.fspath(path)) from None
        raise
    require_within(name, len(data), more=True, where=os.fspath(path))
    return data


def _at_once(path: str, flags: int) -> int:
    """Open what may be a pipe, which would keep its reader waiting for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)
