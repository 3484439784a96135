"""The split by group against pick-freeze estimates of a model with known answers, and its limits."""

import numpy as np
import pytest
from scipy.stats import binom

from asmrisk.analysis.shares import CHANCE, GROUPS, PARTS, REST, expected_at, group_of, regressors, shares
from asmrisk.scenario.declarations import PARAMETERS

RULE, PAYMENTS, QUALITY_AND_COST, BEHAVIOR = GROUPS
#: Group of each of the model's unknowns: three that do nothing beside those that do.
UNKNOWNS = (BEHAVIOR, PAYMENTS, QUALITY_AND_COST, BEHAVIOR, RULE, RULE, QUALITY_AND_COST)
CHANCE_SD = 1.5
REPETITIONS = 60
FEWEST = int(binom.ppf(1e-4, REPETITIONS, 0.95))


def model(x):
    """An additive model of uniform unknowns, and an interaction of a behavior with a payment."""
    u = x - 0.5
    return 10.0 * u[:, 0] + 4.0 * u[:, 1] + 2.0 * u[:, 2] - 3.0 * u[:, 3] + 15.0 * u[:, 0] * u[:, 1]


def pick_freeze(count=400_000):
    """Shares of the variance of a single draw, by first and total indices of groups of unknowns.

    The first index by the estimator of Saltelli (2010), the total index by Jansen's (1999): what all groups'
    first indices leave is interaction, and it agrees with the total indices.
    """
    rng = np.random.default_rng(1)
    a, b = rng.random((2, count, len(UNKNOWNS)))
    of_a, of_b = model(a), model(b)
    variance = np.concatenate([of_a, of_b]).var()
    first, total = {}, {}
    for group in GROUPS:
        mixed = np.where([each == group for each in UNKNOWNS], b, a)
        first[group] = np.mean(of_b * (model(mixed) - of_a))
        total[group] = np.mean((of_a - model(mixed)) ** 2) / 2.0
    rest = variance - sum(first.values())
    assert total[BEHAVIOR] - first[BEHAVIOR] == pytest.approx(rest, rel=0.05)
    return np.array([*first.values(), rest, CHANCE_SD**2]) / (variance + CHANCE_SD**2)


@pytest.fixture(scope="module")
def truth():
    found = pick_freeze()
    exact = np.array([0.0, 16.0 / 12, 4.0 / 12, 109.0 / 12, 225.0 / 144, CHANCE_SD**2])
    np.testing.assert_allclose(found, exact / exact.sum(), atol=0.005)
    return exact / exact.sum()


def drawn(seed, count, size):
    rng = np.random.default_rng([7, seed])
    x = rng.random((count, len(UNKNOWNS)))
    sets = np.repeat(np.arange(count), size)
    return model(x)[sets] + CHANCE_SD * rng.normal(size=len(sets)), sets, x[sets]


@pytest.mark.parametrize(("count", "size"), [(500, 2), (120, 8)])
def test_shares_are_those_of_pick_freeze_within_their_errors(truth, count, size):
    found = [shares(*drawn(seed, count, size), UNKNOWNS) for seed in range(REPETITIONS)]
    values = np.array([each.value for each in found])
    np.testing.assert_allclose(values.sum(axis=1), 1.0)
    bias = values.mean(axis=0) - truth
    assert (np.abs(bias) < 4.0 * values.std(axis=0, ddof=1) / np.sqrt(REPETITIONS)).all()
    covered = np.array([(each.low <= truth) & (truth <= each.high) for each in found])
    assert (covered.sum(axis=0) >= FEWEST).all()


def test_many_unknowns_that_do_nothing_explain_nothing():
    """Neither chance in the set means nor fitting adds to a group."""
    found = []
    for seed in range(REPETITIONS):
        rng = np.random.default_rng([8, seed])
        sets = np.repeat(np.arange(100), 2)
        columns = rng.normal(size=(100, 30))[sets]
        found.append(shares(rng.normal(size=200), sets, columns, [BEHAVIOR] * 30).value)
    part = np.array(found)[:, PARTS.index(BEHAVIOR)]
    assert abs(part.mean()) < 4.0 * part.std(ddof=1) / np.sqrt(REPETITIONS)


@pytest.mark.parametrize("chance", [0.01, 1.0])
def test_an_additive_world_has_nothing_left(chance):
    """However small the errors get: shrinking of slopes does not look like interaction."""
    held = []
    for seed in range(REPETITIONS):
        rng = np.random.default_rng([12, seed])
        sets = np.repeat(np.arange(250), 2)
        columns = rng.normal(size=(250, 4))[sets]
        values = columns @ [3.0, 1.0, 0.5, 0.0] + chance * rng.normal(size=500)
        found = shares(values, sets, columns, GROUPS)
        held.append(found.low[PARTS.index(REST)] <= 0.0 <= found.high[PARTS.index(REST)])
    assert sum(held) >= FEWEST


