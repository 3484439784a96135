"""What past years tell about a roster's clinicians: everybody's scores, given colleagues and neighbors too.

The scores of a cohort's clinicians and what they share (`asmrisk.population.joint_inference`) have the
population's own distribution. Part B, HCC and dual share are seen as they are; episodes, costs and rates have
likelihoods of their own, each of which becomes a normal site that gives its combination of scores the mean
and the variance that the likelihood does, given everything else that is known, its own colleagues' numbers
too (expectation propagation; Minka, 2001; Rasmussen and Williams, section 3.6).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.population.joint_inference import (
    Information,
    Scores,
    Shared,
    Sites,
    condense,
    covariance,
    leave_one_out,
    own_gains,
    semidefinite_root,
    shared_posterior,
)
from asmrisk.population.latents import (
    COST,
    LATENT_STATES,
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
from asmrisk.population.roster_evidence import evidence, log_expected_episodes, seen_exactly, sites_of
from asmrisk.rule.definitions import COHORTS, MOST_MEASURES, PERFORMANCE_YEARS, SPECIALTIES, SPECIALTIES_OF

__all__ = ["Normal", "Posterior", "case_levels", "roster_posterior"]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: Variances are kept this far from 0.
_NEVER = 1e-9
_LEVEL_NODES = 15
#: Rounds of expectation propagation: a further one changes means by about a thousandth of their deviations.
_SWEEPS = 4
#: Noise of a site: at most (as good as nothing known), at least, of scores seen as they are, of the latest.
_MOST_NOISE, _LEAST_NOISE, _SEEN_NOISE, _EXACT = 1e4, 1e-9, 1e-6, 1e-14

#: Scores of both cohorts: those in common, then each cohort's of its measures.
_COMMON = OWN_LATENT + SPECIFIC
_JOINT = _COMMON + len(COHORTS) * MOST_MEASURES


class Normal(NamedTuple):
    """A normal distribution for each clinician."""

    mean: _Array
    sd: _Array


class Posterior(NamedTuple):
    """What is known of one cohort's n clinicians in P practices, in the first performance year.

    What a practice shares is a vector: its parts of the scores of `asmrisk.population.latents`
    (`OWN_STATES`) in the first performance year, then its parts at the N sites of past years. It is normal
    with a mean to which that of a known area adds, and each clinician's own scores are normal given it.
    """

    practice: _Codes  #: shape (P,): the practices of the cohort, index in the roster's
    own_mean: _Array  #: shape (n, OWN_STATES): of standardized own scores
    own_gain: _Array  #: shape (n, OWN_STATES, N): for each unit of what is shared at the sites
    own_root: _Array  #: shape (n, OWN_STATES, OWN_STATES): lower triangular
    shared_mean: _Array  #: shape (P, OWN_STATES + N)
    shared_root: _Array  #: shape (P, OWN_STATES + N, OWN_STATES + N): lower triangular, given the area
    #: For each unit by which a known area's scores differ from their mean; 0 where it is not known.
    shared_gain: _Array  #: shape (P, OWN_STATES + N, OWN_STATES)
    area_root: _Array  #: shape (areas, OWN_STATES, OWN_STATES): of known areas, lower triangular
    level: Normal  #: of the normal score of expected episodes, whatever is shared


def _own_scores(cohort: int) -> _Codes:
    """Number a cohort's `OWN_STATES` among the scores of both cohorts."""
    first = _COMMON + cohort * MOST_MEASURES
    return np.concatenate([np.arange(_COMMON), np.arange(first, first + MOST_MEASURES)])


def _roster_scores(population: np.recarray) -> Scores:
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
    lasting[:, : OWN_DUAL + 1] = 1.0
    shared = lasting[: len(COHORTS)].copy()
    shared[:, OWN_PART_B] = population.part_b_shared_persistence
    for cohort, name in enumerate(COHORTS):
        codes = [SPECIALTIES.index(each) for each in SPECIALTIES_OF[name]]
        lasting[codes, OWN_PART_B] = population[cohort].part_b_persistence[codes]
    return Scores(practice, area, np.maximum(own, 0.0), shared, lasting)


