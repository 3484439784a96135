"""Writing a store: blocks that never change, and one step that shows them to readers.

Any number of processes may write one store at the same time, each of them stalled, killed or continued at
any moment. Three rules keep it sound:

* A block is a pure function of the store's identity and the block's number, written whole. Its files are
  created, never overwritten: whoever comes second compares digests and leaves what is there. Its entry in the
  manifest is created after its chunks.
* A commit changes metadata one file after the other, the root's last, each in one step and only if nobody
  else has since it was read, and never to something shorter: nobody, however late, makes a store shorter.
* Only what is damaged is ever replaced, by the same values.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError, RunError
from asmrisk.limits import require_within
from asmrisk.results.folder import GoOn, Say
from asmrisk.results.manifest import BLOCKS, Chunk, Entry, Found, entry_key, finished, survey
from asmrisk.results.metadata import ROOT, Root, longer_commit, metadata, read_root
from asmrisk.results.place import Place, Storage, storage_at, usable
from asmrisk.results.runs import asked_lengths, record_run, sound_runs
from asmrisk.results.spec import MOST_BLOCKS, SPEC, UNREADABLE, StoreSpec, digest_of_bytes
from asmrisk.simulation.arrays import Block

__all__ = ["BlockWriter", "Store", "read_spec"]

_LABELS = Block(())


def read_spec(storage: Storage) -> StoreSpec | None:
    """Read what a store holds; ``None`` for none, InputError if it is damaged or another version's."""
    (data,) = storage.read_many([SPEC])
    spec = StoreSpec.decode(data)
    if data is not None and spec is None:
        _require_this_format(storage.place, data)
        raise InputError(
            f"{storage.place}/{SPEC} is damaged, so nothing in the store can be relied on. To run it again "
            "in the same way restores it."
        )
    if spec is not None:
        spec.require_small(storage.place)
    return spec


def _require_this_format(place: Place, data: bytes) -> None:
    """Refuse a store of another version, which is not damaged."""
    try:
        version = {1: "0.1.0"}[json.loads(data)["format"]]
    except UNREADABLE:
        return
    raise InputError(
        f"{place} was written by asmrisk {version}, and only that version reads it; run the scenario again "
        "to another place."
    )


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
        # What only looks does not wait for zarr.
        from asmrisk.results.layout import digest_of_values, encode_chunks

        keys = self.spec.chunks(block)
        values = dict(values)
        for dim, start, length in zip(self.spec.growing, block.start, block.shape, strict=False):
            counted = [path for path in keys if path.rpartition("/")[2] == dim]
            values |= dict.fromkeys(counted, np.arange(start, start + length, dtype=np.int64))
        data = encode_chunks(self.spec, {path: values[path] for path in keys})
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
        from asmrisk.results.layout import digest_of_chunk  # As above.

        lies: dict[str, Chunk] = {}

        def repaired(found: bytes | None) -> bytes:
            same = found is not None and digest_of_chunk(self.spec, path, found) == chunks[path].values
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


class _OvertakenError(Exception):
    """Another run has committed more meanwhile."""


