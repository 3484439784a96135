"""Results as flat tables, a row for each draw and label, for R, SQL and spreadsheets."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import pandas as pd
import xarray as xr

from asmrisk.analysis.run_results import definitions
from asmrisk.arguments import FLAG, PATH, check_arguments
from asmrisk.clinician_tables.formulas import as_text
from asmrisk.clinician_tables.table import NEEDS_PYARROW, has_pyarrow
from asmrisk.errors import Call, InputError, RunError
from asmrisk.results.reading import opened, require_store
from asmrisk.results.spec import SPEC
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.layering import parts_of

__all__ = ["FORMATS", "export"]

FORMATS = ("csv", "parquet", "netcdf")

#: Numbers that are held at a time.
_TOGETHER = 4_000_000
#: What one variable may hold in a file that every reader of netCDF knows (the 64-bit offset format).
_LARGEST_VARIABLE = 2**32 - 4


class _Writer(Protocol):
    def add(self, name: str, frame: pd.DataFrame) -> None:
        """Append rows to a table."""

    def close(self) -> None:
        """Finish all files."""


class _Csv:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, frame: pd.DataFrame) -> None:
        path = self._folder / f"{name}.csv"
        begun = path.exists()
        frame = frame.copy(deep=False)
        for column in frame.select_dtypes(exclude="number"):
            if any(as_text(each) is not each for each in frame[column].unique()):
                frame[column] = frame[column].astype(object).map(as_text)
        with path.open("a", encoding="utf-8", newline="") as file:
            frame.to_csv(file, index=False, header=not begun, lineterminator="\n")

    def close(self) -> None:
        """Every file is closed already."""


class _Parquet:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Any] = {}

    def add(self, name: str, frame: pd.DataFrame) -> None:
        import pyarrow as pa  # An extra, which only this format needs.
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(frame, preserve_index=False)
        if name not in self._files:
            self._files[name] = pq.ParquetWriter(self._folder / f"{name}.parquet", table.schema)
        self._files[name].write_table(table)

    def close(self) -> None:
        for file in self._files.values():
            file.close()


_WRITERS: dict[str, Callable[[Path], _Writer]] = {"csv": _Csv, "parquet": _Parquet}


def export(
    results: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    format: str = "csv",
    partial: bool = False,
) -> list[Path]:
    """Write results as tables that other programs read.

    Parameters
    ----------
    results : path
        The store that `asmrisk.run` or `asmrisk.sensitivity` wrote.
    out : path
        A new folder.
    format : {"csv", "parquet", "netcdf"}
        As tables, variables with the same labels are columns of one: ``by_performance_year_and_cohort.csv``
        has a row for each draw, performance year and cohort. Those of ``environment``, what clinicians are
        ranked against, and of ``clinician``, the roster's, begin with these words; ``parameters`` has a row
        for each draw with the values of all unknowns (of a word or table its place among those listed).
        As netCDF there is a file for each of them, with labels as dimensions.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    list of pathlib.Path
        The files written. ``variables.csv`` names every column, its table, unit and what it is;
        ``about.json`` says title, rule and provenance.

    Raises
    ------
    InputError
        If `format` is none of these, or needs what is not installed; `out` is there already, or cannot be
        written; the results cannot be opened; or a variable is too long for netCDF.
    RunError
        If a chunk is damaged, or the disk is full.
    """
    check_arguments(results=(PATH, results), out=(PATH, out), partial=(FLAG, partial))
    if format not in FORMATS:
        raise InputError(f"there is no format {format!r}", argument="format", allowed=", ".join(FORMATS))
    if format == "parquet" and not has_pyarrow():
        raise InputError(NEEDS_PYARROW, argument="format")
    groups = ["", *require_store(results)[1].groups]
    stated = {} if format == "csv" else {"format": format}
    advised = Call("export", others={"out": os.fspath(out)} | stated)
    datasets = {
        name: opened(results, partial, name or None, chunked=False, advised=advised) for name in groups
    }
    provenance = json.loads(datasets[""].attrs["provenance"])
    about = {**datasets[""].attrs, "provenance": provenance}
    if "parameters" in datasets:
        datasets["parameters"] = _wide(datasets["parameters"], definitions(provenance.get("uncertainty", {})))
    with _new_folder(Path(out)) as folder:
        if format == "netcdf":
            for name, dataset in datasets.items():
                _write_netcdf(dataset, folder / f"{name or 'results'}.nc")
        else:
            _write_tables(datasets, _WRITERS[format](folder))
        _variables(datasets, tables=format != "netcdf").to_csv(folder / "variables.csv", index=False)
        (folder / "about.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
        names = sorted(each.name for each in folder.iterdir())
    return [Path(out) / each for each in names]


def _wide(parameters: xr.Dataset, stated: Mapping[str, Mapping[str, Any]]) -> xr.Dataset:
    """Give each unknown a variable of its own, with what is declared of it; places in a list have no unit."""
    values = parameters["parameter_value"]
    columns = {}
    for name in map(str, parameters["parameter"].values):
        whole, listed = parts_of(name)[0], stated.get(name, {}).get("values", ())
        numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in listed)
        # Another version's may be called otherwise now.
        about = {"long_name": PARAMETERS[whole].meaning} if whole in PARAMETERS else {}
        about |= {"units": PARAMETERS[whole].unit} if about and numbers else {}
        columns[name] = values.sel(parameter=name, drop=True)
        columns[name].attrs = about
    return xr.Dataset({"parameter_set": parameters["parameter_set"], **columns}, attrs=parameters.attrs)


def _tables(datasets: Mapping[str, xr.Dataset]) -> Iterator[tuple[str, xr.Dataset, list[str]]]:
    """Put variables with the same labels together: the name of a table, its dataset and its variables."""
    for group, dataset in datasets.items():
        growing = _growing(dataset)
        by_labels: dict[tuple[str, ...], list[str]] = {}
        for name, variable in dataset.data_vars.items():
            by_labels.setdefault(tuple(map(str, variable.dims)), []).append(str(name))
        for dims, names in by_labels.items():
            labels = [each for each in dims if each not in growing and each != group]
            by = "_and_".join(labels)
            yield "_".join(filter(None, (group, by and f"by_{by}"))) or "totals", dataset, names


def _growing(dataset: xr.Dataset) -> list[str]:
    return [each for each in ("design_point", "draw") if each in dataset.sizes]


def _write_tables(datasets: Mapping[str, xr.Dataset], writer: _Writer) -> None:
    try:
        for table, dataset, names in _tables(datasets):
            dims = list(dataset[names[0]].dims)
            first, rest = dims[0], [dataset.sizes[each] for each in dims[1:]]
            length = max(1, _TOGETHER // (int(np.prod(rest)) * len(names)))
            for start in range(0, dataset.sizes[first], length):
                part = dataset[names].isel({first: slice(start, start + length)})
                frame = part.to_dataframe(dim_order=dims).reset_index()
                for name in frame.columns[frame.dtypes.map(pd.api.types.is_string_dtype)]:
                    frame[name] = frame[name].astype(str)
                writer.add(table, frame)
    finally:
        writer.close()


def _write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    longest = max(dataset.data_vars.values(), key=lambda each: each.nbytes)
    if longest.nbytes > _LARGEST_VARIABLE:
        text = f"{longest.name} takes {longest.nbytes / 1e9:.1f} GB, of which netCDF holds 4.2; take parquet"
        raise InputError(text, argument="format")
    texts = [name for name, each in dataset.variables.items() if each.dtype.kind not in "iufb"]
    plain = dataset.assign_coords({name: dataset[name].astype(object).astype(str) for name in texts})
    plain.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")


def _variables(datasets: Mapping[str, xr.Dataset], *, tables: bool) -> pd.DataFrame:
    """Say of every column in which table it is, its unit, and what it is."""
    rows: list[tuple[str, str, str, str]] = []
    for table, dataset, names in _tables(datasets):
        group = next(name for name, each in datasets.items() if each is dataset)
        where = table if tables else group or "results"
        columns: Sequence[Any] = [*dataset[names].coords, *names]
        for name in columns:
            known = dataset[name].attrs
            row = (where, str(name), str(known.get("units", "")), str(known.get("long_name", "")))
            if row not in rows:
                rows.append(row)
    return pd.DataFrame(rows, columns=["table", "column", "unit", "meaning"])


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Give a folder that gets its name when everything is in it; if anything fails, nothing is left."""
    temporary = None
    try:
        if os.path.lexists(out):
            raise InputError("is there already; name a new folder", argument="out", where=str(out))
        if any((each / SPEC).exists() for each in out.absolute().parents):
            raise InputError("lies in a store; name a folder outside of it", argument="out", where=str(out))
        # Of an unpredictable name, and new: no link planted there is followed.
        temporary = out.with_name(f".{uuid4().hex}.part")
        temporary.mkdir()
        yield temporary
        temporary.rename(out)
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name.
        if isinstance(error, InputError):
            raise
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(f"{out}: cannot be written: {reason}; free some space") from None
        raise InputError(f"cannot be written: {reason}", argument="out", where=str(out)) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
