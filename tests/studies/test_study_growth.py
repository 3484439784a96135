"""A study's store grows in place, along design points and draws, and whatever happens loses nothing.

What can differ between them runs in a folder and in object storage.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pandas as pd
import pytest
import xarray as xr
from zarr.storage import ObjectStore

import asmrisk
from asmrisk.analysis.report import Report
from asmrisk.engine.executors import executor
from asmrisk.engine.fill import fill
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.simulation.arrays import Simulation
from asmrisk.studies.run import study_job
from asmrisk.studies.simulation import StudySimulation
from asmrisk.studies.study import Study, load_study
from tests.engine.programs import until
from tests.object_server import Server
from tests.object_server import server as running_server
from tests.results import small
from tests.studies.tiny import BOTH, ONE, SOBOL, run, written

#: A study that can grow.
MORRIS = SOBOL.replace('"sobol"\nsamples = 4', '"morris"\ntrajectories = 2')

#: Its design points: the base scenario, and for each trajectory one more than there are parameters.
POINTS = {trajectories: 1 + 3 * trajectories for trajectories in (2, 4)}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


class Store:
    """A place for a study's store, and what others see there."""

    def __init__(self, place: Path | str, server: Server | None = None) -> None:
        self.place, self.server = place, server

    def put(self, files: dict[str, bytes]) -> None:
        """Put files there, as they are in another place."""
        if self.server is not None:
            client = self.server.client(str(self.place))
            for key, data in (files | {".asmrisk/conditions": b""}).items():
                obstore.put(client, key, data)
            return
        for key, data in files.items():
            path = Path(self.place, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def files(self) -> dict[str, bytes]:
        """Give every file or object."""
        return small.lasting(self.place) if self.server is None else self.server.objects(str(self.place))

    def shown(self) -> xr.Dataset:
        """Read what zarr and xarray alone see."""
        place: Any = self.place
        if self.server is not None:
            place = ObjectStore(self.server.client(str(place)), read_only=True)
        with xr.open_zarr(place, chunks=None) as dataset:
            return dataset.load()

    def bits(self) -> dict[str, bytes]:
        """Give every array as bytes; labels as they are."""
        return {
            str(name): array.values.tobytes() if array.dtype.kind in "if" else repr(array.values).encode()
            for name, array in self.shown().variables.items()
        }

    def sizes(self) -> tuple[int, int]:
        """Count design points and draws that are shown."""
        sizes = self.shown().sizes
        return sizes["design_point"], sizes["draw"]


#: For what can differ between a folder and object storage; interrupted growth is always tried in both.
PLACES = pytest.mark.parametrize(
    "store", ["a folder", pytest.param("object storage", marks=pytest.mark.long)], indirect=True
)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if getattr(request, "param", "a folder") == "a folder":
        return Store(tmp_path / "study.zarr")
    server = request.getfixturevalue("server")
    return Store(server.url(f"{tmp_path.name}/study.zarr"), server)


class Fresh:
    """Studies of every size, each computed at once, to a place of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[Any, tuple[Report, Store]] = {}

    def __call__(self, text: str, **size: int) -> tuple[Report, Store]:
        """Give the report and the store."""
        key = text, *sorted(size.items())
        if key not in self.known:
            place = self.folder / f"{len(self.known)}.zarr"
            self.known[key] = run(written(self.folder, text), place, **size), Store(place)
        return self.known[key]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    return Fresh(tmp_path_factory.mktemp("fresh"))


@pytest.fixture
def begun(tmp_path: Path, store: Store, fresh: Fresh) -> Path:
    """The study MORRIS, whose store is there."""
    store.put(fresh(MORRIS)[1].files())
    return written(tmp_path, MORRIS)


class Watched(Simulation):
    """A study's simulation that notes what it computes, and fails where it is told to."""

    compiled = True

    def __init__(self, simulation: Any, fails: Callable[[int, int], bool]) -> None:
        self.simulation, self.fails = simulation, fails
        self.computed: list[tuple[int, int]] = []

    def prepare(self, say: Any = None) -> None:
        pass

    def __call__(self, pieces: Any, slot: Any, /) -> Any:
        ((_, block),) = pieces
        point, first = block.start
        if self.fails(point, first):
            raise ValueError("out of order")
        self.computed.append((point, first))
        return self.simulation(pieces, slot)


def watched(
    study: Path | Study,
    place: Path | str,
    fails: Callable[[int, int], bool] = lambda point, draw: False,
    *,
    words: str = "",
    workers: int = 1,
    **size: int,
) -> list[tuple[int, int]]:
    """Do what `asmrisk.sensitivity` does before it analyzes, and fail with these words.

    Give design point and first draw of each block that was computed.
    """
    job = study_job(load_study(study, **size) if isinstance(study, Path) else study, place)
    simulation = Watched(job.simulation, fails)
    with pytest.raises(RunError, match=words) if words else contextlib.nullcontext():
        fill([replace(job, simulation=simulation)], executor(workers=workers), Progress(None, quiet=True))
    return simulation.computed


@contextlib.contextmanager
def nothing_computed() -> Iterator[None]:
    """Let any computation of a design point fail."""

    def failing(self: Any, block: Any, slot: Any) -> None:
        raise AssertionError(f"{block} was computed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StudySimulation, "__call__", failing)
        yield


def assert_same_report(one: Report, two: Report) -> None:
    assert one.to_csv() == two.to_csv()
    pd.testing.assert_frame_equal(one.to_dataframe(), two.to_dataframe())
    xr.testing.assert_identical(one.dataset.drop_attrs(), two.dataset.drop_attrs())
    assert one.facts["remarks"] == two.facts["remarks"]
    texts = [each.to_text().replace(each.facts["results"], "") for each in (one, two)]
    assert texts[0] == texts[1]


def assert_only_added(before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Every file that was there is the same, but for metadata."""
    for key, data in before.items():
        if not key.endswith("zarr.json"):
            assert after[key] == data, key
    assert len(after) > len(before)


# --- Failed and resumed ------------------------------------------------------------------------------------


@PLACES
def test_a_study_that_failed_goes_on_where_it_was(tmp_path: Path, store: Store, fresh: Fresh) -> None:
    path = written(tmp_path, ONE)
    whole, other = fresh(ONE)
    words = (
        r"design point 3, draws 0 to 3 failed 3 times \(ValueError: out of order\): 3 of 7 design points are "
        r"finished and kept in .*study\.zarr; run it again in the same way"
    )
    begun = watched(path, store.place, lambda point, draw: point == 3, words=words)
    with pytest.raises(InputError, match="not finished"):
        asmrisk.open_results(store.place)
    with pytest.raises(FileNotFoundError):
        store.shown()
    state = asmrisk.status(store.place)
    assert (state.leading, state.draws, state.done, state.committed) == ("design_point", 7, 3, 0)
    assert state.missing == ((3, 6),)
    assert "design points 3 of 7 finished, 0 shown to readers" in str(state)
    assert "missing    design points 3 to 6" in str(state)
    assert "Run it again in the same way" in str(state)
    rest = watched(path, store.place)
    assert [point for point, _ in begun] == [0, 1, 2]
    assert [point for point, _ in rest] == [3, 4, 5, 6]
    assert store.bits() == other.bits()
    with nothing_computed():
        assert_same_report(run(path, store.place), whole)
    state = asmrisk.status(store.place, verify=True)
    assert state.complete
    assert (state.draws, state.done, state.committed) == (7, 7, 7)


def test_a_studys_store_is_not_taken_for_a_run(tmp_path: Path, fresh: Fresh) -> None:
    place = fresh(ONE)[1].place
    reports = (asmrisk.summarize, asmrisk.convergence, asmrisk.exceedance)
    for report in (*reports, lambda place: asmrisk.compare(place, place)):
        with pytest.raises(InputError, match=r"\.zarr holds a study by design point"):
            report(place)
    with pytest.raises(InputError, match="holds a study by design point"):
        asmrisk.replay(place, draw=1, out=tmp_path / "draw.csv")


def test_a_damaged_design_point_is_computed_again(tmp_path: Path, fresh: Fresh) -> None:
    path, store = written(tmp_path, ONE), Store(tmp_path / "study.zarr")
    store.put(before := fresh(ONE)[1].files())
    chunk = tmp_path / "study.zarr" / "outcome_value" / "c.2.0.0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    state = asmrisk.status(store.place, verify=True)
    assert state.damaged == ((2, 2),)
    assert "damaged    design points 2" in str(state)
    assert watched(path, store.place) == [(2, 0)]
    assert store.files() == before


def test_another_study_is_refused(tmp_path: Path, store: Store, begun: Path) -> None:
    before = store.files()
    for text, outcomes, words in (
        (MORRIS.replace("0.05", "0.06"), BOTH, "study.factors"),
        (MORRIS.replace("trajectories = 2", "seed = 2\ntrajectories = 2"), BOTH, "study.design"),
        (MORRIS.replace("draws = 8", "draws = 8\nseed = 3"), BOTH, "another seed"),
        (MORRIS.replace("draws = 8", "draws = 9").replace("0.05", "0.06"), BOTH, "study.factors"),
        (MORRIS, BOTH.replace("penalized_share", "scored"), "study.outcomes"),
    ):
        with pytest.raises(InputError, match=words):
            run(written(tmp_path, text, outcomes), store.place)
    with pytest.raises(InputError, match=r"results by design point, not by draw"):
        asmrisk.run(tmp_path / "tiny.toml", draws=2, out=store.place, quiet=True)
    assert store.files() == before


# --- Grown -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
def test_more_trajectories_keep_those_that_are_there(
    store: Store, begun: Path, fresh: Fresh, workers: int
) -> None:
    assert store.sizes() == (POINTS[2], 8)
    before = store.files()
    new = watched(begun, store.place, workers=workers, trajectories=4)
    assert sorted(new) == [(point, 0) for point in range(POINTS[2], POINTS[4])]
    assert_only_added(before, store.files())
    whole, other = fresh(MORRIS, trajectories=4)
    assert store.bits() == other.bits()
    with nothing_computed():
        assert_same_report(run(begun, store.place, trajectories=4), whole)


def test_more_draws_keep_those_that_are_there(store: Store, begun: Path, fresh: Fresh) -> None:
    before = store.files()
    assert watched(begun, store.place, draws=20) == [
        (point, draw) for point in range(POINTS[2]) for draw in (8, 16)
    ]
    assert store.sizes() == (POINTS[2], 20)
    assert_only_added(before, store.files())
    whole, other = fresh(MORRIS, draws=20)
    assert store.bits() == other.bits()
    with nothing_computed():
        assert_same_report(run(begun, store.place, draws=20), whole)
    assert asmrisk.status(store.place, verify=True).complete


@PLACES
def test_more_draws_and_more_trajectories_at_once(store: Store, begun: Path, fresh: Fresh) -> None:
    before = store.files()
    old = [(point, 8) for point in range(POINTS[2])]
    new = [(point, draw) for point in range(POINTS[2], POINTS[4]) for draw in (0, 8)]
    assert sorted(watched(begun, store.place, workers=2, draws=12, trajectories=4)) == old + new
    assert_only_added(before, store.files())
    whole, other = fresh(MORRIS, draws=12, trajectories=4)
    assert store.bits() == other.bits()
    with nothing_computed():
        assert_same_report(run(begun, store.place, draws=12, trajectories=4), whole)


def test_less_than_the_store_holds_is_analyzed_without_computing(
    tmp_path: Path, store: Store, fresh: Fresh
) -> None:
    path = written(tmp_path, MORRIS)
    store.put(fresh(MORRIS, draws=12, trajectories=4)[1].files())
    before = store.files()
    for size in ({}, {"draws": 12}, {"trajectories": 4}, {"draws": 9, "trajectories": 4}):
        whole, _ = fresh(MORRIS, **size)
        with nothing_computed():
            found = run(path, store.place, **size)
        assert_same_report(found, whole)
        assert found.facts["design_points"] == POINTS[size.get("trajectories", 2)]
        assert found.facts["draws"] == size.get("draws", 8)
    assert store.files() == before


@pytest.mark.parametrize(
    ("held", "asked"), [({"trajectories": 4}, {"draws": 12}), ({"draws": 12}, {"trajectories": 4})], ids=str
)
def test_more_of_the_one_and_less_of_the_other_than_the_store_holds(
    tmp_path: Path, store: Store, fresh: Fresh, held: dict[str, int], asked: dict[str, int]
) -> None:
    """A store is a rectangle: what makes it larger in one way is computed for all that it is in the other."""
    path = written(tmp_path, MORRIS)
    store.put(before := fresh(MORRIS, **held)[1].files())
    found = run(path, store.place, **asked)
    assert store.sizes() == (POINTS[4], 12)
    assert_only_added(before, store.files())
    whole, other = fresh(MORRIS, draws=12, trajectories=4)
    assert store.bits() == other.bits()
    assert_same_report(found, fresh(MORRIS, **asked)[0])
    with nothing_computed():
        assert_same_report(run(path, store.place, draws=12, trajectories=4), whole)


def test_a_design_that_grows_by_samples(tmp_path: Path, store: Store, fresh: Fresh) -> None:
    path = written(tmp_path, SOBOL)
    small_one, other = fresh(SOBOL)
    store.put(before := other.files())
    found = run(path, store.place, samples=8, draws=10)
    assert_only_added(before, store.files())
    whole, other = fresh(SOBOL, samples=8, draws=10)
    assert store.bits() == other.bits()
    assert_same_report(found, whole)
    with nothing_computed():
        assert_same_report(run(path, store.place), small_one)
    found = run(path, store.place, draws=17)
    assert_same_report(found, fresh(SOBOL, draws=17)[0])


@pytest.mark.parametrize(
    ("store", "size"),
    [
        ("a folder", {"draws": 12}),
        ("a folder", {"trajectories": 4}),
        ("a folder", {"draws": 12, "trajectories": 4}),
        ("object storage", {"draws": 12}),
    ],
    ids=str,
    indirect=["store"],
)
def test_growth_that_is_interrupted_loses_nothing_and_shows_the_old_study(
    store: Store, begun: Path, fresh: Fresh, size: dict[str, int]
) -> None:
    before, bits = store.files(), store.bits()
    points = POINTS[size.get("trajectories", 2)]
    last = points - 1, 8 if "draws" in size else 0
    # Of all design points the last one lacks draws.
    words = rf"^design point {last[0]}, draws {last[1]} to .*: {points - 1} of {points} design points are"
    watched(begun, store.place, lambda *block: block == last, words=words, **size)
    assert store.bits() == bits
    assert_only_added(before, store.files())
    state = asmrisk.status(store.place)
    assert not state.complete
    assert (state.committed, state.draws, state.done) == (POINTS[2], points, points - 1)
    with nothing_computed():
        assert_same_report(run(begun, store.place), fresh(MORRIS)[0])
    assert watched(begun, store.place, **size) == [last]
    whole, other = fresh(MORRIS, **size)
    assert store.bits() == other.bits()
    assert_only_added(before, store.files())
    with nothing_computed():
        assert_same_report(run(begun, store.place, **size), whole)


def test_more_draws_of_an_unfinished_study_simply_continue(
    tmp_path: Path, store: Store, fresh: Fresh
) -> None:
    path = written(tmp_path, MORRIS)
    before = watched(path, store.place, lambda point, draw: point == 5, words="design point 5")
    rest = watched(path, store.place, draws=12)
    every = [(point, draw) for point in range(POINTS[2]) for draw in (0, 8)]
    assert sorted(before + rest) == every
    whole, other = fresh(MORRIS, draws=12)
    assert store.bits() == other.bits()
    with nothing_computed():
        assert_same_report(run(path, store.place, draws=12), whole)


def test_a_study_that_two_runs_make_larger_in_two_ways_is_completed_by_the_same_commands(
    store: Store, begun: Path, fresh: Fresh
) -> None:
    """Each run computes what it was asked for; what only both together ask for comes with the next."""

    def overtaken(point: int, draw: int) -> bool:
        if point == 0:
            watched(begun, store.place, trajectories=4)
        return False

    watched(begun, store.place, overtaken, words="run it again in the same way", draws=12)
    assert store.sizes() == (POINTS[4], 8)
    rest = watched(begun, store.place, draws=12)
    assert rest == [(point, 8) for point in range(POINTS[2], POINTS[4])]
    assert store.bits() == fresh(MORRIS, draws=12, trajectories=4)[1].bits()


def test_what_a_store_tells_of_its_study_is_true_when_it_has_grown(
    store: Store, begun: Path, fresh: Fresh
) -> None:
    watched(begun, store.place, draws=12, trajectories=4)
    for told in (store, fresh(MORRIS)[1]):
        record = json.loads(told.shown().attrs["provenance"])
        assert record["study"]["design"] == {"method": "morris", "grid_levels": 4, "seed": 1}
        assert "draws" not in record["study"]
        runs = [record, *record.get("continued", [])]
        assert tuple(runs[-1]["lengths"]) == told.sizes()


# --- Killed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [1, pytest.param(6, marks=pytest.mark.long)])
def test_killed_at_any_moment_a_study_goes_on(
    tmp_path: Path, fresh: Fresh, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dask sets them where it starts processes; with one thread BLAS adds up in another order than here.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    path, store = written(tmp_path, MORRIS), Store(tmp_path / "study.zarr")
    store.put(before := fresh(MORRIS)[1].files())
    size = {"trajectories": 4, "draws": 12} if kills == 1 else {"trajectories": 32, "draws": 24}
    program = [sys.executable, "-m", "asmrisk", "sensitivity", str(path)]
    program += [word for name, count in size.items() for word in (f"--{name}", str(count))]
    program += ["--workers", "2", "--out", str(store.place), "--format", "csv"]
    entries = tmp_path / "study.zarr" / ".asmrisk" / "blocks"

    def is_there(process: subprocess.Popen[bytes], blocks: int) -> bool:
        return process.poll() is not None or len(list(entries.glob("[0-9]*.json"))) >= blocks

    # Killed once so many blocks are finished, and at any moment of the next.
    moments = np.random.default_rng(7).integers(POINTS[2] + 3, POINTS[2] + 4 * size["trajectories"], kills)
    for finished in sorted(moments.tolist()):
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(partial(is_there, process, finished), f"{finished} blocks")
        finally:
            process.kill()
            process.wait()
        assert store.sizes() in ((POINTS[2], 8), (1 + 4 * size["trajectories"], size["draws"]))
    last = subprocess.run(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    whole, other = fresh(MORRIS, **size)
    assert last.stdout.decode() == whole.to_csv()
    assert store.bits() == other.bits()
    assert_only_added(before, store.files())
    assert asmrisk.status(store.place, verify=True).complete
