"""How a chart is drawn with matplotlib, which is imported when first used."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from asmrisk.charts.chart import (
    ABOVE,
    Axis,
    Band,
    Bars,
    Chart,
    Interval,
    Line,
    Mark,
    Panel,
    Points,
    Reference,
    Word,
)
from asmrisk.charts.palette import LIGHT
from asmrisk.errors import InputError, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["WIDTH", "drawn"]

#: Width of a chart, of which the heights of its panels are given.
WIDTH = 400.0
#: Points of an inch, which matplotlib counts in.
_INCH = 72.0
#: Size of text in the units of `WIDTH`: at least 12 pixels where the chart is 352 pixels wide.
_TEXT = 14.0
#: Characters of a line of a headline, and of other words, at `_TEXT`.
_HEADLINE, _LINE = 44, 55
#: Characters of a line of a name at the left of a panel.
_NAME = 20
#: Characters of a line of a label at the right end of a line or band.
_LABEL = 15
#: Opacity of an outer band and of an inner one.
_OUTER, _INNER = 0.22, 0.45


def drawn(chart: Chart, ax: Axes | Sequence[Axes] | None = None, *, words: bool = True) -> Figure:
    """Draw a chart.

    Parameters
    ----------
    chart : Chart
        What it shows.
    ax : matplotlib Axes, or sequence of them, optional
        Where to draw: one for each panel. Without, a new figure, with headline, subtitle and source.
    words : bool
        Whether a new figure has these words; a page has its own.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are not as many axes as panels.
    """
    # It takes a third of a second, and most commands draw nothing.
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        if ax is None:
            figure, axes = _new(chart, words=words)
        else:
            axes = list(np.atleast_1d(np.asarray(ax, dtype=object)).ravel())
            if len(axes) != len(chart.panels):
                text = f"this chart has {len(chart.panels)} panels; give as many axes, not {len(axes)}"
                raise InputError(text, argument="ax")
            figure = axes[0].get_figure(root=True)  # type: ignore[assignment]
            axes[0].set_title(
                _lines(chart.headline, _HEADLINE), loc="left", fontweight="bold", color=LIGHT["text"]
            )
        for panel, each in zip(chart.panels, axes, strict=True):
            _draw(panel, each, titled=ax is None or len(chart.panels) > 1)
            if ax is None:
                _move_title(each)
        # How tall axes are is known once they are laid out.
        figure.draw_without_rendering()
        for panel, each in zip(chart.panels, axes, strict=True):
            _label_ends(each, panel.marks)
    return figure


_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": _TEXT,
    "text.color": LIGHT["text"],
    "axes.labelcolor": LIGHT["text"],
    "axes.edgecolor": LIGHT["grid"],
    "axes.titlesize": _TEXT,
    "axes.labelsize": _TEXT,
    "xtick.labelsize": _TEXT,
    "ytick.labelsize": _TEXT,
    "xtick.color": LIGHT["grid"],
    "ytick.color": LIGHT["grid"],
    "xtick.labelcolor": LIGHT["text"],
    "ytick.labelcolor": LIGHT["text"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    # Dollars are no mathematics.
    "text.parse_math": False,
    "svg.fonttype": "none",
}


def _new(chart: Chart, *, words: bool) -> tuple[Figure, list[Axes]]:
    from asmrisk.charts.figure import ShownFigure  # It loads matplotlib, for who draws alone.

    heights = [panel.height for panel in chart.panels]
    head, foot = [], []
    if words:
        head = [(line, True) for line in wrap(printable(chart.headline), _HEADLINE)]
        head += [(line, False) for line in wrap(printable(chart.subtitle), _LINE)]
        foot = [line for each in (*chart.notes, chart.source) for line in wrap(printable(each), _LINE + 3)]
    step = 1.35 * _TEXT
    above, below = step * (len(head) + 0.5) if head else 0.0, step * (len(foot) + 0.5) if foot else 0.0
    height = sum(heights) + above + below
    figure = ShownFigure(figsize=(WIDTH / _INCH, height / _INCH), facecolor=LIGHT["paper"])
    figure.set_layout_engine(
        "constrained",
        rect=(0.0, below / height, 1.0, 1.0 - (above + below) / height),
        w_pad=0.03,
        h_pad=0.04,
    )
    for at, (line, bold) in enumerate(head):
        figure.text(
            0.01,
            1.0 - step * (at + 0.35) / height,
            line,
            va="top",
            fontweight="bold" if bold else "normal",
            fontsize=1.05 * _TEXT if bold else 0.95 * _TEXT,
        )
    for at, line in enumerate(reversed(foot)):
        figure.text(0.01, step * (at + 0.35) / height, line, fontsize=0.85 * _TEXT, color=LIGHT["muted"])
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    return figure, [figure.add_subplot(grid[at]) for at in range(len(heights))]


def _lines(text: str, width: int) -> str:
    """Break a text into lines; it may be from a file, so nothing in it may steer what shows it."""
    return "\n".join(wrap(printable(text), width))


def _move_title(ax: Axes) -> None:
    """Let a panel's title begin at the left of the figure, where there is more room than above the axes."""
    from matplotlib.transforms import blended_transform_factory  # Taken only by who draws.

    title: Any = ax._left_title  # type: ignore[attr-defined]  # it has no other name
    place = blended_transform_factory(ax.get_figure(root=True).transFigure, ax.transAxes)  # type: ignore[union-attr]
    title.set_transform(place + ax.titleOffsetTrans)  # type: ignore[attr-defined]
    title.set_x(0.01)


