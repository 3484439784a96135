"""What CMS observes of the clinicians: Part B, conduct, cost, measures and what of them is reported.

Clinicians are worked on in strips, each strip through all its years, so that its state stays in the
processor's cache; observations are written at the clinician's position among the measured of the year.
"""

from __future__ import annotations

import math

import numpy as np

from asmrisk.jit import inline, inner
from asmrisk.rule.definitions import COLLECTION_TYPES, NOT_REPORTED, PAYMENT_LAG
from asmrisk.simulation.attributes import draw_attributes
from asmrisk.simulation.keys import (
    BLOCK_CONDUCT,
    BLOCK_MEASURE,
    BLOCK_PERFORMANCE,
    PERMANENT,
    fill_uniforms,
)
from asmrisk.simulation.known import (
    COST,
    GENERAL,
    IMPROVEMENT,
    INTEROPERABILITY,
    SILENCE,
    SPECIFIC,
    SUBMISSION,
    Known,
    habit_score,
    part_b_score,
    start,
)
from asmrisk.simulation.participation import FIRST_YEAR, STRIP, YEARS, Field
from asmrisk.simulation.state import PLACES, Observations, Strip
from asmrisk.simulation.strips import advance, exponentials, normal_probabilities, normal_scores
from asmrisk.simulation.variates import binomial_strip, poisson_strip

__all__ = ["observe"]

#: Knots of a rate's quantile function are its first and last percentile and the deciles between.
DECILES = 10
#: Keeps a division by nothing from being one by 0.
LEAST = 1e-300
#: Codes of `measure_kind`.
BINOMIAL, RISK_STANDARDIZED = 1, 2
#: Code of the collection type of measures that CMS computes.
CLAIMS = COLLECTION_TYPES.index("claims")
#: The step and the ends of tables over the normal score.
SCORES_A_UNIT, LEAST_SCORE, LAST_INTERVAL = 16.0, -6.5, 207.0


@inline
def _from_table(table: np.ndarray, score: float) -> float:
    """Read a table over the normal score (-6.5 to 6.5 by sixteenths) by linear interpolation."""
    place = (score - LEAST_SCORE) * SCORES_A_UNIT
    place = 0.0 if place < 0.0 else place
    place = LAST_INTERVAL if place > LAST_INTERVAL else place
    below = int(place)
    value = table[below]
    read: float = value + (place - below) * (table[below + 1] - value)
    return read


@inline
def _quantile(probability: np.ndarray, quantile: np.ndarray, p: float) -> float:
    """Quantile function with knots at the deciles and near the ends: linear between, constant outside."""
    segment = int(p * DECILES)
    segment = segment if segment < DECILES else DECILES - 1
    low = probability[segment]
    share = (p - low) / (probability[segment + 1] - low)
    share = 0.0 if share < 0.0 else share
    share = 1.0 if share > 1.0 else share
    value = quantile[segment]
    read: float = value + share * (quantile[segment + 1] - value)
    return read


@inner
def _know_habit(
    population: np.record,
    cohort: int,
    known: Known,
    strip: Strip,
    row: int,
    past: np.ndarray,
    habit: np.ndarray,
    told: int,
) -> None:
    """Let a habit of those known follow, in their first year, from what was observed of it."""
    for i in range(told):
        persistence = population.habit_persistence
        habit[i] = habit_score(known, cohort, strip.slot[i], row, persistence, past[i], habit[i])


@inner
def _know_state(cohort: int, known: Known, strip: Strip, row: int, state: np.ndarray, told: int) -> None:
    """Let a latent of those known start, in their first year, from what was observed of it."""
    for i in range(told):
        strip.fresh[row, i] = state[i]
        state[i] = start(known, cohort, strip.slot[i], row, strip.fresh, i)


