"""What is seen of a roster's clinicians, and what follows from it for practices and areas: kernels.

Each clinician's sites are condensed to information about what is shared at them, clinicians are summed to
practices and practices to areas (`asmrisk.population.joint_inference`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import inner, kernel
from asmrisk.population.joint_inference import (
    WIDTH,
    column_of,
    eight,
    invert,
    multiply,
    padded,
    plus,
    posterior,
    transform,
    write,
)
from asmrisk.population.roster_pattern import Pattern

__all__ = [
    "EXACT",
    "MOST_NOISE",
    "SEEN_NOISE",
    "Beliefs",
    "Cavity",
    "PracticeBeliefs",
    "gather",
    "is_alone",
    "learn_area",
    "learn_practice",
    "normal_site",
    "pass_on",
    "practice_beliefs",
    "tell",
    "told_by",
]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

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


class PracticeBeliefs(NamedTuple):
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


def practice_beliefs(pattern: Pattern) -> PracticeBeliefs:
    """Allocate what practices and areas are learned in."""
    practices = pattern.present.shape[1]
    most = padded(int(np.diff(pattern.known_start).max()))
    area = padded(int(np.diff(pattern.rows_start).max()))
    rows = padded(int(pattern.row[-1]))
    return PracticeBeliefs(
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
def is_alone(pattern: Pattern, p: int) -> bool:
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
def tell(pattern: Pattern, beliefs: Beliefs, scratch: np.ndarray) -> None:
    """Write what each clinician whose sites have changed tells of what is shared at them."""
    for i in range(pattern.practice.shape[0]):
        _condense(pattern, beliefs, i, scratch)


@inner
def gather(pattern: Pattern, beliefs: Beliefs, p: int, work: PracticeBeliefs) -> None:
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
def learn_practice(
    pattern: Pattern, prior: np.ndarray, area_prior: np.ndarray, p: int, joined: bool, work: PracticeBeliefs
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
def pass_on(n: int, p: int, work: PracticeBeliefs) -> None:
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
def told_by(
    pattern: Pattern, beliefs: Beliefs, p: int, work: PracticeBeliefs
) -> tuple[np.ndarray, np.ndarray]:
    """Give what a practice tells of the area's part: precision, and it times the value."""
    only = pattern.member[pattern.member_start[p]]
    if is_alone(pattern, p):
        return beliefs.precision[only], beliefs.weighted[only]
    return work.told[p], work.heard[p]


@inner
def learn_area(
    pattern: Pattern,
    beliefs: Beliefs,
    prior: np.ndarray,
    area_prior: np.ndarray,
    area: int,
    work: PracticeBeliefs,
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
        if not is_alone(pattern, p):
            learn_practice(pattern, prior, area_prior, p, False, work)
            pass_on(n, p, work)
        told, heard = told_by(pattern, beliefs, p, work)
        for a in range(n):
            i = pattern.known_place[start + a]
            work.area_weighted[i] += heard[a]
            for b in range(n):
                work.area_precision[i, pattern.known_place[start + b]] += told[a, b]
    for a in range(size):
        for b in range(size):
            matrix[a, b] = area_prior[pattern.rows[first + a], pattern.rows[first + b]]
    posterior(matrix, work.area_precision, size, work.area_covariance, work.matrices[3:])
