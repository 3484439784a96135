"""Ways to harm files, in structure and byte by byte: each is a function of a random generator and a file."""

import csv
import io
import json
import os
import re
import shutil
import tomllib
import zipfile
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w

#: What stands where something else is meant, in a text of any kind.
WORDS = (
    *("", " ", "0", "-1", "0.5", "nan", "inf", "-inf", "1e400", "1e-400", "9" * 30, "9" * 5000, "0x10"),
    *("1_0", "½", "x", "é", "none", "true", "TRUE", "NA", "#N/A", "=1+1", "@SUM(A1)", "'", '"', '""', ","),
    *(";", "\t", "\\", "%", "\x1b[2J", "\u202e", "\u2028", "\0", "a\nb", "a\r\nb", "\ufeff", "\x85"),
    *("../../x", "/etc/passwd", "a" * 300, "50%", "$1,000", "(5)", "1,5", "2027", "2027-01-01"),
    *("heart_failure", "low_back_pain", "ecqm", "🙂", "\U000e0001"),
)

#: The same among plain data.
VALUES = (
    *(None, True, False, 0, -1, 1, 2, 5, 2027, 2**31, 2**63, 2**64, -(2**70), 10**30, 0.5, -0.5, 1e308),
    *(5e-324, -0.0, float("nan"), float("inf"), [], {}, [[]], [{}], {"": 0}, [1, 2], ["a", 1]),
    *({"a": {"b": [1]}}, [None], [0.0] * 9),
)

#: The same in the markup of a workbook.
MARKUP = (
    *("", "0", "-1", "99999999999", "1048577", "XFD1048576", "A1:XFD1048576", "A0", "s", "d", "b", "e"),
    *("str", "inlineStr", "nan", "inf", "1e999", "&#0;", "&#27;[2J", "&lt;", "<c/>", "<v>5</v>", "true"),
    *("<f>A1</f>", "2027-01-01", "veryHidden", "hidden", "<row/>", "<mergeCell ref='A1:Z99'/>"),
    '<!DOCTYPE a [<!ENTITY b "' + "c" * 99 + '">]>',
)

#: In the place of JSON.
DOCUMENTS = (b"", b"{}", b"[]", b"null", b"0", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000)

#: Names that a file can have and a store's never has.
NAMES = (b"\xff\xfe", b"a\nb", b"\x1b[2J", "\u202e".encode(), b"c.0", b"999999.json")


def pick(random: Random, values: Any) -> Any:
    """Give one of several, nobody else's to be changed."""
    return deepcopy(values[random.randrange(len(values))])


# ------------------------------------------------------------------------------- bytes


def bytes_harmed(random: Random, data: bytes) -> bytes:
    """Flip, cut, insert, remove, repeat or exchange some bytes."""
    found = bytearray(data)
    for _ in range(pick(random, (1, 1, 1, 2, 5))):
        # The ends hold what decides how the rest is read.
        ends = (0, min(len(found), 64)), (max(0, len(found) - 200), len(found)), (0, len(found))
        place = random.randint(*pick(random, (*ends, ends[2])))
        count = random.randint(1, 8)
        match random.randrange(8):
            case 0 if place < len(found):
                found[place] ^= 1 << random.randrange(8)
            case 1 if place < len(found):
                found[place] = pick(random, (0, 255, 127, 128, 10, 34, 92))
            case 2:
                del found[place:]
            case 3:
                del found[place : place + count]
            case 4:
                found[place:place] = random.randbytes(count)
            case 5:
                found[place:place] = found[place : place + 10 * count]
            case 6:
                other = random.randint(0, len(found))
                found[place : place + count] = found[other : other + count]
            case _:
                found[place:place] = pick(random, WORDS).encode("utf-8", "surrogatepass")
    return bytes(found)


# ------------------------------------------------------------------------------- text


