"""The page on what given clinicians risk, which a practice mails on to its board."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.estimates import Sets, is_tied
from asmrisk.analysis.ranking import RANK_RULE
from asmrisk.analysis.report import Line, Report
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS, Row
from asmrisk.analysis.tail import probability
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.analysis.wording import ALL, ALL_YEARS, dollar_scale, usd
from asmrisk.arguments import PATH, check_arguments
from asmrisk.charts.chart import Chart
from asmrisk.charts.exposure import exposure_chart
from asmrisk.charts.futures import futures_chart
from asmrisk.charts.score_parts import score_parts_chart
from asmrisk.charts.words import counted, source_line
from asmrisk.exposures.exposure import Exposed, expose
from asmrisk.exposures.readiness import UNTOLD
from asmrisk.exposures.text import (
    beside_columns,
    closing_notes,
    dollars_of,
    lever_sections,
    money_columns,
    percent,
    range_error,
    readiness_sections,
    rows_of,
    year_sections,
)
from asmrisk.pages.live import MOST_DRAWS, STEPS, Live, live_levers, rate_steps
from asmrisk.pages.page import check_page, rendered, write_page
from asmrisk.rule.definitions import MEASURES, PAYMENT_LAG, PERFORMANCE_YEARS, YEARS

__all__ = ["board", "board_page", "chances_of_loss", "lever_words", "years_headline"]

#: Steps of the slider of losses, about.
_STEPS = 100
#: Losses that are listed where no slider can be moved.
_LISTED_LOSSES = 5
#: Rows of a table of practices or clinicians; more would make a page that cannot be mailed.
_MOST_ROWS = 1_000
#: So many independent draws a page needs to tell chances and ranges: with fewer none of them lies beyond the
#: 5th percentile, and a dot in fifty would stand for no draw of its own.
_FEWEST = 20

_Array = NDArray[np.float64]


def board(
    clinicians: str | os.PathLike[str],
    against: str | os.PathLike[str],
    html: str | os.PathLike[str],
    *,
    loss: float | None = None,
    what_if: str | Sequence[str] = (),
    draws: int | None = None,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Report:
    """Write what given clinicians risk as one page that can be mailed on.

    Parameters
    ----------
    clinicians, against, loss, what_if, draws, workers, out, quiet
        As for `asmrisk.exposure`; levers are ranked.
    html : path
        Where to write the page, ``.html``; replaced if it exists. Only who writes it may read it (mode 0600):
        it names clinicians.

    Returns
    -------
    Report
        What `asmrisk.exposure` gives; the page shows its numbers.

    Raises
    ------
    InputError
        As `asmrisk.exposure`; or if `html` has another ending or cannot be written.
    RunError
        If the disk is full, or a chunk of the results is damaged.
    """
    check_arguments(clinicians=(PATH, clinicians), html=(PATH, html))
    html = check_page(html, "html", inputs=[clinicians])
    found = expose(
        clinicians,
        against,
        loss=loss,
        what_if=what_if,
        levers=True,
        draws=draws,
        workers=workers,
        out=out,
        quiet=quiet,
    )
    write_page(html, board_page(found, workers=workers), "html", private=True)
    return found.report


def board_page(found: Exposed, *, workers: int | None = None) -> str:
    """Write the page: the same text for the same results and version of matplotlib."""
    run, tables = found.run, found.report.tables
    loss = found.report.facts["loss"]
    (whole,) = rows_of(tables, ALL)
    count = whole["clinicians"]
    who = f"these {count:,} clinicians" if count > 1 else "this clinician"
    measured = bool(whole["probability_measured"])
    ranged = measured and run.set_count >= _FEWEST
    losses = chances_of_loss(found.totals, run.sets, loss) if ranged else None
    (score,) = (row for row in tables["scores"] if row["level"] == ALL)
    (first,) = rows_of(tables, ALL, year=PERFORMANCE_YEARS[0])
    live = live_levers(found.field) if measured else Live(None, "Nobody is measured.")
    charts = [
        futures_chart(run, found.totals, who) if ranged else None,
        _fan(found.report) if ranged else None,
        score_parts_chart(run, score, first["mean_error"], who),
    ]
    return rendered(
        "board.html.j2",
        styles=("board.css",),
        scripts=("board.js", "rule.js", "live.js", "levers.js"),
        title=f"What {who} risk" if count > 1 else f"What {who} risks",
        headline=_headline(whole, who, run.set_count),
        lead=_lead(run, whole, found) if measured else [],
        model=_model(found),
        holds=_holds(run),
        sets=run.set_count,
        losses=losses,
        loss_table=None if losses is None else _loss_table(losses, loss),
        charts=[each for each in charts if each is not None],
        years=[
            each._replace(tables=tuple(_supported(run, table) for table in each.tables))
            for each in year_sections(run, tables, loss)
        ],
        levers=_levers(run, tables),
        live=live.data,
        not_live=live.reason,
        steps=_steps(found, workers) if measured else None,
        practices=_people(run, tables, "practice"),
        clinicians=_people(run, tables, "clinician"),
        readiness=readiness_sections(run, tables),
        notes=[*closing_notes(tables, whole, reaction=True), *run.rule_words],
        source=(
            f"{Path(found.report.facts['clinicians']).name}, ranked against {Path(run.source).name}. "
            f"{source_line(run)}"
        ),
        data={"losses": losses, "live": live.data},
    )


# ------------------------------------------------------------------------------------------------ words


def _headline(whole: Row, who: str, sets: int) -> str:
    first, last = PERFORMANCE_YEARS[0] + PAYMENT_LAG, PERFORMANCE_YEARS[-1] + PAYMENT_LAG
    years = f"over five payment years, {first} to {last}"
    mean, error = whole["mean"], whole["mean_error"]
    size = usd(mean, error, shown=True).removesuffix(" ± n/a")
    subject = who[0].upper() + who[1:]
    are = "are" if whole["clinicians"] > 1 else "is"
    if not whole["probability_measured"]:
        return f"{subject} {are} measured in no draw: nothing is lost or gained"
    if is_tied(mean, error, sets):
        return f"{subject} {are} expected neither to lose nor to gain {years}: the estimate is {size}"
    verb = "lose" if mean < 0.0 else "gain"
    return f"{subject} {are} expected to {verb} {size.removeprefix('-')} {years}"


#: What futures differ by, by what ranges over draws hold.
_DIFFER = {"chance": "chance alone", "chance_and_doubt": "chance and by what nobody knows yet"}


def _lead(run: RunResults, whole: Row, found: Exposed) -> list[str]:
    """Say in a board's words how much it is a year, what others have, how wide the range is."""
    sets, error = run.set_count, whole["mean_error"]
    wide = range_error(whole, sets)
    average = whole["average_practice"]
    yearly = f"That is {_outcome(whole['mean'] / YEARS, error / YEARS)} a year. "
    same = (
        f"neither to lose nor to gain in all five years: the estimate is {usd(average, error)}"
        if is_tied(average, error, sets)
        else f"to have {_outcome(average, error)} in all five years"
    )
    lead = [
        f"{'' if is_tied(whole['mean'], error, sets) else yearly}An average practice with the same Medicare "
        f"payments is expected {same}."
    ]
    if sets < _FEWEST:
        return lead
    return [
        *lead,
        f"In nine of ten simulated futures, which differ by {_DIFFER[run.holds]}, the five years together "
        f"end between {_outcome(whole['p05'], wide)} and {_outcome(whole['p95'], wide)}. A loss comes in "
        f"{percent(whole['probability_of_loss'], sets)} of 100. The largest cut that there is, for everybody "
        f"in every year, would be {_outcome(whole['largest_loss'], error)}.",
    ]


