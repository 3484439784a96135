"""Recording: how one cohort and performance year of a draw is summed up into its record."""

from __future__ import annotations

import numpy as np

from asmrisk.numerics.jit import inner
from asmrisk.rule.arrays import Environment, Scratch
from asmrisk.rule.definitions import (
    EDGES,
    MOST_MEASURES,
    PAYMENT_LAG,
    PRACTICE_SIZES,
)
from asmrisk.rule.groups import BY_COHORT, values_of_group
from asmrisk.rule.order import quantiles
from asmrisk.rule.payment import OUTSIDE_POOL
from asmrisk.rule.sums import add_to_lanes, sum_of_lanes
from asmrisk.simulation.environments import COHORT_OF
from asmrisk.simulation.participation import Field
from asmrisk.simulation.practice_outcomes import record_practices
from asmrisk.simulation.record import PIECE, CohortYear, Record, Terms
from asmrisk.simulation.roster_prior import RosterPrior
from asmrisk.simulation.variables import QUANTILES

__all__ = ["record_clinicians", "record_year"]

_SIZES = len(PRACTICE_SIZES)
_MEDIAN = QUANTILES.index(0.5)


@inner
def fill_terms(scored: CohortYear, start: int, n: int, terms: Terms) -> None:
    """Write what n clinicians from position `start` on add."""
    policy, out, year = scored.policy, scored.observations, scored.year
    episodes, cost = out.episodes[year, start:], out.cost_per_episode[year, start:]
    true_cost, response = out.true_cost[year, start:], scored.response[start:]
    part_b, later = out.part_b_payments[year, start:], out.payment_year_part_b[year, start:]
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
        terms.mips_forgone[i] = scored.mips_forgone[start + i]
        terms.participation_cost[i] = scored.participation_cost[start + i]
    if policy.payment_peer_group != BY_COHORT:
        for i in range(n):
            dollars = terms.pooled[i]
            scale = scored.environment.scaling_factor[scored.pool[start + i]]
            terms.weighted_scaling[i] = dollars * scale if dollars > 0.0 else 0.0


@inner
def accumulate(terms: Terms, n: int, sums: Terms) -> None:
    """Add the terms of a piece of n clinicians to the sums."""
    for k in range(len(terms)):
        add_to_lanes(terms[k], n, sums[k])


