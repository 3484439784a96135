"""Scenarios that share a field are run together: each store is as if it were run alone."""

from __future__ import annotations

import errno
import io
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

import asmrisk
from asmrisk.engine.executors import executor
from asmrisk.engine.fill import fill, tasks_of
from asmrisk.engine.interruption import Interrupted
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.population.preparation import prepare
from asmrisk.results.folder import Folder
from asmrisk.results.status import status
from asmrisk.results.store import BlockWriter
from asmrisk.scenario.scenario import load_scenario
from asmrisk.simulation import model
from asmrisk.simulation.arrays import Block, Piece, Simulation
from asmrisk.simulation.scenario_simulation import ScenarioSimulation
from tests.engine.programs import small_spec
from tests.fake_simulation import Fake
from tests.results import small

ROOT = Path(__file__).parents[2]

#: Of which all but the last share a field.
SCENARIOS = {
    "a": "",
    "b": "[policy]\nrisk_level = 0.05\npayment_peer_group = 'region'\n",
    "c": """[run]
draws_per_parameter_set = 3
[policy]
cost_peer_group = "specialty"
[uncertainty]
"policy.exchange_steepness" = {distribution = "uniform", low = 0.05, high = 0.25}
""",
    "d": "[behavior]\nquality_learning = {heart_failure = 0.1, low_back_pain = 0.0}\ncost_growth = 0.01\n",
}
NAMES = tuple(SCENARIOS)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scenarios")
    paths = {name: folder / f"{name}.toml" for name in SCENARIOS}
    for name, text in SCENARIOS.items():
        paths[name].write_text(f"{text}[population]\nclinicians = 150\n")
    return paths


def held(place: Any) -> dict[str, Any]:
    """Give every array of a complete store, as zarr alone reads it."""
    assert status(place, verify=True).complete
    found = {}
    for path, array in zarr.open_group(str(place), mode="r").members(max_depth=None):
        if isinstance(array, zarr.Array):
            values = np.asarray(array[...])
            numeric = values.dtype.kind in "if"
            found[path] = values.dtype, values.tobytes() if numeric else values.tolist()
    assert len(found) > 20
    return found


@pytest.fixture(scope="module")
def alone(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give what a scenario's store of some draws holds that was run alone."""
    folder, known = tmp_path_factory.mktemp("alone"), {}

    def of(name: str, draws: int) -> dict[str, Any]:
        if (name, draws) not in known:
            place = folder / f"{name}_{draws}.zarr"
            asmrisk.run(files[name], draws=draws, block_size=6, workers=1, out=place, quiet=True)
            known[name, draws] = held(place)
        return known[name, draws]

    return of


def run(files: dict[str, Path], folder: Path, names: str = "abcd", **options: Any) -> str:
    """Run some of the scenarios, on one thread if nothing else is chosen; give what was said."""
    stream = io.StringIO()
    options = {"draws": 18, "workers": 1, "block_size": 6} | options
    stores = [folder / f"{name}.zarr" for name in names]
    asmrisk.run(*(files[name] for name in names), out=stores, stream=stream, **options)
    return stream.getvalue()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[int, int]]]:
    """Note of every task the members and first draws of its blocks."""
    tasks = []
    original = ScenarioSimulation.__call__

    def noting(self: Any, pieces: Sequence[Piece], slot: Any) -> Any:
        tasks.append([(each.member, each.block.first) for each in pieces])
        return original(self, pieces, slot)

    monkeypatch.setattr(ScenarioSimulation, "__call__", noting)
    return tasks


@pytest.mark.parametrize(
    "options", [{}, {"workers": 3}, {"workers": 2, "processes": True}, {"block_size": None}], ids=str
)
def test_each_store_is_as_if_it_were_run_alone(
    options: dict[str, Any], files: dict[str, Path], alone: Any, tmp_path: Path
) -> None:
    said = run(files, tmp_path, **options)
    for name in NAMES:
        assert held(tmp_path / f"{name}.zarr") == alone(name, 18)
    assert said.splitlines()[:2] == [
        "a, b and c share a field, which is simulated once for all",
        "d shares no field with a: behavior.quality_learning and 1 more differ",
    ]
    # All blocks are of one length, though parameter sets must be whole in one of them.
    assert len({status(tmp_path / f"{name}.zarr").block_length for name in "abc"}) == 1


