"""Every benchmark runs; the peer and the floor do what they are measured for."""

from __future__ import annotations

import importlib
import itertools
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest
from asv_runner._aux import update_sys_path
from asv_runner.discovery import disc_benchmarks
from scipy import stats

from asmrisk.rule.definitions import SPECIALTIES
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.model import Model, simulate_block

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
SUITE = BENCHMARKS / "suite"

# Uncompiled, a draw takes minutes; what the kernels compute is tested uncompiled elsewhere.
pytestmark = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="benchmarks are about compiled kernels"
)


def _import(name: str) -> ModuleType:
    """Import a module of the benchmarks as asv does."""
    if SUITE.name not in sys.modules:
        finders = list(sys.meta_path)
        update_sys_path(str(SUITE))
        try:
            importlib.import_module(SUITE.name)
        finally:
            # pytest cannot import past asv's finder; from here the package's own path serves.
            sys.meta_path[:] = finders
    return importlib.import_module(name)


def _cases() -> Iterator[Any]:
    """Find every benchmark with each of its parameters, by asv's own discovery."""
    _import("suite")
    for benchmark in disc_benchmarks(str(SUITE)):
        for number, parameters in enumerate(itertools.product(*benchmark._params)):
            # Where nothing is compiled a cold start is a warm one.
            marks = [pytest.mark.long] * (benchmark.name == "startup.Start.track_cold_start")
            name = "-".join((benchmark.name, *map(str, parameters)))
            yield pytest.param(benchmark, number, id=name, marks=marks)


@pytest.fixture(scope="module")
def _tiny() -> Iterator[None]:
    sizes = _import("suite.workload").SIZES
    full = dict(vars(sizes))
    sizes.shrink()
    yield
    vars(sizes).update(full)


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(("benchmark", "number"), list(_cases()))
def test_benchmark_runs(benchmark: Any, number: int) -> None:
    if benchmark._params:
        benchmark.set_param_idx(number)
    benchmark.do_setup()
    try:
        value = benchmark.func(*benchmark._current_params)
    finally:
        benchmark.do_teardown()
    if benchmark.type == "track":
        assert isinstance(value, float)
        assert value > 0.0


def test_suite_covers_what_is_promised() -> None:
    """Issue by issue: what must be measured is found under a name that says so."""
    _import("suite")
    found = {benchmark.name: benchmark.type for benchmark in disc_benchmarks(str(SUITE))}
    assert {
        "draw.Draw.track_nanoseconds_per_clinician_year",
        "draw.Draw.track_ratio_to_floor",
        "draw.Draw.track_ratio_to_numpy_peer",
        "draw.Precision.track_error_of_medicare_savings",
        "draw.Precision.track_error_of_penalized_share",
        "parts.Steps.time_step",
        "parts.Streams.time_uniforms",
        "parts.Transforms.time_variates",
        "scaling.Draws.track_milliseconds_per_draw",
        "studies.Sensitivity.time_analysis",
        "studies.Sensitivity.time_study",
        "roster.Roster.track_ratio_to_no_roster",
        "runs.Memory.peakmem_two_workers",
        "runs.Run.time_baseline",
        "runs.Run.time_small_scenario",
        "runs.Run.track_bytes_per_draw",
        "runs.Store.time_summarize",
        "runs.Store.time_write",
        "scaling.Workers.track_throughput_of_two",
        "startup.Start.time_help",
        "startup.Start.time_import",
        "startup.Start.time_warm_start",
        "startup.Start.track_cold_start",
    } <= set(found)
    assert set(found.values()) == {"time", "track", "peakmemory"}


#: Probability that a comparison of the peer with the package fails by chance.
FALSE_ALARM = 1e-3


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], tuple[str, ...]]:
    """Give the package's results, the peer's, and the names of those to compare."""
    peer = _import("peers.numpy_model")
    # All that moves from year to year is at work: exits, growth, response, the offset of payments by volume.
    scenario = scenario_from_dict(
        {
            "behavior": {
                "exit_probability": dict.fromkeys(SPECIALTIES, 0.08),
                "cost_growth": 0.03,
                "part_b_growth": {"heart_failure": 0.02, "low_back_pain": -0.01},
                "cost_response": {"2027": 0.0, "2028": 0.01},
                "cost_response_penalized": {"2027": 0.0, "2028": 0.03},
                "volume_offset_cut": 0.9,
                "volume_offset_raise": 0.6,
                "participation_cost": {"solo": 9000.0, "small": 5000.0, "large": 2000.0},
                "telehealth_cost": -20.0,
                "collaborative_care_cost": 60.0,
                "engagement_share": 0.3,
                "engagement_incentive": 200.0,
            }
        }
    )
    theirs = peer.simulate(24, 1, scenario.values)
    ours = simulate_block(Model(scenario), 0, 40)
    return ours, theirs, (*peer.VARIABLES, "adjustment_factor_quantile", "final_score_quantile")


