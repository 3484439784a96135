"""Stratified populations: each uniform as uniform as before, means unbiased, fewer draws needed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import asmrisk
from asmrisk.analysis.run_results import LatinHypercubeWarning
from asmrisk.numerics.jit import kernel
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.simulation.keys import (
    BLOCK_CASES,
    BLOCK_MIX,
    BLOCK_WHO,
    PERMANENT,
    Clinicians,
    fill_permanent,
    fill_uniforms,
    permute,
    stream,
)
from asmrisk.simulation.model import Model, simulate_block

KEY = np.array([11, 22], np.uint64)


@kernel
def _fill(u, block, slot, number, base, draw, key, n, cohort, slots):
    fill_permanent(u, block, Clinicians(slot, number, base), draw, key, n, cohort, slots)


def uniforms(slots: int, draw: int = 0, block: int = BLOCK_WHO, cohort: int = 0, *, strata: bool = True):
    """Give the four uniforms of the first generation of every slot."""
    u = np.zeros((4, slots))
    slot = np.arange(slots)
    base = stream(cohort, slot % 7, 0, PERMANENT)
    _fill(u, block, slot, slot // 7, base, draw, KEY, slots, cohort, slots if strata else 0)
    return u


@settings(deadline=None)
@given(st.integers(1, 3000), st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4))
def test_a_permutation_reaches_every_place_once(slots, words):
    mask = max(1 << (slots - 1).bit_length(), 4) - 1
    places = [permute(slot, slots, mask, *words) for slot in range(slots)]
    assert sorted(places) == list(range(slots))


@pytest.mark.parametrize("slots", [1, 2, 5, 1000, 5304])
@pytest.mark.parametrize("block", [BLOCK_WHO, BLOCK_MIX, BLOCK_CASES, BLOCK_CASES + 1])
def test_every_part_of_the_unit_interval_has_one_clinician(slots, block):
    strata = np.sort(np.floor(uniforms(slots, 3, block) * slots).astype(int), axis=1)
    assert (strata == np.arange(slots)).all()


def test_those_who_enter_later_are_drawn_as_ever():
    slot = np.arange(100)
    base = np.where(slot % 2 == 0, stream(1, 0, 0, PERMANENT), stream(1, 0, 3, PERMANENT))
    u, plain = np.zeros((4, 100)), np.zeros((4, 100))
    _fill(u, BLOCK_WHO, slot, slot, base, 5, KEY, 100, 1, 100)
    fill_uniforms(plain, BLOCK_WHO, slot, base, PERMANENT, 5, KEY, 0, 100)
    assert (u[:, 1::2] == plain[:, 1::2]).all()
    assert (u[:, ::2] != plain[:, ::2]).all()


def test_each_clinicians_uniform_is_uniform_over_the_draws():
    drawn = np.stack([uniforms(50, draw) for draw in range(4000)])
    # 12 tests at 1e-6 each.
    for slot in (0, 24, 49):
        for lane in range(4):
            assert stats.kstest(drawn[:, lane, slot], "uniform").pvalue > 1e-6


def test_lanes_cohorts_draws_and_slots_are_not_tied_to_each_other():
    u = uniforms(5304)
    others = [u[1], u[2], u[3], uniforms(5304, 1)[0], uniforms(5304, cohort=1)[0], uniforms(5304, block=1)[0]]
    others += [np.roll(u[0], 1), np.arange(5304) / 5304]
    for other in others:
        cells = np.histogram2d(u[0], other, bins=16, range=[[0, 1], [0, 1]])[0]
        # Both margins are fixed: (16 - 1)**2 degrees of freedom; 8 tests at 1e-6 each.
        assert stats.chi2.sf(((cells - 5304 / 256) ** 2 / (5304 / 256)).sum(), 225) > 1e-6


def scenario(**population: object) -> Scenario:
    return scenario_from_dict({"population": {"clinicians": 400.0, **population}})


@pytest.fixture(scope="module")
def blocks() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The same draws with and without strata."""
    first = simulate_block(Model(scenario()), 0, 1500)
    second = simulate_block(Model(scenario(latin_hypercube=True)), 0, 1500)
    return first, second


@pytest.mark.parametrize(
    "name", ["medicare_savings", "retained_savings", "part_b_paid", "penalized_share", "median_final_score"]
)
def test_means_are_unbiased(blocks, name):
    plain, stratified = (block[name].mean(axis=(1, 2)) for block in blocks)
    error = np.hypot(plain.std(ddof=1), stratified.std(ddof=1)) / np.sqrt(len(plain))
    # 5 tests at 1e-6 each.
    assert abs(plain.mean() - stratified.mean()) < 4.9 * error


def test_savings_need_fewer_draws(blocks):
    plain, stratified = (block["medicare_savings"].sum(axis=(1, 2)) for block in blocks)
    ratio = stratified.var(ddof=1) / plain.var(ddof=1)
    # Equal variances would give this once in a million.
    assert ratio < stats.f.ppf(1e-6, len(plain) - 1, len(plain) - 1)


def test_draws_stay_independent(blocks):
    savings = blocks[1]["medicare_savings"].sum(axis=(1, 2))
    correlation = np.corrcoef(savings[1:], savings[:-1])[0, 1]
    assert abs(correlation) < 4.9 / np.sqrt(len(savings))


def test_a_draw_depends_on_its_number_alone(blocks):
    again = simulate_block(Model(scenario(latin_hypercube=True)), 700, 3)
    for name, values in again.items():
        assert values.tobytes() == blocks[1][name][700:703].tobytes(), name


@pytest.mark.parametrize("latin_hypercube", [False, True])
def test_a_summary_says_what_strata_take_away(tmp_path, latin_hypercube):
    path = asmrisk.run(
        scenario(latin_hypercube=latin_hypercube), draws=4, out=tmp_path / "x.zarr", quiet=True
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        asmrisk.summarize(path)
        asmrisk.convergence(path, ["medicare_savings"])
    assert len(said) == (2 if latin_hypercube else 0)
    assert all(issubclass(each.category, LatinHypercubeWarning) for each in said)
