"""Sums whose bits depend only on the terms and their order.

They run in many explicit lanes that are added up pairwise, so that the compiled loops use vector instructions
while their bits stay those of the loops as written.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from asmrisk.numerics.jit import kernel

__all__ = ["LANES", "add_to_lanes", "lane_sum", "mean_and_deviation", "sum_of_lanes"]

#: Partial sums in parallel, a power of 2: many, so that the loops over them are long.
LANES = 128


@kernel
def add_to_lanes(values: npt.NDArray[np.float64], n: int, partial: npt.NDArray[np.float64]) -> None:
    """Add values to sums in lanes: value i goes to lane i mod LANES.

    Parameters
    ----------
    values : ndarray of float64, shape (at least n,)
        Terms.
    n : int
        How many of them; a multiple of LANES if more are to follow.
    partial : ndarray of float64, shape (LANES,)
        Changed: the sums so far.
    """
    for start in range(0, n, LANES):
        row = values[start:]
        for lane in range(min(LANES, n - start)):
            partial[lane] += row[lane]


@kernel
def sum_of_lanes(partial: npt.NDArray[np.float64]) -> float:
    """Add the lanes pairwise: each of the first half and its counterpart, and so on.

    Parameters
    ----------
    partial : ndarray of float64, shape (LANES,)
        The lanes; changed.

    Returns
    -------
    float
        Their sum.
    """
    width = LANES // 2
    while width > 0:
        upper = partial[width:]
        for lane in range(width):
            partial[lane] += upper[lane]
        width //= 2
    return float(partial[0])


@kernel
def lane_sum(values: npt.NDArray[np.float64], n: int, lanes: npt.NDArray[np.float64]) -> float:
    """Sum n values by `add_to_lanes` and `sum_of_lanes`, in `lanes` as scratch; 0 for none."""
    lanes[:] = 0.0
    add_to_lanes(values, n, lanes)
    return sum_of_lanes(lanes)


@kernel
def mean_and_deviation(
    values: npt.NDArray[np.float64], n: int, pivot: float, lanes: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Mean and sample standard deviation (divisor n - 1), in two passes.

    Parameters
    ----------
    values : ndarray of float64, shape (at least n,)
        Numbers, no NaN.
    n : int
        How many of them.
    pivot : float
        A number among or near the values. Deviations are taken from it first, so that equal values give
        exactly that mean and a standard deviation of exactly 0.
    lanes : ndarray of float64, shape (LANES,)
        Scratch.

    Returns
    -------
    mean, deviation : float
        NaN where undefined: without a value, and the deviation of a single value.
    """
    if n == 0:
        return np.nan, np.nan
    lanes[:] = 0.0
    for start in range(0, n, LANES):
        row = values[start:]
        for lane in range(min(LANES, n - start)):
            lanes[lane] += row[lane] - pivot
    mean = pivot + sum_of_lanes(lanes) / n
    if n == 1:
        return mean, np.nan
    lanes[:] = 0.0
    for start in range(0, n, LANES):
        row = values[start:]
        for lane in range(min(LANES, n - start)):
            lanes[lane] += (row[lane] - mean) * (row[lane] - mean)
    return mean, np.sqrt(sum_of_lanes(lanes) / (n - 1))
