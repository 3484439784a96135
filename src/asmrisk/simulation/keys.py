"""Which uniform belongs to which decision: the key of every random number in the simulation.

A clinician's uniform is a pure function of (seed, draw, cohort, practice, member, generation, year,
decision), a practice's of (seed, draw, cohort, practice, year, decision), an area's of (seed, draw, area,
year, decision). So one member more changes nobody else. The generator gives four words for one counter, so a
decision is a *block* (the counter) and one of four *lanes*. Numbers once given are never reused: adding a
decision or a measure changes no other number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline, inner, kernel
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.simulation.philox import philox4x32, uniform

__all__ = [
    "AREA",
    "BLOCK_AREA_MEASURE",
    "BLOCK_AREA_MIX",
    "BLOCK_AREA_PERFORMANCE",
    "BLOCK_CASES",
    "BLOCK_CONDUCT",
    "BLOCK_FIELD",
    "BLOCK_MEASURE",
    "BLOCK_MIX",
    "BLOCK_PARTICIPATION",
    "BLOCK_PERFORMANCE",
    "BLOCK_PRACTICE",
    "BLOCK_PRACTICE_CONDUCT",
    "BLOCK_PRACTICE_MEASURE",
    "BLOCK_PRACTICE_MIPS",
    "BLOCK_PRACTICE_MIX",
    "BLOCK_PRACTICE_PERFORMANCE",
    "BLOCK_PRACTICE_PROGRAMS",
    "BLOCK_ROSTER_AREA",
    "BLOCK_ROSTER_HABITS",
    "BLOCK_ROSTER_SHARED",
    "BLOCK_WHO",
    "FIRST_YEAR",
    "GREATEST_UNIFORM",
    "KNOWLEDGE",
    "LANE_ACO",
    "LANE_AREA",
    "LANE_CASES",
    "LANE_COST",
    "LANE_COST_NOISE",
    "LANE_DUAL",
    "LANE_EPISODES",
    "LANE_EXEMPT",
    "LANE_EXIT",
    "LANE_GENERAL",
    "LANE_GROUP",
    "LANE_HCC",
    "LANE_IMPROVEMENT",
    "LANE_INTEROPERABILITY",
    "LANE_LEVEL",
    "LANE_MEMBERS",
    "LANE_MIPS",
    "LANE_MORE_IMPROVEMENT",
    "LANE_MORE_INTEROPERABILITY",
    "LANE_NONREPORTING",
    "LANE_PART_B",
    "LANE_PRACTICE_PART_B",
    "LANE_QUALIFYING",
    "LANE_RATE",
    "LANE_RECORD_SYSTEM",
    "LANE_SHOCK",
    "LANE_SIZE",
    "LANE_SPECIALTY",
    "LANE_SPECIFIC",
    "LANE_SUBMISSION",
    "LANE_VALUE",
    "LANE_YEARLY_MIPS",
    "LEAST_UNIFORM",
    "PERMANENT",
    "ROSTER",
    "ROSTER_BLOCKS",
    "ROSTER_PRACTICE",
    "UNIFORMS_PER_BLOCK",
    "Clinicians",
    "fill_permanent",
    "fill_uniforms",
    "generation_of",
    "member_of",
    "stream",
]

#: Calendar year of the first performance year.
FIRST_YEAR = PERFORMANCE_YEARS[0]

# Drawn once for each clinician, with the year `PERMANENT`.
PERMANENT = 0
BLOCK_WHO = 0
LANE_LEVEL, LANE_SPECIALTY = 0, 1
BLOCK_MIX = 1
LANE_HCC, LANE_DUAL = 0, 1
BLOCK_CASES = 2  # blocks 2 and 3, lanes: level of eligible cases of measures 0-3, of measure 4, and
LANE_MIPS = 3  # what is permanent in the MIPS score; in the second block, and in those of practices

# Drawn for each clinician and calendar year.
BLOCK_PARTICIPATION = 16
LANE_EXIT, LANE_SHOCK, LANE_EPISODES = 0, 1, 2
BLOCK_PERFORMANCE = 17
LANE_GENERAL, LANE_COST, LANE_COST_NOISE, LANE_NONREPORTING = 0, 1, 2, 3
BLOCK_CONDUCT = 18
LANE_YEARLY_MIPS, LANE_EXEMPT, LANE_PART_B = 0, 2, 3
BLOCK_MEASURE = 32  # blocks 32-36, one a measure
LANE_SPECIFIC, LANE_SUBMISSION, LANE_CASES, LANE_RATE = 0, 1, 2, 3

# Of a practice, once: its clinicians, its members in the model, where it is, its record system; patients.
BLOCK_PRACTICE = 192
LANE_SIZE, LANE_MEMBERS, LANE_AREA, LANE_RECORD_SYSTEM = 0, 1, 2, 3
BLOCK_PRACTICE_MIX = 193  # lanes as of `BLOCK_MIX`
BLOCK_PRACTICE_PROGRAMS = 194  # which of Medicare's programs it is in, and `LANE_MIPS`
LANE_ACO, LANE_GROUP, LANE_QUALIFYING = 0, 1, 2
# Of a practice in a calendar year.
BLOCK_PRACTICE_PERFORMANCE = 200  # lanes as of `BLOCK_PERFORMANCE`, and
LANE_PRACTICE_PART_B = 2
BLOCK_PRACTICE_CONDUCT = 201
LANE_IMPROVEMENT, LANE_INTEROPERABILITY, LANE_MORE_IMPROVEMENT, LANE_MORE_INTEROPERABILITY = 0, 1, 2, 3
BLOCK_PRACTICE_MIPS = 202
BLOCK_PRACTICE_MEASURE = 208  # four blocks a cohort, two measures each, specific part and submission

# Of an area: patients, once; the rest in a calendar year. Both cohorts have it in common.
BLOCK_AREA_MIX = 224  # lanes as of `BLOCK_MIX`
BLOCK_AREA_PERFORMANCE = 225  # lanes as of `BLOCK_PRACTICE_PERFORMANCE`
BLOCK_AREA_MEASURE = 226  # blocks 226-229, two a cohort, a lane a measure

# Of a roster's practices and areas in the first performance year: what they share given what is known. The
# first blocks are of what both cohorts have in common, as many later ones of each cohort's own.
ROSTER_BLOCKS = 64
BLOCK_ROSTER_SHARED = 256
BLOCK_ROSTER_HABITS = 512
BLOCK_ROSTER_AREA = 768

# Instead of a cohort in a counter word: areas; what nobody knows, drawn once for each draw; a roster's
# clinicians, by cohort, and its practices.
AREA = 2
KNOWLEDGE = 3
ROSTER = 4
ROSTER_PRACTICE = 6
BLOCK_FIELD = 64
LANE_VALUE = 0

#: Added to a block's number: the block from which its permutations are drawn.
BLOCK_STRATA = 128
#: Uniforms in a block: the lanes.
UNIFORMS_PER_BLOCK = 4

#: Ends of the uniforms of 32 bits.
LEAST_UNIFORM, GREATEST_UNIFORM = 2.0**-33, 1.0 - 2.0**-33
_GENERATION = 255
_YEAR_ZERO = 2000


@inline
def stream(cohort: int, member: int, generation: int, year: int) -> int:
    """Pack cohort (0 to 7), member, generation (0 to 255) and calendar year or `PERMANENT` into a word."""
    offset = year - _YEAR_ZERO if year > 0 else 0
    return generation | (offset << 8) | (cohort << 16) | (member << 19)


def generation_of(base: np.ndarray) -> np.ndarray:
    """Read from counter words how many clinicians held the slot before."""
    return base & _GENERATION


def member_of(base: np.ndarray) -> np.ndarray:
    """Read from counter words which member of its practice a clinician is, from 0."""
    return base >> 19


class Clinicians(NamedTuple):
    """Who some clinicians are, for their keys; made inside kernels, all int64 (at least n,)."""

    slot: np.ndarray  # rank among the cohort's slots
    number: np.ndarray  # of the practice
    base: np.ndarray  # counter word, see `stream`


@kernel
def fill_uniforms(
    u: np.ndarray,
    block: int,
    number: np.ndarray,
    base: np.ndarray,
    year: int,
    draw: int,
    key: np.ndarray,
    first: int,
    end: int,
) -> None:
    """Draw the four uniforms of one block for each of some clinicians, practices or areas.

    Parameters
    ----------
    u : ndarray of float64, shape (4, at least end)
        Written from `first` on: uniforms strictly between 0 and 1, one row a lane.
    block : int
        Block of decisions.
    number : ndarray of int64, shape (at least end,)
        Numbers of the practices, or of the areas.
    base : ndarray of int64, shape (at least end,)
        `stream` of each for the year `PERMANENT`; of a practice that of its first member.
    year : int
        Calendar year, or `PERMANENT`.
    draw : int
        Number of the draw.
    key : ndarray of uint64, shape (2,)
        Lower and upper half of the seed.
    first, end : int
        Index of the first one, and one more than the last one's.
    """
    # Sliced, since an index that does not begin at 0 would be checked for counting from the end.
    u0, u1, u2, u3 = u[0, first:end], u[1, first:end], u[2, first:end], u[3, first:end]
    numbers, bases = number[first:end], base[first:end]
    c0 = np.uint64(block)
    c3 = np.uint64(draw)
    key0 = key[0]
    key1 = key[1]
    when = stream(0, 0, 0, year)
    for i in range(end - first):
        w0, w1, w2, w3 = philox4x32(c0, np.uint64(numbers[i]), np.uint64(bases[i] | when), c3, key0, key1)
        u0[i] = uniform(w0)
        u1[i] = uniform(w1)
        u2[i] = uniform(w2)
        u3[i] = uniform(w3)


@kernel
def permute(slot: int, slots: int, mask: int, w0: int, w1: int, w2: int, w3: int) -> int:
    """Permute the numbers from 0 to ``slots - 1`` by a key.

    Numbers up to a power of 2 are mixed by steps that can each be undone (odd multiples, sums and shifted
    differences, modulo that power), again and again until the number is below `slots`.

    Parameters
    ----------
    slot : int
        The number, 0 to ``slots - 1``.
    slots : int
        How many numbers, at least 1 and at most ``mask + 1``.
    mask : int
        A power of 2 less 1, at least 3, below 2**30.
    w0, w1, w2, w3 : int
        The key: words of 32 bits.

    Returns
    -------
    int
        A number that no other one is mapped to.
    """
    half = 1
    while (1 << (2 * half)) <= mask:
        half += 1
    permuted = slot
    while True:
        permuted = (permuted * ((w0 & mask) | 1) + (w2 & mask)) & mask
        permuted ^= permuted >> half
        permuted = (permuted * ((w1 & mask) | 1) + (w3 & mask)) & mask
        permuted ^= permuted >> half
        permuted = (permuted * (((w0 >> 16) & mask) | 1) + ((w1 >> 16) & mask)) & mask
        permuted ^= permuted >> half
        if permuted < slots:
            return permuted


@inner
def fill_permanent(
    u: np.ndarray,
    block: int,
    who: Clinicians,
    draw: int,
    key: np.ndarray,
    n: int,
    cohort: int,
    slots: int,
) -> None:
    """Draw the four uniforms of a block of permanent attributes of n clinicians.

    In a Latin hypercube (M. D. McKay, R. J. Beckman and W. J. Conover, Technometrics 21, 1979) each lane of
    the first generation has one uniform in each of as many equal parts of (0, 1) as there are slots: which
    one is a random permutation of the slots, one for each draw, cohort, block and lane. Each uniform is as
    uniform as before, but depends on the clinician's rank among the slots, and on how many there are. What a
    practice and an area have in common is not part of it.

    Parameters
    ----------
    u, block, draw, key
        As for `fill_uniforms`.
    who : Clinicians
        The clinicians, all of one cohort.
    n : int
        How many clinicians.
    cohort : int
        Code of the cohort.
    slots : int
        The cohort's slots if they are a Latin hypercube, else 0.
    """
    fill_uniforms(u, block, who.number, who.base, PERMANENT, draw, key, 0, n)
    if slots == 0 or n == 0:
        return
    mask = 3
    while mask + 1 < slots:
        mask = 2 * mask + 1
    for lane in range(UNIFORMS_PER_BLOCK):
        words = philox4x32(
            np.uint64(BLOCK_STRATA + block),
            np.uint64(lane),
            np.uint64(cohort << 16),
            np.uint64(draw),
            key[0],
            key[1],
        )
        w0, w1, w2, w3 = int(words[0]), int(words[1]), int(words[2]), int(words[3])
        for i in range(n):
            if who.base[i] & _GENERATION == 0:
                within = (permute(who.slot[i], slots, mask, w0, w1, w2, w3) + u[lane, i]) / slots
                u[lane, i] = min(max(within, LEAST_UNIFORM), GREATEST_UNIFORM)
