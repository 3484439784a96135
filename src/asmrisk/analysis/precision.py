"""Enough draws: run until standard errors are as small as asked for.

The errors are looked at only at draw counts fixed in advance, `checkpoints`, and from the first draws on. So
the number of draws at which a run ends depends on the scenario, seed, targets and cap alone: not on workers,
block size, interruptions, or on draws that the store already held.

Where a scenario has unknowns, the error that is meant is the one given the assumptions: that of a mean over
chance with the parameter sets as they are. The total error, which doubt about parameters is part of, is asked
for by name.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np

from asmrisk.analysis.digits import number
from asmrisk.analysis.doubt import mean_given_assumptions
from asmrisk.analysis.estimates import mean
from asmrisk.analysis.metrics import LEVELS_OF_ROSTER, check_metric
from asmrisk.analysis.run import RunOptions, run
from asmrisk.analysis.run_results import RunResults
from asmrisk.arguments import COUNT, FLAG, Allowed, check_arguments, optional
from asmrisk.errors import InputError, Problem
from asmrisk.results.place import Place
from asmrisk.results.reading import open_results
from asmrisk.scenario.scenario import ScenarioLike, given_scenario

__all__ = [
    "CAP",
    "FIRST",
    "Precision",
    "Target",
    "check_targets",
    "checkpoints",
    "run_to_precision",
]

#: Draws at the first checkpoint: enough for a standard error that is itself known to a sixteenth or so.
FIRST = 128

#: Most draws that are simulated if no other cap is stated.
CAP = 100_000

_CAP = Allowed(
    "a whole number of at least 2, as a cap (one draw has no error)",
    lambda value: COUNT.holds(value) and value > 1,
)


@dataclass(frozen=True)
class Target:
    """A standard error that is asked for, of a metric's mean over draws, over all years and groups."""

    metric: str
    error: float  #: the largest that will do: in the metric's unit, or as a part of the mean's size
    relative: bool  #: `error` is a part of the mean's size

    def __str__(self) -> str:
        return f"{self.metric}={100 * self.error:g}%" if self.relative else f"{self.metric}={self.error:.12g}"


@dataclass(frozen=True)
class Precision:
    """How a run to a precision ended.

    Attributes
    ----------
    path : pathlib.Path or str
        The store.
    draws : int
        Draws at which all targets were met, or the cap. The store holds more if it did before.
    met : bool
        Whether all targets were met.
    reached : dict of str to tuple
        By metric: the standard error at `draws`, and the largest that would do.
    which : str
        What the error is called: ``standard error`` where nothing is unknown, else with the words that say
        whether it is the one given the assumptions or the total.
    """

    path: Place
    draws: int
    met: bool
    reached: dict[str, tuple[float, float]]
    which: str = "standard error"

    def __str__(self) -> str:
        parts = [
            f"{name}: {self.which} {_number(error)}, "
            f"{'within' if error <= allowed else 'not within'} {_number(allowed)}"
            for name, (error, allowed) in self.reached.items()
        ]
        return f"{self.draws:,} draws; {'; '.join(parts)}"

    def shortfall(self) -> str:
        """Say what is missing, and about how many draws would do; empty if all targets were met."""
        if self.met:
            return ""
        factor = max(error / allowed if allowed else math.inf for error, allowed in self.reached.values())
        more = "no number of draws is enough"
        if math.isfinite(factor):
            # The error falls with the square root of the draws; a little more for chance.
            more = f"about {math.ceil(1.1 * self.draws * factor**2):,} draws are needed: allow so many"
        return f"the cap is reached before the precision asked for: {self}; {more}"


def check_targets(targets: Mapping[str, float | str] | Sequence[str]) -> tuple[Target, ...]:
    """Read what is asked for; InputError says all that is wrong.

    Parameters
    ----------
    targets : mapping, or sequence of str
        Largest standard errors by metric, or texts ``metric=error``: a positive number in the metric's unit,
        or with a percent sign a part of the mean's size (``"1%"``).

    Examples
    --------
    >>> [str(each) for each in check_targets(["medicare_savings=250000", "penalized_share=0.1%"])]
    ['medicare_savings=250000', 'penalized_share=0.1%']
    """
    problems: list[Problem] = []

    def refuse(text: str, allowed: str = "") -> None:
        problems.append(Problem(text, argument="target_se", allowed=allowed))

    found: dict[str, Target] = {}
    pairs: list[tuple[str, Any]] = []
    if isinstance(targets, Mapping):
        pairs = list(targets.items())
    else:
        texts = [targets] if isinstance(targets, str) else targets
        if not isinstance(texts, Iterable) or not all(isinstance(each, str) for each in texts):
            text = f"must be a dict of errors by metric, or texts METRIC=ERROR, not {targets!r}"
            raise InputError(text, argument="target_se")
        for text in texts:
            name, sign, value = text.partition("=")
            if sign:
                pairs.append((name.strip(), value.strip()))
            else:
                refuse(
                    f"{text!r} is not understood; write METRIC=ERROR, for example medicare_savings=250000 or "
                    "medicare_savings=1%."
                )
    for name, value in pairs:
        try:
            metric = check_metric(name)
        except InputError as error:
            problems += [replace(each, argument="target_se") for each in error.problems]
            continue
        if metric.of in ("practice", "clinician"):
            refuse(f"{name} has a number for {LEVELS_OF_ROSTER[metric.of]}; roster_{metric.outcome} has one.")
            continue
        relative = isinstance(value, str) and value.endswith("%")
        try:
            size = float(value.removesuffix("%").replace("_", "") if isinstance(value, str) else value)
        except (TypeError, ValueError):
            size = math.nan
        if isinstance(value, bool) or not 0.0 < size < math.inf:
            refuse(
                f"{name}={value} is not allowed",
                "positive numbers in the metric's unit, or of percent of the mean (1%)",
            )
        elif name in found:
            refuse(f"{name} is given twice; give it once.")
        else:
            found[name] = Target(name, size / 100.0 if relative else size, relative)
    if not problems and not found:
        refuse("nothing is asked for; write METRIC=ERROR.")
    if problems:
        raise InputError(problems)
    return tuple(found.values())


