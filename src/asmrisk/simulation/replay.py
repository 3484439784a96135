"""One draw again, clinician by clinician: the table of everything that went into it and came out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asmrisk.errors import InputError
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS

if TYPE_CHECKING:
    import pandas as pd

    from asmrisk.scenario.scenario import Scenario
    from asmrisk.simulation.draw import Workspace
    from asmrisk.simulation.kernel_inputs import KernelInputs
    from asmrisk.simulation.model import Model

__all__ = ["ReplayedYear", "replay", "replay_draw", "replayed_years"]


class ReplayedYear(NamedTuple):
    """One cohort in one performance year of a draw, as the simulation left it."""

    year: int  #: performance year, counted from the first
    cohort: int  #: code of the cohort
    measured: int  #: measured clinicians
    members: np.ndarray  #: int32 (measured,): each one's number in `Workspace.field`
    work: Workspace  #: what was observed and scored; overwritten when the next year is reached
    inputs: KernelInputs  #: what the kernels read


def replayed_years(model: Model, draw: int) -> Iterator[ReplayedYear]:
    """Simulate one draw, year by year and cohort by cohort.

    Parameters
    ----------
    model : Model
        The run's scenario made ready.
    draw : int
        Number of the draw, from 0.

    Yields
    ------
    ReplayedYear
        To be used up before the next one is asked for.
    """
    from asmrisk.simulation.draw import simulate_draws
    from asmrisk.simulation.record import make_record
    from asmrisk.simulation.state import blank_unused

    inputs = model.inputs_of(draw)
    work = model.workspace(inputs)
    record = make_record(1, int(inputs.roster_prior.clinicians.sum()))
    for year in range(len(PERFORMANCE_YEARS)):
        for cohort in range(len(COHORTS)):
            # The workspace keeps the scores of the last year alone, so each year is reached anew.
            progress = np.zeros(2, np.int64)
            simulate_draws(inputs, (cohort, cohort + 1), year + 1, draw, 0, 1, record, work, progress)
            n = int(work.field.participants[year])
            blank_unused(work.observations, inputs.population[cohort].measure_kind)
            yield ReplayedYear(year, cohort, n, work.field.member[year, :n], work, inputs)


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
    import pandas as pd

    from asmrisk.clinician_tables.table import frame_from_arrays, in_table_order
    from asmrisk.simulation.draw import observed_in
    from asmrisk.simulation.model import Model

    model = Model(scenario)
    own = [() for _ in COHORTS] if model.roster is None else [each.ids for each in model.roster.cohorts]
    taken = [str(each) for ids in own for each in ids]
    peer = ""
    while any(each.startswith(tuple(f"{peer}{cohort}-" for cohort in COHORTS)) for each in taken):
        peer += "peer-"
    frames = []
    for year, cohort, n, members, work, inputs in replayed_years(model, draw):
        names = [
            own[cohort][c]
            # Clinicians are numbered by year of entry, and those of the first year by slot.
            if c < len(own[cohort])
            else f"{peer}{COHORTS[cohort]}-{work.field.slot[c]:05d}-{work.field.base[c] & 255}"
            for c in members.tolist()
        ]
        frames.append(
            frame_from_arrays(
                cohort,
                PERFORMANCE_YEARS[year],
                names,
                observed_in(work.observations, year),
                work.scored,
                work.environment,
                inputs.policy[year],
                n,
                np.asarray(work.observations.payment_year_part_b[year, :n]),
            )
        )
    return in_table_order(pd.concat(frames, ignore_index=True))


def replay(
    results: str | os.PathLike[str], *, draw: int, out: str | Path, roster: str | Path | None = None
) -> Path:
    """Write the clinician table of one draw of a run, exactly as it was simulated.

    Parameters
    ----------
    results : str or path
        A store that `asmrisk run` wrote, complete or not.
    draw : int
        Number of the draw, from 0.
    out : str or path
        Table to write, ``.csv`` or ``.parquet``; replaced if it exists.
    roster : str or path, optional
        The run's roster, if it had one; looked for in the current folder if not given.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    InputError
        If `results` is no store, was written by other kernels, or has no such draw; if the run's roster is
        not there or not the same; or if `out` has another ending or cannot be written.
    RunError
        If the disk is full.
    """
    from asmrisk.clinician_tables.table import check_output, write_clinicians
    from asmrisk.results.rerun import stored_run

    run = stored_run(results, roster=roster)
    # Any draw of the run: one that failed is replayed to find out why.
    if not 0 <= draw < run.asked:
        raise InputError(f"{results} has draws 0 to {run.asked - 1}; there is no draw {draw}")
    out = check_output(out)
    return write_clinicians(replay_draw(run.scenario, draw), out)
