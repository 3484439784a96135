"""Tables as people have them: read to what is meant and told in one line, or refused with a remedy."""

import datetime

import pandas as pd
import pytest

from asmrisk.clinician_tables.checks import KNOWN_YEARS
from asmrisk.clinician_tables.columns import REQUIRED
from asmrisk.clinician_tables.table import read_clinicians
from asmrisk.errors import InputError
from tests.clinician_tables.spreadsheets import (
    DOLLARS,
    FRACTIONS,
    MEANT,
    NAMES,
    book,
    csv,
    frame_of,
    meant,
    rows,
    saved,
)


def read(path):
    """Read a roster; give the table and the lines that were said."""
    said = []
    options = {"required": REQUIRED, "known_years": KNOWN_YEARS}
    return read_clinicians(path, notes=said.append, **options), said


def each(names, function):
    return dict.fromkeys(names, function)


def percent(value):
    return f"{100 * value:.10g}%"


def comma(value):
    return str(value).replace(".", ",")


def dollars(value):
    return f"${value:,.2f}"


def blank():
    return [None] * len(NAMES)


def with_row(place, row, **changes):
    table = rows(**changes)
    table.insert(place, row)
    return table


def total(label="Total", place=0):
    row = blank()
    row[NAMES.index("part_b_payments")] = sum(of[NAMES.index("part_b_payments")] for of in MEANT)
    row[NAMES.index("episodes")] = sum(of[NAMES.index("episodes")] for of in MEANT)
    row[place] = label
    return row


def title(text="Our clinicians, March 2026"):
    return [text, *blank()[1:]]


HEADS = {name: name.replace("_", " ").capitalize() for name in NAMES}
UNITS = HEADS | {"part_b_payments": "Part B payments ($)", "cost_per_episode": "Cost per\nepisode [USD]"}
UNITS |= {"clinician_id": "NPI", "practice_id": "TIN"}
IN_PERCENT = {name: f"{HEADS[name]} (%)" for name in FRACTIONS}
WORDS = {"cohort": lambda x: x.replace("_", " ").title(), "specialty": str.upper}
WORDS |= {"q236_collection_type": lambda x: {"ecqm": "eCQM"}[x]}
EVERYTHING = each(DOLLARS, dollars) | each(FRACTIONS, percent) | WORDS

# ------------------------------------------------------------------------------------------- read right

