"""Reports: labeled estimates, and their tables for a terminal, a page, JSON and CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import product
from textwrap import wrap
from typing import Any, NamedTuple

import pandas as pd
import xarray as xr

from asmrisk.analysis.metrics import BY, METRICS, SPECIALTY_NOTE
from asmrisk.analysis.statistics import HOLDS, Row, Statistic, scale_of, shown
from asmrisk.analysis.tail import LEAST_SETS_IN_TAIL, sets_needed
from asmrisk.analysis.text_tables import WIDTH, Group, Table, table_lines
from asmrisk.analysis.wording import ALL, dollar_scale, year_words
from asmrisk.clinician_tables.formulas import csv_of
from asmrisk.errors import Call, printable
from asmrisk.rule.definitions import PAYMENT_LAG

__all__ = [
    "WHO",
    "Line",
    "Report",
    "Section",
    "by_metric_and_label",
    "filled",
    "grouped",
    "label_words",
    "long_rows",
    "note_facts",
    "ordinal",
    "row_label",
    "scale_for",
    "statistics_section",
    "tail_notes",
    "wrapped",
]

#: Labels of a roster's metrics, beside years.
WHO = ("practice", "clinician")
#: Labels that another one implies: label, the coordinate that has it, and by which.
_HOMES = (("cohort", "cohort", "specialty"), ("practice", "practice_id", "clinician"))


#: A line, or its parts: text and then calls of public functions, which stand below it.
Line = str | tuple[str | Call, ...]


class Section(NamedTuple):
    """Words and tables that stand together."""

    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[Line, ...] = ()  #: words below the tables


@dataclass(frozen=True, repr=False)
class Report:
    """What results say; printed, it is text.

    Attributes
    ----------
    dataset : xarray.Dataset
        Labeled estimates, with all digits.
    facts : dict
        Where they come from, for JSON: title, draws, seed and so on.
    head : tuple of Line
        The same for a reader, and what the numbers mean.
    sections : tuple of Section
        What is shown, each number to the digits that its error supports.
    tables : dict of str to list of dict
        The estimates as long tables by their names in JSON: a row for each label. The first is that of
        `to_dataframe`.
    partial : bool or None
        The run is not finished, told in each row; None if there is no column for it.
    details : dict of str to xarray.Dataset
        Further labeled data.
    """

    dataset: xr.Dataset
    facts: Mapping[str, Any]
    head: tuple[Line, ...]
    sections: tuple[Section, ...]
    tables: Mapping[str, Sequence[Row]]
    partial: bool | None = None
    details: Mapping[str, xr.Dataset] = field(default_factory=dict)

    def to_dataframe(self) -> pd.DataFrame:
        """Give the estimates as one long table with all digits."""
        table = pd.DataFrame(next(iter(self.tables.values())))
        return table if self.partial is None else table.assign(partial=self.partial)

    def to_csv(self) -> str:
        """Give `to_dataframe` as CSV text, an apostrophe before texts that spreadsheets would calculate."""
        return csv_of(self.to_dataframe())

    def to_json(self) -> str:
        """Give facts and tables as JSON text with all digits; what is not defined or infinite is null."""
        tables = {
            name: [{key: _finite(value) for key, value in row.items()} for row in rows]
            for name, rows in self.tables.items()
        }
        return json.dumps(dict(self.facts) | tables, indent=1, allow_nan=False)

    def to_text(self, write: Callable[[Call], str] = str) -> str:
        """Give what is shown, for a terminal of 80 columns; `write` writes calls of public functions."""
        lines = _lines(self.head, write)
        for section in self.sections:
            tables = (line for table in section.tables for line in table_lines(table))
            lines += ["", *section.words, *tables, *_lines(section.notes, write)]
        # Titles and names are from files and stores, which may come from anybody.
        return "\n".join(map(printable, lines))

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        parts = [_paragraph(_lines(self.head, str))]
        for section in self.sections:
            tables = map(_html_table, section.tables)
            notes = ["".join(map(str, (each,) if isinstance(each, str) else each)) for each in section.notes]
            parts += [_paragraph(section.words), *tables, _paragraph(notes)]
        return "\n".join(filter(None, parts))


def _lines(given: Iterable[Line], write: Callable[[Call], str]) -> list[str]:
    """Break lines that are too wide, but for the calls at their ends, which can be copied."""
    lines: list[str] = []
    for each in given:
        parts = (each,) if isinstance(each, str) else each
        lines += wrapped(["".join(part for part in parts if isinstance(part, str))])
        lines += [f"  {write(part).strip('`')}" for part in parts if isinstance(part, Call)]
    return lines


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _paragraph(words: Sequence[str]) -> str:
    return f"<p>{'<br>'.join(map(escape, words))}</p>" if words else ""


def _html_table(table: Table) -> str:
    """Write a table, the titles of its groups above their columns."""
    noted = bool(table.notes)
    columns = [column for group in table.groups for column in group.columns]
    titles = [_cell("th", group.title, f' colspan="{len(group.heads)}"') for group in table.groups]
    heads = [_cell("th", head) for group in table.groups for head in group.heads]
    rows = [["<th></th>", *each, *["<th></th>"] * noted] for each in (titles, heads)]
    for label, note, *cells in zip(table.labels, table.notes or table.labels, *columns, strict=True):
        numbers = [_cell("td", cell, ' style="text-align: right"') for cell in cells]
        rows.append([_cell("th", label), *numbers, *[_cell("td", note)] * noted])
    head, body = ("".join(f"<tr>{''.join(row)}</tr>" for row in part) for part in (rows[:2], rows[2:]))
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _cell(tag: str, text: str, attributes: str = "") -> str:
    return f"<{tag}{attributes}>{escape(text)}</{tag}>"


def wrapped(lines: Iterable[str]) -> tuple[str, ...]:
    """Break lines that are too wide for a terminal."""
    return tuple(part for line in lines for part in wrap(line, WIDTH, break_on_hyphens=False))


def note_facts(*datasets: xr.Dataset) -> dict[str, str]:
    """Give the note of those variables that have one, for a report's JSON."""
    arrays = (array for dataset in datasets for array in dataset.data_vars.values())
    note = next((array.attrs["note"] for array in arrays if "note" in array.attrs), None)
    return {} if note is None else {"note": note}


