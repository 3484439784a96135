"""Standard normal quantile and probability, without branches, the same bits everywhere.

References
----------
M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37,
1988.
"""

from __future__ import annotations

import math

import numpy as np

from asmrisk.numerics.jit import fma, inline
from asmrisk.numerics.portable_math import exp, log, split

__all__ = [
    "normal_cdf",
    "normal_probability",
    "normal_quantile",
    "normal_score",
    "score_argument",
    "score_from",
]

#: Clears the 27 low bits of a float's fraction, so that the square of what is left is exact.
_HEAD_MASK = -(1 << 27)
_LN2 = 0.69314718055994530942
#: Takes -log(4 u (1 - u)), from 0 to 31 log(2) for uniforms of 32 bits, to an interval of length 2.
_TO_UNIT = 2.0 / 21.4876
#: Probabilities beyond this normal score are taken as there.
_LAST_SCORE = 6.5


@inline
def normal_quantile(u: float) -> float:
    """Invert the standard normal distribution function (AS 241, PPND16), relative error below 2e-15.

    Parameters
    ----------
    u : float
        Probability, from 1e-300 to 1 - 1e-16.

    Returns
    -------
    float
        z with P(Z <= z) = u.

    Examples
    --------
    >>> float(normal_quantile(0.5)), round(float(normal_quantile(0.975)), 10)
    (0.0, 1.9599639845)
    """
    q = u - 0.5
    central = abs(q) <= 0.425
    tail = u if q < 0.0 else 1.0 - u
    root = math.sqrt(-log(tail))
    far = root > 5.0
    r = 0.180625 - q * q if central else (root - 5.0 if far else root - 1.6)
    a7 = (
        2.5090809287301226727e3
        if central
        else (2.01033439929228813265e-7 if far else 7.7454501427834140764e-4)
    )
    a6 = (
        3.3430575583588128105e4
        if central
        else (2.71155556874348757815e-5 if far else 2.27238449892691845833e-2)
    )
    a5 = (
        6.7265770927008700853e4
        if central
        else (1.24266094738807843860e-3 if far else 2.41780725177450611770e-1)
    )
    a4 = (
        4.5921953931549871457e4
        if central
        else (2.65321895265761230930e-2 if far else 1.27045825245236838258e0)
    )
    a3 = (
        1.3731693765509461125e4
        if central
        else (2.96560571828504891230e-1 if far else 3.64784832476320460504e0)
    )
    a2 = (
        1.9715909503065514427e3
        if central
        else (1.78482653991729133580e0 if far else 5.76949722146069140550e0)
    )
    a1 = (
        1.3314166789178437745e2
        if central
        else (5.46378491116411436990e0 if far else 4.63033784615654529590e0)
    )
    a0 = (
        3.3871328727963666080e0
        if central
        else (6.65790464350110377720e0 if far else 1.42343711074968357734e0)
    )
    b7 = (
        5.2264952788528545610e3
        if central
        else (2.04426310338993978564e-15 if far else 1.05075007164441684324e-9)
    )
    b6 = (
        2.8729085735721942674e4
        if central
        else (1.42151175831644588870e-7 if far else 5.47593808499534494600e-4)
    )
    b5 = (
        3.9307895800092710610e4
        if central
        else (1.84631831751005468180e-5 if far else 1.51986665636164571966e-2)
    )
    b4 = (
        2.1213794301586595867e4
        if central
        else (7.86869131145613259100e-4 if far else 1.48103976427480074590e-1)
    )
    b3 = (
        5.3941960214247511077e3
        if central
        else (1.48753612908506148525e-2 if far else 6.89767334985100004550e-1)
    )
    b2 = (
        6.8718700749205790830e2
        if central
        else (1.36929880922735805310e-1 if far else 1.67638483018380384940e0)
    )
    b1 = (
        4.2313330701600911252e1
        if central
        else (5.99832206555887937690e-1 if far else 2.05319162663775882187e0)
    )
    top = ((((((a7 * r + a6) * r + a5) * r + a4) * r + a3) * r + a2) * r + a1) * r + a0
    bottom = ((((((b7 * r + b6) * r + b5) * r + b4) * r + b3) * r + b2) * r + b1) * r + 1.0
    side = -1.0 if q < 0.0 else 1.0
    return (q if central else side) * (top / bottom)


