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

from asmrisk.numerics.jit import fma, inline, inner, kernel

__all__ = [
    "NONE",
    "WIDTH",
    "Scores",
    "Sites",
    "column_of",
    "covariance",
    "eight",
    "generalized_quotient",
    "invert",
    "joined",
    "multiply",
    "padded",
    "part_of",
    "plus",
    "plus_products",
    "posterior",
    "transform",
    "upper_root",
    "write",
]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: A variance below this is rounding.
_NOTHING = 1e-12
#: Columns of a matrix that are worked on at once, and the numbers up to it; an unsigned index needs no check
#: for counting from the end.
WIDTH = 8
_1, _2, _3, _4, _5, _6, _7, _8 = (np.uint64(each) for each in range(1, WIDTH + 1))
#: As many numbers, which the compiler makes a vector of.
Eight = tuple[float, float, float, float, float, float, float, float]
NONE: Eight = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_0 = np.uint64(0)
_ONE = np.eye(WIDTH)
_OTHERS = 1.0 - _ONE


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


@inline
def column_of(part: int) -> np.uint64:
    """Give the first column of one of the parts of a matrix's rows, each `WIDTH` wide."""
    return np.uint64(part) * _8


@inline
def eight(row: np.ndarray, c: np.uint64) -> Eight:
    """Read `WIDTH` numbers from a column on."""
    return (
        row[c],
        row[c + _1],
        row[c + _2],
        row[c + _3],
        row[c + _4],
        row[c + _5],
        row[c + _6],
        row[c + _7],
    )


@inline
def write(row: np.ndarray, c: np.uint64, x: Eight) -> None:
    """Write `WIDTH` numbers from a column on."""
    row[c] = x[0]
    row[c + _1] = x[1]
    row[c + _2] = x[2]
    row[c + _3] = x[3]
    row[c + _4] = x[4]
    row[c + _5] = x[5]
    row[c + _6] = x[6]
    row[c + _7] = x[7]


@inline
def plus(a: float, x: Eight, y: Eight) -> Eight:
    """Give ``a x + y``."""
    return (
        fma(a, x[0], y[0]),
        fma(a, x[1], y[1]),
        fma(a, x[2], y[2]),
        fma(a, x[3], y[3]),
        fma(a, x[4], y[4]),
        fma(a, x[5], y[5]),
        fma(a, x[6], y[6]),
        fma(a, x[7], y[7]),
    )


@inline
def plus_products(x: Eight, y: Eight, z: Eight) -> Eight:
    """Give ``x y + z``, number by number."""
    return (
        fma(x[0], y[0], z[0]),
        fma(x[1], y[1], z[1]),
        fma(x[2], y[2], z[2]),
        fma(x[3], y[3], z[3]),
        fma(x[4], y[4], z[4]),
        fma(x[5], y[5], z[5]),
        fma(x[6], y[6], z[6]),
        fma(x[7], y[7], z[7]),
    )


