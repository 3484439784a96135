"""What a report says of a roster: the whole, practices, clinicians; ranked only as far as draws tell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.clinician_risk import QUANTILES
from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.metrics import LEVELS_OF_ROSTER
from asmrisk.analysis.penalties import penalty_tables
from asmrisk.analysis.ranking import RANK_RULE, Ranks
from asmrisk.analysis.report import Section, long_rows, tail_notes
from asmrisk.analysis.roster_money import MONEY, money_table, named
from asmrisk.analysis.statistics import (
    HOLDS,
    LOSS,
    MEAN,
    Row,
    Statistic,
    error_cell,
    range_cell,
    shown,
    worst,
)
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.analysis.wording import ALL, ALL_YEARS, dollar_scale, shortened, usd, year_head, year_words

__all__ = ["LISTED", "Listing", "listing", "names_of", "roster_headline", "roster_rows", "roster_sections"]

#: How many are listed at each end, at the most; so many or fewer are all listed.
LISTED = 10

Unit = tuple[float, str]


class Listing(NamedTuple):
    """Whom a report lists: titles with places, and what is to be said of the order."""

    tables: list[tuple[str, list[int]]]
    notes: tuple[str, ...]


def roster_headline(found: xr.Dataset) -> str:
    """Say in a sentence what the roster is to expect."""
    (row,) = _rows(found["roster_usd_total"])
    scale, units = _unit(found)
    years = year_words(*(int(found["performance_year"].values[place]) for place in (0, -1)))
    holds = HOLDS[found["roster_usd"].attrs["range_holds"]]
    lost = with_error(100.0 * row["probability_of_loss"], 100.0 * row["probability_of_loss_error"])
    mean, among = error_cell("mean")(row, scale), range_cell(row, scale)
    said = " ".join(reversed(units.replace("$", "dollars").split()))
    return (
        f"The roster's {found.sizes['clinician']:,} clinicians, {ALL_YEARS} ({years}): "
        f"adjustments of {mean} {said}, {among} in nine draws of ten ({holds}); a loss, which is negative, "
        f"in {lost}% of draws."
    )


def roster_rows(found: xr.Dataset) -> list[Row]:
    """Give what is told of the roster, its practices and clinicians as a long table, by year and of all."""
    arrays = []
    for level in LEVELS_OF_ROSTER:
        for name in MONEY:
            variable = name if level == "clinician" else named(level, name)
            metric = f"{level}_{'net_adjustment' if name == 'adjustment_usd' else name}"
            for each in (variable, f"{variable}_total"):
                if each in found:
                    arrays.append((metric, found[each]))
    return long_rows(arrays)


def roster_sections(found: xr.Dataset) -> list[Section]:
    """Show the roster by performance year and over all, its practices, its clinicians, and what they risk.

    Parameters
    ----------
    found : xarray.Dataset
        What `asmrisk.clinicians` gave.

    Returns
    -------
    list of Section
        The roster as a whole; practices, where there are several; who of the clinicians is told apart from
        the others; with a loss asked for, how likely more is lost; what is left after MIPS and the cost of
        taking part; and how likely the largest penalty and penalties in a row are.
    """
    unit = _unit(found)
    holds = found["roster_usd"].attrs["range_holds"]
    statistics = (MEAN, QUANTILES, LOSS, *map(_mean_of_worst, found.attrs["tail"]))
    rows = _whole(found, "roster_usd")
    title = f"The roster's {found.sizes['clinician']:,} clinicians as a whole, {unit[1]}"
    whole = Table(_years(found), [Group(title, *shown(statistics, rows, unit[0], holds))])
    notes = []
    for tail in found.attrs["tail"]:
        values = (row[f"worst_{100 * tail:g}_mean"] for row in rows)
        notes += tail_notes(tail, values, found.attrs["draws_per_parameter_set"], holds)
    sections = [Section(tables=(whole,), notes=tuple(dict.fromkeys(notes)))]

    practices = _listed(found, "practice", "practice_usd_total", "practice_rank")
    for title, places in practices.tables:
        sections.append(Section(tables=(_practice_table(found, title, places, unit, statistics),)))
    clinicians = _listed(found, "clinician", "adjustment_usd_total", "rank")
    said, totals = _ranks(found, "rank").said, _rows(found["adjustment_usd_total"])
    for title, places in clinicians.tables:
        heads, columns = shown((MEAN, *statistics[2:]), [totals[place] for place in places], unit[0], holds)
        ranked = ["rank", *heads], [[said[place] for place in places], *columns]
        group = Group(f"{title}, {ALL_YEARS}, {unit[1]}", *ranked)
        sections.append(Section(tables=(Table(names_of(found, "clinician", places), [group]),)))
    said_once = dict.fromkeys([*sections[-1].notes, *practices.notes, *clinicians.notes])
    sections[-1] = sections[-1]._replace(notes=tuple(said_once))
    if "loss" in found.attrs:
        sections.append(_losses(found))
    low = [place for _, places in clinicians.tables[:1] for place in places]
    listed = [place for _, places in practices.tables for place in places]
    if left := _left(found, listed, low, unit):
        words = "Adjustments and MIPS are dollars of the payment year, costs of the performance year."
        sections += [Section(tables=(table,)) for table in left]
        sections[-1] = sections[-1]._replace(notes=(words,))
    if "roster_three_penalties" in found:
        sections += [Section(tables=(table,)) for table in penalty_tables(found, low)]
    return sections


def _mean_of_worst(tail: float) -> Statistic:
    declared = worst(tail)
    percent = f"{100.0 * tail:g}"
    return declared._replace(cells=((f"mean of worst {percent}%", error_cell(f"worst_{percent}_mean")),))


def _unit(found: xr.Dataset) -> Unit:
    """Choose the unit by the largest amount of the roster that is shown."""
    return dollar_scale(max(abs(row[name]) for row in _whole(found, "roster_usd") for name in ("p05", "p95")))


def _whole(found: xr.Dataset, name: str) -> list[Row]:
    return [*_rows(found[name]), *_rows(found[f"{name}_total"])]


def _years(found: xr.Dataset) -> list[str]:
    return [year_words(year) for year in (*found["performance_year"].values.tolist(), ALL)]


def _rows(array: xr.DataArray) -> list[Row]:
    """Give the statistics of each label."""
    names = array.coords["statistic"].values.tolist()
    numbers = array.values.reshape(len(names), -1).T.tolist()
    return [dict(zip(names, each, strict=True)) for each in numbers]


def names_of(found: xr.Dataset | xr.DataArray, dim: str, places: Iterable[int]) -> list[str]:
    """Name practices or clinicians at places."""
    return [shortened(str(found[dim].values[place])) for place in places]


# --- Whom to list -------------------------------------------------------------------------------------------


def _ranks(found: xr.Dataset, name: str) -> Ranks:
    first, last = found[f"{name}_first"], found[f"{name}_last"]
    return Ranks(first.values, last.values, first.attrs["draws_needed"])


def listing(
    dim: str, means: NDArray[Any], ranks: Ranks, draws: int, lowest: str = "the least dollars"
) -> Listing:
    """Choose whom to list: all of a few, else who is surely in the lower half and loses, or the opposite.

    Parameters
    ----------
    dim : {"practice", "clinician"}
        Who they are.
    means : ndarray of float64, shape (who,)
        Mean dollars.
    ranks : Ranks
        Of them.
    draws : int
        How many were averaged.
    lowest : str
        What rank 1 has.
    """
    count, plural = len(means), f"{dim}s"
    order = np.argsort(means, kind="stable").tolist()
    apart = bool((ranks.last - ranks.first < count - 1).any())
    if count <= LISTED:
        tables = [(plural.capitalize(), order if apart else list(range(count)))]
    else:
        low, high = ranks.in_lower_half & (means < 0.0), ranks.in_upper_half & (means > 0.0)
        tables = [
            (
                f"{plural.capitalize()} with the largest expected {kind}",
                [each for each in along if some[each]],
            )
            for kind, some, along in (("losses", low, order), ("gains", high, order[::-1]))
        ]
        tables = [(title, places[:LISTED]) for title, places in tables if places]
    if count < 2:
        return Listing(tables, ())
    if apart and tables:
        return Listing(tables, (f"Rank 1 has {lowest}. {RANK_RULE}",))
    words = f"The {count:,} {plural} cannot be told apart at {draws:,} draws"
    if apart:
        words = (
            f"At {draws:,} draws none of the {count:,} {plural} is surely among those who lose or gain most"
        )
    if not math.isfinite(ranks.draws_needed):
        words += ", nor would they be at more, as far as these tell"
    elif ranks.draws_needed > draws:
        needed = float(f"{ranks.draws_needed:.2g}")
        words += f"; about {needed:,.0f} draws would tell the lowest from the one in the middle"
    return Listing(tables, (f"{words}.",))


def _listed(found: xr.Dataset, dim: str, total: str, ranks: str) -> Listing:
    """Choose whom of the practices or clinicians to list, by their dollars over all years; of one, nobody."""
    if found.sizes.get(dim, 0) < (2 if dim == "practice" else 1):
        return Listing([], ())
    means = found[total].sel(statistic="mean").values
    return listing(dim, means, _ranks(found, ranks), found.attrs["draws"])


def _practice_table(
    found: xr.Dataset, title: str, places: Sequence[int], unit: Unit, statistics: Sequence[Statistic]
) -> Table:
    """Show practices: who works and is billed for there, the mean factor, and dollars."""
    totals, factors = _rows(found["practice_usd_total"]), _rows(found["practice_factor_total"])
    counts = (found[f"practice_{each}"].values for each in ("clinicians", "billed_clinicians"))
    said = _ranks(found, "practice_rank").said
    columns = [[said[each] for each in places], *([f"{c[each]:,}" for each in places] for c in counts)]
    factor = shown((MEAN,), [factors[each] for each in places], 100.0)[1]
    holds = found["practice_usd_total"].attrs["range_holds"]
    dollars = Group(
        f"{title}, {ALL_YEARS}, {unit[1]}",
        *shown(statistics, [totals[each] for each in places], unit[0], holds),
    )
    who = Group("", ["rank", "work", "billed", "mean factor, %"], [*columns, *factor])
    return Table(names_of(found, "practice", places), [who, dollars])


# --- Losses -------------------------------------------------------------------------------------------------


def _losses(found: xr.Dataset) -> Section:
    """Show how likely each loses more than what is asked for, in a payment year and over all."""
    labels, rows, others = ["the roster"], [_whole(found, "roster_usd")], 0.0
    for dim, name in (("practice", "practice_usd"), ("clinician", "adjustment_usd")):
        if found.sizes.get(dim, 0) > 1:
            places, rest = _likely(found[f"{name}_total"])
            labels += names_of(found, dim, places)
            rows += [_whole(found.isel({dim: [place]}), name) for place in places]
            others = max(others, rest)
    heads = [year_head(year) for year in (*found["performance_year"].values.tolist(), ALL)]
    columns = [[_chance(mine[place]) for mine in rows] for place in range(len(heads))]
    title = f"Chance of losing more than {usd(found.attrs['loss'])}, % of draws"
    errors = [row["probability_of_loss_above_error"] for mine in rows for row in mine]
    largest = 100.0 * max((error for error in errors if not math.isnan(error)), default=math.nan)
    words = (
        f"By performance year and year of payment; standard errors are {number(largest, largest)} or less. "
        "Where no draw loses so much, the upper end of a 95% interval follows <."
    )
    if others > 0.0:
        percent = number(100.0 * others, 100.0 * others)
        words += f" Whoever is not listed has less than {percent}% (95%) over all five years."
    return Section(tables=(Table(labels, [Group(title, heads, columns)]),), notes=(words,))


def _likely(totals: xr.DataArray) -> tuple[list[int], float]:
    """Give places of those whose chance exceeds two errors, the largest first, and a bound for the others."""
    value, error, high = (
        totals.sel(statistic=f"probability_of_loss_above{part}").values for part in ("", "_error", "_high")
    )
    order = np.argsort(-value, kind="stable").tolist()
    places = [place for place in order if value[place] > 2.0 * error[place]][:LISTED]
    rest = np.delete(high, places)
    return places, float(rest.max(initial=0.0))


def _chance(row: Row) -> str:
    value, error, low, high = (
        100.0 * row[f"probability_of_loss_above{part}"] for part in ("", "_error", "_low", "_high")
    )
    return f"<{number(high, high)}" if value == 0.0 else number(value, error or (high - low) / 4.0)


# --- What is left -------------------------------------------------------------------------------------------


def _left(found: xr.Dataset, practices: list[int], clinicians: list[int], unit: Unit) -> list[Table]:
    """Show what is left after MIPS and the cost of taking part, of the roster and of those listed."""

    def whole(name: str) -> tuple[str, ...]:
        return named("roster", name), named("roster", f"{name}_total")

    def of_practice(name: str) -> tuple[str, ...]:
        return (named("practice", f"{name}_total"),)

    def of_clinician(name: str) -> tuple[str, ...]:
        return (f"{name}_total",)

    title = "The roster instead of MIPS, and after costs"
    tables = [money_table(found, title, whole, _years(found), _rows, unit)]
    for dim, parts, places in (
        ("practice", of_practice, practices),
        ("clinician", of_clinician, clinicians),
    ):
        if places:
            title = f"The same of these {dim}s, {ALL_YEARS}"
            tables.append(money_table(found, title, parts, names_of(found, dim, places), _rows, unit, places))
    return [table for table in tables if table is not None]