def _fan(report: Report) -> Chart:
    """Show the payment years, under a headline that does not say again what the page's says."""
    rows = [row for row in rows_of(report.tables, ALL, year=None) if row["payment_year"] != ALL]
    low, high = (each(rows, key=lambda row: row["mean"]) for each in (min, max))
    return replace(exposure_chart(report, with_chances=False), headline=years_headline(low, high))


def years_headline(low: Row, high: Row) -> str:
    """Name the payment years with the lowest and the highest mean."""
    if high["mean"] < 0.0 or low["mean"] > 0.0:
        small, large = sorted((low, high), key=lambda row: abs(row["mean"]))
        what = "loss" if high["mean"] < 0.0 else "gain"
        sizes = [
            f"{usd(abs(row['mean']), row['mean_error'])} in {row['payment_year']}" for row in (small, large)
        ]
        return f"Smallest {what} {sizes[0]}, largest {sizes[1]}"
    best, worst = (
        f"{row['payment_year']}, with {_outcome(row['mean'], row['mean_error'])}" for row in (high, low)
    )
    return f"Best year {best}; worst year {worst}"


def _outcome(dollars: float, error: float) -> str:
    """Say dollars in words, ``a loss of $1,310,000``."""
    size = usd(abs(dollars), error)
    if size.strip("$0.,") == "":
        return "nothing"
    return f"a {'loss' if dollars < 0.0 else 'gain'} of {size}"


