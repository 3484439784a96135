"""Reading a store: the datasets that users work with, every chunk of them compared with its digest."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from asmrisk.arguments import FLAG, check_arguments
from asmrisk.errors import Call, InputError, Problem
from asmrisk.results.manifest import Found, finished, survey
from asmrisk.results.metadata import read_root
from asmrisk.results.place import Storage, storage_at, usable
from asmrisk.results.provenance import provenance
from asmrisk.results.runs import asked_lengths, sound_runs
from asmrisk.results.spec import SPEC, StoreSpec
from asmrisk.results.store import read_spec
from asmrisk.simulation.arrays import Block

if TYPE_CHECKING:
    import xarray as xr


__all__ = ["open_results", "opened", "require_store"]


def require_store(path: Storage | str | os.PathLike[str]) -> tuple[Storage, StoreSpec]:
    """Find the store at a path, and what it holds; InputError if there is none, or it cannot be told."""
    storage = storage_at(path)
    place = storage.place
    with usable(place):
        try:
            spec = read_spec(storage)
            exists = spec is not None or storage.exists()
        except NotADirectoryError:
            spec, exists = None, storage.exists()
            if not exists:  # It lies below a file.
                raise
    if not exists:
        raise InputError(f"{place} does not exist; a run of a scenario to this place makes it.")
    if spec is None:
        raise InputError(f"{place} is no result store of asmrisk: it has no {SPEC}.")
    return storage, spec


def open_results(
    path: str | os.PathLike[str], partial: bool = False, *, group: str | None = None, chunked: bool = True
) -> xr.Dataset:
    """Open the results of a run.

    Parameters
    ----------
    path : str or path-like
        The store that `asmrisk.run` wrote.
    partial : bool
        Give the draws that are finished even if the run is not; the attribute ``partial`` says so, and
        ``asked`` how many there are to be.
    group : str, optional
        Instead of the main results: ``environment`` (what clinicians were ranked against), ``parameters``
        (the values of unknowns) or ``clinician`` (adjustments of the roster's clinicians).
    chunked : bool
        Give variables as dask arrays, for results larger than memory; otherwise each is read when used.

    Returns
    -------
    xarray.Dataset
        Read when needed, draw by draw. A chunk that is damaged or missing raises RunError when it is read.

    Raises
    ------
    InputError
        If there is no store, no such group, it is damaged, or the run is not finished and `partial` is false.
    """
    check_arguments(partial=(FLAG, partial), chunked=(FLAG, chunked))
    return opened(path, partial, group, chunked=chunked)


def opened(
    path: str | os.PathLike[str],
    partial: bool,
    group: str | None,
    *,
    chunked: bool,
    advised: Call = Call("summarize"),  # noqa: B008 - it cannot change.
) -> xr.Dataset:
    """Open results as `open_results`; if they are not finished `advised` is what takes them."""
    storage, spec = require_store(path)
    place = storage.place
    if group is not None and group not in spec.groups:
        raise InputError(f"{place} has no group {group!r}; it has {', '.join(spec.groups)}.")
    with usable(place):
        root, faults = read_root(storage, spec)
        lengths = asked_lengths(storage, spec) if partial else root.lengths if root else ()
        spec.require_small(place, lengths)
        found = survey(storage, spec, [Block(()), *(spec.blocks(lengths) if lengths else [])])
        for each in found:
            faults.extend(each.faults or ([] if each.entry else [f"{spec.describe(each.block)} missing"]))
        whole = root is not None and root.lengths == lengths and not faults
        if not whole and not partial:
            problem = "; ".join(faults[:3]) or "the run was interrupted or is still going on"
            text = f"{place} is not finished: {problem}. Run it again in the same way to complete it"
            some = replace(advised, first=str(place), others={**advised.others, "partial": True})
            see = ("; ", some, " takes what is finished")
            raise InputError(Problem((text, *(see if spec.noun == "draw" else ()), ".")))
        dataset = _dataset(storage, spec, found, lengths, group, chunked)
        if root is not None and whole:
            return dataset.assign_attrs(root.attributes)
        numbers = finished(spec, lengths, found)
        return dataset.isel({spec.growing[0]: numbers}).assign_attrs(
            **spec.headings,
            provenance=json.dumps(provenance(spec, sound_runs(storage, spec))),
            partial=f"{len(numbers)} of {lengths[0]} {spec.noun}s are finished",
            asked=lengths[0],
        )


def _dataset(
    storage: Storage,
    spec: StoreSpec,
    found: Sequence[Found],
    lengths: tuple[int, ...],
    group: str | None,
    chunked: bool,
) -> xr.Dataset:
    """Open a group with metadata made anew; its chunks are read when they are used."""
    import xarray as xr  # `status` reads without it, and without zarr.

    from asmrisk.results.layout import CheckedStore, hierarchy  # As above.

    digests = {
        key: each.entry.chunks[path].bytes
        for each in found
        if each.entry is not None
        for path, key in spec.chunks(each.block).items()
    }
    dataset = xr.open_zarr(
        CheckedStore(storage, spec, hierarchy(spec, lengths), digests),
        group=group,
        consolidated=True,
        chunks={} if chunked else None,
        # They count from 0 on: not worth a file for every block.
        drop_variables=spec.growing,
    )
    prefix = f"{group}/" if group else ""
    counted = {
        # The fast path: the other one imports all of dask to see whether this is an array of its kind.
        dim: xr.Variable((dim,), np.arange(length), spec.arrays[prefix + dim].attributes, fastpath=True)
        for dim, length in zip(spec.growing, lengths, strict=True)
        if prefix + dim in spec.arrays
    }
    labeled: xr.Dataset = dataset.assign_coords(counted)
    return labeled
