"""The clinician table: round trips to the bit, every kind of bad input, speed."""

import csv
import errno
import os
import re
import time

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asmrisk.clinician_tables.checks import KnownYears
from asmrisk.clinician_tables.columns import REQUIRED, input_columns
from asmrisk.clinician_tables.table import check_clinicians, read_clinicians, replaced, write_clinicians
from asmrisk.errors import InputError, RunError
from asmrisk.rule.definitions import COHORTS
from tests.clinician_tables.tables import QUIET, problems, table, write


def problem(tmp_path, changes, n=4, cohorts=COHORTS):
    """The one problem of a good table after changes: column -> {row: text}."""
    frame = table(n, cohorts).astype(object)
    frame = frame.where(frame.notna(), "")
    for column, cells in changes.items():
        for row, cell in cells.items():
            frame.loc[row, column] = cell
    found = problems(write(tmp_path / "t.csv", frame))
    assert len(found) == 1, found
    return found[0]


# --- round trips --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["csv", "parquet", "pq", "CSV"])
def test_what_is_written_is_read(tmp_path, ending):
    frame = check_clinicians(table(200), **QUIET)
    path = tmp_path / f"t.{ending}"
    write_clinicians(frame, path)
    pd.testing.assert_frame_equal(read_clinicians(path, **QUIET), frame, check_exact=True)


# Every finite float that a column may hold, subnormal and extreme ones too.
dollars = st.floats(0, 1e9, allow_subnormal=True)
complexity = st.floats(0, 100, allow_subnormal=True)
fraction = st.floats(0, 1, allow_subnormal=True)
names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
# Not what stands for nothing, nor what a spreadsheet makes of a number, nor what marks a text there.
names = names.filter(
    lambda name: name not in "-–—" and not re.fullmatch(r"\d+\.0+|\d.*[eE]\+\d+|(?i:n/a)|'+[=+@-].*", name)
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), n=st.integers(1, 5))
def test_numbers_and_names_survive_files_to_the_bit(tmp_path_factory, data, n):
    frame = table(n)
    draw = lambda each: data.draw(st.lists(each, min_size=n, max_size=n))  # noqa: E731
    frame["clinician_id"] = data.draw(st.lists(names, min_size=n, max_size=n, unique=True))
    frame["part_b_payments"] = draw(dollars)
    frame["hcc_risk_score"] = draw(complexity | st.just(float("nan")))
    frame["dual_share"] = draw(fraction | st.just(float("nan")))
    frame.loc[frame["cohort"] == "heart_failure", "q008_rate"] = draw(fraction)[0]
    checked = check_clinicians(frame, **QUIET)
    for column in ("part_b_payments", "hcc_risk_score", "dual_share"):
        assert checked[column].to_numpy().tobytes() == frame[column].to_numpy(dtype=float).tobytes()
    folder = tmp_path_factory.mktemp("trip")
    for ending in ("csv", "parquet"):
        write_clinicians(checked, folder / f"t.{ending}")
        again = read_clinicians(folder / f"t.{ending}", **QUIET)
        pd.testing.assert_frame_equal(again, checked, check_exact=True)
        assert list(again["clinician_id"]) == list(frame["clinician_id"])


def test_columns_have_the_declared_types_and_order(tmp_path):
    frame = table(6)
    shuffled = frame[sorted(frame.columns, reverse=True)]
    read = read_clinicians(write(tmp_path / "t.csv", shuffled), **QUIET)
    declared = [column for column in input_columns() if column.name in read]
    assert list(read) == [column.name for column in declared]
    assert {column.name: str(read[column.name].dtype) for column in declared} == {
        column.name: column.dtype for column in declared
    }
    assert (read["exempt"] == 0).all()


def test_identities_stay_text(tmp_path):
    read = read_clinicians(write(tmp_path / "t.csv", table(4)), **QUIET)
    assert list(read["clinician_id"]) == ["001000", "001001", "001002", "001003"]
    frame = table(4).assign(clinician_id=[1234567890, 2, 3, 4])
    frame.to_parquet(tmp_path / "t.parquet")
    assert list(read_clinicians(tmp_path / "t.parquet", **QUIET)["clinician_id"]) == [
        "1234567890",
        "2",
        "3",
        "4",
    ]


