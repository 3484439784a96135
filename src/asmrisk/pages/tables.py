"""Tables of a report, each number to the digits that its error supports."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from asmrisk.analysis.digits import with_error
from asmrisk.analysis.metrics import METRICS
from asmrisk.analysis.report import scale_for
from asmrisk.analysis.run_results import dollars_of
from asmrisk.analysis.statistics import HOLDS, MEAN, RANGE, Row, error_cell, scale_of, shown
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.analysis.wording import ALL, ALL_YEARS
from asmrisk.pages.answers import meaning
from asmrisk.pages.facts import row_of
from asmrisk.pages.findings import Findings
from asmrisk.rule.definitions import PRACTICE_SIZES
from asmrisk.scenario.differences import changes_between
from asmrisk.scenario.layering import years_of
from asmrisk.scenario.library import library
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.scenario.toml_source import show

__all__ = [
    *("Listing", "assumptions", "by_year", "changed_values", "key_figures", "parameters", "readings"),
    *("reform_ranks", "sources_of_variance"),
]

#: So many reforms have columns of their own beside the run.
_MOST_COLUMNS = 3
_DOLLARS = (
    *("medicare_savings", "retained_savings", "volume_offset", "episode_savings", "net_adjustment"),
    *("net_of_mips", "net_of_costs"),
)
_LABELS = {
    "medicare_savings": "Medicare saves",
    "retained_savings": "· kept: cuts less raises",
    "volume_offset": "· less: cuts won back by more services",
    "episode_savings": "· more: care costs less",
    "net_adjustment": "Clinicians are paid (minus: they pay)",
    "net_of_mips": "· set against MIPS",
    "net_of_costs": "· set against MIPS and the cost of taking part",
}
_PER_CLINICIAN = "net_adjustment_per_clinician_year"
_SHARES = {"penalized_share": "Penalized in a year", "panel_net_loser_share": "Lose over all years"}
_BY_YEAR = ("medicare_savings", "net_adjustment")


class Listing(NamedTuple):
    """Words in columns."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[str] = ()  #: heads of columns of numbers


def _without_missing(cells: Iterable[str]) -> list[str]:
    """Leave out what was not computed: the error of a single draw, a figure that nobody has."""
    return [cell.removesuffix(" ± n/a").replace("n/a", "–") for cell in cells]


def key_figures(found: Findings) -> Table:
    """Show the main figures, their range, and what reforms change in them."""
    rows = found.summary.tables["estimates"]
    chosen: list[tuple[str, Row, float]] = []
    for metric in _DOLLARS:
        if (row := row_of(rows, metric)) is not None:
            chosen.append((f"{_LABELS[metric]}, $ million{_kind(found, metric)}", row, 1e-6))
    for size in PRACTICE_SIZES:
        if (row := row_of(rows, _PER_CLINICIAN, practice_size=size)) is not None:
            kind = _kind(found, _PER_CLINICIAN)
            chosen.append((f"A clinician in a {size} practice is paid, ${kind} a year", row, 1.0))
    for metric, words in _SHARES.items():
        for size in PRACTICE_SIZES:
            if (row := row_of(rows, metric, practice_size=size)) is not None:
                chosen.append((f"{words} in {size} practices, %", row, 100.0))
    holds = found.summary.facts["range_holds"]
    statistics = (MEAN, RANGE) if found.run.set_count > 1 else (MEAN,)
    cells = [shown(statistics, [row], scale, holds)[1] for _, row, scale in chosen]
    heads = ["mean ± error", f"nine in ten: {HOLDS[holds]}"][: len(statistics)]
    columns = [_without_missing(column[0] for column in each) for each in zip(*cells, strict=True)]
    groups = [Group(found.run.title, heads, columns)]
    for label in found.labels[:_MOST_COLUMNS]:
        changes = [_difference(found, label, row, scale) for _, row, scale in chosen]
        groups.append(Group(label, ["difference ± error"], [changes]))
    return Table([label for label, *_ in chosen], groups)


def _kind(found: Findings, metric: str) -> str:
    """Say in which dollars a metric is, behind the unit: `` of 2027``, `` in cash``."""
    (dollars,) = dollars_of([metric], found.run.dollar_year)
    return " in cash" if dollars.startswith("Cash") else f" of {dollars.removeprefix('Dollars of ')}"


def _difference(found: Findings, label: str, row: Row, scale: float) -> str:
    """Write what a reform changes in a figure."""
    apart = {"practice_size": row["practice_size"]} if row["practice_size"] != ALL else {}
    tables = [found.differences(label)]
    if found.per_clinician is not None:
        own = found.per_clinician.tables["differences"]
        tables.append([each for each in own if each["scenario"] == label])
    there = (row_of(rows, row["metric"], **apart) for rows in tables)
    if (change := next(filter(None, there), None)) is None:
        return "–"
    if change["tied"] == 1.0:
        return "none"
    (cell,) = _without_missing([error_cell("difference")(change, scale)])
    return cell


def by_year(found: Findings) -> Table:
    """Show what Medicare saves and what clinicians are paid by performance year."""
    rows = found.summary.tables["estimates"]
    years = found.run.dataset["performance_year"].values.tolist()
    holds = found.summary.facts["range_holds"]
    groups = []
    statistics = (MEAN, RANGE) if found.run.set_count > 1 else (MEAN,)
    for metric in _BY_YEAR:
        each_year = (row_of(rows, metric, performance_year=year) for year in (*years, ALL))
        heads, columns = shown(statistics, [row for row in each_year if row is not None], 1e-6, holds)
        groups.append(
            Group(
                f"{METRICS[metric].title}, $ million{_kind(found, metric)}",
                heads,
                list(map(_without_missing, columns)),
            )
        )
    return Table([*map(str, years), ALL_YEARS], groups)


