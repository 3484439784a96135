"""Differences that are nothing but rounding are none; the smallest real ones are kept."""

import numpy as np
import pytest

from asmrisk.analysis.comparison import compare
from asmrisk.analysis.paired import without_rounding
from asmrisk.analysis.transitions import _changes, _Clinicians
from tests.analysis.synthetic_results import results

RNG = np.random.default_rng(3)
DRAWS = 50
#: Payments of clinicians, of which a fortieth is reduced or raised.
TERMS = RNG.lognormal(10.0, 1.0, (DRAWS, 8600)) * RNG.normal(0.0, 0.025, (DRAWS, 8600))


def added_one_by_one(terms):
    """Add in the order given: the sum that rounding moves most."""
    total = np.zeros(len(terms))
    for column in terms.T:
        total += column
    return total


def test_sums_in_another_order_do_not_differ():
    one, other = added_one_by_one(TERMS), added_one_by_one(TERMS[:, ::-1])
    assert (one != other).any()
    assert (without_rounding(one, other, "USD") == 0.0).all()
    # Neutral sums are all rounding; what they are sums of is not.
    neutral = TERMS - TERMS.mean(axis=1, keepdims=True)
    one, other = added_one_by_one(neutral), added_one_by_one(neutral[:, ::-1])
    assert (one != other).any()
    assert (without_rounding(one, other, "USD") == 0.0).all()
    shares = one / np.abs(TERMS).sum(axis=1), other / np.abs(TERMS).sum(axis=1)
    assert (without_rounding(*shares) == 0.0).all()


@pytest.mark.parametrize(
    ("size", "units", "effect"), [(1e8, "USD", 0.01), (0.4, "fraction", 1e-11), (0.0, "USD", 1e-5)]
)
def test_small_effects_stay(size, units, effect):
    baseline = np.full(DRAWS, size)
    found = without_rounding(baseline, baseline + effect, units)
    np.testing.assert_array_equal(found, (baseline + effect) - baseline)


def test_one_draw_that_differs_stays_and_nothing_becomes_something():
    baseline = np.zeros((DRAWS, 2))
    reform = baseline.copy()
    reform[7, 1], reform[8, 1] = 3.0, np.nan
    found = without_rounding(baseline, reform, "USD")
    assert found[7, 1] == 3.0
    assert np.isnan(found[8, 1])
    assert np.count_nonzero(found[:, 0]) == 0


def test_a_comparison_shows_no_rounding():
    base = results(40)
    noise = 1.0 + RNG.choice([-1.0, 1.0], base.medicare_savings.shape) * 2e-16
    reform = base.assign(medicare_savings=base.medicare_savings * noise)
    assert not reform.equals(base)
    rows = compare(base, reform, by=["year"], metrics=["medicare_savings"]).tables["differences"]
    for row in rows:
        assert (row["difference"], row["difference_error"], row["p05"], row["p95"]) == (0.0, 0.0, 0.0, 0.0)
        assert (row["tied"], row["larger"], row["unpaired_draws"]) == (1.0, 0.0, np.inf)
    # Not to the bit the same, so it is not said to be.
    assert not compare(base, reform, metrics=["medicare_savings"]).facts["reforms"][0]["identical"]


def test_nobody_gains_by_rounding():
    count = 400
    before = _Clinicians(
        key=np.arange(count),
        year=np.zeros(count, np.int64),
        cohort=np.zeros(count, np.int64),
        specialty=np.zeros(count, np.int64),
        practice_size=np.zeros(count, np.int64),
        score=RNG.uniform(0.0, 100.0, count),
        factor=RNG.uniform(-0.09, 0.09, count),
        part_b=RNG.lognormal(11.0, 1.0, count),
    )
    after = before._replace(factor=before.factor * (1.0 + RNG.choice([-2e-16, 2e-16], count)))
    assert (after.factor != before.factor).any()
    gains, _ = _changes(before, after, [()])
    # How many there are, and nothing of shares and changes, a year and over all years.
    assert set(gains.ravel().tolist()) == {float(count), 0.0}
    # One clinician's real change of a tenth of a cent is told.
    after = before._replace(factor=before.factor + np.where(before.key == 7, 1e-3 / before.part_b, 0.0))
    gains, _ = _changes(before, after, [()])
    assert gains.ravel()[np.isclose(gains.ravel(), 1e-3 / count, rtol=1e-6)].size == 2
