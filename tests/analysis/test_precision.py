"""Runs to a precision: where they stop, that nothing else decides it, and what they say."""

import io
import itertools
import json
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import asmrisk
from asmrisk.analysis.doubt import mean_given_assumptions
from asmrisk.analysis.estimates import mean
from asmrisk.analysis.precision import (
    CAP,
    FIRST,
    check_targets,
    checkpoints,
    run_to_precision,
)
from asmrisk.cli import commands
from asmrisk.errors import InputError, RunError
from asmrisk.results.reading import open_results
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from tests import fake_run
from tests.conftest import BASELINE
from tests.fake_simulation import Fake

SCENARIO = fake_run.scenario()


class Toy(Fake):
    """Savings of standard normal draws, in one cohort and year alone, and shares penalized near one half."""

    def __init__(self, stop_at=None, chosen=SCENARIO):
        super().__init__(fake_run.job("nowhere", 1, chosen=chosen).spec)
        self.stop_at = stop_at
        undefined = {"int32": 0, "int64": 0, "float64": np.nan}
        self.undefined = {
            path: np.full(shape, undefined[dtype], dtype) for path, (shape, dtype) in self.shapes.items()
        }

    def draw(self, number):
        if self.stop_at is not None and number >= self.stop_at:
            raise RuntimeError("the machine was lost")
        rng = np.random.default_rng(number)
        values = {
            name: np.zeros_like(self.undefined[name])
            for name in ("medicare_savings", "penalized_share", "scored")
        }
        values["medicare_savings"][0, 0] = 100.0 + rng.normal()
        values["penalized_share"][:] = 0.5 + 0.1 * rng.normal()
        values["scored"][:] = 1
        return self.undefined | values


@pytest.fixture
def simulate(monkeypatch):
    """Have runs simulate with a toy in the place of the model."""

    def simulate_with(toy):
        monkeypatch.setattr("asmrisk.analysis.jobs.ScenarioSimulation", lambda prepared: toy)
        return toy

    simulate_with(Toy())
    return simulate_with


def draws_of(count):
    return np.array([100.0 + np.random.default_rng(k).normal() for k in range(count)])


def expected(error, cap=CAP):
    """The first checkpoint whose error is small enough, from the definition."""
    k = 0
    while True:
        count = min(int(128 * math.sqrt(2) ** k + 1e-9), cap)
        if draws_of(count).std(ddof=1) / math.sqrt(count) <= error or count == cap:
            return count
        k += 1


def run(path, targets, **options):
    return run_to_precision(SCENARIO, targets, out=path, quiet=True, **({"workers": 1} | options))


def test_checkpoints_are_fixed_in_advance():
    counts = checkpoints(CAP)
    assert counts[0] == FIRST
    assert counts[-1] == CAP
    for before, after in itertools.pairwise(counts[:-1]):
        assert after / before == pytest.approx(math.sqrt(2), rel=0.01)
    # Every other one is a power of two; a cap only cuts the row off.
    assert {128, 256, 512, 1024, 65536} <= set(counts)
    assert checkpoints(700) == [*(each for each in counts if each < 700), 700]
    assert checkpoints(128) == [128]
    assert checkpoints(20) == [20]


@pytest.mark.parametrize("error", [0.2, 0.07, 0.055])
def test_a_run_ends_at_the_first_checkpoint_that_is_precise_enough(tmp_path, error, simulate):
    found = run(tmp_path / "r.zarr", {"medicare_savings": error})
    assert found.met
    assert found.draws == expected(error)
    assert open_results(tmp_path / "r.zarr").sizes["draw"] == found.draws
    reached, allowed = found.reached["medicare_savings"]
    assert allowed == error
    assert reached == pytest.approx(draws_of(found.draws).std(ddof=1) / math.sqrt(found.draws))
    assert found.shortfall() == ""


