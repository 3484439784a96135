"""Inference over clinicians who share scores with colleagues and neighbors: linear, normal, and by practice.

Every score of a clinician is ``z = sqrt(a) A + sqrt(p) P + sqrt(own) E``: an area's, a practice's and a part
of its own, each a stationary AR(1). What is known are *sites*: combinations of scores in some year, each seen
with normal noise. Then all that is learned follows from covariances between sites alone: each clinician's
sites are condensed to information about what is shared at the sites, clinicians are summed to practices and
practices to areas, and the way back gives everybody's own part given what is shared (Rasmussen and Williams,
Gaussian Processes for Machine Learning, 2006, chapter 2; Bates and others, lme4, 2015, for the nesting).

Matrices are the upper left corners, of a stated size, of arrays with room for larger ones, by whole widths of
a vector in both dimensions (`padded`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import inline, inner, kernel

__all__ = [
    "Scores",
    "Sites",
    "covariance",
    "generalized_quotient",
    "invert",
    "joined",
    "multiply",
    "padded",
    "part_of",
    "posterior",
    "upper_root",
]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: A variance below this is rounding.
_NOTHING = 1e-12
#: Columns of a matrix that are worked on at once, and the numbers up to it; an unsigned index needs no check
#: for counting from the end.
WIDTH = 8
_1, _2, _3, _4, _5, _6, _7, _8 = (np.uint64(each) for each in range(1, WIDTH + 1))


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


def part_of(sites: Sites, part: slice) -> Sites:
    """Give some of a list of sites."""
    return Sites(sites.direction[part], sites.year[part], sites.cohort[part])


def joined(sites: list[Sites]) -> Sites:
    """Give lists of sites one after the other."""
    return Sites(
        np.concatenate([each.direction for each in sites]),
        np.concatenate([each.year for each in sites]),
        np.concatenate([each.cohort for each in sites]),
    )


@inline
def padded(n: int) -> int:
    """Give the room that n rows or columns take: whole widths."""
    return (n + WIDTH - 1) // WIDTH * WIDTH


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
def invert(matrix: np.ndarray, n: int, scratch: np.ndarray) -> None:
    """Replace a positive definite matrix of n rows by its inverse by the sweep operator (Goodnight, 1979).

    Two rows of `scratch` are overwritten.
    """
    row, column = scratch[0], scratch[1]
    for k in range(n):
        pivot = 1.0 / matrix[k, k]
        matrix[k, k] = 1.0
        for i in range(n):
            column[i] = matrix[i, k]
            matrix[i, k] = 0.0
        matrix[k, k] = 1.0
        column[k] = 0.0
        for j in range(n):
            row[j] = matrix[k, j] * pivot
            matrix[k, j] = row[j]
        for j in range(n, padded(n)):
            row[j] = 0.0
        for part in range(padded(n) // WIDTH):
            c0 = np.uint64(part) * _8
            c1, c2, c3, c4, c5, c6, c7 = c0 + _1, c0 + _2, c0 + _3, c0 + _4, c0 + _5, c0 + _6, c0 + _7
            r0, r1, r2, r3 = row[c0], row[c1], row[c2], row[c3]
            r4, r5, r6, r7 = row[c4], row[c5], row[c6], row[c7]
            for i in range(n):
                factor = column[i]
                m0, m1, m2, m3 = matrix[i, c0], matrix[i, c1], matrix[i, c2], matrix[i, c3]
                m4, m5, m6, m7 = matrix[i, c4], matrix[i, c5], matrix[i, c6], matrix[i, c7]
                matrix[i, c0] = m0 - factor * r0
                matrix[i, c1] = m1 - factor * r1
                matrix[i, c2] = m2 - factor * r2
                matrix[i, c3] = m3 - factor * r3
                matrix[i, c4] = m4 - factor * r4
                matrix[i, c5] = m5 - factor * r5
                matrix[i, c6] = m6 - factor * r6
                matrix[i, c7] = m7 - factor * r7


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
    """Write the product of a matrix of so many rows and columns in the middle, and another, to a third.

    Two rows of `WIDTH` columns at once, which the processor holds; what lies beyond rows and columns is
    overwritten up to their padded numbers.
    """
    for part in range(padded(columns) // WIDTH):
        c0 = np.uint64(part) * _8
        c1, c2, c3, c4, c5, c6, c7 = c0 + _1, c0 + _2, c0 + _3, c0 + _4, c0 + _5, c0 + _6, c0 + _7
        for pair in range((rows + 1) // 2):
            i = 2 * pair
            one, two = first[i], first[i + 1]
            a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
            b0 = b1 = b2 = b3 = b4 = b5 = b6 = b7 = 0.0
            for k in range(middle):
                x, y = one[k], two[k]
                s0, s1, s2, s3 = second[k, c0], second[k, c1], second[k, c2], second[k, c3]
                s4, s5, s6, s7 = second[k, c4], second[k, c5], second[k, c6], second[k, c7]
                a0 += x * s0
                a1 += x * s1
                a2 += x * s2
                a3 += x * s3
                a4 += x * s4
                a5 += x * s5
                a6 += x * s6
                a7 += x * s7
                b0 += y * s0
                b1 += y * s1
                b2 += y * s2
                b3 += y * s3
                b4 += y * s4
                b5 += y * s5
                b6 += y * s6
                b7 += y * s7
            upper, lower = out[i], out[i + 1]
            upper[c0] = a0
            upper[c1] = a1
            upper[c2] = a2
            upper[c3] = a3
            upper[c4] = a4
            upper[c5] = a5
            upper[c6] = a6
            upper[c7] = a7
            lower[c0] = b0
            lower[c1] = b1
            lower[c2] = b2
            lower[c3] = b3
            lower[c4] = b4
            lower[c5] = b5
            lower[c6] = b6
            lower[c7] = b7


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
    scratch : ndarray of float64, shape (4, at least n, at least n)
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
    invert(inside, n, scratch[3])
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
