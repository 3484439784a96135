"""Names of places without the folders that they lie in, so that a page can be handed on."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePath

from asmrisk.errors import printable

__all__ = ["Places"]

#: How calls, commands and scenarios write a text, within quotes; and with them, of equal ways the last.
_WITHIN: tuple[Callable[[str], str], ...] = (
    str,
    printable,
    lambda text: shlex.quote(f" {text}")[2:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
)
_WRITTEN = (*_WITHIN, shlex.quote, lambda text: json.dumps(text, ensure_ascii=False), repr)


class Places:
    """What stands for places: of each its name, with as many of its folders as tell it from the others.

    Parameters
    ----------
    given : iterable of str
        Paths or addresses, as texts name them.
    """

    def __init__(self, given: Iterable[str]) -> None:
        whole = {each: each if "://" in each else str(Path(each).resolve()) for each in given if each}
        parts = {PurePath(each).parts for each in whole.values()}
        # What has no folder stays as it is; "." and ".." are nobody's names.
        self._names = {
            each: each if PurePath(each).name == each != ".." else _least(PurePath(there).parts, parts)
            for each, there in whole.items()
        }
        # Whatever else lies in a folder above one of them, or here, is named without it too.
        folders = set(Path("x").absolute().parents)
        places: dict[str, str] = {}
        for each, there in whole.items():
            forms = {each.rstrip("/"), there}
            if "://" not in each:
                forms |= {str(PurePath(each)), str(Path(each).absolute())}
            for place in forms:
                folders |= set(Path(place).parents) if place.startswith("/") else set()
                # With what `asmrisk.exposure` proposes.
                name = places[place] = self._names[each]
                store, stem = (some.removesuffix(".zarr") for some in (place, name))
                places[f"{store}_with_roster.zarr"] = f"{stem}_with_roster.zarr"
        self._short = {write(f"{each}/"): "" for each in folders if each.name for write in _WITHIN}
        self._short |= {
            write(place): write(name)
            for place, name in places.items()
            if "/" in place and place.strip("./")
            for write in _WRITTEN
        }
        longest = sorted(map(re.escape, self._short), key=lambda each: (-len(each), each))
        self._pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(longest) or '(?!)'})(?:(?<=/)|(?![\w-]))")

    def name(self, place: str) -> str:
        """Give the name of a place."""
        return self._names.get(place, place)

    def shown(self, text: str) -> str:
        """Take folders out of a text that names places: whole paths alone, nothing within a word."""
        return self._pattern.sub(lambda found: self._short[found[0]], text)


def _least(parts: tuple[str, ...], known: Collection[tuple[str, ...]]) -> str:
    """Give the last parts of a path, as few as none of the others ends in."""
    others = [each for each in known if each != parts]
    counts = range(1, len(parts))
    count = next((n for n in counts if all(each[-n:] != parts[-n:] for each in others)), len(parts))
    return str(PurePath(*parts[-count:]))
