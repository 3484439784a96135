"""TOML with places: what a scenario file or an override says, and where it says it.

`tomllib` parses; tree-sitter, which keeps exact positions, tells on which line a key stands.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import tree_sitter
import tree_sitter_toml

from asmrisk.errors import InputError, Problem, nearest
from asmrisk.limits import limit, read_file, require_within

__all__ = [
    "OVERRIDES",
    "Keys",
    "Source",
    "escaped",
    "no_file",
    "parse_override",
    "read_toml",
    "show",
    "show_key",
]

#: The argument of the public functions by which single values are exchanged.
OVERRIDES = "overrides"

#: The keys that lead to a value, outermost first; positions in lists are left out.
Keys = tuple[str, ...]

#: Endings of files that are given for scenarios by mistake.
_TABLES = (".csv", ".xlsx", ".parquet", ".pq")

#: A key of a hundred dotted parts, on which tomllib would spend minutes.
_ENDLESS_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}""", re.ASCII
)

#: Characters of an override that messages show.
_MOST_SHOWN = 1_000

#: A key that needs no quotes.
_BARE_KEY = re.compile(r"[\w-]+", re.ASCII)


@dataclass(frozen=True)
class Source:
    """One parsed document and the lines of its keys.

    Attributes
    ----------
    name : str
        What messages call it: the path as the user gave it, ``key=value`` of an override, or nothing.
    data : dict
        The document.
    text : str
        As it was written, if it has lines.
    path : pathlib.Path or None
        The file, if it is one.
    argument : str
        The argument by which it was given, `OVERRIDES` or nothing.
    keys : tuple of str
        Those that lead to the one value of an override.
    """

    name: str
    data: dict[str, Any]
    text: str = field(default="", repr=False)
    path: Path | None = None
    argument: str = ""
    keys: Keys = ()

    @property
    def within_value(self) -> bool:
        """Whether it states a part of a value alone: one year of a by-year table, not the whole table."""
        return len(self.keys) > 2

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the document start from."""
        return Path() if self.path is None else self.path.parent

    @cached_property
    def lines(self) -> dict[Keys, int]:
        """First line on which each key stands, counted from 1; empty where there are no lines."""
        return _lines(self.text.encode()) if self.text else {}

    def problem(self, keys: Keys, problem: str | Problem, label: str | None = None) -> Problem:
        """Give a problem its place.

        Parameters
        ----------
        keys : tuple of str
            The key that is wrong; the line is that of the longest part of it that the document names.
        problem : str or Problem
            What is wrong.
        label : str, optional
            How to call the key, if not by its parts.
        """
        return replace(
            Problem(problem) if isinstance(problem, str) else problem,
            what=".".join(keys) if label is None else label,
            where=self.name,
            line=next(
                (self.lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.lines), None
            ),
            argument=self.argument,
        )


def read_toml(path: Path) -> Source:
    """Read a TOML file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    Source
        Its content, with the line of each key.

    Raises
    ------
    InputError
        If its name is a table's, there is no such file, or it is no file, cannot be read, is not UTF-8 or not
        TOML, or is beyond one of the limits ``document_bytes``, ``document_keys`` and ``document_levels``.
    """
    if path.suffix.lower() in _TABLES:
        text = "is a table, not a scenario; a scenario names a table of clinicians as population.roster"
        raise InputError(text, where=str(path))
    text = _read_text(path)
    try:
        data = _parsed(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(_malformed(path, text, error)) from None
    except RecursionError:
        raise InputError("nested too deeply to be read", where=str(path)) from None
    except ValueError as error:  # An integer of thousands of digits, a date that does not exist.
        raise InputError(str(error), where=str(path)) from None
    _require_small(data, where=str(path))
    return Source(str(path), data, text, path)


# The scenarios of a run mostly extend the same one.
@lru_cache(maxsize=16)
def _parsed(text: str) -> dict[str, Any]:
    """Parse TOML, nobody's to change; `RecursionError` if it is nested too deeply."""
    if _ENDLESS_KEY.search(text):
        raise RecursionError
    return tomllib.loads(text)


def _read_text(path: Path) -> str:
    try:
        content = read_file(path, "document_bytes")
    except FileNotFoundError:
        raise InputError(replace(no_file(path, "no such file"), where=str(path))) from None
    except IsADirectoryError:
        text = f"is a folder; name a scenario file in it{_among(path)}"
        raise InputError(text, where=str(path)) from None
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot be read ({reason})", where=str(path)) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise InputError(text, where=str(path), line=line) from None


def _among(folder: Path) -> str:
    names = sorted(each.name for each in folder.glob("*.toml"))[:3]
    return f", for example {', '.join(names)}" if names else ""


def no_file(path: Path, text: str) -> Problem:
    """Say that a file does not exist, and which one may be meant."""
    try:
        files = [each for each in sorted(path.parent.iterdir()) if each.is_file()]
    except (OSError, ValueError):
        return Problem(f"{text} (there is no folder {path.parent})")
    names = {each.stem: each.name for each in files if each.suffix == (path.suffix or each.suffix)}
    best = nearest(path.stem, names)
    return Problem(text, nearest=None if best is None else str(path.parent / names[best]))


def _malformed(path: Path, text: str, error: tomllib.TOMLDecodeError) -> Problem:
    message, line, column = _position(error)
    if line is None:
        message, line = f"{message}, but the file ends here", text.count("\n") + 1
    return Problem(f"malformed TOML: {message}", where=str(path), line=line, column=column)


