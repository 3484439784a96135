"""Reading a store: what `open_results` gives, of finished runs and of others, at any moment."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import asmrisk
from asmrisk import open_results
from asmrisk.errors import InputError, RunError
from asmrisk.results.store import Store
from tests import fake_run
from tests.fake_simulation import Fake
from tests.results import small
from tests.results.moments import Watched

pytestmark = pytest.mark.usefixtures("hasty_disk")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A store of 22 draws in blocks of 5."""
    return small.write(tmp_path_factory.mktemp("finished") / "r.zarr", 22)


@pytest.fixture
def store(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy.zarr")


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("group", [None, "inner"])
def test_open_results_gives_what_xarray_reads(chunked, group, finished):
    ours = open_results(finished, group=group, chunked=chunked)
    plain = xr.open_zarr(finished, group=group, chunks=None)
    # The root's title and provenance tell where a group's numbers come from too.
    assert ours.attrs == xr.open_zarr(finished).attrs
    assert set(ours.coords) == set(plain.coords)
    assert {name: array.attrs for name, array in ours.variables.items()} == {
        name: array.attrs for name, array in plain.variables.items()
    }
    if chunked:
        assert all(array.chunks[0] == (5, 5, 5, 5, 2) for array in ours.data_vars.values())
    else:
        assert all(array.chunks is None for array in ours.data_vars.values())
    assert small.bits(ours.load()) == small.bits(plain.load())


INDEXES = [
    0,
    -1,
    21,
    slice(None),
    slice(3, 4),
    slice(4, 16),
    slice(20, 3, -3),
    slice(None, None, 7),
    slice(9, 9),
    slice(30, 40),
    [3],
    [20, 0, 11, 11],
    [],
]


@pytest.mark.parametrize("lead", INDEXES, ids=str)
@pytest.mark.parametrize("rest", [{}, {"year": 1}, {"kind": [2, 0], "year": slice(1)}], ids=str)
def test_any_part_of_a_variable_can_be_read(lead, rest, finished, store):
    whole = small.expected(22)["amount"]
    array = open_results(finished, chunked=False).amount
    wanted = xr.DataArray(whole, dims=array.dims).isel(draw=lead, **rest)
    assert array.isel(draw=lead, **rest).values.tobytes() == wanted.values.tobytes()
    (store / ".asmrisk/blocks/000001.json").unlink()
    there = [*range(5), *range(10, 22)]
    if not isinstance(lead, (int, list)):
        partial = open_results(store, partial=True, chunked=False).amount
        wanted = xr.DataArray(whole[there], dims=array.dims).isel(draw=lead, **rest)
        assert partial.isel(draw=lead, **rest).values.tobytes() == wanted.values.tobytes()


def test_only_the_blocks_asked_for_are_read(store):
    for path in (store / "amount").glob("c.[0134].0.0"):
        path.write_bytes(bytes(path.stat().st_size))
    results = open_results(store, chunked=False)
    values = results.amount.isel(draw=slice(10, 15)).values
    assert values.tobytes() == small.expected(22)["amount"][10:15].tobytes()
    with pytest.raises(RunError, match=r"amount/c\.[0134]\.0\.0 is damaged"):
        results.amount.values  # noqa: B018
    # Zarr itself sees it too: chunks carry checksums.
    with pytest.raises(ValueError, match="checksum"):
        xr.open_zarr(store, chunks=None).amount.values  # noqa: B018


def test_a_chunk_that_vanishes_after_opening_is_an_error_not_nan(store):
    results = open_results(store)
    (store / "amount/c.3.0.0").unlink()
    with pytest.raises(RunError, match=r"amount/c\.3\.0\.0 is missing"):
        results.amount.mean().compute()


def test_a_label_that_is_damaged_is_an_error(store):
    data = bytearray((store / "kind/c.0").read_bytes())
    data[len(data) // 2] ^= 1
    (store / "kind/c.0").write_bytes(data)
    with pytest.raises((InputError, RunError), match=r"kind/c\.0 is damaged"):
        open_results(store).load()


def test_results_travel_to_other_processes(finished):
    import pickle

    results = pickle.loads(pickle.dumps(open_results(finished)))
    assert results.amount.values.tobytes() == small.expected(22)["amount"].tobytes()


def test_an_unknown_group_is_named_with_those_there_are(finished):
    with pytest.raises(InputError, match="no group 'inners'; it has inner"):
        open_results(finished, group="inners")


# What is not finished


def test_partial_results_have_the_bits_of_the_finished_ones(store, finished):
    (store / ".asmrisk/blocks/000001.json").unlink()
    with pytest.raises(InputError, match="draws 5 to 9 missing"):
        open_results(store)
    for group in (None, "inner"):
        partial = open_results(store, partial=True, group=group)
        assert list(partial.draw.values) == [*range(5), *range(10, 22)]
        whole = xr.open_zarr(finished, group=group)
        for name, array in whole.data_vars.items():
            assert partial[name].values.tobytes() == array.sel(draw=partial.draw.values).values.tobytes()
            assert partial[name].attrs == array.attrs
        assert partial.attrs["partial"] == "17 of 22 draws are finished"
        assert partial.attrs["asked"] == 22
        assert partial.attrs["title"] == whole.attrs.get("title", "Small")
    assert "partial" not in open_results(finished, partial=True).attrs


def test_partial_results_of_an_extension_that_was_stopped_go_on_behind_what_is_shown(store):
    class Stopping(Fake):
        def block(self, block, slot):
            if block.first == 30:
                raise ValueError("no such thing")
            return super().block(block, slot)

    with pytest.raises(RunError, match="30 of 42 draws are finished"):
        small.write(store, 42, simulation=Stopping(small.declare(store, 42).spec))
    assert open_results(store).sizes["draw"] == 22
    partial = open_results(store, partial=True)
    assert partial.sizes["draw"] == 30
    assert partial.amount.values.tobytes() == small.expected(30)["amount"].tobytes()
    assert partial.attrs["partial"] == "30 of 42 draws are finished"


def test_a_store_without_a_finished_draw_opens_partially_as_empty(tmp_path):
    job = small.declare(tmp_path / "r.zarr", 10)
    Store.open(job.place, job.spec, job.labels, job.lengths)
    partial = open_results(job.place, partial=True)
    assert partial.sizes["draw"] == 0
    assert json.loads(partial.attrs["provenance"])["seed"] == 1


# While somebody writes


def moments(look, place):
    """Count the accesses of a look."""
    storage = Watched(place, 10**9, None)
    look(storage)
    return 10**9 - storage.left[0]


LOOKS = {
    "status": asmrisk.status,
    "verify": lambda storage: asmrisk.status(storage, verify=True),
    "open": open_results,
    "partial": lambda storage: open_results(storage, partial=True),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("most", [6, pytest.param(10**6, marks=pytest.mark.long)])
def test_a_commit_during_a_look_is_no_damage(most, look, finished, tmp_path):
    count = moments(LOOKS[look], finished)
    assert count > 8
    for moment in sorted({*range(0, count, -(-count // most)), count - 1}):
        place = shutil.copytree(finished, tmp_path / f"{moment}.zarr")
        storage = Watched(place, moment, lambda place=place: small.write(place, 31))
        found = LOOKS[look](storage)
        assert storage.left[0] < 0
        if look in ("open", "partial"):
            draws = found.sizes["draw"]
            assert draws in (22, 31)
            assert found.amount.values.tobytes() == small.expected(draws)["amount"].tobytes()
        else:
            assert (found.damaged, found.faults) == ((), ())
        shutil.rmtree(place)


@pytest.mark.parametrize("look", LOOKS)
def test_a_block_written_during_a_look_is_no_damage(look, finished, tmp_path):
    for moment in range(0, moments(LOOKS[look], finished), 5):
        place = shutil.copytree(finished, tmp_path / f"{moment}.zarr")
        job = small.declare(place, 31)
        store = Store.open(place, job.spec, job.labels, (31,))
        blocks = store.unfinished_blocks()

        def write(store=store, blocks=blocks, job=job):
            for block in blocks:
                store.writer.write(block, job.simulation.block(block, np.zeros(2, np.int64)))

        found = LOOKS[look](Watched(place, moment, write))
        if look == "open":
            assert found.sizes["draw"] == 22
        elif look == "partial":
            draws = found.draw.values
            wanted = small.expected(31)["amount"][draws]
            assert list(draws[:22]) == list(range(22))
            assert found.amount.values.tobytes() == wanted.tobytes()
        else:
            assert (found.damaged, found.faults) == ((), ())
        shutil.rmtree(place)


@pytest.mark.long
def test_a_hundred_thousand_draws_are_read_within_seconds_and_a_gigabyte(tmp_path):
    place = tmp_path / "r.zarr"
    job = fake_run.job(place, 100_000)
    store = Store.open(place, job.spec, job.labels, job.lengths)
    blocks = store.unfinished_blocks()
    values = job.simulation.block(blocks[0], np.zeros(2, np.int64))
    for block in blocks:
        store.writer.write(block, values)
    store.commit()
    program = """
import resource, sys, time
from asmrisk import open_results
began = time.perf_counter()
results = open_results(sys.argv[1], chunked=False)
for name in sys.argv[2:]:
    results[name].values
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(time.perf_counter() - began, used)
"""
    names = ["medicare_savings", "net_adjustment", "adjustment_factor_quantile", "specialty_penalized_share"]
    names += ["specialty_scored", "retained_savings"]
    said = subprocess.run(
        [sys.executable, "-c", program, place, *names], capture_output=True, text=True, check=True
    ).stdout
    seconds, used = map(float, said.split())
    # Three seconds on an idle machine of two processors.
    assert seconds < 15.0
    assert used < 2**30