@inner
def _part_b(
    population: np.record,
    cohort: int,
    growth: float,
    known: Known,
    year: int,
    fresh: bool,
    strip: Strip,
    n: int,
    m: int,
) -> None:
    """Draw the Part B dollars of a year: AR(1) in the normal score, so that the published shape stays."""
    share = population.part_b_episode_correlation
    rest = math.sqrt(1.0 - share * share)
    dollars = strip.part_b[year]
    moving = strip.part_b_moving
    normal_scores(strip.uniforms[3], strip.a, n)
    for i in range(n):
        specialty = strip.specialty[i]
        kept = 0.0 if fresh else population.part_b_persistence[specialty]
        moving[i] = kept * moving[i] + math.sqrt(1.0 - kept * kept) * strip.a[i]
    for i in range(m):
        persistence = population.part_b_persistence[strip.specialty[i]]
        moving[i] = part_b_score(
            known, cohort, strip.slot[i], share, strip.part_b_fixed[i], persistence, moving[i]
        )
    for i in range(n):
        specialty = strip.specialty[i]
        score = strip.part_b_fixed[i] + rest * moving[i]
        dollars[i] = _from_table(population.part_b_log_shape[specialty], score)
    exponentials(dollars, n)
    for i in range(n):
        dollars[i] *= growth * strip.part_b_level[i]


@inner
def _conduct(population: np.record, strip: Strip, out: Observations, year: int, m: int) -> None:
    """Write improvement activities and promoting interoperability from the habits (§§ 512.735, 512.740)."""
    low = population.interoperability_low
    for k in range(m):
        strip.a[k] = strip.interoperability[strip.who[k]]
    normal_probabilities(strip.a, m)
    for k in range(m):
        i = strip.who[k]
        r = strip.position[k]
        size = strip.size_class[i]
        habit = strip.improvement[i]
        attested = 0 if habit < population.improvement_none_z[size] else 2
        if attested > 0 and habit < population.improvement_one_z[size]:
            attested = 1
        out.improvement_activities[year, r] = attested
        habit = strip.interoperability[i]
        above = strip.a[k] - population.interoperability_zero_probability[size]
        score = low + population.interoperability_slope[size] * above
        score = score if habit < population.interoperability_full_z[size] else 100.0
        score = score if habit >= population.interoperability_zero_z[size] else 0.0
        out.promoting_interoperability[year, r] = score


@inner
def _cost(
    population: np.record,
    trend: float,
    strip: Strip,
    field: Field,
    out: Observations,
    year: int,
    first: int,
    n: int,
    m: int,
) -> None:
    """Write episodes and cost per episode: exp of a skewed true part plus noise of variance v/n."""
    true, noise, episodes = strip.a, strip.b, strip.c
    correlation = population.cost_quality_correlation
    rest = math.sqrt(1.0 - correlation * correlation)
    for i in range(n):
        episodes[i] = field.episodes[year + PAYMENT_LAG, strip.chosen[first + i]]
        # Better quality goes with lower cost.
        score = rest * strip.cost[i] - correlation * strip.general[i]
        true[i] = population.cost_spread * _from_table(population.cost_log_shape, score)
    normal_scores(strip.uniforms[2], noise, n)
    for i in range(n):
        noise[i] *= math.sqrt(population.cost_noise_variance / max(episodes[i], 1.0))
    exponentials(true, n)
    exponentials(noise, n)
    for k in range(m):
        i = strip.who[k]
        r = strip.position[k]
        level = population.cost_scale_usd * trend * true[i]
        out.episodes[year, r] = int(episodes[i])
        out.true_cost[year, r] = level
        out.cost_per_episode[year, r] = level * noise[i] if episodes[i] > 0.0 else np.nan


@inner
def _rates(
    population: np.record,
    learning: float,
    strip: Strip,
    place: int,
    n: int,
    counts: np.ndarray,
    rates: np.ndarray,
) -> None:
    """Draw cases and rates of one measure.

    The true rate is the quantile function of the measure and collection type at the latent quality; the
    observed one is Binomial(cases, true rate)/cases, or for a risk-standardized measure the normal score
    shrunk by the reliability of the clinician's cases.
    """
    uniform, score = strip.a, strip.b
    loading = population.quality_loading
    rest = math.sqrt(1.0 - loading * loading)
    sign = -1.0 if population.rate_inverse[place] else 1.0
    specific = strip.specific[place]
    poisson_strip(strip.uniforms[2], strip.case_level[place], counts, n)
    for i in range(n):
        score[i] = sign * (loading * strip.general[i] + rest * specific[i] + learning)
    if population.measure_kind[place] == RISK_STANDARDIZED:
        reliability = population.shrinkage_reliability
        prior = population.shrinkage_mean_cases * (1.0 - reliability) / reliability
        normal_scores(strip.uniforms[3], uniform, n)
        for i in range(n):
            weight = counts[i] / max(counts[i] + prior, LEAST)
            # Noise is turned the same way round as quality: a higher uniform is better.
            score[i] = math.sqrt(weight) * score[i] + sign * math.sqrt(1.0 - weight) * uniform[i]
    normal_probabilities(score, n)
    fixed = population.measure_collection_type[place]
    for i in range(n):
        chosen = strip.collection_type[i] if fixed < 0 else fixed
        rates[i] = _quantile(population.rate_probability, population.rate_quantile[place, chosen], score[i])
    if population.measure_kind[place] == BINOMIAL:
        successes = score
        binomial_strip(strip.uniforms[3], counts, rates, successes, n)
        for i in range(n):
            rates[i] = successes[i] / max(counts[i], 1.0)


