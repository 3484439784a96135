"""Parts of a change: what differs, what cannot change alone, and scenarios with some of it."""

import warnings
from itertools import product

import pytest

from asmrisk.errors import InputError
from asmrisk.scenario.parts import parts_between, with_parts
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from tests.conftest import BASELINE

SCENARIOS = BASELINE.parent
LINKED = {
    "distribution": "uniform",
    "low": 0.0,
    "high": 0.008,
    "with": {
        "behavior.volume_offset_cut": {"distribution": "uniform", "low": 0.0, "high": 0.1},
        "behavior.conduct_improvement": {"distribution": "uniform", "low": 0.0, "high": 0.1},
    },
}
UNKNOWN = {
    "behavior.cost_response": LINKED,
    "policy.risk_level.2029": {"distribution": "uniform", "low": 0.05, "high": 0.2},
    "policy.redistribution_share": {"distribution": "uniform", "low": 0.5, "high": 1.0},
}


def doubtful(**changes):
    return scenario_from_dict({"uncertainty": UNKNOWN} | changes)


def names(parts):
    return [each.parameters for each in parts]


def test_every_parameter_that_differs_is_a_part_with_its_table_of_years():
    base = load_scenario(BASELINE).fixed_at_medians()
    reform = load_scenario(
        SCENARIOS / "budget_neutral.toml", ["policy.risk_level.2029=0.15", "policy.risk_level.2030=0.2"]
    ).fixed_at_medians()
    found = parts_between(base, reform)
    assert [each.name for each in found] == ["risk_level", "redistribution_share"]
    assert names(found) == [("policy.risk_level",), ("policy.redistribution_share",)]
    assert parts_between(base, base) == []
    # How much is computed, and what it is called, is no part.
    more = load_scenario(BASELINE, ["run.draws=7", "run.seed=3"]).fixed_at_medians()
    assert parts_between(base, more) == []


@pytest.mark.parametrize("path", sorted([*SCENARIOS.glob("*.toml"), *SCENARIOS.glob("readings/*.toml")]))
def test_all_parts_make_the_reform_and_none_the_baseline(path):
    base = load_scenario(BASELINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        reform = load_scenario(path)
    for one, other in ((base, reform), (base.fixed_at_medians(), reform), (reform, base)):
        parts = parts_between(one, other)
        digests = {
            name: str(one.values[name]) for name in ("population.roster", "population.participant_list")
        }
        others = {name: str(other.values[name]) for name in digests}
        assert with_parts(one, other, []).definition(digests) == one.definition(digests)
        assert with_parts(one, other, parts).definition(others) == other.definition(others)


def test_some_parts_have_their_values_and_doubts_and_leave_the_others():
    base = doubtful()
    reform = doubtful(policy={"redistribution_share": 1.0, "risk_level": {"2027": 0.05}})
    reform = scenario_from_dict(
        reform.to_dict() | {"uncertainty": {"behavior.cost_response": LINKED}, "title": "Another"}
    )
    risk, share = parts_between(base, reform)
    assert (risk.name, share.name) == ("risk_level", "redistribution_share")
    for with_risk, with_share in product([False, True], repeat=2):
        some = with_parts(base, reform, [risk] * with_risk + [share] * with_share)
        assert ("policy.risk_level.2029" in some.uncertainty) is not with_risk
        assert ("policy.redistribution_share" in some.uncertainty) is not with_share
        assert some.uncertainty["behavior.cost_response"] == base.uncertainty["behavior.cost_response"]
        for name, switched in (("risk_level", with_risk), ("redistribution_share", with_share)):
            assert some.values[f"policy.{name}"] == (reform if switched else base).values[f"policy.{name}"]


def test_what_is_linked_changes_together():
    base = doubtful()
    unknown = {name: each for name, each in UNKNOWN.items() if name != "behavior.cost_response"}
    fixed = scenario_from_dict(
        {
            "uncertainty": unknown
            | {
                "behavior.cost_response": {key: each for key, each in LINKED.items() if key != "with"},
            },
            "behavior": {"volume_offset_cut": 0.01, "conduct_improvement": 0.02},
        }
    )
    (part,) = parts_between(base, fixed)
    assert set(part.parameters) == {"behavior.volume_offset_cut", "behavior.conduct_improvement"}
    # One of the linked ones alone is a part of its own, and the leading one keeps its doubt.
    rest = {key: each for key, each in LINKED["with"].items() if "volume" not in key}
    one = scenario_from_dict(
        {
            "uncertainty": unknown | {"behavior.cost_response": LINKED | {"with": rest}},
            "behavior": {"volume_offset_cut": 0.01},
        }
    )
    assert names(parts_between(base, one)) == [("behavior.volume_offset_cut",)]


def test_correlations_go_with_the_parts_that_they_are_between():
    def scenario(value, share=None):
        between = ["behavior.cost_response", "policy.redistribution_share"]
        pairs = {"correlations": [{"between": between, "value": value}]} if value else {}
        unknown = {name: each for name, each in UNKNOWN.items() if share is None or "share" not in name}
        changes = {} if share is None else {"policy": {"redistribution_share": share}}
        return scenario_from_dict({"uncertainty": unknown | pairs} | changes)

    (part,) = parts_between(scenario(0.5), scenario(0.7))
    assert set(part.parameters) == {"behavior.cost_response", "policy.redistribution_share"}
    base, reform = scenario(0.5), scenario(None, share=1.0)
    (part,) = parts_between(base, reform)
    assert part.parameters == ("policy.redistribution_share",)
    assert with_parts(base, reform, [part]).definition() == reform.definition()
    assert with_parts(base, reform, []).definition() == base.definition()


def test_parts_that_are_named():
    base = scenario_from_dict({})
    changes = {"redistribution_share": 1.0, "small_practice_points": 0.0, "solo_practice_points": 0.0}
    reform = scenario_from_dict({"policy": changes})
    points = ["policy.small_practice_points", "policy.solo_practice_points"]
    found = parts_between(base, reform, {"no points": points})
    assert {each.name: set(each.parameters) for each in found} == {
        "no points": set(points),
        "redistribution_share": {"policy.redistribution_share"},
    }
    with pytest.raises(InputError, match=r"parts: policy.tie_rule is not among .* allowed: policy\..*share"):
        parts_between(base, reform, {"": ["policy.tie_rule"]})
    with pytest.raises(InputError, match=r"policy.solo_practice_points is named twice"):
        parts_between(base, reform, {"a": points, "b": points[1:]})


def test_values_that_do_not_go_together_are_refused():
    base = scenario_from_dict({})
    reform = scenario_from_dict({"policy": {"quality_weight": 0.6, "cost_weight": 0.4}})
    alone, other = parts_between(base, reform)
    with pytest.raises(InputError, match="they must make 1"):
        with_parts(base, reform, [alone])
    (both,) = parts_between(base, reform, {"weights": [*alone.parameters, *other.parameters]})
    assert with_parts(base, reform, [both]).values == reform.values
