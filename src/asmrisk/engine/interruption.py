"""Ctrl-C and SIGTERM, the only place that handles them: a run ends within seconds and says what it keeps."""

from __future__ import annotations

import _thread
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

_MAIN = threading.main_thread().ident or 0

#: Where Python's own import takes its locks.
_IMPORT = "<frozen importlib._bootstrap>"

#: Seconds until a signal is sent again.
_MOMENT = 0.001

#: Seconds from one look at whether a signal is ending the run to the next.
_LOOK = 0.05


class Interrupted(KeyboardInterrupt):
    """A command was stopped from outside (Ctrl-C or SIGTERM); what is finished is kept."""

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.signal = number
        self.exit_status = 128 + number  # As a shell expects.


class _Handler:
    """Turns a signal into `Interrupted`, again where code in C lost it."""

    def __init__(self) -> None:
        self._latest = -math.inf
        self.number: int | None = None  #: of the signal that came, if any
        self._hooks = sys.unraisablehook, sys.excepthook
        self._settled = threading.Event()
        self._sending = threading.Lock()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() - self._latest <= _DEAF:
            return
        # Locks of Python's own import would not be released: other threads would wait for them forever.
        importing = frame is not None and frame.f_code.co_filename == _IMPORT
        try:
            # A lock of `threading` may be held by what is interrupted.
            _thread.start_new_thread(self._send if importing else self._watch, (number,))
        except RuntimeError:  # There are no more threads.
            importing = False
        if not importing:
            self._latest, self.number = time.monotonic(), number
            raise Interrupted(number)

    def ignored(self, what: Any) -> None:
        """Report what Python ignores, but for the signal, which comes again."""
        if not isinstance(what.exc_value, Interrupted):
            self._hooks[0](what)

    def printed(self, kind: Any, value: Any, trace: Any) -> None:
        """Print what other code in C lets Python print, but for the signal, which comes again."""
        if not isinstance(value, Interrupted):
            self._hooks[1](kind, value, trace)

    def _watch(self, number: int) -> None:
        """Send a signal again of which the main thread knows nothing, at two looks one after the other."""
        unseen = 0
        while unseen < 2:
            if self._settled.wait(_LOOK):
                return
            unseen = 0 if _is_ending() else unseen + 1
        self._latest = -math.inf
        self._send(number)

    def _send(self, number: int) -> None:
        """Send a signal again, in a moment, if it is still to be heeded."""
        time.sleep(_MOMENT)
        with self._sending:
            if not self._settled.is_set():
                signal.pthread_kill(_MAIN, number)

    def settle(self) -> None:
        """Send no signal again from now on."""
        with self._sending:
            self._settled.set()


def _is_ending() -> bool:
    """Whether the main thread is on its way out after a signal."""
    error: Any = sys._current_exceptions().get(_MAIN)
    error = error[1] if isinstance(error, tuple) else error  # Before Python 3.12.
    while error is not None and not isinstance(error, Interrupted):
        error = error.__context__
    return error is not None


@contextmanager
def interruptible(*, last: bool = False) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `Interrupted`, in the main thread; elsewhere signals never arrive.

    If it is the `last` thing that the process does, no further signal is heeded once one came.

    A signal may come while C calls Python, as compilers and imports do, which loses the exception; what goes
    wrong for lack of the call's result is `Interrupted` too, and if nothing does, the signal comes again.
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
