"""What a roster's past numbers say in any population: where scores are seen, and what likelihoods read.

All of it is found once for a roster; `asmrisk.population.roster_posterior` and
`asmrisk.population.roster_habits` tell what it means in a population.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import kernel
from asmrisk.numerics.portable_math import log, normal_exp
from asmrisk.population.latents import OWN_STATES
from asmrisk.population.quantiles import SCORE_COUNT, SCORE_LIMIT, SCORE_STEP
from asmrisk.population.roster import Clinicians, Roster
from asmrisk.population.roster_beliefs import EXACT, MOST_NOISE, SEEN_NOISE
from asmrisk.population.roster_likelihood import CASES, COSTS, EPISODES, RATES, Evidence
from asmrisk.population.roster_pattern import Pattern, find_pattern
from asmrisk.population.roster_practices import record_systems
from asmrisk.rule.definitions import COLLECTION_TYPES, MOST_MEASURES, PERFORMANCE_YEARS, measures_of

__all__ = ["Past", "ScoreEvidence", "find_score_evidence", "has_choice", "latest", "part_b_scores"]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: The simulation reads a table of scores up to its last point but one.
_HIGHEST_SCORE = -SCORE_LIMIT + SCORE_STEP * (SCORE_COUNT - 2)

#: Places of sites: of what is permanent, and the first of a year.
HCC, DUAL, LEVEL_SITE, _YEARLY = 0, 1, 2, 3
#: In a year: Part B, cost, then the measures.
_PART_B, _COST, _RATE = 0, 1, 2
_A_YEAR = _RATE + MOST_MEASURES


class Past(NamedTuple):
    """Of one cohort's n clinicians, of whom something is known in Y years at N sites."""

    kind: _Codes  #: shape (N,): what each site is: HCC, dual share, level, Part B, cost, measures
    year: _Codes  #: shape (N,)
    column: _Codes  #: shape (_YEARLY + Y * _A_YEAR,): the site at this place; -1 where nothing is known
    value: _Array  #: shape (n, N): 0 where it is not written
    noise: _Array  #: shape (n, N): variance of the noise of what is seen, or of a likelihood before any round
    hcc: _Array  #: shape (n,): latest known; NaN where not known
    dual: _Array  #: shape (n,)


class ScoreEvidence(NamedTuple):
    """What is known of the scores of a roster's clinicians."""

    roster: Roster
    codes: list[int]  #: of the cohorts that have anybody
    past: list[Past]  #: by these
    pattern: Pattern
    evidence: Evidence  #: of episodes, costs and rates
    cases: Evidence  #: of eligible cases, which tell of nothing else; clinicians by number in their cohort


def latest(values: _Array) -> tuple[_Array, NDArray[np.intp]]:
    """Find the last value, NaN if none, by year (Y, n), and the index of its year, of the last if none."""
    year = len(values) - 1 - (~np.isnan(values))[::-1].argmax(axis=0)
    return values[year, np.arange(values.shape[1])], year


@kernel
def _find_part_b(
    specialty: np.ndarray,
    years: np.ndarray,
    dollars: np.ndarray,
    level: np.ndarray,
    trend: np.ndarray,
    shapes: np.ndarray,
    score: np.ndarray,
    factor: np.ndarray,
) -> None:
    last = SCORE_COUNT - 1
    for y in range(dollars.shape[0]):
        for i in range(dollars.shape[1]):
            paid, code = dollars[y, i], specialty[i]
            if np.isnan(paid):
                score[y, i] = factor[y, i] = np.nan
                continue
            for _ in range(PERFORMANCE_YEARS[0] - years[y]):
                paid *= 1.0 + trend[code]
            if not paid > 0.0:
                score[y, i], factor[y, i] = -SCORE_LIMIT, 0.0
                continue
            shape, ratio = shapes[code], log(paid) - log(level[code])
            # The first point above, and the first of the flat stretch, if it is one, before.
            low, high = 0, last + 1
            while low < high:
                middle = (low + high) // 2
                if shape[middle] > ratio:
                    high = middle
                else:
                    low = middle + 1
            if low == 0:
                at = -SCORE_LIMIT
            elif low > last:
                at = SCORE_LIMIT
            else:
                before = low - 1
                while before > 0 and shape[before - 1] >= shape[before]:
                    before -= 1
                share = (ratio - shape[before]) / (shape[low] - shape[before])
                at = -SCORE_LIMIT + SCORE_STEP * (before + share * (low - before))
            at = min(at, _HIGHEST_SCORE)
            score[y, i], factor[y, i] = at, 1.0
            if ratio < shape[0] or ratio > shape[last - 1]:
                place = (at + SCORE_LIMIT) / SCORE_STEP
                interval = min(int(place), last - 1)
                read = shape[interval] + (place - interval) * (shape[interval + 1] - shape[interval])
                factor[y, i] = normal_exp(ratio - read)


