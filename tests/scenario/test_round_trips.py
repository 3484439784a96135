"""Random valid scenarios, written and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asmrisk.parameters.parameter import BASES
from asmrisk.rule.policy import GROUPING
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.scenario.uncertainty import number_schema
from tests.scenario.files import YEARS

_CHARACTERS = st.characters(exclude_categories=["Cs"])


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
    schema = number_schema(PARAMETERS[name]) or {"minimum": 0.0, "maximum": 1.0}
    number = st.floats(schema["minimum"], schema["maximum"])
    ends = st.lists(number, min_size=3, max_size=3, unique=True).map(sorted)
    mass = st.fixed_dictionaries({"value": number, "probability": st.floats(0.01, 0.4)})
    masses = st.lists(mass, max_size=2, unique_by=lambda each: each["value"])
    texts = st.fixed_dictionaries(
        {}, optional={"basis": st.sampled_from(sorted(BASES)), "source": st.text(_CHARACTERS, min_size=1)}
    )
    return st.builds(
        lambda given, masses, texts: given | ({"masses": masses} if masses else {}) | texts,
        ends.map(lambda each: {"distribution": "uniform", "low": each[0], "high": each[2]})
        | ends.map(lambda each: dict(zip(("low", "median", "high"), each, strict=True))),
        masses,
        texts,
    ) | st.builds(lambda given, texts: given | texts, _listed(name), texts)


def _sorted(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _listed(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Values with weights, some linked to a table by year."""
    linked = "behavior.part_b_growth"
    values = st.lists(_parameter(name), min_size=1, max_size=4, unique_by=_sorted)
    return st.builds(lambda values: {"values": values}, values) | values.flatmap(
        lambda values: st.builds(
            lambda weights, others: {"values": values, "weights": weights, "with": {linked: others}},
            st.lists(st.floats(0.1, 9.0), min_size=len(values), max_size=len(values)),
            st.lists(_parameter(linked), min_size=len(values), max_size=len(values)),
        )
    )


#: Parameters whose values must fit others, and files, which must exist.
_TIED = {
    *("policy.quality_weight", "policy.cost_weight", "policy.cost_points_z"),
    *("population.roster", "population.participant_list"),
}
_FREE = [name for name in PARAMETERS if name not in _TIED]
_UNKNOWN = [
    name
    for name in _FREE
    if not name.startswith("run.")
    and name not in ("behavior.part_b_growth", "population.latin_hypercube", "population.dollar_year")
    and name not in GROUPING
]
_NUMBERS = [name for name in _UNKNOWN if PARAMETERS[name].adapter.json_schema().get("type") == "number"]
_OTHERS = [name for name in _UNKNOWN if name not in _NUMBERS]


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
    words = draw(st.lists(st.sampled_from(_OTHERS), unique=True, max_size=2))
    declared = {name: draw(_distribution(name)) for name in uncertain}
    declared |= {name: draw(_listed(name)) for name in words}
    # A name is linked once.
    for name in [name for name, each in declared.items() if "with" in each][1:]:
        del declared[name]["with"]
    ranges = [name for name, each in declared.items() if "values" not in each]
    if declared:
        document["uncertainty"] = declared
    if len(ranges) > 1:
        value = draw(st.floats(-0.99, 0.99))
        document["uncertainty"]["correlations"] = [{"between": ranges[:2], "value": value}]
    text = st.text(_CHARACTERS)
    for key in ("title", "description", "reference"):
        if draw(st.booleans()):
            document[key] = draw(text)
    return document


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=documents().filter(lambda document: any(each != {} for each in document.values())))
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
    assert again.fixed_at_medians() == scenario.fixed_at_medians()
    assert again.identity() == scenario.identity()
    assert scenario_from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario
    assert again.differences(scenario) == {}
