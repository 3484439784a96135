"""What past years tell about a clinician: Part B, episodes, cases, latent quality and cost, reporting habits.

Each function takes a cohort's population and what is known of its n roster clinicians, and gives a
distribution in place of the one from which a synthetic clinician is drawn. Known rates and costs are shrunk
as the model itself implies: through the binomial noise of the cases, the noise of the episodes, the
correlation between measures and the persistence from year to year.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from asmrisk.population.latents import (
    BINOMIAL,
    COST,
    GENERAL,
    HABITS,
    IMPROVEMENT,
    INTEROPERABILITY,
    LATENT_STATES,
    NONREPORTING,
    SPECIFIC,
    SUBMISSION,
)
from asmrisk.population.quadrature import (
    hermite_rule,
    poisson_lognormal_log_likelihood,
    posterior_moments,
)
from asmrisk.population.quantiles import SCORE_LIMIT, SCORES, read_rate, read_shape
from asmrisk.population.roster import KNOWN_YEARS, UNKNOWN, Clinicians
from asmrisk.rule.definitions import (
    COLLECTION_TYPES,
    MOST_MEASURES,
    NOT_REPORTED,
    PERFORMANCE_YEARS,
    measures_of,
    size_class,
)

__all__ = [
    "Intervals",
    "Normal",
    "States",
    "case_levels",
    "chosen_type",
    "episode_level",
    "habit_intervals",
    "latent_states",
    "latest",
    "log_expected_episodes",
    "part_b_scores",
    "practice_group",
]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: The simulation reads a table of scores up to here.
_HIGHEST_SCORE = float(SCORES[-2])
#: Probabilities and variances are kept this far from where they would make a certainty.
_NEVER = 1e-9
#: Probabilities of habits stay inside the range of the normal quantile function.
_LEAST = 1e-12
_LEVEL_NODES = 15


class Normal(NamedTuple):
    """A normal distribution for each clinician."""

    mean: _Array
    sd: _Array


class Intervals(NamedTuple):
    """Probabilities between which each clinician's habits lay when last seen; 0 and 1 where never."""

    low: _Array  #: shape (HABITS, n)
    high: _Array  #: shape (HABITS, n)
    years_since: _Codes  #: shape (HABITS, n): from then to the first performance year


class States(NamedTuple):
    """The joint normal distribution of each clinician's latents in the first performance year."""

    mean: _Array  #: shape (n, states)
    covariance: _Array  #: shape (n, states, states)


def latest(values: _Array) -> tuple[_Array, NDArray[np.intp]]:
    """Find the last value, NaN if none, by year (Y, n), and the index of its year, of the last if none."""
    year = len(values) - 1 - (~np.isnan(values))[::-1].argmax(axis=0)
    return values[year, np.arange(values.shape[1])], year


def practice_group(population: np.record, practice_size: _Codes) -> _Codes:
    """Give the class of practice size by which reporting differs (solo, 2-5, 6-15, more)."""
    return np.minimum(np.searchsorted(population.practice_high, practice_size), 3).astype(np.int64)


