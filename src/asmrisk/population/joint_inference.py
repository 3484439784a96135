"""Inference over clinicians who share scores with colleagues and neighbors: linear, normal, and by practice.

Every score of a clinician is ``z = sqrt(a) A + sqrt(p) P + sqrt(own) E``: an area's, a practice's and a part
of its own, each a stationary AR(1). What is known are *sites*: combinations of scores in some year, each seen
with normal noise. Then all that is learned follows from covariances between sites alone: each clinician's
sites are condensed to information about what is shared at the sites, clinicians are summed to practices and
practices to areas, and the way back gives everybody's own part given what is shared (Rasmussen and Williams,
Gaussian Processes for Machine Learning, 2006, chapter 2; Bates and others, lme4, 2015, for the nesting).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Information",
    "Scores",
    "Shared",
    "Sites",
    "condense",
    "covariance",
    "leave_one_out",
    "own_gains",
    "semidefinite_root",
    "shared_posterior",
]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: A variance below this is rounding.
_NOTHING = 1e-12


class Scores(NamedTuple):
    """The K scores: how much of their variance is whose, and how it lasts, by cohort where that differs."""

    practice: _Array  #: shape (K,): share of the practice
    area: _Array  #: shape (K,): share of the area
    own: _Array  #: shape (K,): share of the clinician
    shared_persistence: _Array  #: shape (cohorts, K)
    own_persistence: _Array  #: shape (kinds of clinician, K)


class Sites(NamedTuple):
    """N combinations of scores, each in a year and of a cohort's clinicians."""

    direction: _Array  #: shape (N, K): coefficients
    year: _Codes  #: shape (N,)
    cohort: _Codes  #: shape (N,): code


class Information(NamedTuple):
    """What n clinicians or practices tell of what is shared at N sites: precision, and it times the value."""

    precision: _Array  #: shape (n, N, N)
    weighted: _Array  #: shape (n, N)


class Shared(NamedTuple):
    """The normal distribution of what P practices share at N sites, given everything."""

    mean: _Array  #: shape (P, N)
    covariance: _Array  #: shape (P, N, N)
    #: Of the areas, and what a practice's mean adds for each unit of its area's.
    area_mean: _Array  #: shape (areas, N)
    area_covariance: _Array  #: shape (areas, N, N)
    from_area: _Array  #: shape (P, N, N)


def covariance(first: Sites, second: Sites, variance: _Array, persistence: _Array) -> _Array:
    """Give the covariance of two lists of sites for scores of these variances.

    Parameters
    ----------
    first, second : Sites
        N and M of them.
    variance : ndarray of float64, shape (K,)
        Of each score.
    persistence : ndarray of float64, shape (cohorts, K)
        Correlation of one year with the next. Where cohorts differ their scores have the same innovations.

    Returns
    -------
    ndarray of float64, shape (N, M)
        Covariances.
    """
    lag = np.abs(first.year[:, None] - second.year)[:, :, None]
    later = first.year[:, None] >= second.year
    kept = np.where(later[:, :, None], persistence[first.cohort][:, None], persistence[second.cohort]) ** lag
    one, other = persistence[first.cohort][:, None], persistence[second.cohort]
    common = np.sqrt((1.0 - one * one) * (1.0 - other * other)) / np.where(
        one == other, 1.0, 1.0 - one * other
    )
    common = np.where(one == other, 1.0, common)
    return np.asarray(np.einsum("ik,jk,ijk->ij", first.direction, second.direction, variance * kept * common))


def condense(own: _Array, value: _Array, noise: _Array) -> Information:
    """Turn each clinician's noisy sites into information about what is shared at them.

    Parameters
    ----------
    own : ndarray of float64, shape (n, N, N)
        Covariance of own parts at the sites.
    value, noise : ndarray of float64, shape (n, N)
        What is seen, and the variance of its noise; NaN where nothing is.

    Returns
    -------
    Information
        Of each clinician: zeros where nothing is seen.
    """
    seen = ~np.isnan(value)
    both = seen[:, :, None] & seen[:, None, :]
    total = np.where(both, own, 0.0)
    sites = np.arange(value.shape[1])
    total[:, sites, sites] = np.where(seen, total[:, sites, sites] + np.nan_to_num(noise), 1.0)
    precision = np.where(both, np.linalg.inv(total), 0.0)
    return Information(precision, _times(precision, np.nan_to_num(value)))


