"""A run whose field is a list of participants: replayed and compared by the same list alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import asmrisk
from asmrisk import open_results, run
from asmrisk.analysis.comparison import compare
from asmrisk.analysis.rerun import replay, stored_run
from asmrisk.errors import InputError
from asmrisk.scenario.scenario import load_scenario

SCENARIO = Path(__file__).parents[2] / "scenarios" / "participant_list.toml"
LIST = SCENARIO.with_name("synthetic_participants.csv")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("list") / "r.zarr"
    return run(load_scenario(SCENARIO), draws=4, block_size=4, out=out, workers=1, quiet=True)


def test_a_replayed_draw_is_the_stored_one_and_scores_to_itself(results, tmp_path):
    path = tmp_path / "t.parquet"
    table = replay(results, draw=2, out=path, participant_list=LIST)
    stored = open_results(results).sel(draw=2)
    counts = table.groupby(["performance_year", "cohort"]).size().unstack()
    np.testing.assert_array_equal(counts, stored["participants"].transpose("performance_year", "cohort"))
    again = asmrisk.score(path, scenario=tmp_path / "t.scenario.toml", notes=str)
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_a_run_asks_for_its_own_list(results, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"^participant_list: .* there is no file synthetic_participants"):
        stored_run(results)
    other = tmp_path / LIST.name
    other.write_text("\n".join(LIST.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(InputError, match=r"participant_list: .*its content differs"):
        stored_run(results, participant_list=other)
    with pytest.raises(InputError, match=r"^roster: .* without a roster; leave it out"):
        stored_run(results, roster=LIST, participant_list=LIST)
    # Found where it has its name.
    monkeypatch.chdir(LIST.parent)
    assert stored_run(results).scenario.participant_list == LIST


def test_a_reform_is_compared_by_the_same_list(results, tmp_path):
    reform = load_scenario(SCENARIO, overrides=["policy.redistribution_share=1.0"])
    other = run(reform, draws=4, block_size=4, out=tmp_path / "reform.zarr", workers=1, quiet=True)
    with pytest.raises(InputError, match=r"^participant_list: "):
        compare(results, other)
    # Draws are simulated again to see who gains.
    assert "changes" in compare(results, other, participant_list=LIST).details


def test_its_evidence_is_of_the_list(results):
    with pytest.raises(InputError, match=r"^participant_list: "):
        asmrisk.evidence(results, draws=4, quiet=True)
    found = asmrisk.evidence(results, draws=4, participant_list=LIST, quiet=True).dataset
    participants = open_results(results)["participants"].sel(performance_year=2027).sum("cohort")
    assert found["simulated"].sel(fact="participants").item() == float(participants.mean())
