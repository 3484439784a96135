"""Stores that grow along two dimensions, as a study's along its design points and its draws."""

import multiprocessing
import pickle
import shutil

import numpy as np
import pytest
import xarray as xr

import asmrisk
from asmrisk.engine.executors import executor
from asmrisk.engine.fill import Job, fill
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.results.spec import StoreSpec
from asmrisk.results.store import Store
from asmrisk.simulation.arrays import array_specs
from asmrisk.simulation.variables import Variable
from tests.fake_simulation import OneByOne
from tests.results import small

pytestmark = pytest.mark.usefixtures("hasty_disk")

VARIABLES = {
    "outcome_value": Variable(
        "outcome_value", ("design_point", "draw", "outcome"), "float64", "USD", "Outcome"
    ),
    "chosen": Variable("chosen", ("design_point", "factor"), "int32", "1", "Choice"),
}
LABELS = {
    "outcome": np.array(["savings", "losses"], dtype=object),
    "factor": np.array(["risk", "cap", "floor"], dtype=object),
}


class Points(OneByOne):
    """Numbers that tell design point, draw and outcome."""

    def __init__(self, fails_at=None):
        self.calls = []
        self.fails_at = fails_at

    def block(self, block, slot):
        if block.index == self.fails_at:
            raise ValueError("no such thing")
        self.calls.append(block.index)
        spans = zip(block.start, block.shape, strict=True)
        point, draw = (np.arange(start, start + length) for start, length in spans)
        return {
            "outcome_value": point[:, None, None] * 1000.0 + draw[:, None] * 10.0 + np.arange(2.0),
            "chosen": (point[:, None] + np.arange(3)).astype(np.int32),
        }


def declare(place, points, draws, simulation=None):
    arrays, labels = array_specs(VARIABLES, LABELS, {}, ("design_point", "draw"))
    definition = {
        "scenario": {"policy": {}},
        "study": {"method": "sobol"},
        "seed": 7,
        "code": "0123456789abcdef",
        "block": {"design_point": 1, "draw": 4},
    }
    about = {"scenario": {"title": "Study", "description": "", "reference": ""}, "parameters": {}}
    return Job(place, StoreSpec(definition, about, arrays), labels, (points, draws), simulation or Points())


def write(place, points, draws, *, simulation=None, workers=1):
    fill([declare(place, points, draws, simulation)], executor(workers=workers), Progress(None))
    return place


def assert_holds(place, points, draws):
    for dataset in (xr.open_zarr(place, chunks=None), asmrisk.open_results(place)):
        point, draw = np.arange(points)[:, None, None], np.arange(draws)[:, None]
        assert dataset.outcome_value.dims == ("design_point", "draw", "outcome")
        np.testing.assert_array_equal(
            dataset.outcome_value.values, point * 1000.0 + draw * 10.0 + np.arange(2.0), strict=True
        )
        np.testing.assert_array_equal(dataset.chosen.values, point[:, :, 0] + np.arange(3, dtype=np.int32))
        assert list(dataset.design_point.values) == list(range(points))
        assert list(dataset.draw.values) == list(range(draws))


def test_it_is_kept_by_block_and_completed(tmp_path):
    place = tmp_path / "study.zarr"
    with pytest.raises(RunError, match=r"design point 1, draws 4 to 7 failed 3 times"):
        write(place, 3, 6, simulation=Points(fails_at=(1, 1)))
    state = asmrisk.status(place)
    # A design point is finished with all of its draws.
    assert (state.leading, state.done, state.missing) == ("design_point", 1, ((1, 2),))
    assert "design points 1 to 2" in str(state)
    assert "Run it again in the same way" in str(state)
    with pytest.raises(FileNotFoundError):
        xr.open_zarr(place)
    partial = asmrisk.open_results(place, partial=True)
    assert list(partial.design_point.values) == [0]
    assert partial.attrs["partial"] == "1 of 3 design points are finished"
    simulation = Points()
    write(place, 3, 6, simulation=simulation)
    assert sorted(simulation.calls) == [(1, 1), (2, 0), (2, 1)]
    assert_holds(place, 3, 6)
    assert asmrisk.status(place, verify=True).complete


