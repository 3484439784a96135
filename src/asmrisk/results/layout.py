"""The zarr format of a store, made and read by zarr in memory: metadata and chunks as bytes by their keys.

What puts the bytes in place decides when and in which order, and takes their digests; see
`asmrisk.results.store`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import zarr
from numcodecs.zstd import Zstd
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.core.common import ZARR_JSON
from zarr.core.group import ConsolidatedMetadata, GroupMetadata
from zarr.core.sync import sync
from zarr.storage import MemoryStore, WrapperStore

from asmrisk.errors import Call, RunError
from asmrisk.results.place import Storage
from asmrisk.results.spec import StoreSpec, digest_of_bytes

__all__ = ["CheckedStore", "digest_of_chunk", "digest_of_values", "encode_chunks", "hierarchy"]

_PROTOTYPE = default_buffer_prototype()


def hierarchy(
    spec: StoreSpec,
    lengths: tuple[int, ...],
    attributes: Callable[[Mapping[str, bytes]], dict[str, Any]] = lambda others: {},
) -> dict[str, bytes]:
    """Make all metadata of a store: every ``zarr.json`` by its key.

    Those of the root and of the groups carry what is below them. Readers see the `lengths` of the dimensions
    that can grow. The root has the `attributes` that are made of all other files.
    """
    shown = dict(zip(spec.growing, lengths, strict=True))
    members: dict[str, dict[str, Any]] = {group: {} for group in ("", *spec.groups)}
    for path, array in spec.arrays.items():
        group, _, name = path.rpartition("/")
        chunk = [max(size, 1) for size in spec.chunk_shape(path)]
        members[group][name] = replace(
            _example(array.dtype).metadata,
            shape=tuple(shown.get(dim, size) for dim, size in zip(array.dims, array.shape, strict=True)),
            chunk_grid={"name": "regular", "configuration": {"chunk_shape": chunk}},
            dimension_names=array.dims,
            attributes=array.attributes,
        )
    for group in spec.groups:
        members[""][group] = _group(members[group])
    files = {
        "/".join(filter(None, (group, name, ZARR_JSON))): _encoded(node)
        for group, inside in members.items()
        for name, node in inside.items()
    }
    files[ZARR_JSON] = _encoded(_group(members[""], attributes(files)))
    return dict(sorted(files.items()))


def _group(members: dict[str, Any], attributes: dict[str, Any] | None = None) -> GroupMetadata:
    consolidated = ConsolidatedMetadata(metadata=members)
    return GroupMetadata(attributes=attributes or {}, consolidated_metadata=consolidated)


def _encoded(node: Any) -> bytes:
    data: bytes = node.to_buffer_dict(_PROTOTYPE)[ZARR_JSON].to_bytes()
    return data


@cache
def _example(dtype: str) -> Any:
    """Make an array of a type: what encodes a chunk depends on nothing else."""
    return zarr.create_array(
        MemoryStore(),
        shape=(1,),
        dtype=dtype,
        fill_value={"float64": np.nan, "string": ""}.get(dtype, 0),
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        # One folder an array, whatever the number of its chunks' dimensions.
        chunk_key_encoding={"name": "default", "separator": "."},
        # A chunk that holds nothing but the fill value is written too: a missing one is always a fault.
        config={"write_empty_chunks": True},
    ).async_array


def _described(spec: StoreSpec, path: str) -> Any:
    """Describe an array's chunk to zarr."""
    array = _example(spec.arrays[path].dtype)
    kind = array.metadata
    return ArraySpec(spec.chunk_shape(path), kind.dtype, kind.fill_value, array.config, _PROTOTYPE)


