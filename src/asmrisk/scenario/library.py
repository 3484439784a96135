"""The scenarios and studies that ship with the program: known by name, copied to be edited."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from asmrisk.arguments import PATH, check_arguments
from asmrisk.errors import InputError, RunError, nearest, printable

__all__ = ["beside", "called", "init", "library", "located", "shipped"]


def library() -> Path:
    """Give the folder of scenarios that ship: part of an installed package, beside ``src`` in a checkout."""
    installed = Path(__file__).parents[1] / "scenarios"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "scenarios"


def shipped(path: str | os.PathLike[str], folder: str = "") -> Path | None:
    """Give the file of a scenario that ships and has this name, if nothing else does.

    Parameters
    ----------
    path : str or path-like
        What was given. A name has no ending and names no file or folder that is there: ``baseline``,
        ``readings/ties_to_the_middle``.
    folder : str
        Where in the library it is.
    """
    path = Path(path)
    try:
        named = not (path.suffix or path.is_absolute() or ".." in path.parts or os.path.lexists(path))
        file = library() / folder / path.with_suffix(".toml")
        return file if named and file.is_file() else None
    except (OSError, ValueError):  # No name at all, a name too long, a NUL character.
        return None


def located(path: str | os.PathLike[str], folder: str = "") -> Path:
    """Give the file that a path, with or without ending, or the name of a scenario that ships stands for.

    Raises
    ------
    InputError
        If it has no ending, is not there, and nothing that ships has this name.
    """
    path = Path(path)
    if path.suffix or not path.name or "\0" in str(path) or os.path.lexists(path):
        return path
    own = path.with_suffix(".toml")
    file = own if os.path.lexists(own) else shipped(path, folder)
    if file is None:
        names = [str(each.relative_to(library() / folder).with_suffix("")) for each in _files(folder)]
        text = "is no file that is there, nor the name of one that ships with asmrisk"
        allowed = f"a file, which ends in .toml, or a name such as {names[0]}"
        raise InputError(text, where=str(path), allowed=allowed, nearest=nearest(str(path), names))
    return file


def called(file: Path) -> str:
    """Give what a file may be called without naming a folder of this machine: by its name, if it ships."""
    if not file.is_absolute():
        return file.as_posix()
    if file.is_relative_to(library()):
        return file.relative_to(library()).with_suffix("").as_posix()
    return file.name


def beside(folder: Path, given: str) -> Path:
    """Give the scenario file that a file in a folder names, with or without ending, or one that ships."""
    path = folder / given
    if path.suffix:
        return path
    file = path.with_suffix(".toml") if path.name else path
    try:
        return file if file.exists() else shipped(given) or file
    except (OSError, ValueError):  # A name too long, a NUL character.
        return file


def _files(folder: str) -> list[Path]:
    """List what ships, the studies apart from scenarios."""
    found = sorted((library() / folder).rglob("*.toml"))
    return found if folder else [each for each in found if each.parent.name != "studies"]


def init(folder: str | os.PathLike[str]) -> list[Path]:
    """Copy the scenarios, studies and tables that ship, and the script for SLURM, to be edited.

    Parameters
    ----------
    folder : str or path-like
        Where to; made if it is not there, otherwise it must be empty.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    InputError
        If there is a file of this name, or a folder with something in it, or the folder cannot be made;
        nothing is written then.
    RunError
        If it cannot be filled, as on a full disk; what was written is removed.

    Examples
    --------
    >>> import asmrisk
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     "baseline.toml" in [each.name for each in asmrisk.init(folder)]
    True
    """
    check_arguments(folder=(PATH, folder))
    target, source = Path(folder), library()
    problem = ""
    try:
        if not os.fspath(folder) or "://" in os.fspath(folder):
            problem = "is the name of no folder; name a new one"
        elif target.is_dir() and any(target.iterdir()):
            problem = "is not empty; name a new folder"
        elif os.path.lexists(target) and not target.is_dir():
            problem = "is no folder; name a new one"
        else:
            target.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name.
        problem = f"cannot be made: {getattr(error, 'strerror', None) or error}"
    if problem:
        raise InputError(problem, argument="folder", where=printable(os.fspath(folder)))
    files = [each for each in sorted(source.rglob("*")) if each.suffix in (".toml", ".csv", ".sh")]
    copies = [target / each.relative_to(source) for each in files]
    try:
        for each, copy in zip(files, copies, strict=True):
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(each, copy)
    except OSError as error:
        for copy in copies:
            copy.unlink(missing_ok=True)
        raise RunError(f"{target}: cannot be filled: {error.strerror or error}") from None
    return copies
