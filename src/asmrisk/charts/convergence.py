"""How an estimate and its error moved as draws were added."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from asmrisk.analysis.convergence import convergence
from asmrisk.analysis.digits import number
from asmrisk.analysis.estimates import t_quantile
from asmrisk.analysis.metrics import METRICS
from asmrisk.analysis.report import scale_for
from asmrisk.analysis.run_results import RunResults, dollars_of
from asmrisk.analysis.statistics import HOLDS, Row
from asmrisk.charts.chart import Axis, Chart, Panel, Points, Reference, numbers
from asmrisk.charts.words import (
    amount_with_error,
    amount_words,
    axis_of,
    counted,
    one_number,
    population_words,
    source_line,
    with_unit,
    without_errors,
)

__all__ = ["convergence_chart"]

#: How often chance alone makes a mean drift, by one or more of all additions of draws.
_FALSE_ALARMS = 0.05


def convergence_chart(run: RunResults, metric: str = "medicare_savings") -> Chart:
    """Show an outcome's mean from an eighth, a quarter, half and all of the draws.

    Parameters
    ----------
    run : RunResults
        Of one run.
    metric : str
        Name of the outcome, one number a draw.

    Returns
    -------
    Chart
        A row for each number of draws: the mean of the first so many, with its 95% interval.

    Raises
    ------
    InputError
        If there is no such metric, or it is not one number a draw.
    """
    one_number(run, metric)
    rows = convergence(run, metric).tables["convergence"]
    scale, unit = scale_for(rows, "mean")
    unit = unit.removeprefix(", ")
    title = METRICS[metric].title
    mean, error = (numbers([row[name] * scale for row in rows]) for name in ("mean", "mean_error"))
    sets = numbers([row["parameter_sets"] for row in rows])
    reach = t_quantile(sets - 1) * error
    counts = [counted(row["checkpoint"], "draw") for row in rows]
    figures = [amount_with_error(*each, unit) for each in zip(mean.tolist(), error.tolist(), strict=True)]
    first, last = (with_unit(number(each, each), unit) for each in (error[0], error[-1]))
    drifted, about_drift = _drift(rows)
    found = f"error of {first} with {counts[0]}, {last} with {counts[-1]}"
    if np.isnan(error[-1]):
        found = amount_words(mean[-1], error[-1], unit)
    elif drifted:
        found += "; the mean drifted"
    dollars = "".join(f", {each.lower()}" for each in dollars_of([metric], run.dollar_year))
    return Chart(
        name=f"convergence-{metric.replace('_', '-')}",
        headline=without_errors(run) + f"{title}: {found}",
        subtitle=f"Mean of {title}, {unit}{dollars}, by the number of draws, {population_words(run, metric)}",
        alternative=(
            f"Points with intervals: the mean of {title} by the number of draws. "
            + "; ".join(map(": ".join, zip(counts, figures, strict=True)))
            + "."
        ),
        source=source_line(run),
        data=pd.DataFrame(
            {
                "draws": [row["checkpoint"] for row in rows],
                f"mean, {unit}": mean,
                f"standard error, {unit}": error,
                "drift, standard errors": [row["drift"] for row in rows],
            }
        ),
        panels=[
            Panel(
                [
                    Reference(float(mean[-1])),
                    Points(mean, numbers(range(len(rows))), mean - reach, mean + reach),
                ],
                x=axis_of(unit),
                y=Axis(
                    names=tuple(map(": ".join, zip(counts, figures, strict=True))),
                    above=True,
                    limits=(-0.9, len(rows) - 0.6),
                ),
                height=42.0 * len(rows) + 50.0,
            )
        ],
        notes=(
            "Each mean is of a run's first draws. ±: standard errors; lines: 95% intervals, of "
            f"{HOLDS[run.holds]}.",
            about_drift,
        ),
    )


def _drift(rows: Sequence[Row]) -> tuple[bool, str]:
    """Say whether draws that were added moved the mean by more than chance would.

    The draws before and those since are as many, so that their difference in standard errors has Student's
    distribution; the rate of false alarms is laid over all such differences (Bonferroni).
    """
    tested = [row for row in rows if not np.isnan(row["drift"])]
    if not tested:
        return False, "Whether the mean drifted cannot be told from so few draws."
    confidence = 1.0 - _FALSE_ALARMS / len(tested)
    drifted = any(abs(row["drift"]) > t_quantile(row["parameter_sets"] - 2, confidence) for row in tested)
    start = "Drifted: one or more" if drifted else "No drift found: none"
    return drifted, (
        f"{start} of {counted(len(tested), 'addition')} of draws moved the mean by more than chance alone "
        "does in one run of twenty."
    )
