"""Words that every chart has: where its numbers come from, and what its ranges hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.metrics import METRICS
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS
from asmrisk.charts.chart import Axis
from asmrisk.errors import InputError

__all__ = [
    "amount_with_error",
    "amount_words",
    "axis_of",
    "cohort_words",
    "counted",
    "one_number",
    "population_words",
    "range_words",
    "shortened_words",
    "source_line",
    "with_unit",
    "without_errors",
    "years_words",
]


def counted(number: int, what: str) -> str:
    """Write a number of things.

    >>> counted(1, "draw"), counted(1000, "draw")
    ('1 draw', '1,000 draws')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def cohort_words(cohort: str) -> str:
    """Name a cohort: ``heart failure``."""
    return cohort.replace("_", " ")


def years_words(years: Sequence[int]) -> str:
    """Name years in ascending order.

    >>> years_words([2027]), years_words([2027, 2028, 2029]), years_words([2027, 2029, 2031])
    ('2027', '2027 to 2029', '2027, 2029 and 2031')
    """
    if len(years) > 1 and years[-1] - years[0] == len(years) - 1:
        return f"{years[0]} to {years[-1]}"
    *most, last = map(str, years)
    return f"{', '.join(most)} and {last}" if most else last


def population_words(run: RunResults, metric: str = "") -> str:
    """Name the clinicians that a metric is of, all without one, and the performance years."""
    whose = "of the roster" if metric and METRICS[metric].of else "in the model"
    years = run.dataset["performance_year"].values.tolist()
    return f"clinicians {whose}, performance year{'s' * (len(years) > 1)} {years_words(years)}"


def shortened_words(text: str, width: int = 44) -> str:
    """Write a title in the room that a headline has for it.

    >>> shortened_words("Benchmarks from the performance year and readings of everything else")
    'Benchmarks from the performance year and…'
    """
    return shorten(text, width, placeholder="…")


def source_line(*runs: RunResults, draws: int | None = None) -> str:
    """Say which scenarios, with how many draws of which seed, and what computed them.

    `draws` are those that are common to the runs, where these are fewer than the first run's.
    """
    titles = " and ".join(dict.fromkeys(run.title for run in runs))
    unfinished = "; ".join(run.partial for run in runs if run.partial)
    return _source(titles, draws or runs[0].count, runs[0].seed, unfinished)


def source_of(facts: Mapping[str, Any]) -> str:
    """Say the same of a report, by its facts."""
    return _source(
        facts["title"], facts["draws"], facts["seed"], facts["finished"] if facts["partial"] else ""
    )


def _source(titles: str, draws: int, seed: int | None, unfinished: str) -> str:
    seeded = "" if seed is None else f", seed {seed}"
    part = f"; not finished: {unfinished}" if unfinished else ""
    return f"{titles}: {counted(draws, 'draw')}{seeded}{part}. asmrisk {version('asmrisk')}."


def range_words(run: RunResults) -> str:
    """Say what bands and ranges over draws hold."""
    return f"Ranges are of draws and hold {HOLDS[run.holds]}."


#: What stands behind numbers in dollars where there is little room.
_SHORT = {"$": "", "$ thousand": "k", "$ million": "m", "$ billion": "bn"}


def amount_words(value: float, error: float, unit: str, *, signed: bool = False, short: bool = False) -> str:
    """Write an amount to the digits that its error supports, a plus before more if signed.

    >>> amount_words(147.94, 5.3, "$ million"), amount_words(-46.28, 1.4, "$ million", short=True)
    ('$147.9 million', '−$46.3m')
    >>> amount_words(63.44, 0.16, "%", signed=True), amount_words(-2.0, 0.1, "points")
    ('+63.44%', '−2.00 points')
    """
    text = number(abs(value), error)
    sign = "" if not text.strip("0.,") else "−" if value < 0.0 else "+" if signed else ""
    return sign + with_unit(text, unit, short=short)


def amount_with_error(value: float, error: float, unit: str, *, signed: bool = False) -> str:
    """Write an amount with its standard error in little room.

    >>> amount_with_error(-147.94, 5.3, "$ million"), amount_with_error(0.63, 0.016, "%", signed=True)
    ('−$147.9m ± 5.3', '+0.630% ± 0.016')
    """
    shown = with_error(abs(value), error).partition(" ± ")[2]
    return f"{amount_words(value, error, unit, signed=signed, short=True)} ± {shown}"


def without_errors(run: RunResults) -> str:
    """Begin a headline of results that tell no error; nothing where they do."""
    return "" if run.set_count > 1 else f"One {'draw' if run.count == 1 else 'parameter set'}, no errors: "


def with_unit(text: str, unit: str, *, short: bool = False) -> str:
    """Write a number with its unit.

    >>> with_unit("5", "$ million"), with_unit("5", "$ million", short=True), with_unit("5", "%")
    ('$5 million', '$5m', '5%')
    """
    if text == "n/a":
        return text
    if unit.startswith("$"):
        return f"${text}{_SHORT[unit] if short else unit[1:]}"
    return f"{text}{unit}" if unit == "%" else f"{text} {unit}".strip()


def axis_of(unit: str, limits: tuple[float, float] | None = None) -> Axis:
    """Give the axis of numbers of a unit."""
    if unit in _SHORT:
        return Axis(prefix="$", suffix=_SHORT[unit], limits=limits)
    return Axis(suffix="%", limits=limits) if unit == "%" else Axis(label=unit, limits=limits)


def one_number(run: RunResults, metric: str) -> NDArray[np.float64]:
    """Give an outcome draw by draw, all years together; InputError unless it is one number of each draw."""
    draws = run.draws(metric)
    if draws.ndim != 1:
        text = f"{metric} is no one number of a draw; take one of all clinicians or of the roster"
        raise InputError(
            text, argument="metric", allowed="for example medicare_savings, roster_net_adjustment"
        )
    return np.asarray(draws.values, dtype=np.float64)
