"""How the summary of a run ends: the largest doubt, and what to do next."""

from __future__ import annotations

from pathlib import Path

from asmrisk.analysis.headline import PHRASES
from asmrisk.analysis.report import Section
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.shares import GROUPS
from asmrisk.analysis.variance import Variance, share_cell
from asmrisk.errors import Call

__all__ = ["next_steps"]

#: Scenarios that ship: the final rule, and a reform of it.
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
    file = run.provenance.get("file", "")
    if Path(file).stem == _BASELINE and not run.provenance.get("overrides"):
        lines.append(("What a reform changes: ", Call("compare", run.source, further=(_REFORM,))))
    else:
        against = Call("compare", _BASELINE, further=(run.source,))
        lines.append(("What differs from the final rule: ", against))
    return Section(notes=tuple(lines))
