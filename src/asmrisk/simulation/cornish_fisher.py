"""An approximation of binomial and Poisson quantiles that knows its error.

References
----------
G. W. Hill and A. W. Davis, "Generalized asymptotic expansions of Cornish-Fisher type", Annals of Mathematical
Statistics 39, 1968.
"""

from __future__ import annotations

from asmrisk.numerics.jit import fma, inline

__all__ = ["LEAST_VARIANCE", "cornish_fisher", "tolerance"]

#: Below this variance the expansion is no good; `tolerance` is certified from here on.
LEAST_VARIANCE = 2.0
#: Error of the expansion times the fourth power of the standard deviation: at most half of A + B z**6.
_TOLERANCE_CENTER = 0.1
_TOLERANCE_TAIL = 0.006
_TOLERANCE_ROUNDING = 1e-9
#: At least twice the relative error of the normal score.
_TOLERANCE_SCORE = 1e-10


@inline
def cornish_fisher(z: float, mean: float, deviation: float, e: float, skew: float, product: float) -> float:
    """Cornish-Fisher expansion to the sixth cumulant, with Sheppard's corrections.

    The distribution is smoothed so that its value at k + 1/2 is P(X <= k). The error is of order ``e**4``.

    Parameters
    ----------
    z : float
        Normal score of the probability wanted.
    mean, deviation : float
        Mean and standard deviation of the count.
    e : float
        Inverse of the standard deviation.
    skew, product : float
        ``1 - 2p`` and ``p (1 - p)`` of a binomial; 1 and 0 for the Poisson distribution, its limit.

    Returns
    -------
    float
        Where the smoothed distribution reaches the probability.
    """
    z2 = z * z
    second = fma(fma(-2.0, product, -1.0), z2, fma(14.0, product, -2.0)) * (1.0 / 72.0)
    third = skew * (2.0 + product) * fma(fma(3.0, z2, 7.0), z2, -16.0) * (1.0 / 1620.0)
    fourth = fma(product, fma(product, 36.0, 468.0), -207.0)
    fourth = fma(fourth, z2, fma(product, fma(product, 1024.0, 1612.0), -548.0))
    fourth = fma(fourth, z2, fma(product, fma(product, -1732.0, -5416.0), 2684.0)) * (1.0 / 155520.0)
    correction = fma(e, fma(z, second, e * fma(e, z * fourth, third)), skew * (z2 - 1.0) * (1.0 / 6.0))
    return fma(deviation, z, mean) + correction


@inline
def tolerance(z: float, deviation: float, e: float) -> float:
    """Bound twice the error of `cornish_fisher`, for variances from `LEAST_VARIANCE` and |z| up to 6.4.

    The tests certify it against the distributions themselves.

    Parameters
    ----------
    z, deviation, e : float
        As for `cornish_fisher`.

    Returns
    -------
    float
        At least twice the error, in counts.
    """
    z2 = z * z
    v = e * e
    rest = fma(_TOLERANCE_SCORE * deviation, abs(z), _TOLERANCE_ROUNDING)
    return fma(v * v, fma(_TOLERANCE_TAIL * z2, z2 * z2, _TOLERANCE_CENTER), rest)