def _model(found: Exposed) -> str:
    """Say what the model is, to who has never heard of it."""
    values = found.field.model.scenario.values
    first, last = (
        f"{100.0 * float(values.at('policy.risk_level', year)):g}%" for year in PERFORMANCE_YEARS[::4]
    )
    return (
        "Medicare's Ambulatory Specialty Model scores quality and cost of care from "
        f"{PERFORMANCE_YEARS[0]} to {PERFORMANCE_YEARS[-1]}, compares each clinician with others, and "
        f"two years later raises or cuts their Medicare (Part B) payments: by {first} at most in "
        f"{PERFORMANCE_YEARS[0] + PAYMENT_LAG}, {last} in {PERFORMANCE_YEARS[-1] + PAYMENT_LAG}."
    )


def _holds(run: RunResults) -> str:
    """Say what ranges hold, or that there are too few draws for any."""
    if run.set_count < _FEWEST:
        told = f"Of {counted(run.count, 'simulated future')}"
        if run.set_count < run.count:
            told += f" with {counted(run.set_count, 'parameter set')}"
        return f"{told}: too few draws for a range or chances, which take {_FEWEST}."
    unknown = counted(run.unknown_count, "assumption")
    more = {
        "chance": "the luck of patients, rates and costs from year to year, and of everybody else",
        "chance_and_doubt": f"luck from year to year, and {unknown} in doubt",
    }[run.holds]
    return " ".join(
        [
            f"Ranges are of {run.count:,} simulated futures (draws) and hold {HOLDS[run.holds]}: {more}.",
            *run.doubt_words,
        ]
    )


def _supported(run: RunResults, table: Table) -> Table:
    """Leave out columns of ranges and chances, whose heads have a percent sign, where draws are too few."""
    if run.set_count >= _FEWEST:
        return table
    groups = []
    for each in table.groups:
        kept = [place for place, head in enumerate(each.heads) if "%" not in head]
        heads, columns = [each.heads[place] for place in kept], [each.columns[place] for place in kept]
        groups.append(Group(each.title, heads, columns))
    return table._replace(groups=groups)


# ------------------------------------------------------------------------------------------------- losses