def part_b_scores(
    population: np.record, specialty: _Codes, years: _Codes, dollars: _Array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the normal scores at which the specialties' distributions of Part B have the known dollars.

    Known dollars are brought to the first performance year by the specialty's trend.

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's.
    specialty : ndarray of int64, shape (n,)
        Codes.
    years : ndarray of int64, shape (Y,)
        In which they were paid.
    dollars : ndarray of float64, shape (Y, n)
        NaN where not known.

    Returns
    -------
    score, factor : ndarray of float64, shape (Y, n)
        ``dollars = factor * level * exp(shape(score))`` but for the trend; the factor is 1 but beyond the
        ends of the table, and 0 where there are no dollars.
    """
    score, factor = np.full_like(dollars, np.nan), np.full_like(dollars, np.nan)
    for code in np.unique(specialty).tolist():
        shape = population.part_b_log_shape[code]
        of = specialty == code
        paid = dollars[:, of] * (1.0 + population.part_b_trend[code]) ** (
            PERFORMANCE_YEARS[0] - years[:, None]
        )
        ratio = np.log(np.where(paid > 0.0, paid, 1.0)) - np.log(population.part_b_level[code])
        # A point of a flat stretch is as good as another: the first keeps the table ascending.
        rising = np.concatenate([[True], np.diff(shape) > 0.0])
        at = np.interp(ratio, shape[rising], SCORES[rising])
        at = np.minimum(np.where(ratio >= shape[-1], SCORE_LIMIT, at), _HIGHEST_SCORE)
        over = (ratio < shape[0]) | (ratio > shape[-2])
        rest = np.where(over, np.exp(ratio - read_shape(shape, at)), 1.0)
        score[:, of] = np.where(np.isnan(paid), np.nan, np.where(paid > 0.0, at, -SCORE_LIMIT))
        factor[:, of] = np.where(np.isnan(paid), np.nan, np.where(paid > 0.0, rest, 0.0))
    return score, factor


def log_expected_episodes(population: np.record, scores: _Array) -> _Array:
    """Give the logarithm of expected episodes a year at normal scores of the level."""
    above = (1.0 - population.episodes_floor_probability) * ndtr(-scores)
    return np.asarray(
        population.episodes_log_mean - population.episodes_log_sd * ndtri(above), dtype=np.float64
    )


def episode_level(population: np.record, roster: Clinicians, scores: _Array) -> Normal:
    """Learn the normal score of expected episodes from Part B and from past episodes.

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's.
    roster : Clinicians
        Of the cohort.
    scores : ndarray of float64, shape (Y, n)
        Scores of Part B, from `part_b_scores`.

    Returns
    -------
    Normal
        Given a year's Part B it is normal; known episodes are Poisson with lognormal shocks.
    """
    share = population.part_b_episode_correlation
    rest = np.sqrt(1.0 - share * share)
    persistence = population.part_b_persistence[roster.specialty]
    precision, weighted = np.zeros(roster.count), np.zeros(roster.count)
    before, last = np.full(roster.count, np.nan), np.zeros(roster.count)
    for year, score in zip(roster.years.tolist(), scores, strict=True):
        # The part that moves is (score - share * level) / rest: AR(1), seen without noise.
        kept = np.where(np.isnan(before), 0.0, persistence ** (year - last))
        variance = 1.0 - kept * kept
        tells = ~np.isnan(score) & (variance > _NEVER)
        slope = share * (1.0 - kept) / rest
        value = (score - kept * np.where(np.isnan(before), 0.0, before)) / rest
        precision += np.where(tells, slope * slope / np.maximum(variance, _NEVER), 0.0)
        weighted += np.where(tells, slope * value / np.maximum(variance, _NEVER), 0.0)
        last = np.where(np.isnan(score), last, year)
        before = np.where(np.isnan(score), before, score)
    mean, sd = weighted / (1.0 + precision), 1.0 / np.sqrt(1.0 + precision)
    seen = np.flatnonzero(~np.isnan(roster.past.episodes).all(axis=0))
    if len(seen):
        counts = roster.past.episodes[:, seen]

        def log_likelihood(level: _Array, rows: NDArray[np.intp]) -> _Array:
            log_mean = log_expected_episodes(population, level)
            total = np.zeros_like(level)
            for count in counts[:, rows]:
                there = ~np.isnan(count)
                if there.any():
                    total[there] += poisson_lognormal_log_likelihood(
                        count[there, None], log_mean[there], population.episodes_shock_log_sd
                    )
            return total

        mean[seen], sd[seen] = posterior_moments(log_likelihood, mean[seen], sd[seen])
    return Normal(mean, sd)


def case_levels(population: np.record, roster: Clinicians, level: Normal) -> Normal:
    """Learn the logarithm of a clinician's eligible cases a year from past cases.

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's.
    roster : Clinicians
        Of the cohort.
    level : Normal
        Of the normal score of expected episodes, on which cases depend.

    Returns
    -------
    Normal
        Shape (MOST_MEASURES, n); NaN where no cases are known.
    """
    nodes, weights = hermite_rule(_LEVEL_NODES)
    logs = log_expected_episodes(population, level.mean + level.sd * nodes[:, None])
    expected = weights @ logs
    variance = weights @ (logs - expected) ** 2
    own = population.cases_log_sd**2
    spread = np.sqrt(np.maximum(variance + own, _NEVER))
    mean, sd = np.full((MOST_MEASURES, roster.count), np.nan), np.ones((MOST_MEASURES, roster.count))
    for measure in range(MOST_MEASURES):
        cases = roster.past.cases[:, measure]
        years = (~np.isnan(cases)).sum(axis=0)
        seen = np.flatnonzero(years)
        if population.cases_factor[measure] <= 0.0 or not len(seen):
            continue
        total = np.nansum(cases[:, seen], axis=0)[:, None]
        count = years[seen][:, None]

        def log_likelihood(
            log_cases: _Array, rows: NDArray[np.intp], total: _Array = total, count: _Array = count
        ) -> _Array:
            return np.asarray(total[rows] * log_cases - count[rows] * np.exp(log_cases))

        prior = np.log(population.cases_factor[measure]) + expected[seen] - own / 2.0
        mean[measure, seen], sd[measure, seen] = posterior_moments(log_likelihood, prior, spread[seen])
    return Normal(mean, sd)


def chosen_type(roster: Clinicians, population: np.record) -> _Codes:
    """Find how clinicians report where they have the choice: the latest year's way, -1 where not known."""
    choice = population.measure_collection_type < 0
    types = np.full(roster.count, -1, np.int64)
    for year in range(len(roster.years)):
        given = roster.past.collection_type[year, choice]
        votes = (given == 0).sum(axis=0), (given == 1).sum(axis=0)
        types = np.where(votes[0] + votes[1] > 0, np.where(votes[1] > votes[0], 1, 0), types)
    return types


def latent_states(population: np.record, roster: Clinicians, level: Normal) -> States:
    """Learn latent quality and cost from past rates and costs.

    Year by year the latents move (AR(1)), and each known number changes the distribution of the one
    combination of latents that it depends on: exactly in that combination's mean and variance, and in the
    others through their covariance (assumed density filtering; Minka, Expectation propagation, 2001).

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's.
    roster : Clinicians
        Of the cohort.
    level : Normal
        Of the normal score of expected episodes: stands in for unknown episodes behind a known cost.

    Returns
    -------
    States
        In the first performance year.
    """
    mean = np.zeros((roster.count, LATENT_STATES))
    covariance = np.tile(np.eye(LATENT_STATES), (roster.count, 1, 1))
    correlation, loading = population.cost_quality_correlation, population.quality_loading
    cost = np.zeros(LATENT_STATES)
    cost[COST], cost[GENERAL] = np.sqrt(1.0 - correlation * correlation), -correlation
    expected = np.exp(log_expected_episodes(population, level.mean))
    clinicians_type = chosen_type(roster, population)
    persistence = population.latent_persistence
    for year in range(KNOWN_YEARS.first, KNOWN_YEARS.last + 1):
        if year > KNOWN_YEARS.first:
            mean *= persistence
            covariance *= persistence * persistence
            covariance += (1.0 - persistence * persistence) * np.eye(LATENT_STATES)
        for at in np.flatnonzero(roster.years == year).tolist():
            seen, likelihood = _cost_evidence(population, roster, at, expected)
            _update(mean, covariance, cost, seen, likelihood)
            for measure in range(MOST_MEASURES):
                quality = np.zeros(LATENT_STATES)
                quality[GENERAL] = loading
                quality[SPECIFIC + measure] = np.sqrt(1.0 - loading * loading)
                seen, likelihood = _rate_evidence(population, roster, at, measure, clinicians_type)
                _update(mean, covariance, quality, seen, likelihood)
    return States(mean, covariance)


_Likelihood = Callable[[_Array, NDArray[np.intp]], _Array]


def _update(
    mean: _Array, covariance: _Array, direction: _Array, seen: NDArray[np.intp], likelihood: _Likelihood
) -> None:
    """Condition on what is known of one combination of the latents of the clinicians `seen`."""
    if not len(seen):
        return
    toward = covariance[seen] @ direction
    center, variance = mean[seen] @ direction, toward @ direction
    after, sd = posterior_moments(likelihood, center, np.sqrt(variance))
    gain = toward / variance[:, None]
    mean[seen] += gain * (after - center)[:, None]
    covariance[seen] -= (variance - sd * sd)[:, None, None] * gain[:, :, None] * gain[:, None, :]


def _cost_evidence(
    population: np.record, roster: Clinicians, at: int, expected: _Array
) -> tuple[NDArray[np.intp], _Likelihood]:
    cost, episodes = roster.past.cost_per_episode[at], roster.past.episodes[at]
    seen = np.flatnonzero(~np.isnan(cost) & ~(episodes == 0.0))
    count = np.where(np.isnan(episodes), np.maximum(expected, 1.0), episodes)[seen, None]
    # A cost below a cent has no logarithm worth looking at.
    log_cost = np.log(np.maximum(cost[seen, None], 0.01) / population.cost_scale_usd)
    variance = np.maximum(population.cost_noise_variance / count, _NEVER)

    def likelihood(score: _Array, rows: NDArray[np.intp]) -> _Array:
        true = population.cost_spread * read_shape(population.cost_log_shape, score)
        return np.asarray(-((log_cost[rows] - true) ** 2) / (2.0 * variance[rows]))

    return seen, likelihood


def _rate_evidence(
    population: np.record, roster: Clinicians, at: int, measure: int, clinicians_type: _Codes
) -> tuple[NDArray[np.intp], _Likelihood]:
    rate, cases = roster.past.rate[at, measure], roster.past.cases[at, measure]
    seen = np.flatnonzero(~np.isnan(rate) & (cases > 0.0))
    share = _type_shares(population, roster, at, measure, clinicians_type)[:, seen]
    binomial = population.measure_kind[measure] == BINOMIAL
    sign = -1.0 if population.rate_inverse[measure] else 1.0
    evidence = _binomial if binomial else _risk_standardized

    def likelihood(quality: _Array, rows: NDArray[np.intp]) -> _Array:
        total = np.full(quality.shape, -np.inf)
        for code in range(len(COLLECTION_TYPES)):
            weight = share[code, rows]
            of = weight > 0.0
            if of.any():
                who = seen[rows[of]]
                log = evidence(
                    population,
                    population.rate_quantile[measure, code],
                    sign * quality[of],
                    rate[who, None],
                    cases[who, None],
                )
                total[of] = np.logaddexp(total[of], log + np.log(weight[of, None]))
        return total

    return seen, likelihood


def _type_shares(
    population: np.record, roster: Clinicians, at: int, measure: int, clinicians_type: _Codes
) -> _Array:
    """Give the probability of each collection type behind a rate, shape (types, n)."""
    fixed = population.measure_collection_type[measure]
    if fixed >= 0:
        code = np.full(roster.count, fixed)
    else:
        given = roster.past.collection_type[at, measure]
        code = np.where(given >= 0, given, clinicians_type)
    share = (np.arange(len(COLLECTION_TYPES))[:, None] == code).astype(np.float64)
    electronic = population.ecqm_share[size_class(roster.practice_size)]
    share[0] = np.where(code < 0, electronic, share[0])
    share[1] = np.where(code < 0, 1.0 - electronic, share[1])
    return np.asarray(share)


def _binomial(population: np.record, quantiles: _Array, score: _Array, rate: _Array, cases: _Array) -> _Array:
    true = np.clip(read_rate(quantiles, ndtr(score)), _NEVER, 1.0 - _NEVER)
    met = rate * cases
    # Reported rates are rounded: what is met need not be a whole number.
    return np.asarray(met * np.log(true) + (cases - met) * np.log1p(-true))


def _risk_standardized(
    population: np.record, quantiles: _Array, score: _Array, rate: _Array, cases: _Array
) -> _Array:
    """Likelihood of a rate whose normal score is sqrt(w) score + sqrt(1 - w) noise, w the reliability."""
    prior = population.shrinkage_mean_cases * (1.0 / population.shrinkage_reliability - 1.0)
    weight = cases / (cases + prior)
    noise = np.sqrt(np.maximum(1.0 - weight, _NEVER))
    knots = ndtri(population.rate_probability)
    observed = ndtri(np.interp(rate, quantiles, population.rate_probability))
    apart = (observed - np.sqrt(weight) * score) / noise
    log = -apart * apart / 2.0
    # Outside the published percentiles the quantile function is flat: the score lies anywhere beyond.
    low, high = (np.sqrt(weight) * score - knots[[0, -1], None, None]) / noise
    log = np.where(rate <= quantiles[0], log_ndtr(-low) + 0.0 * log, log)
    return np.asarray(np.where(rate >= quantiles[-1], log_ndtr(high) + 0.0 * log, log))


def habit_intervals(population: np.record, roster: Clinicians) -> Intervals:
    """Find between which probabilities each habit lay in the latest year in which it was seen.

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's.
    roster : Clinicians
        Of the cohort.

    Returns
    -------
    Intervals
        A habit that decides between few outcomes leaves an interval, one that decides a number a point.
    """
    n, past = roster.count, roster.past
    habits = Intervals(np.zeros((HABITS, n)), np.ones((HABITS, n)), np.zeros((HABITS, n), np.int64))

    def write(habit: int, values: _Array, when: NDArray[np.intp], low: _Array, high: _Array) -> None:
        seen = ~np.isnan(values)
        low = np.clip(low, _LEAST, 1.0 - _NEVER)
        habits.low[habit] = np.where(seen, low, 0.0)
        habits.high[habit] = np.where(seen, np.clip(high, low, 1.0 - _LEAST), 1.0)
        habits.years_since[habit] = np.where(seen, KNOWN_YEARS.last - roster.years[when], 0)

    size = size_class(roster.practice_size)
    none, one = ndtr(population.improvement_none_z[size]), ndtr(population.improvement_one_z[size])
    attested, when = latest(past.improvement_activities)
    low: _Array = np.select([attested == 0, attested == 1], [np.zeros_like(none), none], one)
    high: _Array = np.select([attested == 0, attested == 1], [none, one], np.ones_like(one))
    write(IMPROVEMENT, attested, when, low, high)

    zero = population.interoperability_zero_probability[size]
    full = 1.0 - population.interoperability_full_probability[size]
    score, when = latest(past.promoting_interoperability)
    slope = population.interoperability_slope[size]
    point = zero + (score - population.interoperability_low) / np.where(slope > 0.0, slope, np.inf)
    point = np.clip(point, zero, np.maximum(zero, full))
    low = np.select([score == 0.0, score == 100.0], [0.0, full], point)
    high = np.select([score == 0.0, score == 100.0], [zero, 1.0], point)
    write(INTEROPERABILITY, score, when, low, high)

    measures = measures_of(roster.cohort)
    voluntary = [code for code, each in enumerate(measures) if not each.claims and each.final]
    stated = past.collection_type != UNKNOWN
    reported = stated & (past.collection_type != NOT_REPORTED)
    any_reported = reported[:, voluntary].any(axis=1)
    none_reported = stated[:, voluntary].all(axis=1) & ~any_reported
    spoken, when = latest(np.where(any_reported, 1.0, np.where(none_reported, 0.0, np.nan)))
    threshold = ndtr(population.nothing_reported_z[practice_group(population, roster.practice_size)])
    low, high = np.where(spoken == 1.0, threshold, 0.0), np.where(spoken == 1.0, 1.0, threshold)
    write(NONREPORTING, spoken, when, low, high)

    for measure in voluntary:
        # Of who reported nothing at all it is not known whether this measure would have been missed.
        known_of = stated[:, measure] & ~none_reported
        submitted, when = latest(np.where(known_of, reported[:, measure].astype(np.float64), np.nan))
        completeness = past.completeness[when, measure, np.arange(n)]
        missed = population.missed_probability[measure]
        enough = missed + population.incomplete_probability[measure]
        slope = population.completeness_slope[measure]
        point = missed + (completeness - population.completeness_low) / (slope if slope > 0.0 else np.inf)
        point = np.clip(point, missed, enough)
        cases = [submitted == 0.0, np.isnan(completeness), completeness < 1.0]
        low = np.select(cases, [0.0, missed, point], enough)
        high = np.select(cases, [missed, 1.0, point], 1.0)
        write(SUBMISSION + measure, submitted, when, low, high)
    return habits
