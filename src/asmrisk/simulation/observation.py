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
    habit_probability,
    habit_score,
    part_b_score,
)
from asmrisk.simulation.participation import CALENDAR, FIRST_YEAR, STRIP, YEARS, Field
from asmrisk.simulation.state import PLACES, Observations, Strip
from asmrisk.simulation.strips import (
    advance,
    exponentials,
    normal_probabilities,
    normal_scores,
    read_quantiles,
)
from asmrisk.simulation.variates import binomial_strip, poisson_strip

__all__ = ["observe"]

#: Keeps a division by nothing from being one by 0.
LEAST = 1e-300
#: Codes of `measure_kind`.
BINOMIAL, RISK_STANDARDIZED = 1, 2
#: Code of the collection type of measures that CMS computes.
CLAIMS = COLLECTION_TYPES.index("claims")
#: The step and the ends of tables over the normal score.
SCORES_A_UNIT, LEAST_SCORE, LAST_INTERVAL = 16.0, -6.5, 207.0


@inline
def _from_table(table: np.ndarray, first: np.uint64, score: float) -> float:
    """Read a table over the normal score (-6.5 to 6.5 by sixteenths) that begins at `first`, linearly."""
    place = (score - LEAST_SCORE) * SCORES_A_UNIT
    place = 0.0 if place < 0.0 else place
    place = LAST_INTERVAL if place > LAST_INTERVAL else place
    # An unsigned index needs no check for counting from the end.
    below = np.uint64(place)
    value = table[first + below]
    read: float = value + (place - below) * (table[first + below + np.uint64(1)] - value)
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
    probability, before = strip.b, strip.c
    persistence = population.habit_persistence
    for i in range(told):
        probability[i] = habit_probability(known, cohort, strip.slot[i], row, past[i])
    normal_scores(probability, before, told)
    for i in range(told):
        habit[i] = habit_score(known, cohort, strip.slot[i], row, persistence, before[i], habit[i])


@inner
def _know_state(cohort: int, known: Known, strip: Strip, row: int, state: np.ndarray, told: int) -> None:
    """Let a latent of those known start, in their first year, from what was observed of it."""
    slot, fresh, mean = strip.slot, strip.fresh, known.state_mean[cohort, row]
    for i in range(told):
        fresh[row, i] = state[i]
        state[i] = mean[slot[i]]
    # Column by column, since a column of all clinicians lies side by side.
    for column in range(row + 1):
        root = known.state_root[cohort, row, column]
        for i in range(told):
            state[i] += root[slot[i]] * fresh[column, i]


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
        kept, new = strip.part_b_kept[i], strip.part_b_new[i]
        moving[i] = strip.a[i] if fresh else kept * moving[i] + new * strip.a[i]
    for i in range(m):
        moving[i] = part_b_score(
            known, cohort, strip.slot[i], share, strip.part_b_fixed[i], strip.part_b_kept[i], moving[i]
        )
    for i in range(n):
        score = strip.part_b_fixed[i] + rest * moving[i]
        dollars[i] = _from_table(strip.tables, strip.part_b_table[i], score)
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
    n: int,
    m: int,
) -> None:
    """Write episodes and cost per episode: exp of a skewed true part plus noise of variance v/n."""
    true, noise, episodes = strip.a, strip.b, strip.c
    correlation = population.cost_quality_correlation
    rest = math.sqrt(1.0 - correlation * correlation)
    first_table = np.uint64(0)
    for i in range(n):
        episodes[i] = field.episodes[year + PAYMENT_LAG, strip.chosen[i]]
        # Better quality goes with lower cost.
        score = rest * strip.cost[i] - correlation * strip.general[i]
        true[i] = population.cost_spread * _from_table(strip.tables, first_table, score)
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
    knots, heights = population.rate_probability, population.rate_quantile[place]
    if fixed >= 0:
        read_quantiles(knots, heights[fixed], score, rates, n)
    else:
        read_quantiles(knots, heights[0], score, rates, n)
        read_quantiles(knots, heights[1], score, uniform, n)
        for i in range(n):
            rates[i] = rates[i] if strip.collection_type[i] == 0 else uniform[i]
    if population.measure_kind[place] == BINOMIAL:
        successes = score
        binomial_strip(strip.uniforms[3], counts, rates, successes, n, strip.sums)
        for i in range(n):
            rates[i] = successes[i] / max(counts[i], 1.0)


