"""Study files and designs: what is read, what is refused and how, which points there are."""

# ruff: noqa: E501  (tables of messages)

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from SALib.sample import morris

from asmrisk.errors import InputError
from asmrisk.scenario.scenario import load_scenario
from asmrisk.studies.points import point_scenario
from asmrisk.studies.study import Study, load_study
from tests.studies.tiny import LIBRARY, SCENARIOS

HEAD = f'scenario = "{SCENARIOS / "baseline.toml"}"\noutcomes = ["medicare_savings"]\n'


@pytest.fixture
def study(tmp_path: Path) -> Any:
    """Load a study: sections as text, below the usual head."""

    def load(text: str, head: str = HEAD, **arguments: int) -> Study:
        path = tmp_path / "study.toml"
        path.write_text(head + text)
        return load_study(path, **arguments)

    return load


def problems(study: Any, text: str, head: str = HEAD, **arguments: int) -> list[str]:
    with pytest.raises(InputError) as caught:
        study(text, head, **arguments)
    return [str(each) for each in caught.value.problems]


ONE = '[design]\nmethod = "one_at_a_time"\n[parameters]\n'


# --- What is read ------------------------------------------------------------------------------------------


def test_the_base_scenario_is_the_first_point(study: Any) -> None:
    loaded = study(ONE + '"policy.exchange_steepness" = {low = 0.05, high = 0.2}')
    assert loaded.points == 3
    assert loaded.design.changes == (
        {},
        {"policy.exchange_steepness": 0.05},
        {"policy.exchange_steepness": 0.2},
    )
    assert loaded.column(0) == [0.1, 0.05, 0.2]
    assert loaded.scenario.values == load_scenario(SCENARIOS / "baseline.toml").values
    assert list(loaded.table()["policy.exchange_steepness"]) == [0.1, 0.05, 0.2]


@pytest.mark.parametrize(
    ("parameter", "spec", "expected"),
    [
        ("policy.tie_rule", '{values = ["lower", "mid"]}', ["lower", "mid"]),
        ("policy.partial_points", "{values = [true, false]}", [True, False]),
        ("policy.minimum_cases", "{values = [10, 20, 30]}", [10, 20, 30]),
        ("policy.exchange_midpoint", '{values = ["cohort_median", 50.0]}', ["cohort_median", 50.0]),
        (
            "policy.risk_level",
            "{values = [0.02, {2027 = 0.09, 2029 = 0.1}]}",
            [0.02, {"2027": 0.09, "2029": 0.1}],
        ),
        ("policy.risk_level.2029", "{values = [0.02, 0.05]}", [0.02, 0.05]),
        ("population.cost_reliability.heart_failure", "{low = 0.4, high = 0.9}", [0.4, 0.9]),
        (
            "population.cost_reliability.heart_failure",
            "{low = 0.4, high = 0.9, levels = 3}",
            [0.4, 0.65, 0.9],
        ),
        ("behavior.part_b_growth.2028.heart_failure", "{low = -0.01, high = 0.01}", [-0.01, 0.01]),
        # The 5% and 95% quantiles of a uniform.
        (
            "behavior.exit_probability.cardiology",
            '{distribution = "uniform", low = 0.0, high = 0.1}',
            [0.005, 0.095],
        ),
        ("policy.minimum_cases", '{distribution = "choice", values = [10, 30]}', [10, 30]),
    ],
)
def test_ways_to_say_values(study: Any, parameter: str, spec: str, expected: list[Any]) -> None:
    loaded = study(f'{ONE}"{parameter}" = {spec}')
    assert loaded.column(0)[1:] == expected


def test_dotted_keys_and_sections_are_the_same(study: Any) -> None:
    dotted = study(ONE + "policy.risk_level.2029 = {values = [0.02, 0.05]}")
    section = study(
        '[design]\nmethod = "one_at_a_time"\n[parameters.policy.risk_level.2029]\nvalues = [0.02, 0.05]'
    )
    assert dotted.definition() == section.definition()


