"""What is kept of a draw: sums, quantiles and the yardsticks of every cohort and year."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from asmrisk.jit import inner
from asmrisk.rule.arrays import EDGES, Environment, Scored, Scratch
from asmrisk.rule.definitions import (
    COHORTS,
    MEASURES,
    PEER_GROUPS,
    PERFORMANCE_YEARS,
    PRACTICE_SIZES,
    SMALL_PRACTICE,
    SPECIALTIES,
)
from asmrisk.rule.order import quantiles
from asmrisk.simulation.known import Known
from asmrisk.simulation.participation import Field
from asmrisk.simulation.state import PLACES, Observations

if TYPE_CHECKING:
    from asmrisk.scenario import Scenario

__all__ = ["Record", "make_record", "record_clinicians", "record_year", "unpack"]

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


class Record(NamedTuple):
    """What a block of draws leaves behind, by draw and performance year."""

    percents: np.ndarray  # int64 (9,): levels of the quantiles
    totals: np.ndarray  # float64 (draws, years, cohorts, len(TOTALS))
    quantiles: np.ndarray  # float64 (draws, years, cohorts, 2, 9): adjustment factor, final score
    by_specialty: np.ndarray  # float64 (draws, years, specialties, sizes, len(BY_SPECIALTY))
    edges: np.ndarray  # float64 (draws, years, cohorts, PLACES, PEER_GROUPS, 10)
    sizes: np.ndarray  # int64 (draws, years, cohorts, PLACES, PEER_GROUPS)
    cost: np.ndarray  # float64 (draws, years, cohorts, PEER_GROUPS, 2): median, SD
    patients: np.ndarray  # float64 (draws, years, cohorts, 6): HCC median, mean, SD; dual share the same
    exchange: np.ndarray  # float64 (draws, years, cohorts, PEER_GROUPS, 2): midpoint, scaling factor
    clinicians: np.ndarray  # float64 (draws, years, roster's clinicians, 2): adjustment factor, USD
    values: np.ndarray  # float64 (slots,): workspace


def make_record(draws: int, slots: int, clinicians: int = 0) -> Record:
    """Allocate the record of a block.

    Parameters
    ----------
    draws : int
        Number of draws.
    slots : int
        The larger cohort's clinician slots.
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
        by_specialty=np.zeros((*lead, len(SPECIALTIES), _SIZES, len(BY_SPECIALTY))),
        edges=np.full((*cohorts, PLACES, PEER_GROUPS, EDGES), np.nan),
        sizes=np.zeros((*cohorts, PLACES, PEER_GROUPS), np.int64),
        cost=np.full((*cohorts, PEER_GROUPS, 2), np.nan),
        patients=np.full((*cohorts, 6), np.nan),
        exchange=np.full((*cohorts, PEER_GROUPS, 2), np.nan),
        clinicians=np.full((*lead, clinicians, 2), np.nan),
        values=np.zeros(slots),
    )


@inner
def _sum_up(
    policy: np.record,
    medicare_share: float,
    out: Observations,
    scored: Scored,
    environment: Environment,
    response: np.ndarray,
    year: int,
    n: int,
    totals: np.ndarray,
) -> None:
    """Write the sums over the measured clinicians of one cohort and year, in the order of their slots."""
    with_score = 0
    zeros = 0
    penalized = 0
    episodes = 0
    spending = 0.0
    paid = 0.0
    pooled = 0.0
    weighted = 0.0
    scaled = 0.0
    later = 0.0
    net = 0.0
    saved = 0.0
    for i in range(n):
        count = out.episodes[year, i]
        if count > 0:
            episodes += count
            spending += count * out.cost_per_episode[year, i]
            saved += count * (out.true_cost[year, i] * (1.0 - response[i]))
        score = scored.final_score[i]
        if score == score:
            dollars = out.part_b[year, i]
            factor = scored.adjustment_factor[i]
            with_score += 1
            paid += dollars
            weighted += dollars * factor
            later += out.payment_year_part_b[year, i]
            net += factor * out.payment_year_part_b[year, i]
            zero = score == 0.0
            zeros += 1 if zero else 0
            penalized += 1 if factor < 0.0 else 0
            if not (zero and policy.zero_scorers == 1):
                group = out.specialty[year, i] if policy.payment_peer_group == 1 else 0
                pooled += dollars
                scaled += dollars * environment.scaling_factor[group]
    totals[0] = n
    totals[1] = with_score
    totals[2] = zeros
    totals[3] = episodes
    totals[4] = spending
    totals[5] = paid
    totals[6] = policy.risk_level * policy.redistribution_share * pooled
    # Of several pools the mean weighted by their payments; of one pool its own factor to the bit.
    totals[7] = environment.scaling_factor[0] if policy.payment_peer_group == 0 else np.nan
    if policy.payment_peer_group == 1 and pooled > 0.0:
        totals[7] = scaled / pooled
    totals[8] = penalized / with_score if with_score > 0 else np.nan
    totals[9] = weighted / paid if paid > 0.0 else np.nan
    totals[10] = later
    totals[11] = net
    totals[12] = 0.0 - net
    totals[13] = medicare_share * saved
    totals[14] = (0.0 - net) + medicare_share * saved


