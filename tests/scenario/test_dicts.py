"""Scenarios given as Python dicts: what they mean, what they are called, what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asmrisk.errors import InputError
from asmrisk.population.preparation import validate
from asmrisk.scenario.listing import policy
from asmrisk.scenario.scenario import Scenario, load_scenario, scenario_from_dict
from tests.scenario.files import YEARS, write

BASELINE = Path(__file__).parents[2] / "scenarios" / "baseline.toml"
RISK, SHARE = "policy.risk_level", "policy.redistribution_share"


@pytest.fixture(scope="module")
def doubted() -> Scenario:
    """The baseline, with its doubts."""
    return load_scenario(BASELINE)


def test_nested_and_dotted_keys_say_the_same_as_a_file(folder: Path) -> None:
    write("a.toml", "policy = {redistribution_share = 1.0, risk_level = {2027 = 0.05, 2029 = 0.1}}")
    file = load_scenario("a.toml")
    for given in (
        {SHARE: 1.0, RISK: {2027: 0.05, 2029: 0.1}},
        {"policy": {"redistribution_share": 1.0, "risk_level": {"2027": 0.05, "2029": 0.1}}},
        {"policy": {"redistribution_share": 1.0}, RISK: {2027: 0.05, 2029: 0.1}},
        {SHARE: np.float64(1), RISK: {np.int64(2027): np.float32(0.5) / 10, 2029: np.array(0.1)}},
    ):
        values = Scenario.from_dict(given).values
        assert {year: pytest.approx(each) for year, each in values[RISK].items()} == file.values[RISK]
        assert values[SHARE] == file.values[SHARE]
        # Plain numbers, which a file could state.
        assert {type(each) for each in values[RISK].values()} == {float}
    assert Scenario.from_dict({}).values == scenario_from_dict({}).values


def test_a_dotted_key_into_a_value_changes_that_alone() -> None:
    final = Scenario.from_dict({}).values[RISK]
    risk = Scenario.from_dict({f"{RISK}.2029": 0.02}).values[RISK]
    assert risk == final | {2029: 0.02}
    # Wherever it stands beside the whole.
    for given in ({RISK: 0.3, f"{RISK}.2029": 0.02}, {f"{RISK}.2029": 0.02, "policy": {"risk_level": 0.3}}):
        risk = Scenario.from_dict(given).values[RISK]
        assert [risk[year] for year in YEARS[:3]] == [0.3, 0.3, 0.02]
    reliability = Scenario.from_dict({"population.cost_reliability.heart_failure": 0.5}).values
    assert reliability["population.cost_reliability"]["heart_failure"] == 0.5


def test_paths_may_be_paths(folder: Path) -> None:
    Path("own.csv").write_text("clinician_id\n")
    assert Scenario.from_dict({"population.roster": Path("own.csv")}).roster == folder / "own.csv"


def test_with_changes_as_an_override_does_and_fixes_what_was_uncertain(doubted: Scenario) -> None:
    name = "behavior.cost_response"
    changed = doubted.with_({name: 0.001, f"{RISK}.2029": 0.5})
    loaded = load_scenario(BASELINE, [f"{name}=0.001", f"{RISK}.2029=0.5"])
    assert changed.values == loaded.values
    assert changed.uncertainty == loaded.uncertainty
    assert doubted.uncertainty.keys() - changed.uncertainty.keys() == {name}
    assert doubted.values[name] != 0.001
    # It says how to load the same again.
    assert load_scenario(changed.source, changed.overrides).values == changed.values
    again = changed.with_({f"uncertainty.{name}": {"distribution": "uniform", "low": 0.0, "high": 0.1}})
    assert load_scenario(again.source, again.overrides).uncertainty == again.uncertainty
    # What is stated is no longer at its median.
    fixed = doubted.fixed_at_medians()
    assert set(fixed.fixed) - set(fixed.with_({name: 0.001}).fixed) == {name}


def test_a_scenario_may_be_the_base_by_name_or_by_extends(doubted: Scenario) -> None:
    expected = doubted.with_({SHARE: 1.0})
    assert Scenario.from_dict({SHARE: 1.0}, BASELINE) == expected
    assert Scenario.from_dict({SHARE: 1.0}, doubted) == expected
    assert Scenario.from_dict({"extends": str(BASELINE.with_suffix("")), SHARE: 1.0}) == expected
    assert Scenario.from_dict({"extends": "baseline", SHARE: 1.0}) == expected
    with pytest.raises(InputError, match="extends: is the base"):
        doubted.with_({"extends": "a.toml"})


def test_titles_say_what_differs_and_only_that(doubted: Scenario) -> None:
    assert Scenario.from_dict({}).title == doubted.with_({}).title == "Final rule"
    changed = doubted.with_({SHARE: 1.0, "policy.tie_rule": doubted.values["policy.tie_rule"][2027]})
    assert (changed.title, changed.overrides) == (f"Final rule, with {SHARE} 1", (f"{SHARE}=1.0",))
    assert doubted.with_({SHARE: 1.0, "title": "Neutral"}).title == "Neutral"
    assert changed.description == doubted.description
    assert repr(changed) == f"<Scenario '{changed.title}': 1 changed, {len(doubted.uncertainty)} unknown>"
    # To fix an unknown at its median is a change.
    name = "behavior.cost_response"
    assert name in doubted.with_({name: doubted.values[name]}).title


def test_a_whole_scenario_goes_through_a_dict(doubted: Scenario) -> None:
    assert Scenario.from_dict(doubted.to_dict()) == doubted


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"policy.redistribution_shar": 1},
            f"policy.redistribution_shar: unknown key; did you mean {SHARE}?",
        ),
        ({"risk_level": 0.1}, f"risk_level: unknown key; did you mean {RISK}?"),
        ({"polcy": {"risk_level": 0.1}}, "polcy: unknown section; did you mean policy?"),
        ({"policy": 0.1}, "policy: must be a dict of values"),
        ({"policy": 0.1, RISK: 0.1}, "policy: must be a dict of values"),
        ({RISK: {2029: 0.1}}, f"{RISK}: year 2027 is missing; give the value that holds before the others"),
        ({f"{RISK}.2032": 0.1}, "is no year in which it may change; allowed: 2027 to 2031"),
        ({RISK: 0.1, "policy": {"risk_level": 0.2}}, f"{RISK}: is given twice; give it once"),
        ({RISK: object()}, "is not allowed; allowed: 0 to 1"),
        ({"policy.tie_rule": "md"}, "did you mean mid?"),
        ({"title": 3}, "title: 3 is not allowed; allowed: text"),
        ({"extends": 3}, "extends: must be a scenario file, or the name of one that ships"),
        ([("policy.risk_level", 1)], "a scenario is a dict of values by name, not list"),
    ],
)
def test_what_is_wrong_is_said_by_the_key(given: dict, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Scenario.from_dict(given)
    assert said in str(caught.value)
    assert not any(word in str(caught.value) for word in ("--", "[policy]", "quotes", "overrides"))


def test_everything_wrong_is_said_at_once_and_a_circle_ends() -> None:
    with pytest.raises(InputError) as caught:
        Scenario.from_dict({"policy.risk_level": 2, "policy": {"tie_rule": "md"}, "what.x": 1})
    assert len(caught.value.problems) == 3
    circle: dict = {}
    circle["policy"] = circle
    with pytest.raises(InputError, match=r"levels or more; .* at most 16"):
        Scenario.from_dict(circle)


def test_functions_that_take_a_scenario_take_a_dict_and_refuse_other_types() -> None:
    given = {SHARE: 1.0}
    assert [each.name for each in policy(given).entries if each.changed] == [SHARE]
    assert validate(given, overrides=["policy.tie_rule=mid"])[0].values["policy.tie_rule"][2027] == "mid"
    for call, name in (
        (lambda: policy(3), "scenario"),
        (lambda: validate(3), "scenarios"),
        (lambda: load_scenario(3), "path"),
        (lambda: load_scenario(BASELINE, {SHARE: 1.0}), "overrides"),
        (lambda: Scenario.from_dict({}, 3), "base"),
    ):
        with pytest.raises(InputError, match=f"^{name}: must be "):
            call()
    assert load_scenario(BASELINE, f"{SHARE}=1.0").values[SHARE][2027] == 1.0


def test_a_listing_is_text_when_printed_and_a_table_on_request() -> None:
    listing = policy({SHARE: 1.0})
    assert str(listing) == listing.to_table().rstrip("\n")
    assert listing._repr_html_().startswith("<pre>Final rule, with")
    table = listing.to_dataframe()
    assert len(table) == len(listing.entries)
    assert table.set_index("name").loc[SHARE, ["value", "final_rule"]].to_list() == [1.0, 0.85]
