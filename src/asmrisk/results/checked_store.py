"""Zarr's own store, with every chunk that it reads compared with its digest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import WrapperStore

from asmrisk.errors import Call, RunError
from asmrisk.results.manifest import digest_of_bytes

if TYPE_CHECKING:
    from asmrisk.results.storage import Storage

__all__ = ["CheckedStore"]


class CheckedStore(WrapperStore):
    """A store whose metadata are known and whose chunks are compared, by their keys, while they are read.

    To zarr a chunk that is not there is one of fill values; here it is an error: `get` raises RunError if a
    chunk is missing, damaged, not finished, or reached through a link.
    """

    def __init__(self, storage: Storage, metadata: Mapping[str, bytes], digests: Mapping[str, str]) -> None:
        super().__init__(storage.zarr_store())
        self._storage, self._metadata, self._digests = storage, metadata, digests

    def __reduce__(self) -> tuple[type[CheckedStore], tuple[Any, ...]]:
        return CheckedStore, (self._storage, self._metadata, self._digests)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: Any = None
    ) -> Buffer | None:
        """Give a chunk's bytes, or those of a metadata file."""
        prototype = prototype or default_buffer_prototype()
        if key in self._metadata:
            return prototype.buffer.from_bytes(self._metadata[key])
        name = key.rpartition("/")[2]
        if not name.startswith("c."):
            return None
        place = self._storage.place
        data: bytes | None
        try:
            data = await asyncio.to_thread(self._storage.read, key)
        except FileNotFoundError:
            data = None
        except OSError as error:
            raise RunError(f"{place}/{key} cannot be read ({error.strerror or error})") from None
        wanted = self._digests.get(key)
        if data is None or digest_of_bytes(data) != wanted:
            what = "is missing" if data is None else "is damaged" if wanted else "is not finished"
            raise RunError(
                f"{place}/{key} {what}. ",
                Call("status", str(place), {"verify": True}),
                " lists what else is, and the command that wrote it, given again, repairs it.",
            )
        return prototype.buffer.from_bytes(data)
