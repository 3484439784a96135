"""What a store will take when it is complete, foretold from a few draws: files and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.results.layout import encode_chunks
from asmrisk.results.manifest import Chunk, Entry
from asmrisk.results.metadata import metadata
from asmrisk.results.runs import sound_runs
from asmrisk.results.spec import StoreSpec
from asmrisk.results.store import Store
from asmrisk.simulation.arrays import Block

__all__ = ["Footprint", "footprint"]

#: Files beside chunks, their entries, metadata and records of runs: the specification, and an empty one by
#: which writers agree.
_OTHER_FILES = 2


class Footprint(NamedTuple):
    """What a store takes."""

    files: int  #: exact, if no file is damaged or left behind
    bytes: int  #: within 5%: how well numbers can be compressed differs little between draws


def footprint(
    store: Store, labels: Mapping[str, NDArray[Any]], pilot: Mapping[str, NDArray[Any]]
) -> Footprint:
    """Foretell what a run's store, as `Store.look` gives it, takes when it has the length that it is to have.

    By path, `labels` are the values of the arrays that no block writes, `pilot` those of the others in a few
    draws, four at least. Chunks of the pilot and of its first half, made by the store's codec, give the bytes
    of a chunk and of a draw in it; everything else is made as a run makes it.
    """
    spec, draws = store.spec, store.lengths[-1]
    blocks = -(-draws // spec.block_shape[-1])
    count = len(next(iter(pilot.values())))
    whole, half = (_chunk_sizes(spec, pilot, n) for n in (count, count // 2))
    each_draw = (sum(whole.values()) - sum(half.values())) / (count - count // 2)
    block_bytes = sum(whole.values()) + each_draw * (spec.block_shape[-1] - count)
    label_sizes = {path: len(data) for path, data in encode_chunks(spec, labels).items()}
    runs = sound_runs(store.storage, spec)
    records = len(runs) + (not runs or tuple(runs[-1]["lengths"]) != store.lengths)
    files = metadata(spec, store.lengths, runs)
    return Footprint(
        files=blocks * (len(whole) + 1) + len(label_sizes) + 1 + len(files) + records + _OTHER_FILES,
        bytes=round(
            blocks * (block_bytes + _entry_size(spec, whole))
            + sum(label_sizes.values())
            + _entry_size(spec, label_sizes)
            + sum(map(len, files.values()))
            + len(spec.encode())
        ),
    )


def _chunk_sizes(spec: StoreSpec, values: Mapping[str, NDArray[Any]], count: int) -> dict[str, int]:
    """Give the bytes of the chunks, by path, that a block of the first draws would have."""
    shorter = replace(spec, definition=spec.definition | {"block": {"draw": count}})
    paths = shorter.chunks(Block((0,), (0,), (count,)))
    some = {path: values[path][:count] if path in values else np.arange(count) for path in paths}
    return {path: len(data) for path, data in encode_chunks(shorter, some).items()}


def _entry_size(spec: StoreSpec, sizes: Mapping[str, int]) -> int:
    digest = 64 * "0"
    chunks = {path: Chunk(digest, digest, size) for path, size in sizes.items()}
    return len(Entry.of(spec, Block((0,)), chunks).encode())
