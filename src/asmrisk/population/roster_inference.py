"""Expectation propagation over a roster: what clinicians, practices and areas are like, given all numbers.

What is known is exact at some sites; at others it has a likelihood of its own, which becomes a normal site
that gives its combination of scores the mean and the variance that the likelihood does, given everything else
that is known, colleagues' numbers too (Minka, Expectation propagation, 2001; Rasmussen and Williams, Gaussian
Processes for Machine Learning, 2006, section 3.6).
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
    semidefinite_root,
    shared_posterior,
)
from asmrisk.population.roster_practices import Practices
from asmrisk.rule.definitions import COHORTS

__all__ = ["EXACT", "SEEN_NOISE", "Cohort", "Moments", "SharedScores", "infer", "own_covariances"]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: Rounds of expectation propagation: a further one changes means by about a thousandth of their deviations.
_SWEEPS = 4
#: Variance of the noise of scores that are seen as they are, and where not even a rounding is allowed.
SEEN_NOISE, EXACT = 1e-6, 1e-14
#: Noise of a site that stands for a likelihood: at most (as good as nothing known), and at least.
_MOST_NOISE, _LEAST_NOISE = 1e6, 1e-9

#: Gives clinicians and sites of some numbers, and the means and standard deviations of the sites given these
#: numbers, from the means and variances of all sites given everything else, shape (n, N).
Moments = Callable[[_Array, _Array], list[tuple[_Codes, _Codes, _Array, _Array]]]


class Cohort(NamedTuple):
    """One cohort's n clinicians, the sites at which something is known, and what."""

    practice: _Codes  #: shape (n,): index of the practice
    now: Sites  #: each of K scores in the first performance year
    sites: Sites  #: N of them
    kind: _Codes  #: shape (n,): kind of clinician
    own: _Array  #: shape (kinds, N, N): covariance of own parts at the sites
    cross: _Array  #: shape (kinds, K, N): of standardized own scores now and own parts at the sites
    value: _Array  #: shape (n, N): what is seen; NaN where nothing is; written for likelihoods
    noise: _Array  #: shape (n, N): variance of its noise, likewise
    pending: NDArray[np.bool_]  #: shape (n, N): where a likelihood says something
    moments: Moments  #: of the likelihoods


class SharedScores(NamedTuple):
    """What P practices of a cohort share: K scores in the first performance year, then N sites."""

    practice: _Codes  #: shape (P,): the practices of the cohort, index in the roster's
    mean: _Array  #: shape (P, K + N)
    covariance: _Array  #: shape (P, K + N, K + N): whatever the area
    root: _Array  #: shape (P, K + N, K + N): lower triangular, of the covariance given a known area
    #: For each unit by which a known area's scores differ from their mean; 0 where it is not known.
    gain: _Array  #: shape (P, K + N, K)
    area_root: _Array  #: shape (areas, K, K): of known areas, lower triangular


def own_covariances(now: Sites, sites: Sites, own: _Array, persistence: _Array) -> tuple[_Array, _Array]:
    """Give the fields `Cohort.own` and `Cohort.cross` from own variances and persistence, (kinds, K)."""
    lasting = [np.broadcast_to(each, (len(COHORTS), len(each))) for each in persistence]
    return (
        np.array([covariance(sites, sites, own, each) for each in lasting]),
        np.array([covariance(now, sites, np.sqrt(own), each) for each in lasting]),
    )


def _joint(sites: list[Sites]) -> Sites:
    return Sites(*(np.concatenate(parts) for parts in zip(*sites, strict=True)))


