"""Charts of results, as matplotlib figures.

Each function takes what it shows, and ``ax`` where to draw it; see the handbook, ``asmrisk docs pictures``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import xarray as xr

from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.drawing import drawn
from asmrisk.charts.exceedance import exceedance_chart
from asmrisk.charts.penalized import penalized_chart
from asmrisk.charts.savings import savings_chart
from asmrisk.charts.waterfall import waterfall_chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["exceedance", "penalized", "savings", "waterfall"]

_Results = str | os.PathLike[str] | xr.Dataset
_Where = "Axes | Sequence[Axes] | None"


def exceedance(results: _Results, metric: str = "medicare_savings", *, ax: Axes | None = None) -> Figure:
    """Draw how likely an outcome is to be larger than what.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave.
    metric : str
        Name of an outcome that is one number a draw, with a roster also ``roster_net_adjustment``.
    ax : matplotlib Axes, optional
        Where to draw; without, a new figure with headline, subtitle and source.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are no such results, no such metric, or it is not one number a draw.
    """
    return drawn(exceedance_chart(open_run_results(results), metric), ax)


def penalized(results: _Results, *, ax: Axes | None = None) -> Figure:
    """Draw the share of clinicians whose payments are cut, by specialty and practice size.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave.
    ax : matplotlib Axes, optional
        Where to draw; without, a new figure with headline, subtitle and source.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are no such results, or they do not tell specialties and practice sizes apart.
    """
    return drawn(penalized_chart(open_run_results(results)), ax)


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


def waterfall(results: _Results, *, ax: Axes | None = None) -> Figure:
    """Draw how adjustments, services and episodes add up to Medicare savings, in dollars of one year.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave.
    ax : matplotlib Axes, optional
        Where to draw; without, a new figure with headline, subtitle and source.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are no such results, or they do not say what converts dollars of one year into another's.
    """
    return drawn(waterfall_chart(open_run_results(results)), ax)
