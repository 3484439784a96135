"""Reforms of a small field, and what comes out of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from asmrisk.parameters.parameter import Parameter, Values
from asmrisk.rule.policy import WEIGHTS
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.replay import replay_draws

YEARS = (2027, 2028, 2029, 2030, 2031)
RISK = (0.09, 0.09, 0.10, 0.11, 0.12)
#: Year of the reforms that last a year.
ONCE = 2029
HEART, BACK = "heart_failure", "low_back_pain"
BOTH = (HEART, BACK)
#: What has tests of its own: draws, their parameter sets and seed in test_promises.py, the roster in
#: test_roster.py, strata in test_latin_hypercube.py. Of the vintage there is one.
ELSEWHERE = {
    *("run.draws", "run.draws_per_parameter_set", "run.seed"),
    *("population.roster", "population.participant_list", "population.latin_hypercube"),
    "policy.vintage",
}

#: A draw of 300 clinicians, three of whom have a final score of zero; no volume follows from the adjustment,
#: so that payments depend on no one else's.
FIELD = {"population.clinicians": 300.0, "behavior.volume_offset_cut": 0.0}
DRAW = 3
KEYS = ["clinician_id", "performance_year"]


def laid_over(base: Any, value: Any) -> Any:
    """A table may be given in part; the rest is the base's."""
    return {**base, **value} if isinstance(value, Mapping) else value


def scenario_with(changes: Mapping[str, Any], year: int | None = None) -> Any:
    """Give the final rule with some values changed, in all years or in one."""
    base: Values = PARAMETERS.defaults()
    document: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        section, _, key = name.partition(".")
        if PARAMETERS[name].by_year:
            stated = {
                str(each): laid_over(held, value) if year in (None, each) else held
                for each, held in base[name].items()
            }
        else:
            stated = laid_over(base[name], value)
        document.setdefault(section, {})[key] = stated
    return document


def merged(*documents: Mapping[str, Mapping[str, Any]]) -> Any:
    sections = dict.fromkeys(section for each in documents for section in each)
    whole = {
        section: {key: value for each in documents for key, value in each.get(section, {}).items()}
        for section in sections
    }
    return scenario_from_dict(whole)


def outcome(scenario: Any) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Give a draw's clinician table and results."""
    model = Model(scenario)
    return next(replay_draws(model, [DRAW])), simulate_block(model, DRAW, 1)


@cache
def baseline(among: str) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Give the outcome of the final rule with what is changed on both sides (as JSON)."""
    return outcome(merged(scenario_with(FIELD), scenario_with(json.loads(among))))


def as_it_is(*names: str) -> dict[str, dict[str, Any]]:
    """State what the final rule has, year by year."""
    document: dict[str, dict[str, Any]] = {}
    for name in names:
        section, _, key = name.partition(".")
        held = PARAMETERS.defaults()[name]
        by_year = PARAMETERS[name].by_year
        document.setdefault(section, {})[key] = (
            {str(year): value for year, value in held.items()} if by_year else held
        )
    return document


def moved(value: Any, parameter: Parameter) -> Any:
    """Give another value of the same kind that the parameter may have."""
    if isinstance(value, dict):
        return {key: moved(entry, parameter) for key, entry in value.items()}
    if isinstance(value, list):
        shorter = isinstance(value[0], str)
        return value[:-1] if shorter else [each and moved(each, parameter) for each in value]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.97 if value else 0.01
    schema = parameter.adapter.json_schema()
    if "enum" in schema:
        return next(word for word in schema["enum"] if word != value)
    number = next(each for each in schema["anyOf"] if "maximum" in each)
    return (number["minimum"] + number["maximum"]) / 2


def another(name: str) -> dict[str, Any]:
    """Give a reform of a parameter, with the other one that it must go with."""
    parameter = PARAMETERS[name]
    value = PARAMETERS.defaults().at(name, YEARS[0])
    if name in WEIGHTS:
        (other,) = set(WEIGHTS) - {name}
        return {name: moved(value, parameter), other: 1.0 - moved(value, parameter)}
    return {name: moved(value, parameter)}
