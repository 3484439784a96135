"""Tables that are larger, or unpack to more, than any needs: refused by a limit with a name."""

import subprocess
import sys
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest

from asmrisk.clinician_tables.table import check_clinicians, read_clinicians
from asmrisk.errors import InputError
from tests.clinician_tables.tables import QUIET, table, write

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

#: Reads files in a process of its own; says what is refused, and last the MiB that this took at most.
CHILD = """
import re, sys
from asmrisk.clinician_tables.table import read_clinicians
from asmrisk.errors import InputError
def peak():
    # Not `resource.getrusage`, which counts what the parent process had when it was copied.
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) >> 10
for path in sys.argv[1:]:
    try:
        read_clinicians(path, notes=lambda text: None)
        print("read", path)
    except InputError as error:
        print(error)
print(peak())
"""


def said_of(*paths):
    """What is said of files, each in one line, and how many MiB it took."""
    done = subprocess.run([sys.executable, "-c", CHILD, *paths], capture_output=True, text=True, check=True)
    *said, peak = done.stdout.splitlines()
    return said, int(peak)


def parquet(path, columns):
    pq.write_table(pa.table(columns), path)
    return path


def workbook(path, inside, links=""):
    """A workbook whose sheet has this XML inside."""
    openpyxl.Workbook().save(path)
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{main}"><sheetData>{inside}</sheetData>{links}</worksheet>'
    members["xl/worksheets/sheet1.xml"] = sheet.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


SMALL = {
    "merged": ("", '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'),
    "links": ("", '<hyperlinks><hyperlink ref="A:XFD"/></hyperlinks>'),
    "far out": ('<row r="1"><c r="A1"/></row><row r="1048576"><c r="XFD1048576"/></row>', ""),
}


@pytest.mark.parametrize("parts", SMALL.values(), ids=SMALL)
def test_a_workbook_cannot_mean_more_cells_than_it_has(parts, tmp_path):
    with pytest.raises(
        InputError, match=r"17,179,8\d\d,\d\d\d cells.* at most 4,000,000 \(limit workbook_cells\)"
    ):
        read_clinicians(workbook(tmp_path / "t.xlsx", *parts), **QUIET)


def test_cells_that_are_lists_are_refused(tmp_path):
    path = parquet(tmp_path / "t.parquet", {"episodes": [[0] * 1_000_000]})
    with pytest.raises(InputError, match="episodes: has lists or tables as cells; give plain values"):
        read_clinicians(path, **QUIET)


def test_lists_in_columns_that_are_none_of_the_table_are_no_matter():
    frame = table(3)
    frame["remarks"] = pd.Series([np.array([np.array([]), np.array([1.0])], object), [], None], dtype=object)
    assert len(check_clinicians(frame, **QUIET)) == 3


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_text_in_memory_that_is_not_utf_8_is_refused(tmp_path, backend):
    names = pa.array([b"\xd6", b"b"], pa.binary()).view(pa.string())
    parquet(tmp_path / "t.parquet", {"clinician_id": names})
    frame = pd.read_parquet(tmp_path / "t.parquet", dtype_backend=backend)
    with pytest.raises(InputError, match="clinicians: clinician_id: has text that is not UTF-8; decode it"):
        check_clinicians(frame, source="clinicians", **QUIET)


@pytest.mark.long
def test_no_small_file_takes_much_memory(tmp_path):
    commas = tmp_path / "commas.csv"
    commas.write_bytes(b"," * 150_000_000)
    rows = 1_000_000
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 100_000]))
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 2, pa.int32()), pa.array(["x" * 8_000_000]))
    cases = {
        commas: "150,000,001 cells; a table has at most 50,000,000 (limit table_cells)",
        parquet(tmp_path / "repeated.parquet", {"clinician_id": repeated}): (
            "100,000,000,000 bytes; a CSV or Parquet file of clinicians, as it is and unpacked, has at most "
            "536,870,912 (limit table_bytes)"
        ),
        parquet(tmp_path / "long.parquet", {"clinician_id": long}): (
            "clinician_id: 8,000,000 characters; a cell of a table has at most 131,072 (limit"
        ),
        parquet(tmp_path / "zeros.parquet", {"episodes": pa.nulls(30_000_000, pa.int8())}): (
            "30,000,000 rows; a table has at most 2,000,000 (limit table_rows)"
        ),
        workbook(tmp_path / "many.xlsx", "<row>" + "<c/>" * 6_000_000 + "</row>"): "(limit workbook_cells)",
        workbook(tmp_path / "styles.xlsx", '<row ht="1"/>' * 600_000): "(limit workbook_cells)",
        workbook(tmp_path / "zeros.xlsx", " " * 200_000_000): "(limit workbook_bytes)",
    }
    assert all(path.stat().st_size < 1_000_000 for path in cases if path != commas)
    said, peak = said_of(*cases)
    assert len(said) == len(cases)
    for (path, words), text in zip(cases.items(), said, strict=True):
        assert text.startswith(str(path))
        assert words in text
    assert peak < 900


