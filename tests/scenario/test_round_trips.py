"""Random valid scenarios, written and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.scenario.uncertainty import bounds
from tests.scenario.files import YEARS


def _value(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a declared type allows, from its JSON schema."""
    if "$ref" in schema:
        return _value(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return st.one_of([_value(option, definitions) for option in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "number":
        return st.floats(schema["minimum"], schema["maximum"])
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    if schema["type"] == "array":
        words = "enum" in schema["items"]
        size = {"min_size": schema.get("minItems", 0), "max_size": schema.get("maxItems", 5)}
        return st.lists(_value(schema["items"], definitions), unique=words, **size)
    return st.fixed_dictionaries(
        {key: _value(each, definitions) for key, each in schema["properties"].items()}
    )


def _parameter(name: str) -> st.SearchStrategy[Any]:
    parameter = PARAMETERS[name]
    schema = parameter.adapter.json_schema()
    value = _value(schema, schema.get("$defs", {}))
    if not parameter.by_year:
        return value
    later = st.dictionaries(st.sampled_from([str(year) for year in YEARS[1:]]), value, max_size=3)
    return value | st.builds(lambda first, rest: {"2027": first, **rest}, value, later)


def _distribution(name: str) -> st.SearchStrategy[dict[str, Any]]:
    low, high = bounds(PARAMETERS[name]) or (0.0, 1.0)
    number = st.floats(low, high)
    return st.builds(
        lambda values: {"distribution": "choice", "values": values}, st.lists(number, min_size=1)
    ) | (
        st.lists(number, min_size=2, max_size=2, unique=True).map(
            lambda pair: {"distribution": "uniform", "low": min(pair), "high": max(pair)}
        )
    )


#: Parameters whose values must fit others, and the roster, which must exist.
_TIED = {"policy.quality_weight", "policy.cost_weight", "policy.cost_points_z", "population.roster"}
_FREE = [name for name in PARAMETERS if name not in _TIED]
_NUMBERS = [
    name
    for name in _FREE
    if PARAMETERS[name].adapter.json_schema().get("type") == "number" and not name.startswith("run.")
]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Valid scenarios as plain data."""
    document: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(_FREE), unique=True, max_size=8)):
        section, _, key = name.partition(".")
        document.setdefault(section, {})[key] = draw(_parameter(name))
    if draw(st.booleans()):
        quality = draw(st.floats(0, 1))
        document.setdefault("policy", {}).update(quality_weight=quality, cost_weight=1.0 - quality)
    uncertain = draw(st.lists(st.sampled_from(_NUMBERS), unique=True, max_size=3))
    if uncertain:
        document["uncertainty"] = {name: draw(_distribution(name)) for name in uncertain}
    text = st.text(st.characters(exclude_categories=["Cs"]))
    for key in ("title", "description", "reference"):
        if draw(st.booleans()):
            document[key] = draw(text)
    return document


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=documents())
def test_a_scenario_survives_being_written(document: dict[str, Any], tmp_path: Path) -> None:
    # Values that no population has are drawn too: none is solved.
    path = tmp_path / "x.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8", newline="")
    scenario = load_scenario(path)
    for name in ("title", "description", "reference"):
        if name in document:
            assert getattr(scenario, name) == document[name].replace("\r\n", "\n")
    written = tmp_path / "y.toml"
    written.write_text(scenario.to_toml(), encoding="utf-8", newline="")
    again = load_scenario(written)
    assert again == scenario
    assert again.identity() == scenario.identity()
    assert scenario_from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario
    assert again.differences(scenario) == {}