def test_the_scenarios_own_distribution(study: Any, tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(
        "[uncertainty]\n"
        '"behavior.cost_response.2029" = {distribution = "uniform", low = 0.0, high = 0.01}\n'
        '"behavior.exit_probability.cardiology" = {distribution = "uniform", low = 0.02, high = 0.06}\n'
    )
    head = 'scenario = "base.toml"\noutcomes = ["medicare_savings"]\n'
    loaded = study(ONE + '"behavior.cost_response.2029" = "uncertainty"', head)
    assert loaded.column(0)[1:] == [0.0005, 0.0095]
    point = point_scenario(loaded.scenario, loaded.design.changes[1])
    assert list(point.uncertainty) == ["behavior.exit_probability.cardiology"]
    said = problems(study, ONE + '"behavior.medicare_share" = "uncertainty"', head)
    assert said == [
        f"{tmp_path / 'study.toml'}:6: behavior.medicare_share: the scenario gives it no distribution under "
        "[uncertainty]; it has: behavior.cost_response.2029, behavior.exit_probability.cardiology"
    ]


def test_the_scenarios_own_linked_unknowns(study: Any, tmp_path: Path) -> None:
    """What is linked comes along, with the weights; and a point that states values fixes the whole unknown."""
    (tmp_path / "base.toml").write_text(
        "[uncertainty]\n"
        '"policy.tie_rule" = {values = ["upper", "mid"], weights = [3, 1], '
        'with = {"policy.minimum_cases" = [10, 30]}}\n'
        "behavior.part_b_growth.heart_failure = {median = 0.0, low = -0.01, high = 0.02, "
        "with = {behavior.part_b_growth.low_back_pain = {median = 0.01, low = 0.0, high = 0.02}}}\n"
    )
    head = 'scenario = "base.toml"\noutcomes = ["medicare_savings"]\n'
    text = ONE + '"policy.tie_rule" = "uncertainty"\n"behavior.part_b_growth.heart_failure" = "uncertainty"'
    loaded = study(text, head)
    growth = ("behavior.part_b_growth.heart_failure", "behavior.part_b_growth.low_back_pain")
    assert loaded.design.changes[1:] == (
        {"policy.tie_rule": "upper", "policy.minimum_cases": 10},
        {"policy.tie_rule": "mid", "policy.minimum_cases": 30},
        dict(zip(growth, (-0.01, 0.0), strict=True)),
        dict(zip(growth, (0.02, 0.02), strict=True)),
    )
    assert loaded.column(1) == [0.0, 0.0, 0.0, -0.01, 0.02]
    assert loaded.factors[0].at(0.7) == {"policy.tie_rule": "upper", "policy.minimum_cases": 10}
    assert loaded.factors[0].at(0.8) == {"policy.tie_rule": "mid", "policy.minimum_cases": 30}
    point = point_scenario(load_scenario(tmp_path / "base.toml"), loaded.design.changes[4])
    assert list(point.uncertainty) == ["policy.tie_rule"]
    assert point.values["behavior.part_b_growth"][2033] == {"heart_failure": 0.02, "low_back_pain": 0.02}
    said = problems(study, ONE + '"policy.minimum_cases" = "uncertainty"', head)
    assert "policy.minimum_cases: it is linked to policy.tie_rule; vary that" in said[0]


def test_a_median_and_a_central_range(study: Any) -> None:
    text = '"policy.exchange_steepness" = {median = 0.1, low = 0.05, high = 0.2, scale = "log", levels = 3}'
    loaded = study(ONE + text)
    assert loaded.column(0)[1:] == [0.05, 0.1, 0.2]
    assert loaded.factors[0].at(0.5) == {"policy.exchange_steepness": 0.1}


def test_parameters_that_move_together(study: Any) -> None:
    loaded = study(
        ONE + '"policy.quality_weight" = {values = [0.3, 0.7], with = {"policy.cost_weight" = [0.7, 0.3]}}\n'
        '"population.cost_reliability.heart_failure" = {low = 0.4, high = 0.8, with = '
        '{"population.cost_reliability.low_back_pain" = {low = 0.5, high = 0.9}}}'
    )
    assert loaded.design.changes[1:] == (
        {"policy.quality_weight": 0.3, "policy.cost_weight": 0.7},
        {"policy.quality_weight": 0.7, "policy.cost_weight": 0.3},
        {
            "population.cost_reliability.heart_failure": 0.4,
            "population.cost_reliability.low_back_pain": 0.5,
        },
        {
            "population.cost_reliability.heart_failure": 0.8,
            "population.cost_reliability.low_back_pain": 0.9,
        },
    )


def test_outcomes_spread_over_labels(study: Any) -> None:
    head = HEAD.splitlines()[0] + (
        '\noutcomes = ["medicare_savings", {metric = "penalized_share", by = "practice_size"}, '
        '{metric = "net_adjustment", year = [2027, 2031], specialty = "cardiology"}, '
        '{metric = "final_score_quantile", cohort = "heart_failure", quantile = [0.05, 0.5]}]\n'
    )
    loaded = study(ONE + '"policy.tie_rule" = {values = ["lower", "mid"]}', head)
    assert [each.name for each in loaded.outcomes] == [
        "medicare_savings",
        "penalized_share solo",
        "penalized_share small",
        "penalized_share large",
        "net_adjustment 2027 cardiology",
        "net_adjustment 2031 cardiology",
        "final_score_quantile heart_failure p05",
        "final_score_quantile heart_failure p50",
    ]
    assert loaded.outcomes[4].labels == {"performance_year": 2027, "specialty": "cardiology"}


def test_what_decides_the_values_is_no_matter_of_size_or_title(study: Any) -> None:
    text = (
        "[run]\ndraws = {}\n[design]\nmethod = 'sobol'\nsamples = {}\n[parameters]\n"
        "'policy.exchange_steepness' = {{low = {}, high = 0.2}}"
    )
    one = study("title = 'A'\n" + text.format(16, 8, 0.05), HEAD).definition()
    assert one == study(text.format(18, 32, 0.05)).definition()
    assert one != study(text.format(16, 8, 0.06)).definition()
    assert one != study(text.format(16, 8, 0.05), HEAD.replace("medicare", "retained")).definition()
    assert one != study(text.format(16, 8, 0.05).replace("samples", "seed = 2\nsamples")).definition()


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.long)])
def test_every_study_of_the_library(whole: bool) -> None:
    assert {path.stem for path in LIBRARY} >= {
        "unknown_rule_constants",
        "calibration_unknowns",
        "policy_levers",
    }
    small = {"calibration_unknowns": {"samples": 8}, "screening": {"trajectories": 2}}
    for path in LIBRARY:
        loaded = load_study(path, **({} if whole else small.get(path.stem, {})))
        assert loaded.title
        assert loaded.description
        assert loaded.points > 1