@inline
def score_argument(u: float) -> float:
    """First half of `normal_score`: ``-log(4 u (1 - u))``, moved to lie between -1 and 1.

    Parameters
    ----------
    u : float
        From 2**-33 to 1 - 2**-33.

    Returns
    -------
    float
        The argument of `score_from`.
    """
    # As `elementary.log`, with four terms of the series, the best ones: an error of 2e-12 is small enough.
    k, f = split(4.0 * u * (1.0 - u))
    s = f / (2.0 + f)
    z = s * s
    series = fma(z, 0.2366932484539346, 0.28532038135936283)
    series = fma(z, fma(z, series, 0.40000434343965946), 0.6666666508300747)
    return fma(k, -_LN2 * _TO_UNIT, fma(s * -_TO_UNIT, fma(z, series, 2.0), -1.0))


@inline
def score_from(u: float, x: float) -> float:
    """Second half of `normal_score`.

    Parameters
    ----------
    u : float
        From 2**-33 to 1 - 2**-33.
    x : float
        ``score_argument(u)``.

    Returns
    -------
    float
        The normal score of u.
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
def normal_score(u: float) -> float:
    """Invert the standard normal distribution function for a uniform of 32 bits, relative error below 5e-11.

    The error is less than what half a step of the uniform, 2**-33, changes. ``z / (u - 1/2)`` is a smooth
    function of ``-log(4 u (1 - u))`` from the center to the tails; one rational function of degree 8 over 7,
    the best one in relative error for u from 2**-33 to 1 - 2**-33, serves all of it without a root or a
    branch (the argument is M. B. Giles', "Approximating the erfinv function", GPU Computing Gems, 2011).
    Loops that are to be fast take its two halves in two passes.

    Parameters
    ----------
    u : float
        From 2**-33 to 1 - 2**-33.

    Returns
    -------
    float
        z with P(Z <= z) = u.

    Examples
    --------
    >>> float(normal_score(0.5)), round(float(normal_score(0.975)), 9)
    (0.0, 1.959963985)
    """
    return score_from(u, score_argument(u))


@inline
def normal_probability(z: float) -> float:
    """Give the standard normal distribution function, absolute error below 5e-11.

    ``P(Z <= z) = 1/2 + z R(z**2)`` with R a rational function of degree 7 over 8, within 1.5e-12; beyond 6.5
    standard deviations as there. `normal_cdf` is exact in the tails too, and takes six times as long.

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


@inline
def normal_cdf(z: float) -> float:
    """Give the standard normal distribution function, relative error below 2e-15.

    ``P(Z > x) = exp(-x**2 / 2) h(t) / (x + 4)`` for x >= 0, with h a polynomial in ``t = (x - 4) / (x + 4)``,
    a truncated Chebyshev series for x up to 39 (after M. M. Shepherd and J. G. Laframboise, Mathematics of
    Computation 36, 1981). The square is taken in two parts, since the exponential magnifies its rounding
    error.

    Parameters
    ----------
    z : float
        Any number.

    Returns
    -------
    float
        P(Z <= z); below z = -38 as at -38.

    Examples
    --------
    >>> float(normal_cdf(0.0)), float(normal_cdf(40.0))
    (0.5, 1.0)
    """
    x = abs(z)
    x = 38.0 if x > 38.0 else x
    t = (x - 4.0) / (x + 4.0)
    h = -9.6615755481553e-10
    h = h * t + 7.731895808625608e-11
    h = h * t + 1.3938808852558355e-08
    h = h * t + 1.4569488564608778e-08
    h = h * t - 7.642482978378022e-08
    h = h * t - 1.5426167593457165e-07
    h = h * t + 2.63742514249532e-07
    h = h * t + 1.0198152807723923e-06
    h = h * t - 6.251785640512302e-07
    h = h * t - 5.918905080396581e-06
    h = h * t + 7.150276513545111e-07
    h = h * t + 3.5144187813104215e-05
    h = h * t - 1.907873095933309e-06
    h = h * t - 0.0002310948203047214
    h = h * t + 0.00013334425522449717
    h = h * t + 0.0016308184422239424
    h = h * t - 0.0034796923623715906
    h = h * t - 0.0075401889656226675
    h = h * t + 0.0603965748907066
    h = h * t - 0.18652185795969298
    h = h * t + 0.3871374007422187
    h = h * t - 0.6078966419718917
    h = h * t + 0.7552851304157516
    head = np.int64(np.float64(x).view(np.int64) & _HEAD_MASK).view(np.float64)
    rest = 0.5 * (x - head) * (x + head)
    tail = (
        exp(-0.5 * head * head) * (1.0 - rest * (1.0 - rest * (0.5 - rest * (1.0 / 6.0)))) * (h / (x + 4.0))
    )
    return 1.0 - tail if z > 0.0 else tail
