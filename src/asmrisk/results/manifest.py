"""What of a store is finished: one small file per block of draws, written after the block's data.

A chunk file that is missing reads as NaN without an error, so neither its presence nor the absence of
errors proves anything. The manifest does: each entry names the chunk files of one block, with their sizes and
SHA-256 digests, and carries a digest of itself. It lies in the folder ``.asmrisk`` inside the store, beside
``store.json``, which says what the store is a run of (its *identity*).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from asmrisk.results.description import FOLDER, UNREADABLE, Chunk, Description

if TYPE_CHECKING:
    from asmrisk.results.store.storage import Storage

__all__ = ["Block", "Entry", "Manifest", "blocks_of"]


@dataclass(frozen=True)
class Block:
    """A part of the leading dimension that is written as a whole: one chunk of every variable.

    Attributes
    ----------
    index : int
        Number of the block.
    first, count : int
        Its draws.
    """

    index: int
    first: int
    count: int

    @property
    def last(self) -> int:
        """Its last draw."""
        return self.first + self.count - 1

    @property
    def draws(self) -> slice:
        """Where its draws are along the dimension ``draw``."""
        return slice(self.first, self.first + self.count)


def blocks_of(draws: int, length: int) -> list[Block]:
    """Divide the first draws into blocks.

    Parameters
    ----------
    draws : int
        Number of draws, at least 0.
    length : int
        Draws in a whole block.

    Returns
    -------
    list of Block
        In order; the last may be shorter.

    Examples
    --------
    >>> [(block.first, block.last) for block in blocks_of(10, 4)]
    [(0, 3), (4, 7), (8, 9)]
    """
    return [
        Block(index, first, min(length, draws - first)) for index, first in enumerate(range(0, draws, length))
    ]


@dataclass(frozen=True)
class Entry:
    """One block's line in the manifest.

    Attributes
    ----------
    first, count : int
        The draws whose numbers are in the chunk files.
    chunks : dict of str to Chunk
        By chunk key, as in ``participants/c.3.0.0``.
    replacement : dict of str to Chunk
        While a block is rewritten, what its chunk files are about to become: announced before the first is
        replaced, so that each may be the old or the new one until the entry is replaced too; both hold the
        entry's draws.
    """

    first: int
    count: int
    chunks: dict[str, Chunk]
    replacement: dict[str, Chunk] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Give the bytes of the entry's file, sealed with a digest of the rest."""
        body = asdict(self) | {
            "chunks": {key: list(chunk) for key, chunk in self.chunks.items()},
            "replacement": {key: list(chunk) for key, chunk in self.replacement.items()},
        }
        return json.dumps(body | {"seal": _seal(body)}, indent=0).encode()

    @classmethod
    def decode(cls, data: bytes) -> Entry | None:
        """Read an entry's file; ``None`` if it was cut short or altered."""
        try:
            body = json.loads(data)
            seal = body.pop("seal")
            entry = cls(
                int(body["first"]),
                int(body["count"]),
                {key: Chunk(*chunk) for key, chunk in body["chunks"].items()},
                {key: Chunk(*chunk) for key, chunk in body["replacement"].items()},
            )
        except UNREADABLE:
            return None
        return entry if seal == _seal(body) else None

    def faults(self, sizes: Mapping[str, int]) -> list[str]:
        """Find the chunk files that are missing or have another size than the entry says.

        Parameters
        ----------
        sizes : mapping of str to int
            Of the store's files, by key.

        Returns
        -------
        list of str
            One phrase per damaged or missing chunk file.
        """
        return [
            f"{key} is {'damaged' if key in sizes else 'missing'}"
            for key in self.chunks
            if sizes.get(key) not in {each.size for each in self._allowed(key)}
        ]

    def faults_in_bytes(self, storage: Storage) -> list[str]:
        """Find the chunk files whose content is not what the entry says, reading every one.

        Parameters
        ----------
        storage : Storage
            Of the store.

        Returns
        -------
        list of str
            One phrase per damaged or missing chunk file.
        """
        return [
            f"{key} is {'missing' if data is None else 'damaged'}"
            for key, data in zip(self.chunks, storage.read_many(self.chunks), strict=True)
            if data is None or Chunk.of(data) not in self._allowed(key)
        ]

    def _allowed(self, key: str) -> set[Chunk]:
        return {self.chunks[key], self.replacement.get(key, self.chunks[key])}


def _seal(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Manifest:
    """The entries of a store's blocks.

    Attributes
    ----------
    storage : Storage
        Of the store.
    description : Description
        What it holds.
    """

    storage: Storage
    description: Description

    @staticmethod
    def key(index: int) -> str:
        """Place of the entry of block `index`."""
        return f"{FOLDER}/blocks/{index:06d}.json"

    def entries(self, blocks: Sequence[Block]) -> Iterator[Entry | None]:
        """Read the entries of blocks.

        Parameters
        ----------
        blocks : sequence of Block
            Which.

        Yields
        ------
        Entry or None
            ``None`` if there is none, it was cut short or altered, or it names other chunk files.
        """
        files = self.storage.read_many([self.key(block.index) for block in blocks])
        for block, data in zip(blocks, files, strict=True):
            entry = None if data is None else Entry.decode(data)
            if entry is not None and set(entry.chunks) != set(self.description.chunk_keys(block.index)):
                entry = None
            yield entry

    def survey(
        self, blocks: Sequence[Block], *, verify: bool = False
    ) -> list[tuple[Entry | None, list[str]]]:
        """Read the entries of blocks and compare their chunk files with them.

        Parameters
        ----------
        blocks : sequence of Block
            Which.
        verify : bool
            Read every chunk file; otherwise only presence and size are looked at.

        Returns
        -------
        list of tuple
            For each block its entry, as `entries` gives it, and one phrase per damaged or missing chunk file.
        """
        found = self._compared(blocks, verify)
        # A run may have written between a look at an entry and one at its files: an entry that announces what
        # the files become is there before the first of them changes, so a second look tells.
        doubtful = [place for place, (_, faults) in enumerate(found) if faults]
        again = self._compared([blocks[place] for place in doubtful], verify)
        for place, second in zip(doubtful, again, strict=True):
            found[place] = second
        return found

    def _compared(self, blocks: Sequence[Block], verify: bool) -> list[tuple[Entry | None, list[str]]]:
        entries = list(self.entries(blocks))
        # Only now: what an entry names is there before it.
        sizes = self.storage.sizes() if any(entries) else {}
        found = []
        for entry in entries:
            faults = [] if entry is None else entry.faults(sizes)
            if entry is not None and verify and not faults:
                faults = entry.faults_in_bytes(self.storage)
            found.append((entry, faults))
        return found

    def write(self, index: int, entry: Entry) -> None:
        """Put a block's entry in place, durably."""
        self.storage.write(self.key(index), entry.encode(), durable=True)
