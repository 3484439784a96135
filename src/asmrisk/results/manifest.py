"""What of a store is finished: one small file per block of draws, written after the block's data.

A chunk file that is missing reads as NaN without an error, so neither its presence nor the absence of
errors proves anything. The manifest does: each entry names the chunk files of one block, with their sizes and
SHA-256 digests, and carries a digest of itself. It lies in the folder ``.asmrisk`` inside the store, beside
``store.json``, which says what the store is a run of (its *identity*).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from asmrisk.errors import InputError

__all__ = [
    "FOLDER",
    "Block",
    "Chunk",
    "Description",
    "Entry",
    "Manifest",
    "blocks_of",
    "scratch_folder",
    "write_file",
]

#: Folder inside a store that holds what is not data.
FOLDER = ".asmrisk"


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


def scratch_folder(root: Path) -> Path:
    """Folder for unfinished files: on the file system of the store at `root`, so that they can be renamed."""
    return root / FOLDER / "unfinished"


def write_file(path: Path, data: bytes, scratch: Path, *, durable: bool = False) -> None:
    """Put a file in place whole: a reader sees the old bytes or the new ones, never a part.

    Parameters
    ----------
    path : pathlib.Path
        Where; the folder is made if missing.
    data : bytes
        What.
    scratch : pathlib.Path
        An existing folder on the same file system, for the unfinished file.
    durable : bool
        Wait until the disk holds it.

    Raises
    ------
    OSError
        If the disk is full or the place cannot be written to; the unfinished file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Writers on several machines may share the folder: only a random name is surely free.
    unfinished = scratch / f"{uuid4().hex}.{path.name}"
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


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
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return entry if seal == _seal(body) else None

    def faults(self, root: Path, *, verify: bool) -> list[str]:
        """Find the chunk files that are not what the entry says.

        Parameters
        ----------
        root : pathlib.Path
            The store.
        verify : bool
            Read every file and compare its digest; otherwise only presence and size are looked at.

        Returns
        -------
        list of str
            One phrase per damaged or missing chunk file.
        """
        faults = []
        for key, chunk in self.chunks.items():
            allowed = {chunk, self.replacement.get(key, chunk)}
            try:
                if verify:
                    good = Chunk.of((root / key).read_bytes()) in allowed
                else:
                    good = (root / key).stat().st_size in {each.size for each in allowed}
            except FileNotFoundError:
                faults.append(f"{key} is missing")
                continue
            if not good:
                faults.append(f"{key} is damaged")
        return faults


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
    def read(cls, root: Path) -> Description | None:
        """Read a store's description; ``None`` if there is none.

        Raises
        ------
        InputError
            If the file cannot be understood.
        """
        path = root / FOLDER / "store.json"
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            body = json.loads(data)
            if body.pop("format") != 1:
                raise ValueError
            body["fixed"] = {key: Chunk(*chunk) for key, chunk in body["fixed"].items()}
            return cls(**body)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{path} cannot be read: it is damaged or of a newer version of asmrisk. Write the run to "
                "another place with --out."
            ) from None


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
    root : pathlib.Path
        The store.
    """

    root: Path

    def path(self, index: int) -> Path:
        """Place of the entry of block `index`."""
        return self.root / FOLDER / "blocks" / f"{index:06d}.json"

    def entry(self, index: int, keys: Iterable[str] | None = None) -> Entry | None:
        """Read the entry of a block.

        Parameters
        ----------
        index : int
            Number of the block.
        keys : iterable of str, optional
            The chunk files that it must name.

        Returns
        -------
        Entry or None
            ``None`` if there is none, or it was cut short or altered.
        """
        try:
            entry = Entry.decode(self.path(index).read_bytes())
        except FileNotFoundError:
            return None
        if entry is None or (keys is not None and set(entry.chunks) != set(keys)):
            return None
        return entry

    def write(self, index: int, entry: Entry, scratch: Path) -> None:
        """Put a block's entry in place, and wait until the disk holds it."""
        write_file(self.path(index), entry.encode(), scratch, durable=True)
