"""The command line: exit statuses, messages, help, listings, and what is imported when."""

from __future__ import annotations

import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

import asmrisk
from asmrisk.cli import commands
from asmrisk.errors import Call, InputError, RunError

SCENARIOS = Path(__file__).parents[2] / "scenarios"
BASELINE = str(SCENARIOS / "baseline.toml")
LABELS = "year, cohort, specialty, practice_size"


def call(*arguments: str) -> Result:
    """Run a command in this process; an exception that gets out is an error of the test."""
    return CliRunner().invoke(commands, arguments, catch_exceptions=False, prog_name="asmrisk")


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does."""
    command = [sys.executable, "-m", "asmrisk", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


# ------------------------------------------------------------------------------- help and imports


@pytest.mark.parametrize("names", [[], *([name] for name in commands.commands)], ids=" ".join)
def test_help_shows_an_example_that_is_a_command(names: list[str]) -> None:
    result = call(*names, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(" ".join(["Usage: asmrisk", *names]))
    example = result.stdout.partition("Example:\n")[2].partition("\n\n")[0]
    program, *words = shlex.split(example)
    assert program == "asmrisk"
    assert not names or words[0] == names[0]
    # Parsed as by the program, and not run: an error if a command or an option does not exist.
    with commands.make_context("asmrisk", list(words)) as group:
        name, command, rest = commands.resolve_command(group, words)
        assert name is not None
        assert command is not None
        command.make_context(name, rest, parent=group)
    for word in words:
        if word.endswith(".toml"):
            assert list(SCENARIOS.parent.glob(word)), word


def test_every_command_is_a_public_function() -> None:
    assert set(commands.commands) <= set(asmrisk.__all__)
    for name in commands.commands:
        assert isinstance(getattr(asmrisk, name), FunctionType)


def test_the_public_names_resolve() -> None:
    for name in asmrisk.__all__:
        assert getattr(asmrisk, name) is not None
        assert name in dir(asmrisk)
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", asmrisk.__version__)
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        asmrisk.runn  # noqa: B018


def test_a_module_does_not_hide_the_function_of_its_name() -> None:
    code = "import asmrisk, asmrisk.analysis.scoring; assert callable(asmrisk.score), asmrisk.score"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_help_imports_nothing_heavy() -> None:
    code = """
    import sys
    from asmrisk.cli import commands
    try:
        commands(["--help"], prog_name="asmrisk")
    except SystemExit as ending:
        assert ending.code == 0
    print(sorted({name.partition(".")[0] for name in sys.modules}))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = set(eval(done.stdout.splitlines()[-1]))
    assert "click" in loaded
    assert not loaded & {
        "numba",
        "numpy",
        "scipy",
        "pandas",
        "xarray",
        "zarr",
        "dask",
        "pydantic",
        "rich",
        "tree_sitter",
    }


