"""One small roster as people keep it: the table that is meant, and ways to write it down."""

import re
import zipfile

import openpyxl
import pandas as pd

NAMES = [
    *("clinician_id", "practice_id", "performance_year", "cohort", "specialty", "practice_size"),
    *("part_b_payments", "episodes", "cost_per_episode", "dual_share", "exempt", "aco"),
    *("q236_rate", "q236_cases", "q236_completeness", "q236_collection_type"),
]
FRACTIONS = ("dual_share", "q236_rate", "q236_completeness")
DOLLARS = ("part_b_payments", "cost_per_episode")

#: What is meant, row by row: the oracle of every file below.
MEANT = [
    [
        *("1234567893", "T1", 2025, "heart_failure", "cardiology", 12),
        *(1234567.5, 1040, 18400.25, 0.138, 0, 1, 0.679, 1085, 0.92, "ecqm"),
    ],
    [
        *("1234567901", "T1", 2025, "heart_failure", "cardiology", 12),
        *(98000.0, 34, 20150.0, 0.07, 0, 1, 0.71, 60, 0.855, "ecqm"),
    ],
    [
        *("1234567919", None, 2025, "low_back_pain", "neurosurgery", 3),
        *(250000.0, 22, 12999.99, None, 0, None, None, None, None, None),
    ],
    [
        *("1234567927", "T1", 2025, "heart_failure", "cardiology", 12),
        *(41000.75, 0, None, 0.29, 1, 1, 0.5, 40, 1.0, "ecqm"),
    ],
]


def frame_of(read):
    """What a reader gave as plain values by column, None where empty."""
    return {name: [None if pd.isna(cell) else cell for cell in read[name].astype(object)] for name in read}


def meant(**changed):
    """The same of what is meant, but for some columns."""
    return {name: [row[k] for row in MEANT] for k, name in enumerate(NAMES)} | changed


def rows(changes=None, head=None):
    """Header and rows of plain cells, those of some columns written by functions."""
    changes = changes or {}
    body = [
        [
            None if cell is None else changes.get(name, lambda x: x)(cell)
            for name, cell in zip(NAMES, row, strict=True)
        ]
        for row in MEANT
    ]
    return [[(head or {}).get(name, name) for name in NAMES], *body]


def csv(path, table, separator=",", encoding="utf-8", before="", end="\n"):
    def cell(value):
        text = "" if value is None else str(value)
        return f'"{text}"' if re.search(r'[,;\t"\n]', text) else text

    lines = [separator.join(map(cell, row)) for row in table]
    path.write_bytes((before + end.join(lines) + end).encode(encoding))
    return path


def book(path, *sheets, formats=None, at=(1, 1)):
    """Write sheets, each a table or a name and a table; formats by column name."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for number, sheet in enumerate(sheets):
        name, table = sheet if isinstance(sheet, tuple) else (f"Sheet{number + 1}", sheet)
        page = made.create_sheet(name)
        for row, cells in enumerate(table, at[0]):
            for column, value in enumerate(cells, at[1]):
                cell = page.cell(row, column, value)
                name = cells is not table[0] and len(cells) == len(NAMES) and NAMES[column - at[1]]
                if formats and name in formats:
                    cell.number_format = formats[name]
    return made, path


def saved(made_and_path, **stored):
    """Save a workbook; formulas have the stored values of these cells, as if a program had computed them."""
    made, path = made_and_path
    made.save(path)
    if not stored:
        return path
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    for place, value in stored.items():
        kind = ' t="str"' if isinstance(value, str) else ""
        pattern = rf'<c r="{place}"([^>]*)><f>(.*?)</f><v ?/?>(</v>)?</c>'
        sheet, found = re.subn(pattern, rf'<c r="{place}"\1{kind}><f>\2</f><v>{value}</v></c>', sheet)
        assert found == 1
    parts["xl/worksheets/sheet1.xml"] = sheet.encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path
