"""The storage at a place, whatever it is: `Folder` and `Bucket` have the same methods.

Both can be pickled and used from several threads. A key is the path of a file inside the store, as in
``participants/c.3.0.0``. Files are created, never overwritten, but for the few that a commit or a repair
changes, one changer at a time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from asmrisk.errors import InputError
from asmrisk.results.folder import Folder
from asmrisk.results.place import place_of

if TYPE_CHECKING:
    from asmrisk.results.object_storage import Bucket

    Storage: TypeAlias = Folder | Bucket

__all__ = ["storage_at"]


def storage_at(place: Storage | str | os.PathLike[str]) -> Storage:
    """Give the storage at a place; InputError if it is not understood, or needs a package that is missing."""
    if not isinstance(place, (str, os.PathLike)):
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
