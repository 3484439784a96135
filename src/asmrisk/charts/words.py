"""Words that every chart has: where its numbers come from, and what its ranges hold."""

from __future__ import annotations

from importlib.metadata import version

from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS

__all__ = ["range_words", "source_line"]


def source_line(*runs: RunResults) -> str:
    """Say which scenarios, with how many draws of which seed, and what computed them."""
    titles = " and ".join(dict.fromkeys(run.title for run in runs))
    seed = "" if runs[0].seed is None else f", seed {runs[0].seed}"
    unfinished = "".join(f"; not finished: {run.partial}" for run in runs[:1] if run.partial)
    return f"{titles}: {runs[0].count:,} draws{seed}{unfinished}. asmrisk {version('asmrisk')}."


def range_words(run: RunResults) -> str:
    """Say what bands and ranges over draws hold."""
    return f"Ranges are of draws and hold {HOLDS[run.holds]}."
