"""What improving is worth: cases against the base, draw by draw, and the standard ones ranked.

As the field does not react, and a clinician's change changes no colleague's score, a change that everybody
makes tells what it is worth to each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.estimates import first_draws, mean
from asmrisk.exposures.changes import Case, parse_change
from asmrisk.exposures.stored_field import StoredField, live_cases
from asmrisk.exposures.table import groups_of
from asmrisk.population.roster import Roster
from asmrisk.rule.definitions import MEASURES, PERFORMANCE_YEARS, YEARS
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.own_luck import OwnOutcomes
from asmrisk.simulation.variables import scored_measures

__all__ = ["levers", "standard_levers"]

#: Bytes that the outcomes of cases that are lived through together may take, and bytes of one clinician's in
#: one draw.
_MOST_BYTES, _BYTES = 1_000_000_000, 200
#: Parts of the draws, whole parameter sets, from which the error of a difference between levers is told.
_CLUSTERS = 500
#: Two levers are told apart where they differ by more than so many standard errors.
_TOLD_APART = 2.0

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
    field: StoredField, cases: Sequence[Case] | None = None, *, workers: int | None = None
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

    Returns
    -------
    pandas.DataFrame
        A row for each of ``who``, with its ``level`` as in `asmrisk.exposures.table`, and each ``lever`` that
        is meant for any of its clinicians, the best first. ``rank`` counts from 1, the same for levers that
        the draws do not tell apart from the first of them. ``difference`` is USD in all years, with
        ``difference_error`` and ``probability_of_nothing``; ``mips_forgone`` and ``cost_of_participation``
        say by how much these change; ``break_even``, USD a performance year that it may cost at most beside
        that, is the mean gain less both over the number of years, undiscounted. Who has a thing in every draw
        gains nothing by it: such a row has a ``probability_of_nothing`` of 1.

    Raises
    ------
    InputError
        If no population can be calibrated to the values that a parameter set has.
    """
    roster = field.roster
    cases = standard_levers(roster, field.model.scenario) if cases is None else list(cases)
    groups, clusters = groups_of(roster), _clusters(field)
    together = max(1, _MOST_BYTES // (_BYTES * field.draws * roster.count) - 1)
    numbers: list[dict[str, _Array]] = []
    residuals: list[_Array] = []
    for start in range(0, len(cases), together):
        base, *others = live_cases(field, cases[start : start + together], workers=workers)
        for case in others:
            gains = groups.sums(_more("adjustment_usd", base, case))
            value, error, _ = mean(gains, field.sets)
            mips = groups.sums(_more("mips_forgone", base, case).mean(axis=0))
            cost = groups.sums(_more("cost_of_participation", base, case).mean(axis=0), groups.working)
            numbers.append(
                {
                    "difference": value,
                    "difference_error": error,
                    "probability_of_nothing": (gains <= 0.0).mean(axis=0),
                    "mips_forgone": mips,
                    "cost_of_participation": cost,
                    "break_even": (value - mips - cost) / YEARS,
                }
            )
            residuals.append(np.add.reduceat(gains - value, clusters, axis=0))
    meant = np.stack([groups.sums(_mask(case, roster.count)) > 0.0 for case in cases])
    rows: list[dict[str, Any]] = []
    people = roster.count
    for place in (len(groups.who) - 1, *range(people, len(groups.who) - 1), *range(people)):
        own = np.flatnonzero(meant[:, place]).tolist()
        own.sort(key=lambda k: -numbers[k]["difference"][place])
        differences = [float(numbers[k]["difference"][place]) for k in own]
        ranks = _ranks(differences, [residuals[k][:, place] for k in own], field.draws)
        for rank, k in zip(ranks, own, strict=True):
            named = {"who": str(groups.who[place]), "level": str(groups.level[place])}
            found = {name: float(each[place]) for name, each in numbers[k].items()}
            rows.append(named | {"rank": rank, "lever": cases[k].label} | found)
    return pd.DataFrame(rows)


def _more(name: str, base: OwnOutcomes, case: OwnOutcomes) -> _Array:
    """Give what is more in a case than in the base in all years, (draws, n); who is not measured has none."""
    before, after = getattr(base, name), getattr(case, name)
    more: _Array = (np.nan_to_num(after) - np.nan_to_num(before)).sum(axis=1)
    return more


def _mask(case: Case, count: int) -> _Array:
    """Give 1 for each of the roster's clinicians for whom a case has a change, else 0."""
    mask = np.zeros(count)
    mask[[place for change in case.changes for place in change.clinicians]] = 1.0
    return mask


def _clusters(field: StoredField) -> NDArray[np.int64]:
    """Give the first draws of neighboring parameter sets put together, `_CLUSTERS` at most."""
    first = np.arange(field.draws) if field.sets is None else first_draws(field.sets)
    count = min(len(first), _CLUSTERS)
    return first[np.arange(count) * len(first) // count]


def _ranks(differences: Sequence[float], residuals: Sequence[_Array], draws: int) -> list[int]:
    """Rank levers, the best first; sums of deviations, by cluster of draws, tell whether two are apart."""
    ranks: list[int] = []
    first = 0
    for k, difference in enumerate(differences):
        clusters = len(residuals[k])
        squares = float(((residuals[first] - residuals[k]) ** 2).sum())
        error = np.sqrt(squares * clusters / (clusters - 1)) / draws if clusters > 1 else np.inf
        if differences[first] - difference > _TOLD_APART * error:
            first = k
        ranks.append(first + 1)
    return ranks
