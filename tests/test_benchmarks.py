"""Every benchmark runs; the peer and the floor do what they are measured for."""

from __future__ import annotations

import importlib
import itertools
import json
import math
import os
import re
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


#: Benchmarks of kernels that nothing else uses, which take long to compile.
COMPILED_ALONE = (
    "draw.Draw.track_ratio_to_floor",
    "parts.Steps.time_step",
    "parts.Steps.track_nanoseconds_per_clinician_year",
)


def _found() -> list[Any]:
    """Find the suite's benchmarks by asv's own discovery."""
    _import("suite")
    return list(disc_benchmarks(str(SUITE)))


def _cases() -> Iterator[Any]:
    """Give every benchmark with each of its parameters; all but the first of these are for long tests."""
    # Where nothing is compiled a cold start is a warm one.
    slow = {"startup.Start.track_cold_start", *COMPILED_ALONE}
    for benchmark in _found():
        for number, parameters in enumerate(itertools.product(*benchmark._params)):
            marks = [pytest.mark.long] * (number > 0 or benchmark.name in slow)
            name = "-".join((benchmark.name, *map(str, parameters)))
            yield pytest.param(benchmark, number, id=name, marks=marks)


@pytest.fixture(scope="module")
def _tiny() -> Iterator[None]:
    sizes = _import("suite.common").SIZES
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


def test_what_takes_long_to_compile_runs_uncompiled() -> None:
    """With few clinicians, kernels that only benchmarks use need not be compiled to see that they run."""
    script = """
import sys
from asv_runner._aux import update_sys_path
update_sys_path(sys.argv[1])
from suite import common, draw, parts
common.SIZES.shrink()
common.SIZES.clinicians = 8.0
steps = parts.Steps()
steps.setup(steps.params[0])
for step in steps.params:
    steps.time_step(step)
draw.floor.make_floor(steps.draw.model, 1)()
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", script, str(SUITE)], env=environment, check=True)


def test_every_time_declares_what_is_a_regression() -> None:
    measure = _import("measure")
    timed = [benchmark for benchmark in _found() if benchmark.type == "time"]
    for benchmark in timed:
        assert 1.0 < measure.declared_threshold(benchmark) <= 1.3, benchmark.name


def test_gate_runs_on_any_version() -> None:
    """It covers what users wait for, and imports of the package what is public."""
    gate = {benchmark.name for benchmark in _found() if re.search(_import("compare").GATE, benchmark.name)}
    assert gate >= {
        "gate.Replay.time_draw",
        "gate.Roster.time_run",
        "gate.Run.time_doubt",
        "gate.Run.time_fixed",
        "gate.Shared.time_policies",
        "gate.Store.time_write",
        "gate.Summary.time_summarize",
    }
    assert _import("suite.gate").Shared.params == (2, 10, 30)
    assert "from asmrisk" not in (SUITE / "gate.py").read_text()


def test_suite_covers_what_is_promised() -> None:
    """Issue by issue: what must be measured is found under a name that says so."""
    found = {benchmark.name: benchmark.type for benchmark in _found()}
    assert {
        "draw.Draw.track_nanoseconds_per_clinician_year",
        "draw.Draw.track_ratio_to_floor",
        "draw.Draw.track_ratio_to_numpy_peer",
        "draw.Precision.track_error_of_medicare_savings",
        "draw.Precision.track_error_of_penalized_share",
        "gate.Sharing.track_ratio_to_runs_alone",
        "parts.Steps.time_step",
        "parts.Streams.time_uniforms",
        "parts.Transforms.time_variates",
        "scaling.Draws.track_milliseconds_per_draw",
        "studies.Policies.time_study",
        "studies.Sensitivity.time_analysis",
        "studies.Sensitivity.time_study",
        "roster.Roster.track_ratio_to_no_roster",
        "runs.Memory.peakmem_two_workers",
        "runs.Run.time_small_scenario",
        "runs.Run.track_bytes_per_draw",
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


@pytest.mark.long
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


@pytest.mark.long
def test_the_handling_of_a_cluster_is_measured() -> None:
    assert _import("cluster").seconds_of_task(tasks=4) > 0.0


#: A suite of one kernel that is timed twice, with a threshold within reach and with one out of reach.
TIMED_TWICE = """
import numpy as np
from asmrisk.numerics.jit import kernel
from asmrisk.simulation.philox import philox4x32

