"""What a roster's practices share in the first performance year and at their sites, for draws: kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import inner, kernel
from asmrisk.population.joint_inference import generalized_quotient, multiply, transform, upper_root
from asmrisk.population.roster_beliefs import (
    Beliefs,
    PracticeBeliefs,
    gather,
    is_alone,
    learn_area,
    learn_practice,
    pass_on,
    told_by,
)
from asmrisk.population.roster_pattern import Pattern

__all__ = ["SharedScores", "project"]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]


class SharedScores(NamedTuple):
    """What P practices of a cohort share: K scores in the first performance year, then N sites."""

    practice: _Codes  #: shape (P,): the practices of the cohort, index in the roster's
    mean: _Array  #: shape (P, K + N)
    covariance: _Array  #: shape (P, K + N, K + N): whatever the area
    root: _Array  #: shape (P, K + N, K + N): lower triangular, of the covariance given a known area
    #: For each unit by which a known area's scores differ from their mean; 0 where it is not known.
    gain: _Array  #: shape (P, K + N, K)
    area_root: _Array  #: shape (areas, K, K): of known areas, lower triangular


@inner
def _carry(
    pattern: Pattern,
    beliefs: Beliefs,
    p: int,
    prior: np.ndarray,
    area_prior: np.ndarray,
    joined: bool,
    low: int,
    high: int,
    work: PracticeBeliefs,
    full: np.ndarray,
    out_mean: np.ndarray,
    out: np.ndarray,
) -> None:
    """Carry what a practice's known rows tell given the area to rows from `low` to `high`.

    Written are mean and covariance, and to `full`, shape (rows, known), what a unit at the known rows takes
    from a row.
    """
    start, n, rows = pattern.known_start[p], pattern.known_start[p + 1] - pattern.known_start[p], high - low
    left, turned, cross = work.matrices[0], work.matrices[1], work.matrices[2]
    told, heard = told_by(pattern, beliefs, p, work)
    for z in range(rows):
        for a in range(n):
            i = pattern.known[start + a]
            cross[z, a] = prior[low + z, i] + (area_prior[low + z, i] if joined else 0.0)
    multiply(cross, told, rows, n, n, full)
    for z in range(rows):
        total = 0.0
        for a in range(n):
            total += cross[z, a] * heard[a]
            turned[a, z] = cross[z, a]
        out_mean[z] = total
    multiply(full, turned, rows, n, rows, left)
    for z in range(rows):
        for y in range(rows):
            both = prior[low + z, low + y] + (area_prior[low + z, low + y] if joined else 0.0)
            out[z, y] = both - left[z, y]


@inner
def _area_rows(
    pattern: Pattern,
    area: int,
    area_prior: np.ndarray,
    begin: int,
    end: int,
    work: PracticeBeliefs,
    mean: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write what an area is like at the rows from `begin` to `end`."""
    first, size = pattern.rows_start[area], pattern.rows_start[area + 1] - pattern.rows_start[area]
    rows = end - begin
    told, product, cross = work.matrices[0], work.matrices[1], work.matrices[2]
    small = work.vector[0]
    multiply(work.area_covariance, work.area_precision, size, size, size, product)
    multiply(work.area_precision, product, size, size, size, told)
    transform(work.area_covariance, work.area_weighted, size, work.vector[1])
    transform(work.area_precision, work.vector[1], size, small)
    for a in range(size):
        small[a] = work.area_weighted[a] - small[a]
        for b in range(size):
            told[a, b] = work.area_precision[a, b] - told[a, b]
    for z in range(rows):
        total = 0.0
        for a in range(size):
            cross[z, a] = area_prior[begin + z, pattern.rows[first + a]]
            total += cross[z, a] * small[a]
        mean[z] = total
    multiply(cross, told, rows, size, size, product)
    for z in range(rows):
        for a in range(size):
            told[a, z] = cross[z, a]
    multiply(product, told, rows, size, rows, out)
    for z in range(rows):
        for y in range(rows):
            out[z, y] = area_prior[begin + z, begin + y] - out[z, y]


