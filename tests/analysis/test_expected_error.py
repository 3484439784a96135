"""Expected standard errors, against the variances of models in which they are known."""

import math

import numpy as np
import pytest

from asmrisk.analysis.doubt import mean_given_assumptions
from asmrisk.analysis.estimates import mean
from asmrisk.analysis.expected_error import expected_errors


def pilots(generator, count, chance, doubt, sets=20, each=2):
    """Give the draws of so many pilots: normal, with these standard deviations; and their sets."""
    numbers = np.repeat(np.arange(sets), each)
    centers = doubt * generator.standard_normal((count, sets))[:, numbers]
    return centers + chance * generator.standard_normal((count, sets * each)), numbers


@pytest.mark.parametrize(("per_set", "draws"), [(2, 1_000), (8, 1_003), (5, 3)])
def test_intervals_hold_the_errors_that_theory_gives(per_set, draws):
    """The squared error of a mean is chance²/n, and with doubt Σ m²/n² doubt² more."""
    chance, doubt = 1.5, 4.0
    sizes = np.array([per_set] * (draws // per_set) + [draws % per_set])
    truths = chance / math.sqrt(draws), math.sqrt(chance**2 / draws + doubt**2 * (sizes**2).sum() / draws**2)
    values, sets = pilots(np.random.default_rng(17), 400, chance, doubt)
    found = [expected_errors(each, sets, draws, per_set) for each in values]
    for truth, errors in zip(truths, zip(*found, strict=True), strict=True):
        held = np.mean([each.low <= truth <= each.high for each in errors])
        # 400 trials of 0.95 have a standard error of 0.011; intervals of 20 sets are a little too short.
        assert 0.95 - 0.06 < held <= 0.95 + 0.04
        # The mean square of 20 sets is known to a third, its root to a sixth; 400 of them to a hundredth.
        assert np.mean([each.value for each in errors]) == pytest.approx(truth, rel=0.05)


def test_of_the_pilots_own_draws_they_are_the_errors_of_its_mean():
    (values,), sets = pilots(np.random.default_rng(1), 1, 1.0, 3.0)
    given, whole = expected_errors(values, sets, len(values), 2)
    assert given.value == pytest.approx(float(mean_given_assumptions(values, sets).error))
    assert whole.value == pytest.approx(float(mean(values, sets).error))


def test_where_nothing_is_unknown_both_are_those_of_chance():
    values = np.random.default_rng(2).standard_normal(40)
    given, whole = expected_errors(values, None, 400, 1)
    assert given == whole
    assert given.value == pytest.approx(values.std(ddof=1) / 20.0)
    assert given.low < given.value < given.high


def test_with_one_draw_in_each_set_the_first_cannot_be_told():
    values = np.random.default_rng(3).standard_normal(40)
    given, whole = expected_errors(values, np.arange(40), 100, 1)
    assert math.isnan(given.value)
    assert whole.value == pytest.approx(values.std(ddof=1) / 10.0)


def test_draws_that_do_not_differ_have_no_error():
    assert expected_errors(np.ones(40), np.arange(40) // 2, 100, 2)[1].value == 0.0