@inner
def _report(
    population: np.record, strip: Strip, out: Observations, year: int, place: int, n: int, m: int
) -> None:
    """Write one measure as it is reported: rate, cases, completeness, collection type."""
    counts, rates, completeness, code = strip.c, strip.d, strip.a, strip.code
    fixed = population.measure_collection_type[place]
    if fixed == CLAIMS:
        for i in range(n):
            code[i] = CLAIMS
            completeness[i] = np.nan
    else:
        submission = strip.submission[place]
        missed = population.missed_z[place]
        incomplete = population.incomplete_z[place]
        missed_probability = population.missed_probability[place]
        low, slope = population.completeness_low, population.completeness_slope[place]
        for i in range(n):
            completeness[i] = submission[i]
        normal_probabilities(completeness, n)
        for i in range(n):
            reported = strip.silent[i] == 0 and submission[i] >= missed
            chosen = strip.collection_type[i] if fixed < 0 else fixed
            code[i] = chosen if reported else NOT_REPORTED
            partial = low + slope * (completeness[i] - missed_probability)
            share = partial if submission[i] < incomplete else 1.0
            completeness[i] = share if reported else np.nan
    for i in range(n):
        rates[i] = rates[i] if counts[i] > 0.0 else np.nan
    for k in range(m):
        i = strip.who[k]
        r = strip.position[k]
        out.collection_type[year, place, r] = code[i]
        out.completeness[year, place, r] = completeness[i]
        out.cases[year, place, r] = int(counts[i])
        out.rate[year, place, r] = rates[i]


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
def _find_measured(strip: Strip, field: Field, year: int, n: int) -> int:
    """List the strip's measured clinicians of a year, and give their number."""
    row, chosen, who, position = field.row[year], strip.chosen, strip.who, strip.position
    m = 0
    for i in range(n):
        # Written always, kept if the count moves on: quicker than a branch that nobody can predict.
        r = row[chosen[i]]
        who[m] = i
        position[m] = r
        m += r >= 0
    return m


@inner
def _who_they_are(
    exempt_share: float, strip: Strip, field: Field, out: Observations, year: int, n: int
) -> int:
    """List the strip's measured clinicians of a year, write their attributes, and give their number."""
    m = _find_measured(strip, field, year, n)
    who, position = strip.who, strip.position
    specialty, practice_size, exempt = out.specialty[year], out.practice_size[year], out.exempt[year]
    hcc_risk_score, dual_share = out.hcc_risk_score[year], out.dual_share[year]
    for k in range(m):
        i = who[k]
        r = position[k]
        specialty[r] = strip.specialty[i]
        practice_size[r] = strip.practice_size[i]
        hcc_risk_score[r] = strip.hcc_risk_score[i]
        dual_share[r] = strip.dual_share[i]
        exempt[r] = 1 if strip.uniforms[2, i] < exempt_share else 0
    return m


