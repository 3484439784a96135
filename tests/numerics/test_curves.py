"""Roots and monotone curves against SciPy's."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from asmrisk.numerics.curves import monotone_cubic, root

FUNCTIONS = [
    (lambda x: math.cos(x) - x, 0.0, 1.0),
    (lambda x: x**3 - 2.0 * x - 5.0, -10.0, 10.0),
    (lambda x: math.exp(x) - 1e6, -50.0, 50.0),
    (lambda x: math.atan(x - 3.0), -1e3, 1e3),
    (lambda x: -1.0 if x < 0.3 else 2.0, 0.0, 1.0),
    (lambda x: x - 1e-9, -1.0, 1.0),
]


@pytest.mark.parametrize(("function", "low", "high"), FUNCTIONS)
def test_a_root_is_scipys(function, low, high):
    calls = []
    found = root(lambda x: calls.append(x) or function(x), low, high)
    assert found == pytest.approx(brentq(function, low, high, xtol=1e-14, rtol=1e-14), abs=1e-13, rel=1e-13)
    # Not far from it the sign changes.
    width = 1e-13 * (1.0 + abs(found))
    assert function(found - width) * function(found + width) <= 0.0
    assert len(calls) < 150


def test_a_root_at_an_end_is_found():
    assert root(lambda x: x - 2.0, 2.0, 5.0) == pytest.approx(2.0, abs=1e-13)
    assert root(lambda x: x - 5.0, 2.0, 5.0) == pytest.approx(5.0, abs=1e-13)


def test_ends_of_one_sign_are_refused():
    with pytest.raises(ValueError, match="same sign"):
        root(lambda x: x * x + 1.0, -1.0, 1.0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.floats(-2.0, 2.0)), min_size=3, max_size=15))
def test_a_monotone_cubic_is_scipys(steps):
    x, y = np.cumsum([width for width, _ in steps]), np.cumsum([round(up, 3) for _, up in steps])
    at = np.linspace(x[0], x[-1], 101)
    np.testing.assert_allclose(monotone_cubic(x, y, at), PchipInterpolator(x, y)(at), rtol=1e-10, atol=1e-10)
    # Through the points themselves, and between two of them never beyond.
    np.testing.assert_allclose(monotone_cubic(x, y, x), y, atol=1e-12)
