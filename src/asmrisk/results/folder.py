"""A store in a folder of a file system. The operating system's calls for files and locks stand here alone.

The product is tried on Linux. Whatever may have been planted in a store, no link below it is followed: every
file is reached from the folder down, one name at a time, with ``O_NOFOLLOW``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from asmrisk.limits import require_within
from asmrisk.results.spec import FOLDER

__all__ = ["NO_STORE", "Change", "Changer", "Folder", "GoOn", "Say", "check_key", "check_size"]

#: Takes a line for the user.
Say = Callable[[str], object]

#: Called now and then while something is waited for; what it raises ends the waiting.
GoOn = Callable[[], object]

#: Makes of a file's bytes (``None`` if there is none) those that it is to have; the same to leave it.
Change = Callable[[bytes | None], bytes]


class Changer(Protocol):  # noqa: D101
    def __call__(self, key: str, change: Change, /, *, durable: bool = True) -> bytes:
        """Put in place what a `Change` makes of a file, whole and in one step, and give it."""


#: Said of a place that holds other things.
NO_STORE = "is no result store of asmrisk and not empty; nothing in it was touched"

_KEY = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")

_UNFINISHED, _LOCK = f"{FOLDER}/unfinished", f"{FOLDER}/lock"

#: Seconds after which an unfinished file is taken for one that a process left when it died. One that is
#: alive after all finds it missing, and tries again.
_LEFT_BEHIND = 3600.0

#: Seconds of waiting for the lock after which the user is told.
_PATIENCE = 1.0

#: What file systems answer that cannot give a file a second name.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)


def check_key(key: str) -> str:
    """Refuse a key that would lead out of the store (ValueError)."""
    if not _KEY.fullmatch(key) or {"..", "."} & set(key.split("/")):
        raise ValueError(f"{key!r} is no key of a store")
    return key


def check_size(key: str, size: int, place: object) -> None:
    """Refuse to read a file of a store that is beyond its limit (InputError)."""
    name = "chunk_bytes" if key.rpartition("/")[2].startswith("c.") else "metadata_bytes"
    require_within(name, size, where=f"{place}/{key}")


@dataclass(frozen=True)
class Folder:
    """A folder on a local file system, or on one that machines share. What cannot be done raises OSError."""

    place: Path  #: the folder; it may be a link itself

    def __reduce__(self) -> tuple[type[Folder], tuple[Path]]:
        # Processes have working folders of their own.
        return Folder, (self.place.absolute(),)

    def exists(self) -> bool:
        """Whether there is anything at the place."""
        return self.place.exists()

    @contextlib.contextmanager
    def _parent(self, key: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder that a file is in; give its descriptor and the file's name."""
        *folders, name = check_key(key).split("/")
        descriptor = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for depth, folder in enumerate(folders, start=1):
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=descriptor)
                inside = self._open(folder, os.O_DIRECTORY, descriptor, "/".join(folders[:depth]))
                os.close(descriptor)
                descriptor = inside
            yield descriptor, name
        finally:
            os.close(descriptor)

    def _open(self, name: str, flags: int, folder: int, key: str) -> int:
        try:
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | flags, dir_fd=folder)
        except OSError as error:
            # Linux says ELOOP of a link to a file, and ENOTDIR of one to a folder.
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                self._refuse_link(name, folder, key)
            if error.errno == errno.ENOTDIR:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), key) from None
            raise

    def _refuse_link(self, name: str, folder: int, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                text = f"{self.place / key} is a link, and none inside a store is followed; remove it"
                raise OSError(errno.ELOOP, text)

    def read(self, key: str) -> bytes:
        """Give the bytes of a file; FileNotFoundError if there is none."""
        with self._parent(key) as (folder, name):
            # A pipe would keep its reader waiting.
            descriptor = self._open(name, os.O_NONBLOCK, folder, key)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, f"{self.place / key} is no file; remove it")
        with os.fdopen(descriptor, "rb") as file:
            check_size(key, found.st_size, self.place)
            return file.read()

    def read_many(self, keys: Iterable[str]) -> Iterator[bytes | None]:
        """Give the bytes of files in the order of their keys, ``None`` for one that is not there."""
        for key in keys:
            try:
                yield self.read(key)
            except FileNotFoundError:
                yield None

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Give the sizes of all files below a folder of the store, by key."""
        found: dict[str, int] = {}
        folders = [prefix and f"{prefix}/"]
        while folders:
            inside = folders.pop()
            with (
                contextlib.suppress(FileNotFoundError, NotADirectoryError),
                os.scandir(self.place / inside) as entries,
            ):
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{inside}{entry.name}/")
                    elif entry.is_file(follow_symlinks=False):
                        with contextlib.suppress(FileNotFoundError):
                            found[inside + entry.name] = entry.stat().st_size
        return found

    @contextlib.contextmanager
    def _unfinished(self, data: bytes, *, durable: bool) -> Iterator[tuple[int, str]]:
        """Write a new file under an unpredictable name; give its folder and name."""
        with self._parent(f"{_UNFINISHED}/{uuid4().hex}", make=True) as (folder, name):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            try:
                with os.fdopen(os.open(name, flags, 0o666, dir_fd=folder), "wb") as file:
                    file.write(data)
                    if durable:
                        file.flush()
                        os.fsync(file.fileno())
                yield folder, name
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)

    def _has(self, name: str, folder: int, key: str) -> bool:
        """Whether there is a file; what is something else nobody replaces."""
        try:
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return False
        self._refuse_link(name, folder, key)
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"{self.place / key} is no file; remove it")
        return True

    def create(self, key: str, data: bytes, *, durable: bool = False) -> bool:
        """Put a new file in place, whole; False, and nothing done, if there is one.

        If `durable`, wait until it outlives a loss of power.
        """
        with self._parent(key, make=True) as (folder, name):
            if self._has(name, folder, key):
                return False
            with self._unfinished(data, durable=durable) as (scratch, unfinished):
                try:
                    os.link(unfinished, name, src_dir_fd=scratch, dst_dir_fd=folder, follow_symlinks=False)
                except FileExistsError:
                    return False
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    with self._locked():  # One creator at a time, then.
                        if self._has(name, folder, key):
                            return False
                        os.rename(unfinished, name, src_dir_fd=scratch, dst_dir_fd=folder)
            if durable:
                os.fsync(folder)
        return True

    def create_many(self, files: dict[str, bytes]) -> list[bool]:
        """Create several files, in any order."""
        return list(map(self.create, files, files.values()))

    @contextlib.contextmanager
    def _locked(self, say: Say | None = None, go_on: GoOn | None = None) -> Iterator[None]:
        # It takes its time to import, and a reader needs none.
        from filelock import FileLock, Timeout

        with self._parent(_LOCK, make=True) as (folder, name):
            self._refuse_link(name, folder, _LOCK)
        lock = FileLock(self.place / _LOCK, is_singleton=False)
        while not lock.is_locked:
            try:
                lock.acquire(timeout=_PATIENCE)
            except Timeout:
                if say is not None:
                    say(f"another process is changing {self.place}; waiting until it has ended")
                    say = None
                if go_on is not None:
                    go_on()
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def changing(self, say: Say | None = None, go_on: GoOn | None = None) -> Iterator[Changer]:
        """Change files that are there, one changer at a time.

        A file is changed only if nobody else has meanwhile; else the `Change` is asked anew.
        """

        def change(key: str, new: Change, /, *, durable: bool = True) -> bytes:
            (old,) = self.read_many([key])
            data = new(old)
            if data != old:
                with self._parent(key, make=True) as (folder, name):
                    with self._unfinished(data, durable=durable) as (scratch, unfinished):
                        os.rename(unfinished, name, src_dir_fd=scratch, dst_dir_fd=folder)
                    if durable:
                        os.fsync(folder)
            return data

        with self._locked(say, go_on):
            yield change

    def remove(self, key: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError), self._parent(key) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def flush(self) -> None:
        """Wait until all that was created outlives a loss of power."""
        # For all files at once: waiting for each would take 4 ms.
        os.sync()

    def refusal(self) -> str:
        """Say why a store cannot be here (a file, other things), as ``is …``; empty if it can or is."""
        if self.place.exists() and not self.place.is_dir():
            return "is a file, not a result store"
        # In this order: another process may be making a store here, and its folder is the first thing in it.
        if self.place.is_dir() and any(self.place.iterdir()) and not (self.place / FOLDER).is_dir():
            return NO_STORE
        return ""

    @contextlib.contextmanager
    def prepared(self) -> Iterator[None]:
        """Make the place if it is not there, and remove what processes left unfinished when they died.

        If something fails before any file is there, no folder is left that was not there.
        """
        made: list[Path] = []
        try:
            for folder in (*reversed(self.place.parents), self.place, self.place / FOLDER):
                if not os.path.lexists(folder):
                    with contextlib.suppress(FileExistsError):  # Another process was quicker.
                        folder.mkdir()
                        made.append(folder)
            self._tidy()
            yield
        except BaseException:
            # One that is not empty stays, and what it lies in.
            with contextlib.suppress(OSError):
                if self.place / FOLDER in made and (self.place / _UNFINISHED).exists():
                    made.append(self.place / _UNFINISHED)
                for folder in reversed(made):
                    folder.rmdir()
            raise

    def _tidy(self) -> None:
        with self._parent(f"{_UNFINISHED}/any", make=True) as (folder, _):
            for name in os.listdir(folder):  # noqa: PTH208 (a descriptor, not a path)
                with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
                    written = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime
                    if time.time() - written > _LEFT_BEHIND:
                        os.unlink(name, dir_fd=folder)