class _Cohort:
    """The sites of one cohort, and what is known at them."""

    def __init__(self, clinicians: Clinicians, population: np.record, scores: Scores) -> None:
        self.clinicians, self.population = clinicians, population
        self.code = COHORTS.index(clinicians.cohort)
        every = sites_of(population, clinicians)
        exact = seen_exactly(population, clinicians)
        used = ~np.isnan(exact).all(axis=0)
        for each in evidence(population, clinicians, np.zeros(clinicians.count)):
            used[each.site] = True
        self.place = np.cumsum(used) - 1
        direction = np.zeros((int(used.sum()), _JOINT))
        direction[:, _own_scores(self.code)] = every.direction[used]
        self.sites = Sites(direction, every.year[used], every.cohort[used])
        # By specialty, as far as it is there.
        kinds, self.kind = np.unique(clinicians.specialty, return_inverse=True)
        now = Sites(
            np.eye(_JOINT)[_own_scores(self.code)],
            np.full(OWN_STATES, PERFORMANCE_YEARS[0]),
            np.full(OWN_STATES, self.code),
        )
        self.now = now
        lasting = [np.broadcast_to(scores.own_persistence[kind], (len(COHORTS), _JOINT)) for kind in kinds]
        own = [covariance(self.sites, self.sites, scores.own, each) for each in lasting]
        cross = [covariance(now, self.sites, np.sqrt(scores.own), each) for each in lasting]
        self.own, self.cross = np.array(own), np.array(cross)
        self.value = exact[:, used]
        self.noise = np.where(np.isnan(self.value), np.nan, _SEEN_NOISE)
        # The latest payments are seen exactly.
        part_b = np.flatnonzero(self.sites.direction[:, OWN_PART_B] == 1.0)
        part_b = part_b[(self.sites.direction[part_b, OWN_LATENT:] == 0.0).all(axis=1)]
        for site in part_b.tolist():
            seen = ~np.isnan(self.value[:, site])
            earlier = part_b[part_b < site]
            self.noise[seen, site] = _EXACT
            self.noise[np.ix_(seen, earlier)] = np.where(
                np.isnan(self.value[np.ix_(seen, earlier)]), np.nan, _SEEN_NOISE
            )
        for each in evidence(population, clinicians, np.zeros(clinicians.count)):
            at = each.clinician, self.place[each.site]
            self.value[at], self.noise[at] = 0.0, _MOST_NOISE

    def information(self) -> Information:
        """What each clinician's sites tell of what is shared."""
        return condense(self.own[self.kind], self.value, self.noise)

    def refine(self, told: Information, mean: _Array, spread: _Array, level: _Array) -> None:
        """Give every likelihood's site the moments that it has given all the rest."""
        center, variance = leave_one_out(told, self.value, self.noise, mean, spread)
        for each in evidence(self.population, self.clinicians, level):
            if not len(each.site):
                continue
            at = each.clinician, self.place[each.site]
            before, wide = center[at], variance[at]
            after, sd = posterior_moments(each.log_likelihood, before + each.offset, np.sqrt(wide))
            precision = np.clip(1.0 / sd**2 - 1.0 / wide, 1.0 / _MOST_NOISE, 1.0 / _LEAST_NOISE)
            weighted = (after - each.offset) * (precision + 1.0 / wide) - before / wide
            self.value[at], self.noise[at] = weighted / precision, 1.0 / precision


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
    scores = _roster_scores(population)
    cohorts = [
        _Cohort(each, population[code], scores) for code, each in enumerate(roster.cohorts) if each.count
    ]
    practices = roster.practices
    # Where it is not known a practice has an area of its own.
    own_area = practices.area < 0
    area = practices.area.copy()
    area[own_area] = len(practices.areas) + np.arange(own_area.sum())

    def joint(sites: list[Sites]) -> Sites:
        return Sites(*(np.concatenate(parts) for parts in zip(*sites, strict=True)))

    def sharing(sites: list[Sites], skip: int) -> Callable[[list[Information]], Shared]:
        every = joint(sites)
        size = len(every.year)
        lasting = scores.shared_persistence
        practice_prior = covariance(every, every, scores.practice, lasting)
        area_prior = covariance(every, every, scores.area, lasting)

        def of(told: list[Information]) -> Shared:
            precision = np.zeros((practices.count, size, size))
            weighted = np.zeros((practices.count, size))
            start = 0
            for cohort, each, own in zip(cohorts, told, sites, strict=True):
                first, start = start + skip, start + len(own.year)
                place = cohort.clinicians.practice
                np.add.at(precision[:, first:start, first:start], place, each.precision)
                np.add.at(weighted[:, first:start], place, each.weighted)
            return shared_posterior(Information(precision, weighted), area, practice_prior, area_prior)

        return of

    shared_of = sharing([each.sites for each in cohorts], 0)
    levels = [np.zeros(each.clinicians.count) for each in cohorts]
    for sweep in range(_SWEEPS + 1):
        told = [each.information() for each in cohorts]
        if sweep == _SWEEPS:
            break
        shared = shared_of(told)
        start = 0
        for number, cohort in enumerate(cohorts):
            end = start + len(cohort.sites.year)
            place = cohort.clinicians.practice
            mean, spread = shared.mean[place, start:end], shared.covariance[place, start:end, start:end]
            if sweep:
                own = cohort.cross[cohort.kind][:, OWN_LEVEL]
                residual = told[number].weighted - np.einsum("nij,nj->ni", told[number].precision, mean)
                levels[number] = (own * residual).sum(axis=1)
            cohort.refine(told[number], mean, spread, levels[number])
            start = end

    shared = sharing([joint([each.now, each.sites]) for each in cohorts], OWN_STATES)(told)
    found: list[Posterior | None] = [None] * len(COHORTS)
    start = 0
    for cohort, each in zip(cohorts, told, strict=True):
        end = start + OWN_STATES + len(cohort.sites.year)
        found[cohort.code] = _posterior(cohort, each, shared, slice(start, end), practices.area)
        start = end
    return tuple(found)


