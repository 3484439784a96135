"""What a shell completes beside commands and options: names of scenarios, metrics and topics, and stores.

A shell waits for each: no function imports more than it needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    import click

    Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

__all__ = ["completes", "labels", "metrics", "scenarios", "stores", "studies", "topics"]


def completes(*lists: Callable[[str], Iterable[str]], several: bool = False, ending: str = "") -> Complete:
    """Make what click asks for the completions of an argument or option.

    Parameters
    ----------
    *lists : callable
        Each takes what is typed so far, and gives names.
    several : bool
        Names are typed with commas between them.
    ending : str
        Files with this ending, and folders, may stand there too. Where no name begins as is typed, the shell
        completes files of any name.
    """

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
        before, comma, word = typed.rpartition(",") if several else ("", "", typed)
        names = [each for some in lists for each in some(word) if each.startswith(word)]
        if not names and ending:
            return [CompletionItem(typed, type="file")]
        found = dict.fromkeys([*names, *(_files(word, ending) if ending else ())])
        return [CompletionItem(f"{before}{comma}{each}") for each in found]

    return complete


def scenarios(_: str) -> list[str]:
    """Name the scenarios that ship."""
    return [each for each in _library("") if not each.startswith("studies/")]


def studies(_: str) -> list[str]:
    """Name the studies that ship."""
    return _library("studies")


def metrics(_: str) -> Iterable[str]:
    """Name the metrics."""
    from asmrisk.analysis.metrics import METRICS

    return METRICS


def labels(_: str) -> Iterable[str]:
    """Name the labels that results are told apart by."""
    from asmrisk.analysis.metrics import BY_NAMES

    return BY_NAMES


def topics(_: str) -> Iterable[str]:
    """Name the pages of the handbook."""
    from asmrisk.handbook import TOPICS

    return TOPICS


def stores(typed: str) -> list[str]:
    """Name the stores of the folder that is typed, or of this one and of ``results``."""
    folder = os.path.split(typed)[0]
    found = [each for place in (folder, "" if folder else "results") for each in _entries(place)]
    return [path for path, is_folder in dict.fromkeys(found) if is_folder and path.endswith(".zarr")]


def _library(folder: str) -> list[str]:
    from asmrisk.scenario.library import library

    root = library() / folder
    return sorted(each.relative_to(root).with_suffix("").as_posix() for each in root.rglob("*.toml"))


def _files(typed: str, ending: str) -> list[str]:
    """Name the files of an ending, and folders, that begin as is typed."""
    found = [each for each in _entries(os.path.split(typed)[0]) if each[0].startswith(typed)]
    folders = (f"{path}/" for path, is_folder in found if is_folder and not path.endswith(".zarr"))
    return [*(path for path, is_folder in found if not is_folder and path.endswith(ending)), *folders]


def _entries(folder: str) -> list[tuple[str, bool]]:
    """Name what is in a folder, and say whether it is a folder too; nothing of one that cannot be read."""
    try:
        with os.scandir(folder or ".") as entries:
            return sorted(
                (os.path.join(folder, each.name), each.is_dir())  # noqa: PTH118 - as it was typed.
                for each in entries
                if not each.name.startswith(".")
            )
    except OSError:
        return []
