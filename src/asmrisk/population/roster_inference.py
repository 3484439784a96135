"""Expectation propagation over a roster: what clinicians, practices and areas are like, given all numbers.

What is known is exact at some sites; at others it has a likelihood of its own, which becomes a normal site
that gives its combination of scores the mean and the variance that the likelihood does, given everything else
that is known, colleagues' numbers too (Minka, Expectation propagation, 2001; Rasmussen and Williams, Gaussian
Processes for Machine Learning, 2006, section 3.6).

Where something is known is found once for a roster (`asmrisk.population.roster_pattern`); what it tells
depends on the population.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import inner, kernel
from asmrisk.population.joint_inference import (
    NONE,
    WIDTH,
    Scores,
    Sites,
    column_of,
    covariance,
    eight,
    generalized_quotient,
    invert,
    multiply,
    padded,
    plus,
    plus_products,
    posterior,
    transform,
    upper_root,
    write,
)
from asmrisk.population.roster_pattern import Pattern

__all__ = [
    "EXACT",
    "MOST_NOISE",
    "SEEN_NOISE",
    "SWEEPS",
    "Beliefs",
    "Cavity",
    "SharedScores",
    "infer",
    "normal_site",
]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: Rounds of expectation propagation, from nothing known on.
SWEEPS = 4
#: Variance of the noise of scores that are seen as they are, and where not even a rounding is allowed.
SEEN_NOISE, EXACT = 1e-6, 1e-14
#: Noise of a site that stands for a likelihood: at most (as good as nothing known), and at least.
MOST_NOISE, _LEAST_NOISE = 1e6, 1e-9


class Beliefs(NamedTuple):
    """What is seen of n clinicians at up to N sites, or stands for it, and what follows from it."""

    kind: _Codes  #: shape (n,): kind of each clinician
    own: _Array  #: shape (kinds, N, N): covariance of own parts at the sites
    value: _Array  #: shape (n, N): what is seen
    noise: _Array  #: shape (n, N): variance of its noise
    #: What each tells of the shared part at its own list of sites: precision, and it times the value.
    precision: _Array  #: shape (n, most, most)
    weighted: _Array  #: shape (n, most)
    moved: _Codes  #: shape (n,): 1 where what is seen has changed since then


class Cavity(NamedTuple):
    """The distribution of each clinician's sites given all that is known but the site itself."""

    mean: _Array  #: shape (n, N)
    variance: _Array  #: shape (n, N)


class _Practices(NamedTuple):
    """What P practices and some areas know of the rows that are theirs; scratch."""

    precision: _Array  #: shape (P, most, most)
    weighted: _Array  #: shape (P, most)
    mean: _Array  #: shape (P, most): given the area's part
    covariance: _Array  #: shape (P, most, most)
    told: _Array  #: shape (P, most, most): of the area's part: precision
    heard: _Array  #: shape (P, most): it times the value
    area_precision: _Array  #: shape (most of an area, same)
    area_weighted: _Array  #: shape (most of an area,)
    area_covariance: _Array  #: shape (most of an area, same)
    matrices: _Array  #: shape (10, most rows, most rows)
    vector: _Array  #: shape (4, most rows)


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
def _alone(pattern: Pattern, p: int) -> bool:
    """Whether a practice has one clinician, whose part and the practice's are then one."""
    return pattern.member_start[p + 1] - pattern.member_start[p] == 1  # type: ignore[no-any-return]


@inner
def _condense(pattern: Pattern, beliefs: Beliefs, i: int, scratch: np.ndarray) -> None:
    """Turn a clinician's noisy sites into information about what is shared at them, if they have changed."""
    if beliefs.moved[i] == 0:
        return
    beliefs.moved[i] = 0
    first, n = pattern.seen_start[i], pattern.seen_start[i + 1] - pattern.seen_start[i]
    own, value, noise = beliefs.own[beliefs.kind[i]], beliefs.value[i], beliefs.noise[i]
    precision, weighted = beliefs.precision[i], beliefs.weighted[i]
    for a in range(n):
        site = pattern.seen[first + a]
        for b in range(n):
            precision[a, b] = own[site, pattern.seen[first + b]]
        precision[a, a] += noise[site]
    invert(precision, n, scratch)
    seen = scratch[0]
    for a in range(n):
        seen[a] = value[pattern.seen[first + a]]
    transform(precision, seen, n, weighted)