def chances_of_loss(totals: _Array, sets: Sets, loss: float | None = None) -> dict[str, Any] | None:
    """Give how likely it is to lose more than each of many round amounts.

    Parameters
    ----------
    totals : ndarray of float64, shape (draws,)
        USD; a loss is negative.
    sets : ndarray of int64, shape (draws,), or None
        Number of each draw's parameter set; None where each draw is a set of its own.
    loss : float, optional
        An amount that is among them.

    Returns
    -------
    dict or None
        ``amounts``, and in words the ``chances`` of losing more, each the share of all draws with its 95%
        interval (`asmrisk.analysis.tail.probability`); ``start``, the place of `loss`, or of the first amount
        with a chance of at most one in ten. None where no draw is a loss.
    """
    largest = -float(totals.min())
    if largest <= 0.0:
        return None
    step = _round_step(largest / _STEPS)
    amounts = np.unique([*(step * np.arange(int(largest // step) + 2)), *([] if loss is None else [loss])])
    found = probability(totals[:, None] < -amounts, sets=sets)
    number_of_sets = len(totals) if sets is None else len(np.unique(sets))
    chances = []
    for share, low, high in zip(
        *(100.0 * each for each in (found.value, found.low, found.high)), strict=True
    ):
        ends = " to ".join(number(each, (high - low) / 4.0) for each in (low, high))
        chances.append(f"{percent(share / 100.0, number_of_sets)} in 100 (95% interval {ends})")
    start = int(np.argmax(found.value <= 0.1)) if loss is None else int(np.searchsorted(amounts, loss))
    return {"amounts": [usd(each) for each in amounts.tolist()], "chances": chances, "start": start}


def _round_step(least: float) -> float:
    """Give the next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(each * power for each in (1, 2, 5, 10) if each * power >= least * (1 - 1e-9)))


def _loss_table(losses: dict[str, Any], loss: float | None) -> Table:
    """List a few of the amounts, for who has no scripts or paper."""
    amounts, chances = losses["amounts"], losses["chances"]
    last = len(amounts) - 1
    places = {round(part) for part in np.linspace(0, last, _LISTED_LOSSES)}
    chosen = sorted(places | (set() if loss is None else {losses["start"]}))
    return Table(
        [f"more than {amounts[at]}" for at in chosen],
        [Group("", ["chance (95% interval)"], [[chances[at] for at in chosen]])],
    )


# ------------------------------------------------------------------------------------------------- levers


_LEVERS = {
    "complete data": "Complete data on every measure",
    "improvement_activities = 2": "Both improvement activities",
    "promoting_interoperability = 100": "All points for electronic records (interoperability)",
    "cost_per_episode -10%": "Cost of an episode 10% lower",
    "episodes +10%": "10% more episodes",
    "collection_type = ecqm": "Quality reported straight from electronic records (eCQM)",
    "collection_type = mips_cqm": "Quality reported by a registry (MIPS CQM)",
}
#: Heads of the command's table that need its note, in a board's words.
_HEADS = {"difference\n± error": "gain ± error"}
_MEASURE = re.compile(r"(?P<name>q\d+|mri)(_rate (?P<change>[+-][\d.]+%?)| reported)")


def lever_words(lever: str) -> str:
    """Say a lever so that who has never reported one understands it; others as they are.

    >>> lever_words("q236_rate +0.05"), lever_words("complete data")
    ('Controlling high blood pressure (Q236): 5 points better', 'Complete data on every measure')
    """
    if lever in _LEVERS:
        return _LEVERS[lever]
    if lever.startswith("collaborative_care_elements = "):
        return f"Collaborative care arrangement with {lever.rpartition(' ')[2]} elements"
    found = _MEASURE.fullmatch(lever)
    if found is None:
        return lever
    titles = {each.name: each.title for each in MEASURES}
    name, change = found["name"], found["change"]
    if change is None:
        what = "always reported"
    elif change.endswith("%"):
        what = f"{change.strip('+-%')}% better"
    else:
        what = f"{100.0 * abs(float(change)):g} points better"
    return f"{titles[name]} ({name.upper()}): {what}"


def _levers(run: RunResults, tables: Any) -> tuple[Table, str, Sequence[Line]]:
    """Give levers in a board's words, beside those of the command line, a title, and notes."""
    (section,) = lever_sections(run, tables, RANK_RULE)
    ((labels, (group,), _),) = section.tables
    words = [lever_words(each) for each in labels]
    own = group._replace(title="", heads=[_HEADS.get(head, head) for head in group.heads])
    return _supported(run, Table(words, [own], labels)), group.title, section.notes


def _steps(found: Exposed, workers: int | None) -> tuple[Table, str]:
    """List what steps of each rate bring to all clinicians in all years, and give a title."""
    draws = min(found.field.draws, MOST_DRAWS)
    steps = rate_steps(found.field, draws=draws, workers=workers)
    rows = [steps[first : first + len(STEPS)] for first in range(0, len(steps), len(STEPS))]
    # Of all places and years the last are all together.
    whole = [[(each["difference"][-1][-1], each["error"][-1][-1]) for each in row] for row in rows]
    scale, units = dollar_scale(max(abs(value) for row in whole for value, _ in row))
    columns = [
        [with_error(value * scale, np.nan if error is None else error * scale) for value, error in step]
        for step in zip(*whole, strict=True)
    ]
    labels = [
        f"{row[0]['title']} ({row[0]['measure'].upper()}), {'%' if '%' in row[0]['change'] else 'points'}"
        for row in rows
    ]
    heads = [f"{step:+d}".replace("-", "−") for step in STEPS]
    title = f"What other rates bring, all clinicians, {ALL_YEARS}, {units} ± standard error, {draws:,} draws"
    return Table(labels, [Group("", heads, columns)]), title


# ------------------------------------------------------------------------------------------------- people


def _people(run: RunResults, tables: Any, level: str) -> tuple[Table, str] | None:
    """List practices, if there are several, or clinicians, the largest expected loss first."""
    rows = sorted(rows_of(tables, level), key=lambda row: row["mean"])
    if level == "practice" and len(rows) < 2:
        return None
    left_out = len(rows) - _MOST_ROWS
    if left_out > 0:
        rows = [*rows[: _MOST_ROWS // 2], *rows[-(_MOST_ROWS // 2) :]]
    scale, units = dollars_of(rows, "p05", "p95")
    heads, columns = money_columns(run, rows, scale)
    heads += ["average\npractice", "largest\ncut, %"]
    columns += [
        *beside_columns(rows, scale, "average_practice"),
        [percent(row["probability_of_maximum"], run.set_count) for row in rows],
    ]
    heads.append("three cuts\nin a row, %")
    columns.append([percent(row["probability_three_in_a_row"], run.set_count) for row in rows])
    notes: Sequence[str] = ()
    if level == "practice":
        heads.insert(0, "billed")
        columns.insert(0, [f"{row['clinicians']:,}" for row in rows])
    else:
        homes = {row["clinician_id"]: row for row in tables["readiness"]}
        heads.insert(0, "practice")
        columns.insert(0, [homes[row["who"]]["practice_id"] for row in rows])
        untold: dict[str, list[str]] = {}
        for row in tables["untold"]:
            if row["level"] == level and row["topic"] != UNTOLD:
                untold.setdefault(row["who"], []).append(row["topic"].replace("_", " "))
        notes = [_readiness(homes[row["who"]], untold.get(row["who"], [])) for row in rows]
    title = f"{'Practices' if level == 'practice' else 'Clinicians'}, {ALL_YEARS}, {units}"
    if left_out > 0:
        title += f": the {_MOST_ROWS // 2} largest expected losses and gains; {left_out:,} are left out"
    table = Table([row["who"] for row in rows], [Group("", heads, columns)], notes)
    return _supported(run, table), title


def _readiness(row: Row, untold: Sequence[str]) -> str:
    """Say what a clinician lacks, has not told, and whether they may not be measured."""
    said = [f"lacks {row['lacks']}"] if row["lacks"] and row["lacks"] != "not told" else []
    said += ["may not be measured"] if row["may_not_be_measured"] else []
    said += [f"not told: {', '.join(untold)}"] if untold else []
    return "; ".join(said)
