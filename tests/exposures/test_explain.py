"""An explained score: its numbers are those of the rule, and add up as they are printed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import asmrisk
from asmrisk.cli import commands
from asmrisk.clinician_tables.columns import REQUIRED
from asmrisk.errors import InputError
from asmrisk.exposures.explanation import split

DRAWS = 5
QUIET: dict[str, Any] = {"notes": lambda text: None}


@pytest.fixture(scope="module")
def store(load: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    return asmrisk.run(load("population.clinicians=600"), draws=DRAWS, out=folder / "run.zarr", quiet=True)


@pytest.fixture(scope="module")
def table(store: Path) -> pd.DataFrame:
    """Everybody of 2027 in a draw: zero scores, small practices and missing categories among them."""
    drawn = asmrisk.replay(store, draw=1)
    return drawn[drawn["performance_year"] == 2027].reset_index(drop=True)


def chosen(table: pd.DataFrame) -> list[str]:
    """Take clinicians of every kind that a score can be of."""
    kinds = [
        *(table["cohort"] == each for each in ("heart_failure", "low_back_pain")),
        table["final_score"] == 0.0,
        table["final_score"] == table["final_score"].max(),
        table["quality_score"].isna(),
        table["cost_points"].isna(),
        *((table.filter(like="_status") == word).any(axis=1) for word in ("incomplete", "not reported")),
        table["complex_patient_adjustment"] > 0.0,
        table["practice_size"] == 1,
    ]
    return [table.loc[kind, "clinician_id"].iloc[0] for kind in kinds if kind.any()]


def said_of_score(text: str) -> tuple[float, list[float]]:
    """Read the final score, and what it is said to be made of."""
    line = " ".join(text.split("\n\n")[1].split())
    total, _, parts = re.sub(r"\([^)]*\)", "", line).partition("=")
    terms = re.findall(r"([+-]?) ?(?:quality |cost )?(\d+\.\d)", parts)
    return float(total.split()[1]), [-float(value) if sign == "-" else float(value) for sign, value in terms]


def test_parts_add_up_as_printed_to_the_score_of_the_rule(store: Path, table: pd.DataFrame) -> None:
    for draw in (None, 1):
        scored = asmrisk.score(table, among=store, draw=draw, **QUIET).set_index("clinician_id")
        for clinician in chosen(table):
            found = asmrisk.explain(table, against=store, clinician=clinician, draw=draw, **QUIET)
            facts, own = json.loads(found.to_json()), scored.loc[clinician]
            assert facts["final_score"] == pytest.approx(own["final_score"], abs=1e-9)
            assert sum(part["points"] for part in facts["parts"]) == pytest.approx(
                own["final_score"], abs=1e-9
            )
            assert facts["adjustment_usd"] == pytest.approx(own["adjustment_usd"], abs=1e-6)
            total, terms = said_of_score(str(found))
            assert total == pytest.approx(own["final_score"], abs=0.0501)
            assert round(sum(terms), 1) == total, str(found)


def test_dollars_follow_from_the_printed_factor_and_payments(store: Path, table: pd.DataFrame) -> None:
    for clinician in chosen(table):
        text = " ".join(str(asmrisk.explain(table, against=store, clinician=clinician, **QUIET)).split())
        words = (
            r"([\d.]+)% at risk x ([\d.]+) \(T x S\) - ([\d.]+)% = (-?[\d.]+)% of \$([\d,.]+) in 2029: "
            r"(-?)\$([\d,]+)"
        )
        match = re.search(words, text)
        assert match, text
        risk, share, kept, factor, payments, sign, dollars = match.groups()
        places = len(factor.partition(".")[2])
        assert round(round(float(risk) * float(share), places) - float(kept), places) == float(factor)
        whole = int(dollars.replace(",", "")) * (-1 if sign else 1)
        assert round(float(factor) / 100 * float(payments.replace(",", ""))) == whole


def test_a_step_brings_what_scoring_the_changed_row_gives(store: Path, table: pd.DataFrame) -> None:
    """Each step is made in the table, and the table scored by itself within the same field."""
    rows = table[(table["improvement_activities"] < 2) & (table["q236_status"] == "scored")]
    row = rows[rows["cost_points"].notna() & (rows["promoting_interoperability"] < 100)].head(1)
    row = row.drop(columns=["primary_care_connection", "collaborative_care_elements"], errors="ignore")
    clinician = row["clinician_id"].iloc[0]
    found = asmrisk.explain(row, against=store, clinician=clinician, **QUIET)
    steps = {each["step"]: each for each in json.loads(found.to_json())["steps"]}
    measures = {each["measure"]: each for each in json.loads(found.to_json())["measures"]}
    base = asmrisk.score(row, among=store, **QUIET)["adjustment_usd"].iloc[0]
    edges = [measures["q236"][f"edge_{level}0"] for level in range(1, 10)]
    above = next((edge for edge in edges if edge > row["q236_rate"].iloc[0]), None)
    changes = {
        "both improvement activities": {"improvement_activities": 2},
        "promoting interoperability 100": {"promoting_interoperability": 100.0},
        "cost per episode 10% lower": {"cost_per_episode": 0.9 * row["cost_per_episode"].iloc[0]},
        "Q236": {} if above is None else {"q236_rate": above},
    }
    for words, change in changes.items():
        changed = asmrisk.score(row.assign(**change), among=store, **QUIET)
        step = next((each for name, each in steps.items() if name.startswith(words)), None)
        assert (step is None) == (not change)
        if step is not None:
            assert step["final_score"] == pytest.approx(changed["final_score"].iloc[0], abs=1e-9)
            assert step["dollars"] == pytest.approx(changed["adjustment_usd"].iloc[0] - base, abs=1e-6)
    dollars = [each["dollars"] for each in steps.values()]
    assert dollars == sorted(dollars, reverse=True)


def test_incomplete_data_are_told_with_what_is_needed(store: Path, table: pd.DataFrame) -> None:
    row = table[table["q236_status"] == "scored"].head(1).assign(q236_rate=0.679, q236_completeness=0.68)
    found = asmrisk.explain(row, against=store, clinician=row["clinician_id"].iloc[0], **QUIET)
    assert "Q236: 67.9%, but data 68% complete (75% needed): 0.0 points" in str(found)
    assert any(each["step"] == "Q236: all data" for each in json.loads(found.to_json())["steps"])
    nearly = asmrisk.explain(
        row.assign(q236_completeness=0.7499), against=store, clinician=row["clinician_id"].iloc[0], **QUIET
    )
    assert "but data 74.99% complete (75% needed)" in str(nearly)


def test_a_year_before_the_model_is_scored_as_if_in_the_year_asked_for(
    store: Path, table: pd.DataFrame
) -> None:
    row = table.head(1)
    past = row.assign(performance_year=2025).drop(columns="payment_year_part_b")
    said: list[str] = []
    who = row["clinician_id"].iloc[0]
    found = asmrisk.explain(past, against=store, clinician=who, year=2027, notes=said.append)
    own = asmrisk.explain(row, against=store, clinician=who, **QUIET)
    assert found.facts["final_score"] == own.facts["final_score"]
    assert found.facts["observed_in"] == 2025
    assert "observed in 2025, scored as if in 2027" in " ".join(str(found).split())
    assert said == [f"payment_year_part_b of {who} is not known: part_b_payments stands for it."]


def test_who_was_exempt_in_a_past_year_is_not_in_another(store: Path, table: pd.DataFrame) -> None:
    row = table.head(1).assign(exempt=1)
    who = row["clinician_id"].iloc[0]
    now = asmrisk.explain(row, against=store, clinician=who, **QUIET)
    assert "No final score, and no adjustment: exempt." in str(now)
    past = row.assign(performance_year=2026)
    then = asmrisk.explain(past, against=store, clinician=who, year=2027, **QUIET)
    assert then.facts["final_score"] is not None


def test_the_first_performance_year_is_explained_if_none_is_asked_for(
    store: Path, table: pd.DataFrame
) -> None:
    row = table.head(1)
    who = row["clinician_id"].iloc[0]
    several = pd.concat([row.assign(performance_year=year) for year in (2025, 2027, 2028)], ignore_index=True)
    for years, scored, observed in (
        ((2025, 2027, 2028), 2027, 2027),
        ((2025,), 2027, 2025),
        ((2025, 2028), 2027, 2025),
        ((2028,), 2028, 2028),
    ):
        some = several[several["performance_year"].isin(years)]
        found = asmrisk.explain(some, against=store, clinician=who, **QUIET)
        assert (found.facts["performance_year"], found.facts["observed_in"]) == (scored, observed)


def test_what_is_not_told_counts_as_not_reported(store: Path, table: pd.DataFrame) -> None:
    """Columns left out, and empty cells: the score is that of a row in which nothing of it was done."""
    rows = table[(table["q236_status"] == "scored") & table["cost_points"].notna()].head(1)
    who = rows["clinician_id"].iloc[0]
    told = [*REQUIRED, "performance_year", "payment_year_part_b"]
    nothing = asmrisk.explain(rows[told], against=store, clinician=who, **QUIET)
    text = " ".join(str(nothing).split())
    for words in (
        "Q236: not told, counted as not reported: 0.0 points",
        "Cost: not scored, number of episodes not told",
        "HCC risk score not told (no points)",
        "dual share not told (no points)",
        "activities not told, counted as none",
        "promoting interoperability not told, counted as 0",
    ):
        assert words in text, (words, text)
    bare = rows.assign(
        **dict.fromkeys(rows.filter(regex="^q.*(rate|completeness|collection_type)$")),
        **dict.fromkeys(rows.filter(regex="^q.*cases$"), 0),
        **{"episodes": 0, "cost_per_episode": None, "hcc_risk_score": None, "dual_share": None},
        **{"improvement_activities": 0, "promoting_interoperability": 0.0},
    ).drop(columns=["primary_care_connection", "collaborative_care_elements"], errors="ignore")
    scored = asmrisk.score(bare, among=store, **QUIET)
    assert nothing.facts["final_score"] == pytest.approx(scored["final_score"].iloc[0], abs=1e-9)
    # A cost that is not told is none, whatever episodes are.
    blank = rows.assign(cost_per_episode=None, q236_collection_type=None, q005_completeness=None)
    text = " ".join(str(asmrisk.explain(blank, against=store, clinician=who, **QUIET)).split())
    assert "Cost: not scored, not told" in text
    assert "but no collection type told, counted as not reported" in text


def test_messages_name_the_rows_of_the_file(store: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    rows = table.head(40).astype({"dual_share": object})
    rows.loc[30, "dual_share"] = "many"
    rows.to_csv(tmp_path / "ours.csv", index=False)
    with pytest.raises(InputError, match=r"ours\.csv:32: dual_share: 'many' is not allowed"):
        asmrisk.explain(
            tmp_path / "ours.csv", against=store, clinician=rows["clinician_id"].iloc[30], **QUIET
        )


def test_a_number_names_a_clinician_whose_identity_is_that_number(store: Path, table: pd.DataFrame) -> None:
    row = table.head(1).assign(clinician_id="5")
    for given in (5, np.int64(5), "5"):
        assert asmrisk.explain(row, against=store, clinician=given, **QUIET).facts["clinician"] == "5"


def test_what_cannot_be_explained_is_refused_with_a_remedy(store: Path, table: pd.DataFrame) -> None:
    row = table.head(1)
    who = row["clinician_id"].iloc[0]
    two = pd.concat([row, row.assign(performance_year=2028)], ignore_index=True)
    for frame, arguments, text in (
        (row, {"clinician": who + "x"}, f"clinician: table has no clinician .*; did you mean {who}"),
        (
            row,
            {"clinician": who, "year": 2032},
            "year: 2032 is no performance year; give one of 2027 to 2031",
        ),
        (two.tail(1), {"clinician": who, "year": 2027}, "knows nothing of .* in 2027 or before"),
        (row.drop(columns="part_b_payments"), {"clinician": who}, "part_b_payments: the column is missing"),
        (row, {"clinician": who, "draw": DRAWS}, "there is no draw"),
    ):
        with pytest.raises(InputError, match=text):
            asmrisk.explain(frame, against=store, **arguments, **QUIET)


def test_the_command_writes_text_and_json(store: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    who = table["clinician_id"].iloc[0]
    table.head(1).to_csv(tmp_path / "ours.csv", index=False)
    asked = ["explain", str(tmp_path / "ours.csv"), "--against", str(store), "--clinician", who]
    done = CliRunner().invoke(commands, asked)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{who}: heart failure, performance 2027, paid 2029\nRule: ")
    assert max(map(len, done.stdout.splitlines())) <= 100
    written = json.loads(CliRunner().invoke(commands, [*asked, "--format", "json"]).stdout)
    assert written["clinician"] == who
    assert np.isfinite(written["final_score"])


def test_rounded_parts_add_up() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = rng.normal(0.0, 20.0, rng.integers(1, 8)).tolist()
        parts = split(values, 1)
        assert round(sum(parts), 1) == round(sum(values), 1) or abs(sum(parts) - sum(values)) < 0.0501
        assert max(abs(np.array(parts) - values)) < 0.1
