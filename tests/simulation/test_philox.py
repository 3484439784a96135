"""Philox4x32-10 against the published vectors and against plain Python integers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmrisk.numerics.jit import kernel
from asmrisk.simulation.philox import philox4x32, seed_key, uniform
from tests.uncompiled import assert_the_compiler_changes_nothing

#: Counter, key and words: kat_vectors of the Random123 library.
PUBLISHED = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def _words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def _oracle(counter: list[int], key: list[int]) -> list[int]:
    """Salmon et al. (2011), section 3.3 and table 2, in unbounded integers."""
    (left0, right0, left1, right1), (key0, key1) = counter, key
    for _ in range(10):
        product0, product1 = 0xD2511F53 * left0, 0xCD9E8D57 * left1
        left0, right0, left1, right1 = (
            product1 // 2**32 ^ right0 ^ key0,
            product1 % 2**32,
            product0 // 2**32 ^ right1 ^ key1,
            product0 % 2**32,
        )
        key0, key1 = (key0 + 0x9E3779B9) % 2**32, (key1 + 0xBB67AE85) % 2**32
    return [left0, right0, left1, right1]


def _philox(counter: list[int], key: list[int]) -> list[int]:
    return [int(word) for word in philox4x32(*map(np.uint64, counter), *map(np.uint64, key))]


@pytest.mark.parametrize(("counter", "key", "words"), PUBLISHED)
def test_published_vectors(counter, key, words):
    assert _philox(_words(counter), _words(key)) == _words(words)
    assert _oracle(_words(counter), _words(key)) == _words(words)


word = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(st.lists(word, min_size=4, max_size=4), st.lists(word, min_size=2, max_size=2))
def test_any_counter_and_key(counter, key):
    assert _philox(counter, key) == _oracle(counter, key)


@kernel
def _strip(words, block, slot, base, draw, k0, k1):
    c0 = np.uint64(block)
    c3 = np.uint64(draw)
    for i in range(len(slot)):
        w0, w1, w2, w3 = philox4x32(c0, np.uint64(slot[i]), np.uint64(base[i]), c3, k0, k1)
        words[0, i] = np.uint32(w0)
        words[1, i] = np.uint32(w1)
        words[2, i] = np.uint32(w2)
        words[3, i] = np.uint32(w3)


def test_a_vectorized_strip():
    rng = np.random.default_rng(3)
    slot, base = rng.integers(0, 2**32, (2, 100))
    words = np.empty((4, 100), np.uint32)
    seed = 2**63 + 12345
    _strip(words, 17, slot, base, 4711, *seed_key(seed))
    for i in range(100):
        expected = _oracle([17, int(slot[i]), int(base[i]), 4711], [seed % 2**32, seed // 2**32])
        assert words[:, i].tolist() == expected


@settings(deadline=None)
@given(word)
def test_uniform_is_the_middle_of_its_interval(value):
    assert Fraction(float(uniform(np.uint64(value)))) == Fraction(2 * value + 1, 2**33)
    assert uniform(np.uint32(value)) == uniform(np.uint64(value))


def test_uniform_never_reaches_0_or_1():
    assert uniform(np.uint64(0)) == 2.0**-33
    assert uniform(np.uint64(2**32 - 1)) == 1.0 - 2.0**-33


def test_seed_key_halves_the_seed():
    assert [int(half) for half in seed_key(0x299F31D0_A4093822)] == [0xA4093822, 0x299F31D0]
    assert [int(half) for half in seed_key(0)] == [0, 0]
    assert [int(half) for half in seed_key(2**64 - 1)] == [2**32 - 1, 2**32 - 1]


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_out_of_range(seed):
    with pytest.raises(ValueError, match="between 0 and"):
        seed_key(seed)


_SCRIPT = """
import numpy as np
from asmrisk.simulation.philox import philox4x32, uniform
for counters in np.random.default_rng(4).integers(0, 2**32, (100, 6), dtype=np.uint64):
    print([float(uniform(word)).hex() for word in philox4x32(*counters)])
"""


def test_compiled_and_uncompiled_agree_to_the_bit():
    assert_the_compiler_changes_nothing(_SCRIPT, lines=100)
