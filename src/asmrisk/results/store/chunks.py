"""The bytes of one chunk: little-endian numbers, or strings, compressed by zstd, and a checksum (CRC-32C).

These are the bytes that zarr itself writes and reads for the codecs in an array's metadata. They are made
here one chunk at a time, because a worker then needs nothing but the chunk's shape and type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
from numcodecs.vlen import VLenUTF8
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

__all__ = ["ChunkFormat", "decode_strings", "encode_strings", "fill_value"]

_ZSTD = Zstd(level=0, checksum=False)
_CHECKSUM_SIZE = 4


def fill_value(dtype: str) -> Any:
    """Give what stands where nothing was written: NaN in real numbers, 0 in integers, an empty string."""
    return "" if dtype == "string" else {"f": np.nan, "i": 0}[np.dtype(dtype).kind]


def _checksum(data: bytes) -> bytes:
    value: int = google_crc32c.value(data)
    return value.to_bytes(_CHECKSUM_SIZE, "little")


@dataclass(frozen=True)
class ChunkFormat:
    """Shape and type of the chunks of one array.

    Attributes
    ----------
    shape : tuple of int
        Of a whole chunk; a block writes one along the first dimension.
    dtype : str
        ``int32``, ``int64`` or ``float64``.
    """

    shape: tuple[int, ...]
    dtype: str

    def encode(self, values: NDArray[Any]) -> bytes:
        """Give the bytes of a chunk.

        Parameters
        ----------
        values : ndarray
            Type `dtype`, shape as the chunk's or shorter along the first dimension.

        Returns
        -------
        bytes
            The rest of a shorter one holds the fill value.

        Raises
        ------
        TypeError
            If the values have another type or shape.
        """
        if (
            values.dtype != np.dtype(self.dtype)
            or values.shape[1:] != self.shape[1:]
            or len(values) > self.shape[0]
        ):
            raise TypeError(
                f"must be {self.dtype} of shape {self.shape} or shorter, not {values.dtype} of shape "
                f"{values.shape}"
            )
        whole = np.full(self.shape, fill_value(self.dtype), np.dtype(self.dtype).newbyteorder("<"))
        whole[: len(values)] = values
        return _compress(whole)

    def decode(self, data: bytes) -> NDArray[Any]:
        """Give the values in the bytes of a chunk.

        Parameters
        ----------
        data : bytes
            As `encode` gives them.

        Returns
        -------
        ndarray
            Read-only, of the chunk's whole shape.

        Raises
        ------
        ValueError
            If the bytes are damaged, or hold another number of values.
        """
        dtype = np.dtype(self.dtype).newbyteorder("<")
        plain = _decompress(data)
        if len(plain) != math.prod(self.shape) * dtype.itemsize:
            raise ValueError("the number of values is wrong")
        return np.frombuffer(plain, dtype).reshape(self.shape)


def encode_strings(values: NDArray[Any]) -> bytes:
    """Give the bytes of a chunk of strings.

    Parameters
    ----------
    values : ndarray of object, shape (n,)
        Every element a str.

    Returns
    -------
    bytes
        In zarr's codec ``vlen-utf8``, compressed like numbers.
    """
    return _compress(VLenUTF8().encode(values))


def decode_strings(data: bytes) -> NDArray[Any]:
    """Give the strings in the bytes of a chunk.

    Parameters
    ----------
    data : bytes
        As `encode_strings` gives them.

    Returns
    -------
    ndarray of object, shape (n,)
        Every element a str.

    Raises
    ------
    ValueError, TypeError, RuntimeError
        If the bytes are damaged.
    """
    labels: NDArray[Any] = VLenUTF8().decode(_decompress(data))
    return labels


def _compress(plain: Any) -> bytes:
    data: bytes = _ZSTD.encode(plain)
    return data + _checksum(data)


def _decompress(data: bytes) -> bytes:
    """Check the checksum and undo the compression (ValueError if the bytes are damaged)."""
    body, checksum = data[:-_CHECKSUM_SIZE], data[-_CHECKSUM_SIZE:]
    if _checksum(body) != checksum:
        raise ValueError("the checksum is wrong")
    try:
        plain: bytes = _ZSTD.decode(body)
    except (RuntimeError, MemoryError) as error:
        raise ValueError(str(error)) from None
    return plain
