"""What past years tell about habits of reporting: between which scores each one lay, and what colleagues add.

Reporting nothing and the submission of each measure are a clinician's habits, most of which colleagues share;
improvement activities and promoting interoperability are one habit each of the practice. A habit that decides
between few outcomes leaves an interval of its score, one that decides a number a point.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.clinician_tables.checks import KNOWN_YEARS
from asmrisk.numerics.jit import inline, inner, kernel
from asmrisk.numerics.portable_math import log, normal_exp
from asmrisk.numerics.portable_normal import log_probability, probability, quantile
from asmrisk.population.joint_inference import Scores, Sites, covariance, joined, padded, part_of
from asmrisk.population.latents import (
    HABITS,
    IMPROVEMENT,
    INTEROPERABILITY,
    NONREPORTING,
    SHARED_HABITS,
    SUBMISSION,
)
from asmrisk.population.roster import UNKNOWN, Clinicians, Roster
from asmrisk.population.roster_beliefs import MOST_NOISE, SEEN_NOISE, Beliefs, Cavity, normal_site
from asmrisk.population.roster_inference import SWEEPS, infer
from asmrisk.population.roster_pattern import Pattern, find_pattern
from asmrisk.population.roster_shared import SharedScores
from asmrisk.rule.definitions import (
    COHORTS,
    MOST_MEASURES,
    NOT_REPORTED,
    PERFORMANCE_YEARS,
    measures_of,
    size_class,
)

__all__ = [
    "FARTHEST",
    "SHARED_HABIT_ROWS",
    "SWEEPS_MORE",
    "HabitEvidence",
    "HabitStart",
    "Habits",
    "begin_habits",
    "find_habit_evidence",
    "habit_posterior",
    "latest_of_practice",
    "truncated_moments",
]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: A score as good as infinite, of a habit of which nothing is known.
FARTHEST = 40.0
#: Habits that colleagues share in part, in the order in which `Habits.shared` has them.
SHARED_HABIT_ROWS = (NONREPORTING, *range(SUBMISSION, HABITS))
#: Probabilities stay inside the range of the normal quantile function.
_LEAST = 1e-12
#: Narrower intervals are points.
_POINT = 1e-6
#: Rounds of expectation propagation from what was seen told in another population. Means are then off by
#: 0.0001 of their standard deviation in the median and 0.024 in one of twenty, as by `SWEEPS` rounds from
#: nothing (0.0003 and 0.024).
SWEEPS_MORE = 2
#: Scores of both cohorts: reporting nothing, then the submission of each cohort's measures.
_JOINT = 1 + len(COHORTS) * MOST_MEASURES
#: Elements that can make a collaborative care arrangement, or more than anybody has.
_MOST_ELEMENTS = 6
#: What is seen: nothing at all or something was reported; a measure was missed, submitted with an unknown, a
#: known and the full share of its cases.
_SILENT, _HEARD, _MISSED, _SUBMITTED, _IN_PART, _WHOLE = range(6)

_size_class = inline(size_class)


class Habits(NamedTuple):
    """What is known of one cohort's n clinicians, habit by habit of `asmrisk.population.latents`.

    When last seen a habit lay between two scores. Given what is shared at the sites, and what was seen in
    earlier years, it is normal within them, with a mean of ``mean + gain @ shared``.
    """

    low: _Array  #: shape (HABITS, n): -FARTHEST where it was never seen
    high: _Array  #: shape (HABITS, n): FARTHEST where it was never seen
    years_since: _Codes  #: shape (HABITS, n): from then to the first performance year; -1 never seen
    mean: _Array  #: shape (HABITS, n)
    sd: _Array  #: shape (HABITS, n)
    gain: _Array  #: shape (HABITS, n, N)
    site: _Codes  #: shape (HABITS, n): of the year when it was last seen
    #: By row of `SHARED_HABIT_ROWS` in the first performance year, then by site.
    shared: SharedScores


class _Seen(NamedTuple):
    """What was seen of C habits of clinicians in some years, in the order of the years."""

    clinician: _Codes
    cohort: _Codes
    site: _Codes
    place: _Codes  #: of the site among the clinician's
    habit: _Codes
    what: _Codes
    years_since: _Codes
    practice_size: _Codes
    share: _Array  #: of the cases submitted


class HabitStart(NamedTuple):
    """The normal sites that stood for C habits seen in some years."""

    value: _Array  #: shape (C,)
    noise: _Array  #: shape (C,)


class HabitEvidence(NamedTuple):
    """What is known of the habits of a roster's clinicians and practices, whatever the population."""

    roster: Roster
    codes: list[int]  #: of the cohorts that have anybody
    sites: list[tuple[_Codes, _Codes]]  #: by these: habit and year of each site
    pattern: Pattern
    seen: _Seen
    #: Of each practice, by how many elements make a collaborative care arrangement, and the year of it.
    activities: _Array
    activities_year: _Codes
    interoperability: _Array
    interoperability_year: _Codes


