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
    multiply,
    padded,
    plus,
    plus_products,
    transform,
    write,
)
from asmrisk.population.roster_beliefs import (
    Beliefs,
    Cavity,
    PracticeBeliefs,
    gather,
    is_alone,
    learn_area,
    learn_practice,
    practice_beliefs,
    tell,
)
from asmrisk.population.roster_pattern import Pattern
from asmrisk.population.roster_shared import SharedScores, project

__all__ = ["SWEEPS", "infer"]

_Array = NDArray[np.float64]

#: Rounds of expectation propagation, from nothing known on.
SWEEPS = 4


@inner
def _add_area(pattern: Pattern, p: int, mean: np.ndarray, work: PracticeBeliefs) -> None:
    """Add what is learned of the area to what a practice is like given the area."""
    kept, moved, turned, product = work.matrices[0], work.matrices[1], work.matrices[2], work.matrices[3]
    start, n = pattern.known_start[p], pattern.known_start[p + 1] - pattern.known_start[p]
    given, precision, own, here = work.covariance[p], work.precision[p], work.mean[p], work.vector[1]
    if is_alone(pattern, p):
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
    pattern: Pattern, beliefs: Beliefs, i: int, joined: bool, cavity: Cavity, work: PracticeBeliefs
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
    if joined and is_alone(pattern, p):
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
    work: PracticeBeliefs,
) -> None:
    """Learn what is shared, and every site's distribution given all the rest."""
    for area in range(pattern.area_start.shape[0] - 1):
        start, end = pattern.area_start[area], pattern.area_start[area + 1]
        for at in range(start, end):
            if not is_alone(pattern, pattern.area[at]):
                gather(pattern, beliefs, pattern.area[at], work)
        if end - start == 1:
            if not is_alone(pattern, pattern.area[start]):
                learn_practice(pattern, prior, area_prior, pattern.area[start], True, work)
        else:
            learn_area(pattern, beliefs, prior, area_prior, area, work)
            size = pattern.rows_start[area + 1] - pattern.rows_start[area]
            mean = work.matrices[5, 0]
            transform(work.area_covariance, work.area_weighted, size, mean)
            for at in range(start, end):
                _add_area(pattern, pattern.area[at], mean, work)
        for at in range(start, end):
            p = pattern.area[at]
            for m in range(pattern.member_start[p], pattern.member_start[p + 1]):
                _leave_one_out(pattern, beliefs, pattern.member[m], end - start == 1, cavity, work)


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
    work, cavity = (
        practice_beliefs(pattern),
        Cavity(np.empty_like(beliefs.value), np.empty_like(beliefs.value)),
    )
    areas = np.diff(pattern.area_start)
    merged = _merged(pattern, beliefs, prior, area_prior, areas == 1)
    for _ in range(sweeps):
        tell(pattern, merged, work.matrices[0])
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
    tell(pattern, finished, work.matrices[0])
    project(pattern, finished, prior, area_prior, work, tuple(found))
    beliefs.moved[finished.kind != beliefs.kind] = 1
    tell(pattern, beliefs, work.matrices[0])
    return found
