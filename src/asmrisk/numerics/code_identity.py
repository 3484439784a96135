"""Which code computes: a digest of it that a comment, a docstring or a line break leaves as it is.

Results may be extended and compared, and compiled kernels loaded, only by the code that made them. Which code
that is, is found rather than listed: import statements are followed from a few modules on.

A module counts by its syntax tree without docstrings, without annotations that nobody reads, and without what
stands under ``if TYPE_CHECKING``. The digest is the same on every version of Python that can parse the code,
since the tree is written out here, not by `ast`. Formatted strings (f-strings) count as they are written,
because versions parse them differently.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["code_identity", "covered_modules"]

#: Files that the memo remembers; of more, those used last.
_MOST_KEPT = 500


@cache
def code_identity(*entries: str, root: Path | None = None) -> str:
    """Digest of what computes in some modules and in all they import from their package, and of its data.

    Data are the files in a folder ``data`` beside any of these modules, except notes (``*.md``) and hidden
    files.

    Parameters
    ----------
    *entries : str
        Names of modules, such as ``"asmrisk.simulation.model"``.
    root : pathlib.Path, optional
        Folder of the package, if not the one that this module lies in.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    ModuleNotFoundError
        If there is no such entry.
    """
    covered = covered_modules(*entries, root=root)
    parts = [f"{name} {code}" for name, (_, code) in covered.items()]
    root = root or Path(__file__).parents[1]
    for folder in sorted({path.parent / "data" for path, _ in covered.values()}):
        for path in sorted(folder.rglob("*")):
            if path.suffix != ".md" and not path.name.startswith(".") and path.is_file():
                parts.append(f"{path.relative_to(root).as_posix()} {_digest(path.read_bytes())}")
    return _digest("\n".join(parts).encode())


def covered_modules(*entries: str, root: Path | None = None) -> dict[str, tuple[Path, str]]:
    """Modules whose code `code_identity` covers: the entries, what they import, the packages these lie in.

    Parameters
    ----------
    *entries, root
        As for `code_identity`, which says also what is raised.

    Returns
    -------
    dict of str to (pathlib.Path, str)
        By name, sorted: the file and the digest of what computes in it.
    """
    files = _files(root or Path(__file__).parents[1], "".join(entries[:1]).partition(".")[0])
    for entry in entries:
        if entry not in files:
            raise ModuleNotFoundError(f"No module named {entry!r}", name=entry)
    memo = _Memo()
    found: dict[str, tuple[Path, str]] = {}
    homes: dict[str, dict[str, str]] = {}
    # A module and what is wanted of it: a name, the module itself (empty) or only that it is executed (None).
    waiting: list[tuple[str, str | None]] = [(entry, "") for entry in entries]
    seen = set(waiting)
    while waiting:
        module, wanted = waiting.pop()
        package = module.rpartition(".")[0]
        links: list[tuple[str, str | None]] = [(package, None)]
        if module in files:
            if module not in found:
                code, *facts = memo.facts(files[module].read_bytes())
                found[module] = files[module], code
                homes[module] = dict(each.split("=", 1) for each in facts if "=" in each)
                base = module if files[module].name == "__init__.py" else package
                links += (_absolute(each, base) for each in facts if ":" in each)
            if wanted is not None:
                links.append((f"{module}.{wanted}", ""))
                # Names that a package's ``__getattr__`` imports when asked, from modules that a table names.
                lazy = homes[module].items()
                links += ((f"{module}.{home}", name) for name, home in lazy if wanted in {"", "*", name})
        waiting += (each for each in links if each not in seen)
        seen.update(links)
    memo.keep()
    return dict(sorted(found.items()))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _files(root: Path, package: str) -> dict[str, Path]:
    files = {}
    for folder, _, names in os.walk(root):
        parts = [package, *Path(folder).relative_to(root).parts]
        for name in names:
            if name.endswith(".py"):
                own = [] if name == "__init__.py" else [name.removesuffix(".py")]
                files[".".join(parts + own)] = Path(folder, name)
    return files


def _absolute(link: str, package: str) -> tuple[str, str]:
    module, _, name = link.partition(":")
    bare = module.lstrip(".")
    if up := len(module) - len(bare):
        parts = package.split(".")
        bare = ".".join([*parts[: max(len(parts) + 1 - up, 0)], *([bare] if bare else [])])
    return bare, name


class _Memo:
    """The `_facts` of files by the digest of their bytes, kept on disk since it takes long to find them.

    Each line has a checksum, in which this module's code and Python's version count too: whatever else stands
    there is ignored.
    """

    def __init__(self) -> None:
        self._key = _digest(Path(__file__).read_bytes() + repr(sys.version_info[:3]).encode())
        self._lines: dict[str, str] = {}
        self._grown = False
        # Whatever may be wrong with it: then all is computed.
        with suppress(Exception):
            path = self._path()  # A pipe would keep its reader waiting.
            read = json.loads(path.read_bytes() if path.is_file() else b"{}").items()
            self._lines = {digest: line for digest, line in read if line == self._line(digest, line[33:])}

    def _path(self) -> Path:
        from asmrisk.numerics.cache_folder import own_folder  # A bare Python can run this module alone.

        folder = own_folder("code-identity")
        if folder is None:
            raise PermissionError
        return folder / f"{self._key}.json"

    def _line(self, digest: str, facts: str) -> str:
        return f"{_digest(f'{self._key} {digest} {facts}'.encode())} {facts}"

    def facts(self, content: bytes) -> list[str]:
        digest = _digest(content)
        line = self._lines.pop(digest, "")
        if not line:
            line = self._line(digest, " ".join(_facts(content)))
            self._grown = True
        # Last used, last forgotten.
        self._lines[digest] = line
        return line.split(" ")[1:]

    def keep(self) -> None:
        if not self._grown:
            return
        # Where nothing can be written, the next process parses anew.
        with suppress(ImportError, OSError):
            from asmrisk.numerics.cache_folder import replace_file  # As above.

            lines = dict(list(self._lines.items())[-_MOST_KEPT:])
            replace_file(self._path(), json.dumps(lines).encode())


def _facts(content: bytes) -> list[str]:
    """Give the digest of what computes in a file, its imports (``module:name``), homes (``name=module``)."""
    source = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return [_digest(content)]
    form = _Form(source)
    code = _digest(ascii(form.of(tree)).encode())
    for statement in tree.body:
        target: Any = getattr(statement, "targets", [getattr(statement, "target", None)])[0]
        table = getattr(statement, "value", None)
        if getattr(target, "id", "") == "_HOMES" and isinstance(table, ast.Dict):
            pairs = zip(table.keys, table.values, strict=True)
            form.links |= {f"{getattr(key, 'value', '')}={getattr(home, 'value', '')}" for key, home in pairs}
    return [code, *sorted(form.links)]


class _Form:
    """Writes syntax trees as nested tuples of names, numbers and texts; notes imports on the way."""

    def __init__(self, source: bytes) -> None:
        self._rows = source.split(b"\n")
        self.links: set[str] = set()

    def of(self, node: Any, in_class: bool = False) -> Any:
        """Give the form of a node, a list of nodes or a field's value."""
        if isinstance(node, list):
            return tuple(self.of(each, in_class) for each in _computing(node))
        if not isinstance(node, ast.AST):
            return node
        kind, without = type(node).__name__, {"ctx"}
        if isinstance(node, ast.Constant):
            return kind, type(node.value).__name__, ascii(node.value)
        if kind in {"JoinedStr", "TemplateStr"}:
            here: Any = node
            *above, last = self._rows[here.lineno - 1 : here.end_lineno]
            return kind, ascii(b"\n".join([*above, last[: here.end_col_offset]])[here.col_offset :])
        if isinstance(node, ast.Import):
            self.links |= {f"{each.name}:" for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            self.links |= {f"{'.' * node.level}{node.module or ''}:{each.name}" for each in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            in_class = False
            without.add("returns")
        elif isinstance(node, ast.ClassDef):
            in_class = True
        elif isinstance(node, ast.arg):
            without.add("annotation")
        elif isinstance(node, ast.AnnAssign) and not in_class:
            # Only in a class does anybody read the annotations of variables.
            if node.value:
                return self.of(ast.Assign([node.target], node.value))
            without.add("annotation")
        names = sorted(set(node._fields) - without)
        fields = ((name, self.of(getattr(node, name, None), in_class)) for name in names)
        return kind, *(field for field in fields if field[1] not in (None, ()))


def _computing(nodes: list[Any]) -> Iterator[Any]:
    """Leave out docstrings (of variables too) and what only type checkers see."""
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str):
            continue
        test = node.test if isinstance(node, ast.If) else None
        if "TYPE_CHECKING" in {getattr(test, "id", ""), getattr(test, "attr", "")}:
            yield from _computing(node.orelse)
        else:
            yield node
