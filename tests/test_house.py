"""The order of the house: data flow one way, and so do imports, also those inside functions."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import asmrisk

PACKAGE = Path(asmrisk.__file__).parent

#: Rooms, each of which may import from those before it and from itself.
ORDER = (
    *(
        "errors",
        "limits",
        "readers",
        "arguments",
        "numerics",
        "parameters",
        "rule",
        "scenario",
        "clinician_tables",
        "population",
    ),
    *("simulation", "results", "engine", "analysis", "studies", "exposures"),
    *("charts", "plot", "pages", "handbook", "cli"),
)

#: Packages that take long to import, or may be missing: an import of them may wait until it is needed.
HEAVY = {
    *(
        "IPython",
        "click",
        "dask",
        "distributed",
        "filelock",
        "importlib.metadata",
        "numba",
        "matplotlib",
        "obstore",
    ),
    *("openpyxl", "pandas", "platformdirs", "pyarrow", "rapidfuzz", "rich", "scipy", "xarray"),
    *("xlsxwriter", "zarr"),
}

TESTS = Path(__file__).parent

#: Folders of tests that are none of the package's: the second reading of the rule, and harmed files.
OTHER_TESTS = {"oracle", "hostile"}


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def modules_of(node):
    """Give the modules that a statement imports."""
    if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        for each in node.names:
            whole = f"{node.module}.{each.name}"
            yield whole if whole in MODULES else node.module
    elif isinstance(node, ast.Import):
        yield from (each.name for each in node.names)


def parsed(name):
    return ast.parse(MODULES[name].read_bytes())


def imports(name):
    """Give the modules that a module imports, wherever in it."""
    return (each for node in ast.walk(parsed(name)) for each in modules_of(node))


def walk(node, kinds):
    """Give a node and those below it, without what stands in nodes of some kinds, or is for type checkers."""
    yield node
    for child in ast.iter_child_nodes(node):
        checked = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not isinstance(child, kinds) and not checked:
            yield from walk(child, kinds)


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@cache
def loads(name):
    """Name the heavy packages that are loaded with a module, by way of others too."""
    if name not in MODULES:
        return {name, name.partition(".")[0]} & HEAVY
    top = [each for node in walk(parsed(name), FUNCTIONS) for each in modules_of(node)]
    return set().union(*map(loads, top))


#: What each module imports of the package. The package's own module names all that is public.
GRAPH = {
    name: {each for each in imports(name) if each in MODULES and each not in (name, "asmrisk")}
    for name in MODULES
    if name != "asmrisk"
}


def room(name):
    return name.split(".")[1]


def test_no_module_imports_itself_by_way_of_others():
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_room_has_its_place():
    assert {room(name) for name in GRAPH} - {"__main__"} == set(ORDER)


@pytest.mark.parametrize("name", sorted(GRAPH.keys() - {"asmrisk.__main__"}))
def test_imports_follow_the_order_of_the_house(name):
    place = ORDER.index(room(name))
    against = [each for each in GRAPH[name] if ORDER.index(room(each)) > place]
    assert not against, f"{name} imports {against}"


@pytest.mark.parametrize("name", sorted(each for each in MODULES if not each.startswith("asmrisk.cli")))
def test_imports_inside_functions_spare_a_heavy_package_and_say_so(name):
    """All but the command line's, whose docstring gives the reason for all of them."""
    lines = MODULES[name].read_text().splitlines()
    tree = parsed(name)
    at_top = set(walk(tree, FUNCTIONS))
    for node in set(walk(tree, ())) - at_top:
        if modules := set(modules_of(node)):
            where = f"{name}, line {node.lineno}: {', '.join(modules)}"
            assert set().union(*map(loads, modules)) - loads(name), f"{where}: it spares nothing; to the top"
            # A comment may stand before several imports, or behind the first.
            first = node.lineno
            while lines[first - 2].lstrip().startswith(("import ", "from ")):
                first -= 1
            said = lines[first - 2].lstrip().startswith("#") or "#" in "".join(lines[first - 1 : node.lineno])
            assert said, f"{where}: say why"


def test_folders_of_tests_are_those_of_the_package():
    folders = {each.name for each in TESTS.iterdir() if any(each.glob("*.py"))}
    assert folders - OTHER_TESTS == set(ORDER) - {"errors", "limits", "readers", "arguments", "plot"}


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS)))
def test_a_test_file_is_short_and_imports_no_other(path):
    text = path.read_text()
    assert text.count("\n") <= 600
    imported = [
        part
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for each in node.names
        for part in f"{getattr(node, 'module', '') or ''}.{each.name}".split(".")
    ]
    assert not [each for each in imported if each.startswith("test_")]
