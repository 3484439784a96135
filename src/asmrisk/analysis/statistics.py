"""Statistics of draws, each declared once: its columns, how it is computed, and how it is shown.

Reports choose from them: their datasets, CSV and JSON have the columns, their text the cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.digits import number, with_error, with_interval
from asmrisk.analysis.estimates import Sets, mean, quantiles, set_counts, standard_deviation
from asmrisk.analysis.labels import relabeled
from asmrisk.analysis.tail import probability, tail_risk
from asmrisk.analysis.wording import usd

__all__ = [
    "BELOW_ZERO",
    "DRAWS",
    "HOLDS",
    "LOSS",
    "MEAN",
    "RANGE",
    "RANGE_HEAD",
    "SD",
    "SUMMARY",
    "Draws",
    "Row",
    "Statistic",
    "columns_of",
    "error_cell",
    "estimated",
    "estimates",
    "fixed_words",
    "interval_cell",
    "loss_above",
    "quantile_statistic",
    "range_cell",
    "scale_of",
    "shown",
    "with_tails",
    "worst",
]

_Array = NDArray[np.float64]

#: One row of a long table: labels and statistics by name.
Row = dict[str, Any]
#: Writes a statistic of a row, its numbers multiplied by a scale.
Cell = Callable[[Row, float], str]

#: What ranges over draws hold, by its name in JSON, CSV and datasets (``range_holds``), in words: chance at
#: one value of every parameter, or also the doubt about parameters that are unknown.
HOLDS = {"chance": "chance alone", "chance_and_doubt": "chance and doubt"}
#: Head of a column of ranges over draws, and what `shown` makes of it, by what the ranges hold.
RANGE_HEAD = "5-95%"
_RANGE_HEADS = {"chance": f"{RANGE_HEAD}, chance", "chance_and_doubt": f"{RANGE_HEAD},\nchance and doubt"}


def fixed_words(names: Sequence[str]) -> list[str]:
    """Say how many unknowns are fixed at their medians, for a report's head; nothing where none is."""
    if not names:
        return []
    one = "1 unknown is fixed at its median."
    return [one if len(names) == 1 else f"{len(names)} unknowns are fixed at their medians."]


class Draws(NamedTuple):
    """What statistics are of; arrays whose first axis is the draw, NaN where a draw has none."""

    values: _Array
    #: The worst draws are the largest.
    high_is_worse: bool = False
    #: Parameter sets of the draws, as in `asmrisk.analysis.estimates`.
    sets: Sets = None


class Statistic(NamedTuple):
    """What is told of draws."""

    #: Names in datasets, CSV and JSON.
    columns: tuple[str, ...]
    #: Gives of `Draws`, or of what a comparison has in their place, an array for each column.
    estimate: Callable[[Any], Iterable[Any]]
    #: Heads of columns in text, and what writes their cells.
    cells: tuple[tuple[str, Cell], ...] = ()
    #: Its unit if that is not the outcome's.
    units: str = ""


def scale_of(units: str, largest: float = 0.0) -> tuple[float, str]:
    """Choose what numbers are multiplied by when they are shown, and the unit's name that follows a title.

    >>> scale_of("fraction"), scale_of("USD", 3e7), scale_of("USD", 900.0)
    ((100.0, ', %'), (1e-06, ', $ million'), (1.0, ', $'))
    """
    if units == "fraction":
        return 100.0, ", %"
    if units == "USD":
        return (1e-6, ", $ million") if largest >= 1e5 else (1.0, ", $")
    return 1.0, {"points": ", points"}.get(units, "")


# --- Cells --------------------------------------------------------------------------------------------------


def error_cell(name: str) -> Cell:
    """Write an estimate with its standard error; n/a where there is none."""

    def write(row: Row, scale: float) -> str:
        value, error = (row[f"{name}{part}"] * scale for part in ("", "_error"))
        return "n/a" if math.isnan(value) else with_error(value, error)

    return write


def interval_cell(name: str) -> Cell:
    """Write an estimate with its 95% interval; n/a where there is none."""

    def write(row: Row, scale: float) -> str:
        value, low, high = (row[f"{name}{part}"] * scale for part in ("", "_low", "_high"))
        return "n/a" if math.isnan(value) else with_interval(value, low, high, error=(high - low) / 2.0)

    return write


def range_cell(row: Row, scale: float) -> str:
    """Write the 5% and 95% quantiles over draws, to the digits that the wider of their intervals supports."""
    if row["draws"] < 2:
        return "n/a"
    ends = ("p05", "p95")
    # A 95% interval is about four standard errors wide.
    error = max((row[f"{end}_high"] - row[f"{end}_low"]) / 4.0 for end in ends)
    if math.isnan(error):  # too few draws for an interval: no better than one draw's spread
        error = row["sd"]
    return " to ".join(number(row[end] * scale, error * scale) for end in ends)


# --- Declarations -------------------------------------------------------------------------------------------


def quantile_statistic(*levels: float) -> Statistic:
    """Declare quantiles over draws with the ends of a 95% interval: ``p05``, ``p05_low``, ``p05_high``, …."""
    return Statistic(
        tuple(f"p{round(100 * level):02d}{part}" for level in levels for part in ("", "_low", "_high")),
        lambda draws: [
            part for found in quantiles(draws.values, levels, sets=draws.sets) for part in found[:3]
        ],
        ((RANGE_HEAD, range_cell),),
    )


