"""Files that the program itself made, harmed, and the functions that read them.

``python -m tests.hostile.fuzz KIND NUMBER`` repeats a case, shows where it failed and leaves the file;
``python -m tests.hostile.fuzz KIND FIRST END`` tries many, and shows each way to fail once.
"""

import contextlib
import io
import os
import resource
import shutil
import signal
import stat
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from asmrisk.errors import InputError, RunError

#: What a case may take: seconds, and bytes of memory beyond what there was.
SECONDS, MEMORY = 10.0, 2 << 30


class TooLong(BaseException):
    """Nobody catches it."""


@dataclass(frozen=True)
class Kind:
    """How files of a kind are made, harmed and read.

    Attributes
    ----------
    make : callable
        Writes small valid ones, files or folders, into a folder.
    harm : callable
        Takes a random generator and the path of a copy.
    use : callable
        Takes a random generator, the path, and what receives remarks; gives what is shown, or nothing.
    writes : bool
        Whether it may leave files.
    """

    make: Callable[[Path], object]
    harm: Callable[[Random, Path], object]
    use: Callable[[Random, Path, Callable[[str], None]], Any]
    writes: bool = False


@dataclass
class Bench:
    """Files of one kind, and the place where copies of them are harmed."""

    name: str
    kind: Kind
    folder: Path
    accepted: int = 0  #: cases in which nothing was refused
    error: BaseException | None = None  #: the last that nobody should see

    def __post_init__(self) -> None:
        seeds = self.folder / "seeds"
        seeds.mkdir(parents=True)
        self.kind.make(seeds)
        self.seeds = [(each, _contents(each)) for each in sorted(seeds.iterdir())]
        self.place = self.folder / "case"
        self.place.mkdir()
        self._known: dict[str, dict[str, tuple[int, int]]] = {}
        with limited():
            for number in range(len(self.seeds)):
                if said := self.fails(number, harmed=False, expect=True):
                    raise AssertionError(f"{self.name}: what nobody harmed is refused: {said}")

    def fails(self, number: int, *, harmed: bool = True, expect: bool = False) -> str:
        """Try a case; say what was wrong with how it ended, or nothing."""
        random = Random(f"{self.name} {number}")
        seed, contents = self.seeds[number % len(self.seeds)]
        path = self._restored(seed.name, contents)
        if harmed:
            with warnings.catch_warnings(action="ignore"):
                self.kind.harm(random, path)
        before, notes, output = _listing(self.folder), list[str](), io.StringIO()
        try:
            with _in_time(), warnings.catch_warnings(), contextlib.redirect_stdout(output):
                warnings.simplefilter("error")
                warnings.filterwarnings("ignore", message="the population of .* is a Latin hypercube")
                # Said of a place that is ours no more.
                warnings.filterwarnings(
                    "ignore", message=".*: kernels are neither kept in .* nor loaded from"
                )
                shown = self.kind.use(random, path, notes.append)
            end = _unprintable(str(shown))
            self.accepted += 1
        except (InputError, RunError) as error:
            said = str(error)
            end = f"refused: {said}" if expect else _unprintable(said) or self._unclear(said)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            self.error = error
            own = [each for each in traceback.extract_tb(error.__traceback__) if "asmrisk" in each.filename]
            way = " > ".join(f"{each.name} ({Path(each.filename).name}:{each.lineno})" for each in own[-3:])
            end = f"{type(error).__name__}: {str(error)[:200]} in {way}"
        end = end or "".join(map(_unprintable, notes))
        if printed := output.getvalue():
            end = end or f"printed {printed!r}"
        after = _listing(self.folder)
        if not self.kind.writes and after != before:
            end = end or f"left or changed {sorted(dict(set(after.items()) ^ set(before.items())))}"
        return end

    def _unclear(self, said: str) -> str:
        """A message names what it is about, and is short enough to be read."""
        named = str(self.folder) in said or "/scenarios/" in said or "overrides" in said or "dataset" in said
        return "" if named and len(said) < 100_000 else f"says only {said[:200]!r}"

    def _restored(self, name: str, contents: dict[str, bytes]) -> Path:
        """Give a file or folder that nobody has harmed; only what is otherwise is written."""
        path, known, there = self.place / name, self._known.get(name, {}), _listing(self.place)
        for key in sorted(there, reverse=True):  # What is in a folder before the folder.
            if there[key] != known.get(key):
                _remove(self.place / key)
        for key, data in contents.items():
            file = path / key
            if not os.path.lexists(file):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
        self._known[name] = _listing(self.place)
        return path


def _unprintable(text: str) -> str:
    found = {each for line in text.split("\n") for each in line if not each.isprintable()}
    return f"says {sorted(found)} in {text[:200]!r}" if found else ""


def _contents(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {"": path.read_bytes()}
    return {
        each.relative_to(path).as_posix(): each.read_bytes()
        for each in sorted(path.rglob("*"))
        if each.is_file()
    }


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Give every file below a folder with size and time, every folder with -1."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            state = path.lstat()
            size = (0, -1) if stat.S_ISDIR(state.st_mode) else (state.st_size, state.st_mtime_ns)
            found[path.relative_to(folder).as_posix()] = size
    return found


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TooLong(f"more than {SECONDS:.0f} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Let this process have no more memory than `MEMORY` beyond what it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def main() -> None:
    from tests.hostile.kinds import KINDS

    name, first, *end = sys.argv[1:]
    numbers = range(int(first), int(end[0]) if end else int(first) + 1)
    folder, begin = Path(tempfile.mkdtemp(prefix="hostile")), time.monotonic()
    bench, ways = Bench(name, KINDS[name], folder), dict[str, int]()
    failed = 0
    with limited():
        for number in numbers:
            if said := bench.fails(number):
                failed += 1
                way = said.rpartition(" in ")[2]
                if way not in ways:
                    print(f"{name} {number}: {said}", flush=True)
                ways.setdefault(way, number)
    if len(numbers) > 1:
        shutil.rmtree(folder)
        seconds = time.monotonic() - begin
        print(f"{name}: {failed} of {len(numbers)} failed, {bench.accepted} accepted, {seconds:.0f} seconds")
        return
    print(folder)
    if bench.error is not None:
        traceback.print_exception(bench.error)


if __name__ == "__main__":
    main()
