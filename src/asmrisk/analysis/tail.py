"""Tail risk from draws: value at risk, the mean beyond it, and probabilities, each with its error.

Everything works on plain arrays whose first axis is the draw, as in `asmrisk.analysis.estimates`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from asmrisk.analysis.estimates import mean, quantile
from asmrisk.errors import InputError, Problem

__all__ = [
    "LEAST_IN_TAIL",
    "FewDrawsWarning",
    "Probability",
    "Tail",
    "check_tail",
    "draws_needed",
    "probability",
    "tail_risk",
    "tail_value_at_risk",
    "warn_of_few_draws",
]

#: Draws that a tail should hold on average. The count of draws beyond a true quantile is binomial, so with
#: ten the share beyond the estimated one is off by about a third (1/√10), and a 95% interval between order
#: statistics exists.
LEAST_IN_TAIL = 10

_Array = NDArray[np.float64]


class FewDrawsWarning(UserWarning):
    """A figure of the tail rests on too few draws."""


class Probability(NamedTuple):
    """Share of draws with an interval that holds the true probability with at least the stated confidence."""

    value: _Array  #: the share; NaN without draws
    error: _Array  #: standard error; 0 if all draws or none have it, and then the interval tells more
    low: _Array  #: lower end
    high: _Array  #: upper end
    draws: NDArray[np.int64]  #: draws that it rests on


class Tail(NamedTuple):
    """Where the worst draws begin, and their mean; in the unit and with the sign of the draws."""

    value: _Array  #: value at risk: the quantile beyond which the worst draws lie
    low: _Array  #: lower end of its 95% interval; NaN where there are too few draws for one
    high: _Array  #: upper end
    mean: _Array  #: tail value at risk: mean of the worst draws
    mean_error: _Array  #: its standard error


def check_tail(tail: Iterable[float]) -> tuple[float, ...]:
    """Check tail probabilities.

    Parameters
    ----------
    tail : iterable of float
        Each more than 0 and less than 0.5.

    Returns
    -------
    tuple of float
        From the largest to the smallest, each once.

    Raises
    ------
    InputError
        If one is not.
    """
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


def draws_needed(level: float) -> int:
    """Give the draws with which a tail holds `LEAST_IN_TAIL` draws on average.

    Parameters
    ----------
    level : float
        Probability of the tail.

    Returns
    -------
    int
        Number of draws.

    Examples
    --------
    >>> draws_needed(0.05), draws_needed(0.01)
    (200, 1000)
    """
    return math.ceil(LEAST_IN_TAIL / level - 1e-9)


def warn_of_few_draws(tail: Iterable[float], draws: int) -> None:
    """Warn of tails that hold fewer than `LEAST_IN_TAIL` draws.

    Parameters
    ----------
    tail : iterable of float
        Probabilities asked for.
    draws : int
        Number of draws.
    """
    for level in tail:
        if draws < draws_needed(level):
            warnings.warn(
                f"a tail of {100 * level:g}% holds {level * draws:.3g} of {draws:,} draws on average; with "
                f"fewer than {LEAST_IN_TAIL} its figures and their errors are crude: "
                f"{draws_needed(level):,} draws are needed",
                FewDrawsWarning,
                stacklevel=3,
            )


def probability(events: ArrayLike, confidence: float = 0.95) -> Probability:
    """Estimate a probability.

    Parameters
    ----------
    events : array_like of float64, shape (n, ...)
        One entry a draw: 1 if it happened, 0 if not, NaN where that is not defined.
    confidence : float
        Least probability that the interval holds the true one.

    Returns
    -------
    Probability
        With the exact binomial interval (Clopper and Pearson, Biometrika 26, 1934).

    Examples
    --------
    >>> never = probability(np.zeros(100))
    >>> float(never.value), round(float(never.high), 4)
    (0.0, 0.0362)
    """
    x = np.asarray(events, dtype=np.float64)
    share = mean(x)
    n = share.draws.astype(np.float64)
    hits = np.nansum(x, axis=0)
    beyond = (1.0 - confidence) / 2.0
    with np.errstate(invalid="ignore"):
        low = np.where(hits > 0, betaincinv(np.maximum(hits, 1.0), n - hits + 1.0, beyond), 0.0)
        high = np.where(hits < n, betaincinv(hits + 1.0, np.maximum(n - hits, 1.0), 1.0 - beyond), 1.0)
    none = n == 0
    return Probability(
        share.value, share.error, np.where(none, np.nan, low), np.where(none, np.nan, high), share.draws
    )


def tail_risk(draws: ArrayLike, level: float, *, high_is_worse: bool = False) -> Tail:
    """Estimate where the worst draws begin, and what they are on average.

    Parameters
    ----------
    draws : array_like of float64, shape (n, ...)
        One entry a draw; NaN where there is none.
    level : float
        Probability of the tail, as 0.05 for the worst twentieth.
    high_is_worse : bool
        The worst draws are the largest, not the smallest.

    Returns
    -------
    Tail
        The sample quantile between its order statistics (`asmrisk.analysis.estimates.quantile`), and
        `tail_value_at_risk` with the sign of the draws.

    Examples
    --------
    >>> tail = tail_risk(np.arange(1.0, 101.0), 0.05)
    >>> round(float(tail.mean), 9)
    3.0
    """
    x = np.asarray(draws, dtype=np.float64)
    edge = quantile(x, 1.0 - level if high_is_worse else level)
    sign = 1.0 if high_is_worse else -1.0
    beyond, error = tail_value_at_risk(sign * x, 1.0 - level)
    return Tail(*edge[:3], sign * beyond, error)


def tail_value_at_risk(losses: _Array, level: float = 0.95) -> tuple[_Array, _Array]:
    """Estimate the mean of the losses beyond a quantile.

    Parameters
    ----------
    losses : ndarray of float64, shape (n, ...)
        One entry a draw; NaN where there is none.
    level : float
        Level of the quantile.

    Returns
    -------
    value, error : ndarray of float64, shape (...)
        The mean of the largest (1 - level) n losses, the last of them counted in part (Acerbi and Tasche,
        Journal of Banking & Finance 26, 2002), and its standard error: of the mean of q + max(loss - q, 0) /
        (1 - level), with q the quantile that makes it least (Manistre and Hancock, North American Actuarial
        Journal 9, 2005). No error where the tail is not more than one draw, unless all draws are equal.

    Examples
    --------
    >>> value, error = tail_value_at_risk(np.arange(1.0, 101.0), 0.95)
    >>> float(value)
    98.0
    """
    x = np.asarray(losses, dtype=np.float64)
    n = len(x) - np.isnan(x).sum(axis=0)
    # The tail's last draw is the quantile; counted down from the largest, as missing losses sort last.
    last = np.clip(np.ceil((1.0 - level) * n - 1e-9).astype(np.int64), 1, None) - 1
    ordered = np.partition(-x, np.unique(last), axis=0)
    cut = -np.take_along_axis(ordered, last[None] if x.ndim > 1 else np.array([last]), axis=0)[0]
    beyond = cut + np.where(np.isnan(x), np.nan, np.maximum(x - cut, 0.0)) / (1.0 - level)
    estimate = mean(beyond)
    # The largest draw alone does not tell how far others may lie from it.
    alone = (last == 0) & (np.nanmin(np.where(np.isnan(x), np.inf, x), axis=0) < cut)
    return estimate.value, np.where(alone, np.nan, estimate.error)