# --- What is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[parameters]\n'policy.tie_rule' = {values = ['lower', 'mid']}", None, "design.method: say the method; allowed: one_at_a_time, grid"),
        ("[design]\nmethod = 'sobal'\n[parameters]\n'policy.tie_rule' = {values = ['lower', 'mid']}", 4, 'design.method: "sobal" is not allowed; allowed: one_at_a_time, grid, fractional, latin_hypercube, sobol, morris; did you mean sobol?'),
        ("[design]\nmethod = 'grid'\nsamples = 8\n[parameters]\n'policy.tie_rule' = {values = ['lower', 'mid']}", 5, "design.samples: is no setting of grid; it takes none"),
        ("[design]\nmethod = 'sobol'\nsample = 8\n[parameters]\n'policy.tie_rule' = {values = ['lower', 'mid']}", 5, "design.sample: unknown key; did you mean samples?"),
        ("[design]\nmethod = 'sobol'\nsamples = 12\n[parameters]\n'policy.tie_rule' = {values = ['lower', 'mid']}", 3, "samples must be a power of 2; 12 is not"),
        ("[design]\nmethod = 'sobol'\nsamples = '8'\n[parameters]\n'policy.tie_rule' = {values = ['lower', 'mid']}", 5, 'design.samples: "8" is not allowed; allowed: a power of 2 from 4 to 65536'),
        ("[design]\nmethod = 'morris'\ngrid_levels = 5\n[parameters]\n'policy.tie_rule' = {values = ['lower', 'mid']}", 3, "grid_levels must be even; 5 is not"),
        ("[design]\nmethod = 'fractional'\n[parameters]\n'policy.tie_rule' = {values = ['lower', 'mid', 'upper']}", 3, "a fraction of a grid needs two levels of every factor; policy.tie_rule has 3"),
        (ONE, None, "parameters: say what to vary"),
        (ONE + "'policy.tie_rle' = {values = ['lower', 'mid']}", 6, "policy.tie_rle: unknown parameter; did you mean policy.tie_rule?"),
        (ONE + "tie_rule = {values = ['lower', 'mid']}", 6, "unknown parameter; did you mean policy.tie_rule?"),
        (ONE + "'run.draws' = {values = [1, 2]}", 6, "run.draws: a setting of the run cannot be uncertain or varied"),
        (ONE + "'population.roster' = {values = ['a', 'b']}", 6, "population.roster: a setting of the run cannot be"),
        (ONE + "'policy.tie_rule' = 'mid'", 6, 'policy.tie_rule: "mid" is no distribution; write {values = […]}, {low = …, high = …}, {median = …, low = …, high = …} or {distribution = "uniform", …}, or "uncertainty" for what the scenario has'),
        (ONE + "'policy.tie_rule' = {values = []}", 6, "policy.tie_rule.values: [] is not allowed; allowed: a list of 1 to 1000 values"),
        ("[design]\nmethod = 'grid'\n[parameters]\n'policy.tie_rule' = {values = ['mid']}", 3, "grid needs two values or more of every factor; policy.tie_rule has one"),
        (ONE + "'policy.tie_rule' = {values = ['mid', 'uper']}", 6, 'policy.tie_rule.values: "uper" is not allowed; allowed: upper, lower or mid'),
        (ONE + "'policy.tie_rule' = {values = ['mid', 'mid']}", 6, "policy.tie_rule.values: a value is listed twice"),
        (ONE + "'policy.tie_rule' = {low = 0, high = 1}", 6, "policy.tie_rule: is not a number"),
        (ONE + "'policy.risk_level' = {values = [0.1, 1.5]}", 6, "policy.risk_level.values: 1.5 is not allowed; allowed: 0 to 1 (fraction"),
        (ONE + "'policy.risk_level' = {values = [0.1, {2028 = 0.1}]}", 6, "policy.risk_level.values: year 2027 is missing"),
        (ONE + "'policy.risk_level' = {low = 0.1, high = 1.5}", 6, "policy.risk_level.high: 1.5 is not allowed"),
        (ONE + "'policy.risk_level' = {low = 0.2, high = 0.1}", 6, "policy.risk_level: low (0.2) must be less than high (0.1)"),
        (ONE + "'policy.risk_level' = {low = 0.2}", 6, "policy.risk_level: high is missing; a range takes low, high"),
        (ONE + "'policy.risk_level' = {low = 0.1, high = 0.2, levls = 3}", 6, "policy.risk_level.levls: unknown key"),
        (ONE + "'policy.risk_level' = {low = 0.1, high = 0.2, levels = 1}", 6, "policy.risk_level.levels: 1 is not allowed"),
        (ONE + "'policy.risk_level' = {low = nan, high = 0.2}", 6, "policy.risk_level.low: nan is not allowed"),
        (ONE + "'policy.risk_level.2040' = {low = 0.1, high = 0.2}", 6, "policy.risk_level.2040: 2040 is no year in which it may change; allowed: 2027 to 2031"),
        (ONE + "'policy.minimum_cases' = {low = 10, high = 20}", 6, "policy.minimum_cases: is a whole number; write {values = […]}"),
        (ONE + "'policy.minimum_cases' = {values = [10.5, 20]}", 6, "policy.minimum_cases.values: 10.5 is not allowed"),
        (ONE + "'policy.tie_rule' = {values = ['lower', 'mid'], weights = [1]}", 6, "policy.tie_rule.weights: 1 weights for 2 values; give as many"),
        (ONE + "'policy.tie_rule' = {values = ['lower', 'mid'], weight = [1, 2]}", 6, "policy.tie_rule.weight: unknown key; did you mean weights?"),
        (ONE + "'policy.risk_level' = {distribution = 'unifrm', low = 0.1, high = 0.2}", 6, "did you mean uniform?"),
        (ONE + "'policy.risk_level' = {low = 0.1, high = 0.2}\n'policy.risk_level.2029' = {low = 0.1, high = 0.2}", 7, "policy.risk_level.2029: overlaps with policy.risk_level, which is varied too"),
        (ONE + "'policy.risk_level' = {values = [0.1, 0.2], with = {'policy.tie_rule' = ['mid']}}", 6, "policy.risk_level.with.policy.tie_rule: 1 values for the 2 of policy.risk_level"),
        (ONE + "'policy.risk_level' = {values = [0.1, 0.2], with = {'policy.redistribution_share' = [0.1, 0.2, 0.3]}}", 6, "3 values for the 2 of policy.risk_level; give as many"),
        (ONE + "'policy.risk_level' = {values = [0.1, 0.2], with = {'policy.redistribution_share' = {low = 0.1, high = 0.2}}}", 6, "must be given as policy.risk_level is"),
        (ONE + "'policy.risk_level' = {values = [0.1, 0.2], with = 3}", 6, "policy.risk_level.with: 3 is not allowed"),
        (ONE + "'policy.risk_level' = {median = 0.2, low = 0.1, high = 0.15}", 6, "policy.risk_level.median: 0.2 does not lie between low and high"),
        (ONE + "'policy.risk_level' = {low = 0.1, high = 0.2, basis = 'guess'}", 6, 'policy.risk_level.basis: "guess" is not allowed; allowed: CFR'),
        (ONE + "'policy.risk_level' = {values = [0.1, 0.2], with = {'policy.redistribution_share' = {values = [0.1, 0.2], weights = [1, 2]}}}", 6, "weights: the weights are those of policy.risk_level; leave them out"),
        (ONE + "'policy.risk_level' = {values = [0.1, 0.2], with = {'policy.risk_level.2029' = [0.1, 0.2]}}", 6, "policy.risk_level.with.policy.risk_level.2029: overlaps with policy.risk_level"),
        ("[run]\ndraws = 1\n" + ONE + "'policy.tie_rule' = {values = ['lower', 'mid']}", 4, "run.draws: 1 is not allowed; allowed: 2 to 1000000"),
        ("[run]\ndraws = 4\n[design]\nmethod = 'grid'\n[parameters]\n'policy.tie_rule' = {values = ['lower', 'mid']}", 4, "run.draws: 4 is not allowed; allowed: 8 to 1000000"),
        ("[run]\nseed = -1\n" + ONE + "'policy.tie_rule' = {values = ['lower', 'mid']}", 4, "run.seed: -1 is not allowed"),
        ("[run]\nfixed = 1\n" + ONE + "'policy.tie_rule' = {values = ['lower', 'mid']}", 4, "run.fixed: 1 is not allowed; allowed: true, false"),
        ("[run]\nblocks = 3\n" + ONE + "'policy.tie_rule' = {values = ['lower', 'mid']}", 4, "run.blocks: unknown key"),
        ("desing = 3\n" + ONE + "'policy.tie_rule' = {values = ['lower', 'mid']}", 3, "desing: unknown key; did you mean design?"),
        ("[policy]\nrisk_level = 0.1\n" + ONE + "'policy.tie_rule' = {values = ['lower', 'mid']}", 3, "policy: unknown section"),
        ("run = 3\n" + ONE + "'policy.tie_rule' = {values = ['lower', 'mid']}", 3, "run: must be a section"),
        ("title = 3\n" + ONE + "'policy.tie_rule' = {values = ['lower', 'mid']}", 3, "title: allowed: text in quotes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(study: Any, tmp_path: Path, text: str, line: int | None, words: str) -> None:
    said = problems(study, text)
    place = f"{tmp_path / 'study.toml'}:" + (f"{line}: " if line else "")
    assert any(each.startswith(place) and words in each for each in said), said


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ("[]", 'outcomes: name what to look at, for example outcomes = ["medicare_savings"]'),
        ("'medicare_savings'", "outcomes: name what to look at"),
        (
            "['medicare_saving']",
            "outcomes, entry 1: 'medicare_saving' is no metric; allowed: ",
        ),
        ("['scored', 3]", "outcomes, entry 2: 3 is not allowed"),
        ("[{metric = 'penalized_share', by = 'yeer'}]", "by: 'yeer' is no label;"),
        ("[{metric = 'penalized_share', years = 2027}]", "unknown key years; did you mean year?"),
        ("[{metric = 'penalized_share', year = 2026}]", "year: 2026 is not allowed; allowed: 2027, 2028"),
        ("[{metric = 'penalized_share', practice_size = 'smal'}]", "did you mean small?"),
        ("[{metric = 'medicare_savings', by = 'specialty'}]", "medicare_savings is not kept by specialty"),
        ("[{metric = 'medicare_savings', quantile = 0.5}]", "quantile: medicare_savings has no quantiles"),
        ("[{metric = 'penalized_share', by = 'cohort,specialty'}]", "a specialty names its cohort"),
    ],
)
def test_what_is_wrong_with_outcomes_is_said(study: Any, outcomes: str, words: str) -> None:
    head = HEAD.splitlines()[0] + f"\noutcomes = {outcomes}\n"
    said = problems(study, ONE + "'policy.tie_rule' = {values = ['lower', 'mid']}", head)
    assert any(words in each for each in said), said


