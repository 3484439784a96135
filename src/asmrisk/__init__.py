"""Monte Carlo risk simulator for CMS's Ambulatory Specialty Model (42 CFR part 512 subpart G).

| to | there are |
|---|---|
| say what is simulated | Scenario, load_scenario, policy, validate, check, init |
| simulate it | run, run_to_precision, plan, sensitivity, warmup |
| look at results | summarize, compare, decompose, exceedance, convergence, doubt, budget, evidence |
| take results elsewhere | open_results, export, status |
| see them | plot, report |
| look at single clinicians | clinicians, exposure, board, levers, explain, score, replay, template |
| read on | docs |

>>> import asmrisk
>>> store = asmrisk.run({"policy.redistribution_share": 1.0}, draws=100)  # doctest: +SKIP
>>> asmrisk.summarize(store)  # doctest: +SKIP

What cannot be used raises InputError, what fails while working RunError. Most functions are also commands,
``asmrisk NAME``.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # As `typing` has it, without its import: signals are heeded only after this module's.
if TYPE_CHECKING:
    from typing import Any

    from asmrisk import plot
    from asmrisk.analysis.budget import budget
    from asmrisk.analysis.check import check
    from asmrisk.analysis.clinician_risk import clinicians
    from asmrisk.analysis.comparison import compare
    from asmrisk.analysis.convergence import convergence
    from asmrisk.analysis.decomposition import decompose
    from asmrisk.analysis.doubt_report import doubt
    from asmrisk.analysis.evidence import evidence
    from asmrisk.analysis.exceedance import exceedance
    from asmrisk.analysis.export import export
    from asmrisk.analysis.plan import plan
    from asmrisk.analysis.precision import run_to_precision
    from asmrisk.analysis.rerun import replay
    from asmrisk.analysis.run import run
    from asmrisk.analysis.scoring import score
    from asmrisk.analysis.summary import summarize
    from asmrisk.clinician_tables.template import template
    from asmrisk.errors import InputError, RunError
    from asmrisk.exposures.explain import explain
    from asmrisk.exposures.exposure import exposure
    from asmrisk.exposures.levers import levers
    from asmrisk.handbook import docs
    from asmrisk.pages.board import board
    from asmrisk.pages.report import report
    from asmrisk.population.preparation import validate
    from asmrisk.results.reading import open_results
    from asmrisk.results.status import status
    from asmrisk.scenario.library import init
    from asmrisk.scenario.listing import policy
    from asmrisk.scenario.scenario import Scenario, load_scenario
    from asmrisk.simulation.compilation import warmup
    from asmrisk.studies.run import sensitivity

    __version__: str

__all__ = [
    "InputError",
    "RunError",
    "Scenario",
    "__version__",
    "board",
    "budget",
    "check",
    "clinicians",
    "compare",
    "convergence",
    "decompose",
    "docs",
    "doubt",
    "evidence",
    "exceedance",
    "explain",
    "export",
    "exposure",
    "init",
    "levers",
    "load_scenario",
    "open_results",
    "plan",
    "plot",
    "policy",
    "replay",
    "report",
    "run",
    "run_to_precision",
    "score",
    "sensitivity",
    "status",
    "summarize",
    "template",
    "validate",
    "warmup",
]

_HOMES = {
    "InputError": "errors",
    "RunError": "errors",
    "Scenario": "scenario.scenario",
    "board": "pages.board",
    "budget": "analysis.budget",
    "check": "analysis.check",
    "clinicians": "analysis.clinician_risk",
    "compare": "analysis.comparison",
    "convergence": "analysis.convergence",
    "decompose": "analysis.decomposition",
    "docs": "handbook",
    "doubt": "analysis.doubt_report",
    "evidence": "analysis.evidence",
    "exceedance": "analysis.exceedance",
    "explain": "exposures.explain",
    "export": "analysis.export",
    "exposure": "exposures.exposure",
    "init": "scenario.library",
    "levers": "exposures.levers",
    "load_scenario": "scenario.scenario",
    "open_results": "results.reading",
    "plan": "analysis.plan",
    "policy": "scenario.listing",
    "replay": "analysis.rerun",
    "report": "pages.report",
    "run": "analysis.run",
    "run_to_precision": "analysis.precision",
    "score": "analysis.scoring",
    "sensitivity": "studies.run",
    "status": "results.status",
    "summarize": "analysis.summary",
    "template": "clinician_tables.template",
    "validate": "population.preparation",
    "warmup": "simulation.compilation",
}


def __getattr__(name: str) -> Any:
    # Imported when first used: a command waits only for what it needs.
    if name == "__version__":
        from importlib.metadata import version  # A fifth of what `asmrisk --help` would wait for.

        value: Any = version("asmrisk")
    elif name == "plot":
        value = import_module("asmrisk.plot")
    elif name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
