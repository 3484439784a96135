"""The arrays of a store as a reader sees them: lazily read, many chunks at a time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from asmrisk.errors import RunError
from asmrisk.results.manifest import Block
from asmrisk.results.store.chunks import ChunkFormat, decode_strings
from asmrisk.results.store.metadata import ArrayMetadata
from asmrisk.results.store.storage import Storage

__all__ = ["StoredArray", "read_labels"]


def read_labels(storage: Storage, path: str, metadata: ArrayMetadata) -> NDArray[Any]:
    """Read an array of labels, which has one chunk.

    Parameters
    ----------
    storage : Storage
        Of the store.
    path : str
        Of the array.
    metadata : ArrayMetadata
        Its own.

    Returns
    -------
    ndarray
        One-dimensional: int64, float64, or NumPy's variable-width strings.

    Raises
    ------
    RunError
        If the chunk is missing or damaged.
    """
    strings = metadata.dtype == "string"
    if not metadata.shape[0]:
        return np.empty(0, np.dtypes.StringDType() if strings else metadata.dtype)
    key = f"{path}/c.0"
    try:
        data = storage.read(key)
        if not strings:
            return ChunkFormat(metadata.chunk, metadata.dtype).decode(data)[: metadata.shape[0]].copy()
        labels = decode_strings(data)
        if len(labels) != metadata.shape[0]:
            raise ValueError
        return np.array(labels, dtype=np.dtypes.StringDType())
    except (FileNotFoundError, ValueError, TypeError, RuntimeError):
        raise _unreadable(storage, key) from None


def _unreadable(storage: Storage, key: str) -> RunError:
    place = storage.location
    return RunError(
        f"{place}/{key} is damaged or missing. `asmrisk status --verify {place}` lists what else is, and the "
        "command that wrote it, given again, repairs it."
    )


class StoredArray(BackendArray):
    """A variable, read when used: only the blocks that are asked for, several at a time.

    Parameters
    ----------
    storage : Storage
        Of the store.
    path : str
        Of the array.
    metadata : ArrayMetadata
        Its own.
    blocks : sequence of Block
        The parts of the leading dimension that are there, one after the other.
    """

    def __init__(self, storage: Storage, path: str, metadata: ArrayMetadata, blocks: Sequence[Block]) -> None:
        self._storage, self._path = storage, path
        self._chunk = ChunkFormat(metadata.chunk, metadata.dtype)
        self._blocks = blocks
        self._ends = np.cumsum([block.count for block in blocks], dtype=np.int64)
        self.dtype = np.dtype(metadata.dtype)
        self.shape = (int(self._ends[-1]) if len(blocks) else 0, *metadata.shape[1:])

    def __dask_tokenize__(self) -> Any:
        return (type(self).__name__, str(self._storage.location), self._path, self._chunk, self._blocks)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[Any]:
        support = indexing.IndexingSupport.BASIC
        values: NDArray[Any] = indexing.explicit_indexing_adapter(key, self.shape, support, self._read)
        return values

    def _read(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        lead, rest = key[0], (slice(None), *key[1:])
        wanted = range(self.shape[0])[lead if isinstance(lead, slice) else slice(lead, lead + 1)]
        first, end = (min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1) if wanted else (0, 0)
        sample = np.empty((0, *self.shape[1:]), self.dtype)[rest]
        values = np.empty((end - first, *sample.shape[1:]), self.dtype)
        start, stop = np.searchsorted(self._ends, (first, end), "right").tolist()
        numbers = range(start, min(stop + 1, len(self._blocks))) if wanted else range(0)

        def fill(number: int) -> None:
            block = self._blocks[number]
            begin = int(self._ends[number]) - block.count
            low, high = max(first, begin), min(end, begin + block.count)
            if low < high:
                values[low - first : high - first] = self._decoded(block)[low - begin : high - begin][rest]

        if len(numbers) <= 1:
            for number in numbers:
                fill(number)
        else:
            with ThreadPoolExecutor(self._storage.readers) as pool:
                for _ in pool.map(fill, numbers):
                    pass
        steps: int | slice = slice(None, None, wanted.step) if isinstance(lead, slice) else 0
        return values[steps]

    def _decoded(self, block: Block) -> NDArray[Any]:
        key = f"{self._path}/c.{block.index}" + ".0" * (len(self.shape) - 1)
        try:
            return self._chunk.decode(self._storage.read(key))
        except (FileNotFoundError, ValueError):
            raise _unreadable(self._storage, key) from None
