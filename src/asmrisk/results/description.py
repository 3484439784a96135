"""What a store is a run of: the content of ``store.json``, by which a run is continued or refused."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from asmrisk.errors import InputError

if TYPE_CHECKING:
    from asmrisk.results.store.storage import Storage

__all__ = ["FOLDER", "MOST_BLOCKS", "PATH", "UNREADABLE", "Chunk", "Description"]

#: Folder inside a store that holds what is not data.
FOLDER = ".asmrisk"

#: A store has no more blocks than this: each is a file in every array's folder.
MOST_BLOCKS = 1_000_000

#: What raises when a file was cut short, altered, or made up.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)

#: Path of an array: a name, or group and name.
PATH = re.compile(r"([a-z][a-z0-9_]*/)?[a-z][a-z0-9_]*")


class Chunk(NamedTuple):
    """Size and digest of a chunk file."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Chunk:
        """Measure the bytes of a chunk file."""
        return cls(len(data), hashlib.sha256(data).hexdigest())


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
        body = {each.name: getattr(self, each.name) for each in fields(self)}
        if self.leading == "draw":
            del body["leading"]
        return json.dumps({"format": 1} | body).encode()

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
        except UNREADABLE:
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
