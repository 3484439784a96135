"""What a roster's past numbers say of scores: the likelihood of costs, rates and episodes, and exact scores.

Known rates and costs say what the model itself implies: through the binomial noise of the cases, the noise of
the episodes, the size of the practice, the specialty and the complexity of the patients.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from asmrisk.population.joint_inference import Sites
from asmrisk.population.latents import (
    BINOMIAL,
    COST,
    GENERAL,
    OWN_DUAL,
    OWN_HCC,
    OWN_LATENT,
    OWN_LEVEL,
    OWN_PART_B,
    OWN_STATES,
    SPECIFIC,
)
from asmrisk.population.quadrature import LogLikelihood, poisson_lognormal_log_likelihood
from asmrisk.population.quantiles import SCORE_LIMIT, SCORES, read_shape
from asmrisk.population.roster import Clinicians
from asmrisk.population.roster_practices import record_systems
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    MOST_MEASURES,
    PERFORMANCE_YEARS,
    size_class,
)

__all__ = [
    "LEVEL_SITE",
    "PART_B_SITES",
    "Evidence",
    "chosen_type",
    "evidence",
    "latest",
    "log_expected_episodes",
    "part_b_scores",
    "patient_scores",
    "seen_exactly",
    "sites_of",
]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: The simulation reads a table of scores up to here.
_HIGHEST_SCORE = float(SCORES[-2])
#: Probabilities and variances are kept this far from where they would make a certainty.
_NEVER = 1e-9
#: Scores of patients are kept within this many standard deviations, where rounded shares say nothing more.
_FARTHEST = 4.0


#: Places of sites: of what is permanent, and the first of a year.
_HCC, _DUAL, LEVEL_SITE, _YEARLY = 0, 1, 2, 3
#: In a year: Part B, cost, then the measures.
_PART_B, _COST, _RATE = 0, 1, 2
_A_YEAR = _RATE + MOST_MEASURES
#: Part B in each year.
PART_B_SITES = slice(_YEARLY + _PART_B, None, _A_YEAR)


class Evidence(NamedTuple):
    """Known numbers whose likelihood is no normal one: each says something of one clinician's site."""

    clinician: _Codes  #: shape (E,)
    site: _Codes  #: shape (E,)
    offset: _Array  #: shape (E,): what the likelihood's score has beside the site
    log_likelihood: LogLikelihood  #: of scores of the numbers with these indices


def latest(values: _Array) -> tuple[_Array, NDArray[np.intp]]:
    """Find the last value, NaN if none, by year (Y, n), and the index of its year, of the last if none."""
    year = len(values) - 1 - (~np.isnan(values))[::-1].argmax(axis=0)
    return values[year, np.arange(values.shape[1])], year


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


def patient_scores(population: np.record, clinicians: Clinicians) -> tuple[_Array, _Array]:
    """Give the normal scores of the latest known HCC risk score and dual share, NaN where not known."""
    found = []
    for name in ("hcc", "dual"):
        column = {"hcc": "hcc_risk_score", "dual": "dual_share"}[name]
        known = latest(getattr(clinicians.past, column))[0]
        with np.errstate(divide="ignore"):
            score = (np.log(known) - population[f"{name}_log_mean"]) / population[f"{name}_log_sd"]
        found.append(np.clip(score, -_FARTHEST, _FARTHEST))
    return found[0], found[1]


def sites_of(population: np.record, clinicians: Clinicians) -> Sites:
    """List the sites of a cohort: HCC, dual share, expected episodes, then what is known in each year.

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's.
    clinicians : Clinicians
        Of the cohort.

    Returns
    -------
    Sites
        Directions are over the own scores of `asmrisk.population.latents`. After the first three, year by
        year: Part B, cost, the measures; whether or not anything is known of them.
    """
    cohort = COHORTS.index(clinicians.cohort)
    unit = np.eye(OWN_STATES)
    correlation = float(population.dual_hcc_correlation)
    rest = np.sqrt(1.0 - correlation * correlation)
    dual = correlation * unit[OWN_HCC] + rest * unit[OWN_DUAL]
    complexity = (unit[OWN_HCC] + dual) / np.sqrt(2.0 * (1.0 + correlation))
    part_b = population.part_b_episode_correlation * unit[OWN_LEVEL] + unit[OWN_PART_B]
    cost = (
        population.cost_episodes * unit[OWN_LEVEL]
        + population.cost_part_b * part_b
        - population.cost_quality * unit[OWN_LATENT + GENERAL]
        + population.cost_rest * unit[OWN_LATENT + COST]
        + population.cost_complexity * complexity
    )
    loading = population.quality_loading
    rates = (
        loading[:, None] * unit[OWN_LATENT + GENERAL]
        + np.sqrt(1.0 - loading * loading)[:, None] * unit[OWN_LATENT + SPECIFIC :]
        - population.quality_complexity * complexity
    )
    yearly = np.vstack([part_b, cost, rates])
    years = clinicians.years
    direction = np.vstack([unit[OWN_HCC], dual, unit[OWN_LEVEL], *[yearly] * len(years)])
    when = np.concatenate([[PERFORMANCE_YEARS[0]] * 3, np.repeat(years, len(yearly))]).astype(np.int64)
    return Sites(direction, when, np.full(len(when), cohort))