def checkpoints(cap: int, per_set: int = 1) -> list[int]:
    """Give the draw counts at which errors are looked at: `FIRST` and on by factors of √2, then the cap.

    With `per_set` draws a parameter set they are the next multiples of it, and the last one up to the cap.

    >>> checkpoints(1000)
    [128, 181, 256, 362, 512, 724, 1000]
    >>> checkpoints(300, per_set=8)
    [128, 184, 256, 296]
    """
    last = cap - cap % per_set or cap
    counts = []
    step = 0
    while (count := -(-math.isqrt(FIRST**2 << step) // per_set) * per_set) < last:
        counts.append(count)
        step += 1
    return [*dict.fromkeys(counts), last]


def run_to_precision(
    scenario: ScenarioLike,
    target_se: Mapping[str, float | str] | Sequence[str],
    *,
    draws: int | None = None,
    total: bool = False,
    **options: Unpack[RunOptions],
) -> Precision:
    """Simulate a scenario with as many draws as the standard errors asked for need.

    Parameters
    ----------
    scenario : Scenario, path or dict
        What to simulate, as for `asmrisk.run`.
    target_se : mapping or sequence of str
        See `check_targets`: ``{"medicare_savings": 250_000}``, ``["penalized_share=0.1%"]``. All must be met.
    draws : int, optional
        The cap: no more are simulated. `CAP` if not given; the scenario's ``run.draws`` has no effect.
    total : bool
        The errors are total ones, which doubt about parameters is part of, instead of those given the
        assumptions, which chance alone makes (`asmrisk.analysis.doubt.mean_given_assumptions`). Where nothing
        is unknown there is no difference; with one draw per parameter set the two cannot be told apart, and
        errors are total.
    **options
        Seed, place, workers, progress and so on: as of `asmrisk.run`.

    Returns
    -------
    Precision
        Whether the targets were met, and where the results are. They are complete in either case.

    Raises
    ------
    InputError
        If a target, an argument, the scenario or the place cannot be used; nothing is written.
    RunError
        If a block fails, or the disk is full; finished blocks are kept.

    Notes
    -----
    Stopping when an error estimated from the same draws is small makes it a little too small on average: by a
    few percent, with 128 draws at least.
    """
    targets = check_targets(target_se)
    check_arguments(draws=(optional(_CAP), draws), total=(FLAG, total))
    quiet, stream = options.get("quiet", False), options.get("stream")
    shown = sys.stderr if stream is None else stream
    scenario = given_scenario(scenario, "scenario")
    # What is stored is used as it is: only counts that it does not hold yet are simulated.
    path: Place | None = None
    held = 0
    cap = CAP if draws is None else int(draws)
    for count in checkpoints(cap, 1 if options.get("fixed") else scenario.draws_per_set):
        if path is None or held < count:
            path = run(scenario, draws=count, most_draws=cap, **options)
            dataset = open_results(path, chunked=False)
            held = dataset.sizes["draw"]
        results = RunResults(dataset, str(path), "", json.loads(dataset.attrs["provenance"])).at(slice(count))
        reached = {each.metric: _error(results, each, total) for each in targets}
        met = all(error <= allowed for error, allowed in reached.values())
        result = Precision(path, count, met, reached, _which(results, total))
        if shown is not None and not quiet:  # Standard error may be closed.
            shown.write(f"{result}\n")
            shown.flush()
        if met:
            break
    return result


def _number(error: float) -> str:
    """Write a standard error to three digits."""
    return number(error, error / 10.0) if math.isfinite(error) else "n/a"


def _which(results: RunResults, total: bool) -> str:
    """Name the error that is looked at."""
    if not results.unknowns:
        return "standard error"
    if results.draws_per_set == 1:
        return "total standard error (one draw per parameter set: no other is known)"
    return "total standard error" if total else "standard error given the assumptions"


def _error(results: RunResults, target: Target, total: bool) -> tuple[float, float]:
    """Give the standard error of a metric's mean, and the largest that would do."""
    draws, sets = results.draws(target.metric).values, results.sets
    found = mean(draws, sets) if total or sets is None else mean_given_assumptions(draws, sets)
    errors = np.atleast_1d(found.error)
    allowed = np.full(errors.shape, target.error)
    if target.relative:
        allowed = target.error * np.abs(np.atleast_1d(found.value))
    # Of a metric with several quantiles the one furthest from its target decides; no error is no answer.
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = np.where(errors == 0.0, 0.0, errors / allowed)
    worst = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
    error = float(errors[worst])
    return (math.inf if math.isnan(error) else error), float(allowed[worst])
