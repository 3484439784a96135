"""The findings of a study as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asmrisk.analysis.digits import number, with_error
from asmrisk.studies.verdicts import ZERO

if TYPE_CHECKING:
    from asmrisk.studies.report import Finding, Sensitivity

__all__ = ["write"]

#: How dollars and fractions are shown.
_UNITS = {"fraction": (100.0, ", %"), "points": (1.0, ", points"), "factor": (1.0, ""), "count": (1.0, "")}

_METHODS = {
    "one_at_a_time": "one at a time",
    "grid": "full grid",
    "fractional": "fraction of a grid",
    "latin_hypercube": "Latin hypercube",
    "sobol": "Sobol indices",
    "morris": "Morris screening",
}
_SHARES = ("first", "total")
_HEADS = {
    "difference": "difference from the base",
    "main_effect": "effect against the first value",
    "coefficient": "SDs of it per SD",
    "first": "first, %",
    "total": "total, %",
    "mu_star": "mean size",
    "mu": "mean effect",
    "sigma": "SD over the design",
}


def write(found: Sensitivity) -> str:
    """Write what a study found.

    Parameters
    ----------
    found : Sensitivity
        The analysis.

    Returns
    -------
    str
        For each outcome a table, the most important parameter first.
    """
    lines = [
        f"{found.title}: {_METHODS[found.method]}, {found.points:,} design points of {found.draws:,} draws, "
        f"seed {found.seed}",
        "Estimate ± standard error. Verdicts are by 95% intervals, each for itself: of twenty that are truly",
        "zero, one may seem not to be.",
    ]
    for outcome in dict.fromkeys(each.outcome for each in found.findings):
        some = [each for each in found.findings if each.outcome == outcome]
        lines += ["", *_outcome(found, outcome, some)]
    lines += ["", *found.remarks] if found.remarks else []
    if found.source:
        lines += ["", f"Results: {found.source}"]
    return "\n".join(lines)


def _outcome(found: Sensitivity, outcome: str, findings: Sequence[Finding]) -> list[str]:
    base = found.dataset.sel(outcome=outcome).isel(design_point=0)
    center, error = float(base["mean"]), float(base["mean_error"])
    scale, units = _scale(findings[0].units, abs(center))
    lines = [f"{outcome}{units}: {with_error(center * scale, error * scale)} in the base scenario"]
    lines += _noise(found, outcome)
    kinds = list(dict.fromkeys(each.statistic for each in findings))
    shares = [kind for kind in kinds if kind in _SHARES]
    sizes = [kind for kind in kinds if kind in ("mu_star", "mu", "sigma")]
    rest = [kind for kind in kinds if kind not in (*shares, *sizes)]
    for group in (shares, sizes, *([kind] for kind in rest)):
        if group:
            some = [each for each in findings if each.statistic in group]
            lines += _table(some, group, {"first": 100.0, "total": 100.0, "coefficient": 1.0}, scale)
    return lines


def _noise(found: Sensitivity, outcome: str) -> list[str]:
    """Say how much of what the points differ by is noise, and what a regression explains."""
    if "variance" not in found.dataset:
        return []
    here = found.dataset.sel(outcome=outcome)
    variance, noise = float(here["variance"]), float(here["noise_variance"])
    whole = variance + noise
    if not whole > 0.0:
        return ["The same at every design point."]
    if not found.dataset["variance_low"].sel(outcome=outcome) > 0.0:
        return [
            "No variance between design points beyond the Monte Carlo noise: nothing can be told from it."
        ]
    share = min(max(noise / whole, 0.0), 1.0)
    lines = [
        f"Monte Carlo noise made {_percent(share)} of the variance between design points; it is taken out."
    ]
    if "explained" in here and not math.isnan(float(here["explained"])):
        explained, error = float(here["explained"]), float(here["explained_error"])
        lines.append(f"The linear model explains {with_error(100 * explained, 100 * error)}% of the rest.")
    return lines


def _percent(share: float) -> str:
    return "less than 0.1%" if share < 0.001 else f"{100 * share:.1f}%" if share < 0.1 else f"{share:.0%}"


def _table(
    findings: Sequence[Finding], kinds: Sequence[str], fixed: dict[str, float], scale: float
) -> list[str]:
    keys = list(dict.fromkeys((each.parameter, each.value) for each in findings))
    cells = {(each.parameter, each.value, each.statistic): each for each in findings}
    labels = [f"{name} = {value}" if value else name for name, value in keys]
    columns = []
    for kind in kinds:
        column = [_cell(cells[*key, kind], fixed.get(kind, scale)) for key in keys]
        head = _HEADS[kind]
        width = max(len(head), *map(len, column))
        columns.append([each.rjust(width) for each in (head, *column)])
    # Of several statistics the last is the widest claim, the first of Morris's.
    judged = "total" if "total" in kinds else kinds[0]
    # What follows a semicolon stands in the columns already.
    verdicts = ["", *(cells[*key, judged].verdict.partition(";")[0] for key in keys)]
    margin = max(map(len, labels))
    rows = zip(["", *labels], *columns, verdicts, strict=True)
    return ["  ".join([label.ljust(margin), *rest]).rstrip() for label, *rest in rows]


def _cell(finding: Finding, scale: float) -> str:
    if finding.statistic in (*_SHARES, "mu_star", "sigma") and finding.verdict.startswith(ZERO):
        # A small or negative number would be taken for a finding.
        high = min(finding.high, 1.0) if finding.statistic in _SHARES else finding.high
        return f"at most {_rounded_up(high * scale)}"
    if math.isnan(finding.estimate):
        return "n/a"
    return with_error(finding.estimate * scale, finding.error * scale)


def _rounded_up(value: float) -> str:
    """Write a bound with two digits, and at most two places."""
    places = min(2, 1 - math.floor(math.log10(value))) if value > 0.0 else 0
    step = 10.0**-places
    return number(max(math.ceil(value / step - 1e-9), 1) * step, step * 10.0)


def _scale(units: str, largest: float) -> tuple[float, str]:
    if units == "USD":
        return (1e-6, ", $ million") if largest >= 1e5 else (1.0, ", $")
    return _UNITS.get(units, (1.0, ""))
