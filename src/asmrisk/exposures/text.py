"""Exposure in words and tables: a board's screen first, then by year, practice and clinician, changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap

import numpy as np

from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.ranking import RANK_RULE, Ranks
from asmrisk.analysis.report import Section
from asmrisk.analysis.roster_report import LISTED, listing
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS, Row
from asmrisk.analysis.text_tables import WIDTH, Group, Table
from asmrisk.analysis.wording import ALL, ALL_YEARS, dollar_scale, shortened, usd, year_label, year_words
from asmrisk.errors import Call
from asmrisk.exposures.readiness import MOST_DRAWS, NOT_TOLD, UNTOLD
from asmrisk.exposures.table import BASE
from asmrisk.rule.definitions import PAYMENT_LAG, PERFORMANCE_YEARS, YEARS

__all__ = [
    "beside_columns",
    "closing_notes",
    "dollars_of",
    "head_of",
    "lever_sections",
    "money_columns",
    "percent",
    "range_error",
    "readiness_sections",
    "rows_of",
    "sections_of",
    "with_sign",
    "year_sections",
]

#: By which factor payments that are expected differ much from those told.
_MUCH = 1.5
#: Standard error of the 5% and 95% quantiles of a normal distribution, in units of σ/√n.
_QUANTILE_ERROR = 2.11


Tables = Mapping[str, Sequence[Row]]


def rows_of(tables: Tables, level: str, *, case: str = BASE, year: int | str | None = ALL) -> list[Row]:
    """Give the rows of a level and case, of a performance year or `ALL`; None for every one of them."""
    return [
        row
        for row in tables["exposure"]
        if row["level"] == level and row["case"] == case and year in (None, row["performance_year"])
    ]


# ------------------------------------------------------------------------------------------------ cells


def range_error(row: Row, sets: int) -> float:
    """Give about the standard error of the ends of a range of draws, USD."""
    return float(_QUANTILE_ERROR * row["sd"] / math.sqrt(max(sets, 1)))


def percent(share: float, sets: int) -> str:
    """Write a probability in percent to the digits that as many independent draws support.

    >>> percent(0.98765, 1000), percent(0.0, 1000), percent(1.0, 50), percent(0.0, 10), percent(1.0, 2)
    ('98.77', 'below 0.3', 'above 94', 'below 30', 'n/a')
    """
    # The rule of three: none of n draws leaves up to about 3/n.
    most = 300.0 / max(sets, 1)
    certain = share in (0.0, 1.0)
    if math.isnan(share) or (certain and most >= 100.0):
        return "n/a"
    if certain:
        return f"below {float(f'{most:.1g}'):g}" if share == 0.0 else f"above {100.0 - most:.4g}"
    return number(100.0 * share, 100.0 * math.sqrt(share * (1.0 - share) / max(sets, 1)))


def with_sign(share: float, sets: int) -> str:
    """Write a probability as `percent` does, with its sign."""
    shown = percent(share, sets)
    return shown if shown == "n/a" else f"{shown}%"


def dollars_of(rows: Sequence[Row], *names: str) -> tuple[float, str]:
    """Choose in which dollars columns are shown, and their name."""
    return dollar_scale(
        max(abs(row[name]) for row in rows for name in names or ("p05", "p95", "largest_loss"))
    )


# ------------------------------------------------------------------------------------------------- head


def head_of(
    run: RunResults, tables: Tables, clinicians: str, loss: float | None, full_run: Call | None
) -> tuple[str | tuple[str | Call, ...], ...]:
    """Say first what a board asks for: what is expected, how wide the range is, how likely losses are.

    Parameters
    ----------
    run : RunResults
        What clinicians are ranked against.
    tables : mapping of str to sequence of Row
        Those of an `asmrisk.exposure`.
    clinicians : str
        Name of their file.
    loss : float or None
        The loss that is asked about.
    full_run : Call or None
        The run in which these clinicians are part of the field, where what the field does not do counts.
    """
    (row,) = rows_of(tables, ALL)
    practices = len(rows_of(tables, "practice"))
    crowd = f"{row['clinicians']:,} clinician{'s' * (row['clinicians'] > 1)}"
    homes = f"{practices:,} practice{'s' * (practices > 1)}"
    fields = f"{run.count:,} draw{'s' * (run.count > 1)}"
    seed = "" if run.seed is None else f", seed {run.seed}"
    told = _board(run, row, loss) if row["probability_measured"] else ["Nobody is measured in any draw."]
    reaction = [] if full_run is None else [(f"{_reaction(row)} {_called(full_run)}", full_run)]
    return (
        f"{clinicians}: {crowd} of {homes}, ranked against {fields} of {run.title}{seed}",
        *told,
        *reaction,
        *run.rule_words,
        *run.doubt_words,
    )


def _called(full_run: Call) -> str:
    """Introduce the run in which clinicians are part of the field; a store keeps no absolute path."""
    file = str(full_run.first)
    meant = "" if Path(file).is_file() else f", where {file} stands for the path or name of that scenario"
    return f"This run has them in the field{meant}:"


def _board(run: RunResults, row: Row, loss: float | None) -> list[str]:
    """Say what is expected, and within which range, of all clinicians and years."""
    sets, error = run.set_count, row["mean_error"]
    wide = range_error(row, sets)
    years = year_words(PERFORMANCE_YEARS[0], PERFORMANCE_YEARS[-1])
    a_year = usd(row["mean"] / YEARS, error / YEARS, shown=True)
    chances = f"chance of a loss {with_sign(row['probability_of_loss'], sets)}"
    if loss is not None:
        above = with_sign(row["probability_of_loss_above"], sets)
        chances += f", of losing more than {usd(loss)} in all five together {above}"
    return [
        f"Expected: {a_year} a year, {usd(row['mean'], error, shown=True)} in {ALL_YEARS} ({years}, in "
        "dollars of the years of payment). An average practice with the same Part B payments has "
        f"{usd(row['average_practice'], error)}.",
        f"Nine draws in ten ({HOLDS[run.holds]}): {usd(row['p05'], wide)} to {usd(row['p95'], wide)}; "
        f"{chances}. With the lowest factor in every year, and the payments expected: "
        f"{usd(row['largest_loss'], error)}.",
    ]


# --------------------------------------------------------------------------------------------- sections


def sections_of(
    run: RunResults, tables: Tables, ranks: Mapping[str, Ranks], loss: float | None, full_run: Call | None
) -> tuple[Section, ...]:
    """Show the whole by year, practices, clinicians, changes, levers, readiness, and what to know of it.

    Parameters
    ----------
    run, tables, loss, full_run
        As for `head_of`, which says what the field does not do where that counts.
    ranks : mapping of str to Ranks
        Of practices and of clinicians, by the dollars of all years.
    """
    (whole,) = rows_of(tables, ALL)
    people = _people(run, tables, ranks)
    ruled = any(RANK_RULE in note for note in people[-1].notes)
    sections = [
        *year_sections(run, tables, loss),
        *people,
        *_what_if(run, tables),
        *lever_sections(run, tables, RANK_RULE if not ruled else "Ranks as above."),
        *_payments(tables),
        *readiness_sections(run, tables),
        Section(notes=tuple(closing_notes(tables, whole, reaction=full_run is None))),
        Section((f"Results: {run.source}",)),
    ]
    return tuple(sections)


def money_columns(run: RunResults, rows: Sequence[Row], scale: float) -> tuple[list[str], list[list[str]]]:
    """Give the columns that every table of dollars has."""
    sets = run.set_count
    ranges = []
    for row in rows:
        wide = range_error(row, sets) * scale
        ranges.append(f"{number(row['p05'] * scale, wide)} to {number(row['p95'] * scale, wide)}")
    return (
        ["mean ± error", f"5-95%, {run.holds.replace('_', ' ')}", "loss,\n%"],
        [
            _with_errors(rows, scale, "mean"),
            ranges,
            [percent(row["probability_of_loss"], sets) for row in rows],
        ],
    )


def _with_errors(rows: Sequence[Row], scale: float, name: str) -> list[str]:
    return [with_error(row[name] * scale, row[f"{name}_error"] * scale) for row in rows]


def beside_columns(rows: Sequence[Row], scale: float, *names: str) -> list[list[str]]:
    """Give columns of dollars that are shown to the digits of the mean."""
    return [[number(row[name] * scale, row["mean_error"] * scale) for row in rows] for name in names]


def year_sections(run: RunResults, tables: Tables, loss: float | None) -> list[Section]:
    """Show all clinicians together by year, and what stands beside it."""
    rows = rows_of(tables, ALL, year=None)
    labels = [year_label(row["performance_year"]) for row in rows]
    scale, units = dollars_of(rows)
    sets = run.set_count
    heads, columns = money_columns(run, rows, scale)
    if loss is not None:
        heads.append(f"more than\n{usd(loss)}, %")
        columns.append([percent(row["probability_of_loss_above"], sets) for row in rows])
    beside = beside_columns(rows, scale, "average_practice", "worst_5_percent_mean", "largest_loss")
    further = [
        "average\npractice",
        "worst 5%,\nmean",
        "with the\nlowest factor",
        "clinicians with the\nlowest factor, %",
    ]
    hit = [percent(row["probability_of_maximum"], sets) for row in rows]
    title = f"All {rows[0]['clinicians']:,} clinicians together, {units}"
    notes = (
        "Dollars of the payment years. With the lowest factor: what everybody would get, if measured, on the "
        "payments expected; payments vary too, so a draw may hold a larger loss. An average practice: the "
        "same payments at the mean factor of the field's clinicians of the same specialty and practice size.",
    )
    return [
        Section(tables=(Table(labels, [Group(title, heads, columns)]),)),
        Section(
            tables=(Table(labels, [Group(f"Beside it, {units}", further, [*beside, hit])]),), notes=notes
        ),
    ]


def _people(run: RunResults, tables: Tables, ranks: Mapping[str, Ranks]) -> list[Section]:
    """List practices, if there are several, and clinicians, as far as they are told apart."""
    found: list[Section] = []
    notes: list[str] = []
    for level, own in ranks.items():
        rows = rows_of(tables, level)
        if level == "practice" and len(rows) < 2:
            continue
        chosen = listing(level, np.array([row["mean"] for row in rows]), own, run.count)
        notes += chosen.notes
        for title, places in chosen.tables:
            shown = [rows[place] for place in places]
            scale, units = dollars_of(shown)
            heads, columns = ["rank"], [[own.said[place] for place in places]]
            if level == "practice":
                heads.append("billed")
                columns.append([f"{row['clinicians']:,}" for row in shown])
            money = money_columns(run, shown, scale)
            heads += [*money[0], "average\npractice"]
            columns += [*money[1], *beside_columns(shown, scale, "average_practice")]
            group = Group(f"{title}, {ALL_YEARS}, {units}", heads, columns)
            found.append(Section(tables=(Table([shortened(row["who"]) for row in shown], [group]),)))
    found[-1:] = [each._replace(notes=tuple(dict.fromkeys(notes))) for each in found[-1:]]
    return found or [Section(notes=tuple(notes))]


# ---------------------------------------------------------------------------------------------- changes


def _worth(run: RunResults, rows: Sequence[Row], scale: float) -> tuple[list[str], list[list[str]]]:
    """Give the columns that say what changes are worth."""
    may_cost = [
        number(row["break_even"] * scale, row["difference_error"] * scale / row["years"])
        if row["break_even"] > 0.0
        else "nothing"
        for row in rows
    ]
    return (
        ["difference\n± error", "chance of\nno gain, %", "may cost\na year"],
        [
            _with_errors(rows, scale, "difference"),
            [percent(row["probability_of_nothing"], run.set_count) for row in rows],
            may_cost,
        ],
    )


_WORTH_NOTE = (
    "Differences are draw by draw from what is expected as it is. No gain: draws in which a change "
    "brings no dollars. May cost: in each performance year from its first on, before it no longer pays; MIPS "
    "and the cost of taking part are counted."
)


def _what_if(run: RunResults, tables: Tables) -> list[Section]:
    """Show what the changes that are asked about bring, by number."""
    changes = tables["what_if"]
    if not changes:
        return []
    rows = [rows_of(tables, ALL, case=each["case"])[0] | {"years": each["years"]} for each in changes]
    labels = [str(each["number"]) for each in changes]
    scale, units = dollars_of(rows, "difference")
    heads, columns = _worth(run, rows, scale)
    heads.append("mean then")
    columns.append(beside_columns(rows, scale, "mean")[0])
    title = f"All {rows[0]['clinicians']:,} clinicians together, {ALL_YEARS}, {units}"
    legend = [
        line
        for label, each in zip(labels, changes, strict=True)
        for line in wrap(f"{label}  {each['case']}", WIDTH, subsequent_indent="   ")
    ]
    found = [Section(("What if", *legend), (Table(labels, [Group(title, heads, columns)]),))]
    practices = [rows_of(tables, "practice", case=each["case"]) for each in changes]
    moved = [own for own in zip(*practices, strict=True) if any(row["difference"] for row in own)]
    if len(practices[0]) > 1 and moved:
        most = f", the {LISTED} moved most of {len(moved):,}" if len(moved) > LISTED else ""
        moved = sorted(moved, key=lambda own: -max(abs(row["difference"]) for row in own))[:LISTED]
        scale, units = dollars_of([row for own in moved for row in own], "difference")
        columns = [_with_errors(of_change, scale, "difference") for of_change in zip(*moved, strict=True)]
        names = [shortened(own[0]["who"]) for own in moved]
        title = f"Difference of each change by practice, {ALL_YEARS}, {units}{most}"
        found.append(Section(tables=(Table(names, [Group(title, labels, columns)]),)))
    supposed = _supposed([each | {"lever": f"change {each['number']}"} for each in changes])
    found[-1] = found[-1]._replace(notes=(_WORTH_NOTE, *supposed))
    return found


def lever_sections(run: RunResults, tables: Tables, rule: str) -> list[Section]:
    """Show the levers of all clinicians; nothing where they are not ranked. The rule of ranks is said."""
    rows = [row for row in tables.get("levers", ()) if row["level"] == ALL]
    if not rows:
        return []
    scale, units = dollars_of(rows, "difference")
    first, last = (np.array([row[f"rank_{end}"] for row in rows]) for end in ("first", "last"))
    heads, columns = _worth(run, rows, scale)
    group = Group(
        f"Levers of all clinicians, {ALL_YEARS}, {units}",
        ["rank", *heads],
        [Ranks(first, last, math.inf).said, *columns],
    )
    table = Table([row["lever"] for row in rows], [group])
    worth = () if tables["what_if"] else (_WORTH_NOTE,)
    ranked = f"Rank 1 has the most dollars. {rule}"
    return [Section(tables=(table,), notes=(*worth, ranked, *_supposed(rows)))]


def _supposed(rows: Sequence[Row]) -> list[str]:
    """Say what changes suppose: what is not told, what is so already, what another way of reporting does."""
    notes = []
    if any(row["untold"] for row in rows):
        # Of many, only those that suppose most.
        least = 0.0 if len(rows) <= LISTED else 0.5
        named = [row for row in rows if row["untold"] > least * row["clinicians"]]
        rest = max((row["untold"] for row in rows if row not in named), default=0)
        told = [f"{row['untold']:,} of {row['clinicians']:,} in {row['lever']}" for row in named]
        if len(told) > LISTED:
            told = [f"more than half of those meant in {len(told)} changes"]
        told += [f"at most {rest:,} in each of the others"] if rest else []
        notes.append(
            "Of some clinicians nothing is told of what a change moves: it is drawn, and so what the change "
            f"brings them is supposed. These are {', '.join(told)}."
        )
    reported = [
        f"{row['lever'].removesuffix(' reported')} ({row['reported']:,})" for row in rows if row["reported"]
    ]
    if reported:
        notes.append(
            "That a measure is reported is worth something also to who reports it already, because in some "
            f"draws they would not in a coming year: {', '.join(reported)}."
        )
    if any("collection_type" in row["lever"] + row.get("case", "") for row in rows):
        notes.append(
            "collection_type supposes that the same quality would be seen, and ranks it among others: where "
            "many have the best rate (topped out), they tie, and share more points than the same rate earns "
            "where few have it."
        )
    return notes


# -------------------------------------------------------------------------------------------- readiness


def _payments(tables: Tables) -> list[Section]:
    """Show Part B told and expected side by side, of those of whom they differ much."""
    apart = [
        (abs(math.log(row["part_b_expected"] / row["part_b_told"])), row)
        for row in tables["readiness"]
        if row["part_b_expected"] and row["part_b_told"]
    ]
    rows = [row for far, row in sorted(apart, key=lambda each: -each[0]) if far > math.log(_MUCH)]
    if not rows:
        return []
    shown, paid_in = rows[:LISTED], PERFORMANCE_YEARS[0] + PAYMENT_LAG
    columns = [
        [str(row["part_b_year"]) for row in shown],
        *([f"{row[name]:,.0f}" for row in shown] for name in ("part_b_told", "part_b_expected")),
    ]
    few = "" if len(rows) <= LISTED else f", the {LISTED} furthest apart of {len(rows):,}"
    title = f"Part B payments told and expected, $, where they differ by half or more{few}"
    heads = ["told of", "told", f"expected\nin {paid_in}"]
    table = Table([shortened(row["clinician_id"]) for row in shown], [Group(title, heads, columns)])
    notes = (
        f"Expected of {paid_in} where measured in {PERFORMANCE_YEARS[0]}: payments follow the trend, and a "
        "year that stood out returns in part to what is usual.",
    )
    return [Section(tables=(table,), notes=notes)]


def readiness_sections(run: RunResults, tables: Tables) -> list[Section]:
    """Say what is not told and how much of the spread it is, and who lacks what."""
    rows = [row for row in tables["untold"] if row["level"] == ALL]
    standing = _standing(tables["readiness"])
    if not rows:
        return [Section(notes=("Of every clinician something is told of all that is scored.", *standing))]
    labels = ["all of this" if row["topic"] == UNTOLD else row["topic"].replace("_", " ") for row in rows]
    columns = [
        [f"{row['nothing_told']:,} of {row['clinicians']:,}" for row in rows],
        [
            "n/a" if math.isnan(row["share_of_variance"]) else f"{100.0 * row['share_of_variance']:.0f}"
            for row in rows
        ],
    ]
    heads = ["clinicians who\ntell nothing", "share of\nvariance, %"]
    table = Table(labels, [Group("What is not told, and how much of the spread it is", heads, columns)])
    shares = np.array([row["share_of_variance"] for row in rows])
    # The standard error of a squared correlation.
    errors = 200.0 * np.sqrt(shares) * (1.0 - shares) / math.sqrt(min(run.set_count, MOST_DRAWS))
    error = float(np.nanmax(errors, initial=0.0))
    explained = (
        "Share of the variance of the five years' dollars that the first year's draw of it explains, where "
        f"it is not told; standard errors are {number(error, error)} or less. About so much of the spread, "
        "at most, can be told away."
    )
    untold = [row["who"] for row in tables["untold"] if _tells_nothing_of_patients(row)]
    patients = (
        f"Patients not told: {_some(untold)}. They are drawn, and earn the points for complex patients that "
        "others earn on average; who is told to be below the median earns none."
    )
    notes = (explained, *standing, *([patients] if untold else []))
    return [Section(tables=(table,), notes=notes)]


def _tells_nothing_of_patients(row: Row) -> bool:
    return bool(row["level"] == "clinician" and row["topic"] == "patients" and row["nothing_told"])


def _standing(rows: Sequence[Row]) -> list[str]:
    """Say who may not be measured, who is in an ACO, and what activities lack."""
    lines = []
    near = []
    for row in rows:
        if row["may_not_be_measured"]:
            chances = [100.0 * row[f"measured_{year}"] for year in PERFORMANCE_YEARS]
            near.append(f"{row['clinician_id']} ({min(chances):.0f} to {max(chances):.0f}%)")
    if near:
        lines.append(f"May have too few episodes to be measured (chance by year): {_some(near)}.")
    inside = [row["clinician_id"] for row in rows if row["aco"]]
    untold = sum(row["aco"] is None for row in rows)
    if inside or untold:
        told = f"In an accountable care organization: {_some(inside) or 'nobody'}"
        lines.append(told + (f"; not told for {untold:,}." if untold else "."))
    lacking: dict[str, list[str]] = {}
    for row in rows:
        if row["lacks"]:
            lacking.setdefault(row["lacks"], []).append(row["clinician_id"])
    for lacks, who in lacking.items():
        words = lacks if lacks == NOT_TOLD else f"lacking {lacks}"
        lines.append(f"Improvement activities, {words}: {_some(who)}.")
    return lines


def _some(names: Sequence[str], most: int = 4) -> str:
    """Name a few, or say how many they are."""
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{len(names):,} clinicians, such as {listed}"


# ------------------------------------------------------------------------------------------------ notes


def closing_notes(tables: Tables, whole: Row, *, reaction: bool) -> list[str]:
    """Say what is left beside MIPS, who is never measured, and, if asked, what the field does not do."""
    error = whole["mean_error"]
    left = (
        "MIPS, which no longer adjusts who is measured, would have come to "
        f"{usd(whole['mips_forgone'], error)} in these years: net of it "
        f"{usd(whole['net_of_mips'], error)}."
    )
    if whole["cost_of_participation"]:
        left += f" Taking part costs {usd(whole['cost_of_participation'], error)}."
    never = [row["who"] for row in rows_of(tables, "clinician") if not row["probability_measured"]]
    missed = f"Measured in no draw: {_some(never)}." if never else ""
    return list(filter(None, (left, missed, _reaction(whole) if reaction else "")))


def _reaction(whole: Row) -> str:
    """Say how far the mean is off because the field does not react; nothing where it is not."""
    error = whole["field_reaction_error"]
    if not error:
        return ""
    size = usd(abs(error), abs(error) / 10.0)
    return (
        "The field does not react to these clinicians: the expected dollars of all five years are about "
        f"{size} too {'high' if error > 0.0 else 'low'}."
    )
