"""What a run leaves in its store: a zarr hierarchy that others read, the same bits however it was made."""

import getpass
import json
import platform
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

import asmrisk
from asmrisk.errors import InputError, RunError
from asmrisk.results import provenance
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation import variables as schema
from tests import fake_run
from tests.fake_run import scenario
from tests.fake_simulation import Fake, OneByOne
from tests.results import small

pytestmark = pytest.mark.usefixtures("hasty_disk")

BASELINE = scenario()


@cache
def expected(draws):
    fake = fake_run.job("nowhere", 1).simulation
    each = [fake.draw(number) for number in range(draws)]
    return {path: np.array([one[path] for one in each]) for path in fake.shapes}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A store of a scenario's 22 draws in blocks of 5."""
    return fake_run.run(tmp_path_factory.mktemp("finished") / "r.zarr", 22, block_size=5)


@pytest.fixture
def store(tmp_path):
    """A small store of 22 draws in blocks of 5."""
    return small.write(tmp_path / "r.zarr", 22)


# What a user sees


def test_xarray_opens_what_was_simulated_with_its_labels(finished):
    for group in ("", "environment"):
        dataset = xr.open_zarr(finished, group=group or None, chunks=None)
        assert list(dataset.draw.values) == list(range(22))
        values = {path: each for path, each in expected(22).items() if path.rpartition("/")[0] == group}
        assert set(dataset.data_vars) == {path.rpartition("/")[2] for path in values}
        for path, each in values.items():
            array = dataset[path.rpartition("/")[2]]
            assert (array.dtype, array.values.tobytes()) == (each.dtype, each.tobytes()), path
            assert array.attrs["units"]
            assert array.attrs["long_name"]
            over = {"budget": "calendar_year", "panel": "specialty"}
            assert array.dims[:2] == ("draw", over.get(path.partition("_")[0], "performance_year"))
    root = xr.open_zarr(finished)
    assert list(root.cohort.values) == ["heart_failure", "low_back_pain"]
    assert list(root.performance_year.values) == [2027, 2028, 2029, 2030, 2031]
    assert list(root.calendar_year.values) == [2027, 2028, 2029, 2030, 2031, 2032, 2033]
    assert list(root["quantile"].values) == [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]
    assert list(root.practice_size.values) == ["solo", "small", "large"]
    environment = xr.open_zarr(finished, group="environment")
    assert list(environment.collection_type.values) == ["ecqm", "mips_cqm", "claims"]


