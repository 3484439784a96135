"""The Python interface as who uses it sees it: names, help, annotations, and words of messages."""

import inspect
import pydoc
import re
import typing

import pytest

import asmrisk

FUNCTIONS = {name: each for name in asmrisk.__all__ if inspect.isfunction(each := getattr(asmrisk, name))}
METHODS = {
    f"Scenario.{name}": each
    for name, each in inspect.getmembers(asmrisk.Scenario, inspect.isroutine)
    if not name.startswith("_")
}


def test_what_is_listed_is_the_interface_alone():
    # Whatever was imported meanwhile.
    import asmrisk.analysis.jobs

    assert asmrisk.analysis.jobs
    assert dir(asmrisk) == sorted(asmrisk.__all__)


def test_help_names_everything_and_where_to_begin():
    public = set(asmrisk.__all__) - {"__version__", "InputError", "RunError"}
    head = asmrisk.__doc__
    named = [name for row in re.findall(r"^\| .* \| (.*) \|$", head, re.M)[1:] for name in row.split(", ")]
    assert sorted(named) == sorted(public)
    shown = pydoc.plain(pydoc.render_doc(asmrisk))
    assert len(head.splitlines()) < 30
    assert shown.index("run, run_to_precision") < shown.index("PACKAGE CONTENTS")
    assert all(f"    {name}(" in shown for name in FUNCTIONS)


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_annotations_say_types(name):
    signature = inspect.signature((FUNCTIONS | METHODS)[name])
    stated = [each.annotation for each in signature.parameters.values() if each.name not in ("self", "cls")]
    stated.append(signature.return_annotation)
    assert inspect.Signature.empty not in stated
    # Values of parameters are of many types; what results hold is a mapping of plain data.
    assert not [each for each in stated if re.search(r"\bAny\b", str(each)) and "dict[str, " not in str(each)]


def test_a_run_has_an_overload_for_each_way_to_call_it():
    given = [inspect.signature(each) for each in typing.get_overloads(asmrisk.run)]
    assert [each.return_annotation for each in given] == ["dict[str, Place]", "Place", "list[Place]"]


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_docstrings_speak_python(name):
    found = (FUNCTIONS | METHODS)[name]
    text = inspect.getdoc(found)
    assert not re.search(r"(?<![\w-])--\w|`asmrisk \w", text)
    # Every argument of a function is told of.
    for each in inspect.signature(found).parameters if name in FUNCTIONS else ():
        assert re.search(rf"(?m)^\W*(\w+, )*{each}\b", text), each
