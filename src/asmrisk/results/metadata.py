"""The metadata that readers see: every ``zarr.json``, of which the root's says all that the others say.

A commit puts them in place, the root's last. The root's attribute ``provenance`` holds a digest of every
other file, and a seal: the digest of the root itself with zeros in its place. A file is made of the store's
specification and lengths alone (the root of the records of runs too), and says how long it is: so whoever
comes late finds out, and makes nothing shorter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from asmrisk.results.place import Storage
from asmrisk.results.provenance import provenance
from asmrisk.results.spec import MOST_BLOCKS, UNREADABLE, StoreSpec, canonical, digest_of_bytes, has_form

__all__ = [
    *("ROOT", "Root", "is_run", "longer_commit", "metadata", "metadata_faults", "read_root", "shown_lengths"),
]

ROOT = "zarr.json"

Runs: TypeAlias = Sequence[Mapping[str, Any]]

#: In the place of the seal when the seal is taken.
_UNSEALED = "0" * 64


class Root(NamedTuple):
    """A root that is what a commit put in place."""

    lengths: tuple[int, ...]  #: that readers see, along each dimension that can grow
    data: bytes  #: of the file
    attributes: dict[str, Any]  #: ``title``, ``rule`` and ``provenance``
    provenance: dict[str, Any]  #: what the latter says

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The records of runs in it, the first one first."""
        return [self.provenance, *self.provenance.get("continued", [])]

    def has(self, key: str, data: bytes) -> bool:
        """Whether this is the file that was put in place with the root."""
        return bool(self.provenance["metadata"]["digests"].get(key) == digest_of_bytes(data))

    @classmethod
    def decode(cls, spec: StoreSpec, data: bytes | None) -> Root | None:
        """Read a root, trusting nothing; ``None`` if it is missing, damaged or of another store."""
        try:
            attributes = json.loads(data or b"")["attributes"]
            root = cls(
                _lengths_in(spec, ROOT, data), data or b"", attributes, json.loads(attributes["provenance"])
            )
            seal = root.provenance["metadata"]["seal"]
            good = (
                root.provenance["identity"] == spec.identity
                and spec.can_have(root.lengths)
                and digest_of_bytes(root.data.replace(seal.encode(), _UNSEALED.encode())) == seal
                and set(root.provenance["metadata"]["digests"]) == set(_others(spec))
                and has_form(root.provenance)
                and all(is_run(run, spec) for run in root.runs)
                and _as_declared(spec, root.lengths, json.loads(data or b""))
            )
        except UNREADABLE:
            return None
        return root if good else None


def is_run(record: Mapping[str, Any], spec: StoreSpec) -> bool:
    """Say whether this is a record of a run that wrote to a store; raises one of `UNREADABLE` for others."""
    return bool(
        record["identity"] == spec.identity
        and type(record["number"]) is int
        and 0 <= record["number"] < MOST_BLOCKS
        and spec.can_have(record["lengths"])
        and type(record["created"]) is type(record["software"]["asmrisk"]) is str
        and type(record["environment"]) is dict
        and canonical(record)  # NaN and infinity, which are no plain data, could not be kept.
    )


def read_root(storage: Storage, spec: StoreSpec) -> tuple[Root | None, list[str]]:
    """Read what readers see of a store, ``None`` if nothing can be opened; and phrases for damage."""
    (data,) = storage.read_many([ROOT])
    root = Root.decode(spec, data)
    return root, [f"{ROOT} is damaged"] if root is None and data is not None else []


def shown_lengths(storage: Storage, spec: StoreSpec, runs: Runs) -> tuple[int, ...]:
    """Give the lengths that readers see, 0 for none, or that a commit was about to show them."""
    root, _ = read_root(storage, spec)
    lengths = root.lengths if root else (0,) * len(spec.growing)
    for key, data in zip(_others(spec), storage.read_many(_others(spec)), strict=True):
        there = longer_commit(spec, key, data, lengths, lambda: runs)
        lengths = tuple(map(max, lengths, there)) if there else lengths
    return lengths