def long_rows(estimates: Iterable[tuple[str, xr.DataArray]], extra: Sequence[str] = ()) -> list[Row]:
    """Give labeled estimates of metrics as one long table.

    Arrays have the dimension ``statistic``, any labels of metrics, and the dimensions `extra`; rows have
    ``metric``, ``units``, the labels (`ALL` where not told apart), ``quantile`` (of quantile metrics, NaN of
    others), `extra`, the statistics, and ``range_holds``, an attribute of the arrays. If any metric is of a
    roster, all rows have ``payment_year``, ``practice`` and ``clinician`` too; a clinician's practice is
    where the clinician works.
    """
    estimates, rows = list(estimates), []
    own = any(METRICS[name].of for name, _ in estimates)
    for name, array in estimates:
        array = array.transpose(..., *extra, "statistic")
        statistics = [str(each) for each in array.coords["statistic"].values]
        dims = array.dims[:-1]
        labels = [
            array.coords[dim].values.tolist() if dim in array.coords else range(array.sizes[dim])
            for dim in dims
        ]
        homes = {
            label: (inner, dict(zip(array.coords[inner].values, array.coords[further].values, strict=True)))
            for label, further, inner in _HOMES
            if further in array.coords and inner in dims and label not in dims
        }
        numbers = array.values.reshape(-1, len(statistics)).tolist()
        for values, found in zip(product(*labels), numbers, strict=True):
            at = dict(zip(dims, values, strict=True))
            at |= {label: home[at[inner]] for label, (inner, home) in homes.items()}
            row: Row = {"metric": name, "units": array.attrs["units"]}
            row |= {label: at.get(label, ALL) for label in BY}
            if own:
                row |= _paid(row)
                row |= {label: at.get(label, ALL) for label in WHO}
            row |= {"quantile": at.get("quantile", math.nan)} | {dim: at[dim] for dim in extra}
            row |= dict(zip(statistics, found, strict=True))
            row |= {name: int(row[name]) for name in ("draws", "parameter_sets") if name in row}
            rows.append(row | {"range_holds": array.attrs["range_holds"]})
    return rows


