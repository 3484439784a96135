"""Which uniform belongs to which decision: the key of every random number in the simulation.

A uniform is a pure function of (seed, draw, cohort, clinician slot, generation, year, decision). The
generator gives four words for one counter, so a decision is a *block* (the counter) and one of four *lanes*.
Numbers once given are never reused: adding a decision or a measure changes no other number.
"""

from __future__ import annotations

import numpy as np

from asmrisk.numerics.jit import inline, inner, kernel
from asmrisk.simulation.philox import philox4x32, uniform

__all__ = [
    "BLOCK_CASES",
    "BLOCK_CONDUCT",
    "BLOCK_FIELD",
    "BLOCK_MEASURE",
    "BLOCK_MIX",
    "BLOCK_PARTICIPATION",
    "BLOCK_PERFORMANCE",
    "BLOCK_WHO",
    "GREATEST_UNIFORM",
    "KNOWLEDGE",
    "LANE_CASES",
    "LANE_COLLECTION_TYPE",
    "LANE_COST",
    "LANE_COST_NOISE",
    "LANE_DUAL",
    "LANE_EPISODES",
    "LANE_EXEMPT",
    "LANE_EXIT",
    "LANE_GENERAL",
    "LANE_HCC",
    "LANE_IMPROVEMENT",
    "LANE_INTEROPERABILITY",
    "LANE_LEVEL",
    "LANE_NONREPORTING",
    "LANE_PART_B",
    "LANE_PRACTICE",
    "LANE_RATE",
    "LANE_SHOCK",
    "LANE_SPECIALTY",
    "LANE_SPECIFIC",
    "LANE_SUBMISSION",
    "LANE_VALUE",
    "LEAST_UNIFORM",
    "PERMANENT",
    "UNIFORMS_PER_BLOCK",
    "fill_permanent",
    "fill_uniforms",
    "generation_of",
    "stream",
]

# Drawn once for each clinician, with the year `PERMANENT`.
PERMANENT = 0
BLOCK_WHO = 0
LANE_LEVEL, LANE_SPECIALTY, LANE_PRACTICE, LANE_COLLECTION_TYPE = 0, 1, 2, 3
BLOCK_MIX = 1
LANE_HCC, LANE_DUAL = 0, 1
BLOCK_CASES = 2  # blocks 2 and 3, lanes: level of eligible cases of measures 0-3, of measure 4

# Drawn for each clinician and calendar year.
BLOCK_PARTICIPATION = 16
LANE_EXIT, LANE_SHOCK, LANE_EPISODES = 0, 1, 2
BLOCK_PERFORMANCE = 17
LANE_GENERAL, LANE_COST, LANE_COST_NOISE, LANE_NONREPORTING = 0, 1, 2, 3
BLOCK_CONDUCT = 18
LANE_IMPROVEMENT, LANE_INTEROPERABILITY, LANE_EXEMPT, LANE_PART_B = 0, 1, 2, 3
BLOCK_MEASURE = 32  # blocks 32-36, one a measure
LANE_SPECIFIC, LANE_SUBMISSION, LANE_CASES, LANE_RATE = 0, 1, 2, 3

# Not a clinician's: what nobody knows, drawn once for each draw.
KNOWLEDGE = 3  # instead of a cohort
BLOCK_FIELD = 64
LANE_VALUE = 0

#: Added to a block's number: the block from which its permutations are drawn.
BLOCK_STRATA = 128
#: Uniforms in a block: the lanes.
UNIFORMS_PER_BLOCK = 4

#: Ends of the uniforms of 32 bits.
LEAST_UNIFORM, GREATEST_UNIFORM = 2.0**-33, 1.0 - 2.0**-33
_GENERATION = 255
_COHORT = 0xFF0000
_YEAR_ZERO = 2000


@inline
def stream(cohort: int, generation: int, year: int) -> int:
    """Pack cohort, generation (each 0 to 255) and calendar year or `PERMANENT` into one counter word."""
    offset = year - _YEAR_ZERO if year > 0 else 0
    return generation | (offset << 8) | (cohort << 16)


def generation_of(base: np.ndarray) -> np.ndarray:
    """Read from counter words how many clinicians held the slot before."""
    return base & _GENERATION


@kernel
def fill_uniforms(
    u: np.ndarray,
    block: int,
    slot: np.ndarray,
    base: np.ndarray,
    year: int,
    draw: int,
    key: np.ndarray,
    first: int,
    end: int,
) -> None:
    """Draw the four uniforms of one block for each of some clinicians.

    Parameters
    ----------
    u : ndarray of float64, shape (4, at least end)
        Written from `first` on: uniforms strictly between 0 and 1, one row a lane.
    block : int
        Block of decisions.
    slot : ndarray of int64, shape (at least end,)
        Clinician slots.
    base : ndarray of int64, shape (at least end,)
        `stream` of each clinician for the year `PERMANENT`.
    year : int
        Calendar year, or `PERMANENT`.
    draw : int
        Number of the draw.
    key : ndarray of uint64, shape (2,)
        Lower and upper half of the seed.
    first, end : int
        Index of the first clinician, and one more than the last one's.
    """
    # Sliced, since an index that does not begin at 0 would be checked for counting from the end.
    u0, u1, u2, u3 = u[0, first:end], u[1, first:end], u[2, first:end], u[3, first:end]
    slots, bases = slot[first:end], base[first:end]
    c0 = np.uint64(block)
    c3 = np.uint64(draw)
    key0 = key[0]
    key1 = key[1]
    when = stream(0, 0, year)
    for i in range(end - first):
        w0, w1, w2, w3 = philox4x32(c0, np.uint64(slots[i]), np.uint64(bases[i] | when), c3, key0, key1)
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
    slot: np.ndarray,
    base: np.ndarray,
    draw: int,
    key: np.ndarray,
    n: int,
    slots: int,
) -> None:
    """Draw the four uniforms of a block of permanent attributes of n clinicians.

    In a Latin hypercube (M. D. McKay, R. J. Beckman and W. J. Conover, Technometrics 21, 1979) each lane of
    the first generation has one uniform in each of as many equal parts of (0, 1) as there are slots: which
    one is a random permutation of the slots, one for each draw, cohort, block and lane. Each uniform is as
    uniform as before.

    Parameters
    ----------
    u, block, slot, base, draw, key
        As for `fill_uniforms`; all of one cohort.
    n : int
        How many clinicians.
    slots : int
        The cohort's slots if they are a Latin hypercube, else 0.
    """
    fill_uniforms(u, block, slot, base, PERMANENT, draw, key, 0, n)
    if slots == 0 or n == 0:
        return
    mask = 3
    while mask + 1 < slots:
        mask = 2 * mask + 1
    cohort = np.uint64(base[0] & _COHORT)
    for lane in range(UNIFORMS_PER_BLOCK):
        words = philox4x32(
            np.uint64(BLOCK_STRATA + block), np.uint64(lane), cohort, np.uint64(draw), key[0], key[1]
        )
        w0, w1, w2, w3 = int(words[0]), int(words[1]), int(words[2]), int(words[3])
        for i in range(n):
            if base[i] & _GENERATION == 0:
                within = (permute(slot[i], slots, mask, w0, w1, w2, w3) + u[lane, i]) / slots
                u[lane, i] = min(max(within, LEAST_UNIFORM), GREATEST_UNIFORM)
