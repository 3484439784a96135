"""Instead of MIPS: the score that a clinician would have had, and the adjustment that it forgoes.

Participants are exempt from MIPS, so what the model does to a clinician is its adjustment less the one that
MIPS would have made of the same payment year. A MIPS final score is the published quantile of the practice's
size class at ``z = w g + v h + sqrt(1 - w^2 - v^2) e``, with the scores g of general quality and h of the
habit of reporting, and e of everything else, of which the share `mips_persistence` stays. Where MIPS would
score the practice as a whole, all three are the practice's. A practice in an accountable care organization is
scored as a whole, with the scores of such organizations, unless its clinicians are qualifying participants of
an advanced alternative payment model, whom MIPS does not adjust.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import fma, inline, inner
from asmrisk.population.latents import SHARED_HABITS, SHARED_QUALITY
from asmrisk.rule.cohort import ACO_EXEMPT
from asmrisk.simulation.batches import interpolate, normal_scores, take
from asmrisk.simulation.kernel_inputs import CohortDraw
from asmrisk.simulation.keys import BLOCK_PRACTICE_MIPS, FIRST_YEAR, LANE_YEARLY_MIPS, fill_uniforms
from asmrisk.simulation.shared_parts import SharedParts
from asmrisk.simulation.state import Batch, Measured, Observations

__all__ = [
    "MipsTerms",
    "forgo_mips",
    "gather_mips",
    "mips_adjusts",
    "mips_factor",
    "mips_terms",
    "observe_mips",
]


class MipsTerms(NamedTuple):
    """By what MIPS adjusts the payments of a year: numbers, since loops read fields of a record slowly."""

    low_volume: float  # allowed charges, USD of the year
    threshold: float  # final score without adjustment
    risk_level: float  # largest reduction, a fraction
    maximum_adjustment: float  # largest raise, a fraction


@inline
def gather_mips(batch: Batch, measured: Measured) -> None:
    """Draw what the year adds to each measured clinician's MIPS score; the uniforms are `BLOCK_CONDUCT`'s."""
    uniform, m = batch.scratch[0], measured.n
    take(batch.uniforms[LANE_YEARLY_MIPS], batch.rows[measured.year], uniform, m)
    normal_scores(uniform, batch.mips, m)


@inline
def _weights(
    population: np.record, quality_variance: float, habit_variance: float
) -> tuple[float, float, float, float]:
    """Give the weights of quality and habit, of such variances, and of what stays and changes of the rest.

    One without variance leaves its place to the rest, so that the sum always has variance 1.
    """
    quality = population.mips_quality_correlation if quality_variance > 0.0 else 0.0
    habit = population.mips_habit_correlation if habit_variance > 0.0 else 0.0
    rest = math.sqrt(1.0 - quality * quality - habit * habit)
    quality = quality / math.sqrt(quality_variance) if quality_variance > 0.0 else 0.0
    habit = habit / math.sqrt(habit_variance) if habit_variance > 0.0 else 0.0
    persistence = population.mips_persistence
    return quality, habit, rest * math.sqrt(persistence), rest * math.sqrt(1.0 - persistence)


@inner
def _share_mips(draw: CohortDraw, year: int, shared: SharedParts) -> None:
    """Write the normal scores of the practices' MIPS scores."""
    population, u = draw.population, shared.uniforms
    start, end, when = shared.finished[year], shared.n[0], FIRST_YEAR + year
    number, base, n = shared.number, shared.base, end - start
    fill_uniforms(u, BLOCK_PRACTICE_MIPS, number, base, when, draw.number, draw.key, start, end)
    score = shared.mips[start:]
    normal_scores(u[0, start:], score, n)
    of_quality = population.area_share[SHARED_QUALITY] + population.practice_share[SHARED_QUALITY]
    of_habit = population.practice_share[SHARED_HABITS]
    quality, habit, lasting, yearly = _weights(population, of_quality, of_habit)
    general, reporting = shared.general[start:], shared.nonreporting[start:]
    permanent = shared.mips_permanent[start:]
    for i in range(n):
        rest = fma(lasting, permanent[i], yearly * score[i])
        score[i] = fma(quality, general[i], fma(habit, reporting[i], rest))


