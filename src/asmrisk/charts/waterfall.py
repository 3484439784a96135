"""From what payments are adjusted by to what Medicare saves, as a waterfall of dollars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.estimates import is_tied
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS, MEAN, Draws, estimates
from asmrisk.charts.chart import Axis, Bars, Chart, Panel, Reference, Word
from asmrisk.charts.words import amount_words, population_words, source_line, without_errors
from asmrisk.errors import Call, InputError, Problem

__all__ = ["waterfall_chart"]

_MILLION = 1e-6
#: Year in whose dollars episode savings are.
_EPISODE_DOLLARS = 2025
_RISK = "policy.risk_level"
_HELD = "Held back"
_UNIT = "$ million"
#: The part of a panel's width that a character of these words takes, with ``m`` for `` million``.
_CHARACTER = 0.024
#: What does not add up is named from this part of the largest amount on.
_ROUNDING = 1e-9

_Array = NDArray[np.float64]


class _Step(NamedTuple):
    name: str
    draws: _Array  #: of all years together
    total: bool = False  #: a bar from zero, and no step


def waterfall_chart(run: RunResults) -> Chart:
    """Show how payments held back and paid out again, services and episodes add up to Medicare savings.

    Parameters
    ----------
    run : RunResults
        Of one run, with its provenance.

    Returns
    -------
    Chart
        A bar for each step, in dollars of the one year in which Medicare savings are stated. What steps and
        savings differ by, if anything, is a step of its own.

    Raises
    ------
    InputError
        If the results lack a step, or do not say what converts dollars of other years.
    """
    steps = _steps(run)
    means, errors = (
        part * _MILLION
        for part in estimates((MEAN,), Draws(np.stack([each.draws for each in steps], axis=1), sets=run.sets))
    )
    starts = _starts(steps, means)
    ends = [start + mean for start, mean in zip(starts, means.tolist(), strict=True)]
    words = {
        step.name: amount_words(mean, error, _UNIT, signed=not step.total)
        for step, mean, error in zip(steps, means, errors, strict=True)
    }
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = 0.015 * (high - low)
    # The part of the width that the longest words behind a bar take.
    part = _CHARACTER * max(map(len, words.values()))
    least, most = low - 2.0 * room * (low < 0.0), high + part / (1.0 - part) * (high - low)
    by_name = dict(zip(words, zip(means.tolist(), errors.tolist(), strict=True), strict=True))
    saved, episodes = (
        _said(*by_name[name], run.set_count, *verbs)
        for name, verbs in (
            ("Medicare savings", ("Medicare saves", "Medicare loses")),
            ("Episode savings", ("cheaper episodes make", "dearer episodes cost")),
        )
    )
    if saved is None:
        headline = f"No difference found in Medicare savings; {episodes or 'nor in episodes'}"
    else:
        headline = f"{saved}; {episodes or 'no difference found in episodes'}"
    held = "Held back is the risk level of all adjusted payments; adjustments return some of it by score."
    if _HELD not in words:
        why = "is drawn" if _is_drawn(run) else "is not stated in these results"
        held = f"The risk level {why}, so what is held back and paid out is not told apart."
    notes = [held, f"Means over draws of {HOLDS[run.holds]}."]
    kinds = ["total" if each.total else "step" for each in steps]
    return Chart(
        name="waterfall",
        headline=without_errors(run) + headline,
        subtitle=(
            f"From payments to Medicare savings, $ million of {run.dollar_year}, {population_words(run)}"
        ),
        alternative="A waterfall. " + "; ".join(f"{name}: {said}" for name, said in words.items()) + ".",
        source=source_line(run),
        data=pd.DataFrame(
            {
                "step": list(words),
                "kind": kinds,
                "mean, $ million": means,
                "standard error, $ million": errors,
                "from, $ million": starts,
                "to, $ million": ends,
            }
        ),
        panels=[
            Panel(
                [
                    Bars(
                        np.array(ends),
                        np.array(starts),
                        tones=tuple(
                            "neutral" if step.total else "first" if mean >= 0.0 else "second"
                            for step, mean in zip(steps, means, strict=True)
                        ),
                    ),
                    *(
                        Word(max(start, end) + room, place, each.removesuffix(" million") + "m")
                        for place, (start, end, each) in enumerate(
                            zip(starts, ends, words.values(), strict=True)
                        )
                    ),
                    Reference(0.0),
                ],
                x=Axis(prefix="$", suffix="m", limits=(least, most)),
                y=Axis(names=tuple(words)),
                height=45.0 * len(steps) + 40.0,
            )
        ],
        notes=tuple(notes),
    )


def _steps(run: RunResults) -> list[_Step]:
    """Give the steps, each in dollars of the stated year, all years together."""
    prices, then = run.prices(), run.prices([_EPISODE_DOLLARS])
    if prices is None or then is None:
        text = "these results do not say what converts dollars of one year into those of another; give what "
        raise InputError(Problem((text, Call("run"), " wrote, by its path.")), argument="results")

    def by_year(name: str) -> _Array:
        found = run.draws(name, ("year",)).transpose("draw", "performance_year")
        return np.asarray(found.values, dtype=np.float64)

    kept, offset, episodes, savings = (
        by_year(name) for name in ("retained_savings", "volume_offset", "episode_savings", "medicare_savings")
    )
    steps = [
        _Step("Kept by adjustments", _sum(kept * prices[1]), total=True),
        _Step("Volume offset", _sum(-offset * prices[1])),
        _Step("Episode savings", _sum(episodes * then[0])),
        _Step("Medicare savings", _sum(savings), total=True),
    ]
    risk = _risk(run)
    if risk is not None:
        held = by_year("payment_year_part_b") * risk
        steps = [
            _Step(_HELD, _sum(held * prices[1])),
            _Step("Paid out by score", _sum((kept - held) * prices[1])),
            *steps,
        ]
    *parts, whole = steps[-4:]
    rest = whole.draws - sum(each.draws for each in parts)
    if np.abs(rest).max() > _ROUNDING * max(np.abs(each.draws).max() for each in steps):
        steps.insert(-1, _Step("Not explained", rest))
    return steps


def _sum(values: _Array) -> _Array:
    return np.asarray(values.sum(axis=1))


def _said(mean: float, error: float, sets: int, more: str, less: str) -> str | None:
    """Say a step in words by its sign; None where it is not told from zero."""
    if is_tied(mean, error, sets):
        return None
    return f"{more if mean > 0.0 else less} {amount_words(abs(mean), error, _UNIT)}"


def _is_drawn(run: RunResults) -> bool:
    return any(name.startswith(_RISK) for name in run.unknowns)


def _risk(run: RunResults) -> _Array | None:
    """Give the risk level of each performance year; None where it is unknown."""
    stated = run.provenance["parameters"].get(_RISK, {}).get("value")
    if stated is None or _is_drawn(run):
        return None
    years = run.dataset["performance_year"].values
    return np.array(
        [stated[str(year)] if isinstance(stated, dict) else stated for year in years], dtype=float
    )


def _starts(steps: Sequence[_Step], means: _Array) -> list[float]:
    """Let each step begin where the one before ended, and totals at zero."""
    starts, at = [], 0.0
    for step, mean in zip(steps, means.tolist(), strict=True):
        starts.append(0.0 if step.total else at)
        at = mean if step.total else at + mean
    return starts
