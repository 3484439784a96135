"""Design points that share a field hold the same bits as each alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from asmrisk.engine.interruption import Interrupted
from asmrisk.results.store import BlockWriter
from asmrisk.simulation.arrays import Block, Piece
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.variables import variables
from asmrisk.studies import simulation
from asmrisk.studies.points import point_scenario, prepared_point
from asmrisk.studies.simulation import StudySimulation
from asmrisk.studies.study import Study, load_study
from asmrisk.studies.study_metrics import metrics_by_draw
from tests.studies.tiny import run, scenario, written

FACTORS = """[parameters]
"policy.risk_level.2029" = {values = [0.10, 0.05]}
"policy.tie_rule" = {values = ["upper", "mid"]}
"policy.quality_peer_group" = {values = ["cohort", "region"]}
"behavior.cost_response" = {values = [0.0, 0.01]}
"population.cost_reliability.heart_failure" = {values = [0.7, 0.5]}
"""
ONE = f'[run]\ndraws = 4\n[design]\nmethod = "one_at_a_time"\n{FACTORS}'
MORRIS = f'[run]\ndraws = 16\n[design]\nmethod = "morris"\ntrajectories = 2\n{FACTORS}'


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[int, int]]]:
    """Note of every task the design points and first draws of its blocks."""
    tasks = []
    original = StudySimulation.__call__

    def noting(self: Any, pieces: Sequence[Piece], slot: Any) -> Any:
        tasks.append([each.block.start for each in pieces])
        return original(self, pieces, slot)

    monkeypatch.setattr(StudySimulation, "__call__", noting)
    return tasks


def assert_as_alone(place: Path, study: Study) -> None:
    """Every design point's outcomes are those of its scenario, simulated by itself."""
    with xr.open_zarr(place, chunks=None) as held:
        stored = held.outcome_value.values
    assert stored.shape[:2] == (study.points, study.draws)
    base = study.scenario
    for point, changes in enumerate(study.design.changes):
        chosen = point_scenario(base, changes)
        arrays = simulate_block(Model(chosen), 0, study.draws)
        dims = {path: each.dims for path, each in variables(chosen).items()}
        assert metrics_by_draw(arrays, dims, study.outcomes).tobytes() == stored[point].tobytes(), point


@pytest.mark.parametrize("text", [ONE, MORRIS], ids=["one at a time", "morris"])
@pytest.mark.parametrize("doubts", [False, True])
def test_points_together_are_as_each_alone(
    text: str, doubts: bool, tmp_path: Path, computed: list[Any]
) -> None:
    scenario(tmp_path, doubts=doubts)
    path, place = written(tmp_path, text), tmp_path / "study.zarr"
    run(path, place)
    study = load_study(path)
    assert_as_alone(place, study)
    # One field with each reliability.
    reliabilities = {
        each.get("population.cost_reliability.heart_failure", 0.7) for each in study.design.changes
    }
    assert len(computed) <= 1 + len(reliabilities)
    # More draws are computed of all points, the first ones of none.
    computed.clear()
    run(path, place, draws=2 * study.draws)
    assert {draw for task in computed for _, draw in task} == {study.draws}
    assert_as_alone(place, load_study(path, draws=2 * study.draws))


def test_an_interrupted_study_is_completed_and_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, computed: list[Any]
) -> None:
    path, place = written(tmp_path, MORRIS), tmp_path / "study.zarr"
    original, blocks = BlockWriter.write, []

    def write(self: BlockWriter, block: Block, *arguments: Any) -> None:
        original(self, block, *arguments)
        blocks.append(block.index != ())
        if sum(blocks) == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(BlockWriter, "write", write)
        with pytest.raises(Interrupted, match=r"of \d+ design points are finished and kept"):
            run(path, place)
    begun = sum(blocks)
    computed.clear()
    run(path, place)
    assert sum(map(len, computed)) == load_study(path).points - begun
    assert_as_alone(place, load_study(path))
    run(path, place, trajectories=4)
    assert_as_alone(place, load_study(path, trajectories=4))


def test_points_that_may_be_computed_together_are_counted_at_their_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of benchmarks by region are larger than the base's; and few scenarios are made to find out."""
    study = load_study(written(tmp_path, MORRIS))
    points = study.design.changes
    shared = StudySimulation.of(study)
    made: list[Any] = []

    def counted(base: Any, changes: Any) -> Any:
        made.append(changes)
        return prepared_point(base, changes)

    monkeypatch.setattr(simulation, "prepared_point", counted)
    name = "policy.quality_peer_group"
    kinds = {
        peers: [
            Piece(0, Block((k, 0), (k, 0), (1, 16)))
            for k, each in enumerate(points)
            if each.get(name, "cohort") == peers
        ]
        for peers in ("cohort", "region")
    }
    most = {peers: shared.most_together(pieces) for peers, pieces in kinds.items()}
    both = shared.most_together([*kinds["cohort"], *kinds["region"]])
    assert most["region"] <= both < 0.9 * most["cohort"]
    assert len(made) <= 8
    assert shared.most_together(kinds["cohort"][:1]) == 1


def test_a_point_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the first one that it was computed with."""
    path = written(tmp_path, ONE)
    calls: list[int] = []

    def failing(*arguments: Any) -> np.ndarray:
        calls.append(1)
        if len(calls) in (3, 4, 5):
            raise FloatingPointError("overflow")
        return metrics_by_draw(*arguments)

    monkeypatch.setattr(simulation, "metrics_by_draw", failing)
    with pytest.raises(Exception, match=r"^design point 2.* failed 3 times \(FloatingPointError: overflow\)"):
        run(path, tmp_path / "study.zarr")
