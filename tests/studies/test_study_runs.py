"""Studies from beginning to end: what is computed, stored, resumed, extended and said."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner, Result

import asmrisk
from asmrisk.analysis.metrics import metric_draws
from asmrisk.cli import commands
from asmrisk.simulation.arrays import Block, Piece
from asmrisk.studies.report import analyze
from asmrisk.studies.simulation import StudySimulation
from asmrisk.studies.study import load_study
from tests.studies.tiny import LIBRARY, ONE, SOBOL, run, scenario, written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the base scenario."""
    scenario(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    return partial(written, folder)


def bits(out: Path) -> dict[str, bytes]:
    """Give every array of a store as bytes."""
    with xr.open_zarr(out, chunks=None) as dataset:
        return {str(name): dataset[name].values.tobytes() for name in dataset.data_vars}


# --- What is computed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("doubts", [False, True])
def test_a_design_point_is_the_run_of_its_scenario_to_the_bit(write: Any, folder: Path, doubts: bool) -> None:
    scenario(folder, doubts=doubts)
    outcomes = (
        '["medicare_savings", {metric = "penalized_share", by = "year,practice_size"}, '
        '{metric = "final_score_quantile", cohort = "heart_failure", quantile = 0.5}]'
    )
    run(write(ONE.replace("draws = 4", "draws = 19"), outcomes), folder / "study.zarr")
    study = asmrisk.open_results(folder / "study.zarr")["outcome_value"]
    for point, override in (
        (0, "run.seed=20270101"),
        (2, "policy.risk_level.2029=0.05"),
        (4, "policy.tie_rule=mid"),
    ):
        changed = asmrisk.load_scenario(folder / "tiny.toml", [override])
        place = folder / f"{point}.zarr"
        alone = asmrisk.run(changed, draws=19, block_size=20, out=place, workers=1, quiet=True)
        results = asmrisk.open_results(alone)
        savings = metric_draws(results, "medicare_savings").values
        shares = metric_draws(results, "penalized_share", ["year", "practice_size"]).values
        median = metric_draws(results, "final_score_quantile", ["cohort"]).sel(
            cohort="heart_failure", quantile=0.5
        )
        expected = np.concatenate([savings[:, None], shares.reshape(19, -1), median.values[:, None]], axis=1)
        assert study[point].values.tobytes() == expected.tobytes()


def test_null_points_differ_by_exactly_zero(write: Any, folder: Path) -> None:
    found = run(write(ONE), folder / "study.zarr")
    table = found.to_dataframe().set_index(["outcome", "parameter", "value"])
    for outcome in ("medicare_savings", "penalized_share"):
        for parameter, value in (
            ("policy.risk_level.2029", "0.1"),
            ("policy.tie_rule", '"upper"'),
            ("behavior.medicare_share", "0.85"),
        ):
            row = table.loc[outcome, parameter, value]
            assert (row[["estimate", "error", "low", "high"]] == 0.0).all()
            assert row.verdict == "exactly zero: the same in every draw"
    # A lever that moves dollars, not ranks.
    assert table.loc["penalized_share", "policy.risk_level.2029", "0.05"].estimate == 0.0
    assert table.loc["medicare_savings", "policy.risk_level.2029", "0.05"].verdict == "lowers it"
    assert table.loc["medicare_savings", "behavior.medicare_share", "0.9"].verdict == "raises it"


def test_a_parameter_without_effect_has_indices_of_exactly_zero(write: Any, folder: Path) -> None:
    """Who shares Medicare's savings decides nothing about penalties; in any design."""
    vary = (
        '[parameters]\n"behavior.medicare_share" = {values = [0.8, 0.9]}\n'
        '"policy.exchange_steepness" = {values = [0.05, 0.2]}\n'
    )
    for method, statistics in (
        ("grid", ["first", "total", "main_effect"]),
        ("sobol\nsamples = 8", ["first", "total"]),
        ("morris\ntrajectories = 3", ["mu_star", "mu", "sigma"]),
    ):
        name, _, size = method.partition("\n")
        text = f'[run]\ndraws = 8\n[design]\nmethod = "{name}"\n{size}\n{vary}'
        found = run(write(text, '["penalized_share"]'), folder / f"{name}.zarr").to_dataframe()
        inert = found[found.parameter == "behavior.medicare_share"]
        assert set(inert.statistic) == set(statistics)
        assert (inert[["estimate", "error"]] == 0.0).all(axis=None)
        assert (inert.verdict == "exactly zero: the same in every draw").all()
        assert (found[found.parameter != "behavior.medicare_share"].estimate != 0.0).any()


def test_what_the_scenario_leaves_uncertain_is_drawn_alike_at_every_point(write: Any, folder: Path) -> None:
    with (folder / "tiny.toml").open("a") as file:
        file.write('[uncertainty]\n"behavior.cost_response.2029" = ')
        file.write('{distribution = "uniform", low = 0.0, high = 0.01}\n')
    run(write(ONE), folder / "study.zarr")
    y = asmrisk.open_results(folder / "study.zarr")["outcome_value"].sel(outcome="medicare_savings").values
    # Far apart from draw to draw, and the same differences nearly everywhere.
    assert y[0].std() > 5 * (y[2] - y[0]).std()
    assert (y[1] == y[0]).all()


def test_a_draw_without_the_outcome_counts_nowhere(write: Any, folder: Path) -> None:
    path = write(ONE, '["medicare_savings"]')
    study = load_study(path)
    run(path, folder / "study.zarr")
    results = asmrisk.open_results(folder / "study.zarr", chunked=False).load()
    whole = analyze(study, results)
    results["outcome_value"][2, 1] = np.nan
    found = analyze(study, results)
    assert found.facts["remarks"] == ["medicare_savings: 1 draws are left out, in which it is not defined."]
    kept = analyze(study, results.isel(draw=[0, 2, 3]))
    pd.testing.assert_frame_equal(found.to_dataframe(), kept.to_dataframe())
    assert not found.to_dataframe().equals(whole.to_dataframe())
    results["outcome_value"][:] = np.nan
    assert analyze(study, results).to_dataframe().empty


# --- On what it is computed ---------------------------------------------------------------------------------


def test_a_simulation_travels_as_plain_data(write: Any) -> None:
    simulation = StudySimulation.of(load_study(write(SOBOL)))
    content = pickle.dumps(simulation)
    # As it is sent.
    assert len(zlib.compress(content)) < 10_000
    arrived = pickle.loads(content)
    for point in (0, 7):
        block = Block((point, 1), (point, 8), (1, 2))
        here, there = (next(each([Piece(0, block)], np.zeros(2, np.int64))) for each in (simulation, arrived))
        assert {path: array.tobytes() for path, array in here.items()} == {
            path: array.tobytes() for path, array in there.items()
        }
    # What was made for it stays behind.
    assert pickle.dumps(simulation) == content


def test_a_worker_computes_plain_arrays(write: Any) -> None:
    """It imports nothing that labels, draws charts or reads stores by itself."""
    block = Block((3, 0), (3, 0), (1, 2))
    code = f"""
    import pickle, sys
    import numpy as np
    import asmrisk.simulation.scenario_simulation
    import asmrisk.studies.simulation
    from asmrisk.simulation.arrays import Block, Piece
    simulation = pickle.load(sys.stdin.buffer)
    next(simulation([Piece(0, {block!r})], np.zeros(2, np.int64)))
    print("xarray" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        input=pickle.dumps(StudySimulation.of(load_study(write(SOBOL)))),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().split() == ["False"]


def test_a_stopped_simulation_ends_at_once(write: Any) -> None:
    simulation = StudySimulation.of(load_study(write(SOBOL)))
    progress = np.array([0, 1], np.int64)
    block = Block((0, 0), (0, 0), (1, 3))
    assert np.isnan(next(simulation([Piece(0, block)], progress))["outcome_value"]).all()
    assert progress[0] == 0


@pytest.mark.long
def test_processes_give_the_same_bits(write: Any, folder: Path) -> None:
    path = write(SOBOL)
    one = run(path, folder / "one.zarr")
    two = asmrisk.sensitivity(path, out=folder / "two.zarr", quiet=True, workers=2, processes=True)
    assert bits(folder / "one.zarr") == bits(folder / "two.zarr")
    assert one.to_csv() == two.to_csv()


# --- What comes out ----------------------------------------------------------------------------------------


def test_a_factor_that_a_small_sample_leaves_alone_is_not_judged(write: Any) -> None:
    """Not varied is not the same as without effect."""
    study = load_study(
        write(SOBOL.replace("low = 0.05, high = 0.2", "values = [0.05, 0.2], weights = [1, 0]"))
    )
    y = np.random.default_rng(1).normal(size=(study.points, 8, 2))
    found = analyze(study, xr.Dataset({"outcome_value": (("design_point", "draw", "outcome"), y)}))
    table = found.to_dataframe()
    verdicts = table.verdict[table.parameter == "policy.exchange_steepness"]
    assert set(verdicts) == {"cannot be told"}
    assert "Variance between design points is not distinguishable from Monte Carlo noise" in found.to_text()


def test_the_dataset_is_labeled(write: Any, folder: Path) -> None:
    dataset = run(write(SOBOL), folder / "study.zarr").dataset
    assert dataset.sizes == {"design_point": 17, "outcome": 2, "parameter": 2}
    assert list(dataset["policy.zero_scorers"].values[:1]) == ['"in_pool"']
    assert dataset["policy.exchange_steepness"].attrs["units"] == "per point"
    assert dataset["policy.exchange_steepness"].dtype == np.float64
    y = asmrisk.open_results(folder / "study.zarr")["outcome_value"]
    np.testing.assert_allclose(dataset["mean"], y.mean("draw"), rtol=1e-12)
    np.testing.assert_allclose(dataset["mean_error"], y.std("draw", ddof=1) / np.sqrt(8), rtol=1e-9)
    np.testing.assert_allclose(
        dataset["difference_error"], (y - y[0]).std("draw", ddof=1) / np.sqrt(8), rtol=1e-9
    )
    for name in ("total", "total_error", "total_low", "total_high", "total_verdict", "first"):
        assert dataset[name].dims == ("parameter", "outcome")
    assert (dataset["difference_verdict"][0] == "the base scenario").all()


def test_the_store_is_labeled(write: Any, folder: Path) -> None:
    run(write(ONE), folder / "study.zarr")
    with xr.open_zarr(folder / "study.zarr", chunks=None) as dataset:
        assert dataset.outcome_value.dims == ("design_point", "draw", "outcome")
        assert list(dataset.outcome.values) == ["medicare_savings", "penalized_share"]
        values = dataset.parameter_value.sel(parameter="behavior.medicare_share").values
        assert list(values) == [0.85] * 6 + [0.9]
        # Words by their place among the study's values.
        assert list(dataset.parameter_value.sel(parameter="policy.tie_rule").values) == [0.0] * 4 + [
            1.0,
            0.0,
            0.0,
        ]
        assert dataset.attrs["title"] == "Trial"
        record = json.loads(dataset.attrs["provenance"])["study"]
    assert record["design"] == {"method": "one_at_a_time"}
    assert record["factors"][1] == {"policy.tie_rule": {"distribution": "choice", "values": ["upper", "mid"]}}


def test_formats_agree(write: Any, folder: Path) -> None:
    found = run(write(SOBOL), folder / "study.zarr")
    table = pd.read_csv(StringIO(found.to_csv()), keep_default_na=False, na_values=["nan", ""])
    document = json.loads(found.to_json())
    assert document["design_points"] == 17
    assert len(document["findings"]) == len(table) == len(found.to_dataframe()) == 8
    for row, finding in zip(document["findings"], found.to_dataframe().itertuples(), strict=True):
        assert row["estimate"] == (None if np.isnan(finding.estimate) else finding.estimate)
        assert row["verdict"] == finding.verdict


def test_no_share_below_zero_is_printed(write: Any) -> None:
    """A parameter that moves the outcome, and one of noise alone, whose shares are no findings."""
    study = load_study(write(SOBOL, '["medicare_savings"]'), samples=32)
    steepness = np.array(study.column(0))
    below, lines = 0, []
    for seed in range(12):
        noise = np.random.default_rng(seed).normal(size=(study.points, 8, 1)) * 0.06
        y = steepness[:, None, None] + noise
        found = analyze(study, xr.Dataset({"outcome_value": (("design_point", "draw", "outcome"), y)}))
        below += (found.to_dataframe().estimate < 0).any()
        lines += found.to_text().splitlines()
    assert below > 0
    for line in lines:
        if line.startswith(("policy.exchange_steepness", "policy.zero_scorers")):
            assert "-" not in line
            assert "±" in line or "at most" in line or "n/a" in line


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_every_study_of_the_library_runs(path: Path, folder: Path) -> None:
    scenario(folder, doubts=True)
    copy = folder / path.name
    copy.write_text(path.read_text().replace('"../baseline.toml"', '"tiny.toml"'))
    size = {
        "sobol": {"samples": 8},
        "latin_hypercube": {"samples": 16},
        "morris": {"trajectories": 2},
    }
    method = next(each for each in path.read_text().splitlines() if each.startswith("method")).split('"')[1]
    found = run(copy, folder / "study.zarr", draws=16, **size.get(method, {}))
    table = found.to_dataframe()
    outcomes = set(table.outcome)
    assert outcomes == set(found.dataset.outcome.values)
    rows = "group" if "group" in found.dataset.dims else "parameter"
    assert set(table.parameter) == set(found.dataset[rows].values)
    # With so few clinicians there may be nothing but noise; it must be said.
    words = "raises|lowers|matters|dominates|more than zero|indistinguishable|exactly zero|cannot be told"
    words += "|not defined"
    assert table.verdict.str.match(words).all()
    text = found.to_text()
    assert all(outcome in text for outcome in outcomes)
    assert "nan" not in text
    # What a study does not vary of the baseline's doubts is fixed if it says so, else drawn.
    fixed = "\nfixed = true\n" in path.read_text()
    all_varied = 'parameters = "uncertainty"' in path.read_text()
    assert found.facts["range_holds"] == ("chance" if fixed or all_varied else "chance_and_doubt")
    assert bool(found.facts["fixed"]) == fixed


# --- Command -----------------------------------------------------------------------------------------------


def command(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["sensitivity", *arguments], catch_exceptions=False)


def test_the_command(write: Any, folder: Path) -> None:
    path, out = write(ONE), folder / "results" / "study.zarr"
    shown = command(str(path), "--out", str(out), "--quiet")
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("Trial: one at a time, 7 design points of 4 draws, seed 20270101\n")
    assert "exactly zero: the same in every draw" in shown.output
    assert shown.output.endswith(f"Results: {out}\n")
    table = command(str(path), "--out", str(out), "--quiet", "--format", "csv")
    assert len(pd.read_csv(StringIO(table.output))) == 12
    assert (
        json.loads(command(str(path), "--out", str(out), "--quiet", "--format", "json").output)["draws"] == 4
    )


def test_a_study_says_first_what_it_will_do(write: Any, folder: Path) -> None:
    out = folder / "study.zarr"
    ending = rf", 2027 to 2031, with 1 worker; at most [\d.]+ kB in {out}\n"

    def said(text: str) -> str:
        stream = StringIO()
        asmrisk.sensitivity(write(text), out=out, workers=1, stream=stream)
        return stream.getvalue()

    assert re.fullmatch(rf"Trial: 7 design points, 28 draws of 200 clinicians{ending}", said(ONE))
    more = said(ONE.replace("draws = 4", "draws = 6"))
    assert re.fullmatch(rf"Trial: 7 design points, 14 more of 42 draws of 200 clinicians{ending}", more)
    assert said(ONE) == ""


def test_listing_computes_nothing(write: Any, folder: Path) -> None:
    shown = command(str(write(ONE)), "--list", "--out", str(folder / "study.zarr"))
    table = pd.read_csv(StringIO(shown.output), index_col="design_point")
    assert list(table["policy.tie_rule"]) == ["upper"] * 4 + ["mid"] + ["upper"] * 2 or len(table) == 7
    assert not (folder / "study.zarr").exists()


def test_unusable_input_ends_with_status_2(write: Any, folder: Path) -> None:
    missing = command(str(folder / "stduy.toml"))
    assert missing.exit_code == 2
    assert "stduy.toml: no such file" in missing.stderr
    bad = command(str(write(ONE.replace("tie_rule", "tie_rle"))))
    assert bad.exit_code == 2
    assert "did you mean policy.tie_rule?" in bad.stderr
    taken = folder / "file"
    taken.write_text("")
    assert command(str(write(ONE)), "--out", str(taken)).exit_code == 2
    assert command(str(write(ONE)), "--scheduler", "nowhere").exit_code == 2
