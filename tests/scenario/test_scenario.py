"""Scenario files: inheritance, overrides, checks, messages, identity, round trips."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asmrisk.errors import InputError
from asmrisk.scenario.scenario import PARAMETERS, Scenario, load_scenario, scenario_from_dict, validate
from asmrisk.scenario.uncertainty import DISTRIBUTIONS, Distribution, bounds

SCENARIOS = Path(__file__).parents[2] / "scenarios"
LIBRARY = sorted(SCENARIOS.glob("*.toml"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty current folder, so that messages name files shortly."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def problems_of(text: str, *overrides: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_scenario(write("x.toml", text), overrides)
    problems = list(caught.value.problems)
    assert all(problem and "\n" not in problem for problem in problems)
    return problems


def value_of(text: str, name: str, *overrides: str) -> Any:
    return load_scenario(write("x.toml", text), overrides).values[name]


YEARS = range(2027, 2034)

# ------------------------------------------------------------------------------- merging and resolving


def test_an_empty_file_is_the_final_rule(folder: Path) -> None:
    scenario = load_scenario(write("empty.toml", ""))
    assert scenario.differences() == {}
    assert dict(scenario.values) == dict(PARAMETERS.defaults())
    assert (scenario.title, scenario.description, scenario.reference) == ("empty", "", "")
    assert (scenario.values["run.draws"], scenario.roster) == (1000, None)


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
    assert [len(measures[year]["heart_failure"]) for year in YEARS] == [5, 5, 1, 1, 1, 1, 1]
    assert [len(measures[year]["low_back_pain"]) for year in YEARS] == [4, 2, 2, 2, 2, 2, 2]


def test_overrides_win_in_their_order(folder: Path) -> None:
    name = "policy.redistribution_share"
    assert value_of("policy.redistribution_share = 0.5", name, f"{name}=.7", f"{name}=1")[2027] == 1.0


def test_an_override_of_one_year_changes_that_year_alone(folder: Path) -> None:
    risk = value_of("", "policy.risk_level", "policy.risk_level.2029=.02")
    assert [risk[year] for year in YEARS] == [0.09, 0.09, 0.02, 0.11, 0.12, 0.12, 0.12]
    # Where the value is not stated again later, it holds until changed.
    share = value_of("", "policy.redistribution_share", "policy.redistribution_share.2029=1")
    assert [share[year] for year in YEARS] == [0.85, 0.85, 1.0, 1.0, 1.0, 1.0, 1.0]


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
    resolved = value_of("", name, override)
    if expected is None:
        assert resolved == {year: 0.01 if year == 2027 else 0.02 for year in YEARS}
    else:
        assert resolved[2027] == expected
        assert type(resolved[2027]) is type(expected)


def test_texts_describe_a_file_and_are_not_inherited(folder: Path) -> None:
    write("base.toml", 'title = "Base"\ndescription = "D"\nreference = "R"')
    child = load_scenario(write("a_reform.toml", 'extends = "base.toml"'))
    assert (child.title, child.description, child.reference) == ("a_reform", "", "")
    own = load_scenario(write("b.toml", 'extends = "base"\ntitle = "Own"'), ["policy.risk_level=0.1"])
    assert own.title == "Own"


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
    assert caught.value.problems == (
        "x.toml:3: policy.risk_levle: unknown key; did you mean policy.risk_level?",
    )


# ------------------------------------------------------------------------------- unusable input


def test_all_problems_of_a_file_at_once_with_their_lines(folder: Path) -> None:
    problems = problems_of(
        "\n".join(
            [
                "title = 3",
                "[polcy]",
                "x = 1",
                "[policy]",
                "risk_levle = 0.1",
                "risk_level = {2027 = 0.1, 2029 = 1.5}",
                'tie_rule = "uper"',
                "[population]",
                "cost_reliability = {hart_failure = 0.5}",
            ]
        ),
        "policy.minimum_cases=zero",
    )
    begins = [
        "x.toml:1: title: 3 is not allowed",
        "x.toml:2: polcy: unknown section; did you mean policy?",
        "x.toml:5: policy.risk_levle: unknown key; did you mean policy.risk_level?",
        "x.toml:6: policy.risk_level (2029): 1.5 is not allowed; allowed: 0 to 1 (fraction; 42 CFR § 512.750",
        'x.toml:7: policy.tie_rule: "uper" is not allowed; allowed: upper, lower or mid',
        "x.toml:9: population.cost_reliability.hart_failure: unknown key; did you mean heart_failure?",
        '--set policy.minimum_cases=zero: policy.minimum_cases: "zero" is not allowed; allowed: 1 to 10,000',
    ]
    assert len(problems) == len(begins)
    for problem, begin in zip(problems, begins, strict=True):
        assert problem.startswith(begin)


def test_lines_of_keys_however_they_are_written(folder: Path) -> None:
    text = """\
