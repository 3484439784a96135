"""Scenarios given as Python dicts: as documents, and as the overrides that say the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import numpy as np

from asmrisk.errors import InputError, Problem
from asmrisk.limits import limit, require_within
from asmrisk.scenario.layering import nested
from asmrisk.scenario.toml_source import Keys, Source, show, show_key

__all__ = ["leaves", "override_of", "read_dict", "tidy"]

_UNCERTAINTY = "uncertainty"


def read_dict(document: Mapping[str, object], folder: str | os.PathLike[str] = ".") -> list[Source]:
    """Read what a dict states, with nested or dotted keys, as the documents of files and overrides.

    Parameters
    ----------
    document : mapping
        Values by name: ``{"policy": {"risk_level": 0.1}}``, ``{"policy.risk_level": 0.1}``, or of a part of a
        value ``{"policy.risk_level.2029": 0.1}``; texts and ``uncertainty`` as in a file. Numbers and arrays
        may be NumPy's, files paths.
    folder : path
        Where relative paths start.

    Returns
    -------
    list of Source
        The document of whole values, and one for each part of a value.

    Raises
    ------
    InputError
        If it is no dict, is nested too deeply, or states anything twice.

    Examples
    --------
    >>> [each.data for each in read_dict({"policy.risk_level": 0.1, "policy.risk_level.2029": 0.2})]
    [{'policy': {'risk_level': 0.1}}, {'policy': {'risk_level': {'2029': 0.2}}}]
    """
    if not isinstance(document, Mapping):
        raise InputError(f"a scenario is a dict of values by name, not {type(document).__name__}")
    path = Path(folder) / "scenario"
    whole: dict[str, Any] = {}
    parts: list[Source] = []
    stated: set[Keys] = set()
    problems: list[Problem] = []
    for keys, value in _stated(document):
        if keys in stated:
            problems.append(Problem("is given twice; give it once", what=".".join(keys)))
        stated.add(keys)
        if keys[0] == _UNCERTAINTY or len(keys) <= 2:
            table = whole
            for key in keys[:-1]:
                table = table.setdefault(key, {})
                if not isinstance(table, dict):
                    problems.append(Problem("must be a dict of values", what=keys[0]))
                    break
            else:
                table[keys[-1]] = value
        else:
            parts.append(Source("", nested(keys, value), path=path, keys=keys))
    if problems:
        raise InputError(problems)
    return [Source("", whole, path=path), *parts]


def override_of(keys: Keys, value: object) -> str:
    """Write a value as the override that `asmrisk.load_scenario` takes."""
    return f"{'.'.join(map(show_key, keys))}={show(value, longest=None)}"


def leaves(source: Source) -> Iterator[tuple[Keys, Any]]:
    """Give what a document states of each parameter, and the keys to it; of an override those to the part."""
    if source.keys:
        yield source.keys, reduce(getitem, source.keys, source.data)
        return
    for section, table in source.data.items():
        if isinstance(table, dict):
            yield from (((section, key), value) for key, value in table.items())


def _stated(document: Mapping[str, object]) -> Iterator[tuple[Keys, Any]]:
    """Give each value with the keys that lead to it: a section's dict is no value."""
    for key, given in document.items():
        above, value = tuple(str(key).split(".")), _plain(given)
        if len(above) == 1 and isinstance(value, dict):
            inside = {name: (name,) if above[0] == _UNCERTAINTY else tuple(name.split(".")) for name in value}
            yield from (((*above, *inside[name]), each) for name, each in value.items())
        else:
            yield above, value


def tidy(value: Any) -> Any:
    """Give a value whose whole numbers are written as such, however they were given.

    >>> tidy({"2027": 1.0, "2029": 0.5})
    {'2027': 1, '2029': 0.5}
    """
    if isinstance(value, dict):
        return {key: tidy(each) for key, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(value: object, depth: int = 0) -> Any:
    """Give a value as TOML would parse it: keys are text, arrays lists, numbers Python's, paths text."""
    if depth > limit("document_levels"):
        require_within("document_levels", depth, more=True)
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, depth + 1) for each in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value
