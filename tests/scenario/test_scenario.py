"""Scenario files: inheritance, overrides, rosters, identity, the library."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from asmrisk.errors import InputError
from asmrisk.population.preparation import prepare, validate
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.scenario import Scenario, load_scenario, scenario_from_dict
from tests.scenario.files import YEARS, value_of, write

SCENARIOS = Path(__file__).parents[2] / "scenarios"
LIBRARY = sorted([*SCENARIOS.glob("*.toml"), *SCENARIOS.glob("readings/*.toml")])


# ------------------------------------------------------------------------------- merging and resolving


def test_a_file_with_a_title_alone_is_the_final_rule(folder: Path) -> None:
    scenario = load_scenario(write("own.toml", 'title = "T"'))
    assert scenario.differences() == {}
    assert dict(scenario.values) == dict(PARAMETERS.defaults())
    assert (scenario.title, scenario.description, scenario.reference) == ("T", "", "")
    assert (scenario.values["run.draws"], scenario.roster) == (1000, None)


@pytest.mark.parametrize("text", ["", "\n  \n", "# Ours\n", "[policy]\n"])
def test_a_file_that_says_nothing_may_be_cut_short_and_is_no_scenario(folder: Path, text: str) -> None:
    message = (
        "empty.toml: says nothing, as if it was cut short; allowed: at least a title, or what it extends"
    )
    with pytest.raises(InputError, match=f"^{message}$"):
        load_scenario(write("empty.toml", text))
    with pytest.raises(InputError, match=message):
        load_scenario(write("own.toml", 'extends = "empty.toml"'))


def test_text_that_is_not_printable_is_written_as_it_can_be_read(folder: Path) -> None:
    title = 'a\u202eb\u2028c\x1b[1m\x7f\x85"\\d\U000e0001\té'
    scenario = scenario_from_dict({"title": title})
    written = scenario.to_toml()
    assert all(each.isprintable() for each in written.splitlines())
    assert load_scenario(write("again.toml", written)).title == title


def test_a_value_by_year_holds_until_changed(folder: Path) -> None:
    given = "policy.risk_level = {2027 = 0.05, 2030 = 0.2}"
    assert value_of(given, "policy.risk_level") == {year: 0.05 if year < 2030 else 0.2 for year in YEARS}


def test_a_plain_value_replaces_all_years(folder: Path) -> None:
    assert value_of("policy.risk_level = 0.03", "policy.risk_level") == dict.fromkeys(YEARS, 0.03)


def test_a_child_replaces_a_table_by_year_as_a_whole(folder: Path) -> None:
    write("base.toml", "policy.risk_level = {2027 = 0.01, 2028 = 0.02, 2031 = 0.03}")
    resolved = value_of(
        'extends = "base.toml"\npolicy.risk_level = {2027 = 0.1, 2030 = 0.2}', "policy.risk_level"
    )
    assert resolved == {year: 0.1 if year < 2030 else 0.2 for year in YEARS}


def test_a_child_merges_a_table_key_by_key(folder: Path) -> None:
    write("base.toml", "population.cost_reliability = {heart_failure = 0.5, low_back_pain = 0.6}")
    child = 'extends = "base.toml"\npopulation.cost_reliability.low_back_pain = 0.9'
    assert value_of(child, "population.cost_reliability") == {"heart_failure": 0.5, "low_back_pain": 0.9}


def test_a_table_by_year_keeps_what_it_does_not_state(folder: Path) -> None:
    write("base.toml", 'policy.measures = {2027 = {}, 2029 = {heart_failure = ["q492"]}}')
    child = 'extends = "base.toml"\npolicy.measures = {2027 = {}, 2028 = {low_back_pain = ["q238", "mri"]}}'
    measures = value_of(child, "policy.measures")
    assert [len(measures[year]["heart_failure"]) for year in YEARS] == [5, 5, 1, 1, 1]
    assert [len(measures[year]["low_back_pain"]) for year in YEARS] == [4, 2, 2, 2, 2]


def test_overrides_win_in_their_order(folder: Path) -> None:
    name = "policy.redistribution_share"
    assert value_of("policy.redistribution_share = 0.5", name, f"{name}=.7", f"{name}=1")[2027] == 1.0


def test_an_override_of_one_year_changes_that_year_alone(folder: Path) -> None:
    risk = value_of("title = 'T'", "policy.risk_level", "policy.risk_level.2029=.02")
    assert [risk[year] for year in YEARS] == [0.09, 0.09, 0.02, 0.11, 0.12]
    # Where the value is not stated again later, it holds until changed.
    share = value_of("title = 'T'", "policy.redistribution_share", "policy.redistribution_share.2029=1")
    assert [share[year] for year in YEARS] == [0.85, 0.85, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("override", "name", "expected"),
    [
        ("policy.tie_rule=mid", "policy.tie_rule", "mid"),
        ('policy.tie_rule="mid"', "policy.tie_rule", "mid"),
        ("policy.exchange_midpoint=50", "policy.exchange_midpoint", 50.0),
        ("policy.partial_points = false", "policy.partial_points", False),
        ("policy.risk_level={2027=.01, 2028=.02}", "policy.risk_level", None),
        ('"policy"."risk_level"=0.1', "policy.risk_level", 0.1),
    ],
)
def test_values_of_overrides(folder: Path, override: str, name: str, expected: Any) -> None:
    resolved = value_of("title = 'T'", name, override)
    if expected is None:
        assert resolved == {year: 0.01 if year == 2027 else 0.02 for year in YEARS}
    else:
        assert resolved[2027] == expected
        assert type(resolved[2027]) is type(expected)


def test_a_former_name_is_understood_with_a_note(folder: Path) -> None:
    write("x.toml", "[population]\nstratified = true")
    with pytest.warns(
        FutureWarning, match=r"^x\.toml:2: population\.stratified: is now called population\.la"
    ):
        assert load_scenario("x.toml").values["population.latin_hypercube"] is True
    new = load_scenario(write("y.toml", "population.latin_hypercube = true"))
    with pytest.warns(FutureWarning):
        assert load_scenario("x.toml").identity() == new.identity()


def test_texts_describe_a_file_and_are_not_inherited(folder: Path) -> None:
    write("base.toml", 'title = "Base"\ndescription = "D"\nreference = "R"')
    child = load_scenario(write("a_reform.toml", 'extends = "base.toml"'))
    # It changes nothing, so that it is what it extends.
    assert (child.title, child.description, child.reference) == ("Base", "", "")
    own = load_scenario(write("b.toml", 'extends = "base"\ntitle = "Own"'), ["policy.risk_level=0.1"])
    assert own.title == "Own, with policy.risk_level 0.1"


def test_extends_is_relative_to_the_file(folder: Path) -> None:
    (folder / "deep").mkdir()
    write("base.toml", "policy.risk_level = 0.03")
    write("deep/middle.toml", 'extends = "../base.toml"')
    write("deep/child.toml", 'extends = "middle"')
    assert load_scenario("deep/child.toml").values["policy.risk_level"][2027] == 0.03


def test_a_file_with_a_byte_order_mark_and_windows_line_ends(folder: Path) -> None:
    Path("x.toml").write_bytes(b"\xef\xbb\xbf[policy]\r\nrisk_level = 0.03\r\nrisk_levle = 1\r\n")
    with pytest.raises(InputError) as caught:
        load_scenario("x.toml")
    assert str(*caught.value.problems) == (
        "x.toml:3: policy.risk_levle: unknown key; did you mean policy.risk_level?"
    )


# ------------------------------------------------------------------------------- roster


#: The smallest roster.
ROSTER = "clinician_id,cohort,specialty,practice_size,part_b_payments\nA,heart_failure,cardiology,3,2e5\n"


def test_a_roster_is_relative_to_the_file_that_states_it(folder: Path) -> None:
    (folder / "deep").mkdir()
    write("deep/ours.csv", ROSTER)
    write("deep/base.toml", "population.roster = 'ours.csv'")
    scenario = load_scenario(write("x.toml", "extends = 'deep/base'"))
    assert scenario.roster == folder / "deep" / "ours.csv"
    assert scenario_from_dict(scenario.to_dict()) == scenario
    assert load_scenario("x.toml", ["population.roster=none"]).roster is None
    assert load_scenario("x.toml", ["population.roster=deep/ours.csv"]).roster == scenario.roster


def test_a_roster_counts_by_its_content(folder: Path) -> None:
    write("a.csv", ROSTER)
    write("b.csv", ROSTER.replace("2e5", "200000"))
    defined = {
        name: prepare(load_scenario(write("x.toml", f"population.roster = '{name}.csv'"))).definition()
        for name in "ab"
    }
    assert defined["a"] == defined["b"] != prepare(load_scenario(write("y.toml", "title = 'Y'"))).definition()
    write("b.csv", ROSTER.replace("2e5", "200001"))
    assert prepare(load_scenario("x.toml")).definition() != defined["a"]


def test_what_is_wrong_with_roster_and_population_is_said_together(folder: Path) -> None:
    write("a.csv", ROSTER.replace("2e5", "-1"))
    text = "population.roster = 'a.csv'\n[population.cost_sd]\nheart_failure = 1e7"
    scenario = load_scenario(write("x.toml", text))
    for check in (lambda: prepare(scenario), lambda: validate("x.toml")):
        with pytest.raises(InputError) as caught:
            check()
        first, second = map(str, caught.value.problems)
        assert first.startswith(
            "x.toml:2: population.cost_sd.heart_failure = 1e+07 does not go with the median"
        )
        assert "a.csv:2: part_b_payments: '-1' is not allowed" in second


# ------------------------------------------------------------------------------- identity and round trips


def test_identity_is_of_what_decides_the_results(folder: Path) -> None:
    plain = load_scenario(write("a.toml", "title = 'A'")).identity()
    same = (
        "title = 'T'\ndescription = 'D'\nreference = 'R'\nrun = {draws = 5, seed = 6}\npolicy.risk_level = "
    )
    same += "{2027 = 0.09, 2028 = 0.09, 2029 = 0.10, 2030 = 0.11, 2031 = 0.12}\npolicy.quality_weight = 0.5"
    assert load_scenario(write("b.toml", same)).identity() == plain
    for text in (
        "policy.risk_level.2027 = 0.09",
        "behavior.exit_probability.cardiology = 0.05",
        'uncertainty."policy.risk_level" = {distribution = "choice", values = [0.09]}',
    ):
        assert load_scenario(write("c.toml", text)).identity() != plain
    assert re.fullmatch("[0-9a-f]{64}", plain)


def test_differences_are_written_as_a_file_would() -> None:
    reform = scenario_from_dict(
        {"policy": {"risk_level": {"2027": 0.09, "2029": 0.2}, "quality_weight": 0.5}}
    )
    base = {"2027": 0.09, "2029": 0.1, "2030": 0.11, "2031": 0.12}
    assert reform.differences() == {"policy.risk_level": (base, {"2027": 0.09, "2029": 0.2})}
    assert reform.differences(reform) == {}
    assert scenario_from_dict({}).differences(reform) == {
        "policy.risk_level": ({"2027": 0.09, "2029": 0.2}, base)
    }


def test_equality_sees_every_part() -> None:
    scenario = scenario_from_dict({})
    uncertain = {"policy.risk_level": {"distribution": "choice", "values": [0.1]}}
    assert scenario == scenario_from_dict({})
    for other in (
        {"title": "x"},
        {"policy": {"risk_level": 0.1}},
        {"run": {"seed": 1}},
        {"uncertainty": uncertain},
    ):
        assert scenario != scenario_from_dict(other)


# ------------------------------------------------------------------------------- the library


def test_the_library_is_there() -> None:
    assert len(LIBRARY) >= 16
    assert "baseline" in {path.stem for path in LIBRARY}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_a_file_of_the_library(path: Path) -> None:
    scenario = load_scenario(path)
    assert isinstance(scenario, Scenario)
    assert scenario.source == path
    assert scenario.title != path.stem
    assert scenario.description
    assert scenario.reference
    changed = set(scenario.differences())
    if path.stem in ("baseline", "midpoint_median"):
        assert changed == set()
    else:
        assert changed or scenario.uncertainty
        # A reform is a small diff.
        assert len(changed) <= 4
        # Each rests on the baseline, maybe by way of another.
        while path.stem != "baseline":
            extended = tomllib.loads(path.read_text(encoding="utf-8"))["extends"]
            path = (path.parent / extended).resolve()
            assert path in LIBRARY


def test_the_baseline_cites_the_final_rule() -> None:
    assert "90 FR 49266" in load_scenario(SCENARIOS / "baseline.toml").reference
