"""Exposure in words and tables: a board's screen first, then by year, practice and clinician, changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.ranking import Ranks
from asmrisk.analysis.report import Section
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS, Row, dollar_scale
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.errors import Call
from asmrisk.exposures.readiness import NOT_TOLD, UNTOLD
from asmrisk.exposures.table import ALL, BASE
from asmrisk.rule.definitions import PAYMENT_LAG, PERFORMANCE_YEARS, YEARS

__all__ = ["head_of", "sections_of"]

_LISTED = 10
#: Standard error of the 5% and 95% quantiles of a normal distribution, in units of σ/√n.
_QUANTILE_ERROR = 2.11


Tables = Mapping[str, Sequence[Row]]


def _rows(tables: Tables, level: str, *, case: str = BASE, year: int | str | None = ALL) -> list[Row]:
    return [
        row
        for row in tables["exposure"]
        if row["level"] == level and row["case"] == case and year in (None, row["performance_year"])
    ]


# ------------------------------------------------------------------------------------------------ cells


def _usd(value: float, error: float, *, shown: bool = False) -> str:
    """Write dollars to the digits that the error supports, with it if it is to be shown.

    >>> _usd(-1234567.0, 4321.0), _usd(-1234567.0, 4321.0, shown=True)
    ('-$1,234,600', '-$1,234,600 ± 4,300')
    """
    text = with_error(abs(value), error) if shown else number(abs(value), error)
    return ("-$" if value < 0.0 and text.strip("0.,") else "$") + text if not math.isnan(value) else "n/a"


def _range_error(row: Row, sets: int) -> float:
    return float(_QUANTILE_ERROR * row["sd"] / math.sqrt(max(sets, 1)))


def _percent(share: float, sets: int) -> str:
    """Write a probability in percent to the digits that as many independent draws support.

    >>> _percent(0.98765, 1000), _percent(0.0, 1000), _percent(1.0, 50), _percent(0.0, 10), _percent(1.0, 2)
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


def _with_sign(share: float, sets: int) -> str:
    """Write a probability as `_percent` does, with its sign."""
    shown = _percent(share, sets)
    return shown if shown == "n/a" else f"{shown}%"


