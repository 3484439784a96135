"""What past years tell about a roster's clinicians: everybody's scores, given colleagues and neighbors too.

The scores of a cohort's clinicians and what they share have the population's own distribution. Part B, HCC
and dual share are seen as they are; episodes, costs and rates have likelihoods of their own
(`asmrisk.population.roster_likelihood`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import kernel
from asmrisk.numerics.portable_math import log
from asmrisk.population.joint_inference import (
    Scores,
    Sites,
    covariance,
    joined,
    multiply,
    padded,
    part_of,
    upper_root,
)
from asmrisk.population.latents import (
    COST,
    GENERAL,
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
from asmrisk.population.quadrature import hermite_rule
from asmrisk.population.roster import Clinicians
from asmrisk.population.roster_beliefs import Beliefs, Cavity
from asmrisk.population.roster_evidence import (
    DUAL,
    HCC,
    LEVEL_SITE,
    Past,
    ScoreEvidence,
    latest,
    part_b_columns,
    part_b_scores,
)
from asmrisk.population.roster_inference import SWEEPS, infer
from asmrisk.population.roster_likelihood import (
    Terms,
    learn_cases,
    make_grids,
    nothing_looked_at,
    refine_scores,
    terms_of,
)
from asmrisk.population.roster_pattern import Pattern
from asmrisk.population.roster_shared import SharedScores
from asmrisk.rule.definitions import COHORTS, MOST_MEASURES, PERFORMANCE_YEARS, SPECIALTIES, SPECIALTIES_OF

__all__ = ["SWEEPS_MORE", "Normal", "Posterior", "Start", "begin_scores", "roster_posterior"]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: Rounds of expectation propagation from what evidence told in another population. Means are then off by
#: 0.00006 of their standard deviation in the median and by 0.004 in one of twenty, nearer than by `SWEEPS`
#: rounds from nothing; a few in ten thousand have no limit, and differ by a half from round to round.
SWEEPS_MORE = 3
#: Variances are kept this far from 0.
_NEVER = 1e-9
_LEVEL_NODES = 15
#: Scores of patients are kept within this many standard deviations, where rounded shares say nothing more.
_FARTHEST = 4.0

#: Scores of both cohorts: those in common, then each cohort's of its measures.
_COMMON = OWN_LATENT + SPECIFIC
_JOINT = _COMMON + len(COHORTS) * MOST_MEASURES


class Normal(NamedTuple):
    """Normal distributions."""

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
    cases: Normal  #: shape (MOST_MEASURES, n): of the logarithm of eligible cases a year; NaN not known
    part_b_factor: _Array  #: shape (n,): known dollars over the distribution's at their score


class Start(NamedTuple):
    """What each of E pieces of evidence told."""

    value: _Array  #: shape (E,): of the normal site that stands for it
    noise: _Array  #: shape (E,)
    window: _Array  #: shape (E, 2): ends of the scores where its density was


class _Learned(NamedTuple):
    terms: Terms
    beliefs: Beliefs
    cross: _Array  #: shape (kinds, OWN_STATES, N): covariance of own scores with own parts at the sites
    factors: list[_Array]  #: by cohort: of Part B, shape (Y, n)
    shared: list[SharedScores]
    window: _Array  #: shape (E, 2): see `Start`


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
    practice, area = record["practice_share"][numbers], record["area_share"][numbers]
    practice[OWN_LEVEL] = area[OWN_LEVEL] = 0.0
    own = 1.0 - practice - area
    own[OWN_PART_B] -= record["part_b_episode_correlation"] ** 2
    lasting = np.full((len(SPECIALTIES), _JOINT), record["latent_persistence"])
    lasting[:, [OWN_LEVEL, OWN_HCC, OWN_DUAL]] = 1.0
    shared = lasting[: len(COHORTS)].copy()
    shared[:, OWN_PART_B] = population["part_b_shared_persistence"]
    for cohort, name in enumerate(COHORTS):
        codes = [SPECIALTIES.index(each) for each in SPECIALTIES_OF[name]]
        lasting[codes, OWN_PART_B] = population["part_b_persistence"][cohort][codes]
    return Scores(practice, area, np.maximum(own, 0.0), shared, lasting)


def _directions(population: np.recarray, cohort: int) -> _Array:
    """Give what sites of each kind combine: HCC, dual share, expected episodes, Part B, cost, the measures.

    Returns
    -------
    ndarray of float64, shape (5 + MOST_MEASURES, OWN_STATES)
        Over the own scores of `asmrisk.population.latents`.
    """
    record = population[cohort]
    unit = np.eye(OWN_STATES)
    correlation = float(record["dual_hcc_correlation"])
    dual = correlation * unit[OWN_HCC] + math.sqrt(1.0 - correlation * correlation) * unit[OWN_DUAL]
    complexity = (unit[OWN_HCC] + dual) / math.sqrt(2.0 * (1.0 + correlation))
    part_b = record["part_b_episode_correlation"] * unit[OWN_LEVEL] + unit[OWN_PART_B]
    cost = (
        record["cost_episodes"] * unit[OWN_LEVEL]
        + record["cost_part_b"] * part_b
        - record["cost_quality"] * unit[OWN_LATENT + GENERAL]
        + record["cost_rest"] * unit[OWN_LATENT + COST]
        + record["cost_complexity"] * complexity
    )
    loading = record["quality_loading"]
    rates = (
        loading[:, None] * unit[OWN_LATENT + GENERAL]
        + np.sqrt(1.0 - loading * loading)[:, None] * unit[OWN_LATENT + SPECIFIC :]
        - record["quality_complexity"] * complexity
    )
    return np.vstack([unit[OWN_HCC], dual, unit[OWN_LEVEL], part_b, cost, rates])


@kernel
def _write_patients(known: np.ndarray, mean: float, sd: float, out: np.ndarray) -> None:
    """Write the normal scores of lognormal numbers."""
    for i in range(known.shape[0]):
        if not np.isnan(known[i]):
            score = (log(known[i]) - mean) / sd if known[i] > 0.0 else -_FARTHEST
            out[i] = min(max(score, -_FARTHEST), _FARTHEST)


def _seen_exactly(record: np.record, clinicians: Clinicians, past: Past, value: _Array) -> _Array:
    """Write the values of sites that are known as they are; give the factors of Part B, shape (Y, n)."""
    for known, kind, name in ((past.hcc, HCC, "hcc"), (past.dual, DUAL, "dual")):
        if (column := past.column[kind]) >= 0:
            _write_patients(known, record[f"{name}_log_mean"], record[f"{name}_log_sd"], value[:, column])
    scores, factors = part_b_scores(
        record, clinicians.specialty, clinicians.years, clinicians.past.part_b_payments
    )
    for year, column in enumerate(part_b_columns(past, len(clinicians.years)).tolist()):
        if column >= 0:
            paid = factors[year] > 0.0
            value[paid, column] = scores[year, paid]
    return factors


@kernel
def _own_scores(
    pattern: Pattern,
    beliefs: Beliefs,
    cross: np.ndarray,
    shared: SharedScores,
    cohort: int,
    scratch: np.ndarray,
    mean: np.ndarray,
    gain: np.ndarray,
    root: np.ndarray,
    level_mean: np.ndarray,
    level_sd: np.ndarray,
) -> None:
    """Write the distribution of own scores given what is shared at the sites, as `Posterior` has it."""
    k, first = pattern.scores, pattern.clinician[cohort]
    here, product, turned, left = scratch[0], scratch[1], scratch[2], scratch[3]
    for i in range(first, pattern.clinician[cohort + 1]):
        start, n = pattern.seen_start[i], pattern.seen_start[i + 1] - pattern.seen_start[i]
        index = pattern.present[cohort, pattern.practice[i]]
        own, out, row = cross[beliefs.kind[i]], gain[i - first], mean[i - first]
        for a in range(k):
            total = 0.0
            for b in range(n):
                here[a, b] = own[a, pattern.seen[start + b]]
                turned[b, a] = here[a, b]
                total += here[a, b] * beliefs.weighted[i, b]
            row[a] = total
        multiply(here, beliefs.precision[i], k, n, n, product)
        multiply(product, turned, k, n, k, left)
        for a in range(k):
            for b in range(k):
                left[a, b] = (1.0 if a == b else 0.0) - left[a, b]
        spread = left[OWN_LEVEL, OWN_LEVEL]
        center = row[OWN_LEVEL]
        for b in range(n):
            site = pattern.seen[start + b]
            for a in range(k):
                out[a, site] = -product[a, b]
            center -= product[OWN_LEVEL, b] * shared.mean[index, k + site]
            for c in range(n):
                spread += (
                    product[OWN_LEVEL, b]
                    * product[OWN_LEVEL, c]
                    * shared.covariance[index, k + site, k + pattern.seen[start + c]]
                )
        level_mean[i - first], level_sd[i - first] = center, math.sqrt(max(spread, _NEVER))
        upper_root(left, k)
        for a in range(k):
            for b in range(a + 1):
                root[i - first, a, b] = left[b, a]


def _learn(population: np.recarray, known: ScoreEvidence, start: Start | None) -> _Learned:
    """Learn what all evidence tells, from nothing known on, or from what it told in another population."""
    scores, terms, pattern = _scores(population), terms_of(population), known.pattern
    roster = known.roster
    most = max(each.value.shape[1] for each in known.past)
    shape = int(pattern.clinician[-1]), most
    value, noise = np.zeros(shape), np.ones(shape)
    kinds, rows, factors = [], [], []
    own: list[_Array] = []
    cross: list[_Array] = []
    for code, past, first, end in zip(
        known.codes, known.past, pattern.clinician[:-1], pattern.clinician[1:], strict=True
    ):
        clinicians, sites = roster.cohorts[code], len(past.year)
        noise[first:end, :sites] = past.noise
        factors.append(_seen_exactly(population[code], clinicians, past, value[first:end]))
        numbers = _scores_of(code)
        direction = np.zeros((OWN_STATES + sites, _JOINT))
        direction[:OWN_STATES] = np.eye(_JOINT)[numbers]
        direction[OWN_STATES:, numbers] = _directions(population, code)[past.kind]
        years = np.concatenate([np.full(OWN_STATES, PERFORMANCE_YEARS[0]), past.year])
        every = Sites(direction, years, np.full(len(years), code))
        rows.append(every)
        now, then = part_of(every, slice(OWN_STATES)), part_of(every, slice(OWN_STATES, None))
        specialties, kind = np.unique(clinicians.specialty, return_inverse=True)
        kinds.append(kind + len(own))
        for specialty in specialties.tolist():
            lasting = np.tile(scores.own_persistence[specialty], (len(COHORTS), 1))
            at_sites, to_sites = np.zeros((most, most)), np.zeros((OWN_STATES, most))
            at_sites[:sites, :sites] = covariance(then, then, scores.own, lasting)
            to_sites[:, :sites] = covariance(now, then, np.sqrt(scores.own), lasting)
            own.append(at_sites)
            cross.append(to_sites)
    longest = padded(int(np.diff(pattern.seen_start).max()))
    beliefs = Beliefs(
        kind=np.concatenate(kinds),
        own=np.array(own),
        value=value,
        noise=noise,
        precision=np.zeros((len(value), longest, longest)),
        weighted=np.empty((len(value), longest)),
        moved=np.ones(len(value), np.int64),
    )
    level_site = np.zeros(len(COHORTS), np.int64)
    level_site[known.codes] = [each.column[LEVEL_SITE] for each in known.past]
    grids, looked = make_grids(), nothing_looked_at(len(known.evidence.site))
    if start is not None:
        where = known.evidence.clinician, known.evidence.site
        value[where], noise[where], looked.window[:] = start.value, start.noise, start.window

    def refine(cavity: Cavity) -> None:
        refine_scores(known.evidence, terms, level_site, beliefs, cavity, looked, grids)

    shared = infer(pattern, beliefs, joined(rows), scores, refine, SWEEPS if start is None else SWEEPS_MORE)
    return _Learned(terms, beliefs, np.array(cross), factors, shared, looked.window)


def begin_scores(population: np.recarray, known: ScoreEvidence) -> Start:
    """Learn what a roster's evidence tells in one population, which is nearly what it tells in another.

    Parameters
    ----------
    population, known
        As for `roster_posterior`.

    Returns
    -------
    Start
        From which `roster_posterior` begins.
    """
    found = _learn(population, known, None)
    where = known.evidence.clinician, known.evidence.site
    return Start(found.beliefs.value[where], found.beliefs.noise[where], found.window)


def roster_posterior(
    population: np.recarray, known: ScoreEvidence, start: Start | None = None
) -> tuple[Posterior | None, ...]:
    """Learn the scores of a roster's clinicians and of their practices and areas.

    Parameters
    ----------
    population : recarray of POPULATION_DTYPE, shape (2,)
        By cohort.
    known : ScoreEvidence
        Of the roster.
    start : Start, optional
        What it tells in a population like this one: nothing is known of that if not given.

    Returns
    -------
    tuple of Posterior or None
        By cohort; None where the roster has nobody.
    """
    roster, pattern = known.roster, known.pattern
    terms, beliefs, cross, factors, shared, _ = _learn(population, known, start)
    longest, grids = beliefs.precision.shape[1], make_grids()
    found: list[Posterior | None] = [None] * len(COHORTS)
    for cohort, (code, past, factor) in enumerate(zip(known.codes, known.past, factors, strict=True)):
        n, sites = roster.cohorts[code].count, len(past.year)
        posterior = Posterior(
            place=pattern.present[cohort, roster.cohorts[code].practice],
            shared=shared[cohort],
            mean=np.empty((n, OWN_STATES)),
            gain=np.zeros((n, OWN_STATES, sites)),
            root=np.zeros((n, OWN_STATES, OWN_STATES)),
            level=Normal(np.empty(n), np.empty(n)),
            cases=Normal(np.full((MOST_MEASURES, n), np.nan), np.ones((MOST_MEASURES, n))),
            part_b_factor=latest(factor)[0],
        )
        size = max(longest, padded(OWN_STATES))
        _own_scores(
            pattern,
            beliefs,
            cross,
            shared[cohort],
            cohort,
            np.zeros((4, size, size)),
            posterior.mean,
            posterior.gain,
            posterior.root,
            *posterior.level,
        )
        nodes = hermite_rule(_LEVEL_NODES)
        learn_cases(known.cases, terms, code, *posterior.level, *nodes, grids, *posterior.cases)
        found[code] = posterior
    return tuple(found)
