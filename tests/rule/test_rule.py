"""The rule's kernels, from the text of 42 CFR part 512 subpart G: worked vectors, definitions, bits."""

from __future__ import annotations

import hashlib
import math
import os
import random
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from asmrisk.rule.cohort import (
    Environment,
    Observed,
    Scored,
    make_environment,
    make_observed,
    make_scored,
    make_scratch,
    score_cohort,
)
from asmrisk.rule.cost import interpolate_points
from asmrisk.rule.definitions import PERFORMANCE_YEARS, measures_of
from asmrisk.rule.order import extremes, make_order_scratch, median, order_statistics, quantiles
from asmrisk.rule.payment import adjust
from asmrisk.rule.policy import POLICY, POLICY_DTYPE, inconsistencies, policy_records
from asmrisk.rule.sums import LANES, lane_sum, mean_and_deviation

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
TIED = st.sampled_from([0.0, -0.0, 1.0, 0.5, math.nextafter(1.0, 0.0), 1 / 3, 1e-300, 1e300])


def policy(**changes: Any) -> np.record:
    """Give the policy of 2027 with some parameters changed."""
    values = POLICY.defaults().replace(**{f"policy.{name}": value for name, value in changes.items()})
    return policy_records(values)[0]


# --- order statistics and sums --------------------------------------------------------------------


def assert_order_statistics(values: np.ndarray, ranks: list[int]) -> None:
    out = np.full(len(ranks), np.nan)
    order_statistics(values, len(values), np.array(ranks), out, make_order_scratch(len(values)))
    np.testing.assert_array_equal(out, np.sort(values)[ranks])


@settings(deadline=None)
@given(st.lists(FINITE | TIED, min_size=1, max_size=400), st.data())
def test_order_statistics_are_those_of_the_sorted_values(listed: list[float], data: st.DataObject) -> None:
    ranks = sorted(data.draw(st.lists(st.integers(0, len(listed) - 1), min_size=1, max_size=20)))
    assert_order_statistics(np.array(listed), ranks)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(65, 20_000),
    st.sampled_from(["even", "rates", "skewed", "tied", "heavy", "topped"]),
    st.integers(0, 99),
)
def test_order_statistics_of_many_values(n: int, shape: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = {
        "even": generator.random(n),
        "rates": generator.binomial(40, 0.9, n) / 40,
        "skewed": np.exp(20.0 * generator.standard_normal(n)),
        "tied": generator.choice([0.0, 1.0, 1.0 - 1e-12], n),
        "heavy": generator.standard_cauchy(n) ** 3,
        "topped": np.minimum(generator.normal(1.0, 0.1, n), 1.0),
    }[shape]
    ranks = sorted(generator.integers(0, n, 20).tolist())
    assert_order_statistics(values, [0, *ranks, n - 1])


def test_ties_within_one_bin_are_not_quadratic() -> None:
    # Two neighboring values share a bin; sorting them all by insertion would take minutes.
    generator = np.random.default_rng(0)
    values = generator.choice([0.5, math.nextafter(0.5, 1.0)], 300_000)
    values[:2] = 0.0, 1.0
    assert_order_statistics(values, [0, 1, 149_999, 150_000, 299_999])


def type_7(values: list[float], numerator: int, denominator: int) -> Fraction:
    ordered = sorted(map(Fraction, values))
    position = Fraction((len(values) - 1) * numerator, denominator)
    lower = math.floor(position)
    upper = min(lower + 1, len(values) - 1)
    return ordered[lower] + (position - lower) * (ordered[upper] - ordered[lower])


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=150),
    st.sampled_from([(tuple(range(1, 10)), 10), ((1, 5, 10, 25, 50, 75, 90, 95, 99), 100), ((0, 1, 2), 2)]),
)
def test_quantiles_are_type_7(values: list[float], wanted: tuple[tuple[int, ...], int]) -> None:
    numerators, denominator = wanted
    out = np.zeros(len(numerators))
    quantiles(
        np.array(values), len(values), np.array(numerators), denominator, out, make_order_scratch(len(values))
    )
    scale = max(map(abs, values))
    for numerator, found in zip(numerators, out, strict=True):
        assert abs(Fraction(float(found)) - type_7(values, numerator, denominator)) <= 4e-16 * scale
        if (len(values) - 1) * numerator % denominator == 0:
            assert found == sorted(values)[(len(values) - 1) * numerator // denominator]


@pytest.mark.parametrize("n", [11, 21, 101, 1001])
def test_a_percentile_at_a_whole_position_is_the_order_statistic(n: int) -> None:
    values = np.array([k / 7 for k in range(n)])
    out = np.zeros(9)
    quantiles(values[::-1].copy(), n, np.arange(1, 10), 10, out, make_order_scratch(n))
    assert out.tolist() == values[(n - 1) // 10 : n - 1 : (n - 1) // 10].tolist()


@pytest.mark.parametrize(("values", "middle"), [([3.0, 1.0], 2.0), ([3.0, 1.0, 2.0], 2.0), ([], np.nan)])
def test_the_median_is_the_mean_of_the_middle_two(values: list[float], middle: float) -> None:
    np.testing.assert_equal(median(np.array(values), len(values), make_order_scratch(4)), middle)


@pytest.mark.parametrize("n", [24, 25, 64, 65, 130, 1000, 1001, 5000])
def test_medians_of_many_values_and_of_few_different_ones(n: int) -> None:
    """Whatever the bins of the middle values: the same one, neighbors, far apart, the first, the last."""
    rng = np.random.default_rng(n)
    apart = np.where(np.arange(n) < n // 2, rng.uniform(0, 1, n), rng.uniform(9, 10, n))
    topped_out, bottomed_out = np.minimum(rng.uniform(0, 2.5, n), 1.0), np.maximum(rng.normal(-1, 1, n), 0.0)
    few = rng.integers(0, 3, n) / 3
    for values in (rng.normal(size=n), few, np.exp(rng.normal(0, 8, n)), apart, topped_out, bottomed_out):
        values = rng.permutation(values)
        ordered = sorted(values.tolist())
        expected = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
        assert median(values, n, make_order_scratch(n)) == expected


@settings(deadline=None)
@given(st.integers(0, 600), st.integers(0, 2**32))
def test_sums_run_in_lanes_added_pairwise(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).uniform(-1e9, 1e9, n).tolist()
    lanes = []
    for lane in range(LANES):
        total = 0.0
        for value in values[lane::LANES]:
            total += value
        lanes.append(total)
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [lanes[k] + lanes[k + half] for k in range(half)]
    assert lane_sum(np.array(values), len(values), np.full(LANES, 9.0)) == lanes[0]


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=100))
def test_extremes(values: list[float]) -> None:
    assert extremes(np.array(values), len(values)) == (min(values), max(values))


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.integers(2, 600))
def test_equal_values_have_a_standard_deviation_of_exactly_zero(value: float, n: int) -> None:
    assert mean_and_deviation(np.full(n, value), n, value, np.zeros(LANES)) == (value, 0.0)


