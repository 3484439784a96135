"""What improving is worth: cases against the base, draw by draw, and the standard ones ranked.

As the field does not react, and a clinician's change changes no colleague's score, a change that everybody
makes tells what it is worth to each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.estimates import Sets, first_draws, mean
from asmrisk.exposures.changes import Case, parse_change
from asmrisk.exposures.stored_field import StoredField, live_cases
from asmrisk.population.roster import Roster
from asmrisk.rule.definitions import MEASURES, PERFORMANCE_YEARS, YEARS
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.own_luck import OwnOutcomes
from asmrisk.simulation.variables import scored_measures

__all__ = ["Group", "Paired", "groups_of", "levers", "paired", "standard_levers"]

#: Bytes that the outcomes of cases that are lived through together may take, and bytes of one clinician's in
#: one draw.
_MOST_BYTES, _BYTES = 1_000_000_000, 200
#: Numbers that statistics are made of at a time.
_AT_ONCE = 4_000_000
#: Parts of the draws, whole parameter sets, from which the error of a difference between levers is told.
_CLUSTERS = 500
#: Two levers are told apart where they differ by more than so many standard errors.
_TOLD_APART = 2.0

_Array = NDArray[np.float64]


class Group(NamedTuple):
    """Clinicians whose dollars are added up."""

    level: str  #: "clinician", "practice" or "all"
    who: str
    clinicians: NDArray[np.int64]  #: places in the roster


class Paired(NamedTuple):
    """A case against the base, by group and performance year, all years together last; USD."""

    difference: _Array  #: float64 (groups, YEARS + 1): mean of the adjustment in the case less in the base
    difference_error: _Array  #: its standard error
    probability_of_nothing: _Array  #: chance that it pays nothing, or less
    mips_forgone: _Array  #: mean difference of what MIPS would have paid
    cost_of_participation: _Array  #: mean difference of the cost of taking part, as far as it is modeled


def groups_of(roster: Roster) -> list[Group]:
    """Give each clinician, each practice that bills for some, and all together."""
    groups = [Group("clinician", str(each), np.array([place])) for place, each in enumerate(roster.ids)]
    bills = roster.billing_practice_ids
    groups += [Group("practice", str(each), np.flatnonzero(bills == each)) for each in dict.fromkeys(bills)]
    return [*groups, Group("all", "all", np.arange(roster.count))]


def paired(base: OwnOutcomes, case: OwnOutcomes, groups: Sequence[Group], sets: Sets = None) -> Paired:
    """Compare a case with the base, draw by draw.

    Parameters
    ----------
    base, case : OwnOutcomes
        As `asmrisk.exposures.stored_field.live_cases` gives them. Who is not measured has no dollars.
    groups : sequence of Group
        Whose dollars are compared.
    sets : ndarray of int64, shape (draws,), optional
        Parameter set of each draw.

    Returns
    -------
    Paired
        NaN as error where there is one parameter set.
    """
    found: list[tuple[_Array, ...]] = []
    for some in _pieces(groups, len(base.adjustment_usd) * (YEARS + 1)):
        gain = _gains("adjustment_usd", base, case, some)
        estimate = mean(gain, sets)
        others = (
            _gains(name, base, case, some).mean(axis=0) for name in ("mips_forgone", "cost_of_participation")
        )
        found.append((estimate.value, estimate.error, (gain <= 0.0).mean(axis=0), *others))
    return Paired(*(np.concatenate(each, axis=1).T for each in zip(*found, strict=True)))


def _pieces(groups: Sequence[Group], numbers: int) -> Iterator[Sequence[Group]]:
    """Part groups, of so many numbers each."""
    width = max(1, _AT_ONCE // numbers)
    for start in range(0, len(groups), width):
        yield groups[start : start + width]


def _gains(name: str, base: OwnOutcomes, case: OwnOutcomes, groups: Sequence[Group]) -> _Array:
    """Give the dollars that groups have more in a case, (draws, YEARS + 1, groups)."""
    before, after = getattr(base, name), getattr(case, name)
    gains = np.empty((len(before), YEARS + 1, len(groups)))
    for number, (_, _, places) in enumerate(groups):
        more = np.nan_to_num(after[:, :, places]) - np.nan_to_num(before[:, :, places])
        gains[:, :YEARS, number] = more.sum(axis=2)
    gains[:, YEARS] = gains[:, :YEARS].sum(axis=1)
    return gains


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
        A row for each group and lever that is meant for any of its clinicians, the best first: ``who`` and
        ``level`` as in `Group`; ``rank`` from 1, the same for levers that the draws do not tell apart from
        the first of them; ``lever``, as the case's label; ``difference``, USD in all years, with
        ``difference_error`` and ``probability_of_nothing``; ``mips_forgone`` and ``cost_of_participation``,
        by which these change; ``break_even``, USD a performance year that it may cost at most beside that:
        the mean gain, less both, over the number of years, undiscounted. Who has a thing in every draw gains
        nothing by it: such a row has a ``probability_of_nothing`` of 1.

    Raises
    ------
    InputError
        If no population can be calibrated to the values that a parameter set has.
    """
    roster, sets = field.roster, field.sets
    cases = standard_levers(roster, field.model.scenario) if cases is None else list(cases)
    groups = groups_of(roster)
    clusters = _clusters(field)
    together = max(1, _MOST_BYTES // (_BYTES * field.draws * roster.count) - 1)
    told: list[Paired] = []
    residuals = np.empty((len(cases), len(clusters), len(groups)))
    for start in range(0, len(cases), together):
        some = cases[start : start + together]
        base, *others = live_cases(field, some, workers=workers)
        for number, case in enumerate(others, start):
            told.append(paired(base, case, groups, sets))
            at = 0
            for piece in _pieces(groups, field.draws * (YEARS + 1)):
                gain = _gains("adjustment_usd", base, case, piece)[:, YEARS]
                residuals[number, :, at : at + len(piece)] = np.add.reduceat(
                    gain - gain.mean(axis=0), clusters, axis=0
                )
                at += len(piece)
    meant = [{place for change in case.changes for place in change.clinicians} for case in cases]
    rows: list[dict[str, Any]] = []
    for number, group in enumerate(groups):
        own = [k for k in range(len(cases)) if not meant[k].isdisjoint(group.clinicians.tolist())]
        own.sort(key=lambda k: -told[k].difference[number, YEARS])
        ranks = _ranks(
            [float(told[k].difference[number, YEARS]) for k in own],
            residuals[own, :, number],
            field.draws,
        )
        for rank, k in zip(ranks, own, strict=True):
            found = {name: float(each[number, YEARS]) for name, each in told[k]._asdict().items()}
            left = found["difference"] - found["mips_forgone"] - found["cost_of_participation"]
            named = {"who": group.who, "level": group.level, "rank": rank, "lever": cases[k].label}
            rows.append(named | found | {"break_even": left / YEARS})
    return pd.DataFrame(rows)


def _clusters(field: StoredField) -> NDArray[np.int64]:
    """Give the first draws of neighboring parameter sets put together, `_CLUSTERS` at most."""
    first = np.arange(field.draws) if field.sets is None else first_draws(field.sets)
    count = min(len(first), _CLUSTERS)
    return first[np.arange(count) * len(first) // count]


def _ranks(differences: Sequence[float], residuals: _Array, draws: int) -> list[int]:
    """Rank levers, the best first; (levers, clusters) sums of deviations tell whether two are apart."""
    clusters = residuals.shape[1]
    ranks: list[int] = []
    first = 0
    for k, difference in enumerate(differences):
        squares = float(((residuals[first] - residuals[k]) ** 2).sum())
        error = np.sqrt(squares * clusters / (clusters - 1)) / draws if clusters > 1 else np.inf
        if differences[first] - difference > _TOLD_APART * error:
            first = k
        ranks.append(first + 1)
    return ranks
