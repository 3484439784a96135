"""What past years tell about habits of reporting: between which scores each one lay, and what colleagues add.

Reporting nothing and the submission of each measure are a clinician's habits, most of which colleagues share;
improvement activities and promoting interoperability are one habit each of the practice. A habit that decides
between few outcomes leaves an interval of its score, one that decides a number a point.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from asmrisk.clinician_tables.checks import KNOWN_YEARS
from asmrisk.population.joint_inference import Information, Scores, Sites
from asmrisk.population.latents import (
    HABITS,
    IMPROVEMENT,
    INTEROPERABILITY,
    NONREPORTING,
    SHARED_HABITS,
    SUBMISSION,
)
from asmrisk.population.roster import UNKNOWN, Clinicians, Roster
from asmrisk.population.roster_inference import SEEN_NOISE, Cohort, SharedScores, infer, own_covariances
from asmrisk.rule.definitions import (
    COHORTS,
    MOST_MEASURES,
    NOT_REPORTED,
    PERFORMANCE_YEARS,
    measures_of,
    size_class,
)

__all__ = ["FARTHEST", "SHARED_HABIT_ROWS", "Habits", "habit_posterior", "latest_of_practice"]

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
#: Scores of both cohorts: reporting nothing, then the submission of each cohort's measures.
_JOINT = 1 + len(COHORTS) * MOST_MEASURES


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


def habit_posterior(population: np.recarray, roster: Roster) -> tuple[Habits | None, ...]:
    """Find what is known of the habits of a roster's clinicians and practices.

    Parameters
    ----------
    population : recarray of POPULATION_DTYPE, shape (2,)
        By cohort.
    roster : Roster
        What is known.

    Returns
    -------
    tuple of Habits or None
        By cohort; None where the roster has nobody.
    """
    scores = _scores(population[0])
    codes = [code for code, each in enumerate(roster.cohorts) if each.count]
    intervals = {code: list(_intervals(population[code], roster.cohorts[code])) for code in codes}
    cohorts = [_cohort(code, roster.cohorts[code], intervals[code], scores) for code in codes]
    found: list[Habits | None] = [None] * len(COHORTS)
    inferred = infer(cohorts, scores, roster.practices)
    for code, cohort, (told, shared) in zip(codes, cohorts, inferred, strict=True):
        habits = _habits(roster.cohorts[code], intervals[code], cohort, told, shared)
        _add_conduct(population[code], roster, roster.cohorts[code], habits)
        found[code] = habits
    return tuple(found)


def _scores(record: np.record) -> Scores:
    practice = np.full(_JOINT, record.practice_share[SHARED_HABITS])
    area = np.full(_JOINT, record.area_share[SHARED_HABITS])
    lasting = np.full((len(COHORTS), _JOINT), record.habit_persistence)
    return Scores(practice, area, np.maximum(1.0 - practice - area, 0.0), lasting, lasting[:1])


class _Interval(NamedTuple):
    """Between which probabilities a habit of n clinicians lay in a year."""

    habit: int
    year: int
    seen: NDArray[np.bool_]
    low: _Array
    high: _Array


def _intervals(population: np.record, clinicians: Clinicians) -> Iterator[_Interval]:
    """Give what was seen of habits of reporting, year by year."""
    past = clinicians.past
    voluntary = [
        code for code, each in enumerate(measures_of(clinicians.cohort)) if not each.claims and each.final
    ]
    group = np.searchsorted(population.practice_high, clinicians.practice_size)
    threshold = ndtr(population.nothing_reported_z[np.minimum(group, len(population.nothing_reported_z) - 1)])
    for year, types, completeness in zip(
        clinicians.years.tolist(), past.collection_type, past.completeness, strict=True
    ):
        stated = types != UNKNOWN
        reported = stated & (types != NOT_REPORTED)
        some = reported[voluntary].any(axis=0)
        none = stated[voluntary].all(axis=0) & ~some
        yield _Interval(
            NONREPORTING, year, some | none, np.where(some, threshold, 0.0), np.where(some, 1.0, threshold)
        )
        for measure in voluntary:
            missed = population.missed_probability[measure]
            enough = missed + population.incomplete_probability[measure]
            slope = population.completeness_slope[measure]
            share = completeness[measure]
            point = missed + (share - population.completeness_low) / (slope if slope > 0.0 else np.inf)
            point = np.clip(point, missed, enough)
            cases = [~reported[measure], np.isnan(share), share < 1.0]
            low = np.select(cases, [0.0, missed, point], enough)
            high = np.select(cases, [missed, 1.0, point], 1.0)
            # Of who reported nothing at all it is not known whether this measure would have been missed.
            yield _Interval(SUBMISSION + measure, year, stated[measure] & ~none, low, high)


def _as_scores(low: _Array, high: _Array) -> tuple[_Array, _Array]:
    """Turn probabilities into scores: an end at 0 or 1 is as good as infinitely far."""
    low = np.clip(low, _LEAST, 1.0 - _LEAST)
    high = np.clip(np.maximum(high, low), _LEAST, 1.0 - _LEAST)
    open_below, open_above = low <= _LEAST, high >= 1.0 - _LEAST
    return np.where(open_below, -FARTHEST, ndtri(low)), np.where(open_above, FARTHEST, ndtri(high))


def _cohort(code: int, clinicians: Clinicians, intervals: list[_Interval], scores: Scores) -> Cohort:
    """Gather the sites of a cohort: each habit in each year, where it was seen at all."""
    numbers = np.array(
        [0, *(1 + code * MOST_MEASURES + measure for measure in range(MOST_MEASURES))], dtype=np.int64
    )
    row = {habit: numbers[place] for place, habit in enumerate(SHARED_HABIT_ROWS)}
    used = [each for each in intervals if each.seen.any()]
    unit = np.eye(_JOINT)
    count = len(used)
    sites = Sites(
        unit[[row[each.habit] for each in used]].reshape(count, _JOINT),
        np.array([each.year for each in used], dtype=np.int64),
        np.full(count, code),
    )
    now = Sites(unit[numbers], np.full(len(numbers), PERFORMANCE_YEARS[0]), np.full(len(numbers), code))
    own, cross = own_covariances(now, sites, scores.own, scores.own_persistence)
    seen = np.zeros((clinicians.count, count), dtype=bool)
    low, high = np.zeros(seen.shape), np.zeros(seen.shape)
    for site, each in enumerate(used):
        seen[:, site] = each.seen
        low[:, site], high[:, site] = _as_scores(each.low, each.high)
    point = seen & (high - low < _POINT)
    pending = seen & ~point

    def moments(mean: _Array, variance: _Array) -> list[tuple[_Codes, _Codes, _Array, _Array]]:
        clinician, site = at = np.nonzero(pending)
        sd = np.sqrt(variance[at])
        center, spread = truncated_moments((low[at] - mean[at]) / sd, (high[at] - mean[at]) / sd)
        return [(clinician, site, mean[at] + sd * center, sd * spread)]

    return Cohort(
        practice=clinicians.practice,
        now=now,
        sites=sites,
        kind=np.zeros(clinicians.count, np.int64),
        own=own,
        cross=cross,
        value=np.where(point, low, np.nan),
        noise=np.where(point, SEEN_NOISE, np.nan),
        pending=pending,
        moments=moments,
    )


def truncated_moments(low: _Array, high: _Array) -> tuple[_Array, _Array]:
    """Give mean and standard deviation of a standard normal variable that lies between two scores.

    >>> mean, sd = truncated_moments(np.array([0.0]), np.array([40.0]))
    >>> round(float(mean[0]), 6), round(float(sd[0]), 6)
    (0.797885, 0.60281)
    """
    # In the lower half, where probabilities keep their digits; in logarithms, however far out.
    mirrored = low + high > 0.0
    low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    below, above = log_ndtr(low), log_ndtr(high)
    mass = above + np.log(-np.expm1(np.minimum(below - above, -_LEAST)))
    density = [np.exp(-end * end / 2.0 - mass) / np.sqrt(2.0 * np.pi) for end in (low, high)]
    mean = np.clip(density[0] - density[1], low, high)
    variance = 1.0 + low * density[0] - high * density[1] - mean * mean
    return np.where(mirrored, -mean, mean), np.sqrt(np.maximum(variance, _POINT**2))


def _habits(
    clinicians: Clinicians,
    intervals: list[_Interval],
    cohort: Cohort,
    told: Information,
    shared: SharedScores,
) -> Habits:
    """Find when each habit was last seen, and what the years before and the colleagues tell of it."""
    n, count = clinicians.count, len(cohort.sites.year)
    habits = Habits(
        low=np.full((HABITS, n), -FARTHEST),
        high=np.full((HABITS, n), FARTHEST),
        years_since=np.full((HABITS, n), -1),
        mean=np.zeros((HABITS, n)),
        sd=np.ones((HABITS, n)),
        gain=np.zeros((HABITS, n, count)),
        site=np.zeros((HABITS, n), np.int64),
        shared=shared,
    )
    diagonal = np.diagonal(told.precision, axis1=1, axis2=2)
    for site, each in enumerate(each for each in intervals if each.seen.any()):
        at, habit = np.flatnonzero(each.seen), each.habit
        habits.low[habit, at], habits.high[habit, at] = (end[at] for end in _as_scores(each.low, each.high))
        habits.years_since[habit, at] = PERFORMANCE_YEARS[0] - each.year
        habits.site[habit, at] = site
        # Given all but the site itself (`leave_one_out`), and what is shared.
        precision = diagonal[at, site]
        habits.mean[habit, at] = cohort.value[at, site] - told.weighted[at, site] / precision
        habits.gain[habit, at] = told.precision[at, site] / precision[:, None]
        habits.sd[habit, at] = np.sqrt(np.maximum(1.0 / precision - cohort.noise[at, site], SEEN_NOISE))
    return habits


def _activities(clinicians: Clinicians, elements_needed: int) -> _Array:
    """Give the improvement activities attested, counted from their parts where these are known."""
    past = clinicians.past
    made = past.primary_care_connection + (past.collaborative_care_elements >= elements_needed)
    parts = ~np.isnan(past.primary_care_connection) & ~np.isnan(past.collaborative_care_elements)
    return np.where(parts, made, past.improvement_activities)


def _add_conduct(population: np.record, roster: Roster, clinicians: Clinicians, habits: Habits) -> None:
    """Write the habits that are a practice's: improvement activities and promoting interoperability."""
    size = size_class(roster.practices.size)
    none, one = ndtr(population.improvement_none_z[size]), ndtr(population.improvement_one_z[size])
    needed = population.collaborative_care_elements
    attested, when = latest_of_practice(roster, [_activities(each, needed) for each in roster.cohorts])
    low: _Array = np.select([attested == 0, attested == 1], [np.zeros_like(none), none], one)
    high: _Array = np.select([attested == 0, attested == 1], [none, one], np.ones_like(one))
    _write_conduct(habits, IMPROVEMENT, clinicians, attested, when, low, high)

    zero = population.interoperability_zero_probability[size]
    full = 1.0 - population.interoperability_full_probability[size]
    score, when = latest_of_practice(
        roster, [each.past.promoting_interoperability for each in roster.cohorts]
    )
    slope = population.interoperability_slope[size]
    point = zero + (score - population.interoperability_low) / np.where(slope > 0.0, slope, np.inf)
    point = np.clip(point, zero, np.maximum(zero, full))
    low = np.select([score == 0.0, score == 100.0], [0.0, full], point)
    high = np.select([score == 0.0, score == 100.0], [zero, 1.0], point)
    _write_conduct(habits, INTEROPERABILITY, clinicians, score, when, low, high)


def _write_conduct(
    habits: Habits, habit: int, clinicians: Clinicians, known: _Array, when: _Codes, low: _Array, high: _Array
) -> None:
    at = np.flatnonzero(~np.isnan(known)[clinicians.practice])
    practice = clinicians.practice[at]
    habits.low[habit, at], habits.high[habit, at] = _as_scores(low[practice], high[practice])
    habits.years_since[habit, at] = PERFORMANCE_YEARS[0] - when[practice]