def latest_of_practice(roster: Roster, values: list[_Array]) -> tuple[_Array, _Codes]:
    """Find the latest of what is one practice's, whoever's row it stands in.

    Parameters
    ----------
    roster : Roster
        Of P practices.
    values : list of ndarray of float64, shape (Y, n)
        By cohort, NaN where not known.

    Returns
    -------
    value, year : ndarray, shape (P,)
        NaN, and the last known year, where nothing is known.
    """
    found = np.full(roster.practices.count, np.nan)
    when = np.full(roster.practices.count, KNOWN_YEARS.first)
    for clinicians, known in zip(roster.cohorts, values, strict=True):
        for year, row in zip(clinicians.years.tolist(), known, strict=True):
            at = np.flatnonzero(~np.isnan(row))
            # Backwards, so that the first clinician's remains.
            at = at[(year >= when)[clinicians.practice[at]]][::-1]
            practice = clinicians.practice[at]
            found[practice], when[practice] = row[at], year
    return found, np.where(np.isnan(found), KNOWN_YEARS.last, when).astype(np.int64)


def find_habit_evidence(roster: Roster) -> HabitEvidence:
    """Find what is known of the habits of a roster's clinicians and practices."""
    codes = [code for code, each in enumerate(roster.cohorts) if each.count]
    sites, patterns, shares = [], [], []
    parts: list[tuple[_Codes | int, ...]] = []
    first = 0
    for code in codes:
        clinicians = roster.cohorts[code]
        used = [each for each in _what_was_seen(clinicians) if (each[2] >= 0).any()]
        seen = np.array([what >= 0 for _, _, what, _ in used]).reshape(len(used), clinicians.count).T
        places = np.cumsum(seen, axis=1) - 1
        for site, (habit, year, what, share) in enumerate(used):
            who = np.flatnonzero(what >= 0)
            since, size = PERFORMANCE_YEARS[0] - year, clinicians.practice_size[who]
            parts.append((who + first, code, site, places[who, site], habit, what[who], since, size))
            shares.append(share[who])
        sites.append(
            (np.array([each[0] for each in used], np.int64), np.array([each[1] for each in used], np.int64))
        )
        patterns.append(seen)
        first += clinicians.count
    told = [
        latest_of_practice(roster, [_activities(each, needed) for each in roster.cohorts])
        for needed in range(_MOST_ELEMENTS + 1)
    ]
    score, when = latest_of_practice(
        roster, [each.past.promoting_interoperability for each in roster.cohorts]
    )
    return HabitEvidence(
        roster=roster,
        codes=codes,
        sites=sites,
        pattern=find_pattern(
            [roster.cohorts[code].practice for code in codes],
            patterns,
            len(SHARED_HABIT_ROWS),
            roster.practices,
        ),
        seen=_Seen(**_columns(parts), share=np.concatenate([np.zeros(0), *shares])),
        activities=np.array([each[0] for each in told]),
        activities_year=np.array([each[1] for each in told]),
        interoperability=score,
        interoperability_year=when,
    )


