"""Writing a store: blocks that never change, and one step that shows them to readers.

Any number of processes may write one store at the same time, each of them stalled, killed or continued at
any moment. Three rules keep it sound:

* A block is a pure function of the store's identity and the block's number, written whole. Its files are
  created, never overwritten: whoever comes second compares digests and leaves what is there. Its entry in the
  manifest is created after its chunks.
* A commit records in one new file all metadata that readers are to see, then puts it in place, the root's
  last. Whoever puts metadata in place, however late, puts there what the record of the longest commit says:
  so nobody can make a store shorter. Files are changed by one process at a time (`Folder.changing`).
* Only what is damaged is ever replaced, by the same values.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError, RunError
from asmrisk.results.manifest import BLOCKS, Chunk, Entry, Found, digest_of_bytes, entry_key, finished, survey
from asmrisk.results.provenance import about_in, circumstances, provenance
from asmrisk.results.spec import (
    FOLDER,
    MOST_BLOCKS,
    SPEC,
    UNREADABLE,
    Block,
    StoreSpec,
    sealed,
    unsealed,
)
from asmrisk.results.storage import Changer, GoOn, Place, Say, check_key, storage_at

if TYPE_CHECKING:
    from asmrisk.results.layout import ChunkCodec
    from asmrisk.results.storage import Storage

__all__ = [
    *("BlockWriter", "Commit", "Store", "asked_lengths", "metadata_faults", "read_commit", "read_runs"),
    "read_spec",
]

_RUNS, _COMMITS = f"{FOLDER}/runs", f"{FOLDER}/commits"

_LABELS = Block(())


def read_spec(storage: Storage) -> StoreSpec | None:
    """Read what a store holds; ``None`` for none, InputError if it is damaged or another version's."""
    (data,) = storage.read_many([SPEC])
    spec = StoreSpec.decode(data)
    if data is not None and spec is None:
        _require_this_format(storage.place, data)
        raise InputError(
            f"{storage.place}/{SPEC} is damaged, so nothing in the store can be relied on. The command that "
            "wrote it, given again, restores it."
        )
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


def read_runs(storage: Storage, spec: StoreSpec) -> dict[str, dict[str, Any] | None]:
    """Read who wrote to a store and how much was asked for, by key; ``None`` for a damaged record."""
    keys = sorted(key for key in storage.sizes(_RUNS) if key.endswith(".json"))
    files = zip(keys, storage.read_many(keys), strict=True)
    return {key: _run_in(data, key, spec) for key, data in files}


def _run_in(data: bytes | None, key: str, spec: StoreSpec) -> dict[str, Any] | None:
    """Read a record of a run; ``None`` if it is missing, damaged, another one, or of another store."""
    body = unsealed(data) or {}
    try:
        good = (
            body["identity"] == spec.identity
            and _run_key(body["number"]) == key
            and _are_lengths(body["lengths"], spec)
            and type(body["created"]) is type(body["software"]["asmrisk"]) is str
            and type(body["environment"]) is dict
        )
    except UNREADABLE:  # Another kind of file.
        return None
    return body if good else None


