"""From the parts of a score to dollars, as a waterfall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from asmrisk.analysis.estimates import is_tied
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import Row
from asmrisk.analysis.wording import usd, year_words
from asmrisk.charts.chart import Axis, Bars, Chart, Panel
from asmrisk.charts.words import source_line
from asmrisk.exposures.score_parts import SCORE_PARTS

__all__ = ["score_parts_chart"]

_NAMES = {
    "quality": "Quality",
    "cost": "Cost",
    "improvement_activities": "Activities",
    "promoting_interoperability": "Interoperability",
    "complex_patients": "Complex patients",
    "small_practice": "Small practice",
    "other": "Other rules",
}
#: Points that are shown as nothing.
_NOTHING = 0.05
#: Widths of a character and of the space around a text, as parts of a chart's.
_CHARACTER, _SPACE = 0.0215, 0.04


def score_parts_chart(run: RunResults, row: Row, error: float, who: str) -> Chart | None:
    """Show of what the mean final score is made, and what it leaves of the dollars at risk.

    Parameters
    ----------
    run : RunResults
        Within which clinicians are scored.
    row : Row
        Of `asmrisk.exposures.score_parts.score_rows`.
    error : float
        Standard error of its dollars.
    who : str
        Whose score it is, ``these 48 clinicians``.

    Returns
    -------
    Chart or None
        Two waterfalls: points, and dollars of the first payment year. None without a final score.
    """
    if np.isnan(row["final_score"]):
        return None
    parts = [name for name in SCORE_PARTS if name in ("quality", "cost") or abs(row[name]) >= _NOTHING]
    points = np.array([row[name] for name in parts])
    dollars = np.array([row["at_risk"], row["earned_back"]])
    final, paid = f"{row['final_score']:.1f}", usd(row["adjustment"], error)
    told = ", ".join(f"{_NAMES[name].lower()} {row[name]:+.1f}" for name in parts)
    years = year_words(row["performance_year"])
    if is_tied(row["adjustment"], error, run.set_count):
        left = ": neither a cut nor a raise is found"
    else:
        outcome = "cut" if row["adjustment"] < 0.0 else "raise"
        left = f" leaves a {outcome} of {paid.removeprefix('-')}"
    return Chart(
        name="score",
        headline=f"A mean score of {final} of 100{left} in {row['payment_year']}",
        subtitle=(
            f"Mean final score of {who} in points, and what it pays, $ of {row['payment_year']} ({years})"
        ),
        alternative=(
            f"Two waterfalls. The score: {told}; together {final} points. The payment: "
            f"{usd(row['at_risk'], error)} at risk, {usd(row['earned_back'], error)} earned back by scores; "
            f"together {paid}."
        ),
        source=source_line(run),
        data=pd.DataFrame(
            {
                "step": [
                    *(_NAMES[name] for name in parts),
                    "Final score",
                    "At risk",
                    "Earned back",
                    "Adjustment",
                ],
                "value": [*points, row["final_score"], *dollars, row["adjustment"]],
                "unit": ["points"] * (len(parts) + 1) + ["$"] * 3,
            }
        ),
        panels=[
            _waterfall(
                [_NAMES[name] for name in parts],
                points,
                "Final score",
                [*(f"{each:+.1f}".replace("-", "\u2212") for each in points), final],
                Axis(),
            ),
            _waterfall(
                ["At risk", "Earned back"],
                dollars / 1e3,
                "Adjustment",
                [usd(each, error).replace("-", "\u2212") for each in (*dollars, row["adjustment"])],
                Axis(prefix="$", suffix="k"),
            ),
        ],
        notes=(
            "Means over draws and clinicians. At risk is what the lowest factor would take from everybody; "
            "the better a score is than others', the more of it is earned back. Other rules: limits, and "
            "what stands for quality or cost that cannot be scored.",
        ),
    )


def _waterfall(
    names: Sequence[str], steps: np.ndarray, total: str, texts: Sequence[str], axis: Axis
) -> Panel:
    """Draw steps from zero to their sum, and the sum."""
    ends = np.cumsum(steps)
    end, start = np.append(ends, ends[-1]), np.append(ends - steps, 0.0)
    low, high = min(0.0, end.min(), start.min()), max(0.0, end.max(), start.max())
    # Texts stand beside bars, at the left of those that go down.
    wide = 1.0 - _SPACE - _CHARACTER * max(map(len, (*names, total)))
    room = (_SPACE + _CHARACTER * max(map(len, texts))) / wide
    sides = 1 + (low < 0.0)
    room *= (high - low) / (1.0 - sides * room)
    limits = (low - room if low < 0.0 else 0.0, high + room)
    tones = ["second" if each < 0.0 else "first" for each in steps]
    tones.append("neutral")
    return Panel(
        [Bars(end, start, tuple(texts), tones=tuple(tones))],
        x=Axis(prefix=axis.prefix, suffix=axis.suffix, limits=limits),
        y=Axis(names=(*names, total)),
        height=40.0 + 28.0 * (len(names) + 1),
    )
