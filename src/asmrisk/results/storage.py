"""Where the bytes of a store are kept: a folder of a file system, or a bucket (its own module).

A key is the path of a file inside the store, as in ``participants/c.3.0.0``. Files are created, never
overwritten, but for the few that a commit or a repair changes, one changer at a time. The calls of the
operating system for files and locks stand here alone; the product is tried on Linux.
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
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from uuid import uuid4

from asmrisk.errors import InputError
from asmrisk.results.spec import FOLDER

if TYPE_CHECKING:
    from asmrisk.results.object_storage import Bucket

    #: Both have the same methods, can be pickled and used from several threads.
    Storage: TypeAlias = "Folder | Bucket"

__all__ = [
    *("NO_STORE", "Change", "Changer", "Folder", "GoOn", "Place", "Say"),
    *("check_key", "place_of", "storage_at"),
]

#: A folder, or ``s3://bucket/prefix`` as text.
Place = Path | str

#: Takes a line for the user.
Say = Callable[[str], object]

#: Called now and then while something is waited for; what it raises ends the waiting.
GoOn = Callable[[], object]

#: Makes of a file's bytes (``None`` if there is none) those that it is to have; the same to leave it.
Change = Callable[[bytes | None], bytes]


class Changer(Protocol):
    """Puts in place what a `Change` makes of a file, whole and in one step, and gives it."""

    def __call__(self, key: str, change: Change, /, *, durable: bool = True) -> bytes: ...


#: Said of a place that holds other things.
NO_STORE = "is no result store of asmrisk and not empty; nothing in it was touched"

#: Bucket names as Amazon allows them.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

#: `pathlib` makes one slash of two, so a path that was a URL has only one left.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/+(.*)", re.DOTALL)

_KEY = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")

_UNFINISHED, _LOCK = f"{FOLDER}/unfinished", f"{FOLDER}/lock"

#: Seconds after which an unfinished file is taken for one that a process left when it died. One that is
#: alive after all finds it missing, and tries again.
_LEFT_BEHIND = 3600.0

#: Seconds of waiting for the lock after which the user is told.
_PATIENCE = 1.0

#: What file systems answer that cannot give a file a second name.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)


def place_of(given: str | os.PathLike[str]) -> Place:
    """Understand where results are: a folder, or ``s3://bucket/prefix``; InputError for anything else.

    Examples
    --------
    >>> place_of("s3://results/2026/baseline.zarr/")
    's3://results/2026/baseline.zarr'
    """
    text = os.fspath(given)
    url = _SCHEME.fullmatch(text)
    if url is None:
        return Path(text)
    if url[1].lower() != "s3":
        raise InputError(
            f"{text} is neither a folder nor s3://BUCKET/PREFIX, the places where results can be. (A folder "
            "of that name is written with ./ before it.)"
        )
    bucket, *parts = url[2].rstrip("/").split("/")
    good = parts and all(part not in ("", ".", "..") and part.isprintable() for part in parts)
    if not _BUCKET.fullmatch(bucket) or not good:
        raise InputError(
            f"{text} names no place in object storage: it must be s3://BUCKET/PREFIX, as in "
            "s3://my-bucket/results/baseline.zarr, with no empty part, '.' or '..' in the prefix."
        )
    return "/".join(["s3:/", bucket, *parts])


def storage_at(place: Storage | str | os.PathLike[str]) -> Storage:
    """Give the storage at a place; InputError if it is not understood, or needs a package that is missing."""
    if not isinstance(place, (str, os.PathLike)):
        return place
    where = place_of(place)
    if isinstance(where, Path):
        return Folder(where)
    try:
        from asmrisk.results import object_storage
    except ImportError:
        raise InputError(
            "Results at s3://… need a package that is not installed; install asmrisk with the extra s3: "
            "pip install 'asmrisk[s3]'."
        ) from None
    return object_storage.Bucket(where)


def check_key(key: str) -> str:
    """Refuse a key that would lead out of the store (ValueError)."""
    if not _KEY.fullmatch(key) or {"..", "."} & set(key.split("/")):
        raise ValueError(f"{key!r} is no key of a store")
    return key


@dataclass(frozen=True)
class Folder:
    """A folder on a local file system, or on one that machines share.

    Whatever may have been planted in it, no link below it is followed: every file is reached from the folder
    down, one name at a time, with ``O_NOFOLLOW``. What cannot be done raises OSError.

    Attributes
    ----------
    place : pathlib.Path
        The folder; it may be a link itself.
    """

    place: Path

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
        try:
            os.readlink(name, dir_fd=folder)
        except OSError:
            return
        text = f"{self.place / key} is a link, and none inside a store is followed; remove it"
        raise OSError(errno.ELOOP, text) from None

    def _open_file(self, key: str) -> int:
        """Open a file for reading, and nothing else: a pipe would keep its reader waiting."""
        with self._parent(key) as (folder, name):
            descriptor = self._open(name, os.O_NONBLOCK, folder, key)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{self.place / key} is no file; remove it")

    def read(self, key: str) -> bytes:
        """Give the bytes of a file; FileNotFoundError if there is none."""
        with os.fdopen(self._open_file(key), "rb") as file:
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
        """Write a new file under a name that nobody can foresee; give its folder and name."""
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

    def create(self, key: str, data: bytes, *, durable: bool = False) -> bool:
        """Put a new file in place, whole; False, and nothing done, if there is one.

        If `durable`, wait until it outlives a loss of power.
        """
        with self._parent(key, make=True) as (folder, name):
            if _is_there(name, folder):
                return False
            with self._unfinished(data, durable=durable) as (scratch, unfinished):
                try:
                    os.link(unfinished, name, src_dir_fd=scratch, dst_dir_fd=folder, follow_symlinks=False)
                except FileExistsError:
                    return False
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    with self._locked(None):  # One creator at a time, then.
                        if _is_there(name, folder):
                            return False
                        os.rename(unfinished, name, src_dir_fd=scratch, dst_dir_fd=folder)
            if durable:
                os.fsync(folder)
        return True

    def create_many(self, files: dict[str, bytes]) -> list[bool]:
        """Create several files, in any order."""
        return [self.create(key, data) for key, data in files.items()]

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

    def prepare(self) -> None:
        """Make the place if it is not there, and remove what processes left unfinished when they died."""
        self.place.mkdir(parents=True, exist_ok=True)
        with self._parent(f"{_UNFINISHED}/any", make=True) as (folder, _):
            for name in os.listdir(folder):  # noqa: PTH208 (a descriptor, not a path)
                with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
                    written = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime
                    if time.time() - written > _LEFT_BEHIND:
                        os.unlink(name, dir_fd=folder)

    def zarr_store(self) -> Any:
        """Give zarr's own store for reading."""
        from zarr.storage import LocalStore

        return LocalStore(self.place, read_only=True)


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