@settings(deadline=None)
@given(st.integers(2, 600), st.integers(0, 2**32))
def test_mean_and_sample_standard_deviation(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 1000, n).tolist()
    mean = Fraction(sum(values), n)
    variance = sum((value - mean) ** 2 for value in values) / (n - 1)
    found = mean_and_deviation(np.array(values, float), n, float(values[0]), np.zeros(LANES))
    assert found == pytest.approx((float(mean), math.sqrt(variance)), rel=1e-13)


def test_moments_of_none_and_of_one() -> None:
    lanes = np.full(LANES, 9.0)
    assert np.isnan(mean_and_deviation(np.zeros(0), 0, np.nan, lanes)).all()
    mean, deviation = mean_and_deviation(np.array([3.0]), 1, 3.0, lanes)
    assert mean == 3.0
    assert math.isnan(deviation)


# --- payment --------------------------------------------------------------------------------------


def pay(
    final: list[float], payments: list[float], record: np.record
) -> tuple[np.ndarray, float, float, np.ndarray]:
    n = len(final)
    observed, scored, environment = make_observed(n), make_scored(n), make_environment()
    scored.final_score[:] = final
    observed.part_b[:] = payments
    adjust(record, observed, n, scored, environment, make_scratch(n))
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


# --- scoring --------------------------------------------------------------------------------------