def test_names_and_dimensions_that_users_rely_on(finished):
    root = xr.open_zarr(finished)
    by_cohort = """
        participants scored zero_scores episodes episode_spending part_b_paid incentive_pool scaling_factor
        median_final_score penalized_share weighted_adjustment_factor payment_year_part_b net_adjustment
        retained_savings volume_offset episode_savings medicare_savings
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
    assert root.budget_savings.dims == ("draw", "calendar_year")


def test_a_tree_opens_too(finished):
    with xr.open_datatree(finished, engine="zarr") as tree:
        assert set(tree.children) == {"environment"}
        assert tree["environment"].sizes["draw"] == tree.sizes["draw"] == 22
        found = tree["environment/benchmark_edges"].values
    assert found.tobytes() == expected(22)["environment/benchmark_edges"].tobytes()


def test_zarr_opens_the_hierarchy_and_every_array(finished):
    root = zarr.open_group(finished, mode="r")
    assert [name for name, _ in root.groups()] == ["environment"]
    for consolidated in (True, False):
        root = zarr.open_group(finished, mode="r", use_consolidated=consolidated)
        for path, values in expected(22).items():
            assert root[path][...].tobytes() == values.tobytes(), path
    assert isinstance(zarr.open(finished, mode="r"), zarr.Group)
    assert zarr.open_array(finished, path="participants", mode="r").shape == (22, 5, 2)
    group = zarr.open_group(finished, path="environment", mode="r")
    assert group["benchmark_edges"].shape[0] == group["draw"].shape[0] == 22


def test_arrays_are_compressed_checked_and_in_chunks_of_whole_draws(finished):
    for name in ("participants", "environment/benchmark_edges"):
        metadata = json.loads((finished / name / "zarr.json").read_bytes())
        assert [codec["name"] for codec in metadata["codecs"]] == ["bytes", "zstd", "crc32c"]
        assert metadata["chunk_grid"]["configuration"]["chunk_shape"][0] == 5
        assert metadata["chunk_grid"]["configuration"]["chunk_shape"][1:] == metadata["shape"][1:]
    assert json.loads((finished / "cohort/zarr.json").read_bytes())["data_type"] == "string"


def test_a_variable_has_one_file_a_block_in_one_folder(finished):
    for path, values in expected(22).items():
        files = {each.name for each in (finished / path).iterdir()}
        rest = ".0" * (values.ndim - 1)
        assert files == {"zarr.json", *(f"c.{block}{rest}" for block in range(5))}, path
    assert {each.name for each in (finished / "cohort").iterdir()} == {"zarr.json", "c.0"}


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_chunk_of_nothing_but_fill_values_is_a_file(value, tmp_path):
    job = small.declare(tmp_path / "r.zarr", 5)

    class Nothing(OneByOne):
        def block(self, block, slot):
            shapes = job.simulation.shapes.items()
            return {
                path: np.full((block.count, *shape), value if dtype == "float64" else 0, dtype)
                for path, (shape, dtype) in shapes
            }

    # What must be written to be told from what is missing: zarr itself leaves such chunks out.
    place = small.write(tmp_path / "r.zarr", 5, simulation=Nothing())
    assert (place / "number/c.0.0").stat().st_size
    assert (place / "amount/c.0.0.0").stat().st_size
    np.testing.assert_array_equal(xr.open_zarr(place).amount.values, np.full((5, 2, 3), value))
    assert asmrisk.status(place, verify=True).complete
    (place / "amount/c.0.0.0").unlink()
    assert asmrisk.status(place).faults == ("amount/c.0.0.0 is missing",)


def test_chunks_are_the_bytes_that_zarr_writes(finished):
    for path in (
        "scored",
        "incentive_pool",
        "environment/benchmark_edges",
        "cohort",
        "performance_year",
        "quantile",
    ):
        said = json.loads((finished / path / "zarr.json").read_bytes())
        files = {}
        array = zarr.create_array(
            zarr.storage.MemoryStore(files),
            shape=said["shape"],
            chunks=said["chunk_grid"]["configuration"]["chunk_shape"],
            dtype=said["data_type"],
            fill_value={"string": "", "float64": np.nan}.get(said["data_type"], 0),
            compressors=[zarr.codecs.ZstdCodec(level=1), zarr.codecs.Crc32cCodec()],
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=said["dimension_names"],
            attributes=said["attributes"],
            config={"write_empty_chunks": True},
        )
        assert json.loads(files["zarr.json"].to_bytes()) == said
        array[...] = zarr.open_array(finished, path=path, mode="r")[...]
        # The last chunk holds more draws than are shown.
        whole = said["shape"][0] // said["chunk_grid"]["configuration"]["chunk_shape"][0]
        for number in range(whole):
            key = f"c.{number}" + ".0" * (len(said["shape"]) - 1)
            assert files[key].to_bytes() == (finished / path / key).read_bytes(), (path, key)


# Where it comes from


def test_provenance_names_software_scenario_seed_and_every_parameter_but_no_person_or_place(finished):
    text = xr.open_zarr(finished).attrs["provenance"]
    record = json.loads(text)
    assert record["seed"] == 20270101
    assert record["code"] == fake_run.CODE
    assert record["scenario"]["identity"] == BASELINE.identity()
    assert record["uncertainty"] == {}
    assert not {"draws_per_parameter_set", "fixed"} & set(record)
    # How much was asked for is no part of what the numbers are.
    assert set(record["parameters"]) == set(BASELINE.values) - {"run.draws"}
    for each in record["parameters"].values():
        assert set(each) == {"value", "unit", "basis", "citation"}
    assert set(record["software"]) >= {"asmrisk", "python", "numpy", "numba", "xarray", "dask", "zarr"}
    assert str(finished.parent) not in text
    assert str(Path.home()) not in text
    for texts in (record["environment"].values(), record["software"].values()):
        words = set(re.findall(r"[\w.-]+", " ".join(map(str, texts))))
        assert not {platform.node(), getpass.getuser()} & words


def test_the_recorded_definition_is_the_scenario(tmp_path):
    chosen = scenario(policy__risk_level={"2027": 0.09, "2029": 0.1})
    place = fake_run.run(tmp_path / "r.zarr", 2, chosen=chosen)
    definition = json.loads(xr.open_zarr(place).attrs["provenance"])["scenario"]["definition"]
    assert scenario_from_dict(definition).identity() == chosen.identity()
    assert scenario_from_dict(definition).values["run.seed"] == chosen.values["run.seed"]


def test_two_stores_of_one_run_differ_in_the_record_of_who_made_them_alone(store, tmp_path):
    other = small.write(tmp_path / "other.zarr", 22, workers=2)
    one, two = small.lasting(store), small.lasting(other)
    differing = {key for key in one.keys() | two.keys() if one.get(key) != two.get(key)}
    assert {key.partition("/")[0] for key in differing} <= {"zarr.json", ".asmrisk"}
    assert not {key for key in differing if key.startswith((".asmrisk/blocks", ".asmrisk/store.json"))}


def test_later_runs_on_another_machine_are_noted(store, monkeypatch):
    circumstances = provenance.circumstances()
    assert "continued" not in json.loads(xr.open_zarr(store).attrs["provenance"])
    elsewhere = circumstances | {"environment": circumstances["environment"] | {"processor": "abacus"}}
    with monkeypatch.context() as patch:
        patch.setattr("asmrisk.results.runs.circumstances", lambda: elsewhere)
        small.write(store, 24)
    record = json.loads(xr.open_zarr(store).attrs["provenance"])
    assert record["environment"]["processor"] == circumstances["environment"]["processor"]
    assert [each["environment"]["processor"] for each in record["continued"]] == ["abacus"]


# Dimensions that follow the scenario


@pytest.mark.parametrize(
    ("parameter", "word", "name", "dims"),
    [
        ("quality_peer_group", "specialty", "benchmark_edges", ("measure", "quality_peer_group", "edge")),
        ("quality_peer_group", "aco", "benchmark_minimum", ("measure", "quality_peer_group")),
        ("cost_peer_group", "specialty", "cost_median", ("cost_peer_group",)),
        ("cost_peer_group", "practice_size", "cost_sd", ("cohort", "cost_peer_group")),
        ("payment_peer_group", "specialty", "scaling_factor", ("pool_group",)),
        ("payment_peer_group", "region", "exchange_midpoint", ("cohort", "pool_group")),
    ],
)
@pytest.mark.parametrize("types", ["apart", "together"])
def test_peer_groups_decide_the_dimensions_of_the_environment(parameter, word, name, dims, types, tmp_path):
    chosen = scenario(**{f"policy__{parameter}": word}, policy__quality_collection_types=types)
    place = fake_run.run(tmp_path / "r.zarr", 1, chosen=chosen)
    if types == "apart" and name.startswith("benchmark"):
        dims = (*dims[:2], "collection_type", *dims[2:])
    environment = xr.open_zarr(place, group="environment")
    assert environment[name].dims == ("draw", "performance_year", *dims)
    assert set(dims) <= set(environment.coords)


def test_quality_benchmarks_of_all_collection_types_together_have_no_peer_dimension():
    declared = schema.variables(scenario(policy__quality_collection_types="together"))
    assert declared["environment/benchmark_size"].dims == ("draw", "performance_year", "measure")


def test_unknowns_make_a_group_parameters(tmp_path):
    uncertain = {"policy.risk_level": {"distribution": "uniform", "low": 0.05, "high": 0.1}}
    place = fake_run.run(tmp_path / "r.zarr", 3, chosen=scenario_from_dict({"uncertainty": uncertain}))
    parameters = xr.open_zarr(place, group="parameters")
    assert parameters.parameter_value.dims == ("draw", "parameter")
    assert parameters.parameter_set.dims == ("draw",)
    assert parameters.parameter_set.dtype == np.int64
    assert list(parameters.parameter.values) == ["policy.risk_level"]
    assert not any(path.startswith("parameters/") for path in schema.variables(BASELINE))


# The bits do not depend on how they were computed


@pytest.mark.parametrize("size", [1, 5, 64])
@pytest.mark.parametrize("workers", [1, 2])
def test_same_bits_for_any_block_size_and_number_of_workers(size, workers, tmp_path):
    small.assert_holds(small.write(tmp_path / "r.zarr", 31, size=size, workers=workers), 31)


def test_the_first_draws_of_a_longer_run(store, tmp_path):
    longer = small.write(tmp_path / "longer.zarr", 50, size=7)
    for group in (None, "inner"):
        first = xr.open_zarr(longer, group=group).isel(draw=slice(22))
        assert small.bits(first) == small.bits(xr.open_zarr(store, group=group))


def test_draws_that_fill_up_the_last_block_are_there_and_not_shown(tmp_path):
    place = small.write(tmp_path / "r.zarr", 7)
    small.assert_holds(place, 7)
    assert asmrisk.open_results(place).sizes["draw"] == 7
    assert asmrisk.status(place).draws == 7
    before = small.lasting(place)
    # So an extension up to the block's end computes nothing, and adds no chunk.
    job = small.declare(place, 10)
    small.write(place, 10, simulation=job.simulation)
    assert job.simulation.calls == []
    small.assert_holds(place, 10)
    chunks = {key for key in small.lasting(place) if "/c." in key}
    assert chunks == {key for key in before if "/c." in key}


@pytest.mark.parametrize("further", [23, 25, 26, 41])
def test_an_extension_computes_only_what_is_missing_and_only_adds_files(store, further):
    before = small.lasting(store)
    simulation = small.declare(store, further).simulation
    small.write(store, further, simulation=simulation)
    small.assert_holds(store, further)
    # Five whole blocks of five are there.
    assert sorted(simulation.calls) == [(first, 5) for first in range(25, further, 5)]
    after = small.lasting(store)
    changed = {key for key in before if after.get(key) != before[key]}
    # But for what tells a reader how many draws there are, no array's folder changed.
    assert {key.rpartition("/")[2] for key in changed} == {"zarr.json"}


def test_a_second_identical_run_changes_no_file(store):
    before = small.snapshot(store)
    simulation = small.declare(store, 22).simulation
    small.write(store, 22, simulation=simulation)
    assert simulation.calls == []
    assert small.snapshot(store) == before


def test_fewer_draws_take_nothing_away(store):
    simulation = small.declare(store, 8).simulation
    small.write(store, 8, simulation=simulation)
    assert simulation.calls == []
    small.assert_holds(store, 22)
    assert asmrisk.status(store, verify=True).complete


def test_a_store_keeps_its_block_length(store):
    small.write(store, 30, size=64)
    assert asmrisk.status(store).block_length == 5
    small.assert_holds(store, 30)
    assert (store / "number/c.5.0").exists()


def test_wrong_types_and_shapes_from_the_simulation_are_refused(tmp_path):
    class Other(Fake):
        def block(self, block, slot):
            return self.change(super().block(block, slot))

    for name, change in {
        "number": lambda values: values | {"number": values["number"].astype(float)},
        "inner/level": lambda values: values | {"inner/level": values["inner/level"][:-1]},
        "amount": lambda values: values | {"amount": values["amount"].astype(np.float32)},
    }.items():
        simulation = Other(small.declare(tmp_path, 1).spec)
        simulation.change = change
        with pytest.raises(TypeError, match=f"{name} must be"):
            small.write(tmp_path / "r.zarr", 4, simulation=simulation)


# One step shows it to readers


class Stopping(Fake):
    """Fails from some draw on."""

    first = 10

    def block(self, block, slot):
        if block.first >= self.first:
            raise ValueError("no such thing")
        return super().block(block, slot)


def test_nothing_opens_before_the_commit(tmp_path):
    place = tmp_path / "r.zarr"
    simulation = Stopping(small.declare(place, 22).spec)
    message = r"draws 10 to 14 failed 3 times \(ValueError: no such thing\): 10 of 22 draws"
    with pytest.raises(RunError, match=message):
        small.write(place, 22, simulation=simulation)
    for group in (None, "inner"):
        with pytest.raises(FileNotFoundError):
            xr.open_zarr(place, group=group)
        with pytest.raises(InputError, match=r"not finished.*partial=True"):
            asmrisk.open_results(place, group=group)
    with pytest.raises(FileNotFoundError):
        xr.open_zarr(place / "inner")
    with pytest.raises(FileNotFoundError):
        zarr.open(place, mode="r")
    state = asmrisk.status(place)
    assert (state.committed, state.done, state.missing, state.damaged) == (0, 10, ((10, 21),), ())
    assert not state.complete
    assert "draws 10 to 21" in str(state)
    simulation = small.declare(place, 22).simulation
    small.write(place, 22, simulation=simulation)
    assert [first for first, _ in sorted(simulation.calls)] == [10, 15, 20]
    small.assert_holds(place, 22)
    assert asmrisk.status(place, verify=True).complete


def test_the_root_is_the_last_file_that_a_run_writes(tmp_path):
    place, keys = tmp_path / "r.zarr", []
    for draws in (7, 12):
        keys.clear()
        small.write(small.Watched(place, lambda key, data: keys.append(key)), draws)
        shown = [key for key in keys if key.endswith("zarr.json")]
        assert keys[-1] == "zarr.json"
        assert keys.count("zarr.json") == 1
        # Metadata come after every chunk and every entry, and none of them is written twice.
        assert keys[-len(shown) :] == shown
        assert len(shown) == len(set(shown))


def test_a_reader_during_an_extension_sees_the_committed_draws(store):
    before, seen = xr.open_zarr(store), []

    class Looking(Fake):
        def block(self, block, slot):
            seen.append(asmrisk.open_results(store).sizes["draw"])
            small.assert_holds(store, 22)
            return super().block(block, slot)

    small.write(store, 40, simulation=Looking(small.declare(store, 40).spec))
    assert seen == [22] * 3
    # A dataset opened before reads the same draws afterwards.
    assert before.sizes["draw"] == 22
    assert before.amount.values.tobytes() == small.expected(22)["amount"].tobytes()
    small.assert_holds(store, 40)


def test_a_reader_at_any_moment_of_an_extension_sees_one_of_the_two_runs(store):
    seen = []

    def look(key, data):
        dataset = xr.open_zarr(store, chunks=None)
        draws = dataset.sizes["draw"]
        assert dataset.amount.values.tobytes() == small.expected(draws)["amount"].tobytes()
        assert asmrisk.open_results(store).sizes["draw"] == draws
        assert asmrisk.status(store, verify=True).faults == ()
        seen.append(draws)

    small.write(small.Watched(store, look), 31)
    assert set(seen) == {22}
    small.assert_holds(store, 31)
