"""Scoring a table within the field of a finished run, and what a table alone cannot say."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import asmrisk
from asmrisk.analysis.scoring_field import open_scoring_field
from asmrisk.clinician_tables.arrays import observed_of
from asmrisk.clinician_tables.columns import FIELD_COLUMNS, SCORE_COLUMNS
from asmrisk.errors import InputError
from asmrisk.rule.arrays import Scored
from asmrisk.rule.reasons import measure_status

DRAWS = 6
NUMBERS = [column.name for column in SCORE_COLUMNS]
QUIET: dict[str, Any] = {"notes": lambda text: None}


@pytest.fixture(scope="module")
def store(load: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 600 clinicians whose exchange function is in doubt."""
    scenario = load("population.clinicians=600")
    return asmrisk.run(scenario, draws=DRAWS, out=tmp_path_factory.mktemp("among") / "run.zarr", quiet=True)


@pytest.fixture(scope="module")
def table(store: Path) -> pd.DataFrame:
    return asmrisk.replay(store, draw=2)


def a_practice(table: pd.DataFrame) -> pd.DataFrame:
    """Take 40 heart-failure clinicians, nobody above another."""
    rows = table[(table["cohort"] == "heart_failure") & (table["performance_year"] == 2027)]
    return rows.head(40).drop(columns="practice_id").reset_index(drop=True)


