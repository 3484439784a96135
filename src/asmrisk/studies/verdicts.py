"""What an estimate, its standard error and the ends of its 95% interval say, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["INDISTINGUISHABLE", "Verdict", "is_found", "of_effect", "of_share", "of_size"]

#: For every interval that holds zero.
INDISTINGUISHABLE = "indistinguishable from zero"
_EXACTLY_ZERO = "exactly zero: the same in every draw"
_NOT_DEFINED, _CANNOT_BE_TOLD = "not defined", "cannot be told"

#: A share from which a parameter is said to dominate, and one that is little.
_DOMINATES, _LITTLE = 0.5, 0.05


@dataclass(frozen=True)
class Verdict:
    """What is said of an estimate; as text, with its bound."""

    kind: str  #: in words
    bound: float | None = None  #: the largest share that it could be, where it could be zero or much

    def __str__(self) -> str:
        return self.kind if self.bound is None else f"{self.kind}; at most {self.bound:.0%}"


def is_found(verdict: str) -> bool:
    """Whether a verdict, as text, tells an estimate apart from zero.

    >>> is_found("matters"), is_found("indistinguishable from zero; at most 19%")
    (True, False)
    """
    return not verdict.startswith((INDISTINGUISHABLE, _EXACTLY_ZERO, _NOT_DEFINED, _CANNOT_BE_TOLD))


def of_effect(value: float, error: float, low: float, high: float) -> Verdict:
    """Judge a difference, effect or coefficient: whether it raises or lowers the outcome.

    >>> str(of_effect(2.0, 0.5, 1.0, 3.0)), str(of_effect(-0.1, 0.5, -1.1, 0.9))
    ('raises it', 'indistinguishable from zero')
    """
    if math.isnan(value) or math.isnan(error):
        return Verdict(_NOT_DEFINED)
    if value == 0.0 and error == 0.0:
        return Verdict(_EXACTLY_ZERO)
    if low <= 0.0 <= high:
        return Verdict(INDISTINGUISHABLE)
    return Verdict("raises it" if value > 0.0 else "lowers it")


def of_share(value: float, error: float, low: float, high: float) -> Verdict:
    """Judge a share of variance: whether it matters; if that cannot be told, how much it could be.

    >>> str(of_share(0.7, 0.05, 0.6, 0.8)), str(of_share(-0.01, 0.1, -0.2, 0.19))
    ('dominates', 'indistinguishable from zero; at most 19%')
    """
    if math.isnan(value) or math.isnan(error):
        return Verdict(_CANNOT_BE_TOLD)
    if value == 0.0 and error == 0.0:
        return Verdict(_EXACTLY_ZERO)
    if low <= 0.0:
        return Verdict(INDISTINGUISHABLE, None if high <= _LITTLE else min(high, 1.0))
    if high <= _LITTLE:
        return Verdict("more than zero, but little")
    return Verdict("dominates" if low > _DOMINATES else "matters")


def of_size(value: float, error: float, low: float, high: float) -> Verdict:
    """Judge a size, such as a mean absolute effect: whether it is more than zero."""
    if math.isnan(value) or math.isnan(error):
        return Verdict(_NOT_DEFINED)
    if value == 0.0 and error == 0.0:
        return Verdict(_EXACTLY_ZERO)
    return Verdict(INDISTINGUISHABLE if low <= 0.0 else "more than zero")