def _times(matrices: _Array, vectors: _Array) -> _Array:
    return np.asarray((matrices @ vectors[:, :, None])[:, :, 0])


def shared_posterior(
    practices: Information, area: _Codes, practice_prior: _Array, area_prior: _Array
) -> Shared:
    """Learn what practices and areas share from the information of their clinicians.

    Parameters
    ----------
    practices : Information
        The sums over each practice's clinicians.
    area : ndarray of int64, shape (P,)
        Numbers of areas, 0 to their number less 1.
    practice_prior, area_prior : ndarray of float64, shape (N, N)
        Covariance of the practice's and the area's part at the sites.

    Returns
    -------
    Shared
        Both parts together, by practice; areas by their numbers.
    """
    precision, weighted = practices
    size = precision.shape[1]
    areas = int(area.max(initial=-1)) + 1
    # Symmetric inverses of singular matrices: (prior^-1 + precision)^-1 = prior (1 + precision prior)^-1.
    rest = np.linalg.inv(np.eye(size) + precision @ practice_prior)
    given = practice_prior @ rest
    of_area = np.zeros((areas, size, size))
    value_of_area = np.zeros((areas, size))
    np.add.at(of_area, area, rest @ precision)
    np.add.at(value_of_area, area, _times(rest, weighted))
    area_covariance = area_prior @ np.linalg.inv(np.eye(size) + of_area @ area_prior)
    area_mean = _times(area_covariance, value_of_area)
    from_area = rest.swapaxes(1, 2)
    return Shared(
        mean=_times(from_area, area_mean[area]) + _times(given, weighted),
        covariance=given + from_area @ area_covariance[area] @ rest,
        area_mean=area_mean,
        area_covariance=area_covariance,
        from_area=from_area,
    )


def leave_one_out(
    clinicians: Information, value: _Array, noise: _Array, mean: _Array, covariance: _Array
) -> tuple[_Array, _Array]:
    """Give the distribution of each site given all that is known but the site itself.

    Parameters
    ----------
    clinicians : Information
        Of each of n clinicians, from `value` and `noise`.
    value, noise : ndarray of float64, shape (n, N)
        As `condense` took them.
    mean, covariance : ndarray of float64, shapes (n, N) and (n, N, N)
        Of what is shared at the clinician's sites, given everything.

    Returns
    -------
    mean, variance : ndarray of float64, shape (n, N)
        Of the site without its noise (Rasmussen and Williams, section 5.4.2); NaN where nothing is seen.
    """
    precision = clinicians.precision
    residual = clinicians.weighted - _times(precision, mean)
    sites = np.arange(value.shape[1])
    seen = precision[:, sites, sites] - ((precision @ covariance) * precision).sum(axis=2)
    seen = np.where(np.isnan(value), np.nan, seen)
    return value - residual / seen, 1.0 / seen - noise


def own_gains(clinicians: Information, cross: _Array) -> tuple[_Array, _Array, _Array]:
    """Give the distribution of own scores given what is shared at the sites.

    Parameters
    ----------
    clinicians : Information
        Of each of n clinicians.
    cross : ndarray of float64, shape (n, K, N)
        Covariance of standardized own scores and own parts at the sites.

    Returns
    -------
    mean, gain, covariance : ndarray of float64, shapes (n, K), (n, K, N) and (n, K, K)
        The mean is ``mean + gain @ shared``.
    """
    gain = cross @ clinicians.precision
    left = np.eye(cross.shape[1]) - gain @ cross.swapaxes(1, 2)
    return _times(cross, clinicians.weighted), -gain, left


def semidefinite_root(covariances: _Array) -> _Array:
    """Give lower triangular roots of covariance matrices that may be singular, shape (n, K, K)."""
    root = np.zeros_like(covariances)
    for column in range(covariances.shape[1]):
        left = covariances[:, column:, column] - _times(root[:, column:, :column], root[:, column, :column])
        pivot = np.sqrt(np.where(left[:, 0] > _NOTHING, left[:, 0], np.inf))
        root[:, column:, column] = left / pivot[:, None]
    return root
