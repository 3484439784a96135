"""How far a run is, on a terminal: draws done, draws a second, time left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["Progress", "repeatedly"]

#: Seconds between looks at the counters.
_INTERVAL = 0.2


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

    def say(self, text: str) -> None:
        """Write one line, unless quiet."""
        if self._stream is not None:
            self._stream.write(text + "\n")
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
        """Show a bar of `total` draws, some `done` before, while the context lasts, on a terminal only."""
        if self._stream is None or done >= total or not self._stream.isatty():
            yield
            return
        from rich.console import Console  # Without a bar, nothing of rich is imported.
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TimeRemainingColumn
        from rich.progress import Progress as Bar
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(f"{task.speed:,.1f} draws/s" if task.speed else "- draws/s")

        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
        with Bar(*columns, console=Console(file=self._stream)) as bar:
            task = bar.add_task("draws", total=total, completed=done)

            def show() -> None:
                bar.update(task, completed=done + self.done)

            try:
                with repeatedly(_INTERVAL, show):
                    yield
            finally:
                show()


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
