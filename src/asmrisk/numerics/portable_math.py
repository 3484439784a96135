"""Exponential and logarithm with the same bits everywhere: compiled or not, on any processor.

The platform's ``libm`` differs between machines and stops loops from vectorizing. These functions use only
+, -, *, /, `fma`, shifts and the reading of a float's bits as an integer, without branches, so that a
compiler turns a loop over them into vector instructions without changing a bit.
"""

from __future__ import annotations

import numpy as np

from asmrisk.numerics.jit import fma, inline

__all__ = ["exp", "log", "logistic", "normal_exp", "quick_log", "quotient", "split"]

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
_LN2 = 6.93147180559945309417e-01
_LOG2_E = 1.44269504088896338700

_ONE_SINGLE = np.float32(1.0)

#: Beyond these the exponential is 0 or infinite in float64.
_EXP_LEAST = -745.2
_EXP_GREATEST = 709.782712893384
#: Between these it is a normal number.
_NORMAL_LEAST, _NORMAL_GREATEST = -708.0, 709.0


@inline
def _exp_parts(x: float) -> tuple[float, float]:
    """Give `ROUNDER` + k and exp(r) of a number x = k ln 2 + r, with k whole and ``|r| <= ln(2) / 2``."""
    shifted = fma(x, _LOG2_E, ROUNDER)
    multiple = shifted - ROUNDER
    r = fma(-multiple, _LN2_LOW, fma(-multiple, _LN2_HIGH, x))
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
    return shifted, 1.0 + fma(r2, fma(r, odd, even), r)


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
    shifted, power = _exp_parts(clamped)
    exponent = np.float64(shifted).view(np.int64) - _ROUNDER_BITS
    half = exponent >> 1
    first = np.int64((half + _EXPONENT_BIAS) << _FRACTION_BITS).view(np.float64)
    second = np.int64((exponent - half + _EXPONENT_BIAS) << _FRACTION_BITS).view(np.float64)
    scaled = (power * first) * second
    bounded = 0.0 if x < _EXP_LEAST else scaled
    return np.inf if x > _EXP_GREATEST else bounded


@inline
def normal_exp(x: float) -> float:
    """Exponential function as `exp` gives it where it is a normal float64, in two thirds of the time.

    Parameters
    ----------
    x : float
        -708 to 709; anything beyond is taken as there. Not NaN.

    Returns
    -------
    float
        ``e**x``, 3e-308 to 8e307.

    Examples
    --------
    >>> float(normal_exp(0.0)), normal_exp(-1.5) == exp(-1.5)
    (1.0, True)
    """
    clamped = x if x > _NORMAL_LEAST else _NORMAL_LEAST
    clamped = clamped if clamped < _NORMAL_GREATEST else _NORMAL_GREATEST
    shifted, power = _exp_parts(clamped)
    # Added to the exponent's bits: those of the rounder and the sign are shifted out.
    scale = np.float64(shifted).view(np.int64) << _FRACTION_BITS
    return np.int64(np.float64(power).view(np.int64) + scale).view(np.float64)


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
def quick_log(x: float) -> float:
    """Natural logarithm, within 3 units in the last place, in three quarters of the time of `log`.

    The same series, with the parts rounded once and none of them in two numbers.

    Parameters
    ----------
    x : float
        A positive normal number.

    Returns
    -------
    float
        ``ln x``.

    Examples
    --------
    >>> float(quick_log(1.0)), round(float(quick_log(10.0)), 14)
    (0.0, 2.30258509299405)
    """
    k, f = split(x)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = fma(w, fma(w, 1.531383769920937332e-01, 2.222219843214978396e-01), 3.999999999940941908e-01)
    odd = fma(w, 1.479819860511658591e-01, 1.818357216161805012e-01)
    odd = fma(w, fma(w, odd, 2.857142874366239149e-01), 6.666666666666735130e-01)
    return fma(k, _LN2, fma(s * z, fma(z, even, odd), 2.0 * s))


@inline
def quotient(a: float, b: float) -> float:
    """Give ``a / b``, in a third of the time where processors divide slowly (16 cycles for 8 numbers).

    A reciprocal in single precision, with two of Newton's steps (P. W. Markstein, IBM Journal of Research and
    Development 34, 1990): rounded to the nearest number unless the quotient is within 2**-90, relatively, of
    the middle between two; one of whole numbers up to 2**32 never is.

    Parameters
    ----------
    a, b : float
        Numbers whose size, like that of their quotient, is 0 (`a` alone) or from 1e-30 to 1e30.

    Returns
    -------
    float
        The quotient.

    Examples
    --------
    >>> float(quotient(1.0, 10.0))
    0.1
    """
    coarse = np.float64(_ONE_SINGLE / np.float32(b))
    reciprocal = fma(fma(-b, coarse, 1.0), coarse, coarse)
    q = a * reciprocal
    return fma(fma(-b, q, a), reciprocal, q)


@inline
def logistic(x: float) -> float:
    """Logistic function ``1 / (1 + exp(-x))`` of log odds: a probability, 0 and 1 included.

    Examples
    --------
    >>> float(logistic(0.0))
    0.5
    """
    return 1.0 / (1.0 + exp(-x))
