"""Charts of results, as matplotlib figures.

Each function takes what it shows, and ``ax`` where to draw it; see the handbook, ``asmrisk docs pictures``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import xarray as xr

from asmrisk.analysis.report import Report
from asmrisk.analysis.run_results import open_run_results
from asmrisk.analysis.wording import ALL
from asmrisk.charts.adjustment_factors import adjustment_factors_chart
from asmrisk.charts.differences import differences_chart
from asmrisk.charts.doubt import doubt_chart
from asmrisk.charts.drawing import drawn
from asmrisk.charts.exposure import exposure_chart
from asmrisk.charts.savings import savings_chart
from asmrisk.charts.score_curve import score_curve_chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["adjustment_factors", "differences", "doubt", "exposure", "savings", "score_curve"]

_Results = str | os.PathLike[str] | xr.Dataset


def adjustment_factors(results: _Results, *, ax: Axes | Sequence[Axes] | None = None) -> Figure:
    """Draw how clinicians' adjustment factors are distributed, by cohort and performance year.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave.
    ax : sequence of two matplotlib Axes, optional
        Where to draw, one for each cohort; without, a new figure with headline, subtitle and source.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are no such results, or not as many axes as panels.
    """
    return drawn(adjustment_factors_chart(open_run_results(results)), ax)


def differences(baseline: _Results, *reforms: _Results, ax: Axes | Sequence[Axes] | None = None) -> Figure:
    """Draw what reforms change, paired draw by draw: Medicare savings, and who wins and who loses.

    Parameters
    ----------
    baseline, *reforms : path or xarray.Dataset
        Stores of runs with the same seed, or what `asmrisk.open_results` gave of them.
    ax : sequence of matplotlib Axes, optional
        Where to draw, one for Medicare savings and one for each reform; without, a new figure with headline,
        subtitle and source.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are no such results, there is no reform, draws cannot be paired (see `asmrisk.compare`), or
        there are not as many axes as panels.
    """
    return drawn(differences_chart(*map(open_run_results, (baseline, *reforms))), ax)


def doubt(
    results: _Results, metric: str = "medicare_savings", *, ax: Axes | Sequence[Axes] | None = None
) -> Figure:
    """Draw what the variance of an outcome comes from, and which unknowns are worth knowing.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store of a run of a scenario with unknowns; of what `asmrisk.open_results` gave of it, chance and
        doubt alone are drawn.
    metric : str
        A metric that has one number a draw.
    ax : matplotlib Axes, or sequence of them, optional
        Where to draw: one, or two where the worth of single unknowns is told; without, a new figure with
        headline, subtitle and source.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are no such results, nothing in them is unknown, chance and doubt cannot be told apart, the
        metric is not allowed, or there are not as many axes as panels.
    """
    return drawn(doubt_chart(open_run_results(results), metric), ax)


def exposure(report: Report, who: str = ALL, *, ax: Axes | Sequence[Axes] | None = None) -> Figure:
    """Draw what somebody wins or loses in each payment year, and how likely losses are.

    Parameters
    ----------
    report : Report
        What `asmrisk.exposure` gave; asked with ``loss``, the chance of losing more is drawn too.
    who : str
        Name of a practice or clinician in it; all together if not given.
    ax : sequence of two or, with a loss, three matplotlib Axes, optional
        Where to draw; without, a new figure with headline, subtitle and source.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the report is none of an exposure or has nobody of that name, or there are not as many axes as
        panels.
    """
    return drawn(exposure_chart(report, who), ax)


def savings(results: _Results, *, ax: Axes | Sequence[Axes] | None = None) -> Figure:
    """Draw what Medicare saves, by performance year and added up.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave.
    ax : sequence of two matplotlib Axes, optional
        Where to draw; without, a new figure with headline, subtitle and source.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are no such results, or not two axes.
    """
    return drawn(savings_chart(open_run_results(results)), ax)


def score_curve(
    results: str | os.PathLike[str], year: int | None = None, *, ax: Axes | Sequence[Axes] | None = None
) -> Figure:
    """Draw which adjustment factor a final score has, where it breaks even, and which scores there are.

    Parameters
    ----------
    results : path
        The store that `asmrisk.run` wrote, by this version.
    year : int, optional
        Performance year; the first if not given.
    ax : sequence of three matplotlib Axes, optional
        Where to draw, one for each cohort's curve and one for the scores; without, a new figure with
        headline, subtitle and source.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no such store, it was computed by other code, has no such year, or exchanges payments
        within other groups than cohorts; or if there are not three axes.
    """
    return drawn(score_curve_chart(open_run_results(results), year), ax)
