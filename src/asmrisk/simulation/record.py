"""What is kept of a draw: sums, quantiles and the yardsticks of every cohort and year."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inner
from asmrisk.rule.arrays import EDGES, Environment, Scored, Scratch
from asmrisk.rule.definitions import (
    COHORTS,
    PEER_GROUPS,
    PERFORMANCE_YEARS,
    PRACTICE_SIZES,
    SMALL_PRACTICE,
    SPECIALTIES,
)
from asmrisk.rule.order import quantiles
from asmrisk.rule.sums import LANES, add_to_lanes, sum_of_lanes
from asmrisk.simulation.participation import Field
from asmrisk.simulation.roster_prior import Known
from asmrisk.simulation.state import PLACES, Observations

__all__ = ["Record", "make_record", "record_clinicians", "record_year"]

#: Columns of `Record.totals`, in this order; the names are those of the results.
TOTALS = (
    "participants",
    "scored",
    "zero_scores",
    "episodes",
    "episode_spending",
    "part_b_paid",
    "incentive_pool",
    "scaling_factor",
    "penalized_share",
    "weighted_adjustment_factor",
    "payment_year_part_b",
    "net_adjustment",
    "retained_savings",
    "episode_savings",
    "medicare_savings",
)
#: How many sums in lanes it takes to make them.
SUMS = 10
#: The first of them are counts.
COUNTS = 4
#: Columns of `Record.by_specialty`.
BY_SPECIALTY = (
    "specialty_participants",
    "specialty_scored",
    "specialty_part_b_paid",
    "specialty_mean_adjustment_factor",
    "specialty_net_adjustment",
    "specialty_penalized_share",
)
_SIZES = len(PRACTICE_SIZES)
_PERCENTS = np.array([1, 5, 10, 25, 50, 75, 90, 95, 99], np.int64)


#: Clinicians whose terms are summed together: few enough for the processor's cache, whole lanes of a sum.
PIECE = 8 * LANES


class Terms(NamedTuple):
    """What each of a piece of the measured clinicians of a cohort and year adds to the sums (workspace)."""

    cell: np.ndarray  # uint64 (PIECE,): specialty and practice size
    scored: np.ndarray  # float64 (PIECE,), as the rest: 1 with a final score
    paid: np.ndarray
    pooled: np.ndarray
    later: np.ndarray
    factor: np.ndarray
    penalized: np.ndarray
    weighted: np.ndarray
    net: np.ndarray
    spending: np.ndarray
    saved: np.ndarray
    scaled: np.ndarray
    sums: np.ndarray  # float64 (SUMS, LANES): sums over the pieces so far


def make_terms() -> Terms:
    """Allocate room for the terms of sums.

    Returns
    -------
    Terms
        Zeroed arrays.
    """
    terms = {name: np.zeros(PIECE) for name in Terms._fields}
    return Terms(**terms | {"cell": np.zeros(PIECE, np.uint64), "sums": np.zeros((SUMS, LANES))})


class Record(NamedTuple):
    """What a block of draws leaves behind, by draw and performance year."""

    percents: np.ndarray  # int64 (9,): levels of the quantiles
    totals: np.ndarray  # float64 (draws, years, cohorts, len(TOTALS))
    quantiles: np.ndarray  # float64 (draws, years, cohorts, 2, 9): adjustment factor, final score
    by_specialty: np.ndarray  # float64 (draws, years, specialties x sizes, len(BY_SPECIALTY))
    edges: np.ndarray  # float64 (draws, years, cohorts, PLACES, PEER_GROUPS, 10)
    sizes: np.ndarray  # int64 (draws, years, cohorts, PLACES, PEER_GROUPS)
    cost: np.ndarray  # float64 (draws, years, cohorts, PEER_GROUPS, 2): median, SD
    patients: np.ndarray  # float64 (draws, years, cohorts, 6): HCC median, mean, SD; dual share the same
    exchange: np.ndarray  # float64 (draws, years, cohorts, PEER_GROUPS, 2): midpoint, scaling factor
    clinicians: np.ndarray  # float64 (draws, years, roster's clinicians, 2): adjustment factor, USD
    terms: Terms


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
        Arrays of NaN, and of zeros where there are counts.
    """
    lead = (draws, len(PERFORMANCE_YEARS))
    cohorts = (*lead, len(COHORTS))
    totals = np.full((*cohorts, len(TOTALS)), np.nan)
    totals[..., :COUNTS] = 0.0
    return Record(
        percents=_PERCENTS.copy(),
        totals=totals,
        quantiles=np.full((*cohorts, 2, len(_PERCENTS)), np.nan),
        by_specialty=np.zeros((*lead, len(SPECIALTIES) * _SIZES, len(BY_SPECIALTY))),
        edges=np.full((*cohorts, PLACES, PEER_GROUPS, EDGES), np.nan),
        sizes=np.zeros((*cohorts, PLACES, PEER_GROUPS), np.int64),
        cost=np.full((*cohorts, PEER_GROUPS, 2), np.nan),
        patients=np.full((*cohorts, 6), np.nan),
        exchange=np.full((*cohorts, PEER_GROUPS, 2), np.nan),
        clinicians=np.full((*lead, clinicians, 2), np.nan),
        terms=make_terms(),
    )


