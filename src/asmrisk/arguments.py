"""What the arguments of public functions may be: checked before any work, all that is wrong told at once."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

from asmrisk.errors import InputError, Problem

__all__ = [
    *("COUNT", "FLAG", "FUNCTION", "NATURAL", "NUMBERS", "PATH", "TEXTS", "Allowed"),
    *("check_arguments", "instance", "optional"),
]


@dataclass(frozen=True)
class Allowed:
    """What an argument may be."""

    words: str  #: as in "must be …"
    holds: Callable[[Any], bool]  #: whether a value is so


def _whole(least: int) -> Allowed:
    """Allow whole numbers from one on; true and false are none."""
    return Allowed(
        f"a whole number of at least {least}",
        lambda value: isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least,
    )


def instance(words: str, *types: type[Any]) -> Allowed:
    """Allow what is of any of some types."""
    return Allowed(words, lambda value: isinstance(value, types))


def optional(allowed: Allowed) -> Allowed:
    """Allow None too."""
    return replace(allowed, holds=lambda value: value is None or allowed.holds(value))


def _each(value: Any, allowed: Callable[[Any], bool]) -> bool:
    """Say whether a value has several elements, each of which is allowed."""
    # No iterator, which could be read only once.
    return isinstance(value, Collection) and not isinstance(value, str | bytes) and all(map(allowed, value))


def _is_number(value: Any) -> bool:
    # Of NumPy too, which knows what it is in Python.
    return hasattr(value, "__float__") and not isinstance(value, bool)


COUNT = _whole(1)
FLAG = instance("True or False", bool)
FUNCTION = Allowed("a function that takes one text", callable)
NATURAL = _whole(0)
NUMBERS = Allowed("several numbers, such as [0.05]", lambda value: _each(value, _is_number))
TEXTS = Allowed(
    "text, or several of it",
    lambda value: isinstance(value, str) or _each(value, lambda each: isinstance(each, str)),
)
PATH = instance("a path", str, os.PathLike)


def check_arguments(**arguments: tuple[Allowed, Any]) -> None:
    """Check arguments by name; one `InputError` names each that is not allowed, what is, and what was given.

    >>> check_arguments(draws=(COUNT, 1.5), out=(optional(PATH), None))
    Traceback (most recent call last):
    asmrisk.errors.InputError: draws: must be a whole number of at least 1, not 1.5
    """
    problems = [
        Problem(f"must be {allowed.words}, not {reprlib.repr(value)}", argument=name)
        for name, (allowed, value) in arguments.items()
        if not allowed.holds(value)
    ]
    if problems:
        raise InputError(problems)
