"""Sensitivity studies: a scenario simulated again and again with some of its parameters varied.

A study is a TOML file: a base scenario, what to vary and over which values (`factors`), by which plan
(`designs`), and which metrics to look at (`outcomes`). Every design point is a scenario of its own; all
points share their draws.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asmrisk.study.definition import Study, load_study
    from asmrisk.study.running import sensitivity

__all__ = ["Study", "load_study", "sensitivity"]

_HOMES = {"Study": "definition", "load_study": "definition", "sensitivity": "running"}


def __getattr__(name: str) -> Any:
    # A command waits only for what it needs.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