class Store:
    """A store that is written to, by this process among others; `Store.open` lays it out."""

    def __init__(
        self, storage: Storage, spec: StoreSpec, lengths: tuple[int, ...], say: Say | None = None
    ) -> None:
        self.storage, self.spec, self.lengths = storage, spec, lengths
        self.place: Place = storage.place
        self.writer = BlockWriter(storage, spec, say=say)
        self._say = say

    @classmethod
    def open(
        cls,
        place: Storage | Place,
        spec: StoreSpec,
        labels: Mapping[str, NDArray[Any]],
        lengths: tuple[int, ...],
        say: Say | None = None,
    ) -> Store:
        """Open a store for writing, and create it where there is none.

        A store that is there must be one of the same numbers; it keeps its lengths of blocks, its title and
        its record, and is never made shorter. The `labels` are the values of the arrays that no block writes,
        by path; `lengths` is how long the store is to be along each dimension that can grow. InputError, and
        nothing is changed, if something else is at that place, a store of other numbers or of another
        version, or it cannot be written to.
        """
        storage = storage_at(place)
        with usable(storage.place, "used", " Give another place."):
            spec = _agreed(storage, spec, lengths)
            with storage.prepared():
                storage.create(SPEC, spec.encode(), durable=True)
            if StoreSpec.decode(storage.read(SPEC)) is None:
                with storage.changing(say) as change:
                    change(SPEC, partial(_restored, spec))
            # Another process may have been quicker.
            spec = _present(storage, spec)
            record_run(storage, spec, lengths, say)
            store = cls(storage, spec, asked_lengths(storage, spec, lengths), say)
            if not store.writer.is_finished(_LABELS):
                store.writer.write(_LABELS, labels)
        return store

    @classmethod
    def look(cls, place: Storage | Place, spec: StoreSpec, lengths: tuple[int, ...]) -> Store:
        """Give the store that `open` would, with its lengths, and change nothing: it need not be there.

        Errors are those of `open`, but that the place can be written to is not tried.
        """
        storage = storage_at(place)
        with usable(storage.place, "used", " Give another place."):
            spec = _agreed(storage, spec, lengths)
            return cls(storage, spec, asked_lengths(storage, spec, lengths))

    def _found(self, *, verify: bool = False) -> list[Found]:
        return survey(self.storage, self.spec, self.spec.blocks(self.lengths), verify=verify)

    def unfinished_blocks(self, *, verify: bool = True) -> list[Block]:
        """Find the blocks that must be computed; to `verify`, every chunk file that is there is read."""
        return [each.block for each in self._found(verify=verify) if not each.sound]

    def finished_length(self) -> int:
        """Count what is finished along the first dimension that can grow, by presence and size of files."""
        return len(finished(self.spec, self.lengths, self._found()))

    def commit(self) -> None:
        """Show all that was asked for to readers, in one step.

        RunError if something else has changed the store; OSError if the storage is full or fails: readers
        then see what they saw before.
        """
        while True:
            # Others may have committed more meanwhile; in a study more of the one, and this run more of the
            # other, so that nobody has computed what both make together.
            self.lengths = asked_lengths(self.storage, self.spec, self.lengths)
            missing = sum(not each.sound for each in self._found())
            if missing:
                raise RunError(
                    f"{missing:,} of the blocks of {self.place} were changed or removed by something else "
                    "while the run was going on, or another run has asked for them; run it again in "
                    "the same way to compute them"
                )
            files = metadata(self.spec, self.lengths, sound_runs(self.storage, self.spec))
            with contextlib.suppress(_OvertakenError), self.storage.changing(self._say) as change:
                self.writer.require_store()
                for key in sorted(files, key=lambda key: (key == ROOT, key)):
                    change(key, partial(self._no_shorter, key, files[key]), durable=key == ROOT)
                return

    def _no_shorter(self, key: str, wanted: bytes, found: bytes | None) -> bytes:
        """Choose what a metadata file is to be; _OvertakenError if it is a longer commit's by now."""
        if found is not None and found != wanted:
            runs = partial(sound_runs, self.storage, self.spec)
            if longer_commit(self.spec, key, found, self.lengths, runs):
                raise _OvertakenError
            # Of the same commit, but put there by another version of zarr, or by one who saw fewer runs.
            root = Root.decode(self.spec, found) if key == ROOT else read_root(self.storage, self.spec)[0]
            if root and root.lengths == self.lengths and (key == ROOT or root.has(key, found)):
                return found
        if key == ROOT:
            # All that was written without waiting must be there before it counts.
            self.storage.flush()
        return wanted


def _agreed(storage: Storage, wanted: StoreSpec, lengths: tuple[int, ...]) -> StoreSpec:
    """Give the specification that a store of these lengths has; InputError if none can be at the place."""
    if reason := storage.refusal():
        raise InputError(f"{storage.place} {reason}. Give another place.")
    spec = _present(storage, wanted)
    if not spec.can_have(lengths):
        raise InputError(
            f"{lengths[-1]:,} draws in blocks of {spec.block_shape[-1]:,} are too many blocks for a store; "
            f"the block size must be at least {-(-lengths[-1] // MOST_BLOCKS):,}."
        )
    spec.require_small(storage.place, lengths)
    # The root's metadata hold it once more, and what else there is to say.
    require_within("metadata_bytes", 2 * len(spec.encode()), where=f"{storage.place}/{SPEC}")
    return spec


def _present(storage: Storage, wanted: StoreSpec) -> StoreSpec:
    """Give the specification of the store that is there, or the wanted one where there is none.

    A missing or damaged one is made anew from what is wanted and what the other files know. InputError if the
    place holds other numbers.
    """
    (data,) = storage.read_many([SPEC])
    present = StoreSpec.decode(data)
    if present is not None:
        if said := present.differences(wanted):
            raise InputError(
                f"{storage.place} holds another run: {' and '.join(said)}. Nothing was changed; write this "
                "run to another place."
            )
        return present
    if data is not None:
        _require_this_format(storage.place, data)
    keys = [key for key in storage.sizes(BLOCKS) if key.endswith(".json")]
    entry = next(filter(None, map(Entry.decode, storage.read_many(keys))), None)
    if entry is None:
        return wanted
    block = entry.lengths if entry.lengths.keys() == set(wanted.growing) else wanted.definition["block"]
    spec = replace(wanted, definition=wanted.definition | {"block": block})
    if spec.identity != entry.identity:
        raise InputError(
            f"{storage.place}/{SPEC} is missing or damaged, and what else is there belongs to another run. "
            "Nothing was changed; what wrote it, run again, restores it. Write this run to another place."
        )
    # Title and the like are not part of the identity, but of the file: readers were shown them.
    root, _ = read_root(storage, spec)
    if root is None:
        return spec
    about = {name: root.provenance[name] for name in spec.about if name in root.provenance}
    about["scenario"] = {name: about["scenario"][name] for name in spec.about["scenario"]}
    return replace(spec, about=about)


def _restored(spec: StoreSpec, found: bytes | None) -> bytes:
    return spec.encode() if found is None or StoreSpec.decode(found) is None else found
