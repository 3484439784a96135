"""Effects averaged over orders, against the definition: every order, one part after the other."""

import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from asmrisk.analysis.shapley import PART, effects_of, only_together, subsets
from asmrisk.analysis.statistics import columns_of, estimates

COLUMNS = columns_of(PART)


def by_orders(outcome, parts):
    """Put the parts into force in every order; what each adds, by part, in the order of the permutations."""
    added = {part: [] for part in range(parts)}
    for order in permutations(range(parts)):
        there = set()
        for part in order:
            before = outcome[frozenset(there)]
            there.add(part)
            added[part].append(outcome[frozenset(there)] - before)
    return added


def told(effects):
    return dict(zip(COLUMNS, estimates(PART, effects).tolist(), strict=True))


def all_told(outcomes):
    parts, whole = effects_of(outcomes)
    return [told(each) for each in (*parts, whole)]


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_effects_are_means_over_all_orders(parts):
    rng = np.random.default_rng(parts)
    outcome = {each: rng.normal(1e6, 1e5, 30) for each in subsets(parts)}
    stacked = np.stack(list(outcome.values()))
    (found, all_of_it), added = effects_of(stacked), by_orders(outcome, parts)
    whole = outcome[frozenset(range(parts))] - outcome[frozenset()]
    for part, each in enumerate(found):
        np.testing.assert_allclose(each.values, np.mean(added[part], axis=0), rtol=1e-12, atol=1e-6)
        row = told(each)
        assert row["effect_error"] == pytest.approx(stats.sem(np.mean(added[part], axis=0)))
        means = np.mean(added[part], axis=1)
        assert (row["least"], row["most"]) == pytest.approx((means.min(), means.max()))
        alone = outcome[frozenset({part})] - outcome[frozenset()]
        last = outcome[frozenset(range(parts))] - outcome[frozenset(range(parts)) - {part}]
        assert (row["first"], row["last"]) == pytest.approx((alone.mean(), last.mean()))
        assert row["last_error"] == pytest.approx(stats.sem(last))
    np.testing.assert_allclose(sum(each.values for each in found), whole, rtol=1e-9)
    alone = sum(outcome[frozenset({part})] - outcome[frozenset()] for part in range(parts))
    together = only_together(found, all_of_it)
    assert float(together.value) == pytest.approx((whole - alone).mean(), abs=1e-9)
    assert float(together.error) == pytest.approx(stats.sem(whole - alone), abs=1e-9)


def test_a_part_without_effect_is_exactly_zero_and_draws_without_an_outcome_count_nowhere():
    rng = np.random.default_rng(5)
    one, other = rng.normal(size=(2, 40)) / 3.0
    base, together = rng.normal(size=40), rng.normal(size=40) / 7.0
    # The second part of three changes nothing, whatever else is in force.
    outcome = [
        base + one * (0 in each) + other * (2 in each) + together * ({0, 2} <= each) for each in subsets(3)
    ]
    outcome[3][7] = np.nan
    *found, whole = all_told(np.stack(outcome))
    for name in ("effect", "effect_error", "sd", "first", "last", "least", "most", "p05", "p95"):
        assert found[1][name] == 0.0
    assert [row["draws"] for row in found] == [39] * 3
    assert whole["draws"] == 39
    assert sum(row["effect"] for row in found) == pytest.approx(whole["effect"], rel=1e-9)


def test_a_share_is_not_told_of_a_difference_that_is_not():
    rng = np.random.default_rng(6)
    noise = rng.normal(size=(3, 50))
    nothing = np.stack([np.zeros(50), noise[0], noise[1], noise[0] + noise[1] - noise[:2].mean()])
    assert all(math.isnan(row["share"]) for row in all_told(nothing))
    sure = np.stack([np.zeros(50), 3.0 + noise[0], 1.0 + noise[1], 4.0 + noise[0] + noise[1]])
    *found, whole = all_told(sure)
    assert sum(row["share"] for row in found) == pytest.approx(1.0)
    assert (whole["share"], whole["share_error"]) == pytest.approx((1.0, 0.0))


def test_errors_hold_the_truth_as_often_as_they_say():
    """Effects with interaction, draws in sets of two that share their doubt; 2,000 trials."""
    rng, trials, sets = np.random.default_rng(8), 2000, 40
    # Four outcomes of correlated parts: the interaction of the third column depends on the doubt too.
    mean = np.array([1.0, 2.0, -0.5])
    covered = np.zeros(3)
    for _ in range(trials):
        doubt = rng.normal(size=(sets, 3)).repeat(2, axis=0)
        draws = mean + doubt + rng.normal(size=(2 * sets, 3))
        zero = np.zeros(2 * sets)
        outcome = np.stack([zero, draws[:, 0], draws[:, 1], draws.sum(axis=1)])
        numbers = np.arange(2 * sets) // 2
        both, whole = effects_of(outcome, numbers)
        estimate = [
            *((told(each)["effect"], told(each)["effect_error"]) for each in both),
            tuple(map(float, only_together(both, whole)[:2])),
        ]
        truth = (0.75, 1.75, -0.5)
        limit = stats.t.ppf(0.975, sets - 1)
        covered += [
            abs(one - true) <= limit * error for (one, error), true in zip(estimate, truth, strict=True)
        ]
    # Means of normal set means: exactly 95%; four standard errors of the trial.
    tolerance = 4.0 * math.sqrt(0.05 * 0.95 / trials)
    assert covered / trials == pytest.approx(np.full(3, 0.95), abs=tolerance)