def _others(spec: StoreSpec) -> list[str]:
    """Give the keys of all metadata but the root."""
    return [f"{each}/{ROOT}" for each in (*spec.arrays, *spec.groups)]


def metadata(spec: StoreSpec, lengths: tuple[int, ...], runs: Runs) -> dict[str, bytes]:
    """Make all metadata of a commit, by key."""
    from asmrisk.results.layout import hierarchy  # Who only looks does not wait for zarr.

    def attributes(others: Mapping[str, bytes]) -> dict[str, Any]:
        digests = {key: digest_of_bytes(data) for key, data in others.items()}
        record = provenance(spec, runs) | {"metadata": {"digests": digests, "seal": _UNSEALED}}
        return {**spec.headings, "provenance": json.dumps(record)}

    files = hierarchy(spec, lengths, attributes)
    root = files[ROOT]
    return files | {ROOT: root.replace(_UNSEALED.encode(), digest_of_bytes(root).encode())}


def longer_commit(
    spec: StoreSpec, key: str, data: bytes | None, lengths: tuple[int, ...], runs: Callable[[], Runs]
) -> tuple[int, ...] | None:
    """Give the lengths of the commit that a metadata file is of, if it is longer along any dimension.

    ``None`` if it is not, or if it is damaged: then it has no seal, or no run has asked for these lengths.
    """
    try:
        there = _lengths_in(spec, key, data, lengths)
        longer = [n for n, (new, old) in enumerate(zip(there, lengths, strict=True)) if new > old]
    except UNREADABLE:
        return None
    if not longer or (key == ROOT and not Root.decode(spec, data)):
        return None
    asked = key == ROOT or all(any(run["lengths"][n] == there[n] for run in runs()) for n in longer)
    return there if asked else None


def _lengths_in(
    spec: StoreSpec, key: str, data: bytes | None, other: tuple[int, ...] = ()
) -> tuple[int, ...]:
    """Read the lengths that a metadata file shows, or the others of dimensions that it has not."""
    body, path = json.loads(data or b""), key.rpartition("/")[0]
    if path in spec.arrays:
        sizes = dict(zip(spec.arrays[path].dims, body["shape"], strict=True))
    else:
        members = body["consolidated_metadata"]["metadata"]
        sizes = {dim: members[dim]["shape"][0] for dim in spec.growing if dim in members}
    return tuple(sizes[dim] if dim in sizes else other[n] for n, dim in enumerate(spec.growing))


def _as_declared(spec: StoreSpec, lengths: tuple[int, ...], body: dict[str, Any]) -> bool:
    """Whether a root shows every array with the shape, the chunks and the codecs that the store has."""
    members, shown = body["consolidated_metadata"]["metadata"], dict(zip(spec.growing, lengths, strict=True))
    return members.keys() == {*spec.arrays, *spec.groups} and all(
        members[path]["shape"] == [shown.get(*each) for each in zip(array.dims, array.shape, strict=True)]
        and members[path]["chunk_grid"]
        == {
            "name": "regular",
            "configuration": {"chunk_shape": [max(size, 1) for size in spec.chunk_shape(path)]},
        }
        and members[path]["data_type"] == array.dtype
        and [each["name"] for each in members[path]["codecs"]]
        == ["vlen-utf8" if array.dtype == "string" else "bytes", "zstd", "crc32c"]
        and not members[path].get("storage_transformers")
        for path, array in spec.arrays.items()
    )


def metadata_faults(
    storage: Storage, spec: StoreSpec, root: Root, runs: Callable[[], Runs], *, verify: bool
) -> list[str]:
    """Say which metadata are missing or, with `verify`, are not what a commit put in place."""
    faults = []
    for key, data in zip(_others(spec), storage.read_many(_others(spec)), strict=True):
        if data is None:
            faults.append(f"{key} is missing")
        # A longer commit that is under way has put some of its own in place.
        elif verify and not (root.has(key, data) or longer_commit(spec, key, data, root.lengths, runs)):
            faults.append(f"{key} is damaged")
    return faults