#: Name, what writes the file, what the one line says (nothing for a clean table).
RIGHT = [
    ("clean text", lambda p: csv(p / "t.csv", rows()), []),
    ("clean workbook", lambda p: saved(book(p / "t.xlsx", rows())), []),
    ("dollar signs", lambda p: csv(p / "t.csv", rows(each(DOLLARS, dollars))), ["2 columns with $"]),
    (
        "thousands separators",
        lambda p: csv(p / "t.csv", rows({"part_b_payments": "{:,}".format, "episodes": "{:,}".format})),
        ["2 columns with $ or thousands"],
    ),
    (
        "dollars in words and spaces",
        lambda p: csv(p / "t.csv", rows(each(DOLLARS, lambda x: f" USD {x:,} ".replace(",", "\u202f")))),
        ["2 columns with $"],
    ),
    (
        "accounting format",
        lambda p: csv(p / "t.csv", rows(each(DOLLARS, lambda x: f" $ {x:,.2f} "))),
        ["2 columns with $"],
    ),
    ("percent", lambda p: csv(p / "t.csv", rows(each(FRACTIONS, percent))), ["3 percent columns"]),
    (
        "percent in a workbook's text",
        lambda p: saved(book(p / "t.xlsx", rows(each(FRACTIONS, lambda x: percent(x).replace("%", " %"))))),
        ["3 percent columns"],
    ),
    (
        "numbers formatted as percent",
        lambda p: saved(book(p / "t.xlsx", rows(), formats=each(FRACTIONS, "0.0%"))),
        [],
    ),
    (
        "percent in the header",
        lambda p: csv(p / "t.csv", rows(each(FRACTIONS, lambda x: f"{100 * x:.10g}"), IN_PERCENT)),
        ["3 column names", "3 percent columns"],
    ),
    (
        "percent in a workbook's header",
        lambda p: saved(
            book(p / "t.xlsx", rows(each(FRACTIONS, lambda x: round(100 * x, 6)), IN_PERCENT)),
        ),
        ["3 percent columns"],
    ),
    (
        "percent in the header and in the format",
        lambda p: saved(book(p / "t.xlsx", rows(None, IN_PERCENT), formats=each(FRACTIONS, "0%"))),
        ["3 column names"],
    ),
    ("names in words", lambda p: csv(p / "t.csv", rows(None, HEADS)), ["16 column names"]),
    ("names with units", lambda p: csv(p / "t.csv", rows(None, UNITS)), ["16 column names"]),
    (
        "N/A",
        lambda p: csv(p / "t.csv", [[cell or "N/A" if cell is None else cell for cell in r] for r in rows()]),
        ["cells with N/A"],
    ),
    (
        "dashes",
        lambda p: saved(book(p / "t.xlsx", [["-" if cell is None else cell for cell in r] for r in rows()])),
        ["cells with N/A, -"],
    ),
    ("a blank row", lambda p: csv(p / "t.csv", with_row(3, blank())), ["left out: 1 blank row"]),
    ("blank rows", lambda p: saved(book(p / "t.xlsx", with_row(3, []), at=(3, 1))), ["1 blank row"]),
    (
        "blank columns",
        lambda p: csv(p / "t.csv", [[None, *r[:4], None, *r[4:], None] for r in rows()]),
        [],
    ),
    ("a table beside the corner", lambda p: saved(book(p / "t.xlsx", rows(), at=(4, 3))), []),
    ("a title", lambda p: csv(p / "t.csv", with_row(0, title())), ["left out: title row"]),
    (
        "titles",
        lambda p: saved(book(p / "t.xlsx", [title(), title("As of today"), [], *rows()])),
        ["2 rows above the header"],
    ),
    ("a total", lambda p: csv(p / "t.csv", [*rows(), total()]), ["left out: total row"]),
    (
        "a total in another column",
        lambda p: saved(book(p / "t.xlsx", [*rows(), [], total("Grand total", 1)])),
        ["1 blank row", "total row"],
    ),
    ("sums without a label", lambda p: csv(p / "t.csv", [*rows(), total(None)]), ["total row"]),
    (
        "totals and averages",
        lambda p: csv(p / "t.csv", [*rows(), total(), total("Average")]),
        ["2 total rows"],
    ),
    (
        "a remark below",
        lambda p: csv(p / "t.csv", [*rows(), blank(), title("Source: billing system")]),
        ["a remark below, 1 blank row"],
    ),
    (
        "identities with .0",
        lambda p: csv(p / "t.csv", rows({"clinician_id": "{}.0".format})),
        [".0 of identities in 1 column"],
    ),
    ("identities as numbers", lambda p: saved(book(p / "t.xlsx", rows({"clinician_id": int}))), []),
    ("a byte order mark", lambda p: csv(p / "t.csv", rows(), encoding="utf-8-sig", end="\r\n"), []),
    (
        "semicolons and decimal commas",
        lambda p: csv(p / "t.csv", rows(each([*DOLLARS, *FRACTIONS], comma)), ";"),
        ["converted: decimal commas"],
    ),
    (
        "decimal commas, points between thousands, percent",
        lambda p: csv(
            p / "t.csv",
            rows(
                each(DOLLARS, lambda x: f"{x:,.2f}".translate({44: ".", 46: ","}))
                | each(FRACTIONS, lambda x: comma(percent(x)))
            ),
            ";",
        ),
        ["2 columns with $ or thousands separators, 3 percent columns, decimal commas"],
    ),
    ("semicolons", lambda p: csv(p / "t.csv", rows(), ";"), []),
    ("UTF-16 with tabs", lambda p: csv(p / "t.csv", rows(), "\t", "utf-16"), []),
    ("what separates, first", lambda p: csv(p / "t.csv", rows(), ";", before="sep=;\n"), []),
    (
        "one of several sheets",
        lambda p: saved(book(p / "t.xlsx", ("Notes", [["Dear all"], ["cohort"]]), ("Data", rows()))),
        [],
    ),
    (
        "the template's sheet among several",
        lambda p: saved(book(p / "t.xlsx", ("Old", rows()[:2]), ("Clinicians", rows()))),
        [],
    ),
    ("spelling", lambda p: csv(p / "t.csv", rows(WORDS)), ["spelling in 3 columns"]),
    (
        "yes and no",
        lambda p: csv(p / "t.csv", rows({"exempt": ["No", "Yes"].__getitem__, "aco": lambda x: "TRUE"})),
        ["yes and no in 2 columns"],
    ),
    (
        "truth values",
        lambda p: saved(book(p / "t.xlsx", rows({"exempt": bool, "aco": bool}))),
        ["yes and no in 2 columns"],
    ),
    (
        "formulas with their values",
        lambda p: saved(
            book(p / "t.xlsx", rows({"practice_size": lambda x: f"={x}+0", "q236_collection_type": str})),
            F2=12,
            F3=12,
            F4=3,
            F5=12,
        ),
        [],
    ),
    (
        "everything",
        lambda p: saved(
            book(
                p / "t.xlsx",
                [
                    title(),
                    *rows(each(DOLLARS, dollars) | each(FRACTIONS, percent) | WORDS, HEADS),
                    [],
                    total(),
                ],
            )
        ),
        [
            "converted: 16 column names, 2 columns with $ or thousands separators, 3 percent columns, "
            "spelling in 3 columns; left out: title row, total row, 1 blank row"
        ],
    ),
]