def _columns(parts: list[tuple[_Codes | int, ...]]) -> dict[str, _Codes]:
    """Give the columns of `_Seen` but the last from rows, of each of which the first column says how many."""
    lengths = [np.shape(each[0]) for each in parts]
    return {
        name: np.concatenate(
            [np.zeros(0, np.int64)]
            + [
                np.broadcast_to(np.asarray(each[k], np.int64), n)
                for each, n in zip(parts, lengths, strict=True)
            ]
        )
        for k, name in enumerate(_Seen._fields[:-1])
    }


def _what_was_seen(clinicians: Clinicians) -> list[tuple[int, int, _Codes, _Array]]:
    """Give habit, year, what was seen of each clinician's (-1 nothing) and the share of cases submitted."""
    past, found = clinicians.past, []
    voluntary = [
        code for code, each in enumerate(measures_of(clinicians.cohort)) if not each.claims and each.final
    ]
    for year, types, completeness in zip(
        clinicians.years.tolist(), past.collection_type, past.completeness, strict=True
    ):
        stated = types != UNKNOWN
        reported = stated & (types != NOT_REPORTED)
        some = reported[voluntary].any(axis=0)
        none = stated[voluntary].all(axis=0) & ~some
        found.append(
            (NONREPORTING, year, np.where(some, _HEARD, np.where(none, _SILENT, -1)), np.zeros(len(some)))
        )
        for measure in voluntary:
            share = completeness[measure]
            how = np.select(
                [~reported[measure], np.isnan(share), share < 1.0], [_MISSED, _SUBMITTED, _IN_PART], _WHOLE
            )
            # Of who reported nothing at all it is not known whether this measure would have been missed.
            what = np.where(stated[measure] & ~none, how, -1)
            found.append((SUBMISSION + measure, year, what, np.nan_to_num(share)))
    return found


def _activities(clinicians: Clinicians, elements_needed: int) -> _Array:
    """Give the improvement activities attested, counted from their parts where these are known."""
    past = clinicians.past
    made = past.primary_care_connection + (past.collaborative_care_elements >= elements_needed)
    parts = ~np.isnan(past.primary_care_connection) & ~np.isnan(past.collaborative_care_elements)
    return np.where(parts, made, past.improvement_activities)


class _Thresholds(NamedTuple):
    """What decides habits in a population, by cohort first; fields as in its records."""

    practice_high: _Codes
    nothing_reported_z: _Array
    missed_probability: _Array
    incomplete_probability: _Array
    completeness_low: _Array
    completeness_slope: _Array
    improvement_none_z: _Array
    improvement_one_z: _Array
    interoperability_zero_probability: _Array
    interoperability_full_probability: _Array
    interoperability_low: _Array
    interoperability_slope: _Array


@inner
def _low_score(low: float) -> float:
    """Turn the lower probability of an interval into a score: 0 is as good as infinitely far."""
    low = min(max(low, _LEAST), 1.0 - _LEAST)
    return -FARTHEST if low <= _LEAST else quantile(low)


@inner
def _high_score(low: float, high: float) -> float:
    """Turn the higher probability of an interval into a score: 1 is as good as infinitely far."""
    high = min(max(max(high, low), _LEAST), 1.0 - _LEAST)
    return FARTHEST if high >= 1.0 - _LEAST else quantile(high)


