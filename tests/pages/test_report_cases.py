"""Reports of rosters with hostile names, of unfinished runs, with studies, and of what no report can be."""

import re
import shlex
import shutil
import stat

import openpyxl
import pytest
from click.testing import CliRunner

import asmrisk
from asmrisk.cli import commands
from asmrisk.errors import InputError
from tests.analysis.synthetic_results import results
from tests.pages.reports import answers_of, commands_of, text_of

FORMULA = '=HYPERLINK("http://example.org","x")'
CALL = "@SUM(1+1)*cmd|' /C calc'!A0"
NAMES = ("</script><img src=x onerror=alert(1)>'&amp;", FORMULA, CALL, "-2+3", "b")
STUDY = """\
title = "Trial"
scenario = "tiny.toml"
outcomes = ["medicare_savings"]
[run]
draws = 4
[design]
method = "one_at_a_time"
[parameters]
"policy.risk_level.2029" = {values = [0.10, 0.05]}
"""


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Hostile clinicians, a run with them in the field, a run without, and a study."""
    made = tmp_path_factory.mktemp("cases")
    head = "clinician_id,practice_id,cohort,specialty,practice_size,part_b_payments"
    rows = [f'"{each.replace(chr(34), 2 * chr(34))}"' for each in NAMES]
    lines = [f"{each},{each},heart_failure,cardiology,1,250000" for each in rows]
    (made / "ours.csv").write_text("\n".join([head, *lines, ""]), encoding="utf-8")
    (made / "tiny.toml").write_text("[population]\nclinicians = 200\n")
    (made / "trial.toml").write_text(STUDY)
    ours = asmrisk.load_scenario(made / "tiny.toml", [f"population.roster={made / 'ours.csv'}"])
    asmrisk.run(ours, draws=8, out=made / "ours.zarr", quiet=True)
    asmrisk.run(made / "tiny.toml", draws=40, out=made / "tiny.zarr", quiet=True)
    asmrisk.sensitivity(made / "trial.toml", out=made / "trial.zarr", quiet=True, workers=1)
    return made


def test_hostile_names_stay_text_and_only_the_owner_may_read_them(folder, tmp_path):
    page, book = tmp_path / "a.html", tmp_path / "a.xlsx"
    asmrisk.report(folder / "ours.zarr", exposure=folder / "ours.csv", out=page, excel=book)
    assert mode(page) == mode(book) == 0o600
    text = page.read_text("utf-8")
    assert "<img" not in text
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in text
    assert FORMULA in text_of(page)
    assert str(folder) not in text
    names = re.findall(r'<[^>]* id="([^"]*)"', text)
    assert sorted(set(names)) == sorted(names)
    links = re.findall(r'href="#([^"]*)"', text)
    assert "exposure" in links
    assert set(links) <= set(names)

    opened = openpyxl.load_workbook(book)
    cells = [cell for sheet in opened for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
    told = {str(cell.value) for cell in cells}
    assert {FORMULA, CALL, "-2+3"} <= told
    assert not [each for each in told if str(folder) in each]


def test_names_that_turn_text_around_are_refused_and_printed_as_escapes(folder, tmp_path):
    ours = tmp_path / "ours.csv"
    ours.write_text((folder / "ours.csv").read_text("utf-8").replace("-2+3", "\u202egnp.exe"), "utf-8")
    given = ["report", str(folder / "tiny.zarr"), "--exposure", str(ours), "--out", str(tmp_path / "a.html")]
    done = CliRunner().invoke(commands, given)
    assert done.exit_code == 2
    assert r"clinician_id: '\u202egnp.exe' is not allowed" in done.stderr
    assert "\u202e" not in done.stderr
    assert not (tmp_path / "a.html").exists()


def test_a_run_of_a_roster_is_private_alone_and_others_are_not(folder, tmp_path):
    asmrisk.report(folder / "tiny.zarr", out=tmp_path / "open.html", excel=tmp_path / "open.xlsx")
    asmrisk.report(folder / "ours.zarr", out=tmp_path / "own.html")
    assert mode(tmp_path / "own.html") == 0o600
    (tmp_path / "any").touch()
    assert mode(tmp_path / "open.html") == mode(tmp_path / "open.xlsx") == mode(tmp_path / "any") != 0o600


def test_of_a_run_that_is_not_finished_the_page_says_so(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "tiny.zarr", "part.zarr")
    (tmp_path / "part.zarr/.asmrisk/blocks/000002.json").unlink()
    done = CliRunner().invoke(commands, ["report", "part.zarr", "--out", "page.html"])
    assert done.exit_code == 2
    assert "not finished" in done.stderr
    assert "--partial" in done.stderr
    assert not (tmp_path / "page.html").exists()
    options = ["--replay-draws", "0", "--partial"]
    done = CliRunner().invoke(commands, ["report", "part.zarr", *options, "--out", "page.html"])
    assert done.exit_code == 0, done.stderr
    page = tmp_path / "page.html"
    assert "Not finished: 35 of 40 draws are finished." in text_of(page)
    assert "on average over 35 simulated futures." in answers_of(page)["What does Medicare save?"]
    run, report = commands_of(page)
    assert run == "asmrisk run tiny.toml --draws 40 --seed 20270101 --out part.zarr"
    assert report == shlex.join(["asmrisk", "report", "part.zarr", *options])


def test_a_study_is_shown_by_its_file_and_not_by_its_results(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    page = tmp_path / "page.html"
    asmrisk.report("tiny.zarr", study="trial.toml", out=page)
    assert "Study: Trial" in text_of(page)
    lines = commands_of(page)
    assert lines[1:] == ["asmrisk sensitivity trial.toml", "asmrisk report tiny.zarr --study trial.toml"]
    names = re.findall(r'<[^>]* id="([^"]*)"', page.read_text("utf-8"))
    assert sorted(set(names)) == sorted(names)
    for given, hint in (
        (
            ["tiny.zarr", "--study", "trial.zarr"],
            "--study trial.zarr: holds results; give the file of the study",
        ),
        (["trial.zarr"], "holds a study by design point, not the draws of one run; `asmrisk sensitivity`"),
        (["tiny.zarr", "trial.zarr"], "trial.zarr holds a study by design point"),
    ):
        done = CliRunner().invoke(commands, ["report", *given, "--out", str(tmp_path / "none.html")])
        assert done.exit_code == 2
        assert hint in " ".join(done.stderr.split())
    assert not (tmp_path / "none.html").exists()


def test_results_in_memory_have_no_command_of_their_own(tmp_path):
    page = tmp_path / "page.html"
    asmrisk.report(results(30), results(30, seed=8), out=page, replay_draws=0)
    lines = commands_of(page)
    assert all(re.fullmatch(r"# RESULTS \(.*\) was made in Python\.", line) for line in lines[:2])
    assert lines[2:] == ["asmrisk report RESULTS RESULTS --replay-draws 0"]


@pytest.mark.parametrize("argument", ["results", "reforms"])
def test_a_report_needs_all_performance_years(tmp_path, argument):
    whole, part = results(30), results(30).sel(performance_year=[2027, 2029])
    given = (part,) if argument == "results" else (whole, part)
    with pytest.raises(InputError, match=rf"{argument}: no performance year 2028, 2030, 2031; a report is"):
        asmrisk.report(*given, out=tmp_path / "page.html")
    assert not list(tmp_path.iterdir())
