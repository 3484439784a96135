"""Unknowns of any kind: linked, correlated, inherited; and what is said of declarations that are wrong."""

# ruff: noqa: E501  (tables of messages)

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from asmrisk.errors import InputError
from asmrisk.scenario.correlation import Correlation, correlated, impossible
from asmrisk.scenario.listing import policy
from asmrisk.scenario.scenario import Scenario, load_scenario, scenario_from_dict
from tests.scenario.files import problems_of, write

TREND = "behavior.part_b_growth"
NORMAL = '{distribution = "normal", mean = 0.0, sd = 0.01}'
ALL_KINDS = f"""
[uncertainty]
"behavior.cost_response" = {{distribution = "uniform", low = 0.0, high = 0.008, masses = [{{value = 0.0, probability = 0.4}}], basis = "secondary", source = "HHVBP"}}
"policy.exchange_steepness" = {{median = 0.1, low = 0.05, high = 0.2, scale = "log"}}
"policy.tie_rule" = {{values = ["upper", "mid"], weights = [3, 1], with = {{"policy.minimum_cases" = [20, 10]}}}}
"policy.risk_level" = {{values = [0.05, {{2027 = 0.09, 2029 = 0.1}}]}}
{TREND}.heart_failure = {{median = 0.0, low = -0.01, high = 0.02, with = {{{TREND}.low_back_pain = {NORMAL}}}}}
"population.cost_reliability" = {{values = [{{heart_failure = 0.5}}, {{heart_failure = 0.6, low_back_pain = 0.7}}]}}
correlations = [{{between = ["behavior.cost_response", "policy.exchange_steepness"], value = 0.5}}]
"""


def scenario_of(text: str, *overrides: str) -> Scenario:
    return load_scenario(write("x.toml", text), overrides)


def test_every_kind_is_read_written_and_read_again(folder: Path) -> None:
    scenario = scenario_of(ALL_KINDS)
    assert list(scenario.uncertainty) == [
        "behavior.cost_response",
        "policy.exchange_steepness",
        "policy.tie_rule",
        "policy.risk_level",
        f"{TREND}.heart_failure",
        "population.cost_reliability",
    ]
    assert scenario.uncertainty["policy.tie_rule"].names == ("policy.tie_rule", "policy.minimum_cases")
    again = scenario_of(scenario.to_toml())
    assert again == scenario
    assert again.identity() == scenario.identity()
    assert scenario_from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario
    response = scenario.uncertainty["behavior.cost_response"]
    assert (response.basis, response.source) == ("secondary", "HHVBP")
    assert response.to_dict().keys() - response.definition().keys() == {"basis", "source"}


def test_basis_and_source_decide_no_number(folder: Path) -> None:
    with_source, without = scenario_of(ALL_KINDS), scenario_of(ALL_KINDS.replace(', source = "HHVBP"', ""))
    assert with_source != without
    assert with_source.identity() == without.identity()
    assert with_source.identity() != scenario_of(ALL_KINDS.replace("0.5}]", "0.4}]")).identity()


def test_values_at_one_probability(folder: Path) -> None:
    unknowns = scenario_of(ALL_KINDS).uncertainty
    ties = unknowns["policy.tie_rule"]
    assert ties.quantiles(0.7) == {"policy.tie_rule": "upper", "policy.minimum_cases": 20}
    assert ties.quantiles(0.8) == {"policy.tie_rule": "mid", "policy.minimum_cases": 10}
    assert ties.central() == {"policy.tie_rule": "upper", "policy.minimum_cases": 20}
    assert ties.code("policy.tie_rule", "mid") == 1.0
    assert ties.code("policy.minimum_cases", 10) == 10.0
    trend = unknowns[f"{TREND}.heart_failure"].quantiles(0.95)
    assert trend == {f"{TREND}.heart_failure": 0.02, f"{TREND}.low_back_pain": 0.0164485363}
    tables = unknowns["population.cost_reliability"]
    assert tables.central() == {"population.cost_reliability": {"heart_failure": 0.5}}
    assert tables.code(tables.name, {"heart_failure": 0.6, "low_back_pain": 0.7}) == 1.0


