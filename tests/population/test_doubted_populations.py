"""Every set of values that the baseline can draw has a population: no corner of its doubts is impossible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asmrisk.errors import InputError
from asmrisk.population.latents import SHARED_COST, SHARED_PART_B, SHARED_QUALITY
from asmrisk.population.records import population_records
from asmrisk.rule.definitions import COHORTS, SPECIALTIES_OF
from asmrisk.scenario.scenario import Scenario, load_scenario, with_values

BASELINE = Path(__file__).parents[2] / "scenarios" / "baseline.toml"
#: The lowest and the highest probability that an unknown is drawn with.
ENDS = (2.0**-53, 1.0 - 2.0**-53)
CORNERS, SETS = 24, 12


@pytest.fixture(scope="module")
def baseline() -> Scenario:
    return load_scenario(BASELINE)


def records_at(scenario: Scenario, chances: np.ndarray) -> np.recarray:
    drawn = {}
    for unknown, chance in zip(scenario.uncertainty.values(), chances, strict=True):
        drawn |= unknown.quantiles(float(chance))
    return population_records(with_values(scenario.values, drawn))


def assert_solved(records: np.recarray) -> None:
    """Own parts of scores have a variance, shares ascend to 1, and persistences are correlations."""
    shared = records.practice_share + records.area_share
    assert (shared[:, SHARED_QUALITY] < 1).all()
    assert (shared[:, SHARED_COST] < 1).all()
    assert (shared[:, SHARED_PART_B] + records.part_b_episode_correlation**2 < 1).all()
    assert (records.cost_rest > 0).all()
    assert (np.abs(records.part_b_persistence) <= 1).all()
    assert (np.abs(records.part_b_shared_persistence) <= 1).all()
    for record in records:
        for cumulative in (record.practice_cumulative, *record.members_cumulative, record.area_cumulative):
            assert (np.diff(cumulative) >= 0).all()
            assert cumulative[-1] == 1
        knots = record.rate_probability
        assert ((knots >= 0) & (knots <= 1) & (np.diff(knots, prepend=-1) > 0)).all()
    for name in ("cost_scale_usd", "cost_spread", "cost_noise_variance"):
        assert (records[name] > 0).all()
    assert np.isfinite(records.cost_log_shape).all()


def test_corners_of_all_doubts_have_a_population(baseline: Scenario) -> None:
    random = np.random.default_rng(20270101)
    count = len(baseline.uncertainty)
    for end in ENDS:
        assert_solved(records_at(baseline, np.full(count, end)))
    for _ in range(CORNERS):
        assert_solved(records_at(baseline, random.choice(ENDS, count)))


def test_corners_of_what_correlates_have_a_population(baseline: Scenario) -> None:
    """All that enters correlation matrices at its ends together, in the hardest combinations."""
    names = list(baseline.uncertainty)
    matters = [
        names.index(f"population.{each}")
        for each in (
            "part_b_cost_correlation",
            *(f"practice_correlation.{one}" for one in ("quality", "cost", "part_b")),
            *(f"area_correlation.{one}" for one in ("quality", "cost", "part_b")),
        )
    ]
    for cost in ENDS:
        for shared in ENDS:
            chances = np.full(len(names), 0.5)
            chances[matters] = shared
            chances[matters[0]] = cost
            assert_solved(records_at(baseline, chances))


def test_equal_offsets_of_all_specialties_have_a_population(baseline: Scenario) -> None:
    """Then nobody differs from anybody, and the shares of the cohort are those of everybody."""
    for offset in (-0.5, 0.5):
        offsets = dict.fromkeys(SPECIALTIES_OF["low_back_pain"], offset)
        changes = {
            f"population.specialty_{what}_offset.{name}": value
            for what in ("small_practice", "quality", "cost")
            for name, value in offsets.items()
        }
        records = population_records(with_values(baseline.values, changes))
        assert_solved(records)
        plain = population_records(baseline.values)
        back = COHORTS.index("low_back_pain")
        np.testing.assert_allclose(
            records.specialty_cumulative[back], plain.specialty_cumulative[back], atol=1e-8
        )


def test_random_sets_have_a_population(baseline: Scenario) -> None:
    random = np.random.default_rng(20270102)
    for _ in range(SETS):
        assert_solved(records_at(baseline, random.uniform(size=len(baseline.uncertainty))))


@pytest.mark.parametrize(
    "changes",
    [
        {"population.practice_correlation.quality": 0.9, "population.area_correlation.quality": 0.2},
        {"population.practice_correlation.part_b": 0.6, "population.area_correlation.part_b": 0.2},
        {"population.part_b_cost_correlation": 0.9, "population.cost_quality_correlation": 0.8},
    ],
)
def test_what_no_population_has_is_an_error_and_never_repaired(
    baseline: Scenario, changes: dict[str, float]
) -> None:
    with pytest.raises(InputError) as raised:
        population_records(with_values(baseline.values, changes))
    (named, *_) = (problem.parameters for problem in raised.value.problems)
    assert set(named) & {name.rpartition(".")[0] if name.count(".") > 1 else name for name in changes}
