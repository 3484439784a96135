"""Writing a store: one process at a time, whole blocks, one step that shows them to readers."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from asmrisk.errors import InputError, RunError
from asmrisk.jit import kernel_hash
from asmrisk.results.content import Content
from asmrisk.results.manifest import (
    FOLDER,
    Block,
    Chunk,
    Description,
    Manifest,
    blocks_of,
    scratch_folder,
    write_file,
)
from asmrisk.results.provenance import package_version, provenance
from asmrisk.results.schema import coordinates, descriptions, variables
from asmrisk.results.store.block_writer import BlockWriter
from asmrisk.results.store.layout import Layout
from asmrisk.results.store.reader import committed_draws

if TYPE_CHECKING:
    from asmrisk.scenario import Scenario

__all__ = ["BLOCK_LENGTH", "Store"]

#: Draws in a chunk unless a run says otherwise when it creates the store.
BLOCK_LENGTH = 256

#: Seconds for which a run waits for another's lock: a look at the store's status holds it for a moment.
_PATIENCE = 1.0


class Store:
    """A store that this process alone writes to.

    Use `Store.writing`, which checks the place, takes the lock and lays out what is missing.

    Parameters
    ----------
    root : pathlib.Path
        The store.
    description : Description
        What it is a run of.
    layout : Layout
        Its arrays.
    """

    def __init__(self, root: Path, description: Description, layout: Layout) -> None:
        self.root = root
        self.description = description
        self.layout = layout
        self.manifest = Manifest(root)
        self.scratch = scratch_folder(root)

    @classmethod
    def writing(
        cls, root: Path, scenario: Scenario, draws: int, block_length: int | None = None
    ) -> AbstractContextManager[Store]:
        """Open the store of a run for writing, and create it where there is none.

        Parameters
        ----------
        root : pathlib.Path
            A store of the same run, an empty folder, or a place where nothing is.
        scenario : Scenario
            Resolved, with its seed.
        draws : int
            How many draws are to be there.
        block_length : int, optional
            Draws in a chunk; counts only when the store is created.

        Returns
        -------
        context manager of Store
            See `holding`.

        Raises
        ------
        InputError, RunError
            As `holding`, when the context is entered.
        """
        record = provenance(scenario)
        content = Content(
            identity=record["scenario"]["identity"],
            seed=record["seed"],
            kernels=kernel_hash(),
            version=package_version(),
            provenance=record,
            variables=variables(scenario),
            labels=coordinates(scenario),
            descriptions=descriptions(scenario),
        )
        return cls.holding(root, content, draws, block_length or BLOCK_LENGTH)

    @classmethod
    @contextlib.contextmanager
    def holding(cls, root: Path, content: Content, length: int, block_length: int) -> Iterator[Store]:
        """Open a store of any content for writing, and create it where there is none.

        Parameters
        ----------
        root : pathlib.Path
            A store of the same content, an empty folder, or a place where nothing is.
        content : Content
            What it is to hold.
        length : int
            How long the leading dimension is to be; a store that is longer stays so.
        block_length : int
            Its length in a chunk; counts only when the store is created.

        Yields
        ------
        Store
            Locked until the context ends or the process dies.

        Raises
        ------
        InputError
            If something else is at that place, a store of another run, or it cannot be written to; nothing is
            changed then.
        RunError
            If another process writes to the store.
        """
        wanted = Description(
            scenario=content.identity,
            seed=content.seed,
            kernels=content.kernels,
            version=content.version,
            block_length=block_length,
            draws=length,
            variables={},
            fixed={},
            provenance=content.provenance,
            leading=content.leading,
        )
        with _usable(root):
            _require_same_run(root, wanted)
        with _lock(root):
            present = _require_same_run(root, wanted)
            if present is not None:
                block_length = present.block_length
            length = max(length, committed_draws(root, content.leading))
            layout = Layout(content, length, block_length)
            description = replace(
                wanted,
                block_length=block_length,
                draws=length,
                variables={path: len(chunk.shape) for path, chunk in layout.chunks.items()},
                fixed={key: Chunk.of(data) for key, data in layout.labels().items()},
                provenance=content.provenance
                if present is None
                else _continued(present.provenance, content.provenance),
            )
            store = cls(root, description, layout)
            with _usable(root):
                store._lay_out()
            yield store

    def block_writer(self) -> BlockWriter:
        """Give what a worker in another process needs to write blocks, as long as this store is locked."""
        return BlockWriter(self.root, self.description, self.layout.chunks)

    def _lay_out(self) -> None:
        """Write what is not there yet: description, array metadata, labels; and clear what a crash left."""
        self.scratch.mkdir(exist_ok=True)
        for left in self.scratch.iterdir():
            left.unlink()
        write_file(self.root / FOLDER / "store.json", self.description.encode(), self.scratch, durable=True)
        for key, data in self.layout.metadata().items():
            # A group's own file would let it be opened before the commit.
            if key.removesuffix("/zarr.json") not in self.layout.groups and not (self.root / key).exists():
                write_file(self.root / key, data, self.scratch)
        for key, data in self.layout.labels().items():
            if not (self.root / key).exists() or (self.root / key).read_bytes() != data:
                write_file(self.root / key, data, self.scratch)

    def unfinished_blocks(self) -> list[Block]:
        """Find the blocks that must be computed, reading and verifying every chunk file that is there.

        Returns
        -------
        list of Block
            Missing, too short, or damaged ones, in order.
        """
        writer = self.block_writer()
        return [
            block
            for block in blocks_of(self.description.draws, self.description.block_length)
            if (entry := writer.sound_entry(block, verify=True)) is None or entry.count < block.count
        ]

    def finished_draws(self) -> int:
        """Count the draws that are there, by presence and size of their files."""
        blocks = blocks_of(self.description.draws, self.description.block_length)
        writer = self.block_writer()
        entries = [(block, writer.sound_entry(block, verify=False)) for block in blocks]
        return sum(min(entry.count, block.count) for block, entry in entries if entry is not None)

    def write_block(self, block: Block, values: Mapping[str, NDArray[Any]]) -> None:
        """Write one block; see `BlockWriter.write_block`."""
        self.block_writer().write_block(block, values)

    def commit(self) -> None:
        """Show all draws to readers, in one step.

        Raises
        ------
        OSError
            If the disk is full or fails; readers then see what they saw before.
        """
        if committed_draws(self.root, self.description.leading) == self.description.draws:
            return
        for key, data in self.layout.metadata().items():
            write_file(self.root / key, data, self.scratch)
        attributes = {
            "title": self.description.provenance["scenario"]["title"],
            "provenance": json.dumps(self.description.provenance),
        }
        # Chunk files are not waited for one by one (4 ms each): all must be on the disk before they count.
        os.sync()
        write_file(self.root / "zarr.json", self.layout.root(attributes), self.scratch, durable=True)


def _require_same_run(root: Path, wanted: Description) -> Description | None:
    """Check that `root` is a store of the wanted run, or free; give its description if it has one."""
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file, not a result store. Give another place with --out.")
    if root.is_dir() and not (root / FOLDER).is_dir() and any(root.iterdir()):
        raise InputError(
            f"{root} is no result store of asmrisk and not empty; nothing in it was touched. "
            "Give another place with --out."
        )
    present = Description.read(root)
    if present is not None and (said := present.differences(wanted)):
        raise InputError(
            f"{root} holds another run: {' and '.join(said)}. Nothing was changed; write this run to another "
            "place with --out."
        )
    return present


def _continued(earlier: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """Keep the record of the first run, and note where a later one had other software or another machine."""
    parts = ("created", "software", "environment")
    latest = earlier.get("continued", [earlier])[-1]
    if all(latest[part] == record[part] for part in parts[1:]):
        return earlier
    note = {part: record[part] for part in parts}
    return earlier | {"continued": [*earlier.get("continued", []), note]}


@contextlib.contextmanager
def _usable(root: Path) -> Iterator[None]:
    """Say that a place cannot be used, unless it is merely full."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{root} cannot be used ({reason}). Give another place with --out.") from None


@contextlib.contextmanager
def _lock(root: Path) -> Iterator[None]:
    """Hold the store's lock, which the operating system takes back when the process ends however it ends."""
    with _usable(root):
        (root / FOLDER).mkdir(parents=True, exist_ok=True)
        file = (root / FOLDER / "lock").open("wb")
    with file:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise RunError(
                        f"another run is writing to {root}. Wait until it has ended (`asmrisk status {root}` "
                        "shows how far it is), or give another place with --out."
                    ) from None
                time.sleep(0.05)
        yield