def test_everything_fixed_at_its_median(folder: Path) -> None:
    scenario = scenario_of(ALL_KINDS)
    fixed = scenario.fixed_at_medians()
    assert fixed.fixed == tuple(scenario.uncertainty)
    assert fixed.uncertainty == {}
    assert fixed.correlations == ()
    assert fixed.values["policy.tie_rule"][2029] == "upper"
    assert fixed.values["policy.minimum_cases"][2029] == 20
    assert set(fixed.values["policy.exchange_steepness"].values()) == {0.1}
    assert fixed.values[TREND][2030] == {"heart_failure": 0.0, "low_back_pain": 0.0}
    assert fixed.values["population.cost_reliability"]["heart_failure"] == 0.5
    assert "uncertainty" not in fixed.to_dict()
    assert scenario_of(fixed.to_toml()).values == fixed.values


def test_overrides_declare_as_files_do(folder: Path) -> None:
    text = "[policy]\nrisk_level = 0.09"
    given = "uncertainty.behavior.cost_response={median=0.001,low=0,high=.008}"
    scenario = scenario_of(text, given)
    assert scenario.uncertainty["behavior.cost_response"].own["high"] == 0.008
    with pytest.raises(InputError) as caught:
        scenario_of(text, "uncertainty.behavior.cost_response={median=0.001,low=0}")
    (problem,) = map(str, caught.value.problems)
    assert problem == (
        "overrides uncertainty.behavior.cost_response={median=0.001,low=0}: "
        "uncertainty.behavior.cost_response: high is missing; central_90 takes median, low, high"
    )


# --- Files that lie over each other -------------------------------------------------------------------------


def above(*overrides: str, text: str = "") -> Scenario:
    write("base.toml", ALL_KINDS)
    return scenario_of(f'extends = "base"\n{text}', *overrides)


def test_a_stated_value_ends_what_is_linked_and_correlated(folder: Path) -> None:
    assert "policy.tie_rule" not in above("policy.tie_rule=mid").uncertainty
    assert above("policy.minimum_cases=15").uncertainty["policy.tie_rule"].names == ("policy.tie_rule",)
    assert above("policy.exchange_steepness=.2").correlations == ()
    kept = above("policy.redistribution_share=1")
    assert kept.uncertainty == above().uncertainty
    assert kept.correlations == above().correlations != ()
    trend = f"{TREND}.heart_failure"
    assert above(f"{TREND}.low_back_pain=0.01").uncertainty[trend].names == (trend,)
    assert above(f"{TREND}.2029.low_back_pain=0.01").uncertainty[trend].names == (trend,)
    assert trend not in above(text=f"{TREND}.heart_failure = 0.01").uncertainty


def test_a_value_of_one_year_leaves_other_years_uncertain(folder: Path) -> None:
    write("base.toml", f'[uncertainty]\n"policy.risk_level.2028" = {NORMAL.replace("0.0,", "0.1,")}')
    for override, kept in (("2029=.3", True), ("2028=.3", False), ("2028=.3", False)):
        scenario = scenario_of('extends = "base"', f"policy.risk_level.{override}")
        assert ("policy.risk_level.2028" in scenario.uncertainty) == kept
    assert not scenario_of('extends = "base"', "policy.risk_level=.3").uncertainty


def test_a_restated_unknown_replaces_the_whole_and_keeps_its_correlation(folder: Path) -> None:
    scenario = above(text='uncertainty."policy.tie_rule" = {values = ["mid", "lower"]}')
    assert scenario.uncertainty["policy.tie_rule"].names == ("policy.tie_rule",)
    scenario = above(text='uncertainty."behavior.cost_response" = {median = 0.001, low = 0, high = 0.002}')
    assert scenario.uncertainty["behavior.cost_response"].basis == ""
    assert scenario.correlations == above().correlations
    taken = above(text='uncertainty."policy.minimum_cases" = {values = [10, 20]}')
    assert taken.uncertainty["policy.tie_rule"].names == ("policy.tie_rule",)
    assert "policy.minimum_cases" in taken.uncertainty