def test_scenarios_and_studies_are_not_taken_for_each_other() -> None:
    with pytest.raises(InputError, match=r"midpoint_50.toml: is a scenario, not a study"):
        load_study(SCENARIOS / "readings" / "midpoint_50.toml")
    with pytest.raises(InputError, match=r"is a sensitivity study, not a scenario; `asmrisk\.sensitivity"):
        load_scenario(LIBRARY[0])


def test_everything_is_said_at_once(study: Any) -> None:
    said = problems(
        study,
        "[run]\ndraws = 0\n[design]\nmethod = 'gird'\n[parameters]\n'policy.tie_rle' = {values = [1, 2]}\n"
        "'policy.risk_level' = {low = 0.1, high = 7}",
        HEAD.replace("medicare_savings", "medicare_saving"),
    )
    assert len(said) == 5


def test_a_missing_or_bad_base_scenario(study: Any, tmp_path: Path) -> None:
    text = ONE + "'policy.tie_rule' = {values = ['lower', 'mid']}"
    assert "name the scenario to start from" in problems(study, text, "outcomes = ['scored']\n")[0]
    said = problems(study, text, "scenario = 'nothing.toml'\noutcomes = ['scored']\n")
    assert said == [f"{tmp_path / 'study.toml'}:1: scenario: there is no file {tmp_path / 'nothing.toml'}"]
    (tmp_path / "bad.toml").write_text("[policy]\nrisk_level = 7\n")
    said = problems(study, text, "scenario = 'bad.toml'\noutcomes = ['scored']\n")
    assert said[0].startswith(f"{tmp_path / 'bad.toml'}:2: policy.risk_level: 7 is not allowed")


