"""How far a run is, on a terminal, in a notebook or line by line: draws done, draws a second, time left."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import printable

__all__ = ["Progress", "duration", "repeatedly"]

#: Seconds between looks at the counters: for a terminal, a notebook, and lines.
_INTERVAL, _PAGE_INTERVAL, _LINE_INTERVAL = 0.2, 0.5, 1.0

#: Seconds before the first line, and between lines.
_FIRST, _EVERY = 10.0, 60.0

#: Terminals that cannot move the cursor back: what stands there is a file's.
_DUMB = ("dumb", "unknown")

#: In which a time is told, in seconds, the largest that it has one and a half of.
_UNITS = ((3600.0, "hour"), (60.0, "minute"), (1.0, "second"))


class Progress:
    """Counts the draws of all workers and shows them; also the way to stop the workers.

    Every piece of work has a *slot*, an int64 array of two elements: the kernel adds to the first after each
    draw, one for each policy, and gives up when the second is not zero. Each element has one writer, so it
    takes no lock.

    The `stream` may be None, as standard error is where whoever started the program closed it.
    """

    def __init__(self, stream: TextIO | None, *, quiet: bool = False) -> None:
        self._stream = None if quiet else stream
        self._slots: list[NDArray[np.int64]] = []
        self._closed = 0
        self._stopped = False
        self._lock = threading.Lock()

    @property
    def heard(self) -> bool:
        """Whether anything that is said is written."""
        return self._stream is not None

    def say(self, text: str) -> None:
        """Write one line, unless quiet; a stream that takes none ends nothing."""
        if self._stream is not None:
            with suppress(OSError, ValueError):  # Full, or closed by whoever read it.
                self._stream.write(printable(text) + "\n")
                self._stream.flush()

    def slot(self) -> NDArray[np.int64]:
        """Give a new piece of work its slot."""
        slot = np.zeros(2, np.int64)
        with self._lock:
            slot[1] = self._stopped
            self._slots.append(slot)
        return slot

    def close(self, slot: NDArray[np.int64] | None, count: int) -> None:
        """Count a piece of work as finished, here or (without a slot) by another process."""
        with self._lock:
            self._slots = [each for each in self._slots if each is not slot]
            self._closed += count

    def stop(self) -> None:
        """Ask all work under way to end at its next draw, and new work not to begin."""
        with self._lock:
            self._stopped = True
            for slot in self._slots:
                slot[1] = 1

    @property
    def done(self) -> int:
        """Draws finished by now."""
        with self._lock:
            return self._closed + sum(int(slot[0]) for slot in self._slots)

    @contextmanager
    def shown(self, total: int, done: int) -> Iterator[None]:
        """Show how many of `total` draws are there, some `done` before, while the context lasts.

        A terminal and a notebook show a bar; anything else gets a line now and then.
        """
        if self._stream is None or done >= total:
            yield
            return
        shower: AbstractContextManager[Callable[[int], object]]
        if self._stream.isatty() and os.environ.get("TERM") not in _DUMB:
            interval, shower = _INTERVAL, _bar(self._stream, total, done)
        elif self._stream is sys.stderr and in_notebook():
            interval, shower = _PAGE_INTERVAL, nullcontext(_page(_Pace(total, done)))
        else:
            interval, shower = _LINE_INTERVAL, nullcontext(_lines(_Pace(total, done), self.say))
        with shower as show:
            try:
                with repeatedly(interval, lambda: show(done + self.done)):
                    yield
            finally:
                show(done + self.done)

    @contextmanager
    def patient(self, what: str) -> Iterator[None]:
        """Say every minute that something still goes on, while the context lasts."""
        with repeatedly(_EVERY, lambda: self.say(f"still {what}")):
            yield


class _Pace:
    """How fast draws come, and how long the rest takes."""

    def __init__(self, total: int, done: int) -> None:
        self.total, self._done, self._begun = total, done, time.monotonic()

    def words(self, count: int) -> str:
        seconds, new = time.monotonic() - self._begun, count - self._done
        said = f"{count:,} of {self.total:,} draws"
        if not new or not seconds:
            return said
        said = f"{said}, {new / seconds:,.1f} draws/s"
        left = (self.total - count) * seconds / new
        return f"{said}, {duration(left)} left" if count < self.total else said


def duration(seconds: float) -> str:
    """Say how long something lasts.

    >>> duration(0.2), duration(1.0), duration(89.0), duration(5_400.0)
    ('0 seconds', '1 second', '89 seconds', '2 hours')
    """
    size, unit = next(each for each in _UNITS if seconds >= 1.5 * each[0] or each is _UNITS[-1])
    units = round(seconds / size)
    return f"{units:,} {unit}{'' if units == 1 else 's'}"


@contextmanager
def _bar(stream: TextIO, total: int, done: int) -> Iterator[Callable[[int], object]]:
    """Show a bar on a terminal."""
    from rich.console import Console  # Without a bar, nothing of rich is imported.
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.1f} draws/s" if task.speed else "- draws/s")

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Bar(*columns, console=Console(file=stream)) as bar:
        task = bar.add_task("draws", total=total, completed=done)
        yield lambda count: bar.update(task, completed=count)


def in_notebook() -> bool:
    """Whether this is the process of a notebook, which shows HTML; a terminal's IPython has no kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def _page(pace: _Pace) -> Callable[[int], object]:
    """Show a bar below a notebook's cell; widgets are not needed."""
    from IPython.display import HTML, display  # Only a notebook has it.

    def page(count: int) -> Any:
        return HTML(f'<progress value="{count}" max="{pace.total}"></progress> {pace.words(count)}')

    shown = display(page(0), display_id=True)
    return lambda count: shown.update(page(count))


def _lines(pace: _Pace, say: Callable[[str], object]) -> Callable[[int], object]:
    """Say how far a run is after ten seconds, and then once a minute."""
    due = time.monotonic() + _FIRST

    def show(count: int) -> None:
        nonlocal due
        if time.monotonic() >= due and count < pace.total:
            due = time.monotonic() + _EVERY
            say(pace.words(count))

    return show


@contextmanager
def repeatedly(seconds: float, action: Callable[[], object]) -> Iterator[None]:
    """Do something now and then, in a thread, while the context lasts."""
    ended = threading.Event()

    def act() -> None:
        while not ended.wait(seconds):
            action()

    thread = threading.Thread(target=act, name="asmrisk-repeatedly", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