def test_one_cohort_needs_only_its_own_measures(tmp_path):
    frame = table(4, COHORTS[:1])
    assert not any(name.startswith("q134") for name in frame)
    read = read_clinicians(write(tmp_path / "t.csv", frame), **QUIET)
    assert list(read["q492_rate"]) == list(frame["q492_rate"])


def test_a_byte_order_mark_blank_lines_and_padding_do_no_harm(tmp_path):
    text = table(3).to_csv(index=False).replace("heart_failure", " heart_failure ").replace("\n", "\r\n\r\n")
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    expected = check_clinicians(table(3), **QUIET)
    pd.testing.assert_frame_equal(read_clinicians(path, **QUIET), expected, check_exact=True)


def test_scored_columns_are_left_out_silently_and_others_with_a_note(tmp_path, capsys):
    frame = table(3).assign(final_score=1.0, q008_points="?", surgeon="yes")
    read = read_clinicians(write(tmp_path / "t.csv", frame))
    assert not {"final_score", "q008_points", "surgeon"} & set(read)
    notes = capsys.readouterr().err
    assert "surgeon" in notes
    assert "final_score" not in notes


def test_measures_of_the_other_cohort_are_not_looked_at(tmp_path):
    frame = table(2).astype(object)
    frame.loc[frame["cohort"] == "low_back_pain", "q008_rate"] = "none"
    read = read_clinicians(write(tmp_path / "t.csv", frame), **QUIET)
    assert read.loc[read["cohort"] == "low_back_pain", "q008_rate"].isna().all()


def test_a_roster_may_leave_columns_out_and_cells_empty(tmp_path):
    needed = ("clinician_id", "cohort", "specialty", "practice_size", "part_b_payments")
    frame = table(4)[[*needed, "episodes", "q008_rate"]].astype(object)
    frame.loc[0, "episodes"] = ""
    read = read_clinicians(write(tmp_path / "t.csv", frame), required=needed, **QUIET)
    assert list(read) == [*needed[:4], "part_b_payments", "episodes", "exempt", "q008_rate"]
    assert pd.isna(read.loc[0, "episodes"])
    assert problems(write(tmp_path / "t.csv", frame.drop(columns="practice_size")), required=needed)
    frame.loc[1, "clinician_id"] = frame.loc[0, "clinician_id"]
    (found,) = problems(write(tmp_path / "t.csv", frame), required=needed)
    assert ":3: clinician_id: '001000' is on line 2 already" in found


