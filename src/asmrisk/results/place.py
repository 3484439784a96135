"""Where results can be: a folder, or a place in object storage."""

from __future__ import annotations

import os
import re
from pathlib import Path

from asmrisk.errors import InputError

__all__ = ["Place", "place_of"]

#: A folder, or ``s3://bucket/prefix`` as text.
Place = Path | str

#: Bucket names as Amazon allows them.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

#: `pathlib` makes one slash of two, so a path that was a URL has only one left.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/+(.*)", re.DOTALL)


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
