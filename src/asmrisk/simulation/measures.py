"""What is observed of one quality measure: cases, rate, and how they are reported (§ 512.725)."""

from __future__ import annotations

import math

import numpy as np

from asmrisk.numerics.jit import fma, inline
from asmrisk.numerics.portable_math import quotient
from asmrisk.population.latents import BINOMIAL, RISK_STANDARDIZED, SHARED_HABITS, SHARED_QUALITY
from asmrisk.rule.definitions import COLLECTION_TYPES, NOT_REPORTED
from asmrisk.simulation.batches import normal_probabilities, normal_scores, read_quantiles, take
from asmrisk.simulation.counts import binomial_quantiles, poisson_quantiles
from asmrisk.simulation.keys import LANE_CASES, LANE_RATE
from asmrisk.simulation.shared_parts import SharedParts, own_weight
from asmrisk.simulation.state import Batch, Measured, Observations

__all__ = ["CLAIMS", "observe_measure"]

#: Keeps a division by nothing from being one by 0.
LEAST = 1e-300
#: Code of the collection type of measures that CMS computes.
CLAIMS = COLLECTION_TYPES.index("claims")


@inline
def _rates(
    population: np.record,
    batch: Batch,
    shared: SharedParts,
    rows: np.ndarray,
    measure: int,
    rates: np.ndarray,
    m: int,
) -> None:
    """Draw cases and rates of one measure for m measured clinicians.

    The true rate is the quantile function of the measure and collection type at the latent quality; the
    observed one is Binomial(cases, true rate)/cases, or for a risk-standardized measure the normal score
    shrunk by the reliability of the clinician's cases.
    """
    counts, uniform, score, other = batch.counts, batch.scratch[0], batch.scratch[1], batch.scratch[2]
    take(batch.uniforms[LANE_CASES], rows, uniform, m)
    take(batch.case_level[measure], rows, other, m)
    poisson_quantiles(uniform, other, counts, m)
    take(batch.uniforms[LANE_RATE], rows, uniform, m)
    own_scores, common, at = batch.specific[measure], shared.specific[measure], batch.practices
    loading, own = population.quality_loading[measure], own_weight(population, SHARED_QUALITY)
    rest = math.sqrt(1.0 - loading * loading)
    sign = -1.0 if population.rate_inverse[measure] else 1.0
    center, scale = population.quality_center[measure], sign / population.quality_spread[measure]
    for k in range(m):
        specific = fma(own, own_scores[rows[k]], common[at[k]])
        score[k] = scale * (fma(loading, batch.quality[k], rest * specific) + batch.shift[k] - center)
    kind = population.measure_kind[measure]
    if kind == RISK_STANDARDIZED:
        reliability = population.shrinkage_reliability
        prior = population.shrinkage_mean_cases * (1.0 - reliability) / reliability
        normal_scores(uniform, other, m)
        for k in range(m):
            weight = counts[k] / max(counts[k] + prior, LEAST)
            # Noise is turned the same way round as quality: a higher uniform is better.
            score[k] = math.sqrt(weight) * score[k] + sign * math.sqrt(1.0 - weight) * other[k]
    normal_probabilities(score, other, m)
    fixed = population.measure_collection_type[measure]
    knots, heights = population.rate_probability[measure], population.rate_quantile[measure]
    first = fixed if fixed >= 0 else 0
    read_quantiles(knots[first], heights[first], other, rates, m)
    if fixed < 0:
        read_quantiles(knots[1], heights[1], other, score, m)
        for k in range(m):
            one, two = rates[k], score[k]
            rates[k] = one if batch.choice[k] == 0 else two
    if kind == BINOMIAL:
        binomial_quantiles(uniform, counts, rates, other, m, batch.binomials)
        for k in range(m):
            rates[k] = quotient(other[k], max(counts[k], 1.0))
    for k in range(m):
        rate = rates[k]
        rates[k] = rate if counts[k] > 0.0 else np.nan


@inline
def observe_measure(
    population: np.record,
    batch: Batch,
    shared: SharedParts,
    measured: Measured,
    measure: int,
    out: Observations,
) -> None:
    """Write what is observed of one measure: rate, cases, completeness, collection type.

    The batch and what its practices share hold the year's state of the measure; the batch's uniforms are
    those of its block.
    """
    year, start, m = measured.year, measured.start, measured.n
    rows = batch.rows[year]
    _rates(population, batch, shared, rows, measure, out.rate[year, measure, start:], m)
    cases = out.cases[year, measure, start:]
    code, completeness = out.collection_type[year, measure, start:], out.completeness[year, measure, start:]
    for k in range(m):
        cases[k] = int(batch.counts[k])
    fixed = population.measure_collection_type[measure]
    if fixed == CLAIMS:
        for k in range(m):
            code[k] = CLAIMS
            completeness[k] = np.nan
        return
    habit, probability = batch.scratch[1], batch.scratch[2]
    own_scores, common, at = batch.submission[measure], shared.submission[measure], batch.practices
    own = own_weight(population, SHARED_HABITS)
    for k in range(m):
        habit[k] = fma(own, own_scores[rows[k]], common[at[k]])
    normal_probabilities(habit, probability, m)
    missed, incomplete = population.missed_z[measure], population.incomplete_z[measure]
    missed_probability = population.missed_probability[measure]
    low, slope = population.completeness_low, population.completeness_slope[measure]
    for k in range(m):
        reported = batch.nonreporter[k] == 0 and habit[k] >= missed
        chosen = batch.choice[k] if fixed < 0 else fixed
        code[k] = chosen if reported else NOT_REPORTED
        partial = low + slope * (probability[k] - missed_probability)
        share = partial if habit[k] < incomplete else 1.0
        completeness[k] = share if reported else np.nan
