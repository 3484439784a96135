"""One draw again, clinician by clinician: the table of everything that went into it and came out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from asmrisk.clinician_tables.arrays import ScoredCohort, frame_of, score_arrays, texts_of
from asmrisk.rule.arrays import Observed
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS, YEARS
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.draw import DrawRange, simulate_draws
from asmrisk.simulation.keys import generation_of, member_of
from asmrisk.simulation.model import Model
from asmrisk.simulation.record import make_record

__all__ = ["ReplayedYear", "replay_draw", "replay_draws", "replayed_years"]


class ReplayedYear(NamedTuple):
    """One cohort in one performance year of a draw, as simulated; arrays of the measured clinicians."""

    year: int  #: performance year, counted from the first
    number: np.ndarray  #: int64: each one's number among the cohort's clinicians
    slot: np.ndarray  #: int64
    practice: np.ndarray  #: int64: index of the practice among the cohort's
    place: np.ndarray  #: int64: number in the practice's counter words
    member: np.ndarray  #: int64: place in the practice
    area: np.ndarray  #: int64
    generation: np.ndarray  #: int64: how many held the slot before
    mips_score: np.ndarray  #: float64: MIPS final score without the model; NaN of qualifying participants
    mips_group: np.ndarray  #: int8: 1 where it is that of the practice, 0 where it is one's own
    cohort: ScoredCohort


def replayed_years(model: Model, draw: int) -> Iterator[ReplayedYear]:
    """Simulate one draw, and give its cohorts year by year.

    The simulation keeps the observations of all years but scores of the last year alone: the others are
    scored again, by the same kernel and to the same bits.

    Parameters
    ----------
    model : Model
        The run's scenario made ready.
    draw : int
        Number of the draw, from 0.

    Yields
    ------
    ReplayedYear
        By performance year, then by cohort.
    """
    inputs = model.inputs_of(draw)
    record = make_record(1, int(inputs.roster_prior.clinicians.sum()))
    cohorts = []
    for cohort in range(len(COHORTS)):
        work = model.workspace(inputs)
        progress = np.zeros(2, np.int64)
        simulate_draws(inputs, DrawRange(draw, cohorts=(cohort, cohort + 1)), record, work, progress)
        cohorts.append(work)
    for year in range(YEARS):
        for cohort, work in enumerate(cohorts):
            field, out = work.field, work.observations
            observed = Observed(*(getattr(out, name)[year] for name in Observed._fields))
            n = int(field.participants[year])
            number = field.member[year, :n].astype(np.int64)
            scored = score_arrays(cohort, inputs.policy[0, year], observed, n)
            base = field.base[number]
            yield ReplayedYear(
                year,
                number,
                field.slot[number],
                field.practice[number],
                field.number[number],
                member_of(base),
                out.area[year, :n].astype(np.int64),
                generation_of(base),
                out.mips_score[year, :n].copy(),
                out.mips_group[year, :n].copy(),
                scored,
            )


def replay_draw(scenario: Scenario, draw: int) -> pd.DataFrame:
    """Simulate one draw of a scenario, with its own ``run.seed``, and give its table as `replay_draws`."""
    return next(replay_draws(Model(scenario), [draw]))


def replay_draws(model: Model, draws: Iterable[int]) -> Iterator[pd.DataFrame]:
    """Simulate some draws, one after the other, and give every clinician-year of each.

    Parameters
    ----------
    model : Model
        The run's scenario made ready.
    draws : iterable of int
        Numbers of the draws, from 0.

    Yields
    ------
    pandas.DataFrame
        The clinician table (see `asmrisk.clinician_tables.table`), one row for each measured clinician and
        performance year, with what was observed and what the rule made of it, by year, cohort and slot. A
        synthetic practice is called by cohort and number, its clinicians by their member and generation
        besides. A roster's clinicians and practices have their own identities.
    """
    names = _names(model)
    for draw in draws:
        years = list(replayed_years(model, draw))
        cohorts = [each.cohort for each in years]
        yield frame_of(cohorts, [PERFORMANCE_YEARS[each.year] for each in years], _identities(years, names))


class _Names(NamedTuple):
    """What clinicians and practices are called, by cohort; a roster's own are a cohort's first."""

    start: list[str]  #: how names of all others begin
    clinicians: list[list[str]]
    practices: list[list[str]]


def _names(model: Model) -> _Names:
    if model.roster is None:
        return _Names(list(COHORTS), [[] for _ in COHORTS], [[] for _ in COHORTS])
    ids, cohorts = model.roster.practices.ids, model.roster.cohorts
    clinicians = [each.ids.tolist() for each in cohorts]
    practices = [ids[np.unique(each.practice)].tolist() for each in cohorts]
    taken = [str(each) for names in (*clinicians, *practices) for each in names]
    peer = ""
    while any(each.startswith(tuple(f"{peer}{cohort}-" for cohort in COHORTS)) for each in taken):
        peer += "peer-"
    return _Names([f"{peer}{cohort}" for cohort in COHORTS], clinicians, practices)


def _identities(years: Sequence[ReplayedYear], names: _Names) -> dict[str, ExtensionArray]:
    """Name clinicians, practices and areas: columns of text."""
    cohort = np.repeat([each.cohort.cohort for each in years], [each.cohort.n for each in years])
    number, practice, place, member, generation, area = (
        np.concatenate([getattr(each, name) for each in years])
        for name in ("number", "practice", "place", "member", "generation", "area")
    )
    # Each part of a name is written once, not for every clinician-year.
    _, first, whose = np.unique(practice * len(COHORTS) + cohort, return_index=True, return_inverse=True)
    practices, starts = [], []
    for of, each, at in zip(*(column[first].tolist() for column in (cohort, practice, place)), strict=True):
        start, own = names.start[of], names.practices[of]
        if each < len(own):
            # Who follows one of the roster's clinicians; its practice may have the other cohort's too.
            practices.append(own[each])
            starts.append(f"{start}-of-{own[each]}")
        else:
            practices.append(f"{start}-{at:05d}")
            starts.append(practices[-1])
    clinicians = np.array(starts, object)[whose]
    clinicians += _numbered("-{:02d}", member) + _numbered("-{}", generation)
    for of, ids in enumerate(names.clinicians):
        # Clinicians are numbered by year of entry, and those of the first year by slot.
        mine = (cohort == of) & (number < len(ids))
        clinicians[mine] = np.array(ids, object)[number[mine]]
    return {
        "clinician_id": pd.array(clinicians, dtype="str"),
        "practice_id": texts_of(practices, whose),
        "area": pd.array(_numbered("area-{:03d}", area), dtype="str"),
    }


def _numbered(form: str, numbers: np.ndarray) -> np.ndarray:
    """Write numbers from 0 in a form, each of them once: an array of objects."""
    texts = [form.format(number) for number in range(numbers.max(initial=-1) + 1)]
    written: np.ndarray = np.array(texts, object)[numbers]
    return written