@kernel
def _place(seen: _Seen, terms: _Thresholds, low: np.ndarray, high: np.ndarray, beliefs: Beliefs) -> None:
    """Write between which scores habits lay, shape (C,), and the sites that this makes before any round."""
    for c in range(seen.clinician.shape[0]):
        cohort, what, i, site = seen.cohort[c], seen.what[c], seen.clinician[c], seen.site[c]
        if seen.habit[c] == NONREPORTING:
            group, last = 0, terms.nothing_reported_z.shape[1] - 1
            while group < last and seen.practice_size[c] > terms.practice_high[cohort, group]:
                group += 1
            threshold = probability(terms.nothing_reported_z[cohort, group])
            below, above = (threshold, 1.0) if what == _HEARD else (0.0, threshold)
        else:
            measure = seen.habit[c] - SUBMISSION
            missed = terms.missed_probability[cohort, measure]
            enough = missed + terms.incomplete_probability[cohort, measure]
            slope = terms.completeness_slope[cohort, measure]
            point = missed
            if slope > 0.0:
                point += (seen.share[c] - terms.completeness_low[cohort]) / slope
            point = min(max(point, missed), enough)
            below = 0.0 if what == _MISSED else (missed if what == _SUBMITTED else enough)
            above = missed if what == _MISSED else 1.0
            below, above = (point, point) if what == _IN_PART else (below, above)
        low[c], high[c] = _low_score(below), _high_score(below, above)
        point_seen = high[c] - low[c] < _POINT
        beliefs.value[i, site] = low[c] if point_seen else 0.0
        beliefs.noise[i, site] = SEEN_NOISE if point_seen else MOST_NOISE


@inline
def truncated_moments(low: float, high: float) -> tuple[float, float]:
    """Give mean and standard deviation of a standard normal variable that lies between two scores.

    >>> mean, sd = truncated_moments(0.0, 40.0)
    >>> round(float(mean), 6), round(float(sd), 6)
    (0.797885, 0.60281)
    """
    # In the lower half, where probabilities keep their digits; in logarithms, however far out.
    mirrored = low + high > 0.0
    left = -high if mirrored else low
    right = -low if mirrored else high
    above = log_probability(right)
    apart = min(log_probability(left) - above, -_LEAST)
    # 1 - exp(apart), by its series where that would lose digits.
    series = 1.0 + apart / 2.0 * (1.0 + apart / 3.0 * (1.0 + apart / 4.0 * (1.0 + apart / 5.0)))
    mass = above + log(-apart * series if apart > -1e-3 else 1.0 - normal_exp(apart))
    first = normal_exp(-0.5 * left * left - mass) / 2.5066282746310002
    last = normal_exp(-0.5 * right * right - mass) / 2.5066282746310002
    mean = min(max(first - last, left), right)
    variance = 1.0 + left * first - right * last - mean * mean
    return (-mean if mirrored else mean), math.sqrt(max(variance, _POINT * _POINT))


@kernel
def _refine(
    seen: _Seen, low: np.ndarray, high: np.ndarray, beliefs: Beliefs, cavity: Cavity, scratch: np.ndarray
) -> None:
    """Give the sites of intervals the moments between their ends; `scratch` has shape (4, C)."""
    left, right, center, spread = scratch[0], scratch[1], scratch[2], scratch[3]
    # Side by side, so that their moments are found in a loop of vector instructions.
    count = 0
    for c in range(seen.clinician.shape[0]):
        if high[c] - low[c] >= _POINT:
            i, site = seen.clinician[c], seen.site[c]
            mean, sd = cavity.mean[i, site], math.sqrt(cavity.variance[i, site])
            left[count], right[count] = (low[c] - mean) / sd, (high[c] - mean) / sd
            count += 1
    for k in range(count):
        center[k], spread[k] = truncated_moments(left[k], right[k])
    count = 0
    for c in range(seen.clinician.shape[0]):
        if high[c] - low[c] >= _POINT:
            i, site = seen.clinician[c], seen.site[c]
            mean, sd = cavity.mean[i, site], math.sqrt(cavity.variance[i, site])
            normal_site(beliefs, cavity, i, site, mean + sd * center[count], sd * spread[count])
            count += 1


