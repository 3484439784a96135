"""What was done to a table so that it can be read, told in one line."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Conversions"]

#: What one and what several of each kind are called: what is converted, then what is left out.
_CONVERTED = {
    "names": ("a column name", "{} column names"),
    "dollars": ("1 column with $ or thousands separators", "{} columns with $ or thousands separators"),
    "percent": ("1 percent column", "{} percent columns"),
    "commas": ("decimal commas", "decimal commas"),
    "signs": ("negatives in 1 column", "negatives in {} columns"),
    "words": ("spelling in 1 column", "spelling in {} columns"),
    "flags": ("yes and no in 1 column", "yes and no in {} columns"),
    "identities": (".0 of identities in 1 column", ".0 of identities in {} columns"),
    "nothing": ("1 cell with N/A, - or the like as empty", "{} cells with N/A, - or the like as empty"),
}
_LEFT_OUT = {
    "title": ("title row", "{} rows above the header"),
    "totals": ("total row", "{} total rows"),
    "remarks": ("a remark below", "{} remarks below"),
    "blank": ("1 blank row", "{} blank rows"),
    "examples": ("1 example row", "{} example rows"),
}
_HIDDEN = {"hidden": ("1 hidden row or column", "{} hidden rows and columns")}


class Conversions:
    """Counts of what was converted and left out, by kind."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, kind: str, count: int = 1) -> None:
        """Count so many more of a kind."""
        self._counts[kind] = self._counts.get(kind, 0) + count

    def tell(self, source: str, rows: int, notes: Callable[[str], None]) -> None:
        """Say in one line what was done, if anything was."""
        parts = [
            f"{head}: {', '.join(told)}"
            for head, kinds in (("converted", _CONVERTED), ("left out", _LEFT_OUT), ("read too", _HIDDEN))
            if (told := self._told(kinds))
        ]
        if parts:
            notes("; ".join([f"{source}: read {rows:,} {'row' if rows == 1 else 'rows'}", *parts]))

    def _told(self, kinds: dict[str, tuple[str, str]]) -> list[str]:
        counts = self._counts
        return [
            one if counts[kind] == 1 else several.format(f"{counts[kind]:,}")
            for kind, (one, several) in kinds.items()
            if counts.get(kind)
        ]
