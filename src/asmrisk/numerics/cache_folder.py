"""Where things are kept between runs: in folders that this user alone can write to.

Compiled kernels are programs, so whoever can write them, or put something else in their place, runs programs
as this user. A folder is used only if it is this user's own, and if nobody else may rename or replace it or
any folder above it. Nothing here protects from the user's own account, or from the superuser.
"""

from __future__ import annotations

import os
import shutil
import stat
import warnings
from contextlib import suppress
from functools import cache
from grp import getgrgid
from pathlib import Path
from pwd import getpwuid

from platformdirs import user_cache_path

from asmrisk.errors import printable

__all__ = ["cache_base", "note", "own_folder", "replace_file"]

#: Who may own folders above ours: the superuser, whom a container may show as nobody.
_SUPERUSERS = {0, 65534}

#: Extended attribute of files whose group's rights are those of further users, too.
_ACCESS_LIST = "system.posix_acl_access"


def cache_base() -> Path:
    """Folder for all that is kept between runs: ``$ASMRISK_CACHE_DIR``, or one in the user's cache folder.

    Returns
    -------
    pathlib.Path
        It need not exist.
    """
    given = os.environ.get("ASMRISK_CACHE_DIR")
    return Path(given) if given else user_cache_path("asmrisk")


def own_folder(name: str) -> Path | None:
    """Make or find a folder in `cache_base` that this user alone can write to.

    One of ours with a wider mode is narrowed to 0700. If others could have written what is in it, that is
    thrown away with a warning.

    Parameters
    ----------
    name : str
        Of the folder.

    Returns
    -------
    pathlib.Path or None
        ``None``, after one warning, if the folder is another user's, or others may replace it.

    Raises
    ------
    OSError
        If there is none and it cannot be made.
    """
    base = Path(os.path.abspath(cache_base()))  # noqa: PTH100 - links are followed one by one below.
    path = base / name
    with suppress(FileNotFoundError):
        path.stat()  # An error, if links lead nowhere.
    found = _weakness(base)
    if not found:
        _make(path)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            found = f"{path} is not a folder"
        elif status.st_uid != os.geteuid():
            found = f"{path} belongs to another user"
    if found:
        note(
            f"{found}: kernels are neither kept in {base} nor loaded from there, but compiled anew in every "
            "process. Set ASMRISK_CACHE_DIR to a folder of your own."
        )
        return None
    if status.st_mode & 0o077:
        _close(path)
    return path


def _weakness(path: Path) -> str:
    """Say how others may put another folder in this one's place, if they may; make what is missing of it."""
    for folder in reversed([path, *path.parents]):
        _make(folder)
        status = folder.lstat()
        if status.st_uid not in {os.geteuid(), *_SUPERUSERS}:
            return f"{folder} belongs to another user"
        if stat.S_ISLNK(status.st_mode):
            target = os.path.normpath(folder.parent.resolve() / folder.readlink())
            if found := _weakness(Path(target)):
                return found
        # In a sticky folder, such as /tmp, only its owner and theirs rename what is in it.
        elif _others_write(folder, status) and not status.st_mode & stat.S_ISVTX:
            return f"others can write to {folder} (chmod go-w {folder} takes that from them)"
    return ""


def _make(folder: Path) -> None:
    """Make a folder for its owner alone, whatever the process's mask, unless something is there."""
    if not os.path.lexists(folder):
        with suppress(FileExistsError):
            folder.mkdir(0o700)
            folder.chmod(0o700)


def _others_write(path: Path, status: os.stat_result) -> bool:
    """Whether others have the right to write; a group of the user's name, with nobody else in it, is none."""
    if status.st_mode & stat.S_IWOTH or not status.st_mode & stat.S_IWGRP:
        return bool(status.st_mode & stat.S_IWOTH)
    try:
        user, group = getpwuid(os.geteuid()).pw_name, getgrgid(status.st_gid)
        return group.gr_name != user or bool({*group.gr_mem} - {user}) or _ACCESS_LIST in os.listxattr(path)
    except (KeyError, OSError):
        return True


def _close(path: Path) -> None:
    """Take a folder of ours from others, with what is in it only if none of it can be theirs."""
    for each in (path, *path.rglob("*")):
        status = each.lstat()
        if status.st_uid != os.geteuid() or stat.S_ISLNK(status.st_mode) or _others_write(each, status):
            aside = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
            path.rename(aside)
            _make(path)
            shutil.rmtree(aside, ignore_errors=True)
            note(f"others could write to {each}: all that was in {path} is thrown away and made anew")
            return
    with suppress(OSError):  # Where nothing can be written, others may go on reading.
        path.chmod(0o700)


@cache
def note(text: str) -> None:
    """Warn in one line, once a process."""
    warnings.warn(printable(text), RuntimeWarning, stacklevel=3)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that readers see as it was or as it will be; OSError if it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}-{os.urandom(4).hex()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
