"""One draw again, clinician by clinician: the table of everything that went into it and came out."""

from __future__ import annotations

from collections.abc import Iterator
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
            scored = score_arrays(cohort, inputs.policy[year], observed, n)
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
        roster's clinicians have their own identities.
    """
    model = Model(scenario)
    own = [() for _ in COHORTS] if model.roster is None else [each.ids for each in model.roster.cohorts]
    taken = [str(each) for ids in own for each in ids]
    peer = ""
    while any(each.startswith(tuple(f"{peer}{cohort}-" for cohort in COHORTS)) for each in taken):
        peer += "peer-"
    frames = []
    for replayed in replayed_years(model, draw):
        year, scored_cohort = replayed.year, replayed.cohort
        cohort, ids = COHORTS[scored_cohort.cohort], own[scored_cohort.cohort]
        names = [
            # Clinicians are numbered by year of entry, and those of the first year by slot.
            ids[number] if number < len(ids) else f"{peer}{cohort}-{place:05d}-{member:02d}-{generation}"
            for number, place, member, generation in np.stack(
                [replayed.number, replayed.place, replayed.member, replayed.generation], axis=1
            ).tolist()
        ]
        frames.append(frame_of(scored_cohort, PERFORMANCE_YEARS[year], names))
    return in_table_order(pd.concat(frames, ignore_index=True))
