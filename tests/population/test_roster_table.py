"""The table of a user's own clinicians: what is read, what is refused, how fast."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmrisk.errors import InputError
from asmrisk.population.records import population_records
from asmrisk.population.roster import read_roster
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.roster import find_evidence, roster_prior
from tests.population.rosters import roster, rows

HF, LBP = 0, 1


@pytest.fixture(scope="module")
def population():
    return population_records(scenario_from_dict({}).values)


def problems(folder, frame):
    with pytest.raises(InputError) as caught:
        roster(folder, frame)
    return [str(each) for each in caught.value.problems]


def test_only_who_it_is_and_part_b_are_needed(tmp_path):
    read = roster(tmp_path, rows({}, {"cohort": "low_back_pain", "specialty": "neurosurgery"}))
    assert [each.count for each in read.cohorts] == [1, 1]
    assert read.cohorts[HF].years.tolist() == [2025]
    assert list(read.ids) == ["c0", "c1"]
    assert list(read.specialty_names) == ["cardiology", "neurosurgery"]
    for name in ("clinician_id", "cohort", "specialty", "practice_size", "part_b_payments"):
        (found,) = problems(tmp_path, rows({}).drop(columns=name))
        assert f"{name}: the column is missing" in found


def test_rows_are_spread_over_years(tmp_path):
    frame = rows(
        {"clinician_id": "a", "performance_year": 2024, "episodes": 30, "part_b_payments": 1e5},
        {"clinician_id": "b", "performance_year": ""},
        {"clinician_id": "a", "performance_year": 2026, "part_b_payments": 3e5},
    )
    known = roster(tmp_path, frame).cohorts[HF]
    assert known.years.tolist() == [2024, 2025, 2026]
    assert list(known.ids) == ["a", "b"]
    nan = np.nan
    np.testing.assert_array_equal(known.past.part_b_payments, [[1e5, nan], [nan, 2e5], [3e5, nan]])
    np.testing.assert_array_equal(known.past.episodes, [[30, nan], [nan, nan], [nan, nan]])


def test_exemptions_are_known_of_the_first_performance_year_alone(tmp_path, population):
    frame = rows(
        {"clinician_id": "a", "performance_year": 2025, "exempt": 1},
        {"clinician_id": "b", "performance_year": 2027, "exempt": 1},
        {"clinician_id": "c", "performance_year": 2027, "exempt": 0},
        {"clinician_id": "d", "performance_year": 2027},
        {"clinician_id": "e", "performance_year": 2025, "exempt": 1},
        {"clinician_id": "e", "performance_year": 2027, "exempt": 0},
    )
    frame.to_csv(tmp_path / "roster.csv", index=False)
    said = []
    read = read_roster(tmp_path / "roster.csv", notes=said.append)
    known = roster_prior(find_evidence(read), population)
    told = dict(zip(read.cohorts[HF].ids, known.exempt[HF].tolist(), strict=True))
    assert told == {"a": -1, "b": 1, "c": 0, "d": -1, "e": 0}
    assert [each for each in said if "2 rows say exempt in a year before 2027" in each]
    without = roster_prior(find_evidence(roster(tmp_path, frame.drop(columns="exempt"))), population)
    assert (without.exempt[HF] == -1).all()


def test_a_guessed_collection_type_is_told(tmp_path):
    frame = rows(
        {"q236_rate": 0.7, "q236_cases": 30, "q236_collection_type": "ecqm"},
        {"q236_rate": 0.7, "q236_cases": 30},
        {"q236_rate": 0.6, "q236_cases": 30},
        {"q236_cases": 30},
        {"q492_rate": 66, "q492_cases": 30},  # claims: there is no choice
    )
    frame.to_csv(tmp_path / "roster.csv", index=False)
    said = []
    read_roster(tmp_path / "roster.csv", notes=said.append)
    (told,) = [each for each in said if "collection type" in each]
    assert "without a collection type: q236 (2); it is guessed" in told
    said.clear()
    frame[frame["q236_collection_type"].notna()].to_csv(tmp_path / "told.csv", index=False)
    read_roster(tmp_path / "told.csv", notes=said.append)
    assert not [each for each in said if "collection type" in each]


def test_all_that_is_wrong_is_listed_with_its_line(tmp_path):
    frame = rows(
        {"clinician_id": "a", "performance_year": 2025},
        {"clinician_id": "a", "performance_year": 2025},
        {"clinician_id": "b", "performance_year": 2019},
        {"clinician_id": "c", "performance_year": 2024},
        {"clinician_id": "c", "performance_year": 2025, "practice_size": 4},
        {"clinician_id": "d", "performance_year": 2028, "q008_rate": 0.5},
        {"clinician_id": "e", "part_b_payments": -1},
        {"clinician_id": "f", "specialty": "neurosurgery"},
        {"clinician_id": "g", "specialty": ""},
    )
    found = problems(tmp_path, frame)
    assert len(found) == 8
    expected = [
        (3, "clinician_id: 'a' in 2025 is on line 2 already"),
        (4, "performance_year: '2019.0'"),
        (6, "practice_size: is 4, but on line 5 clinician 'c' has 30"),
        (7, "performance_year: '2028.0'"),
        (7, "q008_cases: is empty"),
        (8, "part_b_payments: '-1"),
        (9, "specialty: neurosurgery is not of the cohort"),
        (10, "specialty: is empty"),
    ]
    for line, words in expected:
        assert any(f".csv:{line}: " in each and words in each for each in found), (line, words, found)


@pytest.mark.parametrize(
    "text", ["", "\n", "clinician_id\n", "x", "a,b\n1\n", "\0", "clinician_id,cohort\n,\n"]
)
def test_what_is_no_roster_is_refused_with_a_message(tmp_path, text):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_roster(tmp_path / "r.csv")
    assert all("r.csv" in str(each) for each in caught.value.problems)
    with pytest.raises(InputError, match="there is no such file"):
        read_roster(tmp_path / "none.csv")


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(0, 11),
            st.one_of(st.text(max_size=4), st.sampled_from(["", "-1", "1e400", "nan", "0", "2.5", "ecqm"])),
        ),
        max_size=4,
    ),
    gone=st.lists(st.integers(0, 11), max_size=2),
)
def test_any_table_is_a_roster_or_refused_with_a_message(tmp_path_factory, population, cells, gone):
    table = rows(
        *(
            {"performance_year": 2023 + i, "episodes": 20 * i, "cost_per_episode": 1e4, "q008_rate": 0.5}
            | {"q008_cases": 9, "q008_collection_type": "ecqm", "promoting_interoperability": 70}
            for i in range(5)
        ),
        clinician_id="a",
    ).astype(object)
    for row, column, text in cells:
        table.iloc[row % len(table), column % table.shape[1]] = text
    table = table.drop(columns=[table.columns[each] for each in set(gone)])
    said = ()
    try:
        known = roster_prior(find_evidence(roster(tmp_path_factory.mktemp("fuzz"), table)), population)
    except InputError as error:
        said = [str(each) for each in error.problems]
    assert all("roster.csv" in each for each in said)
    if said:
        return
    for name in ("level_mean", "level_sd", "part_b_factor", "own_mean", "own_root", "shared_root"):
        assert np.isfinite(getattr(known, name)).all()


def test_the_digest_is_of_the_content(tmp_path):
    frame = rows({"episodes": 30}, {"episodes": None})
    one = roster(tmp_path, frame, "a.csv")
    assert roster(tmp_path, frame, "b.parquet").digest == one.digest
    assert roster(tmp_path, frame[["cohort", *frame.columns.drop("cohort")]], "c.csv").digest == one.digest
    assert roster(tmp_path, frame.assign(practice_size=31), "d.csv").digest != one.digest


def test_fifty_thousand_rows_load_in_seconds(tmp_path):
    rng = np.random.default_rng(3)
    n = 50_000
    cases = rng.integers(0, 100, n)
    frame = pd.DataFrame(
        {
            "clinician_id": [f"x{i}" for i in range(n)],
            "performance_year": rng.integers(2023, 2027, n),
            "cohort": "heart_failure",
            "specialty": "cardiology",
            "practice_size": rng.integers(1, 100, n),
            "part_b_payments": rng.lognormal(12, 1, n),
            "episodes": rng.integers(0, 90, n),
            "q008_cases": cases,
            "q008_rate": np.where(cases > 0, rng.beta(8, 2, n), np.nan),
            "q008_collection_type": rng.choice(["ecqm", "mips_cqm"], n),
            "q008_completeness": 1.0,
        }
    )
    frame.to_csv(tmp_path / "many.csv", index=False)
    begin = time.process_time()
    read = read_roster(tmp_path / "many.csv")
    assert time.process_time() - begin < 10.0  # 2 s on an idle processor; rows one by one would take minutes
    assert read.count == n
    begin = time.process_time()
    assert read_roster(tmp_path / "many.csv") is read
    assert time.process_time() - begin < 1.0
