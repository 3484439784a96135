"""What is kept of a draw: sums, quantiles and the environment of every cohort and year.

The fields of the records here are the variables that `asmrisk.simulation.variables` declares: one more total
is declared there, and written in `write_totals`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline, inner
from asmrisk.rule.arrays import Environment, Scored, Scratch, make_environment
from asmrisk.rule.definitions import (
    CALENDAR_YEARS,
    COHORTS,
    COLLECTION_TYPES,
    EDGES,
    MOST_MEASURES,
    PAYMENT_LAG,
    PEER_GROUPS,
    PERFORMANCE_YEARS,
    PRACTICE_SIZES,
    SPECIALTIES,
    SPECIALTIES_OF,
    measures_of,
    size_class,
)
from asmrisk.rule.order import quantiles
from asmrisk.rule.payment import OUTSIDE_POOL, POOLS_BY_SPECIALTY
from asmrisk.rule.sums import LANES, add_to_lanes, sum_of_lanes
from asmrisk.simulation.participation import Field
from asmrisk.simulation.roster_prior import RosterPrior
from asmrisk.simulation.state import Observations
from asmrisk.simulation.variables import (
    BY_CLINICIAN,
    BY_COHORT,
    BY_SPECIALTY,
    QUANTILES,
    record_dtype,
    scored_measures,
    variables,
)

if TYPE_CHECKING:
    from asmrisk.scenario.scenario import Scenario

__all__ = ["CohortYear", "Record", "make_record", "record_clinicians", "record_year", "to_variables"]

_SIZES = len(PRACTICE_SIZES)
_MEDIAN = QUANTILES.index(0.5)
#: Each specialty's cohort.
_COHORT_OF = np.array(
    [code for each in SPECIALTIES for code, cohort in enumerate(COHORTS) if each in SPECIALTIES_OF[cohort]]
)
#: What `Environment.hcc` and `Environment.dual` hold, in this order.
_MOMENTS = ("median", "mean", "sd")

#: Clinicians whose terms are summed together: few enough for the processor's cache, whole lanes of a sum.
PIECE = 8 * LANES

_size_class = inline(size_class)


class CohortYear(NamedTuple):
    """One cohort in one performance year of a draw, scored; made inside the kernel."""

    policy: np.record  # POLICY_DTYPE, of the performance year
    behavior: np.record  # BEHAVIOR_DTYPE, of the performance year
    payment_behavior: np.record  # BEHAVIOR_DTYPE, of the payment year
    cohort: int
    year: int
    n: int  # measured clinicians
    observations: Observations
    scored: Scored
    environment: Environment
    response: (
        np.ndarray
    )  # float64 (at least n,): cost after the response to the incentive over cost without it


class Terms(NamedTuple):
    """What each clinician of a piece adds to the sums, or the sums over the pieces so far, in lanes.

    All are float64, of shape (PIECE,) or (LANES,). Who has no final score adds no dollars.
    """

    scored: np.ndarray  # 1 with a final score
    part_b: np.ndarray  # Part B, USD
    pooled: np.ndarray  # Part B that makes the incentive pool, USD
    payment_year_part_b: np.ndarray  # USD
    penalized: np.ndarray  # 1 with a negative factor
    weighted_factor: np.ndarray  # adjustment factor x Part B, USD
    net_adjustment: np.ndarray  # adjustment factor x payment-year Part B, USD
    spending: np.ndarray  # on episodes, USD
    saved: np.ndarray  # by the response, of all payers, USD
    weighted_scaling: np.ndarray  # scaling factor x Part B in the pool, USD; only of pools by specialty


class Record(NamedTuple):
    """What a block of draws leaves behind, by draw, performance year and most often cohort."""

    totals: np.recarray  # variables by cohort (draws, years, cohorts)
    by_specialty: np.recarray  # variables by specialty and practice size (draws, years, specialties x sizes)
    adjustment_factor_quantile: np.ndarray  # float64 (draws, years, cohorts, quantiles)
    final_score_quantile: np.ndarray  # float64 (draws, years, cohorts, quantiles)
    budget_savings: np.ndarray  # float64 (draws, calendar years): sums, in cash of the year
    environment: Environment  # each array with (draws, years, cohorts) before its own dimensions
    clinicians: np.recarray  # variables by clinician (draws, years, roster's clinicians)
    # Scratch.
    percents: np.ndarray  # int64 (quantiles,): levels
    cell: np.ndarray  # uint64 (PIECE,): index in `by_specialty`
    terms: Terms
    sums: Terms


def _undefined(shape: tuple[int, ...], dims: tuple[str, ...]) -> np.recarray:
    """Allocate the variables over some dimensions: counts 0, all else NaN."""
    array = np.zeros(shape, record_dtype(dims)).view(np.recarray)
    for name, (dtype, *_) in array.dtype.fields.items():
        if dtype.kind == "f":
            array[name] = np.nan
    return array


def make_record(draws: int, clinicians: int = 0) -> Record:
    """Allocate the record of a block.

    Parameters
    ----------
    draws : int
        Number of draws.
    clinicians : int
        A roster's clinicians, both cohorts together.

    Returns
    -------
    Record
        NaN, and 0 where there are counts.
    """
    years = (draws, len(PERFORMANCE_YEARS))
    cohorts = (*years, len(COHORTS))
    environment: Any = make_environment()
    by_specialty = np.zeros((*years, len(SPECIALTIES) * _SIZES), record_dtype(BY_SPECIALTY))
    return Record(
        totals=_undefined(cohorts, BY_COHORT),
        by_specialty=by_specialty.view(np.recarray),
        adjustment_factor_quantile=np.full((*cohorts, len(QUANTILES)), np.nan),
        final_score_quantile=np.full((*cohorts, len(QUANTILES)), np.nan),
        budget_savings=np.zeros((draws, len(CALENDAR_YEARS))),
        environment=Environment(*(np.tile(each, (*cohorts, *(1,) * each.ndim)) for each in environment)),
        clinicians=_undefined((*years, clinicians), BY_CLINICIAN),
        percents=np.array([round(100 * level) for level in QUANTILES], np.int64),
        cell=np.zeros(PIECE, np.uint64),
        terms=Terms(*(np.zeros(PIECE) for _ in Terms._fields)),
        sums=Terms(*(np.zeros(LANES) for _ in Terms._fields)),
    )


@inner
def fill_terms(scored: CohortYear, start: int, n: int, terms: Terms, cell: np.ndarray) -> None:
    """Write what n clinicians from position `start` on add, and their specialty and practice size."""
    policy, out, year = scored.policy, scored.observations, scored.year
    episodes, cost = out.episodes[year, start:], out.cost_per_episode[year, start:]
    true_cost, response = out.true_cost[year, start:], scored.response[start:]
    part_b, later = out.part_b_payments[year, start:], out.payment_year_part_b[year, start:]
    size, specialty = out.practice_size[year, start:], out.specialty[year, start:]
    score, factor = scored.scored.final_score[start:], scored.scored.adjustment_factor[start:]
    outside = policy.zero_scorers == OUTSIDE_POOL
    for i in range(n):
        count = float(episodes[i])
        terms.spending[i] = count * cost[i] if count > 0.0 else 0.0
        terms.saved[i] = count * (true_cost[i] * (1.0 - response[i]))
    for i in range(n):
        with_score = score[i] == score[i]
        paid = part_b[i] if with_score else 0.0
        terms.scored[i] = 1.0 if with_score else 0.0
        terms.part_b[i] = paid
        terms.pooled[i] = 0.0 if score[i] == 0.0 and outside else paid
        terms.payment_year_part_b[i] = later[i] if with_score else 0.0
        # Without a final score the factor is 0.
        terms.penalized[i] = 1.0 if factor[i] < 0.0 else 0.0
    for i in range(n):
        terms.weighted_factor[i] = terms.part_b[i] * factor[i]
        terms.net_adjustment[i] = terms.payment_year_part_b[i] * factor[i]
    for i in range(n):
        cell[i] = specialty[i] * _SIZES + _size_class(size[i])
    if policy.payment_peer_group == POOLS_BY_SPECIALTY:
        for i in range(n):
            dollars = terms.pooled[i]
            scale = scored.environment.scaling_factor[specialty[i]]
            terms.weighted_scaling[i] = dollars * scale if dollars > 0.0 else 0.0


@inner
def accumulate(terms: Terms, n: int, sums: Terms) -> None:
    """Add the terms of a piece of n clinicians to the sums."""
    for k in range(len(terms)):
        add_to_lanes(terms[k], n, sums[k])


@inner
def write_totals(scored: CohortYear, sums: Terms, totals: np.record, budget: np.ndarray) -> int:
    """Write the totals of one cohort and year; give how many have a final score.

    What Medicare saves is added to `budget`, by calendar year, in its cash.
    """
    policy, n = scored.policy, scored.n
    final_score, episodes = scored.scored.final_score, scored.observations.episodes[scored.year]
    zero_scores = 0
    all_episodes = 0
    for i in range(n):
        zero_scores += 1 if final_score[i] == 0.0 else 0
        all_episodes += episodes[i]
    with_score = sum_of_lanes(sums.scored)
    part_b = sum_of_lanes(sums.part_b)
    pooled = sum_of_lanes(sums.pooled)
    net = sum_of_lanes(sums.net_adjustment)
    saved = sum_of_lanes(sums.saved)
    totals.participants = n
    totals.scored = int(with_score)
    totals.zero_scores = zero_scores
    totals.episodes = all_episodes
    totals.episode_spending = sum_of_lanes(sums.spending)
    totals.part_b_paid = part_b
    totals.incentive_pool = policy.risk_level * policy.redistribution_share * pooled
    # Of one pool its own factor to the bit; of several the mean weighted by their payments.
    totals.scaling_factor = scored.environment.scaling_factor[0]
    if policy.payment_peer_group == POOLS_BY_SPECIALTY:
        weighted = sum_of_lanes(sums.weighted_scaling)
        totals.scaling_factor = weighted / pooled if pooled > 0.0 else np.nan
    totals.penalized_share = sum_of_lanes(sums.penalized) / with_score if with_score > 0.0 else np.nan
    weighted_factor = sum_of_lanes(sums.weighted_factor)
    totals.weighted_adjustment_factor = weighted_factor / part_b if part_b > 0.0 else np.nan
    totals.payment_year_part_b = sum_of_lanes(sums.payment_year_part_b)
    totals.net_adjustment = net
    totals.retained_savings = 0.0 - net
    behavior, later = scored.behavior, scored.payment_behavior
    episode_savings = behavior.medicare_share * saved
    totals.episode_savings = episode_savings
    # Cash of the payment year, and dollars of 2025, in dollars of the stated year.
    stated_prices = behavior.price_level * behavior.stated_price_ratio
    totals.medicare_savings = (0.0 - net) * later.stated_price_ratio + episode_savings * stated_prices
    budget[scored.year] += episode_savings * behavior.price_level
    budget[scored.year + PAYMENT_LAG] -= net
    return int(with_score)


@inner
def _add_by_specialty(
    terms: Terms, cell: np.ndarray, factor: np.ndarray, n: int, by_specialty: np.recarray
) -> None:
    """Add a piece's terms to the sums by specialty and practice size."""
    for i in range(n):
        sums = by_specialty[cell[i]]
        sums.specialty_participants += 1
        sums.specialty_scored += int(terms.scored[i])
        sums.specialty_part_b_paid += terms.part_b[i]
        sums.specialty_mean_adjustment_factor += factor[i]
        sums.specialty_net_adjustment += terms.net_adjustment[i]
        sums.specialty_penalized_share += terms.penalized[i]


