"""The template: what it offers, and that it is read as a roster and scored once it is filled in."""

import gc
import resource
import sys

import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner

import asmrisk
from asmrisk.analysis.scoring import score
from asmrisk.cli import commands
from asmrisk.clinician_tables.columns import input_columns
from asmrisk.clinician_tables.table import check_clinicians
from asmrisk.clinician_tables.template import template
from asmrisk.errors import InputError
from asmrisk.population.roster import read_roster
from asmrisk.rule.definitions import COHORTS
from tests.clinician_tables.tables import QUIET, table


def filled(path, frame):
    """Write a table, of numbers with as few digits as a workbook has, below a template's examples."""
    made = openpyxl.load_workbook(path)
    page = made["Clinicians"]
    heads = [cell.value for cell in page[1]]
    for row in frame.astype(object).itertuples(index=False):
        cells = dict(zip(frame, row, strict=True))
        page.append([None if pd.isna(cells.get(head)) else cells.get(head) for head in heads])
    made.save(path)
    return path


@pytest.mark.parametrize("cohort", [None, *COHORTS])
def test_columns_are_the_declared_ones(tmp_path, cohort):
    frame = template(cohort, out=tmp_path / "t.xlsx")
    declared = [each.name for each in input_columns(COHORTS if cohort is None else [cohort])]
    assert list(frame) == [name for name in declared if not name.startswith("mri_")]
    made = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert made.sheetnames == ["Clinicians", "Notes"]
    assert [cell.value for cell in made["Clinicians"][1]] == list(frame)
    told = {row[0]: row for row in made["Notes"].iter_rows(values_only=True) if row[0] in set(frame)}
    assert list(told) == list(frame)
    assert told["part_b_payments"][1:4] == ("always", "USD", "a number, from 0 to 1,000,000,000 (USD)")
    assert told["episodes"][1] == "to score"
    assert told["aco"][1] == "optional"


def test_a_spreadsheet_program_knows_what_is_allowed(tmp_path):
    template(out=tmp_path / "t.xlsx")
    page = openpyxl.load_workbook(tmp_path / "t.xlsx")["Clinicians"]
    rules = {}
    for rule in page.data_validations.dataValidation:
        rules[page.cell(1, next(iter(rule.sqref.ranges)).min_col).value] = rule
    assert rules["cohort"].formula1 == '"heart_failure,low_back_pain"'
    rate = rules["q236_rate"]
    assert (rate.type, rate.formula1, rate.formula2) == ("decimal", "0", "1")
    assert (rules["performance_year"].formula1, rules["performance_year"].formula2) == ("2020", "2031")
    assert rules["q492_rate"].prompt.endswith("from 0 to 10,000 (admissions per 100 person-years)")
    assert all(len(each.formula1 or "") <= 255 for each in rules.values())


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_an_empty_template_has_no_clinicians(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    template(out=path)
    with pytest.raises(InputError, match="no rows below the header; give at least one clinician"):
        read_roster(path, notes=str)


def test_a_filled_template_is_a_roster(tmp_path):
    template("heart_failure", out=tmp_path / "t.xlsx")
    frame = table(5, ("heart_failure",)).assign(performance_year=2025).round(6)
    said = []
    read = read_roster(filled(tmp_path / "t.xlsx", frame), notes=said.append)
    assert said[0] == f"{tmp_path / 't.xlsx'}, sheet Clinicians: read 5 rows; left out: 2 example rows"
    # The optional columns of the template are there, though empty.
    given = {name: None for name in template("heart_failure") if name not in frame}
    again = tmp_path / "t.csv"
    frame.assign(**given).to_csv(again, index=False)
    assert read.digest == read_roster(again, notes=str).digest


def test_a_filled_template_is_scored(tmp_path):
    template(out=tmp_path / "t.xlsx")
    frame = table(60).assign(performance_year=2027).round(6)
    scored = score(filled(tmp_path / "t.xlsx", frame), notes=str)
    expected = score(frame, notes=str)
    pd.testing.assert_frame_equal(scored[expected.columns], expected, check_exact=True)


def test_an_example_written_over_is_refused(tmp_path):
    frame = template("heart_failure")
    assert len(frame) == 2
    frame.loc[1, "part_b_payments"] = 99_000
    with pytest.raises(InputError, match=r"row 2: clinician_id: 'EXAMPLE 2 .* written over; give"):
        check_clinicians(frame, **QUIET)


def test_what_is_filled_in_is_not_lost(tmp_path):
    template(out=tmp_path / "t.xlsx")
    before = (tmp_path / "t.xlsx").read_bytes()
    with pytest.raises(InputError, match=r"t\.xlsx: is there already; give another name"):
        template(out=tmp_path / "t.xlsx")
    assert (tmp_path / "t.xlsx").read_bytes() == before


def test_what_cannot_be_made_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"cohort: unknown cohort; did you mean heart_failure\?"):
        template("heart_failures")
    with pytest.raises(InputError, match=r"written as \.xlsx or \.csv"):
        template(out=tmp_path / "t.parquet")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'asmrisk\[excel\]'"):
        template(out=tmp_path / "t.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_it(tmp_path):
    path = tmp_path / "ours.xlsx"
    result = CliRunner().invoke(commands, ["template", "--cohort", "low_back_pain", "--out", str(path)])
    assert (result.exit_code, result.output) == (0, f"Template: {path}\n")
    assert [cell.value for cell in openpyxl.load_workbook(path)["Clinicians"][2]][5] == "low_back_pain"
    assert list(asmrisk.template("low_back_pain")) == [
        cell.value for cell in openpyxl.load_workbook(path)["Clinicians"][1]
    ]
    result = CliRunner().invoke(commands, ["template", "--cohort", "backs", "--out", str(path)])
    assert result.exit_code == 2
    assert "--cohort: unknown cohort" in result.stderr


def test_a_workbook_that_cannot_be_written_is_one_message(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InputError, match="cannot be written") as caught:
            template(out=tmp_path / "ours.xlsx")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    del caught
    gc.collect()
    assert not told
    assert list(tmp_path.iterdir()) == []
