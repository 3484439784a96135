"""What is observed of one quality measure: cases, rate, and how they are reported."""

from __future__ import annotations

import math

import numpy as np

from asmrisk.numerics.jit import inline
from asmrisk.rule.definitions import COLLECTION_TYPES, NOT_REPORTED
from asmrisk.simulation.batches import (
    normal_probabilities,
    normal_scores,
    pick,
    read_quantiles,
)
from asmrisk.simulation.state import Observations, Strip
from asmrisk.simulation.variates import binomial_strip, poisson_strip

__all__ = ["observe_measure"]

#: Keeps a division by nothing from being one by 0.
LEAST = 1e-300
#: Codes of `measure_kind`.
BINOMIAL, RISK_STANDARDIZED = 1, 2
#: Code of the collection type of measures that CMS computes.
CLAIMS = COLLECTION_TYPES.index("claims")


@inline
def _rates(
    population: np.record,
    learning: float,
    strip: Strip,
    who: np.ndarray,
    place: int,
    m: int,
    rates: np.ndarray,
) -> None:
    """Draw cases and rates of one measure.

    The true rate is the quantile function of the measure and collection type at the latent quality; the
    observed one is Binomial(cases, true rate)/cases, or for a risk-standardized measure the normal score
    shrunk by the reliability of the clinician's cases.
    """
    counts, uniform, score, other = strip.counts, strip.a, strip.b, strip.c
    pick(strip.uniforms[2], who, uniform, m)
    pick(strip.case_level[place], who, other, m)
    poisson_strip(uniform, other, counts, m)
    pick(strip.uniforms[3], who, uniform, m)
    pick(strip.specific[place], who, score, m)
    loading = population.quality_loading
    rest = math.sqrt(1.0 - loading * loading)
    sign = -1.0 if population.rate_inverse[place] else 1.0
    for k in range(m):
        score[k] = sign * (loading * strip.quality[k] + rest * score[k] + learning)
    kind = population.measure_kind[place]
    if kind == RISK_STANDARDIZED:
        reliability = population.shrinkage_reliability
        prior = population.shrinkage_mean_cases * (1.0 - reliability) / reliability
        normal_scores(uniform, other, m)
        for k in range(m):
            weight = counts[k] / max(counts[k] + prior, LEAST)
            # Noise is turned the same way round as quality: a higher uniform is better.
            score[k] = math.sqrt(weight) * score[k] + sign * math.sqrt(1.0 - weight) * other[k]
    normal_probabilities(score, m)
    fixed = population.measure_collection_type[place]
    knots, heights = population.rate_probability, population.rate_quantile[place]
    read_quantiles(knots, heights[fixed if fixed >= 0 else 0], score, rates, m)
    if fixed < 0:
        read_quantiles(knots, heights[1], score, other, m)
        for k in range(m):
            one, two = rates[k], other[k]
            rates[k] = one if strip.choice[k] == 0 else two
    if kind == BINOMIAL:
        binomial_strip(uniform, counts, rates, other, m, strip.sums)
        for k in range(m):
            rates[k] = other[k] / max(counts[k], 1.0)
    for k in range(m):
        rates[k] = rates[k] if counts[k] > 0.0 else np.nan


@inline
def observe_measure(
    population: np.record,
    learning: float,
    strip: Strip,
    out: Observations,
    year: int,
    place: int,
    first: int,
    m: int,
) -> None:
    """Write what is observed of one measure: rate, cases, completeness, collection type (§ 512.725).

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's population.
    learning : float
        What is added to everybody's quality in the year.
    strip : Strip
        The strip, with the year's state of the measure and its uniforms.
    out : Observations
        Written, from position `first` on.
    year : int
        Performance year, counted from the first.
    place : int
        The measure.
    first : int
        Position of the strip's first measured clinician.
    m : int
        The strip's measured clinicians.
    """
    _rates(population, learning, strip, strip.who[year], place, m, out.rate[year, place, first:])
    cases = out.cases[year, place, first:]
    code, completeness = out.collection_type[year, place, first:], out.completeness[year, place, first:]
    for k in range(m):
        cases[k] = int(strip.counts[k])
    fixed = population.measure_collection_type[place]
    if fixed == CLAIMS:
        for k in range(m):
            code[k] = CLAIMS
            completeness[k] = np.nan
        return
    habit, probability = strip.b, strip.c
    pick(strip.submission[place], strip.who[year], habit, m)
    for k in range(m):
        probability[k] = habit[k]
    normal_probabilities(probability, m)
    missed, incomplete = population.missed_z[place], population.incomplete_z[place]
    missed_probability = population.missed_probability[place]
    low, slope = population.completeness_low, population.completeness_slope[place]
    for k in range(m):
        reported = strip.silent[k] == 0 and habit[k] >= missed
        chosen = strip.choice[k] if fixed < 0 else fixed
        code[k] = chosen if reported else NOT_REPORTED
        partial = low + slope * (probability[k] - missed_probability)
        share = partial if habit[k] < incomplete else 1.0
        completeness[k] = share if reported else np.nan
