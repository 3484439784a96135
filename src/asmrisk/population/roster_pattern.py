"""Where something is known of a roster: whose sites, in which practices and areas, whatever it tells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.population.roster_practices import Practices

__all__ = ["Pattern", "find_pattern"]

_Codes = NDArray[np.int64]


class Pattern(NamedTuple):
    """Where something is known of a roster's n clinicians, in P practices and some areas.

    Clinicians are those of all cohorts, one cohort after the other. A cohort's sites are numbered from 0.
    *Rows* are those of all cohorts together: of each the K scores in the first performance year, then its
    sites. A list that begins at ``*_start[i]`` and ends before ``*_start[i + 1]`` belongs to item i.
    """

    clinician: _Codes  #: shape (cohorts + 1,): first clinician of each cohort
    row: _Codes  #: shape (cohorts + 1,): first row of each cohort
    scores: int  #: K
    practice: _Codes  #: shape (n,): of each clinician
    seen_start: _Codes  #: shape (n + 1,)
    seen: _Codes  #: sites of each clinician
    place: _Codes  #: of each of these among the rows of the practice
    member_start: _Codes  #: shape (P + 1,)
    member: _Codes  #: clinicians of each practice
    known_start: _Codes  #: shape (P + 1,)
    known: _Codes  #: rows of which something is known in each practice
    known_place: _Codes  #: of each of these among the rows of the area
    area_start: _Codes  #: shape (areas + 1,)
    area: _Codes  #: practices of each area; one whose area is not known has an area of its own
    rows_start: _Codes  #: shape (areas + 1,)
    rows: _Codes  #: rows of which something is known in each area
    areas: int  #: how many areas are known: the first ones
    present: (
        _Codes  #: shape (cohorts, P): index among the practices of a cohort; -1 where it has nobody there
    )


def _lists(groups: list[_Codes]) -> tuple[_Codes, _Codes]:
    """Give lists one after the other, and where each begins."""
    start = np.cumsum([0, *map(len, groups)]).astype(np.int64)
    return start, np.concatenate([np.zeros(0, np.int64), *groups]).astype(np.int64)


def find_pattern(
    practice: list[_Codes], seen: list[NDArray[np.bool_]], scores: int, practices: Practices
) -> Pattern:
    """Find who works with whom and where anything is known.

    Parameters
    ----------
    practice : list of ndarray of int64, shape (n,)
        By cohort: the practice of each clinician.
    seen : list of ndarray of bool, shape (n, N)
        By cohort: where something is known.
    scores : int
        Scores of a clinician in the first performance year.
    practices : Practices
        Of the roster.
    """
    every = np.concatenate(practice)
    row = np.cumsum([0, *(scores + each.shape[1] for each in seen)]).astype(np.int64)
    sites = [np.flatnonzero(line) for each in seen for line in each]
    cohort = np.repeat(np.arange(len(seen)), [len(each) for each in practice])
    member = [np.flatnonzero(every == each) for each in range(practices.count)]
    rows = [sites[i] + row[cohort[i]] + scores for i in range(len(every))]
    nothing = np.zeros(0, np.int64)
    known = [np.unique(np.concatenate([nothing, *(rows[i] for i in each)])) for each in member]
    known_areas = len(practices.areas)
    area = practices.area.copy()
    unknown = area < 0
    area[unknown] = known_areas + np.arange(unknown.sum())
    groups = [np.flatnonzero(area == each) for each in range(known_areas + int(unknown.sum()))]
    area_rows = [np.unique(np.concatenate([nothing, *(known[p] for p in each)])) for each in groups]
    seen_start, seen_list = _lists(sites)
    member_start, members = _lists(member)
    known_start, known_list = _lists(known)
    area_start, area_list = _lists(groups)
    rows_start, rows_list = _lists(area_rows)
    present = np.full((len(seen), practices.count), -1)
    for each, theirs in zip(present, practice, strict=True):
        here = np.unique(theirs)
        each[here] = np.arange(len(here))
    return Pattern(
        clinician=np.cumsum([0, *map(len, practice)]).astype(np.int64),
        row=row,
        scores=scores,
        practice=every,
        seen_start=seen_start,
        seen=seen_list,
        place=_lists([np.searchsorted(known[every[i]], rows[i]) for i in range(len(every))])[1],
        member_start=member_start,
        member=members,
        known_start=known_start,
        known=known_list,
        known_place=_lists([np.searchsorted(area_rows[area[p]], known[p]) for p in range(practices.count)])[
            1
        ],
        area_start=area_start,
        area=area_list,
        rows_start=rows_start,
        rows=rows_list,
        areas=known_areas,
        present=present,
    )
