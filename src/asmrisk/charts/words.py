"""Words that every chart has: where its numbers come from, and what its ranges hold."""

from __future__ import annotations

from importlib.metadata import version

from asmrisk.analysis.digits import number
from asmrisk.analysis.estimates import t_quantile
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS

__all__ = ["is_tied", "million_words", "range_words", "source_line"]


def source_line(*runs: RunResults) -> str:
    """Say which scenarios, with how many draws of which seed, and what computed them."""
    titles = " and ".join(dict.fromkeys(run.title for run in runs))
    seed = "" if runs[0].seed is None else f", seed {runs[0].seed}"
    unfinished = "".join(f"; not finished: {run.partial}" for run in runs[:1] if run.partial)
    return f"{titles}: {runs[0].count:,} draws{seed}{unfinished}. asmrisk {version('asmrisk')}."


def range_words(run: RunResults) -> str:
    """Say what bands and ranges over draws hold."""
    return f"Ranges are of draws and hold {HOLDS[run.holds]}."


def million_words(value: float, error: float, unit: str = " million", *, signed: bool = False) -> str:
    """Write millions of dollars to the digits that their error supports, a plus before more if signed.

    >>> million_words(147.94, 5.3), million_words(-46.28, 1.4, "m", signed=True)
    ('$147.9 million', '−$46.3m')
    """
    text = number(abs(value), error)
    sign = "−" if value < 0.0 and text.strip("0.,") else "+" if signed else ""
    return f"{sign}${text}{unit}"


def is_tied(value: float, error: float, sets: int) -> bool:
    """Whether the 95% interval of a value holds zero; not where there is no error to tell.

    >>> is_tied(1.0, 0.6, 100), is_tied(1.0, 0.4, 100), is_tied(0.0, 0.0, 100)
    (True, False, True)
    """
    return bool(abs(value) <= t_quantile(sets - 1) * error)