def test_points_that_contradict_a_rule_between_parameters_are_named(study: Any, tmp_path: Path) -> None:
    """Each value is allowed by itself, and one point of the grid is."""
    said = problems(
        study,
        "[design]\nmethod = 'grid'\n[parameters]\n'policy.quality_weight' = {values = [0.5, 0.7]}\n"
        "'policy.cost_weight' = {values = [0.5, 0.3]}",
    )
    assert said[0].startswith(
        f"{tmp_path / 'study.toml'}: design point 2, policy.quality_weight = 0.5, policy.cost_weight = 0.3, "
        "cannot be used: policy.quality_weight and policy.cost_weight make 0.8 in 2027"
    )
    assert any(each.partition("design point ")[2].startswith("3, ") for each in said)


def test_points_that_cannot_be_calibrated_are_named(study: Any) -> None:
    """A spread of costs that no lognormal with such a reliability reaches."""
    said = problems(study, ONE + "'population.cost_sd.heart_failure' = {values = [3000.0, 9000000.0]}")
    assert "design point 2, population.cost_sd.heart_failure = 9000000.0, cannot be used" in said[0]


def test_too_many_points(study: Any) -> None:
    many = ", ".join(str(each) for each in range(1, 101))
    said = problems(
        study,
        "[design]\nmethod = 'grid'\n[parameters]\n"
        + "\n".join(
            f"'{name}' = {{values = [{many}]}}"
            for name in ("policy.minimum_cases", "policy.minimum_reporters", "policy.minimum_episodes")
        ),
    )
    assert "1,000,000 design points; a study has at most 100,000 (limit study_points)" in said[0]


