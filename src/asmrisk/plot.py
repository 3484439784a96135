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
from asmrisk.charts.savings import savings_chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["savings"]

_Results = str | os.PathLike[str] | xr.Dataset
_Where = "Axes | Sequence[Axes] | None"


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