# --- bad cells ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("part_b_payments", "-3.5", ["'-3.5'", "from 0 to 1,000,000,000", "USD"]),
        ("part_b_payments", "1e999", ["'1e999'"]),
        ("part_b_payments", "1_000", ["'1_000'"]),
        ("part_b_payments", "$1O0", ["'$1O0'"]),
        ("part_b_payments", "inf", ["'inf'"]),
        ("part_b_payments", "٣", ["a number"]),
        ("part_b_payments", "", ["is empty"]),
        ("payment_year_part_b", "-1", ["from 0 to 1,000,000,000"]),
        ("cost_per_episode", "-1", ["from 0 to 1,000,000,000"]),
        ("q008_rate", "1.0000000000000002", ["from 0 to 1"]),
        ("q008_rate", "-0.1", ["from 0 to 1"]),
        ("q492_rate", "-1", ["from 0 to 10,000", "admissions per 100 person-years"]),
        ("q008_completeness", "75", ["from 0 to 1", "if it is percent, write 75% or 0.75"]),
        ("q008_cases", "2.5", ["whole number"]),
        ("q008_cases", "-1", ["whole number", "0 or more"]),
        ("q008_cases", "3000000000", ["at most 2,147,483,647"]),
        ("q008_collection_type", "eCQMs", ["did you mean ecqm?", "ecqm, mips_cqm"]),
        ("q377_collection_type", "mips_cqm", ["'mips_cqm'", "allowed: ecqm"]),
        ("q492_collection_type", "ecqm", ["allowed: claims"]),
        ("cohort", "heart failures", ["did you mean heart_failure?", "low_back_pain"]),
        ("cohort", "", ["is empty"]),
        ("specialty", "cardiologist", ["did you mean cardiology?"]),
        ("specialty", "neurosurgery", ["not of the cohort heart_failure", "cardiology"]),
        ("practice_size", "0", ["1 or more"]),
        ("practice_size", "1.5", ["whole number"]),
        ("performance_year", "2026", ["from 2027 to 2031"]),
        ("performance_year", "2032", ["from 2027 to 2031"]),
        ("episodes", "3.5", ["whole number"]),
        ("episodes", "-1", ["0 or more"]),
        ("hcc_risk_score", "-1", ["from 0 to 1000"]),
        ("dual_share", "1.2", ["from 0 to 1"]),
        ("improvement_activities", "3", ["from 0 to 2"]),
        ("promoting_interoperability", "101", ["from 0 to 100"]),
        ("exempt", "2", ["from 0 to 1"]),
        ("exempt", "perhaps", ["from 0 to 1"]),
        ("clinician_id", "", ["is empty"]),
        ("clinician_id", "a\tb", ["control characters"]),
    ],
)
def test_a_bad_cell_is_named_with_line_column_and_what_is_allowed(tmp_path, column, cell, words):
    cells = dict.fromkeys(range(4), "0") if column == "exempt" else {}
    found = problem(
        tmp_path, {"episodes": {2: "5"}, "cost_per_episode": {2: "9"}} | {column: cells | {2: cell}}
    )
    if column == "episodes":
        found = problem(tmp_path, {column: {2: cell}})
    assert found.startswith(f"{tmp_path / 't.csv'}:4: {column}: ")
    assert all(word in found for word in words), found


def test_a_cost_may_be_missing_only_without_episodes(tmp_path):
    found = problem(tmp_path, {"episodes": {1: "7"}, "cost_per_episode": {1: ""}})
    assert ":3: cost_per_episode: is empty with 7 episodes" in found


def test_a_reported_measure_has_cases(tmp_path):
    found = problem(tmp_path, {"q008_collection_type": {0: "ecqm"}, "q008_cases": {0: ""}})
    assert ":2: q008_cases: is empty" in found
    found = problem(tmp_path, {"q492_rate": {0: "40"}, "q492_cases": {0: ""}})
    assert ":2: q492_cases: is empty" in found
    # A claims measure without a rate is nobody's fault.
    frame = table(4).astype(object)
    frame.loc[0, ["q492_rate", "q492_cases", "q492_collection_type"]] = ["", "", "claims"]
    read_clinicians(write(tmp_path / "t.csv", frame), **QUIET)


def test_rates_without_any_cases_are_refused_once(tmp_path):
    frame = table(n=60).drop(columns="q236_cases").assign(q008_cases=None)
    path = write(tmp_path / "t.csv", frame)
    roster = {"required": REQUIRED, "known_years": KnownYears(2020, 2031, 2025)}
    found = [each for each in problems(path, **roster) if "_cases" in each]
    assert len(found) == 2, found
    for name, each in zip(("q008", "q236"), found, strict=True):
        rates = int(frame[f"{name}_rate"].notna().sum())
        assert f"{name}_cases: is not given in any of the {rates} rows" in each


@pytest.mark.parametrize("cell", ["1e300", "2000000000", "1e9999"])
def test_dollars_beyond_any_clinicians_are_refused_with_the_limit(tmp_path, cell):
    for name in ("part_b_payments", "payment_year_part_b", "cost_per_episode"):
        frame = table().astype({name: object})
        frame.loc[1, [name, "episodes"]] = [cell, 30]
        (found,) = problems(write(tmp_path / "t.csv", frame))
        assert f"{name}: '{cell}' is not allowed; allowed: a number, from 0 to 1,000,000,000 (USD)" in found