def encode_chunks(spec: StoreSpec, values: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    """Give the bytes of chunks by path; TypeError if one has another type or shape than declared."""
    for path, given in values.items():
        shape, dtype = spec.chunk_shape(path), spec.arrays[path].dtype
        if given.shape != shape or (dtype != "string" and given.dtype != np.dtype(dtype)):
            raise TypeError(f"{path} must be {dtype} of shape {shape}, not {given.dtype} of {given.shape}")
    chunks: dict[str, bytes] = {}
    for dtype in dict.fromkeys(spec.arrays[path].dtype for path in values):
        paths = [path for path in values if spec.arrays[path].dtype == dtype]
        own = [(_PROTOTYPE.nd_buffer.from_numpy_array(values[p]), _described(spec, p)) for p in paths]
        coded = sync(_example(dtype).codec_pipeline.encode(own))
        chunks |= {path: each.to_bytes() for path, each in zip(paths, coded, strict=True)}
    return chunks


def digest_of_chunk(spec: StoreSpec, path: str, data: bytes) -> str:
    """Give the digest of the values in the bytes of a chunk; empty if they are damaged."""
    if not fits(spec, path, data):
        return ""
    pipeline = _example(spec.arrays[path].dtype).codec_pipeline
    try:
        (values,) = sync(pipeline.decode([(_PROTOTYPE.buffer.from_bytes(data), _described(spec, path))]))
        return digest_of_values(values.as_numpy_array())
    # Whatever a codec makes of damaged bytes.
    except (ValueError, TypeError, RuntimeError, MemoryError, OSError):
        return ""


def fits(spec: StoreSpec, path: str, data: bytes) -> bool:
    """Whether a chunk unpacks to no more than its array declares, as many texts too."""
    if not spec.can_hold(path, data) or spec.arrays[path].dtype != "string":
        return spec.can_hold(path, data)
    try:
        # Behind the frame is a checksum; within it the number of texts comes first.
        begin = bytes(Zstd().decode(data[:-4]))[:4]
    except RuntimeError:
        return False
    return int.from_bytes(begin, "little") == math.prod(spec.chunk_shape(path))


def digest_of_values(values: NDArray[Any]) -> str:
    """Digest of the values of a chunk, whatever codec writes them: their type, shape and little-endian bytes.

    Strings may be objects or of NumPy's variable width.
    """
    if values.dtype.kind in "OTU":
        name, content = "string", b"\0".join(str(each).encode() for each in values.ravel())
    else:
        name, content = str(values.dtype), values.astype(values.dtype.newbyteorder("<")).tobytes()
    return digest_of_bytes(f"{name} {values.shape} ".encode() + content)


class CheckedStore(WrapperStore):
    """Metadata from memory, chunks from the storage; all by their keys.

    To zarr a chunk that is not there is one of fill values; here it is an error: `get` raises RunError if a
    chunk is missing, damaged, not finished, or reached through a link.
    """

    def __init__(
        self, storage: Storage, spec: StoreSpec, metadata: Mapping[str, bytes], digests: Mapping[str, str]
    ) -> None:
        buffer = _PROTOTYPE.buffer
        files = {key: buffer.from_bytes(data) for key, data in metadata.items()}
        super().__init__(MemoryStore(files, read_only=True))
        self._reads = storage, spec, metadata, digests

    def __reduce__(self) -> tuple[type[CheckedStore], tuple[Any, ...]]:
        return CheckedStore, self._reads

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: Any = None
    ) -> Buffer | None:
        """Give a chunk's bytes, or those of a metadata file."""
        prototype = prototype or _PROTOTYPE
        if not key.rpartition("/")[2].startswith("c."):
            return await super().get(key, prototype, byte_range)
        storage, spec, _, digests = self._reads
        place, wanted = storage.place, digests.get(key)
        data: bytes | None = None
        try:
            data = await asyncio.to_thread(storage.read, key)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise RunError(f"{place}/{key} cannot be read ({error.strerror or error})") from None
        path = key.rpartition("/")[0]
        if data is None or digest_of_bytes(data) != wanted or not fits(spec, path, data):
            what = "is missing" if data is None else "is damaged" if wanted else "is not finished"
            raise RunError(
                f"{place}/{key} {what}. ",
                Call("status", str(place), {"verify": True}),
                " lists what else is; to run it again in the same way repairs it.",
            )
        return prototype.buffer.from_bytes(data)