@pytest.mark.parametrize(
    ("points", "draws", "computed"),
    [
        # Draws that fill up the last block are there; more draws are further blocks of each point.
        (3, 8, []),
        (5, 6, [(3, 0), (3, 1), (4, 0), (4, 1)]),
        (3, 10, [(0, 2), (1, 2), (2, 2)]),
        (4, 9, [(0, 2), (1, 2), (2, 2), (3, 0), (3, 1), (3, 2)]),
        (2, 3, []),
    ],
)
def test_it_grows_along_either_by_further_blocks(points, draws, computed, tmp_path):
    place = write(tmp_path / "study.zarr", 3, 6)
    chunks = {key: data for key, data in small.lasting(place).items() if "/c." in key}
    simulation = Points()
    write(place, points, draws, simulation=simulation)
    assert sorted(simulation.calls) == computed
    assert_holds(place, max(points, 3), max(draws, 6))
    after = small.lasting(place)
    assert all(after[key] == data for key, data in chunks.items())
    assert asmrisk.status(place, verify=True).complete


def test_it_is_never_made_shorter_along_one_by_growing_along_the_other(tmp_path):
    place = write(tmp_path / "study.zarr", 3, 6)
    write(place, 5, 2)
    assert_holds(place, 5, 6)
    write(place, 1, 9)
    assert_holds(place, 5, 9)


def test_two_runs_that_grow_along_one_each_end_with_both_or_say_what_to_do(tmp_path):
    place = write(tmp_path / "study.zarr", 2, 4)

    class Overtaken(Points):
        def block(self, block, slot):
            if not self.calls:
                write(place, 2, 8)
            return super().block(block, slot)

    try:
        write(place, 4, 4, simulation=Overtaken())
    except RunError as error:
        assert "run it again in the same way" in str(error)  # noqa: PT017 (it may also compute them)
        assert_holds(place, 2, 8)
        write(place, 4, 4)
    assert_holds(place, 4, 8)
    assert asmrisk.status(place, verify=True).complete


def test_other_numbers_are_refused(tmp_path):
    place = write(tmp_path / "study.zarr", 2, 4)
    job = declare(place, 2, 4)
    definition = job.spec.definition | {"study": {"method": "morris"}}
    spec = StoreSpec(definition, job.spec.about, job.spec.arrays)
    other = Job(place, spec, job.labels, job.lengths, job.simulation)
    before = small.snapshot(place)
    with pytest.raises(InputError, match=r"another scenario \(study.method: .sobol. there, .morris. now\)"):
        fill([other], executor(workers=1), Progress(None))
    with pytest.raises(InputError, match="results by design point, not by draw"):
        small.write(place, 3)
    assert small.snapshot(place) == before
    with pytest.raises(InputError, match="results by draw, not by design point"):
        write(small.write(tmp_path / "r.zarr", 3), 2, 4)


@pytest.mark.parametrize(
    "key",
    [
        *("outcome_value/c.1.1.0", "chosen/c.1.0", "draw/c.1", "design_point/c.2"),
        ".asmrisk/blocks/000001.000000.json",
    ],
)
def test_damage_is_noticed_and_restored(key, tmp_path):
    place = write(tmp_path / "study.zarr", 3, 6)
    whole = small.lasting(place)
    (place / key).write_bytes(whole[key][:-1] + bytes([whole[key][-1] ^ 1]))
    state = asmrisk.status(place, verify=True)
    assert not state.complete
    assert key in state.faults[0]
    write(place, 3, 6)
    assert small.lasting(place) == whole


def write_elsewhere(data, block):
    pickle.loads(data).write(block, Points().block(block, None))


def test_blocks_can_be_written_by_other_processes(tmp_path):
    job = declare(tmp_path / "study.zarr", 2, 6)
    store = Store.open(job.place, job.spec, job.labels, job.lengths)
    data = pickle.dumps(store.writer)
    assert len(data) < 20_000
    blocks = store.unfinished_blocks()
    assert len(blocks) == 4
    processes = [
        multiprocessing.get_context("spawn").Process(target=write_elsewhere, args=(data, block))
        for block in blocks[:2]
    ]
    for process in processes:
        process.start()
    for block in blocks[2:]:
        write_elsewhere(data, block)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert store.unfinished_blocks() == []
    store.commit()
    assert_holds(job.place, 2, 6)


def test_a_lost_specification_is_restored(tmp_path):
    place = write(tmp_path / "study.zarr", 2, 6)
    whole = small.lasting(place)
    (place / ".asmrisk/store.json").unlink()
    write(place, 2, 6)
    assert small.lasting(place) == whole
    shutil.rmtree(place / ".asmrisk/blocks")
    write(place, 2, 6)
    assert small.lasting(place) == whole
