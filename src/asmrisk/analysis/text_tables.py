"""Tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["WIDTH", "Group", "Table", "stepped", "table_lines"]

#: Columns of the narrowest terminal that text is made for.
WIDTH = 80

#: Where a cell may be broken in two: before its error, or before its interval.
_ERROR, _INTERVAL = " ± ", " ("


class Group(NamedTuple):
    """Columns under one title."""

    title: str
    heads: Sequence[str]  #: of the columns, in as many lines as they have
    columns: Sequence[Sequence[str]]


class Table(NamedTuple):
    """Groups of columns side by side."""

    labels: Sequence[str]  #: of the rows
    groups: Sequence[Group]
    notes: Sequence[str] = ()  #: words at the end of each row; such a table is as wide as it must be


def stepped(labels: Sequence[Sequence[str]], group: Group) -> Table:
    """Make a table of rows with several labels: the last is set in, below a row for those before it."""
    names: list[str] = []
    columns: list[list[str]] = [[] for _ in group.columns]
    before: list[str] = []
    for (*first, last), cells in zip(labels, zip(*group.columns, strict=True), strict=True):
        heads = [] if first == before else [(" ".join(first), ("",) * len(cells))]
        before = first
        for name, each in [*heads, (f"  {last}" if first else last, cells)]:
            names.append(name)
            for column, cell in zip(columns, each, strict=True):
                column.append(cell)
    return Table(names, [group._replace(columns=columns)])


def table_lines(table: Table) -> list[str]:
    """Set a table: titles, heads, and rows.

    Groups stand below each other if there is no room for them side by side; a group that is still too wide
    has errors and intervals below their values, or its columns in two tables if that is not enough.
    """
    labels, groups, notes = table
    margin = max(4, *map(len, labels))
    height = _height(groups)
    lines = [*[" " * margin] * height, *(label.ljust(margin) for label in labels)]
    if len(groups) == 1:
        lines = [line + part for line, part in zip(lines, _block(groups[0], height), strict=True)]
        title = groups[0].title
    else:
        blocks = [_block(group, height) for group in groups]
        widths = [
            max(len(block[0]), 2 + len(group.title)) for block, group in zip(blocks, groups, strict=True)
        ]
        for block, width in zip(blocks, widths, strict=True):
            lines = [line + part.rjust(width) for line, part in zip(lines, block, strict=True)]
        title = " " * margin + "".join(
            "  " + group.title.center(width - 2) for group, width in zip(groups, widths, strict=True)
        )
    if notes:
        lines = [f"{line}  {note}" for line, note in zip(lines, [*[""] * height, *notes], strict=True)]
    lines = [line.rstrip() for line in ([title, *lines] if title else lines)]
    return lines if notes or max(map(len, lines)) <= WIDTH else _narrower(table, lines)


def _height(groups: Sequence[Group]) -> int:
    """Count the lines of heads."""
    return 1 + max((head.count("\n") for group in groups for head in group.heads), default=0)


def _block(group: Group, height: int) -> list[str]:
    """Set heads, in `height` lines, and rows of a group."""
    columns = [
        [*[""] * (height - 1 - head.count("\n")), *head.split("\n"), *cells]
        for head, cells in zip(group.heads, group.columns, strict=True)
    ]
    widths = [2 + max(map(len, column)) for column in columns]
    return ["".join(map(str.rjust, cells, widths)) for cells in zip(*columns, strict=True)]


def _narrower(table: Table, lines: list[str]) -> list[str]:
    """Set a table that is too wide with lines as they are."""
    labels, groups, _ = table
    if len(groups) > 1:
        return _below_each_other([Table(labels, [group]) for group in groups])
    ((title, heads, columns),) = groups
    folded = [[part for cell in column for part in _halves(cell)] for column in columns]
    width = max(4, *map(len, labels)) + len(_block(Group(title, heads, folded), _height(groups))[0])
    if len(heads) > 1 and width > WIDTH:
        half = (len(heads) + 1) // 2
        parts = slice(half), slice(half, None)
        return _below_each_other(
            [Table(labels, [Group(title, heads[part], columns[part])]) for part in parts]
        )
    if folded == [[part for cell in column for part in (cell, "")] for column in columns]:
        return lines
    rows = zip([each for label in labels for each in (label, "")], *folded, strict=True)
    names, *halves = zip(*filter(any, rows), strict=True)
    return table_lines(Table(names, [Group(title, heads, halves)]))


def _below_each_other(tables: Sequence[Table]) -> list[str]:
    return [line for table in tables for line in ("", *table_lines(table))][1:]


def _halves(cell: str) -> tuple[str, str]:
    """Part a cell before its error or interval."""
    for sign in (_ERROR, _INTERVAL):
        if sign in cell:
            value, _, rest = cell.partition(sign)
            return value, (sign + rest).strip()
    return cell, ""
