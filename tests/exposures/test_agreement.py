"""Given clinicians in a stored field are those of a full run: there their outcomes are, number by number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import asmrisk
from asmrisk.analysis.rerun import stored_environments
from asmrisk.clinician_tables.columns import REQUIRED
from asmrisk.exposures.stored_field import live_cases, stored_field
from asmrisk.rule.arrays import Environment, Observed, Scored, make_scored, make_scratch
from asmrisk.rule.cohort import score_within
from asmrisk.scenario.scenario import load_scenario
from asmrisk.simulation.model import Model
from asmrisk.simulation.replay import replayed_years

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
#: Invented clinicians of both cohorts, one practice of which has both.
OURS = SCENARIOS / "our_clinicians.csv"
#: Draws of a run: in doubt, two parameter sets.
DRAWS = 4

FEW = "population.clinicians=300"

#: Values beside those of the baseline, by what they try.
RULES = {
    "final rule": [],
    "no Latin hypercube": ["population.latin_hypercube=false"],
    "peers by region": [
        *(f"policy.{each}_peer_group=region" for each in ("quality", "cost", "payment")),
        "policy.quality_collection_types=together",
        "policy.minimum_reporters=3",
        "policy.aco_participants=exempt",
        "policy.eligibility=once_in",
        "behavior.volume_offset_cut=0.8",
        "behavior.volume_offset_raise=0.5",
    ],
    "peers by specialty": [
        *(f"policy.{each}_peer_group=specialty" for each in ("quality", "cost", "payment")),
        "policy.missing_category=median_points",
        "policy.zero_scorers=outside_pool",
        "policy.adjustment_cap=risk_level",
        "policy.cap_excess=redistributed",
        "policy.part_b_base=allowed",
    ],
    "peers by practice size": [
        "policy.quality_peer_group=practice_size",
        "policy.cost_peer_group=aco",
        "policy.payment_peer_group=practice_size",
        "policy.quality_benchmarks=fixed",
        "policy.failed_submission=no_adjustment",
        "policy.tie_rule=mid",
    ],
    "nobody else": ["population.clinicians=40"],
}


@pytest.fixture(scope="module")
def rosters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Clinicians of whom much is known, the same with what is required alone, and one cohort's."""
    folder = tmp_path_factory.mktemp("rosters")
    table = pd.read_csv(OURS)
    tables = {
        "evidence": table,
        "no evidence": table.drop_duplicates("clinician_id")[[*REQUIRED, "practice_id"]],
        "low back pain": table[table["cohort"] == "low_back_pain"],
    }
    for name, each in tables.items():
        each.to_csv(folder / f"{name}.csv", index=False)
    return {name: folder / f"{name}.csv" for name in tables}


def assert_agrees(
    roster: Path, out: Path, *overrides: str, doubt: bool = False, scenario: str = "baseline"
) -> None:
    """Compare with every variable that a run keeps of its roster's clinicians, to the bit."""
    given = load_scenario(
        SCENARIOS / f"{scenario}.toml", overrides=[*overrides, f"population.roster={roster}"]
    )
    given = given if doubt else given.fixed_at_medians()
    store = asmrisk.run(given, draws=DRAWS, out=out, workers=1, quiet=True)
    stored = asmrisk.open_results(store, group="clinician")
    field = stored_field(roster, store)
    (own,) = live_cases(field, (), workers=2)
    assert field.roster.ids.tolist() == stored["clinician"].values.tolist()
    for name, array in stored.data_vars.items():
        there = array.transpose("draw", "performance_year", "clinician").values
        np.testing.assert_array_equal(getattr(own, name), there, err_msg=name)
    assert np.isfinite(own.adjustment_factor).any(axis=(1, 2)).all()


@pytest.mark.parametrize("rule", RULES)
def test_a_rosters_outcomes_are_those_of_its_own_run(
    rule: str, rosters: dict[str, Path], tmp_path: Path
) -> None:
    assert_agrees(rosters["evidence"], tmp_path / "run.zarr", FEW, *RULES[rule])


@pytest.mark.parametrize("roster", ["evidence", "no evidence", "low back pain"])
def test_and_so_with_every_doubt(roster: str, rosters: dict[str, Path], tmp_path: Path) -> None:
    assert_agrees(rosters[roster], tmp_path / "run.zarr", FEW, doubt=True)


