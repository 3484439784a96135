"""Writing a store: one process at a time, whole blocks, one step that shows them to readers."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from asmrisk.errors import InputError, RunError
from asmrisk.jit import kernel_hash
from asmrisk.results.content import Content
from asmrisk.results.description import FOLDER, MOST_BLOCKS, Chunk, Description
from asmrisk.results.location import Location
from asmrisk.results.manifest import Block, Manifest, blocks_of
from asmrisk.results.provenance import package_version, provenance
from asmrisk.results.schema import coordinates, descriptions, variables
from asmrisk.results.store.block_writer import BlockWriter
from asmrisk.results.store.layout import Layout
from asmrisk.results.store.reader import read_root
from asmrisk.results.store.storage import Hold, Storage, storage_at

if TYPE_CHECKING:
    from asmrisk.scenario import Scenario

__all__ = ["BLOCK_LENGTH", "Store"]

#: Draws in a chunk unless a run says otherwise when it creates the store.
BLOCK_LENGTH = 256


class Store:
    """A store that this process alone writes to.

    Use `Store.writing`, which checks the place, takes the lock and lays out what is missing.

    Parameters
    ----------
    storage : Storage
        Where it is.
    description : Description
        What it is a run of.
    layout : Layout
        Its arrays.
    hold : Hold
        Its lock.
    """

    def __init__(self, storage: Storage, description: Description, layout: Layout, hold: Hold) -> None:
        self.storage = storage
        self.root = storage.location
        self.description = description
        self.layout = layout
        self._hold = hold
        (self._root,) = storage.read_many(["zarr.json"])

    @classmethod
    def writing(
        cls,
        root: Storage | str | os.PathLike[str],
        scenario: Scenario,
        draws: int,
        block_length: int | None = None,
    ) -> AbstractContextManager[Store]:
        """Open the store of a run for writing, and create it where there is none.

        Parameters
        ----------
        root : path or location
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
    def holding(
        cls, root: Storage | str | os.PathLike[str], content: Content, length: int, block_length: int
    ) -> Iterator[Store]:
        """Open a store of any content for writing, and create it where there is none.

        Parameters
        ----------
        root : path or location
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
        storage = storage_at(root)
        if length > MOST_BLOCKS * block_length:
            raise InputError(
                f"{length:,} {wanted.noun}s in blocks of {block_length:,} are too many blocks for one store; "
                f"the block size must be at least {-(-length // MOST_BLOCKS):,}."
            )
        with contextlib.ExitStack() as stack:
            with _usable(storage.location):
                _require_same_run(storage, wanted)
                storage.prepare()
                hold = stack.enter_context(storage.lock())
                present = _require_same_run(storage, wanted)
                store = cls(storage, *_described(storage, content, wanted, present), hold)
                store._lay_out()
            yield store

    def block_writer(self) -> BlockWriter:
        """Give what a worker in another process needs to write blocks, as long as this store is locked."""
        return BlockWriter(self.storage, self.description, self.layout.chunks, self._hold.session)

    def _lay_out(self) -> None:
        """Write what is not there yet: description, array metadata, labels; and clear what a crash left."""
        self.storage.tidy()
        self.storage.write(f"{FOLDER}/store.json", self.description.encode(), durable=True)
        present = self.storage.sizes()
        self.storage.write_many(
            {
                key: data
                for key, data in self.layout.metadata().items()
                # A group's own file would let it be opened before the commit.
                if key.removesuffix("/zarr.json") not in self.layout.groups and key not in present
            }
        )
        self._write_changed(self.layout.labels())

    def _write_changed(self, files: Mapping[str, bytes]) -> None:
        present = self.storage.read_many(files)
        self.storage.write_many(
            {key: data for (key, data), old in zip(files.items(), present, strict=True) if data != old}
        )

    def _blocks(self) -> list[Block]:
        return blocks_of(self.description.draws, self.description.block_length)

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
            for block in self._blocks()
            if (entry := writer.sound_entry(block)) is None or entry.count < block.count
        ]

    def finished_draws(self) -> int:
        """Count the draws that are there, by presence and size of their files."""
        blocks = self._blocks()
        survey = Manifest(self.storage, self.description).survey(blocks)
        return sum(
            min(entry.count, block.count)
            for block, (entry, faults) in zip(blocks, survey, strict=True)
            if entry is not None and not faults
        )

    def write_block(self, block: Block, values: Mapping[str, NDArray[Any]]) -> None:
        """Write one block; see `BlockWriter.write_block`."""
        self._hold.check()
        self.block_writer().write_block(block, values)

    def commit(self) -> None:
        """Show all draws to readers, in one step.

        Raises
        ------
        RunError
            If something else has changed the store, or the lock was lost.
        OSError
            If the storage is full or fails; readers then see what they saw before.
        """
        self._hold.check()
        missing = self.description.draws - self.finished_draws()
        if missing:
            raise RunError(
                f"{missing:,} {self.description.noun}s in {self.root} were changed or removed by something "
                "else while the run was going on; run the same command again to compute them anew"
            )
        attributes = {
            "title": self.description.provenance["scenario"]["title"],
            "provenance": json.dumps(self.description.provenance),
        }
        self._write_changed(self.layout.metadata())
        root = self.layout.root(attributes)
        if root != self._root:
            # All that was written without waiting must be there before it counts.
            self.storage.flush()
            self._hold.check()
            self.storage.replace("zarr.json", self._root, root)
            self._root = root


def _require_same_run(storage: Storage, wanted: Description) -> Description | None:
    """Check that a place is a store of the wanted run, or free; give its description if it has one."""
    if reason := storage.refusal():
        raise InputError(f"{storage.location} {reason}. Give another place with --out.")
    present = Description.read(storage)
    if present is not None and (said := present.differences(wanted)):
        raise InputError(
            f"{storage.location} holds another run: {' and '.join(said)}. Nothing was changed; write this "
            "run to another place with --out."
        )
    return present


def _described(
    storage: Storage, content: Content, wanted: Description, present: Description | None
) -> tuple[Description, Layout]:
    """Describe the store as it is to be: what is wanted, and no shorter than what is there."""
    block_length = wanted.block_length if present is None else present.block_length
    length = wanted.draws if present is None else max(wanted.draws, read_root(storage, present)[1])
    layout = Layout(content, length, block_length)
    record = content.provenance
    description = replace(
        wanted,
        block_length=block_length,
        draws=length,
        variables={path: len(chunk.shape) for path, chunk in layout.chunks.items()},
        fixed={key: Chunk.of(data) for key, data in layout.labels().items()},
        provenance=record if present is None else _continued(present.provenance, record),
    )
    return description, layout


def _continued(earlier: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """Keep the record of the first run, and note where a later one had other software or another machine."""
    parts = ("created", "software", "environment")
    latest = earlier.get("continued", [earlier])[-1]
    if all(latest[part] == record[part] for part in parts[1:]):
        return earlier
    note = {part: record[part] for part in parts}
    return earlier | {"continued": [*earlier.get("continued", []), note]}


@contextlib.contextmanager
def _usable(place: Location) -> Iterator[None]:
    """Say that a place cannot be used, unless it is merely full."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{place} cannot be used ({reason}). Give another place with --out.") from None
