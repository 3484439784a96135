"""The elementary functions against mpmath, at the ends of their range, and with the compiler off."""

from __future__ import annotations

import decimal
import math

import mpmath
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asmrisk.numerics.jit import fma, kernel
from asmrisk.numerics.portable_math import exp, log, logistic, normal_exp, quick_log, quotient
from tests.uncompiled import assert_the_compiler_changes_nothing, printed


@kernel
def _exp_each(x, out):
    for i in range(len(x)):
        out[i] = exp(x[i])


@kernel
def _log_each(x, out):
    for i in range(len(x)):
        out[i] = log(x[i])


@kernel
def _quick_log_each(x, out):
    for i in range(len(x)):
        out[i] = quick_log(x[i])


@kernel
def _fma_each(a, b, c, out):
    for i in range(len(a)):
        out[i] = fma(a[i], b[i], c[i])


@kernel
def _normal_exp_each(x, out):
    for i in range(len(x)):
        out[i] = normal_exp(x[i])


@kernel
def _quotient_each(a, b, out):
    for i in range(len(a)):
        out[i] = quotient(a[i], b[i])


_PLAIN_FMA = """
import sys, numpy as np
from asmrisk.numerics.jit import fma
np.save(sys.argv[2], [fma(*each) for each in np.load(sys.argv[1])])
"""


def _fma_uncompiled(a, b, c, folder):
    np.save(folder / "terms.npy", np.stack([a, b, c], axis=1))
    printed(_PLAIN_FMA, folder / "terms.npy", folder / "sums.npy", compiled=False)
    return np.load(folder / "sums.npy")


def _error_in_ulps(got: float, exact: mpmath.mpf) -> float:
    return abs(float((mpmath.mpf(float(got)) - exact) / mpmath.mpf(float(np.spacing(abs(float(exact)))))))


@settings(deadline=None)
@given(st.floats(-745.0, 709.78))
def test_exp_is_within_one_ulp(x):
    with mpmath.workprec(200):
        assert _error_in_ulps(exp(x), mpmath.exp(x)) <= 1.0


@settings(deadline=None)
@given(st.floats(2.3e-308, 1.7e308))
def test_log_is_within_one_ulp(x):
    with mpmath.workprec(200):
        assert log(1.0) == 0.0
        assert x == 1.0 or _error_in_ulps(log(x), mpmath.log(x)) <= 1.0


@settings(deadline=None)
@given(st.one_of(st.floats(2.3e-308, 1.7e308), st.floats(0.5, 2.0)))
def test_the_quick_logarithm_is_within_three_ulps(x):
    with mpmath.workprec(200):
        assert quick_log(1.0) == 0.0
        assert x == 1.0 or _error_in_ulps(quick_log(x), mpmath.log(x)) <= 3.0


def test_dense_points_are_as_near():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-745, 709.7, 3000), rng.uniform(-2, 2, 3000), rng.normal(0, 1e-8, 500)])
    y = np.concatenate([np.exp(rng.uniform(-700, 700, 3000)), rng.uniform(0.5, 2, 3000)])
    got_exp, got_log, got_quick = np.empty_like(x), np.empty_like(y), np.empty_like(y)
    _exp_each(x, got_exp)
    _log_each(y, got_log)
    _quick_log_each(y, got_quick)
    with mpmath.workprec(200):
        worst = max(_error_in_ulps(g, mpmath.exp(float(v))) for g, v in zip(got_exp, x, strict=True))
        assert worst <= 1.0
        worst = max(_error_in_ulps(g, mpmath.log(float(v))) for g, v in zip(got_log, y, strict=True))
        assert worst <= 1.0
        worst = max(_error_in_ulps(g, mpmath.log(float(v))) for g, v in zip(got_quick, y, strict=True))
        assert worst <= 3.0


def test_normal_exponentials_are_those_of_exp_and_end_where_it_is_not_normal():
    x = np.concatenate([np.linspace(-708.0, 709.0, 1_000_001), np.linspace(-8.0, 14.0, 1_000_001)])
    got, expected = np.empty_like(x), np.empty_like(x)
    _normal_exp_each(x, got)
    _exp_each(x, expected)
    assert got.tobytes() == expected.tobytes()
    assert normal_exp(-1e300) == normal_exp(-708.0)
    assert normal_exp(1e300) == normal_exp(709.0)


@settings(deadline=None)
@given(st.floats(1e-15, 1e15), st.floats(1e-15, 1e15))
def test_a_quotient_is_the_nearest_number(a, b):
    assert quotient(a, b) == a / b
    assert quotient(-a, b) == -a / b


