"""Where the bytes of a store are kept: what every kind of storage does, and the folder of a file system.

A key is the path of a file inside the store, as in ``participants/c.3.0.0``. Whoever writes holds the store's
lock and has a *session*, a random name that stands in the lock. Workers in other processes, which do not hold
the lock, compare it with the one they were given before they write, so that a worker whose run has died does
not write into the next one's blocks.
"""

# ruff: noqa: D102 (what the methods do is told where `Storage` declares them)

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from asmrisk.errors import RunError
from asmrisk.results.description import FOLDER
from asmrisk.results.location import Location, ObjectUrl, location

__all__ = ["NO_STORE", "Hold", "LocalStorage", "Storage", "another_writer", "check_key", "storage_at"]

#: Seconds for which a run waits for another's lock: a look at the store's status holds it for a moment.
_PATIENCE = 1.0

#: Said of a place that holds other things.
NO_STORE = "is no result store of asmrisk and not empty; nothing in it was touched"

_KEY = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")


class Hold(Protocol):
    """A store's lock in the hands of this process."""

    @property
    def session(self) -> str:
        """Random name of this holder."""

    def check(self) -> None:
        """Make sure that it is still held.

        Raises
        ------
        RunError
            If it was lost.
        """


class Storage(Protocol):
    """A place with the files of one store. It can be pickled and used from several threads."""

    @property
    def location(self) -> Location:
        """The place."""

    @property
    def readers(self) -> int:
        """How many files are best read at the same time."""

    def exists(self) -> bool:
        """Whether there is anything at the place."""

    def read(self, key: str) -> bytes:
        """Give the bytes of a file; FileNotFoundError if there is none, OSError if it cannot be read."""

    def read_many(self, keys: Iterable[str]) -> Iterator[bytes | None]:
        """Give the bytes of files in the order of their keys, ``None`` for one that is not there."""

    def sizes(self) -> dict[str, int]:
        """Give the sizes of all files, by key; empty if the place does not exist."""

    def write(self, key: str, data: bytes, *, durable: bool = False) -> None:
        """Put a file in place whole: a reader sees the old bytes or the new ones, never a part.

        Parameters
        ----------
        key : str
            Which file.
        data : bytes
            Its content.
        durable : bool
            Wait until it outlives a loss of power.

        Raises
        ------
        OSError
            If the storage is full, cannot be written to, or fails.
        """

    def write_many(self, files: Mapping[str, bytes]) -> None:
        """Put several files in place, in any order."""

    def replace(self, key: str, old: bytes | None, new: bytes) -> None:
        """Replace a file durably; RunError if another process has changed it meanwhile, where that can be."""

    def flush(self) -> None:
        """Wait until all that was written outlives a loss of power."""

    def refusal(self) -> str:
        """Say why a store cannot be here (a file, other things), as ``is …``; empty if it can or is."""

    def prepare(self) -> None:
        """Make the place if it is not there."""

    def tidy(self) -> None:
        """Clear what a process that died has left; the lock must be held."""

    def lock(self) -> AbstractContextManager[Hold]:
        """Hold the lock for as long as the context lasts; RunError if another process has it."""

    def holder(self) -> str:
        """Give the session of the latest holder of the lock, empty if there was none."""

    def locked(self) -> bool:
        """Whether a process holds the lock at this moment."""


def storage_at(place: Storage | str | os.PathLike[str]) -> Storage:
    """Give the storage at a place.

    Raises
    ------
    InputError
        If the place cannot be understood, or object storage needs a package that is not installed.
    """
    if not isinstance(place, (str, os.PathLike)):
        return place
    where = location(place)
    if isinstance(where, ObjectUrl):
        from asmrisk.results.store.object_storage import ObjectStorage, require_package

        require_package()
        return ObjectStorage(where)
    return LocalStorage(where)


def check_key(key: str) -> str:
    """Refuse a key that would lead out of the store (ValueError)."""
    if not _KEY.fullmatch(key) or {"..", "."} & set(key.split("/")):
        raise ValueError(f"{key!r} is no key of a store")
    return key


def another_writer(place: Location, remedy: str = "Wait until it has ended") -> RunError:
    """Make the error of a second run on a store."""
    return RunError(
        f"another run is writing to {place}. {remedy} (`asmrisk status {place}` shows how far it is), or "
        "give another place with --out."
    )


@dataclass(frozen=True)
class _FileLock:
    """The operating system takes it back when the process ends, however it ends: it cannot be lost before."""

    session: str

    def check(self) -> None:
        pass


@dataclass(frozen=True)
class LocalStorage:
    """A folder on a local file system, or on one that machines share.

    Attributes
    ----------
    location : pathlib.Path
        The folder.
    """

    location: Path

    def __reduce__(self) -> tuple[type[LocalStorage], tuple[Path]]:
        # Processes have working folders of their own.
        return LocalStorage, (self.location.absolute(),)

    @property
    def readers(self) -> int:
        return len(os.sched_getaffinity(0))

    def exists(self) -> bool:
        return self.location.exists()

    def _path(self, key: str) -> Path:
        return self.location / check_key(key)

    def read(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except NotADirectoryError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), key) from None

    def read_many(self, keys: Iterable[str]) -> Iterator[bytes | None]:
        for key in keys:
            try:
                yield self.read(key)
            except FileNotFoundError:
                yield None

    def sizes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        folders = [""]
        while folders:
            prefix = folders.pop()
            with (
                contextlib.suppress(FileNotFoundError, NotADirectoryError),
                os.scandir(self.location / prefix) as entries,
            ):
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{prefix}{entry.name}/")
                    else:
                        with contextlib.suppress(FileNotFoundError):
                            found[prefix + entry.name] = entry.stat().st_size
        return found

    @property
    def _scratch(self) -> Path:
        """Folder for unfinished files, on the store's file system so that they can be renamed."""
        return self.location / FOLDER / "unfinished"

    def write(self, key: str, data: bytes, *, durable: bool = False) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Writers on several machines may share the folder: only a random name is surely free.
        unfinished = self._scratch / f"{uuid4().hex}.{path.name}"
        try:
            with unfinished.open("wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        if durable:
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def write_many(self, files: Mapping[str, bytes]) -> None:
        for key, data in files.items():
            self.write(key, data)

    def replace(self, key: str, old: bytes | None, new: bytes) -> None:
        self.write(key, new, durable=True)

    def flush(self) -> None:
        # For all files at once: waiting for each would take 4 ms.
        os.sync()

    def refusal(self) -> str:
        if self.location.exists() and not self.location.is_dir():
            return "is a file, not a result store"
        if self.location.is_dir() and not (self.location / FOLDER).is_dir() and any(self.location.iterdir()):
            return NO_STORE
        return ""

    def prepare(self) -> None:
        self._scratch.mkdir(parents=True, exist_ok=True)

    def tidy(self) -> None:
        for left in self._scratch.iterdir():
            left.unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self) -> Iterator[Hold]:
        with (self.location / FOLDER / "lock").open("a+b") as file:
            until = time.monotonic() + _PATIENCE
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise another_writer(self.location) from None
                    time.sleep(0.05)
            session = uuid4().hex
            file.truncate(0)
            file.write(session.encode())
            file.flush()
            yield _FileLock(session)

    def holder(self) -> str:
        try:
            return self.read(f"{FOLDER}/lock").decode(errors="replace")
        except FileNotFoundError:
            return ""

    def locked(self) -> bool:
        try:
            with self._path(f"{FOLDER}/lock").open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False
