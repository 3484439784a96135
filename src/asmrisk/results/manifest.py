"""What of a store is finished: one small file per block of draws, written after the block's data.

A chunk file that is missing reads as NaN without an error, so neither its presence nor the absence of
errors proves anything. The manifest does: each entry names the chunk files of one block, with their sizes and
SHA-256 digests, and carries a digest of itself. It lies in the folder ``.asmrisk`` inside the store, beside
``store.json``, which says what the store is a run of (its *identity*).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from asmrisk.errors import InputError

if TYPE_CHECKING:
    from asmrisk.results.store.storage import Storage

__all__ = ["FOLDER", "MOST_BLOCKS", "PATH", "Block", "Chunk", "Description", "Entry", "Manifest", "blocks_of"]

#: Folder inside a store that holds what is not data.
FOLDER = ".asmrisk"

#: A store has no more blocks than this: each is a file in every array's folder.
MOST_BLOCKS = 1_000_000

#: What raises when a file was cut short, altered, or made up.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

#: Path of an array: a name, or group and name.
PATH = re.compile(r"([a-z][a-z0-9_]*/)?[a-z][a-z0-9_]*")


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


class Chunk(NamedTuple):
    """Size and digest of a chunk file."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Chunk:
        """Measure the bytes of a chunk file."""
        return cls(len(data), hashlib.sha256(data).hexdigest())


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
        except _UNREADABLE:
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
class Description:
    """What a store is a run of: the content of ``store.json``.

    Attributes
    ----------
    scenario : str
        Digest of the resolved scenario, without title, description and number of draws.
    seed : int
        Seed of the random streams.
    kernels : str
        Digest of the kernels' sources.
    version : str
        Version of the package.
    block_length : int
        Draws in a chunk, fixed for the store's life.
    draws : int
        Draws that the latest run was asked for.
    leading : str
        The dimension that is divided into blocks: ``draw``, or ``design_point`` for a study, whose design
        points take the place of draws here.
    variables : dict of str to int
        Number of dimensions of the arrays of which every block writes a chunk, by path.
    fixed : dict of str to Chunk
        Chunk files that belong to no block (the labels).
    provenance : dict
        See `asmrisk.results.provenance`.
    """

    scenario: str
    seed: int
    kernels: str
    version: str
    block_length: int
    draws: int
    variables: dict[str, int]
    fixed: dict[str, Chunk]
    provenance: dict[str, Any]
    leading: str = "draw"

    @property
    def noun(self) -> str:
        """What one entry of the leading dimension is called."""
        return self.leading.replace("_", " ")

    def chunk_keys(self, index: int) -> list[str]:
        """Name the chunk files of a block, in the order of the variables."""
        return [f"{path}/c.{index}" + ".0" * (dims - 1) for path, dims in self.variables.items()]

    def differences(self, other: Description) -> list[str]:
        """Say in what the run described by `other` is another run than this one.

        Parameters
        ----------
        other : Description
            Of the run that is asked for.

        Returns
        -------
        list of str
            One phrase per difference; empty for the same run. Block length and draws are no part of it.
        """
        if self.leading != other.leading:
            return [f"results by {self.noun}, not by {other.noun}"]
        said = []
        if self.scenario != other.scenario:
            here, there = (_settings(each.provenance) for each in (self, other))
            changed = [
                name for name in sorted(here.keys() | there.keys()) if here.get(name) != there.get(name)
            ]
            shown = "; ".join(
                f"{name}: {_short(here, name)} there, {_short(there, name)} now" for name in changed[:3]
            )
            more = f"; and {len(changed) - 3} more" if len(changed) > 3 else ""
            said.append(f"another scenario ({shown}{more})" if changed else "another scenario")
        if self.seed != other.seed:
            said.append(f"another seed ({self.seed} there, {other.seed} now)")
        if self.version != other.version:
            said.append(f"another version of asmrisk ({self.version} there, {other.version} now)")
        elif self.kernels != other.kernels:
            said.append(
                f"other kernels ({self.kernels} there, {other.kernels} now: the source code has changed)"
            )
        return said

    def encode(self) -> bytes:
        """Give the bytes of ``store.json``."""
        body = asdict(self)
        if self.leading == "draw":
            del body["leading"]
        return json.dumps({"format": 1} | body, indent=1).encode()

    @classmethod
    def read(cls, storage: Storage) -> Description | None:
        """Read a store's description; ``None`` if there is none.

        Raises
        ------
        InputError
            If the file cannot be understood.
        """
        try:
            data = storage.read(f"{FOLDER}/store.json")
        except FileNotFoundError:
            return None
        try:
            return cls._decode(data)
        except _UNREADABLE:
            raise InputError(
                f"{storage.location}/{FOLDER}/store.json cannot be read: it is damaged or of a newer "
                "version of asmrisk. Without it nothing can be added to the store or verified; write the run "
                "to another place with --out. (What was complete before may still be opened by "
                "xarray.open_zarr.)"
            ) from None

    @classmethod
    def _decode(cls, data: bytes) -> Description:
        """Read ``store.json``, trusting nothing: what it names must lie inside the store."""
        body = json.loads(data)
        if body.pop("format") != 1:
            raise ValueError
        body["fixed"] = {key: Chunk(*chunk) for key, chunk in body["fixed"].items()}
        read = cls(**body)
        texts = (read.scenario, read.kernels, read.version, read.leading)
        counts = (read.seed, read.block_length, read.draws, *read.variables.values())
        if (
            not all(type(each) is str for each in texts)
            or not all(type(each) is int and each >= 0 for each in counts)
            or not read.block_length
            or read.draws > MOST_BLOCKS * read.block_length
            or not all(map(PATH.fullmatch, (read.leading, *read.variables)))
            or not all(PATH.fullmatch(key.removesuffix("/c.0")) for key in read.fixed)
            or type(read.provenance["scenario"]["title"]) is not str
            or type(read.provenance["created"]) is not str
        ):
            raise ValueError
        return read


def _settings(provenance: dict[str, Any]) -> dict[str, Any]:
    parameters = provenance.get("parameters", {})
    settings = {name: each.get("value") for name, each in parameters.items() if not name.startswith("run.")}
    settings |= {f"uncertainty of {name}": each for name, each in provenance.get("uncertainty", {}).items()}
    if "roster" in provenance:
        settings["content of population.roster"] = provenance["roster"]["sha256"][:12]
    return settings


def _short(settings: dict[str, Any], name: str) -> str:
    text = json.dumps(settings[name]) if name in settings else "nothing"
    return text if len(text) <= 40 else text[:37] + "..."


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