def seen_exactly(population: np.record, clinicians: Clinicians) -> _Array:
    """Give the values of sites that are known as they are, shape (n, N); NaN elsewhere.

    These are the patients' scores, and Part B's where it was paid at all.
    """
    years = len(clinicians.years)
    value = np.full((clinicians.count, _YEARLY + years * _A_YEAR), np.nan)
    value[:, _HCC], value[:, _DUAL] = patient_scores(population, clinicians)
    scores, factors = part_b_scores(
        population, clinicians.specialty, clinicians.years, clinicians.past.part_b_payments
    )
    value[:, PART_B_SITES] = np.where(factors > 0.0, scores, np.nan).T
    return value


def evidence(population: np.record, clinicians: Clinicians, level: _Array) -> Iterator[Evidence]:
    """Give what episodes, costs and rates say.

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's.
    clinicians : Clinicians
        Of the cohort.
    level : ndarray of float64, shape (n,)
        Mean normal score of expected episodes: stands in for unknown episodes behind a known cost.

    Yields
    ------
    Evidence
        Of episodes in all years together, of costs, of each measure's rates.
    """
    yield _of_episodes(population, clinicians)
    yield _of_costs(population, clinicians, level)
    types = chosen_type(clinicians, population)
    for measure in range(MOST_MEASURES):
        yield _of_rates(population, clinicians, measure, types)


def _of_episodes(population: np.record, clinicians: Clinicians) -> Evidence:
    counts = clinicians.past.episodes
    seen = np.flatnonzero(~np.isnan(counts).all(axis=0))

    def log_likelihood(level: _Array, rows: NDArray[np.intp]) -> _Array:
        log_mean = log_expected_episodes(population, level)
        total = np.zeros_like(level)
        for count in counts[:, seen[rows]]:
            there = ~np.isnan(count)
            if there.any():
                total[there] += poisson_lognormal_log_likelihood(
                    count[there, None], log_mean[there], population.episodes_shock_log_sd
                )
        return total

    return Evidence(seen, np.full(len(seen), LEVEL_SITE), np.zeros(len(seen)), log_likelihood)


def _of_costs(population: np.record, clinicians: Clinicians, level: _Array) -> Evidence:
    cost, episodes = clinicians.past.cost_per_episode, clinicians.past.episodes
    year, seen = np.nonzero(~np.isnan(cost) & ~(episodes == 0.0))
    expected = np.exp(log_expected_episodes(population, level[seen]))
    given = episodes[year, seen]
    count = np.where(np.isnan(given), np.maximum(expected, 1.0), given)[:, None]
    # A cost below a cent has no logarithm worth looking at.
    log_cost = np.log(np.maximum(cost[year, seen, None], 0.01) / population.cost_scale_usd)
    variance = np.maximum(population.cost_noise_variance / count, _NEVER)

    def log_likelihood(score: _Array, rows: NDArray[np.intp]) -> _Array:
        true = population.cost_spread * read_shape(population.cost_log_shape, score)
        return np.asarray(-((log_cost[rows] - true) ** 2) / (2.0 * variance[rows]))

    offset = population.cost_specialty_shift[clinicians.specialty[seen]]
    return Evidence(seen, _YEARLY + year * _A_YEAR + _COST, offset, log_likelihood)


