"""Exposure as one table: what each clinician, each practice and all together win or lose, by year and case.

Plain arrays whose last axis says who: the clinicians, then the practices, then all together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.estimates import Sets, mean
from asmrisk.analysis.money_at_risk import hit_by_maximum, money_at_risk, penalized_in_a_row
from asmrisk.analysis.roster_metrics import Practices, practices_of
from asmrisk.analysis.wording import ALL
from asmrisk.population.roster import Roster
from asmrisk.rule.columns import Column
from asmrisk.rule.definitions import PAYMENT_LAG, PERFORMANCE_YEARS, YEARS
from asmrisk.simulation.own_luck import OwnOutcomes

__all__ = [
    "BASE",
    "COLUMNS",
    "Context",
    "Groups",
    "break_even",
    "estimates_of_cases",
    "groups_of",
    "long_table",
]

#: The case in which nothing is changed.
BASE = "base"

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]


def _column(name: str, kind: str, unit: str, meaning: str) -> Column:
    return Column(kind, unit, meaning, name=name)


_PAID = "in dollars of the payment year"
_SHARE = "of a practice and of all the expected share of clinicians"

#: The table's columns, each declared here and nowhere else. Dollars of a practice are those of the clinicians
#: whom it bills for; a year without measurement counts as 0; rows of all years are sums of cash.
COLUMNS = (
    _column("who", "text", "", "Clinician or practice; all for the given clinicians together"),
    Column("word", "", "Of whom the row is", words=("all", "practice", "clinician"), name="level"),
    _column("clinicians", "integer", "clinicians", "Given clinicians in the row"),
    _column("performance_year", "text", "", "Year in which performance is measured; all for the five years"),
    _column("payment_year", "text", "", "Year in which it is paid; all for the five years"),
    _column("case", "text", "", "base, or the change"),
    _column(
        *("part_b_payments", "number", "USD"),
        f"Part B payments that are adjusted, expected where a clinician is measured, {_PAID}",
    ),
    _column(
        *("largest_loss", "number", "USD"),
        f"What is lost (negative) of the expected payments if everybody gets the lowest factor, {_PAID}",
    ),
    _column("mean", "number", "USD", f"Expected adjustment (negative: a loss), {_PAID}"),
    _column("mean_error", "number", "USD", "Its standard error"),
    _column("sd", "number", "USD", "Standard deviation of the adjustment"),
    _column("p05", "number", "USD", "Adjustment that is worse in 5% of draws"),
    _column("p50", "number", "USD", "Median adjustment"),
    _column("p95", "number", "USD", "Adjustment that is better in 5% of draws"),
    _column("worst_5_percent_mean", "number", "USD", "Mean adjustment of the worst 5% of draws"),
    _column(
        *("average_practice", "number", "USD"),
        "The same Part B payments at the mean factor of the field's clinicians of the same specialty and "
        "practice size",
    ),
    _column("probability_of_loss", "number", "fraction", "Chance that the adjustment is negative"),
    _column("probability_of_loss_above", "number", "fraction", "Chance of losing more than was asked about"),
    _column(
        *("probability_of_maximum", "number", "fraction"),
        f"Chance of the lowest factor there is, minus the risk level, in the year or any year; {_SHARE}",
    ),
    _column(
        *("probability_three_in_a_row", "number", "fraction"),
        f"Chance of negative factors in three consecutive years, in rows of all years; {_SHARE}",
    ),
    _column(
        *("probability_measured", "number", "fraction"),
        f"Chance of being measured in the year or any year; {_SHARE}",
    ),
    _column("mips_forgone", "number", "USD", f"Expected adjustment that MIPS would have made, {_PAID}"),
    _column("net_of_mips", "number", "USD", f"Expected adjustment less that of MIPS, {_PAID}"),
    _column(
        *("cost_of_participation", "number", "USD"),
        "Expected cost of taking part, borne where the clinician works, in dollars of the performance year",
    ),
    _column(
        *("net_of_costs", "number", "USD"),
        "Expected adjustment less that of MIPS and the cost of taking part, in dollars of "
        "population.dollar_year",
    ),
    _column(
        *("field_reaction_error", "number", "USD"),
        "About what the mean is above (negative: below) that of a run in which these clinicians are part of "
        "the field, which they move",
    ),
    _column("difference", "number", "USD", f"Expected adjustment less that of the base case, {_PAID}"),
    _column("difference_error", "number", "USD", "Its standard error; draws are paired"),
    _column("probability_of_nothing", "number", "fraction", "Chance that the change pays nothing, or costs"),
    _column(
        *("break_even", "number", "USD"),
        "What the change may cost in the year, or in each year from its first on, before it no longer pays: "
        "the difference less what it adds to MIPS forgone and the cost of taking part, undiscounted",
    ),
)

#: What is told of a case against the base.
_COMPARED = ("difference", "difference_error", "probability_of_nothing")

#: Numbers that are summed at a time.
_TOGETHER = 100_000

#: The columns before the numbers.
_LABELS = ("who", "level", "clinicians", "performance_year", "payment_year", "case")


class Groups(NamedTuple):
    """Whose rows there are: n clinicians, P practices, and all together, in this order."""

    who: NDArray[np.object_]  #: shape (n + P + 1,)
    level: NDArray[np.object_]  #: shape (n + P + 1,)
    practices: Practices  #: of the n clinicians

    def sums(self, values: NDArray[Any], held: str = "adjustment_usd") -> _Array:
        """Append sums of clinicians by practice, as `Practices.sums` gives them, and of all.

        Parameters
        ----------
        values : ndarray, shape (..., n)
            Of clinicians.
        held : str
            Which outcome it is, that is whose.

        Returns
        -------
        ndarray of float64, shape (..., n + P + 1)
            Of everybody in `who`.
        """
        found = np.empty((*values.shape[:-1], len(self.who)))
        found[..., : self.people] = values
        found[..., self.people : -1] = self.practices.sums(values, held)
        found[..., -1] = found[..., self.people : -1].sum(axis=-1)
        return found

    @property
    def people(self) -> int:
        """Number of clinicians."""
        return len(self.practices.bills)

    @property
    def counts(self) -> _Codes:
        """Clinicians of each in `who`; of practices those whom they bill for."""
        return self.sums(np.ones(self.people)).astype(np.int64)

    @property
    def order(self) -> list[int]:
        """Places in `who` as they are told: all, practices, clinicians."""
        last = len(self.who) - 1
        return [last, *range(self.people, last), *range(self.people)]


class Context(NamedTuple):
    """What outcomes are put beside.

    Attributes
    ----------
    risk_levels : ndarray of float64, shape (1 or draws, YEARS)
        Share of Part B payments at risk.
    sets : ndarray of int64, shape (draws,), or None
        Number of each draw's parameter set; None where each draw is a set of its own.
    field_factors : ndarray of float64, shape (YEARS, n)
        Mean factor of the field's clinicians who are most like each one; NaN where the field has none.
    prices : ndarray of float64, shape (2, 1 or draws, YEARS), or None
        Of one year over those of each performance and payment year, as
        `asmrisk.analysis.run_results.RunResults.prices` gives them.
    loss : float or None
        Positive: the loss that is asked about.
    """

    risk_levels: _Array
    sets: Sets
    field_factors: _Array
    prices: _Array | None = None
    loss: float | None = None


def groups_of(roster: Roster) -> Groups:
    """Give the clinicians of a roster, the practices where they work or that bill for them, and all."""
    practices = practices_of(roster.practice_ids, roster.billing_practice_ids)
    levels = ["clinician"] * roster.count + ["practice"] * len(practices.names) + [ALL]
    return Groups(
        np.array([*roster.ids, *practices.names, ALL], dtype=object),
        np.array(levels, dtype=object),
        practices,
    )


def estimates_of_cases(
    cases: Mapping[str, OwnOutcomes],
    groups: Groups,
    context: Context,
    *,
    lasting: Sequence[int] | None = None,
    workers: int | None = None,
) -> dict[str, _Array]:
    """Estimate the table's numbers.

    Parameters
    ----------
    cases : mapping of str to OwnOutcomes
        Outcomes by case, of the same draws; the first is the base.
    groups : Groups
        Whose rows there are.
    context : Context
        What outcomes are put beside.
    lasting : sequence of int, optional
        How many years each case lasts; all if not given.
    workers : int, optional
        Threads; the usable processors if not given.

    Returns
    -------
    dict of str to ndarray of float64, shape (cases, n + P + 1, YEARS + 1)
        By column of `COLUMNS` but for ``field_reaction_error``; the last year stands for all of them. NaN
        where a number has no meaning.

    Raises
    ------
    InputError
        If the loss is not positive.
    """
    # Most of the work leaves other threads free.
    with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        by_year = pool.map(lambda year: _of_year(year, cases, groups, context), range(YEARS + 1))
        means = pool.map(lambda outcomes: _means(outcomes, groups, context), cases.values())
        years, adding = list(by_year), list(means)
    found = {name: np.stack([each[name] for each in years], axis=-1) for name in years[0]}
    found |= {name: np.stack([each[name] for each in adding]) for name in adding[0]}
    found["net_of_mips"] = found["mean"] - found["mips_forgone"]
    mips, cost = (found[name] - found[name][:1] for name in ("mips_forgone", "cost_of_participation"))
    each = np.ones((len(cases), 1, YEARS + 1))
    each[:, 0, YEARS] = YEARS if lasting is None else lasting
    found["break_even"] = break_even(found["difference"], mips, cost, each)
    return found


def break_even(difference: _Array, mips_forgone: _Array, cost: _Array, years: NDArray[Any]) -> _Array:
    """Give what a change may cost a performance year before it no longer pays, USD.

    Parameters
    ----------
    difference, mips_forgone, cost : ndarray of float64
        What it adds to adjustments, MIPS forgone and the cost of taking part, USD of all years together.
    years : ndarray
        How many years it lasts. Nothing is discounted.
    """
    worth: _Array = (difference - mips_forgone - cost) / years
    return worth


def _of_year(
    year: int, cases: Mapping[str, OwnOutcomes], groups: Groups, context: Context
) -> dict[str, _Array]:
    """Estimate dollars by draw of a year, or of all: (cases, n + P + 1) each."""
    years = range(YEARS) if year == YEARS else [year]
    base: _Array | None = None
    told = []
    for outcomes in cases.values():
        paid = _filled(outcomes.adjustment_usd[:, years[0]])
        for each in years[1:]:
            paid += _filled(outcomes.adjustment_usd[:, each])
        dollars = groups.sums(paid)
        compared: tuple[_Array, ...] = (np.full(len(groups.who), np.nan),) * len(_COMPARED)
        if base is None:
            base = dollars
        else:
            gain = dollars - base
            compared = (*mean(gain, context.sets)[:2], (gain <= 0.0).mean(axis=0))
        numbers = money_at_risk(dollars, context.sets, loss=context.loss)
        told.append(numbers | dict(zip(_COMPARED, compared, strict=True)))
    return {name: np.stack([each[name] for each in told]) for name in told[0]}


def _means(outcomes: OwnOutcomes, groups: Groups, context: Context) -> dict[str, _Array]:
    """Give what adds up over clinicians: (n + P + 1, YEARS + 1) each."""
    factor, paid = outcomes.adjustment_factor, outcomes.part_b_payments
    there = ~np.isnan(factor)
    measured = there.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        risk = context.risk_levels[:, :, None]
        at_stake = _summed(paid) / there.sum(axis=0)
        lost = -risk[0] * at_stake if len(risk) == 1 else -_summed(paid, risk) / there.sum(axis=0)
    usd, mips, costs = (
        _summed(each) / len(factor)
        for each in (outcomes.adjustment_usd, outcomes.mips_forgone, outcomes.cost_of_participation)
    )
    maximum = hit_by_maximum(factor, context.risk_levels)
    like_others = np.nan_to_num(at_stake) * measured * context.field_factors
    like_others = np.where(measured > 0.0, like_others, 0.0)

    def added(values: _Array, held: str = "adjustment_usd") -> _Array:
        sums = groups.sums(values, held)
        return np.concatenate([sums, sums.sum(axis=0, keepdims=True)]).T

    def shared(values: _Array) -> _Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            shares: _Array = groups.sums(values).T / groups.counts[:, None]
        return shares

    never = np.full((YEARS, factor.shape[-1]), np.nan)
    in_a_row = penalized_in_a_row(factor).mean(axis=0)
    found = {
        "part_b_payments": added(np.nan_to_num(at_stake)),
        "largest_loss": added(np.nan_to_num(lost)),
        "average_practice": added(like_others),
        "probability_of_maximum": shared(_with_any(maximum)),
        "probability_three_in_a_row": shared(np.concatenate([never, in_a_row[None]])),
        "probability_measured": shared(_with_any(there)),
        "mips_forgone": added(mips),
        "cost_of_participation": added(costs, "cost_of_participation"),
        "net_of_costs": np.full((len(groups.who), YEARS + 1), np.nan),
    }
    if context.prices is not None:
        now, later = context.prices
        if len(later) > 1:
            now, later = now[:, :, None], later[:, :, None]
            usd = _summed(outcomes.adjustment_usd, later) - _summed(outcomes.mips_forgone, later)
            costs = _summed(outcomes.cost_of_participation, now)
            usd, costs = usd / len(factor), costs / len(factor)
        else:
            usd, costs = (usd - mips) * later[0][:, None], costs * now[0][:, None]
        found["net_of_costs"] = added(usd) - added(costs, "cost_of_participation")
    return found


def _filled(values: _Array) -> _Array:
    """Give 0 where there is none; much faster than `numpy.nan_to_num`."""
    return np.where(np.isnan(values), 0.0, values)


def _summed(values: _Array, weights: _Array | None = None) -> _Array:
    """Sum over draws, what is not there as 0; some draws at a time, which stay in a processor's cache."""
    total = np.zeros(values.shape[1:])
    together = max(1, _TOGETHER // max(total.size, 1))
    for first in range(0, len(values), together):
        some = slice(first, first + together)
        total += _filled(values[some] if weights is None else values[some] * weights[some]).sum(axis=0)
    return total


def _with_any(events: NDArray[np.bool_]) -> _Array:
    """Give the share of draws with an event by year, and that of those with it in any year."""
    return np.concatenate([events.mean(axis=0), events.any(axis=1).mean(axis=0)[None]])


def long_table(found: Mapping[str, _Array], cases: list[str], groups: Groups) -> list[dict[str, Any]]:
    """Give estimates as rows with the columns of `COLUMNS`: case by case, all, practices, clinicians."""
    names = [column.name for column in COLUMNS if column.name not in _LABELS]
    numbers = np.stack([found[name] for name in names], axis=-1)
    counts = groups.counts
    years = [*((year, year + PAYMENT_LAG) for year in PERFORMANCE_YEARS), (ALL, ALL)]
    rows = []
    for number, case in enumerate(cases):
        for place in groups.order:
            who = (str(groups.who[place]), str(groups.level[place]), int(counts[place]))
            for year, values in zip(years, numbers[number, place].tolist(), strict=True):
                labels = dict(zip(_LABELS, (*who, *year, case), strict=True))
                rows.append(labels | dict(zip(names, values, strict=True)))
    return rows
