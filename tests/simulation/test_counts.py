"""Inverse distribution functions against mpmath and SciPy: normal to rounding, counts exactly.

How the counts are certified. Let x(z) be the cornish_fisher, e(k) = x(z) - (k + 1/2) its error where
Phi(z) = P(X <= k), and t(z) the tolerance. If x increases and |e(k)| <= t at every step k, then a u above
step k has x > k + 1/2 - t, so x is within t of k + 1/2 (doubtful) or beyond it (right), and a u below it
likewise. So it is enough to look at the steps, not at every u; the tolerance is held to twice the error.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from asmrisk.numerics.jit import kernel
from asmrisk.simulation.cornish_fisher import LEAST_VARIANCE, cornish_fisher, tolerance
from asmrisk.simulation.counts import binomial_quantiles, make_binomial_scratch, poisson_quantiles
from asmrisk.simulation.normal import normal_probability, score_argument, score_from
from tests.uncompiled import assert_the_compiler_changes_nothing

LEAST, GREATEST = 2.0**-33, 1.0 - 2.0**-33
uniforms = st.integers(0, 2**32 - 1).map(lambda word: (word + 0.5) * 2.0**-32)


def _binomial(u, trials, probability) -> np.ndarray:
    u, trials, probability = np.broadcast_arrays(
        np.asarray(u, float), np.asarray(trials, float), np.asarray(probability, float)
    )
    out = np.empty(u.size)
    columns = (each.ravel().copy() for each in (u, trials, probability))
    binomial_quantiles(*columns, out, u.size, make_binomial_scratch(u.size))
    return out.reshape(u.shape)


def _poisson(u, mean) -> np.ndarray:
    u, mean = np.broadcast_arrays(np.asarray(u, float), np.asarray(mean, float))
    out = np.empty(u.size)
    poisson_quantiles(u.ravel().copy(), mean.ravel().copy(), out, u.size)
    return out.reshape(u.shape)


# The normal distribution


def _words() -> np.ndarray:
    """Uniforms of both tails to the last word, of the center, and of all between."""
    middle = np.arange(2**31 - 2000, 2**31 + 2000)
    words = np.r_[
        np.arange(2000),
        np.arange(2**32 - 2000, 2**32),
        middle,
        np.exp2(np.linspace(0, 31, 20_000)).astype(np.int64),
        np.linspace(0, 2**32 - 1, 20_000).astype(np.int64),
    ]
    return (words + 0.5) * 2.0**-32


@kernel
def _normal_scores(u, out):
    for i in range(len(u)):
        out[i] = score_from(u[i], score_argument(u[i]))


def test_normal_score_of_a_word():
    u = _words()
    z = np.empty_like(u)
    _normal_scores(u, z)
    exact = np.where(u < 0.5, special.ndtri(u), -special.ndtri(1 - u))
    assert np.abs(z / exact - 1).max() < 5e-11
    # What half a step of the uniform changes is more, everywhere.
    half_step = 2.0**-33 / stats.norm.pdf(exact)
    assert (np.abs(z - exact) < half_step).all()
    assert score_from(0.5, score_argument(0.5)) == 0.0
    _normal_scores(1 - u, exact)
    assert (exact == -z).all()


def test_normal_scores_rise_from_word_to_word():
    rng = np.random.default_rng(5)
    seams = [0.075 * 2**32, 0.925 * 2**32, 2**31]
    starts = np.concatenate(
        [rng.integers(0, 2**32 - 4096, 50), np.array(seams, np.int64) - 2048, [0, 2**32 - 4096]]
    )
    for start in starts:
        u = (start + np.arange(4096) + 0.5) * 2.0**-32
        z = np.empty_like(u)
        _normal_scores(u, z)
        assert (np.diff(z) > 0).all()


def test_normal_probability():
    z = np.concatenate([np.linspace(-9, 9, 20_001), [0.0, 1e-300, -40.0, 40.0]])
    probability = np.array([normal_probability(each) for each in z])
    inside = np.abs(z) <= 6.5
    assert np.abs(probability - special.ndtr(z))[inside].max() < 2e-12
    assert np.abs(probability - special.ndtr(z)).max() < 5e-11
    assert probability.min() > 0.0
    assert probability.max() < 1.0
    assert normal_probability(0.0) == 0.5


# Counts: the whole range against SciPy


def _many_uniforms(rng: np.random.Generator, n: int) -> np.ndarray:
    """Words at random, with both tails filled: a third of them at each end, to the last word."""
    word = rng.integers(0, 2**32, n)
    depth = np.exp2(rng.uniform(0, 32, n)).astype(np.int64) - 1
    place = rng.integers(0, 3, n)
    word = np.where(place == 0, depth, np.where(place == 1, 2**32 - 1 - depth, word))
    return (word + 0.5) * 2.0**-32


@pytest.mark.parametrize(("low", "high"), [(0.001, 1), (1, 4), (4, 30), (30, 1000), (1000, 200_000)])
def test_poisson_quantiles_against_scipy(low, high):
    rng = np.random.default_rng(6)
    mean = np.exp(rng.uniform(np.log(low), np.log(high), 5000))
    u = _many_uniforms(rng, 5000)
    assert (_poisson(u, mean) == stats.poisson.ppf(u, mean)).all()


@pytest.mark.parametrize(("low", "high"), [(1, 10), (10, 60), (60, 1000), (1000, 100_000)])
@pytest.mark.parametrize("end", ["middle", "low", "high"])
def test_binomial_quantiles_against_scipy(low, high, end):
    rng = np.random.default_rng(7)
    trials = np.exp(rng.uniform(np.log(low), np.log(high), 3000)).astype(np.int64)
    small = 10.0 ** rng.uniform(-6, -0.3, 3000)
    p = {"middle": rng.uniform(0, 1, 3000), "low": small, "high": 1 - small}[end]
    u = _many_uniforms(rng, 3000)
    assert (_binomial(u, trials, p) == stats.binom.ppf(u, trials, p)).all()


def test_degenerate_counts():
    u = np.array([LEAST, 0.5, GREATEST])
    assert (_binomial(u, 0, 0.3) == 0).all()
    assert (_binomial(u, 50, 0.0) == 0).all()
    assert (_binomial(u, 50, 1.0) == 50).all()
    assert (_binomial(u, 1, 0.25) == [0, 0, 1]).all()
    assert (_poisson(u, 0.0) == 0).all()
    assert (_poisson(u, 1e-300) == 0).all()


def test_only_the_first_n_items_are_touched():
    out = np.full(10, -7.0)
    poisson_quantiles(np.full(10, 0.5), np.full(10, 9.0), out, 4)
    assert out.tolist() == [9] * 4 + [-7] * 6
    binomial_quantiles(
        np.full(10, 0.5), np.full(10, 9.0), np.full(10, 0.01), out, 5, make_binomial_scratch(10)
    )
    assert out.tolist() == [0] * 5 + [-7] * 5


# Counts: the steps themselves


def _beside(probability: mpmath.mpf, upper: bool, sign: int) -> float:
    """The float nearest to a step that is a relative 2e-12 (in its tail) and more away from it."""
    if not upper:
        return float(probability * (1 + sign * mpmath.mpf("2e-12")))
    rest = (1 - probability) * (1 - sign * mpmath.mpf("2e-12")) * 2**53
    return 1.0 - float(mpmath.floor(rest) if sign > 0 else mpmath.ceil(rest)) * 2.0**-53


def _check_beside_steps(mass, last, quantiles):
    """Quantiles just below and above every step of a distribution whose probabilities are exact (mpmath)."""
    total = mpmath.mpf(0)
    for k in range(last):
        total += mass(k)
        upper = total > 0.5
        if min(total, 1 - total) < mpmath.mpf(2) ** -33:
            continue
        below, above = _beside(total, upper, -1), _beside(total, upper, +1)
        assert quantiles([below, above]).tolist() == [k, k + 1]


@pytest.mark.parametrize(
    ("n", "p"),
    [
        (1, 0.3),
        (5, 0.5),
        (13, 0.9),
        (37, 0.02),
        (37, 0.98),
        (90, 0.55),
        (300, 0.99),
        (399, 0.4),
        (100_000, 3e-5),
    ],
)
def test_binomial_beside_its_steps(n, p):
    with mpmath.workdps(40):
        exact = mpmath.mpf(p)

        def mass(k):
            return mpmath.binomial(n, k) * exact**k * (1 - exact) ** (n - k)

        _check_beside_steps(mass, min(n, 399), lambda u: _binomial(u, n, p))


@pytest.mark.parametrize("mean", [0.01, 0.7, 1.99, 2.0, 3.3, 17.0, 120.0])
def test_poisson_beside_its_steps(mean):
    with mpmath.workdps(40):
        exact = mpmath.mpf(mean)

        def mass(k):
            return mpmath.exp(-exact) * exact**k / mpmath.factorial(k)

        last = int(mean + 7 * mean**0.5 + 12)
        _check_beside_steps(mass, last, lambda u: _poisson(u, mean))


@pytest.mark.parametrize(("n", "p"), [(100_000, 0.5), (100_000, 0.013), (99_991, 0.999), (40_000, 0.8)])
def test_wide_binomials_beside_some_steps(n, p):
    """Steps in the middle and in both tails; the sums of mpmath run over the tail's significant part."""
    deviation = (n * p * (1 - p)) ** 0.5
    with mpmath.workdps(40):
        exact = mpmath.mpf(p)
        for z in (-6.2, -2.0, -0.01, 0.4, 3.0, 6.2):
            k = int(n * p + z * deviation)
            upper = z > 0
            j = k + 1 if upper else k
            term = mpmath.binomial(n, j) * exact**j * (1 - exact) ** (n - j)
            tail = mpmath.mpf(0)
            while term > tail * mpmath.mpf("1e-25"):
                tail += term
                if upper:
                    term *= exact / (1 - exact) * (n - j) / (j + 1)
                    j += 1
                else:
                    term *= (1 - exact) / exact * j / (n - j + 1)
                    j -= 1
            total = 1 - tail if upper else tail
            u = [_beside(total, upper, -1), _beside(total, upper, +1)]
            assert _binomial(u, n, p).tolist() == [k, k + 1]