def test_unknowns_that_are_one_and_the_same_share_what_they_explain():
    rng = np.random.default_rng(13)
    sets = np.repeat(np.arange(200), 2)
    column = rng.normal(size=200)[sets]
    values = column + 0.1 * rng.normal(size=400)
    found = shares(values, sets, np.column_stack([column, column]), [RULE, PAYMENTS])
    assert found.value[:2] == pytest.approx([0.5, 0.5], abs=0.01)


def test_what_correlated_unknowns_share_is_parted_between_them():
    """Of y = x1 + x2 with correlation r each has (1 + r)."""
    rng = np.random.default_rng(9)
    sets = np.repeat(np.arange(4000), 2)
    x = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 4000)
    found = shares(x.sum(axis=1)[sets] + rng.normal(size=8000), sets, x[sets], [RULE, PAYMENTS])
    expected = np.array([1.6, 1.6, 0.0, 0.0, 0.0, 1.0]) / 4.2
    assert (np.abs(found.value - expected) <= 4.0 * found.error + 1e-12).all()
    assert found.error[2:4].tolist() == [0.0, 0.0]


def test_words_have_a_column_for_each_but_one():
    values = np.array([[0.3, 2.0], [0.1, 0.0], [0.2, 1.0], [0.9, 2.0]])
    columns, unknowns = regressors(values, [False, True])
    assert unknowns.tolist() == [0, 1, 1]
    assert columns.T.tolist() == [[0.3, 0.1, 0.2, 0.9], [0, 0, 1, 0], [1, 0, 0, 1]]
    assert regressors(np.zeros((4, 0)), [])[0].shape == (4, 0)


def test_a_word_whose_effect_has_no_order_is_explained():
    rng = np.random.default_rng(10)
    sets = np.repeat(np.arange(300), 2)
    word = rng.integers(0, 3, 300).astype(float)
    effect = np.array([0.0, 5.0, 0.0])[word.astype(int)]
    values = effect[sets] + rng.normal(size=600)
    columns, _ = regressors(word[sets][:, None], [True])
    found = dict(zip(PARTS, shares(values, sets, columns, [RULE, RULE]).value, strict=True))
    assert found[RULE] == pytest.approx(25 * 2 / 9 / (25 * 2 / 9 + 1), abs=0.04)
    assert found[REST] == pytest.approx(0.0, abs=0.02)
    assert found[CHANCE] == pytest.approx(1 / (25 * 2 / 9 + 1), abs=0.04)


def test_draws_without_an_outcome_are_left_out():
    values, sets, x = drawn(1, 60, 3)
    gone = np.random.default_rng(11).random(180) < 0.3
    found = shares(np.where(gone, np.nan, values), sets, x, UNKNOWNS)
    kept = shares(values[~gone], sets[~gone], x[~gone], UNKNOWNS)
    np.testing.assert_array_equal(found, kept)


def test_what_cannot_be_told_is_not_told():
    values, sets, x = drawn(2, 40, 2)
    for one in (
        shares(values, None, x, UNKNOWNS),
        shares(values[::2], sets[::2], x[::2], UNKNOWNS),
        shares(values[:30], sets[:30], x[:30], UNKNOWNS),
        shares(np.full(80, 3.0), sets, x, UNKNOWNS),
        shares(np.full(80, np.nan), sets, x, UNKNOWNS),
    ):
        assert np.isnan(one).all()


def test_the_value_at_a_point_is_found_within_its_error():
    at = np.full(len(UNKNOWNS), 0.5)
    found = np.array([expected_at(*drawn(seed, 500, 2), at) for seed in range(REPETITIONS)])
    assert (np.abs(found[:, 0]) < 1.96 * found[:, 1]).sum() >= FEWEST
    assert found[:, 0].std(ddof=1) == pytest.approx(found[:, 1].mean(), rel=0.35)
    values, sets, x = drawn(1, 500, 1)
    assert expected_at(values, None, x, at) == pytest.approx(expected_at(values, sets, x, at))
    assert np.isnan(expected_at(values[:10], sets[:10], x[:10], at)).all()


def test_every_parameter_has_a_group():
    by_name = {name: group_of(name) for name in PARAMETERS if not name.startswith("run.")}
    assert set(by_name.values()) == set(GROUPS)
    assert {name.partition(".")[0] for name, group in by_name.items() if group == RULE} == {"policy"}
    assert all(group == RULE for name, group in by_name.items() if name.startswith("policy."))
    assert by_name["behavior.part_b_growth"] == PAYMENTS
    assert group_of("behavior.cost_response_penalized.2029") == BEHAVIOR
    assert group_of("population.part_b_tail_slope.cardiology") == PAYMENTS
    assert by_name["population.cost_reliability"] == by_name["population.hcc_mean"] == QUALITY_AND_COST
