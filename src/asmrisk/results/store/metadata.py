"""The metadata of the arrays of a store, as zarr (version 3) defines it: what ``zarr.json`` says of each.

All are of one kind: numbers or strings, compressed by zstd, with a checksum. It is written out here, because
zarr takes longer to import, and to make fifty arrays, than a few draws take. A store may come from anybody,
so a reader refuses whatever else zarr knows to decode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asmrisk.errors import InputError
from asmrisk.results.location import Location
from asmrisk.results.store.chunks import fill_value

__all__ = ["GROUP", "ArrayMetadata"]

#: What the metadata of a group says.
GROUP: dict[str, Any] = {"attributes": {}, "zarr_format": 3, "node_type": "group"}

_KEYS = {"name": "default", "configuration": {"separator": "."}}
_CODECS: list[dict[str, Any]] = [
    {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
    {"name": "crc32c"},
]
_NUMBERS = {"name": "bytes", "configuration": {"endian": "little"}}
_STRINGS = {"name": "vlen-utf8", "configuration": {}}


@dataclass(frozen=True)
class ArrayMetadata:
    """What an array's ``zarr.json`` says.

    Attributes
    ----------
    dims : tuple of str
        Names of the dimensions.
    shape : tuple of int
        As shown to readers.
    chunk : tuple of int
        Shape of a chunk.
    dtype : str
        ``int32``, ``int64``, ``float64`` or ``string``.
    attributes : dict
        Unit, meaning.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: str
    attributes: dict[str, Any]

    @property
    def _codecs(self) -> list[dict[str, Any]]:
        return [_STRINGS if self.dtype == "string" else _NUMBERS, *_CODECS]

    def document(self) -> dict[str, Any]:
        """Give the content of ``zarr.json``.

        Returns
        -------
        dict
            For JSON.
        """
        fill = fill_value(self.dtype)
        return {
            "shape": self.shape,
            "data_type": self.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": self.chunk}},
            "chunk_key_encoding": _KEYS,
            # JSON has no NaN.
            "fill_value": fill if fill == fill else "NaN",
            "codecs": self._codecs,
            "attributes": self.attributes,
            "dimension_names": self.dims,
            "zarr_format": 3,
            "node_type": "array",
            "storage_transformers": [],
        }

    @classmethod
    def decode(cls, metadata: Any, place: Location, path: str) -> ArrayMetadata:
        """Understand the metadata of an array.

        Parameters
        ----------
        metadata : object
            Out of JSON.
        place : Location
            The store, for messages.
        path : str
            Of the array.

        Returns
        -------
        ArrayMetadata
            Checked.

        Raises
        ------
        InputError
            If it is not what this package writes.
        """
        try:
            read = cls(
                tuple(metadata["dimension_names"]),
                tuple(metadata["shape"]),
                tuple(metadata["chunk_grid"]["configuration"]["chunk_shape"]),
                metadata["data_type"],
                dict(metadata["attributes"]),
            )
            good = (
                metadata["zarr_format"] == 3
                and metadata["node_type"] == "array"
                and metadata["chunk_grid"]["name"] == "regular"
                and metadata["chunk_key_encoding"] == _KEYS
                and metadata["codecs"] == read._codecs
                and not metadata.get("storage_transformers")
                and read.dtype in ("int32", "int64", "float64", "string")
                and all(type(each) is str for each in (*read.dims, *read.attributes))
                and all(type(each) is int and each >= 0 for each in (*read.shape, *read.chunk))
                and len(read.dims) == len(read.shape) == len(read.chunk) >= 1
                and read.chunk[1:] == read.shape[1:]
                and read.chunk[0] >= 1
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            good = False
        if not good:
            raise InputError(
                f"{place}/{path}/zarr.json cannot be used: it is damaged, or was not written by asmrisk. If "
                "the store is yours, run the same command again to restore it."
            )
        return read
