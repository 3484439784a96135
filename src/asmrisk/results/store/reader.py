"""Reading a store: what is finished, and the datasets that users work with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from asmrisk.errors import InputError
from asmrisk.results.description import FOLDER, UNREADABLE, Description
from asmrisk.results.manifest import Block, Manifest, blocks_of
from asmrisk.results.store.storage import Storage, storage_at

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["committed_draws", "open_results", "read_root", "require_store"]


def read_root(storage: Storage, description: Description) -> tuple[dict[str, Any], int]:
    """Read the root's metadata, which shows a store to readers.

    Parameters
    ----------
    storage : Storage
        Of the store.
    description : Description
        What it holds.

    Returns
    -------
    tuple of dict and int
        The metadata, and the length of the leading dimension that readers see; empty and 0 where nothing was
        committed or the metadata cannot be read.
    """
    try:
        root = json.loads(storage.read("zarr.json"))
        length = root["consolidated_metadata"]["metadata"][description.leading]["shape"][0]
    except (FileNotFoundError, *UNREADABLE):
        return {}, 0
    # More than was ever asked for cannot have been committed.
    if type(length) is int and 0 < length <= description.draws:
        return root, length
    return {}, 0


def committed_draws(place: Storage | str | os.PathLike[str]) -> int:
    """Count the draws that a reader of the store sees; 0 before it can be opened.

    Parameters
    ----------
    place : path or location
        A store.

    Returns
    -------
    int
        Length of its leading dimension: draws, or a study's design points.
    """
    storage = storage_at(place)
    description = Description.read(storage)
    return 0 if description is None else read_root(storage, description)[1]


def require_store(path: Storage | str | os.PathLike[str]) -> tuple[Storage, Description]:
    """Find the store at a path.

    Parameters
    ----------
    path : path or location
        What the user gave.

    Returns
    -------
    tuple of Storage and Description
        The store and what it is a run of.

    Raises
    ------
    InputError
        If there is no store, or it cannot be reached.
    """
    storage = storage_at(path)
    place = storage.location
    try:
        description = Description.read(storage)
        exists = description is not None or storage.exists()
    except OSError as error:  # A name too long, no permission, no network.
        raise InputError(f"{place} cannot be read ({error.strerror or error}).") from None
    except ValueError as error:  # A null byte.
        if isinstance(error, InputError):
            raise
        raise InputError(f"{place} cannot be read ({error}).") from None
    if not exists:
        raise InputError(f"{place} does not exist. `asmrisk run SCENARIO --out {place}` makes it.")
    if description is None:
        raise InputError(f"{place} is no result store of asmrisk: it has no {FOLDER}/store.json.")
    return storage, description


def open_results(
    path: str | os.PathLike[str],
    partial: bool = False,
    *,
    group: str | None = None,
    chunked: bool = True,
) -> xr.Dataset:
    """Open the results of a run.

    Parameters
    ----------
    path : str or path-like
        The store that ``asmrisk run`` wrote.
    partial : bool
        Give the draws that are finished even if the run is not: they are labelled by the coordinate ``draw``
        and by an attribute ``partial``.
    group : str, optional
        Instead of the main results: ``environment`` (what clinicians were ranked against), ``knowledge`` (the
        parameter values drawn, where the scenario has uncertain ones) or ``clinician`` (adjustments of each
        clinician of the roster, where it has one).

    chunked : bool
        Give variables as dask arrays, for results larger than memory; otherwise each is read when used.

    Returns
    -------
    xarray.Dataset
        Read when needed, draw by draw.

    Raises
    ------
    InputError
        If there is no store, no such group, or the run is not finished and `partial` is false.
    """
    storage, description = require_store(path)
    place = storage.location
    groups = sorted({name.rpartition("/")[0] for name in description.variables})
    if (group or "") not in groups:
        raise InputError(
            f"{place} has no group {group!r}; it has {', '.join(each for each in groups if each)}."
        )
    root, committed = read_root(storage, description)
    blocks = blocks_of(description.draws if partial else committed, description.block_length)
    done, faults = _finished(storage, description, blocks)
    if not partial and (faults or not committed):
        problem = "; ".join(faults[:3]) or "the run was interrupted or is still going on"
        raise InputError(
            f"{place} is not finished: {problem}. Run the same command again to complete it, or open the "
            f"finished {description.noun}s with partial=True."
        )
    if committed and not faults and committed == sum(block.count for block in blocks):
        metadata = root["consolidated_metadata"]["metadata"]
        attributes = root["attributes"] if group is None else metadata[group]["attributes"]
        return _dataset(storage, description, group or "", blocks, metadata, chunked).assign_attrs(attributes)
    paths = [f"{path}/zarr.json" for path in _arrays(description, group or "")]
    metadata = {
        key.removesuffix("/zarr.json"): json.loads(data)
        for key, data in zip(paths, storage.read_many(paths), strict=True)
        if data is not None
    }
    finished = sum(block.count for block in done)
    return _dataset(storage, description, group or "", done, metadata, chunked).assign_attrs(
        title=description.provenance["scenario"]["title"],
        provenance=json.dumps(description.provenance),
        partial=f"{finished} of {description.draws} {description.noun}s are finished",
    )


def _finished(
    storage: Storage, description: Description, blocks: Sequence[Block]
) -> tuple[list[Block], list[str]]:
    """Find the blocks that are there, as far as they are, and say what of the others is missing."""
    done, faults = [], []
    survey = Manifest(storage, description).survey(blocks)
    for block, (entry, found) in zip(blocks, survey, strict=True):
        if entry is not None and not found:
            done.append(replace(block, count=min(entry.count, block.count)))
        if entry is None or entry.count < block.count:
            faults.append(f"{description.noun}s {block.first} to {block.last} are missing")
        else:
            faults.extend(found)
    return done, faults


def _arrays(description: Description, group: str) -> list[str]:
    """Name the arrays of a group: those written in blocks, and their labels."""
    paths = [*description.variables, *(key.removesuffix("/c.0") for key in description.fixed)]
    return [path for path in paths if path.rpartition("/")[0] == group]


def _dataset(
    storage: Storage,
    description: Description,
    group: str,
    blocks: Sequence[Block],
    metadata: Mapping[str, Any],
    chunked: bool,
) -> xr.Dataset:
    """Label the arrays of a group, to be read when they are used."""
    import xarray as xr
    from xarray.core import indexing

    from asmrisk.results.store.arrays import StoredArray, read_labels
    from asmrisk.results.store.metadata import ArrayMetadata

    members: dict[str, Any] = {}
    coordinates: set[str] = set()
    for path in _arrays(description, group):
        array = ArrayMetadata.decode(metadata.get(path), storage.location, path)
        name = path.rpartition("/")[2]
        attributes = dict(array.attributes)
        coordinates.update(str(attributes.pop("coordinates", "")).split())
        values: Any
        if path not in description.variables:
            values = read_labels(storage, path, array)
        elif name == description.leading:
            values = np.concatenate(
                [np.zeros(0, np.int64), *(np.arange(block.first, block.last + 1) for block in blocks)]
            )
        else:
            values = indexing.LazilyIndexedArray(StoredArray(storage, path, array, blocks))
            if not chunked:
                values = indexing.MemoryCachedArray(indexing.CopyOnWriteArray(values))  # type: ignore[no-untyped-call]
        # The fast path: the other one imports all of dask to see whether these are its arrays.
        members[name] = xr.Variable(array.dims, values, attributes, fastpath=True)
    dataset = xr.Dataset(members).set_coords(sorted(coordinates & members.keys()))
    if chunked:
        dataset = dataset.chunk({description.leading: tuple(block.count for block in blocks) or 1})
    return dataset
