"""What a scenario asks of a table: parts of activities, and the columns that tell peer groups apart."""

import numpy as np
import pandas as pd
import pytest

from asmrisk.clinician_tables.checks import KnownYears
from asmrisk.clinician_tables.policy_needs import policy_needs
from asmrisk.clinician_tables.table import check_clinicians, read_clinicians, write_clinicians
from asmrisk.errors import InputError
from asmrisk.scenario.scenario import scenario_from_dict
from tests.clinician_tables.tables import QUIET, problems, table, write

PARTS = ["primary_care_connection", "collaborative_care_elements"]


def parted():
    """Four rows of 2027 whose parts make 2, 1, 1 and no activities under the final rule."""
    frame = table(4).assign(performance_year=2027, improvement_activities=[2, 1, 1, 0])
    frame = frame.assign(primary_care_connection=[1, 0, 1, 0], collaborative_care_elements=[3, 5, 2, 0])
    return frame.astype(object)


def needs_of(**policy):
    return policy_needs(scenario_from_dict({"policy": policy}).values)


# --- activities by their parts ------------------------------------------------------------------------------


def test_activities_may_be_left_out_or_empty_where_their_parts_are_given(tmp_path):
    read_clinicians(write(tmp_path / "t.csv", parted()), **QUIET)
    frame = parted()
    frame.loc[:2, "improvement_activities"] = ""
    read = read_clinicians(write(tmp_path / "t.csv", frame), **QUIET)
    assert read["improvement_activities"].isna().tolist() == [True, True, True, False]
    without = read_clinicians(
        write(tmp_path / "t.csv", frame.drop(columns="improvement_activities")), **QUIET
    )
    assert "improvement_activities" not in without
    for each in (read, without):
        for ending in ("csv", "parquet"):
            path = write_clinicians(each, tmp_path / f"again.{ending}")
            pd.testing.assert_frame_equal(read_clinicians(path, **QUIET), each, check_exact=True)


def test_a_row_has_activities_or_both_parts(tmp_path):
    frame = parted()
    frame.loc[2, [*PARTS, "improvement_activities"]] = ""
    (found,) = problems(write(tmp_path / "t.csv", frame))
    assert ":4: improvement_activities: is not given; give it, or both primary_care_connection and" in found
    (found,) = problems(write(tmp_path / "t.csv", frame.drop(columns="improvement_activities")))
    assert ":4: improvement_activities: is not given" in found
    # Who has no parts has the number.
    frame.loc[2, "improvement_activities"] = 2
    read_clinicians(write(tmp_path / "t.csv", frame), **QUIET)
    # Nothing tells the number where the parts have no columns.
    without = frame.drop(columns=[*PARTS, "improvement_activities"])
    (found,) = problems(write(tmp_path / "t.csv", without))
    assert "improvement_activities: the column is missing" in found


@pytest.mark.parametrize(("name", "other"), [PARTS, PARTS[::-1]])
def test_a_part_is_not_given_without_the_other(tmp_path, name, other):
    frame = parted()
    frame.loc[1, name] = ""
    (found,) = problems(write(tmp_path / "t.csv", frame))
    assert f":3: {name}: is not given, though {other} is; give both or neither" in found
    found = problems(write(tmp_path / "t.csv", frame.drop(columns=name)))
    assert len(found) == 4
    assert all(f"{name}: is not given, though" in each for each in found)


def test_a_number_that_the_parts_do_not_make_names_row_and_remedy(tmp_path):
    frame = parted()
    frame.loc[2, "improvement_activities"] = 2
    (found,) = problems(write(tmp_path / "t.csv", frame))
    assert ":4: improvement_activities: is 2, but its parts make 1: 2 elements, where" in found
    assert (
        "needs 3, with a connection to primary care; correct them, or leave improvement_activities" in found
    )
    # A scenario's own number of elements, in its year.
    needs = needs_of(collaborative_care_elements={"2027": 2, "2028": 4})
    read_clinicians(write(tmp_path / "t.csv", frame), **QUIET, needs=needs)
    (found,) = problems(write(tmp_path / "t.csv", frame.assign(performance_year=2028)), needs=needs)[:1]
    assert ":2: improvement_activities: is 2, but its parts make 1: 3 elements, where" in found


@pytest.mark.parametrize(
    ("column", "cell", "allowed"),
    [
        ("primary_care_connection", 2, "from 0 to 1"),
        ("collaborative_care_elements", 6, "from 0 to 5 (elements)"),
        ("aco", "perhaps", "from 0 to 1"),
        ("region", "region-10", "region-9"),
    ],
)
def test_a_bad_cell_says_what_is_allowed(tmp_path, column, cell, allowed):
    frame = parted().assign(aco=0, region="region-0").astype(object)
    frame.loc[0, column] = cell
    (found, *_) = problems(write(tmp_path / "t.csv", frame))
    assert f":2: {column}: '{cell}' is not allowed" in found
    assert allowed in found


