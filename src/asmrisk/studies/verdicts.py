"""What an estimate, its standard error and the ends of its 95% interval say, in words."""

from __future__ import annotations

import math

__all__ = ["of_effect", "of_share", "of_size"]

#: For every interval that holds zero.
ZERO = "indistinguishable from zero"
EXACTLY_ZERO = "exactly zero: the same in every draw"

#: A share from which a parameter is said to dominate, and one that is little.
_DOMINATES, _LITTLE = 0.5, 0.05


def of_effect(value: float, error: float, low: float, high: float) -> str:
    """Judge a difference, effect or coefficient: whether it raises or lowers the outcome.

    >>> of_effect(2.0, 0.5, 1.0, 3.0), of_effect(-0.1, 0.5, -1.1, 0.9)
    ('raises it', 'indistinguishable from zero')
    """
    if math.isnan(value) or math.isnan(error):
        return "not defined"
    if value == 0.0 and error == 0.0:
        return EXACTLY_ZERO
    if low <= 0.0 <= high:
        return ZERO
    return "raises it" if value > 0.0 else "lowers it"


def of_share(value: float, error: float, low: float, high: float) -> str:
    """Judge a share of variance: whether it matters; if that cannot be told, how much it could be.

    >>> of_share(0.7, 0.05, 0.6, 0.8), of_share(-0.01, 0.1, -0.2, 0.19)
    ('dominates', 'indistinguishable from zero; at most 19%')
    """
    if math.isnan(value) or math.isnan(error):
        return "cannot be told"
    if value == 0.0 and error == 0.0:
        return EXACTLY_ZERO
    if low <= 0.0:
        return ZERO if high <= _LITTLE else f"{ZERO}; at most {min(high, 1.0):.0%}"
    if high <= _LITTLE:
        return "more than zero, but little"
    return "dominates" if low > _DOMINATES else "matters"


def of_size(value: float, error: float, low: float, high: float) -> str:
    """Judge a size, such as a mean absolute effect: whether it is more than zero."""
    if math.isnan(value) or math.isnan(error):
        return "not defined"
    if value == 0.0 and error == 0.0:
        return EXACTLY_ZERO
    return ZERO if low <= 0.0 else "more than zero"
