"""Tail risk from draws: value at risk, the mean beyond it, and probabilities, each with its error.

Everything works on plain arrays whose first axis is the draw, and errors come from whole parameter sets, as
in `asmrisk.analysis.estimates`. A tail with fewer than `LEAST_SETS_IN_TAIL` of them is not estimated.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from asmrisk.analysis.estimates import Sets, effective_draws, mean, quantile, set_counts
from asmrisk.errors import InputError, Problem

__all__ = [
    "LEAST_SETS_IN_TAIL",
    "FewDrawsWarning",
    "Probability",
    "Tail",
    "check_tail",
    "probability",
    "sets_needed",
    "tail_risk",
    "tail_value_at_risk",
    "warn_of_few_draws",
]

#: Least number of parameter sets in a tail, on average. Their count beyond a true quantile is binomial, so
#: with twenty the share beyond the estimated one is off by less than a quarter (1/√20).
LEAST_SETS_IN_TAIL = 20

_Array = NDArray[np.float64]


class FewDrawsWarning(UserWarning):
    """There are too few parameter sets for a tail."""


class Probability(NamedTuple):
    """Share of draws with an interval that holds the true probability with at least the stated confidence."""

    value: _Array  #: the share; NaN without draws
    error: _Array  #: standard error; 0 if all draws or none have it, and then the interval tells more
    low: _Array  #: lower end
    high: _Array  #: upper end
    draws: NDArray[np.int64]  #: draws that it rests on


class Tail(NamedTuple):
    """Where the worst draws begin, and their mean; in the unit and with the sign of the draws.

    NaN where fewer than `LEAST_SETS_IN_TAIL` parameter sets are in the tail.
    """

    value: _Array  #: value at risk: the quantile beyond which the worst draws lie
    low: _Array  #: lower end of its 95% interval
    high: _Array  #: upper end
    mean: _Array  #: tail value at risk: mean of the worst draws
    mean_error: _Array  #: its standard error


def check_tail(tail: Iterable[float]) -> tuple[float, ...]:
    """Give probabilities from the largest to the smallest, each once; InputError unless between 0 and 0.5."""
    chosen = list(tail)
    wrong = [
        Problem(
            f"{each!r} is not allowed",
            argument="tail",
            allowed="probabilities of more than 0 and less than 0.5, for example 0.05",
        )
        for each in chosen
        if isinstance(each, bool) or not isinstance(each, (int, float)) or not 0.0 < each < 0.5
    ]
    if wrong:
        raise InputError(wrong)
    return tuple(sorted({float(each) for each in chosen}, reverse=True))


def sets_needed(level: float) -> int:
    """Give the number of parameter sets of which `LEAST_SETS_IN_TAIL` are in a tail of probability `level`.

    >>> sets_needed(0.05), sets_needed(0.01)
    (400, 2000)
    """
    return math.ceil(LEAST_SETS_IN_TAIL / level - 1e-9)


def warn_of_few_draws(tail: Iterable[float], draws: int, per_set: int = 1) -> None:
    """Warn of tails, given by their probabilities, with fewer than `LEAST_SETS_IN_TAIL` parameter sets.

    Parameters
    ----------
    tail : iterable of float
        Probabilities.
    draws : int
        Number of draws.
    per_set : int
        Draws of each parameter set; the last set may have fewer.
    """
    sets = math.ceil(draws / per_set)
    for level in tail:
        needed = sets_needed(level)
        if sets < needed:
            kind = "draws" if per_set == 1 else "parameter sets"
            more = "" if per_set == 1 else f" ({needed * per_set:,} draws)"
            warnings.warn(
                f"a tail of {100 * level:g}% holds {level * sets:.3g} of {sets:,} {kind} on average; with "
                f"fewer than {LEAST_SETS_IN_TAIL} it is not estimated: {needed:,} {kind}{more} are needed",
                FewDrawsWarning,
                stacklevel=3,
            )


def probability(events: ArrayLike, confidence: float = 0.95, sets: Sets = None) -> Probability:
    """Estimate probabilities, with the exact binomial interval (Clopper and Pearson, Biometrika 26, 1934).

    Parameters
    ----------
    events : array_like of float64, shape (n, ...)
        One entry a draw: 1 if it happened, 0 if not, NaN where that is not defined.
    confidence : float
        Least probability that the interval holds the true one. Exact where every draw is a set of its own;
        else the interval is that of as many independent draws as tell as much, and approximate (Korn and
        Graubard, Survey Methodology 24, 1998).
    sets : ndarray of int64, shape (n,), optional
        Number of each draw's parameter set.

    Examples
    --------
    >>> never = probability(np.zeros(100))
    >>> float(never.value), round(float(never.high), 4)
    (0.0, 0.0362)
    """
    x = np.asarray(events, dtype=np.float64)
    share = mean(x, sets)
    n = effective_draws(x, sets)
    beyond = (1.0 - confidence) / 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        hits = np.nansum(x, axis=0) * (n / share.draws)
        some, others = hits > 0, hits < n
        low = np.where(some, betaincinv(np.where(some, hits, 1.0), n - hits + 1.0, beyond), 0.0)
        high = np.where(others, betaincinv(hits + 1.0, np.where(others, n - hits, 1.0), 1.0 - beyond), 1.0)
    none = share.draws == 0
    return Probability(
        share.value, share.error, np.where(none, np.nan, low), np.where(none, np.nan, high), share.draws
    )


def tail_risk(draws: ArrayLike, level: float, *, high_is_worse: bool = False, sets: Sets = None) -> Tail:
    """Estimate where the worst draws begin (`quantile`), and what they are on average (`tail_value_at_risk`).

    Parameters
    ----------
    draws : array_like of float64, shape (n, ...)
        One entry a draw; NaN where there is none.
    level : float
        Probability of the tail, as 0.05 for the worst twentieth.
    high_is_worse : bool
        The worst draws are the largest, not the smallest.
    sets : ndarray of int64, shape (n,), optional
        Number of each draw's parameter set.
    """
    x = np.asarray(draws, dtype=np.float64)
    edge = quantile(x, 1.0 - level if high_is_worse else level, sets=sets)
    sign = 1.0 if high_is_worse else -1.0
    beyond, error = tail_value_at_risk(sign * x, 1.0 - level, sets)
    enough = _enough(x, level, sets)
    value, low, high = (np.where(enough, part, np.nan) for part in edge[:3])
    return Tail(value, low, high, sign * beyond, error)


def tail_value_at_risk(losses: ArrayLike, level: float = 0.95, sets: Sets = None) -> tuple[_Array, _Array]:
    """Estimate the mean of the losses beyond a quantile.

    Parameters
    ----------
    losses : array_like of float64, shape (n, ...)
        One entry a draw; NaN where there is none.
    level : float
        Level of the quantile.
    sets : ndarray of int64, shape (n,), optional
        Number of each draw's parameter set.

    Returns
    -------
    value, error : ndarray of float64, shape (...)
        The mean of the largest (1 - level) n losses, the last of them counted in part (Acerbi and Tasche,
        Journal of Banking & Finance 26, 2002), and its standard error: of the mean of q + max(loss - q, 0) /
        (1 - level), with q the quantile that makes it least (Manistre and Hancock, North American Actuarial
        Journal 9, 2005). NaN where fewer than `LEAST_SETS_IN_TAIL` parameter sets are in the tail.

    Examples
    --------
    >>> value, error = tail_value_at_risk(np.arange(1.0, 401.0), 0.95)
    >>> float(value)
    390.5
    """
    x = np.asarray(losses, dtype=np.float64)
    n = len(x) - np.isnan(x).sum(axis=0)
    if not len(x):
        return np.full(n.shape, np.nan), np.full(n.shape, np.nan)
    # The tail's last draw is the quantile; counted down from the largest, as missing losses sort last.
    last = np.clip(np.ceil((1.0 - level) * n - 1e-9).astype(np.int64), 1, None) - 1
    ordered = np.partition(-x, np.unique(last), axis=0)
    cut = -np.take_along_axis(ordered, np.asarray(last)[None], axis=0)[0]
    beyond = cut + np.where(np.isnan(x), np.nan, np.maximum(x - cut, 0.0)) / (1.0 - level)
    estimate = mean(beyond, sets)
    enough = _enough(x, 1.0 - level, sets)
    return np.where(enough, estimate.value, np.nan), np.where(enough, estimate.error, np.nan)


def _enough(x: _Array, level: float, sets: Sets) -> NDArray[np.bool_]:
    """Say whether a tail has enough parameter sets."""
    return np.asarray(level * set_counts(x, sets) >= LEAST_SETS_IN_TAIL - 1e-9)
