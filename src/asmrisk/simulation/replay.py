"""One draw again, clinician by clinician: the table of everything that went into it and came out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from asmrisk.clinician_tables.arrays import ScoredCohort, frame_of, score_arrays
from asmrisk.clinician_tables.columns import in_table_order
from asmrisk.rule.arrays import Observed
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS, YEARS
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.draw import DrawRange, simulate_draws
from asmrisk.simulation.keys import generation_of, member_of
from asmrisk.simulation.model import Model
from asmrisk.simulation.record import make_record

__all__ = ["ReplayedYear", "replay_draw", "replayed_years"]


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
    """Simulate one draw and give every clinician-year of it.

    Parameters
    ----------
    scenario : Scenario
        As the run's.
    draw : int
        Number of the draw, from 0.

    Returns
    -------
    pandas.DataFrame
        The clinician table (see `asmrisk.clinician_tables.table`), one row for each measured clinician and
        performance year, with what was observed and what the rule made of it, by year, cohort and slot. A
        synthetic practice is called by cohort and number, its clinicians by their member and generation
        besides. A roster's clinicians and practices have their own identities.
    """
    model = Model(scenario)
    own: list[tuple[list[str], list[str]]] = [([], []) for _ in COHORTS]
    if model.roster is not None:
        ids = model.roster.practices.ids
        own = [(each.ids.tolist(), ids[np.unique(each.practice)].tolist()) for each in model.roster.cohorts]
    taken = [str(each) for identities in own for names in identities for each in names]
    peer = ""
    while any(each.startswith(tuple(f"{peer}{cohort}-" for cohort in COHORTS)) for each in taken):
        peer += "peer-"
    frames = [
        frame_of(year.cohort, PERFORMANCE_YEARS[year.year], _identities(year, *own[year.cohort.cohort], peer))
        for year in replayed_years(model, draw)
    ]
    return in_table_order(pd.concat(frames, ignore_index=True))


def _identities(
    year: ReplayedYear, own: Sequence[str], own_practices: Sequence[str], peer: str
) -> dict[str, list[str]]:
    """Name clinicians, practices and areas; a roster's own clinicians and practices are a cohort's first."""
    clinicians, practices = [], []
    start = f"{peer}{COHORTS[year.cohort.cohort]}"
    columns = (year.number, year.practice, year.place, year.member, year.generation)
    for number, practice, place, member, generation in np.stack(columns, axis=1).tolist():
        if practice < len(own_practices):
            name = own_practices[practice]
            # Who follows one of the roster's clinicians; its practice may have the other cohort's too.
            who = f"{start}-of-{name}-{member:02d}-{generation}"
        else:
            name = f"{start}-{place:05d}"
            who = f"{name}-{member:02d}-{generation}"
        practices.append(name)
        # Clinicians are numbered by year of entry, and those of the first year by slot.
        clinicians.append(own[number] if number < len(own) else who)
    areas = [f"area-{area:03d}" for area in year.area.tolist()]
    return {"clinician_id": clinicians, "practice_id": practices, "area": areas}
