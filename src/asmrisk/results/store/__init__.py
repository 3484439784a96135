"""The result store: all reading and writing of zarr is here.

A store is a zarr v3 hierarchy with one array per variable, in chunks of whole draws. Zarr encodes every chunk
and every metadata file in memory; the bytes are then put in place here, each file whole. Three facts keep a
reader safe at any moment:

* The root's ``zarr.json``, with the metadata of everything below it consolidated, appears when all draws
  asked for are there: before that nothing can be opened.
* It is replaced in one step when a run was extended. In between, chunk files may be added or rewritten, but a
  rewritten one holds the same draws as before, and more.
* A block's manifest entry is written after its chunk files (see `asmrisk.results.manifest`).
"""

from __future__ import annotations

from asmrisk.results.store.block_writer import BlockWriter
from asmrisk.results.store.reader import committed_draws, open_results, read_root, require_store
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
