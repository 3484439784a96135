"""Declared statistics: what they pass on of parameter sets, and how ranges are headed."""

import math

import numpy as np
import pytest
import xarray as xr

from asmrisk.analysis.estimates import mean, quantiles, standard_deviation
from asmrisk.analysis.statistics import (
    BELOW_ZERO,
    DRAWS,
    MEAN,
    RANGE,
    SD,
    Draws,
    columns_of,
    error_cell,
    estimated,
    estimates,
    interval_cell,
    shown,
    worst,
)
from asmrisk.analysis.tail import probability, tail_risk
from asmrisk.analysis.text_tables import WIDTH, Group, Table, table_lines

SETS = np.arange(900) // 2
X = np.random.default_rng(1).normal(size=(450, 3)).repeat(2, axis=0) + 0.2
X[:3, 1] = np.nan


def test_statistics_are_of_parameter_sets():
    draws = Draws(X, high_is_worse=True, sets=SETS)
    for statistic, expected in (
        (DRAWS, [[900, 897, 900], [450, 449, 450]]),
        (MEAN, mean(X, SETS)[:2]),
        (SD, standard_deviation(X, SETS)[:2]),
        (RANGE, [part for each in quantiles(X, (0.05, 0.5, 0.95), sets=SETS) for part in each[:3]]),
        (worst(0.1), tail_risk(X, 0.1, high_is_worse=True, sets=SETS)),
    ):
        np.testing.assert_array_equal(
            estimates([statistic], draws), np.array(expected), err_msg=str(statistic)
        )
    below = probability(np.where(np.isnan(X), np.nan, X < 0), sets=SETS)
    np.testing.assert_array_equal(estimates([BELOW_ZERO], draws), [below.value, below.low, below.high])
    labeled = xr.DataArray(X, dims=("draw", "year"), attrs={"units": "USD"})
    found = estimated((DRAWS, MEAN), labeled, sets=SETS)
    assert tuple(found.statistic.values) == ("draws", "parameter_sets", "mean", "mean_error")
    np.testing.assert_array_equal(found.sel(statistic="mean_error"), mean(X, SETS).error)


def test_draws_without_sets_are_sets():
    assert columns_of([DRAWS]) == ("draws", "parameter_sets")
    np.testing.assert_array_equal(estimates([DRAWS], Draws(X)), [[900, 897, 900]] * 2)


@pytest.mark.parametrize(
    ("holds", "first", "second"),
    [
        (None, "", "mean ± error           5-95%"),
        ("chance", "", "mean ± error   5-95%, chance"),
        ("chance_and_doubt", "5-95%,", "mean ± error  chance and doubt"),
    ],
)
def test_heads_of_ranges_say_what_they_hold(holds, first, second):
    values = estimates((DRAWS, MEAN, SD, RANGE), Draws(X))
    names = columns_of((DRAWS, MEAN, SD, RANGE))
    rows = [dict(zip(names, each, strict=True)) for each in values.T.tolist()]
    heads, columns = shown((MEAN, RANGE), rows, 1.0, holds)
    labels = ["Cardiology", "Neurosurgery", "all"]
    lines = table_lines(Table(labels, [Group(title, heads, columns) for title in ("Savings", "Payments")]))
    assert max(map(len, lines)) <= WIDTH
    height = 2 if first else 1
    assert len(lines) == 1 + height + len(labels)
    assert lines[height].split() == second.split() * 2
    assert lines[1].split() == (first.split() or second.split()) * 2
    # Heads and cells end in the same place.
    assert len(lines[1]) == len(lines[height]) == len(lines[-1])
    noted = table_lines(Table(labels, [Group("Savings", heads, columns)], notes=["a", "b", "c"]))
    assert [line[-1] for line in noted[1 + height :]] == ["a", "b", "c"]


def test_what_is_not_estimated_is_not_available():
    row = dict.fromkeys(("tail", "tail_low", "tail_high", "tail_error"), math.nan)
    assert interval_cell("tail")(row, 1.0) == error_cell("tail")(row, 1.0) == "n/a"
    # One draw has a mean and no error; a quantile in too few draws has no interval.
    row["tail"] = 2.0
    assert error_cell("tail")(row, 1.0) == "2.000 ± n/a"
    assert interval_cell("tail")(row, 1.0) == "2.000 (interval n/a)"
