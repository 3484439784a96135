"""The standard normal distribution for single numbers outside of kernels, equal on every processor."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["normal_probability", "normal_quantile", "stable"]


def stable(value: float) -> float:
    """Round to nine significant digits: math libraries' last bits differ by processor, and results must not.

    Examples
    --------
    >>> stable(2.0 ** 0.5)
    1.41421356
    """
    return float(f"{value:.9g}")


def normal_quantile(probability: float) -> float:
    """Give the normal score below which a share in [0, 1] of all lie, rounded by `stable`."""
    return stable(float(_functions()[1](probability)))


def normal_probability(score: float) -> float:
    """Give the share of all below a normal score, rounded by `stable`."""
    return stable(float(_functions()[0](score)))


@cache
def _functions() -> tuple[Any, Any]:
    # SciPy takes a while to import, and most scenarios need no quantile.
    from scipy.special import ndtr, ndtri

    return ndtr, ndtri