def test_a_correlation_ends_with_an_unknown_for_good(folder: Path) -> None:
    write("base.toml", ALL_KINDS)
    write("fixed.toml", 'extends = "base"\nbehavior.cost_response = 0.001')
    again = 'uncertainty."behavior.cost_response" = {median = 0.001, low = 0, high = 0.002}'
    assert scenario_of(f'extends = "fixed"\n{again}').correlations == ()
    # A file that states both means both.
    both = scenario_of(f'extends = "base"\nbehavior.cost_response = 0.001\n{again}')
    assert len(both.correlations) == 1


def test_correlations_are_restated_by_pair(folder: Path) -> None:
    more = (
        '[uncertainty]\n"behavior.medicare_share" = {median = 0.85, low = 0.8, high = 0.9}\n'
        'correlations = [{between = ["policy.exchange_steepness", "behavior.cost_response"], value = 0.1},'
        '{between = ["behavior.medicare_share", "behavior.cost_response"], value = -0.3}]'
    )
    assert [each.value for each in above(text=more).correlations] == [0.1, -0.3]
    zero = more.replace("0.1}", "0}")
    assert [each.value for each in above(text=zero).correlations] == [-0.3]


# --- What is wrong ------------------------------------------------------------------------------------------

STEEP = '"policy.exchange_steepness" = {median = 0.1, low = 0.05, high = 0.2}\n'
SHARE = '"behavior.medicare_share" = {median = 0.85, low = 0.8, high = 0.9}\n'
EXIT = '"behavior.exit_probability.cardiology" = {median = 0.04, low = 0.01, high = 0.09}\n'
RISK = '"policy.risk_level" = '