@inner
def _add_area_rows(
    pattern: Pattern,
    p: int,
    low: int,
    rows: int,
    begin: int,
    total: int,
    area_mean: np.ndarray,
    area_spread: np.ndarray,
    full: np.ndarray,
    work: PracticeBeliefs,
    mean: np.ndarray,
    out: np.ndarray,
    gain: np.ndarray,
    root: np.ndarray,
) -> None:
    """Add an area's part to a practice's rows; write what remains given the area's scores, and their gain.

    Those are its `rows` from `low` on; of the area are known `total` rows from `begin` on.
    """
    start, n = pattern.known_start[p], pattern.known_start[p + 1] - pattern.known_start[p]
    k, own = pattern.scores, low - begin
    toward, product, known = work.matrices[0], work.matrices[1], work.matrices[2]
    for a in range(n):
        i = pattern.known[start + a] - begin
        for y in range(total):
            known[a, y] = area_spread[i, y]
    multiply(full, known, rows, n, total, product)
    for z in range(rows):
        shift = area_mean[own + z]
        for a in range(n):
            shift -= full[z, a] * area_mean[pattern.known[start + a] - begin]
        mean[z] += shift
        for y in range(total):
            toward[z, y] = area_spread[own + z, y] - product[z, y]
    nearby, solved = work.matrices[3], work.matrices[4]
    for a in range(n):
        i = pattern.known[start + a] - begin
        for z in range(rows):
            known[z, a] = toward[z, i]
            nearby[a, z] = full[z, a]
    multiply(known, nearby, rows, n, rows, product)
    for z in range(rows):
        for y in range(rows):
            out[z, y] += toward[z, own + y] - product[z, y]
    for y in range(k):
        for z in range(rows):
            nearby[y, z] = toward[z, own + y]
    generalized_quotient(nearby, root, k, rows, solved)
    for z in range(rows):
        for y in range(k):
            gain[z, y] = solved[y, z]


@inner
def _write_root(matrix: np.ndarray, n: int, out: np.ndarray) -> None:
    """Write the lower triangular root of a covariance matrix, which is overwritten."""
    upper_root(matrix, n)
    for i in range(n):
        for j in range(i + 1):
            out[i, j] = matrix[j, i]


@inner
def _write_left(
    spread: np.ndarray, rows: int, k: int, joined: bool, work: PracticeBeliefs, root: np.ndarray
) -> None:
    """Write the root of what remains of a practice's covariance given the area's scores."""
    left, toward, turned, product = work.matrices[5], work.matrices[3], work.matrices[0], work.matrices[1]
    if not joined:
        for z in range(rows):
            for j in range(k):
                turned[z, j] = work.matrices[4, j, z]
        multiply(turned, toward, rows, k, rows, product)
    for z in range(rows):
        for y in range(rows):
            left[z, y] = spread[z, y] - product[z, y] if not joined else spread[z, y]
    _write_root(left, rows, root)


@kernel
def project(
    pattern: Pattern,
    beliefs: Beliefs,
    prior: np.ndarray,
    area_prior: np.ndarray,
    work: PracticeBeliefs,
    shared: tuple[SharedScores, ...],
) -> None:
    """Write what each cohort's practices share."""
    k = pattern.scores
    area_spread, full, root = work.matrices[6], work.matrices[7], work.matrices[8]
    area_mean = work.vector[3]
    for area in range(pattern.area_start.shape[0] - 1):
        joined = area >= pattern.areas
        for at in range(pattern.area_start[area], pattern.area_start[area + 1]):
            p = pattern.area[at]
            if not is_alone(pattern, p):
                gather(pattern, beliefs, p, work)
                if joined:
                    learn_practice(pattern, prior, area_prior, p, True, work)
                    pass_on(pattern.known_start[p + 1] - pattern.known_start[p], p, work)
        # Rows of the cohorts that are there.
        begin, end = area_prior.shape[0], 0
        for cohort in range(len(shared)):
            for at in range(pattern.area_start[area], pattern.area_start[area + 1]):
                if pattern.present[cohort, pattern.area[at]] >= 0:
                    begin, end = min(begin, pattern.row[cohort]), max(end, pattern.row[cohort + 1])
        if not joined:
            learn_area(pattern, beliefs, prior, area_prior, area, work)
            _area_rows(pattern, area, area_prior, begin, end, work, area_mean, area_spread)
        for cohort in range(len(shared)):
            low, high = pattern.row[cohort], pattern.row[cohort + 1]
            rows, found = high - low, shared[cohort]
            if not joined and begin <= low and high <= end:
                for i in range(k):
                    for j in range(k):
                        root[i, j] = area_spread[low - begin + i, low - begin + j]
                _write_root(root, k, found.area_root[area])
            for at in range(pattern.area_start[area], pattern.area_start[area + 1]):
                p = pattern.area[at]
                index = pattern.present[cohort, p]
                if index >= 0:
                    mean, spread, gain = found.mean[index], found.covariance[index], found.gain[index]
                    _carry(
                        pattern, beliefs, p, prior, area_prior, joined, low, high, work, full, mean, spread
                    )
                    if not joined:
                        _add_area_rows(
                            pattern,
                            p,
                            low,
                            rows,
                            begin,
                            end - begin,
                            area_mean,
                            area_spread,
                            full,
                            work,
                            mean,
                            spread,
                            gain,
                            root,
                        )
                    _write_left(spread, rows, k, joined, work, found.root[index])