def _least_probability(x: np.ndarray, y: np.ndarray) -> float:
    """Compare means over draws, the first dimension, by Welch's t; give the least of the probabilities.

    A number that never varies (no savings before any response) must be the same number: probability 0 or 1.
    """
    difference = np.abs(x.mean(axis=0) - y.mean(axis=0))
    rounding = 1e-12 * (1.0 + np.abs(x).max())
    a, b = x.var(axis=0, ddof=1) / len(x), y.var(axis=0, ddof=1) / len(y)
    constant = np.sqrt(a + b) <= rounding
    a = np.where(constant, 1.0, a)
    freedom = (a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (len(y) - 1))
    p = 2.0 * stats.t.sf(difference / np.sqrt(a + b), freedom)
    return float(np.where(constant, difference <= rounding, p).min())


class TestPeer:
    """The NumPy model and the package have the same distributions.

    Draws are independent, so Welch's t compares means over draws. Each comparison is held to `FALSE_ALARM`
    over the number of them (Bonferroni): with another seed all pass with probability 0.999.
    """

    def test_same_means(self, both: tuple[Any, Any, tuple[str, ...]]) -> None:
        ours, theirs, names = both
        comparisons = sum(ours[name][0].size + ours[name][0, 0].size for name in names)
        worst = []
        for name in names:
            a, b = ours[name].astype(float), theirs[name]
            # Each year, and the mean over the years, in which small differences show.
            for x, y in ((a, b), (a.mean(axis=1), b.mean(axis=1))):
                worst.append((_least_probability(x, y), name))
        assert min(worst)[0] > FALSE_ALARM / comparisons, sorted(worst)[:5]

    def test_same_spread(self, both: tuple[Any, Any, tuple[str, ...]]) -> None:
        """Standard deviations over draws of the five-year totals agree."""
        ours, theirs, _ = both
        names = ("part_b_paid", "penalized_share", "episodes", "episode_spending", "medicare_savings")
        for name in names:
            # Levene's test does not ask for normal draws.
            p = stats.levene(ours[name].sum(axis=(1, 2)), theirs[name].sum(axis=(1, 2))).pvalue
            assert p > FALSE_ALARM / len(names), name

    @pytest.mark.parametrize(
        ("name", "factor"), [("part_b_paid", 1.08), ("penalized_share", 1.02), ("scaling_factor", 1.02)]
    )
    def test_comparison_sees_a_difference(
        self, both: tuple[Any, Any, tuple[str, ...]], name: str, factor: float
    ) -> None:
        """Differences of few parts in a hundred would be seen; of dollars, which vary more, of eight."""
        ours, theirs, names = both
        with pytest.raises(AssertionError):
            self.test_same_means((ours, dict(theirs, **{name: factor * theirs[name]}), names))


class TestFloor:
    """The floor makes as many variates as a draw, with the same distributions."""

    def test_same_work(self) -> None:
        floor = _import("floor")
        model = Model(scenario_from_dict({}))
        for cohort in (0, 1):
            plan, work = floor.make_plan(model, cohort)
            participants = work.field.participants.copy()
            measured = [slice(None, n) for n in participants]
            real_cases = work.observations.cases[0][:, measured[0]].mean(axis=1)
            episodes = work.field.episodes[:, : work.field.entry_start[-1]].astype(float)
            for array in (work.observations.rate, work.observations.cases, work.observations.completeness):
                array[...] = -9
            filled = np.zeros(5, np.int64)
            floor.draw_floor(plan, 0, 1, model.inputs.key, filled, work)
            np.testing.assert_array_equal(filled, participants)
            asked = np.flatnonzero(plan.kind)
            for year in range(5):
                cases = work.observations.cases[year][:, measured[year]][asked]
                assert np.all(cases >= 0)
                assert np.all(np.isfinite(work.observations.completeness[year][:, measured[year]][asked]))
                assert np.all(np.isfinite(work.scored.final_score[: participants[year]]))
            # Expected counts come from a sample of clinicians: four standard errors of its mean.
            error = 4.0 * plan.cases[asked].std(axis=1) / math.sqrt(plan.cases.shape[1])
            cases = work.observations.cases[0][:, measured[0]][asked].mean(axis=1)
            assert np.all(np.abs(cases - real_cases[asked]) < error)
            drawn = work.field.episodes[0, : plan.entering[0]].mean()
            assert abs(
                drawn - episodes[0, : plan.entering[0]].mean()
            ) < 4.0 * plan.episodes.std() / math.sqrt(len(plan.episodes))


