"""Writing the blocks of a store, from any thread of any process that can reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import RunError
from asmrisk.results.description import Chunk, Description
from asmrisk.results.manifest import Block, Entry, Manifest
from asmrisk.results.store.chunks import ChunkFormat
from asmrisk.results.store.storage import Storage

__all__ = ["BlockWriter"]


@dataclass(frozen=True)
class BlockWriter:
    """Writes blocks of a store that its `Store` has locked and laid out; small, and can be pickled.

    Attributes
    ----------
    storage : Storage
        Where the store is.
    description : Description
        What it holds.
    chunks : dict of str to ChunkFormat
        Of every array of which each block writes a chunk, by path, in the order of the description.
    session : str
        Of the run that holds the lock: once another holds it, nothing more is written.
    elsewhere : bool
        It was sent to another process, maybe of another machine, for whose disk cache the run that commits
        cannot wait: a block's chunks are then made to outlive a loss of power before its entry is written.
    """

    storage: Storage
    description: Description
    chunks: dict[str, ChunkFormat]
    session: str
    elsewhere: bool = False

    def __reduce__(self) -> tuple[type[BlockWriter], tuple[Any, ...]]:
        return BlockWriter, (self.storage, self.description, self.chunks, self.session, True)

    def sound_entry(self, block: Block) -> Entry | None:
        """Give the manifest's entry of a block if its chunk files, which are read, are what it says."""
        (entry,) = Manifest(self.storage, self.description).entries([block])
        return None if entry is None or entry.faults_in_bytes(self.storage) else entry

    def write_block(self, block: Block, values: Mapping[str, NDArray[Any]]) -> None:
        """Write all chunks of one block, then its entry in the manifest. Safe from several threads.

        Parameters
        ----------
        block : Block
            Which part of the leading dimension.
        values : mapping of str to ndarray
            By path, leading dimension ``block.count``, the types declared.

        Raises
        ------
        TypeError
            If an array has another type or shape than declared.
        RunError
            If a draw that is there already has other bits than the one given, or another run holds the
            store's lock; nothing is written then.
        OSError
            If the storage is full or fails.
        """
        values = dict(values)
        for path in self.chunks:
            if path.rpartition("/")[2] == self.description.leading:
                values[path] = np.arange(block.first, block.last + 1, dtype=np.int64)
        earlier = self.sound_entry(block)
        keys = self.description.chunk_keys(block.index)
        data: dict[str, bytes] = {}
        present: dict[str, Chunk] = {}
        for (path, chunk), key in zip(self.chunks.items(), keys, strict=True):
            if len(values[path]) != block.count:
                raise TypeError(f"{path} must have length {block.count}, not {len(values[path])}")
            if earlier is not None:
                old = self.storage.read(key)
                present[key] = Chunk.of(old)
                self._require_same_bits(block, earlier, path, chunk.decode(old), values[path])
            try:
                data[key] = chunk.encode(values[path])
            except TypeError as error:
                raise TypeError(f"{path} {error}") from None
        sizes = {key: Chunk.of(each) for key, each in data.items()}
        manifest = Manifest(self.storage, self.description)
        # As late as can be: a block of a shorter run, late by minutes, would cut off the next run's draws.
        self.require_session()
        if earlier is not None:
            manifest.write(block.index, Entry(earlier.first, earlier.count, present, sizes))
        self.storage.write_many(data)
        if self.elsewhere:
            self.storage.flush()
        self.require_session()
        manifest.write(block.index, Entry(block.first, block.count, sizes))

    def require_session(self) -> None:
        """Make sure that the run which this writer belongs to still holds the store's lock.

        Raises
        ------
        RunError
            If another run holds it, or there is no store where this process looks.
        """
        holder = self.storage.holder()
        if not holder:
            raise RunError(
                f"{self.storage.location} is not there: the results must lie on a file system that all "
                "workers share, under the same path"
            )
        if holder != self.session:
            raise RunError(
                f"another run has begun to write to {self.storage.location}: this one writes nothing more "
                "there"
            )

    def _require_same_bits(
        self, block: Block, entry: Entry, path: str, old: NDArray[Any], values: NDArray[Any]
    ) -> None:
        for index in range(min(entry.count, block.count)):
            if old[index].tobytes() != values[index].tobytes():
                raise RunError(
                    f"{self.description.noun} {block.first + index} of {path} in {self.storage.location} has "
                    "other bits than when it was first computed: the program or the processor is not "
                    "reliable. The store was left as it was; write to another place with --out, and report "
                    "this."
                )
