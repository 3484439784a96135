"""The exchange of payments: worked vectors, the five invariants, caps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmrisk.rule.arrays import (
    make_environment,
    make_observed,
    make_scored,
    make_scratch,
)
from asmrisk.rule.payment import payment_factors
from tests.rule.fields import policy


def pay(
    final: list[float], payments: list[float], record: np.record
) -> tuple[np.ndarray, float, float, np.ndarray]:
    n = len(final)
    observed, scored, environment = make_observed(n), make_scored(n), make_environment()
    scored.final_score[:] = final
    observed.part_b_payments[:] = payments
    payment_factors(record, observed, n, scored, environment, make_scratch(n), False)
    return (
        scored.adjustment_factor,
        float(environment.scaling_factor[0]),
        float(environment.exchange_midpoint[0]),
        scored.transformed_score,
    )


@pytest.mark.parametrize(
    ("steepness", "midpoint", "scaling", "percent"),
    [
        (0.1, 62.0, 1.763288, [-8.0006, -3.7343, -1.0652, 1.9496, 5.7724]),
        (0.1, 50.0, 1.229796, [-6.9809, -2.1105, -0.4938, 0.7488, 1.8260]),
        (0.05, 62.0, 1.741234, [-5.7738, -2.5218, -1.1644, 0.3821, 3.3149]),
        (0.1, "cohort_median", 1.763288, [-8.0006, -3.7343, -1.0652, 1.9496, 5.7724]),
    ],
)
def test_worked_vector(steepness: float, midpoint: Any, scaling: float, percent: list[float]) -> None:
    payments = [100.0, 150.0, 200.0, 120.0, 80.0]
    record = policy(exchange_steepness=steepness, exchange_midpoint=midpoint)
    factors, found, _, _ = pay([35.0, 55.0, 62.0, 70.0, 88.0], payments, record)
    assert found == pytest.approx(scaling, abs=5e-7)
    assert 100 * factors == pytest.approx(percent, abs=5e-5)
    assert factors @ payments / sum(payments) == pytest.approx(-0.0135, abs=1e-16)


#: Dollars from a cent on: no scaling factor is formed where it would exceed 1e290.
DOLLARS = st.just(0.0) | st.floats(0.01, 1e7)
SCORES = st.lists(st.tuples(st.just(0.0) | st.floats(0.01, 100), DOLLARS), min_size=1, max_size=100)


@settings(deadline=None)
@given(SCORES, st.sampled_from([{}, {"exchange_midpoint": 50.0}, {"exchange_function": "linear"}]))
def test_invariants(people: list[tuple[float, float]], changes: dict[str, Any]) -> None:
    record = policy(**changes)
    final, payments = map(np.array, zip(*people, strict=True))
    factors, scaling, _, transformed = pay(final.tolist(), payments.tolist(), record)
    r, rho, total = 0.09, 0.85, payments.sum()
    assert (factors >= -r).all()
    assert (factors[final == 0.0] == -r).all()
    if (transformed * payments).sum() > 0.0:
        assert factors @ payments == pytest.approx(-(1 - rho) * r * total, rel=1e-11, abs=1e-300)
        assert r * scaling * (transformed @ payments) == pytest.approx(r * rho * total, rel=1e-11, abs=1e-300)
    else:
        assert math.isnan(scaling)
        assert (factors == -r).all()
    scaled = pay(final.tolist(), (payments * 1024.0).tolist(), record)[0]
    np.testing.assert_array_equal(scaled, factors)


@settings(deadline=None)
@given(SCORES, st.floats(0.5, 100))
def test_under_the_median_midpoint_a_common_shift_changes_nothing(
    people: list[tuple[float, float]], shift: float
) -> None:
    final, payments = map(np.array, zip(*people, strict=True))
    shifted = np.where(final > 0.0, final + shift, 0.0)
    before = pay(final.tolist(), payments.tolist(), policy())[0]
    after = pay(shifted.tolist(), payments.tolist(), policy())[0]
    np.testing.assert_allclose(after, before, rtol=1e-11, atol=1e-11)


def test_without_a_final_score_nothing_is_adjusted() -> None:
    factors, _, midpoint, transformed = pay([np.nan, 40.0, 60.0], [1e9, 100.0, 100.0], policy())
    assert factors[0] == 0.0
    assert math.isnan(transformed[0])
    assert midpoint == 50.0
    assert factors[1:].sum() == pytest.approx(-0.027, abs=1e-15)


@pytest.mark.parametrize("final", [[np.nan, np.nan], [0.0, 0.0], [0.0, np.nan]])
def test_nothing_to_distribute(final: list[float]) -> None:
    factors, scaling, midpoint, _ = pay(final, [10.0, 20.0], policy())
    assert math.isnan(scaling)
    assert math.isnan(midpoint)
    assert factors.tolist() == [0.0 if math.isnan(score) else -0.09 for score in final]


def test_the_cap_retains_or_redistributes() -> None:
    final, payments = [35.0, 55.0, 62.0, 70.0, 88.0], np.array([100.0, 150.0, 200.0, 120.0, 80.0])
    plain, scaling, _, _ = pay(final, payments.tolist(), policy())
    kept, same, _, _ = pay(final, payments.tolist(), policy(adjustment_cap=0.02))
    assert same == scaling
    assert kept.tolist() == np.minimum(plain, 0.02).tolist()
    record = policy(adjustment_cap=0.02, cap_excess="redistributed")
    spread, raised, _, transformed = pay(final, payments.tolist(), record)
    assert raised > scaling
    assert spread.max() == 0.02
    assert spread @ payments == pytest.approx(-0.0135 * 650, rel=1e-13)
    np.testing.assert_allclose(spread, np.minimum(0.09 * transformed * raised - 0.09, 0.02), atol=1e-16)