@inner
def _sum_by_specialty(
    out: Observations, scored: Scored, year: int, n: int, specialties: int, table: np.ndarray
) -> None:
    """Add to the sums by specialty and practice size, then turn two of them into a mean and a share."""
    for i in range(n):
        size = out.practice_size[year, i]
        column = 0 if size == 1 else (1 if size <= SMALL_PRACTICE else 2)
        row = table[out.specialty[year, i], column]
        row[0] += 1.0
        score = scored.final_score[i]
        if score == score:
            factor = scored.adjustment_factor[i]
            row[1] += 1.0
            row[2] += out.part_b[year, i]
            row[3] += factor
            row[4] += factor * out.payment_year_part_b[year, i]
            row[5] += 1.0 if factor < 0.0 else 0.0
    for specialty in range(table.shape[0]):
        # The first specialty is the first cohort's, the rest are the second's: each is finished once.
        if (specialty == 0) == (specialties == 0):
            for column in range(table.shape[1]):
                row = table[specialty, column]
                with_score = row[1]
                row[3] = row[3] / with_score if with_score > 0.0 else np.nan
                row[5] = row[5] / with_score if with_score > 0.0 else np.nan


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
    _sum_up(policy, medicare_share, out, scored, environment, response, year, n, totals)
    _sum_by_specialty(out, scored, year, n, cohort, record.by_specialty[index, year])
    values = record.values
    for which in range(2):
        count = 0
        column = scored.adjustment_factor if which == 0 else scored.final_score
        for i in range(n):
            if scored.final_score[i] == scored.final_score[i]:
                values[count] = column[i]
                count += 1
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


def _peer_axis(array: np.ndarray, peers: str) -> np.ndarray:
    """Turn (…, cohort, PEER_GROUPS) into (…, cohort) or (…, specialty)."""
    if peers == "cohort":
        return array[..., 0]
    return np.concatenate([array[..., 0, :1], array[..., 1, 1:]], axis=-1)


def unpack(record: Record, scenario: Scenario) -> dict[str, np.ndarray]:
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
        As `asmrisk.results.schema.variables` declares them, without the group ``knowledge``.
    """
    from asmrisk.results.schema import scored_measures, variables

    values: dict[str, Any] = {name: record.totals[..., k] for k, name in enumerate(TOTALS)}
    values |= {name: record.by_specialty[..., k] for k, name in enumerate(BY_SPECIALTY)}
    values["adjustment_factor_quantile"] = record.quantiles[..., 0, :]
    values["final_score_quantile"] = record.quantiles[..., 1, :]
    values["median_final_score"] = record.quantiles[..., 1, 4]

    quality_peers = scenario.values["policy.quality_peer_group"]
    used = scored_measures(scenario)
    edges, minima, sizes = [], [], []
    for code, measure in enumerate(MEASURES):
        if measure.name in used:
            cohort, place = divmod(code, PLACES)
            groups: Any = {"collection_type": slice(0, 3), "cohort": 0, "specialty": slice(None)}[
                quality_peers
            ]
            ladder = record.edges[:, :, cohort, place, groups] * (-1.0 if measure.inverse else 1.0)
            minima.append(ladder[..., 0])
            edges.append(ladder[..., 1:])
            sizes.append(record.sizes[:, :, cohort, place, groups])
    values["environment/benchmark_minimum"] = np.stack(minima, axis=2)
    values["environment/benchmark_edges"] = np.stack(edges, axis=2)
    values["environment/benchmark_size"] = np.stack(sizes, axis=2)
    cost_peers = scenario.values["policy.cost_peer_group"]
    values["environment/cost_median"] = _peer_axis(record.cost[..., 0], cost_peers)
    values["environment/cost_sd"] = _peer_axis(record.cost[..., 1], cost_peers)
    payment_peers = scenario.values["policy.payment_peer_group"]
    values["environment/exchange_midpoint"] = _peer_axis(record.exchange[..., 0], payment_peers)
    values["environment/scaling_factor"] = _peer_axis(record.exchange[..., 1], payment_peers)
    for k, name in enumerate(("hcc_median", "hcc_mean", "hcc_sd")):
        values[f"environment/{name}"] = record.patients[..., k]
    for k, name in enumerate(("dual_share_median", "dual_share_mean", "dual_share_sd")):
        values[f"environment/{name}"] = record.patients[..., 3 + k]
    values["clinician/adjustment_factor"] = record.clinicians[..., 0]
    values["clinician/adjustment_usd"] = record.clinicians[..., 1]
    declared = variables(scenario)
    return {
        path: np.ascontiguousarray(values[path], dtype=declared[path].dtype)
        for path in declared
        if path in values
    }
