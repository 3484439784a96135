"""Lists of participants: what is counted, what is refused and in which words, what a scenario makes of it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from asmrisk.errors import InputError
from asmrisk.population.participant_list import ListedPractices, read_participant_list
from asmrisk.population.preparation import PreparedScenario, prepare, prepared_scenarios
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation.model import Model

SCENARIO = Path(__file__).parents[2] / "scenarios" / "participant_list.toml"
LIST = SCENARIO.with_name("synthetic_participants.csv")
HEAD = "NPI,LAST_NAME,ASM_COHORT,ORGANIZATION_LEGAL_NAME,ASM_CY27_PARTICIPANT,ASM_CY27_SMALLPRACTICE"
HEART, BACK = "heart_failure", "low_back_pain"


def row(npi, cohort="Heart Failure", organization="A", small="No", participant="Yes"):
    return f"{npi:010d},Name,{cohort},{organization},{participant},{small}"


BOTH = (row(1), row(2, "Low Back Pain"))


@pytest.fixture
def listed(tmp_path):
    def write(*rows, head=HEAD, encoding="utf-8"):
        path = tmp_path / "list.csv"
        path.write_text("\n".join((head, *rows)) + "\n", encoding=encoding)
        return path

    return write


def refused(path):
    with pytest.raises(InputError) as caught:
        read_participant_list(path)
    return str(caught.value)


def heart(listed):
    """Participants of each practice of the first cohort, and whether it is small."""
    practices = listed.cohorts[0]
    return list(zip(practices.participants.tolist(), practices.small.tolist(), strict=True))


def test_the_list_that_ships_counts_as_by_hand():
    found = read_participant_list(LIST)
    lines = LIST.read_text(encoding="utf-8").splitlines()
    header = lines[0].split(",")
    cells = [dict(zip(header, each.split(","), strict=True)) for each in lines[1:]]
    first = {each["NPI"]: each for each in reversed(cells)}
    for cohort, title, practices in zip(
        (HEART, BACK), ("Heart Failure", "Low Back Pain"), found.cohorts, strict=True
    ):
        own = [each for each in first.values() if each["ASM_COHORT"] == title]
        names = Counter(each["ORGANIZATION_LEGAL_NAME"] or each["NPI"] for each in own)
        profile = found.profile()["cohorts"][cohort]
        assert sorted(practices.participants.tolist()) == sorted(names.values())
        assert profile["clinicians"] == len(own)
        assert profile["organizations"] == len(names)
        assert profile["most"] == max(names.values())
        assert profile["small_share"] == sum(each["ASM_CY27_SMALLPRACTICE"] == "Yes" for each in own) / len(
            own
        )
        assert profile["mean"] == len(own) / len(names)
        seen = sum(names[each["ORGANIZATION_LEGAL_NAME"] or each["NPI"]] for each in own) / len(own)
        assert profile["around_participant"] == pytest.approx(seen)
    assert found.rows == len(cells) == len(first) + 2
    assert found.profile()["clinicians"] == len(first)


def test_npis_that_ship_are_nobodys():
    """The last digit of a real one is a check digit by Luhn's formula over 80840 and the others."""
    for line in LIST.read_text(encoding="utf-8").splitlines()[1:]:
        digits = [int(each) for each in "80840" + line[:10]][::-1]
        doubled = [sum(divmod(2 * each, 10)) for each in digits[1::2]]
        assert (sum(digits[::2]) + sum(doubled)) % 10


def test_organizations_are_told_apart_by_name_cohort_and_smallness(listed):
    found = read_participant_list(
        listed(
            row(1, organization="Heart  Group"),
            row(2, organization="HEART GROUP "),
            row(3, organization="Heart Group", small="Yes"),
            row(4, organization=""),
            row(5, organization=" "),
            row(6, "Low Back Pain", "Heart Group"),
            row(7, "low back pain", "B", "yes"),
        )
    )
    assert heart(found) == [(2, False), (1, True), (1, False), (1, False)]
    assert found.clinicians == (5, 2)


def test_a_repeated_clinician_counts_once_where_the_first_row_has_it(listed):
    found = read_participant_list(
        listed(row(1), row(1), row(1, organization="B"), row(1, "Low Back Pain"), row(2, "Low Back Pain"))
    )
    assert heart(found) == [(1, False)]
    assert found.clinicians == (1, 1)
    assert "3 of its 5 rows repeat an NPI" in found.notes()[0]
    assert "(2 name another cohort or organization)" in found.notes()[0]


