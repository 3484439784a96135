"""What Medicare saves, by year and added up."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from asmrisk.analysis.digits import number
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import MEAN, RANGE, Draws, columns_of, estimates, quantile_statistic
from asmrisk.analysis.wording import year_words
from asmrisk.charts.chart import Axis, Band, Chart, Line, Panel, Reference, numbers
from asmrisk.charts.words import range_words, source_line

__all__ = ["savings_chart"]

_MILLION = 1e-6
_STATISTICS = (MEAN, RANGE, quantile_statistic(0.25, 0.75))
_TITLES = {"a year": "In each performance year", "added up": "Added up since {}"}


def savings_chart(run: RunResults) -> Chart:
    """Show what Medicare saves in each performance year, and in all from the first to it.

    Parameters
    ----------
    run : RunResults
        Of one run.

    Returns
    -------
    Chart
        Two fans: a year, and added up.
    """
    draws = run.draws("medicare_savings", ("year",)).transpose("draw", "performance_year")
    years = [int(year) for year in draws["performance_year"].values]
    by_year = np.asarray(draws.values, dtype=np.float64) * _MILLION
    values = {"a year": by_year, "added up": np.cumsum(by_year, axis=1)}
    columns = columns_of(_STATISTICS)
    found = {
        name: dict(zip(columns, estimates(_STATISTICS, Draws(each, sets=run.sets)), strict=True))
        for name, each in values.items()
    }
    whole = {name: float(each[-1]) for name, each in found["added up"].items()}
    mean = number(whole["mean"], whole["mean_error"])
    # A 95% interval is about four standard errors wide.
    error = max(whole[f"{end}_high"] - whole[f"{end}_low"] for end in ("p05", "p95")) / 4.0
    low, high = map(partial(number, error=error), (whole["p05"], whole["p95"]))
    yearly = zip(years, found["a year"]["mean"], found["a year"]["mean_error"], strict=True)
    told = ", ".join(f"${number(value, error)} million in {year}" for year, value, error in yearly)
    dollars = "" if run.dollar_year is None else f", {run.dollar_year} dollars"
    return Chart(
        name="savings",
        headline=(
            f"Medicare saves ${mean} million over {len(years)} years; nine draws in ten lie between ${low} "
            f"and ${high} million"
        ),
        subtitle=f"Medicare savings, $ million{dollars}, by performance year",
        alternative=(
            f"Two fans over {year_words(years[0], years[-1])}. Medicare saves on average {told}. Added up it "
            f"saves ${mean} million, nine draws in ten between ${low} and ${high} million."
        ),
        source=source_line(run),
        data=pd.concat(
            pd.DataFrame(
                {"savings": name, "performance year": years}
                | {f"{column}, $ million": each[column] for column in columns}
            )
            for name, each in found.items()
        ),
        panels=[
            Panel(
                [
                    Band(numbers(years), each["p05"], each["p95"], "nine draws in ten"),
                    Band(numbers(years), each["p25"], each["p75"], "half of the draws", strong=True),
                    Line(numbers(years), each["mean"], "mean"),
                    Reference(0.0, upright=False),
                ],
                x=Axis(years=True),
                y=Axis(prefix="$", suffix="m"),
                title=_TITLES[name].format(years[0]),
            )
            for name, each in found.items()
        ],
        notes=(range_words(run),),
    )
