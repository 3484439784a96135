"""Text from outside in every command: nothing commands a terminal, is calculated, or becomes markup.

Title, identities, names of groups and of files hold what terminals, spreadsheet programs and browsers act on.
A command that has no call here fails the first test.
"""

import csv
import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from asmrisk.cli import commands
from asmrisk.clinician_tables import checks
from asmrisk.scenario.scenario import load_scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"

#: Bell, colors, a hyperlink, text that runs backward, breaks of lines, characters without width.
CONTROL = "\x07\x1b[31m\x1b]8;;http://evil.example\x1b\\\u202egnp\u2066x\u2069\r\n\u2028\u200b\ufeff\x85\x7f"
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>"
TEXT = f"=cmd('calc'){CONTROL}{MARKUP}|$(reboot)"

#: Of a file: no slash, and not longer than a name may be.
NAME = f"=cmd(){CONTROL.replace('/', '')}<img src=x onerror=alert(1)>"

PRACTICES = [TEXT, "@SUM(1+1)", "＝1+1", "-2+3", "+1", MARKUP]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a scenario, a roster, a study, and stores of them, all of somebody hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # Our own checks refuse some of these identities; a store of someone else's need not have passed them.
        patch.setattr(checks, "_is_text", lambda cell: True)
        with (SCENARIOS / "our_clinicians.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))[:12]
        ids = {row["clinician_id"]: None for row in rows}
        practices = {row["practice_id"]: None for row in rows}
        named = {old: f"{PRACTICES[n % 6]}{n}" for n, old in enumerate(ids)}
        homes = {old: f"{PRACTICES[n % 6]}p{n}" for n, old in enumerate(practices)}
        with Path("roster.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            for row in rows:
                changed = {
                    "clinician_id": named[row["clinician_id"]],
                    "practice_id": homes[row["practice_id"]],
                }
                writer.writerow(row | changed)
        Path("first id").write_text(next(iter(named.values())), encoding="utf-8", newline="")
        given = ["population.clinicians=200", "run.draws=6"]
        for name, values in ((FILE, given), (f"{NAME}2.toml", [*given, "policy.risk_level=0.05"])):
            changed = {"title": TEXT + name, "description": TEXT, "population.roster": "roster.csv"}
            Path(name).write_text(
                load_scenario("baseline", values).with_(changed).to_toml(), encoding="utf-8"
            )
        study = f"""
title = {toml(TEXT)}
scenario = {toml(FILE)}
outcomes = ["medicare_savings"]
[run]
draws = 8
[design]
method = "grid"
[parameters]
"policy.risk_level" = {{ values = [0.02, 0.05] }}
"policy.tie_rule" = {{ values = ["upper", "mid"] }}
"""
        Path(STUDY).write_text(study, encoding="utf-8")
        for scenario, store in ((FILE, STORE), (f"{NAME}2.toml", OTHER)):
            done = invoke("run", scenario, "--out", store, "--fixed")
            assert done.exit_code == 0, done.stderr
        done = invoke("replay", STORE, "--draw", "0", "--out", "draw.csv")
        assert done.exit_code == 0, done.stderr
        yield folder


def toml(text):
    """Write text as TOML does."""
    return '"' + "".join(f"\\U{ord(each):08x}" for each in text) + '"'


def invoke(*arguments):
    return CliRunner().invoke(commands, arguments, prog_name="asmrisk")


STORE, OTHER, FILE, STUDY = f"{NAME}1.zarr", f"{NAME}2.zarr", f"{NAME}1.toml", f"{NAME}.study.toml"
WRONG = f"policy.tie_rule={toml(TEXT)}"
ALL = ("table", "json", "csv")

#: Calls of each command; the last word of one that is refused is what is wrong.
CALLS = {
    "run": [
        [FILE, "--title", TEXT, "--out", "new.zarr", "--draws", "2", "--fixed"],
        [FILE, "--out", STORE, "--fixed"],
        [FILE, "--dry-run"],
    ],
    "sensitivity": [
        *([STUDY, "--out", f"{NAME}.s.zarr", "--fixed", "--format", each] for each in ALL),
        [STUDY, "--fixed", "--list"],
    ],
    "validate": [[FILE], [FILE, "--set", WRONG]],
    "check": [[FILE, "--draws", "2", "--format", each] for each in ALL],
    "policy": [[FILE, "--format", each] for each in (*ALL, "markdown")],
    "status": [[STORE], [STORE, "--verify"], [f"{NAME}.s.zarr"]],
    "init": [[f"{NAME}.d"]],
    "docs": [["start"], ["--html", f"{NAME}.html"], [TEXT]],
    "warmup": [[]],
    "summarize": [
        *([STORE, "--by", "year", "--format", each] for each in ALL),
        [STORE, "--loss", "100"],
        [STORE, "--budget"],
        [STORE, "--convergence"],
        [STORE, "--exceedance", "roster_net_adjustment"],
        [STORE, "--metric", TEXT],
    ],
    "export": [[STORE, "--out", f"{NAME}.csvs"]],
    "compare": [
        *([STORE, OTHER, "--replay-draws", "1", "--format", each] for each in ALL),
        [STORE, OTHER, "--decompose", "--draws", "2", "--part", f"{TEXT}=policy.risk_level"],
    ],
    "evidence": [[STORE, "--draws", "2", "--out", f"{NAME}.evidence{each}"] for each in (".csv", ".txt")],
    "replay": [[STORE, "--draw", "1", "--out", f"{NAME}.draw.csv"]],
    "report": [
        [STORE, OTHER, "--replay-draws", "0", "--out", f"{NAME}.report.html", "--excel", f"{NAME}.xlsx"]
    ],
    "score": [["draw.csv", "--out", f"{NAME}.scores.csv"]],
    "template": [["--out", f"{NAME}.template.csv"]],
    "exposure": [
        *(["roster.csv", "--against", STORE, "--levers", "--format", each] for each in ALL),
        ["roster.csv", "--against", STORE, "--out", f"{NAME}.e.csv", "--html", f"{NAME}.board.html"],
    ],
    "explain": [
        ["roster.csv", "--against", STORE, "--clinician", "ID", "--format", each] for each in ALL[:2]
    ],
}


def test_every_command_is_called_with_hostile_text():
    assert CALLS.keys() == commands.commands.keys()


@pytest.mark.parametrize("name", CALLS)
def test_no_text_from_outside_is_more_than_text(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(checks, "_is_text", lambda cell: True)
    before, shown = files(folder), ""
    for call in CALLS[name]:
        arguments = [Path("first id").read_bytes().decode() if each == "ID" else each for each in call]
        done = invoke(name, *arguments)
        refused = call[-1:] in ([TEXT], [WRONG])
        assert done.exit_code == (2 if refused else 0), done.stderr or done.exception
        assert "internal error" not in done.stderr
        assert_printable(done.stdout)
        assert_printable(done.stderr)
        shown += done.stdout + done.stderr
        if "csv" in call or "--list" in call:
            assert_no_formula(done.stdout)
    # It was there to be shown.
    assert r"\u202e" in shown or name in ("warmup", "check", "evidence")
    for path in files(folder) - before:
        if path.suffix in (".csv", ".txt", ".toml", ".html", ".json", ".xlsx"):
            CHECKS.get(path.suffix, assert_file_printable)(path)


@pytest.mark.parametrize("name", CALLS)
def test_a_file_of_any_name_that_is_not_there_is_said_in_printable_lines(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = commands.commands[name]
    given = [NAME for each in command.params if each.param_type_name == "argument"]
    options = {
        "replay": ["--draw", "0", "--out", "x.csv"],
        "score": ["--out", "x.csv"],
        "export": ["--out", "x"],
        "exposure": ["--against", NAME],
        "template": ["--out", NAME],
        "explain": ["--against", NAME, "--clinician", TEXT],
    }.get(name, [])
    for arguments in ([*given, *options], [f"--{TEXT}"], [NAME, NAME, NAME, NAME]):
        done = invoke(name, *arguments)
        assert_printable(done.stdout)
        assert_printable(done.stderr)
        assert "internal error" not in done.stderr
        assert done.exception is None or isinstance(done.exception, SystemExit)


def files(folder):
    return {each for each in folder.rglob("*") if each.is_file() and ".zarr" not in str(each)}


def assert_printable(text):
    assert [line for line in text.split("\n") if not line.isprintable()] == []


def assert_file_printable(path):
    assert_printable(path.read_bytes().decode())


def assert_no_formula(text):
    """No cell is calculated; numbers are numbers."""
    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            assert cell.isprintable()
            # What is allowed of a parameter: "-100 to 0".
            if cell[:1] in tuple("=+-@＝＋－＠\t\r") and not re.match(r"-[\d,.]+ to ", cell):
                float(cell)


def assert_csv(path):
    text = path.read_bytes().decode()
    assert_printable(text)
    assert_no_formula(text)


def assert_page(path):
    text = path.read_text(encoding="utf-8")
    assert_printable(text)
    for hostile in ("<script>alert", "<img src=x"):
        assert hostile not in text


def assert_workbook(path):
    from openpyxl import load_workbook

    for sheet in load_workbook(path):
        assert sheet.title.isprintable()
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                assert cell.hyperlink is None or "evil" not in str(cell.hyperlink.target)
                assert not isinstance(cell.value, str) or cell.value.isprintable()


CHECKS = {".csv": assert_csv, ".html": assert_page, ".xlsx": assert_workbook}