@pytest.mark.parametrize("scenario", ["hurricane_2028", "cost_of_taking_part"])
def test_and_so_in_other_scenarios(scenario: str, rosters: dict[str, Path], tmp_path: Path) -> None:
    assert_agrees(rosters["no evidence"], tmp_path / "run.zarr", FEW, scenario=scenario)


def test_who_is_told_exempt_in_the_first_year_is_so_in_every_draw(tmp_path: Path) -> None:
    """And nobody else moves by a bit, nor does the field of a run differ from what exposure makes of it."""
    table = pd.read_csv(OURS)
    names = table["clinician_id"].drop_duplicates()
    exempt, scored, untold = names.iloc[0], names.iloc[1], names.iloc[2]
    first = table[table["clinician_id"].isin([exempt, scored, untold])].drop_duplicates("clinician_id")
    rows = first[[*REQUIRED, "practice_id"]].assign(performance_year=2027, exempt=[1, 0, None])
    rosters = {"told": rows, "nothing told": rows.assign(exempt=None)}
    for name, each in rosters.items():
        pd.concat([table, each]).to_csv(tmp_path / f"{name}.csv", index=False)
    share = "behavior.exempt_share={heart_failure=0.6, low_back_pain=0.6}"
    assert_agrees(tmp_path / "told.csv", tmp_path / "run.zarr", FEW, share)

    own, before = (
        live_cases(stored_field(tmp_path / f"{name}.csv", tmp_path / "run.zarr"), (), parts=1000)[0]
        for name in rosters
    )
    ids = stored_field(tmp_path / "told.csv", tmp_path / "run.zarr").roster.ids.tolist()
    at = {name: ids.index(name) for name in (exempt, scored, untold)}
    measured = ~np.isnan(own.adjustment_factor)
    np.testing.assert_array_equal(measured, ~np.isnan(before.adjustment_factor))
    assert measured[:, 0, at[exempt]].all()
    assert (own.adjustment_usd[:, 0, at[exempt]] == 0.0).all()
    assert np.isnan(own.final_score[:, 0, at[exempt]]).all()
    assert np.isfinite(own.final_score[:, 0, at[scored]][measured[:, 0, at[scored]]]).all()
    # Drawn, as in later years for everybody.
    drawn = before.final_score[:, :, list(at.values())]
    assert np.isnan(drawn[:, 0]).any()
    assert np.isfinite(drawn[:, 0]).any()
    others = [place for place in range(len(ids)) if place not in (at[exempt], at[scored])]
    for name in own._fields:
        now, then = getattr(own, name), getattr(before, name)
        np.testing.assert_array_equal(now[..., others], then[..., others], err_msg=name)
        # Later, who was penalized answers by lower costs.
        np.testing.assert_array_equal(now[:, 1], then[:, 1], err_msg=name)


def test_and_so_where_the_field_is_a_list_of_participants(rosters: dict[str, Path], tmp_path: Path) -> None:
    assert_agrees(rosters["evidence"], tmp_path / "run.zarr", scenario="participant_list")


def test_a_synthetic_clinician_in_the_stored_field_has_its_replayed_outcomes(tmp_path: Path) -> None:
    """From its own keys, without evidence, and ranked against what a store holds of the draw."""
    scenario = load_scenario(SCENARIOS / "baseline.toml", overrides=[FEW])
    store = asmrisk.run(scenario, draws=DRAWS, out=tmp_path / "run.zarr", workers=1, quiet=True)
    model, draw = Model(scenario), 3
    environment = stored_environments(store, scenario, range(draw, draw + 1))
    policy = model.inputs_of(draw).policy[0]
    rng = np.random.default_rng(1)
    for each in replayed_years(model, draw):
        cohort = each.cohort
        some = rng.choice(cohort.n, 5, replace=False)
        observed = Observed(*(np.ascontiguousarray(array[..., some]) for array in cohort.observed))
        scored = make_scored(len(some))
        field = Environment(*(array[0, each.year, cohort.cohort] for array in environment))
        score_within.py_func(
            policy[each.year], cohort.cohort, observed, len(some), scored, field, make_scratch(len(some))
        )
        for name, here, there in zip(Scored._fields, scored, cohort.scored, strict=True):
            np.testing.assert_array_equal(here, there[..., some], err_msg=name)
