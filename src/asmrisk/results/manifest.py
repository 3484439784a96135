"""What of a store is finished and sound: one small file a block, with two digests of every chunk.

A chunk file that is missing reads as NaN without an error, and a checksum inside it knows only of itself. So
neither proves anything; the manifest does. A block's *entry*, written after its chunks, names the identity
of the store's numbers and, for each chunk, the digest of its values (by which writers agree, whatever their
codec) and that of the bytes that lie there (compared whenever they are read).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from asmrisk.results.place import Storage
from asmrisk.results.spec import FOLDER, UNREADABLE, StoreSpec, digest_of_bytes, sealed, unsealed
from asmrisk.simulation.arrays import Block

__all__ = ["BLOCKS", "Chunk", "Entry", "Found", "entry_key", "finished", "survey"]

#: Folder of the entries.
BLOCKS = f"{FOLDER}/blocks"


def entry_key(block: Block) -> str:
    """Give the place of a block's entry, or of that of the labels."""
    return f"{BLOCKS}/{'.'.join(f'{i:06d}' for i in block.index) or 'labels'}.json"


class Chunk(NamedTuple):
    """What is known of a chunk file."""

    values: str  #: digest of its values
    bytes: str  #: digest of its bytes
    size: int  #: number of its bytes


class Entry(NamedTuple):
    """What the manifest says of a block."""

    identity: str  #: of the store
    block: tuple[int, ...]  #: which
    lengths: dict[str, int]  #: of a block by dimension; from them a damaged specification is restored
    chunks: dict[str, Chunk]  #: by the array's path

    @classmethod
    def of(cls, spec: StoreSpec, block: Block, chunks: Mapping[str, Chunk]) -> Entry:
        """Make the entry of a block."""
        return cls(spec.identity, block.index, spec.definition["block"], dict(chunks))

    def encode(self) -> bytes:
        """Give the bytes of the entry's file."""
        return sealed(self._asdict())

    @classmethod
    def decode(cls, data: bytes | None) -> Entry | None:
        """Read an entry's file; ``None`` if it is missing or damaged."""
        body = unsealed(data)
        try:
            chunks = {path: Chunk(*chunk) for path, chunk in body["chunks"].items()} if body else {}
            return cls(body["identity"], tuple(body["block"]), body["lengths"], chunks) if body else None
        except UNREADABLE:
            return None

    def belongs(self, spec: StoreSpec, block: Block) -> bool:
        """Whether it is the entry of this block of this store."""
        same = (self.identity, self.block) == (spec.identity, block.index)
        return same and self.chunks.keys() == spec.chunks(block).keys()


class Found(NamedTuple):
    """What was found of a block."""

    block: Block
    entry: Entry | None  #: none if it is missing, damaged, or of another store or block
    faults: tuple[str, ...]  #: a phrase for each file that is damaged or missing

    @property
    def sound(self) -> bool:
        """Whether the block is finished, as far as was looked."""
        return self.entry is not None and not self.faults


def survey(
    storage: Storage, spec: StoreSpec, blocks: Sequence[Block], *, verify: bool = False
) -> list[Found]:
    """Look at the entries of blocks and at their chunk files.

    Presence and size of these are looked at; to `verify`, every one is read and compared with its digest.
    """
    keys = [entry_key(block) for block in blocks]
    files = list(storage.read_many(keys))
    # Only now: what an entry names is there before it.
    sizes = storage.sizes() if any(files) else {}
    found = []
    for block, key, data in zip(blocks, keys, files, strict=True):
        entry = Entry.decode(data)
        if entry is None or not entry.belongs(spec, block):
            what = "is damaged" if entry is None else "belongs to another store or block"
            found.append(Found(block, None, () if data is None else (f"{key} {what}",)))
            continue
        paths = {place: path for path, place in spec.chunks(block).items()}
        chunks = {place: entry.chunks[path] for place, path in paths.items()}
        wrong = {place for place, chunk in chunks.items() if sizes.get(place) != chunk.size}
        if verify:
            readable = [place for place in chunks if place not in wrong]
            for place, content in zip(readable, storage.read_many(readable), strict=True):
                whole = digest_of_bytes(content or b"") == chunks[place].bytes
                if not whole or not spec.can_hold(paths[place], content):
                    wrong.add(place)
        faults = [f"{place} is {'damaged' if place in sizes else 'missing'}" for place in sorted(wrong)]
        found.append(Found(block, entry, tuple(faults)))
    return found


def finished(spec: StoreSpec, lengths: tuple[int, ...], found: Sequence[Found]) -> list[int]:
    """List the numbers of what is finished along the first dimension that can grow, with all its draws."""
    size = spec.block_shape[0]
    lost = {each.block.index[0] for each in found if each.block.index and not each.sound}
    return [number for number in range(lengths[0]) if number // size not in lost]
