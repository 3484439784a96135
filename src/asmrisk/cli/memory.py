"""Commands where the memory of a process is limited (``ulimit -v``): they make do with it, or say so at once.

Of an allocation that fails, Python makes an error, but the libraries below end the whole process.
"""

from __future__ import annotations

import ctypes
import os
import resource
from contextlib import suppress

from asmrisk.errors import RunError

__all__ = ["advice", "is_of_memory", "make_do"]

#: Bytes of addresses that libraries and compiled code take, and below which memory is made to do.
LEAST, AMPLE = 1_500_000_000, 8_000_000_000

#: What libraries say where there are too few addresses.
_SYMPTOMS = (
    *("can't start new thread", "Cannot allocate memory", "failed to map segment", "could not be resolved"),
    *("Unable to allocate", "cannot allocate"),
)

#: Of the C library: memory pools, each of which takes addresses of its own.
_M_ARENA_MAX = -8


def _limit() -> int | None:
    """Give the bytes of addresses that this process may have; ``None`` for any number."""
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if most == resource.RLIM_INFINITY else most


def make_do() -> None:
    """Take fewer addresses where they are limited, before any library is loaded.

    RunError if there are too few for any command that computes.
    """
    most = _limit()
    if most is None or most >= AMPLE:
        return
    if most < LEAST:
        raise RunError(
            f"the memory of this process is limited to {most / 1e9:.1f} GB of addresses; at least "
            f"{LEAST / 1e9:.1f} GB are needed. `ulimit -v unlimited` lifts the limit, or ask who set it"
        )
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Arrow's own pool takes a gigabyte of addresses at once, where there is one, and leaves the others none.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    with suppress(AttributeError, OSError):  # Another C library.
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def is_of_memory(error: Exception) -> bool:
    """Whether an error that is none of memory comes of a limit on it: no thread, no library to load."""
    text = str(error)
    return _limit() is not None and any(each in text for each in _SYMPTOMS)


def advice(options: dict[str, str]) -> str:
    """Say what may help when memory ran out, of a command with these options."""
    most = _limit()
    if most is not None:
        few = f", or try {options['workers']} 1" if "workers" in options else ""
        return (
            f"out of memory: this process is limited to {most / 1e9:.1f} GB of addresses; "
            f"`ulimit -v unlimited` lifts the limit{few}"
        )
    less = {
        "workers": f"fewer {options.get('workers')}",
        "block_size": f"a smaller {options.get('block_size')}",
    }
    tried = " or ".join(words for name, words in less.items() if name in options)
    return f"out of memory; {f'try {tried}' if tried else 'end other programs, or take a larger machine'}"
