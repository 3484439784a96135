"""Random words by key: the counter-based generator Philox4x32-10.

Each block of four 32-bit words is a pure function of a 128-bit counter, which says what the words are for
(the draw, the clinician, the year, the decision), and a 64-bit key, the seed. Nothing is consumed in
sequence, so no order of computation and no other decision can change a word. `asmrisk.simulation.keys` says
which counter belongs to which decision.

References
----------
J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
Proceedings of SC11, 2011.
"""

from __future__ import annotations

import numpy as np

from asmrisk.numerics.jit import fma, inline

__all__ = ["philox4x32", "seed_key", "uniform"]

_ROUNDS = 10
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_KEY_STEP_0 = np.uint64(0x9E3779B9)
_KEY_STEP_1 = np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
#: Bits of 2**52: with a 32-bit word in the low bits they are the float 2**52 + word.
_TWO_52_BITS = np.uint64(0x4330000000000000)
_TWO_TO_MINUS_32 = 2.0**-32
#: Takes (2**52 + word) / 2**32 to the middle of the word's interval; nothing is rounded.
_TO_MIDDLE = 2.0**-33 - 2.0**20


def seed_key(seed: int) -> tuple[np.uint64, np.uint64]:
    """Split a seed of 64 bits into the low and the high key word; `ValueError` if it has more.

    Examples
    --------
    >>> [int(word) for word in seed_key(2**32 + 7)]
    [7, 1]
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}; it must be between 0 and 2**64 - 1")
    return np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)


@inline
def philox4x32(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Four random words from a counter and a key.

    The words are held in 64 bits: a product of two of them fits, so nothing overflows, compiled or not. Bits
    above the 32nd are dropped only where they would matter, before a product and at the end.

    Parameters
    ----------
    c0, c1, c2, c3 : numpy.uint64
        Counter words; their low 32 bits count.
    k0, k1 : numpy.uint64
        Key words, below 2**32.

    Returns
    -------
    tuple of numpy.uint64
        Four words, each below 2**32.

    Examples
    --------
    >>> zero = np.uint64(0)
    >>> [hex(word) for word in philox4x32(zero, zero, zero, zero, zero, zero)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    for _ in range(_ROUNDS):
        product_0 = (c0 & _MASK) * _MULTIPLIER_0
        product_1 = (c2 & _MASK) * _MULTIPLIER_1
        c0 = (product_1 >> _HALF) ^ c1 ^ k0
        c1 = product_1
        c2 = (product_0 >> _HALF) ^ c3 ^ k1
        c3 = product_0
        k0 = (k0 + _KEY_STEP_0) & _MASK
        k1 = (k1 + _KEY_STEP_1) & _MASK
    return c0 & _MASK, c1 & _MASK, c2 & _MASK, c3 & _MASK


@inline
def uniform(word: np.uint32 | np.uint64) -> float:
    """Middle of a word's interval among 2**32 equal parts of (0, 1): exactly ``(word + 1/2) / 2**32``.

    Examples
    --------
    >>> float(uniform(np.uint64(2**31))) - 0.5 == 2.0**-33
    True
    """
    return fma(np.uint64(np.uint64(word) | _TWO_52_BITS).view(np.float64), _TWO_TO_MINUS_32, _TO_MIDDLE)
