"""Convergence: what is shown at n draws is the run of n draws, and drift is what chance makes of it."""

import json
import math

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from scipy.stats import binom

import asmrisk
from asmrisk.analysis.convergence import convergence
from asmrisk.analysis.summary import summarize
from asmrisk.analysis.tail import FewDrawsWarning
from asmrisk.cli import commands
from asmrisk.errors import InputError
from asmrisk.scenario.scenario import load_scenario
from tests.analysis.synthetic_results import results
from tests.conftest import BASELINE


@pytest.mark.parametrize("draws", [1, 2, 5, 8, 100, 1000])
def test_checkpoints_are_an_eighth_a_quarter_half_and_all(draws):
    found = convergence(results(draws), ["medicare_savings"])
    at = found.dataset.checkpoint.values.tolist()
    assert at == sorted({max(1, round(draws / part)) for part in (8, 4, 2, 1)})
    text = found.to_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "nan" not in text


@pytest.mark.filterwarnings("ignore::asmrisk.analysis.tail.FewDrawsWarning")
def test_a_checkpoint_shows_what_a_run_of_so_many_draws_gave():
    data = results(160)
    names = ["medicare_savings", "penalized_share", "adjustment_factor_quantile"]
    found = convergence(data, names, by=["year"], tail=[0.1])
    for count in (20, 40, 80, 160):
        alone = summarize(data.isel(draw=slice(count)), metrics=names, by=["year"], tail=[0.1])
        for name in names:
            ours = found.dataset[name].sel(checkpoint=count, drop=True)
            ours = ours.sel(statistic=[each for each in ours.statistic.values if each != "drift"])
            xr.testing.assert_identical(ours.transpose(*alone.dataset[name].dims), alone.dataset[name])


def test_drift_is_in_standard_errors_of_the_difference():
    data = results(80)
    x = data.medicare_savings.values.sum(axis=(1, 2))
    drift = convergence(data, ["medicare_savings"]).dataset.medicare_savings.sel(statistic="drift").values
    assert math.isnan(drift[0])
    for place, (old, new) in enumerate([(10, 20), (20, 40), (40, 80)], 1):
        a, b = x[:old], x[old:new]
        error = math.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        assert drift[place] == pytest.approx((b.mean() - a.mean()) / error)
    constant = data.copy(deep=True)
    constant["medicare_savings"][:] = 3.0
    drift = convergence(constant, ["medicare_savings"]).dataset.medicare_savings.sel(statistic="drift")
    assert drift.values[1:].tolist() == [0.0, 0.0, 0.0]


def test_chance_keeps_drift_within_two():
    # 2,000 runs side by side, as the labels of one: their last checkpoint compares 200 with 200 draws.
    runs = 2000
    x = np.random.default_rng(8).normal(size=(400, 5, runs))
    data = xr.Dataset(
        {"medicare_savings": (("draw", "performance_year", "cohort"), x)},
        coords={"cohort": np.arange(runs), "performance_year": [2027, 2028, 2029, 2030, 2031]},
    )
    found = convergence(data, ["medicare_savings"], by=["cohort"])
    drift = found.dataset.medicare_savings.sel(statistic="drift", checkpoint=400).values
    beyond = int((np.abs(drift) > 2).sum())
    # A normal is beyond 2 in 4.55% of cases; Student's t with 398 degrees of freedom in 4.62%.
    assert binom.cdf(beyond, runs, 0.0455) > 1e-6
    assert binom.sf(beyond - 1, runs, 0.0462) > 1e-6


def test_points_for_a_plot():
    found = convergence(results(500), points=30)
    at = found.dataset.checkpoint.values
    assert (at[0], at[-1]) == (8, 500)
    assert (np.diff(at) > 0).all()
    assert 20 <= len(at) <= 30
    ratio = at[10:] / at[9:-1]
    assert ratio == pytest.approx((500 / 8) ** (1 / 29), rel=0.06)


def test_formats_hold_the_same_numbers():
    found = convergence(results(64), by=["practice_size"])
    table = found.to_dataframe()
    assert table["metric"].unique().tolist() == ["net_adjustment", "penalized_share"]
    # Labels stay in the order of the results, checkpoints rise within each.
    assert table["practice_size"].iloc[:12].tolist() == ["solo"] * 4 + ["small"] * 4 + ["large"] * 4
    assert table["checkpoint"].iloc[:4].tolist() == [8, 16, 32, 64]
    assert len(found.to_csv().splitlines()) == len(table) + 1
    parsed = json.loads(found.to_json())["convergence"]
    assert [each["mean"] for each in parsed] == table["mean"].tolist()
    assert parsed[0]["drift"] is None


def test_one_table_at_a_time():
    result = CliRunner().invoke(commands, ["summarize", "none.zarr", "--convergence", "--exceedance"])
    assert result.exit_code == 2
    assert "ask for one of them" in result.stderr


@pytest.mark.filterwarnings("always::asmrisk.analysis.tail.FewDrawsWarning")
def test_the_command_shows_what_is_asked_for(tmp_path):
    place = tmp_path / "r.zarr"
    scenario = load_scenario(BASELINE, ["population.clinicians=200"])
    asmrisk.run(scenario, draws=8, out=place, workers=1, quiet=True)
    for option, words in (
        ("--convergence", "estimates from ever more"),
        ("--exceedance", "exceedance curves of 8"),
    ):
        result = CliRunner().invoke(commands, ["summarize", str(place), option], catch_exceptions=False)
        assert result.exit_code == 0
        assert words in result.stdout
    result = CliRunner().invoke(commands, ["summarize", str(place), "--tail", "5%"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "The worst 5% of draws" in result.stdout
    assert result.stderr.startswith("asmrisk: note: a tail of 5% holds 0.2 of 4 parameter sets")
    for wrong in ("abc", "0.7", ","):
        result = CliRunner().invoke(commands, ["summarize", str(place), "--tail", wrong])
        assert (result.exit_code, result.stdout) == (2, "")
        assert "tail" in result.stderr


def test_what_cannot_be_followed_is_refused():
    data = results(20)
    with pytest.raises(InputError, match=r"did you mean year\?"):
        convergence(data, by=["yeer"])
    with pytest.raises(InputError, match=r"did you mean episodes\?"):
        convergence(data, ["epsiodes"])
    with pytest.raises(InputError, match="points"):
        convergence(data, points=1)
    with pytest.raises(InputError, match=r"^tail: "):
        convergence(data, tail=[0.7])
    with pytest.warns(FewDrawsWarning, match="400 draws are needed"):
        convergence(data, tail=[0.05])


def test_an_extended_store_gives_the_same_as_one_run(tmp_path):
    scenario = load_scenario(BASELINE, ["population.clinicians=200"])
    asmrisk.run(scenario, draws=24, out=tmp_path / "whole.zarr", workers=1, block_size=24, quiet=True)
    for draws in (5, 13, 24):
        asmrisk.run(scenario, draws=draws, out=tmp_path / "grown.zarr", workers=1, block_size=10, quiet=True)
    pair = [tmp_path / "whole.zarr", tmp_path / "grown.zarr"]
    xr.testing.assert_identical(*(summarize(each).dataset for each in pair))
    xr.testing.assert_identical(*(convergence(each).dataset for each in pair))
    curves = [asmrisk.exceedance(each, ["net_adjustment"], by=["specialty"]).dataset for each in pair]
    xr.testing.assert_identical(*curves)
