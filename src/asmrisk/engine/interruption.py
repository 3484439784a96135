"""Ctrl-C and SIGTERM, the only place that handles them: a run ends within seconds and says what it keeps."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any

from asmrisk.errors import InputError, RunError

__all__ = ["Interrupted", "deferred", "interruptible"]

#: Seconds after a signal in which no other one is heeded: job schedulers and terminals send several, and the
#: first already ends the run.
_DEAF = 10.0

#: Seconds after which a signal is sent again that was lost where C called Python.
_AGAIN = 0.05


class Interrupted(KeyboardInterrupt):
    """A command was stopped from outside (Ctrl-C or SIGTERM); what is finished is kept."""

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.signal = number
        self.exit_status = 128 + number  # As a shell expects.


class _Handler:
    """Turns a signal into `Interrupted`, again where Python could only say that it was ignored."""

    def __init__(self) -> None:
        self._latest = -math.inf
        self.number: int | None = None  #: of the signal that came, if any
        self._hooks = sys.unraisablehook, sys.excepthook
        self._again: threading.Timer | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() - self._latest > _DEAF:
            self._latest, self.number = time.monotonic(), number
            raise Interrupted(number)

    def ignored(self, what: Any) -> None:
        """Take what Python would report as ignored."""
        if not self._repeated(what.exc_value):
            self._hooks[0](what)

    def printed(self, kind: Any, value: Any, trace: Any) -> None:
        """Take what Python would print, which other code in C lets it do with an exception that is lost."""
        if not self._repeated(value):
            self._hooks[1](kind, value, trace)

    def _repeated(self, lost: Any) -> bool:
        """Let a signal come again whose exception was lost; say whether it was one."""
        if not isinstance(lost, Interrupted):
            return False
        self._latest = -math.inf
        main = threading.main_thread().ident
        self._again = threading.Timer(_AGAIN, signal.pthread_kill, (main, lost.signal))
        self._again.daemon = True
        self._again.start()
        return True

    def settle(self) -> None:
        """Send no signal again from now on."""
        if self._again is not None:
            self._again.cancel()
            self._again.join()


@contextmanager
def interruptible(*, last: bool = False) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `Interrupted`, in the main thread; elsewhere signals never arrive.

    If it is the `last` thing that the process does, no further signal is heeded once one came.

    A signal may come while C calls Python, as compilers do, which loses the exception; what then goes wrong
    for lack of the call's result is `Interrupted` too, and if nothing does, the signal comes again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    there = signal.getsignal(signal.SIGINT)
    handler = there if isinstance(there, _Handler) else _Handler()
    new = () if handler is there else (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handler) for number in new}
    hooks = sys.unraisablehook, sys.excepthook
    if new:
        sys.unraisablehook, sys.excepthook = handler.ignored, handler.printed
    try:
        yield
    except (InputError, RunError):
        raise
    except Exception:
        if handler.number is None:
            raise
        raise Interrupted(handler.number) from None
    finally:
        try:
            if new:
                handler.settle()
        finally:
            for number, earlier in before.items():
                signal.signal(number, signal.SIG_IGN if last and handler.number else earlier)
            sys.unraisablehook, sys.excepthook = hooks


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
    there = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM) if main}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # A thread that was there before may take a Ctrl-C that this one blocks.
        for number in there:
            signal.signal(number, lambda number, frame: came.append(number))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        for number, handler in there.items():
            signal.signal(number, handler or signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if came:
            signal.raise_signal(came[0])