@pytest.mark.parametrize(("make", "told"), [pytest.param(*rest, id=name) for name, *rest in RIGHT])
def test_what_people_have_is_read_as_it_is_meant_and_told_in_one_line(tmp_path, make, told):
    path = make(tmp_path)
    found, said = read(path)
    assert frame_of(found) == meant()
    lines = [line for line in said if "read 4 rows" in line]
    assert len(lines) == bool(told), said
    assert all(words in lines[0] for words in told), said
    assert all(line.startswith(str(path)) for line in lines)


def test_text_in_parquet_is_read_like_other_text(tmp_path):
    head, *body = rows(each(FRACTIONS, percent))
    pd.DataFrame([[None if c is None else str(c) for c in r] for r in body], columns=head).to_parquet(
        tmp_path / "t.parquet"
    )
    found, said = read(tmp_path / "t.parquet")
    assert frame_of(found) == meant()
    assert said == [f"{tmp_path / 't.parquet'}: read 4 rows; converted: 3 percent columns"]


def test_hidden_rows_and_columns_are_read_and_told(tmp_path):
    made, path = book(tmp_path / "t.xlsx", rows(), ("Hidden", rows()[:2]))
    made["Sheet1"].row_dimensions[3].hidden = made["Sheet1"].column_dimensions["C"].hidden = True
    made["Hidden"].sheet_state = "hidden"
    found, said = read(saved((made, path)))
    assert frame_of(found) == meant()
    assert said == [f"{path}, sheet Sheet1: read 4 rows; read too: 2 hidden rows and columns"]


def test_titles_and_totals_may_have_merged_cells(tmp_path):
    made, path = book(tmp_path / "t.xlsx", [title(), *rows(), total()])
    made["Sheet1"].merge_cells("A1:F1")
    made["Sheet1"].merge_cells("A7:C7")
    found, said = read(saved((made, path)))
    assert frame_of(found) == meant()
    assert said == [f"{path}, sheet Sheet1: read 4 rows; left out: title row, total row"]


