"""What improving is worth: cases against the base, draw by draw, and the standard ones ranked.

As the field does not react, and a clinician's change changes no colleague's score, a change that everybody
makes tells what it is worth to each.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.ranking import ranks_of_sums
from asmrisk.arguments import COUNT, PATH, TEXTS, check_arguments, optional
from asmrisk.engine.progress import Progress
from asmrisk.errors import gather
from asmrisk.exposures.changes import Case, parse_change
from asmrisk.exposures.readiness import supposed
from asmrisk.exposures.stored_field import (
    StoredField,
    begin,
    check_cohorts,
    finished_run,
    live_cases,
    shown,
    stored_field,
)
from asmrisk.exposures.table import break_even, groups_of
from asmrisk.population.roster import Roster
from asmrisk.rule.definitions import MEASURES, PERFORMANCE_YEARS
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.own_luck import OwnOutcomes
from asmrisk.simulation.variables import scored_measures

__all__ = ["levers", "ranked_levers", "standard_levers"]

#: Bytes that the outcomes of draws that are lived through together may take, and bytes of one clinician's in
#: one draw and case.
_MOST_BYTES, _BYTES = 1_000_000_000, 200
#: Sums over parts of the draws that are kept, and parts that there are in any case if there are enough draws:
#: whole parameter sets, from which errors are told.
_MOST_SUMS, _PARTS = 30_000_000, 500

_Array = NDArray[np.float64]


def standard_levers(roster: Roster, scenario: Scenario) -> list[Case]:
    """Give what anybody would ask for first, of everybody and from the first performance year on.

    Five points of each measure's rate, or 5% where it is none of patients, in the better direction; each
    measure reported; complete data; both improvement activities; full promoting interoperability; 10% less
    cost of an episode; each record system; a collaborative care arrangement; 10% more attributed episodes.
    """
    cohorts, scored = set(roster.cohort_names), scored_measures(scenario)
    texts = []
    for measure in MEASURES:
        if measure.name in scored and measure.cohort in cohorts:
            sign = "-" if measure.inverse else "+"
            texts.append(f"{measure.name}_rate {sign}{'5%' if measure.worst is None else '0.05'}")
            texts += [] if measure.claims else [f"{measure.name} reported"]
    needed = max(
        int(scenario.values.at("policy.collaborative_care_elements", year)) for year in PERFORMANCE_YEARS
    )
    texts += [
        *("complete data", "improvement_activities = 2", "promoting_interoperability = 100"),
        *("cost_per_episode -10%", "collection_type = ecqm", "collection_type = mips_cqm"),
        *(f"collaborative_care_elements = {needed}", "episodes +10%"),
    ]
    return [parse_change(text, roster, scenario) for text in texts]


def levers(
    clinicians: str | os.PathLike[str],
    against: str | os.PathLike[str],
    *,
    what_if: str | Sequence[str] = (),
    draws: int | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Rank what given clinicians could do otherwise by what it adds in all five years together.

    Parameters
    ----------
    clinicians : path
        A roster: what is known of the clinicians.
    against : path
        A store that `asmrisk.run` wrote, complete.
    what_if : str or sequence of str
        Changes to rank, as ``"q236_rate +0.05 from 2027"``; the standard ones if none is given.
    draws : int, optional
        Only the run's first so many draws.
    workers : int, optional
        Threads; the usable processors if not given.
    quiet : bool
        Show no progress.

    Returns
    -------
    pandas.DataFrame
        As `asmrisk.exposures.levers.ranked_levers` gives it.

    Raises
    ------
    InputError
        If an argument is not allowed, there are no such results, they are not finished, those of a study, or
        computed by other code; if the clinicians cannot be read, or the run has nobody of their cohort; if a
        change cannot be read, or the run has fewer draws.
    RunError
        If a chunk of the results is damaged.
    """
    check_arguments(
        clinicians=(PATH, clinicians),
        against=(PATH, against),
        what_if=(TEXTS, what_if),
        draws=(optional(COUNT), draws),
        workers=(optional(COUNT), workers),
    )
    run = finished_run(against)
    progress = begin(quiet=quiet)
    field = stored_field(clinicians, against, draws=draws)
    roster, scenario = field.roster, field.model.scenario
    check_cohorts(run, roster, clinicians)
    texts = [what_if] if isinstance(what_if, str) else what_if
    cases = gather(lambda text: parse_change(text, roster, scenario), texts)
    return ranked_levers(field, cases or None, workers=workers, progress=progress)


