"""The result store: what is shown is finished, what is finished is kept, what is damaged is found."""

import errno
import getpass
import json
import multiprocessing
import os
import pickle
import platform
import random
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from asmrisk.errors import InputError, RunError
from asmrisk.jit import kernel_hash
from asmrisk.results import manifest as manifest_module
from asmrisk.results import open_results, schema, status, stored_run
from asmrisk.results.content import Content
from asmrisk.results.description import Chunk
from asmrisk.results.manifest import Block, Entry, Manifest
from asmrisk.results.provenance import package_version, provenance
from asmrisk.results.store import Store, committed_draws
from asmrisk.results.store import storage as storage_module
from asmrisk.results.store import writer as writer_module
from asmrisk.results.store.chunks import ChunkFormat
from asmrisk.results.store.storage import LocalStorage
from asmrisk.scenario import scenario_from_dict
from asmrisk.simulation import engine
from tests import fake_run
from tests.fake_run import Fake, scenario

BASELINE = scenario()

STUDY = Content(
    identity="a study of two outcomes",
    seed=7,
    kernels="0123456789abcdef",
    version="1",
    provenance={"created": "now", "software": {}, "environment": {}, "scenario": {"title": "Study"}},
    variables={
        "outcome_value": schema.Variable(
            "outcome_value", ("design_point", "draw", "outcome"), "float64", "USD", "Outcome"
        ),
        "chosen": schema.Variable("chosen", ("design_point",), "int32", "1", "Choice"),
    },
    labels={"draw": np.arange(4), "outcome": np.array(["savings", "losses"], dtype=object)},
    leading="design_point",
)


@pytest.fixture(autouse=True)
def _isolated(monkeypatch):
    fake_run.isolate(monkeypatch.setattr)


def run(out, draws, *, chosen=BASELINE, simulate=None, workers=1, **options):
    return engine.run(
        chosen,
        draws=draws,
        out=out,
        workers=workers,
        simulate=simulate or Fake(chosen),
        quiet=True,
        **options,
    )


def bits(dataset):
    """Every data variable and label as type, shape and bytes."""
    return {
        name: (str(array.dtype), array.shape, array.dims)
        + ((tuple(array.values),) if array.dtype.kind in "OT" else (array.values.tobytes(),))
        for name, array in dataset.variables.items()
    }


def content(path, draws=None):
    groups = [xr.open_zarr(path, group=group, chunks=None) for group in (None, "environment")]
    return [bits(each.isel(draw=slice(draws))) for each in groups]


@cache
def expected(draws):
    return Fake(BASELINE)(0, draws, np.zeros(2, np.int64))