def everybody_alike(n: int) -> Observed:
    """Build n heart-failure clinicians, each scored on everything, none different from another."""
    observed = make_observed(n)
    observed.rate[:], observed.cases[:], observed.completeness[:] = 0.5, 40, 1.0
    observed.collection_type[:] = 1
    observed.practice_size[:], observed.part_b[:] = 100, 1000.0
    observed.episodes[:], observed.cost_per_episode[:] = 30, 15_000.0
    observed.hcc_risk_score[:], observed.dual_share[:] = 1.6, 0.2
    observed.improvement_activities[:], observed.promoting_interoperability[:] = 2, 100.0
    return observed


def score(observed: Observed, record: np.record | None = None, cohort: int = 0) -> tuple[Scored, Environment]:
    n = len(observed.part_b)
    scored, environment = make_scored(n), make_environment()
    score_cohort(
        policy() if record is None else record, cohort, observed, n, scored, environment, make_scratch(n)
    )
    return scored, environment


def test_a_topped_out_measure_gives_ten_points_to_everybody_at_the_best_rate() -> None:
    observed = everybody_alike(40)
    observed.rate[1] = 1.0
    observed.rate[1, :3] = 0.9
    for rule, points in (("upper", 10.0), ("lower", 2.0), ("mid", 6.0)):
        scored, environment = score(observed, policy(tie_rule=rule))
        assert scored.points[1, 5] == points
        assert scored.points[1, 0] == 1.0
        assert environment.edges[1, 1].tolist() == [0.9] + [1.0] * 9


def test_points_within_a_decile() -> None:
    observed = everybody_alike(41)
    observed.rate[1] = np.arange(41) / 40
    for partial, expected in ((True, [1.0, 1.5, 1.75, 2.0]), (False, [1.0, 1.0, 1.0, 2.0])):
        # The minimum is the second rate, the worst possible one being left out of the benchmark.
        scored, environment = score(observed, policy(partial_points=partial, worst_rate_excluded=False))
        assert environment.edges[1, 1, 0] == 0.0
        assert scored.points[1, [0, 2, 3, 4]] == pytest.approx(expected, abs=1e-12)
        assert scored.points[1, 36:].tolist() == [10.0] * 5
    scored, environment = score(observed)
    assert environment.benchmark_size[1, 1] == 40
    assert environment.edges[1, 1, 0] == 1 / 40
    assert scored.points[1, 0] == 1.0


def test_lower_is_better_in_an_inverse_measure() -> None:
    observed = everybody_alike(41)
    observed.rate[0] = np.arange(41.0)
    scored, environment = score(observed)
    assert environment.edges[0, 2, 0] == -40.0
    assert scored.points[0, :5].tolist() == [10.0] * 5
    assert scored.points[0, 40] == 1.0


@pytest.mark.parametrize(
    ("cases", "completeness", "kind", "points"),
    [
        (20, 0.75, 1, 10.0),
        (19, 1.0, 1, np.nan),
        (19, 0.5, 1, np.nan),
        (20, math.nextafter(0.75, 0.0), 1, 0.0),
        (40, 1.0, -1, 0.0),
        (0, 1.0, -1, 0.0),
        # Zero even where no benchmark forms: here this clinician alone reports as an eCQM.
        (20, 0.5, 0, 0.0),
        (20, 1.0, 0, np.nan),
    ],
)
def test_scorable_zero_or_excluded(cases: int, completeness: float, kind: int, points: float) -> None:
    observed = everybody_alike(30)
    observed.cases[3, 0], observed.completeness[3, 0], observed.collection_type[3, 0] = (
        cases,
        completeness,
        kind,
    )
    scored, _ = score(observed)
    np.testing.assert_equal(scored.points[3, 0], points)
    counted = 4 if math.isnan(points) else 5
    assert scored.quality_score[0] == pytest.approx(
        (40.0 + (0.0 if math.isnan(points) else points)) / (10 * counted)
    )


def test_a_claims_measure_is_never_unreported() -> None:
    observed = everybody_alike(30)
    observed.collection_type[0], observed.completeness[0] = -1, 0.0
    observed.rate[0, 1], observed.cases[0, 2] = np.nan, 19
    scored, environment = score(observed)
    assert scored.points[0, 0] == 10.0
    assert np.isnan(scored.points[0, 1:3]).all()
    assert environment.benchmark_size[0].tolist() == [0, 0, 28, 0, 0, 0, 0]


def test_twenty_make_a_benchmark() -> None:
    for n in (19, 20):
        scored, environment = score(everybody_alike(n))
        assert environment.benchmark_size[1, 1] == n
        assert np.isnan(environment.edges[1, 1]).all() == (n < 20)
        assert np.isnan(scored.points).all() == (n < 20)