# --- practices ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("region", "region-2", "region-3"),
        ("aco", 1, 0),
        ("primary_care_connection", 1, 0),
        ("collaborative_care_elements", 3, 4),
    ],
)
def test_practices_have_one_value_a_year(tmp_path, column, one, other):
    frame = parted().drop(columns="improvement_activities").assign(practice_id="A", practice_size=5)
    frame = frame.assign(promoting_interoperability=80, primary_care_connection=1, aco=1)
    frame = frame.assign(collaborative_care_elements=3, region="region-2")
    types = frame.filter(like="_collection_type").columns
    for name in types.drop(["q492_collection_type", "q377_collection_type", "q220_collection_type"]):
        frame[name] = frame[name].where(frame[name].isna(), "mips_cqm")
    read_clinicians(write(tmp_path / "t.csv", frame), **QUIET)
    frame.loc[3, column] = other
    (found,) = problems(write(tmp_path / "t.csv", frame))
    assert f":5: {column}: is {other}, but practice 'A' has {one} on line 2 in 2027" in found
    frame.loc[3, "performance_year"] = 2028
    read_clinicians(write(tmp_path / "t.csv", frame), **QUIET)


def test_a_roster_names_regions_that_differ_once_each(tmp_path):
    frame = pd.DataFrame(
        {
            "clinician_id": ["1", "2", "2", "3", "4"],
            "practice_id": ["A", "A", "A", "B", "C"],
            "area": ["Reno", "Reno", "Reno", "Reno", None],
            "performance_year": [2025, 2025, 2024, 2025, 2025],
            "cohort": "heart_failure",
            "specialty": "cardiology",
            "practice_size": 3,
            "part_b_payments": 1e5,
            "region": ["region-1", None, None, None, "region-8"],
        }
    )
    options = {"required": ["clinician_id"], "known_years": KnownYears(2020, 2027, 2025)}
    read_clinicians(write(tmp_path / "t.csv", frame), **QUIET, **options)
    frame.loc[2:3, "region"] = "region-2"
    found = problems(write(tmp_path / "t.csv", frame), **options)
    assert len(found) == 2
    assert ":4: region: is region-2, but on line 2 practice 'A' has region-1" in found[0]
    assert ":5: region: is region-2, but on line 2 area 'Reno' has region-1" in found[1]
    # As many as the scenario has.
    frame["region"] = [None, None, None, None, "region-8"]
    needs = policy_needs(scenario_from_dict({"population": {"regions": 8}}).values)
    (found,) = problems(write(tmp_path / "t.csv", frame), **options, needs=needs)
    assert ":6: region: is not of the scenario, which has population.regions = 8" in found
    assert "region-0 to region-7" in found


# --- columns that a policy asks for -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "column", "asked"),
    [
        ({"quality_peer_group": "region"}, "region", 'policy.quality_peer_group = "region"'),
        ({"cost_peer_group": "aco"}, "aco", 'policy.cost_peer_group = "aco"'),
        ({"payment_peer_group": "region"}, "region", 'policy.payment_peer_group = "region"'),
        ({"aco_participants": "exempt"}, "aco", 'policy.aco_participants = "exempt"'),
        ({"aco_participants": "attesting"}, "aco", 'policy.aco_participants = "attesting"'),
    ],
)
def test_a_column_that_the_policy_needs_is_there_and_filled(tmp_path, policy, column, asked):
    needs, frame = needs_of(**policy), parted()
    (found,) = problems(write(tmp_path / "t.csv", frame), needs=needs)
    assert f"t.csv: {column}: the column is missing, and {asked} needs it" in found
    frame = frame.assign(region=["region-0", "", "region-0", "region-1"], aco=[0, "", 1, 1])
    read_clinicians(write(tmp_path / "t.csv", frame), **QUIET)
    (found,) = problems(write(tmp_path / "t.csv", frame), needs=needs)
    assert f":3: {column}: is empty, which {asked} does not allow; fill it in every row of 2027" in found
    read = check_clinicians(frame.assign(region="region-0", aco=np.arange(4) % 2), **QUIET, needs=needs)
    assert read["aco"].tolist() == [0, 1, 0, 1]


def test_a_column_is_needed_only_in_the_years_that_ask_for_it(tmp_path):
    needs = needs_of(aco_participants={"2027": "included", "2029": "exempt"})
    read_clinicians(write(tmp_path / "t.csv", parted()), **QUIET, needs=needs)
    with pytest.raises(InputError, match="aco: the column is missing"):
        check_clinicians(parted().assign(performance_year=[2027, 2027, 2027, 2030]), **QUIET, needs=needs)