def test_identities_that_look_like_formulas_are_no_formulas_in_csv_and_read_as_they_were(tmp_path):
    names = ["=1+1", "@SUM(A1)", "+1", "-1", "O'Brien", "-Smith", "x=1", "'", "plain"]
    frame = check_clinicians(table(n=len(names)).assign(clinician_id=names, practice_id=names[::-1]), **QUIET)
    write_clinicians(frame, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    cells = [cell for row in written for name in ("clinician_id", "practice_id") for cell in [row[name]]]
    assert not [cell for cell in cells if cell[:1] in "=+-@"], cells
    assert [row["clinician_id"] for row in written][:5] == ["'=1+1", "'@SUM(A1)", "'+1", "'-1", "O'Brien"]
    again = read_clinicians(tmp_path / "t.csv", **QUIET)
    pd.testing.assert_frame_equal(again, frame)
    # Parquet has no formulas.
    write_clinicians(frame, tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["clinician_id"].tolist() == names


def test_a_clinician_has_one_row_in_a_year(tmp_path):
    frame = table(6)
    frame["performance_year"] = 2027
    frame.loc[[3, 5], "clinician_id"] = frame.loc[1, "clinician_id"]
    found = problems(write(tmp_path / "t.csv", frame))
    assert len(found) == 2
    assert ":5: clinician_id: '001001' in 2027 is on line 3 already" in found[0]
    assert ":7: clinician_id: '001001' in 2027 is on line 3 already" in found[1]
    frame.loc[[3, 5], "performance_year"] = [2028, 2029]
    read_clinicians(write(tmp_path / "t.csv", frame), **QUIET)


def practice_table():
    """Six rows: practice A in two years, with clinicians of both cohorts, practice B, and one of none."""
    frame = table(6).astype(object)
    frame["practice_id"] = ["A", "A", "A", "B", "", "A"]
    frame["area"] = "Boston"
    frame["performance_year"] = [2027, 2027, 2028, 2027, 2027, 2027]
    frame["practice_size"] = [5, 5, 6, 7, 8, 5]
    frame["improvement_activities"] = [2, 2, 1, 0, 1, 2]
    frame["promoting_interoperability"] = [80.0, 80.0, 70.0, 60.0, 50.0, 80.0]
    types = frame.filter(like="_collection_type").columns
    for name in types.drop(["q492_collection_type", "q377_collection_type", "q220_collection_type"]):
        frame[name] = frame[name].where(frame[name].isna(), "mips_cqm")
    return frame


def test_practices_and_areas_are_text_in_their_places_and_may_be_empty(tmp_path):
    read = read_clinicians(write(tmp_path / "t.csv", practice_table()), **QUIET)
    assert list(read)[:5] == ["clinician_id", "practice_id", "area", "performance_year", "cohort"]
    assert read["practice_id"].isna().tolist() == [False] * 4 + [True, False]
    assert read["practice_id"].dropna().tolist() == ["A", "A", "A", "B", "A"]
    again = check_clinicians(read, **QUIET)
    pd.testing.assert_frame_equal(again, read)
    moved = read_clinicians(write(tmp_path / "t.csv", read.assign(billing_practice_id="C")), **QUIET)
    assert list(moved)[1:4] == ["practice_id", "billing_practice_id", "area"]


@pytest.mark.parametrize(
    ("column", "cell", "first"),
    [
        ("practice_size", 4, "5"),
        ("improvement_activities", 0, "2"),
        ("promoting_interoperability", 79.5, "80"),
    ],
)
def test_what_is_one_value_a_practice_and_year_names_the_rows_that_differ(tmp_path, column, cell, first):
    frame = practice_table()
    frame.loc[5, column] = cell
    (found,) = problems(write(tmp_path / "t.csv", frame))
    assert f":7: {column}: is {cell}, but practice 'A' has {first} on line 2 in 2027" in found
    assert "or another practice_id" in found
    # Without the practice nothing is wrong, nor with another.
    for other in ("", "C"):
        frame.loc[5, "practice_id"] = other
        read_clinicians(write(tmp_path / "t.csv", frame), **QUIET)


def test_a_practice_has_one_record_system_a_year(tmp_path):
    frame = practice_table()
    reported = frame["q008_collection_type"].notna() & (frame["practice_id"] == "A")
    assert reported.any()
    frame["q238_collection_type"] = [None, "ecqm", None, None, None, None]
    frame["q238_cases"] = 30
    found = problems(write(tmp_path / "t.csv", frame))
    assert found
    assert all("collection_type: is" in text and "practice 'A' has" in text for text in found)
    # One type alone leaves no choice, and claims are no record system.
    assert not any("q492" in text or "q377" in text or "q220" in text for text in found)


def test_what_is_unknown_in_a_roster_is_no_difference(tmp_path):
    frame = pd.DataFrame(
        {
            "clinician_id": ["1", "2", "2"],
            "practice_id": "A",
            "performance_year": [2025, 2025, 2024],
            "cohort": "heart_failure",
            "specialty": "cardiology",
            "practice_size": 3,
            "part_b_payments": 1e5,
            "improvement_activities": [2, None, 1],
        }
    )
    options = {"required": ["clinician_id"], "known_years": KnownYears(2020, 2027, 2025)}
    assert len(read_clinicians(write(tmp_path / "t.csv", frame), **QUIET, **options)) == 3
    frame.loc[1, "improvement_activities"] = 1
    (found,) = problems(write(tmp_path / "t.csv", frame), **options)
    assert ":3: improvement_activities: is 1, but practice 'A' has 2 on line 2 in 2025" in found
    # A clinician of a roster is of one practice in one area.
    frame.loc[1:, ["improvement_activities", "practice_id"]] = [[2, "A"], [1, "B"]]
    (found,) = problems(write(tmp_path / "t.csv", frame), **options)
    assert ":4: practice_id: is B, but on line 3 clinician '2' has A" in found


def test_all_problems_are_listed_at_once_in_the_order_of_the_rows(tmp_path):
    frame = table(8).astype(object).drop(columns="dual_share")
    frame.loc[6, "part_b_payments"] = -1
    frame.loc[2, "practice_size"] = 0
    frame.loc[4, "q008_rate"] = 3
    found = problems(write(tmp_path / "t.csv", frame))
    assert [text.split(": ")[0].rpartition(":")[2] for text in found[1:]] == ["4", "6", "8"]
    assert "dual_share: the column is missing" in found[0]


def test_very_many_problems_are_counted(tmp_path):
    frame = table(200).assign(part_b_payments=-1.0, practice_size=0)
    found = problems(write(tmp_path / "t.csv", frame))
    assert len(found) == 51
    assert found[-1].endswith("and 350 more problems")
    assert "t.csv:2:" in found[0]
    assert "t.csv:26:" in found[49]


def test_lines_are_those_of_the_file(tmp_path):
    frame = table(3)
    frame.loc[2, "part_b_payments"] = -1
    lines = frame.to_csv(index=False).splitlines()
    lines[1] = '"001\n000"' + lines[1][6:]  # a quoted line break: the row takes two lines
    path = tmp_path / "t.csv"
    path.write_text("\n".join([*lines[:2], "", *lines[2:]]) + "\n")
    found = problems(path)
    assert ":2: clinician_id" in found[0]
    assert ":6: part_b_payments" in found[1]


# --- bad headers and files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("column", [column.name for column in input_columns() if not column.optional])
def test_a_missing_column_is_named(tmp_path, column):
    found = problems(write(tmp_path / "t.csv", table().drop(columns=column)))
    assert any(f"{column}: the column is missing" in text for text in found)


def test_a_misspelled_column_is_named_with_the_one_meant(tmp_path):
    (found,) = problems(
        write(tmp_path / "t.csv", table().rename(columns={"part_b_payments": "partb_payment"}))
    )
    assert (
        "partb_payment: unknown column, while part_b_payments is missing; did you mean part_b_payments?"
        in found
    )
    (found,) = problems(write(tmp_path / "t.csv", table().assign(Exempted=1)))
    assert "Exempted: unknown column; did you mean exempt?" in found


def test_a_doubled_column_is_named(tmp_path):
    text = table(2).to_csv(index=False)
    header, rest = text.split("\n", 1)
    path = tmp_path / "t.csv"
    path.write_text(header + ",episodes\n" + "\n".join(line + ",1" for line in rest.splitlines()))
    assert any("episodes: the column appears more than once" in text for text in problems(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"clinician_id,cohort\n", "no rows"),
        (b"\x00\x01\x02", "not a text file"),
        (b"PK\x03\x04rest of a spreadsheet", "not a text file"),
        (b"clinician_id,cohort\n\xff\xfe,x\n", ":2: not UTF-8"),
        (b"clinician;cohorts\n1;2\n", "separated by commas"),
        (b'a,b\n"1,2\n3,4\n', "not valid CSV"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "limit cell_characters"),
    ],
)
def test_files_that_are_no_table(tmp_path, content, words):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    found = "\n".join(problems(path))
    assert words in found
    assert str(path) in found


def test_paths_that_are_no_file(tmp_path):
    assert "is a folder" in problems(tmp_path)[0]
    assert "no such file" in problems(tmp_path / "none.csv")[0]
    path = tmp_path / "t.parquet"
    path.write_text("no parquet")
    assert "cannot be read as Parquet" in problems(path)[0]


def test_ragged_rows_are_all_listed(tmp_path):
    lines = table(6).to_csv(index=False).splitlines()
    lines[2] += ",7"
    lines[4] = "1,2"
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    found = problems(path)
    width = len(table(6).columns)
    assert found[0].endswith(f":3: has {width + 1} cells where the header has {width}")
    assert found[1].endswith(f":5: has 2 cells where the header has {width}")
    assert len(found) == 2


def test_parquet_without_pyarrow_says_how_to_get_it(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    write_clinicians(check_clinicians(table(), **QUIET), path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'asmrisk[parquet]'" in problems(path)[0]
    with pytest.raises(InputError, match="pip install"):
        write_clinicians(table(), tmp_path / "out.parquet")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_link_in_the_folder_is_not_written_through(tmp_path, ending):
    # Whoever can write to the folder plants links under every name that a process could be expected to use.
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    name = f"out.{ending}"
    planted = [name, f".{name}.part", f".{name}.tmp", f"{name}.tmp"]
    planted += [f".{name}.{pid}.part" for pid in range(os.getpid() - 5, os.getpid() + 5)]
    for each in planted:
        (folder / each).symlink_to(outside / "victim")
    write_clinicians(check_clinicians(table(), **QUIET), folder / name)
    assert list(outside.iterdir()) == []
    assert not (folder / name).is_symlink()
    assert len(read_clinicians(folder / name, **QUIET)) == len(table())
    assert sorted(each.name for each in folder.iterdir()) == sorted(planted)


def test_a_file_is_replaced_whole_or_left_as_it_was(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text("old")

    def write(text, error=None):
        with replaced(path) as file:
            file.write_text(text)
            assert path.read_text() == "old"
            if error is not None:
                raise error

    cannot = r"scenario\.toml: cannot be written: "
    with pytest.raises(RunError, match=cannot + ".*; free some space$"):
        write("half", OSError(errno.ENOSPC, "full"))
    with pytest.raises(InputError, match=cannot):
        write("half", OSError(errno.EROFS, "read-only"))
    # What is no fault of the place passes through.
    with pytest.raises(KeyboardInterrupt):
        write("half", KeyboardInterrupt())
    assert path.read_text() == "old"
    write("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_frame_in_memory_is_not_changed():
    frame = table(4)
    copy = frame.copy(deep=True)
    check_clinicians(frame, **QUIET)
    pd.testing.assert_frame_equal(frame, copy, check_exact=True)
    with pytest.raises(InputError, match=r"^table, row 2: part_b_payments: -1\.0 is not allowed"):
        check_clinicians(frame.assign(part_b_payments=[1.0, -1.0, 1.0, 1.0]), **QUIET)


# --- speed -------------------------------------------------------------------------------------------------


def test_ten_thousand_rows_load_in_two_seconds(tmp_path):
    path = write(tmp_path / "t.csv", table(10_000))
    begin = time.process_time()
    assert len(read_clinicians(path, **QUIET)) == 10_000
    assert time.process_time() - begin < 2