def test_the_median_cost_earns_seven_and_a_half_points() -> None:
    observed = everybody_alike(101)
    observed.cost_per_episode[:] = 10_000.0 + 100.0 * np.arange(101)
    scored, environment = score(observed)
    deviation = 100.0 * math.sqrt(101 * (101 * 101 - 1) / 12 / 100)
    assert environment.cost_median[0] == 15_000.0
    assert environment.cost_sd[0] == pytest.approx(deviation, rel=1e-14)
    assert scored.cost_points[50] == 7.5
    z = (observed.cost_per_episode - 15_000.0) / deviation
    expected = np.interp(z, policy().cost_points_z, policy().cost_points)
    np.testing.assert_allclose(scored.cost_points, expected, rtol=1e-13)


@pytest.mark.parametrize("z", [-9.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 9.0])
def test_cost_points_at_the_knots(z: float) -> None:
    points = np.zeros(2)
    interpolate_points(policy(), np.array([0, 1]), 0, 2, np.array([z, z]), points)
    table = {
        -9: 10,
        -1.5: 10,
        -1: 9,
        -0.5: 8,
        0: 7.5,
        0.5: 7,
        1: 6,
        1.5: 5,
        2: 4,
        2.25: 3,
        2.5: 2,
        2.75: 1,
        9: 1,
    }
    assert points.tolist() == [table[z], 0.0]


def test_costs_without_spread_or_peers_are_median_costs() -> None:
    scored, environment = score(everybody_alike(30))
    assert scored.cost_points.tolist() == [7.5] * 30
    assert environment.cost_sd[0] == 0.0
    alone, environment = score(everybody_alike(1))
    assert alone.cost_points[0] == 7.5
    assert math.isnan(environment.cost_sd[0])
    # Nothing but cost can be scored, so cost carries all.
    assert alone.final_score[0] == 75.0


def test_final_score_of_everybody_alike() -> None:
    scored, _ = score(everybody_alike(30))
    assert scored.quality_score.tolist() == [1.0] * 30
    assert scored.final_score.tolist() == [87.5] * 30
    assert scored.adjustment_factor == pytest.approx([-0.0135] * 30, abs=1e-15)


@pytest.mark.parametrize(("size", "points"), [(1, 15.0), (2, 10.0), (15, 10.0), (16, 0.0)])
def test_small_practices(size: int, points: float) -> None:
    observed = everybody_alike(30)
    observed.practice_size[0] = size
    scored, _ = score(observed)
    assert scored.small_practice_adjustment[:2].tolist() == [points, 0.0]
    assert scored.final_score[0] == min(87.5 + points, 100.0)


@pytest.mark.parametrize(("attested", "points"), [(0, -20.0), (1, -10.0), (2, 0.0)])
def test_conduct_only_deducts(attested: int, points: float) -> None:
    observed = everybody_alike(30)
    observed.improvement_activities[0], observed.promoting_interoperability[0] = attested, 25.0
    scored, _ = score(observed)
    assert scored.improvement_activities_adjustment[0] == points
    assert scored.promoting_interoperability_adjustment[0] == -7.5
    assert scored.final_score[0] == 80.0 + points


def test_complex_patients() -> None:
    observed = everybody_alike(4)
    observed.hcc_risk_score[:] = [1.0, 2.0, 3.0, 4.0]
    observed.dual_share[:] = [0.1, 0.1, 0.1, np.nan]
    scored, environment = score(observed)
    deviation = math.sqrt(5 / 3)
    assert environment.hcc.tolist() == [2.5, 2.5, deviation]
    assert environment.dual.tolist() == [0.1, 0.1, 0.0]
    expected = [0.0, 0.0, 1.5 + 4 * 0.5 / deviation, 1.5 + 4 * 1.5 / deviation]
    assert scored.complex_patient_adjustment == pytest.approx(expected, rel=1e-14)
    observed.dual_share[:] = observed.hcc_risk_score
    assert score(observed)[0].complex_patient_adjustment[3] == 10.0


