"""The oracle's statistics: means and deviations in exact fractions, so that "all equal" survives rounding."""

import math
from fractions import Fraction

NAN = math.nan


def missing(value):
    """Whether a number is absent."""
    return value is None or math.isnan(value)


def median(values):
    """Mean of the middle two; NaN of nothing."""
    ordered = sorted(values)
    n = len(ordered)
    if n == 0:
        return NAN
    if n % 2 == 1:
        return ordered[n // 2]
    return (ordered[n // 2 - 1] + ordered[n // 2]) / 2


def mean(values):
    """Exact mean, rounded once; NaN of nothing."""
    if not values:
        return NAN
    return float(sum(Fraction(v) for v in values) / len(values))


def sample_sd(values):
    """Sample standard deviation (n - 1), the variance exact; NaN of fewer than two values."""
    n = len(values)
    if n < 2:
        return NAN
    center = sum(Fraction(v) for v in values) / n
    variance = sum((Fraction(v) - center) ** 2 for v in values) / (n - 1)
    return math.sqrt(variance)


def decile_edges(values):
    """The 10th, ..., 90th percentiles, Hyndman-Fan type 7, positions in whole numbers."""
    ordered = sorted(values)
    edges = []
    for q in range(1, 10):
        position, tenths = divmod((len(ordered) - 1) * q, 10)
        if tenths == 0:
            edges.append(ordered[position])
        else:
            lower, upper = ordered[position], ordered[position + 1]
            edges.append(lower + tenths / 10 * (upper - lower))
    return edges