def pairs(*given: tuple[str, str, Any]) -> str:
    entries = ", ".join(f'{{between = ["{a}", "{b}"], value = {value}}}' for a, b, value in given)
    return f"correlations = [{entries}]"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (RISK + '{low = 0.1, high = 0.2}', 2, "uncertainty.policy.risk_level: {low = 0.1, high = 0.2} is no distribution; write {values = […]}, {median = …, low = …, high = …} or "),
        (RISK + '"uncertainty"', 2, 'uncertainty.policy.risk_level: "uncertainty" is no distribution; write '),
        (RISK + "{median = 0.1, low = 0.2, high = 0.3}", 2, "uncertainty.policy.risk_level.median: 0.1 does not lie between low and high"),
        (RISK + "{median = 0.1, low = 0.1, high = 0.1}", 2, "uncertainty.policy.risk_level: low (0.1) must be less than high (0.1)"),
        (RISK + '{median = 0.1, low = 0, high = 0.3, scale = "log"}', 2, "uncertainty.policy.risk_level.low: 0 is not allowed; allowed: greater than 0 on the scale log"),
        (RISK + '{median = 0.1, low = 0.05, high = 1, scale = "logit"}', 2, "uncertainty.policy.risk_level.high: 1 is not allowed; allowed: greater than 0, less than 1 on the scale logit"),
        (RISK + '{median = 0.1, low = 0.05, high = 1, scale = "lgo"}', 2, 'uncertainty.policy.risk_level.scale: "lgo" is not known; allowed: linear, log, logit'),
        (RISK + "{median = 0.1, low = 0.05, high = 0.2, scale = 3}", 2, "uncertainty.policy.risk_level.scale: 3 is not known"),
        (RISK + "{median = true, low = 0.05, high = 0.2}", 2, "uncertainty.policy.risk_level.median: true is not allowed; allowed: a finite number"),
        (RISK + "{median = 0.1, low = 0.05, high = 0.2, masses = []}", 2, "uncertainty.policy.risk_level.masses: [] is not allowed; write masses = [{value = …, probability = …}]"),
        (RISK + "{median = 0.1, low = 0.05, high = 0.2, masses = [0.1]}", 2, "uncertainty.policy.risk_level.masses: entry 1: 0.1 is not allowed; write {value = …, probability = …}"),
        (RISK + "{median = 0.1, low = 0.05, high = 0.2, masses = [{value = nan, probability = 0.1}]}", 2, "uncertainty.policy.risk_level.masses: entry 1: {value = nan, probability = 0.1} is not allowed; both must be finite numbers"),
        (RISK + "{median = 0.1, low = 0.05, high = 0.2, masses = [{value = 2, probability = 0.1}]}", 2, "uncertainty.policy.risk_level.masses: entry 1: value: 2 is not allowed; allowed: 0 to 1"),
        (RISK + "{median = 0.1, low = 0.05, high = 0.2, masses = [{value = 0, probability = 1}]}", 2, "uncertainty.policy.risk_level.masses: entry 1: probability: 1 is not allowed; allowed: greater than 0"),
        (RISK + "{median = 0.1, low = 0.05, high = 0.2, masses = [{value = 0, probability = 0.5}, {value = 1, probability = 0.5}]}", 2, "uncertainty.policy.risk_level.masses: the probabilities make 1; they must make less than 1"),
        (RISK + "{median = 0.1, low = 0.05, high = 0.2, masses = [{value = 0, probability = 0.1}, {value = 0.0, probability = 0.1}]}", 2, "uncertainty.policy.risk_level.masses: a value is listed twice"),
        (RISK + "{values = [0.1], masses = []}", 2, "uncertainty.policy.risk_level.masses: unknown key"),
        (RISK + "{values = [0.1, 0.1]}", 2, "uncertainty.policy.risk_level.values: a value is listed twice"),
        (RISK + "{values = [0.1, true]}", 2, "uncertainty.policy.risk_level.values: true is not allowed; allowed: 0 to 1"),
        (RISK + "{values = [0.1, nan]}", 2, "uncertainty.policy.risk_level.values: nan is not allowed; allowed: 0 to 1"),
        (RISK + "{values = [0.1, {2028 = 0.1}]}", 2, "uncertainty.policy.risk_level.values: year 2027 is missing"),
        (RISK + "{values = [0.1, {2027 = 0.1, 2050 = 0.1}]}", 2, 'uncertainty.policy.risk_level.values.2050: "2050" is no year in which it may change'),
        (RISK + "{values = {a = 0.1}}", 2, "uncertainty.policy.risk_level.values: {a = 0.1} is not allowed; allowed: a list of 1 to 1000 values"),
        (RISK + "{values = [0.1, 0.2], weights = 3}", 2, "uncertainty.policy.risk_level.weights: 3 is not allowed; allowed: a list of numbers"),
        (RISK + "{values = [0.1, 0.2], weights = [true, 1]}", 2, "uncertainty.policy.risk_level.weights: [true, 1] is not allowed; allowed: a list of numbers"),
        (RISK + '{values = [0.1], basis = "guess"}', 2, 'uncertainty.policy.risk_level.basis: "guess" is not allowed; allowed: CFR, secondary, '),
        (RISK + '{values = [0.1], basis = "asumed"}', 2, 'uncertainty.policy.risk_level.basis: "asumed" is not allowed; allowed: CFR, secondary, published, data, precedent, assumed; did you mean assumed?'),
        (RISK + "{values = [0.1], source = 3}", 2, "uncertainty.policy.risk_level.source: 3 is not allowed; allowed: text"),
        (RISK + "{values = [0.1], with = 3}", 2, "uncertainty.policy.risk_level.with: 3 is not allowed; write with = "),
        (RISK + '{values = [0.1], with = {"policy.tie_rule" = ["uper"]}}', 2, 'uncertainty.policy.risk_level.with.policy.tie_rule.values: "uper" is not allowed; allowed: upper, lower or mid'),
        (RISK + '{values = [0.1, 0.2], with = {"policy.tie_rule" = ["upper"]}}', 2, "uncertainty.policy.risk_level.with.policy.tie_rule: 1 values for the 2 of policy.risk_level; give as many"),
        (RISK + '{values = [0.1], with = {"behavior.medicare_share" = {median = 0.85, low = 0.8, high = 0.9}}}', 2, "uncertainty.policy.risk_level.with.behavior.medicare_share: must be given as policy.risk_level is"),
        (RISK + '{values = [0.1], with = {"behavior.medicare_share" = {values = [0.8], weights = [1]}}}', 2, "uncertainty.policy.risk_level.with.behavior.medicare_share.weights: the weights are those of policy.risk_level"),
        (RISK + '{values = [0.1], with = {"policy.risk_level" = [0.1]}}', 2, "uncertainty.policy.risk_level.with.policy.risk_level: is given twice"),
        (RISK + '{values = [0.1], with = {"policy.cost_weight" = [0.1]}}', 2, "uncertainty.policy.risk_level: policy.cost_weight: the weights of quality and cost must make 1"),
        ('"policy.cost_weight.2029" = {values = [0.1]}', 2, "uncertainty.policy.cost_weight.2029: the weights of quality and cost must make 1"),
        ('"behavior.cost_response" = {values = [0.1]}\n' + RISK + '{values = [0.1], with = {"behavior.cost_response" = [0.1]}}', 3, "uncertainty.policy.risk_level: behavior.cost_response is uncertain twice: linked to policy.risk_level"),
        ('"behavior.part_b_growth.heart_failure" = {values = [0.1]}\n"behavior.part_b_growth.2029.heart_failure" = {values = [0.1]}', 3, "uncertainty.behavior.part_b_growth.2029.heart_failure: is part of behavior.part_b_growth.heart_failure, which is uncertain as a whole; leave one of them out"),
        ('"behavior.part_b_growth.heart_failur" = {values = [0.1]}', 2, "uncertainty.behavior.part_b_growth.heart_failur: unknown key; did you mean heart_failure?"),
        ('"behavior.medicare_share.x" = {values = [0.1]}', 2, 'uncertainty.behavior.medicare_share.x: there is no "x" in it'),
        ('"population.cost_sd.2029" = {values = [0.1]}', 2, "uncertainty.population.cost_sd.2029: population.cost_sd does not vary by year"),
        ('"population.roster" = {values = ["a"]}', 2, "uncertainty.population.roster: a setting of the run cannot be uncertain"),
        ('"population.dollar_year" = {values = [2027, 2030]}', 2, "uncertainty.population.dollar_year: a setting of the run cannot be uncertain"),
        ('"population.latin_hypercube" = {values = [true, false]}', 2, "uncertainty.population.latin_hypercube: a setting of the run cannot be uncertain"),
        ('"run.seed" = {values = [1, 2]}', 2, "uncertainty.run.seed: a setting of the run cannot be uncertain"),
        (STEEP + "correlations = 3", 3, "uncertainty.correlations: 3 is not allowed; write [{between = "),
        (STEEP + "correlations = [3]", 3, "uncertainty.correlations: entry 1: 3 is not allowed; write {between = "),
        (STEEP + 'correlations = [{between = "a", value = 0.5}]', 3, 'uncertainty.correlations: entry 1: between: "a" is not allowed; allowed: a list of two names'),
        (STEEP + pairs(("policy.exchange_steepness", "policy.exchange_steepness", 0.5)), 3, "uncertainty.correlations: entry 1: between: "),
        (STEEP + pairs(("policy.exchange_steepness", "behavior.medicare_share", 0.5)), 3, 'uncertainty.correlations: "behavior.medicare_share" is not uncertain; allowed: policy.exchange_steepness'),
        (STEEP + SHARE + pairs(("policy.exchange_steepness", "behavior.medicare_share", 1)), 4, "uncertainty.correlations: entry 1: value: 1 is not allowed; allowed: greater than -1, less than 1"),
        (STEEP + SHARE + pairs(("policy.exchange_steepness", "behavior.medicare_share", "nan")), 4, "uncertainty.correlations: entry 1: value: nan is not allowed"),
        (STEEP + SHARE + pairs(("policy.exchange_steepness", "behavior.medicare_share", 0.1), ("behavior.medicare_share", "policy.exchange_steepness", 0.1)), 4, "uncertainty.correlations: entry 2: behavior.medicare_share and policy.exchange_steepness are given twice"),
        (STEEP + '"policy.tie_rule" = {values = ["mid", "upper"]}\n' + pairs(("policy.exchange_steepness", "policy.tie_rule", 0.5)), 4, "uncertainty.correlations: policy.tie_rule cannot be correlated; allowed: numbers, listed in ascending order"),
        (STEEP + RISK + "{values = [0.2, 0.1]}\n" + pairs(("policy.exchange_steepness", "policy.risk_level", 0.5)), 4, "uncertainty.correlations: policy.risk_level cannot be correlated"),
        (STEEP + RISK + '{median = 0.1, low = 0, high = 0.2, with = {"behavior.medicare_share" = {median = 0.85, low = 0.8, high = 0.9}}}\n' + pairs(("policy.exchange_steepness", "behavior.medicare_share", 0.5)), 4, 'uncertainty.correlations: "behavior.medicare_share" is not uncertain by itself; it is linked to policy.risk_level'),
        (STEEP + SHARE + EXIT + pairs(("policy.exchange_steepness", "behavior.medicare_share", 0.9), ("behavior.medicare_share", "behavior.exit_probability.cardiology", 0.9), ("policy.exchange_steepness", "behavior.exit_probability.cardiology", -0.9)), 5, "uncertainty.correlations: cannot hold together, since their matrix is not positive definite: policy.exchange_steepness and behavior.medicare_share (0.9), behavior.medicare_share and behavior.exit_probability.cardiology (0.9), policy.exchange_steepness and behavior.exit_probability.cardiology (-0.9)"),
    ],
)  # fmt: skip
def test_one_clear_message(folder: Path, text: str, line: int, message: str) -> None:
    (problem,) = problems_of("[uncertainty]\n" + text)
    assert problem.startswith(f"x.toml:{line}: {message}")


