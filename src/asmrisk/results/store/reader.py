"""Reading a store: what is finished, and the datasets that users work with."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer.core import default_buffer_prototype
from zarr.storage import MemoryStore

from asmrisk.errors import InputError
from asmrisk.results.manifest import FOLDER, Block, Description, Manifest, blocks_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["being_written", "committed_draws", "open_results", "require_store"]


def being_written(root: Path) -> bool:
    """Whether a process holds the store's lock at this moment."""
    try:
        with (root / FOLDER / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def committed_draws(root: Path, leading: str = "draw") -> int:
    """Count the draws that a reader of the store sees; 0 before it can be opened.

    Parameters
    ----------
    root : pathlib.Path
        A store.
    leading : str
        Its leading dimension.

    Returns
    -------
    int
        Length of that dimension.
    """
    try:
        metadata = json.loads((root / "zarr.json").read_bytes())["consolidated_metadata"]["metadata"]
        return int(metadata[leading]["shape"][0])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return 0


def require_store(path: str | os.PathLike[str]) -> tuple[Path, Description]:
    """Find the store at a path.

    Parameters
    ----------
    path : str or path-like
        What the user gave.

    Returns
    -------
    tuple of pathlib.Path and Description
        The store and what it is a run of.

    Raises
    ------
    InputError
        If there is no store.
    """
    root = Path(path)
    try:
        exists = root.exists()
    except OSError as error:  # A name too long.
        raise InputError(f"{root} cannot be read ({error.strerror}).") from None
    if not exists:
        raise InputError(f"{root} does not exist. `asmrisk run SCENARIO --out {root}` makes it.")
    description = Description.read(root)
    if description is None:
        raise InputError(f"{root} is no result store of asmrisk: it has no {FOLDER}/store.json.")
    return root, description


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
    import xarray as xr

    root, description = require_store(path)
    groups = sorted({name.rpartition("/")[0] for name in description.variables})
    if (group or "") not in groups:
        raise InputError(
            f"{root} has no group {group!r}; it has {', '.join(each for each in groups if each)}."
        )
    committed = committed_draws(root, description.leading)
    faults = _faults(root, description, committed)
    if not partial and (faults or not committed):
        problem = "; ".join(faults[:3]) or "the run was interrupted or is still going on"
        raise InputError(
            f"{root} is not finished: {problem}. Run the same command again to complete it, or open the "
            f"finished {description.noun}s with partial=True."
        )
    if committed and not faults and (not partial or committed >= description.draws):
        dataset: xr.Dataset = xr.open_zarr(
            root, group=group, consolidated=True, chunks={} if chunked else None
        )
        return dataset
    return _open_partial(root, description, group or "")


def _faults(root: Path, description: Description, draws: int) -> list[str]:
    manifest = Manifest(root)
    faults = []
    for block in blocks_of(draws, description.block_length):
        entry = manifest.entry(block.index, description.chunk_keys(block.index))
        if entry is None or entry.count < block.count:
            faults.append(f"{description.noun}s {block.first} to {block.last} are missing")
        else:
            faults.extend(entry.faults(root, verify=False))
    return faults


def _open_partial(root: Path, description: Description, group: str) -> xr.Dataset:
    """Label the finished draws, whatever the committed metadata says."""
    import dask.array as da
    import xarray as xr
    from dask.delayed import delayed

    manifest = Manifest(root)
    target = max(description.draws, committed_draws(root, description.leading))
    done = []
    for block in blocks_of(target, description.block_length):
        entry = manifest.entry(block.index, description.chunk_keys(block.index))
        if entry is not None and not entry.faults(root, verify=False):
            done.append(replace(block, count=min(entry.count, block.count)))
    members: dict[str, Any] = {}
    described: set[str] = set()
    for path in description.variables:
        home, _, name = path.rpartition("/")
        if home != group:
            continue
        dims, shape, dtype, attributes = _array(root, path)
        for label in attributes.pop("coordinates", "").split():
            described.add(label)
            members[label] = ((dims[-1],), _read_label(root, f"{group}/{label}"))
        parts = [
            da.from_delayed(delayed(_read_chunk)(root, path, block), (block.count, *shape[1:]), dtype)  # type: ignore[no-untyped-call]
            for block in done
        ]
        whole = da.concatenate(parts) if parts else da.zeros((0, *shape[1:]), dtype)  # type: ignore[no-untyped-call]
        members[name] = (dims, whole.compute() if name == description.leading else whole, attributes)
        for dim in dims[1:]:
            label = f"{group}/{dim}" if group else dim
            members[dim] = ((dim,), _read_label(root, label), _array(root, label)[-1])
    dataset = xr.Dataset(members).set_coords(sorted(described))
    finished = sum(block.count for block in done)
    return dataset.assign_attrs(
        title=description.provenance["scenario"]["title"],
        provenance=json.dumps(description.provenance),
        partial=f"{finished} of {target} {description.noun}s are finished",
    )


def _array(root: Path, path: str) -> tuple[tuple[str, ...], tuple[int, ...], str, dict[str, Any]]:
    """Give dimensions, shape, type and attributes of an array from its own metadata."""
    metadata = json.loads((root / path / "zarr.json").read_bytes())
    return (
        tuple(metadata["dimension_names"]),
        tuple(metadata["shape"]),
        metadata["data_type"],
        metadata["attributes"],
    )


def _read_label(root: Path, path: str) -> NDArray[Any]:
    array = zarr.open_array(str(root), path=path, mode="r")
    return np.asarray(array[...])


def _read_chunk(root: Path, path: str, block: Block) -> NDArray[Any]:
    """Read the draws of a block from its chunk file, past the array's length if need be."""
    metadata = json.loads((root / path / "zarr.json").read_bytes())
    metadata["shape"][0] = block.last + 1
    name = f"c.{block.index}" + ".0" * (len(metadata["shape"]) - 1)
    buffer = default_buffer_prototype().buffer
    memory = MemoryStore(
        store_dict={
            "zarr.json": buffer.from_bytes(json.dumps(metadata).encode()),
            name: buffer.from_bytes((root / path / name).read_bytes()),
        }
    )
    return np.asarray(zarr.open_array(memory, mode="r")[block.first :])