@kernel
def _write_habits(
    pattern: Pattern,
    seen: _Seen,
    cohort: int,
    code: int,
    low: np.ndarray,
    high: np.ndarray,
    beliefs: Beliefs,
    habits: Habits,
) -> None:
    """Find when each habit was last seen, and what the years before and the colleagues tell of it."""
    first = pattern.clinician[cohort]
    for c in range(seen.clinician.shape[0]):
        if seen.cohort[c] == code:
            i, site, habit, a = seen.clinician[c], seen.site[c], seen.habit[c], seen.place[c]
            at, start = i - first, pattern.seen_start[i]
            habits.low[habit, at], habits.high[habit, at] = low[c], high[c]
            habits.years_since[habit, at] = seen.years_since[c]
            habits.site[habit, at] = site
            # Given all but the site itself, and what is shared.
            precision = beliefs.precision[i, a, a]
            habits.mean[habit, at] = beliefs.value[i, site] - beliefs.weighted[i, a] / precision
            for b in range(pattern.seen_start[i + 1] - start):
                habits.gain[habit, at, pattern.seen[start + b]] = beliefs.precision[i, a, b] / precision
            habits.sd[habit, at] = math.sqrt(max(1.0 / precision - beliefs.noise[i, site], SEEN_NOISE))


@kernel
def _write_conduct(
    terms: _Thresholds,
    code: int,
    practice: np.ndarray,
    size: np.ndarray,
    activities: np.ndarray,
    activities_year: np.ndarray,
    scores: np.ndarray,
    scores_year: np.ndarray,
    habits: Habits,
) -> None:
    """Write the habits that are a practice's: improvement activities and promoting interoperability."""
    for i in range(practice.shape[0]):
        p = practice[i]
        group = _size_class(size[p])
        attested, score = activities[p], scores[p]
        if not np.isnan(attested):
            none = probability(terms.improvement_none_z[code, group])
            one = probability(terms.improvement_one_z[code, group])
            low = 0.0 if attested == 0.0 else (none if attested == 1.0 else one)
            high = none if attested == 0.0 else (one if attested == 1.0 else 1.0)
            habits.low[IMPROVEMENT, i], habits.high[IMPROVEMENT, i] = _low_score(low), _high_score(low, high)
            habits.years_since[IMPROVEMENT, i] = PERFORMANCE_YEARS[0] - activities_year[p]
        if not np.isnan(score):
            zero = terms.interoperability_zero_probability[code, group]
            full = 1.0 - terms.interoperability_full_probability[code, group]
            slope = terms.interoperability_slope[code, group]
            point = zero
            if slope > 0.0:
                point += (score - terms.interoperability_low[code]) / slope
            point = min(max(point, zero), max(zero, full))
            low = 0.0 if score == 0.0 else (full if score == 100.0 else point)
            high = zero if score == 0.0 else (1.0 if score == 100.0 else point)
            habits.low[INTEROPERABILITY, i] = _low_score(low)
            habits.high[INTEROPERABILITY, i] = _high_score(low, high)
            habits.years_since[INTEROPERABILITY, i] = PERFORMANCE_YEARS[0] - scores_year[p]


def _scores(record: np.record) -> Scores:
    practice = np.full(_JOINT, record["practice_share"][SHARED_HABITS])
    area = np.full(_JOINT, record["area_share"][SHARED_HABITS])
    lasting = np.full((len(COHORTS), _JOINT), record["habit_persistence"])
    return Scores(practice, area, np.maximum(1.0 - practice - area, 0.0), lasting, lasting)


def _rows(code: int, habit: _Codes, year: _Codes) -> Sites:
    """Give the scores in the first performance year, then the sites, of a cohort."""
    every = np.concatenate([SHARED_HABIT_ROWS, habit])
    number = np.where(every == NONREPORTING, 0, 1 + code * MOST_MEASURES + every - SUBMISSION)
    years = np.concatenate([np.full(len(SHARED_HABIT_ROWS), PERFORMANCE_YEARS[0]), year])
    return Sites(np.eye(_JOINT)[number], years, np.full(len(years), code))


class _Learned(NamedTuple):
    terms: _Thresholds
    low: _Array  #: shape (C,)
    high: _Array  #: shape (C,)
    beliefs: Beliefs
    shared: list[SharedScores]