def test_columns_that_are_none_of_the_table_are_not_unpacked(tmp_path):
    rows = 20_000
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 100_000]))
    path = parquet(
        tmp_path / "t.parquet",
        {"remarks": repeated.cast(pa.dictionary(pa.int32(), pa.string())), "visits": [[1, 2]] * rows}
        | {"clinician_id": ["7"] * rows},
    )
    said, peak = said_of(path)
    assert "performance_year: the column is missing" in said[0]
    assert peak < 500
    notes = []
    given = pa.Table.from_pandas(table(2), preserve_index=True)
    given = given.append_column("remarks", [["x", None]]).append_column("visits", [[[1], [2]]])
    pq.write_table(given, path)
    assert len(read_clinicians(path, notes=notes.append)) == 2
    left_out = f"{path}: these columns are not of a clinician table and are left out: remarks, visits"
    assert notes[0] == left_out


@pytest.mark.parametrize(
    ("content", "said"),
    {
        b"cohort,specialty,episodes\n" + b"a,b,1\n" * 11: "12 rows or more; a table has at most 11",
        b"cohort,specialty,episodes" + b",x" * 18: ":1: 21 columns; a table has at most 20",
        b"cohort,specialty,episodes\n" + b"a,b," + b"x" * 301: (
            ":2: 301 characters or more; a cell of a table has at most 300"
        ),
        b"cohort,specialty,episodes\n" + b"x" * 1000: "1,026 bytes; a CSV or Parquet file of clinicians",
    }.items(),
    ids=["rows", "columns", "cell", "bytes"],
)
def test_each_limit_of_a_text_is_named(content, said, tmp_path, monkeypatch):
    stated = "table_rows=11,table_columns=20,cell_characters=300,table_bytes=1000"
    monkeypatch.setenv("ASMRISK_LIMITS", stated)
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError) as told:
        read_clinicians(tmp_path / "t.csv", **QUIET)
    assert said in str(told.value)


def test_a_head_of_any_length_is_looked_at_in_time(tmp_path):
    (tmp_path / "t.csv").write_text("cohort,specialty,episodes,a" + " " * 130_000 + "b\nx,y,1,2\n")
    with pytest.raises(InputError, match="is missing"):
        read_clinicians(tmp_path / "t.csv", **QUIET)


def test_lines_end_as_they_always_did(tmp_path):
    """By a line feed, a carriage return or both: other characters that part lines are part of a cell."""
    frame = table(6).astype(object)
    frame.loc[0, "clinician_id"] = "a b"
    text = write(tmp_path / "t.csv", frame).read_bytes().decode()
    tables = []
    for end in ("\n", "\r\n", "\r"):
        (tmp_path / "t.csv").write_bytes(text.replace("\n", end).encode())
        tables.append(read_clinicians(tmp_path / "t.csv", **QUIET))
    for each in tables[1:]:
        pd.testing.assert_frame_equal(each, tables[0])
    (tmp_path / "t.csv").write_bytes(text.replace("a b", "a\x0bb\u2028c\x85d").encode())
    with pytest.raises(InputError, match=r"^\S+t\.csv:2: clinician_id:.*$"):
        read_clinicians(tmp_path / "t.csv", **QUIET)


@pytest.mark.long
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_hundred_thousand_clinicians_are_read(ending, tmp_path):
    frame = table(100_000)
    path = tmp_path / f"t.{ending}"
    if ending == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    assert len(read_clinicians(path, **QUIET)) == 100_000
    said, peak = said_of(path)
    assert said == [f"read {path}"]
    assert peak < 1000
