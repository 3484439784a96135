"""The result store: all reading and writing of the zarr format is here.

A store is a zarr v3 hierarchy with one array per variable, in chunks of whole draws (or of a study's design
points). Every chunk and every metadata file is encoded in memory; the bytes are then put in place, each file
whole, in a folder or in object storage. Three facts keep a reader safe at any moment:

* The root's ``zarr.json``, with the metadata of everything below it consolidated, appears when all draws
  asked for are there: before that nothing can be opened.
* It is replaced in one step when a run was extended. In between, chunk files may be added or rewritten, but a
  rewritten one holds the same draws as before, and more.
* A block's manifest entry is written after its chunk files (see `asmrisk.results.manifest`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from asmrisk.results.store.reader import committed_draws, open_results, read_root, require_store

if TYPE_CHECKING:
    from asmrisk.results.store.block_writer import BlockWriter
    from asmrisk.results.store.writer import BLOCK_LENGTH, Store

__all__ = [
    "BLOCK_LENGTH",
    "BlockWriter",
    "Store",
    "committed_draws",
    "open_results",
    "read_root",
    "require_store",
]

_HOMES = {"BLOCK_LENGTH": "writer", "BlockWriter": "block_writer", "Store": "writer"}


def __getattr__(name: str) -> Any:
    # Only who writes waits for what only writing needs.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