@pytest.mark.parametrize("mean", [1234.5, 200_000.0])
def test_wide_poissons_beside_some_steps(mean):
    with mpmath.workdps(40):
        for z in (-6.2, -2.0, -0.01, 0.4, 3.0, 6.2):
            k = int(mean + z * mean**0.5)
            upper = z > 0
            j = k + 1 if upper else k
            term = mpmath.exp(j * mpmath.log(mean) - mean - mpmath.loggamma(j + 1))
            tail = mpmath.mpf(0)
            while term > tail * mpmath.mpf("1e-25"):
                tail += term
                if upper:
                    j += 1
                    term *= mpmath.mpf(mean) / j
                else:
                    term *= j / mpmath.mpf(mean)
                    j -= 1
            total = 1 - tail if upper else tail
            u = [_beside(total, upper, -1), _beside(total, upper, +1)]
            assert _poisson(u, mean).tolist() == [k, k + 1]


# Counts: the certificate of the tolerance


@kernel
def _errors(k, z, mean, deviation, skew, product, out):
    """Error of the expansion at a step by the tolerance there; 0 where everything is doubtful anyway."""
    for i in range(len(k)):
        error = abs(
            cornish_fisher(z[i], mean[i], deviation[i], 1.0 / deviation[i], skew[i], product[i]) - k[i] - 0.5
        )
        allowed = tolerance(z[i], deviation[i], 1.0 / deviation[i])
        out[i] = error / allowed if allowed < 0.5 else 0.0