def test_listed_values_and_medians_must_follow_the_rules_between_parameters(folder: Path) -> None:
    down, up = [list(map(float, each)) for each in (range(9, -1, -1), range(10))]
    (problem,) = problems_of(f'[uncertainty]\n"policy.cost_points_z" = {{values = [{up}, {down}]}}')
    assert problem.startswith("x.toml:2: uncertainty.policy.cost_points_z.values: [9.0, 8.0, ")
    assert "cannot be used: policy.cost_points_z must ascend, but in 2027 it is [9.0, " in problem
    (problem,) = problems_of(
        f'[uncertainty]\n"policy.cost_points_z" = {{values = [{up}, {down}], weights = [1, 2]}}'
    )
    assert problem.startswith(
        "x.toml:2: uncertainty.policy.cost_points_z: at the medians of what is uncertain, policy.cost_points_z must"
    )


def test_a_part_of_what_is_unknown_below_is_said_to_be(folder: Path) -> None:
    write("base.toml", f"[uncertainty]\n{STEEP}{SHARE}")
    (problem,) = problems_of(
        'extends = "base"\n[uncertainty]\n"policy.exchange_steepness.2029" = {values = [0.1]}'
    )
    assert problem == (
        "x.toml:3: uncertainty.policy.exchange_steepness.2029: is part of policy.exchange_steepness, which is "
        "uncertain as a whole; state policy.exchange_steepness first, which ends the unknown below, or give the "
        "unknown for all years"
    )
    # As it is said, by a file and by --set.
    part = '[uncertainty]\n"policy.exchange_steepness.2029" = {values = [0.1]}'
    stated = scenario_of(f'extends = "base"\n[policy]\nexchange_steepness = 0.2\n{part}')
    assert list(stated.uncertainty) == ["behavior.medicare_share", "policy.exchange_steepness.2029"]
    overrides = "policy.exchange_steepness=0.2", "uncertainty.policy.exchange_steepness.2029={values=[0.1]}"
    assert load_scenario("base.toml", overrides).uncertainty == stated.uncertainty
    whole = scenario_of('extends = "base"\n[uncertainty]\n"policy.exchange_steepness" = {values = [0.1]}')
    assert list(whole.uncertainty) == ["policy.exchange_steepness", "behavior.medicare_share"]


