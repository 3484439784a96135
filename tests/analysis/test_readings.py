"""Every analysis of runs under every reading of the rule; a roster is among the clinicians."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

import asmrisk
from asmrisk.analysis.comparison import compare
from asmrisk.analysis.convergence import convergence
from asmrisk.analysis.exceedance import exceedance
from asmrisk.analysis.metrics import BY
from asmrisk.analysis.summary import summarize
from asmrisk.analysis.tail import FewDrawsWarning
from asmrisk.scenario.scenario import load_scenario
from tests.conftest import BASELINE
from tests.studies.tiny import run as run_study
from tests.studies.tiny import written

SMALL = "population.clinicians=400"
ROSTER = BASELINE.parent / "our_clinicians.csv"
DRAWS = 8
PEERS = ("specialty", "region", "practice_size", "aco")
OF = ("quality", "cost", "payment")
#: The parameters that are not about peers, with their other words.
OTHERS = {
    "quality_collection_types": ("together",),
    "aco_participants": ("exempt", "attesting"),
    "eligibility": ("once_in",),
    "failed_submission": ("no_adjustment",),
    "part_b_base": ("allowed",),
    "adjustment_cap": ("risk_level",),
    "engagement_limit": ("lifetime",),
}
#: Each word of each parameter in one of a few scenarios.
TOGETHER = [
    [f"policy.{of}_peer_group={peers}" for of in OF] + [f"policy.{other}" for other in others]
    for peers, others in zip(
        PEERS,
        (
            ["aco_participants=attesting", "adjustment_cap=risk_level"],
            ["quality_collection_types=together", "eligibility=once_in"],
            ["failed_submission=no_adjustment", "part_b_base=allowed"],
            ["aco_participants=exempt", "engagement_limit=lifetime"],
        ),
        strict=True,
    )
]
#: Each word alone.
ALONE = [
    *([f"policy.{of}_peer_group={peers}"] for of in OF for peers in PEERS),
    *([f"policy.{name}={word}"] for name, words in OTHERS.items() for word in words),
]


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """The final rule's run."""
    return written_run(tmp_path_factory.mktemp("baseline"), [])


def written_run(folder, reading):
    scenario = load_scenario(BASELINE.parent / "roster.toml", [SMALL, *reading])
    return asmrisk.run(
        scenario, draws=DRAWS, out=folder / "r.zarr", block_size=DRAWS // 2, workers=1, quiet=True
    )


def check_text(report):
    """It says nothing that is not defined, and fits a terminal, but for commands to copy and the place."""
    text = report.to_text()
    assert "nan" not in text
    assert "specialty pool" not in text
    narrow = [line for line in text.splitlines() if not line.startswith(("  asmrisk.", "Results: "))]
    assert max(map(len, narrow)) <= 80
    json.loads(report.to_json())
    return text


def check_analyses(place, baseline):
    """Try what is there for a run's results."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewDrawsWarning)
        told = [summarize(place, tail=[0.1]), exceedance(place, ["net_of_mips"], tail=[0.1])]
    told += [summarize(place, by=by) for by in ([], ["year"], BY)]
    told.append(convergence(place, ["net_of_costs", "mips_forgone", "cost_of_participation"]))
    for each in told:
        check_text(each)
    assert "The roster's clinicians with the maximum penalty" in told[0].to_text()
    assert asmrisk.status(place, verify=True).complete
    found = compare(baseline, place, replay_draws=2, roster=ROSTER, full=True)
    assert "tenth of baseline score" in check_text(found)
    moves = found.details["changes"].transition.sel(estimate="value")
    assert moves.sum().item() == pytest.approx(1.0)
    results = [asmrisk.open_results(each) for each in (baseline, place)]
    for name in MONEY:
        old, new = (float(each[name].sum()) for each in results)
        difference = found.dataset[f"{name}:"].sel(statistic="difference").item()
        assert difference == pytest.approx((new - old) / DRAWS, rel=1e-9, abs=1e-3)
    assert "compared with 2 reforms" in " ".join(
        compare(baseline, place, baseline, replay_draws=0).to_text().split()
    )


MONEY = ("medicare_savings", "net_adjustment", "mips_forgone", "net_of_mips", "net_of_costs")


def check_replay(place, folder):
    """Score a draw's clinicians by the rule of the draw's scenario."""
    asmrisk.replay(place, draw=3, out=folder / "t.csv", roster=ROSTER)
    scenario = load_scenario(folder / "t.scenario.toml")
    asmrisk.score(folder / "t.csv", scenario=scenario, out=folder / "s.csv", notes=lambda text: None)
    replayed, scored = (pd.read_csv(folder / name) for name in ("t.csv", "s.csv"))
    pd.testing.assert_frame_equal(replayed, scored[replayed.columns])
    # What was simulated adds up to what is stored, so that the table holds the reading too.
    stored = float(asmrisk.open_results(place).net_adjustment.sel(draw=3).sum())
    assert np.nansum(replayed.adjustment_usd) == pytest.approx(stored, rel=1e-9)


@pytest.mark.parametrize("reading", TOGETHER, ids=PEERS)
def test_every_analysis_works_under_every_reading(baseline, tmp_path, reading):
    place = written_run(tmp_path, reading)
    check_analyses(place, baseline)
    check_replay(place, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("reading", ALONE, ids=lambda each: each[0].removeprefix("policy."))
def test_every_analysis_works_under_each_reading_alone(baseline, tmp_path, reading):
    place = written_run(tmp_path, reading)
    check_analyses(place, baseline)
    check_replay(place, tmp_path)


STUDY = """[run]
draws = 4
[design]
method = "one_at_a_time"
[parameters]
"policy.cost_peer_group" = {values = ["cohort", "region", "practice_size"]}
"policy.payment_peer_group" = {values = ["cohort", "aco"]}
"policy.quality_collection_types" = {values = ["apart", "together"]}
"policy.aco_participants" = {values = ["included", "exempt"]}
"policy.eligibility" = {values = ["each_year", "once_in"]}
"policy.part_b_base" = {values = ["paid", "allowed"]}
"""
OUTCOMES = (
    '["net_of_mips", "mips_forgone", "cost_of_participation", "beneficiaries", '
    '{metric = "net_of_costs", specialty = "cardiology"}]'
)


def test_readings_can_be_the_factors_of_a_study(tmp_path):
    """A design point is the run of its words, to the bit."""
    found = run_study(written(tmp_path, STUDY, OUTCOMES), tmp_path / "s.zarr").dataset
    assert found.outcome.values.tolist()[-1] == "net_of_costs cardiology"
    words = [str(each).strip('"') for each in found["policy.aco_participants"].values]
    exempt = load_scenario(tmp_path / "tiny.toml", ["policy.aco_participants=exempt"])
    place = asmrisk.run(exempt, draws=4, block_size=4, out=tmp_path / "r.zarr", workers=1, quiet=True)
    results = asmrisk.open_results(place).load()
    at = found["mean"][words.index("exempt")]
    for name in ("net_of_mips", "mips_forgone", "cost_of_participation", "beneficiaries"):
        whole = results[name].sum(["performance_year", "cohort"]).mean().item()
        whole /= 5 if name == "beneficiaries" else 1  # People, counted on average over the years.
        assert at.sel(outcome=name).item() == pytest.approx(whole, rel=1e-12)
