"""Ranks that draws tell, against paired differences one by one."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from asmrisk.analysis.ranking import ranks_of, ranks_of_sums


def by_pairs(draws, size):
    """The same by a t test of each pair, on means of sets."""
    count = draws.shape[1]
    of_sets = draws.reshape(-1, size, count).mean(axis=1)
    first, last = [1] * count, [count] * count
    for one, other in combinations(range(count), 2):
        difference = of_sets[:, one] - of_sets[:, other]
        p = stats.ttest_1samp(difference, 0.0).pvalue
        if p < 0.05 / (count * (count - 1) / 2):
            low, high = (one, other) if difference.mean() < 0 else (other, one)
            first[high] += 1
            last[low] -= 1
    return first, last


@pytest.mark.parametrize("size", [1, 4])
def test_ranks_are_those_of_all_pairs(size):
    rng = np.random.default_rng(4)
    shared = rng.normal(0.0, 30.0, (100, 1))
    doubt = rng.normal(0.0, 2.0, (25, 9)).repeat(4, axis=0)
    draws = np.linspace(-6.0, 6.0, 9) ** 3 / 20 + shared + doubt + rng.normal(0.0, 4.0, (100, 9))
    found = ranks_of(draws, None if size == 1 else np.arange(100) // size)
    first, last = by_pairs(draws, size)
    assert (found.first.tolist(), found.last.tolist()) == (first, last)
    # The same from sums over independent parts, as those have them who keep no draws.
    parts = (draws - draws.mean(axis=0)).reshape(-1, size, 9).sum(axis=1)
    again = ranks_of_sums(draws.mean(axis=0), parts, 100)
    assert (again.said, again.draws_needed) == (found.said, pytest.approx(found.draws_needed))
    assert 1 < len(set(zip(first, last, strict=True))) < 9
    assert found.in_lower_half.tolist() == [each <= 4.5 for each in last]
    assert found.in_upper_half.tolist() == [each > 5 for each in first]


def test_of_equals_one_is_told_apart_in_one_case_of_twenty_at_most():
    rng = np.random.default_rng(9)
    trials = 600
    wrong = sum(
        (ranks_of(each).first > 1).any() for each in rng.normal(size=(trials, 40, 6)) * [1, 2, 3, 4, 5, 6]
    )
    # The most that chance makes of 5%, four standard deviations.
    assert wrong <= 0.05 * trials + 4 * math.sqrt(0.05 * 0.95 * trials)


def test_so_many_draws_tell_the_lowest_from_the_middle():
    rng = np.random.default_rng(1)
    means = np.array([-1.0, -0.1, 0.0, 0.1, 0.2])
    few = ranks_of(means + rng.normal(size=(6, 5)))
    # By hand: the difference of means of independent draws has the variance 2 / n; ten pairs, two sides.
    expected = 2.0 * stats.norm.ppf(1 - 0.05 / 2 / 10) ** 2
    assert few.last[0] > 2
    assert few.draws_needed > 6
    many = ranks_of(means + rng.normal(size=(4000, 5)))
    assert many.draws_needed == pytest.approx(expected, rel=0.2)
    assert many.said[0] == "1"


def test_without_noise_or_errors():
    assert ranks_of(np.array([[3.0, 1.0, 1.0]] * 5)).said == ["3", "1-2", "1-2"]
    assert ranks_of(np.array([[3.0, 1.0]])).said == ["1-2", "1-2"]
    alone = ranks_of(np.zeros((5, 1)))
    assert alone.said == ["1"]
    assert alone.draws_needed == math.inf
    assert ranks_of(np.zeros((0, 2)), np.zeros(0, np.int64)).said == ["1-2", "1-2"]