def worst(level: float) -> Statistic:
    """Declare the worst draws: where they begin with a 95% interval, and their mean with its standard error.

    These are value at risk and tail value at risk, with the unit and sign of the outcome; NaN where fewer
    than `asmrisk.analysis.tail.LEAST_SETS_IN_TAIL` parameter sets are in the tail.
    """
    tag = f"worst_{100.0 * level:g}"
    return Statistic(
        tuple(f"{tag}{part}" for part in ("", "_low", "_high", "_mean", "_mean_error")),
        lambda draws: tail_risk(draws.values, level, high_is_worse=draws.high_is_worse, sets=draws.sets),
        (
            ("begin at (95% interval)", interval_cell(tag)),
            ("their mean ± error", error_cell(f"{tag}_mean")),
        ),
    )


def _lost(amount: float, draws: Draws) -> Iterable[Any]:
    return probability(draws.values < -amount, sets=draws.sets)[:4]


def loss_above(amount: float) -> Statistic:
    """Declare the probability, of all draws, of losing more than a positive number of dollars."""
    name = "probability_of_loss_above"
    return Statistic(
        tuple(f"{name}{part}" for part in ("", "_error", "_low", "_high")),
        partial(_lost, amount),
        ((f"loss over {usd(amount)}, %", interval_cell(name)),),
        units="fraction",
    )


def _below_zero(draws: Draws) -> Iterable[Any]:
    x = draws.values
    share = probability(np.where(np.isnan(x), np.nan, x < 0.0), sets=draws.sets)
    return share.value, share.low, share.high


#: Number of draws in which the outcome is defined, and of their parameter sets.
DRAWS = Statistic(
    ("draws", "parameter_sets"),
    lambda draws: (set_counts(draws.values), set_counts(draws.values, draws.sets)),
)
#: Mean and standard deviation over draws, with their standard errors.
MEAN = Statistic(
    ("mean", "mean_error"),
    lambda draws: mean(draws.values, draws.sets)[:2],
    (("mean ± error", error_cell("mean")),),
)
SD = Statistic(
    ("sd", "sd_error"),
    lambda draws: standard_deviation(draws.values, draws.sets)[:2],
    (("SD ± error", error_cell("sd")),),
)
RANGE = quantile_statistic(0.05, 0.5, 0.95)
#: Probability of an outcome below zero, with a 95% interval.
BELOW_ZERO = Statistic(
    ("below_zero", "below_zero_low", "below_zero_high"),
    _below_zero,
    (("(95% interval)", interval_cell("below_zero")),),
    units="fraction",
)
#: Probability of a loss, by all draws: one without an outcome has none. With an error, and a 95% interval.
LOSS = Statistic(
    tuple(f"probability_of_loss{part}" for part in ("", "_error", "_low", "_high")),
    partial(_lost, 0.0),
    (("loss, % of draws", error_cell("probability_of_loss")),),
    units="fraction",
)

#: What is told of each outcome of a run.
SUMMARY = (DRAWS, MEAN, SD, RANGE)


def with_tails(tail: Sequence[float]) -> tuple[Statistic, ...]:
    """Add to `SUMMARY` what is told of tails, given by their probabilities."""
    return (*SUMMARY, *map(worst, tail), BELOW_ZERO) if tail else SUMMARY


# --- Use ----------------------------------------------------------------------------------------------------


def columns_of(statistics: Iterable[Statistic]) -> tuple[str, ...]:
    """Name the columns of statistics, in order."""
    return tuple(column for each in statistics for column in each.columns)


def estimates(statistics: Iterable[Statistic], draws: Any) -> _Array:
    """Estimate statistics of draws of shape (n, ...); shape (columns, ...), in the order of `columns_of`."""
    return np.stack(
        [np.asarray(part, dtype=np.float64) for each in statistics for part in each.estimate(draws)]
    )


def estimated(
    statistics: Sequence[Statistic],
    draws: xr.DataArray,
    *,
    sets: Sets = None,
    high_is_worse: bool = False,
    along: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Estimate statistics of labeled draws; `along` are axes that they give besides the draws' labels."""
    values = estimates(statistics, Draws(draws.values, high_is_worse, sets))
    return relabeled(values, draws, {"statistic": columns_of(statistics)} | dict(along or {}))


def shown(
    statistics: Iterable[Statistic], rows: Sequence[Row], scale: float, holds: str | None = None
) -> tuple[list[str], list[list[str]]]:
    """Give heads and cells of the columns that show statistics.

    Parameters
    ----------
    statistics : iterable of Statistic
        What is shown.
    rows : sequence of Row
        Rows of the table.
    scale : float
        Numbers are multiplied by it.
    holds : {"chance", "chance_and_doubt"}, optional
        What ranges hold, told in the heads of their columns.
    """
    heads, columns = [], []
    for statistic in statistics:
        factor = scale_of(statistic.units)[0] if statistic.units else scale
        for head, write in statistic.cells:
            heads.append(_RANGE_HEADS[holds] if holds and head == RANGE_HEAD else head)
            columns.append([write(row, factor) for row in rows])
    return heads, columns
