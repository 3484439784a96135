"""How a final score becomes an adjustment factor, and which scores there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.digits import number
from asmrisk.analysis.estimates import Estimate, mean, quantiles
from asmrisk.analysis.rerun import stored_scenario
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS
from asmrisk.charts.chart import Axis, Band, Chart, Line, Mark, Panel, Reference, Word, numbers
from asmrisk.charts.words import cohort_words, counted, source_line
from asmrisk.errors import InputError
from asmrisk.results.reading import open_results
from asmrisk.rule.arrays import make_environment, make_observed, make_scored, make_scratch
from asmrisk.rule.declarations import CHOICES
from asmrisk.rule.definitions import PAYMENT_LAG
from asmrisk.rule.payment import exchange_payments
from asmrisk.simulation.parameter_draws import drawn_policies

__all__ = ["score_curve_chart"]

#: Draws whose curves are drawn: they differ little.
_DRAWS = 400
#: Scores at which curves are known, a quarter of a point apart.
_SCORES = np.linspace(0.0, 100.0, 401)
#: Those of them that the data list.
_LISTED = slice(None, None, 20)
_RETAINED = CHOICES["cap_excess"].index("retained")
_TONES = ("first", "second")
_ENDS = (0.0, 100.0)

_Array = NDArray[np.float64]


def score_curve_chart(run: RunResults, year: int | None = None) -> Chart:
    """Show which adjustment factor each final score has in a performance year, and which scores there are.

    Parameters
    ----------
    run : RunResults
        From a store whose payment pools are the cohorts.
    year : int, optional
        Performance year; the first of the results if not given.

    Returns
    -------
    Chart
        A curve for each cohort with the score that breaks even, then the density of the scores of both.

    Raises
    ------
    InputError
        If the results are not a store's, or were computed by other code, if there is no such year, or if
        payments are exchanged within other groups than cohorts.
    """
    years = [int(each) for each in run.dataset["performance_year"].values]
    year = years[0] if year is None else year
    if year not in years:
        text = f"the results have no performance year {year}"
        raise InputError(text, argument="year", allowed=", ".join(map(str, years)))
    cohorts = [str(cohort) for cohort in run.dataset["cohort"].values]
    drawn = run.at(slice(_DRAWS))
    curves = _curves(drawn, years.index(year))
    found = [mean(each, drawn.sets) for each in curves]
    ranges = [quantiles(each, (0.05, 0.95), sets=drawn.sets) for each in curves]
    even = [mean(_break_even(each), drawn.sets) for each in curves]
    names = [cohort_words(cohort) for cohort in cohorts]
    densities = [_density(run, year, cohort) for cohort in cohorts]
    told = _sentence(names, even)
    zero = _share_of_zero(run, year)
    ends = [
        f"{name} from {each.value[0]:.2f}% at a score of 0 to {each.value[-1]:.2f}% at 100"
        for name, each in zip(names, found, strict=True)
    ]
    panels = []
    for name, tone, each, (low, high), at in zip(names, _TONES, found, ranges, even, strict=True):
        marks: list[Mark] = [Reference(0.0, upright=False)]
        if drawn.count > 1:
            marks.append(Band(_SCORES, low.value, high.value, "nine draws in ten", tone))
        marks.append(Line(_SCORES, each.value, "mean", tone))
        if np.isfinite(at.value):
            marks.append(Reference(float(at.value)))
            # Left of the line, above the curve.
            top = 0.8 * float(each.value[-1])
            marks.append(Word(float(at.value) - 2.0, top, f"break-even {_points(at)}", align="right"))
        title = f"{name.capitalize()}: factor by final score"
        panels.append(Panel(marks, x=Axis(limits=_ENDS), y=Axis(suffix="%"), title=title))
    highest = max(float(height.max()) for _, height in densities)
    panels.append(
        Panel(
            [
                Line(edges, height, name, tone, dashed=tone == "second", steps=True)
                for name, tone, (edges, height) in zip(names, _TONES, densities, strict=True)
            ],
            x=Axis("Final score, points", limits=_ENDS),
            y=Axis(suffix="%", limits=(0.0, 1.15 * highest)),
            title="Clinicians at a score, % a point",
            height=170.0,
        )
    )
    return Chart(
        name="score-curve",
        headline=f"In {year} {told}",
        subtitle=(
            f"Adjustment factor, % of Part B payments of {year + PAYMENT_LAG}, by final score, points; "
            f"clinicians with a score in performance year {year}"
        ),
        alternative=(
            f"Two rising curves and the density of scores. In performance year {year} {told}. The factor "
            f"rises in {', in '.join(ends)}."
        ),
        source=source_line(run),
        data=pd.concat([_curve_table(names, found, ranges, year), _density_table(names, densities, year)]),
        panels=panels,
        notes=(
            f"Curves are those of the first {counted(drawn.count, 'draw')}, which vary by "
            f"{HOLDS[run.holds]}. Scores are between their 1st and 99th percentiles, means over draws; "
            f"{zero}% score zero.",
        ),
    )


def _curves(run: RunResults, year: int) -> list[_Array]:
    """Give the adjustment factors of `_SCORES` in percent by cohort, (draws, scores), by the rule itself."""
    if not run.source:
        raise InputError("a score's factor needs the store's environment; give the path of the results.")
    environment = open_results(run.source, group="environment", chunked=False)
    exchanged = [environment[name] for name in ("exchange_midpoint", "scaling_factor")]
    if exchanged[0].dims != ("draw", "performance_year", "cohort"):
        text = f"{run.source}: payments are exchanged within smaller groups than cohorts, each with a curve "
        raise InputError(
            f"{text}of its own; give results of a scenario with policy.payment_peer_group = cohort."
        )
    midpoints, scalings = (each[: run.count, year].values for each in exchanged)
    policies, which = drawn_policies(stored_scenario(run.source).scenario, run.numbers)
    return [
        100.0
        * np.stack([_factors(policies[place][year], *pair) for place, *pair in zip(which, m, s, strict=True)])
        for m, s in zip(midpoints.T, scalings.T, strict=True)
    ]


def _factors(policy: np.record, midpoint: float, scaling: float) -> _Array:
    """Exchange payments for `_SCORES` in a pool with this midpoint and scaling factor.

    Payments of one alone, with a score of 100, make a pool that has them: with the share S / S₁ paid out, S₁
    being its scaling factor where all is, its scaling factor is S.
    """
    n = len(_SCORES) + 1
    observed, scored, scratch, pool = make_observed(n), make_scored(n), make_scratch(n), make_environment()
    scored.final_score[:] = [*_SCORES, 100.0]
    observed.part_b_payments[-1] = 1.0
    own = policy.copy()
    own.exchange_midpoint = np.nan_to_num(midpoint)
    own.cap_excess, own.redistribution_share = _RETAINED, 1.0
    exchange_payments(own, observed, n, scored, pool, scratch)
    # Where nothing can be distributed there is no scaling factor.
    own.redistribution_share = np.nan_to_num(scaling) / pool.scaling_factor[0]
    exchange_payments(own, observed, n, scored, pool, scratch)
    return np.array(scored.adjustment_factor[:-1])


def _break_even(curves: _Array) -> _Array:
    """Give the score at which each draw's factor is zero, between two of `_SCORES`; NaN without one."""
    above = curves >= 0.0
    place = above.argmax(axis=1)
    there = above.any(axis=1) & (place > 0)
    place = np.maximum(place, 1)
    low, high = (np.take_along_axis(curves, at[:, None], axis=1)[:, 0] for at in (place - 1, place))
    with np.errstate(invalid="ignore", divide="ignore"):
        part = -low / (high - low)
    return np.where(there, _SCORES[place - 1] + part * (_SCORES[place] - _SCORES[place - 1]), np.nan)