@kernel
def words(count):
    mixed = np.uint64(0)
    for n in range(count):
        word = np.uint64(n)
        mixed ^= philox4x32(word, word, word, word, word, word)[0]
    return mixed

class Generator:
    warmup_time = 0.0

    def setup(self):
        words(1)

    def time_strictly(self):
        words(2_000_000)

    time_strictly.threshold = 2.0

    def time_leniently(self):
        words(2_000_000)

    time_leniently.threshold = 1000.0
"""


class TestCompare:
    """The command that compares the working tree with a commit."""

    def _times(self, seconds: dict[str, float], **thresholds: float) -> Any:
        """Give times as measured, with the thresholds that benchmarks declare, 1.3 if none is given."""
        times = _import("compare").Times()
        for name, taken in seconds.items():
            result = {"name": name, "seconds": taken, "threshold": thresholds.get(name, 1.3)}
            times.add(json.dumps(result))
        return times

    def test_verdict(self) -> None:
        compare = _import("compare")

        def status(base: dict[str, float], tree: dict[str, float]) -> int:
            result: int = compare.verdict(self._times(base), self._times(tree))[0]
            return result

        assert status({"a": 0.100, "b": 0.2}, {"a": 0.12, "b": 0.1}) == 0
        assert status({"a": 0.100, "b": 0.2}, {"a": 0.14, "b": 0.1}) == 1
        assert status({"a": 0.04}, {"a": 0.06}) == 1
        assert status({"a": 0.030, "b": 0.2}, {"a": 0.049, "b": 0.2}) == 0
        assert status({"a": 0.030}, {"a": 0.049}) == 2
        assert status({}, {"a": 0.1}) == 2
        assert status({"a": 0.1}, {}) == 2
        assert status({}, {}) == 2

    def test_each_is_judged_by_the_threshold_of_the_tree(self) -> None:
        compare = _import("compare")
        base = self._times({"a": 0.2, "b": 0.2}, a=1.0, b=1.0)
        tree = self._times({"a": 0.24, "b": 0.24}, a=1.25, b=1.15)
        status, lines = compare.verdict(base, tree)
        assert status == 1
        assert ["SLOWER" in line for line in lines[1:3]] == [False, True]
        assert "1.15" in lines[2]
        assert compare.verdict(base, tree, factor=1.1)[0] == 0

    def test_failures_are_not_passed_over(self) -> None:
        compare = _import("compare")
        base, tree = self._times({"a": 0.2, "b": 0.2}), self._times({"a": 0.1})
        base.add(json.dumps({"name": "a", "seconds": 0.1, "threshold": 1.3}))
        tree.add('{"name": "b", "error": "TypeError: no"}\n')
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

    def test_a_slowed_kernel_fails_by_the_threshold_that_is_declared(self, tmp_path: Path) -> None:
        root = tmp_path / "repository"
        ignored = shutil.ignore_patterns("__pycache__", "suite", "peers")
        for name in ("src/asmrisk", "benchmarks"):
            shutil.copytree(BENCHMARKS.parent / name, root / name, ignore=ignored)
        suite = root / "benchmarks" / "suite"
        suite.mkdir()
        (suite / "__init__.py").touch()
        (suite / "twice.py").write_text(TIMED_TWICE)
        for command in (
            ["init", "--quiet"],
            ["add", "."],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "first"],
        ):
            subprocess.run(["git", *command], cwd=root, check=True)

        # Eight times the rounds of the generator.
        philox = root / "src" / "asmrisk" / "simulation" / "philox.py"
        text = philox.read_text()
        assert "_ROUNDS = 10\n" in text
        philox.write_text(text.replace("_ROUNDS = 10\n", "_ROUNDS = 80\n"))
        compared = subprocess.run(
            [sys.executable, "benchmarks/compare.py", "HEAD", "--busy", "--rounds", "1", "--bench", "."],
            cwd=root,
            env={**os.environ, "ASMRISK_CACHE_DIR": str(tmp_path / "kernels"), "PYTHONDONTWRITEBYTECODE": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert compared.returncode == 1, compared.stdout + compared.stderr
        verdicts = dict(re.findall(r"time_(\w+)(.*)", compared.stdout))
        assert verdicts == {"strictly": "  SLOWER", "leniently": ""}
        worktrees = subprocess.run(
            ["git", "worktree", "list"], cwd=root, check=True, capture_output=True, text=True
        )
        assert len(worktrees.stdout.splitlines()) == 1