def text_harmed(random: Random, data: bytes) -> bytes:
    """Exchange tokens and lines of a text, or the way in which it is encoded."""
    text = data.decode("utf-8", "replace")
    for _ in range(pick(random, (1, 1, 2, 4))):
        lines = text.splitlines(keepends=True) or [""]
        place, other = random.randrange(len(lines)), random.randrange(len(lines))
        match random.randrange(9):
            case 0:
                del lines[place]
            case 1:
                lines.insert(other, lines[place])
            case 2:
                lines[place], lines[other] = lines[other], lines[place]
            case 3:
                lines[place] = lines[place][: random.randint(0, len(lines[place]))]
            case 4:
                lines[place:place] = [pick(random, WORDS) + "\n"]
            case 5:
                lines[place] = lines[place] * pick(random, (2, 50))
            case 6:
                mark = pick(random, '[]{}"=.,#')
                lines[place] = lines[place].replace(mark, mark * pick(random, (0, 2, 3, 200)), 1)
            case _:
                tokens = list(re.finditer(r"[\w.+-]+|\"[^\"\n]*\"", lines[place]))
                if tokens:
                    token = random.choice(tokens)
                    start, end = token.span()
                    lines[place] = lines[place][:start] + _token(random, token[0]) + lines[place][end:]
        text = "".join(lines)
    encoding = pick(random, ("utf-8",) * 12 + ("utf-8-sig", "utf-16", "utf-16-be", "latin-1", "utf-32"))
    return text.encode(encoding, "ignore")


def _token(random: Random, token: str) -> str:
    """Write something else, or too much of the same."""
    match random.randrange(6):
        case 0:
            return token * pick(random, (2, 30))
        case 1:
            return "[" * (depth := pick(random, (1, 2, 20, 3000))) + token + "]" * depth
        case 2:
            return "{a = " * (depth := pick(random, (1, 2, 20, 300))) + token + "}" * depth
        case 3:
            return ".".join([token] * pick(random, (2, 20, 2000)))
        case _:
            return pick(random, WORDS)


# ------------------------------------------------------------------------------- trees of plain data