def test_a_small_organization_of_more_than_fifteen_is_several(listed):
    rows = [row(each, organization="S", small="Yes") for each in range(100, 132)]
    assert heart(read_participant_list(listed(*rows, BOTH[1]))) == [(15, True), (15, True), (2, True)]


def test_names_of_people_and_later_years_leave_no_trace(listed):
    first = read_participant_list(listed(*BOTH))
    other = [each.replace("Name", "Nobody") + ",No" for each in BOTH]
    second = read_participant_list(listed(*other, head=HEAD + ",ASM_CY28_PARTICIPANT"))
    assert first.digest == second.digest
    third = read_participant_list(listed(*BOTH, row(3)))
    assert third.digest != first.digest


def test_without_the_flag_everybody_takes_part(listed):
    rows = [each.rsplit(",", 2)[0] + ",No" for each in BOTH]
    head = HEAD.replace("ASM_CY27_PARTICIPANT,", "")
    assert read_participant_list(listed(*rows, head=head)).clinicians == (1, 1)


def test_every_problem_is_told_with_its_line(listed):
    said = refused(
        listed(
            row(1, "Knee Pain"),
            row(2, small="maybe"),
            row(3, participant="No"),
            row(4, organization="bell\a"),
            "12,Name,Heart Failure,A,Yes,No",
            "too,short",
        )
    )
    for line, words in (
        (2, ["ASM_COHORT", "'Knee Pain'", "Heart Failure or Low Back Pain"]),
        (3, ["ASM_CY27_SMALLPRACTICE", "'maybe'", "Yes or No"]),
        (4, ["ASM_CY27_PARTICIPANT", "no participant of 2027; remove the row"]),
        (5, ["ORGANIZATION_LEGAL_NAME", "cannot be printed"]),
        (6, ["NPI", "'12'", "ten digits"]),
        (7, ["has 2 cells where the header has 6"]),
    ):
        assert any(
            f"list.csv:{line}:" in each and all(w in each for w in words) for each in said.splitlines()
        ), (
            line,
            said,
        )
    assert "\a" not in said


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (HEAD.replace("ASM_COHORT", "COHORT"), "ASM_COHORT: the column is missing"),
        (HEAD.replace("LAST_NAME", "NPI"), "NPI: the column appears more than once; keep one"),
        (HEAD.replace(",", ";"), "columns must be separated by commas"),
    ],
)
def test_a_header_that_is_not_cmss_is_refused(listed, head, said):
    assert said in refused(listed(*BOTH, head=head))