def test_incomplete_data_on_every_measure_makes_the_final_score_zero() -> None:
    observed = everybody_alike(30)
    observed.completeness[1:, 0] = 0.5
    observed.practice_size[0] = 1
    scored, _ = score(observed)
    assert scored.quality_score[0] == pytest.approx(0.2)
    assert scored.final_score[0] == 0.0
    assert scored.transformed_score[0] == 0.0
    assert scored.adjustment_factor[0] == -0.09
    # One measure that met the completeness is enough, whatever its cases.
    observed.completeness[4, 0], observed.cases[4, 0] = 0.75, 0
    assert score(observed)[0].final_score[0] > 0.0
    # With claims measures alone in the set nobody can fall short.
    observed.completeness[1:, 0] = 0.5
    names = {"heart_failure": ["q492"], "low_back_pain": ["q238"]}
    assert score(observed, policy(measures=names))[0].final_score[0] == 100.0


def test_an_exempt_clinician_touches_nobody() -> None:
    observed = everybody_alike(30)
    generator = np.random.default_rng(1)
    observed.rate[:], observed.cost_per_episode[:] = generator.random((5, 30)), generator.random(30)
    observed.hcc_risk_score[:], observed.part_b[:] = generator.random(30), generator.random(30)
    observed.exempt[29] = 1
    scored, environment = score(observed)
    fewer, reference = score(Observed(*(array[..., :29].copy() for array in observed)))
    for mine, theirs in zip(scored, fewer, strict=True):
        np.testing.assert_array_equal(mine[..., :29], theirs)
    for mine, theirs in zip(environment, reference, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert math.isnan(scored.final_score[29])
    assert math.isnan(scored.transformed_score[29])
    assert scored.adjustment_factor[29] == 0.0


# --- parameters -----------------------------------------------------------------------------------


def test_risk_levels_by_year() -> None:
    records = policy_records(POLICY.defaults())
    assert records.risk_level.tolist() == [0.09, 0.09, 0.10, 0.11, 0.12]
    assert records.shape == (len(PERFORMANCE_YEARS),)
    assert records.dtype.names == POLICY_DTYPE.names


def test_every_parameter_reaches_the_record() -> None:
    assert {name.removeprefix("policy.") for name in POLICY} - {"measures"} <= set(POLICY_DTYPE.names)


def test_policy_by_year_and_by_word() -> None:
    changes = {
        "policy.exchange_midpoint": {2027: "cohort_median", 2028: 50.0},
        "policy.adjustment_cap": {2027: "none", 2029: 0.09},
        "policy.tie_rule": {2027: "upper", 2031: "mid"},
        "policy.measures": {"heart_failure": ["q377", "q492"], "low_back_pain": ["mri"]},
    }
    records = policy_records(POLICY.defaults().replace(**changes))
    np.testing.assert_equal(records.exchange_midpoint.tolist(), [np.nan, 50.0, 50.0, 50.0, 50.0])
    assert records.adjustment_cap.tolist() == [np.inf, np.inf, 0.09, 0.09, 0.09]
    assert records.tie_rule.tolist() == [0, 0, 0, 0, 2]
    assert records.measure_in_set[0].tolist() == [[1, 0, 0, 0, 1], [0, 0, 0, 0, 1]]
    assert [measure.name for measure in measures_of("low_back_pain")][4] == "mri"
    assert records.measure_claims[0].tolist() == [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]


def test_fixed_benchmarks_need_edges() -> None:
    values = POLICY.defaults().replace(**{"policy.quality_benchmarks": {2027: "peer", 2028: "fixed"}})
    with pytest.raises(ValueError, match="fixed in 2028"):
        policy_records(values)
    edges = np.random.default_rng(0).random((2, 5, 3, 10))
    np.testing.assert_array_equal(policy_records(values, edges)[4].fixed_edges, edges)


def test_inconsistent_policies_are_told() -> None:
    assert inconsistencies(POLICY.defaults()) == []
    values = POLICY.defaults().replace(**{"policy.quality_weight": {2027: 0.5, 2030: 0.6}})
    problems = [str(each) for each in inconsistencies(values)]
    assert all("set policy.cost_weight to 0.4 or change both" in problem for problem in problems)
    assert "2030" in problems[0]
    assert "2031" in problems[1]
    knots = [-1.5, -1.0, -1.0, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75]
    (problem, *_) = inconsistencies(POLICY.defaults().replace(**{"policy.cost_points_z": {2027: knots}}))
    assert problem.text.startswith("policy.cost_points_z must ascend")
    assert problem.parameters == ("policy.cost_points_z",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("risk_level", 1.5),
        ("exchange_midpoint", "median"),
        ("adjustment_cap", -0.1),
        ("tie_rule", "middle"),
        ("cost_points", [1.0, 2.0]),
        ("minimum_cases", 0),
        ("measures", {"heart_failure": ["q492", "q492"], "low_back_pain": ["q238"]}),
        ("measures", {"heart_failure": ["q238"], "low_back_pain": ["q238"]}),
        ("measures", {"heart_failure": [], "low_back_pain": ["q238"]}),
    ],
)
def test_values_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        policy(**{name: value})


