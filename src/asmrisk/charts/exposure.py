"""What a practice or clinician wins or loses in each payment year, and how likely losses are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from asmrisk.analysis.estimates import is_tied
from asmrisk.analysis.report import Report
from asmrisk.analysis.statistics import HOLDS, Row
from asmrisk.analysis.wording import ALL, ALL_YEARS, dollar_scale, usd
from asmrisk.charts.chart import Axis, Band, Bars, Chart, Line, Panel, Reference, numbers
from asmrisk.charts.words import axis_of, counted, shortened_words, source_of
from asmrisk.errors import InputError, nearest
from asmrisk.exposures.table import BASE
from asmrisk.exposures.text import range_error, with_sign

__all__ = ["exposure_chart"]

#: Characters of a name.
_NAME = 28
#: Heights of a bar, and of a panel's title and axis.
_ROW, _HEAD = 28.0, 50.0


def exposure_chart(report: Report, who: str = ALL, *, with_chances: bool = True) -> Chart:
    """Show the dollars of the payment years, beside an average practice's, and the chances of losses.

    Parameters
    ----------
    report : Report
        What `asmrisk.exposure` gave.
    who : str
        Name of a practice or clinician; all together if not given.
    with_chances : bool
        Whether chances are shown too.

    Returns
    -------
    Chart
        A fan over the payment years; chances of a loss by year; and of losing more than the report was asked
        about, if it was.

    Raises
    ------
    InputError
        If the report is another one, or has nobody of that name.
    """
    if "exposure" not in report.tables:
        raise InputError("the report is none of an exposure; give what asmrisk.exposure gave.")
    table = [row for row in report.tables["exposure"] if row["case"] == BASE]
    if not any(row["who"] == who for row in table):
        best = nearest(who, [str(row["who"]) for row in table])
        raise InputError(f"the report has no {who!r}", argument="who", nearest=best)
    level = next(row["level"] for row in table if row["who"] == who)
    rows = [row for row in table if (row["who"], row["level"]) == (who, level)]
    whole = next(row for row in rows if row["payment_year"] == ALL)
    by_year = [row for row in rows if row["payment_year"] != ALL]
    facts, sets = report.facts, int(report.facts["parameter_sets"])
    loss = facts["loss"]
    name = counted(whole["clinicians"], "clinician") + " together"
    if level != ALL:
        name = f"{str(level).capitalize()} {shortened_words(who, _NAME)}"
    chances = {"probability_of_loss": "Chance of a loss"}
    if loss is not None:
        chances["probability_of_loss_above"] = f"Chance of losing more than {usd(loss)}"
    said = "; ".join(f"{title.lower()} {with_sign(whole[key], sets)}" for key, title in chances.items())
    years = [int(row["payment_year"]) for row in by_year]
    each = ", ".join(f"{usd(row['mean'], row['mean_error'])} in {row['payment_year']}" for row in by_year)
    return Chart(
        name="exposure",
        headline=f"{name}: {_expected(whole, sets)} over five years, {said.partition('; ')[0]}",
        subtitle=(
            f"Adjustment of Medicare Part B payments, $ of the payment years {years[0]} to {years[-1]}; "
            f"{name}"
        ),
        alternative=(
            f"A fan over the payment years{' and bars of chances' * with_chances}. Expected: {each}. "
            f"{ALL_YEARS.capitalize()}: {usd(whole['mean'], whole['mean_error'], shown=True)}, nine draws in "
            "ten from "
            f"{' to '.join(usd(whole[end], range_error(whole, sets)) for end in ('p05', 'p95'))}; "
            f"an average practice {usd(whole['average_practice'], whole['mean_error'])}; {said}."
        ),
        source=source_of(facts),
        data=_data(rows, chances),
        panels=[
            _fan(by_year, years),
            *(_chances(rows, key, title, sets) for key, title in chances.items() if with_chances),
        ],
        notes=(
            f"Ranges and chances are over draws and hold {HOLDS[facts['range_holds']]}.",
            "An average practice has the same payments at the mean factor of the field's clinicians of the "
            "same specialty and practice size.",
        ),
    )


def _expected(row: Row, sets: int) -> str:
    """Say what is expected, to the digits of its error; nothing where that ties with zero."""
    value, error = row["mean"], row["mean_error"]
    if not row["probability_measured"]:
        return "measured in no draw"
    if is_tied(value, error, sets):
        return "no gain or loss found"
    return f"{'loss' if value < 0.0 else 'gain'} of {usd(abs(value), error)} expected"


def _fan(rows: Sequence[Row], years: Sequence[int]) -> Panel:
    names = ("p05", "p95", "mean", "average_practice")
    scale, unit = dollar_scale(max(abs(row[name]) for row in rows for name in names))
    low, high, mean, average = (numbers([row[name] * scale for row in rows]) for name in names)
    x = numbers(years)
    return Panel(
        [
            Band(x, low, high, "nine draws in ten"),
            Line(x, mean, "expected"),
            Line(x, average, "average practice", "second", dashed=True),
            Reference(0.0, upright=False),
        ],
        x=Axis(years=True),
        y=axis_of(unit),
        title="In each payment year",
    )


def _chances(rows: Sequence[Row], key: str, title: str, sets: int) -> Panel:
    names = tuple("all five" if row["payment_year"] == ALL else str(row["payment_year"]) for row in rows)
    shares = np.nan_to_num([100.0 * row[key] for row in rows])
    return Panel(
        [Bars(numbers(shares), texts=tuple(with_sign(row[key], sets) for row in rows))],
        x=Axis(suffix="%", limits=(0.0, 125.0) if max(shares) > 60.0 else None),
        y=Axis(names=names),
        title=title,
        height=_HEAD + _ROW * len(rows),
    )


def _data(rows: Sequence[Row], chances: Mapping[str, str]) -> pd.DataFrame:
    heads = {
        "mean": "expected, $",
        "mean_error": "standard error, $",
        "p05": "5% of draws below, $",
        "p50": "median, $",
        "p95": "5% of draws above, $",
        "average_practice": "average practice, $",
    }
    return pd.DataFrame(
        {"who": row["who"], "payment year": row["payment_year"]}
        | {head: row[name] for name, head in heads.items()}
        | {f"{title.lower()}, %": 100.0 * row[key] for key, title in chances.items()}
        for row in rows
    )