def reform_ranks(found: Findings) -> Table | None:
    """Rank several reforms by what Medicare saves, as far as paired differences tell."""
    labels = found.labels
    if found.comparison is None or len(labels) < 2:
        return None
    known = []
    for label in labels:
        rows = found.differences(label)
        savings, paid = row_of(rows, "medicare_savings"), row_of(rows, "net_adjustment")
        if savings and paid:
            known.append((label, savings, paid))
    known.sort(key=lambda each: -each[1]["difference"])
    heads, columns = ["rank"], [[_ranks(savings) for _, savings, _ in known]]
    for some in ([savings for _, savings, _ in known], [paid for *_, paid in known]):
        scale, units = scale_for(some, "difference")
        heads.append(f"{METRICS[some[0]['metric']].title}{units}")
        columns.append(_without_missing(error_cell("difference")(row, scale) for row in some))
    return Table([label for label, *_ in known], [Group(f"Difference to {found.run.title}", heads, columns)])


def _ranks(row: Row) -> str:
    first, last = row["rank_first"], row["rank_last"]
    return f"{first}" if first == last else f"{first}-{last}"


def sources_of_variance(found: Findings) -> Iterator[Table]:
    """Show what the variance of Medicare savings comes from."""
    sections = [] if found.doubt is None else found.doubt.sections
    for section in sections[:1]:
        yield from section.tables


def assumptions(found: Findings) -> Listing | None:
    """Rank what is unknown by how much less savings would vary if it were known."""
    rows = [] if found.doubt is None else found.doubt.tables.get("fall", [])
    told = sorted((row for row in rows if row["low"] > 0.0), key=lambda row: -row["fall"])
    if not told:
        return None
    scale, units = scale_of(told[0]["units"], told[0]["fall"])
    head = f"SD of savings falls by{units}"
    stated = found.run.provenance.get("uncertainty", {})
    return Listing(
        ("assumption", "what it is", "how it is doubted", "on what it rests", head),
        [
            (
                row["unknown"],
                meaning(row["unknown"]),
                doubted(stated.get(row["unknown"], {})),
                str(stated.get(row["unknown"], {}).get("source", "")),
                with_error(row["fall"] * scale, row["error"] * scale),
            )
            for row in told
        ],
        (head,),
    )


def doubted(stated: Row) -> str:
    """Say what distribution is stated."""
    told = {name: each for name, each in stated.items() if name not in ("basis", "source", "with")}
    words = str(told.pop("distribution", "")).replace("central_90", "90%").replace("_", " ")
    if {"low", "high"} <= told.keys():
        words += f" between {show(told.pop('low'))} and {show(told.pop('high'))}"
    masses = [f"{100 * each['probability']:g}% at {show(each['value'])}" for each in told.pop("masses", ())]
    others = [f"{name.replace('_', ' ')} {show(each, 60)}" for name, each in told.items()]
    return ", ".join([words, *others, *masses])


def changed_values(found: Findings) -> Listing | None:
    """Show where the run differs from the final rule with every parameter at its default."""
    definition = found.run.provenance.get("scenario", {}).get("definition", {})
    default = scenario_from_dict({"title": "Final rule"}).definition()
    sections = (
        {name: each for name, each in some.items() if isinstance(each, Mapping) and name != "run"}
        for some in (default, definition)
    )
    rows = [tuple(change) for change in changes_between(*sections)] if definition else []
    return Listing(("parameter", "final rule, default", "here"), rows) if rows else None


def parameters(found: Findings) -> Listing | None:
    """List every parameter of the run, resolved."""
    stated = found.run.provenance.get("parameters", {})
    rows = [
        (
            name,
            show(_all_years(each["value"]), 200),
            str(each.get("unit", "")),
            str(each.get("basis", "")),
            str(each.get("citation", "")),
        )
        for name, each in stated.items()
    ]
    return Listing(("parameter", "value", "unit", "basis", "source"), rows) if rows else None


def readings(found: Findings) -> Listing | None:
    """Say how contested passages of the rule are read here, and how else they are."""
    stated = found.run.provenance.get("parameters", {})
    here = {name: _all_years(each["value"]) for name, each in stated.items()}
    others: dict[str, list[tuple[str, dict[str, object]]]] = {}
    for file in sorted((library() / "readings").glob("*.toml")):
        known = tomllib.loads(file.read_text(encoding="utf-8"))
        set_here = {f"policy.{name}": value for name, value in known["policy"].items()}
        if set_here.keys() <= here.keys():
            others.setdefault(min(set_here), []).append((known["title"], set_here))
    rows = []
    for some in others.values():
        names = list(dict.fromkeys(name for _, each in some for name in each))
        taken = [title for title, each in some if all(here[name] == value for name, value in each.items())]
        rows.append(
            (
                ", ".join(name.partition(".")[2] for name in names),
                ", ".join(dict.fromkeys(_said(here[name]) for name in names)),
                taken[0] if taken else "by default",
                "; ".join(title for title, _ in some if title not in taken),
            )
        )
    return Listing(("contested", "value here", "reading", "other readings"), rows) if rows else None


def _said(value: object) -> str:
    return value.replace("_", " ") if isinstance(value, str) else show(value, 60)


def _all_years(value: Any) -> Any:
    """Give a value that is the same in all years once."""
    years = years_of(value)
    same = bool(years) and all(value[str(year)] == value[str(years[0])] for year in years)
    return value[str(years[0])] if same else value