def _draw(panel: Panel, ax: Axes, *, titled: bool) -> None:
    ax.set_facecolor("none")
    ax.set_axisbelow(True)
    for mark in panel.marks:
        _MARKS[type(mark)](ax, mark)
    if panel.title and titled:
        ax.set_title(_lines(panel.title, _HEADLINE), loc="left", fontweight="bold")
    named = [axis for axis in (panel.x, panel.y) if axis.names]
    ax.grid(visible=True, axis="both" if not named else "x" if panel.y.names else "y", color=LIGHT["grid"])
    _set_axis(ax, "x", panel.x, ticks=4 if panel.y.above else 3 if panel.y.names else 5)
    _set_axis(ax, "y", panel.y, ticks=6)
    if panel.y.names:
        ax.invert_yaxis()


def _set_axis(ax: Axes, side: str, axis: Axis, *, ticks: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator  # Taken only by who draws.

    ends: Any = ax.xaxis if side == "x" else ax.yaxis
    if axis.limits is not None:
        getattr(ax, f"set_{side}lim")(*axis.limits)
    if axis.names:
        width = _NAME if side == "y" else _LINE // len(axis.names)
        names = [_lines(each, ABOVE if axis.above else width) for each in axis.names]
        ends.set_ticks(range(len(names)), [""] * len(names) if axis.above else names)
        for at, name in enumerate(names if axis.above else ()):
            ax.annotate(
                name,
                (0.0, at),
                xycoords=("axes fraction", "data"),
                xytext=(0, 8),
                textcoords="offset points",
                va="bottom",
                bbox={"facecolor": LIGHT["paper"], "edgecolor": "none", "pad": 0.5},
            )
        ends.set_tick_params(length=0)
        if axis.limits is None:
            getattr(ax, f"set_{side}lim")(-0.6, len(axis.names) - 0.4)
    else:
        if axis.years:
            ends.set_major_locator(MultipleLocator(1.0))
        else:
            ends.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))
        ends.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, axis)))
    if axis.label and side == "x":
        ax.set_xlabel(_lines(axis.label, _LINE))
    elif axis.label:
        # Above the axis and level, where it is read without turning the head.
        ax.set_title(
            "\n".join(filter(None, (ax.get_title(loc="left"), _lines(axis.label, _LINE)))), loc="left"
        )


def _tick(value: float, axis: Axis) -> str:
    sign = "−" if value < 0.0 else ""
    if value == 0.0 and axis.prefix:
        return f"{axis.prefix}0"
    return f"{sign}{axis.prefix}{abs(value):{'.0f' if axis.years else ',.10g'}}{axis.suffix}"


def _band(ax: Axes, mark: Band) -> None:
    alpha = _INNER if mark.strong else _OUTER
    ax.fill_between(mark.x, mark.low, mark.high, color=LIGHT[mark.tone], alpha=alpha, linewidth=0.0)


def _interval(ax: Axes, mark: Interval) -> None:
    width = 10.0 if mark.strong else 3.0
    ax.vlines(mark.x, mark.low, mark.high, colors=LIGHT[mark.tone], linewidth=width)


def _line(ax: Axes, mark: Line) -> None:
    ax.plot(
        mark.x,
        mark.y,
        color=LIGHT[mark.tone],
        linewidth=2.0,
        linestyle=(0, (4, 2)) if mark.dashed else "solid",
        drawstyle="steps-post" if mark.steps else "default",
    )


