"""Order statistics of unsorted numbers, exactly as sorting them would give.

A percentile needs a few order statistics, not a sorted array. The values are counted in a histogram of
equal bins between the least and the greatest; only the values in the bins that hold a wanted rank are copied
out and sorted (bucket selection).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from asmrisk.numerics.jit import inline, kernel

__all__ = [
    "MOST_RANKS",
    "OrderScratch",
    "extremes",
    "make_order_scratch",
    "median",
    "order_statistics",
    "quantiles",
    "sort",
]

#: Most ranks that can be asked for at once: `quantiles` needs two for each quantile.
MOST_RANKS = 64

_LEAST_BINS, _MOST_BINS = 64, 2048
#: All bits of an integer but its sign.
_BELOW_SIGN = 0x7FFFFFFFFFFFFFFF
#: Bins that are looked at together for a wanted rank; divides their number.
_LOOKED_AT = 16
#: Values that are looked at together for a wanted bin.
_LISTED = 64
#: Up to so many values are sorted by insertion, and outright.
_FEW = 24
#: A range of values outside these is sorted outright, since a bin's width would overflow or vanish.
_LEAST_RANGE, _GREATEST_RANGE = 1e-280, 1e280


class OrderScratch(NamedTuple):
    """Room for the functions of this module; contents mean nothing between calls.

    Attributes
    ----------
    bin_of : ndarray of uint16, shape (capacity,)
        Bin of each value.
    counts : ndarray of int32, shape (2 (bins + 1),)
        Values in each bin, every second one counted apart; then where a wanted bin's next value goes.
    wanted : ndarray of bool, shape (bins + 1,)
        Whether a bin holds a wanted rank.
    gathered : ndarray of float64, shape (capacity,)
        Values of the wanted bins, bin after bin.
    picked : ndarray of uint32, shape (capacity,)
        Which values lie in the wanted bins.
    starts : ndarray of int64, shape (MOST_RANKS + 1,)
        Where each wanted bin starts in `gathered`.
    places : ndarray of int64, shape (MOST_RANKS,)
        Where each rank lies in `gathered`.
    ranks, where : ndarray of int64, shape (MOST_RANKS,)
        Ranks that `quantiles` asks for, and which of them is each quantile's lower one.
    ordered : ndarray of float64, shape (MOST_RANKS,)
        The order statistics at these ranks.
    """

    bin_of: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.int32]
    wanted: npt.NDArray[np.bool_]
    gathered: npt.NDArray[np.float64]
    picked: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    ranks: npt.NDArray[np.int64]
    where: npt.NDArray[np.int64]
    ordered: npt.NDArray[np.float64]


def make_order_scratch(capacity: int) -> OrderScratch:
    """Set aside room for arrays of up to `capacity` values.

    Parameters
    ----------
    capacity : int
        Most values in one call.

    Returns
    -------
    OrderScratch
        Zeroed arrays.
    """
    return OrderScratch(
        bin_of=np.zeros(capacity, np.uint16),
        counts=np.zeros(2 * (_MOST_BINS + 1), np.int32),
        wanted=np.zeros(_MOST_BINS + 1, np.bool_),
        gathered=np.zeros(capacity),
        picked=np.zeros(capacity, np.uint32),
        starts=np.zeros(MOST_RANKS + 1, np.int64),
        places=np.zeros(MOST_RANKS, np.int64),
        ranks=np.zeros(MOST_RANKS, np.int64),
        where=np.zeros(MOST_RANKS, np.int64),
        ordered=np.zeros(MOST_RANKS),
    )


@inline
def _key(value: float) -> np.int64:
    """Turn a float into an integer, so that integers are ordered as the floats are."""
    bits = np.float64(value).view(np.int64)
    key: np.int64 = bits ^ ((bits >> 63) & _BELOW_SIGN)
    return key


@kernel
def extremes(values: npt.NDArray[np.float64], n: int) -> tuple[float, float]:
    """Least and greatest of at least one value.

    Parameters
    ----------
    values : ndarray of float64, shape (at least n,)
        Numbers, no NaN.
    n : int
        How many of them, at least one.

    Returns
    -------
    least, greatest : float
        The extremes; of two zeros the negative one is less.
    """
    # As integers, since a compiler may not take the minima of floats out of order.
    low = _key(values[0])
    high = low
    for i in range(n):
        key = _key(values[i])
        low = key if key < low else low
        high = key if key > high else high
    low ^= (low >> 63) & _BELOW_SIGN
    high ^= (high >> 63) & _BELOW_SIGN
    return np.int64(low).view(np.float64), np.int64(high).view(np.float64)


@inline
def _sift_down(values: npt.NDArray[np.float64], root: int, size: int) -> None:
    value = values[root]
    child = 2 * root + 1
    while child < size:
        if child + 1 < size and values[child + 1] > values[child]:
            child += 1
        if values[child] <= value:
            break
        values[root] = values[child]
        root = child
        child = 2 * root + 1
    values[root] = value


@kernel
def sort(values: npt.NDArray[np.float64]) -> None:
    """Sort in place: by insertion if very few, else as a heap (never quadratic, and quick on ties).

    Parameters
    ----------
    values : ndarray of float64, one-dimensional
        Numbers, no NaN.
    """
    size = len(values)
    if size <= _FEW:
        for i in range(1, size):
            value = values[i]
            j = i
            while j > 0 and values[j - 1] > value:
                values[j] = values[j - 1]
                j -= 1
            values[j] = value
        return
    least, greatest = extremes(values, size)
    if least == greatest:
        return
    for root in range(size // 2 - 1, -1, -1):
        _sift_down(values, root, size)
    for last in range(size - 1, 0, -1):
        greatest = values[0]
        values[0] = values[last]
        values[last] = greatest
        _sift_down(values, 0, last)


@kernel
def _pick_from_bins(
    bin_of: npt.NDArray[np.uint16], n: int, one: np.uint16, other: np.uint16, picked: npt.NDArray[np.uint32]
) -> int:
    """List the values of two bins; give their number. Few belong to them, so some are looked at together."""
    count = 0
    for first in range(0, n, _LISTED):
        some = bin_of[first:]
        length = min(_LISTED, n - first)
        found = False
        for j in range(length):
            found = found | (some[j] == one) | (some[j] == other)
        if found:
            for j in range(length):
                picked[count] = first + j
                count += (some[j] == one) | (some[j] == other)
    return count


@kernel
def order_statistics(
    values: npt.NDArray[np.float64],
    n: int,
    ranks: npt.NDArray[np.int64],
    out: npt.NDArray[np.float64],
    scratch: OrderScratch,
) -> None:
    """Find the values at given ranks, as ``numpy.sort(values[:n])[ranks]`` would.

    Parameters
    ----------
    values : ndarray of float64, shape (at least n,)
        Finite numbers.
    n : int
        How many of them, at least one.
    ranks : ndarray of int64, shape (up to MOST_RANKS,)
        From 0 to n - 1, ascending.
    out : ndarray of float64, shape (at least the number of ranks,)
        Receives the order statistics.
    scratch : OrderScratch
        Room for n values.
    """
    asked = len(ranks)
    low, high = extremes(values, n)
    half = 0.5 * high - 0.5 * low
    gathered = scratch.gathered
    if n <= _FEW or not _LEAST_RANGE < half < _GREATEST_RANGE:
        for i in range(n):
            gathered[i] = values[i]
        sort(gathered[:n])
        for r in range(asked):
            out[r] = gathered[ranks[r]]
        return

    bins = _LEAST_BINS
    while bins < _MOST_BINS and 2 * bins < n:
        bins *= 2
    # A bin's number never falls as the value rises, whatever the rounding: bins are in order. The greatest
    # value, which a topped-out rate takes often, has a bin of its own.
    bin_of, counts = scratch.bin_of, scratch.counts
    scale = 0.5 * bins / half
    last = bins - 1.0
    for i in range(n):
        position = (values[i] - low) * scale
        position = last if position > last else position
        position = last + 1.0 if values[i] == high else position
        bin_of[i] = np.int32(position)
    # Every second one apart, since equal bins one after the other would wait for each other.
    others = counts[_MOST_BINS + 1 :]
    counts[: bins + 1] = 0
    others[: bins + 1] = 0
    for pair in range(n // 2):
        # An unsigned index needs no check for counting from the end.
        first_of_two = np.uint64(2 * pair)
        counts[bin_of[first_of_two]] += 1
        others[bin_of[first_of_two + np.uint64(1)]] += 1
    if n % 2 == 1:
        counts[bin_of[n - 1]] += 1

    starts, places, is_wanted = scratch.starts, scratch.places, scratch.wanted
    is_wanted[: bins + 1] = False
    greatest_from = n - int(counts[bins] + others[bins])
    for b in range(bins):
        counts[b] += others[b]
    below = 0
    kept = 0
    wanted = 0
    lowest, highest = bins + 1, bins + 1  # where no value lies
    r = 0
    for first in range(0, bins, _LOOKED_AT):
        # Most bins hold no wanted rank: some together are passed over in one step.
        some = counts[first:]
        inside = 0
        for b in range(_LOOKED_AT):
            inside += some[b]
        if r == asked or ranks[r] >= below + inside:
            below += inside
            continue
        for b in range(_LOOKED_AT):
            inside = int(some[b])
            if r < asked and ranks[r] < below + inside:
                some[b] = kept
                is_wanted[first + b] = True
                starts[wanted] = kept
                highest = first + b
                lowest = highest if wanted == 0 else lowest
                wanted += 1
                while r < asked and ranks[r] < below + inside:
                    places[r] = kept + ranks[r] - below
                    r += 1
                kept += inside
            below += inside
    starts[wanted] = kept

    picked = scratch.picked
    count = 0
    if wanted <= 2:
        count = _pick_from_bins(bin_of, n, np.uint16(lowest), np.uint16(highest), picked)
    else:
        # Branchless compaction: written always, kept if the count moves on.
        for i in range(n):
            picked[count] = i
            count += is_wanted[bin_of[i]]
    for j in range(count):
        b = bin_of[picked[j]]
        gathered[counts[b]] = values[picked[j]]
        counts[b] += 1
    for b in range(wanted):
        if starts[b + 1] > starts[b] + 1:
            sort(gathered[starts[b] : starts[b + 1]])
    for r in range(asked):
        out[r] = high if ranks[r] >= greatest_from else gathered[places[r]]


@kernel
def quantiles(
    values: npt.NDArray[np.float64],
    n: int,
    numerators: npt.NDArray[np.int64],
    denominator: int,
    out: npt.NDArray[np.float64],
    scratch: OrderScratch,
) -> None:
    """Quantiles by linear interpolation (Hyndman-Fan type 7), with positions in integers.

    The quantile p = a / b lies at position ``(n - 1) a div b`` with fraction ``((n - 1) a mod b) / b``; a
    fraction of 0 gives the order statistic itself, so that no tie is lost to rounding.

    Parameters
    ----------
    values : ndarray of float64, shape (at least n,)
        Finite numbers.
    n : int
        How many of them.
    numerators : ndarray of int64, shape (up to MOST_RANKS / 2,)
        Ascending, from 0 to `denominator`.
    denominator : int
        Ten for deciles, a hundred for percentiles.
    out : ndarray of float64, shape (at least the number of quantiles,)
        Receives the quantiles; NaN without a value.
    scratch : OrderScratch
        Room for n values.
    """
    if n == 0:
        out[: len(numerators)] = np.nan
        return
    ranks, where, ordered = scratch.ranks, scratch.where, scratch.ordered
    asked = 0
    for q in range(len(numerators)):
        lower = (n - 1) * numerators[q] // denominator
        if asked == 0 or ranks[asked - 1] < lower:
            ranks[asked] = lower
            asked += 1
        where[q] = asked - 1 if ranks[asked - 1] == lower else asked - 2
        if where[q] == asked - 1 and (n - 1) * numerators[q] % denominator > 0:
            ranks[asked] = lower + 1
            asked += 1
    order_statistics(values, n, ranks[:asked], ordered, scratch)
    for q in range(len(numerators)):
        fraction = (n - 1) * numerators[q] % denominator
        low = ordered[where[q]]
        out[q] = low if fraction == 0 else low + fraction / denominator * (ordered[where[q] + 1] - low)


@kernel
def median(values: npt.NDArray[np.float64], n: int, scratch: OrderScratch) -> float:
    """Median: the mean of the middle two.

    Parameters
    ----------
    values : ndarray of float64, shape (at least n,)
        Finite numbers.
    n : int
        How many of them.
    scratch : OrderScratch
        Room for n values.

    Returns
    -------
    float
        NaN without a value.
    """
    if n == 0:
        return np.nan
    scratch.ranks[0] = (n - 1) // 2
    scratch.ranks[1] = n // 2
    order_statistics(values, n, scratch.ranks[:2], scratch.ordered, scratch)
    return float(0.5 * (scratch.ordered[0] + scratch.ordered[1]))
