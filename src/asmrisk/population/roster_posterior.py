"""What past years tell about a roster's clinicians: everybody's scores, given colleagues and neighbors too.

The scores of a cohort's clinicians and what they share have the population's own distribution. Part B, HCC
and dual share are seen as they are; episodes, costs and rates have likelihoods of their own
(`asmrisk.population.roster_inference`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.population.joint_inference import Information, Scores, Sites, own_gains, semidefinite_root
from asmrisk.population.latents import (
    COST,
    OWN_DUAL,
    OWN_HCC,
    OWN_LATENT,
    OWN_LEVEL,
    OWN_PART_B,
    OWN_STATES,
    SHARED_COST,
    SHARED_PART_B,
    SHARED_PATIENTS,
    SHARED_QUALITY,
    SPECIFIC,
)
from asmrisk.population.quadrature import hermite_rule, posterior_moments
from asmrisk.population.roster import Clinicians, Roster
from asmrisk.population.roster_evidence import (
    LEVEL_SITE,
    PART_B_SITES,
    evidence,
    log_expected_episodes,
    seen_exactly,
    sites_of,
)
from asmrisk.population.roster_inference import (
    EXACT,
    SEEN_NOISE,
    Cohort,
    SharedScores,
    infer,
    own_covariances,
)
from asmrisk.rule.definitions import COHORTS, MOST_MEASURES, PERFORMANCE_YEARS, SPECIALTIES, SPECIALTIES_OF

__all__ = ["Normal", "Posterior", "case_levels", "roster_posterior"]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: Variances are kept this far from 0.
_NEVER = 1e-9
_LEVEL_NODES = 15

#: Scores of both cohorts: those in common, then each cohort's of its measures.
_COMMON = OWN_LATENT + SPECIFIC
_JOINT = _COMMON + len(COHORTS) * MOST_MEASURES


class Normal(NamedTuple):
    """A normal distribution for each clinician."""

    mean: _Array
    sd: _Array


class Posterior(NamedTuple):
    """What is known of the scores of one cohort's n clinicians in the first performance year.

    Scores are those of `asmrisk.population.latents` (`OWN_STATES`). Each clinician's own parts, standardized,
    are normal given what the practice shares at the N sites of past years.
    """

    place: _Codes  #: shape (n,): index of each clinician's practice in `shared`
    shared: SharedScores
    mean: _Array  #: shape (n, OWN_STATES): of own parts, where nothing is shared
    gain: _Array  #: shape (n, OWN_STATES, N): for each unit of what is shared at the sites
    root: _Array  #: shape (n, OWN_STATES, OWN_STATES): lower triangular
    level: Normal  #: of the normal score of expected episodes, whatever is shared


def roster_posterior(population: np.recarray, roster: Roster) -> tuple[Posterior | None, ...]:
    """Learn the scores of a roster's clinicians and of their practices and areas.

    Parameters
    ----------
    population : recarray of POPULATION_DTYPE, shape (2,)
        By cohort.
    roster : Roster
        What is known.

    Returns
    -------
    tuple of Posterior or None
        By cohort; None where the roster has nobody.
    """
    scores = _scores(population)
    found: list[Posterior | None] = [None] * len(COHORTS)
    codes = [code for code, each in enumerate(roster.cohorts) if each.count]
    cohorts = [_cohort(roster.cohorts[code], population[code], scores) for code in codes]
    for code, cohort, (told, shared) in zip(
        codes, cohorts, infer(cohorts, scores, roster.practices), strict=True
    ):
        found[code] = _posterior(cohort, told, shared)
    return tuple(found)


def _scores_of(cohort: int) -> _Codes:
    """Give the numbers of a cohort's `OWN_STATES` among the scores of both cohorts."""
    first = _COMMON + cohort * MOST_MEASURES
    return np.concatenate([np.arange(_COMMON), np.arange(first, first + MOST_MEASURES)])


