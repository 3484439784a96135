"""Tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["WIDTH", "Group", "scale_of", "tables"]

#: Columns of the narrowest terminal that text is made for.
WIDTH = 80

#: A title, and the heads and cells of the columns under it.
Group = tuple[str, Sequence[str], Sequence[Sequence[str]]]

#: Where a cell may be broken in two: before its error, or before its interval.
_ERROR, _INTERVAL = " ± ", " ("


def scale_of(units: str, largest: float) -> tuple[float, str]:
    """Choose the unit in which numbers are shown.

    Parameters
    ----------
    units : str
        As a metric declares them.
    largest : float
        Size of the largest number.

    Returns
    -------
    factor : float
        What to multiply by.
    name : str
        Of the unit, to follow a title.

    Examples
    --------
    >>> scale_of("fraction", 0.5), scale_of("USD", 3e7), scale_of("USD", 900.0)
    ((100.0, ', %'), (1e-06, ', $ million'), (1.0, ', $'))
    """
    if units == "fraction":
        return 100.0, ", %"
    if units == "USD":
        return (1e-6, ", $ million") if largest >= 1e5 else (1.0, ", $")
    return 1.0, {"points": ", points"}.get(units, "")


def tables(labels: Sequence[str], groups: Sequence[Group]) -> list[str]:
    """Set groups of columns side by side under their titles, or below each other if there is no room.

    Parameters
    ----------
    labels : sequence of str
        Of the rows.
    groups : sequence of Group
        Columns under their titles; a table that is still too wide has errors and intervals below their
        values, or its columns in two tables if that is not enough.

    Returns
    -------
    list of str
        Lines, the first of them empty.
    """
    margin = max(4, *map(len, labels))
    rows = [" " * margin, " " * margin, *(label.ljust(margin) for label in labels)]
    for title, heads, columns in groups:
        block = ["" for _ in labels]
        head = ""
        for name, column in zip(heads, columns, strict=True):
            width = 2 + max(len(name), *map(len, column))
            head += name.rjust(width)
            block = [line + cell.rjust(width) for line, cell in zip(block, column, strict=True)]
        width = max(len(head), len(title) + 2 if len(groups) > 1 else 0)
        top = "  " + title.center(width - 2) if len(groups) > 1 else title
        rows = [
            line + each.rjust(width) if row else (line if len(groups) > 1 else "") + each
            for row, (line, each) in enumerate(zip(rows, [top, head, *block], strict=True))
        ]
    if len(groups) > 1 and max(map(len, rows)) > WIDTH:
        return [line for group in groups for line in tables(labels, [group])]
    if max(map(len, rows)) > WIDTH:
        folded = _folded(columns)
        width = margin + sum(
            2 + max(len(head), *map(len, cells)) for head, cells in zip(heads, folded, strict=True)
        )
        if len(heads) > 1 and width > WIDTH:
            half = (len(heads) + 1) // 2
            return [
                line
                for part in (slice(half), slice(half, None))
                for line in tables(labels, [(title, heads[part], columns[part])])
            ]
        if any(sign in cell for column in columns for cell in column for sign in (_ERROR, _INTERVAL)):
            return tables([each for label in labels for each in (label, "")], [(title, heads, folded)])
    return ["", *(row.rstrip() for row in rows)]


def _folded(columns: Sequence[Sequence[str]]) -> list[list[str]]:
    """Put errors and intervals below their values."""
    return [[part for cell in column for part in _halves(cell)] for column in columns]


def _halves(cell: str) -> tuple[str, str]:
    for sign in (_ERROR, _INTERVAL):
        if sign in cell:
            value, _, rest = cell.partition(sign)
            return value, (sign + rest).strip()
    return cell, ""
