"""The two ways in which a command can fail, and what is said of unusable input."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

__all__ = [
    *("NO_FILE", "Call", "InputError", "Problem", "RunError", "gather", "joined", "nearest", "printable"),
    "unknown",
]

#: What stands for the file of a scenario that has none: `Call` writes its overrides as a dict.
NO_FILE = "SCENARIO.toml"

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with what the user gave; as text, one line.

    Attributes
    ----------
    text : str or tuple of str and Call
        What is wrong, and where it is not obvious the remedy.
    what : str
        The key or column that is wrong.
    where : str
        The file that says it, or what was given for `argument`.
    line, column : int or None
        In the file, from 1.
    argument : str
        The argument of the public function by which it was given. The command line calls it by its option.
    allowed : str
        What could stand there instead.
    nearest : str or None
        The allowed name that may be meant.
    parameters : tuple of str
        Names of the parameters that do not go together; the line is that of the one stated last.
    """

    text: str | tuple[str | Call, ...]
    what: str = ""
    where: str = ""
    line: int | None = None
    column: int | None = None
    argument: str = ""
    allowed: str = ""
    nearest: str | None = None
    parameters: tuple[str, ...] = ()

    def to_line(
        self, options: Mapping[str, str] = MappingProxyType({}), write: Callable[[Call], str] = str
    ) -> str:
        """Say it in one line, arguments called by their options: ``file:line: key: text; allowed: …``."""
        argument = options.get(self.argument, self.argument)
        position = (self.where, self.line, self.column)
        where = ":".join(str(each) for each in position if each not in (None, ""))
        sentence = [
            joined((self.text,) if isinstance(self.text, str) else self.text, write),
            self.allowed and f"allowed: {self.allowed}",
            self.nearest and f"did you mean {self.nearest}?",
        ]
        parts = (" ".join(filter(None, (argument, where))), self.what, "; ".join(filter(None, sentence)))
        return printable(": ".join(filter(None, parts)))

    def __str__(self) -> str:
        return self.to_line()


class InputError(ValueError):
    """What the user gave cannot be used; nothing was written (exit status 2).

    Parameters
    ----------
    problems : str, Problem, or iterable of them
        Everything that is wrong.
    **fields : Any
        Fields of `Problem`, where a single sentence is given.

    Attributes
    ----------
    problems : tuple of Problem
        In the order given.
    """

    def __init__(self, problems: str | Problem | Iterable[str | Problem], **fields: Any) -> None:
        given = (problems,) if isinstance(problems, str | Problem) else problems
        self.problems = tuple(
            each if isinstance(each, Problem) else Problem(each, **fields) for each in given
        )
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[Callable[..., InputError], tuple[Any, ...]]:
        return type(self), (self.problems,)


@dataclass(frozen=True)
class Call:
    """A public function that a message names, or a call of it; the command line writes it as a command."""

    function: str  #: its name
    first: str | None = None  #: its first argument; None if the function is only named
    others: Mapping[str, Any] = field(default_factory=dict, hash=False)  #: the further ones, by name
    further: tuple[str, ...] = ()  #: those after the first one that have no name

    def __str__(self) -> str:
        if self.first is None:
            return f"`asmrisk.{self.function}`"
        others = dict(self.others)
        first = repr(self.first)
        overrides = others.pop("overrides", None)  # Of a scenario, not of what is done with it.
        if overrides and self.first == NO_FILE:
            first = repr(dict(map(_stated, overrides)))
        elif overrides:
            first = f"asmrisk.load_scenario({first}, {overrides!r})"
        named = (f"{name}={value!r}" for name, value in others.items())
        arguments = [first, *map(repr, self.further), *named]
        return f"`asmrisk.{self.function}({', '.join(arguments)})`"


def _stated(override: str) -> tuple[str, Any]:
    """Give the name and the value of an override, as a dict says it."""
    name, _, value = override.partition("=")
    try:
        return name.replace('"', ""), tomllib.loads(f"value = {value}")["value"]
    except ValueError:  # A word without quotes.
        return name, value


class RunError(RuntimeError):
    """Something failed while working on good input (exit status 1); the message says how to go on.

    Parameters
    ----------
    *parts : str or Call
        The parts of the message.
    """

    def __init__(self, *parts: str | Call) -> None:
        super().__init__(joined(parts))
        self.parts = parts


def joined(parts: Iterable[str | Call], write: Callable[[Call], str] = str) -> str:
    """Join the parts of a message, its calls written as Python or otherwise."""
    return "".join(write(each) if isinstance(each, Call) else each for each in parts)


def gather(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """Apply a function to each item; one `InputError` tells what is wrong with any, each problem once."""
    results: list[_Result] = []
    problems: dict[Problem, None] = {}
    for item in items:
        try:
            results.append(function(item))
        except InputError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise InputError(problems)
    return results


def printable(text: str) -> str:
    """Make text safe to show on one line of any terminal: other characters become escapes."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Give the allowed name most like the one given, if any is alike enough to be meant."""
    # Only a mistake has to wait for it.
    from rapidfuzz import process

    found = process.extractOne(name, list(names), score_cutoff=55.0)
    return None if found is None else str(found[0])


def unknown(kind: str, name: str, names: Iterable[str]) -> Problem:
    """Say of an unknown name which one may be meant, or else which are allowed."""
    names = tuple(names)
    best = nearest(name, names)
    return Problem(f"unknown {kind}", allowed="" if best else ", ".join(names), nearest=best)
