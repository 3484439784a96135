"""Writing the blocks of a store, from any thread of any process that can reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import RunError
from asmrisk.results.manifest import Block, Chunk, Description, Entry, Manifest, scratch_folder, write_file
from asmrisk.results.store.chunks import ChunkFormat

__all__ = ["BlockWriter"]


@dataclass(frozen=True)
class BlockWriter:
    """Writes blocks of a store that its `Store` has locked and laid out; small, and can be pickled.

    Attributes
    ----------
    root : pathlib.Path
        The store.
    description : Description
        What it holds.
    chunks : dict of str to ChunkFormat
        Of every array of which each block writes a chunk, by path, in the order of the description.
    """

    root: Path
    description: Description
    chunks: dict[str, ChunkFormat]

    def sound_entry(self, block: Block, *, verify: bool) -> Entry | None:
        """Give the manifest's entry of a block, if its chunk files are what it says.

        Parameters
        ----------
        block : Block
            Which.
        verify : bool
            Read every chunk file; otherwise only presence and size are looked at.

        Returns
        -------
        Entry or None
            ``None`` if the block must be computed.
        """
        entry = Manifest(self.root).entry(block.index, self.description.chunk_keys(block.index))
        return None if entry is None or entry.faults(self.root, verify=verify) else entry

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
            If a draw that is there already has other bits than the one given; nothing is written then.
        OSError
            If the disk is full or fails.
        """
        values = dict(values)
        for path in self.chunks:
            if path.rpartition("/")[2] == self.description.leading:
                values[path] = np.arange(block.first, block.last + 1, dtype=np.int64)
        earlier = self.sound_entry(block, verify=True)
        keys = self.description.chunk_keys(block.index)
        data: dict[str, bytes] = {}
        present: dict[str, Chunk] = {}
        for (path, chunk), key in zip(self.chunks.items(), keys, strict=True):
            if len(values[path]) != block.count:
                raise TypeError(f"{path} must have length {block.count}, not {len(values[path])}")
            if earlier is not None:
                old = (self.root / key).read_bytes()
                present[key] = Chunk.of(old)
                self._require_same_bits(block, earlier, path, chunk.decode(old), values[path])
            try:
                data[key] = chunk.encode(values[path])
            except TypeError as error:
                raise TypeError(f"{path} {error}") from None
        sizes = {key: Chunk.of(each) for key, each in data.items()}
        scratch = scratch_folder(self.root)
        manifest = Manifest(self.root)
        if earlier is not None:
            announced = Entry(earlier.first, earlier.count, present, sizes)
            manifest.write(block.index, announced, scratch)
        for key, each in data.items():
            write_file(self.root / key, each, scratch)
        manifest.write(block.index, Entry(block.first, block.count, sizes), scratch)

    def _require_same_bits(
        self, block: Block, entry: Entry, path: str, old: NDArray[Any], values: NDArray[Any]
    ) -> None:
        for index in range(min(entry.count, block.count)):
            if old[index].tobytes() != values[index].tobytes():
                raise RunError(
                    f"{self.description.noun} {block.first + index} of {path} in {self.root} has other bits "
                    "than when it was first computed: the program or the processor is not reliable. The "
                    "store was left as it was; write to another place with --out, and report this."
                )