def assert_holds(path, draws):
    """The store shows exactly these draws, bit for bit what was simulated."""
    values = expected(draws)
    for group in ("", "environment"):
        dataset = xr.open_zarr(path, group=group or None, chunks=None)
        assert dataset.sizes["draw"] == draws
        assert list(dataset.draw.values) == list(range(draws))
        names = {path.rpartition("/")[2]: path for path in values if path.rpartition("/")[0] == group}
        assert set(dataset.data_vars) == set(names)
        for name, key in names.items():
            assert dataset[name].dtype == values[key].dtype
            assert dataset[name].values.tobytes() == values[key].tobytes(), name


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A store of 22 draws in blocks of 5, to be copied."""
    with pytest.MonkeyPatch.context() as patch:
        fake_run.isolate(patch.setattr)
        return run(tmp_path_factory.mktemp("finished") / "r.zarr", 22, block_size=5)


@pytest.fixture
def store(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy.zarr")


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# What a user sees


def test_xarray_opens_what_was_simulated_with_its_labels(finished):
    assert_holds(finished, 22)
    root = xr.open_zarr(finished)
    assert list(root.cohort.values) == ["heart_failure", "low_back_pain"]
    assert list(root.performance_year.values) == [2027, 2028, 2029, 2030, 2031]
    assert list(root["quantile"].values) == [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]
    assert list(root.practice_size.values) == ["solo", "small", "large"]
    assert list(xr.open_zarr(finished, group="environment").collection_type.values) == [
        "ecqm",
        "mips_cqm",
        "claims",
    ]
    for group in (None, "environment"):
        for array in xr.open_zarr(finished, group=group).data_vars.values():
            assert array.attrs["units"]
            assert array.attrs["long_name"]
            assert array.dims[:2] == ("draw", "performance_year")


def test_names_and_dimensions_that_users_rely_on(finished):
    root = xr.open_zarr(finished)
    by_cohort = """
        participants scored zero_scores episodes episode_spending part_b_paid incentive_pool scaling_factor
        median_final_score penalized_share weighted_adjustment_factor payment_year_part_b net_adjustment
        retained_savings episode_savings medicare_savings
    """
    by_specialty = """
        specialty_participants specialty_part_b_paid specialty_mean_adjustment_factor specialty_net_adjustment
        specialty_penalized_share
    """
    for name in by_cohort.split():
        assert root[name].dims == ("draw", "performance_year", "cohort")
    for name in by_specialty.split():
        assert root[name].dims == ("draw", "performance_year", "specialty", "practice_size")
    for name in ("adjustment_factor_quantile", "final_score_quantile"):
        assert root[name].dims == ("draw", "performance_year", "cohort", "quantile")


def test_a_tree_opens_too(finished):
    with xr.open_datatree(finished, engine="zarr") as tree:
        assert set(tree.children) == {"environment"}


def test_arrays_are_compressed_checked_and_in_chunks_of_whole_draws(finished):
    for name in ("participants", "environment/benchmark_edges"):
        metadata = json.loads((finished / name / "zarr.json").read_bytes())
        assert [codec["name"] for codec in metadata["codecs"]] == ["bytes", "zstd", "crc32c"]
        assert metadata["chunk_grid"]["configuration"]["chunk_shape"][0] == 5
        assert metadata["chunk_grid"]["configuration"]["chunk_shape"][1:] == metadata["shape"][1:]
    assert json.loads((finished / "cohort/zarr.json").read_bytes())["data_type"] == "string"
    assert zarr.open_array(finished, path="participants", mode="r").shape[0] == 22


def test_metadata_and_labels_are_what_zarr_itself_would_write(finished):
    labels = 0
    for path in sorted(each.parent for each in finished.glob("**/zarr.json")):
        said = json.loads((path / "zarr.json").read_bytes())
        if said["node_type"] == "group":
            continue
        files = {}
        array = zarr.create_array(
            zarr.storage.MemoryStore(files),
            name="array",
            shape=said["shape"],
            chunks=said["chunk_grid"]["configuration"]["chunk_shape"],
            dtype=said["data_type"],
            fill_value={"string": "", "float64": np.nan}.get(said["data_type"], 0),
            compressors=[zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()],
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=said["dimension_names"],
            attributes=said["attributes"],
        )
        assert json.loads(files["array/zarr.json"].to_bytes()) == said
        if said["dimension_names"][0] != "draw":
            array[...] = zarr.open_array(path, mode="r")[...]
            assert files["array/c.0"].to_bytes() == (path / "c.0").read_bytes()
            labels += 1
    assert labels == 10
    group = zarr.create_group(zarr.storage.MemoryStore(files := {}))
    assert not dict(group.attrs)
    assert json.loads((finished / "environment/zarr.json").read_bytes()) == json.loads(
        files["zarr.json"].to_bytes()
    )


def test_provenance_names_software_scenario_seed_and_every_parameter_but_no_person_or_place(finished):
    text = xr.open_zarr(finished).attrs["provenance"]
    record = json.loads(text)
    assert record["seed"] == 20270101
    assert record["scenario"]["identity"] == BASELINE.identity()
    assert set(record["parameters"]) == set(BASELINE.values)
    for each in record["parameters"].values():
        assert set(each) == {"value", "unit", "basis", "citation"}
    assert set(record["software"]) >= {"asmrisk", "python", "numpy", "numba", "xarray", "dask", "zarr"}
    assert str(finished.parent) not in text
    assert str(Path.home()) not in text
    for texts in (record["environment"].values(), record["software"].values()):
        assert not {platform.node(), getpass.getuser()} & set(
            re.findall(r"[\w.-]+", " ".join(map(str, texts)))
        )


def test_the_recorded_definition_is_the_scenario():
    chosen = scenario(policy__risk_level={"2027": 0.09, "2029": 0.1})
    record = provenance(chosen)
    assert record == json.loads(json.dumps(record))
    assert scenario_from_dict(record["scenario"]["definition"]) == chosen


# Dimensions that follow the scenario


@pytest.mark.parametrize(
    ("parameter", "name", "dims"),
    [
        ("quality_peer_group", "benchmark_edges", ("measure", "specialty", "edge")),
        ("cost_peer_group", "cost_median", ("specialty",)),
        ("payment_peer_group", "scaling_factor", ("specialty",)),
    ],
)
def test_peer_groups_decide_the_dimensions_of_the_environment(parameter, name, dims, tmp_path):
    chosen = scenario(**{f"policy__{parameter}": "specialty"})
    path = run(tmp_path / "r.zarr", 3, chosen=chosen)
    assert xr.open_zarr(path, group="environment")[name].dims == ("draw", "performance_year", *dims)


def test_quality_benchmarks_by_cohort_have_no_peer_dimension():
    declared = schema.variables(scenario(policy__quality_peer_group="cohort"))
    assert declared["environment/benchmark_size"].dims == ("draw", "performance_year", "measure")


def test_uncertain_parameters_make_a_group_knowledge(tmp_path):
    uncertain = {"policy.risk_level": {"distribution": "uniform", "low": 0.05, "high": 0.1}}
    chosen = replace(BASELINE, uncertainty=uncertain)
    path = run(tmp_path / "r.zarr", 3, chosen=chosen)
    knowledge = xr.open_zarr(path, group="knowledge")
    assert knowledge.parameter_value.dims == ("draw", "parameter")
    assert list(knowledge.parameter.values) == ["policy.risk_level"]
    assert "knowledge" not in schema.variables(BASELINE)


# The bits do not depend on how they were computed


@pytest.mark.parametrize("block_size", [1, 5, 64])
@pytest.mark.parametrize("workers", [1, 2])
def test_same_bits_for_any_block_size_and_number_of_workers(block_size, workers, tmp_path):
    assert_holds(run(tmp_path / "r.zarr", 50, block_size=block_size, workers=workers), 50)


def test_the_first_draws_of_a_longer_run(finished, tmp_path):
    longer = run(tmp_path / "r.zarr", 50, block_size=7)
    assert content(longer, 22) == content(finished)


@pytest.mark.parametrize("further", [23, 25, 26, 41])
def test_extension_computes_only_what_is_missing(store, further):
    fake = Fake(BASELINE)
    run(store, further, simulate=fake)
    assert_holds(store, further)
    # Four whole blocks of five are there; the last, with two draws, is computed anew.
    assert min(first for first, _ in fake.calls) == 20
    assert sum(count for _, count in fake.calls) == further - 20


def test_a_second_identical_run_computes_nothing_and_fewer_draws_take_nothing_away(store):
    before = content(store)
    fake = Fake(BASELINE)
    for draws in (22, 8):
        run(store, draws, simulate=fake)
    assert fake.calls == []
    assert content(store) == before


def test_the_store_keeps_its_block_size(store, capsys):
    engine.run(BASELINE, draws=30, out=store, workers=1, block_size=64, simulate=Fake(BASELINE))
    assert "blocks of 5" in capsys.readouterr().err
    assert status(store).block_length == 5
    assert_holds(store, 30)


def test_an_extension_that_would_change_a_draw_is_refused(store):
    class Other(Fake):
        def __call__(self, first, count, progress):
            block = super().__call__(first, count, progress)
            if first == 20:
                block["incentive_pool"][1, 0, 0] += 1e-12
            return block

    with pytest.raises(RunError, match="draw 21 of incentive_pool"):
        run(store, 40, simulate=Other(BASELINE))
    assert_holds(store, 22)
    assert status(store, verify=True).damaged == ()


def test_wrong_types_from_the_simulation_are_refused(tmp_path):
    class Other(Fake):
        def __call__(self, first, count, progress):
            block = super().__call__(first, count, progress)
            return block | {"participants": block["participants"].astype(float)}

    with pytest.raises(TypeError, match="participants must be int32"):
        run(tmp_path / "r.zarr", 4, simulate=Other(BASELINE))


# Places


def test_another_run_is_refused_and_the_store_untouched(store):
    before = snapshot(store)
    with pytest.raises(
        InputError, match=r"another scenario \(policy.risk_level: .*0.09.* there, .*0.1.* now\)"
    ):
        run(store, 30, chosen=scenario(policy__risk_level=0.1))
    with pytest.raises(InputError, match=r"another seed \(20270101 there, 7 now\)"):
        run(store, 30, seed=7)
    assert snapshot(store) == before


def test_other_kernels_and_versions_are_refused(store, monkeypatch):
    before = snapshot(store)
    with monkeypatch.context() as patch:
        patch.setattr(writer_module, "kernel_hash", lambda: "fedcba9876543210")
        with pytest.raises(InputError, match="other kernels"):
            run(store, 30)
    with monkeypatch.context() as patch:
        patch.setattr(writer_module, "package_version", lambda: "9.9")
        with pytest.raises(InputError, match=r"another version of asmrisk \(.* there, 9.9 now\)"):
            run(store, 30)
    assert snapshot(store) == before


def test_title_and_number_of_draws_do_not_make_another_run(store):
    chosen = scenario(run__draws=25)
    engine.run(chosen, out=store, workers=1, simulate=Fake(chosen), quiet=True)
    assert_holds(store, 25)


def test_what_is_no_store_is_refused_and_untouched(tmp_path):
    file = tmp_path / "file"
    file.write_text("precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    before = snapshot(tmp_path)
    for place, message in ((file, "is a file"), (folder, "not empty"), (file / "below", "cannot be used")):
        with pytest.raises(InputError, match=message):
            run(place, 3)
    with pytest.raises(InputError, match="null"):
        run("a\0b", 3)
    with pytest.raises(InputError, match="too long"):
        run(tmp_path / ("x" * 300), 3)
    assert snapshot(tmp_path) == before


def test_an_empty_folder_may_be_used(tmp_path):
    place = tmp_path / "empty"
    place.mkdir()
    assert_holds(run(place, 3), 3)


def test_a_place_that_cannot_be_written_to_is_bad_input(tmp_path, monkeypatch):
    # Permissions do not stop the superuser, so the refusal is made here.
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(storage_module.Path, "mkdir", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        run(tmp_path / "r.zarr", 3)


@pytest.mark.parametrize("trials", [6, pytest.param(200, marks=pytest.mark.long)])
def test_a_full_disk_at_any_write_keeps_what_is_finished(trials, tmp_path, monkeypatch):
    total = writes_of(monkeypatch, lambda: run(tmp_path / "whole.zarr", 12, block_size=5))
    for moment in moments(total, trials, seed=2):
        place = tmp_path / f"{moment}.zarr"
        with monkeypatch.context() as patch:
            fail_after(patch, moment, OSError(errno.ENOSPC, "No space left on device"))
            with pytest.raises(RunError, match=r"no space left for .*; free some"):
                run(place, 12, block_size=5)
        assert committed_draws(place) == 0
        assert_holds(run(place, 12, block_size=5), 12)


# Unfinished and damaged stores


def test_nothing_opens_before_the_commit(tmp_path):
    class Failing(Fake):
        def __call__(self, first, count, progress):
            if first >= 10:
                raise ValueError("no such thing")
            return super().__call__(first, count, progress)

    place = tmp_path / "r.zarr"
    with pytest.raises(
        RunError, match=r"draws 10 to 14 failed 3 times \(ValueError: no such thing\): 10 of 22 draws"
    ):
        run(place, 22, block_size=5, simulate=Failing(BASELINE))
    for group in (None, "environment"):
        with pytest.raises(FileNotFoundError):
            xr.open_zarr(place, group=group)
        with pytest.raises(InputError, match=r"not finished.*partial=True"):
            open_results(place, group=group)
        dataset = open_results(place, partial=True, group=group)
        assert list(dataset.draw.values) == list(range(10))
        assert dataset.attrs["partial"] == "10 of 22 draws are finished"
    with pytest.raises(FileNotFoundError):
        xr.open_zarr(place / "environment")
    state = status(place)
    assert (state.committed, state.done, state.missing, state.damaged) == (0, 10, ((10, 21),), ())
    assert not state.complete
    assert "draws 10 to 21" in str(state)
    fake = Fake(BASELINE)
    run(place, 22, simulate=fake)
    assert min(first for first, _ in fake.calls) == 10
    assert_holds(place, 22)
    assert status(place, verify=True).complete


def test_partial_results_have_the_bits_of_the_finished_ones(store, finished):
    (store / Manifest.key(1)).unlink()
    partial = open_results(store, partial=True)
    assert list(partial.draw.values) == [*range(5), *range(10, 22)]
    whole = xr.open_zarr(finished)
    for name, array in whole.data_vars.items():
        assert partial[name].values.tobytes() == array.sel(draw=partial.draw.values).values.tobytes()
        assert partial[name].attrs == array.attrs
    assert "partial" not in open_results(finished, partial=True).attrs


def test_a_store_without_a_finished_draw_opens_partially_as_empty(tmp_path):
    with Store.writing(tmp_path / "r.zarr", BASELINE, 10):
        pass
    assert open_results(tmp_path / "r.zarr", partial=True).sizes["draw"] == 0


@pytest.mark.parametrize("trial", range(8))
def test_a_flipped_byte_is_found_named_and_repaired(trial, store):
    rng = random.Random(trial)
    chunk = rng.choice(sorted(path for path in store.rglob("c.*") if path.parent.parent.name != "blocks"))
    data = bytearray(chunk.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    chunk.write_bytes(data)
    state = status(store, verify=True)
    key = str(chunk.relative_to(store))
    assert state.faults == (f"{key} is damaged",)
    assert not state.complete
    run(store, 22)
    assert status(store, verify=True).complete
    assert_holds(store, 22)


@pytest.mark.parametrize("harm", ["unlink", "truncate"])
def test_a_missing_or_short_chunk_is_found_without_reading(harm, store):
    chunk = store / "incentive_pool" / "c.2.0.0"
    if harm == "unlink":
        chunk.unlink()
    else:
        chunk.write_bytes(chunk.read_bytes()[:-1])
    state = status(store)
    assert state.damaged == ((10, 14),)
    assert state.done == 17
    with pytest.raises(InputError, match=r"not finished: incentive_pool/c\.2\.0\.0 is"):
        open_results(store)
    assert 12 not in open_results(store, partial=True).draw
    fake = Fake(BASELINE)
    run(store, 22, simulate=fake)
    assert fake.calls == [(10, 5)]
    assert_holds(store, 22)


def test_a_truncated_or_altered_manifest_entry_counts_for_nothing(store):
    path = store / Manifest.key(3)
    whole = path.read_bytes()
    for data in (
        b"",
        whole[: len(whole) // 2],
        whole[:-2],
        whole.replace(b'"count": 5', b'"count": 9'),
        b"[1]",
    ):
        path.write_bytes(data)
        assert status(store).missing == ((15, 19),)
        with pytest.raises(InputError, match="draws 15 to 19 are missing"):
            open_results(store)
    run(store, 22)
    assert_holds(store, 22)
    assert path.read_bytes() == whole


def test_an_entry_survives_being_written_and_read():
    entry = Entry(5, 3, {"a/c.1": Chunk(7, "00")}, {"a/c.1": Chunk(8, "11")})
    assert Entry.decode(entry.encode()) == entry
    rng = random.Random(1)
    for _ in range(300):
        data = bytearray(entry.encode())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        assert Entry.decode(bytes(data)) in (None, entry)


def test_a_lost_label_or_root_is_restored(store, finished):
    (store / "cohort" / "c.0").unlink()
    (store / "zarr.json").write_bytes(b"{")
    assert status(store).faults == ("cohort/c.0 is missing",)
    assert status(store).committed == 0
    with pytest.raises(InputError, match="not finished"):
        open_results(store)
    run(store, 22)
    assert content(store) == content(finished)


def test_a_damaged_description_is_named(store):
    (store / ".asmrisk" / "store.json").write_bytes(b"{}")
    for use in (lambda: run(store, 22), lambda: status(store), lambda: open_results(store)):
        with pytest.raises(InputError, match=r"store\.json cannot be read"):
            use()


def test_what_is_no_store_has_no_status_and_no_results(tmp_path):
    for use in (status, open_results):
        with pytest.raises(InputError, match="does not exist"):
            use(tmp_path / "nothing.zarr")
        with pytest.raises(InputError, match="no result store"):
            use(tmp_path)


def test_an_unknown_group_is_named_with_those_there_are(finished):
    with pytest.raises(InputError, match="no group 'environs'; it has environment"):
        open_results(finished, group="environs")


# One writer


def test_a_second_writer_is_refused(store, monkeypatch):
    monkeypatch.setattr(storage_module, "_PATIENCE", 0.1)
    before = snapshot(store)
    with Store.writing(store, BASELINE, 22):
        assert status(store).writing
        with pytest.raises(RunError, match="another run is writing"):
            run(store, 40)
    assert not status(store).writing
    changed = {key for key, data in snapshot(store).items() if before.get(key) != data}
    assert {key.name for key in changed} <= {"store.json", "lock"}


# Power cut: the work stops at any one write


class PowerCutError(BaseException):
    pass


def fail_after(monkeypatch, writes, error, *, torn=False):
    """Let so many files be written, then fail; with `torn`, leave an unfinished file behind."""
    put = LocalStorage.write
    count = 0

    def failing(storage, key, data, **options):
        nonlocal count
        if count >= writes:
            if torn:
                (storage.location / ".asmrisk/unfinished/torn").write_bytes(data[: len(data) // 2])
            raise error
        count += 1
        put(storage, key, data, **options)

    monkeypatch.setattr(LocalStorage, "write", failing)


def writes_of(monkeypatch, work):
    count = 0
    put = LocalStorage.write

    def counted(*args, **options):
        nonlocal count
        count += 1
        put(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write", counted)
        work()
    return count


def moments(total, trials, seed):
    """First and last writes, and some between."""
    if trials >= total:
        return range(total)
    return sorted({0, 1, total - 2, total - 1, *random.Random(seed).sample(range(total), trials)})


@pytest.mark.parametrize("trials", [4, pytest.param(100, marks=pytest.mark.long)])
def test_a_run_cut_at_any_write_shows_nothing_and_is_completed(trials, tmp_path, monkeypatch):
    total = writes_of(monkeypatch, lambda: run(tmp_path / "whole.zarr", 8, block_size=5))
    rng = random.Random(3)
    for moment in moments(total, trials, seed=5):
        place = tmp_path / f"{moment}.zarr"
        with monkeypatch.context() as patch:
            fail_after(patch, moment, PowerCutError(), torn=rng.random() < 0.5)
            with pytest.raises(PowerCutError):
                run(place, 8, block_size=5)
        with pytest.raises(FileNotFoundError):
            xr.open_zarr(place)
        if moment:
            assert status(place, verify=True).committed == 0
        run(place, 8, block_size=5)
        assert_holds(place, 8)
        assert status(place, verify=True).complete
        assert not list((place / ".asmrisk" / "unfinished").iterdir())


@pytest.mark.parametrize("trials", [5, pytest.param(100, marks=pytest.mark.long)])
def test_an_extension_cut_at_any_write_shows_the_old_run_and_is_completed(
    trials, finished, tmp_path, monkeypatch
):
    place = shutil.copytree(finished, tmp_path / "whole.zarr")
    total = writes_of(monkeypatch, lambda: run(place, 28))
    rng = random.Random(4)
    for moment in moments(total, trials, seed=5):
        place = shutil.copytree(finished, tmp_path / f"{moment}.zarr")
        with monkeypatch.context() as patch:
            fail_after(patch, moment, PowerCutError(), torn=rng.random() < 0.5)
            with pytest.raises(PowerCutError):
                run(place, 28)
        assert_holds(place, 22)
        assert open_results(place).sizes["draw"] == 22
        assert status(place, verify=True).damaged == ()
        # Another length than the one that was cut: chunks half old, half new must be told apart again.
        then = rng.choice([22, 24, 28, 31])
        with monkeypatch.context() as patch:
            fail_after(patch, rng.randrange(1, total), PowerCutError(), torn=True)
            try:
                run(place, then)
            except PowerCutError:
                assert status(place, verify=True).damaged == ()
                assert_holds(place, committed_draws(place))
        run(place, then)
        assert_holds(place, then)
        assert status(place, verify=True).complete


def test_chunks_left_by_two_cut_extensions_of_other_lengths_are_told_apart(store, monkeypatch):
    # The first write is the description, the second announces the new chunks, then come the chunks.
    for draws, writes in ((28, 17), (24, 9), (27, 2), (31, 30)):
        with monkeypatch.context() as patch:
            fail_after(patch, writes, PowerCutError(), torn=True)
            with pytest.raises(PowerCutError):
                run(store, draws)
        assert status(store, verify=True).damaged == ()
        assert_holds(store, 22)
    fake = Fake(BASELINE)
    run(store, 25, simulate=fake)
    assert fake.calls == [(20, 5)]
    assert_holds(store, 25)


def test_later_runs_on_another_machine_are_noted(store, monkeypatch):
    def elsewhere(scenario):
        record = provenance(scenario)
        return record | {"environment": record["environment"] | {"processor": "abacus"}}

    run(store, 23)
    assert "continued" not in json.loads(open_results(store).attrs["provenance"])
    monkeypatch.setattr(writer_module, "provenance", elsewhere)
    for draws in (24, 25):
        run(store, draws)
    record = json.loads(open_results(store).attrs["provenance"])
    assert record["environment"]["processor"] != "abacus"
    assert [each["environment"]["processor"] for each in record["continued"]] == ["abacus"]


def test_a_reader_during_an_extension_sees_the_old_run(store):
    seen = []

    class Watched(Fake):
        def __call__(self, first, count, progress):
            seen.append(open_results(store).sizes["draw"])
            assert_holds(store, 22)
            return super().__call__(first, count, progress)

    before = xr.open_zarr(store)
    run(store, 40, simulate=Watched(BASELINE))
    assert seen == [22] * 4
    # A dataset opened before reads the same draws afterwards.
    assert before.sizes["draw"] == 22
    assert before.incentive_pool.values.tobytes() == expected(22)["incentive_pool"].tobytes()
    assert_holds(store, 40)


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("moment", ["before the entries are read", "after they are read"])
def test_a_block_written_during_a_look_is_no_damage(verify, moment, tmp_path, monkeypatch):
    place = tmp_path / "r.zarr"
    run(place, 7, block_size=5)
    with Store.writing(place, BASELINE, 17) as store:
        # The second is extended, which rewrites its files; the third is new.
        pending = [Block(1, 5, 5), Block(2, 10, 5)]

        def write():
            while pending:
                block = pending.pop()
                values = {path: array[block.draws] for path, array in expected(17).items()}
                store.write_block(block, values)

        sizes, read_many = LocalStorage.sizes, LocalStorage.read_many

        def listed(self):
            found = sizes(self)
            write()
            return found

        def read(self, keys):
            found = list(read_many(self, keys))
            if any("/blocks/" in key for key in keys) and len(found) > 1:
                write()
            return iter(found)

        if moment == "before the entries are read":
            monkeypatch.setattr(LocalStorage, "sizes", listed)
        else:
            monkeypatch.setattr(LocalStorage, "read_many", read)
        state = status(place, verify=verify)
        assert (state.damaged, state.faults) == ((), ())
        assert not pending
        pending = [Block(1, 5, 5), Block(2, 10, 5)]
        assert open_results(place).sizes["draw"] == 7


def test_blocks_cover_every_draw_once():
    for draws in range(12):
        for length in range(1, 6):
            blocks = manifest_module.blocks_of(draws, length)
            covered = [draw for block in blocks for draw in range(block.first, block.last + 1)]
            assert covered == list(range(draws))
            assert all(
                block == Block(index, index * length, block.count) for index, block in enumerate(blocks)
            )
            assert all(0 < block.count <= length for block in blocks)


# Reading


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("group", [None, "environment"])
def test_open_results_gives_what_xarray_reads(chunked, group, finished):
    ours = open_results(finished, group=group, chunked=chunked)
    plain = xr.open_zarr(finished, group=group, chunks=None)
    assert ours.attrs == plain.attrs
    assert {name: array.attrs for name, array in ours.variables.items()} == {
        name: array.attrs for name, array in plain.variables.items()
    }
    if chunked:
        assert all(array.chunks[0] == (5, 5, 5, 5, 2) for array in ours.data_vars.values())
    assert bits(ours.load()) == bits(plain.load())


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
@pytest.mark.parametrize(
    "rest", [{}, {"cohort": 1}, {"performance_year": [4, 0], "cohort": slice(1)}], ids=str
)
def test_any_part_of_a_variable_can_be_read(lead, rest, finished, store):
    whole = expected(22)["incentive_pool"]
    array = open_results(finished, chunked=False).incentive_pool
    wanted = xr.DataArray(whole, dims=array.dims).isel(draw=lead, **rest)
    assert array.isel(draw=lead, **rest).values.tobytes() == wanted.values.tobytes()
    (store / Manifest.key(1)).unlink()
    there = [*range(5), *range(10, 22)]
    if not isinstance(lead, (int, list)):
        partial = open_results(store, partial=True, chunked=False).incentive_pool
        wanted = xr.DataArray(whole[there], dims=array.dims).isel(draw=lead, **rest)
        assert partial.isel(draw=lead, **rest).values.tobytes() == wanted.values.tobytes()


def test_only_the_blocks_asked_for_are_read(store):
    for path in (store / "incentive_pool").glob("c.[0134].0.0"):
        path.write_bytes(bytes(path.stat().st_size))
    results = open_results(store, chunked=False)
    values = results.incentive_pool.isel(draw=slice(10, 15)).values
    assert values.tobytes() == expected(22)["incentive_pool"][10:15].tobytes()
    with pytest.raises(RunError, match=r"incentive_pool/c\.0\.0\.0 is damaged or missing"):
        results.incentive_pool.values  # noqa: B018
    # Zarr itself sees it too: chunks carry checksums.
    with pytest.raises(ValueError, match="checksum"):
        xr.open_zarr(store, chunks=None).incentive_pool.values  # noqa: B018


def test_a_chunk_that_vanishes_after_opening_is_an_error_not_nan(store):
    results = open_results(store)
    (store / "incentive_pool" / "c.3.0.0").unlink()
    with pytest.raises(RunError, match=r"incentive_pool/c\.3\.0\.0 is damaged or missing"):
        results.incentive_pool.mean().compute()


@pytest.mark.long
def test_a_hundred_thousand_draws_are_read_within_seconds_and_a_gigabyte(tmp_path):
    place = tmp_path / "r.zarr"
    with Store.writing(place, BASELINE, 100_000, 256) as store:
        values = Fake(BASELINE)(0, 256, np.zeros(2, np.int64))
        for block in store.unfinished_blocks():
            store.write_block(block, {path: array[: block.count] for path, array in values.items()})
        store.commit()
    program = """