def _of_rates(population: np.record, clinicians: Clinicians, measure: int, types: _Codes) -> Evidence:
    rates, numbers = clinicians.past.rate[:, measure], clinicians.past.cases[:, measure]
    year, seen = np.nonzero(~np.isnan(rates) & (numbers > 0.0))
    share = _type_shares(population, clinicians, year, seen, measure, types)
    rate, cases = rates[year, seen, None], numbers[year, seen, None]
    sign = -1.0 if population.rate_inverse[measure] else 1.0
    center, scale = population.quality_center[measure], sign / population.quality_spread[measure]
    likelihood = _binomial if population.measure_kind[measure] == BINOMIAL else _risk_standardized

    def log_likelihood(quality: _Array, rows: NDArray[np.intp]) -> _Array:
        total = np.full(quality.shape, -np.inf)
        for code in range(len(COLLECTION_TYPES)):
            weight = share[code, rows]
            of = weight > 0.0
            if of.any():
                log = likelihood(
                    population,
                    population.rate_probability[measure, code],
                    population.rate_quantile[measure, code],
                    scale * (quality[of] - center),
                    rate[rows[of]],
                    cases[rows[of]],
                )
                total[of] = np.logaddexp(total[of], log + np.log(weight[of, None]))
        return total

    size = np.searchsorted(population.practice_high, clinicians.practice_size[seen])
    size = np.minimum(size, len(population.practice_high) - 1)
    offset = (
        population.quality_size_shift[size] + population.quality_specialty_shift[clinicians.specialty[seen]]
    )
    return Evidence(seen, _YEARLY + year * _A_YEAR + _RATE + measure, offset, log_likelihood)


def chosen_type(clinicians: Clinicians, population: np.record) -> _Codes:
    """Find how clinicians report where they have the choice: the latest year's way, -1 where not known."""
    choice = population.measure_collection_type < 0
    system = latest(record_systems(clinicians.past.collection_type, choice))[0]
    return np.where(np.isnan(system), -1, system).astype(np.int64)


def _type_shares(
    population: np.record,
    clinicians: Clinicians,
    year: _Codes,
    seen: _Codes,
    measure: int,
    types: _Codes,
) -> _Array:
    """Give the probability of each collection type behind some rates, shape (types, E)."""
    fixed = population.measure_collection_type[measure]
    if fixed >= 0:
        code = np.full(len(seen), fixed)
    else:
        given = clinicians.past.collection_type[year, measure, seen]
        code = np.where(given >= 0, given, types[seen])
    share = (np.arange(len(COLLECTION_TYPES))[:, None] == code).astype(np.float64)
    electronic = population.ecqm_share[size_class(clinicians.practice_size[seen])]
    share[0] = np.where(code < 0, electronic, share[0])
    share[1] = np.where(code < 0, 1.0 - electronic, share[1])
    return np.asarray(share)


def _binomial(
    population: np.record,
    probabilities: _Array,
    quantiles: _Array,
    score: _Array,
    rate: _Array,
    cases: _Array,
) -> _Array:
    true = np.clip(np.interp(ndtr(score), probabilities, quantiles), _NEVER, 1.0 - _NEVER)
    met = rate * cases
    # Reported rates are rounded: what is met need not be a whole number.
    return np.asarray(met * np.log(true) + (cases - met) * np.log1p(-true))


def _risk_standardized(
    population: np.record,
    probabilities: _Array,
    quantiles: _Array,
    score: _Array,
    rate: _Array,
    cases: _Array,
) -> _Array:
    """Likelihood of a rate whose normal score is sqrt(w) score + sqrt(1 - w) noise, w the reliability."""
    prior = population.shrinkage_mean_cases * (1.0 / population.shrinkage_reliability - 1.0)
    weight = cases / (cases + prior)
    noise = np.sqrt(np.maximum(1.0 - weight, _NEVER))
    knots = ndtri(probabilities)
    observed = ndtri(np.interp(rate, quantiles, probabilities))
    apart = (observed - np.sqrt(weight) * score) / noise
    log = -apart * apart / 2.0
    # Outside the published percentiles the quantile function is flat: the score lies anywhere beyond.
    low, high = (np.sqrt(weight) * score - knots[[0, -1], None, None]) / noise
    log = np.where(rate <= quantiles[0], log_ndtr(-low) + 0.0 * log, log)
    return np.asarray(np.where(rate >= quantiles[-1], log_ndtr(high) + 0.0 * log, log))