def test_what_shares_a_field_is_computed_together(
    files: dict[str, Path], tmp_path: Path, computed: list[Any]
) -> None:
    run(files, tmp_path, "adbc")
    assert computed == [
        *([(0, first), (1, first), (2, first)] for first in (0, 6, 12)),
        *([(0, first)] for first in (0, 6, 12)),
    ]


def test_each_store_is_extended_alone_or_with_others(
    files: dict[str, Path], alone: Any, tmp_path: Path, computed: list[Any]
) -> None:
    run(files, tmp_path, "ab", draws=6)
    run(files, tmp_path, "b", draws=12)
    computed.clear()
    run(files, tmp_path, "abc")
    assert computed == [[(0, 6), (2, 6)], [(0, 12), (1, 12), (2, 12)], [(2, 0)]]
    for name in "abc":
        assert held(tmp_path / f"{name}.zarr") == alone(name, 18)
    run(files, tmp_path, "c", draws=24)
    assert held(tmp_path / "c.zarr") == alone("c", 24)
    # Longer than asked for, as it was.
    run(files, tmp_path, "abc")
    assert held(tmp_path / "c.zarr") == alone("c", 24)
    assert held(tmp_path / "a.zarr") == alone("a", 18)


def test_blocks_of_other_lengths_are_computed_apart_and_that_is_said(
    files: dict[str, Path], alone: Any, tmp_path: Path
) -> None:
    run(files, tmp_path, "b", draws=4, block_size=4)
    said = run(files, tmp_path, "abc", block_size=None)
    length = status(tmp_path / "a.zarr").block_length
    sharing, doing, apart = said.splitlines()
    assert sharing == "a, b and c share a field, which is simulated once for all"
    assert doing.startswith("3 scenarios: 14 to 18 more of 18 draws each of 150 clinicians, ")
    assert apart == f"b has blocks of 4 draws, a of {length}: what they share is simulated for each"
    for name in "abc":
        assert held(tmp_path / f"{name}.zarr") == alone(name, 18)


