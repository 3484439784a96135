"""What somebody stands to lose: statistics of dollars by draw, and penalties that hit hardest.

Plain arrays whose first axis is the draw and whose last one says who: a clinician, a practice, all together.
A loss is a negative number of dollars everywhere; a loss that is asked for is a positive one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.estimates import Sets, mean
from asmrisk.analysis.tail import tail_value_at_risk
from asmrisk.errors import InputError

__all__ = ["IN_A_ROW", "check_loss", "hit_by_maximum", "money_at_risk", "penalized_in_a_row"]

#: Years of penalties in a row that are asked about.
IN_A_ROW = 3

#: Numbers that are worked on at a time, so that they stay in a processor's cache.
_TOGETHER = 100_000

_Array = NDArray[np.float64]
_Events = NDArray[np.bool_]


def check_loss(loss: Any) -> float | None:
    """Give a loss that is asked for, if any; InputError unless it is a positive number of dollars.

    >>> check_loss(500_000)
    500000.0
    """
    if loss is None:
        return None
    if isinstance(loss, bool) or not isinstance(loss, (int, float, np.number)) or not math.isfinite(loss):
        text, remedy = f"{loss!r} is no number of dollars", "a positive number, for example 500000"
        raise InputError(text, argument="loss", allowed=remedy)
    if loss <= 0.0:
        again = f"; write {-loss:.12g} for the chance of losing more than ${-loss:,.0f}" if loss else ""
        text = f"{loss:.12g} is not allowed: a loss is asked for as a positive number of dollars{again}"
        raise InputError(text, argument="loss", allowed="more than 0")
    return float(loss)


def money_at_risk(
    dollars: _Array, sets: Sets, *, loss: float | None = None, level: float = 0.95
) -> dict[str, _Array]:
    """Estimate how much is won or lost, and how likely losses are.

    Parameters
    ----------
    dollars : ndarray of float64, shape (draws, who)
        What is paid to each (a loss is negative), of one year or summed over years; NaN in draws that are not
        to count.
    sets : ndarray of int64, shape (draws,), or None
        Number of each draw's parameter set, in ascending order; None where each draw is a set of its own.
    loss : float, optional
        Positive: the probability of losing more than this is wanted too.
    level : float
        The worst share 1 - `level` of draws is looked at.

    Returns
    -------
    dict of str to ndarray of float64, shape (who,)
        In dollars ``mean`` with its standard error ``mean_error``, ``sd``, the quantiles ``p05``, ``p50`` and
        ``p95``, and ``worst_5_percent_mean``, the mean of the worst draws (its name follows the level), NaN
        where fewer than `asmrisk.analysis.tail.LEAST_SETS_IN_TAIL` sets are among them;
        ``probability_of_loss`` of less than 0 dollars, ``probability_of_loss_above`` of less than -`loss`
        (NaN if no loss is asked for). Each is what `asmrisk.analysis.estimates` and `asmrisk.analysis.tail`
        give of the draws that count, NaN without any.

    Raises
    ------
    InputError
        If the loss is not positive.

    Examples
    --------
    >>> found = money_at_risk(np.linspace(-600.0, 399.0, 1000)[:, None], None, loss=500.0)
    >>> {name: round(each.item(), 2) for name, each in found.items() if "of" in name or "worst" in name}
    {'worst_5_percent_mean': -575.5, 'probability_of_loss': 0.6, 'probability_of_loss_above': 0.1}
    """
    loss = check_loss(loss)
    draws, count = dollars.shape
    width = max(1, _TOGETHER // max(draws, 1))
    parts = [
        _estimates(np.asfortranarray(dollars[:, first : first + width]), sets, loss, level)
        for first in range(0, max(count, 1), width)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _estimates(dollars: _Array, sets: Sets, loss: float | None, level: float) -> dict[str, _Array]:
    """Estimate for a few, whose draws lie together in memory."""
    center = mean(dollars, sets)
    ordered = np.sort(dollars, axis=0)  # NaNs last
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.nansum((dollars - center.value) ** 2, axis=0) / center.draws
    # As `asmrisk.analysis.estimates.standard_deviation`, with or without sets.
    found = {"mean": center.value, "mean_error": center.error, "sd": np.sqrt(spread + center.error**2)}
    found |= {f"p{percent:02d}": _quantile(ordered, center.draws, percent / 100) for percent in (5, 50, 95)}
    worst = f"worst_{100 * (1 - level):.12g}_percent_mean"
    found[worst] = -tail_value_at_risk(-dollars, level, sets)[0]
    for name, amount in (("probability_of_loss", 0.0), ("probability_of_loss_above", loss)):
        hits = np.full(len(center.value), np.nan) if amount is None else (dollars < -amount).sum(axis=0)
        with np.errstate(invalid="ignore"):
            found[name] = hits / center.draws
    return found


def _quantile(ordered: _Array, counts: NDArray[np.int64], level: float) -> _Array:
    """Give a quantile (Hyndman-Fan type 7) of sorted columns, of which the first entries count."""
    if not len(ordered):
        return np.full(counts.shape, np.nan)
    position = np.maximum(counts - 1, 0) * level
    below = position.astype(np.int64)
    each = np.arange(len(counts))
    bottom, top = ordered[below, each], ordered[np.minimum(below + 1, np.maximum(counts - 1, 0)), each]
    return np.asarray(bottom + (position - below) * (top - bottom))


def hit_by_maximum(factors: _Array, risk_levels: _Array) -> _Events:
    """Say who has the largest penalty that there is.

    Parameters
    ----------
    factors : ndarray of float64, shape (draws, years, who)
        Adjustment factors; NaN where not measured.
    risk_levels : ndarray of float64, shape (1 or draws, years)
        Share of payments at risk.

    Returns
    -------
    ndarray of bool, shape (draws, years, who)
        False where not measured. A transformed score of zero leaves exactly minus the risk level.
    """
    return np.asarray((factors < 0.0) & (factors <= -risk_levels[:, :, None]))


def penalized_in_a_row(factors: _Array, years: int = IN_A_ROW) -> _Events:
    """Say who is penalized in so many consecutive years: (draws, who), of factors as in `hit_by_maximum`."""
    penalized = factors < 0.0
    row = np.zeros_like(penalized[:, 0])
    for first in range(factors.shape[1] - years + 1):
        row |= penalized[:, first : first + years].all(axis=1)
    return row