@inner
def _spread_out(
    policy: np.record,
    out: Observations,
    scored: Scored,
    environment: Environment,
    response: np.ndarray,
    year: int,
    start: int,
    n: int,
    terms: Terms,
) -> None:
    """Write what n clinicians from position `start` on add; one without a final score adds no dollars."""
    episodes, cost = out.episodes[year, start:], out.cost_per_episode[year, start:]
    true_cost, lowered = out.true_cost[year, start:], response[start:]
    part_b, later = out.part_b_payments[year, start:], out.payment_year_part_b[year, start:]
    size, specialty = out.practice_size[year, start:], out.specialty[year, start:]
    score, factor = scored.final_score[start:], scored.adjustment_factor[start:]
    outside = policy.zero_scorers == 1
    for i in range(n):
        count = float(episodes[i])
        terms.spending[i] = count * cost[i] if count > 0.0 else 0.0
        terms.saved[i] = count * (true_cost[i] * (1.0 - lowered[i]))
    for i in range(n):
        with_score = score[i] == score[i]
        paid = part_b[i] if with_score else 0.0
        terms.scored[i] = 1.0 if with_score else 0.0
        terms.paid[i] = paid
        terms.pooled[i] = 0.0 if score[i] == 0.0 and outside else paid
        terms.later[i] = later[i] if with_score else 0.0
        # Without a final score the factor is 0.
        terms.factor[i] = factor[i]
        terms.penalized[i] = 1.0 if factor[i] < 0.0 else 0.0
    for i in range(n):
        terms.weighted[i] = terms.paid[i] * factor[i]
        terms.net[i] = terms.later[i] * factor[i]
    for i in range(n):
        column = 2 if size[i] > SMALL_PRACTICE else (1 if size[i] > 1 else 0)
        terms.cell[i] = specialty[i] * _SIZES + column
    if policy.payment_peer_group == 1:
        for i in range(n):
            dollars = terms.pooled[i]
            scale = environment.scaling_factor[specialty[i]]
            terms.scaled[i] = dollars * scale if dollars > 0.0 else 0.0


@inner
def _add_up(terms: Terms, n: int) -> None:
    """Add a piece's terms to the sums."""
    sums = terms.sums
    add_to_lanes(terms.scored, n, sums[0])
    add_to_lanes(terms.paid, n, sums[1])
    add_to_lanes(terms.pooled, n, sums[2])
    add_to_lanes(terms.net, n, sums[3])
    add_to_lanes(terms.saved, n, sums[4])
    add_to_lanes(terms.spending, n, sums[5])
    add_to_lanes(terms.penalized, n, sums[6])
    add_to_lanes(terms.weighted, n, sums[7])
    add_to_lanes(terms.later, n, sums[8])


@inner
def _sum_up(
    policy: np.record,
    medicare_share: float,
    out: Observations,
    scored: Scored,
    environment: Environment,
    year: int,
    n: int,
    sums: np.ndarray,
    totals: np.ndarray,
) -> None:
    """Write the sums over the measured clinicians of one cohort and year."""
    zeros = 0
    episodes = 0
    for i in range(n):
        zeros += 1 if scored.final_score[i] == 0.0 else 0
        episodes += out.episodes[year, i]
    with_score = sum_of_lanes(sums[0])
    paid = sum_of_lanes(sums[1])
    pooled = sum_of_lanes(sums[2])
    net = sum_of_lanes(sums[3])
    saved = sum_of_lanes(sums[4])
    totals[0] = n
    totals[1] = with_score
    totals[2] = zeros
    totals[3] = episodes
    totals[4] = sum_of_lanes(sums[5])
    totals[5] = paid
    totals[6] = policy.risk_level * policy.redistribution_share * pooled
    # Of several pools the mean weighted by their payments; of one pool its own factor to the bit.
    totals[7] = environment.scaling_factor[0] if policy.payment_peer_group == 0 else np.nan
    totals[8] = sum_of_lanes(sums[6]) / with_score if with_score > 0.0 else np.nan
    totals[9] = sum_of_lanes(sums[7]) / paid if paid > 0.0 else np.nan
    totals[10] = sum_of_lanes(sums[8])
    totals[11] = net
    totals[12] = 0.0 - net
    totals[13] = medicare_share * saved
    totals[14] = (0.0 - net) + medicare_share * saved
    if policy.payment_peer_group == 1 and pooled > 0.0:
        totals[7] = sum_of_lanes(sums[9]) / pooled