# a comment
"policy".risk_levle = 1   # dotted, quoted
population = {cost_reliability = {heart_failure = 2}, x1 = 2}

[ behavior . 'exempt_shares' ]
a = '''
x = 1
'''
[uncertainty.policy]
tie_rules = {distribution = "uniform"}
[uncertainty."policy.risk_level"]
distribution = "uniform"
low = 0.1
high = [
  2,
]
[[running]]
a = 1
[[running]]
"""
    lines = sorted(int(problem.split(":")[1]) for problem in problems_of(text))
    assert lines == [2, 3, 3, 5, 10, 14, 17]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("risk_level = 0.1", "x.toml:1: risk_level: unknown key; write it under [policy]"),
        ("[exchange]\nx = 1", "x.toml:1: exchange: unknown section; "),
        (
            "[population]\nrisk_level = 0.1",
            "x.toml:2: population.risk_level: unknown key; did you mean policy.risk_level?",
        ),
        ("policy = 3", "x.toml:1: policy: must be a section; write [policy] on a line of its own"),
        ("[[policy]]", "x.toml:1: policy: must be a section"),
        ("policy.risk_level = -0.1", "x.toml:1: policy.risk_level: -0.1 is not allowed; allowed: 0 to 1"),
        ("policy.risk_level = nan", "x.toml:1: policy.risk_level: nan is not allowed"),
        ("policy.risk_level = inf", "x.toml:1: policy.risk_level: inf is not allowed"),
        ("policy.risk_level = true", "x.toml:1: policy.risk_level: true is not allowed"),
        ('policy.risk_level = "0.1"', 'x.toml:1: policy.risk_level: "0.1" is not allowed'),
        ("policy.risk_level = 2027-01-01", "x.toml:1: policy.risk_level: 2027-01-01 is not allowed"),
        ("policy.risk_level = [0.1]", "x.toml:1: policy.risk_level: [0.1] is not allowed"),
        ("policy.risk_level = {}", "x.toml:1: policy.risk_level: {} is not allowed"),
        (
            f"policy.risk_level = 1{'0' * 400}",
            "x.toml:1: policy.risk_level: an integer of over a hundred digits",
        ),
        ("policy.risk_level = {2028 = 0.1}", "x.toml:1: policy.risk_level: year 2027 is missing"),
        ("policy.risk_level = {2027 = 0.1, 2034 = 0.1}", "x.toml:1: policy.risk_level (2034): "),
        ("policy.risk_level = {2027 = 0.1, late = 0.1}", 'x.toml:1: policy.risk_level: "late" is no year'),
        ('policy.risk_level = {2027 = 0.1, "²" = 0.1}', 'x.toml:1: policy.risk_level: "²" is no year'),
        (
            'policy.risk_level = {2027 = 0.1, "02028" = 0.1}',
            'x.toml:1: policy.risk_level (02028): "02028" is no year',
        ),
        ("policy.minimum_cases = 20.0", "x.toml:1: policy.minimum_cases: 20.0 is not allowed"),
        (
            "policy.partial_points = 1",
            "x.toml:1: policy.partial_points: 1 is not allowed; allowed: true or false",
        ),
        (
            'policy.exchange_midpoint = "median"',
            'x.toml:1: policy.exchange_midpoint: "median" is not allowed; allowed: a number from 0 to 100',
        ),
        (
            "policy.cost_points = [1, 2]",
            "x.toml:1: policy.cost_points: [1, 2] is not allowed; allowed: ten numbers",
        ),
        (
            "policy.improvement_activities_points = [-20, 5, 0]",
            "x.toml:1: policy.improvement_activities_points: 5 is",
        ),
        (
            'policy.measures.heart_failure = ["q49"]',
            'x.toml:1: policy.measures.heart_failure: "q49" is not allowed',
        ),
        (
            'policy.measures.heart_failure = ["q238"]',
            'x.toml:1: policy.measures.heart_failure: "q238" is not allowed',
        ),
        ('policy.measures.heart_failure = ["q492", "q492"]', "x.toml:1: policy.measures.heart_failure: "),
        ("policy.measures.heart_failure = []", "x.toml:1: policy.measures.heart_failure: [] is not allowed"),
        (
            "policy.quality_weight = 0.6",
            "x.toml:1: policy.quality_weight and policy.cost_weight make 1.1 in 2027",
        ),
        (
            "population.cost_sd.heart_failure = '1'",
            'x.toml:1: population.cost_sd.heart_failure: "1" is not allowed',
        ),
        ("population.clinicians = {2027 = 8600.0}", "x.toml:1: population.clinicians: does not vary by year"),
        ("run.draws = 0", "x.toml:1: run.draws: 0 is not allowed; allowed: 1 to 10000000"),
        ("run.draws = 1e3", "x.toml:1: run.draws: 1000.0 is not allowed"),
        ("run.seed = -1", "x.toml:1: run.seed: -1 is not allowed"),
        (f"run.seed = {2**64}", "x.toml:1: run.seed: 18446744073709551616 is not allowed"),
        ("population.roster = 'ours.csv'", "x.toml:1: population.roster: there is no file "),
        ("extends = 3", "x.toml:1: extends: must be the name of a scenario file in quotes"),
        ('extends = ""', "x.toml:1: extends: must be the name of a scenario file in quotes"),
        ('extends = "y"', "x.toml:1: extends: there is no file y.toml"),
        (
            'extends = "none/y.toml"',
            "x.toml:1: extends: there is no file none/y.toml (there is no folder none)",
        ),
        ('extends = "a\\u0000b"', "x.toml:1: extends: there is no file "),
        ('"a\\nb" = 1', r"x.toml:1: a\nb: unknown key"),
    ],
)
def test_one_clear_message(folder: Path, text: str, message: str) -> None:
    (problem,) = problems_of(text)
    assert problem.startswith(message)


def test_a_word_that_is_nearly_right_is_suggested(folder: Path) -> None:
    (problem,) = problems_of('policy.exchange_function = "logistics"')
    assert problem.endswith("; did you mean logistic?")
    (problem,) = problems_of('policy.exchange_midpoint = "cohort_mean"')
    assert problem.endswith("; did you mean cohort_median?")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[policy]\nrisk_level 0.1\n", "x.toml:2:12: malformed TOML: Expected '=' after a key"),
        (b"[policy]\nrisk_level = \n", "x.toml:2:14: malformed TOML: Invalid value"),
        (b"[policy\n", "x.toml:1:8: malformed TOML: "),
        (b"a = 1\na = 2\n", "x.toml:2:6: malformed TOML: Cannot overwrite a value"),
        (b"a = '''\n\n", "x.toml:3: malformed TOML: "),
        (b"a = [1,", "x.toml:1: malformed TOML: "),
        (b"a = 2027-13-01", "x.toml"),
        (b"a = " + b"[" * 5000, "x.toml: nested too deeply"),
        (b"a." * 500_000 + b"a = 1", "x.toml: nested too deeply"),
        (b"[" + b"'a' . " * 150_000 + b"a]", "x.toml: nested too deeply"),
        (b"a." * 20 + b"a = 1", "x.toml: nested too deeply"),
        (b"a = " + b"9" * 5000, "x.toml: "),
        (b"\xff\xfe[\x00", "x.toml:1: is not UTF-8 text (byte 0)"),
        (b"a = 1\nb = '\xe9'", "x.toml:2: is not UTF-8 text (byte 11)"),
        (b"#" * (1 << 20) + b"\n", "x.toml: is larger than 1 MiB"),
        (b"\x00", "x.toml:1:1: malformed TOML: "),
    ],
)
def test_what_is_no_toml(folder: Path, content: bytes, message: str) -> None:
    Path("x.toml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_scenario("x.toml")
    (problem,) = caught.value.problems
    assert problem.startswith(message)


def test_a_missing_file_names_the_nearest(folder: Path) -> None:
    write("baseline.toml", "")
    with pytest.raises(InputError, match=r"^basline\.toml: no such file; did you mean baseline\.toml\?$"):
        load_scenario("basline.toml")
    with pytest.raises(InputError, match=r"^no/such\.toml: no such file \(there is no folder no\)$"):
        load_scenario("no/such.toml")
    with pytest.raises(InputError, match=r"no such file; did you mean baseline.toml\?"):
        load_scenario("baseline")


def test_a_folder_is_no_scenario(folder: Path) -> None:
    (folder / "scenarios").mkdir()
    write("scenarios/a.toml", "")
    with pytest.raises(
        InputError, match=r"^scenarios: is a folder; name a scenario file in it, for example a\.toml$"
    ):
        load_scenario("scenarios")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_an_unreadable_file(folder: Path) -> None:
    Path(write("x.toml", "")).chmod(0)
    with pytest.raises(InputError, match=r"^x\.toml: cannot be read \(Permission denied\)$"):
        load_scenario("x.toml")


def test_a_path_that_cannot_exist(folder: Path) -> None:
    for path in ("a\0b", "x" * 5000, "x.toml/y.toml"):
        write("x.toml", "")
        with pytest.raises(InputError):
            load_scenario(path)


def test_files_that_extend_each_other(folder: Path) -> None:
    write("a.toml", 'extends = "b.toml"')
    write("b.toml", '\n\nextends = "a"')
    with pytest.raises(InputError) as caught:
        load_scenario("a.toml")
    (problem,) = caught.value.problems
    assert problem == "b.toml:3: extends: the files extend each other in a circle: a.toml -> b.toml -> a.toml"
    write("c.toml", 'extends = "c.toml"')
    with pytest.raises(InputError, match=r"circle: c\.toml -> c\.toml"):
        load_scenario("c.toml")


def test_problems_of_a_base_are_told_with_the_base(folder: Path) -> None:
    write("base.toml", "policy.risk_level = 2")
    assert [each.split(": ")[0] for each in problems_of('extends = "base"\npolicy.x = 1')] == [
        "base.toml:1",
        "x.toml:2",
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("policy.risk_level", "--set policy.risk_level: write --set section.name=value"),
        ("=1", "--set =1: write --set section.name=value"),
        ("risk_level=1", "--set risk_level=1: write --set section.name=value"),
        ("policy.=1", "--set policy.=1: write --set section.name=value"),
        ("policy.risk_level=", "--set policy.risk_level=: '' is no TOML value"),
        ("policy.risk_level={2027=.1", "--set policy.risk_level={2027=.1: '{2027=.1' is no TOML value"),
        ("policy.risk_level=0.1\na = 1", r"--set policy.risk_level=0.1\na = 1: "),
        ("policy.risk_levle=.1", "--set policy.risk_levle=.1: policy.risk_levle: unknown key; did you mean"),
        (
            "policy.risk_level=2",
            "--set policy.risk_level=2: policy.risk_level: 2 is not allowed; allowed: 0 to 1",
        ),
        (
            "policy.risk_level.2029=2",
            "--set policy.risk_level.2029=2: policy.risk_level (2029): 2 is not allowed",
        ),
        ("policy.risk_level.2050=.2", "--set policy.risk_level.2050=.2: policy.risk_level (2050): "),
        (
            "policy.tie_rule=uper",
            '--set policy.tie_rule=uper: policy.tie_rule: "uper" is not allowed; allowed: upper',
        ),
        ("polcy.risk_level=.1", "--set polcy.risk_level=.1: polcy: unknown section; did you mean policy?"),
        ("extends.x=1", "--set extends.x=1: extends: belongs in a scenario file"),
        (
            "population.cost_reliability.hart_failure=.5",
            "--set population.cost_reliability.hart_failure=.5: population.",
        ),
        (".".join("a" * 40) + "=1", "--set a.a.a"),
    ],
)
def test_one_clear_message_for_an_override(folder: Path, override: str, message: str) -> None:
    (problem,) = problems_of("", override)
    assert problem.startswith(message)


def test_weights_are_set_together(folder: Path) -> None:
    values = load_scenario(write("x.toml", "policy = {quality_weight = 0.3, cost_weight = 0.7}")).values
    assert values["policy.quality_weight"][2027] == 0.3
    (problem,) = problems_of("policy.cost_weight = {2027 = 0.5, 2030 = 0.4}")
    assert "in 2030" in problem
    # A weight that is itself wrong is told once.
    assert len(problems_of("policy.cost_weight = 7")) == 1


def test_values_that_no_population_has_are_told_with_their_line(folder: Path) -> None:
    name = "improvement_activities"
    (problem,) = problems_of(f"[population]\n{name}_none = {{solo = 0.6}}\n{name}_one = {{solo = 0.6}}")
    assert re.match(r"x\.toml:[23]: .*population\.improvement_activities_", problem)


def test_validate_gives_the_problems_of_all_files_once(folder: Path) -> None:
    write("base.toml", "policy.risk_level = 2")
    write("a.toml", 'extends = "base"')
    write("b.toml", 'extends = "base"\nrun.seed = "x"')
    with pytest.raises(InputError) as caught:
        validate("a.toml", "b.toml", "c.toml")
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "base.toml:1",
        "b.toml:2",
        "c.toml",
    ]


# ------------------------------------------------------------------------------- uncertainty


def test_distributions_by_quoted_and_by_dotted_keys(folder: Path) -> None:
    text = """
    [uncertainty]
    "policy.exchange_steepness" = {distribution = "uniform", low = 0.05, high = 0.2}
    population.cost_reliability.heart_failure = {distribution = "normal", mean = 0.7, sd = 0.1}
    [uncertainty.population.cost_reliability.low_back_pain]
    distribution = "triangular"
    low = 0.4
    mode = 0.8
    high = 0.9
    [uncertainty.policy.minimum_cases]
    distribution = "choice"
    values = [10, 20]
    weights = [1, 3]
    [uncertainty."population.part_b_mean".cardiology]
    distribution = "lognormal"
    median = 180_000
    log_sd = 0.1
    """
    uncertainty = load_scenario(write("x.toml", text)).uncertainty
    assert {name: dict(each) for name, each in uncertainty.items()} == {
        "policy.exchange_steepness": {"distribution": "uniform", "low": 0.05, "high": 0.2},
        "population.cost_reliability.heart_failure": {"distribution": "normal", "mean": 0.7, "sd": 0.1},
        "population.cost_reliability.low_back_pain": {
            "distribution": "triangular",
            "low": 0.4,
            "mode": 0.8,
            "high": 0.9,
        },
        "policy.minimum_cases": {"distribution": "choice", "values": [10, 20], "weights": [1.0, 3.0]},
        "population.part_b_mean.cardiology": {
            "distribution": "lognormal",
            "median": 180_000.0,
            "log_sd": 0.1,
        },
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '"policy.steepness" = {distribution = "uniform", low = 0, high = 1}',
            "uncertainty.policy.steepness: unknown parameter; did you mean policy.exchange_steepness?",
        ),
        (
            'policy.tie_rule = {distribution = "choice", values = [1]}',
            "uncertainty.policy.tie_rule: is not a number",
        ),
        (
            'policy.cost_points = {distribution = "choice", values = [1]}',
            "uncertainty.policy.cost_points: is not a nu",
        ),
        (
            'policy.partial_points = {distribution = "choice", values = [1]}',
            "uncertainty.policy.partial_points: is not",
        ),
        (
            'population.cost_sd = {distribution = "choice", values = [1]}',
            "uncertainty.population.cost_sd: is not a number, so it cannot be uncertain; allowed: populati",
        ),
        (
            'run.draws = {distribution = "choice", values = [1]}',
            "uncertainty.run.draws: a setting of the run cannot be",
        ),
        ("policy.risk_level = 0.1", "uncertainty.policy.risk_level: 0.1 is no distribution"),
        (
            "policy.risk_level = {low = 0.1, high = 0.2}",
            "uncertainty.policy.risk_level: {low = 0.1, high = 0.2} is no d",
        ),
        (
            'policy.risk_level = {distribution = "uniforme", low = 0.1, high = 0.2}',
            'uncertainty.policy.risk_level.distribution: "uniforme" is not known; allowed: uniform, trian',
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = 0.1}',
            "uncertainty.policy.risk_level: high is missing",
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = 0.1, hihg = 0.2, high = 0.3}',
            "uncertainty.policy.risk_level.hihg: unknown key; did you mean high?",
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = 0.3, high = 0.1}',
            "uncertainty.policy.risk_level: low (0.3) must be less than high (0.1)",
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = 0.3, high = 1.1}',
            "uncertainty.policy.risk_level.high: 1.1 is not allowed; allowed: 0 to 1 (fraction; 42 CFR",
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = nan, high = 1}',
            "uncertainty.policy.risk_level.low: nan is not allowed; allowed: a finite number",
        ),
        (
            'policy.risk_level = {distribution = "uniform", low = false, high = 1}',
            "uncertainty.policy.risk_level.low: false is not allowed; allowed: a finite number",
        ),
        (
            'policy.risk_level = {distribution = "triangular", low = 0.1, mode = 0.5, high = 0.2}',
            "uncertainty.policy.risk_level.mode: 0.5 does not lie between low and high",
        ),
        (
            'policy.risk_level = {distribution = "normal", mean = 0.1, sd = -1}',
            "uncertainty.policy.risk_level.sd: -1 is not allowed; allowed: greater than 0, at most 1",
        ),
        (
            'policy.risk_level = {distribution = "lognormal", median = 0, log_sd = 1}',
            "uncertainty.policy.risk_level.median: 0 is not allowed; allowed: greater than 0",
        ),
        (
            'policy.risk_level = {distribution = "choice", values = []}',
            "uncertainty.policy.risk_level.values: [] is not allowed; allowed: a list of finite numbers",
        ),
        (
            'policy.risk_level = {distribution = "choice", values = [0.1, 1.1]}',
            "uncertainty.policy.risk_level.values: 1.1 is not allowed; allowed: 0 to 1",
        ),
        (
            'policy.risk_level = {distribution = "choice", values = [0.1], weights = [0]}',
            "uncertainty.policy.risk_level.weights: weights must not be negative",
        ),
        (
            'policy.risk_level = {distribution = "choice", values = [0.1], weights = [1, 1]}',
            "uncertainty.policy.risk_level.weights: 2 weights for 1 values",
        ),
        (
            'policy.minimum_cases = {distribution = "uniform", low = 10, high = 20}',
            "uncertainty.policy.minimum_cases.distribution: the parameter is a whole number; allowed: choice",
        ),
        (
            'policy.minimum_cases = {distribution = "choice", values = [10.5]}',
            "uncertainty.policy.minimum_cases.values: 10.5 is not allowed; allowed: whole numbers",
        ),
        (
            '"policy.risk_level" = {distribution = "choice", values = [0.1]}\n'
            'policy.risk_level = {distribution = "choice", values = [0.1]}',
            "uncertainty.policy.risk_level: is given twice",
        ),
        (
            'policy.risk_level.2050 = {distribution = "choice", values = [0.1]}',
            "uncertainty.policy.risk_level.2050: is not a number",
        ),
    ],
)
def test_one_clear_message_for_a_distribution(folder: Path, text: str, message: str) -> None:
    (problem,) = problems_of("[uncertainty]\n" + text)
    assert re.match(r"x\.toml:\d+: ", problem)
    assert problem.partition(": ")[2].startswith(message)


def test_a_number_is_uncertain_once(folder: Path) -> None:
    text = """[uncertainty]
    "policy.risk_level" = {distribution = "uniform", low = 0.1, high = 0.2}
    "policy.risk_level.2029" = {distribution = "uniform", low = 0.1, high = 0.2}
    """
    (problem,) = problems_of(text)
    assert problem.startswith("x.toml:3: uncertainty.policy.risk_level.2029: is part of policy.risk_level, ")


def test_weights_cannot_be_uncertain(folder: Path) -> None:
    (problem,) = problems_of(
        '[uncertainty]\n"policy.cost_weight" = {distribution = "uniform", low = 0.1, high = 0.2}'
    )
    assert "the weights of quality and cost must make 1 in every draw" in problem


def test_a_stated_value_ends_an_inherited_distribution(folder: Path) -> None:
    write(
        "base.toml",
        """[uncertainty]
        policy.exchange_steepness = {distribution = "uniform", low = 0.05, high = 0.2}
        population.cost_reliability.heart_failure = {distribution = "uniform", low = 0.4, high = 0.9}
        population.cost_reliability.low_back_pain = {distribution = "uniform", low = 0.4, high = 0.9}
        """,
    )
    child = write("x.toml", 'extends = "base"\npopulation.cost_reliability.heart_failure = 0.5')
    assert set(load_scenario(child).uncertainty) == {
        "policy.exchange_steepness",
        "population.cost_reliability.low_back_pain",
    }
    assert (
        "policy.exchange_steepness" not in load_scenario(child, ["policy.exchange_steepness=.1"]).uncertainty
    )
    # A file that states both means both: the value is the central one.
    both = 'extends = "base"\npolicy.exchange_steepness = 0.3\n[uncertainty."policy.exchange_steepness"]\n'
    both += 'distribution = "uniform"\nlow = 0.2\nhigh = 0.4'
    scenario = load_scenario(write("y.toml", both))
    assert scenario.uncertainty["policy.exchange_steepness"]["low"] == 0.2
    assert scenario.values["policy.exchange_steepness"][2027] == 0.3


def _normal(score: float) -> float:
    return 0.5 * math.erfc(-score / math.sqrt(2.0))


@pytest.mark.parametrize(
    ("given", "below"),
    [
        ({"distribution": "uniform", "low": 0.2, "high": 0.6}, lambda x: (x - 0.2) / 0.4),
        (
            {"distribution": "triangular", "low": 0.0, "mode": 0.25, "high": 1.0},
            lambda x: x * x / 0.25 if x < 0.25 else 1.0 - (1.0 - x) ** 2 / 0.75,
        ),
        (
            {"distribution": "normal", "mean": 0.9, "sd": 0.3},
            lambda x: (_normal((x - 0.9) / 0.3) - _normal(-3.0)) / (_normal(1.0 / 3.0) - _normal(-3.0)),
        ),
        (
            {"distribution": "lognormal", "median": 0.5, "log_sd": 0.8},
            lambda x: _normal(math.log(x / 0.5) / 0.8) / _normal(math.log(2.0) / 0.8),
        ),
    ],
    ids=lambda each: each["distribution"] if isinstance(each, dict) else "",
)
def test_quantiles_invert_the_distribution_function(given: dict[str, Any], below: Any) -> None:
    distribution = scenario_from_dict({"uncertainty": {"policy.risk_level": given}}).uncertainty[
        "policy.risk_level"
    ]
    for step in range(1, 200):
        probability = step / 200
        value = distribution.quantile(probability)
        assert 0.0 <= value <= 1.0
        # Nine digits of the value, seven of the tails' difference.
        assert below(value) == pytest.approx(probability, abs=1e-7)


def test_quantiles_of_a_choice() -> None:
    given = {"distribution": "choice", "values": [10, 20, 30], "weights": [1, 0, 3]}
    chosen = scenario_from_dict({"uncertainty": {"policy.minimum_cases": given}}).uncertainty[
        "policy.minimum_cases"
    ]
    assert [chosen.quantile(p) for p in (1e-9, 0.2499, 0.2501, 1 - 1e-16)] == [10, 10, 30, 30]
    assert isinstance(chosen.quantile(0.1), int)


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
    identity = {
        name: load_scenario(write("x.toml", f"population.roster = '{name}.csv'")).identity() for name in "ab"
    }
    assert identity["a"] == identity["b"] != load_scenario(write("y.toml", "")).identity()
    write("b.csv", ROSTER.replace("2e5", "200001"))
    assert load_scenario("x.toml").identity() != identity["a"]


def test_what_is_wrong_with_a_roster_is_said_with_the_rest(folder: Path) -> None:
    write("a.csv", ROSTER.replace("2e5", "-1"))
    with pytest.raises(InputError) as caught:
        load_scenario(write("x.toml", "population.roster = 'a.csv'\npolicy.risk_level = 7"))
    assert any("a.csv, line 2: part_b_payments is '-1'" in each for each in caught.value.problems)
    assert any("policy.risk_level" in each for each in caught.value.problems)


# ------------------------------------------------------------------------------- identity and round trips


def test_identity_is_of_what_decides_the_results(folder: Path) -> None:
    plain = load_scenario(write("a.toml", "")).identity()
    same = (
        "title = 'T'\ndescription = 'D'\nreference = 'R'\nrun = {draws = 5, seed = 6}\npolicy.risk_level = "
    )
    same += "{2027 = 0.09, 2028 = 0.09, 2029 = 0.10, 2030 = 0.11, 2031 = 0.12}\npolicy.quality_weight = 0.5"
    assert load_scenario(write("b.toml", same)).identity() == plain
    for text in (
        "policy.risk_level.2027 = 0.09",
        "behavior.exit_probability = 0.05",
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


def _value(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a declared type allows, from its JSON schema."""
    if "$ref" in schema:
        return _value(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return st.one_of([_value(option, definitions) for option in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "number":
        return st.floats(schema["minimum"], schema["maximum"])
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    if schema["type"] == "array":
        words = "enum" in schema["items"]
        size = {"min_size": schema.get("minItems", 0), "max_size": schema.get("maxItems", 5)}
        return st.lists(_value(schema["items"], definitions), unique=words, **size)
    return st.fixed_dictionaries(
        {key: _value(each, definitions) for key, each in schema["properties"].items()}
    )


def _parameter(name: str) -> st.SearchStrategy[Any]:
    parameter = PARAMETERS[name]
    schema = parameter.adapter.json_schema()
    value = _value(schema, schema.get("$defs", {}))
    if not parameter.by_year:
        return value
    later = st.dictionaries(st.sampled_from([str(year) for year in YEARS[1:]]), value, max_size=3)
    return value | st.builds(lambda first, rest: {"2027": first, **rest}, value, later)


def _distribution(name: str) -> st.SearchStrategy[dict[str, Any]]:
    low, high = bounds(PARAMETERS[name]) or (0.0, 1.0)
    number = st.floats(low, high)
    return st.builds(
        lambda values: {"distribution": "choice", "values": values}, st.lists(number, min_size=1)
    ) | (
        st.lists(number, min_size=2, max_size=2, unique=True).map(
            lambda pair: {"distribution": "uniform", "low": min(pair), "high": max(pair)}
        )
    )


#: Parameters whose values must fit others, and the roster, which must exist.
_TIED = {"policy.quality_weight", "policy.cost_weight", "policy.cost_points_z", "population.roster"}
_FREE = [name for name in PARAMETERS if name not in _TIED]
_NUMBERS = [
    name
    for name in _FREE
    if PARAMETERS[name].adapter.json_schema().get("type") == "number" and not name.startswith("run.")
]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Valid scenarios as plain data."""
    document: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(_FREE), unique=True, max_size=8)):
        section, _, key = name.partition(".")
        document.setdefault(section, {})[key] = draw(_parameter(name))
    if draw(st.booleans()):
        quality = draw(st.floats(0, 1))
        document.setdefault("policy", {}).update(quality_weight=quality, cost_weight=1.0 - quality)
    uncertain = draw(st.lists(st.sampled_from(_NUMBERS), unique=True, max_size=3))
    if uncertain:
        document["uncertainty"] = {name: draw(_distribution(name)) for name in uncertain}
    text = st.text(st.characters(exclude_categories=["Cs"]))
    for key in ("title", "description", "reference"):
        if draw(st.booleans()):
            document[key] = draw(text)
    return document


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=documents())
def test_a_scenario_survives_being_written(document: dict[str, Any], tmp_path: Path) -> None:
    # Values that no population has are drawn too; that they are refused is no part of this.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asmrisk.scenario.scenario._calibration_problems", lambda values: ())
        _survives(document, tmp_path)


def _survives(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8", newline="")
    scenario = load_scenario(path)
    for name in ("title", "description", "reference"):
        if name in document:
            assert getattr(scenario, name) == document[name].replace("\r\n", "\n")
    written = tmp_path / "y.toml"
    written.write_text(scenario.to_toml(), encoding="utf-8", newline="")
    again = load_scenario(written)
    assert again == scenario
    assert again.identity() == scenario.identity()
    assert scenario_from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario
    assert again.differences(scenario) == {}


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
        assert 'extends = "baseline.toml"' in path.read_text(encoding="utf-8")


def test_the_baseline_cites_the_final_rule() -> None:
    assert "90 FR 49266" in load_scenario(SCENARIOS / "baseline.toml").reference


def test_distributions_are_known_by_their_numbers() -> None:
    assert set(DISTRIBUTIONS) == {"uniform", "triangular", "normal", "lognormal", "choice"}
    uniform = Distribution({"distribution": "uniform", "low": 0.0, "high": 1.0}, 0.0, 1.0)
    assert json.loads(json.dumps(uniform)) == uniform
    assert pickle.loads(pickle.dumps(uniform)).quantile(0.5) == 0.5