class _Sharing:
    """What practices share at the sites of all cohorts together."""

    def __init__(
        self, cohorts: list[Cohort], sites: list[Sites], scores: Scores, practices: Practices
    ) -> None:
        self.cohorts, self.count = cohorts, practices.count
        every = _joint(sites)
        ends = np.cumsum([len(each.year) for each in sites])
        self.parts = [slice(end - len(each.year), end) for end, each in zip(ends, sites, strict=True)]
        self.size = len(every.year)
        self.practice_prior = covariance(every, every, scores.practice, scores.shared_persistence)
        self.area_prior = covariance(every, every, scores.area, scores.shared_persistence)
        # Where it is not known a practice has an area of its own.
        self.area = practices.area.copy()
        unknown = self.area < 0
        self.area[unknown] = len(practices.areas) + np.arange(unknown.sum())

    def given(self, told: list[Information]) -> Shared:
        """Give what is shared, given what each clinician tells of the last sites of its cohort's part."""
        precision = np.zeros((self.count, self.size, self.size))
        weighted = np.zeros((self.count, self.size))
        for cohort, each, part in zip(self.cohorts, told, self.parts, strict=True):
            where = slice(part.stop - each.weighted.shape[1], part.stop)
            np.add.at(precision[:, where, where], cohort.practice, each.precision)
            np.add.at(weighted[:, where], cohort.practice, each.weighted)
        return shared_posterior(
            Information(precision, weighted), self.area, self.practice_prior, self.area_prior
        )


def infer(
    cohorts: list[Cohort], scores: Scores, practices: Practices
) -> list[tuple[Information, SharedScores]]:
    """Find what is shared, and what each clinician tells of it.

    Parameters
    ----------
    cohorts : list of Cohort
        Their values and noise are written where a likelihood says something.
    scores : Scores
        Of all cohorts.
    practices : Practices
        Of the roster.

    Returns
    -------
    list of (Information, SharedScores)
        Of each cohort given.
    """
    for each in cohorts:
        each.value[each.pending], each.noise[each.pending] = 0.0, _MOST_NOISE
    sharing = _Sharing(cohorts, [each.sites for each in cohorts], scores, practices)
    for _ in range(_SWEEPS):
        told = [_told(each) for each in cohorts]
        shared = sharing.given(told)
        for cohort, each, part in zip(cohorts, told, sharing.parts, strict=True):
            mean = shared.mean[cohort.practice, part]
            _refine(cohort, each, mean, shared.covariance[cohort.practice, part, part])
    told = [_told(each) for each in cohorts]
    sharing = _Sharing(cohorts, [_joint([each.now, each.sites]) for each in cohorts], scores, practices)
    shared = sharing.given(told)
    return [
        (each, _shared_scores(cohort, shared, part, practices))
        for cohort, each, part in zip(cohorts, told, sharing.parts, strict=True)
    ]


def _told(cohort: Cohort) -> Information:
    return condense(cohort.own[cohort.kind], cohort.value, cohort.noise)


def _refine(cohort: Cohort, told: Information, mean: _Array, spread: _Array) -> None:
    """Give every likelihood's site the moments that it has given all the rest."""
    center, variance = leave_one_out(told, cohort.value, cohort.noise, mean, spread)
    for clinician, site, after, sd in cohort.moments(center, variance):
        before, wide = center[clinician, site], variance[clinician, site]
        precision = np.clip(1.0 / sd**2 - 1.0 / wide, 1.0 / _MOST_NOISE, 1.0 / _LEAST_NOISE)
        weighted = after * (precision + 1.0 / wide) - before / wide
        cohort.value[clinician, site], cohort.noise[clinician, site] = weighted / precision, 1.0 / precision


def _shared_scores(cohort: Cohort, shared: Shared, part: slice, practices: Practices) -> SharedScores:
    """Gather what is known of what a cohort's practices share."""
    present = np.unique(cohort.practice)
    area, known = practices.area[present], len(practices.areas)
    now = slice(part.start, part.start + len(cohort.now.year))
    of_area = shared.area_covariance[:known, now, now]
    mean, spread = shared.mean[present, part], shared.covariance[present, part, part]
    gain = np.zeros((*mean.shape, len(cohort.now.year)))
    left = spread.copy()
    if known:
        # Through the area's scores of the first performance year: those of years before add next to nothing.
        placed = np.flatnonzero(area >= 0)
        toward = shared.from_area[present[placed], part] @ shared.area_covariance[area[placed]][:, :, now]
        gain[placed] = toward @ np.linalg.pinv(of_area, rcond=1e-9, hermitian=True)[area[placed]]
        left[placed] -= gain[placed] @ toward.swapaxes(1, 2)
    return SharedScores(
        practice=present,
        mean=mean,
        covariance=spread,
        root=semidefinite_root(left),
        gain=gain,
        area_root=semidefinite_root(of_area),
    )
