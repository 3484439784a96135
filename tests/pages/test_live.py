"""Levers in a page: a browser computes from embedded draws what what-ifs give, to the cent."""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import asmrisk
from asmrisk.analysis.estimates import mean
from asmrisk.exposures.changes import parse_change
from asmrisk.exposures.stored_field import live_cases, stored_field
from asmrisk.exposures.table import groups_of
from asmrisk.pages import live, rule
from asmrisk.pages.live import live_levers, rate_steps
from asmrisk.rule.definitions import MEASURES
from asmrisk.scenario.scenario import load_scenario
from tests.browser import browser
from tests.conftest import BASELINE

OURS = BASELINE.parent / "our_clinicians.csv"
FOLDER = Path(live.__file__).parent
SCRIPT = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("rule.js", "live.js"))
COMPARE = """
const model = asmLive.open(arguments[0]);
return arguments[1].map((each) => asmLive.compare(model, each));
"""
DRAWS = 24

#: What a reader sets, and the change that says the same.
LEVERS = {
    "improvement_activities = 0": {"activities": 0},
    "improvement_activities = 1": {"activities": 1},
    "improvement_activities = 2": {"activities": 2},
    "promoting_interoperability = 40": {"interoperability": 40},
    "complete data": {"complete": True},
    "q236 reported; q134 reported": {"reported": ["q236", "q134"]},
    "cost_per_episode -12.5%": {"cost": -12.5},
    "improvement_activities = 2; promoting_interoperability = 100; complete data; q008 reported; "
    "q377 reported; q220 reported; cost_per_episode -30%": {
        "activities": 2,
        "interoperability": 100,
        "complete": True,
        "reported": ["q008", "q377", "q220"],
        "cost": -30,
    },
}


@pytest.fixture(scope="module")
def driver():
    with browser() as found:
        yield found


#: Other rules and answers, by what they try.
RULES = {
    "final rule": [],
    "answers": [
        *("behavior.volume_offset_cut=0.8", "behavior.volume_offset_raise=0.5"),
        *("behavior.cost_response=0.05", "policy.missing_measure=excluded"),
    ],
    "peers by region": [
        *(f"policy.{each}_peer_group=region" for each in ("quality", "cost", "payment")),
        *("policy.minimum_reporters=3", "policy.aco_participants=exempt"),
        "behavior.exempt_share={heart_failure=0.2, low_back_pain=0.2}",
    ],
    "peers by practice size": [
        *("policy.cost_peer_group=aco", "policy.payment_peer_group=practice_size"),
        *("policy.missing_category=median_points", "policy.adjustment_cap=0.03"),
        *("policy.aco_participants=attesting", "policy.failed_submission=no_adjustment"),
    ],
    "doubt": ["run.draws_per_parameter_set=2"],
}


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """Give the example's clinicians in the field of a small run under each of the rules."""

    def field_under(rules):
        scenario = load_scenario(BASELINE, ["population.clinicians=600", *RULES[rules]])
        draws, scenario = (6, scenario) if rules == "doubt" else (DRAWS, scenario.fixed_at_medians())
        out = tmp_path_factory.mktemp("live") / "run.zarr"
        return stored_field(OURS, asmrisk.run(scenario, draws=draws, out=out, workers=1, quiet=True))

    return cache(field_under)


def gains(field, cases):
    """Give what cases bring, and what is expected without them: (cases, draws, years and all, places)."""
    groups = groups_of(field.roster)
    dollars = [np.nan_to_num(each.adjustment_usd) for each in live_cases(field, cases, workers=1)]
    base, *others = (groups.sums(np.concatenate([d, d.sum(axis=1, keepdims=True)], axis=1)) for d in dollars)
    return base, np.stack(others) - base


@pytest.mark.parametrize("rules", RULES)
def test_the_browser_gives_what_the_changes_give(driver, fields, rules):
    field = fields(rules)
    base, expected = gains(field, cases_of(field, LEVERS))
    data, reason = live_levers(field)
    assert (data["draws"], reason) == (field.draws, "")
    found = driver.execute_script(SCRIPT + COMPARE, data, list(LEVERS.values()))
    assert [each["name"] for each in data["who"]] == groups_of(field.roster).who.tolist()
    for own, change, text in zip(found, expected, LEVERS, strict=True):
        estimate = mean(change, field.sets)
        assert (np.abs(estimate.value) > 1.0).any()
        numbers = {"before": base.mean(axis=0), "difference": estimate.value, "error": estimate.error}
        for name, there in numbers.items():
            here = np.transpose(own[name])
            np.testing.assert_allclose(here, there, atol=0.005, rtol=0, err_msg=f"{name}: {text}")


def cases_of(field, texts):
    return [parse_change(text, field.roster, field.model.scenario) for text in texts]


def test_steps_of_rates_are_the_changes(fields):
    """In all draws, by place and year, to the cent; a measure without a worst rate steps by percent."""
    field = fields("doubt")
    steps = rate_steps(field, workers=1)
    assert [each["change"] for each in steps if each["measure"] in ("q492", "q238")] == [
        *(f"q492_rate {step}" for step in ("-10%", "-5%", "-2%", "+2%", "+5%", "+10%")),
        *(f"q238_rate {step}" for step in ("-0.1", "-0.05", "-0.02", "+0.02", "+0.05", "+0.1")),
    ]
    assert {each["measure"] for each in steps} == {each.name for each in MEASURES if each.final}
    some = [steps[k] for k in (2, 10, -1)]
    _, found = gains(field, cases_of(field, [each["change"] for each in some]))
    for step, gain in zip(some, found, strict=True):
        estimate = mean(gain, field.sets)
        np.testing.assert_allclose(np.transpose(step["difference"]), estimate.value, atol=0.0051, rtol=0)
        np.testing.assert_allclose(np.transpose(step["error"]), estimate.error, atol=0.0051, rtol=0)
    first = rate_steps(field, draws=2, workers=1)[0]
    assert len(first["difference"]) == len(first["error"]) == len(groups_of(field.roster).who)
    # Two draws of one parameter set have no error.
    assert all(each is None for row in first["error"] for each in row)
    json.dumps(steps, allow_nan=False)


def test_what_is_too_much_for_a_page_says_why(fields, monkeypatch):
    field = fields("final rule")
    size = len(json.dumps(live_levers(field).data, separators=(",", ":"), allow_nan=False))
    monkeypatch.setattr(live, "_LEAST_DRAWS", 10)
    monkeypatch.setattr(live, "MOST_BYTES", size * 2 // 3)
    data, reason = live_levers(field)
    assert reason == ""
    assert 12 <= data["draws"] <= 16
    assert len(json.dumps(data, separators=(",", ":"))) <= size * 2 // 3
    monkeypatch.setattr(live, "MOST_BYTES", size // 3)
    data, reason = live_levers(field)
    assert data is None
    assert re.fullmatch(r"Levers .* at most 0\.\d+ MB; 10 draws of these clinicians take 0\.\d\.", reason)
    monkeypatch.setattr(live, "MOST_CLINICIANS", 47)
    said = "Levers can be tried on a page for at most 47 clinicians; these are 48."
    assert live_levers(field) == (None, said)


def test_a_policy_that_the_page_does_not_know_is_named(fields, monkeypatch):
    monkeypatch.setitem(rule.WORDS, "tie_rule", ("lower", "mid"))
    data, reason = live_levers(fields("final rule"))
    assert data is None
    assert "policy.tie_rule = upper" in reason