def ranked_levers(
    field: StoredField,
    cases: Sequence[Case] | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Rank levers of each clinician, practice and all by what they add in all five years together.

    Parameters
    ----------
    field : StoredField
        The field, and the clinicians.
    cases : sequence of Case, optional
        What to rank; `standard_levers` if not given.
    workers : int, optional
        Threads; the usable processors if not given.
    progress : Progress, optional
        Counts the draws, and shows them where there are many.

    Returns
    -------
    pandas.DataFrame
        A row for each of ``who``, with its ``level`` as in `asmrisk.exposures.table`, and each ``lever`` that
        is meant for any of its clinicians, the best first. It is one of the ranks from ``rank_first`` to
        ``rank_last``, as `asmrisk.analysis.ranking` has them, 1 being the best. ``difference`` is USD in all
        years, with ``difference_error`` and ``probability_of_nothing``; ``mips_forgone`` and
        ``cost_of_participation`` say by how much these change; ``break_even``, USD a performance year, is
        what it may cost at most in the ``years`` from its first on (`asmrisk.exposures.table.break_even`).
        Who has a thing in every draw gains nothing by it: such a row has a ``probability_of_nothing`` of 1.
        ``clinicians`` counts those for whom it is meant, ``untold`` of how many nothing is told of what it
        changes, ``reported`` how many last reported the measure already
        (`asmrisk.exposures.readiness.supposed`).

    Raises
    ------
    InputError
        If no population can be calibrated to the values that a parameter set has.
    """
    roster = field.roster
    cases = standard_levers(roster, field.model.scenario) if cases is None else list(cases)
    groups = groups_of(roster)
    shape = (len(cases), len(groups.who))
    part = _parts(field, _MOST_SUMS // (shape[0] * shape[1]))
    sums = np.zeros((shape[0], part[-1] + 1, shape[1]))
    nothing, mips, cost = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    together = max(1, _MOST_BYTES // (_BYTES * roster.count * (1 + len(cases))))
    progress = Progress(None) if progress is None else progress
    with shown(progress, field, cases):
        for start in range(0, field.draws, together):
            draws = range(start, min(start + together, field.draws))
            base, *others = live_cases(field, cases, draws=draws, workers=workers, progress=progress)
            own = part[draws.start : draws.stop]
            first = np.flatnonzero(np.diff(own, prepend=-1))
            for k, case in enumerate(others):
                gains = groups.sums(_more("adjustment_usd", base, case))
                sums[k, own[first]] += np.add.reduceat(gains, first, axis=0)
                nothing[k] += (gains <= 0.0).sum(axis=0)
                mips[k] += groups.sums(_more("mips_forgone", base, case).sum(axis=0))
                cost[k] += groups.sums(
                    _more("cost_of_participation", base, case).sum(axis=0), "cost_of_participation"
                )
    difference = sums.sum(axis=1) / field.draws
    residuals = sums - np.bincount(part)[:, None] * difference[:, None]
    numbers = {
        "difference": difference,
        "difference_error": _error(residuals, field.draws),
        "probability_of_nothing": nothing / field.draws,
        "mips_forgone": mips / field.draws,
        "cost_of_participation": cost / field.draws,
        "break_even": break_even(
            *(difference, mips / field.draws, cost / field.draws),
            np.array([[case.years] for case in cases]),
        ),
    }
    supposes = np.stack([supposed(case, roster) for case in cases])  # (levers, 3, n)
    counts = dict(
        zip(
            ("clinicians", "untold", "reported"),
            groups.sums(supposes.transpose(1, 0, 2)).astype(np.int64),
            strict=True,
        )
    )
    rows: list[dict[str, Any]] = []
    for place in groups.order:
        order = np.flatnonzero(counts["clinicians"][:, place])
        order = order[np.argsort(-difference[order, place], kind="stable")]
        # The best is the lowest of what is lacking.
        ranks = ranks_of_sums(-difference[order, place], -residuals[order, :, place].T, field.draws)
        for first, last, k in zip(ranks.first.tolist(), ranks.last.tolist(), order.tolist(), strict=True):
            named: dict[str, Any] = {"who": str(groups.who[place]), "level": str(groups.level[place])}
            named |= {
                "rank_first": first,
                "rank_last": last,
                "lever": cases[k].label,
                "years": cases[k].years,
            }
            found = {name: each[k, place].item() for name, each in (numbers | counts).items()}
            rows.append(named | found)
    return pd.DataFrame(rows)


def _more(name: str, base: OwnOutcomes, case: OwnOutcomes) -> _Array:
    """Give what is more in a case than in the base in all years, (draws, n); who is not measured has none."""
    before, after = getattr(base, name), getattr(case, name)
    more: _Array = (np.nan_to_num(after) - np.nan_to_num(before)).sum(axis=1)
    return more


def _parts(field: StoredField, most: int) -> NDArray[np.int64]:
    """Give the part of each draw: its parameter set, or neighboring ones put together where they are many."""
    sets = np.arange(field.draws) if field.sets is None else field.sets
    number = np.cumsum(np.diff(sets, prepend=sets[:1]) != 0)
    count = int(number[-1]) + 1
    parts: NDArray[np.int64] = number * min(count, max(most, _PARTS)) // count
    return parts


def _error(residuals: _Array, draws: int) -> _Array:
    """Give the standard error of means from sums of deviations by part, (..., parts, n)."""
    parts = residuals.shape[-2]
    squares = (residuals**2).sum(axis=-2)
    return np.sqrt(squares * parts / (parts - 1)) / draws if parts > 1 else np.full(squares.shape, np.nan)
