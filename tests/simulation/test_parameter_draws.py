"""Values of parameter sets: keyed by name, linked, correlated, and laid over the scenario's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, norm

from asmrisk.errors import InputError
from asmrisk.scenario.layering import with_values
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.parameter_draws import coded_values, draw_values, naming_values

KEY = np.array([20270101, 0], np.uint64)
GROWTH = "behavior.part_b_growth"
RANGE = {"median": 0.1, "low": 0.05, "high": 0.2}
UNKNOWN: dict[str, Any] = {
    "behavior.cost_response": {
        "distribution": "uniform",
        "low": 0.0,
        "high": 0.008,
        "masses": [{"value": 0.0, "probability": 0.4}],
    },
    "policy.exchange_steepness": RANGE,
    "policy.tie_rule": {
        "values": ["upper", "mid"],
        "weights": [3, 1],
        "with": {"policy.minimum_cases": [20, 10]},
    },
    f"{GROWTH}.heart_failure": {"distribution": "normal", "mean": 0.0, "sd": 0.01},
}


def drawn_of(unknown: dict[str, Any], count: int) -> dict[str, list[Any]]:
    scenario = scenario_from_dict({"uncertainty": unknown})
    sets = [draw_values(scenario, each, KEY) for each in range(count)]
    return {name: [each[name] for each in sets] for name in sets[0]}


def test_values_are_sorted_by_name_and_coded_in_that_order() -> None:
    scenario = scenario_from_dict({"uncertainty": UNKNOWN})
    drawn = draw_values(scenario, 3, KEY)
    assert list(drawn) == sorted([*UNKNOWN, "policy.minimum_cases"])
    codes = dict(zip(drawn, coded_values(scenario, drawn), strict=True))
    assert codes["policy.tie_rule"] == ["upper", "mid"].index(drawn["policy.tie_rule"])
    assert codes["policy.minimum_cases"] == drawn["policy.minimum_cases"]
    assert codes["policy.exchange_steepness"] == drawn["policy.exchange_steepness"]


def test_one_more_unknown_changes_no_others_value() -> None:
    """Nor does a correlation change the value of the first that is correlated, or of those that are not."""
    whole = drawn_of(UNKNOWN, 20)
    alone = drawn_of({"policy.exchange_steepness": RANGE}, 20)
    assert alone["policy.exchange_steepness"] == whole["policy.exchange_steepness"]
    pair = ["policy.exchange_steepness", "behavior.cost_response"]
    tied = drawn_of(UNKNOWN | {"correlations": [{"between": pair, "value": 0.7}]}, 20)
    changed = [name for name in whole if tied[name] != whole[name]]
    assert changed == ["behavior.cost_response"]
    more = [{"between": pair, "value": 0.7}, {"between": [f"{GROWTH}.heart_failure", pair[0]], "value": -0.5}]
    more_tied = drawn_of(UNKNOWN | {"correlations": more}, 20)
    assert more_tied["behavior.cost_response"] == tied["behavior.cost_response"]


def test_correlated_values_keep_their_distributions_and_have_the_correlation() -> None:
    """2,000 sets; each test fails by chance with probability 1e-6, once, as the seed is fixed."""
    count, value = 2000, 0.6
    pair = ["policy.exchange_steepness", f"{GROWTH}.heart_failure"]
    drawn = drawn_of(UNKNOWN | {"correlations": [{"between": pair, "value": value}]}, count)
    growth = np.array(drawn[pair[1]]) / 0.01
    assert kstest(growth, "norm").pvalue > 1e-6
    steepness = np.array(drawn[pair[0]])
    half = np.where(steepness > 0.1, 0.1, 0.05)
    scores = (steepness - 0.1) / half * norm.ppf(0.95)
    # Fisher's transformation has a standard error of 1 / √(n − 3).
    found = np.arctanh(np.corrcoef(scores, growth)[0, 1]) - np.arctanh(value)
    assert abs(found) < 4.9 / np.sqrt(count - 3)
    zero = np.mean(np.array(drawn["behavior.cost_response"]) == 0.0)
    assert abs(zero - 0.4) < 4.9 * np.sqrt(0.24 / count)
    pairs = set(zip(drawn["policy.tie_rule"], drawn["policy.minimum_cases"], strict=True))
    assert pairs == {("upper", 20), ("mid", 10)}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("policy.risk_level", 0.05, dict.fromkeys(range(2027, 2032), 0.05)),
        ("policy.risk_level", {"2027": 0.01, "2030": 0.02}, {2027: 0.01, 2029: 0.01, 2030: 0.02, 2031: 0.02}),
        ("policy.risk_level.2029", 0.05, {2027: 0.09, 2028: 0.09, 2029: 0.05, 2030: 0.11}),
        ("policy.tie_rule", "mid", {2027: "mid", 2031: "mid"}),
        ("policy.partial_points", False, {2027: False, 2031: False}),
        (
            f"{GROWTH}.heart_failure",
            0.03,
            {year: {"heart_failure": 0.03, "low_back_pain": 0.0} for year in range(2027, 2034)},
        ),
        (
            f"{GROWTH}.2029.heart_failure",
            0.03,
            {
                2028: {"heart_failure": 0.0, "low_back_pain": 0.0},
                2033: {"heart_failure": 0.03, "low_back_pain": 0.0},
            },
        ),
        (GROWTH, {"low_back_pain": 0.1}, {2033: {"heart_failure": 0.0, "low_back_pain": 0.1}}),
        (
            GROWTH,
            {"2027": {"heart_failure": 0.2}, "2030": {"low_back_pain": 0.1}},
            {
                2029: {"heart_failure": 0.2, "low_back_pain": 0.0},
                2033: {"heart_failure": 0.2, "low_back_pain": 0.1},
            },
        ),
        ("population.cost_reliability.heart_failure", 0.5, {"heart_failure": 0.5}),
        ("population.cost_reliability", {"low_back_pain": 0.5}, {"low_back_pain": 0.5}),
    ],
)
def test_values_are_laid_over_the_scenarios_own(name: str, value: Any, expected: dict[Any, Any]) -> None:
    values = with_values(scenario_from_dict({}).values, {name: value})
    found = values[".".join(name.split(".")[:2])]
    assert {key: found[key] for key in expected} == expected
    changed = [each for each in values if values[each] != scenario_from_dict({}).values[each]]
    assert changed == [".".join(name.split(".")[:2])]


def test_values_are_the_same_in_any_order() -> None:
    values = scenario_from_dict({}).values
    drawn = {"policy.risk_level.2029": 0.05, "policy.risk_level.2027": 0.01, "policy.tie_rule": "mid"}
    assert with_values(values, drawn) == with_values(values, dict(reversed(drawn.items())))


def test_what_cannot_be_simulated_names_the_values_that_were_drawn() -> None:
    message = (
        r"^parameter set 7, with the uncertain population.cost_sd.heart_failure = 9000000.0, "
        r'policy.tie_rule = "mid", cannot be used: there is no such population$'
    )
    drawn = {"population.cost_sd.heart_failure": 9e6, "policy.tie_rule": "mid"}
    with pytest.raises(InputError, match=message), naming_values(7, drawn):
        raise InputError("there is no such population")
