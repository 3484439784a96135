"""The arrays of a store as zarr sees them, in memory: metadata, labels and chunks to bytes and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import Buffer
from zarr.core.buffer.core import default_buffer_prototype
from zarr.storage import MemoryStore

from asmrisk.results.manifest import Block
from asmrisk.results.schema import Variable

__all__ = ["Layout"]

_LABELS = {
    "draw": "Draw",
    "performance_year": "Performance year",
    "cohort": "Cohort",
    "specialty": "Specialty",
    "practice_size": "Practice size",
    "quantile": "Quantile level",
    "measure": "Quality measure",
    "collection_type": "Collection type",
    "edge": "Decile edge",
    "parameter": "Uncertain parameter",
    "clinician": "Clinician of the roster",
}


class Layout:
    """The arrays of a store as zarr lays them out in memory: metadata, labels, chunks on their way to disk.

    Parameters
    ----------
    declared : mapping of str to Variable
        By path.
    labels : mapping of str to ndarray
        Of every dimension but ``draw``.
    draws : int
        Length of the arrays along ``draw``.
    length : int
        Draws in a chunk.
    descriptions : mapping of str to tuple
        By path, labels that describe another label: its dimension, their meaning, and the labels.
    """

    def __init__(
        self,
        declared: Mapping[str, Variable],
        labels: Mapping[str, NDArray[Any]],
        draws: int,
        length: int,
        descriptions: Mapping[str, tuple[str, str, NDArray[Any]]] | None = None,
    ) -> None:
        self._bytes: dict[str, Buffer] = {}
        self._memory = MemoryStore(store_dict=self._bytes)
        self._arrays: dict[str, zarr.Array] = {}
        self.length = length
        for group in dict.fromkeys(variable.group for variable in declared.values()):
            members = [variable for variable in declared.values() if variable.group == group]
            for dim in dict.fromkeys(dim for variable in members for dim in variable.dims):
                path = f"{group}/{dim}" if group else dim
                attributes = {"long_name": _LABELS[dim]}
                if dim == "draw":
                    self._create(path, ("draw",), (draws,), "int64", attributes)
                else:
                    self._label(path, dim, labels[dim], attributes)
            described = []
            for path, (dim, meaning, values) in (descriptions or {}).items():
                if path.rpartition("/")[0] == group:
                    described.append(path.rpartition("/")[2])
                    self._label(path, dim, values, {"long_name": meaning})
            # As the CF conventions name the labels of a variable that are no dimensions of it (section 5).
            coordinates = {"coordinates": " ".join(described)} if described else {}
            for variable in members:
                shape = (draws, *(len(labels[dim]) for dim in variable.dims[1:]))
                attributes = variable.attributes | coordinates
                self._create(variable.path, variable.dims, shape, variable.dtype, attributes)

    def _label(self, path: str, dim: str, values: NDArray[Any], attributes: Mapping[str, str]) -> None:
        """Make an array of labels, which is no part of `_arrays`: it has one chunk, written here and now."""
        dtype = "string" if values.dtype == object else str(values.dtype)
        self._create(path, (dim,), values.shape, dtype, attributes)
        self._arrays.pop(path)[...] = values

    def _create(
        self,
        path: str,
        dims: tuple[str, ...],
        shape: tuple[int, ...],
        dtype: str,
        attributes: Mapping[str, str],
    ) -> None:
        first = self.length if dims[0] == "draw" else shape[0]
        self._arrays[path] = zarr.create_array(
            self._memory,
            name=path,
            shape=shape,
            chunks=(max(first, 1), *shape[1:]),
            dtype=dtype,
            fill_value={"f": np.nan, "i": 0}.get(np.dtype(dtype).kind) if dtype != "string" else "",
            compressors=[ZstdCodec(), Crc32cCodec()],
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=dims,
            attributes=dict(attributes),
            config={"write_empty_chunks": True},
        )

    @property
    def variables(self) -> dict[str, int]:
        """Number of dimensions of every array that has a chunk per block, by path."""
        return {path: array.ndim for path, array in self._arrays.items()}

    def metadata(self) -> dict[str, bytes]:
        """Give the metadata files of all arrays and groups but the root's, by key."""
        return {key: data.to_bytes() for key, data in self._bytes.items() if key.endswith("/zarr.json")}

    def labels(self) -> dict[str, bytes]:
        """Give the chunk files of all labels, by key."""
        return {key: data.to_bytes() for key, data in self._bytes.items() if not key.endswith("zarr.json")}

    def root(self, attributes: Mapping[str, Any]) -> bytes:
        """Give the root's metadata file, which carries all the others."""
        return json.dumps(
            {
                "zarr_format": 3,
                "node_type": "group",
                "attributes": dict(attributes),
                "consolidated_metadata": {
                    "kind": "inline",
                    "must_understand": False,
                    "metadata": {
                        key.removesuffix("/zarr.json"): json.loads(data)
                        for key, data in sorted(self.metadata().items())
                    },
                },
            },
            indent=1,
        ).encode()

    def encode(self, block: Block, key: str, values: NDArray[Any]) -> bytes:
        """Give the bytes of a chunk file.

        Parameters
        ----------
        block : Block
            Which draws.
        key : str
            The chunk's key.
        values : ndarray
            The draws' values, leading dimension ``block.count``.

        Returns
        -------
        bytes
            Compressed, with a checksum; draws that are not there hold the fill value.

        Raises
        ------
        TypeError
            If the values have another type or shape than declared.
        """
        path = key.rpartition("/")[0]
        array = self._arrays[path]
        expected = (block.count, *array.shape[1:])
        if values.dtype != array.dtype or values.shape != expected:
            raise TypeError(
                f"{path} must be {array.dtype} of shape {expected}, "
                f"not {values.dtype} of shape {values.shape}"
            )
        array[block.draws] = values
        return self._bytes.pop(key).to_bytes()

    def decode(self, block: Block, key: str, data: bytes) -> NDArray[Any]:
        """Give the values in a chunk file, leading dimension ``block.count``."""
        array = self._arrays[key.rpartition("/")[0]]
        self._bytes[key] = default_buffer_prototype().buffer.from_bytes(data)
        try:
            return np.asarray(array[block.draws])
        finally:
            del self._bytes[key]
