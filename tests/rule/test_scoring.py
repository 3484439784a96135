"""Quality, cost, bonuses and final score, from the text of 42 CFR part 512 subpart G."""

from __future__ import annotations

import math

import numpy as np
import pytest

from asmrisk.rule.arrays import Observed
from asmrisk.rule.cost import interpolate_points
from tests.rule.fields import everybody_alike, policy, score


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
    assert environment.benchmark_size[0].tolist() == [0, 0, 28, *[0] * 27]


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


def test_cost_points_between_knots_at_any_distance() -> None:
    """No slope is a whole number."""
    knots = [-2.1, -1.4, -0.6, 0.05, 0.4, 1.1, 1.45, 2.0, 2.9, 3.3]
    heights = [9.7, 8.9, 8.2, 7.3, 5.9, 5.2, 4.1, 3.8, 2.3, 1.4]
    z = np.linspace(-3.0, 4.0, 701)
    points = np.zeros(len(z))
    curve = policy(cost_points_z=knots, cost_points=heights)
    interpolate_points(curve, np.zeros(len(z), np.int8), 0, len(z), z, points)
    np.testing.assert_allclose(points, np.interp(z, knots, heights), rtol=1e-13)


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
    observed.hcc_risk_score[:], observed.part_b_payments[:] = generator.random(30), generator.random(30)
    observed.exempt[29] = 1
    scored, environment = score(observed)
    fewer, reference = score(Observed(*(array[..., :29].copy() for array in observed)))
    for mine, theirs in zip(scored, fewer, strict=True):
        np.testing.assert_array_equal(mine[..., :29], theirs)
    for mine, theirs in zip(environment, reference, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    observed.exempt[29], observed.aco[29] = 0, 1
    assert score(observed)[0].final_score[29] > 0.0
    by_aco, around = score(observed, policy(aco_participants="exempt"))
    for mine, theirs in zip((*scored, *environment), (*by_aco, *around), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert math.isnan(scored.final_score[29])
    assert math.isnan(scored.transformed_score[29])
    assert scored.adjustment_factor[29] == 0.0
