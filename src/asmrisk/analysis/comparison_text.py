"""What a comparison says to a reader: one screen, the long form, and the ranking of several reforms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np
import xarray as xr

from asmrisk.analysis import roster_comparison
from asmrisk.analysis.digits import with_error
from asmrisk.analysis.estimates import Sets, is_tied
from asmrisk.analysis.gains import gain_sections
from asmrisk.analysis.metrics import BY, METRICS, SPECIALTY_NOTE
from asmrisk.analysis.paired import LARGER, MEANS, TIED, UNPAIRED, WITHOUT_GAIN
from asmrisk.analysis.report import (
    Line,
    Section,
    grouped,
    row_label,
    scale_for,
    statistics_section,
    wrapped,
)
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import RANGE, Row, shown
from asmrisk.analysis.text_tables import WIDTH, Group, Table
from asmrisk.analysis.transitions import change_sections
from asmrisk.analysis.wording import ALL
from asmrisk.errors import Call
from asmrisk.rule.definitions import PAYMENT_LAG
from asmrisk.scenario.differences import changes_between

__all__ = [
    *("HEADLINE", "Compared", "answer", "differing_values", "gain_words", "more", "sections"),
    *("shown_metrics", "with_short_labels"),
]

#: What text shows of several reforms if nothing is chosen; they are ranked by the first.
HEADLINE = ("medicare_savings", "net_adjustment", "net_of_mips")
#: What one screen shows of a single reform.
_SCREEN = (
    *("medicare_savings", "retained_savings", "volume_offset", "episode_savings"),
    *("net_adjustment", "net_of_mips", "net_of_costs", "penalized_share"),
)
#: Titles of tables of several metrics, by their unit.
_UNIT_TITLES = {
    "USD": "Dollars",
    "fraction": "Shares and factors",
    "points": "Scores",
    "count": "Counts",
    "factor": "",
}
_MEAN, _REFORM, _DIFFERENCE = MEANS
#: Values in which two scenarios differ that are told one by one.
_MOST_VALUES = 6
#: Labels of rows are broken into lines of no fewer characters.
_NARROWEST_LABEL = 20


@dataclass(frozen=True)
class Compared:
    """What was found of some reforms."""

    runs: Sequence[RunResults]  #: the baseline first
    labels: Sequence[str]  #: of the runs
    rows: Sequence[list[Row]]  #: of each reform
    standard: bool  #: nothing was chosen
    who_gains: bool  #: labels alone were chosen: who gains is asked for
    levels: Sequence[str]  #: of a roster, at which the runs have the same names
    listed: Mapping[str, xr.DataArray]  #: differences of the roster's practices and clinicians, by draw
    sets: Sets
    changes: xr.Dataset | None  #: who gains and who loses

    @property
    def several(self) -> bool:
        """Whether it is of more than one reform."""
        return len(self.rows) > 1


def differing_values(baseline: RunResults, reform: RunResults) -> list[str]:
    """Say in which values the scenarios differ, ``key: baseline -> reform``, for a report's head."""
    one, other = (each.provenance.get("scenario", {}).get("definition", {}) for each in (baseline, reform))
    told = [str(each) for each in changes_between(*(_sections_of(each) for each in (one, other)))]
    more = [f"and {len(told) - _MOST_VALUES} values more"] if len(told) > _MOST_VALUES else []
    return told[:_MOST_VALUES] + more


