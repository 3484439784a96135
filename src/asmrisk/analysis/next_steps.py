"""How the summary of a run ends: the largest doubt, and what to do next."""

from __future__ import annotations

from pathlib import Path

from asmrisk.analysis.headline import PHRASES
from asmrisk.analysis.report import Section
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.shares import GROUPS
from asmrisk.analysis.variance import Variance, share_cell
from asmrisk.errors import Call
from asmrisk.scenario.library import library, located
from asmrisk.scenario.scenario import load_scenario

__all__ = ["next_steps"]

#: Names of what ships: the final rule, and a reform of it.
_BASELINE, _REFORM = "baseline", "budget_neutral"


def next_steps(run: RunResults, found: Variance | None) -> Section:
    """Say which doubt is the largest, how much of the variance comes from it, and which calls lead on.

    Parameters
    ----------
    run : RunResults
        Complete, with its store.
    found : Variance or None
        What the variance of ``medicare_savings`` comes from; None if nothing is unknown.

    Returns
    -------
    Section
        Of a run of the final rule the comparison is that of a reform with it, of any other run that of this
        run with the final rule.
    """
    lines: list[tuple[str | Call, ...]] = []
    groups = found.by_group("medicare_savings") if found else {}
    resolved = [each for name, each in groups.items() if name in GROUPS and each["low"] > 0.0]
    if resolved:
        largest = max(resolved, key=lambda each: each["share"])
        name = PHRASES.get(largest["group"], largest["group"])
        said = f"Largest doubt: {name}, {share_cell(largest)}% of the variance of Medicare savings. More: "
        lines.append((said, Call("doubt", run.source)))
    lines.append(("A page to forward: ", Call("report", run.source, {"out": "report.html"})))
    if _is_final_rule(run):
        lines.append(("What a reform changes: ", Call("compare", run.source, further=(_REFORM,))))
    else:
        against = Call("compare", _BASELINE, further=(run.source,))
        lines.append(("What differs from the final rule, which is run first unless it has been: ", against))
    return Section(notes=tuple(lines))


def _is_final_rule(run: RunResults) -> bool:
    """Whether the run is of the baseline that ships, with its doubts or at their medians."""
    # The rest takes a third of a second.
    if Path(run.provenance.get("file", "")).stem != _BASELINE:
        return False
    baseline = load_scenario(located(library() / _BASELINE))
    return run.provenance["scenario"]["identity"] in (
        baseline.identity(),
        baseline.fixed_at_medians().identity(),
    )
