"""What is not told, and how much of the spread it is: outcomes with known shares of variance."""

import numpy as np
import pytest

from asmrisk.exposures.readiness import TOPICS, UNTOLD, readiness_rows, told_of, untold_rows
from asmrisk.exposures.table import groups_of
from asmrisk.population.roster import read_roster
from asmrisk.simulation.own_luck import OwnOutcomes, make_outcomes

DRAWS = 5000
HEADER = "clinician_id,practice_id,performance_year,cohort,specialty,practice_size,part_b_payments"
FURTHER = (
    "episodes,cost_per_episode,hcc_risk_score,dual_share,improvement_activities,promoting_interoperability,"
    "aco,primary_care_connection,collaborative_care_elements,q492_rate,q492_cases"
)
#: Of a all but activities and measures other than Q492 is told, of b only promoting interoperability, of c
#: nothing; d is of the other cohort.
ROWS = """\
a,P,2024,heart_failure,cardiology,3,200000,40,17000,1.2,0.2,,100,1,,,70,60
a,P,2025,heart_failure,cardiology,3,200000,19,,1.2,0.2,,100,1,,,,
b,P,2025,heart_failure,cardiology,3,200000,,,,,,100,,,,,
c,Q,,heart_failure,cardiology,2,300000,,,,,,,,,,,
d,Q,2025,low_back_pain,neurosurgery,2,300000,25,,,,,,0,1,2,,
"""


@pytest.fixture(scope="module")
def roster(tmp_path_factory):
    path = tmp_path_factory.mktemp("readiness") / "ours.csv"
    path.write_text(f"{HEADER},{FURTHER}\n{ROWS}")
    return read_roster(path, notes=lambda text: None)


@pytest.fixture(scope="module")
def told(roster, baseline):
    return told_of(roster, baseline)


def outcomes(together=False):
    """Dollars of which activities make 9/29, quality 16/29, and chance that shows in no part 4/29."""
    rng = np.random.default_rng(5)
    made = OwnOutcomes(*(each[0] for each in make_outcomes(1, DRAWS, 4, parts=DRAWS)))
    activities, quality, chance = rng.normal(size=(3, DRAWS, 4))
    if together:
        activities[:] = activities[:, :1]
    for each in made:
        each[:] = 0.0
    made.improvement_activities_adjustment[:, 0] = -10.0 + activities
    made.quality_score[:, 0] = 0.5 + 0.01 * quality
    made.adjustment_usd[:, 3] = -5000.0 + 300.0 * activities + 400.0 * quality
    made.adjustment_usd[:, 4] = 200.0 * chance
    return made


def shares(told, made, groups):
    rows = untold_rows(told, made, groups)
    return {(row["who"], row["topic"]): row["share_of_variance"] for row in rows}


def close(share):
    """Within five standard errors of a squared correlation, 2 √share (1 - share) / √n."""
    return pytest.approx(share, abs=10.0 * np.sqrt(share) * (1.0 - share) / np.sqrt(DRAWS))


def test_what_is_told_is_found_in_the_table(roster, told):
    topics = list(TOPICS)
    at = {str(name): place for place, name in enumerate(roster.ids)}

    def told_in(who, topic):
        return bool(told.any[topics.index(topic)][at[who]])

    def columns(who, topic):
        return told.columns[at[who]][topics.index(topic)].split(", ")

    assert [told_in("a", topic) for topic in topics] == [True, True, True, False, True, True]
    assert [told_in("b", topic) for topic in topics] == [False, False, False, False, True, False]
    assert not any(told_in("c", topic) for topic in topics)
    # Activities follow from their parts.
    assert told_in("d", "improvement_activities")
    assert told.last[[at[who] for who in "abcd"]].tolist() == [2025, 2025, 0, 2025]
    assert columns("a", "improvement_activities") == ["improvement_activities"]
    assert columns("c", "patients") == ["hcc_risk_score", "dual_share"]
    assert {"q492_rate", "q492_cases", "q236_rate", "q236_completeness"} <= set(columns("c", "quality"))
    assert "q492_collection_type" not in columns("c", "quality")
    assert "q238_rate" in columns("d", "quality")
    assert "q236_rate" not in columns("d", "quality")


