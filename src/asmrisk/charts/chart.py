"""What a chart shows: words, data, and marks on panels; `asmrisk.charts.drawing` draws it.

Words answer first: the headline says what was found, the subtitle what is measured, in which unit, of whom
and when. Numbers of marks are in the units that axes show, as $ million or percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = [
    *("ABOVE", "Axis", "Band", "Bars", "Chart", "Interval", "Line", "Mark", "Panel", "Points", "Reference"),
    *("Word", "numbers"),
]

#: Characters of a line of a name above its row, see `Axis.above`.
ABOVE = 48


def numbers(values: ArrayLike) -> NDArray[np.float64]:
    """Give what marks hold: an array of float64 of one dimension."""
    return np.atleast_1d(np.asarray(values, dtype=np.float64))


@dataclass(frozen=True)
class Axis:
    """A side of a panel."""

    label: str = ""  #: what is measured and its unit; empty where the subtitle says it
    prefix: str = ""  #: before each number, ``$``
    suffix: str = ""  #: behind each number, ``%``
    names: tuple[str, ...] = ()  #: in place of the numbers 0, 1, 2, …: years, practices; first at left or top
    above: bool = False  #: names stand above their rows, which have the whole width, not at their left
    limits: tuple[float, float] | None = None  #: else what marks need
    years: bool = False  #: numbers are years


@dataclass(frozen=True)
class Band:
    """What lies between two lines: a range over draws, a density (with `low` 0)."""

    x: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    label: str = ""  #: in words, ``nine draws in ten``; stands at the right end of the upper line
    tone: str = "first"
    strong: bool = False  #: the inner one of two


@dataclass(frozen=True)
class Interval:
    """Ranges at single places, upright: of clinicians in each year. Half of them are thicker than most."""

    x: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    label: str = ""  #: in words, as of a `Band`; stands beside the upper end of the last
    tone: str = "first"
    strong: bool = False  #: the inner one of two


@dataclass(frozen=True)
class Line:
    """A line; its label stands at its right end."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    label: str = ""
    tone: str = "first"
    dashed: bool = False
    steps: bool = False  #: level from each point to the next


@dataclass(frozen=True)
class Points:
    """Points, each with a range or none; the range lies along the axis of numbers."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    across: bool = True  #: ranges along x, else along y
    label: str = ""
    tone: str = "first"
    hollow: bool = False


@dataclass(frozen=True)
class Bars:
    """Horizontal bars at the places 0, 1, 2, … of the vertical axis, from `start` (zero) to `end`."""

    end: NDArray[np.float64]
    start: NDArray[np.float64] | None = None  #: where they do not begin at zero: the steps of a waterfall
    texts: tuple[str, ...] = ()  #: what stands behind each
    tone: str = "first"
    tones: tuple[str, ...] = ()  #: of each, in place of `tone`
    at: NDArray[np.float64] | None = None  #: places, if others
    thickness: float = 0.7


@dataclass(frozen=True)
class Reference:
    """A thin straight line across the panel, as zero or the break-even score, with a label."""

    at: float
    label: str = ""
    upright: bool = True  #: at a value of x


@dataclass(frozen=True)
class Word:
    """A text in a panel at a point of it."""

    x: float
    y: float
    text: str
    align: str = "left"  #: ``left``, ``center`` or ``right`` of the point
    tone: str = "text"


Mark = Band | Interval | Line | Points | Bars | Reference | Word


@dataclass(frozen=True)
class Panel:
    """Marks on a pair of axes."""

    marks: Sequence[Mark]
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    title: str = ""
    height: float = 200.0  #: in units of which the chart is 400 wide


@dataclass(frozen=True)
class Chart:
    """What a chart shows.

    Attributes
    ----------
    name : str
        Of the chart within a page, of letters, digits and hyphens: ``savings``.
    headline : str
        What is found, in about ten words.
    subtitle : str
        Measure, unit, population and years.
    alternative : str
        What is seen, for those who do not see it: kind of chart, main figures.
    source : str
        Scenario, seed and draws, as `asmrisk.charts.words.source_line` writes them.
    data : pandas.DataFrame
        The numbers that are drawn, a tidy table with units in its heads.
    panels : sequence of Panel
        Below one another.
    notes : tuple of str
        What has to be known to read it: what ranges hold.
    """

    name: str
    headline: str
    subtitle: str
    alternative: str
    source: str
    data: pd.DataFrame
    panels: Sequence[Panel]
    notes: tuple[str, ...] = ()
