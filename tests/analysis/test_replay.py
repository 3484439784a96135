"""Draws again in Python: one table or several in one, what they hold, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import asmrisk
from asmrisk.analysis import rerun
from asmrisk.errors import InputError
from asmrisk.scenario.scenario import scenario_from_dict

DRAWS, CLINICIANS = 8, 240
BACK = ["q238", "q134", "q128", "q220"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Four parameter sets of two draws each; it is unknown whether the measure of MRI use is in the set."""
    doubts = {
        "policy.exchange_steepness": {"distribution": "uniform", "low": 0.05, "high": 0.2},
        "policy.measures": {
            "distribution": "choice",
            "values": [{"low_back_pain": each} for each in (BACK, [*BACK, "mri"])],
        },
    }
    rates = [0.12, 0.24, 0.29, 0.325, 0.355, 0.38, 0.405, 0.435, 0.47, 0.53, 0.70]
    scenario = scenario_from_dict(
        {
            "run": {"draws_per_parameter_set": 2},
            "population": {"clinicians": CLINICIANS, "mri_percentiles": rates},
            "uncertainty": doubts,
        }
    )
    place = tmp_path_factory.mktemp("replay") / "r.zarr"
    return asmrisk.run(scenario, draws=DRAWS, block_size=DRAWS, out=place, workers=1, quiet=True)


def test_tables_add_up_to_the_stored_results(results):
    table = asmrisk.replay(results, draws=range(DRAWS))
    assert (table.columns[0], table["draw"].dtype) == ("draw", np.int64)
    stored = asmrisk.open_results(results)
    groups = table.groupby(["draw", "performance_year", "cohort"])
    for name, own in {
        "participants": groups.size(),
        "episodes": groups["episodes"].sum(),
        "net_adjustment": groups["adjustment_usd"].sum(),
        "median_final_score": groups["final_score"].median(),
    }.items():
        expected = stored[name].transpose("draw", "performance_year", "cohort")
        np.testing.assert_allclose(own.to_xarray(), expected, rtol=1e-9, err_msg=name)


def test_several_draws_are_the_tables_of_each_in_the_order_asked_for(results):
    chosen = np.array([7, 0, 3, 4])
    table = asmrisk.replay(results, draws=chosen)
    assert list(dict.fromkeys(table["draw"])) == [7, 0, 3, 4]
    assert table.index.equals(pd.RangeIndex(len(table)))
    sets = set()
    for draw in chosen:
        own, alone = table[table["draw"] == draw], asmrisk.replay(results, draw=draw)
        sets.add("mri_rate" in alone)
        shown = own[alone.columns].reset_index(drop=True)
        pd.testing.assert_frame_equal(shown, alone, check_exact=True)
        # What a draw's set does not have is empty.
        assert own.drop(columns=["draw", *alone.columns]).isna().all(axis=None)
    assert sets == {False, True}
    names = table.columns.tolist()
    assert names.index("q220_rate") < names.index("mri_rate") < names.index("q492_points")
    assert table["mri_cases"].dtype == "Int64"
    assert table["mri_collection_type"].dtype == "str"


def test_whoever_is_measured_is_named_by_practice_member_and_generation(results):
    table = asmrisk.replay(results, draw=2)
    parts = table["clinician_id"].str.extract(r"^(.+-\d{5})-(\d\d)-(\d+)$")
    assert (parts[0] == table["practice_id"]).all()
    assert (table["practice_id"].str.rsplit("-", n=1).str[0] == table["cohort"]).all()
    assert table["area"].str.fullmatch(r"area-\d{3}").all()
    assert not table.duplicated(["clinician_id", "performance_year"]).any()
    # Nobody moves, and a place in a practice has one clinician a year, followed by later generations.
    assert (table.groupby("clinician_id")["practice_id"].nunique() == 1).all()
    places = table.assign(place=parts[0] + "-" + parts[1], generation=parts[2].astype(int)).groupby("place")
    assert not places["performance_year"].apply(lambda years: years.duplicated().any()).any()
    assert places["generation"].apply(lambda numbers: numbers.is_monotonic_increasing).all()
    assert places["generation"].nunique().max() > 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "^draw: give one of draw, a number, and draws"),
        ({"draw": 1, "draws": [1]}, "^draw: give one of draw, a number, and draws"),
        ({"draw": -1}, "^draw: must be a whole number of at least 0, not -1$"),
        ({"draw": DRAWS}, f"^draw: .*has draws 0 to {DRAWS - 1}; there is no draw {DRAWS}$"),
        ({"draw": 1.0}, r"^draw: must be a whole number of at least 0, not 1\.0"),
        ({"draw": True}, "^draw: must be a whole number of at least 0, not True"),
        ({"draw": "1"}, "^draw: must be a whole number of at least 0, not '1'"),
        ({"draws": 3}, r"^draws: must be several numbers, as range\(10\), not 3"),
        ({"draws": "12"}, "^draws: must be whole, not '1'"),
        ({"draws": []}, "^draws: must be one or more, each given once"),
        ({"draws": [2, 3, 2]}, "^draws: must be one or more, each given once"),
        ({"draws": [1, -1]}, "^draws: .*there is no draw -1$"),
        ({"draws": range(10**30)}, f"^draws: .*there is no draw {DRAWS}$"),
        ({"draws": [1], "out": "x.csv"}, "^out: is for one draw"),
    ],
)
def test_other_draws_are_refused(results, given, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        asmrisk.replay(results, **given)
    assert not any(tmp_path.iterdir())


def test_more_than_fits_in_memory_is_refused_before_anything_is_simulated(results, monkeypatch):
    monkeypatch.setattr(rerun, "_MOST_ROWS", 3 * 5 * CLINICIANS)
    assert asmrisk.replay(results, draws=range(3))["draw"].nunique() == 3
    monkeypatch.setattr(rerun, "replay_draws", None)
    said = "8 draws have about 9,600 clinician-years, more than 3,600 in one table; give at most 3 at a time"
    with pytest.raises(InputError, match=f"^draws: {said}"):
        asmrisk.replay(results, draws=range(8))
