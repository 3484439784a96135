"""A store for zarr in which every chunk is compared with its digest while it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import MemoryStore, WrapperStore

from asmrisk.errors import Call, RunError
from asmrisk.results.manifest import digest_of_bytes

if TYPE_CHECKING:
    from asmrisk.results.place import Storage

__all__ = ["CheckedStore"]


class CheckedStore(WrapperStore):
    """Metadata from memory, chunks from the storage; all by their keys.

    To zarr a chunk that is not there is one of fill values; here it is an error: `get` raises RunError if a
    chunk is missing, damaged, not finished, or reached through a link.
    """

    def __init__(self, storage: Storage, metadata: Mapping[str, bytes], digests: Mapping[str, str]) -> None:
        buffer = default_buffer_prototype().buffer
        files = {key: buffer.from_bytes(data) for key, data in metadata.items()}
        super().__init__(MemoryStore(files, read_only=True))
        self._reads = storage, metadata, digests

    def __reduce__(self) -> tuple[type[CheckedStore], tuple[Any, ...]]:
        return CheckedStore, self._reads

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: Any = None
    ) -> Buffer | None:
        """Give a chunk's bytes, or those of a metadata file."""
        prototype = prototype or default_buffer_prototype()
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