def test_a_whole_above_an_unknown_part_is_refused_with_the_remedy(folder: Path) -> None:
    write("base.toml", '[uncertainty]\n"policy.exchange_steepness.2029" = {values = [0.1]}')
    (problem,) = problems_of(f'extends = "base"\n[uncertainty]\n{STEEP}')
    assert problem == (
        "x.toml:3: uncertainty.policy.exchange_steepness: policy.exchange_steepness.2029 is part of "
        "policy.exchange_steepness, which is uncertain as a whole; state policy.exchange_steepness first, which "
        "ends the unknown below"
    )
    stated = scenario_of(f'extends = "base"\n[policy]\nexchange_steepness = 0.2\n[uncertainty]\n{STEEP}')
    assert list(stated.uncertainty) == ["policy.exchange_steepness"]


def test_a_part_that_is_no_year_is_named_otherwise(folder: Path) -> None:
    write("base.toml", '[uncertainty]\n"population.cost_reliability" = {values = [{heart_failure = 0.5}]}')
    (problem,) = problems_of(
        'extends = "base"\n[uncertainty]\n"population.cost_reliability.heart_failure" = {values = [0.5]}'
    )
    assert problem.endswith("which ends the unknown below, or give the unknown for all of it")


def test_hostile_declarations_end_in_clear_messages(folder: Path) -> None:
    numbers = ", ".join(str(each / 1e5) for each in range(60_000))
    began = time.perf_counter()
    (problem,) = problems_of(f"[uncertainty]\n{RISK}{{values = [{numbers}]}}")
    assert "60000 values are not allowed; allowed: a list of 1 to 1000 values" in problem
    (problem,) = problems_of(f"[uncertainty]\n{RISK}{{median = 1{'0' * 400}, low = 0, high = 1}}")
    assert "an integer of over a hundred digits is not allowed" in problem
    (problem,) = problems_of("[uncertainty]\ncorrelations = [" + "3," * 20_000 + "]")
    assert "is not allowed; write [" in problem
    problems = problems_of("[uncertainty]\n" + "\n".join(f"a.b{each} = 1" for each in range(2000)))
    assert len(problems) == 2000
    assert time.perf_counter() - began < 60


