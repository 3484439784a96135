"""Exponential and logarithm with the same bits everywhere: compiled or not, on any processor.

The platform's ``libm`` differs between machines and stops loops from vectorizing. These functions use only
+, -, *, /, `fma`, shifts and the reading of a float's bits as an integer, without branches, so that a
compiler turns a loop over them into vector instructions without changing a bit.
"""

from __future__ import annotations

import numpy as np

from asmrisk.numerics.jit import fma, inline

__all__ = ["exp", "log", "logistic", "split"]

#: 1.5 * 2**52: adding it to a float below 2**51 rounds to the nearest integer, left in the sum's low bits.
ROUNDER = 6755399441055744.0
_ROUNDER_BITS = 0x4338000000000000
_FRACTION_BITS = 52
_FRACTION_MASK = 0x000FFFFFFFFFFFFF
_EXPONENT_BIAS = 1023
#: Bits of sqrt(1/2) (upper half) and their distance from the bits of 1.
_ROOT_HALF_BITS = 0x3FE6A09E00000000
_ONE_BITS = 0x3FF0000000000000
_SHIFT_TO_ONE = _ONE_BITS - _ROOT_HALF_BITS

#: ln 2 in two parts; the first has 21 trailing zero bits, so that its product with an exponent is exact.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_LOG2_E = 1.44269504088896338700

#: Beyond these the exponential is 0 or infinite in float64.
_EXP_LEAST = -745.2
_EXP_GREATEST = 709.782712893384


@inline
def exp(x: float) -> float:
    """Exponential function, within 1 unit in the last place.

    ``x = k ln 2 + r`` with ``|r| <= ln(2) / 2``; Taylor's polynomial of degree 14, whose remainder is below
    1e-18, gives ``exp(r)``, and ``2**k`` is applied in two factors so that subnormal results are right too.

    Parameters
    ----------
    x : float
        Any number.

    Returns
    -------
    float
        ``e**x``; 0 below -745.2, infinity above 709.78, NaN for NaN.

    Examples
    --------
    >>> float(exp(0.0)), float(exp(-1000.0)), float(exp(1000.0))
    (1.0, 0.0, inf)
    """
    clamped = _EXP_LEAST if x < _EXP_LEAST else x
    clamped = _EXP_GREATEST if clamped > _EXP_GREATEST else clamped
    shifted = fma(clamped, _LOG2_E, ROUNDER)
    multiple = shifted - ROUNDER
    r = fma(-multiple, _LN2_LOW, fma(-multiple, _LN2_HIGH, clamped))
    # Two interleaved Horner chains in r**2 run in parallel where one would wait for itself.
    r2 = r * r
    even = fma(r2, 2.08767569878681e-09, 2.755731922398589e-07)
    even = fma(r2, even, 2.48015873015873e-05)
    even = fma(r2, even, 1.3888888888888889e-03)
    even = fma(r2, even, 4.1666666666666664e-02)
    even = fma(r2, even, 0.5)
    odd = fma(r2, 1.6059043836821613e-10, 2.505210838544172e-08)
    odd = fma(r2, odd, 2.7557319223985893e-06)
    odd = fma(r2, odd, 1.984126984126984e-04)
    odd = fma(r2, odd, 8.333333333333333e-03)
    odd = fma(r2, odd, 1.6666666666666666e-01)
    power = 1.0 + fma(r2, fma(r, odd, even), r)
    exponent = np.float64(shifted).view(np.int64) - _ROUNDER_BITS
    half = exponent >> 1
    first = np.int64((half + _EXPONENT_BIAS) << _FRACTION_BITS).view(np.float64)
    second = np.int64((exponent - half + _EXPONENT_BIAS) << _FRACTION_BITS).view(np.float64)
    scaled = (power * first) * second
    bounded = 0.0 if x < _EXP_LEAST else scaled
    return np.inf if x > _EXP_GREATEST else bounded


@inline
def split(x: float) -> tuple[float, float]:
    """Split a number into a power of 2 and a factor near 1, where logarithms begin.

    Parameters
    ----------
    x : float
        A positive normal number.

    Returns
    -------
    k, f : float
        ``x = 2**k (1 + f)`` with ``1 + f`` between the roots of 1/2 and 2; both exact.

    Examples
    --------
    >>> k, f = split(12.0)
    >>> float(k), float(f)
    (4.0, -0.25)
    """
    bits = np.float64(x).view(np.int64) + _SHIFT_TO_ONE
    exponent = (bits >> _FRACTION_BITS) - _EXPONENT_BIAS
    # An integer is turned into a float by its bits: processors before AVX-512 have no vector conversion.
    k = np.int64(exponent + _ROUNDER_BITS).view(np.float64) - ROUNDER
    f = np.int64((bits & _FRACTION_MASK) + _ROOT_HALF_BITS).view(np.float64) - 1.0
    return k, f


@inline
def log(x: float) -> float:
    """Natural logarithm, within 1 unit in the last place.

    `split`, then the series of ``log(1 + f)`` in
    ``f / (2 + f)`` with the minimax coefficients of FreeBSD's ``e_log.c`` (Sun Microsystems, 1993).

    Parameters
    ----------
    x : float
        A positive normal number (at least 2.3e-308, finite); anything else gives a meaningless number.

    Returns
    -------
    float
        ``ln x``.

    Examples
    --------
    >>> float(log(1.0)), float(log(10.0))
    (0.0, 2.302585092994046)
    """
    k, f = split(x)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    odd = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    half_square = 0.5 * f * f
    return k * _LN2_HIGH - ((half_square - (s * (half_square + (even + odd)) + k * _LN2_LOW)) - f)


@inline
def logistic(x: float) -> float:
    """Logistic function ``1 / (1 + exp(-x))`` of log odds: a probability, 0 and 1 included.

    Examples
    --------
    >>> float(logistic(0.0))
    0.5
    """
    return 1.0 / (1.0 + exp(-x))
