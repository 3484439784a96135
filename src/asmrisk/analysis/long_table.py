"""Labeled estimates as one long table: a row for each metric and label."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from asmrisk.analysis.metrics import BY

__all__ = ["ALL", "long_table", "ordinal", "records", "row_label", "to_json"]

#: Label of what is not told apart.
ALL = "all"


def long_table(estimates: xr.Dataset, extra: Sequence[str] = ()) -> pd.DataFrame:
    """Give labeled estimates as one long table.

    Parameters
    ----------
    estimates : xarray.Dataset
        Variables with the dimension ``statistic``, any labels of metrics, and those of `extra`; what follows
        a colon in a name is no part of the metric's.
    extra : sequence of str
        Further dimensions.

    Returns
    -------
    pandas.DataFrame
        Columns ``metric``, ``units``, the labels (``all`` where not told apart), ``quantile`` (of quantile
        metrics), `extra`, and the statistics.
    """
    statistics = [str(each) for each in estimates.statistic.values]
    parts = []
    for name, array in estimates.data_vars.items():
        if array.ndim == 1:
            frame = pd.DataFrame([dict(zip(statistics, array.values.tolist(), strict=True))])
        else:
            frame = array.to_dataset("statistic").to_dataframe().reset_index()
        if "cohort" in array.coords and "cohort" not in array.dims:
            homes = dict(zip(array.specialty.values, array.cohort.values, strict=True))
            frame["cohort"] = frame["specialty"].map(homes)
        frame["metric"] = str(name).partition(":")[0]
        frame["units"] = array.attrs["units"]
        parts.append(frame)
    table = pd.concat(parts, ignore_index=True)
    for label in BY:
        known = table[label].astype(object) if label in table else pd.Series(None, table.index, dtype=object)
        table[label] = [_plain(each) for each in known]
    if "quantile" not in table:
        table["quantile"] = np.nan
    for count in {"draws"} & set(statistics):
        table[count] = table[count].astype(np.int64)
    return table[["metric", "units", *BY, "quantile", *extra, *statistics]]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the rows of a table for JSON; what is not defined is None."""
    return [
        {
            str(key): None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def to_json(document: dict[str, Any]) -> str:
    """Write a document of plain values as JSON text."""
    return json.dumps(document, indent=1, allow_nan=False)


def row_label(row: pd.Series) -> str:
    """Name a row by its labels; a specialty belongs to one cohort alone.

    Parameters
    ----------
    row : pandas.Series
        Of `long_table`.

    Returns
    -------
    str
        For example ``2027 solo``; ``all`` where nothing is told apart.
    """
    named = [
        str(row[label]).replace("_", " ")
        for label in BY
        if row[label] != ALL and not (label == "cohort" and row["specialty"] != ALL)
    ]
    return " ".join(named + ([] if math.isnan(row["quantile"]) else [ordinal(row["quantile"])])) or ALL


def ordinal(level: float) -> str:
    """Name a percentile.

    Examples
    --------
    >>> ordinal(0.01), ordinal(0.95)
    ('1st', '95th')
    """
    percent = round(100 * level)
    return f"{percent}{'st' if percent == 1 else 'th'}"


def _plain(label: Any) -> Any:
    if label is None or (isinstance(label, float) and math.isnan(label)):
        return ALL
    return label if isinstance(label, str) else int(label)