# --- Correlation --------------------------------------------------------------------------------------------


def test_the_cholesky_factor_is_numpys() -> None:
    matrix = np.array(
        [[1.0, 0.5, -0.3, 0.0], [0.5, 1.0, 0.2, 0.0], [-0.3, 0.2, 1.0, 0.7], [0.0, 0.0, 0.7, 1.0]]
    )
    names = "abcd"
    given = [Correlation((names[i], names[j]), matrix[i, j]) for i, j in ((0, 1), (0, 2), (1, 2), (2, 3))]
    rng = np.random.default_rng(1)
    scores = rng.standard_normal(4)
    chances = dict(zip(names, norm.cdf(scores).tolist(), strict=True)) | {"e": 0.3}
    found = correlated(chances, given)
    expected = norm.cdf(np.linalg.cholesky(matrix) @ scores)
    assert [found[name] for name in names] == pytest.approx(expected, rel=1e-7)
    # Exactly what it was, and in the order of the pairs: one more changes none before.
    assert (found["a"], found["e"]) == (chances["a"], 0.3)
    fewer = correlated(chances, given[:3])
    assert {name: fewer[name] for name in "abc"} == {name: found[name] for name in "abc"}
    assert impossible(given) == []
    assert impossible([Correlation(("a", "b"), 0.99), Correlation(("b", "c"), 0.99)])


# --- Listing ------------------------------------------------------------------------------------------------