@pytest.mark.long
def test_draw_kernel_meets_its_target() -> None:
    """So many nanoseconds for a measured clinician-year on one core; only a machine at rest can say."""
    machine, draw = _import("machine"), _import("suite.draw")
    if machine.busy_cores() > machine.BUSY:
        pytest.skip("others use this machine")
    benchmark = draw.Draw()
    benchmark.setup()
    assert benchmark.track_nanoseconds_per_clinician_year() <= draw.TARGET_NANOSECONDS


def test_the_parts_of_a_cluster_are_measured(tmp_path: Path) -> None:
    cluster = _import("cluster")
    scenario = scenario_from_dict({"population": {"clinicians": 200.0}})
    seconds, values = cluster.seconds_of_draw(scenario, draws=2)
    assert seconds > 0.0
    seconds, size, files = cluster.writing(scenario, values, tmp_path, blocks=2)
    assert seconds > 0.0
    # A file for each variable and for the numbers of the draws in both groups, and the block's entry.
    assert files == len(values) + 3
    assert size > sum(array.nbytes for array in values.values()) / 10
    assert cluster.seconds_of_task(tasks=4) > 0.0


class TestCompare:
    """The command that compares the working tree with a commit."""

    def test_verdict(self) -> None:
        compare = _import("compare")

        def status(base: dict[str, float], tree: dict[str, float]) -> int:
            result: int = compare.verdict(compare.Times(base), compare.Times(tree))[0]
            return result

        assert status({"a": 0.100, "b": 0.2}, {"a": 0.12, "b": 0.1}) == 0
        assert status({"a": 0.100, "b": 0.2}, {"a": 0.14, "b": 0.1}) == 1
        assert status({"a": 0.04}, {"a": 0.06}) == 1
        assert status({"a": 0.030, "b": 0.2}, {"a": 0.049, "b": 0.2}) == 0
        assert status({"a": 0.030}, {"a": 0.049}) == 2
        assert status({}, {"a": 0.1}) == 2
        assert status({"a": 0.1}, {}) == 2
        assert status({}, {}) == 2

    def test_failures_are_not_passed_over(self) -> None:
        compare = _import("compare")
        base, tree = compare.Times(), compare.Times()
        base.add(
            '{"name": "a", "seconds": 0.2}\n{"name": "b", "seconds": 0.2}\n{"name": "a", "seconds": 0.1}\n'
        )
        tree.add('{"name": "a", "seconds": 0.1}\n{"name": "b", "error": "TypeError: no"}\n')
        status, lines = compare.verdict(base, tree)
        assert status == 2
        assert base.seconds["a"] == 0.1
        assert any("b: TypeError: no" in line for line in lines)

    def test_busy_machine_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        compare = _import("compare")
        monkeypatch.setattr(compare, "busy_cores", lambda seconds: 1.5)
        assert compare.main(["HEAD"]) == 2
        assert "others use 1.5" in capsys.readouterr().err

    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        """Make a repository of one commit that holds the package and its benchmarks."""
        root = tmp_path / "repository"
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".asv")
        for name in ("src", "benchmarks"):
            shutil.copytree(BENCHMARKS.parent / name, root / name, ignore=ignored)
        for command in (
            ["init", "--quiet"],
            ["add", "."],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "first"],
        ):
            subprocess.run(["git", *command], cwd=root, check=True)
        return root

    def _compare(self, root: Path, bench: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "benchmarks/compare.py", "HEAD", "--busy", "--rounds", "2", "--bench", bench],
            cwd=root,
            env={**os.environ, "ASMRISK_CACHE_DIR": str(root.parent / "kernels")},
            capture_output=True,
            text=True,
            check=False,
        )

    @pytest.mark.long
    def test_same_commit_passes_and_a_slow_kernel_fails(self, repository: Path) -> None:
        same = self._compare(repository, "draw.Draw.time_draws")
        assert same.returncode == 0, same.stdout + same.stderr
        nothing = self._compare(repository, "no such benchmark")
        assert nothing.returncode == 2, nothing.stdout + nothing.stderr

        # Forty times the rounds of the generator: the rest of the kernel stays what it was.
        philox = repository / "src" / "asmrisk" / "simulation" / "philox.py"
        text = philox.read_text()
        assert "_ROUNDS = 10\n" in text
        philox.write_text(text.replace("_ROUNDS = 10\n", "_ROUNDS = 400\n"))
        slow = self._compare(repository, "draw.Draw.time_draws")
        assert slow.returncode == 1, slow.stdout + slow.stderr
        assert "SLOWER" in slow.stdout
        worktrees = subprocess.run(
            ["git", "worktree", "list"], cwd=repository, check=True, capture_output=True, text=True
        )
        assert len(worktrees.stdout.splitlines()) == 1
