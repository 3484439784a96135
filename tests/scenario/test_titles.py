"""Titles say what differs, for how long, on one line."""

from __future__ import annotations

import numpy as np
import pytest

from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.scenario.titles import title_with


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"policy.risk_level": 0.05}, "policy.risk_level 0.05"),
        ({"policy": {"risk_level": 0.05}}, "policy.risk_level 0.05"),
        ({"policy.risk_level": np.float64(0.05)}, "policy.risk_level 0.05"),
        (
            {"policy.tie_rule": "mid", "policy.partial_points": False},
            "policy.tie_rule mid, policy.partial_points false",
        ),
        # The final rule states another risk level for most years, and one share for all.
        ({"policy.risk_level.2029": 0.05}, "policy.risk_level 0.05 in 2029"),
        ({"policy.risk_level.2027": 0.05}, "policy.risk_level 0.05 from 2027 to 2028"),
        ({"policy.redistribution_share.2029": 1}, "policy.redistribution_share 1 from 2029"),
        (
            {"policy.redistribution_share": 0.9, "policy.redistribution_share.2029": 1.0},
            "policy.redistribution_share 0.9, policy.redistribution_share 1.0 from 2029",
        ),
        (
            {"policy.risk_level": {"2027": 0.05, "2029": 0.1}},
            "policy.risk_level 0.05 from 2027 and 0.1 from 2029",
        ),
        (
            {"population": {"cost_reliability": {"heart_failure": 0.5}}},
            "population.cost_reliability.heart_failure 0.5",
        ),
        ({"population.roster": "/home/me/our.csv"}, "population.roster our.csv"),
        (
            {"uncertainty": {"behavior": {"cost_response": {"low": 0, "high": 1}}}},
            "other doubt about behavior.cost_response",
        ),
        (
            {"uncertainty.behavior.cost_response": {"low": 0, "high": 1}},
            "other doubt about behavior.cost_response",
        ),
        ({"run.draws": 7, "run": {"seed": 1}}, ""),
    ],
)
def test_a_title_says_what_differs(changes, said):
    assert title_with("Final rule", changes) == ", with ".join(filter(None, ("Final rule", said)))


def test_how_long_a_year_holds_is_told_by_the_values_before():
    flat = scenario_from_dict({"policy": {"risk_level": 0.09}}).values
    said = title_with("A flat rule", {"policy.risk_level.2029": 0.05}, flat)
    assert said == "A flat rule, with policy.risk_level 0.05 from 2029"


def test_a_long_title_is_cut():
    names = (
        "risk_level",
        "quality_weight",
        "cost_weight",
        "minimum_cases",
        "minimum_episodes",
        "minimum_reporters",
    )
    changes = {f"policy.{name}": 1 for name in names}
    said = title_with("Final rule", changes)
    assert (
        said
        == "Final rule, with policy.risk_level 1, policy.quality_weight 1, policy.cost_weight 1, and 3 more"
    )
    value = title_with("Final rule", {"policy.cost_points": list(range(100))}).removeprefix(
        "Final rule, with "
    )
    assert len(value) <= len("policy.cost_points ") + 40
    assert value.endswith("...")


def test_a_title_is_printable():
    assert title_with("A\nB", {"population.roster": "our\x1b[31m.csv"}) == (
        "A\\nB, with population.roster our\\x1b[31m.csv"
    )


BASE = 'title = "Final rule"\n[policy]\nredistribution_share = {2027 = 0.85, 2030 = 0.9}\n'


@pytest.mark.parametrize(
    ("reform", "overrides", "said"),
    [
        ('extends = "base"\ntitle = "Own"', [], "Own"),
        ('extends = "base"\ntitle = "Own"', ["policy.risk_level=0.05"], "Own, with policy.risk_level 0.05"),
        ('extends = "base"', ["run.draws=5"], "Final rule"),
        (
            'extends = "base"\n[policy]\ntie_rule = "mid"',
            [],
            "Final rule, with policy.tie_rule mid",
        ),
        (
            'extends = "base"\n[policy]\ntie_rule = "mid"',
            ["policy.redistribution_share.2029=1"],
            # Until what the base states for 2030.
            "Final rule, with policy.tie_rule mid, policy.redistribution_share 1 in 2029",
        ),
        (
            'extends = "base"\n[policy.risk_level]\n2027 = 0.05\n2029 = 0.06',
            ["policy.risk_level.2029=0.07", "policy.risk_level=0.08"],
            "Final rule, with policy.risk_level 0.08",
        ),
        ("[policy]\nredistribution_share = 0.9", [], "reform"),
        ('extends = "untitled"\n[policy]\nrisk_level = 0.05', [], "untitled, with policy.risk_level 0.05"),
    ],
)
def test_a_scenario_is_titled_by_what_it_changes(tmp_path, reform, overrides, said):
    for name, text in {"base": BASE, "untitled": "[policy]\ntie_rule = 'mid'", "reform": reform}.items():
        (tmp_path / f"{name}.toml").write_text(text)
    assert load_scenario(tmp_path / "reform.toml", overrides).title == said


def test_the_title_is_no_part_of_what_a_scenario_is():
    one, other = (scenario_from_dict({"title": title}) for title in ("One", "Other"))
    assert one.identity() == other.identity()