def test_arguments_are_checked_as_the_files_values_are(study: Any) -> None:
    text = '[design]\nmethod = "grid"\n[parameters]\n"policy.tie_rule" = {values = ["lower", "mid"]}'
    assert study(text, draws=17).draws == 17
    assert study(text, seed=0).scenario.values["run.seed"] == 0
    assert "run.draws: 3 is not allowed" in problems(study, text, draws=3)[0]
    assert problems(study, text, samples=8) == ["samples: is no setting of grid; it takes none"]


# --- Which points there are --------------------------------------------------------------------------------


def coded(study: Any, method: str, factors: int, **design: int) -> np.ndarray:
    """Positions of the points of a design, the base left out."""
    names = [
        "policy.exchange_steepness", "policy.redistribution_share", "policy.minimum_completeness",
        "policy.small_practice_points", "policy.solo_practice_points", "policy.complex_patient_intercept",
        "policy.complex_patient_slope", "policy.complex_patient_cap", "behavior.exit_probability.cardiology",
        "behavior.medicare_share", "population.incomplete_share", "population.habit_persistence",
        "population.quality_common_share.q008", "population.cases_log_sd", "population.dual_hcc_correlation",
        "population.cost_quality_correlation",
    ]  # fmt: skip
    stated = "".join(f"{key} = {value}\n" for key, value in design.items())
    vary = "".join(f'"{name}" = {{low = 0.5, high = 0.75}}\n' for name in names[:factors])
    loaded = study(f'[design]\nmethod = "{method}"\n{stated}[parameters]\n{vary}')
    assert np.isnan(loaded.design.coordinates[0]).all()
    return loaded.design.coordinates[1:]


