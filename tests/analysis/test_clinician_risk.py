"""Estimates of what happens to a roster's clinicians."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from asmrisk.analysis.clinician_risk import clinicians, statistics_at
from asmrisk.analysis.statistics import columns_of
from asmrisk.analysis.tail import tail_value_at_risk
from asmrisk.errors import InputError

STATISTICS = columns_of(statistics_at([0.05]))


def group(draws=800, count=3, seed=4):
    rng = np.random.default_rng(seed)
    factor = rng.normal(-0.01, 0.05, (draws, 5, count))
    dollars = factor * rng.lognormal(12, 0.3, (draws, 5, count))
    gone = rng.random(factor.shape) < 0.3
    dims = ("draw", "performance_year", "clinician")
    return xr.Dataset(
        {
            "adjustment_factor": (dims, np.where(gone, np.nan, factor)),
            "adjustment_usd": (dims, np.where(gone, np.nan, dollars)),
        },
        coords={"performance_year": [2027, 2028, 2029, 2030, 2031], "clinician": list("abc")[:count]},
    )


def test_estimates_are_plain_statistics_of_the_draws():
    results = group()
    found = clinicians(results)
    assert tuple(found.statistic.values) == STATISTICS
    for name in ("adjustment_factor", "adjustment_usd"):
        for year in range(5):
            for one in range(3):
                x = results[name].values[:, year, one]
                there = x[~np.isnan(x)]
                got = dict(zip(STATISTICS, found[name].values[:, year, one], strict=True))
                n = len(there)
                assert got["draws"] == n
                assert got["measured_share"] == pytest.approx(n / 800)
                assert got["mean"] == pytest.approx(there.mean())
                assert got["mean_error"] == pytest.approx(there.std(ddof=1) / math.sqrt(n))
                assert got["sd"] == pytest.approx(there.std(ddof=1))
                # Of all draws: a year without measurement is no loss.
                lost = (x < 0).mean()
                assert got["probability_of_loss"] == pytest.approx(lost)
                assert got["probability_of_loss_error"] == pytest.approx(math.sqrt(lost * (1 - lost) / 799))
                for level in (5, 25, 50, 75, 95):
                    at = np.quantile(there, level / 100)
                    assert got[f"p{level:02d}"] == pytest.approx(at)
                    assert got[f"p{level:02d}_low"] < at < got[f"p{level:02d}_high"]
                # A tail needs twenty draws; a loss is negative.
                if 0.05 * n >= 20:
                    assert got["worst_5"] == pytest.approx(np.quantile(there, 0.05))
                    assert got["worst_5_mean"] < got["worst_5"] < 0.0
                else:
                    assert math.isnan(got["worst_5"])
                    assert math.isnan(got["worst_5_mean"])


def test_the_roster_is_summed_within_draws():
    results = group()
    found = clinicians(results)
    paid = np.nan_to_num(results["adjustment_usd"].values)
    mean = found.sel(statistic="mean")
    np.testing.assert_allclose(mean["roster_usd"], paid.sum(axis=2).mean(axis=0))
    sd = found.sel(statistic="sd")
    np.testing.assert_allclose(sd["roster_usd_total"], paid.sum(axis=(1, 2)).std(ddof=1))
    np.testing.assert_allclose(sd["adjustment_usd_total"], paid.sum(axis=1).std(axis=0, ddof=1))


def test_estimates_of_many_clinicians_are_made_in_parts():
    xr.testing.assert_allclose(clinicians(group(), numbers_held=2000), clinicians(group()), rtol=1e-12)


def test_tail_value_at_risk_and_its_error():
    # Exact for a whole tail, and in part for a broken one: the worst 5% of 410 draws are twenty and a half.
    value, _ = tail_value_at_risk(np.arange(1.0, 411.0), 0.95)
    assert value == pytest.approx((np.arange(391.0, 411.0).sum() + 0.5 * 390) / 20.5)
    rng = np.random.default_rng(8)
    samples = rng.normal(size=(1000, 600))
    value, error = tail_value_at_risk(samples, 0.95)
    true = stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05
    assert abs(value.mean() - true) < 0.01 + 5 * value.std() / math.sqrt(600)
    # The standard error is right on average within the noise of 600 standard deviations.
    assert error.mean() == pytest.approx(value.std(), rel=0.1)
    with_gaps = samples[:, :3].copy()
    with_gaps[::7] = np.nan
    kept = with_gaps[~np.isnan(with_gaps[:, 0])]
    np.testing.assert_allclose(tail_value_at_risk(with_gaps)[0], tail_value_at_risk(kept)[0])


def test_estimates_of_nothing_are_refused():
    with pytest.raises(InputError, match="no draws"):
        clinicians(group().isel(draw=slice(0)))
    with pytest.raises(InputError, match="clinician"):
        clinicians(xr.Dataset({"participants": ("draw", [1])}))