def _scores(population: np.recarray) -> Scores:
    """Give the shares and persistence of the scores of both cohorts; kinds of clinician are specialties."""
    record = population[0]
    numbers = np.full(_JOINT, SHARED_QUALITY)
    numbers[[OWN_HCC, OWN_DUAL]] = SHARED_PATIENTS
    numbers[OWN_PART_B] = SHARED_PART_B
    numbers[OWN_LATENT + COST] = SHARED_COST
    practice, area = record.practice_share[numbers], record.area_share[numbers]
    practice[OWN_LEVEL] = area[OWN_LEVEL] = 0.0
    own = 1.0 - practice - area
    own[OWN_PART_B] -= record.part_b_episode_correlation**2
    lasting = np.full((len(SPECIALTIES), _JOINT), record.latent_persistence)
    lasting[:, [OWN_LEVEL, OWN_HCC, OWN_DUAL]] = 1.0
    shared = lasting[: len(COHORTS)].copy()
    shared[:, OWN_PART_B] = population.part_b_shared_persistence
    for cohort, name in enumerate(COHORTS):
        codes = [SPECIALTIES.index(each) for each in SPECIALTIES_OF[name]]
        lasting[codes, OWN_PART_B] = population[cohort].part_b_persistence[codes]
    return Scores(practice, area, np.maximum(own, 0.0), shared, lasting)


def _cohort(clinicians: Clinicians, population: np.record, scores: Scores) -> Cohort:
    """Gather the sites of a cohort at which something is known, and what."""
    code, n = COHORTS.index(clinicians.cohort), clinicians.count
    every = sites_of(population, clinicians)
    value = seen_exactly(population, clinicians)
    noise = np.where(np.isnan(value), np.nan, SEEN_NOISE)
    # The latest payments go on to the last bit.
    paid = ~np.isnan(value[:, PART_B_SITES])
    latest = paid.shape[1] - 1 - paid[:, ::-1].argmax(axis=1)
    noise[:, PART_B_SITES][np.arange(n), latest] *= EXACT / SEEN_NOISE
    pending = np.zeros(value.shape, dtype=bool)
    pending[:, LEVEL_SITE] = True
    for each in evidence(population, clinicians, np.zeros(n)):
        pending[each.clinician, each.site] = True
    used = (pending | ~np.isnan(value)).any(axis=0)
    place = np.cumsum(used) - 1
    direction = np.zeros((int(used.sum()), _JOINT))
    direction[:, _scores_of(code)] = every.direction[used]
    sites = Sites(direction, every.year[used], every.cohort[used])
    now = Sites(
        np.eye(_JOINT)[_scores_of(code)],
        np.full(OWN_STATES, PERFORMANCE_YEARS[0]),
        np.full(OWN_STATES, code),
    )
    kinds, kind = np.unique(clinicians.specialty, return_inverse=True)
    own, cross = own_covariances(now, sites, scores.own, scores.own_persistence[kinds])

    def moments(mean: _Array, variance: _Array) -> list[tuple[_Codes, _Codes, _Array, _Array]]:
        found = []
        for each in evidence(population, clinicians, mean[:, place[LEVEL_SITE]]):
            at = each.clinician, place[each.site]
            if len(each.site):
                after, sd = posterior_moments(
                    each.log_likelihood, mean[at] + each.offset, np.sqrt(variance[at])
                )
                found.append((*at, after - each.offset, sd))
        return found

    return Cohort(
        practice=clinicians.practice,
        now=now,
        sites=sites,
        kind=kind,
        own=own,
        cross=cross,
        value=value[:, used],
        noise=noise[:, used],
        pending=pending[:, used],
        moments=moments,
    )


def _posterior(cohort: Cohort, told: Information, shared: SharedScores) -> Posterior:
    """Give each clinician's own scores given what is shared."""
    mean, gain, spread = own_gains(told, cohort.cross[cohort.kind])
    place = np.searchsorted(shared.practice, cohort.practice)
    sites = slice(OWN_STATES, None)
    toward = gain[:, OWN_LEVEL]
    level = mean[:, OWN_LEVEL] + np.einsum("nj,nj->n", toward, shared.mean[place, sites])
    variance = spread[:, OWN_LEVEL, OWN_LEVEL] + np.einsum(
        "ni,nij,nj->n", toward, shared.covariance[place, sites, sites], toward
    )
    return Posterior(
        place=place,
        shared=shared,
        mean=mean,
        gain=gain,
        root=semidefinite_root(spread),
        level=Normal(level, np.sqrt(np.maximum(variance, _NEVER))),
    )


def case_levels(population: np.record, clinicians: Clinicians, level: Normal) -> Normal:
    """Learn the logarithm of a clinician's eligible cases a year from past cases.

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's.
    clinicians : Clinicians
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
    mean, sd = np.full((MOST_MEASURES, clinicians.count), np.nan), np.ones((MOST_MEASURES, clinicians.count))
    for measure in range(MOST_MEASURES):
        cases = clinicians.past.cases[:, measure]
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