@inner
def _add_by_specialty(terms: Terms, n: int, table: np.ndarray) -> None:
    """Add a piece's terms to the sums by specialty and practice size."""
    for i in range(n):
        cell = terms.cell[i]
        table[cell, 0] += 1.0
        table[cell, 1] += terms.scored[i]
        table[cell, 2] += terms.paid[i]
        table[cell, 3] += terms.factor[i]
        table[cell, 4] += terms.net[i]
        table[cell, 5] += terms.penalized[i]


@inner
def _finish_by_specialty(cohort: int, table: np.ndarray) -> None:
    """Turn two of the sums by specialty and practice size into a mean and a share."""
    for cell in range(table.shape[0]):
        # The first specialty is the first cohort's, the rest are the second's: each is finished once.
        if (cell < _SIZES) == (cohort == 0):
            with_score = table[cell, 1]
            table[cell, 3] = table[cell, 3] / with_score if with_score > 0.0 else np.nan
            table[cell, 5] = table[cell, 5] / with_score if with_score > 0.0 else np.nan


@inner
def record_year(
    policy: np.record,
    medicare_share: float,
    cohort: int,
    out: Observations,
    scored: Scored,
    environment: Environment,
    response: np.ndarray,
    year: int,
    n: int,
    index: int,
    record: Record,
    scratch: Scratch,
) -> None:
    """Keep what results show of one cohort and performance year of a draw.

    Parameters
    ----------
    policy : record of POLICY_DTYPE
        Of the performance year.
    medicare_share : float
        Medicare's share of an episode's allowed cost.
    cohort : int
        Code of the cohort.
    out : Observations
        What was observed.
    scored : Scored
        What the rule made of it.
    environment : Environment
        What the clinicians were ranked against.
    response : ndarray of float64, shape (at least n,)
        Cost after the response to the incentive over cost without it.
    year : int
        Performance year, counted from the first.
    n : int
        Measured clinicians.
    index : int
        Place of the draw in the record.
    record : Record
        Written.
    scratch : Scratch
        Workspace of the rule.
    """
    totals = record.totals[index, year, cohort]
    terms = record.terms
    by_specialty = record.by_specialty[index, year]
    terms.sums[:] = 0.0
    for start in range(0, n, PIECE):
        piece = min(PIECE, n - start)
        _spread_out(policy, out, scored, environment, response, year, start, piece, terms)
        _add_by_specialty(terms, piece, by_specialty)
        _add_up(terms, piece)
        if policy.payment_peer_group == 1:
            add_to_lanes(terms.scaled, piece, terms.sums[9])
    _finish_by_specialty(cohort, by_specialty)
    _sum_up(policy, medicare_share, out, scored, environment, year, n, terms.sums, totals)
    for which in range(2):
        column = scored.adjustment_factor if which == 0 else scored.final_score
        values, count = column, n
        if totals[1] < n:
            values, count = scratch.members, 0
            for i in range(n):
                values[count] = column[i]
                count += scored.final_score[i] == scored.final_score[i]
        quantiles(
            values, count, record.percents, 100, record.quantiles[index, year, cohort, which], scratch.order
        )
    for group in range(PEER_GROUPS):
        for place in range(PLACES):
            record.sizes[index, year, cohort, place, group] = environment.benchmark_size[place, group]
            for edge in range(EDGES):
                record.edges[index, year, cohort, place, group, edge] = environment.edges[place, group, edge]
        record.cost[index, year, cohort, group, 0] = environment.cost_median[group]
        record.cost[index, year, cohort, group, 1] = environment.cost_sd[group]
        record.exchange[index, year, cohort, group, 0] = environment.exchange_midpoint[group]
        record.exchange[index, year, cohort, group, 1] = environment.scaling_factor[group]
    for moment in range(3):
        record.patients[index, year, cohort, moment] = environment.hcc[moment]
        record.patients[index, year, cohort, 3 + moment] = environment.dual[moment]


@inner
def record_clinicians(
    known: Known,
    cohort: int,
    field: Field,
    out: Observations,
    scored: Scored,
    year: int,
    n: int,
    index: int,
    record: Record,
) -> None:
    """Keep the adjustment factor and dollars of a roster's clinicians; NaN stays where one is not measured.

    Parameters
    ----------
    known : Known
        The roster.
    cohort : int
        Code of the cohort.
    field : Field
        Who is measured.
    out : Observations
        What was observed.
    scored : Scored
        What the rule made of it.
    year : int
        Performance year, counted from the first.
    n : int
        Measured clinicians.
    index : int
        Place of the draw in the record.
    record : Record
        Written.
    """
    if known.clinicians[cohort] == 0:
        return
    before = 0
    for earlier in range(cohort):
        before += known.clinicians[earlier]
    for r in range(n):
        c = field.member[year, r]
        # Clinicians are numbered by year of entry, and those of the first year by slot.
        if c < known.clinicians[cohort]:
            factor = scored.adjustment_factor[r]
            record.clinicians[index, year, before + c, 0] = factor
            record.clinicians[index, year, before + c, 1] = factor * out.payment_year_part_b[year, r]
