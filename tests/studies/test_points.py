"""Design points are the scenarios that the same values give when they are stated over the base."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asmrisk.errors import InputError
from asmrisk.population.preparation import prepare
from asmrisk.scenario.scenario import load_scenario
from asmrisk.scenario.toml_source import show
from asmrisk.studies.points import point_scenario, prepared_point
from tests.studies.tiny import scenario

POINTS: dict[str, dict[str, Any]] = {
    "base": {},
    "policy": {"policy.risk_level": 0.02, "policy.redistribution_share": 0.7, "policy.tie_rule": "mid"},
    "years": {"policy.risk_level.2029": 0.2, "policy.risk_level.2030": 0.3},
    "fixed doubts": {"behavior.cost_response": 0.001, "population.cost_reliability.heart_failure": 0.5},
    "a part of a table": {"behavior.exit_probability.neurosurgery": 0.1},
    "a part in one year": {"behavior.exit_probability.2029.cardiology": 0.1},
}


@pytest.fixture(params=[False, True], ids=["fixed", "doubts"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return scenario(tmp_path, doubts=request.param)


@pytest.mark.parametrize("changes", POINTS.values(), ids=POINTS)
def test_a_point_is_the_scenario_of_the_same_overrides(path: Path, changes: dict[str, Any]) -> None:
    base = load_scenario(path)
    stated = load_scenario(path, [f"{name}={show(value)}" for name, value in changes.items()])
    point = prepared_point(prepare(base), changes)
    # What a title tells of overrides a point's label does.
    assert replace(point.scenario, title=stated.title) == stated
    assert point.definition() == prepare(stated).definition()
    assert point.population.tobytes() == prepare(stated).population.tobytes()


def test_what_a_point_states_contradicts_what_the_base_doubts(tmp_path: Path) -> None:
    """Where nothing but the point's own statement is wrong with an unknown of the base, which was checked."""
    path = tmp_path / "base.toml"
    path.write_text(
        '[uncertainty]\n"policy.cost_points_z.2029" = {values = [[-4, -3, -2, -1, 0, 1, 2, 3, 4, 5]]}'
    )
    base = load_scenario(path)
    knots = [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0, 4.0]
    with pytest.raises(InputError, match=r"policy\.cost_points_z must ascend, but in 2027 it is"):
        point_scenario(base, {"policy.cost_points_z.2027": knots})
    with pytest.raises(InputError, match=r"policy\.quality_weight and policy\.cost_weight make 1\.1 in 2027"):
        point_scenario(base, {"policy.quality_weight": 0.6})
    assert list(point_scenario(base, {"policy.risk_level": 0.1}).uncertainty) == list(base.uncertainty)


def test_points_leave_their_base_as_it_is(path: Path) -> None:
    base = load_scenario(path)
    for changes in POINTS.values():
        point_scenario(base, changes)
    base.to_dict()["policy"]["measures"].clear()
    assert base == load_scenario(path)