def part_b_scores(
    population: np.record, specialty: _Codes, years: _Codes, dollars: _Array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the normal scores at which the specialties' distributions of Part B have the known dollars.

    Known dollars are brought to the first performance year by the specialty's trend.

    Parameters
    ----------
    population : record of POPULATION_DTYPE
        The cohort's.
    specialty : ndarray of int64, shape (n,)
        Codes.
    years : ndarray of int64, shape (Y,)
        In which they were paid.
    dollars : ndarray of float64, shape (Y, n)
        NaN where not known.

    Returns
    -------
    score, factor : ndarray of float64, shape (Y, n)
        ``dollars = factor * level * exp(shape(score))`` but for the trend; the factor is 1 but beyond the
        ends of the table, and 0 where there are no dollars.
    """
    score, factor = np.empty_like(dollars), np.empty_like(dollars)
    level, trend, shapes = (
        np.ascontiguousarray(population[name])
        for name in ("part_b_level", "part_b_trend", "part_b_log_shape")
    )
    _find_part_b(specialty, years, dollars, level, trend, shapes, score, factor)
    return score, factor


def has_choice(clinicians: Clinicians) -> NDArray[np.bool_]:
    """Say which of a cohort's measures leave the collection type to the clinician, shape (MOST_MEASURES,)."""
    choice = np.zeros(MOST_MEASURES, dtype=bool)
    measures = measures_of(clinicians.cohort)
    choice[: len(measures)] = [len(each.collection_types) > 1 for each in measures]
    return choice


def _chosen_type(clinicians: Clinicians) -> _Codes:
    """Find how clinicians report where they have the choice: the latest year's way, -1 where not known."""
    system = latest(record_systems(clinicians.past.collection_type, has_choice(clinicians)))[0]
    return np.where(np.isnan(system), -1, system).astype(np.int64)


class _Rows:
    """Collects rows of `Evidence`."""

    def __init__(self) -> None:
        self.parts: list[dict[str, NDArray[Any]]] = []
        self.counts: list[float] = []

    def add(self, clinicians: Clinicians, code: int, who: _Codes, first: int, **columns: Any) -> None:
        """Add what is known of some clinicians, whose numbers begin at `first`."""
        row: dict[str, Any] = dict.fromkeys(Evidence._fields[:-1], 0.0) | {
            "clinician": who + first,
            "cohort": code,
            "specialty": clinicians.specialty[who],
            "practice_size": clinicians.practice_size[who],
        }
        self.parts.append({name: np.broadcast_to(each, who.shape) for name, each in (row | columns).items()})

    def evidence(self) -> Evidence:
        columns: dict[str, Any] = {}
        for name in Evidence._fields[:-1]:
            dtype = np.float64 if name in ("number", "cases") else np.int64
            columns[name] = np.concatenate([np.zeros(0), *(each[name] for each in self.parts)]).astype(dtype)
        return Evidence(**columns, counts=np.array(self.counts, dtype=np.float64))


def _add_evidence(rows: _Rows, cases: _Rows, clinicians: Clinicians, code: int, first: int) -> None:
    """Collect what episodes, costs, rates and cases say of a cohort whose clinicians begin at `first`."""
    past = clinicians.past
    known = ~np.isnan(past.episodes)
    who = np.flatnonzero(known.any(axis=0))
    start = len(rows.counts) + np.concatenate([[0], np.cumsum(known[:, who].sum(axis=0))])
    rows.counts += past.episodes.T[known.T].tolist()
    rows.add(clinicians, code, who, first, kind=EPISODES, site=LEVEL_SITE, begin=start[:-1], end=start[1:])
    year, who = np.nonzero(~np.isnan(past.cost_per_episode) & ~(past.episodes == 0.0))
    rows.add(
        clinicians,
        code,
        who,
        first,
        kind=COSTS,
        site=_YEARLY + year * _A_YEAR + _COST,
        number=past.cost_per_episode[year, who],
        cases=past.episodes[year, who],
    )
    chosen = _chosen_type(clinicians)
    for measure, each in enumerate(measures_of(clinicians.cohort)):
        rates, numbers = past.rate[:, measure], past.cases[:, measure]
        year, who = np.nonzero(~np.isnan(rates) & (numbers > 0.0))
        given = past.collection_type[year, measure, who]
        fixed = COLLECTION_TYPES.index(each.collection_types[0])
        kind = np.where(given >= 0, given, chosen[who]) if len(each.collection_types) > 1 else fixed
        rows.add(
            clinicians,
            code,
            who,
            first,
            kind=RATES,
            site=_YEARLY + year * _A_YEAR + _RATE + measure,
            measure=measure,
            collection_type=kind,
            number=rates[year, who],
            cases=numbers[year, who],
        )
        count = (~np.isnan(numbers)).sum(axis=0)
        who = np.flatnonzero(count)
        total = np.nansum(numbers[:, who], axis=0)
        cases.add(clinicians, code, who, 0, kind=CASES, measure=measure, number=total, cases=count[who])


def _past(clinicians: Clinicians, sites: _Codes, who: _Codes) -> tuple[Past, NDArray[np.bool_]]:
    """Give a cohort's past, and where it is known: at some clinicians' sites a likelihood says something."""
    n, years = clinicians.count, clinicians.years
    hcc, dual = latest(clinicians.past.hcc_risk_score)[0], latest(clinicians.past.dual_share)[0]
    paid = clinicians.past.part_b_payments > 0.0
    seen = np.zeros((n, _YEARLY + len(years) * _A_YEAR), dtype=bool)
    seen[:, HCC], seen[:, DUAL] = ~np.isnan(hcc), ~np.isnan(dual)
    seen[:, _YEARLY + _PART_B :: _A_YEAR] = paid.T
    noise = np.where(seen, SEEN_NOISE, MOST_NOISE)
    # The latest payments go on to the last bit.
    last = len(years) - 1 - paid[::-1].argmax(axis=0)
    place = _YEARLY + _PART_B + last * _A_YEAR
    noise[np.arange(n), place] = np.where(seen[np.arange(n), place], EXACT, MOST_NOISE)
    seen[:, LEVEL_SITE] = True
    seen[who, sites] = True
    used = seen.any(axis=0)
    places = np.flatnonzero(used)
    in_year = np.maximum(places - _YEARLY, 0)
    permanent = places < _YEARLY
    past = Past(
        kind=np.where(permanent, places, _YEARLY + in_year % _A_YEAR),
        year=np.where(permanent, PERFORMANCE_YEARS[0], years[in_year // _A_YEAR]),
        column=np.where(used, np.cumsum(used) - 1, -1),
        value=np.zeros((n, len(places))),
        noise=noise[:, used],
        hcc=hcc,
        dual=dual,
    )
    return past, seen[:, used]


def find_score_evidence(roster: Roster) -> ScoreEvidence:
    """Find what is known of the scores of a roster's clinicians."""
    codes = [code for code, each in enumerate(roster.cohorts) if each.count]
    rows, cases = _Rows(), _Rows()
    firsts = np.cumsum([0, *(roster.cohorts[code].count for code in codes)])
    for code, first in zip(codes, firsts[:-1].tolist(), strict=True):
        _add_evidence(rows, cases, roster.cohorts[code], code, first)
    evidence = rows.evidence()
    pasts, seen = [], []
    for code, first in zip(codes, firsts[:-1].tolist(), strict=True):
        mine = evidence.cohort == code
        past, known = _past(roster.cohorts[code], evidence.site[mine], evidence.clinician[mine] - first)
        evidence.site[mine] = past.column[evidence.site[mine]]
        pasts.append(past)
        seen.append(known)
    pattern = find_pattern(
        [roster.cohorts[code].practice for code in codes], seen, OWN_STATES, roster.practices
    )
    return ScoreEvidence(roster, codes, pasts, pattern, evidence, cases.evidence())


def part_b_columns(past: Past, years: int) -> _Codes:
    """Give the site of Part B in each of so many years; -1 where nobody's is known."""
    return past.column[_YEARLY + _PART_B :: _A_YEAR][:years]