def test_a_grid_has_every_combination_once(study: Any) -> None:
    loaded = study(
        '[design]\nmethod = "grid"\n[parameters]\n"policy.tie_rule" = {values = ["upper", "lower", "mid"]}\n'
        '"policy.zero_scorers" = {values = ["in_pool", "outside_pool"]}'
    )
    found = [(each["policy.tie_rule"], each["policy.zero_scorers"]) for each in loaded.design.changes[1:]]
    assert found == list(itertools.product(["upper", "lower", "mid"], ["in_pool", "outside_pool"]))


@pytest.mark.parametrize(
    ("factors", "resolution", "points"),
    # The sizes of the classical tables (Box, Hunter and Hunter 1978, table 12.15).
    [(3, 3, 4), (5, 3, 8), (7, 3, 8), (4, 4, 8), (7, 4, 16), (8, 4, 16), (5, 5, 16), (6, 6, 32), (15, 3, 16), (16, 4, 32), (8, 5, 64)],
)  # fmt: skip
def test_fractions_have_their_resolution(study: Any, factors: int, resolution: int, points: int) -> None:
    levels = coded(study, "fractional", factors, resolution=resolution) * 2.0 - 1.0
    assert levels.shape == (points, factors)
    assert len(np.unique(levels, axis=0)) == points
    for size in range(1, resolution):
        for chosen in itertools.combinations(range(factors), size):
            # No product of fewer factors is constant; a balanced one sums to zero.
            assert levels[:, chosen].prod(axis=1).sum() == 0.0


