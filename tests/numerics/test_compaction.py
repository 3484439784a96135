"""Compaction: the wanted elements in order, whatever the vectors; compiled or not."""

import numba
import numpy as np
import pytest

from asmrisk.numerics.compaction import AT_ONCE, pack, pack_places
from asmrisk.numerics.jit import whole_vectors
from asmrisk.rule.groups import gather, list_members


@numba.njit(error_model="numpy")
def packed(values, group, code, out, places):
    """Pack the eight elements from index 1 on to index 2 on."""
    count = pack_places(1, group, code, places, 2)
    return count, pack(values, 1, group, code, out, 2)


@pytest.mark.parametrize("bits", range(2**AT_ONCE))
def test_every_choice_of_eight_is_packed_in_order(bits):
    chosen = np.array([bits >> k & 1 == 1 for k in range(AT_ONCE)])
    values = np.arange(10.0, 20.0)
    group = np.concatenate([[5], np.where(chosen, 5, -1), [5]]).astype(np.int8)
    out, places = np.full(2 + AT_ONCE, -1.0), np.zeros(2 + AT_ONCE, np.uint32)
    counts = packed(values, group, 5, out, places)
    wanted = 1 + np.flatnonzero(chosen)
    assert counts == (len(wanted), len(wanted))
    assert (out[:2] == -1.0).all()
    assert (places[:2] == 0).all()
    np.testing.assert_array_equal(out[2 : 2 + len(wanted)], values[wanted])
    np.testing.assert_array_equal(places[2 : 2 + len(wanted)], wanted)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 64, 1001])
@pytest.mark.parametrize("code", [-1, 0, 2])
def test_members_of_a_group_come_in_order_with_their_places(n, code):
    rng = np.random.default_rng(n)
    values, group = rng.normal(size=n), rng.integers(-1, 2, n).astype(np.int8)
    values[::5] = np.nan
    # Room for n, and not one more.
    members, who = np.zeros(n), np.zeros(n, np.uint32)
    wanted = np.flatnonzero(group == code)
    assert gather(values, group, code, n, members) == len(wanted)
    np.testing.assert_array_equal(members[: len(wanted)], values[wanted])
    assert list_members(values, -1.0, group, code, n, members, who) == len(wanted)
    np.testing.assert_array_equal(members[: len(wanted)], -values[wanted])
    np.testing.assert_array_equal(who[: len(wanted)], wanted)


@pytest.mark.skipif(not whole_vectors() or numba.config.DISABLE_JIT, reason="there are no such vectors here")
def test_arrays_whose_elements_stand_apart_are_refused():
    apart = np.arange(32.0)[::2]
    with pytest.raises(numba.TypingError):
        packed(apart, np.zeros(16, np.int8), 0, np.zeros(16), np.zeros(16, np.uint32))
