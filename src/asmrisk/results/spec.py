"""What a store is to hold: the definition of its numbers, its arrays, and how they are cut into blocks.

A store's *identity* is the digest of its definition: the resolved scenario (without title, description and
number of draws; files that it names by their content), the seed, the lengths of a block, and the code that
computes. It is computed from the stored definition whenever a store is opened, and every block's entry in
the manifest names it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from asmrisk.limits import limit, require_within
from asmrisk.scenario.differences import differing_settings
from asmrisk.simulation.arrays import ArraySpec, Block

__all__ = [
    *("FOLDER", "MOST_BLOCKS", "SPEC", "UNREADABLE", "StoreSpec"),
    *("canonical", "digest_of_bytes", "has_form", "sealed", "unsealed"),
]

#: Folder inside a store that holds what is not data, and in it the key of the stored specification.
FOLDER = ".asmrisk"
SPEC = f"{FOLDER}/store.json"

#: A store has no more blocks than this: each is a file in every array's folder.
MOST_BLOCKS = 1_000_000

#: What raises when a file was cut short, altered, or made up.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)

#: Version of the layout of the folder.
_FORMAT = 2

#: Path of an array: a name, or group and name.
_PATH = re.compile(r"([a-z][a-z0-9_]*/)?[a-z][a-z0-9_]*")

#: The form of what results say of themselves, of the keys that are there: a mapping has that of each key,
#: and by `...` that of all others.
_UNKNOWN: dict[Any, Any] = {
    **dict.fromkeys(("distribution", "scale", "basis", "source"), str),
    "masses": [{"probability": float, "value": object}],
    "values": list,
    "weights": [float],
    ...: float,
}
_FORM: dict[Any, Any] = {
    **dict.fromkeys(("rule", "file", "code", "identity", "created"), str),
    **dict.fromkeys(("seed", "number", "draws_per_parameter_set"), int),
    "overrides": [str],
    "fixed": [str],
    "roster": {"file": str, "sha256": str, "clinicians": {...: int}},
    "participant_list": {"file": str, "sha256": str, "rows": int, "clinicians": int, "cohorts": {...: dict}},
    "scenario": {
        **dict.fromkeys(("title", "description", "reference", "identity"), str),
        "definition": {**dict.fromkeys(("title", "description", "reference"), str), ...: dict},
    },
    "parameters": {
        "population.dollar_year": {"value": int},
        "population.deflator": {"value": float},
        ...: {"value": object, ...: str},
    },
    "uncertainty": {...: _UNKNOWN | {"with": {...: _UNKNOWN}}},
    "continued": [dict],
}


def digest_of_bytes(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def canonical(content: Any) -> bytes:
    """Give the JSON of plain data in the one form that digests are taken of."""
    return json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()


def sealed(content: Mapping[str, Any]) -> bytes:
    """Give the bytes of a file of plain data that carries a digest of itself."""
    return canonical({"seal": digest_of_bytes(canonical(content)), **content})


def unsealed(data: bytes | None) -> dict[str, Any] | None:
    """Read what `sealed` wrote; ``None`` for what is missing, cut short or altered by a single byte."""
    try:
        content: dict[str, Any] = json.loads(data or b"")
        del content["seal"]
        return content if sealed(content) == data else None
    except UNREADABLE:
        return None


def has_form(stated: Any, form: Any = _FORM) -> bool:
    """Say whether what results say of themselves has the form that is relied on."""
    if isinstance(form, dict):
        others = form.get(..., object)
        return isinstance(stated, dict) and all(
            has_form(each, form.get(name, others)) for name, each in stated.items()
        )
    if isinstance(form, list):
        return isinstance(stated, list) and all(has_form(each, form[0]) for each in stated)
    # A truth value is no number.
    return isinstance(stated, (int, float) if form is float else form) and (
        form is object or not isinstance(stated, bool)
    )


def _unpacked_size(data: bytes) -> int | None:
    """Give the size that a Zstandard frame states (RFC 8878, section 3.1.1); ``None`` if it states none."""
    if len(data) < 9 or data[:4] != b"\x28\xb5\x2f\xfd":
        return None
    single, dictionary = data[4] >> 5 & 1, (0, 1, 2, 4)[data[4] & 3]
    length = (single, 2, 4, 8)[data[4] >> 6]
    begin = 5 + (1 - single) + dictionary
    size = int.from_bytes(data[begin : begin + length], "little") + 256 * (length == 2)
    return size if length else None


@dataclass(frozen=True)
class StoreSpec:
    """What a store is to hold."""

    #: Plain JSON that decides every number: ``scenario``, ``seed``, ``code``, ``study`` where it is one,
    #: ``draws_per_parameter_set`` where anything is unknown, ``fixed``, the unknowns that are set to their
    #: medians, and ``block``, the lengths of a block by dimension.
    definition: dict[str, Any]
    #: Plain JSON for readers, which decides nothing: title, parameters with their basis and source, ….
    about: dict[str, Any]
    arrays: dict[str, ArraySpec]  #: by path (``environment/cost_median``)

    @cached_property
    def identity(self) -> str:
        """Digest of the definition, in hexadecimal."""
        return digest_of_bytes(canonical(self.definition))

    @property
    def headings(self) -> dict[str, str]:
        """Attributes of the root that say what it holds: title, and the text of the rule."""
        rule = {"rule": self.about["rule"]} if "rule" in self.about else {}
        return {"title": self.about["scenario"]["title"]} | rule

    @cached_property
    def growing(self) -> tuple[str, ...]:
        """The dimensions that can grow: ``draw``, in a study ``design_point`` and ``draw``."""
        return tuple(sorted(self.definition["block"]))

    @property
    def block_shape(self) -> tuple[int, ...]:
        """Length of a block along each of them."""
        return tuple(self.definition["block"][dim] for dim in self.growing)

    @property
    def draws_per_set(self) -> int:
        """How many consecutive draws share a parameter set; 1 where nothing is unknown."""
        return int(self.definition.get("draws_per_parameter_set", 1))

    @property
    def noun(self) -> str:
        """What the first of them counts."""
        return self.growing[0].replace("_", " ")

    @property
    def groups(self) -> list[str]:
        """Names of the groups below the root."""
        return list(dict.fromkeys(path.partition("/")[0] for path in self.arrays if "/" in path))

    def can_have(self, lengths: Any) -> bool:
        """Whether a store can have these lengths along `growing`: anybody may have written them."""
        return (
            len(lengths) == len(self.growing)
            and all(type(each) is int and each > 0 for each in lengths)
            and math.prod(-(-length // size) for length, size in zip(lengths, self.block_shape, strict=True))
            <= MOST_BLOCKS
        )

    def blocks(self, lengths: tuple[int, ...]) -> list[Block]:
        """Give the whole blocks that hold these lengths along `growing`; the last one varies fastest."""
        shape = self.block_shape
        counts = [range(-(-length // size)) for length, size in zip(lengths, shape, strict=True)]
        return [
            Block(index, tuple(i * size for i, size in zip(index, shape, strict=True)), shape)
            for index in itertools.product(*counts)
        ]

    def describe(self, block: Block) -> str:
        """Name a block for people: ``draws 0 to 124``, ``design point 3, draws 0 to 31``, ``labels``."""
        parts = []
        for dim, start, length in zip(self.growing, block.start, block.shape, strict=False):
            noun = dim.replace("_", " ")
            parts.append(f"{noun} {start}" if length == 1 else f"{noun}s {start} to {start + length - 1}")
        return ", ".join(parts) or "labels"

    def chunks(self, block: Block) -> dict[str, str]:
        """Give the keys of the chunks that a block writes (``participants/c.3.0.0``), by the array's path.

        An array that lacks a dimension that can grow belongs to the first blocks along it; one without any,
        to the labels.
        """
        place = dict(zip(self.growing, block.index, strict=False))
        keys = {}
        for path, array in self.arrays.items():
            own = [dim for dim in array.dims if dim in self.growing]
            if bool(own) == bool(place) and not any(place[dim] for dim in place if dim not in own):
                keys[path] = f"{path}/c." + ".".join(str(place.get(dim, 0)) for dim in array.dims)
        return keys

    def chunk_shape(self, path: str) -> tuple[int, ...]:
        """Give the shape of an array's chunks."""
        array, lengths = self.arrays[path], self.definition["block"]
        return tuple(lengths.get(dim, size) for dim, size in zip(array.dims, array.shape, strict=True))

    def chunk_bytes(self, path: str) -> int:
        """Give the bytes of an array's chunks before they are compressed; of texts, those of references."""
        return math.prod(self.chunk_shape(path)) * (4 if self.arrays[path].dtype == "int32" else 8)

    def can_hold(self, path: str, data: bytes | None) -> bool:
        """Whether a chunk's bytes unpack to what its array declares: what they say of it, they say first.

        Of texts, whose size is not declared, no more is asked than that they are within the limit.
        """
        size = _unpacked_size(data or b"")
        texts = self.arrays[path].dtype == "string"
        return size is not None and (
            size <= limit("chunk_bytes") if texts else size == self.chunk_bytes(path)
        )

    def require_small(self, place: object, lengths: tuple[int, ...] = ()) -> None:
        """Refuse, before any memory is taken, a store beyond a limit (InputError)."""
        where = str(place)
        for path in self.arrays:
            # What cannot be compressed becomes longer by less than this.
            size = self.chunk_bytes(path) * 65 // 64 + 1024
            what = f"chunk of {path}, of {' × '.join(map(str, self.chunk_shape(path)))}"
            require_within("chunk_bytes", size, where=where, what=what)
        require_within("store_length", max(lengths, default=0), where=where)

    def encode(self) -> bytes:
        """Give the bytes of the stored specification."""
        arrays = [[path, *array] for path, array in self.arrays.items()]
        body = {"format": _FORMAT, "definition": self.definition, "about": self.about, "arrays": arrays}
        # Through JSON once, so that a fresh one and one that was read are alike.
        return sealed(json.loads(json.dumps(body)))

    @classmethod
    def decode(cls, data: bytes | None) -> StoreSpec | None:
        """Read a stored specification, trusting nothing; ``None`` if it is missing or damaged."""
        body = unsealed(data)
        try:
            if body is None or body["format"] != _FORMAT:
                return None
            arrays = {
                path: ArraySpec(tuple(dims), tuple(shape), dtype, dict(attributes))
                for path, dims, shape, dtype, attributes in body["arrays"]
            }
            read = cls(body["definition"], body["about"], arrays)
            sizes = [*read.block_shape, *(size for each in arrays.values() for size in each.shape)]
            good = (
                type(body["about"]["scenario"]["title"]) is str
                and has_form(read.about)
                and type(read.definition["seed"]) is int
                and type(read.definition["code"]) is str
                and all(type(each) is dict for each in read.definition["scenario"].values())
                and type(read.definition.get("study", {})) is dict
                and type(read.definition.get("draws_per_parameter_set", 1)) is int
                and read.draws_per_set >= 1
                and all(type(each) is str for each in read.definition.get("fixed", []))
                and all(type(each) is int and each >= 0 for each in sizes)
                and min(read.block_shape) >= 1
                and read.growing[-1] == "draw"
                and all(map(_PATH.fullmatch, (*read.growing, *arrays)))
                and all(each.dtype in ("int32", "int64", "float64", "string") for each in arrays.values())
                and all(len(each.dims) == len(each.shape) >= 1 for each in arrays.values())
                and all(type(dim) is str for each in arrays.values() for dim in each.dims)
            )
        except UNREADABLE:
            return None
        return read if good else None

    def differences(self, other: StoreSpec) -> list[str]:
        """Say in what another specification defines other numbers: a phrase for each, whatever the blocks."""
        if self.growing != other.growing:
            return [f"results by {self.noun}, not by {other.noun}"]
        said = []
        if settings := differing_settings(self.definition, other.definition):
            said.append(f"another scenario ({settings})")
        one, two = self.definition, other.definition
        if one["seed"] != two["seed"]:
            said.append(f"another seed ({one['seed']} there, {two['seed']} now)")
        if self.draws_per_set != other.draws_per_set:
            said.append(f"{self.draws_per_set} draws a parameter set there, {other.draws_per_set} now")
        if one.get("fixed", []) != two.get("fixed", []):
            said.append("unknowns fixed at their medians in one of them alone")
        if one["code"] != two["code"]:
            said.append(f"numbers of other code ({one['code'][:12]} there, {two['code'][:12]} now)")
        return said