# --- bits -----------------------------------------------------------------------------------------

VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"tie_rule": "mid", "missing_category": "median_points", "exchange_function": "linear"},
    {
        "tie_rule": "lower",
        "quality_peer_group": "specialty",
        "cost_peer_group": "specialty",
        "payment_peer_group": "specialty",
        "adjustment_cap": 0.01,
        "cap_excess": "redistributed",
        "minimum_reporters": 2,
    },
    {"quality_peer_group": "cohort", "exchange_function": "none", "missing_measure": "excluded"},
    {"quality_benchmarks": "fixed", "missing_category": "neutral", "zero_scorers": "outside_pool"},
)


def mixed_field(n: int, seed: int) -> Observed:
    """Build n back-pain clinicians with everything that can go wrong."""
    rng = random.Random(seed)
    observed = make_observed(n)
    for i in range(n):
        for m in range(5):
            observed.cases[m, i] = cases = rng.randrange(60)
            observed.rate[m, i] = rng.randrange(cases + 1) / cases if cases else np.nan
            observed.completeness[m, i] = rng.choice([1.0, 1.0, rng.uniform(0.5, 1.0)])
            observed.collection_type[m, i] = rng.choice([-1, 0, 0, 1, 1])
        observed.specialty[i] = rng.randrange(1, 7)
        observed.practice_size[i] = rng.randrange(1, 30)
        observed.part_b[i] = rng.lognormvariate(11.0, 1.0)
        observed.episodes[i] = rng.randrange(80)
        observed.cost_per_episode[i] = rng.choice([rng.lognormvariate(7.5, 0.3), np.nan])
        observed.hcc_risk_score[i] = rng.choice([rng.random(), np.nan])
        observed.dual_share[i] = rng.random()
        observed.improvement_activities[i] = rng.randrange(3)
        observed.promoting_interoperability[i] = rng.uniform(0.0, 100.0)
        observed.exempt[i] = rng.random() < 0.05
    return observed


def digest() -> str:
    """Hash every bit that the rule gives for fields of several sizes under several policies."""
    bits = hashlib.sha256()
    edges = np.sort(-np.random.default_rng(0).random((2, 5, 3, 10)))
    for variant in VARIANTS:
        values = POLICY.defaults().replace(**{f"policy.{name}": value for name, value in variant.items()})
        record = policy_records(values, edges)[0]
        for n in (1, 40, 700):
            scored, environment = score(mixed_field(n, n), record, 1)
            for array in (*scored, *environment):
                bits.update(array.tobytes())
    return bits.hexdigest()


def test_uncompiled_kernels_give_the_same_bits_without_a_warning() -> None:
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        pytest.skip("nothing is compiled here")
    program = (
        "import importlib.util, sys; "
        f"spec = importlib.util.spec_from_file_location('test_rule', {__file__!r}); "
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module); "
        "print(module.digest())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest()


def test_neither_capacity_nor_what_scratch_held_changes_a_bit() -> None:
    n, record = 300, policy()
    observed = mixed_field(n, 0)
    plain, reference = score(observed, record, 1)
    roomy = make_observed(n + 50)
    for mine, theirs in zip(roomy, observed, strict=True):
        mine[...] = 7
        mine[..., :n] = theirs
    scored, environment, scratch = make_scored(n + 50), make_environment(), make_scratch(n + 50)
    for array in (*scored, *environment, *scratch[:-1], *scratch.order):
        array[...] = 3
    score_cohort(record, 1, roomy, n, scored, environment, scratch)
    for mine, theirs in zip(scored, plain, strict=True):
        assert mine[..., :n].tobytes() == theirs.tobytes()
        assert (mine[..., n:] == 3).all()
    for mine, theirs in zip(environment, reference, strict=True):
        assert mine.tobytes() == theirs.tobytes()
