"""The policy of the final rule, its records, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from asmrisk.parameters.parameter import Values
from asmrisk.rule.declarations import POLICY
from asmrisk.rule.definitions import PERFORMANCE_YEARS, measures_of
from asmrisk.rule.policy import POLICY_DTYPE, RULED, inconsistencies, policy_records
from tests.rule.fields import policy


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


def test_rules_between_parameters_read_nothing_else() -> None:
    defaults = POLICY.defaults()
    assert inconsistencies(Values({name: defaults[name] for name in RULED}, POLICY)) == []


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
