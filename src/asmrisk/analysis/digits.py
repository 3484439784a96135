"""Numbers as text: only the digits that the error supports."""

from __future__ import annotations

import math

__all__ = ["decimals", "number", "with_error", "with_interval"]

#: Significant digits of a number whose error is not known.
_DIGITS_WITHOUT_ERROR = 4
#: An error up to this part of the value is rounding, and counts as none.
_ROUNDING = 1e-12


def decimals(error: float) -> int:
    """Give the decimal places at which an error, positive and finite, shows two significant digits.

    >>> decimals(0.0312), decimals(4.2), decimals(317.0), decimals(0.0996)
    (3, 1, -1, 2)
    """
    return 1 - int(f"{error:.1e}".partition("e")[2])


def number(value: float, error: float) -> str:
    """Write a value to the digits that its error supports, without the error; NaN and infinity as n/a.

    Where there is no error (zero or NaN) four significant digits are written, whole numbers in full.

    >>> number(1234.5678, 0.31), number(1234.5678, 312.0), number(0.5, 0.0), number(51234.0, 0.0)
    ('1,234.57', '1,230', '0.5000', '51,234')
    >>> number(math.nan, 0.1), number(-math.inf, 0.1), number(math.inf, math.inf)
    ('n/a', 'n/a', 'n/a')
    """
    if not math.isfinite(value):
        return "n/a"
    if error > _ROUNDING * abs(value) and math.isfinite(error):
        places = decimals(error)
    elif value == 0.0:
        return "0"
    else:
        places = max(0, _DIGITS_WITHOUT_ERROR - 1 - math.floor(math.log10(abs(value))))
    # Adding zero turns -0 into 0.
    return f"{round(value, places) + 0.0:,.{max(places, 0)}f}"


def with_error(value: float, error: float) -> str:
    """Write a value and its standard error, both to the error's second significant digit.

    >>> with_error(1234.5678, 0.3123), with_error(-0.0834, 0.000123), with_error(3.0, float("nan"))
    ('1,234.57 ± 0.31', '-0.08340 ± 0.00012', '3.000 ± n/a')
    >>> with_error(19.999999999999996, 1.7e-15)
    '20.00 ± 0'
    """
    shown = "0" if error <= _ROUNDING * abs(value) else number(error, error)
    return f"{number(value, error)} ± {shown}"


def with_interval(value: float, low: float, high: float, error: float) -> str:
    """Write a value and the interval that holds the true one, to the digits that the error supports.

    >>> with_interval(135.6789, 134.2, 136.4, 0.55), with_interval(2.0, float("nan"), 3.0, float("nan"))
    ('135.68 (134.20 to 136.40)', '2.000 (interval n/a)')
    """
    if math.isnan(low) or math.isnan(high):
        return f"{number(value, error)} (interval n/a)"
    return f"{number(value, error)} ({number(low, error)} to {number(high, error)})"
