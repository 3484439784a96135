"""Results on disk: what is stored, how it is written, what is finished, where it comes from."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asmrisk.results.completeness import Status, status
    from asmrisk.results.store import open_results
    from asmrisk.results.stored import stored_run

__all__ = ["Status", "open_results", "status", "stored_run"]

_HOMES = {"Status": "completeness", "status": "completeness", "open_results": "store", "stored_run": "stored"}


def __getattr__(name: str) -> Any:
    # What reads results takes its time to import: only who asks for results waits for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
