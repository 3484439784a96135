"""The command `exposure` and its function, on a small run and four clinicians."""

import csv
import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import asmrisk
from asmrisk.analysis.digits import number as number_of
from asmrisk.analysis.digits import with_error
from asmrisk.analysis.run_results import open_run_results
from asmrisk.cli import commands
from asmrisk.errors import Call, InputError
from asmrisk.exposures.stored_field import check_cohorts
from asmrisk.exposures.table import COLUMNS
from asmrisk.exposures.text import _payments, head_of
from asmrisk.population.roster import read_roster

DRAWS = 60
CLINICIANS = """\
clinician_id,practice_id,performance_year,cohort,specialty,practice_size,part_b_payments,episodes,aco
a,P,2025,heart_failure,cardiology,3,200000,60,1
b,P,2025,heart_failure,cardiology,3,250000,19,1
c,Q,2025,heart_failure,cardiology,2,300000,45,
d,Q,2025,low_back_pain,neurosurgery,2,300000,70,
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exposure")


@pytest.fixture(scope="session")
def ours(folder):
    path = folder / "ours.csv"
    path.write_text(CLINICIANS)
    return path


@pytest.fixture(scope="session")
def results(tiny, folder):
    """A run of 200 clinicians."""
    return asmrisk.run(tiny, draws=DRAWS, out=folder / "tiny.zarr", workers=1, quiet=True)


@pytest.fixture(scope="session")
def found(ours, results):
    changes = ("improvement_activities = 2", "cost_per_episode -10% from 2029")
    return asmrisk.exposure(ours, results, loss=20_000, what_if=changes, quiet=True)


def row_of(table, who, year, case="base", level=None):
    rows = table[(table.who == who) & (table.performance_year == year) & (table.case == case)]
    rows = rows if level is None else rows[rows.level == level]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_table_has_the_declared_columns_and_a_row_for_each(found):
    table = found.to_dataframe()
    assert list(table) == [column.name for column in COLUMNS]
    assert len(table) == 3 * (4 + 2 + 1) * 6
    assert sorted(set(table.case)) == [
        "base",
        "cost_per_episode -10% from 2029",
        "improvement_activities = 2",
    ]
    assert found.dataset["mean"].shape == (3, 7, 6)
    assert found.dataset["mean"].attrs["units"] == "USD"


def test_years_and_clinicians_add_up(found):
    table = found.to_dataframe()
    for name in ("mean", "average_practice", "largest_loss", "mips_forgone", "cost_of_participation"):
        for year in (2027, 2031, "all"):
            own = sum(row_of(table, who, year)[name] for who in "abcd")
            assert row_of(table, "all", year)[name] == pytest.approx(own)
        years = sum(row_of(table, "P", year)[name] for year in range(2027, 2032))
        assert row_of(table, "P", "all")[name] == pytest.approx(years)


def test_figures_are_possible_ones(found):
    table = found.to_dataframe()
    assert (table.mean_error >= 0).all()
    assert (table["largest_loss"] <= table["mean"]).all()
    assert (table.p05 <= table.p50).all()
    assert (table.p50 <= table.p95).all()
    for name in (each for each in table if each.startswith("probability")):
        there = table[name].dropna()
        assert ((there >= 0) & (there <= 1)).all()
    # Two years before 2027 b has too few episodes, and a has enough.
    assert row_of(table, "b", 2027)["probability_measured"] == 0.0
    assert row_of(table, "a", 2027)["probability_measured"] == 1.0
    assert row_of(table, "b", 2027)["mean"] == 0.0
    assert row_of(table, "a", 2027)["payment_year"] == 2029


def test_a_change_tells_what_it_brings(found):
    table = found.to_dataframe()
    assert row_of(table, "all", "all", "improvement_activities = 2")["difference"] >= 0.0
    cheaper = "cost_per_episode -10% from 2029"
    assert row_of(table, "a", 2027, cheaper)["difference"] == 0.0
    assert row_of(table, "a", 2027, cheaper)["probability_of_nothing"] == 1.0
    whole = row_of(table, "all", "all", cheaper)
    assert whole["difference"] > 0.0
    # What it may cost is counted a performance year, from 2029 on.
    base = row_of(table, "all", "all")
    gone = sum(whole[name] - base[name] for name in ("mips_forgone", "cost_of_participation"))
    assert whole["break_even"] == pytest.approx((whole["difference"] - gone) / 3)
    year = row_of(table, "all", 2030, cheaper)
    gone = sum(
        year[name] - row_of(table, "all", 2030)[name] for name in ("mips_forgone", "cost_of_participation")
    )
    assert year["break_even"] == pytest.approx(year["difference"] - gone)


def test_changes_have_numbers_a_legend_and_what_they_suppose(found):
    """Of activities and cost nothing is told of the four."""
    text = found.to_text()
    start = text.index("What if\n")
    lines = text[start : text.index("\n\n", start)].split("\n")
    assert lines[1:3] == ["1  improvement_activities = 2", "2  cost_per_episode -10% from 2029"]
    cases = (("improvement_activities = 2", 5), ("cost_per_episode -10% from 2029", 3))
    for number, (case, years) in enumerate(cases, 1):
        row = row_of(found.to_dataframe(), "all", "all", case)
        (line,) = [each for each in lines[4:] if each.startswith(f"{number} ")]
        value, error = with_error(row["difference"], row["difference_error"]).split(" ± ")
        assert line.split()[1:4] == [value, "±", error]
        assert number_of(row["break_even"], row["difference_error"] / years) in line.split()
    by_practice = text[text.index("Difference of each change by practice") :].split("\n\n")[0]
    assert {line.split()[0] for line in by_practice.split("\n")[2:4]} == {"P", "Q"}
    words = " ".join(text.split())
    assert "These are 4 of 4 in change 1, 4 of 4 in change 2." in words
    assert json.loads(found.to_json())["what_if"][1] == {
        "number": 2,
        "case": "cost_per_episode -10% from 2029",
        "years": 3,
        "clinicians": 4,
        "untold": 4,
        "reported": 0,
    }


def test_text_says_first_what_a_board_asks(found):
    text = found.to_text()
    head = " ".join(text.split("\n\n")[0].split())
    assert f"4 clinicians of 2 practices, ranked against {DRAWS} draws" in head
    for words in ("Expected: ", " a year", "in all five years", "performance 2027-2031, paid 2029-2033"):
        assert words in head
    for words in (
        "Nine draws in ten (chance alone)",
        "of losing more than $20,000",
        "With the lowest factor in every year, and the payments expected: -$",
    ):
        assert words in head
    assert "2027, paid 2029" in text
    assert "What if" in text
    assert "In an accountable care organization: a, b; not told for 2." in " ".join(text.split())
    assert max(map(len, text.split("\n"))) <= 80 or "population.roster" in text
    assert "<table>" in found._repr_html_()


def test_fewer_draws_are_the_first_of_the_run(ours, results, found):
    fewer = asmrisk.exposure(ours, results, draws=30, quiet=True)
    assert json.loads(fewer.to_json())["draws"] == 30
    assert fewer.dataset["mean"][0, 0].values.tolist() != found.dataset["mean"][0, 0].values.tolist()
    assert "± n/a" in asmrisk.exposure(ours, results, draws=1, quiet=True).to_text()
    with pytest.raises(InputError, match="60 draws"):
        asmrisk.exposure(ours, results, draws=61)


def test_levers_are_ranked_if_asked_for(ours, results):
    found = asmrisk.exposure(ours, results, draws=20, levers=True, quiet=True)
    rows = json.loads(found.to_json())["levers"]
    assert {row["level"] for row in rows} == {"all", "practice", "clinician"}
    text = " ".join(found.to_text().split())
    assert "Levers of all clinicians" in text
    # The rule of ranks stands once, whatever is ranked.
    assert text.count("as far as paired differences exceed their noise") == 1
    assert "collection_type supposes that the same quality would be seen" in text


def command(*arguments):
    return CliRunner().invoke(commands, ["exposure", *map(str, arguments), "--quiet"])


def test_the_command_writes_json_csv_and_a_table(ours, results, found, tmp_path):
    given = (ours, "--against", results, "--loss", "20000")
    told = json.loads(command(*given, "--format", "json").stdout)
    assert list(told["exposure"][0]) == [column.name for column in COLUMNS]
    assert {row["clinician_id"] for row in told["readiness"]} == set("abcd")
    assert {row["level"] for row in told["untold"]} == {"all", "practice", "clinician"}
    assert told["loss"] == 20_000
    text = command(*given, "--format", "csv", "--out", tmp_path / "table.csv").stdout
    table = pd.read_csv(StringIO(text))
    every = found.to_dataframe()
    base = every[every.case == "base"]
    np.testing.assert_allclose(table["mean"], base["mean"].to_numpy())
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "table.csv"), table)
    command(*given, "--out", tmp_path / "table.parquet")
    again = pd.read_parquet(tmp_path / "table.parquet")
    np.testing.assert_array_equal(again["mean"], base["mean"].to_numpy())


def test_part_b_told_and_expected_stand_side_by_side_where_they_differ_much(found):
    tables = dict(found.tables) | {"readiness": [dict(row) for row in found.tables["readiness"]]}
    for row, expected in zip(tables["readiness"], (1e5, 0.99e6, None, 2e5), strict=True):
        row |= {"part_b_told": 3e5, "part_b_year": 2025, "part_b_expected": expected}
    tables["readiness"][3]["part_b_expected"] = 201_000.0
    (section,) = _payments(tables)
    (table,) = section.tables
    assert table.labels == ["b", "a"]  # the furthest apart first; d differs by less than half, c has nothing
    assert table.groups[0].columns == [["2025"] * 2, ["300,000"] * 2, ["990,000", "100,000"]]
    for row in tables["readiness"]:
        row["part_b_expected"] = 3e5
    assert not _payments(tables)


def test_text_says_of_whom_no_patients_are_told(found):
    said = " ".join(str(found).split())
    assert "Patients not told: a, b, c, d. They are drawn, and earn the points for complex" in said


def test_long_work_says_first_what_it_does(ours, results, monkeypatch, capsys):
    monkeypatch.setattr("asmrisk.exposures.stored_field._SOON", 0)
    change = "improvement_activities = 2"
    asmrisk.exposure(ours, results, draws=2, what_if=change)
    said = "4 clinicians in 2 draws of the field, 2027 to 2031, as they are and with 1 change\n"
    assert said in capsys.readouterr().err
    asmrisk.exposure(ours, results, draws=2, quiet=True)
    assert "clinicians in" not in capsys.readouterr().err


def test_a_told_identity_is_no_formula_in_csv(results, tmp_path):
    clinicians = CLINICIANS.replace("\na,", "\n=1+1,").replace("\nb,", "\n@b,").replace(",Q,", ",-Q,")
    (tmp_path / "ours.csv").write_text(clinicians)
    out = tmp_path / "table.csv"
    found = asmrisk.exposure(tmp_path / "ours.csv", results, draws=2, out=out, quiet=True)
    assert {"=1+1", "@b", "-Q"} <= set(found.to_dataframe().who)
    for text in (found.to_csv(), out.read_text()):
        cells = {row["who"] for row in csv.DictReader(StringIO(text))}
        assert {"'=1+1", "'@b", "'-Q", "c", "all"} <= cells
        assert not [cell for cell in cells if cell[:1] in "=+-@"]
        # Losses stay numbers.
        assert float(next(csv.DictReader(StringIO(text)))["largest_loss"]) < 0.0


def test_what_cannot_be_answered_is_said(ours, results, tmp_path, folder):
    def refused(*arguments):
        answer = command(*arguments)
        assert answer.exit_code == 2
        assert answer.stdout == ""
        return " ".join(answer.stderr.split())

    assert "asmrisk run baseline --out" in refused(ours, "--against", tmp_path / "no.zarr")
    with pytest.raises(InputError, match=r"needed, such as `asmrisk.run\('baseline', out='.*no.zarr'\)`"):
        asmrisk.levers(ours, tmp_path / "no.zarr")
    assert "--loss: '500k' is no number" in refused(ours, "--against", results, "--loss", "500k")
    assert "--loss" in refused(ours, "--against", results, "--loss", "-500000")
    assert "write 500000" in refused(ours, "--against", results, "--loss", "-500000")
    assert "--what-if" in refused(ours, "--against", results, "--what-if", "q236_rat +0.05")
    assert "--out" in refused(ours, "--against", results, "--out", tmp_path / "table.txt")
    future = tmp_path / "future.csv"
    future.write_text(CLINICIANS.replace(",2025,", ",2029,"))
    assert "2029" in refused(future, "--against", results)
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    assert "loop.csv" in refused(loop, "--against", results)


def test_a_field_that_would_react_names_the_run_that_does(found, results):
    run, call = (
        open_run_results(results),
        Call("run", "ours.toml", {"overrides": ["population.roster=ours.csv"]}),
    )
    head = head_of(run, found.tables, "ours.csv", None, call)
    (told,) = [each for each in head if isinstance(each, tuple)]
    assert "does not react" in told[0]
    assert told[1] is call
    assert "where ours.toml stands for the path or name of that scenario:" in told[0]
    assert not [
        each for each in head_of(run, found.tables, "ours.csv", None, None) if isinstance(each, tuple)
    ]


def test_who_is_never_measured_has_no_expectation(found, results):
    rows = [row | {"probability_measured": 0.0} for row in found.tables["exposure"]]
    head = head_of(open_run_results(results), {**found.tables, "exposure": rows}, "ours.csv", None, None)
    assert head[1] == "Nobody is measured in any draw."


def test_clinicians_need_a_field_of_their_cohort(ours, results, monkeypatch):
    run = open_run_results(results)
    hearts = run.dataset["participants"] * [1, 0]
    run = replace(run, dataset=run.dataset.assign(participants=hearts))
    with pytest.raises(InputError, match=r"low_back_pain.* no field of that cohort"):
        check_cohorts(run, read_roster(ours, notes=lambda text: None), ours)
    monkeypatch.setattr("asmrisk.exposures.stored_field.open_run_results", lambda path: run)
    with pytest.raises(InputError, match="no field of that cohort"):
        asmrisk.levers(ours, results)


def test_levers_alone_are_worth_what_exposure_says(found, ours, results):
    change = "improvement_activities = 2"
    ranked = asmrisk.levers(ours, results, what_if=[change], workers=1)
    total = ranked[ranked.level == "all"].iloc[0]
    table = found.to_dataframe()
    rows = table[(table.level == "all") & (table.case == change) & (table.performance_year == "all")]
    assert total.lever == change
    pd.testing.assert_frame_equal(asmrisk.levers(ours, results, what_if=change), ranked)
    assert total.difference == pytest.approx(rows.iloc[0].difference, rel=1e-9)
    assert set(asmrisk.levers(ours, results, draws=1, workers=1).lever) >= {change, "complete data"}