def test_a_fraction_says_what_is_confounded(study: Any) -> None:
    names = ["policy.exchange_steepness", "policy.redistribution_share", "behavior.medicare_share"]
    vary = "".join(f'"{name}" = {{low = 0.5, high = 0.75}}\n' for name in names)
    loaded = study(f'[design]\nmethod = "fractional"\nresolution = 3\n[parameters]\n{vary}')
    assert loaded.design.words == (" × ".join(names),)


def test_a_latin_hypercube_has_one_point_in_every_stratum(study: Any) -> None:
    positions = coded(study, "latin_hypercube", 3, samples=20)
    assert positions.shape == (20, 3)
    for column in positions.T:
        assert sorted((column * 20).astype(int)) == list(range(20))
    assert (coded(study, "latin_hypercube", 3, samples=20, seed=2) != positions).any()


def test_a_sobol_design_is_saltellis(study: Any) -> None:
    rows = coded(study, "sobol", 3, samples=16).reshape(16, 5, 3)
    a, b = rows[:, 0], rows[:, -1]
    for factor in range(3):
        mixed = a.copy()
        mixed[:, factor] = b[:, factor]
        assert (rows[:, factor + 1] == mixed).all()
    # Both halves are Sobol points: one in every sixteenth, in each dimension.
    for column in np.concatenate([a, b], axis=1).T:
        assert sorted((column * 16).astype(int)) == list(range(16))


def test_a_morris_design_moves_one_factor_at_a_time(study: Any) -> None:
    rows = coded(study, "morris", 4, trajectories=6).reshape(6, 5, 4)
    steps = np.diff(rows, axis=1)
    assert ((steps != 0).sum(axis=2) == 1).all()
    assert ((steps != 0).sum(axis=1) == 1).all()
    np.testing.assert_allclose(np.abs(steps).max(axis=2), 2.0 / 3.0)
    assert set(np.round(rows * 3).astype(int).ravel()) <= {0, 1, 2, 3}


@pytest.mark.parametrize(("factors", "levels"), [(2, 4), (5, 6), (16, 10)])
def test_a_morris_design_is_salibs(study: Any, factors: int, levels: int) -> None:
    rows = coded(study, "morris", factors, trajectories=3, grid_levels=levels, seed=5)
    problem = {"num_vars": factors, "names": list(range(factors)), "bounds": [[0.0, 1.0]] * factors}
    expected = [
        morris.sample(problem, 1, num_levels=levels, seed=np.random.default_rng([5, path]))
        for path in range(3)
    ]
    assert rows.tobytes() == np.concatenate(expected).tobytes()


@pytest.mark.parametrize(("method", "size"), [("sobol", "samples"), ("morris", "trajectories")])
def test_larger_designs_begin_with_the_smaller(study: Any, method: str, size: str) -> None:
    small, large = (coded(study, method, 3, **{size: count}) for count in (4, 16))
    assert (large[: len(small)] == small).all()


def test_samples_follow_distributions_and_weights(study: Any) -> None:
    loaded = study(
        '[design]\nmethod = "latin_hypercube"\nsamples = 100\n[parameters]\n'
        '"policy.tie_rule" = {values = ["upper", "lower", "mid"], weights = [5, 3, 2]}\n'
        '"behavior.exit_probability.cardiology" = {distribution = "triangular", low = 0.0, mode = 0.0, high = 0.1}\n'
        '"policy.minimum_cases" = {distribution = "choice", values = [10, 20], weights = [1, 3]}'
    )
    ties, exits, cases = (loaded.column(index)[1:] for index in range(3))
    assert [ties.count(each) for each in ("upper", "lower", "mid")] == [50, 30, 20]
    assert np.mean(exits) == pytest.approx(0.1 / 3, rel=0.01)
    assert cases.count(10) == 25
    assert {type(each) for each in cases} == {int}
