"""Ctrl-C and SIGTERM, the only place that handles them: a run ends within seconds and says what it keeps."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType

from asmrisk.errors import InputError, RunError

__all__ = ["Interrupted", "deferred", "interruptible"]

#: Seconds after a signal in which no other one is heeded: job schedulers and terminals send several, and the
#: first already ends the run.
_DEAF = 10.0


class Interrupted(KeyboardInterrupt):
    """A command was stopped from outside (Ctrl-C or SIGTERM); what is finished is kept."""

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.signal = number
        self.exit_status = 128 + number  # As a shell expects.


class _Handler:
    """Turns a signal into `Interrupted`."""

    def __init__(self) -> None:
        self._latest = -_DEAF
        self.number: int | None = None  #: of the signal that came, if any

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() - self._latest > _DEAF:
            self._latest, self.number = time.monotonic(), number
            raise Interrupted(number)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `Interrupted`, in the main thread; elsewhere signals never arrive.

    A signal may come while C calls Python, as compilers do, which loses the exception; what then goes wrong
    for lack of the call's result is `Interrupted` too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    there = signal.getsignal(signal.SIGINT)
    handler = there if isinstance(there, _Handler) else _Handler()
    new = () if handler is there else (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handler) for number in new}
    try:
        yield
    except (InputError, RunError):
        raise
    except Exception:
        if handler.number is None:
            raise
        raise Interrupted(handler.number) from None
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def deferred() -> Iterator[None]:
    """Act on signals at the end only; threads and processes that are started here never see a Ctrl-C.

    A terminal sends it to all processes of the run, and it is this thread's to act on.
    """
    # Its start, which unblocks signals, must not fall into a thread that starts a worker.
    resource_tracker.ensure_running()
    came: list[int] = []
    # To block this one too would make the processes deaf to it, by which they are told to end.
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number)) if main else None
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, handler or signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if came:
            signal.raise_signal(signal.SIGTERM)
