"""What the rule may do to each of a roster's clinicians, and to the roster as a whole."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.digits import with_error
from asmrisk.analysis.estimates import mean
from asmrisk.analysis.penalties import ESTIMATES, Penalties, is_risk_level, penalty_tables, risk_levels
from asmrisk.analysis.practice_risk import practice_money_table, practice_subtotals, practice_table
from asmrisk.analysis.report import Section, tail_notes
from asmrisk.analysis.roster_money import (
    attributes,
    dollars_of,
    money_of,
    money_table,
    named,
    stated_prices,
)
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import (
    DRAWS,
    MEAN,
    SD,
    Draws,
    Row,
    Statistic,
    columns_of,
    error_cell,
    estimates,
    quantile_statistic,
    shown,
)
from asmrisk.analysis.tail import check_tail, tail_risk
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.errors import InputError
from asmrisk.results.reading import open_results

__all__ = ["RISK_LEVEL", "clinician_sections", "clinicians", "statistics_at"]

#: Level of value at risk and tail value at risk if no other is asked for.
RISK_LEVEL = 0.95

_LISTED = 10
#: In which dollars are shown, up to a million of each.
_UNITS = ((1.0, "$"), (1e-3, "$ thousand"), (1e-6, "$ million"), (1e-9, "$ billion"), (0.0, "$"))

_Array = NDArray[np.float64]
_FRACTION = {"units": "fraction"}

#: Share of all draws in which the clinician is measured.
_MEASURED = Statistic(
    ("measured_share", "measured_share_error"), lambda draws: mean(~np.isnan(draws.values), draws.sets)[:2]
)
_PENALTY = Statistic(
    ("penalty_probability", "penalty_probability_error"),
    lambda draws: mean(np.where(np.isnan(draws.values), np.nan, draws.values < 0.0), draws.sets)[:2],
    (("loss, % of draws", error_cell("penalty_probability")),),
    units="fraction",
)


_RANGE = quantile_statistic(0.05, 0.25, 0.5, 0.75, 0.95)


def statistics_at(tail: float) -> tuple[Statistic, ...]:
    """Declare what is told of each clinician and year.

    Of the draws in which the clinician is measured: their number, and share of all; mean, standard deviation,
    and probability of a loss; quantiles; value at risk (the loss exceeded with the tail's probability) with
    the ends of a 95% interval; tail value at risk (the mean of the losses beyond it), both NaN where too few
    parameter sets are in the tail. A negative loss is a gain.
    """
    return (DRAWS, _MEASURED, MEAN, SD, _PENALTY, _RANGE, _losses(tail))


def _losses(tail: float) -> Statistic:
    def write(row: Row, scale: float) -> str:
        # What is lost, with the sign of what is paid.
        value, error = -row["tail_value_at_risk"] * scale, row["tail_value_at_risk_error"] * scale
        return "n/a" if math.isnan(value) else with_error(value, error)

    return Statistic(
        (
            *("value_at_risk", "value_at_risk_low", "value_at_risk_high"),
            *("tail_value_at_risk", "tail_value_at_risk_error"),
        ),
        lambda draws: tail_risk(-draws.values, tail, high_is_worse=True, sets=draws.sets),
        ((f"mean of worst {100 * tail:g}%", write),),
    )


def clinicians(
    results: str | os.PathLike[str] | xr.Dataset,
    *,
    tail: float = 1.0 - RISK_LEVEL,
    provenance: Mapping[str, Any] | None = None,
    partial: bool = False,
    numbers_held: int = 20_000_000,
) -> xr.Dataset:
    """Estimate what happens to a roster's clinicians.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that ``asmrisk run`` wrote for a scenario with a roster, or its group ``clinician`` as
        `asmrisk.open_results` gives it.
    tail : float
        Probability of the tail that value at risk and tail value at risk are of.
    provenance : mapping, optional
        Of a dataset without the attribute of that name, its content; it has the risk level, which says what
        the maximum penalty is, and which draws share a parameter set.
    partial : bool
        Take the finished draws of a run that is not finished.
    numbers_held : int
        How many numbers are held in memory at a time; many clinicians are estimated in parts.

    Returns
    -------
    xarray.Dataset
        Dimension ``statistic`` (the columns of `statistics_at`), then: ``adjustment_factor`` and
        ``adjustment_usd`` by clinician and performance year, of the draws in which the clinician is measured;
        ``adjustment_usd_total`` by clinician, over all five years, where a year without measurement counts as
        0; ``roster_usd`` by year and ``roster_usd_total``, the sums over all clinicians within each draw,
        whose outcomes hang together. Likewise, for a clinician, preceded by ``roster_``, and followed by
        ``_total``: ``mips_forgone``, ``net_of_mips``, ``cost_of_participation``, and ``net_of_costs`` in
        dollars of the attribute ``dollar_year``, which `provenance` must state. Each says in whose dollars
        it is.

        Dimension ``estimate`` (`asmrisk.analysis.penalties.ESTIMATES`), then: ``maximum_penalty``, the
        probability of the largest penalty that there is, by clinician and performance year, of the draws in
        which the clinician is measured; ``maximum_penalty_ever``, in any of the years, and
        ``three_penalties``, the probability of a penalty in three consecutive years, by clinician and of all
        draws; the same preceded by ``roster_``, the probability that at least one clinician has it, and
        followed by ``_count``, the mean number of those who have. They are left out for a dataset without
        `provenance`, or with an unknown risk level, whose values a store alone has.

        By ``practice``, where results name practices, what
        `asmrisk.analysis.practice_risk.practice_subtotals` declares.

        The attribute ``range_holds`` of each variable says whether ranges hold ``chance`` or
        ``chance_and_doubt``.

    Raises
    ------
    InputError
        If there are no such results, they are not finished or empty, the scenario had no roster, or the
        probability is not between 0 and 0.5.

    Examples
    --------
    >>> factor = np.where(np.arange(20)[:, None, None] < 5, -0.02, 0.01) * np.ones((1, 5, 1))
    >>> dims = ("draw", "performance_year", "clinician")
    >>> ours = clinicians(
    ...     xr.Dataset({"adjustment_factor": (dims, factor), "adjustment_usd": (dims, 1e5 * factor)})
    ... )
    >>> ours.adjustment_usd_total.sel(statistic="penalty_probability").item()
    0.25
    """
    (tail,) = check_tail([tail])
    source = ""
    if not isinstance(results, xr.Dataset):
        source = os.fspath(results)
        # Some clinicians of all draws are read at a time, wherever the results are whole.
        results = open_results(source, partial=partial, group="clinician", chunked=partial)
    if provenance is None and "provenance" in results.attrs:
        provenance = json.loads(results.attrs["provenance"])
    if "adjustment_usd" not in results:
        raise InputError("these results are not those of a roster's clinicians; open the group 'clinician'.")
    draws, years, count = (results.sizes[dim] for dim in ("draw", "performance_year", "clinician"))
    if not draws:
        raise InputError("the results hold no draws; there is nothing to estimate.")
    run = RunResults(results, source, str(results.attrs.get("partial", "")), dict(provenance or {}))
    penalties = None
    names = list(filter(is_risk_level, run.unknowns))
    drawn = run.drawn(names) if names else np.zeros((draws, 0))
    if provenance is not None and drawn is not None:
        levels = risk_levels(provenance, dict(zip(names, drawn.T, strict=True)))
        penalties = Penalties(draws, years, levels, run.sets)
    statistics, prices = statistics_at(tail), stated_prices(run)

    def told(values: _Array) -> _Array:
        return estimates(statistics, Draws(values, sets=run.sets))

    width = max(1, int(numbers_held // (draws * years)))
    whole: dict[str, _Array] = {}
    parts: dict[str, list[_Array]] = {}
    for first in range(0, count, width):
        some = results.isel(clinician=slice(first, first + width))
        factor = np.asarray(some["adjustment_factor"].values, dtype=np.float64)
        if penalties is not None:
            penalties.add(factor)
        parts.setdefault("adjustment_factor", []).append(told(factor))
        for name, dollars in money_of(dollars_of(some), prices).items():
            paid = np.where(np.isnan(dollars), 0.0, dollars)
            parts.setdefault(name, []).append(told(dollars))
            parts.setdefault(f"{name}_total", []).append(told(paid.sum(axis=1)))
            whole[name] = whole.get(name, 0.0) + paid.sum(axis=2)
    practices, practice_names = practice_subtotals(results, told, width, prices, run.dollar_year)
    by_year = ("statistic", "performance_year", "clinician")
    variables: dict[str, Any] = {
        "adjustment_factor": (by_year, np.concatenate(parts["adjustment_factor"], axis=-1), _FRACTION)
    }
    for name, sums in whole.items():
        usd, total = attributes(name, run.dollar_year), f"{name}_total"
        variables |= {
            name: (by_year, np.concatenate(parts[name], axis=-1), usd),
            total: (("statistic", "clinician"), np.concatenate(parts[total], axis=-1), usd),
            named("roster", name): (("statistic", "performance_year"), told(sums), usd),
            named("roster", total): (("statistic",), told(sums.sum(axis=1)), usd),
        }
    found = xr.Dataset(
        variables | practices | ({} if penalties is None else penalties.variables()),
        coords={"statistic": np.array(columns_of(statistics), dtype=object)}
        | ({} if penalties is None else {"estimate": np.array(ESTIMATES, dtype=object)})
        | practice_names
        | {name: each for name, each in results.coords.items() if "draw" not in each.dims},
        attrs={"draws": draws, "draws_per_parameter_set": run.draws_per_set, "risk_level": 1.0 - tail}
        | ({"dollar_year": run.dollar_year} if "net_of_costs" in variables else {}),
    )
    for variable in found.data_vars.values():
        if "statistic" in variable.dims or "estimate" in variable.dims:
            variable.attrs["range_holds"] = run.holds
    return found


def clinician_sections(found: xr.Dataset, *, details: bool = True) -> list[Section]:
    """Show the roster as a whole by performance year and over all, who is expected to lose most, practices.

    Parameters
    ----------
    found : xarray.Dataset
        What `clinicians` gave.
    details : bool
        Show what does not depend on the tail's probability: what is left after MIPS and the cost of taking
        part, and how likely the maximum penalty and penalties in a row are.

    Returns
    -------
    list of Section
        One table each.
    """
    level = round(1.0 - found.attrs["risk_level"], 12)
    losses = _losses(level)
    holds = found["roster_usd"].attrs["range_holds"]
    years = [str(year) for year in found.performance_year.values]
    rows = [*_rows(found["roster_usd"]), *_rows(found["roster_usd_total"])]
    # Of the largest amount that is shown.
    size = max(abs(row[name]) for row in rows for name in ("p05", "p95"))
    scale, units = next(each for each in _UNITS if not size * each[0] >= 1e6)
    title = f"The roster's {found.sizes['clinician']:,} clinicians as a whole, {units}"
    columns = shown((MEAN, _RANGE, _PENALTY, losses), rows, scale, holds)
    tables = [Table([*years, "all"], [Group(title, *columns)])]
    totals = _rows(found["adjustment_usd_total"])
    order = np.argsort([row["mean"] for row in totals], kind="stable")[:_LISTED].tolist()
    worst = [place for place in order if totals[place]["mean"] < 0.0]
    if worst:
        labels = [_short(str(found.clinician.values[place])) for place in worst]
        columns = shown((MEAN, _PENALTY, losses), [totals[place] for place in worst], scale)
        tables.append(Table(labels, [Group(f"Largest expected losses over all years, {units}", *columns)]))
    if by_practice := practice_table(found, _rows, scale, units, holds):
        tables.append(by_practice)
    per_set = found.attrs["draws_per_parameter_set"]
    notes = tuple(tail_notes(level, (row["tail_value_at_risk"] for row in rows), per_set, holds))
    sections = [Section(tables=(table,), notes=notes) for table in tables]
    if details and (left := _left(found, worst, (scale, units))):
        words = "Adjustments and MIPS are dollars of the payment year, costs of the performance year."
        sections += [Section(tables=(table,)) for table in left]
        sections[-1] = sections[-1]._replace(notes=(words,))
    if details and "roster_three_penalties" in found:
        sections += [Section(tables=(table,)) for table in penalty_tables(found, worst)]
    return sections


def _left(found: xr.Dataset, worst: list[int], scale: tuple[float, str]) -> list[Table]:
    """Show what is left after MIPS and the cost of taking part: of the roster, those at places, practices."""
    years = [str(year) for year in found.performance_year.values]
    ids = [_short(str(found.clinician.values[place])) for place in worst]

    def whole(name: str) -> tuple[str, ...]:
        return named("roster", name), named("roster", f"{name}_total")

    def total(name: str) -> tuple[str, ...]:
        return (f"{name}_total",)

    tables = [
        money_table(
            found, "The roster instead of MIPS, and after costs", whole, [*years, "all"], _rows, scale
        ),
        money_table(found, "The same of these clinicians, all years", total, ids, _rows, scale, worst)
        if worst
        else None,
        practice_money_table(found, _rows, scale),
    ]
    return [table for table in tables if table is not None]


def _rows(array: xr.DataArray) -> list[Row]:
    """Give the statistics of each label."""
    names = array.coords["statistic"].values.tolist()
    numbers = array.values.reshape(len(names), -1).T.tolist()
    return [dict(zip(names, each, strict=True)) for each in numbers]


def _short(name: str) -> str:
    return name if len(name) <= 20 else name[:19] + "…"