@inner
def _finish_by_specialty(cohort: int, by_specialty: np.recarray) -> None:
    """Turn two of the sums by specialty and practice size into a mean and a share."""
    for cell in range(len(by_specialty)):
        # Each specialty is finished once, with its cohort.
        if _COHORT_OF[cell // _SIZES] == cohort:
            sums = by_specialty[cell]
            scored = sums.specialty_scored
            total, penalized = sums.specialty_mean_adjustment_factor, sums.specialty_penalized_share
            sums.specialty_mean_adjustment_factor = total / scored if scored > 0 else np.nan
            sums.specialty_penalized_share = penalized / scored if scored > 0 else np.nan


@inner
def _record_quantiles(
    column: np.ndarray,
    scored: CohortYear,
    count: int,
    percents: np.ndarray,
    out: np.ndarray,
    scratch: Scratch,
) -> None:
    """Write the quantiles over the `count` clinicians with a final score."""
    values = column
    if count < scored.n:
        values = scratch.members
        kept = 0
        for i in range(scored.n):
            # Branchless compaction.
            values[kept] = column[i]
            kept += scored.scored.final_score[i] == scored.scored.final_score[i]
    quantiles(values, count, percents, 100, out, scratch.order)


@inner
def _record_environment(
    environment: Environment, index: int, year: int, cohort: int, kept: Environment
) -> None:
    for group in range(PEER_GROUPS):
        for measure in range(MOST_MEASURES):
            size = environment.benchmark_size[measure, group]
            kept.benchmark_size[index, year, cohort, measure, group] = size
            for edge in range(EDGES):
                rate = environment.edges[measure, group, edge]
                kept.edges[index, year, cohort, measure, group, edge] = rate
        kept.cost_median[index, year, cohort, group] = environment.cost_median[group]
        kept.cost_sd[index, year, cohort, group] = environment.cost_sd[group]
        kept.cost_peers[index, year, cohort, group] = environment.cost_peers[group]
        kept.exchange_midpoint[index, year, cohort, group] = environment.exchange_midpoint[group]
        kept.scaling_factor[index, year, cohort, group] = environment.scaling_factor[group]
    for moment in range(len(environment.hcc)):
        kept.hcc[index, year, cohort, moment] = environment.hcc[moment]
        kept.dual[index, year, cohort, moment] = environment.dual[moment]


@inner
def record_year(scored: CohortYear, index: int, record: Record, scratch: Scratch) -> None:
    """Keep what results show of one cohort and performance year of the draw at `index` in the record."""
    year, cohort, n = scored.year, scored.cohort, scored.n
    factor = scored.scored.adjustment_factor
    totals = record.totals[index, year, cohort]
    by_specialty = record.by_specialty[index, year]
    terms, sums = record.terms, record.sums
    for k in range(len(sums)):
        sums[k][:] = 0.0
    for start in range(0, n, PIECE):
        piece = min(PIECE, n - start)
        fill_terms(scored, start, piece, terms, record.cell)
        _add_by_specialty(terms, record.cell, factor[start:], piece, by_specialty)
        accumulate(terms, piece, sums)
    _finish_by_specialty(cohort, by_specialty)
    count = write_totals(scored, sums, totals, record.budget_savings[index])
    factors = record.adjustment_factor_quantile[index, year, cohort]
    scores = record.final_score_quantile[index, year, cohort]
    _record_quantiles(factor, scored, count, record.percents, factors, scratch)
    _record_quantiles(scored.scored.final_score, scored, count, record.percents, scores, scratch)
    totals.median_final_score = scores[_MEDIAN]
    _record_environment(scored.environment, index, year, cohort, record.environment)


@inner
def record_clinicians(
    scored: CohortYear, prior: RosterPrior, field: Field, index: int, record: Record
) -> None:
    """Keep the adjustment factor and dollars of a roster's clinicians; NaN if one is not measured."""
    cohort, year = scored.cohort, scored.year
    if prior.clinicians[cohort] == 0:
        return
    # The roster's clinicians of the cohorts before come first.
    start = 0
    for earlier in range(cohort):
        start += prior.clinicians[earlier]
    for r in range(scored.n):
        c = field.member[year, r]
        # Clinicians are numbered by year of entry, and those of the first year by slot.
        if c < prior.clinicians[cohort]:
            factor = scored.scored.adjustment_factor[r]
            kept = record.clinicians[index, year, start + c]
            kept.adjustment_factor = factor
            kept.adjustment_usd = factor * scored.observations.payment_year_part_b[year, r]


def _columns(records: np.ndarray) -> dict[str, np.ndarray]:
    return {name: records[name] for name in records.dtype.names or ()}


def _by_peers(array: np.ndarray, peers: str) -> np.ndarray:
    """Turn (…, cohort, PEER_GROUPS) into (…, cohort) or (…, specialty)."""
    if peers == "cohort":
        return array[..., 0]
    return array[..., _COHORT_OF, np.arange(len(SPECIALTIES))]


def to_variables(record: Record, scenario: Scenario) -> dict[str, np.ndarray]:
    """Give a block's results by the paths of the results' variables.

    Parameters
    ----------
    record : Record
        What the kernel left.
    scenario : Scenario
        Decides the peer groups and the measures.

    Returns
    -------
    dict of str to ndarray
        As `asmrisk.simulation.variables.variables` declares them, without the group ``parameters``.
    """
    kept = record.environment
    by_specialty = record.by_specialty.reshape(*record.by_specialty.shape[:2], len(SPECIALTIES), _SIZES)
    values: dict[str, Any] = {
        **_columns(record.totals),
        **_columns(by_specialty),
        **{f"clinician/{name}": column for name, column in _columns(record.clinicians).items()},
    }
    values["adjustment_factor_quantile"] = record.adjustment_factor_quantile
    values["final_score_quantile"] = record.final_score_quantile
    values["budget_savings"] = record.budget_savings

    groups: Any = {"collection_type": slice(len(COLLECTION_TYPES)), "cohort": 0, "specialty": slice(None)}
    group = groups[scenario.values["policy.quality_peer_group"]]
    used = scored_measures(scenario)
    edges, sizes = [], []
    for cohort, name in enumerate(COHORTS):
        for number, measure in enumerate(measures_of(name)):
            if measure.name in used:
                # Edges of an inverse measure are of its negated rate.
                sign = -1.0 if measure.inverse else 1.0
                edges.append(kept.edges[:, :, cohort, number, group] * sign)
                sizes.append(kept.benchmark_size[:, :, cohort, number, group])
    values["environment/benchmark_minimum"] = np.stack([each[..., 0] for each in edges], axis=2)
    values["environment/benchmark_edges"] = np.stack([each[..., 1:] for each in edges], axis=2)
    values["environment/benchmark_size"] = np.stack(sizes, axis=2)
    for name, array, peers in (
        ("cost_median", kept.cost_median, "cost"),
        ("cost_sd", kept.cost_sd, "cost"),
        ("exchange_midpoint", kept.exchange_midpoint, "payment"),
        ("scaling_factor", kept.scaling_factor, "payment"),
    ):
        values[f"environment/{name}"] = _by_peers(array, scenario.values[f"policy.{peers}_peer_group"])
    for k, moment in enumerate(_MOMENTS):
        values[f"environment/hcc_{moment}"] = kept.hcc[..., k]
        values[f"environment/dual_share_{moment}"] = kept.dual[..., k]
    return {
        path: np.ascontiguousarray(values[path], dtype=variable.dtype)
        for path, variable in variables(scenario).items()
        if path in values
    }
