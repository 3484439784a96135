"""From draws to decisions: estimates with errors, and what they add up to."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asmrisk.analysis.clinician_risk import clinicians
    from asmrisk.analysis.metrics import METRICS, Metric, metric_draws
    from asmrisk.analysis.summary import Summary, summarize

__all__ = ["METRICS", "Metric", "Summary", "clinicians", "metric_draws", "summarize"]

_HOMES = {
    "METRICS": "metrics",
    "Metric": "metrics",
    "Summary": "summary",
    "clinicians": "clinician_risk",
    "metric_draws": "metrics",
    "summarize": "summary",
}


def __getattr__(name: str) -> Any:
    # SciPy and xarray take their time to import: only who asks for estimates waits for them.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
