"""Standard normal quantile and probability, without branches, the same bits everywhere.

The quantile of a uniform u of 32 bits is ``score_from(u, score_argument(u))``, with a relative error below
5e-11: less than what half a step of the uniform, 2**-33, changes. ``z / (u - 1/2)`` is a smooth function of
``-log(4 u (1 - u))`` (the argument is Giles') from the center to the tails; one rational function of degree 8
over 7, the best one in relative error for u from 2**-33 to 1 - 2**-33, serves all of it without a root or a
branch. It comes in two halves for two passes of a loop (`asmrisk.simulation.batches.normal_scores`).

References
----------
M. B. Giles, "Approximating the erfinv function", GPU Computing Gems, 2011.
"""

from __future__ import annotations

from asmrisk.numerics.jit import fma, inline
from asmrisk.numerics.portable_math import split

__all__ = ["normal_probability", "score_argument", "score_from"]

_LN2 = 0.69314718055994530942
#: Takes -log(4 u (1 - u)), from 0 to 31 log(2) for uniforms of 32 bits, to an interval of length 2.
_TO_UNIT = 2.0 / 21.4876
#: Probabilities beyond this normal score are taken as there.
_LAST_SCORE = 6.5


@inline
def score_argument(u: float) -> float:
    """First half of the normal score of u: ``-log(4 u (1 - u))``, moved to lie between -1 and 1."""
    # As `portable_math.log`, with four terms of the series, the best ones: an error of 2e-12 is small enough.
    k, f = split(4.0 * u * (1.0 - u))
    s = f / (2.0 + f)
    z = s * s
    series = fma(z, 0.2366932484539346, 0.28532038135936283)
    series = fma(z, fma(z, series, 0.40000434343965946), 0.6666666508300747)
    return fma(k, -_LN2 * _TO_UNIT, fma(s * -_TO_UNIT, fma(z, series, 2.0), -1.0))


@inline
def score_from(u: float, x: float) -> float:
    """Second half of the normal score of u, from ``x = score_argument(u)``.

    Examples
    --------
    >>> float(score_from(0.5, score_argument(0.5))), round(float(score_from(0.975, score_argument(0.975))), 9)
    (0.0, 1.959963985)
    """
    top = fma(0.030025330610666404236, x, 1.096044382808717248)
    top = fma(top, x, 7.6241398480168603823)
    top = fma(top, x, 25.625674635383693847)
    top = fma(top, x, 51.824461156762866071)
    top = fma(top, x, 68.719117145840347551)
    top = fma(top, x, 60.624768095427617231)
    top = fma(top, x, 33.24873360359059778)
    top = fma(top, x, 8.8015260291436562351)
    bottom = fma(0.027512611894336009363, x, 0.34102519599115357938)
    bottom = fma(bottom, x, 1.4825556184036499124)
    bottom = fma(bottom, x, 3.5668178381330705732)
    bottom = fma(bottom, x, 5.3597298541793312383)
    bottom = fma(bottom, x, 5.2958884138410032802)
    bottom = fma(bottom, x, 3.2480208672001509928)
    bottom = fma(bottom, x, 1.0)
    return (u - 0.5) * (top / bottom)


@inline
def normal_probability(z: float) -> float:
    """Give the standard normal distribution function, absolute error below 5e-11.

    ``P(Z <= z) = 1/2 + z R(z**2)`` with R a rational function of degree 7 over 8, within 1.5e-12; beyond 6.5
    standard deviations as there.

    Parameters
    ----------
    z : float
        Any number.

    Returns
    -------
    float
        Strictly between 0 and 1.

    Examples
    --------
    >>> float(normal_probability(0.0)), round(float(normal_probability(1.959963985)), 9)
    (0.5, 0.975)
    """
    z = _LAST_SCORE if z > _LAST_SCORE else z
    z = -_LAST_SCORE if z < -_LAST_SCORE else z
    x = fma(z * z, 2.0 / (_LAST_SCORE * _LAST_SCORE), -1.0)
    top = fma(0.0007401894417774491, x, 0.012045673961284371)
    top = fma(top, x, 0.07024857693762729)
    top = fma(top, x, 0.2238539128705129)
    top = fma(top, x, 0.43112543364013556)
    top = fma(top, x, 0.5125091239458534)
    top = fma(top, x, 0.35086512822134275)
    top = fma(top, x, 0.10878519056309673)
    bottom = fma(0.0007081474779693801, x, 0.03340579731663537)
    bottom = fma(bottom, x, 0.30840154824495103)
    bottom = fma(bottom, x, 1.374443069674266)
    bottom = fma(bottom, x, 3.6133585841109115)
    bottom = fma(bottom, x, 5.97774004793731)
    bottom = fma(bottom, x, 6.198939897418649)
    bottom = fma(bottom, x, 3.725254894226391)
    bottom = fma(bottom, x, 1.0)
    return fma(z, top / bottom, 0.5)
