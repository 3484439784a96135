"""Whatever opens or parses stands in the table of readers, and what it reads is harmed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import asmrisk
from asmrisk.limits import LIMITS
from asmrisk.readers import OF_OURS, READERS
from tests.hostile.kinds import KINDS, TRIED_ELSEWHERE

PACKAGE = Path(asmrisk.__file__).parent

#: Calls that open or parse, whatever the object is called that has them.
OPENS = re.compile(
    r"""
    open | read_file | (os|io|codecs|gzip|bz2|lzma|tarfile|zipfile|shelve|dbm|mmap|webbrowser)\.f?d?open |
    os\.(read|pread|scandir|listdir|walk|readlink|getenv|environ\.(get|items|copy)) |
    glob\.i?glob | .*\.(iterdir|r?glob) | .*\.(read_bytes|read_text) | sys\.stdin.* |
    input | shutil\.(copy.*|unpack_archive) | eval | exec |
    (tomllib|json|pickle|cloudpickle|dill|marshal|plistlib|yaml|joblib)\.(loads?|safe_load|unsafe_load) |
    (np|numpy)\.(load|fromfile|genfromtxt|loadtxt|memmap) | ast\.(parse|literal_eval) |
    csv\.(reader|DictReader) | zlib\.decompress.* | (zipfile\.)?ZipFile |
    (ET|ElementTree|etree)\.\w*(parse|fromstring)\w* | expat\.ParserCreate |
    (pd|pandas|pq|parquet|pa|xr|xarray|zarr|netCDF4|openpyxl)\.((read|open|load|ipc)_?\w*|ParquetFile) |
    load_workbook | ParquetFile | .*pipeline\.decode | _njit | importlib\.import_module | __import__ |
    obstore\.(get|list|head)\w* | fsspec\..* | urlopen | (requests|httpx|socket|urllib)\..* |
    Client | Security | subprocess\.\w+
    """,
    re.VERBOSE,
)


def opens(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    if name == "json.loads" and ast.unparse(call.args[0]).startswith("json.dumps("):
        return False  # To make plain data of tuples.
    if OPENS.fullmatch(name):
        return True
    first = ast.unparse(call.args[0]) if call.args else "'r'"
    return name.endswith(".open") and first.strip("'\"").rstrip("bt+") == "r"


def readers(node: ast.AST, name: str, *, within: bool = False) -> Iterator[str]:
    """Name the functions and methods that open or parse; what is nested counts as what it is in."""
    for child in ast.iter_child_nodes(node):
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(child, ast.Call) and opens(child):
            yield name
        if isinstance(child, ast.Subscript) and ast.unparse(child.value) == "os.environ":
            yield name
        inner = (
            f"{name}.{child.name}"
            if not within and (is_function or isinstance(child, ast.ClassDef))
            else name
        )
        yield from readers(child, inner, within=within or is_function)


def readers_in(text: str) -> set[str]:
    return set(readers(ast.parse(text), "m"))


def test_whatever_opens_or_parses_stands_in_the_table() -> None:
    found: set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found |= set(
            readers(ast.parse(path.read_bytes()), ".".join(each for each in parts if each != "__init__"))
        )
    known = {each for reader in READERS for each in reader.functions}
    assert not known & OF_OURS.keys()
    missing = found - known - OF_OURS.keys()
    assert not missing, (
        f"register in asmrisk.readers, with a kind that tests/hostile harms: {sorted(missing)}"
    )
    gone = (known | OF_OURS.keys()) - found
    assert not gone, f"in asmrisk.readers, but no longer there: {sorted(gone)}"


CALLS = (
    *("open(p)", "p.open('rb')", "p.open()", "p.read_bytes()", "os.open(p, 0)", "fsspec.open(p)"),
    *("json.loads(x)", "pickle.load(f)", "np.load(p)", "pd.read_csv(p)", "yaml.safe_load(x)"),
    *("zarr.open_group(p)", "openpyxl.load_workbook(p)", "read_file(p, 'table_bytes')", "os.environ['A']"),
)


def test_a_reader_is_found_wherever_it_hides() -> None:
    for call in CALLS:
        text = f"class A:\n    def b(self):\n        def c(): return [{call} for x in y]"
        assert readers_in(text) == {"m.A.b"}, call
        assert readers_in(call) == {"m"}
    assert not readers_in("p.open('w'); p.open('xb'); Store.open(place); json.loads(json.dumps(x))")


def test_limits_and_functions_of_the_table_exist() -> None:
    for reader in READERS:
        assert set(reader.limits) <= LIMITS.keys()
        assert reader.functions


def test_every_kind_is_harmed_or_tried_elsewhere() -> None:
    kinds = [reader.kind for reader in READERS]
    assert len(set(kinds)) == len(kinds)
    harmed = {name.partition(":")[0] for name in KINDS}
    assert harmed | TRIED_ELSEWHERE.keys() == set(kinds)
    assert not harmed & TRIED_ELSEWHERE.keys()
    tests = Path(__file__).parents[1]
    assert all((tests / where).is_file() for where in TRIED_ELSEWHERE.values())
