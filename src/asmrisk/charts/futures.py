"""What may become of somebody's dollars as fifty futures, each as likely as the others."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.wording import ALL_YEARS, dollar_scale, year_words
from asmrisk.charts.chart import Axis, Chart, Panel, Points, Reference
from asmrisk.charts.words import amount_words, axis_of, range_words, source_line, without_errors
from asmrisk.exposures.text import range_error
from asmrisk.rule.definitions import PERFORMANCE_YEARS

__all__ = ["FUTURES", "futures_chart"]

#: Dots, few enough to be counted (Fernandes et al., CHI 2018).
FUTURES = 50
#: Columns of dots that a chart has room for.
_COLUMNS = 22


def futures_chart(run: RunResults, totals: NDArray[np.float64], who: str) -> Chart:
    """Show what all payment years together may bring as dots, each of which is one future in fifty.

    Parameters
    ----------
    run : RunResults
        From whose draws the dollars are.
    totals : ndarray of float64, shape (draws,)
        USD of all payment years together; a loss is negative.
    who : str
        Whose they are, ``these 48 clinicians`` or ``this clinician``.

    Returns
    -------
    Chart
        Dots at the middles of fifty equal parts of the draws, put in columns of round widths.
    """
    values = np.quantile(totals, (np.arange(FUTURES) + 0.5) / FUTURES)
    scale, unit = dollar_scale(float(np.abs(values).max()))
    shown = values * scale
    width = _round_up(float(np.ptp(shown)) / _COLUMNS)
    column = np.floor(shown / width)
    x = (column + 0.5) * width if np.ptp(shown) > 0.0 else shown
    height = np.array([float((column[:at] == column[at]).sum()) for at in range(FUTURES)]) + 0.5
    lose = "loses" if who.startswith("this ") else "lose"
    lost = values < 0.0
    losses = int(lost.sum())
    top = float(height.max()) + 1.0
    kinds = ((lost, "second"), (~lost, "first"))
    years = year_words(PERFORMANCE_YEARS[0], PERFORMANCE_YEARS[-1])
    start = f"{few}in" if (few := without_errors(run)) else "In"
    between = ""
    if run.set_count > 1:
        error = scale * range_error({"sd": np.std(totals, ddof=1)}, run.set_count)
        ends = (amount_words(scale * end, error, unit) for end in np.quantile(totals, (0.05, 0.95)).tolist())
        between = f" Nine draws in ten lie between {' and '.join(ends)}."
    return Chart(
        name="futures",
        headline=f"{start} {losses} of {FUTURES} equally likely futures {who} {lose} money",
        subtitle=f"Adjustment of {ALL_YEARS} together ({years}), $ of the payment years; a dot is one future",
        alternative=(
            f"{FUTURES} dots, each one future in {FUTURES}, by dollars of {ALL_YEARS} together: money is "
            f"lost in {losses} and not in {FUTURES - losses}.{between}"
        ),
        source=source_line(run),
        data=pd.DataFrame({"future": np.arange(1, FUTURES + 1), "adjustment, $": np.round(values)}),
        panels=[
            Panel(
                [
                    Reference(0.0),
                    *(Points(x[which], height[which], tone=tone) for which, tone in kinds if which.any()),
                ],
                x=axis_of(unit),
                # Counting dots needs no axis: one nameless place.
                y=Axis(names=("",), limits=(top, 0.0)),
                height=60.0 + 11.0 * top,
            )
        ],
        notes=(range_words(run),),
    )


def _round_up(width: float) -> float:
    """Give the next of 1, 2, 2.5, 5 times a power of ten."""
    if not width > 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= width * (1.0 - 1e-9))
