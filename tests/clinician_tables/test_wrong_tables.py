"""A table given to the wrong command is told what it is and which command takes it; units are asked about."""

import pandas as pd
import pytest

from asmrisk.clinician_tables.checks import KNOWN_YEARS
from asmrisk.clinician_tables.columns import REQUIRED
from asmrisk.clinician_tables.table import check_clinicians, read_clinicians
from asmrisk.errors import InputError
from asmrisk.population.participant_list import read_participant_list
from asmrisk.scenario.scenario import load_scenario
from tests.clinician_tables.spreadsheets import NAMES, csv, rows
from tests.clinician_tables.tables import QUIET, table

ROSTER = {"required": REQUIRED, "known_years": KNOWN_YEARS}


def refusal(function, *given, **options):
    with pytest.raises(InputError) as caught:
        function(*given, **options)
    (found,) = caught.value.problems
    return str(found)


def written(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("options", [{}, ROSTER], ids=["score", "roster"])
@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", 'title = "x"\n', ["is a scenario", "asmrisk.run('"]),
        ("s.toml", "[design]\n", ["is a sensitivity study", "asmrisk.sensitivity('"]),
        (
            "list.csv",
            "NPI,ASM_COHORT,SPECIALTY\n1,heart failure,x\n",
            [
                "is CMS's list of participants",
                "population.participant_list",
                "`asmrisk.run` takes the scenario",
            ],
        ),
    ],
)
def test_other_files_are_known(tmp_path, options, name, text, words):
    found = refusal(read_clinicians, written(tmp_path / name, text), **QUIET, **options)
    assert all(each in found for each in words), found


def test_the_store_of_a_run_is_known(tmp_path):
    (tmp_path / "run.zarr").mkdir()
    written(tmp_path / "run.zarr" / "zarr.json", "{}")
    assert "is the store of a run" in refusal(read_clinicians, tmp_path / "run.zarr", **QUIET)


def test_a_roster_is_not_scored(tmp_path):
    found = refusal(read_clinicians, csv(tmp_path / "t.csv", rows()), **QUIET)
    assert "is a roster of past years, of 2025 at the latest, not what was observed" in found
    assert "a scenario names it as population.roster, and `asmrisk.run` takes the scenario" in found
    yearless = [
        [cell for name, cell in zip(NAMES, row, strict=True) if name != "performance_year"] for row in rows()
    ]
    assert "is a roster of past years, not" in refusal(
        read_clinicians, csv(tmp_path / "t.csv", yearless), **QUIET
    )


def test_a_scored_table_is_no_roster():
    scored = table(20).assign(final_score=50.0)
    found = refusal(check_clinicians, scored, **QUIET, **ROSTER)
    assert "is a scored table of years up to 2031, not a roster, which has years up to 2027" in found
    assert "`asmrisk.score` takes it" in found


def test_a_roster_is_no_list_of_participants(tmp_path):
    found = refusal(read_participant_list, csv(tmp_path / "t.csv", rows()))
    assert "is a table of clinicians, not CMS's list of participants" in found


@pytest.mark.parametrize("name", ["ours.csv", "ours.xlsx", "ours.parquet"])
def test_a_roster_is_no_scenario(tmp_path, name):
    found = refusal(load_scenario, written(tmp_path / name, "clinician_id"))
    assert "is a table, not a scenario" in found
    assert "population.roster" in found


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("part_b_payments", 240.5, "are they thousands of dollars? give dollars"),
        ("payment_year_part_b", 240.5, "are they thousands of dollars? give dollars"),
        ("cost_per_episode", 18.4, "give the mean dollars of an episode"),
        ("cost_per_episode", 1840000.0, "where 200 to 200,000 is plausible"),
        ("hcc_risk_score", 129.0, "the average patient of Medicare has 1"),
        ("q492_rate", 0.68, "0.68, where 20 to 200 is plausible; give admissions per 100 person-years"),
        ("q492_rate", 677.2, "give admissions per 100 person-years"),
    ],
)
def test_a_suspicious_unit_is_asked_about_but_not_refused(column, value, words):
    frame = table(6, ("heart_failure",)).assign(q492_rate=68.0)
    frame["cost_per_episode"] = frame["cost_per_episode"].fillna(9000.0)
    said = []
    check_clinicians(frame, notes=said.append)
    assert said == []
    read = check_clinicians(frame.assign(**{column: value}), notes=said.append)
    assert (read[column] == value).all()
    (line,) = said
    assert line.startswith(f"table: {column}: the median of ")
    assert words in line


@pytest.mark.parametrize("column", ["dual_share", "q008_rate", "q008_completeness"])
def test_fractions_that_look_like_percent_are_one_problem(column):
    frame = table(8, ("heart_failure",)).assign(**{column: [0.0, 71.5, *[88.0] * 6]})
    (found,) = refusal(check_clinicians, frame, **QUIET).splitlines()
    assert f"{column}: 7 of 8 numbers are above 1, the first on row 2; they look like percent" in found
    assert "write 71.5% or 0.715" in found
    read = check_clinicians(frame.assign(**{column: [f"{each}%" for each in frame[column]]}), **QUIET)
    assert read[column].tolist() == [0.0, 0.715, *[0.88] * 6]


def test_messages_show_cells_as_they_are_given_and_on_one_line(tmp_path):
    frame = table(3).astype(object)
    frame.loc[1, "part_b_payments"] = "(1,000)"
    frame.loc[2, "cohort"] = "\x1b[2J\nheart"
    with pytest.raises(InputError) as caught:
        check_clinicians(frame, **QUIET)
    text = str(caught.value)
    assert "row 2: part_b_payments: '(1,000)' is not allowed" in text
    assert "\x1b" not in text
    assert len(text.splitlines()) == len(caught.value.problems)


def test_what_is_already_clean_is_left_as_it_is():
    frame = table(50)
    said = []
    check_clinicians(frame.assign(q492_rate=68.0), notes=said.append)
    assert said == []
    assert not pd.isna(frame["clinician_id"]).any()