def test_the_listing_names_everything_that_is_uncertain(folder: Path) -> None:
    hostile = ALL_KINDS.replace('"HHVBP"', '"HH | <b>\\u001b[2J\\nVBP"')
    listing = policy(scenario_of(hostile))
    text = listing.to_table()
    assert "median 0.00133, 90% between 0 and 0.00733, exactly 0 with probability 0.4" in text
    assert "secondary: HH | <b>\\x1b[2J VBP" in text
    assert "central value upper; probabilities: upper with 0.75; mid with 0.25" in text
    assert "Correlation of normal scores: behavior.cost_response and" in text
    assert all(line.isprintable() and len(line) <= 110 for line in text.splitlines())
    content = json.loads(listing.to_json())
    response = content["uncertain"][0]
    assert (response["name"], response["basis"]) == ("behavior.cost_response", "secondary")
    assert (response["low"], response["median"]) == (0.0, 0.00133333333)
    assert content["correlations"][0]["value"] == 0.5
    assert "<b>" not in listing.to_markdown()
    (row,) = [line for line in listing.to_csv().splitlines() if line.startswith("behavior.cost_response,")]
    assert "HH | <b>" in row
    assert "linked_to" in listing.to_csv()


def test_what_is_linked_stands_in_a_small_table(folder: Path) -> None:
    listing = policy(scenario_of(ALL_KINDS))
    text = listing.to_table()
    numbers = f"""  {TREND}.heart_failure
    Growth of Part B payments since the year before (no effect in the first
        year).
    median 0, 90% between -0.01 and 0.02 (fraction)
    {{distribution = "central_90", median = 0.0, low = -0.01, high = 0.02}}
    no basis stated
    Linked, at the same probability:
      {TREND}  median  90% range
      low_back_pain                0  -0.0164 to 0.0164
"""
    words = """    no basis stated
    Linked, from the same place:
                            values
      policy.minimum_cases  20; 10
"""
    assert numbers in text
    assert words in text
    assert text.count("Linked") == 2
    markdown = listing.to_markdown()
    numbers = f"""
Linked to `{TREND}.heart_failure`, at the same probability:

| parameter | median | 90% range |
|---|---|---|
| `{TREND}.low_back_pain` | 0 | -0.0164 to 0.0164 |
"""
    words = """
Linked to `policy.tie_rule`, from the same place:

| parameter | values |
|---|---|
| `policy.minimum_cases` | 20; 10 |
"""
    assert numbers in markdown
    assert words in markdown
    # One row for each unknown, and all digits in JSON.
    rows = markdown.partition("## Uncertain\n\n")[2].partition("\n\n")[0].splitlines()
    assert len(rows) == 2 + 6
    linked = json.loads(listing.to_json())["uncertain"][6]
    assert (linked["name"], linked["high"]) == (f"{TREND}.low_back_pain", 0.0164485363)


def test_a_linked_value_with_a_mass_says_so(folder: Path) -> None:
    mass = "masses = [{value = 0.0, probability = 0.25}]"
    other = f'{{distribution = "uniform", low = 0.0, high = 0.012, {mass}}}'
    text = f'[uncertainty]\n"behavior.medicare_share" = {{median = 0.85, low = 0.8, high = 0.9, with = {{"behavior.cost_response" = {other}}}}}'
    row = "behavior.cost_response 0.004 0 to 0.0112, exactly 0 with probability 0.25 "
    assert row in " ".join(policy(scenario_of(text)).to_table().split())


def test_no_line_of_a_listing_is_longer_than_80_characters() -> None:
    baseline = Path(__file__).parents[2] / "scenarios" / "baseline.toml"
    for listing in (policy(), policy(baseline)):
        assert max(map(len, listing.to_table().splitlines())) <= 80


@pytest.mark.parametrize("name", ["quality_peer_group", "cost_peer_group", "payment_peer_group"])
def test_what_results_are_kept_by_cannot_be_uncertain(name):
    unknown = {f"policy.{name}": {"values": ["cohort", "region"]}}
    with pytest.raises(InputError, match=rf"policy\.{name}.* decides by which peer groups results are kept"):
        scenario_from_dict({"uncertainty": unknown})
