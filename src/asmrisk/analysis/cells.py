"""Estimates as cells of a table, each to the digits that its error supports."""

from __future__ import annotations

import math

import pandas as pd
import xarray as xr

from asmrisk.analysis.digits import number, with_error, with_interval

__all__ = ["interval_cell", "mean_cell", "range_cell", "read", "sd_cell"]

#: One row of a table, or an array with the dimension ``statistic`` alone.
Cell = xr.DataArray | pd.Series


def read(cell: Cell, name: str) -> float:
    """Give one statistic."""
    if isinstance(cell, xr.DataArray):
        # Not by `sel`, which takes a tenth of a millisecond: a summary has five hundred.
        return float(cell.values[cell.indexes["statistic"].get_loc(name)])
    return float(cell[name])


def mean_cell(cell: Cell, scale: float, name: str = "mean") -> str:
    """Write an estimate with its standard error."""
    return with_error(read(cell, name) * scale, read(cell, f"{name}_error") * scale)


def sd_cell(cell: Cell, scale: float) -> str:
    """Write the standard deviation with its standard error."""
    return "n/a" if math.isnan(read(cell, "sd")) else mean_cell(cell, scale, "sd")


def range_cell(cell: Cell, scale: float) -> str:
    """Write the 5% and 95% quantiles over draws, to the digits that the wider of their intervals supports."""
    if read(cell, "draws") < 2:
        return "n/a"
    ends = ("p05", "p95")
    # A 95% interval is about four standard errors wide.
    error = max((read(cell, f"{end}_high") - read(cell, f"{end}_low")) / 4.0 for end in ends)
    if math.isnan(error):  # too few draws for an interval: no better than one draw's spread
        error = read(cell, "sd")
    return " to ".join(number(read(cell, end) * scale, error * scale) for end in ends)


def interval_cell(cell: Cell, scale: float, name: str) -> str:
    """Write an estimate with its 95% interval."""
    value, low, high = (read(cell, f"{name}{part}") * scale for part in ("", "_low", "_high"))
    return with_interval(value, low, high, error=(high - low) / 2.0)