def test_what_is_no_list_is_refused(tmp_path, listed):
    cases = {
        "empty": b"",
        "binary": b"\0\1",
        "parquet": b"PAR1",
        "latin": (HEAD + "\n\xe9").encode("latin-1"),
    }
    words = {
        "empty": "is empty",
        "binary": "not a text file",
        "parquet": "not a text file",
        "latin": "not UTF-8",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        assert words[name] in refused(tmp_path / name)
    assert "no rows below the header" in refused(listed())
    assert "is a folder" in refused(tmp_path)
    assert "no such file" in refused(tmp_path / "none.csv")
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(2**40)
    assert (
        "1,099,511,627,776 bytes; a list of participants has at most 16,777,216 (limit list_bytes)"
        in refused(tmp_path / "huge.csv")
    )
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    assert "cannot be read" in refused(tmp_path / "loop.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    assert "is a device, a pipe or a socket; give CMS's list" in refused(tmp_path / "zero.csv")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")
        assert "is a device, a pipe or a socket; give CMS's list" in refused(tmp_path / "pipe.csv")
    (tmp_path / "linked.csv").symlink_to(listed(*BOTH))
    assert read_participant_list(tmp_path / "linked.csv").clinicians == (1, 1)


def test_one_cohort_alone_and_one_huge_organization_are_refused(listed):
    assert "names hardly anybody of the cohort low_back_pain" in refused(listed(row(1)))
    said = refused(listed(*(row(each) for each in range(10, 5010)), *BOTH))
    assert "more than 500 participants of one cohort at 'a' from line 502 on" in said
    assert "names hardly anybody of the cohort low_back_pain" in said


@pytest.mark.parametrize("slots", [60, 61, 95, 157])
def test_members_are_in_proportion_and_fill_the_slots(slots):
    participants = np.array([1, 9, 1, 1, 30, 2, 1, 15])
    members = ListedPractices(participants, np.zeros(8, bool)).members(slots)
    exact = np.cumsum(participants) * slots / 60
    assert np.abs(np.cumsum(members) - exact).max() <= 0.5
    assert members.sum() == slots
    assert (members >= participants).all() or slots < 61
    small = ListedPractices(participants, participants <= 15).members(slots)
    assert small[participants <= 15].max() <= 15


# --- In a scenario ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prepared() -> PreparedScenario:
    return prepare(load_scenario(SCENARIO))


def test_the_list_sets_how_many_there_are_and_who_is_small(prepared):
    profile = prepared.participants.profile()
    values = prepared.scenario.values
    assert values["population.clinicians"] == profile["clinicians"]
    for cohort, each in profile["cohorts"].items():
        assert values["population.cohort_share"][cohort] == each["clinicians"] / profile["clinicians"]
        assert values["population.small_practice_share"][cohort] == each["small_share"]
    plain = prepare(load_scenario(SCENARIO, ['population.participant_list="none"']))
    measured = [0.393 * 8600, 0.607 * 8600] / plain.population.slots
    wanted = [each["clinicians"] for each in profile["cohorts"].values()] / measured
    assert prepared.population.slots == pytest.approx(wanted, abs=1)
    assert plain.participants is None
    assert plain.notes == ()


def test_the_kernels_are_given_the_practices_of_the_list(prepared):
    inputs = Model(prepared).inputs
    for cohort, practices in enumerate(prepared.participants.cohorts):
        count = inputs.practice_list.practices[cohort]
        assert count == len(practices.participants)
        members = inputs.practice_list.members[cohort]
        assert members.sum() == inputs.population[cohort].slots
        assert (members[:count] >= practices.participants).all()
        assert not members[count:].any()
        assert (inputs.practice_list.small[cohort, :count] == practices.small).all()


def test_a_list_counts_by_its_content_and_is_told(tmp_path, prepared):
    elsewhere = tmp_path / "other name.csv"
    elsewhere.write_bytes(LIST.read_bytes())
    override = f'population.participant_list="{elsewhere}"'
    again = prepare(load_scenario(SCENARIO, [override]))
    assert again.definition() == prepared.definition()
    assert again.definition()["population"]["participant_list"] == prepared.participants.digest
    about = again.about()
    assert about["overrides"] == ['population.participant_list="other name.csv"']
    assert about["participant_list"]["file"] == "other name.csv"
    assert about["participant_list"]["sha256"] == prepared.participants.digest
    assert about["participant_list"]["cohorts"] == prepared.participants.profile()["cohorts"]
    assert (
        about["parameters"]["population.clinicians"]["value"] == prepared.participants.profile()["clinicians"]
    )
    assert str(tmp_path) not in str(about)
    # As it travels to other machines: with every value stated.
    assert prepare(scenario_from_dict(again.scenario.to_dict())).definition() == prepared.definition()


@pytest.mark.parametrize(
    "override",
    [
        "population.clinicians=6510",
        "population.cohort_share={heart_failure=0.34, low_back_pain=0.66}",
        "uncertainty.'population.clinicians'={distribution='uniform', low=6000.0, high=9000.0}",
    ],
)
def test_what_follows_from_the_list_is_not_stated_too(tmp_path, override):
    path = tmp_path / "both.toml"
    path.write_text(f'extends = "{SCENARIO}"\n{override}\n', encoding="utf-8")
    name = "cohort_share" if "cohort" in override else "clinicians"
    with pytest.raises(
        InputError, match=f"population.{name} follows from population.participant_list"
    ) as caught:
        prepared_scenarios(path)
    assert "state one of them alone" in str(caught.value)


def test_a_list_that_is_not_there_is_a_problem_of_the_line(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('\npopulation.participant_list = "none.csv"', encoding="utf-8")
    with pytest.raises(InputError, match=r"x\.toml:2: population.participant_list: there is no file"):
        load_scenario(path)