@inner
def _pay(strip: Strip, field: Field, out: Observations, year: int, n: int) -> None:
    """Write what the strip's measured clinicians of a year are paid in it and two years later."""
    m = _find_measured(strip, field, year, n)
    for k in range(m):
        i = strip.who[k]
        r = strip.position[k]
        paid = year + PAYMENT_LAG < field.leaves[strip.chosen[i]]
        out.part_b[year, r] = strip.part_b[year, i]
        out.payment_year_part_b[year, r] = strip.part_b[year + PAYMENT_LAG, i] if paid else 0.0


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
    n: int,
    entry: int,
) -> None:
    """Live the strip's n clinicians through their years, from `entry` on.

    They come in the order of their last measured years, the latest first (a roster's before the others), so
    that who is left in a year comes first.
    Part B goes on for two years after the last measured one.
    """
    u, past, scores = strip.uniforms, strip.past, strip.a
    slot, base = strip.slot, strip.base
    latent = population.latent_persistence
    habit = population.habit_persistence
    # A roster's clinicians hold the first slots from the first year on, and come first in the strip.
    told = 0
    while entry == 0 and told < n and field.slot[strip.chosen[told]] < known.clinicians[cohort]:
        told += 1
    draw_attributes(population, cohort, draw, key, known, field, strip, n, told)
    left = n
    for year in range(entry, CALENDAR):
        while left > 0 and field.last[strip.chosen[left - 1]] + PAYMENT_LAG < year:
            left -= 1
        paid, measured = left, left
        while measured > 0 and field.last[strip.chosen[measured - 1]] < year:
            measured -= 1
        fresh = year == entry
        told = told if fresh else 0
        now = behavior[year]
        when = FIRST_YEAR + year
        fill_uniforms(u, BLOCK_CONDUCT, slot, base, when, draw, key, paid)
        _part_b(population, cohort, now.part_b_growth[cohort], known, year, fresh, strip, paid, told)
        if year >= entry + PAYMENT_LAG:
            _pay(strip, field, out, year - PAYMENT_LAG, paid)
        if measured == 0:
            continue
        m = _who_they_are(now.exempt_share[cohort], strip, field, out, year, measured)
        advance(strip.improvement, u[0], habit, fresh, scores, measured)
        advance(strip.interoperability, u[1], habit, fresh, scores, measured)
        fill_uniforms(past, BLOCK_CONDUCT, slot, base, PERMANENT, draw, key, told)
        _know_habit(population, cohort, known, strip, IMPROVEMENT, past[0], strip.improvement, told)
        _know_habit(population, cohort, known, strip, INTEROPERABILITY, past[1], strip.interoperability, told)
        _conduct(population, strip, out, year, m)
        fill_uniforms(u, BLOCK_PERFORMANCE, slot, base, when, draw, key, measured)
        advance(strip.general, u[0], latent, fresh, scores, measured)
        advance(strip.cost, u[1], latent, fresh, scores, measured)
        advance(strip.silence, u[3], habit, fresh, scores, measured)
        fill_uniforms(past, BLOCK_PERFORMANCE, slot, base, PERMANENT, draw, key, told)
        _know_state(cohort, known, strip, GENERAL, strip.general, told)
        _know_state(cohort, known, strip, COST, strip.cost, told)
        _know_habit(population, cohort, known, strip, SILENCE, past[3], strip.silence, told)
        for i in range(measured):
            silent = strip.silence[i] < population.nothing_reported_z[strip.silence_class[i]]
            strip.silent[i] = 1 if silent else 0
        _cost(population, now.cost_trend, strip, field, out, year, measured, m)
        for place in range(PLACES):
            if population.measure_kind[place] == 0:
                if told > 0:  # What is known of the other latents may hang together with this one.
                    fill_uniforms(u, BLOCK_MEASURE + place, slot, base, when, draw, key, told)
                    normal_scores(u[0], strip.fresh[SPECIFIC + place], told)
                _leave_out(strip, out, year, place, m)
                continue
            specific, submission = strip.specific[place], strip.submission[place]
            fill_uniforms(u, BLOCK_MEASURE + place, slot, base, when, draw, key, measured)
            advance(specific, u[0], latent, fresh, scores, measured)
            advance(submission, u[1], habit, fresh, scores, measured)
            fill_uniforms(past, BLOCK_MEASURE + place, slot, base, PERMANENT, draw, key, told)
            _know_state(cohort, known, strip, SPECIFIC + place, specific, told)
            _know_habit(population, cohort, known, strip, SUBMISSION + place, past[1], submission, told)
            _rates(population, now.quality_learning[cohort], strip, place, measured, strip.c, strip.d)
            _report(population, strip, out, year, place, measured, m)


@inner
def _choose(entry: int, cohort: int, known: Known, field: Field, strip: Strip, first: int) -> tuple[int, int]:
    """Fill a strip from clinician `first` of a year of entry on, with those who are ever measured.

    A roster's clinicians come first, then the others, both by their last measured year, the latest first. So
    those who are left in a year are side by side, while all are near each other in what is written.

    Returns
    -------
    int, int
        Clinicians in the strip, and the first one after them.
    """
    end = first
    n = 0
    while end < field.group[entry + 1] and n < STRIP:
        n += 1 if field.last[end] >= 0 else 0
        end += 1
    # A roster's clinicians come first, since they hold the first slots.
    told = min(max(known.clinicians[cohort], first), end) if entry == 0 else first
    count = 0
    for part in range(2):
        start, stop = (first, told) if part == 0 else (told, end)
        for back in range(YEARS):
            for c in range(start, stop):
                if field.last[c] == YEARS - 1 - back:
                    strip.chosen[count] = c
                    count += 1
    return n, end


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
    # Side by side, since a field of a record is slow to read at scattered places.
    length = len(population.cost_log_shape)
    for k in range(length):
        strip.tables[k] = population.cost_log_shape[k]
        for specialty in range(len(population.part_b_log_shape)):
            strip.tables[(specialty + 1) * length + k] = population.part_b_log_shape[specialty, k]
    for entry in range(YEARS):
        c = field.group[entry]
        while c < field.group[entry + 1]:
            n, c = _choose(entry, cohort, known, field, strip, c)
            _live(population, behavior, cohort, draw, key, known, field, strip, out, n, entry)
