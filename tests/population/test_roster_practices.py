"""Who of a roster works together, and who bills for whom."""

import numpy as np
import pandas as pd
import pytest

from asmrisk.errors import InputError
from asmrisk.population.roster import read_roster
from tests.population.rosters import roster, rows

HF, LBP = 0, 1


def read(folder, frame):
    frame.to_csv(folder / "roster.csv", index=False)
    said = []
    return read_roster(folder / "roster.csv", notes=said.append), said


def test_practices_are_the_tables_and_clinicians_stand_by_practice(tmp_path):
    frame = rows(
        {"clinician_id": "a", "practice_id": "east", "area": "Reno"},
        {"clinician_id": "b", "practice_id": "west", "practice_size": 4},
        {"clinician_id": "c", "practice_id": "east", "area": None},
        {"clinician_id": "d", "practice_id": "east", "cohort": "low_back_pain", "specialty": "neurosurgery"},
        {"clinician_id": "e", "practice_id": "west", "practice_size": 4},
    )
    found, said = read(tmp_path, frame)
    assert said == []
    assert list(found.ids) == ["a", "c", "b", "e", "d"]
    assert list(found.practice_ids) == ["east", "east", "west", "west", "east"]
    assert list(found.practices.ids) == ["east", "west"]
    np.testing.assert_array_equal(found.practices.size, [30, 4])
    assert list(found.practices.areas) == ["Reno"]
    np.testing.assert_array_equal(found.practices.area, [0, -1])
    for cohort in found.cohorts:
        pairs = list(zip(cohort.practice.tolist(), cohort.member.tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)
        assert all(0 <= member < 2**13 for _, member in pairs)


def test_a_colleague_more_changes_nobody_elses_number(tmp_path):
    names = [f"clinician {k}" for k in range(40)]
    frame = rows(*({"clinician_id": name, "practice_id": "east"} for name in names))
    read_all, _ = read(tmp_path, frame)
    everybody = dict(zip(read_all.cohorts[HF].ids, read_all.cohorts[HF].member.tolist(), strict=True))
    assert len(set(everybody.values())) == len(names)
    shuffled, _ = read(tmp_path, frame.sample(frac=1.0, random_state=1))
    again = dict(zip(shuffled.cohorts[HF].ids, shuffled.cohorts[HF].member.tolist(), strict=True))
    assert again == everybody
    some, _ = read(tmp_path, frame.iloc[::3])
    fewer = dict(zip(some.cohorts[HF].ids, some.cohorts[HF].member.tolist(), strict=True))
    assert fewer.items() <= everybody.items()


def test_a_practice_of_more_members_than_keys_is_refused(tmp_path):
    frame = rows(*({"clinician_id": str(k), "practice_id": "east"} for k in range(8193)))
    with pytest.raises(InputError, match=r"'east' has 8,193 clinicians of one cohort.*at most 8,192"):
        read(tmp_path, frame)


def test_who_bills_is_carried_forward(tmp_path):
    frame = rows(
        {"clinician_id": "a", "practice_id": "east", "performance_year": 2024, "billing_practice_id": "old"},
        {"clinician_id": "a", "practice_id": "east", "performance_year": 2026},
        {"clinician_id": "a", "practice_id": "east", "performance_year": 2025, "billing_practice_id": "new"},
        {"clinician_id": "b", "practice_id": "east"},
    )
    found, _ = read(tmp_path, frame)
    assert list(found.billing_practice_ids) == ["new", "east"]
    assert list(found.practice_ids) == ["east", "east"]


def test_without_practices_sizes_tell_them_apart_and_this_is_said(tmp_path):
    frame = rows(
        {"clinician_id": "a", "practice_size": 1},
        {"clinician_id": "b", "practice_size": 1},
        {"clinician_id": "c", "practice_size": 3, "improvement_activities": 2},
        {"clinician_id": "d", "practice_size": 3, "improvement_activities": 1},
        {"clinician_id": "e", "practice_size": 3, "improvement_activities": 2},
        {"clinician_id": "f", "practice_size": 3},
        {"clinician_id": "g", "practice_size": 3},
        {"clinician_id": "h", "practice_size": 30, "q008_cases": 9, "q008_collection_type": "ecqm"},
        {"clinician_id": "i", "practice_size": 30, "q236_cases": 9, "q236_collection_type": "mips_cqm"},
        {"clinician_id": "j", "practice_size": 30, "promoting_interoperability": 70},
        {
            "clinician_id": "k",
            "practice_size": 30,
            "promoting_interoperability": 80,
            "performance_year": 2024,
        },
        {"clinician_id": "l", "practice_size": 30, "promoting_interoperability": 80},
    )
    found, (said,) = read(tmp_path, frame)
    together = {}
    for one, practice in zip(found.ids, found.practice_ids, strict=True):
        together.setdefault(practice, "")
        together[practice] += one
    # Two solo practices; of three clinicians at most, who nowhere contradict each other; record systems and
    # interoperability of one year tell practices apart.
    assert sorted(together.values()) == ["a", "b", "cef", "dg", "hjk", "il"]
    assert "no practice_id for 12 clinicians" in said
    assert "6 practices" in said
    # Somebody appended changes no other's practice.
    more, _ = read(tmp_path, pd.concat([frame, rows({"clinician_id": "m", "practice_size": 3})]))
    before = dict(zip(found.ids, found.practice_ids, strict=True))
    after = dict(zip(more.ids, more.practice_ids, strict=True))
    assert {name: after[name] for name in before} == before


def test_a_practice_with_more_clinicians_than_its_size_is_named(tmp_path):
    frame = rows({}, {}, {}, practice_id="ours", practice_size=2)
    found, (said,) = read(tmp_path, frame)
    assert found.practices.count == 1
    assert "'ours'" in said
    assert "practice_size" in said


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("area", "Reno", "Elko"),
        ("practice_size", 30, 29),
        ("aco", 0, 1),
        ("improvement_activities", 1, 2),
        ("promoting_interoperability", 60, 100),
        ("q008_collection_type", "ecqm", "mips_cqm"),
    ],
)
def test_a_practice_has_one_value_a_year(tmp_path, name, one, other):
    told = {"q008_cases": 20, "q008_rate": 0.5}
    frame = rows(told | {name: one}, told | {name: other}, practice_id="ours")
    with pytest.raises(InputError) as caught:
        roster(tmp_path, frame)
    (problem,) = map(str, caught.value.problems)
    assert "roster.csv:3: " in problem
    assert name in problem
    assert "line 2" in problem
    if name not in ("area", "practice_size"):
        roster(tmp_path, frame.assign(performance_year=[2024, 2025]))


def test_a_region_is_the_practices_or_its_areas(tmp_path):
    frame = rows(
        {"practice_id": "a", "area": "Reno", "region": "region-3", "performance_year": 2024},
        {"practice_id": "a", "performance_year": 2026},
        {"practice_id": "b", "area": "Reno"},
        {"practice_id": "c", "region": "region-0"},
        {"practice_id": "d", "area": "Elko"},
        {"practice_id": "e"},
    )
    found, _ = read(tmp_path, frame)
    np.testing.assert_array_equal(found.practices.region, [3, 3, 0, -1, -1])


def test_nobody_works_together_in_two_regions_or_in_and_outside_an_organization(tmp_path):
    frame = rows(
        {"region": "region-1"},
        {"region": "region-2"},
        {},
        {"aco": 1},
        {"aco": 0},
        practice_size=40,
    )
    found, _ = read(tmp_path, frame)
    # The third, of whom nothing is known, and the fourth contradict nobody; the fifth does the fourth.
    assert list(found.ids) == ["c0", "c2", "c3", "c1", "c4"]
    assert list(found.practice_ids) == ["practice of 40"] * 3 + ["practice of 40 (2)"] * 2