def test_nothing_else_decides_where_it_ends(tmp_path, simulate):
    error, target = 0.08, {"medicare_savings": 0.08}
    end = expected(error)
    assert FIRST < end < 300
    ways = {
        "workers": {"workers": 3},
        "small blocks": {"block_size": 37},
        "large blocks": {"block_size": 400},
    }
    for name, options in ways.items():
        assert run(tmp_path / f"{name}.zarr", target, **options).draws == end
    # Interrupted, and given again.
    simulate(Toy(stop_at=150))
    with pytest.raises(RunError, match="the machine was lost"):
        run(tmp_path / "lost.zarr", target, block_size=50)
    simulate(Toy())
    assert run(tmp_path / "lost.zarr", target, block_size=50).draws == end
    # Draws that were there before, fewer or more.
    for held in (150, 300):
        place = tmp_path / f"held {held}.zarr"
        asmrisk.run(SCENARIO, draws=held, block_size=100, out=place, workers=1, quiet=True)
        toy = simulate(Toy())
        found = run(place, target)
        assert found.draws == end
        assert open_results(place).sizes["draw"] == max(held, end)
        if held > end:
            assert toy.calls == []
    stores = [open_results(path).isel(draw=slice(end)).load() for path in sorted(tmp_path.glob("*.zarr"))]
    assert len(stores) == 6
    for other in stores[1:]:
        xr.testing.assert_equal(other, stores[0])


def test_several_targets_must_all_be_met(tmp_path, simulate):
    both = run(tmp_path / "both.zarr", {"medicare_savings": 0.2, "penalized_share": 0.008})
    share = run(tmp_path / "share.zarr", {"penalized_share": 0.008})
    assert both.draws == share.draws > run(tmp_path / "one.zarr", {"medicare_savings": 0.2}).draws


def test_relative_targets_are_parts_of_the_mean(tmp_path, simulate):
    relative = run(tmp_path / "a.zarr", ["medicare_savings=0.08%"])
    assert relative.draws == run(tmp_path / "b.zarr", ["medicare_savings=0.08"]).draws
    error, allowed = relative.reached["medicare_savings"]
    assert error <= allowed == pytest.approx(0.0008 * draws_of(relative.draws).mean())


def test_the_cap_ends_a_run_and_the_shortfall_is_said(tmp_path, simulate):
    stream = io.StringIO()
    found = run_to_precision(
        SCENARIO,
        {"medicare_savings": 0.01},
        draws=300,
        out=tmp_path / "r.zarr",
        workers=1,
        stream=stream,
    )
    assert (found.met, found.draws) == (False, 300)
    assert open_results(tmp_path / "r.zarr").sizes["draw"] == 300
    said = [line for line in stream.getvalue().splitlines() if "standard error" in line]
    assert [line.split()[0] for line in said] == ["128", "181", "256", "300"]
    assert "cap" in found.shortfall()
    # The error of a standard normal's mean is 0.01 after 10,000 draws; a tenth is added.
    needed = int(found.shortfall().split("about ")[1].split()[0].replace(",", ""))
    assert needed == pytest.approx(11_000, rel=0.25)


UNKNOWN = {"policy.exchange_steepness": {"distribution": "uniform", "low": 0.05, "high": 0.2}}


