"""README and handbook against the program: generated tables, command lines, files, links, examples.

``python tests/test_documents.py`` writes the generated tables anew.
"""

from __future__ import annotations

import inspect
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
import pytest

import asmrisk
from asmrisk.analysis.metrics import BY, METRICS
from asmrisk.cli import commands
from asmrisk.clinician_tables.columns import (
    CLINICIAN_COLUMNS,
    REQUIRED,
    SCORE_COLUMNS,
    Column,
    measure_columns,
    points_column,
    status_column,
)
from asmrisk.handbook import TOPICS, docs, summary
from asmrisk.limits import LIMITS
from asmrisk.readers import READERS
from asmrisk.rule.definitions import measures_of
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation.variables import variables
from asmrisk.studies.study import load_study

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
HANDBOOK = ROOT / "src" / "asmrisk" / "handbook"
STUDIES = ROOT / "scenarios" / "studies"
#: Every document by its path.
TEXTS = {
    path: path.read_text()
    for path in (
        README,
        *sorted(HANDBOOK.glob("*.md")),
        ROOT / "benchmarks" / "README.md",
        ROOT / "tests" / "README.md",
    )
}

# ------------------------------------------------------------------------------- generated tables


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _pages() -> str:
    return _table(
        ("page", "what"),
        ((f"[{topic}]({(HANDBOOK / f'{topic}.md').relative_to(ROOT)})", summary(topic)) for topic in TOPICS),
    )


def _functions() -> str:
    return _table(
        ("name", "what it is"),
        (
            (f"`asmrisk.{name}`", (inspect.getdoc(getattr(asmrisk, name)) or "").partition("\n")[0])
            for name in asmrisk.__all__
            if name != "__version__"
        ),
    )


def _labels(labels: Sequence[str]) -> str:
    return ", ".join(each.removeprefix("performance_") for each in labels)


def _metrics() -> str:
    how = {
        "sum": "sum",
        "mean": "weighted mean",
        "ratio": "ratio of sums",
        "level": "plain mean",
        "yearly": "sum over groups, mean over years",
    }
    return _table(
        ("metric", "meaning, unit", "total", "`--by`"),
        (
            (
                f"`{each.name}`",
                f"{each.title}, {each.units}",
                how[each.how],
                "all labels"
                if each.labels == BY
                else _labels(each.labels) + "; with a roster" * bool(each.of),
            )
            for each in METRICS.values()
        ),
    )


def _scenarios(folder: str = "scenarios") -> str:
    files = sorted((ROOT / folder).glob("*.toml"), key=lambda path: (path.stem != "baseline", path.stem))
    loaded = [(path, load_scenario(path)) for path in files]
    return _table(
        ("file", "what it is", "reference"),
        (
            (
                f"`{folder}/{path.name}`",
                f"{each.title}. {' '.join(each.description.split())}",
                each.reference,
            )
            for path, each in loaded
        ),
    )


