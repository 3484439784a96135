"""Whether a time taken on this machine, now, can be believed."""

from __future__ import annotations

import sys
from functools import cache

import psutil

__all__ = ["BUSY", "busy_cores", "note_if_busy"]

#: Cores in use by others above which a time is not to be believed.
BUSY = 0.25


def busy_cores(seconds: float = 0.5) -> float:
    """Measure how many cores are in use while this process sleeps.

    Parameters
    ----------
    seconds : float
        How long to look.

    Returns
    -------
    float
        From 0 to the number of cores.
    """
    return psutil.cpu_percent(seconds) / 100.0 * (psutil.cpu_count() or 1)


@cache
def note_if_busy() -> float:
    """Say once, on standard error, that others use the machine.

    Returns
    -------
    float
        Cores in use by others.
    """
    busy = busy_cores()
    if busy > BUSY:
        print(
            f"note: others use {busy:.1f} of this machine's cores; do not believe these figures",
            file=sys.stderr,
        )
    return busy
