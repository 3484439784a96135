"""From draws to decisions: estimates with errors, and what they add up to."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asmrisk.analysis.clinician_risk import clinicians
    from asmrisk.analysis.comparison import compare
    from asmrisk.analysis.comparison_report import Comparison
    from asmrisk.analysis.convergence_table import Convergence, convergence
    from asmrisk.analysis.exceedance_curve import exceedance
    from asmrisk.analysis.exceedance_report import ExceedanceCurves, exceedance_curves
    from asmrisk.analysis.metrics import METRICS, Metric, metric_draws
    from asmrisk.analysis.outcomes import StratifiedWarning
    from asmrisk.analysis.precision import Precision, run_to_precision
    from asmrisk.analysis.summary import Summary, summarize
    from asmrisk.analysis.tail import FewDrawsWarning

__all__ = [
    "METRICS",
    "Comparison",
    "Convergence",
    "ExceedanceCurves",
    "FewDrawsWarning",
    "Metric",
    "Precision",
    "StratifiedWarning",
    "Summary",
    "clinicians",
    "compare",
    "convergence",
    "exceedance",
    "exceedance_curves",
    "metric_draws",
    "run_to_precision",
    "summarize",
]

_HOMES = {
    "METRICS": "metrics",
    "Comparison": "comparison_report",
    "Convergence": "convergence_table",
    "ExceedanceCurves": "exceedance_report",
    "FewDrawsWarning": "tail",
    "StratifiedWarning": "outcomes",
    "Metric": "metrics",
    "Precision": "precision",
    "Summary": "summary",
    "clinicians": "clinician_risk",
    "compare": "comparison",
    "convergence": "convergence_table",
    "exceedance": "exceedance_curve",
    "exceedance_curves": "exceedance_report",
    "metric_draws": "metrics",
    "run_to_precision": "precision",
    "summarize": "summary",
}


def __getattr__(name: str) -> Any:
    # SciPy and xarray take their time to import: only who asks for estimates waits for them.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
