"""How kernels are compiled: they count no references and cannot allocate."""

import numba
import numpy as np
import pytest

from asmrisk.numerics.jit import inline, kernel
from asmrisk.rule.order import make_order_scratch, median
from asmrisk.rule.sums import LANES, lane_sum
from asmrisk.simulation.counts import make_binomial_scratch, poisson_quantiles

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="kernels are not compiled")


def _fresh(n):
    return np.zeros(n).sum()


def _first_row(table):
    return table[0]


@inline
def _rows(table):
    return table[0], table[1]


@pytest.fixture(autouse=True)
def nothing_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile anew, since machine code from a cache cannot be looked into."""
    monkeypatch.setattr("asmrisk.numerics.jit.cache_directory", lambda: None)


def test_a_kernel_that_allocates_is_refused() -> None:
    """The compiler says so: a draw allocates nothing."""
    with pytest.raises((AssertionError, numba.errors.NumbaError)):
        kernel(_fresh)(3)
    assert numba.njit(_fresh)(3) == 0.0


def test_a_kernel_that_returns_an_array_is_refused() -> None:
    """Nobody would count the reference to it."""
    with pytest.raises(numba.errors.NumbaError, match="returning of array"):
        kernel(_first_row)(np.zeros((2, 3)))
    assert numba.njit(_first_row)(np.zeros((2, 3))).tolist() == [0.0, 0.0, 0.0]


def test_what_is_written_into_its_caller_gives_arrays_to_python() -> None:
    """A function that is inlined may be called from Python too, and then its arrays are the right ones."""
    table = np.arange(6.0).reshape(2, 3)
    first, second = _rows(table)
    assert first.tolist() == [0.0, 1.0, 2.0]
    assert second.tolist() == [3.0, 4.0, 5.0]


def test_arrays_survive_many_calls() -> None:
    """Nothing is freed that the caller still has."""
    values = np.arange(1000.0)
    scratch, lanes = make_order_scratch(1000), np.zeros(LANES)
    binomials, counts = make_binomial_scratch(8), np.zeros(8)
    for _ in range(1000):
        assert median(values, 1000, scratch) == 499.5
        assert lane_sum(values, 1000, lanes) == 499_500.0
        poisson_quantiles(np.full(8, 0.5), np.full(8, 10.0), counts, 8)
    assert counts.tolist() == [10.0] * 8
    assert binomials.odds.shape == (8,)
