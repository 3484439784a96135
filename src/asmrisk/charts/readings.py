"""What readings of the rule change of Medicare savings, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from asmrisk.analysis.comparison import compare
from asmrisk.analysis.digits import with_error
from asmrisk.analysis.estimates import is_tied, t_quantile
from asmrisk.analysis.run_results import RunResults, dollars_of
from asmrisk.analysis.statistics import HOLDS, Row
from asmrisk.charts.chart import ABOVE, Axis, Chart, Mark, Panel, Points, Reference, numbers
from asmrisk.charts.words import (
    amount_with_error,
    amount_words,
    axis_of,
    counted,
    population_words,
    shortened_words,
    source_line,
)
from asmrisk.errors import InputError

__all__ = ["readings_chart"]

_METRIC, _MILLION, _UNIT = "medicare_savings", 1e-6, "$ million"
#: Of a mean without an error.
_TOO_FEW = "too few draws to tell"


def readings_chart(baseline: RunResults, *readings: RunResults) -> Chart:
    """Show how Medicare savings differ under each reading, paired by draw with those of the baseline.

    Parameters
    ----------
    baseline, *readings : RunResults
        Of runs whose draws can be paired.

    Returns
    -------
    Chart
        A row for each reading, the highest difference first, with its 95% interval; hollow where no
        difference is found.

    Raises
    ------
    InputError
        Without a reading, or as `asmrisk.compare`.
    """
    if not readings:
        raise InputError("a chart of readings needs a baseline and at least one other reading.")
    found = compare(baseline, *readings, metrics=_METRIC)
    rows = sorted(
        found.tables["differences"], key=lambda row: (math.isnan(row["difference"]), -row["difference"])
    )
    figures = [_figure(row) for row in rows]
    titles = [shortened_words(row["scenario"]) for row in rows]
    names = tuple(map(": ".join, zip(titles, figures, strict=True)))
    dollars = "".join(f", {each.lower()}" for each in dollars_of([_METRIC], baseline.dollar_year))
    first = rows[0]
    base = with_error(first["baseline"] * _MILLION, first["baseline_error"] * _MILLION)
    holds = " or ".join(dict.fromkeys(HOLDS[row["range_holds"]] for row in rows))
    return Chart(
        name="readings",
        headline=_headline(rows),
        subtitle=(
            f"Difference in Medicare savings from the {base} of {shortened_words(baseline.title)}, "
            f"{_UNIT}{dollars}, {population_words(baseline)}"
        ),
        alternative=(
            f"Points with intervals, the highest difference in Medicare savings first. {'; '.join(names)}."
        ),
        source=source_line(
            baseline, *(each for each in readings if each.partial), draws=int(found.dataset.attrs["draws"])
        ),
        data=pd.DataFrame(
            {
                "reading": [row["scenario"] for row in rows],
                **{
                    f"{head}, $ million": [row[name] * _MILLION for row in rows]
                    for name, head in (
                        ("baseline", "baseline"),
                        ("reform", "reading's"),
                        ("difference", "difference"),
                        ("difference_error", "standard error"),
                    )
                },
                "draws": [row["draws"] for row in rows],
                "no difference found": [not _found(row) for row in rows],
            }
        ),
        panels=[
            Panel(
                [Reference(0.0), *_points(rows)],
                x=axis_of(_UNIT),
                y=Axis(
                    names=names,
                    above=True,
                    limits=(-0.9, len(rows) - 0.6),
                ),
                height=(42.0 + 18.0 * (max(map(len, names)) > ABOVE)) * len(rows) + 50.0,
            )
        ],
        notes=(
            "Each draw is paired with the same draw of the baseline. ±: paired standard errors; lines: 95% "
            f"intervals, of {holds}. Hollow: no difference found.",
        ),
    )


def _found(row: Row) -> bool:
    error = row["difference_error"]
    return not math.isnan(error) and not is_tied(row["difference"], error, row["parameter_sets"])


def _amount(row: Row) -> str:
    return amount_words(row["difference"] * _MILLION, row["difference_error"] * _MILLION, _UNIT, signed=True)


def _figure(row: Row) -> str:
    if row["tied"] == 1.0:
        return "the same in every draw"
    value, error = row["difference"] * _MILLION, row["difference_error"] * _MILLION
    said = amount_with_error(value, error, _UNIT, signed=True)
    return said if _found(row) else f"{said}, {_TOO_FEW if math.isnan(error) else 'no difference found'}"


def _points(rows: Sequence[Row]) -> list[Mark]:
    marks: list[Mark] = []
    for found, tone in ((True, "first"), (False, "neutral")):
        some = [(at, row) for at, row in enumerate(rows) if _found(row) == found]
        if not some:
            continue
        value, reach = (
            numbers([each * _MILLION for each in column])
            for column in zip(
                *(
                    (
                        row["difference"],
                        float(t_quantile(row["parameter_sets"] - 1)) * row["difference_error"],
                    )
                    for _, row in some
                ),
                strict=True,
            )
        )
        marks.append(
            Points(
                value,
                numbers([at for at, _ in some]),
                value - reach,
                value + reach,
                tone=tone,
                hollow=not found,
            )
        )
    return marks


def _headline(rows: Sequence[Row]) -> str:
    """Say between what the readings that differ lie, the lowest first, and of how many nothing is found."""
    found, count = [row for row in rows if _found(row)], len(rows)
    many = counted(count, "reading")
    if all(row["tied"] == 1.0 for row in rows):
        return f"Medicare savings are the same in every draw, of {many}"
    if not found and all(math.isnan(row["difference_error"]) for row in rows):
        return f"Differences of {many} in Medicare savings: {_TOO_FEW}"
    if not found:
        return f"No difference found in Medicare savings, of {many}"
    none = f"; no difference found in {count - len(found)} of {count}" if len(found) < count else ""
    if len(found) == 1:
        which = shortened_words(found[0]["scenario"])
        return f"{which}: Medicare savings differ by {_amount(found[0])}{none}"
    return f"Readings move Medicare savings by {_amount(found[-1])} to {_amount(found[0])}{none}"
