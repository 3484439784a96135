"""Where results can be, and the storage there: a folder, or a place in object storage.

`Folder` and `Bucket` have the same methods, can be pickled, and used from several threads; keys are paths.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from asmrisk.arguments import PATH, check_arguments
from asmrisk.errors import InputError
from asmrisk.results.folder import Folder

if TYPE_CHECKING:
    from asmrisk.results.object_storage import Bucket

__all__ = ["Place", "Storage", "place_of", "storage_at", "usable"]

Storage: TypeAlias = "Folder | Bucket"

#: A folder, or ``s3://bucket/prefix`` as text.
Place = Path | str

#: Bucket names as Amazon allows them.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

#: `pathlib` makes one slash of two, so a path that was a URL has only one left.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/+(.*)", re.DOTALL)


def place_of(given: str | os.PathLike[str], argument: str = "path") -> Place:
    """Understand where results are: a folder, or ``s3://bucket/prefix``; InputError for anything else.

    The `argument` is named where something of another type was given.

    Examples
    --------
    >>> place_of("s3://results/2026/baseline.zarr/")
    's3://results/2026/baseline.zarr'
    """
    check_arguments(**{argument: (PATH, given)})
    text = os.fspath(given)
    url = _SCHEME.fullmatch(text)
    if "\0" in text:
        raise InputError(f"{text!r} is no path: it has a null byte.")
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
    if not __debug__:
        raise InputError(
            "Python runs without its assertions (-O or PYTHONOPTIMIZE), and zarr cannot read without them; "
            "leave that out."
        )
    if not isinstance(place, (str, os.PathLike)):
        if not hasattr(place, "place"):
            check_arguments(path=(PATH, place))
        return place
    where = place_of(place)
    if isinstance(where, Path):
        return Folder(where)
    try:
        # An extra.
        from asmrisk.results.object_storage import Bucket
    except ImportError:
        raise InputError(
            "Results at s3://… need a package that is not installed; install asmrisk with the extra s3: "
            "pip install 'asmrisk[s3]'."
        ) from None
    return Bucket(where)


@contextmanager
def usable(place: Place, how: str = "read", remedy: str = "") -> Iterator[None]:
    """Say of a place that it cannot be read, or used (no permission, no network, a link), as InputError.

    That it is merely full is left to others to say.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(f"{place} cannot be {how} ({error.strerror or error}).{remedy}") from None
