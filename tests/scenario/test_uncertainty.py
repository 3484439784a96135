"""The section ``[uncertainty]`` of scenario files: what it says, and quantiles."""

from __future__ import annotations

import json
import math
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from asmrisk.scenario.distributions import DISTRIBUTIONS, Distribution
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from tests.scenario.files import problems_of, write


def test_distributions_by_quoted_and_by_dotted_keys(folder: Path) -> None:
    text = """
    [uncertainty]
    "policy.exchange_steepness" = {distribution = "uniform", low = 0.05, high = 0.2}
    population.cost_reliability.heart_failure = {distribution = "normal", mean = 0.7, sd = 0.1}
    [uncertainty.population.cost_reliability.low_back_pain]
    distribution = "triangular"
    low = 0.4
    mode = 0.8
    high = 0.9
    [uncertainty.policy.minimum_cases]
    distribution = "choice"
    values = [10, 20]
    weights = [1, 3]
    [uncertainty."population.part_b_mean".cardiology]
    distribution = "lognormal"
    median = 180_000
    log_sd = 0.1
    """
    uncertainty = load_scenario(write("x.toml", text)).uncertainty
    assert {name: each.to_dict() for name, each in uncertainty.items()} == {
        "policy.exchange_steepness": {"distribution": "uniform", "low": 0.05, "high": 0.2},
        "population.cost_reliability.heart_failure": {"distribution": "normal", "mean": 0.7, "sd": 0.1},
        "population.cost_reliability.low_back_pain": {
            "distribution": "triangular",
            "low": 0.4,
            "mode": 0.8,
            "high": 0.9,
        },
        "policy.minimum_cases": {"distribution": "choice", "values": [10, 20], "weights": [1.0, 3.0]},
        "population.part_b_mean.cardiology": {
            "distribution": "lognormal",
            "median": 180_000.0,
            "log_sd": 0.1,
        },
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '"policy.steepness" = {distribution = "uniform", low = 0, high = 1}',
            "uncertainty.policy.steepness: unknown parameter; did you mean policy.exchange_steepness?",
        ),
        (
            'policy.tie_rule = {distribution = "choice", values = [1]}',
            "uncertainty.policy.tie_rule.values: 1 is not allowed; allowed: upper, lower or mid",
        ),
        (
            'policy.cost_points = {distribution = "choice", values = [1]}',
            "uncertainty.policy.cost_points.values: 1 is not allowed; allowed: ",
        ),
        (
            'policy.partial_points = {distribution = "choice", values = [1]}',
            "uncertainty.policy.partial_points.values: 1 is not allowed; allowed: ",
        ),
        (
            "population.cost_sd = {median = 5, low = 4, high = 6}",
            "uncertainty.population.cost_sd: is not a number; write {values = […]}, or name one number; "
            "allowed: population.cost_sd.heart_failure, population.cost_sd.low_back_pain",
        ),
        (
            'run.draws = {distribution = "choice", values = [1]}',
            "uncertainty.run.draws: a setting of the run cannot be",
        ),
        ("policy.risk_level = 0.1", "uncertainty.policy.risk_level: 0.1 is no distribution"),
        (
            "policy.risk_level = {low = 0.1, high = 0.2}",
            "uncertainty.policy.risk_level: {low = 0.1, high = 0.2} is no d",
        ),
        (
            'policy.risk_level = {distribution = "uniforme", low = 0.1, high = 0.2}',
            'uncertainty.policy.risk_level.distribution: "uniforme" is not known; allowed: uniform, trian',
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = 0.1}',
            "uncertainty.policy.risk_level: high is missing",
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = 0.1, hihg = 0.2, high = 0.3}',
            "uncertainty.policy.risk_level.hihg: unknown key; did you mean high?",
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = 0.3, high = 0.1}',
            "uncertainty.policy.risk_level: low (0.3) must be less than high (0.1)",
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = 0.3, high = 1.1}',
            "uncertainty.policy.risk_level.high: 1.1 is not allowed; allowed: 0 to 1 (fraction; 42 CFR",
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = nan, high = 1}',
            "uncertainty.policy.risk_level.low: nan is not allowed; allowed: a finite number",
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = false, high = 1}',
            "uncertainty.policy.risk_level.low: false is not allowed; allowed: a finite number",
        ),
        (
            'policy.risk_level = {distribution = "triangular", low = 0.1, mode = 0.5, high = 0.2}',
            "uncertainty.policy.risk_level.mode: 0.5 does not lie between low and high",
        ),
        (
            'policy.risk_level = {distribution = "normal", mean = 0.1, sd = -1}',
            "uncertainty.policy.risk_level.sd: -1 is not allowed; allowed: greater than 0, at most 1",
        ),
        (
            'policy.risk_level = {distribution = "lognormal", median = 0, log_sd = 1}',
            "uncertainty.policy.risk_level.median: 0 is not allowed; allowed: greater than 0",
        ),
        (
            'policy.risk_level = {distribution = "choice", values = []}',
            "uncertainty.policy.risk_level.values: [] is not allowed; allowed: a list of 1 to 1000 values",
        ),
        (
            'policy.risk_level = {distribution = "choice", values = [0.1, 1.1]}',
            "uncertainty.policy.risk_level.values: 1.1 is not allowed; allowed: 0 to 1",
        ),
        (
            'policy.risk_level = {distribution = "choice", values = [0.1], weights = [0]}',
            "uncertainty.policy.risk_level.weights: weights must not be negative",
        ),
        (
            'policy.risk_level = {distribution = "choice", values = [0.1], weights = [1, 1]}',
            "uncertainty.policy.risk_level.weights: 2 weights for 1 values",
        ),
        (
            'policy.minimum_cases = {distribution = "uniform", low = 10, high = 20}',
            "uncertainty.policy.minimum_cases: is a whole number; write {values = […]}",
        ),
        (
            'policy.minimum_cases = {distribution = "choice", values = [10.5]}',
            "uncertainty.policy.minimum_cases.values: 10.5 is not allowed; allowed: 1 to 10,000",
        ),
        (
            '"policy.risk_level" = {distribution = "choice", values = [0.1]}\n'
            'policy.risk_level = {distribution = "choice", values = [0.1]}',
            "uncertainty.policy.risk_level: is given twice",
        ),
        (
            'policy.risk_level.2050 = {distribution = "choice", values = [0.1]}',
            "uncertainty.policy.risk_level.2050: 2050 is no year in which it may change; allowed: 2027 to 2",
        ),
    ],
)
def test_one_clear_message_for_a_distribution(folder: Path, text: str, message: str) -> None:
    (problem,) = problems_of("[uncertainty]\n" + text)
    assert re.match(r"x\.toml:\d+: ", problem)
    assert problem.partition(": ")[2].startswith(message)