def tree_harmed(random: Random, tree: Any, values: tuple[Any, ...] = VALUES) -> Any:
    """Remove, add, rename, exchange or nest something somewhere in plain data; the tree itself is changed."""
    for _ in range(pick(random, (1, 1, 1, 2, 4))):
        places = list(islice(_places(tree), 5000))
        if not places:
            return pick(random, values)
        holder, key = random.choice(places)
        match random.randrange(10):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[pick(random, (*WORDS, *holder))] = holder.pop(key)
            case 2 if isinstance(holder, dict):
                holder[pick(random, WORDS)] = pick(random, values)
            case 2:
                holder.insert(0, pick(random, values))
            case 3:
                other, its_key = random.choice(places)
                holder[key] = json.loads(json.dumps(other[its_key], default=str))
            case 4:
                holder[key] = [holder[key]] * pick(random, (1, 2))
            case 5:
                holder[key] = {pick(random, ("x", "2027", "values")): holder[key]}
            case 6:
                holder[key] = pick(random, WORDS)
            case 7 if isinstance(holder[key], int | float):
                holder[key] = pick(random, (-1, 2, 10, 0.1, 1e9, -1e9)) * holder[key]
            case 8:
                for _ in range(pick(random, (3, 20, 40))):
                    holder[key] = [holder[key]]
            case _:
                holder[key] = pick(random, values)
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Give where everything in a tree stands: what holds it, and its key there."""
    waiting = [tree] if isinstance(tree, dict | list) else []
    while waiting:
        holder = waiting.pop()
        entries = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in list(entries):
            yield holder, key
            if isinstance(value, dict | list):
                waiting.append(value)


#: TOML has no null.
_TOML_VALUES = tuple(each for each in VALUES if each not in (None, [None]))


def toml_harmed(random: Random, data: bytes) -> bytes:
    if random.random() < 0.4:
        return text_harmed(random, data)
    if random.random() < 0.2:
        return bytes_harmed(random, data)
    tree = tree_harmed(random, tomllib.loads(data.decode()), _TOML_VALUES)
    try:
        return tomli_w.dumps(tree).encode()
    except RecursionError:  # The writer goes no further inside than Python does.
        return text_harmed(random, data)


def json_harmed(random: Random, data: bytes) -> bytes:
    if random.random() < 0.4:
        return pick(random, (text_harmed, bytes_harmed))(random, data)
    if random.random() < 0.1:
        return pick(
            random, (b"", b"{}", b"[]", b"null", b"0", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000)
        )
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):  # It was harmed before.
        return bytes_harmed(random, data)
    return json.dumps(tree_harmed(random, tree)).encode()


# ------------------------------------------------------------------------------- tables


def csv_harmed(random: Random, data: bytes) -> bytes:
    """Exchange cells, rows, columns and heads of a table."""
    if random.random() < 0.3:
        return pick(random, (text_harmed, bytes_harmed))(random, data)
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    rows_harmed(random, rows, WORDS)
    stream = io.StringIO()
    writer = csv.writer(
        stream,
        delimiter=pick(random, ",,,,;\t|"),
        lineterminator=pick(random, ("\n", "\n", "\r\n", "\r")),
        quoting=pick(random, (csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    )
    writer.writerows(rows)
    before = pick(random, ("", "", "", "sep=;\n", "\n\n", "Our clinicians\n", "\ufeff", "#\n"))
    return (before + stream.getvalue()).encode(pick(random, ("utf-8",) * 6 + ("utf-16", "latin-1")), "ignore")


def rows_harmed(random: Random, rows: list[list[Any]], cells: tuple[Any, ...]) -> None:
    for _ in range(pick(random, (1, 1, 2, 5))):
        if not rows:
            return
        row = random.choice(rows)
        if not row:
            continue
        column, other = random.randrange(len(row)), random.randrange(len(row))
        match random.randrange(12):
            case 0:
                rows[0][column % (len(rows[0]) or 1) :][:1] = [pick(random, cells)]
            case 1 if column < len(rows[0]) and other < len(rows[0]):
                rows[0][column] = rows[0][other]
            case 2:
                del row[column]
            case 3:
                row.insert(column, pick(random, cells))
            case 4:
                rows.insert(random.randint(0, len(rows)), list(row))
            case 5:
                rows.remove(row)
            case 6:
                for each in rows:
                    del each[column : column + 1]
            case 7:
                for each in rows:
                    each.append(pick(random, cells))
            case 8:
                for each in rows[1:]:
                    each[column : column + 1] = [pick(random, cells)]
            case 9:
                row[column] = pick(random, ("x" * 200_000, "9" * 40_000, "a\n" * 400))
            case _:
                row[column] = pick(random, cells)


def parquet_harmed(random: Random, data: bytes) -> bytes:
    """Exchange types and cells of columns, the names and what is said of them; or bytes."""
    if random.random() < 0.4:
        return bytes_harmed(random, data)
    table = pq.read_table(io.BytesIO(data))
    for _ in range(pick(random, (1, 1, 2, 5))):
        if not table.num_columns:
            break
        place = random.randrange(table.num_columns)
        name = pick(
            random, (table.column_names[place],) * 4 + (pick(random, table.column_names), *WORDS[:20])
        )
        match random.randrange(6):
            case 0:
                table = table.remove_column(place)
            case 1:
                table = table.append_column(name, _column(random, table.num_rows))
            case 2:
                said = (table.schema.metadata or {}).get(b"pandas", b"{}")
                table = table.replace_schema_metadata({b"pandas": json_harmed(random, said)})
            case 3:
                table = table.slice(0, pick(random, (0, 1, table.num_rows)))
            case _:
                table = table.set_column(place, name, _column(random, table.num_rows))
    stream = io.BytesIO()
    pq.write_table(table, stream, compression=pick(random, ("snappy", "zstd", "none", "gzip")))
    return stream.getvalue()


def _column(random: Random, rows: int) -> pa.Array:
    """Make a column of any type, its cells whatever the type allows."""
    kinds: tuple[tuple[pa.DataType, Any], ...] = (
        (pa.list_(pa.int64()), [1, 2]),
        (pa.list_(pa.string()), []),
        (pa.large_list(pa.list_(pa.float64())), [[0.5], []]),
        (pa.list_(pa.int8(), 2), [1, 2]),
        (pa.struct([("a", pa.int64()), ("b", pa.string())]), {"a": 1, "b": "x"}),
        (pa.map_(pa.string(), pa.int64()), [("a", 1)]),
        (pa.dictionary(pa.int8(), pa.string()), pick(random, WORDS)),
        (pa.binary(), b"\xff\0"),
        (pa.binary(3), b"abc"),
        (pa.bool_(), True),
        (pa.null(), None),
        (pa.timestamp("ns", "UTC"), 10**18),
        (pa.timestamp("s"), 10**15),
        (pa.date32(), 10**6),
        (pa.time64("us"), 5),
        (pa.duration("ns"), 5),
        (pa.decimal128(38, 3), pick(random, (None, 5))),
        (pa.decimal256(60, 0), 10**50),
        (pa.uint64(), 2**64 - 1),
        (pa.int8(), -128),
        (pa.float32(), pick(random, (float("nan"), float("inf"), 1e38, 0.5))),
        (pa.float64(), pick(random, (float("nan"), float("inf"), 1e308, -0.0))),
        (pa.large_string(), pick(random, WORDS)),
        (pa.string(), pick(random, WORDS)),
    )
    kind, value = pick(random, kinds)
    return pa.array([pick(random, (value, value, None)) for _ in range(rows)], type=kind)


def workbook_harmed(random: Random, data: bytes) -> bytes:
    """Exchange what the parts of a workbook say, the parts, and what the archive says of them."""
    if random.random() < 0.15:
        return bytes_harmed(random, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [(name, archive.read(name)) for name in archive.namelist()]
    sheets = [place for place, (name, _) in enumerate(parts) if "sheet" in name]
    for _ in range(pick(random, (1, 1, 2, 4))):
        place = pick(random, [*range(len(parts)), *sheets * 3])
        name, content = parts[place]
        match random.randrange(12):
            case 0:
                del parts[place]
                sheets = []
            case 1:
                parts.append((name, pick(random, parts)[1]))
            case 2:
                parts[place] = pick(random, ("../" + name, name.upper(), "/" + name, name + "x", "")), content
            case 3:
                parts[place] = name, bytes_harmed(random, content)
            case 4:
                parts[place] = name, b"\xef\xbb\xbf" + content
            case _:
                parts[place] = name, _markup_harmed(random, content)
        if not parts:
            break
        sheets = [each for each in sheets if each < len(parts)] or [0]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", pick(random, (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))) as archive:
        for name, content in parts:
            archive.writestr(zipfile.ZipInfo(name or "x"), content)
    return bytes_harmed(random, stream.getvalue()) if random.random() < 0.1 else stream.getvalue()


def _markup_harmed(random: Random, content: bytes) -> bytes:
    """Exchange values, attributes and elements."""
    text = content.decode("utf-8", "replace")
    found = list(re.finditer(r'(?<=>)[^<>]+(?=<)|(?<==")[^"]*(?=")|<[^<>]+>', text))
    if not found:
        return content
    token = random.choice(found)
    start, end = token.span()
    new = pick(random, (*MARKUP, token[0] * 2))
    return (text[:start] + new + text[end:]).encode("utf-8", "replace")


# ------------------------------------------------------------------------------- folders


def folder_harmed(random: Random, folder: Path, harm_file: Any) -> None:
    """Harm files of a folder, or put folders, links and pipes in their places."""
    for _ in range(pick(random, (1, 1, 1, 2))):
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        if not files:
            return
        # Of the many chunks as often as of the few files that say what they are.
        said = [path for path in files if path.suffix == ".json"]
        path = pick(random, pick(random, (files, said or files, said or files)))
        match random.randrange(12):
            case 0:
                path.unlink()
            case 1:
                path.unlink()
                path.mkdir()
                if random.random() < 0.5:
                    (path / "thesis.txt").write_text("precious")
            case 2:
                other = pick(random, files)
                one, two = path.read_bytes(), other.read_bytes()
                path.write_bytes(two)
                other.write_bytes(one)
            case 3 if path.parent != folder:
                shutil.rmtree(path.parent)
                path.parent.write_bytes(b"x")
            case 4:
                path.unlink()
                path.symlink_to(pick(random, (path.name, "/dev/zero", "/etc/passwd", "nowhere", folder)))
            case 5 if path.parent != folder:
                aside = folder.parent / f"aside{random.random()}"
                path.parent.rename(aside)
                path.parent.symlink_to(aside, target_is_directory=True)
            case 6:
                path.unlink()
                os.mkfifo(path)
            case 7:
                (path.parent / os.fsdecode(pick(random, NAMES))).write_bytes(b"{}")
            case _:
                path.write_bytes(harm_file(random, path, path.read_bytes()))