@inner
def _report(
    population: np.record, strip: Strip, out: Observations, year: int, place: int, n: int, m: int
) -> None:
    """Write one measure as it is reported: rate, cases, completeness, collection type."""
    counts, rates, habit = strip.c, strip.d, strip.a
    missed = population.missed_z[place]
    incomplete = population.incomplete_z[place]
    fixed = population.measure_collection_type[place]
    from_claims = fixed == CLAIMS
    if not from_claims:
        for i in range(n):
            habit[i] = strip.submission[place, i]
        normal_probabilities(habit, n)
    for k in range(m):
        i = strip.who[k]
        r = strip.position[k]
        submission = strip.submission[place, i]
        silent = strip.silence[i] < population.nothing_reported_z[strip.silence_class[i]]
        reported = from_claims or not (silent or submission < missed)
        above = habit[i] - population.missed_probability[place]
        partial = population.completeness_low + population.completeness_slope[place] * above
        completeness = partial if submission < incomplete else 1.0
        chosen = strip.collection_type[i] if fixed < 0 else fixed
        out.collection_type[year, place, r] = chosen if reported else NOT_REPORTED
        out.completeness[year, place, r] = completeness if reported and not from_claims else np.nan
        out.cases[year, place, r] = int(counts[i])
        out.rate[year, place, r] = rates[i] if counts[i] > 0.0 else np.nan


@inner
def _leave_out(strip: Strip, out: Observations, year: int, place: int, m: int) -> None:
    """Write a measure that is in no set."""
    for k in range(m):
        r = strip.position[k]
        out.collection_type[year, place, r] = NOT_REPORTED
        out.completeness[year, place, r] = np.nan
        out.cases[year, place, r] = 0
        out.rate[year, place, r] = np.nan


@inner
def _who_they_are(
    exempt_share: float, strip: Strip, field: Field, out: Observations, year: int, first: int, n: int
) -> int:
    """List the strip's measured clinicians of a year, write their attributes, and give their number."""
    m = 0
    for i in range(n):
        r = field.row[year, strip.chosen[first + i]]
        if r >= 0:
            strip.who[m] = i
            strip.position[m] = r
            m += 1
            out.specialty[year, r] = strip.specialty[i]
            out.practice_size[year, r] = strip.practice_size[i]
            out.hcc_risk_score[year, r] = strip.hcc_risk_score[i]
            out.dual_share[year, r] = strip.dual_share[i]
            out.exempt[year, r] = 1 if strip.uniforms[2, i] < exempt_share else 0
    return m