def test_a_number_is_uncertain_once(folder: Path) -> None:
    text = """[uncertainty]
    "policy.risk_level" = {distribution = "uniform", low = 0.1, high = 0.2}
    "policy.risk_level.2029" = {distribution = "uniform", low = 0.1, high = 0.2}
    """
    (problem,) = problems_of(text)
    assert problem.startswith("x.toml:3: uncertainty.policy.risk_level.2029: is part of policy.risk_level, ")


def test_weights_cannot_be_uncertain(folder: Path) -> None:
    (problem,) = problems_of(
        '[uncertainty]\n"policy.cost_weight" = {distribution = "uniform", low = 0.1, high = 0.2}'
    )
    assert "the weights of quality and cost must make 1 in every draw" in problem


def test_a_stated_value_ends_an_inherited_distribution(folder: Path) -> None:
    write(
        "base.toml",
        """[uncertainty]
        policy.exchange_steepness = {distribution = "uniform", low = 0.05, high = 0.2}
        population.cost_reliability.heart_failure = {distribution = "uniform", low = 0.4, high = 0.9}
        population.cost_reliability.low_back_pain = {distribution = "uniform", low = 0.4, high = 0.9}
        """,
    )
    child = write("x.toml", 'extends = "base"\npopulation.cost_reliability.heart_failure = 0.5')
    assert set(load_scenario(child).uncertainty) == {
        "policy.exchange_steepness",
        "population.cost_reliability.low_back_pain",
    }
    assert (
        "policy.exchange_steepness" not in load_scenario(child, ["policy.exchange_steepness=.1"]).uncertainty
    )
    # A file that states both means both: the value is the central one.
    both = 'extends = "base"\npolicy.exchange_steepness = 0.3\n[uncertainty."policy.exchange_steepness"]\n'
    both += 'distribution = "uniform"\nlow = 0.2\nhigh = 0.4'
    scenario = load_scenario(write("y.toml", both))
    assert scenario.uncertainty["policy.exchange_steepness"].own["low"] == 0.2
    assert scenario.values["policy.exchange_steepness"][2027] == 0.3


def _normal(score: float) -> float:
    return 0.5 * math.erfc(-score / math.sqrt(2.0))


@pytest.mark.parametrize(
    ("given", "below"),
    [
        ({"distribution": "uniform", "low": 0.2, "high": 0.6}, lambda x: (x - 0.2) / 0.4),
        (
            {"distribution": "triangular", "low": 0.0, "mode": 0.25, "high": 1.0},
            lambda x: x * x / 0.25 if x < 0.25 else 1.0 - (1.0 - x) ** 2 / 0.75,
        ),
        (
            {"distribution": "normal", "mean": 0.9, "sd": 0.3},
            lambda x: (_normal((x - 0.9) / 0.3) - _normal(-3.0)) / (_normal(1.0 / 3.0) - _normal(-3.0)),
        ),
        (
            {"distribution": "lognormal", "median": 0.5, "log_sd": 0.8},
            lambda x: _normal(math.log(x / 0.5) / 0.8) / _normal(math.log(2.0) / 0.8),
        ),
    ],
    ids=lambda each: each["distribution"] if isinstance(each, dict) else "",
)
def test_quantiles_invert_the_distribution_function(given: dict[str, Any], below: Any) -> None:
    distribution = (
        scenario_from_dict({"uncertainty": {"policy.risk_level": given}}).uncertainty["policy.risk_level"].own
    )
    for step in range(1, 200):
        probability = step / 200
        value = distribution.quantile(probability)
        assert 0.0 <= value <= 1.0
        # Nine digits of the value, seven of the tails' difference.
        assert below(value) == pytest.approx(probability, abs=1e-7)


def test_quantiles_of_a_choice() -> None:
    given = {"distribution": "choice", "values": [10, 20, 30], "weights": [1, 0, 3]}
    chosen = (
        scenario_from_dict({"uncertainty": {"policy.minimum_cases": given}})
        .uncertainty["policy.minimum_cases"]
        .own
    )
    assert [chosen.quantile(p) for p in (1e-9, 0.2499, 0.2501, 1 - 1e-16)] == [10, 10, 30, 30]
    assert isinstance(chosen.quantile(0.1), int)


def test_distributions_are_known_by_their_numbers() -> None:
    assert set(DISTRIBUTIONS) == {"uniform", "triangular", "normal", "lognormal", "central_90", "choice"}
    uniform = Distribution({"distribution": "uniform", "low": 0.0, "high": 1.0}, 0.0, 1.0)
    assert json.loads(json.dumps(uniform)) == uniform
    assert pickle.loads(pickle.dumps(uniform)).quantile(0.5) == 0.5
