"""Chance and doubt: the analysis of variance in plain loops, exact expectations, and coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from asmrisk.analysis.doubt import chance_and_doubt, components, jackknife, set_sums

REPETITIONS, SETS = 200, 500
#: An interval is taken for one of less than 95% if that many miss in fewer than one of 10,000 trials of one
#: that has it.
FEWEST = int(binom.ppf(1e-4, REPETITIONS, 0.95))

#: Effects of variance 1: symmetric, with a point mass (as a response that may be nothing at all), skewed.
EFFECTS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "point_mass": lambda rng, shape: (
        np.where(rng.random(shape) < 0.4, 0.0, rng.random(shape)) / np.sqrt(0.6 / 3 - 0.09)
    ),
    "exponential": lambda rng, shape: rng.exponential(size=shape),
}


def by_loops(values, sets):
    """The mean squares as textbooks write them, with one group after the other."""
    groups = [values[sets == each] for each in np.unique(sets)]
    groups = [group[~np.isnan(group)] for group in groups]
    groups = [group for group in groups if len(group)]
    k, n = len(groups), sum(map(len, groups))
    grand = sum(group.sum() for group in groups) / n
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / (n - k)
    between = sum(len(group) * (group.mean() - grand) ** 2 for group in groups) / (k - 1)
    size = (n - sum(len(group) ** 2 for group in groups) / n) / (k - 1)
    return within, (between - within) / size


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(1, 5), min_size=4, max_size=12))
def test_parts_are_those_of_the_analysis_of_variance(seed, sizes):
    sizes[:2] = [2, 3]
    rng = np.random.default_rng(seed)
    sets = np.repeat(7 + 2 * np.arange(len(sizes)), sizes)
    values = 1e9 + rng.normal(size=(len(sets), 3)) + np.repeat(rng.normal(size=len(sizes)), sizes)[:, None]
    values[rng.random(values.shape) < 0.05] = np.nan
    values[:5] = 1e9 + rng.normal(size=(5, 3))
    found = chance_and_doubt(values, sets)
    for column in range(3):
        chance, doubt = by_loops(values[:, column], sets)
        assert found.chance.value[column] == pytest.approx(chance, rel=1e-5)
        assert found.doubt.value[column] == pytest.approx(doubt, rel=1e-5, abs=1e-6)


def test_sets_of_one_size_have_the_variance_of_set_means_less_chance_over_m():
    values = np.random.default_rng(1).normal(size=(60, 4, 2)).cumsum(axis=0)
    found = chance_and_doubt(values, np.arange(60) // 4)
    groups = values.reshape(15, 4, 4, 2)
    chance = groups.var(axis=1, ddof=1).mean(axis=0)
    np.testing.assert_allclose(found.chance.value, chance)
    np.testing.assert_allclose(found.doubt.value, groups.mean(axis=1).var(axis=0, ddof=1) - chance / 4)


def test_errors_are_those_of_sets_left_out_one_after_the_other():
    rng = np.random.default_rng(2)
    sets = np.repeat(np.arange(12), rng.integers(1, 5, 12))
    values = rng.normal(size=(len(sets), 1)) + sets[:, None]
    found = chance_and_doubt(values, sets)
    without = np.array([by_loops(values[sets != each, 0], sets[sets != each]) for each in range(12)])
    expected = np.sqrt(11 / 12 * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    assert [part.error[0] for part in found] == pytest.approx(expected)
    again = [float(each[0]) for each in components(set_sums(values, sets))]
    assert again == pytest.approx([float(part.value[0]) for part in found])


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("draws_per_set", [2, 8])
@pytest.mark.parametrize("doubt", [0.0, 0.3, 10.0])
def test_intervals_hold_the_truth_and_estimates_have_no_bias(effects, draws_per_set, doubt):
    """One column a repetition; chance has variance 1, and the last set is incomplete."""
    rng = np.random.default_rng([draws_per_set, int(10 * doubt), len(effects)])
    sets = np.repeat(np.arange(SETS), draws_per_set)[:-1]
    of_sets = np.sqrt(doubt) * EFFECTS[effects](rng, (SETS, REPETITIONS))
    values = of_sets[sets] + EFFECTS[effects](rng, (len(sets), REPETITIONS))
    for part, truth in zip(chance_and_doubt(values, sets), (1.0, doubt), strict=True):
        assert ((part.low <= truth) & (truth <= part.high)).sum() >= FEWEST
        error = part.value.std(ddof=1) / np.sqrt(REPETITIONS)
        assert abs(part.value.mean() - truth) < 4.0 * error
        assert (part.low <= part.value).all()
        assert (part.value <= part.high).all()


@pytest.mark.parametrize("sizes", ["alike", "from one to nine"])
def test_chance_may_differ_between_sets(sizes):
    """Its mean is found, and what it adds to the set means is not taken for doubt."""
    rng = np.random.default_rng(3)
    size = np.full(SETS, 3) if sizes == "alike" else rng.integers(1, 10, SETS)
    sets = np.repeat(np.arange(SETS), size)
    spread = rng.uniform(0.0, 2.0, (SETS, REPETITIONS))
    values = spread[sets] * rng.normal(size=(len(sets), REPETITIONS))
    found = chance_and_doubt(values, sets)
    assert ((found.doubt.low <= 0.0) & (found.doubt.high >= 0.0)).sum() >= FEWEST
    assert abs(found.doubt.value.mean()) < 4.0 * found.doubt.value.std() / np.sqrt(REPETITIONS)
    assert (~(found.doubt.low > 0.0)).sum() >= FEWEST
    assert found.chance.value.mean() == pytest.approx(4 / 3, rel=0.02)
    assert (found.chance.low > 0.0).all()


def test_a_certain_world_and_a_world_without_chance():
    sets = np.repeat(np.arange(50), 2)
    constant = chance_and_doubt(np.full(100, 3e9), sets)
    assert [float(each) for part in constant for each in part] == [0.0] * 8
    certain = chance_and_doubt(np.repeat(np.random.default_rng(4).normal(size=50), 2), sets)
    assert [float(each) for each in certain.chance] == [0.0] * 4
    assert certain.doubt.low < certain.doubt.value < certain.doubt.high
    assert certain.doubt.low > 0.0


@pytest.mark.parametrize(
    ("sets", "known", "with_errors"),
    [
        (None, False, False),
        (np.arange(6), False, False),
        (np.zeros(6, dtype=np.int64), False, False),
        (np.array([0, 0, 0, 1, 1, 1]), True, False),
        (np.array([0, 0, 1, 1, 2, 2]), True, True),
    ],
)
def test_what_cannot_be_told_is_not_told(sets, known, with_errors):
    values = np.array([1.0, 2.0, 4.0, 7.0, 1.0, 0.0])
    for column in (values, np.column_stack([values, values])):
        found = chance_and_doubt(column, sets)
        assert bool(np.isfinite(found.doubt.value).all()) == known
        for part in found[1:]:
            assert part.value.shape == column.shape[1:]
            assert bool(np.isfinite(part.error).all()) == with_errors
            assert bool(np.isfinite(part.high).all()) == with_errors
            assert with_errors or not (part.low > 0.0).any()


def test_an_outcome_that_is_nowhere_defined_has_no_parts():
    values = np.column_stack([np.full(8, np.nan), np.arange(8.0)])
    found = chance_and_doubt(values, np.arange(8) // 2)
    assert np.isnan([each[0] for part in found for each in part]).all()
    assert np.isfinite([each[1] for part in found for each in part]).all()


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(5).normal(size=30)
    without = (values.sum() - values) / 29
    assert jackknife(without) == pytest.approx(values.std(ddof=1) / np.sqrt(30))
    assert np.isnan(jackknife(without[:2]))
    assert jackknife(np.append(without, np.nan)) == pytest.approx(jackknife(without))