@pytest.fixture
def doubtful(monkeypatch):
    """Have a run of a scenario with unknowns and so many draws a parameter set give made-up draws."""

    def prepare(per_set):
        chosen = scenario_from_dict({"uncertainty": UNKNOWN})
        chosen = replace(chosen, values={**chosen.values, "run.draws_per_parameter_set": per_set})
        rng = np.random.default_rng(3)
        savings = np.zeros((CAP // 20, 5, 2))
        places = np.arange(len(savings))
        savings[:, 0, 0] = (
            100 + 4 * rng.normal(size=len(places))[places // per_set] + rng.normal(size=len(places))
        )
        origin = {"uncertainty": UNKNOWN, "draws_per_parameter_set": per_set, "seed": 1}
        data = xr.Dataset(
            {"medicare_savings": (("draw", "performance_year", "cohort"), savings)},
            coords={"draw": places},
            attrs={"provenance": json.dumps(origin)},
        )
        asked = []
        module = "asmrisk.analysis.precision"
        monkeypatch.setattr(
            f"{module}.run", lambda scenario, draws, **options: asked.append(draws) or "r.zarr"
        )
        monkeypatch.setattr(f"{module}.open_results", lambda path, chunked: data.isel(draw=slice(asked[-1])))
        return chosen, savings[:, 0, 0].tolist(), asked

    return prepare


def given_assumptions(x, per_set):
    """√(mean variance within sets / draws), by loops over whole sets."""
    within = [statistics.variance(x[k : k + per_set]) for k in range(0, len(x), per_set)]
    return math.sqrt(statistics.fmean(within) / len(x))


def total_error(x, per_set):
    means = [statistics.fmean(x[k : k + per_set]) for k in range(0, len(x), per_set)]
    return statistics.stdev(means) / math.sqrt(len(means))


@pytest.mark.parametrize("per_set", [2, 8])
@pytest.mark.parametrize("total", [False, True])
def test_the_error_is_the_one_given_the_assumptions_unless_the_total_is_asked_for(doubtful, per_set, total):
    chosen, x, asked = doubtful(per_set)
    error = total_error if total else given_assumptions
    target = 1.05 * error(x[:512], per_set)
    found = run_to_precision(chosen, {"medicare_savings": target}, total=total, quiet=True)
    assert found.met
    assert all(count % per_set == 0 for count in asked)
    reached, _ = found.reached["medicare_savings"]
    assert reached == pytest.approx(error(x[: found.draws], per_set), rel=1e-9)
    assert all(error(x[:count], per_set) > target for count in asked[:-1])
    assert 256 < found.draws <= 512
    which = "total standard error" if total else "standard error given the assumptions"
    assert f"medicare_savings: {which} {reached:.3g}"[:-1] in str(found)
    # The two differ by far, so the oracle tells them apart.
    assert total_error(x[:512], per_set) > 3 * given_assumptions(x[:512], per_set)


def test_with_one_draw_a_set_the_error_is_the_total_and_this_is_said(doubtful):
    chosen, x, _ = doubtful(1)
    found = run_to_precision(chosen, {"medicare_savings": 0.3}, quiet=True)
    reached, _ = found.reached["medicare_savings"]
    assert reached == pytest.approx(statistics.stdev(x[: found.draws]) / math.sqrt(found.draws))
    assert "total standard error (one draw per parameter set" in str(found)


def test_the_cap_is_brought_to_whole_parameter_sets(doubtful):
    chosen, _, asked = doubtful(8)
    found = run_to_precision(chosen, {"medicare_savings": 1e-9}, draws=300, quiet=True)
    assert asked == checkpoints(300, 8) == [128, 184, 256, 296]
    assert (found.met, found.draws) == (False, 296)
    assert "given the assumptions" in found.shortfall()
    # Fewer draws than a set has are a cap too.
    assert checkpoints(5, 8) == [5]
    assert checkpoints(1000, 3) == [129, 183, 258, 363, 513, 726, 999]


def test_chance_within_sets_of_unequal_size_and_draws_without_a_value():
    sets = np.array([0, 0, 3, 3, 3, 4, 5, 5])
    x = np.array(
        [
            [1.0, 5.0],
            [2.0, np.nan],
            [7.0, 1.0],
            [9.0, 2.0],
            [8.0, np.nan],
            [4.0, 4.0],
            [np.nan] * 2,
            [1.0, 3.0],
        ]
    )
    found = mean_given_assumptions(x, sets)
    # First column: squares 0.5 and 2 with 1 + 2 degrees of freedom, 7 draws; second: 0.5 with 1, 5 draws.
    assert found.error.tolist() == pytest.approx([math.sqrt(2.5 / 3 / 7), math.sqrt(0.5 / 1 / 5)])
    assert found.draws.tolist() == [7, 5]
    assert np.isnan(mean_given_assumptions(np.arange(3.0), np.arange(3)).error)
    # Equal draws, however odd, have no variance at all.
    assert mean_given_assumptions(np.full(9, 0.1), np.arange(9) // 3).error == 0.0


def test_an_exact_outcome_meets_any_target(tmp_path, simulate):
    assert run(tmp_path / "r.zarr", {"participants": 1e-12}).met


def test_an_undefined_outcome_meets_none(tmp_path, simulate):
    found = run(tmp_path / "r.zarr", {"net_adjustment": 1e12}, draws=128)
    assert not found.met
    assert "no number of draws" in found.shortfall()


def test_stopping_by_the_error_makes_it_only_a_little_too_small():
    # The rule on 4,000 runs of a normal outcome, in one array; targets where chance decides the checkpoint.
    runs, counts = 4000, checkpoints(1024)
    x = np.random.default_rng(6).normal(size=(1024, runs))
    target = 1 / math.sqrt(300)
    value, error = np.full(runs, np.nan), np.full(runs, np.nan)
    for count in counts:
        found = mean(x[:count])
        now = np.isnan(value) & (found.error <= target)
        value[now], error[now] = found.value[now], found.error[now]
    assert not np.isnan(value).any()
    covered = np.mean(np.abs(value) <= 1.959964 * error)
    # Six standard errors of a share of 4,000 are 2%.
    assert 0.95 - 0.01 - 0.02 < covered < 0.97
    assert math.sqrt(np.mean(error**2)) > 0.95 * value.std()


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (["medicare_savings"], "write METRIC=ERROR"),
        (["medicare_saving=3"], "target_se: .*did you mean medicare_savings"),
        (["medicare_savings=0"], "positive numbers"),
        (["medicare_savings=-5"], "positive numbers"),
        (["medicare_savings=x%"], "positive numbers"),
        (["medicare_savings=nan"], "positive numbers"),
        (["medicare_savings=inf"], "positive numbers"),
        ({"medicare_savings": True}, "positive numbers"),
        ({"medicare_savings": None}, "positive numbers"),
        (["medicare_savings=1", "medicare_savings=2"], "given twice"),
        ([], "nothing is asked for"),
    ],
)
def test_targets_that_mean_nothing_are_refused(tmp_path, targets, words):
    with pytest.raises(InputError, match=words):
        run(tmp_path / "r.zarr", targets)
    assert not (tmp_path / "r.zarr").exists()


def test_all_wrong_targets_are_said_at_once():
    with pytest.raises(InputError) as caught:
        check_targets(["a", "medicare_savings=x", "net_adjustmet=1"])
    assert len(caught.value.problems) == 3
    with pytest.raises(InputError, match="cap"):
        run_to_precision(SCENARIO, ["medicare_savings=1"], draws=1)


def test_the_command_runs_summarizes_and_fails_at_the_cap(tmp_path, simulate):
    class Filled(Toy):
        def draw(self, number):
            return {path: np.nan_to_num(array) for path, array in super().draw(number).items()}

    simulate(Filled(chosen=load_scenario(BASELINE)))

    def call(*words):
        line = ["run", str(BASELINE), "--out", str(tmp_path / "r.zarr"), *words]
        return CliRunner().invoke(commands, line, catch_exceptions=False)

    done = call("--target-se", "medicare_savings=0.08")
    assert done.exit_code == 0
    assert "draws, seed" in done.stdout
    assert "medicare_savings: standard error" in done.stderr
    missed = call("--target-se", "medicare_savings=0.001", "--draws", "300", "--quiet")
    assert missed.exit_code == 1
    assert "300 draws, seed" in missed.stdout
    assert missed.stderr.startswith("asmrisk: the cap is reached before the precision asked for")
    assert missed.stderr.count("\n") == 1
    wrong = call("--target-se", "medicare_saving=1")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