def test_quotients_of_many_numbers_are_the_nearest():
    rng = np.random.default_rng(1)
    whole = np.repeat(np.arange(0.0, 1000.0), 1000), np.tile(np.arange(1.0, 1001.0), 1000)
    drawn = rng.uniform(0.0, 1.0, 2_000_000), np.exp(rng.uniform(-20.0, 20.0, 2_000_000))
    for a, b in (whole, drawn):
        out = np.empty_like(a)
        _quotient_each(a, b, out)
        assert out.tobytes() == (a / b).tobytes()


def test_exp_at_the_ends():
    assert exp(0.0) == 1.0
    assert exp(-745.13) == 5e-324
    assert exp(-745.3) == 0.0
    assert exp(-math.inf) == 0.0
    assert exp(709.79) == math.inf
    assert exp(math.inf) == math.inf
    assert math.isfinite(exp(709.78))
    assert math.isnan(exp(math.nan))


@settings(deadline=None)
@given(st.floats(-800.0, 800.0))
def test_logistic(x):
    with mpmath.workprec(200):
        exact = 1 / (1 + mpmath.exp(-x))
        # Two roundings and the exponential's own error: 2 ulps; below exp's range the value is 0.
        assert x < -709.0 or abs(logistic(x) / exact - 1) < 4.5e-16
    assert 0.0 <= logistic(x) <= 1.0
    assert x > -745.0 or logistic(x) < 1e-300


def test_a_product_and_a_sum_are_rounded_once(tmp_path):
    """Against decimals of enough digits to hold any result exactly: cancellation, subnormals, far apart."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, 4000)) * 2.0 ** rng.integers(-60, 60, (2, 4000))
    c = rng.normal(size=4000) * 2.0 ** rng.integers(-130, 130, 4000)
    c[:1500] = -(a * b)[:1500]  # leaves the rounding error of the product
    c[1500:2500] = np.nextafter(-(a * b)[1500:2500], 0)
    a[2500:2600] *= 2.0**-900
    c[2500:2600] = 0.0  # a result that is subnormal, or too small for that
    compiled = np.empty_like(a)
    _fma_each(a, b, c, compiled)
    plain = _fma_uncompiled(a, b, c, tmp_path)
    with decimal.localcontext(prec=2000, Emin=-(10**6), Emax=10**6):
        for i in range(len(a)):
            x, y, z = (decimal.Decimal(float(value[i])) for value in (a, b, c))
            exact = float(x * y + z)
            assert compiled[i] == exact, i
            assert plain[i] == exact, i
    assert np.count_nonzero(compiled != a * b + c) > 1000  # two roundings would be seen


def test_zeros_keep_their_signs(tmp_path):
    a = np.array([0.0, -0.0, 0.0, -0.0, 2.0, 2.0, -2.0])
    b = np.array([3.0, 3.0, -3.0, -3.0, 0.5, 0.0, 0.0])
    c = np.array([-0.0, -0.0, -0.0, -0.0, -1.0, -0.0, -0.0])
    compiled = np.empty_like(a)
    _fma_each(a, b, c, compiled)
    expected = [False, True, True, False, False, False, True]
    assert np.signbit(compiled).tolist() == expected
    assert np.signbit(_fma_uncompiled(a, b, c, tmp_path)).tolist() == expected


def test_what_is_not_known_or_not_finite_is_so_without_the_compiler_too(tmp_path):
    a, b, c = np.array(
        [[math.nan, 2.0, 2.0, math.inf], [1.0, math.nan, 1.0, -2.0], [1.0, 1.0, math.nan, 3.0]]
    )
    compiled = np.empty_like(a)
    _fma_each(a, b, c, compiled)
    np.testing.assert_array_equal(compiled, [math.nan, math.nan, math.nan, -math.inf])
    np.testing.assert_array_equal(_fma_uncompiled(a, b, c, tmp_path), compiled)


_SCRIPT = """
import numpy as np
from asmrisk.numerics.portable_math import exp, log, logistic, normal_exp, quick_log, quotient
rng = np.random.default_rng(2)
for x in np.concatenate([rng.uniform(-800, 800, 300), rng.uniform(-1, 1, 200)]):
    print(float(exp(x)).hex(), float(logistic(x)).hex(), float(log(abs(x))).hex())
    print(float(normal_exp(x)).hex(), float(quotient(1.0, x)).hex())
"""


def test_compiled_and_uncompiled_agree_to_the_bit():
    assert_the_compiler_changes_nothing(_SCRIPT, lines=1000)
