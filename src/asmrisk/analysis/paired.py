"""Statistics of paired draws: those of a baseline and a reform that share their random numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from asmrisk.analysis.digits import number, with_interval
from asmrisk.analysis.estimates import Sets, mean, standard_deviation
from asmrisk.analysis.statistics import DRAWS, RANGE, Row, Statistic, error_cell, interval_cell
from asmrisk.analysis.tail import probability

__all__ = [
    "LARGER",
    "MEANS",
    "PAIRED",
    "TIED",
    "UNPAIRED",
    "WITHOUT_GAIN",
    "Pairs",
    "pairs",
    "without_rounding",
]

#: The part of an outcome up to which a difference is rounding.
_ROUNDING = 1e-12

#: More unpaired draws than this are not counted out.
_MANY = 1_000_000


class Pairs(NamedTuple):
    """The same draws of a baseline and a reform; NaN where either has none. Made by `pairs`."""

    values: Any  #: reform minus baseline
    baseline: Any
    reform: Any
    sets: Sets = None  #: parameter sets of the draws, as in `asmrisk.analysis.estimates`


def without_rounding(baseline: Any, reform: Any, units: str = "") -> Any:
    """Subtract draws, arrays of shape (n, ...); what is nothing but rounding is no difference.

    Outcomes are sums over thousands of clinicians, which rounding may move by a few parts in 10^14. A
    difference is exactly 0 up to one part in 10^12 of the outcome's size: its largest value in any draw of
    either side, and at least a million of dollars and 0.001 of other `units`, since what is left of sums that
    cancel is smaller than their terms.
    """
    change = reform - baseline
    each = (np.fmax.reduce(np.abs(side), axis=0, initial=0.0) for side in (baseline, reform))
    size = np.maximum(np.maximum(*each), 1e6 if units == "USD" else 1e-3)
    return np.where(np.abs(change) <= _ROUNDING * size, 0.0, change)


def pairs(baseline: Any, reform: Any, sets: Sets = None, units: str = "") -> Pairs:
    """Pair draws, arrays of shape (n, ...); a draw that only one of them has counts in neither."""
    change = without_rounding(baseline, reform, units)
    gone = np.isnan(change)
    return Pairs(change, np.where(gone, np.nan, baseline), np.where(gone, np.nan, reform), sets)


def _larger(draws: Pairs) -> Iterable[Any]:
    share = probability(np.where(np.isnan(draws.values), np.nan, draws.values > 0.0), sets=draws.sets)
    return share.value, share.error, share.low, share.high


def _tied(draws: Pairs) -> Iterable[Any]:
    return (mean(np.where(np.isnan(draws.values), np.nan, draws.values == 0.0)).value,)


def _unpaired_draws(draws: Pairs) -> Iterable[Any]:
    paired, *apart = (mean(each, draws.sets) for each in (draws.values, draws.baseline, draws.reform))
    with np.errstate(invalid="ignore", divide="ignore"):
        # The squared error of an unpaired difference is the sum of those of both means; errors fall with the
        # square root of the draws.
        unpaired = apart[0].error ** 2 + apart[1].error ** 2
        return (np.ceil(paired.draws * unpaired / paired.error**2),)


def _unpaired_cell(row: Row, scale: float) -> str:
    count = row["unpaired_draws"]
    if _MANY < count < math.inf:
        return f"over {_MANY:,}"
    return "n/a" if math.isnan(count) else f"{count:,.0f}" if math.isfinite(count) else "no number"


#: Means of baseline and reform, and of their difference.
MEANS = (
    Statistic(
        ("baseline", "baseline_error"),
        lambda draws: mean(draws.baseline, draws.sets)[:2],
        (("baseline", error_cell("baseline")),),
    ),
    Statistic(
        ("reform", "reform_error"),
        lambda draws: mean(draws.reform, draws.sets)[:2],
        (("reform", error_cell("reform")),),
    ),
    Statistic(
        ("difference", "difference_error"),
        lambda draws: mean(draws.values, draws.sets)[:2],
        (("difference", error_cell("difference")),),
    ),
)
#: Probability that the reform is larger with its standard error and the ends of a 95% interval.
LARGER = Statistic(
    ("larger", "larger_error", "larger_low", "larger_high"),
    _larger,
    (("reform larger, %", interval_cell("larger")),),
    units="fraction",
)


def _without_gain_cell(row: Row, scale: float) -> str:
    value, low, high = (scale * (1.0 - row[f"larger{end}"]) for end in ("", "_high", "_low"))
    return "n/a" if math.isnan(value) else with_interval(value, low, high, error=(high - low) / 2.0)


#: The other way round, of what somebody is paid: probability that the reform leaves no more.
WITHOUT_GAIN = LARGER._replace(cells=(("without gain, %", _without_gain_cell),))
#: Share of draws in which both are equal.
TIED = Statistic(
    ("tied",), _tied, (("equal, %", lambda row, scale: number(scale * row["tied"], 0.0)),), units="fraction"
)
#: How many draws of its own each run would need if they did not share their random numbers, for the same
#: error of the difference (infinite if it has none).
UNPAIRED = Statistic(("unpaired_draws",), _unpaired_draws, (("unpaired draws", _unpaired_cell),), units="1")

#: What is told of each metric and label: of the common draws in which both have it the means of baseline and
#: reform, and the mean difference with its paired standard error; how the draws' differences are spread.
PAIRED = (
    *(DRAWS, *MEANS),
    Statistic(("sd",), lambda draws: (standard_deviation(draws.values, draws.sets).value,)),
    *(RANGE, LARGER, TIED, UNPAIRED),
)
