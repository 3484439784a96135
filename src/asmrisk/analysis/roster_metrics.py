"""Dollars of a roster, its practices and its clinicians, from those that results hold of each clinician.

Adjustments and those of MIPS are dollars of the payment year, costs of the performance year. What is left
after both is in dollars of one year, converted by `population.deflator`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asmrisk.analysis.metrics import Metric
from asmrisk.rule.definitions import PAYMENT_LAG

__all__ = [
    "HELD",
    "Practices",
    "held_by",
    "money_of",
    "practice_sums",
    "practices_of",
    "prices",
    "roster_values",
]

_Array = NDArray[np.float64]
_Places = NDArray[np.int64]

#: What results hold of each clinician; the rest follows.
HELD = ("adjustment_usd", "mips_forgone", "cost_of_participation")


class Practices(NamedTuple):
    """A roster's practices, and whose clinicians are whose."""

    names: NDArray[np.object_]  #: (practices,)
    works: _Places  #: (clinicians,) place of the practice in which the clinician works
    bills: _Places  #: (clinicians,) place of the one that bills in the payment years

    def whose(self, held: str) -> _Places:
        """Say whose an outcome of `HELD` is: who bills has the dollars; who employs pays for taking part."""
        return self.works if held == "cost_of_participation" else self.bills

    def sums(self, values: NDArray[Any], held: str = "adjustment_usd", some: range | None = None) -> _Array:
        """Add up an outcome of `HELD` by practice.

        Parameters
        ----------
        values : ndarray, shape (..., clinicians)
            Without gaps.
        held : str
            Which outcome it is, that is whose.
        some : range, optional
            Places of the practices that are wanted; all if not given.

        Returns
        -------
        ndarray of float64, shape (..., practices)
            0 for a practice without clinicians.
        """
        whose, some = self.whose(held), range(len(self.names)) if some is None else some
        order = np.argsort(whose, kind="stable")
        order = order[(whose[order] >= some.start) & (whose[order] < some.stop)]
        there, first = np.unique(whose[order], return_index=True)
        found = np.zeros((*values.shape[:-1], len(some)))
        if len(there):
            # Who comes practice by practice needs no second copy.
            ordered = values if np.array_equal(order, np.arange(len(whose))) else values[..., order]
            found[..., there - some.start] = np.add.reduceat(ordered, first, axis=-1)
        return found


def practices_of(works: Iterable[Any], bills: Iterable[Any]) -> Practices:
    """Find the practices in which somebody works or for which somebody is billed, in the order of the former.

    >>> practices_of(["east", "east"], ["east", "west"]).bills.tolist()
    [0, 1]
    """
    columns = [list(map(str, each)) for each in (works, bills)]
    names = list(dict.fromkeys(columns[0] + columns[1]))
    code = {name: place for place, name in enumerate(names)}
    of_work, of_bill = (np.array([code[each] for each in column], dtype=np.int64) for column in columns)
    return Practices(np.array(names, dtype=object), of_work, of_bill)


def practice_sums(
    dollars: Mapping[str, _Array], practices: Practices, some: range | None = None
) -> dict[str, _Array]:
    """Add up dollars by practice: (draws, years, practices), a year without measurement counts as 0.

    Parameters
    ----------
    dollars : mapping of str to ndarray of float64, shape (draws, years, clinicians)
        By name of `HELD`; NaN where not measured.
    practices : Practices
        Of these clinicians.
    some : range, optional
        Places of the practices that are wanted; all if not given.
    """
    return {
        name: practices.sums(np.where(np.isnan(each), 0.0, each), name, some)
        for name, each in dollars.items()
    }


def prices(deflator: ArrayLike, dollar_year: int, years: ArrayLike) -> _Array:
    """Give what turns dollars of each performance year, and of its payment year, into those of one year.

    Parameters
    ----------
    deflator : array_like of float64
        A number, or one each draw.
    dollar_year : int
        That year.
    years : array_like of int
        Performance years.

    Returns
    -------
    ndarray of float64, shape (2, 1 or draws, years)
        Prices of that year over the year's.
    """
    now = np.asarray(years)
    ahead = dollar_year - np.stack([now, now + PAYMENT_LAG])
    return np.asarray((1.0 + np.reshape(deflator, (-1, 1))) ** ahead[:, None], dtype=np.float64)


def money_of(dollars: Mapping[str, _Array], prices: _Array | None) -> dict[str, _Array]:
    """Give the outcomes that follow from dollars.

    Parameters
    ----------
    dollars : mapping of str to ndarray of float64, shape (draws, years, ...)
        By name of `HELD`, as far as they are known; of clinicians, or sums of some.
    prices : ndarray of float64, shape (2, 1 or draws, years), or None
        As `prices` gives it.

    Returns
    -------
    dict of str to ndarray of float64, shape (draws, years, ...)
        The same and, as far as they are known, ``net_of_mips`` and ``net_of_costs``.
    """
    found = dict(dollars)
    if "mips_forgone" in dollars:
        found["net_of_mips"] = dollars["adjustment_usd"] - dollars["mips_forgone"]
        if prices is not None and "cost_of_participation" in dollars:
            now, later = prices.reshape(*prices.shape, *[1] * (found["net_of_mips"].ndim - 2))
            found["net_of_costs"] = found["net_of_mips"] * later - dollars["cost_of_participation"] * now
    return found


def held_by(metric: Metric) -> tuple[str, ...]:
    """Name what of `HELD` a roster's metric is made of."""
    count = {"net_of_mips": 2, "net_of_costs": 3}.get(metric.outcome)
    return HELD[:count] if count else (_held(metric),)


def _held(metric: Metric) -> str:
    return "adjustment_usd" if metric.outcome == "net_adjustment" else metric.outcome


def roster_values(
    metric: Metric,
    dollars: Mapping[str, _Array],
    practices: Practices | None,
    prices: _Array | None,
    *,
    by_year: bool,
) -> _Array:
    """Give the draws of a roster's metric.

    Parameters
    ----------
    metric : Metric
        With a level of `asmrisk.analysis.metrics.LEVELS_OF_ROSTER`.
    dollars : mapping of str to ndarray of float64, shape (draws, years, clinicians)
        What `held_by` names; NaN where not measured.
    practices : Practices or None
        Needed for those of practices.
    prices : ndarray of float64, shape (2, 1 or draws, years), or None
        Needed for what is left after costs.
    by_year : bool
        Years are told apart; otherwise they are added up.

    Returns
    -------
    ndarray of float64, shape (draws[, years][, practices or clinicians])
        By year NaN where a clinician is not measured; in every sum such a year counts as 0.
    """
    if metric.of == "practice":
        if practices is None:
            raise ValueError("metrics of practices need the practices")
        dollars = practice_sums(dollars, practices)
    values = money_of(dollars, prices)[_held(metric)]
    gone = [2] * (metric.of == "roster") + [1] * (not by_year)
    if gone:
        values = np.where(np.isnan(values), 0.0, values).sum(axis=tuple(gone))
    return values
