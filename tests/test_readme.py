"""The README against the program: its generated tables, command lines, files, links and examples.

``python tests/test_readme.py`` writes the generated tables anew.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

import asmrisk
from asmrisk.analysis.metrics import METRICS
from asmrisk.cli import commands
from asmrisk.clinician_tables.columns import (
    CLINICIAN_COLUMNS,
    SCORE_COLUMNS,
    Column,
    measure_columns,
    points_column,
)
from asmrisk.population.roster import REQUIRED
from asmrisk.rule.definitions import measures_of
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation.variables import variables
from asmrisk.studies.study import load_study

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
STUDIES = ROOT / "scenarios" / "studies"
TEXT = README.read_text()

# ------------------------------------------------------------------------------- generated tables


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _metrics() -> str:
    how = {"sum": "added up", "mean": "weighted mean", "level": "plain mean"}
    kept = {
        (True, True): "all labels",
        (True, False): "year, cohort",
        (False, True): "all labels",
    }
    return _table(
        ("metric", "meaning", "unit", "over years and groups", "`--by`"),
        (
            (f"`{each.name}`", each.title, each.units, how[each.how], kept[each.by_cohort, each.by_specialty])
            for each in METRICS.values()
        ),
    )


def _scenarios() -> str:
    files = sorted((ROOT / "scenarios").glob("*.toml"), key=lambda path: (path.stem != "baseline", path.stem))
    loaded = [(path, load_scenario(path)) for path in files]
    return _table(
        ("file", "what it is", "reference"),
        (
            (
                f"`scenarios/{path.name}`",
                f"{each.title}. {' '.join(each.description.split())}",
                each.reference,
            )
            for path, each in loaded
        ),
    )


def _studies() -> str:
    loaded = [(path, tomllib.loads(path.read_text())) for path in sorted(STUDIES.glob("*.toml"))]
    return _table(
        ("file", "what it is", "method"),
        (
            (
                f"`scenarios/studies/{path.name}`",
                f"{each['title']}. {each['description']}",
                f"`{each['design']['method']}`",
            )
            for path, each in loaded
        ),
    )


def _clinician_table() -> str:
    q008 = measures_of("heart_failure")[1]

    def row(column: Column, what: str) -> tuple[str, ...]:
        empty = ", or empty" if column.empty else ""
        need = "R" if column.name in REQUIRED else ""
        return (
            f"`{column.name}`",
            what,
            need,
            column.meaning,
            column.allowed.replace(", -inf or more", "") + empty,
        )

    observed = [*CLINICIAN_COLUMNS, *measure_columns(q008)]
    scored = [points_column(q008), *SCORE_COLUMNS]
    return _table(
        ("column", "", "", "meaning", "allowed"),
        [
            *(row(each, "optional" if each.optional else "input") for each in observed),
            *(row(each, "score adds") for each in scored),
        ],
    )


def _variables() -> str:
    every_group = scenario_from_dict(
        {
            "extends": "scenarios/roster.toml",
            "uncertainty": {"behavior.medicare_share": {"distribution": "uniform", "low": 0.8, "high": 0.9}},
        },
        folder=ROOT,
    )
    return _table(
        ("group", "variable", "dimensions", "type", "unit", "meaning"),
        (
            (
                each.group or "(main)",
                f"`{each.name}`",
                ", ".join(each.dims),
                each.dtype,
                each.units,
                each.long_name,
            )
            for each in variables(every_group).values()
        ),
    )


def _parameters() -> str:
    return asmrisk.policy().to_markdown().strip()


GENERATED = {
    "metrics": _metrics,
    "scenarios": _scenarios,
    "studies": _studies,
    "clinician-table": _clinician_table,
    "variables": _variables,
    "parameters": _parameters,
}


def _parts(name: str) -> tuple[str, str, str]:
    """Split the README before and after a generated block."""
    start, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
    assert TEXT.count(start) == TEXT.count(end) == 1
    before, _, rest = TEXT.partition(start)
    block, _, after = rest.partition(end)
    return before + start, block.strip("\n"), end + after


@pytest.mark.parametrize("name", GENERATED)
def test_generated_blocks_are_up_to_date(name: str) -> None:
    # If not: python tests/test_readme.py, and look at the difference.
    assert _parts(name)[1] == GENERATED[name]()


def test_every_generated_block_has_its_generator() -> None:
    assert set(re.findall(r"<!-- generated: (\S+) -->", TEXT)) == set(GENERATED)


# ------------------------------------------------------------------------------- what is named exists

#: Fenced blocks: language and text.
BLOCKS = [(match[1], match[2]) for match in re.finditer(r"^```(\w*)\n(.*?)^```$", TEXT, re.M | re.S)]
#: Everything outside of fenced blocks.
PROSE = re.sub(r"^```\w*\n.*?^```$", "", TEXT, flags=re.M | re.S)
SHELL = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
INLINE = re.findall(r"`([^`\n]+)`", PROSE)
NO_OUTPUT = "\n".join([PROSE, *(text for language, text in BLOCKS if language != "text")])


def _command_lines() -> Iterator[str]:
    """Every call of asmrisk in shell blocks and inline code, without what comes before its name."""
    for line in [*SHELL, *INLINE]:
        for part in re.split(r"&&|\||;", line.partition("#")[0]):
            call = re.match(r"\s*(?:\w+=\S+ )*(?:\.venv/bin/)?asmrisk(?: (.*))?$", part)
            if call:
                yield (call[1] or "").strip()


COMMAND_LINES = sorted(set(_command_lines()))


def test_there_are_command_lines() -> None:
    used = {line.partition(" ")[0] for line in COMMAND_LINES}
    assert used >= set(commands.commands)


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_command_lines_parse(line: str) -> None:
    words = shlex.split(line)
    if not words or words == ["--help"]:
        return
    command = commands.get_command(click.Context(commands), words[0])
    assert command is not None
    if words[1:] in ([], ["--help"]):  # named, not used
        return
    # A wrong option, a bad value or a missing argument raises; nothing is run.
    command.make_context(words[0], words[1:])


def test_a_wrong_command_line_is_found() -> None:
    with pytest.raises(click.UsageError):
        commands.commands["run"].make_context("run", ["scenarios/baseline.toml", "--drawz", "5"])
    with pytest.raises(click.UsageError):
        commands.commands["replay"].make_context("replay", ["results/baseline.zarr"])


NAMED = sorted(
    set(re.findall(r"(?<![\w/.])(?:scenarios|tests|benchmarks|src)/[\w/.]*\w/?", NO_OUTPUT))
    - {"scenarios/", "tests/", "benchmarks/"}
)


def test_there_are_named_files() -> None:
    assert "scenarios/baseline.toml" in NAMED
    assert "tests/test_readme.py" in NAMED


@pytest.mark.parametrize("name", NAMED)
def test_files_named_exist(name: str) -> None:
    assert (ROOT / name).exists()


def test_links_lead_somewhere() -> None:
    heads = re.findall(r"^#+ (.*)$", PROSE, re.M)
    anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
    links = re.findall(r"\]\(#([^)]*)\)", PROSE)
    assert links
    assert set(links) <= anchors


def test_every_command_and_parameter_section_is_there() -> None:
    for name in commands.commands:
        assert f"`asmrisk {name}`" in PROSE


def test_the_two_commands_stand_as_they_are() -> None:
    assert SHELL[0] == (
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/asmrisk run scenarios/baseline.toml"
    )
    assert SHELL[1] == "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest"
    assert SHELL[1] in (ROOT / ".ci" / "run").read_text()


def test_no_paths_of_a_machine_and_no_hosts() -> None:
    assert not re.search(r"(?<![\w.])/(home|root|work|tmp|usr|var|opt|mnt)/", TEXT)
    # Kinds of places that a user names; the hosts are made up.
    assert set(re.findall(r"(\w+)://", TEXT)) <= {"s3", "tcp", "tls"}
    assert set(re.findall(r"s3://([\w.-]+)", TEXT)) <= {"our-bucket", "bucket", "BUCKET"}


# ------------------------------------------------------------------------------- examples run

TOML = [text for language, text in BLOCKS if language == "toml" and "[design]" not in text]
STUDY = [text for language, text in BLOCKS if language == "toml" and "[design]" in text]
PYTHON = [text for language, text in BLOCKS if language == "python"]
#: What is printed of the worked example is exact: it does not depend on the simulation.
EXACT = "S = 1.763288"


@pytest.mark.parametrize("text", TOML, ids=lambda text: text.split()[1])
def test_scenario_examples_are_valid(text: str) -> None:
    assert text.startswith("# ")
    scenario = scenario_from_dict(tomllib.loads(text), folder=ROOT)
    assert scenario.differences() or scenario.uncertainty


@pytest.mark.parametrize("text", STUDY, ids=lambda text: text.split()[1])
def test_study_examples_are_valid(text: str, tmp_path: Path) -> None:
    assert text.startswith("# ")
    (tmp_path / "study.toml").write_text(text.replace('"scenarios/', f'"{ROOT}/scenarios/'))
    assert load_study(tmp_path / "study.toml").points > 1


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small runs in the places that the examples open."""
    folder = tmp_path_factory.mktemp("readme")
    small = ["population.clinicians=200"]
    what_if = scenario_from_dict(
        tomllib.loads(next(text for text in TOML if "[uncertainty]" in text)), small, folder=ROOT
    )
    runs = {
        name: load_scenario(ROOT / "scenarios" / f"{name}.toml", small)
        for name in ("baseline", "budget_neutral", "roster")
    }
    for name, scenario in (runs | {"what_if": what_if}).items():
        asmrisk.run(scenario, draws=4, out=folder / "results" / f"{name}.zarr", workers=1, quiet=True)
    studies = folder / "scenarios" / "studies"
    studies.mkdir(parents=True)
    for path in STUDIES.glob("*.toml"):
        (studies / path.name).write_text(path.read_text())
    (folder / "scenarios" / "baseline.toml").write_text(
        f'extends = "{ROOT}/scenarios/baseline.toml"\n[population]\nclinicians = 200.0\n'
    )
    return folder


def _line(text: str) -> str:
    return f"line-{TEXT[: TEXT.index(text)].count(chr(10)) + 1}"


@pytest.mark.parametrize("text", PYTHON, ids=_line)
def test_python_examples_run(
    text: str, stores: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(stores)
    exec(compile(text, str(README), "exec"), {})
    printed = capsys.readouterr().out
    assert printed
    if EXACT in printed:
        assert f"```text\n{printed}```" in TEXT


def test_the_worked_example_is_among_them() -> None:
    assert sum(EXACT in text for language, text in BLOCKS if language == "text") == 1


def main() -> None:
    """Write the generated blocks anew."""
    global TEXT
    for name, generate in GENERATED.items():
        before, _, after = _parts(name)
        TEXT = f"{before}\n{generate()}\n{after}"
    README.write_text(TEXT)


if __name__ == "__main__":
    main()
