"""What a cluster's worker does: one whole block, from the first draw to the manifest entry.

A block is one task: its arrays (5 MB for 256 draws) never leave the worker, and what a lost worker takes with
it is one block for each of its threads.
"""

from __future__ import annotations

import pickle
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.results.manifest import Block
from asmrisk.simulation.engine.fingerprint import require_same
from asmrisk.simulation.engine.work import Simulation, StoppedError, compiled, failures, pieces

__all__ = ["compute_block", "packed"]

#: Seconds between looks at whether the client still wants the block.
_INTERVAL = 0.2

_arriving = threading.Lock()


def packed(place: str, writer: Any, simulation: Simulation) -> bytes:
    """Give what every task of one store needs, to be sent with it (9 kB) and unpacked once a process.

    Parameters
    ----------
    place : str
        The store, for messages.
    writer : BlockWriter
        Writes its blocks.
    simulation : Simulation
        Gives its draws.

    Returns
    -------
    bytes
        For `compute_block`.
    """
    return zlib.compress(pickle.dumps((place, writer, simulation)))


@lru_cache(maxsize=8)
def _unpacked(content: bytes) -> tuple[str, Any, Simulation]:
    place, writer, simulation = pickle.loads(zlib.decompress(content))
    return place, writer, simulation


def compute_block(content: bytes, block: Block, versions: dict[str, str]) -> None:
    """Simulate and write one block; the task of a dask worker.

    Parameters
    ----------
    content : bytes
        See `packed`.
    block : Block
        Which draws.
    versions : dict of str to str
        The client's fingerprint.

    Raises
    ------
    RefusedError
        If this worker's versions are others.
    BlockError
        If a draw fails or the block cannot be written.
    """
    from distributed import get_worker

    worker = get_worker()
    require_same(versions, worker.address)
    with _arriving:
        place, writer, simulation = _unpacked(content)
        compiled(simulation, block.first)
    writer.require_session()
    slot = np.zeros(2, np.int64)
    parts = []
    with _stopped_with_its_task(worker, slot):
        for first, count in pieces(block, simulation.piece):
            slot[0] = 0
            with failures(place, first, count, slot):
                parts.append(simulation(first, count, slot))
            if slot[1]:
                raise StoppedError
    values = {path: np.concatenate([each[path] for each in parts]) for path in parts[0]}
    with failures(place, block.first, block.count):
        writer.write_block(block, values)


@contextmanager
def _stopped_with_its_task(worker: Any, slot: NDArray[np.int64]) -> Iterator[None]:
    """Stop the simulation once nobody wants it: the client has cancelled the task, or died."""
    key = worker.get_current_task()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_INTERVAL):
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                slot[1] = 1
                return

    watcher = threading.Thread(target=watch, name="asmrisk-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
