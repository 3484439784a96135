"""The order of the house: data flow one way, and so do imports, also those inside functions."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import asmrisk

PACKAGE = Path(asmrisk.__file__).parent

#: Rooms, each of which may import from those before it and from itself.
ORDER = (
    *("errors", "numerics", "parameters", "rule", "scenario", "clinician_tables", "population"),
    *("simulation", "results", "engine", "analysis", "studies", "handbook", "cli"),
)

#: Imports inside functions that do not wait for a heavy package, by module: none.
HEAVY = {
    *("dask", "distributed", "filelock", "openpyxl", "pandas", "pyarrow", "rich", "scipy", "xarray", "zarr"),
    *("click", "numba", "obstore", "tree_sitter", "tree_sitter_toml", "pydantic", "rapidfuzz"),
}


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def imports(name):
    """Give the modules of the package that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(MODULES[name].read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for each in node.names:
                whole = f"{node.module}.{each.name}"
                yield whole if whole in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


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