def test_a_run_imports_only_what_it_needs(tmp_path: Path) -> None:
    code = f"""
    import sys
    from asmrisk.cli import commands
    try:
        commands(["run", {BASELINE!r}, "--draws", "2", "--out", {str(tmp_path / "r.zarr")!r}, "--quiet"])
    except SystemExit as ending:
        assert ending.code == 0
    print(sorted(sys.modules))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=300
    )
    loaded = set(eval(done.stdout.splitlines()[-1]))
    assert {"numba", "xarray", "zarr"} <= loaded
    # Each would take from a twentieth to a half of a second.
    heavy = {"distributed", "dask.dataframe", "rich", "SALib", "obstore", "scipy.stats"}
    assert not loaded & heavy


def test_help_is_quick() -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time, which a busy machine does not lengthen; the best of a few.
    assert min(seconds() for _ in range(4)) < 0.3


def test_version() -> None:
    assert call("--version").stdout == f"asmrisk {asmrisk.__version__}\n"


# ------------------------------------------------------------------------------- exit statuses and messages


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "there is no command 'rum'; did you mean run?"),
        (["xyzzy"], "there is no command 'xyzzy'; "),
        (["run"], "Missing argument 'SCENARIO...'"),
        (["run", BASELINE, "--drawz", "5"], "No such option '--drawz'"),
        (["run", BASELINE, "--draws", "0"], "Invalid value for '--draws': 0 is not in the range"),
        (["run", BASELINE, "--draws", "many"], "Invalid value for '--draws': 'many' is not a valid integer"),
        (["run", BASELINE, "--seed", "-1"], "Invalid value for '--seed'"),
        (["run", BASELINE, "--seed", str(2**64)], "Invalid value for '--seed'"),
        (["run", BASELINE, "--workers", "0"], "Invalid value for '--workers'"),
        (["run", "basline.toml"], "asmrisk: basline.toml: no such file"),
        (
            ["run", BASELINE, "--set", "policy.risk_levle=1"],
            "asmrisk: --set policy.risk_levle=1: policy.risk_levle: unkn",
        ),
        (["policy", BASELINE, "--format", "xml"], "Invalid value for '--format': 'xml' is not one of"),
        (["validate"], "Missing argument 'SCENARIO...'"),
        (["replay", "none.zarr", "--out", "x.csv"], "Missing option '--draw'"),
        (["score", "none.csv"], "Missing option '--out'"),
        (["status", "none.zarr"], "none.zarr"),
        (["summarize", "none.zarr"], "none.zarr"),
        (["replay", "none.zarr", "--draw", "0", "--out", "x.csv"], "none.zarr"),
        (["score", "none.csv", "--out", "x.csv"], "none.csv"),
    ],
)
def test_unusable_input_ends_with_status_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_all_problems_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.toml").write_text("[policy]\nrisk_levle = 1\ntie_rule = 'uper'\n")
    result = process("validate", "x.toml", BASELINE)
    assert result.returncode == 2
    assert result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first == "asmrisk: x.toml:2: policy.risk_levle: unknown key; did you mean policy.risk_level?"
    assert second.startswith('asmrisk: x.toml:3: policy.tie_rule: "uper" is not allowed; allowed: upper, ')


def test_the_library_is_valid() -> None:
    files = sorted(map(str, [*SCENARIOS.glob("*.toml"), *SCENARIOS.glob("readings/*.toml")]))
    result = call("validate", *files)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.partition(": valid (")[0] for line in lines if not line.startswith("  ")] == files
    assert result.stdout.count("  Rule: as of the CY 2026 final rule (90 FR 49266") == len(files)


def test_a_change_is_validated_as_it_would_be_run() -> None:
    result = call("validate", BASELINE, "--set", "policy.risk_level=0.05")
    assert f"{BASELINE}: valid (Final rule, with policy.risk_level 0.05)\n" in result.stdout
    result = call("validate", BASELINE, "--set", "policy.risk_level.2032=0.05")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "2031" in result.stderr


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (InputError(["one", "two"]), 2, "asmrisk: one\nasmrisk: two\n"),
        (RunError("block 3 failed; run it again"), 1, "asmrisk: block 3 failed; run it again\n"),
        (
            RunError("draw 3: ", Call("replay", "r.zarr", {"draw": 3, "out": "t.csv"}), " shows it"),
            1,
            "asmrisk: draw 3: `asmrisk replay r.zarr --draw 3 --out t.csv` shows it\n",
        ),
        (
            InputError("'x' is none", argument="replay_draws", where="a.b=x", allowed="y"),
            2,
            "asmrisk: replay_draws a.b=x: 'x' is none; allowed: y\n",
        ),
        (
            RunError(Call("status", "r.zarr", {"verify": True})),
            1,
            "asmrisk: `asmrisk status r.zarr --verify`\n",
        ),
        (
            RunError(Call("run", "our own.toml", {"overrides": ["a.b=1", "c.d={x = 1}"], "fixed": True})),
            1,
            "asmrisk: `asmrisk run 'our own.toml' --set a.b=1 --set 'c.d={x = 1}' --fixed`\n",
        ),
        (
            RunError(Call("compare", "a.zarr", {"full": True}, ("b.zarr", "c.zarr"))),
            1,
            "asmrisk: `asmrisk compare a.zarr b.zarr c.zarr --full`\n",
        ),
        (
            RunError(Call("decompose", "a.zarr", {"draws": 8}, ("b.zarr",))),
            1,
            "asmrisk: `asmrisk compare a.zarr b.zarr --decompose --draws 8`\n",
        ),
        (OSError(28, "No space left on device", "/x"), 1, "asmrisk: /x: No space left on device\n"),
        (MemoryError(), 1, "asmrisk: out of memory; end other programs, or take a larger machine\n"),
        (
            KeyError("what\never"),
            1,
            "asmrisk: internal error (KeyError: 'what\\never'); set ASMRISK_TRACEBACK=1 to see where, "
            "and report it\n",
        ),
        (KeyboardInterrupt(), 130, "asmrisk: interrupted\n"),
    ],
)
def test_failures_end_in_one_message(
    failure: BaseException, status: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.delenv("ASMRISK_TRACEBACK", raising=False)
    monkeypatch.setattr("asmrisk.population.preparation.prepared_scenarios", fail)
    result = call("validate", BASELINE)
    assert (result.exit_code, result.stdout, result.stderr) == (status, "", message)


def test_a_traceback_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASMRISK_TRACEBACK", "1")
    monkeypatch.setattr("asmrisk.population.preparation.prepared_scenarios", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call("validate", BASELINE)


def test_warnings_are_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(*paths: Any, **_: Any) -> list[Any]:
        warnings.simplefilter("always")
        warnings.warn("the cache cannot be written", RuntimeWarning, stacklevel=1)
        return [SimpleNamespace(scenario=SimpleNamespace(title="T"), rule="R", notes=()) for _ in paths]

    monkeypatch.setattr("asmrisk.population.preparation.prepared_scenarios", warn)
    result = call("validate", BASELINE)
    assert (result.exit_code, result.stderr) == (0, "asmrisk: note: the cache cannot be written\n")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command(number: int, status: int) -> None:
    code = """
    import signal, sys, time
    # A shell lets what it starts in the background ignore the first of them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import asmrisk.cli, asmrisk.population.preparation
    def wait(*_, **__):
        print("ready", flush=True)
        time.sleep(60)
    asmrisk.population.preparation.prepared_scenarios = wait
    sys.argv = ["asmrisk", "validate", "x.toml"]
    asmrisk.cli.main()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
    assert child.returncode == status
    assert said.startswith("asmrisk: ")
    assert len(said.splitlines()) == 1


