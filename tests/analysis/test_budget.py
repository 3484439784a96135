"""The budget by calendar year: cash when it flows, its total and its present value."""

import json

import numpy as np
import pytest
import xarray as xr

from asmrisk.analysis.budget import budget
from asmrisk.errors import InputError

DRAWS = 60


def results(unknown=False):
    rng = np.random.default_rng(3)
    retained = rng.normal(4e7, 1e6, (DRAWS, 5, 2))
    offset = rng.normal(1e7, 1e6, (DRAWS, 5, 2))
    kept = retained - offset
    episodes = rng.normal(1e7, 1e6, (DRAWS, 7))
    both = episodes.copy()
    both[:, 2:] += kept.sum(axis=2)
    provenance = {"seed": 1, "scenario": {"title": "A scenario"}}
    if unknown:
        provenance |= {"uncertainty": {"behavior.medicare_share": {}}, "draws_per_parameter_set": 3}
    return (
        xr.Dataset(
            {
                "retained_savings": (("draw", "performance_year", "cohort"), retained),
                "volume_offset": (("draw", "performance_year", "cohort"), offset),
                "budget_savings": (("draw", "calendar_year"), both),
            },
            coords={
                "draw": np.arange(DRAWS),
                "performance_year": np.arange(2027, 2032),
                "calendar_year": np.arange(2027, 2034),
                "cohort": ["heart_failure", "low_back_pain"],
            },
            attrs={"provenance": json.dumps(provenance)},
        ),
        kept.sum(axis=2),
        episodes,
    )


def test_adjustments_are_cash_two_years_after_the_performance_year():
    data, kept, episodes = results()
    found = budget(data).dataset
    mean = found.sel(statistic="mean")
    np.testing.assert_allclose(mean.adjustments_kept[:2], 0.0)
    np.testing.assert_allclose(mean.adjustments_kept[2:], kept.mean(axis=0))
    np.testing.assert_allclose(mean.episode_savings, episodes.mean(axis=0))
    both = data.budget_savings.values
    np.testing.assert_allclose(mean.budget_savings, both.mean(axis=0))
    total = both.sum(axis=1)
    assert mean.budget_savings_total.item() == pytest.approx(total.mean())
    error = total.std(ddof=1) / np.sqrt(DRAWS)
    assert found.budget_savings_total.sel(statistic="mean_error").item() == pytest.approx(error)
    assert found.budget_savings_total.sel(statistic="p95").item() == pytest.approx(np.quantile(total, 0.95))
    assert "budget_savings_present_value" not in found


def test_a_present_value_discounts_cash_in_the_middle_of_each_year():
    data, *_ = results()
    found = budget(data, discount=0.03).dataset
    expected = sum(
        data.budget_savings.sel(calendar_year=year).values / 1.03 ** (year - 2027 + 0.5)
        for year in range(2027, 2034)
    )
    value = found.budget_savings_present_value
    assert value.sel(statistic="mean").item() == pytest.approx(expected.mean())
    assert value.sel(statistic="sd").item() == pytest.approx(expected.std(ddof=1))
    parts = found.adjustments_kept_present_value + found.episode_savings_present_value
    assert parts.sel(statistic="mean").item() == pytest.approx(expected.mean())
    undiscounted = budget(data, discount=0.0).dataset
    xr.testing.assert_allclose(
        undiscounted.budget_savings_present_value.drop_attrs(),
        undiscounted.budget_savings_total.drop_attrs(),
    )


@pytest.mark.parametrize(("unknown", "holds"), [(False, "chance"), (True, "chance_and_doubt")])
def test_text_rows_and_dataset_say_the_same_and_what_ranges_hold(unknown, holds):
    report = budget(results(unknown)[0], discount=0.03)
    text = report.to_text()
    assert max(map(len, text.splitlines())) <= 110
    assert "nominal" not in text.lower()
    for words in ("dollars of each calendar year", "at 3% a year", "present value", "2033"):
        assert words in " ".join(text.split())
    rows = json.loads(report.to_json())["budget"]
    assert {row["range_holds"] for row in rows} == {holds}
    assert len(rows) == 3 * (7 + 2)
    for row in rows:
        label = row["calendar_year"]
        name = row["savings"] if isinstance(label, int) else f"{row['savings']}_{label}"
        column = report.dataset[name].sel(statistic="mean")
        assert row["mean"] == (column.sel(calendar_year=label) if isinstance(label, int) else column).item()
        assert report.dataset[name].attrs["range_holds"] == holds


def test_with_unknowns_whole_sets_make_the_error():
    data, *_ = results(unknown=True)
    total = data.budget_savings.values.sum(axis=1).reshape(-1, 3).mean(axis=1)
    found = budget(data).dataset.budget_savings_total
    expected = total.std(ddof=1) / np.sqrt(DRAWS / 3)
    assert found.sel(statistic="mean_error").item() == pytest.approx(expected)


@pytest.mark.parametrize("rate", [-0.01, 0.6, True, "3%", float("nan")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(InputError, match=r"discount: .*a rate a year from 0 to 0\.5"):
        budget(results()[0], discount=rate)


@pytest.mark.parametrize("name", ["budget_savings", "retained_savings", "volume_offset"])
def test_results_without_it_are_refused(name):
    with pytest.raises(InputError, match=f"no variable '{name}'"):
        budget(results()[0].drop_vars(name))
