"""How long the blocks of a new store are: decided by the draws asked for and by what a draw takes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asmrisk
from asmrisk.analysis.jobs import run_job
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.arrays import ArraySpec, block_length
from tests import fake_run
from tests.results import small

MEGABYTE = 1_000_000


def arrays_of(numbers):
    """Arrays that take so many numbers of 8 bytes a draw, in two parts where there are two."""
    parts = [numbers // 2, numbers - numbers // 2] if numbers > 1 else [numbers]
    return {f"a{i}": ArraySpec(("draw", "kind"), (0, each), "float64", {}) for i, each in enumerate(parts)}


DRAWS = st.integers(1, 2_000_000)
#: Bytes of a draw from a few to more than a block may have.
NUMBERS = st.integers(1, 20 * MEGABYTE)
#: Draws of a parameter set, which a block holds whole.
SETS = st.integers(1, 512)


@given(DRAWS, NUMBERS, SETS)
def test_a_block_is_neither_long_nor_large(draws, numbers, together):
    length = block_length(draws, arrays_of(numbers), together)
    assert 1 <= length <= 512
    assert length % together == 0
    assert length * numbers * 8 <= 64 * MEGABYTE or length == together


@given(DRAWS, NUMBERS, SETS)
def test_there_are_eight_blocks_where_there_are_eight_sets(draws, numbers, together):
    length = block_length(draws, arrays_of(numbers), together)
    assert -(-draws // length) >= min(-(-draws // together), 8)


@given(DRAWS, NUMBERS, SETS)
def test_fewer_draws_are_filled_up_than_a_block_has(draws, numbers, together):
    length = block_length(draws, arrays_of(numbers), together)
    assert 0 <= -(-draws // length) * length - draws < length


@given(st.integers(64, 1_000_000))
def test_little_is_computed_that_nobody_asked_for(draws):
    length = block_length(draws, arrays_of(1000))
    # With as many blocks as that, filling up the last one adds about a draw to each.
    blocks = -(-draws // length)
    assert blocks * length - draws <= blocks


@given(DRAWS, st.integers(1, MEGABYTE), st.integers(0, MEGABYTE))
def test_larger_draws_never_make_longer_blocks(draws, numbers, more):
    assert block_length(draws, arrays_of(numbers + more)) <= block_length(draws, arrays_of(numbers))


@given(DRAWS)
def test_files_stay_few(draws):
    blocks = -(-draws // block_length(draws, arrays_of(1000)))
    # The longest block of which there are still eight, where there are eight draws: 21 draws make 11 files.
    longest = min(512, max(1, (draws - 1) // 7))
    assert blocks <= max(-(-draws // longest), -(-draws // 512) + 1)


@pytest.mark.parametrize(("draws", "files"), [(100_000, 200), (1_000, 10), (10_000, 25)])
def test_a_scenario_has_few_files_a_variable(draws, files):
    spec = fake_run.job("nowhere", draws).spec
    assert -(-draws // spec.block_shape[0]) <= files
    assert spec.block_shape[0] <= 512


@given(DRAWS)
def test_what_does_not_grow_with_draws_does_not_count(draws):
    labels = {"kind": ArraySpec(("kind",), (100 * MEGABYTE,), "float64", {})}
    assert block_length(draws, arrays_of(1000) | labels) == block_length(draws, arrays_of(1000))


def test_it_depends_on_the_machine_in_nothing(monkeypatch):
    lengths = [fake_run.job("nowhere", draws).spec.block_shape for draws in (5, 100, 5000, 100_000)]
    monkeypatch.setattr("os.cpu_count", lambda: 512)
    assert lengths == [fake_run.job("nowhere", draws).spec.block_shape for draws in (5, 100, 5000, 100_000)]


def test_blocks_can_be_made_for_draws_that_are_asked_for_later(load):
    chosen = load("population.clinicians=200")
    place = Path("nowhere")
    alone = run_job(chosen, place, 100)
    later = run_job(chosen, place, 100, most_draws=100_000)
    assert later.spec.block_shape == run_job(chosen, place, 100_000).spec.block_shape > alone.spec.block_shape
    assert later.lengths == (100,)
    # Fewer than are asked for now mean nothing.
    assert run_job(chosen, place, 100, most_draws=10).spec.block_shape == alone.spec.block_shape
    # Blocks hold parameter sets whole, where anything is unknown.
    doubt = {"behavior.cost_growth": {"distribution": "uniform", "low": 0.0, "high": 0.02}}
    for together, doubts, length in ((7, doubt, 14), (1, doubt, 13), (7, {}, 13)):
        run = {"draws_per_parameter_set": together}
        unknown = scenario_from_dict({"run": run, "uncertainty": doubts})
        assert run_job(unknown, place, 100).spec.block_shape == (length,)
    # What is given by hand counts.
    assert run_job(chosen, place, 100, block_size=7, most_draws=100_000).spec.block_shape == (7,)


def test_a_store_keeps_its_own(tmp_path):
    place = fake_run.run(tmp_path / "r.zarr", 16)
    assert asmrisk.status(place).block_length == block_length(16, arrays_of(1)) == 2
    fake_run.run(place, 40)
    state = asmrisk.status(place)
    assert (state.block_length, state.draws, state.complete) == (2, 40, True)


@given(st.integers(1, 40), st.integers(1, 45))
def test_blocks_cover_every_draw_once(draws, size):
    blocks = small.declare(Path("nowhere"), 1, size=size).spec.blocks((draws,))
    covered = [draw for block in blocks for draw in range(block.first, block.first + block.count)]
    # All of them whole: the last may go beyond what was asked for.
    assert covered == list(range(len(blocks) * size))
    assert draws <= len(covered) < draws + size
    assert [block.index for block in blocks] == [(number,) for number in range(len(blocks))]
    assert {block.count for block in blocks} == {size}