def test_a_reader_that_stops_reading_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        command = [sys.executable, "-m", "asmrisk", "policy"]
        done = subprocess.run(
            command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False, timeout=120
        )
    assert done.stderr == ""
    assert done.returncode == 141


# ------------------------------------------------------------------------------- thin commands


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Record the calls of the public functions in place of doing anything."""
    made: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def recorder(name: str, result: Any) -> Callable[..., Any]:
        def record(*arguments: Any, **named: Any) -> Any:
            made.append((name, arguments, named))
            return result

        return record

    def to_text(write: Callable[[Call], str]) -> str:
        assert write(Call("run", "a.toml", {"fixed": True})) == "`asmrisk run a.toml --fixed`"
        return "the summary"

    summary = SimpleNamespace(
        to_text=to_text, to_json=lambda: '{"all": "digits"}', to_csv=lambda: "all,digits\n"
    )
    for place, result in {
        "asmrisk.analysis.run.run": Path("results/x.zarr"),
        "asmrisk.simulation.compilation.warmup": None,
        "asmrisk.analysis.rerun.replay": None,
        "asmrisk.analysis.summary.summarize": summary,
        "asmrisk.results.status.status": "complete",
    }.items():
        monkeypatch.setattr(place, recorder(place.rpartition(".")[2], result))
    monkeypatch.setattr(import_module("asmrisk.analysis.scoring"), "score", recorder("score", None))
    return made


def test_run_passes_on_what_is_asked_for(calls: list[Any]) -> None:
    options = "--draws 7 --seed 0 --workers 2 --block-size 64 --fixed --title Ours --out here.zarr --quiet"
    result = call("run", BASELINE, "--set", "policy.tie_rule=mid", *options.split())
    assert result.exit_code == 0
    assert result.stdout == "the summary\n"
    (_, (scenario,), named), (summarized, (results,), _) = calls
    assert scenario.values["policy.tie_rule"][2027] == "mid"
    assert scenario.source == Path(BASELINE)
    assert named == {
        "draws": 7,
        "seed": 0,
        "workers": 2,
        "processes": False,
        "scheduler": None,
        "security": None,
        "block_size": 64,
        "fixed": True,
        "title": "Ours",
        "out": Path("here.zarr"),
        "quiet": True,
    }
    assert (summarized, results) == ("summarize", Path("results/x.zarr"))


def test_run_leaves_open_what_is_not_asked_for(calls: list[Any]) -> None:
    assert call("run", BASELINE).exit_code == 0
    named = calls[0][2]
    assert named == {
        "draws": None,
        "seed": None,
        "workers": None,
        "processes": False,
        "scheduler": None,
        "security": None,
        "block_size": None,
        "fixed": False,
        "title": None,
        "out": None,
        "quiet": False,
    }


def test_a_target_is_of_the_error_given_the_assumptions_unless_the_total_is_asked_for(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def run_to_precision(scenario: Any, targets: Any, *, total: bool, **named: Any) -> Any:
        asked.append((targets, total, named["fixed"]))
        return SimpleNamespace(path=Path("results/x.zarr"), met=True)

    monkeypatch.setattr("asmrisk.analysis.precision.run_to_precision", run_to_precision)
    target = ["--target-se", "medicare_savings=1%"]
    assert call("run", BASELINE, *target).exit_code == 0
    assert call("run", BASELINE, *target, "--target-total", "--fixed").exit_code == 0
    assert asked == [(("medicare_savings=1%",), False, False), (("medicare_savings=1%",), True, True)]
    lonely = call("run", BASELINE, "--target-total")
    assert lonely.exit_code == 2
    assert "total: says what a target is of" in lonely.stderr


def test_the_other_commands_pass_on(calls: list[Any]) -> None:
    replayed = call("replay", "r.zarr", "--draw", "3", "--out", "x.csv").stdout
    assert replayed == "Clinicians: x.csv\nScenario: x.scenario.toml\n"
    assert call("status", "r.zarr").stdout == "complete\n"
    assert call("summarize", "r.zarr").stdout == "the summary\n"
    assert call("warmup").exit_code == 0
    assert (
        call("score", "t.csv", "--set", "policy.tie_rule=mid", "--out", "y.csv").stdout == "Scores: y.csv\n"
    )
    assert call("score", "t.csv", "--scenario", BASELINE, "--out", "y.csv").exit_code == 0
    assert call("score", "t.csv", "--out", "y.csv").exit_code == 0
    assert [name for name, *_ in calls] == ["replay", "status", "summarize", "warmup", *["score"] * 3]
    files = {"roster": None, "participant_list": None}
    assert calls[0][1:] == ((Path("r.zarr"),), {"draw": 3, "out": Path("x.csv")} | files)
    assert calls[1][1:] == ((Path("r.zarr"),), {"verify": False})
    assert calls[2][1:] == ((Path("r.zarr"),), {"by": None, "metrics": None, "partial": False})
    assert calls[4][1] == (Path("t.csv"),)
    assert calls[4][2]["scenario"].values["policy.tie_rule"][2027] == "mid"
    assert calls[5][2]["scenario"].differences() == {}
    # So that it can say that it takes the final rule.
    assert calls[6][2]["scenario"] is None


def test_summarize_passes_on_what_is_asked_for(calls: list[Any]) -> None:
    chosen = ["--by", "year, cohort", "--metric", "episodes", "--metric", "scored", "--partial"]
    assert call("summarize", "r.zarr", *chosen).stdout == "the summary\n"
    assert call("summarize", "r.zarr", "--by", "specialty", "--format", "csv").stdout == "all,digits\n"
    assert call("summarize", "r.zarr", "--format", "json").stdout == '{"all": "digits"}\n'
    assert call("summarize", "r.zarr", "--loss", "5e5").stdout == "the summary\n"
    assert [named for _, _, named in calls] == [
        {"by": "year, cohort", "metrics": ("episodes", "scored"), "partial": True},
        {"by": "specialty", "metrics": None, "partial": False},
        {"by": None, "metrics": None, "partial": False},
        {"by": None, "metrics": None, "partial": False, "loss": 5e5},
    ]


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (
            ["--by", "yeer,cohrt"],
            [
                f"--by: {wrong!r} is no label; allowed: {LABELS}; did you mean {best}?"
                for wrong, best in (("cohrt", "cohort"), ("yeer", "year"))
            ],
        ),
        (["--by", "year,"], [f"'' is no label; allowed: {LABELS}"]),
        (["--metric", "net_adjustmnt"], ["--metric: 'net_adjustmnt' is no metric; allowed: "]),
        (["--metric", "a b c", "--metric", "epsiodes"], ["'a b c' is no metric;", "did you mean episodes?"]),
        (["--exceedance", "nonsense"], ["--exceedance: 'nonsense' is no metric; allowed: "]),
        (["--by", "specialty", "--metric", "episodes"], ["episodes is not kept by specialty; these are"]),
    ],
)
def test_unknown_labels_and_metrics_are_answered_with_the_nearest(
    arguments: list[str], messages: list[str]
) -> None:
    result = call("summarize", "none.zarr", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert len(lines) == len(messages)
    for line, message in zip(lines, messages, strict=True):
        assert line.startswith("asmrisk: ")
        assert message in line


def test_an_unknown_layout_of_a_summary() -> None:
    result = call("summarize", "none.zarr", "--format", "xml")
    assert result.exit_code == 2
    assert "'xml' is not one of 'table', 'json', 'csv'" in result.stderr


def test_public_functions_are_not_hidden_by_modules_of_their_name() -> None:
    program = (
        "import asmrisk, importlib, pkgutil\n"
        "for each in pkgutil.walk_packages(asmrisk.__path__, 'asmrisk.'):\n"
        "    if each.name != 'asmrisk.__main__':\n"
        "        importlib.import_module(each.name)\n"
        # What is a module itself is not a function.
        "names = [name for name in asmrisk.__all__ if not name.startswith('_') and name != 'plot']\n"
        "print([name for name in names if not callable(getattr(asmrisk, name))])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
