"""A roster's hardest penalties: counted by loops over draws, years and clinicians."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binomtest

import asmrisk
from asmrisk.analysis.clinician_risk import clinicians
from asmrisk.analysis.penalties import risk_levels
from asmrisk.analysis.summary import summarize
from asmrisk.errors import InputError
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation.model import Model
from tests.conftest import BASELINE

RISK = [0.09, 0.09, 0.10, 0.11, 0.12]
PROVENANCE = {
    "parameters": {"policy.risk_level": {"value": {str(2027 + k): risk for k, risk in enumerate(RISK)}}},
    "uncertainty": {},
}


def results(draws=60, count=4, seed=9):
    """Factors with exact maximum penalties, gains, zeros and years without measurement."""
    rng = np.random.default_rng(seed)
    shape = (draws, 5, count)
    factor = rng.normal(-0.01, 0.04, shape).clip(-0.08, None)
    risk = np.broadcast_to(np.array(RISK)[None, :, None], shape)
    factor = np.where(rng.random(shape) < 0.15, -risk, factor)
    factor[rng.random(shape) < 0.1] = 0.0
    factor[rng.random(shape) < 0.15] = np.nan
    dims = ("draw", "performance_year", "clinician")
    return xr.Dataset(
        {"adjustment_factor": (dims, factor), "adjustment_usd": (dims, 1e5 * factor)},
        coords={"performance_year": [2027, 2028, 2029, 2030, 2031], "clinician": list("abcdefgh")[:count]},
    )


def told(array):
    return dict(zip(("value", "error", "low", "high"), array.values.tolist(), strict=True))


def same(array, hits, count):
    found = told(array)
    interval = binomtest(hits, count).proportion_ci(method="exact")
    assert found["value"] == pytest.approx(hits / count)
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))


def test_penalties_are_counted_as_loops_count_them():
    data = results()
    factor = data.adjustment_factor.values
    found = clinicians(data, provenance=PROVENANCE)
    most = np.zeros((60, 5, 4), bool)
    row = np.zeros((60, 4), bool)
    for d in range(60):
        for c in range(4):
            run = 0
            for year in range(5):
                most[d, year, c] = factor[d, year, c] == -RISK[year]
                run = run + 1 if factor[d, year, c] < 0 else 0
                row[d, c] |= run >= 3
    assert 0 < row.sum() < row.size
    for c in range(4):
        one = found.isel(clinician=c)
        for year in range(5):
            measured = int((~np.isnan(factor[:, year, c])).sum())
            same(one.maximum_penalty.isel(performance_year=year), int(most[:, year, c].sum()), measured)
        same(one.maximum_penalty_ever, int(most[:, :, c].any(axis=1).sum()), 60)
        same(one.three_penalties, int(row[:, c].sum()), 60)
    for year in range(5):
        numbers = most[:, year].sum(axis=1)
        same(found.roster_maximum_penalty.isel(performance_year=year), int((numbers > 0).sum()), 60)
        count = told(found.roster_maximum_penalty_count.isel(performance_year=year))
        assert count["value"] == pytest.approx(numbers.mean())
        assert count["error"] == pytest.approx(numbers.std(ddof=1) / np.sqrt(60))
    same(found.roster_maximum_penalty_ever, int(most.any(axis=(1, 2)).sum()), 60)
    same(found.roster_three_penalties, int(row.any(axis=1).sum()), 60)
    assert told(found.roster_three_penalties_count)["value"] == pytest.approx(row.sum(axis=1).mean())


def test_clinicians_in_parts_give_the_same():
    whole = clinicians(results(), provenance=PROVENANCE)
    parts = clinicians(results(), provenance=PROVENANCE, numbers_held=300)
    xr.testing.assert_allclose(parts, whole, rtol=1e-12)


def test_tails_of_clinicians_at_a_chosen_probability():
    data = results(200)
    losses = -np.nan_to_num(data.adjustment_usd.values).sum(axis=1)
    found = clinicians(data, tail=0.1).adjustment_usd_total
    for c in range(4):
        one = found.isel(clinician=c)
        worst = np.sort(losses[:, c])[-20:]
        assert float(one.sel(statistic="worst_10_mean")) == pytest.approx(-worst.mean())
        assert float(one.sel(statistic="worst_10")) == pytest.approx(-np.quantile(losses[:, c], 0.9))
    assert "maximum_penalty" not in clinicians(data)
    with pytest.raises(InputError, match=r"^tail: "):
        clinicians(data, tail=0.9)


def uncertain(**distributions):
    return scenario_from_dict(
        {"uncertainty": {name.replace("__", "."): d for name, d in distributions.items()}}
    )


@pytest.mark.parametrize(
    "names", [["policy.risk_level.2029"], ["policy.risk_level.2027"], ["policy.risk_level"]]
)
def test_an_uncertain_risk_level_is_the_one_that_the_simulation_drew(names):
    one = {"distribution": "uniform", "low": 0.05, "high": 0.2}
    scenario = uncertain(**{name.replace(".", "__"): one for name in names})
    model = Model(scenario)
    drawn = {name: np.array([model.drawn_values(draw)[name] for draw in range(3)]) for name in names}
    found = risk_levels(PROVENANCE | {"uncertainty": scenario.to_dict()["uncertainty"]}, drawn)
    expected = [[policy.risk_level for policy in model.inputs_of(draw).policy[0]] for draw in range(3)]
    np.testing.assert_array_equal(np.broadcast_to(found, (3, 5)), expected)


def test_a_linked_year_s_risk_level_and_a_table_of_all_years():
    """As a store holds them: a linked number as it is, a table by its place among those listed."""
    uniform = {"distribution": "uniform", "low": 0.05, "high": 0.2}
    linked = {"behavior.cost_response": uniform | {"with": {"policy.risk_level.2027": uniform}}}
    drawn = {"policy.risk_level.2027": np.array([0.07, 0.09])}
    found = risk_levels(PROVENANCE | {"uncertainty": linked}, drawn)
    # The scenario changes the value in 2029.
    assert found.tolist() == [[0.07, 0.07, 0.10, 0.11, 0.12], [0.09, 0.09, 0.10, 0.11, 0.12]]
    listed = {"policy.risk_level": {"values": [{"2027": 0.05, "2030": 0.2}, 0.15], "weights": [3, 1]}}
    found = risk_levels(
        PROVENANCE | {"uncertainty": listed}, {"policy.risk_level": np.array([0.0, 1.0, 0.0])}
    )
    assert found.tolist() == [[0.05, 0.05, 0.05, 0.2, 0.2], [0.15] * 5, [0.05, 0.05, 0.05, 0.2, 0.2]]


@pytest.mark.filterwarnings("ignore::asmrisk.analysis.tail.FewDrawsWarning")
def test_a_run_with_a_roster_tells_of_penalties(tmp_path):
    place = tmp_path / "roster.zarr"
    scenario = load_scenario(BASELINE.parent / "roster.toml", ["population.clinicians=400"])
    asmrisk.run(scenario, draws=30, block_size=30, out=place, workers=1, quiet=True)
    group = asmrisk.open_results(place, group="clinician")
    provenance = json.loads(asmrisk.open_results(place).attrs["provenance"])
    found = asmrisk.clinicians(place)
    xr.testing.assert_identical(found, clinicians(group, provenance=provenance))
    risk = np.array(RISK)[None, :, None]
    hit = group.adjustment_factor.values == -risk
    assert hit.any()
    value = found.maximum_penalty_ever.sel(estimate="value").values
    np.testing.assert_allclose(value, hit.any(axis=1).mean(axis=0))
    summary = summarize(place, tail=[0.2, 0.1])
    text = summary.to_text()
    # But for commands, which can be copied, and the place at the end.
    assert max(len(line) for line in text.splitlines()[:-1] if "  asmrisk." not in line) <= 80
    assert "mean of worst 20%" in text
    assert "mean of worst 10%" in text
    assert text.count("with the maximum penalty") == 1
    # Curves of the roster and of each clinician.
    whole = asmrisk.exceedance(place, ["roster_net_adjustment"], points=[0.0]).dataset.roster_net_adjustment
    dollars = np.nan_to_num(group.adjustment_usd.values).sum(axis=(1, 2))
    assert float(whole.sel(statistic="probability")[0]) == np.mean(dollars > 0)
    report = asmrisk.exceedance(place, ["clinician_net_adjustment"], by=["year"], points=[0.0])
    each = report.dataset.clinician_net_adjustment.isel(threshold=0)
    assert report.to_dataframe().clinician.nunique() == each.sizes["clinician"]
    paid = group.adjustment_usd.values
    measured = (~np.isnan(paid)).sum(axis=0)
    assert (each.sel(statistic="draws").values == measured).all()
    expected = np.where(measured, (paid > 0).sum(axis=0) / np.maximum(measured, 1), np.nan)
    np.testing.assert_allclose(each.sel(statistic="probability"), expected)
