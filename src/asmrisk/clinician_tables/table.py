"""The clinician table: how it is read (CSV, Parquet, workbook), checked and written (CSV or Parquet).

One row is one clinician in one performance year. The table is the input of `asmrisk.score` and of a roster,
and the output of `asmrisk.replay`. Its columns are declared in `asmrisk.clinician_tables.columns`. Numbers
survive a file to the last bit.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pandas as pd

from asmrisk.clinician_tables.checks import KnownYears, check_table
from asmrisk.clinician_tables.columns import in_table_order
from asmrisk.clinician_tables.conversions import Conversions
from asmrisk.clinician_tables.delimited import split, text_of
from asmrisk.clinician_tables.formulas import csv_of
from asmrisk.clinician_tables.layout import frame_of_lines, table_of_text, table_of_workbook
from asmrisk.clinician_tables.policy_needs import FINAL_RULE, PolicyNeeds
from asmrisk.clinician_tables.problems import Problems
from asmrisk.clinician_tables.wrong_table import refuse_clinicians, refuse_other_files
from asmrisk.errors import InputError, Problem, RunError, printable
from asmrisk.limits import NO_REGULAR_FILE, read_file

__all__ = [
    *("check_clinicians", "check_output", "read_cells", "read_clinicians", "read_table_file", "replaced"),
    *("to_stderr", "write_clinicians"),
]

_PARQUET = (".parquet", ".pq")
_WORKBOOKS = (".xlsx", ".xlsm")
#: Which openpyxl does not read.
_OTHER_WORKBOOKS = (".xls", ".xlsb", ".ods", ".numbers")
NEEDS_PYARROW = (
    "Parquet needs the package pyarrow, which is not installed; "
    "run  python -m pip install 'asmrisk[parquet]'  or use a .csv file"
)


def to_stderr(text: str) -> None:
    """Print a note of one sentence on standard error."""
    if sys.stderr is not None:  # Closed by whoever started us.
        with contextlib.suppress(OSError):  # Full.
            print(printable(f"note: {text}"), file=sys.stderr)


def read_clinicians(
    path: str | os.PathLike[str],
    *,
    required: Collection[str] | None = None,
    notes: Callable[[str], None] = to_stderr,
    known_years: KnownYears | None = None,
    needs: PolicyNeeds = FINAL_RULE,
) -> pd.DataFrame:
    """Read a clinician table and check every cell.

    Parameters
    ----------
    path : path
        Parquet where the name ends in ``.parquet`` or ``.pq``, a workbook where it ends in ``.xlsx``, else
        CSV (UTF-8 or UTF-16; separated by commas, semicolons or tabs).
    required : collection of str, optional
        Columns that must be there and filled; the others may then be left out or empty. By default all
        columns, except that those of a cohort's measures are needed only where the cohort is in the table,
        and improvement activities only where their parts are not given.
    notes : callable
        Receives remarks: what was converted, in one line, which columns are left out, whose unit is
        suspicious.
    known_years : KnownYears, optional
        The table is a roster: rows of these years, several for a clinician, and cells are left empty where
        nothing is known.
    needs : PolicyNeeds
        What a scenario asks of the table; by default the final rule.

    Returns
    -------
    pandas.DataFrame
        The observed columns in the declared order; scored and undeclared columns are left out.

    Raises
    ------
    InputError
        Naming every problem at once (the first fifty) with its line (CSV) or row: no such file, a folder,
        what another command takes, an encoding or format that is not read, not a table, no rows, ragged
        rows, a missing, doubled or misspelled column, a cell that cannot be read surely,
        anything that a column's declaration does not allow, a specialty of the other cohort, episodes
        without a cost, a reported measure without cases, a clinician twice in a year, one part of
        improvement activities without the other, a number of them that their parts do not make, a column
        missing or empty that `needs` has, rows of one practice and year that differ in practice size, area,
        region, accountable care organization, improvement activities or their parts, promoting
        interoperability or, where there is a choice, collection type.
    """
    path = Path(path)
    data = read_table_file(path)
    ending, conversions = path.suffix.lower(), Conversions()
    if ending in _OTHER_WORKBOOKS:
        raise _unreadable(path, f"{ending} files are not read; save the table as .xlsx or as CSV")
    if ending in _PARQUET:
        frame, problems = _table_of_parquet(data, path), Problems(str(path))
    else:
        table_of = table_of_workbook if ending in _WORKBOOKS else table_of_text
        frame, problems = table_of(data, path, conversions)
    return check_table(frame, problems, required, notes, known_years, needs, conversions)


def read_table_file(path: Path) -> bytes:
    """Give the content of a file that may be a clinician table; errors as `read_clinicians`."""
    refuse_other_files(path)
    name = "workbook_bytes" if path.suffix.lower() in _WORKBOOKS else "table_bytes"
    return _content(path, name, "give a clinician table, a .csv, .xlsx or .parquet file")


def read_cells(
    path: str | os.PathLike[str], columns: Collection[str], *, remedy: str
) -> tuple[pd.DataFrame, Problems]:
    """Read some columns of a CSV file as text, without the space around it; the others are not kept.

    Parameters
    ----------
    path : path
        CSV (UTF-8, comma separated).
    columns : collection of str
        Names of the columns.
    remedy : str
        What to give instead, if there is no file.

    Returns
    -------
    frame : pandas.DataFrame
        Cells as text: those of the columns that are there.
    problems : Problems
        With the lines of the rows, and what is wrong so far: ragged rows, which are left out, a doubled
        column.

    Raises
    ------
    InputError
        If nothing can be read: no such file, a folder, larger than the limit ``list_bytes``, not UTF-8, not a
        table.
    """
    path = Path(path)
    rows = split(text_of(_content(path, "list_bytes", remedy), path), path)
    if not rows:
        raise _unreadable(path, "is empty; the first line must name the columns")
    if len(rows[0][1]) == 1 and (";" in rows[0][1][0] or "\t" in rows[0][1][0]):
        raise _unreadable(path, "columns must be separated by commas", 1)
    frame, problems = frame_of_lines(path, rows)
    names = pd.Index([str(name).strip() for name in frame.columns])
    if not names.isin(list(columns)).any():
        refuse_clinicians(str(path), names)
    for name in columns:
        if (names == name).sum() > 1:
            problems.table(Problem("the column appears more than once; keep one", what=name))
    frame = frame.loc[:, names.isin(list(columns)) & ~names.duplicated()]
    return frame.set_axis([name.strip() for name in frame.columns], axis=1).map(str.strip), problems


def check_clinicians(
    frame: pd.DataFrame,
    *,
    source: str = "table",
    required: Collection[str] | None = None,
    notes: Callable[[str], None] = to_stderr,
    known_years: KnownYears | None = None,
    needs: PolicyNeeds = FINAL_RULE,
) -> pd.DataFrame:
    """Check a clinician table in memory as `read_clinicians` checks a file.

    Parameters
    ----------
    frame : pandas.DataFrame
        Text or numbers; left as it is.
    source : str
        What messages call the table; its rows count from 1.
    required, notes, known_years, needs
        As for `read_clinicians`.

    Returns
    -------
    pandas.DataFrame
        A new table with the declared dtypes and rows 0, 1, ....

    Raises
    ------
    InputError
        As for `read_clinicians`.
    """
    kept_by_arrow = [
        name
        for name, dtype in frame.dtypes.items()
        if isinstance(dtype, pd.ArrowDtype) or getattr(dtype, "storage", "") == "pyarrow"
    ]
    if kept_by_arrow:
        # An extra, which is there where such columns are.
        from asmrisk.clinician_tables.parquet import require_text

        require_text(frame[kept_by_arrow], source)
    return check_table(frame, Problems(source), required, notes, known_years, needs)


def write_clinicians(
    frame: pd.DataFrame, path: str | os.PathLike[str], *, inputs: Iterable[str | os.PathLike[str]] = ()
) -> Path:
    """Write a table whole: an existing file is replaced in one step or, if anything fails, left as it was.

    Parameters
    ----------
    frame : pandas.DataFrame
        What to write; the columns are brought to the declared order.
    path : path
        Its ending says how: ``.csv``, ``.parquet`` or ``.pq``. In CSV an apostrophe stands before a text that
        a spreadsheet program would calculate; `read_clinicians` leaves it out.
    inputs : iterable of path
        Files that must not be overwritten.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    InputError
        As `check_output`, or if the place cannot be written to.
    RunError
        If the disk is full.
    """
    path = check_output(path, inputs=inputs)
    frame = in_table_order(frame)
    with replaced(path) as file:
        if path.suffix.lower() in _PARQUET:
            with file.open("xb") as binary:
                frame.to_parquet(binary, index=False)
        else:
            with file.open("x", encoding="utf-8", newline="") as text:
                text.write(csv_of(frame))
    return path


@contextlib.contextmanager
def replaced(path: Path, argument: str = "out", *, private: bool = False) -> Iterator[Path]:
    """Give the name of a new file that takes the place of the one at a path when it is written.

    A private one is there already, empty, and only its owner may read it (mode 0600). If anything fails, the
    old file is left as it was: InputError where the place cannot be written to, RunError where the disk is
    full.
    """
    # Of an unpredictable name, and new: no link planted there is followed.
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if private:
            temporary.touch(0o600, exist_ok=False)
        yield temporary
        temporary.replace(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name.
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(f"{path}: cannot be written: {reason}; free some space") from None
        raise InputError(f"cannot be written: {reason}", argument=argument, where=str(path)) from None
    finally:
        # On a read-only disk even what is not there cannot be removed.
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)


def check_output(
    path: str | os.PathLike[str],
    argument: str = "out",
    what: str = "a table",
    *,
    inputs: Iterable[str | os.PathLike[str]] = (),
    endings: Sequence[str] = (".csv", ".parquet", ".pq"),
) -> Path:
    """Check, before any work, that a table or another file can be written.

    Parameters
    ----------
    path : path
        Where to.
    argument, what : str
        What messages call the argument and the file.
    inputs : iterable of path
        Files that must not be overwritten.
    endings : sequence of str
        In which a name may end; messages name the first two.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    InputError
        If the name ends in none of `endings`, is a folder's or one of `inputs` or
        too long, if its folder does not exist, or if Parquet is asked for without pyarrow.
    """

    def unwritable(reason: str) -> InputError:
        return InputError(reason, argument=argument, where=str(path))

    path = Path(path)
    if path.suffix.lower() not in endings:
        raise unwritable(f"{what} is written as {' or '.join(endings[:2])}; give a name that ends so")
    try:
        folder, homeless = path.is_dir(), not path.parent.is_dir()
        taken = any(path.exists() and Path(each).exists() and path.samefile(each) for each in inputs)
    except OSError as error:  # A name too long, a loop of links.
        raise unwritable(f"cannot be written: {error.strerror}") from None
    if folder:
        raise unwritable("is a folder; give the name of a file")
    if homeless:
        raise unwritable(f"the folder {path.parent} does not exist; create it first")
    if taken:
        raise unwritable("is the input; give another name for the output")
    if path.suffix.lower() in _PARQUET and not has_pyarrow():
        raise unwritable(NEEDS_PYARROW)
    return path


def _unreadable(path: Path, reason: str, line: int | None = None) -> InputError:
    return InputError(reason, where=str(path), line=line)


def _content(path: Path, name: str, remedy: str) -> bytes:
    """Read a file of at most so many bytes as the limit of this name, or say what is there instead."""
    try:
        return read_file(path, name)
    except InputError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise _unreadable(path, f"there is no such file; {remedy}") from None
    except IsADirectoryError:
        raise _unreadable(path, f"is a folder; {remedy}") from None
    except (OSError, ValueError) as error:  # A name too long or with a NUL character, a loop of links.
        reason = error.strerror if isinstance(error, OSError) else error
        raise _unreadable(
            path, f"{reason}; {remedy}" if reason == NO_REGULAR_FILE else f"cannot be read: {reason}"
        ) from None


def has_pyarrow() -> bool:
    """Whether Parquet can be read and written."""
    return importlib.util.find_spec("pyarrow") is not None


def _table_of_parquet(data: bytes, path: Path) -> pd.DataFrame:
    if not has_pyarrow():
        raise _unreadable(path, NEEDS_PYARROW)
    # It imports pyarrow, which may be missing.
    from asmrisk.clinician_tables.parquet import columns_of_parquet

    try:
        return columns_of_parquet(data, str(path))
    except InputError:
        raise
    except Exception as error:  # a damaged file makes pyarrow raise errors of many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise _unreadable(path, f"cannot be read as Parquet: {reason}") from None