def _readings() -> str:
    return _scenarios("scenarios/readings")


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
        need = "required" if column.name in REQUIRED else ""
        return (
            f"`{column.name}`",
            what,
            need,
            column.meaning,
            column.allowed.replace(", -inf or more", "") + empty,
        )

    observed = [*CLINICIAN_COLUMNS, *measure_columns(q008)]
    scored = [points_column(q008), status_column(q008), *SCORE_COLUMNS]
    return _table(
        ("column", "given by", "in a roster", "meaning", "allowed"),
        [
            *(row(each, "input, optional" if each.optional else "input") for each in observed),
            *(row(each, "score") for each in scored),
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
    return asmrisk.policy().to_markdown().strip().replace("## ", "### ")


def _readers() -> str:
    return _table(
        ("what comes from outside", "read by", "at most"),
        (
            (
                each.kind,
                ", ".join(f"`{name}`" for name in each.functions),
                ", ".join(f"`{name}`" for name in each.limits),
            )
            for each in READERS
        ),
    )


def _outside_field() -> str:
    """Parameters in which scenarios that share a field may differ."""
    outside = [name for name, each in PARAMETERS.items() if not each.in_field]
    inside = [f"`{name}`" for name in PARAMETERS if name.startswith("policy.") and name not in outside]
    others = [f"`{name}`" for name in outside if not name.startswith(("policy.", "run."))]
    lines = [f"* any parameter of `policy` but {', '.join(inside[:-1])} and {inside[-1]};"]
    lines.append(f"* {', '.join(others[:-1])} and {others[-1]}.")
    return "\n".join(
        line
        for each in lines
        for line in textwrap.wrap(each, 118, subsequent_indent="  ", break_long_words=False)
    )


def _limits() -> str:
    return _table(
        ("limit", "what has at most so many", "number", "unit"),
        (
            (f"`{name}`", each.bounds.rstrip(","), f"{each.number:,}", each.unit)
            for name, each in LIMITS.items()
        ),
    )


GENERATED = {
    "limits": _limits,
    "outside-field": _outside_field,
    "pages": _pages,
    "functions": _functions,
    "metrics": _metrics,
    "scenarios": _scenarios,
    "readings": _readings,
    "studies": _studies,
    "clinician-table": _clinician_table,
    "variables": _variables,
    "parameters": _parameters,
    "readers": _readers,
}


def _parts(name: str) -> tuple[Path, str, str, str]:
    """Find the document of a generated block and split it before and after."""
    start, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
    (path,) = (path for path, text in TEXTS.items() if start in text)
    text = TEXTS[path]
    assert text.count(start) == text.count(end) == 1
    before, _, rest = text.partition(start)
    block, _, after = rest.partition(end)
    return path, before + start, block.strip("\n"), end + after


@pytest.mark.parametrize("name", GENERATED)
def test_generated_blocks_are_up_to_date(name: str) -> None:
    # If not: python tests/test_documents.py, and look at the difference.
    assert _parts(name)[2] == GENERATED[name]()


def test_every_generated_block_has_its_generator() -> None:
    found = [name for text in TEXTS.values() for name in re.findall(r"<!-- generated: (\S+) -->", text)]
    assert sorted(found) == sorted(GENERATED)


# ------------------------------------------------------------------------------- what is named exists

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
#: Fenced blocks: document, language and text.
BLOCKS = [(path, match[1], match[2]) for path, text in TEXTS.items() for match in FENCE.finditer(text)]
#: Everything outside of fenced blocks.
PROSE = {path: FENCE.sub("", text) for path, text in TEXTS.items()}
SHELL = [(path, line) for path, language, text in BLOCKS if language == "sh" for line in text.splitlines()]
INLINE = [code for text in PROSE.values() for code in re.findall(r"`([^`\n]+)`", text)]
NO_OUTPUT = "\n".join([*PROSE.values(), *(text for _, language, text in BLOCKS if language != "text")])


def _command_lines() -> Iterator[str]:
    """Every call of asmrisk in shell blocks and inline code, without what comes before its name."""
    for line in [*(line for _, line in SHELL), *INLINE]:
        for part in re.split(r"&&|\||;", line.partition("#")[0]):
            call = re.match(r"\s*(?:\w+=\S+ )*(?:\.venv/bin/)?asmrisk(?: (.*))?$", part)
            if call:
                yield (call[1] or "").strip()


COMMAND_LINES = sorted(set(_command_lines()))


def test_there_are_command_lines() -> None:
    used = {line.partition(" ")[0] for line in COMMAND_LINES}
    assert used >= set(commands.commands)


def _words(line: str) -> list[str]:
    """Split a line as a shell does, lists in braces too."""
    words = shlex.split(line)
    while any(braces := [re.fullmatch(r"(.*?)\{([^{}]+,[^{}]*)\}(.*)", word) for word in words]):
        words = [
            each
            for word, found in zip(words, braces, strict=True)
            for each in ([found[1] + part + found[3] for part in found[2].split(",")] if found else [word])
        ]
    return words


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_command_lines_parse(line: str) -> None:
    words = _words(line)
    if not words or words == ["--help"]:
        return
    command = commands.get_command(click.Context(commands), words[0])
    assert command is not None
    if words[1:] in ([], ["--help"]):  # named, not used
        return
    # A wrong option, a bad value or a missing argument raises; nothing is run.
    command.make_context(words[0], words[1:])


def test_parameters_and_metrics_on_command_lines_exist() -> None:
    words = [shlex.split(line) for line in COMMAND_LINES]
    given = [(line[i], line[i + 1]) for line in words for i in range(len(line) - 1)]
    overrides = [value for option, value in given if option == "--set"]
    metrics = {value for option, value in given if option == "--metric"}
    assert overrides
    assert metrics
    assert scenario_from_dict({}, overrides).differences()
    assert metrics <= set(METRICS)


def test_a_wrong_command_line_is_found() -> None:
    with pytest.raises(click.UsageError):
        commands.commands["run"].make_context("run", ["scenarios/baseline.toml", "--drawz", "5"])
    with pytest.raises(click.UsageError):
        commands.commands["replay"].make_context("replay", ["results/baseline.zarr"])


NAMED = sorted(
    set(re.findall(r"(?<![\w/.])(?:scenarios|tests|benchmarks|src)/[\w/.-]*\w/?", NO_OUTPUT))
    - {"scenarios/", "tests/", "benchmarks/"}
)


def test_there_are_named_files() -> None:
    assert "scenarios/baseline.toml" in NAMED
    assert "tests/test_documents.py" in NAMED


@pytest.mark.parametrize("name", NAMED)
def test_files_named_exist(name: str) -> None:
    assert (ROOT / name).exists()


def _anchors(path: Path) -> set[str]:
    """Give the names under which a repository's host makes the headings of a document reachable."""
    heads = re.findall(r"^#+ (.*)$", PROSE[path], re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


LINKS = [
    pytest.param(path, link, id=f"{path.relative_to(ROOT)}:{link}")
    for path, text in PROSE.items()
    for link in sorted(set(re.findall(r"\]\(([^)]*)\)", text)))
    if not link.startswith("https://")
]


@pytest.mark.parametrize(("path", "link"), LINKS)
def test_links_lead_somewhere(path: Path, link: str) -> None:
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    assert target.exists()
    assert not anchor or anchor in _anchors(target)


def test_files_that_tests_are_picked_by_exist() -> None:
    picked = {
        word
        for code in INLINE
        if (match := re.search(r"pytest .*-k (?:\"([^\"]+)\"|(\w+))", code))
        for word in re.split(" or ", match[1] or match[2])
    }
    names = [str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/*.py")]
    assert picked
    assert {word for word in picked if not any(word in name for name in names)} == set()


def test_the_readme_is_short() -> None:
    assert TEXTS[README].count("\n") <= 220


def test_every_page_is_a_topic() -> None:
    assert sorted(path.stem for path in HANDBOOK.glob("*.md")) == sorted(TOPICS)
    assert all(docs(topic) == TEXTS[HANDBOOK / f"{topic}.md"] for topic in TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_page_has_one_title(topic: str) -> None:
    prose = PROSE[HANDBOOK / f"{topic}.md"]
    assert prose.startswith(f"# {topic.capitalize().replace('-', ' ')}: ")
    assert len(re.findall(r"^# ", prose, re.M)) == 1


def test_every_command_is_in_the_start_page() -> None:
    start = PROSE[HANDBOOK / "start.md"]
    assert [name for name in commands.commands if f"`asmrisk {name}`" not in start] == []


def test_every_public_function_is_in_the_reference() -> None:
    reference = PROSE[HANDBOOK / "reference.md"]
    public = set(asmrisk.__all__) - {"__version__"}
    assert [name for name in public if f"`asmrisk.{name}`" not in reference] == []


def test_every_folder_of_the_package_is_in_the_development_page() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", PROSE[HANDBOOK / "development.md"], re.M)
    folders = {path.parent.name for path in (ROOT / "src" / "asmrisk").glob("*/__init__.py")}
    assert sorted(name for name in listed if name.islower()) == sorted(folders)


@pytest.mark.parametrize("path", [README, HANDBOOK / "start.md"], ids=lambda path: path.name)
def test_the_two_commands_stand_as_they_are(path: Path) -> None:
    first, second = [line for where, line in SHELL if where == path][:2]
    assert first == (
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/asmrisk run scenarios/baseline.toml"
    )
    assert second == (
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest -n 2 --dist loadfile"
    )
    assert second in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_paths_of_a_machine_and_no_hosts(path: Path) -> None:
    text = TEXTS[path]
    assert not re.search(r"(?<![\w.])/(home|root|work|tmp|usr|var|opt|mnt)/", text)
    # Kinds of places that a user names, and the benchmarks' tool; other hosts are made up.
    assert set(re.findall(r"(\w+)://", text)) <= {"s3", "tcp", "tls", "https"}
    assert set(re.findall(r"https://([\w.-]+)", text)) <= {"asv.readthedocs.io", "helm.dask.org"}
    assert set(re.findall(r"s3://([\w.-]+)", text)) <= {"our-bucket", "bucket", "BUCKET"}


# ------------------------------------------------------------------------------- examples run

TOML = [text for _, language, text in BLOCKS if language == "toml" and "[design]" not in text]
STUDY = [text for _, language, text in BLOCKS if language == "toml" and "[design]" in text]
PYTHON = [
    pytest.param(path, text, id=f"{path.stem}-{TEXTS[path][: TEXTS[path].index(text)].count(chr(10)) + 1}")
    for path, language, text in BLOCKS
    if language == "python" and path.stem != "questions"
]
#: Cells of one notebook.
CELLS = [text for path, language, text in BLOCKS if language == "python" and path.stem == "questions"]
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
    folder = tmp_path_factory.mktemp("documents")
    small = ["population.clinicians=200"]
    what_if = scenario_from_dict(
        tomllib.loads(next(text for text in TOML if "[uncertainty]" in text)), small, folder=ROOT
    )
    runs = {
        name: load_scenario(ROOT / "scenarios" / f"{name}.toml", small)
        for name in ("baseline", "budget_neutral", "roster")
    }
    for name, scenario in (runs | {"what_if": what_if}).items():
        place = folder / "results" / f"{name}.zarr"
        asmrisk.run(scenario, draws=4, block_size=4, out=place, workers=1, quiet=True)
    studies = folder / "scenarios" / "studies"
    studies.mkdir(parents=True)
    for path in STUDIES.glob("*.toml"):
        (studies / path.name).write_text(path.read_text())
    ours = ROOT / "scenarios" / "our_clinicians.csv"
    (folder / "scenarios" / ours.name).write_bytes(ours.read_bytes())
    (folder / "scenarios" / "baseline.toml").write_text(
        f'extends = "{ROOT}/scenarios/baseline.toml"\n[population]\nclinicians = 200.0\n'
    )
    return folder


@pytest.mark.parametrize(("path", "text"), PYTHON)
def test_python_examples_run(
    path: Path, text: str, stores: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(stores)
    exec(compile(text, str(path), "exec"), {})
    printed = capsys.readouterr().out
    assert printed
    if EXACT in printed:
        assert f"```text\n{printed}```" in TEXTS[path]


def test_the_notebook_of_questions_runs(
    stores: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(CELLS) == 11
    monkeypatch.chdir(stores)
    names: dict[str, object] = {}
    for text in CELLS:
        # The baseline's store is there already, with 4 draws.
        cell = text.replace("draws=400", 'draws=40, out="notebook"')
        exec(compile(cell, "questions", "exec"), names)
        assert capsys.readouterr().out


def test_the_worked_example_is_among_them() -> None:
    assert sum(EXACT in text for _, language, text in BLOCKS if language == "text") == 1


def test_the_size_of_a_store_is_the_same_wherever_it_is_said() -> None:
    said = {path.name: re.findall(r"([\d.]+) kB\s+a\s+draw", text) for path, text in TEXTS.items()}
    found = [size for sizes in said.values() for size in sizes]
    assert len(found) >= 2
    assert len(set(found)) == 1, said


def main() -> None:
    """Write the generated blocks anew."""
    for name, generate in GENERATED.items():
        path, before, _, after = _parts(name)
        TEXTS[path] = f"{before}\n{generate()}\n{after}"
        path.write_text(TEXTS[path])


if __name__ == "__main__":
    main()