@kernel
def _tell(pattern: Pattern, beliefs: Beliefs, scratch: np.ndarray) -> None:
    """Write what each clinician whose sites have changed tells of what is shared at them."""
    for i in range(pattern.practice.shape[0]):
        _condense(pattern, beliefs, i, scratch)


@inner
def _gather(pattern: Pattern, beliefs: Beliefs, p: int, work: _Practices) -> None:
    """Sum what a practice's clinicians tell."""
    n = pattern.known_start[p + 1] - pattern.known_start[p]
    precision, weighted = work.precision[p], work.weighted[p]
    for a in range(n):
        weighted[a] = 0.0
        for b in range(n):
            precision[a, b] = 0.0
    for m in range(pattern.member_start[p], pattern.member_start[p + 1]):
        i = pattern.member[m]
        first, sites = pattern.seen_start[i], pattern.seen_start[i + 1] - pattern.seen_start[i]
        theirs, told = beliefs.precision[i], beliefs.weighted[i]
        if sites == n:
            # All that anybody has.
            for part in range(padded(n) // WIDTH):
                c = column_of(part)
                write(weighted, c, plus(1.0, eight(told, c), eight(weighted, c)))
                for a in range(n):
                    write(precision[a], c, plus(1.0, eight(theirs[a], c), eight(precision[a], c)))
        else:
            for a in range(sites):
                place = pattern.place[first + a]
                weighted[place] += told[a]
                for b in range(sites):
                    precision[place, pattern.place[first + b]] += theirs[a, b]


@inner
def _learn_practice(
    pattern: Pattern, prior: np.ndarray, area_prior: np.ndarray, p: int, joined: bool, work: _Practices
) -> None:
    """Learn what a practice shares given the area's part; given nothing if they are one (`joined`)."""
    matrix = work.matrices[0]
    start, n = pattern.known_start[p], pattern.known_start[p + 1] - pattern.known_start[p]
    for a in range(n):
        for b in range(n):
            i, j = pattern.known[start + a], pattern.known[start + b]
            matrix[a, b] = prior[i, j] + area_prior[i, j] if joined else prior[i, j]
    posterior(matrix, work.precision[p], n, work.covariance[p], work.matrices[3:])
    transform(work.covariance[p], work.weighted[p], n, work.mean[p])


@inner
def _pass_on(n: int, p: int, work: _Practices) -> None:
    """Write what a practice of n rows tells of the area: precision - precision given precision, and so on."""
    matrix, moved, small = work.matrices[0], work.matrices[1], work.vector[0]
    precision, told = work.precision[p], work.told[p]
    multiply(work.covariance[p], precision, n, n, n, moved)
    multiply(precision, moved, n, n, n, matrix)
    transform(precision, work.mean[p], n, small)
    for a in range(n):
        work.heard[p, a] = work.weighted[p, a] - small[a]
        for b in range(n):
            told[a, b] = precision[a, b] - matrix[a, b]


@inner
def _learn_area(
    pattern: Pattern, beliefs: Beliefs, prior: np.ndarray, area_prior: np.ndarray, area: int, work: _Practices
) -> None:
    """Learn what an area's practices share given the area's part, and what the area's part is like."""
    matrix = work.matrices[0]
    first, size = pattern.rows_start[area], pattern.rows_start[area + 1] - pattern.rows_start[area]
    for a in range(size):
        work.area_weighted[a] = 0.0
        for b in range(size):
            work.area_precision[a, b] = 0.0
    for at in range(pattern.area_start[area], pattern.area_start[area + 1]):
        p = pattern.area[at]
        start, n = pattern.known_start[p], pattern.known_start[p + 1] - pattern.known_start[p]
        told, heard = work.told[p], work.heard[p]
        if _alone(pattern, p):
            only = pattern.member[pattern.member_start[p]]
            told, heard = beliefs.precision[only], beliefs.weighted[only]
        else:
            _learn_practice(pattern, prior, area_prior, p, False, work)
            _pass_on(n, p, work)
        for a in range(n):
            i = pattern.known_place[start + a]
            work.area_weighted[i] += heard[a]
            for b in range(n):
                work.area_precision[i, pattern.known_place[start + b]] += told[a, b]
    for a in range(size):
        for b in range(size):
            matrix[a, b] = area_prior[pattern.rows[first + a], pattern.rows[first + b]]
    posterior(matrix, work.area_precision, size, work.area_covariance, work.matrices[3:])


@inner
def _add_area(pattern: Pattern, p: int, mean: np.ndarray, work: _Practices) -> None:
    """Add what is learned of the area to what a practice is like given the area."""
    kept, moved, turned, product = work.matrices[0], work.matrices[1], work.matrices[2], work.matrices[3]
    start, n = pattern.known_start[p], pattern.known_start[p + 1] - pattern.known_start[p]
    given, precision, own, here = work.covariance[p], work.precision[p], work.mean[p], work.vector[1]
    if _alone(pattern, p):
        for a in range(n):
            i = pattern.known_place[start + a]
            own[a] = mean[i]
            for b in range(n):
                given[a, b] = work.area_covariance[i, pattern.known_place[start + b]]
        return
    # A unit of the area's is one less what the practice's figures say against it.
    multiply(given, precision, n, n, n, kept)
    for a in range(n):
        for b in range(n):
            kept[a, b] = (1.0 if a == b else 0.0) - kept[a, b]
    for a in range(n):
        i = pattern.known_place[start + a]
        here[a] = mean[i]
        for b in range(n):
            moved[a, b] = work.area_covariance[i, pattern.known_place[start + b]]
            turned[a, b] = kept[b, a]
    multiply(kept, moved, n, n, n, product)
    multiply(product, turned, n, n, n, moved)
    for a in range(n):
        total = own[a]
        for b in range(n):
            given[a, b] += moved[a, b]
            total += kept[a, b] * here[b]
        work.vector[2, a] = total
    for a in range(n):
        own[a] = work.vector[2, a]


@inner
def _leave_one_out(
    pattern: Pattern, beliefs: Beliefs, i: int, joined: bool, cavity: Cavity, work: _Practices
) -> None:
    """Give the distribution of a clinician's sites but for their values (Rasmussen and Williams, 5.4.2)."""
    spread, product, residual, rest, seen = (
        work.matrices[0],
        work.matrices[1],
        work.vector[0],
        work.vector[1],
        work.vector[2],
    )
    first, n, p = (
        pattern.seen_start[i],
        pattern.seen_start[i + 1] - pattern.seen_start[i],
        pattern.practice[i],
    )
    precision, weighted = beliefs.precision[i], beliefs.weighted[i]
    if joined and _alone(pattern, p):
        for a in range(n):
            site = pattern.seen[first + a]
            cavity.mean[i, site] = beliefs.value[i, site] - weighted[a] / precision[a, a]
            cavity.variance[i, site] = 1.0 / precision[a, a] - beliefs.noise[i, site]
        return
    if n == pattern.known_start[p + 1] - pattern.known_start[p]:
        # All that anybody of the practice has.
        spread, residual = work.covariance[p], work.mean[p]
    else:
        for a in range(n):
            place = pattern.place[first + a]
            residual[a] = work.mean[p, place]
            for b in range(n):
                spread[a, b] = work.covariance[p, place, pattern.place[first + b]]
    multiply(spread, precision, n, n, n, product)
    for part in range(padded(n) // WIDTH):
        c = column_of(part)
        left, known = eight(weighted, c), NONE
        for b in range(n):
            row = eight(precision[b], c)
            left = plus(-residual[b], row, left)
            known = plus_products(row, eight(product[b], c), known)
        write(rest, c, left)
        write(seen, c, known)
    for a in range(n):
        site, precise = pattern.seen[first + a], precision[a, a] - seen[a]
        cavity.mean[i, site] = beliefs.value[i, site] - rest[a] / precise
        cavity.variance[i, site] = 1.0 / precise - beliefs.noise[i, site]


@kernel
def _sweep(
    pattern: Pattern,
    beliefs: Beliefs,
    prior: np.ndarray,
    area_prior: np.ndarray,
    cavity: Cavity,
    work: _Practices,
) -> None:
    """Learn what is shared, and every site's distribution given all the rest."""
    for area in range(pattern.area_start.shape[0] - 1):
        start, end = pattern.area_start[area], pattern.area_start[area + 1]
        for at in range(start, end):
            if not _alone(pattern, pattern.area[at]):
                _gather(pattern, beliefs, pattern.area[at], work)
        if end - start == 1:
            if not _alone(pattern, pattern.area[start]):
                _learn_practice(pattern, prior, area_prior, pattern.area[start], True, work)
        else:
            _learn_area(pattern, beliefs, prior, area_prior, area, work)
            size = pattern.rows_start[area + 1] - pattern.rows_start[area]
            mean = work.matrices[5, 0]
            transform(work.area_covariance, work.area_weighted, size, mean)
            for at in range(start, end):
                _add_area(pattern, pattern.area[at], mean, work)
        for at in range(start, end):
            p = pattern.area[at]
            for m in range(pattern.member_start[p], pattern.member_start[p + 1]):
                _leave_one_out(pattern, beliefs, pattern.member[m], end - start == 1, cavity, work)


@inner
def normal_site(beliefs: Beliefs, cavity: Cavity, i: int, site: int, mean: float, sd: float) -> None:
    """Give a likelihood's site the moments that it has given all the rest."""
    before, wide = cavity.mean[i, site], cavity.variance[i, site]
    precision = min(max(1.0 / (sd * sd) - 1.0 / wide, 1.0 / MOST_NOISE), 1.0 / _LEAST_NOISE)
    weighted = mean * (precision + 1.0 / wide) - before / wide
    beliefs.value[i, site] = weighted / precision
    beliefs.noise[i, site] = 1.0 / precision
    beliefs.moved[i] = 1


@inner
def _project(
    pattern: Pattern,
    beliefs: Beliefs,
    p: int,
    prior: np.ndarray,
    area_prior: np.ndarray,
    joined: bool,
    low: int,
    high: int,
    work: _Practices,
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
    told, heard = work.told[p], work.heard[p]
    if _alone(pattern, p):
        only = pattern.member[pattern.member_start[p]]
        told, heard = beliefs.precision[only], beliefs.weighted[only]
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
    work: _Practices,
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
    work: _Practices,
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
    spread: np.ndarray, rows: int, k: int, joined: bool, work: _Practices, root: np.ndarray
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
def _finish(
    pattern: Pattern,
    beliefs: Beliefs,
    prior: np.ndarray,
    area_prior: np.ndarray,
    work: _Practices,
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
            if not _alone(pattern, p):
                _gather(pattern, beliefs, p, work)
                if joined:
                    _learn_practice(pattern, prior, area_prior, p, True, work)
                    _pass_on(pattern.known_start[p + 1] - pattern.known_start[p], p, work)
        # Rows of the cohorts that are there.
        begin, end = area_prior.shape[0], 0
        for cohort in range(len(shared)):
            for at in range(pattern.area_start[area], pattern.area_start[area + 1]):
                if pattern.present[cohort, pattern.area[at]] >= 0:
                    begin, end = min(begin, pattern.row[cohort]), max(end, pattern.row[cohort + 1])
        if not joined:
            _learn_area(pattern, beliefs, prior, area_prior, area, work)
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
                    _project(
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


def _merged(
    pattern: Pattern, beliefs: Beliefs, prior: _Array, area_prior: _Array, joined: NDArray[np.bool_]
) -> Beliefs:
    """Count what the practice shares as the own part of who has no colleagues in the roster.

    So is what the area shares, of areas that are joined with their only practice. All but kinds and own parts
    is the same memory.
    """
    most, cohorts = beliefs.own.shape[1], len(pattern.row) - 1
    shared = np.zeros((3, cohorts, most, most))
    for cohort in range(cohorts):
        rows = slice(pattern.row[cohort] + pattern.scores, pattern.row[cohort + 1])
        n = rows.stop - rows.start
        shared[1, cohort, :n, :n] = prior[rows, rows]
        shared[2, cohort, :n, :n] = prior[rows, rows] + area_prior[rows, rows]
    kinds = len(beliefs.own)
    cohort_of = np.zeros(kinds, np.int64)
    cohort_of[beliefs.kind] = np.repeat(np.arange(cohorts), np.diff(pattern.clinician))
    area = np.empty(len(pattern.area), np.int64)
    area[pattern.area] = np.repeat(np.arange(len(joined)), np.diff(pattern.area_start))
    part = np.where(np.diff(pattern.member_start) == 1, 1 + joined[area], 0)
    own = beliefs.own + shared[:, cohort_of]
    return beliefs._replace(
        kind=beliefs.kind + kinds * part[pattern.practice], own=own.reshape(3 * kinds, most, most)
    )


def _workspace(pattern: Pattern) -> _Practices:
    """Allocate what practices and areas are learned in."""
    practices = pattern.present.shape[1]
    most = padded(int(np.diff(pattern.known_start).max()))
    area = padded(int(np.diff(pattern.rows_start).max()))
    rows = padded(int(pattern.row[-1]))
    return _Practices(
        precision=np.zeros((practices, most, most)),
        weighted=np.zeros((practices, most)),
        mean=np.zeros((practices, most)),
        covariance=np.zeros((practices, most, most)),
        told=np.zeros((practices, most, most)),
        heard=np.zeros((practices, most)),
        area_precision=np.zeros((area, area)),
        area_weighted=np.zeros(area),
        area_covariance=np.zeros((area, area)),
        matrices=np.zeros((10, rows, rows)),
        vector=np.zeros((4, rows)),
    )


def infer(
    pattern: Pattern,
    beliefs: Beliefs,
    rows: Sites,
    scores: Scores,
    refine: Callable[[Cavity], None],
    sweeps: int = SWEEPS,
) -> list[SharedScores]:
    """Find what is shared, and what each clinician tells of it.

    Parameters
    ----------
    pattern : Pattern
        Where something is known.
    beliefs : Beliefs
        Values and noise are written where a likelihood says something; what each clinician tells is written.
    rows : Sites
        The scores in the first performance year and the sites of all cohorts.
    scores : Scores
        Of all cohorts.
    refine : callable
        Gives the sites that stand for likelihoods new values and noise, from the distribution of each site
        given all the rest.
    sweeps : int
        How often.

    Returns
    -------
    list of SharedScores
        By cohort.
    """
    prior = covariance(rows, rows, scores.practice, scores.shared_persistence)
    area_prior = covariance(rows, rows, scores.area, scores.shared_persistence)
    work, cavity = _workspace(pattern), Cavity(np.empty_like(beliefs.value), np.empty_like(beliefs.value))
    areas = np.diff(pattern.area_start)
    merged = _merged(pattern, beliefs, prior, area_prior, areas == 1)
    for _ in range(sweeps):
        _tell(pattern, merged, work.matrices[0])
        _sweep(pattern, merged, prior, area_prior, cavity, work)
        refine(cavity)
    found = []
    for cohort, (low, high) in enumerate(
        zip(pattern.row[:-1].tolist(), pattern.row[1:].tolist(), strict=True)
    ):
        here, size, k = np.flatnonzero(pattern.present[cohort] >= 0), high - low, pattern.scores
        shared = SharedScores(
            practice=here,
            mean=np.zeros((len(here), size)),
            covariance=np.zeros((len(here), size, size)),
            root=np.zeros((len(here), size, size)),
            gain=np.zeros((len(here), size, k)),
            area_root=np.zeros((pattern.areas, k, k)),
        )
        found.append(shared)
    # What an area shares is told even where it has one practice.
    finished = _merged(pattern, beliefs, prior, area_prior, np.arange(len(areas)) >= pattern.areas)
    beliefs.moved[finished.kind != merged.kind] = 1
    _tell(pattern, finished, work.matrices[0])
    _finish(pattern, finished, prior, area_prior, work, tuple(found))
    beliefs.moved[finished.kind != beliefs.kind] = 1
    _tell(pattern, beliefs, work.matrices[0])
    return found