def _points(ax: Axes, mark: Points) -> None:
    color = LIGHT[mark.tone]
    if mark.low is not None and mark.high is not None:
        lines: Any = ax.hlines if mark.across else ax.vlines
        lines(mark.y if mark.across else mark.x, mark.low, mark.high, colors=color, linewidth=2.0)
    face = LIGHT["paper"] if mark.hollow else color
    ax.plot(mark.x, mark.y, linestyle="none", marker="o", markersize=7.0, color=color, markerfacecolor=face)


def _bars(ax: Axes, mark: Bars) -> None:
    start = np.zeros(len(mark.end)) if mark.start is None else mark.start
    at = np.arange(len(mark.end)) if mark.at is None else mark.at
    colors = [LIGHT[tone] for tone in mark.tones or (mark.tone,) * len(mark.end)]
    ax.barh(at, mark.end - start, left=start, height=mark.thickness, color=colors)
    for place, first, last, text in zip(at, start, mark.end, mark.texts, strict=False):
        forward = last >= first
        ax.annotate(
            printable(text),
            (last, place),
            xytext=(4 if forward else -4, 0),
            textcoords="offset points",
            ha="left" if forward else "right",
            va="center",
        )


def _reference(ax: Axes, mark: Reference) -> None:
    if mark.upright:
        ax.axvline(mark.at, color=LIGHT["text"], linewidth=1.0)
        if mark.label:
            ax.annotate(
                printable(mark.label),
                (mark.at, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(4, -2),
                textcoords="offset points",
                va="top",
            )
    else:
        ax.axhline(mark.at, color=LIGHT["text"], linewidth=1.0)
        if mark.label:
            ax.annotate(
                printable(mark.label),
                (1.0, mark.at),
                xycoords=("axes fraction", "data"),
                xytext=(-2, 3),
                textcoords="offset points",
                ha="right",
            )


def _word(ax: Axes, mark: Word) -> None:
    ax.text(mark.x, mark.y, printable(mark.text), ha=mark.align, va="center", color=LIGHT[mark.tone])


_MARKS: dict[type, Any] = {
    Band: _band,
    Interval: _interval,
    Line: _line,
    Points: _points,
    Bars: _bars,
    Reference: _reference,
    Word: _word,
}


def _label_ends(ax: Axes, marks: Sequence[Mark]) -> None:
    """Write the labels of lines and bands at their right ends, one above the other where they are close."""
    ends = [
        (each.x[-1], (each.high if isinstance(each, Band | Interval) else each.y)[-1], each.label, each.tone)
        for each in marks
        if isinstance(each, Band | Interval | Line | Points) and each.label
    ]
    if not ends:
        return
    box = ax.get_window_extent()
    tall = box.height * _INCH / ax.get_figure(root=True).dpi  # type: ignore[union-attr]
    (low, high), length = ax.get_ylim(), 1.25 * _TEXT / tall
    gap = 12 if any(isinstance(each, Interval) for each in marks) else 8
    # Labels of narrow columns are broken into lines.
    lines = [_lines(label, _LABEL) for *_, label, _ in ends]
    order = sorted(range(len(ends)), key=lambda at: ends[at][1])
    heights = [length * (1 + lines[at].count("\n")) for at in order]
    wanted = [(ends[at][1] - low) / (high - low) for at in order]
    for at, own, place in zip(order, wanted, _spread(wanted, heights), strict=True):
        x, y, _, tone = ends[at]
        ax.annotate(
            lines[at],
            (x, y),
            xytext=(gap, round((place - own) * tall, 2)),
            textcoords="offset points",
            va="center",
            color=LIGHT[tone],
            annotation_clip=False,
        )


def _spread(places: list[float], heights: list[float]) -> list[float]:
    """Move places in ascending order apart, so that labels of these heights do not overlap.

    They stay between 0 and 1 where there is room.
    """
    found: list[float] = []
    for at, place in enumerate(places):
        floor = found[-1] + (heights[at - 1] + heights[at]) / 2.0 if at else heights[0] / 2.0
        found.append(max(place, floor))
    ceiling = 1.0
    for at in reversed(range(len(found))):
        found[at] = min(found[at], ceiling - heights[at] / 2.0)
        ceiling = found[at] - heights[at] / 2.0
    return found