import resource, sys, time
from asmrisk.results import open_results
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
    assert seconds < 5.0
    assert used < 2**30


# Hostile stores and labels


def altered(path, change):
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


DESCRIPTIONS = {
    "an array outside": lambda body: body["variables"].update({"../../outside": 1}),
    "an absolute array": lambda body: body["variables"].update({"/etc": 1}),
    "a label outside": lambda body: body["fixed"].update({"../../secret/c.0": [1, "00"]}),
    "a leading dimension outside": lambda body: body.update(leading="../draw"),
    "no end of blocks": lambda body: body.update(draws=10**15),
    "blocks of nothing": lambda body: body.update(block_length=0),
    "negative draws": lambda body: body.update(draws=-1),
    "a list for a number": lambda body: body.update(draws=[22]),
    "a truth for a number": lambda body: body.update(draws=True),
    "a number for a text": lambda body: body.update(scenario=5),
    "more than there is": lambda body: body.update(surprise=1),
    "another format": lambda body: body.update(format=2),
    "no provenance": lambda body: body.update(provenance={}),
}


@pytest.mark.parametrize("change", DESCRIPTIONS.values(), ids=DESCRIPTIONS.keys())
def test_a_made_up_description_is_refused(change, store):
    altered(store / ".asmrisk/store.json", change)
    for use in (status, open_results, lambda place: run(place, 22)):
        with pytest.raises(
            InputError, match=r"store\.json cannot be read: it is damaged or of a newer version"
        ):
            use(store)


