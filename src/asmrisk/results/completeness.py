"""How far a run is: which draws are shown, finished, missing or damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from asmrisk.results.description import Chunk
from asmrisk.results.location import Location
from asmrisk.results.manifest import Manifest, blocks_of
from asmrisk.results.store import read_root, require_store
from asmrisk.results.store.storage import Storage

__all__ = ["Status", "status"]

#: A run of draws: the first and the last.
Draws = tuple[int, int]


@dataclass(frozen=True)
class Status:
    """The state of a result store.

    Attributes
    ----------
    path : pathlib.Path or ObjectUrl
        The store.
    title : str
        Of the scenario.
    scenario, kernels, version : str
        Digests of the resolved scenario and of the kernels' sources, and the package's version.
    seed : int
        Of the random streams.
    created : str
        When the store was made, UTC.
    block_length : int
        Draws that are computed and written together.
    leading : str
        ``draw``, or ``design_point`` for a study, whose design points take the place of draws here.
    draws : int
        Draws that the latest run was asked for.
    committed : int
        Draws that a reader sees; 0 before the store can be opened.
    done : int
        Draws that are finished.
    missing, damaged : tuple of (int, int)
        First and last draw of every stretch of blocks that the next run computes.
    faults : tuple of str
        One phrase per damaged or missing file.
    verified : bool
        Whether every file was read and compared with its digest, or only looked for.
    writing : bool
        Whether a run is writing to it now.
    """

    path: Location
    title: str
    scenario: str
    kernels: str
    version: str
    seed: int
    created: str
    block_length: int
    leading: str
    draws: int
    committed: int
    done: int
    missing: tuple[Draws, ...]
    damaged: tuple[Draws, ...]
    faults: tuple[str, ...]
    verified: bool
    writing: bool

    @property
    def complete(self) -> bool:
        """Whether all draws asked for are there, sound, and shown to readers."""
        return self.committed >= self.draws and not (self.missing or self.damaged or self.faults)

    def __str__(self) -> str:
        noun = self.leading.replace("_", " ") + "s"
        state = "complete" if self.complete else "being written" if self.writing else "not complete"
        lines = [
            f"{self.path}: {state}",
            f"  scenario   {self.title} ({self.scenario[:12]})",
            f"  seed       {self.seed}",
            f"  made by    asmrisk {self.version}, kernels {self.kernels}, {self.created}",
            f"  {noun:<10} {self.done:,} of {self.draws:,} finished, {self.committed:,} shown to readers, "
            f"in blocks of {self.block_length:,}",
        ]
        for label, stretches in (("missing", self.missing), ("damaged", self.damaged)):
            if stretches:
                lines.append(f"  {label:<10} {noun} {_ranges(stretches)}")
        lines += [f"             {fault}" for fault in self.faults[:10]]
        if len(self.faults) > 10:
            lines.append(f"             and {len(self.faults) - 10} more")
        if self.verified:
            lines.append("  verified   every file was read and compared with its digest")
        if not self.complete and not self.writing:
            command = "run" if self.leading == "draw" else "sensitivity"
            lines.append(f"  Run the same `asmrisk {command}` command again to complete it.")
        # A store may come from anybody: what is in it must not command the terminal.
        return "\n".join("".join(each if each.isprintable() else "?" for each in line) for line in lines)


def status(path: str | os.PathLike[str], *, verify: bool = False) -> Status:
    """Say how far a run is.

    Parameters
    ----------
    path : str or path-like
        The store that ``asmrisk run`` writes.
    verify : bool
        Read every chunk file and compare it with the digest in the manifest; otherwise only presence and size
        are looked at.

    Returns
    -------
    Status
        Readable when printed.

    Raises
    ------
    InputError
        If there is no store.
    """
    storage, description = require_store(path)
    root, committed = read_root(storage, description)
    blocks = blocks_of(description.draws, description.block_length)
    done = 0
    missing: list[Draws] = []
    damaged: list[Draws] = []
    faults: list[str] = []
    manifest = Manifest(storage, description)
    sizes = storage.sizes()
    survey = manifest.survey(blocks, verify=verify)
    for block, (entry, found) in zip(blocks, survey, strict=True):
        if entry is None:
            missing.append((block.first, block.last))
            if manifest.key(block.index) in sizes:
                faults.append(f"{manifest.key(block.index)} is damaged")
        elif found:
            damaged.append((block.first, block.last))
            faults.extend(found)
        else:
            held = min(entry.count, block.count)
            done += held
            if held < block.count:
                missing.append((block.first + held, block.last))
    for key, chunk in description.fixed.items():
        if sizes.get(key) != chunk.size or (verify and Chunk.of(storage.read(key)) != chunk):
            faults.append(f"{key} is {'damaged' if key in sizes else 'missing'}")
    if committed == description.draws:
        faults.extend(_metadata_faults(storage, root, verify=verify))
    return Status(
        path=storage.location,
        title=description.provenance["scenario"]["title"],
        scenario=description.scenario,
        kernels=description.kernels,
        version=description.version,
        seed=description.seed,
        created=description.provenance["created"],
        block_length=description.block_length,
        leading=description.leading,
        draws=description.draws,
        committed=committed,
        done=done,
        missing=_joined(missing),
        damaged=_joined(damaged),
        faults=tuple(faults),
        verified=verify,
        writing=storage.locked(),
    )


def _metadata_faults(storage: Storage, root: dict[str, Any], *, verify: bool) -> list[str]:
    """Compare the arrays' metadata with the copies in the root's: of an altered one, the two differ."""
    faults = []
    copies = root["consolidated_metadata"]["metadata"]
    keys = [f"{path}/zarr.json" for path in copies]
    for key, copy, data in zip(keys, copies.values(), storage.read_many(keys), strict=True):
        if data is None:
            faults.append(f"{key} is missing")
        elif verify:
            try:
                same = json.loads(data) == copy
            except (ValueError, RecursionError):
                same = False
            if not same:
                faults.append(f"{key} is damaged, or its copy in zarr.json is")
    return faults


def _joined(stretches: Iterable[Draws]) -> tuple[Draws, ...]:
    joined: list[Draws] = []
    for first, last in stretches:
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return tuple(joined)


def _ranges(stretches: Iterable[Draws]) -> str:
    said = [str(first) if first == last else f"{first} to {last}" for first, last in stretches]
    return ", ".join(said[:8]) + (f", and {len(said) - 8} more stretches" if len(said) > 8 else "")