@pytest.mark.parametrize("number", [2, 4, 5])
def test_an_interrupted_run_is_completed(
    number: int, files: dict[str, Path], alone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, written = BlockWriter.write, []

    def write(self: BlockWriter, block: Block, *arguments: Any) -> None:
        original(self, block, *arguments)
        written.append(block.index != ())
        if sum(written) == number:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(BlockWriter, "write", write)
        with pytest.raises(
            Interrupted, match=r"0 of 3 stores are complete, and \d+ of 54 draws are finished"
        ):
            run(files, tmp_path, "abc")
    done = sum(status(tmp_path / f"{name}.zarr").done for name in "abc")
    assert 6 * number <= done < 54
    run(files, tmp_path, "abc")
    for name in "abc":
        assert held(tmp_path / f"{name}.zarr") == alone(name, 18)


KILLED = """
import os, signal, sys
import asmrisk
from asmrisk.results.store import BlockWriter
original, written = BlockWriter.write, []
def write(self, block, *arguments):
    original(self, block, *arguments)
    written.append(block.index != ())
    if sum(written) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
BlockWriter.write = write
*paths, folder = sys.argv[1:]
asmrisk.run(*paths, draws=18, block_size=6, workers=1, out=folder)
"""


def test_a_killed_run_is_completed_by_what_is_missing(
    files: dict[str, Path], alone: Any, tmp_path: Path, computed: list[Any]
) -> None:
    paths = [files[name] for name in "abc"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *paths, tmp_path], cwd=ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    run(files, tmp_path, "abc")
    # The first task was whole, and two of the second one's three blocks were written.
    assert computed == [[(2, 6)], [(0, 12), (1, 12), (2, 12)]] or computed == [
        [(0, 12), (1, 12), (2, 12)],
        [(2, 6)],
    ]
    for name in "abc":
        assert held(tmp_path / f"{name}.zarr") == alone(name, 18)


def test_a_full_disk_is_said_of_the_store_that_it_is_of(
    files: dict[str, Path], alone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Folder.create_many

    def create_many(self: Folder, files: Any) -> Any:
        second = any(key.startswith("medicare_savings/c.1.") for key in files)
        if self.place.name == "b.zarr" and second:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(self, files)

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "create_many", create_many)
        said = rf"^there is no space left for {tmp_path}/b\.zarr; free some: 0 of 3 stores are complete, and "
        with pytest.raises(RunError, match=said):
            run(files, tmp_path, "abc")
    # Of the second task one store was written.
    assert [status(tmp_path / f"{name}.zarr", verify=True).done for name in "abc"] == [12, 6, 6]
    run(files, tmp_path, "abc")
    for name in "abc":
        assert held(tmp_path / f"{name}.zarr") == alone(name, 18)


def test_what_is_damaged_in_one_store_is_computed_again_alone(
    files: dict[str, Path], alone: Any, tmp_path: Path, computed: list[Any]
) -> None:
    run(files, tmp_path, "abc")
    computed.clear()
    (chunk,) = (tmp_path / "b.zarr" / "final_score_quantile").glob("c.1.*")
    chunk.write_bytes(chunk.read_bytes()[:-1])
    run(files, tmp_path, "abc")
    assert computed == [[(1, 6)]]
    assert held(tmp_path / "b.zarr") == alone("b", 18)


def test_another_run_in_the_place_of_one_store_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    asmrisk.run(files["a"], seed=5, draws=2, out=tmp_path / "b.zarr", quiet=True)
    before = small.snapshot(tmp_path / "b.zarr")
    with pytest.raises(InputError, match=rf"^{tmp_path}/b\.zarr holds another run: "):
        run(files, tmp_path, "abc")
    assert small.snapshot(tmp_path / "b.zarr") == before
    run(files, tmp_path, "ac")


def test_more_policies_than_fit_are_taken_in_groups(
    files: dict[str, Path],
    alone: Any,
    tmp_path: Path,
    computed: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = [ScenarioSimulation(prepare(load_scenario(files[name]))).models[0] for name in "abc"]
    monkeypatch.setattr(model, "_MOST_BYTES", bytes_of_two(models))
    said = run(files, tmp_path, "abc")
    first, _ = said.splitlines()
    assert first == "a, b and c share a field, which is simulated once for all, 2 at a time"
    assert sorted(map(len, computed)) == [1, 1, 1, 2, 2, 2]
    for name in "abc":
        assert held(tmp_path / f"{name}.zarr") == alone(name, 18)


def bytes_of_two(models: Sequence[Any]) -> int:
    """Give what the records of two policies and six draws take, with a little room."""
    record = model._record(models, 12)
    arrays = (*record, *record.environment)
    return int(sum(each.nbytes for each in arrays if isinstance(each, np.ndarray)) / 3 * 1.2)


def test_a_shared_simulation_travels_to_other_processes(files: dict[str, Path]) -> None:
    simulation = ScenarioSimulation(*(prepare(load_scenario(files[name])) for name in "abc"))
    arrived = pickle.loads(pickle.dumps(simulation))
    pieces = [Piece(member, Block((1,), (3,), (3,))) for member in (2, 0, 1)]
    for one, other in zip(
        simulation(pieces, np.zeros(2, int)), arrived(pieces, np.zeros(2, int)), strict=True
    ):
        assert {path: array.tobytes() for path, array in one.items()} == {
            path: array.tobytes() for path, array in other.items()
        }


def test_a_shared_simulation_arrives_with_the_files_that_it_was_started_with(tmp_path: Path) -> None:
    table = tmp_path / "roster.csv"
    lines = (ROOT / "scenarios" / "our_clinicians.csv").read_text().splitlines(keepends=True)
    table.write_text("".join(lines))
    scenarios = [
        asmrisk.load_scenario(ROOT / "scenarios" / "roster.toml", [f"population.roster={str(table)!r}", each])
        for each in ("policy.risk_level=0.05", "policy.risk_level=0.06")
    ]
    sent = pickle.dumps(ScenarioSimulation(*map(prepare, scenarios)))
    table.write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match=r"^the roster .*roster\.csv is not the same file as where the run"):
        pickle.loads(sent)


# What fails


class Together(Fake):
    """A stand-in for two stores whose blocks are computed together; the second one's fail at one draw."""

    def __init__(self, failures: int = 10**6) -> None:
        super().__init__(small_spec())
        self.failures, self.tasks = failures, []

    def shares(self, piece: Piece) -> Hashable:
        return piece.block

    def most_together(self, pieces: Sequence[Piece]) -> int:
        return len(pieces)

    def __call__(self, pieces: Sequence[Piece], slot: Any) -> Any:
        self.tasks.append([(each.member, each.block.first) for each in pieces])
        slot[0] += sum(each.block.count for each in pieces)
        for piece in pieces:
            if (piece.member, piece.block.first) == (1, 10) and self.failures:
                self.failures -= 1
                raise ZeroDivisionError("division by zero")
            yield self.block(piece.block, np.zeros(2, np.int64))


def fill_two(folder: Path, simulation: Simulation, lengths: tuple[int, int] = (20, 20)) -> None:
    jobs = [small.declare(folder / f"{k}.zarr", lengths[k], simulation=simulation) for k in range(2)]
    fill([jobs[0], replace(jobs[1], member=1)], executor(workers=1), Progress(None))


def test_a_failure_is_said_of_the_store_that_it_is_of(tmp_path: Path) -> None:
    simulation = Together()
    said = (
        rf"^draws 10 to 14 of {tmp_path}/1\.zarr failed 3 times .*: 0 of 2 stores .*replay\('{tmp_path}/1\."
    )
    with pytest.raises(RunError, match=said):
        fill_two(tmp_path, simulation)
    # What the first attempt has written is not computed again.
    assert simulation.tasks == [*([(0, k), (1, k)] for k in (0, 5, 10)), [(1, 10)], [(1, 10)]]
    assert [status(tmp_path / f"{k}.zarr").done for k in range(2)] == [15, 10]
    fill_two(tmp_path, Together(failures=0))
    for k in range(2):
        small.assert_holds(tmp_path / f"{k}.zarr", 20)


def test_a_store_is_shown_as_soon_as_it_is_complete(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r": 1 of 2 stores are complete, and 20 of 25 draws"):
        fill_two(tmp_path, Together(), (10, 15))
    small.assert_holds(tmp_path / "0.zarr", 10)
    simulation = Together(failures=1)
    fill_two(tmp_path, simulation, (10, 15))
    assert simulation.tasks == [[(1, 10)], [(1, 10)]]
    small.assert_holds(tmp_path / "1.zarr", 15)


# Tasks


class Sharing(Simulation):
    """Blocks share work by their first draw, so many at a time."""

    def __init__(self, most: int) -> None:
        self.most = most

    def shares(self, piece: Piece) -> Hashable:
        return piece.block.first

    def most_together(self, pieces: Sequence[Piece]) -> int:
        assert len({each.block.first for each in pieces}) == 1
        return self.most


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), unique=True, max_size=80),
    st.integers(1, 12),
    st.integers(1, 64),
)
def test_every_block_is_in_one_task(numbers: list[tuple[int, int]], most: int, workers: int) -> None:
    pieces = [Piece(member, Block((first,), (first,), (5,))) for first, member in numbers]
    tasks = tasks_of(Sharing(most), pieces, workers)
    order = list(dict(numbers))
    assert [*chain(*tasks)] == sorted(pieces, key=lambda each: order.index(each.block.first))
    for task in tasks:
        assert 1 <= len(task) <= most
        assert len({each.block.first for each in task}) == 1
    # Nobody idles, and nothing is parted that need not be.
    least = sum(-(-sum(first == each for first, _ in numbers) // most) for each in range(6))
    assert len(tasks) == max(least, min(workers, len(pieces)))


def test_unequal_groups_are_parted_where_they_are_large() -> None:
    pieces = [
        Piece(member, Block((first,), (first,), (5,))) for first, n in ((0, 1), (5, 9)) for member in range(n)
    ]
    assert [len(task) for task in tasks_of(Sharing(100), pieces, 4)] == [1, 3, 3, 3]
