"""Standard errors of means that many draws will have, foretold from the few of a pilot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.doubt import components, jackknife, set_sums
from asmrisk.analysis.estimates import Sets, mean, t_quantile
from asmrisk.analysis.metrics import Metric, metric_values
from asmrisk.results.spec import StoreSpec

__all__ = ["ExpectedError", "errors_of_mean", "expected_errors"]


class ExpectedError(NamedTuple):
    """A standard error that is to be expected, in the unit of the draws; NaN where it cannot be told."""

    value: float
    low: float  #: lower end of a 95% interval: a pilot knows errors only so well
    high: float  #: upper end


def expected_errors(
    values: NDArray[np.float64], sets: Sets, draws: int, per_set: int
) -> tuple[ExpectedError, ExpectedError]:
    """Foretell the standard error of a mean: given the assumptions, and in all.

    With chance and doubt as `asmrisk.analysis.doubt.components` estimates them, the squared error of the mean
    of n draws is chance / n given the assumptions; in all, doubt times Σ m² / n² comes to it, over sets of m
    draws. Negative doubt counts as none. Intervals are symmetric in the logarithm, with the error of the
    jackknife over the pilot's parameter sets.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        One entry for each of the pilot's draws.
    sets : ndarray of int64, shape (n,), or None
        Number of each one's parameter set, groups contiguous; None where nothing is unknown: both errors are
        then the same.
    draws : int
        Number of draws whose mean is meant.
    per_set : int
        How many of them share a parameter set. Of one the first error cannot be told.

    Examples
    --------
    >>> given, whole = expected_errors(np.array([1.0, 3.0, 11.0, 13.0]), np.array([0, 0, 1, 1]), 400, 2)
    >>> round(given.value, 3), round(whole.value, 3)
    (0.071, 0.5)
    """
    alone = sets is None or per_set == 1
    groups = np.arange(len(values)) if sets is None or alone else sets

    def squares(kept: NDArray[np.bool_]) -> list[float]:
        x = values[kept]
        if alone:
            square = float(mean(x).error) ** 2 * len(x) / draws
            return [square if sets is None else np.nan, square]
        chance, doubt = (float(each[0]) for each in components(set_sums(x[:, None], groups[kept])))
        full, rest = divmod(draws, per_set)
        added = max(doubt, 0.0) * (full * per_set**2 + rest**2) / draws**2
        return [chance / draws, chance / draws + added]

    numbers = np.unique(groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = 0.5 * np.log(squares(np.full(len(values), True)))
        without = 0.5 * np.log([squares(groups != number) for number in numbers])
        reach = t_quantile(len(numbers) - 1) * jackknife(without)
        given, whole = np.exp([logs, logs - reach, logs + reach]).T.tolist()
    return ExpectedError(*given), ExpectedError(*whole)


def errors_of_mean(
    metric: Metric,
    spec: StoreSpec,
    numbers: NDArray[np.int64],
    arrays: Mapping[str, NDArray[Any]],
    draws: int,
) -> tuple[ExpectedError, ExpectedError]:
    """Foretell the errors of the mean of a metric of one variable, all years together, in a run of `draws`.

    `numbers` and `arrays` are a pilot's, of `asmrisk.simulation.pilot`; errors those of `expected_errors`.
    """
    values, _ = metric_values(metric, [arrays[metric.name]], [spec.arrays[metric.name].dims], ())
    sets = numbers // spec.draws_per_set if spec.about["uncertainty"] else None
    return expected_errors(values, sets, draws, spec.draws_per_set)