ARRAYS = {
    "pickled objects": lambda body: body["codecs"].__setitem__(0, {"name": "numcodecs.pickle"}),
    "another compressor": lambda body: body["codecs"].__setitem__(1, {"name": "blosc"}),
    "no checksum": lambda body: body["codecs"].pop(),
    "objects": lambda body: body.update(data_type="object"),
    "another type": lambda body: body.update(data_type="complex128"),
    "another layout": lambda body: body.update(chunk_key_encoding={"name": "v2"}),
    "a transformer": lambda body: body.update(storage_transformers=[{"name": "x"}]),
    "dimensions that do not fit": lambda body: body["shape"].append(3),
    "no attributes": lambda body: body.pop("attributes"),
    "an empty text": None,
    "no end of brackets": None,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_not_this_programs_are_refused(name, store):
    root = store / "zarr.json"
    if ARRAYS[name] is None:
        root.write_text({"an empty text": "", "no end of brackets": "[" * 100_000}[name])
        message = "is not finished"
    else:
        altered(root, lambda body: ARRAYS[name](body["consolidated_metadata"]["metadata"]["incentive_pool"]))
        message = r"incentive_pool/zarr\.json cannot be used: it is damaged, or was not written by asmrisk"
    with pytest.raises(InputError, match=message):
        open_results(store)
    assert not status(store, verify=True).complete
    run(store, 22)
    assert_holds(store, 22)
    assert status(store, verify=True).complete


def test_more_draws_in_the_root_than_were_ever_asked_for_count_for_nothing(store):
    altered(
        store / "zarr.json",
        lambda body: body["consolidated_metadata"]["metadata"]["draw"].update(shape=[10**15]),
    )
    assert status(store).committed == 0
    with pytest.raises(InputError, match="not finished"):
        open_results(store)


def test_an_altered_metadata_file_is_found_and_restored(store):
    altered(store / "incentive_pool/zarr.json", lambda body: body["attributes"].update(units="EUR"))
    assert status(store).complete
    assert status(store, verify=True).faults == (
        "incentive_pool/zarr.json is damaged, or its copy in zarr.json is",
    )
    run(store, 22)
    assert status(store, verify=True).complete
    (store / "scored/zarr.json").unlink()
    assert status(store).faults == ("scored/zarr.json is missing",)
    run(store, 22)
    assert status(store, verify=True).complete


def test_entries_that_were_made_up_count_for_nothing(store):
    path = store / Manifest.key(2)
    for data in (b"[" * 100_000, b'{"chunks": []}', b"\xff\xfe", b'"x"', b"null"):
        path.write_bytes(data)
        assert status(store).missing == ((10, 14),)


def test_what_a_store_says_does_not_command_the_terminal(store):
    altered(
        store / ".asmrisk/store.json",
        lambda body: body["provenance"]["scenario"].update(title="\x1b[2J\rFinal\u202e rule"),
    )
    said = str(status(store))
    assert "?[2J?Final? rule" in said
    assert set(said) & {"\x1b", "\r", "\u202e"} == set()


def test_a_store_cannot_name_a_roster_anywhere(store, tmp_path):
    def change(body):
        body["kernels"], body["version"] = kernel_hash(), package_version()
        body["provenance"]["scenario"]["definition"]["population"]["roster"] = "../../etc/passwd"

    altered(store / ".asmrisk/store.json", change)
    with pytest.raises(InputError, match=r"'\.\./\.\./etc/passwd', which is no plain file name"):
        stored_run(store)


def test_labels_are_data_and_never_part_of_a_path(tmp_path):
    evil = ["../../../evil", "/etc/evil", "..", "a\x00b", "c.0"]
    content = replace(
        STUDY,
        labels=STUDY.labels | {"outcome": np.array(evil, dtype=object)},
        variables={"outcome_value": STUDY.variables["outcome_value"]},
    )
    place = tmp_path / "below" / "here" / "study.zarr"
    with Store.holding(place, content, 1, 1) as store:
        (block,) = store.unfinished_blocks()
        store.write_block(block, {"outcome_value": np.zeros((1, 4, 5))})
        store.commit()
    assert list(open_results(place).outcome.values) == evil
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and place not in path.parents]
    assert outside == []
    assert not any("evil" in str(path) for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside", ""])
def test_a_variable_cannot_lead_out_of_the_store(name, tmp_path):
    variable = replace(STUDY.variables["chosen"], name=name)
    with (
        pytest.raises(InputError, match="cannot be used"),
        Store.holding(tmp_path / "a" / "study.zarr", replace(STUDY, variables={name: variable}), 1, 1),
    ):
        pass
    assert not list(tmp_path.rglob("*outside*"))


@pytest.mark.parametrize("key", ["../a", "/a", "a/../b", "a//b", "", ".", "a/./b", "a\x00", "a\\b", "a\nb"])
def test_no_key_leads_out_of_the_folder(key, tmp_path):
    storage = LocalStorage(tmp_path / "store")
    storage.prepare()
    for use in (lambda: storage.write(key, b""), lambda: storage.read(key)):
        with pytest.raises(ValueError, match="no key of a store"):
            use()


def test_too_many_blocks_are_refused(tmp_path):
    with pytest.raises(InputError, match="the block size must be at least 3"):
        run(tmp_path / "r.zarr", 2_000_001, block_size=1)
    assert not (tmp_path / "r.zarr").exists()


# Disks for real


@pytest.fixture
def disk(tmp_path):
    """A file system of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True
    ).returncode:
        pytest.skip("NO SMALL DISK: mounting a tmpfs is not permitted here; only injected errors were tried")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_really_full_keeps_what_is_finished(disk):
    place = disk / "r.zarr"
    with pytest.raises(
        RunError, match=r"no space left for .*; free some: [1-9]\d* of 400 draws are finished"
    ):
        run(place, 400, block_size=5)
    done = status(place).done
    assert 0 < done < 400
    assert status(place, verify=True).damaged == ()
    subprocess.run(["mount", "-o", "remount,size=40m", disk], check=True)
    fake = Fake(BASELINE)
    run(place, 400, simulate=fake)
    assert sum(count for _, count in fake.calls) == 400 - done
    assert_holds(place, 400)


def test_a_disk_that_is_really_read_only_is_said(disk):
    run(disk / "r.zarr", 6, block_size=5)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for place in (disk / "r.zarr", disk / "new.zarr"):
        with pytest.raises(InputError, match="Read-only file system"):
            run(place, 12)
    assert status(disk / "r.zarr", verify=True).complete
    assert_holds(disk / "r.zarr", 6)
    assert open_results(disk / "r.zarr").sizes["draw"] == 6


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("trials", [3, pytest.param(100, marks=pytest.mark.long)])
def test_a_disk_that_fails_at_any_write_keeps_what_is_finished(number, trials, tmp_path, monkeypatch):
    total = writes_of(monkeypatch, lambda: run(tmp_path / "whole.zarr", 8, block_size=5))
    for moment in moments(total, trials, seed=number):
        place = tmp_path / f"{moment}.zarr"
        with monkeypatch.context() as patch:
            fail_after(patch, moment, OSError(number, os.strerror(number)))
            with pytest.raises((InputError, RunError), match=os.strerror(number)):
                run(place, 8, block_size=5)
        assert committed_draws(place) == 0
        assert_holds(run(place, 8, block_size=5), 8)


# A worker whose run has died


def test_a_worker_of_a_run_that_has_died_writes_nothing_into_the_next(tmp_path):
    place = tmp_path / "r.zarr"
    with Store.writing(place, BASELINE, 7, 5) as store:
        orphan = store.block_writer()
    late = Block(1, 5, 2)
    values = {path: array[5:] for path, array in expected(7).items()}
    with Store.writing(place, BASELINE, 12, 5):
        with pytest.raises(RunError, match="another run has begun to write"):
            orphan.write_block(late, values)
        assert status(place).done == 0
    run(place, 12)
    before = snapshot(place)
    with pytest.raises(RunError, match="another run has begun to write"):
        orphan.write_block(late, values)
    assert snapshot(place) == before
    assert_holds(place, 12)


def test_a_worker_elsewhere_makes_chunks_durable_before_their_entry(tmp_path, monkeypatch):
    events = []
    write = LocalStorage.write

    def recorded(self, key, data, **options):
        events.append("entry" if "/blocks/" in key else "chunk")
        write(self, key, data, **options)

    monkeypatch.setattr(LocalStorage, "write", recorded)
    monkeypatch.setattr(LocalStorage, "flush", lambda self: events.append("flush"))
    with Store.holding(tmp_path / "study.zarr", STUDY, 1, 1) as store:
        (block,) = store.unfinished_blocks()
        events.clear()
        pickle.loads(pickle.dumps(store.block_writer())).write_block(block, study_block(block))
    assert events == ["chunk", "chunk", "chunk", "flush", "entry"]


def test_a_store_that_something_else_changed_is_not_shown(tmp_path):
    place = tmp_path / "r.zarr"
    with Store.writing(place, BASELINE, 12, 5) as store:
        for block in store.unfinished_blocks():
            values = {path: array[block.draws] for path, array in expected(12).items()}
            store.write_block(block, values)
        (place / "incentive_pool" / "c.1.0.0").unlink()
        with pytest.raises(RunError, match=r"5 draws in .* were changed or removed by something else"):
            store.commit()
    assert committed_draws(place) == 0
    run(place, 12)
    assert_holds(place, 12)


# Studies: another leading dimension, and blocks written from another process


def study_block(block):
    points = np.arange(block.first, block.first + block.count)
    values = points[:, None, None] * 1000.0 + np.arange(8.0).reshape(4, 2)
    return {"outcome_value": values, "chosen": points.astype(np.int32) % 2}


def test_a_study_is_kept_by_design_point_resumed_and_extended(tmp_path):
    place = tmp_path / "study.zarr"
    with Store.holding(place, STUDY, 3, 1) as store:
        assert [block.count for block in store.unfinished_blocks()] == [1, 1, 1]
        store.write_block(Block(1, 1, 1), study_block(Block(1, 1, 1)))
    state = status(place)
    assert (state.leading, state.done, state.missing) == ("design_point", 1, ((0, 0), (2, 2)))
    assert "design points 0, 2" in str(state)
    partial = open_results(place, partial=True)
    assert list(partial.design_point.values) == [1]
    assert partial.attrs["partial"] == "1 of 3 design points are finished"
    for length in (3, 5):
        with Store.holding(place, STUDY, length, 1) as store:
            assert len(store.unfinished_blocks()) == 2
            for block in store.unfinished_blocks():
                store.write_block(block, study_block(block))
            store.commit()
        dataset = open_results(place)
        whole = study_block(Block(0, 0, length))
        assert dataset.outcome_value.dims == ("design_point", "draw", "outcome")
        for name in whole:
            np.testing.assert_array_equal(dataset[name].values, whole[name])
        assert list(dataset.design_point.values) == list(range(length))
        assert list(dataset.draw.values) == [0, 1, 2, 3]
    with (
        pytest.raises(InputError, match="another scenario"),
        Store.holding(place, replace(STUDY, identity="another"), 5, 1),
    ):
        pass
    with pytest.raises(InputError, match="results by design point, not by draw"):
        run(place, 3)


def write_elsewhere(data, block):
    pickle.loads(data).write_block(block, study_block(block))


def test_blocks_can_be_written_by_other_processes(tmp_path):
    with Store.holding(tmp_path / "study.zarr", STUDY, 4, 2) as store:
        data = pickle.dumps(store.block_writer())
        assert len(data) < 20_000
        processes = [
            multiprocessing.get_context("spawn").Process(target=write_elsewhere, args=(data, block))
            for block in store.unfinished_blocks()
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        assert store.unfinished_blocks() == []
        store.commit()
    values = open_results(tmp_path / "study.zarr").outcome_value.values
    np.testing.assert_array_equal(values, study_block(Block(0, 0, 4))["outcome_value"])


@pytest.mark.parametrize("dtype", ["int32", "int64", "float64"])
@pytest.mark.parametrize("count", [5, 2])
def test_chunks_are_the_bytes_that_zarr_writes(dtype, count, finished):
    rng = np.random.default_rng(1)
    values = rng.integers(-100, 100, (count, 3, 2)).astype(dtype)
    memory = zarr.storage.MemoryStore()
    array = zarr.create_array(
        memory,
        shape=(count, 3, 2),
        chunks=(5, 3, 2),
        dtype=dtype,
        fill_value=np.nan if dtype == "float64" else 0,
        compressors=[zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()],
    )
    array[...] = values
    chunk = ChunkFormat((5, 3, 2), dtype)
    assert chunk.encode(values) == memory._store_dict["c/0/0/0"].to_bytes()
    np.testing.assert_array_equal(chunk.decode(chunk.encode(values))[:count], values)
    for damaged in (b"", b"1234", chunk.encode(values)[:-1], b"x" + chunk.encode(values)):
        with pytest.raises(ValueError, match="checksum"):
            chunk.decode(damaged)
    with pytest.raises(ValueError, match="number of values"):
        ChunkFormat((5, 3, 3), dtype).decode(chunk.encode(values))
