"""Ctrl-C and SIGTERM: a run ends within seconds and says what it keeps."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "interruptible"]


#: Seconds after a signal in which no other one is heeded: job schedulers and terminals send several, and the
#: first already ends the run.
_DEAF = 10.0

_latest = -_DEAF


class Interrupted(KeyboardInterrupt):
    """A run was stopped from outside (Ctrl-C or SIGTERM); what is finished is kept.

    Attributes
    ----------
    exit_status : int
        130 or 143, as a shell expects.
    """

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.signal = number
        self.exit_status = 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `Interrupted`, in the main thread; elsewhere signals never arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        global _latest
        if time.monotonic() - _latest > _DEAF:
            _latest = time.monotonic()
            raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