def _sections_of(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {name: each for name, each in definition.items() if isinstance(each, Mapping)}


def shown_metrics(compared: Compared, told: Iterable[str], *, full: bool) -> list[str]:
    """Name the metrics that the text shows, of those that are told."""
    if compared.who_gains:
        return []
    if not compared.standard or (full and not compared.several):
        return list(told)
    roster = ["roster_net_adjustment"] * bool(compared.levels)
    return roster + list(HEADLINE if compared.several else _SCREEN)


def sections(compared: Compared, *, full: bool) -> list[Section]:
    """Show a comparison, on one screen unless all is asked for or something was chosen."""
    if compared.who_gains:
        return _who_gains(compared)
    if compared.several:
        return _of_several(compared, full=full)
    if compared.standard and not full:
        return _screen(compared)
    (rows,), found = compared.rows, []
    if compared.standard and compared.levels:
        found += roster_comparison.sections(_of_roster(rows), compared.listed, compared.sets)
        rows = [row for row in rows if not METRICS[row["metric"]].of]
    for some in grouped(rows, _table_of if compared.standard else lambda row: row["metric"]):
        whole = all(row[label] == ALL for row in some for label in BY)
        found += _differences(some, spread=whole or not compared.standard)
    return found + ([] if compared.changes is None else change_sections(compared.changes.isel(reform=0)))


def _who_gains(compared: Compared) -> list[Section]:
    """Show what each reform does to the dollars of a clinician, by the labels that are told apart."""
    found = []
    for index, (label, rows) in enumerate(zip(compared.labels[1:], compared.rows, strict=True)):
        found += [Section((label,))] if compared.several else []
        found += gain_sections(rows)
        found += [] if compared.changes is None else change_sections(compared.changes.isel(reform=index))
    return found


def _of_roster(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if METRICS[row["metric"]].of]


# --- One screen ---------------------------------------------------------------------------------------------


def _screen(compared: Compared) -> list[Section]:
    (rows,) = compared.rows
    found = [Section(wrapped(_answers(compared, rows)))]
    if compared.levels:
        found.append(roster_comparison.by_year(_of_roster(rows)))
    chosen = [row for row in _whole(rows, _SCREEN) if row["draws"]]
    dollars = [row for row in chosen if row["units"] == "USD"]
    _, unit = scale_for(dollars, "baseline", "reform")
    first, last = _years(compared.runs[0])
    labels, cells = [], []
    for row in chosen:
        scale, own = scale_for([row], "baseline", "reform")
        if row["units"] == "USD":
            scale, own = scale_for(dollars, "baseline", "reform")
        labels.append(METRICS[row["metric"]].title + ("" if row["units"] == "USD" else own))
        heads, columns = shown((_MEAN, _DIFFERENCE, RANGE), [row], scale, row["range_holds"])
        cells.append([column[0] for column in columns])
    title = f"{first} to {last} together{unit} where nothing else is said"
    group = Group(title, heads, [list(column) for column in zip(*cells, strict=True)])
    found.append(Section(tables=(Table(labels, [group]),)))
    if compared.changes is not None:
        found.append(Section(wrapped(gain_words(compared.changes.isel(reform=0)))))
    return found


def more(baseline: RunResults, reforms: Sequence[RunResults]) -> list[Line]:
    """Say which commands give more; nothing of datasets in memory."""
    sources = [each.source for each in (baseline, *reforms)]
    if not all(sources):
        return []
    first, *others = sources
    lines: list[Line] = [("Every figure:", Call("compare", first, {"full": True}, tuple(others)))]
    if len(others) == 1 and len(differing_values(baseline, reforms[0])) > 1:
        lines.append(("What each of the values does:", Call("decompose", first, {}, tuple(others))))
    return lines


def _whole(rows: Iterable[Row], names: Iterable[str]) -> list[Row]:
    """Choose outcomes over all years and groups."""
    whole = {row["metric"]: row for row in rows if all(row[label] == ALL for label in BY)}
    return [whole[name] for name in names]


def _years(run: RunResults) -> tuple[int, int]:
    years = run.dataset["performance_year"].values
    return int(years[0]), int(years[-1])


def _answers(compared: Compared, rows: Sequence[Row]) -> list[str]:
    """Answer in a sentence each what Medicare saves and what clinicians are paid."""
    run = compared.runs[0]
    first, last = _years(run)
    year = "" if run.dollar_year is None else f", in dollars of {run.dollar_year}"
    paid = f"over the payment years {first + PAYMENT_LAG} to {last + PAYMENT_LAG}, in cash"
    savings, all_paid, *own_paid = _whole(
        rows, ("medicare_savings", "net_adjustment", *["roster_net_adjustment"] * bool(compared.levels))
    )
    return [
        *(answer(row, "the roster is paid", paid) for row in own_paid),
        answer(savings, "Medicare saves", f"over {first} to {last}{year}"),
        answer(all_paid, "clinicians are paid", paid),
    ]


def answer(row: Row, subject: str, when: str) -> str:
    """Say a difference in a sentence: how much more or less, that none is found, or that there is none.

    Parameters
    ----------
    row : Row
        With ``difference``, its error, ``tied`` and ``parameter_sets``; in dollars.
    subject : str
        With the verb, as within a sentence: ``Medicare saves``.
    when : str
        The years and dollars that it is of.
    """
    start = f"{subject[0].upper()}{subject[1:]}"
    if row["tied"] == 1.0:
        return f"{start} exactly the same in every draw {when}."
    value, error = row["difference"], row["difference_error"]
    scale, unit = scale_for([row], "difference")
    size = f"${with_error(abs(value) * scale, error * scale)}{unit.removeprefix(', $')}"
    if is_tied(value, error, row["parameter_sets"]):
        minus = "-" if value < 0.0 else ""
        return f"No difference found in what {subject} {when}: the estimate is {minus}{size}."
    said = f"{start} {size} {'less' if value < 0.0 else 'more'} {when}"
    return f"{said}, in draws too few to tell it from luck." if math.isnan(error) else f"{said}."


def gain_words(changes: xr.Dataset) -> list[str]:
    """Say in a few lines who gains and who loses by a reform, of what `who_changes` found."""
    groups = list(zip(changes["kind"].values.tolist(), changes["label"].values.tolist(), strict=True))

    def cell(name: str, place: int, scale: float = 1.0) -> str:
        value, error = (changes[name].values[place] * scale).tolist()
        return with_error(value, error)

    shares = [cell(f"{name}_over_all_years", 0, 100.0) for name in ("gaining", "losing")]
    lines = [
        f"Who gains over all years: {shares[0]}% of clinicians gain and {shares[1]}% lose, by over "
        f"{100 * changes.attrs['least_change']:g}% of their payments."
    ]
    sizes = [place for place, (kind, _) in enumerate(groups) if kind == "practice_size"]
    said = ", ".join(f"{groups[place][1]} {cell('usd_change_over_all_years', place)}" for place in sizes)
    lines.append(f"By practice size, $ a clinician over all years: {said}.")
    tenths = [place for place, (kind, _) in enumerate(groups) if kind == "score_decile"]
    said = ", ".join(
        f"{word} tenth {cell('usd_change', tenths[place])}"
        for word, place in (("lowest", 0), ("highest", -1))
    )
    lines.append(f"By baseline score, $ a clinician and year: {said}.")
    draws, sets = changes.attrs["draws"], int(changes["parameter_sets"])
    what = "draw" if sets == draws else "parameter set"
    few = f"; errors are from {sets} {what}{'s' if sets > 1 else ''}"
    return [*lines, f"{draws:,} {'draw' if draws == 1 else 'draws'} simulated again{few}."]


# --- Several reforms ----------------------------------------------------------------------------------------


def _of_several(compared: Compared, *, full: bool) -> list[Section]:
    baseline, *reforms = compared.labels
    if compared.standard:
        told = shown_metrics(compared, (), full=full)
        rows = [_whole(some, told) for some in compared.rows]
    else:
        told, rows = [], list(compared.rows)
    by_label = list(zip(*rows, strict=True))
    found: list[Section] = []
    if compared.standard:
        roster = by_label[: len(by_label) - len(HEADLINE)]
        ranked = [(some, ()) for some in roster] + [(by_label[len(roster)], by_label[len(roster) + 1 :])]
    else:
        ranked = [(some, ()) for some in by_label]
    for some, further in ranked:
        found.append(_ranking(baseline, reforms, some, further, first=not found))
    if full and compared.standard:
        found.append(_side_by_side(compared.labels, rows))
    if any(row["specialty"] != ALL for row in rows[0]):
        found[-1] = found[-1]._replace(notes=(SPECIALTY_NOTE,))
    if compared.changes is not None:
        for index, label in enumerate(reforms):
            changes = compared.changes.isel(reform=index)
            long = full or not compared.standard
            told_of = change_sections(changes) if long else [Section(wrapped(gain_words(changes)))]
            found += [Section((label,)), *told_of]
    return found


def _ranking(
    baseline: str,
    reforms: Sequence[str],
    rows: Sequence[Row],
    further: Sequence[Sequence[Row]],
    *,
    first: bool,
) -> Section:
    """Rank reforms by one outcome, the baseline among them; further outcomes stand beside it."""
    metric = METRICS[rows[0]["metric"]]
    sign = 1.0 if metric.high_is_worse else -1.0
    scale, unit = scale_for(rows, "baseline", "reform")
    columns = [[_rank(row) for row in rows] + [""]]
    heads = ["rank"]
    if not further:
        heads.append("value")
        columns.append(shown((_REFORM,), rows, scale)[1][0] + shown((_MEAN,), rows[:1], scale)[1][0])
    for some in (rows, *further):
        scale, unit_here = scale_for(some, "baseline", "reform")
        name = METRICS[some[0]["metric"]].title
        heads.append(f"{name}{unit_here}".replace(", ", ",\n") if further else "difference")
        columns.append([*shown((_DIFFERENCE,), some, scale)[1][0], "0"])
    if metric.of:
        (head,), (cells,) = shown((WITHOUT_GAIN,), rows, scale)
        heads, columns = [*heads, head], [*columns, [*cells, ""]]
    differences = [sign * row["difference"] for row in rows] + [0.0]
    order = np.argsort(np.nan_to_num(differences, nan=np.inf), kind="stable").tolist()
    labels = [*reforms, baseline]
    label = row_label(rows[0])
    title = f"{metric.title}{unit}" + ("" if label == ALL else f": {label}")
    if further:
        title = f"Difference to {baseline}, ranked by {metric.title}"
    table = with_short_labels(
        [labels[place] for place in order],
        Group(title, heads, [[column[place] for place in order] for column in columns]),
    )
    words = (
        "Rank 1 is the most (of what is worse, the least); ranks that paired differences do not tell apart "
        "are shared, with 95% confidence for all of them at once."
    )
    return Section(wrapped([words]) if first else (), (table,))


def _rank(row: Row) -> str:
    first, last = row["rank_first"], row["rank_last"]
    return f"{first}" if first == last else f"{first}-{last}"


def with_short_labels(labels: Sequence[str], group: Group) -> Table:
    """Break labels of rows into as many lines as leave room for the columns."""
    widths = [
        2 + max(map(len, [*head.split("\n"), *cells]))
        for head, cells in zip(group.heads, group.columns, strict=True)
    ]
    room = WIDTH - sum(widths)
    # Where there is little, cells are folded.
    room = room if room >= _NARROWEST_LABEL else 2 * _NARROWEST_LABEL
    parts = [_lines(label, room) for label in labels]
    cells = [
        [text for some, cell in zip(parts, column, strict=True) for text in [cell, *[""] * (len(some) - 1)]]
        for column in group.columns
    ]
    return Table([part for some in parts for part in some], [Group(group.title, group.heads, cells)])


def _lines(label: str, room: int) -> list[str]:
    """Break a label into lines, at spaces and inside names that are longer than a line."""
    words = (each if len(each) <= room else each.replace("_", "_\0 ") for each in label.split(" "))
    lines = wrap(" ".join(words), room, break_on_hyphens=False)
    return [line.replace("\0 ", "").removesuffix("\0") for line in lines] or [""]


def _side_by_side(labels: Sequence[str], rows: Sequence[Sequence[Row]]) -> Section:
    """Show means and differences of several reforms, a row each below the baseline's."""
    groups = []
    for some in zip(*rows, strict=True):
        scale, units = scale_for(some, "baseline", "reform")
        _, ((first, *_), values, differences) = shown(MEANS, some, scale)
        heads, columns = ["value", "difference"], [[first, *values], ["", *differences]]
        groups.append(Group(METRICS[some[0]["metric"]].title + units, heads, columns))
    return Section(tables=(Table(labels, groups),))


# --- The long form ------------------------------------------------------------------------------------------


def _table_of(row: Row) -> tuple[str, ...]:
    """Where a row is shown if nothing is chosen: metrics of one unit together, but for those told apart."""
    apart = "+".join(label for label in BY if row[label] != ALL)
    return apart and apart + row["metric"], row["units"]


def _differences(rows: Sequence[Row], spread: bool) -> list[Section]:
    """Show means and their difference, and how the draws' differences are spread."""
    scale, units = scale_for(rows, "baseline", "reform")
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    if len(metrics) > 1:
        title = _UNIT_TITLES[rows[0]["units"]]
        labels = [METRICS[row["metric"]].title for row in rows]
    else:
        title = METRICS[metrics[0]].title
        labels = [row_label(row) for row in rows]
    found = [statistics_section(title + units, labels, MEANS, rows, scale)]
    if spread:
        tied = (TIED,) if any(row["tied"] > 0.0 for row in rows) else ()
        words = f"{title}{units}: differences of the draws"
        found.append(statistics_section(words, labels, (RANGE, LARGER, UNPAIRED, *tied), rows, scale))
    return found
