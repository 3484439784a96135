"""Writing the blocks of a store: whole, created and never overwritten, the same from every writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import RunError
from asmrisk.results.folder import GoOn, Say
from asmrisk.results.manifest import Chunk, Entry, digest_of_bytes, entry_key, survey
from asmrisk.results.place import Storage
from asmrisk.results.spec import SPEC, StoreSpec
from asmrisk.simulation.arrays import Block

__all__ = ["BlockWriter"]


@dataclass(frozen=True)
class BlockWriter:
    """Writes blocks of a store that `Store.open` has laid out; small, and can be pickled."""

    storage: Storage
    spec: StoreSpec
    #: Make a block's chunks outlive a loss of power before its entry is written: for processes whose disk
    #: cache the one that commits cannot wait for.
    durable: bool = False
    #: Takes a line for the user when the storage must be waited for; it stays behind in this process.
    say: Say | None = None

    def __reduce__(self) -> tuple[type[BlockWriter], tuple[Any, ...]]:
        return BlockWriter, (self.storage, self.spec, True)

    @cached_property
    def _encoded(self) -> bytes:
        return self.spec.encode()

    @cached_property
    def _codec(self) -> Any:
        # What only looks does not wait for zarr.
        from asmrisk.results.layout import ChunkCodec

        return ChunkCodec(self.spec)

    def is_finished(self, block: Block) -> bool:
        """Whether a block is there and sound, its chunks read and compared."""
        return survey(self.storage, self.spec, [block], verify=True)[0].sound

    def require_store(self) -> None:
        """Raise RunError if the store is not where this process looks, or not the one that it was."""
        (data,) = self.storage.read_many([SPEC])
        if data == self._encoded:
            return
        if data is None:
            raise RunError(
                f"{self.storage.place} is not there: the results must lie on a file system that all workers "
                "share, under the same path"
            )
        present = StoreSpec.decode(data)
        if present is None or present.identity != self.spec.identity:
            raise RunError(f"{self.storage.place} holds another run by now: nothing more is written there")

    def write(self, block: Block, values: Mapping[str, NDArray[Any]], go_on: GoOn | None = None) -> None:
        """Write a block, or agree with what is there of it. Safe from any number of processes.

        The values, by path, are of the types and shapes declared (else TypeError); the labels of dimensions
        that can grow are added. RunError, and nothing is changed, if what is finished of the block has other
        values; OSError if the storage is full or fails.
        """
        from asmrisk.results.layout import digest_of_values  # As above.

        keys = self.spec.chunks(block)
        values = dict(values)
        for dim, start, length in zip(self.spec.growing, block.start, block.shape, strict=False):
            counted = [path for path in keys if path.rpartition("/")[2] == dim]
            values |= dict.fromkeys(counted, np.arange(start, start + length, dtype=np.int64))
        data = self._codec.encode({path: values[path] for path in keys})
        chunks = {
            path: Chunk(digest_of_values(values[path]), digest_of_bytes(each), len(each))
            for path, each in data.items()
        }
        self.require_store()
        if all(self.storage.create_many({keys[path]: data[path] for path in keys})):
            if self.durable:
                self.storage.flush()
            entry = Entry.of(self.spec, block, chunks).encode()
            if self.storage.create(entry_key(block), entry, durable=True):
                return
        (found,) = survey(self.storage, self.spec, [block], verify=True)
        self._require_same_values(block, found.entry, chunks)
        if not found.sound:
            self._settle(block, data, chunks, go_on)

    def _require_same_values(self, block: Block, entry: Entry | None, chunks: Mapping[str, Chunk]) -> None:
        """Refuse values that are others than those that a sound entry vouches for."""
        for path, chunk in {} if entry is None else entry.chunks.items():
            if chunk.values != chunks[path].values:
                raise RunError(
                    f"{path} in {self.storage.place} ({self.spec.describe(block)}) has other bits than when "
                    "it was first computed: the program or the processor is not reliable. The store was left "
                    "as it was; write to another place, and report this."
                )

    def _settle(
        self, block: Block, data: Mapping[str, bytes], chunks: Mapping[str, Chunk], go_on: GoOn | None
    ) -> None:
        """Agree with files that are there: keep what has the same values, replace what is damaged."""
        lies: dict[str, Chunk] = {}

        def repaired(found: bytes | None) -> bytes:
            same = found is not None and self._codec.digest(path, found) == chunks[path].values
            return found if found is not None and same else data[path]

        def vouched(found: bytes | None) -> bytes:
            entry = Entry.decode(found)
            if entry is not None and entry.belongs(self.spec, block):
                self._require_same_values(block, entry, chunks)
            return Entry.of(self.spec, block, lies).encode()

        with self.storage.changing(self.say, go_on) as change:
            # Only now, as late as can be: of a store that was replaced meanwhile nothing is damaged.
            self.require_store()
            for path, key in self.spec.chunks(block).items():
                content = change(key, repaired)
                lies[path] = Chunk(chunks[path].values, digest_of_bytes(content), len(content))
            if self.durable:
                self.storage.flush()
            change(entry_key(block), vouched)