def _points(at: Estimate) -> str:
    return number(float(at.value), float(at.error))


def _sentence(names: Sequence[str], even: Sequence[Estimate]) -> str:
    """Say at which scores clinicians break even."""
    if all(np.isnan(each.value) for each in even):
        return "no final score breaks even"
    told = (
        f"{_points(each) if np.isfinite(each.value) else 'none'} in {name}"
        for name, each in zip(names, even, strict=True)
    )
    return f"the break-even score is {' and '.join(told)}"


def _density(run: RunResults, year: int, cohort: str) -> tuple[_Array, _Array]:
    """Give scores, and the percent of clinicians a point from each to the next; the last stands twice."""
    draws = run.draws("final_score_quantile", ("year", "cohort")).sel(performance_year=year, cohort=cohort)
    levels = numbers(draws["quantile"].values)
    edges = mean(draws.transpose("draw", "quantile").values, run.sets).value
    # A score that many share has no width.
    kept = np.append(np.diff(edges) > 0.0, True)
    edges, levels = edges[kept], levels[kept]
    height = 100.0 * np.diff(levels) / np.diff(edges)
    return edges, np.append(height, height[-1:])


def _share_of_zero(run: RunResults, year: int) -> str:
    """Write the percent of scores that are zero."""
    zero, scored = (
        run.dataset[name].sel(performance_year=year).transpose("draw", "cohort").values.sum(axis=1)
        for name in ("zero_scores", "scored")
    )
    found = mean(100.0 * zero / np.where(scored > 0, scored, np.nan), run.sets)
    return number(float(found.value), float(found.error))


def _curve_table(
    names: Sequence[str], found: Sequence[Estimate], ranges: Sequence[Sequence[Any]], year: int
) -> pd.DataFrame:
    return pd.concat(
        pd.DataFrame(
            {
                "of": "curve",
                "cohort": name,
                "performance year": year,
                "final score, points": _SCORES[_LISTED],
                "adjustment factor, %": each.value[_LISTED],
                "5% of draws below, %": low.value[_LISTED],
                "5% of draws above, %": high.value[_LISTED],
            }
        )
        for name, each, (low, high) in zip(names, found, ranges, strict=True)
    )


def _density_table(
    names: Sequence[str], densities: Sequence[tuple[_Array, _Array]], year: int
) -> pd.DataFrame:
    return pd.concat(
        pd.DataFrame(
            {
                "of": "density",
                "cohort": name,
                "performance year": year,
                "final score, points": edges,
                "clinicians from this score to the next, % a point": height,
            }
        )
        for name, (edges, height) in zip(names, densities, strict=True)
    )