def test_a_formula_that_gives_no_text_is_an_empty_cell(tmp_path):
    table = rows()
    table[3][NAMES.index("practice_id")] = '=IF(1,"","")'
    found, _ = read(saved(book(tmp_path / "t.xlsx", table), B4=""))
    assert frame_of(found) == meant()


# ---------------------------------------------------------------------------------------------- refused


def one(name, value, row=1):
    """The clean table with one other cell."""
    table = rows()
    table[row][NAMES.index(name)] = value
    return table


def merged(path, cells):
    made, path = book(path, rows())
    made["Sheet1"].merge_cells(cells)
    return saved((made, path))


def written(path, content):
    path.write_bytes(content)
    return path


REFUSED = [
    (
        "rounded identities",
        lambda p: csv(p / "t.csv", rows({"clinician_id": lambda x: f"{int(x):.5e}".upper()})),
        [":2: clinician_id: '1.23457E+09'", "rounded; format the column as text and type it again"],
    ),
    (
        "too long a number as identity",
        lambda p: saved(book(p / "t.xlsx", one("practice_id", 1234567890123456789))),
        ["row 2: practice_id", "more than fifteen digits"],
    ),
    (
        "merged cells",
        lambda p: merged(p / "t.xlsx", "B2:B3"),
        ["sheet Sheet1, row 3: practice_id", "merged with B2; unmerge"],
    ),
    ("a merged header", lambda p: merged(p / "t.xlsx", "M1:P1"), ["row 1: the header has", "unmerge"]),
    (
        "a formula without a value",
        lambda p: saved(book(p / "t.xlsx", one("part_b_payments", "=SUM(1,2)"))),
        ["row 2: part_b_payments: '=SUM(1,2)'", "G2 is a formula without a stored value; open"],
    ),
    (
        "an error of a formula",
        lambda p: saved(book(p / "t.xlsx", one("practice_id", "#REF!", 2))),
        ["row 3: practice_id: '#REF!'", "B3 is the error of a formula; correct it"],
    ),
    (
        "a date",
        lambda p: saved(book(p / "t.xlsx", one("practice_id", datetime.date(2025, 1, 2)))),
        ["row 2: practice_id", "B2 is a date or time; format it as text"],
    ),
    (
        "decimal commas and points",
        lambda p: csv(p / "t.csv", one("q236_rate", "0,7"), ";"),
        [":2: q236_rate: '0,7' has a decimal comma, but", "use one of them"],
    ),
    (
        "thousands or decimals",
        lambda p: csv(
            p / "t.csv",
            [[*NAMES[:6], "part_b_payments"], [*MEANT[0][:6], "12.345"], [*MEANT[1][:6], "98.000"]],
            ";",
        ),
        [":2: part_b_payments: '12.345' may have thousands or decimals", "without thousands separators"],
    ),
    (
        "a decimal comma among commas",
        lambda p: csv(p / "t.csv", one("q236_rate", "0,679")),
        [":2: q236_rate: '0,679'", "a decimal comma? write a point"],
    ),
    (
        "separators in odd places",
        lambda p: csv(p / "t.csv", one("part_b_payments", "1,23,456")),
        [":2: part_b_payments: '1,23,456' is not allowed"],
    ),
    (
        "percent of what is no fraction",
        lambda p: saved(
            book(p / "t.xlsx", one("practice_size", 0.12), formats={"practice_size": "0%"}),
        ),
        ["row 2: practice_size: 12%", "a percent sign belongs to fractions"],
    ),
    (
        "dollars of what is no dollars",
        lambda p: csv(p / "t.csv", one("episodes", "$40")),
        [":2: episodes: '$40'", "a dollar sign belongs to dollars"],
    ),
    (
        "an abbreviated number",
        lambda p: csv(p / "t.csv", one("part_b_payments", "$250K")),
        [":2: part_b_payments: '$250K'", "write all digits"],
    ),
    (
        "a negative amount",
        lambda p: csv(p / "t.csv", one("part_b_payments", "($5,000.00)")),
        [":2: part_b_payments: '($5,000.00)'", "from 0 to"],
    ),
    (
        "a dollar sign alone",
        lambda p: csv(p / "t.csv", one("part_b_payments", "$ -")),
        [":2: part_b_payments", "write 0, or leave the cell empty"],
    ),
    (
        "percent without its sign",
        lambda p: csv(p / "t.csv", rows({"q236_rate": lambda x: 100 * x})),
        ["q236_rate: 3 of 3 numbers are above 1, the first on line 2; they look like percent: write 67.9%"],
    ),
    (
        "percent in the header of fractions",
        lambda p: csv(p / "t.csv", rows(None, IN_PERCENT)),
        ["q236_rate: its name says percent, but no number is above 1", "take percent out of the name"],
    ),
    (
        "two sheets with tables",
        lambda p: saved(book(p / "t.xlsx", ("May", rows()), ("June", rows()))),
        ["several sheets name", "'May', 'June'", "call the sheet that has the table 'Clinicians'"],
    ),
    (
        "no sheet with a table",
        lambda p: saved(book(p / "t.xlsx", [["a", "b"]], [["c"]])),
        ["no sheet names columns", "'Sheet1', 'Sheet2'"],
    ),
    ("an empty sheet", lambda p: saved(book(p / "t.xlsx", [])), ["sheet 'Sheet1' is empty"]),
    (
        "one column twice",
        lambda p: csv(p / "t.csv", rows(None, {"aco": "Exempt"})),
        ["exempt: the column appears more than once; keep one"],
    ),
    (
        "an old workbook",
        lambda p: written(p / "t.xls", b"\xd0\xcf\x11\xe0"),
        [".xls files are not read; save the table as .xlsx or as CSV"],
    ),
    (
        "an encrypted workbook",
        lambda p: written(p / "t.xlsx", b"\xd0\xcf\x11\xe0" * 99),
        ["is encrypted or of an old format; save it as .xlsx without a password"],
    ),
    ("no workbook", lambda p: written(p / "t.xlsx", b"clinician_id"), ["cannot be read as a workbook"]),
    (
        "a damaged workbook",
        lambda p: written(p / "t.xlsx", saved(book(p / "a.xlsx", rows())).read_bytes()[:-900]),
        ["cannot be read as a workbook", "save it anew"],
    ),
    (
        "another encoding",
        lambda p: csv(p / "t.csv", one("practice_id", "Müller"), encoding="cp1252"),
        [":2: not UTF-8; save the table as CSV UTF-8"],
    ),
]


@pytest.mark.parametrize(("make", "words"), [pytest.param(*rest, id=name) for name, *rest in REFUSED])
def test_what_cannot_be_read_surely_is_refused_with_a_remedy(tmp_path, make, words):
    path = make(tmp_path)
    with pytest.raises(InputError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert all(each in text for each in words), text


def test_there_are_forty_dirty_tables_and_most_are_read():
    assert len(RIGHT) >= 30
    assert len(RIGHT) + len(REFUSED) >= 40


def test_a_workbook_that_is_too_large_is_not_opened(tmp_path, monkeypatch):
    path = saved(book(tmp_path / "t.xlsx", rows()))
    monkeypatch.setenv("ASMRISK_LIMITS", "workbook_bytes=1000")
    with pytest.raises(InputError, match=r"at most 1,000 \(limit workbook_bytes\)"):
        read(path)


def test_a_workbook_without_openpyxl_says_how_to_get_it(tmp_path, monkeypatch):
    path = saved(book(tmp_path / "t.xlsx", rows()))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'asmrisk\[excel\]'"):
        read(path)