def test_shares_of_variance_are_those_put_in(roster, told):
    found = shares(told, outcomes(), groups_of(roster))
    for who in "abc":
        assert found[who, "improvement_activities"] == close(9 / 29)
    for who in "bcd":
        assert found[who, "quality"] == close(16 / 29)
    assert found["b", "cost_per_episode"] == 0.0
    # What is told has no row; of all it is left out of what is explained.
    assert {
        ("a", "quality"),
        ("d", "improvement_activities"),
        ("b", "promoting_interoperability"),
    }.isdisjoint(found)
    assert found["all", "improvement_activities"] == close(3 * 9 / (4 * 29))
    assert found["all", "quality"] == close(3 * 16 / (4 * 29))
    # Of a and d quality or activities are told.
    assert found["a", UNTOLD] == close(9 / 29)
    assert found["b", UNTOLD] == close(25 / 29)
    assert found["d", UNTOLD] == close(16 / 29)
    # Independent clinicians add up: P has 9 and 25 of 29 each, Q 25 and 16.
    assert found["P", UNTOLD] == close(34 / 58)
    assert found["Q", UNTOLD] == close(41 / 58)


def test_what_colleagues_share_counts_for_more_in_a_practice(roster, told):
    found = shares(told, outcomes(together=True), groups_of(roster))
    assert found["a", "improvement_activities"] == close(9 / 29)
    assert found["P", "improvement_activities"] == close(4 * 9 / (4 * 9 + 2 * 20))


def test_what_explains_nothing_has_no_share(roster, told):
    """Corrected for the number of parts, unrelated ones explain nothing but noise."""
    made = outcomes()
    rng = np.random.default_rng(9)
    for name in TOPICS.values():
        if name:
            getattr(made, name)[:, 0] = rng.normal(size=(DRAWS, 4))
    found = shares(told, made, groups_of(roster))
    # n R² of k unrelated parts is near chi-square with k <= 6: 40 has a probability below 1e-6.
    assert max(found.values()) < 40 / DRAWS


def test_few_draws_tell_no_share(roster, told):
    few = OwnOutcomes(*(each[:49] for each in outcomes()))
    assert all(np.isnan(each) for each in shares(told, few, groups_of(roster)).values())


def test_rows_say_who_tells_nothing(roster, told):
    rows = untold_rows(told, outcomes(), groups_of(roster))
    by = {(row["level"], row["who"], row["topic"]): row for row in rows}
    assert len(by) == len(rows)
    assert all(row["nothing_told"] > 0 for row in rows)
    assert [topic for level, who, topic in by if who == "a"] == ["improvement_activities", UNTOLD]
    assert by["all", "all", "episodes"]["nothing_told"] == 2
    assert by["practice", "Q", "improvement_activities"]["nothing_told"] == 1
    assert by["all", "all", UNTOLD]["nothing_told"] == 4
    assert by["clinician", "c", "episodes"]["columns"] == "episodes"
    assert by["clinician", "c", UNTOLD]["columns"] == by["practice", "P", "episodes"]["columns"] == ""


def test_readiness_says_who_may_not_be_measured_and_what_is_lacking(roster, told, baseline):
    measured = np.array([[1.0, 0.5, 0.0, 0.99]] * 5)
    rows = readiness_rows(roster, baseline, told, measured, np.arange(4.0), np.array([0.0, 3e5, 2e5, 1e5]))
    a, b, c, d = rows
    assert [row["clinician_id"] for row in rows] == list("abcd")
    assert [row["may_not_be_measured"] for row in rows] == [False, True, False, False]
    assert [row["episodes"] for row in rows] == [19, None, None, 25]
    assert [row["aco"] for row in rows] == [True, None, None, False]
    assert b["measured_2029"] == 0.5
    paid = [(row["part_b_told"], row["part_b_year"], row["part_b_expected"]) for row in rows]
    assert paid == [(2e5, 2025, None), (2e5, 2025, 3e5), (3e5, 2025, 2e5), (3e5, 2025, 1e5)]
    assert c["mips_forgone"] == 2.0
    assert (a["lacks"], c["lacks"]) == ("not told", "not told")
    assert d["lacks"] == "2 of 3 elements of collaborative care"