def test_a_replayed_table_has_its_own_numbers_within_its_own_draw(store: Path, table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(asmrisk.score(table, among=store, draw=2, **QUIET), table, check_exact=True)
    some = table.sample(50, random_state=1).reset_index(drop=True)
    pd.testing.assert_frame_equal(asmrisk.score(some, among=store, draw=2, **QUIET), some, check_exact=True)


def test_all_draws_give_means_and_what_the_field_moves(store: Path, table: pd.DataFrame) -> None:
    some = table.sample(50, random_state=1).reset_index(drop=True)
    every = [asmrisk.score(some, among=store, draw=draw, **QUIET) for draw in range(DRAWS)]
    said: list[str] = []
    scored = asmrisk.score(some, among=store, notes=said.append)
    for name in NUMBERS:
        values = pd.concat([each[name] for each in every], axis=1)
        np.testing.assert_allclose(scored[name], values.mean(axis=1), rtol=1e-12, atol=1e-12, err_msg=name)
        if f"{name}_sd" in scored:
            np.testing.assert_allclose(scored[f"{name}_sd"], values.std(axis=1), rtol=1e-9, atol=1e-12)
    assert {column.name for column in FIELD_COLUMNS} == {name for name in scored if name.endswith("_sd")}
    assert scored["final_score_sd"].max() > 0.0
    assert any("the field's chance alone" in each and "exposure" in each for each in said)
    # A scored table is scored anew.
    again = asmrisk.score(scored, among=store, **QUIET)
    pd.testing.assert_frame_equal(again, scored, check_exact=True)


@pytest.mark.parametrize("together", [1, 5, 100])
def test_draws_scored_together_are_those_of_one_after_the_other(
    store: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    """Where all draws have one policy, statuses are counted by the sign of the points."""
    some = table[(table["cohort"] == "heart_failure") & (table["performance_year"] == 2028)].head(70)
    field, observed, n = open_scoring_field(store), observed_of(some, 0), len(some)
    field = replace(field, policies=field.policies[:1], which=np.zeros_like(field.which))
    monkeypatch.setattr("asmrisk.analysis.scoring_field._TOGETHER", together * n)
    found = field.score_over_draws(1, 0, observed, n)
    every = [field.score(k, 1, 0, observed, n) for k in range(DRAWS)]
    for name in Scored._fields:
        values = np.array([getattr(each.scored, name) for each in every])
        mean, deviation = (getattr(each.scored, name) for each in (found.mean, found.deviation))
        defined = ~np.isnan(values)
        np.testing.assert_array_equal(np.isnan(mean), ~defined.any(axis=0), err_msg=name)
        np.testing.assert_array_equal(np.isnan(deviation), defined.sum(axis=0) < 2, err_msg=name)
        for place in np.argwhere(defined.any(axis=0)).tolist():
            own = values[:, *place][defined[:, *place]].tolist()
            assert mean[*place] == pytest.approx(statistics.fmean(own), rel=1e-12, abs=1e-12)
            if len(own) > 1:
                assert deviation[*place] == pytest.approx(statistics.stdev(own), rel=1e-9, abs=1e-12)
                assert deviation[*place] == 0.0 or len(set(own)) > 1
    for m in range(5):
        codes = [
            measure_status(each.policy, 0, m, observed, each.scored.points[m], n).tolist() for each in every
        ]
        for clinician, own in enumerate(zip(*codes, strict=True)):
            counts = Counter(own)
            assert counts[int(found.status[m, clinician])] == max(counts.values())
    assert len(set(found.status[:5].ravel().tolist())) > 2


def test_a_practice_alone_always_loses_what_medicare_keeps_and_among_all_it_does_not(
    store: Path, table: pd.DataFrame
) -> None:
    """Nobody among 40 can be ranked by more than the others: dear and idle, they lose the same."""
    ours = a_practice(table).assign(part_b_payments=2e5, payment_year_part_b=2e5)
    worse = ours.assign(cost_per_episode=ours["cost_per_episode"] * 1.3, improvement_activities=0)
    worse = worse.drop(columns=["primary_care_connection", "collaborative_care_elements"], errors="ignore")
    said: list[str] = []
    for frame in (ours, worse):
        alone = asmrisk.score(frame, notes=said.append).dropna(subset="final_score")
        assert alone["adjustment_factor"].mean() == pytest.approx(-(1 - 0.85) * 0.09, abs=1e-12)
    caution = [each for each in said if each.startswith("CAUTION")]
    assert len(caution) == 2
    for word in ("2027 heart_failure 40 of about 3,380", "1.35%", "`--among RESULTS`", "exposure"):
        assert word in caution[0]
    good, bad = (
        asmrisk.score(each, among=store, **QUIET)["adjustment_factor"].mean() for each in (ours, worse)
    )
    assert bad < good - 0.01


def test_a_whole_cohort_is_no_few(store: Path, table: pd.DataFrame, load: Any) -> None:
    said: list[str] = []
    asmrisk.score(table, scenario=load("population.clinicians=600"), notes=said.append)
    assert not any("CAUTION" in each for each in said)


def test_what_cannot_be_meant_is_refused(store: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    for arguments, text in (
        ({"draw": 1}, "draw: is one of a finished run's"),
        ({"among": store, "draw": DRAWS}, f"draw: .* has draws 0 to {DRAWS - 1}; there is no draw {DRAWS}"),
        ({"among": store, "scenario": "x.toml"}, "scenario: does not go with the results of a run"),
        ({"among": tmp_path / "none.zarr"}, "does not exist"),
    ):
        with pytest.raises(InputError, match=text):
            asmrisk.score(table, **arguments, **QUIET)


def test_every_measure_says_why_it_has_its_points(store: Path, table: pd.DataFrame) -> None:
    """By the text of § 512.725: 20 cases, 75% of the data, 20 clinicians in a benchmark."""
    heart = table[table["cohort"] == "heart_failure"]
    for name in ("q008", "q005", "q236", "q377"):
        cells = heart[[f"{name}_{field}" for field in ("rate", "cases", "completeness", "points", "status")]]
        cells = cells.set_axis(["rate", "cases", "completeness", "points", "status"], axis=1)
        unreported = heart[f"{name}_collection_type"].isna()
        few = ~unreported & (cells["cases"] < 20)
        partial = ~unreported & ~few & (cells["completeness"] < 0.75)
        expected = np.select(
            [unreported, few, partial, cells["points"].isna()],
            ["not reported", "too few cases", "incomplete", "no benchmark"],
            "scored",
        )
        assert cells["status"].tolist() == expected.tolist()
        assert (cells["points"][expected == "scored"] >= 1.0).all()
    assert set(heart["q492_status"]) <= {"scored", "too few cases", "no benchmark"}
    assert heart["q238_status"].isna().all()
    exempt = asmrisk.score(table.assign(exempt=1), among=store, draw=2, **QUIET)
    assert set(exempt.filter(like="_status").stack().dropna()) == {"exempt"}
