"""The zarr format of a store, made and read by zarr in memory: metadata and chunks as bytes by their keys.

What puts the bytes in place decides when and in which order, and takes their digests; see
`asmrisk.results.store`.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.core.sync import sync
from zarr.errors import ZarrUserWarning
from zarr.storage import MemoryStore, WrapperStore

from asmrisk.errors import Call, RunError
from asmrisk.results.manifest import digest_of_bytes
from asmrisk.results.place import Storage
from asmrisk.results.spec import StoreSpec

__all__ = ["CheckedStore", "ChunkCodec", "digest_of_values", "hierarchy"]

_PROTOTYPE = default_buffer_prototype()

#: Held while the filters of warnings are others, which all threads share.
_FILTERING = threading.Lock()


def hierarchy(
    spec: StoreSpec,
    lengths: tuple[int, ...],
    attributes: Callable[[Mapping[str, bytes]], dict[str, Any]] = lambda others: {},
) -> dict[str, bytes]:
    """Make all metadata of a store: every ``zarr.json`` by its key.

    Those of the root and of the groups carry what is below them. Readers see the `lengths` of the dimensions
    that can grow. The root has the `attributes` that are made of all other files.
    """
    files: dict[str, Any] = {}
    store = MemoryStore(files)
    root = zarr.create_group(store, zarr_format=3)
    groups = {"": root} | {name: root.create_group(name) for name in spec.groups}
    shown = dict(zip(spec.growing, lengths, strict=True))
    for path, array in spec.arrays.items():
        group, _, name = path.rpartition("/")
        shape = tuple(shown.get(dim, size) for dim, size in zip(array.dims, array.shape, strict=True))
        _create(groups[group], name, spec, path, shape)
    with _FILTERING, warnings.catch_warnings():
        # It remarks that consolidated metadata is not yet part of the specification.
        warnings.simplefilter("ignore", ZarrUserWarning)
        for name in (*spec.groups, ""):
            if not name:
                others = {key: data.to_bytes() for key, data in files.items() if "/" in key}
                root.update_attributes(attributes(others))
            zarr.consolidate_metadata(store, path=name, zarr_format=3)
    return {key: files[key].to_bytes() for key in sorted(files)}


def _create(group: Any, name: str, spec: StoreSpec, path: str, shape: tuple[int, ...]) -> Any:
    array = spec.arrays[path]
    return group.create_array(
        name,
        shape=shape,
        chunks=tuple(max(size, 1) for size in spec.chunk_shape(path)),
        dtype=array.dtype,
        fill_value={"float64": np.nan, "string": ""}.get(array.dtype, 0),
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        # One folder an array, whatever the number of its chunks' dimensions.
        chunk_key_encoding={"name": "default", "separator": "."},
        dimension_names=array.dims,
        attributes=array.attributes,
        # A chunk that holds nothing but the fill value is written too: a missing one is always a fault.
        config={"write_empty_chunks": True},
    )


class ChunkCodec:
    """Makes chunks of a store and reads them, in memory. Safe from several threads."""

    def __init__(self, spec: StoreSpec) -> None:
        self._spec = spec
        group = zarr.create_group(MemoryStore(), zarr_format=3)
        # What encodes a chunk depends on its type alone.
        examples = {array.dtype: path for path, array in spec.arrays.items()}
        self._arrays = {
            dtype: _create(group, dtype, spec, path, spec.chunk_shape(path)).async_array
            for dtype, path in examples.items()
        }

    def _chunk(self, path: str) -> Any:
        """Describe an array's chunk to zarr."""
        array = self._arrays[self._spec.arrays[path].dtype]
        chunk = array.metadata.get_chunk_spec((0,) * array.ndim, array.config, _PROTOTYPE)
        return replace(chunk, shape=self._spec.chunk_shape(path))

    def encode(self, values: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
        """Give the bytes of chunks by path; TypeError if one has another type or shape than declared."""
        for path, given in values.items():
            shape, dtype = self._spec.chunk_shape(path), self._spec.arrays[path].dtype
            if given.shape != shape or (dtype != "string" and given.dtype != np.dtype(dtype)):
                raise TypeError(
                    f"{path} must be {dtype} of shape {shape}, not {given.dtype} of {given.shape}"
                )
        chunks: dict[str, bytes] = {}
        for dtype, array in self._arrays.items():
            paths = [path for path in values if self._spec.arrays[path].dtype == dtype]
            own = [(_PROTOTYPE.nd_buffer.from_numpy_array(values[p]), self._chunk(p)) for p in paths]
            coded = sync(array.codec_pipeline.encode(own))
            chunks |= {path: each.to_bytes() for path, each in zip(paths, coded, strict=True)}
        return chunks

    def digest(self, path: str, data: bytes) -> str:
        """Give the digest of the values in the bytes of a chunk; empty if they are damaged."""
        pipeline = self._arrays[self._spec.arrays[path].dtype].codec_pipeline
        try:
            (values,) = sync(pipeline.decode([(_PROTOTYPE.buffer.from_bytes(data), self._chunk(path))]))
            return digest_of_values(values.as_numpy_array())
        # Whatever a codec makes of damaged bytes.
        except (ValueError, TypeError, RuntimeError, MemoryError, OSError):
            return ""


def digest_of_values(values: NDArray[Any]) -> str:
    """Digest of the values of a chunk, whatever codec writes them: their type, shape and little-endian bytes.

    Strings may be objects or of NumPy's variable width.
    """
    if values.dtype.kind in "OTU":
        name, content = "string", b"\0".join(str(each).encode() for each in values.ravel())
    else:
        name, content = str(values.dtype), values.astype(values.dtype.newbyteorder("<")).tobytes()
    return hashlib.sha256(f"{name} {values.shape} ".encode() + content).hexdigest()


class CheckedStore(WrapperStore):
    """Metadata from memory, chunks from the storage; all by their keys.

    To zarr a chunk that is not there is one of fill values; here it is an error: `get` raises RunError if a
    chunk is missing, damaged, not finished, or reached through a link.
    """

    def __init__(self, storage: Storage, metadata: Mapping[str, bytes], digests: Mapping[str, str]) -> None:
        buffer = _PROTOTYPE.buffer
        files = {key: buffer.from_bytes(data) for key, data in metadata.items()}
        super().__init__(MemoryStore(files, read_only=True))
        self._reads = storage, metadata, digests

    def __reduce__(self) -> tuple[type[CheckedStore], tuple[Any, ...]]:
        return CheckedStore, self._reads

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: Any = None
    ) -> Buffer | None:
        """Give a chunk's bytes, or those of a metadata file."""
        prototype = prototype or _PROTOTYPE
        if not key.rpartition("/")[2].startswith("c."):
            return await super().get(key, prototype, byte_range)
        storage, _, digests = self._reads
        place, wanted = storage.place, digests.get(key)
        data: bytes | None = None
        try:
            data = await asyncio.to_thread(storage.read, key)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise RunError(f"{place}/{key} cannot be read ({error.strerror or error})") from None
        if data is None or digest_of_bytes(data) != wanted:
            what = "is missing" if data is None else "is damaged" if wanted else "is not finished"
            raise RunError(
                f"{place}/{key} {what}. ",
                Call("status", str(place), {"verify": True}),
                " lists what else is, and the command that wrote it, given again, repairs it.",
            )
        return prototype.buffer.from_bytes(data)
