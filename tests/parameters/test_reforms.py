"""What holds for a reform of any parameter, of one that is declared tomorrow too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tomli_w

from asmrisk.population.records import behavior_records, population_records
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.published_tables import fixed_edges
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from tests.parameters.effects import ENGAGED
from tests.parameters.reforms import (
    ELSEWHERE,
    FIELD,
    ONCE,
    another,
    as_it_is,
    baseline,
    merged,
    outcome,
    scenario_with,
)

DECLARED = sorted(set(PARAMETERS) - ELSEWHERE)


def kernels_read(values: Any) -> bytes:
    """All that the kernels are given of a scenario."""
    records = (policy_records(values, fixed_edges()), population_records(values), behavior_records(values))
    return b"".join(each.tobytes() for each in records)


@pytest.mark.parametrize("name", DECLARED)
def test_a_parameter_is_used(name: str) -> None:
    """A parameter that is declared but not used would be a lie."""
    defaults = PARAMETERS.defaults()
    if name.startswith("behavior.engagement_"):
        # Each counts beside the others.
        defaults = defaults.replace(**ENGAGED, **{"policy.engagement_limit": "lifetime"})
    reformed = another(name)
    if name in (
        *("population.cohort_share", "population.back_pain_specialties", "population.practice_weights"),
        "population.specialty_small_practice_offset",
    ):
        # Only proportions or differences count: move one entry alone.
        first = next(iter(reformed[name]))
        reformed = {name: defaults[name] | {first: reformed[name][first]}}
    assert kernels_read(defaults.replace(**reformed)) != kernels_read(defaults)


@pytest.mark.parametrize("name", [name for name in DECLARED if PARAMETERS[name].by_year])
def test_a_reform_is_not_felt_before_its_year(name: str) -> None:
    """But in the dollars of payment years, which are known two years before."""
    table, _ = outcome(merged(scenario_with(FIELD), scenario_with(another(name), ONCE)))
    before = [
        each[each.performance_year < ONCE].drop(columns=["payment_year_part_b", "adjustment_usd"])
        for each in (baseline("{}")[0], table)
    ]
    pd.testing.assert_frame_equal(*before, check_exact=True)


def assert_equal(one: tuple[pd.DataFrame, Any], two: tuple[pd.DataFrame, Any]) -> None:
    pd.testing.assert_frame_equal(one[0], two[0], check_exact=True)
    assert one[1].keys() == two[1].keys()
    for path, array in one[1].items():
        assert array.tobytes() == two[1][path].tobytes(), path


def inline(value: Any) -> str:
    """Write a value on one line, as on the command line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


@pytest.mark.parametrize("name", DECLARED)
def test_a_value_stated_as_it_is_is_no_reform(name: str, tmp_path: Path) -> None:
    """In a file, on the command line, and after a reform that it takes back."""
    base, reformed = scenario_from_dict({}), another(name)
    documents = {
        "stated": as_it_is(name),
        "reform": scenario_with(reformed),
        "undone": {"extends": "reform.toml", **as_it_is(*reformed)},
        "child": {"extends": "undone.toml"},
    }
    for place, document in documents.items():
        (tmp_path / f"{place}.toml").write_text(tomli_w.dumps(document))
    sets = [
        f"{section}.{key}={inline(value)}"
        for section, values in as_it_is(*reformed).items()
        for key, value in values.items()
    ]
    identity = base.identity()
    assert load_scenario(tmp_path / "stated.toml").identity() == identity
    assert load_scenario(tmp_path / "reform.toml").identity() != identity
    for undone in (
        load_scenario(tmp_path / "child.toml"),
        load_scenario(tmp_path / "reform.toml", sets),
        scenario_from_dict({}, sets),
    ):
        assert undone.identity() == identity
        assert undone.differences() == {}
        assert undone.values == base.values


def test_a_reform_of_everything_that_is_taken_back_leaves_no_bit_behind(tmp_path: Path) -> None:
    """Every parameter but the small field's own changed in one file, and restored in the next."""
    names = sorted(set(PARAMETERS) - ELSEWHERE - {*FIELD})
    first = {key: value for name in names for key, value in another(name).items()}
    (tmp_path / "reform.toml").write_text(tomli_w.dumps(scenario_with(first)))
    undone = {"extends": "reform.toml", **as_it_is(*first)}
    for name, value in FIELD.items():
        section, _, key = name.partition(".")
        undone[section][key] = value
    (tmp_path / "undone.toml").write_text(tomli_w.dumps(undone))
    assert_equal(outcome(load_scenario(tmp_path / "undone.toml")), baseline("{}"))