@kernel
def _least_slopes(mean, deviation, skew, product, out):
    """Least increase of the expansion over 0.01 of z from -6.4 to 6.4, where not everything is doubtful."""
    for i in range(len(mean)):
        out[i] = 1.0
        for step in range(-640, 640):
            z = 0.01 * step
            after = z + 0.01
            if (
                max(
                    tolerance(z, deviation[i], 1.0 / deviation[i]),
                    tolerance(after, deviation[i], 1.0 / deviation[i]),
                )
                < 0.5
            ):
                rise = cornish_fisher(
                    after, mean[i], deviation[i], 1.0 / deviation[i], skew[i], product[i]
                ) - cornish_fisher(z, mean[i], deviation[i], 1.0 / deviation[i], skew[i], product[i])
                out[i] = min(out[i], rise)


def _certify(trials, p, stride: float) -> float:
    """Greatest error by tolerance at the steps of many distributions (no trials: Poisson with mean p)."""
    poisson = np.isinf(trials)
    mean = np.where(poisson, p, np.where(poisson, 0, trials) * p)
    variance = np.where(poisson, p, mean * (1 - p))
    keep = variance >= LEAST_VARIANCE
    trials, p, poisson, mean = trials[keep], p[keep], poisson[keep], mean[keep]
    deviation = np.sqrt(variance[keep])
    skew, product = np.where(poisson, 1, 1 - 2 * p), np.where(poisson, 0, p * (1 - p))
    slopes = np.empty(len(p))
    _least_slopes(mean, deviation, skew, product, slopes)
    assert (slopes > 0).all()
    worst, seen = 0.0, 0
    for z_near in np.arange(-9, 10, stride):
        base = np.floor(mean + z_near * deviation)
        for more in range(min(int(np.ceil(stride * deviation.max())), 3) + 1):
            k = base + more
            some = (k >= 0) & (k < trials)
            if poisson.all():
                lower, upper = special.pdtr(k[some], p[some]), special.pdtrc(k[some], p[some])
            else:
                lower = special.betainc(trials[some] - k[some], k[some] + 1, 1 - p[some])
                upper = special.betainc(k[some] + 1, trials[some] - k[some], p[some])
            z = np.where(lower < 0.5, special.ndtri(lower), -special.ndtri(upper))
            near = np.abs(z) < 6.4
            columns = [column[some][near] for column in (k, mean, deviation, skew, product)]
            out = np.empty(int(near.sum()))
            _errors(columns[0], z[near], *columns[1:], out)
            worst, seen = max(worst, out.max(initial=0.0)), seen + len(out)
    assert seen > 5 * len(p)
    return worst


