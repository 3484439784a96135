"""What a roster is left with: adjustments less those that MIPS would have made and the cost of taking part.

Adjustments and those of MIPS are dollars of the payment year, costs of the performance year. What is left
after both is in dollars of one year, converted by `population.deflator`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import Row, error_cell
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.rule.definitions import PAYMENT_LAG

__all__ = ["MONEY", "attributes", "dollars_of", "money_of", "money_table", "named", "stated_prices"]

_Array = NDArray[np.float64]

_DEFLATOR = "population.deflator"
#: What results hold; the rest follows.
_HELD = ("adjustment_usd", "mips_forgone", "cost_of_participation")

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


def stated_prices(run: RunResults) -> _Array | None:
    """Give what turns dollars of each performance year, and of its payment year, into those of one year.

    Parameters
    ----------
    run : RunResults
        With the performance years and where the results come from.

    Returns
    -------
    ndarray of float64, shape (2, 1 or draws, years), or None
        Prices of ``run.dollar_year`` over the year's; None where the results do not say, or where the
        deflator is unknown and its values are not at hand.
    """
    stated, parameters = run.dollar_year, run.provenance.get("parameters", {})
    if stated is None or _DEFLATOR not in parameters:
        return None
    deflator: Any = np.array([[parameters[_DEFLATOR]["value"]]], dtype=np.float64)
    if _DEFLATOR in run.unknowns:
        deflator = run.drawn([_DEFLATOR])
        if deflator is None:
            return None
    years = run.dataset["performance_year"].values
    ahead = stated - np.stack([years, years + PAYMENT_LAG])
    return np.asarray((1.0 + deflator) ** ahead[:, None], dtype=np.float64)


def dollars_of(some: xr.Dataset) -> dict[str, _Array]:
    """Read the dollars of some clinicians, (draws, years, clinicians), NaN where not measured, by name."""
    return {name: np.asarray(some[name].values, dtype=np.float64) for name in _HELD if name in some}


def named(of: str, name: str) -> str:
    """Name the variable of an outcome of `MONEY` for the roster or a practice.

    >>> named("roster", "adjustment_usd"), named("practice", "net_of_mips")
    ('roster_usd', 'practice_net_of_mips')
    """
    return f"{of}_{name.removeprefix('adjustment_')}"


def attributes(name: str, dollar_year: int | None) -> dict[str, str]:
    """Give unit and meaning of an outcome of `MONEY`."""
    return {"units": "USD", "long_name": MONEY[name][1].format(dollar_year)}


def money_of(dollars: Mapping[str, _Array], prices: _Array | None) -> dict[str, _Array]:
    """Give the outcomes of `MONEY` that follow from dollars.

    Parameters
    ----------
    dollars : mapping of str to ndarray of float64, shape (draws, years, ...)
        As `dollars_of` gives them, as far as they are known; of clinicians, or sums of some.
    prices : ndarray of float64, shape (2, 1 or draws, years), or None
        As `stated_prices` gives it.

    Returns
    -------
    dict of str to ndarray of float64, shape (draws, years, ...)
        By name of `MONEY`.
    """
    found = dict(dollars)
    if "mips_forgone" in dollars:
        found["net_of_mips"] = dollars["adjustment_usd"] - dollars["mips_forgone"]
        if prices is not None and "cost_of_participation" in dollars:
            now, later = prices.reshape(*prices.shape, *[1] * (found["net_of_mips"].ndim - 2))
            found["net_of_costs"] = found["net_of_mips"] * later - dollars["cost_of_participation"] * now
    return found


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
