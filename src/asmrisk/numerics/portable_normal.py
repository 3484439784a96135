"""The standard normal distribution to many digits, compiled, with the same bits everywhere.

The simulation's own functions (`asmrisk.simulation.normal`) are twice as fast and right to 5e-11. These are
for inference, where logarithms of probabilities are multiplied by counts.

References
----------
J. F. Hart and others, Computer Approximations, 1968 (5666), by G. West, Wilmott 2005; M. J. Wichura,
Algorithm AS 241, Applied Statistics 37, 1988.
"""

from __future__ import annotations

import math

from asmrisk.numerics.jit import fma, inline
from asmrisk.numerics.portable_math import normal_exp, quick_log

__all__ = ["log_probability", "probability", "quantile"]


@inline
def _tail_ratio(x: float) -> float:
    """Give P(Z > x) / exp(-x^2 / 2) of x from 0; its relative error is below 3e-14 up to 3, 3e-9 up to 7."""
    top = fma(3.52624965998911e-02, x, 0.700383064443688)
    top = fma(top, x, 6.37396220353165)
    top = fma(top, x, 33.912866078383)
    top = fma(top, x, 112.079291497871)
    top = fma(top, x, 221.213596169931)
    top = fma(top, x, 220.206867912376)
    bottom = fma(8.83883476483184e-02, x, 1.75566716318264)
    bottom = fma(bottom, x, 16.064177579207)
    bottom = fma(bottom, x, 86.7807322029461)
    bottom = fma(bottom, x, 296.564248779674)
    bottom = fma(bottom, x, 637.333633378831)
    bottom = fma(bottom, x, 793.826512519948)
    bottom = fma(bottom, x, 440.413735824752)
    return top / bottom


@inline
def probability(z: float) -> float:
    """Give P(Z <= z).

    Examples
    --------
    >>> round(float(probability(1.0)), 12), round(float(probability(-1.0)), 12)
    (0.841344746069, 0.158655253931)
    """
    x = abs(z)
    tail = normal_exp(-0.5 * x * x) * _tail_ratio(x)
    return tail if z < 0.0 else 1.0 - tail


@inline
def log_probability(z: float) -> float:
    """Give log P(Z <= z), also where the probability is too small for a number.

    Examples
    --------
    >>> round(float(log_probability(-40.0)), 4)
    -804.6084
    """
    x = abs(z)
    ratio = _tail_ratio(x)
    if z < 0.0:
        # Far out Laplace's continued fraction.
        below = x + 1.0
        for k in range(12, 0, -1):
            below = x + k / below
        return quick_log(ratio if x < 7.0 else 0.3989422804014327 / below) - 0.5 * x * x
    return quick_log(1.0 - normal_exp(-0.5 * x * x) * ratio)


@inline
def _next(
    so_far: float, x: float, central: bool, near: bool, center: float, side: float, tail: float
) -> float:
    """Take Horner's next step in one of three polynomials."""
    return fma(so_far, x, center if central else (side if near else tail))


@inline
def quantile(p: float) -> float:
    """Give the z with P(Z <= z) = p, for p from 1e-300 to 1 - 1e-16, to 16 digits.

    Examples
    --------
    >>> round(float(quantile(0.975)), 12), round(float(quantile(1e-12)), 10)
    (1.95996398454, -7.0344838253)
    """
    q = p - 0.5
    central = abs(q) <= 0.425
    tail = p if q < 0.0 else 1.0 - p
    root = math.sqrt(-quick_log(tail))
    near = root <= 5.0
    x = 0.180625 - q * q if central else (root - 1.6 if near else root - 5.0)
    top = (
        2.5090809287301226727e3
        if central
        else (7.74545014278341407640e-4 if near else 2.01033439929228813265e-7)
    )
    top = _next(
        top, x, central, near, 3.3430575583588128105e4, 2.27238449892691845833e-2, 2.71155556874348757815e-5
    )
    top = _next(
        top, x, central, near, 6.7265770927008700853e4, 2.41780725177450611770e-1, 1.24266094738807843860e-3
    )
    top = _next(
        top, x, central, near, 4.5921953931549871457e4, 1.27045825245236838258, 2.65321895265761230930e-2
    )
    top = _next(
        top, x, central, near, 1.3731693765509461125e4, 3.64784832476320460504, 2.96560571828504891230e-1
    )
    top = _next(
        top, x, central, near, 1.9715909503065514427e3, 5.76949722146069140550, 1.78482653991729133580
    )
    top = _next(
        top, x, central, near, 1.3314166789178437745e2, 4.63033784615654529590, 5.46378491116411436990
    )
    top = _next(top, x, central, near, 3.3871328727963666080, 1.42343711074968357734, 6.65790464350110377720)
    bottom = (
        5.2264952788528545610e3
        if central
        else (1.05075007164441684324e-9 if near else 2.04426310338993978564e-15)
    )
    bottom = _next(
        bottom,
        x,
        central,
        near,
        2.8729085735721942674e4,
        5.47593808499534494600e-4,
        1.42151175831644588870e-7,
    )
    bottom = _next(
        bottom,
        x,
        central,
        near,
        3.9307895800092710610e4,
        1.51986665636164571966e-2,
        1.84631831751005468180e-5,
    )
    bottom = _next(
        bottom,
        x,
        central,
        near,
        2.1213794301586595867e4,
        1.48103976427480074590e-1,
        7.86869131145613259100e-4,
    )
    bottom = _next(
        bottom,
        x,
        central,
        near,
        5.3941960214247511077e3,
        6.89767334985100004550e-1,
        1.48753612908506148525e-2,
    )
    bottom = _next(
        bottom, x, central, near, 6.8718700749205790830e2, 1.67638483018380384940, 1.36929880922735805310e-1
    )
    bottom = _next(
        bottom, x, central, near, 4.2313330701600911252e1, 2.05319162663775882187, 5.99832206555887937690e-1
    )
    bottom = fma(bottom, x, 1.0)
    value = top / bottom
    outer = -value if q < 0.0 else value
    return q * value if central else outer