def _position(error: Any) -> tuple[str, int | None, int | None]:
    """Give message, line and column of an error of tomllib; no line where the file ends too early."""
    if hasattr(error, "lineno"):
        ended = error.pos >= len(error.doc)
        return error.msg, None if ended else error.lineno, None if ended else error.colno
    # Python before 3.14 tells the place in words alone.
    message, _, position = str(error).removesuffix(")").rpartition(" (at ")
    found = re.fullmatch(r"line (\d+), column (\d+)", position)
    return (message, int(found[1]), int(found[2])) if found else (message, None, None)


def _require_small(data: dict[str, Any], **fields: Any) -> None:
    """Refuse more keys, and tables and lists further inside each other, than the limits allow."""
    layer, levels, keys = [data], -1, 0
    while layer and levels <= limit("document_levels"):
        keys += sum(len(each) for each in layer if isinstance(each, dict))
        layer, levels = [child for each in layer for child in _children(each)], levels + 1
    require_within("document_levels", levels, more=bool(layer), **fields)
    require_within("document_keys", keys, **fields)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _lines(content: bytes) -> dict[Keys, int]:
    """First line of each key in valid TOML, tables and the parts of dotted keys included."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))
    lines: dict[Keys, int] = {}
    waiting: list[tuple[tree_sitter.Node, Keys]] = [(parser.parse(content).root_node, ())]
    while waiting:
        node, above = waiting.pop()
        if node.type in ("table", "table_array_element", "pair"):
            for part in _key_of(node):
                above = (*above, part)
                line = node.start_point[0] + 1
                lines[above] = min(lines.get(above, line), line)
        waiting.extend((child, above) for child in node.named_children)
    return lines


def _key_of(node: tree_sitter.Node) -> Iterator[str]:
    for child in node.named_children:
        if child.type in ("bare_key", "quoted_key", "dotted_key") and child.text is not None:
            yield from _key(child.text.decode())
            return


@lru_cache(maxsize=1024)
def _key(text: str) -> Keys:
    """Split a key as TOML writes it: ``a."b.c".d`` has three parts."""
    keys = []
    rest: Any = tomllib.loads(f"{text} = 0")
    while isinstance(rest, dict):
        ((part, rest),) = rest.items()
        keys.append(part)
    return tuple(keys)


def parse_override(text: str) -> Source:
    """Parse an override.

    Parameters
    ----------
    text : str
        ``section.name=value``; the value as in TOML, but a word needs no quotes and a number no leading zero.

    Returns
    -------
    Source
        The same as a file with this one line.

    Raises
    ------
    InputError
        If there is no ``=``, or the key or value is malformed.

    Examples
    --------
    >>> parse_override("policy.risk_level.2029=.02").data
    {'policy': {'risk_level': {'2029': 0.02}}}
    >>> parse_override("policy.tie_rule=mid").data
    {'policy': {'tie_rule': 'mid'}}
    """
    name = _shortened(text)
    require_within("document_bytes", len(text), where=name, argument=OVERRIDES)
    left, equals, right = text.partition("=")
    try:
        keys = _key(left) if equals and not _ENDLESS_KEY.search(text) else ()
    except (ValueError, RecursionError):
        keys = ()
    if len(keys) < 2:
        raise _unusable(name, "write section.name=value, for example policy.tie_rule=mid")
    data: Any = _override_value(right.strip())
    if data is None:
        shown = repr(_shortened(right.strip()))
        raise _unusable(name, f"{shown} is no TOML value; write a number, a word, a [list] or a {{table}}")
    for part in reversed(keys):
        data = {part: data}
    _require_small(data, where=name, argument=OVERRIDES)
    return Source(name, data, argument=OVERRIDES, keys=keys)


def _shortened(text: str) -> str:
    """Give what messages call an override: as it was given, or how it begins."""
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _unusable(override: str, text: str) -> InputError:
    return InputError(text, where=override, argument=OVERRIDES)


def _override_value(text: str) -> Any:
    # ".5" for "0.5", which TOML does not know; quoted text is left as it is.
    spellings = [text] if {'"', "'"} & set(text) else [text, re.sub(r"(?<![\w.])\.(?=\d)", "0.", text)]
    for spelling in spellings:
        try:
            data = tomllib.loads(f"value = {spelling}")
        except (ValueError, RecursionError):
            continue
        if data.keys() == {"value"}:
            return data["value"]
    if re.fullmatch(r"[^\W\d][^\[\]{}\"'=,#\x00-\x1f]*|[./~][^\[\]{}\"'=,#\x00-\x1f]*", text):
        return text
    return None


def show(value: Any, longest: int | None = 80) -> str:
    """Write a value as TOML would, on one line of at most so many characters, or whole.

    >>> show({"2027": 0.09, "2029": True})
    '{2027 = 0.09, 2029 = true}'
    """
    text = _write(value)
    return text if longest is None or len(text) <= longest else f"{text[: longest - 3]}..."


def show_key(key: object) -> str:
    """Write a key as TOML would: bare if it can be.

    >>> show_key("clinicians"), show_key("behavior.cost_response")
    ('clinicians', '"behavior.cost_response"')
    """
    text = str(key)
    return text if _BARE_KEY.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    return escaped(json.dumps(text, ensure_ascii=False))


def escaped(toml: str) -> str:
    r"""Replace what is not printable, all of it in quotes, by escapes, and what is no character by ``?``.

    >>> print(escaped('title = "a\u202eb"'))
    title = "a\U0000202eb"
    """
    text = toml.encode(errors="replace").decode()
    return "".join(each if each.isprintable() or each == "\n" else f"\\U{ord(each):08x}" for each in text)


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else f"{value:f}"
    if isinstance(value, int):
        # Python refuses to write integers of thousands of digits.
        return str(value) if value.bit_length() < 400 else "an integer of over a hundred digits"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{show_key(key)} = {_write(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_write, value)) + "]"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
