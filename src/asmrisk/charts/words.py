"""Words that every chart has: where its numbers come from, and what its ranges hold."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from textwrap import shorten
from typing import Any

from asmrisk.analysis.estimates import t_quantile
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS

__all__ = [
    "cohort_words",
    "counted",
    "is_tied",
    "population_words",
    "range_words",
    "shortened_words",
    "source_line",
]


def counted(number: int, what: str) -> str:
    """Write a number of things.

    >>> counted(1, "draw"), counted(1000, "draw")
    ('1 draw', '1,000 draws')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def cohort_words(cohort: str) -> str:
    """Name a cohort: ``heart failure``."""
    return cohort.replace("_", " ")


def is_tied(value: float, error: float, sets: int) -> bool:
    """Whether the 95% interval of a value holds zero; not where there is no error to tell.

    >>> is_tied(1.0, 0.6, 100), is_tied(1.0, 0.4, 100), is_tied(0.0, 0.0, 100)
    (True, False, True)
    """
    return bool(abs(value) <= t_quantile(sets - 1) * error)


def population_words(run: RunResults) -> str:
    """Name the clinicians, with their number a year where results have it, and the performance years."""
    years = run.dataset["performance_year"].values
    return f"clinicians in the model, performance years {years[0]} to {years[-1]}"


def shortened_words(text: str, width: int = 44) -> str:
    """Write a title in the room that a headline has for it.

    >>> shortened_words("Benchmarks from the performance year and readings of everything else")
    'Benchmarks from the performance year and…'
    """
    return shorten(text, width, placeholder="…")


def source_line(*runs: RunResults, draws: int | None = None) -> str:
    """Say which scenarios, with how many draws of which seed, and what computed them.

    `draws` are those that are common to the runs, where these are fewer than the first run's.
    """
    titles = " and ".join(dict.fromkeys(run.title for run in runs))
    unfinished = "; ".join(run.partial for run in runs if run.partial)
    return _source(titles, draws or runs[0].count, runs[0].seed, unfinished)


def source_of(facts: Mapping[str, Any]) -> str:
    """Say the same of a report, by its facts."""
    return _source(
        facts["title"], facts["draws"], facts["seed"], facts["finished"] if facts["partial"] else ""
    )


def _source(titles: str, draws: int, seed: int | None, unfinished: str) -> str:
    seeded = "" if seed is None else f", seed {seed}"
    part = f"; not finished: {unfinished}" if unfinished else ""
    return f"{titles}: {counted(draws, 'draw')}{seeded}{part}. asmrisk {version('asmrisk')}."


def range_words(run: RunResults) -> str:
    """Say what bands and ranges over draws hold."""
    return f"Ranges are of draws and hold {HOLDS[run.holds]}."