def _posterior(cohort: _Cohort, told: Information, shared: Shared, part: slice, area: _Codes) -> Posterior:
    """Gather what is known of a cohort, whose part of what is shared is `part`."""
    own_mean, own_gain, own_covariance = own_gains(told, cohort.cross[cohort.kind])
    present = np.unique(cohort.clinicians.practice)
    mean, spread = shared.mean[present, part], shared.covariance[present, part, part]
    place = np.searchsorted(present, cohort.clinicians.practice)
    gain = own_gain[:, OWN_LEVEL]
    level = own_mean[:, OWN_LEVEL] + (gain * mean[place][:, OWN_STATES:]).sum(axis=1)
    variance = own_covariance[:, OWN_LEVEL, OWN_LEVEL] + np.einsum(
        "ni,nij,nj->n", gain, spread[place][:, OWN_STATES:, OWN_STATES:], gain
    )
    known = int(area.max(initial=-1)) + 1
    now = slice(part.start, part.start + OWN_STATES)
    of_area = shared.area_covariance[:known, now, now]
    # Through the area's scores of the first performance year; of the years before there is little more.
    toward = (shared.from_area[present, part] @ shared.area_covariance[np.maximum(area[present], 0)])[
        :, :, now
    ]
    shared_gain = np.where(area[present, None, None] >= 0, 1.0, 0.0) * (
        toward @ np.linalg.pinv(of_area, rcond=1e-9, hermitian=True)[np.maximum(area[present], 0)]
        if known
        else toward
    )
    left = spread - shared_gain @ toward.swapaxes(1, 2)
    return Posterior(
        practice=present,
        own_mean=own_mean,
        own_gain=own_gain,
        own_root=semidefinite_root(own_covariance),
        shared_mean=mean,
        shared_root=semidefinite_root(left),
        shared_gain=shared_gain,
        area_root=semidefinite_root(of_area),
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