def _grid(variances, probabilities) -> tuple[np.ndarray, np.ndarray]:
    variance, p = (column.ravel() for column in np.meshgrid(variances, probabilities))
    trials = np.ceil(variance / (p * (1 - p)))
    return trials[trials <= 100_000], p[trials <= 100_000]


def _probabilities(n: int) -> np.ndarray:
    small = np.geomspace(1e-6, 0.5, n)
    return np.concatenate([small, 1 - small, np.linspace(0.02, 0.98, n)])


def test_tolerance_is_twice_the_error():
    means = np.concatenate([np.geomspace(2, 40, 150), np.geomspace(40, 200_000, 40)])
    assert _certify(np.full(len(means), np.inf), means, 0.25) <= 0.5
    assert _certify(*_grid(np.geomspace(2, 30, 25), _probabilities(15)), 0.25) <= 0.5
    assert _certify(*_grid(np.geomspace(30, 25_000, 8), _probabilities(10)), 0.25) <= 0.5


@pytest.mark.long
def test_tolerance_is_twice_the_error_on_a_dense_grid():
    means = np.geomspace(2, 200, 6000)
    assert _certify(np.full(len(means), np.inf), means, 0.05) <= 0.5
    means = np.geomspace(200, 200_000, 1000)
    assert _certify(np.full(len(means), np.inf), means, 0.02) <= 0.5
    every = np.meshgrid(np.arange(8.0, 400.0), np.linspace(0.004, 0.996, 249))
    assert _certify(every[0].ravel(), every[1].ravel(), 0.1) <= 0.5
    assert _certify(*_grid(np.geomspace(2, 60, 400), _probabilities(80)), 0.1) <= 0.5
    assert _certify(*_grid(np.geomspace(60, 25_000, 60), _probabilities(60)), 0.05) <= 0.5


def _check_all_uniforms(trials, p, z) -> None:
    """Quantiles against the steps of SciPy's distribution functions, at given normal scores and by each step.

    Uniforms within a relative 1e-10 of a step are left out: SciPy's own error is up to 1e-11 there.
    """
    mean = trials * p if np.isfinite(trials) else p
    deviation = (mean * (1 - p if np.isfinite(trials) else 1)) ** 0.5
    k = np.arange(max(0, np.floor(mean - 8 * deviation - 3)), np.ceil(mean + 9 * deviation + 30))
    if np.isfinite(trials):
        k = k[k <= trials]
        lower, upper = stats.binom.cdf(k, trials, p), stats.binom.sf(k, trials, p)
    else:
        lower, upper = stats.poisson.cdf(k, p), stats.poisson.sf(k, p)
    low, high = lower[lower < 0.5], upper[(lower >= 0.5) & (upper > 0)]
    nearness = np.array([1e-9, 1e-6, 1e-4, 1e-3])
    low_u = np.concatenate(
        [special.ndtr(z[z < 0]), *(np.outer(low, 1 + side * nearness).ravel() for side in (-1, 1))]
    )
    high_v = np.concatenate(
        [special.ndtr(-z[z > 0]), *(np.outer(high, 1 + s * nearness).ravel() for s in (-1, 1))]
    )
    low_u = low_u[(low_u > LEAST) & (low_u <= 0.5)]
    high_v = 1 - (1 - high_v[(high_v > LEAST) & (high_v < 0.5)])
    # Smallest k with P(X <= k) >= u; in the upper half, with P(X > k) <= 1 - u.
    low_k = k[0] + np.searchsorted(lower, low_u)
    high_k = k[0] + np.searchsorted(-upper, -high_v)

    def clear(value, steps):
        place = np.clip(np.searchsorted(steps, value), 1, len(steps) - 1) if len(steps) > 1 else 0
        around = (
            np.abs(np.stack([steps[place], steps[place - 1]]) / value - 1)
            if len(steps) > 1
            else steps / value - 1
        )
        return np.atleast_2d(np.abs(around)).min(axis=0) > 1e-10

    u = np.concatenate([low_u[clear(low_u, lower)], 1 - high_v[clear(high_v, upper[::-1])]])
    expected = np.concatenate([low_k[clear(low_u, lower)], high_k[clear(high_v, upper[::-1])]])
    got = _binomial(u, int(trials), p) if np.isfinite(trials) else _poisson(u, p)
    assert len(u) > 50
    assert (got == expected).all()