def filled(rows: Sequence[Row], labels: Iterable[str] = ()) -> list[Row]:
    """Give every row every column, in the order of their first: `ALL` of labels that it lacks, else NaN.

    Labels are `BY`, those given and, where a row has them, `WHO` and the payment year.
    """
    blank: Row = {name: math.nan for row in rows for name in row}
    own = "payment_year" in blank
    blank |= dict.fromkeys([*BY, *labels, *(WHO if own else ())], ALL)
    return [blank | (_paid(row) if own else {}) | row for row in rows]


def _paid(row: Row) -> Row:
    year = row.get("performance_year", ALL)
    return {"payment_year": year if year == ALL else year + PAYMENT_LAG}


def grouped(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> list[list[Row]]:
    """Put rows of one key together, in the order of their first."""
    groups: dict[Hashable, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.values())


def by_metric_and_label(rows: Iterable[Row], name: str) -> Iterator[tuple[str, float, list[Row]]]:
    """Part a long table by metric and labels: title with the unit, scale (by the column named), rows."""
    keys = ("metric", *BY, "quantile", *WHO)
    for some in grouped(rows, lambda row: tuple(row.get(key) for key in keys)):
        scale, units = scale_for(some, name)
        label = row_label(some[0])
        yield METRICS[some[0]["metric"]].title + units + ("" if label == ALL else f": {label}"), scale, some


def scale_for(rows: Iterable[Row], *names: str) -> tuple[float, str]:
    """Choose the unit in which rows of one unit are shown, by the largest of the named columns."""
    rows = list(rows)
    sizes = (abs(row[name]) for row in rows for name in names)
    largest = max((size for size in sizes if not math.isnan(size)), default=0.0)
    if rows[0]["units"] == "USD" and METRICS[rows[0]["metric"]].of:
        scale, units = dollar_scale(largest)
        return scale, f", {units}"
    return scale_of(rows[0]["units"], largest)


def statistics_section(
    title: str,
    labels: Iterable[str],
    statistics: Iterable[Statistic],
    rows: Sequence[Row],
    scale: float,
    notes: Sequence[str] = (),
) -> Section:
    """Show statistics of rows as a table, with notes and, of specialties, `SPECIALTY_NOTE` below it."""
    table = Table(list(labels), [Group(title, *shown(statistics, rows, scale, rows[0]["range_holds"]))])
    apart = (SPECIALTY_NOTE,) if any(row["specialty"] != ALL for row in rows) else ()
    return Section(tables=(table,), notes=(*notes, *apart))


def tail_notes(level: float, values: Iterable[float], per_set: int, holds: str) -> list[str]:
    """Say what a tail holds, and how many draws, `per_set` a set, it needs if a value is not estimated."""
    said = f"The worst draws are those of {HOLDS[holds]}."
    if not any(map(math.isnan, values)):
        return [said]
    what = "draws" if per_set == 1 else "parameter sets"
    return [
        f"{said} n/a: fewer than {LEAST_SETS_IN_TAIL} {what} are in the tail; one of {100 * level:g}% needs "
        f"{sets_needed(level) * per_set:,} draws."
    ]


def row_label(row: Row) -> str:
    """Name a row by its labels, ``2027 solo``, or ``all``; a specialty belongs to one cohort alone."""
    who = [row[label] for label in WHO if row.get(label, ALL) != ALL][-1:]
    own = METRICS[row["metric"]].of
    named = [
        year_words(row[label]) if own and label == "performance_year" else str(row[label]).replace("_", " ")
        for label in BY
        if row[label] != ALL and not (label == "cohort" and row["specialty"] != ALL)
    ]
    named = [", ".join([*map(str, who), *named])] if who else named
    return " ".join(named + ([] if math.isnan(row["quantile"]) else [ordinal(row["quantile"])])) or ALL


def label_words(row: Row, names: Iterable[str] = BY) -> list[str]:
    """Give the words of the labels told apart in a row, ``all`` without any; a specialty says its cohort."""
    told = [name for name in names if row[name] != ALL]
    if "specialty" in told and "cohort" in told:
        told.remove("cohort")
    return [str(row[name]).replace("_", " ") for name in told] or [ALL]


def ordinal(level: float) -> str:
    """Name a percentile.

    >>> ordinal(0.01), ordinal(0.95)
    ('1st', '95th')
    """
    percent = round(100 * level)
    return f"{percent}{'st' if percent == 1 else 'th'}"
