"""A draw, clinician by clinician.

Strangers (`strangers.toml`) share the tournament alone: what they are and do is independent, so a clinician
of a draw counts as one observation, taken in one year (or one pair of years) only; sums over a field are
compared over draws.
"""

import numpy as np
import pandas as pd

from asmrisk.simulation.draw import DrawRange, simulate_draws
from asmrisk.simulation.keys import generation_of
from asmrisk.simulation.model import Model
from asmrisk.simulation.record import make_record
from tests.simulation.published import BACK, HEART, MEASURES, YEARS

DRAWS = range(5)


def simulate_panel(scenario, draw):
    """Give everything that happens in a draw: one row for each measured clinician and performance year.

    Beside what a clinician table shows there is what nobody sees: true cost, expected episodes, the years in
    which a clinician enters and leaves.
    """
    model = Model(scenario)
    inputs = model.inputs_of(draw)
    work = model.workspace(inputs)
    record = make_record(1)
    frames = []
    for cohort in (HEART, BACK):
        progress = np.zeros(2, np.int64)
        simulate_draws(inputs, DrawRange(draw, cohorts=(cohort, cohort + 1)), record, work, progress)
        field, seen = work.field, work.observations
        for year in range(YEARS):
            n = field.participants[year]
            who = field.member[year, :n]
            columns = {
                "draw": np.full(n, draw),
                "cohort": np.full(n, cohort),
                "year": np.full(n, year),
                "slot": field.slot[who],
                "generation": generation_of(field.base[who]),
                "entered": np.searchsorted(field.entry_start[1:], who, side="right"),
                "leaves": field.leaves[who],
                "level": field.level[who],
                "factor": work.factor[year, :n].copy(),
            }
            for name, array in seen._asdict().items():
                if array.ndim == 2:
                    columns[name] = array[year, :n].copy()
                else:
                    for code, measure in enumerate(MEASURES[cohort]):
                        columns[f"{measure}_{name}"] = array[year, code, :n].copy()
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def one_year_each(panels):
    """Of each draw another year: clinicians independent of each other."""
    return pd.concat([panel[panel.year == number] for number, panel in enumerate(panels)], ignore_index=True)


def pairs_of(panels, lag):
    """Give clinicians measured both in a year and `lag` years later, each once: columns ending in 1 and 2."""
    found = []
    for number, panel in enumerate(panels):
        year = number % (YEARS - lag)
        first, second = panel[panel.year == year], panel[panel.year == year + lag]
        found.append(first.merge(second, on=["draw", "cohort", "slot", "generation"], suffixes=("1", "2")))
    return pd.concat(found, ignore_index=True)
