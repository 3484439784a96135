"""Whether what is simulated fits a published figure, by a stated error rate.

A figure is published with a rounding, and sometimes a sampling error; the simulated mean has its standard
error. That the two differ is said only if they do beyond the rounding, by a two-sided t test; all tests of a
table together say it wrongly with a probability of at most `ERROR_RATE` (Bonferroni). With enough draws any
model is told apart from any figure, so the size is said too: the bound that the difference does not exceed,
by the same error rate. A fact fits where that bound, beyond the rounding, is below `SMALL`, which is of no
account; where neither can be said it is undecided, and more draws decide.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import stdtrit

from asmrisk.analysis.facts import Fact

__all__ = ["ERROR_RATE", "SMALL", "SMALL_POINTS", "Verdict", "critical_value", "size_words", "verdict"]

#: Probability that any fact of a table is said to differ that does not.
ERROR_RATE = 0.01
#: What is of no account: this share of the figure; of a share at most so many hundredths, and a tenth of it.
SMALL, SMALL_POINTS = 0.02, 0.01
_SMALL_OF_SHARE = 0.1


class Verdict(NamedTuple):
    """What is said of a fact."""

    words: str
    difference: float  #: simulated less published
    bound: float  #: the difference is at most this large, by the error rate
    told_apart: bool  #: whether the difference is more than rounding and chance


def critical_value(tests: int, sets: int) -> float:
    """Give the number of standard errors within which `tests` differences all lie, from so many sets."""
    return float(stdtrit(sets - 1, 1.0 - ERROR_RATE / (2 * max(tests, 1)))) if sets > 1 else math.nan


def verdict(fact: Fact, simulated: float, error: float, deviation: float, critical: float) -> Verdict:
    """Hold a simulated mean against a published figure.

    Parameters
    ----------
    fact : Fact
        What is published.
    simulated, error : float
        The mean over draws and its standard error.
    deviation : float
        Standard deviation of one draw, the chance of a figure that is one realization.
    critical : float
        As `critical_value` gives it.
    """
    if fact.not_comparable:
        return Verdict(f"not comparable: {fact.not_comparable}", simulated - fact.published, math.nan, False)
    chance = math.hypot(error, fact.error, deviation if fact.one_list else 0.0)
    half = critical * chance if chance > 0.0 else 0.0
    difference = simulated - fact.published
    if math.isnan(difference) or math.isnan(half):
        return Verdict("not simulated", difference, math.nan, False)
    if fact.direction:
        return _direction(fact, simulated, difference, half)
    bound = abs(difference) + half
    told = abs(difference) - fact.tolerance > half
    if bound - fact.tolerance <= _small(fact):
        words = f"fits within {size_words(fact, bound)}"
    elif told:
        words = f"differs by {size_words(fact, abs(difference))}"
    else:
        words = f"undecided within {size_words(fact, bound)}"
    return Verdict(words, difference, bound, told)


def _direction(fact: Fact, simulated: float, difference: float, half: float) -> Verdict:
    """Judge the sign alone."""
    if abs(simulated) <= half:
        return Verdict("undecided, no direction", difference, half, False)
    size = f"{100.0 * abs(simulated / fact.published):.0f}% of its size"
    same = math.copysign(1.0, simulated) == math.copysign(1.0, fact.published)
    return Verdict(f"{'same direction' if same else 'reversed'}, {size}", difference, half, not same)


def _small(fact: Fact) -> float:
    """Give the difference, beyond the figure's own rounding, that is of no account."""
    size = abs(fact.published)
    return min(SMALL_POINTS, _SMALL_OF_SHARE * size) if fact.units == "fraction" else SMALL * size


def size_words(fact: Fact, difference: float) -> str:
    """Write the size of a difference, rounded up: points of a share, percent of anything else.

    >>> from asmrisk.analysis.facts import facts
    >>> size_words(facts()[0], 86.1)
    '1.1%'
    """
    share = fact.units == "fraction"
    if fact.published == 0.0 and not share:
        return f"{difference:.2g}"
    shown = difference * (100.0 if share else 100.0 / abs(fact.published))
    places = 0 if shown <= 0.0 else min(3, max(0, 1 - math.floor(math.log10(shown))))
    shown = math.ceil(shown * 10**places - 1e-9) / 10**places
    return f"{shown:.{places}f}{' points' if share else '%'}"
