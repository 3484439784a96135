"""How likely an outcome is to be larger than what: an exceedance curve with its band."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.exceedance import exceedance
from asmrisk.analysis.metrics import Metric, check_metric
from asmrisk.analysis.run_results import RunResults, dollars_of
from asmrisk.analysis.statistics import HOLDS, scale_of
from asmrisk.analysis.wording import dollar_scale
from asmrisk.charts.chart import Axis, Band, Chart, Line, Panel, Reference, Word, numbers
from asmrisk.charts.words import (
    amount_words,
    axis_of,
    counted,
    one_number,
    population_words,
    source_line,
    without_errors,
)

__all__ = ["exceedance_chart"]

#: Points of the curve, from the smallest draw to the largest.
_POINTS = 101


def exceedance_chart(run: RunResults, metric: str = "medicare_savings") -> Chart:
    """Show how likely an outcome, over all years, is to be larger than what.

    Parameters
    ----------
    run : RunResults
        Of one run.
    metric : str
        Name of the outcome, one number a draw: ``medicare_savings``, ``roster_net_adjustment``.

    Returns
    -------
    Chart
        The share of draws above each value, with its 95% interval.

    Raises
    ------
    InputError
        If there is no such metric, or it is not one number a draw.
    """
    about = check_metric(metric)
    values = one_number(run, metric)
    at = np.linspace(np.nanmin(values), np.nanmax(values), _POINTS)
    curve = exceedance(run, metric, points=at).dataset[metric]
    shares = {
        name: 100.0 * curve.sel(statistic=f"probability{part}").values
        for name, part in (("", ""), ("_low", "_low"), ("_high", "_high"))
    }
    scale, unit = _unit(about, float(np.abs(at).max()))
    worse = 0.05 if about.high_is_worse else 0.95
    within = "".join(f" ({each.lower()})" for each in dollars_of([metric], run.dollar_year))
    often = "one of 20" if about.high_is_worse else "19 of 20"
    if run.count == 1:
        found = amount_words(scale * float(values[0]), np.nan, unit)
    else:
        half, far = _exceeded(run, metric, values, (0.5, worse), scale, unit)
        found = f"{half} in half of draws, {far} in {often}"
    x = at * scale
    return Chart(
        name=f"exceedance-{metric.replace('_', '-')}",
        headline=f"{without_errors(run)}{about.title}: {found}",
        subtitle=(
            f"Share of draws above what is on the axis, %; {about.title}, {unit}{within}, "
            f"{population_words(run, metric)}"
        ),
        alternative=f"A falling curve with a band. {about.title}: {found}.",
        source=source_line(run),
        data=pd.DataFrame(
            {f"more than, {unit}": x}
            | {f"share of draws{name.replace('_', ', ')}, %": each for name, each in shares.items()}
        ),
        panels=[
            Panel(
                [
                    Band(numbers(x), shares["_low"], shares["_high"]),
                    Line(numbers(x), shares[""]),
                    # A falling curve leaves room above its end.
                    Word(float(x[-1]), 95.0, "band: 19 times in 20", "right", "first"),
                    *([Reference(0.0)] if x[0] < 0.0 < x[-1] else []),
                ],
                x=axis_of(unit),
                y=Axis(suffix="%", limits=(0.0, 101.0)),
                height=240.0,
            )
        ],
        notes=(
            f"The curve is of draws, which hold {HOLDS[run.holds]}; the band holds each point 19 times in 20 "
            f"and would narrow with more than {counted(run.count, 'draw')}.",
        ),
    )


def _unit(metric: Metric, largest: float) -> tuple[float, str]:
    """Choose what numbers are multiplied by, and the name of their unit, as a table of the curve does."""
    scale, unit = dollar_scale(largest) if metric.of else scale_of(metric.units, largest)
    return scale, unit.removeprefix(", ")


def _exceeded(
    run: RunResults,
    metric: str,
    values: NDArray[np.float64],
    levels: Sequence[float],
    scale: float,
    unit: str,
) -> list[str]:
    """Write what is exceeded with each probability, to the digits that its interval supports.

    Where draws tie at it, as at zero, it is reached in so many of them and exceeded in fewer.
    """
    curve = exceedance(run, metric, levels=levels).dataset[metric]
    found = []
    for level in levels:
        value, low, high = (
            curve.sel(statistic=f"value{part}", exceedance=level).item() for part in ("", "_low", "_high")
        )
        word = "at least" if (values == value).sum() > 1 else "over"
        found.append(f"{word} {amount_words(scale * value, scale * (high - low) / 2.0, unit)}")
    return found
