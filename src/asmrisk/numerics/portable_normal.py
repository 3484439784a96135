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

from asmrisk.numerics.jit import inline
from asmrisk.numerics.portable_math import log, normal_exp

__all__ = ["log_probability", "probability", "quantile"]


@inline
def _tail_ratio(x: float) -> float:
    """Give P(Z > x) / exp(-x^2 / 2) of x from 0; its relative error is below 3e-14 up to 3, 3e-9 up to 7."""
    top = 3.52624965998911e-02 * x + 0.700383064443688
    top = top * x + 6.37396220353165
    top = top * x + 33.912866078383
    top = top * x + 112.079291497871
    top = top * x + 221.213596169931
    top = top * x + 220.206867912376
    bottom = 8.83883476483184e-02 * x + 1.75566716318264
    bottom = bottom * x + 16.064177579207
    bottom = bottom * x + 86.7807322029461
    bottom = bottom * x + 296.564248779674
    bottom = bottom * x + 637.333633378831
    bottom = bottom * x + 793.826512519948
    bottom = bottom * x + 440.413735824752
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
        return log(ratio if x < 7.0 else 0.3989422804014327 / below) - 0.5 * x * x
    return log(1.0 - normal_exp(-0.5 * x * x) * ratio)


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
    root = math.sqrt(-log(tail))
    near = root <= 5.0
    x = 0.180625 - q * q if central else (root - 1.6 if near else root - 5.0)
    top = (
        2.5090809287301226727e3
        if central
        else (7.74545014278341407640e-4 if near else 2.01033439929228813265e-7)
    )
    top = top * x + (
        3.3430575583588128105e4
        if central
        else (2.27238449892691845833e-2 if near else 2.71155556874348757815e-5)
    )
    top = top * x + (
        6.7265770927008700853e4
        if central
        else (2.41780725177450611770e-1 if near else 1.24266094738807843860e-3)
    )
    top = top * x + (
        4.5921953931549871457e4
        if central
        else (1.27045825245236838258 if near else 2.65321895265761230930e-2)
    )
    top = top * x + (
        1.3731693765509461125e4
        if central
        else (3.64784832476320460504 if near else 2.96560571828504891230e-1)
    )
    top = top * x + (
        1.9715909503065514427e3 if central else (5.76949722146069140550 if near else 1.78482653991729133580)
    )
    top = top * x + (
        1.3314166789178437745e2 if central else (4.63033784615654529590 if near else 5.46378491116411436990)
    )
    top = top * x + (
        3.3871328727963666080 if central else (1.42343711074968357734 if near else 6.65790464350110377720)
    )
    bottom = (
        5.2264952788528545610e3
        if central
        else (1.05075007164441684324e-9 if near else 2.04426310338993978564e-15)
    )
    bottom = bottom * x + (
        2.8729085735721942674e4
        if central
        else (5.47593808499534494600e-4 if near else 1.42151175831644588870e-7)
    )
    bottom = bottom * x + (
        3.9307895800092710610e4
        if central
        else (1.51986665636164571966e-2 if near else 1.84631831751005468180e-5)
    )
    bottom = bottom * x + (
        2.1213794301586595867e4
        if central
        else (1.48103976427480074590e-1 if near else 7.86869131145613259100e-4)
    )
    bottom = bottom * x + (
        5.3941960214247511077e3
        if central
        else (6.89767334985100004550e-1 if near else 1.48753612908506148525e-2)
    )
    bottom = bottom * x + (
        6.8718700749205790830e2
        if central
        else (1.67638483018380384940 if near else 1.36929880922735805310e-1)
    )
    bottom = bottom * x + (
        4.2313330701600911252e1
        if central
        else (2.05319162663775882187 if near else 5.99832206555887937690e-1)
    )
    bottom = bottom * x + 1.0
    value = top / bottom
    outer = -value if q < 0.0 else value
    return q * value if central else outer