def _scale(rows: Sequence[Row], *names: str) -> tuple[float, str]:
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
        Those of an `asmrisk.exposures.exposure.Exposure`.
    clinicians : str
        Name of their file.
    loss : float or None
        The loss that is asked about.
    full_run : Call or None
        The run in which these clinicians are part of the field, where what the field does not do counts.
    """
    (row,) = _rows(tables, ALL)
    practices = len(_rows(tables, "practice"))
    crowd = f"{row['clinicians']:,} clinician{'s' * (row['clinicians'] > 1)}"
    homes = f"{practices:,} practice{'s' * (practices > 1)}"
    fields = f"{run.count:,} draw{'s' * (run.count > 1)}"
    seed = "" if run.seed is None else f", seed {run.seed}"
    told = _board(run, row, loss) if row["probability_measured"] else ["Nobody is measured in any draw."]
    reaction = [] if full_run is None else [(f"{_reaction(row)} This run has them in the field:", full_run)]
    return (
        f"{clinicians}: {crowd} of {homes}, ranked against {fields} of {run.title}{seed}",
        *told,
        *reaction,
        *run.rule_words,
        *run.doubt_words,
    )


def _board(run: RunResults, row: Row, loss: float | None) -> list[str]:
    """Say what is expected, and within which range, of all clinicians and years."""
    sets, error = run.set_count, row["mean_error"]
    wide = _range_error(row, sets)
    first, last = PERFORMANCE_YEARS[0], PERFORMANCE_YEARS[-1]
    a_year = _usd(row["mean"] / YEARS, error / YEARS, shown=True)
    chances = f"chance of a loss {_with_sign(row['probability_of_loss'], sets)}"
    if loss is not None:
        above = _with_sign(row["probability_of_loss_above"], sets)
        chances += f", of losing more than ${loss:,.12g} in all five together {above}"
    return [
        f"Expected: {a_year} a year, {_usd(row['mean'], error, shown=True)} in all five years (performance "
        f"{first}-{last}, paid {first + PAYMENT_LAG}-{last + PAYMENT_LAG}, in dollars of those years). An "
        f"average practice with the same Part B payments has {_usd(row['average_practice'], error)}.",
        f"Nine draws in ten ({HOLDS[run.holds]}): {_usd(row['p05'], wide)} to {_usd(row['p95'], wide)}; "
        f"{chances}. With the lowest factor in every year, and the payments expected: "
        f"{_usd(row['largest_loss'], error)}.",
    ]


# --------------------------------------------------------------------------------------------- sections


def sections_of(
    run: RunResults, tables: Tables, ranks: Ranks, loss: float | None, full_run: Call | None
) -> tuple[Section, ...]:
    """Show the whole by year, practices, clinicians, changes, levers, readiness, and what to know of it.

    Parameters
    ----------
    run, tables, loss, full_run
        As for `head_of`, which says what the field does not do where that counts.
    ranks : Ranks
        Of the clinicians by the dollars of all years.
    """
    (whole,) = _rows(tables, ALL)
    sections = [
        *_by_year(run, tables, loss),
        *_practices(run, tables),
        _clinicians(run, tables, ranks),
        *_cases(run, tables),
        *_levers(tables),
        *_readiness(tables),
        Section(notes=tuple(_notes(tables, whole, reaction=full_run is None))),
        Section((f"Results: {run.source}",)),
    ]
    return tuple(sections)


def _money(run: RunResults, rows: Sequence[Row], scale: float) -> tuple[list[str], list[list[str]]]:
    """Give the columns that every table of dollars has."""
    sets = run.set_count
    ranges = []
    for row in rows:
        wide = _range_error(row, sets) * scale
        ranges.append(f"{number(row['p05'] * scale, wide)} to {number(row['p95'] * scale, wide)}")
    return (
        ["mean ± error", f"5-95%, {run.holds.replace('_', ' ')}", "loss, %"],
        [
            [with_error(row["mean"] * scale, row["mean_error"] * scale) for row in rows],
            ranges,
            [_percent(row["probability_of_loss"], sets) for row in rows],
        ],
    )


def _beside(rows: Sequence[Row], scale: float, *names: str) -> list[list[str]]:
    """Give columns of dollars that are shown to the digits of the mean."""
    return [[number(row[name] * scale, row["mean_error"] * scale) for row in rows] for name in names]


def _by_year(run: RunResults, tables: Tables, loss: float | None) -> list[Section]:
    rows = _rows(tables, ALL, year=None)
    labels = [f"{row['performance_year']}, paid {row['payment_year']}" for row in rows[:-1]]
    scale, units = _scale(rows)
    sets = run.set_count
    heads, columns = _money(run, rows, scale)
    if loss is not None:
        heads.append(f"more than\n${loss:,.12g}, %")
        columns.append([_percent(row["probability_of_loss_above"], sets) for row in rows])
    beside = _beside(rows, scale, "average_practice", "worst_5_percent_mean", "largest_loss")
    further = [
        "average\npractice",
        "worst 5%,\nmean",
        "with the\nlowest factor",
        "clinicians with the\nlowest factor, %",
    ]
    hit = [_percent(row["probability_of_maximum"], sets) for row in rows]
    labels = [*labels, "all five years"]
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


def _practices(run: RunResults, tables: Tables) -> list[Section]:
    rows = _rows(tables, "practice")
    if len(rows) < 2:
        return []
    rows.sort(key=lambda row: row["mean"])
    shown = rows[:_LISTED]
    scale, units = _scale(shown)
    heads, columns = _money(run, shown, scale)
    listed = "" if len(rows) <= _LISTED else f", the lowest {_LISTED} of {len(rows):,}"
    counts = [f"{row['clinicians']:,}" for row in shown]
    title = f"Practices, all five years, {units}{listed}"
    heads = ["clinicians", *heads, "average\npractice"]
    columns = [counts, *columns, *_beside(shown, scale, "average_practice")]
    return [Section(tables=(Table([_short(row["who"]) for row in shown], [Group(title, heads, columns)]),))]


def _clinicians(run: RunResults, tables: Tables, ranks: Ranks) -> Section:
    rows = _rows(tables, "clinician")
    apart = ranks.first.max() > 1
    key = [(first, row["mean"]) for first, row in zip(ranks.first.tolist(), rows, strict=True)]
    order = sorted(range(len(rows)), key=key.__getitem__) if apart else range(len(rows))
    places = list(order)[:_LISTED]
    shown = [rows[place] for place in places]
    scale, units = _scale(shown)
    heads, columns = _money(run, shown, scale)
    heads = [*heads, "average\npractice"]
    columns += _beside(shown, scale, "average_practice")
    if apart:
        heads, columns = ["rank", *heads], [[ranks.said[place] for place in places], *columns]
    first = "the lowest" if apart else "the first"
    listed = "" if len(rows) <= _LISTED else f", {first} {_LISTED} of {len(rows):,}"
    title = f"Clinicians, all five years, {units}{listed}"
    table = Table([_short(row["who"]) for row in shown], [Group(title, heads, columns)])
    notes = (
        "Ranks are told as far as differences draw by draw exceed their errors: 2-5 is one of these."
        if apart
        else "The means differ by no more than their errors explain: clinicians are in the table's order.",
    )
    return Section(tables=(table,), notes=notes if len(rows) > 1 else ())


def _cases(run: RunResults, tables: Tables) -> list[Section]:
    names = list(dict.fromkeys(row["case"] for row in tables["exposure"]))[1:]
    if not names:
        return []
    rows = [_rows(tables, ALL, case=name)[0] for name in names]
    scale, units = _scale(rows, "difference")
    columns = [
        [with_error(row["difference"] * scale, row["difference_error"] * scale) for row in rows],
        [_percent(row["probability_of_nothing"], run.set_count) for row in rows],
        [number(row["mean"] * scale, row["mean_error"] * scale) for row in rows],
    ]
    heads = ["difference ± error", "pays nothing,\n% of draws", "mean then"]
    title = f"What if, all five years, {units}"
    notes = ("Draw by draw against what is expected as it is; what a change costs is not in it.",)
    return [Section(tables=(Table(names, [Group(title, heads, columns)]),), notes=notes)]


def _levers(tables: Tables) -> list[Section]:
    rows = [row for row in tables.get("levers", ()) if row["level"] == ALL]
    if not rows:
        return []
    scale, units = _scale(rows, "difference")
    columns = [
        [str(row["rank"]) for row in rows],
        [with_error(row["difference"] * scale, row["difference_error"] * scale) for row in rows],
        [number(row["break_even"] * scale, row["difference_error"] * scale / YEARS) for row in rows],
    ]
    heads = ["rank", "difference ± error", "may cost\na year"]
    title = f"Levers of all clinicians, all five years, {units}"
    notes = (
        "Levers of one rank are not told apart. It may cost at most so much a performance year before it no "
        "longer pays, MIPS and the cost of taking part counted.",
    )
    table = Table([row["lever"] for row in rows], [Group(title, heads, columns)])
    return [Section(tables=(table,), notes=notes)]


# -------------------------------------------------------------------------------------------- readiness


def _readiness(tables: Tables) -> list[Section]:
    rows = [row for row in tables["untold"] if row["level"] == ALL]
    labels = [
        "what is not told alone" if row["topic"] == UNTOLD else row["topic"].replace("_", " ") for row in rows
    ]
    columns = [
        [f"{row['nothing_told']:,} of {row['clinicians']:,}" for row in rows],
        [str(row["last_year"] or "") for row in rows],
        [
            "n/a" if math.isnan(row["share_of_variance"]) else f"{100.0 * row['share_of_variance']:.0f}"
            for row in rows
        ],
    ]
    heads = ["clinicians who\ntell nothing", "last told", "share of\nvariance, %"]
    table = Table(labels, [Group("What is told, and how much of the spread it is", heads, columns)])
    explained = (
        "Share of the variance of the five years' dollars that the first year's draw of it explains, of who "
        "tells something of it and of who does not; in the last row of the latter alone. About so much of "
        "the spread, at most, can be told away."
    )
    return [Section(tables=(table,), notes=(explained, *_standing(tables["readiness"])))]


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


def _short(name: str) -> str:
    return name if len(name) <= 18 else name[:17] + "…"


# ------------------------------------------------------------------------------------------------ notes


def _notes(tables: Tables, whole: Row, *, reaction: bool) -> list[str]:
    error = whole["mean_error"]
    left = (
        "MIPS, which no longer adjusts who is measured, would have come to "
        f"{_usd(whole['mips_forgone'], error)} in these years: net of it "
        f"{_usd(whole['net_of_mips'], error)}."
    )
    if whole["cost_of_participation"]:
        left += f" Taking part costs {_usd(whole['cost_of_participation'], error)}."
    never = [row["who"] for row in _rows(tables, "clinician") if not row["probability_measured"]]
    missed = f"Measured in no draw: {_some(never)}." if never else ""
    return list(filter(None, (left, missed, _reaction(whole) if reaction else "")))


def _reaction(whole: Row) -> str:
    """Say how far the mean is off because the field does not react; nothing where it is not."""
    error = whole["field_reaction_error"]
    if not error:
        return ""
    size = _usd(abs(error), abs(error) / 10.0)
    return (
        "The field does not react to these clinicians: the expected dollars of all five years are about "
        f"{size} too {'high' if error > 0.0 else 'low'}."
    )