@inline
def observe_mips(
    draw: CohortDraw, year: int, batch: Batch, shared: SharedParts, measured: Measured, out: Observations
) -> None:
    """Write the MIPS scores that a year's measured clinicians would have had."""
    _share_mips(draw, year, shared)
    start, m = measured.start, measured.n
    rows, at = batch.rows[year], batch.practices
    score, group = out.mips_score[year, start:], out.mips_group[year, start:]
    quality, habit, lasting, yearly = _weights(draw.population, 1.0, 1.0)
    permanent = batch.scratch[0]
    take(batch.mips_permanent, rows, permanent, m)
    for k in range(m):
        rest = fma(lasting, permanent[k], yearly * batch.mips[k])
        score[k] = fma(quality, batch.quality[k], fma(habit, batch.reporting[k], rest))
    for k in range(m):
        # Read in any case: what is read only sometimes makes a branch.
        own, common, in_group = score[k], shared.mips[at[k]], shared.mips_group[at[k]]
        group[k] = in_group
        score[k] = common if in_group != 0 else own
        batch.mips_table[k] = shared.mips_table[at[k]]
    interpolate(batch.tables, batch.mips_table, score, batch.interval, m)
    for k in range(m):
        own = score[k]
        score[k] = np.nan if shared.mips_qualifying[at[k]] != 0 else own


@inline
def mips_terms(behavior: np.record) -> MipsTerms:
    """Give the terms of a payment year."""
    return MipsTerms(
        behavior.mips_low_volume,
        behavior.mips_threshold,
        behavior.mips_risk_level,
        behavior.mips_maximum_adjustment,
    )


@inline
def mips_adjusts(terms: MipsTerms, score: float, in_group: bool, charges: float) -> bool:
    """Whether MIPS adjusts who has a score, of the practice or alone, and allowed charges (USD of the year).

    It does not adjust qualifying participants, whose score is NaN, and who is alone up to the low volume.
    """
    return bool((score >= 0.0) & (in_group | (charges > terms.low_volume)))


@inline
def mips_factor(terms: MipsTerms, score: float) -> float:
    """Give the MIPS adjustment factor of a final score, a fraction (42 CFR § 414.1405).

    It rises linearly from the largest reduction at 0 points to 0 at the threshold, and from there to the
    largest raise at 100 points; up to a quarter of the threshold it is the largest reduction.
    """
    threshold, lost = terms.threshold, score < terms.threshold
    # One division, of what applies.
    most, width = (terms.risk_level, threshold) if lost else (terms.maximum_adjustment, 100.0 - threshold)
    size = most * (threshold - score if lost else score - threshold) / width
    size = most if lost & (score <= 0.25 * threshold) else size
    return float(-size if lost else size)


@inner
def forgo_mips(
    policy: np.record, behavior: np.record, out: Observations, year: int, n: int, forgone: np.ndarray
) -> None:
    """Write the dollars that MIPS would have added to (negative: taken from) a year's measured clinicians.

    Whoever would be scored alone and has allowed charges up to the low-volume threshold, or would be a
    qualifying APM participant, is not adjusted by MIPS; who is exempt as an ACO participant forgoes nothing.

    Parameters
    ----------
    policy : numpy.record
        Of the performance year, POLICY_DTYPE.
    behavior : numpy.record
        Of the payment year, BEHAVIOR_DTYPE.
    out : Observations
        Of the cohort.
    year, n : int
        Performance year, counted from the first, and measured clinicians.
    forgone : ndarray of float64, shape (at least n,)
        Receives dollars of the payment year.
    """
    score, group, aco = out.mips_score[year], out.mips_group[year], out.aco[year]
    now, later, specialty = out.part_b_payments[year], out.part_b_before_offset[year], out.specialty[year]
    stays = policy.aco_participants == ACO_EXEMPT
    allowed, allowed_over_paid = behavior.part_b_allowed != 0, behavior.allowed_over_paid
    terms = mips_terms(behavior)
    # In two loops: the second is vectorized, which the look-ups of the first cannot be. What is known of
    # allowed and paid amounts is kept, what is not is written first.
    for i in range(n):
        # An unsigned index needs no check for counting from the end.
        ratio = allowed_over_paid[np.uint64(specialty[i])]
        forgone[i] = later[i] / ratio if allowed else now[i] * ratio
    for i in range(n):
        charges = now[i] if allowed else forgone[i]
        paid = forgone[i] if allowed else later[i]
        subject = mips_adjusts(terms, score[i], group[i] != 0, charges) & (not stays or aco[i] == 0)
        forgone[i] = paid * mips_factor(terms, score[i]) if subject else 0.0
