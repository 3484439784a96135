"""What the baseline doubts: medians are the defaults, and central ranges are those of the model's text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asmrisk.scenario.scenario import Scenario, load_scenario, scenario_from_dict
from asmrisk.simulation.parameter_draws import draw_values
from tests.parameters.effects import MEASURES, SPECIALTIES
from tests.parameters.reforms import BACK

BASELINE = Path(__file__).parents[2] / "scenarios" / "baseline.toml"
SURGEONS = ("neurosurgery", "orthopedic_surgery")
OF_BACK_PAIN = [name for name, cohort in SPECIALTIES.items() if cohort == BACK]
#: Growth a year of mean payments, in hundredths of a percent.
TRENDS = {
    "cardiology": -147,
    "anesthesiology": -31,
    "pain_management": -31,
    "interventional_pain_management": -103,
    "neurosurgery": -238,
    "orthopedic_surgery": 34,
    "physical_medicine_and_rehabilitation": -30,
}

#: Ends of the central 90%, and the median between them.
RANGES: dict[str, tuple[float, float, float]] = {
    # The response: 40% at 0, else uniform to .8%.
    "behavior.cost_response": (0.0, 0.008 / 6, 0.008 * (0.95 - 0.4) / 0.6),
    "behavior.penalized_response_ratio": (1.0, 2.0, 3.0),
    "behavior.volume_offset_cut": (0.0, 0.3, 0.5),
    "behavior.volume_offset_raise": (0.0, 0.0, 0.3),
    "behavior.conduct_improvement": (0.0, 0.3, 0.6),
    "population.part_b_mean.anesthesiology": (45e3, 120e3, 170e3),
    "population.nothing_reported.16-1000": (0.0, 0.02, 0.06),
    "population.part_b_cost_correlation": (0.0, 0.15, 0.35),
    "population.quality_size_gradient": (0.0, 0.5, 1.0),
    "population.complex_patients_quality_effect": (0.0, 0.1, 0.25),
    "population.complex_patients_cost_effect": (0.0, 0.1, 0.25),
    "population.quality_common_share.q492": (0.0, 0.05, 0.2),
    "population.rate_spread": (1.0, 1.2, 1.5),
    "population.practice_correlation.quality": (0.1, 0.3, 0.6),
    "population.practice_correlation.cost": (0.05, 0.2, 0.4),
    "population.practice_correlation.part_b": (0.05, 0.15, 0.25),
    "population.practice_correlation.patients": (0.05, 0.2, 0.4),
    "population.practice_correlation.habits": (0.5, 0.8, 0.95),
    "population.area_correlation.quality": (0.0, 0.05, 0.2),
    "population.area_correlation.cost": (0.0, 0.1, 0.2),
    "population.area_correlation.part_b": (0.0, 0.05, 0.2),
    "population.area_correlation.patients": (0.0, 0.15, 0.2),
    "population.aco_share": (0.25, 0.4, 0.55),
    "counterfactual.mips_maximum_adjustment": (0.009, 0.015, 0.024),
    "counterfactual.mips_group_share.small": (0.45, 0.65, 0.85),
    "counterfactual.mips_qualifying_share": (0.4, 0.57, 0.75),
    "counterfactual.mips_habit_correlation": (0.3, 0.6, 0.7),
    "counterfactual.mips_persistence": (0.4, 0.6, 0.8),
    "policy.exchange_steepness": (0.05, 0.1, 0.2),
}
RANGES |= {
    f"behavior.exit_probability.{name}": (0.015, 0.03 if name in SURGEONS else 0.025, 0.05)
    for name in SPECIALTIES
}
RANGES |= {
    f"population.part_b_trend.{name}": (
        hundredths / 1e4 - 0.0197,
        hundredths / 1e4,
        hundredths / 1e4 + 0.0197,
    )
    for name, hundredths in TRENDS.items()
}
RANGES |= {
    f"population.specialty_{what}_offset.{name}": (-0.2, 0.0, 0.2)
    for what in ("quality", "cost", "small_practice")
    for name in OF_BACK_PAIN
}
RANGES |= {f"population.benchmark_drift.{name}": (-0.3, 0.0, 0.3) for name in MEASURES if name != "mri"}


@pytest.fixture(scope="module")
def baseline() -> Scenario:
    return load_scenario(BASELINE)


def quantiles(scenario: Scenario, probability: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for unknown in scenario.uncertainty.values():
        found |= unknown.quantiles(probability)
    return found


def test_central_ranges_are_those_stated(baseline: Scenario) -> None:
    ends = [quantiles(baseline, probability) for probability in (0.05, 0.5, 0.95)]
    assert set(ends[0]) == set(RANGES)
    for name, stated in RANGES.items():
        # Trends are rounded to a hundredth of a percent.
        assert [each[name] for each in ends] == pytest.approx(stated, rel=1e-6, abs=5e-5), name


def test_medians_are_the_defaults(baseline: Scenario) -> None:
    """So that a scenario without doubts and one with all of them fixed are the same."""
    assert baseline.fixed_at_medians().values == scenario_from_dict({}).values


def test_every_doubt_has_a_basis_and_a_source(baseline: Scenario) -> None:
    for name, unknown in baseline.uncertainty.items():
        assert unknown.basis, name
        assert len(unknown.source) > 20, name


def test_what_moves_together_is_one_doubt(baseline: Scenario) -> None:
    linked = {name: len(each.names) for name, each in baseline.uncertainty.items() if len(each.names) > 1}
    assert linked == {"behavior.exit_probability.cardiology": 7, "population.part_b_trend.cardiology": 7}
    assert not baseline.correlations


def test_readings_of_the_law_are_not_averaged(baseline: Scenario) -> None:
    rule = [name for name in baseline.uncertainty if name.startswith("policy.")]
    assert rule == ["policy.exchange_steepness"]


def test_doubts_of_mips_change_no_other_value_that_is_drawn(baseline: Scenario) -> None:
    """So the model's own outcomes are those of the same draws without them."""
    key = np.array([7, 0], dtype=np.uint64)
    others = {
        name: unknown
        for name, unknown in baseline.uncertainty.items()
        if not name.startswith("counterfactual.") and name != "population.aco_share"
    }
    without = replace(baseline, uncertainty=others)
    assert len(others) == len(baseline.uncertainty) - 6
    for number in range(3):
        few, all_drawn = (draw_values(scenario, number, key) for scenario in (without, baseline))
        assert few.items() < all_drawn.items()