def _learn(population: np.recarray, known: HabitEvidence, start: HabitStart | None) -> _Learned:
    """Learn what all that was seen tells, from nothing on, or from what it told in another population."""
    scores, pattern, seen = _scores(population[0]), known.pattern, known.seen
    terms = _Thresholds(*(np.ascontiguousarray(population[name]) for name in _Thresholds._fields))
    rows = [_rows(code, *sites) for code, sites in zip(known.codes, known.sites, strict=True)]
    most, longest = (
        max(len(each) for each, _ in known.sites),
        padded(int(np.diff(pattern.seen_start).max())),
    )
    n, now = int(pattern.clinician[-1]), len(SHARED_HABIT_ROWS)
    own = np.zeros((len(rows), most, most))
    for each, every in zip(own, rows, strict=True):
        then = part_of(every, slice(now, None))
        size = len(then.year)
        each[:size, :size] = covariance(then, then, scores.own, scores.own_persistence)
    beliefs = Beliefs(
        kind=np.repeat(np.arange(len(rows)), np.diff(pattern.clinician)),
        own=own,
        value=np.zeros((n, most)),
        noise=np.ones((n, most)),
        precision=np.zeros((n, longest, longest)),
        weighted=np.empty((n, longest)),
        moved=np.ones(n, np.int64),
    )
    low, high = np.empty(len(seen.share)), np.empty(len(seen.share))
    scratch = np.empty((4, len(seen.share)))
    _place(seen, terms, low, high, beliefs)
    if start is not None:
        between = high - low >= _POINT
        where = seen.clinician[between], seen.site[between]
        beliefs.value[where], beliefs.noise[where] = start.value[between], start.noise[between]

    def refine(cavity: Cavity) -> None:
        _refine(seen, low, high, beliefs, cavity, scratch)

    sweeps = SWEEPS if start is None else SWEEPS_MORE
    return _Learned(terms, low, high, beliefs, infer(pattern, beliefs, joined(rows), scores, refine, sweeps))


def begin_habits(population: np.recarray, known: HabitEvidence) -> HabitStart:
    """Learn what a roster's habits tell in one population, which is nearly what they tell in another.

    Parameters
    ----------
    population, known
        As for `habit_posterior`.

    Returns
    -------
    HabitStart
        From which `habit_posterior` begins.
    """
    beliefs, where = _learn(population, known, None).beliefs, (known.seen.clinician, known.seen.site)
    return HabitStart(beliefs.value[where], beliefs.noise[where])


def habit_posterior(
    population: np.recarray, known: HabitEvidence, start: HabitStart | None = None
) -> tuple[Habits | None, ...]:
    """Find what is known of the habits of a roster's clinicians and practices.

    Parameters
    ----------
    population : recarray of POPULATION_DTYPE, shape (2,)
        By cohort.
    known : HabitEvidence
        Of the roster.
    start : HabitStart, optional
        What it tells in a population like this one: nothing is known of that if not given.

    Returns
    -------
    tuple of Habits or None
        By cohort; None where the roster has nobody.
    """
    roster, pattern, seen = known.roster, known.pattern, known.seen
    terms, low, high, beliefs, inferred = _learn(population, known, start)
    found: list[Habits | None] = [None] * len(COHORTS)
    for cohort, (code, shared, sites) in enumerate(zip(known.codes, inferred, known.sites, strict=True)):
        clinicians = roster.cohorts[code]
        shape = HABITS, clinicians.count
        habits = Habits(
            low=np.full(shape, -FARTHEST),
            high=np.full(shape, FARTHEST),
            years_since=np.full(shape, -1),
            mean=np.zeros(shape),
            sd=np.ones(shape),
            gain=np.zeros((*shape, len(sites[0]))),
            site=np.zeros(shape, np.int64),
            shared=shared,
        )
        _write_habits(pattern, seen, cohort, code, low, high, beliefs, habits)
        needed = min(int(population["collaborative_care_elements"][code]), _MOST_ELEMENTS)
        _write_conduct(
            terms,
            code,
            clinicians.practice,
            roster.practices.size,
            known.activities[needed],
            known.activities_year[needed],
            known.interoperability,
            known.interoperability_year,
            habits,
        )
        found[code] = habits
    return tuple(found)