@inner
def invert(matrix: np.ndarray, n: int, scratch: np.ndarray) -> None:
    """Replace a positive definite matrix of n rows by its inverse by the sweep operator (Goodnight, 1979).

    A row of `scratch` is overwritten.
    """
    column = scratch[0]
    for k in range(n):
        pivot = 1.0 / matrix[k, k]
        # Symmetric but for the sign of what was swept.
        for i in range(k):
            column[i] = matrix[k, i]
        column[k] = 0.0
        for i in range(k + 1, n):
            column[i] = -matrix[k, i]
        for part in range(padded(n) // WIDTH):
            c = column_of(part)
            row = eight(matrix[k], c)
            if part == k // WIDTH:
                # Column k of the unit matrix takes the place of the matrix's: in whole vectors, which wait
                # where a single number of theirs was just written.
                one, others = eight(_ONE[k % WIDTH], _0), eight(_OTHERS[k % WIDTH], _0)
                row = plus(pivot, plus_products(row, others, one), NONE)
                for i in range(n):
                    kept = plus_products(eight(matrix[i], c), others, NONE)
                    write(matrix[i], c, plus(column[i], row, kept))
            else:
                row = plus(pivot, row, NONE)
                for i in range(n):
                    write(matrix[i], c, plus(column[i], row, eight(matrix[i], c)))
            write(matrix[k], c, row)


@inner
def upper_root(matrix: np.ndarray, n: int) -> None:
    """Replace a covariance matrix, which may be singular, by its upper triangular root U: ``U' U``."""
    parts = padded(n) // WIDTH
    for k in range(n):
        pivot = matrix[k, k]
        inverse = 1.0 / pivot if pivot > _NOTHING else 0.0
        for part in range(k // WIDTH, parts):
            c = column_of(part)
            row = eight(matrix[k], c)
            for i in range(k + 1, min((part + 1) * WIDTH, n)):
                write(matrix[i], c, plus(-inverse * matrix[k, i], row, eight(matrix[i], c)))
    for k in range(n):
        pivot = matrix[k, k]
        scale = 1.0 / math.sqrt(pivot) if pivot > _NOTHING else 0.0
        for part in range(k // WIDTH, parts):
            write(matrix[k], column_of(part), plus(scale, eight(matrix[k], column_of(part)), NONE))
        for j in range(k):
            matrix[k, j] = 0.0


@inner
def multiply(
    first: np.ndarray, second: np.ndarray, rows: int, middle: int, columns: int, out: np.ndarray
) -> None:
    """Write the product of a matrix of so many rows and columns in the middle, and another, to a third.

    Four rows of `WIDTH` columns at once, which the processor holds; what lies beyond rows and columns is
    overwritten up to their padded numbers.
    """
    for part in range(padded(columns) // WIDTH):
        c = column_of(part)
        for i in range(0, rows, 4):
            a, b, d, e = NONE, NONE, NONE, NONE
            for k in range(middle):
                row = eight(second[k], c)
                a = plus(first[i, k], row, a)
                b = plus(first[i + 1, k], row, b)
                d = plus(first[i + 2, k], row, d)
                e = plus(first[i + 3, k], row, e)
            write(out[i], c, a)
            write(out[i + 1], c, b)
            write(out[i + 2], c, d)
            write(out[i + 3], c, e)


@inner
def transform(symmetric: np.ndarray, vector: np.ndarray, n: int, out: np.ndarray) -> None:
    """Write a symmetric matrix of n rows times a vector, overwriting `out` up to the padded number."""
    for part in range(padded(n) // WIDTH):
        c = column_of(part)
        total = NONE
        for i in range(n):
            total = plus(vector[i], eight(symmetric[i], c), total)
        write(out, c, total)


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
def generalized_quotient(columns: np.ndarray, root: np.ndarray, n: int, count: int, out: np.ndarray) -> None:
    """Write a generalized inverse of ``U' U`` times some columns, which may be many.

    Parameters
    ----------
    columns : ndarray of float64, shape (at least n, at least count)
        One beside the other.
    root : ndarray of float64, shape (at least n, at least n)
        U, as `upper_root` writes it; a row whose pivot is 0 counts as nothing.
    n, count : int
        Rows, and how many columns.
    out : ndarray of float64, shape (at least n, at least count)
        Written, up to the padded number of columns.
    """
    for part in range(padded(count) // WIDTH):
        c = column_of(part)
        for j in range(n):
            rest = eight(columns[j], c)
            for i in range(j):
                rest = plus(-root[i, j], eight(out[i], c), rest)
            write(out[j], c, plus(1.0 / root[j, j] if root[j, j] > 0.0 else 0.0, rest, NONE))
        for back in range(n):
            j = n - 1 - back
            rest = eight(out[j], c)
            for i in range(j + 1, n):
                rest = plus(-root[j, i], eight(out[i], c), rest)
            write(out[j], c, plus(1.0 / root[j, j] if root[j, j] > 0.0 else 0.0, rest, NONE))
