"""What a roster is left with: adjustments less those of MIPS and the cost of taking part."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.roster_metrics import HELD
from asmrisk.analysis.statistics import Row, error_cell
from asmrisk.analysis.text_tables import Group, Table

__all__ = ["MONEY", "attributes", "dollars_of", "money_table", "named"]

_Array = NDArray[np.float64]

#: Outcomes by name: their heads in tables, and meanings.
MONEY = {
    "adjustment_usd": ("adjustment", "Adjustment, dollars of the payment year"),
    "mips_forgone": ("MIPS\nforgone", "Adjustment that MIPS would have made, dollars of the payment year"),
    "net_of_mips": ("net of MIPS", "Adjustment less that of MIPS, dollars of the payment year"),
    "cost_of_participation": ("cost", "Cost of taking part, dollars of the performance year"),
    "net_of_costs": (
        "net of costs,\n{} dollars",
        "Adjustment less that of MIPS and the cost of taking part, dollars of {}",
    ),
}


def dollars_of(some: xr.Dataset) -> dict[str, _Array]:
    """Read the dollars of some clinicians, (draws, years, clinicians), NaN where not measured, by name."""
    return {name: np.asarray(some[name].values, dtype=np.float64) for name in HELD if name in some}


def named(of: str, name: str) -> str:
    """Name the variable of an outcome of `MONEY` for the roster or a practice.

    >>> named("roster", "adjustment_usd"), named("practice", "net_of_mips")
    ('roster_usd', 'practice_net_of_mips')
    """
    return f"{of}_{name.removeprefix('adjustment_')}"


def attributes(name: str, dollar_year: int | None) -> dict[str, str]:
    """Give unit and meaning of an outcome of `MONEY`."""
    return {"units": "USD", "long_name": MONEY[name][1].format(dollar_year)}


def money_table(
    found: xr.Dataset,
    title: str,
    parts: Callable[[str], Sequence[str]],
    labels: Sequence[str],
    rows: Callable[[xr.DataArray], list[Row]],
    scale: tuple[float, str],
    places: Sequence[int] | None = None,
) -> Table | None:
    """Show the means of what is left; nothing where results do not have it.

    Parameters
    ----------
    found : xarray.Dataset
        As `asmrisk.clinicians` gives it.
    title : str
        What is shown, before the unit.
    parts : callable
        Names, of an outcome of `MONEY`, the variables whose rows stand below each other.
    labels : sequence of str
        Of the rows.
    rows : callable
        Gives the statistics of each label of a variable.
    scale : (float, str)
        What dollars are multiplied by, and the name of what then is 1.
    places : sequence of int, optional
        Which rows, if not all.
    """
    write, heads, columns = error_cell("mean"), [], []
    if "net_of_mips" not in found:
        return None
    for name, (head, _) in MONEY.items():
        if name in found:
            told = [row for each in parts(name) for row in rows(found[each])]
            told = told if places is None else [told[place] for place in places]
            heads.append(head.format(found.attrs.get("dollar_year")))
            columns.append([write(row, scale[0]) for row in told])
    return Table(labels, [Group(f"{title}, {scale[1]}", heads, columns)])
