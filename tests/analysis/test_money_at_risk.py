"""What somebody stands to lose, against counting and sums by hand."""

import math
import statistics

import numpy as np
import pytest

from asmrisk.analysis.money_at_risk import check_loss, hit_by_maximum, money_at_risk, penalized_in_a_row
from asmrisk.errors import InputError


def by_hand(dollars, sets, loss):
    """The same of one column of numbers, in plain Python."""
    kept = [(x, s) for x, s in zip(dollars, sets, strict=True) if not math.isnan(x)]
    values = sorted(x for x, _ in kept)
    n, average = len(values), statistics.fmean(values)
    of_sets = {}
    for x, s in kept:
        of_sets[s] = of_sets.get(s, 0.0) + x - average
    count = len(of_sets)
    squared_error = sum(each**2 for each in of_sets.values()) * count / (count - 1) / n**2
    worst = 0.05 * n
    whole = math.floor(worst + 1e-9)
    tail = (sum(values[:whole]) + (worst - whole) * values[whole]) / worst
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return {
        "mean": average,
        "mean_error": math.sqrt(squared_error),
        "sd": math.sqrt(sum((x - average) ** 2 for x in values) / n + squared_error),
        "p05": cuts[0],
        "p50": cuts[9],
        "p95": cuts[18],
        "worst_5_percent_mean": tail if 0.05 * count >= 20 else math.nan,
        "probability_of_loss": sum(x < 0 for x in values) / n,
        "probability_of_loss_above": sum(x < -loss for x in values) / n,
    }


@pytest.mark.parametrize("size", [1, 2])
def test_each_statistic_is_that_of_plain_python(size):
    rng = np.random.default_rng(5)
    dollars = np.round(rng.normal(-200.0, 1000.0, (840, 4)) + rng.normal(0.0, 400.0, (420, 1)).repeat(2, 0))
    dollars[:, 1] += 5000.0  # who never loses
    dollars[rng.random(840) < 0.1, 2] = np.nan
    dollars[::3, 3] = -700.0  # exactly the loss: not more than it
    numbers = np.arange(840) // size
    found = money_at_risk(dollars, None if size == 1 else numbers, loss=700.0)
    for who in range(4):
        expected = by_hand(dollars[:, who].tolist(), numbers.tolist(), 700.0)
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert found[name][who] == pytest.approx(value, rel=1e-9, nan_ok=True), name
    assert found["probability_of_loss_above"][1] == 0.0


def test_a_tail_needs_twenty_parameter_sets():
    dollars = np.arange(400.0)[:, None]
    assert money_at_risk(dollars, None)["worst_5_percent_mean"][0] == pytest.approx(9.5)
    assert math.isnan(money_at_risk(dollars[1:], None)["worst_5_percent_mean"][0])
    assert math.isnan(money_at_risk(dollars, np.arange(400) // 2)["worst_5_percent_mean"][0])


def test_without_a_loss_its_probability_is_not_told_and_nobody_is_nobody():
    dollars = np.ones((10, 2))
    dollars[:, 1] = np.nan
    found = money_at_risk(dollars, None)
    assert np.isnan(found["probability_of_loss_above"]).all()
    assert found["sd"][0] == found["mean_error"][0] == found["probability_of_loss"][0] == 0.0
    assert all(math.isnan(each[1]) for each in found.values())
    assert {each.shape for each in money_at_risk(dollars[:, :0], None).values()} == {(0,)}


@pytest.mark.parametrize("loss", [-500_000, -0.5, 0, 0.0, math.nan, math.inf, True, "500000"])
def test_a_loss_is_asked_for_as_a_positive_number(loss):
    """The chance of losing $500,000 came out as 0 for a wrong sign."""
    for refused in (check_loss, lambda each: money_at_risk(np.zeros((3, 1)), None, loss=each)):
        with pytest.raises(InputError) as caught:
            refused(loss)
        assert caught.value.problems[0].argument == "loss"
    if loss == -500_000:
        assert "positive" in str(caught.value)
        assert "write 500000 for the chance of losing more than $500,000" in str(caught.value)


def test_who_is_hit_hardest_is_counted_as_loops_count():
    rng = np.random.default_rng(2)
    risk = np.array([[0.09, 0.09, 0.1, 0.11, 0.12]])
    factors = rng.choice([-0.09, -0.12, -0.01, 0.0, 0.03, np.nan], (50, 5, 3))
    most, row = hit_by_maximum(factors, risk), penalized_in_a_row(factors)
    for draw in range(50):
        for who in range(3):
            one = factors[draw, :, who].tolist()
            assert most[draw, :, who].tolist() == [x <= -r for x, r in zip(one, risk[0], strict=True)]
            assert row[draw, who] == any(all(x < 0 for x in one[k : k + 3]) for k in range(3))
    assert 0 < row.sum() < row.size
