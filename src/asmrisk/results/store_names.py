"""What stores are called: names of any text as names of folders."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

__all__ = ["store_names"]

#: So many bytes of a name are kept; file systems have 255 with the ending.
_LONGEST = 120


def store_names(names: Sequence[str]) -> list[str]:
    """Make names of folders, or of prefixes in object storage, of the names of scenarios.

    Letters, digits, dots and hyphens stay; anything else becomes an underscore. Of different names that would
    have one folder, capitals aside, each is followed by its digest, whatever their order. Equal names stay
    equal.

    >>> store_names(["rho 0.9", "budget_neutral"])
    ['rho_0.9', 'budget_neutral']
    """
    plain = [_plain(name) for name in names]
    alike: dict[str, set[str]] = {}
    for name, each in zip(names, plain, strict=True):
        alike.setdefault(each.casefold(), set()).add(name)
    pairs = zip(names, plain, strict=True)
    return [each if len(alike[each.casefold()]) == 1 else f"{each}_{_digest(name)}" for name, each in pairs]


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()[:8]


def _plain(name: str) -> str:
    text = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", name)).strip("._")
    return text.encode(errors="ignore")[:_LONGEST].decode(errors="ignore") or "scenario"