def test_every_score_and_both_sides_of_each_step():
    z = np.linspace(-6.33, 6.33, 401)
    for mean in np.concatenate([np.geomspace(0.01, 50, 60), [200.0, 1000.0, 100_000.0]]):
        _check_all_uniforms(np.inf, mean, z)
    for trials in (1, 2, 7, 20, 45, 130, 600):
        for p in (1e-6, 0.003, 0.04, 0.2, 0.5, 0.77, 0.93, 0.99, 1 - 1e-6):
            _check_all_uniforms(trials, p, z)


@pytest.mark.long
def test_every_score_and_both_sides_of_each_step_densely():
    z = np.linspace(-6.33, 6.33, 4001)
    for mean in np.concatenate([np.geomspace(0.01, 300, 1500), np.geomspace(300, 100_000, 30)]):
        _check_all_uniforms(np.inf, mean, z)
    for trials in np.unique(np.geomspace(1, 2000, 80).astype(int)):
        for p in _probabilities(20):
            _check_all_uniforms(trials, p, z)
    for p in (1e-6, 1e-4, 0.01, 0.3, 0.5, 0.9, 0.9999, 1 - 1e-6):
        _check_all_uniforms(100_000, p, z)


# Order, and the compiler off


@settings(deadline=None)
@given(st.lists(uniforms, min_size=2, max_size=30), st.integers(0, 3000), st.floats(0.0, 1.0))
def test_binomial_never_decreases_in_u(values, trials, p):
    out = _binomial(np.sort(values), trials, p)
    assert (np.diff(out) >= 0).all()
    assert out[0] >= 0
    assert out[-1] <= trials


@settings(deadline=None)
@given(st.lists(uniforms, min_size=2, max_size=30), st.floats(0.0, 3000.0))
def test_poisson_never_decreases_in_u(values, mean):
    out = _poisson(np.sort(values), mean)
    assert (np.diff(out) >= 0).all()
    assert out[0] >= 0


_SCRIPT = """
import numpy as np
from asmrisk.simulation.counts import *
from asmrisk.simulation.normal import *
rng = np.random.default_rng(9)
u = (rng.integers(0, 2**32, 400) + 0.5) / 2**32
u[:8] = [2.0**-33, 1 - 2.0**-33] * 4
mean = np.exp(rng.uniform(-4, 12, 400))
trials = np.floor(np.exp(rng.uniform(0, 11, 400)))
p = np.where(np.arange(400) % 3 == 0, rng.uniform(0, 1, 400), np.exp(rng.uniform(-12, 0, 400)))
mean[10:12], trials[20:22], p[30:33] = 0, 0, [0, 1, 1]
counts, more = np.empty(400), np.empty(400)
poisson_quantiles(u, mean, counts, 400)
binomial_quantiles(u, trials, p, more, 400, make_binomial_scratch(400))
for i in range(400):
    print(float(score_from(u[i], score_argument(u[i]))).hex(),
          float(normal_probability(15 * u[i] - 7)).hex(), counts[i], more[i])
"""


def test_compiled_and_uncompiled_agree_to_the_bit():
    assert_the_compiler_changes_nothing(_SCRIPT, lines=400)
