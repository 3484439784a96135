"""How reports write years, dollars and names: everywhere the same."""

from __future__ import annotations

import math

from asmrisk.analysis.digits import number, with_error
from asmrisk.errors import printable
from asmrisk.rule.definitions import PAYMENT_LAG

__all__ = [
    "ALL",
    "ALL_YEARS",
    "dollar_scale",
    "shortened",
    "title_words",
    "usd",
    "year_head",
    "year_label",
    "year_words",
]

#: Label of what is not told apart.
ALL = "all"
ALL_YEARS = "all five years"

#: In which somebody's dollars are shown.
_DOLLARS = ((1.0, "$"), (1e-3, "$ thousand"), (1e-6, "$ million"), (1e-9, "$ billion"), (0.0, "$"))
#: Characters of a name in a table.
_LONGEST = 18
#: Characters of a title in a line.
_LONGEST_TITLE = 60


def year_words(year: int | str, last: int | None = None) -> str:
    """Name a performance year, several, or `ALL`, with the year of payment.

    >>> year_words(2027), year_words(2027, 2031), year_words(ALL)
    ('performance 2027, paid 2029', 'performance 2027-2031, paid 2029-2033', 'all five years')
    """
    if isinstance(year, str):
        return ALL_YEARS
    measured, paid = (f"{year + lag}" + (f"-{last + lag}" if last else "") for lag in (0, PAYMENT_LAG))
    return f"performance {measured}, paid {paid}"


def year_label(year: int | str) -> str:
    """Name a year as the label of a row where there is little room.

    >>> year_label(2027), year_label(ALL)
    ('2027, paid 2029', 'all five years')
    """
    return year_words(year).removeprefix("performance ")


def year_head(year: int | str) -> str:
    r"""Name a year as the head of a narrow column.

    >>> year_head(2027), year_head(ALL)
    ('2027,\npaid\n2029', 'all\nfive')
    """
    return year_label(year).removesuffix(" years").replace(" ", "\n")


def shortened(name: str, longest: int = _LONGEST) -> str:
    """Write a name, such as that of a practice, in as many characters as tables have for it, or in so many.

    >>> shortened("solo-039"), shortened("synthetic-heart-and-spine")
    ('solo-039', 'synthetic-heart-a…')
    """
    return name if len(name) <= longest else name[: longest - 1] + "…"


def title_words(title: str) -> str:
    """Write a title in a line of what a command says while it works: safe to show, and not too long.

    >>> title_words("Final rule, with policy.risk_level 0.05"), len(title_words(100 * "x"))
    ('Final rule, with policy.risk_level 0.05', 60)
    """
    return shortened(printable(title), _LONGEST_TITLE)


def dollar_scale(largest: float) -> tuple[float, str]:
    """Choose in which dollars an amount is shown, the smallest unit of which there are less than a million.

    >>> dollar_scale(483_000.0), dollar_scale(1.3e6)
    ((1.0, '$'), (0.001, '$ thousand'))
    """
    return next(each for each in _DOLLARS if not largest * each[0] >= 1e6)


def usd(value: float, error: float | None = None, *, shown: bool = False) -> str:
    """Write dollars to the digits that the error supports, with it if it is to be shown; in full without one.

    >>> usd(-1234567.0, 4321.0), usd(-1234567.0, 4321.0, shown=True), usd(-500000)
    ('-$1,234,600', '-$1,234,600 ± 4,300', '-$500,000')
    """
    if math.isnan(value):
        return "n/a"
    size = abs(value)
    text = f"{size:,.12g}" if error is None else with_error(size, error) if shown else number(size, error)
    return ("-$" if value < 0.0 and text.strip("0.,") else "$") + text
