"""What is said of scenario files that cannot be used."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import tomli_w

from asmrisk.errors import InputError
from asmrisk.population.preparation import validate
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.scenario import load_scenario
from asmrisk.scenario.toml_source import show
from tests.scenario.files import problems_of, write


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
        'overrides policy.minimum_cases=zero: policy.minimum_cases: "zero" is not allowed; allowed: 1 to 10,',
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
        (b"a." * 20 + b"a = 1", "x.toml: 17 levels or more; a value in a scenario or a study has at most 16"),
        (b"a = " + b"9" * 5000, "x.toml: "),
        (b"\xff\xfe[\x00", "x.toml:1: is not UTF-8 text (byte 0)"),
        (b"a = 1\nb = '\xe9'", "x.toml:2: is not UTF-8 text (byte 11)"),
        (b"#" * (1 << 20) + b"\n", "x.toml: 1,048,577 bytes; a scenario, a study or"),
        (b"\x00", "x.toml:1:1: malformed TOML: "),
    ],
)
def test_what_is_no_toml(folder: Path, content: bytes, message: str) -> None:
    Path("x.toml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_scenario("x.toml")
    problem = str(*caught.value.problems)
    assert problem.startswith(message)


def test_a_missing_file_names_the_nearest(folder: Path) -> None:
    write("baseline.toml", "")
    with pytest.raises(InputError, match=r"^basline\.toml: no such file; did you mean baseline\.toml\?$"):
        load_scenario("basline.toml")
    with pytest.raises(InputError, match=r"^no/such\.toml: no such file \(there is no folder no\)$"):
        load_scenario("no/such.toml")


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
    problem = str(*caught.value.problems)
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
        ("policy.risk_level", "overrides policy.risk_level: write section.name=value"),
        ("=1", "overrides =1: write section.name=value"),
        ("risk_level=1", "overrides risk_level=1: write section.name=value"),
        ("policy.=1", "overrides policy.=1: write section.name=value"),
        ("policy.risk_level=", "overrides policy.risk_level=: '' is no TOML value"),
        ("policy.risk_level={2027=.1", "overrides policy.risk_level={2027=.1: '{2027=.1' is no TOML value"),
        ("policy.risk_level=0.1\na = 1", r"overrides policy.risk_level=0.1\na = 1: "),
        (
            "policy.risk_levle=.1",
            "overrides policy.risk_levle=.1: policy.risk_levle: unknown key; did you mean",
        ),
        (
            "policy.risk_level=2",
            "overrides policy.risk_level=2: policy.risk_level: 2 is not allowed; allowed: 0 to 1",
        ),
        (
            "policy.risk_level.2029=2",
            "overrides policy.risk_level.2029=2: policy.risk_level (2029): 2 is not allowed",
        ),
        ("policy.risk_level.2050=.2", "overrides policy.risk_level.2050=.2: policy.risk_level (2050): "),
        (
            "policy.tie_rule=uper",
            'overrides policy.tie_rule=uper: policy.tie_rule: "uper" is not allowed; allowed: upper',
        ),
        (
            "polcy.risk_level=.1",
            "overrides polcy.risk_level=.1: polcy: unknown section; did you mean policy?",
        ),
        ("extends.x=1", "overrides extends.x=1: extends: belongs in a scenario file"),
        (
            "population.cost_reliability.hart_failure=.5",
            "overrides population.cost_reliability.hart_failure=.5: population.",
        ),
        (".".join("a" * 40) + "=1", "overrides a.a.a"),
    ],
)
def test_one_clear_message_for_an_override(folder: Path, override: str, message: str) -> None:
    (problem,) = problems_of("title = 'T'", override)
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
    write("x.toml", f"[population]\n{name}_none = {{solo = 0.6}}\n{name}_one = {{solo = 0.6}}")
    with pytest.raises(InputError) as caught:
        validate("x.toml")
    problem = str(*caught.value.problems)
    assert re.match(r"x\.toml:[23]: .*population\.improvement_activities_", problem)


def test_validate_gives_the_problems_of_all_files_once(folder: Path) -> None:
    write("base.toml", "policy.risk_level = 2")
    write("a.toml", 'extends = "base"')
    write("b.toml", 'extends = "base"\nrun.seed = "x"')
    with pytest.raises(InputError) as caught:
        validate("a.toml", "b.toml", "c.toml")
    assert [str(problem).split(": ")[0] for problem in caught.value.problems] == [
        "base.toml:1",
        "b.toml:2",
        "c.toml",
    ]


@pytest.mark.parametrize("name", [name for name, each in PARAMETERS.items() if each.by_year])
def test_a_year_in_which_nothing_is_decided_is_refused(folder: Path, name: str) -> None:
    # Who has left, and Part B payments, count until the last payment year; all else while performance lasts.
    last = 2033 if name in ("behavior.exit_probability", "behavior.part_b_growth") else 2031
    value = PARAMETERS.defaults()[name][2027]
    section, _, key = name.partition(".")
    allowed = f"2027 to {last}"
    file = folder / "years.toml"
    file.write_text(tomli_w.dumps({section: {key: {"2027": value, str(last + 1): value}}}))
    with pytest.raises(InputError) as stated:
        load_scenario(file)
    file.write_text("title = 'T'")
    with pytest.raises(InputError) as override:
        load_scenario(file, [f"{name}.{last + 1}={show(value, 1000)}"])
    file.write_text(tomli_w.dumps({"uncertainty": {f"{name}.{last + 1}": {"values": [value, value]}}}))
    with pytest.raises(InputError) as unknown:
        load_scenario(file)
    for error in (stated, override, unknown):
        (problem,) = error.value.problems
        assert str(last + 1) in problem.to_line()
        assert problem.allowed == allowed
    file.write_text("title = 'T'")
    load_scenario(file, [f"{name}.{last}={show(value, 1000)}"])