@inner
def write_totals(scored: CohortYear, sums: Terms, totals: np.record, budget: np.ndarray) -> None:
    """Write the totals of one cohort and year.

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
    if policy.payment_peer_group != BY_COHORT:
        weighted = sum_of_lanes(sums.weighted_scaling)
        totals.scaling_factor = weighted / pooled if pooled > 0.0 else np.nan
    totals.penalized_share = sum_of_lanes(sums.penalized) / with_score if with_score > 0.0 else np.nan
    weighted_factor = sum_of_lanes(sums.weighted_factor)
    totals.weighted_adjustment_factor = weighted_factor / part_b if part_b > 0.0 else np.nan
    totals.payment_year_part_b = sum_of_lanes(sums.payment_year_part_b)
    totals.net_adjustment = net
    totals.retained_savings = 0.0 - net
    totals.volume_offset = scored.volume_offset
    behavior, later = scored.behavior, scored.payment_behavior
    episode_savings = behavior.medicare_share * saved
    totals.episode_savings = episode_savings
    # Cash of the payment year, and dollars of 2025, in dollars of the stated year.
    stated_prices = behavior.price_level * behavior.stated_price_ratio
    forgone, cost = sum_of_lanes(sums.mips_forgone), sum_of_lanes(sums.participation_cost)
    totals.mips_forgone = forgone
    totals.net_of_mips = net - forgone
    totals.beneficiaries = behavior.beneficiaries_per_episode * all_episodes
    totals.cost_of_participation = cost
    left = (net - forgone) * later.stated_price_ratio - cost * behavior.stated_price_ratio
    totals.net_of_costs = left
    kept = 0.0 - net - scored.volume_offset
    totals.medicare_savings = kept * later.stated_price_ratio + episode_savings * stated_prices
    budget[scored.year] += episode_savings * behavior.price_level
    budget[scored.year + PAYMENT_LAG] += kept


@inner
def _begin_by_specialty(cohort: int, by_specialty: np.recarray) -> None:
    """Begin the sums of a cohort's specialties by practice size."""
    for cell in range(len(by_specialty)):
        if COHORT_OF[cell // _SIZES] == cohort:
            sums = by_specialty[cell]
            sums.specialty_participants = 0
            sums.specialty_scored = 0
            sums.specialty_part_b_paid = 0.0
            sums.specialty_mean_adjustment_factor = 0.0
            sums.specialty_net_adjustment = 0.0
            sums.specialty_penalized_share = 0.0
            sums.specialty_mips_forgone = 0.0
            sums.specialty_cost_of_participation = 0.0


@inner
def _add_by_specialty(
    terms: Terms, cell: np.ndarray, factor: np.ndarray, n: int, by_specialty: np.recarray
) -> None:
    """Add a piece's terms to the sums by specialty and practice size."""
    for i in range(n):
        # An unsigned index needs no check for counting from the end.
        sums = by_specialty[np.uint64(cell[i])]
        sums.specialty_participants += 1
        sums.specialty_scored += int(terms.scored[i])
        sums.specialty_part_b_paid += terms.part_b[i]
        sums.specialty_mean_adjustment_factor += factor[i]
        sums.specialty_net_adjustment += terms.net_adjustment[i]
        sums.specialty_penalized_share += terms.penalized[i]
        sums.specialty_mips_forgone += terms.mips_forgone[i]
        sums.specialty_cost_of_participation += terms.participation_cost[i]


@inner
def _finish_by_specialty(scored: CohortYear, by_specialty: np.recarray) -> None:
    """Turn two of the sums by specialty and practice size into a mean and a share, and give what is left."""
    cohort = scored.cohort
    now, later = scored.behavior.stated_price_ratio, scored.payment_behavior.stated_price_ratio
    for cell in range(len(by_specialty)):
        # Each specialty is finished once, with its cohort.
        if COHORT_OF[cell // _SIZES] == cohort:
            sums = by_specialty[cell]
            count = sums.specialty_scored
            total, penalized = sums.specialty_mean_adjustment_factor, sums.specialty_penalized_share
            sums.specialty_mean_adjustment_factor = total / count if count > 0 else np.nan
            sums.specialty_penalized_share = penalized / count if count > 0 else np.nan
            left = sums.specialty_net_adjustment - sums.specialty_mips_forgone
            sums.specialty_net_of_mips = left
            sums.specialty_net_of_costs = left * later - sums.specialty_cost_of_participation * now


@inner
def _record_quantiles(
    column: np.ndarray, scored: CohortYear, percents: np.ndarray, out: np.ndarray, scratch: Scratch
) -> None:
    """Write the quantiles over the clinicians with a final score."""
    score, chosen = scored.scored.final_score, scratch.chosen
    for i in range(scored.n):
        chosen[i] = score[i] == score[i]
    values, count = values_of_group(column, chosen, 1, scored.n, scratch.members)
    quantiles(values, count, percents, 100, out, scratch.order)


@inner
def _record_environment(
    environment: Environment, index: int, year: int, cohort: int, kept: Environment
) -> None:
    for group in range(kept.edges.shape[4]):
        for measure in range(MOST_MEASURES):
            size = environment.benchmark_size[measure, group]
            kept.benchmark_size[index, year, cohort, measure, group] = size
            for edge in range(EDGES):
                rate = environment.edges[measure, group, edge]
                kept.edges[index, year, cohort, measure, group, edge] = rate
    for group in range(kept.cost_median.shape[3]):
        kept.cost_median[index, year, cohort, group] = environment.cost_median[group]
        kept.cost_sd[index, year, cohort, group] = environment.cost_sd[group]
        kept.cost_peers[index, year, cohort, group] = environment.cost_peers[group]
    for group in range(kept.scaling_factor.shape[3]):
        kept.exchange_midpoint[index, year, cohort, group] = environment.exchange_midpoint[group]
        kept.scaling_factor[index, year, cohort, group] = environment.scaling_factor[group]
    for moment in range(len(environment.hcc)):
        kept.hcc[index, year, cohort, moment] = environment.hcc[moment]
        kept.dual[index, year, cohort, moment] = environment.dual[moment]
    kept.median_quality_score[index, year, cohort, 0] = environment.median_quality_score[0]


@inner
def record_year(scored: CohortYear, index: int, record: Record, scratch: Scratch) -> None:
    """Keep what results show of one cohort and performance year of the draw at `index` in the record."""
    year, cohort, n = scored.year, scored.cohort, scored.n
    factor, cell = scored.scored.adjustment_factor, scored.observations.cell[year]
    totals = record.totals[index, year, cohort]
    by_specialty = record.by_specialty[index, year]
    terms, sums = record.terms, record.sums
    for k in range(len(sums)):
        sums[k][:] = 0.0
    _begin_by_specialty(cohort, by_specialty)
    for start in range(0, n, PIECE):
        piece = min(PIECE, n - start)
        fill_terms(scored, start, piece, terms)
        _add_by_specialty(terms, cell[start:], factor[start:], piece, by_specialty)
        accumulate(terms, piece, sums)
    _finish_by_specialty(scored, by_specialty)
    write_totals(scored, sums, totals, record.budget_savings[index])
    factors = record.adjustment_factor_quantile[index, year, cohort]
    scores = record.final_score_quantile[index, year, cohort]
    _record_quantiles(factor, scored, record.percents, factors, scratch)
    _record_quantiles(scored.scored.final_score, scored, record.percents, scores, scratch)
    totals.median_final_score = scores[_MEDIAN]
    record_practices(scored, index, record, scratch)
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
            kept.mips_forgone = scored.mips_forgone[r]
            kept.cost_of_participation = scored.participation_cost[r]
