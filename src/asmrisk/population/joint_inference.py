"""Inference over clinicians who share scores with colleagues and neighbors: linear, normal, and by practice.

Every score of a clinician is ``z = sqrt(a) A + sqrt(p) P + sqrt(own) E``: an area's, a practice's and a part
of its own, each a stationary AR(1). What is known are *sites*: combinations of scores in some year, each seen
with normal noise. Then all that is learned follows from covariances between sites alone: each clinician's
sites are condensed to information about what is shared at the sites, clinicians are summed to practices and
practices to areas, and the way back gives everybody's own part given what is shared (Rasmussen and Williams,
Gaussian Processes for Machine Learning, 2006, chapter 2; Bates and others, lme4, 2015, for the nesting).

Matrices are the upper left corners, of a stated size, of arrays with room for larger ones.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import inner, kernel

__all__ = [
    "Scores",
    "Sites",
    "covariance",
    "generalized_quotient",
    "invert",
    "multiply",
    "posterior",
    "upper_root",
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


@kernel
def _fill_covariance(
    first: Sites, second: Sites, variance: np.ndarray, persistence: np.ndarray, out: np.ndarray
) -> None:
    for i in range(first.direction.shape[0]):
        for j in range(second.direction.shape[0]):
            lag = first.year[i] - second.year[j]
            one, other = first.cohort[i], second.cohort[j]
            later = one if lag >= 0 else other
            total = 0.0
            for k in range(variance.shape[0]):
                weight = first.direction[i, k] * second.direction[j, k] * variance[k]
                if weight != 0.0:
                    for _ in range(abs(lag)):
                        weight *= persistence[later, k]
                    a, b = persistence[one, k], persistence[other, k]
                    if a != b:
                        weight *= math.sqrt((1.0 - a * a) * (1.0 - b * b)) / (1.0 - a * b)
                    total += weight
            out[i, j] = total


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
    out = np.empty((len(first.year), len(second.year)))
    _fill_covariance(first, second, variance, persistence, out)
    return out


@inner
def invert(matrix: np.ndarray, n: int) -> None:
    """Replace a positive definite matrix of n rows by its inverse by the sweep operator (Goodnight, 1979)."""
    for k in range(n):
        pivot = 1.0 / matrix[k, k]
        matrix[k, k] = 1.0
        for j in range(n):
            matrix[k, j] *= pivot
        for i in range(n):
            if i != k:
                factor = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(n):
                    matrix[i, j] -= factor * matrix[k, j]


@inner
def upper_root(matrix: np.ndarray, n: int) -> None:
    """Replace a covariance matrix, which may be singular, by its upper triangular root U: ``U' U``."""
    for k in range(n):
        pivot = matrix[k, k]
        scale = 1.0 / math.sqrt(pivot) if pivot > _NOTHING else 0.0
        for j in range(n):
            matrix[k, j] = matrix[k, j] * scale if j >= k else 0.0
        for i in range(k + 1, n):
            factor = matrix[k, i]
            for j in range(i, n):
                matrix[i, j] -= factor * matrix[k, j]


@inner
def multiply(
    first: np.ndarray, second: np.ndarray, rows: int, middle: int, columns: int, out: np.ndarray
) -> None:
    """Write the product of a matrix of so many rows and columns in the middle, and another, to a third."""
    for i in range(rows):
        for j in range(columns):
            out[i, j] = 0.0
        for k in range(middle):
            factor = first[i, k]
            if factor != 0.0:
                for j in range(columns):
                    out[i, j] += factor * second[k, j]


@inner
def posterior(prior: np.ndarray, precision: np.ndarray, n: int, out: np.ndarray, scratch: np.ndarray) -> None:
    """Write the covariance of n values given information of some precision.

    With a root of the prior, ``U' U``, it is ``U' (1 + U precision U')^-1 U``, which holds where the prior or
    the precision is singular.

    Parameters
    ----------
    prior : ndarray of float64, shape (at least n, at least n)
        Covariance; left as its upper triangular root.
    precision : ndarray of float64, shape (at least n, at least n)
        Of the information.
    n : int
        How many values.
    out : ndarray of float64, shape (at least n, at least n)
        Written.
    scratch : ndarray of float64, shape (3, at least n, at least n)
        Overwritten.
    """
    lower, product, inside = scratch[0], scratch[1], scratch[2]
    upper_root(prior, n)
    for i in range(n):
        for j in range(n):
            lower[i, j] = prior[j, i]
    multiply(prior, precision, n, n, n, product)
    multiply(product, lower, n, n, n, inside)
    for i in range(n):
        inside[i, i] += 1.0
    invert(inside, n)
    multiply(inside, prior, n, n, n, product)
    multiply(lower, product, n, n, n, out)


@inner
def generalized_quotient(vectors: np.ndarray, root: np.ndarray, rows: int, n: int, out: np.ndarray) -> None:
    """Write row vectors times a generalized inverse of ``U' U``, of which U is the upper triangular root."""
    for row in range(rows):
        for j in range(n):
            rest = vectors[row, j]
            for i in range(j):
                rest -= out[row, i] * root[i, j]
            out[row, j] = rest / root[j, j] if root[j, j] > 0.0 else 0.0
        for back in range(n):
            j = n - 1 - back
            rest = out[row, j]
            for i in range(j + 1, n):
                rest -= root[j, i] * out[row, i]
            out[row, j] = rest / root[j, j] if root[j, j] > 0.0 else 0.0