@inner
def _live(
    population: np.record,
    behavior: np.recarray,
    cohort: int,
    draw: int,
    key: np.ndarray,
    known: Known,
    field: Field,
    strip: Strip,
    out: Observations,
    first: int,
    n: int,
    entry: int,
    last: int,
) -> None:
    """Live n clinicians through their years: from `entry`, measured up to `last`, paid two years later."""
    u, past, scores = strip.uniforms, strip.past, strip.a
    slot, base = strip.slot, strip.base
    latent = population.latent_persistence
    habit = population.habit_persistence
    # Slots ascend, and a roster's clinicians hold the first ones from the first year on.
    told = 0
    while entry == 0 and told < n and field.slot[strip.chosen[first + told]] < known.clinicians[cohort]:
        told += 1
    draw_attributes(population, cohort, draw, key, known, field, strip, first, n, told)
    for year in range(entry, last + PAYMENT_LAG + 1):
        fresh = year == entry
        told = told if fresh else 0
        now = behavior[year]
        when = FIRST_YEAR + year
        fill_uniforms(u, BLOCK_CONDUCT, slot, base, when, draw, key, n)
        _part_b(population, cohort, now.part_b_growth[cohort], known, year, fresh, strip, n, told)
        if year > last:
            continue
        m = _who_they_are(now.exempt_share[cohort], strip, field, out, year, first, n)
        advance(strip.improvement, u[0], habit, fresh, scores, n)
        advance(strip.interoperability, u[1], habit, fresh, scores, n)
        fill_uniforms(past, BLOCK_CONDUCT, slot, base, PERMANENT, draw, key, told)
        _know_habit(population, cohort, known, strip, IMPROVEMENT, past[0], strip.improvement, told)
        _know_habit(population, cohort, known, strip, INTEROPERABILITY, past[1], strip.interoperability, told)
        _conduct(population, strip, out, year, m)
        fill_uniforms(u, BLOCK_PERFORMANCE, slot, base, when, draw, key, n)
        advance(strip.general, u[0], latent, fresh, scores, n)
        advance(strip.cost, u[1], latent, fresh, scores, n)
        advance(strip.silence, u[3], habit, fresh, scores, n)
        fill_uniforms(past, BLOCK_PERFORMANCE, slot, base, PERMANENT, draw, key, told)
        _know_state(cohort, known, strip, GENERAL, strip.general, told)
        _know_state(cohort, known, strip, COST, strip.cost, told)
        _know_habit(population, cohort, known, strip, SILENCE, past[3], strip.silence, told)
        _cost(population, now.cost_trend, strip, field, out, year, first, n, m)
        for place in range(PLACES):
            if population.measure_kind[place] == 0:
                if told > 0:  # What is known of the other latents may hang together with this one.
                    fill_uniforms(u, BLOCK_MEASURE + place, slot, base, when, draw, key, told)
                    normal_scores(u[0], strip.fresh[SPECIFIC + place], told)
                _leave_out(strip, out, year, place, m)
                continue
            specific, submission = strip.specific[place], strip.submission[place]
            fill_uniforms(u, BLOCK_MEASURE + place, slot, base, when, draw, key, n)
            advance(specific, u[0], latent, fresh, scores, n)
            advance(submission, u[1], habit, fresh, scores, n)
            fill_uniforms(past, BLOCK_MEASURE + place, slot, base, PERMANENT, draw, key, told)
            _know_state(cohort, known, strip, SPECIFIC + place, specific, told)
            _know_habit(population, cohort, known, strip, SUBMISSION + place, past[1], submission, told)
            _rates(population, now.quality_learning[cohort], strip, place, n, strip.c, strip.d)
            _report(population, strip, out, year, place, n, m)
    for i in range(n):
        c = strip.chosen[first + i]
        for year in range(entry, last + 1):
            r = field.row[year, c]
            if r >= 0:
                out.part_b[year, r] = strip.part_b[year, i]
                paid = year + PAYMENT_LAG < field.leaves[c]
                out.payment_year_part_b[year, r] = strip.part_b[year + PAYMENT_LAG, i] if paid else 0.0


@inner
def observe(
    population: np.record,
    behavior: np.recarray,
    cohort: int,
    draw: int,
    key: np.ndarray,
    known: Known,
    field: Field,
    strip: Strip,
    out: Observations,
) -> None:
    """Write what is observed of every measured clinician of a cohort in every performance year of a draw.

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's population.
    behavior : recarray, shape (CALENDAR,)
        Behavior by calendar year.
    cohort : int
        Code of the cohort.
    draw : int
        Number of the draw.
    key : ndarray of uint64, shape (2,)
        Halves of the seed.
    known : Known
        What is known of the roster's clinicians.
    field : Field
        Who is measured when, from `enroll`.
    strip : Strip
        Workspace.
    out : Observations
        Written, up to ``field.participants[year]`` in each year.
    """
    for entry in range(YEARS):
        # Those last measured in the same year are worked on together, so that none is lived on for nothing;
        # later entrants are too few to be parted.
        for last in range(entry if entry == 0 else YEARS - 1, YEARS):
            count = 0
            for c in range(field.group[entry], field.group[entry + 1]):
                if field.last[c] == last or (entry > 0 and field.last[c] >= 0):
                    strip.chosen[count] = c
                    count += 1
            for first in range(0, count, STRIP):
                n = min(STRIP, count - first)
                _live(
                    population, behavior, cohort, draw, key, known, field, strip, out, first, n, entry, last
                )