def _are_lengths(lengths: Any, spec: StoreSpec) -> bool:
    """Whether these can be the lengths of a store: anybody may have written them."""
    return (
        len(lengths) == len(spec.growing)
        and all(type(each) is int and each > 0 for each in lengths)
        and math.prod(-(-length // size) for length, size in zip(lengths, spec.block_shape, strict=True))
        <= MOST_BLOCKS
    )


def asked_lengths(storage: Storage, spec: StoreSpec) -> tuple[int, ...]:
    """Give what the latest run asked for along each dimension that can grow, or more if that is committed."""
    asked = [tuple(record["lengths"]) for record in read_runs(storage, spec).values() if record]
    return _no_shorter(storage, spec, asked[-1] if asked else (0,) * len(spec.growing))


def _no_shorter(storage: Storage, spec: StoreSpec, lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Give the lengths, or those that readers see where they are greater, whatever is damaged of a commit."""
    from asmrisk.results.layout import lengths_shown

    names = [key.rpartition("/")[2].removesuffix(".json").split(".") for key in storage.sizes(_COMMITS)]
    shown = [
        tuple(map(int, name)) for name in names if len(name) == len(lengths) and all(map(str.isdecimal, name))
    ]
    (root,) = storage.read_many(["zarr.json"])
    seen = lengths_shown(root or b"", spec)
    asked = [run["lengths"] for run in read_runs(storage, spec).values() if run]
    # A damaged root may show anything, but nobody sees more than was asked for.
    if seen and asked and all(map(int.__le__, seen, map(max, *asked, lengths))):
        shown.append(seen)
    return tuple(map(max, *shown, lengths)) if shown else lengths


class Commit(NamedTuple):
    """What readers see after a commit, as its record says."""

    lengths: tuple[int, ...]  #: along each dimension that can grow
    files: dict[str, bytes]  #: all metadata, by key

    @property
    def key(self) -> str:
        """Place of the record."""
        return f"{_COMMITS}/{_digits(self.lengths)}.json"

    @property
    def provenance(self) -> dict[str, Any]:
        """What the root's attribute of this name says."""
        record: dict[str, Any] = json.loads(self.attributes["provenance"])
        return record

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The records of runs in it, the first one first."""
        record = self.provenance
        return [record, *record.get("continued", [])]

    @property
    def attributes(self) -> dict[str, Any]:
        """The root's attributes."""
        attributes: dict[str, Any] = json.loads(self.files["zarr.json"])["attributes"]
        return attributes

    def encode(self, spec: StoreSpec) -> bytes:
        """Give the bytes of the record."""
        files = {key: data.decode() for key, data in self.files.items()}
        return sealed({"identity": spec.identity, "lengths": list(self.lengths), "files": files})

    @classmethod
    def decode(cls, spec: StoreSpec, data: bytes | None) -> Commit | None:
        """Read a record; ``None`` if it is missing, damaged or of another store."""
        body = unsealed(data) or {}
        try:
            files = {check_key(key): text.encode() for key, text in body["files"].items()}
            commit = cls(tuple(body["lengths"]), files)
            good = (
                body["identity"] == spec.identity
                and _are_lengths(commit.lengths, spec)
                and all(type(run["number"]) is int for run in commit.runs)
            )
        except UNREADABLE:  # Another kind of file.
            return None
        return commit if good else None


def _digits(lengths: Sequence[int]) -> str:
    """Write lengths so that their order is that of the text."""
    return ".".join(f"{each:08d}" for each in lengths)


def _commits(storage: Storage, spec: StoreSpec) -> dict[str, Commit]:
    """Read the sound records of commits, by key, the longest last."""
    return {key: each for key, each in _records(storage, spec).items() if each is not None}


def _records(storage: Storage, spec: StoreSpec) -> dict[str, Commit | None]:
    """Read the records of commits, by key, the longest last; ``None`` for a damaged one."""
    data: dict[str, bytes | None] = {"": None}
    # One that was listed and is gone was removed for a longer one, which came after the list was made.
    while None in data.values():
        keys = sorted(key for key in storage.sizes(_COMMITS) if key.endswith(".json"))
        data = dict(zip(keys, storage.read_many(keys), strict=True))
    found = {key: Commit.decode(spec, each) for key, each in data.items()}
    return {key: each if each is not None and each.key == key else None for key, each in found.items()}


def read_commit(storage: Storage, spec: StoreSpec) -> tuple[Commit | None, list[str]]:
    """Read what readers see of a store, ``None`` if nothing can be opened; and phrases for damage."""
    from asmrisk.results.layout import lengths_shown

    while True:
        (before,) = storage.read_many(["zarr.json"])
        records = _records(storage, spec)
        (root,) = storage.read_many(["zarr.json"])
        if root == before:  # Otherwise a longer commit has come, and may have removed a record.
            break
    faults = [f"{key} is damaged" for key, each in records.items() if each is None]
    if root is None:  # Between the record and the root, a first commit shows nothing yet.
        return None, faults
    lengths = lengths_shown(root, spec)
    shown = next((each for each in records.values() if each and each.lengths == lengths), None)
    if shown is None or shown.files["zarr.json"] != root:
        return None, [*faults, "zarr.json or the record of its commit is damaged or missing"]
    return shown, faults


def metadata_faults(storage: Storage, spec: StoreSpec, commit: Commit, *, verify: bool) -> list[str]:
    """Say which metadata are missing or, with `verify`, are not what a commit put in place."""
    files = dict(zip(commit.files, storage.read_many(commit.files), strict=True))
    # A longer commit that is under way has put some of its own in place.
    right = [commit, *_commits(storage, spec).values()]
    return [
        f"{key} is {'missing' if data is None else 'damaged'}"
        for key, data in files.items()
        if data is None or (verify and data not in [each.files.get(key) for each in right])
    ]


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

    @cached_property
    def _codec(self) -> ChunkCodec:
        # What only looks does not wait for zarr.
        from asmrisk.results.layout import ChunkCodec

        return ChunkCodec(self.spec)

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
        from asmrisk.results.layout import digest_of_values

        keys = self.spec.chunks(block)
        values = dict(values)
        for dim, start, length in zip(self.spec.growing, block.start, block.shape, strict=False):
            counted = [path for path in keys if path.rpartition("/")[2] == dim]
            values |= dict.fromkeys(counted, np.arange(start, start + length, dtype=np.int64))
        data = self._codec.encode({path: values[path] for path in keys})
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
                where = f"{self.storage.place} ({self.spec.describe(block)})"
                raise RunError(
                    f"{path} in {where} has other bits than when it was first computed: the program or the "
                    "processor is not reliable. The store was left as it was; write to another place, and "
                    "report this."
                )

    def _settle(
        self,
        block: Block,
        data: Mapping[str, bytes],
        chunks: Mapping[str, Chunk],
        go_on: GoOn | None,
    ) -> None:
        """Agree with files that are there: keep what has the same values, replace what is damaged."""
        lies: dict[str, Chunk] = {}

        def repaired(found: bytes | None) -> bytes:
            same = found is not None and self._codec.digest(path, found) == chunks[path].values
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
    """Another run has recorded a longer commit meanwhile."""


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
        its record, and is never made shorter.

        Parameters
        ----------
        place : path, URL, Folder or Bucket
            A store, an empty folder, or a place where nothing is.
        spec : StoreSpec
            What it is to hold.
        labels : mapping of str to ndarray
            Values of the arrays that no block writes, by path.
        lengths : tuple of int
            How long it is to be along each dimension that can grow.
        say : callable, optional
            Takes a line for the user, when something has to be waited for.

        Raises
        ------
        InputError
            If something else is at that place, a store of other numbers or of another version, or it cannot
            be written to; nothing is changed then.
        """
        storage = storage_at(place)
        with _usable(storage.place):
            if reason := storage.refusal():
                raise InputError(f"{storage.place} {reason}. Give another place.")
            spec = _present(storage, spec)
            sizes = zip(lengths, spec.block_shape, strict=True)
            if math.prod(-(-length // size) for length, size in sizes) > MOST_BLOCKS:
                raise InputError(
                    f"{lengths[-1]:,} draws in blocks of {spec.block_shape[-1]:,} are too many blocks for a "
                    f"store; the block size must be at least {-(-lengths[-1] // MOST_BLOCKS):,}."
                )
            storage.prepare()
            storage.create(SPEC, spec.encode(), durable=True)
            if StoreSpec.decode(storage.read(SPEC)) is None:
                with storage.changing(say) as change:
                    change(SPEC, partial(_restored, spec))
            # Another process may have been quicker.
            spec = _present(storage, spec)
            _record_run(storage, spec, lengths, say)
            store = cls(storage, spec, _no_shorter(storage, spec, lengths), say)
            if not store.writer.is_finished(_LABELS):
                store.writer.write(_LABELS, labels)
        return store

    def _found(self, *, verify: bool = False) -> list[Found]:
        return survey(self.storage, self.spec, self.spec.blocks(self.lengths), verify=verify)

    def unfinished_blocks(self) -> list[Block]:
        """Find the blocks that must be computed, reading and verifying every chunk file that is there."""
        return [each.block for each in self._found(verify=True) if not each.sound]

    def finished_length(self) -> int:
        """Count what is finished along the first dimension that can grow, by presence and size of files."""
        return len(finished(self.spec, self.lengths, self._found()))

    def commit(self) -> None:
        """Show all that was asked for to readers, in one step.

        RunError if something else has changed the store; OSError if the storage is full or fails: readers
        then see what they saw before.
        """
        shown = False
        while not shown:
            # Others may have committed more meanwhile; in a study more of the one, and this run more of the
            # other, so that nobody has computed what both make together.
            self.lengths = _no_shorter(self.storage, self.spec, self.lengths)
            missing = sum(not each.sound for each in self._found())
            if missing:
                raise RunError(
                    f"{missing:,} blocks of draws in {self.place} were changed or removed by something else "
                    "while the run was going on, or another run has asked for them; run the same command "
                    "again to compute them"
                )
            with contextlib.suppress(_OvertakenError), self.storage.changing(self._say) as change:
                self.writer.require_store()
                self._show(change)
                shown = True

    def _show(self, change: Changer) -> None:
        """Record a commit and put its metadata in place."""
        if self._is_shown():
            return
        self._require_longest()
        key = Commit(self.lengths, {}).key
        commit = Commit.decode(self.spec, change(key, self._recorded))
        assert commit is not None
        self._require_longest()
        for file in sorted(commit.files, key=lambda file: (file == "zarr.json", file)):
            if file == "zarr.json":
                # All that was written without waiting must be there before it counts.
                self.storage.flush()
            change(file, partial(self._as_committed, commit, file), durable=file == "zarr.json")
        for other in self.storage.sizes(_COMMITS):
            if other < key:
                self.storage.remove(other)

    def _require_longest(self) -> None:
        """Raise _OvertakenError if something longer was recorded, or shown, along any dimension."""
        if _no_shorter(self.storage, self.spec, self.lengths) != self.lengths:
            raise _OvertakenError

    def _is_shown(self) -> bool:
        """Whether everything that a commit would put in place is there already."""
        shown, faults = read_commit(self.storage, self.spec)
        if shown is None or faults or any(map(int.__lt__, shown.lengths, self.lengths)):
            return False
        present = self.storage.read_many(shown.files)
        return all(data == wanted for data, wanted in zip(present, shown.files.values(), strict=True))

    def _recorded(self, found: bytes | None) -> bytes:
        """Keep a sound record of this commit, or make it."""
        from asmrisk.results.layout import hierarchy

        if found is not None and Commit.decode(self.spec, found) is not None:
            return found
        runs = [record for record in read_runs(self.storage, self.spec).values() if record]
        title, record = self.spec.about["scenario"]["title"], json.dumps(provenance(self.spec, runs))
        files = hierarchy(self.spec, self.lengths, {"title": title, "provenance": record})
        return Commit(self.lengths, files).encode(self.spec)

    def _as_committed(self, commit: Commit, file: str, found: bytes | None) -> bytes:
        """Give a metadata file as this commit has it, or by now a longer one."""
        if found is not None and found != commit.files[file]:
            records = _commits(self.storage, self.spec).values()
            longer = {
                each.lengths: each
                for each in records
                if not any(map(int.__lt__, each.lengths, commit.lengths))
            }
            most = tuple(map(max, zip(*longer, strict=True)))
            if most not in longer:  # One of the two is not to be shown.
                raise _OvertakenError
            commit = longer[most]
        return commit.files[file]


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
    spec = wanted.with_block(entry.lengths) if entry.lengths.keys() == set(wanted.growing) else wanted
    if spec.identity != entry.identity:
        raise InputError(
            f"{storage.place}/{SPEC} is missing or damaged, and what else is there belongs to another run. "
            "Nothing was changed; the command that wrote it restores it. Write this run to another place."
        )
    # Title and the like are not part of the identity, but of the file: readers were shown them.
    shown = list(_commits(storage, spec).values())
    return replace(spec, about=about_in(shown[-1].provenance, spec.about)) if shown else spec


def _restored(spec: StoreSpec, found: bytes | None) -> bytes:
    return spec.encode() if found is None or StoreSpec.decode(found) is None else found


def _record_run(storage: Storage, spec: StoreSpec, lengths: tuple[int, ...], say: Say | None) -> None:
    """Note how much is asked for, with which software, on what machine; restore the notes of others."""
    named = ("identity", "number", "lengths", "created", "software", "environment")
    written = [run for commit in list(_commits(storage, spec).values())[-1:] for run in commit.runs]
    wanted = {_run_key(run["number"]): sealed({name: run[name] for name in named}) for run in written}
    known = read_runs(storage, spec)
    storage.create_many({key: data for key, data in wanted.items() if key not in known})
    for key in [key for key, run in known.items() if run is None]:
        if key in wanted:
            with storage.changing(say) as change:
                change(key, lambda found, key=key: wanted[key])  # type: ignore[misc]
        else:
            storage.remove(key)
    if all(map(int.__ge__, _no_shorter(storage, spec, (0,) * len(lengths)), lengths)):
        return
    runs = [run for run in read_runs(storage, spec).values() if run]
    new = {"identity": spec.identity, "lengths": list(lengths), **circumstances()}
    if not runs or any(runs[-1][name] != new[name] for name in ("lengths", "software", "environment")):
        number = runs[-1]["number"] + 1 if runs else 0
        while not storage.create(_run_key(number), sealed({"number": number, **new}), durable=True):
            # By another one, or by itself: a request that was repeated because its answer was lost.
            if list(storage.read_many([_run_key(number)])) == [sealed({"number": number, **new})]:
                break
            number += 1


def _run_key(number: int) -> str:
    return f"{_RUNS}/{number:06d}.json"


@contextlib.contextmanager
def _usable(place: Place) -> Iterator[None]:
    """Say that a place cannot be used, unless it is merely full."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{place} cannot be used ({reason}). Give another place.") from None
