"""Where results are: a folder on a local or shared file system, or a prefix in object storage."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from asmrisk.errors import InputError

__all__ = ["Location", "ObjectUrl", "location"]

#: Bucket names as Amazon allows them.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

#: `pathlib` makes one slash of two, so a path that was a URL has only one left.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/+(.*)", re.DOTALL)


@dataclass(frozen=True)
class ObjectUrl(os.PathLike):
    """A place in object storage.

    Attributes
    ----------
    bucket : str
        Name of the bucket.
    prefix : str
        What the keys of all its objects begin with; no slash at either end.

    Examples
    --------
    >>> print(location("s3://results/baseline.zarr") / "cohort")
    s3://results/baseline.zarr/cohort
    """

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def __fspath__(self) -> str:
        return str(self)

    def __truediv__(self, name: str) -> ObjectUrl:
        return ObjectUrl(self.bucket, f"{self.prefix}/{name}")

    @property
    def name(self) -> str:
        """Last part of the prefix."""
        return self.prefix.rpartition("/")[2]


#: A folder, or a place in object storage.
Location = Path | ObjectUrl


def location(given: str | os.PathLike[str]) -> Location:
    """Understand where results are.

    Parameters
    ----------
    given : str or path-like
        A path, or ``s3://bucket/prefix``.

    Returns
    -------
    pathlib.Path or ObjectUrl
        The place.

    Raises
    ------
    InputError
        If it is a URL of another kind, or one without bucket or prefix.

    Examples
    --------
    >>> location("s3://results/2026/baseline.zarr/")
    ObjectUrl(bucket='results', prefix='2026/baseline.zarr')
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
    bucket, _, prefix = url[2].partition("/")
    parts = prefix.strip("/").split("/")
    if not _BUCKET.fullmatch(bucket) or not all(
        part not in ("", ".", "..") and part.isprintable() for part in parts
    ):
        raise InputError(
            f"{text} names no place in object storage: it must be s3://BUCKET/PREFIX, as in "
            "s3://my-bucket/results/baseline.zarr, with no empty part, '.' or '..' in the prefix."
        )
    return ObjectUrl(bucket, "/".join(parts))
