"""How the adjustment factors of clinicians are distributed, by cohort and year."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.digits import number
from asmrisk.analysis.estimates import Estimate, is_tied, mean
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.wording import year_label, year_words
from asmrisk.charts.chart import Axis, Chart, Interval, Panel, Points, Reference, numbers
from asmrisk.charts.words import (
    amount_words,
    cohort_words,
    counted,
    population_words,
    source_line,
    without_errors,
    years_words,
)

__all__ = ["adjustment_factors_chart"]

_METRIC = "adjustment_factor_quantile"
#: Levels that are drawn: the middle, and the ends of ranges of half and of nine in ten clinicians.
_MEDIAN, _NINE_IN_TEN = 0.5, (0.05, 0.95)
_DRAWN = (_MEDIAN, 0.25, 0.75, *_NINE_IN_TEN)


def adjustment_factors_chart(run: RunResults) -> Chart:
    """Show between which adjustment factors clinicians lie in each performance year, by cohort.

    Parameters
    ----------
    run : RunResults
        Of one run.

    Returns
    -------
    Chart
        A panel a cohort: percentiles over clinicians, each the mean over draws.
    """
    draws = run.draws(_METRIC, ("year", "cohort")).transpose("draw", "performance_year", "cohort", "quantile")
    levels = [float(level) for level in draws["quantile"].values]
    cohorts = [str(cohort) for cohort in draws["cohort"].values]
    years = numbers(draws["performance_year"].values)
    found = mean(100.0 * np.asarray(draws.values, dtype=np.float64), run.sets)

    def at(level: float, place: int) -> NDArray[np.float64]:
        return np.asarray(found.value[:, place, levels.index(level)])

    last = [
        (name, found.value[-1, place, levels.index(_MEDIAN)], found.error[-1, place, levels.index(_MEDIAN)])
        for place, name in enumerate(map(cohort_words, cohorts))
    ]
    told = _sentence(last, run.set_count)
    ends = [
        f"{cohort_words(cohort)} from {' to '.join(_ends(found, place, levels))}"
        for place, cohort in enumerate(cohorts)
        if not np.isnan(found.value[-1, place]).any()
    ]
    year = int(years[-1])
    between = f" Nine clinicians in ten lie in {', in '.join(ends)}." if ends else ""
    # There is room for fewer words beside what a headline without errors begins with.
    few = without_errors(run)
    when = f"{few}{year_label(year)}: median" if few else f"{year_words(year).capitalize()}: median clinician"
    errors = found.error[:, :, [levels.index(each) for each in _DRAWN]]
    most = float(np.nanmax(errors)) if np.isfinite(errors).any() else np.nan
    return Chart(
        name="adjustment-factors",
        headline=f"{when} {told}",
        subtitle=f"Adjustment factor, % of Part B payments, {population_words(run)}",
        alternative=(
            f"Two panels, by cohort, over performance years {years_words(years.astype(int).tolist())}. "
            f"{year_words(year).capitalize()}: the median clinician {told}.{between}"
        ),
        source=source_line(run),
        data=pd.DataFrame(
            {
                "cohort": cohorts[place],
                "performance year": int(year),
                "percentile of clinicians": 100.0 * level,
                "adjustment factor, %": found.value[row, place, column],
                "standard error, percentage points": found.error[row, place, column],
            }
            for place in range(len(cohorts))
            for row, year in enumerate(years)
            for column, level in enumerate(levels)
        ),
        panels=[
            Panel(
                [
                    Reference(0.0, upright=False),
                    Interval(years, at(0.05, place), at(0.95, place), "nine clinicians in ten"),
                    Interval(years, at(0.25, place), at(0.75, place), "half of the clinicians", strong=True),
                    Points(years, at(_MEDIAN, place), label="median", hollow=True),
                ],
                x=Axis(years=True),
                y=Axis(suffix="%"),
                title=cohort_words(cohort).capitalize(),
                height=220.0,
            )
            for place, cohort in enumerate(cohorts)
        ],
        notes=(
            f"Ranges are of clinicians with a final score in a year, not of draws. Each end is the mean over "
            f"{counted(run.count, 'draw')}, with a standard error of "
            + ("n/a." if np.isnan(most) else f"at most {number(most, most)} percentage points."),
        ),
    )


def _sentence(last: Sequence[tuple[str, float, float]], sets: int) -> str:
    """Say what the median clinician of each cohort gains or loses: name, value and standard error."""
    said: dict[str, list[str]] = {}
    for name, value, error in last:
        amount = ""
        if np.isnan(value):
            verb = "has no factor"
        elif is_tied(value, error, sets):
            verb = "neither gains nor loses"
        else:
            verb = "loses" if value < 0.0 else "gains"
            amount = f"{amount_words(abs(value), error, '%')} "
        said.setdefault(verb, []).append(f"{amount}in {name}")
    return ", ".join(f"{verb} {' and '.join(those)}" for verb, those in said.items())


def _ends(found: Estimate, place: int, levels: list[float]) -> Iterator[str]:
    """Write between which factors nine clinicians in ten of a cohort lie in the last year."""
    for level in _NINE_IN_TEN:
        at = -1, place, levels.index(level)
        yield amount_words(found.value[at], found.error[at], "%")
