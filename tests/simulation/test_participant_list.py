"""A list of participants simulated: its practices are those of every draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asmrisk.population.preparation import prepare
from asmrisk.scenario.scenario import load_scenario
from asmrisk.simulation.model import Model
from asmrisk.simulation.replay import replay_draw

SCENARIO = Path(__file__).parents[2] / "scenarios" / "participant_list.toml"
DRAWS = 4


@pytest.fixture(scope="module")
def prepared():
    return prepare(load_scenario(SCENARIO).fixed_at_medians())


@pytest.fixture(scope="module")
def tables(prepared):
    return [replay_draw(prepared.scenario, draw) for draw in range(DRAWS)]


def by_practice(table: pd.DataFrame, cohort: str) -> pd.DataFrame:
    """Give the largest number of a practice's clinicians in a year, and its size, by its number."""
    own = table[table.cohort == cohort]
    number = own.clinician_id.str.removeprefix(f"{cohort}-").str.split("-").str[0].astype(int)
    sizes = own.groupby(number).practice_size.agg(["min", "max"])
    assert (sizes["min"] == sizes["max"]).all()
    counts = own.groupby([number, own.performance_year]).size().groupby(level=0).max()
    return pd.DataFrame({"count": counts, "size": sizes["max"]})


@pytest.mark.parametrize("cohort", [0, 1])
def test_practices_of_every_draw_are_the_lists(prepared, tables, cohort):
    inputs = Model(prepared).inputs
    members = inputs.practice_list.members[cohort]
    name = ("heart_failure", "low_back_pain")[cohort]
    for table in tables:
        found = by_practice(table, name)
        assert found.index.max() < inputs.practice_list.practices[cohort]
        assert (found["count"] <= members[found.index]).all()
        assert (found["size"] >= members[found.index]).all()
        small = prepared.participants.cohorts[cohort].small
        assert ((found["size"] <= 15) == small[found.index]).all()


@pytest.mark.parametrize("cohort", [0, 1])
def test_as_many_are_measured_as_are_listed(prepared, tables, cohort):
    """On average. Years of a draw are alike, so that it says as much as one year at least."""
    name = ("heart_failure", "low_back_pain")[cohort]
    counts = [(table.cohort == name).sum() / table.performance_year.nunique() for table in tables]
    slots = int(prepared.population.slots[cohort])
    listed = prepared.participants.clinicians[cohort]
    share = listed / slots
    error = np.sqrt(slots * share * (1.0 - share) / DRAWS)
    assert np.mean(counts) == pytest.approx(listed, abs=5.0 * error + 0.5)
